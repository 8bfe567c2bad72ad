"""The rules of kernels of linear algebra.

After Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".
Each adjoint rule adds to the shadows of what the kernel reads; the shadow of what it fills is cleared behind it. The
rules write kernels and loop nests, which have rules themselves.
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.ir import Op, Value, Var
from zygopy.transform.kernels import Backwards, Matrices, Sideways, one
from zygopy.transform.rules import kernel_adjoint, kernel_tangent

# -- products --------------------------------------------------------------------------------------------------------


def _product(op: Op, add: Op) -> None:
    """The rules of c = a @ b, c += a @ b and c -= a @ b; `add` gives the sign with which the product enters c."""

    @kernel_adjoint(op)
    def adjoint(k: Backwards, c: Var, a: Var, b: Var) -> None:
        """a_bar += c_bar @ b.T; b_bar += a.T @ c_bar (section 2.2.2)"""
        if (a_bar := k.bar(a)) is not None:
            k.kernel(add, (a_bar,), (k.bar(c), k.transposed(k.primal(b))))
        if (b_bar := k.bar(b)) is not None:
            k.kernel(add, (b_bar,), (k.transposed(k.primal(a)), k.bar(c)))

    @kernel_tangent(op)
    def tangent(k: Sideways, c: Var, a: Var, b: Var) -> None:
        """c_dot = a_dot @ b + a @ b_dot"""
        first = op
        if (a_dot := k.dot(a)) is not None:
            k.kernel(first, (k.dot(c),), (a_dot, b))
            first = add
        if (b_dot := k.dot(b)) is not None:
            k.kernel(first, (k.dot(c),), (a, b_dot))


_product(ops.MATMUL, ops.ADD_MATMUL)
_product(ops.ADD_MATMUL, ops.ADD_MATMUL)
_product(ops.SUB_MATMUL, ops.SUB_MATMUL)

# -- linear systems --------------------------------------------------------------------------------------------------


@kernel_adjoint(ops.FACTOR)
def factor_adjoint(k: Backwards, lu: Var, pivots: Var, a: Var) -> None:
    """a_bar += lu_bar: lu stands for the matrix a."""
    if (a_bar := k.bar(a)) is not None:
        k.add(a_bar, k.bar(lu), k.shape(a))


@kernel_tangent(ops.FACTOR)
def factor_tangent(k: Sideways, lu: Var, pivots: Var, a: Var) -> None:
    """lu_dot = a_dot"""
    if (a_dot := k.dot(a)) is not None:
        k.copy(k.dot(lu), a_dot, k.shape(a))


def _solution(op: Op, other: Op, transposed: bool) -> None:
    """The rules of x = a^-1 b and of x = a^-T b, which are each other's adjoint (section 2.3.1)."""

    @kernel_adjoint(op)
    def adjoint(k: Backwards, x: Var, lu: Var, pivots: Var, b: Var) -> None:
        """t = a^-T x_bar; b_bar += t; a_bar -= t @ x.T, of the transposed system a_bar -= x @ t.T"""
        t = k.new_like(x)
        k.kernel(other, (t,), (k.primal(lu), k.primal(pivots), k.bar(x)))
        if (b_bar := k.bar(b)) is not None:
            k.add(b_bar, t, k.shape(b))
        if (a_bar := k.bar(lu)) is not None:
            first, second = (k.primal(x), t) if transposed else (t, k.primal(x))
            k.kernel(ops.SUB_MATMUL, (a_bar,), (first, k.transposed(second)))

    @kernel_tangent(op)
    def tangent(k: Sideways, x: Var, lu: Var, pivots: Var, b: Var) -> None:
        """x_dot = a^-1 (b_dot - a_dot @ x)"""
        right = _right_side(k, x, b)
        if (a_dot := k.dot(lu)) is not None:
            k.kernel(ops.SUB_MATMUL, (right,), (k.transposed(a_dot) if transposed else a_dot, x))
        k.kernel(op, (k.dot(x),), (lu, pivots, right))


def _right_side(k: Sideways, x: Var, b: Var) -> Var:
    """A new array with the tangent of b."""
    b_dot = k.dot(b)
    right = k.new(k.shape(x), x, op=ops.ZEROS if b_dot is None else ops.EMPTY)
    if b_dot is not None:
        k.copy(right, b_dot, k.shape(x))
    return right


_solution(ops.SOLVE, ops.SOLVE_TRANSPOSED, False)
_solution(ops.SOLVE_TRANSPOSED, ops.SOLVE, True)

# -- determinants ----------------------------------------------------------------------------------------------------

_FIRST = (integer(0),)


def _inverse_transposed(k: Matrices, lu: Var, factors: tuple[Var, Var]) -> Var:
    n, _ = k.shape(lu)
    inverse = k.new_like(lu)
    k.kernel(ops.SOLVE_TRANSPOSED, (inverse,), (*factors, k.identity(n, lu)))
    return inverse


def _add_scaled_inverse(k: Backwards, lu: Var, pivots: Var, scale: Value) -> None:
    """a_bar += scale * a^-T"""
    inverse = _inverse_transposed(k, lu, (k.primal(lu), k.primal(pivots)))
    a_bar = k.bar(lu)

    def element(b: Builder, ks: tuple[Var, ...]) -> None:
        b.store(a_bar, ks, b.apply(ops.MUL, scale, b.load(inverse, ks)), ops.SUM)

    k.nest(k.shape(lu), element)


def _add_trace(k: Sideways, target: Var, lu: Var, pivots: Var, scale: Value) -> None:
    """target[0] = scale * trace(a^-1 a_dot)"""
    inverse, a_dot = _inverse_transposed(k, lu, (lu, pivots)), k.dot(lu)
    k.b.store(target, _FIRST, zero(target.type.element))

    def element(b: Builder, ks: tuple[Var, ...]) -> None:
        term = b.apply(ops.MUL, b.load(inverse, ks), b.load(a_dot, ks))
        b.store(target, _FIRST, b.apply(ops.MUL, scale, term), ops.SUM)

    k.nest(k.shape(lu), element)


@kernel_adjoint(ops.DETERMINANT)
def determinant_adjoint(k: Backwards, d: Var, lu: Var, pivots: Var) -> None:
    """a_bar += d_bar * d * a^-T (section 2.2.4); nan where a is singular."""
    scale = k.b.apply(ops.MUL, k.b.load(k.bar(d), _FIRST), k.b.load(k.primal(d), _FIRST))
    _add_scaled_inverse(k, lu, pivots, scale)


@kernel_tangent(ops.DETERMINANT)
def determinant_tangent(k: Sideways, d: Var, lu: Var, pivots: Var) -> None:
    """d_dot = d * trace(a^-1 a_dot)"""
    _add_trace(k, k.dot(d), lu, pivots, k.b.load(d, _FIRST))


@kernel_adjoint(ops.LOG_DETERMINANT)
def log_determinant_adjoint(k: Backwards, sign: Var, log: Var, lu: Var, pivots: Var) -> None:
    """a_bar += log_bar * a^-T"""
    if (log_bar := k.bar(log)) is not None:
        _add_scaled_inverse(k, lu, pivots, k.b.load(log_bar, _FIRST))


@kernel_tangent(ops.LOG_DETERMINANT)
def log_determinant_tangent(k: Sideways, sign: Var, log: Var, lu: Var, pivots: Var) -> None:
    """log_dot = trace(a^-1 a_dot)"""
    if (log_dot := k.dot(log)) is not None:
        _add_trace(k, log_dot, lu, pivots, one(lu))
