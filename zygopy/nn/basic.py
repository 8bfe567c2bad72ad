"""Layers of products: with a matrix, element by element, of two inputs, and with one-hot vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from zygopy.nn.activations import identity
from zygopy.nn.fields import by_arrays, call_text, check_last_axes
from zygopy.nn.initialisers import glorot_uniform, normal

_UNIT_NORMAL = partial(normal, std=1.0)


@dataclass(eq=False)
class Dense:
    """activation(x @ weight + bias), for x of shape (..., inputs).

    Parameters
    ----------
    inputs, outputs : int
        The lengths of the last axis of x and of the result.
    activation : callable
        A function of the result.
    bias : bool
        Whether there is a bias; it starts at zero.
    init : callable
        The [initialiser](initialisers.py) of the weight.
    rng : numpy.random.Generator or int
        What the weight is drawn with.

    Examples
    --------
    >>> Dense(3, 2, np.tanh, rng=0)(np.zeros((5, 3), np.float32)).shape
    (5, 2)
    """

    weight: np.ndarray  # (inputs, outputs)
    bias: np.ndarray | None  # (outputs,)
    activation: Callable

    def __init__(self, inputs, outputs, activation=identity, *, bias=True, init=glorot_uniform, rng=None):
        self.weight = init((inputs, outputs), rng)
        self.bias = np.zeros(outputs, np.float32) if bias else None
        self.activation = activation

    def check(self, x, place=""):
        """Refuse x of another width; `place` is where in a model the layer stands."""
        inputs, outputs = self.weight.shape
        if x.shape[-1] != inputs:
            raise ValueError(f"{place}Dense({inputs}, {outputs}) takes x of shape (..., {inputs}), not {x.shape}")

    def __call__(self, x):
        self.check(x)
        y = x @ self.weight
        return self.activation(y if self.bias is None else y + self.bias)

    @by_arrays
    def __repr__(self):
        activation = () if self.activation is identity else (self.activation,)
        return call_text(self, *self.weight.shape, *activation, bias=False if self.bias is None else None)


@dataclass(eq=False)
class Scale:
    """activation(x * scale + shift), element by element.

    Parameters
    ----------
    *shape : int
        The lengths of the last axes of x.
    activation : callable
    bias : bool
        Whether there is a shift.

    Examples
    --------
    >>> Scale(2)(np.array([1.0, 2.0]))
    array([1., 2.])
    """

    scale: np.ndarray  # shape
    shift: np.ndarray | None
    activation: Callable

    def __init__(self, *shape, activation=identity, bias=True):
        self.scale = np.ones(shape, np.float32)
        self.shift = np.zeros(shape, np.float32) if bias else None
        self.activation = activation

    def check(self, x, place=""):
        """As of `Dense`."""
        check_last_axes(self, self.scale.shape, x, place)

    def __call__(self, x):
        self.check(x)
        y = x * self.scale
        return self.activation(y if self.shift is None else y + self.shift)

    @by_arrays
    def __repr__(self):
        activation = None if self.activation is identity else self.activation
        return call_text(self, *self.scale.shape, activation=activation, bias=False if self.shift is None else None)


@dataclass(eq=False)
class Bilinear:
    """activation(z) with z[o] = sum over i and j of x[i] * weight[o, i, j] * y[j], and a bias.

    Parameters
    ----------
    inputs : pair of int
        The lengths of the last axes of x and y.
    outputs : int
    activation, bias, init, rng
        As of `Dense`.

    Examples
    --------
    >>> Bilinear((2, 3), 4, rng=0)(np.ones((5, 2)), np.ones((5, 3))).shape
    (5, 4)
    """

    weight: np.ndarray  # (outputs, *inputs)
    bias: np.ndarray | None  # (outputs,)
    activation: Callable

    def __init__(self, inputs, outputs, activation=identity, *, bias=True, init=glorot_uniform, rng=None):
        self.weight = init((outputs, *inputs), rng)
        self.bias = np.zeros(outputs, np.float32) if bias else None
        self.activation = activation

    def __call__(self, x, y):
        outputs, m, n = self.weight.shape
        if x.shape[-1] != m or y.shape[-1] != n:
            raise ValueError(
                f"Bilinear(({m}, {n}), {outputs}) takes x of shape (..., {m}) and y of shape (..., {n}), "
                f"not {x.shape} and {y.shape}"
            )
        z = np.einsum("...i,oij,...j->...o", x, self.weight, y)
        return self.activation(z if self.bias is None else z + self.bias)

    @by_arrays
    def __repr__(self):
        outputs, *inputs = self.weight.shape
        activation = () if self.activation is identity else (self.activation,)
        return call_text(self, tuple(inputs), outputs, *activation, bias=False if self.bias is None else None)


@dataclass(eq=False)
class Embedding:
    """Row k of a table, for each integer k of an array: (...) becomes (..., width).

    Parameters
    ----------
    count, width : int
        The shape of the table.
    init, rng
        The initialiser, and what it draws with.

    Examples
    --------
    >>> Embedding(10, 4, rng=0)(np.array([[1, 2, 1]])).shape
    (1, 3, 4)
    """

    weight: np.ndarray  # (count, width)

    def __init__(self, count, width, *, init=_UNIT_NORMAL, rng=None):
        self.weight = init((count, width), rng)

    def check(self, k, place=""):
        """Refuse integers that are no rows; `place` is where in a model the layer stands."""
        count, width = self.weight.shape
        if np.any((k < 0) | (k >= count)):
            raise ValueError(
                f"{place}Embedding({count}, {width}) takes integers from 0 to {count - 1}, "
                f"not {np.min(k)} to {np.max(k)}"
            )

    def __call__(self, k):
        self.check(k)
        return self.weight[k]

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.weight.shape)
