"""SciPy's functions: special functions element by element, log-sum-exp and softmax, distributions.

They are declared when a program that uses them is met: zygopy does not import SciPy for those that do not.
"""

import math
import operator
import sys
from functools import partial

import numpy as np

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Traced, constant, where, zero
from zygopy.transform.functions import COMPOSED, composed
from zygopy.transform.library import distributions, elementwise, followed, fourier, linear_algebra_functions, reductions
from zygopy.transform.reading import arrays
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Static, View
from zygopy.transform.rules.compositions import apply, as_float, cast
from zygopy.transform.types import inexact, promote

_declared: set[str] = set()


def declare() -> None:
    """Make known the functions of those modules of SciPy that the program has imported."""
    parts = {"special": _declare_special, "stats": _declare_stats, "linalg": _declare_linear_algebra}
    parts["fft"] = fourier.declare
    for part, declare_module in parts.items():
        module = f"scipy.{part}"
        if module in sys.modules and module not in _declared:
            _declared.add(module)
            declare_module(sys.modules[module])


# -- scipy.linalg ----------------------------------------------------------------------------------------------------


def _declare_linear_algebra(linalg) -> None:
    builtin(linalg.cholesky)(linear_algebra_functions.scipy_cholesky)
    for name in ("solve_triangular", "cho_factor", "cho_solve", "expm"):
        builtin(getattr(linalg, name))(getattr(linear_algebra_functions, name))


# -- scipy.special ---------------------------------------------------------------------------------------------------


def _declare_special(special) -> None:
    same = {special.erf: math.erf, special.erfc: math.erfc, special.gamma: math.gamma, special.gammaln: math.lgamma}
    same |= {special.exp2: np.exp2, special.expm1: np.expm1, special.log1p: np.log1p, special.cbrt: np.cbrt}
    for function, known in same.items():
        COMPOSED[function] = COMPOSED.get(known) or _operation(ops.FUNCTIONS[known])
    composed(special.expit)(_operation(ops.EXPIT))
    composed(special.xlogy)(_operation(ops.XLOGY))
    composed(special.digamma, special.psi)(_in_own_precision(ops.DIGAMMA))
    for order, (j, i) in enumerate([(special.j0, special.i0), (special.j1, special.i1)]):
        composed(j)(partial(bessel, ops.BESSEL_J, order))
        composed(i)(partial(bessel, ops.BESSEL_I, order))
    composed(special.logit)(logit)
    composed(special.log_expit)(log_expit)
    composed(special.ndtr)(ndtr)
    composed(special.entr)(entropy)
    composed(special.log_ndtr)(distributions.log_ndtr)
    composed(special.betaln)(distributions.betaln)
    composed(special.beta)(beta)
    builtin(special.logsumexp)(logsumexp)
    builtin(special.softmax)(softmax)
    builtin(special.log_softmax)(log_softmax)


def _operation(op: ops.Op):
    def body(*args):
        return apply(op, *map(as_float, args))

    return body


def _in_own_precision(op: ops.Op):
    def body(*args):
        return cast(apply(op, *args), inexact(promote(*(a.value.type for a in args))))

    return body


def bessel(op: ops.Op, order: int, x):
    """A Bessel function of an order that is an integer, computed in float64."""
    return cast(apply(op, float(order), x), inexact(x.value.type))


def logit(p):
    p = as_float(p)
    return np.log(p / (1 - p))


def log_expit(x):
    """log(expit(x)) without overflow."""
    x = as_float(x)
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def ndtr(x):
    """The normal distribution function; the lower tail keeps its relative accuracy."""
    x = as_float(x)
    return 0.5 * apply(ops.ERFC, x * -math.sqrt(0.5))


def beta(a, b):
    a, b = as_float(a), as_float(b)
    return _sign_of_gamma(a) * _sign_of_gamma(b) * _sign_of_gamma(a + b) * np.exp(distributions.betaln(a, b))


def _sign_of_gamma(x):
    return where((x > 0) | (np.floor(x) % 2 == 0), 1.0 + 0 * x, -1.0)


