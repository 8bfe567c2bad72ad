"""Tools for models: summaries, flat vectors, files."""

from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from zygopy import models, nn


class Affine(NamedTuple):
    weight: np.ndarray
    shift: float = 0.5


def chain():
    return nn.Chain(nn.Dense(3, 4, np.tanh, rng=1), nn.Dense(4, 2, bias=False, rng=2))


def test_summaries():
    assert models.summary(chain()) == "Chain(Dense(3, 4, tanh), Dense(4, 2, bias=False))  # 24 parameters, 96 bytes"
    large = nn.Chain(hidden=nn.Dense(784, 128, nn.relu, rng=0), inner=chain(), out=nn.Dense(128, 10, rng=1))
    assert models.summary(large) == (
        "Chain(\n"
        "    hidden=Dense(784, 128, relu),                           # 100,480 parameters\n"
        "    inner=Chain(Dense(3, 4, tanh), Dense(4, 2, bias=False)),  # 24 parameters\n"
        "    out=Dense(128, 10),                                     # 1,290 parameters\n"
        ")  # 101,794 parameters, 397.6 KiB"
    ).replace("relu),  ", "relu),    ").replace("10),  ", "10),    ")
    assert models.summary((np.ones(2),)) == "((2,),)  # 2 parameters, 16 bytes"
    assert models.summary([Affine(np.ones((2, 3)))]) == "[Affine(weight=(2, 3), shift=0.5)]  # 6 parameters, 48 bytes"


def test_flat_vectors_and_back():
    model = chain()
    vector, rebuild = models.destructure(model)
    assert vector.dtype == np.float32
    assert vector.size == models.count(model) == 24
    again = rebuild(vector)
    assert all(np.array_equal(a, b) for a, b in zip(zg.leaves(again), zg.leaves(model), strict=True))
    x = np.ones((5, 3), np.float32)

    def loss(model):
        return np.sum(model(x) ** 2)

    flat = zg.grad(lambda v: loss(rebuild(v)), backend="python")(vector)
    by_layers, _ = models.destructure(zg.grad(loss, backend="python")(model))
    assert np.allclose(flat, by_layers, rtol=1e-5)
    with pytest.raises(ValueError, match="^the vector has 23 elements, the parameters of the model have 24 together$"):
        rebuild(vector[:-1])


def test_conversion():
    double = models.convert({"m": chain(), "n": np.array([1, 2])}, np.float64)
    assert {leaf.dtype for leaf in zg.leaves(double)} == {np.dtype(np.float64)}
    assert double["n"].dtype == np.int64
    with pytest.raises(zg.DtypeError, match="^parameters are floats, not int64\nhelp: use np.float32 or np.float64$"):
        models.convert(chain(), int)


def test_sizes_of_dicts():
    found = models.outputsize(lambda x: {"half": x[:, ::2], "rows": (x, x.sum(1))}, (7, 4))
    assert found == {"half": (7, 2), "rows": ((7, 4), (7,))}
    with pytest.raises(zg.ArgumentError, match="^the shapes of the inputs are missing"):
        models.outputsize(np.tanh)


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_saved_models_come_back(tmp_path, suffix):
    if suffix == "safetensors":
        pytest.importorskip("safetensors")
    path = tmp_path / f"model.{suffix}"
    tree = {"model": chain(), "count": np.array([3]), "t": np.arange(6.0).reshape(2, 3).T}
    models.save(path, tree)
    other = zg.map_leaves(np.zeros_like, tree, kind=np.ndarray)
    models.load(path, other)
    for (name, a), (_, b) in zip(zg.named_leaves(tree, np.ndarray), zg.named_leaves(other, np.ndarray), strict=True):
        assert np.array_equal(a, b), name


def test_files_that_do_not_fit_change_nothing(tmp_path):
    path = tmp_path / "model.npz"
    models.save(path, [np.ones(2), np.ones((2, 2)), np.ones(3)])
    target = [np.zeros(2), np.zeros((2, 3)), np.zeros(3)]
    with pytest.raises(zg.ShapeError) as raised:
        models.load(path, target)
    assert str(raised.value) == (
        "[1] has shape (2, 2) in model.npz, the model's has (2, 3)\n"
        "help: make the model with the sizes of the one that was saved"
    )
    assert target[0].tolist() == [0.0, 0.0]
    with pytest.raises(zg.ArgumentError, match="model.npz lacks \\[3\\]\nhelp: it has \\[0\\], \\[1\\], \\[2\\]"):
        models.load(path, [*target, np.zeros(1)])
    with pytest.raises(zg.ArgumentError, match="model.npz has \\[2\\], which the model lacks"):
        models.load(path, target[:2])
    with pytest.raises(zg.DtypeError, match="\\[0\\] is an array of float64 in model.npz, the model's is one of int64"):
        models.load(path, [np.zeros(2, int), np.zeros((2, 2)), np.zeros(3)])
    with pytest.raises(zg.ArgumentError, match="files of the kind '.pkl' are not supported"):
        models.save(tmp_path / "model.pkl", target)


