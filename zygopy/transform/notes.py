"""What passes note of their decisions while somebody asks for them (`explain`); ordinary compilation notes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from zygopy.errors import Loc
from zygopy.transform.ir import Function, Var


@dataclass(frozen=True)
class Need:
    """A value that the reverse part needs where it is out of scope, and how it gets there."""

    var: Var
    loc: Loc
    how: str  # "stored", "reloaded", "copied" (its array, before a nest), "recomputed"


@dataclass
class Notes:
    """The decisions of one compilation, by the user's places."""

    functions: list[Function] = field(default_factory=list)  # as read, before any pass
    fused: list[Function] = field(default_factory=list)  # their loop nests, merged
    active: set[Loc] = field(default_factory=set)
    needs: list[Need] = field(default_factory=list)
    places: dict[Var, Loc] = field(default_factory=dict)  # of tapes: where their values are computed
    tapes: set[Var] = field(default_factory=set)  # the memory that the reverse part reads
    bounds: dict[tuple[Loc, str], str] = field(default_factory=dict)  # of each index of a line: where it is tested


_taken: ContextVar[Notes | None] = ContextVar("notes", default=None)


@contextmanager
def taking() -> Iterator[Notes]:
    """Have the passes that run inside note what they decide."""
    token = _taken.set(Notes())
    try:
        notes = _taken.get()
        assert notes is not None
        yield notes
    finally:
        _taken.reset(token)


def notes() -> Notes | None:
    """The notes that are being taken; None in ordinary compilation."""
    return _taken.get()
