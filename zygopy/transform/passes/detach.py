"""Slices that loops hand on, as arrays of their own.

    w = x[0]                        w = x[0].copy()
    for k in range(n):              for k in range(n):
        t += np.sum(w)       ->         t += np.sum(w)
        w = x[k]                        w = x[k].copy()

An array variable of a loop needs a shadow, and a number says which array's it is (`identify`); a slice of another
array has none. A copy is the same where no store can tell the two apart: whatever the program stores into behind the
copy is made behind it.
"""

from dataclasses import dataclass, field
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
from zygopy.transform.memory import alias_classes, known_shape, permutes, root_of, stored_arrays
from zygopy.transform.types import Array


@dataclass(frozen=True)
class _Place:
    """Where a statement stands: its number, the keys of the loops around it, and the sides of branches."""

    number: int
    loops: tuple[int, ...] = ()
    sides: dict[int, int] = field(default_factory=dict)

    def inside(self, s: Statement, side: int) -> "_Place":
        """The place of what is in a block of a statement."""
        if isinstance(s, If):
            return replace(self, sides={**self.sides, self.number: side})
        return replace(self, loops=(*self.loops, s.key)) if isinstance(s, For | While) else self

    def is_before(self, other: "_Place") -> bool:
        """Whether it never runs behind the other place, but in later trips of loops around both."""
        return self.number < other.number or any(other.sides.get(k, side) != side for k, side in self.sides.items())


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
        self.places: dict[int, _Place] = {}
        self.ends: dict[int, _Place] = {}  # of blocks
        self.made: dict[Var, _Place] = {}  # where arrays are allocated
        self.stores: dict[Var, list[tuple[_Place, Var]]] = {}  # by class
        self.visit(function.body, _Place(0))

    def visit(self, block: Block, around: _Place) -> None:
        for s in block.statements:
            place = self.places[id(s)] = replace(around, number=len(self.places))
            if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES:
                self.made[s.var] = place
            for array in stored_arrays(s):
                self.stores.setdefault(self.aliases.of(array), []).append((place, array))
            for side, inner in enumerate(blocks(s)):
                self.visit(inner, place.inside(s, side))
        self.ends[id(block)] = replace(around, number=len(self.places))

    def function(self) -> Function:
        return replace(self.original, body=self.block(self.original.body))

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case If():
                    s = replace(s, then=self.side(s.then), orelse=self.side(s.orelse))
                case For() | While():
                    inits = self.copied(s.inits, self.places[id(s)], out)
                    s = replace(s, inits=inits, body=self.side(s.body))
            out.append(s)
        return replace(block, statements=tuple(out))

    def side(self, block: Block) -> Block:
        """A block whose results are handed on."""
        out = list(self.block(block).statements)
        yields = self.copied(block.yields, self.ends[id(block)], out)
        return replace(block, statements=tuple(out), yields=yields)

    def copied(self, values: tuple[Value, ...], place: _Place, out: list[Statement]) -> tuple[Value, ...]:
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

    def is_unseen(self, class_: Var, copy: _Place) -> bool:
        """Whether all that is stored into after a copy is made after it."""
        for store, array in self.stores.get(class_, ()):
            pairs = takewhile(lambda pair: pair[0] == pair[1], zip(copy.loops, store.loops, strict=False))
            shared = {key for key, _ in pairs}
            made = self.made.get(root_of(array, self.definitions))
            before = store.is_before(copy)
            if before and not shared:
                continue
            if made is None or not (made.number >= copy.number or (before and shared <= {*made.loops})):
                return False
        return True
