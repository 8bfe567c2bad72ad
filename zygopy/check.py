"""check_grads: derivatives against central finite differences of the user's own function."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from zygopy.api import grad, jvp, python_function, value_and_grad
from zygopy.errors import ArgumentError, GradientCheckError
from zygopy.structures import is_static, remade
from zygopy.transform.records import Record, members_of, record_of

_SEED = 20


def check_grads(
    f: Callable,
    args: tuple,
    order: int = 1,
    modes: tuple[str, ...] = ("rev", "fwd"),
    *,
    argnums: tuple[int, ...] | None = None,
    rtol: float | None = None,
    backend: str = "cpu",
) -> None:
    """Check a function's derivatives along random directions.

    Parameters
    ----------
    f : callable
        A function of real or complex numbers and arrays that returns one real number.
    args : tuple
        Where to check; arrays are copied before each call.
    order : int
        1 for gradients, 2 for their derivatives too.
    modes : tuple of {"rev", "fwd"}
        Reverse mode (`value_and_grad`), forward mode (`jvp`), or both.
    argnums : tuple of int, optional
        Which arguments to differentiate; all that hold floats or complex numbers if left out.
    rtol : float, optional
        Tolerance relative to the size of the derivative; 1e-5 for float64 and 2e-2 for float32 if left out.
    backend : {"cpu", "python"}

    Raises
    ------
    GradientCheckError
        If a derivative does not agree, with both figures.

    Examples
    --------
    >>> check_grads(lambda x: x * x * x, (2.0,), order=2)
    """
    if unknown := set(modes) - {"rev", "fwd"}:
        raise ArgumentError(f"unknown modes {sorted(unknown)}", help='use "rev" and "fwd"')
    function = python_function(f)
    argnums = argnums if argnums is not None else tuple(k for k, a in enumerate(args) if _is_inexact(a))
    if not argnums:
        raise ArgumentError("none of the arguments holds a float or complex number")
    single = any(
        np.asarray(x).dtype in (np.float32, np.complex64) for k in argnums for x in _flat(args[k]) if _is_inexact(x)
    )
    rtol = rtol if rtol is not None else (2e-2 if single else 1e-5)
    step = 1e-2 if single else 1e-5
    direction = _directions(args, argnums)
    wanted = (_at(function, args, direction, step) - _at(function, args, direction, -step)) / (2 * step)
    vg = value_and_grad(function, argnums, backend=backend)
    if "rev" in modes:
        gradient = vg(*copy.deepcopy(args))[1]
        found = sum(_inner(g, direction[k]) for g, k in zip(gradient, argnums, strict=True))
        _compare("reverse mode", function, found, wanted, rtol)
    if "fwd" in modes:
        found = jvp(function, copy.deepcopy(args), direction, backend=backend)[1]
        _compare("forward mode", function, found, wanted, rtol)
    if order > 1:
        _check_second_order(function, args, argnums, direction, step, rtol, backend)


def _check_second_order(function, args, argnums, direction, step, rtol, backend) -> None:
    gradient = grad(function, argnums, backend=backend)

    def slope(t: float) -> float:
        moved = gradient(*_moved(args, direction, t))
        return sum(_inner(g, direction[k]) for g, k in zip(moved, argnums, strict=True))

    wanted = (slope(step) - slope(-step)) / (2 * step)
    tangent = jvp(gradient, copy.deepcopy(args), direction, backend=backend)[1]
    found = sum(_inner(g, direction[k]) for g, k in zip(tangent, argnums, strict=True))
    _compare("forward over reverse", function, found, wanted, 10 * rtol)


def _compare(what: str, function: Callable, found: float, wanted: float, rtol: float) -> None:
    if not abs(found - wanted) <= rtol * max(1.0, abs(wanted), abs(found)):
        raise GradientCheckError(
            f"{what} of {function.__name__} gives {found!r}, finite differences give {wanted!r}",
            help="near a kink or a jump finite differences are wrong; unless it is a rule of yours, please report it",
        )


def _is_inexact(value: object) -> bool:
    if (members := record_of(value)) is not None:
        moving = [v for v in members if not (isinstance(members, Record) and (is_static(v) or isinstance(v, bool)))]
        return bool(moving) and all(_is_inexact(v) for v in moving)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fc"
    return isinstance(value, float | complex | np.inexact)


def _flat(value: object) -> list:
    members = record_of(value)
    return [value] if members is None else [x for item in members for x in _flat(item)]


def _directions(args: tuple, argnums: tuple[int, ...]) -> tuple:
    random = np.random.default_rng(_SEED)

    def draw(value, active):
        if (members := record_of(value)) is not None:
            return remade(members, [draw(v, active) for v in members])
        if not active or not _is_inexact(value):
            return value if not _is_inexact(value) else value * 0
        drawn = random.uniform(-1.0, 1.0, np.shape(value))
        if np.iscomplexobj(value):
            drawn = drawn + 1j * random.uniform(-1.0, 1.0, np.shape(value))
        return drawn.astype(value.dtype) if isinstance(value, np.ndarray) else type(value)(drawn)

    return tuple(draw(a, k in argnums) for k, a in enumerate(args))


def _moved(args: tuple, direction: tuple, t: float) -> tuple:
    def move(value, along):
        if (members := record_of(value)) is not None:
            return remade(members, [move(v, d) for v, d in zip(members, members_of(along), strict=True)])
        return (
            type(value)(value + t * along)
            if isinstance(value, float | complex)
            else ((value + value.dtype.type(t) * along) if _is_inexact(value) else copy.deepcopy(value))
        )

    return tuple(move(a, d) for a, d in zip(args, direction, strict=True))


def _at(function: Callable, args: tuple, direction: tuple, t: float) -> float:
    with np.errstate(all="ignore"):
        return float(function(*_moved(args, direction, t)))


def _inner(a: Any, b: Any) -> float:
    if (members := record_of(a)) is not None:
        return sum((_inner(x, y) for x, y in zip(members, members_of(b), strict=True)), 0.0)
    if not (_is_inexact(a) and _is_inexact(b)):
        return 0.0
    wide = np.result_type(a, b, np.float64)  # of complex numbers, the real part of the plain product
    return float(np.sum(np.asarray(a, dtype=wide) * np.asarray(b, dtype=wide)).real)
