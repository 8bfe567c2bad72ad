"""Expressions: each Python expression node and the value that it has."""

import ast
import operator
import sys
import types
from collections.abc import Callable

import numpy as np

from zygopy.errors import ArgumentError, DtypeError, OutOfBoundsError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.library import elementwise, products, shaping
from zygopy.transform.reading import (
    arrays,
    calls,
    comprehensions,
    conditions,
    indexing,
    joined,
    lists,
    messages,
    objects,
    outside,
)
from zygopy.transform.reading.iterators import refuse_kept
from zygopy.transform.reading.parse import parse_function
from zygopy.transform.reading.values import (
    Attributes,
    Closure,
    Generated,
    JoinedItems,
    Listed,
    Method,
    Object,
    Range,
    Static,
    Super,
    Template,
    UnknownMemberError,
    View,
    describe,
    is_number,
)
from zygopy.transform.records import Record

BINARY = {
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


def evaluate(s, node: ast.expr, name: str = "") -> object:
    """The value of an expression; `name` is what its result will be called."""
    s.at(node)
    match node:
        case ast.Constant():
            return outside.value_of(s, node.value, None)
        case ast.Name():
            return s.read_name(node.id)
        case ast.BinOp():
            a, b = evaluate(s, node.left), evaluate(s, node.right)
            s.at(node)
            return named(binary(s, BINARY[type(node.op)], a, b, node), name)
        case ast.UnaryOp():
            return named(_unary(s, node), name)
        case ast.Compare():
            return conditions.comparison(s, node)
        case ast.BoolOp():
            return conditions.bool_op(s, node)
        case ast.IfExp():
            test = conditions.truth(s, evaluate(s, node.test))
            return conditions.value_of_branch(
                s, s.branch(test, lambda: evaluate(s, node.body, name), lambda: evaluate(s, node.orelse, name)), node
            )
        case ast.Tuple():
            items = tuple(_elements(s, node.elts))
            refuse_kept(s, *items)
            return items
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
            return Static(formatted(s, node))
    return s.refuse(node)


def formatted(s, node: ast.JoinedStr) -> str:
    parts: list[str] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        value = evaluate(s, part.value)
        spec = "" if part.format_spec is None else formatted(s, part.format_spec)
        if not isinstance(value, Const | Static):
            return Template(messages.message_text(s, node))
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
    values = {name: evaluate(s, default) for name, default in found.items()}
    refuse_kept(s, *values.values())
    return values


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

    if isinstance(value, tuple | Generated):
        return tuple(value.items if isinstance(value, Generated) else value)
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
        if is_list(a) and is_list(b) and function is operator.add:
            return _sum_of_lists(s, a, b)
        refuse_list_beside(s, a, b)
    if function is operator.matmul:
        return products.matmul(s, s.opened(a), s.opened(b))
    if isinstance(a, tuple) and isinstance(b, tuple) and function is operator.add:
        return (*a, *b)
    if isinstance(a, tuple) and isinstance(b, Const) and function is operator.mul:
        return tuple(a) * b.value
    if is_list(a) and is_list(b) and function is operator.add:
        return objects.make_list(s, (*s.content(a), *s.content(b)))
    if is_list(a) and isinstance(b, Const) and function is operator.mul:
        return objects.make_list(s, tuple(s.content(a)) * b.value)
    if is_dict(a) and is_dict(b) and function is operator.or_:
        return objects.make_dict(s, objects.dict_pairs(s, a) + objects.dict_pairs(s, b))
    a, b = s.opened(a), s.opened(b)
    if isinstance(a, Static) and isinstance(b, Static) and isinstance(a.value, str):
        return Static(function(a.value, b.value))
    if isinstance(a, Static) and isinstance(b, Static) and function is operator.or_:
        return Static(_union(s, a.value, b.value))
    if isinstance(a, View) or isinstance(b, View):
        return elementwise.apply(s, function, [a, b])
    raise DtypeError(f"cannot compute with {describe(a)} and {describe(b)}", s.loc)


def _union(s, a: object, b: object) -> object:
    """a | b of classes, for isinstance."""
    try:
        return a | b
    except TypeError:
        raise DtypeError(f"cannot compute with {describe(Static(a))} and {describe(Static(b))}", s.loc) from None


def _sum_of_lists(s, a: Object, b: Object) -> Object:
    """a + b of lists of which one has a length of run time."""
    content = s.content(a)
    made = lists.copied(s, content) if isinstance(content, Listed) else s.new_object(content)
    calls.call(s, Method(made, "extend"), [b], {})
    return made


def refuse_list_beside(s, a: object, b: object) -> None:
    """Refuse an operator on a list that stands in an array, but for those of an array, which makes one of the list."""
    if not any(isinstance(value, View) and value.ndim for value in (a, b)):
        raise UnsupportedError(
            f"an operator on {describe(a)} and {describe(b)} is not supported",
            s.loc,
            help="make an array of the list: np.array(...)",
        )


def is_list(value: object) -> bool:
    return isinstance(value, Object) and value.cls is list


def is_dict(value: object) -> bool:
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
        return conditions.negate(s, conditions.truth(s, value))
    function = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}[type(node.op)]
    if isinstance(value, View):
        return elementwise.apply(s, function, [value])
    if (found := objects.method_of(s, value, f"__{function.__name__.strip('_')}__")) is not None:
        return calls.call(s, found, [], {})
    if not is_number(value):
        raise DtypeError(f"cannot compute with {describe(value)}", s.loc)
    return apply_function(s.b, function, [value], False)


def _subscript(s, node: ast.Subscript, name: str) -> object:
    value = evaluate(s, node.value)
    if isinstance(value, tuple):
        return _tuple_item(s, value, node)
    if isinstance(value, Object):
        index = object_index(s, value, node.slice)
        s.at(node)
        if (found := objects.method_of(s, value, "__getitem__")) is not None:
            return calls.call(s, found, [index], {})
        return objects.item(s, value, index)
    if isinstance(value, View):
        items = index_items(s, node.slice)
        s.at(node)
        return at(s, value, items, name)
    if isinstance(value, JoinedItems):
        index = _slice(s, node.slice) if isinstance(node.slice, ast.Slice) else evaluate(s, node.slice)
        s.at(node)
        return joined.at(s, value, index)
    if isinstance(value, Static) and not callable(value.value) and calls.handler_of(value.value) is not None:  # np.r_
        index = evaluate(s, node.slice)
        s.at(node)
        return calls.call(s, value, list(index) if isinstance(index, tuple) else [index], {})
    raise DtypeError(f"cannot index {describe(value)}", s.loc)


def object_index(s, owner: Object, node: ast.expr) -> object:
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


def index_items(s, node: ast.expr) -> tuple:
    nodes = node.elts if isinstance(node, ast.Tuple) else [node]
    items: list = []
    for item in nodes:
        if isinstance(item, ast.Slice):
            items.append(_slice(s, item))
        elif isinstance(item, ast.Starred):
            items += items_of(s, evaluate(s, item.value))
        else:
            items.append(evaluate(s, item))
    if not isinstance(node, ast.Tuple) and isinstance(items[0], tuple) and not is_list(items[0]):
        items = list(items[0])  # one tuple of all items
    return tuple(as_index(s, item) for item in items)


def as_index(s, item: object) -> object:
    """A list or tuple among indices is an array."""
    if is_list(item):
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
            case "mT" if value.ndim > 1:
                *stack, rows, columns = value.own_axes
                return value.ordered((*stack, columns, rows))
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
        return outside.value_of(s, found, None if _is_constant(value.value) else (Attributes(value.value), name))
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
