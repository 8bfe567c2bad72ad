"""Logistic regression by loops over observations and features."""

import math

import numpy as np
from numba import njit

from benchmarks.program import Program


def logistic_loss(weights, features, labels, penalty):
    loss = 0.0
    for i in range(features.shape[0]):
        z = 0.0
        for j in range(features.shape[1]):
            z += features[i, j] * weights[j]
        loss += max(z, 0.0) + math.log1p(math.exp(-abs(z))) - labels[i] * z
    for j in range(len(weights)):
        loss += 0.5 * penalty * weights[j] ** 2
    return loss


def make_inputs(size):
    n, d = size
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, d))
    labels = (features @ rng.normal(size=d) + rng.normal(size=n) > 0.0).astype(np.float64)
    return 0.1 * rng.normal(size=d), features, labels, 0.5


@njit(error_model="numpy")
def hand(weights, features, labels, penalty):
    n, d = features.shape
    weights_bar = np.zeros(d)
    loss = 0.0
    for i in range(n):
        z = 0.0
        for j in range(d):
            z += features[i, j] * weights[j]
        q = math.exp(-abs(z))
        loss += max(z, 0.0) + math.log1p(q) - labels[i] * z
        z_bar = (1.0 if z >= 0.0 else q) / (1.0 + q) - labels[i]
        for j in range(d):
            weights_bar[j] += z_bar * features[i, j]
    for j in range(d):
        loss += 0.5 * penalty * weights[j] ** 2
        weights_bar[j] += penalty * weights[j]
    return loss, weights_bar


fastmath = njit(error_model="numpy", fastmath=True)(hand.py_func)


@njit(error_model="numpy")
def matrix_form(weights, features, labels, penalty):
    """Both products by BLAS."""
    z = features @ weights
    loss = 0.0
    for i in range(len(z)):
        q = math.exp(-abs(z[i]))
        loss += max(z[i], 0.0) + math.log1p(q) - labels[i] * z[i]
        z[i] = (1.0 if z[i] >= 0.0 else q) / (1.0 + q) - labels[i]
    weights_bar = z @ features
    for j in range(len(weights)):
        loss += 0.5 * penalty * weights[j] ** 2
        weights_bar[j] += penalty * weights[j]
    return loss, weights_bar


def vectorised(weights, features, labels, penalty):
    import jax.numpy as jnp

    z = features @ weights
    return jnp.sum(jnp.maximum(z, 0.0) + jnp.log1p(jnp.exp(-abs(z))) - labels * z) + 0.5 * penalty * jnp.sum(weights**2)


PROGRAM = Program(
    title="logistic regression",
    fun=logistic_loss,
    argnums=0,
    make_inputs=make_inputs,
    sizes={"569 x 30": (569, 30), "10,000 x 30": (10_000, 30)},
    tiny=(6, 3),
    hand=hand,
    jax={"vectorised": vectorised},
    variants={"fastmath": fastmath, "BLAS": matrix_form},
)
