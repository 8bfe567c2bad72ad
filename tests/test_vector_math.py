"""Our elementary functions: errors against mpmath, special values against NumPy's, and whether loops are vectorised.

The errors are those of a sample: what lies between its arguments is not seen.
"""

import itertools
import math
import re

import numpy as np
import pytest
from numba import njit
from scipy import special

import zygopy as zg
from benchmarks import ulp
from zygopy.backends import vector_functions, vector_math

DTYPES = [np.float64, np.float32]
UNARY = [name for name in ulp.INTERVALS if name != "power"]
SPECIAL = [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 0.99, 20.0, 88.8, 104.0, 709.7, 710.0, 745.2, 746.0, 2.0**24 - 1, 2.0**24]
SPECIAL += [2.0**30, 2.0**53 - 1, 2.0**53, 2.0**54, 5e-324, 1e-310, 1e-45, 1e-40, 1e38, 1e308, np.inf, np.nan]
SPECIAL += [-x for x in SPECIAL]

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, at special values


def compiled(name, arguments=1):
    own = getattr(vector_functions, name)
    if arguments == 2:

        @njit(error_model="numpy")
        def powers(y, x, p):
            for i in range(x.shape[0]):
                y[i] = own(x[i], p[i])

        return powers

    @njit(error_model="numpy")
    def values(y, x):
        for i in range(x.shape[0]):
            y[i] = own(x[i])

    return values


LOOPS = {name: compiled(name, 2 if name == "power" else 1) for name in ulp.INTERVALS}


def results(name, *args):
    """By the functions of vectors: a multiple of the largest width is computed, so that no number is left alone."""
    count = len(args[0])
    args = [np.resize(a, -(-count // 64) * 64) for a in args]
    y = np.empty_like(args[0])
    LOOPS[name](y, *args)
    return y[:count]


def logistic(x):
    """SciPy's own has no subnormal results."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0.0, 1.0, e) / (1.0 + e)


def assert_same(actual, expected, *args):
    """Nearly equal, also in the signs of zeros; nan is nan whatever its sign."""
    np.testing.assert_array_max_ulp(actual, expected, 3)
    wrong = (np.signbit(actual) != np.signbit(expected)) & ~np.isnan(expected)
    assert not wrong.any(), [list(a[wrong]) for a in (*args, actual)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ulp.INTERVALS)
def test_errors_are_below_two_ulp(name, dtype):
    args = ulp.arguments(name, dtype, 3000)
    assert ulp.max_ulp(name, results(name, *args), args) < 2.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponential_without_avx512(dtype, monkeypatch):
    """Scaled in two steps, whatever the processor of the tests has."""
    monkeypatch.setattr(vector_math, "processor_has", lambda feature: False)
    own = vector_functions._in_place("exp", vector_math.exp)

    @njit(error_model="numpy")
    def values(y, x):
        for i in range(x.shape[0]):
            y[i] = own(x[i])

    x = np.concatenate([ulp.arguments("exp", dtype, 900)[0], np.array(SPECIAL, dtype)])
    y = np.empty_like(x)
    values(y, x)
    np.testing.assert_array_max_ulp(y, np.exp(x.astype(np.longdouble)).astype(dtype), 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sin", "cos"])
def test_errors_near_multiples_of_half_pi(name, dtype):
    """Where nearly all digits cancel. Beyond 2**30 the errors are the C library's."""
    turns = np.concatenate([np.arange(1, 300), np.random.default_rng(0).integers(1, 2**29, 700)])
    x = (turns * (math.pi / 2)).astype(dtype)
    assert ulp.max_ulp(name, results(name, x), (x,)) < 2.0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", UNARY)
def test_special_values(name, dtype):
    x = np.array(SPECIAL).astype(dtype)
    others = {"sigmoid": logistic, "erf": special.erf}
    expected = others.get(name, getattr(np, name, None))(x.astype(np.float64))
    assert_same(results(name, x), expected.astype(dtype), x)


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values_of_powers(dtype):
    x, p = np.array(list(itertools.product(SPECIAL, SPECIAL))).T.astype(dtype)
    assert_same(results("power", x, p), x**p, x, p)


@pytest.mark.parametrize("dtype", DTYPES)
def test_logaddexp(dtype):
    """Where the result is near 0, digits cancel in NumPy's own too: errors are measured against the larger argument."""
    own = compiled("logaddexp", 2)
    random = np.random.default_rng(0).normal(scale=20.0, size=(1000, 2))
    x, y = np.concatenate([random, np.array(list(itertools.product(SPECIAL, SPECIAL)))]).T.astype(dtype)
    actual, expected = np.empty_like(x), np.logaddexp(x, y)
    own(actual, x, y)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite])
    scale = np.maximum(np.maximum(abs(x), abs(y)), abs(expected))[finite]
    assert np.all(abs(actual[finite] - expected[finite]) <= 2 * np.finfo(dtype).eps * scale)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exact_powers_are_exact(dtype):
    x, p = np.array(list(itertools.product(range(-20, 21), range(10)))).T
    exact = x**p
    fits = np.abs(exact) < 2 ** np.finfo(dtype).nmant
    np.testing.assert_array_equal(results("power", x.astype(dtype), p.astype(dtype))[fits], exact[fits])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ulp.INTERVALS)
