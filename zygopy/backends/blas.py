"""BLAS and LAPACK for compiled code: SciPy's routines, called by address with Fortran's conventions.

Every argument of a routine is an address; numbers go through the stack. A routine's matrices are given as arrays, of
which only the address of the data is used; leading dimensions are arguments of their own.
"""

from collections.abc import Callable
from functools import cache, partial

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address

from zygopy.backends.numba_private import compiled_once, instruction

_BYTES = ir.IntType(8).as_pointer()
_DATA = 4  # field of the array descriptor

NO, YES = ord("N"), ord("T")  # transposed?
LEFT, RIGHT, LOWER, UPPER, UNIT = ord("L"), ord("R"), ord("L"), ord("U"), ord("U")
VECTORS, SMALL = ord("V"), ord("S")  # what is computed beside the values


_LETTERS = {types.float64: "d", types.float32: "s", types.complex128: "z", types.complex64: "c"}


def _routine(module: str, name: str, kinds: str, letters: str = "dszc") -> Callable:
    """The routine `name` for numbers of one dtype, that of its first array; `letters` of the dtypes it is there for.

    `kinds` has a letter for each argument: c character, i int, f number of the arrays' dtype, a array of any dtype.
    """

    def typing(*args):
        number = next(t.dtype for t, kind in zip(args, kinds, strict=True) if kind == "a")
        of_kind = {"c": types.int32, "i": types.int32, "f": number}
        return types.void(*(of_kind.get(kind, t) for t, kind in zip(args, kinds, strict=True)))

    def generate(context, builder, signature, args):
        letter = _LETTERS[next(t.dtype for t, kind in zip(signature.args, kinds, strict=True) if kind == "a")]
        symbol = f"zygopy_{letter}{name}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [_BYTES] * len(args)), symbol
        )
        builder.call(function, [_address(builder, kind, value) for kind, value in zip(kinds, args, strict=True)])
        return context.get_dummy_value()

    _routines.extend((module, letter, name) for letter in letters)
    return instruction(generate, typing)


_routines: list[tuple[str, str, str]] = []


@cache
def _name_symbols() -> None:
    """Tell LLVM the addresses of all routines, which code that comes from Numba's disk cache asks for by name."""
    for module, letter, name in _routines:
        address = get_cython_function_address(f"scipy.linalg.cython_{module}", letter + name)
        llvm.add_symbol(f"zygopy_{letter}{name}", address)


routine = partial(compiled_once, prepare=_name_symbols)  # a function of arrays that calls BLAS and LAPACK


def _address(builder, kind: str, value):
    if kind == "a":
        return builder.bitcast(builder.extract_value(value, _DATA), _BYTES)
    if kind == "c":
        value = builder.trunc(value, ir.IntType(8))
    return builder.bitcast(cgutils.alloca_once_value(builder, value), _BYTES)


gemm = _routine("blas", "gemm", "cciiifaiaifai")  # transa, transb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc
gemv = _routine("blas", "gemv", "ciifaiaifai")  # trans, m, n, alpha, a, lda, x, incx, beta, y, incy
trsm = _routine("blas", "trsm", "cccciifaiai")  # side, uplo, transa, diag, m, n, alpha, a, lda, b, ldb
trsv = _routine("blas", "trsv", "ccciaiai")  # uplo, trans, diag, n, a, lda, x, incx
getrf = _routine("lapack", "getrf", "iiaiaa")  # m, n, a, lda, ipiv, info
potrf = _routine("lapack", "potrf", "ciaia")  # uplo, n, a, lda, info
syevd = _routine("lapack", "syevd", "cciaiaaiaia", "ds")  # jobz, uplo, n, a, lda, w, work, lwork, iwork, liwork, info
# jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info
gesdd = _routine("lapack", "gesdd", "ciiaiaaiaiaiaa", "ds")
geqrf = _routine("lapack", "geqrf", "iiaiaaia", "ds")  # m, n, a, lda, tau, work, lwork, info
orgqr = _routine("lapack", "orgqr", "iiiaiaaia", "ds")  # m, n, k, a, lda, tau, work, lwork, info
