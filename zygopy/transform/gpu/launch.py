"""Dividing a program between the host and a GPU: loops become kernels.

    total = 0.0                              total = empty(1)
    for i in range(n):                ->     launch i in range(n): total[0] = the sum of x[i] * x[i]
        total += x[i] * x[i]                 result = empty(1)
    return total / n                         launch: result[0] = total[0] / n

The host has integers and shapes, makes arrays and runs loops over kernels. A nest whose trips are independent is a
kernel of as many threads (`grid`); all other work on elements is done by one thread, with what stands around it.
A number that a kernel leaves is an array of one element; arithmetic on it is repeated in the kernels that need it.
"""

from dataclasses import dataclass

from zygopy.errors import Loc, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.gpu.expand import expand
from zygopy.transform.gpu.gather import gather
from zygopy.transform.gpu.grid import Grid, arrays_of_trips, reduction, without
from zygopy.transform.gpu.offsets import offsets
from zygopy.transform.gpu.rows import as_rows, row_loops
from zygopy.transform.gpu.sink import sink
from zygopy.transform.gpu.stacks import stacks_as_arrays
from zygopy.transform.ir import (
    Block,
    Call,
    Check,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Launch,
    Let,
    Param,
    Pop,
    Print,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    block_params,
    blocks,
    defined,
    free_values,
    map_leaves,
    operands,
    replace,
    walk,
)
from zygopy.transform.memory import known_shape, stored_arrays
from zygopy.transform.naming import identifier
from zygopy.transform.types import Array, Scalar

NAMES_OF_KERNELS = {"thread", "half", "going", "failed", "cuda", "u32", "libdevice"}  # that texts of kernels use
NAMES_OF_KERNELS |= {f"shared_{k}" for k in range(10)}


def launch(function: Function, deterministic: bool = False) -> Function:
    """Divide a program; numbers among its results that the GPU computes become arrays of no axes.

    `deterministic`: no threads meet in an addition, so that each run gives the same.

    Raises
    ------
    UnsupportedError
        Where the host would have to wait for a number from the GPU, or needs what kernels cannot do.
    """
    for s in walk(function.body):
        if isinstance(s, Let) and s.op is ops.NEW_LIST:
            what = "a list whose length only run time knows is not supported on backend cuda"
            raise UnsupportedError(what, s.loc, help="fill an array: np.zeros(n)")
    sunk = sink(stacks_as_arrays(function))
    return _Division(gather(sunk, 0 if deterministic else None), deterministic).divided()


class _Division:
    def __init__(self, function: Function, deterministic: bool):
        self.function, self.grid = function, Grid(function, deterministic)
        self.definitions: dict[Var, Statement] = {v: s for s in walk(function.body) for v in defined(s)}
        for s in walk(function.body):
            self.definitions |= dict.fromkeys(block_params(s), s)
        self.lengths: dict[tuple[Value, object], Var] = {}  # of axes, where the host has asked for them
        self.device: set[Var] = set()  # numbers that the GPU computes
        self.cells: dict[Value, Var] = {}  # the arrays of one element that hold them
        self.count = 0
        while self._find_numbers(function.body):
            pass

    def divided(self) -> Function:
        body = _Host(self, {}, True).block(self.function.body)
        b = Builder(self.function.loc)
        yields = tuple(
            b.let(ops.RESHAPE, (found,), Array(found.type.dtype, 0), v.name) if found is not v else v
            for v, found in zip(self.function.body.yields, body.yields, strict=True)
        )
        results = iter(yields)
        return replace(
            self.function,
            body=Block((*body.statements, *b.statements), yields),
            results=map_leaves(lambda v: next(results), self.function.results),
        )

    # -- who computes what -------------------------------------------------------------------------------------------

    def _find_numbers(self, block: Block) -> bool:
        """Extend the numbers that the GPU computes; whether there were more."""
        before = len(self.device)
        for s in block.statements:
            match self.kind(s):
                case "kernel" | "thread":
                    self.device.update(v for v in defined(s) if isinstance(v.type, Scalar))
                case "host" if isinstance(s, For | While):
                    for group in zip(s.params, s.inits, s.body.yields, s.results, strict=True):
                        if isinstance(group[0].type, Scalar) and self.device & {v for v in group if isinstance(v, Var)}:
                            self.device.update((group[0], group[3]))
                case "host" if isinstance(s, If):
                    for r, a, b in zip(s.results, s.then.yields, s.orelse.yields, strict=True):
                        if isinstance(r.type, Scalar) and self.device & {v for v in (a, b) if isinstance(v, Var)}:
                            self.device.add(r)
            if self.kind(s) == "host":
                for inner in blocks(s):
                    self._find_numbers(inner)
        return len(self.device) > before

    def kind(self, s: Statement) -> str:
        """Who runs a statement: the "host", a "kernel" of many threads, or one "thread"."""
        match s:
            case Let() if s.op is ops.LOAD or (isinstance(s.var.type, Scalar) and self.device & set(s.args)):
                return "thread"
            case Store():
                return "thread"
            case Check() | Print() if self.device & set(operands(s)):
                return "thread"
            case For() if self.is_kernel(s):
                return "kernel"
            case For() | While() | If() if not self.needs_host(s) and self.touches_device(s):
                return "thread"
        return "host"

    def is_kernel(self, s: For) -> bool:
        axes = self.grid.axes(s)
        bounds = {v for loop in axes for v in (loop.start, loop.stop)}
        return (
            bool(axes)
            and not bounds & self.device
            and not any(_is_of_host(t) for t in walk(without(s.body, arrays_of_trips(s))))
        )

    def needs_host(self, s: Statement) -> bool:
        """Whether there is something in a statement that one thread cannot do, or should not do alone."""
        arrays = [v for t in walk(Block((s,))) for v in (*defined(t), *block_params(t)) if isinstance(v.type, Array)]
        return bool(arrays) or any(
            _is_of_host(t) or (isinstance(t, For) and self.is_kernel(t)) for t in walk(Block((s,)))
        )

    def touches_device(self, s: Statement) -> bool:
        """Whether a statement reads or writes elements, or reads numbers of the GPU."""
        for t in walk(Block((s,))):
            values = {*operands(t), *(v for block in blocks(t) for v in block.yields)}
            if isinstance(t, Store) or (isinstance(t, Let) and t.op is ops.LOAD) or values & self.device:
                return True
        return False

    def refuse(self, what: str, loc: Loc, help: str) -> None:
        raise UnsupportedError(f"{what} on backend cuda", loc, help=help)


