"""Every function of scalars and every derivative rule: importing this module declares them."""

from zygopy.transform.rules import (
    arithmetic,
    complex_numbers,
    compositions,
    constants,
    exponential,
    fourier,
    linear_algebra,
    lists,
    orthogonal,
    powers,
    special,
    spectral,
    triangular,
    trigonometric,
)

__all__ = [
    "complex_numbers",
    "compositions",
    "powers",
    "arithmetic",
    "constants",
    "exponential",
    "fourier",
    "linear_algebra",
    "lists",
    "orthogonal",
    "special",
    "spectral",
    "triangular",
    "trigonometric",
]
