"""Calls of functions that have rules of their users: the value is the function's, the derivative the rule's.

y = f(x)        y0 = ...        the function's body, in place
                y = y0          a guided operation: of x, with the rule for its derivative

A rule is followed when something is differentiated: ordinary Python, specialised to the types that it meets there.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace

from zygopy.errors import ArgumentError, DtypeError, Loc, ShapeError, UnsupportedError
from zygopy.transform import arrays, elementwise, ops
from zygopy.transform.build import Builder, Traced
from zygopy.transform.build import constant as number
from zygopy.transform.ir import (
    Block,
    Const,
    For,
    Function,
    If,
    Leaves,
    Param,
    Statement,
    Substitution,
    Value,
    Var,
    leaves,
    map_leaves,
    param_vars,
    walk,
)
from zygopy.transform.memory import AliasClasses, stored_arrays
from zygopy.transform.parse import read
from zygopy.transform.signature import ArgumentType, Lengths, argument
from zygopy.transform.simplify import simplify
from zygopy.transform.specialise import Specialiser, bind
from zygopy.transform.user_rules import Rules
from zygopy.transform.values import Raises, Static, View, describe, is_number


def call(s: Specialiser, rules: Rules, args: list, kwargs: dict) -> object:
    """The value of a call of a function that has rules."""
    if rules.constant is not None:
        return s.freeze(s.follow(rules.function, args, kwargs))
    given = arguments(s, rules.function, args, kwargs)
    value = _value(s, rules.function, given, args, kwargs)
    return _elementwise(s, rules, given, value)


def arguments(s: Specialiser, function: Callable, args: list, kwargs: dict) -> list:
    """The arguments of a call in the order of the parameters, those behind a star one by one."""
    parsed = read(function)
    bound = bind(parsed, args, kwargs, s.defaults_of(function), s.loc)
    names = [a.arg for a in (*parsed.args.posonlyargs, *parsed.args.args)]
    rest = bound[parsed.args.vararg.arg] if parsed.args.vararg else ()
    return [*(bound[n] for n in names), *rest, *(bound[a.arg] for a in parsed.args.kwonlyargs)]


def _value(s: Specialiser, function: Callable, given: list, args: list, kwargs: dict) -> object:
    """What the function returns; it may not change its arguments, of which a rule knows nothing."""
    before = len(s.b.statements)
    value = s.follow(function, args, kwargs)
    body = Block(tuple(s.b.statements[before:]))
    aliases = AliasClasses(body)
    own = {aliases.of(view.base) for view in _views(tuple(given))}
    for statement in walk(body):
        if any(aliases.of(array) in own for array in stored_arrays(statement)):
            raise UnsupportedError(
                f"{function.__name__} has a rule and stores into its argument",
                statement.loc,
                "a rule speaks of the result only",
                "copy the argument first: x = x.copy()",
            )
    return value


def _views(value: object) -> list[View]:
    if isinstance(value, tuple):
        return [view for item in value for view in _views(item)]
    return [value] if isinstance(value, View) else []


# -- elementwise -----------------------------------------------------------------------------------------------------


def _elementwise(s: Specialiser, rules: Rules, given: list, value: object) -> object:
    name = rules.function.__name__
    for operand in given:
        if not (is_number(operand) or isinstance(operand, View)):
            raise DtypeError(
                f"{name} has an elementwise rule and is called with {describe(operand)}",
                s.loc,
                help="call it with numbers and arrays, or give it an adjoint and a tangent instead",
            )
    views = [operand for operand in given if isinstance(operand, View)]
    shape = arrays.broadcast_shape(s, [view.shape for view in views])
    if not (is_number(value) if not views else isinstance(value, View) and value.ndim == len(shape)):
        wanted = f"an array with {len(shape)} dimension{'s' * (len(shape) != 1)}" if views else "a number"
        raise ShapeError(
            f"{name} has an elementwise rule and returns {describe(value)}, where its arguments make {wanted}",
            s.loc,
            help=f"give {name} an adjoint and a tangent instead",
        )
    rule = _Partials(rules, s.captured_numbers)
    op = ops.Guided(f"{name}_{rules.number}", "{0}", partials=rule)

    def element(values: list[Value]) -> Value:
        return s.b.let(op, tuple(values), values[0].type) if values[0].type.is_inexact else values[0]

    return elementwise.combine(s, [value, *given], element, name)


@dataclass(frozen=True)
class _Partials:
    """The partial derivatives of one call."""

    rules: Rules
    numbers: list

    def __call__(self, ans: Traced, *args: Traced) -> tuple:
        rule, b = self.rules.elementwise, ans.builder
        given = [ans.value, *(a.value for a in args)]
        types = [v if isinstance(v, Const) else v.type for v in given]

        def partials(s: Specialiser, values: list, result: object) -> Leaves:
            found = _one_for_each(self.rules, rule, values[1:], result)
            for partial in found:
                if not (is_number(partial) or _is_none(partial)):
                    raise DtypeError(
                        f"the rule of {self.rules.function.__name__} returns {describe(partial)}",
                        _loc_of(rule),
                        help="a partial derivative is a number; an adjoint is an array",
                    )
            return tuple(number(0) if _is_none(partial) else partial for partial in found)

        function = specialised(rule, types, Lengths((), ask=lambda op, a, b: False, numbers=self.numbers), partials)
        found = splice(function, [v for v in given if isinstance(v, Var)], b)
        return tuple(partial.value if isinstance(partial, Const) else Traced(b, partial) for partial in leaves(found))


# -- rules -----------------------------------------------------------------------------------------------------------


def specialised(rule: Callable, types: list[ArgumentType | Const], lengths: Lengths, finish: Callable) -> Function:
    """A rule for arguments of the given types; `finish(s, values, result)` gives the tree of what it returns."""
    s = Specialiser(lengths)
    s.b.loc = _loc_of(rule)
    pairs = [(name, *argument(s, name, type_)) for name, type_ in zip(_names(rule, len(types)), types, strict=True)]
    values = [value for _, _, value in pairs]
    try:
        result = s.follow(rule, values, {})
    except Raises:
        result = Static(None)  # every path raises
    tree = finish(s, values, result)
    if s.captured_arrays:
        names = ", ".join(name for _, name in s.captured_arrays)
        raise UnsupportedError(
            f"the rule {rule.__name__} captures the array {names}",
            _loc_of(rule),
            "a rule reads the arguments of its function only",
            "make the array an argument of the function",
        )
    params = tuple(Param(name, tree) for name, tree, _ in pairs)
    return simplify(Function(rule.__name__, params, s.b.block(tuple(leaves(tree))), tree, _loc_of(rule)))


def _names(rule: Callable, count: int) -> list[str]:
    """Names for the arguments of a rule."""
    names = [p.name for p in inspect.signature(rule).parameters.values() if p.kind is not p.VAR_POSITIONAL]
    return [*names[:count], *(f"x{k}" for k in range(len(names), count))]


def splice(function: Function, given: list[Value], b: Builder) -> Leaves:
    """Copy a function's statements to where a builder is; what it returns for the given arguments."""
    copying = Substitution(dict(zip(param_vars(function), given, strict=True)), define=lambda v: Var(v.name, v.type))
    for statement in function.body.statements:
        b.emit(_without_mirror(copying.statement(statement)))
    return map_leaves(copying.value, function.results)


def _without_mirror(s: Statement) -> Statement:
    return replace(s, mirror=None) if isinstance(s, For | If) else s


def _one_for_each(rules: Rules, rule: Callable, args: list, result: object) -> tuple:
    """What a rule returns for each argument of its function; for one argument it may be bare."""
    is_bare = len(args) == 1 and (not isinstance(result, tuple) or isinstance(args[0], tuple) and len(result) != 1)
    found = (result,) if is_bare else result
    if not isinstance(found, tuple) or len(found) != len(args):
        raise ArgumentError(
            f"the rule of {rules.function.__name__}, which has {len(args)} argument{'s' * (len(args) != 1)}, "
            f"returns {describe(result)}",
            _loc_of(rule),
            help="return one for each argument, None for those without a gradient",
        )
    return found


def _is_none(value: object) -> bool:
    return isinstance(value, Static) and value.value is None


def _loc_of(rule: Callable) -> Loc:
    return read(rule).loc
