"""Functions that stay functions: those that call themselves, and those that are called again and again.

def power(x, n):                            def power(x, n):
    if n == 0:                                  if n == 0:
        return 1.0                                  y = 1.0
    return x * power(x, n - 1)     ->           else:
                                                    y = x * power(x, n - 1)
                                                return y

Such a function is specialised once for each kind of its arguments (`Key`), as IR of its own; a call of it is a `Call`.
What its results are is found as a fixpoint: at first the paths that call it again give nothing, then those know what
the others return. What is found about calls on the way (`Keeping`) has the program read again from its start.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from zygopy.errors import TypeJoinError, UnsupportedError, ZygopyError
from zygopy.transform.affine import Affine
from zygopy.transform.arguments import Lengths, Named
from zygopy.transform.ir import Block, Call, Callee, Function, Kernel, Op, Param, Value, Var, walk
from zygopy.transform.memory import AliasClasses, stored_parameters
from zygopy.transform.reading import arrays, outside, places
from zygopy.transform.reading.list_memory import refuse_stores, with_room
from zygopy.transform.reading.maybe_views import MaybeView, refuse_if_it_matters
from zygopy.transform.reading.passing import (
    Given,
    Leaf,
    NotPassableError,
    Tree,
    differences,
    entered,
    leaves_of,
    outline,
    rebuilt_value,
)
from zygopy.transform.reading.specialise import Specialiser
from zygopy.transform.reading.values import Conflict, Frame, Raises, StartAgain, Unknown, View, is_number

Positions = tuple[frozenset[int], ...]

CALLS, STATEMENTS = 4, 120  # a function that is called for the fourth time stays one if it has been that long so far
_KERNEL = 25  # statements for which a kernel counts: its call is long in compiled code, and no loop is merged across it
_DEEPEST = 8  # versions of one function, each called by the one before


@dataclass
class _Use:
    """How often a function was inlined, and of how many statements that was the second time and later."""

    calls: int = 0
    statements: int = 0


@dataclass(frozen=True)
class Key:
    """What a kept function is specialised to: its code, where it looks up names, and the kinds of what it is given."""

    code: object
    scope: object
    given: tuple[Tree, ...]


@dataclass(eq=False)
class Version:
    """A kept function for one key.

    `results` is None as long as nothing is known of them. `lengths` are comparisons of lengths of arguments that it
    takes to hold. `copies` has, for results that are arrays, the positions of the arguments that they may be in Python,
    `twins` those of results before them on the same memory.
    `shapes` has the lengths of results as forms of pairs: an argument's position, and an axis or None.
    """

    key: Key
    callee: Callee
    function: Function | None = None
    results: Tree | None = None
    asked: bool = False  # whether it calls itself
    captured: tuple[tuple, ...] = ()
    lengths: list[tuple[Op, Named, Named]] = field(default_factory=list)
    copies: tuple[frozenset[int], ...] = ()
    twins: tuple[frozenset[int], ...] = ()
    shapes: tuple[tuple[list | None, ...], ...] = ()

    def state(self) -> tuple:
        """What calls of it need to know."""
        return self.results, self.captured, self.copies, self.twins


class Keeping:
    """What is known of the calls of one program, and its kept functions; of arrays that its loops hand on."""

    def __init__(self, reuse: bool = True):
        self.reuse = reuse  # whether functions are kept that are called again and again
        self.recursive: set[object] = set()  # code that calls itself
        self.reused: set[Key] = set()
        self.inlined: set[Key] = set()  # what cannot be kept
        self.late: set[tuple] = set()  # arrays that only a loop binds and something behind it reads
        self.apart: frozenset = frozenset()  # statements whose paths are read with what follows them (apart.py)
        self.ambiguous: list[TypeJoinError] = []  # the errors that there would be without that
        self.changing: dict[object, set[tuple]] = {}  # by code: where arguments differ from call to call
        self.meetings: set[tuple] = set()  # statements where objects of a class meet that are to be in memory there
        self.hopeless: set[tuple] = set()  # those where they cannot be
        self.pools: dict[object, list] = {}  # what the objects in memory hold, in each function (places.py)
        self.versions: dict[Key, list[Version]] = {}
        self.running: list[Version] = []
        self.others: dict[Callee, Function] = {}  # of programs inside this one

    def start(self) -> None:
        """Forget the functions, for a program that is read again."""
        self.versions, self.running, self.others = {}, [], {}

    def instead_of(self, error: ZygopyError) -> ZygopyError:
        """The error that a user is to see: of a name of two kinds, if that is what fails in one of them."""
        at = error.loc and (error.loc.file, error.loc.line)
        return next((e for e in self.ambiguous if (e.loc.file, e.loc.line) == at), error)

    def functions(self) -> dict[Callee, Function]:
        """The kept functions by what calls name them by."""
        own = [v for found in self.versions.values() for v in found]
        return self.others | {v.callee: v.function for v in own if v.function is not None}


def call(s: Specialiser, frame: Frame, bound: dict, code: object) -> tuple[object | None, Key | None]:
    """The value of a call of a kept function; None if the call is to be inlined, and what to count it as."""
    keeping = s.keeping
    if keeping is None:
        return None, None
    recursive = code in keeping.recursive
    try:
        given = Given(s, frame, bound, keeping.changing.get(code, set()), lengths=not recursive)
    except NotPassableError as error:
        if not recursive:
            return None, None
        raise UnsupportedError(
            f"{frame.parsed.name}, which calls itself, is given {error}",
            s.loc,
            "such a function is passed numbers, arrays, structures of them and functions",
            "pass the numbers and arrays themselves",
        ) from None
    key = Key(code, given.scope, given.trees)
    if not recursive and (key not in keeping.reused or key in keeping.inlined):
        return None, key
    running = [v for v in keeping.running if v.key.code is code]
    for v in running:
        _note_changes(keeping, v.key, key)
    version = next((v for v in running if v.key == key), None)
    if version is not None:
        version.asked = True
        if version.results is None:
            raise Unknown
        return _emitted(s, version, given), key
    fitting = (v for v in keeping.versions.get(key, ()) if all(given.ask(s, *test) for test in v.lengths))
    if (version := next(fitting, None)) is None:
        if len(running) >= _DEEPEST:
            raise UnsupportedError(
                f"{frame.parsed.name} calls itself with arguments of other types again and again",
                s.loc,
                "each kind of arguments has code of its own",
                "write it as a loop",
            )
        version = Version(key, Callee(_identifier(frame.parsed.name)))
        try:
            _Specialising(s, version, given, frame, code).run()
        except (ZygopyError, Raises) as error:
            if recursive or isinstance(error, Unknown):
                raise
            keeping.inlined.add(key)
            return None, None
        keeping.versions.setdefault(key, []).append(version)
    return _emitted(s, version, given), key


@contextmanager
def counted(s: Specialiser, key: Key | None) -> Iterator[None]:
    """Count the statements of a call that is inlined; what a repeated one calls counts for that one alone."""
    if key is None or s.repeated or not s.keeping.reuse:
        yield
        return
    use = s.uses.setdefault(key, _Use())
    if use.calls >= CALLS - 1 and use.statements > STATEMENTS and key not in s.keeping.inlined:
        s.keeping.reused.add(key)
        raise StartAgain
    builder, before = s.b, len(s.b.statements)
    s.repeated = use.calls > 0
    try:
        yield
    finally:
        s.repeated = False
    made = walk(Block(tuple(builder.statements[before:])))
    more = sum(_KERNEL if isinstance(t, Kernel) else 1 for t in made)
    s.uses[key] = _Use(use.calls + 1, use.statements + (more if use.calls else 0))


def found_recursion(s: Specialiser, frame: Frame, code: object) -> Exception:
    """What to raise where inlining would not end."""
    if s.keeping is None:
        return UnsupportedError(
            f"{frame.parsed.name} calls itself",
            s.loc,
            "recursion in the rule of a function is not supported",
            "write it as a loop",
        )
    s.keeping.recursive.add(code)
    return StartAgain()


def _identifier(name: str) -> str:
    return "function" if name == "<lambda>" else name


def _note_changes(keeping: Keeping, running: Key, key: Key) -> None:
    """Pass at run time what a function that calls itself gives other known numbers for."""
    if running == key or running.scope != key.scope or len(running.given) != len(key.given):
        return
    found: set[tuple] = set()
    for k, (a, b) in enumerate(zip(running.given, key.given, strict=True)):
        if not differences(a, b, (k,), found):
            return
    if found:
        keeping.changing.setdefault(key.code, set()).update(found)
        raise StartAgain


# -- one function ----------------------------------------------------------------------------------------------------


class _Specialising:
    """Makes the IR of a kept function."""

    def __init__(self, s: Specialiser, version: Version, given: Given, frame: Frame, code: object):
        self.s, self.version, self.given, self.frame, self.code = s, version, given, frame, code
        self.keeping = s.keeping
        self.parsed = frame.parsed

    def run(self) -> None:
        """Specialise until calls of itself are as the function turns out to be."""
        version, keeping = self.version, self.keeping
        saved = {key: list(found) for key, found in keeping.versions.items()}
        keeping.running.append(version)
        try:
            for _ in range(10):
                keeping.versions = {key: list(found) for key, found in saved.items()}
                state = version.state()
                version.lengths = []
                self.once()
                if not version.asked or version.state() == state:
                    return
        finally:
            keeping.running.remove(version)
        raise UnsupportedError(f"the types of what {self.parsed.name} returns do not settle", self.parsed.loc)

    def once(self) -> None:
        outer, version = self.s, self.version
        refused = outer.lengths.refused if outer.lengths is not None else frozenset()
        sub = Specialiser(Lengths((), refused, ask=self.ask, numbers=outer.captured_numbers))
        sub.keeping, sub.outer, sub.loose = self.keeping, outer, outer.loose
        sub.b.loc = self.parsed.loc
        sub.scope = self.code
        frame, bound, params = entered(sub, self.given, self.frame)
        places.begin(sub)
        try:
            value = sub.run(frame, bound, self.code)
        except Raises:
            if not version.asked:
                raise
            if any(v.results is None for v in self.keeping.running if v is not version):
                raise Unknown from None
            raise UnsupportedError(
                f"{self.parsed.name} calls itself on every path",
                self.parsed.loc,
                "what it returns is told by a path that does not",
                "return a value for the smallest case before the call",
            ) from None
        sub.b.loc = self.parsed.loc
        self.finish(sub, value, params)

    def ask(self, op: Op, a: Named, b: Named) -> bool:
        """Whether a comparison of lengths of arguments holds at this call, if need be by a test at entry."""
        if self.code in self.keeping.recursive or not self.given.ask(self.s, op, a, b):
            return False
        self.version.lengths.append((op, a, b))
        return True

    def finish(self, sub: Specialiser, value: object, params: list[Var]) -> None:
        version = self.version
        found: list[Value] = []
        self.refuse_conflicts(value)
        try:
            tree = outline(sub, value, found, known_numbers=not version.asked)
        except NotPassableError as error:
            raise UnsupportedError(
                f"{self.parsed.name}, which calls itself, returns {error}",
                self.parsed.loc,
                help="return numbers, arrays or structures of them",
            ) from None
        hidden = list(sub.captured_arrays.values())
        results, copies, twins = _fresh(sub, found, [*params, *hidden])
        body = Block((*sub.entry.statements, *sub.b.statements), tuple(results))
        refuse_stores(body, sub.referred)
        body = with_room(body)
        refuse_if_it_matters(body, sub.maybe_views)
        names = [Param(v.name, v) for v in (*params, *hidden)]
        function = Function(version.callee.name, tuple(names), body, tuple(results), self.parsed.loc)
        if stored := stored_parameters(function):
            name = next(p.name for p in names if p.leaves in stored)
            raise UnsupportedError(
                f"{self.parsed.name} calls itself and stores into its argument {name}",
                self.parsed.loc,
                "what a function that calls itself stores into its arguments is not followed",
                "return a new array",
            )
        if (any(copies) or any(twins)) and self.code not in self.keeping.recursive:
            raise UnsupportedError(f"{self.parsed.name} may return its argument, or one array twice", self.parsed.loc)
        self.s.tests_lengths |= sub.tests_lengths
        version.function, version.results = function, tree
        version.copies, version.twins = copies, twins
        version.captured = tuple(sub.captured_arrays)
        version.shapes = tuple(_forms(sub, r, params) for r in results)

    def refuse_conflicts(self, value: object) -> None:
        """Refuse results of several types."""
        for item in value if isinstance(value, tuple) else ():
            self.refuse_conflicts(item)
        if isinstance(value, Conflict):
            raise TypeJoinError(
                f"{self.parsed.name} returns different types on different paths: {value.a} and {value.b}",
                self.parsed.loc,
                "compiled code needs one type for a result",
                "return the same kind of value on every path",
            )


def _fresh(sub: Specialiser, found: list[Value], params: list[Var]) -> tuple[list[Value], Positions, Positions]:
    """The results as arrays that nothing else is, by rows; for each the arguments and results that it is a copy of."""
    results: list[Value] = []
    copies: list[frozenset[int]] = []
    twins: list[frozenset[int]] = []
    memory: dict[int, Var] = {}  # of the results
    pairs: set[frozenset[Var]] = set()  # of classes that are one in Python
    aliases = AliasClasses(Block(tuple(sub.b.statements)))
    given = {k: aliases.of(p) for k, p in enumerate(params) if p.type is not None and hasattr(p.type, "ndim")}
    through: dict[Var, set[int]] = {}
    for t in walk(Block(tuple(sub.b.statements))):
        if isinstance(t, Call) and (version := _version(sub, t.callee)) is not None:
            for k, others in enumerate(version.twins):
                pairs |= {frozenset({aliases.of(t.results[k]), aliases.of(t.results[n])}) for n in others}
            for r, sources in zip(t.results, _copies(version, t), strict=True):
                classes = {aliases.of(t.args[i]) for i in sources if isinstance(t.args[i], Var)}
                positions = {k for k, class_ in given.items() if class_ in classes}
                through.setdefault(aliases.of(r), set()).update(positions)
    taken: set[Var] = set()
    for v in found:
        if not isinstance(v, View):
            results.append(v)
            copies.append(frozenset())
            twins.append(frozenset())
            continue
        class_ = aliases.of(v.base)
        same = {k for k, c in given.items() if c is class_} | through.get(class_, set())
        own = v.is_whole and not v.frozen and v.base.type.layout == "C" and class_ not in taken
        own = own and not any(c is class_ for c in given.values()) and v.base not in sub.captured_arrays.values()
        taken.add(class_)
        results.append(v.base if own else arrays.copy(sub, v).base)
        copies.append(frozenset(same))
        twins.append(frozenset(n for n, c in memory.items() if c is class_ or frozenset({c, class_}) in pairs))
        memory[len(twins) - 1] = class_
    return results, tuple(copies), tuple(twins)


def _version(s: Specialiser, callee: Callee) -> Version | None:
    known = [*s.keeping.running, *(v for found in s.keeping.versions.values() for v in found)]
    return next((v for v in known if v.callee is callee), None)


def _copies(version: Version, t: Call) -> tuple[frozenset[int], ...]:
    return version.copies or (frozenset(),) * len(t.results)


def _forms(sub: Specialiser, result: Value, params: list[Var]) -> tuple[list | None, ...]:
    """The lengths of an array as forms of the function's arguments; None for those that are not."""
    if not isinstance(result, Var) or result not in sub.facts.shapes:
        return ()
    position = {p: (k, None) for k, p in enumerate(params)}

    def form(n: Value) -> list | None:
        found = sub.facts.affine(n)
        terms: list = [(found.constant, None)]
        for symbol, coefficient in found.terms:
            let = sub.facts.definitions.get(symbol)
            if symbol in position:
                terms.append((coefficient, position[symbol]))
            elif let is not None and let.args and let.args[0] in position and let.op.name == "dim":
                terms.append((coefficient, (position[let.args[0]][0], let.args[1].value)))
            else:
                return None
        return terms

    return tuple(form(n) for n in sub.facts.shapes[result])


