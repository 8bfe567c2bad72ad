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
from zygopy.transform.reading import outside
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.lifted import Lifted, Moving, signature_of
from zygopy.transform.reading.parse import parameter_names, with_parameters
from zygopy.transform.reading.values import Attributes, Object, Partial, Static, View, is_number
from zygopy.transform.records import record_of


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
        return _recomputed(s, outside.value_of(s, self.function, (Attributes(self), "function")), args, kwargs)


class _Inner:
    """What `checkpoint` makes of a function that only the program knows, the first of its arguments."""

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        return _recomputed(s, args[0], args[1:], kwargs)


def checkpoint(f: Callable) -> Callable:
    """A function of which the reverse part keeps what it is given and captures, and computes the rest again.

    Parameters
    ----------
    f : callable
        A function of numbers, arrays, structures of them and functions, that returns numbers, arrays and tuples. It
        may not store into its arguments.

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
    if not (hasattr(function, "__code__") or (callable(f) and record_of(f) is not None)):
        raise ArgumentError(f"cannot checkpoint {f!r}", None, "it is not a Python function", "wrap it in a function")
    return Checkpoint(function)


@builtin(checkpoint)
def _checkpoint(s, f):
    if isinstance(f, Static) and hasattr(getattr(f.value, "py_func", f.value), "__code__"):
        return Static(checkpoint(f.value))
    return Partial(Static(_Inner()), (f,), {})


def _recomputed(s: Any, callee: object, args: list, kwargs: dict) -> object:
    """The value of a call that is tied to what it reads."""
    from zygopy.transform.reading import ruled_calls
    from zygopy.transform.reading.ruled_kernels import Call
    from zygopy.transform.reading.user_rules import Rules

    thunk = _Thunk(s, callee, args, kwargs)
    start, captured = len(s.b.statements), dict[tuple, View]()
    s.noting.append(captured)
    try:
        value = ruled_calls.value_of(s, thunk, thunk.given, lambda: thunk.call(s, thunk.given), "is checkpointed")
    finally:
        s.noting.pop()
    if any(isinstance(leaf, Object) for leaf in _leaves(value)):
        raise UnsupportedError(
            f"{thunk.__name__} is checkpointed and returns a list, dataclass or dict, which is not supported",
            s.loc,
            help="return a tuple or NamedTuple",
        )
    given = [*thunk.given, *captured.values()]
    if not given:
        return value
    pull, push = _Pullback(thunk, captured), _Tangent(thunk, captured)

    def adjoint(g, ans, *args):
        return pull(g, *args)

    def tangent(dots, ans, *args):
        return push(dots, *args)

    _set_apart(s, start, thunk.given)
    return Call(s, Rules(thunk, adjoint=adjoint, tangent=tangent), given, value).tied()


class _Thunk(Lifted):
    """A call, as a function of the numbers and arrays that its arguments and its function hold: `given` to it now."""

    def __init__(self, s: Any, callee: object, args: list, kwargs: dict):
        from zygopy.transform.reading.specialise import Specialiser

        self.given: list = []
        names: list[str] = []

        def leaf(name: str, value: object) -> object:
            self.given.append(value)
            names.append(f"{name}_{len(names)}")
            return value

        self.s = Specialiser()  # holds what objects among the arguments hold by now
        parsed, _ = signature_of(s, callee)
        self.callee = Moving(s, self.s, leaf).value(Partial(callee, tuple(args), kwargs), parsed.name)
        self.__name__, self.defaults, self.captured = parsed.name, {}, []
        self.parsed = with_parameters(parsed, names)

    def call(self, s: Any, given: list) -> object:
        """The value of the call, with other numbers and arrays, in any program."""
        from zygopy.transform.reading import calls

        known = dict(zip(self.given, given, strict=True))
        moving = Moving(self.s, s, lambda name, value: known[value])
        return calls.call(s, moving.value(self.callee, self.__name__), [], {})

    def enter(self, s: Any) -> object:
        """The function in a program of its own."""
        return Static(self)

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        return self.call(s, args)


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
    """What the adjoint of a call is, inside a rule: the program of its adjoints, in place."""

    def __init__(self, thunk: _Thunk, captured: dict[tuple, View]):
        self.thunk, self.captured = thunk, captured

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        from zygopy.transform import Task

        g, *given = args
        given = [_apart(s, x) for x in given]
        seeds = [leaf for leaf in _leaves(g) if is_number(leaf) or isinstance(leaf, View)]
        start, task = len(s.b.statements), Task("pullback", tuple(parameter_names(self.thunk)), single=False)
        found = _inside(s, self.thunk, task, given, self.captured, tuple(seeds))
        s.b.statements[start:] = map(_unmerged, s.b.statements[start:])
        return (*found, *(Static(None) for _ in self.captured))


class _Tangent:
    """What the tangent of a call is, inside a rule."""

    def __init__(self, thunk: _Thunk, captured: dict[tuple, View]):
        self.thunk, self.captured = thunk, captured

    def __zygopy_call__(self, s: Any, args: list, kwargs: dict) -> object:
        from zygopy.transform import Task

        dots, *given = args
        names = parameter_names(self.thunk)
        moving = [k for k in range(len(names)) if not isinstance(dots[k], Static)]
        task = Task("jvp", tuple(names[k] for k in moving), tangent_only=True)
        return _inside(s, self.thunk, task, given, self.captured, tuple(dots[k] for k in moving))


def _inside(s: Any, thunk: _Thunk, task: Any, given: list, captured: dict[tuple, View], moves: tuple) -> object:
    """The value of an operator applied to a call inside a rule; the last of what is given are the captured arrays."""
    from zygopy.transform.reading.nested import call_program

    count = len(thunk.given)
    arrays = {key: x.base for key, x in zip(captured, given[count:], strict=True)}
    s.captured_arrays.update(arrays)
    found = call_program(s, Static(thunk), task, given[:count], {}, moves)
    for key in arrays:
        del s.captured_arrays[key]
    return found


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
