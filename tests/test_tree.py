"""Leaves of structures: the same ones in Python and in compiled code."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg


@dataclass
class Layer:
    weight: np.ndarray
    bias: np.ndarray | None
    activation: object = np.tanh
    mean: np.ndarray = field(default_factory=lambda: np.full(2, 5.0), metadata={"state": True})


class Pair(NamedTuple):
    first: object
    second: object


def tree():
    layer = Layer(np.array([[1.0, 2.0]]), None)
    return {"a": [np.array([3.0]), 7], "b": Pair(layer, ("text", None, np.array([4.0, 5.0])))}


def test_leaves_are_arrays_of_floats_that_are_no_state():
    found = zg.leaves(tree())
    assert [a.tolist() for a in found] == [[3.0], [[1.0, 2.0]], [4.0, 5.0]]
    names = [name for name, _ in zg.named_leaves(tree())]
    assert names == ["['a'][0]", "['b'].first.weight", "['b'].second[2]"]


def test_leaves_of_a_kind():
    assert zg.leaves(tree(), int) == (7,)
    assert [a.shape for a in zg.leaves(tree(), np.ndarray)] == [(1,), (1, 2), (2,), (2,)]
    assert [type(a) for a in zg.leaves(tree(), Layer)] == [Layer]


def test_a_walker_made_for_one_structure_is_not_used_for_another():
    """The code for a structure tests as it goes that it is this one."""
    cases = [
        (np.ones(1), np.ones(2)),
        (np.ones(1), 3.0),
        (np.ones(1), np.ones(2, int)),
        (3.0, np.ones(1)),
        (np.ones(1), [np.ones(2)]),
        (np.ones(1), {"k": np.ones(2)}),
        (np.ones(1), {"l": np.ones(2), "k": np.ones(3)}),
        (np.ones(1), None),
        (np.ones(1),),
        (),
    ]
    expected = [[1, 2], [1], [1], [1], [1, 2], [1, 2], [1, 2, 3], [1], [1], []]
    for _ in range(2):
        assert [[a.size for a in zg.leaves(case)] for case in cases] == expected


def squares(params):
    return sum(np.sum(p * p) for p in zg.leaves(params))


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_leaves_inside_a_compiled_function(backend):
    value, gradient = zg.value_and_grad(squares, backend=backend)(tree())
    assert value == squares(tree()) == 9.0 + 5.0 + 41.0
    assert gradient["b"].first.weight.tolist() == [[2.0, 4.0]]
    assert gradient["b"].first.mean.tolist() == [0.0, 0.0]


def moved(params, directions, step):
    made = zg.map_leaves(lambda p, d: p - step * d, params, directions)
    parts = zg.with_leaves(params, [2.0 * leaf for leaf in zg.leaves(made)])
    return np.sum(made["b"].first.weight) * step + np.sum(parts["a"][0]) + np.sum(parts["b"].first.mean)


def test_mapped_leaves_inside_a_compiled_function():
    expected = moved(tree(), tree(), 0.25)
    assert zg.jit(moved, backend="python")(tree(), tree(), 0.25) == expected
    slope = zg.grad(moved, "step", backend="python")(tree(), tree(), 0.25)
    assert slope == pytest.approx((moved(tree(), tree(), 0.251) - moved(tree(), tree(), 0.249)) / 0.002)


def test_structures_that_differ_are_refused():
    with pytest.raises(zg.ArgumentError) as raised:
        zg.map_leaves(lambda a, b: a, tree(), {"a": [1, 2], "b": Pair(1, 2)})
    assert str(raised.value) == "the structures differ at tree['b'].first\nhelp: give all of them the same members"

    def differing(x):
        return zg.map_leaves(lambda a, b: a, [x], (x,))[0][0]

    with pytest.raises(zg.ArgumentError, match="the structures differ at tree\n  --> .*test_tree.py"):
        zg.grad(differing)(np.ones(1))
