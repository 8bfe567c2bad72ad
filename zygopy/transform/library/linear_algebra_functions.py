"""NumPy's functions of linear algebra: what a call of each becomes."""

from collections.abc import Callable
from functools import reduce

import numpy as np

from zygopy.errors import UnsupportedError
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const
from zygopy.transform.library import einsums, elementwise, least_squares, norms, products, reductions, systems
from zygopy.transform.library.numpy_functions import is_none
from zygopy.transform.reading.handlers import builtin, method
from zygopy.transform.reading.values import Static
from zygopy.transform.records import Record


def _class_of_results(function: Callable) -> type:
    """The NamedTuple that a function of NumPy's gives."""
    return type(function(np.eye(1)))


_EIGH, _SLOGDET = _class_of_results(np.linalg.eigh), _class_of_results(np.linalg.slogdet)
_SVD, _QR = _class_of_results(np.linalg.svd), _class_of_results(np.linalg.qr)


def _named(cls: type, items: tuple) -> Record:
    return Record(items, cls, cls._fields)


# -- products --------------------------------------------------------------------------------------------------------


@builtin(np.matmul)
def matmul(s, x1, x2):
    return products.matmul(s, x1, x2)


@builtin(np.dot)
@method("dot")
def dot(s, a, b):
    return products.dot(s, a, b)


@builtin(np.inner)
def inner(s, a, b):
    return products.inner(s, a, b)


@builtin(np.outer)
def outer(s, a, b):
    return products.outer(s, products.flat(s, a, "np.outer"), products.flat(s, b, "np.outer"))


@builtin(np.vdot)
def vdot(s, a, b):
    a, b = products.flat(s, a, "np.vdot"), products.flat(s, b, "np.vdot")
    return products.vectors(s, elementwise.apply(s, np.conjugate, [a]) if a.element.is_complex else a, b)


@builtin(np.tensordot)
def tensordot(s, a, b, axes=None):
    a, b = products.need_array(s, a, "np.tensordot"), products.need_array(s, b, "np.tensordot")
    return products.tensordot(s, a, b, integer(2) if axes is None else axes)


@builtin(np.einsum)
def einsum(s, subscripts, *operands, optimize=None):
    if not (isinstance(subscripts, Static) and isinstance(subscripts.value, str)):
        raise UnsupportedError("np.einsum needs its subscripts as a string", s.loc, help='np.einsum("ij,jk->ik", a, b)')
    return einsums.einsum(s, subscripts.value, [products.need_array(s, a, "np.einsum") for a in operands])


@builtin(np.linalg.multi_dot)
def multi_dot(s, arrays):
    """From left to right, whatever the shapes."""
    if not (isinstance(arrays, tuple) and len(arrays) >= 2):
        raise UnsupportedError("np.linalg.multi_dot needs a list of at least two arrays", s.loc)
    return reduce(lambda a, b: products.dot(s, a, b), arrays)


# -- linear systems --------------------------------------------------------------------------------------------------


@builtin(np.linalg.solve)
def solve(s, a, b):
    return systems.solve(s, a, b)


@builtin(np.linalg.inv)
def inv(s, a):
    return systems.inverse(s, a)


@builtin(np.linalg.det)
def det(s, a):
    return systems.determinant(s, a)


@builtin(np.linalg.slogdet)
def slogdet(s, a):
    return _named(_SLOGDET, systems.sign_and_log_determinant(s, a))


@builtin(np.linalg.matrix_power)
def matrix_power(s, a, n):
    """By repeated squaring."""
    if not (isinstance(n, Const) and n.type.is_integer):
        raise UnsupportedError("the exponent of np.linalg.matrix_power must be known at compile time", s.loc)
    base = systems.square(s, systems.inverse(s, a) if n.value < 0 else a, "np.linalg.matrix_power")
    result, exponent = None, abs(int(n.value))
    if not exponent:
        if base.ndim > 2:
            raise UnsupportedError("the 0th power of a stack of matrices is not supported", s.loc)
        return systems.identity(s, base.shape[-1], base.dtype)
    while exponent:
        if exponent % 2:
            result = base if result is None else products.matmul(s, result, base)
        exponent //= 2
        base = products.matmul(s, base, base) if exponent else base
    return result


