"""LU factorisation in place by loops, and the log-determinant of its diagonal."""

import math

import numpy as np
from numba import njit

from benchmarks.program import Program


def log_determinant(matrix):
    lu = matrix.copy()
    n = lu.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            lu[i, k] /= lu[k, k]
            for j in range(k + 1, n):
                lu[i, j] -= lu[i, k] * lu[k, j]
    total = 0.0
    for k in range(n):
        total += math.log(abs(lu[k, k]))
    return total


def make_inputs(size):
    return (np.random.default_rng(0).normal(size=(size, size)) + size * np.eye(size),)


@njit(error_model="numpy")
def hand(matrix):
    lu = matrix.copy()
    n = lu.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            factor = lu[i, k] / lu[k, k]
            lu[i, k] = factor
            for j in range(k + 1, n):
                lu[i, j] -= factor * lu[k, j]
    total = 0.0
    lu_bar = np.zeros((n, n))
    for k in range(n):
        total += math.log(abs(lu[k, k]))
        lu_bar[k, k] = 1.0 / lu[k, k]

    for k in range(n - 1, -1, -1):  # no tape: what step k reads is final after step k
        pivot_bar = lu_bar[k, k]
        for i in range(k + 1, n):
            factor = lu[i, k]
            factor_bar = lu_bar[i, k]
            for j in range(k + 1, n):
                factor_bar -= lu_bar[i, j] * lu[k, j]
                lu_bar[k, j] -= lu_bar[i, j] * factor
            lu_bar[i, k] = factor_bar / lu[k, k]
            pivot_bar -= lu_bar[i, k] * factor
        lu_bar[k, k] = pivot_bar
    return total, lu_bar


@njit(error_model="numpy")
def inverse(matrix):
    """The gradient as the transposed inverse, by LAPACK."""
    sign, total = np.linalg.slogdet(matrix)
    return total, np.linalg.inv(matrix).T.copy()


def slogdet(matrix):
    import jax.numpy as jnp

    return jnp.linalg.slogdet(matrix)[1]


PROGRAM = Program(
    title="LU, log-determinant",
    fun=log_determinant,
    argnums=0,
    make_inputs=make_inputs,
    sizes={"n = 100": 100},
    tiny=4,
    hand=hand,
    jax={"slogdet": slogdet},
    variants={"inverse": inverse},
    note="JAX calls LAPACK",
)
