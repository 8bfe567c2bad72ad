"""np.linalg.norm: reductions of magnitudes and of singular values.

A norm that is a maximum has the derivative of the first element, row or singular value that has it.
"""

import operator

import numpy as np

from zygopy.errors import ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Const, Value
from zygopy.transform.library import elementwise, reductions, systems
from zygopy.transform.reading.values import Repeated, Static, View, is_number
from zygopy.transform.types import FLOAT64, Scalar


def norm(s, view: View, ord_: object = None, axis=None, keepdims=None) -> View | Value:
    """Of all elements, of vectors along an axis, or of matrices on two axes."""
    view = reductions.need_array(s, view)
    kind = ord_.value if isinstance(ord_, Static | Const) else ord_
    axes = reductions.axes_of(s, axis, view.ndim)
    type_ = view.element if view.element.is_inexact else Scalar(FLOAT64)

    def value_of(v: Value) -> Value:
        return s.b.cast(v, type_)

    def magnitude(v: Value) -> Value:
        return apply_function(s.b, np.abs, [value_of(v)], True)

    def magnitudes() -> View | Value:
        return elementwise.combine(s, [view], lambda v: magnitude(v[0]))

    if kind in (None, "fro") or (kind == 2 and len(axes) == 1):
        if kind == "fro" and len(axes) != 2:
            raise ShapeError("the norm 'fro' is of two axes", s.loc)
        squares = reductions.sum_(s, view, axis, keepdims, term=lambda v: reductions.squared(s, value_of(v)))
        return elementwise.combine(s, [squares], lambda v: apply_function(s.b, np.sqrt, v, True))
    if len(axes) == 1:
        if kind == 1:
            return reductions.sum_(s, view, axis, keepdims, term=magnitude)
        if kind in (np.inf, -np.inf):
            return _extremum(s, magnitudes(), axis, keepdims, kind)
        if is_number(ord_) and not (isinstance(kind, int | float) and kind == 0):
            powers = reductions.sum_(
                s, view, axis, keepdims, term=lambda v: apply_function(s.b, operator.pow, [magnitude(v), ord_], True)
            )
            root = apply_function(s.b, operator.truediv, [constant(1.0), ord_], False)
            return elementwise.combine(s, [powers, root], lambda v: apply_function(s.b, operator.pow, v, True))
    if len(axes) == 2:
        row, column = (integer(k) for k in _in_order(s, axis, axes, view.ndim))
        both = (row, column)
        if kind in (1, -1, np.inf, -np.inf):
            lines = reductions.sum_(s, magnitudes(), row if kind in (1, -1) else column, constant(True))
            return _extremum(s, lines, both, keepdims, kind)
        if kind in (2, -2):
            return _extremum(s, _singular_values(s, view, row.value, column.value), both, keepdims, kind)
        if kind == "nuc":
            return reductions.sum_(s, _singular_values(s, view, row.value, column.value), both, keepdims)
    raise UnsupportedError(f"np.linalg.norm with ord={kind!r} is not supported", s.loc, help="write it out")


def _extremum(s, view: View, axis: object, keepdims: object, kind: float) -> View | Value:
    return reductions.extremum(s, view, axis, keepdims, ops.MAXIMUM if kind > 0 else ops.MINIMUM)


def _in_order(s, axis: object, axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """The axes of rows and of columns, in the order in which they were named."""
    return tuple(reductions.axis_of(s, k, ndim) for k in axis) if isinstance(axis, tuple) else axes


def _singular_values(s, view: View, row: int, column: int) -> View:
    """The singular values of the matrices on two axes, along the axis of columns; that of rows has length 1."""
    stack = tuple(k for k in range(view.ndim) if k not in (row, column))
    matrices = view.ordered(tuple(view.own_axes[k] for k in (*stack, row, column)))
    values = systems.singular_values(s, matrices, "np.linalg.norm")[1]
    by_axis = dict(zip((*stack, column), values.own_axes, strict=True)) | {row: Repeated(integer(1))}
    return values.ordered(tuple(by_axis[k] for k in range(view.ndim)))
