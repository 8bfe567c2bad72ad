"""Discrete Fourier transforms for compiled code: out[k] = the sum of x[j] * exp(-2 pi i j k / n), and its mirror image.

Lengths whose prime factors are small go through one pass of n * r steps for each factor r, by the autosort scheme of
Stockham; others become a cyclic convolution, whose length is a power of 2 (Bluestein 1970).
"""

import math

import numpy as np
from numba import njit

from zygopy.backends import intrinsics
from zygopy.backends.numba_private import compiled_once

LARGEST = 13  # the largest prime factor that has passes of its own


@njit(error_model="numpy")
def _rest(n):
    """What is left of a length without its small prime factors."""
    for r in range(2, LARGEST + 1):
        while n % r == 0:
            n //= r
    return n


@njit(error_model="numpy")
def _passes(data, spare, n, sign):
    """Transform `data` of a length with small prime factors; the array that holds the result, `data` or `spare`.

    Before a pass data[j * m * r + m * q + b] is number j of the transform, of length l, of every (m r)-th element
    from b + m q on; it joins r of these to one of length l r.
    """
    turns = intrinsics.empty(n, np.complex128)
    for k in range(n):
        angle = sign * 2.0 * math.pi * k / n
        turns[k] = complex(math.cos(angle), math.sin(angle))
    done, r = 1, 4
    while done < n:
        left = n // done
        if left % r != 0:
            r = 2 if r == 4 else 3 if r == 2 else r + 2
            continue
        m = left // r
        for j in range(done):
            for p in range(r):
                at = j + done * p
                for b in range(m):
                    spare[at * m + b] = data[j * left + b]
                for q in range(1, r):
                    turn = turns[q * at * m % n]
                    for b in range(m):
                        spare[at * m + b] += turn * data[j * left + m * q + b]
        data, spare = spare, data
        done *= r
    return data


@njit(error_model="numpy")
def _convolved(x, n, sign):
    """Bluestein: j k = (j**2 + k**2 - (k - j)**2) / 2."""
    size = 1
    while size < 2 * n - 1:
        size *= 2
    chirp = intrinsics.empty(n, np.complex128)
    for k in range(n):
        angle = sign * math.pi * (k * k % (2 * n)) / n
        chirp[k] = complex(math.cos(angle), math.sin(angle))
    a, b = intrinsics.zeros(size, np.complex128), intrinsics.zeros(size, np.complex128)
    for k in range(n):
        a[k] = x[k] * chirp[k]
        b[k] = b[(size - k) % size] = chirp[k].conjugate()
    a = _passes(a, intrinsics.empty(size, np.complex128), size, -1.0)
    b = _passes(b, intrinsics.empty(size, np.complex128), size, -1.0)
    for k in range(size):
        a[k] *= b[k] / size
    a = _passes(a, intrinsics.empty(size, np.complex128), size, 1.0)
    for k in range(n):
        a[k] *= chirp[k]
    return a


def _fourier(out, x, constant):
    n, sign = x.shape[0], np.float64(constant.real)  # a constant of a kernel has the dtype of its arrays
    if n > 0:
        if _rest(n) == 1:
            data = intrinsics.empty(n, np.complex128)
            for k in range(n):
                data[k] = x[k]
            data = _passes(data, intrinsics.empty(n, np.complex128), n, sign)
        else:
            data = _convolved(x, n, sign)
        for k in range(n):
            out[k] = data[k]


KERNELS = {"fourier": compiled_once(_fourier, (-1.0,)), "fourier_back": compiled_once(_fourier, (1.0,))}
