"""Every function of scalars and every derivative rule: importing this module declares them."""

from zygopy.transform import (
    complex_numbers,
    compositions,
    powers,
    rules_arithmetic,
    rules_constant,
    rules_exponential,
    rules_linear_algebra,
    rules_orthogonal,
    rules_special,
    rules_spectral,
    rules_triangular,
    rules_trigonometric,
)

__all__ = [
    "complex_numbers",
    "compositions",
    "powers",
    "rules_arithmetic",
    "rules_constant",
    "rules_exponential",
    "rules_linear_algebra",
    "rules_orthogonal",
    "rules_special",
    "rules_spectral",
    "rules_triangular",
    "rules_trigonometric",
]
