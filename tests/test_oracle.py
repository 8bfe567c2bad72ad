"""The oracle itself: dual numbers against finite differences, and how a user's function is run on them."""

import math

import numpy as np
import pytest

from tests import oracle

ABOVE_ONE = {"acosh", "arccosh"}
ONE_ARGUMENT = {
    np: "exp exp2 expm1 log log2 log10 log1p sqrt cbrt square reciprocal sin cos tan arcsin arccos arctan sinh cosh "
    "tanh arcsinh arccosh arctanh degrees radians deg2rad rad2deg positive negative sinc sign absolute fabs",
    math: "exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh "
    "degrees radians fabs erf erfc gamma lgamma",
}
TWO_ARGUMENTS = {
    np: "maximum minimum fmax fmin hypot arctan2 copysign logaddexp logaddexp2 fmod float_power power remainder mod "
    "add subtract multiply divide true_divide",
    math: "atan2 pow hypot copysign fmod log",
}
ROWS = [
    *[(m, name, 1) for m, names in ONE_ARGUMENT.items() for name in names.split()],
    *[(m, name, 2) for m, names in TWO_ARGUMENTS.items() for name in names.split()],
]


@pytest.mark.parametrize("module, name, count", ROWS, ids=[f"{m.__name__}.{n}" for m, n, _ in ROWS])
def test_function_against_differences(module, name, count):
    """Both orders; cannot see a wrong value at the awkward points."""
    function = getattr(module, name)
    args = (1.3,) if name in ABOVE_ONE else (0.6, 0.37)[:count]

    def f(*x):
        return function(*x) * 1.5

    argnums = tuple(range(count))
    expected = oracle.finite_differences(f, args, argnums)
    np.testing.assert_allclose(oracle.gradient(f, args, argnums), expected, rtol=1e-8, atol=1e-9)

    def slope(*x):
        return oracle.gradient(f, x, 0)

    change = oracle.gradient_change(f, args, 0, (1.0,) + (None,) * (count - 1))
    np.testing.assert_allclose(change, oracle.finite_differences(slope, args), rtol=1e-7, atol=1e-8)


OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "**": lambda a, b: a**b,
    "%": lambda a, b: a % b,
    "//": lambda a, b: a // b * a,
    "neg": lambda a, b: -a * +b,
    "abs": lambda a, b: abs(a - 3) * b,
    "int base": lambda a, b: 2**a * b,
    "int power": lambda a, b: a**3 + b**-2 + a**0,
    "reflected": lambda a, b: 2 - a + 3 / b - 7 % b + 2 * a + 1 + a,
    "NumPy number first": lambda a, b: np.float64(2) * a + np.float64(3) / b - np.float64(2) ** a,
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("args", [(1.7, 0.6), (-1.7, 0.6), (1.7, -0.6)])
def test_operator_against_differences(name, args):
    """Each operator in each order of operands, signs included."""
    if name in ("**", "int base") and args[0] < 0:
        pytest.skip("complex in plain Python")
    f = OPERATORS[name]
    expected = oracle.finite_differences(f, args, (0, 1))
    np.testing.assert_allclose(oracle.gradient(f, args, (0, 1)), expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    "f, x, expected",
    [
        (abs, 0.0, 0.0),
        (lambda x: max(x, 0.0), 0.0, 0.5),
        (lambda x: min(0.0, x), 0.0, 0.5),
        (lambda x: np.maximum(x, x), 1.0, 1.0),
        (math.sqrt, 0.0, math.inf),
        (lambda x: x**0, 0.0, 0.0),
        (lambda x: x**2, 0.0, 0.0),
        (lambda x: x**1, 0.0, 1.0),
        (lambda x: 0.0**x, 2.0, 0.0),
        (lambda x: 1 / x, 0.0, -math.inf),
        (lambda x: math.floor(x) * 1.0 + round(x) + int(x), 1.4, 0.0),
        (lambda x: float(int(x)) * x, 2.5, 2.0),
        (lambda x: 2.0 * float(x), 1.0, 2.0),
    ],
)
def test_awkward_points(f, x, expected):
    """The conventions that the documentation states."""
    assert oracle.gradient(f, (x,)) == expected


def test_no_influence_is_no_tangent():
    """An input without influence has derivative 0 even beside an infinite slope."""
    assert oracle.gradient(lambda x, y: math.sqrt(x) * y, (0.0, 3.0), 1) == 0.0
    assert oracle.gradient(lambda x, y: math.sqrt(x) + y, (0.0, 3.0), 1) == 1.0


SCALE = 3.0
WEIGHTS = np.array([1.0, 2.0, 4.0])


def helper(x, n=2):
    return math.sin(x) * SCALE**n


def test_surroundings_are_rebuilt():
    """Helpers, closures, defaults, captured arrays, imports in the body."""
    factor = 0.5
    recursive = lambda x: factor * helper(x)  # noqa: E731

    def f(x, power=lambda v: v**2):
        from math import cos

        return recursive(x) + WEIGHTS[1] * cos(x) + power(x)

    expected = oracle.finite_differences(f, (0.4,))
    np.testing.assert_allclose(oracle.gradient(f, (0.4,)), expected, rtol=1e-9)


def test_arrays_behave_like_float_arrays():
    """Views, stores of ints, overlapping copies, in-place updates, float32 rounding, copies of the arguments."""

    def f(x, y):
        u = np.zeros_like(x)
        u[:] = x
        b = u[1:]
        b[0] = 3
        half = u[0] / 2 + b[0] / 2
        u[1:] = u[:-1]
        u *= x[2]
        b[-1] += half
        y[0] = u[3]
        x[:] = 0
        return u[1] * u[2] + y[0] + u.copy().shape[0]

    args = np.array([0.3, 0.7, 1.1, -0.4]), np.array([1.0])
    before = [a.copy() for a in args]
    got = oracle.gradient(f, args, (0, 1))
    for g, e in zip(got, oracle.finite_differences(f, args, (0, 1)), strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-9, atol=1e-11)
    for a, b in zip(args, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_float32_is_rounded():
    def f(x):
        a = np.zeros(1, np.float32)
        a[0] = x
        return a[0] * 3.0

    result, tangent = oracle.directional(f, (0.1,), (1.0,))
    assert result == np.float32(np.float32(0.1) * np.float32(3))
    assert tangent == 3


def test_tuples_and_side_effects():
    def f(pair, x):
        a, (b, c) = pair
        x[1] = a * b
        return x[1] * c[0]

    args = (2.0, (3.0, np.array([5.0]))), np.zeros(2)
    a, (b, c) = oracle.gradient(f, args, 0)
    assert (a, b) == (15.0, 10.0)
    np.testing.assert_array_equal(c, [6.0])
    _, after = oracle.plain(f, args)
    np.testing.assert_array_equal(after[1], [0.0, 6.0])
    np.testing.assert_array_equal(args[1], [0.0, 0.0])


def test_second_order():
    def f(x, a):
        s = 0.0
        for v in a:
            s += math.sin(v * x) * x
        return s

    args = 0.7, np.array([0.3, 0.9])
    direction = (1.0, np.array([0.5, -2.0]))

    def slope(t):
        moved = (args[0] + t, args[1] + t * direction[1])
        return oracle.gradient(f, moved, 0)

    change = oracle.gradient_change(f, args, 0, direction)
    np.testing.assert_allclose(change, oracle.finite_differences(slope, (0.0,)), rtol=1e-9)
