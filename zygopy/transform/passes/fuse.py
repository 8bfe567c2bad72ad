"""Fusion: neighbouring loop nests of array expressions become one, and arrays that live in one trip become smaller.

t = np.empty(n)                          total = 0.0
for i in range(n):                       for i in range(n):
    t[i] = x[i] * w[i]           ->          t = x[i] * w[i]
total = 0.0                                  total += np.tanh(t)
for i in range(n):
    total += np.tanh(t[i])

Only loops that array expressions made (`For.parallel`) are merged: two with the same range, where no trip of the second
meets memory that a later trip of the first touches. What stands between them moves before or behind.
"""

from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.affine import Facts
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
    Pop,
    Print,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    block_params,
    blocks,
    defined,
    free_values,
    leaves,
    operands,
    replace,
    walk,
    with_blocks,
    within,
)
from zygopy.transform.memory import alias_classes, allocations, read_arrays, stored_arrays
from zygopy.transform.passes.picks import picks
from zygopy.transform.simplify import simplify
from zygopy.transform.types import Array


def fuse(function: Function, for_grids: bool = False) -> Function:
    """Merge the loop nests of array expressions, and make temporary arrays smaller.

    `for_grids`: but not where nests would stay in one loop that threads of a GPU can share out as the axes of grids.
    """
    function = simplify(picks(function))
    for mixing in (False, True):
        for _ in range(4):
            merged = replace(function, body=_Fusion(function, mixing, for_grids).block(function.body))
            merged = simplify(narrow(merged))
            if merged.body == function.body:
                break
            function = merged
    return function


@dataclass
class _Uses:
    """What a statement, with all that is nested in it, defines, reads and touches."""

    defines: set[Var]
    reads: set[Var]
    loaded: set[Var]  # alias classes
    stored: set[Var]
    checks: bool
    speaks: bool  # prints, or moves a tape
    accesses: list[Let | Store | Kernel | Call]


