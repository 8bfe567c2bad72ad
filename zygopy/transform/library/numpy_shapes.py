"""NumPy's functions that give the elements of arrays other places: what a call of each becomes."""

import operator
from dataclasses import replace

import numpy as np

from zygopy.errors import DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Value
from zygopy.transform.library import elementwise, followed, joining, reductions, shaping
from zygopy.transform.library.numpy_functions import is_none
from zygopy.transform.library.reductions import axis_of, flag, need_array
from zygopy.transform.reading import arrays, indexing
from zygopy.transform.reading.calls import dtype_of
from zygopy.transform.reading.handlers import builtin, method
from zygopy.transform.reading.values import Repeated, Static, View, describe, is_number
from zygopy.transform.types import Scalar


def an_int(s, value: object, default: int, what: str) -> Value:
    """An int argument; `default` where it is left out."""
    if is_none(value):
        return integer(default)
    if is_number(value) and value.type.is_integer:
        return value
    raise UnsupportedError(f"{what} must be an int, not {describe(value)}", s.loc)


def ints(s, value: object, what: str) -> tuple[Value, ...]:
    return tuple(an_int(s, v, 0, what) for v in (value if isinstance(value, tuple) else (value,)))


def known_axis(s, axis: object, ndim: int, default: int) -> int:
    return axis_of(s, integer(default) if is_none(axis) else axis, ndim)


def flat(s, a: View) -> View:
    return a if a.ndim == 1 else shaping.ravel(s, a)


# -- views -----------------------------------------------------------------------------------------------------------


@builtin(np.swapaxes)
@method("swapaxes")
def swapaxes(s, a: View, axis1, axis2):
    own = list(a.own_axes)
    i, j = axis_of(s, axis1, a.ndim), axis_of(s, axis2, a.ndim)
    own[i], own[j] = own[j], own[i]
    return a.ordered(tuple(own))


@builtin(np.moveaxis)
def moveaxis(s, a: View, source, destination):
    sources = [axis_of(s, k, a.ndim) for k in (source if isinstance(source, tuple) else (source,))]
    targets = [axis_of(s, k, a.ndim) for k in (destination if isinstance(destination, tuple) else (destination,))]
    order = [k for k in range(a.ndim) if k not in sources]
    for target, moved in sorted(zip(targets, sources, strict=True)):
        order.insert(target, moved)
    return a.ordered(tuple(a.own_axes[k] for k in order))


@builtin(np.expand_dims)
def expand_dims(s, a: View, axis):
    given = axis if isinstance(axis, tuple) else (axis,)
    ndim = a.ndim + len(given)
    new = {axis_of(s, k, ndim) for k in given}
    own = iter(a.own_axes)
    return a.ordered(tuple(Repeated(integer(1)) if k in new else next(own) for k in range(ndim)))


@builtin(np.squeeze)
@method("squeeze")
def squeeze(s, a: View, axis=None):
    if is_none(axis):
        gone = tuple(k for k, n in enumerate(a.shape) if isinstance(n, Const) and n.value == 1)
        for k, n in enumerate(a.shape):
            if k not in gone:
                test = s.b.apply(ops.NE, n, integer(1))
                s.check(test, ShapeError, "np.squeeze of an axis that happens to have length 1: name the axis")
    else:
        gone = reductions.axes_of(s, axis, a.ndim)
        for k in gone:
            arrays.same_length(s, a.shape[k], integer(1))
    view = arrays.without_axes(a, gone)
    return view if view.ndim else arrays.load(s, view)


@builtin(np.broadcast_to)
def broadcast_to(s, a, shape):
    return replace(arrays.broadcast_to(s, need_array(s, a), ints(s, shape, "a shape")), read_only=True)


@builtin(np.broadcast_arrays)
def broadcast_arrays(s, *items):
    views = [need_array(s, item) for item in items]
    shape = arrays.broadcast_shape(s, [v.shape for v in views])
    return tuple(replace(arrays.broadcast_to(s, v, shape), read_only=True) for v in views)


