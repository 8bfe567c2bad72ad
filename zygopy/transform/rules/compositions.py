"""Functions of scalars written in terms of other ones, whose rules give their derivatives.

`x ** p` has a file of its own, powers.py.
"""

import math
import operator

import numpy as np

from zygopy.errors import ArgumentError, DtypeError
from zygopy.transform import ops
from zygopy.transform.build import Traced, lift, where
from zygopy.transform.functions import apply_op, composed
from zygopy.transform.ir import Const, Op
from zygopy.transform.types import FLOAT64, INT, INT8, Scalar, inexact, promote

# -- helpers ----------------------------------------------------------------------------------------------------------


def apply(op: Op, *args: Traced | float) -> Traced:
    """An operation on traced values and numbers; what it gives is Python's number where all operands are."""
    builder = next(a.builder for a in args if isinstance(a, Traced))
    return Traced(builder, apply_op(builder, op, [lift(a) for a in args]))


def cast(x: Traced, type_: Scalar) -> Traced:
    return Traced(x.builder, x.builder.cast(x.value, type_))


def as_float(x: Traced) -> Traced:
    """A float function's operand."""
    return cast(x, inexact(x.value.type))


def is_integer(*args: Traced) -> bool:
    return not any(a.value.type.is_inexact for a in args)


def truth(x: Traced) -> Traced:
    return x if x.value.type.is_bool else apply(ops.NE, x, 0)


def known(x: Traced) -> object:
    """The number that a traced value is at compile time; None where only run time knows."""
    return x.value.value if isinstance(x.value, Const) else None


def _identity(x):
    return x


# -- other spellings --------------------------------------------------------------------------------------------------


composed(np.positive)(_identity)


@composed(np.square)
def square(x):
    x = cast(x, Scalar(INT8)) if x.value.type.is_bool else x
    return x * x


@composed(np.reciprocal)
def reciprocal(x):
    if is_integer(x):
        raise DtypeError("np.reciprocal of an integer rounds to 0", x.builder.loc, help="write 1 / x")
    return 1.0 / x


@composed(operator.inv, operator.invert, np.invert)
def invert(x):
    strong_bool = x.value.type.is_bool and not x.value.type.weak  # ~True is -2 in Python, False in NumPy
    return apply(ops.NOT, x) if strong_bool else apply(ops.INVERT, cast(x, INT) if x.value.type.is_bool else x)


@composed(operator.truth)
def operator_truth(x):
    return truth(x)


@composed(np.logical_not, operator.not_)
def logical_not(x):
    return apply(ops.NOT, truth(x))


@composed(np.logical_and)
def logical_and(a, b):
    return apply(ops.AND, truth(a), truth(b))


@composed(np.logical_or)
def logical_or(a, b):
    return apply(ops.OR, truth(a), truth(b))


@composed(np.logical_xor)
def logical_xor(a, b):
    return truth(a) != truth(b)


# -- choices ----------------------------------------------------------------------------------------------------------


def _fold(op: Op, integer_op: Op):
    """Python's max and min of several numbers."""

    def extremum(first, second, *rest):
        for x in (second, *rest):
            first = apply(integer_op if is_integer(first, x) else op, first, x)
        return first

    return extremum


composed(max)(_fold(ops.MAX, ops.INT_MAX))
composed(min)(_fold(ops.MIN, ops.INT_MIN))


@composed(np.where)
def numpy_where(test, a, b):
    type_ = promote(a.value.type, b.value.type)
    return where(truth(test), cast(a, type_), cast(b, type_))


@composed(np.clip)
def clip(x, low, high):
    return np.minimum(np.maximum(x, low), high)


@composed(np.heaviside)
def heaviside(x, at_zero):
    type_ = inexact(promote(x.value.type, at_zero.value.type))
    x, at_zero = cast(x, type_), cast(at_zero, type_)
    step = where(x < 0, 0.0, where(x > 0, 1.0, at_zero))
    return where(np.isnan(x), np.nan, step)


@composed(np.nan_to_num)
def nan_to_num(x):
    if is_integer(x):
        return x
    largest = np.finfo(x.dtype).max
    finite = where(x > largest, float(largest), where(x < -largest, -float(largest), x))
    return where(np.isnan(x), 0.0, finite)


@composed(math.isclose)
def math_isclose(a, b):
    near = abs(a - b) <= 1e-9 * apply(ops.MAXIMUM, abs(a), abs(b))
    return (a == b) | (near & apply(ops.ISFINITE, a) & apply(ops.ISFINITE, b))


@composed(np.isclose)
def numpy_isclose(a, b, rtol=1e-5, atol=1e-8):
    near = abs(a - b) <= atol + rtol * abs(b)
    return (a == b) | (near & np.isfinite(b))


