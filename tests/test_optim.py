"""Optimisers: their formulas, against PyTorch's numbers, and their state."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

import zygopy as zg
from zygopy import nn, optim

# Three parameters after ten updates with the gradients of `gradient_at`, by PyTorch 2.13 in float64 (`python -m
# tests.test_optim` prints them); AdaBelief's and Lion's, which PyTorch lacks, follow their papers by hand below.
RULES = {
    "Descent": (optim.Descent(0.1), "SGD", {"lr": 0.1}),
    "Momentum": (optim.Momentum(0.1, 0.8), "SGD", {"lr": 0.1, "momentum": 0.8}),
    "Nesterov": (optim.Nesterov(0.1, 0.8), "SGD", {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    "RMSProp": (optim.RMSProp(0.02, 0.95, 1e-6), "RMSprop", {"lr": 0.02, "alpha": 0.95, "eps": 1e-6}),
    "AdaGrad": (optim.AdaGrad(0.1), "Adagrad", {"lr": 0.1}),
    "AdaDelta": (optim.AdaDelta(0.7, 0.8), "Adadelta", {"lr": 0.7, "rho": 0.8}),
    "Adam": (optim.Adam(0.1, 0.8, 0.99, 1e-6), "Adam", {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-6}),
    "AdamW": (optim.AdamW(0.1, decay=0.2), "AdamW", {"lr": 0.1, "weight_decay": 0.2}),
    "AMSGrad": (optim.AMSGrad(0.1, 0.8, 0.9), "Adam", {"lr": 0.1, "betas": (0.8, 0.9), "amsgrad": True}),
    "NAdam": (optim.NAdam(0.1), "NAdam", {"lr": 0.1}),
    "RAdam": (optim.RAdam(0.1, 0.8, 0.9), "RAdam", {"lr": 0.1, "betas": (0.8, 0.9)}),
    "WeightDecay": (optim.Chain(optim.WeightDecay(0.3), optim.Adam(0.1)), "Adam", {"lr": 0.1, "weight_decay": 0.3}),
}
START = np.array([1.0, -2.0, 0.5])


def gradient_at(t: int) -> np.ndarray:
    return np.array([math.sin(t), 3.0 * math.cos(2.0 * t), 0.01 * t])


def ten_updates(rule, dtype=np.float64, backend="python"):
    """The parameters after ten updates inside a compiled function."""
    update = zg.jit(lambda state, model, gradient: optim.update(state, model, gradient), backend=backend)
    model = [START.astype(dtype)]
    state = optim.setup(rule, model)
    for t in range(10):
        update(state, model, [gradient_at(t).astype(dtype)])
    return model[0]


def by_pytorch(name: str, dtype=np.float64) -> np.ndarray:
    import torch

    _, optimiser, options = RULES[name]
    x = torch.tensor(START.astype(dtype), requires_grad=True)
    torch.set_default_dtype(x.dtype)  # NAdam's product of rates has it
    try:
        stepping = getattr(torch.optim, optimiser)([x], **options)
        for t in range(10):
            x.grad = torch.tensor(gradient_at(t).astype(dtype))
            stepping.step()
    finally:
        torch.set_default_dtype(torch.float32)
    return x.detach().numpy()


NUMBERS: dict[str, list[float]] = {
    "Descent": [0.8044790517892619, -2.17671700136467, 0.45499999999999996],
    "Momentum": [0.506040861304606, -2.6418848799167622, 0.38573741823999996],
    "Nesterov": [0.4093117408329467, -2.6902249052980802, 0.36358993459199995],
    "RMSProp": [0.8509267049025343, -2.042935168533957, -0.08514042457566429],
    "AdaGrad": [0.8376224996095031, -2.0492614685159802, -0.14145124062255843],
    "AdaDelta": [0.9960078724224077, -2.000660392003402, 0.47178369262869324],
    "Adam": [0.7217292075946479, -2.154239178214727, -0.4045016924448337],
    "AdamW": [0.5494192241561642, -1.7930257193972048, -0.3493337487376812],
    "AMSGrad": [0.7294557354357637, -2.153422099733518, -0.3418636653104696],
    "NAdam": [0.7645286310622501, -2.0734013136498204, -0.5057595793169034],
    "RAdam": [0.8126333154713684, -2.428036726970759, 0.30259509650642535],
    "WeightDecay": [0.41092812405309875, -1.9399906258775006, -0.3736945309645049],
}


@pytest.mark.parametrize("name", RULES)
def test_ten_updates_are_pytorchs(name):
    rule = RULES[name][0]
    assert np.allclose(ten_updates(rule), NUMBERS[name], rtol=0.0, atol=1e-10)
    single = ten_updates(rule, np.float32)
    assert single.dtype == np.float32
    assert np.allclose(single, NUMBERS[name], rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RULES)
def test_ten_updates_beside_pytorch(name, dtype):
    pytest.importorskip("torch")
    assert np.allclose(
        ten_updates(RULES[name][0], dtype),
        by_pytorch(name, dtype),
        rtol=0.0,
        atol=1e-5 if dtype == np.float32 else 1e-10,
    )


def test_every_optimiser_has_a_row():
    rules = {
        name for name in optim.__all__ if isinstance(f := getattr(optim, name), type) and issubclass(f, optim.Rule)
    }
    apart = {"Rule", "Chain", "ClipNorm", "ClipValue", "Accumulate"}  # tested below
    by_papers = {"AdaBelief", "Lion"}
    assert rules - apart - by_papers == set(RULES)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_adabelief_and_lion_follow_their_papers(dtype, tolerance):
    """PyTorch has none."""
    x, m, s = START.copy(), 0.0, 0.0
    for t in range(1, 11):
        g = gradient_at(t - 1)
        m = 0.9 * m + 0.1 * g
        s = 0.99 * s + 0.01 * (g - m) ** 2 + 1e-8
        x -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.99**t)) + 1e-8)
    assert np.allclose(ten_updates(optim.AdaBelief(0.1, 0.9, 0.99, 1e-8), dtype), x, rtol=tolerance)
    x, m = START.copy(), 0.0
    for t in range(10):
        g = gradient_at(t)
        x -= 0.1 * (np.sign(0.9 * m + 0.1 * g) + 0.5 * x)
        m = 0.99 * m + 0.01 * g
    assert np.allclose(ten_updates(optim.Lion(0.1, decay=0.5), dtype), x, rtol=tolerance)


@pytest.mark.parametrize("rule", [optim.Adam(0.1), optim.Chain(optim.ClipNorm(0.5), optim.NAdam(optim.Cosine(0.1, 7)))])
def test_updates_from_python_and_in_native_code_agree(rule):
    """Called from Python, an update compiles code for each parameter; in a compiled function it is part of that."""
    model = [START.copy()]
    state = optim.setup(rule, model)
    for t in range(10):
        optim.update(state, model, [gradient_at(t)])
    assert np.allclose(model[0], ten_updates(rule), rtol=1e-13)
    assert np.allclose(model[0], ten_updates(rule, backend="cpu"), rtol=1e-13)
    assert state.parts[0].count.tolist() == [10]


# -- chains ----------------------------------------------------------------------------------------------------------


def one_update(rule, model, gradient, times=1):
    state = optim.setup(rule, model)
    update = zg.jit(lambda state, model, gradient: optim.update(state, model, gradient), backend="python")
    for _ in range(times):
        update(state, model, gradient)
    return state


def test_the_whole_gradient_is_clipped_as_pytorch_does():
    gradient = {"a": np.array([3.0]), "b": np.array([[4.0, 12.0]])}  # of norm 13
    model = zg.map_leaves(np.zeros_like, gradient)
    one_update(optim.Chain(optim.ClipNorm(1.0), optim.Descent(1.0)), model, gradient)
    factor = 1.0 / (13.0 + 1e-6)
    assert np.allclose(model["a"], -3.0 * factor, rtol=1e-15)
    assert np.allclose(model["b"], [[-4.0 * factor, -12.0 * factor]], rtol=1e-15)
    one_update(
        optim.Chain(optim.ClipNorm(20.0), optim.Descent(1.0)), model := zg.map_leaves(np.zeros_like, gradient), gradient
    )
    assert model["a"] == -3.0


def test_clipped_values():
    model = [np.zeros(3)]
    one_update(optim.Chain(optim.ClipValue(0.5), optim.Descent(1.0)), model, [np.array([0.1, 2.0, -3.0])])
    assert model[0].tolist() == [-0.1, -0.5, 0.5]


def test_accumulated_gradients_are_one_of_their_mean():
    model, gradients = [np.zeros(1)], [[np.array([v])] for v in (1.0, 2.0, 6.0, 5.0)]
    rule = optim.Chain(optim.Accumulate(3), optim.ClipNorm(2.0), optim.Momentum(1.0))
    state = optim.setup(rule, model)
    seen = []
    for gradient in gradients:
        optim.update(state, model, gradient)
        seen.append(float(model[0][0]))
    assert seen[:2] == [0.0, 0.0]
    assert seen[2:] == pytest.approx([-2.0, -2.0], rel=1e-5)
    assert state.parts[0].total.tolist() == [5.0]
    assert state.parts[0].count.tolist() == [1]


def test_chains_in_no_order_are_refused():
    with pytest.raises(zg.ArgumentError) as raised:
        optim.Chain(optim.Adam(), optim.ClipNorm())
    assert str(raised.value) == (
        "Chain(Adam, ClipNorm) is in no order that is supported\n"
        "why:  Accumulate and ClipNorm look at the gradients of all parameters together\n"
        "help: Chain(Accumulate(...), ClipNorm(...), *rules), of the first two each once or not at all"
    )
    with pytest.raises(zg.ArgumentError, match="needs a rule"):
        optim.Chain(optim.ClipNorm())


def test_chains_in_chains():
    inner = optim.Chain(optim.ClipNorm(1.0), optim.WeightDecay(0.1))
    assert optim.Chain(inner, optim.Adam()) == optim.Chain(optim.ClipNorm(1.0), optim.WeightDecay(0.1), optim.Adam())


# -- states ----------------------------------------------------------------------------------------------------------


def test_frozen_parts_stay_and_go_on_where_they_were():
    model, gradient = {"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.ones(2)}
    state = optim.setup(optim.Chain(optim.ClipNorm(1.0), optim.Descent(1.0)), model)
    optim.freeze(state.parts["a"])
    optim.update(state, model, gradient)
    assert model["a"].tolist() == [1.0, 1.0]
    assert np.allclose(model["b"], 1.0 - math.sqrt(0.5), rtol=1e-5)  # what is frozen is no part of the norm
    assert [part.count[0] for part in optim.parts_of(state)] == [0, 1]
    optim.thaw(state)
    optim.update(state, model, gradient)
    assert np.allclose(model["a"], 0.5, rtol=1e-5)


def test_rules_are_adjusted_as_a_whole_and_in_part():
    model = [np.ones(1), np.ones(1)]
    state = optim.setup(optim.Chain(optim.ClipNorm(1.0), optim.WeightDecay(), optim.Adam()), model)
    optim.adjust(state, 0.5)
    optim.adjust(state.parts[1], beta1=0.7)
    optim.adjust(state, limit=3.0)
    assert [part.rule.rules[1] for part in state.parts] == [optim.Adam(0.5), optim.Adam(0.5, 0.7)]
    assert state.clip == optim.ClipNorm(3.0)
    assert [optim.rate_of(part) for part in state.parts] == [0.5, 0.5]
    with pytest.raises(zg.ArgumentError) as raised:
        optim.adjust(state, speed=1.0)
    assert str(raised.value) == "no rule of the state has a field 'speed'\nhelp: fields are those of its dataclass"
    with pytest.raises(zg.ArgumentError, match="there is no Part of a state here"):
        optim.freeze(model)


def test_models_without_real_parameters_are_refused():
    with pytest.raises(zg.ArgumentError, match=r"Adam'> is no optimiser\nhelp: make one, such as optim.Adam"):
        optim.setup(optim.Adam, {"w": np.ones(3)})
    with pytest.raises(zg.DtypeError, match="the model has no parameters"):
        optim.setup(optim.Adam(), {"n": 3})
    with pytest.raises(zg.DtypeError) as raised:
        optim.setup(optim.Adam(), {"z": [np.ones(1, complex)]})
    assert str(raised.value) == "the parameter ['z'][0] is complex\nhelp: keep its two parts as real arrays"


def test_states_are_printed():
    """Also those of layers, whose own text has the shapes of arrays."""
    state = optim.setup(optim.Chain(optim.ClipNorm(2.0), optim.Descent(0.1)), nn.Chain(nn.Dense(3, 2), np.tanh))
    optim.freeze(state.parts[0].weight)
    assert repr(state) == "State(ClipNorm(limit=2.0), 1 of Descent(rate=0.1), frozen, 1 of Descent(rate=0.1))"
    assert repr(state.parts[0]).startswith(
        "Dense(weight=Part(rule=Descent(rate=0.1), slots=(), count=array([0]), frozen"
    )


@dataclass(frozen=True)
class SignDescent(optim.Rule):
    """A rule of a user."""

    rate: float = 0.25

    def step(self, t, x, g, slots):
        return self.rate * np.sign(g), ()


def test_rules_of_users():
    model = [np.zeros(2)]
    one_update(optim.Chain(optim.ClipValue(), SignDescent()), model, [np.array([3.0, -1.0])], times=2)
    assert model[0].tolist() == [-0.5, 0.5]


# -- schedules -------------------------------------------------------------------------------------------------------


SCHEDULES = {
    "StepDecay": (optim.StepDecay(1.0, 0.5, 3), "StepLR", {"step_size": 3, "gamma": 0.5}),
    "Exponential": (optim.Exponential(1.0, 0.9), "ExponentialLR", {"gamma": 0.9}),
    "Cosine": (optim.Cosine(1.0, 5, 0.1), "CosineAnnealingWarmRestarts", {"T_0": 5, "eta_min": 0.1}),
    "Cosine, growing": (
        optim.Cosine(1.0, 3, 0.1, 2.0),
        "CosineAnnealingWarmRestarts",
        {"T_0": 3, "T_mult": 2, "eta_min": 0.1},
    ),
    "OneCycle": (optim.OneCycle(1.0, 20), "OneCycleLR", {"max_lr": 1.0, "total_steps": 20}),
    "WarmUp": (optim.WarmUp(4, 1.0, 0.25), "LinearLR", {"start_factor": 0.25, "total_iters": 4}),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_beside_pytorchs(name):
    torch = pytest.importorskip("torch")
    schedule, theirs, options = SCHEDULES[name]
    stepping = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = getattr(torch.optim.lr_scheduler, theirs)(stepping, **options)
    for t in range(20):
        assert schedule(float(t)) == pytest.approx(scheduler.get_last_lr()[0], abs=1e-12), t
        stepping.step()
        if t < 19:
            scheduler.step()


def test_schedules_at_their_ends():
    warm = optim.WarmUp(4, optim.Exponential(1.0, 0.5))
    assert [warm(t) for t in (0.0, 2.0, 4.0, 6.0)] == [0.0, 0.5, 1.0, 0.25]
    once = optim.Cosine(1.0, 10, 0.2, restarts=False)
    assert [once(0.0), once(10.0), once(50.0)] == [1.0, 0.2, 0.2]
    assert optim.Cosine(1.0, 10)(10.0) == 1.0
    cycle = optim.OneCycle(1.0, 11, peak=0.5)
    assert cycle(4.5) == pytest.approx(1.0)
    assert optim.OneCycle(1.0, 10, peak=0.1)(0.0) == 1.0
    assert cycle(10.0) == cycle(99.0) == pytest.approx(1.0 / 25.0 / 1e4)


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_of_schedules_in_compiled_updates(name):
    schedule = SCHEDULES[name][0]
    expected = START - sum(schedule(float(t)) * gradient_at(t) for t in range(10))
    assert np.allclose(ten_updates(optim.Descent(schedule)), expected, rtol=1e-13)


def test_a_new_rate_needs_no_new_code():
    model = [np.zeros(1)]
    state = optim.setup(optim.Descent(1.0), model)
    source = zg.jit(optim.update).source(state, model, model)
    optim.adjust(state, 0.5)
    assert zg.jit(optim.update).source(state, model, model) == source
    state.parts[0].rule = replace(state.parts[0].rule, rate=optim.Exponential(1.0, 0.9))
    assert zg.jit(optim.update).source(state, model, model) != source


if __name__ == "__main__":
    for rule_name in RULES:
        print(f'    "{rule_name}": {by_pytorch(rule_name).tolist()},')
