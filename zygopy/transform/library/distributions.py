"""scipy.stats: logarithms of densities and masses, of numbers and element by element.

A density is written for location 0 and scale 1, and within its support.
"""

import inspect
import math
from collections.abc import Callable

import numpy as np

from zygopy.transform import ops
from zygopy.transform.build import Traced, lift, where
from zygopy.transform.functions import composed
from zygopy.transform.rules.compositions import apply, as_float, cast
from zygopy.transform.types import FLOAT64, Scalar, inexact


def gammaln(x: Traced) -> Traced:
    return cast(apply(ops.LGAMMA, x), x.value.type)


def xlogy(x: Traced, y: Traced) -> Traced:
    return apply(ops.XLOGY, x, y)


def betaln(a: Traced, b: Traced) -> Traced:
    a, b = as_float(a), as_float(b)
    return gammaln(a) + gammaln(b) - gammaln(a + b)


def log_ndtr(x: Traced) -> Traced:
    """log(ndtr(x)); below -20 by the asymptotic series of Abramowitz & Stegun, 26.2.12."""
    type_ = inexact(x.value.type)
    x = cast(x, Scalar(FLOAT64))
    is_low, is_high = x < -20.0, x > 0.0
    low, high = where(is_low, x, -20.0), where(is_high, x, 0.0)
    middle = where(is_low | is_high, -1.0, x)
    y = 1 / (low * low)
    series = 1 - y * (1 - y * (3 - y * (15 - y * (105 - y * (945 - y * 10395)))))
    tail = -0.5 * low * low - np.log(-low) - 0.5 * math.log(2 * math.pi) + np.log(series)
    half = math.sqrt(0.5)
    above = np.log1p(-0.5 * apply(ops.ERFC, high * half))
    between = np.log(0.5 * apply(ops.ERFC, middle * -half))
    return cast(where(is_low, tail, where(is_high, above, between)), type_)


# -- densities -------------------------------------------------------------------------------------------------------

Inside = Callable[[Traced], Traced]


def _positive(*numbers: Traced) -> Traced:
    found = numbers[0] > 0
    for x in numbers[1:]:
        found = found & (x > 0)
    return found


def _log_density(standard: Callable, inside: Inside | None = None, within: float = 0.5) -> Callable:
    """logpdf(x, *shapes, loc=0, scale=1): -inf outside of the support, nan where a parameter is not positive.

    What is computed outside of the support, and dropped, is the density at the place `within` it.
    """

    def logpdf(*args):
        given = signature.bind(*args)
        given.apply_defaults()
        builder = args[0].builder
        x, *shapes, loc, scale = (as_float(Traced(builder, lift(a))) for a in given.args)
        z = (x - loc) / scale
        is_inside = inside(z) if inside else None
        found = standard(z if is_inside is None else where(is_inside, z, within), *shapes) - np.log(scale)
        if is_inside is not None:
            found = where(is_inside, found, -np.inf)
        return where(_positive(scale, *shapes) & (z == z), found, np.nan)

    places = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=d) for n, d in _PLACE]
    signature = inspect.Signature([*inspect.signature(standard).parameters.values(), *places])
    logpdf.__signature__ = signature
    return logpdf


_PLACE = (("loc", 0.0), ("scale", 1.0))


def _from_zero(z):
    return z >= 0


def _unit(z):
    return (z >= 0) & (z <= 1)


def expon(x):
    return -x


def gamma(x, a):
    return xlogy(a - 1, x) - x - gammaln(a)


def beta(x, a, b):
    return xlogy(a - 1, x) + xlogy(b - 1, 1 - x) - betaln(a, b)


def chi2(x, df):
    return xlogy(0.5 * df - 1, x) - 0.5 * x - gammaln(0.5 * df) - 0.5 * math.log(2) * df


def student(x, df):
    constant = gammaln(0.5 * (df + 1)) - gammaln(0.5 * df) - 0.5 * np.log(math.pi * df)
    return constant - 0.5 * (df + 1) * np.log1p(x * x / df)


def laplace(x):
    return math.log(0.5) - abs(x)


def cauchy(x):
    return -math.log(math.pi) - np.log1p(x * x)


def logistic(x):
    return -apply(ops.LOGADDEXP, 0.0, x) - apply(ops.LOGADDEXP, 0.0, -x)


def uniform(x):
    return 0 * x


def lognorm(x, s):
    log = np.log(x)
    return -0.5 * (log / s) ** 2 - log - np.log(s) - 0.5 * math.log(2 * math.pi)


# -- masses ----------------------------------------------------------------------------------------------------------


def _whole(k: Traced, loc: Traced | float) -> tuple[Traced, Traced]:
    """k - loc, without derivative, and whether it is a whole number from 0 on."""
    k = as_float(k - loc)
    rounded = apply(ops.RINT, k)
    return where(rounded >= 0, rounded, 0.0), (rounded == k) & (k >= 0)


def poisson(k, mu, loc=0.0):
    mu, (n, inside) = as_float(mu), _whole(k, loc)
    found = where(inside, xlogy(n, mu) - gammaln(n + 1) - mu, -np.inf)
    return where((mu >= 0) & (k == k), found, np.nan)


def binom(k, n, p, loc=0.0):
    p, (trials, is_whole), (hits, inside) = as_float(p), _whole(n, 0.0), _whole(k, loc)
    inside = inside & (hits <= trials)
    hits = where(inside, hits, 0.0)
    ways = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    found = where(inside, ways + xlogy(hits, p) + xlogy(trials - hits, 1 - p), -np.inf)
    return where(is_whole & (p >= 0) & (p <= 1) & (k == k), found, np.nan)


def bernoulli(k, p, loc=0.0):
    return binom(k, Traced(k.builder, lift(1.0)), p, loc)


def declare(stats) -> None:
    """Make known the distributions of scipy.stats."""
    densities = {
        stats.expon: _log_density(expon, _from_zero),
        stats.gamma: _log_density(gamma, _from_zero),
        stats.beta: _log_density(beta, _unit),
        stats.chi2: _log_density(chi2, _from_zero),
        stats.lognorm: _log_density(lognorm, lambda z: z > 0),
        stats.uniform: _log_density(uniform, _unit),
        stats.t: _log_density(student),
        stats.laplace: _log_density(laplace),
        stats.cauchy: _log_density(cauchy),
        stats.logistic: _log_density(logistic),
    }
    for distribution, log_density in densities.items():
        composed(distribution.logpdf)(log_density)
    composed(stats.poisson.logpmf)(poisson)
    composed(stats.binom.logpmf)(binom)
    composed(stats.bernoulli.logpmf)(bernoulli)
