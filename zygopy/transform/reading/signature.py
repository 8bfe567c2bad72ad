"""Arguments: from the types of a call to the parameters of an IR function and the values they stand for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import repeat

from zygopy.errors import DtypeError, MeetingLengthsError, OtherLengthsError, ShapeError, UnsupportedError, ZygopyError
from zygopy.transform.affine import Facts
from zygopy.transform.arguments import ArgumentType, Lengths, with_ones
from zygopy.transform.build import Builder, constant
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    Function,
    Leaves,
    Param,
    Print,
    Statement,
    Var,
    everywhere,
    leaves,
    walk,
    with_blocks,
    with_reachable,
)
from zygopy.transform.joined import is_joined
from zygopy.transform.memory import stored_parameters
from zygopy.transform.reading import arrays, calls, joined, lists, outside, places
from zygopy.transform.reading.kept import Keeping
from zygopy.transform.reading.lifted import Lifted
from zygopy.transform.reading.list_memory import refuse_stores, with_room
from zygopy.transform.reading.maybe_views import refuse_if_it_matters
from zygopy.transform.reading.parse import parameter_names, read
from zygopy.transform.reading.specialise import Specialiser
from zygopy.transform.reading.values import Raises, StartAgain, Static, View, describe, is_number
from zygopy.transform.records import Known, Record, counting_fields, keys_of, place, rebuilt
from zygopy.transform.types import FLOAT, Array, Scalar


@dataclass(frozen=True)
class Specialised:
    """A function specialised to argument types, and what of its surroundings went into it.

    `tree` is the result in the user's structure; `numbers` are captured numbers that hold only while they are
    unchanged, `captured` the arrays that are read at each call, as hidden parameters behind the others.
    """

    function: Function
    wrt: dict[str, Leaves]  # the leaves of each parameter
    captured: tuple[tuple, ...]
    numbers: list[tuple]
    guarded: bool  # whether it tests at entry that lengths are equal


def specialise(
    function: Callable | Lifted,
    types: list[ArgumentType],
    promote: list[str] = (),
    lengths: Lengths | None = None,
    reuse: bool = True,
) -> Specialised:
    """Specialise a Python function to argument types; the result's leaves are the body's yields.

    Integers among the parameters named in `promote` become floats. `reuse`: functions may be kept that are called again
    and again.
    """
    is_inner = lengths is not None and lengths.ask is not None  # it may be differentiated again, also backwards
    keeping = Keeping(reuse=reuse and not is_inner)
    while True:
        keeping.start()
        try:
            return _specialised(function, types, promote, lengths, keeping)
        except StartAgain:
            continue
        except ZygopyError as error:
            raise keeping.instead_of(error) from None


def _specialised(
    function: Callable | Lifted,
    types: list[ArgumentType],
    promote: list[str],
    lengths: Lengths | None,
    keeping: Keeping,
) -> Specialised:
    s = Specialiser(lengths)
    s.keeping = keeping
    if lengths is not None and lengths.ones:
        types = list(map(with_ones, types, lengths.ones))
    parsed = read(function)
    s.b.loc = parsed.loc
    params, values, wrt = [], {}, {}
    for name, type_ in zip(parameter_names(function), types, strict=True):
        tree, values[name] = argument(s, name, type_)
        wrt[name] = tree
        if name in promote:
            values[name] = _promoted(s, values[name])
            wrt[name] = _leaves_of(s, values[name], tree)
        if not isinstance(type_, Static):
            params.append(Param(name, tree))
    lifted = function.enter(s) if isinstance(function, Lifted) else None
    entered = len(s.b.statements)
    places.begin(s)
    try:
        given = _given(s, parsed.args, values)
        result = s.call_function(function, *given) if lifted is None else calls.call(s, lifted, *given)
    except Raises:
        result = constant(float("nan"))  # every path raises
    s.b.loc = parsed.loc
    tree = _result(s, result)
    statements = (*s.b.statements[:entered], *_guards(s), *s.b.statements[entered:])
    body = Block((*s.entry.statements, *statements), tuple(leaves(tree)))
    refuse_stores(body, s.referred)
    body = with_room(body)
    refuse_if_it_matters(body, s.maybe_views)
    hidden = [Param(f"{var.name}", var) for var in s.captured_arrays.values()]
    hidden += [param for param, _, _ in function.captured] if isinstance(function, Lifted) else []
    ir = Function(
        parsed.name.strip("<>") if parsed.name != "<lambda>" else "lambda_", (*params, *hidden), body, tree, parsed.loc
    )
    ir = with_reachable(ir, keeping.functions())
    if s.tests_lengths and not _may_start_again(s, ir):
        ir = everywhere(lambda f: replace(f, body=with_shape_errors(f.body)), ir)
        s.tests_lengths = False
    guarded = bool(s.guards) or s.tests_lengths
    return Specialised(ir, wrt, tuple(s.captured_arrays), s.captured_numbers, guarded)


def _given(s: Specialiser, args, values: dict) -> tuple[list, dict]:
    """The positional and the keyword arguments of a call that gives the parameters these values."""
    given = [values[a.arg] for a in (*args.posonlyargs, *args.args)]
    named = {a.arg: values[a.arg] for a in args.kwonlyargs}
    if args.vararg is not None:
        given += values[args.vararg.arg]
    if args.kwarg is not None:
        rest = s.members(values[args.kwarg.arg])
        named |= zip(keys_of(rest), rest, strict=True)
    return given, named


def _may_start_again(s: Specialiser, function: Function) -> bool:
    """Whether nothing is left of a call that stops in the middle, and what calls the function handles such an end."""
    bodies = [function.body, *(kept.body for _, kept in function.callees)]
    speaks = any(isinstance(t, Print) for body in bodies for t in walk(body))
    inside = s.lengths is not None and s.lengths.ask is not None
    return not speaks and not inside and not stored_parameters(function)


def with_shape_errors(block: Block) -> Block:
    """The block with errors for the user where other lengths would have other code."""

    def statement(t: Statement) -> Statement:
        if isinstance(t, Check) and t.error is MeetingLengthsError:
            return replace(t, error=ShapeError, message=arrays.DIFFERENT_LENGTHS)
        return with_blocks(t, with_shape_errors)

    return Block(tuple(map(statement, block.statements)), block.yields)


def _guards(s: Specialiser) -> list[Statement]:
    """The tests at entry that lengths are such as the code takes them to be."""
    b = Builder(s.loc)
    facts = Facts(s.facts.definitions)
    for message, (op, left, right) in s.guards.items():
        test = b.apply(op, facts.write(left, b), facts.write(right, b))
        b.emit(Check(test, OtherLengthsError, message, s.loc))
    return b.statements


def argument(s: Specialiser, name: str, type_: ArgumentType | Const, at: str = "") -> tuple[Leaves, object]:
    """The leaves of a parameter and the value that its name stands for; a number that is known is itself.

    `at` is what a user writes for it.
    """
    at = at or name
    if isinstance(type_, Static):
        return (), outside.value_of(s, type_.value, None)
    if isinstance(type_, Const):
        return (), type_
    if is_joined(type_):
        return joined.argument(s, name, type_, at)
    if isinstance(type_, tuple):
        pairs = []
        for key, item in zip(keys_of(type_), type_, strict=True):
            known = isinstance(item, Static)
            leaves, value = argument(s, f"{name}_{key}", item, place(at, type_, key))
            pairs.append((Known(item.value) if known else leaves, value))
        members = rebuilt(type_, [p[1] for p in pairs])
        return rebuilt(type_, [p[0] for p in pairs]), s.made(members, _ARGUMENT)
    var = Var(name, type_)
    s.parameters[var] = at
    if isinstance(type_, Array):
        arrays.bind_shape(s, var)
        return var, arrays.whole(s, var)
    return var, var


_ARGUMENT = "it comes from the caller, who would not see the change"


def _leaves_of(s: Specialiser, value: object, tree: Leaves) -> Leaves:
    """The leaves of a parameter's value; `tree` says what of it is known."""
    if isinstance(tree, Known) or is_joined(tree):
        return tree
    if (members := s.members(value)) is not None:
        return rebuilt(members, list(map(_leaves_of, repeat(s), members, tree)))
    return value.base if isinstance(value, View) else value


