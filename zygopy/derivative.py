"""The objects that operators return: functions that generate and compile their code for the types of a call.

A `Derivative` knows what is wanted of which function; `native.Native` runs it as machine code,
`interpreted.Interpreted` as plain Python. A function with arguments, results or surroundings that Numba cannot type
(lists, dicts, dataclasses; functions, strings, None; captured arrays, captured numbers that may change) is called
through a thin layer of Python, `native.Bound`.
"""

import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zygopy.backends.numba_private import NativeFunction
from zygopy.binding import all_values, bind, captured_arrays, taken_apart, task_of, with_captured
from zygopy.errors import ArgumentError, DtypeError, OtherLengthsError, ShapeError, ZygopyError
from zygopy.show_source import Text
from zygopy.structures import (
    flat,
    flattener,
    is_native,
    type_of,
)
from zygopy.transform import Program, Task, build, source_of
from zygopy.transform.arguments import Lengths, lives_on_gpu, ones_of
from zygopy.transform.ir import Function
from zygopy.transform.joined import joined
from zygopy.transform.reading.parse import parameter_names, read
from zygopy.transform.reading.values import Static, path_of

if TYPE_CHECKING:
    from zygopy.explanation import Explanation


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
        return self.built_joined(self.types(args, kwargs))[0]

    def joined(self, types: list) -> list:
        """The types of a call's arguments, with equal items joined where that may be."""
        may_be = self.task.kind in ("grad", "value_and_grad") and self.target == "cpu" and self.lengths is None
        return list(map(joined, types)) if may_be and len(types) == len(parameter_names(self.function)) else types

    def built_joined(self, types: list) -> tuple[Program, list]:
        """The IR for arguments of these types, and the types that it takes: with equal items joined, or apart.

        They stay apart where the program does more with them than to walk through them, and where it stores into an
        argument, with which they may share memory: joined items are copies.
        """
        if (wanted := self.joined(types)) != types:
            from zygopy.transform.memory import stored_parameters

            try:
                program = self.built(wanted)
            except ZygopyError:
                return self.built(types), types
            if not stored_parameters(program.function):
                return replace(program, joined=True), wanted
        return self.built(types), types

    def built(self, types: list, target: str | None = None) -> Program:
        """The IR for arguments of these types, that of `out` behind the parameters' if there is one."""
        count = len(parameter_names(self.function))
        out, target = types[count] if len(types) > count else None, target or self.target
        program = build(self.function, types[:count], self.task, self.lengths, out, target)
        for origin, array in zip(program.captured, captured_arrays(program), strict=True):
            if target != "cuda" and lives_on_gpu(array):
                raise DtypeError(
                    f"{path_of(*origin)} is in a GPU's memory, and no argument is",
                    help="pass arguments in the GPU's memory too: zygopy.to_device(x)",
                )
        return program

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
        return self.task.kind in INTO and "out" not in parameter_names(self.function)

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
        types = self.types(args, kwargs)
        program = self.built_joined(types)[0] if target is None else self.built(types, target)
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
            program, types = self.built_joined(self.types(args, kwargs))
        flatten = flattener(self.structure(types))
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


INTO = ("grad", "value_and_grad", "jacfwd", "jacrev")  # operators whose derivative may go into the caller's arrays
_FACES = {"primal": Compiled, "grad": Gradient, "value_and_grad": Gradient}


@cache
def class_of(kind: str, runner: type) -> Any:
    """The class of derivatives of a kind that run in one way."""
    face = _FACES.get(kind)
    return runner if face is None else type(face.__name__, (face, runner), {"__doc__": face.__doc__})


def _runner(function: Callable, backend: str) -> type[Derivative]:
    """What runs the derivatives of a function on a backend."""
    from zygopy import interpreted, native

    if backend == "python":
        return interpreted.Interpreted
    if backend == "cuda":
        return interpreted.OnDevice
    return native.Bound if native.needs_binding(function) else native.Native


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
    runner: Any = _runner(function, backend)
    made = class_of(task.kind, runner)(function, task, backend)
    made.lengths = lengths
    return made


def readable(function: Function) -> Function:
    """A function as text can show it: with objects as compiled code takes and returns them."""
    natural = is_native(function.results) and all(is_native(p.leaves) for p in function.params)
    return function if natural else flat(function)


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
