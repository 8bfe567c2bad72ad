"""Programs of whole arrays: against differences of the undecorated function, and what their code looks like.

The rows of `array_rows` test one function each; here several meet, store through views and are fused.
"""

import math

import numpy as np
import pytest
import scipy.special as special
import scipy.stats

import zygopy as zg

RNG = np.random.default_rng(0)
X, V = RNG.normal(size=(4, 3)), RNG.normal(size=3)
INDEX, MASK = np.array([2, 0, 2, -1]), np.array([True, False, True, True])
LABELS = np.array([0, 2, 1, 1])


def differences(f, args, which, h=1e-6):
    """Central differences of f in one argument; each call has copies of its own."""
    gradient = np.zeros_like(args[which])
    for place in np.ndindex(gradient.shape):
        ends = []
        for step in (h, -h):
            moved = [a.copy() for a in args]
            moved[which][place] += step
            ends.append(f(*moved))
        gradient[place] = (ends[0] - ends[1]) / (2 * h)
    return gradient


def chain(x, v):
    return np.sum(np.tanh(x * v + 1.0) ** 2) + np.mean(x, axis=1, keepdims=True).sum()


def cross_entropy(x, v):
    shifted = x * v - (x * v).max(axis=1, keepdims=True)
    log_mass = np.log(np.exp(shifted).sum(axis=1))
    return np.mean(log_mass - shifted[np.arange(len(LABELS)), LABELS])


def reductions(x, v):
    total = np.var(x, axis=0).sum() + np.std(x, ddof=1) + np.prod(v) + np.prod(x, axis=1).min()
    total += np.sum(np.cumsum(x, axis=0) ** 2) + np.sum(np.cumprod(v) * np.cumsum(v))
    return total + np.linalg.norm(v) + np.linalg.norm(x, axis=1).sum() + np.linalg.norm(v, 3)


def stored_through_slices(x, v):
    u = x.copy()
    u[1:-1] = u[1:-1] + 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
    u *= v
    u[:, 1:] += u[:, :-1]
    u[::-2, 0] -= v[:2]
    return np.sum(u**2) + sum(v) + abs(v).sum()


def picked(x, v):
    """Elements of temporary arrays at places that data give; some arrays change later, or are used whole as well."""
    shifted = x - x.max(axis=1)[:, None] * v[0]
    total = 0.0
    for i in range(len(x)):
        total += np.exp(shifted[i]).sum() - 2.0 * shifted[i, LABELS[i]] ** 2
    halves = x * 0.5
    total += halves[np.arange(4), LABELS].sum() * halves.sum()
    for i in range(len(x)):
        halves[i, 0] = 3.0 * total
    doubled = halves * v
    halves[0, 1] = 0.3 * v[2]
    total += 0.01 * doubled[LABELS[0], LABELS[1]] * doubled[LABELS[0], 1]
    return total + 0.01 * halves[LABELS[0], LABELS[2]] * v[1]


def gathered(x, v):
    total = np.sum(x[INDEX] ** 2 * np.arange(4.0)[:, None]) + x[[0, 2]].sum() + np.sum(x[INDEX, [0, 1, 2, 0]] ** 3)
    return total + np.sum(x[MASK] ** 2) * np.mean(x[x > 0]) + np.sum(x[:, INDEX[:2]][INDEX] ** 2) + np.sum(v[None] * v)


def scattered(x, v):
    x = x.copy()
    x[INDEX] = v * 2
    x[MASK] += 1.5
    x[x > 0.3] *= v[1]
    y = np.zeros((4, 3))
    np.add.at(y, INDEX, x * v)
    y[1, [0, 2]] = v[:2]
    y[:, [1]] += x[:, :1]
    return np.sum(y**3) + np.sum(x**2 * np.arange(12).reshape(4, 3))


def shaped(x, v):
    joined = np.concatenate([x, 2 * x[:2]], axis=0)
    halves = np.split(x, 2)
    total = np.sum(joined**2 * np.arange(18).reshape(6, 3)) + np.sum(np.stack((x, x * v), axis=-1) ** 3)
    total += np.sum(halves[0] * halves[1]) + np.sum(np.pad(x, ((1, 2), (0, 1))) ** 2 * np.arange(28).reshape(7, 4))
    total += np.sum(np.diag(v) @ x.T) + np.trace(x[:3]) ** 2 + np.sum(np.tril(x) * x) + np.sum(np.kron(v, v[:2]))
    return total + np.sum(np.sort(x, axis=0) * np.arange(12).reshape(4, 3)) + np.sum(np.cross(x, v) ** 2)


