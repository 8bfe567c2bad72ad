"""The python backend: emitted source run by plain Python under NumPy's rules."""

import ast
import builtins
import itertools
import linecache
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zygopy.backends import matrices, runtime, runtime_arrays
from zygopy.errors import ZygopyError
from zygopy.transform.emit import Source

_numbers = itertools.count(1)


def compile(source: Source, names: dict[str, Any] | None = None) -> Callable:
    """The function of a source; its text can be seen in tracebacks. `names` are more that it may use."""
    namespace: dict[str, Any] = {
        "np": np,
        "math": math,
        "float": np.float64,
        "complex": runtime.complex_of,
        **runtime.HELPERS,
        **runtime_arrays.HELPERS,
        **matrices.KERNELS,
        **(names or {}),
    }
    for part in (*source.callees, source):
        namespace |= part.errors | part.constructors
        _define(part, namespace)
    function = namespace[source.name]

    def run(*args):
        with np.errstate(all="ignore"):
            return _plain(function(*(_strong(a) for a in args)))

    return run


_compile = builtins.compile


def _define(source: Source, namespace: dict[str, Any]) -> None:
    """Run the text of one function."""
    file = f"<zygopy {source.name} {next(_numbers)}>"
    linecache.cache[file] = (len(source.text), None, source.text.splitlines(True), file)
    tree = ast.fix_missing_locations(_StrongConstants().visit(locate_errors(ast.parse(source.text), source)))
    exec(_compile(tree, file, "exec"), namespace)


def locate_errors(tree: ast.Module, source: Source) -> ast.Module:
    """Give the messages of zygopy's own errors the user's line, which the text leaves out."""
    for node in ast.walk(tree):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(name), args=[ast.Constant(str() as what)]) as call):
                if issubclass(source.errors[name], ZygopyError):
                    call.args = [ast.Constant(str(ZygopyError(what, source.lines[node.lineno])))]
            case ast.Raise(exc=ast.Call(func=ast.Name(name), args=[ast.JoinedStr(values)])):
                if issubclass(source.errors[name], ZygopyError):
                    values.append(ast.Constant(str(ZygopyError("", source.lines[node.lineno]))))
    return tree


class _StrongConstants(ast.NodeTransformer):
    """Float and complex constants as NumPy's, so that two of them follow NumPy's rules."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, float | complex):
            return node
        name = type(node.value).__name__
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [node], []), node)


def _strong(value: object) -> object:
    """Python's floats and complex numbers as NumPy's, so that 1 / 0 is inf."""
    if isinstance(value, tuple):
        return _like(value, map(_strong, value))
    if isinstance(value, float):
        return np.float64(value)
    return np.complex128(value) if isinstance(value, complex) else value


def _like(value: tuple, items) -> tuple:
    """A tuple, or a NamedTuple of the same class."""
    return tuple(items) if type(value) is tuple else type(value)(*items)


def _plain(value: object) -> object:
    """float64, complex128, int64 and bool results as Python's."""
    if isinstance(value, tuple):
        return _like(value, map(_plain, value))
    return value.item() if isinstance(value, np.float64 | np.complex128 | np.int64 | np.bool_) else value
