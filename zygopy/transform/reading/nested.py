"""Derivatives inside functions: a call of a gradient becomes the gradient's IR, in place."""

from zygopy.errors import ArgumentError, DtypeError, OtherLengthsError, OutputError, ShapeError, UnsupportedError
from zygopy.transform import Task, build, ops
from zygopy.transform.affine import Affine
from zygopy.transform.arguments import Lengths, Named
from zygopy.transform.build import integer
from zygopy.transform.ir import Check, Const, For, If, Leaves, Let, Substitution, Value, Var, leaves, replace, within
from zygopy.transform.memory import stored_parameters
from zygopy.transform.reading import arrays, calls, lists, outside
from zygopy.transform.reading.lifted import Lifted, signature_of, snapshot
from zygopy.transform.reading.parse import parameter_names, read
from zygopy.transform.reading.specialise import bind
from zygopy.transform.reading.values import JoinedItems, LinearAt, Static, View, describe, is_number
from zygopy.transform.records import Known, Record, alike, keys_of, place, rebuilt, static_fields
from zygopy.transform.types import Array


def call_program(s, callee: object, task: Task, args: list, kwargs: dict, moves: tuple = ()) -> object:
    """The value of an operator applied to a function and called with interpreter values; `moves`: tangents or seeds."""
    is_known = isinstance(callee, Static) and (hasattr(callee.value, "__code__") or isinstance(callee.value, Lifted))
    function = callee.value if is_known else Lifted(s, callee)
    if task.kind == "primal":
        return calls.call(s, callee, args, kwargs)
    names = parameter_names(function)
    if "out" in kwargs and "out" not in names:
        raise UnsupportedError("out= inside a differentiated function is not supported", s.loc, help="leave it out")
    defaults = function.defaults if isinstance(function, Lifted) else s.defaults_of(function)
    bound = bind(read(function), args, kwargs, defaults, s.loc)
    values = [bound[n] for n in names]
    known = _numbers(s, dict(zip(names, values, strict=True)))

    def ask(op: ops.Op, a: Named, b: Named) -> bool:
        captured = function.captured if isinstance(function, Lifted) else []
        return _ask(s, known | _numbers(s, {at: value for _, at, value in captured}), op, a, b)

    lengths = Lengths((), ask=ask, numbers=s.captured_numbers)
    program = build(function, [type_of(s, v) for v in values], task, lengths)
    given = [_leaves(s, v) for v in values if not isinstance(v, Static)]
    given += [outside.array_of(s, scope.find(n)[1], (scope, n)).base for scope, n in program.captured]
    given += [_leaves(s, v) for _, _, v in function.captured] if isinstance(function, Lifted) else []
    given += [_leaves(s, v) for v in moves]
    mapping: dict[Var, Value] = {}
    for param, tree in zip(program.function.params, given, strict=True):
        mapping.update(zip(leaves(param.leaves), leaves(tree), strict=True))
    if task.kind in LINEAR:  # runs again on what the arguments held at first
        for array in stored_parameters(program.function):
            mapping[array] = arrays.copy(s, arrays.whole(s, mapping[array])).base
    copying = Substitution(mapping, define=lambda v: Var(v.name, v.type))
    for statement in program.function.body.statements:
        if isinstance(statement, Check) and statement.error is OtherLengthsError:
            continue  # of lengths for which `ask` has answered
        copy = copying.statement(statement)
        s.b.emit(replace(copy, mirror=None) if isinstance(copy, For | If) else copy)
        _register(s, copy)
    if program.function.callees and s.keeping is None:
        raise UnsupportedError(
            f"{function.__name__} calls itself",
            s.loc,
            "a gradient of such a function in the rule of a function is not supported",
            "write it as a loop",
        )
    if program.function.callees:
        s.keeping.others.update(program.function.callees)
    return _value(s, program.function.results, copying)


# -- directions ------------------------------------------------------------------------------------------------------

LINEAR = ("pull", "push")


def tangents_of(s, callee: object, task: Task, primals: tuple, tangents: tuple) -> object:
    """jvp: the value of a function and its change in a direction; None stands for an argument that does not move."""
    parsed, defaults = signature_of(s, callee)
    names = parameter_names(_Read(parsed))
    if parsed.args.vararg is not None or parsed.args.kwarg is not None:
        raise ArgumentError(
            f"jvp of {parsed.name}, which has *args or **kwargs, is not supported",
            s.loc,
            help="wrap it in a function that names its arguments: lambda x, y: ...",
        )
    if len(primals) != len(tangents):
        raise ArgumentError(f"{len(primals)} primals and {len(tangents)} tangents were given", s.loc)
    primals = tuple(_by_rows(s, p) for p in primals)
    pairs = list(zip(names, primals, tangents, strict=False))
    moving = tuple(name for name, _, dot in pairs if not isinstance(dot, Static))
    dots = tuple(_like(s, "tangent", name, p, dot) for name, p, dot in pairs if not isinstance(dot, Static))
    return call_program(s, callee, replace(task, wrt=moving), list(primals), {}, dots)


