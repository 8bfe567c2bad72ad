"""The optimisers, each the formula of its paper.

`rule.step(t, x, g, slots)` gives what update number t (from 1) takes from the parameters x with gradient g, and what
the slots hold next; `rule.start(x)` is what they hold at first. They are written for arrays, and compiled into one
loop. A rate may be a number or a schedule. Where papers and libraries differ, the formula is PyTorch's.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Rate = float | Callable[[float], float]


def rate_at(rate: Rate, t: float) -> float:
    """The rate of update number t: a number, or a schedule's, which counts from 0."""
    return rate(t - 1.0) if callable(rate) else rate


@dataclass(frozen=True)
class Rule:
    """What all rules have; a rule of your own derives from it and defines `step`, and `start` if it remembers anything.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class SignDescent(Rule):
    ...     rate: float = 0.01
    ...
    ...     def step(self, t, x, g, slots):
    ...         return self.rate * np.sign(g), ()
    """

    def start(self, x: np.ndarray) -> tuple:
        """What the rule remembers of a parameter before the first update."""
        return ()

    def step(self, t: float, x: np.ndarray, g: np.ndarray, slots: tuple) -> tuple:
        """What to subtract from x, and the new slots."""
        raise NotImplementedError(f"{type(self).__name__} has no step")


@dataclass(frozen=True)
class Descent(Rule):
    """Gradient descent: x -= rate g."""

    rate: Rate = 0.1

    def step(self, t, x, g, slots):
        return rate_at(self.rate, t) * g, ()


@dataclass(frozen=True)
class Momentum(Rule):
    """Descent with momentum (Polyak 1964): v = rho v + g; x -= rate v."""

    rate: Rate = 0.01
    rho: float = 0.9

    def start(self, x):
        return (np.zeros_like(x),)

    def step(self, t, x, g, slots):
        v = self.rho * slots[0] + g
        return rate_at(self.rate, t) * v, (v,)


@dataclass(frozen=True)
class Nesterov(Rule):
    """Nesterov's momentum in the form of Sutskever et al. (2013): v = rho v + g; x -= rate (g + rho v)."""

    rate: Rate = 0.01
    rho: float = 0.9

    def start(self, x):
        return (np.zeros_like(x),)

    def step(self, t, x, g, slots):
        v = self.rho * slots[0] + g
        return rate_at(self.rate, t) * (g + self.rho * v), (v,)


@dataclass(frozen=True)
class RMSProp(Rule):
    """Tieleman & Hinton (2012), lecture 6.5: v = rho v + (1 - rho) g^2; x -= rate g / (sqrt(v) + epsilon)."""

    rate: Rate = 0.01
    rho: float = 0.99
    epsilon: float = 1e-8

    def start(self, x):
        return (np.zeros_like(x),)

    def step(self, t, x, g, slots):
        v = self.rho * slots[0] + (1.0 - self.rho) * g * g
        return rate_at(self.rate, t) * g / (np.sqrt(v) + self.epsilon), (v,)


@dataclass(frozen=True)
class AdaGrad(Rule):
    """Duchi, Hazan & Singer (2011): v += g^2; x -= rate g / (sqrt(v) + epsilon)."""

    rate: Rate = 0.01
    epsilon: float = 1e-10

    def start(self, x):
        return (np.zeros_like(x),)

    def step(self, t, x, g, slots):
        v = slots[0] + g * g
        return rate_at(self.rate, t) * g / (np.sqrt(v) + self.epsilon), (v,)


@dataclass(frozen=True)
class AdaDelta(Rule):
    """Zeiler (2012), algorithm 1, times a rate."""

    rate: Rate = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x)

    def step(self, t, x, g, slots):
        v = self.rho * slots[0] + (1.0 - self.rho) * g * g
        change = np.sqrt(slots[1] + self.epsilon) / np.sqrt(v + self.epsilon) * g
        u = self.rho * slots[1] + (1.0 - self.rho) * change * change
        return rate_at(self.rate, t) * change, (v, u)


@dataclass(frozen=True)
class Adam(Rule):
    """Kingma & Ba (2015), algorithm 1: the mean of the gradient over the root of the mean of its square."""

    rate: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x)

    def step(self, t, x, g, slots):
        m, v = moments(self, g, slots)
        scale = rate_at(self.rate, t) / (1.0 - self.beta1**t)
        return scale * m / (np.sqrt(v) / math.sqrt(1.0 - self.beta2**t) + self.epsilon), (m, v)


