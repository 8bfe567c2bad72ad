"""The objects that operators return: functions that generate and compile their code for the types of a call.

A `Derivative` knows what is wanted of which function; `Native` runs it as machine code, `Interpreted` as plain
Python. A function with arguments, results or surroundings that Numba cannot type (lists, dicts, dataclasses; functions,
strings, None; captured arrays, captured numbers that may change) is called through a thin layer of Python, `Bound`.
"""

import dis
import functools
import inspect
import linecache
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from zygopy.backends import gpu
from zygopy.backends.fingerprint import Fingerprint
from zygopy.backends.numba_private import NativeFunction, given_value
from zygopy.backends.outlines import kept_outline
from zygopy.errors import ArgumentError, DtypeError, OtherLengthsError, OutputError, ShapeError
from zygopy.show_source import Text
from zygopy.structures import (
    arrays_on_gpu,
    builder,
    flat,
    flattener,
    is_leaf,
    is_leaf_anywhere,
    is_native,
    mapped,
    refilled,
    skeleton,
    type_of,
)
from zygopy.transform import Program, Task, build, source_of
from zygopy.transform.arguments import Lengths, ones_of
from zygopy.transform.ir import Function
from zygopy.transform.reading.parse import parameter_names, read
from zygopy.transform.reading.recomputed import Checkpoint
from zygopy.transform.reading.user_rules import rules_of
from zygopy.transform.reading.values import Static
from zygopy.transform.records import is_record_class
from zygopy.transform.types import COMPLEX, INT

if TYPE_CHECKING:
    from zygopy.explanation import Explanation
    from zygopy.transform.emit import Source


