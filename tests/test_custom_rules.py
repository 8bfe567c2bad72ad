"""Rules that users declare: their derivatives are what comes out, at every order, in both modes.

Where a rule is right, the oracle is the function itself by finite differences, which cannot see whether it is used;
where it is deliberately another one (a straight-through estimator, a clipped gradient), the formula in NumPy.
"""

import math
import types

import numba
import numpy as np
import pytest

import zygopy as zg
from tests.programs import PROGRAMS as CORPUS

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


# -- adjoints and tangents --------------------------------------------------------------------------------------------


def solve(a, b):
    return np.linalg.solve(a, b)


@zg.adjoint(solve)
def solve_adjoint(g, ans, a, b):
    b_bar = solve(a.T, g)
    return -np.outer(b_bar, ans), b_bar


@zg.tangent(solve)
def solve_tangent(dots, ans, a, b):
    a_dot, b_dot = dots
    return solve(a, b_dot - a_dot @ ans)


def norm(x):
    return np.sqrt(np.sum(x * x))


@zg.adjoint(norm)
def norm_adjoint(g, ans, x):
    return g * x / ans


@zg.tangent(norm)
def norm_tangent(dots, ans, x):
    return np.sum(x * dots[0]) / ans


def smoothed(x, rate, n=3):
    """A recurrence; its rules are recurrences too."""
    y = np.empty_like(x)
    y[0] = x[0]
    for i in range(1, len(x)):
        y[i] = rate * y[i - 1] + (1 - rate) * x[i]
    return y


@zg.adjoint(smoothed)
def smoothed_adjoint(g, ans, x, rate, n):
    x_bar, rate_bar, carry = np.zeros_like(x), 0.0, 0.0
    for i in range(len(x) - 1, 0, -1):
        carry += g[i]
        x_bar[i] = carry * (1 - rate)
        rate_bar += carry * (ans[i - 1] - x[i])
        carry *= rate
    x_bar[0] = carry + g[0]
    return x_bar, rate_bar, None


@zg.tangent(smoothed)
def smoothed_tangent(dots, ans, x, rate, n):
    x_dot, rate_dot, _ = dots
    y_dot = np.empty_like(x)
    y_dot[0] = x_dot[0]
    for i in range(1, len(x)):
        y_dot[i] = rate * y_dot[i - 1] + (1 - rate) * x_dot[i] + rate_dot * (ans[i - 1] - x[i])
    return y_dot


def scaled(x, w):
    return x * w


@zg.adjoint(scaled)
def scaled_adjoint(g, ans, x, w):
    return g * w, g * x


@zg.tangent(scaled)
def scaled_tangent(dots, ans, x, w):
    return dots[0] * w + x * dots[1]


@numba.njit
def polar(z):
    x, y = z
    return (np.sqrt(x * x + y * y), np.arctan2(y, x), 7)


@zg.adjoint(polar)
def polar_adjoint(g, ans, z):
    (x, y), (r, _, _) = z, ans
    r_bar, angle_bar, _ = g
    return r_bar * x / r - angle_bar * y / r**2, r_bar * y / r + angle_bar * x / r**2


@zg.tangent(polar)
def polar_tangent(dots, ans, z):
    ((x_dot, y_dot),), (x, y), (r, _, _) = dots, z, ans
    return (x * x_dot + y * y_dot) / r, (x * y_dot - y * x_dot) / r**2, None


def halves(pair, k, apply):
    """Two results of which one is a view of an argument, and an int; a function among the arguments."""
    a, b = pair
    return apply(a) * b[0], b[k:], k


@zg.adjoint(halves)
def halves_adjoint(g, ans, pair, k, apply):
    a, b = pair
    b_bar = np.zeros_like(b)
    b_bar[0] = np.sum(g[0] * apply(a))
    b_bar[k:] += g[1]
    return (g[0] * b[0] * 2.0, b_bar), None, None


