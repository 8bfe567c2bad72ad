"""Which array variables may share memory: alias classes, and the classes that a piece of code stores into.

Views, loops and branches unite the classes of the arrays that they connect; distinct parameters and allocations stay
apart, since overlap of a stored argument with another is refused at entry.
"""

from collections.abc import Iterable

from zygopy.transform import ops
from zygopy.transform.ir import Block, For, Function, If, Let, Statement, Store, Var, While, walk
from zygopy.transform.types import Array


class AliasClasses:
    """Union-find over array variables; `of(x)` is the representative of x's class."""

    def __init__(self, block: Block):
        self._parent: dict[Var, Var] = {}
        for statement in walk(block):
            self._visit(statement)

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
            case Let() if s.op is ops.VIEW:
                self._unite(s.var, s.args[0])
            case For() | While():
                for a, b, c, d in zip(s.params, s.inits, s.body.yields, s.results, strict=True):
                    self._unite(a, b)
                    self._unite(a, c)
                    self._unite(a, d)
            case If():
                for a, b, c in zip(s.results, s.then.yields, s.orelse.yields, strict=True):
                    self._unite(a, b)
                    self._unite(a, c)

    def stored(self, statements: Iterable[Statement]) -> set[Var]:
        """The classes that statements, with all that is nested in them, store into."""
        return {self.of(s.array) for outer in statements for s in _with_nested(outer) if isinstance(s, Store)}


def _with_nested(statement: Statement) -> Iterable[Statement]:
    return walk(Block((statement,)))


def allocations(function: Function) -> set[Var]:
    """The array variables that the function allocates."""
    from zygopy.transform.ir import Effect

    lets = (s for s in walk(function.body) if isinstance(s, Let))
    return {s.var for s in lets if s.op.effect is Effect.ALLOCATES}
