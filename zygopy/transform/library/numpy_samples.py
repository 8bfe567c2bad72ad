"""NumPy's functions of samples: order statistics, what leaves out nan, interpolation, differences, comparisons."""

import operator

import numpy as np

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Value
from zygopy.transform.library import elementwise, followed, joining, reductions
from zygopy.transform.library.numpy_functions import is_none
from zygopy.transform.library.numpy_shapes import flat
from zygopy.transform.library.reductions import axes_of, axis_of, need_array, with_kept_dims
from zygopy.transform.reading import arrays
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Repeated, Static, View, is_number
from zygopy.transform.types import FLOAT64, Scalar, promote

# -- order statistics ------------------------------------------------------------------------------------------------


@builtin(np.ptp)
def ptp(s, a, axis=None, keepdims=None):
    ends = [reductions.extremum(s, a, axis, keepdims, op) for op in (ops.MAXIMUM, ops.MINIMUM)]
    return elementwise.apply(s, operator.sub, ends)


def _of_sorted(s, a: object, axis: object, keepdims: object, found) -> View | Value:
    """`found` of the array with the reduced axis sorted and in front."""
    a = need_array(s, a)
    if isinstance(axis, tuple):
        raise UnsupportedError("quantiles over several axes are not supported", s.loc, help="reshape the array")
    gone = axes_of(s, axis, a.ndim)
    line, at = (flat(s, a), 0) if is_none(axis) else (a, gone[0])
    line = line if line.element.is_inexact else elementwise.cast(s, line, FLOAT64)
    ordered = joining.taken_along(s, line, joining.argsort(s, line, at), at)
    axes = ordered.own_axes
    result = found(ordered.ordered((axes[at], *axes[:at], *axes[at + 1 :])))
    if not reductions.flag(s, keepdims, "keepdims"):
        return result
    return with_kept_dims(_as_view(s, result, a.ndim), gone, a.ndim)


def _as_view(s, result: View | Value, ndim: int) -> View:
    if isinstance(result, View):
        return result
    one = arrays.build(s, (integer(1),), lambda ks: result)
    return arrays.without_axes(one, (0,))


@builtin(np.median)
def median(s, a, axis=None, keepdims=None):
    return _of_sorted(s, a, axis, keepdims, lambda ordered: s.follow(followed.median, [ordered], {}))


@builtin(np.quantile)
def quantile(s, a, q, axis=None, keepdims=None):
    return _quantiles(s, a, q, axis, keepdims, None)


@builtin(np.percentile)
def percentile(s, a, q, axis=None, keepdims=None):
    return _quantiles(s, a, q, axis, keepdims, constant(100))


def _quantiles(s, a: object, q: object, axis: object, keepdims: object, whole: Value | None):
    a = need_array(s, a)
    if isinstance(q, tuple):
        strong = (s.b.cast(one, Scalar(FLOAT64)) for one in q)  # an array, to NumPy
        return joining.stack(s, tuple(_quantiles(s, a, one, axis, keepdims, whole) for one in strong), 0)
    if not is_number(q):
        raise UnsupportedError("the quantile must be a number or a tuple of them", s.loc, help="loop over the array")
    if q.type.weak and a.element.is_float:
        q = s.b.cast(q, a.element)
    if whole is not None:
        q = apply_function(s.b, operator.truediv, [q, whole], True)
    return _of_sorted(s, a, axis, keepdims, lambda ordered: s.follow(followed.quantile, [ordered, q], {}))


# -- without nan -----------------------------------------------------------------------------------------------------


def _instead_of_nan(s, a: View, number: float) -> View:
    """The elements, and a number in the places of nan."""
    if not a.element.is_float:
        return a
    other = constant(a.dtype.type(number), a.element)
    return elementwise.combine(s, [a], lambda v: s.b.select(s.b.apply(ops.ISNAN, v[0]), other, v[0]))


def _count(s, a: View, axis: object, keepdims: object, dtype: np.dtype) -> View | Value:
    """How many elements are not nan, as floats."""
    type_ = Scalar(dtype)
    one, none = (constant(dtype.type(n), type_) for n in (1, 0))

    def counted(v: list[Value]) -> Value:
        return s.b.select(s.b.apply(ops.EQ, v[0], v[0]), one, none)

    return reductions.sum_(s, elementwise.combine(s, [a], counted), axis, keepdims)


@builtin(np.nansum)
def nansum(s, a, axis=None, keepdims=None):
    return reductions.sum_(s, _instead_of_nan(s, need_array(s, a), 0.0), axis, keepdims)


@builtin(np.nanmean)
def nanmean(s, a, axis=None, keepdims=None):
    a = need_array(s, a)
    dtype = a.dtype if a.element.is_float else FLOAT64
    sums = nansum(s, a, axis, keepdims)
    return elementwise.apply(s, operator.truediv, [sums, _count(s, a, axis, keepdims, dtype)])


def _nan_extremum(op: ops.Op, worst: float):
    def extremum(s, a, axis=None, keepdims=None):
        a = need_array(s, a)
        best = reductions.extremum(s, _instead_of_nan(s, a, worst), axis, keepdims, op)
        if not a.element.is_float:
            return best
        nan = constant(a.dtype.type(np.nan), a.element)

        def known(v: list[Value]) -> Value:
            return s.b.select(s.b.apply(ops.GT, v[1], constant(0)), v[0], nan)

        return elementwise.combine(s, [best, _count(s, a, axis, keepdims, a.dtype)], known)

    return extremum


builtin(np.nanmax)(_nan_extremum(ops.MAXIMUM, -np.inf))
builtin(np.nanmin)(_nan_extremum(ops.MINIMUM, np.inf))

