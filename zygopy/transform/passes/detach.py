"""Slices that loops hand on, as arrays of their own.

    w = x[0]                        w = x[0].copy()
    for k in range(n):              for k in range(n):
        t += np.sum(w)       ->         t += np.sum(w)
        w = x[k]                        w = x[k].copy()

An array variable of a loop needs a shadow, and a number says which array's it is (`identify`); a slice of another
array has none. A copy is the same where no store can tell the two apart: whatever the program stores into behind the
copy is made behind it.
"""

from itertools import takewhile

from zygopy.transform import ops
from zygopy.transform.build import Builder
from zygopy.transform.ir import (
    Block,
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
    replace,
    walk,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.memory import alias_classes, known_shape, permutes, stored_arrays
from zygopy.transform.types import Array

Place = tuple[int, tuple[int, ...]]  # where a statement stands: its number, and the keys of the loops around it


def detach(function: Function) -> Function:
    """Copy the slices that loops hand on where nobody sees that they are copies."""
    loops = [s for s in walk(function.body) if isinstance(s, For | While) and not permutes(s)]
    handed_on = [p for s in loops for p in s.params if isinstance(p.type, Array)]
    return _Detach(function, handed_on).function() if handed_on else function


class _Detach:
    def __init__(self, function: Function, handed_on: list[Var]):
        self.original = function
        self.aliases = alias_classes(function.body)
        self.classes = {self.aliases.of(p) for p in handed_on}
        self.definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        self.places: dict[int, Place] = {}
        self.made: dict[Var, Place] = {}  # where arrays are allocated
        self.stores: dict[Var, list[tuple[Place, Var]]] = {}  # by class
        self.visit(function.body, ())

    def visit(self, block: Block, around: tuple[int, ...]) -> None:
        for s in block.statements:
            place = self.places[id(s)] = len(self.places), around
            if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES:
                self.made[s.var] = place
            for array in stored_arrays(s):
                self.stores.setdefault(self.aliases.of(array), []).append((place, array))
            for inner in blocks(s):
                self.visit(inner, (*around, s.key) if isinstance(s, For | While) else around)

    def function(self) -> Function:
        return replace(self.original, body=self.block(self.original.body, ()))

    def block(self, block: Block, around: tuple[int, ...]) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case If():
                    then, orelse = (self.side(b, around) for b in (s.then, s.orelse))
                    s = replace(s, then=then, orelse=orelse)
                case For():
                    place = self.places[id(s)]
                    inits = self.copied(s.inits, place, out)
                    s = replace(s, inits=inits, body=self.side(s.body, (*around, s.key)))
                case While():
                    place = self.places[id(s)]
                    inits = self.copied(s.inits, place, out)
                    test = self.block(s.test, (*around, s.key))
                    s = replace(s, inits=inits, test=test, body=self.side(s.body, (*around, s.key)))
            out.append(s)
        return replace(block, statements=tuple(out))

    def side(self, block: Block, around: tuple[int, ...]) -> Block:
        """A block whose results are handed on."""
        done = self.block(block, around)
        last = block.statements[-1] if block.statements else None
        out = list(done.statements)
        if last is None:
            return done  # what it yields was made outside of it
        order = max(self.places[id(s)][0] for s in walk(Block((last,))))
        yields = self.copied(done.yields, (order, around), out)
        return Block(tuple(out), yields)

    def copied(self, values: tuple[Value, ...], place: Place, out: list[Statement]) -> tuple[Value, ...]:
        """The values, those that are slices copied at a place."""
        found = list(values)
        for k, v in enumerate(values):
            view = self.definitions.get(v)
            if view is None or view.op not in (ops.VIEW, ops.TRANSPOSE) or self.aliases.of(v) not in self.classes:
                continue
            if self.is_unseen(self.aliases.of(v), place):
                b = Builder(view.loc)
                m = Matrices(b, known_shape)
                known = known_shape(v, self.definitions)
                shape = tuple(b.dim(v, axis) if n is None else n for axis, n in enumerate(known))
                found[k] = m.new(shape, v, v.name)
                m.copy(found[k], v, shape)
                out += b.statements
        return tuple(found)

    def is_unseen(self, class_: Var, place: Place) -> bool:
        """Whether all that is stored into after a copy is made after it."""
        order, around = place
        for (stored, loops), array in self.stores.get(class_, ()):
            shared = [a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(around, loops, strict=False))]
            if stored < order and not shared:
                continue
            made = self.made.get(self.root(array))
            if made is None or not (made[0] > order or (stored < order and set(shared) <= set(made[1]))):
                return False
        return True

    def root(self, array: Value) -> Value:
        """The array that a view is of."""
        while isinstance(let := self.definitions.get(array), Let) and let.op in ops.VIEWS:
            array = let.args[0]
        return array


__all__ = ["detach"]
