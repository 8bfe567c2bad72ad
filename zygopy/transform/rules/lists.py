"""Lists that become longer: the tangent's list does, too; shadows are of the length that there is in the end."""

from zygopy.transform import ops
from zygopy.transform.ir import Value, Var
from zygopy.transform.kernels import Backwards, Sideways
from zygopy.transform.rules import kernel_adjoint, kernel_tangent


@kernel_adjoint(ops.ROOM)
def room_adjoint(k: Backwards, items: Var, n: Value) -> None:
    """Nothing: no item changes."""


@kernel_tangent(ops.ROOM)
def room_tangent(k: Sideways, items: Var, n: Value) -> None:
    k.kernel(ops.ROOM, (k.dot(items),), (n,))
