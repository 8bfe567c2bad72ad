"""np.fft and scipy.fft: transforms of the lines of arrays along an axis, and the frequencies that belong to them."""

import operator
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np

from zygopy.errors import DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Kernel, Op, Value
from zygopy.transform.library import elementwise, joining
from zygopy.transform.library.numpy_functions import is_none
from zygopy.transform.library.numpy_shapes import an_int, known_axis
from zygopy.transform.library.reductions import axis_of, need_array
from zygopy.transform.reading import arrays
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Static, View
from zygopy.transform.types import FLOAT, INT, Scalar


def _transformed(s, a: View, n: object, axis: int, norm: object, op: Op) -> View:
    """The transform of each line along an axis, as long as n says and scaled as `norm` says."""
    view = _resized(s, _as_complex(s, a), n, axis)
    length = view.shape[axis]
    s.check(s.b.apply(ops.GE, length, integer(1)), ValueError, "Invalid number of FFT data points (0) specified.")
    out = arrays.whole_of_new(s, tuple(map(s.canonical, view.shape)), view.dtype)
    rest = tuple(m for k, m in enumerate(view.shape) if k != axis)

    def line(ks):
        target, source = (joining.line_of(s, v, axis, ks) for v in (out, view))
        s.b.emit(Kernel(op, (arrays.materialise(s, target),), (arrays.materialise(s, source),), s.loc))

    arrays.nest(s, rest, line)
    return _scaled(s, out, length, norm, op)


def _scaled(s, view: View, length: Value, norm: object, op: Op) -> View:
    name = "backward" if is_none(norm) else norm.value if isinstance(norm, Static) else None
    if name not in ("backward", "ortho", "forward"):
        raise UnsupportedError("norm must be 'backward', 'ortho' or 'forward'", s.loc, help="write it as a constant")
    if name == ("backward" if op is ops.FOURIER else "forward"):
        return view
    n = s.b.cast(length, FLOAT)
    scale = s.b.apply(ops.DIV, constant(1.0), s.b.apply(ops.SQRT, n) if name == "ortho" else n)
    return elementwise.apply(s, operator.mul, [view, s.b.cast(scale, FLOAT)])


def _as_complex(s, a: View) -> View:
    if a.element.is_complex:
        return a
    return elementwise.cast(s, a, np.dtype(np.complex64 if a.dtype == np.float32 else np.complex128))


def _resized(s, view: View, n: object, axis: int) -> View:
    """An axis cut to length n, or filled with zeros up to there."""
    if is_none(n):
        return view
    length = s.b.cast(an_int(s, n, 0, "n"), INT)
    new = arrays.allocate(s, (*view.shape[:axis], length, *view.shape[axis + 1 :]), view.dtype, ops.ZEROS)
    both = s.b.apply(ops.INT_MIN, length, view.shape[axis])
    part = (*(slice(None),) * axis, slice(None, both))
    arrays.assign(s, arrays.index(s, new, part), arrays.index(s, view, part))
    return new


def _half(s, n: Value) -> Value:
    """n // 2 + 1: how many frequencies are not negative."""
    return s.b.add(s.b.apply(ops.FLOORDIV, n, integer(2)), integer(1))


def _lines(s, a: View, lengths: object, axes: object, last: int) -> list[tuple[int, object]]:
    """The axes of a transform along several, the last ones where none are given, and how long each becomes."""
    count = last if is_none(lengths) else len(_items(s, lengths))
    given = range(max(a.ndim - count, 0), a.ndim) if is_none(axes) else [axis_of(s, k, a.ndim) for k in _items(s, axes)]
    sizes = [Static(None)] * len(given) if is_none(lengths) else _items(s, lengths)
    if len(sizes) != len(given):
        raise ShapeError("Shape and axes have different lengths.", s.loc)
    if not sizes:
        raise UnsupportedError("a transform along no axis is not supported", s.loc, help="name the axes")
    return [(axis, Static(None) if n == integer(-1) else n) for axis, n in zip(given, sizes, strict=True)]


def _items(s, value: object) -> tuple:
    if not isinstance(value, tuple):
        raise UnsupportedError("the axes and lengths of a transform must be tuples", s.loc)
    return value


def _real(s, a: View, n: object, axis: int, norm: object) -> View:
    """The frequencies that are not negative, of a transform of real numbers."""
    if a.element.is_complex:
        raise DtypeError("np.fft.rfft of complex numbers is not supported", s.loc, help="use np.fft.fft")
    whole = _transformed(s, a, n, axis, norm, ops.FOURIER)
    part = (*(slice(None),) * axis, slice(None, _half(s, whole.shape[axis])))
    return arrays.copy(s, arrays.index(s, whole, part))


