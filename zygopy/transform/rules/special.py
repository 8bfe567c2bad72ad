"""Derivative rules of the error function, the gamma function, sinc and Bessel functions."""

import math

import numpy as np

from zygopy.transform import ops
from zygopy.transform.rules import elementwise
from zygopy.transform.rules.compositions import apply


@elementwise(math.erf)
def erf(ans, x):
    return 2 / math.sqrt(math.pi) * np.exp(-x * x)


@elementwise(math.erfc)
def erfc(ans, x):
    return -2 / math.sqrt(math.pi) * np.exp(-x * x)


@elementwise(ops.EXPIT)
def expit(ans, x):
    return ans * (1 - ans)


@elementwise(ops.XLOGY)
def xlogy(ans, x, y):
    """-inf with respect to x at y = 0, nan with respect to y at x = y = 0."""
    return np.log(y), x / y


@elementwise(math.gamma)
def gamma(ans, x):
    return ans * apply(ops.DIGAMMA, x)


@elementwise(math.lgamma)
def lgamma(ans, x):
    return apply(ops.DIGAMMA, x)


@elementwise(ops.DIGAMMA)
def digamma(ans, x):
    return apply(ops.POLYGAMMA, 1.0, x)


@elementwise(ops.POLYGAMMA)
def polygamma(ans, order, x):
    return 0, apply(ops.POLYGAMMA, order + 1, x)


@elementwise(ops.SINC)
def sinc(ans, order, x):
    return 0, apply(ops.SINC, order + 1, x)


@elementwise(ops.BESSEL_J)
def bessel_j(ans, order, x):
    """DLMF 10.6.1."""
    return 0, 0.5 * (apply(ops.BESSEL_J, order - 1, x) - apply(ops.BESSEL_J, order + 1, x))


@elementwise(ops.BESSEL_I)
def bessel_i(ans, order, x):
    """DLMF 10.29.1."""
    return 0, 0.5 * (apply(ops.BESSEL_I, order - 1, x) + apply(ops.BESSEL_I, order + 1, x))
