"""Elements of temporary arrays that are picked one by one are computed again, so that the array need not exist.

for i in range(n):                        for i in range(n):
    for j in range(m):                        for j in range(m):
        t[i, j] = x[i, j] - c[i]                  t[i, j] = x[i, j] - c[i]
for i in range(n):                ->      for i in range(n):
    total += t[i, labels[i]]                  total += x[i, labels[i]] - c[i]

The loops that compute and use all of `t` may then be fused, and `t` becomes a number.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from zygopy.transform import ops
from zygopy.transform.ir import (
    Block,
    Const,
    Effect,
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
    defined_inside,
    leaves,
    map_leaves,
    operands,
    replace,
    walk,
    within,
)
from zygopy.transform.memory import alias_classes, stored_arrays
from zygopy.transform.types import Array

_MOST = 6  # operations


@dataclass(eq=False)
class _Temporary:
    """An array: the nests around its stores, and the statements that use it in other ways than by its elements."""

    stores: list[tuple[Store, tuple[For, ...]]] = field(default_factory=list)
    others: bool = False


def picks(function: Function) -> Function:
    """Compute picked elements of temporary arrays again where that is cheap."""
    return _Picks(function).run()


class _Picks:
    def __init__(self, function: Function):
        self.function = function
        self.aliases = alias_classes(function.body)
        self.arrays: dict[Var, _Temporary] = {}
        self.made: set[Var] = set()
        self.definitions: dict[Value, tuple[Let, tuple[For, ...]]] = {}
        self.times_stored: dict[Var, int] = {}  # by alias class
        self.computations: dict[Var, list[Let]] = {}
        self.values: dict[Var, Value] = {}
        self.visit(function.body, ())
        self.hand_on(leaves(function.results))

    def hand_on(self, values: Iterable[Value]) -> None:
        for v in values:
            if isinstance(v, Var) and isinstance(v.type, Array):
                self.arrays.setdefault(v, _Temporary()).others = True

    def visit(self, block: Block, nest: tuple[For, ...]) -> None:
        self.hand_on(block.yields)
        for s in block.statements:
            for array in stored_arrays(s):
                of = self.aliases.of(array)
                self.times_stored[of] = self.times_stored.get(of, 0) + 1
            if isinstance(s, Let):
                self.definitions[s.var] = s, nest
                if s.op is ops.EMPTY:
                    self.made.add(s.var)
            for v in operands(s):
                if isinstance(v, Var) and isinstance(v.type, Array):
                    found = self.arrays.setdefault(v, _Temporary())
                    if isinstance(s, Store) and s.array is v:
                        found.stores.append((s, nest))
                    elif not (isinstance(s, Let) and s.op is ops.LOAD):
                        found.others = True
            for inner in blocks(s):
                self.visit(inner, (*nest, s) if isinstance(s, For) else ())

    def run(self) -> Function:
        body = self.block(self.function.body, frozenset(), frozenset())
        body = Substitution(self.values).block(body)
        return replace(
            self.function, body=body, results=map_leaves(lambda v: self.values.get(v, v), self.function.results)
        )

    def block(self, block: Block, known: frozenset[Var], written: frozenset[Var]) -> Block:
        """A block with its picks computed again.

        `known` are the temporary arrays that can be, `written` those that their one store has filled.
        """
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case Let(op=ops.LOAD) if s.args[0] in known and self.is_picked(s.args[1:]):
                    out += self.again(s)
                case For():
                    out.append(replace(s, body=self.block(s.body, known, written)))
                    for array in self.filled_by(s):
                        if (lets := self.computation(array, written)) is not None:
                            self.computations[array] = lets
                            known |= {array}
                case While():
                    out.append(replace(s, body=self.block(s.body, known, written)))
                case If():
                    then, orelse = (self.block(side, known, written) for side in (s.then, s.orelse))
                    out.append(replace(s, then=then, orelse=orelse))
                case _:
                    out.append(s)
            written |= {a for t in within(s) for a in stored_arrays(t) if self.stored_once(a)}
        return replace(block, statements=tuple(out))

    def stored_once(self, array: Var) -> bool:
        return array in self.made and self.times_stored[self.aliases.of(array)] == 1

    def is_picked(self, index: tuple[Value, ...]) -> bool:
        """Whether the data say which element."""
        return any(v in self.definitions and self.definitions[v][0].op in (ops.LOAD, ops.SELECT) for v in index)

    def filled_by(self, s: For) -> list[Var]:
        """The temporary arrays that a nest fills, each with one store at its own indices."""
        if not s.parallel:
            return []
        found = []
        for t in walk(s.body):
            if isinstance(t, Store) and t.array in self.made and t.add is None:
                use = self.arrays[t.array]
                ((store, nest), *more) = use.stores
                own = nest[-len(store.index) :]
                if not more and not use.others and own[0] is s and store.index == tuple(loop.index for loop in own):
                    found.append(t.array)
        return found

    def computation(self, array: Var, written: frozenset[Var]) -> list[Let] | None:
        """The operations that compute an element from the indices; None if they are costly or change meaning."""
        ((store, nest),) = self.arrays[array].stores
        inside = nest[-len(store.index) :]
        changing = defined_inside(inside[0])
        found: list[Let] = []

        def visit(v: Value) -> bool:
            if isinstance(v, Const) or v in (loop.index for loop in inside) or v in (t.var for t in found):
                return True
            let, around = self.definitions.get(v, (None, ()))
            if let is None or inside[0] not in around:
                return v not in changing
            if let.op is ops.LOAD:
                steady = let.args[0] in written or self.aliases.of(let.args[0]) not in self.times_stored
            else:
                steady = let.op.effect is Effect.PURE and let.op.cheap
            if not steady or not all(visit(a) for a in let.args if not isinstance(a.type, Array)):
                return False
            found.append(let)
            return len(found) <= _MOST

        return found if visit(store.value) else None

    def again(self, load: Let) -> list[Statement]:
        array = load.args[0]
        ((store, nest),) = self.arrays[array].stores
        given = {loop.index: at for loop, at in zip(nest[-len(store.index) :], load.args[1:], strict=True)}
        lets = tuple(self.computations[array])
        copy = Substitution(given, lambda v: Var(v.name, v.type)).block(Block(lets, (store.value,)))
        self.values[load.var] = copy.yields[0]
        return [replace(t, loc=load.loc) for t in copy.statements]
