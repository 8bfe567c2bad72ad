"""Arguments by position mean what NumPy means by them, or are refused by name: no function takes one for another."""

import numpy as np
import pytest
import scipy.fft
import scipy.special

import zygopy as zg

CALLS = """
    np.fft.fft2(x, (1, 1)).real
    scipy.fft.fft(x, 3, 0, None, False).imag
    np.nan_to_num(x / 0.0 * 0.0, True, 3.0)
    np.mean(x, 0, None, None, True) * x
    np.var(x, 0, None, None, 1) * x
    x.var(0, None, None, 1) * x
    np.max(x, 0, None, True) * x
    np.argmax(x, 0, None)
    np.sum(x, 0, np.float32) * x
    np.mean(x, 0, np.float32) * x
    np.sum(x, 0, None, None, False, 2.0) * x
    np.max(x, 0, None, False, 0.5) * x
    x.clip(-0.5, 0.5) + x.clip(max=0.1) + np.clip(x, min=0.2)
    np.prod(x, 0, None, None, True, 2.0) * x
    x.cumsum(0, np.float32)
    np.quantile(x, 0.5, 0, None, False, "linear", True) * x
    np.median(x, 0, None, False, True) * x
    np.prod(x, 0, None, None, True) * x
    np.concatenate((x, x), 0, None)
    np.zeros(3, np.float32, "C") + x
    np.linspace(0, x[0, 0], 5, False)
    np.linspace(0, x[0, 0], 5, True, False)
    np.searchsorted(x[0], x[1], "right")
    np.take(x, [0, 1], 1, None, "raise")
    np.interp(0.1, x[0], x[1], 0.25, 1.0)
    np.linalg.norm(x, None, 1, True) * x
    np.linalg.svd(x, False, False)
    np.nansum(x, 0, None, None, True) * x
    scipy.special.logsumexp(x, 0, x, True) * x
"""

REFUSED = {
    "np.nan_to_num(x / 0.0 * 0.0, False, 3.0)": "this call of nan_to_num is not supported: its argument copy",
    "np.var(x, 0, np.float32) * x": "this call of var is not supported: its argument dtype",
    "x.max(0, None, True) * x": "this call of max is not supported: too many arguments",
    "np.sin(x, y) + y": "sin takes 1 number, not 2",
    "np.add(x, x, y) + y": "add takes 2 numbers, not 3",
    "np.clip(x, 1, 2, y) + y": "this call of clip is not supported: its argument out",
    "np.cumsum(x, 0, None, x)": "this call of cumsum is not supported: its argument out",
    'x.astype(np.float32, "F")': "this call of astype is not supported: its argument order",
    'np.take(x, [0, 4], 1, None, "clip")': "this call of take is not supported: its argument mode",
    "np.trapezoid(x[0], x[1], 0.1, 0)": "this call of trapezoid is not supported: its argument axis",
    "np.broadcast_to(x, (2, 2, 3), True)": "this call of broadcast_to is not supported: its argument subok",
}


def function_of(call: str, folder):
    """A function of two arrays that adds up what a call gives."""
    file = folder / "calls.py"
    file.write_text(f"def f(x, y):\n    return np.sum(np.sin(0.3 + {call}))\n")
    names: dict = {"np": np, "scipy": scipy}
    exec(compile(file.read_text(), str(file), "exec"), names)
    return names["f"]


@pytest.mark.parametrize("call", [line.strip() for line in CALLS.strip().split("\n")])
def test_calls_give_numpys_values(call, tmp_path):
    f, x, y = function_of(call, tmp_path), np.arange(6.0).reshape(2, 3) + 0.5, np.zeros((2, 3))
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(zg.jit(f, backend="python")(x, y.copy()), f(x, y.copy()), rtol=1e-12)


@pytest.mark.parametrize("call", REFUSED)
def test_other_calls_are_refused(call, tmp_path):
    with pytest.raises(zg.ZygopyError) as caught:
        zg.jit(function_of(call, tmp_path), backend="python")(np.ones((2, 3)), np.zeros((2, 3)))
    assert caught.value.what == REFUSED[call]
