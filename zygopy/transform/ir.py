"""The grammar of the IR: structured, typed SSA with arrays as references to memory.

    function  = Function(name, params, body, callees)   callees: the functions that it keeps, each with its own name
    block     = Block(statements, yields)
    statement = Let(var, op, args)                     one operation, one result
              | Store(array, index, value, add)        array[index] = value; += if add is an Op
              | Kernel(op, outs, args)                 a library routine that fills whole arrays
              | Call(callee, args, results, stores)    a kept function; array results are new arrays
              | For(index, start, stop, step, params, inits, body, results)
              | While(params, inits, test, body, results)
              | If(test, then, orelse, results)
              | Check(test, error, message, parts)     raises unless test holds; parts: a message with numbers in it
              | Print(args)
              | Push(stack, values) | Pop(vars, stack) a growing tape, its rows or records read back in reverse order
              | Launch(kernel, extents, args)          a function whose outer loops threads of a GPU share out
    value     = Var(name, type) | Const(value, type)

Loops and branches yield: a loop's `params` start as `inits`, take the body's yields after each trip and leave as
`results`; an If's `results` are the yields of the branch that ran. Memory order is statement order. Nodes are frozen,
a Var is one definition (compared by identity), and every statement has a loc. What passes ask of a block again and
again is kept with it (`remembered`), so a pass gives back the same nodes where it changes nothing (`replace`).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, wraps
from operator import is_
from typing import TypeVar

from zygopy.errors import Loc
from zygopy.transform.records import rebuilt
from zygopy.transform.types import Scalar, Type


class Var:
    """One definition; `name` is a hint for emission, identity is what counts."""

    __slots__ = ("name", "type")

    def __init__(self, name: str, type: Type):
        self.name, self.type = name, type

    def __repr__(self) -> str:
        return f"{self.name}:{self.type}"


@dataclass(frozen=True)
class Const:
    """A number known at compile time; -0.0 and 0.0 differ, nan equals itself."""

    value: object
    type: Scalar

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Const) and self._key == other._key)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _key(self) -> tuple:
        return (repr(self.value), self.type)

    @cached_property
    def _hash(self) -> int:
        return hash(self._key)


Value = Var | Const


class Effect(Enum):
    """What an operation does beside giving its result; passes ask nothing else."""

    PURE = "pure"
    READS = "reads"  # array memory
    ALLOCATES = "allocates"


@dataclass(frozen=True)
class Op:
    """An operation of a Let; `text` is how emission writes it, operands as {0}, {1}, ...

    `precedence` is Python's, from 1 (`or`) to 20 (calls, names); `cheap` means: rather computed again than stored.
    """

    name: str
    text: str = field(compare=False)
    precedence: int = field(default=20, compare=False)
    effect: Effect = field(default=Effect.PURE, compare=False)
    cheap: bool = field(default=True, compare=False)

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is type(self) and self.name == other.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Block:
    statements: tuple["Statement", ...]
    yields: tuple[Value, ...] = ()


@dataclass(frozen=True)
class Let:
    var: Var
    op: Op
    args: tuple[Value, ...]
    loc: Loc


@dataclass(frozen=True)
class Store:
    array: Var
    index: tuple[Value, ...]
    value: Value
    add: Op | None  # ADD for the user's +=, SUM for adjoints, whose order is free
    loc: Loc


@dataclass(frozen=True)
class Kernel:
    """Reads its `args`, arrays and numbers, and fills the arrays `outs`, which share no memory with them."""

    op: Op
    outs: tuple[Var, ...]
    args: tuple[Value, ...]
    loc: Loc


class Callee:
    """What calls name a kept function by; `name` is a hint for emission, identity is what counts."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Call:
    """Runs a kept function on numbers, arrays and arenas.

    Array results are new arrays, of which nothing else knows; `shapes` has their lengths as far as they are known, for
    each result. The callee stores into the arguments at the positions `stores` only.
    """

    callee: Callee
    args: tuple[Value, ...]
    results: tuple[Var, ...]
    shapes: tuple[tuple[Value | None, ...], ...]
    loc: Loc
    stores: tuple[int, ...] = ()

    @property
    def stored(self) -> tuple[Var, ...]:
        """The arguments that the callee stores into."""
        return tuple(a for k in self.stores if isinstance(a := self.args[k], Var))


