"""Functions of the elements of short rows in loops of their own, which strips can give many rows at once.

for j in range(n):                        for j in range(n):
    e = exp(x[i, j] - t)                      row[j] = x[i, j] - t
    total += e                  ->        for j in range(n):
                                              row[j] = exp(row[j])
                                          for j in range(n):
                                              total += row[j]
"""

from zygopy.transform import ops
from zygopy.transform.affine import Facts
from zygopy.transform.arguments import LONGEST
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import (
    Block,
    Effect,
    For,
    Let,
    Statement,
    Store,
    Substitution,
    Var,
    defined_inside,
    new_key,
    operands,
    replace,
)
from zygopy.transform.memory import AliasClasses
from zygopy.transform.passes.orient import any_order
from zygopy.transform.passes.vectorise import SLOW
from zygopy.transform.types import INT, Array, Scalar


def parted(s: For, own: dict[Var, Let], aliases: AliasClasses, facts: Facts) -> For:
    """A loop with the functions of its inner loops apart; `own`: the arrays that each trip has of its own."""
    inside = defined_inside(s)
    out: list[Statement] = []
    for t in s.body.statements:
        loops = _Row(t, own, aliases, facts).loops() if isinstance(t, For) and t.stop not in inside else None
        out += [t] if loops is None else loops
    return replace(s, body=Block(tuple(out), s.body.yields)) if len(out) > len(s.body.statements) else s


def as_flat(t: For, own: dict[Var, Let], facts: Facts) -> tuple[Var, Let] | None:
    """The array and the function of a loop row[j] = function(row[j]) over all of a row."""
    match t.body.statements:
        case (Let(op=ops.LOAD) as load, Let() as function, Store(add=None) as store):
            in_place = load.args == (store.array, t.index) and store.index == (t.index,)
            applied = function.op in SLOW and function.args == (load.var,) and store.value is function.var
            if in_place and applied and not t.params and store.array in own and _spans(t, own[store.array], facts):
                return store.array, function
    return None


def _spans(t: For, made: Let, facts: Facts) -> bool:
    """Whether a loop goes over all elements of an array of one axis."""
    if len(made.args) != 1 or t.start != integer(0) or t.step != integer(1):
        return False
    (size,) = made.args
    if isinstance(size, Var) and (let := facts.definitions.get(size)) is not None and let.op is ops.INT_MAX:
        size = next((a for a in let.args if a != integer(0)), size)
    return size == t.stop


