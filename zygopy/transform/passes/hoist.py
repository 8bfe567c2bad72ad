"""Moving what does not change in a loop before it.

for j in range(n):                   t = m - 1
    for k in range(m - 1):    ->     for j in range(n):
        ...                              for k in range(t):
"""

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Call,
    Const,
    For,
    Function,
    If,
    Let,
    Op,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    defined,
    defined_inside,
    leaves,
    operands,
    replace,
    walk,
    within,
)
from zygopy.transform.kernels import Matrices
from zygopy.transform.memory import alias_classes, stored_arrays
from zygopy.transform.types import Array

_MADE = {ops.EMPTY, ops.ZEROS}


def hoist(function: Function) -> Function:
    """Move cheap numbers, and memory that each trip fills anew, out of the for loops in which they do not change."""
    return replace(function, body=_Hoisting(function, memory=True).block(function.body))


def hoist_numbers(function: Function) -> Function:
    """Move cheap numbers only, so that it shows which memory each trip has of its own."""
    return replace(function, body=_Hoisting(function, memory=False).block(function.body))


class _Hoisting:
    def __init__(self, function: Function, memory: bool):
        self.memory = memory
        self.aliases = alias_classes(function.body)
        self.facts = Facts.of(function.body)
        self.definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        handed_on = [v for v in leaves(function.results) if isinstance(v, Var)]
        for s in walk(function.body):
            if isinstance(s, For | While | If):
                handed_on += defined(s)
            elif isinstance(s, Call | Push):  # records keep them
                handed_on += [v for v in operands(s) if isinstance(v, Var)]
        self.handed_on = {self.aliases.of(v) for v in handed_on if isinstance(v.type, Array)}

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case For():
                    out += self.loop(replace(s, body=self.block(s.body)))
                case While():
                    out.append(replace(s, body=self.block(s.body)))
                case If():
                    out.append(replace(s, then=self.block(s.then), orelse=self.block(s.orelse)))
                case _:
                    out.append(s)
        return replace(block, statements=tuple(out))

    def loop(self, s: For) -> list[Statement]:
        inside = defined_inside(s)
        moved: list[Statement] = []
        kept: list[Statement] = []
        for t in s.body.statements:
            fixed = isinstance(t, Let) and not any(a in inside for a in t.args if isinstance(a, Var))
            if fixed and (ops.is_movable(t) or (self.memory and self.stays_in_trip(t))):
                inside.discard(t.var)
                alike = t.op is ops.ZEROS and self.is_filled_alike(s, t.var)
                moved += self.with_possible_shape(t, ops.ZEROS if alike else ops.EMPTY) if t.op in _MADE else [t]
                if t.op is ops.ZEROS and not alike:
                    kept += _cleared(t)
            else:
                kept.append(t)
        return [*moved, replace(s, body=replace(s.body, statements=tuple(kept)))]

    def is_filled_alike(self, s: For, array: Var) -> bool:
        """Whether each trip stores to the same elements of an array, and reads none before: the others stay zero."""
        inside, behind = defined_inside(s), False
        for t in s.body.statements:
            if self.touches(t, array):
                behind = behind or not self.only_stores(t, array, inside)
                if behind and any(self.may_alias(a, array) for u in within(t) for a in stored_arrays(u)):
                    return False
        return True

    def only_stores(self, t: Statement, array: Var, inside: set[Var]) -> bool:
        """Whether a statement does nothing to an array but to store to elements that are the same each time it runs."""
        match t:
            case Store() if t.array is array and t.add is None and not self.may_alias(t.value, array):
                return all(self.is_fixed(i, inside) for i in t.index)
            case For() if not any(self.may_alias(v, array) for v in operands(t)):
                nest = inside - {t.index}
                bounds = all(self.is_fixed(v, inside) for v in (t.start, t.stop, t.step))
                return bounds and all(self.only_stores(u, array, nest) for u in t.body.statements)
        return not self.touches(t, array)

    def is_fixed(self, value: Value, inside: set[Var]) -> bool:
        return not any(symbol in inside for symbol, _ in self.facts.affine(value).terms)

    def touches(self, t: Statement, array: Var) -> bool:
        return any(self.may_alias(v, array) for u in within(t) for v in (*operands(u), *stored_arrays(u)))

    def may_alias(self, value: Value, array: Var) -> bool:
        return isinstance(value, Var) and isinstance(value.type, Array) and self.aliases.may_alias(value, array)

    def with_possible_shape(self, t: Let, op: Op) -> list[Let]:
        """An allocation that does no harm where the loop does not run, whose lengths may be negative there."""
        b = Builder(t.loc)
        args = []
        for n in t.args:
            let = self.definitions.get(n) if isinstance(n, Var) else None
            sure = isinstance(n, Const) or (let is not None and let.op in (ops.DIM, ops.INT_MAX))
            args.append(n if sure else b.apply(ops.INT_MAX, n, integer(0)))
        return [*(s for s in b.statements if isinstance(s, Let)), replace(t, op=op, args=tuple(args))]

    def stays_in_trip(self, t: Let) -> bool:
        """Whether an array is used in the trip only that makes it."""
        if t.op in (ops.SCRATCH, ops.NEW_STACK):  # a trip reads what it wrote itself, and pops what it pushed
            return True
        return t.op in _MADE and self.aliases.of(t.var) not in self.handed_on


def _cleared(t: Let) -> list[Statement]:
    """Loops that make an array of zeros what it was when it was made."""
    b = Builder(t.loc)
    Matrices(b, lambda array: ()).clear(t.var, t.args)
    return b.statements