@dataclass(frozen=True)
class For:
    """`key` names the loop across passes; `mirror` is the key of the loop that this one runs backwards.

    `parallel`: trips meet in nothing but sums whose order is free. `short`: it runs over one strip of a longer loop.
    `snapshots`: how many copies of its state `reverse` may keep, which else keeps something of each trip.
    """

    index: Var
    start: Value
    stop: Value
    step: Value
    params: tuple[Var, ...]
    inits: tuple[Value, ...]
    body: Block
    results: tuple[Var, ...]
    loc: Loc
    key: int
    mirror: int | None = None
    parallel: bool = False
    short: bool = False
    snapshots: Value | None = None


@dataclass(frozen=True)
class While:
    """`test` yields one bool; it sees the params, and the body does not see into it."""

    params: tuple[Var, ...]
    inits: tuple[Value, ...]
    test: Block
    body: Block
    results: tuple[Var, ...]
    loc: Loc
    key: int


@dataclass(frozen=True)
class If:
    test: Value
    then: Block
    orelse: Block
    results: tuple[Var, ...]
    loc: Loc
    key: int
    mirror: int | None = None


@dataclass(frozen=True)
class Check:
    """`parts` is the message with the numbers that only run time knows; they stand as their source in `message`."""

    test: Value
    error: type[Exception]
    message: str
    loc: Loc
    parts: tuple[str | Value, ...] = ()


@dataclass(frozen=True)
class Print:
    """`template` holds the user's text with {} for each of `args`, printed by one call of print."""

    parts: tuple[str | None, ...]
    args: tuple[Value, ...]
    loc: Loc


@dataclass(frozen=True)
class Push:
    stack: Var
    values: tuple[Value, ...]
    loc: Loc


@dataclass(frozen=True)
class Pop:
    vars: tuple[Var, ...]
    stack: Var
    loc: Loc


@dataclass(frozen=True)
class Launch:
    """Runs a Function of its own: its outer parallel loops, of `extents` trips, are shared out to threads.

    It stores all that it computes; the variables of its parameters are those of `args`.
    """

    kernel: "Function"
    extents: tuple[Value, ...]
    args: tuple[Value, ...]
    loc: Loc


Statement = Let | Store | Kernel | Call | For | While | If | Check | Print | Push | Pop | Launch

Leaves = Value | tuple["Leaves", ...]  # a number or array, or a tuple or Record of such, nested


@dataclass(frozen=True)
class Param:
    """One parameter of the Python signature; a tuple argument has a tree of leaves."""

    name: str
    leaves: Leaves
    default: object = field(default=None, compare=False)


@dataclass(frozen=True)
class Function:
    """`results` is the tree of what is returned; its leaves are values of the body's scope.

    The body yields the leaves in order. A kept function has a parameter for each leaf and a flat tuple of results; the
    functions that it calls stand in the `callees` of the main one.
    """

    name: str
    params: tuple[Param, ...]
    body: Block
    results: Leaves
    loc: Loc
    callees: tuple[tuple[Callee, "Function"], ...] = ()


Node = TypeVar("Node")
Answer = TypeVar("Answer")


def replace(node: Node, **changes) -> Node:
    """A node with some of its fields changed; the node itself where they are what they were."""
    old = node.__dict__
    for name, value in changes.items():
        if not _same(old[name], value):
            return _another(node, **changes)
    return node


def _another(node: Node, **changes) -> Node:
    """A new node, with some fields changed."""
    old, new = node.__dict__, object.__new__(type(node))
    for name in type(node).__match_args__:  # the fields of a dataclass
        new.__dict__[name] = changes[name] if name in changes else old[name]
    return new


def _same(a: object, b: object) -> bool:
    return a is b or (type(a) is tuple and type(b) is tuple and len(a) == len(b) and all(map(is_, a, b)))


def remembered(find: Callable[[Block], Answer]) -> Callable[[Block], Answer]:
    """A question about a block, whose answer is kept with the block."""
    key = f"{find.__module__}.{find.__qualname__}"

    @wraps(find)
    def ask(block: Block) -> Answer:
        answers = block.__dict__
        if key not in answers:
            answers[key] = find(block)
        return answers[key]

    return ask


