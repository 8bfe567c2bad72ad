"""zygopy on every program of the corpus: values, gradients, tangents, second order, side effects, float32."""

import numpy as np
import pytest

import zygopy as zg
from tests import oracle
from tests.compare import assert_close, inner, like_argument
from tests.programs import PROGRAMS
from tests.programs.registry import numbers

NAMES = list(PROGRAMS)
SMOOTH = [name for name, p in PROGRAMS.items() if p.smooth]
ON_CPU = [name for name, p in PROGRAMS.items() if p.cpu]
SINGLE = [
    name
    for name, p in PROGRAMS.items()
    if any(isinstance(a, np.ndarray) and a.dtype == float for a in p.sample) and "makes_float64" not in p.tags
]
TAGS = set().union(*(p.tags for p in PROGRAMS.values()))


def tolerance(p) -> float:
    return 1e-4 if "float32" in p.tags else 1e-9


def direction(arg, phase=1.0):
    """A tangent for an argument."""
    if isinstance(arg, tuple):
        return tuple(direction(item, phase + k) for k, item in enumerate(arg))
    if isinstance(arg, np.ndarray):
        return numbers(*arg.shape, phase=phase).astype(arg.dtype)
    return float(np.cos(phase))


def directions(p) -> tuple:
    """Tangents for a program's arguments, None for those that stand still."""
    return tuple(direction(arg, k) if k in p.argnums else None for k, arg in enumerate(p.sample))


def check_reverse(p, backend):
    """Value, gradient and the caller's arrays."""
    args = p.args()
    result, gradient = zg.value_and_grad(p.function, p.argnums, backend=backend)(*args)
    expected, after = oracle.plain(p.function, p.args())
    assert_close(result, expected, tolerance(p), "value")
    assert_close(gradient, oracle.gradient(p.function, p.args(), p.argnums), tolerance(p), "gradient")
    if p.differences and "float32" not in p.tags:
        assert_close(gradient, oracle.finite_differences(p.function, p.args(), p.argnums), 1e-5, "differences")
    for n, g in zip(p.argnums, gradient, strict=True):
        assert like_argument(g, p.sample[n]), f"the gradient of argument {n} is {g!r}"
    check_arrays(args, after, p)
    assert_independent(gradient, args)


def check_arrays(args, after, p):
    """Cannot see what happens between the call's start and its end."""
    for n, (left, wanted) in enumerate(zip(args, after, strict=True)):
        if isinstance(wanted, np.ndarray):
            np.testing.assert_allclose(left, wanted, rtol=tolerance(p), err_msg=f"argument {n} after the call")


def assert_independent(gradient, args):
    """Gradients share no memory with each other or the arguments."""
    arrays = [leaf for leaf in gradient if isinstance(leaf, np.ndarray)]
    for k, a in enumerate(arrays):
        others = arrays[:k] + [x for x in args if isinstance(x, np.ndarray)]
        assert not any(np.shares_memory(a, other) for other in others)


def check_forward(p, backend):
    """Value and tangent; and the tangent is the gradient's product with the direction."""
    tangents = directions(p)
    args = p.args()
    result, tangent = zg.jvp(p.function, args, tangents, backend=backend)
    expected, slope = oracle.directional(p.function, p.args(), tangents)
    assert_close(result, expected, tolerance(p), "value")
    assert_close(tangent, slope, tolerance(p), "tangent")
    check_arrays(args, oracle.plain(p.function, p.args())[1], p)
    gradient = zg.grad(p.function, p.argnums, backend=backend)(*p.args())
    product = inner(gradient, tuple(tangents[n] for n in p.argnums))
    assert_close(float(tangent), product, max(tolerance(p), 1e-10), "transpose")


@pytest.mark.parametrize("name", NAMES)
def test_reverse(name):
    check_reverse(PROGRAMS[name], "python")


@pytest.mark.parametrize("name", NAMES)
def test_forward(name):
    check_forward(PROGRAMS[name], "python")


@pytest.mark.parametrize("name", ON_CPU)
def test_reverse_compiled(name):
    check_reverse(PROGRAMS[name], "cpu")


@pytest.mark.parametrize("name", ON_CPU[::3])
def test_forward_compiled(name):
    check_forward(PROGRAMS[name], "cpu")