class _Row:
    """A loop over the elements of a row."""

    def __init__(self, t: For, own: dict[Var, Let], aliases: AliasClasses, facts: Facts):
        self.t, self.own, self.aliases, self.facts = t, own, aliases, facts
        self.lets = {u.var: u for u in t.body.statements if isinstance(u, Let)}

    def loops(self) -> list[Statement] | None:
        """The loops before, of and behind its function; None if there is none, or more than one."""
        t = self.t
        slow = [u for u in self.lets.values() if u.op in SLOW]
        if len(slow) != 1 or t.start != integer(0) or t.step != integer(1):
            return None
        length = self.facts.expected(t.stop)
        if length is None or length > LONGEST or as_flat(t, self.own, self.facts) is not None:
            return None
        function = slow[0]
        of_reals = isinstance(function.var.type, Scalar) and function.var.type.is_float
        simple = all(isinstance(u, Let | Store) for u in t.body.statements)
        if not (simple and of_reals and len(function.args) == 1 and any_order(t, self.aliases, self.facts)):
            return None
        argument = function.args[0]
        if not isinstance(argument, Var) or argument.type.dtype != function.var.type.dtype:
            return None
        return self.written(function, argument)

    def written(self, function: Let, argument: Var) -> list[Statement] | None:
        t = self.t
        known = {function.var}  # values that need the function's
        early: list[Statement] = []
        late: list[Statement] = []
        for u in t.body.statements:
            if any(v in known for v in operands(u)):
                late.append(u)
                known |= {u.var} if isinstance(u, Let) else set()
            elif u is not function:
                early.append(u)
        if argument in known or _stored(early, self.aliases) & _touched(late, self.aliases):
            return None
        if _stored(late, self.aliases) & _touched(early, self.aliases):
            return None
        behind = [k for k, v in enumerate(t.body.yields) if v in known]
        before = [k for k in range(len(t.params)) if k not in behind]
        if _reads([*early, function], [t.params[k] for k in behind]) or _reads(late, [t.params[k] for k in before]):
            return None
        kept = next((u for u in late if self.keeps(u, function.var)), None)
        late = [u for u in late if u is not kept]
        again = self.again(late, early)
        if again is None:
            return None
        b = Builder(t.loc)
        type_ = Array(function.var.type.dtype, 1)
        row = kept.array if isinstance(kept, Store) else b.let(ops.SCRATCH, (t.stop,), type_, "row")
        self.loop(b, before, t.index, [*early, Store(row, (t.index,), argument, None, t.loc)])
        self.loop(b, [], *self.of_function(row, function), parallel=True)
        if late or behind:
            j, inner = Var(t.index.name, INT), Builder(t.loc)
            copies = Substitution({t.index: j}, lambda v: Var(v.name, v.type))
            inner.statements += copies.block(Block(tuple(again))).statements
            value = inner.load(row, (j,), function.var.name)
            rest = Substitution({**copies.values, function.var: value})
            inner.statements += rest.block(Block(tuple(late))).statements
            self.loop(b, behind, j, inner.statements, rest)
        return b.statements

    def keeps(self, u: Statement, value: Var) -> bool:
        """Whether a statement stores the value in an array of the trip's own, which can hold the argument."""
        if not isinstance(u, Store) or u.add is not None or u.value is not value or u.index != (self.t.index,):
            return False
        return (
            u.array in self.own
            and u.array.type.dtype == value.type.dtype
            and _spans(self.t, self.own[u.array], self.facts)
        )

    def again(self, late: list[Statement], early: list[Statement]) -> list[Let] | None:
        """The statements that compute what `late` needs of the others once more; None if one is not cheap."""
        stored = _stored(self.t.body.statements, self.aliases)
        by_result = {u.var: u for u in early if isinstance(u, Let)}
        needed: set[Var] = set()
        for u in reversed([*early, *late]):
            if u in late or (isinstance(u, Let) and u.var in needed):
                needed |= {v for v in operands(u) if v in by_result}
        found = [u for u in early if isinstance(u, Let) and u.var in needed]
        for u in found:
            loads = u.op is ops.LOAD
            if not u.op.cheap and not loads or u.op.effect is Effect.ALLOCATES:
                return None
            if loads and self.aliases.of(u.args[0]) in stored or set(u.args) & set(self.t.params):
                return None
        return found

    def of_function(self, row: Var, function: Let) -> tuple[Var, list[Statement]]:
        j, b = Var(self.t.index.name, INT), Builder(self.t.loc)
        value = b.load(row, (j,))
        result = b.let(function.op, (value,), function.var.type, function.var.name)
        b.store(row, (j,), result)
        return j, b.statements

    def loop(
        self,
        b: Builder,
        params: list[int],
        index: Var,
        statements: list[Statement],
        renamed: Substitution | None = None,
        parallel: bool = False,
    ) -> None:
        """Write a loop over the row that carries some of the variables."""
        t = self.t
        pick = lambda values: tuple(values[k] for k in params)  # noqa: E731
        yields = pick(t.body.yields)
        if renamed is not None:
            yields = tuple(renamed.value(v) for v in yields)
        body = Block(tuple(statements), yields)
        header = (index, t.start, t.stop, t.step, pick(t.params), pick(t.inits))
        b.emit(For(*header, body, pick(t.results), t.loc, new_key(), parallel=parallel or t.parallel))


def _stored(statements, aliases: AliasClasses) -> set[Var]:
    return {aliases.of(u.array) for u in statements if isinstance(u, Store)}


def _touched(statements: list[Statement], aliases: AliasClasses) -> set[Var]:
    loaded = {aliases.of(u.args[0]) for u in statements if isinstance(u, Let) and u.op is ops.LOAD}
    return loaded | _stored(statements, aliases)


def _reads(statements: list[Statement], values: list[Var]) -> bool:
    return any(v in values for u in statements for v in operands(u))