_keys = itertools.count(1)


def new_key() -> int:
    """A fresh name for a loop or branch."""
    return next(_keys)


def leaves(tree: Leaves) -> list[Value]:
    """The leaves of a tree, left to right."""
    if isinstance(tree, tuple):
        return [leaf for item in tree for leaf in leaves(item)]
    return [tree]


def map_leaves(f: Callable, tree: Leaves) -> Leaves:
    """The tree with `f` applied to each leaf."""
    if isinstance(tree, tuple):
        return rebuilt(tree, (map_leaves(f, item) for item in tree))
    return f(tree)


def param_vars(function: Function) -> list[Var]:
    """The variables that a function's parameters define."""
    return [v for p in function.params for v in leaves(p.leaves) if isinstance(v, Var)]


def blocks(statement: Statement) -> tuple[Block, ...]:
    """The blocks nested directly in a statement."""
    if isinstance(statement, Let | Store):  # most of them
        return ()
    match statement:
        case For():
            return (statement.body,)
        case While():
            return (statement.test, statement.body)
        case If():
            return (statement.then, statement.orelse)
    return ()


def with_blocks(statement: Statement, change: Callable[[Block], Block]) -> Statement:
    """The statement with its blocks changed."""
    match statement:
        case For():
            return replace(statement, body=change(statement.body))
        case While():
            return replace(statement, test=change(statement.test), body=change(statement.body))
        case If():
            return replace(statement, then=change(statement.then), orelse=change(statement.orelse))
    return statement


def operands(statement: Statement) -> tuple[Value, ...]:
    """The values a statement itself reads, those of nested blocks left out."""
    match statement:
        case Let():
            return statement.args
        case Store():
            return (statement.array, *statement.index, statement.value)
        case Kernel():
            return (*statement.outs, *statement.args)
        case Call():
            return (*statement.args, *(n for shape in statement.shapes for n in shape if n is not None))
        case For():
            kept = () if statement.snapshots is None else (statement.snapshots,)
            return (statement.start, statement.stop, statement.step, *statement.inits, *kept)
        case While():
            return statement.inits
        case If():
            return (statement.test,)
        case Check():
            return (statement.test, *(p for p in statement.parts if not isinstance(p, str)))
        case Print():
            return statement.args
        case Push():
            return (statement.stack, *statement.values)
        case Pop():
            return (statement.stack,)
        case Launch():
            return (*statement.extents, *statement.args)


def defined(statement: Statement) -> tuple[Var, ...]:
    """The variables a statement defines in its own block."""
    match statement:
        case Let():
            return (statement.var,)
        case For() | While() | If() | Call():
            return statement.results
        case Pop():
            return statement.vars
    return ()


def block_params(statement: Statement) -> tuple[Var, ...]:
    """The variables a loop defines at the start of its blocks."""
    match statement:
        case For():
            return (statement.index, *statement.params)
        case While():
            return statement.params
    return ()


def everywhere(change: Callable[["Function"], "Function"], function: "Function") -> "Function":
    """The function, and those that it keeps, changed."""
    callees = tuple((callee, change(kept)) for callee, kept in function.callees)
    return replace(change(function), callees=callees)


def with_reachable(function: "Function", known: dict[Callee, "Function"]) -> "Function":
    """The function with those kept functions that it or they call, each behind those that it calls first."""
    found: dict[Callee, Function] = {}

    def visit(body: Block, around: set[Callee]) -> None:
        for s in walk(body):
            if isinstance(s, Call) and s.callee not in found and s.callee not in around:
                kept = known[s.callee]
                visit(kept.body, around | {s.callee})
                found[s.callee] = kept

    visit(function.body, set())
    return replace(function, callees=tuple(found.items()))


@remembered
def walk(block: Block) -> tuple[Statement, ...]:
    """Every statement of a block and of the blocks nested in it, in program order."""
    found: list[Statement] = []
    for statement in block.statements:
        found.append(statement)
        for inner in blocks(statement):
            found += walk(inner)
    return tuple(found)


def within(statement: Statement) -> tuple[Statement, ...]:
    """A statement and every statement nested in it, in program order."""
    return (statement, *(s for inner in blocks(statement) for s in walk(inner)))


