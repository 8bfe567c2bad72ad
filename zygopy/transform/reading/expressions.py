"""Expressions and assignment targets: each Python expression node and the value that it has."""

import ast
import operator
import sys
import types
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zygopy.errors import ArgumentError, DtypeError, OutOfBoundsError, TypeJoinError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Block, Const, Effect, Let, Store, Value, Var, walk
from zygopy.transform.library import elementwise, products, shaping
from zygopy.transform.reading import apart, arrays, calls, comprehensions, indexing, lists, objects
from zygopy.transform.reading.parse import parse_function
from zygopy.transform.reading.values import (
    Attributes,
    Closure,
    Listed,
    Method,
    Object,
    Range,
    Static,
    Super,
    Template,
    Unknown,
    UnknownMemberError,
    View,
    describe,
    is_number,
)
from zygopy.transform.records import Record, is_equal_by_identity
from zygopy.transform.types import BOOL

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.MatMult: operator.matmul,
}
_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def evaluate(s, node: ast.expr, name: str = "") -> object:
    """The value of an expression; `name` is what its result will be called."""
    s.at(node)
    match node:
        case ast.Constant():
            return s.from_python(node.value, None)
        case ast.Name():
            return s.read_name(node.id)
        case ast.BinOp():
            a, b = evaluate(s, node.left), evaluate(s, node.right)
            s.at(node)
            return named(binary(s, _BINARY[type(node.op)], a, b, node), name)
        case ast.UnaryOp():
            return named(_unary(s, node), name)
        case ast.Compare():
            return _comparison(s, node)
        case ast.BoolOp():
            return _bool_op(s, node)
        case ast.IfExp():
            test = truth(s, evaluate(s, node.test))
            return _value_of_branch(
                s, s.branch(test, lambda: evaluate(s, node.body, name), lambda: evaluate(s, node.orelse, name)), node
            )
        case ast.Tuple():
            return tuple(_elements(s, node.elts))
        case ast.List():
            return objects.make_list(s, _elements(s, node.elts))
        case ast.Dict():
            return _dict(s, node)
        case ast.ListComp() | ast.DictComp() | ast.GeneratorExp():
            return comprehensions.collected(s, node)
        case ast.Subscript():
            return _subscript(s, node, name)
        case ast.Attribute():
            return attribute(s, evaluate(s, node.value), node)
        case ast.Call():
            return named(_call(s, node, name), name)
        case ast.Lambda():
            defaults = default_values(s, node.args)
            return Closure(parse_function(node, s.frame.parsed.file), s.frame, defaults)
        case ast.JoinedStr():
            return Static(_text(s, node))
    return s.refuse(node)


def _text(s, node: ast.JoinedStr) -> str:
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        value = evaluate(s, part.value)
        spec = "" if part.format_spec is None else _text(s, part.format_spec)
        if not isinstance(value, Const | Static):
            return Template(message_text(s, node))
        known = repr(value.value) if part.conversion == ord("r") else value.value
        parts.append(format(known, spec))
    return "".join(parts)


def named(value: object, name: str) -> object:
    """Give a fresh, unnamed variable the user's name for it."""
    fresh = value.base if isinstance(value, View) else value
    if name and isinstance(fresh, Var) and fresh.name in ("t", "array"):
        fresh.name = name
    return value


def default_values(s, args: ast.arguments) -> dict[str, object]:
    """The values of a parameter list's defaults, at the place of the definition."""
    names = [a.arg for a in [*args.posonlyargs, *args.args]]
    found = dict(zip(names[::-1], args.defaults[::-1], strict=False))
    found |= {a.arg: d for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True) if d is not None}
    return {name: evaluate(s, default) for name, default in found.items()}


def _elements(s, nodes: list[ast.expr]) -> list:
    values: list = []
    for node in nodes:
        if isinstance(node, ast.Starred):
            value = evaluate(s, node.value)
            values += items_of(s, value)
        else:
            values.append(evaluate(s, node))
    return values


