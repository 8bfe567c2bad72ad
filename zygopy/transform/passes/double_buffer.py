"""Double buffers: two arrays that a loop swaps, in place of a new one for each trip.

    h = h0                               h = h0.copy(); h2 = np.empty(m)
    for t in range(n):                   for t in range(n):
        new = np.empty(m)         ->
        new[...] = ... h ...                 h2[...] = ... h ...
        h = new                              h, h2 = h2, h

What else a trip leaves to the next, a slice of an array or what a branch has chosen, is copied into the second buffer.
Shadows of buffers are swapped as they are; shadows of new arrays would have a row for each trip (see `identify`).
"""

import itertools
from collections.abc import Iterable

from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    Effect,
    For,
    Function,
    If,
    Let,
    Statement,
    Value,
    Var,
    While,
    blocks,
    defined,
    defined_inside,
    operands,
    replace,
    walk,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.memory import Lengths, alias_classes, known_shape, permutes, root_of, stored_arrays
from zygopy.transform.types import Array

Loop = For | While


def double_buffer(function: Function) -> Function:
    """Give loops that rebind arrays two buffers for each, where nobody sees that the arrays are others."""
    return _Buffers(function).function()


class _Buffers:
    def __init__(self, function: Function):
        self.original = function
        self.aliases = alias_classes(function.body)
        self.definitions: dict[Var, Statement] = {}
        self.made: dict[Var, Let] = {}
        self.stores: dict[Var, list[tuple[Statement, Var]]] = {}  # by class
        self.buffered: dict[Value, Lengths] = {}  # the results of loops that are done, with their shapes
        self.order: dict[int, int] = {}
        self.around: dict[int, tuple[int, ...]] = {}  # the loops around each statement
        self.visit(function.body, ())
        for s in walk(function.body):
            self.definitions.update(dict.fromkeys((*defined(s), *getattr(s, "params", ())), s))
            if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES and isinstance(s.var.type, Array):
                self.made[s.var] = s
            for array in stored_arrays(s):
                self.stores.setdefault(self.aliases.of(array), []).append((s, array))
        lets = [s for s in self.definitions.values() if isinstance(s, Let)]
        self.asked = {let.args: let.var for let in lets if let.op is ops.DIM}
        self.facts = Facts({let.var: let for let in lets})
        for s in itertools.takewhile(lambda s: isinstance(s, Let | Check), function.body.statements):
            let = self.definitions.get(s.test) if isinstance(s, Check) else None
            if isinstance(let, Let) and let.op is ops.EQ and all(a.type.is_integer for a in let.args):
                self.facts.take_as_zero(self.facts.affine(let.args[0]) - self.facts.affine(let.args[1]))

    def visit(self, block: Block, around: tuple[int, ...]) -> None:
        for s in block.statements:
            self.order[id(s)], self.around[id(s)] = len(self.order), around
            for inner in blocks(s):
                self.visit(inner, (*around, s.key) if isinstance(s, For | While) else around)

    def function(self) -> Function:
        return replace(self.original, body=self.block(self.original.body))

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case If():
                    out.append(replace(s, then=self.side(s.then), orelse=self.side(s.orelse)))
                case For() | While():
                    out += self.loop(s, self.block(s.body), block)
                case _:
                    out.append(s)
        return replace(block, statements=tuple(out))

    def side(self, block: Block) -> Block:
        """A side of a branch; it yields one array, and not whichever buffer of a loop was the last."""
        done = self.block(block)
        b, yields = Builder(self.original.loc), list(done.yields)
        for k, v in enumerate(yields):
            if v in self.buffered and done.yields.count(v) == 1:
                yields[k] = _copied(b, v, self.buffered[v])
        return Block((*done.statements, *b.statements), tuple(yields))

    def loop(self, s: Loop, body: Block, block: Block) -> list[Statement]:
        """A loop of a block, with buffers where that is possible, and what comes before it; `body` is its new body."""
        slots = [k for k, p in enumerate(s.params) if isinstance(p.type, Array)]
        unchanged = [replace(s, body=body)]
        if permutes(s) or not all(self.keeps_shape(s, k) for k in slots):
            return unchanged
        turned = [k for k in slots if s.body.yields[k] in s.params and s.body.yields.count(s.body.yields[k]) == 1]
        direct = {k: let for k in slots if (let := self.handed_on(s, s.body.yields[k])) is not None}
        if len(direct) == len(slots) and _runs(s):
            apart = True
        else:
            apart = len(turned) + len(direct) == len(slots) and all(
                self.is_private(s.inits[k], s, block) for k in slots
            )
        if not self.is_unseen(s, slots, apart):
            return unchanged
        inside, yields, spares = Builder(s.loc), list(body.yields), {}
        inside.statements += [t for u in body.statements for t in _remade(u, direct.values())]
        for k in slots:
            if k in direct:
                spares[k] = direct[k].var
            elif k not in turned:
                yields[k] = spares[k] = Var(s.params[k].name, Array(s.params[k].type.dtype, s.params[k].type.ndim))
                Matrices(inside, known_shape).copy(spares[k], s.body.yields[k], self.shape(s.inits[k]))
        dropped = [s.params[k] for k in slots if s.params[k] not in yields]
        before, inits, params, results = Builder(s.loc), list(s.inits), list(s.params), list(s.results)
        m = Matrices(before, known_shape)
        for k in slots:
            inits[k] = _copied(before, s.inits[k], self.shape(s.inits[k]))
        for k, spare in spares.items():
            free = next((p for p in dropped if self.fits(s, p, k)), None)
            if free is None:
                return unchanged
            dropped.remove(free)
            params.append(spare)
            inits.append(m.new(self.shape(s.inits[k]), spare, spare.name))
            results.append(Var(spare.name, spare.type))
            yields.append(free)
        new = Block(tuple(inside.statements), tuple(yields))
        self.buffered |= {s.results[k]: self.shape(s.inits[k]) for k in slots}
        loop = replace(s, params=tuple(params), inits=tuple(inits), body=new, results=tuple(results))
        return [*before.statements, loop]

    # -- shapes ------------------------------------------------------------------------------------------------------

    def shape(self, array: Value, given: dict[Value, Lengths] | None = None) -> Lengths:
        """The lengths of an array, as far as they are known."""
        found = known_shape(array, self.definitions, given)
        return tuple(self.asked.get((array, integer(k))) if n is None else n for k, n in enumerate(found))

    def lengths(self, array: Value, given: dict[Value, Lengths] | None = None) -> list[Affine | None]:
        """The lengths of an array, with what tests at entry say of them; None where they are not known."""
        return [None if n is None else self.facts.resolved(self.facts.affine(n)) for n in self.shape(array, given)]

    def keeps_shape(self, s: Loop, k: int) -> bool:
        """Whether an array of a loop is known to have the same shape in all trips."""
        pairs = zip(s.params, s.inits, strict=True)
        given = {p: self.shape(start) for p, start in pairs if isinstance(p.type, Array)}
        first, last = self.lengths(s.inits[k]), self.lengths(s.body.yields[k], given)
        return None not in first and first == last

    def fits(self, s: Loop, param: Var, k: int) -> bool:
        """Whether a loop's array can take the place of what trips leave at position k."""
        start = s.inits[s.params.index(param)]
        return param.type.dtype == s.params[k].type.dtype and self.lengths(start) == self.lengths(s.inits[k])

    # -- what else sees the arrays -----------------------------------------------------------------------------------

    def handed_on(self, s: Loop, array: Value) -> Let | None:
        """The allocation of an array that a trip makes for the next one, and hands on to nothing else."""
        let = self.made.get(array)
        if let is None or let not in s.body.statements or {*let.args} & defined_inside(s):
            return None
        if let.op not in (ops.EMPTY, ops.ZEROS):
            return None
        uses = [v for block in blocks(s) for t in walk(block) for v in _handed_on(t)] + list(s.body.yields)
        names = {v for v in self.aliases.members(array) if root_of(v, self.definitions) is array}
        return let if sum(v in names for v in uses) == 1 else None

    def is_unseen(self, s: Loop, slots: list[int], apart: bool) -> bool:
        """Whether no store tells the arrays from those that the loop would have without buffers.

        Trips may store into what they make. What is stored before the loop is the same for both; where a loop that is
        around both runs again, only what its trip has made may be stored into. What is stored later goes into what is
        made later, unless the loop's results are `apart`: their arrays have no other name.
        """
        for class_ in {self.aliases.of(s.params[k]) for k in slots}:
            for t, array in self.stores.get(class_, ()):
                let = self.made.get(root_of(array, self.definitions))
                fine = apart
                if s.key in self.around[id(t)]:
                    fine = let is not None and s.key in self.around[id(let)]
                else:
                    shared = _common(self.around[id(t)], self.around[id(s)])
                    with_it = let is not None and _common(self.around[id(let)], shared) == shared
                    if self.order[id(t)] < self.order[id(s)]:
                        fine = not shared or with_it
                    elif with_it and self.order[id(let)] > self.order[id(s)]:
                        fine = True
                if not fine:
                    return False
        return True

    def is_private(self, array: Value, s: Loop, block: Block) -> bool:
        """Whether a block makes an array for a loop, and nothing uses it afterwards."""
        let, position = self.made.get(array), block.statements.index(s)
        if let is None or let not in block.statements[:position]:
            return False
        names = {v for v in self.aliases.members(array) if root_of(v, self.definitions) is array}
        later = [v for t in walk(Block(block.statements[position:])) for v in operands(t) if t is not s]
        earlier = [v for t in walk(Block(block.statements[:position])) for v in _handed_on(t)]
        return s.inits.count(array) == 1 and not names & {*later, *earlier, *block.yields}


def _runs(s: Loop) -> bool:
    """Whether a loop is known to have a trip."""
    if not isinstance(s, For) or not all(isinstance(n, Const) for n in (s.start, s.stop, s.step)):
        return False
    return len(range(s.start.value, s.stop.value, s.step.value)) > 0


def _common(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The loops that two statements share."""
    return tuple(m for m, n in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def _copied(b: Builder, array: Var, shape: Lengths) -> Var:
    m = Matrices(b, known_shape)
    new = m.new(shape, array, array.name)
    m.copy(new, array, shape)
    return new


def _handed_on(t: Statement) -> list[Value]:
    """The values that a statement gives other names, by loops and branches."""
    found = [v for inner in blocks(t) for v in inner.yields]
    return [*found, *operands(t)] if isinstance(t, For | While | If) else found


def _remade(t: Statement, lets: Iterable[Let]) -> list[Statement]:
    """A statement, without the allocations of arrays that now are buffers."""
    if t not in lets:
        return [t]
    b = Builder(t.loc)
    if t.op is ops.ZEROS:
        Matrices(b, known_shape).clear(t.var, t.args)
    return b.statements
