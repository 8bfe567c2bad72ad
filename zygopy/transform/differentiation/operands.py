"""What the reverse part reads of a kernel's arrays: the array itself where nothing changes it, a copy otherwise.

    for t in range(n):                       for t in range(n):
        matmul(y, w, h)                          matmul(y, w, h)
        h[...] = ...                             (v = h[i, j] for all i, j)
    for t in range(n - 1, -1, -1):    ->         h[...] = ...
        add_matmul(w_bar, y_bar, h.T)        for t in range(n - 1, -1, -1):
                                                 h2[i, j] = v for all i, j
                                                 add_matmul(w_bar, y_bar, h2.T)

The copy is filled from numbers that a nest behind the kernel reads: whether each is loaded again or stored is decided
by `tape`, as for any other number. Checkpointed loops, which `replay` runs again, read arrays in the same way; what
they store into is copied as it is before the loop.
"""

from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Call,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Let,
    Statement,
    Value,
    Var,
    block_params,
    blocks,
    defined,
    new_key,
    operands,
    param_vars,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.memory import AliasClasses, known_shape, root_of, stored_arrays
from zygopy.transform.types import INT, Array


@dataclass(frozen=True)
class _Place:
    """Where a statement stands: its position in program order and the loops around it."""

    order: int
    loops: tuple[int, ...]
    block: Block