def _dict(s, node: ast.Dict) -> Object:
    pairs: list = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            pairs += objects.dict_pairs(s, evaluate(s, value))
        else:
            pairs.append((objects.key_of(s, evaluate(s, key)), evaluate(s, value)))
    s.at(node)
    return objects.make_dict(s, pairs)


def items_of(s, value: object) -> tuple:
    """The items of a value that is unpacked."""
    from zygopy.transform.reading.iteration import static_items

    if isinstance(value, tuple):
        return tuple(value)
    if isinstance(value, Object) and (found := static_items(s, value)) is not None:
        return tuple(found)
    if isinstance(value, Range) and all(isinstance(v, Const) for v in (value.start, value.stop, value.step)):
        return tuple(map(integer, range(value.start.value, value.stop.value, value.step.value)))
    if isinstance(value, View) and value.ndim >= 1:
        length = value.spans[0].length
        if isinstance(length, Const):
            return tuple(at(s, value, (integer(k),)) for k in range(length.value))
        raise UnsupportedError(
            "unpacking an array whose length is not known at compile time is not supported",
            s.loc,
            help="write x[0], x[1]",
        )
    raise DtypeError(f"cannot unpack {describe(value)}", s.loc)


# -- operators -------------------------------------------------------------------------------------------------------


def binary(s, function: Callable, a: object, b: object, node: ast.AST) -> object:
    """a op b for numbers; tuples add and repeat."""
    if is_number(a) and is_number(b):
        return number_operator(s, function, a, b)
    if (found := _overloaded(s, function, a, b)) is not None:
        return found
    if lists.of(s, a) or lists.of(s, b):
        if _is_list(a) and _is_list(b) and function is operator.add:
            return _sum_of_lists(s, a, b)
        _refuse_list_beside(s, a, b)
    if function is operator.matmul:
        return products.matmul(s, s.opened(a), s.opened(b))
    if isinstance(a, tuple) and isinstance(b, tuple) and function is operator.add:
        return (*a, *b)
    if isinstance(a, tuple) and isinstance(b, Const) and function is operator.mul:
        return tuple(a) * b.value
    if _is_list(a) and _is_list(b) and function is operator.add:
        return objects.make_list(s, (*s.content(a), *s.content(b)))
    if _is_list(a) and isinstance(b, Const) and function is operator.mul:
        return objects.make_list(s, tuple(s.content(a)) * b.value)
    if _is_dict(a) and _is_dict(b) and function is operator.or_:
        return objects.make_dict(s, objects.dict_pairs(s, a) + objects.dict_pairs(s, b))
    a, b = s.opened(a), s.opened(b)
    if isinstance(a, Static) and isinstance(b, Static) and isinstance(a.value, str):
        return Static(function(a.value, b.value))
    if isinstance(a, View) or isinstance(b, View):
        return elementwise.apply(s, function, [a, b])
    raise DtypeError(f"cannot compute with {describe(a)} and {describe(b)}", s.loc)


def _sum_of_lists(s, a: Object, b: Object) -> Object:
    """a + b of lists of which one has a length of run time."""
    content = s.content(a)
    made = lists.copied(s, content) if isinstance(content, Listed) else s.new_object(content)
    calls.call(s, Method(made, "extend"), [b], {})
    return made


def _refuse_list_beside(s, a: object, b: object) -> None:
    """Refuse an operator on a list that stands in an array, but for those of an array, which makes one of the list."""
    if not any(isinstance(value, View) and value.ndim for value in (a, b)):
        raise UnsupportedError(
            f"an operator on {describe(a)} and {describe(b)} is not supported",
            s.loc,
            help="make an array of the list: np.array(...)",
        )


def _is_list(value: object) -> bool:
    return isinstance(value, Object) and value.cls is list


def _is_dict(value: object) -> bool:
    return isinstance(value, Object) and value.cls is dict


def _overloaded(s, function: Callable, a: object, b: object) -> object | None:
    """a op b by the method of an operand's class, if it defines one."""
    name = function.__name__.strip("_")
    if (found := objects.method_of(s, a, f"__{name}__")) is not None:
        return calls.call(s, found, [b], {})
    if (found := objects.method_of(s, b, f"__r{name}__")) is not None:
        return calls.call(s, found, [a], {})
    return None


