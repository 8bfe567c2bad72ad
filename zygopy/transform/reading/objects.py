"""What Python does with lists, dicts, NamedTuples and dataclasses: made, read, changed; their methods and properties.

How many members an object has and what they are called is known at compile time; only the members are of run time.
"""

import dataclasses
import functools
import types
from collections.abc import Callable

from zygopy.errors import ArgumentError, OutOfBoundsError, TypeJoinError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const, Value
from zygopy.transform.reading import list_methods, lists, outside, places
from zygopy.transform.reading.iterators import refuse_kept
from zygopy.transform.reading.values import (
    Attributes,
    Conflict,
    Listed,
    Method,
    Object,
    Partial,
    Placed,
    Static,
    Super,
    Template,
    UnknownMemberError,
    describe,
)
from zygopy.transform.records import Record, check_class, fields_of, is_generated, is_named_tuple, is_record_class

# -- made ------------------------------------------------------------------------------------------------------------


def make_list(s, items) -> Object:
    """A new list."""
    items = tuple(items)
    return s.new_object(Record(items, list, range(len(items))))


def make_dict(s, pairs) -> Object:
    """A new dict of pairs of a Python key and a value."""
    content = Record((), dict, ())
    for key, value in pairs:
        content = content.changed(key, value)
    return s.new_object(content)


def construct(s, cls: type, args: list, kwargs: dict) -> object:
    """A call of a NamedTuple's or dataclass's class."""
    try:
        check_class(cls)
    except UnsupportedError as error:
        raise UnsupportedError(error.what, s.loc, error.why, error.help) from None
    if is_named_tuple(cls):
        return _named_tuple(s, cls, args, kwargs)
    made = s.new_object(Record((), cls, ()))
    init = cls.__init__
    if not is_generated(init):
        s.call_function(init, [made, *args], kwargs)
        return made
    fields = cls.__dataclass_fields__.values()
    kinds = {f.name: f._field_type.name for f in fields}
    fields = [f for f in fields if kinds[f.name] != "_FIELD_CLASSVAR"]
    names = [f.name for f in fields if f.init]
    given = _bind(s, cls, [f.name for f in fields if f.init and not f.kw_only], names, args, kwargs)
    for_init = []
    for f in fields:
        value = given.get(f.name)
        if value is None:
            value = _default(s, cls, f)
        if kinds[f.name] == "_FIELD_INITVAR":
            for_init.append(value)
        elif value is not None:
            s.change(made, s.content(made).changed(f.name, value))
    if hasattr(cls, "__post_init__"):
        s.call_function(cls.__post_init__, [made, *for_init], {})
    return made


def _default(s, cls: type, f: dataclasses.Field) -> object:
    from zygopy.transform.reading import calls

    if f.default is not dataclasses.MISSING:
        return outside.value_of(s, f.default, (Attributes(cls), f.name))
    if f.default_factory is not dataclasses.MISSING:
        return calls.call(s, Static(f.default_factory), [], {})
    if f.init:
        raise ArgumentError(f"{cls.__name__} needs a value for {f.name}", s.loc)
    return None


def _named_tuple(s, cls: type, args: list, kwargs: dict) -> Record:
    names = list(cls._fields)
    given = _bind(s, cls, names, names, args, kwargs)
    for name, default in cls._field_defaults.items():
        if name not in given:
            given[name] = outside.value_of(s, default, None)
    if missing := [n for n in names if n not in given]:
        raise ArgumentError(f"{cls.__name__} needs a value for {', '.join(missing)}", s.loc)
    refuse_kept(s, *given.values())
    return Record((given[n] for n in names), cls, names)


def _bind(s, cls: type, positional: list[str], names: list[str], args: list, kwargs: dict) -> dict[str, object]:
    if len(args) > len(positional):
        raise ArgumentError(f"{cls.__name__} takes {len(positional)} arguments, {len(args)} were given", s.loc)
    given = dict(zip(positional, args, strict=False))
    for name, value in kwargs.items():
        if name in given or name not in names:
            problem = "was given twice" if name in given else "is not one of its fields"
            raise ArgumentError(f"{cls.__name__}: {name} {problem}", s.loc)
        given[name] = value
    return given


# -- members ---------------------------------------------------------------------------------------------------------


