"""Activations, losses, initialisers, layers while they are trained: beside PyTorch and finite differences."""

import inspect
import re
from functools import partial

import numpy as np
import pytest

import zygopy as zg
from zygopy import models, nn

ACTIVATIONS = {
    "celu": "celu",
    "elu": "elu",
    "gelu": "gelu",
    "gelu_tanh": "gelu",
    "hardsigmoid": "hardsigmoid",
    "hardswish": "hardswish",
    "hardtanh": "hardtanh",
    "leaky_relu": "leaky_relu",
    "log_sigmoid": "logsigmoid",
    "log_softmax": "log_softmax",
    "mish": "mish",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "softmax": "softmax",
    "softplus": "softplus",
    "softshrink": "softshrink",
    "softsign": "softsign",
    "swish": "silu",
    "tanh": "tanh",
    "tanhshrink": "tanhshrink",
}
EXTREME = np.array([[-1e4, -30.0, 0.0, 30.0, 1e4]], np.float32)


def weighted(f, x):
    y = f(x)
    return np.sum(y * np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    """Finite differences, a number as argument, and no nan at extreme inputs."""
    f, x = getattr(nn, name), np.random.default_rng(0).normal(size=(3, 4)) * 2.0
    zg.check_grads(lambda x: weighted(f, x), (x,), order=1, backend="python")
    value, slope = zg.value_and_grad(weighted, 1, backend="python")(f, EXTREME)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()
    assert slope.dtype == f(EXTREME).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_activations_against_torch(dtype):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype) * 2
    x[0, 0] = 0.0
    for name, other in ACTIVATIONS.items():
        more = {"approximate": "tanh"} if name == "gelu_tanh" else {"dim": -1} if "softmax" in name else {}
        f, t = getattr(nn, name), torch.tensor(x, requires_grad=True)
        y = getattr(torch.nn.functional, other)(t, **more)
        (y * torch.tensor(np.cos(np.arange(y.numel())).reshape(y.shape).astype(dtype))).sum().backward()
        slope = zg.grad(weighted, 1, backend="python")(f, x)
        tolerance = 1e-12 if dtype == np.float64 else 3e-6
        np.testing.assert_allclose(f(x), y.detach().numpy(), atol=tolerance, err_msg=name)
        keeps = slice(1, None) if name in ("hardtanh", "hardswish", "softshrink") else slice(None)  # of the elements
        np.testing.assert_allclose(slope.ravel()[keeps], t.grad.numpy().ravel()[keeps], atol=tolerance, err_msg=name)


