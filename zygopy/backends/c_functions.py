"""Compiled functions as C functions: for first-class functions of Numba, ctypes, `scipy.LowLevelCallable`."""

from typing import Any

from numba import carray, cfunc, njit, types
from numba.core import sigutils
from numba.core.ccallback import CFunc

from zygopy.errors import ArgumentError, OutputError


def caller(target: Any, parameters: list[str], lines: list[str], arguments: list[str]) -> Any:
    """A plain Python function, ready for Numba, that calls a compiled one."""
    body = "\n    ".join([*lines, f"return target({', '.join(arguments)})"])
    namespace = {"target": target, "carray": carray, "float64": types.float64, "__name__": __name__}
    exec(f"def called({', '.join(parameters)}):\n    {body}\n", namespace)
    return namespace["called"]


def with_c_wrapper(target: Any, count: int) -> Any:
    """A dispatcher that calls another one, of `count` arguments, and that Numba gives C functions too."""
    names = [f"x{k}" for k in range(count)]
    return njit(error_model="numpy")(caller(target, names, [], names))


def c_function(target: Any, names: list[str], needed: int, signature: Any) -> CFunc:
    """A compiled function of the numbers `names`, of which `needed` have no default, as a C function.

    Raises
    ------
    ArgumentError, OutputError
        If the signature gives other arguments, or the function returns more than a number.
    """
    given, result = sigutils.normalize_signature(signature)
    parameters = [f"x{k}" for k in range(len(given))]
    lines: list[str] = []
    arguments: list[str] = []
    kinds: list[Any] = []
    for k, (name, type_) in enumerate(zip(parameters, given, strict=True)):
        following = given[k + 1] if k + 1 < len(given) else None
        if isinstance(type_, types.Integer) and isinstance(following, types.CPointer):
            continue  # how many numbers there are
        if not _is_pointer(type_):
            arguments.append(name)
            kinds.append(type_)
        elif rest := max(len(names) - len(arguments), 0):
            dtype = types.float64 if isinstance(type_, types.RawPointer) else type_.dtype
            of = ", float64" if isinstance(type_, types.RawPointer) else ""
            lines.append(f"p{k} = carray({name}, ({rest},){of})")
            arguments += [f"p{k}[{i}]" for i in range(rest)]
            kinds += [dtype] * rest
    if not needed <= len(arguments) <= len(names):
        raise ArgumentError(
            f"the signature {signature} gives {len(arguments)} arguments, {target.__name__} takes {len(names)}",
            help=f"its parameters are {', '.join(names)}",
        )
    target.compile(tuple(target._compiler.fold_argument_types(tuple(kinds), {})[1]))
    returned = list(target.overloads.values())[-1].signature.return_type
    if not isinstance(returned, types.Number):
        raise OutputError(
            f"{target.__name__} returns {returned}, a C function returns one number",
            help="write a function for numba.cfunc that calls it and stores what it returns through pointers",
        )
    if result is None:
        result = returned
    function = caller(target, parameters, lines, arguments)
    return cfunc(result(*given), error_model="numpy")(function)


def _is_pointer(type_: Any) -> bool:
    return isinstance(type_, types.CPointer | types.RawPointer)
