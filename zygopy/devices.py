"""Copies between the host's memory and a GPU's: whole models and data, structure by structure."""

from typing import Any

import numpy as np

from zygopy.backends import gpu
from zygopy.structures import arrays_on_gpu, mapped
from zygopy.transform.arguments import lives_on_gpu


def to_device(tree: Any) -> Any:
    """A copy with all NumPy arrays in the GPU's memory, as CuPy's; numbers and everything else stay as they are.

    Parameters
    ----------
    tree : array, number, tuple, list, dict, NamedTuple or dataclass
        Nested as it may be, of any shapes and dtypes.

    Raises
    ------
    ArgumentError
        Where there is no GPU, or CuPy or Numba-CUDA are missing.
    """
    device = gpu.device()
    return mapped(lambda leaf, _: device.put(leaf) if isinstance(leaf, np.ndarray) else leaf, tree, "")


def to_host(tree: Any) -> Any:
    """A copy with all arrays of a GPU as NumPy's; waits for them. Arrays without axes become NumPy's numbers."""
    if not arrays_on_gpu(tree):
        return tree
    device = gpu.device()
    return mapped(lambda leaf, _: device.get(leaf)[()] if lives_on_gpu(leaf) else leaf, tree, "")
