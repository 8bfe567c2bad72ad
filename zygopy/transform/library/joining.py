"""Arrays made of arrays: joined, repeated, padded, rolled, taken apart along the diagonal."""

from collections.abc import Callable

import numpy as np

from zygopy.errors import DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import integer, zero
from zygopy.transform.ir import Const, Kernel, Value
from zygopy.transform.library import elementwise
from zygopy.transform.library.reductions import need_array
from zygopy.transform.library.shaping import note_view
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import Repeated, Span, View, describe
from zygopy.transform.types import FLOAT, INT, Scalar, promote


def load_at(s, view: View, ks: tuple[Value, ...]) -> Value:
    """The element at indices that are in range."""
    return arrays.load(s, arrays.element_at(s, view, ks))


def part(s, view: View, axis: int, start: Value, length: Value) -> View:
    """`length` elements of an axis from `start` on, both known to be in range."""
    own = view.own_axes[axis]
    if not isinstance(own, int):
        view, own = arrays.copy(s, view), axis
    span = view.axes[own]
    assert isinstance(span, Span)
    new = Span(s.b.add(span.start, s.b.mul(start, span.step)), span.step, length)
    return view.ordered(view.own_axes, tuple(new if k == own else a for k, a in enumerate(view.axes)))


# -- joined ----------------------------------------------------------------------------------------------------------


def concatenate(s, items: object, axis: int, dtype: np.dtype | None = None) -> View:
    """The arrays one behind the other along an axis."""
    views = [need_array(s, item) for item in sequence(s, items)]
    ndim = views[0].ndim
    if any(v.ndim != ndim for v in views) or ndim == 0:
        raise ShapeError("the arrays to join have different numbers of dimensions, or none", s.loc)
    total: Value = integer(0)
    for v in views:
        total = s.b.add(total, v.shape[axis])
        for k in range(ndim):
            if k != axis:
                arrays.same_length(s, views[0].shape[k], v.shape[k])
    dtype = dtype or promote(*(v.element for v in views)).dtype
    shape = tuple(s.canonical(total if k == axis else n) for k, n in enumerate(views[0].shape))
    new = arrays.whole_of_new(s, shape, dtype)
    start: Value = integer(0)
    for v in views:
        arrays.assign(s, part(s, new, axis, start, v.shape[axis]), v)
        start = s.b.add(start, v.shape[axis])
    return new


def sequence(s, items: object) -> tuple:
    """What is joined: a tuple or list, or the rows of an array of known length."""
    if isinstance(items, tuple) and items:
        return items
    if isinstance(items, View) and items.ndim and isinstance(items.shape[0], Const):
        return tuple(arrays.item(s, items, integer(k)) for k in range(int(items.shape[0].value)))
    raise UnsupportedError(f"joining {describe(items)} is not supported", s.loc, help="pass a tuple of arrays")


def stack(s, items: object, axis: int | None = None) -> View:
    """The arrays along a new axis."""
    views = [need_array(s, item) for item in sequence(s, items)]
    at = 0 if axis is None else axis % (views[0].ndim + 1)
    return concatenate(s, tuple(expanded(v, at) for v in views), at)


def is_of_run_time(items: object) -> bool:
    """Whether this is an array of as many items as only run time knows: what a list that grows was made to."""
    return isinstance(items, View) and items.ndim > 0 and not isinstance(items.shape[0], Const)


def stack_rows(s, rows: View, axis: int) -> View:
    """The rows of an array along a new axis."""
    _need_rows(s, rows, "stack")
    first, *own = rows.own_axes
    return arrays.copy(s, rows.ordered((*own[:axis], first, *own[axis:])))


def concatenate_rows(s, rows: View) -> View:
    """The rows of an array one behind the other along their first axis."""
    _need_rows(s, rows, "concatenate")
    count, length, *rest = rows.shape
    new = arrays.whole_of_new(s, (s.b.mul(count, length), *rest), rows.dtype)

    def element(ks: tuple[Value, ...]) -> None:
        place = s.b.add(s.b.mul(ks[0], length), ks[1])
        arrays.store(s, arrays.element_at(s, new, (place, *ks[2:])), load_at(s, rows, ks))

    arrays.nest(s, rows.shape, element)
    return new


def _need_rows(s, rows: View, verb: str) -> None:
    some = s.b.apply(ops.GT, rows.shape[0], integer(0))
    s.check(some, ValueError, f"need at least one array to {verb}")


