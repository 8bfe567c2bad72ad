"""Logistic regression by a matrix product."""

import numpy as np
from numba import njit

from benchmarks.array_programs.vector import exp, log1p
from benchmarks.program import Program


def logistic_loss(weights, bias, features, labels):
    z = features @ weights + bias
    return np.mean(np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z))) - labels * z)


def make_inputs(size):
    n, d = size
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n, d))
    labels = (features @ rng.normal(size=d) + rng.normal(size=n) > 0.0).astype(np.float64)
    return 0.1 * rng.normal(size=d), 0.2, features, labels


BLOCK = 1024  # rows: those of 30 features are still in the second cache when they are read again


@njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def hand(weights, bias, features, labels):
    n, d = features.shape
    z, weights_part = np.empty(BLOCK), np.empty(d)
    weights_bar = np.zeros(d)
    loss = bias_bar = 0.0
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        block = features[start : start + rows]
        np.dot(block, weights, z[:rows])
        for i in range(rows):
            t = z[i] + bias
            q = exp(-abs(t))
            loss += max(t, 0.0) + log1p(q) - labels[start + i] * t
            z_bar = ((1.0 if t >= 0.0 else q) / (1.0 + q) - labels[start + i]) / n
            bias_bar += z_bar
            z[i] = z_bar
        np.dot(z[:rows], block, weights_part)
        for j in range(d):
            weights_bar[j] += weights_part[j]
    return loss / n, (weights_bar, bias_bar)


def unchanged(weights, bias, features, labels):
    import jax.numpy as jnp

    z = features @ weights + bias
    return jnp.mean(jnp.maximum(z, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(z))) - labels * z)


def softplus(weights, bias, features, labels):
    import jax
    import jax.numpy as jnp

    z = features @ weights + bias
    return jnp.mean(jax.nn.softplus(z) - labels * z)


PROGRAM = Program(
    title="logistic regression, NumPy",
    fun=logistic_loss,
    argnums=(0, 1),
    make_inputs=make_inputs,
    sizes={"10,000 x 30": (10_000, 30)},
    tiny=(6, 3),
    hand=hand,
    jax={"unchanged": unchanged, "softplus": softplus},
)
