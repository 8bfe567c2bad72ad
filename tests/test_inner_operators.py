"""Operators applied inside differentiated functions: to closures, bound methods, partial functions and each other.

The oracle of each is the difference quotient of the function as plain Python runs it, where operators run as well.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

import zygopy as zg

PYTHON = {"backend": "python"}
X = np.array([0.5, -1.2, 2.0])


def differences(f, x, h=1e-5):
    if np.ndim(x) == 0:
        return (f(x + h) - f(x - h)) / (2 * h)
    return np.array([(f(x + h * unit) - f(x - h * unit)) / (2 * h) for unit in np.eye(len(x))])


def closures(x):
    def inner(y):
        return (y**3 * x).sum()

    scale = 2.0 * x[1]
    return zg.grad(inner)(x).sum() + zg.grad(lambda y, s: np.sin(y * s * scale), "s")(2.0, x[0])


def in_each_other(x):
    def inner(a):
        def innermost(b):
            return (b**3 * a * x).sum()

        return (zg.grad(innermost)(a * x) * a).sum()

    return zg.grad(inner)(x).sum()


def third_order(x):
    return zg.grad(zg.grad(lambda y: y**5 * x[0]))(x[1]) * x[2]


def jacobians(x):
    first, second = zg.jacrev(lambda y: y**3 * x)(x), zg.hessian(lambda y: (y**4 * x).sum())(x)
    return (first * second).sum() + zg.jacfwd(lambda y: y * x[0])(x)[1, 1] * zg.jacobian(lambda y: y * x[0])(2.0)


def directions(x):
    value, tangent = zg.jvp(lambda y, s: (y**3).sum() * x[0] * s, (x * x, 2), (np.ones(3), None))
    return value * tangent


def second_directions(x):
    a, b = zg.hvp(lambda y, s: (y**4).sum() * s**3 * x[1], (x, x[0]), (x * x, 1.0))
    return a.sum() * b + zg.hvp(lambda y: (y**4).sum(), (x,), (x,))[0]


@dataclass
class Model:
    w: np.ndarray
    b: float

    def loss(self, x):
        return ((self.w * x) ** 3).sum() * self.b

    def step(self, x):
        return x - 0.1 * zg.grad(self.loss)(x)

    def __call__(self, x):
        return self.loss(x)


def methods(x):
    model = Model(x, x[0])
    return (zg.grad(model.loss)(x) * zg.grad(model)(x * x)).sum() + model.step(x)[1]


CAPTURED = Model(X, 2.0)


def captured_methods(x):
    return CAPTURED.step(x).sum() + zg.hvp(CAPTURED.loss, (x,), (x,))[1]


def partials(x):
    f = partial(lambda a, b, c: (a * b * c).sum() * a.sum(), x)
    g = partial(lambda a, b, c: (a * b * c**2).sum(), b=x * x)
    return zg.grad(f, 1)(x * x, x)[0] + zg.grad(f, (0, "c"))(x, x)[1].sum() + zg.grad(g, "c")(x, c=x)[1]


def pullbacks(x):
    value, pull = zg.vjp(lambda y: np.exp(y) * x, x)
    (a,), (b,) = pull(value * value), pull(x)
    return (a * b).sum()


def pullbacks_in_loops(x):
    _, pull = zg.vjp(lambda y: np.sin(y) * y[0], x)
    total = 0.0
    for i in range(3):
        total += pull(x * i)[0].sum() ** 2
    return total


def pullbacks_of_structures(x):
    def f(p, n, *rest):
        return {"a": p["k"][0] * x[n] * rest[0], "b": [p["k"][1] ** 2]}, p["k"][1]

    value, pull, aux = zg.vjp(f, {"k": [x, x[1]]}, 1, x[2], 3.0, has_aux=True)
    p_bar, n_bar, r_bar, _ = pull({"a": x * x, "b": [3.0]})
    assert n_bar is None
    return p_bar["k"][0].sum() * p_bar["k"][1] + r_bar * aux


def linear_maps(x):
    value, push = zg.linearize(lambda y, s: np.exp(y) * s, x, x[2])
    return (push(x, 1.0) * push(value, x[0])).sum()


def stores(y):
    y[0] = y[1] * y[0]
    y[2] *= y[0]
    return y * y


def what_was_there_before(x):
    """Maps know the arguments and captured arrays as they were before the function ran, and before later stores."""
    y, z = x * 2.0, x * 3.0
    value, pull = zg.vjp(stores, y)
    _, push = zg.linearize(stores, x * 1.0)
    _, other = zg.vjp(lambda a: a * z, x)
    y[1] = 5.0
    z[:] = 0.0
    return (pull(value)[0] * pull(x)[0] * y * push(x) * push(value)).sum() + other(x)[0].sum()


def named(x):
    gradient = zg.grad(lambda y: (y * y * x).sum())
    value, slope = zg.value_and_grad(lambda z: (gradient(z) * z).sum() * x[0])(x)
    return value * slope[1]


def chosen(x):
    factors = [x, x * x] if x[0] > 0 else [x, x]
    return zg.grad(lambda y: (y * factors[0] * factors[1] * y).sum())(x).sum()


def trained(x):
    def loss(w):
        return ((w - x * x) ** 4).sum()

    w = x
    for _ in range(4):
        w = w - 0.01 * x[0] * zg.grad(loss)(w)
    return loss(w)


FUNCTIONS = [closures, in_each_other, third_order, jacobians, directions, second_directions, methods, captured_methods]
FUNCTIONS += [partials, pullbacks, pullbacks_in_loops, pullbacks_of_structures, linear_maps, what_was_there_before]
FUNCTIONS += [named, chosen, trained]


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradients(f, monkeypatch):
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    wanted = differences(zg.jit(f, **PYTHON), X)
    np.testing.assert_allclose(zg.grad(f, **PYTHON)(X), wanted, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(zg.jvp(f, (X,), (X,), **PYTHON)[1], wanted @ X, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("f", [methods, what_was_there_before, trained], ids=lambda f: f.__name__)
def test_gradients_compiled(f):
    np.testing.assert_allclose(zg.grad(f)(X), zg.grad(f, **PYTHON)(X), rtol=1e-11)


@pytest.mark.parametrize("f", [pullbacks, linear_maps, what_was_there_before], ids=lambda f: f.__name__)
def test_values(f):
    """Plain Python runs the operators as functions of their own."""
    np.testing.assert_allclose(zg.jit(f, **PYTHON)(X), f(X.copy()), rtol=1e-12)


def test_prints_once(capsys):
    def f(x):
        def speaks(y):
            print("here", y)
            return y * y

        value, pull = zg.vjp(speaks, x)
        _, push = zg.linearize(speaks, x)
        return pull(1.0)[0] * pull(x)[0] * push(x)

    zg.jit(f, **PYTHON)(2.0)
    assert capsys.readouterr().out == "here 2.0\nhere 2.0\n"


def lengths_differ(x):
    return zg.vjp(lambda y: y * y, x)[1](x[1:])[0].sum()


def structure_differs(x):
    return zg.jvp(lambda y, t: y * t[0], (x, (x, x)), (x, (x,)))[1].sum()


def nothing_moves(x):
    return zg.vjp(lambda n: n * x, 3)[0].sum()


def no_function(x):
    return zg.grad(x.sum)(x)


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lengths_differ, zg.ShapeError, "the seed of the result has another length than the result along axis 0"),
        (structure_differs, zg.ArgumentError, "the tangent of t has another structure than t"),
        (nothing_moves, zg.DtypeError, "no argument of <lambda> holds a real or complex number"),
        (no_function, zg.UnsupportedError, "an operator on the method sum is not supported"),
    ],
)
def test_refusals(f, error, message):
    with pytest.raises(error) as caught:
        zg.grad(f, **PYTHON)(X)
    assert str(caught.value).startswith(message) and "test_inner_operators.py" in str(caught.value)