RANDOM = np.random.default_rng(0)
LOGITS, OTHER = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 3))
SHARES = nn.softmax(OTHER)
CLASSES = np.array([0, 2, 1, 2])
ONE_HOT = np.eye(3)[CLASSES]
BITS = (OTHER > 0).astype(float)
PROBABILITIES = nn.sigmoid(LOGITS)
LOSSES = {
    "mse": (LOGITS, OTHER, lambda f, x, y: f.mse_loss(x, y)),
    "mae": (LOGITS, OTHER, lambda f, x, y: f.l1_loss(x, y)),
    "huber": (2 * LOGITS, OTHER, lambda f, x, y: f.huber_loss(x, y)),
    "msle": (PROBABILITIES, BITS, lambda f, x, y: f.mse_loss(x.log1p(), y.log1p())),
    "crossentropy": (nn.softmax(LOGITS), ONE_HOT, lambda f, x, y: -(y * (x + 1e-7).log()).sum(1).mean()),
    "logit_crossentropy": (LOGITS, SHARES, lambda f, x, y: f.cross_entropy(x, y)),
    "logit_crossentropy of integers": (LOGITS, CLASSES, lambda f, x, y: f.cross_entropy(x, y)),
    "binary_crossentropy": (PROBABILITIES, BITS, lambda f, x, y: f.binary_cross_entropy(x + 0, y)),
    "logit_binary_crossentropy": (LOGITS, BITS, lambda f, x, y: f.binary_cross_entropy_with_logits(x, y)),
    "kl_divergence": (nn.softmax(LOGITS), SHARES, lambda f, x, y: f.kl_div(x.log(), y, reduction="batchmean")),
    "hinge": (LOGITS, 2 * BITS - 1, lambda f, x, y: (1 - y * x).clamp(min=0).mean()),
    "squared_hinge": (LOGITS, 2 * BITS - 1, lambda f, x, y: ((1 - y * x).clamp(min=0) ** 2).mean()),
    "poisson": (PROBABILITIES, 3 * BITS, lambda f, x, y: f.poisson_nll_loss(x, y, log_input=False)),
    "focal": (nn.softmax(LOGITS), ONE_HOT, lambda f, x, y: -(y * (1 - x) ** 2 * x.log()).sum(1).mean()),
    "logit_binary_focal": (
        LOGITS,
        BITS,
        lambda f, x, y: ((1 - (p := (x * (2 * y - 1)).sigmoid())) ** 2 * -p.log()).mean(),
    ),
    "cosine_loss": (LOGITS, OTHER, lambda f, x, y: (1 - f.cosine_similarity(x, y)).mean()),
    "contrastive": (
        2 * PROBABILITIES,
        BITS,
        lambda f, x, y: (y * x**2 + (1 - y) * (1 - x).clamp(min=0) ** 2).mean(),
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    f, (x, y, _) = getattr(nn, name.split()[0]), LOSSES[name]
    zg.check_grads(lambda x: f(x, y), (x,), order=1, backend="python")
    samples = f(x, y, agg=nn.identity)
    np.testing.assert_allclose(f(x, y, agg=np.sum), samples.sum(), rtol=1e-14)
    single = zg.grad(f, backend="python")(x.astype(np.float32), y.astype(np.float32) if y.dtype.kind == "f" else y)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, zg.grad(f, backend="python")(x, y), atol=2e-6)


EPS = {"binary_crossentropy": 0.0, "kl_divergence": 0.0, "poisson": 1e-8, "focal": 0.0}  # as in PyTorch


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_against_torch(name, dtype):
    torch = pytest.importorskip("torch")
    f, (x, y, other) = getattr(nn, name.split()[0]), LOSSES[name]
    x, y = x.astype(dtype), y.astype(dtype) if y.dtype.kind == "f" else y
    t = torch.tensor(x, requires_grad=True)
    wanted = other(torch.nn.functional, t, torch.tensor(y))
    wanted.backward()
    f = partial(f, eps=EPS[name]) if name in EPS else f
    value, slope = zg.value_and_grad(lambda x, y: f(x, y), backend="python")(x, y)
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(value, wanted.item(), rtol=tolerance)
    np.testing.assert_allclose(slope, t.grad.numpy(), atol=tolerance)
    assert slope.dtype == dtype


def functions_of(module) -> set:
    """The public functions that a module defines."""
    defined = {name for name, f in vars(module).items() if getattr(f, "__module__", "") == module.__name__}
    return defined & set(nn.__all__)


def test_every_function_has_a_row():
    assert functions_of(nn.activations) - {"identity"} == set(ACTIVATIONS)
    losses = {name for name in nn.__all__ if "agg" in inspect.signature(getattr(nn, name)).parameters}
    assert losses == {name.split()[0] for name in LOSSES} | {"ctc"}  # which has tests of its own
    others = {"fans", "zeros", "ones", "identity_matrix"}  # tested below
    assert functions_of(nn.initialisers) - others == set(VARIANCES)


UNIT = np.array([[0.0, 1.0, 0.5, 1.0, 0.0]], np.float32)
WORST = {
    **dict.fromkeys(("mse", "mae", "huber", "cosine_loss"), (EXTREME, EXTREME[:, ::-1].copy())),
    **dict.fromkeys(("hinge", "squared_hinge"), (EXTREME, np.array([[1, -1, 1, -1, 1]], np.float32))),
    **dict.fromkeys(("crossentropy", "binary_crossentropy", "kl_divergence", "focal"), (UNIT, 1 - UNIT)),
    **dict.fromkeys(("msle", "poisson", "contrastive"), (np.abs(EXTREME), UNIT)),
    "logit_crossentropy": (EXTREME, np.array([0])),
    **dict.fromkeys(("logit_binary_crossentropy", "logit_binary_focal"), (EXTREME, UNIT)),
}


def test_losses_are_finite_where_it_is_hard():
    """In float32: predictions and logits of 1e4 and -1e4, probabilities of 0 and 1."""
    assert set(WORST) == {name.split()[0] for name in LOSSES}
    for name, (x, y) in WORST.items():
        value, slope = zg.value_and_grad(getattr(nn, name), backend="python")(x, y)
        assert np.isfinite(value), name
        assert np.isfinite(slope).all(), name
        assert slope.dtype == np.float32


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (nn.logit_crossentropy, np.array([0])),
        (nn.logit_crossentropy, np.eye(5, dtype=np.float32)[[1]]),
        (nn.logit_binary_crossentropy, np.array([[1, 1, 0, 0, 0]], np.float32)),
        (nn.logit_binary_focal, np.array([[1, 1, 0, 0, 0]], np.float32)),
    ],
)
def test_losses_of_extreme_logits(loss, labels):
    """In float32, at logits of 1e4 and -1e4: as in float64."""
    value, slope = zg.value_and_grad(loss, backend="python")(EXTREME, labels)
    wide = labels.astype(float) if labels.dtype.kind == "f" else labels
    wanted, wanted_slope = zg.value_and_grad(loss, backend="python")(EXTREME.astype(float), wide)
    assert np.isfinite(wanted)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    np.testing.assert_allclose(slope, wanted_slope, atol=1e-6)


