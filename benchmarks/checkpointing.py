"""`python -m benchmarks.checkpointing`: gradients of long loops with 100 snapshots, beside those without."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from functools import partial

import numpy as np

import zygopy as zg
from benchmarks import fresh, harness
from benchmarks.memory import peak_since_reset, resident_now

SNAPSHOTS = 100
EXPLANATION = f"""\
The gradient with respect to one parameter. Memory: the highest resident memory of the first call over that before it,
in a process of its own in which the code has run on few trips. With {SNAPSHOTS} snapshots."""


def every_trip(n):
    return range(n)


def few_snapshots(n):
    return zg.checkpointed(range(n), snapshots=SNAPSHOTS)


WAYS = {"unbounded": every_trip, "checkpointed": few_snapshots}


def logistic(trips: Callable) -> Callable:
    def run(r, n):
        x = 0.5
        for _ in trips(n):
            x = r * x * (1.0 - x)
        return x

    return partial(zg.grad(run), 3.1)


def lorenz(trips: Callable) -> Callable:
    def run(rho, n):
        x, y, z = 1.0, 1.0, 1.0
        for _ in trips(n):
            dx, dy, dz = 10.0 * (y - x), x * (rho - z) - y, x * y - 8.0 / 3.0 * z
            x, y, z = x + 1e-5 * dx, y + 1e-5 * dy, z + 1e-5 * dz
        return x + y + z

    return partial(zg.grad(run), 28.0)


def heat_rod(trips: Callable) -> Callable:
    def run(k, u0, n):
        u = u0.copy()
        v = u0.copy()
        for _ in trips(n):
            v[1:-1] = u[1:-1] + k * (1.0 + u[1:-1]) * (u[:-2] - 2.0 * u[1:-1] + u[2:])
            u, v = v, u
        return np.sum(u * u)

    return partial(zg.grad(run), 0.1, np.sin(np.linspace(0.0, 3.0, 1000)))


CASES = {"logistic map": (logistic, 1_000_000), "Lorenz": (lorenz, 1_000_000), "heat rod, 1000": (heat_rod, 10_000)}


def peak(title: str, way: str, trips: int) -> dict:
    """The memory of one call in bytes, in this process, which must be fresh."""
    call = CASES[title][0](WAYS[way])
    call(2)
    before = resident_now()
    call(trips)
    return {"peak_bytes": peak_since_reset() - before}


def main() -> int:
    """0 where all ran and agree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checkpointing", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--smoke", action="store_true", help="few trips, two rounds: for CI")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        title, way, trips = chosen.child
        print(json.dumps(peak(title, way, int(trips))))
        return 0

    rounds, less = (2, 1000) if chosen.smoke else (chosen.rounds, 1)
    before, rows, worst = harness.load(), [], 0.0
    for title, (make, trips) in CASES.items():
        n = trips // less
        calls = {way: partial(make(loop), n) for way, loop in WAYS.items()}
        error = harness.relative_error(*(call() for call in calls.values()))
        worst = max(worst, error)
        samples = harness.interleave(calls, rounds, 0.001 if chosen.smoke else harness.ROUND_S)
        ratio = harness.ratio(samples, "checkpointed", "unbounded")
        times = [f"{statistics.median(samples[way]) * 1e3:.2f}" for way in WAYS]
        peaks = [
            f"{fresh.record_of('benchmarks.checkpointing', title, way, str(n))['peak_bytes'] / 1e6:.2f}" for way in WAYS
        ]
        rows.append([title, f"{n:,}", *times, f"{ratio:.2f}", *peaks, f"{error:.0e}"])
    print(f"{harness.machine()}\nload {before} before, {harness.load()} after; {rounds} rounds\n{EXPLANATION}\n")
    head = ["loop", "trips", "ms", "ms, few", "ratio", "MB", "MB, few", "difference"]
    print(harness.table(head, rows))
    return 0 if worst < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
