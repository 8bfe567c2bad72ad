"""Overlaps: at entry, refuse that an array which is stored into shares memory with another argument.

def f(x, y):                     def f(x, y):
    x[0] = y[0]        ->            if overlap(x, y):
                                         raise OverlapError("x is stored into and shares memory with y: ...")
                                     x[0] = y[0]
"""

from collections.abc import Set
from dataclasses import replace

from zygopy.errors import OverlapError
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import Block, Check, Function, Leaves, Value, Var
from zygopy.transform.records import keys_of, place
from zygopy.transform.types import BOOL, INT, Array

PAIRS_TESTED = 10  # how many pairs of arguments are tested one by one


def refuse_overlaps(function: Function, stored: Set[Var]) -> Function:
    """The function with tests of the parameters that are stored into."""
    places = dict(found for p in function.params for found in places_of(p.name, p.leaves))
    params = [v for v in places if isinstance(v.type, Array)]
    params.sort(key=lambda v: v not in stored)
    pairs = [(a, other) for k, a in enumerate(params) if a in stored for other in params[k + 1 :]]
    b = Builder(function.loc)

    def refuse(overlaps: Value, a: Var, other: str) -> None:
        message = f"{places[a]} is stored into and shares memory with {other}: pass a copy of one of them"
        b.emit(Check(b.apply(ops.NOT, overlaps), OverlapError, message, function.loc))

    if len(pairs) <= PAIRS_TESTED:
        for a, other in pairs:
            refuse(b.let(ops.OVERLAPS, (a, other), BOOL), a, places[other])
    else:
        count = sum(v in stored for v in params)
        first = b.let(ops.FIRST_OVERLAP, (integer(count), *params), INT)
        for k, a in enumerate(params[:count]):
            refuse(b.apply(ops.EQ, first, integer(k)), a, "another argument")
    return replace(function, body=Block((*b.statements, *function.body.statements), function.body.yields))


def places_of(name: str, tree: Leaves) -> list[tuple[Var, str]]:
    """The leaves of a parameter and what a user writes for them."""
    if isinstance(tree, tuple):
        pairs = zip(keys_of(tree), tree, strict=True)
        return [found for key, item in pairs for found in places_of(place(name, tree, key), item)]
    return [(tree, name)] if isinstance(tree, Var) else []
