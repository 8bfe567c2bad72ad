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
from tests.grid_runner import Runner, on
from tests.test_cuda import on_runner
from zygopy import models, nn, optim

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


def step(state, model, x, labels):
    value, gradient = zg.value_and_grad(classified)(model, x, labels)
    optim.update(state, model, gradient)
    return value


def step_in_parts(state, model, x, labels):
    value, gradient = zg.value_and_grad(classified, backend="cuda")(model, x, labels)
    optim.update(state, model, gradient)
    return value


@pytest.mark.parametrize("taken", [zg.jit(step, backend="cuda"), step_in_parts], ids=["compiled", "called"])
def test_ten_steps_of_adam(taken):
    """A training step as one program of the GPU, and as calls of two; the model and its state live there."""
    _, model, x, labels = MODELS["mlp"]
    expected = copy.deepcopy(model)
    state = optim.setup(optim.Adam(0.01), expected)
    with on(Runner()):
        on_device = zg.to_device((optim.setup(optim.Adam(0.01), model), model, x, labels))
        got = [float(zg.to_host(taken(*on_device))) for _ in range(10)]
        trained = zg.to_host(on_device[1])
    run = zg.jit(step, backend="python")
    losses = [run(state, expected, x, labels) for _ in range(10)]
    assert losses[-1] < losses[0]
    assert_close(np.array(got), np.array(losses), 1e-5, "losses")
    assert_close(zg.leaves(trained), zg.leaves(expected), 1e-5, "parameters")


def test_a_training_step_as_a_graph():
    """Sees that calls change the model as the function itself does; not how a GPU captures launches."""
    _, model, x, labels = MODELS["mlp"]
    with on(Runner()) as runner:
        own, captured = (zg.to_device((optim.setup(optim.Adam(0.01), model), model, x, labels)) for _ in range(2))
        run = zg.jit(step, backend="cuda")
        graph = zg.cuda.graph(run)
        losses = [(zg.to_host(run(*own)), float(zg.to_host(graph(*captured)))) for _ in range(4)]
        assert runner.calls
        np.testing.assert_allclose(*zip(*losses, strict=True), rtol=1e-6)  # threads add in another order
        first, second = (zg.leaves(zg.to_host(args[1])) for args in (own, captured))
        assert_close(first, second, 1e-6)


def test_what_waits_is_refused_in_a_graph():
    def halved(x, y):
        while y > 1.0:
            y *= 0.5 * x[0]
        return y

    factored = zg.grad(lambda a: np.sum(np.linalg.cholesky(a)), backend="cuda")
    message = "cannot be part of a graph\nhelp: call the function without zygopy.cuda.graph"
    with on(Runner()):
        a = zg.to_device(np.eye(2))
        for what, function, args in (
            ("a program with tapes that grow", zg.grad(halved, backend="cuda"), (zg.to_device(np.ones(2)), 9.0)),
            ("cholesky", factored, (a,)),
        ):
            graph = zg.cuda.graph(function)
            graph(*args)
            with pytest.raises(zg.UnsupportedError) as caught:
                graph(*args)
            assert str(caught.value) == f"{what} {message}"


def test_indices_are_tested_behind_a_graph():
    graph = zg.cuda.graph(zg.grad(lambda x, index: np.sum(x[index] ** 2), backend="cuda"))
    with on(Runner()):
        x, index = zg.to_device((np.ones(3), np.array([0, 2, 2])))
        graph(x, index)
        assert_close(zg.to_host(graph(x, index)), np.array([2.0, 0.0, 4.0]))
        index.array[0] = 3
        with pytest.raises(zg.OutOfBoundsError):
            graph(x, index)


def test_kernels_do_whole_batches():
    """The host has loops over the rows of kernels, but none over images."""
    loss, *args = MODELS["lenet"]
    host = zg.value_and_grad(loss).source(*args, target="cuda").partition("@cuda.jit")[0]
    loops = re.findall(r"for \w+ in (.*):", re.sub("#.*", "", host))
    assert all(re.fullmatch(r"range\([-0-9, ]+\)", loop) for loop in loops)