# -- polynomials, interpolation, differences, convolution ------------------------------------------------------------


@builtin(np.polyval)
def polyval(s, p, x):
    p = need_array(s, p)

    def at(v: list[Value]) -> Value:
        type_ = promote(Scalar(v[0].type.dtype), p.element)

        def trip(ks, totals):
            total = s.b.apply(ops.MUL, totals[0], s.b.cast(v[0], type_))
            return (s.b.apply(ops.ADD, total, s.b.cast(arrays.load(s, arrays.element_at(s, p, ks)), type_)),)

        return arrays.fold(s, p.shape, (constant(type_.dtype.type(0), type_),), trip, parallel=False)[0]

    return elementwise.combine(s, [x], at)


def _as_double(s, value: object) -> object:
    """A number or array in float64; None stays."""
    if is_none(value):
        return Static(None)
    if is_number(value):
        return s.b.cast(value, Scalar(FLOAT64))
    value = need_array(s, value)
    return value if value.dtype == FLOAT64 else elementwise.cast(s, value, FLOAT64)


@builtin(np.interp)
def interp(s, x, xp, fp, left=None, right=None):
    return s.follow(followed.interp, [_as_double(s, v) for v in (x, xp, fp, left, right)], {})


@builtin(np.gradient)
def gradient(s, f, *varargs, axis=None):
    f = need_array(s, f)
    f = f if f.element.is_inexact else elementwise.cast(s, f, FLOAT64)
    axes = axes_of(s, axis, f.ndim)
    steps = varargs or (constant(1.0),)
    steps = steps * len(axes) if len(steps) == 1 else steps
    if len(steps) != len(axes):
        raise UnsupportedError("np.gradient needs one step, or one for each axis", s.loc)
    found = tuple(_gradient(s, f, step, k) for step, k in zip(steps, axes, strict=True))
    return found[0] if len(found) == 1 else found


def _gradient(s, f: View, step: object, axis: int) -> View:
    axes = f.own_axes
    front = f.ordered((axes[axis], *axes[:axis], *axes[axis + 1 :]))
    if is_number(step):
        slopes = s.follow(followed.gradient_even, [front, step], {})
    else:
        places = need_array(s, step)
        if places.ndim != 1:
            raise UnsupportedError("np.gradient needs numbers or vectors as steps", s.loc)
        arrays.same_length(s, places.shape[0], f.shape[axis])
        spread = places.ordered((places.own_axes[0], *(Repeated(integer(1)) for _ in range(f.ndim - 1))))
        slopes = s.follow(followed.gradient_uneven, [front, spread], {})
    slopes = slopes if slopes.dtype == f.dtype else elementwise.cast(s, slopes, f.dtype)
    own = slopes.own_axes
    return slopes.ordered((*own[1 : axis + 1], own[0], *own[axis + 1 :]))


@builtin(np.convolve)
def convolve(s, a, v, mode=None):
    name = "full" if mode is None else mode.value if isinstance(mode, Static) else None
    if name not in ("full", "same", "valid"):
        raise UnsupportedError(f"np.convolve in the mode {name!r} is not supported", s.loc)
    views = [joining.at_least(need_array(s, x), 1) for x in (a, v)]
    dtype = promote(*(x.element for x in views)).dtype
    views = [x if x.dtype == dtype else elementwise.cast(s, x, dtype) for x in views]
    return s.follow(followed.convolve, [*views, Static(name)], {})


# -- comparisons -----------------------------------------------------------------------------------------------------


@builtin(np.allclose)
def allclose(s, a, b, rtol=None, atol=None):
    rtol = constant(1e-5) if rtol is None else rtol
    atol = constant(1e-8) if atol is None else atol
    return reductions.truth(s, elementwise.apply(s, np.isclose, [a, b, rtol, atol]), None, None, True)


@builtin(np.array_equal)
def array_equal(s, a1, a2):
    a, b = need_array(s, a1), need_array(s, a2)
    return constant(False) if a.ndim != b.ndim else s.follow(followed.array_equal, [a, b], {})


@builtin(np.isin)
def isin(s, element, test_elements):
    a, tests = need_array(s, element), need_array(s, test_elements)
    tests = flat(s, joining.at_least(tests, 1))
    spread = a.ordered((*a.own_axes, Repeated(integer(1))))
    return reductions.truth(s, elementwise.apply(s, operator.eq, [spread, tests]), integer(-1), None, False)


@builtin(np.iscomplexobj)
def iscomplexobj(s, x):
    if isinstance(x, View):
        return constant(x.element.is_complex)
    return constant(is_number(x) and x.type.is_complex)


# -- axes and products -----------------------------------------------------------------------------------------------


@builtin(np.rollaxis)
def rollaxis(s, a, axis, start=None):
    at = axis_of(s, axis, a.ndim)
    if start is not None and not isinstance(start, Const):
        raise UnsupportedError("start must be known at compile time", s.loc)
    to = 0 if start is None else int(start.value)
    to = to + a.ndim if to < 0 else to
    order = [k for k in range(a.ndim) if k != at]
    order.insert(to - (at < to), at)
    return a.ordered(tuple(a.own_axes[k] for k in order))


@builtin(np.vecdot)
def vecdot(s, x1, x2, axis=None):
    a, b = need_array(s, x1), need_array(s, x2)
    a = elementwise.apply(s, np.conjugate, [a]) if a.element.is_complex else a
    return reductions.sum_(s, elementwise.apply(s, operator.mul, [a, b]), integer(-1) if axis is None else axis)
