"""Callers of compiled gradients: `@njit` code, C, the arrays of `out=`."""

import ctypes
import math
from dataclasses import dataclass
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numba import types
from scipy import LowLevelCallable
from scipy.integrate import nquad, quad

import zygopy as zg


def wave(x, a=2.0):
    return math.exp(-a * x) * math.cos(x)


def waves(x):
    total = 0.0
    for v in x:
        total += v * v * v
    return total


def loss(w, x, y):
    return np.mean((x @ w - y) ** 2)


class Pair(NamedTuple):
    w: np.ndarray
    b: float


@dataclass
class Layer:
    w: np.ndarray
    b: np.ndarray
    name: str = "layer"


W, X, Y = np.array([0.5, -1.0]), np.arange(6.0).reshape(3, 2), np.array([1.0, 0.5, 2.0])

# -- @njit code ------------------------------------------------------------------------------------------------------

slope = zg.grad(wave)
value_and_slopes = zg.value_and_grad(waves)


@numba.njit
def sum_of_slopes(x, steps):
    total = 0.0
    for k in range(steps):
        total += slope(x + k, a=1.0) + slope(x)
    return total


@numba.njit
def applied(function, x):
    return function(x) + function(x + 1.0)


@numba.njit("float64(FunctionType(float64(float64)), float64)")
def applied_by_address(function, x):
    return function(x)


@numba.njit
def descent(x, steps):
    gradient = np.empty_like(x)
    for _ in range(steps):
        _, gradient = value_and_slopes(x, out=gradient)
        x = x - 0.1 * gradient
    return x


def test_compiled_code_calls_gradients():
    assert sum_of_slopes(0.5, 3) == pytest.approx(sum(slope(0.5 + k, 1.0) + slope(0.5) for k in range(3)))
    assert applied(slope, 0.5) == slope(0.5) + slope(1.5)
    assert applied_by_address(slope, 0.5) == slope(0.5)
    x = np.array([0.5, 0.25])
    np.testing.assert_allclose(descent(x, 2), (x - 0.3 * x**2) - 0.3 * (x - 0.3 * x**2) ** 2)


products = zg.grad(lambda x, y: np.sum(x * y))


@numba.njit
def call_products(x, y):
    return products(x, y)


def test_compiled_code_with_other_lengths():
    """Python calls get code for them, compiled callers an error of ours with the line."""
    np.testing.assert_array_equal(call_products(np.ones(3), np.full(3, 2.0)), np.full(3, 2.0))
    np.testing.assert_array_equal(products(np.ones(3), np.full(1, 2.0)), np.full(3, 2.0))
    with pytest.raises(zg.ShapeError) as raised:
        call_products(np.ones(3), np.ones(1))
    what, place, *_, help = str(raised.value).split("\n")
    assert what == "compiled code calls code that is for x.shape[0] == y.shape[0]"
    assert "test_callers.py" in place
    assert help == "help: call it from Python, which compiles for these lengths, or index that axis"


def test_code_for_arrays_is_no_hindrance_to_objects():
    gradient = zg.grad(lambda x, y: np.sum(x[0] * y))
    y = np.array([1.0, 2.0])
    assert isinstance(gradient((np.ones(2),), y), tuple)  # native code, which tests lengths
    (found,) = listed = gradient([np.ones(2)], y)
    assert isinstance(listed, list)
    np.testing.assert_array_equal(found, y)


# -- C functions -----------------------------------------------------------------------------------------------------


def test_c_functions():
    assert slope.cfunc("float64(float64)").ctypes(0.5) == slope(0.5)
    assert slope.primal.cfunc("float64(float64, float64)").ctypes(0.5, 1.0) == pytest.approx(wave(0.5, 1.0))


