"""Heat in a plate by explicit steps on slices; the rim keeps its temperature."""

from functools import lru_cache

import numpy as np
from numba import njit

from benchmarks.program import Program


def heat_plate(start, c, steps):
    u = start.copy()
    for _ in range(steps):
        inner = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u[1:-1, 1:-1] = inner + c * (around - 4.0 * inner)
    return np.mean(u**2)


def make_inputs(size):
    n, steps = size
    return np.random.default_rng(0).normal(size=(n, n)), 0.2, steps


vectorised = njit(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@vectorised
def step(u, after, c):
    rows, columns = np.uintp(u.shape[0] - 1), np.uintp(u.shape[1] - 1)
    one = np.uintp(1)
    for i in range(one, rows):
        for j in range(one, columns):
            around = u[i + one, j] + u[i - one, j] + u[i, j + one] + u[i, j - one]
            after[i, j] = u[i, j] + c * (around - 4.0 * u[i, j])


@vectorised
def step_adjoint(u, after_bar, u_bar, c, rim_bar):
    """Gathers the adjoint of `u` from that of the next field, whose rim is zero; c_bar is a by-product."""
    rows, columns = np.uintp(u.shape[0] - 1), np.uintp(u.shape[1] - 1)
    one = np.uintp(1)
    c_bar = 0.0
    for i in range(one, rows):
        for j in range(one, columns):
            a = after_bar[i, j]
            around = u[i + one, j] + u[i - one, j] + u[i, j + one] + u[i, j - one]
            c_bar += a * (around - 4.0 * u[i, j])
            around_bar = after_bar[i + one, j] + after_bar[i - one, j] + after_bar[i, j + one] + after_bar[i, j - one]
            u_bar[i, j] = a + c * (around_bar - 4.0 * a)
        rim_bar[i, np.uintp(0)] += c * after_bar[i, one]
        rim_bar[i, columns] += c * after_bar[i, columns - one]
    for j in range(one, columns):
        rim_bar[np.uintp(0), j] += c * after_bar[one, j]
        rim_bar[rows, j] += c * after_bar[rows - one, j]
    return c_bar


@vectorised
def sweep(fields, after_bar, u_bar, rim_bar, c):
    """The value and c_bar; fields[0] is given, rim_bar gets the adjoint of the start."""
    steps, size = len(fields) - 1, fields[0].size
    for k in range(steps):
        step(fields[k], fields[k + 1], c)
    total = 0.0
    last = fields[steps]
    rows, columns = np.uintp(last.shape[0]), np.uintp(last.shape[1])
    for i in range(rows):
        for j in range(columns):
            total += last[i, j] * last[i, j]
            rim_bar[i, j] = 2.0 * last[i, j] / size
    for i in range(np.uintp(1), rows - np.uintp(1)):
        for j in range(np.uintp(1), columns - np.uintp(1)):
            after_bar[i, j] = rim_bar[i, j]
    c_bar = 0.0
    for k in range(steps - 1, -1, -1):
        c_bar += step_adjoint(fields[k], after_bar, u_bar, c, rim_bar)
        after_bar, u_bar = u_bar, after_bar
    for i in range(np.uintp(1), rows - np.uintp(1)):
        for j in range(np.uintp(1), columns - np.uintp(1)):
            rim_bar[i, j] = after_bar[i, j]
    return total / size, c_bar


@lru_cache(maxsize=1)
def buffers(steps, shape):
    """The tape of all fields and two adjoint fields with a rim of zeros: fresh pages would cost more than the steps."""
    return np.empty((steps + 1, *shape)), np.zeros(shape), np.zeros(shape)


def hand(start, c, steps):
    """A step writes its field where the next one reads it, on the tape: nothing is copied but the rim."""
    fields, after_bar, u_bar = buffers(steps, start.shape)
    fields[0] = start
    fields[1:, :: len(start) - 1] = start[:: len(start) - 1]
    fields[1:, :, :: start.shape[1] - 1] = start[:, :: start.shape[1] - 1]
    start_bar = np.empty_like(start)
    value, c_bar = sweep(fields, after_bar, u_bar, start_bar, c)
    return value, (start_bar, c_bar)


def scan(start, c, steps):
    import jax
    import jax.numpy as jnp

    def advance(u, _):
        inner = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        return u.at[1:-1, 1:-1].set(inner + c * (around - 4.0 * inner)), None

    return jnp.mean(jax.lax.scan(advance, start, None, length=steps)[0] ** 2)


def padded(start, c, steps):
    """The change of the field is padded with zeros; no update at indices."""
    import jax
    import jax.numpy as jnp

    def advance(u, _):
        inner = u[1:-1, 1:-1]
        around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        return u + jnp.pad(c * (around - 4.0 * inner), 1), None

    return jnp.mean(jax.lax.scan(advance, start, None, length=steps)[0] ** 2)


PROGRAM = Program(
    title="heat in a plate by slices",
    fun=heat_plate,
    argnums=(0, 1),
    make_inputs=make_inputs,
    sizes={"512 x 512, 50 steps": (512, 50)},
    tiny=(5, 3),
    hand=hand,
    jax={"scan, at": scan, "scan, pad": padded},
    static=1,
    note="the loop became scan, the store into a slice .at[].set or a padded sum",
)
