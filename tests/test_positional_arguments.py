"""Arguments by position mean what NumPy means by them, or are refused: no function takes one for another."""

import numpy as np
import pytest
import scipy.fft
import scipy.special

import zygopy as zg

CALLS = """
    np.fft.fft2(x, (1, 1)).real
    scipy.fft.fft(x, 3, 0, None, False).imag
    np.nan_to_num(x / 0.0 * 0.0, True, 3.0)
    np.nan_to_num(x / 0.0 * 0.0, False, 3.0)
    np.mean(x, 0, None, None, True) * x
    np.mean(x, 0, np.float32) * x
    np.var(x, 0, None, None, 1) * x
    x.var(0, None, None, 1) * x
    x.max(0, None, True) * x
    np.max(x, 0, None, True) * x
    np.argmax(x, 0, None)
    np.sum(x, 0, np.float32) * x
    np.sin(x, y) + y
    np.add(x, x, y) + y
    np.clip(x, 1, 2, y) + y
    np.quantile(x, 0.5, 0, None, False, "linear", True) * x
    np.median(x, 0, None, False, True) * x
    np.prod(x, 0, None, None, True) * x
    np.cumsum(x, 0, np.float32)
    x.cumsum(0, np.float32)
    np.concatenate((x, x), 0, None)
    np.zeros(3, np.float32, "C") + x
    x.astype(np.float32, "F")
    np.linspace(0, x[0, 0], 5, False)
    np.linspace(0, x[0, 0], 5, True, False)
    np.searchsorted(x[0], x[1], "right")
    np.take(x, [0, 1], 1, None, "raise")
    np.take(x, [0, 4], 1, None, "clip")
    np.trapezoid(x[0], x[1], 0.1, 0)
    np.interp(0.1, x[0], x[1], 0.25, 1.0)
    np.linalg.norm(x, None, 1, True) * x
    np.linalg.svd(x, False, False)
    np.broadcast_to(x, (2, 2, 3), True)
    np.nansum(x, 0, None, None, True) * x
    scipy.special.logsumexp(x, 0, x, True) * x
"""


@pytest.mark.parametrize("call", [line.strip() for line in CALLS.strip().split("\n")])
def test_calls_give_numpys_values_or_are_refused(call, tmp_path):
    file = tmp_path / "calls.py"
    file.write_text(f"def f(x, y):\n    return np.sum(np.sin(0.3 + {call}))\n")
    names: dict = {"np": np, "scipy": scipy}
    exec(compile(file.read_text(), str(file), "exec"), names)
    x, y = np.arange(6.0).reshape(2, 3) + 0.5, np.zeros((2, 3))
    with np.errstate(all="ignore"):
        try:
            expected = names["f"](x, y.copy())
        except TypeError:
            expected = None  # NumPy has not so many
        try:
            found = zg.jit(names["f"], backend="python")(x, y.copy())
        except zg.ZygopyError:
            return
    assert expected is not None
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_argument_that_is_not_taken_is_named():
    def f(x):
        return np.sum(np.cumsum(x, 0, np.float32))

    with pytest.raises(zg.UnsupportedError) as caught:
        zg.grad(f, backend="python")(np.ones(3))
    assert caught.value.what == "this call of cumsum is not supported: its argument dtype"
