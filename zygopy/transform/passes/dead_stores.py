"""Dead stores: what the last statements that touch an array store into elements that nothing reads any more.

for i in range(n):                       for i in range(n):
    g = t_bar[i]              ->             g = t_bar[i]
    t_bar[i] = 0.0
    x_bar[i] = g * w[i]                      x_bar[i] = g * w[i]
"""

from zygopy.transform import ops
from zygopy.transform.ir import (
    Block,
    Const,
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
    replace,
    walk,
    within,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.simplify import simplify
from zygopy.transform.types import Array


def dead_stores(function: Function) -> Function:
    """Leave out stores into arrays, in the block that makes them, that nothing reads later by any of their names."""
    aliases = alias_classes(function.body)
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
            if not made or kept & names[aliases.of(s.var)]:
                continue
            rest, own = block.statements[k + 1 :], names[aliases.of(s.var)]
            if own == {s.var} or own <= {s.var, *_defined_in(rest)}:
                dead.update(map(id, _unread(rest, s.var, own)))

    visit(function.body)
    return simplify(replace(function, body=_without(function.body, dead))) if dead else function


def _defined_in(statements: tuple[Statement, ...]) -> set[Var]:
    return {v for s in statements for t in within(s) for v in (*defined(t), *block_params(t))}


def _unread(statements: tuple[Statement, ...], array: Var, names: set[Var]) -> list[Store]:
    """The stores of statements into elements of an array that none of these reads later, by whichever name."""
    found: list[Store] = []
    read: list[tuple[Value, ...]] = []
    for s in reversed(statements):
        uses = [t for t in within(s) if not names.isdisjoint(operands(t))]
        match s:
            case _ if not uses:
                continue
            case _ if any(not (names - {array}).isdisjoint(operands(t)) for t in uses):
                return found
            case Store(add=None) if all(_apart(s.index, index) for index in read):
                found.append(s)
            case Store() | Let(op=ops.LOAD):
                read.append(_place(s))
            case For() if not read and _apart_by_trips(s, uses):
                return [*found, *_unread(s.body.statements, array, names)]
            case _:
                return found
    return found


def _apart_by_trips(s: For, uses: list[Statement]) -> bool:
    """Whether each trip touches elements of its own: an index is that of the loop."""
    if not all(isinstance(t, Store) or (isinstance(t, Let) and t.op is ops.LOAD) for t in uses):
        return False
    return any(all(index is s.index for index in axis) for axis in zip(*map(_place, uses), strict=True))


def _place(t: Statement) -> tuple[Value, ...]:
    return t.index if isinstance(t, Store) else t.args[1:]


def _apart(a: tuple[Value, ...], b: tuple[Value, ...]) -> bool:
    return any(isinstance(i, Const) and isinstance(j, Const) and i.value != j.value for i, j in zip(a, b, strict=True))


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
    return replace(block, statements=tuple(out))