@zg.tangent(halves)
def halves_tangent(dots, ans, pair, k, apply):
    ((a_dot, b_dot), _, _), (a, b) = dots, pair
    return apply(a_dot) * b[0] + apply(a) * b_dot[0], b_dot[k:], None


def pair_of_halves(a, b):
    first, second, k = halves((a, b), 2, double)
    return np.sum(first**2) * np.sum(np.sin(second)) * k


MATRIX = np.array([[2.0, 1.0, 0.3], [0.5, 3.0, 0.0], [0.0, -0.4, 1.5]])
V = np.array([0.5, -1.0, 2.0])


def solved(a, b):
    return np.sum(solve(a, b) ** 3)


def in_loops(x, s):
    """In a loop whose array is another one after each trip, and stored into after the call."""
    y, total = x, 0.0
    for i in range(5):
        total += norm(y) * s
        y = smoothed(y, 0.3 * np.sin(total))
        y[i % len(y)] = total
    return total + np.sum(y)


def in_branches(x, s):
    y = x.copy()
    for i in range(len(x)):
        if x[i] > s:
            z = scaled(y, x[i])
        elif x[i] < -s:
            z = smoothed(y * y, x[i])
        else:
            z = y
        y = z + s
    return np.sum(y * y)


def overwritten(x, s):
    """What the rule reads is kept where the function stores into it later."""
    y = x.copy()
    z = scaled(y, s)
    w = scaled(z, z)
    z[:] = 0.0
    y[0] = 2.0 * y[1]
    return np.sum(w * y) + np.sum(z) + norm(y[1:])


def in_while(x, s):
    y = x * s
    while np.sum(y * y) > 0.01:
        y = scaled(y, 0.5)
        y[0] = norm(y)
    return np.sum(y) * s


def angles(x, y):
    r, angle, n = polar((x, y))
    return r * angle * n


def with_results_that_are_not_new(x, s):
    same = unchanged(x)
    same[0] *= s
    both, again = twice_the_same(same * x)
    both[1] += s
    return np.sum(same * x) + np.sum(both * again) + np.sum(unchanged(x[::-1])[1:] * x[1:])


def unchanged(x):
    return x


@zg.adjoint(unchanged)
def unchanged_adjoint(g, ans, x):
    return g


@zg.tangent(unchanged)
def unchanged_tangent(dots, ans, x):
    return dots[0]


def twice_the_same(x):
    y = 2.0 * x
    return y, y[:]


@zg.adjoint(twice_the_same)
def twice_the_same_adjoint(g, ans, x):
    return 2.0 * (g[0] + g[1])


@zg.tangent(twice_the_same)
def twice_the_same_tangent(dots, ans, x):
    return 2.0 * dots[0], 2.0 * dots[0]


def not_new(x, s):
    """The program above as CPython would run it if all results were new arrays."""
    same = x.copy()
    same[0] *= s
    both = 2.0 * (same * x)
    again = both.copy()
    both[1] += s
    return np.sum(same * x) + np.sum(both * again) + np.sum(x[::-1][1:] * x[1:])


PROGRAMS = {
    "solved": (solved, (MATRIX, V)),
    "norm": (norm, (V,)),
    "broadcast": (lambda x, w: np.sum(scaled(x, w) ** 3), (np.arange(6.0).reshape(2, 3) - 2.2, V)),
    "broadcast a row": (lambda x, w: np.sum(scaled(x, w) ** 3), (np.arange(6.0).reshape(2, 3) - 2.2, V[:2, None])),
    "broadcast both": (lambda x, w: np.sum(scaled(x, w) ** 3), (V[None], V[:2, None])),
    "broadcast a number": (lambda x, w: np.sum(scaled(x, w) ** 3), (V, 0.7)),
    "numbers": (lambda x, w: scaled(x, w) ** 3, (0.4, 0.7)),
    "slices": (lambda x: np.sum(scaled(x[1:], x[:-1]) * smoothed(x[::2], x[0])[0]), (X,)),
    "transposed": (lambda a: np.sum(scaled(a.T, a) ** 2) + norm(a.T[1]), (MATRIX,)),
    "in loops": (in_loops, (V, 0.7)),
    "in branches": (in_branches, (X, 0.5)),
    "overwritten": (overwritten, (V, 0.7)),
    "in while": (in_while, (V, 0.7)),
    "angles": (angles, (0.4, 0.7)),
    "tuples": (pair_of_halves, (V, X)),
    "known numbers": (lambda x, n: norm(smoothed(x, 0.3, n=n)) * n, (V, 3)),
    "empty": (lambda x, w: np.sum(scaled(x[:0], w)) + np.sum(w), (V, 0.7)),
}


