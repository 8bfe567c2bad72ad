"""The Lorenz system by the Runge-Kutta method: a long scalar recurrence, the state a tuple."""

import numpy as np
from numba import njit

from benchmarks.program import Program


def slope(state, sigma, rho, beta):
    x, y, z = state
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


def shifted(state, h, rate):
    return state[0] + h * rate[0], state[1] + h * rate[1], state[2] + h * rate[2]


def runge_kutta_step(state, dt, sigma, rho, beta):
    k1 = slope(state, sigma, rho, beta)
    k2 = slope(shifted(state, 0.5 * dt, k1), sigma, rho, beta)
    k3 = slope(shifted(state, 0.5 * dt, k2), sigma, rho, beta)
    k4 = slope(shifted(state, dt, k3), sigma, rho, beta)
    x = state[0] + dt / 6.0 * (k1[0] + 2.0 * k2[0] + 2.0 * k3[0] + k4[0])
    y = state[1] + dt / 6.0 * (k1[1] + 2.0 * k2[1] + 2.0 * k3[1] + k4[1])
    z = state[2] + dt / 6.0 * (k1[2] + 2.0 * k2[2] + 2.0 * k3[2] + k4[2])
    return x, y, z


def lorenz(sigma, rho, beta, start, dt, steps):
    state = start
    cost = 0.0
    for _ in range(steps):
        state = runge_kutta_step(state, dt, sigma, rho, beta)
        x, y, z = state
        cost += dt * (x * x + y * y + (z - 25.0) ** 2)
    return cost


def make_inputs(size):
    return 10.0, 28.0, 8.0 / 3.0, (1.0, 1.5, 20.0), 5e-4, size


@njit(inline="always")
def _slope(x, y, z, sigma, rho, beta):
    return sigma * (y - x), x * (rho - z) - y, x * y - beta * z


@njit(inline="always")
def _slope_adjoint(x, y, z, sigma, rho, beta, p, q, r):
    return q * (rho - z) + y * r - sigma * p, sigma * p - q + x * r, -x * q - beta * r


@njit(error_model="numpy")
def hand(sigma, rho, beta, start, dt, steps):
    x, y, z = start
    states = np.empty((steps, 3))  # the stages are recomputed from the state before each step
    half, sixth = 0.5 * dt, dt / 6.0
    cost = 0.0
    for step in range(steps):
        states[step, 0], states[step, 1], states[step, 2] = x, y, z
        a0, a1, a2 = _slope(x, y, z, sigma, rho, beta)
        b0, b1, b2 = _slope(x + half * a0, y + half * a1, z + half * a2, sigma, rho, beta)
        c0, c1, c2 = _slope(x + half * b0, y + half * b1, z + half * b2, sigma, rho, beta)
        d0, d1, d2 = _slope(x + dt * c0, y + dt * c1, z + dt * c2, sigma, rho, beta)
        x += sixth * (a0 + 2.0 * b0 + 2.0 * c0 + d0)
        y += sixth * (a1 + 2.0 * b1 + 2.0 * c1 + d1)
        z += sixth * (a2 + 2.0 * b2 + 2.0 * c2 + d2)
        cost += dt * (x * x + y * y + (z - 25.0) ** 2)

    sigma_bar = rho_bar = beta_bar = x_bar = y_bar = z_bar = 0.0
    for step in range(steps - 1, -1, -1):
        x_bar += 2.0 * dt * x
        y_bar += 2.0 * dt * y
        z_bar += 2.0 * dt * (z - 25.0)
        x, y, z = states[step, 0], states[step, 1], states[step, 2]
        a0, a1, a2 = _slope(x, y, z, sigma, rho, beta)
        xb, yb, zb = x + half * a0, y + half * a1, z + half * a2
        b0, b1, b2 = _slope(xb, yb, zb, sigma, rho, beta)
        xc, yc, zc = x + half * b0, y + half * b1, z + half * b2
        c0, c1, c2 = _slope(xc, yc, zc, sigma, rho, beta)
        xd, yd, zd = x + dt * c0, y + dt * c1, z + dt * c2

        p, q, r = sixth * x_bar, sixth * y_bar, sixth * z_bar
        u, v, w = _slope_adjoint(xd, yd, zd, sigma, rho, beta, p, q, r)
        sigma_bar += p * (yd - xd)
        rho_bar += q * xd
        beta_bar -= r * zd
        sum_x, sum_y, sum_z = x_bar + u, y_bar + v, z_bar + w

        p, q, r = 2.0 * sixth * x_bar + dt * u, 2.0 * sixth * y_bar + dt * v, 2.0 * sixth * z_bar + dt * w
        u, v, w = _slope_adjoint(xc, yc, zc, sigma, rho, beta, p, q, r)
        sigma_bar += p * (yc - xc)
        rho_bar += q * xc
        beta_bar -= r * zc
        sum_x, sum_y, sum_z = sum_x + u, sum_y + v, sum_z + w

        p, q, r = 2.0 * sixth * x_bar + half * u, 2.0 * sixth * y_bar + half * v, 2.0 * sixth * z_bar + half * w
        u, v, w = _slope_adjoint(xb, yb, zb, sigma, rho, beta, p, q, r)
        sigma_bar += p * (yb - xb)
        rho_bar += q * xb
        beta_bar -= r * zb
        sum_x, sum_y, sum_z = sum_x + u, sum_y + v, sum_z + w

        p, q, r = sixth * x_bar + half * u, sixth * y_bar + half * v, sixth * z_bar + half * w
        u, v, w = _slope_adjoint(x, y, z, sigma, rho, beta, p, q, r)
        sigma_bar += p * (y - x)
        rho_bar += q * x
        beta_bar -= r * z
        x_bar, y_bar, z_bar = sum_x + u, sum_y + v, sum_z + w
    return cost, (sigma_bar, rho_bar, beta_bar, (x_bar, y_bar, z_bar))


def _scan(wrap):
    def scan(sigma, rho, beta, start, dt, steps):
        import jax
        import jax.numpy as jnp

        def step(state, _):
            state = runge_kutta_step(state, dt, sigma, rho, beta)
            return state, state

        _, (x, y, z) = jax.lax.scan(wrap(step), start, None, length=steps)
        return dt * jnp.sum(x * x + y * y + (z - 25.0) ** 2)

    return scan


def _checkpointed(step):
    import jax

    return jax.checkpoint(step)


PROGRAM = Program(
    title="Lorenz, Runge-Kutta",
    fun=lorenz,
    argnums=(0, 1, 2, 3),
    make_inputs=make_inputs,
    sizes={"10,000 steps": 10_000},
    tiny=20,
    hand=hand,
    jax={"scan": _scan(lambda step: step), "scan, checkpointed step": _scan(_checkpointed)},
    static=1,
)
