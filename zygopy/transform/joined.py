"""Lists and tuples of many equal items, joined: one item stands for all, whose arrays have a row for each of them.

[Layer(w0, b0), Layer(w1, b1), ...]     ->     Layer(w, b), where w[k] is wk and b[k] is bk

A loop over such a list is a loop in compiled code, so that a deep model compiles in the time of one of its layers. Here
are their types; `reading.joined` has what a program does with them.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from zygopy.transform.records import Known, Record, rebuilt
from zygopy.transform.types import Array

FEWEST = 8  # items; loops over fewer are unrolled
MOST = 1 << 20  # bytes that are copied at each call; where they are more, the copies would count


class Joined:
    """The class of a Record whose one member stands for all items of a `container`."""

    container: type


class JoinedList(Joined):
    container = list


class JoinedTuple(Joined):
    container = tuple


def is_joined(tree: object) -> bool:
    """Whether a tree is that of joined items."""
    return isinstance(tree, Record) and issubclass(tree.cls, Joined)


def joined(type_: object) -> object:
    """The type of an argument with its lists and tuples of equal items joined."""
    if not isinstance(type_, tuple) or isinstance(type_, Known) or is_joined(type_):
        return type_
    is_list = isinstance(type_, Record) and type_.cls is list
    if (is_list or type(type_) is tuple) and _can_be_joined(type_):
        return Record([_of_all(type_[0], len(type_))], JoinedList if is_list else JoinedTuple, ("item",))
    return rebuilt(type_, list(map(joined, type_)))


def _can_be_joined(items: tuple) -> bool:
    if len(items) < FEWEST or any(item != items[0] for item in items[1:]):
        return False
    arrays = [list(_arrays(item)) for item in items]
    shapes = [[a.lengths for a in of_item if a is not None] for of_item in arrays]
    if None in arrays[0] or not shapes[0] or any(found != shapes[0] for found in shapes) or None in shapes[0]:
        return False
    return len(items) * sum(a.dtype.itemsize * math.prod(a.lengths) for a in arrays[0]) <= MOST


def _arrays(type_: object) -> Iterator[Array | None]:
    """The arrays of floats in an item; None for another leaf that has a value at run time."""
    if isinstance(type_, Array):
        yield type_ if type_.dtype.kind in "fc" and type_.ndim < 8 and not type_.ones else None
    elif isinstance(type_, tuple):
        for member in type_:
            yield from _arrays(member)
    elif hasattr(type_, "dtype"):
        yield None


def _of_all(type_: object, count: int) -> object:
    """The type of an item with one more axis for each of its arrays."""
    if isinstance(type_, Array):
        lengths = (count, *type_.lengths)
        return replace(type_, ndim=type_.ndim + 1, layout="C", writable=False, lengths=lengths)
    return rebuilt(type_, [_of_all(m, count) for m in type_]) if isinstance(type_, tuple) else type_
