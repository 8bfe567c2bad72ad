"""Rows of array functions: an expression of NumPy, the arrays it is tried on, and the exact derivative.

A row's letters x, y, z, w are its arguments, and the floats among them are differentiated. The exact derivative is
NumPy's own run of the expression: by differences of sixth order in long double, by complex steps where LAPACK has no
long double, or by the same differences in double where NumPy has neither.

What this cannot see: a mistake of NumPy. Kinks and ties have their values in test_array_rows.py.
"""

import ast
import contextlib
import itertools
import linecache
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.special
import scipy.stats

import zygopy as zg
from tests.compare import leaves

LETTERS = "xyzw"
NAMES = {"np": np, "scipy": scipy, "zg": zg}


@dataclass(frozen=True)
class Row:
    """An expression and its arguments; `smooth` allows second order, `single` float32, `light` is reverse only."""

    text: str
    args: tuple
    smooth: bool = True
    single: bool = True
    light: bool = False
    oracle: str = "long"

    def __str__(self):
        shapes = ",".join(str(np.shape(a)).replace(" ", "") for a in self.args)
        return f"{self.text} {shapes}" + "".join(f" {a.dtype}" for a in self.args if is_odd(a))

    @property
    def letters(self) -> str:
        return ", ".join(LETTERS[: len(self.args)])

    @property
    def argnums(self) -> tuple[int, ...]:
        return tuple(k for k, a in enumerate(self.args) if is_float(a))

    def names(self) -> list[tuple[str, tuple[str, ...]]]:
        """What the expression calls, np.sum or .sum or an operator, each with its keywords."""
        found = []
        for node in ast.walk(ast.parse(self.text)):
            match node:
                case ast.Call(func=func):
                    keywords = tuple(str(k.arg) for k in node.keywords)
                    name = ast.unparse(func) if is_known(func) else f".{getattr(func, 'attr', ast.unparse(func))}"
                    found.append((name, keywords))
                case ast.Attribute(attr="T" | "shape" | "size" | "ndim" | "real" | "imag" | "mT" | "flat" as name):
                    found.append((f".{name}", ()))
                case ast.BinOp(op=op) | ast.UnaryOp(op=op):
                    found.append((type(op).__name__.lower(), ()))
                case ast.Compare(ops=[op]):
                    found.append((type(op).__name__.lower(), ()))
                case ast.Subscript():
                    found.append(("x[...]", ()))
        return found

    def modes(self, differentiable: bool = True) -> list[str]:
        """What is asked of the row."""
        if not (differentiable and self.argnums):
            return ["value"]
        full = [] if self.light else ["forward", "second"] if self.smooth else ["forward"]
        return ["value", "reverse", *full, *["single"] * self.can_be_single()]

    @property
    def digits(self) -> float:
        """The relative precision of the row's arithmetic."""
        single = "np.float32" in self.text or any(np.asarray(a).dtype == np.float32 for a in self.args)
        return 3e-4 if single else 1e-9

    def can_be_single(self) -> bool:
        return self.single and not self.light and any(is_wide(a) for a in self.args)

    def as_single(self) -> "Row":
        """The row with float32 arrays in place of float64 ones; numbers stay Python's."""
        return replace(self, args=tuple(a.astype(np.float32) if is_wide(a) else a for a in self.args), single=False)


def is_known(func: ast.expr) -> bool:
    root = func
    while isinstance(root, ast.Attribute):
        root = root.value
    return isinstance(root, ast.Name) and (root.id in NAMES or not isinstance(func, ast.Attribute))


def is_float(a: object) -> bool:
    return isinstance(a, float) or (isinstance(a, np.ndarray | np.floating) and a.dtype.kind == "f")


def is_wide(a: object) -> bool:
    return isinstance(a, np.ndarray) and a.dtype == np.float64


def is_odd(a: object) -> bool:
    return isinstance(a, np.ndarray | np.generic) and a.dtype != np.float64


# -- functions of a row ----------------------------------------------------------------------------------------------

_files = itertools.count()


def define(source: str) -> dict:
    """The names that a piece of source defines; its lines can be read."""
    file = f"<array rows {next(_files)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    namespace = dict(NAMES)
    exec(compile(source, file, "exec"), namespace)
    return namespace


