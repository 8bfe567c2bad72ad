"""Calls of scalar functions: which operation, or which composition of operations, a Python callable becomes."""

import operator
from collections.abc import Callable

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, Traced, lift
from zygopy.transform.ir import Value

COMPOSED: dict[Callable, Callable] = {}  # functions written in terms of other ones, on Traced values

_OPERATIONS = {**ops.UNARY_OPERATORS, **ops.BINARY_OPERATORS, **ops.COMPARISONS, **ops.FUNCTIONS}


def composed(*functions: Callable) -> Callable[[Callable], Callable]:
    """Declare a function by a composition of others, whose rules give its derivative."""

    def declare(body: Callable) -> Callable:
        COMPOSED.update(dict.fromkeys(functions, body))
        return body

    return declare


def is_scalar_function(function: object) -> bool:
    """Whether a callable is a known function of numbers."""
    try:
        return function in _OPERATIONS or function in COMPOSED
    except TypeError:  # unhashable
        return False


def apply_function(builder: Builder, function: Callable, args: list[Value], strong: bool) -> Value:
    """Write a scalar function's operations; `strong` results are NumPy's, not Python's."""
    if (body := COMPOSED.get(function)) is not None:
        result = lift(body(*(Traced(builder, a) for a in args)))
        return builder.cast(result, type(result.type)(result.type.dtype, weak=False)) if strong else result
    op = _OPERATIONS.get(function)
    if op is None:
        raise UnsupportedError(f"{function} has no derivative rule", builder.loc)
    return builder.apply(op, *args, strong=strong)


@composed(operator.pos)
def pos(x):
    return x
