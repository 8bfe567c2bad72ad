"""Derivatives as machine code: called as Numba's own functions are, or behind a thin layer of Python."""

import dis
import functools
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zygopy.backends.fingerprint import Fingerprint
from zygopy.backends.numba_private import NativeFunction, given_value
from zygopy.backends.outlines import kept_outline
from zygopy.binding import STARS, all_values, taken_apart, unchanged, with_captured
from zygopy.derivative import INTO, Batched, Derivative, class_of
from zygopy.errors import OtherLengthsError, OutputError
from zygopy.structures import (
    arrays_on_gpu,
    builder,
    flat,
    flattener,
    is_native,
    refilled,
    skeleton,
    type_of,
)
from zygopy.transform import Program, Task, build, source_of
from zygopy.transform.ir import Function
from zygopy.transform.reading.parse import parameter_names
from zygopy.transform.reading.recomputed import Checkpoint
from zygopy.transform.reading.user_rules import rules_of
from zygopy.transform.reading.values import Static
from zygopy.transform.records import is_record_class
from zygopy.transform.types import COMPLEX, INT

if TYPE_CHECKING:
    from zygopy.transform.emit import Source


# The defaults of `out` and of what is before it: Numba finds the types of such numbers soonest.
NOT_GIVEN, NO_MORE = 0, 0j


class Native(Derivative, NativeFunction):
    """Machine code for natively typed arguments: a Numba dispatcher, callable from `@njit` code."""

    def __init__(self, function: Callable, task: Task, backend: str):
        self.function, self.task, self.backend = function, task, backend
        face = jvp_face(function, task.wrt) if task.kind == "jvp" else function
        code = function.__code__
        has_out = self.takes_out and not code.co_flags & STARS and not code.co_kwonlyargcount
        if has_out:
            face = face_with_out(function)
        NativeFunction.__init__(self, face, self.generate, self.identity, plain_defaults=2 * has_out)
        self.py_func = self.__wrapped__ = function

    def _compile_for_args(self, *args, **kwargs):
        """Numba's hook for new argument types; with what Numba cannot type, Python binds from now on."""
        if any(arrays_on_gpu(value) for value in (*args, *kwargs.values())):
            return self.unfolded(self.on_gpu)
        names = [*self._compiler.pysig.parameters, *kwargs]
        given = {name: given_value(a) for name, a in zip(names, (*args, *kwargs.values()), strict=False)}
        defaults = {name for name, a in zip(names, args, strict=False) if given[name] is not a}
        if defaults & set(self.task.wrt) or not all(is_native(type_of(value, name)) for name, value in given.items()):
            return self.bound()
        try:
            compiled = super()._compile_for_args(*args, **kwargs)
        except BindingError:
            return self.bound()
        if self.notes.get("captures"):
            return self.bound()
        if isinstance(self, Guarded) or not self.notes.get("guarded"):
            return compiled
        self.__class__ = class_of(self.task.kind, Guarded)
        return self.unfolded()

    def unfolded(self, on: Callable | None = None) -> Callable:
        """What to call with arguments as Numba has folded them, that of `out` behind the others; `on` gets them."""
        count = len(parameter_names(self.function)) if self.takes_out else sys.maxsize

        def call(*args, **kwargs):
            if args[count:] and args[count] is not NO_MORE:
                raise TypeError(f"too many arguments: expected {count}")
            if args[count:] and args[-1] is not NOT_GIVEN:
                kwargs["out"] = args[-1]
            return (on or self)(*map(given_value, args[:count]), **kwargs)

        return call

    def bound(self) -> Callable:
        """Have Python bind arguments from now on; what to call."""
        self.__class__ = class_of(self.task.kind, Bound)
        self._entries: dict[tuple, Entry] = {}
        self._last: Entry | None = None
        call = self.unfolded()
        return lambda *args, **kwargs: call(*map(given_value, args), **kwargs)

    def identity(self, found: Fingerprint | None = None) -> str | None:
        """What the code depends on beside types and lengths, where the function reaches what is found."""
        digest = (found or Fingerprint(self.function)).digest
        lengths = self.lengths and (self.lengths.ones, sorted(self.lengths.refused))
        return None if digest is None else repr((digest, self.task, lengths))

    def generate(self, types: tuple) -> "Source":
        """The source for argument types; tangents follow the primals."""
        count = len(parameter_names(self.function))
        out: Any = Static(None)
        if self.task.kind in INTO and len(types) > count:
            more, out = types[count:]
            if more not in (COMPLEX, Static(NO_MORE)):
                raise TypeError(f"too many arguments: expected {count}")
        known = isinstance(out, Static) or out == INT  # nothing was given
        program = build(self.function, list(types[:count]), self.task, self.lengths, None if known else out)
        self.notes["guarded"] = program.guarded or self.notes.get("guarded", False)
        self.notes["captures"] = bool(program.numbers) or self.notes.get("captures", False)
        if program.captured:
            names = ", ".join(str(name) for _, name in program.captured)
            raise BindingError(
                f"{self.function.__name__} captures the array {names}, which compiled code cannot read",
                help="call it from Python, or pass the array as an argument",
            )
        if not is_native(program.function.results):
            raise BindingError(
                f"{self.function.__name__} returns an object that compiled code cannot pass on",
                help="call it from Python, or return a tuple or NamedTuple of numbers and arrays",
            )
        return source_of(program.function)


