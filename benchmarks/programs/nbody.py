"""Energy of n bodies after leapfrog steps: pair loops that add to both bodies of the pair."""

import math

import numpy as np
from numba import njit

from benchmarks.program import Program

SOFTENING = 0.0025


def accelerate(positions, masses, pulls):
    n = len(masses)
    for i in range(n):
        for c in range(3):
            pulls[i, c] = 0.0
    for i in range(n):
        for j in range(i + 1, n):
            dx = positions[j, 0] - positions[i, 0]
            dy = positions[j, 1] - positions[i, 1]
            dz = positions[j, 2] - positions[i, 2]
            square = dx * dx + dy * dy + dz * dz + SOFTENING
            w = 1.0 / (square * math.sqrt(square))
            pulls[i, 0] += masses[j] * w * dx
            pulls[i, 1] += masses[j] * w * dy
            pulls[i, 2] += masses[j] * w * dz
            pulls[j, 0] -= masses[i] * w * dx
            pulls[j, 1] -= masses[i] * w * dy
            pulls[j, 2] -= masses[i] * w * dz


def energy(positions, velocities, masses):
    total = 0.0
    for i in range(len(masses)):
        for c in range(3):
            total += 0.5 * masses[i] * velocities[i, c] ** 2
        for j in range(i):
            square = SOFTENING
            for c in range(3):
                square += (positions[i, c] - positions[j, c]) ** 2
            total -= masses[i] * masses[j] / math.sqrt(square)
    return total


def nbody(start, speed, masses, dt, steps):
    positions = start.copy()
    velocities = speed.copy()
    pulls = np.empty_like(start)
    n = len(masses)
    accelerate(positions, masses, pulls)
    for _ in range(steps):
        for i in range(n):
            for c in range(3):
                velocities[i, c] += 0.5 * dt * pulls[i, c]
                positions[i, c] += dt * velocities[i, c]
        accelerate(positions, masses, pulls)
        for i in range(n):
            for c in range(3):
                velocities[i, c] += 0.5 * dt * pulls[i, c]
    return energy(positions, velocities, masses)


def make_inputs(size):
    n, steps = size
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, 3)), 0.3 * rng.normal(size=(n, 3)), rng.uniform(0.5, 1.5, n) / n, 0.01, steps


def _accelerate(positions, masses, pulls):
    n = len(masses)
    pulls[:] = 0.0
    for i in range(n):
        ax = ay = az = 0.0
        for j in range(i + 1, n):
            dx = positions[j, 0] - positions[i, 0]
            dy = positions[j, 1] - positions[i, 1]
            dz = positions[j, 2] - positions[i, 2]
            square = dx * dx + dy * dy + dz * dz + SOFTENING
            w = 1.0 / (square * math.sqrt(square))
            u, v = masses[j] * w, masses[i] * w
            ax += u * dx
            ay += u * dy
            az += u * dz
            pulls[j, 0] -= v * dx
            pulls[j, 1] -= v * dy
            pulls[j, 2] -= v * dz
        pulls[i, 0] += ax
        pulls[i, 1] += ay
        pulls[i, 2] += az


def _accelerate_adjoint(positions, masses, pulls_bar, positions_bar, masses_bar):
    """Adds to the adjoints of positions and masses what the pulls hand back; distances are recomputed."""
    n = len(masses)
    for i in range(n):
        px = py = pz = mass_bar = 0.0
        gx, gy, gz = pulls_bar[i, 0], pulls_bar[i, 1], pulls_bar[i, 2]
        for j in range(i + 1, n):
            dx = positions[j, 0] - positions[i, 0]
            dy = positions[j, 1] - positions[i, 1]
            dz = positions[j, 2] - positions[i, 2]
            hx, hy, hz = pulls_bar[j, 0], pulls_bar[j, 1], pulls_bar[j, 2]
            inverse = 1.0 / (dx * dx + dy * dy + dz * dz + SOFTENING)
            w = inverse * math.sqrt(inverse)
            along_i = gx * dx + gy * dy + gz * dz
            along_j = hx * dx + hy * dy + hz * dz
            masses_bar[j] += w * along_i
            mass_bar -= w * along_j
            k = -3.0 * w * inverse * (masses[j] * along_i - masses[i] * along_j)
            tx = w * (masses[j] * gx - masses[i] * hx) + k * dx
            ty = w * (masses[j] * gy - masses[i] * hy) + k * dy
            tz = w * (masses[j] * gz - masses[i] * hz) + k * dz
            positions_bar[j, 0] += tx
            positions_bar[j, 1] += ty
            positions_bar[j, 2] += tz
            px -= tx
            py -= ty
            pz -= tz
        positions_bar[i, 0] += px
        positions_bar[i, 1] += py
        positions_bar[i, 2] += pz
        masses_bar[i] += mass_bar


