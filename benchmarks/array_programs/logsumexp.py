"""The logarithm of a sum of exponentials of a long vector."""

import math

import numpy as np
from numba import njit

from benchmarks.array_programs.vector import exp, from_ordered, ordered
from benchmarks.program import Program


def logsumexp(x):
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def make_inputs(size):
    return (3.0 * np.random.default_rng(0).normal(size=size),)


BLOCK = 2048  # elements: the block is still in the first cache when it is read again


@njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def adjoint(x, x_bar):
    """Each block is shifted by its own maximum, so that `x` is read from memory once."""
    n, block = np.uintp(x.size), np.uintp(BLOCK)
    blocks = (n + block - np.uintp(1)) // block
    shifts, sums = np.empty(blocks), np.empty(blocks)
    for b in range(blocks):
        start, stop = b * block, min((b + np.uintp(1)) * block, n)
        top_bits = ordered(x[start])
        for i in range(start, stop):
            top_bits = max(top_bits, ordered(x[i]))
        top = from_ordered(top_bits)
        mass = 0.0
        for i in range(start, stop):
            e = exp(x[i] - top)
            x_bar[i] = e
            mass += e
        shifts[b], sums[b] = top, mass
    top = np.max(shifts)
    mass = 0.0
    for b in range(blocks):
        mass += sums[b] * math.exp(shifts[b] - top)
    for b in range(blocks):
        scale = math.exp(shifts[b] - top) / mass
        for i in range(b * block, min((b + np.uintp(1)) * block, n)):
            x_bar[i] *= scale
    return top + math.log(mass)


def hand(x):
    x_bar = np.empty_like(x)
    return adjoint(x, x_bar), x_bar


def unchanged(x):
    import jax.numpy as jnp

    largest = jnp.max(x)
    return largest + jnp.log(jnp.sum(jnp.exp(x - largest)))


def library(x):
    import jax

    return jax.scipy.special.logsumexp(x)


PROGRAM = Program(
    title="log-sum-exp",
    fun=logsumexp,
    argnums=0,
    make_inputs=make_inputs,
    sizes={"10^6": 1_000_000},
    tiny=5,
    hand=hand,
    jax={"unchanged": unchanged, "jax.scipy": library},
)
