"""Programs that combine constructs in ways that once went wrong; most were found and shrunk by the random programs."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(numbers(5), 4, tags="swap_in_branch ping_pong", argnums=(0,), cpu=True)
def swaps_inside_a_branch(b, n):
    if n > 2:
        u = np.zeros_like(b)
        for _ in range(n):
            b, u = u, b
    return b[1]


@program(numbers(3), numbers(4, 3, phase=1), 0.4, tags="swap_in_branch ping_pong")
def filled_and_swapped_in_a_branch(b, a, x):
    if x > 3:
        b[0] = x
    else:
        u = np.zeros_like(b)
        for _ in range(1):
            for i in range(3):
                u[i] = a[3, -3] * x
            b, u = u, b
    return b[-3]


@program(numbers(3), 0.7, tags="swap_in_branch early_return")
def swapped_then_stored(a, x):
    if x > 0:
        if x > 0.5:
            u = np.zeros_like(a)
            a, u = u, a
        else:
            x = a[1]
        a[2] = 0.5 * x
    return x * a[2]


@program(numbers(4), 3, tags="early_return negative_index", argnums=(0,), cpu=True)
def store_after_early_return(a, n):
    if n <= 0:
        return 1.77
    a[-2] = math.tanh(a[n])
    return a[3] * a[2]


@program(numbers(4), 3, tags="early_return negative_index", argnums=(0,))
def inactive_store_after_early_return(a, n):
    if n <= 0:
        return 1.77
    a[-2] = math.tanh(a[n])
    return a[3]


@program(numbers(5, 3), 0.4, tags="for_else early_return aliasing break")
def alias_after_for_else(a, x):
    for _ in range(4):
        break
    else:
        return x
    w = a
    w[2, 2] = math.tanh(x)
    return a[4, 2] * a[2, 2]


@program(0.7, 3, tags="nested_while triangular reversed")
def while_in_reversed_triangle(x, n):
    s, w = x, math.sin(2.0)
    for i in range(n):
        for _ in reversed(range(i)):
            while w < 0.67:
                s = s * x
    return s


@program(0.7, 3, tags="nested_while triangular reversed", cpu=True)
def while_runs_in_reversed_triangle(x, n):
    s = x
    for i in range(n):
        for j in reversed(range(i)):
            t = s
            while t < 2.0:
                t = t * 1.5 + x * j
            s += 0.1 * t
    return s


@program(numbers(4), 0.3, tags="carried_array element_loop")
def copied_and_rebound_in_loop(a, x):
    u = np.zeros_like(a)
    for k in range(3):
        for i in range(4):
            a[i] = a[i] * 0.5 + u[i]
        new = u.copy()
        new[3 - k] = a[k] * x
        u = new
    return a[1] * u[2] + u[3]


@program(numbers(6), 2, tags="carried_array element_loop")
def stored_and_rebound_to_fresh(a, n):
    s = 0.0
    for k in range(n):
        fresh = np.zeros_like(a)
        for i in range(6):
            a[i] = a[i] * a[i] + fresh[5 - i] * 0.5
            fresh[i] = a[i] * 0.3
        s += a[k]
        fresh, a = a, fresh
    return s * a[3]


@program(0.4, -0.2, tags="condition kink early_return")
def conditions_on_results(x, y):
    flag = x > y
    for i in range(3):
        if flag and x < 1:
            x = x * 1.5 + y
            flag = not flag
        elif not flag or i > 1:
            y -= x * y
            flag = y < 0
    return x * y if flag else x + y


@program(numbers(5), numbers(5, phase=1), 4, tags="conditional_swap while", cpu=True)
def swaps_depending_on_data(a, b, n):
    u, v = a.copy(), b.copy()
    k = 0
    while k < n:
        k += 1
        for i in range(5):
            v[i] = 0.5 * u[i] * v[i] + 0.4
        if v[k] > u[0]:
            u, v = v, u
        elif k == 2:
            continue
        u[k] += v[0] * v[k]
    return u[1] * v[2] + u[4]


@program(numbers(5), 3, tags="view conditional_swap", cpu=True)
def views_of_swapped_buffers(a, n):
    u, v = a.copy(), np.zeros_like(a)
    head = u[:2]
    for _ in range(n):
        inner = v[1:4]
        for i in range(3):
            inner[i] = u[i] * u[i + 2] + head[0]
        head[1] = inner[0] * 0.5
        u, v = v, u
    return u[1] * v[2] + head[0] * head[1]
