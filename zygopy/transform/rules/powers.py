"""x ** p: which exponents become products and roots, and which the operation `pow`.

Integer exponents 2, 3, 4 and the half-integer ones up to 1.5 cost a few multiplications instead of a call of some
15 ns, as NumPy's own x**2, x**-1 and x**0.5 do; the results are within 3 ulp of the exact ones.
"""

import math
import operator

import numpy as np

from zygopy.errors import ArgumentError
from zygopy.transform import ops
from zygopy.transform.build import Traced, constant, integer
from zygopy.transform.functions import composed
from zygopy.transform.rules.compositions import apply, as_float, cast, known
from zygopy.transform.types import Scalar


@composed(operator.pow, operator.ipow, np.power, pow)
def power(x, p):
    type_ = ops.typing(ops.POW, (x.value.type, p.value.type))[0]
    n = known(p)
    if n is None:
        return apply(ops.POW, x, p)
    if type_.is_integer and n < 0:
        return _integer_to_negative(x, p)
    x = cast(x, type_)
    if n == 0:
        return Traced(x.builder, constant(type_.dtype.type(1), type_))
    if (special := _FLOAT_POWERS.get(n)) is not None and (type_.is_float or n in (1, 2)):
        return special(x)
    if n in (3, 4):
        return _literal(x, int(n), type_)
    return apply(ops.POW, x, p)


def _integer_to_negative(x: Traced, p: Traced) -> Traced:
    """A Python int to a negative power is a float; a NumPy integer is an error."""
    if not (x.value.type.weak and p.value.type.weak):
        raise ArgumentError(
            "integers to negative integer powers are not allowed", x.builder.loc,
            "NumPy raises ValueError here", "use a float base",
        )  # fmt: skip
    return power(as_float(x), p)


def _literal(x: Traced, n: int, type_: Scalar) -> Traced:
    """`pow` with the exponent written as an int, which Numba expands to products."""
    return Traced(x.builder, x.builder.let(ops.POW, (x.value, integer(n)), type_))


def root(x: Traced) -> Traced:
    return apply(ops.SQRT, x)


def _times_root(x: Traced) -> Traced:
    return apply(ops.TIMES_ROOT, x, root(x))


_FLOAT_POWERS = {
    1: lambda x: x,
    2: lambda x: x * x,
    -1: lambda x: 1.0 / x,
    -2: lambda x: 1.0 / (x * x),
    0.5: root,
    -0.5: lambda x: 1.0 / root(x),
    1.5: _times_root,
    -1.5: lambda x: 1.0 / _times_root(x),
}


@composed(math.pow)
def math_pow(x, p):
    return power(as_float(x), p)


@composed(np.float_power)
def float_power(x, p):
    double = np.dtype(float)
    return power(cast(x, Scalar(double)), cast(p, Scalar(double)))
