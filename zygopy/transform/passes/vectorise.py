"""Marking the loops whose elementary functions may work on vectors: innermost ones whose trips are independent.

for i in range(n):                       for i in range(n):                # parallel
    total += exp(x[i])            ->         total += exp(x[i])

Array expressions come with such loops; here they are found among the user's, and among those of derivatives.
"""

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.build import integer
from zygopy.transform.ir import Block, For, Function, If, Let, Statement, Store, While, defined_inside, replace, walk
from zygopy.transform.memory import alias_classes
from zygopy.transform.passes.orient import any_order, one_trip_only
from zygopy.transform.passes.reassociate import is_free_sum

SLOW = {ops.EXP, ops.EXPM1, ops.LOG, ops.LOG1P, ops.LOGADDEXP, ops.TANH, ops.EXPIT, ops.SIN, ops.COS, ops.ERF}
SLOW |= {ops.POW}


def vectorise(function: Function) -> Function:
    """Mark loops as parallel, where that makes their functions faster."""
    return replace(function, body=_Vectors(function).block(function.body))


class _Vectors:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)
        self.facts = Facts.of(function.body)

    def block(self, block: Block) -> Block:
        return replace(block, statements=tuple(self.statement(s) for s in block.statements))

    def statement(self, s: Statement) -> Statement:
        match s:
            case For():
                if any(isinstance(t, For | While) for t in walk(s.body)):
                    return replace(s, body=self.block(s.body))
                return replace(s, parallel=s.parallel or self.may_vectorise(s))
            case While():
                return replace(s, body=self.block(s.body))
            case If():
                return replace(s, then=self.block(s.then), orelse=self.block(s.orelse))
        return s

    def may_vectorise(self, s: For) -> bool:
        """Whether trips, of functions that vectors speed up, meet in nothing but sums whose order is free."""
        slow = any(isinstance(t, Let) and t.op in SLOW for t in walk(s.body))
        if not slow or s.step != integer(1) or not any_order(s, self.aliases, self.facts):
            return False
        inside = defined_inside(s)
        stores = [t for t in walk(s.body) if isinstance(t, Store)]
        if not all(one_trip_only(t.index, t.index, s.index, inside, self.facts) for t in stores):
            return False
        return all(is_free_sum(s, k) for k in range(len(s.params)))
