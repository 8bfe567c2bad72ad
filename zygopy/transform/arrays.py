"""Arrays while a function is specialised: indexing, slicing, element access, copies and creation.

Indices are checked here. What loop ranges prove costs nothing; a bound that holds for a whole loop is tested once
before it.
"""

from dataclasses import replace

import numpy as np

from zygopy.errors import DtypeError, OutOfBoundsError, ShapeError, UnsupportedError
from zygopy.transform import bounds, ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Const, For, Value, Var, new_key
from zygopy.transform.types import INT, Array
from zygopy.transform.values import Fixed, Span, Static, View, describe, is_number


def whole(s, base: Var) -> View:
    """All of an array."""
    return View(base, tuple(Span(integer(0), integer(1), n, True) for n in s.facts.shapes[base]))


def bind_shape(s, array: Var) -> None:
    """Ask a new array variable for its shape, where it is defined."""
    s.facts.shapes[array] = tuple(s.b.dim(array, k) for k in range(array.type.ndim))


def materialise(s, view: View) -> Var:
    """A view as one array variable."""
    if view.is_whole:
        return view.base
    args: list[Value] = [view.base]
    for axis in view.axes:
        if isinstance(axis, Fixed):
            args += [axis.index, integer(0), integer(-1)]
        else:
            args += [axis.start, axis.step, axis.length]
    keeps_order = view.base.type.layout == "C" and all(isinstance(a, Fixed) for a in view.axes[: -view.ndim])
    rest_whole = all(a.whole for a in view.axes[len(view.axes) - view.ndim :] if isinstance(a, Span))
    layout = "C" if keeps_order and rest_whole else "A"
    var = s.b.let(ops.VIEW, tuple(args), Array(view.dtype, view.ndim, layout), "view")
    s.facts.shapes[var] = tuple(span.length for span in view.spans)
    return var


# -- indexing --------------------------------------------------------------------------------------------------------


def index(s, view: View, items: tuple) -> View:
    """`view[items]` for integers, slices, ellipsis."""
    items = _expand_ellipsis(s, view, items)
    pending = list(items)
    axes: list[Fixed | Span] = []
    position = 0
    for axis in view.axes:
        if isinstance(axis, Fixed) or not pending:
            axes.append(axis)
            continue
        item = pending.pop(0)
        axes.append(_index_axis(s, axis, item, position))
        position += 1
    return replace(view, axes=tuple(axes))


def _expand_ellipsis(s, view: View, items: tuple) -> tuple:
    is_ellipsis = [isinstance(i, Static) and i.value is Ellipsis for i in items]
    count = len(items) - sum(is_ellipsis)
    if any(isinstance(i, Static) and i.value is None for i in items):
        raise UnsupportedError("np.newaxis is not supported yet", s.loc, help="index the elements in a loop")
    if count > view.ndim:
        raise OutOfBoundsError(
            f"too many indices: the array has {view.ndim} dimension{'s' * (view.ndim != 1)}, {count} were indexed",
            s.loc,
        )
    if any(is_ellipsis):
        at = is_ellipsis.index(True)
        fill = [slice(None)] * (view.ndim - count)
        return (*items[:at], *fill, *items[at + 1 :])
    return items


def _index_axis(s, axis: Span, item: object, position: int) -> Fixed | Span:
    if isinstance(item, slice):
        return _slice_axis(s, axis, item)
    if is_number(item) and item.type.is_integer:
        item = s.b.cast(item, INT) if item.type.dtype != INT.dtype else item
        return Fixed(_place(s, axis, checked(s, item, axis.length, position)))
    if isinstance(item, View):
        raise UnsupportedError(
            "indexing with an array is not supported yet", s.loc, help="index the elements in a loop"
        )
    raise DtypeError(
        f"an array index must be an int or a slice, not {describe(item)}", s.loc, help="convert it with int()"
    )


def _place(s, axis: Span, k: Value) -> Value:
    return s.b.add(axis.start, s.b.mul(k, axis.step))


def _slice_axis(s, axis: Span, item: slice) -> Span:
    step = item.step if item.step is not None else integer(1)
    if not isinstance(step, Const) or step.value == 0:
        raise UnsupportedError("the step of a slice must be a constant other than 0", s.loc, help="write the loop out")
    if item.start is None and item.stop is None and step.value == 1:
        return axis
    start, length = slice_range(s, item.start, item.stop, step.value, axis.length)
    return Span(_place(s, axis, start), s.b.mul(axis.step, step), length)


