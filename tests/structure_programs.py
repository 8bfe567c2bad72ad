"""Classes and programs with structures, which the tests of structures differentiate."""

import copy
import dataclasses
import functools
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import NamedTuple

import numpy as np


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


@program(0.6, -0.4)
def changed_under_a_condition(x, y):
    total = 0.0
    for sign in (1.0, -1.0):
        first, second = Span(x, 2.0 * y), Span(y, 3.0)
        chosen = first if sign * x > 0 else second
        chosen.low *= x + 2.0
        first.high += 3.0 * chosen.low
        chosen.high = chosen.high * y + 5.0 * second.low
        second.low -= 7.0 * chosen.high
        total += first.low + 2.0 * first.high + 3.0 * second.low + 4.0 * second.high + x * chosen.low * chosen.high
    return total


@program(0.6, -0.4)
def one_of_three(x, y):
    total = 0.0
    for sign in (1.0, -1.0):
        for other in (1.0, -1.0):
            a, b, c = {"v": x, "w": y}, {"v": x * y, "w": 1.0}, {"v": 2.0 * x, "w": y * y}
            two = a if sign * x > 0 else b
            three = two if other * y > 0 else c
            three["v"] = 3.0 * three["v"] * y
            a["w"] = 2.0 * three["w"] + x
            two["v"] -= three["v"] * c["w"]
            total += a["v"] + 2 * a["w"] + 3 * b["v"] + 4 * b["w"] + 5 * c["v"] + 6 * c["w"] + two["v"] * three["w"]
    return total


@program(0.6, -0.4)
def lists_under_a_condition(x, y):
    total = 0.0
    for sign in (1.0, -1.0):
        xs, ys = [x, y, 1.0], [y, 2.0, x * y]
        picked = xs if sign * x > 0 else ys
        for k in range(2):
            picked[k] += 0.5 * xs[k + 1] * picked[2]
            ys[k + 1] *= picked[k]
        total += xs[0] + 2 * xs[1] + 3 * xs[2] + 4 * ys[0] + 5 * ys[1] + 6 * ys[2] + picked[0] * picked[1]
    return total
