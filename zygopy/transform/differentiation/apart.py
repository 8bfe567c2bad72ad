"""Tangents apart from values: forward mode as an open program, its values first and its tangents behind them.

    for i in range(n):                    for i in range(n):
        y = np.exp(x[i])           ->         y = np.exp(x[i])
        s = s + y * y                         s = s + y * y
                                          for i in range(n):
                                              y_dot = x_dot[i] * y
                                              s_dot = s_dot + 2 * y * y_dot

So the values are computed once for many directions; `tape.close` brings them to the tangents, as it does to adjoints.
"""

from zygopy.transform.build import Builder
from zygopy.transform.differentiation.activity import Activity
from zygopy.transform.differentiation.forward import Callees, Pushing, carries
from zygopy.transform.differentiation.reverse import Open
from zygopy.transform.differentiation.spell_out import spell_out
from zygopy.transform.ir import (
    Block,
    Call,
    For,
    Function,
    If,
    Kernel,
    Param,
    Pop,
    Push,
    Statement,
    Substitution,
    Var,
    While,
    leaves,
    map_leaves,
    new_key,
    replace,
)
from zygopy.transform.memory import AliasClasses, read_arrays
from zygopy.transform.types import INT


def apart(function: Function, wrt: list[str]) -> Open | None:
    """The function that `forward` makes, with all tangents behind all values; None where their order would differ."""
    function = spell_out(function)
    sources = [v for p in function.params if p.name in wrt for v in leaves(p.leaves) if carries(v)]
    activity = Activity(function, sources, [v for v in leaves(function.results) if isinstance(v, Var)])
    push = _Apart(activity, function)
    b = Builder(function.loc)
    dots = [Param(f"{p.name}_dot", map_leaves(push.parameter, p.leaves)) for p in function.params if p.name in wrt]
    push.parameters(function, b)
    try:
        push.block(function.body, b)
    except _OtherOrderError:
        return None
    results = (function.results, map_leaves(lambda v: push.tangent_of_result(v, b), function.results))
    body = Block((*function.body.statements, *b.statements), tuple(leaves(results)))
    return Open(replace(function, params=(*function.params, *dots), body=body, results=results), {})


class _OtherOrderError(Exception):
    """Tangents need what is no longer there behind the values: growing tapes, arrays that kernels read."""


class _Apart(Pushing):
    def __init__(self, activity: Activity, function: Function):
        super().__init__(activity, Callees(function))
        self.steady = self._steady_kernels(function)

    def _steady_kernels(self, function: Function) -> list[Kernel]:
        """The kernels of the function's own block whose arrays nothing stores into later."""
        found, aliases = [], AliasClasses(function.body)
        for k, s in enumerate(function.body.statements):
            if isinstance(s, Kernel):
                later = aliases.stored(Block(function.body.statements[k + 1 :]))
                if not any(aliases.of(a) in later for a in (*s.outs, *read_arrays(s))):
                    found.append(s)
        return found

    def value(self, s: Statement, b: Builder) -> None:
        """Values stand before all tangents."""

    def statement(self, s: Statement, b: Builder) -> None:
        match s:
            case Kernel() if any(map(self.is_active, s.outs)) and not any(s is k for k in self.steady):
                raise _OtherOrderError
            case Push() | Pop() if self.is_active(s.stack):
                raise _OtherOrderError
            case Call() if any(map(self.is_active, (*s.args, *s.results))):
                raise _OtherOrderError
        super().statement(s, b)

    def loop(self, s: For | While, b: Builder) -> None:
        slots = self.carried(s.params)
        inits = tuple(self.init(s.inits[k], s.params[k]) for k in slots)
        params = tuple(self.new(s.params[k]) for k in slots)
        inner = Builder(s.loc)
        self.block(s.body, inner)
        if not slots and not inner.statements:
            return
        if isinstance(s, While):
            raise _OtherOrderError
        yields = tuple(self.init(s.body.yields[k], s.params[k]) for k in slots)
        results = tuple(self.new(s.results[k]) for k in slots)
        index = Var(s.index.name, INT)
        body = Substitution({s.index: index}).block(inner.block(yields))
        b.loc = s.loc
        bounds = (s.start, s.stop, s.step)
        b.emit(For(index, *bounds, params, inits, body, results, s.loc, new_key(), mirror=s.key))

    def branch(self, s: If, b: Builder) -> None:
        slots = self.carried(s.results)
        sides = []
        for block in (s.then, s.orelse):
            inner = Builder(s.loc)
            self.block(block, inner)
            sides.append(inner.block(tuple(self.init(block.yields[k], s.results[k]) for k in slots)))
        results = tuple(self.new(s.results[k]) for k in slots)
        b.loc = s.loc
        if slots or sides[0].statements or sides[1].statements:
            b.emit(If(s.test, sides[0], sides[1], results, s.loc, new_key(), mirror=s.key))
