"""Weights of PyTorch's layers for zygopy's: other names, other orders of axes. PyTorch itself is not needed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

import zygopy as zg
from zygopy import nn
from zygopy.models.files import check_fits

Arrays = dict[str, np.ndarray]


def load_pytorch(model: Any, state_dict: Mapping[str, Any]) -> None:
    """Copy the weights of a PyTorch model into a model of the same layers, in the same order; in place.

    Parameters
    ----------
    model
        A structure of layers: Dense, Conv, ConvTranspose, Embedding, LayerNorm, RMSNorm, GroupNorm, InstanceNorm,
        BatchNorm, RNN, LSTM, GRU, MultiHeadAttention and TransformerBlock (a `TransformerEncoderLayer` with
        `norm_first=True`); other parts of it may have no parameters.
    state_dict : mapping
        `model.state_dict()` of PyTorch, or arrays by such names; recurrent layers have one level and one direction.

    Raises
    ------
    ArgumentError
        If the layers are not the same; nothing is changed then.
    ShapeError
        If an array has another shape; the message names the layer and both shapes.

    Examples
    --------
    >>> model = nn.Chain(nn.Dense(3, 2, rng=0))
    >>> load_pytorch(model, {"0.weight": np.ones((2, 3)), "0.bias": np.zeros(2)})
    >>> model[0].weight.shape
    (3, 2)
    """
    layers, modules = list(_layers(model, "")), _modules(state_dict)
    if len(layers) != len(modules):
        ours = ", ".join(f"{name} ({type(layer).__name__})" for name, layer in layers)
        raise zg.ArgumentError(
            f"the model has {len(layers)} layers with parameters, the state_dict has {len(modules)}",
            why=f"the model's are {ours}; those of the state_dict are {', '.join(modules)}",
        )
    copies: list[tuple[np.ndarray, np.ndarray]] = []
    for (name, layer), (module, given) in zip(layers, modules.items(), strict=True):
        try:
            found = _MEANINGS[type(layer)](layer, given)
        except KeyError as error:
            what = f"{name} is a {type(layer).__name__}, and {module} has no {error.args[0]}"
            raise zg.ArgumentError(what, help=f"it has {', '.join(given)}") from None
        for key, target in zg.named_leaves(layer, np.ndarray):
            check_fits(f"{name}.{key}", target, found[key], f"{module} of the state_dict")
            copies.append((target, found[key]))
    for target, array in copies:
        target[...] = array


def _modules(state_dict: Mapping[str, Any]) -> dict[str, Arrays]:
    """The arrays of each module of PyTorch, by their names in it."""
    found: dict[str, Arrays] = {}
    for key, value in state_dict.items():
        module, _, name = key.rpartition(".")
        if module.rpartition(".")[2] == "out_proj":  # a part of attention
            module, name = module.removesuffix("out_proj").removesuffix("."), f"out_proj.{name}"
        if name != "num_batches_tracked":
            found.setdefault(module, {})[name] = np.asarray(value)
    return found


def _layers(part: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The layers of a model that have parameters, in PyTorch's order."""
    if isinstance(part, nn.TransformerBlock):
        parts = {
            "attention": part.attention,
            "network.layers[0]": part.network[0],
            "network.layers[1]": part.network[1],
        }
        parts |= {"attention_norm": part.attention_norm, "network_norm": part.network_norm}
        pairs = [(f".{key}", item) for key, item in parts.items()]
    elif type(part) in _MEANINGS:
        yield name.removeprefix("."), part
        return
    elif isinstance(part, dict):
        pairs = [(f"[{key!r}]", item) for key, item in part.items()]
    elif isinstance(part, tuple | list):
        pairs = [(f"[{k}]", item) for k, item in enumerate(part)]
    elif is_dataclass(part):
        pairs = [(f".{f.name}", getattr(part, f.name)) for f in fields(part)]
    else:
        pairs = []
        if isinstance(part, np.ndarray):
            raise zg.ArgumentError(f"{name.removeprefix('.')} is an array outside the layers that are known")
    for key, item in pairs:
        yield from _layers(item, name + key)


# -- what the arrays of a module mean --------------------------------------------------------------------------------


def _dense(layer: Any, given: Arrays) -> Arrays:
    return {"weight": given["weight"].T} | _bias(layer, given)


def _bias(layer: Any, given: Arrays) -> Arrays:
    return {} if layer.bias is None else {"bias": given["bias"]}


def _conv(layer: Any, given: Arrays) -> Arrays:
    weight = given["weight"]  # (outputs, inputs, *kernel)
    return {"weight": weight.transpose(*range(2, weight.ndim), 1, 0)} | _bias(layer, given)


def _conv_transpose(layer: Any, given: Arrays) -> Arrays:
    parts = np.split(given["weight"], layer.groups)  # (inputs, outputs, *kernel) of each group
    weight = np.concatenate(parts, axis=1)
    return {"weight": weight.transpose(*range(2, weight.ndim), 0, 1)} | _bias(layer, given)


def _embedding(layer: Any, given: Arrays) -> Arrays:
    return {"weight": given["weight"]}


def _norm(layer: Any, given: Arrays) -> Arrays:
    names = {"scale": "weight", "shift": "bias", "mean": "running_mean", "variance": "running_var"}
    return {ours: given[theirs] for ours, theirs in names.items() if hasattr(layer, ours)}


def _recurrent(layer: Any, given: Arrays) -> Arrays:
    weights = {"weight": given["weight_ih_l0"].T, "recurrent": given["weight_hh_l0"].T}
    if hasattr(layer, "recurrent_bias"):
        return weights | {"bias": given["bias_ih_l0"], "recurrent_bias": given["bias_hh_l0"]}
    return weights | {"bias": given["bias_ih_l0"] + given["bias_hh_l0"]}


def _attention(layer: Any, given: Arrays) -> Arrays:
    names = ("query", "key", "value")
    found = {f"{n}.weight": w.T for n, w in zip(names, np.split(given["in_proj_weight"], 3), strict=True)}
    found["out.weight"] = given["out_proj.weight"].T
    if layer.out.bias is not None:
        found |= {f"{n}.bias": b for n, b in zip(names, np.split(given["in_proj_bias"], 3), strict=True)}
        found["out.bias"] = given["out_proj.bias"]
    return found


_MEANINGS: dict[type, Callable[[Any, Arrays], Arrays]] = {
    nn.Dense: _dense,
    nn.Conv: _conv,
    nn.ConvTranspose: _conv_transpose,
    nn.Embedding: _embedding,
    nn.MultiHeadAttention: _attention,
}
_MEANINGS |= dict.fromkeys((nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.InstanceNorm, nn.BatchNorm), _norm)
_MEANINGS |= dict.fromkeys((nn.RNN, nn.LSTM, nn.GRU), _recurrent)
