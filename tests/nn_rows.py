"""The table of layers: each with settings, the shapes of its inputs, and PyTorch's counterpart with the same weights.

A counterpart is a function of torch, the layer and its inputs; it reads the layer's arrays, as tensors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zygopy import nn


@dataclass
class Row:
    """A layer, what it is called with (shapes of floats, or arrays, `more` without derivatives), the counterpart."""

    layer: Any
    inputs: tuple
    torch: Callable
    more: tuple = ()

    def __str__(self):
        return f"{self.layer} {','.join(str(i) for i in self.inputs if isinstance(i, tuple))}".replace(" ", "")


def dense(torch, layer, x):
    return activated(torch, layer, torch.nn.functional.linear(x, layer.weight.T, layer.bias))


def activated(torch, layer, y):
    return y if layer.activation is nn.identity else getattr(torch, layer.activation.__name__)(y)


def convolution(torch, layer, x):
    rank = len(layer.kernel)
    weight, bias = last_first(layer.weight, rank, of_kernel=True), layer.bias
    name, stride, dilation, groups = f"conv{rank}d", layer.stride, layer.dilation, layer.groups
    widths = [n for pair in reversed(layer.padding) for n in pair]
    x = torch.nn.functional.pad(last_first(x, rank), widths)
    y = getattr(torch.nn.functional, name)(x, weight, bias, stride, 0, dilation, groups)
    return activated(torch, layer, first_last(y, rank))


def transposed(torch, layer, x):
    rank, groups = len(layer.kernel), layer.groups
    weight = layer.weight.permute(rank, rank + 1, *range(rank))
    if groups > 1:
        weight = torch.cat(weight.chunk(groups, 1), 0)
    padding = [before for before, _ in layer.padding]
    call = getattr(torch.nn.functional, f"conv_transpose{rank}d")
    y = call(last_first(x, rank), weight, layer.bias, layer.stride, padding, 0, groups, layer.dilation)
    return first_last(y, rank)


def pool(name, **settings):
    def call(torch, layer, x):
        rank = len(layer.kernel)
        padding = [before for before, _ in layer.padding]
        call = getattr(torch.nn.functional, f"{name}_pool{rank}d")
        return first_last(call(last_first(x, rank), layer.kernel, layer.stride, padding, **settings), rank)

    return call


def last_first(x, rank, of_kernel=False):
    """Channels before the lengths; of a weight (*kernel, inputs, outputs), outputs and inputs before the kernel."""
    return x.permute(rank + 1, rank, *range(rank)) if of_kernel else x.movedim(-1, 1)


def first_last(x, rank):
    return x.movedim(1, -1)


def adaptive(torch, layer, x):
    rank = len(layer.lengths)
    return first_last(
        getattr(torch.nn.functional, f"adaptive_avg_pool{rank}d")(last_first(x, rank), layer.lengths), rank
    )


def upsample(torch, layer, x):
    rank = len(layer.scales)
    mode = ("linear", "bilinear", "trilinear")[rank - 1] if layer.linear else "nearest"
    return first_last(torch.nn.functional.interpolate(last_first(x, rank), scale_factor=layer.scales, mode=mode), rank)


def layer_norm(torch, layer, x):
    return torch.nn.functional.layer_norm(x, layer.scale.shape, layer.scale, layer.shift, layer.eps)


def group_norm(torch, layer, x):
    groups = getattr(layer, "groups", x.shape[-1])
    y = torch.nn.functional.group_norm(x.movedim(-1, 1), groups, layer.scale, layer.shift, layer.eps)
    return y.movedim(1, -1)


def batch_norm(torch, layer, x):
    """By the formula, since PyTorch gives no derivative with respect to running statistics."""
    return (x - layer.mean) / torch.sqrt(layer.variance + layer.eps) * layer.scale + layer.shift


def recurrent(name):
    def call(torch, layer, x):
        hidden = layer.recurrent.shape[0]
        settings = {"nonlinearity": layer.activation.__name__} if name == "RNN" else {}
        made = getattr(torch.nn, name)(x.shape[-1], hidden, batch_first=True, dtype=x.dtype, **settings)
        second = getattr(layer, "recurrent_bias", torch.zeros_like(layer.bias))
        own = {
            "weight_ih_l0": layer.weight.T,
            "weight_hh_l0": layer.recurrent.T,
            "bias_ih_l0": layer.bias,
            "bias_hh_l0": second,
        }
        return torch.func.functional_call(made, own, (x,))[0]

    return call


def attention(torch, layer, x, keys=None, values=None, seen=None):
    parts = (layer.query, layer.key, layer.value)
    weight, bias = torch.cat([p.weight.T for p in parts]), torch.cat([p.bias for p in parts])
    keys = x if keys is None else keys
    values = keys if values is None else values
    mask = torch.ones(x.shape[1], keys.shape[1], dtype=bool).tril().logical_not() if layer.causal else None
    mask = mask if seen is None else ~seen if mask is None else mask | ~seen  # PyTorch's says what is not attended to
    own = {"in_proj_weight": weight, "in_proj_bias": bias}
    own |= {"out_proj.weight": layer.out.weight.T, "out_proj.bias": layer.out.bias}
    made = torch.nn.MultiheadAttention(x.shape[-1], layer.heads, batch_first=True, dtype=x.dtype)
    return torch.func.functional_call(made, own, (x, keys, values), {"attn_mask": mask, "need_weights": False})[0]


def block(torch, layer, x):
    x = x + attention(torch, layer.attention, layer_norm(torch, layer.attention_norm, x))
    first, second = layer.network.layers
    h = torch.nn.functional.gelu(layer_norm(torch, layer.network_norm, x) @ first.weight + first.bias)
    return x + h @ second.weight + second.bias


IMAGE = (2, 6, 5, 4)
SEEN = np.array([[1, 1, 0, 0, 1], [1, 0, 1, 1, 0], [1, 1, 1, 0, 1]], bool)
INDICES = np.array([[1, 2, 1], [0, 4, 4]])


def conv(kernel, shape, outputs=6, *more, **settings):
    return Row(nn.Conv(kernel, shape[-1], outputs, *more, rng=0, **settings), (shape,), convolution)


def conv_transpose(kernel, shape, outputs=6, **settings):
    return Row(nn.ConvTranspose(kernel, shape[-1], outputs, rng=0, **settings), (shape,), transposed)


ROWS = [
    Row(nn.Dense(3, 4, rng=0), ((5, 3),), dense),
    Row(nn.Dense(3, 4, nn.tanh, rng=0), ((2, 5, 3),), dense),
    Row(nn.Dense(3, 4, nn.relu, bias=False, rng=0), ((2, 3),), dense),
    Row(nn.Scale(4, activation=nn.tanh), ((3, 4),), lambda torch, layer, x: torch.tanh(x * layer.scale + layer.shift)),
    Row(
        nn.Bilinear((2, 3), 4, rng=0),
        ((5, 2), (5, 3)),
        lambda torch, layer, x, y: torch.nn.functional.bilinear(x, y, layer.weight, layer.bias),
    ),
    Row(nn.Embedding(5, 3, rng=0), (INDICES,), lambda torch, layer, k: torch.nn.functional.embedding(k, layer.weight)),
    conv((3,), (2, 8, 3)),
    conv((2,), (2, 9, 4), 6, nn.relu, stride=2, dilation=2, padding=1, groups=2),
    conv((3, 2), IMAGE),
    conv((3, 3), IMAGE, padding="same"),
    conv((2, 3), IMAGE, stride=(2, 1), padding=((1, 0), (0, 2))),
    conv((2, 2), IMAGE, dilation=(2, 1), bias=False),
    conv((3, 3), IMAGE, 4, groups=4, padding=1, stride=2),
    conv((2, 4), IMAGE, groups=2, dilation=(2, 1), stride=(1, 2), padding=((1, 0), (0, 2))),
    conv((2, 2, 2), (2, 4, 3, 5, 2), 3, stride=(1, 1, 2)),
    conv_transpose((3,), (2, 5, 3)),
    conv_transpose((3, 2), IMAGE, stride=2),
    conv_transpose((3, 3), IMAGE, stride=(2, 1), padding=1, dilation=(1, 2)),
    conv_transpose((2, 2), IMAGE, groups=2, bias=False),
    Row(nn.MaxPool((2,)), ((2, 7, 3),), pool("max")),
    Row(nn.MaxPool((3, 2), stride=2, padding=1), (IMAGE,), pool("max")),
    Row(nn.MaxPool((2, 2, 2)), ((1, 4, 4, 2, 2),), pool("max")),
    Row(nn.MeanPool((2, 2)), (IMAGE,), pool("avg")),
    Row(nn.MeanPool((3,), stride=1, padding=1), ((2, 6, 2),), pool("avg")),
    Row(nn.GlobalMeanPool(), (IMAGE,), lambda torch, layer, x: x.mean((1, 2))),
    Row(nn.AdaptiveMeanPool(3), ((2, 7, 3),), adaptive),
    Row(nn.AdaptiveMeanPool(4, 2), (IMAGE,), adaptive),
    Row(nn.Upsample(2), ((2, 3, 2),), upsample),
    Row(nn.Upsample(2, 3), ((1, 2, 3, 2),), upsample),
    Row(nn.Upsample(2, 3, linear=True), ((1, 2, 3, 2),), upsample),
    Row(nn.LayerNorm(4), ((2, 3, 4),), layer_norm),
    Row(nn.LayerNorm(3, 4), ((2, 3, 4),), layer_norm),
    Row(
        nn.RMSNorm(4), ((2, 4),), lambda torch, layer, x: torch.nn.functional.rms_norm(x, (4,), layer.scale, layer.eps)
    ),
    Row(nn.GroupNorm(4, 2), (IMAGE,), group_norm),
    Row(nn.InstanceNorm(4), (IMAGE,), group_norm),
    Row(nn.BatchNorm(4), (IMAGE,), batch_norm),
    Row(nn.RNN(3, 4, rng=0), ((2, 5, 3),), recurrent("RNN")),
    Row(nn.RNN(3, 4, nn.relu, rng=0), ((2, 5, 3),), recurrent("RNN")),
    Row(nn.LSTM(3, 4, rng=0), ((2, 5, 3),), recurrent("LSTM")),
    Row(nn.GRU(3, 4, rng=0), ((2, 5, 3),), recurrent("GRU")),
    Row(nn.MultiHeadAttention(6, 2, rng=0), ((2, 4, 6),), attention),
    Row(nn.MultiHeadAttention(6, 3, causal=True, rng=0), ((2, 4, 6),), attention),
    Row(nn.MultiHeadAttention(4, 2, rng=0), ((2, 3, 4), (2, 5, 4), (2, 5, 4)), attention),
    Row(nn.MultiHeadAttention(4, 2, rng=0), ((2, 3, 4), (2, 5, 4), (2, 5, 4)), attention, (SEEN,)),
    Row(nn.MultiHeadAttention(4, 2, causal=True, rng=0), ((2, 3, 4), (2, 5, 4), (2, 5, 4)), attention, (SEEN,)),
    Row(nn.TransformerBlock(4, 2, rng=0), ((2, 3, 4),), block),
    Row(nn.TransformerBlock(4, 1, 6, causal=True, rng=0), ((2, 3, 4),), block),
    Row(
        nn.Chain(nn.Dense(3, 4, np.tanh, rng=0), nn.SkipConnection(nn.Dense(4, 4, rng=1))),
        ((2, 3),),
        lambda torch, layer, x: (h := torch.tanh(dense_of(layer[0], x))) + dense_of(layer[1].layer, h),
    ),
    Row(nn.SkipConnection(nn.Dense(3, 3, rng=0)), ((2, 3),), lambda torch, layer, x: x + dense_of(layer.layer, x)),
    Row(
        nn.Parallel(np.multiply, a=nn.Dense(3, 4, rng=0), b=nn.Dense(3, 4, rng=1)),
        ((2, 3),),
        lambda torch, layer, x: dense_of(layer.layers["a"], x) * dense_of(layer.layers["b"], x),
    ),
    Row(
        nn.Maxout(nn.Dense(3, 4, rng=0), nn.Dense(3, 4, rng=1), nn.Dense(3, 4, rng=2)),
        ((2, 3),),
        lambda torch, layer, x: torch.stack([dense_of(one, x) for one in layer.layers]).max(0).values,
    ),
]


def dense_of(layer, x):
    return x @ layer.weight + layer.bias
