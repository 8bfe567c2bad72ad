"""Checkpointed loops and calls: gradients and Hessians times vectors against differences, memory, the schedule.

Cannot see how long a trip takes; `python -m benchmarks.checkpointing` measures that.
"""

import math
import tracemalloc
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from tests import checkpoint_generator, oracle
from tests.compare import assert_close, inner
from tests.random_programs import Kind, run_seeds
from zygopy import checkpointed
from zygopy.backends.runtime import snapshot_step

X = np.array([0.3, 0.5, -0.2, 0.8, 0.1, 0.4])
W = np.outer(X, X[::-1])[:4, :4] + 0.3
PYTHON = {"backend": "python"}


def numbers(x, n, s):
    y, z, k = x, 1.0, 1
    for t in checkpointed(range(3, 3 + 2 * n, 2), snapshots=s):
        if y > 0.65:
            y = y * math.sin(x * t) + 0.3
        y, z = z * x, math.tanh(y + z * k)
        k = (k * 3 + t) % 5
    return y * z


def searching(x, n, s):
    y, largest = x, 0.0
    for t in checkpointed(range(n, 0, -1), snapshots=s):
        k = 0
        while y < 1.5 and k < 4:
            y = y * (1.0 + x * 0.3)
            k += 1
        y = math.sin(y) * x + t * 0.01
        largest = max(largest, y)
    return y * largest


def in_place(u0, n, s):
    u = u0.copy()
    last = 0.5
    for t in checkpointed(range(n), snapshots=s):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + 0.1 * (u[i - 1] - 2.0 * u[i] * u[i] + u[i + 1])
        u[0] = u[t % 6] * last
        last = u[1]
    return np.sum(u * u)


def two_buffers(u0, n, s):
    u, v = u0.copy(), u0.copy()
    for _ in checkpointed(range(n), snapshots=s):
        v[1:-1] = u[1:-1] + 0.1 * np.sin(u[:-2] - 2.0 * u[1:-1] + u[2:]) * u[1:-1]
        u, v = v, u
    return np.sum(u * u) + v[1]


def new_arrays(w, h, n, s):
    for _ in checkpointed(range(n), snapshots=s):
        h = np.tanh(w @ h)
    return np.sum(h * h)


def matrices(w, n, s):
    a = w.copy()
    for _ in checkpointed(range(n), snapshots=s):
        a = np.tanh(w @ a) + np.linalg.solve(w + 2.0 * np.eye(4), a)
    return np.sum(a * a)


def views(u0, n, s):
    u = u0.copy()
    even, odd = u[::2], u[1::2]
    for row in checkpointed(np.outer(u0[:n], u0), snapshots=s):
        even[0] = even[0] * odd[1] + row[2]
        odd[1] = odd[1] + even[0] * even[0]
    return np.sum(u * u)


def inside_loops(u0, n, s):
    u, total = u0.copy(), 0.0
    for j in range(3):
        w, c = u0 * (0.3 * j + 0.2), u[j]
        for t in checkpointed(range(n + j), snapshots=s):
            w[1:] = w[1:] * w[:-1] + c * u[1:]
            c = math.sin(c * u0[t % 6])
        u[j] = w[j] * c
        total += np.sum(w)
    return total * total + np.sum(u)


def inside_branches(u0, n, s):
    u, c = u0.copy(), 1.0
    if u0[0] > 0:
        w = u * 2.0
        for _ in checkpointed(range(n), snapshots=s):
            w = np.sin(w) * c
            c = c * w[0] + 0.1
        c = c + np.sum(w)
    u[1] = 7.0
    return c * c + np.sum(u)


def inside_each_other(u0, n, s):
    u = u0.copy()
    for t in checkpointed(range(n), snapshots=s):
        c = u[0]
        for _ in checkpointed(range(t), snapshots=2):
            c = math.sin(c) * u[1]
            u[1:-1] = u[1:-1] * u[:-2] * c + 0.2
        u[0] = u[2] * c + 0.3
    return np.sum(u * u)


