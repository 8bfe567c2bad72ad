"""Memory of arrays in compiled code: kept when arrays die, and never shared by two that live.

Cannot see what the memory of a process costs; `benchmarks.memory` measures that.
"""

import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import zygopy as zg


@zg.grad
def gradient(x):
    y = np.sin(x)
    return np.sum(y * y * x)


def wanted(x):
    return np.sin(x) ** 2 + x * np.sin(2 * x)


@zg.jit
def untouched(n):
    return np.empty(n)


SIZES = (3, 4095, 4096, 5119, 5121, 8191, 100_000, 1_000_000)  # elements, around the first sizes that are kept


def test_arrays_that_live_share_no_memory():
    """Also on both sides of the sizes of a class."""
    for n in SIZES:
        x = np.linspace(0.0, 1.0, n)
        found = [gradient(x * k) for k in range(20)]
        del found[::2]
        found += [gradient(x * k) for k in range(0, 20, 2)]
        for g, k in zip(found, (*range(1, 20, 2), *range(0, 20, 2)), strict=True):
            np.testing.assert_allclose(g, wanted(x * k), rtol=1e-12, atol=1e-14)
        assert not any(np.shares_memory(a, b) for a, b in itertools.combinations(found, 2))


def test_memory_serves_again():
    x = np.linspace(0.0, 1.0, 200_000)
    places = {gradient(x).ctypes.data for _ in range(10)}
    assert len(places) == 1


def test_memory_is_given_back():
    arrays = [untouched(10_000) for _ in range(50)]
    zg.release_memory()
    assert zg.release_memory() == 0
    del arrays
    assert 50 * 80_000 <= zg.release_memory() <= 50 * 80_000 * 1.25
    assert zg.release_memory() == 0


def test_not_all_memory_is_kept():
    """Beyond 1 GiB everything is given back, so that what is kept is of sizes that are in use."""
    zg.release_memory()
    for total, kept in ((15, 15), (17, 1)):
        arrays = [untouched((64 << 17) - 1000) for _ in range(total)]
        del arrays
        assert zg.release_memory() == kept * (64 << 20)
    assert untouched(1 << 28).size == 1 << 28  # 2 GiB
    assert zg.release_memory() == 0


def test_large_arrays_begin_where_a_line_of_memory_does():
    """Canary: it depends on the length of Numba's own header."""
    found = [gradient(np.ones(n)) for n in SIZES[2:]]
    assert all(g.ctypes.data % 64 == 0 for g in found)


def test_arrays_too_large_for_the_memory():
    for n in (1 << 50, (1 << 60) - 1):
        with pytest.raises(MemoryError, match="Allocation failed"):
            untouched(n)
    with pytest.raises(ValueError, match="too big"):
        untouched(1 << 60)


def test_threads():
    """Each thread has arrays of its own while others give theirs back, some of them made by other threads."""
    x = np.linspace(0.0, 1.0, 50_000)
    held = [gradient(x)] * 8

    def run(k):
        for _ in range(50):
            held[(k + 1) % 8] = g = gradient(x * k)
            if not np.array_equal(g, at[k]):
                return False
        return True

    at = {k: gradient(x * k) for k in range(8)}
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))


PROGRAM = """
import os, sys
import numpy as np
from tests.test_allocation import gradient

x = np.linspace(0.0, 1.0, 50_000)
sys.kept = gradient(x)  # lives until the interpreter is gone
child = os.fork() if hasattr(os, "fork") else None
again = [gradient(x) for _ in range(3)]
assert all(np.array_equal(sys.kept, g) for g in again)
sys.others = again
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_forked_processes_and_arrays_that_outlive_the_interpreter():
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], check=True)
