"""The rules of kernels of triangular matrices: Cholesky's factor, and systems with such a matrix.

Only the lower triangle of a matrix is read, and so only it has derivatives.
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder, constant
from zygopy.transform.ir import Const, Op, Value, Var
from zygopy.transform.kernels import Backwards, Matrices, Sideways
from zygopy.transform.rules import kernel_adjoint, kernel_meaning, kernel_tangent

# -- systems ---------------------------------------------------------------------------------------------------------


def _solution(op: Op, other: Op, transposed: bool) -> None:
    """The rules of x = l^-1 b and of x = l^-T b (Giles 2008, section 2.3.1)."""

    @kernel_adjoint(op)
    def adjoint(k: Backwards, x: Var, l: Var, b: Var) -> None:  # noqa: E741
        """t = l^-T x_bar; b_bar += t; l_bar -= t @ x.T, of the transposed system l_bar -= x @ t.T"""
        t = k.new_like(x)
        k.kernel(other, (t,), (k.primal(l), k.bar(x)))
        if (b_bar := k.bar(b)) is not None:
            k.add(b_bar, t, k.shape(b))
        if (l_bar := k.bar(l)) is not None:
            first, second = (k.primal(x), t) if transposed else (t, k.primal(x))
            product = k.new_like(l)
            k.kernel(ops.MATMUL, (product,), (first, k.transposed(second)))

            def element(b: Builder, i: Var, j: Var) -> None:
                b.store(l_bar, (i, j), b.apply(ops.NEG, b.load(product, (i, j))), ops.SUM)

            k.lower(k.shape(l)[0], element)

    @kernel_tangent(op)
    def tangent(k: Sideways, x: Var, l: Var, b: Var) -> None:  # noqa: E741
        """x_dot = l^-1 (b_dot - l_dot @ x)"""
        b_dot = k.dot(b)
        right = k.new(k.shape(x), x, op=ops.ZEROS if b_dot is None else ops.EMPTY)
        if b_dot is not None:
            k.copy(right, b_dot, k.shape(x))
        if (l_dot := k.dot(l)) is not None:
            lower = k.lower_part(l_dot, k.shape(l)[0])
            k.kernel(ops.SUB_MATMUL, (right,), (k.transposed(lower) if transposed else lower, x))
        k.kernel(op, (k.dot(x),), (l, right))


_solution(ops.SOLVE_LOWER, ops.SOLVE_LOWER_TRANSPOSED, False)
_solution(ops.SOLVE_LOWER_TRANSPOSED, ops.SOLVE_LOWER, True)

# -- Cholesky --------------------------------------------------------------------------------------------------------


def _half(like: Var) -> Const:
    return constant(like.type.dtype.type(0.5), like.type.element)


def _halved(k: Matrices, a: Var, n: Value) -> Var:
    """The lower triangle of a matrix with half of its diagonal, the function Phi of Murray (2016)."""
    new = k.lower_part(a, n)

    def halve(b: Builder, ks: tuple[Var, ...]) -> None:
        at = (ks[0], ks[0])
        b.store(new, at, b.apply(ops.MUL, b.load(new, at), _half(a)))

    k.nest((n,), halve)
    return new


@kernel_adjoint(ops.CHOLESKY)
def cholesky_adjoint(k: Backwards, l: Var, a: Var) -> None:  # noqa: E741
    k.kernel(ops.ADD_CHOLESKY_ADJOINT, (k.bar(a),), (k.primal(l), k.bar(l)))


@kernel_meaning(ops.ADD_CHOLESKY_ADJOINT)
def add_cholesky_adjoint(k: Matrices, a_bar: Var, l: Var, l_bar: Var) -> None:  # noqa: E741
    """With s = l^-T Phi(l.T @ l_bar) l^-1: a_bar += s + s.T below the diagonal, s on it.

    Murray (2016), "Differentiation of the Cholesky decomposition", equation 10.
    """
    n = k.shape(l)[0]
    product, left, s = k.new_like(l), k.new_like(l), k.new_like(l)
    k.kernel(ops.MATMUL, (product,), (k.transposed(l), k.lower_part(l_bar, n)))
    k.kernel(ops.SOLVE_LOWER_TRANSPOSED, (left,), (l, _halved(k, product, n)))
    k.kernel(ops.SOLVE_LOWER_TRANSPOSED, (s,), (l, k.transposed(left)))
    k.add_symmetric(a_bar, s, n)


@kernel_tangent(ops.CHOLESKY)
def cholesky_tangent(k: Sideways, l: Var, a: Var) -> None:  # noqa: E741
    """l_dot = l @ Phi(l^-1 a_dot l^-T), a_dot symmetric by its lower triangle (Murray 2016, equation 8)."""
    n, left, both = k.shape(l)[0], k.new_like(l), k.new_like(l)
    k.kernel(ops.SOLVE_LOWER, (left,), (l, k.symmetric(k.dot(a), n)))
    k.kernel(ops.SOLVE_LOWER, (both,), (l, k.transposed(left)))
    k.kernel(ops.MATMUL, (k.dot(l),), (l, _halved(k, both, n)))
