"""Objects in memory: those that change, and of which only run time knows which one a name stands for.

    node = Node(x, 1.0)                 a[0] = x; b[0] = 1.0; node = 0; count = 1
    for v in row:                       for v in row:
        if v > 0.0:               ->        if v > 0.0:
            node = Node(v, 2.0)                 a[count] = v; b[count] = 2.0; node = count; count = count + 1
        node.a += x                         a[node] += x

Objects of one class whose members are of the same kinds are a *pool*, a list that grows (`lists`), with a column for
each member; an object is its number in it (`Placed`). It is put there when it meets another one, and what stood for its
members is its place from then on, which all its names find. So two names for one object see each other's changes,
whatever paths they came by.

Only what needs it is in memory. A program that changes an object where branches or loops have left open which one it
is, is read again from its start, and the objects that meet there are in memory then (`Keeping.meetings`). Which pools
there are is found so, too (`Keeping.pools`).
"""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from typing import NoReturn

from zygopy.errors import UnsupportedError
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import Var
from zygopy.transform.reading import choices, lists
from zygopy.transform.reading.values import (
    OBJECT,
    Column,
    Listed,
    Object,
    Placed,
    References,
    StartAgain,
    Static,
    describe,
    is_number,
    is_object_name,
)
from zygopy.transform.records import Known, Record, alike, rebuilt
from zygopy.transform.types import INT, Array, Scalar, unify


@dataclass(frozen=True)
class Pointer:
    """The kind of a member that is an object itself."""

    cls: type
    pool: int


Kind = Scalar | Pointer | tuple  # of what an object holds, or of one of its members: a Record, a Known, ...


class NotPlaceableError(Exception):
    """An object that cannot be in memory."""


# -- pools -----------------------------------------------------------------------------------------------------------


def begin(s) -> None:
    """Make the pools of a function that is about to be read."""
    for number, kind in enumerate(_kinds(s)):
        columns = _columns(kind)
        lists.allocate(s, columns, integer(1))
        s.frame.names[_name(number)] = Listed(columns, integer(0))


def is_pool(s, columns: object) -> bool:
    """Whether columns are those of a pool."""
    names = (_name(number) for number in range(len(_kinds(s))))
    return any(s.frame.names[name].columns == columns for name in names if name in s.frame.names)


def _kinds(s) -> list[Kind]:
    return [] if s.keeping is None else s.keeping.pools.setdefault(s.scope, [])


def _name(number: int) -> str:
    return f"{OBJECT}pool {number}"


def _held(s, number: int) -> Listed:
    return s.frame.names[_name(number)]


def _columns(kind: Kind, name: str = "items") -> object:
    match kind:
        case Scalar():
            return Column(Var(name, Array(kind.dtype, 1)), kind)
        case Pointer():
            return References(Var(name, Array(INT.dtype, 1)), INT, (), kind.cls, kind.pool)
        case Record():
            pairs = zip(kind.keys, kind, strict=True)
            return rebuilt(kind, [_columns(k, key if isinstance(key, str) else name) for key, k in pairs])
    return rebuilt(kind, [_columns(k, name) for k in kind])


def _kind(s, member: object) -> Kind:
    """The kind of a member; objects among its own are put into memory."""
    if is_number(member):
        return member.type
    if isinstance(member, Static):
        return Known(member.value)
    if isinstance(member, Object):
        return Pointer(member.cls, moved(s, member).pool)
    if isinstance(member, tuple):
        return rebuilt(member, [_kind(s, item) for item in member])
    raise NotPlaceableError


def _unified(a: Kind, b: Kind) -> Kind | None:
    """The kind of members of both kinds; None if there is none."""
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        return unify(a, b)
    if isinstance(a, Known) or isinstance(b, Known) or isinstance(a, Pointer):
        return a if a == b else None
    if isinstance(a, tuple) and isinstance(b, tuple) and alike(a, b):
        found = [_unified(x, y) for x, y in zip(a, b, strict=True)]
        return None if None in found else rebuilt(a, found)
    return None


def _pool_of(s, kind: Kind) -> int:
    """The pool for what an object holds; if there is none yet, the program is read again with it."""
    kinds = _kinds(s)
    for number, known in enumerate(kinds):
        if (wider := _unified(known, kind)) is not None:
            if wider != known:
                kinds[number] = wider
                raise StartAgain
            return number
    kinds.append(kind)
    raise StartAgain


# -- objects ---------------------------------------------------------------------------------------------------------


def resolved(names: dict, value: Object) -> Object:
    """The place of an object, if it is in memory; otherwise the object."""
    found = value if isinstance(value, Placed) else names.get(value.name)
    return found if isinstance(found, Placed) else value


