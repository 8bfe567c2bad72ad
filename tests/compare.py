"""How the tests hold a derivative against the oracle's: leaf by leaf, with tolerances relative to the whole."""

import numpy as np


def leaves(tree) -> list:
    """The numbers and arrays of nested tuples."""
    return [leaf for item in tree for leaf in leaves(item)] if isinstance(tree, tuple) else [tree]


def scale_of(tree) -> float:
    """The size of the largest finite number in a structure, at least 1."""
    finite = [np.abs(leaf)[np.isfinite(leaf)] for leaf in map(np.asarray, leaves(tree))]
    return max(1.0, *(part.max(initial=0.0) for part in finite), 1.0)


def assert_close(got, expected, rtol=1e-9, what=""):
    """Equal structures, shapes and numbers up to rtol, with rtol of the largest number as the absolute tolerance."""
    got_leaves, expected_leaves = leaves(got), leaves(expected)
    assert len(got_leaves) == len(expected_leaves), f"{what}: {got!r} has not the structure of {expected!r}"
    scale = scale_of(expected)
    for g, e in zip(got_leaves, expected_leaves, strict=True):
        assert np.shape(g) == np.shape(e), f"{what}: shape {np.shape(g)} instead of {np.shape(e)}"
        np.testing.assert_allclose(g, e, rtol=rtol, atol=rtol * scale, err_msg=what)


def inner(a, b) -> float:
    """The inner product of two structures; None counts as zero."""
    if isinstance(a, tuple):
        return sum(inner(x, y) for x, y in zip(a, b, strict=True))
    return 0.0 if a is None or b is None else float(np.sum(np.asarray(a, float) * np.asarray(b, float)))


def like_argument(gradient, arg) -> bool:
    """Whether a gradient has the structure, shapes and dtypes of its argument."""
    if isinstance(arg, tuple):
        return isinstance(gradient, tuple) and all(map(like_argument, gradient, arg))
    if isinstance(arg, np.ndarray):
        return isinstance(gradient, np.ndarray) and (gradient.shape, gradient.dtype) == (arg.shape, arg.dtype)
    return isinstance(gradient, float)
