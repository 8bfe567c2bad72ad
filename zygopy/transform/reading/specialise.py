"""From a Python function and argument types to typed IR: an abstract interpreter of statements and control flow.

Names stand for values (values.py); what Python would do at run time becomes IR, what is known now is done now. Loops
are interpreted until the types of their variables no longer change.
"""

import ast
import itertools
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from zygopy.errors import (
    ArgumentError,
    DtypeError,
    Loc,
    TypeJoinError,
    UnboundError,
    UnsupportedError,
)
from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.arguments import Lengths, Named
from zygopy.transform.build import Builder, constant
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    Op,
    Value,
    Var,
)
from zygopy.transform.reading import apart, arrays, choices, iterators, lists, outside, places, user_rules
from zygopy.transform.reading.joins import Join
from zygopy.transform.reading.maybe_views import MaybeView
from zygopy.transform.reading.parse import RESULT, Parsed, assigned_names, loc_of, parse_function, read
from zygopy.transform.reading.values import (
    OBJECT,
    Closure,
    Conflict,
    Frame,
    JoinedItems,
    Listed,
    Maybe,
    Object,
    Once,
    Placed,
    Raises,
    Scope,
    StartAgain,
    Static,
    Unbound,
    View,
    is_number,
    is_object_name,
    plain_name,
)
from zygopy.transform.records import Record, rebuilt
from zygopy.transform.types import INT


@dataclass
class Level:
    """A block under construction, and what encloses it."""

    builder: Builder
    kind: str  # "function", "for", "while", "branch"
    loop: tuple[Var, Value, Value, Value] | None = None  # index, start, stop, step


