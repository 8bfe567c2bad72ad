"""Kernels compiled to PTX and assembled, where the extra `ptx` is installed; no GPU is needed.

After a change of kernels: `python -m tests.ptx`, and read the difference.
"""

from importlib.util import find_spec

import numpy as np
import pytest

import zygopy as zg
from tests import cuda_programs, ptx
from tests.programs import PROGRAMS
from tests.test_cuda_models import MODELS

pytestmark = pytest.mark.skipif(find_spec("numba_cuda") is None, reason="needs numba-cuda")


SINGLE = [
    f for f in cuda_programs.SAMPLES if f is not cuda_programs.special_functions
]  # these are of float64 everywhere


def test_registers_and_spills_are_what_the_table_says():
    table = ptx.table()
    assert table == ptx.TABLE.read_text()
    spills = table.split("\n")[0].index("spills")
    assert all(line[spills:].split()[0] == "0/0" for line in table.split("\n")[1:-1])


@pytest.mark.parametrize("function", cuda_programs.IN_FLOAT32, ids=lambda f: f.__name__)
def test_float32_kernels_compute_in_float32(function):
    """All but sine and cosine, which NVIDIA's library reduces in float64 where the argument is large."""
    for kernel in ptx.kernels_of(function, np.float32):
        allowed = kernel.text.count("np.sin(") + kernel.text.count("np.cos(")
        assert ptx.assembled(kernel, (9, 0)).doubles <= allowed, kernel.text


@pytest.mark.parametrize("name", PROGRAMS)
def test_kernels_of_programs_do_not_spill(name):
    p = PROGRAMS[name]
    try:
        kernels = ptx.made_for(p.function, p.argnums, p.args())
    except zg.UnsupportedError:
        pytest.skip("refused on backend cuda, as test_cuda says")
    do_not_spill(kernels)


@pytest.mark.parametrize("name", MODELS)
def test_kernels_of_models_do_not_spill_and_compute_in_float32(name):
    loss, *args = MODELS[name]
    doubles = do_not_spill(ptx.made_for(loss, 0, args))
    assert doubles == 0


def do_not_spill(kernels) -> int:
    """Assemble kernels for each kind of GPU; how many of their instructions compute in float64."""
    doubles = 0
    for kernel in kernels:
        for compute in ptx.COMPUTE:
            found = ptx.assembled(kernel, compute)
            assert found.spills == 0, kernel.text
            doubles += found.doubles
    return doubles
