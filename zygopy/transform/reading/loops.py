"""Loops while a function is specialised: what each variable of a loop is at its head.

A loop is interpreted again until the kinds of its variables no longer change: a number of some type, an array that the
loop rebinds, a tuple of such, an object, something fixed, or something that is bound inside only. What the objects hold
that exist before the loop are variables of it too, fixed ones unless the loop changes them.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from zygopy.errors import Loc, TypeJoinError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Builder, constant, integer, zero
from zygopy.transform.ir import Check, Const, For, Value, Var, While, new_key
from zygopy.transform.memory import changed_outside
from zygopy.transform.reading import apart, arrays, lists, places
from zygopy.transform.reading.values import (
    Conflict,
    Listed,
    Maybe,
    Object,
    Placed,
    Raises,
    Range,
    Unbound,
    Unknown,
    UnknownMemberError,
    View,
    describe,
    is_number,
    is_object_name,
    numeric,
    optional,
    plain_name,
)
from zygopy.transform.records import Record, alike, rebuilt
from zygopy.transform.types import BOOL, INT, Array, Type, unify

# -- kinds -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Number:
    type: Type


@dataclass(frozen=True)
class Items:
    items: tuple  # or a Record


@dataclass(frozen=True)
class Handle:
    """An array variable that the loop rebinds; `shape` is None where the arrays may differ in it."""

    type: Array
    shape: tuple[Value | None, ...]


@dataclass(frozen=True)
class Rebound:
    """An object variable that the loop rebinds: which object it is, nobody knows, so that none of them may change."""

    cls: type
    content: object


@dataclass(frozen=True)
class Reference:
    """A variable for objects in memory: which of a pool it is."""

    cls: type
    pool: int


@dataclass(frozen=True)
class Growing:
    """What a list holds whose length the loop changes: columns that the loop does not rebind, and a number."""

    columns: lists.Columns


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


@dataclass(frozen=True)
class _Handle:
    """An array variable of a loop, before a block gives it a view."""

    var: Var


@dataclass(frozen=True)
class _Rebound:
    """An object of a loop, before a block gives it members."""

    which: Object
    content: object


def _kind(value: object) -> object:
    if is_number(value):
        return Number(value.type)
    if isinstance(value, tuple):
        return Items(rebuilt(value, map(_kind, value)))
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
        case Number() | Handle() | Growing() | Reference():
            return 1
        case Items():
            return sum(_width(item) for item in kind.items)
        case Rebound():
            return _width(kind.content)
        case Optional():
            return _width(kind.kind) + 1
    return 0


def _describe_kind(kind: object) -> str:
    match kind:
        case Number():
            return describe(Var("", kind.type))
        case Items():
            return describe(kind.items)
        case Rebound() | Reference():
            return f"a {kind.cls.__name__}"
        case Growing():
            return "a list"
        case Handle():
            return f"an array of {kind.type.dtype} with {kind.type.ndim} dimensions"
        case Fixed():
            return describe(kind.value)
    return "possibly nothing"


def _zeros_of(s, kind: object) -> object:
    match kind:
        case Number():
            return zero(kind.type)
        case Handle():
            return arrays.allocate(s, kind.shape, kind.type.dtype, ops.ZEROS)
    return rebuilt(kind.items, [_zeros_of(s, item) for item in kind.items])


# -- interpretation ---------------------------------------------------------------------------------------------------


def while_loop(
    s,
    test: Callable,
    stop_flags: tuple,
    body: Callable,
    names: list[str],
    then: Callable | None = None,
    fresh: Collection[str] = (),
) -> None:
    """A loop that runs while test() holds and no flag is set; `then` reads what follows, if its first trip is apart.

    `fresh` are names that each trip binds before anything reads them.
    """
    from zygopy.transform.reading import conditions

    def whole_test() -> Value:
        going = [lambda f=flag: s.b.apply(ops.NOT, s.read_name(f)) for flag in stop_flags]
        return conditions.all_of(s, [*going, test])

    if any(isinstance(flag := s.read_name(name), Const) and flag.value for name in stop_flags):
        if then is not None:
            then()
        return
    if then is None and _has_effects(s, whole_test):
        _while_flag(s, whole_test, body, names, fresh)
        return
    if then is not None:
        loc = s.loc

        def others() -> None:
            s.b.loc = loc
            while_loop(s, test, stop_flags, body, names, fresh=fresh)
            then()

        runs = whole_test()
        s.b.loc = loc
        s.branch(runs, lambda: body(others), then)
        return

    def build(enter, run):
        with s.nested("while") as test_b:
            enter()
            held = s.objects_now()
            go = whole_test()
            if s.objects_now() != held or changed_outside(test_b.block((go,))):  # in later trips only
                what = "changing an object or array in the test of a while loop is not supported here"
                raise UnsupportedError(what, s.loc, "the test of its first trip changes none", "change it in the body")
        with s.nested("while") as body_b:
            run(body)
        return test_b, go, body_b

    def finish(built, params, inits, yields, results):
        test_b, go, body_b = built
        if isinstance(go, Const) and not go.value:
            go = constant(False)
        s.b.emit(While(params, inits, test_b.block((go,)), body_b.block(yields), results, s.loc, new_key()))

    loop(s, names, whole_test, build, finish, fresh=fresh)


def _has_effects(s, test: Callable) -> bool:
    """Whether a test changes an object, or stores into an array that is not its own."""
    back, held = s.mark(), s.objects_now()
    s.frame.names = dict(s.frame.names)
    changed = False
    with suppress(Raises), s.nested("while") as builder:
        go = test()
        changed = s.objects_now() != held or bool(changed_outside(builder.block((go,))))
    back()
    return changed


def _while_flag(s, test: Callable, body: Callable, names: list[str], fresh: Collection[str]) -> None:
    """A loop whose test has effects: what it says is a variable, found before the loop and at the end of a trip."""
    loc, going = s.loc, f"going@{next(s.objects)}"

    def ask() -> None:
        s.b.loc = loc
        s.frame.names[going] = test()

    def trip(then: Callable | None = None) -> None:
        body(then)
        ask()

    ask()
    while_loop(s, lambda: s.frame.names[going], (), trip, [going, *names], fresh=fresh)
    del s.frame.names[going]


def counted_loop(
    s,
    index: Var,
    range_: Range,
    body: Callable,
    names: list[str],
    snapshots: Value | None = None,
    fresh: Collection[str] = (),
) -> None:
    """A loop over a range whose body always runs to its end; `fresh` as for `while_loop`."""
    bounds = (range_.start, range_.stop, range_.step)
    s.facts.ranges[index] = bounds

    def build(enter, run):
        with s.nested("for", (index, *bounds)) as builder:
            s.homes[index] = len(s.levels) - 1
            run(body)
        return builder

    def finish(builder, params, inits, yields, results):
        block = builder.block(yields)
        s.b.emit(For(index, *bounds, params, inits, block, results, s.loc, new_key(), snapshots=snapshots))

    runs = s.facts.never_negative(s.facts.affine(range_.stop) - s.facts.affine(range_.start).shift(1))
    sure = runs and isinstance(range_.step, Const) and range_.step.value > 0
    loop(s, names, lambda: has_trip(s, range_), build, finish, sure, fresh)


def has_trip(s, range_: Range) -> Value:
    """Whether a range has a first number."""
    up, down = (s.b.apply(op, range_.start, range_.stop) for op in (ops.LT, ops.GT))
    if isinstance(range_.step, Const):
        return up if range_.step.value > 0 else down
    return s.b.select(s.b.apply(ops.GT, range_.step, integer(0)), up, down)


def loop(
    s,
    names: list[str],
    runs: Callable[[], Value],
    build: Callable,
    finish: Callable,
    sure: bool = False,
    fresh: Collection[str] = (),
) -> None:
    """Interpret a loop until the kinds of its variables are stable, then emit it.

    `runs()` is whether it has a first trip.
    `build(enter, run)` interprets the blocks: `enter()` binds the loop's variables, `run(body)` does that and
    interprets the body. `finish` emits the loop; `sure`: it runs at least once.
    """
    before, place = s.frame.names, s.loc
    unrolls, s.unrolls = s.unrolls, False
    names = [*names, *filter(is_object_name, before)]
    kinds = {n: Fixed(before[n]) if is_object_name(n) else _kind(before.get(n, Unbound())) for n in names}
    for name in fresh:  # an array of that name before the loop is none of its variables, unless it is read behind it
        if isinstance(before.get(name), View) and s.keeping is not None and (place, name) not in s.keeping.late:
            kinds[name] = Fixed(Unbound())
    marks = [(level.builder, len(level.builder.statements)) for level in s.levels]
    uses = dict(s.uses)
    assumed = [list(forms) for forms in s.facts.assumed]
    equal = [dict(forms) for forms in s.facts.equal]
    for _ in range(20):
        s.uses = dict(uses)  # a body that is read again is no use of a function
        heads: dict[str, object] = {}
        params: list[Var] = []
        for name in names:
            heads[name] = _enter(s, name, kinds[name], params)
        for param in params:
            s.homes[param] = len(s.levels)
        ends: dict = {}

        def back(marks=marks) -> None:
            for builder, length in marks:
                del builder.statements[length:]
            held = [forms for forms in s.holding if forms not in assumed[0]]
            s.facts.assumed = [[*assumed[0], *held], *map(list, assumed[1:])]  # tests in blocks are written again
            s.facts.equal = [s.facts.equal[0], *map(dict, equal[1:])]  # what is tested at entry stays known

        def run(body, heads=heads, params=params, ends=ends):
            _enter_block(s, before, heads)
            ends["heads"] = dict(s.frame.names)
            body()
            ends["names"], ends["builder"] = s.frame.names, s.b

        try:
            built = build(lambda heads=heads: _enter_block(s, before, heads), run)
        except Unknown:  # another path tells what a function returns that calls itself
            for builder, length in marks:
                del builder.statements[length:]
            s.frame.names = before
            return
        except Raises as raised:
            if raised.error is None:
                raise UnsupportedError("a loop whose body always raises is not supported", s.loc) from None
            for builder, length in marks:
                del builder.statements[length:]
            s.frame.names = before
            s.b.emit(Check(s.b.apply(ops.NOT, runs()), type(raised.error), raised.error.what, raised.error.loc))
            return
        after = ends["names"]
        s.objects_of_loop = before, after
        s.unrolls = unrolls
        if (moved := places.meet_in_loop(s, ends["heads"], before, after, ends["builder"], back)) is not None:
            marks = [(level.builder, len(level.builder.statements)) for level in s.levels]
            kinds |= {name: Fixed(before[name]) for name in moved}
            s.unrolls = False
            continue
        wider = {name: _widen_name(s, place, name, kinds[name], after.get(name, Unbound())) for name in names}
        s.unrolls = False
        if all(_same_entry(kinds[n], wider[n]) for n in names):
            kinds = wider
            break
        kinds = wider
        back()
    else:
        raise TypeJoinError("the types of this loop's variables do not settle", s.loc)
    _finish_loop(s, names, kinds, before, ends, built, finish, params, sure)


def _enter_block(s, before: dict, heads: dict) -> None:
    s.frame.names = dict(before)
    s.frame.names |= {n: _views(s, v, True) for n, v in heads.items()}


def _finish_loop(s, names, kinds, before, ends, built, finish, params, sure) -> None:
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
            _enter(s, name, Optional(kind.kind), fresh)
            all_params[position:position] = fresh
            kind = Optional(kind.kind)
        count = _width(kind)
        if count:
            flat_inits = _flatten(s, kind, before.get(name, Unbound()), s.b, before)
            with s.reopened(ends["builder"]):
                flat_yields = _flatten(s, kind, ends["names"][name], s.b, ends["names"])
            mine = [Var(p.name, p.type) for p in all_params[position : position + count]]
            for var, param in zip(mine, all_params[position:], strict=False):
                s.homes[var] = len(s.levels) - 1
                if param in s.facts.shapes and param not in s.unshaped:
                    s.facts.shapes[var] = s.facts.shapes[param]
                if param in s.known_axes:
                    s.known_axes[var] = s.known_axes[param]
                if param in s.merged:
                    s.merged.add(var)
            inits += flat_inits
            yields += flat_yields
            results += mine
            position += count
            joined[name] = _rebuild(s, kind, list(mine), sure and isinstance(kinds[name], Late))
        else:
            joined[name] = _rebuild(s, kind, [])
    finish(built, tuple(all_params), tuple(inits), tuple(yields), tuple(results))
    s.frame.names = {}
    s.frame.names |= {n: _views(s, v, False) for n, v in joined.items()}


def _enter(s, name: str, kind: object, params: list[Var]) -> object:
    """The value at the head of the loop for a kind; its variables are appended to `params`."""
    match kind:
        case Number():
            params.append(Var(plain_name(name), kind.type))
            return params[-1]
        case Items():
            hints = map(str, kind.items.keys) if isinstance(kind.items, Record) else [name] * len(kind.items)
            pairs = zip(hints, kind.items, strict=True)
            return rebuilt(kind.items, [_enter(s, hint, item, params) for hint, item in pairs])
        case Rebound():
            return _Rebound(s.name_object(kind.cls), _enter(s, name, kind.content, params))
        case Growing():
            for column in lists.leaves(kind.columns):
                s.homes.setdefault(column.base, len(s.levels) - 1)
            params.append(Var("count", INT))
            s.facts.counts.add(params[-1])
            return Listed(kind.columns, params[-1])
        case Handle():
            params.append(_array_var(s, name, kind))
            return _Handle(params[-1])
        case Optional():
            value = _enter(s, name, kind.kind, params)
            params.append(Var("bound", BOOL))
            return Maybe(value, params[-1])
        case Reference():
            params.append(Var(plain_name(name), INT))
            return Placed(kind.cls, "", kind.pool, params[-1])
        case Late():
            return Unbound()
    return kind.value


def _array_var(s, name: str, kind: Handle) -> Var:
    var = Var(plain_name(name), kind.type)
    s.merged.add(var)
    if all(n is not None for n in kind.shape):
        s.facts.shapes[var] = kind.shape
    else:
        s.known_axes[var] = kind.shape
    return var


def _views(s, value: object, ask: bool) -> object:
    """A loop's array variables as views, their shapes asked for in the current block where they are not known."""
    if isinstance(value, _Handle):
        if ask and value.var in s.unshaped or value.var not in s.facts.shapes:
            s.unshaped.add(value.var)
            arrays.bind_shape(s, value.var)
        return arrays.whole(s, value.var)
    if isinstance(value, Maybe):
        return replace(value, value=_views(s, value.value, ask))
    if isinstance(value, _Rebound):
        s.fix(value.which, _REBOUND, s.loc)
        s.frame.names[value.which.name] = _views(s, value.content, ask)
        return value.which
    if isinstance(value, tuple):
        return rebuilt(value, [_views(s, v, ask) for v in value])
    return value


