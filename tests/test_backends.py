"""The cpu backend as callers meet it: dispatch, surroundings, errors, threads; canaries for Numba's private parts."""

import sys
import threading
import traceback

import numpy as np
import pytest
from numba import njit

import zygopy as zg
from zygopy.backends.llvm_values import processor_has

TABLE = np.arange(3.0)
FACTOR = 3.0


@zg.grad
def weighted(x, scale=2.0):
    total = 0.0
    for v in x:
        total += scale * v * v
    return total


def test_called_from_compiled_code():
    """Canary: a dispatcher of ours is one of Numba's, as a global and as an argument."""

    @njit
    def outside(x):
        return weighted(x)[0] + weighted(x, 3.0)[1]

    @njit
    def higher(f, x):
        return f(x)[0]

    x = np.array([1.0, 2.0])
    assert outside(x) == 4.0 + 12.0
    assert higher(weighted, x) == 4.0


def test_arguments_as_python_binds_them():
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(weighted(x=x), [4.0, 8.0])
    np.testing.assert_array_equal(weighted(x, scale=3.0), [6.0, 12.0])


@pytest.mark.parametrize(
    "x",
    [
        np.arange(6.0)[::-2],
        np.arange(6.0)[1::2],
        np.zeros(0),
        np.broadcast_to(np.float64(2.0), 3),
        np.arange(3, dtype=np.float32),
    ],
    ids=["negative stride", "stride", "empty", "read-only", "float32"],
)
def test_arrays_of_all_layouts(x):
    gradient = weighted(x)
    assert gradient.dtype == x.dtype
    np.testing.assert_array_equal(gradient, 4.0 * x)


def summed_products(x, y, z):
    """z[0] has the rounding of a sum and a product; the sum that is returned has any order."""
    z[0] += x[1] * y[1]
    total = 0.0
    for i in range(len(x)):
        total += x[i] * y[i]
    return total


def test_products_are_rounded_with_sums_whose_order_is_free():
    """Not with the user's other additions: there a square less the same square is 0."""
    a = 1.0 + 2.0**-30
    z = np.array([-(a * a)])
    total = zg.jit(summed_products)(np.array([-(a * a), a]), np.array([1.0, a]), z)
    assert z[0] == 0.0
    assert total == (2.0**-60 if processor_has("fma") else 0.0)


def test_static_arguments():
    """A function as an argument switches the object to binding by Python; other calls go on working."""
    apply = zg.value_and_grad(lambda x, f: f(x) * x)
    assert apply(2.0, lambda v: v * v) == (8.0, 12.0)
    assert apply(2.0, lambda v: v) == (4.0, 4.0)


def with_surroundings(x):
    total = 0.0
    for i in range(3):
        total += TABLE[i] * x
    return FACTOR * total


def test_captured_arrays_and_numbers_are_read_at_each_call(monkeypatch):
    gradient = zg.grad(with_surroundings)
    assert gradient(1.0) == 9.0
    monkeypatch.setitem(globals(), "TABLE", np.ones(3))
    assert gradient(1.0) == 9.0
    monkeypatch.setitem(globals(), "FACTOR", 4.0)
    assert gradient(1.0) == 12.0
    TABLE[0] = 2.0
    assert gradient(1.0) == 16.0


@zg.value_and_grad
def names_of_the_backend(x, total_rest, total_part, row, zeros, hold, _exp):
    """The code for the CPU needs names of its own for each of these."""
    total = 0.0
    for i in range(len(x)):
        total += x[i] * np.exp(x[i])
    h = np.zeros((2, 2)) + row
    for _ in range(2):
        h = np.tanh(h @ h + _exp)
    return total * total_rest * total_part + zeros * hold + h.sum()


def test_names_of_the_backend():
    args = np.linspace(-1.0, 1.0, 300), 1.1, 1.2, 1.3, 1.4, 1.5, 1.6
    value, _ = names_of_the_backend(*args)
    np.testing.assert_allclose(value, names_of_the_backend.__wrapped__(*args), rtol=1e-12)


@zg.value_and_grad
def rows_reshaped(x):
    y = x * 2.0
    for row in y:
        row[:] = np.sin(np.reshape(row.reshape(6), (2, 3)))
    return np.sum(y * x)


def test_rows_reshaped():
    x = np.linspace(-1.0, 1.0, 12).reshape(2, 2, 3)
    value, gradient = rows_reshaped(x)
    np.testing.assert_allclose(value, np.sum(np.sin(2 * x) * x), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.sin(2 * x) + 2 * np.cos(2 * x) * x, rtol=1e-12)


@zg.grad
def third(x):
    return x[2] * 2.0


def test_native_errors_show_the_users_line():
    with pytest.raises(zg.OutOfBoundsError, match="index out of bounds") as caught:
        third(np.ones(2))
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[-1].filename == __file__
    assert "return x[2] * 2.0" in str(caught.value)


@zg.value_and_grad
def recurrence(x, n):
    for _ in range(n):
        x = x * 1.0001 + np.sin(x) * 1e-4
    return x


