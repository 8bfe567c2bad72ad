"""What concerns GPUs only: how programs of backend cuda are compiled. Nothing of CUDA is imported here."""

from collections.abc import Iterator
from contextlib import contextmanager

from zygopy.backends import gpu


@contextmanager
def deterministic(on: bool = True) -> Iterator[None]:
    """Calls inside give the same numbers, to the last bit, in each run.

    What threads would add to one element in the order in which they come, as in the adjoint of `x[index]`, one thread
    adds up. That is slower, where the additions of many cannot be turned around: then one thread does the whole loop.
    Other sums have a fixed order anyway. A function that is called inside and outside has code for both.

    Parameters
    ----------
    on : bool
        False: inside, the order of such additions is free again.

    Examples
    --------
    >>> import numpy as np
    >>> import zygopy as zg
    >>> def picked(x, index):
    ...     return np.sum(x[index] ** 2)
    >>> x, index = np.ones(3), np.array([0, 2, 2])
    >>> zg.grad(picked).source(x, index, target="cuda").count("cuda.atomic.add")
    1
    >>> with deterministic():
    ...     zg.grad(picked).source(x, index, target="cuda").count("cuda.atomic.add")
    0
    """
    gpu._deterministic.append(on)
    try:
        yield
    finally:
        gpu._deterministic.pop()


__all__ = ["deterministic"]
