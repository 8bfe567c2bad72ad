"""The adjoints by hand against central differences of the programs, all in plain Python.

They are what the benchmarks measure zygopy against, so they must not rest on zygopy. What Numba makes of them is
checked where they are timed.
"""

from types import CellType, FunctionType

import numpy as np
import pytest
from scipy import special

import zygopy
from benchmarks import generated, harness
from benchmarks.array_programs import vector
from benchmarks.count import statements
from benchmarks.groups import GROUPS, NAMES, load
from benchmarks.measure import Row


def plain(function):
    """The function by CPython, and all compiled functions that it reaches."""
    function = getattr(function, "py_func", function)
    scope = dict(function.__globals__)
    for name in function.__code__.co_names:
        if hasattr(scope.get(name), "py_func"):
            scope[name] = plain(scope[name])
    cells = tuple(CellType(plain(c.cell_contents)) for c in function.__closure__ or ())
    return FunctionType(function.__code__, scope, function.__name__, function.__defaults__, cells)


def central_differences(program, args, h=1e-5):
    """The gradient, leaf by leaf and element by element."""
    active = tuple(args[i] for i in harness.argnums_of(program))
    shapes = [leaf.shape for leaf in harness.leaves(active)]
    gradient = [np.zeros(shape) for shape in shapes]
    for number, shape in enumerate(shapes):
        for index in np.ndindex(shape):
            flat = [np.zeros(s) for s in shapes]
            flat[number][index] = 1.0
            direction = like(active, iter(flat))
            ends = [program.fun(*harness.moved(program, args, direction, step)) for step in (h, -h)]
            gradient[number][index] = (ends[0] - ends[1]) / (2.0 * h)
    return gradient


def like(tree, flat):
    """The arrays of `flat` in the structure of the tree, numbers where it has numbers."""
    if isinstance(tree, tuple):
        return tuple(like(branch, flat) for branch in tree)
    leaf = next(flat)
    return leaf if isinstance(tree, np.ndarray) else float(leaf)


@pytest.mark.parametrize("name", NAMES)
def test_adjoint_by_hand_is_the_gradient(name):
    program = load(name)
    args = program.make_inputs(program.tiny)
    value, gradient = plain(program.hand)(*args)
    assert value == pytest.approx(program.fun(*args), rel=program.tolerance / 100.0)
    expected_gradient = central_differences(program, harness.in_float64(args))
    for actual, expected in zip(harness.leaves(gradient), expected_gradient, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6 * np.max(np.abs(expected)))


KERNELS = {
    "exp": (np.exp, np.linspace(-708.0, 709.0, 999)),
    "log": (np.log, np.geomspace(1e-300, 1e300, 999)),
    "log1p": (np.log1p, np.geomspace(1e-18, 1.0, 999)),
    "tanh": (np.tanh, np.geomspace(1e-300, 400.0, 999) * np.resize((1.0, -1.0), 999)),
    "normal_tail": (lambda x: special.erfcx(x / np.sqrt(2.0)) / 2.0, np.linspace(0.0, 38.0, 999)),
    "exp_single": (np.exp, np.linspace(-87.0, 88.0, 999, dtype=np.float32)),
}


@pytest.mark.parametrize("name", KERNELS)
def test_vector_kernel_is_accurate_over_its_range(name):
    """In plain Python; it cannot see what LLVM makes of the sums."""
    function, x = KERNELS[name]
    kernel = plain(getattr(vector, name))
    np.testing.assert_allclose([kernel(value) for value in x], function(x), rtol=32.0 * np.finfo(x.dtype).eps)


def test_ordered_bits_sort_as_the_numbers_do():
    x = np.array([-np.inf, -2.0, -1e-310, -0.0, 0.0, 1e-310, 1.5, 2.0, np.inf])
    bits = [plain(vector.ordered)(value) for value in x]
    assert bits == sorted(bits)
    np.testing.assert_array_equal([plain(vector.from_ordered)(value) for value in bits], x)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_the_same_each_time_and_left_alone(name):
    program = load(name)
    args = program.make_inputs(program.tiny)
    plain(program.hand)(*args)
    for used, fresh in zip(harness.leaves(args), harness.leaves(program.make_inputs(program.tiny)), strict=True):
        np.testing.assert_array_equal(used, fresh)


def test_ratio_pairs_the_rounds():
    samples = {"a": [2.0, 30.0, 6.0], "b": [1.0, 10.0, 2.0, 5.0], "none": []}
    assert harness.ratio(samples, "a", "b") == 3.0
    assert harness.ratio(samples, "a", "none") is None


def test_relative_error_takes_the_worst_leaf():
    assert harness.relative_error((1.0, np.array([2.0, 4.2])), (1.0, np.array([2.0, 4.0]))) == pytest.approx(0.05)


def test_a_contender_that_raises_becomes_a_line():
    row = Row("program", "size")
    assert row.attempt("zygopy", lambda: 1 // 0) is None
    assert row.failures == {"zygopy": "ZeroDivisionError: integer division or modulo by zero"}


def test_nan_is_wrong():
    row = Row("program", "size", errors={"zygopy/hand": float("nan"), "jvp/vjp": 1e-15})
    assert row.wrong == ["zygopy/hand"]


def test_generated_functions_have_the_length_asked_for():
    for make in (generated.straight, generated.looped):
        assert statements(make(50)) - statements(make(20)) == 30


@pytest.mark.parametrize("name", GROUPS["loops"])
def test_zygopy_agrees_with_the_adjoint_by_hand(name):
    """On the python backend, both modes; it cannot see what Numba compiles."""
    program = load(name)
    args = program.make_inputs(program.tiny)
    expected = plain(program.hand)(*args)
    actual = zygopy.value_and_grad(program.fun, program.argnums, backend="python")(*args)
    assert harness.relative_error(actual, expected) < 1e-12
    assert harness.transpose_error(program, args, actual[1], backend="python") < 1e-12
