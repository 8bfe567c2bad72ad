"""Elementary functions without branches or calls, so that LLVM vectorises the loops around them.

exp(x) = 2**n * exp(r),  n = round(x / log(2)),  r = x - n * log(2)

Methods are those of fdlibm and of Muller, "Elementary Functions" (3rd edition, 2016): reduction by constants of two or
three parts (Cody and Waite, section 11.2), a polynomial, reconstruction, and selection of the special values last.
Errors are below 2 ulp for all arguments (`python -m benchmarks.vector_math` measures them).
"""

import math
from dataclasses import dataclass

from zygopy.backends.llvm_values import Value, polynomial, processor_has


@dataclass(frozen=True)
class _Format:
    """A floating-point format, and the constants of kernels that both formats share."""

    mantissa: int  # bits
    bias: int
    highest: float  # exp overflows from here on
    lowest: float  # exp is 0 from here on
    usual: float  # up to this size exp is a normal number
    log2_high: float  # its product with an exponent is exact
    log2_low: float
    root_half: int  # the bits of sqrt(1/2)
    exponential: tuple[float, ...]  # (exp(r) - 1 - r) / r**2 for |r| <= log(2) / 2
    logarithm: tuple[float, ...]  # (log(1 + s) - log(1 - s)) / s - 2 as s**2 times this, a polynomial in s**2

    @property
    def magic(self) -> float:
        """Added to a small float, it leaves the nearest integer in the lowest bits."""
        return 1.5 * 2.0**self.mantissa

    @property
    def one(self) -> int:
        """The bits of 1.0."""
        return self.bias << self.mantissa

    @property
    def smallest_normal(self) -> float:
        return 2.0 ** (1 - self.bias)


# Double: our fit (Remez' algorithm, mpmath); fdlibm e_log.c. Single: Cephes expf.c; FreeBSD e_logf.c.
_DOUBLE = _Format(
    mantissa=52,
    bias=1023,
    highest=709.9,
    lowest=-745.9,
    usual=700.0,
    log2_high=6.93147180369123816490e-01,
    log2_low=1.90821492927058770002e-10,
    root_half=0x3FE6A09E667F3BCD,
    exponential=(
        0.5,
        0.1666666666666667099,
        0.04166666666666668379,
        0.008333333333326134003,
        0.001388888888887439851,
        0.0001984126987482399095,
        0.00002480158734733946111,
        2.755725539647099747e-6,
        2.755725291247286837e-7,
        2.510521838664829017e-8,
        2.092158937082914313e-9,
    ),
    logarithm=(
        6.666666666666735130e-01,
        3.999999999940941908e-01,
        2.857142874366239149e-01,
        2.222219843214978396e-01,
        1.818357216161805012e-01,
        1.531383769920937332e-01,
        1.479819860511658591e-01,
    ),
)
_SINGLE = _Format(
    mantissa=23,
    bias=127,
    highest=88.8,
    lowest=-104.0,
    usual=87.0,
    log2_high=6.9314575195e-01,
    log2_low=1.4286067653e-06,
    root_half=0x3F3504F3,
    exponential=(0.5, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.9875691500e-4),
    logarithm=(0.66666662693, 0.40000972152, 0.28498786688, 0.24279078841),
)
_FORMATS = {"double": _DOUBLE, "float": _SINGLE}


def _format(x: Value) -> _Format:
    return _FORMATS[str(x.element)]


# -- exponentials ----------------------------------------------------------------------------------------------------


def _clipped(x: Value, low: float, high: float) -> Value:
    """min(max(x, low), high); nan stays nan."""
    x = (x > high).where(high, x)
    return (x < low).where(low, x)


def _shifted(x: Value, factor: float = 1.0) -> Value:
    """A float that has the integer nearest to x * factor in its lowest bits: that integer and `magic`."""
    return x.fma(factor, _format(x).magic)


def _power_of_two(shifted: Value) -> Value:
    """2**n of n + magic, for an integer n in the range of normal exponents."""
    f = _format(shifted)
    return ((shifted.bits() << f.mantissa) + f.one).as_float()


