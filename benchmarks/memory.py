"""`python -m benchmarks.memory`: peak memory of a gradient, each in a process of its own."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import json
import sys
from functools import partial

from benchmarks import fresh, harness
from benchmarks.groups import load

CONTENDERS = ("zygopy", "hand")
NAMES = ("tanh_chain", "black_scholes")
EXPLANATION = """\
Value and gradient, compiled on tiny data before: the highest resident memory of a call over that before the inputs were
made, in MB and over the inputs and results together."""


def peak_since_reset() -> int:
    """The highest resident memory in bytes since the last call of this function (Linux); the next peak starts here."""
    with open("/proc/self/status") as lines:
        peak = next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return peak


def resident_now() -> int:
    peak_since_reset()
    return peak_since_reset()


def measured(name: str, contender: str, size: int) -> dict:
    """Peak and data in bytes, in this process, which must be fresh."""
    program = load(name)

    def contender_on(args):
        return harness.zygopy_contender(program, args) if contender == "zygopy" else partial(program.hand, *args)

    contender_on(program.make_inputs(program.tiny))()
    before = resident_now()
    args = program.make_inputs(size)
    call = contender_on(args)
    peak_since_reset()  # that of the inputs' making
    result = call()
    peak = peak_since_reset() - before
    return {"peak_bytes": peak, "data_bytes": sum(leaf.nbytes for leaf in harness.leaves((args, result)))}


def main() -> int:
    """0 where zygopy and the adjoint by hand ran."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--only", help="names of programs, separated by commas: " + ", ".join(NAMES))
    parser.add_argument("--size", type=int, default=10_000_000, help="elements of each vector")
    parser.add_argument("--json", metavar="PATH", help="write all numbers")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        name, contender, size = chosen.child
        print(json.dumps(measured(name, contender, int(size))))
        return 0

    names = chosen.only.split(",") if chosen.only else NAMES
    runs = [(name, contender) for name in names for contender in CONTENDERS]
    records = [fresh.record_of("benchmarks.memory", *run, str(chosen.size)) for run in runs]
    print(f"{harness.machine()}\n{EXPLANATION}\n")
    rows, failures = [], []
    for (name, contender), record in zip(runs, records, strict=True):
        if "failure" in record:
            failures.append(f"{name}: {contender}: {record['failure']}")
            continue
        peak, data = record["peak_bytes"], record["data_bytes"]
        rows.append(
            [f"{load(name).title}, {contender}", f"{data / 1e6:.0f}", f"{peak / 1e6:.0f}", f"{peak / data:.2f}"]
        )
    print(harness.table([f"{chosen.size:,} elements", "data MB", "peak MB", "peak/data"], rows))
    print("\n".join(failures))
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump({"/".join(run): record for run, record in zip(runs, records, strict=True)}, file, indent=1)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
