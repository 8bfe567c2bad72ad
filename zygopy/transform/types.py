"""The types of IR values, and NumPy 2's promotion between them.

A scalar type carries a *weak* bit: Python numbers take the type of the NumPy operand they meet (NEP 50).
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Scalar:
    """A number or a bool; `weak` marks one that Python, not NumPy, made."""

    dtype: np.dtype
    weak: bool = False

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Scalar)
            and self.weak is other.weak
            and (self.dtype is other.dtype or self.dtype == other.dtype)
        )

    def __hash__(self) -> int:
        return hash((self.dtype.num, self.weak))

    def __str__(self) -> str:
        return f"{_SHORT.get(self.dtype.name, self.dtype.name)}{'?' if self.weak else ''}"

    @property
    def is_float(self) -> bool:
        return self.dtype.kind == "f"

    @property
    def is_complex(self) -> bool:
        return self.dtype.kind == "c"

    @property
    def is_inexact(self) -> bool:
        """Whether it is a real or complex number that can carry a derivative."""
        return self.dtype.kind in "fc"

    @property
    def is_integer(self) -> bool:
        return self.dtype.kind in "iu"

    @property
    def is_bool(self) -> bool:
        return self.dtype.kind == "b"


@dataclass(frozen=True)
class Array:
    """A reference to memory; layout is C (contiguous), F or A (any strides).

    `ones` are the axes that are known to be of length 1; `lengths` those of the call that code is made for, which other
    calls need not have: they only choose between forms of equal meaning.
    """

    dtype: np.dtype
    ndim: int
    layout: str = "C"
    writable: bool = field(default=True, compare=False)
    ones: tuple[int, ...] = ()
    lengths: tuple[int, ...] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        short = _SHORT.get(self.dtype.name, self.dtype.name)
        return f"{short}[{', '.join([':'] * self.ndim)}]{'' if self.layout == 'C' else self.layout}"

    @property
    def element(self) -> Scalar:
        return Scalar(self.dtype)


@dataclass(frozen=True)
class Stack:
    """A tape that grows: rows of `width` cells of one dtype, pushed and popped whole."""

    dtype: np.dtype
    width: int

    def __str__(self) -> str:
        return f"stack[{_SHORT.get(self.dtype.name, self.dtype.name)} x {self.width}]"


@dataclass(frozen=True)
class Arena:
    """A tape of records: tuples of numbers and arrays of any types, which the calls of a program push and pop."""

    dtype = np.dtype(np.float64)  # it carries derivatives

    def __str__(self) -> str:
        return "arena"


Type = Scalar | Array | Stack | Arena

_SHORT = {"float64": "f8", "float32": "f4", "int64": "i8", "int32": "i4", "bool": "b1"}
_SHORT |= {"complex64": "c8", "complex128": "c16"}

FLOAT64, FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
COMPLEX128 = np.dtype(np.complex128)
INT64, INT8, BOOL_ = np.dtype(np.int64), np.dtype(np.int8), np.dtype(np.bool_)

FLOAT = Scalar(FLOAT64, weak=True)  # a Python float, or a float64 argument
COMPLEX = Scalar(COMPLEX128, weak=True)
INT = Scalar(INT64, weak=True)  # a Python int, a loop variable, a dimension
BOOL = Scalar(BOOL_, weak=True)


def is_supported(dtype: np.dtype) -> bool:
    """Whether zygopy computes with numbers of a dtype: bools, integers, float32, float64, complex64, complex128."""
    return dtype.kind in "biu" or dtype in (FLOAT32, FLOAT64, np.dtype(np.complex64), COMPLEX128)


def of_constant(value: object) -> Scalar:
    """The type of a Python or NumPy number."""
    if isinstance(value, np.generic):
        return Scalar(value.dtype)
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, complex):
        return COMPLEX
    return INT if isinstance(value, int) else FLOAT


def promote(*types: Scalar) -> Scalar:
    """The common type of operands (NEP 50): strong types decide, weak ones only raise the kind.

    >>> str(promote(Scalar(FLOAT32), FLOAT)), str(promote(INT, FLOAT)), str(promote(Scalar(INT64), Scalar(FLOAT32)))
    ('f4', 'f8?', 'f8')
    """
    if all(t.weak for t in types):
        return max(types, key=lambda t: "biufc".index(t.dtype.kind))
    stand_in = {"b": True, "i": 1, "f": 1.0, "c": 1j}
    operands = [stand_in[t.dtype.kind] if t.weak else t.dtype for t in types]
    return Scalar(np.result_type(*operands))


def inexact(type_: Scalar) -> Scalar:
    """The floating or complex type that a float function computes in when given `type_`."""
    if type_.is_inexact:
        return type_
    if type_.weak or type_.dtype.itemsize > 2:
        return Scalar(FLOAT64, weak=type_.weak)
    return Scalar(FLOAT32)


def real(type_: Scalar) -> Scalar:
    """The type of the real part of a number."""
    return Scalar(np.finfo(type_.dtype).dtype, type_.weak) if type_.is_complex else type_


def unify(a: Type, b: Type) -> Type | None:
    """The type of a variable that has type `a` on one path and `b` on another; None if there is none."""
    if a == b:
        return a
    if isinstance(a, Scalar) and isinstance(b, Scalar):
        if a.weak or b.weak:
            return promote(a, b)
        wide = promote(a, b)  # an int may become a float on another path, a precision may not change
        return wide if a.dtype == b.dtype or (a.dtype.kind != b.dtype.kind and wide in (a, b)) else None
    if isinstance(a, Array) and isinstance(b, Array) and (a.dtype, a.ndim) == (b.dtype, b.ndim):
        return Array(a.dtype, a.ndim, "A")
    return None
