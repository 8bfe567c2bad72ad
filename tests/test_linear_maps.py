"""vjp and linearize against the oracle; what their maps own, what they are given, who may call them.

Cannot see races that the tests' threads do not happen to run into.
"""

import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from tests import oracle
from tests.compare import assert_close, inner, leaves
from tests.programs import PROGRAMS
from tests.test_programs import directions, tolerance

PYTHON = {"backend": "python"}
X, Y = np.array([0.5, -1.2, 2.0]), np.array([1.5, 0.3, -0.7])
M = np.arange(6.0).reshape(2, 3) / 5 - 0.4


def overwrite(*trees):
    """Change all arrays that a caller has in hand."""
    for array in (a for tree in trees for a in leaves(tree)):
        if isinstance(array, np.ndarray) and array.flags.writeable:
            array[...] = 77


@pytest.mark.parametrize("name", [*PROGRAMS][::7])
def test_pullbacks_of_the_corpus(name, monkeypatch):
    """Twice the gradient, after the caller has changed all arrays; then the gradient."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    p = PROGRAMS[name]
    args = p.args()
    expected = oracle.gradient(p.function, p.args(), p.argnums)
    value, pull = zg.vjp(p.function, *args, **PYTHON)
    assert_close(value, oracle.plain(p.function, p.args())[0], tolerance(p))
    overwrite(args, value)
    for scale in (2.0, 1.0):
        assert_close(tuple(pull(scale)[n] for n in p.argnums), scaled(expected, scale), tolerance(p))


def scaled(tree, by):
    return tuple(scaled(item, by) for item in tree) if isinstance(tree, tuple) else tree * by


@pytest.mark.parametrize("name", [*PROGRAMS][3::7])
def test_linear_maps_of_the_corpus(name, monkeypatch):
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    p = PROGRAMS[name]
    args, tangents = p.args(), directions(p)
    gradient = oracle.gradient(p.function, p.args(), p.argnums)
    expected = inner(gradient, tuple(tangents[n] for n in p.argnums))
    value, push = zg.linearize(p.function, *args, **PYTHON)
    assert_close(value, oracle.plain(p.function, p.args())[0], tolerance(p))
    still = [t if t is not None else zeros(a) for t, a in zip(tangents, args, strict=True)]
    overwrite(args, value)
    for _ in range(2):
        np.testing.assert_allclose(push(*still), expected, rtol=tolerance(p), atol=tolerance(p) * 10)


def test_parameters_that_are_left_out_are_constants():
    def f(x, n, scale=2.5, *rest, shift=(1.0, 3.0)):
        return x**n * scale + shift[1] * x + sum(rest)

    for backend in ("python", "cpu"):
        _, push = zg.linearize(f, 0.7, 2, backend=backend)
        np.testing.assert_allclose(push(1.0, 0), 1.4 * 2.5 + 3.0)
        _, push = zg.linearize(f, 0.7, 2, 1.5, 4.0, backend=backend)
        np.testing.assert_allclose(push(1.0, 0, 2.0, 5.0), 1.4 * 1.5 + 3.0 + 2.0 * 0.49 + 5.0)
        _, pull = zg.vjp(f, 0.7, 2, backend=backend)
        np.testing.assert_allclose(pull(1.0)[0], 1.4 * 2.5 + 3.0)


def zeros(tree):
    return tuple(map(zeros, tree)) if isinstance(tree, tuple) else np.zeros_like(tree)[()]


# -- structures ------------------------------------------------------------------------------------------------------


class Pair(NamedTuple):
    a: float
    b: np.ndarray


@dataclass
class Layer:
    w: np.ndarray
    scale: float
    name: str
    count: int = 2


def several(pair, layer, options, x, n, f):
    y = f(layer.w @ x) * layer.scale * pair.a
    return Pair(y.sum() * n, pair.b * y[0]), {"y": y * options["k"][0], "n": n, "name": layer.name}


def test_structures():
    """Results and adjoints of every kind of structure; ints, texts and functions are no reals."""
    args = (Pair(2.0, Y.copy()), Layer(M.copy(), 0.5, "first"), {"k": [3.0, 1]}, X.copy(), 4, np.tanh)
    value, pull = zg.vjp(several, *args, **PYTHON)
    assert isinstance(value[0], Pair) and value[1]["name"] == "first" and value[1]["n"] == 4
    pair, layer, options, x, n, f = pull((Pair(0.5, np.ones(3)), {"y": np.array([1.0, 2.0]), "n": None, "name": 0}))
    assert (n, f, type(pair), type(layer), layer.name) == (None, None, Pair, Layer, "first")

    def weighted(a, b, w, scale, k, x):
        y = np.tanh(w @ x) * scale * a
        return 0.5 * y.sum() * 4 + (b * y[0]).sum() + (y * k * np.array([1.0, 2.0])).sum()

    wanted = oracle.finite_differences(weighted, (2.0, Y, M, 0.5, 3.0, X), (0, 1, 2, 3, 4, 5))
    assert_close((pair.a, pair.b, layer.w, layer.scale, options["k"][0], x), wanted, 1e-7)
    value, push = zg.linearize(several, *args, **PYTHON)
    moves = (Pair(1.0, X), Layer(M, 2.0, "", 1), {"k": [0.5, 1]}, Y, None, None)
    pair_dot, rest = push(*moves)
    flat = inner(wanted, (1.0, X, M, 2.0, 0.5, Y))
    found = 0.5 * pair_dot.a + pair_dot.b.sum() + rest["y"] @ np.array([1.0, 2.0])
    np.testing.assert_allclose(found, flat, rtol=1e-7)


def stores(x, y):
    x[0] = x[1] * x[0]
    y[:] = y * x
    return x * x + y


def stored_sum(x, y):
    z = stores(x, y)
    return z[0] + 2.0 * z[1] + 0.5 * z[2]


def test_functions_that_store_into_their_arguments():
    """The derivative is with respect to what the arguments held before."""
    for backend in ("python", "cpu"):
        x, y = X.copy(), Y.copy()
        value, pull = zg.vjp(stores, x, y, backend=backend)
        after = x.copy(), y.copy()
        wanted = oracle.gradient(stored_sum, (X, Y), (0, 1))
        for _ in range(2):
            assert_close(pull(np.array([1.0, 2.0, 0.5])), wanted, 1e-12)
        assert_close((x, y), after, 0)
        x, y = X.copy(), Y.copy()
        value, push = zg.linearize(stores, x, y, backend=backend)
        assert_close((x, y), after, 1e-15)
        for _ in range(2):
            np.testing.assert_allclose(push(Y, X) @ np.array([1.0, 2.0, 0.5]), inner(wanted, (Y, X)), rtol=1e-12)


SCALE, POWER = np.array([1.0, 2.0, 3.0]), 2


def captures(x):
    return (SCALE * x**POWER).sum()


def test_what_is_captured(monkeypatch):
    """A map keeps what the function captured when it was made; another call reads what there is then."""
    scale = SCALE.copy()
    monkeypatch.setitem(globals(), "SCALE", scale)
    for backend in ("python", "cpu"):
        scale[:] = [1.0, 2.0, 3.0]
        monkeypatch.setitem(globals(), "POWER", 2)
        maps = [zg.vjp(captures, X, backend=backend)[1], zg.linearize(captures, X, backend=backend)[1]]
        scale[:] = 7.0
        monkeypatch.setitem(globals(), "POWER", 3)
        assert_close(maps[0](1.0)[0], 2 * np.array([1.0, 2.0, 3.0]) * X, 1e-15)
        assert_close(maps[1](X), 2 * np.array([1.0, 2.0, 3.0]) @ X**2, 1e-15)
        assert_close(zg.vjp(captures, X, backend=backend)[1](1.0)[0], 21 * X**2, 1e-15)


def numbers_of_every_kind(x, z, m, *rest):
    return x * rest[0], z * z, m.T.reshape(-1) * rest[1], m + rest[1]


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_numbers_of_every_kind(backend):
    """float32, complex numbers by JAX's convention, arrays by columns, axes of length 1, arguments behind a star."""
    m = np.asfortranarray(M.astype(np.float32))
    args = (np.float32(2.0), 1.0 + 2.0j, m, 3.0, np.float32(0.5))
    (first, second, *_), pull = zg.vjp(numbers_of_every_kind, *args, backend=backend)
    assert (first, second) == (6.0, -3 + 4j)
    bars = pull((1.0, 1j, np.arange(6, dtype=np.float32), np.ones((2, 3), np.float32)))
    assert len(bars) == 5 and bars[2].dtype == np.float32
    weights = np.arange(6.0).reshape(3, 2).T
    wanted = (3.0, 2j * (1 + 2j), 0.5 * weights + 1, 2.0, (weights * M).sum() + 6)
    assert_close(bars, wanted, 1e-6)
    push = zg.linearize(numbers_of_every_kind, *args, backend=backend)[1]
    dots = push(1.0, 1j, np.ascontiguousarray(m), 0.0, 0.0)
    assert_close(dots, (3.0, 2j * (1 + 2j), 0.5 * M.T.reshape(-1), M), 1e-6)
    outer = lambda x, y: x * y  # noqa: E731
    assert_close(zg.vjp(outer, X, np.ones(1), backend=backend)[1](Y), (Y, np.array([X @ Y])), 1e-15)
    assert_close(zg.linearize(outer, X, np.ones(1), backend=backend)[1](Y, np.ones(1)), Y + X, 1e-15)


