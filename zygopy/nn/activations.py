"""Activations: functions of numbers and arrays, applied to each element.

`softmax` and `log_softmax` act along an axis. Any function of one array can be an activation.
"""

import math

import numpy as np
from scipy.special import erf, expit


def identity(x):
    """x"""
    return x


def relu(x):
    """max(x, 0); its derivative at 0 is 0."""
    return np.where(x > 0, x, 0)


def relu6(x):
    """min(max(x, 0), 6)"""
    return np.minimum(relu(x), 6)


def leaky_relu(x, slope=0.01):
    """x where it is positive, slope * x elsewhere."""
    return np.where(x > 0, x, slope * x)


def elu(x, alpha=1.0):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert et al. 2016)."""
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x)))


def celu(x, alpha=1.0):
    """x where it is positive, alpha * (exp(x / alpha) - 1) elsewhere (Barron 2017)."""
    return np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x) / alpha))


def selu(x):
    """The scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017)."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def gelu(x):
    """x times the normal distribution's cdf of x (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


def gelu_tanh(x):
    """gelu, with its approximation by tanh (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def sigmoid(x):
    """1 / (1 + exp(-x))"""
    return expit(x)


def log_sigmoid(x):
    """log(sigmoid(x))"""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def hardsigmoid(x):
    """(x + 3) / 6 between 0 and 1 (Howard et al. 2019)."""
    return np.clip((x + 3) / 6, 0, 1)


def tanh(x):
    """tanh(x)"""
    return np.tanh(x)


def hardtanh(x):
    """x between -1 and 1."""
    return np.clip(x, -1, 1)


def tanhshrink(x):
    """x - tanh(x)"""
    return x - np.tanh(x)


def softplus(x):
    """log(1 + exp(x))"""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softsign(x):
    """x / (1 + abs(x))"""
    return x / (1 + np.abs(x))


def softshrink(x, threshold=0.5):
    """x moved towards 0 by a threshold, and no further."""
    return x - np.clip(x, -threshold, threshold)


def swish(x):
    """x * sigmoid(x), also called SiLU (Ramachandran et al. 2017)."""
    return x * expit(x)


def hardswish(x):
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    return x * np.clip((x + 3) / 6, 0, 1)


def mish(x):
    """x * tanh(softplus(x)) (Misra 2019)."""
    return x * np.tanh(softplus(x))


def softmax(x, axis=-1):
    """exp(x) over its sum along an axis."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def log_softmax(x, axis=-1):
    """log(softmax(x))"""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
