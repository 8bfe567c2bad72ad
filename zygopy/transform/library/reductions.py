"""Reductions: sums, extrema, cumulative sums and the like, over all axes or some, as loop nests.

s = np.sum(x, axis=1)        for i: total = 0.0
                                 for j: total += x[i, j]
                                 s[i] = total

Sums may be added in any order (`ops.SUM`); the derivative of a maximum goes to the first element that has it.
"""

import operator
from collections.abc import Callable

import numpy as np

from zygopy.errors import DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.library import elementwise
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import Repeated, Static, View, describe, is_number
from zygopy.transform.types import BOOL_, FLOAT64, INT, INT64, Scalar, real

# -- axes ------------------------------------------------------------------------------------------------------------


def axes_of(s, axis: object, ndim: int) -> tuple[int, ...]:
    """The axes that an `axis` argument means: all for None; negative ones count from the end."""
    if axis is None or (isinstance(axis, Static) and axis.value is None):
        return tuple(range(ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    found = [axis_of(s, a, ndim) for a in given]
    if len(set(found)) != len(found):
        raise ShapeError("an axis is named twice", s.loc)
    return tuple(sorted(found))


def axis_of(s, axis: object, ndim: int) -> int:
    """One axis as a number from 0 to ndim - 1."""
    if not (isinstance(axis, Const) and axis.type.is_integer):
        raise UnsupportedError(
            f"an axis must be an int known at compile time, not {describe(axis)}", s.loc, help="write the number"
        )
    if not -ndim <= axis.value < ndim:
        raise ShapeError(f"axis {axis.value} is out of bounds for an array of dimension {ndim}", s.loc)
    return int(axis.value) % ndim


def flag(s, value: object, what: str) -> bool:
    """A keyword such as keepdims, which must be known at compile time."""
    if value is None:
        return False
    if isinstance(value, Const):
        return bool(value.value)
    raise UnsupportedError(f"{what} must be known at compile time", s.loc, help="write True or False")


def count(s, view: View, axes: tuple[int, ...]) -> Value:
    """How many elements each result is made of."""
    total: Value = integer(1)
    for k in axes:
        total = s.b.mul(total, view.shape[k])
    return total


def kept_axes(view: View, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(k for k in range(view.ndim) if k not in axes)


def with_kept_dims(view: View | Value, axes: tuple[int, ...], ndim: int) -> View | Value:
    """A reduced array with an axis of length 1 in place of each reduced one."""
    if not isinstance(view, View):
        return view
    own = iter(view.own_axes)
    return view.ordered(tuple(Repeated(integer(1)) if k in axes else next(own) for k in range(ndim)))


# -- folding ---------------------------------------------------------------------------------------------------------

Trip = Callable[[tuple[Value, ...], tuple[Value, ...]], tuple[Value, ...]]


def reduced(s, view: View, axis: object, keepdims: object, element: Callable, name: str = "t") -> View | Value:
    """An array whose elements are `element(lengths, at)` of the elements along the reduced axes.

    `at(ks)` gives the view of one element of them.
    """
    view = need_array(s, view)
    axes = axes_of(s, axis, view.ndim)
    kept = kept_axes(view, axes)
    lengths = tuple(view.shape[k] for k in axes)

    def of(kept_ks: tuple[Value, ...]) -> Value:
        def at(ks: tuple[Value, ...]) -> View:
            by_axis = dict(zip(kept, kept_ks, strict=True)) | dict(zip(axes, ks, strict=True))
            return arrays.element_at(s, view, tuple(by_axis[k] for k in range(view.ndim)))

        return element(lengths, at)

    result = arrays.build(s, tuple(view.shape[k] for k in kept), of, name)
    if not flag(s, keepdims, "keepdims"):
        return result
    if not isinstance(result, View):  # of shape (1, 1, ...)
        result = arrays.build(s, (integer(1),), lambda ks, value=result: value)
        return result.ordered((*result.own_axes, *(Repeated(integer(1)) for _ in range(view.ndim - 1))))
    return with_kept_dims(result, axes, view.ndim)


def need_array(s, value: object) -> View:
    """The array that a reduction is of; a number is one of no axes, a tuple of numbers or arrays is stacked."""
    if isinstance(value, View):
        return value
    if is_number(value):
        return arrays.without_axes(arrays.build(s, (integer(1),), lambda ks: value), (0,))
    if isinstance(value, tuple):
        from zygopy.transform.library.shaping import as_array

        return as_array(s, value)
    raise DtypeError(f"this needs an array, not {describe(value)}", s.loc)


def sum_type(dtype: np.dtype) -> Scalar:
    """The type of a sum: bools and small integers are summed as int64."""
    return Scalar(INT64 if dtype.kind in "bi" else dtype)


def sum_(s, view: View, axis=None, keepdims=None, term: Callable = lambda v: v, dtype: np.dtype | None = None):
    """The sum of `term` of the elements."""
    view = need_array(s, view)
    axes = axes_of(s, axis, view.ndim)
    type_ = Scalar(dtype) if dtype is not None else None
    if axes and axes[-1] != view.ndim - 1 and len(axes) < view.ndim:
        return _sum_of_rows(s, view, axes, keepdims, term, type_)

    def element(lengths, at):
        return total(s, lengths, lambda ks: term(arrays.load(s, at(ks))), type_)

    return reduced(s, view, axis, keepdims, element)


def total(s, lengths: tuple[Value, ...], term: Callable, type_: Scalar | None = None) -> Value:
    """The sum of term(ks) over all indices of a shape, added in any order."""
    type_ = type_ or _type_of_term(s, lengths, term)

    def trip(ks, totals):
        return (s.b.apply(ops.SUM, totals[0], s.b.cast(term(ks), type_)),)

    return arrays.fold(s, lengths, (constant(type_.dtype.type(0), type_),), trip)[0]


def _type_of_term(s, lengths: tuple[Value, ...], term: Callable) -> Scalar:
    with s.nested():  # its statements are dropped
        ks = tuple(Var("k", INT) for _ in lengths)
        s.facts.ranges.update((k, (integer(0), n, integer(1))) for k, n in zip(ks, lengths, strict=True))
        return sum_type(term(ks).type.dtype)


def _sum_of_rows(s, view: View, axes: tuple[int, ...], keepdims, term: Callable, type_: Scalar | None) -> View:
    """A sum in the order of memory: rows are added to the row of the result."""
    kept = kept_axes(view, axes)
    type_ = type_ or _type_of_term(s, view.shape, lambda ks: term(arrays.load(s, arrays.element_at(s, view, ks))))
    shape = tuple(s.canonical(view.shape[k]) for k in kept)
    result = arrays.build(s, shape, lambda ks: constant(type_.dtype.type(0), type_))

    def add(ks):
        value = s.b.cast(term(arrays.load(s, arrays.element_at(s, view, ks))), type_)
        arrays.store(s, arrays.element_at(s, result, tuple(ks[k] for k in kept)), value, ops.SUM)

    arrays.nest(s, view.shape, add)
    return with_kept_dims(result, axes, view.ndim) if flag(s, keepdims, "keepdims") else result


def mean(s, view: View, axis=None, keepdims=None, dtype: np.dtype | None = None):
    view = need_array(s, view)
    type_ = view.element if view.element.is_inexact else Scalar(FLOAT64)
    type_ = type_ if dtype is None else Scalar(dtype)
    sums = sum_(s, view, axis, keepdims, dtype=type_.dtype)
    n = s.b.cast(count(s, view, axes_of(s, axis, view.ndim)), real(type_))
    return divided(s, sums, n)


def divided(s, a: View | Value, n: Value) -> View | Value:
    """a / n for an array or a number of NumPy's."""
    return elementwise.combine(s, [a, n], lambda v: apply_function(s.b, operator.truediv, v, True))


def var(s, view: View, axis=None, ddof=None, keepdims=None):
    view = need_array(s, view)
    axes = axes_of(s, axis, view.ndim)
    center = mean(s, view, axis, constant(True))
    deviation = elementwise.apply(s, operator.sub, [view, center])
    squares = sum_(s, deviation, axis, keepdims, term=lambda v: squared(s, v))
    n = count(s, view, axes)
    dtype = real(deviation.element).dtype
    weight = s.b.cast(n, Scalar(dtype))
    if ddof is not None:
        weight = apply_function(s.b, operator.sub, [weight, s.b.cast(ddof, Scalar(dtype))], True)
    return divided(s, squares, weight)


def std(s, view: View, axis=None, ddof=None, keepdims=None):
    return elementwise.combine(s, [var(s, view, axis, ddof, keepdims)], lambda v: apply_function(s.b, np.sqrt, v, True))


def squared(s, v: Value) -> Value:
    """|v|**2"""
    if not v.type.is_complex:
        return s.b.apply(ops.MUL, v, v)
    x, y = s.b.apply(ops.REAL, v), s.b.apply(ops.IMAG, v)
    return s.b.apply(ops.ADD, s.b.apply(ops.MUL, x, x), s.b.apply(ops.MUL, y, y))


def product(s, view: View, axis=None, keepdims=None, dtype: np.dtype | None = None):
    view = need_array(s, view)
    type_ = sum_type(view.dtype) if dtype is None else Scalar(dtype)

    def element(lengths, at):
        def trip(ks, values):
            return (s.b.apply(ops.MUL, values[0], s.b.cast(arrays.load(s, at(ks)), type_)),)

        return arrays.fold(s, lengths, (constant(type_.dtype.type(1), type_),), trip, parallel=False)[0]

    return reduced(s, view, axis, keepdims, element)


# -- extrema ---------------------------------------------------------------------------------------------------------


def extremum(s, view: View, axis, keepdims, op: ops.Op):
    """np.max, np.min: nan if there is one."""
    view = need_array(s, view)
    _need_elements(s, view, axes_of(s, axis, view.ndim))

    def element(lengths, at):
        best = _best(s, lengths, at, op)
        if view.dtype.kind != "f":
            return best
        first = arrays.load(s, at(_first_equal(s, lengths, at, best)))
        return s.b.let(ops.GUIDED, (best, first), best.type)

    return reduced(s, view, axis, keepdims, element)


def position(s, view: View, axis, keepdims, op: ops.Op):
    """np.argmax, np.argmin: the first place, in the flattened array where there is no axis."""
    view = need_array(s, view)
    _need_elements(s, view, axes_of(s, axis, view.ndim))

    def element(lengths, at):
        ks = _first_equal(s, lengths, at, _best(s, lengths, at, op))
        place: Value = integer(0)
        for k, n in zip(ks, lengths, strict=True):
            place = s.b.add(s.b.mul(place, n), k)
        return place if isinstance(place, Const) else s.b.cast(place, Scalar(INT64))

    return reduced(s, view, axis, keepdims, element)


def _need_elements(s, view: View, axes: tuple[int, ...]) -> None:
    for k in axes:
        n = view.shape[k]
        if not s.facts.never_negative(s.facts.affine(n).shift(-1)):
            message = "zero-size array to a reduction which has no identity"
            s.check(s.b.apply(ops.GT, n, integer(0)), ValueError, message)
            s.facts.assume(s.facts.affine(n).shift(-1))


def _best(s, lengths: tuple[Value, ...], at: Callable, op: ops.Op) -> Value:
    start = arrays.load(s, at(tuple(integer(0) for _ in lengths)))

    def trip(ks, values):
        return (s.b.apply(op, values[0], arrays.load(s, at(ks))),)

    return arrays.fold(s, lengths, (start,), trip)[0]


def _first_equal(s, lengths: tuple[Value, ...], at: Callable, best: Value) -> tuple[Value, ...]:
    """The indices of the first element that equals `best`, or is nan as it is."""
    if not lengths:
        return ()
    size: Value = integer(1)
    for n in lengths:
        size = s.b.mul(size, n)

    def trip(ks, values):
        value = arrays.load(s, at(ks))
        place: Value = integer(0)
        for k, n in zip(ks, lengths, strict=True):
            place = s.b.add(s.b.mul(place, n), k)
        same = s.b.apply(ops.EQ, value, best)
        if value.type.is_float:
            same = s.b.apply(ops.OR, same, s.b.apply(ops.NE, value, value))
        return (s.b.apply(ops.INT_MIN, values[0], s.b.select(same, place, size)),)

    place = arrays.fold(s, lengths, (size,), trip)[0]
    ks: list[Value] = []
    for n in reversed(lengths[1:]):
        ks.insert(0, s.b.apply(ops.MOD, place, n))
        place = s.b.apply(ops.FLOORDIV, place, n)
    return (place, *ks)


def truth(s, view: View, axis, keepdims, all_: bool):
    """np.all, np.any."""
    op = ops.AND if all_ else ops.OR

    def element(lengths, at):
        def trip(ks, values):
            value = arrays.load(s, at(ks))
            return (s.b.apply(op, values[0], elementwise.holds(s, value)),)

        found = arrays.fold(s, lengths, (constant(all_),), trip)[0]
        return s.b.cast(found, Scalar(BOOL_))

    return reduced(s, view, axis, keepdims, element)


# -- cumulative ------------------------------------------------------------------------------------------------------


def cumulative(s, view: View, axis, op: ops.Op, dtype: np.dtype | None = None) -> View:
    """np.cumsum, np.cumprod along an axis, or of the flattened array."""
    view = need_array(s, view)
    if axis is None or (isinstance(axis, Static) and axis.value is None):
        from zygopy.transform.library.shaping import ravel

        view = view if view.ndim == 1 else ravel(s, view)
        axis = integer(0)
    along = axis_of(s, axis, view.ndim)
    type_ = sum_type(view.dtype) if dtype is None else Scalar(dtype)
    result = arrays.allocate(s, view.shape, type_.dtype, name="t")
    start = constant(type_.dtype.type(0 if op is ops.ADD else 1), type_)

    def line(kept):
        def trip(ks, values):
            place = (*kept[:along], ks[0], *kept[along:])
            value = s.b.apply(op, values[0], s.b.cast(arrays.load(s, arrays.element_at(s, view, place)), type_))
            arrays.store(s, arrays.element_at(s, result, place), value)
            return (value,)

        arrays.fold(s, (view.shape[along],), (start,), trip, parallel=False)

    arrays.nest(s, tuple(n for k, n in enumerate(view.shape) if k != along), line)
    return result