def key_of(s, value: object) -> object:
    """The Python key that an index or key stands for."""
    if isinstance(value, Static) and isinstance(value.value, str) and not isinstance(value.value, Template):
        return value.value
    if isinstance(value, Const) and value.type.is_integer:
        return int(value.value)
    raise UnknownMemberError(
        f"{describe(value)} as a key or index is not supported",
        s.loc,
        "which member it is must be known at compile time, for members may have different types",
        "use a constant, or put the members into an array",
    )


def position_of(s, content: Record, value: object) -> int:
    """The position that an index of a list means."""
    key = key_of(s, value)
    if not isinstance(key, int):
        raise UnsupportedError(f"a list has no member {key!r}", s.loc)
    if not -len(content) <= key < len(content):
        raise OutOfBoundsError(f"index {key} is out of range for a list of {len(content)}", s.loc)
    return key % len(content)


def item(s, owner: Object, index: object) -> object:
    """owner[index] of a list or dict."""
    content = s.content(owner)
    if isinstance(content, Listed):
        return list_methods.item(s, owner, index)
    if owner.cls is list and isinstance(index, slice):
        return make_list(s, tuple(content)[index])
    if owner.cls is list:
        return _of_one_type(s, content[position_of(s, content, index)], "an item of the list")
    if owner.cls is dict:
        key = key_of(s, index)
        return _of_one_type(s, _at_key(s, content, key), f"the item {key!r} of the dict")
    raise UnsupportedError(f"indexing {describe(owner)} is not supported", s.loc, help="read its fields by name")


def _of_one_type(s, member: object, what: str) -> object:
    """A member that is read."""
    if isinstance(member, Conflict):
        raise TypeJoinError(
            f"{what} has different types on different paths: {member.a} and {member.b}",
            s.loc,
            "compiled code needs one type for a variable where paths meet",
            "use two names, or convert one of the values",
        )
    return member


def _at_key(s, content: Record, key: object) -> object:
    if key not in content.keys:
        known = ", ".join(map(repr, content.keys)) or "none"
        raise OutOfBoundsError(f"the dict has no key {key!r}", s.loc, help=f"its keys are {known}")
    return content.member(key)


def assign_item(s, owner: Object, index: object, value: object) -> None:
    """owner[index] = value of a list or dict."""
    content = s.content(owner)
    if owner.cls not in (list, dict) or isinstance(index, slice):
        raise UnsupportedError(f"this store into {describe(owner)} is not supported", s.loc, help="store item by item")
    if isinstance(content, Listed):
        list_methods.assign_item(s, owner, index, value)
        return
    key = position_of(s, content, index) if owner.cls is list else key_of(s, index)
    s.change_member(owner, key, value)


def attribute(s, value: Object | Record, name: str) -> object:
    """value.name of an object or NamedTuple."""
    if isinstance(value, Object) and value.cls in (list, dict):
        return Method(value, name)
    members = s.members(value)
    if name in members.keys:
        return _of_one_type(s, members.member(name), f"the field {name}")
    return class_attribute(s, members.cls, members.cls.__mro__, value, name)


def class_attribute(s, cls: type, bases: tuple[type, ...], value: object, name: str) -> object:
    """What `name` of an instance is by the first of the classes that has it: a method, a property, a value."""
    if name == "__class__":
        return Static(cls)
    if is_named_tuple(cls) and name in _NAMED_TUPLE:
        return Method(value, name)
    found = next((base.__dict__[name] for base in bases if name in base.__dict__), None)
    if found is None or (name in fields_of(cls) and isinstance(found, types.MemberDescriptorType)):
        raise UnsupportedError(f"{cls.__name__} has no attribute {name} here", s.loc, help="declare it as a field")
    match found:
        case property() if found.fget is not None:
            return s.call_function(found.fget, [value], {})
        case functools.cached_property():
            return s.call_function(found.func, [value], {})
        case staticmethod():
            return Static(found.__func__)
        case classmethod():
            return Partial(Static(found.__func__), (Static(cls),), {})
    if isinstance(found, types.FunctionType) or isinstance(getattr(found, "py_func", None), types.FunctionType):
        return Partial(Static(found), (value,), {})
    if hasattr(type(found), "__get__"):
        raise UnsupportedError(f"the descriptor {cls.__name__}.{name} is not supported", s.loc, help="use a property")
    return outside.value_of(s, found, (Attributes(cls), name))