# -- weights of PyTorch ----------------------------------------------------------------------------------------------


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def pytorch_cases(torch):
    """Layers of ours and of PyTorch, an input of ours, and what takes an output of theirs to ours."""
    t, rng = torch.nn, np.random.default_rng(0)
    flat, image = rng.normal(size=(4, 6)), rng.normal(size=(2, 7, 6, 4))
    steps = rng.normal(size=(2, 5, 6))
    last = lambda y: np.moveaxis(y, 1, -1)  # noqa: E731
    same = lambda y: y  # noqa: E731
    first = lambda y: y[0]  # noqa: E731
    dense = nn.Chain(nn.Dense(6, 5, np.tanh, rng=0), nn.LayerNorm(5), nn.Dense(5, 2, rng=1))
    yield dense, t.Sequential(t.Linear(6, 5), t.Tanh(), t.LayerNorm(5), t.Linear(5, 2)), flat, same, same
    conv = nn.Chain(nn.Conv((3, 2), 4, 6, groups=2, stride=2, rng=0), nn.BatchNorm(6))
    yield conv, t.Sequential(t.Conv2d(4, 6, (3, 2), 2, groups=2), t.BatchNorm2d(6)), image, channels_first, last
    back = nn.ConvTranspose((2, 3), 4, 6, groups=2, stride=2, rng=0)
    yield back, t.ConvTranspose2d(4, 6, (2, 3), 2, groups=2), image, channels_first, last
    for name in ("RNN", "LSTM", "GRU"):
        yield getattr(nn, name)(6, 3, rng=0), getattr(t, name)(6, 3, batch_first=True), steps, same, first
    block = t.TransformerEncoderLayer(6, 2, 8, 0.0, "gelu", batch_first=True, norm_first=True)
    yield nn.TransformerBlock(6, 2, 8, rng=0), block, steps, same, same


def test_weights_of_pytorch():
    """The same outputs from the same weights, in plain NumPy."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    for ours, theirs, x, given, found in pytorch_cases(torch):
        theirs = theirs.double().eval()
        with torch.no_grad():
            for buffer in theirs.buffers():
                if buffer.dtype == torch.float64:
                    buffer += 0.5
            for parameter in theirs.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            y = theirs(torch.tensor(given(x).copy()))
            expected = found(y.numpy() if isinstance(y, torch.Tensor) else [y[0].numpy()])
        model = models.convert(ours, np.float64)
        models.load_pytorch(model, theirs.state_dict())
        assert np.allclose(model(x), expected, rtol=1e-9, atol=1e-9), ours


def test_weights_of_pytorch_that_do_not_fit():
    model = chain()
    good = {"0.weight": np.ones((4, 3)), "0.bias": np.ones(4), "2.weight": np.ones((2, 4))}
    with pytest.raises(zg.ShapeError) as raised:
        models.load_pytorch(model, good | {"2.weight": np.ones((2, 5))})
    assert str(raised.value) == (
        "layers[1].weight has shape (5, 2) in 2 of the state_dict, the model's has (4, 2)\n"
        "help: make the model with the sizes of the one that was saved"
    )
    assert not np.all(model[0].weight == 1.0)
    with pytest.raises(zg.ArgumentError) as raised:
        models.load_pytorch(model, {"0.weight": np.ones((4, 3))})
    assert str(raised.value) == (
        "the model has 2 layers with parameters, the state_dict has 1\n"
        "why:  the model's are layers[0] (Dense), layers[1] (Dense); those of the state_dict are 0"
    )
    with pytest.raises(zg.ArgumentError) as raised:
        models.load_pytorch(model, {"0.weight": np.ones((4, 3)), "2.weight": np.ones((2, 4))})
    assert str(raised.value) == "layers[0] is a Dense, and 0 has no bias\nhelp: it has weight"
    models.load_pytorch(model, good)
    assert all(np.all(leaf == 1.0) for leaf in zg.leaves(model))
