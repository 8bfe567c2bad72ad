"""Arrays while a function is specialised: indexing, slicing, element access, copies and creation.

Indices are checked here. What loop ranges prove costs nothing; a bound that holds for a whole loop is tested once
before it.
"""

from dataclasses import replace

import numpy as np

from zygopy.errors import DtypeError, MeetingLengthsError, OutOfBoundsError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.affine import Affine
from zygopy.transform.build import Builder, constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, For, Let, Value, Var, new_key
from zygopy.transform.reading import bounds
from zygopy.transform.reading.maybe_views import MaybeView
from zygopy.transform.reading.values import Fixed, Repeated, Span, Static, View, Window, describe, is_number
from zygopy.transform.types import INT, Array, is_supported


def whole(s, base: Var) -> View:
    """All of an array."""
    return whole_of(base, s.facts.shapes[base])


def bind_shape(s, array: Var) -> None:
    """Ask a new array variable for its shape, where it is defined."""
    known = s.known_axes.get(array, (None,) * array.type.ndim)
    s.facts.shapes[array] = tuple(m if n is None else n for m, n in zip(dims(s.b, array), known, strict=True))


def dims(b: Builder, array: Var) -> tuple[Value, ...]:
    """The lengths of an array's axes."""
    return tuple(b.dim(array, k) for k in range(array.type.ndim))


def materialise(s, view: View) -> Var:
    """A view as one array variable; a frozen one is copied, since the variable carries derivatives."""
    if view.is_whole and not view.frozen:
        return view.base
    if needs_copy(view):
        made = copy(s, view).base
        if not view.read_only:
            s.maybe_views.append(MaybeView(made, made, view.base, s.loc, for_sure=True))
        return made
    view = _with_an_own_axis(view)
    plain = view.ordered(tuple(k for k, a in enumerate(view.axes) if isinstance(a, Span)))
    var = _slice(s, plain) if not plain.is_whole else plain.base
    if view.order is not None:
        position = {k: j for j, k in enumerate(plain.own_axes)}
        args = tuple(integer(position[k] if isinstance(k, int) else -1) for k in view.order)
        base, var = var, s.b.let(ops.TRANSPOSE, (var, *args), Array(view.dtype, view.ndim, "A"), "view")
        s.note_view(var, base)
        s.facts.shapes[var] = view.shape
    return var


def _with_an_own_axis(view: View) -> View:
    """A view of which at least one axis is the array's: one element would be a number of its own, and no view."""
    if any(isinstance(a, Span) for a in view.axes):
        return view
    assert view.ndim, "one element as an array variable"
    last = view.axes[-1]
    assert isinstance(last, Fixed)
    axes = (*view.axes[:-1], Span(last.index, integer(1), integer(1)))
    return view.ordered((len(axes) - 1, *view.own_axes[1:]), axes)


def needs_copy(view: View) -> bool:
    """Whether no array variable is the view itself."""
    return view.frozen or bool(view.part) or any(_is_repeated(a) for a in view.spans)


def _is_repeated(axis: Span | Repeated) -> bool:
    if isinstance(axis, Window):
        return True
    return axis.length != integer(1) if isinstance(axis, Repeated) else not isinstance(axis.step, Const)


def _slice(s, view: View) -> Var:
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
    s.note_view(var, view.base)
    s.facts.shapes[var] = view.shape
    return var


# -- indexing --------------------------------------------------------------------------------------------------------


def index(s, view: View, items: tuple) -> View:
    """`view[items]` for integers, slices, ellipsis, np.newaxis."""
    axes = list(view.axes)
    own = list(view.own_axes)
    order: list[int | Repeated] = []
    for position, item in place_items(s, view, items):
        if position is None:
            order.append(Repeated(integer(1)))
            continue
        axis = own[position]
        if isinstance(axis, Repeated):
            as_span = Span(integer(0), integer(1), axis.length)
            found = _index_axis(s, as_span, item, position)
            if isinstance(axis, Window):
                axes[axis.axis] = _moved(s, axes, axis, found.start if isinstance(found, Span) else found.index)
            order += [_stepped(s, axis, found)] if isinstance(found, Span) else []
            continue
        axes[axis] = _index_axis(s, axes[axis], item, position)
        order += [axis] if isinstance(axes[axis], Span) else []
    return view.ordered(tuple(order), tuple(axes))


