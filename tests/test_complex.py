"""Complex numbers: functions and programs of them against finite differences of the user's own function.

Differences of sixth order are taken along the real and the imaginary axis of each number, which gives the gradient
df/dx - i df/dy with nothing of the compiler in it. What they cannot see: errors below 1e-7, and branch cuts.
"""

import cmath
import copy
import math
import operator

import numpy as np
import pytest

import zygopy as zg
from zygopy.transform import ops, rules
from zygopy.transform.emit import _complex_constant
from zygopy.transform.ir import Let, walk

# -- the oracle -------------------------------------------------------------------------------------------------------

STEP, WEIGHTS = 0.003, {1: 3 / 4, 2: -3 / 20, 3: 1 / 60}


def slope(f, args, along):
    """The derivative of f(*args) along a tuple of directions; None stands still."""

    def at(t):
        moved = (a if d is None else a + t * d for a, d in zip(copy.deepcopy(args), along, strict=True))
        with np.errstate(all="ignore"):
            return f(*moved)

    return sum(w * (at(k * STEP) - at(-k * STEP)) for k, w in WEIGHTS.items()) / STEP


def gradient(f, args, n):
    """df/dx - i df/dy for each number of argument n; df/dx where it is real."""
    found = np.zeros(np.shape(args[n]), np.asarray(args[n]).dtype)
    for place in np.ndindex(found.shape):
        unit = np.zeros_like(found)
        unit[place] = 1
        for turn in (1, 1j) if np.iscomplexobj(found) else (1,):
            along = tuple(turn * unit[()] if k == n else None for k in range(len(args)))
            found[place] += slope(f, args, along) / turn
    return found


# -- what is checked --------------------------------------------------------------------------------------------------


