"""From a Python function and argument types to typed IR: an abstract interpreter of statements and control flow.

Names stand for values (values.py); what Python would do at run time becomes IR, what is known now is done now. Loops
are interpreted until the types of their variables no longer change.
"""

import ast
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn

from zygopy.errors import (
    ArgumentError,
    DtypeError,
    Loc,
    OutOfBoundsError,
    TypeJoinError,
    UnboundError,
    UnsupportedError,
    ZygopyError,
)
from zygopy.transform import arrays, ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, constant, integer, zero
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    For,
    Function,
    If,
    Let,
    Param,
    Store,
    Value,
    Var,
    While,
    leaves,
    map_leaves,
    new_key,
)
from zygopy.transform.parse import RESULT, Parsed, assigned_names, loc_of, parse_function, read
from zygopy.transform.types import BOOL, INT, Array, Type, unify
from zygopy.transform.values import (
    Closure,
    Frame,
    Maybe,
    Range,
    Scope,
    Static,
    Unbound,
    View,
    describe,
    is_number,
)

# -- what a loop's variable is at the head of the loop ---------------------------------------------------------------


@dataclass(frozen=True)
class Conflict:
    """A name whose values on two paths do not fit each other; reading it is an error."""

    a: str
    b: str


@dataclass(frozen=True)
class Number:
    type: Type


@dataclass(frozen=True)
class Items:
    items: tuple


@dataclass(frozen=True)
class Handle:
    """An array variable that the loop rebinds; `shape` is None if the arrays may differ in shape."""

    type: Array
    shape: tuple[Value, ...] | None


@dataclass(frozen=True)
class Fixed:
    """Not changed by the loop, and so no variable of it."""

    value: object


@dataclass(frozen=True)
class Late:
    """Bound in each trip before it is read; `sure` once the loop has run."""

    kind: object


@dataclass(frozen=True)
class Optional:
    """Bound on some paths only."""

    kind: object


@dataclass
class Level:
    """A block under construction, and what encloses it."""

    builder: Builder
    kind: str  # "function", "for", "while", "branch"
    loop: tuple[Var, Value, Value, Value] | None = None  # index, start, stop, step


class _Raises(Exception):
    """The path being interpreted always raises at run time."""