@composed(np.isposinf)
def isposinf(x):
    return x == np.inf


@composed(np.isneginf)
def isneginf(x):
    return x == -np.inf


# -- rounding ---------------------------------------------------------------------------------------------------------


def _rounding(op: Op):
    """NumPy's rounding functions leave integers alone."""
    return lambda x: x if is_integer(x) else apply(op, x)


composed(np.floor)(_rounding(ops.FLOOR))
composed(np.ceil)(_rounding(ops.CEIL))
composed(np.trunc, np.fix)(_rounding(ops.TRUNC))


def _to_int(op: Op):
    """Python's rounding functions give an int."""
    return lambda x: cast(x, INT) if is_integer(x) else cast(apply(op, x), INT)


composed(math.floor)(_to_int(ops.FLOOR))
composed(math.ceil)(_to_int(ops.CEIL))
composed(math.trunc)(_to_int(ops.TRUNC))


@composed(round)
def python_round(x, digits=None):
    return _to_int(ops.RINT)(x) if digits is None else _to_digits(x, digits)


@composed(np.round, np.around)
def numpy_round(x, decimals=None):
    return _rounding(ops.RINT)(x) if decimals is None else _to_digits(x, decimals)


def _to_digits(x, digits):
    """NumPy's rule for both: scaled, rounded to even, scaled back."""
    n = known(digits)
    if n is None:
        raise ArgumentError("the number of digits must be known at compile time", x.builder.loc)
    if is_integer(x):
        if n < 0:
            raise DtypeError("an integer cannot be rounded to tens here", x.builder.loc, help="convert it with float()")
        return x
    scale = 10.0 ** abs(int(n))
    return apply(ops.RINT, x * scale) / scale if n >= 0 else apply(ops.RINT, x / scale) * scale


@composed(math.ulp)
def ulp(x):
    return apply(ops.SPACING, abs(as_float(x)))


@composed(np.fmod)
def fmod(a, b):
    if not is_integer(a, b):
        return apply(ops.FMOD, a, b)
    if a.value.type.is_bool and b.value.type.is_bool:
        return a % b  # an int8 of no sign
    rest = abs(a) % abs(b)
    return where(a < 0, -rest, rest)


# -- exponentials and logarithms --------------------------------------------------------------------------------------


@composed(math.log)
def math_log(x, base=None):
    return apply(ops.LOG, x) if base is None else apply(ops.LOG, x) / apply(ops.LOG, base)


@composed(math.ldexp, np.ldexp)
def ldexp(x, i):
    """x * 2**i in two steps, of which the first neither overflows nor rounds."""
    if not is_integer(i):
        raise DtypeError("ldexp needs an integer exponent", x.builder.loc, help="convert it with int()")
    x, half = as_float(x), i // 2
    return x * 2.0 ** cast(half, x.value.type) * 2.0 ** cast(i - half, x.value.type)


@composed(math.hypot)
def hypot(first, *rest):
    total = as_float(first) if rest else abs(as_float(first))
    for x in rest:
        total = apply(ops.HYPOT, total, x)
    return total


if hasattr(math, "fma"):  # Python 3.13

    @composed(math.fma)
    def fma(x, y, z):
        """Rounded twice, not once."""
        return as_float(x) * y + z


# -- special functions ------------------------------------------------------------------------------------------------


def _in_double(op: Op):
    """Computed in float64, and rounded to the operands' type: there is no other version of these."""

    def body(*args):
        type_ = inexact(promote(*(a.value.type for a in args)))
        return cast(apply(op, *args), type_)

    return body


composed(math.gamma)(_in_double(ops.GAMMA))
composed(math.lgamma)(_in_double(ops.LGAMMA))
composed(math.remainder)(_in_double(ops.IEEE_REMAINDER))


def _float64_of_integers(type_: Scalar) -> Scalar:
    return type_ if type_.is_inexact else Scalar(FLOAT64, type_.weak)


@composed(np.i0)
def i0(x):
    return cast(apply(ops.BESSEL_I, 0.0, x), _float64_of_integers(x.value.type))


@composed(np.sinc)
def sinc(x):
    return cast(apply(ops.SINC, 0.0, x), _float64_of_integers(x.value.type))


# -- integers ---------------------------------------------------------------------------------------------------------


def _fold_integers(op: Op):
    """Of one or more integers."""

    def body(first, *rest):
        total = abs(first)
        for x in rest:
            total = apply(op, total, x)
        return total

    return body


composed(math.gcd)(_fold_integers(ops.GCD))
composed(math.lcm)(_fold_integers(ops.LCM))


@composed(math.perm)
def perm(n, k=None):
    return apply(ops.FACTORIAL, n) if k is None else apply(ops.PERM, n, k)
