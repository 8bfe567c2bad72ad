"""Names for emission: which values are written inside an expression, and which variables share a Python name.

A loop variable, what the loop hands on and what it leaves are one Python name where their lives do not overlap:

    for i in 0:n with s = 0.0:          s = 0.0
        s.2 = add(s, x)           ->    for i in range(n):
        yield s.2                           s = s + x
"""

import builtins
import keyword
from collections import Counter
from dataclasses import dataclass, field

from zygopy.transform import ops
from zygopy.transform.ir import (
    Block,
    Call,
    Effect,
    For,
    Function,
    If,
    Let,
    Pop,
    Statement,
    Var,
    While,
    block_params,
    blocks,
    defined,
    free_values,
    leaves,
    operands,
    param_vars,
    walk,
)
from zygopy.transform.types import Scalar

_MAX_NESTED = 6  # operations in one expression


@dataclass
class Naming:
    """`names` of variables; `inlined` variables have none, their expression stands where they are used."""

    names: dict[Var, str] = field(default_factory=dict)
    inlined: dict[Var, Let] = field(default_factory=dict)


OWN = "_zygopy_"  # what names that backends add begin with, and no others


def name(function: Function, reserved: set[str]) -> Naming:
    """Choose names for a function's variables."""
    inlined = _Inliner(function).inlined
    uses = _Uses(inlined)
    parameters = {v: v.name for v in param_vars(function)}
    parameters |= {p.leaves: p.name for p in function.params if isinstance(p.leaves, Var)}
    classes = _Classes(_Interference(function, uses), uses, parameters)
    classes.merge_block(function.body)
    naming = Naming(inlined=inlined)
    used: Counter[str] = Counter()
    around = _loops_around(function.body)
    of_indices: set[str] = set()
    for var in _all_vars(function):
        if var in inlined:
            continue
        if var in around and var not in classes.members and var not in classes.parent:
            taken = {naming.names[outer] for outer in around[var]}
            base = identifier(var.name)
            free = (n for n in (base, *(f"{base}_{k}" for k in range(1, len(taken) + 1))) if n in of_indices - taken)
            naming.names[var] = next(free, None) or _unique(base, used, reserved)
            of_indices.add(naming.names[var])
            continue
        representative = classes.of(var)
        if var in parameters:
            naming.names[representative] = _unique(parameters[var], used, set())
        elif representative not in naming.names:
            naming.names[representative] = _unique(identifier(classes.label(representative)), used, reserved)
        naming.names[var] = naming.names[representative]
    return naming


def _loops_around(block: Block, outer: tuple[Var, ...] = ()) -> dict[Var, tuple[Var, ...]]:
    """For each index of a for loop those of the loops around it, whose names it must not have."""
    found: dict[Var, tuple[Var, ...]] = {}
    for s in block.statements:
        inside = (*outer, s.index) if isinstance(s, For) else outer
        if isinstance(s, For):
            found[s.index] = outer
        for inner in blocks(s):
            found |= _loops_around(inner, inside)
    return found


def _all_vars(function: Function) -> list[Var]:
    found = dict.fromkeys(param_vars(function))

    def visit(block: Block) -> None:
        for s in block.statements:
            found.update(dict.fromkeys(block_params(s)))
            for inner in blocks(s):
                visit(inner)
            found.update(dict.fromkeys(defined(s)))

    visit(function.body)
    return list(found)


def identifier(hint: str) -> str:
    """A name of Python's and of no builtin from what is only a hint."""
    text = "".join(c if c.isidentifier() or c.isdigit() else "_" for c in hint.split("@")[0]) or "t"
    text = "k" if not text.strip("_") else text
    text = f"v{text}" if not text.isidentifier() or text.startswith(OWN) else text
    return f"{text}_" if keyword.iskeyword(text) or hasattr(builtins, text) or text in ("np", "math") else text


