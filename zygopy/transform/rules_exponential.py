"""Derivative rules of roots, exponentials and logarithms."""

import math

import numpy as np

from zygopy.transform import ops
from zygopy.transform.build import where
from zygopy.transform.rules import elementwise


@elementwise(np.sqrt)
def sqrt(ans, x):
    """inf at x = 0."""
    return 0.5 / ans


@elementwise(np.cbrt)
def cbrt(ans, x):
    """inf at x = 0."""
    return 1.0 / (3.0 * (ans * ans))


@elementwise(ops.TIMES_ROOT)
def times_root(ans, x, root):
    """Of x**1.5 as a function of x; the root is counted with it, so that it is 0 and not nan at x = 0."""
    return 1.5 * root, 0


@elementwise(np.exp)
def exp(ans, x):
    return ans


@elementwise(np.exp2)
def exp2(ans, x):
    return math.log(2) * ans


@elementwise(np.expm1)
def expm1(ans, x):
    return ans + 1.0


@elementwise(np.log)
def log(ans, x):
    """inf at x = 0."""
    return 1.0 / x


@elementwise(np.log2)
def log2(ans, x):
    return 1 / math.log(2) / x


@elementwise(np.log10)
def log10(ans, x):
    return 1 / math.log(10) / x


@elementwise(np.log1p)
def log1p(ans, x):
    return 1.0 / (1.0 + x)


@elementwise(np.logaddexp)
def logaddexp(ans, a, b):
    return _share(np.exp, ans, a, b), _share(np.exp, ans, b, a)


@elementwise(np.logaddexp2)
def logaddexp2(ans, a, b):
    return _share(np.exp2, ans, a, b), _share(np.exp2, ans, b, a)


def _share(exp, ans, x, other):
    """exp(x - ans); where that is inf - inf, the share that x has in the maximum."""
    in_maximum = where(x == other, 0.5, where(x < other, 0.0, 1.0))
    return where(np.isinf(ans), in_maximum, exp(x - ans))
