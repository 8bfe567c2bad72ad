"""Objects with members: NamedTuples, dataclasses, dicts and lists, as trees of what their members are.

The same tree stands for the types of an argument, for values while a function is followed, and for its results; a plain
tuple stands for itself.
"""

import dataclasses
import functools
import typing

from zygopy.errors import UnsupportedError


class Record(tuple):
    """The members of an object: a tuple that knows the object's class and what the members are called.

    `keys` are positions for a list, keys for a dict, names of fields otherwise.
    """

    cls: type
    keys: tuple

    def __new__(cls, items, of: type, keys):
        self = super().__new__(cls, items)
        self.cls, self.keys = of, tuple(keys)
        return self

    def __eq__(self, other):
        same = type(other) is Record and self.cls is other.cls and self.keys == other.keys
        return same and tuple.__eq__(self, other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash((self.cls, self.keys, tuple(self)))

    def __reduce__(self):
        return Record, (tuple(self), self.cls, self.keys)

    @property
    def is_named_tuple(self) -> bool:
        return issubclass(self.cls, tuple)

    def member(self, key: object) -> object:
        """The member of this name; it is there."""
        return self[self.keys.index(key)]

    def changed(self, key: object, item: object) -> "Record":
        """The same with one member replaced, or added."""
        if key not in self.keys:
            return Record((*self, item), self.cls, (*self.keys, key))
        return Record((item if k == key else old for k, old in zip(self.keys, self, strict=True)), self.cls, self.keys)


class Known(tuple):
    """A member that is known at compile time: a tree without leaves."""

    value: object

    def __new__(cls, value):
        self = super().__new__(cls)
        self.value = value
        return self

    def __eq__(self, other):
        return type(other) is Known and type(self.value) is type(other.value) and self.value == other.value

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash((Known, self.value))

    def __reduce__(self):
        return Known, (self.value,)


def rebuilt(tree: tuple, items) -> tuple:
    """A tree of the same class and keys with other members."""
    if isinstance(tree, Record):
        return Record(items, tree.cls, tree.keys)
    return tree if isinstance(tree, Known) else tuple(items)


def alike(a: object, b: object) -> bool:
    """Whether two trees are of one class with members of the same names."""
    if isinstance(a, Record) or isinstance(b, Record):
        return type(a) is type(b) and a.cls is b.cls and a.keys == b.keys
    return isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b)


def is_named_tuple(cls: type) -> bool:
    """Whether a class is a NamedTuple."""
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


_SPECIAL = {"__setattr__", "__getattr__", "__getattribute__", "__delattr__", "__new__"}
_OF_TUPLES = {"__getitem__", "__len__", "__iter__", "__contains__", "__reversed__", "__bool__", "__hash__"}
_OF_TUPLES |= {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}


@functools.cache
def check_class(cls: type) -> None:
    """Refuse a NamedTuple or dataclass that changes what reading, making and storing mean.

    Raises
    ------
    UnsupportedError
        If one of its special methods is not followed.
    """
    own = _SPECIAL | _OF_TUPLES if is_named_tuple(cls) else _SPECIAL
    for base in cls.__mro__:
        if base.__module__ == "builtins":
            break
        for name in sorted(own & base.__dict__.keys()):
            if not is_generated(base.__dict__[name]):
                what = f"{cls.__name__} has a {name} of its own, which is not followed"
                raise UnsupportedError(what, help="use a method of another name")
    if type(cls).__call__ is not type.__call__:
        raise UnsupportedError(f"{cls.__name__} has a metaclass that makes its objects", help="use a plain class")


def is_generated(method: object) -> bool:
    """Whether Python's dataclass or NamedTuple wrote a method, not the user."""
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    return code is None or code.co_filename.startswith("<string>")


def is_equal_by_identity(cls: type) -> bool:
    """Whether == of objects asks which objects they are."""
    return not any("__eq__" in base.__dict__ for base in cls.__mro__[:-1])


def is_plain(cls: type) -> bool:
    """Whether attributes of instances are set as usual."""
    return cls.__dict__.get("__setattr__", cls.__setattr__) == object.__setattr__


def fields_of(cls: type) -> tuple[str, ...]:
    """The names of the fields of a NamedTuple or dataclass."""
    return tuple(cls._fields) if is_named_tuple(cls) else tuple(f.name for f in dataclasses.fields(cls))


def is_record_class(cls: type) -> bool:
    """Whether a class is a NamedTuple or a dataclass."""
    return is_named_tuple(cls) or dataclasses.is_dataclass(cls)


def record_of(value: object) -> tuple | None:
    """The members of a Python object, a plain tuple included; None for one that has none.

    Raises
    ------
    AttributeError
        If an object lacks a field of its class.
    UnsupportedError
        If its class changes what reading, making and storing mean.
    """
    cls = type(value)
    if cls is tuple:
        return value
    if cls is list:
        return Record(value, list, range(len(value)))
    if cls is dict:
        return Record(value.values(), dict, value)
    if is_record_class(cls):
        check_class(cls)
    if is_named_tuple(cls):
        return Record(value, cls, cls._fields)
    if dataclasses.is_dataclass(cls):
        names = fields_of(cls)
        return Record((getattr(value, name) for name in names), cls, names)
    return None


def members_of(value: object) -> tuple:
    """The members of a Python object that has some, or none for a leaf."""
    return record_of(value) or ()


@functools.cache
def static_fields(cls: type) -> frozenset[str]:
    """The fields of a dataclass whose metadata says that their values are known when code is compiled."""
    found = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    return frozenset(f.name for f in found if f.metadata.get("static"))


def counting_fields(cls: type) -> set[str]:
    """The fields that are declared to hold an int or a bool, and so have no derivative."""
    if not is_record_class(cls):
        return set()
    if is_named_tuple(cls):
        found = getattr(cls, "__annotations__", {})
    else:
        found = {f.name: f.type for f in dataclasses.fields(cls)}
    return {name for name, type_ in found.items() if type_ in (int, bool, "int", "bool")}


def place(name: str, tree: tuple, key: object) -> str:
    """What a user writes for a member: params["w"], layer.weights, layers[0]."""
    if isinstance(tree, Record) and tree.cls not in (dict, list):
        return f"{name}.{key}"
    return f'{name}["{key}"]' if isinstance(key, str) else f"{name}[{key!r}]"


def keys_of(tree: tuple) -> tuple:
    """What the members of a tree are called."""
    return tree.keys if isinstance(tree, Record) else tuple(range(len(tree)))


Tree = typing.Any  # a leaf, a plain tuple of trees, a Record of trees, or a Known