def method_of(s, value: object, name: str) -> object | None:
    """A method that the class of an object defines in Python; None if there is none."""
    members = s.members(value) if isinstance(value, Object | Record) else None
    if not isinstance(members, Record) or not is_record_class(members.cls):
        return None
    for base in members.cls.__mro__:
        found = base.__dict__.get(name)
        if isinstance(found, types.FunctionType) and not is_generated(found):
            return class_attribute(s, members.cls, members.cls.__mro__, value, name)
    return None


def has_attribute(s, value: object, name: str) -> bool:
    """hasattr of an object."""
    if isinstance(value, Object) and value.cls is list:
        return hasattr(list, name)
    members = s.members(value)
    if isinstance(members, Record) and members.cls not in (list, dict):
        return name in members.keys or hasattr(members.cls, name)
    return hasattr(members.cls if isinstance(members, Record) else tuple, name)


def assign_attribute(s, value: object, name: str, new: object, unguarded: bool = False) -> None:
    """value.name = new; `unguarded` as object.__setattr__ does it."""
    if not isinstance(value, Object) or value.cls in (list, dict):
        what = describe(value)
        raise UnsupportedError(f"assigning to an attribute of {what} is not supported", s.loc, help="make a new one")
    cls = value.cls
    if not unguarded:
        if cls.__dataclass_params__.frozen:
            raise UnsupportedError(f"{cls.__name__} is frozen", s.loc, help="use dataclasses.replace")
        found = next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), None)
        if isinstance(found, property):
            if found.fset is None:
                raise UnsupportedError(f"the property {cls.__name__}.{name} has no setter", s.loc)
            s.call_function(found.fset, [value, new], {})
            return
    s.change_member(value, name, new)


def super_of(s) -> Super:
    """super() in a method."""
    frame = s.frame
    args = frame.parsed.args
    first = [*args.posonlyargs, *args.args]
    if not first or frame.scope is None:
        raise UnsupportedError("super() is supported in methods only", s.loc)
    return Super(s.read_name("__class__").value, frame.names[first[0].arg])


def attribute_of_super(s, value: Super, name: str) -> object:
    """super().name"""
    cls = s.members(value.owner).cls if not isinstance(value.owner, Static) else value.owner.value
    return class_attribute(s, cls, cls.__mro__[cls.__mro__.index(value.after) + 1 :], value.owner, name)


# -- methods of Python's own ------------------------------------------------------------------------------------------


def call_method(s, owner: Object | Record, name: str, args: list, kwargs: dict) -> object:
    """A method of a list, dict or NamedTuple."""
    cls = owner.cls
    methods = _LIST if cls is list else _DICT if cls is dict else _NAMED_TUPLE
    handler = (methods if lists.of(s, owner) is None else list_methods.METHODS).get(name)
    if handler is None:
        raise UnsupportedError(f"the method {name} of a {cls.__name__} is not supported", s.loc, help="write a loop")
    try:
        return handler(s, owner, *args, **kwargs)
    except TypeError as error:
        if error.__traceback__.tb_next is not None:
            raise
        raise ArgumentError(f"this call of {name} is not supported: {error}", s.loc) from None


def _items(s, value: object) -> list:
    from zygopy.transform.reading.expressions import items_of
    from zygopy.transform.reading.iteration import static_items

    found = static_items(s, value)
    return list(items_of(s, value)) if found is None else found


def _set(s, owner: Object, items: list) -> Static:
    s.change(owner, Record(items, list, range(len(items))))
    return Static(None)


def _append(s, owner, value):
    return _set(s, owner, [*s.content(owner), value])


def _extend(s, owner, items):
    if lists.is_of_run_time(s, items):
        list_methods.extend(s, owner, items)
        return Static(None)
    return _set(s, owner, [*s.content(owner), *_items(s, items)])


def _insert(s, owner, index, value):
    items = list(s.content(owner))
    items.insert(key_of(s, index), value)
    return _set(s, owner, items)


