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


def _factorise(matrix):
    """The factors and their log-determinant; unsigned indices need no test for negative ones."""
    lu = matrix.copy()
    n = np.uintp(len(lu))
    one = np.uintp(1)
    for k in range(n):
        pivot = lu[k, k]
        for i in range(k + one, n):
            factor = lu[i, k] / pivot
            lu[i, k] = factor
            for j in range(k + one, n):
                lu[i, j] -= factor * lu[k, j]
    total = 0.0
    for k in range(n):
        total += math.log(abs(lu[k, k]))
    return lu, total


def _undo(lu):
    """No tape: what step k reads is final after step k. Four rows at a time hide the latency of their sums."""
    n, one, last = np.uintp(len(lu)), np.uintp(1), np.uintp(len(lu) - 1)
    lu_bar = np.zeros((n, n))
    for step in range(n):
        k = last - np.uintp(step)
        pivot = lu[k, k]
        for i in range(k + one, n):
            for j in range(k + one, n):
                lu_bar[k, j] -= lu_bar[i, j] * lu[i, k]
        pivot_bar = 1.0 / pivot
        for i0 in range(k + one, n, np.uintp(4)):  # at the end the last row is computed more than once
            i1, i2, i3 = min(i0 + one, last), min(i0 + np.uintp(2), last), min(i0 + np.uintp(3), last)
            s0, s1, s2, s3 = lu_bar[i0, k], lu_bar[i1, k], lu_bar[i2, k], lu_bar[i3, k]
            for j in range(k + one, n):
                upper = lu[k, j]
                s0 -= lu_bar[i0, j] * upper
                s1 -= lu_bar[i1, j] * upper
                s2 -= lu_bar[i2, j] * upper
                s3 -= lu_bar[i3, j] * upper
            lu_bar[i0, k], lu_bar[i1, k], lu_bar[i2, k], lu_bar[i3, k] = s0 / pivot, s1 / pivot, s2 / pivot, s3 / pivot
        for i in range(k + one, n):
            pivot_bar -= lu_bar[i, k] * lu[i, k]
        lu_bar[k, k] = pivot_bar
    return lu_bar


def _undo_reassociated(lu):
    """Each row's sum in the order that vectorises."""
    n, one = np.uintp(len(lu)), np.uintp(1)
    lu_bar = np.zeros((n, n))
    for step in range(n):
        k = n - one - np.uintp(step)
        pivot = lu[k, k]
        pivot_bar = 1.0 / pivot
        for i in range(k + one, n):
            factor = lu[i, k]
            total = 0.0
            for j in range(k + one, n):
                total += lu_bar[i, j] * lu[k, j]
            factor_bar = (lu_bar[i, k] - total) / pivot
            for j in range(k + one, n):
                lu_bar[k, j] -= lu_bar[i, j] * factor
            lu_bar[i, k] = factor_bar
            pivot_bar -= factor_bar * factor
        lu_bar[k, k] = pivot_bar
    return lu_bar


def _adjoint(factorise, undo):
    def adjoint(matrix):
        lu, total = factorise(matrix)
        return total, undo(lu)

    return adjoint


_compiled = njit(error_model="numpy")
hand = _compiled(_adjoint(_compiled(_factorise), _compiled(_undo)))
reassociated = _compiled(
    _adjoint(_compiled(_factorise), njit(error_model="numpy", fastmath={"reassoc"})(_undo_reassociated))
)


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
    variants={"sums reassociated": reassociated, "inverse": inverse},
    note="JAX calls LAPACK",
)
