"""A network of three dense layers with softmax cross-entropy, in float32."""

import math

import numpy as np
from numba import njit

from benchmarks.array_programs.vector import exp_single
from benchmarks.program import Program


def mlp_loss(layers, inputs, labels):
    h = inputs
    for weights, bias in layers[:-1]:
        h = np.maximum(h @ weights + bias, 0.0)
    weights, bias = layers[-1]
    z = h @ weights + bias
    z = z - z.max(axis=1, keepdims=True)
    log_mass = np.log(np.exp(z).sum(axis=1))
    return np.mean(log_mass - z[np.arange(len(labels)), labels])


def make_inputs(size):
    batch, *widths = size
    rng = np.random.default_rng(0)

    def layer(rows, columns):
        weights = math.sqrt(2.0 / rows) * rng.normal(size=(rows, columns))
        return weights.astype(np.float32), (0.1 * rng.normal(size=columns)).astype(np.float32)

    layers = tuple(layer(*pair) for pair in zip(widths[:-1], widths[1:], strict=True))
    return layers, rng.normal(size=(batch, widths[0])).astype(np.float32), rng.integers(0, widths[-1], batch)


vectorised = njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
ZERO, ONE = np.float32(0.0), np.float32(1.0)


@vectorised
def add_bias_and_clip(z, bias):
    for i in range(np.uintp(z.shape[0])):
        for j in range(np.uintp(z.shape[1])):
            z[i, j] = max(z[i, j] + bias[j], ZERO)


@vectorised
def clip_adjoint(h_bar, h, bias_bar):
    for i in range(np.uintp(h.shape[0])):
        for j in range(np.uintp(h.shape[1])):
            t = h_bar[i, j] if h[i, j] > ZERO else ZERO
            h_bar[i, j] = t
            bias_bar[j] += t


@vectorised
def cross_entropy_adjoint(z, bias, labels, bias_bar):
    """The loss; `z` becomes its own adjoint."""
    n, classes = np.uintp(z.shape[0]), np.uintp(z.shape[1])
    share = ONE / np.float32(z.shape[0])
    loss = 0.0
    for i in range(n):
        for j in range(classes):
            z[i, j] += bias[j]
        largest = z[i, 0]
        for j in range(classes):
            largest = max(largest, z[i, j])
        label = np.uintp(labels[i])
        loss += largest - z[i, label]
        mass = ZERO
        for j in range(classes):
            e = exp_single(z[i, j] - largest)
            z[i, j] = e
            mass += e
        loss += math.log(mass)
        scale = share / mass
        for j in range(classes):
            z[i, j] *= scale
        z[i, label] -= share
        for j in range(classes):
            bias_bar[j] += z[i, j]
    return loss / n


def hand(layers, inputs, labels):
    (weights1, bias1), (weights2, bias2), (weights3, bias3) = layers
    h1 = np.dot(inputs, weights1)
    add_bias_and_clip(h1, bias1)
    h2 = np.dot(h1, weights2)
    add_bias_and_clip(h2, bias2)
    z = np.dot(h2, weights3)

    bias1_bar, bias2_bar, bias3_bar = np.zeros_like(bias1), np.zeros_like(bias2), np.zeros_like(bias3)
    loss = cross_entropy_adjoint(z, bias3, labels, bias3_bar)
    weights3_bar = np.dot(h2.T, z)
    h2_bar = np.dot(z, weights3.T)
    clip_adjoint(h2_bar, h2, bias2_bar)
    weights2_bar = np.dot(h1.T, h2_bar)
    h1_bar = np.dot(h2_bar, weights2.T)
    clip_adjoint(h1_bar, h1, bias1_bar)
    weights1_bar = np.dot(inputs.T, h1_bar)
    return loss, ((weights1_bar, bias1_bar), (weights2_bar, bias2_bar), (weights3_bar, bias3_bar))


def take_along_axis(layers, inputs, labels):
    import jax
    import jax.numpy as jnp

    h = inputs
    for weights, bias in layers[:-1]:
        h = jax.nn.relu(h @ weights + bias)
    weights, bias = layers[-1]
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(h @ weights + bias), labels[:, None], 1))


PROGRAM = Program(
    title="three dense layers, float32",
    fun=mlp_loss,
    argnums=0,
    make_inputs=make_inputs,
    sizes={f"784-256-128-10, batch {batch}": (batch, 784, 256, 128, 10) for batch in (64, 1024)},
    tiny=(3, 5, 4, 4, 3),
    hand=hand,
    jax={"log_softmax": take_along_axis},
    primal="numpy",
    tolerance=1e-5,
)
