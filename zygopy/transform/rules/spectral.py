"""The rules of kernels of eigenvalues and singular values.

After Giles (2008), "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation". Vectors that belong to equal values are not unique: what depends on them has derivatives of inf or nan
there, by the quotients 1 / (w_j - w_i). Derivatives of the values alone are finite.
"""

from collections.abc import Callable

from zygopy.transform import ops
from zygopy.transform.build import Builder, zero
from zygopy.transform.ir import Value, Var
from zygopy.transform.kernels import Backwards, Matrices, Sideways, one
from zygopy.transform.rules import kernel_adjoint, kernel_tangent


def _add_diagonal(k: Matrices, target: Var, values: Var, n: Value) -> None:
    """target += diag(values)"""
    k.nest((n,), lambda b, ks: b.store(target, (*ks, *ks), b.load(values, ks), ops.SUM))


def _take_diagonal(k: Matrices, target: Var, source: Var, n: Value) -> None:
    """target = diag(source)"""
    k.nest((n,), lambda b, ks: b.store(target, ks, b.load(source, (*ks, *ks))))


def _quotient(b: Builder, test: Value, value: Value, by: Value, like: Var) -> Value:
    """value / by where a test holds, else 0."""
    return b.apply(ops.DIV, b.select(test, value, zero(like.type.element)), b.select(test, by, one(like)))


# -- symmetric matrices ----------------------------------------------------------------------------------------------


def _over_gaps(k: Matrices, p: Var, w: Var, n: Value) -> Var:
    """F * p, where F is 1 / (w_j - w_i), and 0 on the diagonal."""

    def element(b: Builder, i: Var, j: Var) -> Value:
        gap = b.apply(ops.SUB, b.load(w, (j,)), b.load(w, (i,)))
        return _quotient(b, b.apply(ops.NE, i, j), b.load(p, (i, j)), gap, w)

    return k.filled((n, n), p, element)


@kernel_adjoint(ops.EIGH)
def eigh_adjoint(k: Backwards, w: Var, v: Var, a: Var) -> None:
    """With t = v @ (diag(w_bar) + F * (v.T @ v_bar)) @ v.T: a_bar += t + t.T below the diagonal, t on it.

    Section 3.1.
    """
    n, vectors = k.shape(v)[0], k.primal(v)
    square = (n, n)
    if (v_bar := k.bar(v)) is not None:
        inner = _over_gaps(k, k.product(k.transposed(vectors), v_bar, square), k.primal(w), n)
    else:
        inner = k.new(square, v, op=ops.ZEROS)
    if (w_bar := k.bar(w)) is not None:
        _add_diagonal(k, inner, w_bar, n)
    t = k.product(k.product(vectors, inner, square), k.transposed(vectors), square)
    k.add_symmetric(k.bar(a), t, n)


@kernel_tangent(ops.EIGH)
def eigh_tangent(k: Sideways, w: Var, v: Var, a: Var) -> None:
    """With p = v.T @ a_dot @ v: w_dot = diag(p), v_dot = v @ (F * p)."""
    n = k.shape(v)[0]
    p = k.product(k.product(k.transposed(v), k.symmetric(k.dot(a), n), (n, n)), v, (n, n))
    if (w_dot := k.dot(w)) is not None:
        _take_diagonal(k, w_dot, p, n)
    if (v_dot := k.dot(v)) is not None:
        k.kernel(ops.MATMUL, (v_dot,), (v, _over_gaps(k, p, w, n)))


# -- singular values -------------------------------------------------------------------------------------------------
# a is m by n with r = min(m, n) singular values, F is 1 / (s_j^2 - s_i^2), and 0 on the diagonal. Of matrices that are
# not square, u or v has a part outside of the space of the singular vectors (Townsend 2016, "Differentiating the
# singular value decomposition"), which is nan where a singular value is 0.


def _gap_of_squares(b: Builder, s: Var, i: Var, j: Var) -> Value:
    low, high = b.load(s, (i,)), b.load(s, (j,))
    return b.apply(ops.MUL, b.apply(ops.SUB, high, low), b.apply(ops.ADD, high, low))


def _turn(k: Matrices, s: Var, r: Value, numerator: Callable[[Builder, Var, Var], Value]) -> Var:
    """F * numerator"""

    def element(b: Builder, i: Var, j: Var) -> Value:
        return _quotient(b, b.apply(ops.NE, i, j), numerator(b, i, j), _gap_of_squares(b, s, i, j), s)

    return k.filled((r, r), s, element)