class Specialiser:
    """Interprets one function, with all that it calls, into one block of IR."""

    def __init__(self, options: object = None):
        self.facts = Facts()
        self.levels: list[Level] = []
        self.homes: dict[Var, int] = {}
        self.captured_arrays: dict[tuple, Var] = {}
        self.captured_numbers: list[tuple[Scope, str, object]] = []
        self.frame: Frame | None = None
        self.node: ast.AST | None = None
        self.parameters: set[Var] = set()
        self.merged: set[Var] = set()  # array variables that may stand for more than one array
        self.calls: list[object] = []
        self.unshaped: set[Var] = set()  # array variables of loops whose shape each block asks for
        self.pending: list = []  # questions for the shape of a join, to be asked after it
        self._push(Level(Builder(Loc("", 1)), "function"))
        self.entry = Builder(Loc("", 1))  # the shapes of captured arrays
        self.entry.definitions, self.entry.homes = self.facts.definitions, self.homes

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def b(self) -> Builder:
        return self.levels[-1].builder

    @property
    def loc(self) -> Loc:
        return self.b.loc

    def at(self, node: ast.AST) -> None:
        """Set the user's place for what follows."""
        if hasattr(node, "lineno"):
            self.node = node
            self.b.loc = loc_of(node, self.frame.parsed.file, self.frame.parsed.name)

    def _push(self, level: Level) -> None:
        self.levels.append(level)
        self.facts.assumed.append([])
        if level.loop is not None:
            _, start, stop, step = level.loop
            if isinstance(step, Const) and abs(step.value) == 1:  # here the loop has a trip
                self.facts.assume((self.facts.affine(stop) - self.facts.affine(start)).scale(step.value).shift(-1))
        level.builder.definitions = self.facts.definitions
        level.builder.homes, level.builder.depth = self.homes, len(self.levels) - 1

    @contextmanager
    def nested(self, kind: str = "branch", loop: tuple | None = None):
        """Build a block inside the current one."""
        loc = self.loc
        self._push(Level(Builder(loc), kind, loop))
        depth = len(self.levels)
        try:
            yield self.b
        finally:
            del self.levels[depth - 1 :], self.facts.assumed[depth - 1 :]
            self.b.loc = loc

    # -- checks ------------------------------------------------------------------------------------------------------

    def check(self, test: Value, error: type[Exception], message: str) -> None:
        """Raise at run time unless test holds."""
        if isinstance(test, Const) and test.value:
            return
        self.b.emit(Check(test, error, message, self.loc))

    def require_less(self, i: Value, n: Value, message: str) -> None:
        """Test i < n, before the loops around this place where that means the same."""
        gap = self.facts.affine(n) - self.facts.affine(i).shift(1)  # is to be >= 0
        self._test(gap, message)
        self.facts.assume(gap)

    def _test(self, gap: Affine, message: str) -> None:
        depth, empty = self._place_of_test(gap)
        for level in range(len(self.levels) - 1, depth, -1):
            gap = self._outside(gap, level)
        if self._always(gap, empty, depth + 1):
            return
        builder = self.levels[depth].builder
        loc, builder.loc = builder.loc, self.loc
        test = self._not_negative(builder, gap)
        for form in empty:
            test = builder.apply(ops.OR, test, self._not_negative(builder, form.scale(-1)))
        self.facts.assume(gap, *(form.scale(-1) for form in empty), depth=depth)
        if not (isinstance(test, Const) and test.value):
            builder.emit(Check(test, OutOfBoundsError, message, self.loc))
        builder.loc = loc

    def _place_of_test(self, gap: Affine) -> tuple[int, list[Affine]]:
        """The depth of the outermost block where a test means the same, and when the loops up to it run."""
        depth = len(self.levels) - 1
        empty: list[Affine] = []
        while self.levels[depth].kind == "for" and (outside := self._outside(gap, depth)) is not None:
            if not all(self._visible(form, depth - 1) for form in empty):
                break
            _, start, stop, step = self.levels[depth].loop
            runs = (self.facts.affine(stop) - self.facts.affine(start)).scale(step.value)  # > 0 when the loop runs
            if not self._implied(outside, runs, depth):
                if not self._visible(runs, depth - 1):
                    break
                empty.append(runs)
            gap = outside
            depth -= 1
        return depth, empty

    def _implied(self, gap: Affine, condition: Affine, blocks: int) -> bool:
        """Whether the test gap >= 0 needs no exception for a loop that does not run."""
        never = self.facts.never_negative
        return never(condition.shift(-1), blocks) or never(gap + condition, blocks)

    def _always(self, gap: Affine, empty: list[Affine], blocks: int) -> bool:
        """Whether gap >= 0, or one of the loops does not run (its condition <= 0), is certain."""
        if self.facts.never_negative(gap, blocks):
            return True
        return any(not (total := gap - condition).terms and total.constant >= -1 for condition in empty)

    def _outside(self, gap: Affine, depth: int) -> Affine | None:
        """The smallest value of `gap` over the trips of the loop at `depth`, in terms known before the loop."""
        index, start, stop, step = self.levels[depth].loop
        if not isinstance(step, Const) or abs(step.value) != 1:
            return None
        coefficient = gap.coefficient(index)
        if coefficient:
            first, last = self.facts.affine(start), self.facts.affine(stop).shift(-step.value)
            low, high = (first, last) if step.value > 0 else (last, first)
            gap = gap.substitute(index, low if coefficient > 0 else high)
        return gap if self._visible(gap, depth - 1) else None

    def _visible(self, form: Affine, depth: int) -> bool:
        return all(self.homes.get(symbol, 0) <= depth for symbol, _ in form.terms)

    @staticmethod
    def _not_negative(builder: Builder, form: Affine) -> Value:
        sides = {True: integer(max(form.constant, 0)), False: integer(max(-form.constant, 0))}
        for symbol, coefficient in form.terms:
            term = builder.mul(symbol, integer(abs(coefficient)))
            sides[coefficient > 0] = builder.add(term, sides[coefficient > 0])
        return builder.apply(ops.LE, sides[False], sides[True])

    def may_overlap(self, a: View, b: View) -> bool:
        """Whether two views may share memory."""
        return a.base is b.base or a.base in self.merged or b.base in self.merged

    def freeze(self, value: object) -> object:
        """A value through which no gradient flows."""
        if is_number(value):
            return (
                self.b.let(ops.STOP, (value,), value.type, getattr(value, "name", ""))
                if isinstance(value, Var)
                else value
            )
        if isinstance(value, View):
            return replace(value, frozen=True)
        if isinstance(value, tuple):
            return tuple(self.freeze(v) for v in value)
        return value

    # -- functions ---------------------------------------------------------------------------------------------------

    def call_function(self, function: Callable, args: list, kwargs: dict) -> object:
        """Interpret a call of a Python function in place."""
        parsed = read(function)
        defaults = dict(zip(_positional(parsed.args)[::-1], (function.__defaults__ or ())[::-1], strict=False))
        defaults |= function.__kwdefaults__ or {}
        defaults = {k: self.from_python(v, None) for k, v in defaults.items()}
        return self.inline(Frame(parsed, None, Scope(function)), args, kwargs, defaults, function.__code__)

    def call_closure(self, closure: Closure, args: list, kwargs: dict) -> object:
        """Interpret a call of an inner function in place."""
        frame = Frame(closure.parsed, closure.frame, None)
        return self.inline(frame, args, kwargs, closure.defaults, closure.parsed)

    def inline(self, frame: Frame, args: list, kwargs: dict, defaults: dict, key: object) -> object:
        """Bind arguments, interpret the body, give the result."""
        if any(k is key for k in self.calls):
            raise UnsupportedError(
                f"{frame.parsed.name} calls itself", self.loc, "recursion is not supported yet", "write it as a loop"
            )
        frame.names.update(bind(frame.parsed, args, kwargs, defaults, self.loc))
        caller, loc = self.frame, self.loc
        self.frame = frame
        self.calls.append(key)
        try:
            self.statements(frame.parsed.body)
            result = frame.names.get(RESULT, Static(None))
        finally:
            self.calls.pop()
            self.frame = caller
            self.b.loc = loc
        result = result.value if isinstance(result, Maybe) else result
        if isinstance(result, Conflict):
            raise TypeJoinError(
                f"{frame.parsed.name} returns different types on different paths: {result.a} and {result.b}",
                frame.parsed.loc,
                "compiled code needs one type for a result",
                "return the same kind of value on every path",
            )
        return result

    # -- names -------------------------------------------------------------------------------------------------------

    def read_name(self, name: str) -> object:
        """The value of a name in the current frame, its closures, its globals."""
        frame = self.frame
        while frame is not None:
            if name in frame.names:
                return self._bound(frame, name, frame.names[name])
            if frame.scope is not None:
                found, value = frame.scope.find(name)
                if found:
                    return self.from_python(value, (frame.scope, name))
                break
            frame = frame.outer
        if name in assigned_names(self.frame.parsed.body):
            raise UnboundError(f"{name} is read before it has a value", self.loc, help=f"give {name} a value first")
        raise UnboundError(f"the name {name} is not defined", self.loc)

    def _bound(self, frame: Frame, name: str, value: object) -> object:
        match value:
            case Unbound():
                raise UnboundError(
                    f"{name} may have no value here",
                    self.loc,
                    value.why or "it is bound on some paths only",
                    f"give {name} a value on every path before this line",
                )
            case Conflict():
                raise TypeJoinError(
                    f"{name.split('@')[0]} has different types on different paths: {value.a} and {value.b}",
                    self.loc,
                    "compiled code needs one type for a variable where paths meet",
                    "use two names, or convert one of the values",
                )
            case Maybe():
                if "@" not in name:
                    self.check(value.flag, UnboundError, f"{name} has no value")
                    frame.names[name] = value.value
                return value.value
        return value

    def from_python(self, obj: object, origin: tuple[Scope, str] | None) -> object:
        """The value of a Python object found outside the function."""
        import numpy as np

        if isinstance(obj, bool | int | float | np.bool_ | np.integer | np.floating):
            if isinstance(obj, np.float16 | np.longdouble) or (isinstance(obj, int) and not -(2**63) <= obj < 2**63):
                raise DtypeError(f"a {type(obj).__name__} constant is not supported", self.loc, help="use float64")
            if origin is not None:
                self.captured_numbers.append((*origin, obj))
            return constant(obj)
        if isinstance(obj, np.ndarray) and origin is not None:
            return self._captured_array(obj, origin)
        if isinstance(obj, tuple) and type(obj) is tuple:
            return tuple(self.from_python(item, None if not isinstance(item, np.ndarray) else origin) for item in obj)
        if isinstance(obj, complex | np.complexfloating):
            raise DtypeError("complex numbers are not supported yet", self.loc, help="carry real and imaginary parts")
        return Static(obj)

    def _captured_array(self, array, origin: tuple[Scope, str]) -> View:
        from zygopy.transform.signature import type_of_array

        scope, name = origin
        key = (scope.function, name)
        if key not in self.captured_arrays:
            var = Var(name, type_of_array(array, name))
            self.captured_arrays[key] = var
            self.facts.shapes[var] = tuple(self.entry.dim(var, k) for k in range(var.type.ndim))
        return arrays.whole(self, self.captured_arrays[key])

    # -- statements --------------------------------------------------------------------------------------------------

    def statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.at(statement)
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        from zygopy.transform import expressions

        match node:
            case ast.Assign():
                value = expressions.evaluate(self, node.value, _hint(node.targets[0]))
                for target in node.targets:
                    expressions.assign(self, target, value)
            case ast.AnnAssign():
                if node.value is not None:
                    value = expressions.evaluate(self, node.value, _hint(node.target))
                    expressions.assign(self, node.target, value)
            case ast.AugAssign():
                expressions.augmented_assign(self, node)
            case ast.If():
                self.if_statement(node)
            case ast.For():
                self.for_statement(node)
            case ast.While():
                self.while_statement(node)
            case ast.Expr():
                if not isinstance(node.value, ast.Constant):
                    expressions.evaluate(self, node.value)
            case ast.Pass():
                pass
            case ast.Assert():
                test = expressions.truth(self, expressions.evaluate(self, node.test))
                self.check(test, AssertionError, expressions.message_text(self, node.msg))
            case ast.Raise():
                error, message = expressions.raised(self, node)
                self.check(constant(False), error, message)
                raise _Raises
            case ast.FunctionDef():
                self.define_function(node)
            case ast.Import() | ast.ImportFrom():
                self.import_names(node)
            case _:
                self.refuse(node)

    def refuse(self, node: ast.AST) -> NoReturn:
        """Syntax that is not supported."""
        what, help = _REFUSED.get(type(node), (f"{type(node).__name__} is", ""))
        raise UnsupportedError(f"{what} not supported", self.loc, help=help)

    def define_function(self, node: ast.FunctionDef) -> None:
        from zygopy.transform import expressions

        if node.decorator_list:
            raise UnsupportedError("a decorated inner function is not supported", self.loc, help="define it outside")
        parsed = parse_function(node, self.frame.parsed.file)
        self.frame.names[node.name] = Closure(parsed, self.frame, expressions.default_values(self, node.args))

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        import importlib

        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                obj = getattr(importlib.import_module(node.module), alias.name)
                self.frame.names[alias.asname or alias.name] = self.from_python(obj, None)
            else:
                module = importlib.import_module(alias.name)
                root = importlib.import_module(alias.name.split(".")[0])
                self.frame.names[alias.asname or alias.name.split(".")[0]] = Static(module if alias.asname else root)

    # -- branches ----------------------------------------------------------------------------------------------------

    def if_statement(self, node: ast.If) -> None:
        from zygopy.transform import expressions

        test = expressions.truth(self, expressions.evaluate(self, node.test))
        self.at(node)
        self.branch(test, lambda: self.statements(node.body), lambda: self.statements(node.orelse))

    def branch(self, test: Value, then: Callable[[], object], orelse: Callable[[], object]) -> tuple | None:
        """Interpret both sides of a branch and join what they bind and what they return."""
        if isinstance(test, Const):
            return (then() if test.value else orelse()), None
        before = self.frame.names
        loc = self.loc
        sides = []
        for side in (then, orelse):
            self.frame.names = dict(before)
            with self.nested() as builder:
                try:
                    value, raises = side(), False
                except _Raises:
                    value, raises = None, True
            sides.append((builder, self.frame.names, value, raises))
        self.b.loc = loc
        (then_b, then_names, then_value, then_raises), (else_b, else_names, else_value, else_raises) = sides
        if then_raises or else_raises:
            return self._raising_branch(test, sides)
        results: list[tuple[Var, Value, Value]] = []
        joined = {}
        for name in dict.fromkeys([*then_names, *else_names]):
            a, b = then_names.get(name, Unbound()), else_names.get(name, Unbound())
            joined[name] = self.join(name, a, b, then_b, else_b, results)
        value = self.join("value", then_value, else_value, then_b, else_b, results) if then_value is not None else None
        self.frame.names = joined
        self._emit_if(test, then_b, else_b, results)
        return value, None

    def _emit_if(self, test: Value, then: Builder, orelse: Builder, results: list) -> None:
        if not (then.statements or orelse.statements or results):
            return
        for var, _, _ in results:
            self.homes[var] = len(self.levels) - 1
        sides = then.block(tuple(r[1] for r in results)), orelse.block(tuple(r[2] for r in results))
        self.b.if_(test, sides[0], sides[1], tuple(r[0] for r in results))
        self.b.statements += self.pending
        self.pending = []

    def _raising_branch(self, test: Value, sides: list) -> tuple:
        (then_b, then_names, then_value, then_raises), (else_b, else_names, else_value, else_raises) = sides
        if then_raises and else_raises:
            self.b.if_(test, then_b.block(), else_b.block(), ())
            raise _Raises
        raising = then_b if then_raises else else_b
        if len(raising.statements) == 1 and isinstance(raising.statements[0], Check):
            holds = self.b.apply(ops.NOT, test) if then_raises else test
            self.b.emit(replace(raising.statements[0], test=holds))
        else:
            empty = Block(())
            yes, no = (then_b.block(), empty) if then_raises else (empty, else_b.block())
            self.b.if_(test, yes, no, ())
        survivor, names, value = (else_b, else_names, else_value) if then_raises else (then_b, then_names, then_value)
        self.b.statements += survivor.statements
        for var, home in list(self.homes.items()):
            if home >= len(self.levels):
                self.homes[var] = len(self.levels) - 1
        self.frame.names = names
        return value, None

    def join(self, name: str, a: object, b: object, then: Builder, orelse: Builder, results: list) -> object:
        """One value for a name that has value `a` after one branch and `b` after the other."""
        if a is b or (type(a) is type(b) and a == b):
            return a
        if isinstance(a, Conflict) or isinstance(b, Conflict):
            return a if isinstance(a, Conflict) else b
        if isinstance(a, Unbound | Maybe) or isinstance(b, Unbound | Maybe):
            return self._join_unbound(name, a, b, then, orelse, results)
        if is_number(a) and is_number(b):
            type_ = unify(a.type, b.type)
            if type_ is None:
                return Conflict(describe(a), describe(b))
            var = Var(_plain(name), type_)
            results.append((var, then.cast(a, type_), orelse.cast(b, type_)))
            return var
        if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
            return tuple(self.join(name, x, y, then, orelse, results) for x, y in zip(a, b, strict=True))
        if isinstance(a, View) and isinstance(b, View) and a.frozen == b.frozen:
            type_ = unify(Array(a.dtype, a.ndim, "A"), Array(b.dtype, b.ndim, "A"))
            if type_ is not None:
                bases = [self._materialise_in(builder, view) for builder, view in ((then, a), (orelse, b))]
                type_ = unify(bases[0].type, bases[1].type)
                var = Var(_plain(name), type_)
                results.append((var, *bases))
                self.merged.add(var)
                self.facts.shapes[var] = self._common_shape(bases[0], bases[1], var)
                return arrays.whole(self, var)
        return Conflict(describe(a), describe(b))

    def _common_shape(self, a: Var, b: Var, joined: Var) -> tuple[Value, ...]:
        """The shape of a join of two arrays; asked for after the join where it is not the same on both paths."""
        shapes = self.facts.shapes[a], self.facts.shapes[b]
        if self.same_shape(*shapes):
            return shapes[0]
        asking = Builder(self.loc)
        asking.definitions, asking.homes, asking.depth = self.facts.definitions, self.homes, len(self.levels) - 1
        dims = tuple(asking.dim(joined, k) for k in range(joined.type.ndim))
        self.pending += asking.statements
        return dims

    def same_shape(self, a: tuple[Value, ...], b: tuple[Value, ...]) -> bool:
        return all(self.facts.affine(m) == self.facts.affine(n) for m, n in zip(a, b, strict=True))

    def _materialise_in(self, builder: Builder, view: View) -> Var:
        self._push(Level(builder, "branch"))
        try:
            return arrays.materialise(self, view)
        finally:
            self.levels.pop()
            self.facts.assumed.pop()

    def _join_unbound(self, name, a, b, then, orelse, results) -> object:
        (value_a, flag_a), (value_b, flag_b) = _optional(a), _optional(b)
        if value_a is None and value_b is None:
            return Unbound()
        filler = lambda other: _zeros(other)  # noqa: E731
        value_a = filler(value_b) if value_a is None else value_a
        value_b = filler(value_a) if value_b is None else value_b
        if value_a is None or value_b is None:
            return Unbound("an array is bound on some paths only")
        value = self.join(name, value_a, value_b, then, orelse, results)
        if isinstance(value, Conflict):
            return value
        flag = self.join("bound", flag_a, flag_b, then, orelse, results)
        return Maybe(value, flag)

    # -- loops -------------------------------------------------------------------------------------------------------

    def for_statement(self, node: ast.For) -> None:
        from zygopy.transform import iteration

        iteration.for_loop(self, node)

    def while_statement(self, node: ast.While) -> None:
        from zygopy.transform import expressions

        def test() -> Value:
            self.at(node.test)
            return expressions.truth(self, expressions.evaluate(self, node.test))

        self.while_loop(test, node.stop_flags, lambda: self.statements(node.body), assigned_names(node.body))

    def while_loop(self, test: Callable, stop_flags: tuple, body: Callable, names: list[str]) -> None:
        """A loop that runs while test() holds and no flag is set."""
        from zygopy.transform import expressions

        def whole_test() -> Value:
            going = [lambda f=flag: self.b.apply(ops.NOT, self.read_name(f)) for flag in stop_flags]
            return expressions.all_of(self, [*going, test])

        def build(enter, run):
            with self.nested("while") as test_b:
                enter()
                go = whole_test()
            with self.nested("while") as body_b:
                run(body)
            return test_b, go, body_b

        def finish(built, params, inits, yields, results):
            test_b, go, body_b = built
            if isinstance(go, Const) and not go.value:
                go = constant(False)
            self.b.emit(While(params, inits, test_b.block((go,)), body_b.block(yields), results, self.loc, new_key()))

        self.loop(names, build, finish)

    def counted_loop(self, index: Var, range_: Range, body: Callable, names: list[str]) -> None:
        """A loop over a range whose body always runs to its end."""
        bounds = (range_.start, range_.stop, range_.step)
        self.facts.ranges[index] = bounds

        def build(enter, run):
            with self.nested("for", (index, *bounds)) as builder:
                self.homes[index] = len(self.levels) - 1
                run(body)
            return builder

        def finish(builder, params, inits, yields, results):
            block = builder.block(yields)
            self.b.emit(For(index, *bounds, params, inits, block, results, self.loc, new_key()))

        runs = self.facts.never_negative(self.facts.affine(range_.stop) - self.facts.affine(range_.start).shift(1))
        self.loop(names, build, finish, sure=runs and isinstance(range_.step, Const) and range_.step.value > 0)

    def loop(self, names: list[str], build: Callable, finish: Callable, sure: bool = False) -> None:
        """Interpret a loop until the kinds of its variables are stable, then emit it.

        `build(enter, run)` interprets the blocks: `enter()` binds the loop's variables, `run(body)` does that and
        interprets the body. `finish` emits the loop; `sure`: it runs at least once.
        """
        before = self.frame.names
        kinds = {name: _kind(before.get(name, Unbound())) for name in names}
        marks = [(level.builder, len(level.builder.statements)) for level in self.levels]
        assumed = [list(forms) for forms in self.facts.assumed]
        for _ in range(20):
            heads: dict[str, object] = {}
            params: list[Var] = []
            for name in names:
                heads[name] = self._enter(name, kinds[name], params)
            for param in params:
                self.homes[param] = len(self.levels)
            ends: dict = {}

            def run(body, heads=heads, params=params, ends=ends):
                self._enter_block(before, heads)
                body()
                ends["names"], ends["builder"] = self.frame.names, self.b

            try:
                built = build(lambda heads=heads: self._enter_block(before, heads), run)
            except _Raises:
                raise UnsupportedError("a loop whose body always raises is not supported", self.loc) from None
            after = ends["names"]
            wider = {name: self._widen(kinds[name], after.get(name, Unbound())) for name in names}
            if all(_same_entry(kinds[n], wider[n]) for n in names):
                kinds = wider
                break
            kinds = wider
            for builder, length in marks:
                del builder.statements[length:]
            self.facts.assumed = [list(forms) for forms in assumed]
        else:
            raise TypeJoinError("the types of this loop's variables do not settle", self.loc)
        self._finish_loop(names, kinds, before, ends, built, finish, params, sure)

    def _enter_block(self, before: dict, heads: dict) -> None:
        self.frame.names = before | {n: self._views(v, True) for n, v in heads.items()}

    def _finish_loop(self, names, kinds, before, ends, built, finish, params, sure) -> None:
        inits: list[Value] = []
        yields: list[Value] = []
        all_params = list(params)
        results: list[Var] = []
        joined = dict(before)
        position = 0
        for name in names:
            kind = kinds[name]
            if isinstance(kind, Late):  # no parameter of the loop yet: nothing reads it at the loop's head
                fresh: list[Var] = []
                self._enter(name, Optional(kind.kind), fresh)
                all_params[position:position] = fresh
                kind = Optional(kind.kind)
            count = _width(kind)
            if count:
                flat_inits = self._flatten(kind, before.get(name, Unbound()), self.b)
                self._push(Level(ends["builder"], "branch"))
                flat_yields = self._flatten(kind, ends["names"][name], self.b)
                self.levels.pop()
                self.facts.assumed.pop()
                mine = [Var(p.name, p.type) for p in all_params[position : position + count]]
                for var, param in zip(mine, all_params[position:], strict=False):
                    self.homes[var] = len(self.levels) - 1
                    if param in self.facts.shapes and param not in self.unshaped:
                        self.facts.shapes[var] = self.facts.shapes[param]
                    if param in self.merged:
                        self.merged.add(var)
                inits += flat_inits
                yields += flat_yields
                results += mine
                position += count
                joined[name] = self._rebuild(kind, list(mine), sure and isinstance(kinds[name], Late))
            else:
                joined[name] = kind.value
        finish(built, tuple(all_params), tuple(inits), tuple(yields), tuple(results))
        self.frame.names = {n: self._views(v, False) for n, v in joined.items()}

    def _enter(self, name: str, kind: object, params: list[Var]) -> object:
        """The value at the head of the loop for a kind; its variables are appended to `params`."""
        match kind:
            case Number():
                params.append(Var(_plain(name), kind.type))
                return params[-1]
            case Items():
                return tuple(self._enter(name, item, params) for item in kind.items)
            case Handle():
                params.append(self._array_var(name, kind))
                return _Handle(params[-1])
            case Optional():
                value = self._enter(name, kind.kind, params)
                params.append(Var("bound", BOOL))
                return Maybe(value, params[-1])
            case Late():
                return Unbound()
        return kind.value

    def _array_var(self, name: str, kind: Handle) -> Var:
        var = Var(_plain(name), kind.type)
        self.merged.add(var)
        if kind.shape is not None:
            self.facts.shapes[var] = kind.shape
        return var

    def _views(self, value: object, ask: bool) -> object:
        """A loop's array variables as views, their shapes asked for in the current block where they are not known."""
        if isinstance(value, _Handle):
            if ask and value.var in self.unshaped or value.var not in self.facts.shapes:
                self.unshaped.add(value.var)
                arrays.bind_shape(self, value.var)
            return arrays.whole(self, value.var)
        if isinstance(value, tuple):
            return tuple(self._views(v, ask) for v in value)
        return value

    def _widen(self, kind: object, end: object) -> object:
        """The kind of a loop variable, given what it is at the end of a trip."""
        match kind:
            case Number() if is_number(end):
                type_ = unify(kind.type, end.type)
                return Fixed(Conflict(str(kind.type), describe(end))) if type_ is None else Number(type_)
            case Items() if isinstance(end, tuple) and len(end) == len(kind.items):
                items = tuple(self._widen(k, e) for k, e in zip(kind.items, end, strict=True))
                bad = next((i for i in items if isinstance(i, Fixed) and isinstance(i.value, Conflict)), None)
                return bad or Items(items)
            case Handle() if isinstance(end, View):
                return self._widen_handle(kind, end)
            case Fixed(View() as view) if isinstance(end, View):
                if end == view:
                    return kind
                if view.frozen or end.frozen or (view.dtype, view.ndim) != (end.dtype, end.ndim):
                    return Fixed(Conflict(describe(view), describe(end)))
                layout = "C" if view.is_whole and view.base.type.layout == "C" else "A"
                shape = tuple(s.length for s in view.spans)
                return self._widen_handle(Handle(Array(view.dtype, view.ndim, layout), shape), end)
            case Fixed(Unbound()) | Late() | Optional():
                return self._widen_unbound(kind, end)
            case Fixed(Conflict()):
                return kind
            case Fixed() if kind.value is end or (type(kind.value) is type(end) and kind.value == end):
                return kind
        return Fixed(Conflict(_describe_kind(kind), describe(end)))

    def _widen_handle(self, kind: Handle, end: View) -> object:
        if (kind.type.dtype, kind.type.ndim) != (end.dtype, end.ndim) or end.frozen:
            return Fixed(Conflict(_describe_kind(kind), describe(end)))
        contiguous = end.is_whole and end.base.type.layout == "C" and kind.type.layout == "C"
        lengths = tuple(s.length for s in end.spans)
        same = kind.shape is not None and self.same_shape(kind.shape, lengths)
        return Handle(Array(end.dtype, end.ndim, "C" if contiguous else "A"), kind.shape if same else None)

    def _widen_unbound(self, kind: object, end: object) -> object:
        known = kind.kind if isinstance(kind, Late | Optional) else None
        value, flag = _optional(end)
        if value is None or not _numeric(value):
            return kind if value is None else Fixed(Unbound("an array or object is bound inside the loop only"))
        inner = _kind(value) if known is None else self._widen(known, value)
        if isinstance(inner, Fixed):
            return inner if isinstance(inner.value, Conflict) else Fixed(Unbound())
        sure = isinstance(flag, Const) and flag.value
        return Late(inner) if sure and not isinstance(kind, Optional) else Optional(inner)

    def _flatten(self, kind: object, value: object, builder: Builder) -> list[Value]:
        match kind:
            case Number():
                return [builder.cast(value, kind.type)]
            case Items():
                return [v for k, item in zip(kind.items, value, strict=True) for v in self._flatten(k, item, builder)]
            case Handle():
                return [arrays.materialise(self, value)]
            case Optional():
                inner, flag = _optional(value)
                inner = _zeros_of(kind.kind) if inner is None else inner
                return [*self._flatten(kind.kind, inner, builder), flag]
        return []

    def _rebuild(self, kind: object, vars: list[Var], sure: bool = False) -> object:
        match kind:
            case Number():
                return vars.pop(0)
            case Items():
                return tuple(self._rebuild(item, vars) for item in kind.items)
            case Handle():
                return _Handle(vars.pop(0))
            case Optional():
                value = self._rebuild(kind.kind, vars)
                flag = vars.pop(0)
                return value if sure else Maybe(value, flag)
        return kind.value

    # -- elements ----------------------------------------------------------------------------------------------------

    def update_element(self, view: View, operator: Callable, operand: Value) -> None:
        """element op= operand; sums become accumulations."""
        import operator as python

        from zygopy.transform.functions import apply_function

        element = view.base.type.element
        if operator in (python.add, python.sub) and element.is_float:
            _, result = ops.typing(ops.ADD, [element, operand.type])
            if result.dtype == element.dtype and not view.frozen:
                arrays.check_writable(self, view)
                value = operand if operator is python.add else apply_function(self.b, python.neg, [operand], False)
                arrays.store(self, view, value, ops.ADD)
                return
        value = apply_function(self.b, operator, [arrays.load(self, view), operand], False)
        arrays.store(self, view, value)


