"""Growing tapes as arrays of as many rows as the host gives them; a program that fills one starts again with more.

tape = stack()                           tape, top = empty(rows, 1), zeros(1)
while x > 1:                             while x > 1:
    x = sin(x)                               x = sin(x)
    push tape <- x             ->            k = top[0]; check k < rows; tape[k, 0] = x; top[0] = k + 1
for ...:                                 for ...:
    pop x <- tape                            k = top[0] - 1; check 0 <= k; x = tape[k, 0]; top[0] = k

A tape that each trip of a loop has for itself stays that, and threads can share out its trips.
"""

from zygopy.errors import TapeFullError
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Check,
    Function,
    Let,
    Param,
    Pop,
    Push,
    Statement,
    Value,
    Var,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.types import INT, Array, Stack

ROWS = "tape_rows"  # the parameter that such a program has behind the others


def stacks_as_arrays(function: Function) -> Function:
    """The function with arrays in the place of growing tapes, and a parameter more: how many rows each has."""
    made = [s for s in walk(function.body) if isinstance(s, Let) and s.op is ops.NEW_STACK]
    if not made:
        return function
    arrays = {s.var: _arrays_of(s.var) for s in made}
    rows = Var(ROWS, INT)

    def changed(block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            b = Builder(s.loc)
            match s:
                case Let(op=ops.NEW_STACK):
                    tape, top = arrays[s.var]
                    b.emit(Let(tape, ops.EMPTY, (rows, integer(s.var.type.width)), s.loc))
                    b.emit(Let(top, ops.ZEROS, (integer(1),), s.loc))
                case Push() if s.stack in arrays:
                    tape, top = arrays[s.stack]
                    at = b.load(top, (integer(0),))
                    _check(b.apply(ops.LT, at, rows), b)
                    for k, value in enumerate(s.values):
                        b.store(tape, (at, integer(k)), value)
                    b.store(top, (integer(0),), b.add(at, integer(1)))
                case Pop() if s.stack in arrays:
                    tape, top = arrays[s.stack]
                    at = b.sub(b.load(top, (integer(0),)), integer(1))
                    _check(b.apply(ops.GE, at, integer(0)), b)
                    b.store(top, (integer(0),), at)
                    for k, var in enumerate(s.vars):
                        b.emit(Let(var, ops.LOAD, (tape, at, integer(k)), s.loc))
                case _:
                    b.emit(with_blocks(s, changed))
            out += b.statements
        return Block(tuple(out), block.yields)

    return replace(function, body=changed(function.body), params=(*function.params, Param(ROWS, rows)))


def _arrays_of(stack: Var) -> tuple[Var, Var]:
    assert isinstance(stack.type, Stack)
    return Var(stack.name, Array(stack.type.dtype, 2)), Var(f"{stack.name}_top", Array(INT.dtype, 1))


def _check(test: Value, b: Builder) -> None:
    b.emit(Check(test, TapeFullError, "a tape is full", b.loc))


def grows(function: Function) -> bool:
    """Whether a program has tapes of the rows that it is given."""
    return bool(function.params) and function.params[-1].name == ROWS
