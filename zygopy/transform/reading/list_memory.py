"""The memory of lists, once a function is specialised: room for the first items, and no stores behind their back.

A list holds references to arrays, ours a copy of each: so nothing may store into an array when a list has it, nor into
one that was read from a list.
"""

from typing import NamedTuple

from zygopy.errors import Loc, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Const,
    Effect,
    For,
    Kernel,
    Let,
    Statement,
    Var,
    While,
    blocks,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.memory import alias_classes, reached, stored_arrays

_ROOM = 8  # items


def with_room(body: Block) -> Block:
    """The program in which lists that grow have room for some items at first; others are arrays of a fixed length."""
    growing = {s.outs[0] for s in walk(body) if isinstance(s, Kernel) and s.op is ops.ROOM}

    def block(body: Block) -> Block:
        out: list[Statement] = []
        for s in body.statements:
            if not (isinstance(s, Let) and s.op is ops.NEW_LIST):
                out.append(with_blocks(s, block))
                continue
            b, (length, *row) = Builder(s.loc), s.args
            if s.var not in growing:
                out.append(replace(s, op=ops.EMPTY))
            elif isinstance(length, Const):
                out.append(replace(s, args=(integer(max(length.value, _ROOM)), *row)))
            else:
                room = b.apply(ops.INT_MAX, length, integer(_ROOM))
                out += [*b.statements, replace(s, args=(room, *row))]
        return replace(body, statements=tuple(out))

    return block(body)


def refuse_stores(body: Block, referred: list[tuple[Statement, Var, Loc]]) -> None:
    """Refuse a store that may change an array behind the statement that has copied it into or out of a list."""
    found = {id(s): (array, loc) for s, array, loc in referred}
    if not found:
        return
    places = _Places(body, found)
    for copy, array, loc in places.copies:
        for store, stored, where in places.stores:
            if places.may_change(store, stored, copy, array):
                raise UnsupportedError(
                    "storing into an array that a list holds is not supported",
                    where,
                    f"`{loc.text.strip()}` puts it into the list, or takes it out: the list holds the array itself",
                    "copy it: xs.append(x.copy()), or x = xs[i].copy()",
                )


class _Place(NamedTuple):
    """Where a statement stands: its position in program order, and the loops around it."""

    position: int
    loops: tuple[int, ...]


class _Places:
    """Where a program makes arrays, copies them for lists, and stores into arrays."""

    def __init__(self, body: Block, found: dict[int, tuple[Var, Loc]]):
        self.body, self.found, self.count = body, found, 0
        self.aliases = alias_classes(body)
        self.made: dict[Var, _Place] = {}
        self.views: dict[Var, Var] = {}
        self.copies: list[tuple[_Place, Var, Loc]] = []
        self.stores: list[tuple[_Place, Var, Loc]] = []
        self.visit(body, ())

    def visit(self, block: Block, loops: tuple[int, ...]) -> None:
        for s in block.statements:
            self.count += 1
            if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES:
                self.made[s.var] = _Place(self.count, loops)
            elif isinstance(s, Let) and s.op in ops.VIEWS:
                self.views[s.var] = s.args[0]
            self.stores += [(_Place(self.count, loops), array, s.loc) for array in stored_arrays(s)]
            for inner in blocks(s):
                self.visit(inner, (*loops, s.key) if isinstance(s, For | While) else loops)
            if id(s) in self.found:
                self.copies.append((_Place(self.count, loops), *self.found[id(s)]))

    def may_change(self, store: _Place, stored: Var, copy: _Place, array: Var) -> bool:
        """Whether a store, behind a copy or in a later trip of a loop around both, may change the copied array."""
        if self.aliases.of(stored) is not self.aliases.of(array):
            return False
        while stored in self.views:
            stored = self.views[stored]
        shared = tuple(m for m, n in zip(copy.loops, store.loops, strict=False) if m == n)
        made = self.made.get(stored)
        is_new = made is not None and made.loops[: len(shared)] == shared  # each trip has an array of its own
        if shared and not is_new:
            return True
        if store.position <= copy.position:  # its own stores among them
            return False
        return not (is_new and (made.position > copy.position or stored not in reached(self.body, [array])))