def _pop(s, owner, index=None):
    content = s.content(owner)
    position = position_of(s, content, integer(-1) if index is None else index)
    _set(s, owner, [v for k, v in enumerate(content) if k != position])
    return content[position]


def _reverse(s, owner):
    return _set(s, owner, list(s.content(owner))[::-1])


def _clear(s, owner):
    s.change(owner, Record((), owner.cls, ()))
    return Static(None)


def _copy(s, owner):
    return s.new_object(s.content(owner))


_LIST: dict[str, Callable] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "pop": _pop,
    "reverse": _reverse,
    "clear": _clear,
    "copy": _copy,
}


def key_value(key: object) -> object:
    """The value that a Python key is."""
    return constant(key) if isinstance(key, int) else Static(key)


def _pairs(s, owner):
    content = s.content(owner)
    return tuple((key_value(k), v) for k, v in zip(content.keys, content, strict=True))


def _keys(s, owner):
    return tuple(map(key_value, s.content(owner).keys))


def _values(s, owner):
    return tuple(s.content(owner))


def _get(s, owner, key, default=None):
    content, key = s.content(owner), key_of(s, key)
    return content.member(key) if key in content.keys else Static(None) if default is None else default


def _pop_key(s, owner, key, default=None):
    content, key = s.content(owner), key_of(s, key)
    if key not in content.keys and default is not None:
        return default
    found = _at_key(s, content, key)
    rest = [(k, v) for k, v in zip(content.keys, content, strict=True) if k != key]
    s.change(owner, Record((v for _, v in rest), dict, (k for k, _ in rest)))
    return found


def _set_default(s, owner, key, default):
    content, key = s.content(owner), key_of(s, key)
    if key not in content.keys:
        s.change_member(owner, key, default)
    return s.content(owner).member(key)


def _update(s, owner, other=None, **more):
    for key, value in [*(dict_pairs(s, other) if other is not None else ()), *more.items()]:
        s.change_member(owner, key, value)
    return Static(None)


def dict_pairs(s, value: object) -> list[tuple]:
    """The pairs that dict(value) is made of."""
    if isinstance(value, Object) and value.cls is dict:
        content = s.content(value)
        return list(zip(content.keys, content, strict=True))
    return [(key_of(s, key), item) for key, item in (_items(s, pair) for pair in _items(s, value))]


_DICT: dict[str, Callable] = {
    "items": _pairs,
    "keys": _keys,
    "values": _values,
    "get": _get,
    "pop": _pop_key,
    "setdefault": _set_default,
    "update": _update,
    "clear": _clear,
    "copy": _copy,
}


def _replace(s, owner: Record, **changes):
    for name, value in changes.items():
        if name not in owner.keys:
            raise ArgumentError(f"{owner.cls.__name__} has no field {name}", s.loc)
        owner = owner.changed(name, value)
    return owner


def _as_dict(s, owner: Record):
    return make_dict(s, zip(owner.keys, owner, strict=True))


_NAMED_TUPLE: dict[str, Callable] = {"_replace": _replace, "_asdict": _as_dict}


def replaced(s, value: object, changes: dict) -> object:
    """dataclasses.replace(value, **changes): made again by its class."""
    if not (isinstance(value, Object) and dataclasses.is_dataclass(value.cls)):
        raise UnsupportedError(f"replace needs a dataclass, not {describe(value)}", s.loc)
    content = s.content(value)
    old = {f.name: content.member(f.name) for f in dataclasses.fields(value.cls) if f.init}
    return construct(s, value.cls, [], old | changes)


def is_same(s, a: object, b: object) -> Value:
    """a is b, of objects."""
    a, b = (s.resolved(v) if isinstance(v, Object) else v for v in (a, b))
    if isinstance(a, Placed) and isinstance(b, Placed):
        return s.b.apply(ops.EQ, a.index, b.index) if a.pool == b.pool else constant(False)
    if isinstance(a, Placed) or isinstance(b, Placed):
        return constant(False)
    unsure = [v for v in (a, b) if isinstance(v, Object) and (v.name in s.fixed or v.name in s.choices)]
    if a != b and unsure:
        for value in unsure:
            places.note(s, value.name)
        raise UnsupportedError("which object this is, is not known at compile time", s.loc, help="compare by ==")
    return constant(a == b)
