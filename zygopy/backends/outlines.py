"""What is known of a program beside its code, kept on disk: what it captures, and the structure of what it returns.

Functions are kept by their number among those that a fingerprint reaches, and are those of this process when read.
"""

import io
import pickle
import types
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from zygopy.backends import cache
from zygopy.backends.fingerprint import OF_PACKAGE
from zygopy.transform import Program
from zygopy.transform.ir import Block


def kept_outline(identity: str | None, functions: list[Callable], make: Callable[[], Program]) -> Program:
    """A program, of which the statements may be missing: from disk, or made and then kept."""
    if identity is None:
        return make()
    name = cache.name(False, OF_PACKAGE, "outline", identity)
    if (data := cache.read(name)) is not None:
        return _Reader(io.BytesIO(data), functions).load()
    program = make()
    out = io.BytesIO()
    try:
        second = program.second and replace(program.second, body=Block(()))
        _Writer(out, functions).dump(
            replace(program, function=replace(program.function, body=Block(())), second=second)
        )
    except (pickle.PicklingError, AttributeError, TypeError):  # it holds what another process cannot have
        return program
    cache.write(name, out.getvalue())
    return program


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO, functions: list[Callable]):
        super().__init__(file)
        self._numbers = {id(function): k for k, function in enumerate(functions)}

    def persistent_id(self, obj: object) -> object:
        if isinstance(obj, types.ModuleType):
            return obj.__name__
        if isinstance(obj, type) and obj.__module__ == "__main__":
            raise pickle.PicklingError("a class that another process cannot import")
        return self._numbers.get(id(obj))


class _Reader(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, functions: list[Callable]):
        super().__init__(file)
        self._functions = functions

    def persistent_load(self, pid: Any) -> object:
        return import_module(pid) if isinstance(pid, str) else self._functions[pid]