def test_integrals_by_scipy():
    """The derivative of an integral by a parameter, which SciPy hands on in its two ways."""
    by_rate = zg.grad(wave, "a")
    wanted, _ = quad(by_rate, 0.0, 1.0, args=(3.0,))
    found, _ = quad(LowLevelCallable(by_rate.cfunc("float64(intc, CPointer(float64))").ctypes), 0.0, 1.0, args=(3.0,))
    assert found == wanted
    rate = np.array([3.0])
    of_data = by_rate.cfunc(types.float64(types.float64, types.voidptr))
    found, _ = quad(LowLevelCallable(of_data.ctypes, rate.ctypes.data_as(ctypes.c_void_p)), 0.0, 1.0)
    assert found == wanted
    area = zg.jit(lambda x, y: x * y * y)
    pointer = types.CPointer(types.float64)
    of_two = area.cfunc(types.float64(types.intc, pointer, types.voidptr))
    found, _ = nquad(LowLevelCallable(of_two.ctypes), [(0.0, 1.0), (0.0, 3.0)])
    assert found == pytest.approx(4.5)


@pytest.mark.parametrize(
    ("operator", "signature", "message"),
    [
        (
            zg.grad(loss),
            "float64(float64)",
            "the signature float64(float64) gives 1 arguments, loss takes 3\nhelp: its parameters are w, x, y",
        ),
        (
            zg.grad(wave, ("x", "a")),
            "float64(float64, float64)",
            "wave returns UniTuple(float64 x 2), a C function returns one number\n"
            "help: write a function for numba.cfunc that calls it and stores what it returns through pointers",
        ),
        (
            zg.grad(wave, backend="python"),
            "float64(float64)",
            "a C function needs machine code, not the backend 'python'",
        ),
    ],
)
def test_c_functions_that_cannot_be(operator, signature, message):
    with pytest.raises(zg.ZygopyError) as raised:
        operator.cfunc(signature)
    assert str(raised.value) == message


# -- out= ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(3,), (3.0,), (W, W), ({"a": 1.0},)])
def test_out_is_given_by_name(more):
    """What was one argument too many is so still, and no array is written into."""
    before = W.copy()
    with pytest.raises(TypeError, match="too many arguments"):
        zg.grad(waves)(X[:, 0], *more)
    with pytest.raises(TypeError, match="too many arguments"):
        value_and_slopes(W, *more)
    np.testing.assert_array_equal(W, before)


BACKENDS = pytest.mark.parametrize("backend", ["python", "cpu"])


@BACKENDS
def test_a_gradient_is_written_into_an_array(backend):
    gradient, out = zg.value_and_grad(loss, backend=backend), np.full(2, np.nan)
    wanted = gradient(W, X, Y)
    for _ in range(2):
        value, found = gradient(W, X, Y, out=out)
        assert found is out
        assert value == wanted[0]
        np.testing.assert_array_equal(out, wanted[1])
    strided = np.zeros(4)[::2]
    assert gradient(W, X, Y, out=strided)[1] is strided
    np.testing.assert_array_equal(strided, wanted[1])


def test_nothing_is_allocated():
    text = zg.grad(loss, (0, 1, 2)).source(W, X, Y, out=(W.copy(), X.copy(), Y.copy()))
    assert "np.empty" not in text
    assert "np.zeros" not in text
    assert "return (out_0, out_1, out_2)" in text


def test_a_name_of_the_function_comes_first():
    def f(x, out):
        return x * out

    def g(x):
        out = 0.0
        for v in x:
            out += v * v
        return out

    assert zg.grad(f)(2.0, out=3.0) == 3.0
    out = np.zeros(2)
    assert zg.grad(g)(W, out=out) is out
    np.testing.assert_array_equal(out, 2 * W)
    np.testing.assert_array_equal(zg.grad(g)(W), 2 * W)


def of_objects(layer, pair, options):
    return np.sum(layer.w @ pair.w) * pair.b + np.sum(options["v"] * options["l"][0]) + np.sum(layer.b)


