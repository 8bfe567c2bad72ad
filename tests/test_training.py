"""Training: the loop, the compiled step, data, callbacks, and what is said of a loss that is not finite."""

from dataclasses import dataclass, field

import numpy as np
import pytest

import zygopy as zg
from zygopy import models, nn, optim, training

X = np.linspace(-1.0, 1.0, 12)[:, None]
Y = np.sin(3.0 * X)


def network(activation=np.tanh):
    chain = nn.Chain(nn.Dense(1, 4, activation, rng=1), nn.Dense(4, 1, rng=2))
    return models.convert(chain, np.float64)


def loss(model, x, y):
    return np.mean((model(x) - y) ** 2)


def by_hand(model, x, y, rate):
    """One step of gradient descent in NumPy, with the gradient written out; gives the loss before."""
    first, second = model[0], model[1]
    h = np.tanh(x @ first.weight + first.bias)
    error = h @ second.weight + second.bias - y
    e = 2.0 * error / error.size
    d = (e @ second.weight.T) * (1.0 - h * h)
    for array, gradient in (
        (second.weight, h.T @ e),
        (second.bias, e.sum(axis=0)),
        (first.weight, x.T @ d),
        (first.bias, d.sum(axis=0)),
    ):
        array -= rate * gradient
    return np.mean(error**2)


def test_training_is_gradient_descent():
    """The loop, the compiled gradient and the update, against NumPy with a gradient by hand."""
    ours, theirs = network(), network()
    data = training.DataLoader((X, Y), batch=5)
    history = training.train(loss, ours, data, optim.Descent(0.1), epochs=4)
    expected = [by_hand(theirs, x, y, 0.1) for _ in range(4) for x, y in data]
    assert np.allclose(history.losses, expected, rtol=1e-12)
    for a, b in zip(zg.leaves(ours), zg.leaves(theirs), strict=True):
        assert np.allclose(a, b, rtol=1e-12)
    assert np.allclose(history.epochs, np.reshape(expected, (4, 3)).mean(axis=1))
    again = training.train(loss, ours, data, history.state)
    assert [part.count[0] for part in optim.parts_of(again.state)] == [15] * 4


def test_data_that_ends_is_refused():
    batches = ((X, Y) for _ in range(2))
    with pytest.raises(zg.ArgumentError) as raised:
        training.train(loss, network(), batches, optim.Descent(0.1), epochs=2)
    assert str(raised.value) == (
        "the data gives no batches in epoch 2\nhelp: a generator gives them once only: use a list or a DataLoader"
    )


def test_steps_in_parts_do_the_same():
    fused, parted = network(), network()
    for model, step in (
        (fused, training.training_step(loss, backend="python")),
        (parted, training.training_step(loss, fused=False, backend="python")),
    ):
        state = optim.setup(optim.Momentum(0.1), model)
        values = [step(state, model, X, Y) for _ in range(3)]
        assert values[2] < values[0]
    assert all(np.allclose(a, b, rtol=1e-13) for a, b in zip(zg.leaves(fused), zg.leaves(parted), strict=True))


def test_frozen_parameters_have_no_gradient_in_the_step():
    model = network()
    state = optim.setup(optim.Descent(0.1), model)
    step = training.training_step(loss, backend="python")
    optim.freeze(state.parts[0])
    assert "weight_bar" in str(step.source(state, model, X, Y))
    assert "model_layers_0_weight_bar" not in str(step.source(state, model, X, Y))
    before = model[0].weight.copy()
    step(state, model, X, Y)
    assert np.array_equal(model[0].weight, before)


def test_a_state_of_another_model_is_refused():
    state = optim.setup(optim.Descent(0.1), [np.ones(1)])
    with pytest.raises((zg.ZygopyError, ValueError)):
        training.training_step(loss, backend="python")(state, network(), X, Y)


def test_arrays_that_are_shared_are_refused():
    model = network()
    model[1].bias = model[0].bias[:1]
    with pytest.raises(zg.OverlapError, match="model.layers\\[0\\].bias is stored into and shares memory with another"):
        training.train(loss, model, [(X, Y)], optim.Descent(0.1))


@dataclass
class Centred:
    """A layer with a running mean."""

    scale: np.ndarray
    mean: np.ndarray = field(metadata={"state": True})

    def __call__(self, x):
        return self.scale * (x - self.mean)

    def train(self, x):
        mean = np.mean(x, axis=0)
        return self.scale * (x - mean), Centred(self.scale, 0.5 * self.mean + 0.5 * mean)


