"""Models of zygopy.nn beside PyTorch (eager) and JAX (jitted): value and all gradients, in float32, on one core.

    python -m benchmarks.nn_models [name ...]

Each contender has the same weights and data, in its own layout. Calls alternate; times are CPU seconds of the process,
shown as the median over rounds and as the median of the paired ratios. The first gradient is measured beyond imports,
each in a process of its own: `first` compiles the program (the routines of the library were compiled by an earlier
process), `from disk` is a second such process.
"""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import importlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import zygopy as zg
from benchmarks import fresh
from benchmarks.harness import load, machine, relative_error, shown_ratio, shown_time, table
from zygopy import nn


@dataclass(frozen=True)
class Model:
    """A model, a loss of it and data; `torch` and `jax` make calls of the same from them."""

    model: Any
    loss: Callable
    data: tuple
    torch: Callable
    jax: Callable


def classified(model, x, labels):
    return nn.logit_crossentropy(model(x), labels)


def squared(model, x, wanted):
    return nn.mse(model(x), wanted)


def floats(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def labels(count, classes=10):
    return np.random.default_rng(1).integers(0, classes, count)


# -- PyTorch and JAX -------------------------------------------------------------------------------------------------


def torch_call(forward: Callable, arrays: list, data: tuple, loss: str) -> Callable:
    """A call that gives the value and the gradients; `forward` takes torch, the parameters as tensors and x."""
    import torch

    torch.set_num_threads(1)
    own = [torch.tensor(np.ascontiguousarray(a), requires_grad=True) for a in arrays]
    x, wanted = map(torch.tensor, data)
    measure = getattr(torch.nn.functional, loss)

    def call():
        value = measure(forward(torch, own, x), wanted)
        return value, torch.autograd.grad(value, own)

    return call


def jax_call(forward: Callable, arrays: list, data: tuple, loss: str) -> Callable:
    """A call that gives the value and the gradients; `forward` takes the parameters and x."""
    import jax
    import jax.numpy as jnp

    x, wanted = map(jnp.asarray, data)

    def total(own, x, wanted):
        y = forward(own, x)
        if loss == "cross_entropy":
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(y), wanted[:, None], 1))
        return jnp.mean((y - wanted) ** 2)

    compiled, own = jax.jit(jax.value_and_grad(total)), [jnp.asarray(a) for a in arrays]
    return lambda: jax.block_until_ready(compiled(own, x, wanted))


# -- the models ------------------------------------------------------------------------------------------------------


def dense_arrays(layers) -> list:
    return [a for layer in layers for a in (layer.weight, layer.bias)]


def mlp(batch: int) -> Model:
    model = nn.Chain(nn.Dense(784, 256, nn.relu, rng=0), nn.Dense(256, 128, nn.relu, rng=1), nn.Dense(128, 10, rng=2))
    arrays, data = dense_arrays(model.layers), (floats(batch, 784), labels(batch))

    def in_torch(torch, own, x):
        for k in (0, 2):
            x = torch.relu(torch.addmm(own[k + 1], x, own[k]))
        return torch.addmm(own[5], x, own[4])

    def in_jax(own, x):
        import jax

        for k in (0, 2):
            x = jax.nn.relu(x @ own[k] + own[k + 1])
        return x @ own[4] + own[5]

    run = ("cross_entropy",)
    return Model(
        model,
        classified,
        data,
        partial(torch_call, in_torch, arrays, data, *run),
        partial(jax_call, in_jax, arrays, data, *run),
    )