@zg.value_and_grad
def reads_in_a_long_loop(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[len(x) - 1 - i] * 0.5 + x[0] * x[i]
    return total


def test_a_loop_of_ten_thousand_reads():
    """What each read costs in reverse does not grow with the array; the oracle would take hours."""
    x = numbers(10_000)
    value, gradient = reads_in_a_long_loop(x)
    np.testing.assert_allclose(value, 0.5 * np.sum(x * x[::-1]) + x[0] * np.sum(x), rtol=1e-10)
    wanted = x[::-1] + x[0]
    wanted[0] += np.sum(x)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_primal(name):
    """The compiled function itself, its effects included."""
    p = PROGRAMS[name]
    args = p.args()
    expected, after = oracle.plain(p.function, p.args())
    assert_close(zg.jit(p.function, backend="python")(*args), expected, 1e-12 if tolerance(p) < 1e-6 else 1e-5)
    check_arrays(args, after, p)


@pytest.mark.parametrize("name", SINGLE)
def test_float32(name):
    """Every float64 array as float32: gradients stay float32, and are right to single precision."""
    p = PROGRAMS[name]

    def single():
        return tuple(a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype == float else a for a in p.args())

    args = single()
    result, gradient = zg.value_and_grad(p.function, p.argnums, backend="python")(*args)
    expected, _ = oracle.plain(p.function, single())
    assert_close(result, expected, 1e-4, "value")
    assert_close(gradient, oracle.gradient(p.function, single(), p.argnums), 5e-4, "gradient")
    for n, g in zip(p.argnums, gradient, strict=True):
        assert like_argument(g, args[n]), f"the gradient of argument {n} is {g!r}"


@pytest.mark.parametrize("name", SMOOTH)
def test_forward_over_reverse(name):
    """jvp of grad is the oracle's Hessian times a vector."""
    p = PROGRAMS[name]
    tangents = directions(p)
    gradient = zg.grad(p.function, p.argnums, backend="python")
    first, change = zg.jvp(gradient, p.args(), tangents, backend="python")
    assert_close(first, oracle.gradient(p.function, p.args(), p.argnums), tolerance(p), "gradient")
    assert_close(change, oracle.gradient_change(p.function, p.args(), p.argnums, tangents), tolerance(p) * 10, "change")


@pytest.mark.parametrize("k", [0, 1])
def test_products_of_what_stands_still(k):
    """One argument moves: memory that moved in one trip is filled in the next from what does not move."""
    p = PROGRAMS["products_overwritten_in_each_trip"]
    tangents = tuple(t if j == k else None for j, t in enumerate(directions(p)))
    change = zg.jvp(zg.grad(p.function, p.argnums, backend="python"), p.args(), tangents, backend="python")[1]
    assert_close(change, oracle.gradient_change(p.function, p.args(), p.argnums, tangents), 1e-9)


TWICE = [name for name in SMOOTH if isinstance(PROGRAMS[name].sample[0], float)]


@pytest.mark.parametrize("name", [name for name in TWICE if "recursion" not in PROGRAMS[name].tags])
def test_reverse_over_reverse(name):
    """grad of grad with respect to the first number."""
    p = PROGRAMS[name]
    if p.argnums[0] != 0:
        pytest.skip("its first argument is not differentiated")
    second = zg.grad(zg.grad(p.function, 0, backend="python"), 0, backend="python")(*p.args())
    tangents = (1.0,) + (None,) * (len(p.sample) - 1)
    assert_close(second, oracle.gradient_change(p.function, p.args(), 0, tangents), tolerance(p) * 10)


def test_compiled_sample_covers_every_group():
    """The compiled backend runs at least one program from each file of the corpus."""
    files = {p.function.__module__ for p in PROGRAMS.values()}
    assert {PROGRAMS[name].function.__module__ for name in ON_CPU} == files


def counted_by_the_last(x):
    count = 1
    for _ in range(100):
        found = 0
        for j in range(count):
            found += 2 if x > j else 0
        count = 3 if found > 20 else found
    return count * x


def test_a_loop_as_long_as_what_the_last_one_has_counted():
    """Its first count is written where the number of trips is still to be read."""
    assert zg.value_and_grad(counted_by_the_last, backend="python")(1.5) == (6.0, 4.0)