def recurrent(x, v):
    state = v
    for row in x:
        state = np.tanh(np.outer(v, v) @ state + row)
    return np.sum(state**2)


def waves(x, v):
    """Arrays that loops rebind in turns; some are read and stored into before and after."""
    before, u, first = v, x[0] * 1.1, v
    for k in range(len(x)):
        before, u = u, 2 * u - before + 0.1 * (np.roll(u, 1) - 2 * u + np.roll(u, -1)) * x[k]
    u[0] *= before[1]
    state, total = x[1].copy(), 0.0
    while total < 4.0:
        for row in x:
            state = 0.5 * np.sin(state) + row * first
        total = total + 1.0 + state[0] ** 2 * state[2]
    kept = x[2] * v
    y = kept
    for k in range(3):
        y[0] += v[k]
        y = y * v + kept
    z = kept
    for k in range(len(x)):
        if x[k, 0] > 0:
            z = z * x[k]
    kept[1] = v[0]
    return np.sum(u**2) * total + np.sum(before * u) + np.sum(first * y) + np.sum(z * kept)


def taken_in_turns(x, v):
    """What loops rebind are slices, transposed arrays and what branches choose."""
    row, square, total = v, np.outer(v, v), 0.0
    for k in range(len(x)):
        total += np.sum(row * v)
        row = x[k] if x[k, 0] > 0 else row[::-1] * v
        square = square.T * row
    u = x[0]
    for k in range(4):
        for _ in range(2):
            u = u[::-1]
            if x[k, 1] > 0:
                u = u * x[k] + 0.1 * v
        w = u
        u = x[k, ::-1]
        total += np.sum(w * u)
    return total + np.sum(square * row) + np.sum(u * v)


def seen_by_others(x, v):
    """Stores go into arrays that have another name as well."""
    w = x[0].copy()
    u = w
    for k in range(3):
        w[k] += v[k]
        u = u * v + w
    h = w
    for row in x[4:]:
        h = h * row
    h[0] = 0.3 * v[1]
    y = x[1].copy()
    z = y
    for k in range(2):
        y[1] *= v[k]
        if v[k] > 0:
            z = y
        else:
            z = y * v
            z[2] = v[0]
        z = z * 1.5
    return np.sum(u * w) + np.sum(h * v) + np.sum(y * z)


def filtered(x, v):
    """Small matrices of known sizes in a loop, linear systems among them."""
    mean, covariance, total = np.zeros(3), np.eye(3), 0.0
    move = np.eye(3) + 0.1 * np.outer(v, v)
    for k in range(len(x)):
        mean = move @ mean
        covariance = move @ covariance @ move.T + 0.1 * np.eye(3)
        gain = covariance @ np.linalg.inv(covariance + 0.3 * np.eye(3))
        innovation = x[k] - mean
        total += innovation @ np.linalg.solve(covariance, innovation)
        mean = mean + gain @ innovation
        covariance = covariance - gain @ covariance
    return total + np.sum(mean * v) + np.trace(covariance)


def special_functions(x, v):
    total = special.logsumexp(x) + special.logsumexp(x, axis=1).sum() + np.sum(special.softmax(x, axis=1) * x)
    total += np.sum(special.expit(x) * special.erf(x) + special.ndtr(x)) + np.sum(special.xlogy(v * v, v * v))
    return total + scipy.stats.norm.logpdf(x, 0.3, 1.5).sum() + np.sum(special.gammaln(x * x + 0.1))


def reshaped(x, v):
    """An array that branches of a loop rebind, in other shapes."""
    total = 0.0
    for k in range(3):
        total += np.sum(np.sin(x.reshape(12)) * 0.3)
        x = np.tanh(x * 1.1) if k % 2 == 0 else x[::-1].copy()
        total += np.sum((x.reshape(3, 4) @ np.arange(4.0)) * v)
    return total + np.sum(x.reshape(2, 6) ** 2)


def reshaped_of_lengths_by_tests(x, v):
    """That both arrays have one shape follows from tests at entry: -1 + x.shape[1] is 2."""
    if v[0] < 9.0:
        x[0] *= 2.0
        if v[1] < 9.0:
            x = np.tanh(x[:, 1:] @ np.ones((2, 1)) * np.mean(np.ones((3, 4, 3)), axis=0))
    return np.sum(np.tanh(x.reshape(2, 6)) * 0.3) + np.sum(x * v)