def item(s, view: View, k: Value) -> View:
    """view[k] for an index that is in range."""
    first, *rest = view.own_axes
    if isinstance(first, Window):
        axes = tuple(_moved(s, view.axes, first, k) if j == first.axis else a for j, a in enumerate(view.axes))
        return view.ordered(tuple(rest), axes)
    if isinstance(first, Repeated):
        return view.ordered(tuple(rest))
    axes = tuple(Fixed(_place(s, a, k)) if j == first else a for j, a in enumerate(view.axes))
    return view.ordered(tuple(rest), axes)


def _moved(s, axes, window: Window, k: Value) -> Fixed | Span:
    """The axis of the base that a window moves along, at element k of the window."""
    by, axis = s.b.mul(k, window.step), axes[window.axis]
    if isinstance(axis, Fixed):
        return Fixed(s.b.add(axis.index, by))
    return axis if by == integer(0) else Span(s.b.add(axis.start, by), axis.step, axis.length)


def _stepped(s, axis: Repeated, found: Span) -> Repeated:
    if isinstance(axis, Window):
        return Window(found.length, axis.axis, s.b.mul(axis.step, found.step))
    return Repeated(found.length)


def without_axes(view: View, gone: tuple[int, ...]) -> View:
    """The view at element 0 of some of its axes."""
    own = view.own_axes
    dropped = {own[k] for k in gone}
    axes = tuple(Fixed(a.start) if k in dropped else a for k, a in enumerate(view.axes))
    return view.ordered(tuple(o for k, o in enumerate(own) if k not in gone), axes)


def place_items(s, view: View, items: tuple) -> list[tuple[int | None, object]]:
    """Each item of a subscript with the axis that it indexes (None for np.newaxis); all axes appear."""
    names = [i.value if isinstance(i, Static) else i for i in items]
    dots = [k for k, i in enumerate(names) if i is Ellipsis]
    count = sum(i is not None and i is not Ellipsis for i in names)
    if count > view.ndim:
        raise OutOfBoundsError(
            f"too many indices: the array has {view.ndim} dimension{'s' * (view.ndim != 1)}, {count} were indexed",
            s.loc,
        )
    if len(dots) > 1:
        raise OutOfBoundsError("an index can only have a single ellipsis ('...')", s.loc)
    at = dots[0] if dots else len(items)
    fill = (slice(None),) * (view.ndim - count)
    items = (*items[:at], *fill, *items[at + 1 :])
    axis = iter(range(view.ndim))
    return [(None if isinstance(i, Static) and i.value is None else next(axis), i) for i in items]


def _index_axis(s, axis: Span, item: object, position: int) -> Fixed | Span:
    if isinstance(item, slice):
        return _slice_axis(s, axis, item)
    if is_number(item) and item.type.is_integer:
        item = s.b.cast(item, INT) if item.type.dtype != INT.dtype else item
        return Fixed(_place(s, axis, checked(s, item, axis.length, position)))
    raise DtypeError(
        f"an array index must be an int or a slice, not {describe(item)}", s.loc, help="convert it with int()"
    )


def _place(s, axis: Span, k: Value) -> Value:
    return s.b.add(axis.start, s.b.mul(k, axis.step))


def _slice_axis(s, axis: Span, item: slice) -> Span:
    step = item.step if item.step is not None else integer(1)
    if not (is_number(step) and step.type.is_integer):
        raise DtypeError(f"the step of a slice must be an int, not {describe(step)}", s.loc)
    if step == integer(0):
        raise UnsupportedError("the step of a slice must be other than 0", s.loc)
    if item.start is None and item.stop is None and step == integer(1):
        return axis
    start, length = slice_range(s, item.start, item.stop, step, axis.length)
    return Span(_place(s, axis, start), s.b.mul(axis.step, step), s.canonical(length))