def source_of(row: Row, n: object = "") -> str:
    """Source of the row's function f, its weighted sum `loss`, that with the result, the gradient's weighted sum."""
    a, us = row.letters, ", ".join(f"u{k}" for k in row.argnums)
    if not a:
        return f"def f{n}():\n    return {row.text}\n"
    terms = " + ".join(f"np.sum(u{k} * g[{j}])" for j, k in enumerate(row.argnums))
    lines = [f"def f{n}({a}):", f"    return {row.text}", "", ""]
    lines += [f"def loss{n}({a}, c):", f"    return np.sum(c * f{n}({a}))", "", ""]
    lines += [f"def both{n}({a}, c):", f"    ans = f{n}({a})", "    return np.sum(c * ans), ans", "", ""]
    lines += [f"def second{n}({a}, c, {us}):"]
    lines += [
        f"    f{n}({a})"
    ]  # shows which axes of length 1 are repeated, which is asked outside of inner gradients only
    lines += [f"    g = zg.grad(loss{n}, {row.argnums})({a}, c)", f"    return {terms}"]
    return "\n".join(lines) + "\n"


def numpy_function(text: str, letters: str, dtype: str = "") -> Callable:
    """The expression as NumPy runs it; in another dtype if one is named."""
    if dtype:
        text = text.replace("np.float32", f"np.{dtype}").replace("np.float64", f"np.{dtype}")
    return eval(f"lambda {letters}: {text}", dict(NAMES))


def weights(shape: tuple[int, ...], phase: float = 0.0, dtype: object = float) -> np.ndarray | float:
    """Numbers of the shape without symmetry; a Python float where it is empty."""
    found = np.cos(1.7 * np.arange(np.prod(shape, dtype=int)) + 0.3 + phase).reshape(shape)
    return found.astype(dtype) if shape else float(found)


# -- the oracle ------------------------------------------------------------------------------------------------------

STENCIL = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))


def differences(f: Callable, step: float) -> object:
    """The derivative of f(t) at 0, of sixth order."""
    return sum(np.longdouble(w) * (f(k * step) - f(-k * step)) for k, w in STENCIL) / step


class Exact:
    """Value and derivatives of a row by NumPy alone."""

    def __init__(self, row: Row):
        self.row = row
        self.dtype = {"long": "longdouble", "complex": "complex128", "double": "float64"}[row.oracle]
        self.f = numpy_function(row.text, row.letters, self.dtype)
        self.args = [np.asarray(a, self.dtype)[()] if is_float(a) else a for a in row.args]
        self.step = np.longdouble(1) / 2**10 if row.oracle == "long" else 2.0**-8

    def moved(self, directions: dict[int, np.ndarray], t: object) -> list:
        return [a + t * directions[k] if k in directions else a for k, a in enumerate(self.args)]

    def slope(self, directions: dict[int, np.ndarray], at: list) -> np.ndarray:
        """The directional derivative at some arguments."""

        def value(t):
            return np.asarray(self.f(*(a + t * directions[k] if k in directions else a for k, a in enumerate(at))))

        return value(1e-40j).imag / 1e-40 if self.row.oracle == "complex" else differences(value, self.step)

    def units(self) -> Iterable[tuple[int, tuple, np.ndarray]]:
        for k in self.row.argnums:
            for index in np.ndindex(np.shape(self.args[k])):
                unit = np.zeros(np.shape(self.args[k]), np.longdouble if self.dtype == "longdouble" else float)
                unit[index] = 1
                yield k, index, unit

    def gather(self, slope: Callable) -> tuple:
        """Numbers, one for each element of each differentiated argument."""
        found = {k: np.zeros(np.shape(self.args[k])) for k in self.row.argnums}
        for k, index, unit in self.units():
            found[k][index] = slope(k, unit)
        return tuple(found.values())

    def gradient(self, c: object) -> tuple:
        return self.gather(lambda k, unit: np.sum(c * self.slope({k: unit}, self.args)))

    def tangent(self, directions: dict[int, np.ndarray]) -> np.ndarray:
        return self.slope(directions, self.args)

    def curvature(self, c: object, directions: dict[int, np.ndarray]) -> tuple:
        """The gradient of the directional derivative of sum(c * f)."""
        step = self.step if self.row.oracle == "long" else 2.0**-7

        def slope(k, unit):
            return differences(lambda t: np.sum(c * self.slope(directions, self.moved({k: unit}, t))), step)

        return self.gather(slope)


# -- what is asked of a row -------------------------------------------------------------------------------------------