TEXTS = np.array([[1, 2, 2], [3, 1, 0]])


def test_ctc():
    x, lengths, letters = RANDOM.normal(size=(2, 6, 4)), np.array([6, 5]), np.array([3, 2])
    value, slope = zg.value_and_grad(nn.ctc, backend="python")(x, TEXTS, lengths, letters)
    zg.check_grads(lambda x: nn.ctc(x, TEXTS, lengths, letters), (x,), order=1, backend="python")
    np.testing.assert_allclose(value, nn.ctc(x, TEXTS, lengths, letters))
    np.testing.assert_allclose(slope[1, 5], 0.0)


def test_ctc_of_extreme_logits():
    """In float32: as in float64, though paths of other letters have no probability."""
    x = np.where(RANDOM.normal(size=(2, 6, 4)) > 0, 1e4, -1e4)
    value, slope = zg.value_and_grad(nn.ctc, backend="python")(x.astype(np.float32), TEXTS)
    wanted, wanted_slope = zg.value_and_grad(nn.ctc, backend="python")(x, TEXTS)
    assert np.isfinite(wanted)
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(slope, wanted_slope, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("agg", ["mean", "sum"])
def test_ctc_against_torch(agg, dtype):
    torch = pytest.importorskip("torch")
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    x, lengths, letters = RANDOM.normal(size=(2, 6, 4)).astype(dtype), np.array([6, 5]), np.array([3, 2])
    t = torch.tensor(x, requires_grad=True)
    logs = t.log_softmax(-1).transpose(0, 1)
    wanted = torch.nn.functional.ctc_loss(logs, torch.tensor(TEXTS), tuple(lengths), tuple(letters), reduction="none")
    wanted = getattr(wanted, agg)()
    wanted.backward()
    call = partial(nn.ctc, agg=getattr(np, agg))
    value, slope = zg.value_and_grad(lambda x: call(x, TEXTS, lengths, letters), backend="python")(x)
    np.testing.assert_allclose(value, wanted.item(), rtol=tolerance)
    np.testing.assert_allclose(slope, t.grad.numpy(), atol=tolerance)
    assert slope.dtype == dtype


MISFITS = [
    (nn.mse, (3, 1), np.zeros(3), "predictions of shape (3, 1) do not fit what was wanted, of shape (3,)"),
    (nn.hinge, (3,), np.zeros(4), "predictions of shape (3,) do not fit what was wanted, of shape (4,)"),
    (nn.focal, (3, 2), np.zeros((3, 1)), "predictions of shape (3, 2) do not fit what was wanted, of shape (3, 1)"),
    (
        nn.logit_crossentropy,
        (3, 2),
        np.array([0, 1]),
        "predictions of shape (3, 2) do not fit labels of shape (2,): they are ints of one axis less, or of the "
        "predictions' shape",
    ),
    (nn.logit_crossentropy, (2, 3), np.array([0, -1]), "labels of 3 classes are ints from 0 to 2"),
    (nn.crossentropy, (2, 3), np.array([3, 0]), "labels of 3 classes are ints from 0 to 2"),
    (
        nn.ctc,
        (2, 5, 3),
        np.array([[1, 2]]),
        "ctc takes logits of shape (batch, steps, classes) and labels of shape (batch, letters), not (2, 5, 3) and "
        "(1, 2)",
    ),
]


@pytest.mark.parametrize("how", ["plain", "python"])
@pytest.mark.parametrize(("loss", "shape", "labels", "message"), MISFITS)
def test_labels_that_do_not_fit(loss, shape, labels, message, how):
    """Nothing is broadcast, and no label counts from the end."""
    call = loss if how == "plain" else zg.value_and_grad(loss, backend="python")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(np.zeros(shape), labels)


@pytest.mark.parametrize("name", ["mse", "logit_crossentropy", "logit_binary_crossentropy", "squared_hinge", "focal"])
def test_labels_of_ints_and_bools(name):
    """float32 stays float32, and so is a number in the place of an array."""
    loss, labels = getattr(nn, name), np.array([[True, False], [False, True]])
    x = nn.softmax(RANDOM.normal(size=(2, 2)).astype(np.float32))
    wanted = loss(x, labels.astype(np.float32))
    for given in (labels, labels.astype(int)):
        assert loss(x, given).dtype == np.float32
        np.testing.assert_array_equal(loss(x, given), wanted)
        value, slope = zg.value_and_grad(loss, backend="python")(x, given)
        np.testing.assert_allclose(value, wanted, rtol=1e-6)
        assert slope.dtype == np.float32
    assert nn.mse(0.5, 1.0) == 0.25
    assert nn.mse(x, 1.0).dtype == np.float32


def test_losses_at_edges_have_finite_derivatives():
    zeros, certain = np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0]])
    assert np.isfinite(zg.grad(nn.cosine_loss, backend="python")(zeros, certain)).all()
    slope = zg.grad(lambda x: nn.focal(x, certain, gamma=0.5), backend="python")(certain)
    assert np.isfinite(slope).all()


