"""The reverse of a checkpointed loop: trips run again from few copies of the loop's state.

    for i in range(n):           places[0], x0 = 0, the state before the loop; top = 0
        x = f(x, i)              for last in range(n - 1, -1, -1):
                         ->          trip, x = places[top], the state kept there
                                     while trip < last:
                                         ...forward from `trip` to the next place, kept as number top + 1...
                                     ...forward of trip `last`...
                                     ...reverse of trip `last`...
                                     if places[top] == last: top -= 1

Forward and reverse of a trip stand in one block, so what `tape` keeps between them is one trip's. Trips that hand on
numbers only are taken in short runs, with a tape as long as these.

The state is what the loop carries and the arrays from outside that it stores into. All copies of the body work on
arrays of their own, since the user's arrays stay as the program leaves them.
"""

from dataclasses import dataclass

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.differentiation.operands import Operands
from zygopy.transform.ir import (
    Block,
    Effect,
    For,
    If,
    Let,
    Pop,
    Print,
    Push,
    Statement,
    Substitution,
    Value,
    Var,
    While,
    defined_inside,
    free_values,
    new_key,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.memory import AliasClasses, permutes, root_of
from zygopy.transform.types import INT, INT64, Array, Scalar

_RUN = 128  # trips that hand on numbers only


@dataclass(frozen=True)
class Mirror:
    """The loop that would run backwards, with a body that names variables of the primal."""

    params: tuple[Var, ...]
    inits: tuple[Value, ...]
    body: Block
    results: tuple[Var, ...]


@dataclass(frozen=True)
class _Kept:
    """An array of the state: the loop's own, the one that trips run again on, and the copies of it."""

    own: Var
    work: Var
    first: Var
    rows: Var
    shape: tuple[Value, ...]


def check(s: For, numbered: set[Var]) -> None:
    """Refuse what cannot be run again, or would need memory for each trip; `numbered` arrays have shadows in pools."""
    inside = defined_inside(s)
    for t in walk(s.body):
        if isinstance(t, Print):
            raise UnsupportedError(
                "print in a checkpointed loop is not supported",
                t.loc,
                "trips run several times, and would print each time",
                "print after the loop",
            )
        assert not isinstance(t, Push | Pop) or t.stack in inside
    arrays = [p for p in s.params if isinstance(p.type, Array)]
    if inside & numbered or arrays and not permutes(s):
        raise UnsupportedError(
            "a checkpointed loop that rebinds an array in this way is not supported",
            s.loc,
            "which array a name stands for has to be known from the number of the trip alone",
            "store into one array, x[...] = ..., or swap two",
        )


def replay(
    s: For, trips: Value, mirror: Mirror, operands: Operands, aliases: AliasClasses, counters: dict, b: Builder
) -> None:
    """Write the reverse of a checkpointed loop; `counters` learns of the while loops in the copy that is reversed."""
    _Replay(s, trips, mirror, operands, aliases, counters, b).write()


class _Replay:
    def __init__(
        self,
        s: For,
        trips: Value,
        mirror: Mirror,
        operands: Operands,
        aliases: AliasClasses,
        counters: dict,
        b: Builder,
    ):
        self.s, self.trips, self.mirror, self.counters, self.b = s, trips, mirror, counters, b
        self.operands, self.aliases = operands, aliases
        self.numbers = [k for k, p in enumerate(s.params) if isinstance(p.type, Scalar)]
        self.handles = [k for k, p in enumerate(s.params) if isinstance(p.type, Array)]
        self.kept: list[_Kept] = []
        self.arrays: dict[Var, Value] = {}  # those of the loop, as the copies of its body see them
        self.find_arrays()
        nested = any(isinstance(t, For | While) or _makes_array(t) for t in walk(s.body))
        self.run = 1 if self.kept or self.handles or nested else _RUN

    # -- the state ---------------------------------------------------------------------------------------------------

    def find_arrays(self) -> None:
        s, b = self.s, self.b
        stored = self.aliases.stored(s.body)
        outside = dict.fromkeys((*free_values(s.body), *(s.inits[k] for k in self.handles)))
        arrays = [v for v in outside if isinstance(v, Var) and isinstance(v.type, Array) and v not in s.params]
        changed = [v for v in arrays if self.aliases.of(v) in stored]
        roots = list(dict.fromkeys(root_of(v, self.operands.definitions) for v in changed))
        self.check_distinct(roots)
        for root in roots:
            if isinstance(let := self.operands.definitions.get(root), Let) and let.op is ops.NEW_LIST:
                raise UnsupportedError(
                    "a checkpointed loop that changes a list from outside is not supported",
                    s.loc,
                    "snapshots of the list would be as long as it is by then; objects that loops replace are in one",
                    "fill an array: np.zeros(n)",
                )
            shape = self.operands.shape(s, root)
            type_ = Array(root.type.dtype, root.type.ndim)
            first = self.operands.copy(s, root, b)
            work = b.let(ops.EMPTY, shape, type_, root.name)
            rows = b.let(
                ops.SCRATCH, (self.rows(), *shape), Array(root.type.dtype, len(shape) + 1), f"{root.name}_kept"
            )
            self.kept.append(_Kept(root, work, first, rows, shape))
            self.arrays[root] = work
        for v in arrays:
            self.arrays[v] = self.working(v) if v in changed else self.operands.primal(s, v, b)

    def check_distinct(self, roots: list[Var]) -> None:
        """Refuse arrays of the state that may be one array."""
        for k, x in enumerate(roots):
            for y in roots[:k]:
                both_made = self.is_made(x) and self.is_made(y)
                if not both_made and self.aliases.may_alias(x, y):
                    raise UnsupportedError(
                        "a checkpointed loop that stores into arrays that may be one array is not supported",
                        self.s.loc,
                        "whether they are is known only at run time, and copies of them would be two",
                        "copy one of them before the loop",
                    )

    def is_made(self, array: Var) -> bool:
        """Whether an array is a parameter or made here, so that it shares memory with no other such array."""
        let = self.operands.definitions.get(array)
        return let is None or isinstance(let, Let) and let.op.effect is Effect.ALLOCATES

    def working(self, array: Var) -> Value:
        """An array that the loop stores into, or a view of it, as the copies of its body see it."""
        if array not in self.arrays:
            let = self.operands.definitions[array]
            assert isinstance(let, Let)
            args = (self.working(let.args[0]), *let.args[1:])
            self.arrays[array] = self.b.let(let.op, args, array.type, array.name)
        return self.arrays[array]

    def rows(self) -> Value:
        assert self.s.snapshots is not None
        return self.b.sub(self.s.snapshots, integer(1))

    # -- the driver --------------------------------------------------------------------------------------------------

    def write(self) -> None:
        s, b, mirror = self.s, self.b, self.mirror
        runs = self.trips
        if self.run > 1:
            runs = b.apply(ops.FLOORDIV, b.add(self.trips, integer(self.run - 1)), integer(self.run))
        places = b.let(ops.SCRATCH, (s.snapshots,), Array(INT64, 1), "places")
        b.store(places, (integer(0),), integer(0))
        rows = [b.let(ops.SCRATCH, (self.rows(),), Array(p.type.dtype, 1), f"{p.name}_kept") for p in self.carried]
        last, top, after = Var("last", INT), Var("top", INT), Var("top", INT)
        body = Builder(s.loc)
        trip = body.cast(body.load(places, (top,)), INT)
        numbers = self.restore(top, rows, body)
        top_now, numbers = self.advance(trip, top, numbers, last, places, rows, body)
        ends = self.reverse(last, numbers, body)
        is_used_up = body.apply(ops.EQ, body.cast(body.load(places, (top_now,)), INT), last)
        left = body.select(is_used_up, body.sub(top_now, integer(1)), top_now)
        bounds = (b.sub(runs, integer(1)), integer(-1), integer(-1))
        params, inits, results = (*mirror.params, top), (*mirror.inits, integer(0)), (*mirror.results, after)
        b.emit(For(last, *bounds, params, inits, body.block((*ends, left)), results, s.loc, new_key()))

    @property
    def carried(self) -> list[Var]:
        return [self.s.params[k] for k in self.numbers]

    def restore(self, top: Var, rows: list[Var], b: Builder) -> list[Var]:
        """Go back to snapshot number `top`: the numbers; the arrays are put in place."""
        start, again = Builder(b.loc), Builder(b.loc)
        before = again.sub(top, integer(1))
        inits = tuple(start.cast(self.s.inits[k], self.s.params[k].type) for k in self.numbers)
        loads = tuple(again.cast(again.load(row, (before,)), p.type) for row, p in zip(rows, self.carried, strict=True))
        for a in self.kept:
            Matrices(start, lambda array: ()).copy(a.work, a.first, a.shape)
            m = Matrices(again, lambda array: ())
            m.nest(a.shape, lambda b, ks, a=a: b.store(a.work, ks, b.load(a.rows, (before, *ks))))
        numbers = tuple(Var(p.name, p.type) for p in self.carried)
        b.if_(b.apply(ops.EQ, top, integer(0)), start.block(inits), again.block(loads), numbers)
        return list(numbers)

    def advance(self, trip: Value, top: Var, numbers: list, last: Var, places: Var, rows: list, b: Builder) -> tuple:
        """Run trips forward up to `last`, and keep snapshots on the way."""
        at, above = Var("trip", INT), Var("top", INT)
        params = tuple(Var(v.name, v.type) for v in numbers)
        test, body = Builder(b.loc), Builder(b.loc)
        go = test.apply(ops.LT, at, last)
        left = body.sub(self.s.snapshots, above)
        distance = body.add(body.sub(last, at), integer(1))
        stop = body.add(at, body.apply(ops.SNAPSHOT_STEP, distance, left))
        ends = self.run_forward(at, stop, params, body)
        keeping, passing = Builder(b.loc), Builder(b.loc)
        for row, value in zip(rows, ends, strict=True):
            keeping.store(row, (above,), value)
        for a in self.kept:
            m = Matrices(keeping, lambda array: ())
            m.nest(a.shape, lambda b, ks, a=a: b.store(a.rows, (above, *ks), b.load(a.work, ks)))
        higher = keeping.add(above, integer(1))
        keeping.store(places, (higher,), stop)
        next_top = Var("top", INT)
        body.if_(body.apply(ops.LT, stop, last), keeping.block((higher,)), passing.block((above,)), (next_top,))
        results = tuple(Var(v.name, v.type) for v in (at, above, *numbers))
        inits, yields = (trip, top, *numbers), (stop, next_top, *ends)
        loop = While((at, above, *params), inits, test.block((go,)), body.block(yields), results, b.loc, new_key())
        b.emit(loop)
        return results[1], list(results[2:])

    def run_forward(self, start: Value, stop: Value, numbers: tuple, b: Builder) -> list[Var]:
        """Copies of the body for the runs from `start` to `stop`; the numbers that the last trip leaves."""
        copying = Substitution(self.arrays, define=_like)
        first, end = self.index_at(start, b), self.index_at(stop, b)
        loop = replace(self.s, start=first, stop=end, inits=self.state(start, numbers, b), snapshots=None)
        copy = copying.statement(loop)
        assert isinstance(copy, For)
        b.emit(copy)
        return [copy.results[k] for k in self.numbers]

    def index_at(self, run: Value, b: Builder) -> Value:
        """The index of the first trip of a run; that of the end for the number of runs."""
        trip = run if self.run == 1 else b.apply(ops.INT_MIN, b.mul(run, integer(self.run)), self.trips)
        return b.add(self.s.start, b.mul(trip, self.s.step))

    def state(self, trip: Value, numbers: tuple | list, b: Builder) -> tuple[Value, ...]:
        """What the loop carries at a trip: some numbers, and its arrays as many trips have swapped them."""
        found: dict[int, Value] = dict(zip(self.numbers, numbers, strict=True))
        if self.handles:
            found |= zip(self.handles, self.swapped(trip, b), strict=True)
        return tuple(found[k] for k in range(len(self.s.params)))

    def swapped(self, trip: Value, b: Builder) -> tuple[Var, ...]:
        inits = tuple(self.arrays[self.s.inits[k]] for k in self.handles)
        params = tuple(Var(self.s.params[k].name, v.type) for k, v in zip(self.handles, inits, strict=True))
        position = {self.s.params[k]: j for j, k in enumerate(self.handles)}
        order = [position[self.s.body.yields[k]] for k in self.handles]
        count = b.apply(ops.MOD, trip, integer(_period(order)))
        results = tuple(map(_like, params))
        yields = Block((), tuple(params[j] for j in order))
        bounds = (integer(0), count, integer(1))
        b.emit(For(Var("k", INT), *bounds, params, inits, yields, results, b.loc, new_key()))
        return results

    # -- one trip, or a run of trips ---------------------------------------------------------------------------------

    def reverse(self, last: Var, numbers: list, b: Builder) -> tuple[Value, ...]:
        """Forward and reverse of run number `last`; the adjoints at its start."""
        return self.reverse_trip(last, numbers, b) if self.run == 1 else self.reverse_run(last, numbers, b)

    def reverse_trip(self, last: Var, numbers: list, b: Builder) -> tuple[Value, ...]:
        s = self.s
        body = self.operands.finished(s.body)
        known = {s.index: self.index_at(last, b)} | dict(zip(s.params, self.state(last, numbers, b), strict=True))
        copying = Substitution(self.arrays | known, define=_like)
        copy = copying.block(body)
        mirror = self.mirrored(copying, body, copy)
        b.statements += [*copy.statements, *mirror.statements]
        return mirror.yields

    def reverse_run(self, last: Var, numbers: list, b: Builder) -> tuple[Value, ...]:
        s, k, back = self.s, Var("k", INT), Var("k", INT)
        before = b.mul(last, integer(self.run))
        count = b.apply(ops.INT_MIN, integer(self.run), b.sub(self.trips, before))
        inner = Builder(s.loc)
        index = inner.add(s.start, inner.mul(inner.add(before, k), s.step))
        body = self.operands.finished(s.body)
        params = tuple(map(_like, s.params))
        copying = Substitution(self.arrays | {s.index: index} | dict(zip(s.params, params, strict=True)), define=_like)
        copy = copying.block(body)
        mirror = self.mirrored(copying, body, copy)
        inner.statements += copy.statements
        up, down = (integer(0), count, integer(1)), (b.sub(count, integer(1)), integer(-1), integer(-1))
        ahead = For(
            k, *up, params, tuple(numbers), inner.block(copy.yields), tuple(map(_like, params)), s.loc, new_key()
        )
        b.emit(ahead)
        bars = tuple(map(_like, self.mirror.params))
        mirror = Substitution({k: back} | dict(zip(self.mirror.params, bars, strict=True))).block(mirror)
        results = tuple(map(_like, bars))
        loop = For(back, *down, bars, self.mirror.params, mirror, results, s.loc, new_key(), mirror=ahead.key)
        b.emit(loop)
        return results

    def mirrored(self, copying: Substitution, body: Block, copy: Block) -> Block:
        """The mirror's body, as the mirror of a copy of the loop's body."""
        keys: dict[int, int] = {}
        for old, new in zip(walk(body), walk(copy), strict=True):
            if isinstance(old, For | While | If):
                keys[old.key] = new.key
            if isinstance(old, While) and old.key in self.counters:
                trips, total = self.counters[old.key]
                self.counters[new.key] = copying.value(trips), copying.value(total)

        def visit(block: Block) -> Block:
            return replace(block, statements=tuple(with_blocks(with_key(t), visit) for t in block.statements))

        def with_key(t: Statement) -> Statement:
            has_mirror = isinstance(t, For | If) and t.mirror in keys
            return replace(t, mirror=keys[t.mirror]) if has_mirror else t

        return visit(Substitution(copying.values).block(self.mirror.body))


def _makes_array(t: Statement) -> bool:
    return isinstance(t, Let) and t.op.effect is Effect.ALLOCATES


def _period(order: list[int]) -> int:
    """After how many times a permutation is back where it started."""
    now, count = [order[j] for j in order], 2
    if order == sorted(order):
        return 1
    while now != sorted(now):
        now, count = [order[j] for j in now], count + 1
    return count


def _like(var: Var) -> Var:
    return Var(var.name, var.type)
