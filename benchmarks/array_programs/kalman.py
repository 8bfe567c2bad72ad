"""Log-likelihood of a Kalman filter with four states and two observations, by small matrices."""

import math

import numpy as np
from numba import njit

from benchmarks.program import Program


def log_likelihood(transition, process, noise, observations, observe, shape):
    mean = np.zeros(4)
    covariance = np.eye(4)
    total = 0.0
    for k in range(len(observations)):
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + process * shape
        innovation = observations[k] - observe @ mean
        spread = observe @ covariance @ observe.T + noise * np.eye(2)
        gain = covariance @ observe.T @ np.linalg.inv(spread)
        total -= 0.5 * (innovation @ np.linalg.solve(spread, innovation) + np.log(np.linalg.det(spread)))
        mean = mean + gain @ innovation
        covariance = covariance - gain @ observe @ covariance
    return total


def make_inputs(size):
    """Positions of a point in the plane that moves with nearly constant velocity."""
    rng = np.random.default_rng(0)
    dt = 0.1
    move = np.kron(np.array([[1.0, dt], [0.0, 0.98]]), np.eye(2))
    shape = np.kron(np.array([[dt**3 / 3.0, dt**2 / 2.0], [dt**2 / 2.0, dt]]), np.eye(2))
    observe = np.eye(2, 4)
    root = np.linalg.cholesky(shape)
    state, observations = np.zeros(4), np.empty((size, 2))
    for k in range(size):
        state = move @ state + root @ rng.normal(size=4)
        observations[k] = observe @ state + 0.3 * rng.normal(size=2)
    return move, 1.1, 0.1, observations, observe, shape


vectorised = njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@vectorised
def filter_forward(
    transition, process, noise, observations, observe, shape, means, covariances, half, cross, gains, whites
):
    """The tape has all that the reverse sweep reads of a step.

    half is transition @ covariance, cross the predicted covariance @ observe.T, a row of whites
    inv(spread) @ innovation and then the three elements of inv(spread).
    """
    total = 0.0
    mean, predicted = np.empty(4), np.empty((4, 4))
    for k in range(np.uintp(len(observations))):
        for i in range(4):
            t = 0.0
            for m in range(4):
                t += transition[i, m] * means[k, m]
            mean[i] = t
            for j in range(4):
                t = 0.0
                for m in range(4):
                    t += transition[i, m] * covariances[k, m, j]
                half[k, i, j] = t
        for i in range(4):
            for j in range(4):
                t = process * shape[i, j]
                for m in range(4):
                    t += half[k, i, m] * transition[j, m]
                predicted[i, j] = t
        for i in range(4):
            for a in range(2):
                t = 0.0
                for m in range(4):
                    t += predicted[i, m] * observe[a, m]
                cross[k, i, a] = t
        e0, e1 = observations[k, 0], observations[k, 1]
        s00, s01, s11 = noise, 0.0, noise
        for m in range(4):
            e0 -= observe[0, m] * mean[m]
            e1 -= observe[1, m] * mean[m]
            s00 += observe[0, m] * cross[k, m, 0]
            s01 += observe[0, m] * cross[k, m, 1]
            s11 += observe[1, m] * cross[k, m, 1]
        det = s00 * s11 - s01 * s01
        i00, i01, i11 = s11 / det, -s01 / det, s00 / det
        w0, w1 = i00 * e0 + i01 * e1, i01 * e0 + i11 * e1
        whites[k, 0], whites[k, 1] = w0, w1
        whites[k, 2], whites[k, 3], whites[k, 4] = i00, i01, i11
        total -= 0.5 * (e0 * w0 + e1 * w1 + math.log(det))
        next_k = k + np.uintp(1)
        for i in range(4):
            c0, c1 = cross[k, i, 0], cross[k, i, 1]
            g0, g1 = c0 * i00 + c1 * i01, c0 * i01 + c1 * i11
            gains[k, i, 0], gains[k, i, 1] = g0, g1
            means[next_k, i] = mean[i] + c0 * w0 + c1 * w1
            for j in range(4):
                covariances[next_k, i, j] = predicted[i, j] - g0 * cross[k, j, 0] - g1 * cross[k, j, 1]
    return total


