"""Which arrays share memory: stores through one of two names, seen through the other, as in CPython or refused."""

import linecache

import numpy as np
import pytest
import scipy.linalg

import zygopy as zg
from tests.compare import assert_close

EXPRESSIONS = """
x  +x  -x  abs(x)  x+0.0  x*1.0  x.copy()  np.copy(x)  np.array(x)  np.asarray(x)  np.ascontiguousarray(x)
np.ascontiguousarray(x.T)  np.ascontiguousarray(x[:,::2])  np.asarray(x,dtype=np.float64)  x.astype(float)
np.positive(x)  x.T  x[1:]  x[::-1]  x[:,1:3]  x[1]  x[:,0]  x[...,0]  x[None]  x[:,[0,1]]  x[[0,1]]  x[x>0]
x[[0,1],1:]  x.conj()  x.conjugate()  np.conj(x)  x.real  np.real(x)  np.nan_to_num(x)  np.round(x,3)
np.clip(x,-9.0,9.0)  np.maximum(x,-9.0)  np.where(x>-9.0,x,x)  np.sort(x)  np.cumsum(x[:1],axis=0)
np.sum(x[None],axis=0)  np.ravel(x)  x.ravel()  x.flatten()  x.reshape(-1)  np.reshape(x,(2,6))  x[1:].reshape(-1)
x.T.reshape(-1)  x.reshape(3,1,4)  x.T.copy().reshape(-1)  np.cos(x.T).reshape(-1)  np.zeros_like(x.T).reshape(-1)
np.copy(x.T).reshape(-1)  (x.T+x[:,0]).ravel()  (x*x.T.copy().T).reshape(2,6)  np.where(x.T>0,x.T,0.0).reshape(-1)
x.T.astype(np.float32).reshape(-1)  x[:,[0,1,3]].reshape(-1)  x[[0,2]].reshape(-1)  np.stack((x.T,x.T)).reshape(-1)
np.concatenate((x.T,x.T)).reshape(-1)  np.swapaxes(x,0,1)  np.moveaxis(x,0,1)  np.transpose(x)  np.expand_dims(x,0)
np.squeeze(x[None])  np.rot90(x)  np.rot90(x,2)  np.flip(x)  np.fliplr(x)  np.flipud(x)  np.roll(x,1)
np.roll(x,1,axis=0)  np.split(x,2,axis=1)[0]  np.array_split(x,2)[1]  np.hsplit(x,2)[1]  np.vsplit(x,3)[2]
np.atleast_1d(x)  np.atleast_2d(x[0])  np.atleast_3d(x)  np.diag(x[0])  np.diag(x)  np.diagonal(x)  x.diagonal()
np.tril(x)  np.triu(x)  np.einsum('ij->ij',x)  np.einsum('ij->ji',x)  np.einsum('ii->i',x[:,:3])
np.einsum('ij->i',x)  np.einsum('ij,ij->ij',x,x)  np.tile(x,1)  np.tile(x,2)  np.repeat(x,1,axis=0)
np.take(x,[0,1],axis=0)  np.pad(x,0)  np.vstack((x,))  np.hstack((x,))  np.concatenate((x,))  np.stack((x,))
np.column_stack((x,))  np.meshgrid(x[0],x[:,0])[0]  np.append(x,x)  np.dot(np.eye(3),x)  np.eye(3)@x
np.linalg.inv(x[:,:3])  np.outer(x[0],x[1])  np.multiply.outer(x,x[0])
""".split()

USES = {
    "stored through the new name": "y[0] = 7.0",
    "stored through the old name": "x[0, 0] = 5.0 * x[1, 1]; x[1] *= 2.0",
    "neither": "pass",
}
STARTS = {"C order": "x = a.copy()", "a transpose": "x = a.T.copy().T"}


