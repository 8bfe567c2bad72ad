"""Programs of loops: every iterable, trip count and way out."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(0.9, 5, tags="for range", smooth=True, cpu=True)
def for_range(x, n):
    s = 1.0
    for i in range(n):
        s = s * x + i
    return s


@program(0.9, tags="range_step")
def range_steps(x):
    s = 0.0
    for i in range(10, 0, -3):
        s = s * x + i * x
    for i in range(2, 11, 4):
        s += math.sin(x * i)
    for i in range(-3, 3):
        s *= 1 + x * i / 10
    return s


@program(0.9, 7, -2, tags="range_step")
def range_with_step_argument(x, n, step):
    s = 0.0
    for i in range(n, 0, step):
        s = s * x + i
    for i in range(0, n, -step):
        s = s * x - i
    return s


@program(0.9, 3, tags="for range unchanged", smooth=True)
def one_value_handed_on_twice(x, n):
    a = b = x
    for _ in range(n):
        a, b = a, a
    return a * b


@program(0.9, 0, tags="zero_trips")
def zero_trips(x, n):
    s = x
    for i in range(n):
        s = s * i
    for i in range(3, 1):
        s = s + x * i
    for _ in range(-5):
        s = s * x
    return s * x


@program(0.8, 4, 3, tags="nested_for", smooth=True, cpu=True)
def nested_loops(x, n, m):
    s = 0.0
    for i in range(n):
        p = 1.0
        for j in range(i, m + i):
            p *= x + 0.1 * j
            s += p * i
        s = s * 0.5 + p
    return s


@program(0.8, 5, tags="nested_for triangular", smooth=True)
def triangular_loops(x, n):
    s = x
    for i in range(n):
        for j in range(i):
            s = s * 0.7 + math.sin(s * j)
        for j in range(n, i, -1):
            s = s + x * s / (1 + j)
    return s


@program(numbers(6), tags="over_elements", smooth=True, cpu=True)
def over_elements(a):
    s = 0.0
    for v in a:
        s = s * 0.5 + v * v
    return s


@program(numbers(3, 4), tags="over_rows", smooth=True, cpu=True)
def over_rows(a):
    s = 0.0
    for row in a:
        p = 1.0
        for v in row:
            p *= v + 2
        s += p * row[0]
    return s


@program(numbers(5), numbers(7, phase=2), tags="zip", smooth=True)
def over_zip(a, b):
    s = 0.0
    for u, v in zip(a, b):
        s += u * v * v
    return s


@program(numbers(5), tags="enumerate", smooth=True, cpu=True)
def over_enumerate(a):
    s = 0.0
    for i, v in enumerate(a):
        s += i * v * v
    for i, v in enumerate(a[1:], 2):
        s = s * 0.9 + v**i
    return s


@program(numbers(5), tags="reversed", smooth=True)
def over_reversed(a):
    s = 0.0
    for v in reversed(a):
        s = s * 0.5 + v * v
    for i in reversed(range(1, 5)):
        s = s * 0.9 + a[i] * i
    return s


@program(numbers(4), numbers(4, 2), tags="zip enumerate", smooth=True)
def over_zip_of_rows(a, b):
    s = 0.0
    for k, (v, row) in enumerate(zip(a, b)):
        s += v * row[1] * k + row[0]
    for i, v in zip(range(3, 0, -1), a):
        s = s * v + i
    return s


@program(2.0, tags="while", cpu=True)
def while_newton(a):
    x = a
    while abs(x * x - a) > 1e-14:
        x = 0.5 * (x + a / x)
    return x


@program(0.3, 1.0, tags="while")
def while_data_dependent(x, limit):
    s, n = x, 0
    while s < limit and n < 50:
        s = s * 1.5 + 0.01 * n
        n += 1
    return s * n


@program(1.3, tags="while nested_while")
def nested_while(x):
    s, i = 0.0, 0
    while i < 4:
        t = x * (i + 1)
        while t > 1:
            t = t * 0.6
            s += t * x
        i += 1
        s += t
    return s


def halved(a, k):
    """What a test asks, and changes."""
    a[k] *= 0.5
    return a[k]


@program(numbers(3), 0.3, tags="while store_in_test", cpu=True)
def while_test_that_stores(a, x):
    total = 0.0
    while halved(a, 1) > 0.05:
        total += a[1] * x
    return total + a[0] * a[1] ** 2


@program(numbers(3), 4, tags="while store_in_test and_or")
def while_test_that_may_store(a, n):
    u, k = a * 1.5, 0

    def grown(factor):
        u[k % 3] = u[k % 3] * factor + u[0]
        return np.sum(u)

    while k < n and (k == 1 or grown(1.1) < 1000.0):
        k += 1
    return np.sum(u**2)


@program(numbers(3), 0.4, tags="while store_in_test break")
def while_test_that_stores_in_a_loop(a, limit):
    u = a.copy()

    def smoothed():
        for i in range(1, len(u)):
            u[i] = 0.7 * u[i] + 0.2 * u[i - 1]
        return np.sum(u * u)

    trips = 0
    while smoothed() > limit:
        u[0] *= 0.8
        trips += 1
        if trips == 3:
            break
    return u[2] * u[1]


@program(0.7, tags="while zero_trips")
def while_zero_trips(x):
    s = x * x
    while s > 100:
        s = s / 2
    return s


@program(0.7, tags="while_true break")
def while_true(x):
    s, k = 1.0, 0
    while True:
        s *= 1 + x / (k + 1)
        k += 1
        if s > 2.5:
            break
    return s * x


@program(numbers(8), tags="break", cpu=True)
def for_break(a):
    s = 0.0
    for i in range(len(a)):
        if a[i] < -0.5:
            break
        s += a[i] * a[i]
    return s * i


@program(numbers(8), tags="continue", cpu=True)
def for_continue(a):
    s = 1.0
    for v in a:
        if v < 0:
            s *= 0.9
            continue
        s += s * v
    return s


@program(numbers(8), 0.4, tags="break continue")
def break_and_continue(a, x):
    s = x
    for i, v in enumerate(a):
        if i == 1:
            continue
        t = v * x
        if t < -0.3:
            s += t * t
            if i > 4:
                break
            continue
        s = s * 1.1 + t
    return s


@program(0.8, 6, tags="continue while")
def while_continue(x, n):
    i, s = 0, x
    while i < n:
        i += 1
        if i % 3 == 0:
            continue
        s = s * x + 1 / i
    return s


@program(numbers(6), 0.5, tags="for_else")
def for_else(a, x):
    s = 0.0
    for v in a:
        if v > 5:
            break
        s += v * x
    else:
        s *= x
    for v in a:
        if v < 0:
            s += v
            break
    else:
        s = 1000.0
    return s


@program(0.5, tags="while_else")
def while_else(x):
    s = x
    while s < 2:
        s = s * 1.7
        if s > 1.9:
            break
    else:
        s = s * s
    while s < 20:
        s = s * s
    else:
        s = s * x
    return s


@program(numbers(4, 5), tags="break nested_for")
def break_in_inner_loop(a):
    s = 0.0
    for i in range(a.shape[0]):
        p = 1.0
        for j in range(a.shape[1]):
            if p * p > 1.5:
                break
            p = p * (1 + a[i, j])
        s += p * j
    return s


@program(numbers(4, 5), tags="break nested_for for_else")
def break_two_levels(a):
    s = 1.0
    for row in a:
        for v in row:
            s = s * 0.8 + v
            if s < 0:
                break
        else:
            s += 0.1
            continue
        s = s * s
    return s


@program(0.6, 5, tags="after_loop")
def variables_after_loop(x, n):
    for i in range(n):
        y = x * (i + 1)
        if i == 2:
            z = y * y
    return y * i + z


@program(0.6, 5, tags="rebinding loop_types")
def int_becomes_float_in_loop(x, n):
    s = 0
    p = 1
    for _ in range(n):
        s += x * p
        p = p * 2
    return s


@program(0.3, 0.9, 7, tags="swap_in_loop", smooth=True, cpu=True)
def swap_in_loop(a, b, n):
    for _ in range(n):
        a, b = b, a + b * 0.5
    return a * b


@program(0.3, 0.9, 1.4, tags="swap_in_loop")
def rotate_in_loop(a, b, c):
    for i in range(5):
        a, b, c = c, a, b * a
        if i % 2:
            a, c = c, a
    return a + 2 * b + 3 * c


@program(0.2, 1.1, tags="swap_in_loop while")
def swap_in_while(a, b):
    while a < 5:
        a, b = b, a + b
    return a * b


@program(1.0, 0.5, 50, tags="long recurrence", smooth=True)
def long_recurrence(x, y, n):
    for k in range(n):
        x, y = x + 0.05 * y, y - 0.05 * math.sin(x) * (1 + k / 100)
    return x * y


@program(0.5, 6, tags="loop_invariant", smooth=True)
def loop_invariants(x, n):
    s = 0.0
    for i in range(n):
        c = math.exp(x) * 2
        s += c * i * x
    return s


@program(0.5, tags="range_rebound")
def loop_variable_rebound(x):
    s = 0.0
    n = 4
    for i in range(n):
        i = i * 2
        n = 2
        s += i * x * n
    return s + i * x


@program(numbers(5), 3, tags="loop_index")
def computed_indices(a, n):
    s = 0.0
    k = 0
    for i in range(20):
        k = (k * n + i) % 5
        s = s * 0.9 + a[k] * a[i % 5]
    return s


@program(10.0, 28.0, 8 / 3, 40, tags="ode", smooth=True)
def lorenz(sigma, rho, beta, n):
    x, y, z = 1.0, 1.0, 1.0
    h = 0.01
    for _ in range(n):
        dx = sigma * (y - x)
        dy = x * (rho - z) - y
        dz = x * y - beta * z
        x += h * dx
        y += h * dy
        z += h * dz
    return x + y * 0.1 + z


@program(numbers(4), tags="unrolled")
def over_literal_tuple(a):
    s = 0.0
    for k in (3, 0, 2):
        s = s * 0.5 + a[k] * a[k]
    for i, w in enumerate((0.5, 1, a[0])):
        s += w * a[i]
    for f in (math.sin, np.exp):
        s += f(a[1])
    return s


@program(numbers(3), tags="unrolled break")
def unrolled_with_break(a):
    s = 0.0
    for w in (a[0], a[1], a[2]):
        if w < -0.5:
            break
        s += w * w
    else:
        s = s * 2
    return s


@program(0.4, 3, tags="loop_condition")
def condition_carried(x, n):
    flag = False
    s = x
    for i in range(n + 3):
        if flag:
            s = s * 2
        flag = s < 1.5 or i == 4
        s += 0.2 * x
    return s


@program(numbers(4, 6), numbers(4, 6, phase=1.0), tags="search", cpu=True)
def searches(x, y):
    """The largest of each row, the last of the smallest products, and where they are."""
    total = 0.0
    for row in x:
        m = row[0]
        for j in range(1, row.size):
            if row[j] > m:
                m = row[j]
        total += m * m
    for i in range(len(x)):
        least, where = 1e9, -1
        for j in range(x.shape[1]):
            v = x[i, j] * math.sin(y[i, j])
            if least >= v:
                least = v
                where = j
        total += least**3 * where
    return total


@program(numbers(7), 0.1, tags="search")
def searches_by_choice(x, start):
    """By conditional expressions, upside down, over no trips, and of values that no array holds."""
    m = start
    for v in x:
        m = m if v < m else v
    nearest = 3.0 * start
    for i in range(2, len(x)):
        nearest = x[i] - start if abs(x[i] - 0.3) < nearest else nearest
    none = start
    for v in x[:0]:
        none = max(v, none) if v > none else none
    constant = start * 2.0
    for i in range(len(x)):
        if x[i] > constant:
            constant = 0.7
    number = start
    for i in range(len(x)):
        if x[i] > number:
            number = i * 0.01
    return m * nearest + none + constant**2 + number


@program(numbers(6), tags="search store")
def searches_that_change_what_they_search(x):
    """A value that a later trip overwrites cannot be read again; nor one that depends on what was found before."""
    y = x.copy()
    m = y[0]
    for i in range(1, len(y)):
        if y[i] > m:
            m = y[i]
        y[i - 1] = 0.5 * y[i]
        y[i] = 3.0 * y[i]
    peak = 0.1
    for i in range(len(x)):
        if x[i] * peak < 0.05:
            peak = x[i] + 0.5 * peak
    best = 0.2
    total = 0.0
    for i in range(len(x)):
        total += best
        if x[i] > best:
            best = x[i]
    return m * m + peak + total * best + y[2]


@program(np.array([0.3, np.nan, 0.9, 0.4]), tags="search nan", differences=False)
def search_among_nans(x):
    m = x[0]
    for j in range(1, len(x)):
        if x[j] > m:
            m = x[j]
    least = x[1]
    for j in range(len(x)):
        if x[j] < least:
            least = x[j]
    return m * 2.0 + (least if least > 0.0 else x[3])


@program(numbers(150, 3), numbers(3, phase=2.0), tags="strips", smooth=True, cpu=True)
def functions_beside_inner_loops(x, w):
    """Over more trips than a strip has; inner loops before, between and after the functions."""
    total = 0.0
    norm = 0.0
    for i in range(len(x)):
        z = 0.1 * i
        for j in range(len(w)):
            z += x[i, j] * w[j]
        p = 1.0 / (1.0 + math.exp(-z))
        square = 0.0
        for j in range(1, len(w)):
            square += x[i, j] * p * x[i, 0] * i
        total += math.log(1.0 + square * square) * p - 0.01 * z
        norm += p
    return total * norm


@program(numbers(70), numbers(70, 4), tags="strips store", cpu=True)
def strips_with_stores_and_branches(x, y):
    """What trips hand on in arrays, in branches and in integers; a count beside the sums."""
    u = x.copy()
    counts = np.zeros(4)
    total, count = 0.0, 0
    for i in range(3, len(x)):
        k = i % 4
        if u[i] > 0.2:
            count += 1
            u[i] = math.exp(-u[i]) * y[i, k]
        else:
            total += math.sin(u[i])
        for j in range(4):
            u[i] += y[i, j] * 0.1
            counts[j] += u[i]
        total -= math.tanh(u[i]) * k
        u[i] = 0.5 * u[i] * u[i]
        total += u[i]
    return total + count * counts[1] * 0.01 + u[7] * counts[3]


@program(numbers(66), numbers(5), tags="strips recurrence", cpu=True)
def functions_in_loops_that_cannot_be_split(x, w):
    """A trip reads what the one before left: in a variable, in an array, in an array of all trips."""
    previous, total = 0.3, 0.0
    buffer = np.zeros(5)
    running = np.zeros(len(x))
    for i in range(1, len(x)):
        z = 0.0
        for j in range(len(w)):
            z += w[j] * x[i] + 0.1 * buffer[j]
        previous = math.tanh(z + previous)
        buffer[i % 5] = previous
        total += previous
    for i in range(1, len(x)):
        z = 0.0
        for j in range(len(w)):
            z += w[j] * running[i - 1]
        running[i] = math.tanh(z + x[i])
        total += running[i]
    return total


@program(numbers(70, 3), numbers(3), np.arange(70) * 7 % 3 - 3, tags="strips index", cpu=True)
def strips_with_tests_and_memory(x, w, labels):
    """Places that data give are tested before; each trip has an array of its own."""
    total = 0.0
    for i in range(len(x)):
        terms = np.empty(len(w))
        z = 0.0
        for j in range(len(w)):
            terms[j] = x[i, j] * w[j]
            z += terms[j]
        p = math.tanh(z)
        for j in range(len(w)):
            total += terms[j] ** 2 * p
        total += p * x[i, labels[i]]
    return total


@program(numbers(4, 4), numbers(4), tags="arrays", smooth=True, cpu=True)
def array_that_only_a_loop_binds(w, x):
    h = np.zeros(4)
    for t in range(3):
        change = (w @ h + x * t) ** 2
        h = h + 0.5 * change
    return np.sum(change * h)


@program(numbers(5), 3, tags="arrays", smooth=True)
def array_that_only_loops_bind(x, n):
    total, k = 0.0, 0
    while k < n:
        for j in range(2):
            row = x * (k + j)
        total = total + row[k] * row[0]
        k += 1
    return total * row[0] * row[1]


@program(0.7, 2, tags="range", smooth=True, cpu=True)
def steps_by_a_condition(x, n):
    step = 2 if n > 2 else 3
    total = 0.0
    for i in range(0, 10, step):
        total += x**2 * i
    step = -step
    for i in range(9, 0, step):
        total += total * x + i
    return total


@program(0.9, numbers(5), tags="loop nested recurrence", smooth=True, cpu=True)
def recurrence_in_each_trip(a, x):
    """The function of a short inner loop needs what its last trip has made."""
    total = 0.0
    for i in range(len(x)):
        v = x[i]
        for _ in range(5):
            v = math.sin(v) * a
        total += v
    return total
