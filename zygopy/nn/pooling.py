"""Pooling and its reverse: other lengths of x (batch, *lengths, channels), each channel for itself."""

from dataclasses import dataclass

import numpy as np

from zygopy.nn.convolution import padded, paddings, windows
from zygopy.nn.fields import call_text, each, static


@dataclass(eq=False)
class MaxPool:
    """The largest element of each window; of equal ones the first has the derivative.

    Parameters
    ----------
    kernel : tuple of int
        The lengths of a window.
    stride : int or tuple of int, optional
        From window to window; the kernel's lengths if it is left out.
    padding : int, tuple of int, tuple of pairs of int, or "same"
        Elements around x that are never the largest.

    Examples
    --------
    >>> MaxPool((2,))(np.array([[[1.0], [3.0], [2.0], [5.0]]])).ravel()
    array([3., 5.])
    """

    kernel: tuple = static()
    stride: tuple = static()
    padding: tuple = static()

    def __init__(self, kernel, *, stride=None, padding=0):
        self.kernel = kernel
        self.stride = each(kernel if stride is None else stride, kernel)
        self.padding = paddings(padding, kernel, (1,) * len(kernel))

    def check(self, x, place=""):
        """As of `Dense`."""
        check_windows(self, x, place)

    def __call__(self, x):
        self.check(x)
        return np.max(_windows(self, padded(x, self.padding, -np.inf)), axis=_last(self.kernel))

    def __repr__(self):
        return _text(self)


@dataclass(eq=False)
class MeanPool:
    """The mean of each window; zeros around x count.

    Parameters
    ----------
    kernel, stride, padding
        As of `MaxPool`.

    Examples
    --------
    >>> MeanPool((2,))(np.array([[[1.0], [3.0], [2.0], [5.0]]])).ravel()
    array([2. , 3.5])
    """

    kernel: tuple = static()
    stride: tuple = static()
    padding: tuple = static()

    __init__ = MaxPool.__init__

    def check(self, x, place=""):
        """As of `Dense`."""
        check_windows(self, x, place)

    def __call__(self, x):
        self.check(x)
        return np.mean(_windows(self, padded(x, self.padding)), axis=_last(self.kernel))

    def __repr__(self):
        return _text(self)


def check_windows(layer, x, place):
    """Refuse x of another number of axes than a layer takes, and x without room for a window."""
    check_axes(layer, layer.kernel, x, place)
    if any(n + sum(around) < k for n, k, around in zip(x.shape[1:-1], layer.kernel, layer.padding, strict=True)):
        name = type(layer).__name__
        raise ValueError(f"{place}{name}({layer.kernel}) has no window in x of shape {x.shape}")


def check_axes(layer, lengths, x, place):
    """Refuse x that has not as many lengths as a layer takes."""
    axes = len(lengths) + 2
    if x.ndim != axes:
        name = type(layer).__name__
        raise ValueError(f"{place}{name}({lengths}) takes x of {axes} axes, (batch, *lengths, channels), not {x.shape}")


def _windows(layer, x):
    """The windows of x, channels before the kernel."""
    seen = windows(x, layer.kernel, layer.stride, (1,) * len(layer.kernel))
    return np.moveaxis(seen, -1, len(layer.kernel) + 1)


def _last(kernel):
    return tuple(range(-len(kernel), 0))


def _text(layer):
    none = ((0, 0),) * len(layer.kernel)
    stride = None if layer.stride == layer.kernel else layer.stride
    return call_text(layer, layer.kernel, stride=stride, padding=None if layer.padding == none else layer.padding)


@dataclass(eq=False)
class GlobalMeanPool:
    """The mean over all lengths: (batch, *lengths, channels) becomes (batch, channels)."""

    def __call__(self, x):
        return np.mean(x, axis=tuple(range(1, x.ndim - 1)))


@dataclass(eq=False)
class AdaptiveMeanPool:
    """The means of parts of x: place i of m is that of the elements from n * i // m up to ceil(n * (i + 1) / m).

    Parameters
    ----------
    *lengths : int
        The lengths of the result.

    Examples
    --------
    >>> AdaptiveMeanPool(2)(np.array([[[1.0], [2.0], [6.0]]])).ravel()
    array([1.5, 4. ])
    """

    lengths: tuple = static()

    def __init__(self, *lengths):
        self.lengths = lengths

    def check(self, x, place=""):
        """As of `Dense`."""
        check_axes(self, self.lengths, x, place)

    def __call__(self, x):
        self.check(x)
        for axis, places in enumerate(self.lengths, start=1):
            x = along(axis, _shares(x.shape[axis], places).astype(x.dtype), x)
        return x

    def __repr__(self):
        return call_text(self, *self.lengths)


def _shares(n, places):
    """The matrix of means: row i is that of place i."""
    place, element = np.arange(places)[:, np.newaxis], np.arange(n)
    start, stop = n * place // places, -(-n * (place + 1) // places)
    return np.where((start <= element) & (element < stop), 1.0 / (stop - start), 0.0)


def along(axis, matrix, x):
    """The matrix times x along an axis."""
    return np.moveaxis(np.tensordot(matrix, x, ((1,), (axis,))), 0, axis)


@dataclass(eq=False)
class Upsample:
    """Each element of x so often along each length, or straight lines between their centres.

    Parameters
    ----------
    *scales : int
        How many elements of the result stand for one of x, for each length.
    linear : bool
        Whether to interpolate.

    Examples
    --------
    >>> Upsample(2)(np.array([[[1.0], [3.0]]])).ravel()
    array([1., 1., 3., 3.])
    >>> Upsample(2, linear=True)(np.array([[[1.0], [3.0]]])).ravel()
    array([1. , 1.5, 2.5, 3. ])
    """

    scales: tuple = static()
    linear: bool = static()

    def __init__(self, *scales, linear=False):
        self.scales, self.linear = scales, linear

    def check(self, x, place=""):
        """As of `Dense`."""
        check_axes(self, self.scales, x, place)

    def __call__(self, x):
        self.check(x)
        for axis, scale in enumerate(self.scales, start=1):
            if self.linear:
                x = along(axis, _hats(x.shape[axis], scale).astype(x.dtype), x)
            else:
                x = np.repeat(x, scale, axis)
        return x

    def __repr__(self):
        return call_text(self, *self.scales, linear=True if self.linear else None)


def _hats(n, scale):
    """The matrix of interpolation: row i is that of the element with centre (i + 1/2) / scale."""
    centre = np.clip((np.arange(n * scale) + 0.5) / scale - 0.5, 0.0, n - 1.0)
    return np.maximum(1.0 - np.abs(centre[:, np.newaxis] - np.arange(n)), 0.0)


def flatten(x):
    """x (batch, ...) as (batch, elements)."""
    return x.reshape(x.shape[0], -1)
