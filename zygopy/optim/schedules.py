"""Schedules: rates that depend on the number of updates so far, given in the place of a rule's rate.

Each is a function of the number t of updates that went before: t = 0 for the first one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepDecay:
    """rate * factor ** (t // every).

    Examples
    --------
    >>> schedule = StepDecay(0.1, factor=0.5, every=10)
    >>> schedule(9), schedule(10)
    (0.1, 0.05)
    """

    rate: float
    factor: float = 0.1
    every: int = 1

    def __call__(self, t):
        return self.rate * self.factor ** (t // self.every)


@dataclass(frozen=True)
class Exponential:
    """rate * factor ** t."""

    rate: float
    factor: float

    def __call__(self, t):
        return self.rate * self.factor**t


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from `rate` down to `low` in `steps` updates, then from the start (Loshchilov & Hutter 2017, SGDR).

    Each cycle is `growth` times as long as the one before. With `restarts=False` the rate stays at `low`.
    """

    rate: float
    steps: int
    low: float = 0.0
    growth: float = 1.0
    restarts: bool = True

    def __call__(self, t):
        length = float(self.steps)
        if not self.restarts:
            t = min(t, length)
        elif self.growth == 1.0:
            t = t % length
        else:
            while t >= length:
                t -= length
                length *= self.growth
        return self.low + 0.5 * (self.rate - self.low) * (1.0 + math.cos(math.pi * t / length))


@dataclass(frozen=True)
class OneCycle:
    """Up to `rate` and down again within `steps` updates, by half cosines (Smith & Topin 2018).

    It starts at rate / start, is highest at the fraction `peak` of the way, and ends at rate / (start * end).
    """

    rate: float
    steps: int
    peak: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def __call__(self, t):
        top = self.peak * self.steps - 1.0
        last = self.steps - 1.0
        first = self.rate / self.start
        if t < top:
            return first + 0.5 * (self.rate - first) * (1.0 - math.cos(math.pi * t / top))
        final = first / self.end
        part = (min(t, last) - top) / (last - top)
        return final + 0.5 * (self.rate - final) * (1.0 + math.cos(math.pi * part))


@dataclass(frozen=True)
class WarmUp:
    """`steps` updates with a rate that goes up in a line to the first of `then`; then `then`, a rate or a schedule.

    The first one is `start` times that.
    """

    steps: int
    then: float | Callable[[float], float]
    start: float = 0.0

    def __call__(self, t):
        part = self.start + (1.0 - self.start) * min(t / self.steps, 1.0)
        rest = max(t - self.steps, 0.0)
        return part * (self.then(rest) if callable(self.then) else self.then)