def test_lanes_agree(name, dtype):
    """A number has one result, alone and in vectors and in what is left of them, but where it alone is libm's."""
    x = np.linspace(0.1, 3.0, 67).astype(dtype)
    args = (x, x) if name == "power" else (x,)
    alone = np.empty_like(x)
    for k in range(67):
        LOOPS[name](alone[k : k + 1], *(a[k : k + 1] for a in args))
    np.testing.assert_array_max_ulp(results(name, *args), alone, 1 if name in ("exp", "log", "power") else 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ulp.INTERVALS)
def test_loops_are_vectorised(name, dtype):
    x = np.ones(3, dtype)
    results(name, *([x, x] if name == "power" else [x]))
    text = LOOPS[name].inspect_llvm()
    kind = "double" if dtype == np.float64 else "float"
    called = re.compile(rf'call <\d+ x {kind}> @"zygopy\.vector\.\w+:{kind}:\d:\d+"\(')
    assert any(called.search(t) for t in text.values() if f"x {kind}>" in t)


def wave(x, p):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.5:
            total += np.exp(x[i]) * np.sin(x[i]) + x[i] ** p + math.erf(x[i]) + 2.0 ** x[i]
    return total


@pytest.mark.skipif(not vector_functions.FUNCTIONS, reason="a processor without fused multiplication and addition")
@pytest.mark.parametrize("dtype", DTYPES)
def test_emitted_code_calls_them(dtype):
    x = np.linspace(0.1, 2.0, 9).astype(dtype)
    derivative = zg.value_and_grad(wave, (0, 1))
    value, (x_bar, p_bar) = derivative(x, dtype(2.7))
    expected, wanted = zg.value_and_grad(wave, (0, 1), backend="python")(x, dtype(2.7))
    tolerance = 20 * np.finfo(dtype).eps
    np.testing.assert_allclose(value, expected, rtol=tolerance)
    np.testing.assert_allclose(x_bar, wanted[0], rtol=tolerance)
    np.testing.assert_allclose(p_bar, wanted[1], rtol=tolerance)
    (text,) = derivative.inspect_llvm().values()
    assert {*re.findall(r'@"zygopy\.vector\.(\w+):(?:double|float):\d:1"\(', text)} == {
        "exp",
        "sin",
        "cos",
        "log",
        "pow",
    }  # erf is written in place


def test_powers_of_integers_stay_integers():
    assert zg.jit(lambda n, m: n**m)(3, 4) == 81
    assert zg.jit(lambda x, n: x**n)(2.0, 3) == 8.0


def test_numba_does_not_cache_code_that_calls_them():
    """Another process does not have the functions. Canary: a prefix of a name tells Numba."""
    results("exp", np.ones(1))
    assert all(result.library.has_dynamic_globals for result in LOOPS["exp"].overloads.values())


def bell_sum(x):
    return np.sum(special.erf(x))


@pytest.mark.skipif(("", "erf") not in vector_functions.IN_PLACE, reason="a processor without fused operations")
@pytest.mark.parametrize("dtype", DTYPES)
def test_error_function_shares_its_exponential(dtype):
    """In loops of array expressions one exponential serves erf and its derivative: as many scalings as divisions."""
    x = np.linspace(-7.0, 7.0, 103).astype(dtype)
    derivative = zg.value_and_grad(bell_sum)
    value, x_bar = derivative(x)
    np.testing.assert_allclose(value, np.sum(special.erf(x.astype(float))), atol=100 * np.finfo(dtype).eps)
    wanted = 2 / np.sqrt(np.pi) * np.exp(-(x.astype(float) ** 2))
    np.testing.assert_allclose(x_bar, wanted, rtol=100 * np.finfo(dtype).eps)
    alone = zg.jit(bell_sum)
    alone(x)
    scaled = r" shl <|call <.*@llvm\.ldexp"  # by the exponent's bits, or by AVX-512
    ratios = []
    for f in (derivative, alone):
        text = next(iter(f.inspect_llvm().values()))
        ratios.append(len(re.findall(scaled, text)) / len(re.findall(" fdiv <", text)))
    assert ratios[0] == ratios[1] > 0
