"""Functions that call themselves, beyond the corpus: structures, all operators, errors, the disk."""

import math
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from tests.oracle import finite_differences
from tests.programs.registry import numbers


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
