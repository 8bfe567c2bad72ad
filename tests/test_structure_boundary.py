"""Structures where Python and compiled code meet: classes and keys of arguments, results and gradients, captures."""

import dataclasses
import functools
import types
from dataclasses import dataclass, field

import numpy as np
import pytest
from numba import njit

import zygopy as zg
from tests.structure_oracle import differences
from tests.structure_programs import MODEL, VECTOR, Body, Model, Point
from zygopy.native import Bound

BACKENDS = pytest.mark.parametrize("backend", ["python", "cpu"])


def scaled(p):
    return p.x * np.sum(p.y**2)


def weighted(d, x=2.0):
    total = 0.0
    for key, value in d.items():
        total = total * x + (np.sum(value) if key != "sign" else 0.0)
    return -total if "sign" in d and d["sign"] == "minus" else total


def switched(d):
    return d["x"] * (2.0 if d["on"] else 3.0)


def test_a_named_tuple_goes_straight_to_native_code():
    gradient = zg.grad(scaled)

    @njit
    def outside(p):
        g = gradient(p)
        return g.x + g.y[1]

    at = Point(0.5, np.array([1.0, 2.0]))
    assert outside(at) == 5.0 + 2.0
    assert gradient(p=at).x == 5.0
    assert type(gradient).__mro__[1].__name__ == "Gradient"
    assert not isinstance(gradient, Bound)


@BACKENDS
def test_what_is_known_of_a_structure_steers_the_compilation(backend):
    """Keys, their order, strings, bools, None and classes; and back again."""
    gradient = zg.grad(weighted, backend=backend)
    plus, minus = {"a": 1.0, "b": np.ones(2), "sign": "plus"}, {"a": 1.0, "b": np.ones(2), "sign": "minus"}
    for _ in range(2):
        assert gradient(plus)["a"] == 4.0
        assert gradient(minus)["a"] == -4.0
        assert list(gradient({"b": np.ones(2), "a": 1.0})) == ["b", "a"]
        assert gradient({"b": np.ones(2), "a": 1.0})["a"] == 1.0
        assert gradient(plus, x=3.0)["a"] == 9.0
    gradient = zg.grad(switched, backend=backend)
    wanted = [(True, 2.0), (False, 3.0), (1.0, 2.0), (0.0, 3.0), (1, 2.0), (True, 2.0)]
    assert [gradient({"x": 1.0, "on": on})["x"] for on, _ in wanted] == [slope for _, slope in wanted]


def results(x):
    return {"a": [x, 2 * x], "b": Body(x), "c": Point(x, None), "n": None, "t": (x, "s")}


@BACKENDS
def test_results_have_the_classes_that_python_gives(backend):
    found = zg.jit(results, backend=backend)(2.0)
    assert found == results(2.0)
    assert [type(v) for v in found.values()] == [list, Body, Point, type(None), tuple]


def with_aux(p):
    return p["x"] ** 2, {"y": p["x"], "none": None}


@BACKENDS
def test_aux_may_be_an_object(backend):
    gradient, aux = zg.grad(with_aux, has_aux=True, backend=backend)({"x": 3.0})
    assert (gradient, aux) == ({"x": 6.0}, {"y": 3.0, "none": None})


@dataclass
class Checked:
    v: np.ndarray
    n: int = 2

    def __post_init__(self):
        assert self.v.min() > 0

    def power(self):
        product = self.v
        for _ in range(self.n - 1):
            product = product * self.v
        return product


def powers(p, q):
    return np.sum(p.power() * q.v) - 10.0 * np.sum(q.v)


@BACKENDS
def test_gradients_are_made_without_init(backend):
    """And an object that is passed twice has a gradient for each argument; a count stands for itself."""
    p = Checked(np.array([1.0, 2.0]), 3)
    first, second = zg.grad(powers, (0, 1), backend=backend)(p, p)
    np.testing.assert_allclose(first.v, 3 * p.v**3)
    np.testing.assert_allclose(second.v, p.v**3 - 10)
    assert (first.n, type(first.n), second.n) == (3, int, 3)


@dataclass
class Strided:
    w: np.ndarray
    step: int = field(metadata={"static": True})
    eps: float = field(default=0.5, metadata={"static": True})
    widths: tuple = field(default=((1, 2), 3), metadata={"static": True})


def strided(p, x):
    return np.sum(p.w[:: p.step]) * p.eps + sum(p.widths[0]) * x


