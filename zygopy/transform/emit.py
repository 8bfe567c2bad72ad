"""From IR to readable Python: one text that every backend runs.

def rosenbrock(x):
    n = x.shape[0]
    total = 0.0
    for i in range(n - 1):
        a = 1.0 - x[i]
        ...
"""

import builtins
import keyword
import math
from dataclasses import dataclass, field, replace

import numpy as np

from zygopy.errors import Loc
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import (
    Block,
    Call,
    Callee,
    Check,
    Const,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Leaves,
    Let,
    Param,
    Pop,
    Print,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    leaves,
    operands,
    param_vars,
    walk,
)
from zygopy.transform.memory import AliasClasses, alias_classes
from zygopy.transform.naming import Naming, name
from zygopy.transform.records import Record
from zygopy.transform.summed import products
from zygopy.transform.types import BOOL_, COMPLEX128, FLOAT64, INT, INT64, Arena, Array, Scalar, Stack, Type

_ATOM = 20
_NEGATED = {ops.LT: ops.GE, ops.LE: ops.GT, ops.GT: ops.LE, ops.GE: ops.LT, ops.EQ: ops.NE, ops.NE: ops.EQ}
_STACK_ROWS = 256


@dataclass(frozen=True)
class Source:
    """Emitted text: a function `name`, the errors that it raises, the user's lines."""

    name: str
    text: str
    errors: dict[str, type[Exception]] = field(default_factory=dict)
    lines: dict[int, Loc] = field(default_factory=dict)
    classes: dict[str, int] = field(default_factory=dict)  # the arrays' names -> number of their alias class
    parallel: set[int] = field(default_factory=set)  # the lines of loops over whole arrays, whose sums have no order
    short: set[int] = field(default_factory=set)  # those of them with few trips
    summed: set[int] = field(default_factory=set)  # the lines whose product may be rounded once with a sum
    local: set[str] = field(default_factory=set)  # arrays made outside loops whose memory no result shares
    constructors: dict[str, type] = field(default_factory=dict)  # the NamedTuples that it makes
    takes: tuple[Type, ...] = ()  # of a kept function: the types of its parameters and results
    gives: tuple[Type, ...] = ()
    records: dict[int, tuple[Type, ...]] = field(default_factory=dict)  # by line: what is taken from an arena there
    callees: tuple["Source", ...] = ()  # the functions that it keeps

    @property
    def whole_text(self) -> str:
        """The text of the kept functions and of the function that calls them."""
        return "\n\n".join([*(callee.text for callee in self.callees), self.text])


def emit(function: Function, comments: bool = True, writing: "type[Writer] | None" = None) -> Source:
    """Write a function as Python source; `writing` says how, where it is no program for the host alone."""
    if function.name in _RESERVED:
        function = replace(function, name=f"{function.name}_")
    names = _names_of_callees(function)
    kept = tuple(_emit_kept(replace(f, name=names[callee]), names, comments) for callee, f in function.callees)
    return replace(_emit(function, names, comments, writing), callees=kept)


def _names_of_callees(function: Function) -> dict[Callee, str]:
    """A name of its own for each kept function."""
    names: dict[Callee, str] = {}
    taken = {function.name, *_RESERVED, *dir(builtins), *keyword.kwlist}
    for callee, _ in function.callees:
        name, number = callee.name, 1
        while name in taken:
            name, number = f"{callee.name}_{number}", number + 1
        names[callee] = name
        taken.add(name)
    return names


def _emit_kept(function: Function, names: dict[Callee, str], comments: bool) -> Source:
    bare = replace(function, results=function.results[0]) if len(leaves(function.results)) == 1 else function
    takes = tuple(v.type for v in param_vars(function))
    return replace(_emit(bare, names, comments), takes=takes, gives=tuple(v.type for v in leaves(function.results)))


