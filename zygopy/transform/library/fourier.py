"""np.fft: transforms of the lines of arrays along an axis, and the frequencies that belong to them."""

import operator
from collections.abc import Callable

import numpy as np

from zygopy.errors import DtypeError, UnsupportedError
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


def _declare(function: Callable, op: Op) -> None:
    @builtin(function)
    def transform(s, a, n=None, axis=None, norm=None):
        a = need_array(s, a)
        return _transformed(s, a, n, known_axis(s, axis, a.ndim, -1), norm, op)


def _declare_many(function: Callable, op: Op, last: int) -> None:
    @builtin(function)
    def transform(s, a, axes=None, norm=None):
        a = need_array(s, a)
        given = range(max(a.ndim - last, 0), a.ndim) if is_none(axes) else [axis_of(s, k, a.ndim) for k in axes]
        for axis in given:
            a = _transformed(s, a, None, axis, norm, op)
        return a


_declare(np.fft.fft, ops.FOURIER)
_declare(np.fft.ifft, ops.FOURIER_BACK)
_declare_many(np.fft.fft2, ops.FOURIER, 2)
_declare_many(np.fft.ifft2, ops.FOURIER_BACK, 2)
_declare_many(np.fft.fftn, ops.FOURIER, 8)
_declare_many(np.fft.ifftn, ops.FOURIER_BACK, 8)


@builtin(np.fft.rfft)
def rfft(s, a, n=None, axis=None, norm=None):
    a = need_array(s, a)
    if a.element.is_complex:
        raise DtypeError("np.fft.rfft of complex numbers is not supported", s.loc, help="use np.fft.fft")
    at = known_axis(s, axis, a.ndim, -1)
    whole = _transformed(s, a, n, at, norm, ops.FOURIER)
    part = (*(slice(None),) * at, slice(None, _half(s, whole.shape[at])))
    return arrays.copy(s, arrays.index(s, whole, part))


@builtin(np.fft.irfft)
def irfft(s, a, n=None, axis=None, norm=None):
    """Frequency n - k has the conjugate of what frequency k has."""
    a = _as_complex(s, need_array(s, a))
    at = known_axis(s, axis, a.ndim, -1)
    given = s.b.mul(integer(2), s.b.sub(a.shape[at], integer(1)))
    length = given if is_none(n) else s.b.cast(an_int(s, n, 0, "n"), INT)
    half = _half(s, length)
    known = _resized(s, a, half, at)

    def element(ks):
        k = ks[at]
        is_known = s.b.apply(ops.LT, k, half)
        place = s.b.select(is_known, k, s.b.sub(length, k))
        value = joining.load_at(s, known, (*ks[:at], place, *ks[at + 1 :]))
        return s.b.select(is_known, value, s.b.apply(ops.CONJUGATE, value))

    whole = arrays.build(s, (*a.shape[:at], length, *a.shape[at + 1 :]), element)
    found = _transformed(s, whole, None, at, norm, ops.FOURIER_BACK)
    return elementwise.combine(s, [found], lambda v: s.b.apply(ops.REAL, v[0]))


# -- frequencies -----------------------------------------------------------------------------------------------------


def _frequencies(s, n: object, d: object, count: Callable, number: Callable) -> View:
    n = s.b.cast(an_int(s, n, 0, "n"), INT)
    step = s.b.apply(ops.MUL, s.b.cast(n, FLOAT), constant(1.0) if is_none(d) else d)
    unit = s.b.apply(ops.DIV, constant(1.0), step)
    type_ = Scalar(np.dtype(np.float64))
    shape = (s.canonical(count(n)),)
    return arrays.build(s, shape, lambda ks: s.b.apply(ops.MUL, s.b.cast(number(ks[0], n), type_), unit))


@builtin(np.fft.fftfreq)
def fftfreq(s, n, d=None):
    def number(k, n):
        half = s.b.apply(ops.FLOORDIV, s.b.add(n, integer(1)), integer(2))
        return s.b.select(s.b.apply(ops.LT, k, half), k, s.b.sub(k, n))

    return _frequencies(s, n, d, lambda n: n, number)


@builtin(np.fft.rfftfreq)
def rfftfreq(s, n, d=None):
    return _frequencies(s, n, d, lambda n: _half(s, n), lambda k, n: k)


def _shifted(s, x: object, axes: object, sign: int) -> View:
    x = need_array(s, x)
    given = tuple(map(integer, range(x.ndim))) if is_none(axes) else axes
    for axis in (axis_of(s, k, x.ndim) for k in (given if isinstance(given, tuple) else (given,))):
        half = s.b.apply(ops.FLOORDIV, x.shape[axis], integer(2))
        x = joining.roll(s, x, half if sign > 0 else s.b.apply(ops.NEG, half), axis)
    return x


@builtin(np.fft.fftshift)
def fftshift(s, x, axes=None):
    return _shifted(s, x, axes, 1)


@builtin(np.fft.ifftshift)
def ifftshift(s, x, axes=None):
    return _shifted(s, x, axes, -1)
