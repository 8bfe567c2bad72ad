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
    with pytest.raises(ValueError, match="another length"):
        rebuild(vector[:-1])


def test_conversion():
    double = models.convert({"m": chain(), "n": np.array([1, 2])}, np.float64)
    assert {leaf.dtype for leaf in zg.leaves(double)} == {np.dtype(np.float64)}
    assert double["n"].dtype == np.int64


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