def number_operator(s, function: Callable, a: Value, b: Value) -> Value:
    """An operator on numbers, with Python's errors for integers."""
    guard_integers(s, function, a, b)
    return apply_function(s.b, function, [a, b], False)


def guard_integers(s, function: Callable, a: Value, b: Value) -> None:
    """Test the second operand of an integer operation that is not defined for all of them."""
    if not (a.type.is_integer and b.type.is_integer):
        return
    if function in _DIVISIONS and not (isinstance(b, Const) and b.value):
        s.check(s.b.apply(ops.NE, b, integer(0)), ZeroDivisionError, "integer division or modulo by zero")
    if function in _POWERS and not isinstance(b, Const):
        s.check(s.b.apply(ops.GE, b, integer(0)), ValueError, "an integer to a negative power: use a float base")
    if function in _SHIFTS and not (isinstance(b, Const) and 0 <= b.value < 64):
        low, high = s.b.apply(ops.GE, b, integer(0)), s.b.apply(ops.LT, b, integer(64))
        s.check(s.b.apply(ops.AND, low, high), ValueError, "a shift count must be from 0 to 63")


_DIVISIONS = (operator.floordiv, operator.mod, np.floor_divide, np.remainder, np.fmod)
_POWERS = (operator.pow, pow, np.power)
_SHIFTS = (operator.lshift, operator.rshift, np.left_shift, np.right_shift)


def _unary(s, node: ast.UnaryOp) -> object:
    value = evaluate(s, node.operand)
    s.at(node)
    if isinstance(node.op, ast.Not):
        return negate(s, truth(s, value))
    function = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}[type(node.op)]
    if isinstance(value, View):
        return elementwise.apply(s, function, [value])
    if (found := objects.method_of(s, value, f"__{function.__name__.strip('_')}__")) is not None:
        return calls.call(s, found, [], {})
    if not is_number(value):
        raise DtypeError(f"cannot compute with {describe(value)}", s.loc)
    return apply_function(s.b, function, [value], False)


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


def _comparison(s, node: ast.Compare) -> object:
    pairs = list(zip(node.ops, node.comparators, strict=True))
    left = evaluate(s, node.left)

    def link(position: int, left: object) -> Value:
        op, right_node = pairs[position]
        right = evaluate(s, right_node)
        s.at(node)
        test = compare(s, op, left, right)
        if position + 1 == len(pairs):
            return test
        return all_of(s, [lambda: test, lambda: link(position + 1, right)])

    return link(0, left)


def compare(s, op: ast.cmpop, a: object, b: object) -> Value:
    """One comparison."""
    if isinstance(op, ast.Is | ast.IsNot):
        if isinstance(a, Object) and isinstance(b, Object):
            is_same = objects.is_same(s, a, b)
            return is_same if isinstance(op, ast.Is) else negate(s, is_same)
        same = a.value is b.value if isinstance(a, Static) and isinstance(b, Static) else a is b
        return constant(same is isinstance(op, ast.Is))
    if isinstance(op, ast.In | ast.NotIn):
        if isinstance(a, Static) and isinstance(b, Static) and type(a.value) is type(b.value) is str:
            return constant((a.value in b.value) is isinstance(op, ast.In))
        found = any_of(s, [lambda item=item: compare(s, ast.Eq(), a, item) for item in items_of(s, b)])
        return found if isinstance(op, ast.In) else negate(s, found)
    function = _COMPARE[type(op)]
    if lists.of(s, a) or lists.of(s, b):
        _refuse_list_beside(s, a, b)
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
            same = all_of(s, [lambda x=x, y=y: compare(s, ast.Eq(), x, y) for x, y in pairs])
        return same if isinstance(op, ast.Eq) else negate(s, same)
    if isinstance(op, ast.Eq | ast.NotEq):
        return constant(isinstance(op, ast.NotEq))
    raise DtypeError(f"cannot compare {describe(a)} and {describe(b)}", s.loc)


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
    s.frame.names = dict(names)
    try:
        with s.nested() as builder:
            second = _short_circuit(s, tests[1:], op, stop)
    except Unknown:
        s.frame.names = names
        return first
    if any(value is not names.get(name, value) for name, value in s.objects_now().items()):
        raise UnsupportedError("changing an object behind `and` or `or` is not supported", s.loc, help="use an if")
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


