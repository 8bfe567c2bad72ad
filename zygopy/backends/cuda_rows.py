"""The text of a kernel in which a block of threads makes each trip of a loop (`transform.gpu.rows`).

for i in range(cuda.blockIdx.x, n, cuda.gridDim.x):
    total = 0.0
    for j in range(thread, m, 256):         the threads share out what is in the row
        total += x[u32(i * m + j)]
    ...                                     the sum of the block, through shared memory, for all of them
    if thread == 0:
        y[u32(i)] = total

Where threads may meet in memory, they wait for each other: between loads and stores, and two stores.
"""

from zygopy.backends import cuda_text
from zygopy.backends.cuda_text import KernelWriter, parallel_loops
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.emit import dtype_name
from zygopy.transform.gpu.grid import reduction
from zygopy.transform.ir import For, Function, If, Let, Statement, Store, Value, Var, While, within


class RowsWriter(KernelWriter):
    """Writes a kernel of rows."""

    rows: list[For]
    shared: dict[tuple[str, int], str]  # by dtype and number the names of arrays that threads meet in
    loaded = stored = False  # since threads last waited for each other

    def head(self, function: Function) -> None:
        super().head(function)
        self.rows = [s for s in parallel_loops(function.body) if s not in self.axes]
        kinds = {kind for s in self.rows for kind in _kinds(s)}
        self.shared = {kind: f"shared_{k}" for k, kind in enumerate(sorted(kinds))}

    def all_of(self, function: Function) -> None:
        self.line("thread = cuda.threadIdx.x")
        for (dtype, _), name in self.shared.items():
            self.line(f"{name} = cuda.shared.array({cuda_text.THREADS}, np.{dtype})")
        super().all_of(function)

    def combine(self, stores: list[Store]) -> None:
        """All threads of a block have its sums."""
        self.loc = None
        self.line("if thread == 0:")
        for s in stores:
            self.line(f"    {self.names[s.array]}[cuda.blockIdx.x] = {self.value(s.value)}")

    # -- one row -----------------------------------------------------------------------------------------------------

    def for_loop(self, s: For) -> None:
        super().for_loop(s)
        if s in self.rows and s.results:
            self.join(s)

    def range_of(self, s: For) -> str:
        if s not in (*self.axes, *self.rows):
            return super().range_of(s)
        first, step = ("thread", str(cuda_text.THREADS)) if s in self.rows else ("cuda.blockIdx.x", "cuda.gridDim.x")
        if s.start != integer(0):
            first = f"{self.value(s.start, 12)} + {first}"
        return f"{first}, {self.value(s.stop)}, {step}"

    def join(self, s: For) -> None:
        """The numbers of a block's threads become one, by a tree in shared memory, which all of them get."""
        parts = list(zip([self.shared[kind] for kind in _kinds(s)], s.results, strict=True))
        self.line("cuda.syncthreads()")
        for shared, result in parts:
            self.line(f"{shared}[thread] = {self.names[result]}")
        self.line(f"half = {cuda_text.THREADS // 2}")
        self.line("while half:")
        self.line("    cuda.syncthreads()")
        self.line("    if thread < half:")
        for k, (shared, _) in enumerate(parts):
            op = reduction(s, k)
            assert op is not None
            joined = op.text.format(f"{shared}[thread]", f"{shared}[thread + half]")
            self.line(f"        {shared}[thread] = {joined}")
        self.line("    half //= 2")
        self.line("cuda.syncthreads()")
        for shared, result in parts:
            self.line(f"{self.names[result]} = {shared}[0]")
        self.loaded = self.stored = False

    def statement(self, s: Statement) -> None:
        if not self.is_outer(s):
            return super().statement(s)
        stores = any(isinstance(t, Store) and t.add is not ops.ATOMIC for t in within(s))
        self.meet(self.loads(s), stores)
        if not isinstance(s, Store):
            return super().statement(s)
        self.line("if thread == 0:")
        self.depth += 1
        super().statement(s)
        self.depth -= 1

    def is_outer(self, s: Statement) -> bool:
        """Whether a statement is one of the row's own, not of what threads share out or do alike."""
        return any(s is t for t in self.axes[0].body.statements)

    def meet(self, loads: bool, stores: bool) -> None:
        """Have threads wait where one may touch what another one has touched, or will."""
        if (self.stored and (loads or stores)) or (self.loaded and stores):
            self.line("cuda.syncthreads()")
            self.loaded = self.stored = False
        self.loaded |= loads
        self.stored |= stores

    def loads(self, s: Statement) -> bool:
        """Whether a statement may read elements; expressions that stand in it count."""
        if isinstance(s, For | While | If | Store):
            return True
        return isinstance(s, Let) and self.is_load(s)

    def is_load(self, let: Let) -> bool:
        def of(value: Value) -> bool:
            inner = self.inlined.get(value) if isinstance(value, Var) else None
            return inner is not None and self.is_load(inner)

        return let.op is ops.LOAD or any(map(of, let.args))


def _kinds(s: For) -> list[tuple[str, int]]:
    """For each result of a loop its dtype, and how many of that dtype stand before it."""
    names = [dtype_name(r.type.dtype) for r in s.results]
    return [(name, names[:k].count(name)) for k, name in enumerate(names)]


def is_of_rows(function: Function) -> bool:
    """Whether blocks make the trips of a kernel's loop."""
    return len(parallel_loops(function.body)) > len(cuda_text.grid_loops(function.body))
