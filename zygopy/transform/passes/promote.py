"""Keeping sums in registers: a loop that adds to one array element adds to a variable instead.

for j in range(n):                       total = 0.0
    a_bar[i, k] += g * b[j]              for j in range(n):
    b_bar[j] += g * a[i, k]      ->          total += g * b[j]
                                             b_bar[j] += g * a[i, k]
                                         a_bar[i, k] += total
"""

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.build import Builder, zero
from zygopy.transform.ir import (
    Block,
    Call,
    For,
    Function,
    If,
    Kernel,
    Let,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    defined_inside,
    new_key,
    replace,
    walk,
)
from zygopy.transform.memory import alias_classes, read_arrays, stored_arrays


def promote(function: Function) -> Function:
    """Move additions of adjoints to a fixed element out of loops."""
    return replace(function, body=_Promotion(function).block(function.body))


class _Promotion:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)
        self.facts = Facts.of(function.body)

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
        """The loop with its sums in variables, and the additions behind it."""
        inside = defined_inside(s)
        groups: dict[tuple, list[Store]] = {}
        for t in s.body.statements:
            if isinstance(t, Store) and t.add is ops.SUM and not inside & {t.array, *t.index}:
                groups.setdefault((t.array, t.index), []).append(t)
        after: list[Statement] = []
        for (array, index), stores in groups.items():
            if self.is_alone(array, index, s):
                s, statements = self.sum_in_variable(s, array, index, stores)
                after += statements
        before, s = self.fixed_loads(s)
        return [*before, s, *after]

    def fixed_loads(self, s: For) -> tuple[list[Statement], For]:
        """Loads of a fixed element that no store in the loop meets, moved before it: LLVM cannot tell."""
        inside = defined_inside(s)
        stores = [t for t in walk(s.body) if isinstance(t, Store)]
        filled = [out for t in walk(s.body) if isinstance(t, Kernel | Call) for out in stored_arrays(t)]
        moved: list[Let] = []
        for t in s.body.statements:
            if not (isinstance(t, Let) and t.op is ops.LOAD) or inside & set(t.args):
                continue
            near = [x for x in stores if self.aliases.may_alias(x.array, t.args[0])]
            if any(self.aliases.may_alias(out, t.args[0]) for out in filled):
                continue
            if near and all(x.array is t.args[0] and self.apart(x.index, t.args[1:]) for x in near):
                moved.append(t)
        if not moved or any(isinstance(t, While | For | If) for t in s.body.statements):
            return [], s
        body = Block(tuple(t for t in s.body.statements if t not in moved), s.body.yields)
        b = Builder(s.loc)
        outside = tuple(Var(t.var.name, t.var.type) for t in moved)
        then = Block(tuple(moved), tuple(t.var for t in moved))
        orelse = Block((), tuple(zero(t.var.type) for t in moved))
        b.emit(If(runs(s, b), then, orelse, outside, s.loc, new_key()))
        renamed = Substitution(dict(zip((t.var for t in moved), outside, strict=True)))
        return b.statements, replace(s, body=renamed.block(body))

    def is_alone(self, array: Var, index: tuple[Value, ...], loop: For) -> bool:
        """Whether nothing else in the loop touches the element."""
        for t in walk(loop.body):
            if isinstance(t, Store):
                other, at = t.array, t.index
                if other is array and at == index and t.add:
                    continue
            elif isinstance(t, Let) and t.op is ops.LOAD:
                other, at = t.args[0], t.args[1:]
            elif isinstance(t, Let) and t.op in ops.VIEWS:
                other, at = t.args[0], None
            elif isinstance(t, Kernel | Call | Push):
                if any(self.aliases.may_alias(x, array) for x in (*stored_arrays(t), *read_arrays(t))):
                    return False
                continue
            else:
                continue
            if self.aliases.may_alias(other, array) and not (other is array and self.apart(index, at)):
                return False
        return all(
            t in loop.body.statements
            for t in walk(loop.body)
            if isinstance(t, Store) and t.array is array and t.index == index
        )

    def apart(self, a: tuple[Value, ...], b: tuple[Value, ...] | None) -> bool:
        """Whether two elements differ in each trip."""
        if b is None:
            return False
        never = self.facts.never_negative
        gaps = [self.facts.affine(x) - self.facts.affine(y) for x, y in zip(a, b, strict=True)]
        return any(never(gap.shift(-1)) or never(gap.scale(-1).shift(-1)) for gap in gaps)

    def sum_in_variable(self, s: For, array: Var, index: tuple, stores: list[Store]) -> tuple[For, list[Statement]]:
        type_ = array.type.element
        param, result = Var(array.name, type_), Var(array.name, type_)
        total: Value = param
        body: list[Statement] = []
        for t in s.body.statements:
            if not any(t is store for store in stores):
                body.append(t)
                continue
            b = Builder(t.loc)
            total = b.let(ops.SUM, (total, b.cast(t.value, type_)), type_, array.name)
            body += b.statements
        new = replace(
            s,
            params=(*s.params, param),
            inits=(*s.inits, zero(type_)),
            body=Block(tuple(body), (*s.body.yields, total)),
            results=(*s.results, result),
        )
        return new, self.add_after(s, Store(array, index, result, ops.SUM, stores[0].loc))

    def add_after(self, s: For, store: Store) -> list[Statement]:
        """The addition behind the loop; only if it ran, since the element may not exist otherwise."""
        b = Builder(store.loc)
        b.emit(If(runs(s, b), Block((store,)), Block(()), (), store.loc, new_key()))
        return b.statements


def runs(s: For, b: Builder) -> Value:
    """Whether a loop has a trip."""
    forward = b.apply(ops.GT, s.step, zero(s.step.type))
    return b.select(forward, b.apply(ops.LT, s.start, s.stop), b.apply(ops.LT, s.stop, s.start))
