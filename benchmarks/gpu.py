"""`python -m benchmarks.gpu`: on a GPU, correctness first, then times beside the copy bandwidth.

Without a GPU, `--runner` runs each program once at a few elements, thread by thread, to see that this script is whole.
Every figure needs the device's name and the versions beside it, which the table's head has.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

import zygopy as zg
from tests import cuda_programs
from tests.compare import assert_close
from tests.grid_runner import Runner, on
from zygopy import nn
from zygopy.backends import gpu
from zygopy.nn.convolution import convolved

FLOAT = np.float32
_SMALL = 12


@dataclass(frozen=True)
class Case:
    """A program, its size on a device, and how many bytes its gradient must move at least."""

    title: str
    function: Callable
    args: Callable  # of a size: the arguments
    size: int
    argnums: tuple[int, ...]
    moved: Callable  # of a size: bytes


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, FLOAT)


def _positive(*shape: int) -> np.ndarray:
    return 0.5 + np.random.default_rng(1).random(shape, FLOAT)


_LAYERS = nn.Conv((5, 5), 1, 6, nn.relu, rng=0), nn.Conv((5, 5), 6, 16, nn.relu, rng=1), nn.Dense(256, 10, rng=2)


def lenet(k1, b1, k2, b2, w, b, x, labels):
    """LeNet's two convolutions and one dense layer, of images of 28 x 28."""
    for kernel, bias in ((k1, b1), (k2, b2)):
        x = nn.MaxPool((2, 2))(nn.relu(convolved(x, kernel, (5, 5), (1, 1), (1, 1), 1) + bias))
    return nn.logit_crossentropy(nn.flatten(x) @ w + b, labels)


def lenet_args(n: int) -> tuple:
    """The weights, and so many images; two of them where that is few."""
    count = n if n > _SMALL else 2
    weights = [array for layer in _LAYERS for array in (layer.weight, layer.bias)]
    return (*weights, _normal(count, 28, 28, 1), np.arange(count) % 10)


CASES = [
    Case(
        "fused chain",
        cuda_programs.chain,
        lambda n: (_normal(n), _normal(n), _normal(n)),
        2**28,
        (0, 1, 2),
        lambda n: 6 * 4 * n,
    ),
    Case(
        "softmax cross-entropy, rows of 1,024",
        cuda_programs.softmax_cross_entropy,
        lambda n: (_normal(n, min(n, 1024)), _normal(n, min(n, 1024))),
        65_536,
        (0,),
        lambda n: 3 * 4 * n * min(n, 1024),
    ),
    Case(
        "Black-Scholes Greeks",
        cuda_programs.black_scholes,
        lambda n: (_positive(n), _positive(n), _positive(n), _positive(n), 0.1),
        10**8,
        (0, 1, 2, 3),
        lambda n: 8 * 4 * n,
    ),
    Case(
        "heat by slices, 100 steps",
        cuda_programs.heat_in_slices,
        lambda n: (_normal(n, n), 0.1, 100 if n > 64 else 2),
        4_096,
        (0,),
        lambda n: 200 * 2 * 4 * n * n,
    ),
    Case(
        "n-body",
        cuda_programs.n_body,
        lambda n: (_normal(n, 2), _positive(n)),
        16_384,
        (0, 1),
        lambda n: 6 * 4 * n,
    ),
    Case(
        "three matrix products: MLP 784-256-10, batch",
        cuda_programs.mlp,
        lambda n: (
            _normal(784, 256) / 28,
            _normal(256),
            _normal(256, 10) / 16,
            _normal(10),
            _normal(n, 784),
            _normal(n, 10),
        ),
        8_192,
        (0, 1, 2, 3),
        lambda n: 2 * 4 * n * 784,
    ),
    Case("LeNet, batch", lenet, lenet_args, 4_096, tuple(range(6)), lambda n: 4 * n * 784),
    Case("launch overhead: chain of 16", cuda_programs.chain, lambda n: (_normal(16),) * 3, 16, (0, 1, 2), lambda n: 1),
]


def check(case: Case) -> None:
    """The gradient on the device against plain Python at a few elements."""
    args = case.args(_SMALL)
    operator = zg.value_and_grad(case.function, case.argnums, backend="cuda")
    value, gradient = zg.to_host(operator(*zg.to_device(args)))
    expected = zg.value_and_grad(case.function, case.argnums, backend="python")(*args)
    assert_close(gradient, expected[1], 1e-4, case.title)
    assert_close(value, expected[0], 1e-4, case.title)


def seconds(call: Callable, wait: Callable, runs: int = 15) -> float:
    """The median of some runs, each waited for."""
    call(), wait()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        call(), wait()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def copy_bandwidth(wait: Callable) -> float:
    """Bytes read and written in a second by a copy of 2 GiB."""
    cupy = gpu.device().arrays
    a = cupy.empty(2**29, FLOAT)
    b = cupy.empty_like(a)
    return 2 * a.nbytes / seconds(lambda: cupy.copyto(b, a), wait)


def measure() -> None:
    """The table."""
    cupy = gpu.device().arrays
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    wait = cupy.cuda.get_current_stream().synchronize
    bandwidth = copy_bandwidth(wait)
    print(f"{properties['name'].decode()}, CuPy {cupy.__version__}, copies {bandwidth / 1e9:.0f} GB/s")
    print("| program | value and gradients | of the copy bandwidth |\n| --- | --- | --- |")
    for case in CASES:
        args = zg.to_device(case.args(case.size))
        operator = zg.value_and_grad(case.function, case.argnums, backend="cuda")
        took = seconds(lambda operator=operator, args=args: operator(*args), wait)
        share = case.moved(case.size) / took / bandwidth
        print(f"| {case.title} {case.size:,} | {took * 1e3:.3f} ms | {share:.0%} |", flush=True)


def main() -> None:
    """Check everything, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runner", action="store_true", help="without a GPU: only check, thread by thread")
    runner = parser.parse_args().runner
    with on(Runner()) if runner else nullcontext():
        for case in CASES:
            check(case)
            print(f"{case.title}: the gradient is right", flush=True)
    if not runner:
        measure()


if __name__ == "__main__":
    main()
