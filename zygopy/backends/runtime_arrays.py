"""Functions on arrays that emitted text calls: plain Python, compiled by Numba where the cpu backend runs them."""

from collections.abc import Callable

import numpy as np


def grow(tape):
    """An array of twice as many rows with the same contents."""
    larger = np.empty((2 * tape.shape[0], *tape.shape[1:]), tape.dtype)
    larger[: tape.shape[0]] = tape
    return larger


def scratch(shape, dtype=np.float64):
    """Memory for a tape, not initialised; to the cpu backend it is an array as any."""
    return np.empty(shape, dtype)


def overlap(a, b):
    """Whether two memory ranges meet; True also for those of arrays that only interleave."""
    return a[0] < b[1] and b[0] < a[1]


def extent(a):
    """The addresses where the memory of an array begins and ends; zeros for one without elements."""
    low = high = a.ctypes.data
    if a.size == 0:
        return 0, 0
    for k in range(a.ndim):
        reach = (a.shape[k] - 1) * a.strides[k]
        low += min(reach, 0)
        high += max(reach, 0)
    return low, high + a.itemsize


def first_overlap(count, extents):
    """Which of the first `count` memory ranges is the first one that meets another; -1 if none does."""
    for i in range(count):
        for j in range(len(extents)):
            if i != j and extents[i][0] < extents[j][1] and extents[j][0] < extents[i][1]:
                return i
    return -1


RANGES: dict[str, Callable] = {"overlap": overlap, "extent": extent, "first_overlap": first_overlap}
HELPERS: dict[str, Callable] = {"grow": grow, "scratch": scratch, **RANGES}
