"""First values of parameters: functions of a shape and a random generator that give an array, of float32 by default.

The last two axes of a weight are its inputs and its outputs; those before them are the kernel of a convolution. A unit
has fan_in inputs and fan_out outputs. `rng` is a `numpy.random.Generator`, or a seed of one. A layer takes one with
settings of its own as `init=partial(kaiming_normal, gain=1.0)`.
"""

import math

import numpy as np

_OF_RELU = math.sqrt(2.0)  # what relu takes away
_TRUNCATED_STD = 0.8796256610342398  # of a normal distribution cut off at two standard deviations


def fans(shape):
    """The number of inputs of a unit, and of outputs, of a weight of a shape.

    Examples
    --------
    >>> fans((3, 3, 16, 32))
    (144, 288)
    """
    kernel = math.prod(shape[:-2])
    return (kernel * shape[-2], kernel * shape[-1]) if len(shape) > 1 else (shape[0], shape[0])


def zeros(shape, rng=None, *, dtype=np.float32):
    """An array of zeros."""
    return np.zeros(shape, dtype)


def ones(shape, rng=None, *, dtype=np.float32):
    """An array of ones."""
    return np.ones(shape, dtype)


def identity_matrix(shape, rng=None, *, dtype=np.float32):
    """Ones where the last two indices are equal in the middle of the kernel, zeros elsewhere."""
    made = np.zeros(shape, dtype)
    made[tuple(n // 2 for n in shape[:-2])] = np.eye(*shape[-2:])
    return made


def uniform(shape, rng=None, limit=0.05, *, dtype=np.float32):
    """Uniform between -limit and limit."""
    return np.random.default_rng(rng).uniform(-limit, limit, shape).astype(dtype)


def normal(shape, rng=None, std=0.05, *, dtype=np.float32):
    """Normal with mean 0."""
    return np.random.default_rng(rng).normal(0.0, std, shape).astype(dtype)


def truncated_normal(shape, rng=None, std=0.05, *, dtype=np.float32):
    """Normal with mean 0, cut off at two standard deviations and scaled to the standard deviation `std`."""
    rng = np.random.default_rng(rng)
    made = rng.normal(size=shape)
    while np.any(far := np.abs(made) > 2.0):
        made[far] = rng.normal(size=np.count_nonzero(far))
    return (made * (std / _TRUNCATED_STD)).astype(dtype)


def glorot_uniform(shape, rng=None, gain=1.0, *, dtype=np.float32):
    """Uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010)."""
    return uniform(shape, rng, gain * math.sqrt(6.0 / sum(fans(shape))), dtype=dtype)


def glorot_normal(shape, rng=None, gain=1.0, *, dtype=np.float32):
    """Normal with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010)."""
    return normal(shape, rng, gain * math.sqrt(2.0 / sum(fans(shape))), dtype=dtype)


def kaiming_uniform(shape, rng=None, gain=_OF_RELU, *, dtype=np.float32):
    """Uniform with variance gain**2 / fan_in (He et al. 2015)."""
    return uniform(shape, rng, gain * math.sqrt(3.0 / fans(shape)[0]), dtype=dtype)


def kaiming_normal(shape, rng=None, gain=_OF_RELU, *, dtype=np.float32):
    """Normal with variance gain**2 / fan_in (He et al. 2015)."""
    return normal(shape, rng, gain / math.sqrt(fans(shape)[0]), dtype=dtype)


def lecun_uniform(shape, rng=None, *, dtype=np.float32):
    """Uniform with variance 1 / fan_in (LeCun et al. 1998)."""
    return kaiming_uniform(shape, rng, 1.0, dtype=dtype)


def lecun_normal(shape, rng=None, *, dtype=np.float32):
    """Truncated normal with variance 1 / fan_in (LeCun et al. 1998)."""
    return truncated_normal(shape, rng, 1.0 / math.sqrt(fans(shape)[0]), dtype=dtype)


def orthogonal(shape, rng=None, gain=1.0, *, dtype=np.float32):
    """A matrix with orthonormal rows or columns, by all axes but the last one (Saxe et al. 2014)."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    made = np.random.default_rng(rng).normal(size=(max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(made)
    q *= np.sign(np.diagonal(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)
