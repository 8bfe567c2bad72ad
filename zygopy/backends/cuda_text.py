"""The text of a program that is divided between host and GPU: Python with CuPy, and kernels for Numba-CUDA.

@cuda.jit
def f_1(n, x, total):
    total_1 = np.float32(0.0)
    for i in range(cuda.grid(1), n, cuda.gridsize(1)):     each thread takes every so-many-th trip
        total_1 += x[u32(i)] * x[u32(i)]
    ...                                                     the sum of a block, through shared memory
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zygopy.backends.cuda_functions import device_functions, function_text
from zygopy.errors import Loc, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.emit import Writer, dtype_name, emit
from zygopy.transform.gpu.grid import reduction
from zygopy.transform.gpu.launch import NAMES_OF_KERNELS
from zygopy.transform.ir import (
    Block,
    Check,
    For,
    Function,
    Launch,
    Let,
    Op,
    Param,
    Statement,
    Store,
    Value,
    Var,
    While,
    param_vars,
    walk,
)
from zygopy.transform.types import INT, Array, Scalar, Type

THREADS = 256  # in a block


@dataclass(frozen=True)
class KernelText:
    """A kernel as text; `sums` are the parameters that blocks leave parts in, and how these are combined.

    `flat` are the positions of contiguous arrays, which are passed as vectors, and `functions` the texts of device
    functions that it calls.
    """

    name: str
    text: str
    types: tuple[Type, ...]
    sums: tuple[tuple[int, Op, str], ...] = ()
    flat: tuple[int, ...] = ()
    checks: tuple[Check, ...] = ()
    by_rows: bool = False  # a block for each trip, not a thread
    functions: tuple[str, ...] = ()


class HostWriter(Writer):
    """Writes the host's part: CuPy makes arrays, kernels are called with the extents of their grids."""

    reserved = frozenset({"cp"})

    def allocation(self, let: Let) -> str:
        shape = self.items(let.args)
        shape = f"({shape})" if len(let.args) > 1 else shape
        name = "zeros" if let.op is ops.ZEROS else "empty"
        return f"cp.{name}({shape}, np.{dtype_name(let.var.type.dtype)})"

    def shape_text(self, shape: tuple[Value, ...]) -> str:
        return super().shape_text(shape) if shape else "()"

    def statement(self, s: Statement) -> None:
        if not isinstance(s, Launch):
            return super().statement(s)
        extents = f"({self.items(s.extents)}{',' if len(s.extents) == 1 else ''})"
        self.statement_line(s, f"{s.kernel.name}({self.items((extents_of(extents), *s.args))})")

    def value(self, value: Value, precedence: int = 0) -> str:
        return value.text if isinstance(value, extents_of) else super().value(value, precedence)


@dataclass(frozen=True)
class extents_of:
    """Text among the arguments of a launch."""

    text: str