def slice_range(s, start: Value | None, stop: Value | None, step: Value, n: Value) -> tuple[Value, Value]:
    """First index and number of elements of a slice of an axis of length n (Python's rules)."""
    b = s.b
    if isinstance(step, Const):
        first, count = _extent(s, start, stop, step.value > 0, n)
        size: Value = integer(abs(step.value))
    else:
        s.check(b.apply(ops.NE, step, integer(0)), ValueError, "slice step cannot be zero")
        upward = b.apply(ops.GT, step, integer(0))
        up, down = (_extent(s, start, stop, direction, n) for direction in (True, False))
        first, count = (b.select(upward, x, y) for x, y in zip(up, down, strict=True))
        size = b.select(upward, step, b.apply(ops.NEG, step))
    if size != integer(1):
        count = b.apply(ops.FLOORDIV, b.add(count, b.sub(size, integer(1))), size)
    return first, _at_least(s, count, 0)


def _extent(s, start: Value | None, stop: Value | None, upward: bool, n: Value) -> tuple[Value, Value]:
    """First index of a slice, and how far its end is from it.

    Bounds are clipped only on the side where the count, which is never negative, does not do it.
    """
    b = s.b
    if upward:
        first = integer(0) if start is None else _at_least(s, _from_end(s, start, n), 0)
        end = n if stop is None else _at_most(s, _from_end(s, stop, n), n)
        return first, b.sub(end, first)
    last = b.sub(n, integer(1))
    first = last if start is None else _at_most(s, _from_end(s, start, n), last)
    end = integer(-1) if stop is None else _at_least(s, _from_end(s, stop, n), -1)
    return first, b.sub(first, end)


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
    if holds(s, s.facts.affine(value).shift(-low)):
        return value
    return s.b.apply(ops.INT_MAX, value, integer(low))


def _at_most(s, value: Value, high: Value) -> Value:
    if holds(s, s.facts.affine(high) - s.facts.affine(value)):
        return value
    return s.b.apply(ops.INT_MIN, value, high)


def holds(s, form: Affine) -> bool:
    """Whether a form is never negative, if need be by a test at entry: slices lie within their axes."""
    if s.facts.never_negative(form):
        return True
    least = s.facts.lower_bound(form)
    if not (least.terms and s.guard(ops.LE, Affine(), least)):
        return False
    s.facts.assume(least, depth=0)
    s.holding.append((least,))
    return True


def checked(s, i: Value, n: Value, axis: int, message: str = "") -> Value:
    """The index i of an axis of length n as one that is in range, or the user's IndexError."""
    b, facts = s.b, s.facts
    of_array, message = not message, message or f"index out of bounds for axis {axis}"
    if isinstance(i, Const) and isinstance(n, Const):
        if not -n.value <= i.value < n.value:
            known = f"index {i.value} is out of bounds for axis {axis} with size {n.value}"
            raise OutOfBoundsError(known if of_array else message, s.loc)
        return i if i.value >= 0 else integer(i.value + n.value)
    if isinstance(i, Const) and i.value < 0:
        if facts.never_negative(facts.affine(n).shift(i.value)):
            bounds.note(s, i, "implied")
        else:
            bounds.require_less(s, integer(-i.value - 1), n, message)
        return b.add(n, i)
    form, length = facts.affine(i), facts.affine(n)
    if facts.never_negative(form):
        if facts.never_negative(length - form.shift(1)):
            bounds.note(s, i, "implied")
        else:
            bounds.require_less(s, i, n, message)
        return i
    bounds.note(s, i)
    if facts.never_negative(length - form.shift(1)):
        s.check(b.apply(ops.GE, i, b.apply(ops.NEG, n)), OutOfBoundsError, message)
    else:
        in_range = b.apply(ops.AND, b.apply(ops.LE, b.apply(ops.NEG, n), i), b.apply(ops.LT, i, n))
        s.check(in_range, OutOfBoundsError, message)
    return b.select(b.apply(ops.LT, i, integer(0)), b.add(i, n), i)


# -- elements and whole slices ---------------------------------------------------------------------------------------


def load(s, view: View, name: str = "") -> Value:
    """The element a fully indexed view stands at."""
    if not is_supported(view.dtype):
        raise DtypeError(f"elements of {view.dtype} arrays are not supported", s.loc, help="use floats and ints")
    value = s.b.load(view.base, tuple(a.index for a in view.axes), "" if view.part else name)
    if view.part:
        value = s.b.apply(ops.REAL if view.part == "real" else ops.IMAG, value, name=name)
    if view.frozen:
        return s.b.let(ops.STOP, (value,), value.type, name)
    return value


