"""Dead stores: what the last loop that touches an array stores into elements that nothing reads any more.

for i in range(n):                       for i in range(n):
    g = t_bar[i]              ->             g = t_bar[i]
    t_bar[i] = 0.0
    x_bar[i] = g * w[i]                      x_bar[i] = g * w[i]
"""

from collections.abc import Iterator
from dataclasses import replace

from zygopy.transform import ops
from zygopy.transform.ir import (
    Block,
    Effect,
    For,
    Function,
    If,
    Let,
    Statement,
    Store,
    Value,
    Var,
    While,
    block_params,
    blocks,
    defined,
    leaves,
    operands,
    walk,
)
from zygopy.transform.memory import AliasClasses
from zygopy.transform.simplify import simplify
from zygopy.transform.types import Array


def dead_stores(function: Function) -> Function:
    """Leave out stores into arrays of one name only, in the block that makes them, that no trip reads afterwards."""
    aliases = AliasClasses(function.body)
    kept = {v for v in leaves(function.results) if isinstance(v, Var)}
    names: dict[Var, set[Var]] = {}
    for s in walk(function.body):
        for v in (*operands(s), *defined(s), *block_params(s)):
            if isinstance(v, Var) and isinstance(v.type, Array):
                names.setdefault(aliases.of(v), set()).add(v)
    dead: set[int] = set()

    def visit(block: Block) -> None:
        for k, s in enumerate(block.statements):
            for inner in blocks(s):
                visit(inner)
            made = isinstance(s, Let) and s.op.effect is Effect.ALLOCATES and isinstance(s.var.type, Array)
            if made and s.var not in kept and names[aliases.of(s.var)] == {s.var}:
                last = [t for t in block.statements[k + 1 :] if _touches(t, s.var)][-1:]
                dead.update(id(store) for t in last if (store := _dead(t, s.var)) is not None)

    visit(function.body)
    return simplify(replace(function, body=_without(function.body, dead))) if dead else function


def _touches(s: Statement, array: Var) -> bool:
    return any(array in operands(t) for t in walk(Block((s,))))


def _dead(s: Statement, array: Var) -> Store | None:
    """The last store of a statement, if each of its trips touches an element of its own."""
    found = list(_accesses(s, array, ()))
    if not all(isinstance(t, Store) or (isinstance(t, Let) and t.op is ops.LOAD) for t, _ in found):
        return None
    last, loops = found[-1]
    if not isinstance(last, Store) or last.add is not None or None in loops or not set(loops) <= set(last.index):
        return None
    same = all((t.index if isinstance(t, Store) else t.args[1:]) == last.index for t, _ in found)
    return last if same else None


def _accesses(s: Statement, array: Var, loops: tuple) -> Iterator[tuple[Statement, tuple[Value | None, ...]]]:
    """The statements in another one that use an array, with the indices of the loops around them (None: while)."""
    if array in operands(s):
        yield s, loops
    inside = (*loops, s.index) if isinstance(s, For) else (*loops, None) if isinstance(s, While) else loops
    for block in blocks(s):
        for t in block.statements:
            yield from _accesses(t, array, inside)


def _without(block: Block, dead: set[int]) -> Block:
    out: list[Statement] = []
    for s in block.statements:
        match s:
            case For():
                out.append(replace(s, body=_without(s.body, dead)))
            case While():
                out.append(replace(s, test=_without(s.test, dead), body=_without(s.body, dead)))
            case If():
                out.append(replace(s, then=_without(s.then, dead), orelse=_without(s.orelse, dead)))
            case _ if id(s) not in dead:
                out.append(s)
    return Block(tuple(out), block.yields)
