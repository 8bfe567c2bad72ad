"""np.lib.stride_tricks.sliding_window_view: views whose new axes move along an axis that the view has already."""

from dataclasses import replace

import numpy as np

from zygopy.errors import ShapeError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Value
from zygopy.transform.library.numpy_functions import is_none
from zygopy.transform.library.numpy_shapes import ints
from zygopy.transform.library.reductions import axis_of, need_array
from zygopy.transform.reading import arrays
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Repeated, Span, View, Window


@builtin(np.lib.stride_tricks.sliding_window_view)
def sliding_window_view(s, x, window_shape, axis=None):
    view = need_array(s, x)
    lengths = ints(s, window_shape, "the shape of a window")
    given = axis if isinstance(axis, tuple) else (axis,)
    along = tuple(range(view.ndim)) if is_none(axis) else tuple(axis_of(s, a, view.ndim) for a in given)
    if len(lengths) != len(along):
        raise ShapeError(f"a window of {len(lengths)} axes does not fit {len(along)} axes", s.loc)
    for k, length in zip(along, lengths, strict=True):
        view = _windowed(s, view, k, length)
    return replace(view, read_only=True)


def _windowed(s, view: View, k: int, length: Value) -> View:
    """The view with windows of a length along axis k, each an additional axis at the end."""
    own, axes = view.own_axes[k], list(view.axes)
    count = s.b.add(s.b.sub(view.shape[k], length), integer(1))
    message = "window shape cannot be larger than input array shape"
    if not arrays.holds(s, s.facts.affine(count).shift(-1)):
        s.check(s.b.apply(ops.GT, count, integer(0)), ShapeError, message)
    count = s.canonical(count)
    if isinstance(own, int):
        span = axes[own]
        assert isinstance(span, Span)
        axes[own] = Span(span.start, span.step, count)
        added: Repeated = Window(length, own, span.step)
    else:
        added = replace(own, length=length)
    own = own if isinstance(own, int) else replace(own, length=count)
    return view.ordered((*view.own_axes[:k], own, *view.own_axes[k + 1 :], added), tuple(axes))