def _bool_op(s, node: ast.BoolOp) -> object:
    """`and`/`or` with Python's value: the operand that decided."""
    is_or = isinstance(node.op, ast.Or)

    def chain(position: int) -> object:
        value = evaluate(s, node.values[position])
        if position + 1 == len(node.values):
            return value
        s.at(node)
        if is_number(value) and value.type.is_bool and not isinstance(value, Const):
            rest = lambda: chain(position + 1)  # noqa: E731
            return _bool_chain(s, value, rest, is_or, node)
        test = truth(s, value)
        keep, more = (lambda: value), (lambda: chain(position + 1))
        sides = (keep, more) if is_or else (more, keep)
        return _value_of_branch(s, s.branch(test, *sides), node)

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
    return _value_of_branch(s, s.branch(first, *((keep, rest) if is_or else (rest, keep))), node)


def _value_of_branch(s, joined: tuple, node: ast.AST) -> object:
    from zygopy.transform.reading.specialise import Conflict

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


def _subscript(s, node: ast.Subscript, name: str) -> object:
    value = evaluate(s, node.value)
    if isinstance(value, tuple):
        return _tuple_item(s, value, node)
    if isinstance(value, Object):
        index = _object_index(s, value, node.slice)
        s.at(node)
        if (found := objects.method_of(s, value, "__getitem__")) is not None:
            return calls.call(s, found, [index], {})
        return objects.item(s, value, index)
    if isinstance(value, View):
        items = _index_items(s, node.slice)
        s.at(node)
        return at(s, value, items, name)
    raise DtypeError(f"cannot index {describe(value)}", s.loc)


def _object_index(s, owner: Object, node: ast.expr) -> object:
    """The index of a list or dict: a value, or a slice of Python's numbers."""
    if not isinstance(node, ast.Slice):
        return evaluate(s, node)
    if lists.of(s, owner) is not None:
        return _slice(s, node)
    return _constant_slice(s, node, f"a {owner.cls.__name__}")


def _constant_slice(s, node: ast.Slice, what: str) -> slice:
    bounds = _slice(s, node)
    parts = (bounds.start, bounds.stop, bounds.step)
    if all(p is None or isinstance(p, Const) for p in parts):
        return slice(*(None if p is None else p.value for p in parts))
    raise UnsupportedError(f"a slice of {what} needs constant bounds", s.loc, help="use an array")


def at(s, view: View, items: tuple, name: str = "") -> object:
    """view[items]: an element, or a view of fewer elements."""
    if indexing.is_advanced(items):
        return indexing.read(s, view, items)
    indexed = arrays.index(s, view, items)
    return arrays.load(s, indexed, name) if indexed.ndim == 0 else indexed


def _tuple_item(s, value: tuple, node: ast.Subscript) -> object:
    if isinstance(node.slice, ast.Slice):
        return tuple(value)[_constant_slice(s, node.slice, "a tuple")]
    index = evaluate(s, node.slice)
    s.at(node)
    if isinstance(index, Const) and index.type.is_integer:
        if not -len(value) <= index.value < len(value):
            raise OutOfBoundsError(f"index {index.value} is out of range for a tuple of {len(value)}", s.loc)
        return value[index.value]
    raise UnknownMemberError(
        "the index of a tuple must be known at compile time",
        s.loc,
        "its items may have different types",
        "put the items into an array, or use if/elif",
    )


def _index_items(s, node: ast.expr) -> tuple:
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    items: list = []
    for item in nodes:
        if isinstance(item, ast.Slice):
            items.append(_slice(s, item))
        elif isinstance(item, ast.Starred):
            items += items_of(s, evaluate(s, item.value))
        else:
            items.append(evaluate(s, item))
    if not isinstance(node, ast.Tuple) and isinstance(items[0], tuple) and not _is_list(items[0]):
        items = list(items[0])  # one tuple of all items
    return tuple(_as_index(s, item) for item in items)