def _adjoint(accelerate, accelerate_adjoint):
    """The adjoint of `nbody` around a force and its adjoint; the tape holds the positions of each step."""

    def adjoint(start, speed, masses, dt, steps):
        n = len(masses)
        path = np.empty((steps + 1, n, 3))
        path[0] = start
        velocities = speed.copy()
        pulls = np.empty((n, 3))
        half = 0.5 * dt
        accelerate(path[0], masses, pulls)
        for step in range(steps):
            for i in range(n):
                for c in range(3):
                    velocities[i, c] += half * pulls[i, c]
                    path[step + 1, i, c] = path[step, i, c] + dt * velocities[i, c]
            accelerate(path[step + 1], masses, pulls)
            for i in range(n):
                for c in range(3):
                    velocities[i, c] += half * pulls[i, c]

        total = 0.0
        positions = path[steps]
        positions_bar = np.zeros((n, 3))
        velocities_bar = np.empty((n, 3))
        masses_bar = np.zeros(n)
        for i in range(n):
            for c in range(3):
                total += 0.5 * masses[i] * velocities[i, c] ** 2
                masses_bar[i] += 0.5 * velocities[i, c] ** 2
                velocities_bar[i, c] = masses[i] * velocities[i, c]
            for j in range(i):
                dx = positions[i, 0] - positions[j, 0]
                dy = positions[i, 1] - positions[j, 1]
                dz = positions[i, 2] - positions[j, 2]
                inverse = 1.0 / (dx * dx + dy * dy + dz * dz + SOFTENING)
                root = math.sqrt(inverse)
                total -= masses[i] * masses[j] * root
                masses_bar[i] -= masses[j] * root
                masses_bar[j] -= masses[i] * root
                w = masses[i] * masses[j] * root * inverse
                positions_bar[i, 0] += w * dx
                positions_bar[i, 1] += w * dy
                positions_bar[i, 2] += w * dz
                positions_bar[j, 0] -= w * dx
                positions_bar[j, 1] -= w * dy
                positions_bar[j, 2] -= w * dz

        pulls_bar = np.zeros((n, 3))
        for step in range(steps, 0, -1):
            for i in range(n):
                for c in range(3):
                    pulls_bar[i, c] += half * velocities_bar[i, c]
            accelerate_adjoint(path[step], masses, pulls_bar, positions_bar, masses_bar)
            for i in range(n):
                for c in range(3):
                    velocities_bar[i, c] += dt * positions_bar[i, c]
                    pulls_bar[i, c] = half * velocities_bar[i, c]
        accelerate_adjoint(path[0], masses, pulls_bar, positions_bar, masses_bar)
        return total, (positions_bar, velocities_bar, masses_bar)

    return adjoint


def _compiled(**options):
    compiled = njit(error_model="numpy", **options)
    return compiled(_adjoint(compiled(_accelerate), compiled(_accelerate_adjoint)))


def scan_of_coordinates(start, speed, masses, dt, steps):
    import jax
    import jax.numpy as jnp

    def differences(positions):
        d = [x[None, :] - x[:, None] for x in positions]
        return d, d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + SOFTENING

    def accelerate(positions):
        d, square = differences(positions)
        w = masses / (square * jnp.sqrt(square))
        return jnp.stack([jnp.sum(w * x, 1) for x in d])

    @jax.checkpoint
    def step(carry, _):
        positions, velocities, pulls = carry
        velocities = velocities + 0.5 * dt * pulls
        positions = positions + dt * velocities
        pulls = accelerate(positions)
        return (positions, velocities + 0.5 * dt * pulls, pulls), None

    carry = start.T, speed.T, accelerate(start.T)
    (positions, velocities, _), _ = jax.lax.scan(step, carry, None, length=steps)
    _, square = differences(positions)
    potential = jnp.sum(jnp.triu(masses[:, None] * masses / jnp.sqrt(square), 1))
    return 0.5 * jnp.sum(masses * velocities**2) - potential


PROGRAM = Program(
    title="n-body, leapfrog",
    fun=nbody,
    argnums=(0, 1, 2),
    make_inputs=make_inputs,
    sizes={"32 bodies, 100 steps": (32, 100)},
    tiny=(3, 2),
    hand=_compiled(),
    jax={"scan, checkpointed step": scan_of_coordinates},
    static=1,
    variants={"fastmath": _compiled(fastmath=True)},
)
