"""Functions of numbers that emitted code calls by name, where neither Python nor Numba has a fitting one.

They are plain Python, which Numba compiles as it is: each calls only `np`, `math` and builtins, none calls another.
A float is a float64, and nothing raises where NumPy would give nan or inf; integers raise as Python's functions do.
"""

import math

import numpy as np

from zygopy.backends.bessel import bessel_i, bessel_j


def expit(x):
    """1 / (1 + exp(-x)), of the precision of x."""
    one = type(x)(1)
    return one / (one + np.exp(-x))


def erf(x):
    """math.erf, of the precision of x."""
    return type(x)(math.erf(x))


def erfc(x):
    """math.erfc, of the precision of x."""
    return type(x)(math.erfc(x))


def xlogy(x, y):
    """x * log(y), 0 where x is 0 and y is not nan."""
    if x == 0 and not np.isnan(y):
        return x * 0
    return x * np.log(y)


def gamma_function(x):
    """math.gamma with C's values at the poles (inf at 0, nan at -1, -2, ...) and inf where it overflows."""
    if x == 0.0:
        return np.float64(math.copysign(np.inf, x))
    if x < 0.0 and np.floor(x) == x:
        return np.float64(np.nan)
    if x > 171.6243769563027:
        return np.float64(np.inf)
    return np.float64(math.gamma(x))


def log_gamma(x):
    """math.lgamma, inf at the poles and where it overflows."""
    if x <= 0.0 and np.floor(x) == x or x > 2.5563481638716906e305:
        return np.float64(np.inf)
    return np.float64(math.lgamma(x))


def digamma(x):
    """The derivative of log_gamma: recurrence up to 10, then the series of Abramowitz & Stegun, 6.3.18."""
    x = np.float64(x)
    if x == 0.0:
        return np.float64(math.copysign(np.inf, -x))
    if x < 0.0 and np.floor(x) == x:
        return np.float64(np.nan)
    total = np.float64(0.0)
    if x < 0.0:  # reflection, 6.3.7
        total -= math.pi / np.tan(math.pi * (x - np.rint(x)))
        x = 1.0 - x
    while x < 10.0:
        total -= 1.0 / x
        x += 1.0
    if np.isinf(x):
        return x
    y = 1.0 / (x * x)
    series = y * (1 / 132 - y * (691 / 32760 - y * (1 / 12 - y * 3617 / 8160)))
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - series))))
    return total + np.log(x) - 0.5 / x - series


def polygamma(order, x):
    """The derivative of order n = 1, 2, ... of digamma: (-1)**(n + 1) * n! * the sum of (x + k)**-s, s = n + 1.

    Terms with |x + k| < s + 15 are added one by one, the rest by Euler and Maclaurin (DLMF 25.11.43): those above, and
    for a very negative x those below as a difference of two such sums. Even orders have no limit at the poles (nan).
    """
    n = int(order)
    s = np.float64(n + 1)
    x = np.float64(x)
    sign = 1.0 if n % 2 == 1 else -1.0  # (-1)**s
    if x <= 0.0 and np.floor(x) == x:
        return np.float64(np.inf) if n % 2 == 1 and x > -np.inf else np.float64(np.nan)
    if x == np.inf:
        return np.float64(0.0)
    far = x < -(s + 15.0)
    start = x - np.floor(x) - (s + 15.0) if far else x
    zeta, a = np.float64(0.0), start
    while a < s + 15.0:
        term = 1.0 / a
        for _ in range(n):
            term *= 1.0 / a
        zeta += term
        a += 1.0
    for part in range(3 if far else 1):
        weight = 1.0
        if part == 1:
            a, weight = 1.0 - start, sign
        elif part == 2:
            a, weight = 1.0 - x, -sign
        for _ in range(n):
            weight *= 1.0 / a
        y = 1.0 / (a * a)
        c = s / a
        tail = 1.0 / n + 0.5 / a
        tail += c / a / 12.0
        c *= (s + 1.0) * (s + 2.0) * y
        tail -= c / a / 720.0
        c *= (s + 3.0) * (s + 4.0) * y
        tail += c / a / 30240.0
        c *= (s + 5.0) * (s + 6.0) * y
        tail -= c / a / 1209600.0
        c *= (s + 7.0) * (s + 8.0) * y
        tail += c / a / 47900160.0
        c *= (s + 9.0) * (s + 10.0) * y
        tail -= c / a * 691.0 / 1307674368000.0
        c *= (s + 11.0) * (s + 12.0) * y
        tail += c / a / 74724249600.0
        zeta += weight * tail
    factorial = sign
    for k in range(2, n + 1):
        factorial *= k
    return factorial * zeta


