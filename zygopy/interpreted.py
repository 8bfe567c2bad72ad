"""Derivatives that run by plain Python: on their own, or to launch kernels on a GPU."""

from collections.abc import Callable

from zygopy.backends import gpu
from zygopy.binding import all_values, taken_apart, unchanged, with_captured
from zygopy.derivative import Derivative
from zygopy.errors import DtypeError, OtherLengthsError
from zygopy.structures import (
    arrays_on_gpu,
    builder,
    flat,
    flattener,
    is_leaf,
    is_leaf_anywhere,
    mapped,
)
from zygopy.transform import Program, Task, source_of
from zygopy.transform.ir import Function
from zygopy.transform.reading.parse import parameter_names


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
        entry = self._entries.get(key := (*self.joined(types), *self.options()))
        if entry is None or not unchanged(entry[1]):
            program, types = self.built_joined(types)
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

    def options(self) -> tuple:
        """What code depends on beside types."""
        return ()

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
        names += names[-1:] * (len(args) - len(names))  # of *args
        like = next((a for value in (*args, *kwargs.values()) for a in arrays_on_gpu(value)), None)
        with device.beside(like):
            taken = [mapped(device.taken, a, n) for a, n in zip(args, names, strict=False)]
            result = super().__call__(*taken, **{n: mapped(device.taken, a, n) for n, a in kwargs.items()})
            return mapped(lambda value, _: device.given(value, like), result, "")

    def options(self) -> tuple:
        """What code depends on beside types."""
        return (gpu.is_deterministic(),)

    def compiled(self, function: Function) -> Callable:
        """What runs a function."""
        from zygopy.backends import cuda

        device = gpu.device()
        run = cuda.Program(function).on(device)
        return lambda *args: run(*(device.taken(a, "an array that a function captures") for a in args))
