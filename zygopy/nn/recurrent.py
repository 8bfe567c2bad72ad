"""Recurrent layers: cells that take a state and an input to a new state, and the same over whole sequences.

A sequence has shape (batch, steps, inputs), and its results (batch, steps, hidden). `layer(x)` starts at a state of
zeros; `layer.run(x, state)` starts where it is told, and gives the last state too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zygopy.nn.activations import sigmoid, tanh
from zygopy.nn.fields import call_text
from zygopy.nn.initialisers import glorot_uniform, orthogonal


@dataclass(eq=False)
class RNN:
    """h = activation(x @ weight + h @ recurrent + bias), from step to step.

    Parameters
    ----------
    inputs, hidden : int
        The lengths of x and h.
    activation : callable
    rng : numpy.random.Generator or int
        What the weights are drawn with.

    Examples
    --------
    >>> layer = RNN(3, 4, rng=0)
    >>> layer(np.zeros((2, 5, 3), np.float32)).shape
    (2, 5, 4)
    """

    weight: np.ndarray  # (inputs, hidden)
    recurrent: np.ndarray  # (hidden, hidden)
    bias: np.ndarray  # (hidden,)
    activation: Callable

    def __init__(self, inputs, hidden, activation=tanh, *, rng=None):
        rng = np.random.default_rng(rng)
        self.weight, self.recurrent = glorot_uniform((inputs, hidden), rng), orthogonal((hidden, hidden), rng)
        self.bias, self.activation = np.zeros(hidden, np.float32), activation

    def step(self, h, x):
        """The state (batch, hidden) after an input (batch, inputs)."""
        self.check(x)
        _check_state("RNN", self, h)
        return self.activation(x @ self.weight + self.bias + h @ self.recurrent)

    def run(self, x, h):
        """All states of a sequence from a first one, and the last."""
        self.check(x)
        _check_state("RNN", self, h)
        given = x @ self.weight + self.bias
        found = np.empty((*x.shape[:2], h.shape[1]), x.dtype)
        for t in range(x.shape[1]):
            h = self.activation(given[:, t] + h @ self.recurrent)
            found[:, t] = h
        return found, h

    def check(self, x, place=""):
        """As of `Dense`."""
        _check("RNN", self, x, place)

    def __call__(self, x):
        return self.run(x, zero_state(self, x))[0]

    def __repr__(self):
        return call_text(self, *self.weight.shape, *(() if self.activation is tanh else (self.activation,)))


@dataclass(eq=False)
class LSTM:
    """Long short-term memory (Hochreiter & Schmidhuber 1997; with a forget gate, Gers et al. 2000).

    i, f, g, o = x @ weight + h @ recurrent + bias, in parts; c = sigmoid(f) * c + sigmoid(i) * tanh(g);
    h = sigmoid(o) * tanh(c). A state is the pair (h, c).

    Parameters
    ----------
    inputs, hidden : int
        The lengths of x and h.
    rng : numpy.random.Generator or int
        What the weights are drawn with.

    Examples
    --------
    >>> layer, x = LSTM(3, 4, rng=0), np.zeros((2, 5, 3), np.float32)
    >>> layer(x).shape
    (2, 5, 4)
    >>> found, (h, c) = layer.run(x, (np.zeros((2, 4), np.float32), np.zeros((2, 4), np.float32)))
    """

    weight: np.ndarray  # (inputs, 4 * hidden)
    recurrent: np.ndarray  # (hidden, 4 * hidden)
    bias: np.ndarray  # (4 * hidden,)

    def __init__(self, inputs, hidden, *, rng=None):
        rng = np.random.default_rng(rng)
        self.weight = np.hstack([glorot_uniform((inputs, hidden), rng) for _ in range(4)])
        self.recurrent = np.hstack([orthogonal((hidden, hidden), rng) for _ in range(4)])
        self.bias = np.zeros(4 * hidden, np.float32)

    def step(self, state, x):
        """The state (h, c) after an input (batch, inputs)."""
        self.check(x)
        _check_state("LSTM", self, state[0])
        return self.gated(state, x @ self.weight + self.bias)

    def gated(self, state, given):
        """The next state, for what the input gives the gates."""
        h, c = state
        i, f, g, o = np.split(given + h @ self.recurrent, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def run(self, x, state):
        """All h of a sequence from a first state, and the last state."""
        self.check(x)
        _check_state("LSTM", self, state[0])
        given = x @ self.weight + self.bias
        found = np.empty((*x.shape[:2], self.recurrent.shape[0]), x.dtype)
        for t in range(x.shape[1]):
            state = self.gated(state, given[:, t])
            found[:, t] = state[0]
        return found, state

    def check(self, x, place=""):
        """As of `Dense`."""
        _check("LSTM", self, x, place)

    def __call__(self, x):
        return self.run(x, (zero_state(self, x), zero_state(self, x)))[0]

    def __repr__(self):
        return call_text(self, self.weight.shape[0], self.recurrent.shape[0])


@dataclass(eq=False)
class GRU:
    """A gated recurrent unit (Cho et al. 2014, in the form of cuDNN).

    r, z, n = x @ weight + bias and r', z', n' = h @ recurrent + recurrent_bias, in parts;
    m = tanh(n + sigmoid(r + r') * n'); h = m + sigmoid(z + z') * (h - m).

    Parameters
    ----------
    inputs, hidden : int
        The lengths of x and h.
    rng : numpy.random.Generator or int
        What the weights are drawn with.

    Examples
    --------
    >>> GRU(3, 4, rng=0)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 5, 4)
    """

    weight: np.ndarray  # (inputs, 3 * hidden)
    recurrent: np.ndarray  # (hidden, 3 * hidden)
    bias: np.ndarray  # (3 * hidden,)
    recurrent_bias: np.ndarray  # (3 * hidden,)

    def __init__(self, inputs, hidden, *, rng=None):
        rng = np.random.default_rng(rng)
        self.weight = np.hstack([glorot_uniform((inputs, hidden), rng) for _ in range(3)])
        self.recurrent = np.hstack([orthogonal((hidden, hidden), rng) for _ in range(3)])
        self.bias, self.recurrent_bias = np.zeros(3 * hidden, np.float32), np.zeros(3 * hidden, np.float32)

    def step(self, h, x):
        """The state (batch, hidden) after an input (batch, inputs)."""
        self.check(x)
        _check_state("GRU", self, h)
        return self.gated(h, x @ self.weight + self.bias)

    def gated(self, h, given):
        """The next state, for what the input gives the gates."""
        r, z, n = np.split(given, 3, axis=-1)
        r_h, z_h, n_h = np.split(h @ self.recurrent + self.recurrent_bias, 3, axis=-1)
        new = np.tanh(n + sigmoid(r + r_h) * n_h)
        return new + sigmoid(z + z_h) * (h - new)

    def run(self, x, h):
        """All states of a sequence from a first one, and the last."""
        self.check(x)
        _check_state("GRU", self, h)
        given = x @ self.weight + self.bias
        found = np.empty((*x.shape[:2], h.shape[1]), x.dtype)
        for t in range(x.shape[1]):
            h = self.gated(h, given[:, t])
            found[:, t] = h
        return found, h

    def check(self, x, place=""):
        """As of `Dense`."""
        _check("GRU", self, x, place)

    def __call__(self, x):
        return self.run(x, zero_state(self, x))[0]

    def __repr__(self):
        return call_text(self, self.weight.shape[0], self.recurrent.shape[0])


def zero_state(layer, x):
    """The state of zeros for a sequence x."""
    return np.zeros((x.shape[0], layer.recurrent.shape[0]), x.dtype)


def _check(name, layer, x, place):
    inputs, hidden = layer.weight.shape[0], layer.recurrent.shape[0]
    if x.shape[-1] != inputs:
        raise ValueError(f"{place}{name}({inputs}, {hidden}) takes x of shape (..., {inputs}), not {x.shape}")


def _check_state(name, layer, h):
    inputs, hidden = layer.weight.shape[0], layer.recurrent.shape[0]
    if h.shape[-1] != hidden:
        raise ValueError(f"{name}({inputs}, {hidden}) takes a state of shape (batch, {hidden}), not {h.shape}")