def store(s, view: View, value: Value, add: ops.Op | None = None) -> None:
    """Store into the element a fully indexed view stands at."""
    check_writable(s, view)
    element = view.element
    if value.type.is_float and not element.is_inexact:
        value = s.b.cast(value, element)
    s.b.store(view.base, tuple(a.index for a in view.axes), value, add)


def check_writable(s, view: View) -> None:
    if view.read_only:
        raise DtypeError("a broadcast array is read-only", s.loc, help="copy it first: x = x.copy()")
    if view.part:
        raise UnsupportedError(
            f"storing into .{view.part} of an array is not supported",
            s.loc,
            help="store complex numbers into it",
        )
    if not view.base.type.writable:
        raise DtypeError("the array is read-only", s.loc, help="copy it first: x = x.copy()")
    if view.frozen:
        raise UnsupportedError(
            "storing into an array that no gradient flows through is not supported",
            s.loc,
            "it is a result of stop_gradient, or of a function declared constant",
            "copy it first: x = x.copy()",
        )
    if view.base in s.captured_arrays.values():
        raise UnsupportedError(
            "storing into a captured array is not supported", s.loc, help="pass the array as an argument, or copy it"
        )


def element_at(s, view: View, ks: tuple[Value, ...]) -> View:
    """The element of a view at loop variables that are in range."""
    axes = list(view.axes)
    pairs = list(zip(view.own_axes, ks, strict=True))
    for axis, k in pairs:
        if isinstance(axis, int):
            axes[axis] = Fixed(_place(s, axes[axis], k))
    for axis, k in pairs:
        if isinstance(axis, Window):
            axes[axis.axis] = _moved(s, axes, axis, k)
    return replace(view, axes=tuple(axes), order=None)


def nest(s, lengths: tuple[Value, ...], body) -> None:
    """Loops over all indices of a shape; `body` receives the loop variables."""
    fold(s, lengths, (), lambda ks, totals: body(ks) or ())


def fold(s, lengths: tuple[Value, ...], starts: tuple[Value, ...], body, parallel: bool = True) -> tuple[Value, ...]:
    """Loops over all indices of a shape that carry values: `body(ks, values)` gives those after a trip.

    `parallel`: trips may run in any order.
    """

    def level(position: int, ks: tuple[Var, ...], values: tuple[Value, ...]) -> tuple[Value, ...]:
        if position == len(lengths):
            return body(ks, values)
        k = Var("ijklm"[position % 5], INT)
        bounds = (integer(0), s.canonical(lengths[position]), integer(1))
        s.facts.ranges[k] = bounds
        params = tuple(Var(start.name, v.type) for start, v in zip(names, values, strict=True))
        with s.nested() as inner:
            s.homes.update(dict.fromkeys((k, *params), len(s.levels) - 1))
            block = inner.block(level(position + 1, (*ks, k), params))
        results = tuple(Var(p.name, p.type) for p in params)
        s.homes.update(dict.fromkeys(results, len(s.levels) - 1))
        s.b.emit(For(k, *bounds, params, values, block, results, s.loc, new_key(), parallel=parallel))
        return results

    names = [v if isinstance(v, Var) else Var("total", v.type) for v in starts]
    return level(0, (), starts)


def build(s, shape: tuple[Value, ...], element, name: str = "t") -> View | Value:
    """A new array of a shape with the elements `element(ks)`; a number where the shape is empty."""
    if not shape:
        return element(())
    outer, made = s.b, []

    def body(ks):
        value = element(ks)
        var = Var(name, Array(value.type.dtype, len(shape)))
        made.append(var)
        store(s, element_at(s, whole_of(var, shape), ks), value)

    position = len(outer.statements)
    nest(s, shape, body)
    let = Let(made[0], ops.EMPTY, tuple(s.canonical(n) for n in shape), s.loc)
    outer.statements.insert(position, let)
    s.facts.definitions[made[0]] = let
    s.homes[made[0]] = outer.depth
    s.facts.shapes[made[0]] = shape
    return whole(s, made[0])