class Derivative:
    """A function and what is wanted of it; knows its IR and source for given arguments."""

    function: Callable
    task: Task
    backend: str
    __call__: Callable
    target = "cpu"  # what loops are made fast for

    lengths: Lengths | None  # what it is specialised to beside types

    def __reduce__(self):
        """What is pickled: a function, by the name that it or a derivative of it has, and what is wanted of it."""
        return _unpickled, (_Named.of(self.function) or self.function, self.task, self.backend)

    def program(self, *args, **kwargs) -> Program:
        """The IR for the types of these arguments."""
        return self.built(self.types(args, kwargs))

    def built(self, types: list, target: str | None = None) -> Program:
        """The IR for arguments of these types, that of `out` behind the parameters' if there is one."""
        count = len(parameter_names(self.function))
        out = types[count] if len(types) > count else None
        return build(self.function, types[:count], self.task, self.lengths, out, target or self.target)

    def types(self, args: tuple, kwargs: dict) -> list:
        """The types of a call's arguments, in the order of the parameters (tangents left out), and that of `out`."""
        names = parameter_names(self.function)
        found = [type_of(v, n) for n, v in zip(names, self.primals(args, kwargs), strict=True)]
        out = self.out_of(kwargs)
        return found if out is None else [*found, type_of(out, "out")]

    def primals(self, args: tuple, kwargs: dict) -> list:
        """The values of a call in the order of the parameters (tangents left out)."""
        count = len(parameter_names(self.function))
        if self.task.kind == "jvp" and len(args) >= count:  # `jvp` has bound them
            return list(args[:count])
        if "out" in kwargs and self.takes_out:
            kwargs = {name: value for name, value in kwargs.items() if name != "out"}
        return bind(self.function, args, kwargs)

    @cached_property
    def takes_out(self) -> bool:
        """Whether calls may name arrays that the derivative is written into."""
        return self.task.kind in _INTO and "out" not in parameter_names(self.function)

    def out_of(self, kwargs: dict) -> object:
        """The arrays of a call that the derivative is written into, in a structure; None if there are none."""
        return kwargs.get("out") if kwargs and self.takes_out else None

    @cached_property
    def count(self) -> int | None:
        """How many values a call gives, without `out`; None where there is none."""
        return len(parameter_names(self.function)) if self.takes_out else None

    def structure(self, types: list) -> list:
        """The types of all that a call takes, tangents included."""
        if self.task.kind != "jvp":
            return types
        by_name = dict(zip(parameter_names(self.function), types, strict=True))
        return [*types, *(by_name[name] for name in self.task.wrt)]

    def ir(self, *args, **kwargs) -> Text:
        """The intermediate representation for arguments like these, as text."""
        from zygopy.transform.show import show

        return Text(show(self.program(*args, **kwargs).function), "text")

    def source(self, *args, target: str | None = None, **kwargs) -> Text:
        """The generated Python for arguments like these: readable, and what the backends run.

        With `target="cuda"` the host's part and the kernels, which need no GPU to be read.
        """
        if target not in (None, "cuda"):
            raise ArgumentError(f"there is no source for target {target!r}", help='use target="cuda"')
        program = self.built(self.types(args, kwargs), target)
        if (target or self.target) == "cuda":
            from zygopy.backends import cuda

            return Text(cuda.Program(flat(program.function)).text, "python")
        return Text(source_of(readable(program.function)).whole_text, "python")

    def cfunc(self, signature) -> Any:
        """The compiled function as a C function of numbers, by `numba.cfunc`.

        Parameters
        ----------
        signature : str or Numba signature
            Such as "float64(float64, float64)". A pointer stands for all parameters that are left: `CPointer(float64)`,
            with their count before it as an integer, or `voidptr`, to float64 numbers.

        Returns
        -------
        numba.core.ccallback.CFunc
            With `.address` and `.ctypes`, for `scipy.LowLevelCallable(f.cfunc(signature).ctypes)`.

        Raises
        ------
        ArgumentError, OutputError
            If the signature gives other arguments, or the function returns more than a number.

        Examples
        --------
        >>> from zygopy import grad
        >>> grad(lambda x, a: a * x * x).cfunc("float64(float64, float64)").ctypes(3.0, 2.0)
        12.0
        """
        if not isinstance(self, NativeFunction):
            raise ArgumentError(f"a C function needs machine code, not the backend {self.backend!r}")
        from zygopy.backends.c_functions import c_function

        names = parameter_names(self.function)
        return c_function(self, names, len(names) - len(self.function.__defaults__ or ()), signature)

    def explain(self, *args, **kwargs) -> "Explanation":
        """What the compiler decided about each line for arguments like these: see `zygopy.explain`."""
        from zygopy.explanation import explanation
        from zygopy.transform.notes import taking

        with taking() as notes:
            program = self.program(*args, **kwargs)
        flatten = flattener(self.structure(self.types(args, kwargs)))
        values = with_captured(program, taken_apart(flatten, all_values(self, args, kwargs)))
        return explanation(self.function.__name__, notes, program, values)

    def for_lengths(self, error: OtherLengthsError, args: tuple, kwargs: dict) -> "Derivative":
        """The same for arguments whose lengths are other than the code takes them to be, as an error says."""
        failed = str(error.args[0]).split("\n")[0]
        if self.lengths is not None:
            if failed in self.lengths.refused:
                raise ShapeError(failed) from error
            lengths = replace(self.lengths, refused=self.lengths.refused | {failed})
        else:
            ones = tuple(map(ones_of, self.primals(args, kwargs)))
            captured = tuple(map(ones_of, captured_arrays(self.program(*args, **kwargs))))
            known = frozenset() if _any_ones((ones, captured)) else frozenset({failed})
            lengths = Lengths((*ones, *captured), known)
        if lengths not in self.variants:
            self.variants[lengths] = make(self.function, self.task, self.backend, lengths)
        return self.variants[lengths]

    @cached_property
    def variants(self) -> dict[Lengths, "Derivative"]:
        """The same derivative for other lengths than the code is for."""
        return {}

    @cached_property
    def on_gpu(self) -> "Derivative":
        """The same for arrays in a GPU's memory."""
        return make(self.function, self.task, "cuda", self.lengths)

    def derived(self, **changes) -> "Derivative":
        """Another operator on the same function."""
        return make(self.function, replace(self.task, **changes), self.backend)

    def __zygopy_call__(self, s, args: list, kwargs: dict) -> object:
        """What a call of this object inside a function that is being differentiated becomes."""
        from zygopy.transform.reading.nested import call_program

        count = len(parameter_names(self.function)) if self.task.kind == "jvp" else len(args)
        return call_program(s, Static(self.function), self.task, args[:count], kwargs, tuple(args[count:]))


class Batched:
    """A function that `vmap` maps over axes; compiled functions follow calls of it."""

    def __init__(self, function: Callable, in_axes: Any, out_axes: Any):
        self.function, self.task, self.backend = function, ("vmap", in_axes, out_axes), "cpu"

    def __zygopy_call__(self, s, args: list, kwargs: dict) -> object:
        from zygopy.transform.reading.mapping import call_mapped

        _, in_axes, out_axes = self.task
        s.b.loc = read(self.function).loc
        return call_mapped(s, Static(self.function), in_axes, out_axes, args, kwargs)


