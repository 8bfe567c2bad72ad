"""What is passed to a function that is no part of its caller: values taken apart, and put together on the other side.

A `Tree` says what of a value is known when the program is compiled; its leaves are numbers and arrays of run time:

    layer, where layer.name is "a" and layer.w an array   ->   Record(Known("a"), Leaf(f8[:, :]))

An inner function is passed as what it captures, a method as its object.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from zygopy.transform import ops
from zygopy.transform.affine import Affine
from zygopy.transform.build import integer
from zygopy.transform.ir import Const, Op, Value, Var
from zygopy.transform.reading import choices, lists, outside
from zygopy.transform.reading.parse import Parsed, names_read
from zygopy.transform.reading.values import (
    Closure,
    Conflict,
    Frame,
    Maybe,
    Method,
    Object,
    Partial,
    Placed,
    Scope,
    Static,
    Unbound,
    View,
    describe,
)
from zygopy.transform.records import alike, keys_of, place, rebuilt
from zygopy.transform.types import Array, Type


class NotPassableError(Exception):
    """A value that stands for something that only its caller has; the message says what."""


@dataclass(frozen=True)
class Leaf:
    """A number or array of run time; `lengths` has those lengths of an array that are known numbers."""

    type: Type
    lengths: tuple[int | None, ...] = ()
    name: str = field(default="", compare=False)


@dataclass(frozen=True)
class Fixed:
    """A Python object."""

    value: object = field(compare=False)
    key: object = None


@dataclass(frozen=True)
class Around:
    """The names around an inner function that it reads."""

    names: tuple[str, ...]
    items: tuple["Tree", ...]


@dataclass(frozen=True)
class Inner:
    """An inner function."""

    code: object
    scope: object
    defaults: tuple[tuple[str, "Tree"], ...]
    around: Around
    parsed: Parsed = field(compare=False)


@dataclass(frozen=True)
class Again:
    """An inner function that is one of those around this place: the one at this depth.

    Another one of the same code, with other names around it, is another function.
    """

    depth: int


@dataclass(frozen=True)
class Given_:
    """A callable with some arguments given."""

    function: "Tree"
    args: tuple["Tree", ...]
    kwargs: tuple[tuple[str, "Tree"], ...]


@dataclass(frozen=True)
class Bound:
    """A method of a value."""

    owner: "Tree"
    name: str


_DEEPEST = 16  # functions that hold one another

Tree = object  # Leaf, Const, one of the above, or a tuple or Record of such


def _fixed(value: object) -> Fixed:
    try:
        hash(value)
        return Fixed(value, (type(value), value))
    except TypeError:
        return Fixed(value, id(value))


def code_of(closure: Closure) -> object:
    """What tells the code of an inner function, however often its definition is run."""
    return closure.parsed.args


class _Outline:
    """Takes values apart; collects the numbers and arrays of run time."""

    def __init__(
        self, s, found: list, changing: set[tuple] = frozenset(), known_numbers: bool = True, lengths: bool = True
    ):
        self.s, self.found, self.changing = s, found, changing
        self.known_numbers, self.lengths = known_numbers, lengths
        self.is_result = False
        self.around: list[tuple[object, Frame | None]] = []  # inner functions: their code, and the names around them
        self.objects: list[Object] = []

    def tree(self, value: object, path: tuple) -> Tree:
        match value:
            case Const() if self.known_numbers and path not in self.changing:
                return value
            case Const() | Var():
                self.found.append(value)
                return Leaf(value.type, name=getattr(value, "name", ""))
            case View():
                self.found.append(value)
                return self.array(value, path)
            case Object() if lists.of(self.s, value) is not None:
                raise NotPassableError(lists.WHAT)
            case Object():
                self.objects.append(value)
                content = self.s.content(value)
                return rebuilt(content, self.items(content, path))
            case tuple():
                return rebuilt(value, self.items(value, path))
            case Static():
                return _fixed(value.value)
            case Closure() | Partial() | Method() if self.is_result:
                raise NotPassableError("a function that it makes")
            case Closure():
                return self.inner(value, path)
            case Partial():
                pairs = tuple((k, self.tree(v, (*path, k))) for k, v in value.kwargs.items())
                args = tuple(self.tree(v, (*path, k)) for k, v in enumerate(value.args))
                return Given_(self.tree(value.function, (*path, "()")), args, pairs)
            case Method():
                return Bound(self.tree(value.owner, (*path, ".")), value.name)
        raise NotPassableError(describe(value))

    def items(self, content: tuple, path: tuple) -> Iterable[Tree]:
        return [self.tree(v, (*path, key)) for key, v in zip(keys_of(content), content, strict=True)]

    def array(self, view: View, path: tuple) -> Leaf:
        whole = view.is_whole and not view.frozen and path not in self.changing
        type_ = view.base.type if whole else Array(view.dtype, view.ndim, "A")
        if not self.lengths:
            return Leaf(replace(type_, ones=()), (), view.base.name)
        ones = tuple(k for k, n in enumerate(view.shape) if n == integer(1))
        lengths = tuple(int(n.value) if isinstance(n, Const) else None for n in view.shape)
        return Leaf(replace(type_, ones=ones), lengths, view.base.name)

    def inner(self, closure: Closure, path: tuple) -> Tree:
        code = code_of(closure)
        for depth, (other, frame) in enumerate(self.around):
            if code is other and closure.frame is frame:
                return Again(depth)
        if len(self.around) > _DEEPEST:
            raise NotPassableError("functions that hold one another, ever more of them")
        self.around.append((code, closure.frame))
        defaults = tuple((k, self.tree(v, (*path, "=", k))) for k, v in closure.defaults.items())
        around = self.captured(closure.parsed, closure.frame, path)
        self.around.pop()
        return Inner(code, root_scope(closure.frame), defaults, around, closure.parsed)

    def captured(self, parsed: Parsed, frame: Frame | None, path: tuple) -> Around:
        """What a function's code reads of the functions around it."""
        names, items = [], []
        for name in names_read(parsed):
            value = _look_up(frame, name)
            if value is None or isinstance(value, Unbound | Conflict):
                continue
            if isinstance(value, Maybe):
                raise NotPassableError(f"{name}, which may have no value")
            names.append(name)
            items.append(self.tree(value, (*path, "captured", name)))
        return Around(tuple(names), tuple(items))


