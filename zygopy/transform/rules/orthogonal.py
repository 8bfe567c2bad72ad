"""The rules of QR factors and of the pseudo-inverse.

The derivative of the factors is inf or nan where columns depend on each other, that of the pseudo-inverse is the one
along matrices of the same rank.
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder, zero
from zygopy.transform.ir import Value, Var
from zygopy.transform.kernels import Backwards, Sideways
from zygopy.transform.rules import kernel_adjoint, kernel_tangent

# -- QR --------------------------------------------------------------------------------------------------------------


@kernel_adjoint(ops.QR)
def qr_adjoint(k: Backwards, q: Var, r: Var, a: Var) -> None:
    """a_bar += (q_bar + q @ s) @ r^-T, s symmetric by the lower triangle of r @ r_bar.T - q_bar.T @ q.

    Walter and Lehmann (2018), "Algorithmic differentiation of linear algebra functions with application in optimum
    experimental design", section 4.4.
    """
    (m, n), q_bar, vectors, factor = k.shape(q), k.bar(q), k.primal(q), k.primal(r)
    inner, right = k.new((n, n), r, op=ops.ZEROS), k.new((m, n), q, op=ops.ZEROS)
    if (r_bar := k.bar(r)) is not None:
        k.kernel(ops.ADD_MATMUL, (inner,), (factor, k.transposed(r_bar)))
    if q_bar is not None:
        k.kernel(ops.SUB_MATMUL, (inner,), (k.transposed(q_bar), vectors))
        k.add(right, q_bar, (m, n))
    k.kernel(ops.ADD_MATMUL, (right,), (vectors, k.symmetric(inner, n)))
    t = k.new((n, m), a)
    k.kernel(ops.SOLVE_LOWER_TRANSPOSED, (t,), (k.transposed(factor), k.transposed(right)))
    k.add(k.bar(a), k.transposed(t), (m, n))


@kernel_tangent(ops.QR)
def qr_tangent(k: Sideways, q: Var, r: Var, a: Var) -> None:
    """r_dot = t @ r and q_dot = c - q @ t, where c = a_dot @ r^-1.

    t is the upper triangle of p + p.T, with the diagonal of p = q.T @ c.
    """
    m, n = k.shape(q)
    c = k.new((n, m), a)
    k.kernel(ops.SOLVE_LOWER, (c,), (k.transposed(r), k.transposed(k.dot(a))))
    p = k.product(k.transposed(q), k.transposed(c), (n, n))

    def element(b: Builder, i: Var, j: Var) -> Value:
        below = b.select(b.apply(ops.LT, i, j), b.load(p, (j, i)), zero(p.type.element))
        return b.select(b.apply(ops.GT, i, j), below, b.apply(ops.ADD, b.load(p, (i, j)), below))

    t = k.filled((n, n), r, element)
    if (r_dot := k.dot(r)) is not None:
        k.kernel(ops.MATMUL, (r_dot,), (t, r))
    if (q_dot := k.dot(q)) is not None:
        k.copy(q_dot, k.transposed(c), (m, n))
        k.kernel(ops.SUB_MATMUL, (q_dot,), (q, t))


# -- the pseudo-inverse ----------------------------------------------------------------------------------------------
# Of a, m by n. The products between are n by n: matrices have more rows than columns more often than fewer.


def _pinv_adjoint(k: Backwards, p: Var, value: Var, a: Var) -> None:
    """a_bar += (1 - a @ p) @ left + right @ (1 - p @ a) - p.T @ p_bar @ p.T.

    left = p_bar.T @ p @ p.T, right = p.T @ p @ p_bar.T; after Golub and Pereyra (1973), "The differentiation of
    pseudo-inverses and nonlinear least squares problems whose variables separate", equation 4.12.
    """
    (n, m), p_bar, a_bar = k.shape(p), k.bar(p), k.bar(a)
    inverse, matrix = k.primal(p), k.primal(a)
    p_t, p_bar_t = k.transposed(inverse), k.transposed(p_bar)
    left = k.product(p_bar_t, k.product(inverse, p_t, (n, n)), (m, n))
    right = k.product(p_t, k.product(inverse, p_bar_t, (n, n)), (m, n))
    k.add(a_bar, left, (m, n))
    k.add(a_bar, right, (m, n))
    k.kernel(ops.SUB_MATMUL, (a_bar,), (matrix, k.product(inverse, left, (n, n))))
    k.kernel(ops.SUB_MATMUL, (a_bar,), (right, k.product(inverse, matrix, (n, n))))
    k.kernel(ops.SUB_MATMUL, (a_bar,), (p_t, k.product(p_bar, p_t, (n, n))))


def _pinv_tangent(k: Sideways, p: Var, value: Var, a: Var) -> None:
    """p_dot = left @ (1 - a @ p) + (1 - p @ a) @ right - p @ a_dot @ p.

    left = p @ p.T @ a_dot.T, right = a_dot.T @ p.T @ p
    """
    (n, m), p_dot, a_dot = k.shape(p), k.dot(p), k.dot(a)
    a_dot_t, p_t = k.transposed(a_dot), k.transposed(p)
    left = k.product(k.product(p, p_t, (n, n)), a_dot_t, (n, m))
    right = k.product(k.product(a_dot_t, p_t, (n, n)), p, (n, m))
    k.copy(p_dot, left, (n, m))
    k.add(p_dot, right, (n, m))
    k.kernel(ops.SUB_MATMUL, (p_dot,), (k.product(left, a, (n, n)), p))
    k.kernel(ops.SUB_MATMUL, (p_dot,), (k.product(p, a, (n, n)), right))
    k.kernel(ops.SUB_MATMUL, (p_dot,), (k.product(p, a_dot, (n, n)), p))


PINV = ops.Tied("pinv", "", adjoint=_pinv_adjoint, tangent=_pinv_tangent)  # p; its value, a
