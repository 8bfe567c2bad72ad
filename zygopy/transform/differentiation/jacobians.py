"""Jacobians: a seeded derivative in a loop over unit seeds; what no seed changes is computed once, before the loop.

    y, y_dot = f(x, x_dot)     ->     y = ...
    return y, y_dot                   for k in range(n):
                                          x_dot = zeros(n); x_dot[k] = 1.0
                                          y_dot = ...
                                          jacobian[:, k] = y_dot
                                      return jacobian

Forward mode gives a column for each element of an argument, reverse mode a row for each element of a result.
"""

from collections.abc import Callable

import numpy as np

from zygopy.errors import DtypeError, OutputError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, constant, integer, zero
from zygopy.transform.differentiation.forward import forward, shape_of
from zygopy.transform.differentiation.split import cut, nest, weighted, without_prints
from zygopy.transform.ir import (
    Callee,
    Function,
    Leaves,
    Param,
    Statement,
    Substitution,
    Value,
    Var,
    leaves,
    map_leaves,
    replace,
)
from zygopy.transform.memory import stored_parameters
from zygopy.transform.types import Array

Tangents = Callable[[Function, list[str]], Function]
Reversed = Callable[[Function, list[Leaves], Value], Function]


def jacobian(
    primal: Function,
    wrt: list[str],
    single: bool,
    reversed_: Reversed | None,
    tangents: Tangents = forward,
    symmetric: bool = False,
) -> Function:
    """The function that returns, for each number of the result, a tree of derivatives like the arguments in `wrt`.

    `reversed_` makes the program of the adjoints of parameters for a given output; without it, forward mode is used,
    of which `tangents` makes the program. `symmetric`: the function is a gradient with respect to the same
    parameters, and columns are stored as rows.
    """
    params = [next(p for p in primal.params if p.name == name) for name in wrt]
    _check(primal, params)
    b = Builder(primal.loc)
    b.statements += primal.body.statements  # for what it prints and raises, and the shapes of the results
    outputs = leaves(primal.results)
    inputs = [v for p in params for v in leaves(p.leaves)]
    found = {}
    for y, result in enumerate(outputs):
        for x, argument in enumerate(inputs):
            found[y, x] = _allocated(b, result, argument, (result if reversed_ is None else argument).type.dtype)
    if reversed_ is None:
        programs = _columns(b, primal, params, found, tangents, symmetric)
    else:
        programs = _rows(b, primal, params, outputs, found, reversed_)
    numbers = iter(range(len(outputs)))

    def of_output(_: Value) -> Leaves:
        y, columns = next(numbers), iter(range(len(inputs)))
        trees = tuple(map_leaves(lambda _: found[y, next(columns)], p.leaves) for p in params)
        return trees[0] if single else trees

    results = map_leaves(of_output, primal.results)
    primal = replace(primal, callees=_callees(primal, programs))
    return replace(primal, body=b.block(tuple(leaves(results))), results=results)


def _callees(primal: Function, programs: list[Function]) -> tuple[tuple[Callee, Function], ...]:
    """The kept functions of a program and of its derivatives."""
    return tuple(dict(pair for function in (primal, *programs) for pair in function.callees).items())


def _check(primal: Function, params: list[Param]) -> None:
    for p in params:
        for x in leaves(p.leaves):
            if not isinstance(x, Var) or x.type.dtype.kind != "f":
                raise DtypeError(
                    f"a Jacobian with respect to {p.name} needs real numbers, not {x.type.dtype}",
                    primal.loc,
                    help="pass floats, or take the real and the imaginary part as arguments",
                )
    for y in leaves(primal.results):
        if y.type.dtype.kind != "f":
            raise OutputError(
                f"{primal.name} returns {y.type.dtype}; a Jacobian needs real numbers",
                primal.loc,
                help="return floats only",
            )
    if stored := stored_parameters(primal):
        name = next(p.name for p in primal.params if stored & set(leaves(p.leaves)))
        raise UnsupportedError(
            f"the Jacobian of a function that stores into its argument {name} is not supported",
            primal.loc,
            why="the function runs again for each direction",
            help=f"store into a copy: {name} = {name}.copy()",
        )


def _columns(
    b: Builder, primal: Function, params: list[Param], found: dict, tangents: Tangents, symmetric: bool
) -> list[Function]:
    """Forward mode: a seed for each element of an argument."""
    x, programs = -1, []
    for p in params:
        program = _Seeded(b, primal, tangents(primal, [p.name]))
        programs.append(program.function)
        dots = [v for v in leaves(program.function.params[-1].leaves) if isinstance(v, Var)]
        for like, dot in zip(leaves(p.leaves), dots, strict=True):
            x += 1

            def column(inner: Builder, index: tuple, tree: Leaves, x=x) -> None:
                for y, y_dot in enumerate(leaves(tree[1])):
                    if symmetric:
                        _set(inner, found, (x, y), y_dot, lambda at: (*index, *at))
                    else:
                        _set(inner, found, (y, x), y_dot, lambda at: (*at, *index))

            program.sweep(b, dict(zip(dots, leaves(p.leaves), strict=True)), dot, like, column)
    return programs


