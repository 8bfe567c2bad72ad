"""Sharing memory: a tape that a loop reads for the last time, and the array that the same trips fill.

tape = scratch(n)                        x_bar = np.empty(n)
for i in range(n):                       for i in range(n):
    tape[i] = ...                            x_bar[i] = ...
x_bar = np.empty(n)           ->         for i in range(n):
for i in range(n):                           x_bar[i] = g * x_bar[i]
    x_bar[i] = g * tape[i]
"""

from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import (
    Block,
    Const,
    For,
    Function,
    Let,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    block_params,
    blocks,
    defined,
    operands,
    param_vars,
    replace,
    walk,
    within,
)


def share(function: Function) -> Function:
    """Give tapes the memory of the arrays that are filled where the tapes are read."""
    definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
    users: dict[Value, int] = {}
    for s in walk(function.body):
        for v in {*operands(s), *(y for block in blocks(s) for y in block.yields)}:
            users[v] = users.get(v, 0) + 1
    block = function.body
    for let in block.statements:
        if isinstance(let, Let) and let.op is ops.EMPTY:
            block = _shared(block, let, definitions, users, set(param_vars(function)))
    return replace(function, body=block)


def _shared(block: Block, new: Let, definitions: dict[Var, Let], users: dict[Value, int], known: set[Var]) -> Block:
    """The block with `new` made early, as the tape that the first loop using it reads, where there is such a tape."""
    statements = list(block.statements)
    at = statements.index(new)
    loop = next((s for s in statements[at + 1 :] if _touches(s, new.var)), None)
    if not isinstance(loop, For):
        return block
    for k, s in enumerate(statements[:at]):
        if not (isinstance(s, Let) and s.op is ops.SCRATCH and s.var.type.dtype == new.var.type.dtype):
            continue
        before = known | {v for t in statements[:k] for v in (*defined(t), *block_params(t))}
        if not _same_shape(s, new, definitions) or not all(isinstance(n, Const) or n in before for n in new.args):
            continue
        uses = [t for t in walk(Block(tuple(statements))) if s.var in operands(t)]
        plain = all(isinstance(t, Store) or (isinstance(t, Let) and t.op is ops.LOAD) for t in uses)
        if not plain or len(uses) != users.get(s.var, 0):
            continue
        if any(_touches(t, s.var) for t in statements[statements.index(loop) + 1 :]) or not _read_first(loop, s, new):
            continue
        statements[k] = new
        del statements[at]
        return Substitution({s.var: new.var}).block(Block(tuple(statements), block.yields))
    return block


def _touches(s: Statement, array: Var) -> bool:
    return any(array in operands(t) for t in within(s))


def _same_shape(tape: Let, new: Let, definitions: dict[Var, Let]) -> bool:
    def length(n: Value) -> Value:
        let = definitions.get(n) if isinstance(n, Var) else None
        if let is not None and let.op is ops.INT_MAX and let.args[1] == integer(0):
            inner = definitions.get(let.args[0])
            return let.args[0] if inner is not None and inner.op is ops.DIM else n
        return n

    return [length(n) for n in tape.args] == [length(n) for n in new.args]


def _read_first(loop: For, tape: Let, new: Let) -> bool:
    """Whether a nest only reads the tape, and each element before it stores into that of the new array."""
    indices: list[Var] = []
    block = Block((loop,))
    while True:
        inner = [s for s in block.statements if _touches(s, tape.var) or _touches(s, new.var)]
        if len(inner) == 1 and isinstance(inner[0], For):
            indices.append(inner[0].index)
            block = inner[0].body
            continue
        break
    if len(indices) != len(new.args) or not all(isinstance(s, Let | Store) for s in inner):
        return False
    stored = False
    for s in inner:
        if isinstance(s, Let):
            if s.args[0] is not tape.var or stored:
                return False
            at = s.args[1:]
        else:
            if s.array is not new.var or s.add is not None:
                return False
            at, stored = s.index, True
        if set(at) != set(indices) or len(set(at)) != len(at):
            return False
    first = next(s for s in inner if isinstance(s, Store))
    return all((s.args[1:] if isinstance(s, Let) else s.index) == first.index for s in inner)