def resolved_items(names: dict, held: object) -> object:
    """What a list holds, its objects by their places."""
    if isinstance(held, Object):
        return resolved(names, held)
    return rebuilt(held, [resolved_items(names, v) for v in held]) if isinstance(held, tuple) else held


def moved(s, value: Object) -> Placed:
    """The place of an object, which is put there with all that may be the same one.

    Raises
    ------
    NotPlaceableError
        If it holds what no pool has columns for, or may not change for another reason.
    """
    if isinstance(found := resolved(s.frame.names, value), Placed):
        return found
    names = s.frame.names
    if s.keeping is None or value.name in s.placing or value.name not in names:
        raise NotPlaceableError
    group = choices.related(s, value)
    for name in sorted(group & s.fixed.keys()):
        note(s, name)
        raise NotPlaceableError
    before = dict(names)
    s.placing |= group
    try:
        _move_group(s, group)
    except NotPlaceableError:  # all of them, or none
        names.clear()
        names.update(before)
        raise
    finally:
        s.placing -= group
    return names[value.name]


def _move_group(s, group: set[str]) -> None:
    """Put objects into memory that may be the same one: first those that are themselves, then what is one of them."""
    names = s.frame.names
    chosen = {name: choice for name, choice in s.choices.items() if name in group and name in names}
    gone = [x.name for choice in chosen.values() for x in (choice.a, choice.b) if x.name not in names]
    if len(set(gone)) < len(gone):
        raise NotPlaceableError
    for name in [n for n in names if n in group and n not in chosen]:
        names[name] = _put(s, names[name])
    for name, choice in chosen.items():  # an object that has no other name any more is put there for each choice
        a, b = (names[x.name] if x.name in names else _put(s, names[name]) for x in (choice.a, choice.b))
        if a.pool != b.pool:
            raise NotPlaceableError
        names[name] = Placed(a.cls, "", a.pool, s.b.select(choice.test, a.index, b.index))


def move_objects(s, value: object) -> None:
    """Put the objects in a value into memory, for a list that is to hold it, if that can be."""
    for found in _objects_in(value):
        with suppress(NotPlaceableError):
            moved(s, found)


def _put(s, content: object) -> Placed:
    """A new object in memory."""
    if isinstance(content, Placed):
        return content
    if not isinstance(content, Record):
        raise NotPlaceableError
    number = _pool_of(s, rebuilt(content, [_kind(s, member) for member in content]))
    pool = _held(s, number)
    s.frame.names[_name(number)] = Listed(pool.columns, s.b.add(pool.length, integer(1)))
    lists.put(s, pool.columns, pool.length, content)
    return Placed(content.cls, "", number, pool.length)


def content(s, value: Placed) -> Record:
    """What an object in memory holds now."""
    return lists.get(s, _held(s, value.pool).columns, value.index)


def change(s, value: Placed, new: object) -> None:
    """Have an object in memory hold other members of the same names."""
    columns = _held(s, value.pool).columns
    if not (isinstance(new, Record) and new.keys == columns.keys):
        _refuse(s, f"this {value.cls.__name__} gets other members here than it has")
    for key, member in zip(new.keys, new, strict=True):
        change_member(s, value, key, member)


def change_member(s, value: Placed, key: object, member: object) -> None:
    """Have an object in memory hold something else under a key that it has."""
    columns, kinds = _held(s, value.pool).columns, _kinds(s)
    known = kinds[value.pool]
    if key not in columns.keys:
        _refuse(s, f"this {value.cls.__name__} gets a member here that it does not have")
    try:
        wider = _unified(known.member(key), _kind(s, member))
    except NotPlaceableError:
        wider = None
    if wider is None:
        _refuse(s, f"{describe(member)} as {key!r} of this {value.cls.__name__} is not supported")
    if wider != known.member(key):
        kinds[value.pool] = known.changed(key, wider)
        raise StartAgain
    lists.put(s, columns.member(key), value.index, member, grow=False)


def _refuse(s, what: str) -> NoReturn:
    why = "only run time knows which of several objects it is, and these have the same members, of the same kinds"
    raise UnsupportedError(what, s.loc, why, "make a new one")


# -- where objects meet ----------------------------------------------------------------------------------------------


def note(s, name: str) -> None:
    """Have what met when an object became one of several be in memory there, if that has not been tried.

    Raises
    ------
    StartAgain
    """
    if s.keeping is None:
        return
    new = s.met.get(name, set()) - s.keeping.meetings - s.keeping.hopeless
    if new:
        s.keeping.meetings |= new
        raise StartAgain


