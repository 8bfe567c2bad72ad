"""What the code of a function depends on: the function, what it names, what that names, and so on.

Everything that zygopy reads of a program it finds through names in the code of the functions that it follows, and their
defaults. So the digest of what can be reached by names is the same only where all that was read is the same; what is
reached and not read makes it differ too often, never too seldom.
"""

import dataclasses
import functools
import hashlib
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np

from zygopy.transform.reading.user_rules import rules_of
from zygopy.transform.records import Known, Record

_BY_VERSION = {"numpy", "scipy", "numba", "zygopy", *sys.stdlib_module_names}  # packages whose version tells it all


_STARTED = time.time()


class Fingerprint:
    """The digest of what the code of a function depends on, None if that cannot be known; the functions it reaches."""

    def __init__(self, function: Callable, *more: object):
        self.functions: list[Callable] = []
        self._seen: dict[int, int] = {}
        self._hash = hashlib.blake2b(digest_size=20)
        self.digest: str | None
        try:
            self._value(function, ())
            self._value(more, ())
            self.digest = self._hash.hexdigest()
        except _UnknownError:
            self.digest = None

    def _add(self, *words: object) -> None:
        self._hash.update(repr(words).encode())

    def _value(self, value: object, names: tuple[str, ...]) -> None:
        """Add a value; `names` are the attributes that the code around it asks for."""
        if not _is_operator(value):
            value = getattr(value, "py_func", value)
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | np.generic | np.dtype):
            self._add(type(value).__name__, value)
        elif id(value) in self._seen:
            self._add("again", self._seen[id(value)])
        else:
            self._seen[id(value)] = len(self._seen)
            self._object(value, names)

    def _object(self, value, names: tuple[str, ...]) -> None:
        rules = rules_of(value) if isinstance(value, types.FunctionType) else None
        if rules is not None:
            for form, rule in sorted(rules.declared().items()):
                self._add("rule", form)
                self._value(rule, ())
        if isinstance(value, np.ndarray):
            ones = tuple(k for k, n in enumerate(value.shape) if n == 1)
            flags = (value.flags.c_contiguous, value.flags.f_contiguous, value.flags.writeable)
            self._add("array", value.dtype.str, value.ndim, flags, ones)
        elif isinstance(value, types.ModuleType):
            self._module(value, names)
        elif _is_by_version(value):
            self._add("known", value.__module__, value.__qualname__)
        elif isinstance(value, np.ufunc | types.BuiltinFunctionType):
            self._add("known", type(value).__name__, value.__name__)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.MethodType):
            self._several("method", [value.__func__, value.__self__])
        elif isinstance(value, functools.partial):
            self._several("partial", [value.func, *value.args, *value.keywords, *value.keywords.values()])
        elif isinstance(value, property | staticmethod | classmethod):
            parts = [value.fget] if isinstance(value, property) else [value.__func__]
            self._several(type(value).__name__, parts)
        elif _is_operator(value):
            self._several("operator", [value.function, repr(value.task), value.backend])
        elif isinstance(value, Record):
            self._several("record", [value.cls, *value.keys, *value])
        elif isinstance(value, Known):
            self._several("known", [value.value])
        elif isinstance(value, tuple | list):
            self._several(len(value), [type(value), *value] if type(value) not in (tuple, list) else list(value))
        elif isinstance(value, dict):
            self._several(len(value), [*value, *value.values()])
        elif dataclasses.is_dataclass(value):
            fields = [f.name for f in dataclasses.fields(value) if f.compare]
            self._several("dataclass", [type(value), *(getattr(value, name, None) for name in fields)])
        elif type(value).__module__.partition(".")[0] in _BY_VERSION:
            self._add("known", type(value).__qualname__, repr(value))
        else:
            raise _UnknownError

    def _several(self, kind: object, values: list) -> None:
        self._add(kind, len(values))
        for value in values:
            self._value(value, ())

    def _module(self, module: types.ModuleType, names: tuple[str, ...]) -> None:
        self._add("module", module.__name__)
        if module.__name__.partition(".")[0] in _BY_VERSION:
            return
        del self._seen[id(module)]  # other code may ask for other names
        for name in names:
            if name in vars(module):
                self._add(name)
                self._value(vars(module)[name], names)

    def _class(self, class_: type) -> None:
        fields = {name: str(type_) for name, type_ in getattr(class_, "__annotations__", {}).items()}
        self._add("class", class_.__module__, class_.__qualname__, fields)
        for base in class_.__mro__:
            if base.__module__.partition(".")[0] in _BY_VERSION:
                continue
            for name, value in sorted(vars(base).items()):
                if isinstance(value, types.FunctionType | property | staticmethod | classmethod) or not name.startswith(
                    "__"
                ):
                    self._add(name)
                    self._value(value, ())

    def _function(self, function: types.FunctionType) -> None:
        self.functions.append(function)
        code = function.__code__
        if _is_newer(code.co_filename):
            raise _UnknownError
        codes = _codes(code)
        names = tuple(sorted({name for c in codes for name in c.co_names}))
        self._code(code)
        self._several("defaults", [*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())])
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            self._add("cell", name)
            try:
                self._value(cell.cell_contents, names)
            except ValueError:
                self._add("unset")
        builtins = function.__globals__.get("__builtins__", {})
        builtins = builtins if isinstance(builtins, dict) else vars(builtins)
        for name in names:
            if name in function.__globals__:
                self._add("global", name)
                self._value(function.__globals__[name], names)
            elif name in builtins:
                self._add("builtin", name)

    def _code(self, code: types.CodeType) -> None:
        self._add(code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars, code.co_flags)
        self._add(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        self._add(code.co_filename, code.co_firstlineno, code.co_linetable, code.co_exceptiontable)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._code(constant)
            elif isinstance(constant, frozenset):
                self._add("set", sorted(map(repr, constant)))
            else:
                self._add(type(constant).__name__, constant)


def _is_newer(file: str) -> bool:
    """Whether a file was written after the process began: its text may not be that of the code."""
    try:
        return os.stat(file).st_mtime > _STARTED
    except OSError:
        return False


class _UnknownError(Exception):
    """A value of which it is not known what makes it equal to another one."""


def _is_operator(value: object) -> bool:
    """Whether a value is one of zygopy's operators on a function."""
    return hasattr(value, "function") and hasattr(value, "task")


def _is_by_version(value: object) -> bool:
    """Whether a function or class is one of a package whose version tells what it does."""
    module = getattr(value, "__module__", None)
    if not hasattr(value, "__qualname__") or not isinstance(module, str) or module.partition(".")[0] not in _BY_VERSION:
        return False
    return not isinstance(value, types.FunctionType) or value.__globals__ is vars(sys.modules.get(module, types))


def _codes(code: types.CodeType) -> list[types.CodeType]:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return [code, *(found for c in inner for found in _codes(c))]


def _versions(part: str) -> str:
    """The versions that all code depends on, and a stamp of this package's own files, or those of a part of it."""
    names = ("numpy", "numba", "llvmlite")
    packages = [getattr(sys.modules.get(name), "__version__", "") for name in names]
    root = Path(__file__).parents[1] / part
    known = ((path, path.stat()) for path in sorted(root.rglob("*.py")))
    own = [(str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns) for path, stat in known]
    return hashlib.blake2b(repr((sys.version, packages, own)).encode(), digest_size=20).hexdigest()


# Taken when the package is imported: its files may change later.
OF_PACKAGE, OF_BACKENDS = _versions(""), _versions("backends")
