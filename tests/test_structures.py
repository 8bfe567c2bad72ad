"""Structures: NamedTuples, dataclasses, dicts and lists as arguments, locals, results and gradients.

The oracle is the user's own function, run by CPython, and central differences of it in each number of its arguments.
What they cannot see: errors below 1e-6 of the largest derivative.
"""

import copy
import dataclasses
import functools
import types
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit

import zygopy as zg
from zygopy.native import Bound
from zygopy.transform.records import record_of


class Point(NamedTuple):
    x: float
    y: float = 2.0

    def norm(self, power=2):
        return (abs(self.x) ** power + abs(self.y) ** power) ** (1 / power)

    @property
    def area(self):
        return self.x * self.y

    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

    def __neg__(self):
        return Point(-self.x, -self.y)


class Affine(NamedTuple):
    w: np.ndarray
    b: float
    at: Point
    steps: int = 2


@dataclass
class Layer:
    w: np.ndarray
    b: np.ndarray
    act: Callable = np.tanh
    use_bias: bool = True

    def __call__(self, x):
        y = self.w @ x
        if self.use_bias:
            y = y + self.b
        return self.act(y)


@dataclass(frozen=True)
class Model:
    layers: list
    scale: float
    name: str = "model"
    last: object = None

    @property
    def twice(self):
        return 2 * self.scale

    @classmethod
    def of(cls, layers):
        return cls(layers, 0.5)

    @staticmethod
    def square(x):
        return x * x

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.square(x) * self.twice

    def loss(self, x, y):
        return np.sum((self(x) - y) ** 2)


@dataclass
class Body:
    position: float
    velocity: float = 1.0
    mass: InitVar[float] = 2.0
    log: list = field(default_factory=list)
    weight: float = field(init=False, default=0.0)

    kind = "body"
    gravity = 9.81

    def __post_init__(self, mass):
        self.weight = mass * self.gravity

    def move(self, dt):
        self.position += dt * self.velocity
        self.log.append(self.position)
        return self

    def energy(self):
        return self.weight * self.position


@dataclass
class Rocket(Body):
    thrust: float = 3.0

    def move(self, dt):
        self.velocity = self.velocity + dt * self.thrust
        return super().move(dt)


# -- programs --------------------------------------------------------------------------------------------------------

RANDOM = np.random.default_rng(3)
VECTOR, MATRIX = RANDOM.normal(size=3), RANDOM.normal(size=(2, 3))
LAYERS = [Layer(MATRIX, VECTOR[:2]), Layer(RANDOM.normal(size=(2, 2)), VECTOR[:2], act=np.sin, use_bias=False)]
MODEL = Model(LAYERS, 1.5)
AFFINE = Affine(VECTOR, 0.7, Point(1.5, -0.5))
PROGRAMS: dict[str, tuple[Callable, tuple]] = {}


def program(*args):
    """Enter a program with the arguments at which it is tested."""

    def enter(function):
        PROGRAMS[function.__name__] = function, args
        return function

    return enter


@program(Point(1.2, 0.4))
def attributes(p):
    return p.x * p.y + p[0] ** 2 * p[-1]


@program(Point(1.2, 0.4), 0.3)
def unpacked(p, z):
    x, y = p
    return x * y * z + len(p)


@program(AFFINE, 0.9)
def nested_tuples(p, x):
    q = p._replace(b=p.b * x, at=p.at._replace(x=x))
    for _ in range(p.steps):
        q = Affine(q.w * 1.1, q.b + x, q.at + p.at, steps=q.steps)
    return np.sum(q.w) * q.b + q.at.norm() + q.at.area


@program(Point(1.2, 0.4), 2)
def carried_by_a_loop(p, n):
    q = Point(y=1.0, x=p.x)
    k = 0
    while k < n:
        q = Point(q.x + q.y * p.y, q.y * 0.5) if k % 2 else q._replace(y=p.x)
        k += 1
    return q.x * q.norm(power=3)