def _flipped(s, a: View, axes: tuple[int, ...]) -> View:
    if any(k >= a.ndim for k in axes):
        raise ShapeError(f"an array of {a.ndim} dimensions has no axis {axes[-1]} to turn around", s.loc)
    backwards = slice(None, None, integer(-1))
    return arrays.index(s, a, tuple(backwards if k in axes else slice(None) for k in range(a.ndim)))


@builtin(np.flip)
def flip(s, m: View, axis=None):
    return _flipped(s, m, reductions.axes_of(s, axis, m.ndim))


@builtin(np.fliplr)
def fliplr(s, m: View):
    return _flipped(s, m, (1,))


@builtin(np.flipud)
def flipud(s, m: View):
    return _flipped(s, m, (0,))


@builtin(np.rot90)
def rot90(s, m: View, k=None):
    turns = 1 if is_none(k) else k.value if isinstance(k, Const) else None
    if turns is None:
        raise UnsupportedError("the number of turns must be known at compile time", s.loc)
    if m.ndim < 2:
        raise ShapeError(f"np.rot90 needs two axes, and the array has {m.ndim}", s.loc)
    for _ in range(int(turns) % 4):
        m = _flipped(s, m.ordered((*m.own_axes[1::-1], *m.own_axes[2:])), (0,))
    return m


@builtin(np.atleast_1d)
def atleast_1d(s, a):
    return joining.at_least(need_array(s, a), 1)


@builtin(np.atleast_2d)
def atleast_2d(s, a):
    return joining.at_least(need_array(s, a), 2)


@builtin(np.atleast_3d)
def atleast_3d(s, a):
    return joining.at_least(need_array(s, a), 3)


@builtin(np.ascontiguousarray)
def ascontiguousarray(s, a, dtype=None):
    made = need_array(s, asarray(s, a, dtype))
    return shaping.contiguous(s, made) if made.ndim else joining.at_least(made, 1)


@builtin(np.asarray, np.asanyarray)
def asarray(s, a, dtype=None):
    made = need_array(s, a)
    wanted = made.dtype if is_none(dtype) else dtype_of(s, dtype)
    return made if made.dtype == wanted else elementwise.cast(s, made, wanted)


# -- joined and split ------------------------------------------------------------------------------------------------


@builtin(np.concatenate)
def concatenate(s, arrays_, axis=None):
    if joining.is_of_run_time(arrays_) and arrays_.ndim > 1:
        known_axis(s, axis, 1, 0)
        return joining.concatenate_rows(s, arrays_)
    views = tuple(need_array(s, v) for v in joining.sequence(s, arrays_))
    if isinstance(axis, Static):  # None, and not left out
        return joining.concatenate(s, tuple(flat(s, joining.at_least(v, 1)) for v in views), 0)
    return joining.concatenate(s, views, known_axis(s, axis, views[0].ndim, 0))


@builtin(np.stack)
def stack(s, arrays_, axis=None):
    if joining.is_of_run_time(arrays_):
        return joining.stack_rows(s, arrays_, known_axis(s, axis, arrays_.ndim, 0))
    views = joining.sequence(s, arrays_)
    return joining.stack(s, arrays_, known_axis(s, axis, need_array(s, views[0]).ndim + 1, 0))


@builtin(np.hstack)
def hstack(s, tup):
    if joining.is_of_run_time(tup) and tup.ndim == 2:
        return joining.concatenate_rows(s, tup)
    views = tuple(joining.at_least(need_array(s, v), 1) for v in joining.sequence(s, tup))
    return joining.concatenate(s, views, 0 if views[0].ndim == 1 else 1)


@builtin(np.vstack)
def vstack(s, tup):
    if joining.is_of_run_time(tup) and tup.ndim > 1:
        return joining.stack_rows(s, tup, 0) if tup.ndim == 2 else joining.concatenate_rows(s, tup)
    return joining.concatenate(s, tuple(joining.at_least(need_array(s, v), 2) for v in joining.sequence(s, tup)), 0)