def linear_at(s, callee: object, kind: str, primals: tuple, has_aux: bool = False) -> tuple:
    """vjp ("pull") and linearize ("push"): the value, a linear map, with `has_aux` the rest of the result."""
    primals = tuple(_by_rows(s, p) for p in primals)
    parsed, defaults = signature_of(s, callee)
    bound = bind(parsed, list(primals), {}, defaults, s.loc)
    wrt = tuple(n for n in parameter_names(_Read(parsed)) if _moves(s, bound[n]))
    if not wrt:
        raise DtypeError(
            f"no argument of {parsed.name} holds a real or complex number that could be differentiated",
            s.loc,
            "ints count, as in jvp",
            "pass floats: 3.0 instead of 3",
        )
    before, at = snapshot(s, callee), snapshot(s, primals)
    value = calls.call(s, callee, list(primals), {})
    aux: tuple = ()
    if has_aux:
        found = s.opened(value)
        if not (isinstance(found, tuple) and len(found) == 2):
            raise OutputError(f"{parsed.name} must return a pair (value, aux), as has_aux=True says", parsed.loc)
        value, aux = found[0], (found[1],)
    task = Task(kind, wrt, has_aux=has_aux, single=False)
    return value, LinearAt(before, task, at, value if kind == "pull" else at), *aux


def apply_linear(s, linear: LinearAt, args: list) -> object:
    """The value of a linear map."""
    parsed, defaults = signature_of(s, linear.callee)
    names = [a.arg for a in (*parsed.args.posonlyargs, *parsed.args.args)][: len(linear.primals)]
    more = len(linear.primals) - len(names)
    if linear.task.kind == "pull":
        if len(args) != 1:
            raise ArgumentError(f"pullback of {parsed.name} takes 1 seed, {len(args)} given", s.loc)
        seeds = _inexact_leaves(s, linear.like, _like(s, "seed", "the result", linear.like, args[0]))
        bars = call_program(s, linear.callee, linear.task, list(linear.primals), {}, seeds)
        by_name = dict(zip(linear.task.wrt, bars, strict=True))
        rest = by_name.get(parsed.args.vararg.arg, (_NONE,) * more) if more else ()
        return (*(by_name.get(name, _NONE) for name in names), *rest)
    if len(args) != len(linear.primals):
        count = f"{len(linear.primals)} tangent{'s' * (len(linear.primals) != 1)}"
        raise ArgumentError(f"linear map of {parsed.name} takes {count}, {len(args)} given", s.loc)
    labels = names + [f"{parsed.args.vararg.arg}[{k}]" for k in range(more)]
    dots = tuple(
        _like(s, "tangent", label, p, dot) if _moves(s, p) else p
        for label, p, dot in zip(labels, linear.primals, args, strict=True)
    )
    bound = bind(parsed, list(dots), {}, defaults, s.loc)
    return call_program(
        s, linear.callee, linear.task, list(linear.primals), {}, tuple(bound[n] for n in linear.task.wrt)
    )


_NONE = Static(None)


class _Read:
    """What `parameter_names` reads."""

    def __init__(self, parsed: object):
        self.parsed = parsed


def _moves(s, value: object) -> bool:
    """Whether a value holds real or complex numbers."""
    if (members := s.members(value)) is not None:
        return any(_moves(s, member) for member in members)
    if isinstance(value, View):
        return value.element.is_inexact
    return is_number(value) and value.type.is_inexact


def _by_rows(s, value: object) -> object:
    """An array by columns as one by rows, for tangents to have the same memory order."""
    return arrays.copy(s, value) if isinstance(value, View) and value.base.type.layout == "F" else value


def _like(s, what: str, name: str, like: object, given: object) -> object:
    """A tangent or seed, which must have the structure, shape and dtype of what it belongs to."""
    if (members := s.members(like)) is not None:
        others = s.members(given)
        if others is None or not alike(members, others):
            raise ArgumentError(f"the {what} of {name} has another structure than {name}", s.loc)
        triples = zip(keys_of(members), members, others, strict=True)
        return s.made(rebuilt(members, [_like(s, what, place(name, members, key), m, o) for key, m, o in triples]))
    if isinstance(like, View):
        return _array_like(s, what, name, like, given) if like.element.is_inexact else like
    if not (is_number(like) and like.type.is_inexact):
        return like
    if not is_number(given):
        raise DtypeError(f"the {what} of {name} is {describe(given)}, not a number", s.loc)
    if given.type.is_complex and not like.type.is_complex:
        raise DtypeError(f"the {what} of {name} is a complex number, {name} is a real one", s.loc)
    return s.b.cast(given, like.type)


