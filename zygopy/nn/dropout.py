"""Dropout: elements left out at random while a model is trained."""

from dataclasses import dataclass

import numpy as np

from zygopy.nn.fields import call_text, static
from zygopy.nn.random import uniform_like


@dataclass(eq=False)
class Dropout:
    """x, and while it is trained x / (1 - p) with each element 0 with probability p (Srivastava et al. 2014).

    Which elements those are depends on the key that `train` is given, and on nothing else.

    Parameters
    ----------
    p : float
        The probability that an element is left out.

    Examples
    --------
    >>> layer = Dropout(0.5)
    >>> layer(np.ones(4))
    array([1., 1., 1., 1.])
    >>> y, layer = layer.train(np.ones(4), 0)
    >>> y
    array([2., 2., 2., 0.])
    """

    p: float = static()

    def __post_init__(self):
        if not 0 <= self.p < 1:
            raise ValueError(f"Dropout takes a probability of at least 0 and below 1, not {self.p}")

    def __call__(self, x):
        return x

    def train(self, x, key):
        """x with elements left out, and the layer as it is."""
        if self.p == 0:
            return x, self
        if key is None:
            raise ValueError("Dropout needs a key: model.train(x, key)")
        return np.where(uniform_like(x, key) >= self.p, x / (1 - self.p), 0), self

    def __repr__(self):
        return call_text(self, self.p)