def _scaled(x: Value, shifted: Value) -> Value:
    """x * 2**n of n + magic and x next to 1: by AVX-512's instruction, or in two steps; the last one rounds."""
    f = _format(x)
    if processor_has("avx512f"):
        return x.ldexp((shifted.bits() - x.constant(f.magic).bits()).low_bits())
    digits = 2.0 * f.mantissa
    small = shifted < f.magic + f.mantissa - f.bias
    last = small.where(x.constant(2.0 ** (1.0 - digits)), 2.0)
    return x * _power_of_two(small.where(shifted + digits, shifted) - 1.0) * last


def _exponential(x: Value, low: Value | None = None) -> tuple[Value, Value, Value]:
    """n + magic, r and q with exp(x + low) = 2**n * (1 + r + q), |r| <= log(2) / 2, and q of the order of r**2 / 2."""
    f = _format(x)
    shifted = _shifted(x, 1.0 / math.log(2.0))
    n = shifted - f.magic
    high = (-n).fma(f.log2_high, x)  # exact
    r = (-n).fma(f.log2_low, high)
    rest = (-n).fma(f.log2_low, high - r)  # what the rounding of r lost
    if low is not None:
        rest = rest + low
        total = r + rest
        r, rest = total, (r - total) + rest
    q = (r * r).fma(polynomial(r, *f.exponential), rest.fma(r, rest))
    return shifted, r, q


def _one_plus(r: Value, q: Value) -> Value:
    """1 + r + q with about one rounding, of a q well below r."""
    total = 1.0 + r
    return total + (((1.0 - total) + r) + q)


def exp(x: Value) -> Value:
    f = _format(x)
    return _scaled(*_next_to_one(_clipped(x, f.lowest, f.highest)))


def _next_to_one(x: Value) -> tuple[Value, Value]:
    """y and n + magic with exp(x) = y * 2**n."""
    f = _format(x)
    shifted = _shifted(x, 1.0 / math.log(2.0))
    n = shifted - f.magic
    r = (-n).fma(f.log2_low, (-n).fma(f.log2_high, x))
    return 1.0 + (r * r).fma(polynomial(r, *f.exponential), r), shifted


def exp_is_usual(x: Value) -> Value:
    return abs(x) < _format(x).usual


def usual_exp(x: Value) -> Value:
    y, shifted = _next_to_one(x)
    return y * _power_of_two(shifted)


def expm1(x: Value) -> Value:
    """2**n * (exp(r) - 1) + (2**n - 1)."""
    f = _format(x)
    digits = f.mantissa + 1.0
    shifted, r, q = _exponential(_clipped(x, -digits, f.highest))
    n = shifted - f.magic
    half = _shifted(n, 0.5)
    first, second = _power_of_two(half), _power_of_two(shifted - (half - f.magic))
    scale = first * second
    below = scale - 1.0
    total = scale.fma(r, below)
    lost = scale.fma(r, below - total)
    y = (n < digits).where(total + scale.fma(q, lost), first * (1.0 + (r + q)) * second - 1.0)
    return x.equals(0.0).where(x, y)  # -0.0


def tanh(x: Value) -> Value:
    """e / (e + 2) with e = exp(2 |x|) - 1."""
    size = abs(x)
    size = (size > 20.0).where(20.0, size)
    shifted, r, q = _exponential(size + size)
    scale = _power_of_two(shifted)  # neither this nor e overflows, so that one scaling does
    e = scale.fma(r + q, scale - 1.0)
    return (e / (e + 2.0)).intrinsic("copysign", x)


def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x)), without overflow: e / (1 + e) with e = exp(-|x|) for a negative x."""
    e = exp(-abs(x))
    return (x >= 0.0).where(1.0, e) / (1.0 + e)


# -- logarithms ------------------------------------------------------------------------------------------------------


def _exponent_and_rest(x: Value) -> tuple[Value, Value]:
    """k and f with x = 2**k * (1 + f) and 1 + f between sqrt(1/2) and sqrt(2), of a positive normal x."""
    f = _format(x)
    bits = x.bits() + (f.one - f.root_half)
    to_float = 2.0**f.mantissa  # in its lowest bits stands the exponent
    exponent = ((bits >> f.mantissa) | x.constant(to_float).bits()).as_float() - (to_float + f.bias)
    rest = ((bits & ((1 << f.mantissa) - 1)) + f.root_half).as_float() - 1.0
    return exponent, rest


def _logarithm(k: Value, f: Value, low: Value | float = 0.0) -> Value:
    """k * log(2) + log(1 + f) + low, as fdlibm's e_log.c."""
    constants = _format(k)
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    series = z * polynomial(z, *constants.logarithm)
    return k.fma(constants.log2_high, s.fma(half + series, k.fma(constants.log2_low, low)) - half + f)


