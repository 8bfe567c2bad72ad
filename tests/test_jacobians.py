"""Jacobians, Hessians and Hessian-vector products against the oracle: programs of the corpus, every shape class.

Cannot see how often the work that does not depend on a seed is done; `test_work_before_the_loop` looks at one program.
"""

from typing import NamedTuple

import mpmath
import numpy as np
import pytest

import zygopy as zg
from tests import oracle
from tests.compare import assert_close, leaves
from tests.programs import PROGRAMS
from tests.test_programs import ON_CPU, directions, tolerance

PYTHON = {"backend": "python"}
MODES = {"jacfwd": zg.jacfwd, "jacrev": zg.jacrev}


def is_sampled(p) -> bool:
    """Whether a program has few numbers to differentiate, and leaves its arguments alone."""
    before, after = leaves(p.sample), leaves(oracle.plain(p.function, p.args())[1])
    kept = all(np.array_equal(a, b) for a, b in zip(before, after, strict=True) if isinstance(a, np.ndarray))
    return kept and sum(np.size(a) for n in p.argnums for a in leaves(p.sample[n])) <= 40


STORES = {"filled_and_swapped_in_a_branch", "swapped_then_stored"}  # on a path that the sample does not take: refused
SMALL = [name for name, p in PROGRAMS.items() if is_sampled(p) and name not in STORES]
SMOOTH = [name for name in SMALL if PROGRAMS[name].smooth]
X, Y = np.array([0.5, -1.2, 2.0]), np.array([1.5, 0.3])
M = np.arange(6.0).reshape(2, 3) / 5 - 0.4


def times(tree, tangents):
    """A tree of derivatives contracted with tangents, which stand in the last axes."""
    if isinstance(tree, tuple):
        return sum((times(item, t) for item, t in zip(tree, tangents, strict=True) if t is not None), np.zeros(()))
    return np.tensordot(tree, tangents, np.ndim(tangents)) if np.ndim(tangents) else np.asarray(tree) * tangents


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", SMALL[::3])
def test_corpus(name, mode):
    """The Jacobian of a function of one number as result is its gradient."""
    p = PROGRAMS[name]
    found = MODES[mode](p.function, p.argnums, **PYTHON)(*p.args())
    assert_close(found, oracle.gradient(p.function, p.args(), p.argnums), tolerance(p), mode)


@pytest.mark.parametrize("name", SMOOTH[::2])
def test_hessians_of_the_corpus(name):
    """The Hessian times a direction, and `hvp` in that direction."""
    p = PROGRAMS[name]
    tangents = directions(p)
    expected = oracle.gradient_change(p.function, p.args(), p.argnums, tangents)
    found = zg.hessian(p.function, p.argnums, **PYTHON)(*p.args())
    moving = tuple(tangents[n] for n in p.argnums)
    contracted = [times(row, moving) for row in rows_of(found, tuple(p.sample[n] for n in p.argnums))]
    assert_close(tuple(contracted), tuple(leaves(expected)), tolerance(p) * 10, "hessian")


def rows_of(tree, like):
    """The parts of a Hessian, one for each leaf of the gradient."""
    if isinstance(like, tuple):
        return [row for item, part in zip(tree, like, strict=True) for row in rows_of(item, part)]
    return [tree]


@pytest.mark.parametrize("name", [name for name in ON_CPU if name in SMALL][::16])
def test_compiled(name):
    p = PROGRAMS[name]
    expected = oracle.gradient(p.function, p.args(), p.argnums)
    assert_close(zg.jacrev(p.function, p.argnums)(*p.args()), expected, tolerance(p))


# -- results of every kind --------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: float
    b: np.ndarray


def vector(x):
    return np.exp(x) * x[::-1]


def matrix(x):
    return np.outer(x, np.sin(x)) @ M.T


def several(x):
    return x[0] * x[1], np.tanh(x), x * x.sum()


def loops(x):
    y = np.zeros(x.shape[0])
    for k in range(1, 3):
        for i in range(x.shape[0]):
            if x[i] > 0:
                y[i] += np.sin(k * x[i]) * y[i - 1]
            else:
                y[i] = x[i] * x[0]
    return y


def growing(x):
    total, n = x[0] * 1.0, 0
    while total < 20.0:
        total = total * 1.5 + abs(x[n % 3])
        n += 1
    return total * x


def solved(x):
    return np.linalg.solve(np.outer(x, x) + 3 * np.eye(3), x)


def itself(x):
    return x


def unmoved(x):
    return np.ones(2) * x.shape[0]