def _emit(
    function: Function, callees: dict[Callee, str], comments: bool, writing: "type[Writer] | None" = None
) -> Source:
    errors = {s.error.__name__: s.error for s in walk(function.body) if isinstance(s, Check)}
    taken = {*errors, function.name, *_RESERVED, *callees.values(), *(writing or Writer).reserved}
    constructors = _constructors(function.results, taken)
    writer = (writing or Writer)(name(function, {*taken, *constructors}), comments)
    writer.callees = callees
    writer.constructors = {class_: own for own, class_ in constructors.items()}
    writer.shapes = {s.var: s.args for s in function.body.statements if isinstance(s, Let) and s.op is ops.SCRATCH}
    writer.products = products(function)
    writer.loc = function.loc
    writer.head(function)
    writer.depth += 1
    for p in function.params:
        if isinstance(p.leaves, tuple) and p.leaves:
            writer.line(f"{writer.target(p.leaves)} = {p.name}")
    writer.all_of(function)
    aliases = alias_classes(function.body)
    classes = _class_numbers(aliases, writer.names)
    local = _local(function, aliases, writer.names)
    text = "\n".join(writer.lines) + "\n"
    lines = writer.locs
    kinds = writer.parallel, writer.short, writer.summed
    found = Source(function.name, text, errors, lines, classes, *kinds, local, constructors)
    return replace(found, records=writer.records)


def _constructors(tree: Leaves, taken: set[str]) -> dict[str, type]:
    """The NamedTuples in a tree by the names that the text has for them."""
    found: dict[str, type] = {}

    def visit(tree: Leaves) -> None:
        if not isinstance(tree, tuple):
            return
        if isinstance(tree, Record) and tree.cls not in found.values():
            name, number = tree.cls.__name__, 1
            while name in taken or name in found:
                name, number = f"{tree.cls.__name__}_{number}", number + 1
            found[name] = tree.cls
        for item in tree:
            visit(item)

    visit(tree)
    return found


def _class_numbers(aliases: AliasClasses, names: dict[Var, str]) -> dict[str, int]:
    """For each array's name the number of its alias class; tapes that grow are classes of their own."""
    numbers: dict[Var, int] = {}
    arrays = [v for v in names if isinstance(v.type, Array | Stack)]
    return {names[v]: numbers.setdefault(aliases.of(v), len(numbers)) for v in arrays}


def _local(function: Function, aliases: AliasClasses, names: dict[Var, str]) -> set[str]:
    """The names of arrays that the function's own block makes for itself."""
    handed_on = [v for s in walk(function.body) if isinstance(s, Call | Push) for v in operands(s)]
    handed_on += leaves(function.results)
    kept = {aliases.of(v) for v in handed_on if isinstance(v, Var) and isinstance(v.type, Array)}
    lets = [s for s in function.body.statements if isinstance(s, Let)]
    made = [s.var for s in lets if s.op.effect is Effect.ALLOCATES and s.op is not ops.NEW_LIST]
    own = {names[v] for v in made if isinstance(v.type, Array) and aliases.of(v) not in kept}
    return own - {name for v, name in names.items() if isinstance(v.type, Array) and aliases.of(v) in kept}


_RESERVED = {"np", "math", "grow", "overlap", "extent", "first_overlap", "scratch", *ops.CALLED}


