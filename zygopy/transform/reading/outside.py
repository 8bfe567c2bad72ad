"""What a function finds outside itself: numbers become constants, arrays hidden arguments, objects trees of these.

What the compiled function depends on is written down: numbers, the shape of objects, which functions they hold.
"""

import functools
import types
from collections.abc import Callable

import numpy as np

from zygopy.errors import DtypeError
from zygopy.transform.arguments import is_array, ones_of, type_of_array, with_ones
from zygopy.transform.build import constant
from zygopy.transform.ir import Var
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import Inside, Partial, Scope, Shape, Static, View, path_of, shape_of
from zygopy.transform.records import is_record_class, keys_of, rebuilt, record_of
from zygopy.transform.types import is_supported


def value_of(s, obj: object, origin: tuple[Scope, str] | None) -> object:
    """The value of a Python object found outside the function."""
    if isinstance(obj, bool | int | float | complex | np.bool_ | np.number):
        too_large = isinstance(obj, int) and not -(2**63) <= obj < 2**63
        if too_large or (isinstance(obj, np.number) and not is_supported(obj.dtype)):
            raise DtypeError(f"a {type(obj).__name__} constant is not supported", s.loc, help="use float64")
        if origin is not None:
            s.captured_numbers.append((*origin, obj))
        return constant(obj)
    if origin is not None and is_array(obj):
        return array_of(s, obj, origin)
    if (found := record_of(obj)) is not None:
        return _object(s, obj, found, origin)
    if isinstance(obj, types.MethodType) and is_record_class(type(obj.__self__)):
        inside = None if origin is None else (Inside(*origin), "__self__")
        return Partial(Static(obj.__func__), (value_of(s, obj.__self__, inside),), {})
    if isinstance(obj, functools.partial) and origin is not None:
        given = [value_of(s, getattr(obj, n), (Inside(*origin), n)) for n in ("args", "keywords")]
        keywords = s.content(given[1])
        return Partial(Static(obj.func), tuple(given[0]), dict(zip(keywords.keys, keywords, strict=True)))
    return Static(obj)


def _object(s, obj: object, found: tuple, origin: tuple | None) -> object:
    """A tuple, list, dict, NamedTuple or dataclass found outside the function, which may not change it."""
    if origin is None:
        return s.made(rebuilt(found, [value_of(s, item, None) for item in found]), "the function captures it")
    s.captured_numbers.append((Shape(origin[0]), origin[1], shape_of(obj)))
    inside = Inside(*origin)
    known = ((key, item) for key, item in zip(keys_of(found), found, strict=True) if isinstance(item, str | Callable))
    s.captured_numbers += [(inside, key, item) for key, item in known]
    members = [value_of(s, item, (inside, key)) for key, item in zip(keys_of(found), found, strict=True)]
    return s.made(rebuilt(found, members), "the function captures it")


def array_of(s, array, origin: tuple) -> View:
    """The hidden argument that stands for an array found outside the function."""
    key, name = origin, path_of(*origin)
    if key not in s.captured_arrays:
        type_ = type_of_array(array, name)
        if s.outer is not None:
            type_ = array_of(s.outer, array, origin).base.type
        elif s.lengths is not None:
            type_ = with_ones(type_, ones_of(array))
        var = Var(name, type_)
        s.captured_arrays[key] = var
        s.facts.shapes[var] = arrays.dims(s.entry, var)
    view = arrays.whole(s, s.captured_arrays[key])
    for noted in s.noting:
        noted[key] = view
    return view