def slice_range(s, start: Value | None, stop: Value | None, step: int, n: Value) -> tuple[Value, Value]:
    """First index and number of elements of a slice of an axis of length n (Python's rules).

    Bounds are clipped only on the side where the count, which is never negative, does not do it.
    """
    b = s.b
    if step > 0:
        first = integer(0) if start is None else _at_least(s, _from_end(s, start, n), 0)
        end = n if stop is None else _at_most(s, _from_end(s, stop, n), n)
        count = b.sub(end, first)
    else:
        last = b.sub(n, integer(1))
        first = last if start is None else _at_most(s, _from_end(s, start, n), last)
        end = integer(-1) if stop is None else _at_least(s, _from_end(s, stop, n), -1)
        count = b.sub(first, end)
    if abs(step) > 1:
        count = b.apply(ops.FLOORDIV, b.add(count, integer(abs(step) - 1)), integer(abs(step)))
    return first, _at_least(s, count, 0)


def _from_end(s, bound: Value, n: Value) -> Value:
    """A slice bound, counted from the end if negative."""
    if not (is_number(bound) and bound.type.is_integer):
        raise DtypeError(f"a slice bound must be an int, not {describe(bound)}", s.loc)
    if isinstance(bound, Const):
        return bound if bound.value >= 0 else s.b.add(n, bound)
    if s.facts.never_negative(s.facts.affine(bound)):
        return bound
    return s.b.select(s.b.apply(ops.LT, bound, integer(0)), s.b.add(bound, n), bound)


def _at_least(s, value: Value, low: int) -> Value:
    if s.facts.never_negative(s.facts.affine(value).shift(-low)):
        return value
    return s.b.apply(ops.INT_MAX, value, integer(low))


def _at_most(s, value: Value, high: Value) -> Value:
    if s.facts.never_negative(s.facts.affine(high) - s.facts.affine(value)):
        return value
    return s.b.apply(ops.INT_MIN, value, high)


def checked(s, i: Value, n: Value, axis: int) -> Value:
    """The index i of an axis of length n as one that is in range, or the user's IndexError."""
    b, facts = s.b, s.facts
    message = f"index out of bounds for axis {axis}"
    if isinstance(i, Const) and isinstance(n, Const):
        if not -n.value <= i.value < n.value:
            raise OutOfBoundsError(f"index {i.value} is out of bounds for axis {axis} with size {n.value}", s.loc)
        return i if i.value >= 0 else integer(i.value + n.value)
    if isinstance(i, Const) and i.value < 0:
        if not facts.never_negative(facts.affine(n).shift(i.value)):
            bounds.require_less(s, integer(-i.value - 1), n, message)
        return b.add(n, i)
    form, length = facts.affine(i), facts.affine(n)
    if facts.never_negative(form):
        if not facts.never_negative(length - form.shift(1)):
            bounds.require_less(s, i, n, message)
        return i
    if facts.never_negative(length - form.shift(1)):
        s.check(b.apply(ops.GE, i, b.apply(ops.NEG, n)), OutOfBoundsError, message)
    else:
        in_range = b.apply(ops.AND, b.apply(ops.LE, b.apply(ops.NEG, n), i), b.apply(ops.LT, i, n))
        s.check(in_range, OutOfBoundsError, message)
    return b.select(b.apply(ops.LT, i, integer(0)), b.add(i, n), i)


# -- elements and whole slices ---------------------------------------------------------------------------------------


def load(s, view: View, name: str = "") -> Value:
    """The element a fully indexed view stands at."""
    if view.dtype.kind not in "fiub":
        raise DtypeError(f"elements of {view.dtype} arrays are not supported", s.loc, help="use real floats and ints")
    value = s.b.load(view.base, tuple(a.index for a in view.axes), name)
    if view.frozen:
        return s.b.let(ops.STOP, (value,), value.type, name)
    return value


def store(s, view: View, value: Value, add: ops.Op | None = None) -> None:
    """Store into the element a fully indexed view stands at."""
    check_writable(s, view)
    element = view.base.type.element
    if value.type.is_float and not element.is_float:
        value = s.b.cast(value, element)
    s.b.store(view.base, tuple(a.index for a in view.axes), value, add)


def check_writable(s, view: View) -> None:
    if not view.base.type.writable:
        raise DtypeError("the array is read-only", s.loc, help="copy it first: x = x.copy()")
    if view.frozen:
        raise UnsupportedError("storing into the result of stop_gradient is not supported", s.loc, help="copy it first")
    if view.base in s.captured_arrays.values():
        raise UnsupportedError(
            "storing into a captured array is not supported", s.loc, help="pass the array as an argument, or copy it"
        )


