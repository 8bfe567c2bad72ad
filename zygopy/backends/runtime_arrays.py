"""Functions on arrays that emitted text calls: plain Python, compiled by Numba where the cpu backend runs them."""

from collections.abc import Callable

import numpy as np


def grow(tape):
    """A tape of twice as many rows with the same contents."""
    larger = np.empty((2 * tape.shape[0], tape.shape[1]), tape.dtype)
    for i in range(tape.shape[0]):
        for j in range(tape.shape[1]):
            larger[i, j] = tape[i, j]
    return larger


def scratch(shape, dtype=np.float64):
    """Memory for a tape, not initialised; the cpu backend keeps it between calls (see `scratch.py`)."""
    return np.empty(shape, dtype)


def overlap(a, b):
    """Whether the memory ranges of two arrays meet; True also for arrays that only interleave."""
    if a.size == 0 or b.size == 0:
        return False
    a_low = a_high = a.ctypes.data
    b_low = b_high = b.ctypes.data
    for k in range(a.ndim):
        reach = (a.shape[k] - 1) * a.strides[k]
        a_low += min(reach, 0)
        a_high += max(reach, 0)
    for k in range(b.ndim):
        reach = (b.shape[k] - 1) * b.strides[k]
        b_low += min(reach, 0)
        b_high += max(reach, 0)
    return a_low < b_high + b.itemsize and b_low < a_high + a.itemsize


HELPERS: dict[str, Callable] = {"grow": grow, "overlap": overlap, "scratch": scratch}
