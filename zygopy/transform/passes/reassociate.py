"""Sums whose partial sums nobody reads may be added up in any order, and then they vectorise.

for i in range(n):                       for i in range(n):
    total = total + a[i]         ->          total += a[i]        # ops.SUM
    total = total - b[i]                     total += -b[i]

A sum that is read, tested or stored on the way (compensated summation, running means) keeps the order of its additions.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.build import Builder
from zygopy.transform.ir import (
    Block,
    For,
    Function,
    If,
    Let,
    Statement,
    Value,
    Var,
    While,
    blocks,
    free_values,
    operands,
    replace,
    walk,
)
from zygopy.transform.types import Scalar


def reassociate(function: Function) -> Function:
    """Mark the additions of the sums that for loops carry."""
    return replace(function, body=_block(function.body))


def _block(block: Block) -> Block:
    out: list[Statement] = []
    for s in block.statements:
        match s:
            case For():
                s = replace(s, body=_block(_loop(s)))
            case While():
                s = replace(s, body=_block(s.body))
            case If():
                s = replace(s, then=_block(s.then), orelse=_block(s.orelse))
        out.append(s)
    return replace(block, statements=tuple(out))


def _loop(s: For) -> Block:
    """The body of a loop, its sums marked."""
    links: set[Var] = set()
    for k, param in enumerate(s.params):
        if isinstance(param.type, Scalar) and param.type.is_float:
            found = carried_sum(param, k, s.body)
            links |= found.links if found is not None else set()
    return _marked(s.body, links) if links else s.body


@dataclass(frozen=True)
class Sum:
    """The additions of a sum, and the statements of its block on its way, each with the sum before and after."""

    links: set[Var]
    steps: list[tuple[Statement, Value, Value]]


def carried_sum(start: Value, k: int, block: Block, adds: Callable[[Let, Value], bool] | None = None) -> Sum | None:
    """The sum that leads from `start` to what the block yields at `k`; None if anything else reads it on the way.

    `adds` says which Lets carry it on, where it is no sum but another chain of one operation.
    """
    adds = adds or _adds_to
    total, partial = start, {start}
    found = Sum(set(), [])
    for s in block.statements:
        read = [v for v in operands(s) if v in partial]
        nested = [v for inner in blocks(s) for v in free_values(inner) if v in partial]
        if not read and not nested:
            continue
        if {*read, *nested} != {total}:
            return None
        match s:
            case Let() if adds(s, total):
                links, after = {s.var}, s.var
            case For() if not nested and read == [total] and total in s.inits:
                at = s.inits.index(total)
                inner = carried_sum(s.params[at], at, s.body, adds)
                if inner is None:
                    return None
                links, after = inner.links, s.results[at]
            case If() if not read:
                sides = [(_on_both_sides(s, at, total, adds), result) for at, result in enumerate(s.results)]
                sums = [(side, result) for side, result in sides if side is not None]
                if not sums:
                    return None
                links, after = sums[0]
            case _:
                return None
        found.links.update(links)
        found.steps.append((s, total, after))
        total = after
        partial.add(total)
    read_on = [v for at, v in enumerate(block.yields) if at != k and v in partial]
    return found if block.yields[k] is total and not read_on else None


def is_free_sum(s: For, k: int) -> bool:
    """Whether a loop's variable is a sum that may be added up in any order."""
    if (found := carried_sum(s.params[k], k, s.body)) is None:
        return False
    lets = [t for t in walk(s.body) if isinstance(t, Let) and t.var in found.links]
    return all(t.op is ops.SUM or t.var.type.is_integer for t in lets)


def _on_both_sides(s: If, k: int, total: Value, adds: Callable[[Let, Value], bool]) -> set[Var] | None:
    sides = [carried_sum(total, k, side, adds) for side in (s.then, s.orelse)]
    return None if None in sides else set().union(*(side.links for side in sides))


def _adds_to(s: Let, total: Value) -> bool:
    if s.var.type != total.type or s.args.count(total) != 1:
        return False
    return s.op in (ops.ADD, ops.SUM) or (s.op is ops.SUB and s.args[0] is total)


def _marked(block: Block, links: set[Var]) -> Block:
    out: list[Statement] = []
    for s in block.statements:
        match s:
            case Let() if s.var in links:
                b = Builder(s.loc)
                args = s.args if s.op is not ops.SUB else (s.args[0], b.apply(ops.NEG, s.args[1]))
                out += [*b.statements, replace(s, op=ops.SUM, args=args)]
            case For():
                out.append(replace(s, body=_marked(s.body, links)))
            case If():
                out.append(replace(s, then=_marked(s.then, links), orelse=_marked(s.orelse, links)))
            case _:
                out.append(s)
    return replace(block, statements=tuple(out))
