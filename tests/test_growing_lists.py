"""Lists whose length only run time knows: grown, changed, read; of numbers, arrays and tuples of these.

The oracle is the function itself, run by CPython, with central differences along one direction. They cannot see an
error that is orthogonal to that direction, nor one below 1e-7 of the slope.
"""

import re
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from zygopy import checkpointed

X = np.array([0.5, 1.0, -0.3, 0.7, 0.2, -0.8, 0.9])
WAY = np.array([0.3, -1.0, 0.8, 0.2, -0.5, 0.7, 0.4])
W = np.cos(np.arange(49.0)).reshape(7, 7) * 0.4


def contraction(a):
    xs, x = [], a[1] + 0.2
    while x > 1e-3:
        x = 0.5 * np.sin(x)
        xs.append(x)
    return sum(v * v for v in xs)


def filtered(a):
    xs = []
    for v in a:
        if v > 0:
            xs.append(v * v)
    total = 0.0
    for k, v in enumerate(reversed(xs)):
        total = total * 0.5 + v * (k + 1)
    return total + len(xs) * xs[-1] + xs[0]


def recurrence(a):
    xs = [a[0]]
    for i in range(1, len(a)):
        xs.append(xs[-1] * a[i] + xs[0])
    ys = [x * v for x, v in zip(xs, a, strict=True)]
    return np.mean(np.array(xs)) + max(xs) - min(ys) + np.sum(ys)


def stack_machine(a):
    stack, total = [], 0.0
    for v in a:
        stack.append(v)
        if v < 0 and len(stack) > 1:
            total += stack.pop() * stack.pop()
    while stack:
        total = 0.9 * total + stack.pop() ** 2
    return total


def edits(a):
    xs = [v * v for v in a]
    xs.insert(2, a[0] * a[1])
    xs.insert(-1, a[2])
    xs.insert(0, a[3])
    xs[3] = a[1] * 3
    xs[-1] += a[2]
    taken = xs.pop(1)
    xs.reverse()
    ys = xs + [taken, a[0]]
    ys += xs
    ys.extend(a[1:])
    zs = ys[1::2]
    zs[0] = a[0] * 5
    copied = list(zs)
    copied.append(a[1])
    return sum(v * (k + 1) for k, v in enumerate(ys)) * zs[0] + np.dot(np.array(zs), np.asarray(zs)) + copied[-2]


def batches(a):
    batch, total = [], 0.0
    for v in a:
        batch.append(v)
        if len(batch) == 3:
            total += sum(batch) * batch[0]
            batch.clear()
    return total + sum(batch)


def generations(a):
    now = [a[0]]
    for i in range(len(a) - 1):
        new = []
        for v in now:
            new.append(v * a[i])
            if v > 0.2:
                new.append(v + a[i + 1])
        now = new
    return sum(now)


def joined_by_a_branch(a):
    xs = []
    if a[0] > 0:
        xs.append(a[0])
        xs.append(a[1])
    else:
        xs.append(a[2])
    for v in xs:
        a = a * v
    return np.sum(a) + len(xs) * xs[-1]


def in_each_trip(a):
    total = 0.0
    for i in range(len(a)):
        xs, v = [], a[i]
        while abs(v) > 0.1:
            v = v * 0.6
            xs.append(v)
        total += sum(xs) * i + len(xs)
        if xs:
            total += xs[0] * xs[-1]
    return total


def by_a_helper(a):
    def add(xs, v):
        xs.append(v * v)

    found = []
    for v in a:
        add(found, v)
    return np.prod(np.array(found)) + np.linalg.norm(found)


def two_names(a):
    xs = []
    ys = xs
    for v in a:
        xs.append(v)
        ys.append(v * v)
    return ys[3] * xs[-1] + len(ys)


def layers(a):
    hs, h = [], a
    while np.sum(h * h) > 0.1:
        h = np.tanh(0.7 * h)
        hs.append(h)
    return np.sum(np.stack(hs) ** 2) + hs[-1][0] + np.sum(hs[0]) + np.concatenate(hs)[-2]


def backpropagation(a):
    hs = [a]
    for _ in range(len(a)):
        hs.append(np.tanh(W @ hs[-1]))
    g = np.ones(7)
    while len(hs) > 1:
        h = hs.pop()
        g = W.T @ (g * (1 - h * h))
    return np.sum(g * hs[0])


