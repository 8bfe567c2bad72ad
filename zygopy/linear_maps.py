"""Linear maps: what `vjp` and `linearize` return beside the value, compiled code and what it reads.

A `Parted` derivative compiles the two parts of a program for the types of a call: the first gives the value and what is
kept of it, the second reads that, as often as it is called. What is kept belongs to the map alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from zygopy.backends.fingerprint import Fingerprint
from zygopy.backends.outlines import kept_outline
from zygopy.binding import bind, taken_apart, unchanged, with_captured
from zygopy.derivative import Derivative, make
from zygopy.errors import ArgumentError, DtypeError, OtherLengthsError, ShapeError
from zygopy.native import native
from zygopy.structures import LEAVES, arrays_on_gpu, assembler, flat, flattener, is_static, refilled, remade
from zygopy.transform import Program, Task, build, source_of
from zygopy.transform.ir import Function, leaves
from zygopy.transform.reading.parse import parameter_names
from zygopy.transform.records import alike, keys_of, members_of, place, record_of
from zygopy.transform.types import BOOL_, COMPLEX128, FLOAT64, INT64

if TYPE_CHECKING:
    from zygopy.transform.emit import Source


class _Parts:
    """The compiled parts of a program for arguments of some types."""

    def __init__(self, program: Program, types: list, first: Callable, second: Callable):
        value, kept = cast(tuple, program.function.results)
        assert program.second is not None
        self.program, self.first, self.second = program, first, second
        self.flatten, self.value, self.result = flattener(types), assembler(value), assembler(program.second.results)
        self.types, self.kept_types = [v.type for v in leaves(value)], [v.type for v in kept]

    def run(self, values: list) -> tuple[Any, Any, Callable]:
        """The value, what it is like, and a function of leaves that gives the tree of what the map returns for them."""
        found = self.first(*with_captured(self.program, taken_apart(self.flatten, values)))
        count = len(self.types)
        shapes = [v.shape if isinstance(v, np.ndarray) else None for v in found[:count]]
        likes = [Like(t.dtype, shape) for t, shape in zip(self.types, shapes, strict=True)]
        kept = [_as_compiled(v, t.dtype) for v, t in zip(found[count:], self.kept_types, strict=True)]
        return self.value(found[:count]), self.value(likes), lambda moves: self.result(self.second(*kept, *moves))


def _as_compiled(value: object, dtype: np.dtype) -> object:
    """A number or array as compiled code takes it: Numba returns numbers of all dtypes as Python's."""
    return value if isinstance(value, np.ndarray) or dtype in _PYTHONS else dtype.type(value)


_PYTHONS = (FLOAT64, COMPLEX128, INT64, BOOL_)


class Parted(Derivative):
    """A derivative in two parts; see `_Parts.run` for what a call returns."""

    def __init__(self, function: Callable, task: Task, backend: str):
        self.function, self.task, self.backend = function, task, backend
        self._parts: dict[tuple, _Parts] = {}

    def __call__(self, *args, **kwargs) -> tuple[Any, Any, Callable]:
        """Run the first part with the arguments of the function."""
        types = self.types(args, kwargs)
        parts = self._parts.get(key := tuple(types))
        if parts is None or not unchanged(parts.program):
            parts = self._parts[key] = self._interpreted(types) if self.backend == "python" else self._native(types)
        try:
            return parts.run(bind(self.function, args, kwargs))
        except OtherLengthsError as error:
            return self.for_lengths(error, args, kwargs)(*args, **kwargs)

    def _interpreted(self, types: list) -> _Parts:
        from zygopy.backends import python

        program = build(self.function, types, self.task, self.lengths)
        return _Parts(program, types, *(python.compile(source_of(part)) for part in _flat(program)))

    def _native(self, types: list) -> _Parts:
        found = Fingerprint(self.function, *types)
        lengths = self.lengths and (self.lengths.ones, sorted(self.lengths.refused))
        identity = None if found.digest is None else repr((found.digest, self.task, lengths))

        def make(types: list = types) -> Program:
            return build(self.function, types, self.task, self.lengths)

        def generate_first(given: tuple) -> "Source":
            remaining = iter(given)
            taken = [refilled(type_, remaining) for type_ in types]
            known = taken == types and program.function.body.statements  # an outline has none
            return source_of(first if known else _flat(make(taken))[0])

        def generate_second(given: tuple) -> "Source":
            wanted = [v.type.dtype for p in second.params for v in leaves(p.leaves)]
            assert wanted == [type_.dtype for type_ in given], "both parts are of one program"
            return cast("Source", program.source)

        def with_source() -> Program:
            program = make()
            return replace(program, source=source_of(_flat(program)[1]))

        program = kept_outline(identity, found.functions, with_source)
        first, second = _flat(program)
        return _Parts(
            program,
            types,
            native(first, generate_first, identity),
            native(second, generate_second, identity and f"{identity}, second part"),
        )


