"""Splitting a derivative: a forward part, and a backward part that reads what the first one keeps.

    y = np.exp(x)            def f_forward(x):            def f_backward(y, y_bar):
    return y          ->         y = np.exp(x)                return (y_bar * y,)
                                 return y, (y,)

The program of values and adjoints, closed, is cut in two: what does not depend on the adjoints of the results (the
*seeds*) goes forward. What the other statements read of it is *kept*: numbers and arrays, a growing tape as an array
and the number of its rows. They store into nothing that is kept, so that the backward part may run many times.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.forward import shape_of
from zygopy.transform.ir import (
    Block,
    Effect,
    For,
    Function,
    Leaves,
    Let,
    Param,
    Pop,
    Push,
    Statement,
    Substitution,
    Value,
    Var,
    block_params,
    blocks,
    defined,
    free_values,
    leaves,
    map_leaves,
    new_key,
    operands,
    param_vars,
    walk,
)
from zygopy.transform.memory import AliasClasses, stored_arrays
from zygopy.transform.types import FLOAT, INT, Array, Scalar, Stack

Closed = Callable[[Function, list[Leaves], Value, Callable[[list[Leaves]], Leaves]], Function]


@dataclass(frozen=True)
class Split:
    """A derivative in two functions.

    `forward` takes the parameters of the primal and returns (the primal's results, what is kept); `backward` takes what
    is kept and the seeds, a parameter for each, and returns the tuple of adjoints.
    """

    forward: Function
    backward: Function


def split(primal: Function, wrt: list[Leaves], closed: Closed, owned: bool = True) -> Split:
    """The forward and the backward part of the derivative of `primal` with respect to trees of its parameters.

    `closed(function, wrt, output, results)` makes the program of values and adjoints. There is a seed for each real or
    complex number or array of the results. `owned`: what is kept shares no memory with arguments and results.
    """
    function, seeds, total = weighted(primal, [y for y in leaves(primal.results) if y.type.dtype.kind in "fc"])
    function = closed(function, wrt, total, lambda bars: (primal.results, tuple(bars)))
    results, bars = function.results
    new = {v for v in leaves(bars) if isinstance(v, Var) and isinstance(v.type, Array)}  # by each run
    once, each = cut(function.body, {*seeds, *new})
    body = Block((*_counted_again(once, each), *each), tuple(leaves(bars)))
    kept = [v for v in free_values(body) if v not in seeds]
    once = [
        replace(s, op=ops.EMPTY) if isinstance(s, Let) and s.op is ops.SCRATCH and s.var in kept else s for s in once
    ]
    keeping = _Keeping(function, results, once, owned)
    values = [value for v in kept for value in keeping.kept(v)]
    forward_results = results, tuple(values)
    forward = replace(
        function,
        name=f"{primal.name}_forward",
        params=primal.params,
        body=keeping.b.block(tuple(leaves(forward_results))),
        results=forward_results,
    )
    unpacking = Substitution(keeping.copies).block(body)
    backward = replace(
        function,
        name=f"{primal.name}_backward",
        params=_params([*values, *seeds]),
        body=Block((*keeping.unpacked, *unpacking.statements), unpacking.yields),
        results=map_leaves(Substitution(keeping.copies).value, bars),
    )
    return Split(forward, backward)


def _counted_again(once: list[Statement], each: list[Statement]) -> list[Statement]:
    """The statements of the forward part that compute integers for the other one from integers, as copies."""
    lets = {s.var: s for s in once if isinstance(s, Let)}
    found: dict[Var, Let] = {}
    todo = list(free_values(Block(tuple(each))))
    while todo:
        var = todo.pop()
        let = lets.get(var)
        if let is None or var in found or let.op.effect is not Effect.PURE or not _is_integer(var):
            continue
        if all(map(_is_integer, let.args)):
            found[var] = let
            todo += [a for a in let.args if isinstance(a, Var)]
    return [s for s in once if isinstance(s, Let) and s.var in found]


def _is_integer(value: Value) -> bool:
    return isinstance(value.type, Scalar) and not value.type.is_inexact


class _Keeping:
    """The forward part under construction: what leaves it for the backward part."""

    def __init__(self, function: Function, results: Leaves, once: list[Statement], owned: bool):
        self.b = Builder(function.loc)
        self.aliases = AliasClasses(function.body)
        self.shared: set[Var] = set()  # classes of memory that others have, too
        if owned:
            known = [*param_vars(function), *leaves(results)]
            self.shared = {self.aliases.of(v) for v in known if isinstance(v, Var) and isinstance(v.type, Array)}
        self.b.statements += once
        self.copies: dict[Var, Value] = {}  # what stands in the backward part for a variable
        self.unpacked: list[Statement] = []  # the start of the backward part

    def kept(self, var: Var) -> tuple[Var, ...]:
        """The numbers and arrays that bring a variable to the backward part."""
        if isinstance(var.type, Stack):
            rows = self.b.let(ops.STACK_ROWS, (var,), Array(var.type.dtype, 2), var.name)
            top = self.b.let(ops.STACK_TOP, (var,), INT, f"{var.name}_rows")
            self.unpacked.append(Let(var, ops.STACK_OF, (rows, top), self.b.loc))
            return rows, top
        if isinstance(var.type, Array) and self.aliases.of(var) in self.shared:
            self.copies[var] = copy = copied(self.b, var)
            return (copy,)
        return (var,)


def copied(b: Builder, array: Var) -> Var:
    """A new array of the same elements."""
    shape, type_ = shape_of(b, array), Array(array.type.dtype, array.type.ndim, ones=array.type.ones)
    copy = b.let(ops.EMPTY, shape, replace(type_, lengths=array.type.lengths), array.name)
    nest(b, shape, lambda inner, index: inner.store(copy, index, inner.load(array, index)))
    return copy


def _params(vars: list[Var]) -> tuple[Param, ...]:
    """A parameter for each variable, under different names."""
    params: dict[str, Param] = {}
    for var in vars:
        name = var.name
        while name in params:
            name += "_"
        params[name] = Param(name, var)
    return tuple(params.values())


# -- seeds -----------------------------------------------------------------------------------------------------------


def weighted(primal: Function, outputs: list[Value]) -> tuple[Function, list[Var], Value]:
    """The function with a weight for each number of its result, and the weighted sum."""
    b = Builder(primal.loc)
    b.statements += primal.body.statements
    seeds, total = [], zero(FLOAT)
    for y in outputs:
        if not isinstance(y.type, Array):
            seeds.append(Var("y_bar", y.type))
            total = b.apply(ops.ADD, total, _term(b, y, seeds[-1]))
            continue
        seeds.append(Var("y_bar", Array(y.type.dtype, y.type.ndim, ones=y.type.ones)))
        total = _weighted_sum(b, y, seeds[-1], shape_of(b, y), total)
    params = (*primal.params, *(Param(f"y_bar_{k}", seed) for k, seed in enumerate(seeds)))
    return replace(primal, params=params, body=b.block((total,)), results=total), seeds, total


def _weighted_sum(
    b: Builder, y: Value, weights: Var, lengths: tuple[Value, ...], total: Value, index: tuple[Var, ...] = ()
) -> Value:
    """total + sum(y * weights)"""
    if len(index) == len(lengths):
        return b.apply(ops.ADD, total, _term(b, b.load(y, index), b.load(weights, index)))
    k, so_far, result, inner = (
        Var("ijkl"[len(index) % 4], INT),
        Var("total", FLOAT),
        Var("total", FLOAT),
        Builder(b.loc),
    )
    after = _weighted_sum(inner, y, weights, lengths, so_far, (*index, k))
    bounds = (integer(0), lengths[len(index)], integer(1))
    b.emit(For(k, *bounds, (so_far,), (total,), inner.block((after,)), (result,), b.loc, new_key()))
    return result


def _term(b: Builder, y: Value, weight: Value) -> Value:
    """y * weight as a real number; a weight is then the adjoint of y, of complex ones too."""
    term = b.apply(ops.MUL, y, weight)
    return b.cast(b.apply(ops.REAL, term) if term.type.is_complex else term, FLOAT)


def cut(block: Block, seeds: set[Var], consuming: bool = False) -> tuple[list[Statement], list[Statement]]:
    """The statements that do not depend on the seeds, and those that do or touch memory that those change.

    `consuming`: what is popped from a growing tape is no longer there for the next seed.
    """
    aliases = AliasClasses(block)

    def node(v: Value) -> Value:
        return aliases.of(v) if isinstance(v, Var) and isinstance(v.type, Array) else v

    statements = block.statements
    touched = [{node(v) for v in _variables(s)} for s in statements]
    changed = [{node(v) for v in (*defined(s), *_stored(s, consuming))} for s in statements]
    changing, before = {node(v) for v in seeds}, -1
    each: set[int] = set()
    while len(each) > before:
        before = len(each)
        for k in range(len(statements)):
            if k not in each and touched[k] & changing:
                each.add(k)
                changing |= changed[k]
    return [s for k, s in enumerate(statements) if k not in each], [statements[k] for k in sorted(each)]


def _variables(s: Statement) -> list[Value]:
    """All variables that a statement and what is nested in it read or define."""
    return [v for t in walk(Block((s,))) for v in (*operands(t), *defined(t), *block_params(t), *_yields(t))]


def _yields(s: Statement) -> list[Value]:
    return [v for block in blocks(s) for v in block.yields]


def _stored(s: Statement, consuming: bool) -> list[Var]:
    """The memory that a statement changes: arrays and growing tapes."""
    changing = Push | Pop if consuming else Push
    inner = list(walk(Block((s,))))
    return [a for t in inner for a in stored_arrays(t)] + [t.stack for t in inner if isinstance(t, changing)]


def nest(b: Builder, lengths: tuple[Value, ...], body: Callable, index: tuple[Var, ...] = ()) -> None:
    """Loops over all indices of a shape."""
    if len(index) == len(lengths):
        body(b, index)
        return
    k, inner = Var("ijkl"[len(index) % 4], INT), Builder(b.loc)
    nest(inner, lengths, body, (*index, k))
    bounds = (integer(0), lengths[len(index)], integer(1))
    b.emit(For(k, *bounds, (), (), inner.block(), (), b.loc, new_key()))
