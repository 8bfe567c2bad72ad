"""Which array variables may share memory: alias classes, and the classes that a piece of code stores into.

Views, loops and branches unite the classes of the arrays that they connect; distinct parameters and allocations stay
apart, since overlap of a stored argument with another is refused at entry.
"""

from collections.abc import Iterable
from functools import reduce

from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import (
    Block,
    Call,
    Effect,
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
    free_values,
    param_vars,
    remembered,
    walk,
)
from zygopy.transform.types import Array, Stack


class AliasClasses:
    """Union-find over array variables; `of(x)` is the representative of x's class.

    Tied arrays are one class, since `settle` may make them one array; not so where derivatives are concerned.
    """

    def __init__(self, block: Block, tied: bool = True):
        self._tied = tied
        self._parent: dict[Var, Var] = {}
        self._buffers: dict[Var, tuple[tuple[int, str], int]] = {}  # which of the distinct buffers that a loop swaps
        self._made: set[Var] = set()
        for statement in _connecting(block):
            self._visit(statement)
            if isinstance(statement, Let) and statement.op.effect is Effect.ALLOCATES:
                self._made.add(statement.var)
            elif isinstance(statement, Call):
                self._made.update(statement.results)
            elif isinstance(statement, For | While) and permutes(statement):
                self._swaps(statement)

    def _swaps(self, s: For | While) -> None:
        """Note that the arrays a loop swaps are distinct, if they are so at first."""
        slots = [k for k, p in enumerate(s.params) if isinstance(p.type, Array)]
        inits = {s.inits[k] for k in slots}
        if inits <= self._made or self._are_distinct(inits):
            for k in slots:
                self._buffers[s.params[k]] = ((s.key, "in the loop"), k)
                self._buffers[s.results[k]] = ((s.key, "after it"), k)

    def _are_distinct(self, arrays: set[Value]) -> bool:
        buffers = {self._buffers.get(a) for a in arrays}
        return None not in buffers and len(buffers) == len(arrays) and len({group for group, _ in buffers}) == 1

    def of(self, var: Var) -> Var:
        root = var
        while (up := self._parent.get(root, root)) is not root:
            root = up
        while self._parent.get(var, var) is not root:
            self._parent[var], var = root, self._parent.get(var, var)
        return root

    def _unite(self, a: object, b: object) -> None:
        if isinstance(a, Var) and isinstance(a.type, Array):
            self._parent[self.of(a)] = self.of(b)

    def _visit(self, s: Statement) -> None:
        match s:
            case Let() if s.op in ops.VIEWS:
                self._unite(s.var, s.args[0])
                if s.args[0] in self._buffers:
                    self._buffers[s.var] = self._buffers[s.args[0]]
            case Kernel() if isinstance(s.op, ops.Tied) and self._tied:
                for out, value in zip(s.outs, s.args, strict=False):
                    self._unite(out, value)
            case For() | While():
                for a, b, c, d in zip(s.params, s.inits, s.body.yields, s.results, strict=True):
                    self._unite(a, b)
                    self._unite(a, c)
                    self._unite(a, d)
            case If():
                for a, b, c in zip(s.results, s.then.yields, s.orelse.yields, strict=True):
                    self._unite(a, b)
                    self._unite(a, c)

    def members(self, var: Var) -> list[Var]:
        """The array variables of a class that are in it for another reason than being alone."""
        root = self.of(var)
        return [var, *(v for v in self._parent if v is not var and self.of(v) is root)]

    def may_alias(self, a: Var, b: Var) -> bool:
        """Whether two array variables, both in scope, may share memory."""
        if self.of(a) is not self.of(b):
            return False
        if a is b:
            return True
        return not self._are_distinct({a, b})

    def stored(self, *blocks: Block) -> set[Var]:
        """The classes that blocks, with all that is nested in them, store into."""
        return {self.of(a) for block in blocks for a in _stored_in(block)}


@remembered
def alias_classes(block: Block) -> AliasClasses:
    """The alias classes of a program."""
    return AliasClasses(block)


@remembered
def _connecting(block: Block) -> tuple[Statement, ...]:
    """The statements of a block, and of those nested in it, that define arrays or tie them to each other."""
    found: list[Statement] = []
    for s in block.statements:
        match s:
            case Let():
                if isinstance(s.var.type, Array | Stack):
                    found.append(s)
            case Kernel() if isinstance(s.op, ops.Tied):
                found.append(s)
            case Call():
                found.append(s)
            case For() | While() | If():
                if any(isinstance(v.type, Array) for v in s.results):
                    found.append(s)
                for inner in blocks(s):
                    found += _connecting(inner)
    return tuple(found)


@remembered
def _stored_in(block: Block) -> frozenset[Var]:
    """The arrays that a block and the blocks nested in it store into."""
    return frozenset(a for s in walk(block) for a in stored_arrays(s))


