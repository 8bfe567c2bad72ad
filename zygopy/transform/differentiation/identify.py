"""Numbering arrays: shadows for array variables that loops rebind.

    u = a                                    u = a; u_id = 0
    for k in range(n):                       for k in range(n):
        w = np.empty(m)           ->             w = np.empty(m); w_id = counter[0]; counter[0] += 1
        ...                                      ...
        u = w                                    u = w; u_id = w_id

An alias class whose arrays are rebound in a loop, other than by swapping, gets a *pool*: the shadow of the array with
number k is row k. Numbers flow through loops and branches as their arrays do, and reach the reverse part as any
integer does.
"""

from dataclasses import dataclass, field

from zygopy.errors import UnsupportedError
from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Call,
    Check,
    Effect,
    For,
    Function,
    If,
    Let,
    Statement,
    Store,
    Value,
    Var,
    While,
    param_vars,
    replace,
    walk,
)
from zygopy.transform.memory import AliasClasses, permutes
from zygopy.transform.types import INT, INT64, Array


@dataclass
class Numbers:
    """Which arrays are numbered: their numbers, and for each class its arrays and how many rows its pool needs."""

    ids: dict[Var, Value] = field(default_factory=dict)
    roots: dict[Var, list[Var | Let]] = field(default_factory=dict)
    counters: dict[Var, Var] = field(default_factory=dict)
    views: dict[Var, Let] = field(default_factory=dict)  # views of numbered arrays
    reshaped: dict[Var, Let] = field(default_factory=dict)  # those of them that are whole arrays in another shape

    def rows(self, class_: Var, b: Builder) -> Value:
        """The number of arrays of a class, known at the end of the forward part."""
        if class_ in self.counters:
            return b.let(ops.LOAD, (self.counters[class_], integer(0)), INT, "rows")
        return integer(len(self.roots[class_]))


def identify(function: Function, classes: set[Var], aliases: AliasClasses) -> tuple[Function, Numbers]:
    """Number the arrays of the given alias classes."""
    if not classes:
        return function, Numbers()
    return _Identify(function, classes, aliases).run()


def rebound_classes(function: Function, aliases: AliasClasses) -> set[Var]:
    """The classes of arrays that a loop rebinds other than by swapping, or a branch takes from inner control flow."""
    found = set()
    for s in walk(function.body):
        if isinstance(s, For | While) and not permutes(s):
            found |= {aliases.of(p) for p in s.params if isinstance(p.type, Array)}
        elif isinstance(s, If):
            for block in (s.then, s.orelse):
                joined = {v for t in block.statements if isinstance(t, For | While | If) for v in t.results}
                found |= {aliases.of(y) for y in block.yields if y in joined and isinstance(y.type, Array)}
    return found


