"""Indexing with arrays: integer arrays and masks, for reading and for storing.

y = x[idx]            for k: y[k] = x[idx[k]]
x[mask] += v          for i: if mask[i]: x[i] += v
x[idx] = v            for k: x[idx[k]] = v[k]         (one after the other: the last one stays, as in NumPy)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zygopy.errors import DtypeError, OutOfBoundsError, ShapeError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Block, Value
from zygopy.transform.library import elementwise
from zygopy.transform.reading import arrays
from zygopy.transform.reading.memory_order import is_in_c_order
from zygopy.transform.reading.values import Static, View, describe, is_number
from zygopy.transform.types import INT


def is_advanced(items: tuple) -> bool:
    """Whether a subscript has an array in it."""
    return any(isinstance(item, View) for item in items)


# -- what a subscript means ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Selection:
    """Elements chosen by arrays: `view` is at full length along the indexed axes, its axis `axes[j]` by `indices[j]`.

    `rest` are the other axes of the view; those of the indices stand before number `position` of them in the result.
    """

    view: View
    axes: tuple[int, ...]
    indices: tuple[View, ...]
    rest: tuple[int, ...]
    position: int
    lengths: tuple[Value, ...]  # of the indices, broadcast together

    @property
    def shape(self) -> tuple[Value, ...]:
        own = tuple(self.view.shape[k] for k in self.rest)
        return (*own[: self.position], *self.lengths, *own[self.position :])

    def split(self, ks: tuple[Value, ...]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The loop variables of a result's element: those of the indices, and those of the other axes."""
        end = self.position + len(self.lengths)
        return ks[self.position : end], (*ks[: self.position], *ks[end:])


def select(s, view: View, items: tuple) -> Selection:
    """The elements that a subscript with arrays chooses, by NumPy's rules for mixed indices."""
    items = _without_masks(s, view, items)
    plain: list[object] = []
    indices: list[View] = []
    axes: list[int] = []
    chosen: list[bool] = []  # for each item whether it is an array or a number, which go together
    for axis, item in arrays.place_items(s, view, items):
        if isinstance(item, View):
            if item.dtype.kind not in "iu":
                raise DtypeError(
                    f"an array index holds ints or bools, not {item.dtype}", s.loc, help="convert it: idx.astype(int)"
                )
            indices.append(item)
            axes.append(_result_axis(plain))
        plain.append(slice(None) if isinstance(item, View) else item)
        chosen.append(axis is not None and (isinstance(item, View) or is_number(item)))
    whole = arrays.index(s, view, tuple(plain))
    lengths = arrays.broadcast_shape(s, [i.shape for i in indices])
    first, last = chosen.index(True), len(chosen) - 1 - chosen[::-1].index(True)
    together = all(chosen[first : last + 1])
    position = sum(not c for c in chosen[:first]) if together else 0
    spread = tuple(arrays.broadcast_to(s, i, lengths) for i in indices)
    rest = tuple(k for k in range(whole.ndim) if k not in axes)
    return Selection(whole, tuple(axes), spread, rest, position, lengths)


def _result_axis(plain: list) -> int:
    """The number of the view's axis that the next item indexes, numbers having gone."""
    return sum(not is_number(item) for item in plain)


def _without_masks(s, view: View, items: tuple) -> tuple:
    """Masks as the places where they hold, one array of integers for each of their axes."""
    found: list[object] = []
    axis = 0
    for item in items:
        if isinstance(item, View) and item.dtype.kind == "b":
            for k, n in enumerate(item.shape):
                if axis + k >= view.ndim:
                    raise OutOfBoundsError("too many indices: the mask has more dimensions than the array", s.loc)
                arrays.same_length(s, n, view.shape[axis + k])
            found += nonzero(s, item)
            axis += item.ndim
            continue
        found.append(item)
        if isinstance(item, Static) and item.value is Ellipsis:
            axis += view.ndim - sum(_axes_taken(other) for other in items)
        else:
            axis += _axes_taken(item)
    return tuple(found)


def _axes_taken(item: object) -> int:
    if isinstance(item, Static):  # np.newaxis, an ellipsis
        return 0
    return item.ndim if isinstance(item, View) and item.dtype.kind == "b" else 1


def nonzero(s, mask: View) -> tuple[View, ...]:
    """np.nonzero: for each axis the indices of the elements that are not zero, in C order."""
    one, zero = integer(1), integer(0)

    def holds(ks) -> Value:
        return elementwise.holds(s, arrays.load(s, arrays.element_at(s, mask, ks)))

    def count(ks, values):
        return (s.b.apply(ops.SUM, values[0], s.b.select(holds(ks), one, zero)),)

    (total,) = arrays.fold(s, mask.shape, (zero,), count)
    places = tuple(arrays.whole_of_new(s, (total,), np.dtype(np.int64)) for _ in mask.shape)

    def note(ks, values):
        test = holds(ks)
        with s.nested() as inner:
            for place, k in zip(places, ks, strict=True):
                arrays.store(s, arrays.element_at(s, place, values), k)
        s.b.if_(test, inner.block(), Block(()), ())
        return (s.b.add(values[0], s.b.select(test, one, zero)),)

    arrays.fold(s, mask.shape, (zero,), note, parallel=False)
    return places