def expanded(view: View, axis: int) -> View:
    """The view with a new axis of length 1."""
    own = view.own_axes
    return view.ordered((*own[:axis], Repeated(integer(1)), *own[axis:]))


def at_least(view: View, ndim: int) -> View:
    """np.atleast_1d, _2d, _3d."""
    new = Repeated(integer(1))
    own = view.own_axes
    if ndim == 3 and view.ndim <= 2:
        own = (new, *own, new) if view.ndim == 1 else (*own, new) if view.ndim == 2 else (new,) * 3
        return view.ordered(own)
    return view.ordered((*(new,) * (ndim - view.ndim), *own)) if view.ndim < ndim else view


# -- repeated, rolled, padded ----------------------------------------------------------------------------------------


def along(s, view: View, axis: int, length: Value, place: Callable[[Value], Value]) -> View:
    """A new array whose element k along an axis is element place(k) of the view."""
    shape = tuple(s.canonical(length if j == axis else n) for j, n in enumerate(view.shape))

    def at(ks):
        return load_at(s, view, (*ks[:axis], place(ks[axis]), *ks[axis + 1 :]))

    return arrays.build(s, shape, at)


def repeat(s, view: View, times: Value, axis: int) -> View:
    length = s.b.mul(view.shape[axis], times)
    return along(s, view, axis, length, lambda k: s.b.apply(ops.FLOORDIV, k, times))


def tile(s, view: View, counts: tuple[Value, ...]) -> View:
    view = view.ordered((*(Repeated(integer(1)),) * (len(counts) - view.ndim), *view.own_axes))
    counts = (*(integer(1),) * (view.ndim - len(counts)), *counts)
    tiled = view
    for axis, times in enumerate(counts):
        if not (isinstance(times, Const) and times.value == 1):
            n = tiled.shape[axis]
            tiled = along(s, tiled, axis, s.b.mul(n, times), lambda k, n=n: s.b.apply(ops.MOD, k, n))
    return arrays.copy(s, view) if tiled is view else tiled


def roll(s, view: View, shift: Value, axis: int) -> View:
    n = view.shape[axis]
    safe = s.b.apply(ops.INT_MAX, n, integer(1))
    return along(s, view, axis, n, lambda k: s.b.apply(ops.MOD, s.b.sub(k, shift), safe))


def pad(s, view: View, widths: list[tuple[Value, ...]], mode: str, values: list[tuple[Value, ...]]) -> View:
    """np.pad in the modes constant, edge, reflect and wrap."""
    if mode == "constant":
        if any(v is not values[0][0] for pair in values for v in pair):
            for axis, (width, pair) in enumerate(zip(widths, values, strict=True)):
                view = _between(s, view, axis, width, pair)
            return view
        shape = tuple(s.canonical(s.b.add(s.b.add(n, a), b)) for n, (a, b) in zip(view.shape, widths, strict=True))
        fill = s.b.cast(values[0][0], Scalar(view.dtype))
        new = arrays.build(s, shape, lambda ks: fill)
        inner = new
        for axis, (before, _) in enumerate(widths):
            inner = part(s, inner, axis, before, view.shape[axis])
        arrays.assign(s, inner, view)
        return new
    for axis, (before, after) in enumerate(widths):
        n = view.shape[axis]
        s.check(s.b.apply(ops.GT, n, integer(0)), ShapeError, "an empty axis can be padded with a constant only")
        last = s.b.sub(n, integer(1))

        def place(k, n=n, before=before, last=last):
            i = s.b.sub(k, before)
            if mode == "edge":
                return s.b.apply(ops.INT_MIN, s.b.apply(ops.INT_MAX, i, integer(0)), last)
            if mode == "wrap":
                return s.b.apply(ops.MOD, i, n)
            period = s.b.apply(ops.INT_MAX, s.b.mul(last, integer(2)), integer(1))
            j = s.b.apply(ops.MOD, i, period)
            return s.b.apply(ops.INT_MIN, j, s.b.sub(period, j)) if not _is_one(n) else integer(0)

        view = along(s, view, axis, s.b.add(s.b.add(n, before), after), place)
    return view