class _Fusion:
    def __init__(self, function: Function, mixing: bool, for_grids: bool):
        self.mixing, self.for_grids = mixing, for_grids  # mixing: whether loops of loops and others may be merged
        self.aliases = alias_classes(function.body)
        self.own = {self.aliases.of(v) for v in allocations(function)}
        params = [v for p in function.params for v in leaves(p.leaves) if isinstance(v, Var)]
        self.own -= {self.aliases.of(v) for v in params if isinstance(v.type, Array)}
        self.definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        self.ranges = {s.index: (s.start, s.stop, s.step) for s in walk(function.body) if isinstance(s, For)}
        self.uses: dict[int, tuple[Statement, _Uses]] = {}

    # -- blocks ------------------------------------------------------------------------------------------------------

    def block(self, block: Block) -> Block:
        """Merge what can be merged in a block, and then inside its statements."""
        out: list[Statement] = []
        for s in block.statements:
            self.add(s, out)
        return replace(block, statements=tuple(self.inside(s) for s in out))

    def inside(self, s: Statement) -> Statement:
        match s:
            case For():
                return replace(s, body=self.block(s.body))
            case While():
                return replace(s, test=self.block(s.test), body=self.block(s.body))
            case If():
                return replace(s, then=self.block(s.then), orelse=self.block(s.orelse))
        return s

    def add(self, s: Statement, out: list[Statement]) -> None:
        """Append a statement, merged with an earlier loop if there is a fitting one."""
        if isinstance(s, For) and s.parallel:
            for position in range(len(out) - 1, -1, -1):
                first = out[position]
                if not (isinstance(first, For) and first.parallel and _same_range(first, s)):
                    continue
                if not self.pays(first, s):
                    continue
                found = self.merge(first, out[position + 1 :], s)
                if found is not None:
                    before, merged, behind = found
                    del out[position:]
                    out += before
                    self.add(merged, out)
                    out += behind
                    return
        out.append(s)

    def pays(self, first: For, second: For) -> bool:
        """Whether one loop is faster than two: loops without inner ones are merged among themselves first."""
        if self.for_grids and _left_inside(first, second) > 1:
            return False
        return self.mixing or _is_nested(first) == _is_nested(second)

    # -- two loops ---------------------------------------------------------------------------------------------------

    def merge(self, first: For, between: list[Statement], second: For) -> tuple[list, For, list] | None:
        """What goes before the merged loop, the loop, and what goes behind; None if the meaning would change."""
        a, b = self.uses_of(first), self.uses_of(second)
        if not (a.loaded | a.stored) & (b.loaded | b.stored) or b.reads & a.defines:
            return None
        if a.speaks or b.speaks or (a.checks and b.checks):
            return None
        if (a.checks or b.checks) and not (a.stored | b.stored) <= self.own:
            return None
        before: list[Statement] = []
        behind: list[Statement] = []
        for s in between:
            late = self.depends(s, first) or any(self.depends(s, other) for other in behind)
            (behind if late else before).append(s)
        if any(self.depends(second, s) for s in behind):
            return None
        if not (a.stored <= self.own or not any(self.can_stop(s) for s in before)):
            return None
        if any(self.can_stop(s) for s in behind):  # a test that `second` may rely on
            return None
        if not self.in_step(first, second):
            return None
        return before, _merged(first, second), behind

    def can_stop(self, s: Statement) -> bool:
        """Whether a statement may raise or print."""
        uses = self.uses_of(s)
        return uses.checks or uses.speaks

    def depends(self, later: Statement, earlier: Statement) -> bool:
        """Whether two statements may not change places."""
        a, b = self.uses_of(earlier), self.uses_of(later)
        if a.defines & b.reads or (a.speaks or a.checks) and (b.speaks or b.checks):
            return True
        return bool(a.stored & (b.loaded | b.stored) or a.loaded & b.stored)

    def uses_of(self, s: Statement) -> _Uses:
        if id(s) not in self.uses:
            self.uses[id(s)] = s, self.find_uses(s)
        return self.uses[id(s)][1]

    def find_uses(self, s: Statement) -> _Uses:
        inner = list(within(s))
        reads = {v for v in operands(s) if isinstance(v, Var)}
        for block in blocks(s):
            reads |= set(free_values(block))
        reads -= set(block_params(s))
        found = _Uses(set(defined(s)), reads, set(), set(), False, False, [])
        for t in inner:
            arrays = {self.aliases.of(v) for v in operands(t) if isinstance(v, Var) and isinstance(v.type, Array)}
            match t:
                case Let(op=ops.LOAD):
                    found.loaded |= arrays
                    found.accesses.append(t)
                case Let():
                    pass  # an address or a length, no element
                case Store():
                    found.stored.add(self.aliases.of(t.array))
                    found.accesses.append(t)
                case Kernel() | Call():
                    found.speaks |= isinstance(t, Call)
                    found.stored |= {self.aliases.of(out) for out in stored_arrays(t)}
                    found.loaded |= {self.aliases.of(array) for array in read_arrays(t)}
                    found.accesses.append(t)
                case For() | While() | If():
                    pass
                case Check():
                    found.checks = True
                case Print() | Push() | Pop():
                    found.speaks = True
        return found

    # -- memory ------------------------------------------------------------------------------------------------------

    def in_step(self, first: For, second: For) -> bool:
        """Whether no trip of `second` meets memory that a later trip of `first` touches."""
        facts = Facts(self.definitions)
        loops = [(second.index, (second.start, second.stop, second.step)), *self.inner_ranges(second)]
        later = (facts.affine(second.index).shift(1), facts.affine(second.stop), second.step)
        loops += [(first.index, later), *self.inner_ranges(first)]
        mine = {index for index, _ in loops}
        facts.ranges = {index: r for index, r in self.ranges.items() if index not in mine} | dict(loops)
        for x in self.uses_of(first).accesses:
            for y in self.uses_of(second).accesses:
                if isinstance(x, Let) and isinstance(y, Let):
                    continue
                if isinstance(x, Kernel | Call) or isinstance(y, Kernel | Call):
                    if any(self.aliases.may_alias(a, b) for a in _arrays(x) for b in _arrays(y)):
                        return False
                    continue
                (array, at), (other, where) = _place(x), _place(y)
                if not self.aliases.may_alias(array, other):
                    continue
                if array is not other or not _apart(facts, at, where):
                    return False
        return True

    def inner_ranges(self, loop: For) -> list[tuple[Var, tuple]]:
        return [(s.index, (s.start, s.stop, s.step)) for s in walk(loop.body) if isinstance(s, For)]


def _is_nested(loop: For) -> bool:
    return any(isinstance(s, For | While) for s in loop.body.statements)


def _left_inside(a: For, b: For) -> int:
    """How deep a nest would be in the innermost loop that two nests have in common, if they were merged."""
    if not _same_range(a, b):
        return max(_depth(a), _depth(b))
    inner = [[s for s in loop.body.statements if isinstance(s, For)] for loop in (a, b)]
    return max((_left_inside(x, y) for x in inner[0] for y in inner[1]), default=max(_depth(a), _depth(b)) - 1)


