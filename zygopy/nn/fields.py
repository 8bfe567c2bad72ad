"""What the fields of a layer mean: parameters, settings, and state.

A layer is a dataclass. Its fields that hold arrays of floats, and other layers, are its parameters. Those made by
`static` are settings, known when code is compiled; those made by `state` are arrays that no optimiser changes.
"""

import dataclasses
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

static = partial(dataclasses.field, metadata={"static": True})
state = partial(dataclasses.field, metadata={"state": True})


def is_state(field: dataclasses.Field) -> bool:
    """Whether a field of a layer holds state, which is no parameter."""
    return bool(field.metadata.get("state"))


def call_text(layer: object, *args: object, **settings: object) -> str:
    """What a user writes to make a layer: `Dense(784, 128, relu)`; settings that are None are left out."""
    given = [_shown(a) for a in args] + [f"{k}={_shown(v)}" for k, v in settings.items() if v is not None]
    return f"{type(layer).__name__}({', '.join(given)})"


def by_arrays(text: Callable[[Any], str]) -> Callable[[Any], str]:
    """For a `__repr__` that reads the shapes of a layer's arrays.

    Where other things stand in their place, such as the parts of an optimiser's state, each field is shown.
    """

    @wraps(text)
    def shown(layer):
        try:
            return text(layer)
        except (AttributeError, ValueError):  # no shape, or one of another length
            return call_text(layer, **{f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)})

    return shown


def _shown(value: Any) -> str:
    if isinstance(value, partial):
        given = [_shown(value.func), *map(_shown, value.args), *(f"{k}={v!r}" for k, v in value.keywords.items())]
        return f"partial({', '.join(given)})"
    return getattr(value, "__name__", repr(value))


def each(value, kernel):
    """A setting for each length of a kernel: a number stands for all of them."""
    found = tuple(value) if isinstance(value, tuple | list) else (value,) * len(kernel)
    if len(found) != len(kernel):
        raise ValueError(f"a setting for each length of the kernel {kernel} is needed, not {value}")
    return found


def check_last_axes(layer, shape, x, place):
    """Refuse x whose last axes are not those of a layer; `place` is where in a model that stands."""
    if x.shape[-len(shape) :] != shape:
        raise ValueError(f"{place}{type(layer).__name__} of {shape} takes x whose last axes are {shape}, not {x.shape}")


def check_groups(name, what, count, parts, groups):
    """Refuse a number that is to be in groups of one size, and is no multiple of how many there are."""
    if count % groups:
        raise ValueError(f"{name}: the {what}, {count}, is no multiple of the number of {parts}, {groups}")
