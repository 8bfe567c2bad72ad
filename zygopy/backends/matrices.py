"""The kernels as plain Python: what emitted text calls on the python backend."""

import numpy as np
from scipy import linalg


def matmul(out, a, b):
    """out[...] = a @ b"""
    np.matmul(a, b, out=out)


def add_matmul(out, a, b):
    """out += a @ b"""
    out += a @ b


def sub_matmul(out, a, b):
    """out -= a @ b"""
    out -= a @ b


def lu_factor(lu, pivots, a):
    """The LU factors of a and its row swaps; a zero on the diagonal tells that a is singular."""
    if a.size:
        (getrf,) = linalg.get_lapack_funcs(("getrf",), (a,))
        lu[...], pivots[...], _ = getrf(a)


def _lu_solve(x, lu, pivots, b, trans):
    if x.size:
        (getrs,) = linalg.get_lapack_funcs(("getrs",), (lu,))
        x[...] = getrs(lu, pivots, b, trans)[0]


def lu_solve(x, lu, pivots, b):
    """x[...] = a^-1 b"""
    _lu_solve(x, lu, pivots, b, 0)


def lu_solve_transposed(x, lu, pivots, b):
    """x[...] = a^-T b"""
    _lu_solve(x, lu, pivots, b, 1)


def _sign_of_swaps(pivots):
    return -1 if np.count_nonzero(pivots != np.arange(len(pivots))) % 2 else 1


def lu_determinant(d, lu, pivots):
    """d[0] = det(a)"""
    d[0] = _sign_of_swaps(pivots) * np.prod(np.diagonal(lu))


def lu_log_determinant(sign, log, lu, pivots):
    """sign[0] and log[0] of det(a) = sign * exp(log)"""
    diagonal = np.diagonal(lu)
    sign[0] = _sign_of_swaps(pivots) * np.prod(np.sign(diagonal))
    log[0] = np.sum(np.log(np.abs(diagonal)))


def cholesky(l, a):  # noqa: E741
    """l[...] with l @ l.T = a, nan on the diagonal where there is none"""
    if a.size:
        (potrf,) = linalg.get_lapack_funcs(("potrf",), (a,))
        l[...], failed = potrf(a, lower=1, clean=1)
        if failed:
            l[failed - 1, failed - 1] = np.nan


def add_cholesky_adjoint(a_bar, l, l_bar):  # noqa: E741
    """a_bar += the adjoint of the lower triangle of l @ l.T: below the diagonal s + s.T of s = l^-T p l^-1, on it s"""
    if not l.size:
        return
    p = np.tril(l.T @ np.tril(l_bar))
    np.fill_diagonal(p, 0.5 * np.diagonal(p))
    inverse = linalg.solve_triangular(l, np.eye(len(l)), lower=True, check_finite=False)
    s = inverse.T @ p @ inverse
    a_bar += np.tril(s + s.T) - np.diag(np.diagonal(s))


def _solve_lower(x, l, b, trans):  # noqa: E741
    if x.size:
        (trtrs,) = linalg.get_lapack_funcs(("trtrs",), (l,))
        x[...], failed = trtrs(l, b, lower=1, trans=trans)
        if failed:  # a zero on the diagonal: x is b as it was
            x[...] = np.nan


def solve_lower(x, l, b):  # noqa: E741
    """x[...] = l^-1 b"""
    _solve_lower(x, l, b, 0)


def solve_lower_transposed(x, l, b):  # noqa: E741
    """x[...] = l^-T b"""
    _solve_lower(x, l, b, 1)


def eigh(w, v, a):
    """w, v of a @ v = v * w, of the lower triangle of a; nan where they are not found"""
    try:
        w[...], v[...] = np.linalg.eigh(a)
    except np.linalg.LinAlgError:
        w[...] = np.nan


def svd(u, s, vt, a):
    """u, s, vt of a = (u * s) @ vt, nan where they are not found"""
    try:
        u[...], s[...], vt[...] = np.linalg.svd(a, full_matrices=False)
    except np.linalg.LinAlgError:
        s[...] = np.nan


def qr(q, r, a):
    """q, r of a = q @ r, of at least as many rows as columns"""
    q[...], r[...] = np.linalg.qr(a)


def argsort(order, x):
    """order[...] = the indices that sort x, equal elements as they come, nan last."""
    order[...] = np.argsort(x, kind="stable")


def fourier(out, x):
    """out[...] = the discrete Fourier transform of x"""
    out[...] = np.fft.fft(x)


def fourier_back(out, x):
    """out[...] = the same with exp(+2 pi i j k / n), and not divided by n"""
    out[...] = np.fft.ifft(x, norm="forward")


_FUNCTIONS = (
    argsort,
    fourier,
    fourier_back,
    eigh,
    svd,
    qr,
    matmul,
    add_matmul,
    sub_matmul,
    lu_factor,
    lu_solve,
    lu_solve_transposed,
    lu_determinant,
    lu_log_determinant,
    cholesky,
    add_cholesky_adjoint,
    solve_lower,
    solve_lower_transposed,
)
KERNELS = {f.__name__: f for f in _FUNCTIONS}
