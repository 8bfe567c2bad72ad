"""Elementary functions without branches, as LLVM instructions: loops that call them become vector instructions.

Arguments are reduced as by Cody & Waite (1980), with the constants of fdlibm (Sun Microsystems, 1993); exponentials are
Taylor sums after that, logarithms and sines fdlibm's polynomials (e_log.c, k_sin.c, k_cos.c), single precision those of
Cephes (Moshier, 1989). Operations may be contracted to fma, never reordered: rounding by a large constant relies on it.

Largest errors in units in the last place stand in docs/semantics.md; `tests/test_vector_math.py` measures them.
"""

import math
from collections.abc import Callable

from llvmlite import ir
from numba.core import types

from zygopy.backends.numba_private import instruction

_FLAGS = ("contract", "nsz")


class Number:
    """A float or an integer in the code being written; operators write instructions."""

    __slots__ = ("b", "v")

    def __init__(self, b: ir.IRBuilder, v: ir.Value):
        self.b, self.v = b, v

    @property
    def is_float(self) -> bool:
        return isinstance(self.v.type, ir.FloatType | ir.DoubleType)

    def like(self, x: object) -> "Number":
        """A constant of the same type."""
        return x if isinstance(x, Number) else Number(self.b, ir.Constant(self.v.type, x))

    def _binary(self, other: object, of_floats: str, of_ints: str, swap: bool = False) -> "Number":
        a, b = self, self.like(other)
        a, b = (b, a) if swap else (a, b)
        if self.is_float:
            return Number(self.b, getattr(self.b, of_floats)(a.v, b.v, flags=_FLAGS))
        return Number(self.b, getattr(self.b, of_ints)(a.v, b.v))

    def __add__(self, other):
        return self._binary(other, "fadd", "add")

    def __radd__(self, other):
        return self._binary(other, "fadd", "add", True)

    def __sub__(self, other):
        return self._binary(other, "fsub", "sub")

    def __rsub__(self, other):
        return self._binary(other, "fsub", "sub", True)

    def __mul__(self, other):
        return self._binary(other, "fmul", "mul")

    def __rmul__(self, other):
        return self._binary(other, "fmul", "mul", True)

    def __truediv__(self, other):
        return self._binary(other, "fdiv", "sdiv")

    def __rtruediv__(self, other):
        return self._binary(other, "fdiv", "sdiv", True)

    def __neg__(self):
        return Number(self.b, self.b.fneg(self.v, flags=_FLAGS))

    def __and__(self, other):
        return self._binary(other, "", "and_")

    def __or__(self, other):
        return self._binary(other, "", "or_")

    def __xor__(self, other):
        return self._binary(other, "", "xor")

    def __lshift__(self, other):
        return self._binary(other, "", "shl")

    def __rshift__(self, other):
        """A shift that fills with zeros."""
        return self._binary(other, "", "lshr")

    def _compare(self, other: object, sign: str) -> ir.Value:
        other = self.like(other)
        if self.is_float:
            return (
                self.b.fcmp_unordered("!=", self.v, other.v)
                if sign == "!="
                else self.b.fcmp_ordered(sign, self.v, other.v)
            )
        return self.b.icmp_signed(sign, self.v, other.v)

    def __lt__(self, other):
        return self._compare(other, "<")

    def __gt__(self, other):
        return self._compare(other, ">")

    def __le__(self, other):
        return self._compare(other, "<=")

    def __ge__(self, other):
        return self._compare(other, ">=")

    def equals(self, other) -> ir.Value:
        return self._compare(other, "==")

    def differs(self, other) -> ir.Value:
        return self._compare(other, "!=")

    def where(self, test: ir.Value, other: object) -> "Number":
        """self if test else other"""
        return Number(self.b, self.b.select(test, self.v, self.like(other).v))

    def call(self, name: str, *others: "Number") -> "Number":
        """An intrinsic function of LLVM's."""
        type_ = self.v.type
        signature = ir.FunctionType(type_, [type_] * (1 + len(others)))
        function = self.b.module.declare_intrinsic(f"llvm.{name}", [type_], signature)
        return Number(self.b, self.b.call(function, [self.v, *(o.v for o in others)]))

    def bits(self) -> "Number":
        """The float's bits as an integer, the integer's as a float."""
        other = {ir.DoubleType(): ir.IntType(64), ir.FloatType(): ir.IntType(32)}
        other |= {ir.IntType(64): ir.DoubleType(), ir.IntType(32): ir.FloatType()}
        return Number(self.b, self.b.bitcast(self.v, other[self.v.type]))


