"""Runs kernels without a GPU: thread by thread in random order, with tests for races, barriers and bounds.

Each thread is a Python generator that stops at barriers. What two threads touch with no barrier between them, one of
them by a plain store, is a race; so is an element that an atomic addition and a plain access share. Memory that
nothing has stored into is nan. It cannot see what depends on warps, on types (`np.float32` aside) or on a compiler.
"""

import ast
import math
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from functools import partial
from types import SimpleNamespace

import numpy as np
import scipy.linalg

from tests.device_arrays import Array, ForeignArray, Library, unwrapped
from zygopy.backends import cuda_text, gpu
from zygopy.backends.cublas import products
from zygopy.backends.cuda_text import KernelText

LIBDEVICE = SimpleNamespace(
    **{
        name + suffix: getattr(np, name)
        for name in ("exp2", "cbrt", "floor", "ceil", "trunc", "rint", "nextafter")
        for suffix in ("", "f")
    }
)


class GridError(AssertionError):
    """A kernel does what no kernel may do."""


class _Barriers(ast.NodeTransformer):
    """cuda.syncthreads() as a yield, and shared arrays by their place in the text."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if ast.unparse(node) == "cuda.syncthreads()":
            return ast.copy_location(ast.Expr(ast.Yield(None)), node)
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) == "cuda.shared.array":
            node.args.append(ast.Constant(node.lineno))
        return node


class Memory:
    """An array of a launch; knows which thread has touched each element, and how, since when."""

    def __init__(self, array: np.ndarray, name: str, launch: "Launch"):
        self.array, self.name, self.launch = array, name, launch
        self.shape = array.shape
        self.log: dict = {}

    def touch(self, index, kind: str):
        index = index if isinstance(index, tuple) else (index,)
        index = tuple(int(i) for i in index)
        if len(index) != self.array.ndim:
            raise GridError(f"{self.name} has {self.array.ndim} axes, and {len(index)} indices")
        if not all(0 <= i < n for i, n in zip(index, self.shape, strict=True)):
            raise GridError(f"{self.name}{list(index)} is outside {self.shape}")
        block, thread, epoch = self.launch.now
        known = self.log.setdefault(index, {})
        for (kind_, block_, thread_), epoch_ in known.items():
            if (block_, thread_) == (block, thread) or kind == kind_ != "store":
                continue
            if block_ != block or epoch_ == epoch:
                raise GridError(f"race: {self.name}{list(index)}, {kind_} by one thread and {kind} by another")
        known[kind, block, thread] = epoch
        return index

    def __getitem__(self, index):
        return self.array[self.touch(index, "load")]

    def __setitem__(self, index, value) -> None:
        self.array[self.touch(index, "store")] = value

    def join(self, index, value, f: Callable) -> None:
        index = self.touch(index, "atomic")
        self.array[index] = f(self.array[index], value)


class Launch:
    """What one launch of a kernel sees as `cuda`."""

    def __init__(self, grid: tuple, block: tuple):
        self.gridDim, self.blockDim = (SimpleNamespace(x=a, y=b, z=c) for a, b, c in (grid, block))
        self.sizes = tuple(g * b for g, b in zip(grid, block, strict=True))
        self.now = (0, 0, 0)
        self.shared = SimpleNamespace(array=self.shared_array)
        self.atomic = SimpleNamespace(
            add=lambda a, i, v: a.join(i, v, lambda x, y: x + y), max=lambda a, i, v: a.join(i, v, max)
        )

    def enter(self, block: tuple, thread: tuple, epoch: int) -> None:
        self.now = (block, thread, epoch)
        self.blockIdx = SimpleNamespace(x=block[0], y=block[1], z=block[2])
        self.threadIdx = SimpleNamespace(x=thread[0], y=thread[1], z=thread[2])
        dims = (self.blockDim.x, self.blockDim.y, self.blockDim.z)
        self.at = tuple(b * d + t for b, d, t in zip(block, dims, thread, strict=True))

    def grid(self, count: int):
        return self.at[0] if count == 1 else self.at[:count]

    def gridsize(self, count: int):
        return self.sizes[0] if count == 1 else self.sizes[:count]

    def shared_array(self, size: int, dtype, place: int) -> Memory:
        if place not in self.in_block:
            self.in_block[place] = Memory(_unset(size, dtype), f"shared array of line {place}", self)
        return self.in_block[place]


def _unset(shape, dtype) -> np.ndarray:
    array = np.empty(shape, dtype)
    array.fill(np.nan if array.dtype.kind == "f" else 77)
    return array


class _Arrays(Library):
    """NumPy, with nan in memory that nothing has stored into; zeros are a launch."""

    def __init__(self, runner: "Runner"):
        super().__init__(np, empty=_unset)
        self.runner = runner

    def zeros(self, shape, dtype) -> Array:
        array = np.zeros(shape, dtype)
        if self.runner.captures is not None:
            self.runner.calls.append(partial(array.fill, 0))
        return Array(array)


def _gemm(name, b_flipped, a_flipped, n, m, k, alpha, b, ldb, a, lda, beta, c, ldc) -> None:
    """What cuBLAS does: c = alpha b a + beta c, of matrices by columns, n x k and k x m, or their transposes."""

    def matrix(x, rows, columns, distance):
        return np.lib.stride_tricks.as_strided(x, (rows, columns), (x.itemsize, distance * x.itemsize))

    left = matrix(b, k, n, ldb).T if b_flipped else matrix(b, n, k, ldb)
    right = matrix(a, m, k, lda).T if a_flipped else matrix(a, k, m, lda)
    out = matrix(c, n, m, ldc)
    out[...] = alpha * (left @ right) + (beta * out if beta else 0)


class Runner:
    """A device that runs kernels thread by thread, on NumPy's arrays."""

    def __init__(self, seed: int = 0):
        self.random = np.random.default_rng(seed)
        self.arrays, self.linalg = _Arrays(self), Library(scipy.linalg)
        self.launches: list[str] = []
        self.captures: dict[str, Callable] | None = None
        self.calls: list[Callable] = []  # while launches are captured
        self.behind: list[Callable] = []

    def beside(self, like):
        return nullcontext()

    def taken(self, value, name: str):
        if isinstance(value, np.ndarray):
            raise GridError(f"{name} is in the host's memory")
        return Array(value.array) if isinstance(value, ForeignArray) else value

    def given(self, value, like):
        return ForeignArray(value.array) if isinstance(value, Array) else value

    def put(self, array: np.ndarray) -> ForeignArray:
        return ForeignArray(array.copy())

    def get(self, array: ForeignArray | Array) -> np.ndarray:
        return array.array.copy()

    def captured(self, run: Callable) -> Callable:
        """Launches and products are kept, and made by each call."""

        def kept(f: Callable) -> Callable:
            return lambda *args: self.calls.append(partial(f, *unwrapped(args)))

        self.calls, self.behind = [], []
        self.captures = {name: kept(f) for name, f in products(_gemm, np.ascontiguousarray).items()}
        try:
            result = run()
        finally:
            self.captures, calls, behind = None, self.calls, self.behind

        def again():
            for call in (*calls, *behind):
                call()
            return result

        return again

    def compile(self, kernel: KernelText) -> Callable:
        launched = self.launcher(kernel)

        def run(grid, block, *args):
            if self.captures is not None:
                self.calls.append(partial(launched, grid, block, *unwrapped(args)))
            else:
                launched(grid, block, *unwrapped(args))

        return run

    def launcher(self, kernel: KernelText) -> Callable:
        """What runs a kernel at once."""
        tree = ast.parse(kernel.text)
        definition = tree.body[0]
        definition.decorator_list = []
        tree = ast.fix_missing_locations(_Barriers().visit(tree))
        code = compile(tree, f"<{kernel.name}>", "exec")
        functions = "\n".join(kernel.functions).replace("@cuda.jit(device=True)", "")

        def launched(grid, block, *args):
            self.launches.append(kernel.name)
            launch = Launch(grid, block)
            namespace = {"np": np, "math": math, "u32": int, "cuda": launch, "libdevice": LIBDEVICE}
            exec(functions, namespace)
            exec(code, namespace)
            function = namespace[kernel.name]
            names = [a.arg for a in definition.args.args]
            given = [Memory(a, n, launch) if isinstance(a, np.ndarray) else a for a, n in zip(args, names, strict=True)]
            blocks = list(np.ndindex(*grid))
            self.random.shuffle(blocks)
            with np.errstate(all="ignore"):
                for at in blocks:
                    self.run_block(function, launch, tuple(map(int, at)), given)

        return launched

    def run_block(self, function: Callable, launch: Launch, at: tuple, args: list) -> None:
        launch.in_block = {}
        dims = (launch.blockDim.x, launch.blockDim.y, launch.blockDim.z)
        threads = list(np.ndindex(*dims))
        self.random.shuffle(threads)
        waiting = [(tuple(map(int, t)), None) for t in threads]
        epoch = 0
        while waiting:
            left = []
            for thread, running in waiting:
                launch.enter(at, thread, epoch)
                running = function(*args) if running is None else running
                if running is not None and next(running, "ended") is None:
                    left.append((thread, running))
            if left and len(left) < len(waiting):
                raise GridError("some threads of a block wait at a barrier that others do not reach")
            waiting, epoch = left, epoch + 1


@contextmanager
def on(device, threads: int = 8):
    """Run programs of backend cuda on a device, in blocks of a few threads, so that small arrays need several."""
    before, cuda_text.THREADS = cuda_text.THREADS, threads
    gpu._devices.append(device)
    try:
        yield device
    finally:
        gpu._devices.pop()
        cuda_text.THREADS = before