def overwritten_later(u0, n, s):
    a, b = u0 * 2.0, u0.copy()
    for v, _ in checkpointed(zip(range(n), range(100), strict=False), snapshots=s):
        b = b * a + 0.1 * v
    a[0] = b[1] * a[1]
    return np.sum(b * b) + np.sum(a)


def complex_numbers(x, n, s):
    z = 0.3 + x * 1j
    for _ in checkpointed(range(n), snapshots=s):
        z = z * z * 0.9 + x
    return z.real * z.imag


PROGRAMS = {numbers: (0.7,), searching: (0.7,), in_place: (X,), two_buffers: (X,), new_arrays: (W, X[:4].copy())}
PROGRAMS |= {matrices: (W,), views: (X,), inside_loops: (X,), inside_branches: (X,), inside_each_other: (X,)}
PROGRAMS |= {overwritten_later: (X,), complex_numbers: (0.3,)}


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients(function):
    """For no trip, one trip, and fewer and more trips than snapshots."""
    args = PROGRAMS[function]
    wrt = tuple(range(len(args)))
    gradient = zg.value_and_grad(function, wrt, **PYTHON)
    for n, s in ((0, 2), (1, 1), (2, 5), (5, 1), (5, 3), (6, 2)):
        value, found = gradient(*args, n, s)
        assert_close(value, function(*args, n, s))
        expected = oracle.finite_differences(function, (*args, n, s), wrt)
        assert_close(found, expected, 1e-8, f"{n} trips, {s} snapshots")


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_hessians_times_vectors(function):
    """Forward over reverse; and a tangent, for which the mark means nothing."""
    args = PROGRAMS[function]
    moving = tuple(np.cos(a) if isinstance(a, np.ndarray) else 1.0 for a in args)
    tangents = (*moving, None, None)
    gradient = zg.grad(function, tuple(range(len(args))), **PYTHON)
    at = [gradient(*(a + h * d for a, d in zip(args, moving, strict=True)), 4, 2) for h in (1e-4, -1e-4)]
    expected = tuple((a - b) / 2e-4 for a, b in zip(*at, strict=True))
    found = zg.hvp(function, (*args, 4, 2), tangents, **PYTHON)
    assert_close(found if len(args) > 1 else (found,), expected, 1e-6)
    slope = zg.jvp(function, (*args, 4, 2), tangents, **PYTHON)[1]
    assert_close(slope, inner(gradient(*args, 4, 2), moving))


def test_gradient_of_a_gradient():
    args = (0.7, 5, 2)
    second = zg.grad(lambda x, n, s: zg.grad(numbers)(x, n, s), **PYTHON)
    assert_close(second(*args), oracle.gradient_change(numbers, args, 0, (1.0, None, None)), 1e-8)


@pytest.mark.parametrize("function", [numbers, inside_loops, new_arrays], ids=lambda f: f.__name__)
def test_compiled(function):
    args = (*PROGRAMS[function], 5, 2)
    assert_close(zg.grad(function)(*args), oracle.finite_differences(function, args), 1e-8)


def test_runs_of_many_trips():
    """Trips that hand on numbers only are taken in runs; these are whole, and not."""

    def logistic(r, n, s):
        x = 0.5
        for _ in checkpointed(range(n), snapshots=s):
            x = r * x * (1.0 - x)
        return x

    gradient = zg.grad(logistic, **PYTHON)
    for n, s in product((127, 128, 129, 640, 1000), (1, 3)):
        assert_close(gradient(2.9, n, s), oracle.gradient(logistic, (2.9, n, s)))


# -- memory and work --------------------------------------------------------------------------------------------------


def peak_bytes(call) -> int:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("function", [in_place, two_buffers, matrices], ids=lambda f: f.__name__)
def test_memory_does_not_grow_with_trips(function):
    gradient = zg.grad(function, **PYTHON)
    at = [0.01 * np.ones((4, 4))] if function is matrices else [0.01 * np.ones(60)]
    gradient(*at, 2, 4)
    few, many = (peak_bytes(lambda n=n: gradient(*at, n, 4)) for n in (8, 24))
    assert many < few + 500