FUNCTIONS = [vector, matrix, several, loops, growing, solved, itself, unmoved]


def expected_jacobian(f, x, h=1e-3):
    """Differences of fourth order: for numbers of this size within 1e-9."""

    def moved(unit, step):
        result = oracle.plain(f, (x + step * h * unit,))[0]
        return tuple(map(np.asarray, result if isinstance(result, tuple) else (result,)))

    columns = []
    for index in np.ndindex(x.shape):
        unit = np.zeros(x.shape)
        unit[index] = 1.0
        runs = [moved(unit, step) for step in (-2, -1, 1, 2)]
        columns.append([(a - 8 * b + 8 * c - d) / (12 * h) for a, b, c, d in zip(*runs, strict=True)])
    parts = tuple(np.stack(part, -1).reshape(part[0].shape + x.shape) for part in zip(*columns, strict=True))
    return parts if isinstance(oracle.plain(f, (x,))[0], tuple) else parts[0]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_results(f, mode):
    expected = expected_jacobian(f, X)
    assert_close(MODES[mode](f, **PYTHON)(X), expected, 1e-8)
    single = MODES[mode](f, **PYTHON)(X.astype(np.float32))
    assert_close(single, expected, 1e-4)


@pytest.mark.parametrize("f", [vector, several, loops], ids=lambda f: f.__name__)
def test_results_compiled(f):
    expected = expected_jacobian(f, X)
    for operator in MODES.values():
        assert_close(operator(f)(X), expected, 1e-8)


@pytest.mark.parametrize("mode", MODES)
def test_arguments(mode):
    """Shapes stand result first; scalars, matrices in both memory orders, empty arrays, tuples, unused arguments."""
    operator = MODES[mode]
    f = lambda x, y, m, t: (m @ x * t[0], y * t[1].sum())  # noqa: E731
    args = (X, 2.5, M, (0.5, Y))
    for m in (M, np.asfortranarray(M), np.arange(12.0).reshape(4, 3)[::2] / 5):
        args = (X, 2.5, m, (0.5, Y))
        first, second = operator(f, (0, 1, 2, 3), **PYTHON)(*args)
        eye = np.eye(2)
        wanted = (m * 0.5, np.zeros(2), np.einsum("ij,k->ijk", eye, X) * 0.5, (m @ X, np.zeros((2, 2))))
        assert_close(first, wanted, 1e-13)
        assert_close(second, (np.zeros(3), 1.8, np.zeros((2, 3)), (0.0, np.full(2, 2.5))), 1e-13)
    assert operator(vector, **PYTHON)(np.zeros(0)).shape == (0, 0)
    assert operator(lambda x: x * x, **PYTHON)(3.0) == 6.0
    assert operator(lambda p: p.a * p.b, **PYTHON)(Pair(2.0, Y)).b.tolist() == (2 * np.eye(2)).tolist()
    assert isinstance(operator(lambda p: p.a * p.b[0], **PYTHON)(Pair(2.0, Y)), Pair)


def test_memory_order():
    """A seed has the memory order that code for its argument relies on."""
    f = lambda m: (m.T.reshape(-1) * np.arange(6.0), m.reshape(-1) ** 2)  # noqa: E731
    for m in (M, np.asfortranarray(M)):
        forward, reverse = zg.jacfwd(f, **PYTHON)(m), zg.jacrev(f, **PYTHON)(m)
        assert_close(forward, reverse, 1e-13)
        assert_close(forward, expected_jacobian(f, M), 1e-8)


def test_dtypes():
    """A column has the dtype of the result, a row that of the argument, as in JAX."""
    f = lambda x: x.astype(np.float64) * 2.0  # noqa: E731
    x = X.astype(np.float32)
    assert zg.jacfwd(f, **PYTHON)(x).dtype == np.float64
    assert zg.jacrev(f, **PYTHON)(x).dtype == np.float32


def test_results_share_no_memory():
    found = zg.jacfwd(itself, **PYTHON)(X)
    found[:] = 7.0
    assert X.tolist() == [0.5, -1.2, 2.0]


def test_prints_once(capsys):
    def f(x):
        print("here", x[0])
        return x * x

    for operator in MODES.values():
        operator(f, **PYTHON)(X)
        assert capsys.readouterr().out == "here 0.5\n"


SCALE = np.array([1.0, 2.0, 3.0])


def test_captured_arrays():
    f = lambda x: SCALE * x  # noqa: E731
    for backend in ("python", "cpu"):
        assert_close(zg.jacrev(f, backend=backend)(X), np.diag(SCALE))