def test_aux_and_jit():
    f = lambda x: ((x**2).sum(), {"twice": 2.0 * x})  # noqa: E731
    for vjp in (zg.vjp, zg.pullback):
        value, pull, aux = vjp(f, X, has_aux=True, **PYTHON)
        assert_close((value, pull(1.0)[0], aux["twice"]), ((X**2).sum(), 2 * X, 2 * X), 1e-15)
    value, pull = zg.jit(several_results, **PYTHON).vjp(X)
    assert_close(pull((1.0, Y)), (2 * X + Y,), 1e-15)


def several_results(x):
    return (x**2).sum(), x


def test_results_share_no_memory():
    """Nor do they with what the map is given, or keeps."""
    for apply in (zg.vjp(lambda x: x, X, **PYTHON)[1], zg.linearize(lambda x: x, X, **PYTHON)[1]):
        given = Y.copy()
        (first, *_), (second, *_) = ((r,) if isinstance(r, np.ndarray) else r for r in (apply(given), apply(given)))
        first[:] = 7.0
        assert_close((given, second), (Y, Y), 0)
    a, b = zg.linearize(lambda x: (x, x), X, **PYTHON)[1](Y)
    a[:] = 7.0
    assert_close(b, Y, 0)
    _, pull = zg.vjp(lambda x: 3.0, X, **PYTHON)
    pull(1.0)[0][:] = 7.0
    assert_close(pull(1.0)[0], np.zeros(3), 0)