def centred_loss(model, x):
    y, layer = model["layer"].train(x)
    return np.mean(y**4), {"layer": layer}


def test_the_state_of_a_model_is_kept_and_not_trained():
    model = {"layer": Centred(np.ones(1), np.zeros(1))}
    state = optim.setup(optim.Descent(0.01), model)
    step = training.training_step(centred_loss, True, backend="python")
    means = []
    for _ in range(3):
        value = step(state, model, X + 1.0)
        means.append(float(model["layer"].mean[0]))
    assert means == pytest.approx([0.5, 0.75, 0.875])
    assert [leaf.shape for leaf in zg.state_leaves(model)] == [(1,)]
    assert model["layer"].scale < 1.0
    assert value < np.mean(X**4)
    assert len(optim.parts_of(state)) == 1


# -- losses that are not finite --------------------------------------------------------------------------------------


def test_the_layer_of_a_loss_that_is_not_finite_is_named():
    model = network(np.log)
    before = [leaf.copy() for leaf in zg.leaves(model)]
    with pytest.raises(zg.NonFiniteError) as raised:
        training.train(loss, model, [(X, Y)], optim.Adam())
    with np.errstate(invalid="ignore"):
        count = int(np.isnan(model[0](X)).sum())
    assert str(raised.value) == (
        "the loss is nan at update 1: it arose in model.layers[0], a Dense\n"
        f"why:  its output has {count} of 48 elements that are not finite; its input is between -1 and 1\n"
        "help: lower the rate, or clip the gradient: optim.Chain(optim.ClipNorm(1.0), ...)"
    )
    assert raised.value.step == 1
    assert raised.value.batch[0] is X
    assert all(np.array_equal(a, b) for a, b in zip(before, zg.leaves(model), strict=True))


def not_finite(model, *batch, of=loss) -> str:
    from zygopy.training.nonfinite import non_finite_error

    return str(non_finite_error(of, model, batch, np.inf, 7)).split("\n")[0]


def trained_loss(model, x):
    return np.sum(nn.train(model, x, 1)[0])


def run_loss(model, x):
    return np.sum(model[0].run(x, np.full((len(x), 2), 1e308))[0])


def test_the_layer_is_named_in_nested_models():
    deep = nn.Chain(nn.Scale(1), nn.SkipConnection(nn.Chain(a=nn.MaxPool((1,)), b=nn.Scale(1, activation=np.log))))
    told = "the loss is inf at update 7: it arose in model.layers[1].layer.layers['b'], a Scale"
    assert not_finite(deep, -np.ones((2, 3, 1)), of=lambda model, x: np.sum(model(x))) == told
    assert not_finite(deep, -np.ones((2, 3, 1)), of=trained_loss) == told
    recurrent = nn.Chain(nn.RNN(1, 2, lambda x: 2.0 * x, rng=0))
    recurrent[0].recurrent[:] = 9.0
    told = "the loss is inf at update 7: it arose in model.layers[0], a RNN"
    assert not_finite(recurrent, np.ones((1, 2, 1)), of=run_loss) == told
    batch_norm = nn.Chain(nn.BatchNorm(1), nn.BatchNorm(1, eps=-2.0))
    told = "the loss is inf at update 7: it arose in model.layers[1], a BatchNorm"
    assert not_finite(batch_norm, np.array([[1.0], [3.0]]), of=trained_loss) == told


def test_other_causes_of_a_loss_that_is_not_finite():
    model = network()
    bad = Y.copy()
    bad[3] = np.inf
    assert not_finite(model, X, bad) == "the loss is inf at update 7: batch[1] has 1 of 12 elements that are not finite"
    at_end = "all layers give finite values, so it arose in the loss itself"
    assert not_finite(model, X, 1e200 * Y) == f"the loss is inf at update 7: {at_end}"
    model[1].weight[:] = np.nan
    told = "model.layers[1].weight has 4 of 4 elements that are not finite"
    assert not_finite(model, X, Y) == f"the loss is inf at update 7: {told}"


# -- data ------------------------------------------------------------------------------------------------------------


def test_batches_of_nested_arrays():
    data = {"x": np.arange(7), "more": (np.arange(7.0)[:, None], "a text")}
    batches = list(training.DataLoader(data, 3))
    assert [b["x"].tolist() for b in batches] == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches[2]["more"][0].shape == (1, 1)
    dropping = training.DataLoader(data, 3, last="drop")
    assert len(dropping) == len(list(dropping)) == 2


