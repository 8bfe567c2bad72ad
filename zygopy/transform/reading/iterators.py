"""What Python goes through once, and only as far as it is asked: zip, enumerate, reversed, map, generator expressions.

Loops ask a zip for an item in each trip. It may have a name, which loses it when read: it can be gone through once.
The items of a generator or `map` are made all at once (`Generated`), which is the same for what goes through all of
them and does nothing in between, such as `sum` or `list`. Anything else could see what it does itself: it is refused.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from zygopy.errors import UnsupportedError
from zygopy.transform.reading.values import Enumerate, Generated, Once, Reversed, Static, Zip
from zygopy.transform.records import Record

_THROUGH: tuple[Callable, ...] = (sum, max, min, list, tuple, dict, sorted, math.prod)  # go through all of a generator


def named(s, value: object) -> object:
    """What a name stands for that is bound to a value."""
    if isinstance(value, Zip | Enumerate) and not _is_fixed(value):
        return Once(value, len(s.levels))
    refuse_kept(s, *(value if isinstance(value, tuple) else (value,)))
    return value


def _is_fixed(value: object) -> bool:
    """Whether an iterator knows something from when it was made on: items, or where it begins."""
    items = value.items if isinstance(value, Zip) else (value.item,) if isinstance(value, Enumerate) else ()
    return isinstance(value, Generated | Reversed) or any(map(_is_fixed, items))


def read(s, names: dict, name: str) -> object:
    """The iterator of a name, which loses it."""
    found = names[name]
    names[name] = replace(found, level=-1)
    if found.level != len(s.levels):
        raise UnsupportedError(
            f"going through {name} here is not supported",
            s.loc,
            "an iterator can be gone through once only, in the loop or branch where it got its name",
            _HELP,
        )
    return found.iterator


_HELP = "write it where it is gone through, or keep a list of it: list(...)"


def refuse_kept(s, *values: object) -> None:
    """Refuse to keep an iterator in an object."""
    members = (member for value in values for member in (value if isinstance(value, Record) else (value,)))
    if any(isinstance(member, Enumerate | Generated | Reversed | Zip) for member in members):
        raise UnsupportedError(
            "an iterator that is kept is not supported",
            s.loc,
            "it can be gone through once only, and would read what is there by then",
            _HELP,
        )


def taken(s, callee: object, value: object) -> object:
    """An argument of a call; a generator as the tuple of its items, for what goes through all of them at once."""
    if isinstance(value, Generated) and isinstance(callee, Static) and any(callee.value is f for f in _THROUGH):
        return value.items
    refuse_generator(s, value)
    return value


def refuse_generator(s, value: object) -> None:
    """Refuse to go through a generator or `map` step by step."""
    if isinstance(value, Generated):
        raise UnsupportedError(
            "a generator or map is not supported here",
            s.loc,
            "its items are made all at once, and in Python each of them when it is asked for",
            "make a list of it: list(...), or loop over what it goes through",
        )