_REBOUND = "a loop puts other objects in its place"


def _widen_name(s, place: Loc, name: str, kind: object, end: object) -> object:
    """The kind of a loop variable; an array that only the loop binds is one if something behind the loop reads it."""
    if not (isinstance(end, View) and isinstance(kind, Fixed | Late) and _is_unbound(kind)):
        return _widen(s, kind, end)
    late = place, name
    if s.keeping is not None and late in s.keeping.late:
        if isinstance(kind, Late):
            wider = _widen(s, kind.kind, end)
            if not isinstance(wider, Handle):
                return wider
            if None not in wider.shape:
                return Late(wider)
            return Fixed(Unbound("an array of changing shape is bound inside the loop only"))
        shape = tuple(map(s.canonical, end.shape))
        if not (end.frozen or end.part) and all(s.homes.get(n, 0) < len(s.levels) for n in shape):
            layout = "C" if end.is_whole and end.base.type.layout == "C" else "A"
            return Late(Handle(Array(end.dtype, end.ndim, layout), shape))
    return Fixed(Unbound("an array is bound inside the loop only", late))


def _widen(s, kind: object, end: object) -> object:
    """The kind of a loop variable, given what it is at the end of a trip."""
    if isinstance(end, Object) and (found := _widen_placed(s, kind, end)) is not None:
        return found
    match kind:
        case Number() if is_number(end):
            type_ = unify(kind.type, end.type)
            return Fixed(apart.conflict(s, str(kind.type), end)) if type_ is None else Number(type_)
        case Fixed(Record() as content) if isinstance(end, Record) and (
            alike(content, end) or not lists.is_content(content)
        ):  # of an object: a NamedTuple's kind is Items
            return kind if content is end or content == end else _widen(s, _kind(content), end)
        case Items() if alike(kind.items, end):
            items = rebuilt(kind.items, [_widen(s, k, e) for k, e in zip(kind.items, end, strict=True)])
            bad = next((i for i in items if isinstance(i, Fixed) and isinstance(i.value, Conflict)), None)
            return bad or Items(items)
        case Fixed(Record() | Listed() as content) if lists.is_content(content) and lists.is_content(end):
            return _growing(s, content, end)
        case Growing() if lists.is_content(end):
            return _growing(s, kind, end)
        case Items(Record(cls=cls)) if cls in (list, dict) and isinstance(end, Record):
            raise UnknownMemberError(
                f"a {cls.__name__} grows or shrinks in this loop",
                s.loc,
                "how many members it has must be known at compile time, the number of trips is not",
                "fill an array: np.zeros(n)",
            )
        case Fixed(Object(cls=cls) as first) if isinstance(end, Object) and end != first and cls is end.cls:
            s.fix(first, _REBOUND, s.loc)
            s.fix(end, _REBOUND, s.loc)
            head, tail = s.objects_of_loop
            content = _widen(s, Fixed(head[first.name]), tail[end.name])
            if isinstance(content, Growing):  # the list that was there first keeps its own columns
                content = Growing(lists.fresh(content.columns))
            return content if _is_conflict(content) else Rebound(cls, content)
        case Rebound() if isinstance(end, Object) and end.cls is kind.cls:
            s.fix(end, _REBOUND, s.loc)
            content = _widen(s, kind.content, s.objects_of_loop[1][end.name])
            return content if _is_conflict(content) else Rebound(kind.cls, content)
        case Handle() if isinstance(end, View):
            return _widen_handle(s, kind, end)
        case Fixed(View() as view) if isinstance(end, View):
            if end == view:
                return kind
            if view.frozen or end.frozen or view.part or end.part or (view.dtype, view.ndim) != (end.dtype, end.ndim):
                return Fixed(apart.conflict(s, view, end))
            layout = "C" if view.is_whole and view.base.type.layout == "C" else "A"
            shape = view.shape
            return _widen_handle(s, Handle(Array(view.dtype, view.ndim, layout), shape), end)
        case Fixed(Unbound()) | Late() | Optional():
            return _widen_unbound(s, kind, end)
        case Fixed(Conflict()):
            return kind
        case Fixed() if kind.value is end or (type(kind.value) is type(end) and kind.value == end):
            return kind
    return Fixed(apart.conflict(s, _describe_kind(kind), end))


