"""Types of arguments: what a call is compiled for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zygopy.errors import DtypeError
from zygopy.transform.ir import Op
from zygopy.transform.reading.values import Static
from zygopy.transform.records import rebuilt, record_of
from zygopy.transform.types import BOOL, COMPLEX, FLOAT, INT, Array, Scalar, Type, is_supported

ArgumentType = Type | Static | tuple  # a leaf, an object known at compile time, or a tuple or Record of such
_MEMORY_OF_CUDA = (2, 13)  # kinds of devices in DLPack's numbers: a GPU's own memory, and what it shares with the host
LONGEST = 64  # elements of what counts as a short row; longer ones are vectors already


@dataclass(frozen=True)
class Lengths:
    """What code is specialised to beside types: the axes of length 1 of each argument.

    Code takes lengths of arguments that meet to be equal, and slices to lie within their axes, and tests that at entry;
    `refused` are such tests that have failed, as their messages. A program inside another one has no entry: it asks
    the one around it, which knows its arguments by name, and their axes; `numbers` are those that this one captures.
    """

    ones: tuple
    refused: frozenset[str] = frozenset()
    ask: Callable[[Op, "Named", "Named"], bool] | None = field(default=None, compare=False)
    numbers: list | None = field(default=None, compare=False)


Named = list[tuple[int, tuple | None]]  # a form: its coefficients, with the argument's name and axis, None for 1


def ones_of(value: Any) -> tuple | None:
    """For an argument the axes that have length 1; for a tuple or object those of its members."""
    if is_array(value):
        return tuple(k for k, n in enumerate(value.shape) if n == 1)
    members = record_of(value)
    return None if members is None else tuple(ones_of(v) for v in members)


def with_ones(type_: ArgumentType, ones: tuple | None) -> ArgumentType:
    """The type of an argument with these axes of length 1."""
    if isinstance(type_, Array):
        return replace(type_, ones=ones)
    return rebuilt(type_, map(with_ones, type_, ones)) if isinstance(type_, tuple) else type_


def with_lengths(type_: ArgumentType, value: Any) -> ArgumentType:
    """The type of an argument with the lengths of its arrays."""
    if isinstance(type_, Array) and is_array(value) and len(value.shape) == type_.ndim:
        return replace(type_, lengths=tuple(value.shape))
    if isinstance(type_, tuple) and isinstance(value, tuple) and len(type_) == len(value):
        return rebuilt(type_, map(with_lengths, type_, value))
    return type_


def type_of_array(array: Any, name: str) -> Array:
    """The type of an array of NumPy, or in a GPU's memory of a library with CUDA's interface of arrays.

    Raises
    ------
    DtypeError
        For dtypes that cannot be computed with: object, str, float16; for np.matrix and masked arrays.
    """
    if isinstance(array, np.matrix | np.ma.MaskedArray):
        what = f"{name} is a {type(array).__name__}, whose arithmetic is not that of arrays"
        raise DtypeError(what, help=f"pass an array: np.asarray({name})")
    if isinstance(array, np.ndarray):
        dtype, shape, flags = array.dtype, array.shape, array.flags
        layout, writeable = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A", flags.writeable
    else:
        interface = array.__cuda_array_interface__
        dtype, shape, writeable = np.dtype(interface["typestr"]), tuple(interface["shape"]), not interface["data"][1]
        layout = _layout(shape, dtype.itemsize, interface.get("strides"))
    if not is_supported(dtype) or not dtype.isnative:
        raise DtypeError(f"{name} is an array of {dtype}", help="convert it: x.astype(float)")
    if not 1 <= len(shape) <= 8:
        raise DtypeError(f"{name} is an array with {len(shape)} dimensions", help="pass a number: x.item()")
    return Array(dtype, len(shape), layout, writeable, lengths=shape)


def _layout(shape: tuple[int, ...], itemsize: int, strides: tuple[int, ...] | None) -> str:
    """Whether elements lie by rows, "C", by columns, "F", or in another way, "A"; without strides they lie by rows."""
    wanted = {"C": range(len(shape))[::-1], "F": range(len(shape))}
    for layout, axes in wanted.items():
        step, fits = itemsize, True
        for k in axes:
            fits = fits and (shape[k] == 1 or strides is None or strides[k] == step)
            step *= shape[k]
        if fits or step == 0:
            return layout
    return "A"


def is_array(value: Any) -> bool:
    """Whether a value is an array, in whatever memory."""
    return isinstance(value, np.ndarray) or lives_on_gpu(value)


def lives_on_gpu(value: Any) -> bool:
    """Whether a value is an array in a GPU's memory, by DLPack's device or CUDA's own interface of arrays."""
    if isinstance(value, np.ndarray):
        return False
    if hasattr(type(value), "__dlpack_device__"):
        return value.__dlpack_device__()[0] in _MEMORY_OF_CUDA
    return hasattr(type(value), "__cuda_array_interface__")


def typeof(value: Any, name: str) -> Any:
    """The type of a number or array.

    Raises
    ------
    DtypeError
        For values that cannot be computed with; the message says what to do.
    """
    if is_array(value):
        return type_of_array(value, name)
    if isinstance(value, bool | np.bool_):
        return BOOL
    if isinstance(value, float):  # np.float64 is one
        return FLOAT
    if isinstance(value, int | np.int64):
        return INT
    if isinstance(value, complex):  # np.complex128 is one
        return COMPLEX
    if isinstance(value, np.number) and is_supported(value.dtype):
        return Scalar(value.dtype)
    as_array = hasattr(type(value), "__array__") and not isinstance(value, np.generic)
    raise DtypeError(
        f"{name} is of a type that is not supported ({type(value).__name__})",
        help="pass it as a NumPy array: np.asarray(x)"
        if as_array
        else "pass numbers, arrays, or tuples, lists, dicts, NamedTuples and dataclasses of them",
    )
