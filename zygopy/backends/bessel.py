"""Bessel functions of integer order, as plain Python that Numba compiles."""

import math

import numpy as np


def bessel_j(order, x):
    """J of order n: the power series (DLMF 10.2.2) below 1, recurrence downward up to 30, then Hankel.

    Miller's algorithm (DLMF 3.6) starts so far above that its values are those of J up to a factor, which the sum
    J_0 + 2 J_2 + 2 J_4 + ... = 1 gives. Hankel's expansion is DLMF 10.17.3.
    """
    n, x = int(order), np.float64(x)
    sign = 1.0
    if n < 0:
        n = -n
        sign = -1.0 if n % 2 == 1 else 1.0
    if x < 0.0:
        x = -x
        sign = -sign if n % 2 == 1 else sign
    if not x < np.inf:
        return np.float64(0.0) if x == np.inf else x
    if x < 1.0:
        term = 1.0
        for k in range(1, n + 1):
            term *= 0.5 * x / k
        total, k = term, 0
        while abs(term) > 1e-17 * abs(total):
            k += 1
            term *= -0.25 * x * x / (k * (k + n))
            total += term
        return sign * total
    if x >= 30.0 + n * n:
        p, q, term = 1.0, 0.0, 1.0  # the sums of the even and the odd terms
        for k in range(1, 60):
            factor = (4.0 * n * n - (2.0 * k - 1.0) ** 2) / (8.0 * k * x)
            if abs(factor) >= 1.0 or abs(term) < 1e-17:
                break
            term *= factor
            if k % 2 == 1:
                q += term if k % 4 == 1 else -term
            else:
                p += term if k % 4 == 0 else -term
        c, s = np.cos(x), np.sin(x)
        turn = n % 4  # of the angle x - n pi / 2 - pi / 4, by quarters
        a, b = c + s, s - c  # sqrt(2) times its cosine and sine, for n = 0
        if turn == 1:
            a, b = b, -a
        elif turn == 2:
            a, b = -a, -b
        elif turn == 3:
            a, b = -b, a
        return sign * (p * a - q * b) / np.sqrt(math.pi * x)
    k = 2 * (int(max(x, float(n)) + 12.0 * np.sqrt(max(x, float(n)) + 9.0)) // 2)
    above, here, total, found = 0.0, 1e-280, 0.0, 0.0
    while k > 0:
        above, here = here, 2.0 * k / x * here - above
        k -= 1
        if k == n:
            found = here
        if k % 2 == 0:
            total += here if k == 0 else 2.0 * here
        if abs(here) > 1e200:
            above, here, total, found = above * 1e-200, here * 1e-200, total * 1e-200, found * 1e-200
    return sign * found / total


def bessel_i(order, x):
    """I of order n: the power series (DLMF 10.25.2), whose terms have one sign, and DLMF 10.40.1 from 30 on."""
    n, x = abs(int(order)), np.float64(x)
    sign = -1.0 if x < 0.0 and n % 2 == 1 else 1.0
    x = abs(x)
    if not x < np.inf:
        return sign * x
    if x < 30.0 + n * n:
        term = 1.0
        for k in range(1, n + 1):
            term *= 0.5 * x / k
        total, k = term, 0
        while term > 1e-17 * total:
            k += 1
            term *= 0.25 * x * x / (k * (k + n))
            total += term
        return sign * total
    total, term = 1.0, 1.0
    for k in range(1, 60):
        factor = ((2.0 * k - 1.0) ** 2 - 4.0 * n * n) / (8.0 * k * x)
        if abs(factor) >= 1.0 or abs(term) < 1e-17:
            break
        term *= factor
        total += term
    half = np.exp(0.5 * x)  # exp(x) itself overflows earlier
    return sign * half * (half * (total / np.sqrt(2.0 * math.pi * x)))
