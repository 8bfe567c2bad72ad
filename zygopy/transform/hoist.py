"""Moving what does not change in a loop before it.

for j in range(n):                   t = m - 1
    for k in range(m - 1):    ->     for j in range(n):
        ...                              for k in range(t):
"""

from dataclasses import replace

from zygopy.transform import ops
from zygopy.transform.ir import (
    Block,
    Const,
    Effect,
    For,
    Function,
    If,
    Let,
    Scalar,
    Statement,
    Var,
    While,
    defined_inside,
)

_MAY_FAIL = {ops.FLOORDIV, ops.MOD, ops.POW, ops.SHIFT_LEFT, ops.SHIFT_RIGHT}


def hoist(function: Function) -> Function:
    """Move cheap numbers, and memory that each trip fills anew, out of the for loops in which they do not change."""
    return replace(function, body=_block(function.body))


def _block(block: Block) -> Block:
    out: list[Statement] = []
    for s in block.statements:
        match s:
            case For():
                out += _loop(replace(s, body=_block(s.body)))
            case While():
                out.append(replace(s, body=_block(s.body)))
            case If():
                out.append(replace(s, then=_block(s.then), orelse=_block(s.orelse)))
            case _:
                out.append(s)
    return Block(tuple(out), block.yields)


def _loop(s: For) -> list[Statement]:
    inside = defined_inside(s)
    moved: list[Statement] = []
    kept: list[Statement] = []
    for t in s.body.statements:
        if isinstance(t, Let) and _is_movable(t) and not any(a in inside for a in t.args if isinstance(a, Var)):
            inside.discard(t.var)
            moved.append(t)
        else:
            kept.append(t)
    return [*moved, replace(s, body=Block(tuple(kept), s.body.yields))]


def _is_movable(t: Let) -> bool:
    if t.op in (ops.SCRATCH, ops.NEW_STACK):  # a trip reads what it wrote itself, and pops what it pushed
        return True
    if t.op.effect is not Effect.PURE or not t.op.cheap or not isinstance(t.var.type, Scalar):
        return False
    return t.op not in _MAY_FAIL or (isinstance(t.args[1], Const) and bool(t.args[1].value) and t.op is not ops.POW)