@builtin(np.dstack)
def dstack(s, tup):
    return joining.concatenate(s, tuple(joining.at_least(need_array(s, v), 3) for v in joining.sequence(s, tup)), 2)


@builtin(np.column_stack)
def column_stack(s, tup):
    views = (need_array(s, v) for v in joining.sequence(s, tup))
    return joining.concatenate(s, tuple(joining.expanded(v, 1) if v.ndim == 1 else v for v in views), 1)


@builtin(np.append)
def append(s, arr, values, axis=None):
    first, second = need_array(s, arr), need_array(s, values)
    if is_none(axis):
        first, second = (flat(s, joining.at_least(v, 1)) for v in (first, second))
        return joining.concatenate(s, (first, second), 0)
    return joining.concatenate(s, (first, second), axis_of(s, axis, first.ndim))


def _split(s, a: View, sections: object, axis: int, even: bool) -> tuple[View, ...]:
    n = a.shape[axis]
    if isinstance(sections, tuple):
        ends = [*sections, None]
        starts = [None, *sections]
        cut = (slice(i, j) for i, j in zip(starts, ends, strict=True))
        return tuple(arrays.index(s, a, (*(slice(None),) * axis, c)) for c in cut)
    if not isinstance(sections, Const):
        raise UnsupportedError("the number of parts must be known at compile time", s.loc)
    size = s.b.apply(ops.FLOORDIV, n, sections)
    rest = s.b.apply(ops.MOD, n, sections)
    if even:
        s.check(s.b.apply(ops.EQ, rest, integer(0)), ShapeError, "the axis does not split into equal parts")
    parts, start = [], integer(0)
    for k in range(int(sections.value)):
        extra = s.b.select(s.b.apply(ops.LT, integer(k), rest), integer(1), integer(0))
        length = size if even else s.b.add(size, extra)
        parts.append(joining.part(s, a, axis, start, length))
        start = s.b.add(start, length)
    return tuple(parts)


@builtin(np.split)
def split(s, ary: View, indices_or_sections, axis=None):
    return _split(s, ary, indices_or_sections, known_axis(s, axis, ary.ndim, 0), True)


@builtin(np.array_split)
def array_split(s, ary: View, indices_or_sections, axis=None):
    return _split(s, ary, indices_or_sections, known_axis(s, axis, ary.ndim, 0), False)


@builtin(np.hsplit)
def hsplit(s, ary: View, indices_or_sections):
    return _split(s, ary, indices_or_sections, 0 if ary.ndim == 1 else 1, True)


@builtin(np.vsplit)
def vsplit(s, ary: View, indices_or_sections):
    return _split(s, ary, indices_or_sections, 0, True)


@builtin(np.dsplit)
def dsplit(s, ary: View, indices_or_sections):
    return _split(s, ary, indices_or_sections, 2, True)


# -- repeated, rolled, padded ----------------------------------------------------------------------------------------


@builtin(np.repeat)
@method("repeat")
def repeat(s, a, repeats, axis=None):
    a = need_array(s, a)
    a = flat(s, joining.at_least(a, 1)) if is_none(axis) else a
    return joining.repeat(s, a, an_int(s, repeats, 1, "repeats"), known_axis(s, axis, a.ndim, 0))


@builtin(np.tile)
def tile(s, a, reps):
    return joining.tile(s, joining.at_least(need_array(s, a), 1), ints(s, reps, "reps"))


