"""Lists of a length that only run time knows: their items stand in arrays with room for more.

    xs.append(v)        while n >= room: ...    the array is made longer (ops.ROOM), by doubling
                        xs[n] = v; n = n + 1

All items are of one kind: numbers of a type, arrays of a shape, objects in memory (`places`), tuples of such. To the
passes, such an array is one array for its whole life; only its length is asked for where it is wanted (ops.CAPACITY).
"""

from collections.abc import Callable
from dataclasses import replace

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Const, Let, Value, Var
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import (
    Column,
    Enumerate,
    Listed,
    Object,
    Placed,
    Range,
    References,
    Reversed,
    Static,
    View,
    Zip,
    is_number,
)
from zygopy.transform.records import Known, Record, alike, rebuilt
from zygopy.transform.types import INT, Array, Scalar, is_supported, unify

Columns = Column | tuple

EMPTY = Record((), list, ())


def of(s, value: object) -> Listed | None:
    """What a list of a length of run time holds; None for anything else."""
    content = s.frame.names.get(value.name) if isinstance(value, Object) else None
    return content if isinstance(content, Listed) else None


def is_content(value: object) -> bool:
    """Whether this is what a list holds."""
    return isinstance(value, Listed) or (isinstance(value, Record) and value.cls is list)


def is_of_run_time(s, iterable: object) -> bool:
    """Whether only run time knows how many items something has that can be iterated."""
    from zygopy.transform.reading.iteration import known_numbers, static_items

    walked = isinstance(iterable, Range | View | Zip | Enumerate | Reversed) or of(s, iterable) is not None
    return walked and static_items(s, iterable) is None and known_numbers(iterable) is None


WHAT = "a list of a length that only run time knows"


# -- columns ---------------------------------------------------------------------------------------------------------


def columns_of(s, value: object, name: str = "items") -> Columns | None:
    """New columns for items like a value; None if there are none for such."""
    if is_number(value):
        return Column(Var(name, Array(value.type.dtype, 1)), value.type)
    if isinstance(value, View) and value.ndim and is_supported(value.dtype):
        row = tuple(map(s.canonical, value.shape))
        return Column(Var(name, Array(value.dtype, 1 + len(row))), Scalar(value.dtype), row)
    if isinstance(value, Object) and isinstance(found := s.resolved(value), Placed):
        return References(Var(name, Array(INT.dtype, 1)), INT, (), found.cls, found.pool)
    if isinstance(value, tuple) and not is_content(value):
        found = [columns_of(s, item, name) for item in value]
        return None if None in found else rebuilt(value, found)
    return None


def unified(s, a: Columns | None, b: Columns | None) -> Columns | None:
    """Columns for items of both kinds: those of `a` where they hold them all, None if there are none.

    Whether arrays are of one shape is tested where they are stored.
    """
    if isinstance(a, References) or isinstance(b, References):
        return a if isinstance(a, References) and isinstance(b, References) and a.pool == b.pool else None
    if isinstance(a, Column) and isinstance(b, Column) and len(a.row) == len(b.row):
        if a.row:
            gaps = [s.facts.affine(m) - s.facts.affine(n) for m, n in zip(a.row, b.row, strict=True)]
            fits = a.type == b.type and all(gap.terms or not gap.constant for gap in gaps)
            return a if fits else None
        type_ = unify(a.type, b.type)
        if type_ is None or type_ == a.type:
            return a if type_ is not None else None
        return Column(Var(a.base.name, Array(type_.dtype, 1)), type_)
    if isinstance(a, tuple) and isinstance(b, tuple) and alike(a, b):
        found = [unified(s, x, y) for x, y in zip(a, b, strict=True)]
        return None if None in found else rebuilt(a, found)
    return None


def columns_of_content(s, content: Listed | Record, name: str = "items") -> Columns | None:
    """Columns for what a list holds, its own if it has any; None if there are none for such, or it holds nothing."""
    if isinstance(content, Listed):
        return content.columns
    found: Columns | None = None
    for k, item in enumerate(content):
        found = unified(s, found, columns_of(s, item)) if k else columns_of(s, item, name)
        if found is None:
            return None
    return found


def leaves(columns: Columns) -> list[Column]:
    """All columns."""
    return [columns] if isinstance(columns, Column) else [c for item in columns for c in leaves(item)]


def are_made_at(s, columns: Columns, depth: int) -> bool:
    """Whether the shapes of columns are known in a block around this one."""
    return all(isinstance(n, Const) or s.homes.get(n, 0) <= depth for c in leaves(columns) for n in c.row)


def fresh(columns: Columns) -> Columns:
    """Columns of the same kinds with arrays of their own."""
    if isinstance(columns, Column):
        return replace(columns, base=Var(columns.base.name, columns.base.type))
    return rebuilt(columns, map(fresh, columns))


def allocate(s, columns: Columns, room: Value) -> None:
    """Make the arrays of columns, with room for so many items."""
    for column in leaves(columns):
        let = Let(column.base, ops.NEW_LIST, (room, *column.row), s.loc)
        s.facts.definitions[column.base], s.homes[column.base] = let, s.b.depth
        s.b.emit(let)


