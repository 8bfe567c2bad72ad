"""Rules that users declare: their derivatives are what comes out, at every order, in both modes.

Where a rule is right, the oracle is the function itself by finite differences, which cannot see whether it is used;
where it is deliberately another one (a straight-through estimator, a clipped gradient), the formula in NumPy.
"""

import math

import numba
import numpy as np
import pytest

import zygopy as zg

PYTHON = {"backend": "python"}
X = np.array([0.3, -1.2, 2.5, 0.7])
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def assert_near(found, wanted, dtype=np.float64):
    """Equal up to rounding, and of the dtype."""
    assert np.asarray(found).dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=2e-5 if dtype == np.float32 else 1e-12, atol=1e-6)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


# -- elementwise ------------------------------------------------------------------------------------------------------


def softplus(x):
    return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0.0)


@zg.elementwise(softplus)
def softplus_rule(ans, x):
    return 1.0 - np.exp(-ans)


def step(x):
    """A step whose gradient is to be that of the identity."""
    return np.floor(x)


@zg.elementwise(step)
def straight_through(ans, x):
    return 1


def scaled_power(x, p, scale=2.0):
    return scale * x**p


@zg.elementwise(scaled_power)
def scaled_power_rule(ans, x, p, scale):
    """No gradient for p, another one for x, with a branch and a helper."""
    slope = 10.0 * p if x > 1.0 else double(ans)
    return slope, None, ans / scale


def double(x):
    return 2.0 * x


@numba.njit
def root(a):
    x = a
    while abs(x * x - a) > 1e-14 * a:
        x = 0.5 * (x + a / x)
    return x


@zg.elementwise(root)
def root_rule(ans, a):
    return 0.5 / ans


@DTYPES
def test_elementwise_of_arrays_and_numbers(dtype):
    x = X.astype(dtype)
    g = zg.grad(lambda x: np.sum(softplus(x) * x), **PYTHON)(x)
    assert_near(g, sigmoid(x) * x + softplus(x), dtype)
    value, tangent = zg.jvp(softplus, (x,), (x,), **PYTHON)
    assert_near(value, softplus(x), dtype)
    assert_near(tangent, sigmoid(x) * x, dtype)
    assert_near(zg.grad(softplus, **PYTHON)(dtype(0.3)), sigmoid(0.3), dtype)


def test_rules_are_checked_by_differences():
    zg.check_grads(softplus, (0.3,), order=2, **PYTHON)
    zg.check_grads(lambda x: np.sum(softplus(x) ** 2), (X,), order=2, **PYTHON)
    zg.check_grads(root, (1.7,), order=2, **PYTHON)
    with pytest.raises(zg.GradientCheckError):
        zg.check_grads(lambda x: np.sum(step(x) * x), (X,), **PYTHON)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_the_rule_is_what_is_used(backend):
    def f(x, p, scale):
        return np.sum(scaled_power(x, p, scale=scale)) + step(x[0]) + np.sum(step(p))

    x, p = np.array([0.5, 2.0, 1.5]), np.array([[2.0], [3.0]])
    x_bar, p_bar, scale_bar = zg.grad(f, (0, 1, 2), backend=backend)(x, p, 0.5)
    ans = scaled_power(x, p, 0.5)
    assert_near(x_bar, np.where(x > 1, 10 * p, 2 * ans).sum(axis=0) + [1, 0, 0])
    assert_near(p_bar, np.ones((2, 1)))
    assert_near(scale_bar, np.sum(ans / 0.5))
    directions = (np.ones(3), np.ones((2, 1)), 1.0)
    _, tangent = zg.jvp(f, (x, p, 0.5), directions, backend=backend)
    assert_near(tangent, x_bar.sum() + 2.0 + scale_bar)


def test_derivatives_of_rules_are_derivatives_of_the_rule():
    """d/dx of 1 is 0, of 1 - exp(-ans) it is exp(-ans) * (1 - exp(-ans)); in all combinations of modes."""
    s = sigmoid(0.3)
    second = s * (1 - s)
    once = zg.grad(softplus, **PYTHON)
    assert_near(zg.grad(once, **PYTHON)(0.3), second)
    assert_near(zg.grad(zg.grad(once), **PYTHON)(0.3), second * (1 - 2 * s))
    assert_near(zg.jvp(once, (0.3,), (1.0,), **PYTHON), (s, second))
    assert zg.grad(zg.grad(lambda x: step(x) * x), **PYTHON)(2.5) == 2.0
    hessian = zg.jvp(zg.grad(lambda x: np.sum(softplus(x)), **PYTHON), (X,), (np.ones(4),), **PYTHON)[1]
    assert_near(hessian, sigmoid(X) * (1 - sigmoid(X)))


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_rules_in_loops_and_branches(backend):
    """The value is kept where the loop overwrites it; the function runs a loop of its own."""

    def f(x, n):
        y = x.copy()
        total = 0.0
        for i in range(n):
            if y[i % len(y)] > 0.0:
                y[i % len(y)] = root(y[i % len(y)] + 1.0) * x[0]
            else:
                y = softplus(y)
            total += np.sum(y) * i
        return total

    def plain(x, n):
        y, total = x.copy(), 0.0
        for i in range(n):
            if y[i % len(y)] > 0.0:
                y[i % len(y)] = math.sqrt(y[i % len(y)] + 1.0) * x[0]
            else:
                y = np.log1p(np.exp(y))
            total += np.sum(y) * i
        return total

    wanted = zg.grad(plain, **PYTHON)(X, 7)
    np.testing.assert_allclose(zg.grad(f, backend=backend)(X, 7), wanted, rtol=1e-9)
    zg.check_grads(f, (X, 7), argnums=(0,), order=2, **PYTHON)


