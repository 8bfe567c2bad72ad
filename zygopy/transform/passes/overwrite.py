"""Storing in place of adding, where the elements are known to be zero.

x_bar = np.zeros(n)                  x_bar = np.empty(n)
for i in range(n):           ->      for i in range(n):
    x_bar[i] += g * w[i]                 x_bar[i] = g * w[i]

The same for a row that each trip of a loop adds to, reads and clears again: it is stored, read, and not cleared.
"""

from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.ir import (
    Block,
    Const,
    For,
    Function,
    If,
    Kernel,
    Let,
    Statement,
    Store,
    Value,
    Var,
    While,
    block_params,
    blocks,
    defined,
    operands,
    replace,
    walk,
    within,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.types import Array


def overwrite(function: Function) -> Function:
    """Turn the first additions to arrays of zeros into stores."""
    alone = {array for array, shapes in _names(function).items() if len(shapes) == 1}
    return _Overwriting(replace(function, body=_elements_last(function.body, alone))).run()


def _names(function: Function) -> dict[Var, list[Let]]:
    """The arrays of zeros that have no other names than those of their elements in other shapes; what makes each."""
    aliases = alias_classes(function.body)
    members: dict[Var, set[Var]] = {}
    for s in walk(function.body):
        for v in (*operands(s), *defined(s), *block_params(s)):
            if isinstance(v, Var) and isinstance(v.type, Array):
                members.setdefault(aliases.of(v), set()).add(v)
    lets = [s for s in walk(function.body) if isinstance(s, Let)]
    found = {s.var: [s] for s in lets if s.op is ops.ZEROS}
    for s in lets:
        if s.op is ops.RESHAPE and s.args[0] in found:
            found[s.args[0]].append(s)
    return {v: names for v, names in found.items() if members[aliases.of(v)] == {s.var for s in names}}


def _lengths(let: Let) -> tuple[Value, ...]:
    """The shape of an array of zeros, or of another shape of one."""
    return let.args[1:] if let.op is ops.RESHAPE else let.args


def _elements_last(block: Block, arrays: set[Var]) -> Block:
    """Additions to one element behind a loop that adds to all of them, so that the loop's is the first."""
    statements = [_inside(s, arrays) for s in block.statements]
    for s in [s for s in statements if _adds(s) and s.array in arrays]:
        behind = statements[statements.index(s) + 1 :]
        user = next((t for t in behind if any(s.array in operands(u) for u in within(t))), None)
        if isinstance(user, For) and all(_adds(u) for u in within(user) if s.array in operands(u)):
            statements.remove(s)
            statements.insert(statements.index(user) + 1, s)
    return replace(block, statements=tuple(statements))


def _inside(s: Statement, arrays: set[Var]) -> Statement:
    match s:
        case For():
            return replace(s, body=_elements_last(s.body, arrays))
        case While():
            return replace(s, test=_elements_last(s.test, arrays), body=_elements_last(s.body, arrays))
        case If():
            return replace(s, then=_elements_last(s.then, arrays), orelse=_elements_last(s.orelse, arrays))
    return s


def _adds(s: Statement) -> bool:
    return isinstance(s, Store) and s.add is ops.SUM


@dataclass
class _Changes:
    stored: dict[int, Store]  # by id of a statement: an addition that becomes a store
    products: dict[int, Kernel]  # by id of a statement: one that need not add
    removed: dict[int, Store]  # stores of zeros that nothing reads
    empty: set[Var]  # arrays that need no zeros


class _Overwriting:
    def __init__(self, function: Function):
        self.function = function
        self.facts = Facts({s.var: s for s in walk(function.body) if isinstance(s, Let)})
        self.changes = _Changes({}, {}, {}, set())
        self.names = _names(function)

    def run(self) -> Function:
        self.block(self.function.body)
        if not self.changes.empty:
            return self.function
        return replace(self.function, body=self.changed(self.function.body))

    def block(self, block: Block) -> None:
        for k, s in enumerate(block.statements):
            if isinstance(s, Let) and s.var in self.names:
                names = self.names[s.var]
                rest = [t for t in block.statements[k + 1 :] if not any(t is name for name in names)]
                first = next((t for t in rest if any(self.touches(t, name.var) for name in names)), None)
                used = [name for name in names if first is not None and self.touches(first, name.var)]
                if len(used) == 1 and isinstance(first, For):
                    self.try_first(s, used[0], first)
                    users = [t for t in rest if self.touches(t, s.var)]
                    if len(names) == len(users) == 1 and s.var not in self.changes.empty:
                        self.try_rows(s, first)
                elif len(used) == 1 and isinstance(first, Kernel):
                    self.try_kernel(s, used[0], first)
            for inner in blocks(s):
                self.block(inner)

    def try_kernel(self, zeros: Let, name: Let, s: Kernel) -> None:
        """A product is added to the array, in one of its shapes, before anything else touches it."""
        if s.op is ops.ADD_MATMUL and s.outs == (name.var,) and name.var not in s.args:
            self.changes.products[id(s)] = s
            self.changes.empty.add(zeros.var)

    def touches(self, s: Statement, array: Var) -> bool:
        return any(array in operands(t) for t in within(s))

    # -- arrays that are filled by one nest --------------------------------------------------------------------------

    def try_first(self, zeros: Let, name: Let, loop: For) -> None:
        """The first loop adds once to each element, in one of the shapes, before anything else touches it."""
        found = self.covering(name, loop, 0)
        if found is None:
            return
        store, indices = found
        if store.add and self.keeps_to_own(loop, name.var, indices):
            self.changes.stored[id(store)] = store
            self.changes.empty.add(zeros.var)

    def covering(self, let: Let, loop: For, which: int) -> tuple[Store, tuple[Var, ...]] | None:
        """The store of a nest that reaches each element once, as the first (0) or last (-1) thing that touches it.

        With it, the indices of the nest's loops, outermost first.
        """
        indices: list[Var] = []
        while True:
            if not self.runs_over(loop, _lengths(let)[len(indices)]):
                return None
            indices.append(loop.index)
            users = [t for t in loop.body.statements if self.touches(t, let.var)]
            if not users:
                return None
            s = users[which]
            if len(indices) == len(_lengths(let)):
                break
            if not isinstance(s, For):
                return None
            loop = s
        if isinstance(s, Store) and s.array is let.var and s.index == tuple(indices) and s.value is not let.var:
            return s, tuple(indices)
        return None

    def runs_over(self, loop: For, length: Value) -> bool:
        """Whether a loop's index takes each value from 0 to length - 1 once."""
        if not isinstance(loop.step, Const):
            return False
        affine = self.facts.affine
        if loop.step.value == 1:
            start, stop = affine(loop.start), affine(loop.stop)
        elif loop.step.value == -1:
            start, stop = affine(loop.stop).shift(1), affine(loop.start).shift(1)
        else:
            return False
        let = self.facts.definitions.get(length) if isinstance(length, Var) else None
        lengths = [length]
        if let is not None and let.op is ops.INT_MAX:
            lengths += [a for a, b in (let.args, let.args[::-1]) if isinstance(b, Const) and b.value == 0]
        return start == affine(Const(0, loop.index.type)) and any(affine(n) == stop for n in lengths)

    def keeps_to_own(self, loop: For, array: Var, indices: tuple[Var, ...]) -> bool:
        """Whether each trip of the nest touches only the elements that it has stored itself."""

        def visit(block: Block, around: tuple[Var, ...]) -> bool:
            for s in block.statements:
                if array in operands(s):
                    if isinstance(s, Let) and s.op is ops.LOAD:
                        place = s.args[1:]
                    elif isinstance(s, Store) and s.array is array:
                        place = s.index
                    else:
                        return False
                    if place[: len(around)] != around:
                        return False
                for inner in blocks(s):
                    deeper = isinstance(s, For) and len(around) < len(indices) and s.index is indices[len(around)]
                    if not visit(inner, (*around, s.index) if deeper and isinstance(s, For) else around):
                        return False
            return True

        return visit(loop.body, (loop.index,))

    # -- rows that each trip uses again ------------------------------------------------------------------------------

    def try_rows(self, let: Let, loop: For) -> None:
        """Each trip adds to all elements first and clears them all at last."""
        users = [t for t in loop.body.statements if self.touches(t, let.var)]
        if len(users) < 2 or not (isinstance(users[0], For) and isinstance(users[-1], For)):
            return
        first, last = self.covering(let, users[0], 0), self.covering(let, users[-1], -1)
        if first is None or last is None or not first[0].add or last[0].add:
            return
        clears = isinstance(last[0].value, Const) and last[0].value.value == 0
        if clears and self.keeps_to_own(users[0], let.var, first[1]) and self.keeps_to_own(users[-1], let.var, last[1]):
            self.changes.stored[id(first[0])] = first[0]
            self.changes.removed[id(last[0])] = last[0]
            self.changes.empty.add(let.var)

    # -- the new program ---------------------------------------------------------------------------------------------

    def changed(self, block: Block) -> Block:
        statements = (self.statement(s) for s in block.statements if id(s) not in self.changes.removed)
        return replace(block, statements=tuple(statements))

    def statement(self, s: Statement) -> Statement:
        match s:
            case Store() if id(s) in self.changes.stored:
                return replace(s, add=None)
            case Kernel() if id(s) in self.changes.products:
                return replace(s, op=ops.MATMUL)
            case Let() if s.var in self.changes.empty:
                return replace(s, op=ops.EMPTY)
            case For():
                return replace(s, body=self.changed(s.body))
            case While():
                return replace(s, test=self.changed(s.test), body=self.changed(s.body))
            case If():
                return replace(s, then=self.changed(s.then), orelse=self.changed(s.orelse))
        return s
