"""Programs of calls: helpers, @njit functions, lambdas, inner functions, functions as arguments, captured things."""

import functools
import math
import operator

import numba
import numpy as np

from tests.programs.registry import numbers, program

TABLE = np.array([0.3, -0.8, 1.7])
COUNT = 3
SCALES = (0.5, 2.0)


def square_plus(x, c=1.0):
    """A plain helper."""
    return x * x + c


def weighted(x, *, weight, power=2):
    return weight * x**power


def first_negative(a, default):
    for v in a:
        if v < 0:
            return v
    return default


def total(*items):
    s = 0.0
    for v in items:
        s += v
    return s


def store_twice(a, i, v):
    a[i] = v
    a[i + 1] = v * v


def shifted(a):
    return a[1:]


@numba.njit
def compiled(x, y):
    if x > y:
        return x * y
    return math.sin(x) + y


@numba.njit
def compiled_sum(a):
    s = 0.0
    for v in a:
        s += compiled(v, 0.2)
    return s


@program(0.7, 1.9, tags="helper", smooth=True, cpu=True)
def helper_calls(x, y):
    return square_plus(x) * square_plus(y, x) + square_plus(square_plus(x * y), c=y)


@program(0.7, 1.9, tags="keywords defaults", smooth=True)
def keywords(x, y):
    return weighted(x, weight=y) + weighted(y, power=3, weight=2.0) + square_plus(c=x, x=y)


@program(numbers(4), 0.3, tags="helper early_return")
def helper_with_return_in_loop(a, x):
    return first_negative(a, x) * first_negative((x, 2 * x), x * x) * x


@program(0.3, 0.9, tags="varargs", smooth=True)
def variable_arguments(x, y):
    pair = (x, y)
    return total(x, y, x * y) * total(*pair) + total()


@program(0.9, 0.3, tags="njit_helper", cpu=True)
def njit_helper(x, y):
    return compiled(x, y) * compiled(y, x)


@program(numbers(5), tags="njit_helper")
def njit_helper_with_array(a):
    return compiled_sum(a) * a[0]


@program(0.3, 0.9, tags="lambda closure", smooth=True, cpu=True)
def lambdas(x, y):
    f = lambda t: t * x + y  # noqa: E731
    g = lambda t, k=y: f(t) * k  # noqa: E731
    return g(2.0) + f(x) + (lambda: x * y)()


@program(0.3, 0.9, tags="closure inner_function", smooth=True)
def inner_functions(x, y):
    def outer(a):
        def inner(b):
            return a * b + x

        return inner(y) + inner(a)

    s = 0.0
    for i in range(3):
        s += outer(x + i)
    return s


@program(0.3, 0.9, tags="closure late")
def closure_sees_later_binding(x, y):
    scale = x

    def scaled(v):
        return v * scale

    a = scaled(y)
    scale = y * y
    return a + scaled(y)


@program(numbers(4), 0.4, tags="closure closure_array")
def closure_stores(a, x):
    u = np.zeros(4)

    def put(i, v):
        u[i] = v
        u[0] += v * x

    for i in range(4):
        put(i, a[i] * x)
    return u[0] * u[1] + u[3]


@program(0.7, tags="function_argument", smooth=True)
def functions_passed(x):
    def apply(f, v, times):
        for _ in range(times):
            v = f(v)
        return v

    return apply(math.sin, x, 3) + apply(lambda v: v * v, x, 2) + apply(square_plus, x, 1)


@program(0.7, math.cos, square_plus, tags="function_argument", argnums=(0,), smooth=True)
def function_arguments(x, f, g):
    return f(x) * g(x) + g(f(x))


@program(0.7, tags="function_argument partial", smooth=True)
def partial_and_operator(x):
    p = functools.partial(weighted, weight=3.0)
    return p(x) + operator.mul(x, operator.add(x, 1)) - operator.neg(x)


@program(0.7, 2, tags="defaults", smooth=True)
def default_arguments(x, n, scale=2.5, table=(1.0, 3.0)):
    return x**n * scale + table[1] * x


@program(0.7, numbers(3), tags="captured", smooth=True, cpu=True)
def captured_arrays(x, a):
    s = 0.0
    for i in range(COUNT):
        s += TABLE[i] * a[i] * x
    for v in TABLE:
        s = s * x + v
    return s * SCALES[0] + SCALES[1] * len(TABLE)


@program(numbers(4), 0.4, tags="helper_stores aliasing")
def helper_stores(a, x):
    u = np.zeros(6)
    for i in range(4):
        store_twice(u, i, a[i] * x)
    return u[0] * u[1] + u[3] * u[4]


@program(numbers(4), 0.4, tags="helper_view aliasing")
def helper_returns_view(a, x):
    u = a.copy()
    v = shifted(u)
    v[0] = x
    u[2] = x * x
    return u[1] * v[1] + v[2]


@program(numbers(4), tags="evaluation_order")
def call_changes_operand(a):
    u = a.copy()

    def bump(i):
        u[i] = u[i] * 2 + 1
        return u[i]

    s = u[0] * bump(0) + u[0]
    u[1] += bump(1)
    return s + u[1] * bump(1)


@program(0.6, tags="import", smooth=True)
def import_inside(x):
    import math as m
    from math import cos

    return m.sin(x) * cos(x)


@program(0.6, 1.1, tags="helper shadowing", smooth=True)
def names_shadowed(x, y):
    def f(x):
        y = x * 3
        return y

    total = f(y) + y
    return total * x


@program(0.7, 0.4, numbers(4), tags="builtin zip enumerate named", smooth=True, cpu=True)
def iterators_with_a_name(x, y, a):
    def total(pairs):
        found = 0.0
        for u, v in pairs:
            found += u * v
        return found

    pairs = zip(a, a[::-1], strict=True)
    a[0] = x * y
    number = 0.0
    for _ in range(len(a)):
        numbered = enumerate((x, y), 1)
        number += sum(k * v for k, v in numbered)
    return total(pairs) * number + total(zip((x, y), (y, 2.0), strict=True)) + total(enumerate(a))


def make_scaler(k):
    def scale(v):
        return v * k

    return scale


@program(0.6, tags="closure factory", smooth=True)
def closures_from_factories(x, double=make_scaler(2.0), triple=make_scaler(3.0)):
    return double(x) * triple(x) + double(triple(x))


@program(0.7, 0.4, numbers(3), tags="builtin map reduce", smooth=True, cpu=True)
def folds_of_items(x, y, a):
    grown = functools.reduce(lambda total, v: total * v + x, [x, y, 2.0], y)
    scaled = list(map(lambda u, v: u * v, (x, y), [y, 3.0, 1.0]))
    return (
        grown * math.prod([x, y], start=2.0) + math.prod(a) * math.dist((x, y), scaled) + functools.reduce(max, (x, y))
    )


@program(0.7, numbers(3), tags="comprehension closure", cpu=True)
def comprehension_beside_a_closure(x, a):
    """The function sees the variables of its own surroundings, whatever those of the comprehensions are called."""
    i, v = 3.0, x * x

    def f(y):
        return y * i + v

    total = sum([f(x) * i for i in range(3)]) + sum(f(v) * v for v in a) + max(f(x) for v in a)
    inner = [sum([i * x for i in range(i + 1)]) * i for i in range(3)]
    late = [lambda y, i=i: y * i for i in range(3)]
    mapped = sum(sum(map(lambda w: w * i, [x, v])) for i in range(3))
    return total + inner[1] * inner[2] + late[2](x) + mapped + i