class KernelWriter(Writer):
    """Writes a kernel."""

    reserved = frozenset(NAMES_OF_KERNELS)
    axes: list[For]
    checks: list[Check]
    results: dict[Var, Op]  # the sums of the grid, and how threads combine them
    whiles = 0  # around what is being written

    def head(self, function: Function) -> None:
        self.axes = grid_loops(function.body)
        self.results = grid_sums(function.body)
        self.checks = [s for s in walk(function.body) if isinstance(s, Check)]
        names = [self.names[v] for v in param_vars(function)]
        self.line("@cuda.jit")
        self.line(f"def {function.name}({', '.join([*names, 'failed'] if self.checks else names)}):")

    def all_of(self, function: Function) -> None:
        stores = [s for s in function.body.statements if isinstance(s, Store) and s.value in self.results]
        if any(isinstance(s, While) and _has_checks(s) for s in walk(function.body)):
            self.line("going = True")
        self.depth -= 1
        self.nested(Block(tuple(s for s in function.body.statements if s not in stores)), [])
        self.depth += 1
        if stores:
            self.combine(stores)

    def nested(self, block: Block, copies: list[tuple[Var, Value]]) -> None:
        """A block; what stands behind a test that fails is not done."""
        depth = self.depth
        super().nested(block, copies)
        if (last := self.lines[-1]).lstrip() == "else:":
            self.lines.append(last.replace("else:", "    pass"))
        self.depth = depth

    def check(self, s: Check) -> None:
        self.statement_line(s, f"if {self.negated(s.test)}:")
        self.line(f"    cuda.atomic.max(failed, 0, {len(self.checks) - self.checks.index(s)})")
        if self.whiles:
            self.line("    going = False")
        self.line("else:")
        self.depth += 1

    def while_loop(self, s: While) -> None:
        """A loop that ends where a test in it fails: its own test may then never change."""
        if not _has_checks(s):
            return super().while_loop(s)
        self.loc = s.loc
        self.copies(list(zip(s.params, s.inits, strict=True)))
        self.statement_line(s, "while going:")
        self.whiles, depth = self.whiles + 1, self.depth
        self.depth += 1
        self.block(s.test)
        self.line(f"if not {self.value(s.test.yields[0], 5)}:")
        self.line("    break")
        self.depth -= 1
        self.nested(s.body, list(zip(s.params, s.body.yields, strict=True)))
        self.whiles, self.depth = self.whiles - 1, depth
        self.loc = s.loc
        self.copies(list(zip(s.results, s.params, strict=True)))

    def combine(self, stores: list[Store]) -> None:
        """The numbers of a block's threads become one, by a tree in shared memory."""
        thread, block = _linear("threadIdx", len(self.axes)), _linear("blockIdx", len(self.axes))
        self.loc = None
        self.line("# the threads of a block")
        self.line(f"thread = {thread}")
        for k, s in enumerate(stores):
            self.line(f"shared_{k} = cuda.shared.array({THREADS}, np.{dtype_name(s.array.type.dtype)})")
            self.line(f"shared_{k}[thread] = {self.value(s.value)}")
        self.line(f"half = {THREADS // 2}")
        self.line("while half:")
        self.line("    cuda.syncthreads()")
        self.line("    if thread < half:")
        for k, s in enumerate(stores):
            assert isinstance(s.value, Var)
            joined = self.results[s.value].text.format(f"shared_{k}[thread]", f"shared_{k}[thread + half]")
            self.line(f"        shared_{k}[thread] = {joined}")
        self.line("    half //= 2")
        self.line("if thread == 0:")
        for k, s in enumerate(stores):
            self.line(f"    {self.names[s.array]}[{block}] = shared_{k}[0]")

    def expression(self, let: Let) -> tuple[str, int]:
        if let.op is ops.LOAD:
            return f"{self.value(let.args[0])}[{self.offset(let.args[1:])}]", 20
        if (text := function_text(let)) is not None:
            return text.format(*(self.value(a, 16) for a in let.args)), 20
        if any(isinstance(v.type, Scalar) and v.type.is_complex for v in (let.var, *let.args)):
            raise UnsupportedError(
                "complex numbers are not supported on backend cuda",
                let.loc,
                help="compute with real and imaginary parts",
            )
        return super().expression(let)

    def offset(self, index: tuple[Value, ...]) -> str:
        return ", ".join(f"{v.value}" if not isinstance(v, Var) else f"u32({self.value(v)})" for v in index)

    def statement(self, s: Statement) -> None:
        match s:
            case Check():
                self.check(s)
            case Store(add=ops.ATOMIC):
                place, value = self.offset(s.index), self.value(s.value)
                place = f"({place})" if len(s.index) > 1 else place
                self.statement_line(s, f"cuda.atomic.add({self.names[s.array]}, {place}, {value})")
            case Store():
                sign, value = ("+=", self.value(s.value)) if s.add else ("=", self.value(s.value))
                self.statement_line(s, f"{self.names[s.array]}[{self.offset(s.index)}] {sign} {value}")
            case _:
                super().statement(s)

    def range_of(self, s: For) -> str:
        """Every so-many-th trip of a loop that threads share out; all trips of others."""
        if s not in self.axes:
            return super().range_of(s)
        k, count = len(self.axes) - 1 - self.axes.index(s), len(self.axes)
        at = f"[{k}]" if count > 1 else ""
        first, step = f"cuda.grid({count}){at}", f"cuda.gridsize({count}){at}"
        if s.start != integer(0):
            first = f"{self.value(s.start, 12)} + {first}"
        return f"{first}, {self.value(s.stop)}, {step}"


