"""The functions of scalars: their values and types against NumPy's and Python's own, interpreted and compiled."""

import itertools
import math
import operator

import mpmath
import numpy as np
import pytest

import zygopy
from tests.straight_line import Line, compile_lines
from tests.test_rules import ROWS
from zygopy.backends.runtime import HELPERS
from zygopy.errors import ArgumentError, DtypeError
from zygopy.transform.functions import is_scalar_function
from zygopy.transform.types import FLOAT, FLOAT32, FLOAT64, INT, INT64, Scalar

F8, F4, I8 = Scalar(FLOAT64), Scalar(FLOAT32), Scalar(INT64)

REFUSED = {
    "several results": {np.modf, np.frexp, math.modf, math.frexp},
    "sequences": {math.fsum, getattr(math, "sumprod", None)},
    "matrix products": {np.matmul, np.vecdot, getattr(np, "matvec", None), getattr(np, "vecmat", None)},
    "no numbers": {np.isnat, np.bitwise_count},
}
OF_ITEMS = {np.divmod, math.dist, math.prod}  # or with several results: no functions of numbers alone
UFUNCS = {f for f in vars(np).values() if isinstance(f, np.ufunc)}
MATH = {f for name, f in vars(math).items() if callable(f) and not name.startswith("_")}


def test_every_ufunc_and_math_function_is_supported_or_refused():
    refused = set().union(*REFUSED.values()) - {None}
    supported = {f for f in UFUNCS | MATH if is_scalar_function(f)}
    assert supported | refused | OF_ITEMS == UFUNCS | MATH
    assert not supported & refused


# -- types ------------------------------------------------------------------------------------------------------------

SAMPLES = {F8: np.float64(2.0), F4: np.float32(2.0), I8: np.int64(2), FLOAT: 2.0, INT: 2}
TYPED = sorted((f for f in UFUNCS if is_scalar_function(f)), key=lambda f: f.__name__)


@pytest.mark.parametrize("ufunc", TYPED, ids=lambda f: f.__name__)
def test_result_types_are_those_of_numpy(ufunc):
    """For all pairs of float64, float32, int64 and Python's numbers; what NumPy refuses is not asked.

    np.ldexp of a Python int is float16 in NumPy and float64 here.
    """
    for types in itertools.product(SAMPLES, repeat=ufunc.nin):
        try:
            with np.errstate(all="ignore"):
                wanted = ufunc(*(SAMPLES[t] for t in types)).dtype
        except TypeError:
            continue
        if wanted == np.float16 or (ufunc is np.reciprocal and wanted == np.int64):
            continue
        found = Line(ufunc, *types).outputs[0].type
        assert found == Scalar(wanted), (ufunc, types)


@pytest.mark.parametrize(
    ("function", "types", "wanted"),
    [
        (math.sin, (FLOAT,), FLOAT),
        (math.sin, (F4,), F4),
        (math.sin, (INT,), FLOAT),
        (math.erf, (F4,), F4),
        (math.floor, (F4,), INT),
        (math.trunc, (INT,), INT),
        (math.isnan, (FLOAT,), Scalar(np.dtype(bool), weak=True)),
        (math.pow, (INT, INT), FLOAT),
        (math.fabs, (INT,), FLOAT),
        (math.gcd, (INT, INT), INT),
        (math.isclose, (FLOAT, FLOAT), Scalar(np.dtype(bool), weak=True)),
        (abs, (INT,), INT),
        (abs, (F4,), F4),
        (round, (FLOAT,), INT),
        (round, (FLOAT, 2), FLOAT),
        (max, (INT, FLOAT), FLOAT),
        (max, (INT, INT), INT),
        (max, (F4, FLOAT), F4),
        (operator.pow, (INT, 2), INT),
        (operator.pow, (INT, 5), INT),
        (operator.pow, (INT, -1), FLOAT),
        (operator.pow, (INT, -3), FLOAT),
        (operator.pow, (INT, 0.5), FLOAT),
        (operator.pow, (FLOAT, INT), FLOAT),
        (operator.pow, (F4, INT), F4),
        (operator.pow, (F4, 3), F4),
        (operator.pow, (F4, np.float64(2.0)), F8),
        (operator.truediv, (INT, INT), FLOAT),
        (operator.floordiv, (INT, INT), INT),
        (operator.mod, (INT, FLOAT), FLOAT),
        (np.where, (True, F4, F8), F8),
        (np.clip, (F4, 0.0, 1.0), F4),
        (np.sinc, (F4,), F4),
        (np.round, (F4, 2), F4),
        (np.fix, (I8,), I8),
        (np.real, (F4,), F4),
    ],
)
def test_result_types_of_other_functions(function, types, wanted):
    assert Line(function, *types).outputs[0].type == wanted


