"""What shapes a model makes of others."""

from typing import Any

import numpy as np

import zygopy as zg


def outputsize(model: Any, *shapes: tuple, dtype: Any = np.float32) -> Any:
    """The shape of what a model gives for inputs of some shapes, with the batch as their first axis.

    The model itself is called, with batches of one and of two samples of zeros: each length of the result is taken to
    grow evenly with the batch. So a large batch costs no more than a small one.

    Parameters
    ----------
    model : callable
        A layer, or any function of arrays.
    *shapes : tuple of int
        The shapes of its inputs; a tuple of shapes stands for an input that is a tuple of arrays.
    dtype
        Of the inputs; an integer one for models that begin with an `Embedding`.

    Returns
    -------
    tuple
        A shape; a tuple or dict of shapes where the model gives a tuple or dict of arrays.

    Raises
    ------
    ValueError
        If a layer does not take what comes to it; the message names the layer and both shapes.

    Examples
    --------
    >>> from zygopy import nn
    >>> model = nn.Chain(nn.Conv((3, 3), 1, 8, rng=0), nn.MaxPool((2, 2)), nn.flatten)
    >>> outputsize(model, (64, 28, 28, 1))
    (64, 1352)
    >>> outputsize(model[0], (64, 28, 28, 3))
    Traceback (most recent call last):
    ...
    ValueError: Conv((3, 3), 1, 8) takes x of 4 axes, (batch, *lengths, 1), not (1, 28, 28, 3)
    """
    if not shapes:
        raise zg.ArgumentError("the shapes of the inputs are missing", help="outputsize(model, (32, 784))")
    batch = _first(shapes)
    with np.errstate(all="ignore"):
        one, two = (_shape(model(*(_zeros(shape, count, dtype) for shape in shapes))) for count in (1, 2))
    return _grown(one, two, batch - 1)


def _first(shapes: tuple) -> int:
    """The batch of the first shape."""
    return shapes[0] if isinstance(shapes[0], int) else _first(shapes[0])


def _zeros(shape: tuple, count: int, dtype: Any) -> Any:
    if isinstance(shape[0], int):
        return np.zeros((count, *shape[1:]), dtype)
    return tuple(_zeros(inner, count, dtype) for inner in shape)


def _shape(result: Any) -> Any:
    if isinstance(result, dict):
        return {key: _shape(item) for key, item in result.items()}
    return tuple(map(_shape, result)) if isinstance(result, tuple) else np.shape(result)


def _grown(one: Any, two: Any, more: int) -> Any:
    """The lengths for `more` samples than one, from those for one and for two."""
    if isinstance(one, int):
        return one + more * (two - one)
    if isinstance(one, dict):
        return {key: _grown(item, two[key], more) for key, item in one.items()}
    return tuple(_grown(a, b, more) for a, b in zip(one, two, strict=True))
