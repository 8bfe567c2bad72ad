"""Checkpointed calls: the reverse part keeps their arguments, and computes what is in them again.

y = checkpoint(f)(x)        y0 = ...    f's body, in place
                            y = y0      tied to x, as the call of a function that has rules

The adjoint is the pullback of f at its arguments, the tangent f's own: both are followed where something is
differentiated, so derivatives of derivatives need nothing more.
"""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

from zygopy.errors import ArgumentError, UnsupportedError
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Object, Static, View, is_number


class Checkpoint:
    """A function whose calls are computed again in the reverse part; plain Python calls the function."""

    task, backend = "checkpoint", ""  # what tells it from the function where code on disk is looked for

    def __init__(self, function: Callable):
        self.function = function
        update_wrapper(self, function)

    def __call__(self, *args, **kwargs):
        """Call the function."""
        return self.function(*args, **kwargs)

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        """The value of a call inside a function that is being differentiated."""
        from zygopy.transform.reading import ruled_calls
        from zygopy.transform.reading.ruled_kernels import Call
        from zygopy.transform.reading.user_rules import Rules

        function = self.function
        opened = [s.opened(a) for a in args], {k: s.opened(v) for k, v in kwargs.items()}
        given = ruled_calls.arguments(s, function, *opened)
        if any(isinstance(leaf, Object) for leaf in _leaves(tuple(given))):
            raise UnsupportedError(
                f"{function.__name__} is checkpointed and takes a dataclass or dict, which is not supported",
                s.loc,
                help="pass its numbers and arrays, as a tuple or NamedTuple",
            )
        pull, push = _Pullback(function), _Tangent(function)

        def adjoint(g, ans, *args):
            return pull(g, *args)

        def tangent(dots, ans, *args):
            return push(dots, *args)

        rules = Rules(function, adjoint=adjoint, tangent=tangent)
        start = len(s.b.statements)
        value = ruled_calls.value_of(s, function, given, *opened, what="is checkpointed")
        if any(isinstance(leaf, Object) for leaf in _leaves(value)):
            raise UnsupportedError(
                f"{function.__name__} is checkpointed and returns a list, dataclass or dict, which is not supported",
                s.loc,
                help="return a tuple or NamedTuple",
            )
        _set_apart(s, start, given)
        return Call(s, rules, given, value).tied()


def checkpoint(f: Callable) -> Callable:
    """A function of which the reverse part keeps the arguments only, and computes the rest again.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays, tuples of them and known functions, that returns such. It may not store into its
        arguments or capture arrays.

    Returns
    -------
    callable
        Calls `f`. Inside a differentiated function, the values between arguments and results of a call are not kept.

    Examples
    --------
    >>> @checkpoint
    ... def layer(w, x):
    ...     return np.tanh(w @ x)
    >>> layer(np.eye(2), np.zeros(2))
    array([0., 0.])
    """
    function = getattr(f, "py_func", f)
    if not hasattr(function, "__code__"):
        raise ArgumentError(f"cannot checkpoint {f!r}", None, "it is not a Python function", "wrap it in a function")
    return Checkpoint(function)


@builtin(checkpoint)
def _checkpoint(s, f):
    if not (isinstance(f, Static) and callable(f.value)):
        raise UnsupportedError(
            "checkpoint of an inner function is not supported",
            s.loc,
            "its arguments are what is kept, and what it captures is none of them",
            "define the function outside, pass what it captures",
        )
    return Static(checkpoint(f.value))


def _set_apart(s: Any, start: int, given: list) -> None:
    """Have what a call has computed, the statements from `start` on, rebind copies of its arguments.

    Variables that loops and branches rebind are one class of memory with what they stand for; a class of memory with an
    argument in it would carry the derivatives of the argument.
    """
    from zygopy.transform.ir import Block, For, Substitution, While, blocks, walk
    from zygopy.transform.reading import arrays
    from zygopy.transform.reading.ruled_calls import views_of

    body = Block(tuple(s.b.statements[start:]))
    handed = {v for t in walk(body) for inner in blocks(t) for v in inner.yields}
    handed |= {v for t in walk(body) if isinstance(t, For | While) for v in t.inits}
    bases = dict.fromkeys(view.base for view in views_of(tuple(given)) if view.base in handed)
    copies = {base: arrays.copy(s, arrays.whole(s, base)).base for base in bases}
    made = s.b.statements[start + len(body.statements) :]
    s.b.statements[start:] = [*made, *Substitution(copies).block(body).statements]


class _Pullback:
    """What the adjoint of a call of a function is, inside a rule: the program of its adjoints, in place."""

    def __init__(self, function: Callable):
        self.function = function

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        from zygopy.transform import Task

        g, *given = args
        given = [_apart(s, x) for x in given]
        seeds = [leaf for leaf in _leaves(g) if is_number(leaf) or isinstance(leaf, View)]
        start, task = len(s.b.statements), Task("pullback", _names(self.function), single=False)
        found = _inside(s, self.function, task, [*given, *seeds])
        s.b.statements[start:] = map(_unmerged, s.b.statements[start:])
        return found


class _Tangent:
    """What the tangent of a call of a function is, inside a rule."""

    def __init__(self, function: Callable):
        self.function = function

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        from zygopy.transform import Task

        dots, *given = args
        names = _names(self.function)
        moving = [k for k, x in enumerate(given) if not isinstance(x, Static)]
        task = Task("jvp", tuple(names[k] for k in moving), tangent_only=True)
        return _inside(s, self.function, task, [*given, *(_moved(given[k], dots[k]) for k in moving)])


def _inside(s: Any, function: Callable, task: Any, args: list) -> object:
    from zygopy.transform.reading.nested import call_program

    count = len(_names(function))
    found = call_program(s, Static(function), task, args[:count], {}, tuple(args[count:]))
    if s.captured_arrays:
        from zygopy.transform.reading.parse import read

        names = ", ".join(name for _, name in s.captured_arrays)
        raise UnsupportedError(
            f"{function.__name__} is checkpointed and captures the array {names}, which is not supported",
            read(function).loc,
            "its arguments are what is kept",
            "make the array an argument of the function",
        )
    return found


def _names(function: Callable) -> tuple[str, ...]:
    from zygopy.transform.reading.parse import parameter_names

    return tuple(parameter_names(function))


def _moved(x: object, dot: object) -> object:
    """The tangent of a value; what cannot move stands for itself."""
    if isinstance(x, tuple):
        return tuple(map(_moved, x, dot)) if isinstance(dot, tuple) else x
    return x if isinstance(dot, Static) else dot


def _unmerged(t: Any) -> Any:
    """A statement that `fuse` leaves where it is, lest it be computed together with the first time, and kept."""
    from zygopy.transform.ir import For, replace

    return replace(t, parallel=False) if isinstance(t, For) else t


def _apart(s: Any, x: object) -> object:
    """A value whose numbers share nothing that is computed of them, so that it is not kept for the reverse part."""
    from zygopy.transform import ops
    from zygopy.transform.ir import Var
    from zygopy.transform.records import rebuilt

    if isinstance(x, tuple):
        return rebuilt(x, [_apart(s, item) for item in x])
    is_inexact = isinstance(x, Var) and is_number(x) and x.type.is_inexact
    return s.b.let(ops.AGAIN, (x,), x.type, x.name) if is_inexact else x


def _leaves(tree: object) -> list:
    return [leaf for item in tree for leaf in _leaves(item)] if isinstance(tree, tuple) else [tree]
