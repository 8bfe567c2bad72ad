"""Distributing scatters: additions to neighbouring elements get a loop of their own, which vectorises.

for j in range(1, n - 1):                    row = zeros(n + 2)
    g = y_bar[j] * w[j]                      for j in range(1, n - 1):
    x_bar[j - 1] += g            ->              row[j + 1] = y_bar[j] * w[j]
    x_bar[j + 1] += g                        for j in range(0, n):
                                                 x_bar[j] += row[j + 2] + row[j]

A row is zero on both sides of what the trips wrote, so that one loop serves all neighbours on one line of the array.
"""

from dataclasses import dataclass, field

from zygopy.errors import Loc
from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Call,
    Const,
    For,
    Function,
    If,
    Kernel,
    Let,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    blocks,
    defined_inside,
    free_values,
    new_key,
    operands,
    replace,
    walk,
)
from zygopy.transform.memory import alias_classes, read_arrays, stored_arrays
from zygopy.transform.passes.orient import any_order, one_trip_only
from zygopy.transform.types import INT, Array


def distribute(function: Function) -> Function:
    """Split the additions to neighbouring elements off the innermost loops that would vectorise without them."""
    return replace(function, body=_Distribution(function).block(function.body))


@dataclass
class _Scope:
    """A loop around the place at work: what it defines, and statements to put before it."""

    inside: set[Var]
    before: list[Statement] = field(default_factory=list)


class _Distribution:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)
        self.facts = Facts.of(function.body)
        self.scopes: list[_Scope] = []

    def block(self, block: Block) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            match s:
                case For():
                    self.scopes.append(_Scope(defined_inside(s)))
                    s = replace(s, body=self.block(s.body))
                    scope = self.scopes.pop()
                    out += [*scope.before, *self.loop(s)]
                case While():
                    out.append(replace(s, body=self.block(s.body)))
                case If():
                    out.append(replace(s, then=self.block(s.then), orelse=self.block(s.orelse)))
                case _:
                    out.append(s)
        return replace(block, statements=tuple(out))

    def loop(self, s: For) -> list[Statement]:
        scattered = self.scattered(s)
        if not scattered:
            return [s]
        rest = replace(s, body=Block(tuple(t for t in s.body.statements if t not in scattered), s.body.yields))
        if not all(self.is_free_sum(rest, k) for k in range(len(rest.params))) or not any_order(
            rest, self.aliases, self.facts
        ):
            return [s]
        sweeps = self.sweeps(s, scattered)
        margin = max(sweep.last - sweep.first for sweep in sweeps)
        b = Builder(s.loc)
        low = b.add(s.stop, integer(1)) if s.step.value < 0 else s.start
        high = b.add(s.start, integer(1)) if s.step.value < 0 else s.stop
        rows: dict[Value, Var] = {}
        for t in scattered:
            if t.value not in rows:
                rows[t.value] = self.row(s, t, margin, b.statements)
        keep = Builder(s.loc)
        for value, row in rows.items():
            keep.store(row, (keep.add(keep.sub(s.index, low), integer(margin)),), value)
        body = Block((*rest.body.statements, *keep.statements), rest.body.yields)
        b.emit(replace(s, start=low, stop=high, step=integer(1), body=body))
        after = Builder(s.loc)
        for sweep in sweeps:
            sweep.write(s, rows, low, high, margin, self.facts, after)
        if margin:
            b.if_(b.apply(ops.LT, low, high), after.block(), Block(()), ())
        else:
            b.statements += after.statements
        return b.statements

    def sweeps(self, s: For, scattered: list[Store]) -> list["_Sweep"]:
        """The additions by array, where they move along one axis with the index; others alone."""
        found: dict[tuple, _Sweep] = {}
        for t in scattered:
            forms = tuple(self.facts.affine(i) for i in t.index)
            moving = [k for k, form in enumerate(forms) if form.coefficient(s.index)]
            distance, key = 0, (t.array, forms, t.value)
            if len(moving) == 1 and forms[moving[0]].coefficient(s.index) == 1:
                distance = forms[moving[0]].constant
                forms = tuple(form.shift(-distance) if k == moving[0] else form for k, form in enumerate(forms))
                key = (t.array, moving[0], forms[moving[0]])
            sweep = found.setdefault(key, _Sweep(t.array, t.loc))
            sweep.lines.setdefault(forms, []).append((distance, t.value))
        return list(found.values())

    @staticmethod
    def is_free_sum(s: For, k: int) -> bool:
        """Whether a variable of the loop is one sum of adjoints, which may be added in any order, as vectors do."""
        chain = {s.params[k]}
        for t in s.body.statements:
            if chain & set(operands(t)):
                if not (isinstance(t, Let) and t.op is ops.SUM):
                    return False
                chain.add(t.var)
            elif any(chain & free_values(inner).keys() for inner in blocks(t)):
                return False
        return s.body.yields[k] in chain

    def scattered(self, s: For) -> list[Store]:
        """The additions of a loop to elements that other trips add to as well."""
        if not (isinstance(s.step, Const) and abs(s.step.value) == 1):
            return []
        adds = [t for t in s.body.statements if isinstance(t, Store) and t.add is ops.SUM]
        if len(adds) != sum(isinstance(t, Store) and t.add is ops.SUM for t in walk(s.body)):
            return []
        found, inside = [], defined_inside(s)
        for array in dict.fromkeys(t.array for t in adds):
            mine = [t for t in adds if t.array is array]
            if any(self.touches(t, array) for t in walk(s.body) if t not in mine):
                continue
            if not all(self.moves(t, s) for t in mine):
                continue
            if any(not one_trip_only(x.index, y.index, s.index, inside, self.facts) for x in mine for y in mine):
                found += mine
        return found

    def touches(self, t: Statement, array: Var) -> bool:
        """Whether a statement reads or writes what may be the array's memory."""
        if isinstance(t, Store):
            return self.aliases.may_alias(t.array, array)
        if isinstance(t, Kernel | Call | Push):
            return any(self.aliases.may_alias(x, array) for x in (*stored_arrays(t), *read_arrays(t)))
        return isinstance(t, Let) and t.op in (ops.LOAD, *ops.VIEWS) and self.aliases.may_alias(t.args[0], array)

    def moves(self, t: Store, s: For) -> bool:
        """Whether an element moves with the loop, by sums that can be computed again."""
        forms = [self.facts.affine(i) for i in t.index]
        inside = defined_inside(s)
        fixed = all(symbol is s.index or symbol not in inside for form in forms for symbol, _ in form.terms)
        return fixed and any(form.coefficient(s.index) for form in forms)

    def row(self, s: For, t: Store, margin: int, own: list[Statement]) -> Var:
        """A buffer for one value of each trip, made before the outermost loop where its length is known."""
        ends = [v for v in (s.start, s.stop) if isinstance(v, Var)]
        target: list[Statement] | None = None
        for scope in self.scopes:
            if not any(v in scope.inside for v in ends):
                target = scope.before
                break
        b = Builder(s.loc)
        span = b.sub(s.stop, s.start) if s.step.value > 0 else b.sub(s.start, s.stop)
        length = b.add(b.apply(ops.INT_MAX, span, integer(0)), integer(2 * margin))
        row = b.let(ops.ZEROS if margin else ops.SCRATCH, (length,), Array(t.value.type.dtype, 1), "row")
        (own if target is None else target).extend(b.statements)
        return row


