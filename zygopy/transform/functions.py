"""Calls of scalar functions: which operation, or which composition of operations, a Python callable becomes."""

import inspect
import operator
from collections.abc import Callable

from zygopy.errors import ArgumentError, DtypeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, Traced, lift
from zygopy.transform.ir import Op, Value
from zygopy.transform.types import Scalar

COMPOSED: dict[Callable, Callable] = {}  # functions written in terms of other ones, on Traced values
OF_COMPLEX: dict[Callable, Callable] = {}  # those that are others where an argument is complex

_OPERATIONS = {**ops.UNARY_OPERATORS, **ops.BINARY_OPERATORS, **ops.COMPARISONS, **ops.FUNCTIONS}

_OF_INTEGERS = {ops.BIT_AND, ops.BIT_OR, ops.BIT_XOR, ops.INVERT, ops.SHIFT_LEFT, ops.SHIFT_RIGHT}
_OF_INTEGERS |= {ops.GCD, ops.LCM, ops.FACTORIAL, ops.COMB, ops.PERM, ops.ISQRT}


def composed(*functions: Callable) -> Callable[[Callable], Callable]:
    """Declare a function by a composition of others, whose rules give its derivative."""

    def declare(body: Callable) -> Callable:
        COMPOSED.update(dict.fromkeys(functions, body))
        return body

    return declare


def of_complex(*functions: Callable) -> Callable[[Callable], Callable]:
    """Declare what functions are of complex numbers, by a composition of others."""

    def declare(body: Callable) -> Callable:
        OF_COMPLEX.update(dict.fromkeys(functions, body))
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
    body = COMPOSED.get(function)
    if any(a.type.is_complex for a in args):
        if getattr(function, "__module__", "") == "math":
            what = f"math.{function.__name__} needs real numbers"
            raise DtypeError(what, builder.loc, help="use cmath's functions, or NumPy's")
        body = OF_COMPLEX.get(function, body)
    if body is not None:
        _check_number(builder, function, body, args)
        result = lift(body(*(Traced(builder, a) for a in args)))
        return builder.cast(result, Scalar(result.type.dtype)) if strong else result
    op = _OPERATIONS.get(function)
    if op is None:
        raise UnsupportedError(f"{function} has no derivative rule", builder.loc)
    return apply_op(builder, op, args, strong)


def apply_op(builder: Builder, op: Op, args: list[Value], strong: bool = False) -> Value:
    """Write one operation after a look at the number and kind of its operands."""
    wanted = op.text.count("{")
    if len(args) != wanted:
        raise ArgumentError(f"{op.name} takes {wanted} number{'s' * (wanted > 1)}, not {len(args)}", builder.loc)
    if op in _OF_INTEGERS and any(a.type.is_inexact for a in args):
        raise DtypeError(f"{op.name} needs integers", builder.loc, help="convert the operands with int()")
    return builder.apply(op, *args, strong=strong)


def _check_number(builder: Builder, function: Callable, body: Callable, args: list[Value]) -> None:
    try:
        inspect.signature(body).bind(*args)
    except TypeError as error:
        raise ArgumentError(f"this call of {function.__name__} is not supported: {error}", builder.loc) from None


@composed(operator.pos)
def pos(x):
    return x
