"""NumPy's functions and the methods of arrays: what a call of each becomes."""

import operator

import numpy as np

from zygopy.errors import ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Value
from zygopy.transform.library import elementwise, joining, reductions, shaping
from zygopy.transform.reading import arrays, indexing
from zygopy.transform.reading.calls import call, dtype_of
from zygopy.transform.reading.expressions import as_index
from zygopy.transform.reading.handlers import builtin, method
from zygopy.transform.reading.values import Static, View, is_number
from zygopy.transform.types import Scalar, promote, real

# -- creation --------------------------------------------------------------------------------------------------------


def _shape(s, shape: object) -> tuple[Value, ...]:
    return tuple(shape) if isinstance(shape, tuple) else (shape,)


@builtin(np.zeros)
def zeros(s, shape, dtype=None):
    return arrays.allocate(s, _shape(s, shape), dtype_of(s, dtype), ops.ZEROS)


@builtin(np.empty)
def empty(s, shape, dtype=None):
    return arrays.allocate(s, _shape(s, shape), dtype_of(s, dtype), ops.EMPTY)


@builtin(np.ones)
def ones(s, shape, dtype=None):
    return _filled(s, _shape(s, shape), dtype_of(s, dtype), constant(1.0))


@builtin(np.full)
def full(s, shape, fill_value, dtype=None):
    value = fill_value if is_number(fill_value) else reductions.need_array(s, fill_value)
    own = value.type.dtype if is_number(value) else value.dtype
    return _filled(s, _shape(s, shape), dtype_of(s, dtype, own), value)


def _filled(s, shape: tuple, dtype: np.dtype, value: View | Value) -> View:
    view = arrays.allocate(s, shape, dtype)
    if isinstance(value, View):
        arrays.assign(s, view, value)
    else:
        arrays.fill(s, view, _to_element(s, value, dtype))
    return view


def _to_element(s, value: Value, dtype: np.dtype) -> Value:
    return s.b.cast(value, Scalar(dtype)) if value.type.dtype != dtype else value


@builtin(np.zeros_like)
def zeros_like(s, a: View, dtype=None):
    return arrays.allocate(s, a.shape, dtype_of(s, dtype, a.dtype), ops.ZEROS)


@builtin(np.empty_like)
def empty_like(s, a: View, dtype=None):
    return arrays.allocate(s, a.shape, dtype_of(s, dtype, a.dtype), ops.EMPTY)


@builtin(np.ones_like)
def ones_like(s, a: View, dtype=None):
    return _filled(s, a.shape, dtype_of(s, dtype, a.dtype), constant(1.0))


@builtin(np.full_like)
def full_like(s, a: View, fill_value, dtype=None):
    value = fill_value if is_number(fill_value) else reductions.need_array(s, fill_value)
    return _filled(s, a.shape, dtype_of(s, dtype, a.dtype), value)


@builtin(np.where)
def where(s, condition, x=None, y=None):
    if x is None and y is None:
        return indexing.nonzero(s, condition)
    return elementwise.where(s, condition, x, y)


@builtin(np.select, of_objects=True)
def select(s, condlist, choicelist, default=None):
    from zygopy.transform.reading.expressions import items_of

    conditions, choices = items_of(s, condlist), items_of(s, choicelist)
    if not conditions or len(conditions) != len(choices):
        raise ShapeError("np.select needs as many choices as conditions, and some", s.loc)
    found = integer(0) if default is None else default
    for condition, choice in zip(conditions[::-1], choices[::-1], strict=True):
        found = elementwise.where(s, condition, choice, found)
    return found


@builtin(np.clip)
def clip(s, a, a_min=None, a_max=None, min=None, max=None):
    low, high = (new if is_none(old) else old for old, new in ((a_min, min), (a_max, max)))
    return elementwise.clip(s, a, None if is_none(low) else low, None if is_none(high) else high)


@method("clip")
def clipped(s, a, min=None, max=None):
    return clip(s, a, min, max)


@method("round")
def round_(s, view, decimals=None):
    return elementwise.apply(s, np.round, [view] if decimals is None else [view, decimals])


@method("astype")
def astype(s, view, dtype, copy=None):
    wanted = dtype_of(s, dtype)
    if copy is not None and not reductions.flag(s, copy, "copy") and view.dtype == wanted:
        return view
    return elementwise.cast(s, view, wanted)


for _part, _name in ((np.real, "real"), (np.imag, "imag")):

    @builtin(_part)
    def part(s, val, _part=_part, _name=_name):
        if is_number(val):
            return apply_function(s.b, _part, [val], True)
        return elementwise.part(s, reductions.need_array(s, val), _name)


for _name in ("conj", "conjugate"):

    @method(_name)
    def conjugate(s, view):
        return elementwise.apply(s, np.conjugate, [view]) if view.element.is_complex else view  # as NumPy does


@builtin(np.copy)
@method("copy")
def copy(s, a: View):
    return arrays.copy(s, a) if a.ndim else arrays.load(s, a)


@method("fill")
def fill(s, view, value):
    arrays.fill(s, view, value)
    return Static(None)