def _normalised(x: Value) -> tuple[Value, Value]:
    """x times a power of two, so that it is normal, and the exponent of that power."""
    f = _format(x)
    shift = f.mantissa + 2.0
    tiny = x < f.smallest_normal
    return tiny.where(x * 2.0**shift, x), tiny.where(x.constant(shift), 0.0)


def log(x: Value) -> Value:
    normal, shift = _normalised(x)
    k, f = _exponent_and_rest(normal)
    y = _logarithm(k - shift, f)
    y = x.equals(math.inf).where(x, y)
    y = x.equals(0.0).where(-math.inf, y)
    return (x >= 0.0).where(y, math.nan)


def log_is_usual(x: Value) -> Value:
    return (x >= _format(x).smallest_normal) & (x < math.inf)


def usual_log(x: Value) -> Value:
    return _logarithm(*_exponent_and_rest(x))


def log1p(x: Value) -> Value:
    """The logarithm of u = 1 + x, rounded, with what the rounding lost as a correction; fdlibm's s_log1p.c."""
    u = 1.0 + x
    k, f = _exponent_and_rest(u)
    lost = (x >= 1.0).where(1.0 - (u - x), x - (u - 1.0)) / u
    small = k.equals(0.0)
    y = _logarithm(k, small.where(x, f), small.where(0.0, lost))
    y = x.equals(math.inf).where(x, y)
    y = x.equals(-1.0).where(-math.inf, y)
    y = x.equals(0.0).where(x, y)  # -0.0
    return (x >= -1.0).where(y, math.nan)


# -- powers ----------------------------------------------------------------------------------------------------------


# (2 atanh(s) / s - 2 - 2/3 z) / z**2 in z = s**2, for 1/2 <= ((1 + s) / (1 - s))**2 <= 2: our fit, as those of erf.
_LOGARITHM = (
    0.3999999999999999981,
    0.2857142857142937461,
    0.2222222222165132923,
    0.1818181833632240946,
    0.1538459487222423356,
    0.133348091952989197,
    0.1170612507385905974,
    0.1172425897646252109,
)


def logaddexp(x: Value, y: Value) -> Value:
    """max(x, y) + log(1 + exp(-|x - y|))."""
    larger = (x > y).where(x, y)
    apart = larger + log1p(exp(-abs(x - y)))
    return x.equals(y).where(x + math.log(2.0), apart)  # infinities too


def _logarithm_of_two_parts(x: Value, shift: Value | float = 0.0) -> tuple[Value, Value]:
    """high + low = log(x) - shift * log(2) for a normal double x > 0, to about 66 bits: a series of 2 atanh(s)."""
    k, f = _exponent_and_rest(x)
    k = k - shift
    sum_ = 2.0 + f
    lost = (2.0 - sum_) + f
    inverse = 1.0 / sum_
    s = f * inverse
    s_low = ((-s).fma(sum_, f) - s * lost) * inverse
    z = s * s
    z_low = s.fma(s, -z) + 2.0 * s * s_low
    tail = z * polynomial(z, *_LOGARITHM)
    c = 2.0 / 3.0 + tail
    c_low = ((2.0 / 3.0 - c) + tail) + 3.7007434154171886e-17  # 2/3 less the double next to it
    t = z * c
    t_low = z.fma(c, -t) + (z * c_low + z_low * c)
    u = s * t
    u_low = s.fma(t, -u) + (s * t_low + s_low * t)
    first = 2.0 * s
    high = first + u
    low = ((first - high) + u) + (2.0 * s_low + u_low)
    scaled = k * _DOUBLE.log2_high
    total = scaled + high
    low = ((scaled - total) + high) + (low + k * _DOUBLE.log2_low)
    high = total + low
    return high, (total - high) + low


