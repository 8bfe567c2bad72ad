"""Linear algebra beside the corpus: the IR and the text of kernels, errors, strides, the native routines."""

import itertools

import numpy as np
import pytest
import scipy.linalg
from numba import njit

import zygopy as zg
from tests.programs.registry import numbers
from tests.test_passes import text, wanted
from tests.test_rules import recorded
from zygopy.backends import fourier, matrices, matrices_native, sorting, systems_native
from zygopy.transform import ops, rules
from zygopy.transform.ir import Kernel, walk
from zygopy.transform.reading.signature import specialise
from zygopy.transform.simplify import simplify
from zygopy.transform.types import FLOAT64, Array

MATRIX = Array(FLOAT64, 2)
ROWS = 2


def loss(a, b):
    return np.sum(a @ b)


def element(a, b):
    return (a @ b.T)[0, 0]


def unused_product(a, b):
    c = a @ b
    return np.sum(a) + 0.0 * len(c)


def recurrence(w, h):
    for _ in range(3):
        h[...] = w @ h
    return np.sum(h)


def kernels(function) -> list[Kernel]:
    return [s for s in walk(function.body) if isinstance(s, Kernel)]


# -- the IR ----------------------------------------------------------------------------------------------------------


def test_a_matrix_product_is_a_kernel():
    assert text(simplify(specialise(element, [MATRIX, MATRIX]).function)) == wanted("""
        function element(a: f8[:, :], b: f8[:, :])
          n: i8? = dim(a, 0)
          n.2: i8? = dim(a, 1)
          n.3: i8? = dim(b, 0)
          n.4: i8? = dim(b, 1)
          t: b1? = eq(n.2, n.4)
          check t else OtherLengthsError
          t.2: f8[:, :] = empty(n, n.3)
          view: f8[:, :]A = transpose(b, 1, 0)
          t.2 <- matmul(a, view)
          t.3: b1? = le(1, n)
          check t.3 else OutOfBoundsError
          t.4: b1? = le(1, n.3)
          check t.4 else OutOfBoundsError
          result: f8 = load(t.2, 0, 0)
          return result
    """)


STACKS = [
    lambda a, b: a @ b,
    lambda a, b: np.swapaxes(a, 0, 1)[:, ::-1] @ b,
    lambda a, b: a[::2, :, 1:4] @ b[1:4],
    lambda a, b: np.matmul(a[np.newaxis], b.T) @ b,
]


