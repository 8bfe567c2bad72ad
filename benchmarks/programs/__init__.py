"""The benchmark programs, one file each."""

from importlib import import_module

from benchmarks.program import Program

NAMES = (
    "rosenbrock",
    "newton",
    "lorenz",
    "nbody",
    "heat_rod",
    "brusselator",
    "lu_logdet",
    "gauss_seidel",
    "gmm",
    "logistic",
)


def load(name: str) -> Program:
    """The program of that name."""
    return import_module(f"{__name__}.{name}").PROGRAM
