"""Functions of whole arrays, element by element: each becomes a loop nest that fills a new array.

z = x * w + 1.0        t[i] = x[i] * w[i]   for all i
                       z[i] = t[i] + 1.0    for all i

`fuse` merges the nests afterwards.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zygopy.errors import DtypeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Value
from zygopy.transform.reading import arrays
from zygopy.transform.reading.memory_order import loosen
from zygopy.transform.reading.values import View, describe, is_number
from zygopy.transform.types import Scalar, promote


def apply(s, function: Callable, operands: list, name: str = "t") -> View:
    """A function of numbers on arrays and numbers, broadcast together."""
    return combine(s, operands, lambda values: apply_function(s.b, function, values, True), name)


def combine(s, operands: list, element: Callable[[list[Value]], Value], name: str = "t") -> View | Value:
    """A new array whose elements are `element` of those of the operands, broadcast together."""
    operands = [_operand(s, operand) for operand in operands]
    for operand in operands:
        if not (is_number(operand) or isinstance(operand, View)):
            raise DtypeError(f"cannot compute with {describe(operand)} and an array", s.loc)
    shape = arrays.broadcast_shape(s, [o.shape for o in operands if isinstance(o, View)])
    spread = [arrays.broadcast_to(s, o, shape) if isinstance(o, View) else o for o in operands]

    def at(ks):
        return element([element_of(s, o, ks) for o in spread])

    made = arrays.build(s, shape, at, name)
    loosen(s, made, operands)
    return made


def _operand(s, value: object) -> object:
    """NumPy takes lists and tuples for arrays."""
    from zygopy.transform.library.shaping import as_array

    value = s.opened(value)
    return as_array(s, value) if isinstance(value, tuple) else value


def element_of(s, operand: View | Value, ks: tuple[Value, ...]) -> Value:
    """The element of an operand of full shape at loop variables; a number is the same everywhere."""
    return arrays.load(s, arrays.element_at(s, operand, ks)) if isinstance(operand, View) else operand


def where(s, test: object, a: object, b: object) -> View | Value:
    """np.where(test, a, b): both sides are computed, one is taken."""

    def choose(values: list[Value]) -> Value:
        test, x, y = values
        type_ = promote(x.type, y.type)
        type_ = Scalar(type_.dtype) if not type_.weak else type_
        return s.b.select(holds(s, test), s.b.cast(x, type_), s.b.cast(y, type_))

    return combine(s, [test, a, b], choose)


def holds(s, value: Value) -> Value:
    """Whether a number is not zero."""
    return value if value.type.is_bool else s.b.apply(ops.NE, value, constant(0))


def clip(s, a: object, low: object, high: object) -> View | Value:
    """np.clip: the larger of a and low, and then the smaller of that and high."""

    def limit(values: list[Value]) -> Value:
        value, *limits = values
        if low is not None:
            value = apply_function(s.b, np.maximum, [value, limits.pop(0)], True)
        if high is not None:
            value = apply_function(s.b, np.minimum, [value, limits.pop(0)], True)
        return value

    if low is None and high is None:
        raise UnsupportedError("np.clip needs a lower or an upper limit", s.loc)
    return combine(s, [a, *(limit for limit in (low, high) if limit is not None)], limit)


def cast(s, view: View, dtype: np.dtype) -> View:
    """A new array of another dtype."""
    return combine(s, [view], lambda values: s.b.cast(values[0], Scalar(dtype)))


def part(s, view: View, which: str) -> View:
    """The real or imaginary part of an array: a view, or zeros where the array is real."""
    if view.element.is_complex:
        return replace(view, part=which)
    if which == "real":
        return view
    zeros = arrays.allocate(s, tuple(map(s.canonical, view.shape)), view.dtype, ops.ZEROS)
    return replace(zeros, read_only=True)


def sum_of_items(s, view: View, start: Value | None) -> View | Value:
    """Python's sum of an array's items, one after the other."""
    start = constant(0) if start is None else start
    if view.ndim > 1:
        rows = view.ordered((*view.own_axes[1:], view.own_axes[0]))
        return arrays.build(s, rows.shape[:-1], lambda ks: _sum_of_line(s, rows, ks, start))
    return _sum_of_line(s, view, (), start)


def _sum_of_line(s, view: View, ks: tuple[Value, ...], start: Value) -> Value:
    type_ = promote(start.type, view.element)

    def trip(k, totals):
        return (s.b.cast(s.b.apply(ops.ADD, totals[0], arrays.load(s, arrays.element_at(s, view, (*ks, *k)))), type_),)

    return arrays.fold(s, view.shape[-1:], (s.b.cast(start, type_),), trip, parallel=False)[0]
