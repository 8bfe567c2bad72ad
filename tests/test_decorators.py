"""Inner functions that are decorated: by operators, by Numba, by functions of the user."""

import functools

import numba
import numpy as np
import pytest

import zygopy as zg


def twice(f):
    @functools.wraps(f)
    def doubled(*args, **kwargs):
        return 2 * f(*args, **kwargs)

    return doubled


def scaled(k):
    return lambda f: lambda *args: k * f(*args)


def by_an_operator(x):
    @zg.grad
    def slope(y):
        return np.sin(y * x)

    @zg.value_and_grad
    def both(y):
        return y**3 * x

    value, gradient = both(x)
    return slope(x) * x + value * gradient


def by_several(x):
    @twice
    @scaled(x)
    @zg.checkpoint
    def f(y):
        return np.tanh(y * x)

    return f(x)


def by_numba(x):
    @numba.njit(cache=True)
    def f(y):
        return y * y * x

    @zg.jit
    @numba.njit
    def g(y):
        return f(y) + y

    return g(x) + f(2.0)


def by_a_partial(x):
    @functools.partial(zg.grad, argnums=1)
    def f(a, b):
        return a * b**3

    @zg.vmap
    def row(a):
        return a * a * x

    return f(x, x) + np.sum(row(np.arange(3.0)))


@pytest.mark.parametrize("function", [by_an_operator, by_several, by_numba, by_a_partial])
def test_decorated(function):
    """Against the function run by CPython, and its central differences."""
    value, gradient = zg.value_and_grad(function, backend="python")(1.3)
    step = 1e-6
    slope = (function(1.3 + step) - function(1.3 - step)) / (2 * step)
    np.testing.assert_allclose((value, gradient), (function(1.3), slope), rtol=1e-8)
    assert zg.jvp(function, (1.3,), (1.0,), backend="python")[1] == pytest.approx(gradient, rel=1e-12)
