"""The values of the abstract interpreter: what a Python name can stand for while a function is specialised.

A number is an IR value, a tuple is a Python tuple of values, a NamedTuple a Record of them (records.py). A list, dict
or dataclass is an `Object`: a reference to a Record that stands among the names, because it can change. The other
kinds are here.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from zygopy.errors import Loc, UnsupportedError, ZygopyError
from zygopy.transform.build import constant, integer, zero
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.reading.parse import Parsed
from zygopy.transform.records import Record, keys_of, rebuilt, record_of
from zygopy.transform.types import BOOL_, COMPLEX128, FLOAT64, INT64, Scalar, real


@dataclass(frozen=True)
class Static:
    """A Python object known at compile time: a function, module, class, string, None, dtype, slice bound."""

    value: object


@dataclass(frozen=True)
class Fixed:
    """An axis of the base array at which a view stands still."""

    index: Value


@dataclass(frozen=True)
class Span:
    """An axis of a view: element k of it is element start + k * step of the base's axis."""

    start: Value
    step: Value
    length: Value
    whole: bool = False


@dataclass(frozen=True)
class Repeated:
    """An axis of a view behind which no axis of the base stands: np.newaxis, or one that broadcasting repeats."""

    length: Value


@dataclass(frozen=True)
class Window(Repeated):
    """An axis of a view that moves along an axis of the base, as another one of the view's axes does already."""

    axis: int
    step: Value


@dataclass(frozen=True)
class View:
    """An array, or a slice of one: one Fixed or Span for each axis of `base`.

    `order` gives the view's own axes: the position of a Span among `axes`, or a Repeated one (or Window); None for all
    the Spans as they come. Views are symbolic: element accesses go straight to the base array. `frozen` marks
    stop_gradient, `read_only` what np.broadcast_to and sliding_window_view give.
    """

    base: Var
    axes: tuple[Fixed | Span, ...]
    frozen: bool = False
    order: tuple[int | Repeated, ...] | None = None
    read_only: bool = False
    part: str = ""  # "real" or "imag": the view is of that part of complex elements

    @property
    def own_axes(self) -> tuple[int | Repeated, ...]:
        if self.order is not None:
            return self.order
        return tuple(k for k, a in enumerate(self.axes) if isinstance(a, Span))

    @property
    def spans(self) -> tuple[Span | Repeated, ...]:
        return tuple(self.axes[k] if isinstance(k, int) else k for k in self.own_axes)

    @property
    def shape(self) -> tuple[Value, ...]:
        return tuple(span.length for span in self.spans)

    def ordered(self, order: tuple[int | Repeated, ...], axes: tuple[Fixed | Span, ...] | None = None) -> "View":
        """The same elements with other axes."""
        axes = self.axes if axes is None else axes
        plain = order == tuple(k for k, a in enumerate(axes) if isinstance(a, Span))
        return replace(self, axes=axes, order=None if plain else order)

    @property
    def ndim(self) -> int:
        return len(self.spans)

    @property
    def element(self) -> Scalar:
        return real(self.base.type.element) if self.part else self.base.type.element

    @property
    def dtype(self):
        return self.element.dtype

    @property
    def is_whole(self) -> bool:
        return self.order is None and not self.part and all(isinstance(a, Span) and a.whole for a in self.axes)


@dataclass(frozen=True)
class Column:
    """What one leaf of the items of a list is, one row of an array for each item: numbers of a type, or arrays."""

    base: Var
    type: Scalar  # of a number, or of the elements of an array
    row: tuple[Value, ...] = ()  # the shape of an array

    def rows(self, length: Value) -> View:
        """The first rows, as many as there are items."""
        inner = (Span(integer(0), integer(1), n, whole=True) for n in self.row)
        return View(self.base, (Span(integer(0), integer(1), length), *inner))


@dataclass(frozen=True)
class References(Column):
    """Items that are objects in memory, each by its number in their pool."""

    cls: type = list
    pool: int = 0


@dataclass(frozen=True)
class Listed:
    """What a list holds whose length only run time knows: items of one kind, in columns (a Column, or a tuple of such).

    The arrays belong to this list alone, and have room for more.
    """

    columns: "Column | tuple"
    length: Value

    cls = list


@dataclass(frozen=True)
class JoinedItems:
    """A list or tuple of the caller whose items are alike: `rows` is an item whose arrays have a row for each."""

    rows: object
    length: Value
    cls: type