class Writer:
    """Writes Python with the names of a `Naming`, none of them `reserved`."""

    reserved: frozenset[str] = frozenset()

    def __init__(self, naming: Naming, comments: bool):
        self.names, self.inlined = naming.names, naming.inlined
        self.shapes: dict[Value, tuple[Value, ...]] = {}  # of tapes
        self.constructors: dict[type, str] = {}
        self.callees: dict[Callee, str] = {}
        self.records: dict[int, tuple[Type, ...]] = {}
        self.lines: list[str] = []
        self.locs: dict[int, Loc] = {}
        self.parallel: set[int] = set()
        self.short: set[int] = set()
        self.summed: set[int] = set()
        self.products: set[Value] = set()
        self.depth = 0
        self.loc: Loc | None = None
        self.comments = comments
        self.commented: Loc | None = None

    def head(self, function: Function) -> None:
        params = ", ".join(self.parameter(p) for p in function.params)
        self.line(f"def {function.name}({params}):")

    def all_of(self, function: Function) -> None:
        """The body of a function and its return."""
        self.block(function.body)
        self.line(f"return {self.tree(function.results)}")

    def parameter(self, param: Param) -> str:
        """The name of a parameter; that of a kept function is the name of its variable."""
        return self.names.get(param.leaves, param.name) if isinstance(param.leaves, Var) else param.name

    # -- lines -------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)
        if self.loc is not None:
            self.locs[len(self.lines)] = self.loc

    def comment(self, loc: Loc, next_text: str) -> None:
        """The user's line, unless it was just shown or says the same as what follows."""
        if not self.comments or (
            self.commented is not None and (loc.file, loc.line) == (self.commented.file, self.commented.line)
        ):
            return
        self.commented = loc
        text = loc.text.strip()
        if text and text.replace(" ", "") != next_text.replace(" ", "") and not text.startswith("@"):
            self.line(f"# {text}")

    def statement_line(self, s: Statement, text: str) -> None:
        self.loc = s.loc
        self.comment(s.loc, text)
        self.line(text)

    # -- expressions -------------------------------------------------------------------------------------------------

    def value(self, value: Value, precedence: int = 0) -> str:
        """The text of a value, in parentheses where its operator binds less than `precedence`."""
        if isinstance(value, Const):
            text, own = _constant(value)
        elif (let := self.inlined.get(value)) is not None:
            text, own = self.expression(let)
        else:
            text, own = self.names[value], _ATOM
        return f"({text})" if own < precedence else text

    def expression(self, let: Let) -> tuple[str, int]:
        """The text of an operation and its precedence."""
        op, args = let.op, let.args
        match op:
            case ops.LOAD:
                return f"{self.names[args[0]]}[{self.items(args[1:])}]", _ATOM
            case ops.DIM:
                return f"{self.names[args[0]]}.shape[{args[1].value}]", _ATOM
            case ops.EMPTY | ops.ZEROS | ops.SCRATCH | ops.NEW_LIST:
                return self.allocation(let), _ATOM
            case ops.VIEW:
                return self.view(let), _ATOM
            case ops.TRANSPOSE:
                return self.transposed(args), _ATOM
            case ops.RESHAPE:
                return f"{self.names[args[0]]}.reshape({self.shape_text(args[1:])})", _ATOM
            case ops.CAST:
                return _cast(let.var.type, args[0].type).format(self.value(args[0])), _ATOM
            case ops.FIRST_OVERLAP:
                extents = ", ".join(f"extent({self.names[a]})" for a in args[1:])
                return f"first_overlap({args[0].value}, ({extents}))", _ATOM
            case ops.SELECT:
                test, a, b = args
                return f"({self.value(a, 2)} if {self.value(test, 2)} else {self.value(b, 1)})", _ATOM
            case ops.DIV if let.var.type.is_complex:  # Python's and Numba's raises where NumPy's gives nan
                return f"np.divide({self.items(args)})", _ATOM
            case ops.POW:
                return f"{self.value(args[0], 16)} ** {self.value(args[1], 15)}", 15
        if op.precedence >= _ATOM:
            return op.text.format(*(self.value(a) for a in args)), _ATOM
        sides = [self.value(args[0], op.precedence + (op.precedence == 6))]
        sides += [self.value(a, op.precedence + 1) for a in args[1:]]
        return op.text.format(*sides), op.precedence

    def items(self, values) -> str:
        return ", ".join(self.value(v) for v in values)

    def allocation(self, let: Let) -> str:
        shape = self.items(let.args)
        dtype = "" if let.var.type.dtype == FLOAT64 else f", np.{dtype_name(let.var.type.dtype)}"
        if let.op is ops.SCRATCH:
            return f"scratch(({shape}{',' if len(let.args) == 1 else ''}){dtype})"
        shape = f"({shape})" if len(let.args) > 1 else shape
        return f"np.{'zeros' if let.op is ops.ZEROS else 'empty'}({shape}{dtype})"

    def view(self, let: Let) -> str:
        args = let.args
        if (at := self.leading(let)) is not None:
            return f"{self.names[args[0]]}[{self.items(at)}, :]"
        parts, flips = [], []
        for start, step, length in zip(args[1::3], args[2::3], args[3::3], strict=True):
            if isinstance(length, Const) and length.value == -1:
                parts.append(self.value(start))
                continue
            parts.append(self.slice(start, step, length))
            flips.append("::-1" if isinstance(step, Const) and step.value < 0 else ":")
        text = f"{self.names[args[0]]}[{', '.join(parts)}]"
        return f"{text}[{', '.join(flips)}]" if "::-1" in flips else text

    def leading(self, let: Let) -> list[Value] | None:
        """The indices of a view of all that is behind them, in an array by rows or a tape."""
        shape = self.shapes.get(let.args[0])
        axes = list(zip(let.args[1::3], let.args[2::3], let.args[3::3], strict=True))
        fixed = [start for start, _, length in axes if length == integer(-1)]
        rest = [(integer(0), integer(1), n) for n in shape[len(fixed) :]] if shape is not None else None
        whole = axes[len(fixed) :] == rest or let.var.type.layout == "C"
        return fixed if fixed and len(fixed) < len(axes) and whole else None

    def transposed(self, args: tuple[Value, ...]) -> str:
        name, order = self.names[args[0]], [int(a.value) for a in args[1:] if isinstance(a, Const)]
        old = [k for k in order if k >= 0]
        if len(order) > 1 and order == list(range(len(order)))[::-1]:
            return f"{name}.T"
        text = name if old == sorted(old) else f"{name}.transpose(({', '.join(map(str, old))}))"
        if len(old) == len(order):
            return text
        return f"{text}[{', '.join('None' if k < 0 else ':' for k in order)}]"

    def shape_text(self, shape: tuple[Value, ...]) -> str:
        return f"({self.items(shape)})" if len(shape) > 1 else self.items(shape)

    def slice(self, start: Value, step: Value, length: Value) -> str:
        first, count, by = self.value(start, 13), self.value(length, 14), step.value
        if by > 0:
            reach = count if by == 1 else f"{count} * {by}"
            begin = "" if first == "0" else self.value(start)
            end = reach if first == "0" else f"{first} + {reach}"
            return f"{begin}:{end}" + (f":{by}" if by != 1 else "")
        return f"{first} - ({count} - 1) * {-by}:{first} + 1" + (f":{-by}" if by != -1 else "")

    def tree(self, tree: Leaves) -> str:
        if isinstance(tree, tuple):
            if not tree:
                return "()"
            inner = ", ".join(self.tree(item) for item in tree)
            if isinstance(tree, Record):
                return f"{self.constructors[tree.cls]}({inner})"
            return f"({inner},)" if len(tree) == 1 else f"({inner})"
        return self.value(tree)

    def target(self, tree: Leaves) -> str:
        if isinstance(tree, tuple):
            inner = ", ".join(self.target(item) for item in tree)
            return f"({inner},)" if len(tree) == 1 else f"({inner})"
        return self.names.get(tree, "_")

    # -- statements --------------------------------------------------------------------------------------------------

    def block(self, block: Block) -> None:
        for s in block.statements:
            if not (isinstance(s, Let) and s.var in self.inlined):
                self.statement(s)

    def nested(self, block: Block, copies: list[tuple[Var, Value]]) -> None:
        self.depth += 1
        before = len(self.lines)
        self.block(block)
        self.copies(copies)
        if not any(not line.lstrip().startswith("#") for line in self.lines[before:]):
            self.line("pass")
        self.depth -= 1

    def statement(self, s: Statement) -> None:
        match s:
            case Let() if s.op is ops.NEW_STACK:
                self.new_stack(s)
            case Let() if s.op is ops.STACK_OF:
                for suffix, value in zip(("", "_top"), s.args, strict=True):
                    self.statement_line(s, f"{self.names[s.var]}{suffix} = {self.value(value)}")
            case Let():
                text = self.expression(s)[0]
                if s.op is ops.SELECT:
                    text = text[1:-1]
                terms = self.added_to(self.names[s.var], s)
                self.statement_line(s, f"{self.names[s.var]} += {terms}" if terms else f"{self.names[s.var]} = {text}")
                if terms or s.var in self.products:
                    self.summed.add(len(self.lines))
            case Store():
                sign, value = ("+=", self.value(s.value)) if s.add else ("=", self.value(s.value))
                if s.add and (let := self.inlined.get(s.value)) is not None and let.op is ops.NEG:
                    sign, value = "-=", self.value(let.args[0])
                self.statement_line(s, f"{self.names[s.array]}[{self.items(s.index)}] {sign} {value}")
                if s.add is ops.SUM:
                    self.summed.add(len(self.lines))
            case Kernel() if s.op is ops.ROOM:
                (items,), (n,) = s.outs, s.args
                self.statement_line(s, f"while {self.value(n, 7)} >= {self.names[items]}.shape[0]:")
                self.line(f"    {self.names[items]} = grow({self.names[items]})")
            case Kernel():
                self.statement_line(s, s.op.text.format(*(self.value(v) for v in (*s.outs, *s.args))))
            case Call():
                text = f"{self.callees[s.callee]}({self.items(s.args)})"
                targets = ", ".join(self.names[r] for r in s.results)
                self.statement_line(s, f"{targets} = {text}" if targets else text)
            case For():
                self.for_loop(s)
            case While():
                self.while_loop(s)
            case If():
                self.branch(s)
            case Check():
                self.statement_line(s, f"if {self.negated(s.test)}:")
                self.depth += 1
                self.line(f"raise {s.error.__name__}({self.message(s)})")
                self.depth -= 1
            case Print():
                args = iter(s.args)
                parts = [repr(p) if p is not None else self.value(next(args)) for p in s.parts]
                self.statement_line(s, f"print({', '.join(parts)})")
            case Push():
                self.push(s)
            case Pop():
                self.pop(s)

    def message(self, s: Check) -> str:
        """The text of an error, formatted where it has parts."""
        if all(isinstance(p, str) for p in s.parts):
            return repr("".join(map(str, s.parts)) or s.message)
        escaped = str.maketrans({"{": "{{", "}": "}}"})
        text = [p.translate(escaped) if isinstance(p, str) else f"{{{self.value(p)}}}" for p in s.parts]
        return "f" + repr("".join(text))

    def added_to(self, name: str, s: Let) -> str | None:
        """For x = x + a + b of adjoints, x called `name`: the text of what is added, a + b."""
        terms = self.terms(s) if s.op is ops.SUM else []
        own = [t for t in terms if isinstance(t, Var) and self.names.get(t) == name]
        if len(own) != 1 or any(name in self.reads(t) for t in terms if t is not own[0]):
            return None
        return " + ".join(self.value(t, 13) for t in terms if t is not own[0])

    def terms(self, s: Let) -> list[Value]:
        """The terms of a sum of adjoints, nested sums opened."""
        found: list[Value] = []
        for a in s.args:
            inner = self.inlined.get(a) if isinstance(a, Var) else None
            found += self.terms(inner) if inner is not None and inner.op is ops.SUM else [a]
        return found

    def negated(self, test: Value) -> str:
        let = self.inlined.get(test) if isinstance(test, Var) else None
        if let is not None:
            if let.op in _NEGATED and all(a.type.is_integer for a in let.args):
                op = _NEGATED[let.op]
                return op.text.format(*(self.value(a, 7) for a in let.args))
            if let.op is ops.NOT:
                return self.value(let.args[0])
            if let.op is ops.OR:
                return " and ".join(self.negated_term(a) for a in let.args)
        return f"not {self.value(test, 5)}"

    def negated_term(self, test: Value) -> str:
        text = self.negated(test)
        return f"({text})" if " or " in text else text

    def for_loop(self, s: For) -> None:
        self.loc = s.loc
        self.copies(list(zip(s.params, s.inits, strict=True)))
        self.statement_line(s, f"for {self.names[s.index]} in range({self.range_of(s)}):")
        if s.parallel:
            self.parallel.add(len(self.lines))
            if s.short:
                self.short.add(len(self.lines))
        self.nested(s.body, list(zip(s.params, s.body.yields, strict=True)))
        self.loc = s.loc
        self.copies(list(zip(s.results, s.params, strict=True)))

    def range_of(self, s: For) -> str:
        bounds = [s.stop] if _is_zero(s.start) and _is_one(s.step) else [s.start, s.stop]
        return self.items(bounds if _is_one(s.step) else [*bounds, s.step])

    def while_loop(self, s: While) -> None:
        self.loc = s.loc
        self.copies(list(zip(s.params, s.inits, strict=True)))
        copies = list(zip(s.params, s.body.yields, strict=True))
        if all(isinstance(t, Let) and t.var in self.inlined for t in s.test.statements):
            self.statement_line(s, f"while {self.value(s.test.yields[0])}:")
            self.nested(s.body, copies)
        else:
            self.statement_line(s, "while True:")
            self.depth += 1
            self.block(s.test)
            self.line(f"if not {self.value(s.test.yields[0], 5)}:")
            self.line("    break")
            self.depth -= 1
            self.nested(s.body, copies)
        self.loc = s.loc
        self.copies(list(zip(s.results, s.params, strict=True)))

    def branch(self, s: If) -> None:
        then = list(zip(s.results, s.then.yields, strict=True))
        orelse = list(zip(s.results, s.orelse.yields, strict=True))
        if not self.needed(s.then, then):
            self.statement_line(s, f"if not {self.value(s.test, 5)}:")
            self.nested(s.orelse, orelse)
            return
        self.statement_line(s, f"if {self.value(s.test)}:")
        self.nested(s.then, then)
        if self.needed(s.orelse, orelse):
            self.line("else:")
            self.nested(s.orelse, orelse)

    def needed(self, block: Block, copies: list) -> bool:
        return bool(block.statements) or any(self.names[a] != self.names.get(b) for a, b in copies)

    def copies(self, pairs: list[tuple[Var, Value]]) -> None:
        """Assign all pairs as if at once."""
        left = [(self.names[a], b, self.reads(b)) for a, b in pairs]
        left = [(a, b, reads) for a, b, reads in left if a != self.value(b)]
        while left:
            free = next((c for c in left if not any(c[0] in o[2] for o in left if o is not c)), None)
            if free is None:
                self.line(f"{', '.join(c[0] for c in left)} = {', '.join(self.value(c[1]) for c in left)}")
                return
            left.remove(free)
            let = self.inlined.get(free[1]) if isinstance(free[1], Var) else None
            terms = self.added_to(free[0], let) if let is not None else None
            self.line(f"{free[0]} += {terms}" if terms else f"{free[0]} = {self.value(free[1])}")
            if terms:
                self.summed.add(len(self.lines))

    def reads(self, value: Value) -> set[str]:
        """The names that a value's expression reads."""
        if isinstance(value, Const):
            return set()
        if (let := self.inlined.get(value)) is not None:
            return set().union(*(self.reads(a) for a in let.args)) if let.args else set()
        return {self.names[value]}

    # -- growing tapes -----------------------------------------------------------------------------------------------

    def new_stack(self, s: Let) -> None:
        type_, tape = s.var.type, self.names[s.var]
        dtype = "" if type_.dtype == FLOAT64 else f", np.{dtype_name(type_.dtype)}"
        self.statement_line(s, f"{tape} = np.empty(({_STACK_ROWS}, {type_.width}){dtype})")
        self.line(f"{tape}_top = 0")

    def push(self, s: Push) -> None:
        tape = self.names[s.stack]
        self.loc = s.loc
        if isinstance(s.stack.type, Arena):
            items = [self.value(v) for v in s.values]
            items += [f"{self.names[v]}_top" for v in s.values if isinstance(v.type, Stack)]
            self.line(f"{tape}.append(({''.join(f'{item}, ' for item in items).rstrip(' ')}))")
            return
        self.line(f"if {tape}_top == {tape}.shape[0]:")
        self.line(f"    {tape} = grow({tape})")
        for k, value in enumerate(s.values):
            self.line(f"{tape}[{tape}_top, {k}] = {self.value(value)}")
        self.line(f"{tape}_top += 1")

    def pop(self, s: Pop) -> None:
        tape = self.names[s.stack]
        self.loc = s.loc
        if isinstance(s.stack.type, Arena):
            stacks = [v for v in s.vars if isinstance(v.type, Stack)]
            items = [*(self.names[v] for v in s.vars), *(f"{self.names[v]}_top" for v in stacks)]
            self.line(f"{''.join(f'{item}, ' for item in items).rstrip(' ')} = {tape}.pop()")
            self.records[len(self.lines)] = (*(v.type for v in s.vars), *(INT for _ in stacks))
            return
        self.line(f"{tape}_top -= 1")
        for k, var in enumerate(s.vars):
            self.line(f"{self.names[var]} = {tape}[{tape}_top, {k}]")