# -- second order -----------------------------------------------------------------------------------------------------


def rosenbrock(x):
    total = 0.0
    for i in range(x.shape[0] - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_hessian(backend):
    x = np.linspace(-1.0, 1.5, 6)
    columns = [oracle.gradient_change(rosenbrock, (x,), 0, (unit,)) for unit in np.eye(6)]
    found = zg.hessian(rosenbrock, backend=backend)(x)
    assert_close(found, np.array(columns), 1e-12)
    assert_close(zg.jacrev(zg.grad(rosenbrock, **PYTHON), **PYTHON)(x), np.array(columns), 1e-12)
    for unit, column in zip(np.eye(6), columns, strict=True):
        assert_close(zg.hvp(rosenbrock, (x,), (unit,), backend=backend), column, 1e-12)


def test_hvp_of_several_arguments():
    f = lambda x, s: (x**3).sum() * s**2  # noqa: E731
    found = zg.hvp(f, (X, 2.0), (X, 0.5), **PYTHON)
    assert_close(found, (24 * X**2 + 6 * X**2, 12 * (X**3).sum() + (X**3).sum()), 1e-13)
    assert_close(zg.hvp(f, (X, 2.0), (X, None), **PYTHON), 24 * X**2, 1e-13)
    assert_close(zg.hvp(f, (X, 2.0), (None, 0.5), **PYTHON), (X**3).sum(), 1e-13)
    with pytest.raises(zg.ArgumentError, match="no argument moves"):
        zg.hvp(f, (X, 2.0), (None, None), **PYTHON)


def test_blocks_of_a_hessian():
    f = lambda x, s: (x**3).sum() * s**2  # noqa: E731
    (xx, xs), (sx, ss) = zg.hessian(f, (0, 1), **PYTHON)(X, 2.0)
    assert_close((xx, xs), (np.diag(24 * X), 12 * X**2), 1e-13)
    assert_close((sx, ss), (12 * X**2, 2 * (X**3).sum()), 1e-13)


@pytest.mark.parametrize("mode", MODES)
def test_inside_a_differentiated_function(mode):
    """The gradient of the squared norm of a Jacobian: of diag(3 x^2), it is 36 x^3."""
    cubes = MODES[mode](lambda x: x**3, **PYTHON)
    f = lambda x: (cubes(x) ** 2).sum()  # noqa: E731
    assert_close(zg.grad(f, **PYTHON)(X), 36 * X**3, 1e-12)
    assert_close(zg.jvp(f, (X,), (X,), **PYTHON)[1], (36 * X**4).sum(), 1e-12)


def test_applied_inside_a_differentiated_function():
    f = lambda x: (zg.jacobian(vector)(x) * zg.hessian(rosenbrock)(x)).sum() + zg.jacfwd(vector)(x)[0, 0]  # noqa: E731
    wanted = expected_jacobian(lambda x: np.asarray(_plain_inside(x)), X)
    assert_close(zg.grad(f, **PYTHON)(X), wanted, 1e-6)


def _plain_inside(x):
    slopes = zg.jacrev(vector, **PYTHON)(x)
    return (slopes * zg.hessian(rosenbrock, **PYTHON)(x)).sum() + slopes[0, 0]


@pytest.mark.parametrize("mode", MODES)
def test_work_before_the_loop(mode):
    """An exponential that no seed changes is taken once for each element, not once for each pair."""
    text = str(MODES[mode](lambda x: np.exp(x) * x[0], **PYTHON).source(X))
    found = [line for line in text.splitlines() if "np.exp" in line and "#" not in line]
    assert found and all(len(line) - len(line.lstrip()) == 8 for line in found)


# -- derivatives of derivatives ---------------------------------------------------------------------------------------


def waves(x):
    total = 1.0
    for k in range(4):
        total *= np.sin(k * x + 0.3)
    return total


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_third_order(backend):
    third = waves
    for _ in range(3):
        third = zg.grad(third, backend=backend)
    with mpmath.workdps(30):
        exact = mpmath.diff(lambda x: mpmath.fprod(mpmath.sin(k * x + mpmath.mpf("0.3")) for k in range(4)), 0.7, 3)
    np.testing.assert_allclose(third(0.7), float(exact), rtol=1e-11)


def squared_error(w, x, y):
    return np.mean((x @ w - y) ** 2)


def trained(rate, w, x, y):
    """The error after a few steps of gradient descent."""
    for _ in range(5):
        w = w - rate * zg.grad(squared_error)(w, x, y)
    return squared_error(w, x, y)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_training_with_respect_to_its_learning_rate(backend):
    x, y = np.random.default_rng(0).normal(size=(20, 3)), np.sin(np.arange(20.0))

    def by_hand(rate):
        w = np.zeros(3)
        for _ in range(5):
            w = w - rate * 2 / 20 * x.T @ (x @ w - y)
        return squared_error(w, x, y)

    h = 1e-5
    found = zg.grad(trained, backend=backend)(0.1, np.zeros(3), x, y)
    np.testing.assert_allclose(found, (by_hand(0.1 + h) - by_hand(0.1 - h)) / (2 * h), rtol=1e-7)


# -- refusals ---------------------------------------------------------------------------------------------------------


def storing(x):
    x[0] = 2 * x[1]
    return x * x


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("f", "arg", "error", "message"),
    [
        (storing, X, zg.UnsupportedError, "stores into its argument x is not supported"),
        (itself, np.arange(3), zg.DtypeError, "with respect to x: it is an array of int64"),
        (itself, 3, zg.DtypeError, "with respect to x needs real numbers"),
        (itself, X + 1j, zg.DtypeError, "with respect to x needs real numbers"),
        (lambda x: x * 1j, X, zg.OutputError, "a Jacobian needs real numbers"),
        (lambda x: (x, 3), X, zg.OutputError, "a Jacobian needs real numbers"),
        (itself, None, zg.DtypeError, "with respect to x"),
    ],
)
def test_refusals(mode, f, arg, error, message):
    with pytest.raises(error, match=message):
        MODES[mode](f, **PYTHON)(arg)


