"""Programs of branches: if, conditional expressions, comparisons, and/or/not, early returns."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(0.7, -0.2, tags="if", cpu=True)
def if_elif_else(x, y):
    if x < y:
        z = x * y
    elif x < 1:
        z = math.sin(x) + y
    else:
        z = y
    return z * x


@program(-0.7, 1.2, tags="if")
def if_without_else(x, y):
    z = x * x
    if y > 1:
        z = z * y
        x = z + x
    return z + x


@program(0.6, 2.0, tags="ternary")
def ternary(x, y):
    a = x * y if x < y else x / y
    return (a if a > 0 else -a) * (1 if y > 1 else x)


@program(0.6, 2.0, tags="chained")
def chained_comparison(x, y):
    if 0 < x < y < 3:
        return x * y
    return x if 0.5 <= x <= 0.5 != y else y


@program(0.6, 2.0, 1, tags="boolean")
def and_or_not(x, y, n):
    s = 0.0
    if x > 0 and not (y < 0 or n == 2):
        s += x * y
    if x > 1 or n and y > 1:
        s += y * y
    if not n:
        s = 0.0
    ok = x < y and n >= 1
    return s * x if ok else s


@program(0.6, 2.0, tags="boolean short_circuit")
def short_circuit(x, y):
    if x > 1 and math.log(x - 1) > 0:
        return x
    if x < 1 or math.sqrt(x - 1) > 2:
        return y * x
    return y


@program(0.6, 0.0, tags="boolean kink", differences=False)
def or_gives_a_value(x, y):
    return (y or x * 2) * 3 + (x and x * x)


@program(0.4, 1.4, tags="nested_if")
def nested_branches(x, y):
    if x > 0:
        if y > 2:
            r = x
        elif y > 1:
            r = x * y
            if r > 0.5:
                r = r * r
        else:
            r = y
    else:
        r = -x
    return r + y


@program(0.4, 1.4, tags="early_return", cpu=True)
def early_returns(x, y):
    if x < 0:
        return -x
    z = x * y
    if z < 1:
        if y > 1:
            return z * z
        z = z + 1
    return z * y


@program(0.4, numbers(5), tags="early_return loop_return", cpu=True)
def return_inside_loop(limit, a):
    s = 0.0
    for i in range(len(a)):
        s += a[i] * a[i]
        if s > limit:
            return s * limit
    return -s


@program(3.4, numbers(4, 3), tags="loop_return")
def return_inside_nested_loops(limit, a):
    s = limit
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            s = s * 0.9 + a[i, j]
            if s < 0.5:
                return s * a[i, j] + i
        s += 0.1
    return s * s


@program(0.4, tags="dead early_return")
def code_after_return(x):
    y = x * x
    return y * 3
    y = y * 100
    return y


@program(0.4, True, False, tags="bool_argument")
def boolean_arguments(x, double, negate):
    y = x * 2 if double else x
    return -y * y if negate else y * y


@program(0.5, 0.5, tags="if kink", differences=False)
def branch_at_equality(x, y):
    return x * y if x >= y else x + y


@program(0.8, numbers(6), tags="if loop_if", smooth=True)
def branch_in_loop(x, a):
    s = 0.0
    for i in range(6):
        if i % 2 == 0:
            s += a[i] * x
        elif a[i] > 0:
            s -= a[i] * a[i]
        else:
            s = s * 0.5 * x
    return s


@program(-0.3, 2.5, tags="if unequal_types")
def int_on_one_path(x, y):
    s = 0
    if x < 0:
        s = y * x
    t = 1 if y > 3 else x
    return s * 2 + t * y


@program(0.3, tags="is_none static")
def none_default(x, scale=None):
    if scale is None:
        scale = 2.0
    return x * x * scale


@program(0.3, "square", tags="string static", argnums=(0,))
def string_argument(x, kind):
    if kind == "square":
        return x * x
    elif kind == "cube":
        return x**3
    return x


@program(0.3, 1.2, tags="in static")
def membership(x, y):
    n = 2
    if n in (1, 2, 3):
        x = x * y
    if n not in (2, 4):
        x = x + 100
    return x


@program(0.4, 0.9, tags="pass")
def empty_branches(x, y):
    if x > y:
        pass
    else:
        x = x * y
    for _ in range(3):
        pass
    return x


@program(numbers(1, 3), numbers(4, 3), tags="if else arrays of one shape", smooth=True)
def arrays_whose_shapes_a_branch_computes(a, b):
    c = b
    if b[0, 0] > -9.0:
        b = np.concatenate((b[1:], a))
    if c[0, 0] > 9.0:
        c = np.concatenate((c[1:], a))
    return b[-3, 0] * np.sum(b * c) + c[-2, 1]
