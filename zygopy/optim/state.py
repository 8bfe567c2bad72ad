"""The state of an optimiser: what it remembers of each parameter, an explicit value that updates change in place."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

import zygopy as zg
from zygopy.optim.chains import Accumulate, Chain, ClipNorm
from zygopy.optim.rules import Rule, rate_at


@dataclass
class Part:
    """What is remembered of one parameter.

    Attributes
    ----------
    rule : Rule
        How this parameter is updated.
    slots : tuple
        The arrays that the rule needs.
    count : array of shape (1,)
        The number of updates so far.
    frozen : bool
        Whether updates leave this parameter as it is.
    total : array or None
        The gradients since the last update, if they are accumulated.
    """

    rule: Rule
    slots: tuple
    count: np.ndarray
    frozen: bool = False
    total: np.ndarray | None = None


@dataclass
class State:
    """What an optimiser remembers of a model.

    Attributes
    ----------
    parts
        The model with a `Part` in the place of each parameter: `state.parts.layers[0].weight`.
    clip : ClipNorm or None
        How long the gradient may be.
    accumulate : Accumulate or None
        How many gradients are one, and `waiting`, of shape (1,), how many of them there are.
    """

    parts: Any
    clip: ClipNorm | None
    accumulate: Accumulate | None
    waiting: np.ndarray

    def __repr__(self) -> str:
        """The rules, and how many parameters follow them."""
        texts = [f"{part.rule}{', frozen' if part.frozen else ''}" for part in parts_of(self)]
        told = [f"{texts.count(text)} of {text}" for text in dict.fromkeys(texts)]
        return f"State({', '.join([*map(repr, filter(None, (self.accumulate, self.clip))), *told])})"


def setup(rule: Rule, model: Any) -> State:
    """The state before the first update of a model: a structure whose arrays of floats are its parameters.

    Raises
    ------
    DtypeError
        For a model without parameters, or with complex ones.

    Examples
    --------
    >>> model = {"w": np.ones(2)}
    >>> state = setup(Momentum(rate=0.1), model)
    >>> update(state, model, {"w": np.array([1.0, 2.0])})
    >>> model["w"]
    array([0.9, 0.8])
    """
    if not isinstance(rule, Rule | Accumulate | ClipNorm):
        raise zg.ArgumentError(f"{rule!r} is no optimiser", help="make one, such as optim.Adam(0.001)")
    named = zg.named_leaves(model)
    if not named:
        raise zg.DtypeError("the model has no parameters", help="give it arrays of floats, in fields, lists or dicts")
    for name, x in named:
        if x.dtype.kind == "c":
            raise zg.DtypeError(f"the parameter {name} is complex", help="keep its two parts as real arrays")
    first = rule.rules if isinstance(rule, Chain) else (rule,)
    accumulate = next((r for r in first if isinstance(r, Accumulate)), None)
    clip = next((r for r in first if isinstance(r, ClipNorm)), None)
    rest = tuple(r for r in first if isinstance(r, Rule))
    own = rest[0] if len(rest) == 1 else Chain(*rest)

    trained = {id(x) for _, x in named}

    def part(x: np.ndarray) -> Part | None:
        if id(x) not in trained:
            return None
        total = None if accumulate is None else np.zeros_like(x)
        return Part(own, own.start(x), np.zeros(1, np.int64), total=total)

    return State(zg.map_leaves(part, model, kind=np.ndarray), clip, accumulate, np.zeros(1, np.int64))


def update(state: State, model: Any, gradient: Any) -> None:
    """Take one step: the parameters and the state change in place, one loop over each parameter.

    Parameters
    ----------
    state : State
        What `setup` gave for this model.
    model, gradient
        The model and its gradient, of the same structure.

    Notes
    -----
    Called inside a compiled function it becomes part of it, so that a whole training step is one native function.
    """
    found = zip(zg.leaves(model), zg.leaves(gradient), zg.leaves(state.parts, Part), strict=True)
    rows = [(x, g, part) for x, g, part in found if not part.frozen]
    if state.accumulate is None:
        _move_all(state.clip, rows, 1.0)
        return
    for _, g, part in rows:
        _add(part.total, g)
    state.waiting[0] += 1
    if state.waiting[0] == state.accumulate.count:
        state.waiting[0] = 0
        _move_all(state.clip, [(x, part.total, part) for x, _, part in rows], 1.0 / state.accumulate.count)
        for _, _, part in rows:
            part.total[...] = 0.0


def _move_all(clip: ClipNorm | None, rows: list, scale: float) -> None:
    """Update parameters by gradients, times a scale."""
    if clip is not None:
        square = 0.0
        for _, g, _ in rows:
            square += float(_square(g))
        norm = scale * math.sqrt(square)
        scale *= min(1.0, clip.limit / (norm + 1e-6))
    for x, g, part in rows:
        _move(part, x, g, scale)


@zg.jit
def _add(total, g):
    total += g


@zg.jit
def _square(g):
    return np.sum(g * g)


@zg.jit
def _move(part, x, g, scale):
    """One update of a parameter."""
    part.count[0] += 1
    change, slots = part.rule.step(float(part.count[0]), x, scale * g, part.slots)
    x -= change
    _store(part.slots, slots)


def _store(slots, new):
    for slot, value in zip(slots, new, strict=True):
        if isinstance(slot, tuple):
            for inner, own in zip(slot, value, strict=True):
                inner[...] = own
        else:
            slot[...] = value


def adjust(state: Any, rate: Any = None, **changes: Any) -> None:
    """Change the rules of a state, or of a part of it such as `state.parts.layers[0]`, from the next update on.

    Parameters
    ----------
    state : State or structure of Parts
        Whose rules to change, in place.
    rate : float or schedule, optional
        The new rate.
    **changes
        New values of other fields, such as `beta1=0.8`.

    Raises
    ------
    ArgumentError
        If no rule has such a field.
    """
    changes |= {} if rate is None else {"rate": rate}
    for name, value in changes.items():
        found = False
        for part in parts_of(state):
            part.rule, changed = _changed(part.rule, name, value)
            found |= changed
        if isinstance(state, State) and state.clip is not None and name == "limit":
            state.clip, found = replace(state.clip, limit=value), True
        if not found:
            raise zg.ArgumentError(
                f"no rule of the state has a field {name!r}", help="fields are those of its dataclass"
            )


def _changed(rule: Any, name: str, value: Any) -> tuple[Any, bool]:
    if isinstance(rule, Chain):
        pairs = [_changed(r, name, value) for r in rule.rules]
        return Chain(*(r for r, _ in pairs)), any(changed for _, changed in pairs)
    if name in {f.name for f in fields(rule)}:
        return replace(rule, **{name: value}), True
    return rule, False


def freeze(state: Any) -> None:
    """Have updates leave the parameters of a state, or of a part of it, as they are.

    A compiled training step does not compute their gradients any more.
    """
    for part in parts_of(state):
        part.frozen = True


def thaw(state: Any) -> None:
    """Have updates change frozen parameters again."""
    for part in parts_of(state):
        part.frozen = False


def rate_of(part: Part) -> float:
    """The rate of a part's next update; nan for a rule that has none."""
    rules = part.rule.rules if isinstance(part.rule, Chain) else (part.rule,)
    rate = next((rule.rate for rule in rules if hasattr(rule, "rate")), math.nan)
    return rate_at(rate, float(part.count[0]) + 1.0)


def parts_of(state: Any) -> tuple[Part, ...]:
    """What is remembered of each parameter, in order.

    Raises
    ------
    ArgumentError
        If there is no Part in the structure.
    """
    found = zg.leaves(state, Part)
    if not found:
        raise zg.ArgumentError(
            "there is no Part of a state here", help="pass the state, or a part such as state.parts.layers[0]"
        )
    return found
