"""Programs of tuples: built, indexed, unpacked, starred, as arguments, locals and results."""

import math

from tests.programs.registry import numbers, program


@program(0.4, 1.2, tags="tuple", smooth=True, cpu=True)
def build_index_unpack(x, y):
    t = (x * y, x + y, 3)
    a, b, c = t
    u = t[0], t[-1], (a, b)
    (p, q), r = u[2], u[1]
    return a * b * c + p * q * r + len(t)


@program((0.4, 1.2, -0.3), tags="tuple_argument", smooth=True, cpu=True)
def tuple_argument(p):
    a, b, c = p
    return a * b + p[2] * c * a + len(p)


@program((0.4, (1.2, numbers(3))), 0.7, tags="tuple_argument nested_tuple", smooth=True)
def nested_tuple_argument(p, x):
    scale, (shift, weights) = p
    s = shift
    for w in weights:
        s = s * scale + w * x
    return s * p[1][0]


@program(0.4, 1.2, tags="starred", smooth=True)
def starred(x, y):
    t = (x, y, x * y, 2.0)
    first, *middle, last = t
    *rest, end = (*t, x)
    return first * middle[0] * middle[1] + last * rest[2] * end + len(middle)


@program(0.4, 1.2, tags="tuple_in_loop", smooth=True)
def tuple_carried(x, y):
    state = (x, y)
    for i in range(4):
        state = (state[1], state[0] * state[1] + i * x)
    a, b = state
    return a + b


@program(0.4, 1.2, tags="tuple_in_branch")
def tuple_in_branch(x, y):
    t = (x, y)
    if x < y:
        t = (y * y, x)
    u = (x, 2) if y > 5 else (y, 1)
    return t[0] * 3 + t[1] * u[0] * u[1]


@program(0.4, 1.2, tags="tuple_operators")
def tuple_operators(x, y):
    t = (x, y) + (x * y,)
    u = (x,) * 3
    s = 0.0
    for v in t + u:
        s = s * 0.5 + v * v
    return s * t[1:][0] * sum(u) + max(t) + min(t)


@program(0.4, 1.2, tags="tuple_result helper")
def tuple_from_helper(x, y):
    def polar(a, b):
        return math.hypot(a, b), math.atan2(b, a)

    r, angle = polar(x, y)
    return r * angle + polar(y, x)[1]


@program(0.3, 0.8, tags="tuple list", smooth=True)
def list_display(x, y):
    items = [x, y, x + y]
    s = 0.0
    for v in items:
        s += v * v
    return s * items[1]


@program(numbers(2, 2), tags="shape_tuple", smooth=True)
def shape_unpacked(a):
    n, m = a.shape
    s = 0.0
    for i in range(n):
        for j in range(m):
            s += a[i, j] * a[j, i] * (n + 2 * m)
    return s


@program(0.3, 0.8, tags="tuple_compare")
def tuple_comparison(x, y):
    a, b = 1, 2
    if (a, b) == (1, 2) and (a, b) != (2, 1):
        return x * y
    return x
