"""The corpus against itself: the oracle agrees with CPython's values and with finite differences on every program."""

import numpy as np
import pytest

from tests import oracle
from tests.programs import PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_oracle_on(name):
    """Cannot see anything of zygopy: this is what makes the oracle one."""
    p = PROGRAMS[name]
    expected, after = oracle.plain(p.function, p.args())
    got, lifted = oracle.run(p.function, tuple(map(oracle.lift, p.args())))
    np.testing.assert_allclose(oracle.value(got), expected, rtol=1e-12 if "float32" not in p.tags else 1e-5)
    for a, b in zip(after, lifted, strict=True):
        if isinstance(a, np.ndarray):
            np.testing.assert_allclose(oracle.value(b) if a.dtype.kind == "f" else b, a, rtol=1e-12)
    if not p.differences or "float32" in p.tags:
        return
    gradient = oracle.gradient(p.function, p.args(), p.argnums)
    check(gradient, oracle.finite_differences(p.function, p.args(), p.argnums))


def check(got, expected):
    if isinstance(got, tuple):
        for g, e in zip(got, expected, strict=True):
            check(g, e)
    else:
        scale = 1 + np.max(np.abs(expected), initial=0.0)
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-7 * scale)
