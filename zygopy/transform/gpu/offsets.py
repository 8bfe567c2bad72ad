"""Elements of contiguous arrays by their offset from the first one, in kernels: x[i, j] becomes x[i * m + j]."""

from collections.abc import Callable

from zygopy.transform import ops
from zygopy.transform.build import Builder
from zygopy.transform.ir import Block, Let, Statement, Store, Value, Var, replace, with_blocks
from zygopy.transform.types import Array


def offsets(body: Block, length: Callable[[Var, int], Value]) -> tuple[Block, dict[Var, Var]]:
    """The body with flat arrays, and the flat array for each; `length` gives the length of an axis of an array."""
    flat: dict[Var, Var] = {}

    def at(array: Var, index: tuple[Value, ...], b: Builder) -> tuple[Var, tuple[Value, ...]]:
        if array.type.layout != "C" or array.type.ndim == 1:
            return array, index
        offset = index[0]
        for axis, i in enumerate(index[1:], 1):
            offset = b.add(b.mul(offset, length(array, axis)), i)
        return flat.setdefault(array, Var(array.name, Array(array.type.dtype, 1))), (offset,)

    def changed(block: Block) -> Block:
        out: list[Statement] = []
        for t in block.statements:
            b = Builder(t.loc)
            match t:
                case Let(op=ops.LOAD):
                    array, index = at(t.args[0], t.args[1:], b)
                    out += [*b.statements, replace(t, args=(array, *index))]
                case Store():
                    array, index = at(t.array, t.index, b)
                    out += [*b.statements, replace(t, array=array, index=index)]
                case _:
                    out.append(with_blocks(t, changed))
        return Block(tuple(out), block.yields)

    return changed(body), flat
