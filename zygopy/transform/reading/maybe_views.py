"""Copies of what NumPy gives as views, or as views or copies by their strides: programs in which that matters.

y = x[:, 0].reshape(n, m)       # here: a copy
x[0, 0] = 1.0                   # of which y would know, were it a view
return y[0, 0]                  # so this is refused
"""

from dataclasses import dataclass

from zygopy.errors import Loc, UnsupportedError
from zygopy.transform.ir import Block, For, Statement, Var, While, blocks, defined
from zygopy.transform.memory import AliasClasses, read_arrays, stored_arrays
from zygopy.transform.types import Array


@dataclass(frozen=True)
class MaybeView:
    """A copy, the array on its memory that has the new shape, what it was copied from, and where.

    `for_sure`: NumPy gives a view, whatever the strides are. `returned`: it is what a function returns, which may be
    the array that the function was given; `twin`: which shares memory with another one that it returns.
    """

    copy: Var
    shaped: Var
    source: Var
    loc: Loc
    for_sure: bool = False
    returned: bool = False
    twin: bool = False


_STRIDES = "NumPy copies where the strides allow no view; one of the two arrays is stored into afterwards"
_RETURNED = "the function may return its argument, here as a copy; one of the two arrays is stored into afterwards"
_TWIN = (
    "the function returns one array twice, or a view beside it, here as copies; one of them is stored into afterwards"
)
_COPY = "take a copy, x.copy().reshape(...), or reshape after the store"


def refuse_if_it_matters(body: Block, found: list[MaybeView]) -> None:
    """Refuse a program whose result depends on whether one of the arrays is a view.

    Raises
    ------
    UnsupportedError
        If such an array is stored into, or read after its source was.
    """
    if not found:
        return
    order: list[tuple[Statement, tuple[For | While, ...]]] = []
    _list(body, (), order)
    aliases = AliasClasses(body)
    returned = {aliases.of(v) for v in body.yields if isinstance(v, Var)}
    for array in found:
        is_there = any(array.shaped in defined(s) for s, _ in order)
        if is_there and _matters(array, order, aliases, returned):
            if array.for_sure:
                raise UnsupportedError(
                    "this array is a view in NumPy and a copy here, and that matters",
                    array.loc,
                    why="it, or the array that it shows, is stored into afterwards",
                    help="take a copy of it, .copy(), or take it after the store",
                )
            raise UnsupportedError(
                "this array may be a view or a copy, and which of them matters here",
                array.loc,
                why=_RETURNED if array.returned else _TWIN if array.twin else _STRIDES,
                help="have it return a copy: x.copy()" if array.returned or array.twin else _COPY,
            )


def _list(block: Block, loops: tuple[For | While, ...], order: list) -> None:
    for s in block.statements:
        order.append((s, loops))
        for inner in blocks(s):
            _list(inner, (*loops, s) if isinstance(s, For | While) else loops, order)


def _matters(array: MaybeView, order: list, aliases: AliasClasses, returned: set[Var]) -> bool:
    """Whether the array is stored into, or read after its source was: behind that, or in a later trip of a loop."""
    own, source = aliases.of(array.shaped), aliases.of(array.source)
    at, loops = next((k, loops) for k, (s, loops) in enumerate(order) if array.shaped in defined(s))
    for depth, loop in enumerate(loops):
        if any(aliases.of(p) is own for p in loop.params if isinstance(p.type, Array)):  # later trips have it too
            at, loops = next(k for k, (s, _) in enumerate(order) if s is loop), loops[:depth]
            break
    reads = [(k, _keys(around)) for k, (s, around) in enumerate(order) if own in map(aliases.of, read_arrays(s))]
    reads += [(len(order), set())] if own in returned else []
    fill = next((s for s, _ in order if array.copy in stored_arrays(s)), None)
    for k, (s, around) in enumerate(order):
        stored = {aliases.of(v) for v in stored_arrays(s) if s is not fill}  # the trip that reads it fills it before
        if own in stored:
            return True
        again = _keys(around) - _keys(loops)
        if k > at and source in stored and any(r > at and (r > k or again & near) for r, near in reads):
            return True
    return False


def _keys(loops: tuple[For | While, ...]) -> set[int]:
    return {loop.key for loop in loops}
