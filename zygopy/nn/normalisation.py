"""Normalisation: x with mean 0 and variance 1 over some of its axes, then scaled and shifted by parameters."""

import copy
from dataclasses import dataclass

import numpy as np

from zygopy.nn.fields import call_text, check_last_axes, state, static


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
        self.scale, self.shift, self.eps = np.ones(shape, np.float32), np.zeros(shape, np.float32), eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes("LayerNorm", self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        axes = tuple(range(-self.scale.ndim, 0))
        return normalised(x, axes, self.eps) * self.scale + self.shift

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
        self.scale, self.eps = np.ones(width, np.float32), eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes("RMSNorm", self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps) * self.scale

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
        self.scale, self.shift = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.groups, self.eps = groups, eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes("GroupNorm", self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        parts = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        axes = (*range(1, x.ndim - 1), x.ndim)
        return normalised(parts, axes, self.eps).reshape(x.shape) * self.scale + self.shift

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
        self.scale, self.shift, self.eps = np.ones(channels, np.float32), np.zeros(channels, np.float32), eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes("InstanceNorm", self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        return normalised(x, tuple(range(1, x.ndim - 1)), self.eps) * self.scale + self.shift

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
        self.scale, self.shift = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)
        self.momentum, self.eps = momentum, eps

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes("BatchNorm", self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        return (x - self.mean) / np.sqrt(self.variance + self.eps) * self.scale + self.shift

    def train(self, x, key):
        """The batch normalised by its own statistics, and the layer with new running ones."""
        self.check(x)
        axes = tuple(range(x.ndim - 1))
        mean = np.mean(x, axis=axes)
        variance = np.mean((x - mean) ** 2, axis=axes)
        n = x.size // x.shape[-1]
        layer = copy.copy(self)
        layer.mean = self.mean + self.momentum * (mean - self.mean)
        layer.variance = self.variance + self.momentum * (variance * (n / (n - 1)) - self.variance)
        return (x - mean) / np.sqrt(variance + self.eps) * self.scale + self.shift, layer

    def __repr__(self):
        return call_text(self, *self.scale.shape)
