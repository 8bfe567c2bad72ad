"""The kernels of linear algebra for compiled code: loops for small matrices, BLAS and LAPACK for others.

The functions of arrays here are compiled once for each dtype, with any strides: BLAS is told which matrices lie by rows
and which by columns, others are copied.
"""

from numba import njit

from zygopy.backends import blas, intrinsics
from zygopy.backends.numba_private import compiled_once

_FEW = 3 * 3 * 3  # multiplications, up to which loops are faster than BLAS
inline = njit(error_model="numpy", forceinline=True)


@inline
def leading(x):
    """The distance of two rows of a matrix that lies by rows, in elements; 0 if it lies otherwise."""
    if x.shape[1] > 1 and x.strides[1] != x.itemsize:
        return 0
    width = max(x.shape[1], 1)
    if x.shape[0] <= 1:
        return width
    rows = x.strides[0] // x.itemsize
    return rows if rows >= width and rows * x.itemsize == x.strides[0] else 0


@inline
def copied(x):
    """A new array by rows, typed as one with any strides."""
    new = intrinsics.empty(x.shape[0], x.shape[1], x.dtype)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            new[i, j] = x[i, j]
    return new[::1, ::1]


@inline
def _by_rows_or_columns(x):
    """A matrix that BLAS can read, its leading dimension, and whether it lies by columns."""
    rows = leading(x)
    if rows > 0:
        return x, rows, False
    columns = leading(x.T)
    if columns > 0:
        return x, columns, True
    x = copied(x)
    return x, leading(x), False


@inline
def step(x):
    """The distance of two rows of a matrix of one column, in elements; 0 if BLAS cannot go by it."""
    apart = x.strides[0] // x.itemsize
    return apart if apart > 0 and apart * x.itemsize == x.strides[0] else 0


@inline
def _vector_product(out, a, b, alpha, beta):
    """out = alpha * a @ b + beta * out, out and b of one column each that BLAS can go by"""
    a, rows, by_columns = _by_rows_or_columns(a)
    flag, m, n = (blas.NO, a.shape[0], a.shape[1]) if by_columns else (blas.YES, a.shape[1], a.shape[0])
    blas.gemv(flag, m, n, alpha, a, rows, b, step(b), beta, out, step(out))


def _product(out, a, b, alpha, beta):
    """out = alpha * a @ b + beta * out"""
    m, n, k = out.shape[0], out.shape[1], a.shape[1]
    if m * n * k <= _FEW:
        for i in range(m):
            for j in range(n):
                total = alpha * 0
                for r in range(k):
                    total += a[i, r] * b[r, j]
                out[i, j] = alpha * total if beta == 0 else out[i, j] + alpha * total
        return
    if m == 1:
        out, a, b = out.T, b.T, a.T
        m, n = n, 1
    if n == 1 and step(out) > 0 and step(b) > 0:
        _vector_product(out, a, b, alpha, beta)
        return
    if leading(out) == 0:
        out, a, b = out.T, b.T, a.T
        m, n = n, m
    rows = leading(out)
    target, rows = (out, rows) if rows > 0 else (copied(out), n)
    a, a_rows, a_columns = _by_rows_or_columns(a)
    b, b_rows, b_columns = _by_rows_or_columns(b)
    # Fortran reads what lies by rows as the transposed matrix, and out.T = b.T @ a.T
    b_flag, a_flag = blas.YES if b_columns else blas.NO, blas.YES if a_columns else blas.NO
    blas.gemm(b_flag, a_flag, n, m, k, alpha, b, b_rows, a, a_rows, beta, target, rows)
    if leading(out) == 0:
        for i in range(m):
            for j in range(n):
                out[i, j] = target[i, j]


KERNELS = {  # what emitted text calls
    "matmul": compiled_once(_product, (1.0, 0.0)),
    "add_matmul": compiled_once(_product, (1.0, 1.0)),
    "sub_matmul": compiled_once(_product, (-1.0, 1.0)),
}
