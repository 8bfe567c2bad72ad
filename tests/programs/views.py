"""Programs of slices: views and their aliases, whole-slice stores and copies, overlap."""

import numpy as np

from tests.programs.registry import numbers, program


@program(numbers(5), 0.6, tags="slice view aliasing", smooth=True, cpu=True)
def view_stored_into(a, x):
    u = a.copy()
    b = u[1:]
    b[0] = x
    u[2] = x * x
    return u[1] * b[1] + b[-1] * u[0] + len(b)


@program(numbers(5), 0.6, tags="slice view argument_overwritten effects", smooth=True, cpu=True)
def view_of_argument(a, x):
    b = a[1:4]
    b[0] *= x
    b[2] = b[0] * b[1]
    a[2] += b[2]
    return a[1] + a[2] * a[3] + b[1]


@program(numbers(4, 5), tags="slice rank2 view", smooth=True)
def rows_and_columns(a):
    row = a[1]
    column = a[:, 2]
    block = a[1:3, 1:-1]
    s = 0.0
    for i in range(4):
        s += column[i] * row[i]
    return s + block[0, 0] * block[1, -1] * len(block) + block.shape[1]


@program(numbers(4, 5), 0.5, tags="slice rank2 view aliasing", smooth=True)
def stores_through_rows(a, x):
    u = a.copy()
    for i in range(3):
        row = u[i]
        below = u[i + 1]
        for j in range(5):
            below[j] += row[j] * x
        row[0] = below[1]
    return u[3, 4] * u[0, 0] + u[2, 2]


@program(numbers(6), tags="slice_copy", smooth=True, cpu=True)
def whole_slice_stores(a):
    u = np.zeros(6)
    v = a.copy()
    u[:] = v
    u[1:3] = v[3:5]
    v[...] = 2.0
    u[4:] = a[:2]
    u[0:1] = a[5]
    return u[0] * u[1] + u[2] * u[4] + u[5] * v[0]


@program(numbers(6), tags="slice_copy overlap", smooth=True, cpu=True)
def overlapping_stores(a):
    u = a.copy()
    u[1:] = u[:-1]
    u[:-2] = u[2:]
    u[1:4] = u[2:5]
    u[::2] = u[1::2]
    return u[0] * u[1] + u[2] * u[3] * u[4] + u[5] * a[0]


@program(numbers(6), tags="overlap reversed_slice", smooth=True)
def reverse_in_place(a):
    u = a.copy()
    u[:] = u[::-1]
    w = u[::-2]
    w[0] = w[1] * w[2]
    return u[0] * u[1] + u[5] * w[0] * len(w)


@program(numbers(6), 0.4, tags="slice_fill", smooth=True)
def slices_filled(a, x):
    u = a.copy()
    u[:] = x
    u[2:4] = x * x
    u[-1:] = 3
    return u[0] * u[2] + u[3] * u[5] * a[0]


@program(numbers(4), 0.4, tags="array_fill_last", smooth=True)
def everything_overwritten(a, x):
    s = a[0] * a[1]
    a[:] = x
    return s + a[0] * a[3]


@program(numbers(6), tags="slice_of_slice negative_step", smooth=True)
def nested_slices(a):
    u = a.copy()
    b = u[1:][::2]
    c = b[1:]
    c[0] = a[0]
    d = u[::-1]
    d[0] *= c[1]
    e = u[-3:-1]
    return u[3] * u[5] + e[0] * e[1] + d[2]


@program(numbers(6), 2, 5, tags="slice runtime_bounds", smooth=True)
def slices_with_variable_bounds(a, i, j):
    u = a.copy()
    b = u[i:j]
    for k in range(len(b)):
        b[k] *= u[k]
    c = u[j:i]
    d = u[-100:100]
    u[:i] = a[j - i + 1 : j + 1]
    return u[2] * u[4] + u[0] + u[1] * d[5] + len(c)


@program(numbers(8), tags="slice_in_loop", smooth=True)
def moving_window(a):
    s = 0.0
    for i in range(len(a) - 2):
        w = a[i : i + 3]
        s += w[0] * w[1] * w[2] + w[-1]
    return s


