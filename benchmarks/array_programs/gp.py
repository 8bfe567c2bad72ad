"""Log marginal likelihood of a Gaussian process with a squared-exponential kernel."""

import math

import numpy as np
import scipy.linalg
from numba import njit

from benchmarks.array_programs.vector import exp
from benchmarks.program import Program


def log_likelihood(lengthscale, amplitude, noise, x, y):
    squares = np.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=2)
    covariance = amplitude**2 * np.exp(-0.5 * squares / lengthscale**2) + noise**2 * np.eye(len(x))
    root = np.linalg.cholesky(covariance)
    white = np.linalg.solve(root, y)
    return -0.5 * white @ white - np.sum(np.log(np.diag(root))) - 0.5 * len(x) * np.log(2.0 * np.pi)


def make_inputs(size):
    n, d = size
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 3.0, size=(n, d))
    return 0.9, 1.3, 0.2, x, np.sin(x.sum(axis=1)) + 0.2 * rng.normal(size=n)


vectorised = njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@vectorised
def fill(lengthscale, amplitude, noise, points, squares, covariance):
    """The upper triangle of the covariance; `points` has one row for each coordinate."""
    d, n = np.uintp(points.shape[0]), np.uintp(points.shape[1])
    scale = -0.5 / lengthscale**2
    for i in range(n):
        for j in range(i, n):
            squares[i, j] = 0.0
        for c in range(d):
            for j in range(i, n):
                squares[i, j] += (points[c, i] - points[c, j]) ** 2
        for j in range(i, n):
            covariance[i, j] = amplitude * amplitude * exp(scale * squares[i, j])
        covariance[i, i] += noise * noise


@vectorised
def adjoints(lengthscale, amplitude, noise, squares, inverse, weights):
    """The covariance's adjoint is (weights weights.T - inverse) / 2; off the diagonal it counts twice.

    The kernel is computed again from `squares`: its factor has overwritten it.
    """
    n = np.uintp(len(weights))
    scale = -0.5 / lengthscale**2
    amplitude_bar = lengthscale_bar = noise_bar = 0.0
    for i in range(n):
        for j in range(i + np.uintp(1), n):
            t = (weights[i] * weights[j] - inverse[i, j]) * exp(scale * squares[i, j])
            amplitude_bar += t
            lengthscale_bar += t * squares[i, j]
        t = 0.5 * (weights[i] * weights[i] - inverse[i, i])
        amplitude_bar += t
        noise_bar += t
    lengthscale_bar *= amplitude**2 / lengthscale**3
    return lengthscale_bar, 2.0 * amplitude * amplitude_bar, 2.0 * noise * noise_bar


def hand(lengthscale, amplitude, noise, x, y):
    """By LAPACK, in place; an upper triangle in C is a lower one in Fortran."""
    n = len(x)
    squares, covariance = np.empty((n, n)), np.empty((n, n))
    fill(lengthscale, amplitude, noise, x.T.copy(), squares, covariance)
    factor, _ = scipy.linalg.lapack.dpotrf(covariance.T, lower=1, overwrite_a=1, clean=0)
    half_log_det = float(np.log(np.diag(factor)).sum())
    weights, _ = scipy.linalg.lapack.dpotrs(factor, y, lower=1)
    inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    value = -0.5 * float(y @ weights) - half_log_det - 0.5 * n * math.log(2.0 * math.pi)
    return value, adjoints(lengthscale, amplitude, noise, squares, inverse.T, weights)


def triangular(lengthscale, amplitude, noise, x, y):
    import jax
    import jax.numpy as jnp

    squares = jnp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=2)
    covariance = amplitude**2 * jnp.exp(-0.5 * squares / lengthscale**2) + noise**2 * jnp.eye(len(x))
    root = jnp.linalg.cholesky(covariance)
    white = jax.scipy.linalg.solve_triangular(root, y, lower=True)
    return -0.5 * white @ white - jnp.sum(jnp.log(jnp.diag(root))) - 0.5 * len(x) * jnp.log(2.0 * jnp.pi)


def general_solve(lengthscale, amplitude, noise, x, y):
    import jax.numpy as jnp

    squares = jnp.sum((x[:, None, :] - x[None, :, :]) ** 2, axis=2)
    covariance = amplitude**2 * jnp.exp(-0.5 * squares / lengthscale**2) + noise**2 * jnp.eye(len(x))
    log_det = jnp.linalg.slogdet(covariance)[1]
    return -0.5 * y @ jnp.linalg.solve(covariance, y) - 0.5 * log_det - 0.5 * len(x) * jnp.log(2.0 * jnp.pi)


PROGRAM = Program(
    title="Gaussian process",
    fun=log_likelihood,
    argnums=(0, 1, 2),
    make_inputs=make_inputs,
    sizes={"n = 200, d = 3": (200, 3)},
    tiny=(5, 2),
    hand=hand,
    jax={"cholesky": triangular, "solve, slogdet": general_solve},
    note="its solve_triangular is scipy.linalg's, not NumPy's",
)