def _constant(c: Const) -> tuple[str, int]:
    value, type_ = c.value, c.type
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bool):
        return str(plain), _ATOM
    if isinstance(plain, complex):
        text, own = _complex_constant(plain)
        return (text, own) if type_.dtype == COMPLEX128 else (f"np.complex64({text})", _ATOM)
    if isinstance(plain, float) and not math.isfinite(plain):
        text = _not_finite(plain)
    else:
        text = repr(float(value)) if type_.is_float and type_.dtype == FLOAT64 else repr(plain)
    if type_.dtype not in (FLOAT64, INT64, BOOL_):
        return f"np.{dtype_name(type_.dtype)}({text})", _ATOM
    return text, 14 if text.startswith("-") else _ATOM


def _not_finite(x: float) -> str:
    return "np.nan" if math.isnan(x) else "np.inf" if x > 0 else "-np.inf"


def _complex_constant(z: complex) -> tuple[str, int]:
    """2.0j, 1.0 + 2.0j, or the two parts where Python's notation would lose a sign or has none."""
    finite = math.isfinite(z.real) and math.isfinite(z.imag) and math.copysign(1.0, z.imag) > 0
    if finite and z.real == 0 and math.copysign(1.0, z.real) > 0:
        return f"{z.imag!r}j", _ATOM
    if z.imag < 0 and z.real == 0 and math.copysign(1.0, z.real) < 0 and math.isfinite(z.imag):
        return f"{z.imag!r}j", 14
    if finite and z.real != 0:
        return f"{z.real!r} + {z.imag!r}j", 12
    parts = [repr(x) if math.isfinite(x) else _not_finite(x) for x in (z.real, z.imag)]
    return f"complex({parts[0]}, {parts[1]})", _ATOM


def dtype_name(dtype: np.dtype) -> str:
    """How NumPy's namespace calls a dtype."""
    return "bool_" if dtype == BOOL_ else dtype.name


def _cast(to: Scalar, source: Scalar) -> str:
    if to.dtype == FLOAT64:
        return "float({0})" if to.weak and source.dtype.kind in "iu" else "np.float64({0})"
    if to.dtype == INT64 and source.dtype.kind == "f":
        return "int({0})" if to.weak else "np.int64({0})"
    return f"np.{dtype_name(to.dtype)}({{0}})"


def _is_zero(v: Value) -> bool:
    return isinstance(v, Const) and v.value == 0


def _is_one(v: Value) -> bool:
    return isinstance(v, Const) and v.value == 1
