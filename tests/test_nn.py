"""The layer library: each layer beside PyTorch's and beside finite differences of the plain function.

Cannot see errors below 1e-10 of a result's largest number in float64, and 1e-5 in float32.
"""

import copy
import dataclasses

import numpy as np
import pytest

import zygopy as zg
from tests.nn_rows import ROWS
from zygopy import nn


def converted(value, leaf):
    """A structure with leaf(array) in the place of each array of floats."""
    if isinstance(value, np.ndarray):
        return leaf(value) if value.dtype.kind == "f" else value
    if isinstance(value, tuple | list):
        return type(value)(converted(v, leaf) for v in value)
    if isinstance(value, dict):
        return {k: converted(v, leaf) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = copy.copy(value)
        for f in dataclasses.fields(value):
            setattr(value, f.name, converted(getattr(value, f.name), leaf))
    return value


def arrays(value) -> list[np.ndarray]:
    """The arrays of floats in a structure."""
    found: list[np.ndarray] = []
    converted(value, lambda a: found.append(a) or a)
    return found


def inputs_of(row, dtype) -> tuple:
    rng = np.random.default_rng(1)
    return tuple(rng.normal(size=i).astype(dtype) if isinstance(i, tuple) else i for i in row.inputs)


def layer_of(row, dtype):
    """The row's layer, with parameters that are neither zeros nor ones."""
    rng = np.random.default_rng(2)
    return converted(row.layer, lambda a: (a + 0.3 * rng.uniform(size=a.shape)).astype(dtype))


def weighted(layer, inputs):
    """A number that depends on each element of the result in its own way."""
    y = layer(*inputs)
    return np.sum(y * np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))


def argnums_of(layer, inputs) -> tuple:
    """What `weighted` is differentiated with respect to: the layer and its inputs, as far as they are floats."""
    return (0,) * bool(arrays(layer)) + (1,) * (inputs[0].dtype.kind == "f")


def vector(value) -> np.ndarray:
    """All arrays of a structure, one behind the other."""
    return np.concatenate([a.ravel() for a in arrays(value)] or [np.zeros(0)])


def refilled(value, numbers):
    """A structure with the numbers of a vector in its arrays."""
    rest = iter(numbers)
    return converted(value, lambda a: np.array([next(rest) for _ in range(a.size)]).reshape(a.shape))


def differences(layer, inputs, argnums) -> np.ndarray:
    """Central differences of the plain function, run by NumPy."""
    start = vector([(layer, inputs)[k] for k in argnums])

    def value(numbers):
        own = refilled([(layer, inputs)[k] for k in argnums], numbers)
        found = dict(zip(argnums, own, strict=True))
        return weighted(found.get(0, layer), found.get(1, inputs))

    steps = 1e-5 * np.eye(len(start))
    return np.array([(value(start + step) - value(start - step)) / 2e-5 for step in steps])


def close(found, wanted, tolerance):
    scale = max(np.max(np.abs(wanted), initial=0.0), 1.0)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_against_finite_differences(row):
    """float64, on the python backend: the derivatives of all parameters and inputs."""
    layer, inputs = layer_of(row, np.float64), inputs_of(row, np.float64)
    argnums = argnums_of(layer, inputs)
    value, gradient = zg.value_and_grad(weighted, argnums, backend="python")(layer, inputs)
    close(value, weighted(layer, inputs), 1e-12)
    close(vector(gradient), differences(layer, inputs, argnums), 1e-6)


SAMPLE = [next(row for row in ROWS if type(row.layer) is kind) for kind in (nn.Conv, nn.LSTM, nn.MultiHeadAttention)]


@pytest.mark.parametrize("row", SAMPLE, ids=str)
def test_native_code_agrees(row):
    layer, inputs = layer_of(row, np.float32), inputs_of(row, np.float32)
    argnums = argnums_of(layer, inputs)
    value, gradient = zg.value_and_grad(weighted, argnums)(layer, inputs)
    close(value, weighted(layer, inputs), 1e-5)
    wanted = zg.grad(weighted, argnums, backend="python")(layer_of(row, np.float64), inputs_of(row, np.float64))
    for g, w in zip(arrays(gradient), arrays(wanted), strict=True):
        assert g.dtype == np.float32
        close(g, w, 2e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_against_torch(row, dtype):
    torch = pytest.importorskip("torch")
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    layer, inputs = layer_of(row, dtype), inputs_of(row, dtype)
    argnums = argnums_of(layer, inputs)

    def tensor(a):
        return torch.tensor(a, requires_grad=a.dtype.kind == "f")

    tensors = converted(layer, tensor), tuple(map(tensor, inputs))
    y = row.torch(torch, tensors[0], *tensors[1])
    close(layer(*inputs), y.detach().numpy(), tolerance)
    (y * torch.tensor(np.cos(np.arange(y.numel())).reshape(y.shape).astype(dtype))).sum().backward()
    gradient = zg.grad(weighted, argnums, backend="python")(layer, inputs)
    own = [t for k in argnums for t in tensors_in(tensors[k])]
    for g, t in zip(arrays(gradient), own, strict=True):
        assert g.dtype == dtype
        close(g, t.grad.numpy() if t.grad is not None else np.zeros(t.shape), tolerance)


def tensors_in(value) -> list:
    """The tensors of floats in a structure."""
    if hasattr(value, "requires_grad"):
        return [value] if value.requires_grad else []
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, f.name) for f in dataclasses.fields(value)]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for v in value for t in tensors_in(v)] if isinstance(value, tuple | list) else []


@pytest.mark.parametrize("backend", [None, "python", "cpu"])
def test_images_without_a_batch(backend):
    layer = nn.Conv((3, 3), 1, 2, rng=0)
    call = layer if backend is None else zg.jit(layer, backend=backend)
    message = "a kernel of 2 lengths takes x of 4 axes .batch, .lengths, channels., not of 3"
    with pytest.raises(ValueError, match=message):
        call(np.zeros((8, 8, 1), np.float32))


def test_every_layer_has_a_row():
    layers = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert layers - {type(row.layer).__name__ for row in ROWS} == {"Dropout"}
