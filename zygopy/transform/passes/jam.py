"""Jamming: the reverse of each trip of a loop right after its forward, where trips are independent.

    for i in 0:n with s = 0.0               for i in 0:n with s = 0.0
        ...forward of trip i...      ->         ...forward of trip i...
    for i in n-1:-1:-1                          ...reverse of trip i...
        ...reverse of trip i...

Nothing of the trip then needs a tape. It means the same if the reverse part only adds up (to numbers and to shadows),
and needs nothing that comes after the forward loop; arrays that each trip fills before it reads them are no obstacle.

The two parts of a branch that is taken become one branch likewise, and what the first computes need not be repeated.
"""

from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.ir import (
    Block,
    Call,
    Check,
    Const,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Let,
    Pop,
    Print,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    blocks,
    defined,
    defined_inside,
    free_values,
    operands,
    replace,
    walk,
    with_blocks,
    within,
)
from zygopy.transform.memory import alias_classes, read_arrays, stored_arrays
from zygopy.transform.types import Array


def jam(function: Function) -> Function:
    """Merge loops with their mirrors where the order of trips does not matter."""
    return replace(function, body=_Jam(function).block(function.body))


class _Jam:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)
        self.facts = Facts.of(function.body)

    def block(self, block: Block) -> Block:
        """Jam the pairs in a block, the innermost pair first, and then those that this brings together."""
        statements = list(block.statements)
        for mirror in [s for s in statements if isinstance(s, For | If) and s.mirror is not None]:
            first = next((s for s in statements if type(s) is type(mirror) and s.key == mirror.mirror), None)
            if first is None:
                continue
            merge = self.merge if isinstance(mirror, For) else self.merge_branches
            if (merged := merge(statements, first, mirror)) is not None:
                statements = merged
        return replace(block, statements=tuple(with_blocks(s, self.block) for s in statements))

    def merge_branches(self, statements: list[Statement], branch: If, mirror: If) -> list[Statement] | None:
        """The statements with `mirror` moved into `branch`; None if that would change their meaning."""
        first, last = statements.index(branch), statements.index(mirror)
        between = statements[first + 1 : last]
        sides = [
            Substitution(dict(zip(branch.results, side.yields, strict=True))).block(other)
            for side, other in ((branch.then, mirror.then), (branch.orelse, mirror.orelse))
        ]
        if mirror.test is not branch.test or not self.commute(mirror, between):
            return None
        if (moved := self.needed_before(branch, sides, between)) is None:
            return None
        then, orelse = (
            self.block(Block((*a.statements, *b.statements), (*a.yields, *b.yields)))
            for a, b in zip((branch.then, branch.orelse), sides, strict=True)
        )
        merged = replace(branch, then=then, orelse=orelse, results=(*branch.results, *mirror.results))
        rest = [s for s in between if s not in moved]
        return [*statements[:first], *moved, merged, *rest, *statements[last + 1 :]]

    def commute(self, mirror: If, between: list[Statement]) -> bool:
        """Whether a branch may run before some statements, as far as memory and the outside world are concerned."""
        if any(isinstance(s, Print | Check | Call | Push | Pop | While) for s in within(mirror)):
            return False
        added, other = self.accesses([mirror])
        outside_added, outside_other = self.accesses(between)
        return not (added & outside_other or other & (outside_added | outside_other))

    def merge(self, statements: list[Statement], loop: For, mirror: For) -> list[Statement] | None:
        """The statements with `mirror` moved into `loop`; None if that would change their meaning."""
        first, last = statements.index(loop), statements.index(mirror)
        self.facts.assumed = [self.tested(statements[:first], loop)]
        between = statements[first + 1 : last]
        if not only_adds_up(mirror) or any(isinstance(s, Call | Push | Pop) for s in walk(Block((loop, mirror)))):
            return None
        if not self.memory_allows(loop, mirror, between):
            return None
        if (
            moved := self.needed_before(
                loop, [Block(mirror.body.statements, (*mirror.body.yields, *mirror.inits))], between
            )
        ) is None:
            return None
        same_trip = Substitution({mirror.index: loop.index}).block(mirror.body)
        body = Block((*loop.body.statements, *same_trip.statements), (*loop.body.yields, *same_trip.yields))
        merged = replace(
            loop,
            params=(*loop.params, *mirror.params),
            inits=(*loop.inits, *mirror.inits),
            results=(*loop.results, *mirror.results),
            body=self.block(body),
        )
        rest = [s for s in between if s not in moved]
        return [*statements[:first], *moved, merged, *rest, *statements[last + 1 :]]

    def tested(self, before: list[Statement], loop: For) -> list[tuple[Affine, ...]]:
        """Forms of which one is 0 or more inside a loop: it runs, and the tests before it have passed."""
        if not (isinstance(loop.step, Const) and abs(loop.step.value) == 1):
            return []
        runs = self.facts.affine(loop.stop) - self.facts.affine(loop.start)
        found = [tuple(self.alternatives(s.test)) for s in before if isinstance(s, Check)]
        return [(runs.scale(loop.step.value).shift(-1),), *(forms for forms in found if forms)]

    def alternatives(self, test: Value) -> list[Affine]:
        """The forms of which one is 0 or more when a test holds; empty if it is no such test."""
        let = self.facts.definitions.get(test)
        match let.op if let is not None else None:
            case ops.OR:
                sides = [self.alternatives(a) for a in let.args]
                return sides[0] + sides[1] if all(sides) else []
            case ops.LE:
                return [self.facts.affine(let.args[1]) - self.facts.affine(let.args[0])]
        return []

    # -- what the mirror needs ---------------------------------------------------------------------------------------

    def needed_before(self, first: For | If, mirror: list[Block], between: list[Statement]) -> list[Statement] | None:
        """The statements between the two parts that the mirror depends on, if they can run before the first."""
        needed = {v for block in mirror for v in free_values(block)}
        moved = []
        for s in reversed(between):
            if not needed & set(defined(s)):
                continue
            if not (isinstance(s, Let) and s.op.effect in (Effect.PURE, Effect.ALLOCATES)):
                return None
            needed |= {v for v in s.args if isinstance(v, Var)}
            moved.append(s)
        return None if needed & set(first.results) else moved[::-1]

    # -- memory ------------------------------------------------------------------------------------------------------

    def memory_allows(self, loop: For, mirror: For, between: list[Statement]) -> bool:
        """Whether shadows do not tell the order of trips."""
        own = self.allocated(mirror.body)
        added, other = self.accesses([mirror])
        outside_added, outside_other = self.accesses(between)
        if (added & outside_other) - own or any(isinstance(s, Print | Check) for s in walk(mirror.body)):
            return False
        for shadow in other - own:
            if shadow in outside_added | outside_other or not self.is_scratch(shadow, loop, mirror):
                return False
        return True

    def allocated(self, block: Block) -> set[Var]:
        """The classes that a block allocates itself."""
        lets = (s for s in walk(block) if isinstance(s, Let))
        return {self.aliases.of(s.var) for s in lets if s.op.effect is Effect.ALLOCATES}

    def accesses(self, statements: list[Statement]) -> tuple[set[Var], set[Var]]:
        """The classes that statements only add to, and those that they read or overwrite."""
        added: set[Var] = set()
        other: set[Var] = set()
        for s in walk(Block(tuple(statements))):
            if isinstance(s, Store):
                (added if s.add else other).add(self.aliases.of(s.array))
            elif isinstance(s, Kernel):
                (added if s.op in ops.ADDING else other).update(map(self.aliases.of, s.outs))
                other |= set(map(self.aliases.of, read_arrays(s)))
            elif isinstance(s, Call | Push):
                other |= set(map(self.aliases.of, read_arrays(s)))
            elif isinstance(s, Let) and s.op is ops.LOAD:
                other.add(self.aliases.of(s.args[0]))
            elif isinstance(s, For | While | If):
                arrays = [v for v in (*operands(s), *defined(s)) if isinstance(v, Var) and isinstance(v.type, Array)]
                other |= {self.aliases.of(v) for v in arrays}
        return added - other, other

    def is_scratch(self, shadow: Var, loop: For, mirror: For) -> bool:
        """Whether a shadow is zero between trips: each trip stores into its array before it reads it.

        The shadow's array is recognised by the stores: the mirror touches the shadow where the loop touches the array.
        """
        primal = {self.aliases.of(a) for a in self.arrays_of(shadow, loop, mirror)}
        return len(primal) == 1 and self.filled_before_read(primal.pop(), loop)

    def arrays_of(self, shadow: Var, loop: For, mirror: For) -> list[Var]:
        """The arrays of the loop whose shadow this is, told by where the reverse of their stores stands."""
        places = {
            s.loc
            for s in walk(mirror.body)
            if isinstance(s, Store) and not s.add and self.aliases.of(s.array) is shadow
        }
        return [s.array for s in walk(loop.body) if isinstance(s, Store) and not s.add and s.loc in places]

    def filled_before_read(self, array: Var, loop: For) -> bool:
        """Whether each element that a trip reads was stored earlier in the same trip."""
        filled: list[list[tuple[Affine, Affine]]] = []

        def visit(block: Block, nest: tuple[For, ...], sure: bool) -> bool:
            for s in block.statements:
                if isinstance(s, Let) and s.op is ops.LOAD and self.aliases.of(s.args[0]) is array:
                    if not any(self.inside(s.args[1:], region) or self.is_whole(array, region) for region in filled):
                        return False
                elif isinstance(s, Store) and self.aliases.of(s.array) is array:
                    if s.add:
                        if not any(self.inside(s.index, region) or self.is_whole(s.array, region) for region in filled):
                            return False
                    elif not sure:
                        return False
                    else:
                        pending.append((self.region(s.index, nest), nest))
                elif isinstance(s, Kernel | Call | Push) and array in self.touched(s):
                    return False
                for inner in blocks(s):
                    straight = isinstance(s, For)
                    if not visit(inner, (*nest, s) if straight else nest, sure and straight):
                        return False
                if isinstance(s, For):
                    finish(s)
            return True

        pending: list = []

        def finish(ended: For | None) -> None:
            for entry in list(pending):
                region, nest = entry
                if not nest or nest[0] is ended:
                    pending.remove(entry)
                    if region is not None:
                        filled.append(region)

        for s in loop.body.statements:
            if not visit(Block((s,)), (), True):
                return False
            finish(s if isinstance(s, For) else None)
        return True

    def touched(self, s: Statement) -> set[Var]:
        """The classes that a statement reads or stores into."""
        return set(map(self.aliases.of, (*stored_arrays(s), *read_arrays(s))))

    def region(self, index: tuple[Value, ...], nest: tuple[For, ...]) -> list[tuple[Affine, Affine]] | None:
        """The box of elements that a store in a nest of loops fills; None if there may be gaps."""
        box = []
        used: set[Var] = set()
        loops = {s.index: s for s in nest}
        inside = defined_inside(nest[0]) if nest else set()
        for i in index:
            form = self.facts.affine(i)
            mine = [symbol for symbol, _ in form.terms if symbol in loops]
            if any(symbol in inside and symbol not in loops for symbol, _ in form.terms):
                return None
            if not mine:
                box.append((form, form))
                continue
            if len(mine) > 1 or mine[0] in used or abs(form.coefficient(mine[0])) != 1:
                return None
            used.add(mine[0])
            s = loops[mine[0]]
            if not (isinstance(s.step, Const) and s.step.value == 1):
                return None
            ends = [
                form.substitute(mine[0], e) for e in (self.facts.affine(s.start), self.facts.affine(s.stop).shift(-1))
            ]
            if any(symbol in loops for end in ends for symbol, _ in end.terms):
                return None
            box.append(tuple(ends) if form.coefficient(mine[0]) == 1 else tuple(reversed(ends)))
        return box

    def is_whole(self, array: Var, box: list[tuple[Affine, Affine]]) -> bool:
        """Whether a box is all of an array that the function allocates; indices of loads are in range."""
        let = self.facts.definitions.get(array)
        if let is None or let.op.effect is not Effect.ALLOCATES:
            return False
        lengths = (self.facts.affine(n) for n in let.args)
        return all(low == Affine() and high.shift(1) == n for (low, high), n in zip(box, lengths, strict=True))

    def inside(self, index: tuple[Value, ...], box: list[tuple[Affine, Affine]]) -> bool:
        never = self.facts.never_negative
        forms = [self.facts.affine(i) for i in index]
        return all(never(f - low) and never(high - f) for f, (low, high) in zip(forms, box, strict=True))