def _rows(
    b: Builder, primal: Function, params: list[Param], outputs: list[Value], found: dict, reversed_: Reversed
) -> list[Function]:
    """Reverse mode: a seed for each element of a result."""
    program, seeds, total = weighted(primal, outputs)
    swept = _Seeded(b, primal, reversed_(program, [p.leaves for p in params], total))
    for y, (seed, like) in enumerate(zip(seeds, outputs, strict=True)):

        def row(inner: Builder, index: tuple, tree: Leaves, y=y) -> None:
            for x, bar in enumerate(leaves(tree)):
                _set(inner, found, (y, x), bar, lambda at: (*index, *at))

        swept.sweep(b, dict(zip(seeds, outputs, strict=True)), seed, like, row)
    return [swept.function]


class _Seeded:
    """A program with seeds among its parameters: what they change, and what is computed once, before any of them."""

    def __init__(self, b: Builder, primal: Function, function: Function):
        self.function = function = replace(function, body=without_prints(function.body))
        known = {v for p in primal.params for v in leaves(p.leaves)}
        seeds = {v for p in function.params for v in leaves(p.leaves) if isinstance(v, Var)} - known
        once, self.each = cut(function.body, seeds, consuming=True)
        self.copying = Substitution({}, define=_renamed)
        for s in once:
            b.emit(_copied(self.copying, s))

    def sweep(self, b: Builder, likes: dict[Var, Value], seed: Var, like: Value, use: Callable) -> None:
        """Run what seeds change for each unit of one of them, the others zero; `use` takes index and results."""
        values = dict(self.copying.values)
        for other, shape in likes.items():
            values[other] = _zeros(b, other, shape)
        element = like.type.element if isinstance(like.type, Array) else like.type
        one = constant(1.0, element)

        def trip(inner: Builder, index: tuple[Var, ...]) -> None:
            unit = values[seed]
            if isinstance(unit, Var):
                inner.store(unit, index, one)
            copying = Substitution(values if isinstance(unit, Var) else {**values, seed: one}, define=_renamed)
            for s in self.each:
                inner.emit(_copied(copying, s))
            use(inner, index, map_leaves(copying.value, self.function.results))
            if isinstance(unit, Var):
                inner.store(unit, index, zero(element))

        nest(b, shape_of(b, like) if isinstance(like.type, Array) else (), trip)


def _renamed(var: Var) -> Var:
    return Var(var.name, var.type)


def _copied(copying: Substitution, s: Statement) -> Statement:
    copy = copying.statement(s)
    return replace(copy, mirror=None) if hasattr(copy, "mirror") else copy


def _zeros(b: Builder, seed: Var, like: Value) -> Value:
    """Zeros of the shape of `like`, in the memory order that the seed's type states."""
    if not isinstance(seed.type, Array):
        return zero(seed.type)
    shape = shape_of(b, like)
    if seed.type.layout != "F" or seed.type.ndim < 2:
        return b.let(ops.ZEROS, shape, Array(seed.type.dtype, seed.type.ndim), seed.name)
    base = b.let(ops.ZEROS, shape[::-1], Array(seed.type.dtype, seed.type.ndim), seed.name)
    axes = tuple(integer(k) for k in reversed(range(seed.type.ndim)))
    return b.let(ops.TRANSPOSE, (base, *axes), seed.type, seed.name)


def _allocated(b: Builder, y: Value, x: Value, dtype: np.dtype) -> Value | None:
    """Memory for the derivatives of `y` with respect to `x`; None for those of a number with respect to a number."""
    if not (isinstance(y.type, Array) or isinstance(x.type, Array)):
        return None
    shape = tuple(n for v in (y, x) if isinstance(v.type, Array) for n in shape_of(b, v))
    return b.let(ops.EMPTY, shape, Array(dtype, len(shape)), "jacobian")  # each seed stores a whole column or row


def _set(b: Builder, found: dict, key: tuple[int, int], value: Value, place: Callable) -> None:
    """Store a column or a row of a Jacobian."""
    target = found[key]
    if target is None:
        found[key] = value
        return
    if not isinstance(value.type, Array):
        b.store(target, place(()), b.cast(value, target.type.element))
        return

    def element(inner: Builder, at: tuple) -> None:
        inner.store(target, place(at), inner.cast(inner.load(value, at), target.type.element))

    nest(b, shape_of(b, value), element)
