"""The error classes, and the one way a message is laid out.

Every error is a `ZygopyError` and also the built-in exception that a caller would expect. A message says what happened,
where (the user's own file, line and caret), why, and what to do.
"""

import linecache
from dataclasses import dataclass


@dataclass(frozen=True)
class Loc:
    """A place in the user's file; lines count from 1, columns from 0."""

    file: str
    line: int
    column: int = 0
    end_column: int | None = None
    function: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def text(self) -> str:
        """The user's line, without its line end."""
        return linecache.getline(self.file, self.line).rstrip()


class ZygopyError(Exception):
    """Base class of everything that zygopy raises.

    Parameters
    ----------
    what : str
        What happened, in one sentence.
    loc : Loc, optional
        Where in the user's file.
    why, help : str, optional
        The reason, and what to do about it.
    """

    def __init__(self, what: str, loc: Loc | None = None, why: str = "", help: str = ""):
        super().__init__(what, loc, why, help)
        self.what, self.loc, self.why, self.help = what, loc, why, help

    def __str__(self) -> str:
        lines = [self.what]
        if self.loc is not None:
            lines += _excerpt(self.loc)
        if self.why:
            lines.append(f"why:  {self.why}")
        if self.help:
            lines.append(f"help: {self.help}")
        return "\n".join(lines)


def _excerpt(loc: Loc) -> list[str]:
    inside = f", in {loc.function}" if loc.function else ""
    lines = [f"  --> {loc.file}:{loc.line}{inside}"]
    if text := loc.text:
        number = str(loc.line)
        end = loc.end_column if loc.end_column is not None else len(text)
        carets = " " * loc.column + "^" * max(1, min(end, len(text)) - loc.column)
        lines += [f"   {number} | {text}", f"   {' ' * len(number)} | {carets}"]
    return lines


class UnsupportedError(ZygopyError, NotImplementedError):
    """Syntax, a function or a keyword that zygopy does not differentiate."""


class DtypeError(ZygopyError, TypeError):
    """An argument or operand has a type that cannot be differentiated or computed with."""

    sure = True  # whether the statement fails whenever it runs; not so in a block of it that may not run


class TypeJoinError(ZygopyError, TypeError):
    """A variable has different types on different paths of the program."""


class OutputError(ZygopyError, TypeError):
    """The function's result is not what the operator needs, for `grad` one real number."""


class ArgumentError(ZygopyError, ValueError):
    """`argnums` or the arguments of a call do not fit the function's parameters."""


class ShapeError(ZygopyError, ValueError):
    """Array shapes that do not fit each other."""


class OtherLengthsError(ShapeError):
    """Compiled code was called with arrays whose lengths are not as equal as it takes them to be.

    What is called from Python then has code for these lengths; compiled callers get the error.
    """

    def __str__(self) -> str:
        first, *rest = super().__str__().split("\n")
        what = f"compiled code calls code that is for {first}"
        return "\n".join(
            [what, *rest, "help: call it from Python, which compiles for these lengths, or index that axis"]
        )


class MeetingLengthsError(OtherLengthsError):
    """The same, found where local arrays meet."""


class TapeFullError(ZygopyError):
    """A tape of a program on a GPU has too few rows; the program starts again with more."""


class SourceError(ZygopyError, OSError):
    """The function's source text cannot be read."""


class OverlapError(ZygopyError, ValueError):
    """An argument that the function stores into shares memory with another argument."""


class OutOfBoundsError(ZygopyError, IndexError):
    """An index lies outside its array; raised by compiled code with the user's line."""


class UnboundError(ZygopyError, UnboundLocalError):
    """A variable is read on a path on which it has no value."""


class NonFiniteError(ZygopyError, FloatingPointError):
    """Training met a loss that is infinite or not a number.

    Attributes
    ----------
    step : int
        The number of the update that was not made, from 1.
    batch : tuple
        The data of which that is the loss.
    """

    step: int
    batch: tuple


class GradientCheckError(ZygopyError, AssertionError):
    """`check_grads` found a derivative that does not agree with finite differences."""