def element_at(s, view: View, ks: tuple[Value, ...]) -> View:
    """The element of a view at loop variables that are in range."""
    ks = list(ks)
    return replace(view, axes=tuple(a if isinstance(a, Fixed) else Fixed(_place(s, a, ks.pop(0))) for a in view.axes))


def nest(s, lengths: tuple[Value, ...], body) -> None:
    """Loops over all indices of a shape; `body` receives the loop variables."""

    def level(position: int, ks: tuple[Var, ...]) -> None:
        if position == len(lengths):
            body(ks)
            return
        k = Var("ijklm"[position % 5], INT)
        s.facts.ranges[k] = (integer(0), lengths[position], integer(1))
        with s.nested() as inner:
            level(position + 1, (*ks, k))
        s.b.emit(For(k, integer(0), lengths[position], integer(1), (), (), inner.block(), (), s.loc, new_key()))

    level(0, ())


def fill(s, view: View, value: Value) -> None:
    """view[...] = a number."""
    check_writable(s, view)
    nest(s, tuple(span.length for span in view.spans), lambda ks: store(s, element_at(s, view, ks), value))


def assign(s, target: View, source: View) -> None:
    """target[...] = source, as if the source were copied first."""
    check_writable(s, target)
    source = broadcast(s, source, target)
    if s.may_overlap(target, source):
        source = copy(s, source)
    shape = tuple(span.length for span in target.spans)
    nest(s, shape, lambda ks: store(s, element_at(s, target, ks), load(s, element_at(s, source, ks[-source.ndim :]))))


def update(s, target: View, operator, value: object) -> None:
    """target[...] op= a number or an array."""
    check_writable(s, target)
    if isinstance(value, View):
        value = broadcast(s, value, target)
        if s.may_overlap(target, value) and value != target:
            value = copy(s, value)

    def body(ks):
        at = element_at(s, target, ks)
        operand = value if is_number(value) else load(s, element_at(s, value, ks[-value.ndim :]))
        s.update_element(at, operator, operand)

    nest(s, tuple(span.length for span in target.spans), body)


def broadcast(s, source: View, target: View) -> View:
    """Check that source's shape fits target's; axes of length 1 that are known to be so are repeated."""
    if source.ndim > target.ndim:
        raise ShapeError(f"cannot store {describe(source)} into {describe(target)}", s.loc)
    axes = []
    wanted = list(target.spans[target.ndim - source.ndim :])
    for axis in source.axes:
        if isinstance(axis, Span):
            length = wanted.pop(0).length
            same = s.facts.affine(axis.length) == s.facts.affine(length)
            if not same and isinstance(axis.length, Const) and axis.length.value == 1:
                axis = Span(axis.start, integer(0), length)
            elif not same:
                s.check(s.b.apply(ops.EQ, axis.length, length), ShapeError, "the shapes of both sides differ")
        axes.append(axis)
    return replace(source, axes=tuple(axes))


# -- creation --------------------------------------------------------------------------------------------------------


def allocate(s, shape: tuple[Value, ...], dtype: np.dtype, op: ops.Op = ops.EMPTY, name: str = "") -> View:
    """A new array."""
    if not 1 <= len(shape) <= 8:
        raise UnsupportedError(f"arrays with {len(shape)} dimensions are not supported", s.loc, help="use 1 to 4")
    if dtype.kind not in "fiub" or dtype == np.float16:
        raise DtypeError(f"arrays of {dtype} are not supported", s.loc, help="use float64 or float32")
    for length in shape:
        if not (is_number(length) and length.type.is_integer):
            raise DtypeError(f"a shape is made of ints, not {describe(length)}", s.loc)
    shape = tuple(s.b.cast(n, INT) for n in shape)
    for length in shape:
        if not s.facts.never_negative(s.facts.affine(length)):
            s.check(s.b.apply(ops.GE, length, integer(0)), ShapeError, "negative dimensions are not allowed")
    var = s.b.let(op, shape, Array(dtype, len(shape)), name or "array")
    s.facts.shapes[var] = shape
    return whole(s, var)


def copy(s, view: View, name: str = "") -> View:
    """A new array with a view's elements."""
    new = allocate(s, tuple(span.length for span in view.spans), view.dtype, ops.EMPTY, name)
    nest(
        s,
        tuple(span.length for span in view.spans),
        lambda ks: store(s, element_at(s, new, ks), load(s, element_at(s, view, ks))),
    )
    return new