@dataclass(frozen=True)
class _Handle:
    """An array variable of a loop, before a block gives it a view."""

    var: Var


# -- kinds -----------------------------------------------------------------------------------------------------------


def _kind(value: object) -> object:
    if is_number(value):
        return Number(value.type)
    if isinstance(value, tuple):
        return Items(tuple(_kind(v) for v in value))
    if isinstance(value, Maybe):
        return Optional(_kind(value.value))
    return Fixed(value)


def _same_entry(old: object, new: object) -> bool:
    """Whether a kind is the same at the head of the loop."""
    return old == new or (isinstance(new, Late) and isinstance(old, Fixed | Late) and _is_unbound(old))


def _is_unbound(kind: object) -> bool:
    return isinstance(kind, Late) or isinstance(kind.value, Unbound)


def _width(kind: object) -> int:
    match kind:
        case Number() | Handle():
            return 1
        case Items():
            return sum(_width(item) for item in kind.items)
        case Optional():
            return _width(kind.kind) + 1
    return 0


def _describe_kind(kind: object) -> str:
    match kind:
        case Number():
            return describe(Var("", kind.type))
        case Items():
            return f"a tuple of {len(kind.items)}"
        case Handle():
            return f"an array of {kind.type.dtype} with {kind.type.ndim} dimensions"
        case Fixed():
            return describe(kind.value)
    return "possibly nothing"


