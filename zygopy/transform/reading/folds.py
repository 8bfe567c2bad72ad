"""Functions of Python that go through all items of something: sum, math.prod, any, all, map, reduce, sorted."""

import functools
import math
import operator
from collections.abc import Callable

import numpy as np

from zygopy.errors import ShapeError, UnsupportedError
from zygopy.transform.build import integer
from zygopy.transform.ir import Const
from zygopy.transform.library import elementwise
from zygopy.transform.reading import lists, objects
from zygopy.transform.reading.calls import call, handler_of
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Generated, Static, View, describe


def items_of(s, items: object, what: str, help: str | None = None) -> list:
    """Items whose number is known when the program is read."""
    from zygopy.transform.reading.iteration import static_items

    values = static_items(s, items)
    if values is None:
        raise UnsupportedError(f"{what}() of {describe(items)} is not supported", s.loc, help=help or f"use np.{what}")
    return values


def _as_array(s, items: object) -> object:
    """A list in an array as that."""
    content = lists.of(s, items)
    return items if content is None else lists.view_of(s, content)


def _folded(s, f: Callable, values: list, total: object) -> object:
    from zygopy.transform.reading.expressions import binary

    for value in values:
        total = binary(s, f, total, value, s.node)
    return total


@builtin(sum)
def sum_(s, items, start=None):
    items = _as_array(s, items)
    if isinstance(items, View):
        return elementwise.sum_of_items(s, items, start)
    return _folded(s, operator.add, items_of(s, items, "sum", "sum in a loop"), integer(0) if start is None else start)


@builtin(math.prod)
def prod(s, items, start=None):
    from zygopy.transform.reading.expressions import binary

    items, start = _as_array(s, items), integer(1) if start is None else start
    if isinstance(items, View) and items.ndim == 1:
        return binary(s, operator.mul, start, handler_of(np.prod)(s, items), s.node)
    return _folded(s, operator.mul, items_of(s, items, "prod", "multiply in a loop"), start)


@builtin(any)
def any_(s, items):
    from zygopy.transform.reading.conditions import any_of, truth

    if lists.of(s, items) is not None:
        return handler_of(np.any)(s, _as_array(s, items))
    return any_of(s, [lambda v=v: truth(s, v) for v in items_of(s, items, "any")])


@builtin(all)
def all_(s, items):
    from zygopy.transform.reading.conditions import all_of, truth

    if lists.of(s, items) is not None:
        return handler_of(np.all)(s, _as_array(s, items))
    return all_of(s, [lambda v=v: truth(s, v) for v in items_of(s, items, "all")])


@builtin(math.dist)
def dist(s, p, q):
    from zygopy.transform.reading.expressions import binary

    first, second = (items_of(s, point, "math.dist", _NORM) for point in (p, q))
    if len(first) != len(second):
        raise ShapeError("math.dist needs points with the same number of dimensions", s.loc)
    pairs = zip(first, second, strict=True)
    return call(s, Static(math.hypot), [binary(s, operator.sub, a, b, s.node) for a, b in pairs], {})


_NORM = "use np.linalg.norm(p - q)"


@builtin(map, of_objects=True)
def map_(s, function, *items):
    columns = [items_of(s, item, "map", "write a loop") for item in items]
    return Generated(tuple(call(s, function, list(row), {}) for row in zip(*columns, strict=False)))


@builtin(functools.reduce, of_objects=True)
def reduce(s, function, items, initial=None):
    values = items_of(s, items, "reduce", "write a loop")
    if initial is not None:
        values = [initial, *values]
    if not values:
        raise UnsupportedError("reduce() of nothing, without a first value, is not supported", s.loc)
    return functools.reduce(lambda total, value: call(s, function, [total, value], {}), values)


@builtin(sorted)
def sorted_(s, items, key=None, reverse=None):
    values = items_of(s, items, "sorted")
    known = [v for v in values if isinstance(v, Const) or (isinstance(v, Static) and isinstance(v.value, str))]
    if key is not None or len(known) < len(values) or not (reverse is None or isinstance(reverse, Const)):
        raise UnsupportedError(
            "sorted is supported for constants and strings", s.loc, help="put the numbers into an array: np.sort(a)"
        )
    return objects.make_list(s, sorted(known, key=lambda v: v.value, reverse=bool(reverse and reverse.value)))