def _exp_of_product(y: Value, high: Value, low: Value) -> Value:
    """exp(y * (high + low)) of doubles, rounded once but for 0.1 ulp; exact results come out exact."""
    product = y * high
    rest = y.fma(high, -product) + y * low
    rest = (abs(product) < -_DOUBLE.lowest).where(rest, 0.0)
    shifted, r, q = _exponential(_clipped(product, _DOUBLE.lowest, _DOUBLE.highest), rest)
    return _scaled(_one_plus(r, q), shifted)


def _at_ends(x: Value, logarithm: Value) -> Value:
    """log(x) at 0 and inf too."""
    logarithm = x.equals(0.0).where(-math.inf, logarithm)
    return x.equals(math.inf).where(math.inf, logarithm)


def _power_of_size(x: Value, y: Value) -> Value:
    """x**y for x >= 0."""
    if _format(x) is _SINGLE:
        x, y = x.to_double(), y.to_double()
        return _single_power(y, _at_ends(x, usual_log(x)))
    normal, shift = _normalised(x)
    high, low = _logarithm_of_two_parts(normal, shift)
    return _exp_of_product(y, _at_ends(x, high), low)


def _single_power(y: Value, logarithm: Value) -> Value:
    """exp(y * logarithm) as a single, of doubles."""
    shifted, r, q = _exponential(_clipped(y * logarithm, -200.0, 200.0))
    return ((1.0 + (r + q)) * _power_of_two(shifted)).to_single()


def power(x: Value, y: Value) -> Value:
    """x**y, in special cases as C99 has it (annex F.9.4.4)."""
    size, half = abs(x), 0.5 * y
    result = _power_of_size(size, y)
    fraction = y.differs(y.intrinsic("rint"))
    even = half.equals(half.intrinsic("rint"))
    result = (fraction | even).where(result, result.intrinsic("copysign", x))
    result = ((x < 0.0) & (size < math.inf) & fraction).where(math.nan, result)
    result = x.is_nan_with(y).where(math.nan, result)
    one = x.equals(1.0) | y.equals(0.0) | size.equals(1.0) & abs(y).equals(math.inf)
    return one.where(1.0, result)


def power_is_usual(x: Value, y: Value) -> Value:
    return log_is_usual(x) & (abs(y) < math.inf)


def usual_power(x: Value, y: Value) -> Value:
    if _format(x) is _SINGLE:
        return _single_power(y.to_double(), usual_log(x.to_double()))
    return _exp_of_product(y, *_logarithm_of_two_parts(x))


# -- trigonometric functions -----------------------------------------------------------------------------------------

FAR = 2.0**30  # of larger arguments `_sine` knows nothing
_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)


def _quarters(x: Value) -> tuple[Value, Value]:
    """The number of quarter turns nearest to x, as a float and as an integer."""
    shifted = x.fma(2.0 / math.pi, _DOUBLE.magic)
    return shifted - _DOUBLE.magic, shifted.bits()


def _in_quadrant(quadrant: Value, sine: Value, cosine: Value) -> Value:
    """The sine of r + quadrant * pi / 2, given the sine and the cosine of r."""
    size = (quadrant & 1).equals(0).where(sine, cosine)
    return (size.bits() ^ ((quadrant & 2) << 62)).as_float()


def _sine(x: Value, quarters: int) -> Value:
    """sin(x + quarters * pi / 2) for a double |x| < FAR; polynomials of fdlibm's k_sin.c and k_cos.c."""
    n, quadrant = _quarters(x)
    first, second, third = _HALF_PI
    high = (-n).fma(first, x)  # exact
    product = n * second
    r = high - product
    moved = r - high
    low = (high - (r - moved)) - (product + moved)  # what the rounding of r lost (Knuth)
    low = (-n).fma(third, low - n.fma(second, -product))
    z = r * r
    sine = polynomial(
        z,
        -1.66666666666666324348e-01,
        8.33333333332248946124e-03,
        -1.98412698298579493134e-04,
        2.75573137070700676789e-06,
        -2.50507602534068634195e-08,
        1.58969099521155010221e-10,
    )
    sine = r + (z * r).fma(sine, (-0.5 * z).fma(low, low))
    cosine = polynomial(
        z,
        4.16666666666666019037e-02,
        -1.38888888888741095749e-03,
        2.48015872894767294178e-05,
        -2.75573143513906633035e-07,
        2.08757232129817482790e-09,
        -1.13596475577881948265e-11,
    )
    half = 0.5 * z
    total = 1.0 - half
    cosine = total + (((1.0 - total) - half) + (z * z).fma(cosine, -(r * low)))
    return _in_quadrant(quadrant + quarters, sine, cosine)


