"""Names of two kinds: a number and then an array, None and then a number, float32 and then float64.

And slices that loops hand on. Against differences of the undecorated function.
"""

import numpy as np
import pytest

import zygopy as zg
from tests.test_array_programs import V, X, differences


def number_then_array(x, v):
    total, weighted = 0.0, 0
    for row in x:
        total = total + row * v
        weighted = weighted + row[0] * total
    return np.sum(total**2) + np.sum(weighted * v)


def none_then_number(x, v):
    before, total = None, 0.0
    for k, row in enumerate(x):
        if before is not None and k < 3:
            total += np.sum((row - before) ** 2 * v)
        before = row
    best = None
    for value in x[:, 1]:
        if best is None or value > best:
            best = value
    for value in v:  # if no trip has bound best, this fails in Python, and it does not run here
        total += value * best
    return total * best


def number_or_array(x, v):
    """What follows the branch stands in a branch and in a loop itself."""
    total = 0.0
    for k in range(3):
        if x[k, 0] > 0.0:
            y = x[k] * v if x[k, 1] > 0.0 else v[0]
            y = np.sin(y)
            total = total + np.sum(y * v)
        total = total * 1.1
    w = 1.0 if total > 0.0 else 2.0
    scale = x[0]
    if x[1, 1] > w:
        scale = x[0, 0]
    for row in x:
        total = total + np.sum(row * scale)
    return total + np.sum(scale)


def until_it_is_large(x, v):
    state, k = v[0], 0
    while True:
        state = np.tanh(state) * x[k] + v
        k += 1
        if np.sum(state) > 2.0 or k == len(x):
            break
    found = 0.0
    for row in x:
        if row[0] > 10.0:
            break
        found = found + row
    return np.sum(state**2) + np.sum(found * state)


def members_come_later(x, v):
    known = {"a": v[0]}
    if v[1] < 0.5:
        known["b"] = x[0, 0]
    return known["a"] * np.sum(x)


def slices_handed_on(x, v):
    last, turned, total = v, x[:3], 0.0
    for k in range(len(x)):
        total += np.sum(last * v)
        last = x[k]
        turned = turned.T * v
        for row in x:
            last = row if row[0] > x[k, 0] else last
    for j in range(2):
        last = x[j, ::-1]
        u = np.sin(last)
        total += u[0]
    return total + np.sum(last * v) + np.sum(turned)


def rows_of_one_name(x, v):
    """Stores go through the rows of two loops, the first trip of one of them apart; only the last row is read later."""
    total = 0.0
    u = x * v
    for row in x[1:]:
        total = total + row * v
    for row in u:
        row *= 2.0
    kept = 0.0
    for row in u:
        row += v
        kept = kept + row
    for last in u:
        if last[0] > 100.0:
            break
    return np.sum(total * kept) + np.sum(last * u)


PROGRAMS = (
    number_then_array,
    none_then_number,
    number_or_array,
    until_it_is_large,
    members_come_later,
    slices_handed_on,
    rows_of_one_name,
)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_gradient_and_tangent(f):
    for x in (X, X[::-1].copy(), -X):
        gradient = zg.grad(f, (0, 1), backend="python")(x.copy(), V.copy())
        for which in (0, 1):
            np.testing.assert_allclose(gradient[which], differences(f, (x, V), which), rtol=1e-6, atol=1e-6)
    _, tangent = zg.jvp(f, (x, V), (X, V[::-1].copy()), backend="python")
    np.testing.assert_allclose(tangent, np.sum(gradient[0] * X) + np.sum(gradient[1] * V[::-1]), rtol=1e-10)


@pytest.mark.parametrize("f", PROGRAMS[1:3], ids=lambda f: f.__name__)
def test_compiled(f):
    value, gradient = zg.value_and_grad(f, (0, 1))(X, V)
    np.testing.assert_allclose(value, f(X, V), rtol=1e-12)
    for g, w in zip(gradient, zg.grad(f, (0, 1), backend="python")(X, V), strict=True):
        np.testing.assert_allclose(g, w, rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_loop_that_may_not_run(count):
    """A sum of no rows is a number."""

    def f(x, v):
        total = v[0]
        for k in range(count_of(v)):
            total = total + x[k]
        return np.sum(total * v)

    def count_of(v):
        return int(v[2])

    v = np.array([0.4, 0.3, count + 0.5])
    gradient = zg.grad(f, (0, 1), backend="python")(X, v)
    for which in (0, 1):
        np.testing.assert_allclose(gradient[which], differences(f, (X, v), which), rtol=1e-6, atol=1e-6)


def widened(x, w):
    """float32 up to the first product with w."""
    x = x * 0.1
    if x[0] > 0.0:
        x = x * w
    x = x * 0.1
    y = x
    for _ in range(2):
        y = np.sin(y * 0.1) * w
    return np.sum(y) + np.sum(x * x)


def test_precision_is_that_of_each_path():
    """Values are those of NumPy to the last digits of each precision, which float64 all along would miss."""
    w = np.array([1.1, 0.7])
    for x in (np.array([0.3, 0.9], np.float32), np.array([-0.3, 0.9], np.float32)):
        value, gradient = zg.value_and_grad(widened, (0, 1), backend="python")(x, w)
        np.testing.assert_allclose(value, widened(x, w), rtol=1e-15)
        assert [g.dtype for g in gradient] == [np.float32, np.float64]
        wide = x.astype(float), w
        for which in (0, 1):
            np.testing.assert_allclose(gradient[which], differences(widened, wide, which), rtol=1e-6)


def read_again(x, v):
    total = 0.0
    for row in x:
        total = total + row
    return np.sum(total * v)


def test_axes_of_length_0():
    assert np.all(zg.grad(read_again, (1,), backend="python")(np.zeros((0, 3)), V)[0] == 0.0)


def stored_through(x, v):
    w = x[0]
    for k in range(1, 3):
        w[0] = v[1] * w[1]
        w = x[k]
    return np.sum(x) + np.sum(w * w)


def source_changes(x, v):
    w, total = x[0], 0.0
    for k in range(3):
        w = x[k]
        x[k, 0] = v[k]
        total += np.sum(w)
        x[k] *= w[1]
    return total + np.sum(w * v)


@pytest.mark.parametrize("f", [stored_through, source_changes])
def test_slices_that_stores_tell_from_copies_are_refused(f):
    """A copy would miss what is stored."""
    with pytest.raises(zg.UnsupportedError, match="is here a slice of another array"):
        zg.grad(f, (0, 1), backend="python")(X.copy(), V.copy())
