"""Objects that are one of two, by a condition: what is done to one is done to those that it may be.

    p = a if test else b        p.x = 3      ->     p.x = 3
                                                    a.x = 3 if test else a.x
                                                    b.x = b.x if test else 3

Each of them holds what Python's object holds, so that reading asks nothing.
"""

from dataclasses import dataclass

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.ir import Value
from zygopy.transform.reading.values import Listed, Object
from zygopy.transform.records import Record, rebuilt


@dataclass(frozen=True)
class Choice:
    """It is `a` where the test holds, `b` otherwise; of these, one may be known by no other name any more."""

    test: Value
    a: Object
    b: Object


def change(s, value: Object, content: Record | Listed) -> None:
    """Have an object hold something else, and all that may be the same one."""
    old = s.frame.names[value.name]
    s.frame.names[value.name] = content
    _change_others(s, value, _Change(old, content), frozenset({value.name}))


@dataclass(frozen=True)
class _Change:
    """What one object holds before and after; another one that may be the same has members of its own."""

    old: object
    new: object

    def of(self, content: object) -> object:
        """What the other one holds afterwards."""
        old, new = self.old, self.new
        if not (isinstance(old, Record) and isinstance(new, Record) and isinstance(content, Record)):
            return new
        if not old.keys == new.keys == content.keys:
            return new
        members = zip(old, new, content, strict=True)
        return rebuilt(content, [now if now is not before else own for before, now, own in members])


def _change_others(s, value: Object, made: _Change, done: frozenset[str]) -> None:
    for name, choice in list(s.choices.items()):
        if name not in s.frame.names:
            continue
        for member, holds in ((choice.a, True), (choice.b, False)):
            if value.name == name:
                other = member
            elif value.name == member.name:
                other = Object(value.cls, name)
            else:
                continue
            if other.name not in done and other.name in s.frame.names:
                _change_if(s, choice.test, holds, other, made, done | {other.name})


def _change_if(s, test: Value, holds: bool, other: Object, made: _Change, done: frozenset[str]) -> None:
    if any(isinstance(held, Listed) for held in (made.old, made.new, s.frame.names[other.name])):
        raise UnsupportedError(
            "changing a list is not supported here",
            s.loc,
            "it is one of two lists, by a condition, and how long they are only run time knows",
            "change each of them under the condition",
        )

    def then() -> None:
        s.frame.names[other.name] = made.of(s.frame.names[other.name])
        _change_others(s, other, made, done)

    s.branch(test if holds else s.b.apply(ops.NOT, test), then, lambda: None)


def related(s, value: Object) -> set[str]:
    """The names of all objects that an object may be, or that may be it."""
    found: set[str] = set()
    todo = [value.name]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            for joined, choice in s.choices.items():
                group = {joined, choice.a.name, choice.b.name}
                todo += group if name in group else ()
    return found
