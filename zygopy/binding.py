"""What a call or an operator is given, in the order of a function's parameters."""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from zygopy.errors import ArgumentError
from zygopy.transform import Program, Task
from zygopy.transform.reading.parse import parameter_names, read

if TYPE_CHECKING:
    from zygopy.derivative import Derivative


def task_of(kind: str, function: Any, argnums: object, has_aux: bool) -> Task:
    """The task for an operator's arguments."""
    return Task(kind, wrt_names(function, argnums), not isinstance(argnums, tuple), has_aux)


def wrt_names(function: Any, argnums: object) -> tuple[str, ...]:
    """The parameters that argnums means."""
    known = parameter_names(function)
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    if not given:
        raise ArgumentError("argnums is empty", help=f"name one of {', '.join(known)}")
    found = []
    for item in given:
        if isinstance(item, str) and item in known:
            found.append(item)
        elif isinstance(item, int | np.integer) and not isinstance(item, bool) and -len(known) <= item < len(known):
            found.append(known[_not_starred(function, known, int(item))])
        else:
            raise ArgumentError(
                f"argnums={item!r} is not a parameter of {function.__name__}",
                help=f"its parameters are {', '.join(known) or 'none'}",
            )
    if len(set(found)) != len(found):
        raise ArgumentError(f"argnums names a parameter of {function.__name__} twice")
    return tuple(found)


def _not_starred(function: Any, known: list[str], position: int) -> int:
    """A position that means one parameter: *args and **kwargs have names only."""
    args = read(function).args
    for star in (args.vararg, args.kwarg):
        if star is not None and known[position] == star.arg:
            raise ArgumentError(
                f"argnums={position} is not a parameter of {function.__name__} by itself",
                help=f"differentiate with respect to all of them: argnums={star.arg!r}",
            )
    return position


STARS = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def bind(function: Callable, args: tuple, kwargs: dict) -> list:
    """A call's arguments in the order of the parameters, defaults filled in."""
    code = function.__code__
    if not kwargs and len(args) == code.co_argcount and not code.co_kwonlyargcount and not code.co_flags & STARS:
        return list(args)
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return [bound.arguments[name] for name in parameter_names(function)]


def all_values(derivative: "Derivative", args: tuple, kwargs: dict) -> list:
    """The values of a call in the order of the parameters, then the tangents or the structure to be filled."""
    if derivative.task.kind != "jvp":
        if kwargs and (out := derivative.out_of(kwargs)) is not None:
            return [*derivative.primals(args, kwargs), out]
        return derivative.primals(args, kwargs) if kwargs else bind(derivative.function, args, kwargs)
    return [*derivative.primals(args, kwargs), *args[len(parameter_names(derivative.function)) :]]


def taken_apart(flatten: Callable, values: list) -> tuple:
    """The leaves of a call's values, of which the primals are known to have the structure."""
    found = flatten(*values)
    if found is None:
        raise ArgumentError("a tangent has another structure than its primal")
    return found


def unchanged(program: Program) -> bool:
    """Whether the captured numbers that a program was built from are still the same."""
    for scope, name, value in program.numbers:
        now = scope.find(name)[1]
        if now is not value and not (type(now) is type(value) and now == value):
            return False
    return True


def with_captured(program: Program, leaves: tuple) -> tuple:
    """The leaves of a call and what the program captures, which stands behind the primals."""
    arrays = captured_arrays(program)
    return (*leaves[: program.primals], *arrays, *leaves[program.primals :])


def captured_arrays(program: Program) -> list[object]:
    """The arrays that a program captures, as they are now."""
    return [scope.find(name)[1] for scope, name in program.captured]
