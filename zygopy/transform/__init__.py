"""The compiler, from a Python function to the source of its derivative: `pipeline` reads like its steps.

What this module imports is enough to call what is compiled already. The rest, some eighty modules, is loaded when
something is compiled or shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zygopy.transform.arguments import ArgumentType, Lengths
from zygopy.transform.ir import Function

if TYPE_CHECKING:
    from zygopy.transform.emit import Source


@dataclass(frozen=True)
class Task:
    """What to make of a function, and with respect to which parameters.

    The kinds are "primal", "grad", "value_and_grad", "jvp", "jacfwd", "jacrev", "vjp" and
    "linearize"; inside programs "pull" and "push", which are the linear parts with the forward part in them.
    """

    kind: str = "primal"
    wrt: tuple[str, ...] = ()
    single: bool = True  # one gradient, not a tuple of them
    has_aux: bool = False
    tangent_only: bool = False  # of "jvp"
    symmetric: bool = False  # "jacfwd" of a gradient


@dataclass(frozen=True)
class Program:
    """The IR that a task gives, and what of the function's surroundings is in it."""

    function: Function
    captured: tuple[tuple, ...]
    numbers: tuple[tuple, ...]
    primals: int  # the number of parameters, by leaves, that are not captured and not tangents
    guarded: bool = False  # it raises OtherLengthsError at entry unless lengths are as equal as it takes them to be
    second: Function | None = None  # of "vjp" and "linearize": the linear part, `function` is the other one
    joined: bool = False  # it takes the equal items of arguments joined
    source: "Source | None" = None  # of the linear part, for as long as the program lives


def build(
    function: Callable,
    types: list[ArgumentType],
    task: Task,
    lengths: Lengths | None = None,
    out: ArgumentType | None = None,
    target: str = "cpu",
) -> Program:
    """The IR for a task on a function, by `pipeline.build`."""
    from zygopy.transform import pipeline

    return pipeline.build(function, types, task, lengths, out, target)


def source_of(function: Function) -> "Source":
    """The readable Python of a function, by `emit.emit`."""
    from zygopy.transform.emit import emit

    return emit(function)
