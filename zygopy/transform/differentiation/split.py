"""Splitting a derivative: a forward part, and a backward part that reads what the first one keeps.

    y = np.exp(x)            def f_forward(x):            def f_backward(y, y_bar):
    return y          ->         y = np.exp(x)                return (y_bar * y,)
                                 return y, (y,)

The program of values and adjoints, closed, is cut in two: what does not depend on the adjoints of the results (the
*seeds*) goes forward. What the other statements read of it is *kept*: numbers and arrays, a growing tape as an array
and the number of its rows. They store into nothing that is kept, so that the backward part may run many times.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.differentiation.forward import shape_of
from zygopy.transform.ir import (
    Block,
    Call,
    Effect,
    For,
    Function,
    Leaves,
    Let,
    Param,
    Pop,
    Print,
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
    replace,
    with_blocks,
    with_reachable,
    within,
)
from zygopy.transform.memory import AliasClasses, stored_arrays, stored_parameters
from zygopy.transform.records import Known
from zygopy.transform.types import FLOAT, INT, Arena, Array, Scalar, Stack

Closed = Callable[[Function, list[Leaves], Value, Callable[[list[Leaves]], Leaves]], Function]


@dataclass(frozen=True)
class Split:
    """A derivative in two functions.

    `forward` takes the parameters of the primal and returns (the primal's results, what is kept); `backward` takes what
    is kept and the seeds, a parameter for each, and returns the tuple of adjoints.
    """

    forward: Function
    backward: Function


def split(
    primal: Function, wrt: list[Leaves], closed: Closed, owned: bool = True, outputs: Leaves | None = None
) -> Split:
    """The forward and the backward part of the derivative of `primal` with respect to trees of its parameters.

    `closed(function, wrt, output, results)` makes the program of values and adjoints. There is a seed for each real or
    complex number or array of `outputs`, all results if not given. `owned`: what is kept shares no memory with
    arguments and results.
    """
    outputs = primal.results if outputs is None else outputs
    function, seeds, total = weighted(primal, differentiable_leaves(outputs))
    wrt = list(map(without_counts, wrt))
    function = closed(function, wrt, total, lambda bars: (primal.results, tuple(bars)))
    results, bars = function.results
    body = Block(function.body.statements, tuple(leaves(bars)))
    if any(isinstance(s, Let) and s.op is ops.NEW_ARENA for s in body.statements):
        return _computed_again(primal, function, bars, seeds)
    return _in_two(replace(primal, body=Block(()), results=results), body, bars, seeds, owned)


def linearized(primal: Function, tangents: Function, apart: bool) -> Split:
    """The value of `primal` and the linear map of tangents, in two functions, from the program of both.

    The backward part takes the tangents of the parameters and returns the tree of those of the results. Loops that
    compute values and tangents side by side, not `apart`, run in both parts, the second time on what the arguments
    held before.
    """
    moving = [v for p in tangents.params[len(primal.params) :] for v in differentiable_leaves(p.leaves)]
    results, dots = tangents.results
    if not apart:
        return _computed_again(primal, tangents, dots, moving)
    body = Block(tangents.body.statements, tuple(leaves(dots)))
    own = replace(primal, body=Block(()), results=results, callees=tangents.callees)
    return _in_two(own, body, dots, moving, True)


def _computed_again(primal: Function, program: Function, outs: Leaves, seeds: list[Var]) -> Split:
    """The primal, and a program that computes what it needs once more; so do calls that leave records."""
    b = Builder(primal.loc)
    before = {v: copied(b, v) for v in stored_parameters(primal)}
    b.statements += primal.body.statements
    again = Substitution(before, define=lambda v: Var(v.name, v.type))
    body = again.block(Block(without_prints(program.body).statements, tuple(leaves(outs))))
    callees = tuple(dict([*primal.callees, *program.callees]).items())
    return _in_two(replace(primal, body=b.block(), callees=callees), body, map_leaves(again.value, outs), seeds, True)


def _in_two(primal: Function, body: Block, outs: Leaves, seeds: list[Var], owned: bool) -> Split:
    """Cut a body behind that of `primal`; `outs` are what depends on the seeds."""
    aliases = AliasClasses(Block((*primal.body.statements, *body.statements)))
    new = [v for v in leaves(outs) if isinstance(v, Var) and isinstance(v.type, Array)]  # made by each run
    once, each = cut(body, {*seeds, *new})
    each = _counted_again(once, each) + each
    kept = [v for v in free_values(Block(tuple(each), tuple(leaves(outs)))) if v not in seeds]
    once = [_not_scratch(s) if isinstance(s, Let) and s.var in kept else s for s in once]
    b, start = Builder(primal.loc), Builder(primal.loc)
    b.statements += [*primal.body.statements, *once]
    known = [*param_vars(primal), *leaves(primal.results)] if owned else []
    shared = {aliases.of(v) for v in known if isinstance(v, Var) and isinstance(v.type, Array)}
    keeping = _Keeping(b, start, aliases, shared, aliases.stored(Block(tuple(each))))
    values = [value for v in kept for value in keeping.kept(v)]
    inside = Substitution(keeping.own)
    start.statements += [inside.statement(s) for s in each]
    outs = map_leaves(inside.value, outs)
    if owned:
        outs = _each_its_own(start, outs, {*seeds, *values})
    results = primal.results, tuple(values)
    forward = replace(primal, name=f"{primal.name}_forward", body=b.block(tuple(leaves(results))), results=results)
    body, params = start.block(tuple(leaves(outs))), _params([*values, *seeds])
    backward = Function(f"{primal.name}_backward", params, body, outs, primal.loc)
    known = dict(primal.callees)
    return Split(with_reachable(forward, known), with_reachable(backward, known))


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


def _not_scratch(s: Let) -> Let:
    """A tape that leaves the function."""
    return replace(s, op=ops.EMPTY) if s.op is ops.SCRATCH else s


@dataclass
class _Keeping:
    """How values reach the backward part: the end of the forward part and the start of the other one."""

    end: Builder
    start: Builder
    aliases: AliasClasses
    shared: set[Var]  # classes of memory that others have, too
    changed: set[Var]  # those that the backward part stores into
    own: dict[Var, Value] = field(default_factory=dict)  # what stands in the backward part for a variable

    def kept(self, var: Var) -> tuple[Var, ...]:
        """The numbers and arrays that bring a variable there."""
        if isinstance(var.type, Stack):
            rows = self.end.let(ops.STACK_ROWS, (var,), Array(var.type.dtype, 2), var.name)
            top = self.end.let(ops.STACK_TOP, (var,), INT, f"{var.name}_rows")
            self.start.emit(Let(var, ops.STACK_OF, (rows, top), self.start.loc))
            return rows, top
        if not isinstance(var.type, Array):
            return (var,)
        found = var
        if self.aliases.of(var) in self.shared:
            self.own[var] = found = copied(self.end, var)
        if self.aliases.of(var) in self.changed:
            self.own[var] = copied(self.start, found)
        return (found,)


def _each_its_own(b: Builder, outs: Leaves, others: set[Value]) -> Leaves:
    """Results that are arrays of others, or twice the same one, as copies."""
    seen = set(others)

    def own(v: Value) -> Value:
        found = copied(b, v) if isinstance(v, Var) and isinstance(v.type, Array) and v in seen else v
        seen.add(v)
        return found

    return map_leaves(own, outs)


def copied(b: Builder, array: Var) -> Var:
    """A new array of the same elements."""
    shape, type_ = shape_of(b, array), Array(array.type.dtype, array.type.ndim, ones=array.type.ones)
    copy = b.let(ops.EMPTY, shape, replace(type_, lengths=array.type.lengths), array.name)
    nest(b, shape, lambda inner, index: inner.store(copy, index, inner.load(array, index)))
    return copy


def without_counts(tree: Leaves) -> Leaves:
    """A tree of parameters without arrays of integers, which have no adjoint."""

    def leaf(v: Value) -> Leaves:
        return Known(None) if isinstance(v.type, Array) and v.type.dtype.kind not in "fc" else v

    return map_leaves(leaf, tree)


def differentiable_leaves(tree: Leaves) -> list[Value]:
    """The leaves that hold real or complex numbers."""
    return [v for v in leaves(tree) if v.type.dtype.kind in "fc"]


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
    return [v for t in within(s) for v in (*operands(t), *defined(t), *block_params(t), *_yields(t))]


def _yields(s: Statement) -> list[Value]:
    return [v for block in blocks(s) for v in block.yields]


def _stored(s: Statement, consuming: bool) -> list[Var]:
    """The memory that a statement changes: arrays and growing tapes."""
    changing = Push | Pop if consuming else Push
    inner = within(s)
    calls = [t for t in inner if isinstance(t, Call)]  # what they push they also pop
    arenas = [a for t in calls for a in t.args if isinstance(a, Var) and isinstance(a.type, Arena)]
    stacks = [t.stack for t in inner if isinstance(t, changing)]
    return [*(a for t in inner for a in stored_arrays(t)), *arenas, *stacks]


def nest(b: Builder, lengths: tuple[Value, ...], body: Callable, index: tuple[Var, ...] = ()) -> None:
    """Loops over all indices of a shape."""
    if len(index) == len(lengths):
        body(b, index)
        return
    k, inner = Var("ijkl"[len(index) % 4], INT), Builder(b.loc)
    nest(inner, lengths, body, (*index, k))
    bounds = (integer(0), lengths[len(index)], integer(1))
    b.emit(For(k, *bounds, (), (), inner.block(), (), b.loc, new_key()))


def without_prints(block: Block) -> Block:
    """The block without what it prints."""
    kept = tuple(with_blocks(s, without_prints) for s in block.statements if not isinstance(s, Print))
    return Block(kept, block.yields)
