"""Functions of complex numbers: their parts, what is composed of these, and Python's cmath.

The adjoint of z = x + iy is df/dx - i df/dy (JAX's convention), so that the rules of holomorphic functions hold as they
are. What is declared `linear` here is so over the real numbers only.
"""

import cmath
import math
import operator

import numpy as np

from zygopy.transform import ops
from zygopy.transform.build import Traced, constant, zero
from zygopy.transform.functions import composed, of_complex
from zygopy.transform.rules import linear
from zygopy.transform.rules.compositions import apply, cast, known
from zygopy.transform.types import COMPLEX, FLOAT, promote

# -- parts ------------------------------------------------------------------------------------------------------------


@linear(ops.REAL)
def real_adjoint(g):
    return (g,)


@linear(ops.IMAG)
def imag_adjoint(g):
    return (apply(ops.COMPLEX_OF, 0.0, -g),)


@linear(ops.CONJUGATE)
def conjugate_adjoint(g):
    return (apply(ops.CONJUGATE, g),)


@linear(ops.COMPLEX_OF)
def complex_adjoint(g):
    return apply(ops.REAL, g), -apply(ops.IMAG, g)


def is_complex(x: Traced) -> bool:
    return x.value.type.is_complex


@composed(np.real)
def real(x):
    return apply(ops.REAL, x) if is_complex(x) else x


@composed(np.imag)
def imag(x):
    return apply(ops.IMAG, x) if is_complex(x) else Traced(x.builder, zero(x.value.type))


@composed(np.conjugate)
def conjugate(x):
    return apply(ops.CONJUGATE, x) if is_complex(x) else x


@composed(complex)
def complex_(a, b=None):
    """Python's complex: always of two float64."""
    if b is None:
        return cast(a, COMPLEX)
    if is_complex(a) or is_complex(b):
        return cast(a, COMPLEX) + 1j * cast(b, COMPLEX)
    return apply(ops.COMPLEX_OF, cast(a, FLOAT), cast(b, FLOAT))


# -- magnitude and angle ----------------------------------------------------------------------------------------------


@of_complex(np.absolute, abs, operator.abs)
def absolute(z):
    """The derivative is 0 at z = 0."""
    return np.hypot(apply(ops.REAL, z), apply(ops.IMAG, z))


@composed(np.angle)
def angle(z):
    return np.arctan2(imag(z), real(z))


@of_complex(np.log10)
def log10(z):
    return np.log(z) / math.log(10)


@of_complex(np.log2)
def log2(z):
    return np.log(z) / math.log(2)


# -- powers -----------------------------------------------------------------------------------------------------------

_MOST = 100  # NumPy too multiplies up to this exponent


@of_complex(operator.pow, operator.ipow, np.power, pow)
def power(z, p):
    """Products for small integer exponents."""
    type_ = promote(z.value.type, p.value.type)
    n = known(p)
    if n is None or n != int(n.real) or abs(n) > _MOST:
        return apply(ops.POW, z, p)
    z, n = cast(z, type_), int(n.real)
    if n == 0:
        return Traced(z.builder, constant(type_.dtype.type(1), type_))
    result, base = None, z
    for bit in reversed(f"{abs(n):b}"):
        if bit == "1":
            result = base if result is None else result * base
        base = base * base
    return result if n > 0 else 1.0 / result


# -- cmath ------------------------------------------------------------------------------------------------------------


def _of_cmath(function, numpy_function):
    @composed(function)
    def with_complex_argument(z):
        return cast(numpy_function(cast(z, COMPLEX)), COMPLEX)


for _name in ("exp", "log10", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"):
    _of_cmath(getattr(cmath, _name), getattr(np, _name))


@composed(cmath.log)
def cmath_log(z, base=None):
    log = cast(np.log(cast(z, COMPLEX)), COMPLEX)
    return log if base is None else log / cmath_log(base)


@composed(cmath.phase)
def phase(z):
    return cast(angle(cast(z, COMPLEX)), FLOAT)


@composed(cmath.rect)
def rect(r, phi):
    r, phi = cast(r, FLOAT), cast(phi, FLOAT)
    return complex_(cast(r * np.cos(phi), FLOAT), cast(r * np.sin(phi), FLOAT))