def program(expression: str, use: str, start: str):
    """A function of `a` that makes y of x, stores, and reads both."""
    text = f"def f(a):\n    {STARTS[start]}\n    y = {expression}\n    {USES[use]}\n"
    text += "    return np.sum(x * np.arange(12.0).reshape(3, 4)) + np.sum(np.cos(y))\n"
    file = f"<{expression} {use} {start}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    namespace = {"np": np, "__name__": __name__}
    exec(compile(text, file, "exec"), namespace)
    return namespace["f"]


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_as_in_numpy_or_refused(expression, start):
    """What it cannot see: programs in which the two names are read before the store only."""
    for use in USES:
        f = program(expression, use, start)
        a = np.random.default_rng(3).normal(size=(3, 4))
        try:
            wanted = f(a.copy())
        except ValueError:  # NumPy's view is read-only
            with pytest.raises(zg.ZygopyError):
                zg.jit(f, backend="python")(a.copy())
            continue
        try:
            found = zg.jit(f, backend="python")(a.copy())
        except zg.UnsupportedError as error:
            if use == "neither" or "a view" not in error.what:
                raise
        else:
            assert_close(found, wanted, 1e-6)


def rebound_in_a_loop(x):
    y = x.copy().T
    for _ in range(3):
        y = np.cos(y)
    flat = y.reshape(-1)
    flat[1] = 7.0
    return np.sum(y)


def bound_in_branches(x):
    y = np.cos(x.T) if x[0, 0] > 0 else np.sin(x.T)
    flat = y.reshape(-1)
    flat[1] = 7.0
    return np.sum(y)


def through_a_helper(x):
    def cosine(v):
        return np.cos(v)

    flat = cosine(x.T)[:, :].reshape(-1)
    y = cosine(x.T)
    flat = y[0:].reshape(-1)
    flat[1] = 7.0
    return np.sum(y)


def of_scipy(x):
    y = scipy.linalg.solve_triangular(np.eye(3), x)
    flat = y.reshape(-1)
    flat[1] = 7.0
    return np.sum(y)


def of_a_kept_function(x):
    def cosine(v, n):
        return np.cos(v) if n == 0 else cosine(v, n - 1)

    y = cosine(x.T, 2)
    flat = y.reshape(-1)
    flat[1] = 7.0
    return np.sum(y)


def in_a_kept_function(x):
    def cosine(v, n):
        if n == 0:
            y = np.cos(v)
            flat = y.reshape(-1)
            flat[1] = 7.0
            return y
        return cosine(v, n - 1)

    return np.sum(cosine(x.T, 2))


@pytest.mark.parametrize(
    "f", [rebound_in_a_loop, bound_in_branches, through_a_helper, of_scipy, of_a_kept_function, in_a_kept_function]
)
def test_orders_follow_arrays_through_variables(f):
    with pytest.raises(zg.UnsupportedError, match="may be a view or a copy"):
        zg.jit(f, backend="python")(np.ones((3, 4)))


@pytest.mark.parametrize(
    "expression", ["np.cos(x).reshape(-1)", "(x[:, ::2]*x[0, ::2]).reshape(-1)", "x.T.copy().ravel()"]
)
def test_arrays_in_c_order_are_reshaped_as_views(expression):
    """Not refused, though stored into; what these give is compared above."""
    zg.jit(program(expression, "stored through the new name", "C order"), backend="python")(np.ones((3, 4)))


def shifted_in_another_shape(a):
    x = a * 1.0
    y = x.reshape(4, 3).reshape(12)
    y[1:] = x.reshape(12)[:-1]
    return np.sum(y * np.arange(12.0))


def added_in_another_shape(a):
    x = a * 1.0
    x[1:] += x.reshape(2, 6).reshape(3, 4)[:-1]
    return np.sum(x * np.arange(12.0).reshape(3, 4))


@pytest.mark.parametrize("f", [shifted_in_another_shape, added_in_another_shape])
def test_sources_that_are_other_views_of_what_is_stored_into(f):
    """They are copied first, as by NumPy."""
    a = np.random.default_rng(4).normal(size=(3, 4))
    value, gradient = zg.value_and_grad(f, backend="python")(a)
    assert_close(value, f(a))
    units = np.eye(12).reshape(12, 3, 4)
    assert_close(gradient.ravel(), np.array([f(a + u) - f(a) for u in units]))  # f is linear
