"""What the demo asks of a model: a loss, where the fit starts, the data, and how to report and draw the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A model to fit.

    `loss(parameters, *data)` is minimised from `start`; `programs` are the functions to show, in reading order.
    `report` gives rows of text about the fitted parameters; `draw(axes, parameters)` shows them.
    """

    title: str
    story: str
    programs: tuple[Callable, ...]
    loss: Callable[..., float]
    start: np.ndarray
    data: tuple
    report: Callable[[np.ndarray], list[tuple[str, str]]]
    draw: Callable[[Any, np.ndarray], None]


@dataclass(frozen=True)
class Fit:
    """A fitted problem: the parameters found, and the loss at the start and after each iteration."""

    problem: Problem
    parameters: np.ndarray
    losses: list[float]
