"""Rules one after the other: each takes what the one before gave as its gradient."""

from dataclasses import dataclass

import numpy as np

import zygopy as zg
from zygopy.optim.rules import Rule


@dataclass(frozen=True)
class WeightDecay(Rule):
    """g + decay x: the gradient of decay / 2 |x|^2 beside that of the loss. `AdamW` decays in another way."""

    decay: float = 1e-4

    def step(self, t, x, g, slots):
        return g + self.decay * x, ()


@dataclass(frozen=True)
class ClipValue(Rule):
    """Each element of the gradient clipped to [-limit, limit]."""

    limit: float = 1.0

    def step(self, t, x, g, slots):
        return np.minimum(np.maximum(g, -self.limit), self.limit), ()


@dataclass(frozen=True)
class ClipNorm:
    """The gradient of all parameters together, scaled down to the norm `limit` if it is longer (Pascanu et al. 2013).

    It looks at all gradients together, so it stands before the rules of a chain.
    """

    limit: float = 1.0


@dataclass(frozen=True)
class Accumulate:
    """The mean of `count` gradients in a row as one; the rest of the chain runs at each last one of them."""

    count: int


@dataclass(frozen=True, init=False)
class Chain(Rule):
    """Rules one after the other, such as `Chain(Accumulate(4), ClipNorm(1.0), WeightDecay(1e-4), Adam(1e-3))`.

    The rules of a Chain among them are taken one by one.

    Raises
    ------
    ArgumentError
        If `Accumulate` and `ClipNorm` do not stand first, in this order.
    """

    rules: tuple

    def __init__(self, *rules):
        rules = tuple(inner for rule in rules for inner in (rule.rules if isinstance(rule, Chain) else (rule,)))
        rest = [r for r in rules if isinstance(r, Rule)]
        first = [*(r for r in rules if isinstance(r, Accumulate)), *(r for r in rules if isinstance(r, ClipNorm))]
        if len(first) > len({type(r) for r in first}) or rules != (*first, *rest):
            raise zg.ArgumentError(
                f"Chain({', '.join(type(r).__name__ for r in rules)}) is in no order that is supported",
                why="Accumulate and ClipNorm look at the gradients of all parameters together",
                help="Chain(Accumulate(...), ClipNorm(...), *rules), of the first two each once or not at all",
            )
        if not rest:
            raise zg.ArgumentError("a Chain needs a rule", help="add one, such as Adam()")
        object.__setattr__(self, "rules", rules)

    def start(self, x):
        """What all of the rules remember of a parameter."""
        return tuple(rule.start(x) for rule in self.rules)

    def step(self, t, x, g, slots):
        """What to subtract from x, and the new slots of all rules."""
        new = []
        for rule, own in zip(self.rules, slots, strict=True):
            g, made = rule.step(t, x, g, own)
            new.append(made)
        return g, tuple(new)
