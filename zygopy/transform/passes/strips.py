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

Loops without inner ones are divided too, where one trip has many functions: see `stages`.
"""

from dataclasses import dataclass, field

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.arguments import LONGEST
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    Effect,
    For,
    Function,
    If,
    Let,
    Op,
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
    new_key,
    operands,
    param_vars,
    replace,
    walk,
    within,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.passes.orient import any_order
from zygopy.transform.passes.reassociate import Sum, carried_sum, is_free_sum
from zygopy.transform.passes.short_rows import as_flat, parted
from zygopy.transform.passes.stages import stages
from zygopy.transform.passes.strip_products import Product, as_products
from zygopy.transform.passes.vectorise import SLOW
from zygopy.transform.types import INT, Array

STRIP, STAGE_STRIP = 64, 128  # trips, at most
LONG_STRIP, OF_MATRIX = 512, 8192  # trips, and elements of a matrix that BLAS is given, at most
ELEMENTS = 1024  # of an array that each trip has its own of


def strips(function: Function) -> Function:
    """Split the loops whose elementary functions could work on vectors, were there no loop beside them."""
    return replace(function, body=_Strips(function).function(function.body))


@dataclass(eq=False)
class _Group:
    """Statements that get a loop of their own: inner loops with what they need, or none."""

    loops: bool
    statements: list[Statement] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)  # all that the statements do, or none
    flat: tuple[Var, Let] | None = None  # the array and the function of a loop row[j] = function(row[j])


class _Strips:
    def __init__(self, function: Function):
        self.aliases = alias_classes(function.body)
        self.facts = Facts()
        self.params = {v for v in param_vars(function) if isinstance(v.type, Array)}
        self.depth = 0  # loops around the statement
        self.before: list[Statement] = []  # what the statement of the outermost block needs before it
        for s in walk(function.body):
            if isinstance(s, Let):
                self.facts.definitions[s.var] = s

    def function(self, body: Block) -> Block:
        out: list[Statement] = []
        for s in body.statements:
            found = self.statement(s)
            out += [*self.before, *found]
            self.before.clear()
        return replace(body, statements=tuple(out))

    def block(self, block: Block) -> Block:
        return replace(block, statements=tuple(t for s in block.statements for t in self.statement(s)))

    def in_loop(self, body: Block) -> Block:
        self.depth += 1
        body = self.block(body)
        self.depth -= 1
        return body

    def statement(self, s: Statement) -> list[Statement]:
        match s:
            case For():
                found = self.split(s)
                return [replace(s, body=self.in_loop(s.body))] if found is None else found
            case While():
                return [replace(s, body=self.in_loop(s.body))]
            case If():
                return [replace(s, then=self.block(s.then), orelse=self.block(s.orelse))]
        return [s]

    def split(self, s: For) -> list[Statement] | None:
        """Strips of a loop whose functions stand beside inner loops, or in loops over short rows."""
        nested = any(isinstance(t, For) for u in s.body.statements if isinstance(u, If) for t in within(u))
        if nested or s.step != integer(1):
            return None
        loop = _Loop(s, self)
        if any(isinstance(t, For) and _is_slow(t) for t in s.body.statements):
            loop = _Loop(parted(s, loop.own, self.aliases, self.facts), self)
        if all(isinstance(t, Let | Store | Check) for t in s.body.statements):
            return loop.in_stages()
        inner = [t for t in loop.s.body.statements if isinstance(t, For) and loop.as_flat(t) is None]
        slow = [t for t in loop.s.body.statements if t not in inner and _is_slow(t)]
        return loop.split() if inner and slow and not any(map(_is_slow, inner)) else None


class _Loop:
    """One loop and its parts."""

    def __init__(self, s: For, scope: _Strips):
        self.s, self.scope = s, scope
        self.inside = defined_inside(s)
        self.stored = scope.aliases.stored(s.body)
        self.lets = {t.var: t for t in s.body.statements if isinstance(t, Let)}
        self.checks = [t for t in s.body.statements if isinstance(t, Check)]
        self.own = {t.var: t for t in self.lets.values() if self.is_own(t)}
        self.start = Var(f"{s.index.name}_block", INT)
        self.rows: dict[Var, Var] = {}  # what trips hand on, by number
        self.wide: dict[Var, Var] = {}  # arrays of one trip, and those of a strip
        self.flat: dict[Var, Var] = {}  # the latter as vectors
        self.widths: dict[Var, Value] = {}  # elements that a trip has in them
        self.length: Value = integer(STRIP)
        self.most = STRIP
        self.dear: set[Op] = set()  # cheap operations that still cost more than to keep their result

    def split(self) -> list[Statement] | None:
        """A loop over strips, and in it a loop for each group; None if trips depend on each other."""
        sums = _sums(self.s)
        if sums is None or not self.trips_are_independent() or not self.may_check_first():
            return None
        groups = self.groups(_partial(sums))
        if self.scope.depth == 0:  # in a loop, matrices are often too small for a call of BLAS
            for g in groups:
                g.products = as_products(g.statements, self.s.index, self.inside, self.scope.aliases)
        return self.written(groups, sums) if len(groups) > 1 else None

    def in_stages(self) -> list[Statement] | None:
        """A loop over strips, and in it a loop for each stage; None if there is one stage only, or too few trips."""
        self.length, self.most, self.dear = integer(STAGE_STRIP), STAGE_STRIP, {ops.DIV, ops.SQRT}
        sums, trips = _sums(self.s), self.scope.facts.expected(self.s.stop)
        if sums is None or self.own or (trips is not None and trips <= LONGEST):
            return None
        body = [t for t in self.s.body.statements if t not in self.checks]
        found = stages(body, _partial(sums), lambda t: _has_effect(t) or self.loads_stored(t))
        if len(found) == 1 or not self.trips_are_independent() or not self.may_check_first():
            return None
        tests = [_Group(True, self.checks)] if self.checks else []
        return self.written([*tests, *(_Group(False, stage) for stage in found)], sums, parallel=True)

    def as_flat(self, t: For) -> tuple[Var, Let] | None:
        return as_flat(t, self.own, self.scope.facts)

    # -- what allows it ----------------------------------------------------------------------------------------------

    def is_own(self, t: Let) -> bool:
        """Whether a trip allocates an array of numbers that only its own loads and stores use."""
        if t.op not in (ops.EMPTY, ops.SCRATCH) or any(n in self.inside for n in t.args):
            return False
        users = [u for u in walk(self.s.body) if t.var in operands(u)]
        return all(isinstance(u, Store) or (isinstance(u, Let) and u.op is ops.LOAD) for u in users) and not any(
            t.var in block.yields for u in walk(Block((self.s,))) for block in blocks(u)
        )

    def trips_are_independent(self) -> bool:
        rest = [t for t in self.s.body.statements if t not in self.checks and t not in self.own.values()]
        loop = replace(self.s, body=Block(tuple(rest), self.s.body.yields))
        return any_order(loop, self.scope.aliases, self.scope.facts, set(self.own))

    def may_check_first(self) -> bool:
        """Whether the tests of all trips of a strip may run before the rest: they need the index only."""
        if not self.checks:
            return True
        if {self.scope.aliases.of(v) for v in self.scope.params} & self.stored:
            return False
        for check in self.checks:
            if (lets := self.again(check.test)) is None:
                return False
            loads = [a for t in lets if t.op is ops.LOAD for a in t.args[1:]]
            symbols = {v for a in loads for v, _ in self.scope.facts.affine(a).terms}
            if symbols & self.inside - {self.s.index}:
                return False
        return True

    # -- groups ------------------------------------------------------------------------------------------------------

    def groups(self, partial: set[Value]) -> list[_Group]:
        """The loop's statements in groups, each as early as what it reads allows; partial sums do not count as read."""
        tests = _Group(True, list(self.checks))
        found = [tests]
        place: dict[Value, int] = {}
        for t in self.s.body.statements:
            if t in self.checks or t in self.own.values():
                continue
            reads = (set(operands(t)) | {v for inner in blocks(t) for v in free_values(inner)}) - partial
            after = max((place[v] for v in reads if v in place), default=1)
            moves = not any(_has_effect(u) or self.loads_stored(u) for u in within(t))
            if isinstance(t, For):
                found.append(_Group(True, flat=self.as_flat(t)))
                at = len(found) - 1
            else:
                first = max(after if moves else len(found) - 1, 1)
                at = next((k for k in range(first, len(found)) if not found[k].loops), len(found))
                if at == len(found):
                    found.append(_Group(False))
            found[at].statements.append(t)
            place.update(dict.fromkeys(defined(t), at))
        return [*([tests] if self.checks else []), *_joined(found[1:])]

    def loads_stored(self, t: Statement) -> bool:
        return isinstance(t, Let) and t.op is ops.LOAD and self.scope.aliases.of(t.args[0]) in self.stored

    # -- the new loops -----------------------------------------------------------------------------------------------

    def written(self, groups: list[_Group], sums: list[Sum], parallel: bool = False) -> list[Statement]:
        s = self.s
        before = Builder(s.loc)
        self.widen(before, {g.flat[0] for g in groups if g.flat is not None})
        self.lengthen(before, [p for g in groups for p in g.products])
        b = Builder(s.loc)
        end = b.apply(ops.INT_MIN, b.add(self.start, self.length), s.stop)
        params = [Var(p.name, p.type) for p in s.params]
        totals: list[Value] = list(params)
        made = {v: g for g in groups for t in g.statements for v in defined(t)}
        partial = _partial(sums)
        parts: list[Statement] = []
        for g in groups:
            if g.products:
                parts += self.of_blas(g.products, end)
                continue
            if g.flat is not None:
                parts += self.of_all_rows(*g.flat, end)
                continue
            index = Var(s.index.name, INT)
            known: dict[Var, Value] = {s.index: index}
            block, read = Block(tuple(g.statements)), Builder(s.loc)
            for v in free_values(block):
                if v in made and made[v] is not g and v not in partial:
                    known[v] = self.handed_on(v, index, read)
            own, inits, yields, results = [], [], [], []
            for k, total in enumerate(sums):
                steps = [(first, last) for t, first, last in total.steps if t in g.statements]
                if steps:
                    own.append(Var(s.params[k].name, s.params[k].type))
                    inits.append(totals[k])
                    totals[k] = Var(s.params[k].name, s.params[k].type)
                    results.append(totals[k])
                    value: Value = own[-1]
                    for first, last in steps:
                        known[first] = value
                        value = last
                    yields.append(value)
            block = self.with_wide_arrays(Substitution(known).block(block), read.sub(index, self.start))
            body = Block((*read.statements, *block.statements), tuple(yields))
            header = (index, self.start, end, integer(1), tuple(own), tuple(inits))
            parts.append(For(*header, body, tuple(results), s.loc, new_key(), short=True))
        inner = [self.keeping_rows(t) if isinstance(t, For) else t for t in parts]
        strip = Block((*b.statements, *inner), tuple(totals))
        header = (self.start, s.start, s.stop, self.length, tuple(params), s.inits)
        return [*before.statements, For(*header, strip, s.results, s.loc, s.key, parallel=parallel)]

    def handed_on(self, v: Var, index: Var, b: Builder) -> Value:
        """A value of another group, computed again or read from a row."""
        if (lets := self.again(v)) is not None:
            copy = Substitution({self.s.index: index}, lambda v: Var(v.name, v.type)).block(Block(tuple(lets), (v,)))
            b.statements += copy.statements
            return copy.yields[0]
        return b.load(self.row(v), (b.sub(index, self.start),), v.name)

    def row(self, v: Var) -> Var:
        """The array of a value's numbers, one for each trip of a strip."""
        if v not in self.rows:
            before = Builder(self.s.loc)
            self.rows[v] = before.let(ops.SCRATCH, (integer(self.most),), Array(v.type.dtype, 1), "row")
            self.scope.before += before.statements
        return self.rows[v]

    def of_blas(self, products: list[Product], end: Value) -> list[Statement]:
        b = Builder(self.s.loc)
        for p in products:
            p.kernel(b, self.row(p.number), self.start, b.sub(end, self.start))
        return b.statements

    def keeping_rows(self, loop: For) -> For:
        """The loop of a group, which also keeps what others read."""
        keep = Builder(self.s.loc)
        for v in (v for t in loop.body.statements for v in defined(t) if v in self.rows):
            keep.store(self.rows[v], (keep.sub(loop.index, self.start),), v)
        return replace(loop, body=Block((*loop.body.statements, *keep.statements), loop.body.yields))

    def again(self, v: Value, depth: int = 6) -> list[Let] | None:
        """The cheap operations that compute a value of a trip from the index; None if it is better kept."""
        if not isinstance(v, Var) or v is self.s.index or v not in self.inside:
            return []
        let = self.lets.get(v)
        if let is None or depth == 0 or not let.op.cheap or let.op in self.dear:
            return None
        if _has_effect(let) or self.loads_stored(let):
            return None
        parts = [self.again(a, depth - 1) for a in let.args]
        return None if None in parts else [*dict.fromkeys(t for part in parts for t in part), let]

    # -- arrays of one trip ------------------------------------------------------------------------------------------

    def widen(self, b: Builder, flat: set[Var]) -> None:
        """Give each trip of a strip its own arrays, the flat ones as vectors too; longer arrays make strips shorter."""
        sizes = [n for t in self.own.values() for n in t.args]
        if not all(isinstance(n, Const) for n in sizes):
            longest: Value = integer(1)
            for t in self.own.values():
                size: Value = integer(1)
                for n in t.args:
                    size = b.mul(size, n)
                longest = b.apply(ops.INT_MAX, longest, size)
            fitting = b.apply(ops.FLOORDIV, integer(ELEMENTS), longest)
            self.length = b.apply(ops.INT_MAX, b.apply(ops.INT_MIN, fitting, integer(STRIP)), integer(1))
        for v, t in self.own.items():
            shape = [b.apply(ops.INT_MAX, n, integer(0)) for n in t.args]  # negative ones are there where no trip runs
            self.wide[v] = b.let(t.op, (self.length, *shape), Array(v.type.dtype, v.type.ndim + 1), v.name)
            if v in flat:
                size = b.mul(self.length, shape[0])
                self.widths[v] = shape[0]
                self.flat[v] = b.let(ops.RESHAPE, (self.wide[v], size), Array(v.type.dtype, 1), v.name)

    def of_all_rows(self, array: Var, function: Let, end: Value) -> list[Statement]:
        """A function of all elements of a strip's rows, one vector."""
        b, body = Builder(self.s.loc), Builder(self.s.loc)
        index, flat = Var("j", INT), self.flat[array]
        value = body.let(function.op, (body.load(flat, (index,)),), function.var.type, function.var.name)
        body.store(flat, (index,), value)
        count = b.mul(b.sub(end, self.start), self.widths[array])
        header = (index, integer(0), count, integer(1), (), ())
        b.emit(For(*header, body.block(), (), self.s.loc, new_key(), parallel=True, short=True))
        return b.statements

    def lengthen(self, b: Builder, products: list[Product]) -> None:
        """Give products as many rows at once as fit into fast memory, since each call takes its time."""
        if not products or self.own:
            return
        self.most = LONG_STRIP
        columns: Value = integer(1)
        for count in dict.fromkeys(p.count for p in products):
            columns = b.apply(ops.INT_MAX, columns, count)
        fitting = b.apply(ops.FLOORDIV, integer(OF_MATRIX), columns)
        self.length = b.apply(ops.INT_MAX, b.apply(ops.INT_MIN, fitting, integer(LONG_STRIP)), integer(STRIP))

    def with_wide_arrays(self, block: Block, at: Value) -> Block:
        out: list[Statement] = []
        for t in block.statements:
            match t:
                case Let(op=ops.LOAD) if t.args[0] in self.wide:
                    t = replace(t, args=(self.wide[t.args[0]], at, *t.args[1:]))
                case Store() if t.array in self.wide:
                    t = replace(t, array=self.wide[t.array], index=(at, *t.index))
                case For():
                    t = replace(t, body=self.with_wide_arrays(t.body, at))
                case If():
                    then, orelse = (self.with_wide_arrays(side, at) for side in (t.then, t.orelse))
                    t = replace(t, then=then, orelse=orelse)
            out.append(t)
        return replace(block, statements=tuple(out))


