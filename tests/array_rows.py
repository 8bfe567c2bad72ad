"""The table of rows of array functions; python -m tests.array_rows counts them.

Each function has rows for the shape classes that it can meet; `light` rows are reverse mode only, and which of a
function's rows are full goes round, so that every class has full ones.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Iterable

import numpy as np

from tests.array_checks import Row

# -- making rows -----------------------------------------------------------------------------------------------------


def values(shape: tuple[int, ...], seed: int, low: float = -1.3, high: float = 1.7) -> np.ndarray:
    """Numbers between low and high in no order, apart from each other: the exact derivative keeps away from kinks."""
    rng, n = np.random.default_rng(seed), int(np.prod(shape))
    places = rng.permutation(n) + rng.uniform(0.1, 0.4, n) + 0.5 * (seed % 2)
    found = low + (high - low) * places / max(n, 1)
    return np.where(abs(found) < 0.1, found + 0.2, found).reshape(shape)


def row(text: str, *args, low: float = -1.3, high: float = 1.7, **options) -> Row:
    """A row; a tuple of ints stands for a float64 array of this shape."""
    made = tuple(values(a, 10 + k, low, high) if isinstance(a, tuple) else a for k, a in enumerate(args))
    return Row(text, made, **options)


def rows(texts: str, *args, **options) -> list[Row]:
    """A row for each line of a text, all of the same arguments."""
    return [row(t.strip(), *args, **options) for t in texts.strip().splitlines()]


SHAPES = ((), (3,), (2, 3), (2, 1, 3), (2, 1, 2, 2), (1, 2, 1, 3, 2))  # ranks 0 to 5
ANY, POSITIVE, INSIDE, ABOVE = (-1.3, 1.7), (0.3, 2.1), (-0.9, 0.8), (1.2, 2.6)
UNARY = {
    "sin cos arctan sinh cosh tanh arcsinh exp exp2 expm1 square negative positive degrees radians deg2rad rad2deg "
    "absolute fabs sign floor ceil trunc rint sinc abs conjugate real nan_to_num fix": ANY,
    "log log2 log10 log1p sqrt cbrt reciprocal spacing": POSITIVE,
    "tan arcsin arccos arctanh": INSIDE,
    "arccosh": ABOVE,
}
KINKED = "absolute fabs sign floor ceil trunc rint abs nan_to_num fix spacing round around cbrt".split()
PREDICATES = "isnan isinf isfinite signbit logical_not isneginf isposinf".split()


def unary_rows() -> Iterable[Row]:
    """Each function at rank 0 and at two of the ranks 1 to 5, in full at one of them; which ones goes round."""
    for n, (name, (low, high)) in enumerate((name, d) for names, d in UNARY.items() for name in names.split()):
        for rank, shape in enumerate(SHAPES):
            arg = shape if shape else (low + high) / 2 + 0.17
            light = rank != 1 + n % 5
            if rank not in (0, 1 + n % 5, 1 + (n + 2) % 5):
                continue
            yield row(f"np.{name}(x)", arg, low=low, high=high, light=light, smooth=name not in KINKED)
        if n % 4 == 0:
            yield row(f"np.{name}(x)", (2, 0), light=True)
    for name in PREDICATES:
        yield row(f"np.{name}(x)", np.array([[0.5, -1.0, np.nan], [np.inf, -np.inf, 0.0]]))


PAIRS = (
    ((2, 3), (2, 3)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((2, 3), 0.73), (0.73, (2, 3)), ((2, 1, 3), (2, 1)),
    ((1,), (3,)), ((2, 2, 1, 2), (2, 1)), ((1, 1), (1, 1)), ((0,), (1,)), ((2, 0), (2, 1)),
    ((2, 1, 2, 1, 2), (1, 3, 1)), (0.6, 0.9),
)  # fmt: skip
BINARY = {
    "add subtract multiply divide true_divide maximum minimum fmax fmin hypot arctan2 copysign logaddexp logaddexp2 "
    "heaviside nextafter": ANY,
    "power float_power remainder mod fmod floor_divide": POSITIVE,
}
BINARY_KINKED = "maximum minimum fmax fmin copysign remainder mod fmod floor_divide heaviside nextafter".split()
COMPARISONS = "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor isclose".split()
BITS = "bitwise_and bitwise_or bitwise_xor left_shift right_shift gcd lcm".split()
INTEGERS = np.array([[3, -1, 2], [4, 1, -2]])
SOME = np.array([[True, False, True], [False, True, True]])


def binary_rows() -> Iterable[Row]:
    for n, (name, (low, high)) in enumerate((name, d) for names, d in BINARY.items() for name in names.split()):
        smooth = name not in BINARY_KINKED
        for k, pair in enumerate(PAIRS):
            light = (k - n) % 4 != 0
            yield row(f"np.{name}(x, y)", *pair, low=low, high=high, smooth=smooth, light=light)
        if name != "nextafter":
            yield row(f"np.{name}(x, 2)", (2, 3), low=low, high=high, light=True)
            yield row(f"np.{name}(x, y)", (2, 3), abs(INTEGERS), low=low, high=high, smooth=False)
            yield row(f"np.{name}(x, np.float64(0.5))", (2, 3), low=low, high=high, smooth=False)
    for name in COMPARISONS:
        for pair in PAIRS[:6]:
            yield row(f"np.{name}(x, y)", *pair)
        yield row(f"np.{name}(x, y)", INTEGERS, (2, 3))
        yield row(f"np.{name}(x, y)", SOME, (3,))
    for name in BITS:
        yield row(f"np.{name}(x, y)", abs(INTEGERS), np.array([1, 2, 3]))


OPERATORS = """
    x + y
    x - y
    x * y
    x / y
    x ** 2 - y
    x ** 3 * y
    abs(x) ** y
    2.0 ** x / y
    -x + y
    +x * -y
    x % (abs(y) + 0.3)
    x // (abs(y) + 0.3) + y
    abs(x) * y
    (x > y) * y
    (x < 0.3) + x * y
    (x >= y) | (x <= 0.1)
    (x == y) ^ (x != y)
    ~(x > y) & (y > 0)
    1 - x / (1 + y * y)
    np.exp(-(x - y) ** 2) / 2
    x * np.float64(0.3) + y
    x * np.float32(0.5) + y
    x * True + y * 2
    x / 3 + y * 0.1 - 2
"""
WHERE_AND_CLIP = """
    np.where(x > y, x, y)
    np.where(x > 0.2, x * y, 0.0)
    np.select([x > y, x > 0.2], [x, x * y])
    np.select((x > y,), [x * 2], default=y ** 2)
    np.where(x > 0.2, 1, y)
    np.where(True, x, y)
    np.where(y > 0, np.sin(x), x ** 2)
    np.clip(x, -0.5, 0.7) * y
    np.clip(x, y - 0.5, y + 0.5)
    np.clip(x, y, 1.1)
    np.clip(x, a_min=-0.5, a_max=0.7) * y
    np.clip(x, None, 0.7) + y
    np.clip(x, 0.2, None) + y
    x.clip(-0.5, 0.7) * y