def _has_checks(s: While) -> bool:
    return any(isinstance(t, Check) for block in (s.test, s.body) for t in walk(block))


def _linear(name: str, axes: int) -> str:
    """The number of a thread in its block, or of a block in the grid."""
    size = "cuda.blockDim" if name == "threadIdx" else "cuda.gridDim"
    text = f"cuda.{name}.{'xyz'[axes - 1]}"
    for axis in "xyz"[: axes - 1][::-1]:
        inner = f"({text})" if "+" in text else text
        text = f"cuda.{name}.{axis} + {size}.{axis} * {inner}"
    return text


def grid_loops(body: Block) -> list[For]:
    """The loops that are the axes of a kernel's grid, the outermost first."""
    found = parallel_loops(body)[:1]
    while found and len(found[-1].body.statements) == 1 and (inner := parallel_loops(found[-1].body)[:1]):
        found += inner
    return found


def parallel_loops(body: Block) -> list[For]:
    """The loops of a kernel that threads share out, from the outermost inwards."""
    return [s for s in walk(body) if isinstance(s, For) and s.parallel]


def grid_sums(body: Block) -> dict[Var, Op]:
    """The results of the nest that threads share out, and how trips combine them."""
    nest = next((s for s in body.statements if isinstance(s, For) and grid_loops(Block((s,)))), None)
    found = {result: reduction(nest, k) for k, result in enumerate(nest.results)} if nest is not None else {}
    return {result: op for result, op in found.items() if op is not None}


def kernel_text(kernel: Function) -> KernelText:
    """A kernel for Numba-CUDA."""
    from zygopy.backends.cuda_rows import RowsWriter, is_of_rows

    joined = grid_sums(kernel.body)
    params = param_vars(kernel)
    sums = [
        (params.index(s.array), joined[s.value], dtype_name(s.array.type.dtype))
        for s in kernel.body.statements
        if isinstance(s, Store) and isinstance(s.value, Var) and s.value in joined
    ]
    flat = [k for k, v in enumerate(params) if isinstance(v.type, Array) and v.type.layout == "C"]
    checks = tuple(s for s in walk(kernel.body) if isinstance(s, Check))
    by_rows = is_of_rows(kernel)
    text = emit(kernel, writing=RowsWriter if by_rows else KernelWriter).text
    types = tuple(v.type for v in params)
    return KernelText(kernel.name, text, types, tuple(sums), tuple(flat), checks, by_rows, device_functions(text))


def combining(op: Op, dtype: str, name: str) -> Function:
    """The kernel of one block that combines what blocks have left."""
    element = Scalar(np.dtype(dtype))
    loc = Loc("", 0)
    parts, count = Var("parts", Array(element.dtype, 1)), Var("count", INT)
    out, total, result, k = (
        Var("out", Array(element.dtype, 1)),
        Var("total", element),
        Var("total", element),
        Var("k", INT),
    )
    b = Builder(loc)
    part = b.load(parts, (k,))
    joined = b.let(op, (total, part), element)
    before = Builder(loc)
    init = zero(element) if op is ops.SUM else before.load(parts, (integer(0),))
    loop = For(
        k, integer(0), count, integer(1), (total,), (init,), b.block((joined,)), (result,), loc, 0, parallel=True
    )
    body = Block((*before.statements, loop, Store(out, (integer(0),), result, None, loc)))
    return Function(name, tuple(Param(v.name, v) for v in (count, parts, out)), body, (), loc)


Printer = Callable[[Function], KernelText]  # another one writes CUDA C++