def backwards(a):
    hs, h = [], a
    for v in a:
        h = np.tanh(0.7 * h + v)
        hs.append(h)
    total = 0.0
    for h in reversed(hs):
        total = total * 0.5 + np.sum(h * h)
    return total + np.sum(np.stack(hs, axis=1)[:, 1:])


class Step(NamedTuple):
    at: float
    number: int
    row: np.ndarray


def of_tuples(a):
    steps, total = [], 0.0
    for i in range(len(a)):
        if a[i] > 0:
            steps.append(Step(a[i], i, a[i] * a))
    for at, number, row in steps:
        total += at * number + np.sum(row) * at
    return total + steps[-1].at * steps[0].row[2]


def comprehended(a):
    positive = [v for v in a if v > 0]
    pairs = [p * q for p in positive for q in a if q < p]
    return sum(positive) * pairs[-1] + np.sum(np.array([v * v for v in a if v < 0]))


PROGRAMS = {
    f.__name__: f
    for f in (
        contraction,
        filtered,
        recurrence,
        stack_machine,
        edits,
        batches,
        generations,
        joined_by_a_branch,
        in_each_trip,
        by_a_helper,
        two_names,
        layers,
        backpropagation,
        backwards,
        of_tuples,
        comprehended,
    )
}


def slope(function, x):
    step = 1e-6
    return (function(x + step * WAY) - function(x - step * WAY)) / (2 * step)


@pytest.mark.parametrize(
    ("name", "backend"),
    [*((name, "python") for name in PROGRAMS), *((name, "cpu") for name in ("stack_machine", "generations", "layers"))],
)
def test_both_modes(name, backend):
    function = PROGRAMS[name]
    value, gradient = zg.value_and_grad(function, backend=backend)(X)
    np.testing.assert_allclose(value, function(X), rtol=1e-13)
    np.testing.assert_allclose(gradient @ WAY, slope(function, X), rtol=1e-7)
    _, tangent = zg.jvp(function, (X,), (WAY,), backend=backend)
    np.testing.assert_allclose(tangent, gradient @ WAY, rtol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_second_order(name):
    gradient = zg.grad(PROGRAMS[name], backend="python")
    wanted = slope(gradient, X)
    np.testing.assert_allclose(zg.hvp(PROGRAMS[name], (X,), (WAY,), backend="python"), wanted, rtol=1e-6, atol=1e-7)
    again = zg.grad(lambda x: np.sum(zg.grad(PROGRAMS[name])(x) * WAY), backend="python")(X)
    np.testing.assert_allclose(again, wanted, rtol=1e-6, atol=1e-7)


def test_pullbacks_and_rows_of_a_jacobian():
    """Their two parts are apart, and the list goes from one to the other."""

    def both(a):
        xs = []
        for v in a:
            if v > 0:
                xs.append(np.sin(v) * a[0])
        return np.array([sum(xs), xs[-1] * xs[0]])

    wanted = zg.jacfwd(both, backend="python")(X)
    np.testing.assert_allclose(zg.jacrev(both, backend="python")(X), wanted, rtol=1e-12)
    _, pull = zg.vjp(both, X, backend="python")
    np.testing.assert_allclose(pull(np.array([1.0, 2.0]))[0], np.array([1.0, 2.0]) @ wanted, rtol=1e-12)


def test_items_keep_their_type():
    def of(a):
        weak, strong, ints = [1.5], [np.float64(1.5)], []
        for i in range(len(a)):
            weak.append(2.5)
            strong.append(np.float64(2.5))
            ints.append(i)
        return np.array([a[0] * weak[-1]]), np.array([a[0] * strong[-1]]), np.array(ints), a[ints[2]]

    x = X.astype(np.float32)
    found, wanted = zg.jit(of, backend="python")(x), of(x)
    assert [a.dtype for a in found[:3]] == [a.dtype for a in wanted[:3]] == [np.float32, np.float64, np.int64]
    assert found[3] == wanted[3]


# -- errors ----------------------------------------------------------------------------------------------------------


def emptied(a):
    xs = []
    for v in a:
        if v > 10:
            xs.append(v)
    return xs.pop()


def beyond(a):
    xs = []
    for v in a:
        xs.append(v)
    return xs[len(a) + 1]


def before(a):
    xs = []
    for v in a:
        xs.append(v)
    return xs[-len(a) - 1]


def smallest_of_none(a):
    xs = []
    for v in a:
        if v > 10:
            xs.append(v)
    return min(xs)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (emptied, IndexError, "pop from empty list"),
        (beyond, IndexError, "list index out of range"),
        (before, IndexError, "list index out of range"),
        (smallest_of_none, ValueError, "zero-size"),
    ],
)
def test_errors_at_run_time(function, error, message):
    with pytest.raises(error, match=message) as found:
        zg.grad(function, backend="python")(X)
    if error is IndexError:
        assert re.search(rf"test_growing_lists\.py:\d+, in {function.__name__}", str(found.value))


