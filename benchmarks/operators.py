"""`python -m benchmarks.operators`: Hessians, Hessian-vector products and Jacobians beside jitted JAX's."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import statistics
import sys

import jax
import jax.numpy as jnp
import numpy as np

import zygopy as zg
from benchmarks import harness
from benchmarks.second_order import Case, cases


def product(x):
    return np.tanh(x) * x[::-1]


def product_jax(x):
    return jnp.tanh(x) * x[::-1]


def jacobians(n: int) -> list[Case]:
    """Jacobians of a function of `n` numbers with as many results."""
    x = np.linspace(-1.0, 1.5, n)
    at = jnp.asarray(x)

    def case(name: str) -> Case:
        own, other = getattr(zg, name)(product), jax.jit(getattr(jax, name)(product_jax))
        return Case(f"{name}: tanh(x) x[::-1], {n}", lambda: own(x), lambda: other(at).block_until_ready())

    return [case("jacrev"), case("jacfwd")]


def row(case: Case, rounds: int) -> list[str]:
    """Median times, their ratio as the median of those of the rounds, and the difference."""
    calls = {"zygopy": case.own, "jax": case.other}
    error = harness.relative_error(case.own(), np.asarray(case.other()))
    samples = harness.interleave(calls, rounds)
    times = [f"{statistics.median(samples[key]) * 1e6:.1f}" for key in calls]
    ratio = statistics.median(b / a for a, b in zip(samples["zygopy"], samples["jax"], strict=True))
    return [case.title, *times, f"{ratio:.1f}", f"{error:.0e}"]


def main() -> int:
    """Always 0: errors are judged by tests/test_jacobians.py and tests/test_benchmarks.py."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operators", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    before = harness.load()
    rows = [row(case, chosen.rounds) for case in (*cases(), *jacobians(50), *jacobians(200))]
    print(f"{harness.machine()}\nload {before} before, {harness.load()} after; {chosen.rounds} rounds\n")
    print(harness.table(["operator", "zygopy us", "jax us", "jax/zygopy", "difference"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
