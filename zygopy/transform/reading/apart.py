"""Paths that leave a name with values of different kinds: what follows them is read once for each path.

if scale > 0.0:                        if scale > 0.0:
    x = x * w   # float64                  x = x * w
total = np.sum(x * x)         ->           total = np.sum(x * x)       # of float64
                                       else:
                                           total = np.sum(x * x)       # of float32

s = 0.0                                s = 0.0
for row in x:                          if len(x) > 0:
    s = s + row     # an array    ->       s = s + x[0]
return np.sum(s)                           for row in x[1:]:
                                               s = s + row
                                           total = np.sum(s)
                                       else:
                                           total = np.sum(s)

A name of two kinds is a `Conflict`, which knows the statements that made it. When such a name is read, they are noted
and the program is read again from its start. A branch that is noted takes what follows it in its block into its sides;
a loop runs its first trip before it, since what changes its kind does so in the first trip. Names that nothing reads
cost nothing.
"""

import ast
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from zygopy.errors import DtypeError, TypeJoinError
from zygopy.transform.build import constant
from zygopy.transform.reading.parse import loc_of
from zygopy.transform.reading.values import Conflict, Raises, StartAgain, describe

MOST = 6  # statements of a program that are read apart: what follows a branch doubles with each


def conflict(s, a: object, b: object) -> Conflict:
    """What a name is that two paths, which meet at the current statement, give different kinds of values."""
    known = [found for found in (a, b) if isinstance(found, Conflict)]
    places = frozenset({s.loc}).union(*(found.places for found in known))
    if known:
        return replace(known[0], places=places)
    first, second = (found if isinstance(found, str) else describe(found) for found in (a, b))
    return Conflict(first, second, places)


def refuse(s, found: Conflict, error: TypeJoinError) -> NoReturn:
    """Have the statements that made a name ambiguous read apart, or, if they are already, raise its error.

    Raises
    ------
    StartAgain, TypeJoinError
    """
    keeping = s.keeping
    if keeping is None or found.places <= keeping.apart or len(keeping.apart | found.places) > MOST:
        raise error
    keeping.apart |= found.places
    keeping.ambiguous.append(error)
    raise StartAgain


def is_apart(s, node: ast.stmt) -> bool:
    """Whether a statement was found to leave names with values of different kinds."""
    if s.keeping is None or not s.keeping.apart:
        return False
    chooses = isinstance(node, ast.Assign) and isinstance(node.value, ast.IfExp)
    if not (chooses or isinstance(node, ast.If | ast.For | ast.While)):
        return False
    place = node.value if chooses else node
    return loc_of(place, s.frame.parsed.file, s.frame.parsed.name) in s.keeping.apart


def as_branch(node: ast.Assign) -> ast.If:
    """y = a if test else b, as a statement with two sides."""
    choice = node.value
    sides = ([ast.copy_location(ast.Assign(node.targets, value), value)] for value in (choice.body, choice.orelse))
    return ast.copy_location(ast.If(choice.test, *sides), choice)


@contextmanager
def reading(s):
    """Read a statement, and what follows it, apart."""
    s.apart += 1
    try:
        yield
    finally:
        s.apart -= 1


@contextmanager
def late_errors(s):
    """On a path that is read apart, have operands that do not fit raise when the code runs: it may never take it."""
    try:
        yield
    except DtypeError as error:
        if not (s.apart and error.sure):
            raise
        s.check(constant(False), DtypeError, error.what)
        raise Raises(error) from None
