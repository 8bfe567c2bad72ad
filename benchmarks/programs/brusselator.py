"""A reaction-diffusion stencil on two fields: each step reads one pair of buffers and writes the other."""

import numpy as np
from numba import njit

from benchmarks.program import Program


def brusselator(u0, v0, a, b, diffusion, dt, steps):
    n, m = u0.shape
    u, v = u0.copy(), v0.copy()
    u_next, v_next = u0.copy(), v0.copy()
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                spread_u = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - 4.0 * u[i, j]
                spread_v = v[i - 1, j] + v[i + 1, j] + v[i, j - 1] + v[i, j + 1] - 4.0 * v[i, j]
                made = u[i, j] * u[i, j] * v[i, j]
                u_next[i, j] = u[i, j] + dt * (diffusion * spread_u + a + made - (b + 1.0) * u[i, j])
                v_next[i, j] = v[i, j] + dt * (diffusion * spread_v + b * u[i, j] - made)
        u, u_next = u_next, u
        v, v_next = v_next, v
    total = 0.0
    for i in range(n):
        for j in range(m):
            total += (u[i, j] - a) ** 2
    return total / (n * m)


def make_inputs(size):
    n, steps = size
    rng = np.random.default_rng(0)
    return 1.0 + 0.5 * rng.random((n, n)), 3.0 + 0.5 * rng.random((n, n)), 1.0, 3.0, 0.2, 0.01, steps


@njit(error_model="numpy")
def _step(u, v, u_next, v_next, a, b, diffusion, dt):
    """One step; unsigned indices need no test for negative ones."""
    n, m, one = np.uintp(u.shape[0]), np.uintp(u.shape[1]), np.uintp(1)
    for i in range(one, n - one):
        for j in range(one, m - one):
            spread_u = u[i - one, j] + u[i + one, j] + u[i, j - one] + u[i, j + one] - 4.0 * u[i, j]
            spread_v = v[i - one, j] + v[i + one, j] + v[i, j - one] + v[i, j + one] - 4.0 * v[i, j]
            made = u[i, j] * u[i, j] * v[i, j]
            u_next[i, j] = u[i, j] + dt * (diffusion * spread_u + a + made - (b + 1.0) * u[i, j])
            v_next[i, j] = v[i, j] + dt * (diffusion * spread_v + b * u[i, j] - made)


@njit(error_model="numpy")
def _undo_step(u, v, u_bar, v_bar, u_next, v_next, rates_bar, b, diffusion, dt):
    """The reverse of one step, gathered; the rates are summed by columns, so that the inner loop vectorises."""
    n, m, one = np.uintp(u.shape[0]), np.uintp(u.shape[1]), np.uintp(1)
    w = dt * diffusion
    for i in range(one, n - one):
        for j in range(one, m - one):
            x, y, p, q = u[i, j], v[i, j], u_bar[i, j], v_bar[i, j]
            spread_u = u[i - one, j] + u[i + one, j] + u[i, j - one] + u[i, j + one] - 4.0 * x
            spread_v = v[i - one, j] + v[i + one, j] + v[i, j - one] + v[i, j + one] - 4.0 * y
            rates_bar[0, j] += p
            rates_bar[1, j] += (q - p) * x
            rates_bar[2, j] += p * spread_u + q * spread_v
            spread_p = u_bar[i - one, j] + u_bar[i + one, j] + u_bar[i, j - one] + u_bar[i, j + one] - 4.0 * p
            spread_q = v_bar[i - one, j] + v_bar[i + one, j] + v_bar[i, j - one] + v_bar[i, j + one] - 4.0 * q
            made_bar = p - q
            u_next[i, j] = p + w * spread_p + dt * (made_bar * (2.0 * x * y - b) - p)
            v_next[i, j] = q + w * spread_q + dt * made_bar * x * x


@njit(error_model="numpy")
def _copy_rim(source, target):
    n, m = source.shape
    for j in range(m):
        target[0, j] = source[0, j]
        target[n - 1, j] = source[n - 1, j]
    for i in range(1, n - 1):
        target[i, 0] = source[i, 0]
        target[i, m - 1] = source[i, m - 1]


