"""The two halves of a kept function: its forward part leaves a record of what its backward part reads.

def f(x):                     def f_forward(x, tape):           def f_backward(result_bar, tape):
    y = np.sin(x)                 y = np.sin(x)                     y, x = tape.pop()
    return y * y      ->          tape.append((y, x))               y_bar = result_bar * y + result_bar * y
                                  return y * y                      return y_bar * np.cos(x)

Records lie on one tape of the whole program. Calls run backwards in the opposite order, in loops, branches and
recursion alike, so that each backward part finds its own record on top. It adds the adjoints of arrays to shadows that
it is given and returns those of numbers.
"""

from dataclasses import dataclass, field

from zygopy.transform import ops
from zygopy.transform.build import Builder
from zygopy.transform.differentiation.operands import Operands
from zygopy.transform.ir import (
    Block,
    Call,
    Callee,
    Function,
    Let,
    Param,
    Pop,
    Push,
    Statement,
    Value,
    Var,
    free_values,
    leaves,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.memory import AliasClasses
from zygopy.transform.types import Array

_LONG = 100  # statements
Key = tuple[Callee, tuple[bool, ...], tuple[bool, ...]]


@dataclass(frozen=True)
class Half:
    """An open program of a kept function, and where it will be cut: behind `seam`, the adjoints that it is given.

    `bars` are the adjoints that the backward part returns.
    """

    program: object  # an Open
    arena: Var
    seam: tuple[Var, ...]
    bars: tuple[Value, ...]
    forward: Callee
    backward: Callee


@dataclass
class Halves:
    """The halves of a program's kept functions, by the arguments and results that carry derivatives."""

    functions: dict[Callee, Function]
    names: dict[Key, tuple[Callee, Callee]] = field(default_factory=dict)
    waiting: list[Key] = field(default_factory=list)

    def fitting(self, key: Key) -> Key:
        """The key itself, or for a long function that of halves for more arguments that are there already."""
        callee, moving, seeded = key
        if key in self.names or len(walk(self.functions[callee].body)) < _LONG:
            return key
        for other in self.names:
            more = all(b or not a for a, b in zip(moving, other[1], strict=False))
            if other[0] is callee and other[2] == seeded and more:
                return other
        return key

    def of(self, key: Key) -> tuple[Callee, Callee]:
        """What the forward and the backward part are called by."""
        if key not in self.names:
            name = key[0].name
            self.names[key] = Callee(f"{name}_forward"), Callee(f"{name}_backward")
            self.waiting.append(key)
        return self.names[key]


def cut(closed: Function, half: Half) -> tuple[Function, Function]:
    """The forward and the backward part of a program that is closed."""
    statements = closed.body.statements
    at = next(k for k, s in enumerate(statements) if isinstance(s, Pop) and s.stack is half.arena)
    results = tuple(leaves(closed.results))
    count = len(results) - len(half.bars)
    outs, bars = results[:count], results[count:]
    before, after = statements[:at], statements[at + 1 :]
    given = {half.arena, *half.seam}
    record = tuple(v for v in free_values(Block(after, bars)) if v not in given)
    push = (Push(half.arena, record, closed.loc),) if record else ()
    pop = (Pop(record, half.arena, closed.loc),) if record else ()
    forward = replace(closed, name=half.forward.name, body=Block((*before, *push), outs), results=outs)
    params = tuple(Param(v.name, v) for v in (*half.seam, half.arena))
    backward = replace(closed, name=half.backward.name, params=params, body=Block((*pop, *after), bars), results=bars)
    return forward, backward


def protect(function: Function) -> Function:
    """Give calls copies of arrays that are stored into behind them: records keep what they read and return."""
    if not any(isinstance(s, Call) for s in walk(function.body)):
        return function
    operands = Operands(function, AliasClasses(function.body, tied=False))

    def block(body: Block) -> Block:
        out: list[Statement] = []
        for s in body.statements:
            out += _protected(s, operands) if isinstance(s, Call) else [with_blocks(s, block)]
        return Block(tuple(out), body.yields)

    return replace(function, body=block(function.body))


def _protected(s: Call, operands: Operands) -> list[Statement]:
    before, after = Builder(s.loc), Builder(s.loc)
    args = list(s.args)
    for k, a in enumerate(args):
        if isinstance(a, Var) and isinstance(a.type, Array) and not operands.is_final(s, a):
            shape = operands.lengths(a, before)
            args[k] = before.let(ops.EMPTY, shape, Array(a.type.dtype, a.type.ndim), a.name)
            Matrices(before, lambda array: ()).copy(args[k], a, shape)
    results = list(s.results)
    for k, r in enumerate(results):
        if isinstance(r.type, Array) and not operands.is_final(s, r):
            results[k] = Var(r.name, r.type)
            dims = zip(range(r.type.ndim), s.shapes[k], strict=True)
            shape = tuple(after.dim(results[k], axis) if n is None else n for axis, n in dims)
            after.emit(_allocation(r, shape, s))
            Matrices(after, lambda array: ()).copy(r, results[k], shape)
    return [*before.statements, replace(s, args=tuple(args), results=tuple(results)), *after.statements]


def _allocation(r: Var, shape: tuple[Value, ...], s: Call) -> Statement:
    return Let(r, ops.EMPTY, shape, s.loc)
