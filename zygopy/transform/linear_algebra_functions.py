"""NumPy's functions of linear algebra: what a call of each becomes."""

import numpy as np

from zygopy.transform import products
from zygopy.transform.build import integer
from zygopy.transform.calls import builtin, method

# -- products --------------------------------------------------------------------------------------------------------


@builtin(np.matmul)
def matmul(s, x1, x2):
    return products.matmul(s, x1, x2)


@builtin(np.dot)
@method("dot")
def dot(s, a, b):
    return products.dot(s, a, b)


@builtin(np.inner)
def inner(s, a, b):
    return products.inner(s, a, b)


@builtin(np.outer)
def outer(s, a, b):
    return products.outer(s, products.flat(s, a, "np.outer"), products.flat(s, b, "np.outer"))


@builtin(np.vdot)
def vdot(s, a, b):
    return products.vectors(s, products.flat(s, a, "np.vdot"), products.flat(s, b, "np.vdot"))


@builtin(np.tensordot)
def tensordot(s, a, b, axes=None):
    a, b = products.need_array(s, a, "np.tensordot"), products.need_array(s, b, "np.tensordot")
    return products.tensordot(s, a, b, integer(2) if axes is None else axes)
