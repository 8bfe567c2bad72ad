"""Matrix products by cuBLAS through ctypes, on a stream that is being captured, where CuPy makes none.

cuBLAS has matrices by columns: an array by rows is the transpose of one, and c = a @ b is c.T = b.T @ a.T.
"""

import ctypes
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

Gemm = Callable[[str, int, int, int, int, int, float, Any, int, Any, int, float, Any, int], None]


def products(gemm: Gemm, contiguous: Callable) -> dict[str, Callable]:
    """The kernels of matrix products, by a function with the arguments of BLAS's, behind the dtype's name."""

    def product(out: Any, a: Any, b: Any, alpha: float, beta: float) -> None:
        (m, k), n = a.shape, b.shape[1]
        if m == 0 or n == 0 or k == 0:
            if beta == 0.0 and k == 0:
                out[...] = 0
            return
        (a, a_flipped, lda), (b, b_flipped, ldb) = (_given(x, contiguous) for x in (a, b))
        ldc = max(out.strides[0] // out.itemsize, n)
        name = np.dtype(out.dtype).name
        gemm(name, int(b_flipped), int(a_flipped), n, m, k, alpha, b, ldb, a, lda, beta, out, ldc)

    return {
        "matmul": lambda out, a, b: product(out, a, b, 1.0, 0.0),
        "add_matmul": lambda out, a, b: product(out, a, b, 1.0, 1.0),
        "sub_matmul": lambda out, a, b: product(out, a, b, -1.0, 1.0),
    }


def _given(x: Any, contiguous: Callable) -> tuple[Any, bool, int]:
    """A matrix that cuBLAS can take, and how it lies."""
    if (found := operand(x)) is not None:
        return x, *found
    return contiguous(x), False, max(x.shape[1], 1)


def operand(x: Any) -> tuple[bool, int] | None:
    """Whether a matrix lies by columns, and how far apart its rows or columns are; None for other ones.

    >>> operand(np.zeros((2, 5))), operand(np.zeros((2, 5)).T), operand(np.zeros((4, 6))[:, ::2])
    ((False, 5), (True, 5), None)
    """
    (rows, columns), size = x.shape, x.itemsize
    down, right = (stride // size for stride in x.strides)
    if (right == 1 or columns == 1) and (down >= columns or rows == 1):
        return False, max(down, columns)
    if (down == 1 or rows == 1) and (right >= rows or columns == 1):
        return True, max(right, rows)
    return None


def cublas_gemm(stream: int) -> Gemm:
    """cuBLAS's products of float32 and float64 on a stream."""
    path = import_module("cuda.pathfinder").load_nvidia_dynamic_lib("cublas").abs_path
    library = ctypes.CDLL(path)
    handle = ctypes.c_void_p()
    _done(library.cublasCreate_v2(ctypes.byref(handle)))
    _done(library.cublasSetStream_v2(handle, ctypes.c_void_p(stream)))

    def gemm(name, b_flipped, a_flipped, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc):
        call, number = {
            "float32": (library.cublasSgemm_v2, ctypes.c_float),
            "float64": (library.cublasDgemm_v2, ctypes.c_double),
        }[name]
        sizes = (ctypes.c_int(x) for x in (b_flipped, a_flipped, n, m, k))
        matrices = (part for x, ld in ((b, ldb), (a, lda)) for part in (ctypes.c_void_p(x.data.ptr), ctypes.c_int(ld)))
        factors = [ctypes.byref(number(x)) for x in (alpha, beta)]
        _done(call(handle, *sizes, factors[0], *matrices, factors[1], ctypes.c_void_p(c.data.ptr), ctypes.c_int(ldc)))

    return gemm


def _done(status: int) -> None:
    if status:
        raise RuntimeError(f"cuBLAS: status {status}")
