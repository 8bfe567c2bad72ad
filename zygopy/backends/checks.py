"""Errors that compiled code raises: with numbers of run time in their message, and by many tests as one branch.

Tests that stand one behind the other, such as those of lengths at entry, become one branch:

if a != b:                          if any_of(a != b, c != d):
    raise Error("...")       ->         first(a != b, c != d)     # raises the error of the first test that holds
if c != d:                              raise Error("...")
    raise Error("...")

Before each place that raises Numba gives up all arrays that are still there: their number squared, were it one by one.
"""

import ast
from collections.abc import Callable
from functools import cache

from llvmlite import ir
from numba.core import types

from zygopy.backends.numba_private import instruction


def together(body: list[ast.stmt], errors: dict[str, type[Exception]], names: dict[str, object], mark: str) -> None:
    """Join the tests in a list of statements, in place; the functions that they then call join `names`."""
    start = 0
    while start < len(body):
        stop = start
        while stop < len(body) and _is_test(body[stop]):
            stop += 1
        if stop - start > 1:
            body[start:stop] = [_joined(body[start:stop], errors, names, mark)]
        start += 1


def _is_test(s: ast.stmt) -> bool:
    """Whether a statement compares numbers and raises an error with a text."""
    match s:
        case ast.If(test=ast.Compare() as test, body=[ast.Raise(ast.Call(ast.Name(), [ast.Constant()]))], orelse=[]):
            return not any(isinstance(n, ast.BoolOp | ast.IfExp | ast.Call) for n in ast.walk(test))
    return False


def _joined(tests: list, errors: dict[str, type[Exception]], names: dict[str, object], mark: str) -> ast.If:
    head = tests[0]
    raised = tuple((errors[s.body[0].exc.func.id], s.body[0].exc.args[0].value) for s in tests)
    name = f"first_{len(names)}"
    names[name], names["any_of"] = first(raised), any_of

    def call(what: str) -> ast.Call:
        function = ast.copy_location(ast.Name(mark + what, ast.Load()), head.test)
        return ast.copy_location(ast.Call(function, [s.test for s in tests], []), head.test)

    raising = ast.copy_location(ast.Expr(call(name)), head)
    return ast.copy_location(ast.If(call("any_of"), [raising, head.body[0]], []), head)


def _any_of(context, builder, signature, args):
    found = args[0]
    for test in args[1:]:
        found = builder.or_(found, test)
    return found


any_of = instruction(_any_of, lambda *tests: types.boolean(*(types.boolean for _ in tests)))


@cache
def first(raised: tuple[tuple[type[Exception], str], ...]) -> Callable:
    """What raises the error of the first of several tests that holds."""

    def generate(context, builder: ir.IRBuilder, signature, args):
        for test, (error, message) in zip(args, raised, strict=True):
            with builder.if_then(test, likely=False):
                context.call_conv.return_user_exc(builder, error, (message,))
        return context.get_dummy_value()

    return instruction(generate, lambda *tests: types.none(*(types.boolean for _ in tests)))


class _Formatted(Exception):
    """Makes an exception of another class, whose message has values in it; one that is made it leaves as it is."""

    def __new__(cls, error, texts=(), *values):
        if isinstance(error, Exception):
            return error
        rest = iter(values)
        return error("".join(str(next(rest)) if text is None else text for text in texts))


@cache
def raising(error: type[Exception], texts: tuple[str | None, ...]) -> Callable:
    """What raises an error with a message of texts, and of values in the place of None."""

    def generate(context, builder: ir.IRBuilder, signature, args):
        kinds = (None, None, *signature.args)
        context.call_conv.return_dynamic_user_exc(builder, _Formatted, (error, texts, *args), kinds)
        builder.position_at_end(builder.append_basic_block("unreachable"))
        return context.get_dummy_value()

    return instruction(generate, lambda *values: types.none(*values))
