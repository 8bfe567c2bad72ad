"""Recurrent layers: cells that take a state and an input to a new state, and the same over whole sequences.

A sequence has shape (batch, steps, inputs), and its results (batch, steps, hidden). `layer(x)` starts at a state of
zeros; `layer.run(x, state)` starts where it is told, and gives the last state too; `layer.step(state, x)` is the cell.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zygopy.nn.activations import sigmoid, tanh
from zygopy.nn.fields import by_arrays, call_text
from zygopy.nn.initialisers import glorot_uniform, orthogonal


class Recurrent:
    """What recurrent layers share. `advance(state, given)` is the cell of each: the state after what an input gives."""

    weight: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray
    advance: Callable

    def step(self, state, x):
        """The state after an input (batch, inputs)."""
        check_inputs(self, x, "..., ", x.ndim)
        check_state(self, x.shape[:-1], state)
        return self.advance(state, x @ self.weight + self.bias)

    def run(self, x, state):
        """All h of a sequence from a first state, and the last state."""
        self.check(x)
        check_state(self, x.shape[:1], state)
        given = x @ self.weight + self.bias
        found = np.empty((*x.shape[:2], self.recurrent.shape[0]), x.dtype)
        for t in range(x.shape[1]):
            state = self.advance(state, given[:, t])
            found[:, t] = state[0] if isinstance(state, tuple) else state
        return found, state

    def start(self, x):
        """The state of zeros for a sequence or an input x."""
        return np.zeros((x.shape[0], self.recurrent.shape[0]), x.dtype)

    def check(self, x, place=""):
        """As of `Dense`."""
        check_inputs(self, x, "batch, steps, ", 3, place)

    def __call__(self, x):
        return self.run(x, self.start(x))[0]


def check_inputs(layer, x, before, axes, place=""):
    """Refuse x of another width or number of axes than a layer takes."""
    inputs, hidden = layer.weight.shape[0], layer.recurrent.shape[0]
    if x.ndim != axes or x.shape[-1] != inputs:
        name = type(layer).__name__
        raise ValueError(f"{place}{name}({inputs}, {hidden}) takes x of shape ({before}{inputs}), not {x.shape}")


def check_state(layer, batch, state):
    """Refuse a state of another shape than (*batch, hidden)."""
    inputs, hidden = layer.weight.shape[0], layer.recurrent.shape[0]
    for h in state if isinstance(state, tuple) else (state,):
        if h.shape != (*batch, hidden):
            name, shape = type(layer).__name__, (*batch, hidden)
            raise ValueError(f"{name}({inputs}, {hidden}) takes a state of shape {shape} here, not {h.shape}")


@dataclass(eq=False)
class RNN(Recurrent):
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

    def advance(self, h, given):
        return self.activation(given + h @ self.recurrent)

    @by_arrays
    def __repr__(self):
        return call_text(self, *self.weight.shape, *(() if self.activation is tanh else (self.activation,)))


@dataclass(eq=False)
class LSTM(Recurrent):
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
    >>> found, (h, c) = layer.run(x, layer.start(x))
    """

    weight: np.ndarray  # (inputs, 4 * hidden)
    recurrent: np.ndarray  # (hidden, 4 * hidden)
    bias: np.ndarray  # (4 * hidden,)

    def __init__(self, inputs, hidden, *, rng=None):
        rng = np.random.default_rng(rng)
        self.weight = np.hstack([glorot_uniform((inputs, hidden), rng) for _ in range(4)])
        self.recurrent = np.hstack([orthogonal((hidden, hidden), rng) for _ in range(4)])
        self.bias = np.zeros(4 * hidden, np.float32)

    def advance(self, state, given):
        h, c = state
        i, f, g, o = np.split(given + h @ self.recurrent, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def start(self, x):
        return super().start(x), super().start(x)

    @by_arrays
    def __repr__(self):
        return call_text(self, self.weight.shape[0], self.recurrent.shape[0])


@dataclass(eq=False)
class GRU(Recurrent):
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

    def advance(self, h, given):
        r, z, n = np.split(given, 3, axis=-1)
        r_h, z_h, n_h = np.split(h @ self.recurrent + self.recurrent_bias, 3, axis=-1)
        new = np.tanh(n + sigmoid(r + r_h) * n_h)
        return new + sigmoid(z + z_h) * (h - new)

    @by_arrays
    def __repr__(self):
        return call_text(self, self.weight.shape[0], self.recurrent.shape[0])
