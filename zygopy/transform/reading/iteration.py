"""For loops: what can be iterated, and the loop over an index that it becomes."""

import ast
from collections.abc import Callable

from zygopy.errors import DtypeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.reading import arrays, assignments, conditions, expressions, joined, lists, loops, objects
from zygopy.transform.reading.iterators import refuse_generator
from zygopy.transform.reading.parse import assigned_names
from zygopy.transform.reading.values import (
    Checkpointed,
    Enumerate,
    JoinedItems,
    Listed,
    Object,
    Range,
    Reversed,
    UnknownMemberError,
    View,
    Zip,
    describe,
)
from zygopy.transform.types import INT


def for_loop(s, node: ast.For, then: Callable | None = None) -> None:
    """Interpret a for statement: unrolled over a tuple, a counted loop otherwise, a while loop if it may stop early.

    A loop over few known numbers is unrolled, too, if it asks for the members of a tuple or object by them. `then`
    reads what follows a loop whose first trip is apart.
    """
    iterable = expressions.evaluate(s, node.iter)
    s.at(node)
    refuse_generator(s, iterable)
    items = static_items(s, iterable)
    if then is not None and items is None and not isinstance(iterable, Checkpointed):
        _apart(s, node, iterable, then)
        return
    _plain_loop(s, node, iterable, items)
    if then is not None:
        then()


def _plain_loop(s, node: ast.For, iterable: object, items: list | None) -> None:
    if isinstance(iterable, Checkpointed):
        _checkpointed(s, node, iterable)
        return
    if items is not None:
        _unroll(s, node, iterable, items)
        return
    numbers = known_numbers(iterable)
    if numbers is None:
        _counted(s, node, iterable)
        return
    back = s.mark()
    s.frame.names = dict(s.frame.names)
    s.unrolls = True
    try:
        _counted(s, node, iterable)
    except UnknownMemberError:
        back()
        _unroll(s, node, iterable, numbers)


_FEW = 64


def known_numbers(iterable: object) -> list | None:
    """The numbers of a range that is short and known at compile time."""
    match iterable:
        case Range(Const() as start, Const() as stop, Const() as step):
            numbers = range(int(start.value), int(stop.value), int(step.value))
            return [integer(k) for k in numbers] if len(numbers) <= _FEW else None
    return None


def _checkpointed(s, node: ast.For, iterable: Checkpointed) -> None:
    if node.stop_flags:
        raise UnsupportedError(
            "break or return in a checkpointed loop is not supported",
            s.loc,
            "its snapshots are placed by the number of trips, which has to be known before the first one",
            "let the rest of the trips do nothing: if not done: ...",
        )
    if static_items(s, iterable.item) is not None:
        what = f"a checkpointed loop over {describe(iterable.item)} is not supported"
        raise UnsupportedError(what, s.loc, help="iterate a range or an array")
    _counted(s, node, iterable.item, iterable.snapshots)


def _counted(s, node: ast.For, iterable: object, snapshots: Value | None = None) -> None:
    range_, trip = _trips(s, node, iterable)
    _range_loop(s, node, iterable, range_, trip, snapshots)


def _apart(s, node: ast.For, iterable: object, then: Callable) -> None:
    """A loop whose first trip is read apart."""
    range_, trip = _trips(s, node, iterable)
    if node.stop_flags:
        _stoppable(s, node, range_, trip, assigned_names([node]), then)
        return

    def trips() -> None:
        if isinstance(range_.step, Const) and abs(range_.step.value) == 1:
            count = s.facts.affine(range_.stop) - s.facts.affine(range_.start)
            s.facts.assume(count.scale(range_.step.value).shift(-1))
        trip(range_.start, others)

    def others() -> None:
        s.at(node)
        rest = Range(s.b.add(range_.start, range_.step), range_.stop, range_.step)
        _range_loop(s, node, iterable, rest, trip)
        then()

    s.branch(loops.has_trip(s, range_), trips, then)


def _trips(s, node: ast.For, iterable: object) -> tuple[Range, Callable]:
    """The range of a loop's index, and what reads a trip, with what follows it."""
    range_, element = iteration(s, iterable)
    walked = _lists(iterable)

    def trip(index: Value, then: Callable | None = None) -> None:
        s.at(node)
        before = list(map(s.content, walked))
        assignments.assign(s, node.target, element(index))

        def ended() -> None:
            s.at(node)
            if any(_length(old) != _length(new) for old, new in zip(before, map(s.content, walked), strict=True)):
                raise _changes_while_walked(s)
            if then is not None:
                then()

        s.statements(node.body, ended)

    return range_, trip


