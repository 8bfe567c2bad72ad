"""Programs that use arrays as memory: elements read and written, arrays made, copied, carried and swapped."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(numbers(5), tags="read rank1 negative_index", smooth=True, cpu=True)
def element_reads(a):
    return a[0] * a[1] + a[-1] * a[-2] * a[2] + a[len(a) - 1]


@program(numbers(3, 4), tags="read rank2", smooth=True)
def matrix_reads(a):
    n, m = a.shape
    s = 0.0
    for i in range(n):
        for j in range(m):
            s += a[i, j] * a[n - 1 - i, m - 1 - j] + a[i][j] * a[-1, j]
    return s


@program(numbers(2, 3, 2), numbers(2, 2, 2, 2, phase=1), tags="read rank3 rank4", smooth=True)
def high_rank_reads(a, b):
    s = 0.0
    for i in range(2):
        for j in range(3):
            for k in range(2):
                s += a[i, j, k] * a[i, -1, k] * b[i, k, 0, 1] * b[-1, i, k, i]
    return s


@program(numbers(3), numbers(2, 2), tags="write rank1 rank2", smooth=True, cpu=True)
def element_writes(a, b):
    u = np.zeros(4)
    m = np.empty((2, 3))
    for i in range(3):
        u[i] = a[i] * a[i]
        m[0, i] = u[i] * 2
        m[1, i] = m[0, i] * b[0, 1]
    u[-1] = b[1, 1]
    u[0] = u[0] * u[3]
    return u[0] + m[0, 0] * m[1, 2] + m[-1, -1] * u[1]


@program(numbers(2, 2), tags="write rank3 rank4", smooth=True)
def high_rank_writes(a):
    t = np.zeros((2, 2, 2))
    q = np.ones((2, 2, 2, 2))
    for i in range(2):
        for j in range(2):
            for k in range(2):
                t[i, j, k] = a[i, j] * a[j, k]
                q[i, j, k, 1] = t[i, j, k] * a[k, i]
    s = 0.0
    for i in range(2):
        s += t[i, 1, 0] * q[1, i, 0, 1] + q[0, i, 1, 0] * q[i, i, i, i]
    return s


@program(numbers(4), 0.7, tags="element_update", smooth=True, cpu=True)
def element_updates(a, x):
    u = a.copy()
    u[0] += x
    u[1] -= x * u[0]
    u[2] *= u[1]
    u[3] /= 2 + x
    u[0] **= 2
    u[1] += u[1]
    u[2] -= u[0] * u[2]
    return u[0] * u[1] + u[2] * u[3]


@program(numbers(4), tags="overwritten_read", smooth=True, cpu=True)
def overwritten_reads(a):
    u = np.zeros(2)
    u[0] = 1.0
    for i in range(4):
        u[1] = u[0] * a[i]
        u[0] = u[1] * u[1] + a[i]
    return u[0] * u[1]


@program(numbers(5), tags="argument_overwritten effects", cpu=True)
def argument_overwritten(a):
    for i in range(1, len(a)):
        a[i] = a[i] * a[i - 1] + 0.5
    return a[4] * a[2]


@program(numbers(5), 0.3, tags="argument_overwritten effects")
def argument_zeroed(a, x):
    s = a[0] * a[1] * x
    for i in range(5):
        a[i] = 0.0
    a[2] = x
    return s + a[2] * a[3] + a[2] * a[2]


@program(numbers(5), 0.3, numbers(5), tags="effects output_argument", argnums=(0, 1))
def output_argument(a, x, out):
    for i in range(5):
        out[i] = a[i] * x
    s = 0.0
    for v in out:
        s += v * v
    return s


@program(numbers(3), tags="creation", smooth=True, cpu=True)
def creation(a):
    n = len(a)
    u = np.zeros(n)
    v = np.ones((n, 2))
    w = np.full(n, a[1])
    z = np.empty(2)
    z[:] = a[2]
    p = np.zeros_like(v)
    q = np.ones_like(a)
    r = np.full_like(a, 2.5)
    e = np.empty_like(a)
    for i in range(n):
        u[i] += a[i] * w[i]
        p[i, 1] = v[i, 0] * a[i] * z[1]
        e[i] = q[i] * r[i] * u[i]
    return e[0] * e[1] + p[2, 1] * u[2] + w[0] * z[0]


@program(numbers(3, 4), tags="shape_attributes", smooth=True)
def shapes(a):
    s = len(a) * 1.0 + a.size + a.ndim
    for j in range(a.shape[1]):
        s += a[0, j] * a.shape[0] / np.shape(a)[1]
    return s * a[len(a) - 1, a.shape[-1] - 1]


@program(numbers(4), tags="copy", smooth=True)
def copies(a):
    b = a.copy()
    c = np.copy(b)
    b[0] = 10.0
    c[1] = b[1] * a[0]
    return a[0] * c[1] + b[0] * c[0] + b[3]


@program(numbers(6), 8, tags="ping_pong makes_float64", smooth=True, cpu=True)
def ping_pong(a, n):
    u = a.copy()
    v = np.zeros(6)
    for _ in range(n):
        for i in range(1, 5):
            v[i] = u[i] + 0.1 * (u[i - 1] * u[i - 1] - 2 * u[i] + u[i + 1])
        v[0] = v[1]
        v[5] = v[4]
        u, v = v, u
    return u[2] * u[3]


@program(numbers(4), 5, tags="ping_pong conditional_swap makes_float64")
def conditional_swap(a, n):
    u = a.copy()
    v = np.ones(4)
    for k in range(n):
        for i in range(4):
            v[i] = u[i] * v[i] + 0.5
        if v[k % 4] > 0.6:
            u, v = v, u
    return u[0] * v[1] + u[2] * v[3]


@program(numbers(4), tags="ping_pong while")
def ping_pong_while(a):
    u = a.copy()
    v = a.copy()
    while u[0] < 10:
        for i in range(4):
            v[i] = u[i] * u[i] + 1
        u, v = v, u
    return u[1] * v[2]


@program(numbers(4), tags="ping_pong makes_float64")
def three_buffers(a):
    u, v, w = a.copy(), np.zeros(4), np.ones(4)
    for k in range(7):
        for i in range(4):
            w[i] = u[i] * 0.5 + v[i] * a[k % 4]
        u, v, w = v, w, u
    return u[0] * v[1] * w[2] + v[0]


@program(numbers(4), 3, tags="allocation_in_loop", smooth=True)
def allocated_in_loop(a, n):
    s = 0.0
    for k in range(n):
        t = np.zeros(4)
        for i in range(4):
            t[i] = a[i] * a[(i + k) % 4]
        s += t[0] * t[1] + t[3]
    return s


@program(numbers(4), 5, tags="allocation_in_loop carried_array makes_float64", smooth=True, cpu=True)
def allocated_and_carried(a, n):
    u = a
    for k in range(n):
        new = np.empty(4)
        for i in range(4):
            new[i] = u[i] * u[i - 1] + a[i] * 0.5
        u = new
    return u[0] * u[1] + u[2]


@program(numbers(4), 0.4, tags="array_in_branch makes_float64")
def array_from_branch(a, x):
    b = np.ones(4)
    if x > 0:
        u = a
    else:
        u = b
    v = b if x > 1 else a.copy()
    v[1] = u[0] * x
    return u[1] * v[1] + u[2] * v[2]


@program(numbers(4), 0.4, tags="array_in_branch effects makes_float64")
def stored_through_branch(a, x):
    b = np.ones(4)
    u = a if x > 0 else b
    u[0] = x * u[1]
    u[2] += x
    return a[0] * a[2] + b[0] * u[3]


@program(numbers(3, 3, shift=2.0), tags="in_place_lu", smooth=True, cpu=True)
def lu_log_determinant(a):
    lu = a.copy()
    lu[0, 0] += 3
    lu[1, 1] += 4
    lu[2, 2] += 5
    n = lu.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            lu[i, k] /= lu[k, k]
            for j in range(k + 1, n):
                lu[i, j] -= lu[i, k] * lu[k, j]
    s = 0.0
    for k in range(n):
        s += math.log(lu[k, k])
    return s


@program(numbers(5), numbers(4, phase=1), tags="gauss_seidel", smooth=True)
def gauss_seidel(u, f):
    x = u.copy()
    for _ in range(4):
        for i in range(1, 4):
            x[i] = 0.5 * (x[i - 1] + x[i + 1] - f[i] * x[i])
        for i in range(3, 0, -1):
            x[i] = 0.3 * (x[i - 1] * x[i + 1] + x[i])
    return x[1] * x[2] + x[3]


@program(numbers(5), tags="histogram indices", smooth=True)
def indirect_indices(a):
    order = np.zeros(5, np.int64)
    for i in range(5):
        order[i] = (3 * i + 1) % 5
    u = np.zeros(3)
    for i in range(5):
        u[order[i] % 3] += a[order[i]] * a[i]
    return u[0] * u[1] + u[2] * u[2]


@program(numbers(6), np.array([4, 0, 2]), tags="integer_array", argnums=(0,), smooth=True)
def integer_array_argument(a, index):
    s = 1.0
    for k in index:
        s *= a[k] + index[0] * 0.1
    return s + len(index)


@program(numbers(4), tags="sort_by_swaps")
def bubble_sort(a):
    u = a.copy()
    for i in range(4):
        for j in range(3 - i):
            if u[j] > u[j + 1]:
                u[j], u[j + 1] = u[j + 1], u[j]
    return u[0] + 2 * u[1] * u[2] + 3 * u[3]


@program(numbers(4), tags="while_array break")
def search_and_store(a):
    u = np.zeros(10)
    n = 0
    x = a[0]
    while True:
        x = x * 0.8 + a[n % 4] * 0.1
        u[n] = x * x
        n += 1
        if x < 0.2 or n == 10:
            break
    s = 0.0
    for i in range(n):
        s += u[i] * (i + 1)
    return s


@program(numbers(3), tags="inactive_store", smooth=True)
def inactive_store_zeroes(a):
    u = a.copy()
    u[1] = 2.0
    t = u[1] * u[0]
    u[0] = 5.0
    return t * u[2] + u[0] * u[1]


@program(numbers(3).astype(np.float32), 0.5, tags="float32", smooth=True, cpu=True)
def single_precision(a, x):
    u = np.zeros(3, dtype=np.float32)
    for i in range(3):
        u[i] = a[i] * 2.0 + x
        u[i] *= u[i]
    return u[0] * u[1] + math.sin(u[2])


@program(numbers(3).astype(np.float32), numbers(3), tags="float32 mixed_dtypes")
def mixed_precision(a, b):
    u = np.zeros_like(a)
    w = np.zeros(3)
    for i in range(3):
        u[i] = b[i] * a[i]
        w[i] = u[i] * np.float32(0.5) + b[i]
    return w[0] * u[1] + w[2] * u[2]


@program(np.asfortranarray(numbers(3, 4)), numbers(8)[::2], tags="layout", smooth=True)
def other_layouts(a, b):
    s = 0.0
    for i in range(3):
        for j in range(4):
            s += a[i, j] * b[j] * a[i, 0]
    return s


@program(numbers(0), 0.5, tags="empty_array makes_float64")
def empty_array(a, x):
    s = x
    for v in a:
        s += v
    u = np.zeros(0)
    for v in u:
        s *= v
    return s * x + len(a)


@program(numbers(3), tags="method_fill item", smooth=True)
def fill_and_item(a):
    u = np.zeros(3)
    u.fill(a[0])
    u[1] = a.item(1)
    return u[0] * u[1] * u[2]


@program(numbers(3), numbers(3, phase=1), tags="same_argument_twice", smooth=True)
def reads_two_arguments(a, b):
    s = 0.0
    for i in range(3):
        s += a[i] * b[i] * a[2 - i]
    return s


@program(numbers(2, 6), 5, tags="rows_as_buffers", smooth=True)
def alternating_rows(a, n):
    u = a.copy()
    for k in range(n):
        now, then = k % 2, (k + 1) % 2
        for i in range(1, 5):
            u[then, i] = 0.5 * u[now, i] * u[now, i + 1] + 0.2 * u[now, i - 1]
    return u[n % 2, 2] * u[0, 3]


@program(numbers(4), tags="captured_shape prefix", smooth=True)
def prefix_sums(a):
    p = np.zeros(len(a) + 1)
    for i in range(len(a)):
        p[i + 1] = p[i] + a[i] * a[i]
    s = 0.0
    for i in range(len(a)):
        for j in range(i + 1, len(a) + 1):
            s += (p[j] - p[i]) ** 2
    return s


@program(numbers(3), np.array([1, 0, 0]), tags="read write rank1 int_array", smooth=True, cpu=True)
def cells_overwritten_by_later_trips(a, places):
    """Trips 0 and 1 store into one cell, told by an index that changes with the trip."""
    u = np.zeros(len(a) + 2)
    for i in range(len(a)):
        u[max(places[i], 0) + i] = a[i] * a[i]
    s = 0.0
    for i in range(len(u)):
        s += u[i] * (i + 1.0)
    return s


@program(numbers(5), tags="read write rank1", smooth=True, cpu=True)
def read_before_the_next_trip_stores(a):
    """What trip i reads, trip i + 1 overwrites."""
    u = a.copy()
    s = 1.0
    for i in range(1, len(u)):
        s = s * u[i] * u[i] + u[i - 1]
        u[i - 1] = s
    return s + u[0] * u[2]


@program(numbers(6), np.array([3, 0, 0, 1]), tags="read write rank1 int_array", smooth=True)
def read_where_an_earlier_trip_stored(a, places):
    """A cell of a moving place is read, and stored into by a later trip at another place that meets it."""
    u = a.copy()
    s = 0.0
    for i in range(len(places)):
        k = max(places[i], 0)
        s += u[k + i] * u[k + i]
        u[k + i + 1] = s
    return s


@program(numbers(4), np.array([0, 2, 1, 0]), tags="read write rank1 int_array", smooth=True)
def buffer_filled_with_gaps(a, places):
    """Each trip fills only some cells of a buffer that it reads whole: what earlier trips left stays."""
    u = np.zeros(8)
    s = 0.0
    for i in range(len(a)):
        for j in range(2):
            k = max(places[j], 0)
            u[k + j] = a[i] * (j + 1.0)
        for j in range(4):
            s += u[j] * u[j] * a[i]
        u[i] = s
    return s


@program(numbers(5), tags="read write rank1", smooth=True, cpu=True)
def neighbours_in_one_loop(a):
    """The adjoint of one cell gathers from several trips, some of them twice."""
    s = 0.0
    for i in range(1, len(a) - 2):
        s += a[i - 1] * a[i] * a[i + 2] + a[i + 2] + a[i] * s
    return s


@program(numbers(6), tags="read write rank1 slice", smooth=True)
def tests_inside_a_loop_over_a_view(a):
    s = 0.0
    for v in a[2:5]:
        s += v * a[3] * a[-6]
    return s


@program(numbers(8), tags="read write rank1", smooth=True, cpu=True)
def sweep_that_reads_a_far_cell(a):
    """The cell 2 i is a neighbour of the swept one in the first trips, and no neighbour later."""
    u = a.copy()
    for i in range(1, len(u) // 2):
        u[i] = u[i - 1] * u[i] + u[i + 1] * u[2 * i]
    s = 0.0
    for v in u:
        s += v * v
    return s


@program(numbers(4), 3, tags="ping_pong", cpu=True)
def one_element_after_swaps(a, n):
    """The adjoint of one element is all that the reverse loop starts from."""
    u, v = a.copy(), np.zeros_like(a)
    for _ in range(n):
        for i in range(len(u)):
            v[i] = u[i] * u[i]
        u, v = v, u
    return u[1]


@program(numbers(6), tags="array_in_loop", smooth=True, cpu=True)
def zeros_filled_alike_in_each_trip(a):
    """The ends stay zero."""
    s = 0.0
    for k in range(3):
        row = np.zeros(len(a) + 2)
        for i in range(len(a)):
            row[i + 1] = a[i] * (k + 1)
        for i in range(len(a) + 1):
            s += row[i] * row[i + 1]
    return s


@program(numbers(4), tags="array_in_loop", smooth=True, cpu=True)
def zeros_filled_elsewhere_in_each_trip(a):
    """At another place, in more places, in a branch, by additions, and behind the reading: zeros again each time."""
    s = 0.0
    for k in range(3):
        one, more, chosen = np.zeros(4), np.zeros(4), np.zeros(4)
        added, late = np.zeros(4), np.zeros(4)
        one[k] = a[k]
        for i in range(4 - k):
            more[i] = a[i]
            added[i] += a[i]
        if k == 1:
            chosen[2] = a[2]
        for i in range(4):
            s += (one[i] + more[i] * added[i] + chosen[i]) * a[i] * (k + 1) + late[i] * a[3]
            late[3 - i] = a[i]
    return s
