"""Settling: the values of operations that were there for their derivatives, once nothing differentiates any more.

y = guided(y0, x)                           z = y0 * 2.0
z = y * 2.0                      ->         w = y0[0]
y = np.empty(n); f(y; y0, x)
w = y[0]
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder
from zygopy.transform.ir import (
    Block,
    Effect,
    Function,
    Kernel,
    Let,
    Statement,
    Substitution,
    Value,
    Var,
    blocks,
    map_leaves,
    replace,
    walk,
    with_blocks,
)
from zygopy.transform.kernels import Matrices


def settle(function: Function, once: bool = False) -> Function:
    """Take the values of guided operations and of tied arrays; `once`: only where rules are for one derivative."""
    settling = _Settling(function, once)
    body = settling.without(settling.values.block(function.body))
    return replace(function, body=body, results=map_leaves(settling.values.value, function.results))


def share_again(function: Function) -> Function:
    """Let numbers that were computed again on purpose be the numbers that they are: `ops.AGAIN` has kept them apart."""
    values = Substitution({})

    def visit(block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            if isinstance(s, Let) and s.op is ops.AGAIN:
                values.values[s.var] = values.value(s.args[0])
            else:
                out.append(with_blocks(s, visit))
        return replace(block, statements=tuple(out))

    body = values.block(visit(function.body))
    return replace(function, body=body, results=map_leaves(values.value, function.results))


class _Settling:
    def __init__(self, function: Function, once: bool):
        self.once = once
        self.values = Substitution({})
        self.gone: set[Var] = set()
        self.places: dict[Var, tuple[int, int]] = {}  # the block of a definition, and its position there
        self.shapes: dict[Var, tuple[Value, ...]] = {}  # of arrays that are made
        self._index(function.body)
        for s in walk(function.body):
            if isinstance(s, Let) and isinstance(s.op, ops.Guided) and not once:
                self._take(s.var, s.args[0])
            elif self._settles(s):
                for out, value in zip(s.outs, s.args, strict=False):
                    if self._is_made_later(out, self.values.value(value)):
                        self._take(out, value)

    def _settles(self, s: Statement) -> bool:
        return isinstance(s, Kernel) and isinstance(s.op, ops.Tied) and (s.op.once or not self.once)

    def _index(self, block: Block) -> None:
        for k, s in enumerate(block.statements):
            if isinstance(s, Let):
                self.places[s.var] = (id(block), k)
                self.shapes |= {s.var: s.args} if s.op.effect is Effect.ALLOCATES else {}
            for inner in blocks(s):
                self._index(inner)

    def _is_made_later(self, out: Var, value: Value) -> bool:
        """Whether an array may be another one from its start on: that one is made before it, in the same block."""
        (block, at), (other, before) = self.places.get(out, (0, 0)), self.places.get(value, (1, 0))
        return block == other and before < at

    def _take(self, var: Var, value: Value) -> None:
        self.values.values[var] = self.values.value(value)
        self.gone.add(var)

    def without(self, block: Block) -> Block:
        """A block without the operations; arrays that cannot be other ones are copies of these."""
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case Let() if s.var in self.gone:
                    continue
                case Kernel() if self._settles(s):
                    copying = Builder(s.loc)
                    for target, source in zip(s.outs, s.args, strict=False):
                        if target is not source:
                            dims = (copying.dim(target, k) for k in range(target.type.ndim))
                            shape = tuple(map(self.values.value, self.shapes.get(source) or dims))
                            Matrices(copying, lambda array: ()).copy(target, source, shape)
                    out += copying.statements
                    continue
            out.append(with_blocks(s, self.without))
        return replace(block, statements=tuple(out))
