"""The cuda backend: the host's part of a divided program run by Python, kernels launched on a device.

A device (`gpu.Device`) makes arrays as NumPy does and compiles the text of a kernel.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zygopy.backends import cuda_text, gpu, python
from zygopy.backends.cuda_text import HostWriter, KernelText, Printer, combining, kernel_text
from zygopy.backends.gpu import Device
from zygopy.backends.gpu_matrices import OFFERED, kernels
from zygopy.errors import ArgumentError, TapeFullError, UnsupportedError, ZygopyError
from zygopy.transform.emit import Source, emit
from zygopy.transform.gpu.launch import launch
from zygopy.transform.gpu.stacks import grows
from zygopy.transform.ir import Function, Kernel, Launch, param_vars, walk
from zygopy.transform.memory import stored_parameters

_BLOCKS = 1024  # of a kernel whose blocks leave sums
_FEWEST_ROWS = 32  # of a tape that grows, at first
_LARGEST = 2**32  # kernels count elements in 32 bits


class Program:
    """A program as text for host and device; `printer` writes its kernels."""

    def __init__(self, function: Function, printer: Printer = kernel_text):
        divided = launch(function, gpu.is_deterministic())
        self.grows = grows(divided)
        self.stored = [k for k, v in enumerate(param_vars(function)) if v in stored_parameters(function)]
        self.kernels = [printer(s.kernel) for s in walk(divided.body) if isinstance(s, Launch)]
        for s in walk(divided.body):
            if isinstance(s, Kernel) and s.op.name not in OFFERED:
                raise UnsupportedError(
                    f"{s.op.name} is not supported on backend cuda", s.loc, help='use backend="cpu" for this function'
                )
        self.source: Source = emit(divided, writing=HostWriter)
        joined = {(op, dtype) for kernel in self.kernels for _, op, dtype in kernel.sums}
        ordered = sorted(joined, key=lambda pair: (pair[0].name, pair[1]))
        self.joins = {key: printer(combining(*key, f"{key[0].name}_{key[1]}")) for key in ordered}

    @property
    def text(self) -> str:
        """The host's part, and behind it the kernels and what they call."""
        kernels = [*self.kernels, *self.joins.values()]
        functions = sorted({text for kernel in kernels for text in kernel.functions})
        return "\n\n".join([self.source.text, *(k.text for k in kernels), *functions])

    def on(self, device: Device) -> Callable:
        """The program as a function that runs on a device."""
        joins = {key: device.compile(text) for key, text in self.joins.items()}
        checked = [k for k in self.kernels if k.checks]
        failed: list[Any] = []

        def launcher(kernel: KernelText) -> Callable:
            run = device.compile(kernel)
            at = checked.index(kernel) if kernel.checks else None

            def start(extents: tuple, *args):
                flat = [a.reshape(-1) if k in kernel.flat else a for k, a in enumerate(args)]
                if any(a.size >= _LARGEST for a in flat if hasattr(a, "size")):
                    raise ArgumentError("an array of 2**32 elements or more is not supported on backend cuda")
                if at is not None:
                    flat.append(failed[-1][at : at + 1])
                _start(kernel, run, joins, device.arrays, extents, flat)

            return start

        names = {kernel.name: launcher(kernel) for kernel in self.kernels}
        names |= {"cp": device.arrays, "extent": extent}
        names |= {name: _capturable(name, f, device) for name, f in kernels(device.arrays, device.linalg).items()}
        host = python.compile(self.source, names)

        def tested(*args):
            if not checked:
                return host(*args)
            failed.append(found := device.arrays.zeros(len(checked), np.int32))
            try:
                result = host(*args)
                if device.captures is None:
                    _raise(checked, found.tolist())
                else:
                    device.behind.append(lambda: _raise(checked, found.tolist()))
                return result
            finally:
                failed.pop()

        return self.growing(tested, device) if self.grows else tested

    def growing(self, run: Callable, device: Device) -> Callable:
        """A program that starts again with longer tapes where they have been too short."""
        rows = _FEWEST_ROWS

        def call(*args):
            nonlocal rows
            if device.captures is not None:
                _refuse("a program with tapes that grow")
            given = {k: args[k].copy() for k in self.stored}
            while True:
                try:
                    return run(*args, rows)
                except TapeFullError:
                    rows *= 4
                for k, array in given.items():
                    args[k][...] = array

        return call