@BACKENDS
def test_static_fields_are_known_at_compile_time(backend):
    """As steps of slices, which run time may not choose; they have no derivative and stand for themselves."""
    gradient = zg.grad(strided, (0, 1), backend=backend)
    for p in (Strided(np.ones(4), 2), Strided(np.ones(4), 3, 1.0, ((2, 2), 3)), Strided(np.ones(4), 2)):
        found, slope = gradient(p, 1.0)
        np.testing.assert_array_equal(found.w[:: p.step], p.eps)
        assert np.count_nonzero(found.w) == 2
        assert (found.step, found.eps, found.widths, slope) == (p.step, p.eps, p.widths, sum(p.widths[0]))
    assert zg.jvp(strided, (p, 1.0), (p, 0.0), backend=backend) == (4.0, 1.0)


def tree_sum(tree):
    if isinstance(tree, (tuple, list)):
        return sum(tree_sum(branch) for branch in tree)
    return np.sum(tree**2)


def growing(tree):
    return growing((tree, 1.0))


@BACKENDS
def test_recursion_over_a_structure_ends_with_it(backend):
    tree = (1.0, [2.0, (np.array([3.0, 4.0]),)], 5.0)
    assert zg.grad(tree_sum, backend=backend)(tree)[1][0] == 4.0
    assert zg.jit(tree_sum, backend=backend)(tree) == tree_sum(tree)
    with pytest.raises(zg.UnsupportedError, match="growing"):
        zg.grad(growing, backend=backend)((1.0,))


def product(d):
    return np.sum(d["a"] * d["b"][0])


@BACKENDS
def test_lengths_are_those_of_the_call(backend):
    gradient = zg.grad(product, backend=backend)
    matrix = np.arange(6.0).reshape(2, 3)
    for a in (matrix, matrix[:1], matrix[:, :1], matrix):
        found = gradient({"a": a, "b": [matrix]})
        repeated = tuple(k for k in range(2) if a.shape[k] != matrix.shape[k])
        np.testing.assert_allclose(found["a"], matrix.sum(repeated, keepdims=True))
    with pytest.raises(zg.ShapeError):
        gradient({"a": np.ones((3, 3)), "b": [matrix]})


def cubed(p):
    return p["a"] ** 3 * p["l"][0]


inner = zg.grad(cubed, backend="python")


def outer(p):
    g = inner(p)
    return g["a"] * g["l"][0] + zg.stop_gradient(p)["a"]


def test_derivatives_inside_functions():
    assert inner({"a": 2.0, "l": [3.0]}) == {"a": 36.0, "l": [8.0]}
    assert zg.grad(outer, backend="python")({"a": 2.0, "l": [3.0]}) == {"a": 720.0, "l": [96.0]}


def storing(p):
    p["w"][0] = p["w"][1] * p["s"]
    p["w"] *= 2.0
    return np.sum(p["w"] ** 2)


@BACKENDS
def test_stores_into_arrays_of_an_argument(backend):
    p = {"w": np.array([1.0, 2.0]), "s": 3.0}
    found = zg.grad(storing, backend=backend)(p)
    np.testing.assert_array_equal(p["w"], [12.0, 4.0])
    np.testing.assert_array_equal(found["w"], [0.0, 160.0])
    assert found["s"] == 96.0
    with pytest.raises(zg.OverlapError, match=r"p\[\"x\"\]\[\"w\"\] is stored into and shares memory with p\[\"y\"\]"):
        zg.grad(storing_one, backend=backend)({"x": p, "y": p["w"]})


def storing_one(p):
    return storing(p["x"]) + np.sum(p["y"])


SETTINGS = {"rate": 2.0, "mode": "plus", "a": np.ones(2), "p": Point(1.0)}


def with_settings(x):
    total = x * SETTINGS["rate"] * np.sum(SETTINGS["a"]) * len(SETTINGS) * SETTINGS["p"].y
    return total if SETTINGS["mode"] == "plus" else -total


@BACKENDS
def test_captured_objects_are_read_as_they_are(backend, monkeypatch):
    gradient = zg.grad(with_settings, backend=backend)
    assert gradient(1.0) == 32.0
    for key, value, wanted in [
        ("rate", 3.0, 48.0),
        ("mode", "minus", -48.0),
        ("a", np.ones(4), -96.0),
        ("z", 1.0, -120.0),
        ("p", Point(1.0, 1.0), -60.0),
    ]:
        monkeypatch.setitem(SETTINGS, key, value)
        assert gradient(1.0) == wanted, key
    SETTINGS["a"][0] = 5.0
    assert gradient(1.0) == -120.0


class Constants:
    rate = 2.0
    table = np.ones(3)


class Plain:
    """An object of a class that is no structure."""

    def __init__(self):
        self.k, self.w = 2.0, np.ones(2)

    def scaled(self, x):
        return self.k * x * np.sum(self.w)


