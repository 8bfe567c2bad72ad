"""Which loops threads of a GPU can share out, and where threads of one kernel meet.

for i in range(n):                a grid of n x m threads; two that differ in i meet in w_bar[j]: an atomic addition,
    for j in range(m):            and their sums of `total` are combined block by block
        w_bar[j] += x[i, j]
        total += x[i, j] * w[j]
"""

import itertools

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.build import integer
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    Effect,
    For,
    Function,
    Let,
    Op,
    Statement,
    Store,
    Var,
    defined_inside,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.passes.orient import any_order, one_trip_only
from zygopy.transform.passes.reassociate import carried_sum, is_free_sum

EXTREMES = (ops.MAXIMUM, ops.MINIMUM, ops.FMAX, ops.FMIN, ops.INT_MAX, ops.INT_MIN)
_FEW = 32  # trips that are too few for threads of their own
_MOST_AXES = 3


class Grid:
    """Answers questions about the loops of one function."""

    def __init__(self, function: Function, deterministic: bool = False):
        self.deterministic = deterministic
        self.aliases = alias_classes(function.body)
        self.facts = Facts.of(function.body)
        self._known: dict[int, tuple[For, tuple[For, ...]]] = {}

    def axes(self, s: Statement) -> tuple[For, ...]:
        """The loops of a nest whose trips threads share out, the outermost first; empty if there are none."""
        if not isinstance(s, For):
            return ()
        if id(s) not in self._known:
            axes = self._axes(s)
            self._known[id(s)] = s, self._without_atomics(s, axes) if self.deterministic else axes
        return self._known[id(s)][1]

    def _without_atomics(self, s: For, axes: tuple[For, ...]) -> tuple[For, ...]:
        """As many of the axes as leave no additions in which threads meet; none may be."""
        for count in range(len(axes), 0, -1):
            for some in itertools.combinations(axes, count):
                if not any(_is_atomic(t) for t in walk(self.with_atomics(Block((s,)), some, s))):
                    return some
        return ()

    def _axes(self, s: For) -> tuple[For, ...]:
        if not self.is_shared(s):
            return ()
        found = [s]
        while (inner := only_inner(found[-1])) is not None and self.is_shared(inner):
            outer = {loop.index for loop in found}
            if {inner.start, inner.stop} & outer or inner.inits != found[-1].params:
                break
            if found[-1].body.yields != inner.results:
                break
            found.append(inner)
        return tuple(found[-_MOST_AXES:])

    def is_shared(self, s: For) -> bool:
        """Whether the trips of a loop are independent but for sums and extremes, and are many."""
        return not _is_short(s) and self.is_independent(s)

    def is_independent(self, s: For) -> bool:
        """Whether the trips of a loop are independent but for sums and extremes."""
        if s.step != integer(1):
            return False
        own = arrays_of_trips(s)
        if not any_order(replace(s, body=without(s.body, own)), self.aliases, self.facts, own):
            return False
        return all(reduction(s, k) is not None for k in range(len(s.params)))

    def expected_trips(self, s: For) -> int | None:
        """How many trips a loop had in the call that the code is made for."""
        start, stop = self.facts.expected(s.start), self.facts.expected(s.stop)
        return None if start is None or stop is None else stop - start

    def with_atomics(self, body: Block, axes: tuple[For, ...], nest: For) -> Block:
        """The body of a kernel, which does a nest, its additions marked where threads may meet in one element."""
        inside = defined_inside(nest)
        stores = [t for t in walk(nest.body) if isinstance(t, Store)]
        loads = [(t.args[0], t.args[1:]) for t in walk(nest.body) if isinstance(t, Let) and t.op is ops.LOAD]
        touched = [(t.array, t.index) for t in stores] + loads

        def private(s: Store) -> bool:
            near = [(a, at) for a, at in touched if self.aliases.may_alias(s.array, a)]
            return all(
                a is s.array and one_trip_only(s.index, at, loop.index, inside, self.facts)
                for a, at in near
                for loop in axes
            )

        def marked(block: Block) -> Block:
            out = []
            for t in block.statements:
                if isinstance(t, Store) and t.add is ops.SUM and not private(t):
                    t = replace(t, add=ops.ATOMIC)
                out.append(with_blocks(t, marked))
            return Block(tuple(out), block.yields)

        return marked(body)


def only_inner(s: For) -> For | None:
    """The loop that is all of another one's body."""
    inner = s.body.statements[0] if len(s.body.statements) == 1 else None
    return inner if isinstance(inner, For) else None


def reduction(s: For, k: int) -> Op | None:
    """How the trips of a loop combine its variable: a sum whose order is free, or an extreme."""
    if is_free_sum(s, k):
        return ops.SUM
    for op in EXTREMES:
        joins = lambda let, total, op=op: let.op is op and let.args.count(total) == 1  # noqa: E731
        if carried_sum(s.params[k], k, s.body, joins) is not None:
            return op
    return None


def arrays_of_trips(s: For) -> set[Var]:
    """The arrays that each trip makes for itself, of lengths that all trips share."""
    inside = defined_inside(s)
    lets = [t for t in walk(s.body) if isinstance(t, Let) and t.op.effect is Effect.ALLOCATES]
    return {t.var for t in lets if not inside & set(t.args) and t.op is not ops.NEW_STACK}


def _is_atomic(t: Statement) -> bool:
    """Whether the order of a statement's additions shows in what they give."""
    return isinstance(t, Store) and t.add is ops.ATOMIC and not t.value.type.is_integer


def _is_short(s: For) -> bool:
    return isinstance(s.start, Const) and isinstance(s.stop, Const) and s.stop.value - s.start.value <= _FEW


def without(block: Block, own: set[Var]) -> Block:
    """A block without tests and without the allocations of its own arrays."""
    kept = [s for s in block.statements if not isinstance(s, Check) and not (isinstance(s, Let) and s.var in own)]
    return Block(tuple(with_blocks(s, lambda inner: without(inner, own)) for s in kept), block.yields)