def _widen_placed(s, kind: object, end: Object) -> object | None:
    """The kind of a variable for objects if some are in memory; None for others."""
    head, tail = s.objects_of_loop
    last = places.resolved(tail, end)
    if isinstance(kind, Reference):
        fits = isinstance(last, Placed) and last.pool == kind.pool
        return kind if fits else Fixed(apart.conflict(s, _describe_kind(kind), end))
    if isinstance(kind, Rebound) and isinstance(last, Placed):
        return Fixed(apart.conflict(s, _describe_kind(kind), end))
    if not (isinstance(kind, Fixed) and isinstance(kind.value, Object)) or kind.value == end:
        return None
    first = places.resolved(head, kind.value)
    if not (isinstance(first, Placed) or isinstance(last, Placed)):
        return None
    if isinstance(first, Placed) and isinstance(last, Placed) and first.pool == last.pool:
        return kind if first == last else Reference(first.cls, first.pool)
    return Fixed(apart.conflict(s, kind.value, end))


def _growing(s, head: object, end: object) -> object:
    """The kind of a list that is not as long after a trip as before it, or stands in columns on one side."""
    before, after = s.objects_of_loop
    head, end = places.resolved_items(before, head), places.resolved_items(after, end)
    if head == end or (isinstance(head, Growing) and isinstance(end, Listed) and head.columns == end.columns):
        return head if isinstance(head, Growing) else Fixed(head)
    if s.unrolls and not (isinstance(end, Listed) and places.is_pool(s, end.columns)):
        raise UnknownMemberError("a list grows or shrinks in this loop", s.loc)
    columns = head.columns if isinstance(head, Growing) else lists.columns_of_content(s, head)
    others = lists.columns_of_content(s, end)
    is_one_empty = lists.EMPTY in (head, end)
    columns = columns or others if is_one_empty else lists.unified(s, columns, others)
    if columns is None or not lists.are_made_at(s, columns, len(s.levels) - 1):
        raise UnknownMemberError(
            "a list grows or shrinks in this loop",
            s.loc,
            "only run time knows how long it is in the end, and the items of such a list are of one kind: numbers "
            "of one type, arrays of one shape that is known before the loop, tuples of such, or objects of one class "
            "that hold numbers",
            "fill arrays: np.zeros(n), or keep lists of items of one kind",
        )
    own = head.columns if isinstance(head, Growing | Listed) else None
    return Growing(columns if columns == own else lists.fresh(columns))


