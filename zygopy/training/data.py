"""Data: batches of nested arrays, splits, labels as one-hot rows."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import zygopy as zg


class DataLoader:
    """Batches of arrays that have a common first axis, in a new order each time it is iterated over.

    Parameters
    ----------
    data
        An array, or a tuple, dict, NamedTuple or dataclass of arrays, nested at will; each batch has its structure.
    batch : int
        How many samples a batch has.
    rng : numpy.random.Generator or int, optional
        What shuffles, or its seed; without it the order stays as it is.
    last : {"keep", "drop"}
        What becomes of the rest that is smaller than a batch.

    Raises
    ------
    ShapeError
        If the first axes of the arrays differ.

    Examples
    --------
    >>> for x, y in DataLoader((np.arange(5), np.arange(5) ** 2), batch=2):
    ...     print(x, y)
    [0 1] [0 1]
    [2 3] [4 9]
    [4] [16]
    """

    def __init__(self, data: Any, batch: int = 1, rng: np.random.Generator | int | None = None, last: str = "keep"):
        if last not in ("keep", "drop"):
            raise zg.ArgumentError(f"last={last!r} is not known", help='use "keep" or "drop"')
        if not isinstance(batch, int | np.integer) or batch < 1:
            raise zg.ArgumentError(f"a batch of {batch} samples is none", help="use batch=1 or more")
        self.data, self.batch, self.last = data, batch, last
        self.rng = None if rng is None else np.random.default_rng(rng)
        self.count = samples(data)

    def __len__(self) -> int:
        full, rest = divmod(self.count, self.batch)
        return full + (rest > 0 and self.last == "keep")

    def __iter__(self) -> Iterator[Any]:
        order = None if self.rng is None else self.rng.permutation(self.count)
        for k in range(len(self)):
            rows: Any = slice(k * self.batch, (k + 1) * self.batch)
            yield taken(self.data, rows if order is None else order[rows])


def samples(data: Any) -> int:
    """How many samples nested arrays have: the length of their first axis."""
    named = zg.named_leaves(data, np.ndarray, "data")
    if not named:
        raise zg.ArgumentError("there are no arrays in the data", help="pass an array or a tuple of arrays")
    lengths = {name: len(array) if array.ndim else 0 for name, array in named}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise zg.ShapeError(
            f"the arrays have different numbers of samples: {told}", help="give all of them one first axis"
        )
    return len(named[0][1])


def taken(data: Any, rows: Any) -> Any:
    """Some of the samples of nested arrays."""
    return zg.map_leaves(lambda array: array[rows], data, kind=np.ndarray)


def split(data: Any, at: float | tuple[float, ...], rng: np.random.Generator | int | None = None) -> tuple:
    """Nested arrays, split into parts.

    Parameters
    ----------
    data
        As a `DataLoader` takes it.
    at : float or tuple of float
        The fraction of the samples in the first part; of several parts, all but the last.
    rng : numpy.random.Generator or int, optional
        What shuffles the samples before, or its seed; without it the first part is the first samples.

    Examples
    --------
    >>> train, test = split((np.arange(10), np.arange(10.0)), at=0.7)
    >>> train[0], test[1]
    (array([0, 1, 2, 3, 4, 5, 6]), array([7., 8., 9.]))
    """
    parts = at if isinstance(at, tuple) else (at,)
    if not all(0.0 <= p <= 1.0 for p in parts) or sum(parts) > 1.0:
        raise zg.ArgumentError(
            f"at={at} are no fractions of the samples", help="give fractions that sum up to at most 1"
        )
    count = samples(data)
    order = np.arange(count) if rng is None else np.random.default_rng(rng).permutation(count)
    ends = [round(end * count) for end in np.cumsum(parts)]
    return tuple(taken(data, rows) for rows in np.split(order, ends))


def one_hot(labels: np.ndarray, classes: int, dtype: Any = np.float32) -> np.ndarray:
    """Labels 0 ... classes - 1, of any shape, as rows of zeros with a one at the label.

    Examples
    --------
    >>> one_hot(np.array([1, 0]), 3)
    array([[0., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise zg.DtypeError(f"labels are ints, not {labels.dtype}", help="convert them: labels.astype(int)")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        low, high = labels.min(), labels.max()
        raise zg.ArgumentError(f"labels from {low} to {high} do not fit {classes} classes", help="number them from 0")
    return (labels[..., None] == np.arange(classes)).astype(dtype)


def one_cold(scores: np.ndarray) -> np.ndarray:
    """The label of the largest element along the last axis; undoes `one_hot`.

    Examples
    --------
    >>> one_cold(np.array([[0.1, 0.7, 0.2], [0.9, 0.0, 0.1]]))
    array([1, 0])
    """
    return np.argmax(scores, axis=-1)
