"""`python -m benchmarks.deep`: deep models of equal layers beside shallow ones.

Seconds to the first gradient, in CPU time, the least of three, and microseconds of a call: of layers that are joined to
arrays (lists of eight or more), with `--kept` of layers that are apart and stay functions, and with `--inlined` of
layers that are followed in place, which takes minutes.
"""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Layer(NamedTuple):
    w: np.ndarray
    b: np.ndarray

    def __call__(self, x):
        return np.tanh(x @ self.w + self.b)


class Block(NamedTuple):
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    out: np.ndarray
    up: np.ndarray
    down: np.ndarray
    scale: np.ndarray
    shift: np.ndarray


def perceptron(layers, x, y):
    for layer in layers:
        x = layer(x)
    return np.mean((x - y) ** 2)


def normalised(x, scale, shift):
    centred = x - np.mean(x, axis=-1, keepdims=True)
    return scale * centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5) + shift


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attention(b, x):
    q, k, v = x @ b.q, x @ b.k, x @ b.v
    return softmax(q @ k.T / np.sqrt(q.shape[1])) @ v @ b.out


def block(b, x):
    x = x + attention(b, normalised(x, b.scale, b.shift))
    return x + gelu(normalised(x, b.scale, b.shift) @ b.up) @ b.down


def transformer(blocks, x, y):
    for b in blocks:
        x = block(b, x)
    return np.mean((x - y) ** 2)


def layers_of(count: int, width: int, rng) -> list[Layer]:
    return [Layer(rng.normal(size=(width, width)) / 4, rng.normal(size=width)) for _ in range(count)]


def blocks_of(count: int, width: int, rng) -> list[Block]:
    def matrix(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) / 4

    square, wide = (width, width), 2 * width
    shapes = [*(square,) * 4, (width, wide), (wide, width), (width,), (width,)]
    return [Block(*(matrix(*shape) for shape in shapes)) for _ in range(count)]


PROGRAMS: dict[str, tuple[Callable, Callable, tuple[int, int]]] = {
    "layers of a perceptron": (perceptron, layers_of, (2, 20)),
    "blocks of a transformer": (transformer, blocks_of, (2, 12)),
}


def measured(function: Callable, args: tuple, repeats: int) -> tuple[float, float]:
    """Seconds of CPU to the first gradient, and the least seconds of a later call."""
    import zygopy

    gradient = zygopy.grad(function)
    start = time.process_time()
    gradient(*args)
    first_s = time.process_time() - start
    calls = []
    for _ in range(repeats):
        start = time.perf_counter()
        gradient(*args)
        calls.append(time.perf_counter() - start)
    return first_s, min(calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny models, to see that this runs")
    parser.add_argument("--kept", action="store_true", help="also with the layers apart")
    parser.add_argument("--inlined", action="store_true", help="also with each layer followed in place")
    options = parser.parse_args()
    from zygopy.transform import joined
    from zygopy.transform.reading import kept

    rng = np.random.default_rng(0)
    width, rows, repeats = (4, 3, 2) if options.smoke else (16, 8, 200)
    x, y = rng.normal(size=(2, rows, width))
    ways: dict[str, tuple[float, float]] = {"joined": (joined.FEWEST, kept.STATEMENTS)}
    ways |= {"kept": (math.inf, kept.STATEMENTS)} if options.kept else {}
    ways |= {"inlined": (math.inf, math.inf)} if options.inlined else {}
    print(f"{'':24}  {'way':8} {'count':>5} {'first gradient':>15} {'to the shallow':>15} {'call':>10}")
    for way, limits in ways.items():
        joined.FEWEST, kept.STATEMENTS = limits
        for name, (function, make, counts) in PROGRAMS.items():
            shallow_s = None
            for count in (2, 5) if options.smoke else counts:
                found = []
                for _ in range(3):  # the first one compiles routines of the library too
                    with tempfile.TemporaryDirectory() as folder:
                        os.environ["ZYGOPY_CACHE_DIR"] = folder
                        found.append(measured(function, (make(count, width, rng), x, y), repeats))
                first_s, call_s = map(min, zip(*found, strict=True))
                shallow_s = shallow_s or first_s
                ratio = f"{first_s / shallow_s:.2f}x"
                print(f"{name:24}  {way:8} {count:5} {first_s:13.2f} s {ratio:>15} {call_s * 1e6:7.1f} us", flush=True)


if __name__ == "__main__":
    main()
