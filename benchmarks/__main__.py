"""`python -m benchmarks`: gradients beside their contenders, as a table and a plot."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import dataclasses
import importlib.util
import json
import sys
import time

from benchmarks import harness, report
from benchmarks.groups import GROUPS, NAMES, load
from benchmarks.measure import measure

EXPLANATION = """\
primal: the program by @njit (error_model="numpy"), its helpers too; by NumPy where Numba refuses it. hand: value and
gradient by an adjoint derived by hand for Numba. zygopy: value_and_grad of the unchanged function. jax: its fastest
idiom, jitted, x64, called with NumPy arrays or its own. One core; medians over interleaved rounds; a ratio is the
median of the ratios within each round, and jax/... takes the faster column."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", help="names of programs, separated by commas: " + ", ".join(NAMES))
    parser.add_argument("--group", choices=GROUPS, default="loops", help="the programs where --only names none")
    parser.add_argument("--smoke", action="store_true", help="tiny sizes, two short rounds, no JAX: for CI")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-jax", action="store_true")
    parser.add_argument("--png", metavar="PATH", help="draw the table")
    parser.add_argument("--json", metavar="PATH", help="write all numbers")
    chosen = parser.parse_args()
    unknown = set(chosen.only.split(",") if chosen.only else ()) - set(NAMES)
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    return chosen


def main() -> int:
    """0 where all contenders agree and neither zygopy nor the hand-derived adjoint raised."""
    chosen = arguments()
    names = chosen.only.split(",") if chosen.only else GROUPS[chosen.group]
    with_jax = not (chosen.smoke or chosen.no_jax) and importlib.util.find_spec("jax") is not None
    rounds, round_s = (2, 0.001) if chosen.smoke else (chosen.rounds, harness.ROUND_S)
    started, load_before = time.time(), harness.load()
    rows = []
    for name in names:
        program = load(name)
        for label, size in {"tiny": program.tiny}.items() if chosen.smoke else program.sizes.items():
            print(f"{name}, {label}", file=sys.stderr, flush=True)
            rows.append(measure(program, label, size, rounds, round_s, with_jax, variants=not chosen.smoke))

    machine = harness.machine()
    print(machine)
    print(f"load {load_before} before, {harness.load()} after; {rounds} rounds, {time.time() - started:.0f} s")
    print(EXPLANATION, end="\n\n")
    parts = report.times_table(rows), report.errors_table(rows), report.remarks(rows), report.summary(rows)
    print("\n\n".join(part for part in parts if part))
    if chosen.png:
        report.plot(rows, machine, chosen.png)
    if chosen.json:
        with open(chosen.json, "w") as file:
            record = {"machine": machine, "rounds": rounds, "rows": [dataclasses.asdict(row) for row in rows]}
            json.dump(record, file, indent=1)
    raised = [row for row in rows if {"primal", "hand", "zygopy", "zygopy.jvp"} & row.failures.keys()]
    return 1 if raised or any(row.wrong for row in rows) else 0


sys.exit(main())