def _flat(program: Program) -> tuple[Function, Function]:
    """The two parts as functions of numbers and arrays that return tuples of them."""
    assert program.second is not None
    return flat(program.function, True), flat(program.second, True)


class LinearMap:
    """A linear function that owns all that it reads: it may be called many times, by many threads at once.

    What it is given must have the structure, shapes and dtypes that `likes` state.
    """

    def __init__(self, what: str, names: list[str], likes: list, run: Callable, finish: Callable, title: str):
        self._what, self._names, self._likes = what, names, likes
        self._run, self._finish, self._title = run, finish, title

    def __call__(self, *given):
        """Apply the map."""
        if len(given) != len(self._likes):
            raise ArgumentError(f"{self._title} takes {_count(len(self._likes), self._what)}, {len(given)} given")
        found: list = []
        for name, like, value in zip(self._names, self._likes, given, strict=True):
            if like is not None:
                collect(self._what, name, like, value, found)
        return self._finish(self._run(found))

    def __repr__(self) -> str:
        return f"<{self._title}>"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


@dataclass(frozen=True)
class Like:
    """What a number or array is like."""

    dtype: np.dtype
    shape: tuple[int, ...] | None  # None of a number
    order: Literal["C", "F"] = "C"  # the memory order that compiled code relies on


def like_of(value: object) -> object:
    """A structure with what its numbers and arrays are like; what steers the compilation is None."""
    if isinstance(value, np.ndarray):
        is_by_columns = value.flags.f_contiguous and not value.flags.c_contiguous
        return Like(value.dtype, value.shape, "F" if is_by_columns else "C")
    if isinstance(value, bool | int | float | complex | np.generic):
        return Like(np.dtype(type(value)) if not isinstance(value, np.generic) else value.dtype, None)
    members = record_of(value)
    return None if members is None else remade(members, [like_of(v) for v in members])


def collect(what: str, name: str, like: object, given: object, found: list) -> None:
    """Add the real and complex numbers and arrays of `given`, which must be like `like`, as compiled code takes them.

    Raises
    ------
    ArgumentError, ShapeError, DtypeError
        If a part of it has another structure, shape or dtype; numbers may be of any precision.
    """
    if not isinstance(like, Like):
        members, others = record_of(like), None if type(given) in LEAVES else record_of(given)
        if members is None:
            return
        if others is None or not alike(members, others):
            raise ArgumentError(f"the {what} of {name} has another structure than {name}")
        for key, part, other in zip(keys_of(members), members, others, strict=True):
            collect(what, place(name, members, key), part, other, found)
    elif like.dtype.kind in "fc":
        found.append(_number(what, name, like, given) if like.shape is None else _array(what, name, like, given))


def _number(what: str, name: str, like: Like, given: object) -> object:
    if isinstance(given, np.ndarray) and given.ndim == 0:
        given = given[()]
    if not isinstance(given, int | float | complex | np.number):
        raise DtypeError(f"the {what} of {name} is a {type(given).__name__}, not a number")
    if like.dtype.kind == "f" and isinstance(given, complex | np.complexfloating):
        raise DtypeError(f"the {what} of {name} is a complex number, {name} is a real one")
    return like.dtype.type(given).item() if like.dtype in _PYTHONS else like.dtype.type(given)


