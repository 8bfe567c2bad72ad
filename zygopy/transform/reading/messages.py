"""Messages of raise and assert: their text, and the parts that only run time knows."""

import ast

import numpy as np

from zygopy.errors import DtypeError, UnsupportedError
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.reading import expressions
from zygopy.transform.reading.values import (
    Static,
)


def message_text(s, node: ast.expr | None) -> str:
    """The text of an error message; parts that only run time knows stand as their source."""
    if node is None:
        return ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else _part_text(s, p) for p in node.values)
    if isinstance(node, ast.Constant):
        return str(node.value)
    value = _known(s, node)
    if isinstance(value, Static | Const):
        return str(value.value)
    return "{" + ast.unparse(node) + "}"


def _known(s, node: ast.expr) -> object:
    """What an expression in a message stands for; None if it makes texts of numbers in ways that are not supported."""
    try:
        return expressions.evaluate(s, node)
    except (UnsupportedError, DtypeError):
        return None


def _part_text(s, part: ast.FormattedValue) -> str:
    """The text of a name or attribute that is known, the source of anything else."""
    if isinstance(part.value, ast.Name | ast.Attribute) and part.format_spec is None and part.conversion == -1:
        value = expressions.evaluate(s, part.value)
        if isinstance(value, Const) or (isinstance(value, Static) and type(value.value) is str):
            return str(value.value)
    return "{" + ast.unparse(part.value) + "}"


def message_parts(s, node: ast.expr | None) -> tuple[str | Value, ...]:
    """The text of an error message, with the numbers in it that only run time knows; () if there are none."""
    if not isinstance(node, ast.JoinedStr):
        return ()
    found: list[str | Value] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            found.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        value = _known(s, part.value)
        bare = part.format_spec is None and part.conversion == -1
        if isinstance(value, Const) or isinstance(value, Static) and type(value.value) is str:
            found.append(expressions.formatted(s, ast.JoinedStr([part])))
        else:
            found += (_shown_parts(value) if bare else []) or [_part_text(s, part)]
    return tuple(found) if any(isinstance(p, Var) for p in found) else ()


def _shown_parts(value: object) -> list[str | Value]:
    """How Python shows an integer, a bool or a float64, or a tuple of these; [] for all else."""
    if isinstance(value, Const):
        return [repr(value.value)]
    if isinstance(value, Var) and (value.type.is_integer or value.type.is_bool or value.type.dtype == np.float64):
        return [value]
    if type(value) is not tuple or not all(items := [_shown_parts(v) for v in value]):
        return []
    between = [part for item in items for part in (", ", *item)]
    return ["(", *between[1:], ",)" if len(items) == 1 else ")"]


def of_assertion(s, node: ast.Assert) -> tuple[type[Exception], str, tuple[str | Value, ...]]:
    """The exception class and the message of an assert statement, also in parts."""
    return AssertionError, message_text(s, node.msg), message_parts(s, node.msg)


def raised(s, node: ast.Raise) -> tuple[type[Exception], str, tuple[str | Value, ...]]:
    """The exception class and the message of a raise statement, also in parts."""
    if node.exc is None:
        raise UnsupportedError("a bare raise is not supported", s.loc, help="name the exception")
    call = node.exc if isinstance(node.exc, ast.Call) else ast.Call(node.exc, [], [])
    error = expressions.evaluate(s, call.func)
    s.at(node)
    if not (isinstance(error, Static) and isinstance(error.value, type) and issubclass(error.value, Exception)):
        raise UnsupportedError("raise needs an exception class", s.loc)
    parts = message_parts(s, call.args[0]) if len(call.args) == 1 else ()
    return error.value, " ".join(message_text(s, arg) for arg in call.args), parts


# -- targets ---------------------------------------------------------------------------------------------------------