def sinc(order, x):
    """The derivative of any order of sin(pi x) / (pi x).

    f = sin(t) / t has t * f[n] + n * f[n - 1] = sin[n](t), which is stable upwards for t > n; below, its power series.
    """
    n = int(order)
    t = math.pi * np.float64(x)
    if abs(t) > n + 1.0:
        value = np.sin(t) / t
        for k in range(1, n + 1):
            turn = k % 4
            wave = np.sin(t) if turn % 2 == 0 else np.cos(t)
            value = ((wave if turn < 2 else -wave) - k * value) / t
    else:
        # sum over j >= n / 2 of (-1)**j * t**(2j - n) / ((2j + 1) * (2j - n)!)
        j = (n + 1) // 2
        term = np.float64(1.0 if j % 2 == 0 else -1.0)
        if n % 2 == 1:
            term *= t
        value = term / (2 * j + 1)
        while abs(term) > 1e-18 * abs(value):
            j += 1
            term *= -t * t / ((2 * j - n) * (2 * j - n - 1))
            value += term / (2 * j + 1)
    for _ in range(n):
        value *= math.pi
    return value


def complex_of(real, imag=0.0):
    """Python's complex() as a number of NumPy, of the precision of its parts."""
    if type(real) is np.float32 and type(imag) is np.float32:
        return np.complex64(real + imag * 1j)
    return np.complex128(complex(real, imag))


def ieee_remainder(x, y):
    """math.remainder: x - n * y with the integer n nearest to x / y, exact; ties go to the even n."""
    x, y = np.float64(x), abs(np.float64(y))
    if np.isnan(x) or np.isnan(y) or np.isinf(x) or y == 0.0:
        return np.float64(np.nan)
    if np.isinf(y):
        return x
    rest = np.fmod(abs(x), y)
    left = y - rest
    if rest > left:
        rest = -left
    elif rest == left:
        rest = rest - 2.0 * np.fmod(0.5 * (abs(x) - rest), y)
    return np.copysign(1.0, x) * rest


def factorial(n):
    """math.factorial in 64 bits."""
    if n < 0:
        raise ValueError("factorial() not defined for negative values")
    if n > 20:
        raise OverflowError("factorial() of more than 20 does not fit into 64 bits")
    result = 1
    for k in range(2, n + 1):
        result *= k
    return result


def comb(n, k):
    """math.comb in 64 bits."""
    if n < 0 or k < 0:
        raise ValueError("comb() needs non-negative integers")
    k = min(k, n - k)
    if k < 0:
        return 0
    result = 1
    for i in range(1, k + 1):
        if result > 9223372036854775807 // (n - k + i):
            raise OverflowError("comb() does not fit into 64 bits")
        result = result * (n - k + i) // i
    return result


def perm(n, k):
    """math.perm in 64 bits."""
    if n < 0 or k < 0:
        raise ValueError("perm() needs non-negative integers")
    if k > n:
        return 0
    result = 1
    for i in range(n - k + 1, n + 1):
        if result > 9223372036854775807 // i:
            raise OverflowError("perm() does not fit into 64 bits")
        result *= i
    return result


def isqrt(n):
    """math.isqrt."""
    if n < 0:
        raise ValueError("isqrt() argument must be nonnegative")
    root = int(np.sqrt(np.float64(n)))
    while root > 3037000499 or root * root > n:
        root -= 1
    while root < 3037000499 and (root + 1) * (root + 1) <= n:
        root += 1
    return root


def snapshot_step(trips, snapshots):
    """How far to advance before the next snapshot, to reverse `trips` trips from the last of `snapshots` left.

    Griewank & Walther (2000), "Algorithm 799: revolve": with b(s, r) = (s + r)! / (s! r!) trips for s snapshots and r
    repetitions, and the smallest r that suffices, both parts keep to b(s, r - 1) and b(s - 1, r), which is optimal.
    """
    if snapshots == 1:
        return trips - 1
    before, reach, repeats = 1, snapshots + 1, 1
    while reach < trips:
        repeats += 1
        before, reach = reach, reach * (snapshots + repeats) // repeats
    return min(before, trips - before * snapshots // (snapshots + repeats - 1))


_SPECIAL = (gamma_function, log_gamma, digamma, polygamma, bessel_j, bessel_i, sinc)
_OTHERS = (expit, erf, erfc, xlogy, ieee_remainder, factorial, comb, perm, isqrt, snapshot_step)
SPECIAL = {f.__name__: f for f in _SPECIAL}  # which GPUs have no instructions or library functions for, either
HELPERS = {f.__name__: f for f in (*_SPECIAL, *_OTHERS)}  # what emitted text may name
