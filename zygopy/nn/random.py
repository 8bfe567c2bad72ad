"""Random numbers inside differentiated functions: pure functions of a key.

A key is an integer. Equal keys give equal numbers, so that a derivative sees the numbers that its function saw, and
nothing is hidden: a training step takes a new key, and `split` makes one for each place that needs one.
"""

import numpy as np

_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def random_bits(key, count):
    """`count` integers of 64 random bits: SplitMix64 from a scrambled key (Steele et al. 2014)."""
    counters = np.arange(1, count + 1).astype(np.uint64) * _STEP
    return _mixed(counters + _mixed(counters * 0 + np.uint64(key)))


def _mixed(z):
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


def split(key, count):
    """`count` keys from one.

    Examples
    --------
    >>> first, second = split(0, 2)
    >>> bool(first == second)
    False
    """
    bits = random_bits(key, count)
    return tuple(bits[k] for k in range(count))


def uniform_like(x, key):
    """Uniform between 0 and 1, of the shape and dtype of x.

    Examples
    --------
    >>> uniform_like(np.zeros((2, 3), np.float32), 1).shape
    (2, 3)
    """
    bits = random_bits(key, x.size) >> np.uint64(40)
    return (bits.astype(x.dtype) * 2.0**-24).reshape(x.shape)
