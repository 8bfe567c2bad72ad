"""The table of what becomes of calls of known functions and methods; the handlers declare themselves."""

from collections.abc import Callable

BUILTINS: dict[Callable, Callable] = {}
METHODS: dict[str, Callable] = {}
OF_OBJECTS: set[Callable] = set()  # functions to which lists are no tuples


def builtin(*functions: Callable, of_objects: bool = False):
    """Declare what a call of a Python or NumPy function becomes: handler(s, *args, **kwargs)."""

    def declare(handler: Callable) -> Callable:
        BUILTINS.update(dict.fromkeys(functions, handler))
        OF_OBJECTS.update(functions if of_objects else ())
        return handler

    return declare


def method(name: str):
    """Declare a method of arrays: handler(s, view, *args, **kwargs)."""

    def declare(handler: Callable) -> Callable:
        METHODS[name] = handler
        return handler

    return declare


def stop_gradient(x):
    """x, as a constant: no gradient flows through it.

    Parameters
    ----------
    x : number, array or tuple of them

    Examples
    --------
    >>> stop_gradient(2.0)
    2.0
    """
    return x
