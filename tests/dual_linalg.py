"""Linear algebra for dual numbers: elimination as in a textbook, for the oracle.

Pivots are chosen by value. NumPy multiplies matrices of objects itself.
"""

import functools

import numpy as np
import scipy.linalg

from tests.dual import FloatArray, log, primal, sqrt


def _stacked(one):
    """A function of a matrix, or of a matrix and a right-hand side, on stacks of matrices."""

    def on_stacks(a, *others):
        a = np.asarray(a, object)
        vector = bool(others) and others[0].ndim == 1
        others = [np.asarray(b, object)[:, None] if vector else np.asarray(b, object) for b in others]
        stack = np.broadcast_shapes(a.shape[:-2], *(b.shape[:-2] for b in others))
        a, *others = (np.broadcast_to(x, (*stack, *x.shape[-2:])) for x in (a, *others))
        found = np.array([one(a[k], *(b[k] for b in others)) for k in np.ndindex(stack)], object)
        found = found.reshape((*stack, *found.shape[1:]))
        return found[..., 0] if vector else found

    return on_stacks


def _subtract(a, i, k, factor):
    """Subtract a multiple of row k from row i."""
    for j in range(a.shape[1]):
        a[i, j] = a[i, j] - a[k, j] * factor


def _eliminate(a, b):
    """An upper triangular matrix and the right-hand side that goes with it, and the sign of the row swaps."""
    a, b, sign = a.copy(), b.copy(), 1.0
    for k in range(len(a)):
        best = max(range(k, len(a)), key=lambda i, k=k: abs(primal(a[i, k])))
        if best != k:
            a[[k, best]], b[[k, best]], sign = a[[best, k]], b[[best, k]], -sign
        for i in range(k + 1, len(a)):
            factor = a[i, k] / a[k, k]
            _subtract(a, i, k, factor)
            _subtract(b, i, k, factor)
    return a, b, sign


def _back(a, b):
    x = b.copy()
    for i in reversed(range(len(a))):
        for k in range(i + 1, len(a)):
            _subtract(x, i, k, a[i, k])
        for j in range(x.shape[1]):
            x[i, j] = x[i, j] / a[i, i]
    return x


@_stacked
def solve(a, b):
    return _back(*_eliminate(a, b)[:2])


def inv(a):
    return floats(solve(a, np.eye(a.shape[-1])))


@_stacked
def det(a):
    upper, _, sign = _eliminate(a, np.zeros((len(a), 0), object))
    total = sign
    for k in range(len(a)):
        total = total * upper[k, k]
    return total


@_stacked
def _cholesky(a):
    factor = np.full(a.shape, 0.0, object)
    for i in range(len(a)):
        for j in range(i + 1):
            rest = a[i, j]
            for k in range(j):
                rest = rest - factor[i, k] * factor[j, k]
            factor[i, j] = sqrt(rest) if i == j else rest / factor[j, j]
    return factor


def cholesky(a, *, upper=False):
    turned = lambda x: np.swapaxes(x, -1, -2) if upper else x  # noqa: E731
    return floats(turned(_cholesky(turned(a))))


def solve_triangular(a, b, trans=0, lower=False):
    mask = np.tri(a.shape[-1]) if lower else np.tri(a.shape[-1]).T
    a = np.where(mask.astype(bool), np.asarray(a, object), 0.0)
    return floats(solve(np.swapaxes(a, -1, -2) if trans in (1, "T") else a, b))


def slogdet(a):
    d = det(a)[()]
    return np.float64(np.sign(primal(d))), log(abs(d))


def matrix_power(a, n):
    base = inv(a) if n < 0 else a
    return functools.reduce(np.matmul, [base] * abs(n))


def floats(array):
    return FloatArray.of(array, float)


def number(found):
    """A number instead of an array without axes."""
    return found[()] if isinstance(found, np.ndarray) and not found.ndim else found


def _value(f):
    """The result of a function as an array that knows dual numbers, or as a number."""

    def call(*args):
        found = f(*args)
        return floats(found) if isinstance(found, np.ndarray) and found.ndim else np.asarray(found, object)[()]

    return call


REPLACEMENTS = {
    np.linalg.solve: _value(solve),
    np.linalg.inv: inv,
    np.linalg.matrix_power: matrix_power,
    np.sum: lambda a: number(np.sum(a)),
    np.einsum: lambda *args: number(np.einsum(*args)),
    np.vdot: lambda a, b: number(np.dot(a.ravel(), b.ravel())),
    np.dot: lambda a, b: number(np.dot(a, b)),
    np.inner: lambda a, b: number(np.inner(a, b)),
    np.linalg.det: _value(det),
    np.linalg.slogdet: slogdet,
    np.linalg.cholesky: cholesky,
    scipy.linalg.solve_triangular: solve_triangular,
}