class Specialiser:
    """Interprets one function, with all that it calls, into one block of IR."""

    def __init__(self, lengths: Lengths | None = None):
        self.lengths = lengths
        self.stretched: set[Value] = set()  # lengths of axes that meet where one may be 1
        self.tests_lengths = False  # lengths are tested where arrays meet, too
        self.holding: list[tuple[Affine, ...]] = []  # what tests at entry say is 0 or more
        self.guards: dict[str, tuple[Op, Affine, Affine]] = {}  # what holds of lengths if this code is to run
        self.facts = Facts(sharing=True)
        self.levels: list[Level] = []
        self.homes: dict[Var, int] = {}
        self.captured_arrays: dict[tuple, Var] = {}
        self.maybe_views: list[MaybeView] = []
        self.loose: set[Var] = set()  # arrays that NumPy may lay out other than in C order
        self.captured_numbers: list[tuple[Scope, str, object]] = []  # rules add theirs, as late as they are run
        if lengths is not None and lengths.numbers is not None:
            self.captured_numbers = lengths.numbers
        self.frame = Frame(None, None, None)  # of the function that is followed; first what arguments hold
        self.node: ast.AST | None = None
        self.parameters: dict[Var, str] = {}  # and what a user writes for them
        self.merged: set[Var] = set()  # array variables that may stand for more than one array
        self.roots: dict[Var, Var] = {}  # of variables that are views of another one: the array that is no view
        self.calls: list[tuple[object, int]] = []  # those that are followed, with the size of their arguments
        self.forwarding: set[Callable] = set()  # functions with a custom_vjp whose forward rule is followed
        self.choices: dict[str, choices.Choice] = {}  # the objects that are one of two
        self.fixed: dict[str, str] = {}  # the objects that may not change any more, and why
        self.met: dict[str, set[tuple[Loc, type]]] = {}  # and the statements that have left open which one they are
        self.placing: set[str] = set()  # the objects that are being put into memory
        self.unplaceable: set[str] = set()  # those that cannot be there
        self.scope: object = None  # the code of the kept function that is read
        self.objects = itertools.count(1)
        self.objects_of_loop: tuple[dict, dict] = ({}, {})  # all names before a loop, and at the end of its body
        self.unshaped: set[Var] = set()  # array variables of loops whose shape each block asks for
        self.known_axes: dict[Var, tuple] = {}  # what is known of the shapes of array variables of loops
        self.pending: list = []  # questions for the shape of a join, to be asked after it
        self.referred: list[tuple] = []  # copies of arrays that lists hold: the statement, the array, the place
        self.noting: list[dict[tuple, View]] = []  # the captured arrays that checkpointed calls read
        self.unrolls = False  # the loop that comes is unrolled if that tells how long its lists are
        self.keeping: Any = None  # the kept functions of the program; none are kept where a rule is read
        self.apart = 0  # how many statements around the current one have been found to leave names of two kinds
        self.outer: Specialiser | None = None  # that of the caller of a kept function
        self.uses: dict = {}  # how often functions were inlined
        self.repeated = False  # whether the function that is followed was inlined before
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
            self.b.loc = self.frame.place or loc_of(node, self.frame.parsed.file, self.frame.parsed.name)

    def mark(self) -> Callable[[], None]:
        """What takes back all that is read from here on, to read it in another way."""
        names, marks = self.frame.names, [(level.builder, len(level.builder.statements)) for level in self.levels]
        uses, saved = dict(self.uses), dict(names)
        assumed = [list(forms) for forms in self.facts.assumed]
        equal = [dict(forms) for forms in self.facts.equal]

        def back() -> None:
            names.clear()
            names.update(saved)
            self.frame.names, self.facts.assumed, self.facts.equal, self.uses = names, assumed, equal, uses
            self.unrolls = False
            for builder, length in marks:
                del builder.statements[length:]

        return back

    def _push(self, level: Level) -> None:
        self.levels.append(level)
        self.facts.assumed.append([])
        self.facts.equal.append({})
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
        except DtypeError as error:
            error.sure = False  # this block may not run
            raise
        finally:
            del self.levels[depth - 1 :], self.facts.assumed[depth - 1 :], self.facts.equal[depth:]
            self.b.loc = loc

    @contextmanager
    def reopened(self, builder: Builder):
        """Add to a block that was closed."""
        self._push(Level(builder, "branch"))
        try:
            yield
        finally:
            self.levels.pop()
            self.facts.assumed.pop()
            self.facts.equal.pop()

    def is_guarded(self, a: Value, b: Value) -> bool:
        """Whether a test at entry says that two lengths are equal."""
        return self.guard(ops.EQ, self.facts.affine(a), self.facts.affine(b))

    def is_known_to_differ(self, a: Value, b: Value) -> bool:
        """Whether a call has failed the test at entry that two lengths are equal."""
        form, other = self.facts.affine(a), self.facts.affine(b)
        refused = self.lengths.refused if self.lengths is not None else frozenset()
        return bool(refused) and self._is_of_entry(form, other) and self._test(ops.EQ, form, other) in refused

    def _is_of_entry(self, *forms: Affine) -> bool:
        return all(self.is_known_at_entry(symbol) for form in forms for symbol, _ in form.terms)

    def _test(self, op: Op, a: Affine, b: Affine) -> str:
        return f"{self._text(a)} {'==' if op is ops.EQ else '<='} {self._text(b)}"

    def guard(self, op: Op, a: Affine, b: Affine) -> bool:
        """Have a comparison of lengths tested at entry; whether that is possible."""
        if not self._is_of_entry(a, b):
            return False
        key = self._test(op, a, b)
        if self.lengths is not None and key in self.lengths.refused:
            return False
        if self.lengths is not None and self.lengths.ask is not None:
            if not self.lengths.ask(op, self._named(a), self._named(b)):
                return False
            if op is not ops.EQ:
                return True  # nothing that is derived of this program asks for it again
        while self.guards.get(key, (op, a, b)) != (op, a, b):  # another array of that name
            key += " too"
        self.guards[key] = op, a, b
        return True

    def _text(self, form: Affine) -> str:
        parts = [str(form.constant)] if form.constant or not form.terms else []
        for symbol, coefficient in form.terms:
            let = self.facts.definitions.get(symbol)
            array = symbol if let is None else let.args[0]
            name = self.parameters.get(array, array.name) + ("" if let is None else f".shape[{let.args[1].value}]")
            parts.append(name if coefficient == 1 else f"{coefficient} * {name}")
        return " + ".join(parts)

    def _named(self, form: Affine) -> Named:
        def name(symbol: Var) -> tuple:
            let = self.facts.definitions.get(symbol)
            array = symbol if let is None else let.args[0]
            return self.parameters.get(array, ""), None if let is None else let.args[1].value

        return [(form.constant, None), *((coefficient, name(symbol)) for symbol, coefficient in form.terms)]

    def is_known_at_entry(self, symbol: Var) -> bool:
        """Whether a number is an argument, or a length of one."""
        let = self.facts.definitions.get(symbol)
        array = let.args[0] if let is not None and let.op is ops.DIM else symbol
        return array in self.parameters or array in self.captured_arrays.values()

    # -- checks ------------------------------------------------------------------------------------------------------

    def check(self, test: Value, error: type[Exception], message: str, parts: tuple = ()) -> None:
        """Raise at run time unless test holds."""
        if isinstance(test, Const) and test.value:
            return
        self.b.emit(Check(test, error, message, self.loc, parts))

    def may_overlap(self, a: View, b: View) -> bool:
        """Whether two views may share memory."""
        roots = [self.roots.get(view.base, view.base) for view in (a, b)]
        return roots[0] is roots[1] or any(root in self.merged for root in roots)

    def note_view(self, view: Var, base: Var) -> None:
        """Know that a variable is a view of another one."""
        self.roots[view] = self.roots.get(base, base)

    def canonical(self, n: Value) -> Value:
        """A length as the variable or number that it is known to equal, the same for all equal ones."""
        form = self.facts.affine(n)
        if not form.terms:
            return Const(form.constant, INT)
        ((symbol, coefficient), *more) = form.terms
        return symbol if not more and coefficient == 1 and not form.constant else n

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
            return rebuilt(value, [self.freeze(v) for v in value])
        if lists.of(self, value) is not None:
            what = f"a constant of {lists.WHAT} is not supported"
            raise UnsupportedError(what, self.loc, help="make an array of it: np.array(...)")
        if isinstance(value, Object):
            return self.new_object(self.freeze(self.content(value)))
        return value

    # -- objects -----------------------------------------------------------------------------------------------------

    def name_object(self, cls: type) -> Object:
        """An object without members yet."""
        return Object(cls, f"{OBJECT}{next(self.objects)}")

    def new_object(self, content: Record, fixed: str = "") -> Object:
        """A list, dict or dataclass of these members; `fixed`: why it may not change."""
        iterators.refuse_kept(self, content)
        made = self.name_object(content.cls)
        self.frame.names[made.name] = content
        if fixed:
            self.fix(made, fixed)
        return made

    def made(self, content: tuple, fixed: str = "") -> object:
        """The value of a tree of members: an object for a Record that is no NamedTuple."""
        is_object = isinstance(content, Record) and not content.is_named_tuple
        return self.new_object(content, fixed) if is_object else content

    def content(self, value: Object) -> Record:
        """What an object holds now."""
        value = self.resolved(value)
        if isinstance(value, Placed):
            return places.content(self, value)
        content = self.frame.names[value.name]
        if isinstance(content, Conflict):
            error = TypeJoinError(
                f"a {value.cls.__name__} holds different things on different paths: {content.a} and {content.b}",
                self.loc,
                "compiled code needs one type where paths meet",
                "give it the same members, of the same types, on every path",
            )
            apart.refuse(self, content, error)
        return content

    def change(self, value: Object, content: Record | Listed) -> None:
        """Have an object hold other members, or others of the same names; what may be the same object changes, too."""
        iterators.refuse_kept(self, content)
        value = self.resolved(value)
        if isinstance(value, Placed):
            places.change(self, value, content)
            return
        if value.name in self.fixed:
            places.note(self, value.name)
            raise UnsupportedError(
                f"changing a {value.cls.__name__} is not supported here",
                self.loc,
                self.fixed[value.name],
                "make a new one",
            )
        choices.change(self, value, content)

    def change_member(self, value: Object, key: object, member: object) -> None:
        """Have an object hold something under a key."""
        value = self.resolved(value)
        if isinstance(value, Placed):
            places.change_member(self, value, key, member)
        else:
            self.change(value, self.content(value).changed(key, member))

    def resolved(self, value: Object) -> Object:
        """The place of an object, if it is in memory; otherwise the object."""
        return places.resolved(self.frame.names, value)

    def moved(self, value: Object) -> Placed:
        """The place of an object, which is put into memory if it is not there."""
        return places.moved(self, value)

    def objects_now(self) -> dict[str, object]:
        """What each object holds."""
        return {name: value for name, value in self.frame.names.items() if is_object_name(name)}

    def fix(self, value: Object, why: str, place: Loc | None = None) -> None:
        """From now on an object may not change, nor one that it may be; `place`: since it meets others there."""
        for name in choices.related(self, value):
            self.fixed.setdefault(name, why)
            self.met.setdefault(name, set()).update([(place, value.cls)] if place is not None else [])

    def opened(self, value: object) -> object:
        """A value whose lists are tuples, or an array, for what reads them at once."""
        if (content := lists.of(self, value)) is not None:
            return arrays.copy(self, lists.view_of(self, content))
        if isinstance(value, Object):
            return tuple(map(self.opened, self.content(value))) if value.cls is list else value
        return rebuilt(value, map(self.opened, value)) if isinstance(value, tuple) else value

    def size(self, value: object) -> int:
        """How many objects a value holds: recursion whose arguments hold fewer and fewer goes down a structure."""
        members = (value.rows,) if isinstance(value, JoinedItems) else self.members(value)
        return 0 if members is None else 1 + sum(map(self.size, members))

    def members(self, value: object) -> tuple | None:
        """The members of a tuple or object; None for what has none."""
        if isinstance(value, Object):
            content = self.content(value)
            return content if isinstance(content, tuple) else None
        return value if isinstance(value, tuple) else None

    # -- functions ---------------------------------------------------------------------------------------------------

    def call_function(self, function: Callable, args: list, kwargs: dict) -> object:
        """Interpret a call of a Python function in place; its derivative is that of its rules, if it has any."""
        from zygopy.transform.reading import ruled_calls

        user_rules.follow(function)
        if (rules := user_rules.rules_of(function)) is not None:
            if any(lists.of(self, a) for a in (*args, *kwargs.values())):
                what = f"a function with a rule of {lists.WHAT} is not supported"
                raise UnsupportedError(what, self.loc, help="make an array of it: np.array(...)")
            opened = [self.opened(a) for a in args], {k: self.opened(v) for k, v in kwargs.items()}
            return ruled_calls.call(self, rules, *opened)
        return self.follow(function, args, kwargs)

    def follow(self, function: Callable, args: list, kwargs: dict) -> object:
        """Interpret the source of a Python function in place."""
        place = self.loc if (function.__module__ or "").startswith("zygopy.transform.") else None
        frame = Frame(read(function), None, Scope(function), place)
        return self.inline(frame, args, kwargs, self.defaults_of(function), function.__code__)

    def defaults_of(self, function: Callable) -> dict:
        """The values of a function's parameters that have defaults."""
        parsed = read(function)
        defaults = dict(zip(_positional(parsed.args)[::-1], (function.__defaults__ or ())[::-1], strict=False))
        defaults |= function.__kwdefaults__ or {}
        return {k: outside.value_of(self, v, None) for k, v in defaults.items()}

    def call_closure(self, closure: Closure, args: list, kwargs: dict) -> object:
        """Interpret a call of an inner function in place."""
        frame = Frame(closure.parsed, closure.frame, None)
        frame.defaults = closure.defaults
        return self.inline(frame, args, kwargs, closure.defaults, closure.parsed.args)

    def inline(self, frame: Frame, args: list, kwargs: dict, defaults: dict, code: object) -> object:
        """Bind arguments, interpret the body, give the result; a function that is kept is called."""
        from zygopy.transform.reading import kept

        bound = bind(frame.parsed, args, kwargs, defaults, self.loc)
        bound = {name: iterators.named(self, value) for name, value in bound.items()}
        found, key = kept.call(self, frame, bound, code)
        if found is not None:
            return found
        size = self.size(tuple(bound.values()))
        if any(k is code and size >= outer for k, outer in self.calls):
            raise kept.found_recursion(self, frame, code)
        with kept.counted(self, key):
            return self.run(frame, bound, code)

    def run(self, frame: Frame, bound: dict, code: object) -> object:
        """Interpret the body of a function whose arguments are bound."""
        size = self.size(tuple(bound.values()))
        frame.names.update(bound)
        caller, loc = self.frame, self.loc
        frame.names |= self.objects_now()
        self.frame = frame
        rest = frame.parsed.args.kwarg
        if rest is not None and isinstance(given := frame.names[rest.arg], Record):
            frame.names[rest.arg] = self.new_object(given)
        self.calls.append((code, size))
        try:
            self.statements(frame.parsed.body)
            result = frame.names.get(RESULT, Static(None))
            caller.names |= self.objects_now()
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
                    return outside.value_of(self, value, (frame.scope, name))
                break
            frame = frame.outer
        if name in assigned_names(self.frame.parsed.body):
            raise UnboundError(f"{name} is read before it has a value", self.loc, help=f"give {name} a value first")
        name, *comprehension = name.split("@")
        if comprehension:
            raise UnsupportedError(
                f"{name} is the variable of a comprehension that is over",
                self.loc,
                "a function that captures it finds its last value there, whichever it was when the function was made",
                f"give the function a default: lambda {name}={name}: ...",
            )
        raise UnboundError(f"the name {name} is not defined", self.loc)

    def _bound(self, frame: Frame, name: str, value: object) -> object:
        match value:
            case Unbound():
                if value.late is not None and self.keeping is not None and value.late not in self.keeping.late:
                    self.keeping.late.add(value.late)
                    raise StartAgain
                raise UnboundError(
                    f"{name} may have no value here",
                    self.loc,
                    value.why or "it is bound on some paths only",
                    f"give {name} a value on every path before this line",
                )
            case Conflict():
                error = TypeJoinError(
                    f"{name.split('@')[0]} has different types on different paths: {value.a} and {value.b}",
                    self.loc,
                    "compiled code needs one type for a variable where paths meet",
                    "use two names, or convert one of the values",
                )
                apart.refuse(self, value, error)
            case Maybe():
                if "@" not in name:
                    self.check(value.flag, UnboundError, f"{name} has no value")
                    frame.names[name] = value.value
                return value.value
            case Once():
                return iterators.read(self, frame.names, name)
        return value

    # -- statements --------------------------------------------------------------------------------------------------

    def statements(self, body: list[ast.stmt], then: Callable[[], None] | None = None) -> None:
        """Interpret statements, and what `then` reads behind them."""
        for position, statement in enumerate(body):
            self.at(statement)
            if apart.is_apart(self, statement):
                with apart.reading(self):
                    self.statement(statement, partial(self.statements, body[position + 1 :], then))
                return
            with apart.late_errors(self):
                self.statement(statement)
        if then is not None:
            then()

    def statement(self, node: ast.stmt, then: Callable[[], None] | None = None) -> None:
        """Interpret a statement; a branch or loop that is given `then` reads it at the end of its paths."""
        from zygopy.transform.reading import assignments, conditions, expressions, messages

        match node:
            case ast.Assign() if then is not None:
                self.if_statement(apart.as_branch(node), then)
            case ast.Assign():
                value = expressions.evaluate(self, node.value, _hint(node.targets[0]))
                for target in node.targets:
                    assignments.assign(self, target, value)
            case ast.AnnAssign():
                if node.value is not None:
                    value = expressions.evaluate(self, node.value, _hint(node.target))
                    assignments.assign(self, node.target, value)
            case ast.AugAssign():
                assignments.augmented_assign(self, node)
            case ast.If():
                self.if_statement(node, then)
            case ast.For():
                self.for_statement(node, then)
            case ast.While():
                self.while_statement(node, then)
            case ast.Expr():
                if not isinstance(node.value, ast.Constant):
                    expressions.evaluate(self, node.value)
            case ast.Pass():
                pass
            case ast.Assert():
                test = conditions.truth(self, expressions.evaluate(self, node.test))
                self.at(node)
                self.branch(test, lambda: None, lambda: self.fail(*messages.of_assertion(self, node)))
            case ast.Raise():
                self.fail(*messages.raised(self, node))
            case ast.FunctionDef():
                self.define_function(node)
            case ast.Import() | ast.ImportFrom():
                self.import_names(node)
            case _:
                self.refuse(node)

    def fail(self, error: type[Exception], message: str, parts: tuple[str | Value, ...]) -> NoReturn:
        """Raise an error whenever this place is reached."""
        self.check(constant(False), error, message, parts)
        raise Raises

    def refuse(self, node: ast.AST) -> NoReturn:
        """Syntax that is not supported."""
        what, help = _REFUSED.get(type(node), (f"{type(node).__name__} is", ""))
        raise UnsupportedError(f"{what} not supported", self.loc, help=help)

    def define_function(self, node: ast.FunctionDef) -> None:
        from zygopy.transform.reading import decorators, expressions

        parsed = parse_function(node, self.frame.parsed.file)
        function = Closure(parsed, self.frame, expressions.default_values(self, node.args))
        self.frame.names[node.name] = decorators.decorated(self, function, node.decorator_list)

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        import importlib

        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                obj = getattr(importlib.import_module(node.module), alias.name)
                self.frame.names[alias.asname or alias.name] = outside.value_of(self, obj, None)
            else:
                module = importlib.import_module(alias.name)
                root = importlib.import_module(alias.name.split(".")[0])
                self.frame.names[alias.asname or alias.name.split(".")[0]] = Static(module if alias.asname else root)

    # -- branches ----------------------------------------------------------------------------------------------------

    def if_statement(self, node: ast.If, then: Callable[[], None] | None = None) -> None:
        from zygopy.transform.reading import conditions, expressions

        test = conditions.truth(self, expressions.evaluate(self, node.test))
        self.at(node)
        self.branch(test, lambda: self.statements(node.body, then), lambda: self.statements(node.orelse, then))

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
                except Raises:
                    value, raises = None, True
            sides.append((builder, self.frame.names, value, raises))
        self.b.loc = loc
        (then_b, then_names, then_value, then_raises), (else_b, else_names, else_value, else_raises) = sides
        if then_raises or else_raises:
            return self._raising_branch(test, sides)
        join = Join(self, test, before, then_names, else_names, then_b, else_b)
        places.meet_in_branch(join, (then_value, else_value))
        for name in dict.fromkeys([*then_names, *else_names]):
            if is_object_name(name) and name not in before:
                continue
            a, b = then_names.get(name, Unbound()), else_names.get(name, Unbound())
            join.joined[name] = join.value(name, a, b)
        value = join.value("value", then_value, else_value) if then_value is not None else None
        self.frame.names = join.joined
        join.emit()
        return value, None

    def _raising_branch(self, test: Value, sides: list) -> tuple:
        (then_b, then_names, then_value, then_raises), (else_b, else_names, else_value, else_raises) = sides
        if then_raises and else_raises:
            self.b.if_(test, then_b.block(), else_b.block(), ())
            raise Raises
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

    # -- loops -------------------------------------------------------------------------------------------------------

    def for_statement(self, node: ast.For, then: Callable[[], None] | None = None) -> None:
        from zygopy.transform.reading import iteration

        iteration.for_loop(self, node, then)

    def while_statement(self, node: ast.While, then: Callable[[], None] | None = None) -> None:
        from zygopy.transform.reading import conditions, expressions, loops

        def test() -> Value:
            self.at(node.test)
            return conditions.truth(self, expressions.evaluate(self, node.test))

        def trip(then: Callable[[], None] | None = None) -> None:
            self.statements(node.body, then)

        loops.while_loop(self, test, node.stop_flags, trip, assigned_names(node.body), then)

    # -- elements ----------------------------------------------------------------------------------------------------

    def update_element(self, view: View, operator: Callable, operand: Value) -> None:
        """element op= operand; sums become accumulations."""
        import operator as python

        from zygopy.transform.functions import apply_function

        element = view.element
        if operator in (python.add, python.sub) and element.is_inexact:
            _, result = ops.typing(ops.ADD, [element, operand.type])
            if result.dtype == element.dtype and not view.frozen:
                arrays.check_writable(self, view)
                value = operand if operator is python.add else apply_function(self.b, python.neg, [operand], False)
                arrays.store(self, view, value, ops.ADD)
                return
        value = apply_function(self.b, operator, [arrays.load(self, view), operand], False)
        arrays.store(self, view, value)


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
    if parsed.args.kwarg is not None:
        others = {name: value for name, value in kwargs.items() if name not in [*names, *keywords]}
        kwargs = {name: value for name, value in kwargs.items() if name not in others}
        bound[parsed.args.kwarg.arg] = Record(others.values(), dict, others)
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
    return plain_name(target.id) if isinstance(target, ast.Name) else ""


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
    ast.Set: ("a set is", "use a tuple"),
    ast.SetComp: ("a set comprehension is", "write a loop that fills an array"),
    ast.JoinedStr: ("a formatted string is", "print the values themselves"),
    ast.NamedExpr: ("an assignment expression is", "assign in a statement of its own"),
    ast.Lambda: ("a lambda is", ""),
}
