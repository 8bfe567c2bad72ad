"""Derivative rules of roots, exponentials and logarithms."""

import math

import numpy as np

from zygopy.transform import ops
from zygopy.transform.build import Traced, where
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
    return _share(a, b, 1.0), _share(b, a, 1.0)


@elementwise(np.logaddexp2)
def logaddexp2(ans, a, b):
    return _share(a, b, math.log(2)), _share(b, a, math.log(2))


def _share(x, other, log_base):
    """base**x / (base**x + base**other); a half of two equal infinities."""
    difference = (x - other) * log_base
    share = Traced(difference.builder, difference.builder.apply(ops.EXPIT, difference.value))
    return where(np.isnan(difference), where(x == other, 0.5, difference), share)