def _is_conflict(kind: object) -> bool:
    return isinstance(kind, Fixed) and isinstance(kind.value, Conflict)


def _widen_handle(s, kind: Handle, end: View) -> object:
    if (kind.type.dtype, kind.type.ndim) != (end.dtype, end.ndim) or end.frozen or end.part:
        return Fixed(apart.conflict(s, _describe_kind(kind), end))
    contiguous = end.is_whole and end.base.type.layout == "C" and kind.type.layout == "C"
    lengths = end.shape
    pairs = zip(kind.shape, lengths, strict=True)
    shape = tuple(m if m is not None and arrays.taken_as_equal(s, m, n) else None for m, n in pairs)
    return Handle(Array(end.dtype, end.ndim, "C" if contiguous else "A"), shape)


def _widen_unbound(s, kind: object, end: object) -> object:
    known = kind.kind if isinstance(kind, Late | Optional) else None
    value, flag = optional(end)
    if value is None or not numeric(value):
        return kind if value is None else Fixed(Unbound("an array or object is bound inside the loop only"))
    inner = _kind(value) if known is None else _widen(s, known, value)
    if isinstance(inner, Fixed):
        return inner if isinstance(inner.value, Conflict) else Fixed(Unbound())
    sure = isinstance(flag, Const) and flag.value
    return Late(inner) if sure and not isinstance(kind, Optional) else Optional(inner)