class _Identify:
    def __init__(self, function: Function, classes: set[Var], aliases: AliasClasses):
        self.function, self.classes, self.aliases = function, classes, aliases
        self.numbers = Numbers(roots={c: [] for c in classes})
        self.fixed = dict.fromkeys(classes, 0)  # how many arrays are made outside loops
        self.definitions = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        self.facts = Facts(self.definitions, sharing=True)
        self.asked: dict[tuple[Var, int], Var] = {}  # the variables that hold lengths of arrays

    def run(self) -> tuple[Function, Numbers]:
        for var in param_vars(self.function):
            if self.is_numbered(var):
                self.add_root(var, var)
        body = self.block(self.function.body, in_loop=False)
        self.note_equal_lengths()
        for view in self.numbers.reshaped.values():
            self.check_one_shape(view)
        start = Builder(self.function.loc)
        for class_, counter in self.numbers.counters.items():
            start.emit(Let(counter, ops.EMPTY, (integer(1),), start.loc))
            start.emit(Store(counter, (integer(0),), integer(self.fixed[class_]), None, start.loc))
        return replace(self.function, body=Block((*start.statements, *body.statements), body.yields)), self.numbers

    def is_numbered(self, value: Value) -> bool:
        return isinstance(value, Var) and isinstance(value.type, Array) and self.aliases.of(value) in self.classes

    def add_root(self, var: Var, root: Var | Let) -> None:
        """Give an array that is made once the next fixed number."""
        class_ = self.aliases.of(var)
        self.numbers.ids[var] = integer(self.fixed[class_])
        self.fixed[class_] += 1
        self.numbers.roots[class_].append(root)

    def block(self, block: Block, in_loop: bool) -> Block:
        out: list[Statement] = []
        for s in block.statements:
            self.statement(s, in_loop, out)
        return replace(block, statements=tuple(out))

    def statement(self, s: Statement, in_loop: bool, out: list[Statement]) -> None:
        match s:
            case Let() if self.is_numbered(s.var):
                out.append(s)
                self.let(s, in_loop, out)
            case Call():
                out.append(s)
                for r, shape in zip(s.results, s.shapes, strict=True):
                    if self.is_numbered(r):
                        self.result(r, shape, s, in_loop, out)
            case For() | While():
                out.append(self.loop(s))
            case If():
                out.append(self.branch(s, in_loop))
            case _:
                out.append(s)

    def let(self, s: Let, in_loop: bool, out: list[Statement]) -> None:
        if s.op in ops.VIEWS:
            self.numbers.views[s.var] = s
            if s.op is ops.RESHAPE:
                if s.args[0] not in self.numbers.ids:
                    raise _slice_of_another(s)
                self.numbers.reshaped[s.var] = s
            return
        assert s.op.effect is Effect.ALLOCATES
        self.made(s, in_loop, out)

    def result(self, r: Var, shape: tuple, s: Call, in_loop: bool, out: list[Statement]) -> None:
        """Number an array that a call makes."""
        if None not in shape:
            self.definitions[r] = Let(r, ops.EMPTY, shape, s.loc)
            self.made(self.definitions[r], in_loop, out)
        elif in_loop:
            raise UnsupportedError(
                "an array that a loop rebinds has a size that a function in the loop computes; this is not supported",
                s.loc,
                help="copy the result into an array of known shape: out[:] = f(x)",
            )
        else:
            self.add_root(r, r)

    def made(self, s: Let, in_loop: bool, out: list[Statement]) -> None:
        if not in_loop:
            self.add_root(s.var, s)
            return
        class_ = self.aliases.of(s.var)
        counter = self.numbers.counters.setdefault(class_, Var("counter", Array(INT64, 1)))
        b = Builder(s.loc)
        number = b.load(counter, (integer(0),), f"{s.var.name}_id")
        b.store(counter, (integer(0),), b.add(number, integer(1)))
        out += b.statements
        self.numbers.ids[s.var] = number
        self.numbers.roots[class_].append(s)

    def check_one_shape(self, view: Let) -> None:
        """A row of a pool is longer than its array unless all arrays of a class have one shape."""
        roots = self.numbers.roots[self.aliases.of(view.var)]
        if len({tuple(map(self.length, _lengths(root))) for root in roots}) > 1:
            raise _slice_of_another(view)

    def length(self, n: Value | tuple[Var, int]) -> tuple[int, frozenset]:
        """A length, the same for all that are known to equal it; (a, k) is that of an axis."""
        form = self.facts.resolved(self.axis(*n) if isinstance(n, tuple) else self.form(n))
        return form.constant, frozenset(form.terms)

    def form(self, n: Value) -> Affine:
        """A length by those of arguments, as far as it is known."""
        form = self.facts.affine(n)
        total = Affine(form.constant)
        for symbol, coefficient in form.terms:
            let = self.definitions.get(symbol)
            is_asked = let is not None and let.op is ops.DIM
            own = self.axis(let.args[0], let.args[1].value) if is_asked else Affine(0, ((symbol, 1),))
            total += own.scale(coefficient)
        return total

    def axis(self, array: Var, k: int) -> Affine:
        """The length of an axis of an array."""
        if k in array.type.ones:
            return Affine(1)
        made = self.definitions.get(array)
        if made is not None and made.op.effect is Effect.ALLOCATES:
            return self.form(made.args[k])
        return self.facts.affine(self.asked.setdefault((array, k), Var("n", INT)))

    def note_equal_lengths(self) -> None:
        """What the tests at entry say."""
        for let in self.definitions.values():
            if let.op is ops.DIM:
                self.asked.setdefault((let.args[0], let.args[1].value), let.var)
        for s in self.function.body.statements:
            test = self.definitions.get(s.test) if isinstance(s, Check) else None
            if test is not None and test.op is ops.EQ and all(a.type.is_integer for a in test.args):
                self.facts.take_as_zero(self.facts.affine(test.args[0]) - self.facts.affine(test.args[1]))

    def number(self, array: Var) -> Value:
        if (view := self.numbers.views.get(array)) is not None:
            raise _slice_of_another(view)
        return self.numbers.ids[array]

    def extra(self, vars: tuple[Var, ...]) -> tuple[list[int], tuple[Var, ...]]:
        """The positions of numbered arrays, and a variable for the number of each."""
        slots = [k for k, v in enumerate(vars) if self.is_numbered(v)]
        numbers = tuple(Var(f"{vars[k].name}_id", INT) for k in slots)
        self.numbers.ids.update((vars[k], n) for k, n in zip(slots, numbers, strict=True))
        return slots, numbers

    def loop(self, s: For | While) -> For | While:
        inits = tuple(self.number(i) for i in s.inits if self.is_numbered(i))
        slots, params = self.extra(s.params)
        body = self.block(s.body, in_loop=True)
        yields = tuple(self.number(s.body.yields[k]) for k in slots)
        _, results = self.extra(s.results)
        return replace(
            s,
            params=(*s.params, *params),
            inits=(*s.inits, *inits),
            body=Block(body.statements, (*body.yields, *yields)),
            results=(*s.results, *results),
        )

    def branch(self, s: If, in_loop: bool) -> If:
        then, orelse = self.block(s.then, in_loop), self.block(s.orelse, in_loop)
        slots, results = self.extra(s.results)

        def side(block: Block) -> Block:
            return Block(block.statements, (*block.yields, *(self.number(block.yields[k]) for k in slots)))

        return replace(s, then=side(then), orelse=side(orelse), results=(*s.results, *results))


def _lengths(root: Var | Let) -> tuple:
    return root.args if isinstance(root, Let) else tuple((root, k) for k in range(root.type.ndim))


def _slice_of_another(view: Let) -> UnsupportedError:
    return UnsupportedError(
        "an array variable that a loop rebinds is here a slice of another array; this is not supported",
        view.loc,
        help="copy the slice: x[...].copy()",
    )


def pool_shape(roots: list[Var | Let], visible: set[Var], b: Builder) -> tuple[Value, ...]:
    """A shape that holds each array of a class."""
    shape: list[Value] | None = None
    for root in roots:
        if isinstance(root, Let):
            if any(isinstance(n, Var) and n not in visible for n in root.args):
                raise UnsupportedError(
                    "an array that a loop rebinds has a size computed in the loop; this is not supported",
                    root.loc,
                    help="compute the size before the loop",
                )
            dims = list(root.args)
        else:
            dims = [b.dim(root, k) for k in range(root.type.ndim)]
        if shape is None:
            shape = dims
        else:
            shape = [m if m is n or m == n else b.apply(ops.INT_MAX, m, n) for m, n in zip(shape, dims, strict=True)]
    assert shape is not None
    return tuple(shape)
