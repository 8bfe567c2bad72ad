"""Layers made of layers. A layer is any function of one array."""

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zygopy.nn.fields import call_text
from zygopy.nn.random import split


def train(layer, x, key=None):
    """What a layer gives while it is trained, and the layer with its new state.

    That is `layer.train(x, key)` where a layer has this method, such as `Dropout` and `BatchNorm` and what is made of
    them, and `layer(x)` otherwise.

    Parameters
    ----------
    layer : callable
    x : array
    key : int, optional
        The key of the layer's random numbers; None will do where it draws none.

    Returns
    -------
    tuple
        (y, layer): nothing is changed in place.
    """
    if hasattr(layer, "train"):
        return layer.train(x, key)
    return layer(x), layer


@dataclass(eq=False)
class Chain:
    """Layers one after the other: `Chain(f, g)(x)` is g(f(x)).

    Parameters
    ----------
    *layers, **named
        The layers, all of them with names or none.

    Examples
    --------
    >>> model = Chain(np.sin, np.cos)
    >>> float(model(0.0)), model[0]
    (1.0, <ufunc 'sin'>)
    >>> Chain(first=np.sin, second=np.cos)["second"]
    <ufunc 'cos'>
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

    def train(self, x, key=None):
        """As `nn.train`: the last layer's result, and the Chain of the layers with their new state."""
        trained = []
        for layer, own_key in zip(members(self.layers), keys_for(self.layers, key), strict=True):
            x, layer = train(layer, x, own_key)
            trained.append(layer)
        return x, with_layers(self, trained)

    def __getitem__(self, key: Any):
        return self.layers[key]

    def __len__(self):
        return len(self.layers)

    def __repr__(self):
        return call_text(self, **self.layers) if isinstance(self.layers, dict) else call_text(self, *self.layers)


def members(layers):
    """The layers of a tuple or dict."""
    return tuple(layers.values()) if isinstance(layers, dict) else layers


def keys_for(layers, key):
    """A key for each layer; None for each where there is none."""
    return (None,) * len(layers) if key is None else split(key, len(layers))


def with_layers(model, layers):
    """A copy of a model with other layers."""
    model = copy.copy(model)
    model.layers = dict(zip(model.layers, layers, strict=True)) if isinstance(model.layers, dict) else tuple(layers)
    return model


@dataclass(eq=False)
class SkipConnection:
    """connection(layer(x), x)

    Parameters
    ----------
    layer : callable
    connection : callable
        A function of two arrays; their sum, if it is left out.

    Examples
    --------
    >>> SkipConnection(np.square)(3.0)
    12.0
    """

    layer: Any
    connection: Callable = operator.add

    def __call__(self, x):
        return self.connection(self.layer(x), x)

    def train(self, x, key=None):
        """As `nn.train`."""
        y, layer = train(self.layer, x, key)
        return self.connection(y, x), SkipConnection(layer, self.connection)

    def __repr__(self):
        return call_text(self, self.layer, *(() if self.connection is operator.add else (self.connection,)))


@dataclass(eq=False)
class Parallel:
    """connection(f(x), g(x), ...), the layers side by side; connection(f(x), g(y), ...) for a tuple (x, y, ...).

    Parameters
    ----------
    connection : callable
        A function of as many arrays as there are layers.
    *layers, **named
        The layers, all of them with names or none.

    Examples
    --------
    >>> Parallel(np.add, np.sin, np.cos)(0.0), Parallel(np.add, np.sin, np.cos)((0.0, np.pi))
    (1.0, -1.0)
    """

    connection: Callable
    layers: tuple | dict

    def __init__(self, connection, *layers, **named):
        if layers and named:
            raise ValueError("give all layers of a Parallel names, or none")
        self.connection, self.layers = connection, named or layers

    def __call__(self, x):
        layers = members(self.layers)
        inputs = x if isinstance(x, tuple) else (x,) * len(layers)
        return self.connection(*[layer(v) for layer, v in zip(layers, inputs, strict=True)])

    def train(self, x, key=None):
        """As `nn.train`."""
        layers = members(self.layers)
        inputs = x if isinstance(x, tuple) else (x,) * len(layers)
        pairs = [train(*given) for given in zip(layers, inputs, keys_for(layers, key), strict=True)]
        return self.connection(*[y for y, _ in pairs]), with_layers(self, [layer for _, layer in pairs])

    def __repr__(self):
        if isinstance(self.layers, dict):
            return call_text(self, self.connection, **self.layers)
        return call_text(self, self.connection, *self.layers)


@dataclass(eq=False)
class Maxout:
    """The largest of what several layers give, element by element (Goodfellow et al. 2013).

    Parameters
    ----------
    *layers : callable

    Examples
    --------
    >>> Maxout(np.sin, np.cos)(0.0)
    1.0
    """

    layers: tuple

    def __init__(self, *layers):
        self.layers = layers

    def __call__(self, x):
        y = self.layers[0](x)
        for layer in self.layers[1:]:
            y = np.maximum(y, layer(x))
        return y

    def __repr__(self):
        return call_text(self, *self.layers)