# -- while they are trained ------------------------------------------------------------------------------------------


def trained_loss(model, x, key):
    y, model = nn.train(model, x, key)
    return weighted(nn.identity, y), model


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_batch_norm_against_torch(dtype):
    """The batch's statistics and their derivatives; the running ones afterwards; the first layer is as it was."""
    torch = pytest.importorskip("torch")
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    x, layer = RANDOM.normal(size=(4, 3, 2)).astype(dtype), models.convert(nn.BatchNorm(2), dtype)
    (gradient, x_bar), after = zg.grad(trained_loss, (0, 1), has_aux=True, backend="python")(layer, x, None)
    t, scale = torch.tensor(x, requires_grad=True), torch.tensor(layer.scale, requires_grad=True)
    mean, variance = torch.tensor(layer.mean), torch.tensor(layer.variance)
    y = torch.nn.functional.batch_norm(t.movedim(-1, 1), mean, variance, scale, None, True, 0.1).movedim(1, -1)
    (y * torch.tensor(np.cos(np.arange(24)).astype(dtype).reshape(4, 3, 2))).sum().backward()
    np.testing.assert_allclose(after.mean, mean.numpy(), atol=tolerance)
    np.testing.assert_allclose(after.variance, variance.numpy(), atol=tolerance)
    np.testing.assert_allclose(x_bar, t.grad.numpy(), atol=tolerance)
    np.testing.assert_allclose(gradient.scale, scale.grad.numpy(), atol=tolerance)
    assert not gradient.mean.any()
    assert not layer.mean.any()


