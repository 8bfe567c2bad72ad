"""Simplification: constants, repeated expressions and dead code.

t = x * 1.0                  y = x + x
y = t + x          ->        a[i] = y
z = y * 2.0
a[i] = y
w = a[i]                     (w is y)
"""

from zygopy.errors import OtherLengthsError
from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.build import constant, integer
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
    leaves,
    map_leaves,
    operands,
    param_vars,
    remembered,
    replace,
    walk,
)
from zygopy.transform.memory import AliasClasses, alias_classes, allocations, read_arrays, stored_arrays
from zygopy.transform.types import Array, Scalar

_ROUNDS = 4
_ORDER = {ops.LT, ops.LE, ops.GT, ops.GE, ops.EQ, ops.NE}


def simplify(function: Function, open_program: bool = False) -> Function:
    """Fold constants, share repeated expressions, remove what nothing reads; until nothing changes.

    In an open program loops stay, since they and their mirrors name each other's variables.
    """
    for _ in range(_ROUNDS):
        if open_program in _simple(function.body):
            break
        before = function
        function = remove_dead(_Forward(function, open_program).run())
        if function.body == before.body:
            _simple(function.body).add(open_program)
    return function


@remembered
def _simple(body: Block) -> set[bool]:
    """A note that nothing changes in a body any more: in an open program, in one that is not."""
    return set()