def _element(s, chosen: Selection, ks: tuple[Value, ...]) -> View:
    """The element of the array that is number `ks` of the result; indices are tested here."""
    index_ks, rest_ks = chosen.split(ks)
    place: dict[int, Value] = dict(zip(chosen.rest, rest_ks, strict=True))
    for axis, index in zip(chosen.axes, chosen.indices, strict=True):
        i = s.b.cast(arrays.load(s, arrays.element_at(s, index, index_ks)), INT)
        place[axis] = arrays.checked(s, i, chosen.view.shape[axis], axis)
    return arrays.element_at(s, chosen.view, tuple(place[k] for k in range(chosen.view.ndim)))


# -- reading and storing ---------------------------------------------------------------------------------------------


def read(s, view: View, items: tuple) -> View | Value:
    """view[items] as a new array."""
    chosen = select(s, view, items)
    made = arrays.build(s, chosen.shape, lambda ks: arrays.load(s, _element(s, chosen, ks)))
    indexed_first = chosen.axes == tuple(range(len(chosen.axes)))
    if isinstance(made, View) and made.ndim > 1 and not (indexed_first and is_in_c_order(s, view)):
        s.loose.add(made.base)
    return made


def assign(s, view: View, items: tuple, value: object) -> None:
    """view[items] = value"""
    arrays.check_writable(s, view)
    if len(items) == 1 and _is_mask(items[0]) and is_number(value):
        _where(s, view, items[0], lambda place: arrays.store(s, place, value))
        return
    chosen = select(s, view, items)
    source = _source(s, view, value, chosen.shape)

    def store(ks, _):
        arrays.store(s, _element(s, chosen, ks), elementwise.element_of(s, source, ks))
        return ()

    arrays.fold(s, chosen.shape, (), store, parallel=False)


def update(s, view: View, items: tuple, operator: Callable, value: object) -> None:
    """view[items] op= value: all elements are read before one is stored."""
    arrays.check_writable(s, view)
    if is_number(value) or isinstance(value, View):
        arrays.need_same_kind(s, view, operator, value)
    if len(items) == 1 and _is_mask(items[0]) and is_number(value):
        _where(s, view, items[0], lambda place: s.update_element(place, operator, value))
        return
    new = elementwise.combine(s, [read(s, view, items), value], lambda v: apply_function(s.b, operator, v, True))
    assign(s, view, items, new)


def accumulate(s, view: View, items: tuple, operator: Callable, value: object) -> None:
    """np.add.at and the like: elements that are chosen more than once are updated as often."""
    arrays.check_writable(s, view)
    chosen = select(s, view, items)
    source = _source(s, view, value, chosen.shape)
    arrays.need_same_kind(s, view, operator, source)

    def change(ks, _):
        s.update_element(_element(s, chosen, ks), operator, elementwise.element_of(s, source, ks))
        return ()

    arrays.fold(s, chosen.shape, (), change, parallel=False)


def _is_mask(item: object) -> bool:
    return isinstance(item, View) and item.dtype.kind == "b"


def _source(s, target: View, value: object, shape: tuple[Value, ...]) -> View | Value:
    """What is stored, broadcast to the shape of the place."""
    if isinstance(value, tuple):
        from zygopy.transform.library.shaping import as_array

        value = as_array(s, value)
    if is_number(value):
        return value
    if not isinstance(value, View):
        raise DtypeError(f"cannot store {describe(value)} into an array", s.loc)
    if s.may_overlap(target, value):
        value = arrays.copy(s, value)
    return arrays.broadcast_to(s, value, shape)


def _where(s, view: View, mask: View, change: Callable[[View], None]) -> None:
    """Change the elements where a mask over the first axes holds."""
    if mask.ndim > view.ndim:
        raise ShapeError("the mask has more dimensions than the array", s.loc)
    for n, length in zip(mask.shape, view.shape, strict=False):
        arrays.same_length(s, n, length)

    def visit(ks, _):
        test = arrays.load(s, arrays.element_at(s, mask, ks[: mask.ndim]))
        with s.nested() as inner:
            change(arrays.element_at(s, view, ks))
        s.b.if_(test, inner.block(), Block(()), ())
        return ()

    arrays.fold(s, view.shape, (), visit)
