"""Conditions: comparisons, truth values, and what `and`, `or` and `not` make of them."""

import ast
import operator
from collections.abc import Callable
from dataclasses import replace

from zygopy.errors import DtypeError, TypeJoinError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Effect, Let, Value, Var
from zygopy.transform.library import elementwise
from zygopy.transform.reading import apart, calls, expressions, joined, lists, objects
from zygopy.transform.reading.iterators import refuse_generator
from zygopy.transform.reading.values import (
    Object,
    Static,
    Template,
    Unknown,
    UnknownMemberError,
    View,
    describe,
    is_number,
)
from zygopy.transform.records import Record, is_equal_by_identity
from zygopy.transform.types import BOOL

_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def negate(s, test: Value) -> Value:
    return s.b.apply(ops.NOT, test)


def truth(s, value: object) -> Value:
    """Python's truth value, as a bool of the IR."""
    if is_number(value):
        if value.type.is_bool:
            return value
        return constant(bool(value.value)) if isinstance(value, Const) else s.b.apply(ops.NE, value, integer(0))
    if isinstance(value, tuple):
        return constant(bool(value))
    if (content := lists.of(s, value)) is not None:
        return s.b.apply(ops.GT, content.length, integer(0))
    if isinstance(value, Object) and value.cls in (list, dict):
        return constant(bool(s.content(value)))
    if objects.method_of(s, value, "__bool__") or objects.method_of(s, value, "__len__"):
        raise UnsupportedError(f"the truth value of {describe(value)} is not supported", s.loc, help="call a method")
    if isinstance(value, Static):
        return constant(bool(value.value))
    if isinstance(value, View):
        raise DtypeError("the truth value of an array is ambiguous", s.loc, help="compare an element, or use len()")
    return constant(True)


def comparison(s, node: ast.Compare) -> object:
    pairs = list(zip(node.ops, node.comparators, strict=True))
    left = expressions.evaluate(s, node.left)

    def link(position: int, left: object) -> Value:
        op, right_node = pairs[position]
        right = expressions.evaluate(s, right_node)
        s.at(node)
        test = compare(s, op, left, right)
        if position + 1 == len(pairs):
            return test
        return all_of(s, [lambda: test, lambda: link(position + 1, right)])

    return link(0, left)


def compare(s, op: ast.cmpop, a: object, b: object) -> Value:
    """One comparison."""
    joined.refuse_comparison(s, a, b)
    if isinstance(op, ast.Is | ast.IsNot):
        is_same = _is_same(s, a, b)
        return is_same if isinstance(op, ast.Is) else negate(s, is_same)
    if isinstance(op, ast.In | ast.NotIn):
        if isinstance(a, Static) and isinstance(b, Static) and type(a.value) is type(b.value) is str:
            return constant((a.value in b.value) is isinstance(op, ast.In))
        refuse_generator(s, b)
        found = any_of(s, [lambda item=item: compare(s, ast.Eq(), a, item) for item in expressions.items_of(s, b)])
        return found if isinstance(op, ast.In) else negate(s, found)
    function = _COMPARE[type(op)]
    if lists.of(s, a) or lists.of(s, b):
        expressions.refuse_list_beside(s, a, b)
    if is_number(a) and is_number(b):
        return apply_function(s.b, function, [a, b], False)
    if (found := objects.method_of(s, a, f"__{function.__name__}__")) is not None:
        return calls.call(s, found, [b], {})
    if isinstance(op, ast.NotEq) and objects.method_of(s, a, "__eq__") is not None:
        return negate(s, truth(s, compare(s, ast.Eq(), a, b)))
    if isinstance(a, Object) and isinstance(b, Object):
        if is_equal_by_identity(a.cls) and isinstance(op, ast.Eq | ast.NotEq):
            equal = objects.is_same(s, a, b)
            return equal if isinstance(op, ast.Eq) else negate(s, equal)
        if a.cls is not b.cls or (a.cls is dict and {*s.content(a).keys} != {*s.content(b).keys}):
            return constant(isinstance(op, ast.NotEq))
        a, b = s.content(a), s.content(b)
        if a.cls is dict:
            b = Record((b.member(key) for key in a.keys), dict, a.keys)
    if isinstance(a, Static) and isinstance(b, Static):
        if isinstance(a.value, Template) or isinstance(b.value, Template):
            raise UnknownMemberError("comparing a text that is known only at run time is not supported", s.loc)
        return constant(bool(function(a.value, b.value)))
    if isinstance(a, View) or isinstance(b, View):
        return elementwise.apply(s, function, [a, b])
    if isinstance(a, tuple) and isinstance(b, tuple) and isinstance(op, ast.Eq | ast.NotEq):
        pairs = zip(a, b, strict=False)
        same = constant(False)
        if len(a) == len(b):
            same = all_of(s, [lambda x=x, y=y: truth(s, compare(s, ast.Eq(), x, y)) for x, y in pairs])
        return same if isinstance(op, ast.Eq) else negate(s, same)
    if isinstance(op, ast.Eq | ast.NotEq):
        return constant(isinstance(op, ast.NotEq))
    raise DtypeError(f"cannot compare {describe(a)} and {describe(b)}", s.loc)