def _between(s, view: View, axis: int, widths: tuple[Value, ...], values: tuple[Value, ...]) -> View:
    """The view between two numbers, each repeated along an axis as often as its width says."""
    (before, after), n = widths, view.shape[axis]
    length = s.b.add(s.b.add(n, before), after)
    new = arrays.whole_of_new(
        s, tuple(s.canonical(length if k == axis else m) for k, m in enumerate(view.shape)), view.dtype
    )
    for start, width, value in ((integer(0), before, values[0]), (s.b.add(before, n), after, values[1])):
        arrays.fill(s, part(s, new, axis, start, width), s.b.cast(value, Scalar(view.dtype)))
    arrays.assign(s, part(s, new, axis, before, n), view)
    return new


def _is_one(n: Value) -> bool:
    return isinstance(n, Const) and n.value == 1


# -- diagonals -------------------------------------------------------------------------------------------------------


def diagonal(s, view: View, offset: Value, first: int = 0, second: int = 1) -> View:
    """The elements [k, k + offset] of two axes, as the last axis."""
    rest = tuple(k for k in range(view.ndim) if k not in (first, second))
    down, right = (
        s.b.apply(ops.INT_MAX, s.b.apply(ops.NEG, offset), integer(0)),
        s.b.apply(ops.INT_MAX, offset, integer(0)),
    )
    rows, columns = s.b.sub(view.shape[first], down), s.b.sub(view.shape[second], right)
    shorter = rows if s.facts.affine(rows) == s.facts.affine(columns) else s.b.apply(ops.INT_MIN, rows, columns)
    length = shorter if s.facts.never_negative(s.facts.affine(shorter)) else s.b.apply(ops.INT_MAX, shorter, integer(0))

    def at(ks):
        place = dict(zip(rest, ks, strict=False)) | {first: s.b.add(ks[-1], down), second: s.b.add(ks[-1], right)}
        return load_at(s, view, tuple(place[k] for k in range(view.ndim)))

    made = arrays.build(s, (*(view.shape[k] for k in rest), s.canonical(length)), at)
    if rest:
        s.loose.add(made.base)
    return note_view(s, made, view)


def diagonal_matrix(s, view: View, offset: Value) -> View:
    """A matrix with a vector on a diagonal."""
    n = s.b.add(view.shape[0], s.b.apply(ops.INT_MAX, offset, s.b.apply(ops.NEG, offset)))
    none = zero(view.element)
    new = arrays.build(s, (s.canonical(n),) * 2, lambda ks: none)
    down, right = (
        s.b.apply(ops.INT_MAX, s.b.apply(ops.NEG, offset), integer(0)),
        s.b.apply(ops.INT_MAX, offset, integer(0)),
    )

    def put(ks):
        place = arrays.element_at(s, new, (s.b.add(ks[0], down), s.b.add(ks[0], right)))
        arrays.store(s, place, load_at(s, view, ks))

    arrays.nest(s, view.shape, put)
    return new


def triangle(s, view: View, offset: Value, lower: bool) -> View:
    """np.tril, np.triu of the last two axes; a vector stands for a matrix of rows that equal it."""
    if view.ndim == 1:
        view = arrays.broadcast_to(s, view, view.shape * 2)
    none = zero(view.element)

    def at(ks):
        i, j = ks[-2:]
        reach = s.b.add(i, offset)
        inside = s.b.apply(ops.LE, j, reach) if lower else s.b.apply(ops.GE, j, reach)
        return s.b.select(inside, load_at(s, view, ks), none)

    return arrays.build(s, view.shape, at)


# -- products of positions -------------------------------------------------------------------------------------------


def kron(s, a: View, b: View) -> View:
    """np.kron of vectors or matrices."""
    ndim = max(a.ndim, b.ndim)
    if ndim > 2:
        raise UnsupportedError("np.kron of more than two dimensions is not supported", s.loc, help="use np.einsum")
    a, b = at_least(a, ndim), at_least(b, ndim)

    def at(ks):
        first = tuple(s.b.apply(ops.FLOORDIV, k, n) for k, n in zip(ks, b.shape, strict=True))
        second = tuple(s.b.apply(ops.MOD, k, n) for k, n in zip(ks, b.shape, strict=True))
        return s.b.apply(ops.MUL, load_at(s, a, first), load_at(s, b, second))

    return arrays.build(s, tuple(s.canonical(s.b.mul(m, n)) for m, n in zip(a.shape, b.shape, strict=True)), at)


