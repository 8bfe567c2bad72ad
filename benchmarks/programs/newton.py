"""Kepler's equation solved by Newton's method: a `while` loop whose length depends on the data."""

import math

import numpy as np
from numba import njit

from benchmarks.program import Program


def kepler_misfit(eccentricity, anomalies, observed):
    misfit = 0.0
    for i in range(len(anomalies)):
        angle = anomalies[i]
        step = 1.0
        while abs(step) > 1e-12:
            excess = angle - eccentricity * math.sin(angle) - anomalies[i]
            step = excess / (1.0 - eccentricity * math.cos(angle))
            angle -= step
        radius = 1.0 - eccentricity * math.cos(angle)
        misfit += (radius - observed[i]) ** 2
    return misfit


def make_inputs(size):
    rng = np.random.default_rng(0)
    return 0.6, rng.uniform(0.1, 6.1, size), rng.uniform(0.5, 1.5, size)


@njit(error_model="numpy")
def hand(eccentricity, anomalies, observed):
    n = len(anomalies)
    anomalies_bar = np.empty(n)
    eccentricity_bar = 0.0
    misfit = 0.0
    tape = np.empty((16, 4))
    for i in range(n):
        angle = anomalies[i]
        step = 1.0
        top = 0
        while abs(step) > 1e-12:
            if top == len(tape):
                tape = np.concatenate((tape, tape))
            sine, cosine = math.sin(angle), math.cos(angle)
            slope = 1.0 - eccentricity * cosine
            step = (angle - eccentricity * sine - anomalies[i]) / slope
            angle -= step
            tape[top, 0], tape[top, 1], tape[top, 2], tape[top, 3] = sine, cosine, slope, step
            top += 1
        cosine = math.cos(angle)
        residual = 1.0 - eccentricity * cosine - observed[i]
        misfit += residual**2

        radius_bar = 2.0 * residual
        eccentricity_bar -= radius_bar * cosine
        angle_bar = radius_bar * eccentricity * math.sin(angle)
        anomaly_bar = 0.0
        while top > 0:
            top -= 1
            sine, cosine, slope, step = tape[top, 0], tape[top, 1], tape[top, 2], tape[top, 3]
            excess_bar = -angle_bar / slope
            slope_bar = -excess_bar * step
            eccentricity_bar -= excess_bar * sine + slope_bar * cosine
            anomaly_bar -= excess_bar
            angle_bar = slope_bar * eccentricity * sine  # angle_bar + excess_bar * slope is zero
        anomalies_bar[i] = anomaly_bar + angle_bar
    return misfit, (eccentricity_bar, anomalies_bar)


@njit(error_model="numpy")
def implicit(eccentricity, anomalies, observed):
    """The implicit function theorem at the root in place of the reverse loop."""
    n = len(anomalies)
    anomalies_bar = np.empty(n)
    eccentricity_bar = 0.0
    misfit = 0.0
    for i in range(n):
        angle = anomalies[i]
        step = 1.0
        while abs(step) > 1e-12:
            excess = angle - eccentricity * math.sin(angle) - anomalies[i]
            step = excess / (1.0 - eccentricity * math.cos(angle))
            angle -= step
        sine, cosine = math.sin(angle), math.cos(angle)
        slope = 1.0 - eccentricity * cosine
        residual = slope - observed[i]
        misfit += residual**2
        anomaly_bar = 2.0 * residual * eccentricity * sine / slope
        eccentricity_bar += anomaly_bar * sine - 2.0 * residual * cosine
        anomalies_bar[i] = anomaly_bar
    return misfit, (eccentricity_bar, anomalies_bar)


def _newton_step(eccentricity, anomalies, angle):
    import jax.numpy as jnp

    return (angle - eccentricity * jnp.sin(angle) - anomalies) / (1.0 - eccentricity * jnp.cos(angle))


def _misfit(eccentricity, angle, observed):
    import jax.numpy as jnp

    return jnp.sum((1.0 - eccentricity * jnp.cos(angle) - observed) ** 2)


def bounded_scan(eccentricity, anomalies, observed):
    import jax
    import jax.numpy as jnp

    def body(carry, _):
        angle, running = carry
        step = jnp.where(running, _newton_step(eccentricity, anomalies, angle), 0.0)
        return (angle - step, abs(step) > 1e-12), None

    start = anomalies, jnp.full(anomalies.shape, True)
    (angle, _), _ = jax.lax.scan(body, start, None, length=12)
    return _misfit(eccentricity, angle, observed)


def one_step_after_while(eccentricity, anomalies, observed):
    import jax
    import jax.numpy as jnp

    def newton(carry):
        angle, _ = carry
        step = _newton_step(fixed, known, angle)
        return angle - step, step

    fixed, known = jax.lax.stop_gradient((eccentricity, anomalies))
    start = known, jnp.ones_like(known)
    angle, _ = jax.lax.while_loop(lambda carry: jnp.any(abs(carry[1]) > 1e-12), newton, start)
    return _misfit(eccentricity, angle - _newton_step(eccentricity, anomalies, angle), observed)


PROGRAM = Program(
    title="Newton with while",
    fun=kepler_misfit,
    argnums=(0, 1),
    make_inputs=make_inputs,
    sizes={"1,000 roots": 1000},
    tiny=5,
    hand=hand,
    jax={"bounded scan": bounded_scan, "while_loop, then one step": one_step_after_while},
    variants={"implicit": implicit},
    note="JAX cannot reverse while_loop: a scan of fixed length, or the loop cut off and one step differentiated",
)
