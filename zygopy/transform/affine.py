"""Index arithmetic: integers as sums of variables with constant coefficients, and what loop ranges prove about them.

The questions it answers: is `i + 1 < n` for each trip of the loops around it; can two accesses meet.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from zygopy.transform import ops
from zygopy.transform.ir import Block, Const, For, Let, Value, Var, walk
from zygopy.transform.types import Array

if TYPE_CHECKING:
    from zygopy.transform.build import Builder


class Affine(NamedTuple):
    """constant + sum of coefficient * symbol."""

    constant: int = 0
    terms: tuple[tuple[Var, int], ...] = ()

    def __add__(self, other: "Affine") -> "Affine":  # type: ignore[override]  # of tuples
        if not other.terms:
            return self.shift(other.constant)
        terms = dict(self.terms)
        for symbol, coefficient in other.terms:
            terms[symbol] = terms.get(symbol, 0) + coefficient
        return Affine(self.constant + other.constant, tuple((s, c) for s, c in terms.items() if c))

    def __sub__(self, other: "Affine") -> "Affine":
        return self + other.scale(-1)

    def scale(self, factor: int) -> "Affine":
        return Affine(self.constant * factor, tuple((s, c * factor) for s, c in self.terms) if factor else ())

    def shift(self, amount: int) -> "Affine":
        return Affine(self.constant + amount, self.terms) if amount else self

    def coefficient(self, symbol: Var) -> int:
        return dict(self.terms).get(symbol, 0)

    def substitute(self, symbol: Var, by: "Affine") -> "Affine":
        coefficient = self.coefficient(symbol)
        rest = Affine(self.constant, tuple((s, c) for s, c in self.terms if s is not symbol))
        return rest + by.scale(coefficient)


@dataclass
class Facts:
    """What is known of integer variables: their definitions, and the ranges of loop indices."""

    definitions: dict[Var, Let] = field(default_factory=dict)
    ranges: dict[Var, tuple[Value, Value, Value]] = field(default_factory=dict)  # start, stop, step
    shapes: dict[Var, tuple[Value, ...]] = field(default_factory=dict)  # of arrays
    assumed: list[list[tuple[Affine, ...]]] = field(default_factory=list)  # per block: see `assume`
    counts: set[Var] = field(default_factory=set)  # numbers of which somebody else knows that they are 0 or more
    equal: list[dict] = field(default_factory=lambda: [{}])  # per block: see `assume_equal`

    sharing: bool = False  # whether equal expressions are found; `equal` then holds the first variable of each

    @classmethod
    def of(cls, body: Block) -> "Facts":
        """What the definitions and the loops of a program tell."""
        facts = cls()
        for s in walk(body):
            if isinstance(s, Let):
                facts.definitions[s.var] = s
            elif isinstance(s, For):
                facts.ranges[s.index] = (s.start, s.stop, s.step)
        return facts

    def assume(self, *alternatives: Affine, depth: int = -1) -> None:
        """One of the forms is 0 or more, from here to the end of the block at `depth`: a test has found it."""
        known = self.assumed[: depth + 1] if depth >= 0 else self.assumed
        if not any(alternatives in block for block in known):
            self.assumed[depth].append(alternatives)

    def assume_equal(self, symbol: Var, form: Affine, depth: int = -1) -> None:
        """A symbol equals a form without it, from here to the end of the block at `depth`: a test has found it."""
        self.equal[depth][symbol] = form

    def take_as_zero(self, gap: Affine, rank: Callable[[Var], int] = lambda symbol: 0, depth: int = -1) -> None:
        """A form is 0, from here to the end of the block at `depth`: the symbol of highest rank gives way."""
        candidates = [
            (rank(symbol), k, symbol, rest)
            for k, (symbol, c) in enumerate(gap.terms)
            if abs(c) == 1 and not self.rests_on(rest := gap.substitute(symbol, Affine()), symbol)
        ]
        if candidates:
            _, _, symbol, rest = max(candidates, key=lambda found: found[:2])
            self.assume_equal(symbol, rest.scale(-gap.coefficient(symbol)), depth)

    def expected(self, value: Value) -> int | None:
        """What an integer was in the call that the code is made for, where it follows from lengths of arguments."""
        if isinstance(value, Const):
            return int(value.value)
        let = self.definitions.get(value)
        if let is not None and let.op is ops.DIM:
            array, axis = let.args
            return array.type.lengths[axis.value] if array.type.lengths is not None else None
        form = self.affine(value)
        if form.terms == ((value, 1),):
            return None
        terms = [(self.expected(symbol), c) for symbol, c in form.terms]
        return None if any(n is None for n, _ in terms) else form.constant + sum(n * c for n, c in terms)

    def rests_on(self, form: Affine, symbol: Var) -> bool:
        """Whether the symbols of a form are computed from another one."""
        seen: set[Value] = set()
        todo: list[Value] = [s for s, _ in form.terms]
        while todo:
            value = todo.pop()
            if value is symbol:
                return True
            if value in seen:
                continue
            seen.add(value)
            if (let := self.definitions.get(value)) is not None:
                todo += let.args
            todo += [s for known in self.equal if isinstance(found := known.get(value), Affine) for s, _ in found.terms]
        return False

    def affine(self, value: "Value | Affine", depth: int = 40) -> Affine:
        """The value as an affine form over variables that are not sums themselves."""
        if isinstance(value, Affine):
            return value
        if isinstance(value, Const):
            return Affine(int(value.value))
        for known in self.equal:
            if value in known and depth:
                return self.resolved(known[value], depth - 1)
        let = self.definitions.get(value)
        if let is None or depth == 0:
            return Affine(0, ((value, 1),))
        parts = lambda: [self.affine(a, depth - 1) for a in let.args]  # noqa: E731
        match let.op:
            case ops.ADD:
                a, b = parts()
                return a + b
            case ops.SUB:
                a, b = parts()
                return a - b
            case ops.NEG:
                return parts()[0].scale(-1)
            case ops.MUL:
                a, b = parts()
                if not b.terms:
                    return a.scale(b.constant)
                if not a.terms:
                    return b.scale(a.constant)
        return Affine(0, ((self._first_of(let, depth), 1),))

    def _first_of(self, let: Let, depth: int) -> Var:
        """The first variable, among those in scope, with the value of the same operation on the same integers."""
        if not self.sharing or let.op not in (ops.INT_MAX, ops.INT_MIN, ops.FLOORDIV, ops.MUL, ops.DIM):
            return let.var
        forms = (a if isinstance(a.type, Array) else self.affine(a, depth - 1) for a in let.args)
        key = (let.op, *forms)
        first = next((known[key] for known in self.equal if key in known), None)
        return self.equal[-1].setdefault(key, let.var) if first is None else first

    def resolved(self, form: Affine, depth: int = 40) -> Affine:
        """The form with its symbols replaced by what they are now known to equal."""
        total = Affine(form.constant)
        for symbol, coefficient in form.terms:
            total += self.affine(symbol, depth).scale(coefficient)
        return total

    def write(self, form: Affine, b: "Builder") -> Value:
        """An affine form as a value of the IR."""
        from zygopy.transform.build import integer

        total: Value = integer(form.constant)
        for symbol, coefficient in form.terms:
            term = b.mul(symbol, integer(abs(coefficient)))
            total = b.add(term, total) if coefficient > 0 else b.sub(total, term)
        return total

    def lower_bound(self, form: Affine, depth: int = 12) -> Affine:
        """An affine form without loop indices that is at most `form` within the loops' ranges."""
        for _ in range(depth):
            index = self._innermost(form)
            if index is None:
                break
            low, high = self._bounds(index)
            bound = low if form.coefficient(index) > 0 else high
            if bound is None:
                break
            form = form.substitute(index, bound)
        return form

    def never_equal(self, a: Affine, b: Affine, inside: Container[Var]) -> bool:
        """Whether two forms differ, each in any trip of a loop, not the same one; `inside` are the loop's variables."""
        return self._always_less(a, b, inside) or self._always_less(b, a, inside)

    def _always_less(self, a: Affine, b: Affine, inside: Container[Var]) -> bool:
        """Whether the largest `a` of a loop's trips is less than the smallest `b`."""
        smallest, negated_largest = self._least(b, inside), self._least(a.scale(-1), inside)
        if smallest is None or negated_largest is None:
            return False
        return self.never_negative((smallest + negated_largest).shift(-1))

    def _least(self, form: Affine, inside: Container[Var], depth: int = 12) -> Affine | None:
        """An affine form without the variables `inside` that is at most `form` within the ranges of loops."""
        for _ in range(depth):
            changing = tuple(term for term in form.terms if term[0] in inside)
            if not changing:
                return form
            index = self._innermost(Affine(0, changing))
            low, high = self._bounds(index) if index is not None else (None, None)
            bound = low if form.coefficient(index) > 0 else high
            if bound is None:
                return None
            form = form.substitute(index, bound)
        return None

    def never_negative(self, value: Affine, blocks: int | None = None) -> bool:
        """Whether the form is proven to be 0 or more, by loop ranges or with the help of one assumption.

        `blocks` limits the assumptions to those of so many outer blocks.
        """
        if self._proven(value):
            return True
        assumed = [found for block in self.assumed[:blocks] for found in block]
        sure = [found[0] for found in assumed if len(found) == 1]
        for alternatives in assumed:
            left = [a for a in alternatives if len(alternatives) == 1 or not self._contradicted(a, sure)]
            if len(left) == 1 and self._proven(value - left[0]):
                return True
        return False

    def _contradicted(self, form: Affine, sure: list[Affine]) -> bool:
        """Whether the form is proven to be negative, by loop ranges or with the help of one sure assumption."""
        opposite = form.scale(-1).shift(-1)
        return self._proven(opposite) or any(self._proven(opposite - a) for a in sure)

    def _proven(self, value: Affine) -> bool:
        bound = self.lower_bound(value)
        return bound.constant >= 0 and all(c > 0 and self._is_count(s) for s, c in bound.terms)

    def _innermost(self, form: Affine) -> Var | None:
        indices = [s for s, _ in form.terms if s in self.ranges]
        return max(indices, key=list(self.ranges).index) if len(indices) > 1 else indices[0] if indices else None

    def _bounds(self, index: Var) -> tuple[Affine | None, Affine | None]:
        start, stop, step = self.ranges[index]
        if not isinstance(step, Const):
            return None, None
        first, end = self.affine(start), self.affine(stop)
        if step.value > 0:
            return first, end.shift(-1)
        return end.shift(1), first

    def _is_count(self, symbol: Var) -> bool:
        let = self.definitions.get(symbol)
        if let is None:
            return symbol in self.counts
        if let.op is ops.DIM:
            return True
        if let.op is ops.INT_MAX:
            return any(self._proven(self.affine(a)) for a in let.args)
        if let.op is ops.INT_MIN:
            return all(self._proven(self.affine(a)) for a in let.args)
        return False