class _Forward:
    """One walk in program order with a table of the expressions that are available."""

    def __init__(self, function: Function, open_program: bool = False):
        self.function, self.open_program = function, open_program
        self.aliases = alias_classes(function.body)
        self.values = Substitution({})
        self.available: dict[tuple, Value] = {}
        self.versions: dict[Var, int] = {}
        self.loaded: dict[Var, dict[Var, None]] = {}  # by class, the array variables that were read
        self.lets: dict[Var, Let] = {}
        self.facts = Facts(self.lets)
        self.made: dict[Value, tuple] = {}  # the shapes of arrays that calls make
        self.costly: dict[tuple | None, dict[tuple, Var]] = {}  # by block: its costly expressions, for its mirror

    def run(self) -> Function:
        body = self.block(self.function.body)
        return replace(self.function, body=body, results=map_leaves(self.values.value, self.function.results))

    def block(self, block: Block, place: tuple | None = None, mirrored: tuple | None = None) -> Block:
        """Simplify a block; what becomes available in it is forgotten after it.

        In the mirror of a block, what was costly to compute there (exp, sin, ...) is available as it is.
        """
        outer, self.available = self.available, self.available | self.costly.get(mirrored, {})
        out: list[Statement] = []
        for statement in block.statements:
            self.statement(statement, out)
        if place is not None:
            self.costly[place] = {
                (s.op, s.args, s.var.type): s.var for s in out if isinstance(s, Let) and not s.op.cheap
            }
        self.available = outer
        return replace(block, statements=tuple(out), yields=self.values.all(block.yields))

    def statement(self, s: Statement, out: list[Statement]) -> None:
        match s:
            case Let():
                self.let(s, out)
            case Store():
                s = replace(
                    s,
                    array=self.values.value(s.array),
                    index=self.values.all(s.index),
                    value=self.values.value(s.value),
                )
                out.append(s)
                self.touch_array(s.array)
                if not s.add and s.value.type.dtype == s.array.type.dtype:
                    self.available[self.load_key(s.array, s.index)] = s.value
            case Kernel():
                s = self.values.statement(s)
                out.append(s)
                for array in s.outs:
                    self.touch_array(array)
            case Call():
                s = self.values.statement(s)
                out.append(s)
                for array in stored_arrays(s):
                    self.touch_array(array)
                self.made |= {r: shape for r, shape in zip(s.results, s.shapes, strict=True) if None not in shape}
            case For():
                self.for_loop(s, out)
            case While():
                self.while_loop(s, out)
            case If():
                self.branch(s, out)
            case Check():
                s = self.values.statement(s)
                key = ("check", s.test)
                if not (isinstance(s.test, Const) and s.test.value) and key not in self.available:
                    self.available[key] = s.test
                    out.append(s)
                    if s.error is OtherLengthsError:
                        self.learn(s.test)
            case Print():
                out.append(replace(s, args=self.values.all(s.args)))
            case Push() | Pop():
                out.append(self.values.statement(s))

    def learn(self, test: Value) -> None:
        """After a test that two lengths are equal, the one that was there first stands for both: others may see it."""
        let = self.lets.get(test)
        if let is None or let.op is not ops.EQ or not all(a.type.is_integer for a in let.args):
            return
        kept, other = let.args if isinstance(let.args[1], Var) else let.args[::-1]
        if isinstance(other, Var):
            if kept in self.lets and next(v for v in self.lets if v is kept or v is other) is other:
                kept, other = other, kept
            self.values.values[other] = kept

    # -- expressions -------------------------------------------------------------------------------------------------

    def let(self, s: Let, out: list[Statement]) -> None:
        args = self.values.all(s.args)
        if (known := self.fold(s, args)) is not None and known.type.dtype == s.var.type.dtype:
            self.values.values[s.var] = known
            return
        s = self.offset(replace(s, args=args))
        if s.op is ops.ADD and _is(s.args[1], 0) and s.var.type.is_integer:
            self.values.values[s.var] = s.args[0]
            return
        key = self.key(s)
        if key is not None and key in self.available:
            self.values.values[s.var] = self.available[key]
            return
        if key is not None:
            self.available[key] = s.var
        self.lets[s.var] = s
        out.append(s)

    def key(self, s: Let) -> tuple | None:
        if s.op is ops.LOAD:
            return self.load_key(s.args[0], s.args[1:])
        if s.op.effect is Effect.PURE:
            return (s.op, s.args, s.var.type)
        return None

    def load_key(self, array: Var, index: tuple[Value, ...]) -> tuple:
        self.loaded.setdefault(self.aliases.of(array), {})[array] = None
        return ("load", array, index, self.versions.get(array, 0))

    def touch(self, classes: set[Var]) -> None:
        """Forget the contents of arrays that were stored into."""
        for c in classes:
            for array in self.loaded.get(c, ()):
                self.versions[array] = self.versions.get(array, 0) + 1

    def touch_array(self, stored: Var) -> None:
        """Forget what a store into an array may change."""
        for array in self.loaded.get(self.aliases.of(stored), ()):
            if self.aliases.may_alias(array, stored):
                self.versions[array] = self.versions.get(array, 0) + 1

    def fold(self, s: Let, args: tuple[Value, ...]) -> Value | None:
        op = s.op
        if op is ops.CAST and isinstance(args[0], Const):
            return constant(s.var.type.dtype.type(args[0].value), s.var.type)
        if op is ops.CAST and args[0].type.dtype == s.var.type.dtype:
            return args[0]
        made = self.lets.get(args[0]) if op is ops.DIM else None
        if made is not None and made.op.effect is Effect.ALLOCATES and made.op is not ops.NEW_LIST:
            return made.args[args[1].value]
        if op is ops.DIM and args[0] in self.made:
            return self.made[args[0]][args[1].value]
        if op is ops.SELECT:
            if isinstance(args[0], Const):
                return args[1] if args[0].value else args[2]
            return args[1] if args[1] == args[2] else None
        if args and all(isinstance(a, Const) for a in args) and op in ops._TYPING:
            from zygopy.transform.build import _fold

            return _fold(op, args, s.var.type)
        return self.identity(op, args, s)

    def offset(self, s: Let) -> Let:
        """(x + 2) - 1 as x + 1, for integers."""
        if not (isinstance(s.var.type, Scalar) and s.var.type.is_integer and s.op in (ops.ADD, ops.SUB)):
            return s
        if isinstance(s.args[0], Const) and s.op is ops.ADD:
            s = replace(s, args=(s.args[1], s.args[0]))
        base, by = s.args
        if not isinstance(by, Const):
            return s
        total = by.value if s.op is ops.ADD else -by.value
        inner = self.lets.get(base)
        if inner is None or inner.op not in (ops.ADD, ops.SUB) or not isinstance(inner.args[1], Const):
            return s
        total += inner.args[1].value if inner.op is ops.ADD else -inner.args[1].value
        if total < 0:
            return replace(s, op=ops.SUB, args=(inner.args[0], integer(-total)))
        return replace(s, op=ops.ADD, args=(inner.args[0], integer(total)))

    def identity(self, op: ops.Op, args: tuple[Value, ...], s: Let) -> Value | None:
        """x * 1, x / 1, x - 0, not not x, and sums of integers with 0: exact for every x."""
        a = args[0] if args else None
        b = args[1] if len(args) > 1 else None
        if op is ops.MUL and _is(b, 1) or op is ops.DIV and _is(b, 1) or op is ops.SUB and _is(b, 0):
            return a
        if op is ops.MUL and _is(a, 1):
            return b
        if op is ops.ADD and s.var.type.is_integer and (_is(a, 0) or _is(b, 0)):
            return b if _is(a, 0) else a
        if op in (ops.NOT, ops.NEG) and (inner := self.lets.get(a)) is not None and inner.op is op:
            return inner.args[0]
        if op is ops.TRANSPOSE and (inner := self.lets.get(a)) is not None and inner.op is op:
            return inner.args[0] if _is_swap(args) and _is_swap(inner.args) else None
        if op in (ops.AND, ops.OR):
            return self.logic(op, a, b)
        if op in _ORDER and a.type.is_integer and b.type.is_integer:
            return self.order(op, a, b)
        return None

    def order(self, op: ops.Op, a: Value, b: Value) -> Value | None:
        """A comparison of integers that loop ranges decide."""
        gap = self.facts.affine(b) - self.facts.affine(a)
        if op in (ops.GE, ops.GT):
            gap = gap.scale(-1)
        if op in (ops.EQ, ops.NE):
            return constant(op is ops.EQ) if not gap.terms and not gap.constant else None
        if op in (ops.LT, ops.GT):
            gap = gap.shift(-1)
        if self.facts.never_negative(gap):
            return constant(True)
        return constant(False) if self.facts.never_negative(gap.scale(-1).shift(-1)) else None

    @staticmethod
    def logic(op: ops.Op, a: Value, b: Value) -> Value | None:
        for x, y in ((a, b), (b, a)):
            if isinstance(x, Const):
                return y if bool(x.value) is (op is ops.AND) else x
        return a if a is b else None

    # -- control flow ------------------------------------------------------------------------------------------------

    def for_loop(self, s: For, out: list[Statement]) -> None:
        s = replace(
            s,
            start=self.values.value(s.start),
            stop=self.values.value(s.stop),
            step=self.values.value(s.step),
            inits=self.values.all(s.inits),
            snapshots=s.snapshots and self.values.value(s.snapshots),
        )
        known = not self.open_program and all(isinstance(v, Const) for v in (s.start, s.stop, s.step))
        if known and not range(s.start.value, s.stop.value, s.step.value):
            self.values.values.update(zip(s.results, s.inits, strict=True))
            return
        if known and self.one_trip(s, out):
            return
        self.facts.ranges[s.index] = (s.start, s.stop, s.step)
        stored = self.aliases.stored(s.body)
        self.touch(stored)
        body = self.block(s.body, (s.key, 1), (s.mirror, 1))
        self.touch(stored)
        out.append(self.without_invariants(replace(s, body=body)))

    def one_trip(self, s: For, out: list[Statement]) -> bool:
        """Put the body of a loop of one trip in its place."""
        bounds = (s.start, s.stop, s.step)
        if not all(isinstance(v, Const) for v in bounds) or len(range(*(int(v.value) for v in bounds))) != 1:
            return False
        self.values.values[s.index] = s.start
        self.values.values.update(zip(s.params, s.inits, strict=True))
        for statement in s.body.statements:
            self.statement(statement, out)
        self.values.values.update(zip(s.results, map(self.values.value, s.body.yields), strict=True))
        return True

    def while_loop(self, s: While, out: list[Statement]) -> None:
        s = replace(s, inits=self.values.all(s.inits))
        stored = self.aliases.stored(s.body, s.test)
        self.touch(stored)
        test, body = self.block(s.test), self.block(s.body, (s.key, 1))
        self.touch(stored)
        if isinstance(test.yields[0], Const) and not test.yields[0].value:
            self.values.values.update(zip(s.results, s.inits, strict=True))
            return
        out.append(self.without_invariants(replace(s, test=test, body=body)))

    def without_invariants(self, s: For | While) -> For | While:
        """Drop parameters that each trip hands on unchanged, and those that are always equal to another."""
        keep = []
        first: dict[tuple, int] = {}
        for k, (param, init) in enumerate(zip(s.params, s.inits, strict=True)):
            end = self.values.value(s.body.yields[k])
            if end is param or end == init:
                self.values.values[param] = init
                self.values.values[s.results[k]] = init
            elif (twin := first.setdefault((init, end, param.type), k)) != k:
                self.values.values[param] = s.params[twin]
                self.values.values[s.results[k]] = s.results[twin]
            else:
                keep.append(k)
        if len(keep) == len(s.params):
            return s
        s = replace(
            s,
            params=tuple(s.params[k] for k in keep),
            inits=tuple(s.inits[k] for k in keep),
            results=tuple(s.results[k] for k in keep),
            body=Block(s.body.statements, tuple(s.body.yields[k] for k in keep)),
        )
        return Substitution(self.values.values).statement(s)

    def branch(self, s: If, out: list[Statement]) -> None:
        test = self.values.value(s.test)
        if isinstance(test, Const):
            chosen = s.then if test.value else s.orelse
            for statement in chosen.statements:
                self.statement(statement, out)
            for result, value in zip(s.results, chosen.yields, strict=True):
                self.values.values[result] = self.values.value(value)
            return
        versions = dict(self.versions)
        then = self.block(s.then, (s.key, 0), (s.mirror, 0))
        self.versions = versions
        orelse = self.block(s.orelse, (s.key, 1), (s.mirror, 1))
        self.touch(self.aliases.stored(s.then, s.orelse))
        keep = []
        for k, result in enumerate(s.results):
            a, b = then.yields[k], orelse.yields[k]
            if a == b:
                self.values.values[result] = a
            elif _is_bool(a, True) and _is_bool(b, False):
                self.values.values[result] = test
            else:
                keep.append(k)
        s = replace(
            s,
            test=test,
            then=Block(then.statements, tuple(then.yields[k] for k in keep)),
            orelse=Block(orelse.statements, tuple(orelse.yields[k] for k in keep)),
            results=tuple(s.results[k] for k in keep),
        )
        if s.results or s.then.statements or s.orelse.statements:
            out.append(s)