def root_scope(frame: Frame | None) -> Scope | None:
    """Where a function and those around it look up global names."""
    while frame is not None:
        if frame.scope is not None:
            return frame.scope
        frame = frame.outer
    return None


def _look_up(frame: Frame | None, name: str) -> object | None:
    while frame is not None:
        if name in frame.names:
            return frame.names[name]
        if frame.scope is not None:
            return None
        frame = frame.outer
    return None


def outline(s, value: object, found: list, known_numbers: bool = True) -> Tree:
    """The tree of a result; its numbers and arrays of run time are appended to `found`."""
    taking = _Outline(s, found, known_numbers=known_numbers)
    taking.is_result = True
    tree = taking.tree(value, ())
    if any(o.name in s.fixed for o in taking.objects):
        raise NotPassableError("an object that it was given")
    seen: set = set()
    for value in map(s.resolved, taking.objects):
        same = {value.pool} if isinstance(value, Placed) else choices.related(s, value)
        if same & seen:
            raise NotPassableError("one object twice, or two that may be one")
        seen |= same
    return tree


class Given:
    """The arguments of a call, and what the function reads of the functions around it, taken apart."""

    def __init__(self, s, frame: Frame, bound: dict, changing: set[tuple], lengths: bool):
        self.values: list = []
        taking = _Outline(s, self.values, changing, lengths=lengths)
        self.names = tuple(bound)
        items = [taking.tree(value, (k,)) for k, value in enumerate(bound.values())]
        self.scope = root_scope(frame)
        self.around = self.defaults = Around((), ())
        if frame.scope is None:
            taking.around.append((frame.parsed.args, frame.outer))
            self.around = taking.captured(frame.parsed, frame.outer, (len(items),))
            defaults = frame.defaults
            given = tuple(taking.tree(v, (len(items) + 1, k)) for k, v in defaults.items())
            self.defaults = Around(tuple(defaults), given)
        self.trees: tuple[Tree, ...] = (*items, self.around, self.defaults)
        self.places: dict[tuple, Value] = {}  # numbers and lengths by what the function calls them
        self._note_places()

    def _note_places(self) -> None:
        for name, value in zip(leaf_names(self.names, self.trees), self.values, strict=True):
            if isinstance(value, View):
                self.places |= {(name, axis): n for axis, n in enumerate(value.shape)}
            else:
                self.places[name, None] = value

    def ask(self, s, op: Op, a: list, b: list) -> bool:
        """Whether a comparison of lengths holds for these arguments, if need be by a test at the program's entry."""
        forms = []
        for named in (a, b):
            form = Affine()
            for coefficient, key in named:
                if key is not None and key not in self.places:
                    return False
                form += (Affine(1) if key is None else s.facts.affine(self.places[key])).scale(coefficient)
            forms.append(form)
        gap = forms[1] - forms[0]
        if gap == Affine() or (op is ops.LE and s.facts.never_negative(gap)):
            return True
        return bool(gap.terms) and s.guard(op, *forms)