def test_shuffled_batches_have_all_samples_and_a_new_order():
    loader = training.DataLoader((np.arange(20), np.arange(20) * 2), 6, rng=0)
    passes = [[np.concatenate(part) for part in zip(*loader, strict=True)] for _ in range(2)]
    for first, second in passes:
        assert sorted(first) == list(range(20))
        assert np.array_equal(second, 2 * first)
    assert not np.array_equal(passes[0][0], passes[1][0])


def test_data_that_does_not_fit_is_refused():
    with pytest.raises(zg.ShapeError) as raised:
        training.DataLoader((np.ones(3), np.ones(4)))
    assert str(raised.value) == (
        "the arrays have different numbers of samples: data[0] has 3, data[1] has 4\n"
        "help: give all of them one first axis"
    )
    with pytest.raises(zg.ArgumentError, match="a batch of 2.5 samples is none"):
        training.DataLoader(X, 2.5)
    with pytest.raises(zg.ArgumentError, match="last='no' is not known"):
        training.DataLoader(X, last="no")
    with pytest.raises(zg.ArgumentError, match="labels from 0 to 3 do not fit 3 classes"):
        training.one_hot(np.array([0, 3]), 3)
    with pytest.raises(zg.DtypeError, match="labels are ints, not float64"):
        training.one_hot(np.ones(2), 3)


def test_splits_divide_the_samples():
    parts = training.split((np.arange(10), -np.arange(10)), (0.5, 0.3), rng=1)
    same = training.split((np.arange(10), -np.arange(10)), (0.5, 0.3), np.random.default_rng(1))
    assert np.array_equal(parts[0][0], same[0][0])
    assert [len(a) for a, _ in parts] == [5, 3, 2]
    assert sorted(np.concatenate([a for a, _ in parts])) == list(range(10))
    assert all(np.array_equal(a, -b) for a, b in parts)
    with pytest.raises(zg.ArgumentError, match="no fractions of the samples"):
        training.split(X, 1.5)


def test_one_hot_and_back():
    labels = np.array([[2, 0], [1, 1]])
    rows = training.one_hot(labels, 3)
    assert rows.shape == (2, 2, 3)
    assert rows.dtype == np.float32
    assert np.array_equal(training.one_cold(rows), labels)


# -- callbacks -------------------------------------------------------------------------------------------------------


def run(callbacks, losses):
    """Epochs with these losses, until a callback ends them; the history."""
    model = {"w": np.zeros(1)}
    history = training.History(model, optim.setup(optim.Adam(0.1), model))
    for value in losses:
        history.epochs.append(value)
        model["w"][:] = value
        if sum(callback(history) for callback in callbacks):
            break
    return history


def test_early_stopping_waits_and_restores():
    losses = [3.0, 2.0, 2.5, 1.99, 2.2, 2.3, 9.0]
    assert len(run([training.EarlyStopping(2)], losses).epochs) == 6
    history = run([training.EarlyStopping(2, margin=0.1, restore=True)], losses)
    assert len(history.epochs) == 4
    assert history.model["w"] == 2.0


def test_a_plateau_reduces_the_rate_of_each_part():
    history = run([training.ReduceRate(0.5, 1)], [1.0, 2.0, 0.5, 0.6, 0.7])
    assert optim.rate_of(optim.parts_of(history.state)[0]) == pytest.approx(0.1 * 0.5**3)


def test_measures_and_checkpoints(tmp_path):
    path = tmp_path / "best.npz"
    measure = training.Measure("minus", lambda model: -model["w"][0])
    history = run([measure, training.Checkpoint(path, "minus", best=True, largest=True)], [3.0, 1.0, 2.0])
    assert history.measured == {"minus": [-3.0, -1.0, -2.0]}
    models.load(path, saved := {"w": np.zeros(1)})
    assert saved["w"] == 1.0
    assert [file.name for file in tmp_path.iterdir()] == ["best.npz"]
    with pytest.raises(zg.ArgumentError, match="nothing has measured 'other'"):
        run([training.EarlyStopping(2, "other")], [1.0])


def test_the_bar_shows_loss_and_rate(capsys):
    training.train(loss, network(), [(X, Y)] * 3, optim.Descent(0.125), progress=True)
    out = capsys.readouterr().out
    assert "3/3" in out
    assert "rate 0.125" in out