def test_a_call_costs_no_array():
    """The function, its rule and the rest are one loop."""
    text = str(zg.grad(lambda x: np.sum(softplus(x) * x), **PYTHON).source(X))
    assert text.count("for ") == 1 and text.count("np.empty") == 1


def test_what_stands_still_meets_no_infinite_partial():
    """As for zygopy's own rules: a number that stands still has no tangent, and inf * 0 does not arise."""
    assert zg.jvp(lambda x, a: root(a) * x, (2.0, 0.0), (1.0, None), **PYTHON) == (0.0, 0.0)


SLOPE = 2.0


def leaky(x):
    return np.maximum(x, 0.0)


@zg.elementwise(leaky)
def leaky_rule(ans, x):
    return np.where(x > 0, 1.0, SLOPE)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_numbers_that_rules_capture(backend, monkeypatch):
    """They are read at each call, in derivatives of derivatives too."""
    first = zg.grad(lambda x: leaky(x) * x, backend=backend)
    second = zg.grad(zg.grad(lambda x: leaky(x) * x), backend=backend)
    assert (first(-1.0), second(-1.0)) == (-2.0, 4.0)
    monkeypatch.setitem(globals(), "SLOPE", 3.0)
    assert (first(-1.0), second(-1.0)) == (-3.0, 6.0)


def test_numbers_captured_by_what_is_defined_later(monkeypatch):
    """A compiled function finds out at its first call that there are some."""
    g = zg.grad(lambda x: defined_later(x) * x)  # noqa: F821
    monkeypatch.setitem(globals(), "defined_later", lambda x: SLOPE * x)
    assert g(2.0) == 8.0
    monkeypatch.setitem(globals(), "SLOPE", 3.0)
    assert g(2.0) == 12.0


def test_complex_functions():
    def square(z):
        return z * z

    zg.elementwise(square)(lambda ans, z: 3.0 * z)
    z = 1.0 + 2.0j
    assert zg.grad(lambda z: square(z).real, **PYTHON)(z) == 3.0 * z
    assert zg.grad(lambda x: square(x + 1j).imag, **PYTHON)(1.0) == 3.0


# -- constant ---------------------------------------------------------------------------------------------------------


def largest(x):
    return np.max(np.abs(x))


def direction(x):
    return x / np.sum(x), 3


zg.constant(largest, direction)


@DTYPES
def test_constant_functions(dtype):
    x = X.astype(dtype)

    def f(x):
        unit, n = direction(x)
        return np.sum(x * unit.reshape(2, 2).ravel()) / largest(x) * n

    assert_near(zg.grad(f, **PYTHON)(x), 3 * x / x.sum() / 2.5, dtype)
    assert_near(zg.jvp(f, (x,), (x,), **PYTHON)[1], 3 * np.sum(x * x / x.sum()) / 2.5, dtype)
    assert_near(zg.jvp(direction, (x,), (x,), **PYTHON)[1][0], np.zeros(4), dtype)
    second = zg.jvp(zg.grad(f, **PYTHON), (x,), (x,), **PYTHON)[1]
    assert_near(second, np.zeros(4), dtype)


# -- what may not be declared -----------------------------------------------------------------------------------------


def other(x):
    return x


def test_a_function_with_two_rules():
    def f(x):
        return x

    def first(ans, x):
        return 1.0

    def second(ans, x):
        return 2.0

    zg.elementwise(f)(first)
    zg.elementwise(f)(first)
    with pytest.raises(zg.ArgumentError, match="(?s)f has a rule already, .*declared at .*test_custom_rules.py"):
        zg.elementwise(f)(second)
    with pytest.raises(zg.ArgumentError, match="f has a rule already"):
        zg.constant(f)
    assert zg.grad(f, **PYTHON)(1.0) == 1.0


def test_the_cell_of_a_rule_runs_again():
    """The same rule again is no news; a changed one is refused once code was compiled with the old one."""

    def f(x):
        return x

    def declare(slope):
        exec(f"def rule(ans, x):\n    return {slope}\nzg.elementwise(f)(rule)", {"zg": zg, "f": f, "__name__": "cell"})

    declare(2.0)
    declare(3.0)
    exec("def rule(ans, x): return 4.0", {"__name__": "cell"})
    zg.jit(f, **PYTHON)(1.0)
    declare(3.0)
    with pytest.raises(zg.ArgumentError, match="f was compiled before this rule was declared"):
        declare(4.0)


def test_a_rule_that_comes_too_late():
    def f(x):
        return x

    zg.grad(lambda x: f(x) * x, **PYTHON)(1.0)
    with pytest.raises(zg.ArgumentError, match="f was compiled before this rule was declared"):
        zg.elementwise(f)(lambda ans, x: 1.0)
