"""What changes or reads a list of a length that only run time knows: subscripts and methods."""

from collections.abc import Callable

from zygopy.errors import OutOfBoundsError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.reading import arrays, lists, places
from zygopy.transform.reading.values import Column, Listed, Object, Static, describe, is_number
from zygopy.transform.records import Record
from zygopy.transform.types import INT


def fitting(s, content: Listed, wanted: lists.Columns | None, value: object) -> Listed:
    """The list with columns that hold another value, too."""
    columns = None if wanted is None else lists.unified(s, content.columns, wanted)
    if columns is None:
        raise UnsupportedError(
            f"{describe(value)} in this list is not supported",
            s.loc,
            "only run time knows how long it is, and the items of such a list are of one kind: numbers of one type, "
            "arrays of one shape, tuples of such, or objects of one class that hold numbers",
            "keep another list for it",
        )
    if columns == content.columns:
        return content
    columns = lists.fresh(columns)
    lists.allocate(s, columns, integer(1))
    return Listed(columns, lists.move(s, content, columns))


def append(s, owner: Object, value: object) -> None:
    places.move_objects(s, value)
    content = lists.of(s, owner)
    content = fitting(s, content, lists.columns_of(s, value), value)
    s.change(owner, Listed(content.columns, s.b.add(content.length, integer(1))))
    lists.put(s, content.columns, content.length, value)


def extend(s, owner: Object, items: object) -> None:
    """Append the items of what has as many as only run time knows."""
    from zygopy.transform.reading.iteration import count_of, nth_item

    count = s.canonical(count_of(s, items))
    with s.nested():  # only to see what its items are like
        sample = nth_item(s, items, Var("k", INT))
    content = s.content(owner)
    wanted = lists.columns_of(s, sample)
    if isinstance(content, Record):
        places.move_objects(s, content)
        columns = lists.columns_of_content(s, content) if content else wanted
        columns = lists.unified(s, columns, wanted)
        content = content if columns is None else settled(s, content, lists.fresh(columns))
    if not isinstance(content, Listed):
        raise UnsupportedError(f"extending this list by {describe(items)} is not supported", s.loc, help="append")
    content = fitting(s, content, wanted, sample)
    lists.each(s, count, lambda k: lists.put(s, content.columns, s.b.add(content.length, k), nth_item(s, items, k)))
    s.change(owner, Listed(content.columns, s.b.add(content.length, count)))


def settled(s, content: object, columns: lists.Columns) -> Listed:
    """What a list holds, in new columns."""
    lists.allocate(s, columns, integer(1))
    return Listed(columns, lists.move(s, content, columns))


def index_of(s, content: Listed, index: object) -> Value:
    """A subscript of a list as a number in range."""
    if not (is_number(index) and index.type.is_integer):
        raise UnsupportedError(f"{describe(index)} as the index of a list is not supported", s.loc, help="use an int")
    return arrays.checked(s, s.b.cast(index, INT), content.length, 0, "list index out of range")


def item(s, owner: Object, index: object) -> object:
    """owner[index]"""
    content = lists.of(s, owner)
    if isinstance(index, slice):
        return lists.copied(s, content, lambda view: arrays.index(s, view, (index,)))
    return lists.get(s, content.columns, index_of(s, content, index))


def assign_item(s, owner: Object, index: object, value: object) -> None:
    """owner[index] = value"""
    places.move_objects(s, value)
    content = lists.of(s, owner)
    k = index_of(s, content, index)
    content = fitting(s, content, lists.columns_of(s, value), value)
    s.change(owner, content)
    lists.put(s, content.columns, k, value, grow=False)


def _append(s, owner, value):
    append(s, owner, value)
    return Static(None)


def _extend(s, owner, items):
    from zygopy.transform.reading.expressions import items_of
    from zygopy.transform.reading.iteration import static_items

    if lists.is_of_run_time(s, items):
        extend(s, owner, items)
        return Static(None)
    found = static_items(s, items)
    for value in items_of(s, items) if found is None else found:
        append(s, owner, value)
    return Static(None)


def _pop(s, owner, index=None):
    content = lists.of(s, owner)
    n = content.length
    s.check(s.b.apply(ops.GT, n, integer(0)), OutOfBoundsError, "pop from empty list")
    s.facts.assume(s.facts.affine(n).shift(-1))
    last = s.b.sub(n, integer(1))
    k = last if index is None else index_of(s, content, index)
    found = lists.get(s, content.columns, k)
    s.change(owner, Listed(content.columns, last))
    if s.facts.affine(last) != s.facts.affine(k):
        _shift(s, content.columns, s.b.sub(last, k), lambda j: (s.b.add(k, s.b.add(j, integer(1))), s.b.add(k, j)))
    return found


def _insert(s, owner, index, value):
    places.move_objects(s, value)
    content = fitting(s, lists.of(s, owner), lists.columns_of(s, value), value)
    n = content.length
    if not (is_number(index) and index.type.is_integer):
        raise UnsupportedError(f"{describe(index)} as the index of a list is not supported", s.loc, help="use an int")
    if not (isinstance(index, Const) and index.value >= 0):
        index = s.b.select(s.b.apply(ops.LT, index, integer(0)), s.b.add(index, n), index)
        index = s.b.apply(ops.INT_MAX, index, integer(0))
    k = s.b.apply(ops.INT_MIN, index, n)
    s.change(owner, Listed(content.columns, s.b.add(n, integer(1))))
    for column in lists.leaves(content.columns):
        s.b.kernel(ops.ROOM, (column.base,), (n,))
    _shift(s, content.columns, s.b.sub(n, k), lambda j: (s.b.sub(s.b.sub(n, j), integer(1)), s.b.sub(n, j)))
    lists.put(s, content.columns, k, value, grow=False)
    return Static(None)


def _shift(s, columns: lists.Columns, count: Value, places: Callable[[Value], tuple[Value, Value]]) -> None:
    """Move items, one after the other: `places` gives where each is from, and where it goes."""

    def trip(j: Value) -> None:
        source, target = places(j)
        for column in lists.leaves(columns):
            if column.row:
                arrays.nest(s, column.row, lambda ks, c=column: move_element(c, source, target, ks))
            else:
                move_element(column, source, target, ())

    def move_element(column: Column, source: Value, target: Value, ks: tuple) -> None:
        s.b.store(column.base, (target, *ks), s.b.load(column.base, (source, *ks)))

    lists.each(s, count, trip)


def _reverse(s, owner):
    content = lists.of(s, owner)
    n = content.length
    s.change(owner, content)

    def swap(k: Value) -> None:
        other = s.b.sub(s.b.sub(n, k), integer(1))
        for column in lists.leaves(content.columns):

            def both(ks: tuple, base: Var = column.base) -> None:
                a, b = s.b.load(base, (k, *ks)), s.b.load(base, (other, *ks))
                s.b.store(base, (k, *ks), b)
                s.b.store(base, (other, *ks), a)

            if column.row:
                arrays.nest(s, column.row, both)
            else:
                both(())

    lists.each(s, s.b.apply(ops.FLOORDIV, n, integer(2)), swap)
    return Static(None)


def _clear(s, owner):
    s.change(owner, lists.EMPTY)
    return Static(None)


METHODS: dict[str, Callable] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "pop": _pop,
    "reverse": _reverse,
    "clear": _clear,
    "copy": lambda s, owner: lists.copied(s, lists.of(s, owner)),
}