def run_from(layer, x, state):
    found, last = layer.run(x, state)
    return weighted(nn.identity, found) + sum(np.sum(h * h) for h in (last if isinstance(last, tuple) else (last,)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_states_of_sequences_against_torch(kind, dtype):
    """From a given state; the value, and the derivatives of the sequence and that state."""
    torch = pytest.importorskip("torch")
    tolerance = 1e-10 if dtype == np.float64 else 1e-5
    layer, x = models.convert(kind(3, 4, rng=0), dtype), RANDOM.normal(size=(2, 5, 3)).astype(dtype)
    state = tuple(RANDOM.normal(size=(2, 4)).astype(dtype) for _ in range(1 + (kind is nn.LSTM)))
    given = state if kind is nn.LSTM else state[0]
    value, (x_bar, state_bar) = zg.value_and_grad(run_from, (1, 2), backend="python")(layer, x, given)

    theirs = getattr(torch.nn, kind.__name__)(3, 4, batch_first=True, dtype=torch.tensor(x).dtype)
    second = getattr(layer, "recurrent_bias", np.zeros_like(layer.bias))
    arrays = {"weight_ih_l0": layer.weight.T, "weight_hh_l0": layer.recurrent.T, "bias_ih_l0": layer.bias}
    for name, array in (arrays | {"bias_hh_l0": second}).items():
        getattr(theirs, name).data[...] = torch.tensor(array)
    t, first = torch.tensor(x, requires_grad=True), [torch.tensor(h[None], requires_grad=True) for h in state]
    found, last = theirs(t, tuple(first) if kind is nn.LSTM else first[0])
    total = (found * torch.tensor(np.cos(np.arange(40)).reshape(2, 5, 4).astype(dtype))).sum()
    total = total + sum((h * h).sum() for h in (last if kind is nn.LSTM else (last,)))
    total.backward()
    np.testing.assert_allclose(value, total.item(), atol=tolerance * 10)
    np.testing.assert_allclose(x_bar, t.grad.numpy(), atol=tolerance)
    for found_bar, h in zip(state_bar if kind is nn.LSTM else (state_bar,), first, strict=True):
        np.testing.assert_allclose(found_bar, h.grad.numpy()[0], atol=tolerance)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_training_of_a_chain(backend):
    """State is handed on through every layer that is made of layers; compiled code draws what NumPy draws."""
    inner = nn.Chain(nn.BatchNorm(4), nn.Dropout(0.5))
    model = nn.Chain(
        first=nn.Dense(3, 4, nn.relu, rng=0),
        second=nn.SkipConnection(inner),
        third=nn.Parallel(np.add, nn.Dropout(0.25), nn.tanh),
    )
    x = RANDOM.normal(size=(6, 3)).astype(np.float32)
    wanted, after = trained_loss(model, x, 7)
    (value, found), gradient = zg.value_and_grad(trained_loss, has_aux=True, backend=backend)(model, x, 7)
    np.testing.assert_allclose(value, wanted, rtol=1e-4)
    np.testing.assert_allclose(found["second"].layer[0].mean, after["second"].layer[0].mean, rtol=1e-5)
    assert repr(found) == repr(model) == repr(gradient)
    assert not model["second"].layer[0].mean.any()


def product(a, b, c):
    return a * b * c


@pytest.mark.parametrize("make", [nn.Maxout, partial(nn.Parallel, product)], ids=["Maxout", "Parallel"])
def test_training_side_by_side(make):
    """Each layer has a key of its own, and the states of all come back."""
    model, x = make(nn.Chain(nn.BatchNorm(3)), nn.Dropout(0.5), nn.Dropout(0.5)), RANDOM.normal(size=(40, 3)) + 2.0
    value, after = trained_loss(model, x, 3)
    (found, compiled), _ = zg.value_and_grad(trained_loss, has_aux=True, backend="python")(model, x, 3)
    np.testing.assert_allclose(found, value)
    np.testing.assert_allclose(compiled.layers[0][0].mean, after.layers[0][0].mean)
    assert after.layers[0][0].mean.all()
    parts = [nn.train(layer, x, key)[0] for layer, key in zip(model.layers, nn.split(3, 3), strict=True)]
    assert (parts[1] != parts[2]).any()
    np.testing.assert_allclose(nn.train(model, x, 3)[0], np.max(parts, 0) if make is nn.Maxout else np.prod(parts, 0))


def test_training_of_a_block():
    """Elements of what attention and network give are left out; without dropout it is the block as it is."""
    x = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
    block = nn.TransformerBlock(4, 2, dropout=0.5, rng=0)
    assert repr(block) == "TransformerBlock(4, 2, 16, dropout=0.5)"
    y, after = nn.train(block, x, 1)
    assert after is block
    attended, _ = block.dropout.train(block.attention(block.attention_norm(x)), nn.split(1, 2)[0])
    made, _ = block.dropout.train(block.network(block.network_norm(x + attended)), nn.split(1, 2)[1])
    np.testing.assert_allclose(y, x + attended + made, rtol=1e-6)
    value, _ = zg.grad(trained_loss, has_aux=True, backend="python")(block, x, 1)
    assert np.isfinite(value.attention.query.weight).all()
    plain = nn.TransformerBlock(4, 2, rng=0)
    np.testing.assert_array_equal(nn.train(plain, x)[0], plain(x))


def test_dropout():
    x = np.ones((100, 50), np.float32)
    first, _ = nn.Dropout(0.3).train(x, 1)
    same, _ = nn.Dropout(0.3).train(x, 1)
    other, _ = nn.Dropout(0.3).train(x, 2)
    np.testing.assert_array_equal(first, same)
    assert set(np.unique(first).round(5)) == {np.float32(0), np.float32(1 / 0.7).round(5)}
    assert abs(np.mean(first == 0) - 0.3) < 0.02
    assert abs(np.mean((first == 0) & (other == 0)) - 0.09) < 0.02
    slope = zg.grad(lambda x: np.sum(nn.Dropout(0.3).train(x, 1)[0]), backend="python")(x)
    np.testing.assert_array_equal(slope, first)
    with pytest.raises(ValueError, match="needs a key"):
        nn.Dropout(0.3).train(x, None)


# -- first values ----------------------------------------------------------------------------------------------------

VARIANCES = {
    "glorot_uniform": 2 / 250,
    "glorot_normal": 2 / 250,
    "kaiming_uniform": 2 / 100,
    "kaiming_normal": 2 / 100,
    "lecun_uniform": 1 / 100,
    "lecun_normal": 1 / 100,
    "uniform": 0.05**2 / 3,
    "normal": 0.05**2,
    "truncated_normal": 0.05**2,
    "orthogonal": 1 / 150,
}


@pytest.mark.parametrize("name", VARIANCES)
def test_initialiser(name):
    """Variance, dtype, and the same numbers from the same seed."""
    init = getattr(nn, name)
    found = init((100, 150), np.random.default_rng(0))
    np.testing.assert_allclose(found.var(), VARIANCES[name], rtol=0.05)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, init((100, 150), 0))
    double = init((100, 150), 0, dtype=np.float64)
    assert double.dtype == np.float64
    np.testing.assert_array_equal(double.astype(np.float32), found)


def test_first_values_of_other_kinds():
    q = nn.orthogonal((2, 3, 4), 0).reshape(6, 4)
    np.testing.assert_allclose(q.T @ q, np.eye(4), atol=1e-6)
    assert nn.fans((5, 5, 3, 8)) == (75, 200)
    assert {init((2, 2), dtype=float).dtype for init in (nn.zeros, nn.ones, nn.identity_matrix)} == {np.dtype(float)}
    x = RANDOM.normal(size=(2, 5, 4, 3)).astype(np.float32)
    same = nn.Conv((3, 3), 3, 3, padding="same", init=nn.identity_matrix)
    np.testing.assert_array_equal(same(x), x)
