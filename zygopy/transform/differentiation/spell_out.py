"""Before a program is differentiated: kernels without derivatives of their own as the kernels that they stand for.

add_cholesky_adjoint(a_bar, l, l_bar)   ->   matmul(product, l.T, l_bar), two triangular systems, a loop that adds
"""

from zygopy.transform.build import Builder
from zygopy.transform.ir import Block, Function, Kernel, Statement, Value, Var, replace, with_blocks
from zygopy.transform.kernels import Matrices
from zygopy.transform.rules import KERNEL_MEANING


def spell_out(function: Function) -> Function:
    """Replace each kernel that has a meaning by it."""
    return replace(function, body=_block(function.body))


def _block(block: Block) -> Block:
    out: list[Statement] = []
    for s in block.statements:
        if isinstance(s, Kernel) and s.op in KERNEL_MEANING:
            out += _meaning(s)
        else:
            out.append(with_blocks(s, _block))
    return replace(block, statements=tuple(out))


def _meaning(s: Kernel) -> list[Statement]:
    b = Builder(s.loc)

    def shape(array: Var) -> tuple[Value, ...]:
        return tuple(b.dim(array, k) for k in range(array.type.ndim))

    KERNEL_MEANING[s.op](Matrices(b, shape), *s.outs, *s.args)
    return b.statements
