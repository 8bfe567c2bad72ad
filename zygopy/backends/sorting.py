"""Sorting for compiled code: the order of a vector's elements, equal ones as they come, nan last."""

import numpy as np

from zygopy.backends import intrinsics
from zygopy.backends.numba_private import compiled_once


def _argsort(order, x):
    """Merge sort from below: runs of 1, 2, 4, ... elements."""
    n = x.shape[0]
    for i in range(n):
        order[i] = i
    merged = intrinsics.empty(n, np.int64)
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, end = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for k in range(start, end):
                take_right = left >= middle
                if not take_right and right < end:
                    a, b = x[order[left]], x[order[right]]
                    take_right = b < a or (a != a and b == b)
                if take_right:
                    merged[k] = order[right]
                    right += 1
                else:
                    merged[k] = order[left]
                    left += 1
        for k in range(n):
            order[k] = merged[k]
        width *= 2


KERNELS = {"argsort": compiled_once(_argsort)}  # what emitted text calls
