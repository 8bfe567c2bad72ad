"""What the demo asks of a model: a loss, where the fit starts, the data, and how to report and draw the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Parameters = np.ndarray | tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Problem:
    """A model to fit.

    `minimise`, one of the `optimisers`, makes `loss(parameters, *data)` small from `start` on; `step` names its steps.
    `programs` are the functions to show, in reading order. `report` gives rows of text about the fitted parameters;
    `draw(axes, parameters)` shows them. With `batch`, one gradient takes so many rows of the data. `by_hand` is the
    loss with its gradient, written out to compare with.
    """

    title: str
    story: str
    programs: tuple[Callable, ...]
    loss: Callable[..., float]
    start: Parameters
    data: tuple
    minimise: Callable[..., "Fit"]
    step: str
    report: Callable[[Any], list[tuple[str, str]]]
    draw: Callable[[Any, Any], None]
    batch: int | None = None
    by_hand: Callable[..., tuple] | None = None

    @property
    def arguments(self) -> tuple:
        """What one gradient takes: the start, and the data or the first mini-batch of them."""
        data = self.data if self.batch is None else tuple(column[: self.batch] for column in self.data)
        return self.start, *data


@dataclass(frozen=True)
class Fit:
    """A fitted problem: the parameters found, the loss at the start and after each step, the number of gradients."""

    problem: Problem
    parameters: Parameters
    losses: list[float]
    gradients: int
