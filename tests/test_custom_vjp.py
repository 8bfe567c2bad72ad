"""custom_vjp and hook: the rules count once, and derivatives of derivatives are those of the rules as written."""

from functools import partial

import numpy as np
import pytest

import zygopy as zg
from tests.compare import assert_close

PYTHON = {"backend": "python"}
X = np.array([0.5, -1.2, 2.0])


@zg.custom_vjp
def product(x, y):
    return np.sin(x) * y


def product_fwd(x, y):
    return product(x, y), (np.cos(x), np.sin(x), y)


def product_bwd(kept, g):
    cos_x, sin_x, y = kept
    return cos_x * g * y, sin_x * g


product.defvjp(product_fwd, product_bwd)


def plain(x, y):
    return np.sin(x) * y


def looped(f):
    def total(x, y):
        found = 0.0
        for k in range(3):
            found = found + np.sum(f(x * k, y) * x)
        return found

    return total


USES = [
    lambda f: zg.grad(lambda x, y: (f(x, y) * x).sum(), (0, 1), **PYTHON)(X, X**2),
    lambda f: zg.grad(lambda x, y: f(x, y).sum(), (0, 1), **PYTHON)(X, 2.0),
    lambda f: zg.grad(f, (0, 1), **PYTHON)(1.2, 2.0),
    lambda f: zg.grad(looped(f), (0, 1), **PYTHON)(X, X**2),
    lambda f: zg.vjp(f, X, X**2, **PYTHON)[1](X),
    lambda f: zg.jit(f, **PYTHON)(X, X),
    lambda f: zg.hessian(lambda x, y: (f(x, y) * x).sum(), **PYTHON)(X, X**2),
    lambda f: zg.hvp(lambda x, y: (f(x, y) * x).sum(), (X, X), (X, X), **PYTHON),
    lambda f: zg.grad(lambda x: (zg.grad(lambda z: f(z, z).sum())(x) ** 2).sum(), **PYTHON)(X),
    lambda f: zg.grad(zg.grad(zg.grad(f)), **PYTHON)(1.2, 2.0),
    lambda f: zg.vmap(zg.grad(f), **PYTHON)(X, X),
]