class Operands:
    """The arrays that the kernels of a function read, as the reverse part sees them."""

    def __init__(self, function: Function, aliases: AliasClasses):
        self.aliases = aliases
        self.definitions: dict[Var, Statement] = {}
        self.places: dict[int, _Place] = {}
        self.stores: dict[Var, list[tuple[Var, _Place]]] = {}
        self.in_scope = set(param_vars(function)) | {v for s in function.body.statements for v in defined(s)}
        self.behind: dict[int, list[Statement]] = {}  # by kernel: what is to follow it
        self.instead: dict[int, Call] = {}  # by call: the one of the forward part
        self.ahead: dict[int, list[Statement]] = {}  # by checkpointed loop: what is to come before it
        self.copies: dict[tuple[int, Var], Var] = {}
        self._index(function.body, ())

    def _index(self, block: Block, loops: tuple[int, ...]) -> None:
        for s in block.statements:
            place = self.places[id(s)] = _Place(len(self.places), loops, block)
            for var in (*defined(s), *block_params(s)):
                self.definitions[var] = s
            for array in stored_arrays(s):
                self.stores.setdefault(self.aliases.of(array), []).append((array, place))
            for inner in blocks(s):
                self._index(inner, loops if isinstance(s, If) else (*loops, s.key))

    def finished(self, block: Block) -> Block:
        """A block of the primal with the nests that copies are filled from."""
        out: list[Statement] = []
        for s in block.statements:
            new = with_blocks(self.instead.get(id(s), s), self.finished)
            out += [*self.ahead.get(id(s), ()), new, *self.behind.get(id(s), ())]
        return replace(block, statements=tuple(out))

    # -- an array in the reverse part ---------------------------------------------------------------------------------

    def primal(self, s: Kernel | For, array: Var, b: Builder) -> Var:
        """The array with the elements that it had when the kernel had run, or all through a loop."""
        if (id(s), array) not in self.copies:
            self.copies[id(s), array] = self._again(s, array, b) or self.copy(s, array, b)
        return self.copies[id(s), array]

    def _again(self, s: Kernel | For, array: Var, b: Builder) -> Var | None:
        """The array itself, or the same view once more; None if it is out of scope or changed later."""
        if array in self.in_scope:
            return array if self.is_final(s, array) else None
        let = self.definitions.get(array)
        if not (isinstance(let, Let) and let.op in ops.VIEWS):
            return None
        base = self._again(s, let.args[0], b)
        return None if base is None else b.let(let.op, (base, *let.args[1:]), array.type, array.name)

    def is_final(self, s: Kernel | Call | For, array: Var) -> bool:
        """Whether nothing stores into an array after a statement, in a later trip of a loop around it included."""
        here = self.places[id(s)]
        stores = self.stores.get(self.aliases.of(array), ())
        after = [
            (a, place) for a, place in stores if place.order > here.order or here.loops[:1] == place.loops[:1] != ()
        ]
        if isinstance(s, Kernel):
            after = [(a, place) for a, place in after if self.aliases.may_alias(a, array)]  # buffers are swapped later
        return all(self._is_new(a, place, here) for a, place in after)

    def _is_new(self, array: Var, place: _Place, here: _Place) -> bool:
        """Whether an array is made anew between a statement and each store at `place` that comes after it."""
        let = self.definitions.get(root_of(array, self.definitions))
        if not (isinstance(let, Let) and let.op.effect is Effect.ALLOCATES):
            return False
        made = self.places[id(let)]
        shared = tuple(m for m, n in zip(place.loops, here.loops, strict=False) if m == n)
        in_this_trip = place.order > here.order and made.order < here.order
        return not in_this_trip and made.loops[: len(shared)] == shared

    def copy(self, s: Kernel | For, array: Var, b: Builder) -> Var:
        """A copy of an array as it is behind a kernel or before a loop."""
        shape = self.shape(s, array)
        copy = b.let(ops.SCRATCH, shape, Array(array.type.dtype, array.type.ndim), array.name)
        beside = Builder(s.loc)
        _copy_nest(beside, b, array, copy, shape, (), ())
        self._beside(s).extend(beside.statements)
        return copy

    def _beside(self, s: Kernel | Call | If | For) -> list[Statement]:
        """What is written next to a statement of the primal, to read its arrays there."""
        return (self.ahead if isinstance(s, For) else self.behind).setdefault(id(s), [])

    # -- shapes -------------------------------------------------------------------------------------------------------

    def lengths(self, array: Var, b: Builder) -> tuple[Value, ...]:
        """The shape of an array, asked for where its definition does not tell it."""
        let = self.definitions.get(array)
        if isinstance(let, Let) and let.op is ops.NEW_LIST:
            return (b.let(ops.CAPACITY, (array,), INT, "room"), *let.args[1:])
        return tuple(b.dim(array, k) if n is None else n for k, n in enumerate(known_shape(array, self.definitions)))

    def shape(self, s: Kernel | Call | If | For, array: Var) -> tuple[Value, ...]:
        """The shape of an array that a statement touches, as numbers of the primal."""
        b = Builder(s.loc)
        dims = self.lengths(array, b)
        self._beside(s).extend(b.statements)
        return dims

    # -- what is overwritten ------------------------------------------------------------------------------------------

    def is_first(self, s: Kernel, out: Var) -> bool:
        """Whether a kernel is the first to store into an array that its own block makes."""
        let = self.definitions.get(out)
        if not (isinstance(let, Let) and let.op.effect is Effect.ALLOCATES):
            return False
        block = self.places[id(s)].block
        if self.places[id(let)].block is not block:
            return False
        first, last = (next(k for k, t in enumerate(block.statements) if t is x) for x in (let, s))
        between = walk(Block(block.statements[first + 1 : last]))
        class_ = self.aliases.of(out)
        return not any(
            isinstance(v, Var) and isinstance(v.type, Array) and self.aliases.of(v) is class_
            for t in between
            for v in operands(t)
        )


def _copy_nest(
    primal: Builder, mirror: Builder, array: Var, copy: Var, shape: tuple[Value, ...], at: tuple, mirror_at: tuple
) -> None:
    """A nest that reads each element, and its mirror, which puts the number into the copy."""
    if len(at) == len(shape):
        mirror.store(copy, mirror_at, primal.load(array, at, array.name))
        return
    name = "ijklm"[len(at) % 5]
    k, mirror_k, key = Var(name, INT), Var(name, INT), new_key()
    inner, mirror_inner = Builder(primal.loc), Builder(primal.loc)
    _copy_nest(inner, mirror_inner, array, copy, shape, (*at, k), (*mirror_at, mirror_k))
    n = shape[len(at)]
    up, down = (integer(0), n, integer(1)), (mirror.sub(n, integer(1)), integer(-1), integer(-1))
    primal.emit(For(k, *up, (), (), inner.block(), (), primal.loc, key))
    mirror.emit(For(mirror_k, *down, (), (), mirror_inner.block(), (), primal.loc, new_key(), mirror=key))