def _real_back(s, a: View, n: object, axis: int, norm: object) -> View:
    """Real numbers by their frequencies that are not negative: frequency n - k has the conjugate of what k has."""
    a = _as_complex(s, a)
    given = s.b.mul(integer(2), s.b.sub(a.shape[axis], integer(1)))
    length = given if is_none(n) else s.b.cast(an_int(s, n, 0, "n"), INT)
    half = _half(s, length)
    known = _resized(s, a, half, axis)

    def element(ks):
        k = ks[axis]
        is_known = s.b.apply(ops.LT, k, half)
        place = s.b.select(is_known, k, s.b.sub(length, k))
        value = joining.load_at(s, known, (*ks[:axis], place, *ks[axis + 1 :]))
        return s.b.select(is_known, value, s.b.apply(ops.CONJUGATE, value))

    whole = arrays.build(s, (*a.shape[:axis], length, *a.shape[axis + 1 :]), element)
    found = _transformed(s, whole, None, axis, norm, ops.FOURIER_BACK)
    return elementwise.combine(s, [found], lambda v: s.b.apply(ops.REAL, v[0]))


def _conjugate(s, a: View) -> View:
    return elementwise.combine(s, [_as_complex(s, a)], lambda v: s.b.apply(ops.CONJUGATE, v[0]))


def _turned(norm: object) -> object:
    """What scales the transform in the other direction so."""
    name = "backward" if is_none(norm) else norm.value if isinstance(norm, Static) else None
    return Static({"backward": "forward", "forward": "backward"}.get(name, name))


def declare(fft: ModuleType) -> None:
    """Make known the transforms of np.fft or scipy.fft."""

    def along_one(function: Callable, transformed: Callable) -> None:
        @builtin(function)
        def transform(s, a, n=None, axis=None, norm=None):
            a = need_array(s, a)
            return transformed(s, a, n, known_axis(s, axis, a.ndim, -1), norm)

    def along_many(name: str, first: Callable | None, each: Callable, end: Callable | None) -> None:
        """Of `first` along the last axis, `each` along the others, or `end` along the last one behind them."""

        def transform_of(last: int) -> Callable:
            def transform(state, a, s=None, axes=None, norm=None):
                a = need_array(state, a)
                *others, (axis, n) = _lines(state, a, s, axes, last)
                if first is not None:  # the order of NumPy, which tells where an axis is named twice
                    a = first(state, a, n, axis, norm)
                    others.reverse()
                for other, m in others:
                    a = each(state, a, m, other, norm)
                return a if end is None else end(state, a, n, axis, norm)

            return transform

        builtin(getattr(fft, f"{name}2"))(transform_of(2))
        builtin(getattr(fft, f"{name}n"))(transform_of(8))

    forward = partial(_transformed, op=ops.FOURIER)
    back = partial(_transformed, op=ops.FOURIER_BACK)
    along_one(fft.fft, forward)
    along_one(fft.ifft, back)
    along_one(fft.rfft, _real)
    along_one(fft.irfft, _real_back)
    along_one(fft.hfft, lambda s, a, n, axis, norm: _real_back(s, _conjugate(s, a), n, axis, _turned(norm)))
    along_one(fft.ihfft, lambda s, a, n, axis, norm: _conjugate(s, _real(s, a, n, axis, _turned(norm))))
    along_many("fft", forward, forward, None)
    along_many("ifft", back, back, None)
    along_many("rfft", _real, forward, None)
    along_many("irfft", None, back, _real_back)
    builtin(fft.fftfreq)(fftfreq)
    builtin(fft.rfftfreq)(rfftfreq)
    builtin(fft.fftshift)(fftshift)
    builtin(fft.ifftshift)(ifftshift)


# -- frequencies -----------------------------------------------------------------------------------------------------


def _frequencies(s, n: object, d: object, count: Callable, number: Callable) -> View:
    n = s.b.cast(an_int(s, n, 0, "n"), INT)
    step = s.b.apply(ops.MUL, s.b.cast(n, FLOAT), constant(1.0) if is_none(d) else d)
    unit = s.b.apply(ops.DIV, constant(1.0), step)
    type_ = Scalar(np.dtype(np.float64))
    shape = (s.canonical(count(n)),)
    return arrays.build(s, shape, lambda ks: s.b.apply(ops.MUL, s.b.cast(number(ks[0], n), type_), unit))


def fftfreq(s, n, d=None):
    def number(k, n):
        half = s.b.apply(ops.FLOORDIV, s.b.add(n, integer(1)), integer(2))
        return s.b.select(s.b.apply(ops.LT, k, half), k, s.b.sub(k, n))

    return _frequencies(s, n, d, lambda n: n, number)


def rfftfreq(s, n, d=None):
    return _frequencies(s, n, d, lambda n: _half(s, n), lambda k, n: k)


def _shifted(s, x: object, axes: object, sign: int) -> View:
    x = need_array(s, x)
    given = tuple(map(integer, range(x.ndim))) if is_none(axes) else axes
    for axis in (axis_of(s, k, x.ndim) for k in (given if isinstance(given, tuple) else (given,))):
        half = s.b.apply(ops.FLOORDIV, x.shape[axis], integer(2))
        x = joining.roll(s, x, half if sign > 0 else s.b.apply(ops.NEG, half), axis)
    return x


def fftshift(s, x, axes=None):
    return _shifted(s, x, axes, 1)


def ifftshift(s, x, axes=None):
    return _shifted(s, x, axes, -1)


declare(np.fft)
