"""BLAS and LAPACK for compiled code: SciPy's routines, called by address with Fortran's conventions.

Every argument of a routine is an address; numbers go through the stack. A routine's matrices are given as arrays, of
which only the address of the data is used; leading dimensions are arguments of their own.
"""

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import get_cython_function_address

from zygopy.backends.numba_private import instruction, provider, use

_BYTES = ir.IntType(8).as_pointer()
_DATA = 4  # field of the array descriptor

NO, YES = ord("N"), ord("T")  # transposed?
LEFT, RIGHT, LOWER, UPPER, UNIT = ord("L"), ord("R"), ord("L"), ord("U"), ord("U")
VECTORS, SMALL = ord("V"), ord("S")  # what is computed beside the values


_LETTERS = {types.float64: "d", types.float32: "s", types.complex128: "z", types.complex64: "c"}


def _routine(module: str, name: str, kinds: str) -> Callable:
    """The routine `name` for numbers of one dtype, that of its first array.

    `kinds` has a letter for each argument: c character, i int, f number of the arrays' dtype, a array of any dtype.
    """

    def typing(*args):
        number = next(t.dtype for t, kind in zip(args, kinds, strict=True) if kind == "a")
        of_kind = {"c": types.int32, "i": types.int32, "f": number}
        return types.void(*(of_kind.get(kind, t) for t, kind in zip(args, kinds, strict=True)))

    def generate(context, builder, signature, args):
        letter = _LETTERS[next(t.dtype for t, kind in zip(signature.args, kinds, strict=True) if kind == "a")]
        symbol = f"zygopy.blas.{module}:{letter}{name}"
        use(builder.module, symbol)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [_BYTES] * len(args)), symbol
        )
        builder.call(function, [_address(builder, kind, value) for kind, value in zip(kinds, args, strict=True)])
        return context.get_dummy_value()

    return instruction(generate, typing)


@provider("blas")
def _address_of(what: str) -> int:
    module, name = what.split(":")
    return get_cython_function_address(f"scipy.linalg.cython_{module}", name)


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
syevd = _routine("lapack", "syevd", "cciaiaaiaia")  # jobz, uplo, n, a, lda, w, work, lwork, iwork, liwork, info
# jobz, m, n, a, lda, s, u, ldu, vt, ldvt, work, lwork, iwork, info
gesdd = _routine("lapack", "gesdd", "ciiaiaaiaiaiaa")
geqrf = _routine("lapack", "geqrf", "iiaiaaia")  # m, n, a, lda, tau, work, lwork, info
orgqr = _routine("lapack", "orgqr", "iiiaiaaia")  # m, n, k, a, lda, tau, work, lwork, info