def _skew(p: Var, s: Var, by_row: bool) -> Callable:
    """(p - p.T) @ diag(s), or diag(s) @ (p - p.T)"""

    def numerator(b: Builder, i: Var, j: Var) -> Value:
        difference = b.apply(ops.SUB, b.load(p, (i, j)), b.load(p, (j, i)))
        return b.apply(ops.MUL, difference, b.load(s, (i if by_row else j,)))

    return numerator


def _mixed(p: Var, s: Var, by_row: bool) -> Callable:
    """p @ diag(s) + diag(s) @ p.T, or diag(s) @ p + p.T @ diag(s)"""

    def numerator(b: Builder, i: Var, j: Var) -> Value:
        first, second = (i, j) if by_row else (j, i)
        first_term = b.apply(ops.MUL, b.load(p, (i, j)), b.load(s, (first,)))
        return b.apply(ops.ADD, first_term, b.apply(ops.MUL, b.load(p, (j, i)), b.load(s, (second,))))

    return numerator


def _outside(k: Matrices, full: Var, inside: Var, s: Var, shape: tuple[Value, Value], length: Value, axis: int) -> Var:
    """(full - inside) / s along an axis, where that axis is the shorter one; 0 of square matrices."""

    def element(b: Builder, *ks: Var) -> Value:
        rest = b.apply(ops.SUB, b.load(full, ks), b.load(inside, ks))
        return _quotient(b, b.apply(ops.LT, shape[axis], length), rest, b.load(s, (ks[axis],)), s)

    return k.filled(shape, s, element)


@kernel_adjoint(ops.SVD)
def svd_adjoint(k: Backwards, u: Var, s: Var, vt: Var, a: Var) -> None:
    """a_bar += u @ t @ vt + (u_bar - u @ p) / s @ vt + u @ (vt_bar - q.T @ vt) / s.

    p = u.T @ u_bar, q = vt @ vt_bar.T, t = (F * (p - p.T)) @ diag(s) + diag(s) @ (F * (q - q.T)) + diag(s_bar)
    (section 3.3).
    """
    (m, r), n, a_bar = k.shape(u), k.shape(vt)[1], k.bar(a)
    left, values, right = k.primal(u), k.primal(s), k.primal(vt)
    inner = k.new((r, r), u, op=ops.ZEROS)
    if (s_bar := k.bar(s)) is not None:
        _add_diagonal(k, inner, s_bar, r)
    if (u_bar := k.bar(u)) is not None:
        p = k.product(k.transposed(left), u_bar, (r, r))
        k.add(inner, _turn(k, values, r, _skew(p, values, False)), (r, r))
        rest = _outside(k, u_bar, k.product(left, p, (m, r)), values, (m, r), m, 1)
        k.kernel(ops.ADD_MATMUL, (a_bar,), (rest, right))
    if (vt_bar := k.bar(vt)) is not None:
        q = k.product(right, k.transposed(vt_bar), (r, r))
        k.add(inner, _turn(k, values, r, _skew(q, values, True)), (r, r))
        rest = _outside(k, vt_bar, k.product(k.transposed(q), right, (r, n)), values, (r, n), n, 0)
        k.kernel(ops.ADD_MATMUL, (a_bar,), (left, rest))
    k.kernel(ops.ADD_MATMUL, (a_bar,), (k.product(left, inner, (m, r)), right))


@kernel_tangent(ops.SVD)
def svd_tangent(k: Sideways, u: Var, s: Var, vt: Var, a: Var) -> None:
    """With p = u.T @ a_dot @ v and d = diag(s): s_dot = diag(p).

    u_dot = u @ (F * (p @ d + d @ p.T)) + (a_dot @ v - u @ p) / s
    vt_dot = (F * (d @ p + p.T @ d)).T @ vt + (u.T @ a_dot - p @ vt) / s
    """
    (m, r), n, a_dot = k.shape(u), k.shape(vt)[1], k.dot(a)
    rows = k.product(k.transposed(u), a_dot, (r, n))
    p = k.product(rows, k.transposed(vt), (r, r))
    if (s_dot := k.dot(s)) is not None:
        _take_diagonal(k, s_dot, p, r)
    if (u_dot := k.dot(u)) is not None:
        columns = k.product(a_dot, k.transposed(vt), (m, r))
        k.copy(u_dot, _outside(k, columns, k.product(u, p, (m, r)), s, (m, r), m, 1), (m, r))
        k.kernel(ops.ADD_MATMUL, (u_dot,), (u, _turn(k, s, r, _mixed(p, s, False))))
    if (vt_dot := k.dot(vt)) is not None:
        k.copy(vt_dot, _outside(k, rows, k.product(p, vt, (r, n)), s, (r, n), n, 0), (r, n))
        turned = k.transposed(_turn(k, s, r, _mixed(p, s, True)))
        k.kernel(ops.ADD_MATMUL, (vt_dot,), (turned, vt))
