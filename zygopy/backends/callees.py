"""Kept functions in compiled code: each is compiled once, and called through a slot that holds its address.

A slot is known before there is code for it, so that functions may call themselves and each other. Its name tells which
program and function it is of: code from disk that calls it finds the function's code there, too.
"""

import ctypes
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import types

from zygopy.backends import arena
from zygopy.backends.numba_calls import KEPT, Kept
from zygopy.backends.numba_private import address_at, compile_kept, instruction, load_kept, provider
from zygopy.transform.emit import Source
from zygopy.transform.types import Arena, Array, Scalar, Stack, Type

_slots: dict[str, ctypes.c_void_p] = {}
_code: dict[str, object] = {}  # what keeps the code of a function alive


def numba_type(type_: Type) -> types.Type:
    """The Numba type of a value of the IR."""
    match type_:
        case Scalar():
            return _number(type_.dtype)
        case Array():
            layout: Any = type_.layout
            return types.Array(_number(type_.dtype), type_.ndim, layout, readonly=not type_.writable)
        case Stack():
            return types.Array(_number(type_.dtype), 2, "C")
        case Arena():
            return arena.TYPE


def _number(dtype: np.dtype) -> types.Type:
    return types.boolean if dtype.kind == "b" else getattr(types, dtype.name)


def _result(source: Source) -> types.Type:
    gives = [numba_type(type_) for type_ in source.gives]
    return gives[0] if len(gives) == 1 else types.Tuple(gives)


def linked(source: Source, realise: Callable) -> dict[str, Callable]:
    """The kept functions of a source as instructions that call them, compiled if they are not yet.

    `realise` takes the source of one of them and all instructions, and gives the Python function for Numba.
    """
    known = [_described(callee) for callee in source.callees]
    digest = hashlib.blake2b(repr(known).encode(), digest_size=16).hexdigest()
    symbols = [f"{digest}-{k}" for k in range(len(known))]
    calls = {c.name: _calling(c, symbol) for c, symbol in zip(source.callees, symbols, strict=True)}
    stays = any("<locals>" in class_.__qualname__ or class_.__module__ == "__main__" for class_ in _classes(source))
    missing = [(c, symbol) for c, symbol in zip(source.callees, symbols, strict=True) if _code.get(symbol) is None]
    _code.update((symbol, None) for _, symbol in missing)  # they may call each other
    for callee, symbol in missing:
        signature = _result(callee)(*map(numba_type, callee.takes), types.int64)
        _code[symbol], address = compile_kept(realise(callee, calls), signature, symbol, stays)
        _slot(symbol).value = address
    return calls


def _described(source: Source) -> tuple:
    """All that the code of a kept function depends on."""
    classes = sorted((name, repr(class_)) for name, class_ in source.errors.items())
    parts = (source.name, source.text, classes, sorted(source.lines.items()), sorted(source.classes.items()))
    marks = (sorted(source.parallel), sorted(source.short), sorted(source.local), sorted(source.records.items()))
    return repr((parts, marks, source.takes, source.gives)), [t.writable for t in source.takes if isinstance(t, Array)]


def _classes(source: Source) -> list[type]:
    return [class_ for callee in source.callees for class_ in callee.errors.values()]


def _slot(symbol: str) -> ctypes.c_void_p:
    return _slots.setdefault(symbol, ctypes.c_void_p())


@provider("callee")
def _address_of_slot(symbol: str) -> int:
    """The address of a function's slot; where nobody compiles the function, its code is read from disk.

    Raises
    ------
    LookupError
        If it is not there.
    """
    slot = _slot(symbol)
    if not slot.value and symbol not in _code:
        _code[symbol] = None  # it may call itself
        found = load_kept(symbol)
        if found is None:
            del _code[symbol]
            raise LookupError(symbol)
        _code[symbol], slot.value = found
    return ctypes.addressof(slot)


def _calling(source: Source, symbol: str) -> Callable:
    """An instruction that calls a kept function; arrays may have the layout that they happen to have.

    Behind the arguments it takes the address that the stack may grow down to.
    """
    result, takes = _result(source), [*map(numba_type, source.takes), types.int64]

    def typing(*given):
        pairs = zip(given, takes, strict=True)
        return result(*(a if isinstance(a, types.Array) else declared for a, declared in pairs))

    def address(context, builder, type_):
        return address_at(builder, f"zygopy.callee.{symbol}", type_)

    call = instruction(None, typing)
    KEPT[call] = Kept(address, result, tuple(takes))
    return call