PLAIN = Plain()
MODULE = types.ModuleType("constants_of_a_module")
MODULE.rate, MODULE.options = 2.0, {"x": 1.0}


def with_attributes(x):
    return MODULE.rate * MODULE.options["x"] * Constants.rate * np.sum(Constants.table) * PLAIN.scaled(x)


@BACKENDS
def test_attributes_of_what_is_captured_are_read_as_they_are(backend, monkeypatch):
    gradient = zg.grad(with_attributes, backend=backend)
    assert gradient(1.0) == 48.0
    changes = [(MODULE, "rate", 3.0, 72.0), (MODULE, "options", {"x": 2.0}, 144.0), (Constants, "rate", 1.0, 72.0)]
    changes += [(Constants, "table", np.ones(1), 24.0), (PLAIN, "k", 4.0, 48.0), (PLAIN, "w", np.ones(1), 24.0)]
    for owner, name, value, wanted in changes:
        monkeypatch.setattr(owner, name, value)
        assert gradient(1.0) == wanted, name
    assert zg.grad(PLAIN.scaled, backend=backend)(1.0) == 4.0


def several(x, *rest, k=1.0, **named):
    total = x
    for r in rest:
        total = total * r
    for value in named.values():
        total += value * k
    return total


@dataclass
class Net:
    model: Model
    function: object = np.tanh

    def __call__(self, x):
        return np.sum(self.function(self.model(x)))


def cube_root(a, b, *, c=2.0, d=1.0):
    return a * b**2 * c**3 * d


@BACKENDS
def test_methods_objects_and_partials_are_differentiated(backend):
    x = 0.3 * VECTOR
    net = Net(MODEL)
    gradient = zg.grad(net, backend=backend)
    np.testing.assert_allclose(gradient(x), differences(net, (x,)), atol=1e-8)
    net.function = np.cos
    np.testing.assert_allclose(gradient(x), differences(net, (x,)), atol=1e-8)
    found = zg.grad(MODEL.loss, ("y", "x"), backend=backend)(y=0.5, x=x)
    wanted = differences(MODEL.loss, (x, 0.5))
    np.testing.assert_allclose([found[0], *found[1]], [wanted[-1], *wanted[:-1]], atol=1e-6)
    some = functools.partial(cube_root, 2.0, c=3.0)
    assert zg.grad(some, ("b", "d"), backend=backend)(1.5, d=2.0) == (324.0, 121.5)
    assert zg.jvp(some, (1.5,), (1.0,), backend=backend) == (121.5, 162.0)
    assert zg.grad(Point.norm, backend=backend)(Point(3.0, 4.0)) == Point(0.6000000000000001, 0.8)


@BACKENDS
def test_stars_of_the_function_itself(backend):
    gradient = zg.grad(several, ("x", "rest", "k", "named"), backend=backend)
    assert gradient(2.0, 3.0, 4.0, k=5.0, z=6.0) == (12.0, (8.0, 6.0), 6.0, {"z": 5.0})
    assert gradient(2.0, z=6.0) == (1.0, (), 6.0, {"z": 1.0})
    with pytest.raises(zg.ArgumentError, match="argnums='rest'"):
        zg.grad(several, 1)


@pytest.mark.parametrize(
    ("tangent", "error", "place"),
    [
        ({"a": 1.0}, zg.ArgumentError, "d has another structure"),
        ({"a": 1.0, "b": [np.ones(3)]}, zg.ShapeError, r"d\[\"b\"\]\[0\] has shape \(3,\)"),
        ({"a": 1j, "b": [np.ones(2)]}, zg.DtypeError, r"d\[\"a\"\] is a complex number"),
    ],
)
def test_tangents_have_the_structure_of_their_primals(tangent, error, place):
    with pytest.raises(error, match=place):
        zg.jvp(product, ({"a": 1.0, "b": [np.ones(2)]},), (tangent,), backend="python")


@dataclass
class Padded:
    weights: np.ndarray
    pad: tuple = dataclasses.field(metadata={"static": True})
    summed: bool = True

    def __call__(self, x):
        y = np.pad(x, self.pad) * self.weights
        return np.sum(y) if self.summed else y[0]


def test_what_is_known_of_a_structure_is_known_in_a_gradient_inside():
    def weighted(layer, x):
        return layer(x) * 2.0

    def step(layer, x):
        value, gradient = zg.value_and_grad(weighted)(layer, x)
        return value, gradient.weights

    value, gradient = zg.jit(step, backend="python")(Padded(np.arange(5.0), (1, 2)), np.ones(2))
    assert value == 6.0
    assert gradient.tolist() == [0.0, 2.0, 2.0, 0.0, 0.0]
