"""The pseudo-inverse, and least squares by it.

p = pinv(a)        u, s, vt = svd(a)
                   p0 = vt.T @ diag(1 / s) @ u.T, without singular values that count as 0
                   p = np.empty(p0.shape)
                   pinv(p; p0, a)             a kernel: p is p0, with a derivative of its own

The derivative is not that of the singular vectors, which have none where singular values are equal. All is computed in
float64, as NumPy does, since rounding decides which singular values count as 0.
"""

import numpy as np

from zygopy.errors import DtypeError, ShapeError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer, zero
from zygopy.transform.ir import Kernel, Value
from zygopy.transform.library import elementwise, products, reductions, systems
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import View, describe, is_number
from zygopy.transform.rules.orthogonal import PINV
from zygopy.transform.types import FLOAT64, Scalar

_ROUNDING = float(np.finfo(np.float64).eps)


def pseudo_inverse(s, a: object, rcond: Value | None) -> View:
    """np.linalg.pinv"""
    given = systems.need_real(s, systems.of_matrices(s, a, "np.linalg.pinv"), "np.linalg.pinv")
    a = _doubled(s, given)
    share = constant(1e-15) if rcond is None else _share(s, rcond)
    *stack, m, n = a.shape
    if not stack:
        return elementwise.cast(s, _inverse(s, a, share, "np.linalg.pinv")[0], given.dtype)
    result = systems.new(s, (*stack, n, m), given.dtype)

    def one(ks: tuple[Value, ...]) -> None:
        found = _inverse(s, systems.matrix(s, a, ks), share, "np.linalg.pinv")[0]
        arrays.assign(s, systems.matrix(s, result, ks), found)

    systems.over_stack(s, tuple(stack), one)
    return result


def least_squares(s, a: object, b: object, rcond: Value | None) -> tuple[View, View, Value, View]:
    """np.linalg.lstsq: the solution of least norm, sums of squared residuals, the rank, singular values."""
    what = "np.linalg.lstsq"
    a, b = (systems.need_real(s, systems.of_floats(s, products.need_array(s, x, what)), what) for x in (a, b))
    dtype = products.result_type(s, a, b).dtype
    a, b = _doubled(s, a), _doubled(s, b)
    if a.ndim != 2 or b.ndim > 2:
        raise ShapeError("np.linalg.lstsq needs a matrix, and a vector or a matrix", s.loc)
    m, n = a.shape
    rounding = s.b.apply(ops.MUL, constant(_ROUNDING), s.b.cast(s.b.apply(ops.INT_MAX, m, n), Scalar(FLOAT64)))
    if rcond is None:
        share = rounding
    else:
        share = _share(s, rcond)
        share = s.b.select(s.b.apply(ops.LT, share, constant(0.0)), constant(_ROUNDING), share)
    inverse, values, rank = _inverse(s, a, share, what)
    x = products.matmul(s, inverse, b)
    assert isinstance(x, View)
    residuals = _residuals(s, a, b, x, rank)
    return (
        elementwise.cast(s, x, dtype),
        elementwise.cast(s, residuals, dtype),
        rank,
        elementwise.cast(s, values, dtype),
    )


def _share(s, rcond: object) -> Value:
    if not is_number(rcond):
        raise DtypeError(f"rcond must be a number, not {describe(rcond)}", s.loc)
    return s.b.cast(rcond, Scalar(FLOAT64))


def _doubled(s, view: View) -> View:
    return view if view.dtype == np.float64 else elementwise.cast(s, view, FLOAT64)


def _inverse(s, a: View, share: Value, what: str) -> tuple[View, View, Value]:
    """The pseudo-inverse of a matrix, its singular values, and how many are above a share of the largest one."""
    u, values, vt = systems.singular_values(s, a, what)

    def larger(ks: tuple[Value, ...], best: tuple[Value, ...]) -> tuple[Value]:
        return (s.b.apply(ops.MAX, best[0], products.element(s, values, ks)),)

    limit = s.b.apply(ops.MUL, share, arrays.fold(s, values.shape, (constant(0.0),), larger)[0])

    def counts(ks: tuple[Value, ...]) -> Value:
        return s.b.apply(ops.GT, products.element(s, values, ks), limit)

    def scaled(ks: tuple[Value, ...]) -> Value:
        test, by = counts(ks[1:]), products.element(s, values, ks[1:])
        value = products.element(s, vt, (ks[1], ks[0]))
        return s.b.apply(ops.DIV, s.b.select(test, value, zero(value.type)), s.b.select(test, by, constant(1.0)))

    (m, n), (k,) = a.shape, values.shape
    value = systems.new(s, (n, m), a.dtype)
    products.fill(s, value, arrays.build(s, (n, k), scaled), products.permuted(u, (1, 0)))
    tied = s.b.let(ops.EMPTY, tuple(map(s.canonical, (n, m))), value.base.type, "p")
    s.facts.shapes[tied] = (n, m)
    s.b.emit(Kernel(PINV, (tied,), (value.base, arrays.materialise(s, a)), s.loc))
    rank = reductions.total(s, (k,), lambda ks: s.b.cast(counts(ks), Scalar(np.dtype(np.int64))))
    return arrays.whole(s, tied), values, rank


def _residuals(s, a: View, b: View, x: View, rank: Value) -> View:
    """The sums of squares of each column of b - a @ x; none unless a has full rank and more rows than columns."""
    m, n = a.shape
    is_full = s.b.apply(ops.AND, s.b.apply(ops.EQ, rank, n), s.b.apply(ops.GT, m, n))
    count = s.b.select(is_full, integer(1) if b.ndim == 1 else b.shape[1], integer(0))
    rest = elementwise.apply(s, np.subtract, [b, products.matmul(s, a, x)])

    def squares(ks: tuple[Value, ...]) -> Value:
        def term(rows: tuple[Value, ...]) -> Value:
            return reductions.squared(s, products.element(s, rest, rows if b.ndim == 1 else (*rows, *ks)))

        return reductions.total(s, (m,), term)

    return arrays.build(s, (s.canonical(count),), squares)
