"""A block of threads for each trip of a loop, whose long inner loops the threads share out: one row after the other.

for i in range(n):                       for i in range(n):             a block
    total = init                             part = 0                   of threads
    for j in range(m):            ->         for j in range(m):         shared out among them, `part` combined
        total += x[i, j]                         part += x[i, j]
    y[i] = total                             total = init + part        done by all of them alike,
                                             y[i] = total               but for stores, which one of them does

Neighbouring threads then touch neighbouring elements, where a thread for each row would touch those of other rows.
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder, zero
from zygopy.transform.gpu.grid import Grid, reduction
from zygopy.transform.ir import (
    Block,
    Check,
    Effect,
    For,
    If,
    Let,
    Statement,
    Store,
    Var,
    While,
    replace,
    walk,
    within,
)
from zygopy.transform.kernels import Matrices

LONG = 64  # elements of a row that is worth a block


def as_rows(s: For, grid: Grid) -> For | None:
    """The loop with its inner loops marked as those that threads share out; None if it has no long ones."""
    loops = [t for t in s.body.statements if isinstance(t, For) and _is_row(t, grid)]
    if not any((n := grid.expected_trips(t)) is not None and n >= LONG for t in loops):
        return None
    if not all(t in loops or _is_alike(t) for t in s.body.statements):
        return None
    if grid.deterministic and not all(grid.axes(t)[:1] == (t,) for t in loops):
        return None
    out: list[Statement] = []
    for t in s.body.statements:
        if isinstance(t, Let) and t.op is ops.ZEROS:
            b = Builder(t.loc)
            Matrices(b, lambda array: ()).clear(t.var, t.args)  # by loops that threads share out
            out += [replace(t, op=ops.EMPTY), *b.statements]
        else:
            out += _shared_out(t, grid) if t in loops else [t]
    return replace(s, body=Block(tuple(out), s.body.yields))


def row_loops(s: For) -> list[For]:
    """The inner loops of a loop by rows that threads share out."""
    return [t for t in s.body.statements if isinstance(t, For) and t.parallel]


def _is_row(t: For, grid: Grid) -> bool:
    """Whether threads can share out the trips of an inner loop, which makes no arrays."""
    makes = any(isinstance(u, Let) and u.op.effect is Effect.ALLOCATES for u in walk(t.body))
    return not makes and grid.is_independent(t)


def _is_alike(t: Statement) -> bool:
    """Whether all threads of a block can do a statement alike, or one of them what it stores."""
    if isinstance(t, Let):
        return t.op not in ops.VIEWS
    if isinstance(t, Check | Store):
        return True
    return isinstance(t, For | While | If) and not any(isinstance(u, Store | Check) for u in within(t))


def _shared_out(t: For, grid: Grid) -> list[Statement]:
    """A loop of a row, whose sums begin with nothing in each thread."""
    inits, results, after = [], [], []
    for k, (init, result) in enumerate(zip(t.inits, t.results, strict=True)):
        is_sum = reduction(t, k) is ops.SUM
        part = Var(result.name, result.type) if is_sum and init != zero(result.type) else result
        inits.append(zero(result.type) if is_sum else init)
        results.append(part)
        if part is not result:
            after.append(Let(result, ops.SUM, (init, part), t.loc))
    loop = replace(t, inits=tuple(inits), results=tuple(results))
    (marked,) = grid.with_atomics(Block((loop,)), (loop,), loop).statements
    return [replace(marked, parallel=True), *after]