def give_up(s, cls: type) -> None:
    """Have objects that meet at the current statement be where they were, if they were to be in memory.

    Raises
    ------
    StartAgain
    """
    if s.keeping is not None and (key := (s.loc, cls)) in s.keeping.meetings:
        s.keeping.meetings.remove(key)
        s.keeping.hopeless.add(key)
        raise StartAgain


def meet_in_branch(join, values: tuple) -> None:
    """Put the objects into memory that the sides of a branch leave in each other's place, where that is asked for.

    `values` is what the sides are, if they are expressions.
    """
    s, sides = join.s, ((join.then_names, join.then), (join.else_names, join.orelse))
    again = True
    while again:
        meeting = _Meeting(s, join.then_names, join.else_names)
        meeting.values("value", *values)
        for name, a in join.then_names.items():
            if name in join.else_names and (name in join.before or not is_object_name(name)):
                meeting.values(name, a, join.else_names[name])
        again = sum(_move(s, value, *sides[side]) for side, value in meeting.wanted) > 0


def meet_in_loop(s, heads: dict, before: dict, after: dict, builder: Builder, back: Callable) -> set[str] | None:
    """Put the objects into memory that a trip of a loop leaves in the place of others, where that is asked for.

    Those that are known before the loop are put there before it: `back()` takes the trip back, and the names of what
    has changed are given, for the trip to be read again. `heads` are all names at the head of the loop.
    """
    again = True
    while again:
        meeting = _Meeting(s, heads, after)
        for name, value in heads.items():
            meeting.values(name, value, after.get(name))
        early = [v for _, v in meeting.wanted if v.name in before and not isinstance(resolved(before, v), Placed)]
        if early:
            back()
            old = dict(before)
            for value in early:
                _move(s, value, before)
            return {n for n, v in before.items() if v is not old.get(n)}
        again = sum(_move(s, value, after, builder) for side, value in meeting.wanted if side == 1) > 0
    return None


def _move(s, value: Object, names: dict, builder: Builder | None = None) -> bool:
    """Put an object into memory if it is not there; whether it was put there."""
    if isinstance(resolved(names, value), Placed):
        return False
    saved, s.frame.names = s.frame.names, names
    try:
        with s.reopened(builder) if builder is not None else nullcontext():
            moved(s, value)
    except NotPlaceableError:
        give_up(s, value.cls)
        s.unplaceable.add(value.name)
        return False
    finally:
        s.frame.names = saved
    return True


class _Meeting:
    """Goes through values that two paths give a name, for objects that have to be in memory: `wanted`, by path."""

    def __init__(self, s, a_names: dict, b_names: dict):
        self.s, self.a_names, self.b_names = s, a_names, b_names
        self.classes = {cls for place, cls in s.keeping.meetings if place == s.loc} if s.keeping is not None else set()
        self.wanted: list[tuple[int, Object]] = []

    def values(self, name: str, a: object, b: object) -> None:
        """Two values of a name, or of a member."""
        if isinstance(a, Object) and isinstance(b, Object):
            self.objects(a, b)
        elif isinstance(a, Placed) and isinstance(b, Record) and is_object_name(name):
            self.want((1, Object(a.cls, name)))
        elif isinstance(b, Placed) and isinstance(a, Record) and is_object_name(name):
            self.want((0, Object(b.cls, name)))
        elif lists.is_content(a) and lists.is_content(b) and lists.differ(a, b) and not self.s.unrolls:
            self.want(*((side, v) for side, held in enumerate((a, b)) for v in _objects_in(held)))
        elif isinstance(a, tuple) and isinstance(b, tuple) and alike(a, b):
            for x, y in zip(a, b, strict=True):
                self.values("", x, y)

    def want(self, *found: tuple[int, Object]) -> None:
        if not any(value.name in self.s.unplaceable for _, value in found):
            self.wanted += found

    def objects(self, a: Object, b: Object) -> None:
        if a == b or a.cls is not b.cls:
            return
        found = resolved(self.a_names, a), resolved(self.b_names, b)
        if all(isinstance(x, Placed) for x in found) and found[0].pool != found[1].pool:
            give_up(self.s, a.cls)
        if a.cls in self.classes or any(isinstance(x, Placed) for x in found):
            self.want(*((side, x) for side, x in enumerate(found) if not isinstance(x, Placed)))
        else:
            self.values("", self.a_names.get(a.name), self.b_names.get(b.name))


def _objects_in(value: object) -> list[Object]:
    if isinstance(value, Object):
        return [] if isinstance(value, Placed) else [value]
    return [found for item in value for found in _objects_in(item)] if isinstance(value, tuple) else []
