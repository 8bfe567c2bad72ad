"""The groups of benchmark programs, each a package with one file for each program."""

from importlib import import_module

from benchmarks import array_programs, programs
from benchmarks.program import Program

PACKAGES = {"loops": programs, "arrays": array_programs}
GROUPS = {group: package.NAMES for group, package in PACKAGES.items()}
NAMES = tuple(name for names in GROUPS.values() for name in names)


def load(name: str) -> Program:
    """The program of that name, whichever group it is in."""
    package = next(package for package in PACKAGES.values() if name in package.NAMES)
    return import_module(f"{package.__name__}.{name}").PROGRAM
