"""Arrays that are made on the tape, where the tape keeps all their elements anyway.

    for k in range(n):                       for k in range(n):
        t = np.empty(m)
        ... t[i] = ...            ->             ... tape[k, i] = ...
        for i in range(m):
            tape[k, i] = t[i]

The same where the reverse part fills an array from the tape: what reads that array reads the tape.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import (
    Block,
    Call,
    Const,
    For,
    Function,
    If,
    Kernel,
    Let,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    blocks,
    leaves,
    operands,
    replace,
    walk,
    within,
)
from zygopy.transform.memory import stored_arrays
from zygopy.transform.simplify import simplify


def on_tape(function: Function) -> Function:
    """Replace arrays of one trip, of which the tape has a copy, by their rows of the tape, and tapes by equal ones."""
    found = _Search(function)
    found.block(function.body, ())
    if not found.rows:
        return function
    function = simplify(replace(function, body=_Moved(found).block(function.body)))
    found = _Search(function)
    found.block(function.body, ())
    return simplify(replace(function, body=Substitution(found.same).block(_without(function.body, found.copies))))


@dataclass(frozen=True)
class _Row:
    """The elements of `tape` behind the leading indices `at`."""

    tape: Var
    at: tuple[Value, ...]
    copy: Store  # the statement that need not run


class _Search:
    def __init__(self, function: Function):
        self.definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        self.handed_on = {v for v in leaves(function.results) if isinstance(v, Var)}
        self.base: dict[Var, Var] = {}
        self.storing: dict[Var, list[Statement]] = {}
        self.in_kernels: set[Var] = set()
        self.viewed: set[Var] = set()
        for s in walk(function.body):
            self.visit(s)
        self.rows: dict[Var, _Row] = {}
        self.same: dict[Var, Value] = {}  # tapes that are copies of others
        self.copies: set[int] = set()  # the statements that make them so

    def visit(self, s: Statement) -> None:
        match s:
            case Let() if s.op in ops.VIEWS:
                self.base[s.var] = self.root(s.args[0])
                self.viewed.add(s.args[0])
            case Call() | Push():  # records keep them
                self.handed_on |= {self.root(v) for v in operands(s) if isinstance(v, Var)}
            case Kernel():
                self.in_kernels |= {v for v in operands(s) if isinstance(v, Var)}
            case For() | While():
                self.handed_on |= {self.root(v) for v in (*s.inits, *s.body.yields) if isinstance(v, Var)}
            case If():
                self.handed_on |= {self.root(v) for v in (*s.then.yields, *s.orelse.yields) if isinstance(v, Var)}
        for array in stored_arrays(s):
            self.storing.setdefault(self.root(array), []).append(s)

    def root(self, array: Value) -> Value:
        return self.base.get(array, array)

    # -- copies ------------------------------------------------------------------------------------------------------

    def block(self, block: Block, trips: tuple[Var, ...]) -> None:
        """Look for copies in a block inside the loops with the indices `trips`."""
        made: dict[Var, int] = {}
        for k, s in enumerate(block.statements):
            if isinstance(s, Let) and s.op in (ops.EMPTY, ops.SCRATCH) and s.var not in self.handed_on and s.args:
                made[s.var] = k
            elif isinstance(s, For):
                for store, loops in _stores(s):
                    self.try_copy(store, loops, block, k, made, trips)
        for s in block.statements:
            for inner in blocks(s):
                self.block(inner, (*trips, s.index) if isinstance(s, For) else trips)

    def try_copy(
        self, s: Store, loops: dict[Var, For], block: Block, k: int, made: dict[Var, int], trips: tuple[Var, ...]
    ) -> None:
        load = self.definitions.get(s.value) if isinstance(s.value, Var) else None
        if load is None or load.op is not ops.LOAD or s.add is not None:
            return
        (source, *at), target = load.args, s.array
        if self.is_tape(target) and tuple(at) == s.index and self.is_written(source, trips, block.statements[:k]):
            if self.storing[target] == [s] and source not in self.same and target not in self.same.values():
                self.same[target] = source
                self.copies.add(id(s))
            return
        if source in made:
            array, index, tape, where = source, tuple(at), target, s.index
        elif target in made:
            array, index, tape, where = target, s.index, source, tuple(at)
        else:
            return
        leading = where[: -len(index)]
        if array in self.rows or not leading or where[len(leading) :] != index:
            return
        if not self.is_tape(tape) or tape in made or not all(isinstance(v, Const) or v in trips for v in leading):
            return
        if set(index) != set(loops) or len(index) != len(loops):
            return
        lengths = self.definitions[array].args
        if not all(self.is_whole(loops[i], n) for i, n in zip(index, lengths, strict=True)):
            return
        later = [t for other in block.statements[k:] for t in within(other)]
        if array is source:
            fits = not any(t in later for t in self.storing.get(array, ())) and self.storing[tape] == [s]
        else:
            inside = [t for other in block.statements for t in within(other)]
            fits = self.storing[array] == [s] and not any(t in inside for t in self.storing.get(tape, ()))
            before = block.statements[made[array] + 1 : k]
            fits = fits and not any(array in operands(t) for other in before for t in within(other))
        if fits:
            self.rows[array] = _Row(tape, leading, s)

    def is_tape(self, array: Value) -> bool:
        let = self.definitions.get(array)
        return let is not None and let.op is ops.SCRATCH and array not in self.viewed | self.in_kernels | self.handed_on

    def is_written(self, tape: Value, trips: tuple[Var, ...], before: tuple[Statement, ...]) -> bool:
        """Whether each trip fills a row of its own of a tape, and only in these statements."""
        let = self.definitions.get(tape)
        if let is None or let.op is not ops.SCRATCH or tape in self.handed_on or not trips:
            return False
        earlier = {id(t) for other in before for t in within(other)}
        for t in self.storing.get(tape, ()):
            if id(t) not in earlier:
                return False
            for array in stored_arrays(t):
                at = t.index if isinstance(t, Store) else ()
                while array is not tape and array in self.definitions:
                    view = self.definitions[array]
                    at, array = (view.args[1::3], view.args[0]) if view.op is ops.VIEW else (at, view.args[0])
                if at[: len(trips)] != trips:
                    return False
        return True

    def is_whole(self, loop: For, length: Value) -> bool:
        """Whether a loop runs over the indices of an axis, upwards or downwards."""
        if loop.step == integer(1):
            return loop.start == integer(0) and loop.stop == length
        if loop.step != integer(-1) or loop.stop != integer(-1):
            return False
        if isinstance(length, Const):
            return loop.start == integer(length.value - 1)
        let = self.definitions.get(loop.start) if isinstance(loop.start, Var) else None
        return let is not None and let.op is ops.SUB and let.args == (length, integer(1))


def _stores(s: For) -> Iterator[tuple[Store, dict[Var, For]]]:
    """The stores in each trip of a nest, with the loops around them."""
    for t in s.body.statements:
        if isinstance(t, Store):
            yield t, {s.index: s}
        elif isinstance(t, For):
            for store, loops in _stores(t):
                yield store, {s.index: s, **loops}


def _without(block: Block, copies: set[int]) -> Block:
    """The block without some stores."""
    out: list[Statement] = []
    for s in block.statements:
        match s:
            case For():
                out.append(replace(s, body=_without(s.body, copies)))
            case While():
                out.append(replace(s, test=_without(s.test, copies), body=_without(s.body, copies)))
            case If():
                out.append(replace(s, then=_without(s.then, copies), orelse=_without(s.orelse, copies)))
            case _ if id(s) not in copies:
                out.append(s)
    return replace(block, statements=tuple(out))


class _Moved:
    """The function with rows of the tape in place of the arrays found."""

    def __init__(self, found: _Search):
        self.rows = found.rows
        self.definitions = found.definitions
        self.needed = (found.in_kernels | found.viewed) & set(found.rows)
        self.copies = {id(row.copy) for row in found.rows.values()}

    def block(self, block: Block) -> Block:
        return replace(block, statements=tuple(t for s in block.statements if (t := self.statement(s)) is not None))

    def statement(self, s: Statement) -> Statement | None:
        match s:
            case Store() if id(s) in self.copies:
                return None
            case Store() if s.array in self.rows:
                row = self.rows[s.array]
                return replace(s, array=row.tape, index=(*row.at, *s.index))
            case Let() if s.var in self.rows:
                return self.view(s) if s.var in self.needed else None
            case Let(op=ops.LOAD) if s.args[0] in self.rows:
                row = self.rows[s.args[0]]
                return replace(s, args=(row.tape, *row.at, *s.args[1:]))
            case For():
                return replace(s, body=self.block(s.body))
            case While():
                return replace(s, test=self.block(s.test), body=self.block(s.body))
            case If():
                return replace(s, then=self.block(s.then), orelse=self.block(s.orelse))
        return s

    def view(self, s: Let) -> Let:
        """The row as an array of its own, for kernels and views."""
        row = self.rows[s.var]
        args: list[Value] = [row.tape]
        for v in row.at:
            args += [v, integer(0), integer(-1)]
        for n in self.definitions[row.tape].args[len(row.at) :]:
            args += [integer(0), integer(1), n]
        return replace(s, op=ops.VIEW, args=tuple(args))
