"""The methods of NumPy's ufuncs: outer, reduce, accumulate."""

import numpy as np

from zygopy.transform import functions, ops
from zygopy.transform.build import integer
from zygopy.transform.library import elementwise, numpy_functions
from zygopy.transform.library.reductions import need_array
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Repeated

REDUCE = {
    np.add: numpy_functions.sum_,
    np.multiply: numpy_functions.prod,
    np.maximum: numpy_functions.max_,
    np.minimum: numpy_functions.min_,
    np.logical_and: numpy_functions.all_,
    np.logical_or: numpy_functions.any_,
}
ACCUMULATE = {np.add: numpy_functions.cumsum, np.multiply: numpy_functions.cumprod}


def _outer(ufunc: np.ufunc):
    def outer(s, A, B):
        a, b = need_array(s, A), need_array(s, B)
        spread = a.ordered((*a.own_axes, *(Repeated(integer(1)) for _ in range(b.ndim))))
        return elementwise.apply(s, ufunc, [spread, b])

    return outer


def _along(handler):
    """A reduction whose axis is the first where it is left out."""

    def reduce(s, array, axis=None, keepdims=None):
        given = {} if keepdims is None else {"keepdims": keepdims}
        return handler(s, array, integer(0) if axis is None else axis, **given)

    return reduce


for _ufunc in {*ops.FUNCTIONS, *functions.COMPOSED}:
    if isinstance(_ufunc, np.ufunc) and _ufunc.nin == 2:
        builtin(_ufunc.outer)(_outer(_ufunc))
for _ufunc, _handler in REDUCE.items():
    builtin(_ufunc.reduce)(_along(_handler))
for _ufunc, _handler in ACCUMULATE.items():
    builtin(_ufunc.accumulate)(lambda s, array, axis=None, _handler=_handler: _along(_handler)(s, array, axis))