"""

REDUCED = "sum mean prod max min var std"
AXES = {1: ("0", "-1", "(0,)"), 3: ("0", "1", "-1", "2", "(0, 1)", "(0, 2)", "(1, -1)", "(0, 1, 2)", "None")}
NOT_SMOOTH = "max min amax amin ptp median percentile quantile".split()


def reduction_rows() -> Iterable[Row]:
    for n, name in enumerate(REDUCED.split()):
        smooth = name not in NOT_SMOOTH
        for shape in ((4,), (2, 3), (2, 3, 2), (1,), (1, 3), (2, 1, 2, 2), (2, 1, 2, 1, 2)):
            if name == "std" and shape == (1,):
                continue  # the root of a constant 0
            yield row(f"np.{name}(x)", shape, smooth=smooth, light=shape in ((1,), (1, 3), (2, 3, 2)))
        for k, axis in enumerate(AXES[3]):
            for keep in ("", ", keepdims=True"):
                light = (k + bool(keep) - n) % 3 != 0
                yield row(f"np.{name}(x, axis={axis}{keep})", (2, 3, 2), smooth=smooth, light=light)
            yield row(f"x.{name}(axis={axis})", (2, 3, 2), smooth=smooth, light=True)
        for axis in AXES[1]:
            yield row(f"np.{name}(x, axis={axis}, keepdims={axis == '0'})", (4,), smooth=smooth, light=True)
        yield row(f"np.{name}(x, 0)", (2, 3), smooth=smooth, light=True)
        yield row(f"np.{name}(x, axis=-2)", (2, 2 if name == "std" else 1, 3), smooth=smooth, light=True)
        yield row(f"np.{name}(x * y, axis=0) * y", (2, 3), (3,), smooth=smooth)
        yield row(f"x.{name}() * y", (2, 3), (2,), smooth=smooth)
        yield row(f"x.{name}(0, keepdims=True) + x", (2, 3), smooth=smooth)
        yield row(f"np.{name}(x, axis=0)", np.asfortranarray(values((2, 3), 5)), smooth=smooth)
        yield row(f"np.{name}(x[::-1, 1:], axis=1)", (2, 4), smooth=smooth)
        yield row(f"np.{name}(x, axis=0)", (3, 0), light=True)
        yield row(f"np.{name}(x, axis=(0, 2), keepdims=True)", (2, 0, 3), light=True)
    for name in ("sum", "prod"):
        yield row(f"np.{name}(x)", (0,), light=True)
        yield row(f"np.{name}(x, axis=0)", (0, 3), light=True)
        yield row(f"np.{name}(x, axis=1)", (2, 0, 3), light=True)
        yield row(f"np.{name}(x)", INTEGERS)
        yield row(f"np.{name}(x > 0.2, axis=1)", (2, 3))
        for zeros in ([1.5, 0.0, -2.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [2.0, 1.0, 0.0]):
            yield row(f"np.{name}(x)", np.array(zeros))
        yield row(f"np.{name}(x, axis=0)", np.array([[1.5, 0.0, 0.0], [-2.0, 0.7, 0.0]]))
    yield from rows("np.mean(x)\nnp.mean(x, axis=0)\nnp.max(x)\nnp.min(x, axis=1)\nx.mean(axis=1)\nx.sum()", INTEGERS)
    yield from rows("np.sum(x, dtype=np.float64)\nx.sum(0, dtype=np.float64)\nnp.sum(x, dtype=np.float32)", (2, 3))
    yield from rows("np.amax(x, axis=0)\nnp.amin(x)", (2, 3), smooth=False)
    for name in ("var", "std"):
        for ddof in ("1", "0", "2", "1.5"):
            yield row(f"np.{name}(x, ddof={ddof})", (2, 3), light=ddof != "1")
            yield row(f"np.{name}(x, axis=1, ddof={ddof}, keepdims=True)", (2, 4), light=ddof != "2")
        yield row(f"x.{name}(axis=0, ddof=1)", (3, 2))
        yield row(f"(x - np.mean(x, axis=0)) / np.{name}(x, axis=0)", (3, 2))
    for name in "argmax argmin all any".split():
        for text in (f"np.{name}(x)", f"np.{name}(x, axis=0)", f"np.{name}(x, axis=-1, keepdims=True)", f"x.{name}(1)"):
            yield row(text, (2, 3, 2))
            yield row(text, np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 2.0]]))
            yield row(text, INTEGERS)
    yield from rows(
        "np.all(x > -9)\nnp.any(x > 9, axis=0)\nnp.all(x > 0, axis=(0, 1))\nx.any(axis=0)\n(x > 0).all()", (2, 3)
    )
    yield from rows("np.all(x)\nnp.any(x)\nnp.all(x, axis=0)\nnp.any(x, axis=0)", (0, 3))
    for name in "cumsum cumprod".split():
        for text in ("np.{}(x)", "np.{}(x, axis=0)", "np.{}(x, axis=1)", "np.{}(x, -1)", "x.{}(axis=-2)", "x.{}()"):
            for k, shape in enumerate(((2, 3), (2, 3, 2), (1, 1), (2, 0))):
                yield row(text.format(name), shape, light=k > 0)
        yield from rows(f"np.{name}(x)\nx.{name}(0)\nnp.{name}(x[::-1]) * x", (4,))
        yield row(f"np.{name}(x)", INTEGERS)
        yield row(f"np.{name}(x)", np.array([1.5, 0.0, -2.0, 0.0, 3.0]))
        yield row(f"np.{name}(x > 0.1)", (4,))
    norms = (
        "x", "x, 2", "x, 1", "x, np.inf", "x, -np.inf", "x, 3", "x, ord=2.5", "x, axis=0", "x, keepdims=True",
        "x, None, 0",
    )  # fmt: skip
    yield from (row(f"np.linalg.norm({t})", (4,), smooth="inf" not in t) for t in norms)
    matrix = (
        "x", "x, 'fro'", "x, axis=0", "x, axis=1, keepdims=True", "x, 1, axis=0", "x, np.inf, axis=-1",
        "x, axis=(0, 1)", "x, 'fro', (0, 1)", "x, ord=3, axis=0", "x, ord=2, axis=1", "x, keepdims=True",
        "x - np.mean(x)", "x, axis=(1, 0)",
    )  # fmt: skip
    yield from (row(f"np.linalg.norm({t})", (2, 3), smooth="inf" not in t) for t in matrix)
    yield row("np.linalg.norm(x, axis=(0, 2))", (2, 3, 2))
    yield row("np.linalg.norm(x)", (2, 1, 3))
    yield row("x / np.linalg.norm(x, axis=1, keepdims=True)", (2, 3))


COMPOSITIONS = """
    np.log(np.sum(np.exp(x - np.max(x))))
    np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
    np.sum((x - np.mean(x, axis=0)) ** 2, axis=1)
    np.sum(x[:, None, :] * x[None, :, :], axis=-1)
    np.sqrt(np.sum((x[:, np.newaxis] - x) ** 2, axis=2) + 0.1)
    x[1:] - x[:-1]
    (x[:, 1:] + x[:, :-1]) / 2
    x[::-1] * x[:, ::-1]
    x[..., 0] * x[0, ..., None]
    x[0] * x[:, :1] + x[-1, 2]
    np.sum(x[:, 1]) + x
    np.tanh(x) * np.float64(2.0) + x[0]
    sum(x) * x
    1.0 * np.array([x[0, 0], 2.0, x[1, 1]])
    x * len(x) + x.shape[1] * x.size - x.ndim
    np.shape(x)[0] * x + np.ndim(x) - np.size(x)
