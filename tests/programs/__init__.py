"""The corpus: small programs as users write them, which every backend and both modes must get right."""

from tests.programs import (
    arrays,
    branches,
    calls,
    combinations,
    linear_algebra,
    loops,
    peers,
    recursion,
    scalars,
    tuples,
    views,
)
from tests.programs.registry import PROGRAMS, Program

__all__ = [
    "PROGRAMS",
    "Program",
    "arrays",
    "branches",
    "calls",
    "combinations",
    "linear_algebra",
    "loops",
    "peers",
    "recursion",
    "scalars",
    "tuples",
    "views",
]
