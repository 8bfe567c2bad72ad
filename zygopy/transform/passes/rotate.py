"""Handing neighbours on in registers: an adjoint that a trip adds to and the next one meets again stays in a variable.

for i in range(n):                       carried = 0.0
    x_bar[i] += p                        for i in range(n):
    x_bar[i + 1] += q        ->              x_bar[i] += carried + p
                                             carried = q
                                         x_bar[n] += carried

(Scalar replacement; Callahan, Carr & Kennedy 1990, section 3.) The trips see a window of one line of the array: each
loads the element that enters it and stores the one that leaves it. Where elements are only added to, the window holds
sums that start at zero.
"""

from dataclasses import dataclass, field

from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, zero
from zygopy.transform.ir import (
    Block,
    Call,
    Check,
    Const,
    For,
    Function,
    If,
    Kernel,
    Let,
    Print,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    blocks,
    defined_inside,
    new_key,
    replace,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.passes.promote import runs

_WIDEST = 4  # elements


def rotate(function: Function) -> Function:
    """Keep adjoints that consecutive trips of an innermost loop share in variables of the loop."""
    return replace(function, body=_Rotation(function).block(function.body))


@dataclass
class _Window:
    """The accesses of a loop to one line of an array, by their distance from the element that moves with the index."""

    array: Var
    forms: tuple[Affine, ...]  # of the element at distance 0
    axis: int
    accesses: dict[int, int] = field(default_factory=dict)  # position in the body -> distance
    adds_only: bool = True

    def distances(self, step: int) -> list[int]:
        """From the one that leaves the window to the one that enters it."""
        low, high = min(self.accesses.values()), max(self.accesses.values())
        return list(range(low, high + 1)) if step > 0 else list(range(high, low - 1, -1))

    def at(self, index: Var, place: Affine, distance: int) -> tuple[Affine, ...]:
        """The index forms of the element at a distance, the loop standing at `place`."""
        forms = [form.substitute(index, place) for form in self.forms]
        forms[self.axis] = forms[self.axis].shift(distance)
        return tuple(forms)


class _Rotation:
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
        if not (isinstance(s.step, Const) and abs(s.step.value) == 1):
            return [s]
        if any(isinstance(t, Check | Print | Kernel | Call | Push) or blocks(t) for t in s.body.statements):
            return [s]
        before: list[Statement] = []
        after: list[Statement] = []
        while (window := self.window(s)) is not None:
            first, s, last = self.carried(s, window)
            before += first
            after += last
        return [*before, s, *after]

    # -- which elements ----------------------------------------------------------------------------------------------

    def window(self, s: For) -> _Window | None:
        """A line whose elements more than one trip adds to, and that nothing else in the loop touches."""
        lines: dict[tuple, _Window] = {}
        inside = defined_inside(s)
        for position, t in enumerate(s.body.statements):
            if (access := _access(t)) is None:
                continue
            array, index = access
            forms = [self.facts.affine(i) for i in index]
            moving = [k for k, form in enumerate(forms) if form.coefficient(s.index)]
            if len(moving) != 1 or forms[moving[0]].coefficient(s.index) != 1 or array in inside:
                continue
            if any(symbol in inside and symbol is not s.index for form in forms for symbol, _ in form.terms):
                continue
            axis = moving[0]
            distance = forms[axis].constant
            forms[axis] = forms[axis].shift(-distance)
            line = lines.setdefault((array, tuple(forms)), _Window(array, tuple(forms), axis))
            line.accesses[position] = distance
            line.adds_only &= isinstance(t, Store) and t.add is ops.SUM
        return next((line for line in lines.values() if self.is_worth(line, s) and self.is_alone(line, s)), None)

    def is_worth(self, line: _Window, s: For) -> bool:
        adds = any(isinstance(t, Store) and t.add is ops.SUM for t in (s.body.statements[k] for k in line.accesses))
        return adds and 1 < len(line.distances(1)) <= _WIDEST and len(set(line.accesses.values())) > 1

    def is_alone(self, line: _Window, s: For) -> bool:
        """Whether every other access of the loop is apart from the line."""
        for position, t in enumerate(s.body.statements):
            if isinstance(t, Let) and t.op in ops.VIEWS and self.aliases.may_alias(t.args[0], line.array):
                return False
            if position in line.accesses or (access := _access(t)) is None:
                continue
            array, index = access
            if self.aliases.may_alias(array, line.array) and not (array is line.array and self.apart(line, index)):
                return False
        return True

    def apart(self, line: _Window, index: tuple[Value, ...]) -> bool:
        """Whether an element lies on another line, told by an axis along which the line does not move."""
        never = self.facts.never_negative
        for k, (form, i) in enumerate(zip(line.forms, index, strict=True)):
            gap = self.facts.affine(i) - form
            if k != line.axis and (never(gap.shift(-1)) or never(gap.scale(-1).shift(-1))):
                return True
        return False

    # -- the loop ----------------------------------------------------------------------------------------------------

    def carried(self, s: For, window: _Window) -> tuple[list[Statement], For, list[Statement]]:
        """What comes before the loop, the loop with the window in its variables, and what comes after it."""
        step = s.step.value
        distances = window.distances(step)
        type_, name = window.array.type.element, window.array.name
        params = tuple(Var(name, type_) for _ in distances[1:])
        now: dict[int, Value] = dict(zip(distances, params, strict=False))
        here = Affine(0, ((s.index, 1),))
        b = Builder(s.loc)
        entering = distances[-1]
        now[entering] = zero(type_) if window.adds_only else self.load(b, window, s.index, here, entering)
        entered = False
        renamed = Substitution({})
        for position, t in enumerate(s.body.statements):
            distance = window.accesses.get(position)
            if distance is None:
                b.emit(renamed.statement(t))
                continue
            b.loc = t.loc
            if isinstance(t, Let):
                renamed.values[t.var] = now[distance]
            else:
                value = b.cast(renamed.value(t.value), type_)
                starts = t.add is None or (window.adds_only and distance == entering and not entered)
                entered |= distance == entering
                now[distance] = value if starts else b.let(t.add, (now[distance], value), type_, name)
        leaving = distances[0]
        at = self.write(b, window.at(s.index, here, leaving))
        b.store(window.array, at, now[leaving], ops.SUM if window.adds_only else None)
        ends = tuple(now[d] for d in distances[1:])
        body = b.block((*(renamed.value(y) for y in s.body.yields), *ends))
        results = tuple(Var(name, type_) for _ in params)
        before = Builder(s.loc)
        inits = tuple(zero(type_) for _ in params) if window.adds_only else self.enter(before, s, window, distances)
        loop = replace(
            s,
            params=(*s.params, *params),
            inits=(*s.inits, *inits),
            body=body,
            results=(*s.results, *results),
        )
        return before.statements, loop, self.leave(s, window, distances, results)

    def enter(self, b: Builder, s: For, window: _Window, distances: list[int]) -> tuple[Var, ...]:
        """The elements in the window at the first trip, if there is one."""
        inner = Builder(s.loc)
        start = self.facts.affine(s.start)
        loads = tuple(self.load(inner, window, s.index, start, d) for d in distances[:-1])
        results = tuple(Var(v.name, v.type) for v in loads)
        b.if_(runs(s, b), inner.block(loads), Block((), tuple(zero(v.type) for v in loads)), results)
        return results

    def leave(self, s: For, window: _Window, distances: list[int], results: tuple[Var, ...]) -> list[Statement]:
        """Store what is in the window after the last trip, if there was one."""
        inner, b = Builder(s.loc), Builder(s.loc)
        last = self.facts.affine(s.stop).shift(-s.step.value)
        for distance, value in zip(distances[1:], results, strict=True):
            at = self.write(inner, window.at(s.index, last, distance))
            inner.store(window.array, at, value, ops.SUM if window.adds_only else None)
        b.emit(If(runs(s, b), inner.block(), Block(()), (), s.loc, new_key()))
        return b.statements

    def load(self, b: Builder, window: _Window, index: Var, place: Affine, distance: int) -> Var:
        return b.load(window.array, self.write(b, window.at(index, place, distance)), window.array.name)

    def write(self, b: Builder, forms: tuple[Affine, ...]) -> tuple[Value, ...]:
        return tuple(self.facts.write(form, b) for form in forms)


def _access(t: Statement) -> tuple[Var, tuple[Value, ...]] | None:
    """The array and the index of a load or store."""
    if isinstance(t, Store):
        return t.array, t.index
    if isinstance(t, Let) and t.op is ops.LOAD:
        return t.args[0], t.args[1:]
    return None