def _range_loop(
    s, node: ast.For, iterable: object, range_: Range, trip: Callable, snapshots: Value | None = None
) -> None:
    names = assigned_names([node])
    if node.stop_flags:
        _stoppable(s, node, range_, trip, names)
        return
    hint = node.target.id if isinstance(node.target, ast.Name) and isinstance(iterable, Range | Reversed) else "i"
    index = Var(hint, INT)
    loops.counted_loop(s, index, range_, lambda: trip(index), names, snapshots, assigned_names([node.target]))


def _stoppable(s, node: ast.For, range_: Range, body: Callable, names: list[str], then: Callable | None = None) -> None:
    counter = f"k@{id(node)}"
    s.frame.names[counter] = range_.start
    step = range_.step

    def going() -> Value:
        k = s.frame.names[counter]
        if isinstance(step, Const):
            return s.b.apply(ops.LT if step.value > 0 else ops.GT, k, range_.stop)
        forward = s.b.apply(ops.GT, step, integer(0))
        up, down = s.b.apply(ops.LT, k, range_.stop), s.b.apply(ops.GT, k, range_.stop)
        return s.b.select(forward, up, down)

    def trip(then: Callable | None = None) -> None:
        k = s.frame.names[counter]
        s.frame.names[counter] = s.b.add(k, step)
        body(k, then)

    fresh = assigned_names([node.target])
    loops.while_loop(s, going, node.stop_flags, trip, [counter, *names], then, fresh)
    del s.frame.names[counter]


def _unroll(s, node: ast.For, iterable: object, items: list) -> None:
    lists = _lists(iterable)
    seen = [list(map(s.content, lists)), items]

    def current() -> list:
        """The items, as they are in the lists by now."""
        now = list(map(s.content, lists))
        if any(a is not b for a, b in zip(now, seen[0], strict=True)):
            if (items := static_items(s, iterable)) is None:
                raise _changes_while_walked(s)
            seen[:] = [now, items]
        return seen[1]

    def trip(position: int) -> None:
        items = current()
        if position >= len(items):
            return
        assignments.assign(s, node.target, items[position])
        s.statements(node.body)
        if not node.stop_flags:
            trip(position + 1)
            return
        s.at(node)
        flags = [lambda f=flag: s.read_name(f) for flag in node.stop_flags]
        s.branch(conditions.any_of(s, flags), lambda: None, lambda: trip(position + 1))

    trip(0)


def _changes_while_walked(s) -> UnsupportedError:
    return UnsupportedError(
        "a list that grows or shrinks while a loop goes through it is not supported",
        s.loc,
        "how many trips there are has to be known before the first one",
        "go through a copy: xs[:], or write a while loop",
    )


def _length(content: object) -> object:
    """How long a list is; of one that is known at compile time, its items may change as well."""
    return content.length if isinstance(content, Listed) else content


def _lists(iterable: object) -> list[Object]:
    """The lists that an iterable walks."""
    match iterable:
        case Object():
            return [iterable]
        case Zip():
            return [found for item in iterable.items for found in _lists(item)]
        case Enumerate() | Reversed():
            return _lists(iterable.item)
    return []


def static_items(s, iterable: object) -> list | None:
    """The items of an iterable whose number is known at compile time and whose items may differ in type."""
    match iterable:
        case tuple():
            return list(iterable)
        case Object() if iterable.cls is list:
            content = s.content(iterable)
            return None if isinstance(content, Listed) else list(content)
        case Object() if iterable.cls is dict:
            return [objects.key_value(key) for key in s.content(iterable).keys]
        case Zip():
            columns = [static_items(s, item) for item in iterable.items]
            if any(c is not None for c in columns) and all(
                c is not None or isinstance(i, Range | View | Object)
                for c, i in zip(columns, iterable.items, strict=True)
            ):
                return _mixed_zip(s, iterable, columns)
        case Enumerate():
            if (items := static_items(s, iterable.item)) is not None:
                return [(s.b.add(iterable.start, integer(k)), item) for k, item in enumerate(items)]
        case Reversed():
            items = static_items(s, iterable.item)
            return None if items is None else items[::-1]
    return None


def _mixed_zip(s, iterable: Zip, columns: list) -> list:
    """zip of tuples with arrays or ranges: unrolled as long as the shortest tuple."""
    count = min(len(c) for c in columns if c is not None)
    for k, column in enumerate(columns):
        if column is None:
            range_, element = iteration(s, iterable.items[k])
            length = trip_count(s, range_)
            if not (isinstance(length, Const) and length.value >= count):
                raise UnsupportedError(
                    "zip of a tuple and an array or range of unknown length is not supported",
                    s.loc,
                    help="index the array",
                )
            columns[k] = [element(_nth(s, range_, integer(j))) for j in range(count)]
    return list(zip(*columns, strict=False))


