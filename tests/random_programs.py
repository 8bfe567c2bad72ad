"""The runner of random programs: python -m tests.random_programs --count 1000 --backend python --seed 0 --jobs 2.

Each program's value, with and without derivatives, its gradient (against two random directions) and tangent are held
against the dual-number oracle, and the caller's arrays against CPython's. A disagreement that vanishes in the noise of
a perturbed oracle is "unstable"; any other is wrong, is shrunk and printed.
"""

import argparse
import contextlib
import importlib.util
import io
import itertools
import math
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import zygopy as zg
from tests import array_generator, generator, long_oracle, oracle, structure_generator
from tests.compare import inner
from tests.long_oracle import Unstable
from tests.shrink import shrink
from tests.writing.base import RandomProgram

os.environ["ZYGOPY_VERIFY"] = "1"
_numbers = itertools.count()


@dataclass
class Report:
    """What a run of many programs found."""

    programs: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)  # what, source
    refused: Counter = field(default_factory=Counter)
    refused_seeds: dict[str, list[str]] = field(default_factory=dict)
    unstable: list[str] = field(default_factory=list)
    raised: Counter = field(default_factory=Counter)  # programs that end with an error, and gradients with the same
    constructs: Counter = field(default_factory=Counter)

    def add(self, other: "Report") -> None:
        self.programs += other.programs
        self.wrong += other.wrong
        self.refused += other.refused
        self.unstable += other.unstable
        self.raised += other.raised
        self.constructs += other.constructs
        for message, names in other.refused_seeds.items():
            self.refused_seeds.setdefault(message, []).extend(names)

    def __str__(self) -> str:
        refusals = sum(self.refused.values())
        lines = [
            f"programs {self.programs}, wrong {len(self.wrong)}, refused {refusals}, unstable {len(self.unstable)}",
            "constructs (programs with it):",
            *(f"  {count:6} {name}" for name, count in sorted(self.constructs.items(), key=lambda x: x[1])),
            "refusals:",
            *(
                f"  {n:5} {message}  {' '.join(self.refused_seeds[message][:5])}"
                for message, n in self.refused.most_common()
            ),
            f"unstable: {' '.join(self.unstable)}",
            f"raised: {' '.join(f'{name} {n}' for name, n in self.raised.items())}",
        ]
        for what, source in self.wrong:
            lines += ["", f"WRONG: {what}", source]
        return "\n".join(lines)


class Wrong(Exception):
    """zygopy and the oracle disagree, or zygopy failed."""


@dataclass(frozen=True)
class Kind:
    """A family of programs: what writes them, and what knows their derivatives."""

    generator: Any
    oracle: Any


SCALARS = Kind(generator, oracle)
ARRAYS = Kind(array_generator, long_oracle)
STRUCTURES = Kind(structure_generator, long_oracle)
KINDS = {"scalars": SCALARS, "arrays": ARRAYS, "structures": STRUCTURES}


def load(sources: list[str], folder: Path, kind: Kind = SCALARS):
    """Functions as a module in a file, so that their source can be read."""
    name = f"programs_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(kind.generator.PRELUDE + "\n\n" + "\n\n\n".join(sources) + "\n")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    _quietly(lambda: spec.loader.exec_module(module))
    return module