def _array_like(s, what: str, name: str, like: View, given: object) -> View:
    if not isinstance(given, View):
        raise DtypeError(f"the {what} of {name} is {describe(given)}, not an array", s.loc)
    if given.dtype != like.dtype or given.ndim != like.ndim:
        raise ShapeError(f"the {what} of {name} is {describe(given)}, {name} is {describe(like)}", s.loc)
    for axis, (n, m) in enumerate(zip(given.shape, like.shape, strict=True)):
        if not arrays.taken_as_equal(s, n, m):
            text = f"the {what} of {name} has another length than {name} along axis {axis}"
            s.check(s.b.apply(ops.EQ, n, m), ShapeError, text)
    return given if given.is_whole and given.base.type.layout == "C" else arrays.copy(s, given)


def _inexact_leaves(s, like: object, value: object) -> tuple:
    """The real and complex numbers and arrays of a structure."""
    if (members := s.members(like)) is not None:
        pairs = zip(members, s.members(value), strict=True)
        return tuple(leaf for m, v in pairs for leaf in _inexact_leaves(s, m, v))
    return (value,) if _moves(s, like) else ()


def _numbers(s, arguments: dict[str, object]) -> dict[tuple, Value]:
    """The numbers that are arguments or lengths of them, by name and axis, as the inner program calls them."""
    found: dict[tuple, Value] = {}
    for name, value in arguments.items():
        if (members := s.members(value)) is not None:
            pairs = zip(keys_of(members), members, strict=True)
            found |= _numbers(s, {place(name, members, key): item for key, item in pairs})
        elif isinstance(value, View):
            found |= {(name, axis): n for axis, n in enumerate(value.shape)}
        elif is_number(value):
            found[(name, None)] = value
    return found


def _ask(s, numbers: dict[tuple, Value], op: ops.Op, a: Named, b: Named) -> bool:
    """Whether a comparison of lengths of arguments holds, if need be by a test at the entry of the outer program."""
    forms = []
    for named in (a, b):
        form = Affine()
        for coefficient, key in named:
            if key is not None and key not in numbers:
                return False
            form += (Affine(1) if key is None else s.facts.affine(numbers[key])).scale(coefficient)
        forms.append(form)
    gap = forms[1] - forms[0]
    if gap == Affine() or (op is ops.LE and s.facts.never_negative(gap)):
        return True
    return s.guard(op, *forms)


def _register(s, statement) -> None:
    from zygopy.transform.ir import block_params, defined

    for inner in within(statement):
        if isinstance(inner, Let):
            s.facts.definitions[inner.var] = inner
        for var in (*defined(inner), *block_params(inner)):
            s.homes[var] = len(s.levels) - 1


def type_of(s, value: object) -> object:
    if lists.of(s, value) is not None or isinstance(value, JoinedItems):
        what = f"a derivative of a function of {lists.WHAT} is not supported"
        raise UnsupportedError(what, s.loc, help="make an array of it: np.array(...)")
    if (members := s.members(value)) is not None:
        return rebuilt(members, [known or type_of(s, v) for v, known in _with_known(s, members)])
    if is_number(value):
        return value.type
    if isinstance(value, View):
        type_ = value.base.type if value.is_whole else Array(value.dtype, value.ndim, "A")
        return replace(type_, ones=tuple(k for k, n in enumerate(value.shape) if n == integer(1)))
    return value


def _with_known(s, members: tuple) -> list[tuple[object, Static | None]]:
    """The members of an argument, with what each is known to be: bools of objects, and static fields."""
    is_object = isinstance(members, Record)
    static = static_fields(members.cls) if is_object else frozenset()
    found = []
    for key, value in zip(keys_of(members), members, strict=True):
        is_bool = is_object and isinstance(value, Const) and value.type.is_bool
        found.append((value, Static(_python(s, value)) if is_bool or key in static else None))
    return found


def _python(s, value: object) -> object:
    """The Python object that a value known at compile time stands for."""
    if isinstance(value, tuple):
        return tuple(_python(s, item) for item in value)
    return value.value if isinstance(value, Const | Static) else value


def _leaves(s, value: object) -> Leaves:
    if (members := s.members(value)) is not None:
        return rebuilt(members, [Known(k.value) if k else _leaves(s, v) for v, k in _with_known(s, members)])
    if isinstance(value, Static):
        return Known(value.value)
    return arrays.materialise(s, value) if isinstance(value, View) else value


def _value(s, tree: Leaves, copying: Substitution) -> object:
    if isinstance(tree, Known):
        return Static(tree.value)
    if isinstance(tree, tuple):
        return s.made(rebuilt(tree, [_value(s, item, copying) for item in tree]))
    value = copying.value(tree)
    if isinstance(value, Var) and isinstance(value.type, Array):
        if value not in s.facts.shapes:
            arrays.bind_shape(s, value)
        return arrays.whole(s, value)
    return value
