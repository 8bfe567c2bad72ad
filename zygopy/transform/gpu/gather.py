"""Additions in which threads would meet, turned around: one thread for each element, which gathers what is added to it.

for i in range(1, n):                    for c in range(n):
    t = g[i] * w                             if 1 <= c < n: total += g[c] * w
    x_bar[i] += t                ->          if 1 <= c + 1 < n: total -= g[c + 1] * w
    x_bar[i - 1] -= t                        x_bar[c] += total

What is added is computed again for each element, so nothing that loops may be in it. Loops of the nest that do not say
which element it is (rows, for the sum of a column) become loops of the thread: only where there are enough threads.
"""

from dataclasses import dataclass
from typing import NamedTuple

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.gpu.grid import Grid
from zygopy.transform.ir import (
    Block,
    Check,
    For,
    Function,
    If,
    Let,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    blocks,
    defined,
    defined_inside,
    free_values,
    new_key,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.simplify import simplify
from zygopy.transform.types import INT

ENOUGH = 2048  # threads that may each run a loop


def gather(function: Function, enough: int | None = None) -> Function:
    """Replace the atomic additions of nests that the host launches by nests that gather; `enough` is `ENOUGH`."""
    return simplify(replace(function, body=_Gathering(function, enough).block(function.body)))


class _Place(NamedTuple):
    """Where on one axis: at a loop's index plus an offset, or `at` a place that no loop of the nest changes."""

    loop: For | None
    at: Value
    offset: int


@dataclass(frozen=True)
class _Addition:
    """An addition to an element, the statements around it, from the nest inwards, and its place on each axis."""

    store: Store
    path: tuple[Statement, ...]
    places: tuple[_Place, ...]


class _Gathering:
    def __init__(self, function: Function, enough: int | None):
        self.grid, self.enough = Grid(function), ENOUGH if enough is None else enough

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            if axes := self.grid.axes(s):
                out += self.nest(s, axes)
            elif isinstance(s, For | While | If):
                out.append(with_blocks(s, self.block))
            else:
                out.append(s)
        return Block(tuple(out), block.yields)

    def nest(self, s: For, axes: tuple[For, ...]) -> list[Statement]:
        """Nests that gather, and what is left of the nest behind them."""
        marked = self.grid.with_atomics(Block((s,)), axes, s)
        shared = {t.array for t in walk(marked) if isinstance(t, Store) and t.add is ops.ATOMIC}
        nests: list[Statement] = []
        gone: set[int] = set()
        for array in sorted(shared, key=lambda v: v.name):
            stores = [t for t in walk(s.body) if isinstance(t, Store) and t.array is array]
            found = [self.addition(t, s) for t in stores]
            if any(a is None for a in found):
                continue
            groups: dict[tuple, list[_Addition]] = {}
            for a in found:
                groups.setdefault(tuple(None if p.loop else p.at for p in a.places), []).append(a)
            made = [self.gathering(group) for group in groups.values()]
            inside = defined_inside(s)
            if all(made) and not any(inside & free_values(Block(tuple(m))).keys() for m in made):
                nests += [t for statements in made for t in statements]
                gone |= {id(t) for t in stores}
        return [*nests, _without(s, gone)] if gone else [s]

    # -- what is added -----------------------------------------------------------------------------------------------

    def addition(self, store: Store, nest: For) -> _Addition | None:
        """A store as an addition that can be gathered."""
        path = _path(store, Block((nest,)))
        loops = {t.index: t for t in path if isinstance(t, For)}
        inside = defined_inside(nest)
        places: list[_Place] = []
        for i in store.index:
            form = self.grid.facts.affine(i)
            mine = [symbol for symbol, _ in form.terms if symbol in inside]
            if not mine:
                places.append(_Place(None, i, 0))
                continue
            rest = form.terms == ((mine[0], 1),)
            if not rest or mine[0] not in loops or any(p.loop is loops[mine[0]] for p in places):
                return None
            places.append(_Place(loops[mine[0]], i, form.constant))
        if not any(p.loop for p in places):
            return None
        for loop in (p.loop for p in places if p.loop):
            if loop.step != integer(1) or {loop.start, loop.stop} & inside:
                return None
        if any(t.step != integer(1) for t in loops.values()) or not self.may_repeat(store, path):
            return None
        return _Addition(store, path, tuple(places))

    def may_repeat(self, store: Store, path: tuple[Statement, ...]) -> bool:
        """Whether what is added can be computed before the nest: from what nothing in it has stored."""
        slices = {id(t) for _, needed in _slices(store, path) for outer in needed for t in walk(Block((outer,)))}
        stored: list[Var] = []
        for t in walk(path[0].body):
            if id(t) in slices:
                if not isinstance(t, Let | If | Check):
                    return False
                if isinstance(t, Let) and t.op is ops.LOAD:
                    early = t.args[0]
                    if any(self.grid.aliases.may_alias(early, a) for a in stored):
                        return False
            elif isinstance(t, Store):
                stored.append(t.array)
        return all(isinstance(t, For | If) for t in path)

    # -- the nest that gathers ---------------------------------------------------------------------------------------

    def gathering(self, additions: list[_Addition]) -> list[Statement] | None:
        """A nest over the elements that some additions meet in."""
        first = additions[0]
        loc = first.store.loc
        b = Builder(loc)
        cells: list[Value] = []
        ranges: list[tuple[Var, Value, Value]] = []
        expected = 1
        for axis, (loop, at, _) in enumerate(first.places):
            if loop is None:
                cells.append(at)
                continue
            spans = [a.places[axis] for a in additions]
            if any(p.loop is None or (p.loop.start, p.loop.stop) != (loop.start, loop.stop) for p in spans):
                return None
            offsets = [p.offset for p in spans]
            cell = Var("c", INT)
            cells.append(cell)
            ranges.append((cell, b.add(loop.start, integer(min(offsets))), b.add(loop.stop, integer(max(offsets)))))
            length = [self.grid.facts.expected(v) for v in (loop.start, loop.stop)]
            expected *= 0 if None in length else length[1] - length[0]
        loops = [(a, t) for a in additions for t in a.path if isinstance(t, For)]
        if expected < self.enough and any(all(t is not p.loop for p in a.places) for a, t in loops):
            return None
        element = first.store.array.type.element
        inner = Builder(loc)
        total: Value = zero(element)
        for a in additions:
            total = self.term(a, additions, cells, total, inner)
        inner.store(first.store.array, tuple(cells), total, ops.SUM)
        body = inner.block()
        for cell, start, stop in reversed(ranges):
            body = Block((For(cell, start, stop, integer(1), (), (), body, (), loc, new_key(), parallel=True),))
        return [*b.statements, *body.statements]

    def term(self, a: _Addition, additions: list[_Addition], cells: list, total: Value, b: Builder) -> Value:
        """The sum with what one addition adds to the element, if it adds to it."""
        inner = Builder(a.store.loc)
        solved: dict[Var, Value] = {}
        test: Value | None = None
        for axis, (loop, _, offset) in enumerate(a.places):
            if loop is None:
                continue
            solved[loop.index] = index = b.sub(cells[axis], integer(offset))
            offsets = [other.places[axis].offset for other in additions]
            for needed, op, bound in (
                (offset > min(offsets), ops.LE, loop.start),
                (offset < max(offsets), ops.GT, loop.stop),
            ):
                if needed:
                    holds = b.apply(op, bound, index)
                    test = holds if test is None else b.apply(ops.AND, test, holds)
        end = self.path_sum(a, 0, Block((a.path[0],)), total, inner)
        fresh = Substitution(solved, lambda v: Var(v.name, v.type))
        block = fresh.block(Block(tuple(inner.statements), (end,)))
        if test is None:
            b.statements += block.statements
            return block.yields[0]
        result = Var(a.store.array.name, total.type)
        b.if_(test, block, Block((), (total,)), (result,))
        return result

    def path_sum(self, a: _Addition, depth: int, block: Block, total: Value, b: Builder) -> Value:
        """The sum behind the statements of a path from some depth on, loops of elements taken out."""
        step = a.path[depth] if depth < len(a.path) else a.store
        b.statements += _needed(block, step)
        if step is a.store:
            return b.let(ops.SUM, (total, a.store.value), total.type, a.store.array.name)
        if isinstance(step, For) and any(step is p.loop for p in a.places):
            return self.path_sum(a, depth + 1, step.body, total, b)
        inner, name = Builder(step.loc), a.store.array.name
        result = Var(name, total.type)
        if isinstance(step, For):
            param = Var(name, total.type)
            end = self.path_sum(a, depth + 1, step.body, param, inner)
            b.emit(
                replace(
                    step, params=(param,), inits=(total,), body=inner.block((end,)), results=(result,), parallel=False
                )
            )
            return result
        follows = a.path[depth + 1] if depth + 1 < len(a.path) else a.store
        in_then = any(t is follows for t in step.then.statements)
        end = self.path_sum(a, depth + 1, step.then if in_then else step.orelse, total, inner)
        sides = (inner.block((end,)), Block((), (total,)))
        then, orelse = sides if in_then else sides[::-1]
        b.emit(replace(step, then=then, orelse=orelse, results=(result,)))
        return result


def _path(wanted: Statement, block: Block) -> tuple[Statement, ...] | None:
    """The statements around a statement, from those of a block inwards."""
    for s in block.statements:
        if s is wanted:
            return ()
        for inner in blocks(s):
            if (found := _path(wanted, inner)) is not None:
                return (s, *found)
    return None


def _slices(store: Store, path: tuple[Statement, ...]) -> list[tuple[Block, list[Statement]]]:
    """The blocks on the way to a store, and what of each is needed for what is added."""
    found = []
    for outer, step in zip(path, (*path[1:], store), strict=True):
        for block in blocks(outer):
            if any(t is step for t in block.statements):
                found.append((block, _needed(block, step)))
    return found


def _needed(block: Block, step: Statement) -> list[Statement]:
    """The statements of a block that what follows on a path reads: too many rather than too few."""
    at = next(k for k, t in enumerate(block.statements) if t is step)
    wanted = set(free_values(Block((step,)))) if not isinstance(step, Store) else {step.value}
    found: list[Statement] = []
    for t in reversed(block.statements[:at]):
        if wanted & set(defined(t)) or isinstance(t, Check):
            found.append(t)
            wanted |= free_values(Block((t,))).keys()
    return found[::-1]


def _without(s: For, gone: set[int]) -> Statement:
    """A nest without some of its stores."""

    def visit(block: Block) -> Block:
        kept = [t for t in block.statements if id(t) not in gone]
        return Block(tuple(with_blocks(t, visit) for t in kept), block.yields)

    return with_blocks(s, visit)