def _as_index(s, item: object) -> object:
    """A list or tuple among indices is an array."""
    if _is_list(item):
        return shaping.as_array(s, s.opened(item))
    return shaping.as_array(s, item) if isinstance(item, tuple) else item


def _slice(s, node: ast.Slice) -> slice:
    def part(bound):
        if bound is None:
            return None
        value = evaluate(s, bound)
        return None if isinstance(value, Static) and value.value is None else value

    return slice(part(node.lower), part(node.upper), part(node.step))


def attribute(s, value: object, node: ast.Attribute) -> object:
    """The value of an attribute's node."""
    s.at(node)
    return attribute_named(s, value, node.attr)


def attribute_named(s, value: object, name: str) -> object:
    """value.name"""
    if isinstance(value, View):
        lengths = value.shape
        match name:
            case "shape":
                return lengths
            case "ndim":
                return integer(value.ndim)
            case "size":
                total = lengths[0]
                for n in lengths[1:]:
                    total = s.b.mul(total, n)
                return total
            case "dtype":
                return Static(value.dtype)
            case "T":
                return value.ordered(value.own_axes[::-1])
            case "real" | "imag":
                return elementwise.part(s, value, name)
        return Method(value, name)
    if is_number(value):
        if name in ("real", "imag"):
            return apply_function(s.b, np.real if name == "real" else np.imag, [value], False)
        if name == "dtype" and not value.type.weak:
            return Static(value.type.dtype)
        return Method(value, name)
    if isinstance(value, Object | Record):
        return objects.attribute(s, value, name)
    if isinstance(value, Super):
        return objects.attribute_of_super(s, value, name)
    if isinstance(value, Static):
        try:
            found = getattr(value.value, name)
        except AttributeError:
            raise UnsupportedError(f"{describe(value)} has no attribute {name}", s.loc) from None
        return s.from_python(found, None if _is_constant(value.value) else (Attributes(value.value), name))
    return Method(value, name)


_STANDARD = {"numpy", "scipy", "numba", "zygopy", *sys.stdlib_module_names}


def _is_constant(owner: object) -> bool:
    """Whether the attributes of an object do not change: it is one of Python's, NumPy's or SciPy's."""
    module = getattr(owner, "__name__" if isinstance(owner, types.ModuleType) else "__module__", None)
    module = type(owner).__module__ if module is None else module
    return module.split(".")[0] in _STANDARD


# -- calls -----------------------------------------------------------------------------------------------------------


def _call(s, node: ast.Call, name: str) -> object:
    callee = evaluate(s, node.func)
    if isinstance(callee, Static) and comprehensions.is_reduction(callee.value, node):
        return comprehensions.reduced(s, callee.value, node)
    args = _elements(s, node.args)
    kwargs = {}
    for keyword in node.keywords:
        pairs = [(keyword.arg, keyword.value)]
        if keyword.arg is None:
            pairs = objects.dict_pairs(s, evaluate(s, keyword.value))
        for key, value in pairs:
            if key in kwargs:
                raise ArgumentError(f"{key} was given twice", s.loc)
            kwargs[key] = value if keyword.arg is None else evaluate(s, value)
    s.at(node)
    return calls.call(s, callee, args, kwargs, name)


def message_text(s, node: ast.expr | None) -> str:
    """The text of an error message; parts that only run time knows stand as their source."""
    if node is None:
        return ""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(p.value) if isinstance(p, ast.Constant) else _part_text(s, p) for p in node.values)
    if isinstance(node, ast.Constant):
        return str(node.value)
    value = evaluate(s, node)
    if isinstance(value, Static | Const):
        return str(value.value)
    return "{" + ast.unparse(node) + "}"


