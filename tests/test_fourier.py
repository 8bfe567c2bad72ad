"""Fourier transforms in compiled code, at lengths of all kinds, and their derivatives."""

import numpy as np
import pytest

import zygopy as zg

RNG = np.random.default_rng(0)


@zg.jit
def transforms(z):
    return np.fft.fft(z), np.fft.ifft(z)


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
def test_lengths(dtype):
    """Small factors, primes above 13, and powers of both."""
    for n in (*range(1, 65), 97, 127, 128, 169, 360, 509, 1000, 1024, 1009):
        z = (RNG.normal(size=n) + 1j * RNG.normal(size=n)).astype(dtype)
        for found, wanted in zip(transforms(z), (np.fft.fft(z), np.fft.ifft(z)), strict=True):
            assert found.dtype == dtype
            assert np.max(np.abs(found - wanted)) <= 20 * np.finfo(dtype).eps * np.max(np.abs(wanted))
    assert np.all(transforms(z[::3])[0] == transforms(z[::3].copy())[0])


def test_no_numbers():
    with pytest.raises(ValueError, match="Invalid number of FFT data points"):
        transforms(np.zeros(0, complex))


def filtered(x, w):
    z = np.fft.rfft(x, axis=0)
    low = np.fft.irfft(z * np.exp(-w[0] * np.fft.rfftfreq(len(x), 0.1))[:, None], n=len(x), axis=0)
    return np.sum((low - x) ** 2) + np.sum(np.abs(np.fft.fft2(x)) * w[1])


@pytest.mark.parametrize("backend", ["python", "cpu"])
def test_gradient_and_tangent(backend):
    x, w = RNG.normal(size=(7, 3)), np.array([0.3, 0.2])
    gradient = zg.grad(filtered, (0, 1), backend=backend)(x, w)
    for k, step in ((0, RNG.normal(size=x.shape)), (1, RNG.normal(size=2))):
        ends = [filtered(*(a + h * step if j == k else a for j, a in enumerate((x, w)))) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(np.sum(gradient[k] * step), (ends[0] - ends[1]) / 2e-6, rtol=1e-6)
    _, tangent = zg.jvp(filtered, (x, w), (x[::-1].copy(), w), backend=backend)
    np.testing.assert_allclose(tangent, np.sum(gradient[0] * x[::-1]) + np.sum(gradient[1] * w), rtol=1e-10)


def test_gradient_of_a_complex_argument():
    """The adjoint of z is df/dx - i df/dy, and the transform is a symmetric matrix."""
    z, weights = RNG.normal(size=5) + 1j * RNG.normal(size=5), RNG.normal(size=5)
    gradient = zg.grad(lambda z: np.sum(np.fft.fft(z).real * weights), backend="python")(z)
    np.testing.assert_allclose(gradient, np.fft.fft(weights), rtol=1e-12)
