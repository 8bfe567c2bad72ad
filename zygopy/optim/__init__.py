"""Optimisers: what turns a gradient into a change of the parameters, the counterpart of Optimisers.jl.

An optimiser is a frozen dataclass with its formula as a method (`rules`), rules are chained (`chains`), their rates may
follow a schedule (`schedules`), and what they remember between updates is an explicit `State` (`state`). All of it runs
in Python and inside compiled functions.
"""

from zygopy.optim.chains import Accumulate, Chain, ClipNorm, ClipValue, WeightDecay
from zygopy.optim.rules import (
    AdaBelief,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    AMSGrad,
    Descent,
    Lion,
    Momentum,
    NAdam,
    Nesterov,
    RAdam,
    RMSProp,
    Rule,
)
from zygopy.optim.schedules import Cosine, Exponential, OneCycle, StepDecay, WarmUp
from zygopy.optim.state import Part, State, adjust, freeze, parts_of, rate_of, setup, thaw, update

__all__ = [
    "AMSGrad",
    "Accumulate",
    "AdaBelief",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Chain",
    "ClipNorm",
    "ClipValue",
    "Cosine",
    "Descent",
    "Exponential",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "OneCycle",
    "Part",
    "RAdam",
    "RMSProp",
    "Rule",
    "State",
    "StepDecay",
    "WarmUp",
    "WeightDecay",
    "adjust",
    "freeze",
    "parts_of",
    "rate_of",
    "setup",
    "thaw",
    "update",
]
