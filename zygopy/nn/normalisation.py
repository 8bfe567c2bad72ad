"""Normalisation: x with mean 0 and variance 1 over some of its axes, then scaled and shifted by parameters."""

import copy
from dataclasses import dataclass

import numpy as np

from zygopy.nn.fields import by_arrays, call_text, check_groups, check_last_axes, state, static
from zygopy.nn.initialisers import ones, zeros


def normalised(x, axes, eps):
    """(x - mean) / sqrt(variance + eps), both over some axes."""
    centred = x - np.mean(x, axis=axes, keepdims=True)
    return centred / np.sqrt(np.mean(centred * centred, axis=axes, keepdims=True) + eps)


@dataclass(eq=False)
class LayerNorm:
    """scale * (x - mean) / sqrt(variance + eps) + shift, over the last axes of x (Ba et al. 2016).

    Parameters
    ----------
    *shape : int
        The lengths of these axes.
    eps : float

    Examples
    --------
    >>> LayerNorm(2)(np.array([[1.0, 3.0]])).round(3)
    array([[-1.,  1.]])
    """

    scale: np.ndarray  # shape
    shift: np.ndarray
    eps: float = static()

    def __init__(self, *shape, eps=1e-5):
        self.scale, self.shift, self.eps = ones(shape), zeros(shape), eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes(self, self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        axes = tuple(range(-self.scale.ndim, 0))
        return normalised(x, axes, self.eps) * self.scale + self.shift

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.scale.shape)


@dataclass(eq=False)
class RMSNorm:
    """scale * x / sqrt(mean(x**2) + eps), over the last axis (Zhang & Sennrich 2019).

    Parameters
    ----------
    width : int
    eps : float

    Examples
    --------
    >>> RMSNorm(2)(np.array([[3.0, 3.0]])).round(3)
    array([[1., 1.]])
    """

    scale: np.ndarray  # (width,)
    eps: float = static()

    def __init__(self, width, *, eps=1e-6):
        self.scale, self.eps = ones(width), eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes(self, self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps) * self.scale

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.scale.shape)


@dataclass(eq=False)
class GroupNorm:
    """scale * (x - mean) / sqrt(variance + eps) + shift, over all lengths and a group of channels (Wu & He 2018).

    Parameters
    ----------
    channels, groups : int
        x is (batch, *lengths, channels), and its channels are so many groups.
    eps : float

    Examples
    --------
    >>> GroupNorm(4, 2)(np.array([[1.0, 3.0, 5.0, 5.0]])).round(3)
    array([[-1.,  1.,  0.,  0.]])
    """

    scale: np.ndarray  # (channels,)
    shift: np.ndarray
    groups: int = static()
    eps: float = static()

    def __init__(self, channels, groups, *, eps=1e-5):
        check_groups("GroupNorm", "number of channels", channels, "groups", groups)
        self.scale, self.shift = ones(channels), zeros(channels)
        self.groups, self.eps = groups, eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes(self, self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        parts = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)
        return normalised(parts, axes, self.eps).reshape(x.shape) * self.scale + self.shift

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.scale.shape, self.groups)


@dataclass(eq=False)
class InstanceNorm:
    """scale * (x - mean) / sqrt(variance + eps) + shift, over the lengths of each channel (Ulyanov et al. 2016).

    Parameters
    ----------
    channels : int
        x is (batch, *lengths, channels).
    eps : float
    """

    scale: np.ndarray  # (channels,)
    shift: np.ndarray
    eps: float = static()

    def __init__(self, channels, *, eps=1e-5):
        self.scale, self.shift, self.eps = ones(channels), zeros(channels), eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes(self, self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        return normalised(x, tuple(range(1, x.ndim - 1)), self.eps) * self.scale + self.shift

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.scale.shape)


@dataclass(eq=False)
class BatchNorm:
    """scale * (x - mean) / sqrt(variance + eps) + shift, by running statistics (Ioffe & Szegedy 2015).

    `train` takes the mean and variance of the batch instead, over all axes but the channels, and gives a layer whose
    running statistics have moved towards them: new = (1 - momentum) * old + momentum * batch, with the batch's variance
    over n - 1. Nothing is changed in place.

    Parameters
    ----------
    channels : int
        The length of the last axis of x.
    momentum, eps : float

    Examples
    --------
    >>> layer = BatchNorm(2)
    >>> y, layer = layer.train(np.array([[0.0, 2.0], [4.0, 2.0]]), None)
    >>> y.round(3), layer.mean
    (array([[-1.,  0.],
           [ 1.,  0.]]), array([0.2, 0.2]))
    """

    scale: np.ndarray  # (channels,)
    shift: np.ndarray
    mean: np.ndarray = state()
    variance: np.ndarray = state()
    momentum: float = static()
    eps: float = static()

    def __init__(self, channels, *, momentum=0.1, eps=1e-5):
        self.scale, self.shift, self.momentum, self.eps = ones(channels), zeros(channels), momentum, eps
        self.mean, self.variance = zeros(channels), ones(channels)

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes(self, self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        return scaled(self, x, self.mean, self.variance)

    def train(self, x, key):
        """The batch normalised by its own statistics, and the layer with new running ones."""
        self.check(x)
        mean, variance, free = statistics(x)
        layer = copy.copy(self)
        layer.mean = self.mean + self.momentum * (mean - self.mean)
        layer.variance = self.variance + self.momentum * (variance * free - self.variance)
        return scaled(self, x, mean, variance), layer

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.scale.shape)


def scaled(layer, x, mean, variance):
    """x less a mean, over the root of a variance, scaled and shifted by the layer's parameters."""
    return (x - mean) / np.sqrt(variance + layer.eps) * layer.scale + layer.shift


def statistics(x):
    """The mean and the variance of each channel, over n values, and n / (n - 1)."""
    n = x.size // x.shape[-1]
    if n < 2:
        raise ValueError(
            f"BatchNorm({x.shape[-1]}) is trained on more than one value of each channel, not on x of shape {x.shape}"
        )
    axes = tuple(range(x.ndim - 1))
    mean = np.mean(x, axis=axes)
    return mean, np.mean((x - mean) ** 2, axis=axes), n / (n - 1)