"""
CREATED = """
    np.zeros(3) + x
    np.zeros((2, 3), np.float32) + x
    np.zeros(shape=(2, 3), dtype=float) - x
    np.ones((2, 1)) * x
    np.ones((2, 1), dtype=np.float32) * x
    np.full((2, 3), 2.5) * x
    np.full(3, 2) * x
    np.full(3, x[0, 1]) * x
    np.full((3,), 0.3, np.float32) * x
    np.zeros_like(x) + x
    np.ones_like(x) * x
    np.ones_like(x, dtype=np.float64) * x
    np.full_like(x, 0.7) * x
    np.full_like(x, x[1, 2]) * x
    np.empty_like(x).shape[1] * x
    np.empty((2, 3), dtype=np.float32).size * x
    np.copy(x) * x
    x.copy() + x[0]
    x.astype(np.float64) * x
    x.astype(np.float32) * x
    x.astype(float) + 1
    x.astype(np.int64) + x
    (x > 0).astype(float) * x
    (x > 0).astype(np.int64).sum() * x
    x[:1, :1].item(0, 0) * x
    x * x.item(0, 1)
"""
SHAPED = """
    np.asanyarray(x) * 2
    x.diagonal() * 2
    x.argsort()
    np.broadcast_arrays(x, np.ones((1, 3)))[1] * x
    np.dsplit(np.stack([x, x * x], axis=2), 2)[1][:, :, 0]
    np.ediff1d(x)
    np.reshape(x, (3, 2))
    np.reshape(x, (-1, 2)) * 2
    np.reshape(x, 6)
    x.reshape(3, 2)
    x.reshape((2, 1, 3))
    x.reshape(-1)
    x.reshape(x.shape[1], -1)
    x.reshape(1, -1) * x.reshape(-1, 1)
    x.T.reshape(-1)
    np.reshape(x, (3, 2), order="F")
    np.reshape(x, -1) * x.ravel()
    x.T
    x.T * y
    np.ravel(x)
    x.ravel()
    x.T.ravel()
    x.flatten()
    x.T.flatten() * x.ravel()
    x.ravel("F") * np.ravel(x, order="F") + x.flatten("F")
    np.ravel(np.sum(x))
    np.ravel(x[0, 1, None])
    np.reshape(np.sum(x), (1, 1))
    x[:1, :1].reshape(()) * x
    x[0, 1, None, None] @ x[:1]
    x.transpose(None)
    np.transpose(x)
    np.transpose(x, (1, 0))
    np.transpose(x, axes=(1, 0)) * y
    x.transpose()
    x.transpose(1, 0)
    x.transpose((1, 0)) + y
    np.swapaxes(x, 0, 1)
    x.swapaxes(0, -1)
    np.moveaxis(x, 0, 1)
    np.moveaxis(x, -1, 0) * y
    np.rollaxis(x, 1)
    np.rollaxis(x, 0, 2)
    np.rollaxis(x, -1, start=-2) * 2
    x.reshape(3, 2, order="F") * y
    np.expand_dims(x, 0)
    np.expand_dims(x, -1) * y
    np.expand_dims(x, axis=(0, 2))
    np.squeeze(x[:1])
    np.squeeze(x[:1], axis=0)
    x[:1].squeeze()
    x[:, :1].squeeze(1)
    np.broadcast_to(x, (4, 2, 3))
    np.broadcast_to(x[:, :1], (2, 3)) * x
    np.concatenate((x, x * 2))
    np.concatenate([x, x[:1]], axis=0)
    np.concatenate((x, y.T), axis=0)
    np.concatenate([x, x, y.T], axis=1)
    np.concatenate((x, y.T), axis=-1)
    np.concatenate((x, y), axis=None)
    np.stack((x, y.T))
    np.stack([x, y.T], axis=1)
    np.stack([x, y.T], axis=-1)
    np.hstack((x, y.T))
    np.hstack([x[0], y[0]])
    np.vstack((x, y.T))
    np.vstack([x[0], x])
    np.dstack((x, y.T))
    np.column_stack((x, y.T))
    np.column_stack([x[0], x[1]])
    np.append(x, y)
    np.append(x, x, axis=0)
    np.append(x[0], 0.5)
    np.split(x, 3, axis=1)[1]
    np.split(x, 2)[0]
    np.split(x, [1], axis=1)[1]
    np.array_split(x, 2, axis=1)[0]
    np.hsplit(x, 3)[2]
    np.vsplit(x, 2)[1]
    np.tile(x, 2)
    np.tile(x, (2, 1))
    np.tile(x[0], (3, 2))
    np.tile(x[0], (2, 1, 2))
    np.tile(x, (2, 1, 1, 2))
    np.repeat(x, 2)
    np.repeat(x, 2, axis=0)
    np.repeat(x, 3, axis=1)
    x.repeat(2, 1)
    np.roll(x, 1)
    np.roll(x, -1, axis=0)
    np.roll(x, 2, axis=1) * x
    np.roll(x, (1, -1), axis=(0, 1))
    np.roll(x, (1, 1), axis=0)
    np.roll([x[0, 0], 2.0, x[1, 1]], 1)
    np.flip(x)
    np.flip(x, 0)
    np.flip(x, axis=1) * x
    np.flipud(x)
    np.fliplr(x)
    np.rot90(x)
    np.diff(x)
    np.diff(x, axis=0)
    np.diff(x, n=2, axis=1)
    np.lib.stride_tricks.sliding_window_view(x, 2, axis=1) * 2.0
    np.lib.stride_tricks.sliding_window_view(x, (2, 1))[..., ::-1, :].max(axis=(2, 3))
    np.lib.stride_tricks.sliding_window_view(x, (2, 2), axis=(1, 0))[0, :, 1:].reshape(-1)
    np.pad(x, 1)
    np.pad(x, ((0, 1), (2, 0)))
    np.pad(x, (1, 2), mode="edge")
    np.pad(x, 1, constant_values=(1.0, x[0, 0]))
    np.pad(x, ((1, 2), (0, 1)), constant_values=((1.0, x[0, 0]), (3.0, 4.0)))
    np.atleast_1d(x)
    np.atleast_2d(x[0])
    np.atleast_3d(x)
    np.tril(x)
    np.triu(x, 1)
    np.tril(x, k=-1)
    np.triu(x[0])
    np.diag(x)
    np.diag(x[0])
    np.diag(x, 1)
    np.diag(x[0], -1)
    np.diagonal(x)
    np.trace(x)
    np.trace(x, offset=1)
    x.trace()
    np.asarray(x) * x
    np.array(x[0, 0]) * x
    np.array([]) + x[0, 0]
    x.astype(float, copy=False) * x
    np.maximum(x, [0.1, x[0, 0], 2.0]) + [1.0, 2.0, 3.0]
    np.sin([x[0, 0], 1.0]) * np.sort([x[0, 1], x[1, 1]])
    np.full((2, 3), x[0]) * np.full_like(x, [1.0, 2.0, 3.0])
    np.max(x[0, 0]) + np.ndim([1.0]) * x
    np.array(x) * x
    np.array([x[0], x[1] * 2])
    np.array([[x[0, 0], x[0, 1]], [1.0, x[1, 2]]])
    np.array((x[0], x[1]))
    np.asarray([x[0], x[1]])
    np.ascontiguousarray(x.T)
    np.atleast_2d(x) * x
    np.conj(x) * x
    np.real(x) * x
    x.conj() * x
    x.conjugate() * x
    x.real * x + x.imag
    x.real * x
    np.arange(3) * x
    np.arange(1, 4) * x
    np.arange(0.0, 1.5, 0.5) * x
    np.arange(3.0) * x
    np.linspace(0.0, 1.0, 3) * x
    np.linspace(0, 1, num=3, endpoint=False) * x
    np.linspace(x[0, 0], x[1, 1], 4)
    np.linspace(x[0], x[1], 3)
    np.linspace(x[0], 2.0, 3, endpoint=False)
    np.linspace(0.0, x[0, 1], 4, retstep=True)[1]
    np.eye(2)[:, :1] * x
    np.eye(3)[0] * x
    np.identity(3)[1] * x
    np.eye(2, 3, k=1) * x
    np.pi * x
    np.meshgrid(x[0], y[:2, 0])[0]
    np.meshgrid(x[0], y[:2, 0], indexing="ij")[1]
    np.empty_like(x).shape[0] * x
