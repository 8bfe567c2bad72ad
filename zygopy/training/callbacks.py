"""Callbacks: what `train` calls with its history after each epoch; training ends when one returns True.

Any function is one. A measure is the name of what a callback keeps in `history.measured`, or a function of the history;
the mean loss of the epoch if none is given. Smaller is better, unless `largest` is set.
"""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zygopy as zg
from zygopy import optim


class _Best:
    """Watches a measure, and knows for how many epochs it has been no better."""

    def __init__(self, measure: str | Callable | None, largest: bool, margin: float):
        self.measure, self.sign, self.margin = measure, -1.0 if largest else 1.0, margin
        self.best, self.waited = float("inf"), 0

    def is_new(self, history: Any) -> bool:
        value = self.sign * self.value(history)
        better = value < self.best - self.margin
        self.best = min(value, self.best) if better else self.best
        self.waited = 0 if better else self.waited + 1
        return better

    def value(self, history: Any) -> float:
        if self.measure is None:
            return history.epochs[-1]
        if callable(self.measure):
            return float(self.measure(history))
        if self.measure not in history.measured:
            raise zg.ArgumentError(
                f"nothing has measured {self.measure!r}", help="put the callback that does so before this one"
            )
        return history.measured[self.measure][-1]


class Measure:
    """Measures the model after each epoch: `history.measured[name]` is the list of `function(model)`.

    Examples
    --------
    >>> norm = Measure("norm", lambda model: float(np.linalg.norm(model["w"])))
    """

    def __init__(self, name: str, function: Callable):
        self.name, self.function = name, function

    def __call__(self, history: Any) -> bool:
        history.measured.setdefault(self.name, []).append(float(self.function(history.model)))
        return False


class EarlyStopping:
    """Ends training once a measure has not been better by `margin` for `patience` epochs.

    `restore` gives the model the parameters that it had at its best.
    """

    def __init__(
        self,
        patience: int = 5,
        measure: str | Callable | None = None,
        *,
        largest: bool = False,
        margin: float = 0.0,
        restore: bool = False,
    ):
        self.patience, self.restore = patience, restore
        self.kept: tuple | None = None
        self.best = _Best(measure, largest, margin)

    def __call__(self, history: Any) -> bool:
        if self.best.is_new(history) and self.restore:
            self.kept = copy.deepcopy(zg.leaves(history.model))
        stops = self.best.waited >= self.patience
        if stops and self.kept is not None:
            for array, kept in zip(zg.leaves(history.model), self.kept, strict=True):
                array[...] = kept
        return stops


class ReduceRate:
    """Multiplies the rate by `factor` when a measure has not been better by `margin` for `patience` epochs."""

    def __init__(
        self,
        factor: float = 0.1,
        patience: int = 5,
        measure: str | Callable | None = None,
        *,
        largest: bool = False,
        margin: float = 0.0,
    ):
        self.factor, self.patience = factor, patience
        self.best = _Best(measure, largest, margin)

    def __call__(self, history: Any) -> bool:
        self.best.is_new(history)
        if self.best.waited >= self.patience:
            for part in optim.parts_of(history.state):
                optim.adjust(part, self.factor * optim.rate_of(part))
            self.best.waited = 0
        return False


class Checkpoint:
    """Saves the model to a file: after each epoch, or with `best` only when a measure is better than before.

    The file is written beside and then moved into place, so that there is a whole one at all times.
    """

    def __init__(
        self, path: str | Path, measure: str | Callable | None = None, *, best: bool = False, largest: bool = False
    ):
        self.path, self.only_best = Path(path), best
        self.best = _Best(measure, largest, 0.0)

    def __call__(self, history: Any) -> bool:
        from zygopy import models

        better = self.best.is_new(history)
        if better or not self.only_best:
            beside = self.path.with_name(f".{self.path.name}.part{self.path.suffix}")
            models.save(beside, history.model)
            beside.replace(self.path)
        return False