def entropy(x):
    """-x * log(x), 0 at 0, -inf below."""
    x = as_float(x)
    return where(x > 0, -apply(ops.XLOGY, x, x), where(x == 0, 0 * x, -np.inf + 0 * x))


def _centred(s, a: View, axis) -> tuple[View, View]:
    """The largest element along an axis, 0 where it is not finite, and `a` minus it; no derivative goes through it."""
    largest = reductions.extremum(s, a, axis, constant(True), ops.MAXIMUM)
    finite = elementwise.combine(s, [largest], lambda v: _finite_or_zero(s, v[0]))
    m = s.freeze(finite)
    return m, elementwise.apply(s, operator.sub, [a, m])


def _finite_or_zero(s, value):
    return s.b.select(s.b.apply(ops.ISFINITE, value), value, zero(value.type))


def _exponentials(s, a: View, axis, weights=None):
    m, shifted = _centred(s, a, axis)
    e = elementwise.apply(s, np.exp, [shifted])
    return m, shifted, e if weights is None else elementwise.apply(s, operator.mul, [weights, e])


def logsumexp(s, a, axis=None, b=None, keepdims=None):
    a = reductions.need_array(s, a)
    m, _, e = _exponentials(s, a, axis, b)
    sums = reductions.sum_(s, e, axis, constant(True))
    found = elementwise.combine(s, [sums, m], lambda v: s.b.apply(ops.ADD, s.b.apply(ops.LOG, v[0]), v[1]))
    if reductions.flag(s, keepdims, "keepdims"):
        return found
    gone = reductions.axes_of(s, axis, a.ndim)
    flat = arrays.without_axes(found, gone)
    return flat if flat.ndim else arrays.load(s, flat)


def softmax(s, x, axis=None):
    x = reductions.need_array(s, x)
    _, _, e = _exponentials(s, x, axis)
    sums = reductions.sum_(s, e, axis, constant(True))
    return elementwise.apply(s, operator.truediv, [e, sums])


def log_softmax(s, x, axis=None):
    x = reductions.need_array(s, x)
    _, shifted, e = _exponentials(s, x, axis)
    sums = reductions.sum_(s, e, axis, constant(True))
    logs = elementwise.combine(s, [sums], lambda v: s.b.apply(ops.LOG, v[0]))
    return elementwise.apply(s, operator.sub, [shifted, logs])


# -- scipy.stats -----------------------------------------------------------------------------------------------------


def _declare_stats(stats) -> None:
    composed(stats.norm.logpdf)(norm_logpdf)
    composed(stats.norm.pdf)(norm_pdf)
    composed(stats.norm.cdf)(norm_cdf)
    composed(stats.norm.logcdf)(norm_logcdf)
    distributions.declare(stats)
    builtin(stats.multivariate_normal.logpdf)(normal_log_density)


def _of_positive(scale, found):
    """nan where the scale is not positive."""
    return where(scale > 0, found, np.nan) if isinstance(scale, Traced) else found


def norm_logpdf(x, loc=0.0, scale=1.0):
    z = (x - loc) / scale
    return -0.5 * (z * z) - 0.5 * math.log(2 * math.pi) - np.log(scale)


def norm_pdf(x, loc=0.0, scale=1.0):
    z = (x - loc) / scale
    return _of_positive(scale, np.exp(-0.5 * (z * z)) / (math.sqrt(2 * math.pi) * scale))


def norm_cdf(x, loc=0.0, scale=1.0):
    return _of_positive(scale, ndtr((x - loc) / scale))


def norm_logcdf(x, loc=0.0, scale=1.0):
    return _of_positive(scale, distributions.log_ndtr((x - loc) / scale))


def normal_log_density(s, x, mean, cov):
    """scipy.stats.multivariate_normal.logpdf of a point or of a matrix of them."""
    from scipy.linalg import solve_triangular

    x, cov = reductions.need_array(s, x), reductions.need_array(s, cov)
    if cov.ndim != 2 or x.ndim not in (1, 2):
        raise UnsupportedError("the normal density needs a matrix, and a point or a matrix of points", s.loc)
    arrays.same_length(s, x.shape[-1], cov.shape[0])
    return s.follow(followed.normal_log_density, [x, mean, cov, Static(solve_triangular)], {})
