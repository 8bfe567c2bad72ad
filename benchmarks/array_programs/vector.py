"""Branch-free elementary functions, which LLVM turns into vector instructions where a loop calls them.

The polynomials are Chebyshev fits (mpmath.chebyfit at 40 digits); the normal tail is a weighted least-squares fit of a
rational function at 120 Chebyshev points. No reordering of sums is allowed
in here: it would fold away the rounding by a large constant.
"""

import numpy as np
from numba import njit

kernel = njit(error_model="numpy", forceinline=True, fastmath={"contract", "nsz"})

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # Cody and Waite (1980): n * HIGH is exact
ROUNDS = 6755399441055744.0  # 1.5 * 2**52: a sum with it has the nearest integer in its last bits
ONE_BITS = np.int64(0x3FF0000000000000)
MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
EXCEPT_SIGN = np.int64(0x7FFFFFFFFFFFFFFF)
ROOT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)


@kernel
def ordered(x):
    """An integer that is larger where `x` is: LLVM vectorises the maximum of integers, not that of floats."""
    bits = np.float64(x).view(np.int64)
    return bits ^ ((bits >> 63) & EXCEPT_SIGN)


@kernel
def from_ordered(bits):
    """The number of that integer."""
    return np.int64(bits ^ ((bits >> 63) & EXCEPT_SIGN)).view(np.float64)


@kernel
def power_of_two(shifted):
    """2**n from n + ROUNDS, for -1022 <= n <= 1023."""
    return np.int64((np.float64(shifted).view(np.int64) << 52) + ONE_BITS).view(np.float64)


@kernel
def exp_tail(r):
    """(exp(r) - 1 - r) / r**2 for abs(r) <= log(2) / 2, to 3e-17."""
    r2 = r * r
    r4 = r2 * r2
    low = (0.5 + r * 0.16666666666666666) + r2 * (0.04166666666665136 + r * 0.008333333333332155)
    middle = (0.0013888888905881542 + r * 0.0001984126985433861) + r2 * (
        2.4801536388690766e-05 + r * 2.755728006701698e-06
    )
    return low + r4 * (middle + r4 * (2.761380686153829e-07 + r * 2.5095554677111112e-08))


@kernel
def exp(x):
    """The exponential for -708 <= x <= 709; further out that of the nearer end."""
    x = -708.0 if x < -708.0 else x
    x = 709.0 if x > 709.0 else x
    shifted = x * LOG2_E + ROUNDS
    n = shifted - ROUNDS
    r = x - n * LN2_HIGH - n * LN2_LOW
    return (1.0 + (r + r * r * exp_tail(r))) * power_of_two(shifted)


@kernel
def tanh(x):
    """expm1(2 * abs(x)) / (expm1(2 * abs(x)) + 2) with the sign of x."""
    a = 2.0 * abs(x)
    a = 40.0 if a > 40.0 else a
    shifted = a * LOG2_E + ROUNDS
    n = shifted - ROUNDS
    r = a - n * LN2_HIGH - n * LN2_LOW
    scale = power_of_two(shifted)
    grown = (scale - 1.0) + scale * (r + r * r * exp_tail(r))
    return np.copysign(grown / (grown + 2.0), x)


@kernel
def log(x):
    """The logarithm of a normal positive number: k * log(2) + 2 * atanh((m - 1) / (m + 1)), m next to 1."""
    bits = np.float64(x).view(np.int64) - ROOT_HALF_BITS
    k = np.float64(bits >> 52)
    m = np.int64((bits & MANTISSA) + ROOT_HALF_BITS).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    z2 = z * z
    low = (0.666666666666667 + z * 0.39999999999899444) + z2 * (0.2857142862600327 + z * 0.22222211130259878)
    high = (0.18182889455674947 + z * 0.15331710618210773) + z2 * 0.14616585424888623
    return k * LN2_HIGH + (2.0 * s + (s * z * (low + z2 * z2 * high) + k * LN2_LOW))


@kernel
def log1p(x):
    """The logarithm of 1 + x for 0 <= x <= 1: 2 * atanh(x / (2 + x))."""
    s = x / (2.0 + x)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    low = (0.6666666666666666 + z * 0.40000000000014585) + z2 * (0.2857142856710876 + z * 0.22222222717427864)
    middle = (0.18181789436132859 + z * 0.15385570064958623) + z2 * (0.13314144209654935 + z * 0.12001072809590713)
    high = 0.08800738486144674 + z * 0.1616404561194353
    return 2.0 * s + s * z * (low + z4 * (middle + z4 * high))


@kernel
def normal_tail(x):
    """The normal distribution below -x over exp(-x * x / 2), for 0 <= x <= 38, to 4e-15."""
    p = 1.8256828497708107e-04 + x * 7.946022792970393e-06
    p = (0.06827983394360401 + x * 0.014333920733885149) + x * x * (0.0020445355758667715 + x * p)
    p = (0.500000000000001 + x * 0.7174143723945602) + x * x * (
        (0.5078301711840771 + x * 0.22580186550937734) + x * x * p
    )
    q = 4.5763082534183724e-04 + x * 1.9917725402785897e-05
    q = (0.1762371977726758 + x * 0.03638744245089968) + x * x * (0.00514480839504996 + x * q)
    q = (1.434035460750813 + x * 0.6010163373463144) + x * x * q
    return p / (1.0 + x * (2.2327133055923443 + x * (2.297107817589516 + x * q)))


ROUNDS_SINGLE = np.float32(12582912.0)
ONE_BITS_SINGLE = np.int32(0x3F800000)
LN2_HIGH_SINGLE, LN2_LOW_SINGLE = np.float32(0.693359375), np.float32(-2.12194440e-4)
EXP_SINGLE = tuple(
    np.float32(c) for c in (0.5, 0.16666576989698775, 0.041666554617204574, 0.008363179052722578, 0.0013926183587713494)
)


@kernel
def exp_single(x):
    """The exponential of a float32 for -87 <= x <= 88; further out that of the nearer end."""
    x = np.float32(-87.0) if x < np.float32(-87.0) else x
    x = np.float32(88.0) if x > np.float32(88.0) else x
    shifted = x * np.float32(LOG2_E) + ROUNDS_SINGLE
    n = shifted - ROUNDS_SINGLE
    r = x - n * LN2_HIGH_SINGLE - n * LN2_LOW_SINGLE
    tail = EXP_SINGLE[3] + r * EXP_SINGLE[4]
    tail = EXP_SINGLE[0] + r * (EXP_SINGLE[1] + r * (EXP_SINGLE[2] + r * tail))
    scale = np.int32((np.float32(shifted).view(np.int32) << np.int32(23)) + ONE_BITS_SINGLE).view(np.float32)
    return (np.float32(1.0) + (r + r * r * tail)) * scale