class Gradient(Derivative):
    """What `grad` and `value_and_grad` return."""

    @cached_property
    def primal(self) -> Derivative:
        """The function itself, compiled."""
        return make(self.function, Task("primal"), self.backend)

    @cached_property
    def value_and_grad(self) -> Derivative:
        """The value and the gradient, with respect to the same parameters."""
        return self.derived(kind="value_and_grad")

    @cached_property
    def grad(self) -> Derivative:
        """The gradient alone, with respect to the same parameters."""
        return self.derived(kind="grad")


class Compiled(Derivative):
    """What `jit` returns."""

    def grad(self, argnums=0, has_aux: bool = False) -> Derivative:
        """The gradient with respect to `argnums`."""
        return make(self.function, task_of("grad", self.function, argnums, has_aux), self.backend)

    def value_and_grad(self, argnums=0, has_aux: bool = False) -> Derivative:
        """The value and the gradient with respect to `argnums`."""
        return make(self.function, task_of("value_and_grad", self.function, argnums, has_aux), self.backend)

    def vjp(self, *primals, has_aux: bool = False) -> tuple:
        """The value and the pullback at `primals`."""
        from zygopy.linear_maps import value_and_pullback

        return value_and_pullback(self.function, primals, has_aux, self.backend)


@dataclass(frozen=True)
class _Named:
    """A function by the name that its module has for it, or for a derivative of it that took its place."""

    module: str
    name: str

    @classmethod
    def of(cls, function: Callable) -> "_Named | None":
        """The name of a function, if it has one."""
        named = cls(function.__module__, function.__qualname__)
        return named if getattr(found := named.found(), "function", found) is function else None

    def found(self) -> object:
        found: object = sys.modules.get(self.module)
        for part in self.name.split("."):
            found = getattr(found, part, None)
        return found


def _unpickled(given: Callable | _Named, task: Task, backend: str) -> Derivative:
    """A derivative from its parts; the one of that name, where it is the same."""
    if not isinstance(given, _Named):
        return make(given, task, backend)
    import_module(given.module)
    found: Any = given.found()
    if isinstance(found, Derivative) and (found.task, found.backend) == (task, backend):
        return found
    return make(getattr(found, "function", found), task, backend)


NOT_GIVEN, NO_MORE = (
    0,
    0j,
)  # the defaults of `out` and of what is before it: Numba finds the types of such numbers soonest
_INTO = ("grad", "value_and_grad", "jacfwd", "jacrev")  # operators whose derivative may go into the caller's arrays
_FACES = {"primal": Compiled, "grad": Gradient, "value_and_grad": Gradient, "jvp": Derivative} | dict.fromkeys(
    ("jacfwd", "jacrev"), Derivative
)


def _any_ones(ones: tuple | None) -> bool:
    return any(_any_ones(o) if isinstance(o, tuple) else o is not None for o in ones or ())


def make(function: Callable, task: Task, backend: str, lengths: Lengths | None = None) -> Derivative:
    """An operator on a function."""
    if backend not in ("cpu", "cuda", "python"):
        raise ArgumentError(f"there is no backend {backend!r}", help='use "cpu", "cuda" or "python"')
    if task.kind in ("vjp", "linearize"):
        from zygopy.linear_maps import Parted

        if backend == "cuda":
            raise ArgumentError(f"{task.kind} is not supported on backend cuda", help="use grad, jvp or jacrev")
        parted: Derivative = Parted(function, task, backend)
        parted.lengths = lengths
        return parted
    plain = {"python": Interpreted, "cuda": OnDevice}
    base = plain.get(backend) or (Bound if needs_binding(function) else Native)
    made = _CLASSES[_FACES[task.kind], base](function, task, backend)
    made.lengths = lengths
    return made


