"""Reconstruction error of points in the subspace that the columns of a matrix span, by einsum."""

import numpy as np
from numba import njit

from benchmarks.program import Program


def reconstruction_error(basis, points):
    scores = np.einsum("ij,jk->ik", points, basis)
    rest = points - np.einsum("ik,jk->ij", scores, basis)
    return np.einsum("ij,ij->", rest, rest) / len(points)


def make_inputs(size):
    n, d, rank = size
    rng = np.random.default_rng(0)
    return np.linalg.qr(rng.normal(size=(d, rank)))[0] + 0.05 * rng.normal(size=(d, rank)), rng.normal(size=(n, d))


@njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def hand(basis, points):
    """All products by BLAS."""
    n = len(points)
    score = np.dot(points, basis)
    rest = np.dot(score, basis.T)
    total = 0.0
    for i in range(np.uintp(n)):
        for j in range(np.uintp(points.shape[1])):
            t = points[i, j] - rest[i, j]
            rest[i, j] = t
            total += t * t
    score_bar = np.dot(rest, basis)
    basis_bar = np.dot(points.T, score_bar)
    second = np.dot(rest.T, score)
    for j in range(np.uintp(basis.shape[0])):
        for k in range(np.uintp(basis.shape[1])):
            basis_bar[j, k] = -2.0 * (basis_bar[j, k] + second[j, k]) / n
    return total / n, basis_bar


def unchanged(basis, points):
    import jax.numpy as jnp

    scores = jnp.einsum("ij,jk->ik", points, basis)
    rest = points - jnp.einsum("ik,jk->ij", scores, basis)
    return jnp.einsum("ij,ij->", rest, rest) / len(points)


def matrix_product(basis, points):
    import jax.numpy as jnp

    rest = points - (points @ basis) @ basis.T
    return jnp.sum(rest * rest) / len(points)


PROGRAM = Program(
    title="principal components by einsum",
    fun=reconstruction_error,
    argnums=0,
    make_inputs=make_inputs,
    sizes={"500 x 50, rank 5": (500, 50, 5)},
    tiny=(4, 3, 2),
    hand=hand,
    jax={"einsum": unchanged, "matrix product": matrix_product},
    primal="numpy",
)