def _unique(name: str, used: Counter, reserved: set[str]) -> str:
    while True:
        count = used[name]
        used[name] += 1
        candidate = f"{name}_{count}" if count else name
        if candidate not in reserved and (count == 0 or candidate not in used):
            used[candidate] += candidate != name
            return candidate


# -- expressions -----------------------------------------------------------------------------------------------------


class _Inliner:
    """Finds the Lets whose only use comes soon enough to write them there."""

    def __init__(self, function: Function):
        self.inlined: dict[Var, Let] = {}
        self.sizes: dict[Var, int] = {}
        self.counts: Counter = Counter(v for v in leaves(function.results) if isinstance(v, Var))
        for statement in walk(function.body):
            self.counts.update(v for v in operands(statement) if isinstance(v, Var))
            for inner in blocks(statement):
                self.counts.update(v for v in inner.yields if isinstance(v, Var))
        self.results = {v for v in leaves(function.results) if isinstance(v, Var)}
        self.block(function.body, last=True)

    def block(self, block: Block, last: bool = False) -> None:
        pending: dict[Var, Let] = {}
        for s in block.statements:
            for v in operands(s):
                if isinstance(v, Var) and v in pending:
                    self.accept(pending.pop(v), s)
            if _writes(s):
                loads = {v for v in pending if self.reads_memory(pending[v])}
                pending = {v: let for v, let in pending.items() if v not in loads}
            for inner in blocks(s):
                self.block(inner)
            if isinstance(s, Let) and self.is_candidate(s):
                pending[s.var] = s
        for v in block.yields:
            if v in pending:
                self.accept(pending.pop(v), None)

    def is_candidate(self, s: Let) -> bool:
        if self.counts[s.var] != 1 or not isinstance(s.var.type, Scalar):
            return False
        return s.op.effect is not Effect.ALLOCATES and s.op not in ops.VIEWS

    def reads_memory(self, s: Let) -> bool:
        return s.op in (ops.LOAD, ops.CAPACITY) or any(
            isinstance(a, Var) and a in self.inlined and self.reads_memory(self.inlined[a]) for a in s.args
        )

    def accept(self, s: Let, consumer: Statement | None) -> None:
        if isinstance(consumer, While):
            return
        size = 1 + sum(self.sizes.get(a, 0) for a in s.args if isinstance(a, Var) and a in self.inlined)
        if size <= _MAX_NESTED:
            self.inlined[s.var] = s
            self.sizes[s.var] = size


def _writes(s: Statement) -> bool:
    return not isinstance(s, Let)


class _Uses:
    """The named variables that a value's expression reads."""

    def __init__(self, inlined: dict[Var, Let]):
        self.inlined = inlined

    def of(self, values) -> set[Var]:
        found: set[Var] = set()
        for v in values:
            if isinstance(v, Var):
                if (let := self.inlined.get(v)) is not None:
                    found |= self.of(let.args)
                else:
                    found.add(v)
        return found


# -- shared names ----------------------------------------------------------------------------------------------------