def _sine_of_single(x: Value, quarters: int) -> Value:
    """The same for a single, computed in double; polynomials of FreeBSD's k_sinf.c and k_cosf.c."""
    x = x.to_double()
    n, quadrant = _quarters(x)
    first, second, _ = _HALF_PI
    r = (-n).fma(second, (-n).fma(first, x))
    z = r * r
    sine = polynomial(
        z, -0.166666666416265235595, 0.0083333293858894631756, -0.000198393348360966317347, 0.0000027183114939898219064
    )
    cosine = polynomial(
        z,
        1.0,
        -0.499999997251031003120,
        0.0416666233237390631894,
        -0.00138867637746099294692,
        0.0000243904487962774090654,
    )
    return _in_quadrant(quadrant + quarters, (z * r).fma(sine, r), cosine).to_single()


def is_near(x: Value) -> Value:
    return abs(x) < FAR


def near_sin(x: Value) -> Value:
    """sin(x) for |x| < FAR."""
    y = _sine(x, 0) if _format(x) is _DOUBLE else _sine_of_single(x, 0)
    return x.equals(0.0).where(x, y)  # -0.0


def near_cos(x: Value) -> Value:
    """cos(x) for |x| < FAR."""
    return _sine(x, 1) if _format(x) is _DOUBLE else _sine_of_single(x, 1)


# -- the error function ----------------------------------------------------------------------------------------------

# Fits with the least largest relative error of erf (Remez' algorithm), made for this file with mpmath.
# Near: erf(x) / x - 1 in x**2 for |x| <= 1. Far: erfc(x) * exp(x**2) in t = (x - 2) / (x + 2), 1 <= x <= 6 (single: 4).
_ERF_NEAR = {
    "double": (
        0.1283791670955125657,
        -0.3761263890318351954,
        0.1128379167094418431,
        -0.02686617064311137411,
        0.00522397760611761999,
        -0.00085483259292715757,
        0.0001205529357558529156,
        -0.00001492471227639965354,
        1.644713125315931466e-6,
        -1.620631131761259299e-7,
        1.371096985977117657e-8,
        -7.779448913244224777e-10,
    ),
    "float": (
        0.1283791657270887857,
        -0.3761262582510113204,
        0.1128358515067600111,
        -0.0268538118463974113,
        0.005188327319515079229,
        -0.0008010189247273302185,
        0.00007853844045896401907,
    ),
}
_ERF_FAR = {
    "double": (
        0.2553956763105057616,
        -0.4271858474139567738,
        0.2416581942424669432,
        -0.07897858101645589125,
        0.003732892398589997519,
        0.006997461790090539639,
        -0.0008471425724413530101,
        -0.0009819765839022434768,
        0.00004353531272645149691,
        0.0001742876956801996536,
        0.00002763087285969735435,
        -0.00002658702913757040873,
        -0.00001262208544125651215,
    ),
    "float": (
        0.2553961479288018884,
        -0.4271870759790434081,
        0.2414661083453968909,
        -0.08080732803044342871,
        -0.002484306840806127507,
    ),
}


def erf(x: Value) -> Value:
    """x + x * P(x**2) for |x| < 1, else 1 - exp(-x**2) * Q((|x| - 2) / (|x| + 2)), which is 1 beyond 6.

    The exponential is written as that of the derivative is, so that LLVM computes one of them where both are in place.
    """
    name = str(x.element)
    size = abs(x)
    near = x.fma(polynomial(x * x, *_ERF_NEAR[name]), x)
    size = (size > 6.0).where(6.0, size)
    rest = exp(-x * x) * polynomial((size - 2.0) / (size + 2.0), *_ERF_FAR[name])
    far = (1.0 - rest).intrinsic("copysign", x)
    return (abs(x) < 1.0).where(near, far)
