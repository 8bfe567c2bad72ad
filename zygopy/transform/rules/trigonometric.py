"""Derivative rules of the trigonometric and hyperbolic functions and their inverses."""

import math

import numpy as np

from zygopy.transform.build import where
from zygopy.transform.rules import elementwise


@elementwise(np.sin)
def sin(ans, x):
    return np.cos(x)


@elementwise(np.cos)
def cos(ans, x):
    return -np.sin(x)


@elementwise(np.tan)
def tan(ans, x):
    return 1.0 + ans * ans


@elementwise(np.arcsin)
def arcsin(ans, x):
    """inf at x = -1 and 1; the product keeps the digits that 1 - x * x loses near them."""
    return 1.0 / np.sqrt((1.0 - x) * (1.0 + x))


@elementwise(np.arccos)
def arccos(ans, x):
    """-inf at x = -1 and 1."""
    return -1.0 / np.sqrt((1.0 - x) * (1.0 + x))


@elementwise(np.arctan)
def arctan(ans, x):
    return 1.0 / (1.0 + x * x)


@elementwise(np.arctan2)
def arctan2(ans, y, x):
    """0 at the origin."""
    r2 = x * x + y * y
    r2 = where(r2 == 0, np.inf, r2)
    return x / r2, -y / r2


@elementwise(np.hypot)
def hypot(ans, x, y):
    """0 at the origin, as abs has it."""
    r = where(ans == 0, np.inf, ans)
    return x / r, y / r


@elementwise(np.sinh)
def sinh(ans, x):
    return np.cosh(x)


@elementwise(np.cosh)
def cosh(ans, x):
    return np.sinh(x)


@elementwise(np.tanh)
def tanh(ans, x):
    return 1.0 - ans * ans


@elementwise(np.arcsinh)
def arcsinh(ans, x):
    return 1.0 / np.sqrt(1.0 + x * x)


@elementwise(np.arccosh)
def arccosh(ans, x):
    """inf at x = 1."""
    return 1.0 / np.sqrt((x - 1.0) * (x + 1.0))


@elementwise(np.arctanh)
def arctanh(ans, x):
    """inf at x = -1 and 1."""
    return 1.0 / ((1.0 - x) * (1.0 + x))


@elementwise(np.degrees)
def degrees(ans, x):
    return 180 / math.pi


@elementwise(np.radians)
def radians(ans, x):
    return math.pi / 180