"""
STARTED = """
    np.sum(x, initial=2.0)
    x.sum(1, where=y, keepdims=True)
    np.sum(x, axis=0, where=y[0], initial=x[0, 0])
    np.mean(x, axis=1, where=y)
    np.mean(x, dtype=np.float64) * x
    np.prod(x, 1, where=y, initial=3.0)
    np.max(x, axis=1, where=y, initial=-2.0)
    np.min(x, initial=0.3) * x
    x.max(0, initial=0.1, keepdims=True)
    np.var(x, axis=0, correction=1)
    x.clip(0.1, None) * np.clip(x, min=0.2, max=0.6)
    np.average(x, 1, [1.0, x[0, 0] ** 2, 3.0])
    np.cumsum(x, dtype=np.float64)
    np.cumprod(x, 1, np.float64)
    np.prod(x, dtype=np.float64) * x
"""
PRODUCTS = {
    "x @ y|np.matmul(x, y)|np.dot(x, y)|x.dot(y)": (
        ((2, 3), (3, 2)), ((2, 3), (3,)), ((3,), (3, 2)), ((3,), (3,)), ((1, 3), (3, 1)), ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
    ),
    "x @ y|np.matmul(x, y)": (
        ((2, 2, 3), (2, 3, 2)), ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((2, 2, 3), (3,)),
        ((3,), (2, 3, 2)),
    ),
    "np.dot(x, y)": ((0.5, (2, 3)), ((2, 3), 0.5), ((2, 2, 3), (3,)), ((2, 2, 3), (2, 3, 2)), (0.4, 0.6)),
    "np.inner(x, y)|np.vdot(x, y)|np.vecdot(x, y)": (((3,), (3,)),),
    "np.inner(x, y)": (((2, 3), (4, 3)), ((2, 3), (3,))),
    "np.vdot(x, y)|x.T @ y|x @ y.T|(x * 2).T @ (y + 1)": (((2, 3), (2, 3)),),
    "np.outer(x, y)|np.kron(x, y)|np.multiply.outer(x, y)": (((2,), (3,)), ((2, 3), (2, 2))),
    "np.kron(x, y)": (((2, 1), (1, 3)),),
    "np.cross(x, y)": (((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (3,))),
    "np.tensordot(x, y)|np.tensordot(x, y, 2)|np.tensordot(x, y, axes=2)": (((2, 2, 3), (2, 3, 2)),),
    "np.tensordot(x, y, axes=1)|np.tensordot(x, y, axes=([1], [0]))|np.tensordot(x, y, axes=(1, 0))": (
        ((2, 3), (3, 2)),
    ),
    "np.tensordot(x, y, axes=([0, 2], [1, 0]))": (((2, 4, 3), (3, 2, 2)),),
    "np.tensordot(x, y, axes=0)": (((2,), (3,)),),
    "np.einsum('ij,jk->ik', x, y)|np.einsum('ij,jk', x, y)|np.einsum('ij,jk->', x, y)|np.einsum('ij,jk->ki', x, y)": (
        ((2, 3), (3, 2)),
    ),
    "np.einsum('bij,bjk->bik', x, y)|np.einsum('...ij,...jk->...ik', x, y)": (((2, 2, 3), (2, 3, 2)),),
    "np.einsum('...ij,...jk->...ik', x, y)|np.einsum('...j,jk', x, y)|np.einsum('...ij,kj->...k', x, y)": (
        ((2, 2, 3), (3, 3)), ((3, 3), (3, 3)),
    ),
    "np.einsum('...i,...i->...', x, y)|np.einsum('...,...i->i...', x, y)": (((2, 2), (2, 2)),),
    "np.einsum('i,i', x, y)|np.einsum('i,j->ij', x, y)|np.einsum('i,i->i', x, y)": (((3,), (3,)),),
    "np.convolve(x, y)|np.convolve(x, y, 'valid')|np.convolve(x, y, mode='same')": (
        ((4,), (3,)), ((2,), (5,)), ((3,), (1,)), ((4,), (4,)),
    ),
    "np.vecdot(x, y)": (((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (2, 3))),
    "np.subtract.outer(x, y)|np.arctan2.outer(x, y)": (((2,), (3,)), ((2,), 0.3)),
}  # fmt: skip
OF_ONE_MATRIX = """
    x @ x
    x @ x.T
    x @ x @ x
    np.linalg.multi_dot((x, x.T, x))
    np.linalg.multi_dot([x, x])
    np.einsum('ii', x)
    np.einsum('ii->i', x)
    np.einsum('ij->ji', x)
    np.einsum('ij,ij->j', x, x)
    np.trace(x @ x)
    np.diag(x) * x
    np.tril(x, -1) + np.triu(x)