def projected(x, v):
    """Products with vectors beside functions of their elements, by rows and by columns."""
    z = np.tanh(x @ v) * 2.0
    return np.sum(np.tanh(x.T @ z)) + np.sum(np.exp(x @ np.arange(3.0)))


def diagonals(x, v):
    """Matrices whose diagonals are stored; slices with steps that only run time knows; arrays unpacked into names."""
    square = np.outer(v, v) + 0.2
    np.fill_diagonal(square, v[0])
    np.fill_diagonal(x, v**2)
    np.fill_diagonal(x.T[:, 1:], 0.3 * x[3])
    total = 0.0
    for k in range(1, 4):
        x[::k] *= 1.1
        total += np.sum(x[::-k] ** 2) + np.sum(x[3:0:-k, 1])
    first, *_ = (v[0], v[1])
    a, b, c = v
    top, below, third, last = x
    last[1] = a * b
    return total + first * c + np.sum(square**2) + np.sum(top * below + third * last)


PROGRAMS = (
    chain,
    diagonals,
    cross_entropy,
    reductions,
    stored_through_slices,
    gathered,
    picked,
    scattered,
    shaped,
    recurrent,
    waves,
    taken_in_turns,
    seen_by_others,
    filtered,
    special_functions,
    projected,
    reshaped,
    reshaped_of_lengths_by_tests,
)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_gradient(f, monkeypatch):
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    gradient = zg.grad(f, (0, 1), backend="python")(X.copy(), V.copy())
    for which in (0, 1):
        np.testing.assert_allclose(gradient[which], differences(f, (X, V), which), rtol=1e-6, atol=1e-6)


def ravelled(c):
    """The product of two lengths meets one of the two."""
    c[0] = np.sin(np.ravel(c.T))
    return np.sum(np.concatenate((c[:, ::-1], np.ones((1, 1))), axis=1)[:, 1:] * c) + np.sum(c.T[1:])


