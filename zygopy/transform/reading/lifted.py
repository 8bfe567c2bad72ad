"""Functions that are known inside a program only, as functions of their own: what they capture becomes parameters.

    def outer(x):                                  def shifted(y, x):
        def shifted(y):                  ->            return y * x
            return y * x
        return zygopy.grad(shifted)(1.0)

An operator compiles them so; where it is called, their parameters get what the names stand for there.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from zygopy.errors import UnsupportedError
from zygopy.transform.ir import Const, Param, Var
from zygopy.transform.reading import arrays, lists
from zygopy.transform.reading.parse import Parsed, names_in, read
from zygopy.transform.reading.values import (
    Applied,
    Closure,
    Conflict,
    Frame,
    JoinedItems,
    LinearAt,
    Mapped,
    Method,
    Object,
    Partial,
    Static,
    Unbound,
    View,
    describe,
)
from zygopy.transform.records import Record, rebuilt


class Lifted:
    """A value that can be called, as a function for the pipeline; `captured` are its hidden parameters' values."""

    def __init__(self, s, callee: object):
        self.s, self.callee = s, callee
        self.parsed, self.defaults = signature_of(s, callee)
        self.__name__ = self.parsed.name
        self.captured: list[tuple[Param, str, object]] = []

    def enter(self, s) -> object:
        """The same function in a program of its own."""
        from zygopy.transform.reading.nested import type_of
        from zygopy.transform.reading.signature import argument

        self.captured = []  # a program may be read more than once

        def leaf(name: str, value: object) -> object:
            at = f"{name}, captured{'' if not self.captured else f' ({len(self.captured)})'}"
            tree, inside = argument(s, name, type_of(self.s, value), at)
            self.captured.append((Param(name, tree), at, value))
            return inside

        return Moving(self.s, s, leaf).value(self.callee, self.parsed.name)


def snapshot(s, value: object) -> object:
    """A value, a function with what it captures among them, that later stores do not change."""

    def leaf(name: str, value: object) -> object:
        return arrays.copy(s, value, value.base.name) if isinstance(value, View) else value

    return Moving(s, s, leaf).value(value, "")


def signature_of(s, callee: object) -> tuple[Parsed, dict]:
    """The parameters of a value that can be called, and the values of those that have defaults."""
    from zygopy.transform.reading import objects

    match callee:
        case Closure():
            return callee.parsed, callee.defaults
        case Applied() | Mapped():
            return signature_of(s, callee.callee)
        case Partial():
            parsed, defaults = signature_of(s, callee.function)
            return _without(parsed, len(callee.args), callee.kwargs), defaults
        case Static():
            function = getattr(callee.value, "py_func", callee.value)
            if hasattr(function, "__code__"):
                return read(function), s.defaults_of(function)
        case Object() | Record():
            if (found := objects.method_of(s, callee, "__call__")) is not None:
                return signature_of(s, found)
    raise UnsupportedError(
        f"an operator on {describe(callee)} is not supported", s.loc, help="wrap it in a function: lambda x: ..."
    )


def _without(parsed: Parsed, positional: int, keywords: Iterable[str]) -> Parsed:
    """A function's parameters without the first ones and some by name; what stands behind those is given by name."""
    args = copy.copy(parsed.args)
    rest = [*args.posonlyargs, *args.args][positional:]
    split = next((k for k, a in enumerate(rest) if a.arg in keywords), len(rest))
    args.posonlyargs, args.args = [], rest[:split]
    args.kwonlyargs = [a for a in (*rest[split:], *args.kwonlyargs) if a.arg not in keywords]
    return dataclasses.replace(parsed, args=args)


class Moving:
    """Brings values from one interpreter to another; `leaf(name, value)` does so for a number or an array."""

    def __init__(self, source, target, leaf: Callable[[str, object], object]):
        self.source, self.target, self.leaf = source, target, leaf
        self.known: dict[object, object] = {}
        self.frames: dict[int, Frame] = {}

    def value(self, value: Any, name: str) -> Any:
        """The value in the other interpreter; `name` is a hint."""
        match value:
            case Static() | Const() | Unbound() | Conflict():
                return value
            case Var() | View():
                if value not in self.known:
                    self.known[value] = self.leaf(name, value)
                return self.known[value]
            case JoinedItems():
                raise UnsupportedError(f"{name}, joined items, is not supported here", self.source.loc)
            case Closure():
                return self.known[value] if value in self.known else self.closure(value)
            case Object():
                if lists.of(self.source, value) is not None:
                    raise UnsupportedError(
                        f"{name}, {lists.WHAT}, is not supported here",
                        self.source.loc,
                        "a function that an operator differentiates captures it",
                        "make an array of it: np.array(...)",
                    )
                if value not in self.known:
                    self.known[value] = self.target.made(self.items(self.source.content(value), name), _CAPTURED)
                return self.known[value]
            case tuple():
                return self.items(value, name)
            case Partial():
                named = {k: self.value(v, k) for k, v in value.kwargs.items()}
                return Partial(self.value(value.function, name), self.items(value.args, name), named)
            case Method():
                return Method(self.value(value.owner, name), value.name)
            case Applied() | LinearAt() | Mapped():
                changes = {"primals": self.items(value.primals, name)} if isinstance(value, LinearAt) else {}
                return dataclasses.replace(value, callee=self.value(value.callee, name), **changes)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = dataclasses.fields(value)
            return dataclasses.replace(value, **{f.name: self.value(getattr(value, f.name), name) for f in fields})
        return value

    def items(self, value: tuple, name: str) -> tuple:
        return rebuilt(value, [self.value(item, f"{name}_{k}") for k, item in enumerate(value)])

    def closure(self, closure: Closure) -> Closure:
        made = self.known[closure] = Closure(closure.parsed, self.frame(closure.frame), {})
        made.defaults.update({name: self.value(value, name) for name, value in closure.defaults.items()})
        names = names_in(closure.parsed)
        frame: Frame | None = closure.frame
        while frame is not None:
            new = self.frame(frame)
            for name in names:
                if name in frame.names and name not in new.names:
                    new.names[name] = self.value(frame.names[name], name)
            frame = frame.outer
        return made

    def frame(self, old: Frame) -> Frame:
        """What stands for an activation of a function: the names that are asked for."""
        if id(old) not in self.frames:
            new = self.frames[id(old)] = Frame(old.parsed, None, old.scope)
            new.outer = self.frame(old.outer) if old.outer is not None else None
        return self.frames[id(old)]


_CAPTURED = "a function that an operator differentiates captures it"