@pytest.mark.parametrize("function", STACKS)
@pytest.mark.parametrize("shape", [(2, 3, 5), (0, 3, 5), (2, 0, 5)])
def test_a_stack_times_one_matrix_is_one_product(function, shape):
    """Wherever its memory lies; beside central differences of NumPy's."""

    def loss(a, b):
        y = function(a, b)
        return np.sum(y * np.cos(np.arange(y.size)).reshape(y.shape))

    a, b = numbers(*shape), numbers(5, 5)
    compiled = zg.value_and_grad(loss, (0, 1), backend="python")
    value, gradients = compiled(a, b)
    np.testing.assert_allclose(value, loss(a, b), atol=1e-12)
    for k, (x, slope) in enumerate(zip((a, b), gradients, strict=True)):
        assert slope.shape == x.shape
        along = numbers(*x.shape)
        ends = [loss(*(x + h * along if j == k else other for j, other in enumerate((a, b)))) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(np.sum(slope * along), (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-6)
    source = zg.jit(STACKS[0]).source(a, b)
    assert source.count("matmul(") == 1
    assert "for " not in source


def test_a_product_that_nothing_reads_is_removed():
    assert not kernels(zg.grad(unused_product, (0, 1), backend="python").program(np.eye(2), np.eye(2)).function)


def test_first_product_into_zeros_is_stored():
    """Only the operands of the product are read in the reverse part: its value is not even computed."""
    function = zg.grad(loss, (0, 1), backend="python").program(np.eye(2), np.eye(2)).function
    assert [s.op for s in kernels(function)] == [ops.MATMUL, ops.MATMUL]


def test_overwritten_operand_is_kept():
    """The reverse part reads h as it was before each trip; w is read as it is."""
    source = zg.grad(recurrence, (0, 1), backend="python").source(np.eye(2), np.eye(2))
    assert "w.T" in source or "w_1" in source
    assert "tape" in source


@pytest.mark.parametrize("name", [op.name for op in ops.KERNELS if op is not ops.ROOM])  # that is written in place
def test_both_backends_have_each_kernel(name):
    assert name in matrices.KERNELS
    assert name in matrices_native.KERNELS | systems_native.KERNELS | sorting.KERNELS | fourier.KERNELS


# -- second derivatives, reverse over reverse -------------------------------------------------------------------------


def product_with_itself(a):
    return np.sum(np.sin(a @ a.T @ a))


def inverse(a):
    return np.sum(np.sin(np.linalg.inv(a)))


def determinants(a):
    sign, log = np.linalg.slogdet(a)
    return sign * log * np.linalg.det(a)


def cubed_factor(a):
    return np.sum(np.linalg.cholesky(a) ** 3)


def triangular_system(a):
    return np.sum(np.sin(scipy.linalg.solve_triangular(a, np.ones(3), lower=True)))


def spectrum(a):
    w, v = np.linalg.eigh(a)
    return np.sum(np.sin(w) * v[0] ** 2)


def singular(a):
    u, s, vt = np.linalg.svd(a[:, :2], full_matrices=False)
    return np.sum(np.sin((u * np.log(s)) @ vt))


def orthogonal(a):
    q, r = np.linalg.qr(a[:, :2])
    return np.sum(np.sin(q) * a[0, 0]) + np.sum(np.cos(r)) + np.linalg.qr(a[:2])[1][1, 2] ** 3


def least_squares(a):
    x, residuals, rank, values = np.linalg.lstsq(a[:, :2], np.sin(a[:, 2]))
    return np.sum(np.sin(x)) + residuals[0] * rank + np.sum(np.linalg.pinv(a[:2]) ** 3)


def systems_in_a_loop(a):
    b = np.ones(3)
    for _ in range(3):
        b = np.sin(np.linalg.solve(a, b))
    return np.sum(b)


@pytest.mark.parametrize(
    "function",
    [
        product_with_itself,
        inverse,
        determinants,
        cubed_factor,
        triangular_system,
        spectrum,
        singular,
        orthogonal,
        least_squares,
        systems_in_a_loop,
    ],
)
def test_gradient_of_gradient(function):
    """Against finite differences of the gradient."""
    gradient = zg.grad(function, backend="python")
    weights, a = numbers(3, 3, phase=2), numbers(3, 3)
    a = a @ a.T + np.eye(3)
    second = zg.grad(lambda a: np.sum(gradient(a) * weights), backend="python")(a)
    expected, h = np.empty((3, 3)), 1e-5
    for index in np.ndindex(3, 3):
        step = np.zeros((3, 3))
        step[index] = h
        expected[index] = np.sum((gradient(a + step) - gradient(a - step)) * weights) / (2 * h)
    np.testing.assert_allclose(second, expected, rtol=1e-6, atol=1e-7 * np.abs(expected).max())


# -- transposes ------------------------------------------------------------------------------------------------------


def largest_by_order(a):
    return a.ravel()[np.argsort(a.ravel())[2:]]


MAPS = [
    lambda a: a @ a.T @ a,
    lambda a: np.linalg.solve(a, a.T),
    lambda a: np.linalg.inv(a)[0] * np.linalg.det(a),
    lambda a: np.linalg.slogdet(a)[1] * a,
    lambda a: np.linalg.cholesky(a),
    lambda a: scipy.linalg.solve_triangular(a, np.ones(3), lower=True) ** 2,
    lambda a: np.linalg.eigh(a)[1] ** 2 * np.linalg.eigh(a)[0],
    lambda a: (np.linalg.svd(a[:2], full_matrices=False)[0] ** 2) @ np.linalg.svd(a[:2], full_matrices=False)[2] ** 2,
    lambda a: np.linalg.svd(a[:, :2], compute_uv=False),
    lambda a: np.linalg.qr(a)[0] * np.linalg.qr(a[:2])[1][0],
    lambda a: np.linalg.qr(a[:, :2], "r"),
    lambda a: np.linalg.pinv(a[:, :2]) @ np.linalg.pinv(a[:2]),
    largest_by_order,
    lambda a: np.fft.fft(a).real * np.fft.ifft(a[::-1]).imag,
]


def test_tangents_of_kernels_are_transposes_of_their_adjoints(monkeypatch):
    """sum(c * tangent(d)) is sum(adjoint(c) * d), of a map and of its gradient; every rule has a part in it."""
    adjoints, tangents = set(), set()
    monkeypatch.setattr(rules, "KERNEL_ADJOINT", recorded(rules.KERNEL_ADJOINT, adjoints))
    monkeypatch.setattr(rules, "KERNEL_TANGENT", recorded(rules.KERNEL_TANGENT, tangents))
    a = numbers(3, 3)
    a = a @ a.T + np.eye(3)
    d, c = numbers(3, 3, phase=1), numbers(3, 3, phase=2)
    for f in MAPS:
        slope = zg.grad(lambda a, f=f: np.sum(np.sin(f(a))), backend="python")
        for g in (f, slope):
            y, y_dot = zg.jvp(g, (a,), (d,), backend="python")
            weights = np.resize(c, y.shape)
            a_bar = zg.grad(lambda a, weights, g=g: np.sum(g(a) * weights), backend="python")(a, weights)
            np.testing.assert_allclose(np.sum(weights * y_dot), np.sum(a_bar * d), rtol=1e-10)
    others = {ops.ARGSORT, ops.ROOM, *rules.KERNEL_MEANING}  # of integers, of lists, and those that stand for others
    assert adjoints == tangents == set(ops.KERNELS) - others


# -- errors ----------------------------------------------------------------------------------------------------------


def solved(a, b):
    return np.sum(np.linalg.solve(a, b))


def factored(a):
    return np.sum(np.linalg.cholesky(a))


def triangular(a, b):
    return np.sum(scipy.linalg.solve_triangular(a, b))


@pytest.mark.parametrize("backend", ["python", "cpu"])
@pytest.mark.parametrize(
    ("function", "args"),
    [
        (solved, (np.zeros((3, 3)), np.ones(3))),
        (solved, (np.ones((9, 9)), np.ones(9))),
        (factored, (-np.eye(3),)),
        (factored, (np.diag([1.0] * 9 + [-1.0]),)),
        (triangular, (np.diag([1.0, 0.0]), np.ones(2))),
    ],
)
def test_singular(function, args, backend):
    with pytest.raises(np.linalg.LinAlgError):
        function(*args)
    with pytest.raises(np.linalg.LinAlgError):
        zg.grad(function, backend=backend)(*args)


def small_systems(a, b):
    """Both ways to ask for a solution, of as many rows as `b` tells; one matrix for each row of a."""
    total = 0.0
    for k in range(len(a)):
        m = np.zeros((ROWS, ROWS))
        m[...] = a[k]
        total += np.sum(np.linalg.solve(m, b) ** 2) + np.sum(np.linalg.inv(m) @ b) * m[0, 0]
    return total


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_small_systems(rows, dtype, monkeypatch):
    """Matrices of all orders of the rows, so that each exchange is needed by one; four rows are the kernels'."""
    monkeypatch.setitem(globals(), "ROWS", rows)
    matrix = numbers(rows, rows, phase=1) + rows * np.eye(rows)
    a = np.array([matrix[list(order)] for order in itertools.permutations(range(rows))]).astype(dtype)
    b = numbers(rows, 2).astype(dtype)
    value, gradient = zg.value_and_grad(small_systems, (0, 1), backend="python")(a, b)
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(value, small_systems(a.astype(float), b.astype(float)), rtol=tolerance)
    x = np.linalg.solve(a, np.broadcast_to(b, (len(a), rows, 2)))
    inverse = np.linalg.inv(a)
    solution_bar = np.swapaxes(inverse, 1, 2) @ (2 * x)
    inverse_bar = a[:, :1, :1] * (np.ones((rows, 2)) @ b.T)
    a_bar = -solution_bar @ np.swapaxes(x, 1, 2) - np.swapaxes(inverse, 1, 2) @ inverse_bar @ np.swapaxes(inverse, 1, 2)
    a_bar[:, 0, 0] += np.sum(inverse @ b, axis=(1, 2))
    np.testing.assert_allclose(gradient[0], a_bar, rtol=tolerance, atol=tolerance)
    b_bar = np.sum(solution_bar + a[:, :1, :1] * (np.swapaxes(inverse, 1, 2) @ np.ones((rows, 2))), axis=0)
    np.testing.assert_allclose(gradient[1], b_bar, rtol=tolerance, atol=tolerance)
    if dtype == np.float64:
        zg.check_grads(small_systems, (a, b), 2, backend="python")


def small_solution(a):
    m = np.zeros((2, 2))
    m[...] = a
    return np.sum(np.linalg.solve(m, np.ones(2))) + np.sum(np.linalg.inv(m))


@pytest.mark.parametrize("a", [np.zeros((2, 2)), np.ones((2, 2)), np.diag([0.0, 1.0])])
def test_small_singular(a):
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        zg.grad(small_solution, backend="python")(a)


def lowest(a):
    return np.linalg.eigvalsh(a)[0]


def largest(a):
    return np.linalg.svd(a, compute_uv=False)[0]


@pytest.mark.parametrize("lower", [True, False])
def test_factors_are_pairs(lower):
    """A factor and its triangle go from one function to the other; the other triangle has no part in it."""
    a = numbers(3, 3) @ numbers(3, 3).T + np.eye(3)

    def f(a):
        pair = scipy.linalg.cho_factor(a, lower=lower)
        return np.sum(scipy.linalg.cho_solve(pair, np.ones(3)))

    gradient = zg.grad(f, backend="python")(a)
    other = np.triu if lower else np.tril
    assert not other(gradient, 1 if lower else -1).any()
    x = np.linalg.solve(a, np.ones(3))
    np.testing.assert_allclose(gradient + gradient.T, -2 * np.outer(x, x), rtol=1e-10)


def solved_by_factor(a, b):
    return np.sum(scipy.linalg.cho_solve((a, True), b))


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_factor_with_a_zero(backend):
    with pytest.raises(np.linalg.LinAlgError, match="a number on the diagonal is 0"):
        zg.grad(solved_by_factor, backend=backend)(np.diag([1.0, 0.0]), np.ones(2))


@pytest.mark.parametrize("backend", ["python", "cpu"])
@pytest.mark.parametrize("function", [lowest, largest])
def test_not_a_number(function, backend):
    """Of eigenvalues NumPy raises this for large matrices only."""
    for a in (np.full((1, 1), np.nan), np.diag([1.0, 2.0, np.nan]), np.full((30, 30), np.nan)):
        with pytest.raises(np.linalg.LinAlgError, match="did not converge"):
            zg.grad(function, backend=backend)(a)


def test_lengths_that_do_not_fit():
    with pytest.raises(zg.ShapeError, match="the lengths of arrays that meet here differ"):
        zg.grad(loss, backend="python")(np.ones((2, 3)), np.ones((2, 3)))


def test_determinant_of_a_singular_matrix():
    """Written out for three rows that are known when the function is compiled, nan at run time."""

    def written_out(a):
        b = np.zeros((3, 3))
        b[...] = a
        return np.linalg.det(b)

    a = np.diag([1.0, 2.0, 0.0])
    np.testing.assert_allclose(zg.grad(written_out, backend="python")(a), np.diag([0.0, 0.0, 2.0]))
    value, gradient = zg.value_and_grad(lambda a: np.linalg.det(a), backend="python")(a)
    assert value == 0.0
    assert np.isnan(gradient).any()


# -- eigenvalues and singular values ---------------------------------------------------------------------------------


def test_values_where_they_are_equal():
    """The sum of a function of equal values has a derivative, that of the vectors alone has none."""
    a = np.eye(3)
    for f in (lambda a: np.sum(np.linalg.eigvalsh(a) ** 3), lambda a: np.sum(np.linalg.svd(a, compute_uv=False) ** 3)):
        np.testing.assert_allclose(zg.grad(f, backend="python")(a), 3 * a, atol=1e-14)
    assert not np.isfinite(zg.grad(lambda a: np.linalg.eigh(a)[1][0, 1], backend="python")(a)).all()


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_factors_of_columns_that_depend_on_each_other(backend):
    a = np.array([[1.0, 1.0], [0.0, 0.0]])
    assert not np.isfinite(zg.grad(lambda a: np.sum(np.linalg.qr(a)[0] ** 3), backend=backend)(a)).all()


def test_only_one_triangle_has_derivatives():
    a = np.arange(9.0).reshape(3, 3) ** 2
    for uplo, other in (("L", np.triu), ("U", np.tril)):
        gradient = zg.grad(lambda a, uplo=uplo: np.linalg.eigvalsh(a, uplo)[0], backend="python")(a)
        assert not other(gradient, 1 if uplo == "L" else -1).any()
        assert gradient.any()


def exponential(a):
    return np.sum(scipy.linalg.expm(a) ** 2)


@pytest.mark.parametrize("scale", [0.1, 1.0, 40.0])
def test_exponential(scale):
    """Of no, few and many squarings, both backends against each other and finite differences."""
    a = scale * (numbers(3, 3) - 0.5)
    gradient = zg.grad(exponential, backend="python")(a)
    np.testing.assert_allclose(zg.grad(exponential)(a), gradient, rtol=1e-9)
    direction, h = numbers(3, 3, phase=1), 1e-6 * scale
    slope = (exponential(a + h * direction) - exponential(a - h * direction)) / (2 * h)
    np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_exponential_of_what_is_not_finite(bad):
    a = np.array([[1.0, bad], [0.5, 1.0]])
    assert np.isnan(zg.jit(lambda a: scipy.linalg.expm(a), backend="python")(a)).all()


@pytest.mark.parametrize("uplo", ["A", 1, "lower"])
def test_uplo(uplo):
    with pytest.raises(zg.UnsupportedError, match="UPLO must be 'L' or 'U'"):
        zg.grad(lambda a: np.linalg.eigvalsh(a, uplo)[0], backend="python")(np.eye(2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_inverse_of_less_than_full_rank(dtype):
    """Along matrices of rank one, against central differences; NumPy computes in float64 for float32 too."""
    row, column = np.array([1.0, 2.0, -1.0]), np.array([1.0, 2.0])
    weights = numbers(3, 2, phase=1)

    def loss(t, row, column, weights):
        return np.sum(np.linalg.pinv(np.outer(column * t, row + t)) * weights)

    def value(t):
        return np.sum(np.linalg.pinv(np.outer(column * t, row + t)) * weights)

    args = (dtype(1.0), row.astype(dtype), column.astype(dtype), weights.astype(dtype))
    assert np.linalg.matrix_rank(np.outer(column, row + 1)) == 1
    found, slope = zg.value_and_grad(loss, backend="python")(*args)
    rtol = 1e-8 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(found, value(1.0), rtol=rtol)
    np.testing.assert_allclose(slope, (value(1 + 1e-5) - value(1 - 1e-5)) / 2e-5, rtol=rtol)


def test_inverse_where_singular_values_are_equal():
    weights = numbers(3, 3)
    gradient = zg.grad(lambda a: np.sum(np.linalg.pinv(a) * weights), backend="python")(np.eye(3))
    np.testing.assert_allclose(gradient, -weights, atol=1e-14)


def test_rank_and_residuals_of_least_squares():
    """Residuals are there for full rank only; a share of the largest singular value decides."""
    a, b = np.diag([1.0, 1e-3, 2.0])[:, :2], np.array([1.0, 2.0, 3.0])
    for rcond in (None, 1e-2, -1.0):
        f = zg.jit(lambda a, b, rcond=rcond: np.linalg.lstsq(a, b, rcond=rcond), backend="python")
        for found, expected in zip(f(a, b), np.linalg.lstsq(a, b, rcond=rcond), strict=True):
            np.testing.assert_allclose(found, expected)


# -- compiled --------------------------------------------------------------------------------------------------------


def of_all_factors(a):
    """What the choice of signs does not change, of many rows and few."""
    w, v = np.linalg.eigh(a)
    u, s, vt = np.linalg.svd(a[:, 1:], full_matrices=False)
    q, r = np.linalg.qr(a[:, 1:])
    total = np.sum((v * np.exp(-w)) @ v.T) + np.sum((u / s) @ vt)
    total += np.sum(q[0] ** 3 * r[1]) + np.sum(np.abs(np.linalg.qr(a[:2])[1]))
    total += np.sum(np.linalg.lstsq(a[:, 1:], a[:, 0])[0] ** 3) + np.sum(np.linalg.pinv(a[:3]) ** 3)
    return total + np.linalg.eigvalsh(a, UPLO="U")[0] + np.sum(np.linalg.svd(a[:3], full_matrices=False)[2] ** 2 * a[0])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_compiled(dtype):
    """Compiled code against the python backend, which the rows test."""
    a = numbers(5, 5)
    a = (a + a.T + np.diag([1.0, 3.0, 6.0, 9.0, 13.0])).astype(dtype)
    value, gradient = zg.value_and_grad(of_all_factors)(a)
    expected, slope = zg.value_and_grad(of_all_factors, backend="python")(a.astype(float))
    assert gradient.dtype == dtype
    rtol = 1e-12 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(value, expected, rtol=rtol)
    np.testing.assert_allclose(gradient, slope, rtol=rtol, atol=rtol * np.abs(slope).max())


# -- the native routines ---------------------------------------------------------------------------------------------


def native(name: str, count: int):
    """A kernel as a function to call from Python."""
    kernel = (matrices_native.KERNELS | systems_native.KERNELS)[name]
    namespace = {"kernel": kernel}
    args = ", ".join("abcd"[:count])
    exec(f"def call({args}): kernel({args})", namespace)
    return njit(namespace["call"])


LAYOUTS = {
    "rows": lambda x: x.copy(),
    "columns": np.asfortranarray,
    "every other column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "every other row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
}


def test_native_products_of_all_layouts():
    """Loops, BLAS and copies; each of both operands and of the result. The arrays' types are the same: any strides."""
    calls = {1.0: native("add_matmul", 3), -1.0: native("sub_matmul", 3)}
    rng = np.random.default_rng(0)
    for m, k, n in [(1, 2, 2), (5, 6, 7), (1, 40, 3), (4, 0, 3), (0, 2, 3), (9, 1, 9), (12, 5, 1)]:
        for lay_a in LAYOUTS.values():
            for lay_b in LAYOUTS.values():
                a, b = lay_a(rng.random((m, k))), lay_b(rng.random((k, n)))
                for lay_out in LAYOUTS.values():
                    out = lay_out(rng.random((m, n)))
                    for sign, call in calls.items():
                        expected = out + sign * (a @ b)
                        call(out[:, :], a, b)
                        np.testing.assert_allclose(out, expected, atol=1e-14)


@pytest.mark.parametrize("n", [0, 1, 3, 8, 9, 20])
def test_native_systems(n):
    """Both sides of the number of rows from which on LAPACK takes over."""
    a = numbers(n, n) + n * np.eye(n)
    a = np.roll(a, 1, axis=0)  # so that rows are swapped
    b = numbers(n, 2, phase=1)
    lu, pivots, x, d = np.empty((n, n)), np.empty(n, np.int32), np.empty((n, 2)), np.empty(1)
    native("lu_factor", 3)(lu, pivots, a)
    for name, matrix in (("lu_solve", a), ("lu_solve_transposed", a.T)):
        native(name, 4)(x, lu, pivots, b)
        np.testing.assert_allclose(x, np.linalg.solve(matrix, b), atol=1e-12)
    native("lu_determinant", 3)(d, lu, pivots)
    np.testing.assert_allclose(d[0], np.linalg.det(a))
    covariance, factor = a @ a.T + np.eye(n), np.empty((n, n))
    native("cholesky", 2)(factor, covariance)
    np.testing.assert_allclose(factor, np.linalg.cholesky(covariance), atol=1e-12)
    for name, matrix in (("solve_lower", factor), ("solve_lower_transposed", factor.T)):
        native(name, 3)(x, factor, b)
        np.testing.assert_allclose(x, np.linalg.solve(matrix, b), atol=1e-12)
        native(name, 3)(x[:, :1], factor, b[:, :1])
        np.testing.assert_allclose(x[:, :1], np.linalg.solve(matrix, b[:, :1]), atol=1e-12)


@pytest.mark.parametrize("n", [1, 9, 20])
@pytest.mark.parametrize("triangle", [np.tril, np.triu])
def test_native_systems_of_triangular_matrices(n, triangle):
    a = triangle(numbers(n, n)) + n * np.eye(n)
    lu, pivots = np.empty((n, n)), np.empty(n, np.int32)
    native("lu_factor", 3)(lu, pivots, a)
    for columns in (1, 2):
        x, b = np.empty((n, columns)), numbers(n, columns, phase=1)
        for name, matrix in (("lu_solve", a), ("lu_solve_transposed", a.T)):
            native(name, 4)(x, lu, pivots, b)
            np.testing.assert_allclose(x, np.linalg.solve(matrix, b), atol=1e-13)


@pytest.mark.parametrize("n", [0, 1, 3, 32, 33, 70])
def test_native_adjoint_of_cholesky(n):
    """Against differences of NumPy's factor, in a direction."""
    a = numbers(n, n) + n * np.eye(n)
    a, way = a @ a.T + np.eye(n), np.tril(numbers(n, n, phase=1))
    l_bar, step = numbers(n, n, phase=2), 1e-6 * n
    ahead, behind = (np.linalg.cholesky(a + h * (way + np.tril(way, -1).T)) for h in (step, -step))
    for lay in LAYOUTS.values():
        a_bar = lay(np.ones((n, n)))
        native("add_cholesky_adjoint", 3)(a_bar, lay(np.linalg.cholesky(a)), lay(l_bar))
        np.testing.assert_allclose(
            np.sum((a_bar - 1.0) * way), np.sum(l_bar * (ahead - behind)) / (2 * step or 1.0), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize(("m", "n"), [(0, 2), (1, 1), (2, 3), (3, 2), (1, 5), (20, 20), (40, 3), (3, 40)])
def test_native_factors(m, n):
    k = min(m, n)
    for lay in LAYOUTS.values():
        a = lay(numbers(m, n) + np.eye(m, n))
        u, s, vt = lay(np.empty((m, k))), np.empty(k), lay(np.empty((k, n)))
        native("svd", 4)(u, s, vt, a)
        np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False), atol=1e-13)
        np.testing.assert_allclose((u * s) @ vt, a, atol=1e-13)
        tall = a if m >= n else a.T
        q, r = lay(np.empty(tall.shape)), lay(np.empty((k, k)))
        native("qr", 3)(q, r, tall)
        np.testing.assert_allclose(q @ r, tall, atol=1e-13)
        np.testing.assert_allclose(r, np.linalg.qr(tall)[1], atol=1e-13)
        w, v, lower = np.empty(m), lay(np.empty((m, m))), lay(a @ a.T + np.triu(numbers(m, m), 1))
        native("eigh", 3)(w, v, lower)
        np.testing.assert_allclose(w, np.linalg.eigvalsh(lower), atol=1e-12)
        np.testing.assert_allclose((v * w) @ v.T, a @ a.T, atol=1e-12)


def reshaped_product(x, w):
    y = (x @ w).reshape(2, 3, 4)
    return np.sum(np.tanh(y.reshape(6, 4) @ w.T) * y[:, :, :3].reshape(6, 3))


def test_adjoints_of_reshaped_products_are_stored():
    """Not added to zeros: what is filled in one shape is read in another."""
    x, w = np.random.default_rng(0).normal(size=(6, 3)), np.random.default_rng(1).normal(size=(3, 4))
    zg.check_grads(reshaped_product, (x, w), order=1)
    first = zg.grad(lambda x, w: np.sum(np.tanh((x @ w).reshape(2, 3, 4))), (0, 1))
    source = str(first.source(x, w))
    assert "zeros(" not in source
    assert "add_matmul" not in source


def test_results_have_numpys_names():
    def f(a):
        factors = np.linalg.svd(a, full_matrices=False)
        values = np.linalg.eigh(a @ a.T).eigenvalues
        return np.sum(factors.S) + np.linalg.slogdet(a).logabsdet + np.sum(values) + np.linalg.qr(a).R[0, 0]

    a = np.array([[2.0, 0.5], [0.3, 1.0]])
    value = zg.jit(f, backend="python")(a)
    np.testing.assert_allclose(value, f(a))
    result = zg.jit(np_slogdet, backend="python")(a)
    assert type(result) is type(np.linalg.slogdet(a))


def np_slogdet(a):
    return np.linalg.slogdet(a)