def _abs(x: Number) -> Number:
    return x.call("fabs")


def _copysign(x: Number, sign: Number) -> Number:
    return x.call("copysign", sign)


def _at_most(x: Number, limit: float) -> Number:
    """The smaller one; nan stays."""
    return x.like(limit).where(x > limit, x)


def _at_least(x: Number, limit: float) -> Number:
    return x.like(limit).where(x < limit, x)


def _polynomial(x: Number, coefficients: tuple[float, ...]) -> Number:
    """The sum of coefficients[k] * x**k, by Horner's rule."""
    total = x.like(coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


# -- double precision ------------------------------------------------------------------------------------------------

_ROUND = 6755399441055744.0  # 1.5 * 2**52: a sum with it is rounded to an integer, which its last bits hold
_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # n * HIGH is exact
_ONE = 0x3FF0000000000000
_MANTISSA = 0x000FFFFFFFFFFFFF
_ROOT_HALF = 0x3FE6A09E667F3BCD  # the bits of sqrt(1/2)
_LARGE = 0x4330000000000000  # the bits of 2**52


def _power_of_two(n: Number) -> Number:
    """2**n for an integer n from -1022 to 1023."""
    return (((n + _ROUND).bits() << 52) + _ONE).bits()


def _reduced(x: Number) -> tuple[Number, Number, Number]:
    """n, r and the rounding error of r, with x = n * log(2) + r."""
    n = (x * _LOG2_E + _ROUND) - _ROUND
    high, low = x - n * _LN2_HIGH, n * _LN2_LOW
    r = high - low
    return n, r, (high - r) - low


def _exp_tail(r: Number) -> Number:
    """(exp(r) - 1 - r - r**2 / 2) / r**3 for abs(r) <= log(2) / 2: the Taylor sum, in the order of Estrin."""
    c = [1.0 / math.factorial(k) for k in range(14)]
    r2 = r * r
    r4 = r2 * r2
    low = (c[3] + r * c[4]) + r2 * (c[5] + r * c[6])
    high = (c[7] + r * c[8]) + r2 * (c[9] + r * c[10])
    return low + r4 * (high + r4 * ((c[11] + r * c[12]) + r2 * c[13]))


def _exp(x: Number) -> Number:
    """exp(r) * 2**n in two steps, so that neither overflows before the result does, nor is rounded twice."""
    x = _at_least(_at_most(x, 709.9), -745.9)
    n, r, error = _reduced(x)
    r2 = r * r
    p = 1.0 + (r + (r2 * (0.5 + r * _exp_tail(r)) + error))
    half = (n * 0.5 + _ROUND) - _ROUND
    return p * _power_of_two(half) * _power_of_two(n - half)


def _expm1(x: Number) -> Number:
    limited = _at_least(_at_most(x, 709.9), -40.0)
    n, r, error = _reduced(limited)
    r2 = r * r
    p = r + (0.5 * r2 + (r2 * r * _exp_tail(r) + error * (1.0 + r)))
    half = (n * 0.5 + _ROUND) - _ROUND
    a, b = _power_of_two(half), _power_of_two(n - half)
    scale = a * b
    near, far = (scale - 1.0) + scale * p, (a * (p + 1.0)) * b
    return x.where(x.equals(0.0), near.where(n < 53.0, far))


def _tanh(x: Number) -> Number:
    """e / (e + 2) with e = expm1(2 * abs(x)), which has few bits to lose where 2**n is large."""
    a = 2.0 * _at_most(_abs(x), 20.0)
    n, r, error = _reduced(a)
    scale = _power_of_two(n)
    grown = (scale - 1.0) + scale * (r + (r * r * (0.5 + r * _exp_tail(r)) + error))
    return _copysign(grown / (grown + 2.0), x)


def _expit(x: Number) -> Number:
    e = _exp(-_abs(x))
    return x.like(1.0).where(x >= 0.0, e) / (1.0 + e)


def _split(y: Number) -> tuple[Number, Number]:
    """k and f with y = 2**k * (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2), for a normal y > 0."""
    bits = y.bits() + (_ONE - _ROOT_HALF)
    k = ((bits >> 52) | _LARGE).bits() - (4503599627370496.0 + 1023.0)
    return k, ((bits & _MANTISSA) + _ROOT_HALF).bits() - 1.0


def _log_of(f: Number, k: Number, error: Number | float) -> Number:
    """k * log(2) + log(1 + f) + error, as e_log.c."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = w * _polynomial(w, (3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01))
    even = z * _polynomial(
        w, (6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01)
    )
    half = 0.5 * f * f
    return s * (half + odd + even) + (k * _LN2_LOW + error) - half + f + k * _LN2_HIGH


def _log_at_ends(x: Number, result: Number, zero: float) -> Number:
    """The result, -inf where x is `zero`, inf at inf and nan below zero."""
    result = x.where(x.equals(math.inf), result)
    result = x.like(-math.inf).where(x.equals(zero), result)
    return result.where(x >= zero, math.nan)


def _log(x: Number) -> Number:
    denormal = x < 2.2250738585072014e-308
    k, f = _split((x * 18014398509481984.0).where(denormal, x))  # 2**54
    return _log_at_ends(x, _log_of(f, k - x.like(54.0).where(denormal, 0.0), 0.0), 0.0)


def _log1p(x: Number) -> Number:
    u = 1.0 + x
    k, f = _split(u)
    error = (1.0 - (u - x)).where(x >= 1.0, x - (u - 1.0)) / u
    near = k.equals(0.0)
    result = _log_of(x.where(near, f), k, x.like(0.0).where(near, error))
    return x.where(x.equals(0.0), _log_at_ends(x, result, -1.0))


# pi / 2 in three parts, each with as many bits as a double holds; n times the first is exact within an fma
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33)


def _sine(x: Number, quarter: int) -> Number:
    """sin(x + quarter * pi / 2), for abs(x) up to 2**45; see `docs/semantics.md`."""
    shifted = x * 0.63661977236758134308 + _ROUND
    n, k = shifted - _ROUND, shifted.bits() + quarter
    first = (-n).call("fma", x.like(_HALF_PI[0]), x)  # exact
    product = n * _HALF_PI[1]
    missing = n.call("fma", x.like(_HALF_PI[1]), -product) + n * _HALF_PI[2]
    r = first - product
    back = r - first
    low = ((first - (r - back)) - (product + back)) - missing
    r, low = r + low, low - ((r + low) - r)
    z = r * r
    s = _polynomial(
        z,
        (
            -1.66666666666666324348e-01,
            8.33333333332248946124e-03,
            -1.98412698298579493134e-04,
            2.75573137070700676789e-06,
            -2.50507602534068634195e-08,
            1.58969099521155010221e-10,
        ),
    )
    c = _polynomial(
        z,
        (
            4.16666666666666019037e-02,
            -1.38888888888741095749e-03,
            2.48015872894767294178e-05,
            -2.75573143513906633035e-07,
            2.08757232129817482790e-09,
            -1.13596475577881948265e-11,
        ),
    )
    sine = r + (z * r * s + low * (1.0 - 0.5 * z))
    half = 0.5 * z
    w = 1.0 - half
    cosine = w + (((1.0 - w) - half) + (z * z * c - r * low))
    value = cosine.where((k & 1).differs(0), sine)
    return (value.bits() ^ ((k & 2) << 62)).bits()


def _sin(x: Number) -> Number:
    return x.where(x.equals(0.0), _sine(x, 0))


def _cos(x: Number) -> Number:
    return _sine(x, 1)


# -- single precision ------------------------------------------------------------------------------------------------

_ROUND_4 = 12582912.0
_ONE_4 = 0x3F800000


def _power_of_two_4(n: Number) -> Number:
    return (((n + _ROUND_4).bits() << 23) + _ONE_4).bits()


def _exp_4(x: Number) -> Number:
    x = _at_least(_at_most(x, 88.8), -104.0)
    n = (x * 1.44269504 + _ROUND_4) - _ROUND_4
    r = (x - n * 0.693359375) - n * -2.12194440e-4
    p = _polynomial(r, (0.5, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4))
    half = (n * 0.5 + _ROUND_4) - _ROUND_4
    return (p * r * r + r + 1.0) * _power_of_two_4(half) * _power_of_two_4(n - half)


def _log_4(x: Number) -> Number:
    """As e_logf.c."""
    denormal = x < 1.1754943508222875e-38
    y = (x * 33554432.0).where(denormal, x)
    bits = y.bits() + (_ONE_4 - 0x3F3504F3)
    k = ((bits >> 23) | 0x4B000000).bits() - (8388608.0 + 127.0) - x.like(25.0).where(denormal, 0.0)
    f = ((bits & 0x007FFFFF) + 0x3F3504F3).bits() - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd, even = w * (0.40000972152 + w * 0.24279078841), z * (0.66666662693 + w * 0.28498786688)
    half = 0.5 * f * f
    result = s * (half + odd + even) + k * 9.0580006145e-06 - half + f + k * 6.9313812256e-01
    return _log_at_ends(x, result, 0.0)


def _tanh_4(x: Number) -> Number:
    a = _at_most(_abs(x), 10.0)
    z = a * a
    near = a + a * z * _polynomial(
        z, (-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3)
    )
    far = 1.0 - 2.0 / (_exp_4(a + a) + 1.0)
    return _copysign(near.where(a < 0.625, far), x)


def _expit_4(x: Number) -> Number:
    e = _exp_4(-_abs(x))
    return x.like(1.0).where(x >= 0.0, e) / (1.0 + e)


# -- for compiled code -----------------------------------------------------------------------------------------------


def _kernel(double: Callable, single: Callable | None = None) -> Callable:
    """A function for compiled code; without a version in single precision it computes in double."""

    def generate(context, builder, signature, args):
        result = signature.return_type
        wide = result if single is not None else types.float64
        values = [context.cast(builder, a, t, wide) for a, t in zip(args, signature.args, strict=True)]
        numbers = [Number(builder, v) for v in values]
        kernel = single if single is not None and result is types.float32 else double
        return context.cast(builder, kernel(*numbers).v, wide, result)

    def typing(*args):
        floats = [a for a in args if isinstance(a, types.Float)]
        narrow = bool(floats) and all(a is types.float32 for a in floats)
        result = types.float32 if narrow else types.float64
        return result(*args)

    return instruction(generate, typing)


def _extremum(name: str, sign: str) -> Callable:
    """np.maximum and np.minimum; LLVM's intrinsics, unlike comparisons and branches, become vector reductions."""

    def generate(context, builder, signature, args):
        result = signature.return_type
        a, b = (context.cast(builder, x, t, result) for x, t in zip(args, signature.args, strict=True))
        if isinstance(result, types.Float):
            return Number(builder, a).call(name, Number(builder, b)).v
        compare = builder.icmp_signed if getattr(result, "signed", False) else builder.icmp_unsigned
        return builder.select(compare(sign, a, b), a, b)

    def typing(a, b):
        from numba.core.registry import cpu_target

        result = cpu_target.typing_context.unify_types(types.unliteral(a), types.unliteral(b))
        return result(types.unliteral(a), types.unliteral(b))

    return instruction(generate, typing)


KERNELS = {
    "maximum": _extremum("maximum", ">"),
    "minimum": _extremum("minimum", "<"),
    "exp": _kernel(_exp, _exp_4),
    "expm1": _kernel(_expm1),
    "log": _kernel(_log, _log_4),
    "log1p": _kernel(_log1p),
    "tanh": _kernel(_tanh, _tanh_4),
    "expit": _kernel(_expit, _expit_4),
    "sin": _kernel(_sin),
    "cos": _kernel(_cos),
}