@njit(error_model="numpy")
def _undo_rim(x_bar, rim_bar, w):
    """What the cells next to the rim hand to it in the reverse of one step."""
    n, m = x_bar.shape
    for j in range(1, m - 1):
        rim_bar[0, j] += w * x_bar[1, j]
        rim_bar[n - 1, j] += w * x_bar[n - 2, j]
    for i in range(1, n - 1):
        rim_bar[i, 0] += w * x_bar[i, 1]
        rim_bar[i, m - 1] += w * x_bar[i, m - 2]


@njit(error_model="numpy")
def _adjoint(u0, v0, a, b, diffusion, dt, steps, us, vs):
    n, m = u0.shape
    us[0] = u0
    vs[0] = v0
    for s in range(steps):
        _copy_rim(u0, us[s + 1])
        _copy_rim(v0, vs[s + 1])
        _step(us[s], vs[s], us[s + 1], vs[s + 1], a, b, diffusion, dt)

    total = target_bar = 0.0
    u0_bar, v0_bar = np.zeros((n, m)), np.zeros((n, m))  # first what the rims receive, then the inner cells
    u_bar, v_bar = np.zeros((n, m)), np.zeros((n, m))  # zero on the rims
    u_next, v_next = np.zeros((n, m)), np.zeros((n, m))
    rates_bar = np.zeros((3, m))
    for i in range(n):
        for j in range(m):
            residual = us[steps, i, j] - a
            total += residual**2
            slope = 2.0 * residual / (n * m)
            target_bar += slope
            if 0 < i < n - 1 and 0 < j < m - 1:
                u_bar[i, j] = slope
            else:
                u0_bar[i, j] = slope
    for s in range(steps - 1, -1, -1):
        _undo_rim(u_bar, u0_bar, dt * diffusion)
        _undo_rim(v_bar, v0_bar, dt * diffusion)
        _undo_step(us[s], vs[s], u_bar, v_bar, u_next, v_next, rates_bar, b, diffusion, dt)
        u_bar, u_next = u_next, u_bar
        v_bar, v_next = v_next, v_bar
    u0_bar[1 : n - 1, 1 : m - 1] = u_bar[1 : n - 1, 1 : m - 1]
    v0_bar[1 : n - 1, 1 : m - 1] = v_bar[1 : n - 1, 1 : m - 1]
    a_bar = b_bar = diffusion_bar = 0.0
    for j in range(m):
        a_bar += rates_bar[0, j]
        b_bar += rates_bar[1, j]
        diffusion_bar += rates_bar[2, j]
    return total / (n * m), (u0_bar, v0_bar, dt * a_bar - target_bar, dt * b_bar, dt * diffusion_bar)


_tapes = {}


def hand(u0, v0, a, b, diffusion, dt, steps):
    """The tape is kept between calls: fresh pages would cost more than the work."""
    shape = (steps + 1, *u0.shape)
    if shape not in _tapes:
        _tapes[shape] = np.empty(shape), np.empty(shape)
    return _adjoint(u0, v0, a, b, diffusion, dt, steps, *_tapes[shape])


def scan(u0, v0, a, b, diffusion, dt, steps):
    import jax
    import jax.numpy as jnp

    def spread(x):
        return x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - 4.0 * x[1:-1, 1:-1]

    rim = 1.0 - np.pad(np.ones((u0.shape[0] - 2, u0.shape[1] - 2)), 1)

    @jax.checkpoint
    def step(fields, _):
        u, v = fields
        x, y = u[1:-1, 1:-1], v[1:-1, 1:-1]
        made = x * x * y
        x_next = x + dt * (diffusion * spread(u) + a + made - (b + 1.0) * x)
        y_next = y + dt * (diffusion * spread(v) + b * x - made)
        return (jnp.pad(x_next, 1) + rim * u0, jnp.pad(y_next, 1) + rim * v0), None

    (u, _), _ = jax.lax.scan(step, (u0, v0), None, length=steps)
    return jnp.mean((u - a) ** 2)


PROGRAM = Program(
    title="Brusselator stencil",
    fun=brusselator,
    argnums=(0, 1, 2, 3, 4),
    make_inputs=make_inputs,
    sizes={"128 x 128, 100 steps": (128, 100)},
    tiny=(5, 3),
    hand=hand,
    jax={"scan, checkpointed step": scan},
    static=1,
)
