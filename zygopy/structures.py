"""Structures at the boundary: objects taken apart into numbers and arrays for compiled code, results put together.

Code that takes a structure apart is generated once for each structure, and tests as it goes that it is this one.
"""

import types
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np

from zygopy.errors import DtypeError
from zygopy.transform.arguments import ArgumentType, lives_on_gpu, typeof
from zygopy.transform.ir import Function, Leaves, Param, Var, leaves
from zygopy.transform.joined import FEWEST, is_joined
from zygopy.transform.reading.values import Static
from zygopy.transform.records import (
    Known,
    Record,
    is_plain,
    is_record_class,
    keys_of,
    place,
    rebuilt,
    record_of,
    static_fields,
)

LEAVES = {np.ndarray, float, int, complex, bool, np.bool_, *np.sctypeDict.values()}


def is_static(value: object) -> bool:
    """Whether an argument steers the compilation: a function, string, member of an Enum or None."""
    return type(value) not in LEAVES and (
        value is None
        or isinstance(value, str | type | types.ModuleType)
        or (isinstance(value, Enum) and not isinstance(value, int | float))
        or (callable(value) and not isinstance(value, np.ndarray) and not is_record_class(type(value)))
    )


def type_of(value: object, name: str, inside: bool = False) -> ArgumentType:
    """The type of an argument; functions, strings and None are themselves, and bools `inside` an object.

    Raises
    ------
    DtypeError
        For what cannot be computed with; the message names the place, such as params["w"][0].
    """
    if is_static(value) or (inside and isinstance(value, bool)):
        return Static(value)
    try:
        members = record_of(value)
    except AttributeError as error:
        raise DtypeError(f"{name} lacks a field: {error}", help="give each field of the class a value") from None
    if members is None:
        return typeof(value, name)
    if isinstance(members, Record):
        inside = True
        for key in members.keys:
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise DtypeError(f"{name} has the key {key!r}", help="use strings or ints as keys")
    static = static_fields(members.cls) if isinstance(members, Record) else frozenset()

    def member(key: object, item: object) -> ArgumentType:
        at = place(name, members, key)
        return _static_member(item, at) if key in static else type_of(item, at, inside)

    return rebuilt(members, list(map(member, keys_of(members), members)))


def _static_member(value: object, name: str) -> Static:
    try:
        hash(value)
    except TypeError:
        help = "use numbers, strings, functions, and tuples of them"
        raise DtypeError(f"{name} is static, but its value ({type(value).__name__}) can change", help=help) from None
    return Static(value)


def remade(members: tuple, items: Any) -> Any:
    """An object of the same class with other members."""
    if not isinstance(members, Record):
        return tuple(items)
    if members.cls is dict:
        return dict(zip(members.keys, items, strict=True))
    if members.cls is list:
        return list(items)
    if members.is_named_tuple:
        return tuple.__new__(members.cls, items)
    made: Any = object.__new__(members.cls)
    for key, item in zip(members.keys, items, strict=True):
        object.__setattr__(made, key, item)
    return made


def is_leaf(value: object) -> bool:
    """Whether a value is a number or array of a class derived from Python's and NumPy's."""
    return isinstance(value, np.ndarray | np.generic | int | float | complex) and not isinstance(value, bool)


def is_leaf_anywhere(value: object) -> bool:
    """Whether a value is a number or array, in whatever memory."""
    return is_leaf(value) or lives_on_gpu(value)


def arrays_on_gpu(value: object) -> list:
    """The arrays of a structure that are in a GPU's memory."""
    members = None if is_static(value) else record_of(value)
    if members is None:
        return [value] if lives_on_gpu(value) else []
    return [found for item in members for found in arrays_on_gpu(item)]


def mapped(f: Callable[[Any, str], Any], value: Any, name: str) -> Any:
    """A value with `f` applied to its numbers, arrays and static members, which `name` says how to reach."""
    members = None if is_static(value) else record_of(value)
    if members is None:
        return f(value, name)
    items = [mapped(f, item, place(name, members, key)) for key, item in zip(keys_of(members), members, strict=True)]
    return remade(members, items)


def skeleton(type_: Any) -> Any:
    """What of a type does not depend on the types of its leaves."""
    if isinstance(type_, tuple):
        return rebuilt(type_, map(skeleton, type_))
    return type_ if isinstance(type_, Static) else None


def refilled(type_: Any, found: Any) -> Any:
    """The type with its leaves taken from an iterator."""
    if isinstance(type_, tuple):
        return rebuilt(type_, [refilled(item, found) for item in type_])
    return type_ if isinstance(type_, Static) else next(found)


def is_native(tree: Any) -> bool:
    """Whether Numba has a type for a tree: of numbers, arrays, tuples and NamedTuples."""
    if isinstance(tree, Known) or (isinstance(tree, Record) and not tree.is_named_tuple):
        return False
    return all(map(is_native, tree)) if isinstance(tree, tuple) else not isinstance(tree, Static)


def param_leaves(param: Param) -> list[Var]:
    """The variables that a parameter defines."""
    return [leaf for leaf in leaves(param.leaves) if isinstance(leaf, Var)]


def flat(function: Function, always: bool = False) -> Function:
    """The function with a parameter for each leaf; one that returns objects, or `always`, returns the leaves."""
    params: dict[str, Param] = {}
    for param in function.params:
        for leaf in param_leaves(param):
            name = leaf.name
            while name in params:
                name += "_"
            params[name] = Param(name, leaf)
    results = function.results
    results = tuple(leaves(results)) if always or not is_native(results) else results
    return replace(function, params=tuple(params.values()), results=results)