def test_prints_once(capsys):
    def f(x):
        print("here", x[0])
        return x * x

    for operator, given in ((zg.vjp, X), (zg.linearize, X)):
        _, apply = operator(f, X, **PYTHON)
        assert capsys.readouterr().out == "here 0.5\n"
        apply(given)
        assert capsys.readouterr().out == ""


# -- threads ---------------------------------------------------------------------------------------------------------


def searching(x, w):
    total, n = x[0] * 1.0, 0
    while total < 1000.0:
        total = total * 1.01 + abs(x[n % 3])
        n += 1
    return np.tanh(total * x / 1000) @ w


def test_threads_share_maps():
    """Eight threads call one pullback and one linear map, each with seeds of its own; the forward parts run as well."""
    x, w = X.copy(), np.linspace(-1.0, 1.0, 3000).reshape(3, 1000)
    _, pull = zg.vjp(searching, x, w)
    _, push = zg.linearize(searching, x, w)
    seeds = [np.cos(np.arange(1000.0) + k) for k in range(8)]
    expected = [pull(seed) for seed in seeds]
    pushed = [push(k * x, w) for k in range(8)]
    wrong: list = []

    def work(k):
        for _ in range(20):
            if any(not np.array_equal(a, b) for a, b in zip(pull(seeds[k]), expected[k], strict=True)):
                wrong.append(k)
            if not np.array_equal(push(k * x, w), pushed[k]):
                wrong.append(-k)
            if not np.array_equal(zg.vjp(searching, x, w)[1](seeds[k])[1], expected[k][1]):
                wrong.append(100 + k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# -- refusals --------------------------------------------------------------------------------------------------------


def pairs(x, y):
    return x * y, [x + y]


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (1.0, zg.ArgumentError, "the seed of the result has another structure than the result"),
        ((X, [X, X]), zg.ArgumentError, "the seed of the result[1] has another structure than the result[1]"),
        ((X, [1.0]), zg.DtypeError, "the seed of the result[1][0] is a float, not an array"),
        ((X[:2], [X]), zg.ShapeError, "the seed of the result[0] has shape (2,), the result[0] has (3,)"),
        (
            (X.astype(np.float32), [X]),
            zg.DtypeError,
            "the seed of the result[0] is an array of float32, the result[0] of float64",
        ),
    ],
)
def test_refused_seeds(seed, error, message):
    with pytest.raises(error) as caught:
        zg.vjp(pairs, X, Y, **PYTHON)[1](seed)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: zg.vjp(pairs, X, Y, **PYTHON)[1](X, Y), zg.ArgumentError, "pullback of pairs takes 1 seed, 2 given"),
        (
            lambda: zg.linearize(pairs, X, Y, **PYTHON)[1](X),
            zg.ArgumentError,
            "linear map of pairs takes 2 tangents, 1 given",
        ),
        (
            lambda: zg.linearize(pairs, X, Y, **PYTHON)[1](X, X[:1]),
            zg.ShapeError,
            "the tangent of y has shape (1,), y has (3,)",
        ),
        (
            lambda: zg.vjp(lambda x: 2.0 * x, 1.5, **PYTHON)[1](1j),
            zg.DtypeError,
            "the seed of the result is a complex number, the result is a real one",
        ),
        (
            lambda: zg.vjp(lambda x: 2.0 * x, 1.5, **PYTHON)[1](None),
            zg.DtypeError,
            "the seed of the result is a NoneType, not a number",
        ),
        (
            lambda: zg.vjp(pairs, 3, np.arange(3), **PYTHON),
            zg.DtypeError,
            "no argument of pairs holds a real or complex number that could be differentiated\n"
            "why:  ints count, as in jvp\nhelp: pass floats: 3.0 instead of 3",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
