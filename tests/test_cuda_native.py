"""Kernels at real sizes in float32, as native loops over the grid (`grid_native`), against the CPU backend."""

import numpy as np
import pytest

import zygopy as zg
from tests import cuda_programs
from tests.compare import assert_close
from tests.grid_native import NativeRunner
from tests.grid_runner import on


def floats(*shape, shift=0.0, scale=1.0):
    return (shift + scale * np.random.default_rng(0).random(shape)).astype(np.float32)


PROGRAMS = {
    cuda_programs.chain: (floats(10**6), floats(10**6, shift=-0.5), floats(10**6)),
    cuda_programs.softmax_cross_entropy: (floats(1000, 300), floats(1000, 300)),
    cuda_programs.black_scholes: (*(floats(10**6, shift=0.5) for _ in range(4)), 0.1),
    cuda_programs.n_body: (floats(500, 2, scale=9.0), floats(500, shift=0.5)),
    cuda_programs.layer_norm: (floats(500, 300), floats(300, shift=0.5)),
}


@pytest.mark.parametrize("function", PROGRAMS, ids=lambda f: f.__name__)
def test_gradients_at_real_sizes(function):
    args, argnums = PROGRAMS[function], cuda_programs.argnums_of(function)
    double = tuple(a.astype(np.float64) if isinstance(a, np.ndarray) else a for a in args)
    with on(NativeRunner(), threads=1) as runner:
        value, gradient = zg.to_host(zg.value_and_grad(function, argnums, backend="cuda")(*zg.to_device(args)))
    assert runner.launches
    expected = zg.value_and_grad(function, argnums)(*double)
    assert all(g.dtype == np.float32 for g in gradient)
    assert_close(value, np.float32(expected[0]), 2e-5, "value")
    for got, wanted in zip(gradient, expected[1], strict=True):
        assert np.max(np.abs(got - wanted)) < 1e-5 * np.max(np.abs(wanted))