def _promoted(s: Specialiser, value: object) -> object:
    """Ints of a parameter as floats, but for fields that are declared to count."""
    if (members := s.members(value)) is not None:
        counting = counting_fields(members.cls) if isinstance(members, Record) else set()
        pairs = zip(keys_of(members), members, strict=True)
        return s.made(rebuilt(members, [m if k in counting else _promoted(s, m) for k, m in pairs]), _ARGUMENT)
    if isinstance(value, Var) and isinstance(value.type, Scalar) and not value.type.is_inexact:
        return s.b.cast(value, FLOAT)
    return value


def _result(s: Specialiser, value: object) -> Leaves:
    if is_number(value):
        return value
    if (members := s.members(value)) is not None:
        return rebuilt(members, [_member_result(s, item) for item in members])
    if isinstance(value, View):
        return arrays.materialise(s, value)
    if isinstance(value, Static) and value.value is None:
        return ()
    if lists.of(s, value) is not None:
        raise UnsupportedError(f"returning {lists.WHAT} is not supported", s.loc, help="return np.array(...) of it")
    raise DtypeError(f"the function returns {describe(value)}", s.loc, help="return numbers, arrays or tuples of them")


def _member_result(s: Specialiser, value: object) -> Leaves:
    return Known(value.value) if isinstance(value, Static) else _result(s, value)