class _Interference:
    """Pairs of variables of which one is defined while the other is still needed."""

    def __init__(self, function: Function, uses: _Uses):
        self.uses = uses
        self.pairs: dict[Var, set[Var]] = {}
        self.candidates = _candidates(function)
        self.block(function.body, uses.of(leaves(function.results)))
        for var in param_vars(function):
            self.define(var, set(param_vars(function)))

    def define(self, var: Var, live: set[Var]) -> None:
        if var not in self.candidates:
            return
        for other in live:
            if other is not var and other in self.candidates:
                self.pairs.setdefault(var, set()).add(other)
                self.pairs.setdefault(other, set()).add(var)

    def block(self, block: Block, live: set[Var]) -> set[Var]:
        """The variables live before a block, given those live after it (its yields included)."""
        live = set(live)
        for s in reversed(block.statements):
            match s:
                case Let():
                    if s.var in self.uses.inlined:
                        continue
                    self.define(s.var, live)
                    live.discard(s.var)
                    live |= self.uses.of(s.args)
                case If():
                    live = self.branch(s, live)
                case For() | While():
                    live = self.loop(s, live)
                case Pop() | Call():
                    for var in defined(s):
                        self.define(var, live | set(defined(s)))
                    live -= set(defined(s))
                    live |= self.uses.of(operands(s))
                case _:
                    live |= self.uses.of(operands(s))
        return live

    def branch(self, s: If, live: set[Var]) -> set[Var]:
        for r in s.results:
            self.define(r, live | set(s.results))
        after = live - set(s.results)
        before = self.block(s.then, after | self.uses.of(s.then.yields))
        before |= self.block(s.orelse, after | self.uses.of(s.orelse.yields))
        return before | self.uses.of((s.test,))

    def loop(self, s: For | While, live: set[Var]) -> set[Var]:
        for r in s.results:
            self.define(r, live | set(s.results))
        through = live - set(s.results)
        for inner in blocks(s):
            through |= self.uses.of(free_values(inner))
        through -= set(block_params(s))
        through = {v for v in through if v not in self.uses.inlined}
        heads = set(block_params(s))
        bounds = self.uses.of(operands(s)[:3]) if isinstance(s, For) else set()  # read when the params have values
        for p in heads:
            self.define(p, through | heads | bounds)
        for inner in blocks(s):
            self.block(inner, through | self.uses.of(inner.yields) | (heads if inner is not s.body else set()))
        return through | self.uses.of(operands(s))


def _candidates(function: Function) -> set[Var]:
    found: set[Var] = set()
    for s in walk(function.body):
        if isinstance(s, For | While):
            groups = (s.params, s.inits, s.body.yields, s.results, block_params(s))
        elif isinstance(s, If):
            groups = (s.then.yields, s.orelse.yields, s.results)
        else:
            continue
        found |= {v for group in groups for v in group if isinstance(v, Var)}
    return found | set(param_vars(function))


class _Classes:
    """Sets of variables with one name."""

    def __init__(self, interference: _Interference, uses: _Uses, parameters: dict[Var, str]):
        self.interference, self.uses, self.parameters = interference, uses, parameters
        self.parent: dict[Var, Var] = {}
        self.members: dict[Var, set[Var]] = {}
        self.labels: dict[Var, str] = {}

    def of(self, var: Var) -> Var:
        while var in self.parent:
            var = self.parent[var]
        return var

    def label(self, var: Var) -> str:
        return self.labels.get(var, var.name)

    def merge(self, a: object, b: object, label: str) -> None:
        """Give two variables one name unless their lives overlap."""
        if not (isinstance(a, Var) and isinstance(b, Var)) or {a, b} & self.uses.inlined.keys():
            return
        a, b = self.of(a), self.of(b)
        if a is b or a.type != b.type and getattr(a.type, "dtype", None) != getattr(b.type, "dtype", None):
            return
        mine, other = self.members.get(a, {a}), self.members.get(b, {b})
        if any(self.parameters.get(v, label) != label for v in mine | other):
            return  # a parameter keeps its name
        if any(self.interference.pairs.get(v, set()) & other for v in mine):
            return
        self.parent[b] = a
        self.members[a] = mine | other
        self.labels[a] = label

    def merge_block(self, block: Block) -> None:
        for s in block.statements:
            if isinstance(s, For | While):
                for p, init, y, r in zip(s.params, s.inits, s.body.yields, s.results, strict=True):
                    self.merge(p, r, p.name)
                    self.merge(p, y, p.name)
                    self.merge(p, init, p.name)
            elif isinstance(s, If):
                for r, a, b in zip(s.results, s.then.yields, s.orelse.yields, strict=True):
                    self.merge(r, a, r.name)
                    self.merge(r, b, r.name)
            for inner in blocks(s):
                self.merge_block(inner)
