"""`python -m benchmarks.operators`: Jacobians, Hessians and Hessian-vector products beside jitted JAX's."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import zygopy as zg
from benchmarks import harness

jax.config.update("jax_enable_x64", True)


@dataclass(frozen=True)
class Case:
    """An operator's call by zygopy, and the same by JAX on arrays of its own."""

    title: str
    own: Callable
    other: Callable
    at: np.ndarray


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


def product(x):
    return np.tanh(x) * x[::-1]


def product_jax(x):
    return jnp.tanh(x) * x[::-1]


def cases(n: int) -> list[Case]:
    """The cases for `n` numbers to differentiate with respect to; softmax regression has 5 classes, 12 n rows."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1.0, 1.5, n)
    rows, w, v = rng.normal(size=(12 * n, n // 5)), rng.normal(size=(n // 5, 5)), rng.normal(size=(n // 5, 5))
    y = np.eye(5)[rng.integers(0, 5, 12 * n)]
    along = jnp.asarray(v)
    fixed = jnp.asarray(rows), jnp.asarray(y)

    def product_of_hessian(w):
        return jax.jvp(jax.grad(lambda w: softmax_loss_jax(w, *fixed)), (w,), (along,))[1]

    def hvp(w):
        return zg.hvp(softmax_loss, (w, rows, y), (v, None, None))

    return [
        Case("hessian of Rosenbrock", zg.hessian(rosenbrock), jax.jit(jax.hessian(rosenbrock_jax)), x),
        Case("hvp of softmax regression", hvp, jax.jit(product_of_hessian), w),
        Case("jacrev of a product", zg.jacrev(product), jax.jit(jax.jacrev(product_jax)), x),
        Case("jacfwd of a product", zg.jacfwd(product), jax.jit(jax.jacfwd(product_jax)), x),
    ]


def row(case: Case, rounds: int) -> list[str]:
    """Median times, their ratio as the median of those of the rounds, and the difference."""
    at = jnp.asarray(case.at)
    calls = {"zygopy": partial(case.own, case.at), "jax": lambda: case.other(at).block_until_ready()}
    error = harness.relative_error(calls["zygopy"](), calls["jax"]())
    samples = harness.interleave(calls, rounds)
    times = [f"{statistics.median(samples[key]) * 1e6:.1f}" for key in calls]
    ratio = statistics.median(b / a for a, b in zip(samples["zygopy"], samples["jax"], strict=True))
    return [case.title, *times, f"{ratio:.1f}", f"{error:.0e}"]


def main() -> int:
    """Always 0: errors are judged by tests/test_jacobians.py."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operators", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200])
    chosen = parser.parse_args()
    before = harness.load()
    rows = [[str(n), *row(case, chosen.rounds)] for n in chosen.sizes for case in cases(n)]
    print(f"{harness.machine()}\nload {before} before, {harness.load()} after; {chosen.rounds} rounds\n")
    print(harness.table(["n", "operator", "zygopy us", "jax us", "jax/zygopy", "difference"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
