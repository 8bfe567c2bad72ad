"""Programs of functions that call themselves: of numbers and arrays, each other, inner ones, as arguments."""

import math

import numpy as np

from tests.programs.registry import numbers, program


def raised(x, n):
    if n == 0:
        return 1.0
    if n % 2 == 1:
        return x * raised(x * x, n // 2)
    return raised(x * x, n // 2)


@program(1.1, 0.7, tags="recursion", smooth=True, cpu=True)
def power_by_squaring(x, y):
    return raised(x, 11) * raised(y, 2) + raised(x * y, 0)


@program(0.6, 2, 2, tags="recursion helper", smooth=True)
def ackermann(x, m, n):
    if m == 0:
        return math.sin(x * n) + n
    if n == 0:
        return ackermann(x * 0.9, m - 1, 1)
    return ackermann(x, m - 1, n - 1) * 0.5 + ackermann(0.8 * x, m, n - 1)


def by_keywords(n, x, **factors):
    return factors["a"] * x if n == 0 else by_keywords(n - 1, x, **factors) * 0.5 + factors["b"]


@program(0.7, 0.4, tags="recursion keywords", smooth=True)
def recursion_with_keywords(x, y):
    return by_keywords(3, x, a=2.0 * y, b=x * y)


def tree(a, low, high):
    if high - low == 1:
        return a[low] * a[low]
    middle = (low + high) // 2
    return tree(a, low, middle) * np.sin(tree(a, middle, high)) + a[middle]


@program(numbers(7), tags="recursion arrays", smooth=True, cpu=True)
def tree_over_ranges(a):
    return tree(a, 0, a.shape[0])


def halves(a):
    if a.shape[0] == 1:
        return a[0] ** 3
    h = a.shape[0] // 2
    return halves(a[:h]) + np.exp(0.1 * halves(a[h:]))


@program(numbers(6), tags="recursion views", smooth=True, cpu=True)
def divide_and_conquer(a):
    return halves(a) * halves(a[::-1])


def transform(real, imag):
    n = real.shape[0]
    if n == 1:
        return real, imag
    a, b = transform(real[::2], imag[::2])
    c, d = transform(real[1::2], imag[1::2])
    angle = -2 * np.pi * np.arange(n // 2) / n
    p, q = np.cos(angle) * c - np.sin(angle) * d, np.sin(angle) * c + np.cos(angle) * d
    return np.concatenate((a + p, a - p)), np.concatenate((b + q, b - q))


@program(numbers(8), numbers(8, phase=2.0), tags="recursion arrays tuples makes_float64", smooth=True, cpu=True)
def fast_fourier(x, y):
    real, imag = transform(x * y, y)
    return np.sum(np.arange(8) * (real**2 + imag**2))


def clenshaw(c, x, k, b1, b2):
    if k == 0:
        return c[0] + x * b1 - b2
    return clenshaw(c, x, k - 1, c[k] + 2 * x * b1 - b2, b1)


@program(numbers(5), 0.3, tags="recursion tail", smooth=True)
def chebyshev_series(c, x):
    return clenshaw(c, x, c.shape[0] - 1, 0.0, 0.0)


def simpson(f, a, b):
    return (b - a) / 6 * (f(a) + 4 * f((a + b) / 2) + f(b))


def adaptive(f, a, b, whole, depth):
    m = (a + b) / 2
    left, right = simpson(f, a, m), simpson(f, m, b)
    if depth == 0 or abs(left + right - whole) < 1e-5:
        return left + right
    return adaptive(f, a, m, left, depth - 1) + adaptive(f, m, b, right, depth - 1)


@program(0.4, 2.0, tags="recursion function_argument closure", smooth=True, differences=False, cpu=True)
def adaptive_simpson(w, b):
    def integrand(t):
        return math.sin(w * t) * math.exp(-t)

    return adaptive(integrand, 0.0, b, simpson(integrand, 0.0, b), 6)


def is_even(x, n):
    if n == 0:
        return x
    return is_odd(x * 1.1, n - 1)


def is_odd(x, n):
    if n == 0:
        return x * x
    return is_even(math.sin(x), n - 1) + is_odd(x, n - 1) * 0.1


@program(0.7, 1.2, tags="recursion mutual", smooth=True, cpu=True)
def mutual_recursion(x, y):
    return is_even(x, 5) * is_odd(y, 4)


@program(numbers(5), 0.8, tags="recursion loop", smooth=True)
def recursion_in_a_loop(a, x):
    total = 0.0
    for i in range(a.shape[0]):
        total += raised(a[i] * x, i) * (total + 1)
    return total


@program(0.9, tags="recursion while", smooth=True)
def recursion_in_a_while(x):
    k, s = 0, 1.0
    while s < 9.0:
        s = s + raised(x + 0.1 * s, k % 3) * 1.5
        k += 1
    return s * k


def grows(x, n):
    for k in range(n):
        x = math.sin(x) + grows(x, n - 1 - k) * 0.3
    return x


@program(0.7, tags="recursion loop", smooth=True)
def loop_in_recursion(x):
    return grows(x, 3)


@program(1.3, 0.4, numbers(3), tags="recursion closure captured", smooth=True, cpu=True)
def recursive_inner_function(a, b, c):
    def go(k, x):
        if k == 3:
            return x * b
        return a * go(k + 1, x * c[k]) + x

    return go(0, b)


@program(0.6, numbers(4), tags="recursion tuple", smooth=True)
def recursion_with_tuples(x, a):
    def fold(p, k):
        if k == 4:
            return p
        first, second = p
        return fold((first * second[k] + 1, second * 0.9), k + 1)

    first, second = fold((x, a), 0)
    return first + np.sum(second**2)


def layered(x, w, n):
    if n == 0:
        return x
    y = w @ layered(x, w, n - 1)
    return y / (1 + y * y) + x


@program(numbers(3), numbers(3, 3), tags="recursion arrays matmul", smooth=True, cpu=True)
def recursive_layers(x, w):
    y = layered(x, w, 3).copy()
    y[0] = y[0] * 2
    return np.sum(y * y)


def smaller(a):
    if a.shape[0] <= 1:
        return np.sum(a * a)
    b = 0.5 * (a[1:] + a[:-1])
    total = 0.0
    for i in range(2):
        b[i % b.shape[0]] *= 1.5
        total += smaller(b) * (i + 1)
    return total + a[0]


@program(numbers(4), tags="recursion arrays shapes", smooth=True)
def changing_shapes(a):
    return smaller(a)


@program(numbers(4).astype(np.float32), np.float32(0.4), tags="recursion float32")
def recursion_in_single_precision(a, x):
    return halves(a * x) + raised(x, 5)


@program(0.7, 3, tags="recursion branch ternary", smooth=True)
def recursion_in_a_ternary(x, n):
    return 1.0 if n == 0 else x * recursion_in_a_ternary(x, n - 1) + math.cos(x)


@program(numbers(6), tags="recursion early_return search")
def recursive_search(a):
    def find(low, high):
        if high - low <= 1:
            return a[low]
        m = (low + high) // 2
        left, right = find(low, m), find(m, high)
        if left > right:
            return left
        return right * 2

    return find(0, 6) ** 2


def mixed(x, n):
    if n == 0:
        return x * x
    return np.concatenate((mixed(x[1:], n - 1), x[:1])) * 0.7 + x


@program(numbers(4), 3, tags="recursion loop arrays rebound", smooth=True, cpu=True)
def recursion_of_a_rebound_array(a, n):
    y = a + 1.0
    for k in range(n):
        if k % 2 == 0:
            y = mixed(y, 2)
        else:
            part = mixed(y[:1], 1)
            y = y + part
    return np.sum(y)


def twice(f, x):
    for _ in range(2):
        x = f(x)
    return x


@program(0.7, tags="recursion lambda closure", smooth=True, cpu=True)
def recursion_of_a_linear_function(x):
    """Nothing is recorded in its calls, and something around them."""
    return twice(lambda v: twice(lambda u: u * 0.5 + 0.1, np.cos(x)) * v, x * x)