def _optional(value: object) -> tuple[object, Value]:
    match value:
        case Unbound():
            return None, constant(False)
        case Maybe():
            return value.value, value.flag
    return value, constant(True)


def _numeric(value: object) -> bool:
    return is_number(value) or (isinstance(value, tuple) and all(_numeric(v) for v in value))


def _zeros(value: object) -> object:
    if is_number(value):
        return zero(value.type)
    if isinstance(value, tuple):
        items = tuple(_zeros(v) for v in value)
        return None if any(i is None for i in items) else items
    return None


def _zeros_of(kind: object) -> object:
    return zero(kind.type) if isinstance(kind, Number) else tuple(_zeros_of(i) for i in kind.items)


# -- parameters ------------------------------------------------------------------------------------------------------


def _positional(args: ast.arguments) -> list[str]:
    return [a.arg for a in [*args.posonlyargs, *args.args]]


def bind(parsed: Parsed, args: list, kwargs: dict, defaults: dict, loc: Loc) -> dict:
    """Python's binding of arguments to parameters."""
    names = _positional(parsed.args)
    bound = dict(zip(names, args, strict=False))
    rest = tuple(args[len(names) :])
    if parsed.args.vararg is not None:
        bound[parsed.args.vararg.arg] = rest
    elif rest:
        raise ArgumentError(f"{parsed.name} takes {len(names)} arguments, {len(args)} were given", loc)
    keywords = [a.arg for a in parsed.args.kwonlyargs]
    for name, value in kwargs.items():
        if name in bound or name not in [*names, *keywords]:
            problem = "was given twice" if name in bound else "is not one of its parameters"
            raise ArgumentError(f"{parsed.name}: {name} {problem}", loc)
        bound[name] = value
    for name in [*names, *keywords]:
        if name not in bound and name in defaults:
            bound[name] = defaults[name]
    if missing := [n for n in [*names, *keywords] if n not in bound]:
        raise ArgumentError(f"{parsed.name} needs a value for {', '.join(missing)}", loc)
    return bound