# -- values -----------------------------------------------------------------------------------------------------------

SPECIAL = (0.3, -1.7, 0.0, 1.0, -1.0, 2.5, -3.0, 1e300, 1e-300, math.inf, -math.inf, math.nan)
ULPS = {math.erfc: 8, math.gamma: 12, math.lgamma: 12}  # their versions in CPython and in the C library differ
CHUNK = 25  # lines in one Numba function


def functions_of_floats():
    """Functions of one and two floats; steps and predicates too."""
    for function in sorted(UFUNCS | MATH | {max, min, abs, np.fix}, key=lambda f: (f.__name__, str(f))):
        if not is_scalar_function(function) or function in (math.ulp, math.comb, math.perm, math.lcm, math.gcd):
            continue
        for count in (1, 2):
            if (isinstance(function, np.ufunc) and function.nin != count) or _wants(function) not in (None, count):
                continue
            try:
                line = Line(function, *[FLOAT] * count)
            except (ArgumentError, DtypeError):
                continue
            if line.outputs[0].type.is_float:
                yield function, count


def _wants(function):
    return {max: 2, min: 2, math.hypot: 2, math.log: 1}.get(function)


FLOAT_FUNCTIONS = list(functions_of_floats())


def reference(function, numbers, dtype):
    """What NumPy or Python computes; None where it raises."""
    if function is math.nextafter:
        function = np.nextafter
    elif not isinstance(function, np.ufunc):
        numbers = [float(x) for x in numbers]
    with np.errstate(all="ignore"):
        try:
            return dtype(function(*numbers))
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):
            return None


def agrees(found, wanted, function, dtype) -> bool:
    if wanted is None or (np.isnan(found) and np.isnan(wanted)) or found == wanted:
        return True
    return abs(float(found) - float(wanted)) <= ULPS.get(function, 4) * np.spacing(
        max(abs(wanted), np.finfo(dtype).tiny)
    )


def points(count, dtype):
    return [tuple(dtype(x) for x in p) for p in itertools.product(SPECIAL, repeat=count)]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("function", "count"), FLOAT_FUNCTIONS, ids=lambda x: getattr(x, "__name__", ""))
def test_values_interpreted(function, count, dtype):
    line = Line(function, *[FLOAT if dtype == np.float64 else F4] * count)
    result_dtype = line.outputs[0].type.dtype.type
    for point in points(count, dtype):
        if function in (operator.pow, np.power, math.pow, np.float_power) and math.isinf(point[0]) and point[1] == 0.5:
            continue
        found, wanted = line.run(*point)[0], reference(function, point, result_dtype)
        assert agrees(found, wanted, function, result_dtype), (point, found, wanted)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_types_compiled(dtype):
    """Every function in a few Numba functions: the emitted text means the same to Numba, float32 included."""
    type_ = FLOAT if dtype == np.float64 else F4
    for count in (1, 2):
        functions = [f for f, n in FLOAT_FUNCTIONS if n == count]
        for start in range(0, len(functions), CHUNK):
            chunk = functions[start : start + CHUNK]
            lines = [Line(f, *[type_] * count) for f in chunk]
            compiled = compile_lines(lines)
            for point in points(count, dtype):
                for f, line, (found,) in zip(chunk, lines, compiled(*point * len(chunk)), strict=True):
                    wanted = line.run(*point)[0]
                    assert agrees(found, wanted, f, wanted.dtype.type), (f, point, found, wanted)
            types = compiled.nopython_signatures[0].return_type
            assert [str(t.dtype) for t in types] == [line.outputs[0].type.dtype.name for line in lines]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rules_compiled(dtype):
    """Gradients of the rows of test_rules.py, compiled, against the same gradients interpreted."""
    type_ = FLOAT if dtype == np.float64 else F4
    for start in range(0, len(ROWS), CHUNK):
        rows = ROWS[start : start + CHUNK]
        lines = [row.line(type_).with_gradient() for row in rows]
        compiled = compile_lines(lines)
        results = compiled(*(dtype(x) for row in rows for x in row.points[0]))
        for row, line, found in zip(rows, lines, results, strict=True):
            for x, wanted in zip(found, line.run(*row.points[0]), strict=True):
                assert math.isclose(x, wanted, rel_tol=1e-13 if dtype == np.float64 else 1e-5, abs_tol=1e-15), row
        types = compiled.nopython_signatures[0].return_type
        assert {str(t.dtype) for t in types} == {np.dtype(dtype).name}