@program(0.7)
def joined_tuples(x):
    p = Point(x)
    if x > 0.5:
        p = Point(x * x, p.y + x)
    return p.area + (Point(x, 1.0) if x < 0 else p).norm()


@program(((1.0, VECTOR), Point(0.5)), Point(VECTOR, MATRIX))
def in_tuples(pair, arrays):
    (a, v), p = pair
    return a * np.sum(v * arrays.x) + np.sum(arrays.y**2) * p.area


@program({"w": MATRIX, "b": VECTOR, 3: 0.5})
def plain_dict(d):
    total = d[3] * np.sum(d["w"] @ d["b"])
    for key, value in d.items():
        if key != "w":
            total += np.sum(value) ** 2
    return total + len(d) + ("w" in d) * d[3]


@program([0.5, VECTOR, [0.25, MATRIX]])
def plain_list(items):
    a, v, rest = items
    return a * np.sum(v) + rest[0] * np.sum(rest[-1][0]) + len(items[:2])


@program(MODEL, {"rate": 0.1, "kind": "l2", "none": None}, VECTOR)
def model_loss(model, options, x):
    total = np.sum(model(x))
    if options["kind"] == "l2" and options["none"] is None:
        total += options["rate"] * sum(np.sum(layer.w**2) for layer in model.layers)
    if isinstance(model, Model) and model.last is None and hasattr(model, "scale"):
        total += model.scale + getattr(options, "missing", 1.0)
    return total


@program(MODEL, VECTOR)
def class_methods(model, x):
    other = Model.of(model.layers)
    bigger = dataclasses.replace(model, scale=model.scale + 1.0)
    return other.loss(x, 0.5) + Model.square(model.scale) + bigger.twice * model.loss(y=0.1, x=x)


@program(0.8)
def changed_dict(x):
    d = {"a": x, "b": 2.0}
    e = d
    e["a"] *= x
    d["c"] = e["a"] + 1.0
    e.update(b=x, e=1.0)
    if x > 0.5:
        d["b"] = d["b"] ** 2
    else:
        d["a"] = 0.0
    return d["a"] * d["b"] + d.pop("c") * d.get("missing", 2.0) * len(d) + d.setdefault("z", x)


@program(0.8)
def changed_list(x):
    items = [x, 1.0]
    same = items
    for k in range(3):
        items.append(items[k] * x)
    same[1] += x
    items += [2.0 * x]
    copied = items.copy()
    copied[0] = 100.0
    last = same.pop()
    items.insert(0, 3.0 * x)
    items.extend((x, x))
    items.reverse()
    return sum(items) + last * items[-2] + len(items) * items.pop(0)


@program(0.8, 5)
def changed_in_a_loop(x, n):
    state = {"x": x, "v": [0.0, 1.0]}
    velocity = state["v"]
    for k in range(n):
        state["x"] += 0.1 * velocity[1]
        velocity[1] -= 0.1 * state["x"]
        if k > 2:
            velocity[0] = state["x"]
    return state["x"] * velocity[1] + state["v"][0]


@program(0.8, 4)
def replaced_in_a_loop(x, n):
    state = {"x": x, "p": Point(x, 1.0)}
    for k in range(n):
        p = state["p"]
        state = {"x": state["x"] * p.y, "p": Point(p.y, p.x + x)}
        if k == 2:
            break
    return state["x"] + state["p"].area


@program(0.8)
def made_on_both_paths(x):
    if x > 0.5:
        d = {"a": x, "b": [x, 1.0]}
        e = d
    else:
        d = {"a": 1.0, "b": [2.0, x]}
        e = d
    e["b"][1] += x
    d["a"] = d["a"] * 2.0
    return e["a"] * d["b"][1]


@program(0.8, 3)
def objects_with_methods(x, n):
    body, rocket = Body(x), Rocket(position=1.0, velocity=x, mass=x)
    for _ in range(2):
        body.move(0.5)
        rocket.move(x)
    total = rocket.energy() + body.log[-1] * rocket.log[0] + (rocket.kind == "body") * rocket.gravity * x
    for _ in range(n):
        body.velocity -= 0.1 * body.position
        body.position += 0.1 * body.velocity
    return total + body.position


