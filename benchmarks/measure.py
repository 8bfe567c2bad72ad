"""One row of the table: a program at one size, checked and timed beside its contenders."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from benchmarks import harness
from benchmarks.program import Program

CHECKS = ("hand/difference", "hand/primal", "jax/hand", "zygopy/hand", "jvp/vjp")
DIFFERENCE_LIMIT = 1e-5  # what central differences are good for; contenders have the program's own tolerance


@dataclass
class Row:
    """Times in seconds and ratios by contender, relative errors by check, what raised, and JAX's idioms."""

    title: str
    label: str
    note: str = ""
    tolerance: float = 1e-10
    times: dict[str, float] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    idioms: dict[str, float] = field(default_factory=dict)

    def limit(self, check: str) -> float:
        return max(DIFFERENCE_LIMIT, 10.0 * self.tolerance) if check == "hand/difference" else self.tolerance

    @property
    def wrong(self) -> list[str]:
        """The checks that failed; a nan fails."""
        return [name for name, error in self.errors.items() if not error <= self.limit(name)]

    def attempt(self, name: str, action: Callable):
        """The result of the action; None, with a line for the table, where it raises whatever it raises."""
        try:
            return action()
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            self.failures[name] = f"{type(error).__name__}: {lines[0]}"
            return None


def measure(program: Program, label: str, size, rounds: int, round_s: float, with_jax: bool, variants: bool) -> Row:
    row = Row(program.title, label, program.note, program.tolerance)
    args = program.make_inputs(size)
    primal = harness.primal_of(program)
    calls: dict[str, Callable] = {"primal": partial(primal, *args), "hand": partial(program.hand, *args)}
    calls |= {f"hand, {name}": partial(hand, *args) for name, hand in program.variants.items() if variants}
    made = row.attempt("zygopy", lambda: harness.zygopy_contender(program, args))
    calls |= {"zygopy": made} if made else {}
    results = {name: row.attempt(name, call) for name, call in calls.items()}
    calls = {name: call for name, call in calls.items() if name not in row.failures}
    if with_jax:
        calls |= best_idiom(row, program, args, results["hand"])
    check(row, program, args, primal, results)

    samples = harness.interleave(calls, rounds, round_s)
    row.times = {name: statistics.median(seconds) for name, seconds in samples.items()}
    pairs = [("zygopy", "hand"), ("zygopy", "primal"), ("hand", "primal")]
    pairs += [(jax, under) for jax in ("jax numpy", "jax device") for under in ("zygopy", "hand")]
    for over, under in pairs:
        value = harness.ratio(samples, over, under)
        if value is not None:
            row.ratios[f"{over}/{under}"] = value
    for under in ("zygopy", "hand"):
        columns = [
            row.ratios[f"{jax}/{under}"] for jax in ("jax numpy", "jax device") if f"{jax}/{under}" in row.ratios
        ]
        if columns:
            row.ratios[f"jax/{under}"] = min(columns)
    return row


def best_idiom(row: Row, program: Program, args, expected) -> dict[str, Callable]:
    """JAX's fastest idiom with NumPy and with device arrays; all idioms are compiled, checked and timed once."""
    for idiom in program.jax:
        call = harness.jax_contender(program, idiom, args, on_device=True)
        result = row.attempt(f"jax, {idiom}", call)
        if result is None:
            continue
        if expected is not None:
            error = harness.relative_error(result, expected)
            row.errors["jax/hand"] = max(error, row.errors.get("jax/hand", 0.0))
        row.idioms[idiom] = min(harness.timed(call, 1) for _ in range(5))
    if not row.idioms:
        return {}
    best = min(row.idioms, key=lambda idiom: row.idioms[idiom])
    return {
        "jax numpy": harness.jax_contender(program, best, args, on_device=False),
        "jax device": harness.jax_contender(program, best, args, on_device=True),
    }


def check(row: Row, program: Program, args, primal, results) -> None:
    """Hand against finite differences and the primal's value, zygopy against hand, jvp against vjp."""
    hand, ours = results.get("hand"), results.get("zygopy")
    if hand is not None and results.get("primal") is not None:
        row.errors["hand/primal"] = harness.relative_error(hand[0], results["primal"])
        row.errors["hand/difference"] = harness.difference_error(program, primal, args, hand[1])
    if hand is not None and ours is not None:
        row.errors["zygopy/hand"] = harness.relative_error(ours, hand)
    if ours is not None:
        error = row.attempt("zygopy.jvp", lambda: harness.transpose_error(program, args, ours[1]))
        if error is not None:
            row.errors["jvp/vjp"] = error