def _is_slow(t: Statement) -> bool:
    return any(isinstance(u, Let) and u.op in SLOW for u in within(t))


def _has_effect(t: Statement) -> bool:
    return not isinstance(t, Let | If) or (isinstance(t, Let) and t.op.effect is Effect.ALLOCATES)


def _partial(sums: list[Sum]) -> set[Value]:
    return {v for total in sums for _, before, after in total.steps for v in (before, after)}


def _joined(groups: list[_Group]) -> list[_Group]:
    """The groups, those without functions joined to the ones behind, neighbours with inner loops to each other."""
    out: list[_Group] = []
    waiting: list[Statement] = []

    def end_waiting() -> None:
        if waiting and out and out[-1].flat is None:
            out[-1].statements += waiting
        elif waiting:
            out.append(_Group(False, [*waiting]))
        waiting.clear()

    for g in groups:
        if g.flat is not None:
            end_waiting()
            out.append(g)
        elif not g.loops and not any(map(_is_slow, g.statements)):
            waiting += g.statements
        else:
            follows = bool(out) and g.loops and out[-1].loops and out[-1].flat is None
            target = out[-1] if follows else _Group(g.loops)
            target.statements += [*waiting, *g.statements]
            waiting.clear()
            out += [] if follows else [target]
    end_waiting()
    return out


def _sums(s: For) -> list[Sum] | None:
    """What becomes of each variable of a loop; None if one is not a sum in any order."""
    found = [carried_sum(p, k, s.body) if is_free_sum(s, k) else None for k, p in enumerate(s.params)]
    return None if None in found else found