def _is_swap(args: tuple[Value, ...]) -> bool:
    """Whether the arguments of a TRANSPOSE are those of a matrix.T."""
    return args[1:] == (integer(1), integer(0))


def _is(value: Value | None, number: int) -> bool:
    return isinstance(value, Const) and not isinstance(value.value, bool) and value.value == number


def _is_bool(value: Value, wanted: bool) -> bool:
    return isinstance(value, Const) and value.type.is_bool and bool(value.value) is wanted


# -- dead code -------------------------------------------------------------------------------------------------------


def remove_dead(function: Function) -> Function:
    """Remove what nothing reads: values, loop parameters, arrays that are only stored into."""
    live: set[Var] = {v for v in leaves(function.results) if isinstance(v, Var)}
    body = _Dead(live, alias_classes(function.body), _unread(function), _sized(function)).block(function.body)
    return replace(function, body=body)


def _unread(function: Function) -> set[Var]:
    """The classes of arrays that the function makes and nobody reads; what it returns or was given is read."""
    aliases = alias_classes(function.body)
    made = {aliases.of(v) for v in allocations(function)}
    kept = (*leaves(function.results), *param_vars(function))
    read = {aliases.of(v) for v in kept if isinstance(v, Var) and isinstance(v.type, Array)}
    return made - read - {aliases.of(array) for s in walk(function.body) for array in read_arrays(s)}