def _array(what: str, name: str, like: Like, given: object) -> np.ndarray:
    if not isinstance(given, np.ndarray):
        raise DtypeError(f"the {what} of {name} is a {type(given).__name__}, not an array")
    if given.shape != like.shape:
        raise ShapeError(f"the {what} of {name} has shape {given.shape}, {name} has {like.shape}")
    if given.dtype != like.dtype:
        raise DtypeError(f"the {what} of {name} is an array of {given.dtype}, {name} of {like.dtype}")
    fits = given.flags.f_contiguous if like.order == "F" else given.flags.c_contiguous
    return given if fits and given.flags.writeable else np.array(given, order=like.order)


# -- operators -------------------------------------------------------------------------------------------------------


def value_and_pullback(function: Callable, primals: tuple, has_aux: bool, backend: str) -> tuple:
    """The value of a function at `primals`, its pullback there, and with `has_aux` the second half of its result."""
    wrt = _moving(function, primals)
    value, like, run = _parted("vjp", function, wrt, has_aux, backend)(*primals)
    code = function.__code__
    names = code.co_varnames[: min(len(primals), code.co_argcount)]
    more = len(primals) - len(names)

    def finish(bars: tuple) -> tuple:
        by_name = dict(zip(wrt, bars, strict=True))
        rest = by_name.get(_rest(function), (None,) * more) if more else ()
        return (*(by_name.get(name) for name in names), *rest)

    title = f"pullback of {function.__name__}"
    if not has_aux:
        return value, LinearMap("seed", ["the result"], [like], run, finish, title)
    return value[0], LinearMap("seed", ["the result"], [like[0]], run, finish, title), value[1]


def value_and_linear_map(function: Callable, primals: tuple, backend: str) -> tuple:
    """The value of a function at `primals`, and the linear map of tangents there."""
    wrt = _moving(function, primals)
    value, _, run = _parted("linearize", function, wrt, False, backend)(*primals)
    code = function.__code__
    names = list(code.co_varnames[: min(len(primals), code.co_argcount)])
    names += [f"{_rest(function)}[{k}]" for k in range(len(primals) - len(names))]
    likes = [like_of(p) if moves(p) else None for p in primals]
    title = f"linear map of {function.__name__}"
    return value, LinearMap("tangent", names, likes, run, lambda dots: dots, title)


def _moving(function: Callable, primals: tuple) -> tuple[str, ...]:
    """The parameters that are given and with respect to which a function can be differentiated."""
    if any(map(arrays_on_gpu, primals)):
        raise ArgumentError("vjp and linearize of arrays on a GPU are not supported", help="use grad, jvp or jacrev")
    code = function.__code__
    left_out = code.co_varnames[min(len(primals), code.co_argcount) : code.co_argcount + code.co_kwonlyargcount]
    values = zip(parameter_names(function), bind(function, primals, {}), strict=True)
    if found := tuple(name for name, value in values if name not in left_out and moves(value)):
        return found
    raise DtypeError(
        f"no argument of {function.__name__} holds a real or complex number that could be differentiated",
        why="ints count, as in jvp",
        help="pass floats: 3.0 instead of 3",
    )


def moves(value: object) -> bool:
    """Whether an argument holds real or complex numbers, with respect to which a function can be differentiated."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "fc"
    if isinstance(value, bool | int | float | complex):
        return isinstance(value, float | complex)
    return not is_static(value) and any(map(moves, members_of(value)))


def _rest(function: Callable) -> str:
    """The name of the parameter that takes all further arguments."""
    code = function.__code__
    return code.co_varnames[code.co_argcount + code.co_kwonlyargcount]


@lru_cache(maxsize=1024)
def _parted(kind: str, function: Callable, wrt: tuple[str, ...], has_aux: bool, backend: str) -> Parted:
    """The compiled parts of a derivative, the same object each time, so that they are compiled once."""
    made = make(function, Task(kind, wrt, has_aux=has_aux), backend)
    assert isinstance(made, Parted)
    return made
