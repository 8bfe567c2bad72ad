"""Ten programs with a Hessian or a Hessian-vector product, for zygopy and in JAX's best idiom."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

import zygopy as zg

jax.config.update("jax_enable_x64", True)


@dataclass(frozen=True)
class Case:
    """A call by zygopy, and the same by jitted JAX on arrays of its own."""

    title: str
    own: Callable
    other: Callable


def hessian(title: str, function: Callable, by_jax: Callable, at: np.ndarray, *fixed) -> Case:
    """The Hessian with respect to the first argument."""
    own, other = zg.hessian(function), jax.jit(jax.hessian(by_jax))
    arrays = tuple(map(jnp.asarray, (at, *fixed)))
    return Case(f"Hessian: {title}", lambda: own(at, *fixed), lambda: other(*arrays).block_until_ready())


def product(title: str, function: Callable, by_jax: Callable, at: np.ndarray, *fixed) -> Case:
    """The Hessian with respect to the first argument times a direction: forward over reverse, in JAX as well."""
    along = np.cos(np.arange(at.size, dtype=float)).reshape(at.shape)
    still = (None,) * len(fixed)

    def hvp(at, along, *fixed):
        return jax.jvp(jax.grad(lambda x: by_jax(x, *fixed)), (at,), (along,))[1]

    other, arrays = jax.jit(hvp), tuple(map(jnp.asarray, (at, along, *fixed)))
    return Case(
        f"hvp: {title}",
        lambda: zg.hvp(function, (at, *fixed), (along, *still)),
        lambda: other(*arrays).block_until_ready(),
    )


def rosenbrock(x):
    total = 0.0
    for i in range(x.shape[0] - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def rosenbrock_jax(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def softmax_loss(w, x, y):
    z = x @ w
    z = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.sum(y * (np.log(np.sum(np.exp(z), axis=1, keepdims=True)) - z), axis=1))


def softmax_loss_jax(w, x, y):
    return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(x @ w, axis=1), axis=1))


def logistic_loss(w, x, y):
    return np.mean(np.log1p(np.exp(-y * (x @ w)))) + 0.01 * np.sum(w**2)


def logistic_loss_jax(w, x, y):
    return jnp.mean(jnp.log1p(jnp.exp(-y * (x @ w)))) + 0.01 * jnp.sum(w**2)


def poisson_loss(w, x, y):
    z = x @ w
    return np.mean(np.exp(z) - y * z)


def poisson_loss_jax(w, x, y):
    z = x @ w
    return jnp.mean(jnp.exp(z) - y * z)


def log_sum_exp(x):
    largest = np.max(x)
    return largest + np.log(np.sum(np.exp(x - largest)))


def log_sum_exp_jax(x):
    return jax.scipy.special.logsumexp(x)


def perceptron_loss(w, v, x, y):
    return np.mean((np.tanh(x @ w) @ v - y) ** 2)


def perceptron_loss_jax(w, v, x, y):
    return jnp.mean((jnp.tanh(x @ w) @ v - y) ** 2)


def lennard_jones(p):
    energy = 0.0
    for i in range(p.shape[0]):
        for j in range(i):
            square = 0.0
            for k in range(3):
                square += (p[i, k] - p[j, k]) ** 2
            sixth = 1.0 / square**3
            energy += 4.0 * (sixth * sixth - sixth)
    return energy


def lennard_jones_jax(p):
    i, j = jnp.tril_indices(p.shape[0], -1)
    sixth = 1.0 / jnp.sum((p[i] - p[j]) ** 2, axis=1) ** 3
    return jnp.sum(4.0 * (sixth * sixth - sixth))


def springs(p, length):
    energy = 0.0
    for i in range(p.shape[0] - 1):
        dx, dy = p[i + 1, 0] - p[i, 0], p[i + 1, 1] - p[i, 1]
        energy += 0.5 * (np.sqrt(dx * dx + dy * dy) - length) ** 2 + 0.1 * p[i, 1]
    return energy


def springs_jax(p, length):
    d = p[1:] - p[:-1]
    return jnp.sum(0.5 * (jnp.sqrt(jnp.sum(d * d, axis=1)) - length) ** 2 + 0.1 * p[:-1, 1])


def pendulum(p):
    """Where a damped, driven pendulum is after 200 steps of the leapfrog scheme."""
    angle, speed = p[0], p[1]
    for k in range(200):
        speed += 0.05 * (p[3] * np.cos(0.05 * k) - np.sin(angle) - p[2] * speed)
        angle += 0.05 * speed
    return angle


def pendulum_jax(p):
    def step(state, k):
        angle, speed = state
        speed = speed + 0.05 * (p[3] * jnp.cos(0.05 * k) - jnp.sin(angle) - p[2] * speed)
        return (angle + 0.05 * speed, speed), None

    return jax.lax.scan(step, (p[0], p[1]), jnp.arange(200))[0][0]


def heat(u):
    """A rod whose conductivity depends on its temperature, after 50 steps."""
    old = u.copy()
    for _ in range(50):
        new = np.empty_like(old)
        new[0], new[-1] = old[0], old[-1]
        for i in range(1, old.shape[0] - 1):
            new[i] = old[i] + 0.1 * (1.0 + 0.1 * old[i] ** 2) * (old[i - 1] - 2 * old[i] + old[i + 1])
        old = new
    return np.sum(old**2)


def heat_jax(u):
    def step(u, _):
        inner = u[1:-1] + 0.1 * (1.0 + 0.1 * u[1:-1] ** 2) * (u[:-2] - 2 * u[1:-1] + u[2:])
        return jnp.concatenate((u[:1], inner, u[-1:])), None

    return jnp.sum(jax.lax.scan(step, u, None, 50)[0] ** 2)


def cases() -> list[Case]:
    """The ten."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1.0, 1.5, 50)
    rows, labels = rng.normal(size=(600, 10)), np.eye(5)[rng.integers(0, 5, 600)]
    signs, counts = np.sign(rng.normal(size=600)), rng.poisson(2.0, size=600).astype(float)
    w = 0.3 * rng.normal(size=(10, 5))
    layer, last, target = 0.3 * rng.normal(size=(10, 20)), 0.3 * rng.normal(size=(20, 1)), rng.normal(size=(600, 1))
    particles = np.stack(np.meshgrid(*[np.arange(3.0)] * 3), -1).reshape(-1, 3) + 0.1 * rng.normal(size=(27, 3))
    chain = np.stack((np.arange(30.0), 0.1 * rng.normal(size=30)), 1)
    rod = np.sin(np.linspace(0.0, 3.0, 200))
    return [
        hessian("Rosenbrock, 50", rosenbrock, rosenbrock_jax, x),
        hessian("log-sum-exp, 50", log_sum_exp, log_sum_exp_jax, x),
        hessian("logistic regression, 600 x 10", logistic_loss, logistic_loss_jax, w[:, 0].copy(), rows, signs),
        hessian("chain of 30 springs", springs, springs_jax, chain, 0.9),
        hessian("pendulum, 200 steps, 4 parameters", pendulum, pendulum_jax, np.array([0.5, 0.1, 0.2, 0.3])),
        product("softmax regression, 600 x 10 x 5", softmax_loss, softmax_loss_jax, w, rows, labels),
        product("Poisson regression, 600 x 10", poisson_loss, poisson_loss_jax, w[:, 0].copy(), rows, counts),
        product("perceptron, 600 x 10 x 20", perceptron_loss, perceptron_loss_jax, layer, last, rows, target),
        product("27 Lennard-Jones particles", lennard_jones, lennard_jones_jax, particles),
        product("heat in a rod, 200 x 50 steps", heat, heat_jax, rod),
    ]