def _sized(function: Function) -> set[Value]:
    """The lists whose length somebody asks for."""
    return {s.args[0] for s in walk(function.body) if isinstance(s, Let) and s.op is ops.CAPACITY}


class _Dead:
    """One walk backwards with the set of variables that are read later, and the arrays that nobody reads."""

    def __init__(self, live: set[Var], aliases: AliasClasses, unread: set[Var], sized: set[Value]):
        self.live, self.aliases, self.unread, self.sized = live, aliases, unread, sized

    def use(self, values) -> None:
        self.live.update([v for v in values if isinstance(v, Var)])

    def block(self, block: Block) -> Block:
        self.use(block.yields)
        out: list[Statement] = []
        for statement in reversed(block.statements):
            if (kept := self.statement(statement)) is not None:
                out.append(kept)
        return replace(block, statements=tuple(reversed(out)))

    def statement(self, s: Statement) -> Statement | None:
        match s:
            case Let():
                if s.var not in self.live:
                    return None
            case Store():
                if self.aliases.of(s.array) in self.unread:
                    return None
            case Kernel():
                if all(self.aliases.of(out) in self.unread and out not in self.sized for out in s.outs):
                    return None
            case For() | While():
                return self.loop(s)
            case If():
                return self.branch(s)
        self.use(operands(s))
        return s

    def loop(self, s: For | While) -> For | While | None:
        keep = {k for k, r in enumerate(s.results) if r in self.live}
        while True:
            trial = _Dead(set(self.live), self.aliases, self.unread, self.sized)
            body = Block(s.body.statements, tuple(s.body.yields[k] for k in sorted(keep)))
            new_body = trial.block(body)
            new_test = trial.block(s.test) if isinstance(s, While) else None
            more = {k for k, p in enumerate(s.params) if p in trial.live} | keep
            if more == keep:
                break
            keep = more
        if not keep and not _has_effect(new_body) and isinstance(s, For) and s.index not in self.live:
            return None  # an open program's reverse part may name the index
        if isinstance(s, While) and not keep and not _has_effect(new_body) and not _has_effect(new_test):
            return None
        order = sorted(keep)
        pick = lambda items: tuple(items[k] for k in order)  # noqa: E731
        changes = {"test": new_test} if isinstance(s, While) else {}
        s = replace(s, params=pick(s.params), inits=pick(s.inits), results=pick(s.results), body=new_body, **changes)
        self.live |= trial.live
        self.use(operands(s))
        return s

    def branch(self, s: If) -> If | None:
        keep = [k for k, r in enumerate(s.results) if r in self.live]
        then = self.block(Block(s.then.statements, tuple(s.then.yields[k] for k in keep)))
        orelse = self.block(Block(s.orelse.statements, tuple(s.orelse.yields[k] for k in keep)))
        if not (keep or then.statements or orelse.statements):
            return None
        self.use((s.test,))
        return replace(s, then=then, orelse=orelse, results=tuple(s.results[k] for k in keep))


def _has_effect(block: Block) -> bool:
    return bool(block.statements)