def _depth(loop: For) -> int:
    """How deep a nest of loops is, those of few trips left out."""
    is_short = isinstance(loop.start, Const) and isinstance(loop.stop, Const)
    return max((_depth(s) for s in walk(loop.body) if isinstance(s, For)), default=0) + (not is_short)


def _same_range(a: For, b: For) -> bool:
    return (a.start, a.stop, a.step) == (b.start, b.stop, b.step)


def _arrays(access: Let | Store | Kernel | Call) -> tuple[Var, ...]:
    return (*stored_arrays(access), *read_arrays(access))


def _place(access: Let | Store) -> tuple[Var, tuple[Value, ...]]:
    if isinstance(access, Store):
        return access.array, access.index
    array = access.args[0]
    assert isinstance(array, Var)
    return array, access.args[1:]


def _apart(facts: Facts, at: tuple[Value, ...], where: tuple[Value, ...]) -> bool:
    """Whether two elements of an array differ, by one of their indices."""
    for a, b in zip(at, where, strict=True):
        gap = facts.affine(a) - facts.affine(b)
        if facts.never_negative(gap.shift(-1)) or facts.never_negative(gap.scale(-1).shift(-1)):
            return True
    return False


def _merged(first: For, second: For) -> For:
    same_trip = Substitution({second.index: first.index}).block(second.body)
    return replace(
        first,
        params=(*first.params, *second.params),
        inits=(*first.inits, *second.inits),
        results=(*first.results, *second.results),
        body=Block((*first.body.statements, *same_trip.statements), (*first.body.yields, *same_trip.yields)),
    )


# -- smaller arrays --------------------------------------------------------------------------------------------------


def narrow(function: Function) -> Function:
    """Drop the first axis of temporary arrays of which each trip of a loop uses a row of its own."""
    users: dict[Var, list[Statement]] = {}
    for s in walk(function.body):
        for v in operands(s):
            if isinstance(v, Var) and isinstance(v.type, Array):
                users.setdefault(v, []).append(s)
    for block in _blocks(function.body):
        for v in block.yields:
            if isinstance(v, Var):
                users.setdefault(v, []).append(Check(v, Exception, "", function.loc))
    for v in leaves(function.results):
        if isinstance(v, Var):
            users.setdefault(v, []).append(Check(v, Exception, "", function.loc))
    rows: dict[Var, Var] = {}

    def visit(block: Block) -> Block:
        out: list[Statement] = []
        for k, s in enumerate(block.statements):
            if isinstance(s, Let) and s.op is ops.EMPTY and len(s.args) > 1:
                loop = _only_loop(s, block.statements[k:], users)
                if loop is not None and _one_row_each(s.var, loop, users[s.var]):
                    rows[s.var] = Var(s.var.name, Array(s.var.type.dtype, len(s.args) - 1))
                    s = Let(rows[s.var], ops.EMPTY, s.args[1:], s.loc)
            out.append(nested(s))
        return replace(block, statements=tuple(out))

    def nested(s: Statement) -> Statement:
        match s:
            case Store() if s.array in rows:
                return replace(s, array=rows[s.array], index=s.index[1:])
            case Let(op=ops.LOAD) if s.args[0] in rows:
                return replace(s, args=(rows[s.args[0]], *s.args[2:]))
        return with_blocks(s, visit)

    return replace(function, body=visit(function.body))


def _blocks(block: Block):
    yield block
    for s in block.statements:
        for inner in blocks(s):
            yield from _blocks(inner)


def _only_loop(s: Let, behind: tuple[Statement, ...], users: dict[Var, list[Statement]]) -> For | None:
    """The one loop among the statements behind an allocation that uses it, if no other statement does."""
    wanted = {id(user) for user in users.get(s.var, ())}
    for other in behind:
        inside = wanted & {id(t) for t in within(other)}
        if inside:
            return other if isinstance(other, For) and inside == wanted else None
    return None


def _one_row_each(array: Var, loop: For, users: list[Statement]) -> bool:
    """Whether all accesses are elements of the row whose number is the loop's index."""
    for s in users:
        is_load = isinstance(s, Let) and s.op is ops.LOAD
        if not (is_load or isinstance(s, Store)):
            return False
        place, index = _place(s)
        if place is not array or index[0] is not loop.index or (isinstance(s, Store) and s.value is array):
            return False
    return True
