"""Functions that call themselves, beyond the corpus: structures, all operators, errors, the disk."""

import math
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from numba.core.runtime import _nrt_python as nrt
from numba.core.runtime import rtsys

import zygopy as zg
from tests.oracle import finite_differences
from tests.programs import PROGRAMS
from tests.programs.registry import numbers
from zygopy.transform.reading import kept


class Node(NamedTuple):
    value: float
    weights: np.ndarray


def folded(node, n):
    if n == 0:
        return node
    return folded(Node(node.value * node.weights[n] + 1, np.sin(node.weights)), n - 1)


def of_node(node):
    found = folded(node, 2)
    return found.value * np.sum(found.weights)


def halved(x):
    if x.shape[0] == 1:
        return x * x
    h = x.shape[0] // 2
    return np.concatenate((halved(x[h:]) * x[0], np.sin(halved(x[:h]))))


def total(x):
    return np.sum(halved(x) ** 2)


X = numbers(5, shift=1.0)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_of_a_named_tuple(backend):
    node = Node(0.4, numbers(3))
    gradient = zg.grad(of_node, backend=backend)(node)
    expected = finite_differences(lambda v, w: of_node(Node(v, w)), tuple(node), (0, 1))
    assert isinstance(gradient, Node)
    for g, e in zip(gradient, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-6)


def test_jacobians():
    """Rows and columns are the same, and the gradient of the sum of squares follows from them."""
    rows, columns = (f(halved, backend="python")(X) for f in (zg.jacrev, zg.jacfwd))
    np.testing.assert_allclose(rows, columns, rtol=1e-12)
    np.testing.assert_allclose(2 * halved(X) @ rows, zg.grad(total, backend="python")(X), rtol=1e-12)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_hessian(backend):
    """Against differences of the gradient."""
    gradient, h = zg.grad(total, backend="python"), 1e-6
    expected = [(gradient(X + h * e) - gradient(X - h * e)) / (2 * h) for e in np.eye(len(X))]
    np.testing.assert_allclose(zg.hessian(total, backend=backend)(X), expected, rtol=1e-5, atol=1e-6)


def test_pullback_may_be_called_many_times():
    value, pullback = zg.vjp(halved, X, backend="python")
    np.testing.assert_allclose(value, halved(X))
    rows = zg.jacrev(halved, backend="python")(X)
    for seed in (*np.eye(len(X)), np.ones(len(X))):
        np.testing.assert_allclose(pullback(seed)[0], seed @ rows, rtol=1e-12)


def test_the_argument_twice():
    """Two views of one array are given at once; both adjoints arrive."""

    def both(a, b, n):
        if n == 0:
            return a[0] * b[1]
        return both(b, a, n - 1) * a[0]

    def f(x):
        return both(x, x[1:], 3) + both(x, x, 2)

    np.testing.assert_allclose(zg.grad(f, backend="python")(X), finite_differences(f, (X,), (0,))[0], rtol=1e-6)


def test_error_in_a_call_names_the_line():
    def picked(a, n):
        if n == 3:
            return a[n * 9]
        return picked(a, n + 1)

    for backend in ("python", "cpu"):
        with pytest.raises(zg.OutOfBoundsError, match=r"return a\[n \* 9\]"):
            zg.grad(picked, backend=backend)(X, 0)


def test_recursion_that_is_too_deep():
    """An error, no crash."""

    def endless(x):
        return x if x > 1e300 else endless(x * 0.5)

    with pytest.raises(RecursionError):
        zg.grad(endless)(1.0)


def test_source_shows_the_kept_functions():
    source = str(zg.grad(lambda x: powers(x, 3), backend="python").source(1.5))
    for line in ("def powers_forward(x, n, tape):", "def powers_backward(", "tape.append(", "tape.pop()"):
        assert line in source


def powers(x, n):
    return 1.0 if n == 0 else math.cos(x) * powers(x, n - 1)


SCRIPT = """
import sys
import numpy as np
import zygopy as zg
from tests.test_recursion import total
from zygopy.backends import callees, numba_private
if sys.argv[1] == "again":
    def refuse(*args):
        raise AssertionError("something is compiled")
    numba_private.compile_kept = callees.compile_kept = refuse
    zg.derivative.build = refuse
print(zg.grad(total)(np.linspace(0.5, 1.5, 5)).tolist())
"""


def test_second_process_compiles_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("ZYGOPY_CACHE_DIR", str(tmp_path))
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT, word], capture_output=True, text=True, check=True)
        for word in ("first", "again")
    ]
    assert runs[0].stdout == runs[1].stdout


# -- functions that are called again and again -------------------------------------------------------------------------


class Layer(NamedTuple):
    w: np.ndarray
    b: np.ndarray

    def __call__(self, x):
        return np.tanh(x @ self.w + self.b)


def network(layers, x):
    for layer in layers:
        x = layer(x)
    return np.sum(x * x)


def long_helper(x, c):
    """Many statements, so that few calls are long."""
    a = np.sin(x) * c + np.cos(x + 1) / (1 + x * x)
    a = a - c * np.exp(-a * a) + np.sqrt(1 + a * a) + np.cumsum(a)
    return 0.5 * x + 0.1 * (a * np.sin(a) + np.cos(a + 2) / (1 + a * a)) + np.mean(a)


def in_loops_and_branches(x, n):
    y = long_helper(x, 0.3)
    for k in range(n):
        if k % 2 == 0:
            y = long_helper(y, 0.3)
        else:
            part = long_helper(y[: k + 1], 0.3)
            y = y + part[0]
    return np.sum(long_helper(y, 0.3) * long_helper(x, 0.3)) + np.sum(long_helper(y[1:], 0.3))