def pull(body, force):
    body.velocity += force
    return body.velocity


@program(0.8)
def changed_by_a_function(x):
    body = Body(x)
    first = pull(body, x)

    def again():
        return pull(body, 2 * x) * body.position

    return again() + first * body.velocity


@program({"a": [0.5, 1.5], "b": [2.0, 3.0]}, 2.0)
def comprehensions(d, x):
    squares = [v * v for v in d["a"]]
    scaled = {k: [v * x for v in vs] for k, vs in d.items()}
    powers = [x**k for k in range(3) if k != 1]
    pairs = [(i, a * b) for i, (a, b) in enumerate(zip(d["a"], d["b"], strict=True))]
    largest = max(v * x for vs in d.values() for v in vs)
    total = sum(k * v for k, v in pairs) + sum((scaled[k][0] for k in scaled), 1.0)
    return total + sum(squares) * powers[1] + largest + min(k * x for k in range(1, 4))


@program(VECTOR, 0.7)
def generators_over_arrays(a, x):
    total = sum(x * v * v for v in a) + max(v * x for v in a)
    if any(v > 0 for v in a) and not all(v > 0 for v in a):
        total *= min(abs(v) + k * x for k, v in enumerate(a) if v < 1.0)
    return total


@program([MATRIX.T, MATRIX], VECTOR[:2])
def indexed_by_a_loop(weights, x):
    for k in range(len(weights)):
        x = np.tanh(weights[k] @ x)
    return np.sum(x)


@program({"w0": MATRIX.T, "w1": MATRIX}, VECTOR[:2])
def keys_by_a_loop(weights, x):
    norms = []
    for k in range(2):
        x = np.tanh(weights[f"w{k}"] @ x)
        norms.append(np.sum(weights[f"w{k:d}"] ** 2))
    return np.sum(x) + norms[0] * norms[-1]


@program({"w": VECTOR}, 0.7)
def stored_into(d, x):
    w = d["w"].copy()
    box = {"w": w, "n": 0}
    for k in range(3):
        box["w"][k] *= x
        box["n"] += k
    box["w"] += 1.0
    return np.sum(w * d["w"]) * box["n"]


@program({"w": VECTOR, "l": [0.5, [2.0]]})
def copied(d):
    shallow, deep, own = copy.copy(d), copy.deepcopy(d), dict(d)
    shallow["w"] = shallow["w"] * 2.0
    deep["w"] *= 3.0
    deep["l"][1][0] *= d["l"][0]
    own["l"] = [own["l"][1][0], *own["l"]]
    shared = copy.deepcopy([deep["l"], deep["l"]])
    shared[0][0] = 1.0
    return np.sum(d["w"] * deep["w"]) + np.sum(shallow["w"]) * deep["l"][1][0] + own["l"][0] ** 2 + shared[1][0]


def call_with(f, *args, **options):
    return f(*args, **options)


@program(0.6, Point(0.5))
def stars(x, p):
    def weighted(*values, scale=1.0, **others):
        return scale * sum(values) + others["z"] * len(others)

    options = {"scale": x, "z": 2.0 * x}
    return call_with(weighted, *p, *[x, 1.0], **options) + call_with(Point, x=x).norm()


@dataclass
class Span:
    low: float
    high: float

    def __len__(self):
        return 3

    def __getitem__(self, key):
        return self.low + (self.high - self.low) * key

    def __mul__(self, factor):
        return Span(factor * self.low, factor * self.high)

    def __eq__(self, other):
        return self.high - self.low == other.high - other.low

    def __lt__(self, other):
        return self.high < other.low


@dataclass(eq=False)
class Identical:
    value: float


