"""Layers made of layers. A layer is any function of one array."""

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zygopy.nn.fields import call_text
from zygopy.nn.random import split


class Combined:
    """A layer made of layers: it is told where in a model it stands, for the messages of those in it."""

    __call__: Callable
    train: Callable


def call(layer, x, place):
    """layer(x); if x has a size that the layer does not take, the message names the place, such as "layers[1]"."""
    if isinstance(layer, Combined):
        return layer(x, f"{place}.")
    check(layer, x, place)
    return layer(x)


def check(layer, x, place):
    """Refuse x of a size that a layer does not take."""
    if hasattr(layer, "check"):
        layer.check(x, f"{place}: ")


def train(layer, x, key=None, place=""):
    """What a layer gives while it is trained, and the layer with its new state.

    That is `layer.train(x, key)` where a layer has this method, such as `Dropout` and `BatchNorm` and what is made of
    them, and `layer(x)` otherwise.

    Parameters
    ----------
    layer : callable
    x : array
    key : int, optional
        The key of the layer's random numbers; None will do where it draws none.
    place : str
        Where in a model the layer stands, for messages.

    Returns
    -------
    tuple
        (y, layer): nothing is changed in place.
    """
    if isinstance(layer, Combined):
        return layer.train(x, key, place and f"{place}.")
    if place:
        check(layer, x, place)
    if hasattr(layer, "train"):
        return layer.train(x, key)
    return layer(x), layer


@dataclass(eq=False)
class Chain(Combined):
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
    >>> Chain(first=np.sin, second=np.cos, third=np.tanh)[1:]
    Chain(second=cos, third=tanh)
    """

    layers: tuple | dict

    def __init__(self, *layers, **named):
        if layers and named:
            raise ValueError("give all layers of a Chain names, or none")
        self.layers = named or layers

    def __call__(self, x, place=""):
        for name, layer in self.layers.items() if isinstance(self.layers, dict) else enumerate(self.layers):
            x = call(layer, x, f"{place}layers[{name!r}]")
        return x

    def train(self, x, key=None, place=""):
        """As `nn.train`: the last layer's result, and the Chain of the layers with their new state."""
        trained = []
        for (name, layer), own_key in zip(named(self.layers), keys_for(self.layers, key), strict=True):
            x, layer = train(layer, x, own_key, f"{place}layers[{name!r}]")
            trained.append(layer)
        return x, with_layers(self, trained)

    def __getitem__(self, key: Any):
        """A layer, by its number or name; by a slice, a Chain of some (in Python only)."""
        return picked(self.layers, key)

    def __len__(self):
        return len(self.layers)

    def __repr__(self):
        return call_text(self, **self.layers) if isinstance(self.layers, dict) else call_text(self, *self.layers)


def picked(layers, key):
    """The layer with a number or name; by a slice, a Chain of some."""
    if isinstance(key, slice):
        pairs = named(layers)[key]
        return Chain(**dict(pairs)) if isinstance(layers, dict) else Chain(*[layer for _, layer in pairs])
    return layers[key] if isinstance(layers, dict) and isinstance(key, str) else named(layers)[key][1]


def named(layers):
    """The layers of a tuple or dict, with their numbers or names."""
    return tuple(layers.items()) if isinstance(layers, dict) else tuple(enumerate(layers))


def largest(arrays):
    """The largest of several arrays, element by element."""
    found = arrays[0]
    for array in arrays[1:]:
        found = np.maximum(found, array)
    return found


def keys_for(layers, key):
    """A key for each layer; None for each where there is none."""
    return (None,) * len(layers) if key is None else split(key, len(layers))


def with_layers(model, layers):
    """A copy of a model with other layers."""
    model = copy.copy(model)
    model.layers = dict(zip(model.layers, layers, strict=True)) if isinstance(model.layers, dict) else tuple(layers)
    return model


@dataclass(eq=False)
class SkipConnection(Combined):
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

    def __call__(self, x, place=""):
        return self.connection(call(self.layer, x, f"{place}layer"), x)

    def train(self, x, key=None, place=""):
        """As `nn.train`."""
        y, layer = train(self.layer, x, key, f"{place}layer")
        return self.connection(y, x), SkipConnection(layer, self.connection)

    def __repr__(self):
        return call_text(self, self.layer, *(() if self.connection is operator.add else (self.connection,)))


@dataclass(eq=False)
class Parallel(Combined):
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

    def __call__(self, x, place=""):
        inputs = x if isinstance(x, tuple) else (x,) * len(self.layers)
        given = zip(named(self.layers), inputs, strict=True)
        return self.connection(*[call(layer, v, f"{place}layers[{name!r}]") for (name, layer), v in given])

    def train(self, x, key=None, place=""):
        """As `nn.train`."""
        inputs = x if isinstance(x, tuple) else (x,) * len(self.layers)
        given = zip(named(self.layers), inputs, keys_for(self.layers, key), strict=True)
        pairs = [train(layer, v, own_key, f"{place}layers[{name!r}]") for (name, layer), v, own_key in given]
        return self.connection(*[y for y, _ in pairs]), with_layers(self, [layer for _, layer in pairs])

    def __repr__(self):
        if isinstance(self.layers, dict):
            return call_text(self, self.connection, **self.layers)
        return call_text(self, self.connection, *self.layers)


@dataclass(eq=False)
class Maxout(Combined):
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

    def __call__(self, x, place=""):
        return largest([call(layer, x, f"{place}layers[{k}]") for k, layer in enumerate(self.layers)])

    def train(self, x, key=None, place=""):
        """As `nn.train`."""
        given = zip(named(self.layers), keys_for(self.layers, key), strict=True)
        pairs = [train(layer, x, own_key, f"{place}layers[{k}]") for (k, layer), own_key in given]
        return largest([y for y, _ in pairs]), with_layers(self, [layer for _, layer in pairs])

    def __repr__(self):
        return call_text(self, *self.layers)
