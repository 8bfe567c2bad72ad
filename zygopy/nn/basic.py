"""Layers of matrix products, and layers made of layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zygopy.nn.activations import identity
from zygopy.nn.fields import call_text
from zygopy.nn.initialisers import glorot_uniform


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

    def __call__(self, x):
        y = x @ self.weight
        return self.activation(y if self.bias is None else y + self.bias)

    def __repr__(self):
        activation = () if self.activation is identity else (self.activation,)
        return call_text(self, *self.weight.shape, *activation, bias=False if self.bias is None else None)


@dataclass(eq=False)
class Chain:
    """Layers one after the other: `Chain(f, g)(x)` is g(f(x)). A layer is any function of one array.

    Examples
    --------
    >>> model = Chain(Dense(4, 3, np.tanh, rng=0), Dense(3, 2, rng=1))
    >>> model[0]
    Dense(4, 3, tanh)
    >>> Chain(hidden=Dense(4, 3, rng=0), out=Dense(3, 2, rng=1))["out"]
    Dense(3, 2)
    """

    layers: tuple | dict

    def __init__(self, *layers, **named):
        if layers and named:
            raise ValueError("give all layers of a Chain names, or none")
        self.layers = named or layers

    def __call__(self, x):
        for layer in members(self.layers):
            x = layer(x)
        return x

    def __getitem__(self, key: Any):
        return self.layers[key]

    def __len__(self):
        return len(self.layers)

    def __repr__(self):
        return call_text(self, **self.layers) if isinstance(self.layers, dict) else call_text(self, *self.layers)


def members(layers):
    """The layers of a tuple, list or dict."""
    return layers.values() if isinstance(layers, dict) else layers