@program(0.6)
def special_methods(x):
    span = Span(1.0, x + 2.0) * x
    total = span[0.25] * len(span) + x * (Span(0.0, 1.0) == Span(1.0, 2.0)) + x * (span != Span(0.0, x))
    first, second = Identical(x), Identical(x)
    total += 10.0 * x * (first == second) + 20.0 * x * (first == first) + 40.0 * x * (Point(x) == Point(x))
    total += (
        80.0 * x * ([x, 1.0] == [x, 1.0]) + 160.0 * x * (Body(x) == Body(x, 2.0)) + 5.0 * x * (span < Span(9.0, 9.5))
    )
    return total * (2.0 if first is second or {"a": x} != {"a": x} else 3.0)


@program({"w0": 0.5, "b0": 2.0, "w1": 0.25})
def texts(d):
    total = sum(v**2 for k, v in d.items() if k.startswith("w"))
    for k in sorted(d, reverse=True):
        total = total * d[k] + len(k.split("0"))
    return total


@program(0.6)
def overloaded(x):
    p = Point(x) + -Point(1.0, x)
    return p.area * functools.partial(Point(x).norm, power=3)()


SCALES = {"rates": [0.5, np.array([1.0, 2.0])], "point": Point(3.0)}
BOUND = MODEL.loss


@program(VECTOR)
def captured(x):
    return SCALES["rates"][0] * np.sum(x[:2] * SCALES["rates"][1]) * SCALES["point"].norm() + BOUND(x, y=0.5)


# -- the oracle ------------------------------------------------------------------------------------------------------


def is_number(value) -> bool:
    return isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def flat(value) -> list:
    """All numbers of a structure."""
    members = record_of(value)
    if members is not None:
        return [x for item in members for x in flat(item)]
    return list(np.ravel(value)) if is_number(value) else []


def moved(value, steps):
    """The structure with its numbers moved by the next of the steps; a new one."""
    if isinstance(value, np.ndarray) and is_number(value):
        return value + np.array([next(steps) for _ in range(value.size)]).reshape(value.shape)
    if is_number(value):
        return value + next(steps)
    value = copy.copy(value)
    match value:
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*(moved(v, steps) for v in value))
        case tuple() | list():
            return type(value)(moved(v, steps) for v in value)
        case dict():
            return {k: moved(v, steps) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            object.__setattr__(value, f.name, moved(getattr(value, f.name), steps))
    return value


def differences(function, args) -> np.ndarray:
    """The derivatives in all numbers of the arguments, by central differences."""
    count, h, found = len(flat(args)), 1e-5, []
    for k in range(count):
        step = np.zeros(count)
        step[k] = h
        found.append((function(*moved(args, iter(step))) - function(*moved(args, iter(-step)))) / (2 * h))
    return np.array(found)


def active(args) -> tuple[int, ...]:
    return tuple(k for k, a in enumerate(args) if flat(a))


def single(value):
    """The structure in float32."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float32)
    if isinstance(value, float):
        return np.float32(value)
    members = record_of(value)
    if members is None:
        return value
    items = [single(v) for v in members]
    match value:
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*items)
        case tuple() | list():
            return type(value)(items)
        case dict():
            return dict(zip(value, items, strict=True))
    return dataclasses.replace(value, **dict(zip(members.keys, items, strict=True)))


def same_structure(gradient, argument) -> bool:
    """Whether a gradient has the classes, keys, shapes and dtypes of its argument, and what is known as it was."""
    if is_number(argument):
        return np.shape(gradient) == np.shape(argument) and np.asarray(gradient).dtype == np.asarray(argument).dtype
    members = record_of(argument)
    if members is None:
        return gradient is argument or gradient == argument
    others = record_of(gradient)
    if type(gradient) is not type(argument) or getattr(others, "keys", None) != getattr(members, "keys", None):
        return False
    return len(others) == len(members) and all(map(same_structure, others, members))


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
    """Refused, for a store would change one of two objects; never a wrong value."""
    with pytest.raises(zg.UnsupportedError, match="changing a list is not supported here"):
        zg.value_and_grad(node_replaced_in_a_loop, backend="python")(0.4, n)


# -- at the boundary -------------------------------------------------------------------------------------------------

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