@vectorised
def filter_reverse(transition, observe, shape, means, half, cross, gains, whites):
    """The adjoints of covariances and spreads are kept symmetric."""
    transition_bar = np.zeros((4, 4))
    process_bar = noise_bar = 0.0
    mean_bar, predicted_mean_bar, pulled = np.zeros(4), np.empty(4), np.empty((4, 2))
    covariance_bar, predicted_bar, product = np.zeros((4, 4)), np.empty((4, 4)), np.empty((4, 4))
    n = np.uintp(len(whites))
    for step in range(n):
        k = n - np.uintp(1) - step
        w0, w1 = whites[k, 0], whites[k, 1]
        i00, i01, i11 = whites[k, 2], whites[k, 3], whites[k, 4]
        u0 = u1 = 0.0
        for i in range(4):
            u0 += cross[k, i, 0] * mean_bar[i]
            u1 += cross[k, i, 1] * mean_bar[i]
        v0, v1 = i00 * u0 + i01 * u1, i01 * u0 + i11 * u1
        s00 = 0.5 * (w0 * w0 - i00) - v0 * w0
        s01 = 0.5 * (w0 * w1 - i01) - 0.5 * (v0 * w1 + v1 * w0)
        s11 = 0.5 * (w1 * w1 - i11) - v1 * w1
        for i in range(4):
            p0 = p1 = 0.0
            for m in range(4):
                p0 += covariance_bar[i, m] * gains[k, m, 0]
                p1 += covariance_bar[i, m] * gains[k, m, 1]
            s00 += gains[k, i, 0] * p0
            s01 += gains[k, i, 0] * p1
            s11 += gains[k, i, 1] * p1
            pulled[i, 0], pulled[i, 1] = mean_bar[i] * w0 - 2.0 * p0, mean_bar[i] * w1 - 2.0 * p1
        noise_bar += s00 + s11
        for i in range(4):
            h0, h1 = observe[0, i], observe[1, i]
            pulled[i, 0] += h0 * s00 + h1 * s01
            pulled[i, 1] += h0 * s01 + h1 * s11
            predicted_mean_bar[i] = mean_bar[i] + h0 * (w0 - v0) + h1 * (w1 - v1)
        for i in range(4):
            for j in range(4):
                t = pulled[i, 0] * observe[0, j] + pulled[i, 1] * observe[1, j]
                t += pulled[j, 0] * observe[0, i] + pulled[j, 1] * observe[1, i]
                predicted_bar[i, j] = covariance_bar[i, j] + 0.5 * t
                process_bar += predicted_bar[i, j] * shape[i, j]
        for i in range(4):
            for j in range(4):
                t = u = 0.0
                for m in range(4):
                    t += predicted_bar[i, m] * half[k, m, j]
                    u += predicted_bar[i, m] * transition[m, j]
                transition_bar[i, j] += 2.0 * t + predicted_mean_bar[i] * means[k, j]
                product[i, j] = u
        for i in range(4):
            t = 0.0
            for m in range(4):
                t += transition[m, i] * predicted_mean_bar[m]
            mean_bar[i] = t
            for j in range(4):
                t = 0.0
                for m in range(4):
                    t += transition[m, i] * product[m, j]
                covariance_bar[i, j] = t
    return transition_bar, process_bar, noise_bar


def hand(transition, process, noise, observations, observe, shape):
    n = len(observations)
    means, covariances, half = np.empty((n + 1, 4)), np.empty((n + 1, 4, 4)), np.empty((n, 4, 4))
    cross, gains, whites = np.empty((n, 4, 2)), np.empty((n, 4, 2)), np.empty((n, 5))
    means[0], covariances[0] = 0.0, np.eye(4)
    value = filter_forward(
        transition, process, noise, observations, observe, shape, means, covariances, half, cross, gains, whites
    )
    return value, filter_reverse(transition, observe, shape, means, half, cross, gains, whites)


def scan(transition, process, noise, observations, observe, shape):
    """Inverse and determinant by NumPy's functions."""
    import jax
    import jax.numpy as jnp

    def step(carry, observation):
        mean, covariance = carry
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + process * shape
        innovation = observation - observe @ mean
        spread = observe @ covariance @ observe.T + noise * jnp.eye(2)
        gain = covariance @ observe.T @ jnp.linalg.inv(spread)
        term = innovation @ jnp.linalg.solve(spread, innovation) + jnp.log(jnp.linalg.det(spread))
        return (mean + gain @ innovation, covariance - gain @ observe @ covariance), term

    return -0.5 * jnp.sum(jax.lax.scan(step, (jnp.zeros(4), jnp.eye(4)), observations)[1])


def scan_two_by_two(transition, process, noise, observations, observe, shape):
    """The inverse of two rows and columns is written out."""
    import jax
    import jax.numpy as jnp

    def step(carry, observation):
        mean, covariance = carry
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + process * shape
        innovation = observation - observe @ mean
        (a, b), (c, d) = observe @ covariance @ observe.T + noise * jnp.eye(2)
        det = a * d - b * c
        inverse = jnp.array([[d, -b], [-c, a]]) / det
        gain = covariance @ observe.T @ inverse
        term = innovation @ inverse @ innovation + jnp.log(det)
        return (mean + gain @ innovation, covariance - gain @ observe @ covariance), term

    return -0.5 * jnp.sum(jax.lax.scan(step, (jnp.zeros(4), jnp.eye(4)), observations)[1])


PROGRAM = Program(
    title="Kalman filter",
    fun=log_likelihood,
    argnums=(0, 1, 2),
    make_inputs=make_inputs,
    sizes={"4 states, 500 steps": 500},
    tiny=4,
    hand=hand,
    jax={"scan": scan, "scan, 2 x 2 written out": scan_two_by_two},
    note="the loop became scan",
)