def _is_of_host(t: Statement) -> bool:
    """Whether a statement is one that only the host can run."""
    makes = isinstance(t, Let) and (t.op.effect is Effect.ALLOCATES or t.op in (*ops.VIEWS, ops.DIM, ops.OVERLAPS))
    return makes or isinstance(t, Call | Kernel | Print | Push | Pop)


@dataclass
class _Host:
    """Writes the host's statements of one block; `pending` are statements that wait for a thread, in their order."""

    division: _Division
    known: dict[Var, Let]  # the loads of numbers that surrounding blocks have left in arrays
    outermost: bool = False

    def block(self, block: Block, cells: list[bool] | None = None) -> Block:
        """The block; yields that `cells` marks, or that the GPU computes, are arrays of one element."""
        self.out: list[Statement] = []
        self.pending: list[Statement] = list(self.known.values())
        later = [{v for v in block.yields if isinstance(v, Var)}]
        for s in reversed(block.statements):
            later.append(later[-1] | free_values(Block((s,))).keys())
        for s, needed in zip(block.statements, later[:0:-1], strict=True):
            self.needed = needed
            self.statement(s)
        self.needed = later[0]
        marks = cells or [v in self.division.device for v in block.yields]
        for v, marked in zip(block.yields, marks, strict=True):
            if marked and v not in self.division.device:
                self.put(v, block.statements[-1].loc if block.statements else self.division.function.loc)
        self.flush()
        yields = tuple(self.division.cells[v] if marked else v for v, marked in zip(block.yields, marks, strict=True))
        return Block(tuple(self.out), yields)

    def statement(self, s: Statement) -> None:
        match self.division.kind(s):
            case "thread":
                if isinstance(s, Print):
                    self.refuse_print(s)
                self.pending.append(s)
            case "kernel":
                self.kernel(s)
            case _:
                self.of_host(s)

    # -- the host's own ----------------------------------------------------------------------------------------------

    def of_host(self, s: Statement) -> None:
        division = self.division
        if isinstance(s, Call):
            division.refuse("a function that calls itself", s.loc, "write it as a loop")
        for v in operands(s):
            if v in division.device and not (isinstance(s, For | While) and v in s.inits):
                self.wait(*self.what_waits(s))
        match s:
            case Kernel():
                self.flush()
                self.out.append(s)
            case For() | While():
                self.loop(s)
            case If() if any(division.kind(t) != "host" or isinstance(t, Kernel) for b in blocks(s) for t in walk(b)):
                self.branch(s)
            case _:
                self.out.append(s)
                self.note(s)

    def what_waits(self, s: Statement) -> tuple[str, Loc]:
        """What of the user's program a statement is that depends on the GPU; for a tape, the loop that it is for."""
        if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES:
            loops = (t for t in walk(self.division.function.body) if isinstance(t, For))
            s = next((t for t in loops if self.division.device & {t.start, t.stop}), s)
        what = {For: "the number of trips of a loop", While: "the test of a loop", If: "the test of a branch"}
        return what.get(type(s), "the shape or place of an array"), s.loc

    def note(self, s: Statement) -> None:
        """Remember the length of an axis, for the kernels behind."""
        if isinstance(s, Let) and s.op is ops.DIM and self.outermost:
            self.division.lengths[s.args[0], s.args[1].value] = s.var

    def wait(self, what: str, loc: Loc) -> None:
        """Refuse to wait for a number."""
        raise UnsupportedError(
            f"{what} depends on numbers that a GPU computes",
            loc,
            why="the host would have to wait for them",
            help="make it depend on lengths and arguments that are Python numbers, or use np.where",
        )

    def refuse_print(self, s: Print) -> None:
        self.wait("what is printed", s.loc)

    def loop(self, s: For | While) -> None:
        division = self.division
        if isinstance(s, While):
            asked = [*s.test.yields, *(v for t in walk(s.test) for v in operands(t))]
            if any(v in division.device for v in asked) or any(division.kind(t) == "thread" for t in walk(s.test)):
                self.wait("the test of a loop", s.loc)
        marks = [p in division.device for p in s.params]
        for init, marked in zip(s.inits, marks, strict=True):
            if marked and init not in division.device:
                self.put(init, s.loc)
        self.flush()
        inits = tuple(division.cells[v] if m else v for v, m in zip(s.inits, marks, strict=True))
        params = tuple(self.cell_of(v) if m else v for v, m in zip(s.params, marks, strict=True))
        loads = {p: self.load(p, s.loc) for p, m in zip(s.params, marks, strict=True) if m}
        body = _Host(division, {**self.loaded(), **loads}).block(s.body, marks)
        results = tuple(self.cell_of(v) if m else v for v, m in zip(s.results, marks, strict=True))
        self.out.append(replace(s, params=params, inits=inits, body=body, results=results))
        self.pending += [self.load(r, s.loc) for r, m in zip(s.results, marks, strict=True) if m]

    def branch(self, s: If) -> None:
        self.flush()
        marks = [r in self.division.device for r in s.results]
        sides = [_Host(self.division, self.loaded()).block(side, marks) for side in (s.then, s.orelse)]
        results = tuple(self.cell_of(v) if m else v for v, m in zip(s.results, marks, strict=True))
        self.out.append(replace(s, then=sides[0], orelse=sides[1], results=results))
        self.pending += [self.load(r, s.loc) for r, m in zip(s.results, marks, strict=True) if m]

    # -- numbers in arrays -------------------------------------------------------------------------------------------

    def cell_of(self, v: Var) -> Var:
        """The variable of the array of one element that holds a number."""
        return self.division.cells.setdefault(v, Var(v.name, Array(v.type.dtype, 1)))

    def load(self, v: Var, loc: Loc) -> Let:
        return Let(v, ops.LOAD, (self.cell_of(v), integer(0)), loc)

    def new_cell(self, v: Value, loc: Loc) -> Var:
        cell = self.division.cells[v] = Var(v.name if isinstance(v, Var) else "t", Array(v.type.dtype, 1))
        self.out.append(Let(cell, ops.EMPTY, (integer(1),), loc))
        return cell

    def put(self, v: Value, loc: Loc) -> None:
        """Have a number of the host in an array."""
        self.pending.append(Store(self.new_cell(v, loc), (integer(0),), v, None, loc))

    def loaded(self) -> dict[Var, Let]:
        return {s.var: s for s in self.pending if isinstance(s, Let) and self.is_cell_load(s)}

    def is_cell_load(self, s: Statement) -> bool:
        return isinstance(s, Let) and s.op is ops.LOAD and self.division.cells.get(s.var) is s.args[0]

    # -- kernels -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Have one thread do what is pending, as far as anything needs it."""
        kept: list[Statement] = []
        needed = set(self.needed)
        for s in reversed(self.pending):
            acts = any(isinstance(t, Store | Check) for t in walk(Block((s,))))
            if acts or needed & set(defined(s)):
                kept.append(s)
                needed |= free_values(Block((s,))).keys()
        kept.reverse()
        loads = [s for s in kept if self.is_cell_load(s)]
        work = [s for s in kept if not self.is_cell_load(s)]
        self.pending = loads
        if not work:
            return
        wanted = free_values(Block(tuple(work)))
        body = [s for s in loads if s.var in wanted] + work
        leaving = [v for s in work for v in defined(s) if v in self.needed]
        loc = next((s.loc for s in reversed(work) if isinstance(s, Store)), work[-1].loc)
        for v in leaving:
            body.append(Store(self.new_cell(v, loc), (integer(0),), v, None, loc))
            self.pending.append(self.load(v, loc))
        self.emit(_marked(Block(tuple(body)), ()), (), loc)

    def kernel(self, s: For) -> None:
        """A nest of independent trips as a kernel, with the arithmetic on single numbers that it needs."""
        division = self.division
        axes = division.grid.axes(s)
        preamble = self.preamble(s)
        if preamble is None:
            self.flush()
            preamble = self.preamble(s) or []
        host = Builder(s.loc)
        params, after = [], []
        for k, (init, result) in enumerate(zip(s.inits, s.results, strict=True)):
            op = reduction(s, k)
            start = init if op is not ops.SUM else zero(result.type)
            params.append(start)
            part = result if op is not ops.SUM or init == start else Var(result.name, result.type)
            cell = self.cell_of(part)
            host.emit(Let(cell, ops.EMPTY, (integer(1),), s.loc))
            after.append((part, self.load(part, s.loc)))
            if part is not result:
                after.append((None, Let(result, ops.ADD, (init, part), s.loc)))
        parts = tuple(part for part, _ in after if part is not None)
        rows = as_rows(s, division.grid) if len(axes) == 1 else None
        axes = axes if rows is None else (rows,)
        nest = replace(rows or s, inits=tuple(params), results=parts)
        stores = [Store(division.cells[p], (integer(0),), p, None, s.loc) for p in parts]
        before = Block((*preamble, nest, *stores))
        body = division.grid.with_atomics(expand(before, axes, host, rows is not None), axes, rows or s)
        self.out += host.statements
        extents = Builder(s.loc)
        sizes = tuple(extents.sub(loop.stop, loop.start) for loop in axes)
        self.out += extents.statements
        self.emit(_marked(body, (*axes, *(row_loops(rows) if rows else ()))), sizes, s.loc)
        self.pending += [let for _, let in after]

    def preamble(self, s: For) -> list[Statement] | None:
        """The pending arithmetic that a kernel needs, to repeat it there; None if it must be done before."""
        stored = {self.division.grid.aliases.of(a) for t in walk(Block((s,))) for a in stored_arrays(t)}
        needed = set(free_values(Block((s,))))
        found: list[Statement] = []
        for t in reversed(self.pending):
            if not isinstance(t, Let):
                return None
            if t.op is ops.LOAD and self.division.grid.aliases.of(t.args[0]) in stored:
                return None
            if t.var in needed:
                found.append(t)
                needed |= {v for v in t.args if isinstance(v, Var)}
        return found[::-1]

    def emit(self, body: Block, extents: tuple[Value, ...], loc: Loc) -> None:
        """Launch a kernel."""
        lengths, asked = Builder(loc), {}

        def length(array: Var, axis: int) -> Value:
            shape = known_shape(array, self.division.definitions | self.made())
            value = shape[axis] if shape[axis] is not None else self.division.lengths.get((array, axis))
            if value is None and (array, axis) not in asked:
                asked[array, axis] = lengths.dim(array, axis)
            return value if value is not None else asked[array, axis]

        flat_body, flat = offsets(body, length)
        self.out += lengths.statements
        for let in lengths.statements:
            self.note(let)
        arrays = {new: old for old, new in flat.items()}
        free = list(free_values(flat_body))
        order = [v for v in free if isinstance(v.type, Scalar)] + [v for v in free if not isinstance(v.type, Scalar)]
        self.division.count += 1
        name = f"{self.division.function.name}_{self.division.count}"
        names = (f"{n}_" if (n := identifier(v.name)) in NAMES_OF_KERNELS else n for v in order)
        kernel = Function(name, tuple(map(Param, names, order)), flat_body, (), loc)
        self.out.append(Launch(kernel, extents, tuple(arrays.get(v, v) for v in order), loc))

    def made(self) -> dict[Var, Statement]:
        return {v: s for s in self.out for v in defined(s)}


def _marked(body: Block, shared: tuple[For, ...]) -> Block:
    """The body with the loops that threads share out marked as parallel, and no others."""
    keys = {loop.key for loop in shared}

    def visit(block: Block) -> Block:
        out = []
        for s in block.statements:
            if isinstance(s, For):
                s = replace(s, parallel=s.key in keys, body=visit(s.body))
            elif isinstance(s, If):
                s = replace(s, then=visit(s.then), orelse=visit(s.orelse))
            elif isinstance(s, While):
                s = replace(s, body=visit(s.body))
            out.append(s)
        return Block(tuple(out), block.yields)

    return visit(body)
