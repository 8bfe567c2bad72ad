"""Arrays that each trip makes for itself become one array for all threads, each with a column of its own.

for i in range(n):                       t = np.empty((m, n))
    t = np.empty(m)                      for i in range(n):
    for j in range(m):            ->         for j in range(m):
        t[j] = x[i, j] * w                       t[j, i] = x[i, j] * w

The thread is the last axis, so that neighbours touch neighbouring memory. Where a block of threads makes a trip
(`rows`), the trip is the first axis.
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.gpu.grid import arrays_of_trips
from zygopy.transform.ir import Block, For, Let, Statement, Store, Value, Var, new_key, replace, walk, with_blocks
from zygopy.transform.types import INT, Array


def expand(body: Block, axes: tuple[For, ...], b: Builder, by_rows: bool = False) -> Block:
    """The body of a kernel without the arrays of its own; `b` makes those of all threads before it."""
    own = arrays_of_trips(axes[0])
    lets = {t.var: t for t in walk(axes[0].body) if isinstance(t, Let) and t.var in own}
    if not lets:
        return body
    extents = tuple(b.sub(loop.stop, loop.start) for loop in axes)
    columns = {}
    for var, let in lets.items():
        shape = (*extents, *let.args) if by_rows else (*let.args, *extents)
        columns[var] = b.let(ops.EMPTY, shape, Array(var.type.dtype, len(shape)), var.name)

    def place(index: tuple[Value, ...], inner: Builder) -> tuple[Value, ...]:
        trip = tuple(inner.sub(loop.index, loop.start) for loop in axes)
        return (*trip, *index) if by_rows else (*index, *trip)

    def changed(block: Block) -> Block:
        out: list[Statement] = []
        for t in block.statements:
            inner = Builder(t.loc)
            match t:
                case Let() if t.var in columns:
                    if t.op is ops.ZEROS:
                        _clear(columns[t.var], t.args, (), place, inner)
                    out += inner.statements
                case Let(op=ops.LOAD) if t.args[0] in columns:
                    at = place(t.args[1:], inner)
                    out += [*inner.statements, replace(t, args=(columns[t.args[0]], *at))]
                case Store() if t.array in columns:
                    at = place(t.index, inner)
                    out += [*inner.statements, replace(t, array=columns[t.array], index=at)]
                case _:
                    out.append(with_blocks(t, changed))
        return Block(tuple(out), block.yields)

    return changed(body)


def _clear(array: Var, lengths: tuple[Value, ...], index: tuple[Value, ...], place, b: Builder) -> None:
    """Loops that fill a thread's column with zeros."""
    if not lengths:
        b.store(array, place(index, b), zero(array.type.element))
        return
    i, inner = Var("k", INT), Builder(b.loc)
    _clear(array, lengths[1:], (*index, i), place, inner)
    b.emit(For(i, integer(0), lengths[0], integer(1), (), (), inner.block(), (), b.loc, new_key()))