# -- one call --------------------------------------------------------------------------------------------------------


def _emitted(s: Specialiser, version: Version, given: Given) -> object:
    """The value of a call that is written into the caller."""
    assert version.results is not None
    hidden = [outside.array_of(s, scope.find(name)[1], (scope, name)) for scope, name in version.captured]
    values = [*given.values, *hidden]
    args = tuple(arrays.materialise(s, v) if isinstance(v, View) else v for v in values)
    kinds = leaves_of(version.results)
    shapes = _shapes(s, version, kinds, values)
    results = tuple(Var(leaf.name or "y", leaf.type) for leaf in kinds)
    s.b.emit(Call(version.callee, args, results, shapes, s.loc))
    for k, (r, shape) in enumerate(zip(results, shapes, strict=True)):
        s.homes[r] = len(s.levels) - 1
        if shape:
            s.facts.shapes[r] = tuple(s.b.dim(r, axis) if n is None else n for axis, n in enumerate(shape))
        for i in version.copies[k] if k < len(version.copies) else ():
            source = values[i]
            if isinstance(source, View):
                s.maybe_views.append(MaybeView(Var("none", r.type), r, source.base, s.loc, returned=True))
        for n in version.twins[k] if k < len(version.twins) else ():
            s.maybe_views.append(MaybeView(Var("none", r.type), r, results[n], s.loc, twin=True))
    return rebuilt_value(s, version.results, list(results))


def _shapes(s: Specialiser, version: Version, kinds: list[Leaf], values: list) -> tuple[tuple[Value | None, ...], ...]:
    """The shapes of a call's results, as far as they are known, as numbers of the caller."""

    def length(form: list | None) -> Value | None:
        if form is None:
            return None
        total = Affine()
        for coefficient, place in form:
            if place is None:
                total += Affine(coefficient)
                continue
            value = values[place[0]]
            n = value.shape[place[1]] if isinstance(value, View) else value
            if not is_number(n):
                return None
            total += s.facts.affine(n).scale(coefficient)
        return s.canonical(s.facts.write(total, s.b))

    known = version.shapes if not version.asked or version.function is not None else ()
    found = []
    for k, leaf in enumerate(kinds):
        ndim = getattr(leaf.type, "ndim", 0)
        forms = known[k] if k < len(known) and len(known[k]) == ndim else (None,) * ndim
        if version in s.keeping.running:
            forms = (None,) * ndim
        found.append(tuple(map(length, forms)))
    return tuple(found)
