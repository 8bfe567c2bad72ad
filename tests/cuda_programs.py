"""Programs for GPUs: each with arguments small enough to run thread by thread; what a table of kernels is made of."""

import math

import numpy as np
from scipy import special

from tests.programs.registry import numbers


def chain(x, w, b):
    return np.sum(np.tanh(x * w + b) ** 2)


def softmax_cross_entropy(z, y):
    m = np.max(z, axis=1)
    total = m + np.log(np.sum(np.exp(z - m[:, None]), axis=1))
    return np.mean(total - np.sum(z * y, axis=1))


def black_scholes(s, k, t, v, r):
    d1 = (np.log(s / k) + (r + 0.5 * v * v) * t) / (v * np.sqrt(t))
    d2 = d1 - v * np.sqrt(t)
    below = 0.5 * (1 + np.tanh(0.8 * d1)), 0.5 * (1 + np.tanh(0.8 * d2))
    return np.sum(s * below[0] - k * np.exp(-r * t) * below[1])


def heat_in_slices(u, a, steps):
    for _ in range(steps):
        u = u.copy()
        u[1:-1, 1:-1] += a * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])
    return np.sum(u * u)


def heat_in_loops(u, a, steps):
    n = len(u)
    for _ in range(steps):
        v = np.empty_like(u)
        v[0] = u[0]
        v[n - 1] = u[n - 1]
        for i in range(1, n - 1):
            v[i] = u[i] + a * (u[i + 1] - 2 * u[i] + u[i - 1])
        u = v
    total = 0.0
    for i in range(n):
        total += u[i] * u[i]
    return total


def logistic_regression(w, x, y):
    p = 1 / (1 + np.exp(-(x @ w)))
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def n_body(p, m):
    energy = 0.0
    for i in range(len(m)):
        for j in range(len(m)):
            if i != j:
                dx = p[i, 0] - p[j, 0]
                dy = p[i, 1] - p[j, 1]
                energy -= m[i] * m[j] / math.sqrt(dx * dx + dy * dy + 0.01)
    return energy


def log_sum_exp(x):
    m = np.max(x)
    return m + np.log(np.sum(np.exp(x - m)))


def mlp(w1, b1, w2, b2, x, y):
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    return np.mean((z - y) ** 2)


def picked(x, index):
    total = 0.0
    for k in range(len(index)):
        total += np.sin(x[index[k]]) * x[k]
    return total


def layer_norm(x, g):
    centred = x - np.mean(x, axis=1)[:, None]
    scale = np.sqrt(np.mean(centred**2, axis=1) + 1e-5)
    return np.sum(np.tanh(centred / scale[:, None] * g) ** 2)


def special_functions(x):
    smooth = special.gammaln(x) + special.digamma(x) * special.gamma(x) + special.erfc(x)
    return np.sum(smooth + np.sinc(x) + special.j0(x) * special.i1(x))


def recurrence(x, a):
    h = 0.0
    for k in range(len(x)):
        h = np.tanh(a * h + x[k])
    return h * h


SAMPLES = {
    chain: (numbers(40), numbers(40, phase=1.0), numbers(40, phase=2.0)),
    softmax_cross_entropy: (numbers(19, 5), numbers(19, 5, phase=1.0)),
    black_scholes: (*(numbers(20, scale=0.3, shift=1.0, phase=p) for p in (0.0, 1.0, 2.0, 3.0)), 0.1),
    heat_in_slices: (numbers(7, 11), 0.1, 3),
    heat_in_loops: (numbers(37), 0.1, 3),
    logistic_regression: (numbers(6), numbers(23, 6), numbers(23, scale=0.4, shift=0.5)),
    n_body: (numbers(17, 2), numbers(17, shift=1.5)),
    log_sum_exp: (numbers(37),),
    mlp: (numbers(3, 7), numbers(7), numbers(7, 2), numbers(2), numbers(18, 3), numbers(18, 2)),
    picked: (numbers(40), np.arange(40) * 7 % 11),
    layer_norm: (numbers(12, 6), numbers(6, shift=1.0)),
    recurrence: (numbers(9), 0.5),
    special_functions: (numbers(11, shift=2.5),),
}
IN_FLOAT32 = [f for f in SAMPLES if f is not special_functions]  # which is computed in float64 everywhere


def args_of(function, dtype=np.float64) -> tuple:
    """Fresh arguments of a program, floats of the given precision."""
    return tuple(
        a.astype(dtype if a.dtype.kind == "f" else a.dtype) if isinstance(a, np.ndarray) else a
        for a in SAMPLES[function]
    )


def argnums_of(function) -> tuple[int, ...]:
    """The arguments to differentiate: all arrays of floats."""
    return tuple(k for k, a in enumerate(SAMPLES[function]) if isinstance(a, np.ndarray) and a.dtype.kind == "f")
