"""Softmax cross-entropy of rows of scores with integer labels."""

import math

import numpy as np
from numba import njit

from benchmarks.array_programs.vector import exp, from_ordered, log, ordered
from benchmarks.program import Program


def cross_entropy(scores, labels):
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_mass = np.log(np.exp(shifted).sum(axis=1))
    return np.mean(log_mass - shifted[np.arange(len(labels)), labels])


def make_inputs(size):
    rows, classes = size
    rng = np.random.default_rng(0)
    return 2.0 * rng.normal(size=size), rng.integers(0, classes, rows)


vectorised = njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@vectorised
def long_rows(scores, labels, scores_bar):
    n, classes = np.uintp(scores.shape[0]), np.uintp(scores.shape[1])
    loss = 0.0
    for i in range(n):
        largest_bits = ordered(scores[i, 0])
        for j in range(classes):
            largest_bits = max(largest_bits, ordered(scores[i, j]))
        largest = from_ordered(largest_bits)
        mass = 0.0
        for j in range(classes):
            e = exp(scores[i, j] - largest)
            scores_bar[i, j] = e
            mass += e
        label = np.uintp(labels[i])
        loss += math.log(mass) + largest - scores[i, label]
        scale = 1.0 / (n * mass)
        for j in range(classes):
            scores_bar[i, j] *= scale
        scores_bar[i, label] -= 1.0 / n
    return loss / n


BLOCK = 64  # rows


@vectorised
def short_rows(scores, labels, scores_bar):
    """Blocks of rows, transposed: instructions run along the rows of a block, not along the few classes."""
    n, classes = np.uintp(scores.shape[0]), np.uintp(scores.shape[1])
    block = np.empty((classes, BLOCK))
    largest, mass = np.empty(BLOCK), np.empty(BLOCK)
    loss = 0.0
    for start in range(np.uintp(0), n, np.uintp(BLOCK)):
        rows = min(np.uintp(BLOCK), n - start)
        for i in range(rows):
            loss -= scores[start + i, np.uintp(labels[start + i])]
        for j in range(classes):
            for i in range(rows):
                block[j, i] = scores[start + i, j]
        for i in range(rows):
            largest[i] = block[0, i]
            mass[i] = 0.0
        for j in range(classes):
            for i in range(rows):
                largest[i] = max(largest[i], block[j, i])
        for j in range(classes):
            for i in range(rows):
                e = exp(block[j, i] - largest[i])
                block[j, i] = e
                mass[i] += e
        for i in range(rows):
            loss += log(mass[i]) + largest[i]
            mass[i] = 1.0 / (n * mass[i])
        for i in range(rows):
            for j in range(classes):
                scores_bar[start + i, j] = block[j, i] * mass[i]
        for i in range(rows):
            scores_bar[start + i, np.uintp(labels[start + i])] -= 1.0 / n
    return loss / n


def hand(scores, labels):
    scores_bar = np.empty_like(scores)
    adjoint = short_rows if scores.shape[1] < 64 else long_rows
    return adjoint(scores, labels, scores_bar), scores_bar


def take_along_axis(scores, labels):
    import jax
    import jax.numpy as jnp

    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(scores), labels[:, None], 1))


def one_hot(scores, labels):
    import jax
    import jax.numpy as jnp

    hot = jax.nn.one_hot(labels, scores.shape[1], dtype=scores.dtype)
    return -jnp.sum(jax.nn.log_softmax(scores) * hot) / len(labels)


PROGRAM = Program(
    title="softmax cross-entropy",
    fun=cross_entropy,
    argnums=0,
    make_inputs=make_inputs,
    sizes={"1000 x 1000": (1000, 1000), "100,000 x 10": (100_000, 10)},
    tiny=(4, 3),
    hand=hand,
    jax={"one-hot": one_hot, "take_along_axis": take_along_axis},
    primal="numpy",
)
