"""How derivative rules are declared, and found again.

An elementwise rule gives the partial derivatives of a scalar function; it serves reverse and forward mode:

    @elementwise(np.arctan2)
    def arctan2(ans, y, x):
        r2 = x * x + y * y
        return x / r2, -y / r2

`constant(np.floor, ...)` declares functions through which no gradient flows. The rules themselves are in rules_*.py.
"""

from collections.abc import Callable

from zygopy.transform import ops
from zygopy.transform.ir import Op

ELEMENTWISE: dict[Op, Callable] = {}
CONSTANT: set[Op] = set()


def _op(function: Callable | Op) -> Op:
    if isinstance(function, Op):
        return function
    return ops.FUNCTIONS[function]


def elementwise(*functions: Callable | Op) -> Callable[[Callable], Callable]:
    """Declare the partial derivatives of scalar functions: rule(ans, *args) returns one partial for each argument.

    A partial that is the number 0 means that no gradient flows to that argument. The rule runs once at compile time, on
    traced values; it may use operators, NumPy ufuncs and `where`.
    """

    def declare(rule: Callable) -> Callable:
        for function in functions:
            ELEMENTWISE[_op(function)] = rule
        return rule

    return declare


def constant(*functions: Callable | Op) -> None:
    """Declare functions with no gradient: integers, booleans and steps."""
    CONSTANT.update(_op(f) for f in functions)


LINEAR: dict[Op, Callable] = {}


def linear(op: Op) -> Callable[[Callable], Callable]:
    """Declare a function that is linear over the real numbers, and so its own tangent; rule(g) gives its adjoints."""
    return lambda rule: LINEAR.setdefault(op, rule)


KERNEL_ADJOINT: dict[Op, Callable] = {}
KERNEL_TANGENT: dict[Op, Callable] = {}


def kernel_adjoint(op: Op) -> Callable[[Callable], Callable]:
    """Declare the adjoint of a kernel: rule(k, *outs, *args) writes statements with a `kernels.Backwards`."""
    return lambda rule: KERNEL_ADJOINT.setdefault(op, rule)


def kernel_tangent(op: Op) -> Callable[[Callable], Callable]:
    """Declare the tangent of a kernel: rule(k, *outs, *args) writes statements with a `kernels.Sideways`."""
    return lambda rule: KERNEL_TANGENT.setdefault(op, rule)


def partials(op: Op, ans: object, args: tuple) -> tuple:
    """The partial derivatives of an operation at traced values; 0 where no gradient flows."""
    rule = ELEMENTWISE.get(op)
    if rule is None:
        return (0,) * len(args)
    found = rule(ans, *args)
    return found if isinstance(found, tuple) else (found,)
