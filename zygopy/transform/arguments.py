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


def ones_of(value: object) -> tuple | None:
    """For an argument the axes that have length 1; for a tuple or object those of its members."""
    if isinstance(value, np.ndarray):
        return tuple(k for k, n in enumerate(value.shape) if n == 1)
    members = record_of(value)
    return None if members is None else tuple(ones_of(v) for v in members)


def with_ones(type_: ArgumentType, ones: tuple | None) -> ArgumentType:
    """The type of an argument with these axes of length 1."""
    if isinstance(type_, Array):
        return replace(type_, ones=ones)
    return rebuilt(type_, map(with_ones, type_, ones)) if isinstance(type_, tuple) else type_


def with_lengths(type_: ArgumentType, value: object) -> ArgumentType:
    """The type of an argument with the lengths of its arrays."""
    if isinstance(type_, Array) and isinstance(value, np.ndarray) and value.ndim == type_.ndim:
        return replace(type_, lengths=value.shape)
    if isinstance(type_, tuple) and isinstance(value, tuple) and len(type_) == len(value):
        return rebuilt(type_, map(with_lengths, type_, value))
    return type_


def type_of_array(array: np.ndarray, name: str) -> Array:
    """The type of an array of NumPy or CuPy.

    Raises
    ------
    DtypeError
        For dtypes that cannot be computed with: object, str, float16.
    """
    dtype = array.dtype
    if not is_supported(dtype) or not dtype.isnative:
        raise DtypeError(f"{name} is an array of {dtype}", help="convert it: x.astype(float)")
    if not 1 <= array.ndim <= 8:
        raise DtypeError(f"{name} is an array with {array.ndim} dimensions", help="pass a number: x.item()")
    layout = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else "A"
    return Array(dtype, array.ndim, layout, getattr(array.flags, "writeable", True), lengths=array.shape)


def typeof(value: Any, name: str) -> Any:
    """The type of a number or array.

    Raises
    ------
    DtypeError
        For values that cannot be computed with; the message says what to do.
    """
    if isinstance(value, np.ndarray) or hasattr(type(value), "__cuda_array_interface__"):
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
    raise DtypeError(
        f"{name} is of a type that is not supported ({type(value).__name__})",
        help="pass numbers, arrays, or tuples, lists, dicts, NamedTuples and dataclasses of them",
    )
