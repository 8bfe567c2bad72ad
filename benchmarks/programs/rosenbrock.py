"""The Rosenbrock valley: one loop over a vector, so small that the call itself is what costs."""

import numpy as np
from numba import njit

from benchmarks.program import Program


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        a = 1.0 - x[i]
        b = x[i + 1] - x[i] ** 2
        total += a * a + 100.0 * b * b
    return total


def make_inputs(size):
    return (np.random.default_rng(0).normal(0.5, 0.5, size),)


@njit(error_model="numpy")
def hand(x):
    n = len(x)
    x_bar = np.empty(n)
    total = 0.0
    carry = 0.0  # what element i received as the neighbour of i - 1
    for i in range(n - 1):
        a = 1.0 - x[i]
        b = x[i + 1] - x[i] ** 2
        total += a * a + 100.0 * b * b
        x_bar[i] = carry - 2.0 * a - 400.0 * b * x[i]
        carry = 200.0 * b
    x_bar[n - 1] = carry
    return total, x_bar


def vectorised(x):
    import jax.numpy as jnp

    a, b = 1.0 - x[:-1], x[1:] - x[:-1] ** 2
    return jnp.sum(a * a + 100.0 * b * b)


PROGRAM = Program(
    title="Rosenbrock",
    fun=rosenbrock,
    argnums=0,
    make_inputs=make_inputs,
    sizes={"n = 2": 2, "n = 10": 10, "n = 10,000": 10_000},
    tiny=6,
    hand=hand,
    jax={"vectorised": vectorised},
)
