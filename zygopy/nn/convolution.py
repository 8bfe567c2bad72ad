"""Convolution, of images with channels last: windows of the input times the kernel, as one matrix product.

x has shape (batch, *lengths, channels), with as many lengths as the kernel has.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from zygopy.nn.activations import identity
from zygopy.nn.fields import call_text, each, static
from zygopy.nn.initialisers import glorot_uniform


def windows(x, kernel, stride, dilation, first=1):
    """The windows of x that a kernel sees, of shape (batch, *places, *kernel, channels): a view.

    `first` is the axis of the first length. Axes between the lengths and the channels stay behind the places.
    """
    rank = len(kernel)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    seen = sliding_window_view(x, reach, axis=tuple(range(first, first + rank)))
    others = (1,) * (x.ndim - rank - first)
    steps = tuple(slice(None, None, n) for n in ((1,) * first + stride + others + dilation))
    return np.moveaxis(seen[steps], x.ndim - 1, -1)


def padded(x, padding, value=0):
    """x with `value` around its lengths, so often as `padding` says before and behind each."""
    if not any(before + after for before, after in padding):
        return x
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def places_of(lengths, kernel, stride, dilation):
    """How many windows there are along each length."""
    settings = zip(lengths, kernel, stride, dilation, strict=True)
    return [(n - apart * (k - 1) - 1) // step + 1 for n, k, step, apart in settings]


def met(k, kernel, stride, dilation, places):
    """What element k of the kernel meets in x, one element in each window, as slices."""
    found: tuple = ()
    for n, step, apart, count in reversed(tuple(zip(kernel, stride, dilation, places, strict=True))):
        start = k % n * apart
        k //= n
        found = (slice(start, start + (count - 1) * step + 1, step), *found)
    return (slice(None), *found)


def convolved(x, weight, kernel, stride, dilation):
    """The sums over the windows of x times the kernel, as one matrix product."""
    return np.tensordot(windows(x, kernel, stride, dilation), weight, len(kernel) + 1)


def by_rows(x, weight, kernel, stride, dilation, groups):
    """The same where each window begins a row of x behind another one: a product for each row of the kernel and group.

    What windows see of a row of x, which all rows of the kernel meet, is in memory once. The rows of all images stand
    behind each other, first rows first, so that those that a row of the kernel meets are one matrix.
    """
    places, (*_, inputs, outputs) = places_of(x.shape[1:-1], kernel, stride, dilation), weight.shape
    row, own_outputs = len(x) * math.prod(places[1:]), outputs // groups  # row: the places in a row of all images
    rows = np.moveaxis(x.reshape(*x.shape[:-1], groups, inputs), 1, 0)
    seen = windows(rows, kernel[1:], stride[1:], dilation[1:], first=2)
    seen = np.moveaxis(seen, len(kernel) + 1, 0).reshape(groups, x.shape[1] * row, math.prod(kernel[1:]) * inputs)
    kernels = weight.reshape(kernel[0], math.prod(kernel[1:]) * inputs, outputs)
    y = np.zeros((groups, places[0] * row, own_outputs), x.dtype)
    for k in range(kernel[0]):
        start = k * dilation[0] * row
        for g in range(groups):
            own = slice(g * own_outputs, (g + 1) * own_outputs)
            y[g] += seen[g, start : start + places[0] * row] @ kernels[k, :, own]
    y = y.reshape(groups, places[0], len(x), *places[1:], own_outputs)
    return np.moveaxis(y, (2, 0), (0, -2)).reshape(len(x), *places, outputs)


def rows_pay(layer):
    """Whether `by_rows` serves a layer better: where windows overlap in rows, with 8 numbers or more in each."""
    in_row = math.prod(layer.kernel[1:]) * layer.inputs // layer.groups
    return len(layer.kernel) > 1 and layer.stride[0] == 1 and in_row >= 8


def by_channel(x, weight, kernel, stride, dilation):
    """The same where each channel is a group: no product of matrices, but a sum over the elements of the kernel."""
    kernels, places = weight.reshape(-1, weight.shape[-1]), places_of(x.shape[1:-1], kernel, stride, dilation)
    y = np.zeros((x.shape[0], *places, x.shape[-1]), x.dtype)
    for k in range(len(kernels)):
        y += x[met(k, kernel, stride, dilation, places)] * kernels[k]
    return y


def spread(x, weight, kernel, stride, dilation):
    """The transpose of `convolved`: x times each element of the kernel, added up where windows have that element."""
    places, rows, kernels = x.shape[1:-1], x.reshape(-1, x.shape[-1]), weight.reshape(-1, *weight.shape[-2:])
    y = np.zeros((x.shape[0], *spread_lengths(places, kernel, stride, dilation), weight.shape[-1]), x.dtype)
    for k in range(len(kernels)):
        y[met(k, kernel, stride, dilation, places)] += (rows @ kernels[k]).reshape(*x.shape[:-1], weight.shape[-1])
    return y


def spread_lengths(places, kernel, stride, dilation):
    """The lengths that have so many windows."""
    settings = zip(places, kernel, stride, dilation, strict=True)
    return [(n - 1) * step + apart * (k - 1) + 1 for n, k, step, apart in settings]


def grouped(f, lengths, x, weight, groups):
    """f(x, weight), whose result has some lengths; each group of channels has weights of its own."""
    if groups == 1:
        return f(x, weight)
    inputs, outputs = weight.shape[-2], weight.shape[-1] // groups
    y = np.empty((x.shape[0], *lengths, weight.shape[-1]), x.dtype)
    for g in range(groups):
        own = slice(g * outputs, (g + 1) * outputs)
        y[..., own] = f(x[..., g * inputs : (g + 1) * inputs].copy(), weight[..., own].copy())
    return y


def paddings(padding, kernel, dilation):
    """What stands before and behind each length: for an int, a tuple of ints, of pairs, or "same"."""
    if isinstance(padding, str) and padding != "same":
        raise ValueError(f'padding is a number, a tuple or "same", not {padding!r}')
    if padding == "same":
        missing = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in missing)
    return tuple(p if isinstance(p, tuple) else (p, p) for p in each(padding, kernel))


def known_shape(layer):
    """The weight, all lengths but the last of which are known when code is compiled: loops over windows are faster."""
    return layer.weight.reshape(*layer.kernel, layer.inputs // layer.groups, layer.weight.shape[-1])


@dataclass(eq=False)
class Conv:
    """activation(sum over the window of x * weight + bias), at each place of a window in x (batch, *lengths, inputs).

    Along a length n padded by p + q, windows of reach r = dilation * (kernel - 1) + 1 have (n + p + q - r) // stride +
    1 places. No kernel is flipped.

    Parameters
    ----------
    kernel : tuple of int
        The lengths of a window; 1, 2 or 3 of them.
    inputs, outputs : int
        The numbers of channels.
    activation : callable
        A function of the result.
    stride, dilation : int or tuple of int
        From window to window, and from element to element in a window.
    padding : int, tuple of int, tuple of pairs of int, or "same"
        Zeros around x: before and behind each length. "same": as many places as elements, where the stride is 1.
    groups : int
        The channels are so many groups, each a convolution of its own.
    bias : bool
        Whether there is a bias; it starts at zero.
    init, rng
        The initialiser of the weight, and what it draws with.

    Examples
    --------
    >>> layer = Conv((3, 3), 1, 4, padding="same", rng=0)
    >>> layer(np.zeros((2, 8, 8, 1), np.float32)).shape
    (2, 8, 8, 4)
    """

    weight: np.ndarray  # (*kernel, inputs // groups, outputs)
    bias: np.ndarray | None  # (outputs,)
    activation: Callable
    kernel: tuple = static()
    stride: tuple = static()
    padding: tuple = static()
    dilation: tuple = static()
    groups: int = static()
    inputs: int = static()
    by_channel: bool = static()  # whether each channel is a group

    def __init__(
        self,
        kernel,
        inputs,
        outputs,
        activation=identity,
        *,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        init=glorot_uniform,
        rng=None,
    ):
        if inputs % groups or outputs % groups:
            raise ValueError(
                f"channels, {inputs} and {outputs}, that are no multiples of the number of groups, {groups}"
            )
        self.weight = init((*kernel, inputs // groups, outputs), rng)
        self.bias = np.zeros(outputs, np.float32) if bias else None
        self.activation = activation
        self.inputs, self.kernel, self.groups = inputs, kernel, groups
        self.by_channel = groups == inputs == outputs > 1
        self.stride, self.dilation = each(stride, kernel), each(dilation, kernel)
        self.padding = paddings(padding, kernel, self.dilation)

    def check(self, x, place=""):
        """As of `Dense`."""
        check_channels(self, x, place)
        check_places(self, x, place)

    def __call__(self, x):
        self.check(x)
        x, weight = padded(x, self.padding), known_shape(self)
        settings = (self.kernel, self.stride, self.dilation)
        if self.by_channel:
            y = by_channel(x, weight, *settings)
        elif rows_pay(self):
            y = by_rows(x, weight, *settings, self.groups)
        else:
            lengths = places_of(x.shape[1:-1], *settings)
            y = grouped(lambda x, weight: convolved(x, weight, *settings), lengths, x, weight, self.groups)
        return self.activation(y if self.bias is None else y + self.bias)

    def __repr__(self):
        return _text(self)


@dataclass(eq=False)
class ConvTranspose:
    """The transpose of a convolution: x (batch, *lengths, inputs), spread by the stride, meets the flipped kernel.

    A length n becomes (n - 1) * stride + dilation * (kernel - 1) + 1 - p - q, p and q the padding: what a `Conv` of
    these settings takes to n.

    Parameters
    ----------
    kernel, inputs, outputs, activation, stride, padding, dilation, groups, bias, init, rng
        As of `Conv`.

    Examples
    --------
    >>> ConvTranspose((2, 2), 3, 1, stride=2, rng=0)(np.zeros((1, 4, 4, 3), np.float32)).shape
    (1, 8, 8, 1)
    """

    weight: np.ndarray  # (*kernel, inputs // groups, outputs)
    bias: np.ndarray | None  # (outputs,)
    activation: Callable
    kernel: tuple = static()
    stride: tuple = static()
    padding: tuple = static()
    dilation: tuple = static()
    groups: int = static()
    inputs: int = static()
    by_channel: bool = static()

    __init__ = Conv.__init__

    def check(self, x, place=""):
        """As of `Dense`."""
        check_channels(self, x, place)

    def __call__(self, x):
        self.check(x)
        weight, settings = known_shape(self), (self.kernel, self.stride, self.dilation)
        lengths = spread_lengths(x.shape[1:-1], *settings)
        y = grouped(lambda x, weight: spread(x, weight, *settings), lengths, x, weight, self.groups)
        y = y[(slice(None), *(slice(p, n - q) for n, (p, q) in zip(y.shape[1:-1], self.padding, strict=True)))]
        return self.activation(y if self.bias is None else y + self.bias)

    def __repr__(self):
        return _text(self)


def check_channels(layer, x, place):
    """Refuse x of another number of axes or channels than a layer takes."""
    kernel, inputs, outputs = layer.kernel, layer.inputs, layer.weight.shape[-1]
    if x.ndim != len(kernel) + 2 or x.shape[-1] != inputs:
        name = type(layer).__name__
        raise ValueError(
            f"{place}{name}({kernel}, {inputs}, {outputs}) takes x of {len(kernel) + 2} axes, "
            f"(batch, *lengths, {inputs}), not {x.shape}"
        )


def check_places(layer, x, place):
    """Refuse x without room for a window."""
    room = [n + before + after for n, (before, after) in zip(x.shape[1:-1], layer.padding, strict=True)]
    if any(n < 1 for n in places_of(room, layer.kernel, layer.stride, layer.dilation)):
        kernel, inputs, outputs = layer.kernel, layer.inputs, layer.weight.shape[-1]
        raise ValueError(f"{place}Conv({kernel}, {inputs}, {outputs}) has no window in x of shape {x.shape}")


def _text(layer):
    activation = () if layer.activation is identity else (layer.activation,)
    once, none = (1,) * len(layer.kernel), ((0, 0),) * len(layer.kernel)
    settings = {
        "stride": None if layer.stride == once else layer.stride,
        "padding": None if layer.padding == none else layer.padding,
        "dilation": None if layer.dilation == once else layer.dilation,
        "groups": None if layer.groups == 1 else layer.groups,
        "bias": False if layer.bias is None else None,
    }
    return call_text(layer, layer.kernel, layer.inputs, layer.weight.shape[-1], *activation, **settings)
