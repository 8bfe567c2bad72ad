"""Functions of NumPy written in the language, with NumPy's parameters: calls are followed as those of users are."""

import inspect
from collections.abc import Callable

import numpy as np

from zygopy.transform.reading.handlers import builtin


def _stands_for(function: Callable) -> Callable[[Callable], Callable]:
    """Calls of `function` are followed as calls of what is declared."""

    def declare(written: Callable) -> Callable:
        def handler(s, *args, **kwargs):
            return s.follow(written, list(args), kwargs)

        own = inspect.Parameter("s", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names = inspect.signature(written).parameters.values()
        handler.__signature__ = inspect.Signature([own, *names])
        builtin(function)(handler)
        return written

    return declare


# -- indices ---------------------------------------------------------------------------------------------------------


@_stands_for(np.tril_indices)
def tril_indices(n, k=0, m=None):
    return np.nonzero(np.tril(np.ones((n, n if m is None else m), dtype=bool), k))


@_stands_for(np.triu_indices)
def triu_indices(n, k=0, m=None):
    return np.nonzero(np.triu(np.ones((n, n if m is None else m), dtype=bool), k))


@_stands_for(np.tril_indices_from)
def tril_indices_from(arr, k=0):
    return tril_indices(arr.shape[0], k, arr.shape[1])


@_stands_for(np.triu_indices_from)
def triu_indices_from(arr, k=0):
    return triu_indices(arr.shape[0], k, arr.shape[1])


@_stands_for(np.diag_indices)
def diag_indices(n, ndim=2):
    return (np.arange(n),) * ndim


@_stands_for(np.flatnonzero)
def flatnonzero(a):
    return np.nonzero(np.ravel(a))[0]


@_stands_for(np.argwhere)
def argwhere(a):
    return np.stack(np.nonzero(a), axis=1)


@_stands_for(np.extract)
def extract(condition, arr):
    return np.ravel(arr)[np.nonzero(np.ravel(condition))[0]]


@_stands_for(np.compress)
def compress(condition, a, axis=None):
    chosen = np.nonzero(condition)[0]
    return np.ravel(a)[chosen] if axis is None else np.take(a, chosen, axis=axis)


@_stands_for(np.ix_)
def ix_(*args):
    axes = [np.flatnonzero(a) if np.asarray(a).dtype == bool else np.asarray(a) for a in args]
    return tuple(np.reshape(a, (1,) * k + (-1,) + (1,) * (len(args) - k - 1)) for k, a in enumerate(axes))


@_stands_for(np.choose)
def choose(a, choices):
    if np.any((a < 0) | (a >= len(choices))):
        raise ValueError("invalid entry in choice array")
    found = choices[0] + np.zeros_like(a, dtype=bool)
    for k in range(1, len(choices)):
        found = np.where(a == k, choices[k], found)
    return found


# -- joining and cutting ---------------------------------------------------------------------------------------------


@_stands_for(np.r_)
def r_(*items):
    items = _arrays_or_numbers(items)
    dtype = np.result_type(*items)
    return np.concatenate([np.atleast_1d(item).astype(dtype) for item in items])


@_stands_for(np.c_)
def c_(*items):
    items = _arrays_or_numbers(items)
    dtype = np.result_type(*items)
    columns = [np.reshape(item, (-1, 1)).astype(dtype) if np.ndim(item) < 2 else item for item in items]
    return np.concatenate(columns, axis=-1)


def _arrays_or_numbers(items):
    return [np.asarray(item) if np.ndim(item) else item for item in items]


@_stands_for(np.block)
def block(arrays):
    if not isinstance(arrays, list | tuple):
        return np.array(arrays)
    if not isinstance(arrays[0], list | tuple):
        return np.concatenate([np.atleast_1d(a) for a in arrays], axis=-1)
    return np.concatenate([np.concatenate([np.atleast_2d(a) for a in row], axis=-1) for row in arrays], axis=-2)


@_stands_for(np.delete)
def delete(arr, obj, axis=None):
    items = np.ravel(arr) if axis is None else arr
    kept = np.ones(items.shape[0 if axis is None else axis], dtype=bool)
    kept[np.asarray(obj)] = False
    return np.compress(kept, items, axis=0 if axis is None else axis)


@_stands_for(np.insert)
def insert(arr, obj, values):
    items = np.ravel(arr)
    if not -len(items) <= obj <= len(items):
        raise IndexError("index is out of bounds for an array of this size")
    at = obj + len(items) if obj < 0 else obj
    return np.concatenate((items[:at], np.ravel(values).astype(items.dtype), items[at:]))


# -- samples ---------------------------------------------------------------------------------------------------------


@_stands_for(np.bincount)
def bincount(x, weights=None, minlength=0):
    length = minlength
    for k in x:
        if k < 0:
            raise ValueError("'list' argument must have no negative elements")
        length = max(length, k + 1)
    if weights is None:
        counts = np.zeros(length, dtype=np.int64)
        for k in x:
            counts[k] += 1
        return counts
    if len(x) != len(weights):
        raise ValueError("The weights and list don't have the same length.")
    sums = np.zeros(length)
    for k, weight in zip(x, weights, strict=True):
        sums[k] += weight
    return sums


@_stands_for(np.cov)
def cov(m, y=None, rowvar=True, bias=False, ddof=None):
    x = _variables(m, rowvar)
    if y is not None:
        x = np.concatenate((x, _variables(y, rowvar)))
    elif m.ndim == 2 and len(x) == 1:
        raise ValueError("NumPy drops the axes of a single variable: pass it without them")
    x = x - np.mean(x, axis=1, keepdims=True)
    lost = (0 if bias else 1) if ddof is None else ddof
    products = x @ np.conj(x).T / (x.shape[1] - lost)
    return products[0, 0] if y is None and m.ndim < 2 else products


def _variables(m, rowvar):
    """As rows, in double precision."""
    if m.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    x = m * np.float64(1.0)
    if m.ndim < 2:
        return np.reshape(x, (1, -1))
    return x if rowvar else x.T


@_stands_for(np.corrcoef)
def corrcoef(x, y=None, rowvar=True):
    if y is None and x.ndim < 2:
        return cov(x) / cov(x)
    c = cov(x, y, rowvar)
    scale = np.sqrt(np.diagonal(c))
    return np.clip(c / scale[:, None] / scale[None, :], -1.0, 1.0)


# -- polynomials -----------------------------------------------------------------------------------------------------


@_stands_for(np.vander)
def vander(x, N=None, increasing=False):
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    x = x * np.int64(1)  # floats become double precision, as in NumPy
    count = len(x) if N is None else N
    powers = np.ones((len(x), count), dtype=x.dtype)
    for k in range(1, count):
        powers[:, k] = powers[:, k - 1] * x
    return powers if increasing else powers[:, ::-1]


@_stands_for(np.polyfit)
def polyfit(x, y, deg):
    powers = vander(x + 0.0, deg + 1)
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    found = np.linalg.lstsq(powers / scale, y)[0]
    return (found.T / scale).T


@_stands_for(np.geomspace)
def geomspace(start, stop, num=50, endpoint=True):
    start, stop = np.float64(start), np.float64(stop)
    if start == 0 or stop == 0:
        raise ValueError("Geometric sequence cannot include zero")
    steps = num - 1 if endpoint else num
    return start * (stop / start) ** (np.arange(num) / max(steps, 1))


# -- matrices --------------------------------------------------------------------------------------------------------


@_stands_for(np.linalg.cond)
def cond(x):
    found = np.linalg.svd(x, compute_uv=False)
    return found[..., 0] / found[..., -1]


@_stands_for(np.linalg.matrix_rank)
def matrix_rank(A):
    found = np.linalg.svd(A, compute_uv=False)
    tolerance = np.max(found) * max(A.shape) * np.finfo(found.dtype).eps
    return np.sum(found > tolerance)