"""
DOMINANT = np.array([[2.5, 0.3, -0.4], [0.2, 1.8, 0.5], [-0.6, 0.1, 2.2]])
STACKED = np.stack([DOMINANT, DOMINANT.T + 0.1, DOMINANT * 0.7])
APART = 3 * DOMINANT + np.diag([3.0, 9.0, 18.0])  # eigenvalues far from each other, as finite differences need them
APARTS = np.stack([APART, APART.T - 1.0, APART * 0.7])
SYMMETRIC = "(x + x.T)"
LINEAR = """
    np.linalg.inv(x)
    np.linalg.det(x)
    np.linalg.slogdet(x)[1]
    np.linalg.pinv(x)
    np.linalg.solve(x, x[0])
    np.linalg.solve(x, x.T @ x)
    np.linalg.solve(x, np.eye(3)[:, :1] * x)
    np.linalg.matrix_power(x, 3)
    np.linalg.matrix_power(x, -2)
    np.linalg.cholesky(x @ x.T)
    np.linalg.eigvalsh(x + x.T)
    np.linalg.eigh(x + x.T)[0]
    abs(np.linalg.eigh(x + x.T)[1])
    np.linalg.svd(x)[1]
    np.linalg.svd(x, compute_uv=False)
    abs(np.linalg.svd(x, full_matrices=False)[0])
    abs(np.linalg.qr(x)[1])
    np.linalg.lstsq(x, x[0])[0]
    np.linalg.norm(x, 'nuc')
    np.linalg.norm(x, ord=2)
    np.linalg.norm(x, ord=1)
    np.linalg.norm(x, 2.0)
    np.linalg.norm(x, -2, keepdims=True) * x
    np.linalg.norm(x, -1)
    np.linalg.norm(x, -np.inf)
    np.linalg.norm(x, np.inf, keepdims=True) * x
    np.linalg.norm(x[:, :2], 'nuc', axis=(1, 0), keepdims=True)
    scipy.linalg.cholesky(x @ x.T)
    scipy.linalg.cholesky(x @ x.T, lower=True)
    scipy.linalg.expm(x * 0.3)
    scipy.linalg.expm(x * 4.0 - 8.0)
    scipy.linalg.expm(-x)[1:] @ x
    scipy.linalg.solve_triangular(x, x[0])
    scipy.linalg.solve_triangular(x, x[0], lower=True)
    scipy.linalg.cho_solve((x, True), x[0])
    scipy.linalg.cho_solve((x, False), x)
    scipy.linalg.cho_solve(scipy.linalg.cho_factor(x @ x.T), x[:, :2])
    scipy.linalg.cho_solve(scipy.linalg.cho_factor(x @ x.T, lower=True), x[0])
    scipy.linalg.cho_factor(x @ x.T + x)[0]
    scipy.linalg.cho_factor(x @ x.T + x, True)[0]
    scipy.linalg.sqrtm(x)
"""
REAL_ONLY = (
    "cholesky eigvalsh eigh svd qr lstsq norm pinv sqrtm slogdet cho_solve cho_factor solve_triangular expm".split()
)
SPECTRAL = """
    np.linalg.eigh(x)[0]
    np.linalg.eigh(x, UPLO='U')[1] ** 2
    np.linalg.eigh(x)[1] ** 2 @ x
    np.linalg.eigvalsh(x, 'L')
    np.linalg.eigvalsh(x, UPLO='U') * x
"""
SINGULAR = """
    np.linalg.svd(x, compute_uv=False)
    np.linalg.svd(x, full_matrices=False)[1]
    np.linalg.svd(x, full_matrices=False)[0] ** 2
    np.linalg.svd(x, False)[2] ** 2
"""
ORTHOGONAL = """
    np.linalg.qr(x)[0]
    np.linalg.qr(x)[1]
    np.linalg.qr(x, 'r')
    np.linalg.qr(x, mode='reduced')[0] * x[..., :1]
"""
SINGULAR_OR_NOT = """
    np.linalg.pinv(x)
    np.linalg.pinv(x, 1e-3) * 2
    np.linalg.pinv(x, rcond=None) @ x * x[..., :1, :1]
"""
LEAST_SQUARES = """
    np.linalg.lstsq(x, y)[0]
    np.linalg.lstsq(x, y, None)[1]
    np.linalg.lstsq(x, y, rcond=1e-9)[2] * x
    np.linalg.lstsq(x, y, rcond=-1)[3]
"""
NORMS_OF_STACKS = """
    np.linalg.norm(x, 1, axis=(1, 0))
    np.linalg.norm(x, -1, axis=(0, 2))
    np.linalg.norm(x, np.inf, axis=(-1, -2), keepdims=True)
    np.linalg.norm(x, -np.inf, (2, 0))
    np.linalg.norm(x, 2, axis=(0, 1), keepdims=True)
    np.linalg.norm(x, -2, axis=(0, 2))
    np.linalg.norm(x, 'nuc', axis=(2, 0), keepdims=True) * x