def extent(a: Any) -> tuple[int, int]:
    """The addresses where the memory of an array begins and ends; zeros for one without elements."""
    if a.size == 0:
        return 0, 0
    start = a.__cuda_array_interface__["data"][0]
    reaches = [(n - 1) * stride for n, stride in zip(a.shape, a.strides, strict=True)]
    return start + sum(min(r, 0) for r in reaches), start + sum(max(r, 0) for r in reaches) + a.itemsize


def _capturable(name: str, f: Callable, device: Device) -> Callable:
    """A function of the library, or what stands for it while launches are captured."""

    def call(*args):
        if device.captures is None:
            return f(*args)
        if name not in device.captures:
            _refuse(name)
        return device.captures[name](*args)

    return call


def _refuse(what: str) -> None:
    raise UnsupportedError(f"{what} cannot be part of a graph", help="call the function without zygopy.cuda.graph")


def _start(kernel: KernelText, run: Callable, joins: dict, arrays: Any, extents: tuple, args: list) -> None:
    """Launch a kernel, and those that combine what its blocks have left."""
    most = _BLOCKS if kernel.sums else None
    grid, block = shape_of_rows(extents[0], most) if kernel.by_rows else shape_of(extents, most)
    if not extents:
        block = (1, 1, 1)
    blocks = math.prod(grid)
    if blocks == 0:
        if not kernel.sums:
            return
        grid, blocks = (1, 1, 1), 1
    if blocks == 1:
        run(grid, block, *args)
        return
    parts = list(args)
    for k, _, dtype in kernel.sums:
        parts[k] = arrays.empty(blocks, dtype)
    run(grid, block, *parts)
    for k, op, dtype in kernel.sums:
        joins[op, dtype]((1, 1, 1), (cuda_text.THREADS, 1, 1), blocks, parts[k], args[k])


def shape_of(extents: tuple[int, ...], most: int | None) -> tuple[tuple, tuple]:
    """The grid and the block, x first, for loops of these many trips, the outermost first.

    >>> shape_of((1000,), None), shape_of((100, 3), None)
    (((4, 1, 1), (256, 1, 1)), ((1, 2, 1), (4, 64, 1)))
    """
    trips = [max(n, 0) for n in extents[::-1]]
    block, left = [], cuda_text.THREADS
    for k, n in enumerate(trips):
        last = k == len(trips) - 1
        wanted = left if last else min(left, 1 << max(n - 1, 0).bit_length(), 32)
        block.append(wanted)
        left //= wanted
    grid = [-(-n // b) for n, b in zip(trips, block, strict=True)]
    limits = [2**31 - 1, 65535, 65535]
    grid = [min(g, limit) for g, limit in zip(grid, limits, strict=False)]
    for k in reversed(range(len(grid))):
        if most is not None and (others := math.prod(grid)) > most:
            grid[k] = max(1, grid[k] * most // others)
    pad = (1,) * (3 - len(grid))
    return (*grid, *pad), (*block, *pad)


def shape_of_rows(count: int, most: int | None) -> tuple[tuple, tuple]:
    """The grid and the block for so many rows, each made by a block."""
    return (min(max(count, 0), most or 2**31 - 1), 1, 1), (cuda_text.THREADS, 1, 1)


def _raise(checked: list[KernelText], failed: list[int]) -> None:
    """Raise the error of the first kernel in which a test has failed; a full tape may be the cause of the others."""
    found = [k.checks[len(k.checks) - number] for k, number in zip(checked, failed, strict=True) if number]
    for check in sorted(found, key=lambda check: check.error is not TapeFullError):
        is_own = issubclass(check.error, ZygopyError)
        raise check.error(str(ZygopyError(check.message, check.loc)) if is_own else check.message)


def executed(kernel: KernelText, cuda: Any) -> Any:
    """What the text of a kernel defines, where `cuda` is Numba's module or stands for it."""
    namespace: dict[str, Any] = {"np": np, "math": math, "cuda": cuda, "u32": np.uint32, "libdevice": cuda.libdevice}
    for text in (*kernel.functions, kernel.text):
        exec(compile(text, f"<zygopy {kernel.name}>", "exec"), namespace)
    return namespace[kernel.name]
