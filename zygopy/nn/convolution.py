"""Convolution, of images with channels last: windows of the input times the kernel, as one matrix product.

x has shape (batch, *lengths, channels), with as many lengths as the kernel has.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from zygopy.nn.activations import identity
from zygopy.nn.fields import call_text, each, static
from zygopy.nn.initialisers import glorot_uniform


def windows(x, kernel, stride, dilation):
    """The windows of x that a kernel sees, of shape (batch, *places, *kernel, channels): a view."""
    rank = len(kernel)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    seen = sliding_window_view(x, reach, axis=tuple(range(1, rank + 1)))
    steps = tuple(slice(None, None, n) for n in (1, *stride, 1, *dilation))
    return np.moveaxis(seen[steps], rank + 1, -1)


def padded(x, padding, value=0):
    """x with `value` around its lengths, so often as `padding` says before and behind each."""
    if not any(before + after for before, after in padding):
        return x
    return np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=value)


def convolved(x, weight, kernel, stride, dilation, groups):
    """The sums over the windows of x times the kernel; each group of channels has kernels of its own."""
    if groups == 1:
        return np.tensordot(windows(x, kernel, stride, dilation), weight, len(kernel) + 1)
    inputs, kernels = np.split(x, groups, axis=-1), np.split(weight, groups, axis=-1)
    seen = [windows(part, kernel, stride, dilation) for part in inputs]
    return np.concatenate([np.tensordot(*pair, len(kernel) + 1) for pair in zip(seen, kernels, strict=True)], axis=-1)


def paddings(padding, kernel, dilation):
    """What stands before and behind each length: for an int, a tuple of ints, of pairs, or "same"."""
    if padding == "same":
        missing = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((n // 2, n - n // 2) for n in missing)
    return tuple(p if isinstance(p, tuple) else (p, p) for p in each(padding, kernel))


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
        self.kernel, self.groups = kernel, groups
        self.stride, self.dilation = each(stride, kernel), each(dilation, kernel)
        self.padding = paddings(padding, kernel, self.dilation)

    def check(self, x, place=""):
        """As of `Dense`."""
        _check("Conv", self, x, place)

    def __call__(self, x):
        self.check(x)
        x = padded(x, self.padding)
        y = convolved(x, self.weight, self.kernel, self.stride, self.dilation, self.groups)
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

    __init__ = Conv.__init__

    def check(self, x, place=""):
        """As of `Dense`."""
        _check("ConvTranspose", self, x, place)

    def __call__(self, x):
        self.check(x)
        x = padded(spread(x, self.stride), _transposed(self.padding, self.kernel, self.dilation))
        rank = len(self.kernel)
        once = (1,) * rank
        y = convolved(x, np.flip(self.weight, tuple(range(rank))), self.kernel, once, self.dilation, self.groups)
        return self.activation(y if self.bias is None else y + self.bias)

    def __repr__(self):
        return _text(self)


def _check(name, layer, x, place):
    kernel, inputs, outputs = layer.kernel, layer.weight.shape[-2] * layer.groups, layer.weight.shape[-1]
    if x.ndim != len(kernel) + 2 or x.shape[-1] != inputs:
        raise ValueError(
            f"{place}{name}({kernel}, {inputs}, {outputs}) takes x of {len(kernel) + 2} axes, "
            f"(batch, *lengths, {inputs}), not {x.shape}"
        )


def spread(x, stride):
    """x with stride - 1 zeros between its elements."""
    lengths = [(n - 1) * step + 1 for n, step in zip(x.shape[1:-1], stride, strict=True)]
    made = np.zeros((x.shape[0], *lengths, x.shape[-1]), x.dtype)
    made[tuple(slice(None, None, n) for n in (1, *stride, 1))] = x
    return made


def _transposed(padding, kernel, dilation):
    reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return tuple((r - before, r - after) for r, (before, after) in zip(reach, padding, strict=True))


def _text(layer):
    *_, inputs, outputs = layer.weight.shape
    activation = () if layer.activation is identity else (layer.activation,)
    once, none = (1,) * len(layer.kernel), ((0, 0),) * len(layer.kernel)
    settings = {
        "stride": None if layer.stride == once else layer.stride,
        "padding": None if layer.padding == none else layer.padding,
        "dilation": None if layer.dilation == once else layer.dilation,
        "groups": None if layer.groups == 1 else layer.groups,
        "bias": False if layer.bias is None else None,
    }
    return call_text(layer, layer.kernel, inputs * layer.groups, outputs, *activation, **settings)