def _part_text(s, part: ast.FormattedValue) -> str:
    """The text of a name or attribute that is known, the source of anything else."""
    if isinstance(part.value, ast.Name | ast.Attribute) and part.format_spec is None and part.conversion == -1:
        value = evaluate(s, part.value)
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
        value = evaluate(s, part.value)
        bare = part.format_spec is None and part.conversion == -1
        if isinstance(value, Const) or isinstance(value, Static) and type(value.value) is str:
            found.append(_text(s, ast.JoinedStr([part])))
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


def raised(s, node: ast.Raise) -> tuple[type[Exception], str, tuple[str | Value, ...]]:
    """The exception class and the message of a raise statement, also in parts."""
    if node.exc is None:
        raise UnsupportedError("a bare raise is not supported", s.loc, help="name the exception")
    call = node.exc if isinstance(node.exc, ast.Call) else ast.Call(node.exc, [], [])
    error = evaluate(s, call.func)
    s.at(node)
    if not (isinstance(error, Static) and isinstance(error.value, type) and issubclass(error.value, Exception)):
        raise UnsupportedError("raise needs an exception class", s.loc)
    parts = message_parts(s, call.args[0]) if len(call.args) == 1 else ()
    return error.value, " ".join(message_text(s, arg) for arg in call.args), parts


# -- targets ---------------------------------------------------------------------------------------------------------


def assign(s, target: ast.expr, value: object) -> None:
    """target = value"""
    match target:
        case ast.Name():
            s.frame.names[target.id] = value
        case ast.Tuple() | ast.List():
            _unpack(s, target.elts, value)
        case ast.Subscript():
            owner = evaluate(s, target.value)
            if isinstance(owner, Object):
                index = _object_index(s, owner, target.slice)
                s.at(target)
                objects.assign_item(s, owner, index, value)
                return
            items = _index_items(s, target.slice)
            s.at(target)
            assign_item(s, owner, items, s.opened(value))
        case ast.Attribute():
            owner = evaluate(s, target.value)
            s.at(target)
            objects.assign_attribute(s, owner, target.attr, value)
        case _:
            s.refuse(target)


def _unpack(s, targets: list[ast.expr], value: object) -> None:
    star = next((k for k, t in enumerate(targets) if isinstance(t, ast.Starred)), None)
    if isinstance(value, View) and value.ndim and star is None:
        values = _as_many(s, value, len(targets))
    else:
        values = list(items_of(s, value))
    if star is not None:
        count = len(values) - len(targets) + 1
        if count >= 0:
            middle = objects.make_list(s, values[star : star + count])
            values[star : star + count] = [middle]
            targets = [t.value if isinstance(t, ast.Starred) else t for t in targets]
    if len(values) != len(targets):
        raise DtypeError(f"cannot unpack {len(values)} values into {len(targets)} names", s.loc)
    for target, item in zip(targets, values, strict=True):
        assign(s, target, item)


def _as_many(s, view: View, count: int) -> list:
    """The items of an array that is unpacked into so many names."""
    length = view.spans[0].length
    if isinstance(length, Const):
        return list(items_of(s, view))
    fits = s.b.apply(ops.EQ, length, integer(count))
    s.check(fits, ValueError, f"the array does not have {count} items to unpack")
    s.facts.assume(s.facts.affine(length).shift(-count))
    return [at(s, view, (integer(k),)) for k in range(count)]


def assign_item(s, owner: object, items: tuple, value: object) -> None:
    """owner[items] = value"""
    if isinstance(owner, tuple):
        raise UnsupportedError("tuples cannot be stored into", s.loc, help="use a list, or an array: np.zeros(n)")
    if not isinstance(owner, View):
        raise DtypeError(f"cannot store into {describe(owner)}", s.loc)
    if indexing.is_advanced(items):
        indexing.assign(s, owner, items, value)
        return
    view = arrays.index(s, owner, items)
    is_element = view.ndim == 0
    if is_element and is_number(value):
        arrays.store(s, view, value)
    elif not is_element and is_number(value):
        arrays.fill(s, view, value)
    elif not is_element and isinstance(value, View):
        arrays.assign(s, view, value)
    elif isinstance(value, tuple) and not is_element and all(is_number(v) for v in value):
        _store_items(s, view, value)
    else:
        raise DtypeError(f"cannot store {describe(value)} into {'an element' if is_element else 'a slice'}", s.loc)