@method("item")
def item(s, view, *index):
    from zygopy.transform.reading.expressions import at

    if len(index) == 1 != view.ndim:
        view = shaping.ravel(s, view)
    if len(index) != view.ndim:
        raise UnsupportedError("item() needs one index, or one for each dimension", s.loc)
    kinds = {"b": bool, "i": int, "u": int, "f": float, "c": complex}
    return call(s, Static(kinds[view.dtype.kind]), [at(s, view, index)], {})  # a number of Python


@builtin(np.shape)
def shape(s, a: View):
    return a.shape


@builtin(np.ndim)
def ndim(s, a: View):
    return integer(a.ndim)


@builtin(np.finfo)
def finfo(s, dtype):
    return Static(np.finfo(dtype_of(s, dtype)))


@builtin(np.iinfo)
def iinfo(s, type):
    return Static(np.iinfo(dtype_of(s, type)))


@builtin(np.result_type)
def result_type(s, *arrays_and_dtypes):
    def type_of(x: object) -> Scalar:
        if isinstance(x, View):
            return x.element
        return x.type if is_number(x) else Scalar(dtype_of(s, x))

    return Static(promote(*map(type_of, arrays_and_dtypes)).dtype)


@builtin(np.size)
def size(s, a: View):
    total = integer(1)
    for n in a.shape:
        total = s.b.mul(total, n)
    return total


# -- reductions ------------------------------------------------------------------------------------------------------


def optional_dtype(s, dtype: object) -> np.dtype | None:
    """The dtype that a keyword names; None where it is left out."""
    return None if is_none(dtype) else dtype_of(s, dtype)


def is_none(value: object) -> bool:
    return value is None or (isinstance(value, Static) and value.value is None)


def _chosen(s, a: View, where: object, other: object) -> View:
    """The array with `other` in place of the elements that `where` leaves out."""
    if where is None:
        return a
    test = arrays.broadcast_to(s, reductions.need_array(s, where), a.shape)
    return elementwise.where(s, test, a, s.b.cast(constant(other), a.element))


def _after(s, initial: object, found: View | Value, function) -> View | Value:
    """What a reduction gives that starts from `initial`."""
    if initial is None:
        return found
    type_ = found.element if isinstance(found, View) else found.type
    return elementwise.combine(s, [s.b.cast(initial, type_), found], lambda v: apply_function(s.b, function, v, True))


@builtin(np.sum)
@method("sum")
def sum_(s, a: View, axis=None, dtype=None, keepdims=None, initial=None, where=None):
    found = reductions.sum_(s, _chosen(s, a, where, 0), axis, keepdims, dtype=optional_dtype(s, dtype))
    return _after(s, initial, found, operator.add)


@builtin(np.mean)
@method("mean")
def mean(s, a: View, axis=None, dtype=None, keepdims=None, where=None):
    wanted = optional_dtype(s, dtype)
    if where is None:
        return reductions.mean(s, a, axis, keepdims, wanted)
    type_ = Scalar(wanted) if wanted is not None else a.element if a.element.is_inexact else Scalar(np.dtype(float))
    total = reductions.sum_(s, _chosen(s, a, where, 0), axis, keepdims, dtype=type_.dtype)
    test = arrays.broadcast_to(s, reductions.need_array(s, where), a.shape)
    n = reductions.sum_(s, test, axis, keepdims, dtype=real(type_).dtype)
    return elementwise.combine(s, [total, n], lambda v: apply_function(s.b, operator.truediv, v, True))


@builtin(np.var)
@method("var")
def var(s, a: View, axis=None, ddof=None, keepdims=None, correction=None):
    return reductions.var(s, a, axis, ddof if correction is None else correction, keepdims)


@builtin(np.std)
@method("std")
def std(s, a: View, axis=None, ddof=None, keepdims=None, correction=None):
    return reductions.std(s, a, axis, ddof if correction is None else correction, keepdims)


@builtin(np.prod)
@method("prod")
def prod(s, a: View, axis=None, dtype=None, keepdims=None, initial=None, where=None):
    found = reductions.product(s, _chosen(s, a, where, 1), axis, keepdims, optional_dtype(s, dtype))
    return _after(s, initial, found, operator.mul)


@builtin(np.max, np.amax)
@method("max")
def max_(s, a: View, axis=None, keepdims=None, initial=None, where=None):
    return reductions.extremum(s, _before(s, a, axis, initial, where), axis, keepdims, ops.MAXIMUM)


@builtin(np.min, np.amin)
@method("min")
def min_(s, a: View, axis=None, keepdims=None, initial=None, where=None):
    return reductions.extremum(s, _before(s, a, axis, initial, where), axis, keepdims, ops.MINIMUM)


