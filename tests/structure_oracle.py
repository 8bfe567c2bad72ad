"""The numbers of structures: their central differences, and whether a gradient is like its argument."""

import copy
import dataclasses

import numpy as np

from zygopy.transform.records import record_of


def is_number(value) -> bool:
    return isinstance(value, float | np.floating) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def flat(value) -> list:
    """All numbers of a structure."""
    members = record_of(value)
    if members is not None:
        return [x for item in members for x in flat(item)]
    return list(np.ravel(value)) if is_number(value) else []


def moved(value, steps):
    """The structure with its numbers moved by the next of the steps; a new one."""
    if isinstance(value, np.ndarray) and is_number(value):
        return value + np.array([next(steps) for _ in range(value.size)]).reshape(value.shape)
    if is_number(value):
        return value + next(steps)
    value = copy.copy(value)
    match value:
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*(moved(v, steps) for v in value))
        case tuple() | list():
            return type(value)(moved(v, steps) for v in value)
        case dict():
            return {k: moved(v, steps) for k, v in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for f in dataclasses.fields(value):
            object.__setattr__(value, f.name, moved(getattr(value, f.name), steps))
    return value


def differences(function, args) -> np.ndarray:
    """The derivatives in all numbers of the arguments, by central differences."""
    count, h, found = len(flat(args)), 1e-5, []
    for k in range(count):
        step = np.zeros(count)
        step[k] = h
        found.append((function(*moved(args, iter(step))) - function(*moved(args, iter(-step)))) / (2 * h))
    return np.array(found)


def active(args) -> tuple[int, ...]:
    return tuple(k for k, a in enumerate(args) if flat(a))


def single(value):
    """The structure in float32."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float32)
    if isinstance(value, float):
        return np.float32(value)
    members = record_of(value)
    if members is None:
        return value
    items = [single(v) for v in members]
    match value:
        case tuple() if hasattr(value, "_fields"):
            return type(value)(*items)
        case tuple() | list():
            return type(value)(items)
        case dict():
            return dict(zip(value, items, strict=True))
    return dataclasses.replace(value, **dict(zip(members.keys, items, strict=True)))


def same_structure(gradient, argument) -> bool:
    """Whether a gradient has the classes, keys, shapes and dtypes of its argument, and what is known as it was."""
    if is_number(argument):
        return np.shape(gradient) == np.shape(argument) and np.asarray(gradient).dtype == np.asarray(argument).dtype
    members = record_of(argument)
    if members is None:
        return gradient is argument or gradient == argument
    others = record_of(gradient)
    if type(gradient) is not type(argument) or getattr(others, "keys", None) != getattr(members, "keys", None):
        return False
    return len(others) == len(members) and all(map(same_structure, others, members))
