"""Into: a derivative that is written into arrays of the caller.

def f_grad(x):                       def f_grad(x, out):
    x_bar = np.empty(n)                  if out.shape[0] != n:
    for i in range(n):                       raise ShapeError("out has another shape than the gradient")
        x_bar[i] = 2.0 * x[i]  ->        for i in range(n):
    return x_bar                             out[i] = 2.0 * x[i]
                                         return out

What the function does not allocate itself is copied at the end.
"""

from collections.abc import Iterator
from dataclasses import replace

from zygopy.errors import ArgumentError, DtypeError, Loc, ShapeError
from zygopy.transform import ops
from zygopy.transform.arguments import ArgumentType
from zygopy.transform.build import Builder
from zygopy.transform.ir import (
    Block,
    Check,
    Effect,
    Function,
    Leaves,
    Let,
    Param,
    Statement,
    Substitution,
    Value,
    Var,
    map_leaves,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.passes.overlaps import refuse_overlaps
from zygopy.transform.reading.values import Static
from zygopy.transform.records import Known, alike, keys_of, place, rebuilt
from zygopy.transform.types import Array

NAME = "out"  # of the parameter


def into(function: Function, gradient: Leaves, out: ArgumentType) -> Function:
    """The function with one more parameter, whose arrays become those of `gradient`, a part of the results.

    Raises
    ------
    ArgumentError, DtypeError
        If `out` has another structure, or an array of another dtype.
    """
    tree = _parameter(NAME, out)
    if isinstance(tree, Var) and not isinstance(tree.type, Array):
        raise DtypeError(f"{NAME} is a number; a gradient is written into arrays", function.loc, help=_HELP)
    pairs = list(_pairs(NAME, gradient, tree))
    writing = _Writing({a: (o, at) for a, o, at in pairs})
    body = writing.body(function.body, function.loc)
    function = replace(
        function,
        params=(*function.params, Param(NAME, tree)),
        body=body,
        results=map_leaves(writing.values.value, function.results),
    )
    return refuse_overlaps(function, {o for _, o, _ in pairs})


def _parameter(name: str, type_: ArgumentType) -> Leaves:
    """The leaves of a parameter of a type."""
    if isinstance(type_, Static):
        return Known(type_.value)
    if isinstance(type_, tuple):
        items = [_parameter(f"{name}_{key}", item) for key, item in zip(keys_of(type_), type_, strict=True)]
        return rebuilt(type_, items)
    return Var(name, type_)


def _pairs(at: str, gradient: Leaves, out: Leaves) -> Iterator[tuple[Var, Var, str]]:
    """Each array of the gradient with the one that it is to be, and what a user writes for that."""
    if isinstance(gradient, Known):
        return
    if isinstance(gradient, tuple):
        if isinstance(out, Known) or not isinstance(out, tuple) or not alike(gradient, out):
            raise ArgumentError(f"{at} has another structure than the gradient", help=_HELP)
        for key, a, o in zip(keys_of(gradient), gradient, out, strict=True):
            yield from _pairs(place(at, gradient, key), a, o)
    elif not isinstance(gradient.type, Array):
        if isinstance(out, tuple) or isinstance(out.type, Array):
            raise ArgumentError(f"{at} is {_described(out)}, the gradient is a number there", help=_HELP)
    elif isinstance(out, tuple) or not isinstance(out.type, Array):
        raise ArgumentError(f"{at} is {_described(out)}, the gradient is an array there", help=_HELP)
    elif (out.type.dtype, out.type.ndim) != (gradient.type.dtype, gradient.type.ndim):
        raise DtypeError(f"{at} is {_described(out)}, the gradient is {_described(gradient)}", help=_HELP)
    elif not out.type.writable:
        raise ArgumentError(f"{at} is read-only")
    else:
        yield gradient, out, at


_HELP = "pass what an earlier call returned, or arrays like the arguments"


def _described(value: Leaves) -> str:
    if isinstance(value, Known):
        return "None" if value.value is None else f"a {type(value.value).__name__}"
    if isinstance(value, tuple):
        return "a tuple or object"
    if isinstance(value.type, Array):
        return f"an array of {value.type.dtype} with {value.type.ndim} dimension{'s' * (value.type.ndim != 1)}"
    return "a number"


class _Writing:
    """Puts arrays in the place of others, by name where the function allocates them."""

    def __init__(self, wanted: dict[Var, tuple[Var, str]]):
        self.wanted = wanted
        self.values = Substitution({})

    def body(self, block: Block, loc: Loc) -> Block:
        statements: list[Statement] = []
        for s in block.statements:
            if isinstance(s, Let) and s.var in self.wanted and self.may_be(s):
                statements += self.instead(s)
            else:
                statements.append(self.values.statement(s))
        b = Builder(loc)
        for array in self.wanted.keys() - self.values.values.keys():
            self.copy(b, array)
        return Block((*statements, *b.statements), tuple(map(self.values.value, block.yields)))

    def may_be(self, s: Let) -> bool:
        """Whether an array that is made may be the caller's from its start on."""
        out, _ = self.wanted[s.var]
        return s.op.effect is Effect.ALLOCATES and out.type.layout == s.var.type.layout

    def instead(self, s: Let) -> list[Statement]:
        out, at = self.wanted[s.var]
        b = Builder(s.loc)
        self.values.values[s.var] = out
        self.check(b, out, s.args, at)
        if s.op is ops.ZEROS:
            Matrices(b, lambda array: ()).clear(out, s.args)
        return b.statements

    def copy(self, b: Builder, array: Var) -> None:
        out, at = self.wanted[array]
        source = self.values.value(array)
        shape = tuple(b.dim(source, k) for k in range(array.type.ndim))
        self.check(b, out, shape, at)
        Matrices(b, lambda array: ()).copy(out, source, shape)
        self.values.values[array] = out

    def check(self, b: Builder, out: Var, shape: tuple[Value, ...], at: str) -> None:
        for axis, length in enumerate(shape):
            test = b.apply(ops.EQ, b.dim(out, axis), length)
            b.emit(Check(test, ShapeError, f"{at} has another shape than the gradient", b.loc))