def put(s, columns: Columns, k: Value, value: object, grow: bool = True) -> None:
    """Store item number k, which may be one more than there are if they may `grow`."""
    if isinstance(columns, Known):
        return
    if isinstance(columns, tuple):
        for column, item in zip(columns, value, strict=True):
            put(s, column, k, item, grow)
        return
    if grow:
        s.b.kernel(ops.ROOM, (columns.base,), (k,))
    if not columns.row:
        s.b.store(columns.base, (k,), s.moved(value).index if isinstance(columns, References) else value)
        return

    for m, n in zip(columns.row, value.shape, strict=True):
        arrays.same_length(s, m, n)

    def element(ks: tuple[Value, ...]) -> None:
        s.b.store(columns.base, (k, *ks), arrays.load(s, arrays.element_at(s, value, ks)))

    arrays.nest(s, columns.row, element)
    s.referred.append((s.b.statements[-1], value.base, s.loc))


def get(s, columns: Columns, k: Value) -> object:
    """Item number k, which is in range; an array is a copy that nobody may store into."""
    if isinstance(columns, Known):
        return Static(columns.value)
    if isinstance(columns, References):
        return Placed(columns.cls, "", columns.pool, s.b.load(columns.base, (k,)))
    if isinstance(columns, tuple):
        return rebuilt(columns, [get(s, column, k) for column in columns])
    if not columns.row:
        found = s.b.load(columns.base, (k,))
        return s.b.let(ops.CAST, (found,), columns.type) if columns.type.weak else found
    new = arrays.allocate(s, columns.row, columns.type.dtype)
    arrays.nest(s, columns.row, lambda ks: s.b.store(new.base, ks, s.b.load(columns.base, (k, *ks))))
    s.referred.append((s.b.statements[-1], new.base, s.loc))
    return new


def move(s, content: object, columns: Columns) -> Value:
    """Have what a list holds stand in columns, those of another list or new ones; how many items there are."""
    if isinstance(content, Record):
        for k, item in enumerate(content):
            put(s, columns, integer(k), item)
        return integer(len(content))
    if content.columns != columns:
        each(s, content.length, lambda k: put(s, columns, k, get(s, content.columns, k)))
    return content.length


def each(s, count: Value, body: Callable[[Value], None]) -> None:
    """A loop over numbers from 0, one after the other."""

    def trip(ks: tuple[Value, ...], values: tuple[Value, ...]) -> tuple[Value, ...]:
        body(ks[0])
        return ()

    arrays.fold(s, (count,), (), trip, parallel=False)


def differ(a: object, b: object) -> bool:
    """Whether what a list holds on two paths is not as long, or stands in columns on one of them."""
    return isinstance(a, Listed) or isinstance(b, Listed) or len(a) != len(b)


def columns_for_both(s, a: object, b: object, own: bool) -> Columns | None:
    """Columns made before a branch for what a list holds behind its sides; its own ones if it has any already."""
    if EMPTY in (a, b):
        columns = columns_of_content(s, b if a == EMPTY else a)
    else:
        columns = unified(s, columns_of_content(s, a), columns_of_content(s, b))
    depth = len(s.levels) - 1
    if columns is None or not are_made_at(s, columns, depth):
        return None
    for content in (a, b):
        is_listed = own and isinstance(content, Listed) and unified(s, content.columns, columns) == content.columns
        if is_listed and all(s.homes[column.base] <= depth for column in leaves(content.columns)):
            return content.columns
    columns = fresh(columns)
    allocate(s, columns, integer(1))
    return columns


# -- made ------------------------------------------------------------------------------------------------------------


def copied(s, content: Listed, pick: Callable[[View], View] = lambda view: view) -> Object:
    """A new list of the items of a list, or of those that `pick` picks from each column."""
    length = content.length

    def copy(columns: Columns) -> Columns:
        nonlocal length
        if isinstance(columns, tuple):
            return rebuilt(columns, list(map(copy, columns)))
        view = pick(columns.rows(content.length))
        length, new = view.shape[0], fresh(columns)
        allocate(s, new, length)
        target = new.rows(length)
        arrays.nest(
            s,
            view.shape,
            lambda ks: arrays.store(
                s, arrays.element_at(s, target, ks), arrays.load(s, arrays.element_at(s, view, ks))
            ),
        )
        return new

    return s.new_object(Listed(copy(content.columns), length))


def view_of(s, content: Listed) -> View:
    """The items as an array, for what reads them at once."""
    if isinstance(content.columns, tuple):
        raise UnsupportedError(
            "an array of a list of tuples is not supported",
            s.loc,
            "how many of them there are is not known at compile time",
            "keep a list for each member of the tuples",
        )
    if isinstance(content.columns, References):
        raise UnsupportedError(
            f"reading a list of {content.columns.cls.__name__} objects at once is not supported",
            s.loc,
            "how many of them there are is not known at compile time",
            "go through them in a loop",
        )
    return content.columns.rows(content.length)
