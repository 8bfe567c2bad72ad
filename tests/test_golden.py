"""Golden emitted sources: what a reader sees of a gradient, reviewed line by line.

After a change of emission: `python -m tests.test_golden`, and read the difference.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

import zygopy as zg

GOLDEN = Path(__file__).parent / "golden"


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        a = 1.0 - x[i]
        b = x[i + 1] - x[i] * x[i]
        total += a * a + 100.0 * b * b
    return total


def newton(a):
    x = a
    while abs(x * x - a) > 1e-10:
        x = 0.5 * (x + a / x)
    return x


def heat(t0, alpha, sweeps):
    t = t0.copy()
    for _ in range(sweeps):
        for i in range(1, len(t) - 1):
            t[i] += alpha * (t[i - 1] - 2.0 * t[i] + t[i + 1])
    return t[1]


def branches(x, y):
    if x > y:
        return x * y
    return np.exp(x) * y


def swapped(u0, steps):
    u, v = u0.copy(), np.zeros_like(u0)
    for _ in range(steps):
        for i in range(len(u)):
            v[i] = u[i] * u[i]
        u, v = v, u
    return u[0]


def relaxed(x):
    """Rounds to whole numbers; its derivative is that of a straight line where it is not too steep."""
    return np.floor(x)


@zg.adjoint(relaxed)
def relaxed_adjoint(g, ans, x):
    return np.where(abs(g) < 10.0, g, 0.0)


def smooth_step(x):
    return np.tanh(x)


@zg.elementwise(smooth_step)
def smooth_step_rule(ans, x):
    return 1.0 - ans * ans


def ruled(x, w):
    y = smooth_step(x * w)
    return np.sum(relaxed(y) * x)


PROGRAMS = {
    "ruled": (ruled, (np.ones(3), 0.5), (0, 1)),
    "rosenbrock": (rosenbrock, (np.ones(3),), 0),
    "newton": (newton, (2.0,), 0),
    "heat": (heat, (np.ones(5), 0.1, 3), (0, 1)),
    "branches": (branches, (1.0, 2.0), (0, 1)),
    "swapped": (swapped, (np.ones(3), 2), 0),
}


def emitted(name: str) -> str:
    """The source of a program's value and gradient, without the places in its messages."""
    function, args, argnums = PROGRAMS[name]
    source = str(zg.value_and_grad(function, argnums, backend="python").source(*args))
    return re.sub(r"raise (\w+)\(.*\)", r"raise \1(...)", source)


@pytest.mark.parametrize("name", PROGRAMS)
def test_source(name):
    """Sees any change of the text; not whether the text is right, which the oracle tests see."""
    assert emitted(name) == (GOLDEN / f"{name}.py.txt").read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_source_runs_as_it_is(name):
    """The text, with np, the error classes and the helpers in scope, gives what the operator gives."""
    from zygopy.backends.runtime_arrays import HELPERS

    function, args, argnums = PROGRAMS[name]
    operator = zg.value_and_grad(function, argnums, backend="python")
    namespace = {"np": np, "OutOfBoundsError": zg.OutOfBoundsError, **HELPERS}
    exec(str(operator.source(*args)), namespace)
    value, gradient = namespace[f"{function.__name__}_value_and_grad"](*args)
    wanted, wanted_gradient = operator(*args)
    assert value == wanted
    for a, b in (
        zip(np.atleast_1d(gradient), np.atleast_1d(wanted_gradient), strict=True)
        if not isinstance(argnums, tuple)
        else zip(gradient, wanted_gradient, strict=True)
    ):
        np.testing.assert_array_equal(a, b)


if __name__ == "__main__":
    for name in PROGRAMS:
        (GOLDEN / f"{name}.py.txt").write_text(emitted(name))
    sys.exit()
