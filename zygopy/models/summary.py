"""What a model is made of, and how large it is."""

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

import zygopy as zg


def count(model: Any) -> int:
    """The number of parameters: elements of arrays of floats.

    Examples
    --------
    >>> count({"w": np.ones((3, 2)), "b": np.zeros(2)})
    8
    """
    return sum(leaf.size for leaf in zg.leaves(model))


def convert(model: Any, dtype: Any) -> Any:
    """A copy of a model with floats of another dtype: its parameters, and state such as running means.

    Raises
    ------
    DtypeError
        For a dtype that is none of floats.

    Examples
    --------
    >>> convert({"w": np.ones(2)}, np.float32)["w"].dtype
    dtype('float32')
    """
    if np.dtype(dtype).kind != "f":
        raise zg.DtypeError(f"parameters are floats, not {np.dtype(dtype)}", help="use np.float32 or np.float64")

    def converted(array: np.ndarray) -> np.ndarray:
        return array.astype(dtype) if array.dtype.kind == "f" else array

    return zg.map_leaves(converted, model, kind=np.ndarray)


def summary(model: Any) -> str:
    """A model layer by layer, with the number of parameters of each, and their size together.

    Examples
    --------
    >>> print(summary({"w": np.ones((3, 2)), "b": np.zeros(2)}))
    {"w": (3, 2), "b": (2,)}  # 8 parameters, 64 bytes
    """
    text = _text(model)
    lines = [text] if len(text) <= _WIDTH else _lines(model, "")
    size = sum(leaf.nbytes for leaf in zg.leaves(model))
    told = f"  # {_parameters(count(model))}, {_shown_size(size)}"
    width = max((len(line) for line, _ in map(_parted, lines)), default=0)
    aligned = [f"{line:<{width}}  {note}" if note else line for line, note in map(_parted, lines)]
    return "\n".join(aligned) + told


_WIDTH = 60
_NOTE = "\0"


def _parted(line: str) -> tuple[str, str]:
    text, _, note = line.partition(_NOTE)
    return text, note


def _lines(part: Any, indent: str) -> list[str]:
    """A part over several lines, its members in lines of their own, which end with notes."""
    opening, closing, members = _members(part)
    found = [indent + opening]
    for name, item in members:
        text = _text(item)
        if _members(item)[2] and len(text) > _WIDTH:
            inner = _lines(item, indent + "    ")
            inner[0] = f"{indent}    {name}{inner[0].lstrip()}"
            inner[-1] += ","
            found += inner
        else:
            held = count(item)
            note = f"{_NOTE}# {_parameters(held)}" if held else ""
            found.append(f"{indent}    {name}{text},{note}")
    return [*found, indent + closing]


def _text(part: Any) -> str:
    """A part in one line: arrays by their shape, functions by their name."""
    if _has_own_text(part):
        return repr(part)
    if isinstance(part, np.ndarray):
        return str(part.shape)
    if isinstance(part, Callable) and not _members(part)[2]:  # type: ignore[arg-type]
        return getattr(part, "__name__", type(part).__name__)
    opening, closing, members = _members(part)
    if not opening:
        return repr(part)
    return opening + ", ".join(name + _text(item) for name, item in members) + closing


def _has_own_text(part: Any) -> bool:
    """Whether the class of a part says how it is printed, and not a dataclass in general."""
    if not is_dataclass(part) or isinstance(part, type):
        return False
    code = getattr(type(part).__repr__, "__code__", None)
    written = getattr(getattr(type(part).__repr__, "__wrapped__", None), "__code__", code)
    return written is not None and not written.co_filename.startswith("<string>")


def _members(part: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    """How a part opens and closes, and what stands between."""
    if isinstance(part, dict):
        return "{", "}", [(f'"{key}": ' if isinstance(key, str) else f"{key}: ", item) for key, item in part.items()]
    if isinstance(part, tuple) and hasattr(part, "_fields"):
        pairs = zip(part._fields, part, strict=True)
        return f"{type(part).__name__}(", ")", [(f"{key}=", item) for key, item in pairs]
    if isinstance(part, tuple | list):
        items = [("", item) for item in part]
        if isinstance(part, list):
            return "[", "]", items
        return "(", ",)" if len(items) == 1 else ")", items
    if is_dataclass(part) and not isinstance(part, type):
        members = [(f"{f.name}=", getattr(part, f.name)) for f in fields(part)]
        if len(members) == 1 and type(members[0][1]) in (tuple, list, dict):  # a chain is its layers
            inner = members[0][1]
            members = [(f"{k}=", v) for k, v in inner.items()] if type(inner) is dict else [("", v) for v in inner]
        return f"{type(part).__name__}(", ")", members
    return "", "", []


def _parameters(n: int) -> str:
    return f"{n:,} parameter{'s' * (n != 1)}"


def _shown_size(size: int) -> str:
    if size < 1024:
        return f"{size} bytes"
    power = min(int(math.log(size, 1024)), 3)
    return f"{size / 1024**power:.1f} {('', 'KiB', 'MiB', 'GiB')[power]}"