def whole_of_new(s, shape: tuple[Value, ...], dtype: np.dtype, name: str = "t") -> View:
    """A new array of a shape that is known to have no negative length."""
    var = s.b.let(ops.EMPTY, shape, Array(dtype, len(shape)), name)
    s.facts.shapes[var] = shape
    return whole(s, var)


def whole_of(base: Var, shape: tuple[Value, ...]) -> View:
    """All of an array of a shape."""
    return View(base, tuple(Span(integer(0), integer(1), n, True) for n in shape))


def fill(s, view: View, value: Value) -> None:
    """view[...] = a number."""
    check_writable(s, view)
    nest(s, view.shape, lambda ks: store(s, element_at(s, view, ks), value))


def assign(s, target: View, source: View) -> None:
    """target[...] = source, as if the source were copied first."""
    check_writable(s, target)
    source = broadcast_to(s, source, target.shape)
    if s.may_overlap(target, source):
        source = copy(s, source)
    nest(s, target.shape, lambda ks: store(s, element_at(s, target, ks), load(s, element_at(s, source, ks))))


def update(s, target: View, operator, value: object) -> None:
    """target[...] op= a number or an array."""
    check_writable(s, target)
    need_same_kind(s, target, operator, value)
    if isinstance(value, View):
        value = broadcast_to(s, value, target.shape)
        if s.may_overlap(target, value) and value != target:
            value = copy(s, value)

    def body(ks):
        operand = value if is_number(value) else load(s, element_at(s, value, ks))
        s.update_element(element_at(s, target, ks), operator, operand)

    nest(s, target.shape, body)


def need_same_kind(s, target: View, operator, value: object) -> None:
    """NumPy updates no array of integers with floats: it would have to round what it stores."""
    operand = value.type if is_number(value) else value.element
    with s.nested():  # its statements are dropped
        result = apply_function(s.b, operator, [Var("x", target.element), Var("y", operand)], True).type
    if not np.can_cast(result.dtype, target.dtype, "same_kind"):
        raise DtypeError(
            f"cannot update an array of {target.dtype} in place: the result is of {result.dtype}",
            s.loc,
            why="NumPy refuses it, too: storing it would change its kind",
            help="make a new array, x = x + ..., or one of another dtype at first",
        )


# -- broadcasting ----------------------------------------------------------------------------------------------------


def broadcast_to(s, view: View, shape: tuple[Value, ...]) -> View:
    """The view repeated to a shape, by NumPy's rules."""
    if view.ndim > len(shape):
        raise ShapeError(
            f"an array of {view.ndim} dimensions does not fit one of {len(shape)}", s.loc, help="index or sum an axis"
        )
    missing = len(shape) - view.ndim
    order: list[int | Repeated] = [Repeated(n) for n in shape[:missing]]
    axes = list(view.axes)
    for own, wanted in zip(view.own_axes, shape[missing:], strict=True):
        axis = axes[own] if isinstance(own, int) else own
        if _is_one(axis.length) and not _is_one(wanted):
            if isinstance(own, int):
                axes[own] = Fixed(axis.start)
            order.append(Repeated(wanted))
            continue
        if not agree(s, axis.length, wanted):
            is_one = s.b.apply(ops.EQ, axis.length, integer(1))
            if wanted not in s.stretched:
                _check_lengths(s, axis.length, wanted, is_one)
            if isinstance(own, int):
                axes[own] = Span(axis.start, s.b.select(is_one, integer(0), axis.step), wanted)
            elif isinstance(own, Window):
                own = Window(wanted, own.axis, s.b.select(is_one, integer(0), own.step))
            else:
                own = Repeated(wanted)
        order.append(own)
    return view.ordered(tuple(order), tuple(axes))


def broadcast_shape(s, shapes: list[tuple[Value, ...]]) -> tuple[Value, ...]:
    """The shape that arrays of these shapes have together."""
    found: list[Value] = []
    for position in range(max(map(len, shapes), default=0), 0, -1):
        lengths = [shape[-position] for shape in shapes if len(shape) >= position]
        long = [n for n in lengths if not _is_one(n)]
        together = long[0] if long else integer(1)
        for n in long[1:]:
            if not agree(s, together, n):
                first_is_one, other_is_one = (s.b.apply(ops.EQ, v, integer(1)) for v in (together, n))
                _check_lengths(s, together, n, s.b.apply(ops.OR, first_is_one, other_is_one))
                together = s.b.select(first_is_one, n, together)
                s.stretched.add(together)
        found.append(s.canonical(together))
    return tuple(found)


