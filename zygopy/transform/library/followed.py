"""Functions of NumPy and SciPy as functions in the language: they are followed as functions of users are."""

import numpy as np


def array_equal(a, b):
    if a.shape != b.shape:
        return False
    return bool(np.all(a == b))


def convolve(a, v, mode):
    """The sum of copies of a, each moved and multiplied by an element of v."""
    n, m = len(a), len(v)
    if n == 0 or m == 0:
        raise ValueError("np.convolve of an empty array")
    full = np.zeros(n + m - 1, dtype=a.dtype)
    for j in range(m):
        for k in range(n):
            full[j + k] += v[j] * a[k]
    if mode == "full":
        return full
    short = min(n, m)
    if mode == "same":
        start = (short - 1) // 2
        return full[start : start + max(n, m)]
    return full[short - 1 : max(n, m)]


def gradient_even(f, h):
    """Along the first axis: central differences inside, one-sided ones at the ends."""
    if len(f) < 2:
        raise ValueError("np.gradient needs at least 2 elements along an axis")
    return np.concatenate(((f[1:2] - f[:1]) / h, (f[2:] - f[:-2]) / (2.0 * h), (f[-1:] - f[-2:-1]) / h))


def gradient_uneven(f, x):
    """Along the first axis, at places x: inside, the derivative of the parabola through three points."""
    if len(f) < 2:
        raise ValueError("np.gradient needs at least 2 elements along an axis")
    h = x[1:] - x[:-1]
    before, behind = h[:-1], h[1:]
    both = before + behind
    inside = -behind / (before * both) * f[:-2] + before / (behind * both) * f[2:]
    inside = inside + (behind - before) / (before * behind) * f[1:-1]
    return np.concatenate(((f[1:2] - f[:1]) / h[:1], inside, (f[-1:] - f[-2:-1]) / h[-1:]))


def interp(x, xp, fp, left, right):
    """The derivative at a point of xp is the one to its right, 0 at the last."""
    if len(xp) != len(fp):
        raise ValueError("fp and xp are not of the same length.")
    if len(xp) < 2:
        raise ValueError("np.interp needs at least 2 points")
    last = len(xp) - 1
    k = np.clip(np.searchsorted(xp, x, side="right") - 1, 0, last - 1)
    inside = (fp[k + 1] - fp[k]) / (xp[k + 1] - xp[k]) * (x - xp[k]) + fp[k]
    below = fp[0] if left is None else left
    above = fp[last] if right is None else right
    found = np.where(x == xp[last], fp[last], np.where(x < xp[0], below, inside))
    return np.where(x > xp[last], above, found)


def quantile(ordered, q):
    """Along the first axis of sorted elements; nan where there is one."""
    n = len(ordered)
    if n == 0:
        raise ValueError("a quantile of an empty array")
    if not 0 <= q <= 1:
        raise ValueError("Quantiles must be in the range [0, 1]")
    place = q * (n - 1)
    low = min(int(place), n - 1)
    part = place - low
    a, b = ordered[low], ordered[min(low + 1, n - 1)]
    found = a + (b - a) * part if part < 0.5 else b - (b - a) * (1 - part)
    return np.where(np.isnan(ordered[n - 1]), ordered[n - 1], found)


def median(ordered):
    n = len(ordered)
    if n == 0:
        raise ValueError("the median of an empty array")
    a, b = ordered[(n - 1) // 2], ordered[n // 2]
    return np.where(np.isnan(ordered[n - 1]), ordered[n - 1], 0.5 * (a + b))


def normal_log_density(x, mean, cov, solve_triangular):
    if x.ndim == 2 and len(x) == 1:
        raise ValueError("SciPy drops the axis of a single row: pass x[0]")
    factor = np.linalg.cholesky(cov)
    z = solve_triangular(factor, (x - mean).T, lower=True)
    constant = np.sum(np.log(np.diag(factor))) + 0.5 * len(cov) * np.log(2 * np.pi)
    return -0.5 * np.sum(z * z, axis=0) - constant


def unique(x):
    """The values in their order, where each stands first, which value each element has, and how often it occurs."""
    items = x.ravel()
    order = np.argsort(items)
    ordered = items[order]
    is_first = np.ones(len(items), dtype=bool)
    both_nan = np.isnan(ordered[1:]) & np.isnan(ordered[:-1])
    is_first[1:] = (ordered[1:] != ordered[:-1]) & ~both_nan
    starts = np.nonzero(is_first)[0]
    inverse = np.empty(len(items), dtype=np.int64)
    inverse[order] = np.cumsum(is_first) - 1
    counts = np.append(starts[1:], len(items)) - starts
    return ordered[starts], order[starts], inverse.reshape(x.shape), counts