def leaves_of(tree: Tree) -> list[Leaf]:
    """The leaves of a tree, left to right."""
    return [leaf for _, leaf in _named_leaves("", tree)]


def leaf_names(names: tuple[str, ...], trees: tuple[Tree, ...]) -> list[str]:
    """What a function calls the leaves of what it is given."""
    pairs = [*zip(names, trees[: len(names)], strict=True), *(("", t) for t in trees[len(names) :])]
    return [at for name, tree in pairs for at, _ in _named_leaves(name, tree)]


def _named_leaves(at: str, tree: Tree) -> list[tuple[str, Leaf]]:
    match tree:
        case Leaf():
            return [(at or tree.name, tree)]
        case tuple():
            pairs = zip(keys_of(tree), tree, strict=True)
            return [found for key, item in pairs for found in _named_leaves(place(at, tree, key) if at else "", item)]
        case Around():
            pairs = zip(tree.names, tree.items, strict=True)
            return [found for name, item in pairs for found in _named_leaves(f"{at}.{name}" if at else name, item)]
        case Inner():
            return [f for name, t in (*tree.defaults, (at, tree.around)) for f in _named_leaves(name, t)]
        case Given_():
            items = (("", tree.function), *(("", t) for t in tree.args), *tree.kwargs)
            return [found for name, item in _given_order(items, tree) for found in _named_leaves(name, item)]
        case Bound():
            return _named_leaves(at, tree.owner)
    return []


def _given_order(items: tuple, tree: Given_) -> list[tuple[str, Tree]]:
    """The parts of a partial call in the order in which they are taken apart."""
    function, *rest = items
    args, kwargs = rest[: len(tree.args)], rest[len(tree.args) :]
    return [*kwargs, *args, function]


def differences(a: Tree, b: Tree, path: tuple, found: set[tuple]) -> bool:
    """Whether two trees are alike but for known numbers and orders of memory; the places of these join `found`."""
    if isinstance(a, Const | Leaf) and isinstance(b, Const | Leaf):
        if a == b:
            return True
        if any(isinstance(x, Leaf) and isinstance(x.type, Array) for x in (a, b)):
            if not (isinstance(a, Leaf) and isinstance(b, Leaf) and _same_but_layout(a.type, b.type)):
                return False
            found.add(path)
            return True
        if isinstance(a, Const) or isinstance(b, Const):
            found.add(path)
        return True
    if isinstance(a, tuple) and isinstance(b, tuple) and alike(a, b):
        triples = zip(keys_of(a), a, b, strict=True)
        return all(differences(x, y, (*path, key), found) for key, x, y in triples)
    if isinstance(a, Around) and isinstance(b, Around) and a.names == b.names:
        triples = zip(a.names, a.items, b.items, strict=True)
        return all(differences(x, y, (*path, "captured", name), found) for name, x, y in triples)
    return a == b


