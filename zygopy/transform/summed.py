"""Products that only sums in any order read: a processor may round them once, together with the sum.

t = a * b
x_bar[i] += t          # the order of additions is free
"""

from zygopy.transform import ops
from zygopy.transform.ir import Function, Let, Statement, Store, Value, blocks, operands, walk
from zygopy.transform.types import Scalar


def products(function: Function) -> set[Value]:
    """The products of floats in a function that nothing but such sums reads."""
    found: set[Value] = set()
    others: set[Value] = set(function.body.yields)
    for s in walk(function.body):
        if isinstance(s, Let) and s.op is ops.MUL and isinstance(s.var.type, Scalar) and s.var.type.is_float:
            found.add(s.var)
        others.update(_read_as_they_are(s))
        others.update(v for block in blocks(s) for v in block.yields)
    return found - others


def _read_as_they_are(s: Statement) -> tuple[Value, ...]:
    match s:
        case Store(add=ops.SUM):
            return s.index
        case Let(op=ops.SUM):
            return ()
    return tuple(operands(s))
