"""Memory that trips use one after the other becomes memory of each trip, where trips are independent then.

t = np.empty(m)                          for i in range(n):
for i in range(n):                           t = np.empty(m)
    for j in range(m):            ->         for j in range(m):
        t[j] = x[i, j] * w                       t[j] = x[i, j] * w

One after the other, trips share memory that stays in a cache; threads cannot. Loops that ran downwards for that run
upwards.
"""

from zygopy.transform import ops
from zygopy.transform.gpu.grid import Grid
from zygopy.transform.ir import (
    Block,
    For,
    Function,
    If,
    Let,
    Statement,
    Var,
    While,
    defined,
    defined_inside,
    free_values,
    replace,
    with_blocks,
)
from zygopy.transform.passes.jam import fills_before_reading
from zygopy.transform.passes.orient import may_turn, turned


def sink(function: Function) -> Function:
    """Move allocations into the loops that alone use them, and that threads can share out then."""
    grid = Grid(function)

    def visit(block: Block) -> Block:
        out: list[Statement] = list(block.statements)
        for k, s in enumerate(out):
            if isinstance(s, For) and not grid.axes(s):
                made = [t for t in out[:k] if isinstance(t, Let) and t.op in (ops.EMPTY, ops.SCRATCH)]
                rest = Block((*out[:k], *out[k + 1 :]), block.yields)
                alone = [t for t in made if not _reads(rest, t.var) and fills_before_reading(function, t.var, s)]
                lets = [t for t in alone if not defined_inside(s) & set(t.args)]
                loop = replace(s, body=Block((*lets, *s.body.statements), s.body.yields))
                found = turned(loop) if may_turn(loop) else [loop]
                if lets and grid.axes(found[-1]):
                    before, behind = ([t for t in part if t not in lets] for part in (out[:k], out[k + 1 :]))
                    return visit(Block((*before, *found, *behind), block.yields))
        return Block(tuple(inside(s) for s in out), block.yields)

    def inside(s: Statement) -> Statement:
        nested = isinstance(s, For | While | If) and not grid.axes(s)
        return with_blocks(s, visit) if nested else s

    return replace(function, body=visit(function.body))


def _reads(block: Block, var: Var) -> bool:
    """Whether a block uses an array that it makes itself."""
    kept = [t for t in block.statements if var not in defined(t)]
    return var in free_values(Block(tuple(kept), block.yields))