def agree(s, a: Value, b: Value) -> bool:
    """Whether two axes that meet have one length; if not, one of them may have length 1 when the code runs.

    They are taken to agree, and the code tests it, until a call has failed that test.
    """
    gap = s.facts.affine(a) - s.facts.affine(b)
    if not gap.terms and gap.constant and not isinstance(a, Const):
        return False  # the shorter one may still have length 1
    if not gap.terms or s.is_guarded(a, b):
        same_length(s, a, b)
        return True
    if a in s.stretched or b in s.stretched or s.is_known_to_differ(a, b):
        return False
    key = f"the lengths of arrays that meet at {s.loc}, column {s.loc.column}, differ"
    if s.lengths is not None and key in s.lengths.refused:
        return False
    s.tests_lengths = True
    s.check(s.b.apply(ops.EQ, a, b), MeetingLengthsError, key)
    s.facts.take_as_zero(gap, lambda symbol: s.homes.get(symbol, 0))
    return True


def _check_lengths(s, a: Value, b: Value, is_one: Value) -> None:
    """Test that two axes which meet have one length, or that one of them is repeated."""
    gap = s.facts.affine(a) - s.facts.affine(b)
    known = not gap.terms and gap.constant
    equal = constant(False) if known else s.b.apply(ops.EQ, a, b)
    s.check(s.b.apply(ops.OR, equal, is_one), ShapeError, _differ_by(gap) if known else DIFFERENT_LENGTHS)


DIFFERENT_LENGTHS = "the lengths of arrays that meet here differ"


def _differ_by(gap: Affine) -> str:
    return f"axes whose lengths differ by {abs(gap.constant)} do not fit each other"


def same_length(s, a: Value, b: Value) -> None:
    """Two axes that meet have one length, or the user's ShapeError."""
    gap = s.facts.affine(a) - s.facts.affine(b)
    if not gap.terms and not gap.constant:
        return
    if not gap.terms and s.guards and s.guard(ops.EQ, s.facts.affine(a), s.facts.affine(b)):
        return  # an axis of length 1 met two lengths: what was assumed cannot hold
    if not gap.terms:
        known = isinstance(a, Const) and isinstance(b, Const)
        what = f"axes of lengths {a.value} and {b.value} do not fit each other" if known else _differ_by(gap)
        raise ShapeError(what, s.loc)
    at_entry = s.guard(ops.EQ, s.facts.affine(a), s.facts.affine(b))
    if not at_entry:
        s.check(s.b.apply(ops.EQ, a, b), ShapeError, DIFFERENT_LENGTHS)
    s.facts.take_as_zero(gap, lambda symbol: s.homes.get(symbol, 0), 0 if at_entry else -1)


def taken_as_equal(s, a: Value, b: Value) -> bool:
    """Whether two lengths are equal, if need be by a test at entry: a loop's array keeps its shape."""
    gap = s.facts.affine(a) - s.facts.affine(b)
    if not gap.terms:
        return not gap.constant
    signs = sorted(c for _, c in gap.terms)
    one_or_two = signs == [-1, 1] and not gap.constant or signs in ([-1], [1]) and gap.constant * signs[0] < 0
    if one_or_two and s.guard(ops.EQ, s.facts.affine(a), s.facts.affine(b)):
        same_length(s, a, b)
        return True
    return False


def _is_one(length: Value) -> bool:
    return isinstance(length, Const) and length.value == 1


# -- creation --------------------------------------------------------------------------------------------------------


def allocate(s, shape: tuple[Value, ...], dtype: np.dtype, op: ops.Op = ops.EMPTY, name: str = "") -> View:
    """A new array."""
    if not 1 <= len(shape) <= 8:
        raise UnsupportedError(f"arrays with {len(shape)} dimensions are not supported", s.loc, help="use 1 to 4")
    if not is_supported(dtype):
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
    new = allocate(s, view.shape, view.dtype, ops.EMPTY, name)
    nest(s, view.shape, lambda ks: store(s, element_at(s, new, ks), load(s, element_at(s, view, ks))))
    return new