def _hint(target: ast.expr) -> str:
    return _plain(target.id) if isinstance(target, ast.Name) else ""


def _plain(name: str) -> str:
    return name.split("@")[0]


_REFUSED = {
    ast.With: ("a with block is", "put it around the call of the function"),
    ast.Try: ("try/except is", "test the condition with if"),
    ast.Match: ("match is", "use if/elif"),
    ast.Global: ("writing to a global variable is", "return the value"),
    ast.Nonlocal: ("writing to a variable of the enclosing function is", "return the value"),
    ast.Delete: ("del is", "leave the variable; it costs nothing"),
    ast.ClassDef: ("a class inside a differentiated function is", "define it outside"),
    ast.AsyncFunctionDef: ("async is", ""),
    ast.AsyncFor: ("async is", ""),
    ast.AsyncWith: ("async is", ""),
    ast.Yield: ("a generator is", "fill an array, or sum up in the loop"),
    ast.YieldFrom: ("a generator is", "fill an array, or sum up in the loop"),
    ast.Await: ("await is", ""),
    ast.Dict: ("a dict is", "use a tuple"),
    ast.Set: ("a set is", "use a tuple"),
    ast.ListComp: ("a list comprehension is", "write a loop that fills an array"),
    ast.SetComp: ("a set comprehension is", "write a loop that fills an array"),
    ast.DictComp: ("a dict comprehension is", "write a loop that fills an array"),
    ast.GeneratorExp: ("a generator expression is", "write a loop"),
    ast.JoinedStr: ("a formatted string is", "print the values themselves"),
    ast.NamedExpr: ("an assignment expression is", "assign in a statement of its own"),
    ast.Lambda: ("a lambda is", ""),
}

__all__ = ["INT", "Function", "If", "Let", "Param", "Specialiser", "Store", "leaves", "map_leaves"]
