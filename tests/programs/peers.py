"""Programs that other differentiating compilers are known to get wrong."""

import math

import numpy as np

from tests.programs.registry import numbers, program


@program(0.3, 1.1, tags="peer long", smooth=True, cpu=True)
def hundred_steps(k, x):
    v = 0.0
    for _ in range(100):
        v = v - 0.05 * k * x
        x = x + 0.05 * v
    return x


@program(np.array([2.0, 2.0, 2.0]), tags="peer product", smooth=True, cpu=True)
def product_of_elements(x):
    prod = 1.0
    for i in range(3):
        prod *= x[i]
    return prod


@program(np.array([2.0, 0.0, 3.0]), tags="peer product zero", smooth=True)
def product_with_zero(x):
    prod = 1.0
    for v in x:
        prod = prod * v
    return prod


@program(numbers(4, 2), numbers(4, shift=2.0), tags="peer nbody", smooth=True, cpu=True)
def gravitational_energy(position, mass):
    e = 0.0
    for i in range(4):
        for j in range(i):
            dx = position[i, 0] - position[j, 0]
            dy = position[i, 1] - position[j, 1]
            e -= mass[i] * mass[j] / math.sqrt(dx * dx + dy * dy + 0.1)
    return e


@program(10.0, 28.0, 8 / 3, numbers(3), tags="peer rk4 helper tuple_result", smooth=True, cpu=True)
def lorenz_rk4(sigma, rho, beta, start):
    def slope(x, y, z):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    x, y, z = start[0], start[1], start[2]
    h = 0.02
    for _ in range(20):
        a = slope(x, y, z)
        b = slope(x + h / 2 * a[0], y + h / 2 * a[1], z + h / 2 * a[2])
        c = slope(x + h / 2 * b[0], y + h / 2 * b[1], z + h / 2 * b[2])
        d = slope(x + h * c[0], y + h * c[1], z + h * c[2])
        x += h / 6 * (a[0] + 2 * b[0] + 2 * c[0] + d[0])
        y += h / 6 * (a[1] + 2 * b[1] + 2 * c[1] + d[1])
        z += h / 6 * (a[2] + 2 * b[2] + 2 * c[2] + d[2])
    return x * y + z


@program(numbers(8), 0.6, tags="peer break overwritten_read")
def break_with_overwritten_reads(a, x):
    u = np.zeros(3)
    for i in range(8):
        u[0] = u[1] * x + a[i]
        u[1] = u[0] * u[2] + 1
        u[2] = u[1] * u[0]
        if u[2] > 2:
            break
    return u[0] + u[1] * u[2]


@program(0.4, 1.3, tags="peer swap_in_loop while break")
def swap_until(a, b):
    n = 0
    while True:
        a, b = b * 0.9, a * 1.1 + 0.1
        n += 1
        if a > b and n > 4:
            break
    return a * b


@program(numbers(3), tags="peer dead early_return")
def dead_code_after_return(a):
    if a[0] > 0:
        return a[0] * a[1]
        a[0] = 100.0
    return a[2]


@program(numbers(30), tags="peer reads", smooth=True)
def many_reads_of_one_array(x):
    s = 0.0
    for i in range(30):
        s += x[i] * x[29 - i] + x[0]
    return s


@program(0.3, 200, tags="peer long while")
def long_while(x, n):
    s, k = x, 0
    while k < n:
        s = s + 0.01 * math.sin(s * k)
        k += 1
    return s


@program(1.2, 0.8, tags="peer rosenbrock", smooth=True, cpu=True)
def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


@program(numbers(6), tags="peer accumulation", smooth=True)
def running_recurrence(x):
    u = np.zeros(7)
    u[0] = 1.0
    for i in range(6):
        u[i + 1] = u[i] * x[i] + u[i // 2]
    return u[6] * u[3]


@program(numbers(4), 3, tags="peer conditional_swap break ping_pong makes_float64")
def ping_pong_with_break(a, limit):
    u, v = a.copy(), np.zeros(4)
    for k in range(10):
        for i in range(4):
            v[i] = u[i] * u[i] + 0.3 * a[k % 4]
        u, v = v, u
        if u[0] > limit or k == 5:
            break
    return u[0] * v[1] + u[2]


@program(
    numbers(5), numbers(3, 5, phase=1), np.array([1.0, 0.0, 1.0]), tags="peer logistic", argnums=(0, 1), smooth=True
)
def logistic_regression(w, x, y):
    loss = 0.0
    for i in range(x.shape[0]):
        z = 0.0
        for j in range(x.shape[1]):
            z += x[i, j] * w[j]
        loss += max(z, 0.0) - z * y[i] + math.log1p(math.exp(-abs(z)))
    return loss / x.shape[0]


@program(numbers(2, 2), numbers(4, 2, phase=2), tags="peer gmm", smooth=True, cpu=True)
def mixture_log_likelihood(means, x):
    total = 0.0
    terms = np.zeros(2)
    for i in range(x.shape[0]):
        for k in range(2):
            d = 0.0
            for j in range(2):
                d += (x[i, j] - means[k, j]) ** 2
            terms[k] = -0.5 * d
        top = max(terms[0], terms[1])
        s = 0.0
        for k in range(2):
            s += math.exp(terms[k] - top)
        total += top + math.log(s)
    return total


@program(numbers(4), 3, tags="peer in_place product dynamic_loop", smooth=True, cpu=True)
def multiplied_in_place(x, n):
    y = x.copy()
    for k in range(n):
        for i in range(len(y)):
            y[i] *= x[k] + y[i - 1]
        y *= x[0]
    return y[0] + y[1] * y[2] + y[3]


@program(numbers(4), np.array([2, 0, 3, 0]), tags="peer integer_array gather", smooth=True)
def integers_that_index_and_scale(x, k):
    total = 0.0
    for i in range(len(k)):
        total += x[k[i]] ** 2 * k[i] + x[i] * (k[i] // 2)
    return total + np.sum(x[k] * k)


@program(np.array([2.0, 0.0, -3.0]), tags="peer product zero", smooth=True, cpu=True)
def numpy_product_with_zero(x):
    return np.prod(x) + 2.0 * np.prod(x[1:])


@program(np.array([0.0, 0.0, 1.5]), tags="peer product zero", smooth=True)
def numpy_product_with_two_zeros(x):
    return np.prod(x) + 2.0 * np.prod(x[::2])


@program(1.3, 0.4, tags="peer while reverse", smooth=True, cpu=True)
def while_that_depends_on_data(x, y):
    s, k = x, 0
    while s < 20.0 * x and k < 50:
        s = s * (1.0 + y * y) + 0.1 * x
        k += 1
    return s * y