def test_threads_share_no_tape():
    """Each call takes the kept memory for itself; the loops hold the GIL free."""
    wanted = {n: recurrence(0.5, n) for n in (1000, 3000, 5000)}
    wrong = []

    def work(n):
        for _ in range(200):
            if recurrence(0.5, n) != wanted[n]:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in wanted for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_source_of_each_signature_is_kept():
    weighted(np.ones(2))
    assert any("weighted_grad" in source.text for source in weighted.sources.values())


def test_stored_argument_must_not_overlap():
    @zg.grad
    def shift(a, b):
        a[0] = b[1] * 2.0
        return a[0] * b[0]

    memory = np.ones(5)
    with pytest.raises(zg.OverlapError):
        shift(memory[1:], memory)
    np.testing.assert_array_equal(shift(np.ones(2), np.ones(2)), [0.0, 0.0])


def exp2_of_both_precisions(x, a):
    return np.exp2(x) + np.exp2(a[0]) * np.exp2(a[0])


def test_exp2_of_both_precisions():
    """Numba itself refuses this."""
    slope, gradient = zg.grad(exp2_of_both_precisions, (0, 1))(1.5, np.array([0.5], np.float32))
    assert gradient.dtype == np.float32
    np.testing.assert_allclose(slope, np.log(2.0) * 2.0**1.5, rtol=1e-14)
    np.testing.assert_allclose(gradient, [2.0 * np.log(2.0) * 2.0], rtol=1e-6)


def largest_of_each_kind(x, n, m):
    total = 0.0
    for k in range(max(n, m)):
        total += max(x, 1.5) * min(n, k) + max(x, m) + min(k, x)
    return total


@pytest.mark.parametrize("x", [0.5, 1.5, 2.5, float("nan")])
def test_extrema_of_numbers(x):
    """Of integers they are ours, of floats and of both kinds Numba's, which take the first operand beside a nan."""
    value, slope = zg.value_and_grad(largest_of_each_kind)(x, 3, 2)
    np.testing.assert_equal(value, largest_of_each_kind(x, 3, 2))
    np.testing.assert_equal(slope, zg.grad(largest_of_each_kind, backend="python")(x, 3, 2))


def rebound(x, n):
    """Each name is assigned in many places, an array and integers among them."""
    y = x
    total, k = 0, 0
    for _ in range(n):
        z = y * 0.5
        for i in range(len(z)):
            total = total + z[i] * k
            k = k + 1 if z[i] > 0.0 else k - 1
        y = z + 1.0
    return total + y[k % 2]


def test_names_assigned_in_many_places():
    """Numba compiles without its SSA form: a name has one type, and the assignment that was last decides."""
    x = np.array([0.3, -3.5, 0.8])
    value, gradient = zg.value_and_grad(rebound)(x, 4)
    expected, wanted = zg.value_and_grad(rebound, backend="python")(x, 4)
    np.testing.assert_allclose((value, expected), rebound(x, 4), rtol=1e-14)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-14)


def steps(x, n):
    total = 0.0
    for k in range(n - 1, -1, -1):
        total = total * x + k
    for k in range(0, n, 3):
        total += x * k
    for k in range(n, 0, -4):
        total -= x * k
    for _ in range(n, 0):
        total += np.nan
    return total


def test_ranges_up_and_down():
    """Canary: the iterator of a range is where its number stands, the stop, the step and where the trips left stand."""
    for n in (0, 1, 2, 3, 4, 5, 7, 8, 9):
        assert zg.jit(steps)(1.5, n) == steps(1.5, n)


def several(x, y):
    return x.T @ y, (x.sum(), y.reshape(y.size), True), 2


def test_loops_are_not_unrolled_at_run_time():
    """Canary: LLVM keeps what it is told of a loop that it cannot vectorise."""

    @zg.jit
    def recurrence(x):
        total = 0.0
        for v in x:
            total = 0.5 * total + v
        return total

    assert recurrence(np.ones(3)) == 1.75
    (text,) = recurrence.inspect_llvm().values()
    assert "llvm.loop.unroll.runtime.disable" in text


def test_arguments_and_results_of_all_kinds():
    """Canary: what the function that Python calls takes, gives and gives up."""
    function = zg.jit(several)
    x, y = np.ones((2, 3)), np.arange(6.0).reshape(2, 3)
    function(x, y)
    counts = sys.getrefcount(x), sys.getrefcount(y)
    product, (total, flat, yes), two = function(x, y)
    assert np.array_equal(product, x.T @ y) and np.array_equal(flat, y.ravel())
    assert (total, yes, two) == (6.0, True, 2)
    del product, flat
    assert (sys.getrefcount(x), sys.getrefcount(y)) == counts
    (compiled,) = function.overloads.values()
    for wrong in ((object(), y), (x, object())):
        with pytest.raises(TypeError, match="can't unbox array"):
            compiled.entry_point(*wrong)
    del wrong
    assert (sys.getrefcount(x), sys.getrefcount(y)) == counts
