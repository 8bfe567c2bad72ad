"""Activity: which values and which memory carry a derivative from the inputs to the output.

A value is active if it depends on a differentiated input and the output depends on it, through floating-point data
flow. Arrays count by alias class: one active element makes the class active.
"""

from collections.abc import Iterable

from zygopy.transform import ops, rules
from zygopy.transform.ir import (
    Call,
    For,
    Function,
    If,
    Kernel,
    Let,
    Pop,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    defined,
    walk,
)
from zygopy.transform.memory import AliasClasses, stored_arrays
from zygopy.transform.notes import notes
from zygopy.transform.types import Arena, Array, Scalar, Stack


class Activity:
    """The active nodes of a function: variables, and representatives of alias classes."""

    def __init__(self, function: Function, sources: Iterable[Var], sinks: Iterable[Value]):
        self.aliases = AliasClasses(function.body, tied=False)
        forward: dict[Var, list[Var]] = {}
        backward: dict[Var, list[Var]] = {}
        for statement in walk(function.body):
            for a, b in self._edges(statement):
                forward.setdefault(a, []).append(b)
                backward.setdefault(b, []).append(a)
        self.varied = _reach(forward, [self.node(v) for v in sources])
        useful = _reach(backward, [self.node(v) for v in sinks if isinstance(v, Var)])
        self.nodes = self.varied & useful
        if (taken := notes()) is not None:
            taken.active |= {
                s.loc for s in walk(function.body) if any(map(self.active, (*defined(s), *stored_arrays(s))))
            }

    def node(self, var: Var) -> Var:
        return self.aliases.of(var) if isinstance(var.type, Array) else var

    def active(self, value: Value) -> bool:
        """Whether a value, or the memory an array refers to, is active."""
        return isinstance(value, Var) and self.node(value) in self.nodes

    def _edges(self, s: Statement) -> list[tuple[Var, Var]]:
        match s:
            case Let():
                return [(a, s.var) for a in self._sources(s)] if _is_inexact(s.var) else []
            case Store():
                pairs = [(s.value, self.node(s.array))]
            case Kernel():
                sources = s.args[len(s.outs) :] if isinstance(s.op, ops.Tied) else s.args
                args = [self.node(a) for a in sources if isinstance(a, Var)]
                pairs = [(a, self.node(out)) for a in args for out in s.outs]
            case Call():
                sources = [self.node(a) for a in s.args if isinstance(a, Var)]
                arenas = [a for a in sources if isinstance(a.type, Arena)]
                pairs = [(a, self.node(v)) for a in sources for v in (*s.results, *s.stored, *arenas)]
            case For() | While():
                groups = zip(s.inits, s.body.yields, s.params, s.results, strict=True)
                pairs = [pair for i, y, p, r in groups for pair in ((i, p), (y, p), (p, r), (y, r))]
            case If():
                pairs = [*zip(s.then.yields, s.results, strict=True), *zip(s.orelse.yields, s.results, strict=True)]
            case Push():
                pairs = [(self.node(v), s.stack) for v in s.values if isinstance(v, Var)]
            case Pop():
                pairs = [(s.stack, self.node(v)) for v in s.vars]
            case _:
                return []
        return [(a, b) for a, b in pairs if _carries(a) and _carries(b)]

    def _sources(self, s: Let) -> list[Var]:
        if s.op is ops.LOAD:
            return [self.node(s.args[0])]
        if s.op in rules.CONSTANT:
            return []
        args = s.args[1:] if isinstance(s.op, ops.Guided) else s.args
        return [a for a in args if _is_inexact(a)]


def _is_inexact(value: Value) -> bool:
    return isinstance(value, Var) and isinstance(value.type, Scalar) and value.type.is_inexact


def _carries(value: Value) -> bool:
    """Whether a scalar, stack or class node can carry a derivative; array handles do so by their class alone."""
    if not isinstance(value, Var):
        return False
    if isinstance(value.type, Array | Stack | Arena):
        return value.type.dtype.kind in "fc"
    return value.type.is_inexact


def _reach(edges: dict[Var, list[Var]], starts: Iterable[Var]) -> set[Var]:
    found = set(starts)
    todo = list(found)
    while todo:
        for after in edges.get(todo.pop(), ()):
            if after not in found:
                found.add(after)
                todo.append(after)
    return found