@builtin(np.linalg.cholesky)
def cholesky(s, a, *, upper=None):
    return systems.cholesky(s, a, reductions.flag(s, upper, "upper"))


def scipy_cholesky(s, a, lower=None):
    """scipy.linalg.cholesky: the upper factor unless `lower`."""
    return systems.cholesky(s, a, not reductions.flag(s, lower, "lower"))


def solve_triangular(s, a, b, trans=None, lower=None):
    known = trans.value if isinstance(trans, Static | Const) else trans
    if known not in (None, 0, 1, "N", "T"):
        raise UnsupportedError("trans must be 0, 1, 'N' or 'T', known at compile time", s.loc)
    return systems.solve_triangular(s, a, b, reductions.flag(s, lower, "lower"), known in (1, "T"))


def cho_factor(s, a, lower=None):
    is_lower = reductions.flag(s, lower, "lower")
    return systems.cholesky_and_rest(s, a, not is_lower), constant(is_lower)


def cho_solve(s, c_and_lower, b):
    if not (isinstance(c_and_lower, tuple) and len(c_and_lower) == 2):
        raise UnsupportedError("scipy.linalg.cho_solve needs a pair of a factor and lower", s.loc)
    factor, lower = c_and_lower
    return systems.solve_factored(s, factor, b, reductions.flag(s, lower, "lower"))


def expm(s, A):
    return systems.exponential(s, A)


# -- factors with orthogonal vectors ---------------------------------------------------------------------------------


@builtin(np.linalg.eigh)
def eigh(s, a, UPLO=None):
    return _named(_EIGH, systems.eigenvectors(s, a, _is_upper(s, UPLO), "np.linalg.eigh"))


@builtin(np.linalg.eigvalsh)
def eigvalsh(s, a, UPLO=None):
    return systems.eigenvectors(s, a, _is_upper(s, UPLO), "np.linalg.eigvalsh")[0]


def _is_upper(s, uplo: object) -> bool:
    known = "L" if uplo is None else uplo.value if isinstance(uplo, Static) else None
    if known not in ("L", "U", "l", "u"):
        raise UnsupportedError("UPLO must be 'L' or 'U', known at compile time", s.loc)
    return known in ("U", "u")


@builtin(np.linalg.svd)
def svd(s, a, full_matrices=None, compute_uv=None):
    vectors = compute_uv is None or reductions.flag(s, compute_uv, "compute_uv")
    if vectors and (full_matrices is None or reductions.flag(s, full_matrices, "full_matrices")):
        raise UnsupportedError(
            "np.linalg.svd with full_matrices=True is not supported",
            s.loc,
            why="the vectors beyond the singular values are not unique, and have no derivative",
            help="np.linalg.svd(a, full_matrices=False)",
        )
    u, values, vt = systems.singular_values(s, a, "np.linalg.svd")
    return _named(_SVD, (u, values, vt)) if vectors else values


@builtin(np.linalg.qr)
def qr(s, a, mode=None):
    known = "reduced" if mode is None else mode.value if isinstance(mode, Static) else None
    if known not in ("reduced", "r"):
        raise UnsupportedError(
            f"np.linalg.qr with mode={known!r} is not supported",
            s.loc,
            why="the vectors beyond the columns are not unique, and have no derivative",
            help="np.linalg.qr(a), or mode='r'",
        )
    q, r = systems.orthogonal(s, a)
    return r if known == "r" else _named(_QR, (q, r))


@builtin(np.linalg.pinv)
def pinv(s, a, rcond=None):
    return least_squares.pseudo_inverse(s, a, None if is_none(rcond) else rcond)


@builtin(np.linalg.lstsq)
def lstsq(s, a, b, rcond=None):
    return least_squares.least_squares(s, a, b, None if is_none(rcond) else rcond)


@builtin(np.linalg.norm)
def norm(s, x, ord=None, axis=None, keepdims=None):
    return norms.norm(s, x, ord, axis, keepdims)
