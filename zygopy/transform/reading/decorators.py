"""Decorators of inner functions: each is called with what it decorates, as Python does."""

import ast
import functools

from zygopy.errors import UnsupportedError
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Static, describe


def decorated(s, function: object, decorators: list[ast.expr]) -> object:
    """What the name of an inner function stands for."""
    from zygopy.transform.reading import calls, expressions

    found = [Static(_same) if _is_of_numba(s, d) else expressions.evaluate(s, d) for d in decorators]
    for decorator, node in reversed(list(zip(found, decorators, strict=True))):
        s.at(node)
        function = calls.call(s, decorator, [function], {})
        if function is None or (isinstance(function, Static) and not callable(function.value)):
            what = f"{describe(decorator)} as a decorator is not supported"
            raise UnsupportedError(what, s.loc, help="decorate with what returns a function")

    return function


def _is_of_numba(s, decorator: ast.expr) -> bool:
    """Whether a decorator has Numba compile the function, which changes nothing of what it computes."""
    from zygopy.transform.reading import expressions

    if isinstance(decorator, ast.Call):
        return _is_of_numba(s, decorator.func)
    if not isinstance(decorator, ast.Name | ast.Attribute):
        return False
    value = expressions.evaluate(s, decorator)
    of_numba = isinstance(value, Static) and (getattr(value.value, "__module__", "") or "").split(".")[0] == "numba"
    return of_numba and getattr(value.value, "__name__", "") in ("jit", "njit")


def _same(function):
    return function


@builtin(_same)
def _same_(s, function):
    return function


@builtin(functools.wraps)
def _wraps(s, wrapped, assigned=None, updated=None):
    return Static(_same)


@builtin(functools.lru_cache)
def _lru_cache(s, maxsize=None, typed=None):
    raise UnsupportedError(
        "a function that remembers its values is not supported inside a function",
        s.loc,
        "what functools.lru_cache and functools.cache remember of a call are Python objects",
        "leave the decorator out, or call the function once and keep its value",
    )


@builtin(functools.cache)
def _cache(s, function):
    return _lru_cache(s)
