"""Strips: loops around loops, in which elementary functions of single numbers come to stand in loops of their own.

    for i in range(n):                           for block in range(0, n, 64):
        z = 0.0                                      end = min(block + 64, n)
        for j in range(m):                           for i in range(block, end):
            z += x[i, j] * w[j]         ->               z = 0.0
        total += exp(z)                                  for j in range(m):
                                                             z += x[i, j] * w[j]
                                                         row[i - block] = z
                                                     for i in range(block, end):          # vectorises
                                                         total += exp(row[i - block])

This is loop distribution with scalar expansion (Allen & Kennedy, "Optimizing Compilers for Modern Architectures", 2001,
sections 2.4 and 5.3), for loops whose trips are independent. What the loops of a strip share stays in fast memory.
"""

from dataclasses import dataclass, field, replace

from zygopy.transform import ops
from zygopy.transform.affine import Facts
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
    defined,
    defined_inside,
    free_values,
    new_key,
    operands,
    walk,
)
from zygopy.transform.memory import AliasClasses
from zygopy.transform.orient import any_order
from zygopy.transform.reassociate import Sum, carried_sum, is_free_sum
from zygopy.transform.types import INT, Array
from zygopy.transform.vectorise import SLOW

STRIP = 64  # trips


def strips(function: Function) -> Function:
    """Split the loops whose elementary functions could work on vectors, were there no loop beside them."""
    return replace(function, body=_Strips(function).function(function.body))


@dataclass(eq=False)
class _Group:
    """Statements that get a loop of their own: one inner loop with what it needs, or none."""

    loops: bool
    statements: list[Statement] = field(default_factory=list)