@builtin(np.roll)
def roll(s, a: View, shift, axis=None):
    if is_none(axis):
        rolled = joining.roll(s, flat(s, a), an_int(s, shift, 0, "shift"), 0)
        return rolled if a.ndim == 1 else shaping.reshaped(s, rolled, a.shape)
    axes = axis if isinstance(axis, tuple) else (axis,)
    shifts = shift if isinstance(shift, tuple) else (shift,)
    count = max(len(axes), len(shifts))
    axes, shifts = (v * count if len(v) == 1 else v for v in (axes, shifts))
    if len(axes) != len(shifts):
        raise ShapeError(f"np.roll has {len(shifts)} shifts for {len(axes)} axes", s.loc)
    for by, k in zip(shifts, axes, strict=True):
        a = joining.roll(s, a, an_int(s, by, 0, "shift"), axis_of(s, k, a.ndim))
    return a


@builtin(np.pad)
def pad(s, array: View, pad_width, mode=None, constant_values=None):
    name = "constant" if mode is None else mode.value if isinstance(mode, Static) else None
    if name not in ("constant", "edge", "reflect", "wrap"):
        raise UnsupportedError(f"np.pad in the mode {name!r} is not supported", s.loc, help="join arrays")
    widths = [ints(s, pair, "a pad width") for pair in _pairs(s, pad_width, array.ndim)]
    values = _pairs(s, constant(0) if is_none(constant_values) else constant_values, array.ndim)
    for value in (v for pair in values for v in pair):
        if not is_number(value):
            raise DtypeError(f"np.pad cannot fill with {describe(value)}", s.loc)
    return joining.pad(s, array, widths, name, values)


def _pairs(s, given: object, ndim: int) -> list[tuple]:
    """What stands before and behind each axis: one item, a pair for all axes, or a pair (or one item) for each."""
    of_axes = given if isinstance(given, tuple) else (given,)
    if not any(isinstance(item, tuple) for item in of_axes):
        of_axes = (of_axes,)
    of_axes = of_axes * ndim if len(of_axes) == 1 else of_axes
    if len(of_axes) != ndim or any(not isinstance(p, tuple) or len(p) not in (1, 2) for p in of_axes):
        raise ShapeError(f"np.pad needs a pair for each of the {ndim} axes", s.loc)
    return [(p[0], p[-1]) for p in of_axes]


@builtin(np.take)
@method("take")
def take(s, a: View, indices, axis=None):
    a = flat(s, a) if is_none(axis) else a
    at = known_axis(s, axis, a.ndim, 0)
    if isinstance(indices, tuple):
        indices = shaping.as_array(s, indices)
    items = (*(slice(None),) * at, indices)
    if isinstance(indices, View):
        return indexing.read(s, a, items)
    found = arrays.index(s, a, items)
    return found if found.ndim else arrays.load(s, found)


@builtin(np.diff)
def diff(s, a: View, n=None, axis=None):
    at = known_axis(s, axis, a.ndim, -1)
    lead = (slice(None),) * at
    for _ in range(1 if is_none(n) else int(n.value)):
        later = arrays.index(s, a, (*lead, slice(integer(1), None)))
        earlier = arrays.index(s, a, (*lead, slice(None, integer(-1))))
        a = elementwise.apply(s, operator.sub, [later, earlier])
    return a


@builtin(np.ediff1d)
def ediff1d(s, ary: View):
    return diff(s, flat(s, ary))


# -- diagonals and triangles -----------------------------------------------------------------------------------------


@builtin(np.diag)
def diag(s, v: View, k=None):
    if v.ndim not in (1, 2):
        raise ShapeError(f"np.diag needs one or two axes, and the array has {v.ndim}", s.loc)
    offset = an_int(s, k, 0, "k")
    return joining.diagonal_matrix(s, v, offset) if v.ndim == 1 else joining.diagonal(s, v, offset)


@builtin(np.diagonal)
@method("diagonal")
def diagonal(s, a: View, offset=None, axis1=None, axis2=None):
    if a.ndim < 2:
        raise ShapeError(f"a diagonal needs two axes, and the array has {a.ndim}", s.loc)
    first, second = known_axis(s, axis1, a.ndim, 0), known_axis(s, axis2, a.ndim, 1)
    return joining.diagonal(s, a, an_int(s, offset, 0, "offset"), first, second)