def _flatten(s, kind: object, value: object, builder: Builder, names: dict) -> list[Value]:
    match kind:
        case Number():
            return [builder.cast(value, kind.type)]
        case Items():
            return [v for k, i in zip(kind.items, value, strict=True) for v in _flatten(s, k, i, builder, names)]
        case Reference():
            return [builder.cast(places.resolved(names, value).index, INT)]
        case Rebound():
            return _flatten(s, kind.content, names[value.name], builder, names)
        case Growing():
            return [_moved(s, places.resolved_items(names, value), kind.columns)]
        case Handle():
            return [arrays.materialise(s, value)]
        case Optional():
            inner, flag = optional(value)
            inner = _zeros_of(s, kind.kind) if inner is None else inner
            return [*_flatten(s, kind.kind, inner, builder, names), flag]
    return []


def _moved(s, content: object, columns: lists.Columns) -> Value:
    """The length of a list whose items are put into the columns that the loop has for them."""
    if isinstance(content, Listed) and content.columns == columns:
        return content.length
    if _is_made_here(s, columns):  # before the loop
        lists.allocate(s, columns, integer(1))
    elif isinstance(content, Listed) and not _is_made_here(s, content.columns):
        raise UnsupportedError(
            "a loop that puts one list in the place of another is not supported",
            s.loc,
            "how long they are is not known at compile time, and the items would have to be copied in each trip",
            "make a new list in each trip, or fill an array",
        )
    return lists.move(s, content, columns)


def _is_made_here(s, columns: lists.Columns) -> bool:
    """Whether columns belong to this block, or one inside it, and not to one around it."""
    return all(s.homes[column.base] >= len(s.levels) - 1 for column in lists.leaves(columns))


def _rebuild(s, kind: object, vars: list[Var], sure: bool = False) -> object:
    match kind:
        case Number():
            return vars.pop(0)
        case Items():
            return rebuilt(kind.items, [_rebuild(s, item, vars) for item in kind.items])
        case Growing():
            s.facts.counts.add(vars[0])
            return Listed(kind.columns, vars.pop(0))
        case Reference():
            return Placed(kind.cls, "", kind.pool, vars.pop(0))
        case Rebound():
            return _Rebound(s.name_object(kind.cls), _rebuild(s, kind.content, vars))
        case Handle():
            return _Handle(vars.pop(0))
        case Optional():
            value = _rebuild(s, kind.kind, vars)
            flag = vars.pop(0)
            return value if sure else Maybe(value, flag)
    return kind.value