# -- sums over a unit seed --------------------------------------------------------------------------------------------


def sums_of_products(x):
    """Whole sums, parts of sums, sums that are no multiples of an element, and one with the index elsewhere too."""
    n = x.shape[0]
    out = np.zeros(6)
    for j in range(n):
        out[0] += x[j] * (j + 1.0) / 2.0 - x[j]
    for j in range(1, n):
        out[1] += x[j] * x[0]
    for j in range(n):
        out[2] += x[j] ** 2 + x[(j + 1) % n]
    for j in range(n):
        out[3] += x[j] * x[n - 1 - j]
    total = 1.0
    for j in range(n):
        total = total * 0.5 + x[j]
    out[4] = total
    for j in range(n):
        if x[j] > 0:
            out[5] -= x[j] * out[0]
    return out


def sums_of_rows(x):
    """Of matrices, by rows and by columns."""
    n, m = x.shape
    out = np.zeros(n + m)
    for i in range(n):
        for j in range(m):
            out[i] += x[i, j] * np.sin(x[i, j])
            out[n + j] += x[i, j] * (i + 1.0)
    return out


def differences(f, x, h=1e-6):
    columns = []
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += h
        down[index] -= h
        columns.append((f(up) - f(down)) / (2 * h))
    return np.stack(columns, -1).reshape(*np.shape(columns[0]), *x.shape)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", ["python", "cpu"])
@pytest.mark.parametrize(("f", "x"), [(sums_of_products, np.array([0.5, -1.2, 2.0, 0.7])), (sums_of_rows, M)])
def test_sums_over_seeds(f, x, mode, backend):
    np.testing.assert_allclose(MODES[mode](f, backend=backend)(x), differences(f, x), rtol=1e-6, atol=1e-8)


def quadratic(x, a):
    total = 0.0
    for i in range(x.shape[0]):
        s = 0.0
        for j in range(x.shape[0]):
            s += a[i, j] * x[j]
        total += s * s * x[i]
    return total


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_hessian_of_sums_of_products(backend):
    x, a = np.array([0.5, -1.2, 2.0]), np.array([[1.0, 0.3, -0.2], [0.5, 2.0, 0.1], [0.7, -0.4, 0.9]])
    expected = differences(lambda x: zg.grad(quadratic, backend="python")(x, a), x)
    np.testing.assert_allclose(zg.hessian(quadratic, backend=backend)(x, a), expected, rtol=1e-6, atol=1e-8)


def test_a_sum_over_a_unit_seed_is_one_trip():
    """No loop over the seed is left, and no seed: the column of a linear function is read from the matrix."""

    def linear(x, a):
        out = np.zeros(a.shape[0])
        for i in range(a.shape[0]):
            for j in range(len(x)):
                out[i] += a[i, j] * x[j]
        return out

    jacobian = zg.jacfwd(linear, **PYTHON)
    x, a = np.ones(3), M
    np.testing.assert_array_equal(jacobian(x, a), a)
    assert "x_dot" not in jacobian.source(x, a)
