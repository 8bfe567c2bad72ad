"""Reading a stencil's array from its copy on the tape, so that the array itself can be stored into at once.

for i in range(n):                       for i in range(n):
    tape[k, i] = u[i]                        tape[k, i] = u[i]
for i in range(n - 1):                   for i in range(n - 1):
    t[i] = u[i] * u[i + 1]       ->          t[i] = tape[k, i] * tape[k, i + 1]
for i in range(n - 1):                   for i in range(n - 1):
    u[i] = t[i]                              u[i] = t[i]

`fuse` then makes one loop of the last two, and `t` is a number.
"""

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.build import integer
from zygopy.transform.ir import (
    Block,
    For,
    Function,
    Let,
    Statement,
    Store,
    Value,
    Var,
    defined_inside,
    replace,
    walk,
    with_blocks,
    within,
)
from zygopy.transform.memory import alias_classes, known_shape, stored_arrays


def reread(function: Function) -> Function:
    """Read arrays that are stored into later from their copies on tapes, in loops that read several elements."""
    return replace(function, body=_Rereading(function).block(function.body))


class _Rereading:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)
        self.definitions = Facts.of(function.body).definitions

    def block(self, block: Block) -> Block:
        copies: dict[Var, tuple[Var, tuple[Value, ...]]] = {}  # the tape, and the indices in front of the array's own
        out: list[Statement] = []
        for k, s in enumerate(block.statements):
            s = with_blocks(s, self.block)
            stored = {self.aliases.of(a) for t in within(s) for a in stored_arrays(t)}
            copies = {u: copy for u, copy in copies.items() if not stored & {*map(self.aliases.of, (u, copy[0]))}}
            if isinstance(s, For):
                for u, (tape, at) in copies.items():
                    if _is_stencil(s, u) and self.is_stored(u, block.statements[k + 1 :]):
                        s = _read_from(s, u, tape, at)
                if (found := self.copied(s)) is not None:
                    u, tape, at = found
                    copies[u] = tape, at
            out.append(s)
        return replace(block, statements=tuple(out))

    def is_stored(self, u: Var, behind: tuple[Statement, ...]) -> bool:
        stored = (a for s in behind for t in within(s) for a in stored_arrays(t))
        return any(self.aliases.of(u) is self.aliases.of(a) for a in stored)

    def copied(self, s: For) -> tuple[Var, Var, tuple[Value, ...]] | None:
        """The array all of whose elements a nest copies to a tape, the tape, and the indices in front."""
        loops = [s]
        while len(loops[-1].body.statements) == 1 and isinstance(inner := loops[-1].body.statements[0], For):
            loops.append(inner)
        match loops[-1].body.statements:
            case (Let(op=ops.LOAD) as load, Store(add=None) as store) if store.value is load.var:
                u, *index = load.args
            case _:
                return None
        front, own = store.index[: -len(index)], store.index[-len(index) :]
        is_row = tuple(index) == own == tuple(loop.index for loop in loops) and not defined_inside(s) & set(front)
        is_all = is_row and all(self.is_whole(loop, u, axis) for axis, loop in enumerate(loops))
        return (u, store.array, front) if is_all and self.is_tape(store.array, u) else None

    def is_tape(self, array: Var, u: Var) -> bool:
        let = self.definitions.get(array)
        return let is not None and let.op is ops.SCRATCH and array.type.element == u.type.element

    def is_whole(self, loop: For, u: Var, axis: int) -> bool:
        """Whether a loop runs over all indices of an axis of an array."""
        length = self.definitions.get(loop.stop)
        known = loop.stop == known_shape(u, self.definitions)[axis] or (
            length is not None and length.op is ops.DIM and length.args == (u, integer(axis))
        )
        return known and loop.start == integer(0) and loop.step == integer(1)


def _is_stencil(s: For, u: Var) -> bool:
    """Whether a loop reads elements of an array at different distances."""
    return len({t.args[1:] for t in walk(s.body) if isinstance(t, Let) and t.op is ops.LOAD and t.args[0] is u}) > 1


def _read_from(s: Statement, u: Var, tape: Var, at: tuple[Value, ...]) -> Statement:
    if isinstance(s, Let) and s.op is ops.LOAD and s.args[0] is u:
        return replace(s, args=(tape, *at, *s.args[1:]))
    return with_blocks(
        s, lambda block: replace(block, statements=tuple(_read_from(t, u, tape, at) for t in block.statements))
    )