def _before(s, a: View, axis: object, initial: object, where: object) -> View:
    """The array behind `initial` along each reduced axis, and with it in place of what `where` leaves out."""
    if initial is None:
        if where is not None:
            raise UnsupportedError("where= needs initial=, too", s.loc, help="name the value for none chosen")
        return a
    first = s.b.cast(initial, a.element)
    if where is not None:
        a = elementwise.where(s, arrays.broadcast_to(s, reductions.need_array(s, where), a.shape), a, first)
    axes = reductions.axes_of(s, axis, a.ndim)
    widths = [(integer(int(k in axes)), integer(0)) for k in range(a.ndim)]
    return joining.pad(s, a, widths, "constant", [(first, first)] * a.ndim)


@builtin(np.argmax)
@method("argmax")
def argmax(s, a, axis=None, keepdims=None):
    return reductions.position(s, a, axis, keepdims, ops.MAXIMUM)


@builtin(np.argmin)
@method("argmin")
def argmin(s, a, axis=None, keepdims=None):
    return reductions.position(s, a, axis, keepdims, ops.MINIMUM)


@builtin(np.all)
@method("all")
def all_(s, a, axis=None, keepdims=None):
    return reductions.truth(s, a, axis, keepdims, True)


@builtin(np.any)
@method("any")
def any_(s, a, axis=None, keepdims=None):
    return reductions.truth(s, a, axis, keepdims, False)


@builtin(np.cumsum)
@method("cumsum")
def cumsum(s, a, axis=None, dtype=None):
    return reductions.cumulative(s, a, axis, ops.ADD, optional_dtype(s, dtype))


@builtin(np.cumprod)
@method("cumprod")
def cumprod(s, a, axis=None, dtype=None):
    return reductions.cumulative(s, a, axis, ops.MUL, optional_dtype(s, dtype))


# -- indices ---------------------------------------------------------------------------------------------------------


@builtin(np.nonzero)
def nonzero(s, a: View):
    return indexing.nonzero(s, a)


for _at, _operator in ((np.add.at, operator.add), (np.subtract.at, operator.sub), (np.multiply.at, operator.mul)):

    @builtin(_at, of_objects=True)
    def ufunc_at(s, a, indices, b, _operator=_operator):
        items = indices if isinstance(indices, tuple) else (indices,)
        indexing.accumulate(s, a, tuple(as_index(s, item) for item in items), _operator, s.opened(b))
        return Static(None)


# -- sequences and shapes --------------------------------------------------------------------------------------------


@builtin(np.arange)
def arange(s, start, stop=None, step=None, dtype=None):
    if is_none(stop):
        start, stop = integer(0), start
    step = integer(1) if is_none(step) else step
    return shaping.arange(s, start, stop, step, optional_dtype(s, dtype))


@builtin(np.eye)
def eye(s, N, M=None, k=None, dtype=None):
    offset = integer(0) if k is None else k
    return shaping.eye(s, N, N if is_none(M) else M, dtype_of(s, dtype), offset)


@builtin(np.identity)
def identity(s, n, dtype=None):
    return shaping.eye(s, n, n, dtype_of(s, dtype), integer(0))


@builtin(np.array)
def array(s, object, dtype=None):
    wanted = optional_dtype(s, dtype)
    if is_number(object):
        return s.b.cast(object, Scalar(object.type.dtype if wanted is None else wanted))
    given = reductions.need_array(s, object)
    made = given if isinstance(object, tuple) else arrays.copy(s, given)
    return made if wanted is None or made.dtype == wanted else elementwise.cast(s, made, wanted)


@builtin(np.transpose)
def transpose(s, a, axes=None):
    return transposed(s, reductions.need_array(s, a), *(() if is_none(axes) else (axes,)))


@method("transpose")
def transposed(s, a, *axes):
    if len(axes) == 1 and (is_none(axes[0]) or isinstance(axes[0], tuple)):
        axes = axes[0] if isinstance(axes[0], tuple) else ()
    order = [reductions.axis_of(s, k, a.ndim) for k in axes] or list(reversed(range(a.ndim)))
    if sorted(order) != list(range(a.ndim)):
        raise ShapeError(f"a transposition names each of the {a.ndim} axes once", s.loc)
    return a.ordered(tuple(a.own_axes[k] for k in order))


@builtin(np.reshape)
def reshape(s, a, shape, order=None):
    return reshaped(s, reductions.need_array(s, a), shape, order=order)


@method("reshape")
def reshaped(s, a, *shape, order=None):
    shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    if not _is_by_columns(s, order):
        return shaping.reshaped(s, a, shape)
    found = shaping.reshaped(s, transposed(s, a), shape[::-1])
    return transposed(s, found) if isinstance(found, View) else found


def _is_by_columns(s, order: Static | None) -> bool:
    """Whether the order of elements is Fortran's."""
    name = "C" if order is None else order.value
    if name not in ("C", "F"):
        raise UnsupportedError(f"the order {name!r} is not supported", s.loc, help='use order="C" or order="F"')
    return name == "F"


@builtin(np.ravel)
@method("ravel")
def ravel(s, a, order=None):
    a = reductions.need_array(s, a)
    return shaping.ravel(s, transposed(s, a) if _is_by_columns(s, order) else a)


@method("flatten")
def flatten(s, a, order=None):
    return shaping.ravel(s, arrays.copy(s, transposed(s, a) if _is_by_columns(s, order) else a))
