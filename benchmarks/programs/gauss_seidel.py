"""Gauss-Seidel sweeps over a grid, in place: every cell reads neighbours that are already new."""

import numpy as np
from numba import njit

from benchmarks.program import Program


def gauss_seidel(start, source, target, sweeps):
    u = start.copy()
    n, m = u.shape
    for _ in range(sweeps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - source[i, j])
    misfit = 0.0
    for i in range(n):
        for j in range(m):
            misfit += (u[i, j] - target[i, j]) ** 2
    return misfit


def make_inputs(size):
    n, sweeps = size
    rng = np.random.default_rng(0)
    return rng.random((n, n)), 0.1 * rng.random((n, n)), rng.random((n, n)), sweeps


@njit(error_model="numpy")
def hand(start, source, target, sweeps):
    u = start.copy()
    n, m = u.shape
    for _ in range(sweeps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1] - source[i, j])
    misfit = 0.0
    start_bar = np.empty((n, m))
    source_bar = np.zeros((n, m))
    for i in range(n):
        for j in range(m):
            residual = u[i, j] - target[i, j]
            misfit += residual**2
            start_bar[i, j] = 2.0 * residual

    # Linear: no tape. Gathered, the reverse of a sweep is a sweep the other way, of what each cell hands on.
    handed = np.zeros((n, m))
    for sweep in range(sweeps):
        for i in range(n - 2, 0, -1):
            right = 0.0
            for j in range(m - 2, 0, -1):
                received = handed[i - 1, j] + handed[i + 1, j] + handed[i, j - 1]
                if sweep == 0:
                    received += start_bar[i, j]
                right = 0.25 * (received + right)
                handed[i, j] = right
                source_bar[i, j] -= right
    for j in range(1, m - 1):
        start_bar[0, j] -= source_bar[1, j]
        start_bar[n - 1, j] -= source_bar[n - 2, j]
    for i in range(1, n - 1):
        start_bar[i, 0] -= source_bar[i, 1]
        start_bar[i, m - 1] -= source_bar[i, m - 2]
        for j in range(1, m - 1):
            start_bar[i, j] = handed[i - 1, j] + handed[i, j - 1]
    return misfit, (start_bar, source_bar)


def _rows(solve_row):
    """Sweeps as a scan over rows, each row a recurrence that `solve_row(first, shifts)` solves."""

    def rows(start, source, target, sweeps):
        import jax
        import jax.numpy as jnp

        def sweep(u, _):
            def row(above, inputs):
                here, below, pull = inputs
                shifts = 0.25 * (above[1:-1] + below[1:-1] + here[2:] - pull[1:-1])
                new = jnp.concatenate([here[:1], solve_row(here[0], shifts), here[-1:]])
                return new, new

            _, inner = jax.lax.scan(row, u[0], (u[1:-1], u[2:], source[1:-1]))
            return jnp.concatenate([u[:1], inner, u[-1:]]), None

        u, _ = jax.lax.scan(sweep, start, None, length=sweeps)
        return jnp.sum((u - target) ** 2)

    return rows


def _cell_by_cell(first, shifts):
    import jax

    def cell(left, shift):
        new = shift + 0.25 * left
        return new, new

    return jax.lax.scan(cell, first, shifts, unroll=8)[1]


def _triangular_product(first, shifts):
    import jax.numpy as jnp

    n = len(shifts)
    powers = 0.25 ** np.arange(n + 1)
    lower = np.array([[powers[i - j] if i >= j else 0.0 for j in range(n)] for i in range(n)])
    return jnp.asarray(lower) @ shifts + powers[1:] * first


PROGRAM = Program(
    title="Gauss-Seidel",
    fun=gauss_seidel,
    argnums=(0, 1),
    make_inputs=make_inputs,
    sizes={"128 x 128, 50 sweeps": (128, 50)},
    tiny=(5, 3),
    hand=hand,
    jax={
        "scan of cells, unrolled 8": _rows(_cell_by_cell),
        "scan of rows, triangular product": _rows(_triangular_product),
    },
    static=1,
    note="JAX arrays cannot be swept in place: each row is rewritten as a recurrence",
)