def iteration(s, iterable: object) -> tuple[Range, Callable[[Value], object]]:
    """The range of an index that walks an iterable, and the item at an index."""
    match iterable:
        case Range():
            return iterable, lambda k: k
        case Reversed(Range() as inner):
            return _reversed_range(s, inner), lambda k: k
        case View():
            if iterable.ndim == 0:
                raise DtypeError("a number cannot be iterated", s.loc)
            length = iterable.spans[0].length
            return Range(integer(0), length, integer(1)), lambda k: _item(s, iterable, k)
        case Zip() | Enumerate() | Reversed() | JoinedItems():
            return Range(integer(0), count_of(s, iterable), integer(1)), lambda k: nth_item(s, iterable, k)
        case Object() if lists.of(s, iterable) is not None:
            return Range(integer(0), count_of(s, iterable), integer(1)), lambda k: nth_item(s, iterable, k)
    raise DtypeError(f"{describe(iterable)} cannot be iterated", s.loc, help="iterate a range, an array or a tuple")


def _item(s, view: View, k: Value) -> object:
    item = arrays.item(s, view, k)
    return arrays.load(s, item) if item.ndim == 0 else item


def count_of(s, iterable: object) -> Value:
    """The number of items."""
    match iterable:
        case Range():
            return trip_count(s, iterable)
        case View():
            return iterable.spans[0].length
        case Object() if (content := lists.of(s, iterable)) is not None:
            return content.length
        case JoinedItems():
            return iterable.length
        case Enumerate() | Reversed():
            return count_of(s, iterable.item)
        case Zip():
            counts = [count_of(s, item) for item in iterable.items]
            shortest = counts[0]
            for count in counts[1:]:
                if s.facts.affine(count) != s.facts.affine(shortest):
                    shortest = s.b.apply(ops.INT_MIN, shortest, count)
            return shortest
    raise DtypeError(f"{describe(iterable)} cannot be iterated", s.loc, help="iterate a range, an array or a tuple")


def nth_item(s, iterable: object, k: Value) -> object:
    """Item number k of an iterable, k in range."""
    match iterable:
        case Range():
            return _nth(s, iterable, k)
        case View():
            return _item(s, iterable, k)
        case Object():
            content = lists.of(s, iterable)
            return lists.get(s, content.columns, k)
        case JoinedItems():
            return joined.item(s, iterable, k)
        case Enumerate():
            return (s.b.add(k, iterable.start), nth_item(s, iterable.item, k))
        case Reversed():
            last = s.b.sub(count_of(s, iterable.item), integer(1))
            return nth_item(s, iterable.item, s.b.sub(last, k))
        case Zip():
            return tuple(nth_item(s, item, k) for item in iterable.items)
    raise AssertionError(iterable)


def _nth(s, range_: Range, k: Value) -> Value:
    return s.b.add(range_.start, s.b.mul(k, range_.step))


def trip_count(s, range_: Range) -> Value:
    """len(range(start, stop, step))"""
    b, step = s.b, range_.step
    if not isinstance(step, Const):
        up = _count(s, range_.start, range_.stop, step)
        down = _count(s, range_.stop, range_.start, b.apply(ops.NEG, step))
        return b.select(b.apply(ops.GT, step, integer(0)), up, down)
    if step.value > 0:
        return _count(s, range_.start, range_.stop, step)
    return _count(s, range_.stop, range_.start, integer(-step.value))


def _count(s, low: Value, high: Value, step: Value) -> Value:
    b = s.b
    span = b.sub(high, low)
    if not (isinstance(step, Const) and step.value == 1):
        safe = step if isinstance(step, Const) else b.apply(ops.INT_MAX, step, integer(1))
        span = b.apply(ops.FLOORDIV, b.add(span, b.sub(safe, integer(1))), safe)
    if s.facts.never_negative(s.facts.affine(span)):
        return span
    return b.apply(ops.INT_MAX, span, constant(0))


def _reversed_range(s, range_: Range) -> Range:
    b = s.b
    last = b.add(range_.start, b.mul(b.sub(trip_count(s, range_), integer(1)), range_.step))
    step = integer(-range_.step.value) if isinstance(range_.step, Const) else b.apply(ops.NEG, range_.step)
    return Range(last, b.sub(range_.start, range_.step), step)
