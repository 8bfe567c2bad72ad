"""The device that programs of backend cuda run on: a GPU, by CuPy and Numba-CUDA.

Nothing of CUDA is imported before a device is asked for.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from zygopy.errors import ArgumentError, DtypeError
from zygopy.transform.arguments import lives_on_gpu

if TYPE_CHECKING:
    from zygopy.backends.cuda_text import KernelText


class Device(Protocol):
    """Where kernels run."""

    arrays: Any  # NumPy or what is called as NumPy is
    linalg: Any  # the same for scipy.linalg

    def compile(self, kernel: "KernelText") -> Callable:
        """A function of grid, block and arguments that runs a kernel."""

    def captured(self, run: Callable) -> Callable:
        """What puts the launches that `run` makes, once more in each call, into the current stream."""

    captures: dict[str, Callable] | None  # while `captured` runs: the library's kernels that may be used then
    behind: list[Callable]  # what is to be done after each run of what is captured

    def beside(self, like: Any) -> AbstractContextManager:
        """Work inside goes where the library of an argument puts its own."""

    def taken(self, value: Any, name: str) -> Any:
        """An argument, arrays of other libraries as the device's own on the same memory."""

    def given(self, value: Any, like: Any) -> Any:
        """A result, arrays as the library of an argument has them."""

    def put(self, array: np.ndarray) -> Any:
        """A copy of an array in the device's memory."""

    def get(self, array: Any) -> np.ndarray:
        """A copy of an array in the host's memory."""


class Gpu:
    """The current GPU, by CuPy and Numba-CUDA."""

    def __init__(self):
        try:
            cupy, cuda = import_module("cupy"), import_module("numba.cuda")
        except ImportError as error:
            raise ArgumentError(
                f"backend cuda needs a package that is missing: {error.name}",
                help="pip install zygopy[cuda]",
            ) from error
        self.arrays, self.cuda = cupy, cuda
        self.linalg = import_module("cupyx.scipy.linalg")
        self.captures: dict[str, Callable] | None = None
        self.behind: list[Callable] = []

    def compile(self, kernel: "KernelText") -> Callable:
        """A kernel that Numba-CUDA compiles when it is first called."""
        from zygopy.backends.cuda import executed

        made = executed(kernel, self.cuda)
        as_array, stream_of, current = self.cuda.as_cuda_array, self.cuda.external_stream, self.arrays.cuda

        def run(grid, block, *args):
            stream = stream_of(current.get_current_stream().ptr)
            given = [as_array(a, sync=False) if isinstance(a, self.arrays.ndarray) else a for a in args]
            made[grid, block, stream](*given)

        return run

    def captured(self, run: Callable) -> Callable:
        """A graph of the launches that `run` makes; its arrays are in a pool of the graph's own."""
        from zygopy.backends.cublas import cublas_gemm, products

        cuda, pool = self.arrays.cuda, self.arrays.cuda.MemoryPool()
        stream = cuda.Stream(non_blocking=True)
        with cuda.using_allocator(pool.malloc), stream:
            self.captures, self.behind = products(cublas_gemm(stream.ptr), self.arrays.ascontiguousarray), []
            stream.begin_capture()
            try:
                result = run()
            finally:
                self.captures = None
                graph = stream.end_capture()
        behind = self.behind

        def again():
            graph.launch(cuda.get_current_stream())
            for f in behind:
                f()
            return result

        again.pool = pool  # type: ignore[attr-defined]  # it lives as long as the graph
        return again

    @contextmanager
    def beside(self, like: Any) -> Iterator[None]:
        """Work inside is on PyTorch's current stream and in its memory, if an argument is PyTorch's; else CuPy's."""
        if self.captures is not None or _library(like) != "torch":
            yield
            return
        torch, cuda = import_module("torch.cuda"), self.arrays.cuda
        stream = torch.current_stream(like.device)

        def allocate(size: int, number: int) -> int:
            return torch.caching_allocator_alloc(size, number, stream)

        def free(address: int, _: int) -> None:
            torch.caching_allocator_delete(address)

        pool = cuda.PythonFunctionAllocator(allocate, free)
        with cuda.Device(like.device.index), cuda.Stream.from_external(stream), cuda.using_allocator(pool.malloc):
            yield

    def taken(self, value: Any, name: str) -> Any:
        """An argument, arrays of other libraries as CuPy's on the same memory."""
        if isinstance(value, np.ndarray):
            raise DtypeError(
                f"{name} is in the host's memory",
                why="a program for backend cuda reads the GPU's memory only, and copies nothing in secret",
                help="pass it as an argument, copied once: zygopy.to_device(x)",
            )
        if not lives_on_gpu(value) or isinstance(value, self.arrays.ndarray):
            return value
        if self.captures is not None or not hasattr(value, "__dlpack__"):  # what is captured waits for no other stream
            return self.arrays.asarray(value)
        return self.arrays.from_dlpack(value)

    def given(self, value: Any, like: Any) -> Any:
        """A result, arrays as the library of an argument has them: PyTorch's, JAX's, Numba's, else CuPy's."""
        if not isinstance(value, self.arrays.ndarray):
            return value
        match _library(like):
            case "torch":
                return import_module("torch").from_dlpack(value)
            case "jax" | "jaxlib":
                return import_module("jax.numpy").from_dlpack(value)
            case "numba":
                return self.cuda.as_cuda_array(value)
        return value

    def put(self, array: np.ndarray) -> Any:
        """A copy of an array in the GPU's memory."""
        return self.arrays.asarray(array)

    def get(self, array: Any) -> np.ndarray:
        """A copy of an array in the host's memory."""
        return self.arrays.asnumpy(self.arrays.asarray(array))


def _library(value: Any) -> str:
    """The package that an object's class is of."""
    return type(value).__module__.partition(".")[0]


@cache
def gpu() -> Gpu:
    """The GPU.

    Raises
    ------
    ArgumentError
        Where packages or the GPU are missing.
    """
    found = Gpu()
    try:
        found.arrays.cuda.runtime.getDeviceCount()
    except found.arrays.cuda.runtime.CUDARuntimeError as error:
        raise ArgumentError("backend cuda finds no GPU", help='use backend="cpu"') from error
    return found


_deterministic: list[bool] = [False]  # the last one holds


def is_deterministic() -> bool:
    """Whether programs that are compiled now shall give the same in each run."""
    return _deterministic[-1]


_devices: list[Device] = []


def device() -> Device:
    """The device that programs run on: the GPU, unless another one is put in its place."""
    return _devices[-1] if _devices else gpu()
