"""vmap against a Python loop over items that stacks what the function returns."""

from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from tests.compare import assert_close

PYTHON = {"backend": "python"}
X = np.array([0.5, -1.2, 2.0])
M = np.arange(12.0).reshape(4, 3) / 10 - 0.3


def one_by_one(f, *args, axes):
    """The results of all items, stacked."""
    items = [np.moveaxis(a, k, 0) if k is not None else None for a, k in zip(args, axes, strict=True)]
    count = next(len(a) for a in items if a is not None)
    rows = [f(*(a if i is None else i[n] for a, i in zip(args, items, strict=True))) for n in range(count)]
    stack = lambda parts: np.stack([np.asarray(p) for p in parts])  # noqa: E731
    return tuple(map(stack, zip(*rows, strict=True))) if isinstance(rows[0], tuple) else stack(rows)


def dot(x, w):
    return x @ w


def arrays(x):
    return np.exp(x)[::-1] * x.sum()


def several(x, s):
    return x.sum() * s, np.outer(x, x), len(x), x > 0


def loops(x):
    n = 0
    while x.sum() < 5.0:
        x = x * 1.5 + 1
        n += 1
    for i in range(1, len(x)):
        x[i] += x[i - 1]
    return x, n


def local_shapes(x):
    y = np.zeros(len(x) + 1)
    y[1:] = x
    return np.concatenate((y, y[:2])).reshape(2, -1)


CASES = [
    (dot, (0, None), (M, X)),
    (dot, (1, None), (M.T, X)),
    (dot, (0, -1), (M, M.T)),
    (arrays, (0,), (M,)),
    (arrays, (-1,), (M,)),
    (arrays, (0,), (M[:0],)),
    (several, (0, None), (M, 2.0)),
    (several, (0, 0), (M[:3], X)),
    (loops, (0,), (M,)),
    (local_shapes, (0,), (M,)),
    (arrays, (0,), (np.asfortranarray(M.astype(np.float32)),)),
]


@pytest.mark.parametrize(("f", "axes", "args"), CASES)
def test_values(f, axes, args, monkeypatch):
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    found = zg.vmap(f, axes, **PYTHON)(*args)
    if args[0].shape[0] == 0:
        assert found.shape == args[0].shape
        return
    wanted = one_by_one(lambda *a: f(*(v.copy() if isinstance(v, np.ndarray) else v for v in a)), *args, axes=axes)
    assert_close(found, wanted, 1e-6 if args[0].dtype == np.float32 else 1e-14)
    for a, b in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, wanted)), strict=True):
        assert a.dtype == b.dtype


class Pair(NamedTuple):
    a: float
    b: np.ndarray


def structured(p, k):
    return {"sum": (p.a * k["scale"], [p.b * p.a]), "name": "it"}


def test_structures_and_places():
    """One axis stands for all arrays of a structure; the mapped axis of results goes where out_axes says."""
    found = zg.vmap(structured, (0, None), **PYTHON)(Pair(X, M[:3]), {"scale": 2.0})
    assert_close((found["sum"][0], found["sum"][1][0]), (X * 2, M[:3] * X[:, None]), 1e-15)
    assert found["name"] == "it"
    f = zg.vmap(lambda t, x: (t[0] * x, t[1] * 2.0), ((0, None), 1), (1, 0), **PYTHON)
    first, second = f((X, 3.0), M[:, :3])
    assert_close((first, second), (M * X, np.full(3, 6.0)), 1e-15)
    assert_close(zg.vmap(lambda x: x, 0, -1, **PYTHON)(M), M.T, 0)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_maps_of_maps_and_derivatives(backend):
    """Products of matrices as maps of maps; a map of gradients, the gradient of a map, Jacobians, what is captured."""
    b = {"backend": backend}
    product = zg.vmap(zg.vmap(dot, (None, 1)), (0, None), **b)
    assert_close(product(M, M.T), M @ M.T, 1e-14)

    def loss(w, x):
        return np.tanh(x * w).sum() ** 2 + x[0] * w[0]

    slope = lambda w, x: 2 * np.tanh(x * w).sum() * x / np.cosh(x * w) ** 2 + np.array([x[0], 0.0, 0.0])  # noqa: E731
    each = np.stack([slope(X, m) for m in M])
    assert_close(zg.vmap(zg.grad(loss), (None, 0), **b)(X, M), each, 1e-13)
    total = zg.grad(lambda w: (zg.vmap(loss, (None, 0))(w, M) ** 2).sum(), **b)(X)
    assert_close(total, sum(2 * loss(X, m) * g for m, g in zip(M, each, strict=True)), 1e-13)
    inner = zg.grad(lambda w: zg.vmap(lambda m: (w * m).sum() ** 2)(M).sum(), **b)(X)
    assert_close(inner, 2 * M.T @ (M @ X), 1e-13)
    assert_close(zg.jacrev(zg.vmap(lambda x: x**3), **b)(X), np.diag(3 * X**2), 1e-13)


def test_maps_of_linear_maps():
    """The rows of a Jacobian, by a pullback that is mapped over unit seeds."""

    def rows(x):
        _, pull = zg.vjp(lambda y: np.exp(y) * y[0], x)
        return zg.vmap(pull)(np.eye(3))[0]

    def columns(x):
        _, push = zg.linearize(lambda y: np.exp(y) * y[0], x)
        return zg.vmap(push, out_axes=1)(np.eye(3))

    wanted = np.diag(np.exp(X) * X[0])
    wanted[:, 0] += np.exp(X)
    for f in (rows, columns):
        assert_close(zg.jit(f, **PYTHON)(X), wanted, 1e-14)


def masked(x):
    return x[x > 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: zg.vmap(masked, **PYTHON)(M),
            zg.UnsupportedError,
            "vmap of a function whose result may have another shape for each item is not supported",
        ),
        (
            lambda: zg.vmap(dot, **PYTHON)(M, M[:2]),
            zg.ShapeError,
            "vmap maps axes of different lengths: those of argument 0 and argument 1",
        ),
        (lambda: zg.vmap(dot, None, **PYTHON)(M, X), zg.ArgumentError, "vmap has no axis to map over"),
        (
            lambda: zg.vmap(dot, **PYTHON)(M, 2.0),
            zg.ArgumentError,
            "vmap cannot map over argument 1, which is a float",
        ),
        (
            lambda: zg.vmap(dot, (0, 1), **PYTHON)(M, X),
            zg.ArgumentError,
            "argument 1 has no axis 1: it has 1 dimension",
        ),
        (lambda: zg.vmap(dot, (0,), **PYTHON)(M, X), zg.ArgumentError, "in_axes names 1 axes, and 2 arguments"),
        (lambda: zg.vmap(dot, (0, "x"), **PYTHON)(M, X), zg.ArgumentError, "in_axes holds 'x'"),
        (lambda: zg.vmap(masked, out_axes=None, **PYTHON)(M), zg.ArgumentError, "out_axes holds None"),
        (
            lambda: zg.vmap(arrays, out_axes=2, **PYTHON)(M),
            zg.ArgumentError,
            "the result cannot have the mapped axis at 2",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message) and "test_vmap.py" in str(caught.value)
