"""The oracle of programs of whole arrays: the user's source, run by NumPy in long double, and differences of it.

What it cannot see: points nearer to a kink than its steps; it raises Unstable there.
"""

import numpy as np

from tests import oracle

STEP = np.longdouble(1) / 2**15


class Unstable(Exception):
    """The program's derivative is too sensitive to rounding to be compared."""


class LongNumpy:
    """NumPy, whose floats are long doubles."""

    float64 = float32 = np.longdouble

    def __getattr__(self, name):
        return getattr(np, name)

    def zeros(self, shape, dtype=np.longdouble):
        return np.zeros(shape, dtype)

    def ones(self, shape, dtype=np.longdouble):
        return np.ones(shape, dtype)

    def empty(self, shape, dtype=np.longdouble):
        return np.empty(shape, dtype)

    def sign(self, x):
        """At 0 the sign is 0, beside it is not: no difference of the program shows the derivative of what it says."""
        if np.any(np.asarray(x) == 0):
            raise Unstable("a sign of 0")
        return np.sign(x)

    def full(self, shape, value, dtype=np.longdouble):
        return np.full(shape, value, dtype)


def in_long_double(f):
    """The function of the same name in its module, made again over long doubles."""
    namespace: dict = {}
    with open(f.__globals__["__file__"]) as file:
        exec(compile(file.read(), "<long double>", "exec"), namespace)
    for name, value in namespace.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            namespace[name] = value.astype(np.longdouble)
    namespace["np"] = LongNumpy()
    return namespace[f.__name__]


def directional(f, args, tangents) -> tuple:
    """Value and tangent of f along tangents (None for an argument that stands still)."""
    long = in_long_double(f)

    def at(t):
        moved = [
            a if d is None else np.asarray(a, np.longdouble)[()] + t * d for a, d in zip(args, tangents, strict=True)
        ]
        moved = [a.copy() if isinstance(a, np.ndarray) else a for a in moved]
        with np.errstate(all="ignore"):
            return long(*moved)

    middle = at(0)

    def slope(h):
        """The slope, and what the slope to the right is more than that to the left."""
        right, left = at(h), at(-h)
        return (8 * (right - left) - (at(2 * h) - at(-2 * h))) / (12 * h), (right - 2 * middle + left) / h

    (coarse, coarse_turn), (fine, fine_turn) = slope(STEP), slope(STEP / 4)
    kink = (4 * fine_turn - coarse_turn) / 3  # a smooth function turns in proportion to the step
    if not (abs(coarse - fine) <= 1e-9 * (1 + abs(fine)) and abs(kink) <= 1e-7 * (1 + abs(fine))):
        raise Unstable("a kink")
    return middle, float(fine)


plain = oracle.plain