def optimal_steps(trips: int, snapshots: int) -> int:
    """How many trips at least run again without being reversed: Griewank & Walther (2000), the formula for t(l, s)."""
    r = 0
    while math.comb(snapshots + r, snapshots) < trips:
        r += 1
    return r * trips - math.comb(snapshots + r, snapshots + 1)


@pytest.mark.parametrize("trips, snapshots", [(1, 1), (7, 1), (2, 2), (10, 2), (10, 3), (57, 3), (100, 10), (400, 4)])
def test_schedule(trips, snapshots):
    """The driver's walk: never more snapshots than allowed, and no more work than the best schedule has."""
    places, steps = [0], 0
    for last in range(trips - 1, -1, -1):
        at = places[-1]
        while at < last:
            stop = at + snapshot_step(last - at + 1, snapshots - len(places) + 1)
            steps += stop - at
            at = stop
            if at < last:
                places.append(at)
        assert at == last and len(places) <= snapshots
        if places[-1] == last:
            places.pop()
    assert steps == optimal_steps(trips, snapshots)


# -- plain Python, and what is refused --------------------------------------------------------------------------------


def test_plain_python():
    items = range(5)
    assert checkpointed(items, snapshots=2) is items
    with pytest.raises(zg.ArgumentError, match="snapshots=0: a loop needs one at least, that of its start"):
        checkpointed(items, snapshots=0)
    with pytest.raises(zg.ArgumentError):
        zg.grad(numbers, **PYTHON)(0.7, 3, 0)


def test_loops_without_derivatives_run_once():
    def counted(x, n):
        k = 0
        for t in checkpointed(range(n), snapshots=2):
            print("trip", t)
            k += t
        return k * x

    assert "places" not in zg.grad(counted, **PYTHON).source(1.0, 3)


def test_random_programs():
    """Those of `test_random` with all their loops checkpointed."""
    report = run_seeds(range(4), "python", seconds=0, kind=Kind(checkpoint_generator, oracle))
    assert not report.wrong, str(report)
    assert sum(report.refused.values()) <= 2, str(report)


# -- calls ------------------------------------------------------------------------------------------------------------

SCALE = 1.3


class Layer(NamedTuple):
    w: np.ndarray
    b: np.ndarray


@zg.checkpoint
def layer(w, x):
    h = np.tanh(w @ x)
    return np.sin(h * h) * SCALE


@zg.checkpoint
def several(p, k, x):
    y = np.exp(-(p.w @ x) + p.b)
    for _ in range(k):
        y = y * np.cos(y)
    return y, np.sum(y * y), k


@zg.checkpoint
def nested(w, x):
    return layer(w, x) + np.cos(layer(w, layer(w, x)))


@zg.checkpoint
def applied(f, x):
    return f(f(x))


def bent(x):
    return math.tanh(x * x + 0.3)


def product_of(x, y):
    return math.sin(x * y) * math.exp(x)


def in_a_loop(w, x):
    for _ in range(3):
        x = layer(w, x)
    return np.sum(x)


@dataclass
class Dense:
    w: np.ndarray
    biases: list
    act: object

    def __call__(self, x):
        return self.act(self.w @ x + self.biases[0]) * self.biases[1]


def in_a_checkpointed_loop(w, x):
    for _ in checkpointed(range(5), snapshots=2):
        x = layer(w, x)
    return np.sum(x)


def with_structures(w, x):
    y, s, k = several(Layer(w, x * 0.5), 3, x)
    return np.sum(y * x) * s + k


def inside_another(w, x):
    return np.sum(nested(w, x))


def of_numbers(x, y):
    s = x
    for _ in range(4):
        s = zg.checkpoint(product_of)(s, y)
    return s * applied(bent, s)


