"""Derivatives inside functions: a call of a gradient becomes the gradient's IR, in place."""

from collections.abc import Callable
from dataclasses import replace

from zygopy.transform import Lengths, Task, arrays, build
from zygopy.transform.build import integer
from zygopy.transform.ir import For, If, Leaves, Let, Substitution, Value, Var, leaves, walk
from zygopy.transform.parse import read
from zygopy.transform.specialise import bind
from zygopy.transform.types import Array
from zygopy.transform.values import Scope, Static, View, is_number


def call_program(s, function: Callable, task: Task, args: list, kwargs: dict) -> object:
    """The value of an operator applied to `function` and called with interpreter values."""
    from zygopy.transform.parse import parameter_names

    names = parameter_names(function)
    defaults = dict(zip(names[::-1], (function.__defaults__ or ())[::-1], strict=False)) | (
        function.__kwdefaults__ or {}
    )
    defaults = {k: s.from_python(v, None) for k, v in defaults.items()}
    primals = args[: len(names)] if task.kind == "jvp" else args
    bound = bind(read(function), list(primals), kwargs, defaults, s.loc)
    if task.kind == "primal":
        return s.call_function(function, args, kwargs)
    values = [bound[n] for n in names]
    program = build(function, [_type(v) for v in values], task, Lengths((), None))
    s.captured_numbers += program.numbers
    given = [_leaves(s, v) for v in values if not isinstance(v, Static)]
    given += [s._captured_array(Scope(f).find(n)[1], (Scope(f), n)).base for f, n in program.captured]
    given += [_leaves(s, v) for v in args[len(names) :]] if task.kind == "jvp" else []
    mapping: dict[Var, Value] = {}
    for param, tree in zip(program.function.params, given, strict=True):
        mapping.update(zip(leaves(param.leaves), leaves(tree), strict=True))
    copying = Substitution(mapping, define=lambda v: Var(v.name, v.type))
    for statement in program.function.body.statements:
        copy = copying.statement(statement)
        s.b.emit(replace(copy, mirror=None) if isinstance(copy, For | If) else copy)
        _register(s, copy)
    return _value(s, program.function.results, copying)


def _register(s, statement) -> None:
    from zygopy.transform.ir import Block, block_params, defined

    for inner in walk(Block((statement,))):
        if isinstance(inner, Let):
            s.facts.definitions[inner.var] = inner
        for var in (*defined(inner), *block_params(inner)):
            s.homes[var] = len(s.levels) - 1


def _type(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_type(v) for v in value)
    if is_number(value):
        return value.type
    if isinstance(value, View):
        type_ = value.base.type if value.is_whole else Array(value.dtype, value.ndim, "A")
        return replace(type_, ones=tuple(k for k, n in enumerate(value.shape) if n == integer(1)))
    return value


def _leaves(s, value: object) -> Leaves:
    if isinstance(value, tuple):
        return tuple(_leaves(s, v) for v in value)
    return arrays.materialise(s, value) if isinstance(value, View) else value


def _value(s, tree: Leaves, copying: Substitution) -> object:
    if isinstance(tree, tuple):
        return tuple(_value(s, item, copying) for item in tree)
    value = copying.value(tree)
    if isinstance(value, Var) and isinstance(value.type, Array):
        if value not in s.facts.shapes:
            arrays.bind_shape(s, value)
        return arrays.whole(s, value)
    return value
