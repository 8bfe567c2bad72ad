"""The kernels of linear algebra, and sorting, by an array library for GPUs: CuPy calls cuBLAS and cuSOLVER.

They name only what NumPy and SciPy have too, in whose place the tests put these. CuPy waits for the GPU in `lu_factor`.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np


def kernels(xp: Any, linalg: Any) -> dict[str, Callable]:
    """What emitted text calls, by name: `xp` is CuPy, `linalg` its counterpart of `scipy.linalg`."""

    def matmul(out, a, b):
        xp.matmul(a, b, out=out)

    def add_matmul(out, a, b):
        out += xp.matmul(a, b)

    def sub_matmul(out, a, b):
        out -= xp.matmul(a, b)

    def lu_factor(lu, pivots, a):
        if a.size:
            with warnings.catch_warnings():  # a zero on the diagonal tells that a is singular
                warnings.simplefilter("ignore")
                lu[...], pivots[...] = linalg.lu_factor(a, check_finite=False)

    def lu_solve(x, lu, pivots, b, trans=0):
        if x.size:
            x[...] = linalg.lu_solve((lu, pivots.astype(np.int32)), b, trans, check_finite=False)

    def lu_solve_transposed(x, lu, pivots, b):
        lu_solve(x, lu, pivots, b, 1)

    def sign_of_swaps(pivots):
        return 1 - 2 * (xp.count_nonzero(pivots != xp.arange(len(pivots))) % 2)

    def lu_determinant(d, lu, pivots):
        d[...] = sign_of_swaps(pivots) * xp.prod(xp.diagonal(lu))

    def lu_log_determinant(sign, log, lu, pivots):
        diagonal = xp.diagonal(lu)
        sign[...] = sign_of_swaps(pivots) * xp.prod(xp.sign(diagonal))
        log[...] = xp.sum(xp.log(xp.abs(diagonal)))

    def cholesky(l, a):  # noqa: E741
        """l of l @ l.T = a, nan where there is none: the library leaves a pivot that is not positive as it is."""
        try:
            l[...] = xp.linalg.cholesky(a)
        except np.linalg.LinAlgError:
            l[...] = np.nan
        pivots = l.reshape(-1)[:: len(l) + 1]
        pivots[...] = xp.where(pivots > 0, pivots, np.nan)

    def add_cholesky_adjoint(a_bar, l, l_bar):  # noqa: E741
        """a_bar += the adjoint of the lower triangle: below the diagonal s + s.T of s = l^-T p l^-1, on it s"""
        if not l.size:
            return
        p = xp.tril(l.T @ xp.tril(l_bar))
        p -= 0.5 * xp.diag(xp.diagonal(p))
        inverse = xp.empty_like(l)
        solve_lower(inverse, l, xp.eye(len(l), dtype=l.dtype))
        s = inverse.T @ p @ inverse
        a_bar += xp.tril(s + s.T) - xp.diag(xp.diagonal(s))

    def solve_lower(x, l, b, trans=0):  # noqa: E741
        if not x.size:
            return
        try:
            x[...] = linalg.solve_triangular(l, b, trans, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            x[...] = np.nan

    def solve_lower_transposed(x, l, b):  # noqa: E741
        solve_lower(x, l, b, 1)

    def eigh(w, v, a):
        w[...], v[...] = xp.linalg.eigh(a)

    def svd(u, s, vt, a):
        u[...], s[...], vt[...] = xp.linalg.svd(a, full_matrices=False)

    def qr(q, r, a):
        q[...], r[...] = xp.linalg.qr(a)

    def argsort(order, x):
        order[...] = xp.argsort(x, kind="stable")

    of_systems: list[Callable] = [lu_factor, lu_solve, lu_solve_transposed, lu_determinant, lu_log_determinant]
    of_systems += [cholesky, add_cholesky_adjoint, solve_lower, solve_lower_transposed]
    others: list[Callable] = [matmul, add_matmul, sub_matmul, eigh, svd, qr, argsort]
    return {f.__name__: f for f in (*of_systems, *others)}


OFFERED = frozenset(kernels(None, None))  # the names of what there is
