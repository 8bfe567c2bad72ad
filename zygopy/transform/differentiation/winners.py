"""Searches: a loop that keeps one trip's value, such as the largest, is differentiated at that trip alone.

    m = x[0]                                 m, kept = x[0], 0
    for j in range(1, n):                    for j in range(1, n):
        if x[j] > m:               ->            if x[j] > m:
            m = x[j]                                 m, kept = x[j], j
                                             m = x[kept] if kept >= 1 else x[0]        # the derivative's way

The loop is then free of derivatives: nothing of it is taped, and it has no mirror.
"""

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Effect,
    For,
    Function,
    If,
    Let,
    Statement,
    Substitution,
    Value,
    Var,
    While,
    blocks,
    defined_inside,
    operands,
    replace,
    walk,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.types import INT, Scalar


def winners(function: Function) -> Function:
    """Take the derivative of the values that loops keep from the trips that they come from."""
    return replace(function, body=_Winners(function).block(function.body))


class _Winners:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)

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
        before: list[Statement] = []
        after: list[Statement] = []
        for k in range(len(s.params)):
            if s.step == integer(1) and (found := self.search(s, k)) is not None:
                before, s, after = before + found[0], found[1], after + found[2]
        return [*before, s, *after]

    def search(self, s: For, k: int) -> tuple[list[Statement], For, list[Statement]] | None:
        """The loop with the trip of its k-th variable, and what comes before and after; None if it is no search."""
        param = s.params[k]
        if not isinstance(param.type, Scalar) or not param.type.is_float:
            return None
        update = next((t for t in s.body.statements if s.body.yields[k] in _defined(t)), None)
        match update:
            case If():
                at = update.results.index(s.body.yields[k])
                sides = (update.then, update.orelse)
                values = tuple(side.yields[at] for side in sides)
            case Let(op=ops.SELECT):
                sides, values = (Block(()), Block(())), update.args[1:]
            case _:
                return None
        if values.count(param) != 1 or not self.only_compared(s, k, update):
            return None
        taken = values[0] is not param
        value, side = (values[0], sides[0]) if taken else (values[1], sides[1])
        trip = self.computation(s, value, side)
        if trip is None:
            return None

        kept, yielded, result = (Var(f"{param.name}_at", INT) for _ in range(3))
        choice = (s.index, kept) if taken else (kept, s.index)
        if isinstance(update, If):
            then, orelse = (replace(x, yields=(*x.yields, y)) for x, y in zip(sides, choice, strict=True))
            changed = [replace(update, then=then, orelse=orelse, results=(*update.results, yielded))]
        else:
            changed = [update, Let(yielded, ops.SELECT, (update.args[0], *choice), update.loc)]
        at = s.body.statements.index(update)
        statements = (*s.body.statements[:at], *changed, *s.body.statements[at + 1 :])
        searched, chosen = (Var(param.name, param.type) for _ in range(2))
        before, after = Builder(s.loc), Builder(s.loc)
        loop = replace(
            s,
            params=(*s.params, kept),
            inits=(*s.inits, before.sub(s.start, integer(1))),
            body=Block(statements, (*s.body.yields, yielded)),
            results=(*s.results[:k], searched, *s.results[k + 1 :], result),
        )
        again = Substitution({s.index: result}, lambda v: Var(v.name, v.type)).block(Block(tuple(trip), (value,)))
        after.if_(after.apply(ops.GE, result, s.start), again, Block((), (s.inits[k],)), (chosen,))
        after.emit(Let(s.results[k], ops.GUIDED, (searched, chosen), s.loc))
        return before.statements, loop, after.statements

    def only_compared(self, s: For, k: int, update: Statement) -> bool:
        """Whether trips do no more with the value so far than compare it and keep it."""
        param = s.params[k]
        for t in walk(s.body):
            if param in operands(t) and t is not update and not (isinstance(t, Let) and t.var.type.is_bool):
                return False
            own = [y for inner in blocks(t) for y in inner.yields]
            if own.count(param) > (t is update):
                return False
        return s.body.yields.count(param) == 0 and operands(update).count(param) == isinstance(update, Let)

    def computation(self, s: For, value: Value, side: Block) -> list[Let] | None:
        """What computes a trip's value from the index and from what is known before; None if it cannot be repeated."""
        stored = self.aliases.stored(s.body)
        inside = defined_inside(s) - {s.index}
        needed = {value} & inside
        found: list[Let] = []
        for t in reversed((*s.body.statements, *side.statements)):
            if not needed & set(_defined(t)):
                continue
            if not isinstance(t, Let) or t.op.effect is Effect.ALLOCATES:
                return None
            if t.op is ops.LOAD and self.aliases.of(t.args[0]) in stored:
                return None
            needed = (needed - {t.var}) | ({a for a in t.args if isinstance(a, Var)} & inside)
            found.append(t)
        return None if needed else found[::-1]


def _defined(s: Statement) -> tuple[Var, ...]:
    return (s.var,) if isinstance(s, Let) else s.results if isinstance(s, For | While | If) else ()