def moments(rule, g: np.ndarray, slots: tuple) -> tuple:
    """The running means of the gradient and of its square."""
    m = rule.beta1 * slots[0] + (1.0 - rule.beta1) * g
    v = rule.beta2 * slots[1] + (1.0 - rule.beta2) * g * g
    return m, v


@dataclass(frozen=True)
class AdamW(Rule):
    """Loshchilov & Hutter (2019), algorithm 2: Adam, and a decay of the parameters by rate * decay."""

    rate: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.01

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x)

    def step(self, t, x, g, slots):
        m, v = moments(self, g, slots)
        rate = rate_at(self.rate, t)
        scale = rate / (1.0 - self.beta1**t)
        change = scale * m / (np.sqrt(v) / math.sqrt(1.0 - self.beta2**t) + self.epsilon)
        return rate * self.decay * x + change, (m, v)


@dataclass(frozen=True)
class AMSGrad(Rule):
    """Reddi, Kale & Kumar (2018), algorithm 2, with Adam's corrections: Adam with the largest v so far."""

    rate: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)

    def step(self, t, x, g, slots):
        m, v = moments(self, g, slots)
        largest = np.maximum(slots[2], v)
        scale = rate_at(self.rate, t) / (1.0 - self.beta1**t)
        return scale * m / (np.sqrt(largest) / math.sqrt(1.0 - self.beta2**t) + self.epsilon), (m, v, largest)


@dataclass(frozen=True)
class NAdam(Rule):
    """Dozat (2016), algorithm 2, with the schedule of mu that it recommends: Adam with Nesterov's momentum."""

    rate: Rate = 0.002
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 0.004

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x), np.ones(1)

    def step(self, t, x, g, slots):
        m, v = moments(self, g, slots[:2])
        mu = self.beta1 * (1.0 - 0.5 * 0.96 ** (t * self.momentum_decay))
        next_mu = self.beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1.0) * self.momentum_decay))
        product = float(slots[2][0]) * mu
        rate = rate_at(self.rate, t)
        of_g = rate * (1.0 - mu) / (1.0 - product)
        of_m = rate * next_mu / (1.0 - product * next_mu)
        return (of_g * g + of_m * m) / (np.sqrt(v / (1.0 - self.beta2**t)) + self.epsilon), (m, v, product)


@dataclass(frozen=True)
class RAdam(Rule):
    """Liu et al. (2020), algorithm 2: Adam, without its denominator until the variance of that is known."""

    rate: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x)

    def step(self, t, x, g, slots):
        m, v = moments(self, g, slots)
        scale = rate_at(self.rate, t) / (1.0 - self.beta1**t)
        correction = 1.0 - self.beta2**t
        longest = 2.0 / (1.0 - self.beta2) - 1.0
        length = longest - 2.0 * t * self.beta2**t / correction
        known = length > 5.0
        ratio = (length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)
        root = math.sqrt(max(ratio, 0.0) * correction)
        return scale * m * np.where(known, root / (np.sqrt(v) + self.epsilon), 1.0), (m, v)


@dataclass(frozen=True)
class AdaBelief(Rule):
    """Zhuang et al. (2020), algorithm 2: Adam with the mean of (g - m)^2 in the place of that of g^2."""

    rate: Rate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-16

    def start(self, x):
        return np.zeros_like(x), np.zeros_like(x)

    def step(self, t, x, g, slots):
        m = self.beta1 * slots[0] + (1.0 - self.beta1) * g
        s = self.beta2 * slots[1] + (1.0 - self.beta2) * (g - m) ** 2 + self.epsilon
        scale = rate_at(self.rate, t) / (1.0 - self.beta1**t)
        return scale * m / (np.sqrt(s / (1.0 - self.beta2**t)) + self.epsilon), (m, s)


@dataclass(frozen=True)
class Lion(Rule):
    """Chen et al. (2023), algorithm 2: the sign of a mean of the gradient, and a decay of the parameters."""

    rate: Rate = 0.0001
    beta1: float = 0.9
    beta2: float = 0.99
    decay: float = 0.0

    def start(self, x):
        return (np.zeros_like(x),)

    def step(self, t, x, g, slots):
        direction = np.sign(self.beta1 * slots[0] + (1.0 - self.beta1) * g)
        m = self.beta2 * slots[0] + (1.0 - self.beta2) * g
        return rate_at(self.rate, t) * (direction + self.decay * x), (m,)
