"""All parameters of a model as one vector, and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np

import zygopy as zg


@dataclass(frozen=True)
class Rebuild:
    """Makes models like `model` of flat vectors; compiled functions can call it, and differentiate through it."""

    model: Any

    def __call__(self, vector):
        """The model whose parameters, one after the other, are the vector."""
        count = sum(leaf.size for leaf in zg.leaves(self.model))
        if vector.size != count:
            raise ValueError(
                f"the vector has {vector.size} elements, the parameters of the model have {count} together"
            )
        parts = []
        start = 0
        for leaf in zg.leaves(self.model):
            parts.append(vector[start : start + leaf.size].reshape(leaf.shape))
            start += leaf.size
        return zg.with_leaves(self.model, parts)


def destructure(model: Any) -> tuple[np.ndarray, Rebuild]:
    """The parameters of a model as one vector, and what makes a model of such a vector, of the vector's dtype.

    Examples
    --------
    >>> model = {"w": np.array([[1.0, 2.0]]), "b": np.zeros(1), "activation": np.tanh}
    >>> vector, rebuild = destructure(model)
    >>> vector
    array([1., 2., 0.])
    >>> zg.grad(lambda v: np.sum(rebuild(v)["w"] ** 2))(vector)
    array([2., 4., 0.])
    """
    found = zg.leaves(model)
    if not found:
        raise zg.ArgumentError("the model has no parameters", help="give it arrays of floats")
    return np.concatenate([leaf.ravel() for leaf in found]), Rebuild(model)