SCALES = np.array([1.0, -0.5, 2.0])


@zg.checkpoint
def scaled(x, power=2.0):
    return np.tanh(x * SCALES * power)


def with_captured_arrays(w, x):
    return np.sum(scaled(x) * (w @ x)) + np.sum(scaled(x * x, power=3.0))


def with_inner_functions(w, x):
    y, total = x * 2, 0.0

    def of_both(z):
        return np.sin(z * y) * np.sum(w)

    kept = zg.checkpoint(of_both)
    for i in range(3):
        x = zg.checkpoint(lambda v: np.tanh(v * w[i] + i) + v)(x)  # noqa: B023  (called at once)
        total += np.sum(kept(x))
    return total


def with_objects(w, x):
    layer = Dense(w, [x[0], 2.0], np.sin)
    kept = zg.checkpoint(layer)
    return np.sum(kept(x)) * zg.checkpoint(lambda d, *, k: np.sum(d["layer"](x)) * d["k"] + k)(
        {"layer": layer, "k": x[1]}, k=x[2]
    )


CALLS = dict.fromkeys((with_captured_arrays, with_inner_functions, with_objects), (W[:3, :3], X[:3]))
CALLS |= dict.fromkeys((in_a_loop, in_a_checkpointed_loop, with_structures, inside_another), (W[:3, :3], X[:3]))
CALLS |= {of_numbers: (0.7, 0.4)}


@pytest.mark.parametrize("function", CALLS, ids=lambda f: f.__name__)
def test_calls(function):
    """Both modes, and one over the other."""
    args = CALLS[function]
    gradient = zg.grad(function, (0, 1), **PYTHON)
    found = gradient(*args)
    assert_close(found, oracle.finite_differences(function, args, (0, 1)), 1e-8)
    moving = tuple(np.cos(a) if isinstance(a, np.ndarray) else 1.0 for a in args)
    value, slope = zg.jvp(function, args, moving, **PYTHON)
    assert_close((value, slope), (function(*args), inner(found, moving)))
    at = [gradient(*(a + h * d for a, d in zip(args, moving, strict=True))) for h in (1e-4, -1e-4)]
    expected = tuple((a - b) / 2e-4 for a, b in zip(*at, strict=True))
    assert_close(zg.hvp(function, args, moving, **PYTHON), expected, 1e-5)


@pytest.mark.parametrize("function", [in_a_loop, of_numbers, with_inner_functions], ids=lambda f: f.__name__)
def test_compiled_calls(function):
    args = CALLS[function]
    assert_close(zg.grad(function)(*args), oracle.finite_differences(function, args), 1e-8)


def test_calls_keep_their_arguments_only():
    def numbers_of(f):
        def run(x, y):
            for _ in range(100):
                x = f(x, y) * 0.9
            return x

        return zg.explain(run)(0.7, 0.4)

    def of_captured(x, y):
        return zg.checkpoint(lambda z: product_of(z, y))(x)

    plain, kept, inner = map(numbers_of, (product_of, zg.checkpoint(product_of), of_captured))
    assert inner.total == kept.total
    assert kept.total == 100 * 8 < plain.total
    arrays = zg.explain(in_a_loop)(np.ones((50, 50)), np.ones(50))
    (call,) = [row for row in arrays.rows if row.loc.text.strip() == "x = layer(w, x)"]
    assert [tape.size for tape in call.tapes] == [3 * 50 * 8] and call.needs == {"stored": ["x"]}
    inside = [tape.expression for row in arrays.rows if row.loc.function == "layer" for tape in row.tapes]
    assert not any("3 *" in expression or "24 *" in expression for expression in inside), inside


def test_operators_on_checkpointed_functions():
    assert zg.checkpoint(product_of)(0.7, 0.4) == product_of(0.7, 0.4)
    assert_close(zg.grad(zg.checkpoint(product_of), **PYTHON)(0.7, 0.4), zg.grad(product_of, **PYTHON)(0.7, 0.4))
