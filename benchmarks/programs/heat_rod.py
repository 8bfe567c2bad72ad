"""A heat rod swept in place, to and fro: each update overwrites what its neighbour reads next."""

import numpy as np
from numba import njit

from benchmarks.program import Program


def heat_rod(start, alpha, sweeps):
    t = start.copy()
    n = len(t)
    for sweep in range(sweeps):
        if sweep % 2 == 0:
            for i in range(1, n - 1):
                t[i] += alpha * (t[i - 1] - 2.0 * t[i] + t[i + 1])
        else:
            for i in range(n - 2, 0, -1):
                t[i] += alpha * (t[i - 1] - 2.0 * t[i] + t[i + 1])
        t[0] = t[1]
    total = 0.0
    for i in range(n):
        total += t[i] * t[i]
    return total / n


def make_inputs(size):
    n, sweeps = size
    return np.random.default_rng(0).uniform(0.0, 1.0, n), 0.3, sweeps


@njit(error_model="numpy")
def hand(start, alpha, sweeps):
    t = start.copy()
    n = len(t)
    bends = np.empty((sweeps, n))  # the update is linear in t: only alpha's adjoint needs a tape
    for sweep in range(sweeps):
        if sweep % 2 == 0:
            for i in range(1, n - 1):
                bend = t[i - 1] - 2.0 * t[i] + t[i + 1]
                bends[sweep, i] = bend
                t[i] += alpha * bend
        else:
            for i in range(n - 2, 0, -1):
                bend = t[i - 1] - 2.0 * t[i] + t[i + 1]
                bends[sweep, i] = bend
                t[i] += alpha * bend
        t[0] = t[1]
    total = 0.0
    t_bar = np.empty(n)
    for i in range(n):
        total += t[i] * t[i]
        t_bar[i] = 2.0 * t[i] / n

    alpha_bar = 0.0
    for sweep in range(sweeps - 1, -1, -1):
        t_bar[1] += t_bar[0]
        t_bar[0] = 0.0
        if sweep % 2 == 0:
            for i in range(n - 2, 0, -1):
                alpha_bar += t_bar[i] * bends[sweep, i]
                w = alpha * t_bar[i]
                t_bar[i - 1] += w
                t_bar[i] -= 2.0 * w
                t_bar[i + 1] += w
        else:
            for i in range(1, n - 1):
                alpha_bar += t_bar[i] * bends[sweep, i]
                w = alpha * t_bar[i]
                t_bar[i - 1] += w
                t_bar[i] -= 2.0 * w
                t_bar[i + 1] += w
    return total / n, (t_bar, alpha_bar)


def scan_of_cells(start, alpha, sweeps):
    import jax
    import jax.numpy as jnp

    inner = jnp.arange(1, len(start) - 1)

    def update(t, i):
        return t.at[i].add(alpha * (t[i - 1] - 2.0 * t[i] + t[i + 1])), None

    def sweep(t, number):
        t, _ = jax.lax.scan(update, t, jnp.where(number % 2 == 0, inner, inner[::-1]))
        return t.at[0].set(t[1]), None

    t, _ = jax.lax.scan(sweep, start, jnp.arange(sweeps))
    return jnp.mean(t * t)


def scan_of_neighbours(start, alpha, sweeps):
    """The sweep as a recurrence whose carry is one number, the neighbour just updated."""
    import jax
    import jax.numpy as jnp

    def update(before, cell):
        here, after = cell
        new = here + alpha * (before - 2.0 * here + after)
        return new, new

    def swept(t, first, after, reverse):
        _, inner = jax.lax.scan(update, first, (t[1:-1], after), reverse=reverse, unroll=4)
        return jnp.concatenate([inner[:1], inner, t[-1:]])

    def there(t):
        return swept(t, t[0], t[2:], False)

    def back(t):
        return swept(t, t[-1], t[:-2], True)

    t, _ = jax.lax.scan(lambda t, _: (back(there(t)), None), start, None, length=sweeps // 2)
    t = there(t) if sweeps % 2 else t
    return jnp.mean(t * t)


PROGRAM = Program(
    title="heat rod in place",
    fun=heat_rod,
    argnums=(0, 1),
    make_inputs=make_inputs,
    sizes={"2,000 x 500 sweeps": (2000, 500)},
    tiny=(7, 3),
    hand=hand,
    jax={"scan of cells": scan_of_cells, "scan of neighbours, unrolled 4": scan_of_neighbours},
    static=1,
    note="JAX arrays cannot be swept in place: the sweep is rewritten as a recurrence",
)