def fills_before_reading(function: Function, array: Var, loop: For) -> bool:
    """Whether each element of an array that a trip of a loop reads was stored earlier in the same trip."""
    jam = _Jam(function)
    return jam.filled_before_read(jam.aliases.of(array), loop)


# -- sums ------------------------------------------------------------------------------------------------------------


def only_adds_up(mirror: For) -> bool:
    """Whether each variable of the loop is a sum to which trips add, in any order."""
    if any(isinstance(p.type, Array) for p in mirror.params):
        return False
    return all(_is_sum(p, y, mirror.body) for p, y in zip(mirror.params, mirror.body.yields, strict=True))


def _is_sum(param: Var, end: Value, block: Block) -> bool:
    """Whether `end` is `param` plus terms that do not depend on it, and nothing else reads the partial sums."""
    chain = {param}
    for s in block.statements:
        read = [v for v in operands(s) if v in chain]
        nested = [inner for inner in blocks(s) if chain & free_values(inner).keys()]
        if not read and not nested:
            continue
        match s:
            case Let() if s.op in (ops.ADD, ops.SUM) and len(read) == 1:
                chain.add(s.var)
            case For() if not nested and len(read) == 1 and read[0] in s.inits:
                k = s.inits.index(read[0])
                if not _is_sum(s.params[k], s.body.yields[k], s.body):
                    return False
                chain.add(s.results[k])
            case If() if not read:
                if not _branch_is_sum(s, chain):
                    return False
            case _:
                return False
    return end in chain and sum(y in chain for y in block.yields) == 1


def _branch_is_sum(s: If, chain: set[Var]) -> bool:
    """Extend the chain through a branch that adds to the sum on some sides."""
    for k, result in enumerate(s.results):
        ends = (s.then.yields[k], s.orelse.yields[k])
        starts = [v for v in chain if v in free_values(s.then) or v in free_values(s.orelse)]
        if len(starts) != 1:
            return False
        sides = [_is_sum_on_side(starts[0], end, block) for end, block in zip(ends, (s.then, s.orelse), strict=True)]
        if all(sides):
            chain.add(result)
        elif any(
            starts[0] in free_values(Block(block.statements, (end,)))
            for end, block in zip(ends, (s.then, s.orelse), strict=True)
        ):
            return False
    return any(result in chain for result in s.results)


def _is_sum_on_side(start: Var, end: Value, block: Block) -> bool:
    return end is start or _is_sum(start, end, Block(block.statements, (end,)))