@contextlib.contextmanager
def time_limit(seconds: float):
    """Raise TimeoutError in what computes longer: a loop that a smaller program left without its end."""

    def stop(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def directions(args, argnums, seed: int) -> tuple:
    """Random tangents for the differentiated arguments, None for the others."""
    rng = np.random.default_rng(seed)

    def one(arg):
        if isinstance(arg, tuple):
            return tuple(map(one, arg))
        return rng.normal(size=arg.shape).astype(arg.dtype) if isinstance(arg, np.ndarray) else float(rng.normal())

    return tuple(one(arg) if n in argnums else None for n, arg in enumerate(args))


def perturbed(args, seed: int, size: float) -> tuple:
    """Arguments moved by a relative `size`."""
    rng = np.random.default_rng(seed)

    def one(arg):
        if isinstance(arg, tuple):
            return tuple(map(one, arg))
        if isinstance(arg, np.ndarray) and arg.dtype.kind == "f":
            return (arg * (1 + size * rng.uniform(-1, 1, arg.shape))).astype(arg.dtype)
        return arg * (1 + size * rng.uniform(-1, 1)) if isinstance(arg, float) else arg

    return tuple(map(one, args))


class MathOfFloat32:
    """The module `math` as zygopy takes it (docs/semantics.md): functions of float32 numbers give float32."""

    def __getattr__(self, name):
        function = getattr(math, name)
        if not callable(function):
            return function

        def rounded(*args):
            result = function(*args)
            types = {type(arg) for arg in args}
            single = np.float32 in types and np.float64 not in types
            return np.float32(result) if single and isinstance(result, float) else result

        return rounded


@contextlib.contextmanager
def math_of_float32(function):
    """A program's own `math` calls rounded: what tips by that tips by roundings."""
    names = function.__globals__
    names["math"] = MathOfFloat32()
    try:
        yield
    finally:
        names["math"] = math


def check(function, make_args, argnums, single: bool, backend: str, kind: Kind = SCALARS) -> None:
    """Hold one program against the oracle.

    Raises
    ------
    Wrong, Unstable, zygopy.ZygopyError
    """
    rtol = 2e-4 if single else 1e-8
    value, after = _quietly(lambda: oracle.plain(function, make_args()))
    if not np.isfinite(value):
        raise Unstable("the value is not finite")
    result = _zygopy(lambda: zg.jit(function, backend=backend)(*make_args()))
    _compare("value of jit", result, value, abs(value) + 1, rtol, function, make_args, None, single, kind)
    args = make_args()
    result, gradient = _zygopy(lambda: zg.value_and_grad(function, argnums, backend=backend)(*args))
    _compare("value", result, value, abs(value) + 1, rtol, function, make_args, None, single, kind)
    _compare_arrays(args, after, rtol, function, make_args, single)
    for seed in (1, 2):
        tangents = directions(make_args(), argnums, seed)
        _, slope = kind.oracle.directional(function, make_args(), tangents)
        chosen = tuple(tangents[n] for n in argnums)
        scale = _absolute(gradient, chosen) + abs(float(slope)) + 1e-3
        _compare(
            "gradient", inner(gradient, chosen), float(slope), scale, rtol, function, make_args, tangents, single, kind
        )
    result, tangent = _zygopy(lambda: zg.jvp(function, make_args(), tangents, backend=backend))
    _compare("value of jvp", result, value, abs(value) + 1, rtol, function, make_args, None, single, kind)
    _compare("tangent", tangent, float(slope), scale, rtol, function, make_args, tangents, single, kind)


def _absolute(gradient, tangents) -> float:
    flat = lambda tree: tuple(map(flat, tree)) if isinstance(tree, tuple) else None if tree is None else np.abs(tree)  # noqa: E731
    return inner(flat(gradient), flat(tangents))


def _quietly(run):
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return run()


def _zygopy(run):
    try:
        return _quietly(run)
    except (zg.ZygopyError, TimeoutError):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise Wrong(f"crash {type(error).__name__}: {error} at {Path(place.filename).name}:{place.name}") from error


def _compare(what, got, expected, scale, rtol, function, make_args, tangents, single, kind) -> None:
    error = abs(float(got) - float(expected))
    if error <= rtol * scale:
        return
    size = 1e-7 if single else 1e-14
    spread = 0.0
    for seed in range(6):
        moved = perturbed(make_args(), seed, size)
        if tangents is None:
            other = _quietly(lambda moved=moved: oracle.plain(function, moved))[0]
        else:
            other = kind.oracle.directional(function, moved, tangents)[1]
        spread = max(spread, abs(float(other) - float(expected)))
    if single and tangents is None:
        with math_of_float32(function):
            other = _quietly(lambda: oracle.plain(function, make_args()))[0]
        spread = max(spread, abs(float(other) - float(expected)))
    if error <= 1e4 * spread:
        raise Unstable(what)
    raise Wrong(f"{what} {got!r} instead of {expected!r}")


def _compare_arrays(args, after, rtol, function, make_args, single) -> None:
    for n, (left, wanted) in enumerate(zip(args, after, strict=True)):
        if isinstance(wanted, np.ndarray) and not np.allclose(left, wanted, rtol=rtol * 10, atol=rtol * 10):
            moved = _quietly(lambda: oracle.plain(function, perturbed(make_args(), 0, 1e-14)))[1]
            if single or not np.allclose(moved[n], wanted, rtol=1e-10, atol=1e-10):
                raise Unstable("effects")
            raise Wrong(f"argument {n} is left as {left!r} instead of {wanted!r}")


def outcome(
    module, program: RandomProgram, backend: str, seconds: float = 40.0, kind: Kind = SCALARS
) -> tuple[str, str]:
    """One of "ok", "wrong", "refused", "unstable", "raised", and what was said."""
    try:
        function, make_args = getattr(module, program.name), getattr(module, f"{program.name}_args")
        with time_limit(seconds / 10):
            _quietly(lambda: oracle.plain(function, make_args()))
    except TimeoutError:
        return "unstable", "the program itself does not end"
    except ArithmeticError:
        return "unstable", "the program divides by zero"
    except (IndexError, ValueError) as error:
        return _same_error(function, make_args(), program.argnums, backend, error)
    try:
        with time_limit(seconds):
            check(function, make_args, program.argnums, program.single, backend, kind)
    except TimeoutError:
        return "wrong", f"no result after {seconds} s"
    except zg.ZygopyError as error:
        return "refused", f"{type(error).__name__}: {error.what}"
    except (Wrong, Unstable) as error:
        return type(error).__name__.lower(), str(error)
    return "ok", ""


def _same_error(function, args, argnums, backend: str, error: Exception) -> tuple[str, str]:
    """Hold the error of a gradient against that of the program."""
    try:
        _quietly(lambda: zg.value_and_grad(function, argnums, backend=backend)(*args))
    except type(error):
        return "raised", type(error).__name__
    except zg.ZygopyError as other:
        return "refused", f"{type(other).__name__}: {other.what}"
    except Exception as other:
        return "wrong", f"{type(other).__name__} instead of {type(error).__name__}"
    return "wrong", f"no {type(error).__name__}: {error}"


def shrunk(program: RandomProgram, what: str, backend: str, folder: Path, seconds: float, kind: Kind = SCALARS) -> str:
    """A small program that is wrong in the same way."""
    words = what.split(" at ")[0].split()[:2] if what.startswith("crash") else what.split()[:1]
    limit = 10.0 if backend == "python" else 60.0

    def fails(source: str) -> bool:
        try:
            found, text = outcome(load([source], folder, kind), program, backend, limit, kind)
        except Exception:  # the smaller program is not a program
            return False
        return found == "wrong" and text.split()[: len(words)] == words

    return shrink(program.source, fails, seconds)


def run_seeds(seeds, backend: str = "python", seconds: float = 60.0, kind: Kind = SCALARS) -> Report:
    """Generate, run and judge the programs of some seeds."""
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        programs = [kind.generator.generate(seed, compiled=backend != "python") for seed in seeds]
        module = load([p.source for p in programs], folder, kind)
        for program in programs:
            report.programs += 1
            report.constructs.update(set(program.counts))
            found, text = outcome(module, program, backend, kind=kind)
            if found == "wrong":
                small = shrunk(program, text, backend, folder, seconds, kind) if seconds else program.source
                report.wrong.append((f"seed {program.name[1:]}: {text}", small))
            elif found == "refused":
                report.refused[text] += 1
                report.refused_seeds.setdefault(text, []).append(program.name)
            elif found == "raised":
                report.raised[text] += 1
            elif found == "unstable":
                report.unstable.append(f"{program.name}({text})")
    return report


def _task(task) -> Report:
    *task, kind = task
    return run_seeds(*task, KINDS[kind])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--backend", default="python", choices=("python", "cpu"))
    parser.add_argument("--kind", default="scalars", choices=KINDS, help="of programs")
    parser.add_argument("--arrays", action="store_const", dest="kind", const="arrays", help="--kind arrays")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--shrink", type=float, default=30.0, help="seconds for each wrong program, 0 for none")
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.count)
    tasks = [(list(seeds[k : k + 25]), options.backend, options.shrink, options.kind) for k in range(0, len(seeds), 25)]
    total = Report()
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for report in pool.imap_unordered(_task, tasks):
            total.add(report)
            print(f"\r{total.programs} programs, {len(total.wrong)} wrong", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(total)
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
