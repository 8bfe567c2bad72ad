"""Derivatives inside functions: a call of a gradient becomes the gradient's IR, in place."""

from collections.abc import Callable
from functools import partial

from zygopy.errors import OtherLengthsError, UnsupportedError
from zygopy.transform import Task, arrays, build, ops
from zygopy.transform.affine import Affine
from zygopy.transform.arguments import Lengths, Named
from zygopy.transform.build import integer
from zygopy.transform.ir import Check, Const, For, If, Leaves, Let, Substitution, Value, Var, leaves, replace, within
from zygopy.transform.parse import read
from zygopy.transform.records import Known, Record, keys_of, place, rebuilt, static_fields
from zygopy.transform.specialise import bind
from zygopy.transform.types import Array
from zygopy.transform.values import Listed, Static, View, is_number


def call_program(s, function: Callable, task: Task, args: list, kwargs: dict) -> object:
    """The value of an operator applied to `function` and called with interpreter values."""
    from zygopy.transform.parse import parameter_names

    names = parameter_names(function)
    if "out" in kwargs and "out" not in names:
        raise UnsupportedError("out= inside a differentiated function is not supported", s.loc, help="leave it out")
    defaults = dict(zip(names[::-1], (function.__defaults__ or ())[::-1], strict=False)) | (
        function.__kwdefaults__ or {}
    )
    defaults = {k: s.from_python(v, None) for k, v in defaults.items()}
    has_more = task.kind in ("jvp", "pullback")
    primals = args[: len(names)] if has_more else args
    bound = bind(read(function), list(primals), kwargs, defaults, s.loc)
    if task.kind == "primal":
        return s.call_function(function, args, kwargs)
    values = [bound[n] for n in names]
    ask = partial(_ask, s, _numbers(s, dict(zip(names, values, strict=True))))
    lengths = Lengths((), ask=ask, numbers=s.captured_numbers)
    program = build(function, [_type(s, v) for v in values], task, lengths)
    given = [_leaves(s, v) for v in values if not isinstance(v, Static)]
    given += [s._captured_array(scope.find(n)[1], (scope, n)).base for scope, n in program.captured]
    given += [_leaves(s, v) for v in args[len(names) :]] if has_more else []
    mapping: dict[Var, Value] = {}
    for param, tree in zip(program.function.params, given, strict=True):
        mapping.update(zip(leaves(param.leaves), leaves(tree), strict=True))
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


def _type(s, value: object) -> object:
    if isinstance(value, Listed):
        what = "a derivative of a function of a list of a length that only run time knows is not supported"
        raise UnsupportedError(what, s.loc, help="make an array of it: np.array(...)")
    if (members := s.members(value)) is not None:
        return rebuilt(members, [known or _type(s, v) for v, known in _with_known(s, members)])
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
