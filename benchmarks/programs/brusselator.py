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
def hand(u0, v0, a, b, diffusion, dt, steps):
    n, m = u0.shape
    us, vs = np.empty((steps + 1, n, m)), np.empty((steps + 1, n, m))
    us[0] = u0
    vs[0] = v0
    for s in range(steps):
        us[s + 1, 0], us[s + 1, n - 1] = u0[0], u0[n - 1]
        vs[s + 1, 0], vs[s + 1, n - 1] = v0[0], v0[n - 1]
        for i in range(1, n - 1):
            us[s + 1, i, 0], us[s + 1, i, m - 1] = u0[i, 0], u0[i, m - 1]
            vs[s + 1, i, 0], vs[s + 1, i, m - 1] = v0[i, 0], v0[i, m - 1]
            for j in range(1, m - 1):
                u, v = us[s, i, j], vs[s, i, j]
                spread_u = us[s, i - 1, j] + us[s, i + 1, j] + us[s, i, j - 1] + us[s, i, j + 1] - 4.0 * u
                spread_v = vs[s, i - 1, j] + vs[s, i + 1, j] + vs[s, i, j - 1] + vs[s, i, j + 1] - 4.0 * v
                made = u * u * v
                us[s + 1, i, j] = u + dt * (diffusion * spread_u + a + made - (b + 1.0) * u)
                vs[s + 1, i, j] = v + dt * (diffusion * spread_v + b * u - made)

    total = target_bar = 0.0
    u_bar, v_bar = np.zeros((n, m)), np.zeros((n, m))  # their rims stay zero
    u_next, v_next = np.zeros((n, m)), np.zeros((n, m))
    u0_bar, v0_bar = np.zeros((n, m)), np.zeros((n, m))  # while the steps are undone: what the rims receive
    rates_bar = np.zeros((3, m))  # one sum for each column, so that the loop over columns vectorises
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
    w = dt * diffusion
    for s in range(steps - 1, -1, -1):
        for j in range(1, m - 1):
            u0_bar[0, j] += w * u_bar[1, j]
            v0_bar[0, j] += w * v_bar[1, j]
            u0_bar[n - 1, j] += w * u_bar[n - 2, j]
            v0_bar[n - 1, j] += w * v_bar[n - 2, j]
        for i in range(1, n - 1):
            u0_bar[i, 0] += w * u_bar[i, 1]
            v0_bar[i, 0] += w * v_bar[i, 1]
            u0_bar[i, m - 1] += w * u_bar[i, m - 2]
            v0_bar[i, m - 1] += w * v_bar[i, m - 2]
            for j in range(1, m - 1):
                u, v = us[s, i, j], vs[s, i, j]
                p, q = u_bar[i, j], v_bar[i, j]
                spread_u = us[s, i - 1, j] + us[s, i + 1, j] + us[s, i, j - 1] + us[s, i, j + 1] - 4.0 * u
                spread_v = vs[s, i - 1, j] + vs[s, i + 1, j] + vs[s, i, j - 1] + vs[s, i, j + 1] - 4.0 * v
                rates_bar[0, j] += p
                rates_bar[1, j] += (q - p) * u
                rates_bar[2, j] += p * spread_u + q * spread_v
                spread_p = u_bar[i - 1, j] + u_bar[i + 1, j] + u_bar[i, j - 1] + u_bar[i, j + 1] - 4.0 * p
                spread_q = v_bar[i - 1, j] + v_bar[i + 1, j] + v_bar[i, j - 1] + v_bar[i, j + 1] - 4.0 * q
                made_bar = p - q
                u_next[i, j] = p + w * spread_p + dt * (made_bar * (2.0 * u * v - b) - p)
                v_next[i, j] = q + w * spread_q + dt * made_bar * u * u
        u_bar, u_next = u_next, u_bar
        v_bar, v_next = v_next, v_bar
    for i in range(1, n - 1):
        for j in range(1, m - 1):
            u0_bar[i, j] = u_bar[i, j]
            v0_bar[i, j] = v_bar[i, j]
    a_bar = b_bar = diffusion_bar = 0.0
    for j in range(m):
        a_bar += rates_bar[0, j]
        b_bar += rates_bar[1, j]
        diffusion_bar += rates_bar[2, j]
    return total / (n * m), (u0_bar, v0_bar, dt * a_bar - target_bar, dt * b_bar, dt * diffusion_bar)


def _scan(store):
    def scan(u0, v0, a, b, diffusion, dt, steps):
        import jax
        import jax.numpy as jnp

        def spread(x):
            return x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:] - 4.0 * x[1:-1, 1:-1]

        def step(fields, _):
            u, v = fields
            inner_u, inner_v = u[1:-1, 1:-1], v[1:-1, 1:-1]
            made = inner_u * inner_u * inner_v
            new_u = inner_u + dt * (diffusion * spread(u) + a + made - (b + 1.0) * inner_u)
            new_v = inner_v + dt * (diffusion * spread(v) + b * inner_u - made)
            return (store(u, new_u), store(v, new_v)), None

        (u, _), _ = jax.lax.scan(jax.checkpoint(step), (u0, v0), None, length=steps)
        return jnp.mean((u - a) ** 2)

    return scan


def _set_inner(x, inner):
    return x.at[1:-1, 1:-1].set(inner)


def _add_padded(x, inner):
    import jax.numpy as jnp

    return x + jnp.pad(inner - x[1:-1, 1:-1], 1)


PROGRAM = Program(
    title="Brusselator stencil",
    fun=brusselator,
    argnums=(0, 1, 2, 3, 4),
    make_inputs=make_inputs,
    sizes={"128 x 128, 100 steps": (128, 100)},
    tiny=(5, 3),
    hand=hand,
    jax={"scan, at[].set": _scan(_set_inner), "scan, pad": _scan(_add_padded)},
    static=1,
    note="JAX: the step is rewritten on whole fields, rematerialised in reverse",
)
