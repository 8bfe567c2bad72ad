"""Sums over a unit seed as the one trip that is not zero.

    x_dot[k] = 1.0                             x_dot[k] = 1.0
    for j in range(n):                         t_dot = t_dot + a[k] * 1.0
        t_dot = t_dot + a[j] * x_dot[j]   ->   ...
    ...                                        x_dot[k] = 0.0
    x_dot[k] = 0.0

All that a trip adds is a multiple of the seed's element j. Products of zero and infinity, which are nan, are left out.
"""

from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.build import constant
from zygopy.transform.ir import (
    Block,
    Call,
    Const,
    Effect,
    For,
    Function,
    If,
    Let,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    blocks,
    operands,
    replace,
    walk,
)
from zygopy.transform.memory import stored_arrays
from zygopy.transform.types import Array


def unit_seeds(function: Function) -> Function:
    """The same function with such sums replaced."""
    return replace(function, body=_Search(function).block(function.body))


@dataclass(frozen=True)
class _Unit:
    """An array that is zero but for one element, and its lengths."""

    array: Var
    index: tuple[Value, ...]
    shape: tuple[Value, ...]


class _Search:
    def __init__(self, function: Function):
        statements = walk(function.body)
        made = {s.var: s for s in statements if isinstance(s, Let) and s.op is ops.ZEROS}
        self.stores: dict[Var, list[Statement]] = {}
        renamed: set[Value] = set()  # arrays that have other names, too
        for s in statements:
            for array in stored_arrays(s):
                self.stores.setdefault(array, []).append(s)
            if isinstance(s, For | While | Call | Push) or (isinstance(s, Let) and s.op in ops.VIEWS):
                renamed.update(operands(s))
            renamed.update(v for inner in blocks(s) for v in inner.yields)
        self.made = {array: s for array, s in made.items() if array not in renamed}

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        unit: _Unit | None = None
        for s in block.statements:
            if isinstance(s, Store) and (begins := self.unit(s, block)) is not None:
                unit = begins
            elif isinstance(s, Store) and unit is not None and s.array is unit.array:
                unit = None
            elif unit is not None:
                out += _picked(s, unit)
                continue
            out.append(self.statement(s))
        return replace(block, statements=tuple(out))

    def statement(self, s: Statement) -> Statement:
        match s:
            case For() | While():
                return replace(s, body=self.block(s.body))
            case If():
                return replace(s, then=self.block(s.then), orelse=self.block(s.orelse))
        return s

    def unit(self, s: Store, block: Block) -> _Unit | None:
        """The unit that begins with a store of 1, if the only other store to its array ends it."""
        made = self.made.get(s.array)
        both = self.stores[s.array]
        if made is None or not _is(s.value, 1.0) or len(both) != 2 or both[0] is not s:
            return None
        last = both[1]
        ends = isinstance(last, Store) and last.index == s.index and _is(last.value, 0.0)
        if not ends or last.add is not None or not any(last is t for t in block.statements):
            return None
        return _Unit(s.array, s.index, made.args)


def _is(value: Value, number: float) -> bool:
    return isinstance(value, Const) and value.value == number


def _picked(s: Statement, unit: _Unit) -> list[Statement]:
    """A statement, sums over the unit as one trip."""
    match s:
        case For():
            s = replace(s, body=_picked_in(s.body, unit))
            axis = next((k for k in range(len(unit.shape)) if _runs_over(s, unit, k)), None)
            if axis is None or not _vanishes(s, unit, axis):
                return [s]
            only = dict(zip(s.params, s.inits, strict=True)) | {s.index: unit.index[axis]}
            once = Substitution(only)
            body = once.block(s.body)
            ends = [Let(r, ops.CAST, (y,), s.loc) for r, y in zip(s.results, body.yields, strict=True)]
            return [*(_known(t, unit) for t in body.statements), *ends]
        case While():
            return [replace(s, body=_picked_in(s.body, unit))]
        case If():
            return [replace(s, then=_picked_in(s.then, unit), orelse=_picked_in(s.orelse, unit))]
    return [s]


def _picked_in(block: Block, unit: _Unit) -> Block:
    return replace(block, statements=tuple(t for s in block.statements for t in _picked(s, unit)))


def _known(s: Statement, unit: _Unit) -> Statement:
    """The unit's element is 1."""
    if isinstance(s, Let) and s.op is ops.LOAD and s.args == (unit.array, *unit.index):
        return replace(s, op=ops.CAST, args=(constant(1.0, s.var.type),))
    return s


def _runs_over(s: For, unit: _Unit, axis: int) -> bool:
    """Whether a loop runs over an axis of the unit, and reads of it what has the loop's index there, and something."""
    over_all = _is(s.start, 0) and _is(s.step, 1) and s.stop == unit.shape[axis]
    if not over_all or s.snapshots is not None or any(isinstance(p.type, Array) for p in s.params):
        return False
    reads = [t for t in walk(s.body) if unit.array in operands(t)]
    return bool(reads) and all(isinstance(t, Let) and t.op is ops.LOAD and t.args[1 + axis] is s.index for t in reads)


def _vanishes(s: For, unit: _Unit, axis: int) -> bool:
    """Whether a trip does nothing where the elements of the unit that it reads are zero."""
    zero: set[Value] = set()
    same: dict[Value, Var] = {p: p for p in s.params}  # what a variable of the loop is then
    for t in s.body.statements:
        match t:
            case Let() if t.op is ops.LOAD and t.args[0] is unit.array:
                zero.add(t.var)
            case Let() if t.op is ops.MUL and not zero.isdisjoint(t.args):
                zero.add(t.var)
            case Let() if t.op in (ops.NEG, ops.CAST, ops.ADD, ops.SUM, ops.SUB) and zero.issuperset(t.args):
                zero.add(t.var)
            case Let() if t.op is ops.DIV and t.args[0] in zero:
                zero.add(t.var)
            case Let() if t.op in (ops.ADD, ops.SUM) and len(zero.intersection(t.args)) == 1:
                kept = t.args[0] if t.args[1] in zero else t.args[1]
                if kept in same:
                    same[t.var] = same[kept]
            case Let() if t.op.effect is not Effect.ALLOCATES:
                pass
            case Store() if t.add is not None and t.value in zero:
                pass
            case _:
                return False
    return all(same.get(y) is p for y, p in zip(s.body.yields, s.params, strict=True))