def stores(x, c):
    x[0] = x[0] * c
    return long_helper(x, c)


def with_stores(x):
    y = x.copy()
    for _ in (1, 2, 3, 4, 5):
        y = stores(y, 0.3)
    return np.sum(y)


def is_kept(f, *args):
    return "_backward(" in str(zg.grad(f, backend="python").source(*args))


def of_layers(dtype, count=12):
    return [Layer((numbers(3, 3) / (k + 1)).astype(dtype), numbers(3, phase=k).astype(dtype)) for k in range(count)]


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_layers_of_one_kind_are_kept(backend):
    """Few are not; and so the gradient of many, also in single precision."""
    x = numbers(2, 3)
    assert not is_kept(network, of_layers(float, 3), x)
    assert is_kept(network, of_layers(float, 6), x)
    gradient = zg.grad(network, backend=backend)(of_layers(float), x)
    flat = [array for layer in of_layers(float) for array in layer]

    def of_arrays(*arrays):
        return network([Layer(*arrays[k : k + 2]) for k in range(0, len(arrays), 2)], x)

    expected = finite_differences(of_arrays, tuple(flat), tuple(range(len(flat))))
    for g, e in zip([array for layer in gradient for array in layer], expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-5, atol=1e-8)


def test_kept_layers_in_single_precision():
    x = numbers(2, 3)
    single = zg.grad(network, backend="python")(of_layers(np.float32), x.astype(np.float32))
    double = zg.grad(network, backend="python")(of_layers(float), x)
    for a, b in zip(single, double, strict=True):
        assert a.w.dtype == np.float32
        np.testing.assert_allclose(a.w, b.w, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("n", [0, 3])
def test_kept_in_loops_and_branches(n):
    """Arrays of several shapes; what a loop reads twice to find its types counts once."""
    assert is_kept(in_loops_and_branches, X, n)
    gradient = zg.grad(in_loops_and_branches, backend="python")(X, n)
    np.testing.assert_allclose(gradient, finite_differences(in_loops_and_branches, (X, n), (0,))[0], rtol=1e-5)


def test_kept_functions_give_memory_back(monkeypatch):
    """Arrays that calls are given and give by their place, in loops and branches.

    What is counted is whether all memory comes back; memory that comes back too early shows as a wrong gradient.
    """
    monkeypatch.setattr(kept, "STATEMENTS", 0)

    def layer(w, x):
        return np.tanh(w @ x)

    def branches(w, x, n):
        y = layer(w, x)
        for k in range(n):
            y = layer(w, y)
            if k > 1:
                y = y + layer(w, y)
        z = layer(w, y)
        return np.sum(layer(w, z)) + np.sum(z * y) + z[0]

    args = numbers(3, 3), numbers(3), 3
    compiled = zg.value_and_grad(branches, (0, 1))
    value, gradients = compiled(*args)
    expected_value, expected = zg.value_and_grad(branches, (0, 1), backend="python")(*args)
    np.testing.assert_allclose(value, expected_value, rtol=1e-13)
    for g, e in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=1e-12)
    del gradients, g
    counted = nrt.memsys_stats_enabled()
    nrt.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        compiled(*args)
        after = rtsys.get_allocation_stats()
    finally:
        if not counted:
            nrt.memsys_disable_stats()
    assert after.alloc > before.alloc
    assert after.alloc - after.free == before.alloc - before.free


def test_functions_that_store_into_their_arguments_are_not_kept():
    np.testing.assert_allclose(
        zg.grad(with_stores, backend="python")(X), finite_differences(with_stores, (X,), (0,))[0], rtol=1e-5
    )


@pytest.mark.parametrize("moving", [0, 1])
@pytest.mark.parametrize("name", ["fast_fourier", "recursive_layers"])
def test_tangents_of_one_argument(name, moving):
    """What stands still is handed on, and meets what moves where branches of the function meet."""
    p = PROGRAMS[name]
    args, h = p.args(), 1e-6
    step = np.cos(args[moving])
    _, tangent = zg.jvp(p.function, args, tuple(step if k == moving else None for k in (0, 1)), backend="python")
    up, down = ([a + s * h * step if k == moving else a for k, a in enumerate(p.args())] for s in (1, -1))
    np.testing.assert_allclose(tangent, (p.function(*up) - p.function(*down)) / (2 * h), rtol=1e-7)


def twice(f):
    return lambda x: f(f(x))


def composed(x):
    """Functions that hold functions of the same code."""

    def before(w, following):
        return lambda z: following(math.tanh(w * z))

    network = lambda z: z * z  # noqa: E731
    for w in (x, 2.0, 0.3):
        network = before(w, network)
    return network(x) + twice(twice(math.sin))(x)


def continued(x):
    """A function that calls itself, and is given a function that holds the one that it was given before."""

    def go(n, then):
        return then(x) if n == 0 else go(n - 1, lambda v: then(v * x))

    return go(4, lambda v: v)


def by_a_fixed_point(x):
    y = lambda f: (lambda g: g(g))(lambda g: f(lambda n: g(g)(n)))  # noqa: E731
    return y(lambda me: lambda n: 1.0 if n <= 0 else n * me(n - 1.0))(x)


@pytest.mark.parametrize("backend", ["python", "cpu"])
@pytest.mark.parametrize("function", [composed, continued, by_a_fixed_point])
def test_functions_that_hold_functions(function, backend):
    value, gradient = zg.value_and_grad(function, backend=backend)(1.1)
    np.testing.assert_allclose(value, function(1.1), rtol=1e-12)
    np.testing.assert_allclose(gradient, finite_differences(function, (1.1,), (0,))[0], rtol=1e-6)