def check(row: Row, backend: str = "python") -> None:
    """All modes of a row."""
    namespace, expected = define(source_of(row)), numpy_value(row)
    differentiable = is_differentiable(row, expected)
    modes = row.modes(differentiable)
    if not (differentiable and row.light):
        check_value(zg.jit(namespace["f"], backend=backend)(*row.args), expected)
    if differentiable:
        check_reverse(row, namespace, expected, backend)
    if "forward" in modes:
        check_forward(row, namespace["f"], expected, backend)
    if "second" in modes:
        check_second(row, namespace["second"], expected, backend)
    if "single" in modes:
        single = row.as_single()
        check_reverse(single, namespace, numpy_value(single), backend)


def is_differentiable(row: Row, expected: object) -> bool:
    return bool(row.argnums) and not isinstance(expected, tuple) and np.asarray(expected).dtype.kind == "f"


def numpy_value(row: Row) -> object:
    """The expression run by NumPy."""
    with quiet():
        return numpy_function(row.text, row.letters)(*row.args)


@contextlib.contextmanager
def quiet():
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def check_value(found: object, expected: object, what: str = "value") -> None:
    """The same numbers to rounding, in the same shapes and dtypes; a Python number is float64, int64 or bool."""
    for f, e in zip(leaves(found), leaves(expected), strict=True):
        assert isinstance(f, np.ndarray) == (isinstance(e, np.ndarray) and e.ndim > 0), f"{what}: {f!r} for {e!r}"
        f, e = np.asarray(f), np.asarray(e)
        assert f.dtype == e.dtype, f"{what}: dtype {f.dtype} instead of {e.dtype}"
        assert f.shape == e.shape, f"{what}: shape {f.shape} instead of {e.shape}"
        rtol = 1e-12 if e.dtype.itemsize == 8 else 2e-5
        np.testing.assert_allclose(f, e, rtol, rtol * size_of(e), err_msg=what)


def size_of(e: np.ndarray) -> float:
    """The size of the largest finite number."""
    e = np.asarray(e, float)
    return float(np.abs(e[np.isfinite(e)]).max(initial=0.0))


def assert_near(found: object, exact: object, like: object, rtol: float, what: str) -> None:
    """A derivative with the shape and dtype of `like`."""
    assert np.shape(found) == np.shape(like), f"{what}: shape {np.shape(found)} instead of {np.shape(like)}"
    dtype = np.asarray(like).dtype
    assert np.asarray(found).dtype == dtype, f"{what}: dtype {np.asarray(found).dtype} instead of {dtype}"
    np.testing.assert_allclose(found, np.asarray(exact, float), rtol, rtol * (1 + size_of(exact)), err_msg=what)


def check_reverse(row: Row, namespace: dict, expected: object, backend: str) -> None:
    c = weights(np.shape(expected), 0.0, np.asarray(expected).dtype)
    (_, value), found = zg.value_and_grad(namespace["both"], row.argnums, True, backend=backend)(*row.args, c)
    check_value(value, expected, "value beside the gradient")
    with quiet():
        exact = Exact(row).gradient(c)
    for k, f, e in zip(row.argnums, found, exact, strict=True):
        assert_near(f, e, row.args[k], row.digits, f"gradient of argument {k}")


def directions(row: Row) -> dict[int, object]:
    return {k: weights(np.shape(row.args[k]), 1.0 + k, np.asarray(row.args[k]).dtype) for k in row.argnums}


def check_forward(row: Row, f: object, expected: object, backend: str) -> None:
    moving = directions(row)
    tangents = tuple(moving.get(k) for k in range(len(row.args)))
    value, found = zg.jvp(f, row.args, tangents, backend=backend)
    check_value(value, expected, "value beside the tangent")
    with quiet():
        exact = Exact(row).tangent(moving)
    assert_near(found, exact, expected, row.digits, "tangent")


def check_second(row: Row, second: object, expected: object, backend: str) -> None:
    """The gradient of the product of gradient and directions."""
    c, moving = weights(np.shape(expected)), directions(row)
    found = zg.grad(second, row.argnums, backend=backend)(*row.args, c, *moving.values())
    with quiet():
        exact = Exact(row).curvature(c, moving)
    for k, f, e in zip(row.argnums, found, exact, strict=True):
        assert_near(f, e, row.args[k], row.digits, f"second order of argument {k}")