@pytest.mark.parametrize("n", [1, 2, 3, 4, -1, -2, 0.5, -0.5, 1.5, -1.5, 7, 0.3])
def test_powers_are_within_3_ulp(n):
    rng = np.random.default_rng(0)
    line = Line(operator.pow, FLOAT, n)
    for x in 10.0 ** rng.uniform(-30, 30, 500):
        with mpmath.workdps(40):
            exact = mpmath.power(mpmath.mpf(float(x)), mpmath.mpf(n))
            error = abs(mpmath.mpf(float(line.run(x)[0])) - exact)
        assert error <= 3 * np.spacing(float(exact))


def test_integer_functions():
    for a, b in itertools.product(range(-7, 8), repeat=2):
        for f in (operator.floordiv, operator.mod, math.gcd, math.lcm, np.fmod, max, min, operator.xor):
            if b == 0 and f in (operator.floordiv, operator.mod, np.fmod):
                continue
            assert Line(f, INT, INT).run(a, b) == [f(a, b)]
    for n, k in itertools.product(range(12), repeat=2):
        for f in (math.comb, math.perm, math.pow):
            assert Line(f, INT, INT).run(n, k) == [f(n, k)]
        assert Line(operator.pow, INT, k).run(n) == [n**k]
        assert Line(math.factorial, INT).run(n) == [math.factorial(n)]
    for n in (*range(50), 10**12, 10**12 - 1, 2**53, 2**62, 2**63 - 1, 3037000499**2 - 1):
        assert Line(math.isqrt, INT).run(n) == [math.isqrt(n)]
    assert Line(math.gcd, INT, INT, INT).run(12, 18, 27) == [3]
    assert Line(operator.pow, INT, -2).run(4) == [0.0625]


def test_sinc_is_numpys():
    for x in (-3.3, -1.0, 0.0, 1e-9, 0.4, 2.0, 1e6):
        assert math.isclose(Line(np.sinc, FLOAT).run(x)[0], np.sinc(x), rel_tol=1e-14, abs_tol=1e-16)


def test_rounding():
    for x in (-2.5, -1.5, -0.4, 0.5, 1.5, 2.5, 2.51, 7.0):
        for f in (math.floor, math.ceil, math.trunc, round, np.fix, np.round):
            assert Line(f, FLOAT).run(x) == [f(x)]
    for x, n in itertools.product((3.14159, -271.828, 0.125), (0, 1, 2, -1)):
        assert Line(np.round, FLOAT, n).run(x) == [np.round(x, n)]


def test_ldexp_reaches_the_ends_of_the_range():
    for x, i in ((1.5, 10), (1e-300, 2000), (1e300, -2000), (0.7, -1074), (0.7, -1080), (-3.0, 1020)):
        assert Line(math.ldexp, FLOAT, INT).run(x, i) == [math.ldexp(x, i)]


def test_isclose():
    for a, b in itertools.product((0.0, 1.0, 1.0 + 1e-10, 1.0 + 1e-7, math.inf, -math.inf, math.nan), repeat=2):
        assert Line(math.isclose, FLOAT, FLOAT).run(a, b) == [math.isclose(a, b)]
        assert Line(np.isclose, FLOAT, FLOAT).run(a, b) == [np.isclose(a, b)]


