"""Loops that keep few copies of their state for the reverse part: what a user writes, and what the compiler reads."""

from collections.abc import Iterable

from zygopy.errors import ArgumentError, DtypeError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Const
from zygopy.transform.reading.handlers import builtin
from zygopy.transform.reading.values import Checkpointed, describe, is_number


def checkpointed(items: Iterable, snapshots: int) -> Iterable:
    """What a for loop iterates if its gradient may keep few copies of the loop's state, and compute the rest again.

    Without it, the reverse part of a loop needs memory for each trip. With it, it keeps at most `snapshots` copies of
    what trips hand on (numbers, and the arrays that the loop stores into) and runs trips again from there, by the
    schedule that repeats the fewest. With s snapshots, r sweeps of (s + r)! / (s! r!) trips suffice: of a million
    trips, 100 snapshots repeat each at most 4 times.

    Parameters
    ----------
    items : range, array, or zip, enumerate or reversed of such
        What the loop iterates; in plain Python, any iterable.
    snapshots : int
        How many copies may be kept, the one at the start of the loop included; 1 or more.

    Returns
    -------
    iterable
        `items` itself: plain Python runs the loop as it is.

    Raises
    ------
    ArgumentError
        If `snapshots` is less than 1.
    UnsupportedError
        If the loop prints, has a `break` or `return` inside, or rebinds arrays in ways that copies cannot follow.

    Notes
    -----
    The schedule is the binomial one of Griewank & Walther (2000), "Algorithm 799: revolve".

    Examples
    --------
    >>> def logistic(r):
    ...     x = 0.5
    ...     for _ in checkpointed(range(1000), snapshots=10):
    ...         x = r * x * (1.0 - x)
    ...     return x
    >>> logistic(2.0)
    0.5
    """
    if snapshots < 1:
        raise ArgumentError(f"snapshots={snapshots}: a loop needs one at least, that of its start")
    return items


@builtin(checkpointed)
def _checkpointed(s, items, snapshots):
    if not (is_number(snapshots) and snapshots.type.is_integer):
        raise DtypeError(f"snapshots is {describe(snapshots)}", s.loc, help="pass an integer")
    if isinstance(snapshots, Const) and snapshots.value < 1:
        what = f"snapshots={snapshots.value}: a loop needs one at least, that of its start"
        raise ArgumentError(what, s.loc)
    s.check(s.b.apply(ops.GE, snapshots, integer(1)), ArgumentError, "a checkpointed loop needs one snapshot at least")
    return Checkpointed(items, snapshots)
