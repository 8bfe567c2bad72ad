"""Lists of numbers of a length that only run time knows."""
# ruff: noqa: C416, C419  (comprehensions are what is tested)

import math

import numpy as np
import pytest

import zygopy as zg

X = np.array([0.5, 1.0, -0.3, 0.7])


def read(v):
    ys = [math.sin(t) * t for t in v]
    return sum(ys) * ys[-1] + max(ys) + min(ys) + len(ys) * ys[0]


def of_indices(v):
    return np.sum(np.array([v[i] * v[i - 1] for i in range(len(v))]) ** 2)


def walked(v):
    ys = [t * t for t in v]
    zs = [p * q for p, q in zip(ys, v, strict=True)]
    total = 0.0
    for k, z in enumerate(zs):
        total += k * z
    for z in reversed(zs[1:]):
        total = total * 0.5 + z
    return total


def of_ints(v):
    ys = [i * 2 for i in range(len(v))]
    return sum(ys) * v[0] + v[ys[1]]


def in_a_loop(v, n=3):
    total = 0.0
    for _ in range(n):
        ys = [t * total + 1.0 for t in v]
        total += ys[0] * 0.1 + np.dot(ys, v) * 0.01
    return total


def with_branches(v):
    ys = [t if t > 0 else 2 * t for t in v]
    return sum([y * y for y in ys]) + (ys[2] if isinstance(ys, list) and ys else 0.0)


def of_nothing(v):
    ys = [t for t in v[:0]]
    return (1.0 if ys else 2.0) * v[0] + sum(ys)


def asked(v):
    return (1.0 if any([t > 0.9 for t in v]) else 2.0) * v[0] + (1.0 if all([t > 0.0 for t in v]) else 2.0) * v[1]


PROGRAMS = [read, of_indices, walked, of_ints, in_a_loop, with_branches, of_nothing, asked]


@pytest.mark.parametrize(
    ("function", "backend"), [*((f, "python") for f in PROGRAMS), (read, "cpu"), (in_a_loop, "cpu")]
)
def test_both_modes(function, backend):
    value, gradient = zg.value_and_grad(function, backend=backend)(X)
    np.testing.assert_allclose(value, function(X), rtol=1e-13)
    way = np.array([0.3, -1.0, 0.8, 0.2])
    step = 1e-6
    slope = (function(X + step * way) - function(X - step * way)) / (2 * step)
    np.testing.assert_allclose(gradient @ way, slope, rtol=1e-7)
    _, tangent = zg.jvp(function, (X,), (way,), backend=backend)
    np.testing.assert_allclose(tangent, gradient @ way, rtol=1e-12)


def test_numbers_keep_their_type():
    """A Python float takes the dtype of what it meets, a float64 does not."""

    def of(v):
        weak, strong = [1.5 for _ in v], [np.float64(1.5) for _ in v]
        return np.array([v[0] * weak[0]]), np.array([v[0] * strong[0]])

    x = X.astype(np.float32)
    found, wanted = zg.jit(of, backend="python")(x), of(x)
    assert [a.dtype for a in found] == [a.dtype for a in wanted] == [np.float32, np.float64]


REFUSED = {
    "append": lambda v: [t for t in v].append(1.0),
    "store": lambda v: [t for t in v].__setitem__(0, 1.0),
    "twice": lambda v: sum([t for t in v] * 2),
    "scaled": lambda v: v[0] * [t for t in v],
    "equal": lambda v: 1.0 if [t for t in v] == [t for t in v] else 2.0,
    "returned": lambda v: [t for t in v],
    "math": lambda v: math.sin([t for t in v]),
    "abs": lambda v: abs([t for t in v])[0],
    "stopped": lambda v: sum(zg.stop_gradient([t for t in v])),
    "unpacked": lambda v: max(*[t for t in v]),
    "nested": lambda v: zg.grad(read)([t for t in v])[0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_lists_cannot_do(name):
    """An error that names the line, never an array's answer to a list's question."""
    with pytest.raises(zg.ZygopyError, match="test_lists.py"):
        zg.grad(REFUSED[name], backend="python")(X)