def as_single(args):
    return tuple(a.astype(np.float32) if isinstance(a, np.ndarray) else a for a in args)


@pytest.mark.parametrize("name", PROGRAMS)
def test_array_rules(name, monkeypatch):
    """By differences: both modes and both second orders; and float32 against float64."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    f, args = PROGRAMS[name]
    zg.check_grads(f, args, order=2, **PYTHON)
    argnums = tuple(k for k, a in enumerate(args) if not isinstance(a, int))
    wanted = zg.grad(f, argnums, **PYTHON)(*args)
    single = as_single(args)
    for found, exact, x in zip(zg.grad(f, argnums, **PYTHON)(*single), wanted, single, strict=False):
        assert np.asarray(found).dtype == np.asarray(x).dtype
        np.testing.assert_allclose(found, exact, rtol=2e-4, atol=1e-5)
    for g, x in zip(wanted, args, strict=False):
        assert np.shape(g) == np.shape(x)


@pytest.mark.parametrize("name", ["in loops", "in branches", "overwritten", "broadcast both", "tuples", "solved"])
def test_array_rules_compiled(name):
    f, args = PROGRAMS[name]
    argnums = tuple(range(len(args)))
    for g, wanted in zip(zg.grad(f, argnums)(*args), zg.grad(f, argnums, **PYTHON)(*args), strict=True):
        np.testing.assert_allclose(g, wanted, rtol=1e-10, atol=1e-12)
    directions = tuple(a * 0.3 for a in args)
    slopes = [zg.jvp(f, args, directions, backend=backend)[1] for backend in ("cpu", "python")]
    np.testing.assert_allclose(*slopes, rtol=1e-10, atol=1e-12)


def test_results_that_are_not_new_arrays():
    """A function with a rule returns a new array, whatever it returns without."""
    wanted = zg.value_and_grad(not_new, (0, 1), **PYTHON)(V, 0.7)
    found = zg.value_and_grad(with_results_that_are_not_new, (0, 1), **PYTHON)(V, 0.7)
    for a, b in zip((found[0], *found[1]), (wanted[0], *wanted[1]), strict=True):
        np.testing.assert_allclose(a, b)


RULED = {
    "solve": (solve, (MATRIX, V)),
    "norm": (norm, (V,)),
    "smoothed": (lambda x, rate: smoothed(x, rate), (X, 0.3)),
    "scaled": (scaled, (MATRIX, V)),
    "unchanged": (unchanged, (V,)),
}


@pytest.mark.parametrize("name", RULED)
def test_tangents_are_transposes_of_adjoints(name):
    """sum(c * tangent(d)) is sum(adjoint(c) * d)."""
    f, args = RULED[name]
    d = tuple(np.cos(np.asarray(a) + 1.0)[()] for a in args)
    y, y_dot = zg.jvp(f, args, d, **PYTHON)
    c = np.cos(3.0 * np.asarray(y))
    weighted = (lambda c, a: np.sum(c * f(a))) if len(args) == 1 else lambda c, a, b: np.sum(c * f(a, b))
    bars = zg.grad(weighted, tuple(range(1, len(args) + 1)), **PYTHON)(c, *args)
    np.testing.assert_allclose(np.sum(c * y_dot), sum(np.sum(b * x) for b, x in zip(bars, d, strict=True)), rtol=1e-12)


LIMIT = 1.0


def identity(x):
    """A function whose adjoint is clipped: what gradient clipping in the middle of a program is."""
    return x


@zg.adjoint(identity)
def clipped(g, ans, x):
    return np.clip(g, -LIMIT, LIMIT)


def newton(a, start):
    """The root of y**3 + y = a, by as many steps as it takes."""
    y = start
    while abs(y**3 + y - a) > 1e-13:
        y = y - (y**3 + y - a) / (3 * y**2 + 1)
    return y


@zg.adjoint(newton)
def newton_adjoint(g, ans, a, start):
    """The implicit function theorem; the root does not depend on the start."""
    return g / (3 * ans**2 + 1), None


@zg.tangent(newton)
def newton_tangent(dots, ans, a, start):
    return dots[0] / (3 * ans**2 + 1)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_the_adjoint_is_what_is_used(backend, monkeypatch):
    """Also through captured numbers that change."""

    def f(x):
        total = 0.0
        for i in range(3):
            total += np.sum(identity(x * x) * 0.6 * i)
        return total

    g = zg.grad(f, backend=backend)
    np.testing.assert_allclose(g(V), 2 * V * 1.6)
    monkeypatch.setitem(globals(), "LIMIT", 0.5)
    np.testing.assert_allclose(g(V), 2 * V)
    h = zg.grad(lambda x: np.sum(zg.grad(f)(x) * x), backend=backend)
    np.testing.assert_allclose(h(V), 4 * V)


def test_implicit_functions():
    """The gradient reads the root alone: of the steps nothing is kept."""

    def f(a):
        return newton(a, a * 0.3) ** 2

    assert "stack" not in str(zg.grad(f, **PYTHON).source(3.0))
    zg.check_grads(f, (3.0,), order=2, **PYTHON)


def test_numbers_stay_weak():
    """A Python float that a function with a rule returns takes the dtype of the array that it meets."""
    x = V.astype(np.float32)
    found = zg.value_and_grad(lambda x, s: np.sum(x * scaled(s, 2.0)), (0, 1), **PYTHON)(x, 0.5)
    assert found[0].dtype == found[1][0].dtype == np.float32
    assert_near(found[1][1], 2 * V.sum())


def test_complex_arrays():
    """Adjoints by plain transposition; that of a real argument is the real part."""
    z = V + 1j * V[::-1]
    f = lambda z, w: np.sum(np.abs(scaled(z, w)) ** 2)  # noqa: E731
    for args in ((z, V), (z, z[::-1] + 1.0)):
        for found, wanted in zip(
            zg.grad(f, (0, 1), **PYTHON)(*args),
            zg.grad(lambda z, w: np.sum(np.abs(z * w) ** 2), (0, 1), **PYTHON)(*args),
            strict=True,
        ):
            np.testing.assert_allclose(found, wanted, rtol=1e-12)
            assert found.dtype == wanted.dtype


def test_stopped_arguments():
    g = zg.grad(lambda x: np.sum(scaled(zg.stop_gradient(x), x)), **PYTHON)(V)
    np.testing.assert_array_equal(g, V)
    assert not zg.jvp(lambda x: scaled(zg.stop_gradient(x), 2.0), (V,), (V,), **PYTHON)[1].any()


def cube(x):
    return x**3


slope_of_cube = zg.grad(cube)


def test_gradients_inside_rules():
    def f(x):
        return cube(x)

    zg.adjoint(f)(lambda g, ans, x: g * slope_of_cube(x))
    assert zg.grad(f, **PYTHON)(2.0) == 12.0
    assert zg.grad(zg.grad(f), **PYTHON)(2.0) == 12.0


def test_only_what_a_rule_reads_is_kept():
    """Of a linear function nothing: the tape holds what the sine reads."""

    def f(x):
        total = 0.0
        for _ in range(5):
            x = unchanged(np.sin(x))
            total += x
        return total

    assert str(zg.grad(f, **PYTHON).source(1.0)).count("scratch") == 1


def test_a_rule_may_come_beside_another_one():
    """A tangent changes nothing for code that was compiled with the adjoint."""

    def f(x):
        return x * x

    zg.adjoint(f)(lambda g, ans, x: 2 * g * x)
    assert zg.grad(f, **PYTHON)(3.0) == 6.0
    with pytest.raises(zg.UnsupportedError, match="(?s)f has an adjoint and no tangent.*@zygopy.tangent"):
        zg.jvp(f, (3.0,), (1.0,), **PYTHON)
    zg.tangent(f)(lambda dots, ans, x: 2 * dots[0] * x)
    assert zg.jvp(f, (3.0,), (1.0,), **PYTHON) == (9.0, 6.0)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_an_adjoint_of_a_length_that_does_not_fit(backend):
    """Known when the program runs only: the lengths depend on a number."""

    def f(x, n):
        return x * n

    def rule(g, ans, x, n):
        return g[:n], None

    zg.adjoint(f)(rule)
    h = zg.grad(lambda x, n: np.sum(f(x, n)), backend=backend)
    np.testing.assert_array_equal(h(V, 3), np.ones(3))
    with pytest.raises(zg.ShapeError, match="(?s)the rule of f returns another length than that of axis 0.*in rule"):
        h(V, 2)


# -- programs as rules ------------------------------------------------------------------------------------------------


def with_rule(p):
    """A program as a function whose adjoint is the gradient of that program, with its loops, branches and tapes."""
    original = p.function
    ruled = types.FunctionType(original.__code__, original.__globals__, original.__name__)
    gradient = zg.grad(original, p.argnums)

    def of_one(g, ans, a):
        return g * gradient(a)[0]

    def of_two(g, ans, a, b):
        a_bar, b_bar = gradient(a, b)
        return g * a_bar, g * b_bar

    zg.adjoint(ruled)(of_one if len(p.sample) == 1 else of_two)
    return (lambda a: 3.0 * ruled(a)) if len(p.sample) == 1 else (lambda a, b: 3.0 * ruled(a, b))


def is_plain(p) -> bool:
    """Whether a program has one or two arguments, numbers or float64 arrays, that are all differentiated."""
    simple = all(isinstance(a, float) or isinstance(a, np.ndarray) and a.dtype == float for a in p.sample)
    return simple and len(p.sample) == len(p.argnums) <= 2 and not (p.function.__closure__ or p.function.__defaults__)


PLAIN = [name for name, p in CORPUS.items() if is_plain(p)]


@pytest.mark.parametrize("name", PLAIN[::6])
def test_programs_as_rules(name, monkeypatch):
    """What a rule consists of comes through: the gradient is that without a rule, and so is the second derivative."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    p = CORPUS[name]
    f = with_rule(p)
    try:
        found = zg.grad(f, p.argnums, **PYTHON)(*p.args())
    except zg.UnsupportedError as error:
        if any(w in error.what for w in ("stores into its argument", "captures the array", "calls itself")):
            return  # refused, as it should be
        raise
    for g, wanted in zip(found, zg.grad(p.function, p.argnums, **PYTHON)(*p.args()), strict=True):
        np.testing.assert_allclose(g, 3.0 * np.asarray(wanted), rtol=1e-9, atol=1e-12)
    if p.smooth:
        slopes = [zg.jvp(zg.grad(h, p.argnums, **PYTHON), p.args(), p.args(), **PYTHON)[1] for h in (f, p.function)]
        for g, wanted in zip(*slopes, strict=True):
            np.testing.assert_allclose(g, 3.0 * np.asarray(wanted), rtol=1e-8, atol=1e-9)


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
