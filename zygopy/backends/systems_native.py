"""Linear systems and factors for compiled code: own loops for small systems, LAPACK for others.

LAPACK reads what lies by rows as the transposed matrix. So it factors a.T, where the loops factor a; each of the two
kinds of factors is only read by functions that make the same choice, by the number of rows.
"""

import numpy as np

from zygopy.backends import blas, intrinsics
from zygopy.backends.matrices_native import copied, inline, leading
from zygopy.backends.numba_private import compiled_once

_FEW = 8  # rows, up to which loops are faster than LAPACK
_BLOCK = 32  # columns of a factor whose adjoint is found by loops


@inline
def _assign(target, source):
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@inline
def _swap(x, i, j):
    for k in range(x.shape[1]):
        x[i, k], x[j, k] = x[j, k], x[i, k]


@inline
def _is_lower(a):
    """Whether a matrix is zero above its diagonal."""
    for i in range(a.shape[0]):
        for j in range(i + 1, a.shape[0]):
            if a[i, j] != 0:
                return False
    return True


@inline
def _divide(x, a, rows, triangle, transposed, diagonal):
    """x = a^-1 x, or a^-T x, in place: a triangular matrix with `rows` numbers from column to column, x by rows."""
    n, m = x.shape
    if m == 1:
        flag = blas.NO if transposed == blas.YES else blas.YES
        blas.trsv(triangle, flag, diagonal, n, a, rows, x, leading(x))
    else:
        one = a[0, 0] * 0 + 1
        blas.trsm(blas.RIGHT, triangle, transposed, diagonal, m, n, one, a, rows, x, leading(x))


# -- LU --------------------------------------------------------------------------------------------------------------


def _factor(lu, pivots, a):
    n = a.shape[0]
    _assign(lu, a)
    if n > _FEW and _is_lower(a):  # a.T is its own factor
        for k in range(n):
            pivots[k] = k
        return
    if n > _FEW:
        info = intrinsics.empty(1, np.int32)
        blas.getrf(n, n, lu, n, pivots, info)
        for k in range(n):
            pivots[k] -= 1
        return
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(lu[i, k]) > abs(lu[best, k]):
                best = i
        pivots[k] = best
        if best != k:
            _swap(lu, k, best)
        if lu[k, k] == 0:
            continue
        for i in range(k + 1, n):
            lu[i, k] /= lu[k, k]
            for j in range(k + 1, n):
                lu[i, j] -= lu[i, k] * lu[k, j]


def _solve(x, lu, pivots, b, transposed):
    """x = a^-1 b, or a^-T b"""
    n, m = x.shape
    if leading(x) == 0:
        work = copied(x)
        _solve_in_place(work, lu, pivots, b, transposed != 0, n, m)
        _assign(x, work)
    else:
        _solve_in_place(x, lu, pivots, b, transposed != 0, n, m)


@inline
def _solve_in_place(x, lu, pivots, b, transposed, n, m):
    _assign(x, b)
    if n * m == 0:
        return
    of_transposed = n > _FEW  # the factors are those of a.T
    if transposed == of_transposed:  # p x = l u x
        for k in range(n):
            _swap(x, k, pivots[k])
    if not of_transposed:
        _small_solve(x, lu, transposed)
    elif transposed:
        _divide(x, lu, n, blas.LOWER, blas.YES, blas.UNIT)
        _divide(x, lu, n, blas.UPPER, blas.YES, blas.NO)
    else:
        _divide(x, lu, n, blas.UPPER, blas.NO, blas.NO)
        _divide(x, lu, n, blas.LOWER, blas.NO, blas.UNIT)
    if transposed != of_transposed:
        for k in range(n - 1, -1, -1):
            _swap(x, k, pivots[k])


