"""Tests of index bounds while a function is specialised: each at the outermost place where it means the same.

for i in range(n):                      if n > len(x):
    if i >= len(x): raise      ->           raise
    ... x[i] ...                        for i in range(n):
                                            ... x[i] ...

What loop ranges and earlier tests prove needs no test.
"""

from zygopy.errors import OutOfBoundsError
from zygopy.transform import ops
from zygopy.transform.affine import Affine
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import Check, Const, Value
from zygopy.transform.notes import notes


def require_less(s, i: Value, n: Value, message: str) -> None:
    """Test i < n, before the loops around this place where that means the same."""
    gap = s.facts.affine(n) - s.facts.affine(i).shift(1)  # is to be >= 0
    note(s, i, _test(s, gap, message))
    s.facts.assume(gap)


def note(s, index: Value, where: str = "") -> None:
    """Note where an index is tested; '' for the place where it is used."""
    if (taken := notes()) is not None:
        form, in_loop = s.facts.affine(index), any(level.kind in ("for", "while") for level in s.levels)
        text = " + ".join([str(form.constant), *(f"{c} {symbol.name}" for symbol, c in form.terms)])
        taken.bounds[s.loc, text] = where or ("tested in each trip" if in_loop else "tested once")


def _test(s, gap: Affine, message: str) -> str:
    """Test gap >= 0; where that is, '' for here."""
    depth, empty = _place_of_test(s, gap)
    for level in range(len(s.levels) - 1, depth, -1):
        gap = _outside(s, gap, level)
    if _always(s, gap, empty, depth + 1):
        return "implied"
    builder = s.levels[depth].builder
    loc, builder.loc = builder.loc, s.loc
    test = _not_negative(builder, gap)
    for form in empty:
        test = builder.apply(ops.OR, test, _not_negative(builder, form.scale(-1)))
    s.facts.assume(gap, *(form.scale(-1) for form in empty), depth=depth)
    if not (isinstance(test, Const) and test.value):
        builder.emit(Check(test, OutOfBoundsError, message, s.loc))
    builder.loc = loc
    return "tested before the loop" if depth < len(s.levels) - 1 else ""


def _place_of_test(s, gap: Affine) -> tuple[int, list[Affine]]:
    """The depth of the outermost block where a test means the same, and when the loops up to it run."""
    depth = len(s.levels) - 1
    empty: list[Affine] = []
    while s.levels[depth].kind == "for" and (outside := _outside(s, gap, depth)) is not None:
        if not all(_visible(s, form, depth - 1) for form in empty):
            break
        _, start, stop, step = s.levels[depth].loop
        runs = (s.facts.affine(stop) - s.facts.affine(start)).scale(step.value)  # > 0 when the loop runs
        if not _implied(s, outside, runs, depth):
            if not _visible(s, runs, depth - 1):
                break
            empty.append(runs)
        gap = outside
        depth -= 1
    return depth, empty


def _implied(s, gap: Affine, condition: Affine, blocks: int) -> bool:
    """Whether the test gap >= 0 needs no exception for a loop that does not run."""
    never = s.facts.never_negative
    return never(condition.shift(-1), blocks) or never(gap + condition, blocks)


def _always(s, gap: Affine, empty: list[Affine], blocks: int) -> bool:
    """Whether gap >= 0, or one of the loops does not run (its condition <= 0), is certain."""
    if s.facts.never_negative(gap, blocks):
        return True
    return any(not (total := gap - condition).terms and total.constant >= -1 for condition in empty)


def _outside(s, gap: Affine, depth: int) -> Affine | None:
    """The smallest value of `gap` over the trips of the loop at `depth`, in terms known before the loop."""
    index, start, stop, step = s.levels[depth].loop
    if not isinstance(step, Const) or abs(step.value) != 1:
        return None
    coefficient = gap.coefficient(index)
    if coefficient:
        first, last = s.facts.affine(start), s.facts.affine(stop).shift(-step.value)
        low, high = (first, last) if step.value > 0 else (last, first)
        gap = gap.substitute(index, low if coefficient > 0 else high)
    return gap if _visible(s, gap, depth - 1) else None


def _visible(s, form: Affine, depth: int) -> bool:
    return all(s.homes.get(symbol, 0) <= depth for symbol, _ in form.terms)


def _not_negative(builder: Builder, form: Affine) -> Value:
    sides = {True: integer(max(form.constant, 0)), False: integer(max(-form.constant, 0))}
    for symbol, coefficient in form.terms:
        term = builder.mul(symbol, integer(abs(coefficient)))
        sides[coefficient > 0] = builder.add(term, sides[coefficient > 0])
    return builder.apply(ops.LE, sides[False], sides[True])
