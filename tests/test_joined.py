"""Lists and tuples of many equal items, which compiled code takes joined; central differences are the oracle."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from tests.structure_oracle import differences, flat, same_structure
from zygopy import nn

COUNT, WIDTH = 8, 2


class Dense(NamedTuple):
    w: np.ndarray
    b: np.ndarray

    def __call__(self, x):
        return np.tanh(x @ self.w + self.b)


@dataclass
class Named:
    w: np.ndarray
    b: np.ndarray
    name: str = "layer"

    def __call__(self, x):
        return np.tanh(x @ self.w + self.b) if self.name == "layer" else x


def layers_of(cls, count=COUNT, width=WIDTH):
    rng = np.random.default_rng(0)
    return [cls(rng.normal(size=(width, width)), rng.normal(size=width)) for _ in range(count)]


def through(layers, x):
    for layer in layers:
        x = layer(x)
    return np.sum(x**2)


def enumerated(layers, x):
    for k, layer in enumerate(layers):
        x = layer(x) * (k + 1)
        if k < len(layers) - 1:
            x = np.where(x > 0, x, 0.1 * x)
    return np.sum(x**2)


def but_the_last(layers, x):
    for layer in layers[:-1]:
        x = layer(x)
    return np.sum(x @ layers[-1].w + layers[-1].b)


def parts(layers, x):
    for layer in layers[::2]:
        x = layer(x)
    for layer in layers[5:99]:
        x = layer(x)
    for layer in layers[::-1]:
        x = layer(x)
    return np.sum(x)


def zipped(layers, x):
    for (a, b), k in zip(zip(layers, layers[1:], strict=False), range(COUNT - 1), strict=True):
        x = np.tanh(x @ a.w + b.b) * (1 + 0.1 * k)
    return np.sum(x)


def backwards(layers, x):
    for layer in reversed(layers):
        x = layer(x)
    return np.sum(x)


def by_index(layers, x):
    for k in range(len(layers)):
        x = layers[-k](x) + layers[k].b
    return np.sum(x)


def pairs(layers, x):
    total = 0.0
    for a in layers:
        for b in layers:
            total += np.sum(a.b * b.b)
    return total * np.sum(x)


def collected(layers, x):
    kept = []
    for layer in layers:
        x = layer(x)
        kept.append(x)
    more = sum(np.sum(layer.w**2) for layer in layers) + np.sum(np.stack([layer.w for layer in layers]))
    return np.sum(kept[0] * kept[-1]) + more + max(np.sum(layer.b) for layer in layers)


def stopping(layers, x):
    for layer in layers:
        x = layer(x)
        if np.sum(x) > 0.5:
            return np.sum(x**2)
    return np.sum(x)


def chosen(layers, x):
    best = layers[0]
    for layer in layers:
        if np.sum(layer.b) > np.sum(best.b):
            best = layer
    return np.sum(best(x)) if isinstance(layers, list | tuple) else 0.0


def in_a_dict(layers, x):
    parts = {"layers": layers, "x": x}
    recomputed = zg.checkpoint(lambda layer, x: layer(x))
    for layer in parts["layers"]:
        x = recomputed(layer, x)
    return np.sum(x)


JOINED = (through, enumerated, but_the_last, parts, zipped, backwards, by_index, pairs, collected, stopping, chosen)
JOINED += (in_a_dict,)


# Programs that do more with the items, which stay apart.


def last_by_identity(layers, x):
    for layer in layers:
        x = x @ layer.w if layer is layers[-1] else layer(x)
    return np.sum(x)


def unpacked(layers, x):
    first, *rest = layers
    x = first(x) * (2.0 if 3 in layers else 1.0)
    return np.sum(functools.reduce(lambda h, layer: layer(h), rest, x))


def with_others(layers, x):
    more = list(layers)
    more.append(layers[0])
    return through(more, x) + through(layers + layers, x)


def behind_the_loop(layers, x):
    for layer in layers:
        x = layer(x)
    return np.sum(layer(x))


def going_down(layers, x):
    return np.sum(x) if len(layers) == 0 else going_down(layers[1:], layers[0](x))


def cubes(layers, x):
    total = 0.0
    for layer in layers:
        total += np.sum(layer.w**3)
    return total * np.sum(x)


def inner(layers, x):
    return sum(np.sum(g.w * g.w) for g in zg.grad(cubes)(layers, x))


APART = (unpacked, with_others, behind_the_loop, going_down, inner)


def is_joined(function, *args) -> bool:
    return "layers_w" in str(zg.grad(function).source(*args))


def check(function, layers, x, backend) -> bool:
    """Hold value and gradient against the oracle; whether the items were joined."""
    derivative = zg.value_and_grad(function, argnums=(0, 1), backend=backend)
    value, gradient = derivative(layers, x)
    np.testing.assert_allclose(value, function(layers, x), rtol=1e-12)
    np.testing.assert_allclose(flat(gradient), differences(function, (layers, x)), rtol=1e-6, atol=1e-7)
    assert same_structure(gradient, (layers, x))
    return derivative.program(layers, x).joined


X = np.array([[0.5, -0.3], [0.2, 0.9], [-0.4, 0.1]])


@pytest.mark.parametrize("function", JOINED + APART)
def test_gradients(function):
    """Of lists of NamedTuples, which are equal to their tuples, and of tuples of dataclasses with a static member."""
    layers = layers_of(Dense)
    of_objects = layers_of(Named)
    assert check(function, layers, X, "python") == (function in JOINED)
    check(function, of_objects if function is with_others else tuple(of_objects), X, "python")


@pytest.mark.parametrize("kind", [Dense, Named])
def test_which_item_one_is_is_not_known(kind):
    """Neither of joined items nor of items apart: the caller may have passed one of them twice."""
    with pytest.raises(zg.UnsupportedError):
        zg.grad(last_by_identity, backend="python")(layers_of(kind), X)


@pytest.mark.parametrize("function", [enumerated, collected])
def test_native_code(function):
    assert check(function, layers_of(Dense), X, "cpu")


def stores(layers, x):
    for layer in layers:
        x[0] = x[0] * 0.5 + layer.b
    return np.sum(x**2)


def test_stores_are_seen():
    """Items may share memory with an array that is stored into, or with each other."""
    layers, x = layers_of(Dense), X.copy()
    assert not is_joined(stores, layers, x)
    expected = X.copy()
    stores(layers, expected)
    zg.grad(stores, backend="python")(layers, x)
    np.testing.assert_array_equal(x, expected)
    check(through, [layers[0]] * COUNT, X, "python")


def test_one_code_for_any_number_of_items():
    """And other code where items differ in shape or class, are few or large, by one gradient."""
    gradient = zg.grad(through)
    few, mixed, wide = layers_of(Dense, 3), layers_of(Dense), layers_of(Dense, 8, 200)
    mixed[4] = Dense(mixed[4].w, mixed[4].b[:1])
    x = np.ones((1, 200))
    for layers in (layers_of(Dense), layers_of(Dense, 12), few, mixed, layers_of(Dense, 12)):
        np.testing.assert_allclose(flat(gradient(layers, X)), differences(through, (layers, X))[: -X.size], atol=1e-7)
    assert sum(entry.program.joined for entry in gradient._entries.values()) == 1
    assert not is_joined(through, wide, x)
    assert is_joined(through, layers_of(Dense, 8, 20), x)


@pytest.mark.parametrize("count", [COUNT, 3])
def test_errors_are_those_of_items_apart(count):
    """An item of another kind, and an index that is out of range."""
    layers = [*layers_of(Dense, count - 1), Dense(np.ones((2, 3)), np.ones(3))]
    with pytest.raises(zg.errors.ShapeError):
        zg.grad(lambda layers, x: through([*layers, layers[0]], x), backend="python")(layers, X)
    with pytest.raises(IndexError):
        zg.grad(lambda layers, x: np.sum(layers[99].b), backend="python")(layers_of(Dense, count), X)


def test_chains_of_equal_layers():
    """Also in one another; the message of a wrong size names the layer."""

    def loss(model, x):
        return np.sum(model(x) ** 2)

    rng = np.random.default_rng(0)
    layers = [nn.Chain(nn.Dense(2, 2, np.tanh, rng=rng)) for _ in range(COUNT)]
    for layer in layers:
        layer[0].weight, layer[0].bias = layer[0].weight.astype(float), rng.normal(size=2)
    model = nn.Chain(*layers)
    assert check(loss, model, X, "python")
    with pytest.raises(ValueError, match=r"^layers\[0\].layers\[0\]: Dense\(2, 2\) takes x of shape \(\.\.\., 2\)"):
        zg.grad(loss, backend="python")(model, np.ones((4, 3)))