@inline
def _small_solve(x, lu, transposed):
    n, m = x.shape
    for i in range(n):
        for k in range(i):
            factor = lu[k, i] if transposed else lu[i, k]
            for j in range(m):
                x[i, j] -= factor * x[k, j]
        if transposed:
            for j in range(m):
                x[i, j] /= lu[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            factor = lu[k, i] if transposed else lu[i, k]
            for j in range(m):
                x[i, j] -= factor * x[k, j]
        if not transposed:
            for j in range(m):
                x[i, j] /= lu[i, i]


def _determinant(d, lu, pivots):
    total = lu.dtype.type(1)
    for k in range(lu.shape[0]):
        total *= lu[k, k] if pivots[k] == k else -lu[k, k]
    d[0] = total


def _log_determinant(sign, log, lu, pivots):
    total, product = lu.dtype.type(0), lu.dtype.type(1)
    for k in range(lu.shape[0]):
        value = lu[k, k] if pivots[k] == k else -lu[k, k]
        product *= np.sign(value)
        total += np.log(abs(value))
    sign[0], log[0] = product, total


# -- triangular matrices ---------------------------------------------------------------------------------------------


def _cholesky(l, a):  # noqa: E741
    n = a.shape[0]
    work = l if leading(l) > 0 else copied(l)
    for i in range(n):
        for j in range(n):
            work[i, j] = a[i, j] if j <= i else 0
    if n > _FEW:
        info = intrinsics.empty(1, np.int32)
        blas.potrf(blas.UPPER, n, work, leading(work), info)
        if info[0] > 0:
            work[info[0] - 1, info[0] - 1] = np.nan
    else:
        for j in range(n):
            for k in range(j):
                for i in range(j, n):
                    work[i, j] -= work[i, k] * work[j, k]
            root = np.sqrt(work[j, j]) if work[j, j] > 0 else work[j, j] * np.nan
            for i in range(j, n):
                work[i, j] /= root
    if leading(l) == 0:
        _assign(l, work)


def _add_cholesky_adjoint(a_bar, l, l_bar):  # noqa: E741
    """a_bar += the adjoint of the lower triangle of l @ l.T; of l_bar the lower triangle is read.

    Murray (2016), "Differentiation of the Cholesky decomposition", section 3.3: block columns from right to left.
    """
    n = l.shape[0]
    l = l if leading(l) > 0 else copied(l)  # noqa: E741
    bar, both = copied(l_bar), intrinsics.empty(_BLOCK, _BLOCK, l.dtype)
    one = l.dtype.type(1)
    stop = n
    while stop > 0:
        start = max(stop - _BLOCK, 0)
        size, below = stop - start, n - stop
        d, d_bar = l[start:stop, start:stop], bar[start:stop, start:stop]
        r, r_bar = l[start:stop, :start], bar[start:stop, :start]
        if below > 0:
            c, c_bar = l[stop:, start:stop], bar[stop:, start:stop]
            blas.trsm(blas.LEFT, blas.UPPER, blas.NO, blas.NO, size, below, one, d, leading(l), c_bar, n)
            _subtract_product(d_bar, c_bar, True, c, size, size, below)
            if start > 0:
                _subtract_product(bar[stop:, :start], c_bar, False, r, below, start, size)
                _subtract_product(r_bar, c_bar, True, l[stop:, :start], size, start, below)
        _cholesky_adjoint_in_place(d_bar, d)
        if start > 0:
            for i in range(size):
                for j in range(i + 1):
                    both[i, j] = both[j, i] = d_bar[i, j]
                both[i, i] += d_bar[i, i]
            _subtract_product(r_bar, both, False, r, size, start, size)
        stop = start
    for i in range(n):
        for j in range(i + 1):
            a_bar[i, j] += bar[i, j]


@inline
def _subtract_product(out, a, transposed, b, m, n, k):
    """out -= a @ b or a.T @ b, of matrices by rows"""
    one, flag = out[0, 0] * 0 + 1, blas.YES if transposed else blas.NO
    blas.gemm(blas.NO, flag, n, m, k, -one, b, _apart(b), a, _apart(a), one, out, _apart(out))


@inline
def _apart(x):
    return x.strides[0] // x.itemsize


@inline
def _cholesky_adjoint_in_place(bar, l):  # noqa: E741
    """The same for few columns, one by one (section 3.2)."""
    for j in range(l.shape[0] - 1, -1, -1):
        for i in range(j + 1, l.shape[0]):
            bar[i, j] /= l[j, j]
            bar[j, j] -= l[i, j] * bar[i, j]
        bar[j, j] /= l[j, j]
        for i in range(j, l.shape[0]):
            factor = bar[i, j]
            for k in range(j):
                bar[j, k] -= factor * l[i, k]
        for i in range(j + 1, l.shape[0]):
            factor = bar[i, j]
            for k in range(j):
                bar[i, k] -= factor * l[j, k]
        bar[j, j] *= 0.5


def _solve_lower(x, l, b, transposed):  # noqa: E741
    """x = l^-1 b, or l^-T b"""
    work = x if leading(x) > 0 else copied(x)
    _assign(work, b)
    n, m = x.shape
    by_rows, by_columns = leading(l), leading(l.T)
    if n > _FEW and m > 0 and by_rows + by_columns > 0:
        flag = blas.YES if (transposed != 0) == (by_rows > 0) else blas.NO
        triangle = blas.UPPER if by_rows > 0 else blas.LOWER
        rows = by_rows if by_rows > 0 else by_columns
        _divide(work, l, rows, triangle, flag, blas.NO)
    elif transposed != 0:
        for i in range(n - 1, -1, -1):
            for k in range(i + 1, n):
                for j in range(m):
                    work[i, j] -= l[k, i] * work[k, j]
            for j in range(m):
                work[i, j] /= l[i, i]
    else:
        for i in range(n):
            for k in range(i):
                for j in range(m):
                    work[i, j] -= l[i, k] * work[k, j]
            for j in range(m):
                work[i, j] /= l[i, i]
    if leading(x) == 0:
        _assign(x, work)


# -- factors with orthogonal vectors ---------------------------------------------------------------------------------
# LAPACK gets the matrix by columns, as NumPy gives it: so the signs of vectors are NumPy's.


def _eigh(w, v, a):
    n = a.shape[0]
    if n == 0:
        return
    work, found = copied(a.T), intrinsics.empty(n, a.dtype)
    memory, numbers = 1 + 6 * n + 2 * n * n, 3 + 5 * n
    info = intrinsics.empty(1, np.int32)
    blas.syevd(
        blas.VECTORS,
        blas.LOWER,
        n,
        work,
        n,
        found,
        intrinsics.empty(memory, a.dtype),
        memory,
        intrinsics.empty(numbers, np.int32),
        numbers,
        info,
    )
    _assign(v, work.T)
    for i in range(n):
        w[i] = found[i] if info[0] == 0 else np.nan


def _svd(u, s, vt, a):
    m, n = a.shape
    k = min(m, n)
    if k == 0:
        return
    found = intrinsics.empty(k, a.dtype)
    left, right = intrinsics.empty(k, m, a.dtype), intrinsics.empty(n, k, a.dtype)
    memory = 5 * k * k + 10 * k + 64 * (m + n)
    info = intrinsics.empty(1, np.int32)
    blas.gesdd(
        blas.SMALL,
        m,
        n,
        copied(a.T),
        m,
        found,
        left,
        m,
        right,
        k,
        intrinsics.empty(memory, a.dtype),
        memory,
        intrinsics.empty(8 * k, np.int32),
        info,
    )
    _assign(u, left.T)
    _assign(vt, right.T)
    for i in range(k):
        s[i] = found[i] if info[0] == 0 else np.nan


def _qr(q, r, a):
    m, n = a.shape
    if n == 0:
        return
    work, scales = copied(a.T), intrinsics.empty(n, a.dtype)
    memory, info = 64 * n, intrinsics.empty(1, np.int32)
    buffer = intrinsics.empty(memory, a.dtype)
    blas.geqrf(m, n, work, m, scales, buffer, memory, info)
    for i in range(n):
        for j in range(n):
            r[i, j] = work[j, i] if i <= j else 0
    blas.orgqr(m, n, n, work, m, scales, buffer, memory, info)
    _assign(q, work.T)


KERNELS = {  # what emitted text calls
    "lu_factor": compiled_once(_factor),
    "lu_solve": compiled_once(_solve, (0.0,)),
    "lu_solve_transposed": compiled_once(_solve, (1.0,)),
    "lu_determinant": compiled_once(_determinant),
    "lu_log_determinant": compiled_once(_log_determinant),
    "cholesky": compiled_once(_cholesky),
    "add_cholesky_adjoint": compiled_once(_add_cholesky_adjoint),
    "eigh": compiled_once(_eigh),
    "svd": compiled_once(_svd),
    "qr": compiled_once(_qr),
    "solve_lower": compiled_once(_solve_lower, (0.0,)),
    "solve_lower_transposed": compiled_once(_solve_lower, (1.0,)),
}
