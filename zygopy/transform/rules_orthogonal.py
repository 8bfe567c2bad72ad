"""The rules of QR factors, which are inf or nan where columns depend on each other."""

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
