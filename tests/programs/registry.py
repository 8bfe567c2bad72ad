"""How a program enters the corpus: a plain function, sample arguments, and what the tests may ask of it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Program:
    """One program.

    `argnums` are the arguments to differentiate; `smooth` allows second order; `differences` is off where the function
    has a kink at the sample point; `cpu` picks it for the compiled backend's sample.
    """

    name: str
    function: Callable
    sample: tuple
    argnums: tuple[int, ...]
    tags: frozenset[str]
    smooth: bool
    differences: bool
    cpu: bool

    def args(self) -> tuple:
        """Fresh arguments."""
        return copy.deepcopy(self.sample)


PROGRAMS: dict[str, Program] = {}


def program(*sample, tags="", argnums=None, smooth=False, differences=True, cpu=False):
    """Enter the function below into the corpus; by default all float arguments are differentiated."""

    def enter(function):
        found = tuple(k for k, arg in enumerate(sample) if _is_float(arg)) if argnums is None else argnums
        name = function.__name__
        assert name not in PROGRAMS, name
        PROGRAMS[name] = Program(name, function, sample, found, frozenset(tags.split()), smooth, differences, cpu)
        return function

    return enter


def _is_float(arg) -> bool:
    if isinstance(arg, tuple):
        return bool(arg) and all(map(_is_float, arg))
    return arg.dtype.kind == "f" if isinstance(arg, np.ndarray) else isinstance(arg, float)


def numbers(*shape, scale=1.0, shift=0.0, phase=0.0):
    """A reproducible array of unremarkable numbers in shift +- scale."""
    count = np.arange(np.prod(shape, dtype=int))
    return (shift + scale * np.sin(1.3 * count + 0.5 + phase)).reshape(shape)
