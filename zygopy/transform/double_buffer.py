"""Double buffers: two arrays that a loop swaps, in place of a new one for each trip.

    h = h0                               h = h0.copy(); h2 = np.empty(m)
    for t in range(n):                   for t in range(n):
        new = np.empty(m)         ->
        new[...] = ... h ...                 h2[...] = ... h ...
        h = new                              h, h2 = h2, h

Their shadows are swapped as they are; shadows of new arrays would have a row for each trip (see `identify`).
"""

import itertools
from dataclasses import replace

from zygopy.transform import ops
from zygopy.transform.build import Builder
from zygopy.transform.ir import (
    Block,
    Check,
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
    defined_inside,
    operands,
    walk,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.memory import permutes, stored_arrays
from zygopy.transform.types import Array


def double_buffer(function: Function) -> Function:
    """Give loops that rebind arrays to new ones two buffers for each, where nothing else keeps those arrays."""
    return _Buffers(function).function()


class _Buffers:
    def __init__(self, function: Function):
        self.original = function
        self.definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        self.equal: dict[Value, Value] = {}
        for s in itertools.takewhile(lambda s: isinstance(s, Let | Check), function.body.statements):
            let = self.definitions.get(s.test) if isinstance(s, Check) else None
            if let is not None and let.op is ops.EQ:
                a, b = (self.known(v) for v in let.args)
                if a != b:
                    self.equal[a] = b

    def function(self) -> Function:
        return replace(self.original, body=self.block(self.original.body))

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case If():
                    out.append(replace(s, then=self.block(s.then), orelse=self.block(s.orelse)))
                case For() | While():
                    out += self.loop(replace(s, body=self.block(s.body)))
                case _:
                    out.append(s)
        return Block(tuple(out), block.yields)

    def loop(self, s: For | While) -> list[Statement]:
        slots = [k for k, p in enumerate(s.params) if isinstance(p.type, Array)]
        if permutes(s) or (pairs := self.pairs(s, slots)) is None:
            return [s]
        b = Builder(s.loc)
        m = Matrices(b, lambda array: ())
        inits = list(s.inits)
        for k in slots:
            shape = self.shape(s.inits[k])
            inits[k] = m.new(shape, s.params[k], s.inits[k].name)
            m.copy(inits[k], s.inits[k], shape)
        s = replace(s, inits=tuple(inits))
        for let, free in pairs:
            s = _with_spare(s, let, m.new(let.args, let.var, let.var.name), free)
        return [*b.statements, s]

    def pairs(self, s: For | While, slots: list[int]) -> list[tuple[Let, Var]] | None:
        """The arrays that a trip makes for the next one, each with the array of its own that the trip drops.

        None if there are others, or if anything else keeps these.
        """
        params = {s.params[k] for k in slots}
        if len({s.body.yields[k] for k in slots}) < len(slots):
            return None
        dropped = [p for p in params if p not in s.body.yields]
        found = []
        for k in slots:
            end = s.body.yields[k]
            lengths = self.lengths(s.inits[s.params.index(end)] if end in params else end)
            if None in lengths or lengths != self.lengths(s.inits[k]):
                return None
            if end not in params:
                free = next((p for p in dropped if self.is_made(s, end) and self.fits(s, p, end)), None)
                if free is None:
                    return None
                dropped.remove(free)
                found.append((self.definitions[end], free))
        kept = _handles(params, s)
        all_ = kept | _handles({let.var for let, _ in found}, s)
        for t in (t for block in blocks(s) for t in walk(block)):
            handed_on = [v for inner in blocks(t) for v in inner.yields]
            if isinstance(t, For | While | If):
                handed_on += operands(t)
            if any(v in all_ for v in handed_on) or any(a in kept for a in stored_arrays(t)):
                return None
        return found

    def is_made(self, s: For | While, array: Value) -> bool:
        """Whether each trip makes the array, of a shape that is the same in all."""
        let = self.definitions.get(array)
        is_new = let is not None and let.op in (ops.EMPTY, ops.ZEROS) and let in s.body.statements
        return is_new and not {*let.args} & defined_inside(s)

    def fits(self, s: For | While, param: Var, array: Value) -> bool:
        """Whether a loop's array can take the place of a new one."""
        start = s.inits[s.params.index(param)]
        return param.type.dtype == array.type.dtype and self.lengths(start) == self.lengths(array)

    def lengths(self, array: Value) -> list[Value | None]:
        """The lengths of an array, the same values for lengths that are equal."""
        return [self.known(n) for n in self.shape(array)]

    def known(self, length: Value | None) -> Value | None:
        """One value for all lengths that tests at entry find equal."""
        while length in self.equal:
            length = self.equal[length]
        return length

    def shape(self, array: Value) -> tuple[Value | None, ...]:
        """The lengths of an array, as far as they are known."""
        let = self.definitions.get(array)
        if let is not None and let.op.effect is Effect.ALLOCATES:
            return let.args
        dims = {
            (s.args[0], s.args[1].value): s.var
            for s in self.definitions.values()
            if s.op is ops.DIM and s.args[0] is array
        }
        return tuple(dims.get((array, axis)) for axis in range(array.type.ndim))


def _handles(arrays: set[Var], s: For | While) -> set[Var]:
    """Arrays and their views in a loop."""
    found = set(arrays)
    for block in blocks(s):
        for t in walk(block):
            if isinstance(t, Let) and t.op in ops.VIEWS and t.args[0] in found:
                found.add(t.var)
    return found


def _with_spare(s: For | While, let: Let, spare: Var, free: Var) -> For | While:
    """The loop with `spare`, and then the arrays that trips drop, in place of what `let` makes."""
    statements = []
    for t in s.body.statements:
        if t is not let:
            statements.append(t)
        elif let.op is ops.ZEROS:
            b = Builder(let.loc)
            Matrices(b, lambda array: ()).clear(let.var, let.args)
            statements += b.statements
    return replace(
        s,
        params=(*s.params, let.var),
        inits=(*s.inits, spare),
        body=Block(tuple(statements), (*s.body.yields, free)),
        results=(*s.results, Var(spare.name, spare.type)),
    )
