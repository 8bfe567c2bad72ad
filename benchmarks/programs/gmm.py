"""Log-likelihood of a Gaussian mixture with a Wishart prior, by loops over points, components and dimensions."""

import math

import numpy as np
from numba import njit

from benchmarks.program import Program


def log_sum_exp(values):
    largest = values[0]
    for c in range(1, len(values)):
        if values[c] > largest:
            largest = values[c]
    total = 0.0
    for c in range(len(values)):
        total += math.exp(values[c] - largest)
    return largest + math.log(total)


def gmm(alphas, means, roots, points, gamma, freedom):
    """Row a of roots[c] holds the root of the precision: its logarithm on the diagonal, itself left of it."""
    n, d = points.shape
    k = len(alphas)
    scales = np.empty((k, d))
    log_scales = np.zeros(k)
    prior = 0.0
    for c in range(k):
        for a in range(d):
            scales[c, a] = math.exp(roots[c, a, a])
            log_scales[c] += roots[c, a, a]
            prior += 0.5 * gamma * gamma * scales[c, a] ** 2
            for b in range(a):
                prior += 0.5 * gamma * gamma * roots[c, a, b] ** 2
        prior -= freedom * log_scales[c]
    terms = np.empty(k)
    total = 0.0
    for i in range(n):
        for c in range(k):
            square = 0.0
            for a in range(d):
                t = scales[c, a] * (points[i, a] - means[c, a])
                for b in range(a):
                    t += roots[c, a, b] * (points[i, b] - means[c, b])
                square += t * t
            terms[c] = alphas[c] + log_scales[c] - 0.5 * square
        total += log_sum_exp(terms)
    return total - n * log_sum_exp(alphas) - prior


def make_inputs(size):
    d, k, n = size
    rng = np.random.default_rng(0)
    roots = np.tril(0.3 * rng.normal(size=(k, d, d)))
    return rng.normal(size=k), rng.normal(size=(k, d)), roots, rng.normal(size=(n, d)), 1.0, 2.0


@njit(error_model="numpy")
def hand(alphas, means, roots, points, gamma, freedom):
    # Unsigned indices need no test for negative ones.
    n, d, k = np.uintp(len(points)), np.uintp(points.shape[1]), np.uintp(len(alphas))
    scales = np.empty((k, d))
    log_scales = np.zeros(k)
    prior = 0.0
    for c in range(k):
        for a in range(d):
            scales[c, a] = math.exp(roots[c, a, a])
            log_scales[c] += roots[c, a, a]
            prior += 0.5 * gamma * gamma * scales[c, a] ** 2
            for b in range(a):
                prior += 0.5 * gamma * gamma * roots[c, a, b] ** 2
        prior -= freedom * log_scales[c]

    alphas_bar, means_bar, roots_bar = np.zeros(k), np.zeros((k, d)), np.zeros((k, d, d))
    scaled = np.empty((k, d))  # the tape of one point
    terms = np.empty(k)
    shift = np.empty(d)
    total = 0.0
    for i in range(n):
        largest = -np.inf
        for c in range(k):
            square = 0.0
            for a in range(d):
                t = scales[c, a] * (points[i, a] - means[c, a])
                for b in range(a):
                    t += roots[c, a, b] * (points[i, b] - means[c, b])
                square += t * t
                scaled[c, a] = t
            terms[c] = alphas[c] + log_scales[c] - 0.5 * square
            largest = max(largest, terms[c])
        mass = 0.0
        for c in range(k):
            terms[c] = math.exp(terms[c] - largest)
            mass += terms[c]
        total += largest + math.log(mass)
        for c in range(k):
            weight = terms[c] / mass
            alphas_bar[c] += weight
            for a in range(d):
                shift[a] = points[i, a] - means[c, a]
            for a in range(d):
                t_bar = -weight * scaled[c, a]
                roots_bar[c, a, a] += t_bar * shift[a]
                means_bar[c, a] -= t_bar * scales[c, a]
                for b in range(a):
                    roots_bar[c, a, b] += t_bar * shift[b]
                    means_bar[c, b] -= t_bar * roots[c, a, b]

    largest = alphas[0]
    for c in range(1, k):
        largest = max(largest, alphas[c])
    mass = 0.0
    for c in range(k):
        terms[c] = math.exp(alphas[c] - largest)
        mass += terms[c]
    for c in range(k):
        log_scale_bar = alphas_bar[c] + freedom
        alphas_bar[c] -= len(points) * terms[c] / mass
        for a in range(d):
            scale_bar = roots_bar[c, a, a] - gamma * gamma * scales[c, a]
            roots_bar[c, a, a] = scale_bar * scales[c, a] + log_scale_bar
            for b in range(a):
                roots_bar[c, a, b] -= gamma * gamma * roots[c, a, b]
    return total - len(points) * (largest + math.log(mass)) - prior, (alphas_bar, means_bar, roots_bar)


def vectorised(alphas, means, roots, points, gamma, freedom):
    import jax
    import jax.numpy as jnp

    n, d = points.shape
    diagonal = jnp.diagonal(roots, axis1=1, axis2=2)
    full = jnp.tril(roots, -1) + jnp.exp(diagonal)[:, :, None] * jnp.eye(d)
    scaled = jnp.einsum("cab,icb->ica", full, points[:, None, :] - means)
    log_scales = jnp.sum(diagonal, 1)
    terms = alphas + log_scales - 0.5 * jnp.sum(scaled**2, 2)
    prior = 0.5 * gamma**2 * jnp.sum(full**2) - freedom * jnp.sum(log_scales)
    total = jnp.sum(jax.scipy.special.logsumexp(terms, axis=1))
    return total - n * jax.scipy.special.logsumexp(alphas) - prior


def matrix_form(alphas, means, roots, points, gamma, freedom):
    """Points and means are multiplied by the roots apart, as matrix products."""
    import jax
    import jax.numpy as jnp

    n, d = points.shape
    diagonal = jnp.diagonal(roots, axis1=1, axis2=2)
    full = jnp.tril(roots, -1) + jnp.exp(diagonal)[:, :, None] * jnp.eye(d)
    centre = jnp.einsum("cab,cb->ca", full, means)
    scaled = (points @ full.reshape(-1, d).T).reshape(n, -1, d) - centre
    log_scales = jnp.sum(diagonal, 1)
    terms = alphas + log_scales - 0.5 * jnp.sum(scaled**2, 2)
    prior = 0.5 * gamma**2 * jnp.sum(full**2) - freedom * jnp.sum(log_scales)
    total = jnp.sum(jax.scipy.special.logsumexp(terms, axis=1))
    return total - n * jax.scipy.special.logsumexp(alphas) - prior


PROGRAM = Program(
    title="Gaussian mixture",
    fun=gmm,
    argnums=(0, 1, 2),
    make_inputs=make_inputs,
    sizes={"d = 10, k = 25, n = 1000": (10, 25, 1000)},
    tiny=(3, 2, 4),
    hand=hand,
    jax={"einsum": vectorised, "matrix product": matrix_form},
)
