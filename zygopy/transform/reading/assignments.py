"""Assignment targets: names, items, slices and attributes that get values, or are updated in place."""

import ast
import operator
from collections.abc import Callable

from zygopy.errors import DtypeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Block, Const, Store, walk
from zygopy.transform.library import products, shaping
from zygopy.transform.reading import arrays, calls, expressions, indexing, iterators, objects
from zygopy.transform.reading.expressions import BINARY
from zygopy.transform.reading.values import (
    Method,
    Object,
    View,
    describe,
    is_number,
)


def assign(s, target: ast.expr, value: object) -> None:
    """target = value"""
    match target:
        case ast.Name():
            s.frame.names[target.id] = iterators.named(s, value)
        case ast.Tuple() | ast.List():
            _unpack(s, target.elts, value)
        case ast.Subscript():
            owner = expressions.evaluate(s, target.value)
            if isinstance(owner, Object):
                index = expressions.object_index(s, owner, target.slice)
                s.at(target)
                objects.assign_item(s, owner, index, value)
                return
            items = expressions.index_items(s, target.slice)
            s.at(target)
            assign_item(s, owner, items, s.opened(value))
        case ast.Attribute():
            owner = expressions.evaluate(s, target.value)
            s.at(target)
            objects.assign_attribute(s, owner, target.attr, value)
        case _:
            s.refuse(target)


def _unpack(s, targets: list[ast.expr], value: object) -> None:
    star = next((k for k, t in enumerate(targets) if isinstance(t, ast.Starred)), None)
    if isinstance(value, View) and value.ndim and star is None:
        values = _as_many(s, value, len(targets))
    else:
        values = list(expressions.items_of(s, value))
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
        return list(expressions.items_of(s, view))
    fits = s.b.apply(ops.EQ, length, integer(count))
    s.check(fits, ValueError, f"the array does not have {count} items to unpack")
    s.facts.assume(s.facts.affine(length).shift(-count))
    return [expressions.at(s, view, (integer(k),)) for k in range(count)]


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
    elif isinstance(value, tuple) and view.ndim == 1 and all(is_number(v) for v in value):
        _store_items(s, view, value)
    elif isinstance(value, tuple) and not is_element:
        arrays.assign(s, view, shaping.as_array(s, value))
    else:
        raise DtypeError(f"cannot store {describe(value)} into {'an element' if is_element else 'a slice'}", s.loc)


def _store_items(s, view: View, values: tuple) -> None:
    """view[...] = (a, b, c), element by element."""
    from zygopy.errors import ShapeError

    s.check(
        s.b.apply(ops.EQ, view.spans[0].length, integer(len(values))), ShapeError, "the lengths of both sides differ"
    )
    for k, value in enumerate(values):
        arrays.store(s, arrays.element_at(s, view, (integer(k),)), value)


def augmented_assign(s, node: ast.AugAssign) -> None:
    """target op= value"""
    function = BINARY[type(node.op)]
    target = node.target
    if isinstance(target, ast.Subscript):
        owner = expressions.evaluate(s, target.value)
        if isinstance(owner, View):
            items = expressions.index_items(s, target.slice)
            if indexing.is_advanced(items):
                indexing.update(s, owner, items, function, _as_operand(s, expressions.evaluate(s, node.value)))
                return
            view = arrays.index(s, owner, items)
            before = arrays.load(s, view) if view.ndim == 0 else None
            mark = len(s.b.statements)
            value = _operand(s, view, function, node)
            if value is None:
                return
            s.at(node)
            if before is not None and any(isinstance(x, Store) for x in walk(Block(tuple(s.b.statements[mark:])))):
                arrays.store(s, view, expressions.binary(s, function, before, value, node))
            else:
                _update_view(s, view, function, value)
            return
        if not isinstance(owner, Object):
            assign_item(s, owner, (), None)
        index = expressions.object_index(s, owner, target.slice)
        before = objects.item(s, owner, index)
        new = _updated(s, function, before, node)
        if new is not before:
            objects.assign_item(s, owner, index, new)
        return
    if isinstance(target, ast.Attribute):
        owner = expressions.evaluate(s, target.value)
        before = expressions.attribute(s, owner, target)
        new = _updated(s, function, before, node)
        if new is not before:
            objects.assign_attribute(s, owner, target.attr, new)
        return
    current = expressions.evaluate(s, target)
    if isinstance(current, View) or expressions.is_list(current) or expressions.is_dict(current):
        _updated(s, function, current, node)
        return
    value = expressions.evaluate(s, node.value)
    s.at(node)
    hint = target.id.split("@")[0] if isinstance(target, ast.Name) else ""
    assign(s, target, expressions.named(expressions.binary(s, function, current, value, node), hint))


def _operand(s, current: object, function: Callable, node: ast.AugAssign) -> object | None:
    """The value that something is updated with; None where it is a product that went into an array at once."""
    if not (isinstance(current, View) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.MatMult)):
        return expressions.evaluate(s, node.value)
    a, b = expressions.evaluate(s, node.value.left), expressions.evaluate(s, node.value.right)
    s.at(node.value)
    if products.update(s, current, function, s.opened(a), s.opened(b)):
        return None
    return expressions.binary(s, operator.matmul, a, b, node.value)


def _updated(s, function: Callable, current: object, node: ast.AugAssign) -> object:
    """What current op= value leaves: the same array or object, changed in place, or another value."""
    value = _operand(s, current, function, node)
    if value is None:
        return current
    s.at(node)
    if isinstance(current, View):
        _update_view(s, current, function, value)
        return current
    if expressions.is_list(current) and function is operator.add:
        calls.call(s, Method(current, "extend"), [value], {})
        return current
    if expressions.is_dict(current) and function is operator.or_:
        calls.call(s, Method(current, "update"), [value], {})
        return current
    if objects.method_of(s, current, f"__i{function.__name__.strip('_')}__") is not None:
        raise UnsupportedError(f"this update of {describe(current)} is not supported", s.loc, help="write x = x + ...")
    if expressions.is_list(current) or expressions.is_dict(current):
        raise UnsupportedError(f"this update of {describe(current)} is not supported", s.loc, help="make a new one")
    return expressions.binary(s, function, current, value, node)


def _as_operand(s, value: object) -> object:
    """What arrays are updated with: a list or tuple is an array."""
    value = s.opened(value)
    return shaping.as_array(s, value) if isinstance(value, tuple) else value


def _update_view(s, view: View, function: Callable, value: object) -> None:
    if function is operator.matmul:
        arrays.assign(s, view, products.matmul(s, view, value))
        return
    value = _as_operand(s, value) if view.ndim else value
    if not (is_number(value) or isinstance(value, View)):
        raise UnsupportedError(f"this update with {describe(value)} is not supported", s.loc, help="write a loop")
    if view.ndim == 0:
        if not is_number(value):
            raise DtypeError(f"cannot store {describe(value)} into an element", s.loc)
        s.update_element(view, function, value)
    else:
        arrays.update(s, view, function, value)