class Frame:
    """One activation of a function: its names, and where other names are looked up."""

    def __init__(self, parsed: Parsed | None, outer: "Frame | None", scope: "Scope | None", place: Loc | None = None):
        self.parsed, self.outer, self.scope = parsed, outer, scope
        self.place: Loc | None = (
            outer.place if outer is not None else place
        )  # the user's, of a function that is not the user's
        self.names: dict[str, object] = {}
        self.defaults: dict[str, object] = {}  # of an inner function's parameters


@dataclass(frozen=True)
class Scope:
    """Where a Python function finds the names that it does not assign: its cells and its globals."""

    function: object

    def find(self, name: str) -> tuple[bool, object]:
        """Whether there is such a name, and its object now."""
        code = self.function.__code__
        if name in code.co_freevars:
            cell = self.function.__closure__[code.co_freevars.index(name)]
            try:
                return True, cell.cell_contents
            except ValueError:
                return False, None
        namespace = self.function.__globals__
        if name in namespace:
            return True, namespace[name]
        builtins = namespace.get("__builtins__", {})
        builtins = builtins if isinstance(builtins, dict) else vars(builtins)
        return name in builtins, builtins.get(name)


@dataclass(frozen=True, eq=False)
class Closure:
    """A function or lambda defined inside the function being specialised."""

    parsed: Parsed
    frame: Frame
    defaults: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Object:
    """A list, dict or dataclass: what it holds now is the value of the name `name`, which only the interpreter uses."""

    cls: type
    name: str


@dataclass(frozen=True)
class Placed(Object):
    """An object in memory: one of a pool of objects (places.py), by its number; it has no name of its own."""

    pool: int
    index: Value


OBJECT = "object@"


def is_object_name(name: str) -> bool:
    """Whether a name stands for what an object holds."""
    return name.startswith(OBJECT)


@dataclass(frozen=True)
class Inside:
    """The members of an object that a function captures, looked up as names are."""

    scope: "Scope | Inside | Attributes"
    name: object

    def find(self, key: object) -> tuple[bool, object]:
        """Whether the object has such a member, and what it is now."""
        found, owner = self.scope.find(self.name)
        if not found:
            return False, None
        try:
            return True, getattr(owner, str(key)) if is_attribute(owner, key) else owner[key]
        except (AttributeError, LookupError, TypeError):
            return False, None


def path_of(scope: object, name: object) -> str:
    """What an array is called that a function captures: by its name, or by the way to it through objects."""
    return f"{path_of(scope.scope, scope.name)}_{name}" if isinstance(scope, Inside) else str(name)


@dataclass(frozen=True)
class Attributes:
    """The attributes of a class, module or other object known at compile time, looked up as names are."""

    owner: object

    def __eq__(self, other):
        return type(other) is Attributes and self.owner is other.owner

    def __hash__(self):
        return id(self.owner)

    def find(self, name: str) -> tuple[bool, object]:
        """Whether there is such an attribute, and what it is now."""
        return hasattr(self.owner, name), getattr(self.owner, name, None)


@dataclass(frozen=True)
class Shape:
    """The class and the keys of an object that a function captures, looked up as names are."""

    scope: Scope | Inside | Attributes

    def find(self, name: object) -> tuple[bool, object]:
        """What the object is like now."""
        return True, shape_of(self.scope.find(name)[1])


def is_attribute(owner: object, key: object) -> bool:
    return isinstance(key, str) and not isinstance(owner, dict)


def shape_of(value: object) -> tuple:
    """The class and the keys of an object."""
    return type(value), keys_of(record_of(value) or ())


@dataclass(frozen=True)
class Range:
    start: Value
    stop: Value
    step: Value


@dataclass(frozen=True)
class Zip:
    items: tuple


@dataclass(frozen=True)
class Enumerate:
    item: object
    start: Value


@dataclass(frozen=True)
class Reversed:
    item: object


@dataclass(frozen=True)
class Generated:
    """The items of a generator expression or `map`, made at once: what takes it goes through all of it at once, too."""

    items: tuple


@dataclass(frozen=True)
class Once:
    """An iterator with a name; `level`: how deep in loops and branches it got it, and must be read, or -1 if it was."""

    iterator: Zip | Enumerate
    level: int


@dataclass(frozen=True)
class Checkpointed:
    """What a loop iterates that keeps few copies of its state for the reverse part."""

    item: object
    snapshots: Value


@dataclass(frozen=True)
class Method:
    """A method of a value, looked up and not yet called."""

    owner: object
    name: str


@dataclass(frozen=True)
class Partial:
    """A callable with some of its arguments given: functools.partial."""

    function: object
    args: tuple
    kwargs: dict


