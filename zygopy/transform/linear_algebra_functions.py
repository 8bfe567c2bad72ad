"""NumPy's functions of linear algebra: what a call of each becomes."""

from functools import reduce

import numpy as np

from zygopy.errors import UnsupportedError
from zygopy.transform import einsums, products
from zygopy.transform.build import integer
from zygopy.transform.calls import builtin, method
from zygopy.transform.values import Static

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


@builtin(np.einsum)
def einsum(s, subscripts, *operands, optimize=None):
    if not (isinstance(subscripts, Static) and isinstance(subscripts.value, str)):
        raise UnsupportedError("np.einsum needs its subscripts as a string", s.loc, help='np.einsum("ij,jk->ik", a, b)')
    return einsums.einsum(s, subscripts.value, [products.need_array(s, a, "np.einsum") for a in operands])


@builtin(np.linalg.multi_dot)
def multi_dot(s, arrays):
    """From left to right, whatever the shapes."""
    if not (isinstance(arrays, tuple) and len(arrays) >= 2):
        raise UnsupportedError("np.linalg.multi_dot needs a list of at least two arrays", s.loc)
    return reduce(lambda a, b: products.dot(s, a, b), arrays)
