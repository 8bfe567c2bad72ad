"""The same elements in other shapes: views where NumPy gives views, new arrays where it copies."""

import operator
from dataclasses import replace

import numpy as np

from zygopy.errors import DtypeError, ShapeError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.reading import arrays
from zygopy.transform.reading.maybe_views import MaybeView
from zygopy.transform.reading.memory_order import is_loose
from zygopy.transform.reading.values import Range, Repeated, View, describe, is_number
from zygopy.transform.types import INT, Array, Scalar, promote


def ravel(s, view: View) -> View:
    """The elements in C order as one axis; a view where the array is contiguous."""
    size: Value = integer(1)
    for n in view.shape:
        size = s.b.mul(size, n)
    return reshape(s, view, (s.canonical(size),))


def reshape(s, view: View, shape: tuple[Value, ...]) -> View:
    """The elements in C order in a shape of as many; a view where the array is contiguous."""
    base, copied = _contiguous(s, view)
    if copied and (same := _with_other_ones(s, view, shape)) is not None:
        return same
    base = arrays.copy(s, replace(view, frozen=False)).base if copied else base
    var = s.b.let(ops.RESHAPE, (base, *shape), Array(view.dtype, len(shape), "C", base.type.writable), "view")
    s.note_view(var, base)
    s.facts.shapes[var] = shape
    if copied:
        s.maybe_views.append(MaybeView(base, var, view.base, s.loc))
    return replace(arrays.whole(s, var), frozen=view.frozen)


def contiguous(s, view: View) -> View:
    """np.ascontiguousarray: the array itself where it is contiguous, and a copy where it is not."""
    base, copied = _contiguous(s, view)
    if not copied:
        return view
    new = arrays.copy(s, view)
    s.maybe_views.append(MaybeView(new.base, new.base, base, s.loc))
    return new


def _contiguous(s, view: View) -> tuple[Var, bool]:
    """The array of a view, and whether NumPy may have to copy it for its elements to lie in C order."""
    view = view if view.ndim else view.ordered((Repeated(integer(1)),))
    base = arrays.materialise(s, replace(view, frozen=False))
    return base, base.type.layout != "C" or is_loose(s, base)


def note_view(s, copy: View | Value, source: View) -> View | Value:
    """A copy of elements that NumPy would give as a view of their array."""
    if isinstance(copy, View):
        s.maybe_views.append(MaybeView(copy.base, copy.base, source.base, s.loc, for_sure=True))
    return copy


def _with_other_ones(s, view: View, shape: tuple[Value, ...]) -> View | None:
    """The view in a shape that differs in axes of length 1 only; None if it differs in others."""
    ones = [k for k, n in enumerate(view.shape) if n == integer(1)]
    rest = arrays.without_axes(view, tuple(ones))
    wanted = [n for n in shape if n != integer(1)]
    if [*map(s.facts.affine, wanted)] != [*map(s.facts.affine, rest.shape)]:
        return None
    own = iter(rest.own_axes)
    return rest.ordered(tuple(Repeated(n) if n == integer(1) else next(own) for n in shape))


def as_array(s, items: tuple) -> View:
    """np.array of numbers, arrays and tuples of them, nested."""
    if not items:
        return arrays.allocate(s, (integer(0),), np.dtype(np.float64), name="t")
    items = tuple(as_array(s, item) if isinstance(item, tuple) else item for item in items)
    for item in items:
        if not (is_number(item) or isinstance(item, View)):
            raise DtypeError(f"an array cannot hold {describe(item)}", s.loc)
    dtype = promote(*(i.element if isinstance(i, View) else Scalar(i.type.dtype) for i in items)).dtype
    shape = items[0].shape if isinstance(items[0], View) else ()
    new = arrays.allocate(s, (integer(len(items)), *shape), dtype, name="t")
    for k, item in enumerate(items):
        place = arrays.item(s, new, integer(k))
        if isinstance(item, View):
            arrays.assign(s, place, item)
        else:
            arrays.store(s, place, item)
    return new


def reshaped(s, view: View, shape: tuple[Value, ...]) -> View | Value:
    """`reshape` to a shape in which one length may be -1."""
    size: Value = integer(1)
    for n in view.shape:
        size = s.b.mul(size, n)
    known: Value = integer(1)
    open_axes = [k for k, n in enumerate(shape) if isinstance(n, Const) and n.value == -1]
    for k, n in enumerate(shape):
        known = known if k in open_axes else s.b.mul(known, n)
    if len(open_axes) > 1:
        raise ShapeError("only one length of a shape may be -1", s.loc)
    if open_axes:
        if not s.facts.never_negative(s.facts.affine(known).shift(-1)):
            s.check(s.b.apply(ops.NE, known, integer(0)), ShapeError, "-1 in a shape beside 0 may be any length")
        found = size if known == integer(1) else s.b.apply(ops.FLOORDIV, size, known)
        shape = tuple(found if k in open_axes else n for k, n in enumerate(shape))
        known = s.b.mul(known, found)
    if s.facts.affine(known) != s.facts.affine(size):
        s.check(s.b.apply(ops.EQ, known, size), ShapeError, "the array does not have as many elements as that shape")
    if not shape:
        return arrays.load(s, arrays.without_axes(reshape(s, view, (integer(1),)), (0,)))
    return reshape(s, view, tuple(s.canonical(n) for n in shape))


def arange(s, start: Value, stop: Value, step: Value, dtype: np.dtype | None) -> View:
    """np.arange; its number of elements is that of the formula ceil((stop - start) / step)."""
    type_ = promote(start.type, stop.type, step.type)
    element = Scalar(dtype if dtype is not None else type_.dtype)
    if type_.is_float:
        span = apply_function(s.b, operator.sub, [stop, start], False)
        steps = apply_function(s.b, np.ceil, [apply_function(s.b, operator.truediv, [span, step], False)], True)
        n = s.b.apply(ops.INT_MAX, s.b.cast(steps, INT), integer(0))
    else:
        from zygopy.transform.reading.iteration import trip_count

        n = trip_count(s, Range(start, stop, step))

    def at(ks):
        k = s.b.cast(ks[0], element) if element.is_float else ks[0]
        step_by, first = s.b.cast(step, element), s.b.cast(start, element)
        return s.b.cast(s.b.apply(ops.ADD, first, s.b.apply(ops.MUL, k, step_by)), element)

    if isinstance(step, Const) and step.value == 1 and isinstance(start, Const) and start.value == 0:
        return arrays.build(s, (n,), lambda ks: s.b.cast(ks[0], element))
    return arrays.build(s, (n,), at)


def eye(s, n: Value, m: Value, dtype: np.dtype, offset: Value) -> View:
    type_ = Scalar(dtype)
    one, zero = constant(dtype.type(1), type_), constant(dtype.type(0), type_)
    return arrays.build(s, (n, m), lambda ks: s.b.select(s.b.apply(ops.EQ, s.b.add(ks[0], offset), ks[1]), one, zero))
