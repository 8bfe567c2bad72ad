"""Structures: NamedTuples, dataclasses, dicts and lists as arguments, locals, results and gradients.

The oracle is the user's own function, run by CPython, and central differences of it in each number of its arguments.
What they cannot see: errors below 1e-6 of the largest derivative.
"""

import copy
from dataclasses import dataclass

import numpy as np
import pytest

import zygopy as zg
from tests.structure_oracle import active, differences, flat, moved, same_structure, single
from tests.structure_programs import PROGRAMS

CPU = ["nested_tuples", "in_tuples", "model_loss", "changed_in_a_loop", "comprehensions"]
CASES = [(name, "python") for name in PROGRAMS] + [(name, "cpu") for name in CPU]


@pytest.mark.parametrize(("name", "backend"), CASES)
def test_reverse(name, backend):
    function, args = PROGRAMS[name]
    before = copy.deepcopy(args)
    value, gradient = zg.value_and_grad(function, active(args), backend=backend)(*args)
    np.testing.assert_allclose(value, function(*copy.deepcopy(args)), rtol=1e-12)
    wanted = differences(function, args)
    found = np.array(flat(gradient))
    np.testing.assert_allclose(found, wanted, atol=1e-6 * max(1.0, np.abs(wanted).max()))
    assert all(same_structure(g, args[k]) for g, k in zip(gradient, active(args), strict=True))
    np.testing.assert_array_equal(flat(args), flat(before))


@pytest.mark.parametrize(("name", "backend"), CASES)
def test_forward(name, backend):
    function, args = PROGRAMS[name]
    steps = np.random.default_rng(1).normal(size=len(flat(args)))
    zero = moved(args, iter(-np.array(flat(args))))
    tangents = tuple(moved(z, iter(s)) if flat(z) else None for z, s in _parts(zero, steps))
    value, tangent = zg.jvp(function, args, tangents, backend=backend)
    np.testing.assert_allclose(value, function(*copy.deepcopy(args)), rtol=1e-12)
    wanted = differences(function, args)
    np.testing.assert_allclose(tangent, wanted @ steps, atol=1e-6 * max(1.0, np.abs(wanted).max()))


def _parts(args, steps):
    start = 0
    for arg in args:
        yield arg, steps[start : start + len(flat(arg))]
        start += len(flat(arg))


@pytest.mark.parametrize("name", PROGRAMS)
def test_float32(name):
    function, args = PROGRAMS[name]
    small = tuple(map(single, args))
    gradient = zg.grad(function, active(args), backend="python")(*small)
    wanted = differences(function, args)
    np.testing.assert_allclose(np.array(flat(gradient)), wanted, atol=2e-4 * max(1.0, np.abs(wanted).max()))
    assert all(same_structure(g, small[k]) for g, k in zip(gradient, active(args), strict=True))


@pytest.mark.parametrize("name", PROGRAMS)
def test_second_order(name):
    function, args = PROGRAMS[name]
    zg.check_grads(function, args, order=2, backend="python")


@dataclass
class Shared:
    a: float
    b: list


def node_replaced_in_a_loop(x, n):
    first = [1.5 * x, 0.5 - x]
    holder = {"v": 2.0, "l": first}
    node = Shared(0.5 * first[1] + holder["v"], [1.0 + first[-1], 0.0])
    for _ in range(n):
        holder["v"] += 0.5 * (node.b[1] * holder["v"])
        holder["l"][1] += 0.5 * holder["l"][0]
    for _ in range(n):
        node = Shared(x - first[1], first)
    holder["l"][1] = node.a - x
    return x + first[0] * 2 + first[1] * 3 + holder["v"] + holder["l"][0] + node.a - node.b[0] * node.b[1]


@pytest.mark.parametrize("n", [0, 1, 3])
def test_objects_that_a_loop_replaces(n):
    """A store changes one of two objects, by the number of trips."""
    value, gradient = zg.value_and_grad(node_replaced_in_a_loop, backend="python")(0.4, n)
    np.testing.assert_allclose(value, node_replaced_in_a_loop(0.4, n), rtol=1e-12)
    np.testing.assert_allclose(gradient, differences(node_replaced_in_a_loop, (0.4, n)), atol=1e-6)


def chosen_inside_a_branch(x, y):
    first, second = Shared(x, [y]), Shared(y, [x])
    one = second
    if y > 0.0:
        one = first if x > 0.5 else second
    first.a *= 3.0
    return one.a + second.a


@pytest.mark.parametrize("args", [(0.6, 0.4), (0.4, 0.4), (0.6, -0.4)])
def test_objects_chosen_inside_a_branch(args):
    """What is chosen there is one of two objects behind the branch."""
    value, gradient = zg.value_and_grad(chosen_inside_a_branch, (0, 1), backend="python")(*args)
    np.testing.assert_allclose(value, chosen_inside_a_branch(*args), rtol=1e-12)
    np.testing.assert_allclose(gradient, differences(chosen_inside_a_branch, args), atol=1e-6)


@dataclass(frozen=True)
class Frozen:
    a: float
    b: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "b", np.sin(self.a))


def test_pairs_and_kinds():
    """zip with strict=True counts the pairs of another zip, and isinstance takes classes joined by |."""

    def paired(x):
        total = 0.0
        for (a, b), k in zip(zip(x, x[1:], strict=False), range(len(x) - 1), strict=True):
            total += a * b * (k + 1)
        for (a, b), c in zip(zip((1.0, 2.0, 3.0), (x, 2 * x), strict=False), (3.0, 4.0), strict=True):
            total += a * np.sum(b * b) * c
        return total if isinstance(total, float | int) and not isinstance(x, list | tuple) else 0.0

    x = np.array([0.5, 2.0, -0.3])
    value, gradient = zg.value_and_grad(paired, backend="python")(x)
    np.testing.assert_allclose(value, paired(x), rtol=1e-12)
    np.testing.assert_allclose(gradient, differences(paired, (x,)), atol=1e-6)


def test_setattr():
    """Arguments that Python takes by position only stay where they are."""

    def named(x):
        d = Shared(x, [x])
        setattr(d, "a", Frozen(x * x).b)  # noqa: B010
        return d.a * x

    value, gradient = zg.value_and_grad(named, backend="python")(0.4)
    np.testing.assert_allclose(value, named(0.4), rtol=1e-12)
    np.testing.assert_allclose(gradient, differences(named, (0.4,))[0], atol=1e-6)