@program(numbers(3, 4), tags="slice_copy rank2", smooth=True)
def two_dimensional_stores(a):
    u = np.zeros((3, 4))
    u[:, 1:] = a[:, :-1]
    u[0] = a[2]
    u[1:, 0] = a[:2, 3]
    u[2, :2] = u[0, 2:]
    v = np.ones((2, 2))
    u[1:, 2:] = v
    return u[0, 0] * u[2, 1] + u[1, 0] * u[1, 1] + u[2, 0] * u[2, 3] * u[0, 3]


@program(numbers(3, 4), tags="overlap rank2", smooth=True)
def rows_shifted(a):
    u = a.copy()
    u[1:] = u[:-1]
    u[0] = u[2]
    u[:, :-1] = u[:, 1:]
    return u[0, 0] * u[1, 1] + u[2, 2] * u[1, 3] + u[0, 3] * a[2, 0]


@program(numbers(5), numbers(5, phase=1), tags="slice_update", smooth=True)
def slices_updated(a, b):
    u = a.copy()
    u[1:4] += b[:3]
    u[:2] *= 3.0
    u[2:] -= u[1:4]
    u *= b[0]
    u /= b
    u += u
    return u[0] * u[1] + u[2] * u[3] * u[4]


@program(numbers(6), 3, tags="ping_pong view slice_copy", smooth=True, cpu=True)
def heat_rod(a, n):
    u = a.copy()
    v = np.empty_like(u)
    for _ in range(n):
        v[0] = u[0]
        v[-1] = u[-1]
        inner = v[1:-1]
        for i in range(len(inner)):
            inner[i] = u[i + 1] + 0.2 * (u[i] - 2 * u[i + 1] * u[i + 1] + u[i + 2])
        u[:] = v
    return u[2] * u[3]


@program(numbers(2, 3, 4), tags="rank3 slice", smooth=True)
def planes(a):
    u = a.copy()
    plane = u[1]
    line = u[:, 2, :]
    plane[0] = line[0]
    line[1, 3] = plane[1, 1] * u[0, 0, 0]
    u[0, ..., 1] = plane[:, 2]
    return u[1, 0, 2] * u[1, 2, 3] + u[0, 1, 1] * plane[0, 0]


@program(numbers(4), tags="aliases", smooth=True)
def plain_aliases(a):
    u = np.zeros(4)
    v = u
    w = v[:]
    v[0] = a[0]
    w[1] = u[0] * a[1]
    u[2] = w[1] * v[0]
    return u[1] + v[2] * w[0]


@program(numbers(6), tags="view_in_branch")
def view_from_branch(a):
    u = a.copy()
    w = u[:3] if a[0] > 0 else u[3:]
    w[1] = a[2] * a[3]
    w[0] *= 2
    return u[0] * u[1] + u[3] * u[4]


@program(numbers(9), tags="carried_view while")
def view_carried_by_loop(a):
    u = a.copy()
    s = 0.0
    for k in range(3):
        left, right = u[:4], u[4:8]
        for i in range(4):
            left[i], right[i] = right[i] * a[8], left[i] + 0.5
        s += left[k] * right[3 - k]
    return s


@program(numbers(5), tags="tuple_store", smooth=True)
def tuple_stored_into_slice(a):
    u = np.zeros(5)
    u[1:4] = a[0], a[1] * a[2], 2.0
    u[0], u[4] = a[3], a[4] * u[1]
    return u[0] * u[1] * u[2] + u[3] * u[4]


@program(numbers(3, 1), numbers(4), tags="broadcast_store", smooth=True)
def rows_from_one_row(a, b):
    u = np.zeros((3, 4))
    u[:] = b
    u[1:, :2] = b[2:]
    return u[0, 0] * u[1, 1] + u[2, 3] * u[2, 0] * a[1, 0]


@program(numbers(6), 0.6, tags="slice view if", smooth=True, cpu=True)
def views_of_what_a_branch_makes(a, x):
    if x > 0.5:
        own = a.copy()
        own[2] *= x
        b, c = own[1:4], own[3:]
    else:
        b, c = a[:3].copy(), np.zeros_like(a[3:])
    for i in range(3):
        b[i] *= x
    return b[0] * b[1] + b[2] * x + c[0] * c[2]