@dataclass(eq=False)
class _Sweep:
    """Additions to lines of an array: by the forms of the element that moves with the loop, distances and values."""

    array: Var
    loc: Loc
    lines: dict[tuple[Affine, ...], list[tuple[int, Value]]] = field(default_factory=dict)

    @property
    def first(self) -> int:
        return min(distance for terms in self.lines.values() for distance, _ in terms)

    @property
    def last(self) -> int:
        return max(distance for terms in self.lines.values() for distance, _ in terms)

    def write(
        self, s: For, rows: dict[Value, Var], low: Value, high: Value, margin: int, facts: Facts, b: Builder
    ) -> None:
        """Write a loop for each line, over all elements between the first and the last one that is added to.

        One loop for all lines would not vectorise: LLVM cannot tell the lines of one array apart.
        """
        alone = self.first == self.last  # then the loop runs over the trips, else over the elements
        b.loc = self.loc
        start = low if alone else b.add(low, integer(self.first))
        stop = high if alone else b.add(high, integer(self.last))
        for forms, terms in self.lines.items():
            index = Var(s.index.name, INT)
            element = Affine(self.first if alone else 0, ((index, 1),))
            inner = Builder(self.loc)
            total: Value | None = None
            for distance, value in terms:
                shift = margin - (0 if alone else distance)
                term = inner.load(rows[value], (inner.add(inner.sub(index, low), integer(shift)),))
                term = inner.cast(term, self.array.type.element)
                total = term if total is None else inner.let(ops.SUM, (total, term), term.type)
            at = tuple(facts.write(form.substitute(s.index, element), inner) for form in forms)
            inner.store(self.array, at, total, ops.SUM)
            b.emit(For(index, start, stop, integer(1), (), (), inner.block(), (), self.loc, new_key()))
