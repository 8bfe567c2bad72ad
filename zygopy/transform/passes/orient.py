"""Running mirror loops upwards again, where the order of trips does not matter: such loops vectorise better.

for j in range(n - 1, -1, -1):               for j in range(n):
    x_bar[j] += g * w[j]             ->          x_bar[j] += g * w[j]
"""

from collections.abc import Container

from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Const,
    Effect,
    For,
    Function,
    If,
    Let,
    Statement,
    Store,
    Var,
    While,
    defined,
    defined_inside,
    replace,
    walk,
)
from zygopy.transform.memory import AliasClasses, alias_classes
from zygopy.transform.passes.jam import only_adds_up
from zygopy.transform.types import Array


def orient(function: Function) -> Function:
    """Turn downward loops around if no trip depends on another one."""
    return replace(function, body=_Orientation(function).block(function.body))


class _Orientation:
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
        if not may_turn(s) or not any_order(s, self.aliases, self.facts):
            return [s]
        return turned(s)


def may_turn(s: For) -> bool:
    """Whether a loop runs downwards and hands on nothing but sums."""
    return isinstance(s.step, Const) and s.step.value == -1 and only_adds_up(s)


def turned(s: For) -> list[Statement]:
    """The loop upwards, and its bounds before it."""
    b = Builder(s.loc)
    start, stop = b.add(s.stop, integer(1)), b.add(s.start, integer(1))
    return [*b.statements, replace(s, start=start, stop=stop, step=integer(1))]


def any_order(s: For, aliases: AliasClasses, facts: Facts, own: Container[Var] = ()) -> bool:
    """Whether no trip reads or overwrites what another one writes; arrays that trips have of their own do not count."""
    accesses: list[tuple[Var, tuple, bool, bool]] = []  # array, index, is a store, is an addition
    for t in walk(s.body):
        match t:
            case Let(op=ops.LOAD) if t.args[0] in own:
                pass
            case Store() if t.array in own:
                pass
            case Let(op=ops.LOAD):
                accesses.append((t.args[0], t.args[1:], False, False))
            case Let():
                if t.op in ops.VIEWS or t.op.effect is Effect.ALLOCATES:
                    return False
            case Store():
                accesses.append((t.array, t.index, True, t.add is ops.SUM))
            case For() | While() | If() if not any(isinstance(v.type, Array) for v in defined(t)):
                pass
            case _:
                return False
    inside = defined_inside(s)
    for array, index, stores, adds in accesses:
        for other, at, _, other_adds in accesses:
            if not stores or (adds and other_adds) or not aliases.may_alias(array, other):
                continue
            if array is not other or not (
                one_trip_only(index, at, s.index, inside, facts) or _never_meet(index, at, inside, facts)
            ):
                return False
    return True


def one_trip_only(a: tuple, b: tuple, index: Var, inside: set[Var], facts: Facts) -> bool:
    """Whether two accesses meet in one and the same trip only: some axis tells the trip by an offset of 0."""
    for x, y in zip(a, b, strict=True):
        form, other = facts.affine(x), facts.affine(y)
        steady = all(symbol is index or symbol not in inside for symbol, _ in form.terms)
        if steady and form - other == Affine() and form.coefficient(index):
            return True
    return False


def _never_meet(a: tuple, b: tuple, inside: set[Var], facts: Facts) -> bool:
    """Whether two accesses differ in some index, each in any trip, as those of row `k` and of the rows below it do."""
    return any(facts.never_equal(facts.affine(x), facts.affine(y), inside) for x, y in zip(a, b, strict=True))
