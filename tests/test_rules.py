"""Every derivative rule against mpmath: first and second order, both modes, float64 and float32.

mpmath differentiates the mathematical function numerically with 40 digits; nothing of the rule takes part. What this
cannot see: kinks and poles, which the table in docs/semantics.md fixes (test_awkward_points.py).
"""

import builtins
import math
import operator
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
from mpmath import mpf

from tests.straight_line import Line
from zygopy.backends.runtime import HELPERS
from zygopy.transform import ops, rules
from zygopy.transform.types import FLOAT, FLOAT32, Scalar

X = object()  # an input; other arguments are known at compile time
F4 = Scalar(FLOAT32)


@dataclass(frozen=True)
class Row:
    """A function, its exact counterpart and points inside its domain; `arguments` says which ones are inputs."""

    function: object
    exact: object
    points: tuple
    arguments: tuple

    def line(self, type_=FLOAT) -> Line:
        return Line(self.function, *(type_ if a is X else a for a in self.arguments))

    def derivative(self, point, orders) -> mpf:
        with mpmath.workdps(40):
            numbers = [mpf(float(p)) for p in point]
            return mpmath.diff(self.exact, numbers if len(numbers) > 1 else numbers[0], orders)

    def __str__(self):
        arguments = ", ".join("x" if a is X else str(a) for a in self.arguments)
        module = getattr(self.function, "__module__", None) or type(self.function).__module__
        return f"{module}.{self.function.__name__}({arguments})"


def unary(function, exact, *points):
    return Row(function, exact, tuple((p,) for p in points), (X,))


def binary(function, exact, *points):
    return Row(function, exact, points, (X, X))


def power(p, *points):
    return Row(operator.pow, lambda x: x ** mpf(p), tuple((x,) for x in points), (X, p))


def mp_mod(a, b):
    return a - b * mpmath.floor(a / b)


def mp_fmod(a, b):
    q = a / b
    return a - b * (mpmath.floor(q) if q > 0 else mpmath.ceil(q))


def mp_copysign(a, b):
    return abs(a) * mpmath.sign(b)


def mp_logaddexp(base):
    return lambda a, b: mpmath.log(base**a + base**b, base)


PAIRS = ((0.7, 1.9), (-1.3, 0.4), (2.5, -0.8), (-0.6, -1.7))