@BACKENDS
def test_structures_are_filled(backend):
    arguments = Layer(X, Y), Pair(W, 2.0), {"v": Y, "l": [Y + 1.0]}
    gradient = zg.grad(of_objects, (0, 1, 2), backend=backend)
    wanted = gradient(*arguments)
    out = Layer(np.zeros((3, 2)), np.zeros(3)), Pair(np.zeros(2), 0.0), {"v": np.zeros(3), "l": [np.zeros(3)]}
    layer, pair, options = gradient(*arguments, out=out)
    assert layer.w is out[0].w
    assert pair.w is out[1].w
    assert options["l"][0] is out[2]["l"][0]
    np.testing.assert_array_equal(layer.w, wanted[0].w)
    np.testing.assert_array_equal(layer.b, wanted[0].b)
    np.testing.assert_array_equal(pair.w, wanted[1].w)
    assert pair.b == wanted[1].b
    assert out[1].b == 0.0  # numbers are in the result only
    np.testing.assert_array_equal(options["v"], wanted[2]["v"])


@BACKENDS
def test_other_derivatives_are_written_too(backend):
    out = np.empty((2, 2))
    assert zg.jacfwd(lambda x: x * x[0], backend=backend)(W, out=out) is out
    np.testing.assert_array_equal(out, [[1.0, 0.0], [-1.0, 0.5]])
    aux = zg.grad(lambda x: (np.sum(x * x), x[0]), has_aux=True, backend=backend)
    found, first = aux(W, out=(out := np.empty(2)))
    assert found is out
    assert first == W[0]
    np.testing.assert_array_equal(out, 2 * W)


def test_lengths_that_code_was_not_made_for():
    gradient, out = zg.grad(lambda x, y: np.sum(x * y), (0, 1)), (np.empty(3), np.empty(1))
    x_bar, y_bar = gradient(np.arange(3.0), np.array([2.0]), out=out)
    assert x_bar is out[0]
    np.testing.assert_array_equal(x_bar, np.full(3, 2.0))
    np.testing.assert_array_equal(y_bar, [3.0])


HELP = "\nhelp: pass what an earlier call returned, or arrays like the arguments"
READ_ONLY = np.zeros(2)
READ_ONLY.flags.writeable = False


@BACKENDS
@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros(3), zg.ShapeError, "out has another shape than the gradient"),
        (
            np.zeros(2, np.float32),
            zg.DtypeError,
            "out is an array of float32 with 1 dimension, the gradient is an array of float64 with 1 dimension" + HELP,
        ),
        (W, zg.OverlapError, "out is stored into and shares memory with w: pass a copy of one of them"),
        (X[1], zg.OverlapError, "out is stored into and shares memory with x: pass a copy of one of them"),
        ((np.zeros(2),), zg.ArgumentError, "out is a tuple or object, the gradient is an array there" + HELP),
        ([0.0, 0.0], zg.ArgumentError, "out is a tuple or object, the gradient is an array there" + HELP),
        (2.0, zg.DtypeError, "out is a number; a gradient is written into arrays"),
        (READ_ONLY, zg.ArgumentError, "out is read-only"),
    ],
)
def test_arrays_that_do_not_fit(backend, out, error, message):
    with pytest.raises(error) as raised:
        zg.grad(loss, backend=backend)(W, X, Y, out=out)
    found = str(raised.value)
    assert found == message or found.startswith(message + "\n  --> ")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ({"v": np.zeros(3)}, "out has another structure than the gradient" + HELP),
        ({"v": np.zeros(3), "l": [None]}, 'out["l"][0] is None, the gradient is an array there' + HELP),
    ],
)
def test_structures_that_do_not_fit(out, message):
    with pytest.raises(zg.ArgumentError) as raised:
        zg.grad(of_objects, 2)(Layer(X, Y), Pair(W, 2.0), {"v": Y, "l": [Y]}, out=out)
    assert str(raised.value) == message


def test_out_inside_a_differentiated_function():
    inner = zg.grad(waves)
    with pytest.raises(zg.ZygopyError) as raised:
        zg.grad(lambda x: np.sum(inner(x, out=np.zeros(2))))(W)
    assert str(raised.value).startswith("out= inside a differentiated function is not supported\n  --> ")