class BindingError(OutputError):
    """Machine code cannot make the objects that a function returns, or read what it captures."""


def jvp_face(function: Callable, wrt: tuple[str, ...]) -> Callable:
    """A Python function with the signature of a jvp: the parameters, then the tangents of those that move."""
    params = ", ".join([*parameter_names(function), *(f"{n}_dot" for n in wrt)])
    namespace: dict = {}
    exec(f"def {function.__name__.strip('<>')}_jvp({params}): pass", namespace)
    return namespace[f"{function.__name__.strip('<>')}_jvp"]


def face_with_out(function: Callable) -> Callable:
    """A Python function with the parameters of another one, and `out`, by name: `too_many` stands in its place.

    What is given for that is no complex number, and so has code of its own, which `generate` refuses.
    """
    params = ", ".join([*parameter_names(function), "too_many", "out"])
    namespace: dict = {}
    exec(f"def face({params}): pass", namespace)
    face: Any = functools.update_wrapper(namespace["face"], function)
    del face.__wrapped__
    face.__defaults__ = (*(function.__defaults__ or ()), NO_MORE, NOT_GIVEN)
    return face


class Guarded(Native):
    """Native code that tests lengths at entry, and has other code for those that it is not for."""

    def __call__(self, *args, **kwargs):
        """Call with the arguments of the function."""
        try:
            return super().__call__(*args, **kwargs)
        except OtherLengthsError as error:
            args = tuple(map(given_value, args))
            return self.for_lengths(error, args, kwargs)(*args, **kwargs)


def native(function: Function, generate: Callable, identity: str | None) -> NativeFunction:
    """Machine code for functions of the parameters of an IR function, which are numbers and arrays."""
    namespace: dict = {}
    exec(f"def {function.name}({', '.join(p.name for p in function.params)}): pass", namespace)
    return NativeFunction(namespace[function.name], generate, lambda: identity)


@dataclass
class Entry:
    """Native code for arguments of one structure."""

    native: NativeFunction
    program: Program
    flatten: Callable
    built: Callable | None


class Bound(Native):
    """Native code behind a layer of Python that takes objects apart and binds static arguments and what is captured."""

    def __init__(self, function: Callable, task: Task, backend: str):
        super().__init__(function, task, backend)
        self.bound()

    def __call__(self, *args, **kwargs):
        """Call with the arguments of the function."""
        values = all_values(self, args, kwargs)
        entry = self._last
        if entry is None or not unchanged(entry.program) or (leaves := entry.flatten(*values)) is None:
            if any(map(arrays_on_gpu, values)):
                return self.on_gpu(*args, **kwargs)
            entry = self._last = self._entry(self.types(args, kwargs))
            leaves = taken_apart(entry.flatten, values)
        try:
            result = entry.native(*(with_captured(entry.program, leaves) if entry.program.captured else leaves))
        except OtherLengthsError as error:
            return self.for_lengths(error, args, kwargs)(*args, **kwargs)
        return result if entry.built is None else entry.built(result)

    def _entry(self, types: list) -> Entry:
        """The native function for arguments of a structure and the surroundings of now."""
        wanted = self.joined(types)
        key = tuple(map(skeleton, wanted))
        entry = self._entries.get(key)
        if entry is not None and unchanged(entry.program):
            return entry
        found = Fingerprint(self.function, *wanted)
        identity = self.identity(found)
        program = kept_outline(identity, found.functions, lambda: self.built_joined(types)[0])
        types = wanted if program.joined else types

        def generate(leaves: tuple) -> "Source":
            found = iter(leaves)
            given = [refilled(type_, found) for type_ in types]
            known = given == types and program.function.body.statements  # an outline has none
            return source_of(flat((program if known else self.built(given)).function))

        own = native(flat(program.function), generate, identity)
        made = Entry(own, program, flattener(self.structure(types), self.count), builder(program.function.results))
        self._entries[key] = made
        return made


def needs_binding(function: Callable, seen: set | None = None) -> bool:
    """Whether a function, or one that it names, captures numbers or arrays, or has a default that Numba cannot type."""
    seen = set() if seen is None else seen
    code = function.__code__
    if code in seen:
        return False
    seen.add(code)
    rules = rules_of(function)
    if rules is not None and any(needs_binding(rule, seen) for rule in rules.declared().values()):
        return True
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    if not all(is_native(type_of(d, "a default")) for d in defaults):
        return True
    if code.co_kwonlyargcount or code.co_flags & STARS:
        return True
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    names = {n for c in _codes(code) for n in (*_global_names(c), *c.co_freevars)}
    for name in names:
        try:
            value = cells[name].cell_contents if name in cells else function.__globals__.get(name)
        except ValueError:
            continue
        if isinstance(value, type | types.ModuleType):
            continue
        value = (
            value.function if isinstance(value, Derivative | Batched | Checkpoint) else getattr(value, "py_func", value)
        )
        if isinstance(value, int | float | complex | np.generic | np.ndarray | tuple | partial | types.MethodType):
            return True
        if type(value) in (list, dict) or is_record_class(type(value)):
            return True
        if isinstance(value, types.FunctionType) and needs_binding(value, seen):
            return True
    return False


def _global_names(code: types.CodeType) -> set[str]:
    """The global names that code reads; `co_names` has those of attributes too."""
    return {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}


def _codes(code: types.CodeType) -> list[types.CodeType]:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return [code, *(found for c in inner for found in _codes(c))]