@remembered
def _defined_in(block: Block) -> frozenset[Var]:
    """What a block and the blocks nested in it define."""
    found: set[Var] = set()
    for s in block.statements:
        found.update(defined(s))
        found.update(block_params(s))
        found.update(*map(_defined_in, blocks(s)))
    return frozenset(found)


def defined_inside(loop: For | While) -> set[Var]:
    """The variables that change from trip to trip: those a loop defines at the start of its blocks and inside them."""
    return set(block_params(loop)).union(*map(_defined_in, blocks(loop)))


@remembered
def free_values(block: Block) -> dict[Var, None]:
    """The variables a block reads but does not define, in order of first use."""
    bound: set[Var] = set()
    free: dict[Var, None] = {}

    def use(values):
        for value in values:
            if isinstance(value, Var) and value not in bound:
                free[value] = None

    for statement in block.statements:
        use(operands(statement))
        bound.update(block_params(statement))
        for inner in blocks(statement):
            use(free_values(inner))
            bound.update(_defined_in(inner))
        bound.update(defined(statement))
    use(block.yields)
    return free


class Substitution:
    """Copies statements with variables replaced; `define` says what becomes of a definition (default: kept)."""

    def __init__(self, values: dict[Var, Value], define: Callable[[Var], Var] | None = None):
        self.values, self.define = dict(values), define
        self._changed = replace if define is None else _another  # a copy shares no statement with what it copies

    def value(self, value: Value) -> Value:
        return self.values.get(value, value) if isinstance(value, Var) else value

    def all(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        """The values for several."""
        known = self.values
        return tuple([known.get(v, v) if isinstance(v, Var) else v for v in values])

    def _define(self, var: Var) -> Var:
        if self.define is None:
            return var
        self.values[var] = new = self.define(var)
        return new

    def _defines(self, vars: tuple[Var, ...]) -> tuple[Var, ...]:
        return tuple(self._define(v) for v in vars)

    def block(self, block: Block) -> Block:
        statements = tuple(self.statement(s) for s in block.statements)
        return self._changed(block, statements=statements, yields=self.all(block.yields))

    def statement(self, s: Statement) -> Statement:
        fresh = new_key if self.define is not None else (lambda: s.key)
        match s:
            case Let():
                args = self.all(s.args)
                return self._changed(s, args=args, var=self._define(s.var))
            case Store():
                return self._changed(s, array=self.value(s.array), index=self.all(s.index), value=self.value(s.value))
            case Kernel():
                return self._changed(s, outs=self.all(s.outs), args=self.all(s.args))
            case Call():
                shapes = tuple(tuple(n if n is None else self.value(n) for n in shape) for shape in s.shapes)
                return self._changed(s, args=self.all(s.args), shapes=shapes, results=self._defines(s.results))
            case For():
                start, stop, step, inits = (
                    self.value(s.start),
                    self.value(s.stop),
                    self.value(s.step),
                    self.all(s.inits),
                )
                index, params = self._define(s.index), self._defines(s.params)
                body = self.block(s.body)
                return self._changed(
                    s,
                    index=index,
                    start=start,
                    stop=stop,
                    step=step,
                    params=params,
                    inits=inits,
                    body=body,
                    results=self._defines(s.results),
                    key=fresh(),
                    snapshots=s.snapshots and self.value(s.snapshots),
                )
            case While():
                inits, params = self.all(s.inits), self._defines(s.params)
                test, body = self.block(s.test), self.block(s.body)
                results = self._defines(s.results)
                return self._changed(s, params=params, inits=inits, test=test, body=body, results=results, key=fresh())
            case If():
                test, then, orelse = self.value(s.test), self.block(s.then), self.block(s.orelse)
                return self._changed(
                    s, test=test, then=then, orelse=orelse, results=self._defines(s.results), key=fresh()
                )
            case Check():
                parts = tuple(p if isinstance(p, str) else self.value(p) for p in s.parts)
                return self._changed(s, test=self.value(s.test), parts=parts)
            case Print():
                return self._changed(s, args=self.all(s.args))
            case Push():
                return self._changed(s, stack=self.value(s.stack), values=self.all(s.values))
            case Pop():
                return self._changed(s, stack=self.value(s.stack), vars=self._defines(s.vars))
        raise AssertionError(s)