"""
SORTED = """
    np.sort(x)
    np.sort(x, axis=0)
    np.sort(x, axis=None)
    np.argsort(x)
    np.argsort(x, axis=0)
    x.argsort()
    x[0][np.argsort(x[0])]
    np.median(x)
    np.median(x, axis=0)
    np.percentile(x, 30.0)
    np.median(x, axis=1, keepdims=True) * x
    np.percentile(x, 80, axis=0)
    np.percentile(x, (0.0, 25.0, 100.0), axis=1)
    np.quantile(x, 0.3, axis=1)
    np.quantile(x, 0.7, keepdims=True) * x
    np.ptp(x)
    np.ptp(x, axis=0)
    np.ptp(x, axis=1, keepdims=True) * x
    np.searchsorted(np.sort(x[0]), 0.3)
    np.searchsorted(np.sort(x[0]), x[1])
    np.unique(x)
    np.unique(np.round(x))
    np.unique(np.array([x[0, 0], x[1, 1], x[0, 0]]), return_counts=True)[1]
    np.unique(np.floor(x), return_index=True, return_inverse=True)[2]
    np.unique(x, return_index=True)[1] * np.unique(x)
    np.nonzero(x > 0)[0]
    np.count_nonzero(x > 0)
    np.count_nonzero(x > 0, axis=0)
    np.partition(x, 1)[:, 1] * np.partition(x, 1)[:, 2:].sum(axis=1)
    np.partition(x, 1, axis=0)[1]
    x[:: len(x)]
    x[-1 :: -len(x), :: len(x)]
    x[:, len(x) : 0 : 1 - len(x)]
    np.nansum(x)
    np.nansum(x, axis=1, keepdims=True) * x
    np.nanmean(x)
    np.nanmean(x, axis=0)
    np.nanmax(x)
    np.nanmin(x, axis=0)
    np.average(x)
    np.average(x, axis=0)
    np.trapezoid(x)
    np.gradient(x[0])
    np.gradient(x, axis=0)
    np.gradient(x, 0.3, axis=1)
    np.gradient(x, np.sort(x[0]), axis=1)
    np.gradient(x, x[0, 1], axis=-1)
    np.gradient(x, 0.5, np.sort(x[1]))[1]
    np.take(x, 1, axis=0)
    np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
    np.logical_and.reduce(x > 0)
    np.add.reduce(x)
    np.add.reduce(x, axis=1, keepdims=True) * x
    np.multiply.reduce(x, 1)
    np.maximum.reduce(x)
    np.minimum.reduce(x, axis=None)
    np.logical_or.reduce(x > 0, axis=1)
    np.add.accumulate(x)
    np.multiply.accumulate(x, axis=1)
    np.isin(x, x[0])
    np.array_equal(x, x)
    np.array_equal(x[0, :2], x[0])
    np.array_equal(x[0], x)
    np.allclose(x, x)
    np.allclose(x, x + 0.1)
    np.allclose(x, x + 0.1, rtol=0.0, atol=0.2)
    np.isclose(x, x + 0.1, atol=0.2)
    np.round(x)
    np.around(x) * x
    np.angle(x) * x
    np.imag(x)
    np.polyval(x[0], 0.4)
    np.polyval(x[0], x)
    np.polyval((1.0, -2.0, 0.5), x)
    np.iscomplexobj(x)
"""
ROUNDED = """
    np.round(x, 1) * x
    np.round(x, decimals=1) * x
    np.around(x, 1) + x
    x.round(1)
    x.round() * x
    x.round(decimals=1) * x
"""
INDEXED = """
    x[x > 0]
    x[x > 0].sum() * x
    np.sum(x[x > 0.1] ** 2)
    x[y]
    x[y, 1]
    x[1, y]
    x[:, y]
    x[y, y]
    x[y][:, y]
    x[y, None]
    x[np.array([0, 1, 1])]
    x[[0, 1, 1]]
    x[[1, 0]]
    x[:, [2, 0]]
    x[(0, 1), (1, 2)]
    x[(0, 1), 1:]
    x[(0, 1),]
    x[1, (2, 0)]
    x[np.nonzero(x > 0)]
    x[y[0]]
    x[y.max()]
    x[x[:, 0] > -9]
    np.take(x, y)
    np.take(x, y, axis=1)
    x.take(y, axis=0)
    np.where(x > 0)[0]
    x[np.where(x > 0)]
"""
SPECIAL = """
    scipy.special.logsumexp(x)
    scipy.special.logsumexp(x, axis=0)
    scipy.special.logsumexp(x, axis=1, keepdims=True)
    scipy.special.expit(x)
    scipy.special.softmax(x, axis=1)
    scipy.special.softmax(x)
    scipy.special.log_softmax(x)
    scipy.special.log_softmax(x, axis=0)
    scipy.special.erf(x)
    scipy.special.erfc(x)
    scipy.special.gammaln(x + 3)
    scipy.special.digamma(x + 3)
    scipy.special.gamma(x + 3)
    scipy.special.logit(x * 0.2 + 0.5)
    scipy.special.xlogy(x + 2, x + 3)
    scipy.special.log_ndtr(x)
    scipy.special.betaln(x + 3, x[0] + 2)
    scipy.special.beta(x + 3, x + 2.5)
    scipy.special.beta(x * 0.05 - 0.5, x[0] * 0.05 - 1.2)
    np.logspace(x[0, 0], x[0, 1], 4)
    np.logspace(0.0, x[0, 0], num=3, endpoint=False, base=2.0)
    x.mT @ x
    x.item(2) * x.item(-1)
    x * x.item(2) + x.item(-1)
    np.interp(0.4, np.sort(x[0]), x[1])
    np.interp(x[1], np.sort(x[0]), x[1])
    np.interp(x[1:] * x[1], np.sort(x[0]), x[1], left=0.5, right=-x[0, 0])
    scipy.special.i0(x)
    scipy.special.i1(x)
    scipy.special.j0(x)
    scipy.special.j1(x + 1.0)
    np.i0(x)
    np.fft.fft(x).real
    abs(np.fft.fft(x, axis=0, norm="ortho")) ** 2
    np.fft.fft(x, 5).imag * np.fft.fft(x, n=2)[:, 1:].real
    np.fft.ifft(x * 1j).imag * x
    np.fft.ifft(x + 1j * x**2, norm="forward").real
    np.fft.rfft(x).imag
    np.fft.rfft(x, 6, axis=0).real
    np.fft.irfft(x)
    np.fft.irfft(x + 1j * x, 5)
    np.fft.irfft(np.fft.rfft(x) * (1 + 1j * x[0, 0]), n=x.shape[1]) * x
    np.fft.fft2(x).imag
    np.fft.ifft2(x + 0j).real
    np.fft.fftn(x).real * np.fft.ifftn(x, axes=(1,)).real
    np.fft.fft2(x, (3, 2)).imag
    np.fft.fftn(x, s=(4,)).real * x[0, 1]
    np.fft.rfft2(x).imag
    np.fft.rfftn(x, (2, -1), (1, 0), "ortho").real
    np.fft.irfft2(np.fft.rfft2(x) * (1 + 1j * x[0, 0]), x.shape)
    np.fft.irfftn(x + 1j * x**2, axes=(0, 1))
    np.fft.hfft(x)
    np.fft.hfft(x + 1j * x**2, 5, norm="ortho")
    np.fft.ihfft(x).imag
    np.fft.ihfft(x, 4, 0, "forward").real
    scipy.fft.fft(x, 3, 0).imag
    scipy.fft.irfft2(scipy.fft.rfft2(x) * (1 + 1j * x[0, 0]), s=x.shape, overwrite_x=False)
    scipy.fft.fftshift(scipy.fft.fftn(x, norm="forward")).real
    scipy.fft.fftfreq(4) * x[0, 0]
    scipy.fft.ifft(x).imag * scipy.fft.fft2(x).real + scipy.fft.ifft2(x).real * scipy.fft.ifftn(x).imag
    scipy.fft.irfft(scipy.fft.rfft(x), 3) * scipy.fft.irfftn(scipy.fft.rfftn(x), x.shape) * scipy.fft.ifftshift(x)
    scipy.fft.hfft(x, 3) + scipy.fft.ihfft(x, 5).real
    scipy.fft.rfftfreq(4) * x[0, 0]
    np.divmod(x, 2.5)[1]
    np.fft.fftshift(x)
    np.fft.fftshift(x, axes=1) * np.fft.ifftshift(x, 0)
    np.fft.ifftshift(x)
    x * np.fft.fftfreq(x.shape[1], 0.5)
    np.fft.fftfreq(5)
    np.fft.rfftfreq(5, d=x[0, 0] + 3)