def cross(s, a: View, b: View) -> View:
    """The vector product along the last axis, of length 3."""
    three = integer(3)
    for v in (a, b):
        arrays.same_length(s, v.shape[-1], three)
    shape = arrays.broadcast_shape(s, [a.shape, b.shape])
    a, b = arrays.broadcast_to(s, a, shape), arrays.broadcast_to(s, b, shape)

    def at(ks):
        following = [s.b.apply(ops.MOD, s.b.add(ks[-1], integer(d)), three) for d in (1, 2)]
        left, right = ((*ks[:-1], k) for k in following)
        one = s.b.apply(ops.MUL, load_at(s, a, left), load_at(s, b, right))
        return s.b.apply(ops.SUB, one, s.b.apply(ops.MUL, load_at(s, a, right), load_at(s, b, left)))

    return arrays.build(s, shape, at)


def searched(s, sorted_: View, values: View | Value, right: bool) -> View | Value:
    """np.searchsorted: how many elements of a sorted array are smaller than each value (or not larger)."""
    op = ops.LE if right else ops.LT

    def count(value: Value) -> Value:
        def trip(ks, totals):
            before = s.b.apply(op, load_at(s, sorted_, ks), value)
            return (s.b.apply(ops.SUM, totals[0], s.b.select(before, integer(1), integer(0))),)

        return s.b.cast(arrays.fold(s, sorted_.shape, (integer(0),), trip)[0], Scalar(np.dtype(np.int64)))

    return elementwise.combine(s, [values], lambda v: count(v[0]))


def argsort(s, view: View, axis: int) -> View:
    """The indices that sort along an axis, equal elements as they come."""
    if view.element.is_complex:
        raise DtypeError("complex numbers have no order", s.loc, help="sort abs(z), z.real or z.imag")
    order = arrays.whole_of_new(s, tuple(map(s.canonical, view.shape)), np.dtype(np.int64))
    rest = tuple(n for k, n in enumerate(view.shape) if k != axis)

    def sort_line(ks):
        out, line = (line_of(s, v, axis, ks) for v in (order, view))
        s.b.emit(Kernel(ops.ARGSORT, (arrays.materialise(s, out),), (arrays.materialise(s, line),), s.loc))

    arrays.nest(s, rest, sort_line)
    return order


def line_of(s, view: View, axis: int, ks: tuple[Value, ...]) -> View:
    """A line of an array along an axis, at indices of the other axes."""
    own = view.own_axes
    moved = view.ordered((*own[:axis], *own[axis + 1 :], own[axis]))
    for k in ks:
        moved = arrays.item(s, moved, k)
    return moved


def taken_along(s, view: View, order: View, axis: int) -> View:
    """np.take_along_axis: element order[..., k, ...] along an axis."""

    def at(ks):
        i = s.b.cast(load_at(s, order, ks), INT)
        i = arrays.checked(s, i, view.shape[axis], axis)
        return load_at(s, view, (*ks[:axis], i, *ks[axis + 1 :]))

    return arrays.build(s, order.shape, at)


def linspace(s, start: View | Value, stop: View | Value, num: Value, endpoint: bool) -> tuple[View, View | Value]:
    """np.linspace along a new first axis, and the step."""
    types = (v.element if isinstance(v, View) else v.type for v in (start, stop))
    type_ = Scalar(promote(*types, FLOAT).dtype)
    first, last = (elementwise.combine(s, [v], lambda x: s.b.cast(x[0], type_)) for v in (start, stop))
    gaps = s.b.apply(ops.INT_MAX, s.b.sub(num, integer(1 if endpoint else 0)), integer(1))
    span = elementwise.combine(s, [last, first], lambda v: s.b.apply(ops.SUB, *v))
    step = elementwise.combine(s, [span], lambda v: s.b.apply(ops.DIV, v[0], s.b.cast(gaps, type_)))
    shape = step.shape if isinstance(step, View) else ()
    end = s.b.sub(num, integer(1))
    operands = [arrays.broadcast_to(s, v, shape) if isinstance(v, View) else v for v in (first, last, step)]

    def at(ks):
        begin, stop_at, by = (elementwise.element_of(s, v, ks[1:]) for v in operands)
        value = s.b.apply(ops.ADD, begin, s.b.apply(ops.MUL, s.b.cast(ks[0], type_), by))
        if not endpoint:
            return value
        is_last = s.b.apply(ops.AND, s.b.apply(ops.EQ, ks[0], end), s.b.apply(ops.GT, end, integer(0)))
        return s.b.select(is_last, stop_at, value)

    return arrays.build(s, (s.b.cast(num, INT), *shape), at), step