@pytest.mark.parametrize(
    "function", [digamma := HELPERS["digamma"], HELPERS["polygamma"]], ids=["digamma", "polygamma"]
)
def test_polygamma_against_mpmath(function):
    """Relative to the largest term of the sum for negative x, where terms of both signs cancel."""
    for n, x in itertools.product(
        range(6), (1e-8, 0.1, 0.5, 1.4, 3.3, 9.99, 50, 1e10, -0.1, -0.5, -2.7, -30.3, -1000.2)
    ):
        if (n == 0) is not (function is digamma):
            continue
        exact = float(mpmath.polygamma(n, mpmath.mpf(x)))
        found = function(x) if n == 0 else function(float(n), x)
        scale = math.factorial(n) / abs(x - round(x)) ** (n + 1) if x < 0 else abs(exact)
        assert abs(found - exact) <= 1e-13 * (scale + abs(exact) + (n == 0))


@pytest.mark.parametrize("name", ["bessel_j", "bessel_i"])
def test_bessel_against_mpmath(name):
    """J relative to how far it swings, as it goes through 0."""
    exactly = getattr(mpmath, name.replace("_", ""))
    for n, x in itertools.product(
        (0, 1, 2, 5), (0.0, 1e-5, 0.99, 1.0, 2.404825557695773, 12.0, 29.9, 30.1, 60.0, 300.0, 1e3, -0.4, -50.0)
    ):
        if name == "bessel_i" and x > 700:
            continue
        exact = float(exactly(n, mpmath.mpf(x)))
        scale = math.sqrt(2 / math.pi / abs(x)) if name == "bessel_j" and abs(x) > n else abs(exact)
        assert abs(HELPERS[name](float(n), x) - exact) <= 4e-15 * (scale + abs(exact))
        assert HELPERS[name](float(-n), x) == HELPERS[name](float(n), x) * (-1 if name == "bessel_j" and n % 2 else 1)
    assert math.isnan(HELPERS[name](0.0, math.nan))
    assert HELPERS[name](1.0, -math.inf) == (0.0 if name == "bessel_j" else -math.inf)


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "types", "error", "message"),
    [
        (np.arctan2, (FLOAT,), ArgumentError, "arctan2 takes 2 numbers, not 1"),
        (np.exp, (FLOAT, FLOAT), ArgumentError, "exp takes 1 number, not 2"),
        (math.log, (FLOAT, FLOAT, FLOAT), ArgumentError, "this call of log is not supported: too many positional"),
        (pow, (INT, INT, INT), ArgumentError, "this call of pow is not supported: too many positional arguments"),
        (operator.pow, (I8, -1), ArgumentError, "integers to negative integer powers are not allowed"),
        (np.power, (INT, np.int64(-1)), ArgumentError, "integers to negative integer powers are not allowed"),
        (operator.or_, (FLOAT, INT), DtypeError, "bit_or needs integers"),
        (math.gcd, (FLOAT, INT), DtypeError, "gcd needs integers"),
        (np.reciprocal, (INT,), DtypeError, "np.reciprocal of an integer rounds to 0"),
        (round, (FLOAT, INT), ArgumentError, "the number of digits must be known at compile time"),
    ],
)
def test_refusals(function, types, error, message):
    with pytest.raises(error, match=message):
        Line(function, *types)


@pytest.mark.parametrize(("name", "arguments"), [("factorial", (21,)), ("comb", (70, 35)), ("perm", (30, 20))])
def test_integers_that_do_not_fit_raise(name, arguments):
    with pytest.raises(OverflowError, match="does not fit into 64 bits"):
        HELPERS[name](*arguments)


def scaled(x, factor=2.0):
    return x * x * factor


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_default_values_may_be_differentiated(backend):
    gradient = zygopy.grad(scaled, ("x", "factor"), backend=backend)
    assert gradient(3.0) == (12.0, 9.0)
    assert gradient(3.0, 4.0) == (24.0, 9.0)
    assert gradient(3.0) == (12.0, 9.0)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_strict_zip_compares_lengths(backend):
    def product(x, y):
        total = 0.0
        for a, (_, b) in zip(x, enumerate(y), strict=True):
            total += a * b
        return total

    gradient = zygopy.grad(product, backend=backend)
    assert gradient(np.ones(2), np.array([3.0, 4.0])).tolist() == [3.0, 4.0]
    assert gradient((1.0, 2.0), [3.0, 4.0]) == (3.0, 4.0)
    for args in ((np.ones(2), np.ones(3)), ((1.0,), (1.0, 2.0))):
        with pytest.raises(ValueError, match="argument 2 is of another length than argument 1"):
            gradient(*args)