def _store_items(s, view: View, values: tuple) -> None:
    """view[...] = (a, b, c), element by element."""
    if view.ndim != 1:
        raise UnsupportedError("storing a tuple needs a slice of one dimension", s.loc, help="store item by item")
    from zygopy.errors import ShapeError

    s.check(
        s.b.apply(ops.EQ, view.spans[0].length, integer(len(values))), ShapeError, "the lengths of both sides differ"
    )
    for k, value in enumerate(values):
        arrays.store(s, arrays.element_at(s, view, (integer(k),)), value)


def augmented_assign(s, node: ast.AugAssign) -> None:
    """target op= value"""
    function = _BINARY[type(node.op)]
    target = node.target
    if isinstance(target, ast.Subscript):
        owner = evaluate(s, target.value)
        if isinstance(owner, View):
            items = _index_items(s, target.slice)
            if indexing.is_advanced(items):
                indexing.update(s, owner, items, function, evaluate(s, node.value))
                return
            view = arrays.index(s, owner, items)
            before = arrays.load(s, view) if view.ndim == 0 else None
            mark = len(s.b.statements)
            value = evaluate(s, node.value)
            s.at(node)
            if before is not None and any(isinstance(x, Store) for x in walk(Block(tuple(s.b.statements[mark:])))):
                arrays.store(s, view, binary(s, function, before, value, node))
            else:
                _update_view(s, view, function, value)
            return
        if not isinstance(owner, Object):
            assign_item(s, owner, (), None)
        index = _object_index(s, owner, target.slice)
        before = objects.item(s, owner, index)
        new = _updated(s, function, before, node)
        if new is not before:
            objects.assign_item(s, owner, index, new)
        return
    if isinstance(target, ast.Attribute):
        owner = evaluate(s, target.value)
        before = attribute(s, owner, target)
        new = _updated(s, function, before, node)
        if new is not before:
            objects.assign_attribute(s, owner, target.attr, new)
        return
    current = evaluate(s, target)
    if isinstance(current, View) or _is_list(current) or _is_dict(current):
        _updated(s, function, current, node)
        return
    value = evaluate(s, node.value)
    s.at(node)
    hint = target.id.split("@")[0] if isinstance(target, ast.Name) else ""
    assign(s, target, named(binary(s, function, current, value, node), hint))


def _updated(s, function: Callable, current: object, node: ast.AugAssign) -> object:
    """What current op= value leaves: the same array or object, changed in place, or another value."""
    value = evaluate(s, node.value)
    s.at(node)
    if isinstance(current, View):
        _update_view(s, current, function, s.opened(value))
        return current
    if _is_list(current) and function is operator.add:
        calls.call(s, Method(current, "extend"), [value], {})
        return current
    if _is_dict(current) and function is operator.or_:
        calls.call(s, Method(current, "update"), [value], {})
        return current
    if objects.method_of(s, current, f"__i{function.__name__.strip('_')}__") is not None:
        raise UnsupportedError(f"this update of {describe(current)} is not supported", s.loc, help="write x = x + ...")
    if _is_list(current) or _is_dict(current):
        raise UnsupportedError(f"this update of {describe(current)} is not supported", s.loc, help="make a new one")
    return binary(s, function, current, value, node)


def _update_view(s, view: View, function: Callable, value: object) -> None:
    if function is operator.matmul:
        arrays.assign(s, view, products.matmul(s, view, value))
        return
    if not (is_number(value) or isinstance(value, View)):
        raise UnsupportedError(f"this update with {describe(value)} is not supported", s.loc, help="write a loop")
    if view.ndim == 0:
        if not is_number(value):
            raise DtypeError(f"cannot store {describe(value)} into an element", s.loc)
        s.update_element(view, function, value)
    else:
        arrays.update(s, view, function, value)


__all__ = ["Range", "all_of", "any_of", "assign", "augmented_assign", "evaluate", "truth"]