def close(found, wanted, dtype, what):
    tolerance = 1e-3 if np.dtype(dtype).name in ("float32", "complex64") else 1e-7
    scale = max(1.0, np.max(np.abs(wanted), initial=0.0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * scale, err_msg=what)


def numbers(shape=(), dtype=complex, phase=0.0):
    """Reproducible numbers in the right half of the unit circle."""
    k = np.arange(np.prod(shape, dtype=int)) + phase
    z = 0.7 + 0.2 * np.sin(1.7 * k + 0.3) + 0.5j * np.cos(2.3 * k + 0.4)
    return (z if np.dtype(dtype).kind == "c" else z.real).reshape(shape).astype(dtype)[()]


def direction(arg, phase):
    return numbers(np.shape(arg), np.asarray(arg).dtype, phase) - np.asarray(arg).dtype.type(0.6)


def wide(args):
    """The same arguments in double precision."""
    return tuple(a * np.float64(1) if np.asarray(a).dtype.kind in "fc" else a for a in args)


def check(f, *args, backend="python", order=2):
    """Gradients, tangents and the change of gradients along a direction, for all arguments that are no integers."""
    argnums = tuple(k for k, a in enumerate(args) if np.asarray(a).dtype.kind in "fc")
    dtype = min((np.asarray(args[k]).dtype for k in argnums), key=lambda t: np.finfo(t).bits)
    value, found = zg.value_and_grad(f, argnums, backend=backend)(*copy.deepcopy(args))
    close(value, f(*copy.deepcopy(args)), dtype, "value")
    for k, g in zip(argnums, found, strict=True):
        assert (np.shape(g), np.asarray(g).dtype) == (np.shape(args[k]), np.asarray(args[k]).dtype)
        close(g, gradient(f, wide(args), k), dtype, f"gradient of argument {k}")
    along = tuple(direction(a, k + 1.5) if k in argnums else None for k, a in enumerate(args))
    result, tangent = zg.jvp(f, copy.deepcopy(args), along, backend=backend)
    close(result, value, dtype, "value beside the tangent")
    close(tangent, slope(f, wide(args), along), dtype, "tangent")
    if order == 1 or np.finfo(dtype).bits == 32:
        return
    first = zg.grad(f, argnums, backend=backend)
    _, change = zg.jvp(first, copy.deepcopy(args), along, backend=backend)
    for j, k in enumerate(argnums):
        wanted = slope(lambda *a, j=j: first(*a)[j], args, along)
        close(change[j], wanted, dtype, f"change of the gradient of argument {k}")


def weighed(w):
    """A real number that depends on both parts of all elements, on each in its own way."""
    return np.sum(0.7 * np.real(w) ** 2 + 1.3 * np.imag(w))


# -- functions --------------------------------------------------------------------------------------------------------

UNARY = [np.exp, np.log, np.sqrt, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.square, np.reciprocal]
UNARY += [np.log10, np.log2]
UNARY += [np.real, np.imag, np.conjugate, np.absolute, np.angle, np.negative, np.positive, operator.neg, abs]
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
OF_NUMBERS = [cmath.exp, cmath.log, cmath.log10, cmath.sqrt, cmath.sin, cmath.cos, cmath.tan, cmath.sinh, cmath.cosh]
OF_NUMBERS += [cmath.tanh, cmath.phase, complex]
POWERS = [-3, -2, -1, 0, 1, 2, 3, 4, 7, 0.5, -0.5, 1.5, 2.5, 1 + 2j]

by_name = pytest.mark.parametrize
DTYPES = by_name("dtype", [np.complex128, np.complex64], ids=["complex128", "complex64"])


@DTYPES
@by_name("shape", [(), (3,), (2, 3)], ids=str)
@by_name("function", UNARY, ids=lambda f: f.__name__)
def test_functions(function, shape, dtype):
    def f(z):
        return weighed(function(z))

    check(f, numbers(shape, dtype))


REAL = {np.complex128: np.float64, np.complex64: np.float32}


@DTYPES
@by_name("shapes", [((), ()), ((3,), ()), ((3, 1), (2,))], ids=str)
@by_name("kinds", ["complex complex", "complex real", "real complex"])
@by_name("function", BINARY, ids=lambda f: f.__name__)
def test_binary_functions(function, kinds, shapes, dtype):
    def f(a, b):
        return weighed(function(a, b))

    args = zip(kinds.split(), shapes, (0.0, 0.5), strict=True)
    check(f, *(numbers(s, dtype if kind == "complex" else REAL[dtype], phase) for kind, s, phase in args))


@DTYPES
@by_name("function", [operator.add, operator.mul, operator.truediv], ids=lambda f: f.__name__)
def test_precisions_meet(function, dtype):
    """A gradient has the dtype of its argument, whatever it met."""
    other = {np.complex128: np.float32, np.complex64: np.float64}[dtype]

    def f(a, b):
        return weighed(function(a, b) * 1.5j)

    check(f, numbers((3,), dtype), numbers((3,), other, 0.5))


@by_name("function", OF_NUMBERS, ids=lambda f: f.__name__)
def test_functions_of_numbers(function):
    def f(z):
        return weighed(function(z) * z)

    check(f, 0.4 + 0.7j)
    check(f, 0.4)


def test_functions_of_two_numbers():
    check(lambda x, y: weighed(complex(x, y) ** 2), 0.4, 0.7)
    check(lambda x, z: weighed(complex(x, z) ** 2), 0.4, 0.7 + 0.2j)
    check(lambda r, phi: weighed(cmath.rect(r, phi) ** 2), 0.4, 0.7)
    check(lambda z, b: weighed(cmath.log(z, b)), 0.4 + 0.7j, 2.5)


@by_name("p", POWERS, ids=str)
def test_powers(p):
    def f(z):
        return weighed(z**p + p**2 * z)

    check(f, 0.4 + 0.7j)
    check(f, numbers((3,)))
    check(f, numbers((3,), np.complex64))


def test_powers_at_zero():
    """Integer exponents, known or not, are smooth there."""

    def f(z, n):
        return weighed(z**n)

    for n in (0, 1, 2, 3):
        check(f, 0j, n, order=1)
    check(lambda z: weighed(z**0 + z + z**2 + z**3), 0j)


def test_what_runs_is_what_has_rows():
    """Each operation that is linear over the real numbers was differentiated above."""

    def f(z):
        return weighed(np.conjugate(z)) + complex(z.real, z.imag).imag

    found = {s.op for s in walk(zg.jit(f, backend="python").program(1j).function.body) if isinstance(s, Let)}
    assert found >= rules.LINEAR.keys()
    assert rules.LINEAR.keys() == {ops.REAL, ops.IMAG, ops.CONJUGATE, ops.COMPLEX_OF}


# -- expressions on arrays --------------------------------------------------------------------------------------------

M, V = numbers((3, 3), phase=0.2), numbers((3,), phase=0.7)
EXPRESSIONS = {
    "sum": lambda z: weighed(np.sum(z * z)),
    "sum along an axis": lambda z: weighed((z * z).sum(axis=0) * V),
    "mean": lambda z: weighed(z.mean() ** 2 + np.mean(z, axis=1)),
    "prod": lambda z: weighed(np.prod(z, axis=1)),
    "cumsum": lambda z: weighed(np.cumsum(z, axis=1) * z),
    "var": lambda z: np.var(z) + np.std(z[0]),
    "norm": lambda z: np.linalg.norm(z) + np.linalg.norm(z[0], 1) + np.linalg.norm(z[1], 3),
    "matrix product": lambda z: weighed(z @ M),
    "matrix and vector": lambda z: weighed(z @ V + V @ z),
    "real matrix": lambda z: weighed(z.real @ M + M.imag @ z),
    "vdot": lambda z: weighed(np.vdot(z, M) + np.vdot(V, z[0])),
    "dot": lambda z: weighed(np.dot(z[0], z[1]) + np.inner(z[0], V)),
    "outer": lambda z: weighed(np.outer(z[0], z[1]) * M),
    "einsum": lambda z: weighed(np.einsum("ij,kj,k->i", z, M, V)),
    "solve": lambda z: weighed(np.linalg.solve(z + 2 * np.eye(3), V)),
    "solve with a real vector": lambda z: weighed(np.linalg.solve(z + 2 * np.eye(3), np.ones(3))),
    "inv": lambda z: weighed(np.linalg.inv(z + 2 * np.eye(3))),
    "det": lambda z: weighed(np.linalg.det(z + 2 * np.eye(3))),
    "where": lambda z: weighed(np.where(z.real > 0.7, z, 2 * z.imag)),
    "equal": lambda z: weighed(np.where(z == z[0], z, 2 * z)),
    "parts": lambda z: np.sum(z.real * z.imag**2) + np.real(z)[0, 1] * np.imag(z)[1, 0],
    "parts as operands": lambda z: weighed(z.real @ z.imag) + z.imag.reshape(9)[3] * z.real.T.sum(axis=1)[0],
    "shapes": lambda z: weighed(np.concatenate([z, M]).T.reshape(2, 9)[:, ::2] * 1j),
    "indices": lambda z: weighed(z[np.array([0, 2, 2])] * V + z[1, z[1].real > 0.5].sum()),
    "largest": lambda z: np.max(np.abs(z)),
    "astype": lambda z: weighed(z.real.astype(complex) * z),
    "new arrays": lambda z: weighed(np.eye(3, dtype=complex) * z + np.zeros_like(z) + np.full(3, 2j) * z),
    "pieces": lambda z: weighed(np.diff(z[0]).prod() + np.roll(z[0], 1) @ z[1] + np.trace(z) + np.kron(z[0], z[1])),
}


@DTYPES
@by_name("name", EXPRESSIONS)
def test_expressions(name, dtype):
    check(EXPRESSIONS[name], numbers((3, 3), dtype))


# -- programs ---------------------------------------------------------------------------------------------------------


def filter_response(resistance, capacitance, frequencies):
    """An RC filter: complex numbers in the middle only."""
    total = 0.0
    for w in frequencies:
        total += abs(1 / (1 + 1j * w * resistance * capacitance)) ** 2
    return total


def propagated_beam(field, index, dz):
    """The beam propagation method: a step of diffraction by differences, one of phase."""
    u, new = field.copy(), np.empty_like(field)
    for _ in range(4):
        new[0], new[-1] = u[0], u[-1]
        for i in range(1, len(u) - 1):
            new[i] = u[i] + 0.5j * dz * (u[i + 1] - 2 * u[i] + u[i - 1])
        new *= np.exp(1j * dz * index * np.abs(u) ** 2)
        u, new = new, u
    return np.sum(np.abs(u) ** 2 * np.arange(len(u)))


def mandelbrot(c, trips):
    z = 0
    for _ in range(trips):
        z = z * z + c
    return abs(z)


def escaping(c):
    z, trips = c, 0
    while abs(z) < 4.0:
        z = z * z + c
        trips += 1
    return abs(z) + trips


def spectrum(signal):
    """A discrete Fourier transform of real numbers, by loops."""
    n = len(signal)
    power = np.zeros(n)
    modes = np.zeros(n, dtype=complex)
    for k in range(n):
        for j in range(n):
            modes[k] += signal[j] * cmath.exp(-2j * math.pi * j * k / n)
        power[k] = modes[k].real ** 2 + modes[k].imag ** 2
    return np.sum(power * np.arange(n))


def stored(z, x):
    """Elements written and read, real ones among them; a view of a part sees what is stored later."""
    w = np.zeros(4, dtype=complex)
    real = w.real
    for i in range(3):
        w[i] = z[i] + 1j * x[i]
        w[i] *= z[i].conjugate()
    w[3] = x[0]
    w[1:] += x
    w[0] -= z[1]
    w[:] = w.imag[::-1] * 0.5 + w
    return real[0] * real[3] + weighed(w)


def branches(z, x):
    """Variables that are real on one path and complex on another."""
    y = x
    for k in range(3):
        y = y * z if k < 2 else y + x
    w = z * x if x > 0.5 else x
    return weighed(y) + weighed(w)


def tuples(pair, zs):
    a, b = pair
    return weighed(a * b + sum(zs) * zs[0]) if bool(a) else 0.0


PROGRAMS = {
    filter_response: (0.7, 1.3, np.array([0.1, 0.9, 3.0])),
    propagated_beam: (numbers((6,)), 0.8, 0.3),
    mandelbrot: (0.3 + 0.2j, 5),
    escaping: (0.6 + 0.5j,),
    spectrum: (numbers((5,), float),),
    stored: (numbers((3,)), numbers((3,), float, 0.5)),
    branches: (0.4 + 0.7j, 0.6),
}
programs = by_name("program", PROGRAMS, ids=lambda f: f.__name__)


@programs
def test_programs(program):
    check(program, *PROGRAMS[program])


@programs
def test_check_grads(program):
    zg.check_grads(program, PROGRAMS[program], order=2, backend="python")


def test_tuples():
    zg.check_grads(tuples, ((1 + 2j, 0.5), (1j, 2.0 - 1j, 3.0)), order=2, backend="python")


@programs
def test_programs_compiled(program):
    check(program, *PROGRAMS[program], backend="cpu", order=1)


def all_functions(z, x):
    """Each operation once."""
    w = np.exp(z) + np.log(z) + np.sqrt(z) + np.sin(z) * np.cos(z) + np.tan(z) + np.sinh(z) * np.cosh(z) + np.tanh(z)
    w = w + z**5 + z**x + x / z - z.conjugate() * np.angle(z) + x * np.abs(z)
    return weighed(np.where(z == x, z, w)) + weighed(w[0] ** 2 + w[1] / w[2] + complex(x[0], x[1]))


@DTYPES
def test_functions_compiled(dtype):
    check(all_functions, numbers((3,), dtype), numbers((3,), REAL[dtype], 0.5), backend="cpu", order=1)


@DTYPES
def test_linear_algebra_compiled(dtype):
    """BLAS and LAPACK have routines of their own for complex numbers; 9 rows are past the loops for small ones."""

    def f(a, b):
        return weighed(np.linalg.solve(a @ a.T + 9 * np.eye(9), b) + np.linalg.det(a[:4, :4] @ a[:4, 3:7]))

    check(f, numbers((9, 9), dtype), numbers((9, 1), dtype, 0.5), backend="cpu", order=1)


def test_large_arguments_compiled():
    """Nothing overflows on the way to a number that does not."""

    def f(z):
        return np.tanh(z), np.tan(z)

    numbers = np.array([800 + 1j, -400.5 + 3j, 1e3 + 0j, 2 - 800j, 0.3 + 30j, 1e-20j])
    for z in (numbers, numbers.astype(np.complex64), -numbers):
        for found, wanted in zip(zg.jit(f, backend="cpu")(z), f(z), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6 if z.dtype == np.complex64 else 1e-13)


def test_long_sums_compiled():
    """Both parts are summed in blocks of 512, with compensation: what 1e16 swallows comes back."""
    z = np.full(4 * 512, 0.1 - 0.3j)
    z[:512] = z[-512:] = 0
    z[0], z[-1] = 1e16 - 1e16j, -1e16 + 1e16j
    found = zg.jit(lambda z: np.sum(z), backend="cpu")(z)
    exact = complex(math.fsum(z.real), math.fsum(z.imag))
    assert abs(found - exact) < 1e-12 * abs(exact)


# -- conventions ------------------------------------------------------------------------------------------------------


def test_convention():
    """df/dx - i df/dy: that of |z|**2 is 2 conj(z), that of the real part of a holomorphic f is f'."""
    z = 1.5 - 0.5j
    assert zg.grad(lambda z: z.real**2 + z.imag**2, backend="python")(z) == 2 * z.conjugate()
    assert zg.grad(lambda z: (z**3).real, backend="python")(z) == 3 * z**2
    assert zg.grad(lambda z: z.imag, backend="python")(z) == -1j


@by_name("backend", ["python", "cpu"])
def test_awkward_points(backend):
    """abs and angle have derivative 0 at 0; a division by 0 raises nothing, as in NumPy."""
    assert zg.grad(lambda z: abs(z) + np.angle(z), backend=backend)(0j) == 0
    value, slope = zg.value_and_grad(lambda z: (1 / z).real, backend=backend)(0j)
    with np.errstate(all="ignore"):
        assert value == (np.complex128(1) / 0j).real == np.inf and np.isnan(slope)


def test_second_order_by_reverse_over_reverse():
    """The derivative of the real part of f' is f''."""
    first = zg.grad(lambda z: (z**3).real, backend="python")
    z = 0.3 + 0.4j
    assert abs(zg.grad(lambda z: first(z).real, backend="python")(z) - 6 * z) < 1e-14


def test_results_and_captured_numbers():
    factor = 2.0 + 1.0j

    def f(z):
        return z * factor, (z * 1j).real

    assert zg.jit(f, backend="python")(1j) == ((2.0 + 1.0j) * 1j, -1.0)
    assert type(zg.jit(f, backend="python")(1j)[0]) is complex
    g = zg.grad(lambda x: (x * factor).imag, backend="python")
    assert g(1.0) == 1.0
    factor = 3j
    assert g(1.0) == 3.0
    assert zg.grad(lambda z: (abs(z), z * z), has_aux=True, backend="python")(2j) == (-1j, -4.0)


def test_tangents_of_real_numbers_are_real():
    with pytest.raises(zg.DtypeError, match="the tangent of x is a complex number"):
        zg.jvp(lambda x: x * x, (1.0,), (1j,), backend="python")


@by_name("real", [0.0, -0.0, 1.5, -1.5, math.inf, math.nan])
@by_name("imag", [0.0, -0.0, 2.5, -2.5, -math.inf, math.nan])
def test_constants_keep_their_signs(real, imag):
    text, _ = _complex_constant(complex(real, imag))
    found = eval(text, {"np": np, "complex": complex})
    assert repr(complex(found)) == repr(complex(real, imag)), text