class _Strips:
    def __init__(self, function: Function):
        self.aliases = AliasClasses(function.body)
        self.facts = Facts()
        self.rows: list[Statement] = []
        for s in walk(function.body):
            if isinstance(s, Let):
                self.facts.definitions[s.var] = s

    def function(self, body: Block) -> Block:
        out: list[Statement] = []
        for s in body.statements:
            found = self.statement(s)
            out += [*self.rows, *found]
            self.rows.clear()
        return Block(tuple(out), body.yields)

    def block(self, block: Block) -> Block:
        return Block(tuple(t for s in block.statements for t in self.statement(s)), block.yields)

    def statement(self, s: Statement) -> list[Statement]:
        match s:
            case For() if self.is_candidate(s) and (sums := _sums(s)) is not None:
                groups = self.groups(s, _partial(sums))
                return self.split(s, groups, sums) if len(groups) > 1 else [s]
            case For() | While():
                return [replace(s, body=self.block(s.body))]
            case If():
                return [replace(s, then=self.block(s.then), orelse=self.block(s.orelse))]
        return [s]

    def is_candidate(self, s: For) -> bool:
        """Whether functions stand beside an inner loop, and trips are independent."""
        loops = any(isinstance(t, For) for t in s.body.statements)
        slow = any(_is_slow(t) for t in s.body.statements if not isinstance(t, For))
        nested = any(isinstance(t, For) for u in s.body.statements if isinstance(u, If) for t in walk(Block((u,))))
        return loops and slow and not nested and s.step == integer(1) and any_order(s, self.aliases, self.facts)

    def groups(self, s: For, partial: set[Value]) -> list[_Group]:
        """The loop's statements in groups, each as early as what it reads allows; partial sums do not count as read."""
        stored = self.aliases.stored(s.body.statements)
        found: list[_Group] = []
        place: dict[Value, int] = {}
        for t in s.body.statements:
            reads = (set(operands(t)) | {v for inner in blocks(t) for v in free_values(inner)}) - partial
            after = max((place[v] for v in reads if v in place), default=-1)
            moves = not any(_has_effect(u) or self.loads(u, stored) for u in walk(Block((t,))))
            if isinstance(t, For):
                found.append(_Group(True))
                at = len(found) - 1
            else:
                first = max(after if moves else len(found) - 1, 0)
                at = next((k for k in range(first, len(found)) if not found[k].loops), len(found))
                if at == len(found):
                    found.append(_Group(False))
            found[at].statements.append(t)
            place.update(dict.fromkeys(defined(t), at))
        return _joined(found)

    def loads(self, t: Statement, stored: set[Var]) -> bool:
        return isinstance(t, Let) and t.op is ops.LOAD and self.aliases.of(t.args[0]) in stored

    def split(self, s: For, groups: list[_Group], sums: list[Sum]) -> list[Statement]:
        """A loop over strips, and in it a loop for each group."""
        start = Var(f"{s.index.name}_block", INT)
        b = Builder(s.loc)
        end = b.apply(ops.INT_MIN, b.add(start, integer(STRIP)), s.stop)
        params = [Var(p.name, p.type) for p in s.params]
        totals: list[Value] = list(params)
        partial = _partial(sums)
        made = {v: g for g in groups for t in g.statements for v in defined(t)}
        rows: dict[Var, Var] = {}
        stored = self.aliases.stored(s.body.statements)
        for g in groups:
            block = Block(tuple(g.statements))
            index = Var(s.index.name, INT)
            known: dict[Var, Value] = {s.index: index}
            read = Builder(s.loc)
            at = read.sub(index, start)
            for v in free_values(block):
                if v not in made or made[v] is g or v in partial:
                    continue
                if (lets := self.again(v, s, stored)) is not None:
                    copy = Substitution({s.index: index}, lambda v: Var(v.name, v.type)).block(Block(tuple(lets), (v,)))
                    read.statements += copy.statements
                    known[v] = copy.yields[0]
                else:
                    row = rows.get(v) or rows.setdefault(v, self.row(s, v))
                    known[v] = read.load(row, (at,), v.name)
            own, inits, yields, results = [], [], [], []
            for k, total in enumerate(sums):
                steps = [(before, after) for t, before, after in total.steps if t in g.statements]
                if steps:
                    own.append(Var(s.params[k].name, s.params[k].type))
                    inits.append(totals[k])
                    totals[k] = Var(s.params[k].name, s.params[k].type)
                    results.append(totals[k])
                    value: Value = own[-1]
                    for before, after in steps:
                        known[before] = value
                        value = after
                    yields.append(value)
            block = Substitution(known).block(block)
            body = Block((*read.statements, *block.statements), tuple(yields))
            b.emit(
                For(
                    index,
                    start,
                    end,
                    integer(1),
                    tuple(own),
                    tuple(inits),
                    body,
                    tuple(results),
                    s.loc,
                    new_key(),
                    short=True,
                )
            )
        body = Block(tuple(self.with_stores(b.statements, rows, s, start)), tuple(totals))
        return [For(start, s.start, s.stop, integer(STRIP), tuple(params), s.inits, body, s.results, s.loc, s.key)]

    def with_stores(self, statements: list[Statement], rows: dict[Var, Var], s: For, start: Var) -> list[Statement]:
        """The loops of the groups, which now keep what others read."""
        out: list[Statement] = []
        for loop in statements:
            if isinstance(loop, For):
                keep = Builder(s.loc)
                for t in loop.body.statements:
                    for v in defined(t):
                        if v in rows:
                            keep.store(rows[v], (keep.sub(loop.index, start),), v)
                loop = replace(loop, body=Block((*loop.body.statements, *keep.statements), loop.body.yields))
            out.append(loop)
        return out

    def again(self, v: Value, s: For, stored: set[Var], depth: int = 4) -> list[Let] | None:
        """The cheap operations that compute a value of a trip from the index; None if it is better kept."""
        let = next((t for t in s.body.statements if isinstance(t, Let) and t.var is v), None)
        if v is s.index or not isinstance(v, Var) or (let is None and v not in defined_inside(s)):
            return []
        if let is None or depth == 0 or not let.op.cheap or _has_effect(let) or self.loads(let, stored):
            return None
        parts = [self.again(a, s, stored, depth - 1) for a in let.args]
        return None if None in parts else [*dict.fromkeys(t for part in parts for t in part), let]

    def row(self, s: For, v: Var) -> Var:
        b = Builder(s.loc)
        row = b.let(ops.SCRATCH, (integer(STRIP),), Array(v.type.dtype, 1), "row")
        self.rows += b.statements
        return row


def _is_slow(t: Statement) -> bool:
    return any(isinstance(u, Let) and u.op in SLOW for u in walk(Block((t,))))


def _has_effect(t: Statement) -> bool:
    return not isinstance(t, Let | If) or (isinstance(t, Let) and t.op.effect is Effect.ALLOCATES)


def _partial(sums: list[Sum]) -> set[Value]:
    return {v for total in sums for _, before, after in total.steps for v in (before, after)}


def _joined(groups: list[_Group]) -> list[_Group]:
    """The groups, those without functions joined to the ones behind them."""
    out: list[_Group] = []
    waiting: list[Statement] = []
    for g in groups:
        g.statements[:0] = waiting
        waiting = []
        if not g.loops and not any(map(_is_slow, g.statements)):
            waiting = g.statements
        else:
            out.append(g)
    if waiting:
        out[-1].statements += waiting
    return out


def _sums(s: For) -> list[Sum] | None:
    """What becomes of each variable of a loop; None if one is not a sum in any order."""
    found = [carried_sum(p, k, s.body) if is_free_sum(s, k) else None for k, p in enumerate(s.params)]
    return None if None in found else found


__all__ = ["strips"]