def stored_arrays(s: Statement) -> tuple[Var, ...]:
    """The arrays that a statement itself stores into."""
    match s:
        case Store():
            return (s.array,)
        case Kernel():
            return s.outs
        case Call():
            return tuple(a for a in s.stored if isinstance(a.type, Array))
    return ()


def read_arrays(s: Statement) -> tuple[Var, ...]:
    """The arrays whose elements a statement itself reads; what it only adds to is left out."""
    match s:
        case Let() if s.op is ops.LOAD:
            return s.args[:1]
        case Kernel():
            return tuple(a for a in s.args if isinstance(a.type, Array))
        case Call():
            return tuple(a for a in s.args if isinstance(a, Var) and isinstance(a.type, Array))
        case Push():
            return tuple(v for v in s.values if isinstance(v, Var) and isinstance(v.type, Array))
    return ()


def stored_parameters(function: Function) -> set[Var]:
    """The array parameters that the function may store into."""
    found = reached(function.body, [v for s in walk(function.body) for v in stored_arrays(s)])
    return {v for v in param_vars(function) if v in found}


def reached(block: Block, arrays: Iterable[Value]) -> set[Value]:
    """The arrays that array variables of a block may stand for, and all variables on the way."""
    before: dict[Var, set[Value]] = {}
    for s in walk(block):
        match s:
            case Let() if s.op in ops.VIEWS:
                before.setdefault(s.var, set()).add(s.args[0])
            case For() | While():
                for param, init, end, result in zip(s.params, s.inits, s.body.yields, s.results, strict=True):
                    before.setdefault(param, set()).update((init, end))
                    before.setdefault(result, set()).add(param)
            case If():
                for result, a, b in zip(s.results, s.then.yields, s.orelse.yields, strict=True):
                    before.setdefault(result, set()).update((a, b))
    todo, found = list(arrays), set[Value]()
    while todo:
        array = todo.pop()
        if array not in found:
            found.add(array)
            todo += before.get(array, ()) if isinstance(array, Var) else ()
    return found


def changed_outside(block: Block) -> set[Value]:
    """The arrays from around a block that it stores into."""
    return reached(block, _stored_in(block)).intersection(free_values(block))


def permutes(s: For | While) -> bool:
    """Whether a loop's array variables, distinct arrays at first, are only swapped."""
    slots = [k for k, p in enumerate(s.params) if isinstance(p.type, Array)]
    yields = [s.body.yields[k] for k in slots]
    params = {s.params[k] for k in slots}
    return set(yields) == params and len({s.inits[k] for k in slots}) == len(slots)


def allocations(function: Function) -> set[Var]:
    """The array variables that the function allocates."""
    lets = (s for s in walk(function.body) if isinstance(s, Let))
    return {s.var for s in lets if s.op.effect is Effect.ALLOCATES} | _made_by_calls(function)


def _made_by_calls(function: Function) -> set[Var]:
    calls = (s for s in walk(function.body) if isinstance(s, Call))
    return {r for s in calls for r in s.results if isinstance(r.type, Array)}


Lengths = tuple[Value | None, ...]


def root_of(array: Value, definitions: dict[Var, Statement]) -> Value:
    """The array that a view is of."""
    while isinstance(let := definitions.get(array), Let) and let.op in ops.VIEWS:
        array = let.args[0]
    return array


def known_shape(array: Value, definitions: dict[Var, Statement], given: dict[Value, Lengths] | None = None) -> Lengths:
    """The shape of an array as far as its definition tells it, None for the other axes; some may be given."""
    given = given or {}
    if array in given:
        return given[array]
    match s := definitions.get(array):
        case Let() if s.op is ops.NEW_LIST:
            return (None, *s.args[1:])
        case Let() if s.op.effect is Effect.ALLOCATES:
            return s.args
        case Let() if s.op is ops.VIEW:
            return tuple(n for n in s.args[3::3] if n != integer(-1))
        case Let() if s.op is ops.RESHAPE:
            return s.args[1:]
        case Call():
            return s.shapes[s.results.index(array)]
        case Let() if s.op is ops.TRANSPOSE:
            base = known_shape(s.args[0], definitions, given)
            return tuple(integer(1) if k.value < 0 else base[k.value] for k in s.args[1:])
        case For() | While():
            k = (s.params if array in s.params else s.results).index(array)
            first = known_shape(s.inits[k], definitions, given)
            end = s.body.yields[k]
            if end not in s.params:
                return _agreed(first, known_shape(end, definitions, {**given, s.params[k]: first}))
            if permutes(s):
                swapped = (i for i in s.inits if isinstance(i.type, Array) and i.type.ndim == array.type.ndim)
                return reduce(_agreed, (known_shape(i, definitions, given) for i in swapped))
        case If():
            k = s.results.index(array)
            return _agreed(*(known_shape(side.yields[k], definitions, given) for side in (s.then, s.orelse)))
    return (None,) * array.type.ndim


def _agreed(a: Lengths, b: Lengths) -> Lengths:
    return tuple(m if m == n else None for m, n in zip(a, b, strict=True))