def _is_same(s, a: object, b: object) -> Value:
    """a is b"""
    if isinstance(a, Object) and isinstance(b, Object):
        return objects.is_same(s, a, b)
    if isinstance(a, Static) and isinstance(b, Static):
        return constant(a.value is b.value)
    if a is b or isinstance(a, Static) or isinstance(b, Static):
        return constant(a is b)
    if isinstance(a, Const) and isinstance(b, Const) and a.type.is_bool and b.type.is_bool:
        return constant(a.value == b.value)
    if is_number(a) and is_number(b):
        help = "write the test itself, or not ..." if a.type.is_bool else "compare by =="
        raise UnsupportedError("whether two numbers are one object is not known at compile time", s.loc, help=help)
    if isinstance(a, tuple | View) and type(a) is type(b):
        what = f"whether two {'arrays' if isinstance(a, View) else 'tuples'} are one object"
        raise UnsupportedError(f"{what} is not known at compile time", s.loc, help="compare what they hold")
    return constant(False)


def all_of(s, tests: list[Callable[[], Value]]) -> Value:
    """`and` of bools: what follows a False is not evaluated."""
    return _short_circuit(s, tests, ops.AND, stop=False)


def any_of(s, tests: list[Callable[[], Value]]) -> Value:
    """`or` of bools: what follows a True is not evaluated."""
    return _short_circuit(s, tests, ops.OR, stop=True)


def _short_circuit(s, tests: list, op: ops.Op, stop: bool) -> Value:
    if not tests:
        return constant(not stop)
    first = tests[0]()
    if len(tests) == 1:
        return first
    if isinstance(first, Const):
        return first if bool(first.value) is stop else _short_circuit(s, tests[1:], op, stop)
    names = s.frame.names
    back = s.mark()
    s.frame.names = dict(names)
    try:
        with s.nested() as builder:
            second = _short_circuit(s, tests[1:], op, stop)
    except Unknown:
        s.frame.names = names
        return first
    if any(value is not names.get(name, value) for name, value in s.objects_now().items()):
        back()
        rest, skip = (lambda: _short_circuit(s, tests[1:], op, stop)), (lambda: constant(stop))
        return s.branch(first, *((skip, rest) if stop else (rest, skip)))[0]
    if all(isinstance(x, Let) and x.op.effect is Effect.PURE and x.op.cheap for x in builder.statements):
        s.frame.names = names
        adopt(s, builder)
        if isinstance(second, Const):
            return constant(stop) if bool(second.value) is stop else first
        return s.b.apply(op, first, second)
    s.frame.names = names
    result = Var("t", BOOL)
    short = (constant(stop),)
    s.homes[result] = len(s.levels) - 1
    rest, skip = builder.block((second,)), type(builder)(s.loc).block(short)
    s.b.if_(first, *((skip, rest) if stop else (rest, skip)), (result,))
    return result


def adopt(s, builder) -> None:
    """Move the statements of a nested builder into the current block."""
    s.b.statements += builder.statements
    for statement in builder.statements:
        s.homes[statement.var] = len(s.levels) - 1


def bool_op(s, node: ast.BoolOp) -> object:
    """`and`/`or` with Python's value: the operand that decided."""
    is_or = isinstance(node.op, ast.Or)

    def chain(position: int) -> object:
        value = expressions.evaluate(s, node.values[position])
        if position + 1 == len(node.values):
            return value
        s.at(node)
        if is_number(value) and value.type.is_bool and not isinstance(value, Const):
            rest = lambda: chain(position + 1)  # noqa: E731
            return _bool_chain(s, value, rest, is_or, node)
        test = truth(s, value)
        keep, more = (lambda: value), (lambda: chain(position + 1))
        sides = (keep, more) if is_or else (more, keep)
        return value_of_branch(s, s.branch(test, *sides), node)

    return chain(0)


def _bool_chain(s, first: Value, rest: Callable, is_or: bool, node: ast.BoolOp) -> object:
    kinds: list = []

    def second() -> Value:
        value = rest()
        kinds.append(value)
        return truth(s, value)

    mark = len(s.b.statements)
    result = _short_circuit(s, [lambda: first, second], ops.OR if is_or else ops.AND, stop=is_or)
    if not kinds or (is_number(kinds[0]) and kinds[0].type.is_bool):
        return result
    del s.b.statements[mark:]
    keep = lambda: first  # noqa: E731
    return value_of_branch(s, s.branch(first, *((keep, rest) if is_or else (rest, keep))), node)


def value_of_branch(s, joined: tuple, node: ast.AST) -> object:
    from zygopy.transform.reading.values import Conflict

    value = joined[0]
    s.at(node)
    if isinstance(value, Conflict):
        error = TypeJoinError(
            f"the two values of this expression have different types: {value.a} and {value.b}",
            s.loc,
            "compiled code needs one type where paths meet",
            "convert one of the values",
        )
        apart.refuse(s, replace(value, places=frozenset({s.loc})), error)
    return value


# -- subscripts and attributes ---------------------------------------------------------------------------------------
