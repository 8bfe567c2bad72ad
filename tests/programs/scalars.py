"""Programs of scalar arithmetic and functions."""

import math
from math import atan2, sin

import numpy as np

from tests.programs.registry import numbers, program

GRAVITY = 9.81
HALF = np.float64(0.5)


@program(0.7, 1.9, tags="arithmetic", smooth=True, cpu=True)
def arithmetic(x, y):
    a = x * y - 3 * x / y + 2
    b = -a + (+x) * 0.5
    return a * b / (1 + x * x) - 1 / y


@program(2.3, 0.8, tags="power", smooth=True)
def powers(x, y):
    return x**y + x**2 + x**-2 + 2**y + x**0 + y**3.5 + x**0.5 + x**1


@program(-1.7, 3, tags="power integer", argnums=(0,))
def power_of_negative_base(x, n):
    return x**n + x**2 + (-x) ** 2.5 + x**-1


@program(7.4, 2.3, tags="modulo floordiv")
def modulo(x, y):
    return x % y + (x // y) * y + (-x) % y * 3 + x % -y + 10 % y + x % 3


@program(0.37, tags="math", smooth=True, cpu=True)
def math_functions(x):
    s = math.sin(x) + math.cos(x) + math.tan(x) + math.asin(x) + math.acos(x) + math.atan(x)
    s += math.sinh(x) + math.cosh(x) + math.tanh(x) + math.asinh(x) + math.acosh(1 + x) + math.atanh(x)
    s += math.exp(x) + math.expm1(x) + math.log(x) + math.log1p(x) + math.log2(x) + math.log10(x) + math.sqrt(x)
    return s + math.erf(x) + math.erfc(x) + math.cbrt(x) + math.exp2(x) + math.degrees(x) + math.radians(x)


@program(1.37, tags="math")
def math_gamma(x):
    return math.gamma(x) * 0.5 + math.lgamma(x + 1)


@program(0.8, 1.7, tags="math", smooth=True)
def math_binary(x, y):
    return math.pow(x, y) + math.hypot(x, y) + math.atan2(y, x) + math.log(x, 3) + math.fmod(7 * y, x)


@program(-0.8, 1.7, tags="math")
def math_pieces(x, y):
    return (
        math.fabs(x) * y + math.copysign(y, x) + abs(x) + math.floor(y) * x + math.ceil(y) * x + math.trunc(x - y) * y
    )


@program(0.37, tags="numpy", smooth=True)
def numpy_functions(x):
    s = np.sin(x) + np.cos(x) + np.tan(x) + np.arcsin(x) + np.arccos(x) + np.arctan(x)
    s += np.sinh(x) + np.cosh(x) + np.tanh(x) + np.arcsinh(x) + np.arccosh(1 + x) + np.arctanh(x)
    s += np.exp(x) + np.expm1(x) + np.log(x) + np.log1p(x) + np.log2(x) + np.log10(x) + np.sqrt(x)
    return s + np.cbrt(x) + np.exp2(x) + np.square(x) + np.reciprocal(x) + np.deg2rad(x) + np.degrees(x)


@program(0.8, 1.7, tags="numpy", smooth=True)
def numpy_binary(x, y):
    s = np.power(x, y) + np.hypot(x, y) + np.arctan2(y, x) + np.logaddexp(x, y) + np.add(x, y) * np.subtract(x, y)
    return s + np.multiply(x, y) / np.divide(x, y) + np.logaddexp2(x, y) + np.float_power(x, y)


@program(-0.8, 1.7, tags="numpy")
def numpy_pieces(x, y):
    s = np.abs(x) + np.fabs(x) * y + np.maximum(x, y) * np.minimum(x, y) + np.sign(x) * y + np.floor(y) * x
    return s + np.fmax(x, y) - np.fmin(x, y) * 2 + np.copysign(y, x) + np.mod(y, 0.7) + np.clip(x, -0.5, 0.5)


@program(0.4, 1.2, tags="names", smooth=True)
def imported_names(x, y):
    return sin(x * y) + atan2(x, y)


@program(1.4, tags="constants", smooth=True)
def constants(t):
    return 0.5 * GRAVITY * t**2 + math.pi * HALF + np.e * t


@program(0.3, 2.0, tags="min max")
def min_max(x, y):
    return max(x, y) * 2 + min(x, y) * 3 + max(x, 0.1, y) + min(x, y, 1) + max(0, x) + min((x, y, 0.2))


@program(1.0, 1.0, tags="min max ties", differences=False)
def ties(x, y):
    return max(x, y) * 2 + 3 * min(x, y) + np.maximum(x, 1.0) * 5 + np.minimum(1.0, y) * 7


@program(0.0, tags="ties", differences=False)
def abs_at_zero(x):
    return abs(x) + 3 * x


@program(0.0, 1.5, tags="power ties", differences=False)
def powers_at_zero(x, p):
    return x**0 + x**1 + x**2 + x**p + 3 * x


@program(3.0, 2, tags="integer", cpu=True)
def integers(x, n):
    m = n * 3 + 1
    k = m // 2 - m % 4
    h = n**3 - (7 >> 1) + (5 & 3) + (1 << 2)
    return x * k + x**m / h + n / 4


@program(2.6, tags="conversions")
def conversions(x):
    n = int(x)
    b = bool(n)
    return x * n + float(n) * x * x + b * x + round(x) * x + int(True) * x + np.float64(x) * 2


@program(0.9, tags="rebinding", smooth=True)
def rebinding(x):
    s = 1
    s = s + x
    s = s * s
    x = x * 2
    t = s = s + x
    return s * t * x


@program(0.9, -0.4, tags="swap augmented", smooth=True, cpu=True)
def swaps_and_updates(x, y):
    x, y = y, x
    x += 2 * y
    y *= x
    x -= 1
    y /= 3 + x
    x **= 2
    x, y = y + 1, x * y
    return x - 2 * y


@program(1.3, 0.2, tags="dead", smooth=True)
def dead_code(x, y):
    unused = math.exp(x) * y
    unused = unused * 2
    z = x * 3
    z = y * 5
    return z * x


@program(0.3, tags="assert print")
def asserts_and_prints(x):
    assert x > 0, "x must be positive"
    if x > 100:
        raise ValueError("x is too large")
    y = x * x
    assert y < 1
    return y * x


def squared_in_place(a, k):
    a[k] *= a[k]
    return a[k]


@program(0.7, numbers(3), tags="assert store", cpu=True)
def assert_whose_test_and_message_store(x, a):
    assert squared_in_place(a, 0) > 0, squared_in_place(a, 1)
    assert a[1] < x * 100, f"{squared_in_place(a, 2)} is too large"
    return x * a[0] * a[1] * a[2]


@program(0.4, numbers(3), tags="constant_output")
def constant_result(x, a):
    return 3.0


@program(0.5, 1.5, 2.5, tags="inactive", argnums=(1,), smooth=True)
def inactive_arguments(x, y, z):
    t = math.sin(x) * z
    return t * y * y + z


@program(1.1, -0.3, tags="subexpressions", smooth=True)
def shared_subexpressions(x, y):
    a = math.sin(x * y) * (x * y)
    b = math.sin(x * y) + (x * y) ** 2
    return a / b + a * b


@program(7.3, 2.1, 7, tags="floordiv modulo", smooth=True, cpu=True)
def quotients_and_remainders(x, y, n):
    q, r = divmod(x, y)
    m, k = divmod(n, 3)
    return q * x + r * r * m + k * y
