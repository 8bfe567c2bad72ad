"""Attention, and the transformer's block. Sequences have shape (batch, tokens, width)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zygopy.nn.activations import gelu, softmax
from zygopy.nn.basic import Dense
from zygopy.nn.combined import Chain, keys_for
from zygopy.nn.dropout import Dropout
from zygopy.nn.fields import by_arrays, call_text, check_groups, static
from zygopy.nn.normalisation import LayerNorm

_NONE = -1e30  # finite, so that a token that may attend to none does not become nan: it attends to all alike


@dataclass(eq=False)
class MultiHeadAttention:
    """softmax(q @ k.T / sqrt(d)) @ v in each of several heads of width d, joined (Vaswani et al. 2017).

    `layer(x)` attends from x to itself; `layer(x, keys)` to other tokens, and `layer(x, keys, values)` takes the values
    from elsewhere too. `layer.weights(x, keys, mask)` are the shares of attention, (batch, heads, tokens of x, of
    keys). A token that may attend to none attends to all alike.

    Parameters
    ----------
    width, heads : int
        The width of the tokens, which is heads * d.
    causal : bool
        Whether a token attends to itself and earlier ones only.
    bias : bool
        Whether the four Dense layers have one.
    rng : numpy.random.Generator or int
        What the weights are drawn with.

    Examples
    --------
    >>> layer = MultiHeadAttention(8, 2, causal=True, rng=0)
    >>> x = np.ones((1, 3, 8), np.float32)
    >>> layer(x).shape, layer.weights(x, x)[0, 0].round(2).tolist()[1]
    ((1, 3, 8), [0.5, 0.5, 0.0])
    """

    query: Dense
    key: Dense
    value: Dense
    out: Dense
    heads: int = static()
    causal: bool = static()

    def __init__(self, width, heads, *, causal=False, bias=True, rng=None):
        check_groups("MultiHeadAttention", "width", width, "heads", heads)
        rng = np.random.default_rng(rng)
        self.query, self.key, self.value, self.out = (Dense(width, width, bias=bias, rng=rng) for _ in range(4))
        self.heads, self.causal = heads, causal

    def check(self, x, place=""):
        """As of `Dense`."""
        check_tokens(self, self.query.weight.shape[0], self.heads, x, place)

    def __call__(self, x, keys=None, values=None, mask=None):
        """The mask, of bools, has the shape of `weights`, or one that is repeated to it: False is not attended to."""
        keys, values = sources(self, x, keys, values)
        found = self.weights(x, keys, mask) @ in_heads(self.value(values), self.heads)
        return self.out(np.swapaxes(found, 1, 2).reshape(x.shape))

    def weights(self, x, keys, mask=None):
        """The shares of attention."""
        q, k = in_heads(self.query(x), self.heads), in_heads(self.key(keys), self.heads)
        return softmax(masked(q @ np.swapaxes(k, 2, 3) * (1.0 / math.sqrt(q.shape[-1])), mask, self.causal))

    @by_arrays
    def __repr__(self):
        settings = {"causal": True if self.causal else None, "bias": False if self.query.bias is None else None}
        return call_text(self, self.query.weight.shape[0], self.heads, **settings)


def in_heads(x, heads):
    """(batch, tokens, width) as (batch, heads, tokens, width of a head)."""
    return np.swapaxes(x.reshape(x.shape[0], x.shape[1], heads, -1), 1, 2)


def masked(scores, mask, causal):
    """Scores, with those of what is not attended to so low that softmax makes zeros of them."""
    if causal:
        past = np.arange(scores.shape[2])[:, np.newaxis] >= np.arange(scores.shape[3])
        scores = np.where(past, scores, _NONE)
    if mask is not None:
        if mask.dtype.kind != "b":
            raise ValueError("MultiHeadAttention takes a mask of bools, True for what is attended to")
        scores = np.where(mask, scores, _NONE)
    return scores


def sources(layer, x, keys, values):
    """What x attends to, by default itself, and where the values come from, by default there; or a refusal."""
    keys = x if keys is None else keys
    values = keys if values is None else values
    for tokens in (x, keys, values):
        layer.check(tokens)
    if keys.shape[0] != x.shape[0] or values.shape != keys.shape:
        raise ValueError(
            "MultiHeadAttention takes a value for each key, and as many samples of them as of x, not keys "
            f"{keys.shape} and values {values.shape} for x {x.shape}"
        )
    return keys, values


def check_tokens(layer, width, heads, x, place):
    """Refuse x of another width or number of axes than a layer takes."""
    if x.ndim != 3 or x.shape[-1] != width:
        name = type(layer).__name__
        raise ValueError(f"{place}{name}({width}, {heads}) takes x of shape (batch, tokens, {width}), not {x.shape}")


@dataclass(eq=False)
class TransformerBlock:
    """y = x + attention(norm(x)); y + network(norm(y)), with a network of two Dense layers (Xiong et al. 2020).

    Parameters
    ----------
    width, heads : int
        Of the attention.
    hidden : int, optional
        The width between the two Dense layers; 4 * width if it is left out.
    activation : callable
        Behind the first of them.
    causal : bool
        Whether a token attends to itself and earlier ones only.
    dropout : float
        The probability that, in `train`, an element of what the attention or the network gives is left out.
    rng : numpy.random.Generator or int
        What the weights are drawn with.

    Examples
    --------
    >>> TransformerBlock(8, 2, rng=0)(np.zeros((1, 3, 8), np.float32)).shape
    (1, 3, 8)
    """

    attention: MultiHeadAttention
    attention_norm: LayerNorm
    network: Chain
    network_norm: LayerNorm
    dropout: Dropout

    def __init__(self, width, heads, hidden=None, activation: Callable = gelu, *, causal=False, dropout=0.0, rng=None):
        rng, hidden = np.random.default_rng(rng), 4 * width if hidden is None else hidden
        self.attention = MultiHeadAttention(width, heads, causal=causal, rng=rng)
        self.network = Chain(Dense(width, hidden, activation, rng=rng), Dense(hidden, width, rng=rng))
        self.attention_norm, self.network_norm, self.dropout = LayerNorm(width), LayerNorm(width), Dropout(dropout)

    def check(self, x, place=""):
        """As of `Dense`."""
        check_tokens(self, self.network_norm.scale.shape[0], self.attention.heads, x, place)

    def __call__(self, x, mask=None):
        self.check(x)
        x = x + self.attention(self.attention_norm(x), mask=mask)
        return x + self.network(self.network_norm(x))

    def train(self, x, key=None, mask=None):
        """As `nn.train`."""
        self.check(x)
        first, second = keys_for((self.attention, self.network), key)
        x = x + self.dropout.train(self.attention(self.attention_norm(x), mask=mask), first)[0]
        return x + self.dropout.train(self.network(self.network_norm(x)), second)[0], self

    @by_arrays
    def __repr__(self):
        first, width = self.network[0], self.network_norm.scale.shape[0]
        causal = True if self.attention.causal else None
        activation = () if first.activation is gelu else (first.activation,)
        hidden, dropout = first.weight.shape[1], self.dropout.p or None
        return call_text(self, width, self.attention.heads, hidden, *activation, causal=causal, dropout=dropout)
