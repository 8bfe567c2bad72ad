"""Backend cuda without a GPU, on the programs of benchmarks/ and on models of the layer library: see test_cuda.

The gradients are those of the python backend, to 1e-12 in float64 and 1e-5 in float32.
"""

import copy
import importlib
import re

import numpy as np
import pytest

import benchmarks.array_programs
import benchmarks.programs
import zygopy as zg
from tests.compare import assert_close
from tests.test_cuda import on_runner
from zygopy import models, nn

MODULES = [
    f"{package.__name__}.{name}"
    for package in (benchmarks.programs, benchmarks.array_programs)
    for name in package.NAMES
]


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def squared(model, x):
    return np.mean(model(x) ** 2)


def classified(model, x, labels):
    return nn.logit_crossentropy(model(x), labels)


MODELS = {
    "mlp": (
        classified,
        nn.Chain(nn.Dense(5, 7, nn.relu, rng=0), nn.Dense(7, 6, nn.tanh, rng=1), nn.Dense(6, 3, rng=2)),
        floats(6, 5),
        np.array([0, 2, 1, 1, 0, 2]),
    ),
    "lenet": (
        classified,
        nn.Chain(
            nn.Conv((3, 3), 1, 2, nn.relu, rng=0),
            nn.MaxPool((2, 2)),
            nn.Conv((2, 2), 2, 3, nn.relu, rng=1),
            nn.MaxPool((2, 2)),
            nn.flatten,
            nn.Dense(3, 5, nn.relu, rng=2),
            nn.Dense(5, 3, rng=3),
        ),
        floats(2, 8, 8, 1),
        np.array([2, 0]),
    ),
    "mean_pool": (
        squared,
        nn.Chain(nn.Conv((3, 3), 1, 2, nn.gelu, padding="same", rng=0), nn.MeanPool((2, 2)), nn.GlobalMeanPool()),
        floats(2, 6, 6, 1),
    ),
    "rnn": (squared, nn.RNN(3, 4, rng=0), floats(2, 5, 3)),
    "lstm": (squared, nn.LSTM(3, 4, rng=0), floats(2, 5, 3)),
    "gru": (squared, nn.GRU(3, 4, rng=0), floats(2, 5, 3)),
    "normalised": (squared, nn.Chain(nn.Dense(3, 4, rng=0), nn.LayerNorm(4), nn.RMSNorm(4)), floats(5, 3)),
    "transformer": (squared, nn.TransformerBlock(4, 2, activation=nn.gelu, rng=0), floats(2, 3, 4)),
}


@pytest.mark.parametrize("name", MODULES)
def test_benchmarks(name):
    p = importlib.import_module(name).PROGRAM
    args = p.make_inputs(p.tiny)
    operator = zg.value_and_grad(p.fun, p.argnums, backend="cuda")
    got, _ = on_runner(operator, copy.deepcopy(args))
    expected = zg.value_and_grad(p.fun, p.argnums, backend="python")(*copy.deepcopy(args))
    single = any(isinstance(a, np.ndarray) and a.dtype == np.float32 for a in args)
    assert_close(got, expected, 1e-5 if single else 1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_models(name):
    loss, *args = MODELS[name]
    (value, gradient), _ = on_runner(zg.value_and_grad(loss, backend="cuda"), tuple(args))
    expected = zg.value_and_grad(loss, backend="python")(*args)
    assert_close(value, expected[0], 1e-5, "value")
    got, wanted = (models.destructure(g)[0] for g in (gradient, expected[1]))
    assert got.dtype == np.float32
    assert_close(got, wanted, 1e-5, "gradient")


def test_kernels_do_whole_batches():
    """The host has no loop over images."""
    loss, *args = MODELS["lenet"]
    host = zg.value_and_grad(loss).source(*args, target="cuda").partition("@cuda.jit")[0]
    assert "for " not in re.sub("#.*", "", host)
