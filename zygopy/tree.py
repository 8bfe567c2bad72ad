"""Trees: structures of arrays, walked leaf by leaf in Python and in compiled code alike."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import numpy as np

from zygopy.errors import ArgumentError
from zygopy.structures import remade
from zygopy.transform.arguments import lives_on_gpu
from zygopy.transform.ir import Const, Var
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Object, Static, View, describe
from zygopy.transform.records import Record, alike, keys_of, place, rebuilt, record_of
from zygopy.transform.types import Scalar


def leaves(tree: Any, kind: type | None = None) -> tuple:
    """The arrays of floats (or complex numbers) in a structure, in order; parts of a class `kind`, if one is given.

    A structure is what a compiled function takes: tuples, lists, dicts, NamedTuples and dataclasses, nested. What is no
    array of floats (counts, functions, strings) is passed over, and so are the fields of dataclasses that are declared
    with `metadata={"state": True}`: arrays that belong to a model and are no parameters.

    Examples
    --------
    >>> params = {"w": np.ones((2, 2)), "b": np.zeros(2), "activation": np.tanh}
    >>> grad(lambda params: sum(np.sum(p * p) for p in leaves(params)))(params)["w"]
    array([[2., 2.],
           [2., 2.]])
    """
    known = _WALKERS.setdefault((type(tree), kind), [])
    for walk in known:
        if (found := walk(tree)) is not None:
            return found
    if len(known) == _KEPT:
        known.clear()
    known.append(_walker(tree, kind))
    return known[-1](tree)


def state_leaves(tree: Any) -> tuple:
    """The arrays of floats in fields that dataclasses declare with `metadata={"state": True}`, in order.

    Examples
    --------
    >>> state_leaves({"w": np.ones(2)})
    ()
    """
    return tuple(_states(tree, record_of, lambda value: _is_leaf(value, None)))


def _states(value: Any, members_of: Callable, is_leaf: Callable, inside: bool = False) -> list:
    if is_leaf(value):
        return [value] if inside else []
    members = members_of(value) or ()
    pairs = zip(keys_of(members), members, strict=True)
    return [
        leaf
        for key, item in pairs
        for leaf in _states(item, members_of, is_leaf, inside or _is_state(members, key, None))
    ]


def map_leaves(f: Callable, tree: Any, *rest: Any, kind: type | None = None) -> Any:
    """A structure with `f(leaf, ...)` in the place of each of its `leaves`; the rest of it as it is.

    Parameters
    ----------
    f : callable
        Takes a leaf of `tree`, and what stands at the same place in each of `rest`.
    tree, *rest
        Structures; those of `rest` need to be alike only down to the leaves of `tree`.
    kind : class, optional
        What is a leaf; arrays of floats if none is given.

    Raises
    ------
    ArgumentError
        If a structure of `rest` differs from `tree` above a leaf; the message names the place.

    Examples
    --------
    >>> map_leaves(lambda p, g: p - 0.5 * g, {"w": np.ones(2)}, {"w": np.array([1.0, 2.0])})
    {'w': array([0.5, 0. ])}
    """
    return _mapped(f, "tree", tree, rest, kind)


def with_leaves(tree: Any, new: Any, kind: type | None = None) -> Any:
    """A structure with others in the place of its `leaves`, in order.

    Examples
    --------
    >>> with_leaves({"w": np.zeros(2), "b": np.zeros(1)}, (np.ones(2), np.ones(1)))
    {'w': array([1., 1.]), 'b': array([1.])}
    """
    found = iter(new)
    return map_leaves(lambda _: next(found), tree, kind=kind)


def named_leaves(tree: Any, kind: type | None = None, name: str = "") -> list[tuple[str, Any]]:
    """The `leaves` of a structure with their names, as one writes them: ("layers[0].weight", ...).

    Examples
    --------
    >>> named_leaves({"w": [np.ones(1), np.zeros(1)]}, name="params")
    [("params['w'][0]", array([1.])), ("params['w'][1]", array([0.]))]
    """
    if _is_leaf(tree, kind):
        return [(name, tree)]
    members = record_of(tree)
    if members is None:
        return []
    return [
        found
        for key, item in zip(keys_of(members), members, strict=True)
        if not _is_state(members, key, kind)
        for found in named_leaves(item, kind, _named(name, members, key))
    ]


def _named(name: str, members: tuple, key: object) -> str:
    return place(name, members, key).replace('"', "'").removeprefix(".")


def _is_leaf(value: Any, kind: type | None) -> bool:
    if kind is None:
        return _is_array(value) and value.dtype.kind in "fc"
    return isinstance(value, kind)


def _is_array(value: Any) -> bool:
    """Whether a value is an array of NumPy, or one in a GPU's memory of a library that has NumPy's dtypes."""
    return isinstance(value, np.ndarray) or (lives_on_gpu(value) and isinstance(value.dtype, np.dtype))


def _is_state(members: tuple, key: object, kind: type | None) -> bool:
    """Whether a member holds what is no parameter."""
    return kind is None and isinstance(members, Record) and key in _state_fields(members.cls)


@cache
def _state_fields(cls: type) -> frozenset[str]:
    found = fields(cls) if is_dataclass(cls) else ()
    return frozenset(f.name for f in found if f.metadata.get("state"))


def _mapped(f: Callable, name: str, tree: Any, rest: tuple, kind: type | None) -> Any:
    if _is_leaf(tree, kind):
        return f(tree, *rest)
    members = record_of(tree)
    if members is None:
        return tree
    others = []
    for other in rest:
        found = record_of(other)
        if found is None or not alike(members, found):
            raise _other_structure(name)
        others.append(found)
    items = [
        item if _is_state(members, key, kind) else _mapped(f, _named(name, members, key), item, tuple(row), kind)
        for key, item, *row in zip(keys_of(members), members, *others, strict=True)
    ]
    return remade(members, items)


def _other_structure(name: str, loc: Any = None) -> ArgumentError:
    return ArgumentError(f"the structures differ at {name}", loc, help="give all of them the same members")


# -- code for each structure -----------------------------------------------------------------------------------------

_WALKERS: dict[tuple, list[Callable]] = {}
_KEPT = 16  # structures of one class


def _walker(tree: Any, kind: type | None) -> Callable:
    """What gives the leaves of structures like this one, and None for others."""
    lines: list[str] = []
    found: list[str] = []
    known: dict[str, Any] = {"ndarray": np.ndarray}
    _walk(tree, "tree", kind, lines, found, known)
    text = "\n    ".join(["def walk(tree):", *lines, f"return ({''.join(f'{name}, ' for name in found)})"])
    exec(text, known)
    return known["walk"]


def _walk(value: Any, name: str, kind: type | None, lines: list[str], found: list[str], known: dict) -> None:
    cls = f"c{len(known)}"
    known[cls] = type(value)
    lines.append(f"if type({name}) is not {cls}: return None")
    if _is_leaf(value, kind):
        if kind is None:
            lines.append(f"if {name}.dtype.kind not in 'fc': return None")
        found.append(name)
        return
    members = record_of(value)
    if members is None:
        if kind is None and _is_array(value):
            lines.append(f"if {name}.dtype.kind in 'fc': return None")
        return
    parts = [f"{name}_{k}" for k in range(len(members))]
    targets = "".join(f"{part}, " for part in parts)
    if type(value) is dict:
        known[keys := f"k{len(known)}"] = list(value)
        lines.append(f"if [*{name}] != {keys}: return None")
        lines += [f"{targets} = {name}.values()"] if parts else []
    elif isinstance(value, tuple | list):
        lines.append(f"if len({name}) != {len(parts)}: return None")
        lines += [f"{targets} = {name}"] if parts else []
    else:
        lines += [f"{part} = {name}.{key}" for part, key in zip(parts, keys_of(members), strict=True)]
    for part, item, key in zip(parts, members, keys_of(members), strict=True):
        if not _is_state(members, key, kind):
            _walk(item, part, kind, lines, found, known)


# -- in compiled code ------------------------------------------------------------------------------------------------


@builtin(leaves, of_objects=True)
def _leaves(s, tree, kind=None):
    return tuple(_found(s, tree, _kind(s, kind)))


@builtin(state_leaves, of_objects=True)
def _state_leaves(s, tree):
    return tuple(_states(tree, s.members, lambda value: _is_leaf_value(value, None)))


def _kind(s, kind: object) -> type | None:
    if kind is None or kind == Static(None):
        return None
    if isinstance(kind, Static) and isinstance(kind.value, type):
        return kind.value
    raise ArgumentError(f"the kind of leaves is a class, not {describe(kind)}", s.loc)


def _found(s, value: object, kind: type | None) -> list:
    if _is_leaf_value(value, kind):
        return [value]
    members = s.members(value) or ()
    pairs = zip(keys_of(members), members, strict=True)
    return [leaf for key, item in pairs if not _is_state(members, key, kind) for leaf in _found(s, item, kind)]


def _is_leaf_value(value: object, kind: type | None) -> bool:
    if isinstance(value, View):
        return value.element.is_inexact if kind is None else issubclass(np.ndarray, kind)
    if kind is None:
        return False
    if isinstance(value, Object | Record):
        return issubclass(value.cls, kind)
    if isinstance(value, Var) and isinstance(value.type, Scalar):
        return issubclass(type(value.type.dtype.type(0).item()), kind)
    return isinstance(value.value if isinstance(value, Static | Const) else value, kind)


@builtin(with_leaves, of_objects=True)
def _with_leaves(s, tree, new, kind=None):
    found = iter(s.members(new) or ())
    kind = _kind(s, kind)

    def changed(value):
        if _is_leaf_value(value, kind):
            return next(found)
        members = s.members(value)
        if members is None:
            return value
        pairs = zip(keys_of(members), members, strict=True)
        items = [item if _is_state(members, key, kind) else changed(item) for key, item in pairs]
        return s.made(rebuilt(members, items))

    return changed(tree)


@builtin(map_leaves, of_objects=True)
def _map_leaves(s, f, tree, *rest, kind=None):
    return _mapped_value(s, f, "tree", tree, rest, _kind(s, kind))


def _mapped_value(s, f, name: str, tree, rest: tuple, kind: type | None) -> object:
    from zygopy.transform.reading.calls import call

    if _is_leaf_value(tree, kind):
        return call(s, f, [tree, *rest], {})
    members = s.members(tree)
    if members is None:
        return tree
    others = [s.members(other) for other in rest]
    if not all(other is not None and alike(members, other) for other in others):
        raise _other_structure(name, s.loc)
    items = [
        item
        if _is_state(members, key, kind)
        else _mapped_value(s, f, _named(name, members, key), item, tuple(row), kind)
        for key, item, *row in zip(keys_of(members), members, *others, strict=True)
    ]
    return s.made(rebuilt(members, items))


__all__ = ["leaves", "map_leaves", "named_leaves", "state_leaves", "with_leaves"]
