"""What concerns GPUs only: how programs of backend cuda are compiled and launched. Nothing of CUDA is imported here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from zygopy.backends import gpu
from zygopy.structures import mapped
from zygopy.transform.arguments import lives_on_gpu


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


def graph(function: Callable) -> Callable:
    """A function whose launches of kernels are captured, so that later calls make them all at once.

    The second call with the same arrays captures what the function launches, loops of the host unrolled; that and all
    later ones with these arrays run as one graph. A training step that changes a model in place is such a function:
    batches are copied into the same arrays. With other arrays, or other numbers, the function has other graphs.

    Parameters
    ----------
    function : callable
        Of arrays in the GPU's memory, numbers and structures of them; what it does on the GPU are calls of zygopy's
        operators. It may neither wait for the GPU (`to_host`, factorisations, tapes that grow) nor do anything else in
        Python that each call should do. Tests of indices that depend on data are waited for behind the graph.

    Returns
    -------
    callable
        Its results are the arrays of the graph, which the next call overwrites.

    Raises
    ------
    ArgumentError
        When it is called: where there is no GPU.
    UnsupportedError
        When it is called: where the function waits for the GPU.
    """
    runs: dict[tuple, Callable | None] = {}

    @wraps(function)
    def call(*args: Any) -> Any:
        device = gpu.device()
        key = tuple(found for a in args for found in _identity(a))
        if key not in runs:
            runs[key] = None
            return function(*args)  # kernels are compiled in the first call
        if runs[key] is None:
            runs[key] = device.captured(lambda: function(*args))
        again = runs[key]
        assert again is not None
        return again()

    return call


def _identity(tree: Any) -> list:
    """What tells the leaves of a call from those of another one: where arrays are, and what else there is."""
    found: list = []

    def leaf(value: Any, name: str) -> Any:
        if lives_on_gpu(value):
            memory = gpu.device().taken(value, name).__cuda_array_interface__
            value = (memory["data"][0], memory["shape"], memory["typestr"], memory.get("strides"))
        elif isinstance(value, np.ndarray):
            value = id(value)
        found.append((name, value))
        return value

    mapped(leaf, tree, "")
    return found


__all__ = ["deterministic", "graph"]