def test_a_length_that_equals_a_product_with_itself():
    c = RNG.normal(size=(1, 3))
    gradient = zg.grad(ravelled, backend="python")(c.copy())
    np.testing.assert_allclose(gradient, differences(ravelled, (c,), 0), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_compiled(f):
    """Values and gradients in both precisions; tangents along a direction."""
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 2e-4)):
        args = X.astype(dtype), V.astype(dtype)
        value, gradient = zg.value_and_grad(f, (0, 1))(*(a.copy() for a in args))
        np.testing.assert_allclose(value, f(*(a.copy() for a in args)), rtol=tolerance)
        wanted = zg.grad(f, (0, 1), backend="python")(*(a.copy() for a in args))
        for g, w in zip(gradient, wanted, strict=True):
            assert g.dtype == dtype
            np.testing.assert_allclose(g, w, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_tangent(f):
    gradient = zg.grad(f, (0, 1), backend="python")(X.copy(), V.copy())
    _, tangent = zg.jvp(f, (X.copy(), V.copy()), (X[::-1].copy(), V[::-1].copy()), backend="python")
    np.testing.assert_allclose(tangent, np.sum(gradient[0] * X[::-1]) + np.sum(gradient[1] * V[::-1]), rtol=1e-10)


# -- lengths ---------------------------------------------------------------------------------------------------------


def product(x, w, b):
    return np.sum(np.tanh(x * w + b) ** 2)


@pytest.mark.parametrize("backend", ["python", "cpu"])
@pytest.mark.parametrize(
    "shapes", [((5,), (5,), (5,)), ((5,), (1,), (5,)), ((4, 3), (1, 3), (4, 1)), ((1,), (1,), (1,))]
)
def test_axes_of_length_1_are_repeated(backend, shapes):
    args = tuple(RNG.normal(size=shape) for shape in shapes)
    gradient = zg.grad(product, (0, 1, 2), backend=backend)(*args)
    for which in range(3):
        np.testing.assert_allclose(gradient[which], differences(product, args, which), rtol=1e-6, atol=1e-7)


def repeated_at_run_time(x, v, count):
    """What the slices repeat is known when they are made."""
    first = x[:count] * 2.0
    both = first + v * x[0, 0]
    total = np.sum(both * x[:, :count].T[:, :3]) + np.sum(np.where(first > 0.0, v, first * first))
    some = v[v > 0.5]
    target = np.ones((4, 3))
    target[:] = first
    return total + np.sum(target * x) + np.sum(some * v) + np.sum(both**2 * some[:1])


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_local_axes_of_length_1_are_repeated(backend):
    gradient = zg.grad(repeated_at_run_time, (0, 1), backend=backend)
    x, v = np.arange(1.0, 13.0).reshape(4, 3) / 7, np.array([0.3, 0.2, 0.9])
    with np.errstate(all="ignore"):
        for count in (1, 1):
            for which in (0, 1):
                wanted = differences(lambda *args, n=count: repeated_at_run_time(*args, n), (x, v), which)
                np.testing.assert_allclose(gradient(x, v, count)[which], wanted, rtol=1e-6, atol=1e-7)
    with pytest.raises(zg.ShapeError, match="the lengths of arrays that meet here differ"):
        gradient(x, v, 2)


def stored_before(x, v, count):
    x[0] = 2.0 * v
    return np.sum(x[:count] * x)


def test_a_call_with_stores_into_arguments_does_not_start_again():
    """The axes could be repeated, but the argument has changed when this is found."""
    x = np.ones((4, 3))
    assert np.all(zg.grad(stored_before, 1, backend="python")(x.copy(), V.copy(), 4) == 8.0 * V)
    with pytest.raises(zg.ShapeError, match="the lengths of arrays that meet here differ"):
        zg.grad(stored_before, 1, backend="python")(x, V.copy(), 1)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_lengths_that_do_not_fit(backend):
    with pytest.raises(zg.ZygopyError, match="the lengths of arrays that meet here differ") as error:
        zg.grad(product, (0, 1, 2), backend=backend)(np.ones(5), np.ones(2), np.ones(5))
    assert isinstance(error.value, ValueError)
    assert "np.tanh(x * w + b)" in str(error.value)


def ends(x, v):
    return np.sum(x[1:-1] ** 2) + np.sum(v[-1:] * x) + np.sum(v[5:]) + np.sum(x[:7] ** 3)


@pytest.mark.parametrize("rows", [0, 1, 2, 4, 9])
def test_slices_may_reach_beyond_their_axes(rows):
    args = RNG.normal(size=(rows, 3)), V
    gradient = zg.grad(ends, (0, 1), backend="python")(*args)
    for which in (0, 1):
        np.testing.assert_allclose(gradient[which], differences(ends, args, which), rtol=1e-6, atol=1e-7)


def read_before_the_store(c):
    column = c[:, 0].reshape(2, 2)
    total = np.sum(column**2)
    c[0, 0] = 3.0
    return total + np.sum(c)


def new_in_each_trip(c):
    total = 0.0
    for _ in range(3):
        column = c[:, 0].reshape(2, 2)
        total += np.sum(column**2)
        c[0, 0] = 0.5 * c[1, 1]
    return total


def another_axis(c):
    """A view whatever the strides are: NumPy never copies for an axis of length 1."""
    column = c[:, 0].reshape(1, -1)
    c[0, 0] = 2.0 * c[1, 1]
    column[0, 1] = c[3, 2]
    return np.sum(column**2) + np.sum(c * c)


def read_after_the_store(c):
    column = c[:, 0].reshape(2, 2)
    c[0, 0] = 1.0
    return np.sum(column**2)


def read_in_a_later_trip(c):
    column, total = c[:, 0].reshape(2, 2), 0.0
    for _ in range(3):
        total += np.sum(column**2)
        c[0, 0] = 0.5 * c[1, 1]
    return total


def read_one_trip_later(c):
    column, total = np.ones((2, 2)), 0.0
    for _ in range(3):
        c[0, 0] = 0.5 * c[1, 1]
        total += np.sum(column**2)
        column = c[:, 0].reshape(2, 2)
    return total


def stored_into(c):
    c[:, 0].reshape(2, 2)[0] = 0.0
    return np.sum(c**2)


@pytest.mark.parametrize("f", [read_before_the_store, new_in_each_trip, another_axis])
def test_shapes_that_need_other_strides(f):
    args = (RNG.normal(size=(4, 3)),)
    np.testing.assert_allclose(
        zg.grad(f, backend="python")(args[0].copy()), differences(f, args, 0), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("f", [read_after_the_store, read_in_a_later_trip, read_one_trip_later, stored_into])
def test_views_that_may_be_copies_are_refused_where_that_matters(f):
    with pytest.raises(zg.UnsupportedError, match="may be a view or a copy"):
        zg.grad(f, backend="python")(np.ones((4, 3)))


def late_mismatch(c, d):
    u = c[..., 0][:-1]
    v = np.sum(np.where(np.stack([d, u.reshape(3)], axis=1), c[-2][INDEX[:3]], 0.5))
    u[0] = np.maximum(d, u[..., 2])  # whose first axis has length 1
    return v + np.sum(u)


def later_mismatch(c, d):
    return late_mismatch(c, d) + np.sum(np.maximum(d, c[:, 0, 1]))


def test_lengths_that_are_found_to_differ_when_an_argument_has_changed():
    args = RNG.normal(size=(2, 3, 2)), np.ones(3) * 0.1
    gradient = zg.grad(late_mismatch, (0, 1), backend="python")(args[0].copy(), args[1])
    for which in (0, 1):
        np.testing.assert_allclose(gradient[which], differences(late_mismatch, args, which), rtol=1e-6, atol=1e-8)


def test_fusion_moves_no_loop_before_the_test_of_its_lengths():
    """It reads c[2], which does not exist; moved up it would be read before the test."""
    with pytest.raises(zg.ZygopyError, match="the lengths of arrays that meet here differ"):
        zg.value_and_grad(later_mismatch, (0, 1), backend="python")(RNG.normal(size=(2, 3, 2)), np.ones(3))


# -- the code --------------------------------------------------------------------------------------------------------


def lines(text: str, start: str) -> int:
    return sum(line.strip().startswith(start) for line in text.splitlines())


def test_a_chain_is_one_loop_without_arrays():
    text = zg.value_and_grad(product, (0, 1, 2)).source(np.ones(3), np.ones(3), np.ones(3))
    assert lines(text, "for ") == 1
    assert text.count("np.empty") == 3
    assert "zeros" not in text
    assert "scratch" not in text


def test_rows_of_a_matrix_need_one_row_of_memory():
    text = zg.value_and_grad(cross_entropy, 0).source(X, V)
    assert lines(text, "for i in range") == 1
    assert text.count("np.empty((") == 1  # the gradient


def masses(x):
    return np.sum(np.log(np.sum(np.exp(x), axis=1)))


@pytest.mark.parametrize("first", [(70, 3), (3, 200)])
def test_code_for_short_or_long_rows_takes_both(first):
    """Its gradient is the softmax of each row."""
    compiled = zg.value_and_grad(masses)
    for shape in (first, (200, 3), (2, 500), (1, 1), (0, 3), (3, 0), (65, 64)):
        x = RNG.normal(size=shape)
        value, gradient = compiled(x)
        mass = np.exp(x).sum(axis=1)
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(value, np.log(mass).sum(), rtol=1e-13)
        np.testing.assert_allclose(gradient, np.exp(x) / mass[:, None], rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_long_sums_are_as_accurate_as_numpys(dtype):
    x = RNG.uniform(0, 1, 10**6).astype(dtype)
    exact = math.fsum(x.astype(float))
    own, numpys = (abs(float(total) - exact) for total in (zg.jit(lambda x: np.sum(x))(x), np.sum(x)))
    assert own <= max(numpys, np.finfo(dtype).eps * exact)


def four_functions(x):
    return np.sum(np.exp(-x) * np.log(x + 1) + np.tanh(x) * np.sin(x))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_loops_in_stages(dtype):
    """Strips end where the array does, and their sums are as accurate as those of one loop."""
    compiled = zg.value_and_grad(four_functions)
    for n in (10**6, 0, 1, 127, 128, 129, 1000):
        x = RNG.uniform(0, 1, n).astype(dtype)
        value, gradient = compiled(x)
        exact = math.fsum(np.exp(-x) * np.log(x + 1) + np.tanh(x) * np.sin(x))
        assert abs(value - exact) <= 2 * np.finfo(dtype).eps * exact
        slope = np.exp(-x) * (1 / (x + 1) - np.log(x + 1)) + np.sin(x) / np.cosh(x) ** 2 + np.tanh(x) * np.cos(x)
        np.testing.assert_allclose(gradient, slope, rtol=0, atol=8 * np.finfo(dtype).eps)


def test_sums_that_are_not_finite():
    total = zg.jit(lambda x: np.sum(x))
    assert total(np.array([np.inf, 1.0])) == np.inf
    assert np.isnan(total(np.array([np.inf, -np.inf])))
    assert total(np.full(2000, 1e308)) == np.inf


def scratch_in_loop(x, trips, length):
    total = 0.0
    for k in range(trips):
        part = np.empty(length)
        for i in range(length):
            part[i] = x[i] * k
        total += np.sum(part**2)
    return total


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_memory_made_before_a_loop_that_does_not_run(backend):
    gradient = zg.grad(scratch_in_loop, backend=backend)
    np.testing.assert_array_equal(gradient(V, 0, -1), np.zeros(3))
    np.testing.assert_allclose(gradient(V, 2, 3), 2 * V)


# -- constants --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stopped",
    [
        lambda x: zg.stop_gradient(x),
        lambda x: zg.stop_gradient(x)[::-1],
        lambda x: zg.stop_gradient(x).reshape(2, 2).ravel(),
        lambda x: zg.stop_gradient(x).reshape(2, 2).T.ravel(),
        lambda x: zg.stop_gradient(x) if x[0] > 0 else zg.stop_gradient(x * 2),
    ],
)
def test_stopped_arrays_stay_constant(stopped):
    """Through views, reshaping and joins, in both modes; what comes back from the function stands still too."""
    x = np.array([0.5, -1.0, 2.0, 3.0])
    g = zg.grad(lambda x: np.sum(stopped(x) * x), backend="python")(x)
    np.testing.assert_array_equal(g, stopped(x))
    y, y_dot = zg.jvp(stopped, (x,), (np.ones(4),), backend="python")
    np.testing.assert_array_equal((y, y_dot), (stopped(x), np.zeros(4)))


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_new_arrays_with_a_new_first_axis(backend):
    f = zg.jit(lambda x: np.sum(np.sum(2.0 * x, axis=0, keepdims=True) @ x.T), backend=backend)
    assert f(np.ones((3, 2))) == 36.0


def test_indices_in_a_list_are_no_single_index():
    """`np.add.at` with a list, of an array that has as many axes as the list has items."""

    def f(v):
        a = np.zeros((3, 3))
        np.add.at(a, [0, 1], v)
        np.add.at(a, ([0, 0, 2], [1, 1, 0]), v)
        a[1:, 1:] += [[1.0, 2.0], [3.0, v[0]]]
        return np.sum(a * np.arange(9.0).reshape(3, 3))

    v = np.array([2.0, 3.0, 5.0])
    value, gradient = zg.value_and_grad(f, backend="python")(v)
    assert value == f(v)
    np.testing.assert_allclose(gradient, [3.0 + 1.0 + 8.0, 5.0 + 1.0, 7.0 + 6.0])


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_one_element_with_new_axes_is_a_view(backend):
    """An element as an array variable would be a number of its own, that no adjoint comes back from."""

    def f(x, w):
        t = x[0, None]
        for k in range(1, 3):
            t = t * x[k, None]
        return np.sum(np.sin(x[1, None, None] @ w)) + np.sum(np.ravel(x[2, None])) + t[0]

    x, w = np.array([0.3, 0.5, 0.7]), np.array([[0.2, 0.4]])
    slope = np.sum(np.cos(x[1] * w) * w)
    expected = [x[1] * x[2], x[0] * x[2] + slope, x[0] * x[1] + 1.0]
    np.testing.assert_allclose(zg.grad(f, backend=backend)(x, w), expected)


def test_an_array_is_sorted_in_place():
    def f(x):
        a, b = x.copy(), x.copy()
        a.sort()
        b.T.sort()
        return np.sum(a * b * np.arange(6.0).reshape(2, 3))

    x = np.array([[3.0, 1.0, 2.0], [0.5, 5.0, 4.0]])  # a: 1 2 3, 0.5 4 5; b: 0.5 1 2, 3 5 4
    value, gradient = zg.value_and_grad(f, backend="python")(x)
    assert value == f(x)
    np.testing.assert_allclose(
        gradient,
        [[1.0 * 4 + 3 * 0.5, 1 * 2.0 + 0.0, 1 * 1.0 + 2 * 3.0], [0.0 + 3 * 3.0, 4 * 4.0 + 5 * 4.0, 5 * 5.0 + 4 * 5.0]],
    )