"""


WRITTEN = """
    x[:, :2][np.tril_indices(2)]
    x[np.triu_indices(2, 1, 3)]
    x[np.tril_indices_from(x, -1)] * x[np.triu_indices_from(x, k=2)]
    x[np.diag_indices(2)]
    x.ravel()[np.flatnonzero(x > 0)]
    x[0] * len(np.argwhere(x > 0))
    np.argwhere(x > 0)
    np.extract(x > 0, x)
    np.compress([False, True], x, axis=0)
    np.compress([True, False, True], x)
    x[np.ix_([1, 0], [True, False, True])]
    np.choose(np.array([2, 0, 1]), [x, 2.0 * x, x[1]])
    np.choose(np.array([1, 0, 1]), (x[0], x[1]))
    np.r_[x[0], x[1, 2], 2.0, x[1]]
    np.c_[x[0], x[1]]
    np.c_[x[:, 0], x, [1.0, 2.0]]
    x[0].astype(np.result_type(x, np.int8, 2.0)) * x[1]
    np.c_[x, x[:, :1]]
    np.block([[x, x[:, :1]], [np.ones((1, 4)) * x[0, 0]]])
    np.block([x[0], x[1, 0]])
    np.delete(x, 1)
    np.delete(x, [0, -1], axis=1)
    np.delete(x, np.array([True, False]), 0)
    np.insert(x, 2, x[0, 1])
    np.insert(x[0], -1, [1.0, 2.0])
    np.bincount(np.array([1, 0, 3])) * x[0, 0]
    np.cov(x)
    np.cov(x[0], x[1], ddof=0)
    np.cov(x, rowvar=False, bias=True)
    np.cov(x[0])
    np.corrcoef(x + np.array([[0.0, 0.3, -0.2], [0.5, 0.1, 0.7]]))
    np.corrcoef(x[0] ** 2 - x[0], x[1])
    np.vander(x[0])
    np.vander(x[0], 2, increasing=True)
    np.geomspace(x[0, 0] + 2, 3.0, 4)
    np.geomspace(2.0, x[0, 1] + 3, num=3, endpoint=False)
    x * np.finfo(x.dtype).eps + np.iinfo(np.int8).max * x
"""
WRITTEN_FOR_DOUBLE = """
    np.bincount(np.array([1, 0, 3]), x[0], 6)
    np.polyfit(np.array([0.0, 1.0, 2.5]), x[0], 1)
    np.polyfit(x[0] + np.array([0.0, 2.0, 5.0]), x.T, 2)
    np.linalg.cond(x + np.array([[2.0, 0.0, 0.5], [0.0, 1.5, 0.0]]))
    x * np.linalg.matrix_rank(x)
"""


NORMAL = """
    scipy.stats.norm.logpdf(x)
    scipy.stats.norm.logpdf(x, 0.3, 1.2)
    scipy.stats.norm.pdf(x)
    scipy.stats.norm.cdf(x)
    scipy.stats.norm.logcdf(x - 25)
    scipy.stats.norm.logcdf(x)
    scipy.stats.norm.logcdf(x, scale=0.5, loc=x[0])
    scipy.stats.norm.logpdf(x, scale=2 + x)
    np.maximum(scipy.stats.expon.logpdf(x, scale=2 + x), -50.0)
    scipy.stats.gamma.logpdf(x, 1.7, loc=-1.6)
    scipy.stats.gamma.logpdf(x + 2, a=2 + x, scale=1.3)
    scipy.stats.beta.logpdf(x, 2 + x * 0.3, 1.6, -2, 4.0)
    np.maximum(scipy.stats.beta.logpdf(x * 0.1 + np.array([0.5, 2, -1]), 2, 3), -50.0)
    scipy.stats.t.logpdf(x, 3 + x, scale=0.6)
    scipy.stats.chi2.logpdf(x + 2.5, 3 + x)
    scipy.stats.laplace.logpdf(x, 0.05, 1.3)
    scipy.stats.cauchy.logpdf(x, loc=x[0] * 0.5)
    scipy.stats.logistic.logpdf(x, 0.2, 0.1)
    np.maximum(scipy.stats.uniform.logpdf(x, loc=-0.5, scale=2 + x), -50.0)
    scipy.stats.lognorm.logpdf(x, 0.4 + x * x, loc=-1.6)
    np.maximum(scipy.stats.lognorm.logpdf(x * 0.1 + np.array([1, 0.8, -1]), 0.7), -50.0)
    scipy.stats.poisson.logpmf(3, x + 2)
    np.maximum(scipy.stats.poisson.logpmf(np.array([2, -1, 0]), mu=x + 2), -50.0)
    scipy.stats.binom.logpmf(np.array([2, 5, 0]), 5, 0.5 + x * 0.2)
    np.maximum(scipy.stats.binom.logpmf(np.array([2.0, 6, -1]), n=5, p=0.5 + x * 0.2), -50.0)
    scipy.stats.bernoulli.logpmf(x > 0, 0.5 + x * 0.2)