@pytest.mark.parametrize("number", range(len(USES)))
def test_right_rules(number, monkeypatch):
    """Where the rules are right, everything is as without them."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    assert_close(USES[number](product), USES[number](plain), 1e-13)


def test_compiled():
    f = lambda f, x, y: (f(x, y) * x).sum()  # noqa: E731
    assert_close(zg.grad(partial(f, product), (0, 1))(X, X), zg.grad(partial(f, plain), (0, 1), **PYTHON)(X, X), 1e-13)


@zg.custom_vjp
def clipped(x):
    return 1.0 * x


clipped.defvjp(lambda x: (x, None), lambda kept, g: (np.clip(g, -1.0, 1.0),))


def test_rules_count():
    """The rule's derivative, not the function's; its own derivative is that of what is written."""
    assert_close(zg.grad(lambda x: (5.0 * clipped(x) * x).sum(), **PYTHON)(X), 5.0 * X + np.clip(5.0 * X, -1, 1), 1e-14)
    second = zg.grad(lambda x: zg.grad(lambda z: clipped(z) * z**2)(x), **PYTHON)
    assert_close([second(0.5), second(1.5)], [4 * 0.5 + 2 * 0.5, 4 * 1.5], 1e-14)


@partial(zg.custom_vjp, nondiff_argnums=(0, -1))
def applied(f, x, n):
    return f(x) * n


applied.defvjp(lambda f, x, n: (f(x) * n, x), lambda f, n, x, g: g * n * 100.0)


def test_arguments_without_derivative():
    """The backward rule gets them first, and gives one adjoint for each of the others; bare, if there is but one."""
    assert_close(zg.grad(lambda x: applied(np.sin, x, 3) * x, **PYTHON)(1.5), np.sin(1.5) * 3 + 1.5 * 300, 1e-14)
    assert_close(zg.grad(lambda x: applied(np.square, x, 3).sum(), **PYTHON)(X), np.full(3, 300.0), 0)


def step(a, x):
    return np.cos(a * x)


@zg.custom_vjp
def fixed_point(a, start):
    x = start
    for _ in range(1000):
        after = step(a, x)
        if abs(after - x) < 1e-15:
            break
        x = after
    return x


def fixed_point_fwd(a, start):
    x = fixed_point(a, start)
    return x, (a, x)


def fixed_point_bwd(kept, g):
    _, pull = zg.vjp(step, *kept)
    w = g
    for _ in range(100):
        w = g + pull(w)[1]
    return pull(w)[0], None


fixed_point.defvjp(fixed_point_fwd, fixed_point_bwd)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_implicit_differentiation(backend):
    """x = cos(a x): dx/da = -x sin(a x) / (1 + a sin(a x))."""
    x = fixed_point(0.7, 0.5)
    wanted = -x * np.sin(0.7 * x) / (1 + 0.7 * np.sin(0.7 * x))
    np.testing.assert_allclose(zg.grad(fixed_point, backend=backend)(0.7, 0.5), wanted, rtol=1e-12)


# -- hooks -----------------------------------------------------------------------------------------------------------


def captures(x):
    scale = x[0] * 3.0
    total = 0.0
    for k in range(3):
        y = zg.hook(lambda x_bar: x_bar * scale * k, x[k] * x[k])  # noqa: B023
        total += y * x[k]
    scale = 0.0
    return total + scale


def test_hooks(capsys, monkeypatch):
    """Numbers, arrays and tuples; what a hook captures is what it was where it was put; it may speak."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    doubled = zg.grad(lambda x: (zg.hook(lambda g: 2.0 * g, x * x) * x).sum(), **PYTHON)
    assert_close(doubled(X), X * X + 4 * X * X, 1e-14)
    assert_close(zg.grad(captures, **PYTHON)(X), X * X + np.arange(3) * 1.5 * X * 2 * X, 1e-14)

    def speaks(g):
        print("adjoint", g[0], g[1])
        return g[1], g[0]

    def swaps(x, y):
        a, b = zg.hook(speaks, (x, y))
        return a * a * b

    assert zg.grad(swaps, (0, 1), **PYTHON)(2.0, 3.0) == (4.0, 12.0)
    assert capsys.readouterr().out == "adjoint 12.0 4.0\n"
    assert zg.hook(speaks, 3.0) == 3.0 and zg.jit(swaps, **PYTHON)(2.0, 3.0) == 12.0
    assert zg.hessian(lambda x: zg.hook(lambda g: 3.0 * g, x) ** 2, **PYTHON)(1.0) == 6.0


# -- refusals --------------------------------------------------------------------------------------------------------


def bad(fwd, bwd):
    """The gradient of a function with these rules."""

    @zg.custom_vjp
    def own(x, y):
        return x * y

    own.defvjp(fwd, bwd)
    return zg.grad(lambda x: own(x, x).sum(), **PYTHON)(X)


def redeclared():
    zg.adjoint(product)(lambda g, ans, x, y: (g, g))


def too_late():
    def own(x):
        return x * x

    zg.grad(own, **PYTHON)(1.0)
    zg.custom_vjp(own).defvjp(lambda x: (x * x, x), lambda x, g: (2 * g,))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: zg.jvp(product, (1.0, 2.0), (1.0, 0.0), **PYTHON),
            zg.UnsupportedError,
            "product has a derivative for reverse mode only",
        ),
        (
            lambda: bad(lambda x, y: x * y, lambda kept, g: (g, g)),
            zg.ArgumentError,
            "the forward rule of own returns an array of float64 with 1 dimension",
        ),
        (
            lambda: bad(lambda x, y: (x * y, None), lambda kept, g: g),
            zg.ArgumentError,
            "the rule of own, which has 2 arguments, returns an array of float64 with 1 dimension",
        ),
        (
            lambda: bad(lambda x, y: (x * y, None), lambda kept, g: (1.0, g)),
            zg.ShapeError,
            "the rule of own returns 1.0 for an array of float64 with 1 dimension",
        ),
        (
            lambda: bad(lambda x: (x, None), lambda kept, g: (g, g)),
            zg.ArgumentError,
            "the rule of own takes other arguments than it is given",
        ),
        (redeclared, zg.ArgumentError, "product has a rule already, of the form forward"),
        (too_late, zg.ArgumentError, "own was compiled before this rule was declared"),
        (
            lambda: zg.grad(lambda x: zg.hook(lambda g: (g, g), x), **PYTHON)(1.0),
            zg.ArgumentError,
            "the rule of hook, which has 1 argument, returns a tuple of 2",
        ),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message) and "test_custom_vjp.py" in str(caught.value)
