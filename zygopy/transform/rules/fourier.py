"""The rules of Fourier transforms: linear, and symmetric matrices each."""

from zygopy.transform import ops
from zygopy.transform.ir import Op, Var
from zygopy.transform.kernels import Backwards, Sideways
from zygopy.transform.rules import kernel_adjoint, kernel_tangent


def _transform(op: Op) -> None:
    @kernel_adjoint(op)
    def adjoint(k: Backwards, out: Var, x: Var) -> None:
        """x_bar += the same transform of out_bar"""
        if (x_bar := k.bar(x)) is not None:
            t = k.new_like(x)
            k.kernel(op, (t,), (k.bar(out),))
            k.add(x_bar, t, k.shape(x))

    @kernel_tangent(op)
    def tangent(k: Sideways, out: Var, x: Var) -> None:
        """out_dot = the same transform of x_dot"""
        if (x_dot := k.dot(x)) is not None:
            k.kernel(op, (k.dot(out),), (x_dot,))


_transform(ops.FOURIER)
_transform(ops.FOURIER_BACK)
