"""`python -m benchmarks.vector_math`: ns per element of a loop, beside Numba's own, and errors of our functions."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import math
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from numba import njit

from benchmarks import harness, ulp
from zygopy.backends import vector_functions

LENGTH = 10_000
TEXTS = {name: f"np.{name}(x[i])" for name in ulp.INTERVALS}
TEXTS |= {"sigmoid": "1 / (1 + np.exp(-x[i]))", "erf": "math.erf(x[i])", "power": "x[i] ** p[i]"}


def loop(text: str, own: Callable | None = None) -> Callable:
    """A compiled loop that stores the value of a text for each element."""
    scope = {"np": np, "math": math, "own": own}
    exec(f"def fill(y, x, p=None):\n    for i in range(x.shape[0]):\n        y[i] = {text}\n", scope)
    return njit(error_model="numpy")(scope["fill"])


def row(name: str, dtype: type, rounds: int, count: int) -> list[str]:
    """Times of the fastest round, for arguments from 0.1 to 3, and errors."""
    own = loop("own(x[i], p[i])" if name == "power" else "own(x[i])", getattr(vector_functions, name))
    args = [np.linspace(0.1, 3.0, LENGTH).astype(dtype)]
    if name == "power":
        args.append(np.linspace(-2.0, 3.0, LENGTH).astype(dtype))
    y = np.empty(LENGTH, dtype)
    calls = {"libm": partial(loop(TEXTS[name]), y, *args), "own": partial(own, y, *args)}
    for call in calls.values():
        call()
    samples = harness.interleave(calls, rounds)
    times = [f"{min(samples[key]) / LENGTH * 1e9:.2f}" for key in ("libm", "own")]
    args = ulp.arguments(name, dtype, count)
    y = np.empty_like(args[0])
    own(y, *args)
    return [f"{name}, {np.dtype(dtype).name}", *times, f"{ulp.max_ulp(name, y, args):.2f}"]


def main() -> int:
    """Always 0: errors are judged by tests/test_vector_math.py."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vector_math", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--errors", type=int, default=6000, help="how many arguments the errors are measured at")
    chosen = parser.parse_args()
    before = harness.load()
    rows = [row(name, dtype, chosen.rounds, chosen.errors) for name in TEXTS for dtype in (np.float64, np.float32)]
    print(f"{harness.machine()}\nload {before} before, {harness.load()} after; {chosen.rounds} rounds, the fastest\n")
    print(harness.table(["function", "libm ns", "own ns", "max ulp"], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
