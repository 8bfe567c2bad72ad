"""The kernels of linear algebra as plain Python: what emitted text calls on the python backend."""

import numpy as np


def matmul(out, a, b):
    """out[...] = a @ b"""
    np.matmul(a, b, out=out)


def add_matmul(out, a, b):
    """out += a @ b"""
    out += a @ b


def sub_matmul(out, a, b):
    """out -= a @ b"""
    out -= a @ b


KERNELS = {f.__name__: f for f in (matmul, add_matmul, sub_matmul)}