def lenet(batch: int = 32) -> Model:
    model = nn.Chain(
        nn.Conv((5, 5), 1, 6, nn.relu, rng=0),
        nn.MaxPool((2, 2)),
        nn.Conv((5, 5), 6, 16, nn.relu, rng=1),
        nn.MaxPool((2, 2)),
        nn.flatten,
        nn.Dense(256, 120, nn.relu, rng=2),
        nn.Dense(120, 84, nn.relu, rng=3),
        nn.Dense(84, 10, rng=4),
    )
    data = floats(batch, 28, 28, 1), labels(batch)
    first, second, *dense = (model[k] for k in (0, 2, 5, 6, 7))
    arrays = dense_arrays((first, second, *dense))

    def in_torch(torch, own, x):
        f = torch.nn.functional
        for k in (0, 2):
            x = f.max_pool2d(torch.relu(f.conv2d(x, own[k], own[k + 1])), 2)
        x = x.flatten(1)
        for k in (4, 6):
            x = torch.relu(f.linear(x, own[k], own[k + 1]))
        return f.linear(x, own[8], own[9])

    def in_jax(own, x):
        import jax
        from jax import lax

        for k in (0, 2):
            x = lax.conv_general_dilated(x, own[k], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            x = jax.nn.relu(x + own[k + 1])
            x = lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        x = x.reshape(len(x), -1)
        for k in (4, 6):
            x = jax.nn.relu(x @ own[k] + own[k + 1])
        return x @ own[8] + own[9]

    own_layout = [a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.T for a in arrays]
    width = dense[0].weight.reshape(4, 4, 16, 120).transpose(3, 2, 0, 1).reshape(120, 256)
    own_layout[4] = width
    images = data[0].transpose(0, 3, 1, 2), data[1]
    return Model(
        model,
        classified,
        data,
        partial(torch_call, in_torch, own_layout, images, "cross_entropy"),
        partial(jax_call, in_jax, arrays, data, "cross_entropy"),
    )


def lstm() -> Model:
    model = nn.LSTM(64, 64, rng=0)
    data = floats(16, 50, 64), floats(16, 50, 64, seed=1)
    arrays = [model.weight, model.recurrent, model.bias]

    def in_torch(torch, own, x):
        zero = torch.zeros(1, 16, 64)
        flat = [own[0].T.contiguous(), own[1].T.contiguous(), own[2], torch.zeros(256)]
        return torch._VF.lstm(x, (zero, zero), flat, True, 1, 0.0, True, False, True)[0]

    def in_jax(own, x):
        import jax
        import jax.numpy as jnp

        weight, recurrent, bias = own

        def step(state, given):
            h, c = state
            i, f, g, o = jnp.split(given + h @ recurrent, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zero = jnp.zeros((16, 64), x.dtype)
        _, found = jax.lax.scan(step, (zero, zero), (x @ weight + bias).swapaxes(0, 1))
        return found.swapaxes(0, 1)

    return Model(
        model,
        squared,
        data,
        partial(torch_call, in_torch, arrays, data, "mse_loss"),
        partial(jax_call, in_jax, arrays, data, "mse_loss"),
    )


def transformer() -> Model:
    model = nn.TransformerBlock(64, 4, activation=nn.gelu, rng=0)
    data = floats(8, 64, 64), floats(8, 64, 64, seed=1)
    a = model.attention
    arrays = dense_arrays((a.query, a.key, a.value, a.out, *model.network.layers))
    arrays += [n for norm in (model.attention_norm, model.network_norm) for n in (norm.scale, norm.shift)]

    def in_torch(torch, own, x):
        f = torch.nn.functional
        h = f.layer_norm(x, (64,), own[12], own[13])
        q, k, v = ((h @ own[j] + own[j + 1]).view(8, 64, 4, 16).transpose(1, 2) for j in (0, 2, 4))
        h = f.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(8, 64, 64)
        x = x + h @ own[6] + own[7]
        h = f.layer_norm(x, (64,), own[14], own[15])
        return x + f.gelu(h @ own[8] + own[9]) @ own[10] + own[11]

    def in_jax(own, x):
        import jax
        import jax.numpy as jnp

        def norm(x, scale, shift):
            x = x - x.mean(-1, keepdims=True)
            return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale + shift

        h = norm(x, own[12], own[13])
        q, k, v = ((h @ own[j] + own[j + 1]).reshape(8, 64, 4, 16).swapaxes(1, 2) for j in (0, 2, 4))
        shares = jax.nn.softmax(q @ k.swapaxes(2, 3) / 4.0)
        x = x + (shares @ v).swapaxes(1, 2).reshape(8, 64, 64) @ own[6] + own[7]
        h = norm(x, own[14], own[15])
        return x + jax.nn.gelu(h @ own[8] + own[9], approximate=False) @ own[10] + own[11]

    return Model(
        model,
        squared,
        data,
        partial(torch_call, in_torch, arrays, data, "mse_loss"),
        partial(jax_call, in_jax, arrays, data, "mse_loss"),
    )


MODELS: dict[str, Callable[[], Model]] = {
    "MLP 784-256-128-10, batch 64": partial(mlp, 64),
    "MLP 784-256-128-10, batch 1024": partial(mlp, 1024),
    "LeNet, batch 32": lenet,
    "LSTM, 50 steps, hidden 64, batch 16": lstm,
    "transformer block, d = 64, 4 heads, 64 tokens, batch 8": transformer,
}


# -- the measurement -------------------------------------------------------------------------------------------------


def calls_of(made: Model) -> dict[str, Callable]:
    derivative = zg.value_and_grad(made.loss)
    return {"zygopy": partial(derivative, made.model, *made.data), "torch": made.torch(), "jax": made.jax()}


def first_gradient_s(name: str, contender: str) -> float:
    """CPU seconds of the first gradient in this process, which must be fresh."""
    made = MODELS[name]()
    if contender == "zygopy":
        import numba

        for module in ("backends.cpu", "transform.pipeline"):  # what a first compilation loads: imports are not counted
            importlib.import_module(f"zygopy.{module}")
        numba.njit(lambda x: x[0] + 1.0)(np.ones(3))
        call: Callable = partial(zg.value_and_grad(made.loss), made.model, *made.data)
    else:
        import jax

        jax.jit(lambda x: (x * 2.0).sum())(np.ones(3)).block_until_ready()
        call = made.jax()
    start = time.process_time()
    call()
    return time.process_time() - start


def first_gradients(name: str) -> list[str]:
    """The first gradient of zygopy, the one of a second process, and JAX's."""

    def shown(contender: str) -> str:
        record = fresh.record_of("benchmarks.nn_models", name, contender, limit_s=600.0)
        return record.get("failure") or shown_time(record["cpu_s"])

    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZYGOPY_CACHE_DIR"] = folder
        shown("zygopy")  # compiles what it needs of the library
        shutil.rmtree(Path(folder) / "programs")
        return [shown("zygopy"), shown("zygopy"), shown("jax")]


def samples(calls: dict[str, Callable], rounds: int) -> dict[str, list[float]]:
    """CPU seconds per call in each round; every other round runs in the opposite order."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in reversed(calls) if number % 2 else calls:
            start = time.process_time()
            for _ in range(5):
                calls[name]()
            found[name].append((time.process_time() - start) / 5)
    return found


def main() -> None:
    """Measure the models whose names have a word in them that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-first", action="store_true", help="leave the first gradients out")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps({"cpu_s": first_gradient_s(*options.child)}))
        return
    rows = []
    for name, make in MODELS.items():
        if options.words and not any(word.lower() in name.lower() for word in options.words):
            continue
        calls = calls_of(make())
        values = {who: call()[0] for who, call in calls.items()}
        assert relative_error(float(values["zygopy"]), float(values["torch"].detach())) < 1e-4, values
        assert relative_error(float(values["zygopy"]), float(values["jax"])) < 1e-4, values
        found = samples(calls, options.rounds)
        medians = [shown_time(statistics.median(found[who])) for who in calls]
        ratios = [statistics.median(a / b for a, b in zip(found[who], found["zygopy"], strict=True)) for who in calls]
        starts = ["", "", ""] if options.no_first else first_gradients(name)
        rows.append([name, *medians, *map(shown_ratio, ratios[1:]), *starts])
    print(machine())
    print("load", load())
    print(
        table(
            ["model", "zygopy", "torch", "jax", "torch/zygopy", "jax/zygopy", "first", "from disk", "jax's first"], rows
        )
    )


if __name__ == "__main__":
    main()