def _same_but_layout(a: Type, b: Type) -> bool:
    return isinstance(a, Array) and isinstance(b, Array) and (a.dtype, a.ndim) == (b.dtype, b.ndim)


# -- on the other side -----------------------------------------------------------------------------------------------


_GIVEN = "it comes from the caller, who would not see the change"


class _Entering:
    """Puts values together again, of parameters that it makes."""

    def __init__(self, sub, names: Iterable[str]):
        self.sub, self.names = sub, iter(names)
        self.params: list[Var] = []
        self.closures: list[Closure] = []  # those around this place

    def leaf(self, leaf: Leaf) -> object:
        from zygopy.transform.reading.signature import argument

        at = next(self.names)
        name = "".join(c if c.isalnum() or c == "_" else "_" for c in at.replace("]", "").replace("'", ""))
        if isinstance(leaf.type, Array):
            var = Var(name, leaf.type)
            self.sub.parameters[var] = at
            if leaf.lengths:
                self.sub.known_axes[var] = tuple(None if n is None else integer(n) for n in leaf.lengths)
            from zygopy.transform.reading import arrays

            arrays.bind_shape(self.sub, var)
            self.params.append(var)
            return arrays.whole(self.sub, var)
        var, value = argument(self.sub, name, leaf.type, at)
        self.params.append(var)
        return value

    def value(self, tree: Tree) -> object:
        match tree:
            case Leaf():
                return self.leaf(tree)
            case Const():
                return tree
            case tuple():
                return self.sub.made(rebuilt(tree, [self.value(t) for t in tree]), _GIVEN)
            case Fixed():
                return outside.value_of(self.sub, tree.value, None) if _is_number(tree.value) else Static(tree.value)
            case Inner():
                return self.inner(tree)
            case Again():
                return self.closures[tree.depth]
            case Given_():
                kwargs = {k: self.value(t) for k, t in tree.kwargs}
                args = tuple(self.value(t) for t in tree.args)
                return Partial(self.value(tree.function), args, kwargs)
            case Bound():
                return Method(self.value(tree.owner), tree.name)
        raise AssertionError(tree)

    def inner(self, tree: Inner) -> Closure:
        around = Frame(tree.parsed, None, tree.scope)
        made = Closure(tree.parsed, around, {})
        self.closures.append(made)
        made.defaults.update({k: self.value(t) for k, t in tree.defaults})
        self.fill(around, tree.around)
        self.closures.pop()
        return made

    def fill(self, frame: Frame, around: Around) -> None:
        frame.names.update({name: self.value(t) for name, t in zip(around.names, around.items, strict=True)})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | complex) and not isinstance(value, bool)


def entered(sub, given: Given, frame: Frame) -> tuple[Frame, dict, list[Var]]:
    """The frame, the bound arguments and the parameters of a function that is specialised apart from its caller."""
    entering = _Entering(sub, leaf_names(given.names, given.trees))
    bound = {name: entering.value(t) for name, t in zip(given.names, given.trees, strict=False)}
    if frame.scope is not None:
        return Frame(frame.parsed, None, frame.scope), bound, entering.params
    around = Frame(frame.parsed, None, given.scope)
    inner = Frame(frame.parsed, around, None)
    itself = Closure(frame.parsed, around, {})
    entering.closures.append(itself)
    entering.fill(around, given.around)
    pairs = zip(given.defaults.names, given.defaults.items, strict=True)
    itself.defaults.update({name: entering.value(t) for name, t in pairs})
    return inner, bound, entering.params


def rebuilt_value(s, tree: Tree, results: list[Var]) -> object:
    """The value of a call in its caller, of the variables that it gives."""
    from zygopy.transform.reading import arrays

    match tree:
        case Leaf():
            var = results.pop(0)
            return arrays.whole(s, var) if isinstance(var.type, Array) else var
        case Const():
            return tree
        case tuple():
            return s.made(rebuilt(tree, [rebuilt_value(s, t, results) for t in tree]))
        case Fixed():
            return Static(tree.value)
    raise AssertionError(tree)
