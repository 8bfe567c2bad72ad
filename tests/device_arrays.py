"""Arrays as libraries for GPUs have them, in the host's memory: they never become NumPy's by themselves.

`Array` and `Library` stand for CuPy's arrays and functions, `ForeignArray` for an array of another library.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

_CUDA = 2  # a GPU, in DLPack's numbers


class ForeignArray:
    """An array with which nothing can be done but to pass it on."""

    def __init__(self, array: np.ndarray):
        self.array, self.dtype, self.shape = array, array.dtype, array.shape

    @property
    def __cuda_array_interface__(self) -> dict:
        return self.array.__array_interface__


class Array(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that is computed with; what comes of it are such arrays, without axes too, or Python's objects."""

    def __init__(self, array: np.ndarray):
        self.array = array

    @property
    def __cuda_array_interface__(self) -> dict:
        return self.array.__array_interface__

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CUDA, 0

    def __array__(self, *_, **__):
        raise TypeError("an array in a GPU's memory becomes NumPy's")

    def __array_ufunc__(self, ufunc, method: str, *inputs, **kwargs):
        return applied(getattr(ufunc, method), inputs, kwargs)

    def __getattr__(self, name: str):
        value = getattr(self.array, name)
        if not callable(value):
            return wrapped(value)
        return lambda *args, **kwargs: applied(value, args, kwargs, name == "tolist")

    def __len__(self) -> int:
        return len(self.array)

    def __bool__(self) -> bool:
        raise TypeError("the host waits for what a GPU computes")

    __float__ = __int__ = __index__ = __complex__ = __bool__

    def __getitem__(self, index):
        found = self.array[unwrapped(index)]
        return Array(np.asarray(found))

    def __setitem__(self, index, value) -> None:
        if isinstance(value, np.ndarray):
            raise TypeError("an array of the host is stored into one in a GPU's memory")
        self.array[unwrapped(index)] = unwrapped(value)


class Library:
    """A module of NumPy or SciPy whose functions take and give arrays in a GPU's memory; `own` are other functions."""

    def __init__(self, module: ModuleType, **own: Callable):
        self.module, self.own = module, own

    def __getattr__(self, name: str):
        value = self.own.get(name) or getattr(self.module, name)
        if isinstance(value, ModuleType):
            return Library(value)
        if not callable(value) or isinstance(value, type):
            return value
        return lambda *args, **kwargs: applied(value, args, kwargs)


def applied(f: Callable, args: tuple, kwargs: dict, gives_objects: bool = False) -> Any:
    """The arrays that a function of NumPy makes, in a GPU's memory; NumPy's own are not taken."""
    if any(isinstance(a, np.ndarray) for a in (*args, *kwargs.values())):
        raise TypeError("an array of the host meets one in a GPU's memory")
    found = f(*map(unwrapped, args), **{name: unwrapped(value) for name, value in kwargs.items()})
    return found if gives_objects else wrapped(found)


def wrapped(value: Any) -> Any:
    """NumPy's arrays and numbers of a structure as such arrays."""
    if isinstance(value, tuple):
        return tuple(map(wrapped, value)) if any(isinstance(v, np.ndarray) for v in value) else value
    return Array(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


def unwrapped(value: Any) -> Any:
    """Such arrays of a structure as NumPy's."""
    if isinstance(value, tuple | list):
        return type(value)(map(unwrapped, value))
    return value.array if isinstance(value, Array) else value