ROWS = [
    binary(operator.add, operator.add, *PAIRS),
    binary(operator.sub, operator.sub, *PAIRS),
    binary(operator.mul, operator.mul, *PAIRS),
    binary(operator.truediv, operator.truediv, *PAIRS),
    binary(operator.mod, mp_mod, *PAIRS),
    unary(operator.neg, operator.neg, 0.7, -0.2),
    unary(operator.pos, operator.pos, 0.7, -0.2),
    binary(np.add, operator.add, *PAIRS),
    binary(np.divide, operator.truediv, *PAIRS),
    binary(np.remainder, mp_mod, *PAIRS),
    binary(np.fmod, mp_fmod, *PAIRS, (7.5, 2.0), (-7.5, 2.0)),
    binary(math.fmod, mp_fmod, (7.5, -2.0)),
    binary(math.remainder, lambda a, b: a - b * mpmath.nint(a / b), *PAIRS, (7.4, 2.0), (-7.4, 2.0)),
    unary(abs, abs, 0.7, -0.2),
    unary(np.fabs, abs, 0.7, -0.2),
    binary(np.copysign, mp_copysign, *PAIRS),
    binary(max, max, *PAIRS),
    binary(min, min, *PAIRS),
    Row(max, max, ((0.3, 0.9, -0.4), (1.3, 0.9, -0.4), (0.3, 0.9, 1.4)), (X, X, X)),
    Row(min, min, ((0.3, 0.9, -0.4),), (X, X, X)),
    binary(np.maximum, max, *PAIRS),
    binary(np.minimum, min, *PAIRS),
    binary(np.fmax, max, *PAIRS),
    binary(np.fmin, min, *PAIRS),
    Row(np.clip, lambda x, a, b: min(max(x, a), b), ((0.3, -1.0, 1.0), (1.3, -1.0, 1.0), (-2.0, -1.0, 1.0)), (X, X, X)),
    Row(np.where, lambda a, b: a, ((0.3, 0.4),), (True, X, X)),
    binary(np.heaviside, lambda x, y: mpf(x > 0), (0.3, 0.5), (-0.3, 0.5)),
    unary(np.nan_to_num, operator.pos, 0.3, -4.0),
    unary(np.positive, operator.pos, 0.3),
    unary(np.negative, operator.neg, 0.3),
    binary(math.nextafter, lambda x, y: +x, (0.3, 1.0)),
    Row(math.ldexp, lambda x: x * 8, ((0.3,),), (X, 3)),
    # Powers, with the exponent known or not.
    *(power(p, 0.4, 1.7) for p in (0, 1, 2, 3, 4, 5, -1, -2, -3, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 1 / 3, -0.3, 7.25)),
    *(power(p, -0.4, -1.7) for p in (0, 1, 2, 3, 4, 5, -1, -2, -3)),
    binary(operator.pow, lambda a, b: a**b, (0.7, 1.9), (1.3, -0.4), (2.5, 3.0), (0.2, 0.0)),
    binary(np.power, lambda a, b: a**b, (0.7, 1.9)),
    binary(math.pow, lambda a, b: a**b, (0.7, 1.9)),
    Row(operator.pow, lambda p: mpf(2) ** p, ((0.3,), (-1.2,)), (2.0, X)),
    Row(operator.pow, lambda p: mpf(3) ** p, ((0.3,), (-1.2,)), (3, X)),
    unary(np.square, lambda x: x * x, 0.7, -0.2),
    unary(np.reciprocal, lambda x: 1 / x, 0.7, -0.2),
    unary(np.sqrt, mpmath.sqrt, 0.3, 9.5),
    unary(math.sqrt, mpmath.sqrt, 0.3),
    unary(np.cbrt, mpmath.cbrt, 0.3, 9.5),
    binary(np.hypot, mpmath.hypot, *PAIRS),
    Row(math.hypot, lambda a, b, c: mpmath.sqrt(a * a + b * b + c * c), ((0.3, -0.9, 1.4),), (X, X, X)),
    unary(math.hypot, abs, -0.3),
    # Exponentials and logarithms.
    unary(np.exp, mpmath.exp, 0.7, -3.0),
    unary(math.exp, mpmath.exp, 0.7),
    unary(np.exp2, lambda x: mpf(2) ** x, 0.7, -3.0),
    unary(np.expm1, mpmath.expm1, 0.7, -3.0, 1e-6),
    unary(np.log, mpmath.log, 0.7, 30.0),
    unary(math.log, mpmath.log, 0.7),
    Row(math.log, lambda x, b: mpmath.log(x, b), ((0.7, 3.0), (5.0, 0.5)), (X, X)),
    unary(np.log2, lambda x: mpmath.log(x, 2), 0.7, 30.0),
    unary(np.log10, mpmath.log10, 0.7, 30.0),
    unary(np.log1p, mpmath.log1p, 0.7, -0.4, 1e-6),
    binary(np.logaddexp, mp_logaddexp(mpmath.e), *PAIRS, (0.4, 0.4), (30.0, 0.0)),
    binary(np.logaddexp2, mp_logaddexp(2), *PAIRS, (0.4, 0.4)),
    # Trigonometric and hyperbolic functions.
    unary(np.sin, mpmath.sin, 0.7, -3.0),
    unary(np.cos, mpmath.cos, 0.7, -3.0),
    unary(np.tan, mpmath.tan, 0.7, -3.0),
    unary(np.arcsin, mpmath.asin, 0.7, -0.3, 0.999),
    unary(np.arccos, mpmath.acos, 0.7, -0.3, 0.999),
    unary(np.arctan, mpmath.atan, 0.7, -3.0),
    binary(np.arctan2, mpmath.atan2, *PAIRS, (0.0, 1.2), (1.2, 0.0)),
    unary(np.sinh, mpmath.sinh, 0.7, -3.0),
    unary(np.cosh, mpmath.cosh, 0.7, -3.0),
    unary(np.tanh, mpmath.tanh, 0.7, -2.0),
    unary(np.arcsinh, mpmath.asinh, 0.7, -3.0),
    unary(np.arccosh, mpmath.acosh, 1.7, 30.0, 1.0625),
    unary(np.arctanh, mpmath.atanh, 0.7, -0.3, 0.9375),
    unary(np.degrees, mpmath.degrees, 0.7),
    unary(np.deg2rad, mpmath.radians, 70.0),
    # Special functions.
    unary(math.erf, mpmath.erf, 0.7, -1.5),
    unary(math.erfc, mpmath.erfc, 0.7, -1.5),
    unary(math.gamma, mpmath.gamma, 0.7, 3.2, -1.4),
    unary(math.lgamma, lambda x: mpmath.log(abs(mpmath.gamma(x))), 0.7, 3.2, 30.0, -1.4),
    unary(np.sinc, mpmath.sincpi, 0.0, 0.001, 0.3, -1.4, 7.0),
]


def close(found, exact, dtype=np.float64) -> bool:
    relative, absolute = (2e-12, 1e-14) if dtype == np.float64 else (4e-5, 1e-6)
    return abs(float(found) - float(exact)) <= absolute + relative * abs(float(exact))


def unit(k, n):
    return tuple(int(j == k) for j in range(n))