"""


def other_rows() -> Iterable[Row]:
    kinks = ("%", "//", "abs", "where", "clip", ">", "<", "==")
    for k, (a, b) in enumerate((PAIRS[0], PAIRS[2], PAIRS[3], PAIRS[4])):
        for r in (*rows(OPERATORS, a, b), *rows(WHERE_AND_CLIP, a, b)):
            if isinstance(a, float) and "x.clip" in r.text:
                continue
            yield Row(r.text, r.args, not any(k in r.text for k in kinks), light=k > 0)
    yield from rows("x + y\nx * y\nx / y\nx - y\ny ** 2 * x\nx % 3 + y\nx // 2 * y", INTEGERS, (3,))
    yield from rows("x + y\nx * y\nx / 2 - y\nnp.where(x, y, 0.5)\nx & (y > 0)\n~x * y", SOME, (3,))
    yield from rows("x + y\nx * y\n-x ** 2\nx / y\nabs(x) % 3\nx // y\nx < y", INTEGERS, INTEGERS)
    small = INTEGERS.astype(np.int8)
    yield from rows("x / y\nx / 3\nnp.nan_to_num(x)\nnp.sinc(x)\nnp.i0(x)", small, small)
    yield from rows("x / y\nx ** y\nnp.square(x)\nx << y\nnp.fmod(x, x | True)\nx // True\nx % True", SOME, SOME)
    yield from rows("x + y\nx * y\nx - 2 * y", values((2, 3), 3).astype(np.float32), (3,))
    yield from rows(COMPOSITIONS, (2, 3))
    yield row("np.sum(np.ones(4) * x) + np.sum(np.ones((2, 3)) * x)", (1,), smooth=False)  # against two lengths
    yield from rows(WRITTEN, (2, 3))
    yield from rows(WRITTEN_FOR_DOUBLE, (2, 3), oracle="double")
    yield from rows(CREATED, (2, 3), smooth=False)
    yield from rows(STARTED, (2, 3), SOME, smooth=False)
    yield from rows("np.max(x, initial=1.0)\nx.min(axis=0, initial=0.5)\nx.sum(initial=2.0)", (2, 0), light=True)
    yield from rows("np.zeros(0)\nnp.ones((2, 0))\nnp.full((1, 1), 3)\nnp.zeros(2, bool)\nnp.ones(3, np.int64)")
    yield from (row(r.text, (2, 3), (3, 2), smooth="*" in r.text) for r in rows(SHAPED))
    yield from rows(
        "x.T * 2\nnp.transpose(x, (2, 0, 1))\nx.transpose(1, 2, 0)\nnp.swapaxes(x, 0, 2)\nx.reshape(2, -1)", (2, 3, 2)
    )
    yield from rows("np.moveaxis(x, 0, -1)\nnp.squeeze(x[:, :1])\nnp.concatenate([x, x], 2)\nnp.ravel(x)", (2, 3, 2))
    for texts, pairs in PRODUCTS.items():
        for text, pair in itertools.product(texts.split("|"), pairs):
            yield row(text, *pair)
    yield from rows(OF_ONE_MATRIX, (3, 3))
    for r in rows(LINEAR):
        real = any(name in r.text for name in REAL_ONLY)
        yield Row(
            r.text, (DOMINANT,), smooth=not real, single="eig" not in r.text, oracle="double" if real else "complex"
        )
    for text in ("inv(x)", "det(x)", "solve(x, x)", "solve(x, x[:, :, :1])", "matrix_power(x, 2)"):
        yield Row(f"np.linalg.{text}", (STACKED,), oracle="complex")
    for one in (APART, APARTS, APART[:1, :1], np.zeros((0, 0))):
        yield from (Row(r.text, (one,), oracle="double") for r in rows(SPECTRAL))
    for one in (APART, APART[:, :2], APART[:2], APARTS[:, :2], APART[:1], np.zeros((2, 0))):
        yield from (Row(r.text, (one,), oracle="double") for r in rows(SINGULAR))
    for one in (
        DOMINANT,
        DOMINANT[:, :2],
        DOMINANT[:2],
        STACKED[:, :2],
        STACKED[..., :2],
        DOMINANT[:1],
        np.zeros((2, 0)),
    ):
        yield from (Row(r.text, (one,), oracle="double") for r in rows(ORTHOGONAL))
    for one in (
        DOMINANT,
        DOMINANT[:, :2],
        DOMINANT[:2],
        STACKED[:, :2],
        STACKED[..., :2],
        DOMINANT[:1],
        np.zeros((2, 0)),
    ):
        yield from (
            Row(r.text, (one,), oracle="double") for r in rows(SINGULAR_OR_NOT) if "x[" not in r.text or one.size
        )
    for a, b in itertools.product((DOMINANT, DOMINANT[:, :2], APART[:2]), ((), (2,), (1,))):
        if a is not DOMINANT or not b:
            yield from (Row(r.text, (a, values((len(a), *b), 3)), oracle="double") for r in rows(LEAST_SQUARES))
    for one in (DOMINANT / 2, STACKED, np.zeros((0, 0))):
        yield Row("scipy.linalg.expm(x)", (one,), oracle="double")
    for r in rows(NORMS_OF_STACKS):
        yield Row(r.text, (np.stack([4 * APART[:2], 2 * APART.T[1:], 3 * APART[::-2] - 2]) / 16,), oracle="double")
    for b in ((3,), (3, 2), (3, 1)):
        yield row("np.linalg.solve(x, y)", DOMINANT, b, oracle="complex")
    yield row("np.linalg.solve(x, y)", STACKED, (3, 3, 2), oracle="complex")
    yield row("np.linalg.solve(x, y)", DOMINANT, (2, 3, 2), oracle="complex")
    yield from rows(SORTED, (2, 4), smooth=False)
    yield from rows(ROUNDED, np.array([[0.32, -0.71], [1.13, 0.98]]), smooth=False)
    yield from rows(INDEXED, (2, 3), np.array([1, 0]), smooth=False)
    yield from rows(SPECIAL, (2, 3), oracle="double")
    for shape in ((3,), (2, 3)):
        yield row(
            "scipy.stats.multivariate_normal.logpdf(x, y, z @ z.T + np.eye(3))",
            shape,
            (3,),
            DOMINANT,
            oracle="double",
            single=False,
        )
    yield from rows(NORMAL, (2, 3), oracle="double", single=False)  # SciPy computes them in float64


NOT_YET = set(
    """
    scipy.linalg.sqrtm
    """.split()
)  # functions whose rows are refused
NOT_YET_FORMS = {
    "np.linalg.svd(x)[1]",
}  # expressions that are refused for another reason than a name


@functools.cache
def all_rows() -> tuple[Row, ...]:
    found = {}
    for r in (*unary_rows(), *binary_rows(), *reduction_rows(), *other_rows()):
        name = str(r)
        while name in found:
            name += "'"
        found[name] = r
    return tuple(found.values())


def main() -> None:
    """Print how many rows there are, and for each function how many with which keywords, ranks and modes."""
    functions: dict[str, list[Row]] = {}
    keywords: dict[str, Counter] = {}
    modes: Counter = Counter()
    for r in all_rows():
        modes.update(r.modes())
        for name, given in set(r.names()):
            functions.setdefault(name, []).append(r)
            keywords.setdefault(name, Counter()).update(given)
    print(f"{len(all_rows())} rows; by mode, where the result is a float: {dict(modes)}")
    for name, found in sorted(functions.items()):
        ranks = sorted({np.ndim(a) for r in found for a in r.args})
        print(f"{len(found):5} {name:28} ranks {''.join(map(str, ranks)):6} {dict(keywords[name]) or ''}")


if __name__ == "__main__":
    main()
