"""The rules of the IR, checked between any two passes: single definition, scope, types, places."""

from zygopy.errors import Loc
from zygopy.transform import ops
from zygopy.transform.ir import (
    Block,
    Call,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Let,
    Pop,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    block_params,
    blocks,
    defined,
    leaves,
    operands,
    param_vars,
    remembered,
)
from zygopy.transform.types import BOOL_, Arena, Array, Scalar, Stack


class VerificationError(AssertionError):
    """A pass has made a function that breaks a rule of the IR."""


def verify(function: Function, open_program: bool = False) -> Function:
    """Check a function and give it back; the reverse part of an open program may name primal variables out of scope.

    Raises
    ------
    VerificationError
        With the statement and the rule that it breaks.
    """
    _Verifier(open_program).function(function)
    return function


class _Verifier:
    def __init__(self, open_program: bool):
        self.open_program = open_program
        self.defined: set[Var] = set()
        self.scope: set[Var] = set()
        self.seen: set[int] = set()  # ids of statements

    def function(self, function: Function) -> None:
        for _, kept in function.callees:
            _Verifier(self.open_program).function(kept)
        self.define(tuple(param_vars(function)), None)
        self.block(function.body)
        _demand(tuple(leaves(function.results)) == function.body.yields, "the body yields the results' leaves", None)

    def define(self, variables: tuple[Var, ...], s: Statement | None) -> None:
        for var in variables:
            if var in self.defined:
                _fail(f"{var} is defined once", s)
            self.defined.add(var)
            self.scope.add(var)

    def read(self, values: tuple[Value, ...], s: Statement | None) -> None:
        known = self.defined if self.open_program else self.scope
        for v in values:
            if isinstance(v, Var) and v not in known:
                _fail(f"{v} is in scope", s)

    def block(self, block: Block) -> None:
        """Check a block, whose definitions go out of scope at its end."""
        _check_types(block)
        for s in block.statements:
            _demand(id(s) not in self.seen, "a statement stands in one place", s)
            self.seen.add(id(s))
            self.read(operands(s), s)
            params = block_params(s)
            self.define(params, s)
            for inner in blocks(s):
                self.block(inner)
            self.scope.difference_update(params)
            self.define(defined(s), s)
        self.read(block.yields, None)
        for s in block.statements:
            self.scope.difference_update(defined(s))


@remembered
def _check_types(block: Block) -> None:
    """Check each statement of a block for itself."""
    for s in block.statements:
        _demand(isinstance(s.loc, Loc), "a statement has a place", s)
        _check(s)


def _check(s: Statement) -> None:
    match s:
        case Let():
            _check_let(s)
        case Store():
            _demand(len(s.index) == s.array.type.ndim, "a store has an index for each axis", s)
            _demand(s.value.type.dtype == s.array.type.dtype, "a store keeps the array's dtype", s)
        case Kernel():
            _demand(all(isinstance(out.type, Array) for out in s.outs), "a kernel fills arrays", s)
        case Call():
            _demand(len(s.shapes) == len(s.results), "a call knows of the shape of each result", s)
            ranks = zip(s.results, s.shapes, strict=True)
            _demand(all(len(n) == getattr(r.type, "ndim", 0) for r, n in ranks), "a shape has all axes", s)
        case For() | While():
            counts = {len(s.params), len(s.inits), len(s.results), len(s.body.yields)}
            _demand(len(counts) == 1, "a loop has as many params, inits, yields and results", s)
            for group in zip(s.params, s.inits, s.body.yields, s.results, strict=True):
                _demand(len({_kind(v) for v in group}) == 1, "a loop variable keeps its type", s)
        case If():
            counts = {len(s.results), len(s.then.yields), len(s.orelse.yields)}
            _demand(len(counts) == 1, "both sides of a branch yield its results", s)
            for group in zip(s.results, s.then.yields, s.orelse.yields, strict=True):
                _demand(len({_kind(v) for v in group}) == 1, "both sides of a branch yield one type", s)
            _demand(s.test.type.dtype == BOOL_, "a branch tests a bool", s)
        case Push() | Pop() if isinstance(s.stack.type, Stack):
            width = len(s.values) if isinstance(s, Push) else len(s.vars)
            _demand(width == s.stack.type.width, "a row of a stack has its width", s)


def _check_let(s: Let) -> None:
    if s.op is ops.LOAD:
        array = s.args[0].type
        _demand(isinstance(array, Array) and len(s.args) == array.ndim + 1, "a load has an index for each axis", s)
        _demand(s.var.type.dtype == array.dtype, "a load gives the array's dtype", s)
        _demand(all(i.type.is_integer for i in s.args[1:]), "an index is an integer", s)
    elif s.op.effect is Effect.ALLOCATES:
        _demand(isinstance(s.var.type, Array | Stack | Arena), "an allocation gives memory", s)
    elif s.op in (ops.STACK_ROWS, ops.STACK_TOP):
        _demand(isinstance(s.args[0].type, Stack), "a question about a tape asks a tape", s)
    elif s.op is ops.STACK_OF:
        _demand(isinstance(s.var.type, Stack) and isinstance(s.args[0].type, Array), "a tape has rows", s)
    elif s.op is ops.FIRST_OVERLAP:
        _demand(all(isinstance(a.type, Array) for a in s.args[1:]), "a question about arrays asks arrays", s)
    elif s.op in (ops.DIM, ops.CAPACITY, ops.OVERLAPS):
        _demand(isinstance(s.args[0].type, Array), "a question about an array asks an array", s)
    elif s.op is ops.VIEW:
        _demand(len(s.args) == 1 + 3 * s.args[0].type.ndim, "a view says start, step and length of each axis", s)
    elif s.op in ops.VIEWS:
        _demand(len(s.args) == 1 + s.var.type.ndim, "a view says what each of its axes is", s)
    else:
        _demand(all(isinstance(a.type, Scalar) for a in s.args), "an operation takes numbers", s)
        if s.op in ops._TYPING:
            _, result = ops.typing(s.op, [a.type for a in s.args])
            if result.dtype != s.var.type.dtype:
                _fail(f"{s.op} gives {result}", s)


def _kind(value: Value) -> object:
    """What of a type must agree where values meet: weak bits and layouts may differ."""
    type_ = value.type
    return (type_.dtype, type_.ndim) if isinstance(type_, Array) else type_.dtype


def _demand(holds: bool, rule: str, s: Statement | None) -> None:
    if not holds:
        _fail(rule, s)


def _fail(rule: str, s: Statement | None) -> None:
    place = f" at {s.loc}" if s is not None else ""
    raise VerificationError(f"{rule}: not so in {type(s).__name__}{place}: {s}"[:2000])
