"""Kernels compiled to PTX and assembled, where numba-cuda and NVIDIA's wheels are installed; CI has them not.

After a change of kernels: `python -m tests.ptx`, and read the difference.
"""

from importlib.util import find_spec

import numpy as np
import pytest

from tests import cuda_programs, ptx

pytestmark = pytest.mark.skipif(find_spec("numba_cuda") is None, reason="needs numba-cuda")


def test_registers_and_spills_are_what_the_table_says():
    table = ptx.table()
    assert table == ptx.TABLE.read_text()
    spills = table.split("\n")[0].index("spills")
    assert all(line[spills:].split()[0] == "0/0" for line in table.split("\n")[1:-1])


@pytest.mark.parametrize("function", cuda_programs.SAMPLES, ids=lambda f: f.__name__)
def test_float32_kernels_compute_in_float32(function):
    """All but sine and cosine, which NVIDIA's library reduces in float64 where the argument is large."""
    for kernel in ptx.kernels_of(function, np.float32):
        allowed = kernel.text.count("np.sin(") + kernel.text.count("np.cos(")
        assert ptx.assembled(kernel, (9, 0)).doubles <= allowed, kernel.text