@dataclass(frozen=True)
class Applied:
    """An operator applied to a function inside a program; `task` is what the pipeline makes of it."""

    callee: object
    task: object


@dataclass(frozen=True)
class Mapped:
    """A function inside a program that vmap maps over axes of its arguments."""

    callee: object
    in_axes: object
    out_axes: object


@dataclass(frozen=True)
class LinearAt:
    """What vjp and linearize return inside a program: a linear map at a place, computed anew where it is called."""

    callee: object
    task: object
    primals: tuple
    like: object  # what it is applied to must be like


@dataclass(frozen=True)
class Super:
    """super(): the attributes of an object that come behind a class."""

    after: type
    owner: object


@dataclass(frozen=True)
class Unbound:
    """A name without a value, and why reading it is refused.

    `late`: the loop and the name of an array that has a value if the function is specialised again to keep it.
    """

    why: str = ""
    late: tuple | None = None


@dataclass(frozen=True)
class Maybe:
    """A name that has a value only where `flag` holds."""

    value: object
    flag: Value


def is_number(value: object) -> bool:
    return isinstance(value, Var | Const)


def describe(value: object) -> str:
    """What a value is, in the words of a message."""
    match value:
        case Const():
            return f"{value.value!r}" if value.type.weak else f"{value.type}"
        case Var():
            dtype = value.type.dtype
            kind = {"c": "a complex number", "f": "a float", "i": "an int", "u": "an int", "b": "a bool"}[dtype.kind]
            return kind if dtype in (FLOAT64, COMPLEX128, INT64, BOOL_) else f"{kind} ({dtype})"
        case View():
            article = "a constant" if value.frozen else "an"
            return f"{article} array of {value.dtype} with {value.ndim} dimension{'s' * (value.ndim != 1)}"
        case Record():
            return f"a {value.cls.__name__}" + f" of {len(value)}" * (value.cls in (list, dict))
        case tuple():
            return f"a tuple of {len(value)}"
        case Object():
            return f"a {value.cls.__name__}"
        case Listed():
            return "a list"
        case JoinedItems():
            return f"a {value.cls.__name__}"
        case Static():
            if value.value is None:
                return "None"
            if isinstance(value.value, np.ndarray):
                return "an array that is neither an argument nor captured by name"
            return (
                f"{value.value!r}"
                if isinstance(value.value, str)
                else getattr(value.value, "__name__", repr(value.value))
            )
        case Closure():
            return f"the function {value.parsed.name}"
        case Method():
            return f"the method {value.name}"
        case Applied():
            return f"a derivative of {describe(value.callee)}"
        case Generated():
            return "a generator"
        case Once() | Zip() | Enumerate() | Reversed():
            return "an iterator"
        case LinearAt():
            return f"a linear map of {describe(value.callee)}"
        case Mapped():
            return f"a vmap of {describe(value.callee)}"
        case Range():
            return "a range"
        case Unbound() | Maybe():
            return "possibly nothing"
    return type(value).__name__.lower()


@dataclass(frozen=True)
class Conflict:
    """A name whose values on two paths do not fit each other; reading it is an error.

    `places` are the statements in which such paths meet.
    """

    a: str
    b: str
    places: frozenset[Loc] = frozenset()


class UnknownMemberError(UnsupportedError):
    """Which members of a tuple or object there are, or which is meant, is not known at compile time."""


class Template(str):
    """A text of which some parts are known only at run time; they stand as their source."""


class StartAgain(Exception):
    """Something was found about a program for which it is read from its start."""


class Raises(Exception):
    """The path being interpreted always raises at run time; `error` if it is one of ours."""

    def __init__(self, error: ZygopyError | None = None):
        self.error = error


class Unknown(Raises):
    """What a function that calls itself returns on this path will be known when it is known of other paths."""


def optional(value: object) -> tuple[object, Value]:
    """A value and whether there is one."""
    match value:
        case Unbound():
            return None, constant(False)
        case Maybe():
            return value.value, value.flag
    return value, constant(True)


def numeric(value: object) -> bool:
    """Whether a value is a number or a tuple of numbers."""
    return is_number(value) or (isinstance(value, tuple) and all(numeric(v) for v in value))


def zeros(value: object) -> object:
    """Zeros of the types of a number or tuple of numbers; None for others."""
    if is_number(value):
        return zero(value.type)
    if isinstance(value, tuple):
        items = rebuilt(value, (zeros(v) for v in value))
        return None if any(i is None for i in items) else items
    return None


def plain_name(name: str) -> str:
    """A name of the user, without the mark that tells it from others."""
    return name.split("@")[0]