@builtin(np.trace)
@method("trace")
def trace(s, a: View, offset=None, axis1=None, axis2=None):
    return reductions.sum_(s, diagonal(s, a, offset, axis1, axis2), integer(-1))


def _not_of_numbers(s, view: View) -> View:
    if not view.ndim:
        raise ShapeError("a number has no triangles", s.loc, help="pass a matrix")
    return view


@builtin(np.tril)
def tril(s, m: View, k=None):
    return joining.triangle(s, _not_of_numbers(s, m), an_int(s, k, 0, "k"), True)


@builtin(np.triu)
def triu(s, m: View, k=None):
    return joining.triangle(s, _not_of_numbers(s, m), an_int(s, k, 0, "k"), False)


# -- grids, products, searches ---------------------------------------------------------------------------------------


@builtin(np.linspace)
def linspace(s, start, stop, num=None, endpoint=None, retstep=None):
    start, stop = (v if is_number(v) else need_array(s, v) for v in (start, stop))
    ends_there = True if is_none(endpoint) else bool(endpoint.value)
    samples, step = joining.linspace(s, start, stop, an_int(s, num, 50, "num"), ends_there)
    return (samples, step) if flag(s, retstep, "retstep") else samples


@builtin(np.logspace)
def logspace(s, start, stop, num=None, endpoint=None, base=None):
    base = constant(10.0) if base is None else base
    return elementwise.apply(s, np.power, [base, linspace(s, start, stop, num, endpoint)])


@builtin(np.meshgrid)
def meshgrid(s, *xi, indexing=None):
    by_columns = indexing is None or indexing.value == "xy"
    views = [flat(s, joining.at_least(need_array(s, x), 1)) for x in xi]
    order = list(range(len(views)))
    if by_columns and len(views) > 1:
        order[0], order[1] = 1, 0
    shape = tuple(views[k].shape[0] for k in order)
    one = Repeated(integer(1))
    found = []
    for k, view in enumerate(views):
        spread = view.ordered(tuple(view.own_axes[0] if order[j] == k else one for j in range(len(views))))
        found.append(arrays.copy(s, arrays.broadcast_to(s, spread, shape)))
    return tuple(found)


@builtin(np.kron)
def kron(s, a: View, b: View):
    return joining.kron(s, a, b)


@builtin(np.cross)
def cross(s, a: View, b: View):
    return joining.cross(s, a, b)


@builtin(np.searchsorted)
def searchsorted(s, a: View, v, side=None):
    return joining.searched(s, a, v, side is not None and side.value == "right")


@builtin(np.argsort)
@method("argsort")
def argsort(s, a: View, axis=None, kind=None):
    a = flat(s, a) if isinstance(axis, Static) else a
    return joining.argsort(s, a, known_axis(s, axis, a.ndim, -1))


@builtin(np.sort)
def sort(s, a: View, axis=None, kind=None):
    a = flat(s, a) if isinstance(axis, Static) else a
    at = known_axis(s, axis, a.ndim, -1)
    return joining.taken_along(s, a, joining.argsort(s, a, at), at)


@method("sort")
def sort_in_place(s, a, axis=None, kind=None):
    arrays.assign(s, a, sort(s, a, axis, kind))
    return Static(None)


@builtin(np.partition)
def partition(s, a, kth, axis=None):
    """All of the array sorted: kth is where it belongs, and what is before and behind it has no order of its own."""
    a = flat(s, a) if isinstance(axis, Static) else need_array(s, a)
    n = a.shape[known_axis(s, axis, a.ndim, -1)]
    for k in ints(s, s.opened(kth), "kth"):
        for fits in (s.b.apply(ops.LT, k, n), s.b.apply(ops.GE, s.b.add(n, k), integer(0))):
            s.check(fits, ValueError, "kth is out of bounds")
    return sort(s, a, axis)


