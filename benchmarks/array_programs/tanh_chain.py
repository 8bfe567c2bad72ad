"""A sum over a chain of elementwise operations on long vectors."""

import numpy as np
from numba import njit

from benchmarks.array_programs.vector import tanh
from benchmarks.program import Program


def tanh_chain(x, w, b):
    return np.sum(np.tanh(x * w + b) ** 2)


def make_inputs(size):
    rng = np.random.default_rng(0)
    return rng.normal(size=size), rng.normal(size=size), rng.normal(size=size)


@njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def adjoint(x, w, b, x_bar, w_bar, b_bar):
    total = 0.0
    for i in range(x.size):
        t = tanh(x[i] * w[i] + b[i])
        total += t * t
        z_bar = 2.0 * t * (1.0 - t * t)
        x_bar[i] = z_bar * w[i]
        w_bar[i] = z_bar * x[i]
        b_bar[i] = z_bar
    return total


def hand(x, w, b):
    # NumPy's allocator asks for huge pages, Numba's does not.
    gradient = np.empty_like(x), np.empty_like(w), np.empty_like(b)
    return adjoint(x, w, b, *gradient), gradient


def unchanged(x, w, b):
    import jax.numpy as jnp

    return jnp.sum(jnp.tanh(x * w + b) ** 2)


PROGRAM = Program(
    title="tanh chain",
    fun=tanh_chain,
    argnums=(0, 1, 2),
    make_inputs=make_inputs,
    sizes={"10^3": 1000, "10^5": 100_000, "10^7": 10_000_000},
    tiny=5,
    hand=hand,
    jax={"unchanged": unchanged},
)
