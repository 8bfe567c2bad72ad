"""Errors of elementary functions in units in the last place, against mpmath."""

from collections.abc import Callable

import mpmath
import numpy as np

# The functions' names, and the interval where most of their arguments of interest are.
INTERVALS = {
    "exp": (-746, 710),
    "expm1": (-40, 710),
    "log": (0, 3),
    "log1p": (-1, 3),
    "tanh": (-20, 20),
    "sigmoid": (-746, 40),
    "sin": (-100, 100),
    "cos": (-100, 100),
    "erf": (-6, 6),
    "power": (0, 3),
}
EXACT: dict[str, Callable] = {name: getattr(mpmath, name) for name in INTERVALS if name != "sigmoid"}
EXACT["sigmoid"] = lambda x: 1 / (1 + mpmath.exp(-x))


def arguments(name: str, dtype: type, count: int) -> tuple[np.ndarray, ...]:
    """A third of all sizes and signs, a third from the interval, a third of size 1; of powers also the exponents.

    The exponents are such that the powers have all sizes.
    """
    random = np.random.default_rng(0)
    info = np.finfo(dtype)
    third = count // 3
    sizes = np.exp2(random.uniform(info.minexp - info.nmant, info.maxexp - 0.01, third))
    signs = random.choice([-1.0, 1.0], third)
    parts = [sizes * signs, random.uniform(*INTERVALS[name], third), random.uniform(-1.0, 1.0, third)]
    x = np.concatenate(parts).astype(dtype)
    if name != "power":
        return (x,)
    x = np.abs(x)
    logarithms = random.uniform(np.log(float(info.smallest_subnormal)), np.log(float(info.max)), len(x))
    return x, (logarithms / np.log(x.astype(np.float64))).astype(dtype)


def max_ulp(name: str, actual: np.ndarray, args: tuple[np.ndarray, ...]) -> float:
    """The largest error in ulp of the exact value, of those that are real and no overflow."""
    info, worst = np.finfo(actual.dtype), 0.0
    lowest = {"log": 0.0, "log1p": -1.0}.get(name, -np.inf)
    with mpmath.workprec(140):
        for value, *xs in zip(actual, *args, strict=True):
            if xs[0] <= lowest:
                continue
            exact = EXACT[name](*(mpmath.mpf(float(x)) for x in xs))
            if abs(exact) <= float(info.max):
                ulp = max(abs(float(np.spacing(actual.dtype.type(float(exact))))), float(info.smallest_subnormal))
                error = abs(mpmath.mpf(float(value)) - exact) / ulp
                worst = max(worst, float(error)) if error == error else np.inf
    return worst