def orders(*ks, n):
    """The order in each of n variables of a derivative along variables ks; a plain number for one variable."""
    found = tuple(ks.count(j) for j in range(n))
    return found if n > 1 else found[0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_first_derivatives(row, dtype):
    """Value, gradient and tangents; those of float32 inputs are float32."""
    type_ = FLOAT if dtype == np.float64 else F4
    reverse = row.line(type_).with_gradient()
    forward = [row.line(type_).with_tangent(k) for k in range(len(reverse.inputs))]
    n = len(reverse.inputs)
    for point in row.points:
        point = tuple(dtype(p) for p in point)
        found = reverse.run(*point)
        assert all(x.dtype == dtype for x in found)
        assert close(found[0], row.derivative(point, orders(n=n)), dtype)
        for k in range(n):
            exact = row.derivative(point, orders(k, n=n))
            assert close(found[1 + k], exact, dtype), (point, k, found[1 + k], exact)
            tangent = forward[k].run(*point)[1]
            assert tangent.dtype == dtype
            assert close(tangent, exact, dtype)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_second_derivatives(row):
    """Reverse over reverse and forward over reverse, by differentiating what the rules wrote."""
    n = row.arguments.count(X)
    for k in range(n):
        reverse, forward = row.line().with_gradient(), [row.line().with_gradient() for _ in range(n)]
        for line in (reverse, *forward):
            line.outputs = [line.outputs[1 + k]]
        reverse.with_gradient()
        for j, line in enumerate(forward):
            line.with_tangent(j)
        for point in row.points:
            found = reverse.run(*point)
            for j in range(n):
                exact = row.derivative(point, orders(k, j, n=n))
                assert close(found[1 + j], exact), (point, k, j, found[1 + j], exact)
                assert close(forward[j].run(*point)[1], exact)


@pytest.mark.parametrize("function", [math.gamma, math.lgamma])
def test_fourth_derivative_of_gamma(function):
    """The order of polygamma goes on counting."""
    row = unary(function, getattr(mpmath, {"gamma": "gamma", "lgamma": "loggamma"}[function.__name__]), 2.3)
    line = row.line()
    for _ in range(4):
        line.with_gradient()
    assert close(line.run(2.3)[-1], row.derivative((2.3,), 4))


def test_x_cubed_at_zero():
    """Exact zeros at all orders, with the exponent known or not."""
    for arguments in ((FLOAT, 3), (FLOAT, 3.0), (FLOAT, FLOAT)):
        line = Line(operator.pow, *arguments).with_gradient()
        line.outputs = [line.outputs[1]]
        line.with_gradient()
        point = (0.0, 3.0)[: len(line.inputs)]
        assert line.run(*point)[:2] == [0.0, 0.0]


def test_three_halves_power_at_zero():
    line = Line(operator.pow, FLOAT, 1.5).with_gradient()
    assert line.run(0.0) == [0.0, 0.0]
    line.outputs = [line.outputs[1]]
    assert line.with_gradient().run(0.0) == [0.0, np.inf]


def test_mixed_second_derivative_of_power_at_exponent_zero():
    """d/dp of p * x**(p - 1) at p = 0 is 1 / x: the guard for 0**0 must not cover other x."""
    line = Line(operator.pow, FLOAT, FLOAT).with_gradient()
    line.outputs = [line.outputs[1]]
    assert line.with_gradient().run(4.0, 0.0)[2] == 0.25


# -- completeness -----------------------------------------------------------------------------------------------------


def test_every_operation_has_a_rule_or_is_constant():
    differentiated = rules.ELEMENTWISE.keys() | rules.LINEAR.keys()
    assert not differentiated & rules.CONSTANT
    assert ops._TYPING.keys() == differentiated | rules.CONSTANT


def recorded(table: dict, used: set) -> dict:
    """The rules of a table, which note that they are used."""

    def noting(op, rule):
        return lambda *args: (used.add(op), rule(*args))[1]

    return {op: noting(op, rule) for op, rule in table.items()}


def test_every_rule_has_a_row(monkeypatch):
    """The rules that run when rows are differentiated; test_complex.py and test_linear_algebra.py have other kinds."""
    used, declared = set(), set(rules.ELEMENTWISE)
    monkeypatch.setattr(rules, "ELEMENTWISE", recorded(rules.ELEMENTWISE, used))
    for row in ROWS:
        line = row.line().with_gradient()
        line.outputs = line.outputs[-1:]
        line.with_gradient()
    line = row_of(math.gamma).line()
    for _ in range(3):
        line.with_gradient()
    # ADD under other names, and those of scipy.special, of which tests/array_rows.py has rows
    assert declared - used == {ops.SUM, ops.ATOMIC, ops.XLOGY, ops.BESSEL_J, ops.BESSEL_I}


def row_of(function) -> Row:
    return next(row for row in ROWS if row.function is function)


def test_names_in_texts_are_builtins_or_helpers():
    called = {name for name in ops.CALLED if not hasattr(builtins, name)}
    assert called - {op.name for op in ops.KERNELS} == set(HELPERS)


def test_operations_have_distinct_names():
    names = [op.name for op in ops._TYPING]
    assert len(names) == len(set(names))