def call_of(derivative: Derivative) -> Callable:
    """A plain Python function that calls a derivative, for operators that are applied to it."""
    name = f"{derivative.function.__name__.strip('<>')}_{derivative.task.kind}"
    if derivative.task.kind != "jvp":
        return caller(derivative, name, inspect.signature(derivative.function).parameters)
    names = [*parameter_names(derivative.function), *(f"{n}_dot" for n in derivative.task.wrt)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return caller(derivative, name, {n: inspect.Parameter(n, kind) for n in names})


def caller(target: Any, name: str, parameters: Mapping[str, inspect.Parameter]) -> Callable:
    """A plain Python function that calls something, with source text to be followed."""
    names = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    given = list(names)
    for kind, mark in ((inspect.Parameter.VAR_POSITIONAL, "*"), (inspect.Parameter.KEYWORD_ONLY, "")):
        found = [n for n, p in parameters.items() if p.kind is kind]
        names += [f"{mark}{n}" for n in found] if found else []
        given += [f"{mark}{n}" if mark else f"{n}={n}" for n in found]
    keywords = [n for n, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    if keywords and not any(n.startswith("*") for n in names):
        names.insert(names.index(keywords[0]), "*")
    stars = [f"**{n}" for n, p in parameters.items() if p.kind is inspect.Parameter.VAR_KEYWORD]
    text = f"def {name}({', '.join(names + stars)}):\n    return target({', '.join(given + stars)})\n"
    file = f"<zygopy {name}({', '.join(names + stars)})>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    namespace: dict[str, Any] = {"target": target, "__name__": __name__}
    exec(compile(text, file, "exec"), namespace)
    made = namespace[name]
    defaults = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
    made.__defaults__ = tuple(v for n, v in defaults.items() if n not in keywords)
    made.__kwdefaults__ = {n: v for n, v in defaults.items() if n in keywords}
    return made


def task_of(kind: str, function: Any, argnums: object, has_aux: bool) -> Task:
    """The task for an operator's arguments."""
    return Task(kind, wrt_names(function, argnums), not isinstance(argnums, tuple), has_aux)


def wrt_names(function: Any, argnums: object) -> tuple[str, ...]:
    """The parameters that argnums means."""
    known = parameter_names(function)
    given = argnums if isinstance(argnums, tuple) else (argnums,)
    if not given:
        raise ArgumentError("argnums is empty", help=f"name one of {', '.join(known)}")
    found = []
    for item in given:
        if isinstance(item, str) and item in known:
            found.append(item)
        elif isinstance(item, int | np.integer) and not isinstance(item, bool) and -len(known) <= item < len(known):
            found.append(known[_not_starred(function, known, int(item))])
        else:
            raise ArgumentError(
                f"argnums={item!r} is not a parameter of {function.__name__}",
                help=f"its parameters are {', '.join(known) or 'none'}",
            )
    if len(set(found)) != len(found):
        raise ArgumentError(f"argnums names a parameter of {function.__name__} twice")
    return tuple(found)


def _not_starred(function: Any, known: list[str], position: int) -> int:
    """A position that means one parameter: *args and **kwargs have names only."""
    args = read(function).args
    for star in (args.vararg, args.kwarg):
        if star is not None and known[position] == star.arg:
            raise ArgumentError(
                f"argnums={position} is not a parameter of {function.__name__} by itself",
                help=f"differentiate with respect to all of them: argnums={star.arg!r}",
            )
    return position


# -- arguments -------------------------------------------------------------------------------------------------------


_STARS = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def bind(function: Callable, args: tuple, kwargs: dict) -> list:
    """A call's arguments in the order of the parameters, defaults filled in."""
    code = function.__code__
    if not kwargs and len(args) == code.co_argcount and not code.co_kwonlyargcount and not code.co_flags & _STARS:
        return list(args)
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return [bound.arguments[name] for name in parameter_names(function)]


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
    if code.co_kwonlyargcount or code.co_flags & _STARS:
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


# -- plain Python ----------------------------------------------------------------------------------------------------


class Interpreted(Derivative):
    """Runs the emitted source by plain Python: slow, and good for debugging."""

    is_leaf = staticmethod(is_leaf)

    def __init__(self, function: Callable, task: Task, backend: str):
        self.function, self.task, self.backend = function, task, backend
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self._entries: dict[tuple, tuple[Callable, Program, Callable, Callable | None]] = {}

    def __call__(self, *args, **kwargs):
        """Call with the arguments of the function."""
        values = all_values(self, args, kwargs)
        if self.target != "cuda" and any(map(arrays_on_gpu, values)):
            raise DtypeError("an argument is in a GPU's memory", help='use backend="cuda" or zygopy.to_host(x)')
        types = self.types(args, kwargs)
        entry = self._entries.get(key := tuple(types))
        if entry is None or not unchanged(entry[1]):
            program = self.built(types)
            compiled = self.compiled(flat(program.function))
            flatten = flattener(self.structure(types), self.count, self.is_leaf)
            entry = compiled, program, flatten, builder(program.function.results)
            self._entries[key] = entry
        compiled, program, flatten, built = entry
        try:
            result = compiled(*with_captured(program, taken_apart(flatten, values)))
        except OtherLengthsError as error:
            return self.for_lengths(error, args, kwargs)(*args, **kwargs)
        return result if built is None else built(result)

    def compiled(self, function: Function) -> Callable:
        """What runs a function."""
        from zygopy.backends import python

        return python.compile(source_of(function))


class OnDevice(Interpreted):
    """Runs on a GPU: kernels, and their launches by plain Python."""

    target = "cuda"
    is_leaf = staticmethod(is_leaf_anywhere)

    def __call__(self, *args, **kwargs):
        """Call with the arguments of the function, arrays in the GPU's memory."""
        device = gpu.device()
        names = [*parameter_names(self.function), *(f"{n}_dot" for n in self.task.wrt)]
        taken = [mapped(device.taken, a, n) for a, n in zip(args, names, strict=False)]
        taken += args[len(names) :]
        result = super().__call__(*taken, **{n: mapped(device.taken, a, n) for n, a in kwargs.items()})
        like = next((a for value in (*args, *kwargs.values()) for a in arrays_on_gpu(value)), None)
        return mapped(lambda value, _: device.given(value, like), result, "")

    def compiled(self, function: Function) -> Callable:
        """What runs a function."""
        from zygopy.backends import cuda

        device = gpu.device()
        run = cuda.Program(function).on(device)
        return lambda *args: run(*(device.taken(a, "an array that a function captures") for a in args))


def all_values(derivative: Derivative, args: tuple, kwargs: dict) -> list:
    """The values of a call in the order of the parameters, then the tangents or the structure to be filled."""
    if derivative.task.kind != "jvp":
        if kwargs and (out := derivative.out_of(kwargs)) is not None:
            return [*derivative.primals(args, kwargs), out]
        return derivative.primals(args, kwargs) if kwargs else bind(derivative.function, args, kwargs)
    return [*derivative.primals(args, kwargs), *args[len(parameter_names(derivative.function)) :]]


def taken_apart(flatten: Callable, values: list) -> tuple:
    """The leaves of a call's values, of which the primals are known to have the structure."""
    found = flatten(*values)
    if found is None:
        raise ArgumentError("a tangent has another structure than its primal")
    return found


def readable(function: Function) -> Function:
    """A function as text can show it: with objects as compiled code takes and returns them."""
    natural = is_native(function.results) and all(is_native(p.leaves) for p in function.params)
    return function if natural else flat(function)


def unchanged(program: Program) -> bool:
    """Whether the captured numbers that a program was built from are still the same."""
    for scope, name, value in program.numbers:
        now = scope.find(name)[1]
        if now is not value and not (type(now) is type(value) and now == value):
            return False
    return True


def with_captured(program: Program, leaves: tuple) -> tuple:
    """The leaves of a call and what the program captures, which stands behind the primals."""
    arrays = captured_arrays(program)
    return (*leaves[: program.primals], *arrays, *leaves[program.primals :])


def captured_arrays(program: Program) -> list[object]:
    """The arrays that a program captures, as they are now."""
    return [scope.find(name)[1] for scope, name in program.captured]


# -- machine code ----------------------------------------------------------------------------------------------------


class Native(Derivative, NativeFunction):
    """Machine code for natively typed arguments: a Numba dispatcher, callable from `@njit` code."""

    def __init__(self, function: Callable, task: Task, backend: str):
        self.function, self.task, self.backend = function, task, backend
        face = jvp_face(function, task.wrt) if task.kind == "jvp" else function
        code = function.__code__
        has_out = self.takes_out and not code.co_flags & _STARS and not code.co_kwonlyargcount
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
        self.__class__ = _CLASSES[_FACES[self.task.kind], Guarded]
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
        self.__class__ = _CLASSES[_FACES[self.task.kind], Bound]
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
        if self.task.kind in _INTO and len(types) > count:
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
        key = tuple(map(skeleton, types))
        entry = self._entries.get(key)
        if entry is not None and unchanged(entry.program):
            return entry
        found = Fingerprint(self.function, *types)
        identity = self.identity(found)
        program = kept_outline(identity, found.functions, lambda: self.built(types))

        def generate(leaves: tuple) -> "Source":
            found = iter(leaves)
            return source_of(flat(self.built([refilled(type_, found) for type_ in types]).function))

        own = native(flat(program.function), generate, identity)
        made = Entry(own, program, flattener(self.structure(types), self.count), builder(program.function.results))
        self._entries[key] = made
        return made


_CLASSES = {
    (face, base): type(face.__name__, (face, base), {"__doc__": face.__doc__, "__module__": __name__})
    for face in set(_FACES.values())
    for base in (Interpreted, OnDevice, Native, Guarded, Bound)
    if not issubclass(base, face)
} | {(Derivative, base): base for base in (Interpreted, OnDevice, Native, Guarded, Bound)}
