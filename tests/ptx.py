"""What ptxas says of kernels: registers, stack, spills. Needs numba-cuda and NVIDIA's wheels, but no GPU.

python -m tests.ptx            prints the table of the kernels of tests/cuda_programs.py
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

import zygopy as zg
from tests import cuda_programs
from zygopy.backends import cuda
from zygopy.backends.cuda import executed
from zygopy.backends.cuda_text import KernelText
from zygopy.structures import flat
from zygopy.transform.gpu import rows
from zygopy.transform.types import Array

COMPUTE = ((8, 0), (9, 0))
TABLE = Path(__file__).parent / "golden" / "kernels.txt"


@dataclass(frozen=True)
class Assembled:
    """A kernel for one kind of GPU."""

    registers: int
    stack: int
    spills: int
    shared: int
    doubles: int  # instructions of PTX that compute in float64


def assembled(kernel: KernelText, compute: tuple[int, int]) -> Assembled:
    """A kernel compiled to PTX, and what ptxas makes of it."""
    from numba import cuda, from_dtype, types

    class Module:
        def jit(self, f=None, **options):
            return f or cuda.jit(**options)

        def __getattr__(self, name):
            return getattr(cuda, name)

    function = executed(kernel, Module())
    function.__globals__["cuda"] = cuda
    signature = [
        types.Array(from_dtype(t.dtype), t.ndim, "C" if t.layout == "C" else "A")
        if isinstance(t, Array)
        else from_dtype(t.dtype)
        for t in kernel.types
    ]
    signature += [types.Array(types.int32, 1, "C")] if kernel.checks else []
    device = SimpleNamespace(compute_capability=compute)
    with mock.patch("numba.cuda.dispatcher.get_current_device", return_value=device):  # device functions ask
        ptx, _ = cuda.compile(function, tuple(signature), cc=compute, device=False, abi="numba", output="ptx")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.ptx"
        file.write_text(ptx)
        arch = f"sm_{compute[0]}{compute[1]}"
        command = [ptxas(), "-v", f"-arch={arch}", str(file), "-o", str(file.with_suffix(".cubin"))]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    number = lambda pattern: int(found[1]) if (found := re.search(pattern, said)) else 0  # noqa: E731
    return Assembled(
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        number(r"(\d+) bytes smem"),
        len(re.findall(r"^\s*(?:@%p\d+ )?(?!mov|ld|st|cvt)\w+[\w.]*\.f64", ptx, re.M)),
    )


def ptxas() -> str:
    """The path of NVIDIA's assembler among installed wheels."""
    for base in find_spec("nvidia").submodule_search_locations:
        for found in Path(base).rglob("bin/ptxas"):
            return str(found)
    raise FileNotFoundError("ptxas: pip install nvidia-cuda-nvcc==13.0.*")


def table() -> str:
    """One line for each kernel of the programs for GPUs: float32, then float64; the figures of both kinds of GPU."""
    lines = [f"{'kernel':44} {'dtype':8} " + " ".join(f"{h:>9}" for h in _HEADS)]
    for dtype in (np.float32, np.float64):
        for function in cuda_programs.SAMPLES:
            for kernel in kernels_of(function, dtype):
                if kernel.name.startswith(function.__name__) or kernel.name not in "\n".join(lines):
                    lines.append(line_of(kernel, dtype))
        for function in BY_ROWS:
            lines += [line_of(kernel, dtype) for kernel in kernels_of(function, dtype, 1) if kernel.by_rows]
    return "\n".join(lines) + "\n"


def line_of(kernel: KernelText, dtype) -> str:
    """What the table says of a kernel."""
    a, b = (assembled(kernel, compute) for compute in COMPUTE)
    figures = [f"{x}/{y}" for x, y in ((a.registers, b.registers), (a.stack, b.stack))]
    figures += [f"{a.spills}/{b.spills}", str(b.shared), str(kernel.text.count("cuda.atomic.add"))]
    name = kernel.name + (" by rows" if kernel.by_rows else "")
    return f"{name:44} {dtype.__name__:8} " + " ".join(f"{f:>9}" for f in figures)


_HEADS = ("registers", "stack", "spills", "shared", "atomics")


BY_ROWS = (cuda_programs.softmax_cross_entropy, cuda_programs.layer_norm, cuda_programs.logistic_regression)


def kernels_of(function, dtype, long: int = rows.LONG) -> list[KernelText]:
    """The kernels of a program's value and gradients; rows of so many elements are made by blocks of threads."""
    before, rows.LONG = rows.LONG, long
    try:
        return _kernels_of(function, dtype)
    finally:
        rows.LONG = before


def _kernels_of(function, dtype) -> list[KernelText]:
    return made_for(function, cuda_programs.argnums_of(function), cuda_programs.args_of(function, dtype))


def made_for(function, argnums, args) -> list[KernelText]:
    """The kernels of a function's value and gradients for these arguments."""
    operator = zg.value_and_grad(function, argnums, backend="cuda")
    program = cuda.Program(flat(operator.program(*args).function))
    return [*program.kernels, *program.joins.values()]


if __name__ == "__main__":
    TABLE.write_text(table())
