"""Derivative rules of the operators, of magnitude and of order."""

import math

import numpy as np

from zygopy.transform import ops
from zygopy.transform.build import where
from zygopy.transform.rules import elementwise
from zygopy.transform.rules.complex_numbers import is_complex
from zygopy.transform.rules.compositions import known


@elementwise(ops.ADD, ops.SUM, ops.ATOMIC)
def add(ans, a, b):
    return 1, 1


@elementwise(ops.SUB)
def subtract(ans, a, b):
    return 1, -1


@elementwise(ops.MUL)
def multiply(ans, a, b):
    return b, a


@elementwise(ops.DIV)
def divide(ans, a, b):
    """One division for both, and for all quotients with the same divisor."""
    inverse = 1.0 / b
    return inverse, -ans * inverse


@elementwise(ops.NEG)
def negative(ans, x):
    return -1


@elementwise(ops.MOD)
def remainder(ans, a, b):
    return 1, -(a // b)


@elementwise(np.fmod)
def fmod(ans, a, b):
    """The quotient that was cut off, from the exact remainder: trunc(a / b) is one off where a / b rounds up."""
    return 1, np.rint((ans - a) / b)


@elementwise(math.remainder)
def ieee_remainder(ans, a, b):
    return 1, np.rint((ans - a) / b)


@elementwise(ops.POW)
def power(ans, x, p):
    """p * x**(p - 1) and ans * log(x); the exponent has no derivative at x < 0 (nan), and 0 at x = 0 where p >= 0."""
    if known(p) is not None:
        n = known(p) if is_complex(p) else float(known(p))
        return (n * (ans / x) if n.real < 0 else n * x ** (n - 1.0)), 0
    if is_complex(x):
        slope = p * x ** where(np.logical_and(x == 0, p == 0), 0.0, p - 1.0)
        return slope, ans * np.log(where(x == 0, 1.0, x))
    if known(x) is not None and known(x) > 0:
        return 0, ans * math.log(known(x))
    slope = p * x ** where(np.logical_and(x == 0, p == 0), 0.0, p - 1.0)  # x**0 is 1 for x = 0 too
    return slope, ans * np.log(where(np.logical_and(x == 0, p >= 0), 1.0, x))


@elementwise(np.absolute, np.fabs)
def absolute(ans, x):
    """0 at x = 0."""
    return np.sign(x)


@elementwise(np.copysign)
def copysign(ans, x, y):
    """That of abs(x) times the sign of y: 0 at x = 0."""
    return np.copysign(1.0, y) * np.sign(x), 0


@elementwise(max, np.maximum)
def maximum(ans, a, b):
    """Ties share evenly; where one of them is nan, the derivative goes to a."""
    share = where(a == b, 0.5, where(a < b, 0.0, 1.0))
    return share, 1.0 - share


@elementwise(min, np.minimum)
def minimum(ans, a, b):
    share = where(a == b, 0.5, where(a > b, 0.0, 1.0))
    return share, 1.0 - share


@elementwise(np.fmax)
def fmax(ans, a, b):
    """As maximum, but a nan loses."""
    share = where(a == b, 0.5, where(np.logical_or(a > b, np.isnan(b)), 1.0, 0.0))
    return share, 1.0 - share


@elementwise(np.fmin)
def fmin(ans, a, b):
    share = where(a == b, 0.5, where(np.logical_or(a < b, np.isnan(b)), 1.0, 0.0))
    return share, 1.0 - share


@elementwise(np.nextafter)
def nextafter(ans, x, towards):
    """x plus a step that is taken as constant."""
    return 1, 0
