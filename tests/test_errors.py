"""Errors: each refusal's class and whole message, errors of the running program, and the page that lists them."""

import numpy as np
import pytest

import zygopy as zg
from tests import refused
from tests.refused import REFUSED

BUILT_IN = {
    zg.UnsupportedError: NotImplementedError,
    zg.DtypeError: TypeError,
    zg.TypeJoinError: TypeError,
    zg.OutputError: TypeError,
    zg.ArgumentError: ValueError,
    zg.ShapeError: ValueError,
    zg.OverlapError: ValueError,
    zg.SourceError: OSError,
    zg.OutOfBoundsError: IndexError,
    zg.UnboundError: UnboundLocalError,
    zg.GradientCheckError: AssertionError,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """The class, and that it is the built-in that a caller expects."""
    row = REFUSED[name]
    with pytest.raises(row.error) as caught:
        row.call()
    assert isinstance(caught.value, zg.ZygopyError)
    assert isinstance(caught.value, BUILT_IN[row.error])


@pytest.mark.parametrize("name", REFUSED)
def test_message(name):
    """The whole message, places aside; after a change: python -m tests.refused, and read the difference."""
    row = REFUSED[name]
    golden = refused.MESSAGES.read_text()
    assert f"== {row.name}: {row.error.__name__}\n{refused.message_of(row)}\n" in golden


def test_page_is_up_to_date():
    assert refused.PAGE.read_text() == refused.page_text()


def test_messages_name_the_users_line():
    """The place in a message is the user's own file, the line of the construct and its text."""
    with pytest.raises(zg.UnsupportedError) as caught:
        REFUSED["list_comprehension"].call()
    code = refused.list_comprehension.__code__
    assert f"{code.co_filename}:{code.co_firstlineno + 2}" in str(caught.value)
    assert """squares = [{"square": a * v} for v in a]""" in str(caught.value)


# -- what the user's own program raises -------------------------------------------------------------------------------


def asserts(x):
    assert x > 0, "x must be positive"
    return x * x


def raises(x):
    if x < 0:
        raise ValueError("x is negative")
    return x * x


def divides(x, n):
    return x * (7 // n)


def takes_modulo(x, n):
    return x * (7 % n)


def divides_by_numpy(x, n):
    return x * np.floor_divide(7, n)


def takes_remainder_by_numpy(x, n):
    return x * np.remainder(7, n)


def raises_to_a_power(x, n):
    return x * np.power(2, n)


def shifts(x, n):
    return x * (1 << n)


def steps(x, n):
    s = x
    for i in range(0, 5, n):
        s = s * i
    return s


def tells_numbers(x, n):
    if n > 2:
        raise zg.ArgumentError(f"{'n'} is {n}, which is {n > 2}ly more than {2:.1f} {{}}")
    for k in range(n):
        assert x > k, f"{k} of {(k, n)}, {(x,)} and {n:3}"
    return x * n


def tells_by_other_means(x, n):
    assert n != 1, "n is %d" % n  # noqa: UP031 (what users write)
    assert n != 2, "n is {}".format(n)  # noqa: UP032 (what users write)
    assert n != 3, "n is " + str(n)
    assert n != 4, f"n is {str(n)!r}"
    return x * n


RAISING = [
    (tells_by_other_means, (0.5, 1), AssertionError, "{'n is %d' % n}"),
    (tells_by_other_means, (0.5, 2), AssertionError, "{'n is {}'.format(n)}"),
    (tells_by_other_means, (0.5, 3), AssertionError, "{'n is ' + str(n)}"),
    (tells_by_other_means, (0.5, 4), AssertionError, "n is {str(n)}"),
    (tells_numbers, (0.5, 2), AssertionError, "1 of (1, 2), (0.5,) and {n}"),
    (asserts, (-1.0,), AssertionError, "x must be positive"),
    (raises, (-1.0,), ValueError, "x is negative"),
    (divides, (1.0, 0), ZeroDivisionError, "integer division or modulo by zero"),
    (takes_modulo, (1.0, 0), ZeroDivisionError, "integer division or modulo by zero"),
    (divides_by_numpy, (1.0, 0), ZeroDivisionError, "integer division or modulo by zero"),
    (takes_remainder_by_numpy, (1.0, 0), ZeroDivisionError, "integer division or modulo by zero"),
    (raises_to_a_power, (1.0, -1), ValueError, "an integer to a negative power: use a float base"),
    (shifts, (1.0, -1), ValueError, "a shift count must be from 0 to 63"),
    (shifts, (1.0, 64), ValueError, "a shift count must be from 0 to 63"),
    (steps, (1.0, 0), ValueError, "range() arg 3 must not be zero"),
]


def asserts_with_elements(x):
    assert len(x) < 3, f"the last one is {x[5]}"
    return np.sum(x * x)


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_messages_are_made_where_they_are_raised(backend):
    """Elements that only a message reads need not be there."""
    np.testing.assert_array_equal(zg.grad(asserts_with_elements, backend=backend)(np.ones(2)), [2.0, 2.0])


@pytest.mark.parametrize("f, args, error, message", RAISING, ids=lambda v: getattr(v, "__name__", None))
@pytest.mark.parametrize("operator", [zg.grad, zg.value_and_grad, zg.jit], ids=lambda o: o.__name__)
def test_errors_of_the_program(operator, f, args, error, message):
    with pytest.raises(error) as caught:
        operator(f, backend="python")(*args)
    assert str(caught.value) == message


def test_native_code_tells_numbers():
    with pytest.raises(AssertionError) as caught:
        zg.grad(tells_numbers)(0.5, 2)
    assert str(caught.value) == "1 of (1, 2), (0.5,) and {n}"
    with pytest.raises(zg.ArgumentError) as own:
        zg.grad(tells_numbers)(0.5, 3)
    what, place, *_ = str(own.value).split("\n")
    assert what == "n is 3, which is Truely more than 2.0 {}"
    assert place.startswith("  --> ")
    assert place.endswith(", in tells_numbers")


def third_in_loop_and_after(a, n):
    s = 0.0
    for _ in range(n):
        s += a[2]
    return s + a[2]


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_a_test_for_a_loop_says_nothing_of_what_follows(backend):
    """The loop does not run, so its test passes; the access behind it still has its own."""
    with pytest.raises(zg.OutOfBoundsError):
        zg.grad(third_in_loop_and_after, backend=backend)(np.ones(1), 0)
    np.testing.assert_array_equal(zg.grad(third_in_loop_and_after, backend=backend)(np.ones(3), 2), [0.0, 0.0, 3.0])


def sum_of_another_type(a, n):
    total = 0.0
    for i in range(n):
        total += a[i] ** 2
    return total


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_tests_of_loops_that_are_read_twice(backend):
    """The sum becomes NumPy's float64 in the loop, which is then followed again; its test must be there, too."""
    with pytest.raises(zg.OutOfBoundsError):
        zg.grad(sum_of_another_type, backend=backend)(np.ones(3), 5)


@pytest.mark.parametrize("name", ["index_in_loop", "store_beyond", "index_from_data", "overlapping_arguments"])
def test_compiled_code_raises_too(name):
    """Native code raises with the user's line, and never reads beyond an array."""
    if name == "overlapping_arguments":
        a = np.ones(5)
        with pytest.raises(zg.OverlapError):
            zg.grad(refused.overlapping_arguments, (0, 1))(a[:3], a[2:])
        return
    with pytest.raises(zg.OutOfBoundsError) as caught:
        REFUSED[name].call(backend="cpu")
    assert f"{refused.__file__}:" in str(caught.value)


def two(x, y):
    return x * y


@pytest.mark.parametrize(
    "args, kwargs", [((1.0,), {}), ((1.0, 2.0, 3.0), {}), ((1.0,), {"z": 2.0}), ((1.0, 2.0), {"x": 1.0})]
)
@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_wrong_calls_are_type_errors(args, kwargs, backend):
    """As for any Python function."""
    with pytest.raises(TypeError):
        zg.grad(two, backend=backend)(*args, **kwargs)


# -- what looks alike and is not refused ------------------------------------------------------------------------------


def product(a, b):
    return a[0] * b[1]


def test_reading_overlapping_arguments_is_fine():
    a = np.array([2.0, 3.0])
    for g, e in zip(zg.grad(product, (0, 1), backend="python")(a, a), ([3.0, 0.0], [0.0, 2.0]), strict=True):
        np.testing.assert_array_equal(g, e)


def guarded(a, n):
    s = 0.0
    for i in range(n):
        if i < len(a):
            s += a[i] * a[i]
    return s


def test_guarded_access_is_fine():
    """An access that would be out of bounds in trips whose guard keeps it from running."""
    np.testing.assert_array_equal(zg.grad(guarded, backend="python")(np.ones(3), 100), 2 * np.ones(3))


def test_empty_loop_reads_nothing():
    def first_of_each(a, n):
        s = 1.0
        for _ in range(n):
            s += a[5]
        return s * a[0]

    np.testing.assert_array_equal(zg.grad(first_of_each, backend="python")(np.ones(2), 0), [1.0, 0.0])


def test_int_arguments_are_promoted():
    assert zg.grad(lambda x: x * x, backend="python")(3) == 6.0


def quotient(x, y):
    return x / y


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_float_division_by_zero_is_inf(backend):
    with np.errstate(all="ignore"):
        assert zg.jit(quotient, backend=backend)(1.0, 0.0) == np.inf
        assert zg.grad(quotient, backend=backend)(1.0, 0.0) == np.inf


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_lambdas_can_be_compiled(backend):
    assert zg.jit(lambda x: x * x, backend=backend)(3.0) == 9.0


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_defaults_need_not_be_passed(backend):
    def scaled(x, scale=2.5, table=(1.0, 3.0), kind=None, *, shift=1.0):
        return x * scale * table[1] + shift

    assert zg.grad(scaled, backend=backend)(2.0) == 7.5
    assert zg.grad(scaled, backend=backend)(2.0, shift=3.0, scale=2.0) == 6.0
