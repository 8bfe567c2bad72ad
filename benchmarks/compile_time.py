"""`python -m benchmarks.compile_time`: seconds to the first gradient, each in a process of its own."""

import benchmarks.one_core  # noqa: F401, I001  (before NumPy)

import argparse
import inspect
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import fresh, generated, harness
from benchmarks.count import statements, with_helpers
from benchmarks.groups import GROUPS, load
from benchmarks.program import Program

CONTENDERS = ("zygopy", "jax")
GENERATED = {f"{kind}_{count}": (kind, count) for kind in ("straight", "loop") for count in (125, 250, 500)}
EXPLANATION = """\
The first value and gradient on tiny data, beyond imports and the start-up of Numba and JAX (a trivial function compiled
before), each in a fresh process on one core; `from disk`: in a second such process. The routines of the library
(matrix products, vector functions) were compiled by an earlier process in both. Statements are counted in the program
with its helpers and in the source that zygopy emits, without definitions and docstrings. mark: 0.3 s + 4 ms for each
emitted statement."""


def program_of(name: str) -> Program:
    if name not in GENERATED:
        return load(name)
    kind, count = GENERATED[name]
    sources = {"straight": (generated.straight,) * 2, "loop": (generated.looped, generated.looped_for_jax)}[kind]
    fun = generated.load(generated.SCALAR + sources[0](count))

    def for_jax(x):
        return generated.load(generated.JAX + sources[1](count))(x)

    return Program(
        title=f"{kind}, {count} statements",
        fun=fun,
        argnums=0,
        make_inputs=lambda size: (np.linspace(0.1, 0.9, size),),
        sizes={},
        tiny=8,
        hand=fun,
        jax={"same": for_jax},
    )


def first_gradient(name: str, contender: str) -> dict:
    """Measured in this process, which must be fresh."""
    program = program_of(name)
    args = program.make_inputs(program.tiny)
    record: dict = {"title": program.title}
    if contender == "zygopy":
        import numba

        import zygopy
        import zygopy.backends.cpu  # what a first compilation loads: imports are not counted
        import zygopy.transform.pipeline

        numba.njit(lambda x: x[0] + 1.0)(np.ones(3))
        start = time.perf_counter(), time.process_time()
        gradient = zygopy.value_and_grad(program.fun, program.argnums)
        gradient(*args)
        end = time.perf_counter(), time.process_time()
        record["primal"] = sum(statements(inspect.getsource(f)) for f in with_helpers(program.fun))
        record["emitted"] = statements(gradient.source(*args))
        record["ratio"] = (end[1] - start[1]) / (0.3 + 0.004 * record["emitted"])
    else:
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.jit(lambda x: (x * 2.0).sum())(np.ones(3)).block_until_ready()
        idiom = list(program.jax)[-1]
        start = time.perf_counter(), time.process_time()
        harness.jax_contender(program, idiom, args, on_device=False)()
        end = time.perf_counter(), time.process_time()
    return record | {"wall_s": end[0] - start[0], "cpu_s": end[1] - start[1]}


def records_of(name: str, contenders: tuple[str, ...], folder: Path) -> dict[str, dict]:
    """The records of each contender, and of zygopy where an earlier process has compiled the program."""

    def record(contender: str) -> dict:
        return fresh.record_of("benchmarks.compile_time", name, contender)

    found = {contender: record(contender) for contender in contenders if contender != "zygopy"}
    record("zygopy")  # compiles what it needs of the library
    shutil.rmtree(folder / "programs", ignore_errors=True)
    return found | {"zygopy": record("zygopy"), "from disk": record("zygopy")}


def rows_of(name: str, records: dict[str, dict]) -> list[str]:
    ours, again, jax = records["zygopy"], records["from disk"], records.get("jax", {})

    def cell(record: dict, key: str, form: str) -> str:
        return "failed" if "failure" in record else format(record[key], form) if key in record else "-"

    growth = f"{ours['emitted'] / ours['primal']:.2f}" if "emitted" in ours else "-"
    counts = [cell(ours, "primal", "d"), cell(ours, "emitted", "d"), growth]
    seconds = [cell(ours, "wall_s", ".2f"), cell(ours, "cpu_s", ".2f"), cell(ours, "ratio", ".2f")]
    seconds.append(cell(again, "cpu_s", ".3f"))
    return [ours.get("title", name), *counts, *seconds, cell(jax, "wall_s", ".2f"), cell(jax, "cpu_s", ".2f")]


def main() -> int:
    """0 where zygopy compiled every program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compile_time", description=__doc__)
    parser.add_argument("--only", help="names of programs, separated by commas")
    parser.add_argument("--group", choices=GROUPS, default="loops", help="the programs where --only names none")
    parser.add_argument("--no-jax", action="store_true")
    parser.add_argument("--json", metavar="PATH", help="write all numbers")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(first_gradient(*chosen.child)))
        return 0

    names = (
        chosen.only.split(",")
        if chosen.only
        else [*GROUPS[chosen.group], *(GENERATED if chosen.group == "loops" else ())]
    )
    contenders = CONTENDERS[:1] if chosen.no_jax else CONTENDERS
    load_before = harness.load()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ZYGOPY_CACHE_DIR"] = folder
        records = {name: records_of(name, contenders, Path(folder)) for name in names}
    print(f"{harness.machine()}\nload {load_before} before, {harness.load()} after\n{EXPLANATION}\n")
    header = [
        "program",
        "primal",
        "emitted",
        "emitted/primal",
        "wall s",
        "CPU s",
        "CPU/mark",
        "from disk",
        "jax wall s",
        "jax CPU s",
    ]
    print(harness.table(header, [rows_of(name, record) for name, record in records.items()]))
    ratios = [record["zygopy"]["ratio"] for record in records.values() if "ratio" in record["zygopy"]]
    if ratios:
        print(f"\nCPU/mark: median {statistics.median(ratios):.2f}, largest {max(ratios):.2f}")
    failures = [(n, c, r["failure"]) for n, record in records.items() for c, r in record.items() if "failure" in r]
    for name, contender, failure in failures:
        print(f"{name}: {contender}: {failure}")
    if chosen.json:
        with open(chosen.json, "w") as file:
            json.dump({"machine": harness.machine(), "records": records}, file, indent=1)
    return 1 if any(contender == "zygopy" for _, contender, _ in failures) else 0


if __name__ == "__main__":
    sys.exit(main())