class _Code:
    """A function under construction, and the objects that it names."""

    def __init__(self):
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {"LEAVES": LEAVES, "MEMBERS": LEAVES - {bool}, "new": object.__new__}
        self.namespace |= {"set": object.__setattr__, "tuple_new": tuple.__new__, "is_leaf": is_leaf}
        self.count = 0

    def name(self, known: object = None) -> str:
        """A new name, of an object if one is given."""
        self.count += 1
        name = f"_{self.count}"
        self.namespace[name] = known
        return name

    def function(self, params: str, result: str) -> Callable:
        text = "\n    ".join([f"def made({params}):", *self.lines, f"return {result}"])
        exec(text, self.namespace)
        return self.namespace["made"]


def flattener(structure: list, count: int | None = None, is_leaf: Callable = is_leaf) -> Callable:
    """What takes the values of a call apart: the tuple of their leaves; None if they have another structure.

    A call gives `count` values at least, one more if it names arrays to be filled.
    """
    code = _Code()
    code.namespace["is_leaf"] = is_leaf
    found: list[str] = []
    params = [code.name() for _ in structure]
    for name, type_ in zip(params, structure, strict=True):
        _take_apart(code, name, type_, found, False)
    if count is not None and len(structure) == count:
        params.append(code.name())
        code.lines.append(f"if {params[-1]} is not None: return None")
    defaults = [*params[:count], *(f"{name}=None" for name in params[count:])] if count is not None else params
    return code.function(", ".join(defaults), f"({''.join(f'{name}, ' for name in found)})")


def _take_apart(code: _Code, name: str, type_: Any, found: list[str], inside: bool) -> None:
    if isinstance(type_, Static):
        known = code.name(type_.value)
        code.lines.append(
            f"if {name} is not {known} and (type({name}) is not type({known}) or {name} != {known}): return None"
        )
    elif not isinstance(type_, tuple):
        known = "MEMBERS" if inside else "LEAVES"
        code.lines.append(f"if type({name}) not in {known} and not is_leaf({name}): return None")
        found.append(name)
    else:
        if is_joined(type_):
            _take_together(code, name, type_, found)
            return
        cls = type_.cls if isinstance(type_, Record) else tuple
        members = [code.name() for _ in type_]
        code.lines.append(f"if type({name}) is not {code.name(cls)}: return None")
        targets = "".join(f"{member}, " for member in members)
        if cls is dict:
            code.lines.append(f"if [*{name}] != {code.name(list(keys_of(type_)))}: return None")
            code.lines += [f"{targets} = {name}.values()"] if members else []
        elif issubclass(cls, tuple | list):
            code.lines.append(f"if len({name}) != {len(members)}: return None")
            code.lines += [f"{targets} = {name}"] if members else []
        else:
            code.lines += [f"{member} = {name}.{key}" for member, key in zip(members, keys_of(type_), strict=True)]
        for member, item in zip(members, type_, strict=True):
            _take_apart(code, member, item, found, inside or isinstance(type_, Record))


def _take_together(code: _Code, name: str, type_: Any, found: list[str]) -> None:
    """The arrays of joined items, each with a row for every item."""
    take = code.name(flattener([type_[0]]))
    columns = [code.name() for leaf in leaves(type_[0]) if not isinstance(leaf, Static)]
    code.lines.append(f"if type({name}) is not {code.name(type_.cls.container)} or len({name}) < {FEWEST}: return None")
    code.lines.append(f"{name} = {code.name(_columns)}({name}, {take})")
    code.lines.append(f"if {name} is None: return None")
    code.lines.append(f"{''.join(f'{column}, ' for column in columns)} = {name}")
    found += columns


def _columns(items: list | tuple, take: Callable) -> list[np.ndarray] | None:
    """The arrays of items, leaf by leaf, as one array each; None where they differ."""
    rows = list(map(take, items))
    if None in rows:
        return None
    joined = []
    for column in zip(*rows, strict=True):
        first = column[0]
        if any(a.shape != first.shape or a.dtype != first.dtype for a in column):
            return None
        made = np.concatenate(column).reshape(len(column), *first.shape)
        made.setflags(write=False)
        joined.append(made)
    return joined


def builder(tree: Leaves) -> Callable | None:
    """What puts a result together from the tuple of its leaves; None if compiled code returns it as it is."""
    return None if is_native(tree) else assembler(tree)


def assembler(tree: Leaves) -> Callable:
    """What puts a result together from the tuple of its leaves."""
    code = _Code()
    count = iter(range(len(leaves(tree))))
    return code.function("leaves", _put_together(code, tree, count))


def _put_together(code: _Code, tree: Leaves, count: Any) -> str:
    if isinstance(tree, Known):
        return code.name(tree.value)
    if not isinstance(tree, tuple):
        return f"leaves[{next(count)}]"
    if isinstance(tree, Record) and is_joined(tree):
        cls: Any = tree.cls
        rows = [f"leaves[{next(count)}]" for _ in leaves(tree[0])]
        return f"{code.name(cls.container)}(map({code.name(assembler(tree[0]))}, zip({', '.join(rows)})))"
    items = [_put_together(code, item, count) for item in tree]
    inner = "".join(f"{item}, " for item in items)
    if not isinstance(tree, Record):
        return f"({inner})"
    if tree.cls is list:
        return f"[{inner}]"
    if tree.cls is dict:
        return "{" + "".join(f"{key!r}: {item}, " for key, item in zip(tree.keys, items, strict=True)) + "}"
    cls = code.name(tree.cls)
    if tree.is_named_tuple:
        return f"tuple_new({cls}, ({inner}))"
    made = code.name()
    code.lines.append(f"{made} = new({cls})")
    plain = is_plain(tree.cls)
    for key, item in zip(tree.keys, items, strict=True):
        code.lines.append(f"{made}.{key} = {item}" if plain else f"set({made}, {key!r}, {item})")
    return made
