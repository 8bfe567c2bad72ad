"""How derivative rules are declared, and found again.

An elementwise rule gives the partial derivatives of a scalar function; it serves reverse and forward mode:

    @elementwise(np.arctan2)
    def arctan2(ans, y, x):
        r2 = x * x + y * y
        return x / r2, -y / r2

`constant(np.floor, ...)` declares functions through which no gradient flows. zygopy's own rules are in this package;
users declare theirs, for functions of their own, in the same way.
"""

import sys
from collections.abc import Callable
from importlib import import_module

from zygopy.transform import ops
from zygopy.transform.ir import Op
from zygopy.transform.reading import user_rules

ELEMENTWISE: dict[Op, Callable] = {}
CONSTANT: set[Op] = set()


def _own(function: Callable | Op) -> Op | None:
    """The operation that a rule of zygopy's own is declared for."""
    op = function if isinstance(function, Op) else ops.FUNCTIONS.get(function)
    if op is not None and "zygopy.transform.rules.every" not in sys.modules:
        import_module("zygopy.transform.rules.every")
    return None if op in ELEMENTWISE or op in CONSTANT else op


def elementwise(*functions: Callable | Op) -> Callable[[Callable], Callable]:
    """Declare the partial derivatives of functions of numbers, which also apply to arrays, element by element.

    Parameters
    ----------
    *functions : callable
        Plain Python or `@njit` functions of numbers, or of arrays element by element, with broadcasting.

    Returns
    -------
    callable
        A decorator for rule(ans, *args), where ans is the value and args are the arguments, all of them numbers. It
        returns one partial derivative for each argument; for one argument it may be bare. 0 or None means that no
        gradient flows to that argument.

    Raises
    ------
    ArgumentError
        If a function cannot have a rule, or was compiled before.

    Examples
    --------
    >>> def softplus(x):
    ...     return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0.0)
    >>> @elementwise(softplus)
    ... def softplus_rule(ans, x):
    ...     return 1.0 - np.exp(-ans)
    """

    def declare(rule: Callable) -> Callable:
        for function in functions:
            if (op := _own(function)) is not None:
                ELEMENTWISE[op] = rule
            else:
                user_rules.declare(function, "elementwise", rule, 1)
        return rule

    return declare


def constant(*functions: Callable | Op) -> None:
    """Declare functions through which no gradient flows: their results are constants.

    Parameters
    ----------
    *functions : callable
        Plain Python or `@njit` functions.

    Examples
    --------
    >>> def scale(x):
    ...     return np.max(np.abs(x))
    >>> constant(scale)
    """
    for function in functions:
        if (op := _own(function)) is not None:
            CONSTANT.add(op)
        else:
            user_rules.declare(function, "constant", function)


def adjoint(*functions: Callable) -> Callable[[Callable], Callable]:
    """Declare the adjoint of functions of arrays, numbers and tuples of them, for reverse mode.

    Parameters
    ----------
    *functions : callable
        Plain Python or `@njit` functions that return an array, a number or a tuple of them.

    Returns
    -------
    callable
        A decorator for rule(g, ans, *args), where g is the adjoint of the value ans and has its structure. It returns
        one adjoint for each argument; for one argument it may be bare. None or 0 means that there is none. Where an
        argument was repeated by broadcasting, its adjoint may have the shape of the result: it is summed.

    Raises
    ------
    ArgumentError
        If a function cannot have a rule, or was compiled before.

    Examples
    --------
    >>> def clipped(x):
    ...     return 1.0 * x
    >>> @adjoint(clipped)
    ... def clipped_adjoint(g, ans, x):
    ...     return np.clip(g, -1.0, 1.0)
    """
    return _of_arrays("adjoint", functions)


def tangent(*functions: Callable) -> Callable[[Callable], Callable]:
    """Declare the tangent of functions of arrays, numbers and tuples of them, for forward mode.

    Parameters
    ----------
    *functions : callable
        Plain Python or `@njit` functions that return an array, a number or a tuple of them.

    Returns
    -------
    callable
        A decorator for rule(dots, ans, *args), where dots is a tuple of the tangents of the arguments, zeros for those
        that stand still. It returns the tangent of the value ans, in its structure.

    Raises
    ------
    ArgumentError
        If a function cannot have a rule, or was compiled before.

    Examples
    --------
    >>> def squares(x):
    ...     return x * x
    >>> @tangent(squares)
    ... def squares_tangent(dots, ans, x):
    ...     (x_dot,) = dots
    ...     return 2.0 * x * x_dot
    """
    return _of_arrays("tangent", functions)


def _of_arrays(form: str, functions: tuple[Callable, ...]) -> Callable[[Callable], Callable]:
    def declare(rule: Callable) -> Callable:
        for function in functions:
            user_rules.declare(function, form, rule, 2)
        return rule

    return declare


LINEAR: dict[Op, Callable] = {}


def linear(op: Op) -> Callable[[Callable], Callable]:
    """Declare a function that is linear over the real numbers, and so its own tangent; rule(g) gives its adjoints."""
    return lambda rule: LINEAR.setdefault(op, rule)


KERNEL_ADJOINT: dict[Op, Callable] = {}
KERNEL_TANGENT: dict[Op, Callable] = {}
KERNEL_MEANING: dict[Op, Callable] = {}


def kernel_adjoint(op: Op) -> Callable[[Callable], Callable]:
    """Declare the adjoint of a kernel: rule(k, *outs, *args) writes statements with a `kernels.Backwards`."""
    return lambda rule: KERNEL_ADJOINT.setdefault(op, rule)


def kernel_tangent(op: Op) -> Callable[[Callable], Callable]:
    """Declare the tangent of a kernel: rule(k, *outs, *args) writes statements with a `kernels.Sideways`."""
    return lambda rule: KERNEL_TANGENT.setdefault(op, rule)


def kernel_meaning(op: Op) -> Callable[[Callable], Callable]:
    """Say what a kernel does by kernels that have derivatives: rule(k, *outs, *args) with a `kernels.Matrices`."""
    return lambda rule: KERNEL_MEANING.setdefault(op, rule)


def adjoint_of(op: Op) -> Callable:
    """The rule for the adjoint of a kernel."""
    return op.adjoint if isinstance(op, ops.Tied) else KERNEL_ADJOINT[op]


def tangent_of(op: Op) -> Callable:
    """The rule for the tangent of a kernel."""
    return op.tangent if isinstance(op, ops.Tied) else KERNEL_TANGENT[op]


def partials(op: Op, ans: object, args: tuple) -> tuple:
    """The partial derivatives of an operation at traced values; 0 where no gradient flows."""
    if isinstance(op, ops.Guided):
        return (0, *op.partials(ans, *args[1:]))
    rule = ELEMENTWISE.get(op)
    if rule is None:
        assert op in CONSTANT, f"{op} has no rule"
        return (0,) * len(args)
    found = rule(ans, *args)
    return found if isinstance(found, tuple) else (found,)
