"""The rules of kernels of linear algebra.

After Giles (2008), "Collected matrix derivative results for forward and reverse mode algorithmic differentiation".
Each adjoint rule adds to the shadows of what the kernel reads; the shadow of what it fills is cleared behind it. The
rules write kernels and loop nests, which have rules themselves.
"""

from zygopy.transform import ops
from zygopy.transform.ir import Op, Var
from zygopy.transform.kernels import Backwards, Sideways
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