@builtin(np.unique)
def unique(s, ar, return_index=None, return_inverse=None, return_counts=None):
    """The gradient of a value goes to the first of its elements."""
    wanted = [flag(s, given, "a return_ option") for given in (return_index, return_inverse, return_counts)]
    found = s.follow(followed.unique, [need_array(s, ar)], {})
    chosen = (found[0], *(item for item, want in zip(found[1:], wanted, strict=True) if want))
    return chosen if len(chosen) > 1 else found[0]


@builtin(np.fill_diagonal)
def fill_diagonal(s, a, val):
    a = need_array(s, a)
    if a.ndim != 2:
        raise UnsupportedError("np.fill_diagonal needs a matrix", s.loc, help="write a loop")
    n = s.b.apply(ops.INT_MIN, *a.shape) if a.shape[0] != a.shape[1] else a.shape[0]
    if isinstance(val, View):
        val = arrays.copy(s, arrays.broadcast_to(s, val, (n,)))

    def store(ks):
        arrays.store(s, arrays.element_at(s, a, (*ks, *ks)), elementwise.element_of(s, val, ks))

    arrays.nest(s, (n,), store)
    return Static(None)


@builtin(np.take_along_axis)
def take_along_axis(s, arr: View, indices: View, axis):
    return joining.taken_along(s, arr, indices, axis_of(s, axis, arr.ndim))


@builtin(np.count_nonzero)
def count_nonzero(s, a, axis=None, keepdims=None):
    one, none = constant(np.int64(1)), constant(np.int64(0))
    held = elementwise.combine(s, [a], lambda v: s.b.select(elementwise.holds(s, v[0]), one, none))
    return reductions.sum_(s, held, axis, keepdims)


@builtin(np.average)
def average(s, a: View, axis=None, weights=None):
    if is_none(weights):
        return reductions.mean(s, a, axis)
    weights = need_array(s, weights)
    if weights.ndim == 1 < a.ndim and not is_none(axis):  # along that axis
        place = axis_of(s, axis, a.ndim)
        one = Repeated(integer(1))
        weights = weights.ordered(tuple(weights.own_axes[0] if k == place else one for k in range(a.ndim)))
    weighted = elementwise.apply(s, operator.mul, [a, weights])
    total = reductions.sum_(s, elementwise.combine(s, [a, weights], lambda v: v[1]), axis)
    sums = reductions.sum_(s, weighted, axis)
    return elementwise.combine(s, [sums, total], lambda v: apply_function(s.b, operator.truediv, v, True))


@builtin(np.trapezoid)
def trapezoid(s, y: View, x=None, dx=None):
    pairs = elementwise.apply(
        s,
        operator.add,
        [
            arrays.index(s, y, (Static(Ellipsis), slice(integer(1), None))),
            arrays.index(s, y, (Static(Ellipsis), slice(None, integer(-1)))),
        ],
    )
    if not is_none(x):
        pairs = elementwise.apply(s, operator.mul, [diff(s, x), pairs])
    elif not is_none(dx):
        pairs = elementwise.apply(s, operator.mul, [dx, pairs])
    half = elementwise.apply(s, operator.mul, [constant(0.5), pairs])
    return reductions.sum_(s, half, integer(-1))


@builtin(np.nan_to_num)
def nan_to_num(s, x, nan=None, posinf=None, neginf=None):
    def mended(v: list[Value]) -> Value:
        value = v[0]
        if not value.type.is_inexact:
            return value
        largest = np.finfo(value.type.dtype).max
        type_ = Scalar(value.type.dtype)

        def given(number: object, default: float) -> Value:
            return constant(default, type_) if is_none(number) else s.b.cast(number, type_)

        found = s.b.select(s.b.apply(ops.ISNAN, value), given(nan, 0.0), value)
        found = s.b.select(s.b.apply(ops.EQ, value, constant(np.inf, type_)), given(posinf, largest), found)
        return s.b.select(s.b.apply(ops.EQ, value, constant(-np.inf, type_)), given(neginf, -largest), found)

    return elementwise.combine(s, [x], mended)