def stored_afterwards(a):
    hs, h = [], a * 2
    for v in a:
        hs.append(h)
        h[0] = v
    return np.sum(hs[0])


def stored_in_the_next_trip(a):
    hs, h = [], a * 2
    for v in a:
        h[0] = v
        h = h * 1.5
        hs.append(h)
    return np.sum(hs[0])


def stored_through_the_list(a):
    hs, h = [], a * 2
    for _ in a:
        h = h * 1.5
        hs.append(h)
    hs[-1][0] = 3.0
    return np.sum(h)


def stored_through_a_slice(a):
    h = a * 2
    hs, part = [], h[1:]
    for _ in a:
        hs.append(h)
    part[0] = 1.0
    return np.sum(hs[2])


@pytest.mark.parametrize(
    "function", [stored_afterwards, stored_in_the_next_trip, stored_through_the_list, stored_through_a_slice]
)
def test_stores_behind_the_back_of_a_list_are_refused(function):
    """In Python they are seen in the list, which holds the array itself."""
    with pytest.raises(zg.UnsupportedError, match=r"(?s)storing into an array that a list holds.*a list|copy"):
        zg.grad(function, backend="python")(X)


def stored_before(a):
    hs = []
    for v in a:
        h = a * 2
        h[0] = v
        hs.append(h)
    return sum(np.sum(h * h) for h in hs)


def test_stores_before_an_array_is_in_the_list():
    gradient = zg.grad(stored_before, backend="python")(X)
    np.testing.assert_allclose(gradient @ WAY, slope(stored_before, X), rtol=1e-7)


def test_arrays_of_a_list_have_one_shape():
    def ragged(a, b):
        hs = [a]
        for _ in range(len(a)):
            hs.append(b * 2)
        return np.sum(hs[-1])

    np.testing.assert_allclose(zg.grad(ragged, "b", backend="python")(X, X), np.full(7, 2.0))
    with pytest.raises(zg.ShapeError):
        zg.grad(ragged, "b", backend="python")(X, X[1:])


def test_a_list_that_a_loop_goes_through_keeps_its_length():
    def growing(a):
        xs = [v * 2 for v in a]
        for v in xs:
            if v > 0:
                xs.append(v * 0.1)
        return xs[0]

    with pytest.raises(zg.UnsupportedError, match="grows or shrinks while a loop goes through it"):
        zg.grad(growing, backend="python")(X)


def cubes(x):
    return np.sum(x**3)


@zg.adjoint(cubes)
def adjoint_of_cubes(g, ans, x):
    found = [v for v in x if v > 10]
    for v in x:
        found.append(3 * v * v * g)
    return np.array(found)


def test_lists_in_the_rule_of_a_function():
    np.testing.assert_allclose(zg.grad(lambda x: 2 * cubes(x), backend="python")(X), 6 * X**2, rtol=1e-12)


def test_lists_are_long():
    """Longer than the room that there is at first, in both parts and in loops that are checkpointed."""

    def long(x):
        xs, total = [], 0.0
        for v in x:
            if v > -0.5:
                xs.append(v * v)
        for i in checkpointed(range(len(xs)), snapshots=2):
            total = total * 0.5 + xs[i] * xs[-1]
        for v in x:
            xs.append(v * total)
        return total + sum(v * v for v in xs)

    x, way = np.cos(np.arange(40.0) * 1.7), np.sin(np.arange(40.0))
    for backend in ("python", "cpu"):
        found = zg.grad(long, backend=backend)(x) @ way
        step = 1e-6
        np.testing.assert_allclose(found, (long(x + step * way) - long(x - step * way)) / (2 * step), rtol=1e-7)
