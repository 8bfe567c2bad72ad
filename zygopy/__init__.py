"""zygopy: gradients of ordinary numerical Python, at native speed."""

from zygopy import cuda
from zygopy.api import (
    custom_vjp,
    explain,
    grad,
    hessian,
    hook,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jit,
    jvp,
    linearize,
    pullback,
    stop_gradient,
    value_and_grad,
    vjp,
    vmap,
)
from zygopy.backends.allocation import release_memory
from zygopy.check import check_grads
from zygopy.devices import to_device, to_host
from zygopy.errors import (
    ArgumentError,
    DtypeError,
    GradientCheckError,
    NonFiniteError,
    OutOfBoundsError,
    OutputError,
    OverlapError,
    ShapeError,
    SourceError,
    TypeJoinError,
    UnboundError,
    UnsupportedError,
    ZygopyError,
)
from zygopy.transform.reading.checkpointed import checkpointed
from zygopy.transform.reading.recomputed import checkpoint
from zygopy.transform.rules import adjoint, constant, elementwise, tangent
from zygopy.tree import leaves, map_leaves, named_leaves, state_leaves, with_leaves

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "DtypeError",
    "GradientCheckError",
    "NonFiniteError",
    "OutOfBoundsError",
    "OutputError",
    "OverlapError",
    "ShapeError",
    "SourceError",
    "TypeJoinError",
    "UnboundError",
    "UnsupportedError",
    "ZygopyError",
    "adjoint",
    "check_grads",
    "checkpoint",
    "checkpointed",
    "constant",
    "cuda",
    "custom_vjp",
    "elementwise",
    "explain",
    "grad",
    "hessian",
    "hook",
    "hvp",
    "jacfwd",
    "jacobian",
    "jacrev",
    "jit",
    "jvp",
    "leaves",
    "linearize",
    "map_leaves",
    "named_leaves",
    "pullback",
    "release_memory",
    "state_leaves",
    "stop_gradient",
    "tangent",
    "to_device",
    "to_host",
    "value_and_grad",
    "vjp",
    "vmap",
    "with_leaves",
]
