"""Calls of functions that have rules of their users: the value is the function's, the derivative the rule's.

y = f(x)        y0 = ...        the function's body, in place
                y = y0          a guided operation: of x, with the rule for its derivative

Rules are followed when something is differentiated: ordinary Python, specialised to the types that they meet there.
Those of arrays are in `ruled_kernels`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zygopy.errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import Traced
from zygopy.transform.build import constant as number
from zygopy.transform.ir import Block, Const, Leaves, Value, leaves, walk
from zygopy.transform.library import elementwise
from zygopy.transform.memory import reached, stored_arrays
from zygopy.transform.reading import arrays
from zygopy.transform.reading.parse import read
from zygopy.transform.reading.rule_bodies import is_none, loc_of, one_for_each, read_number, run
from zygopy.transform.reading.specialise import Specialiser, bind
from zygopy.transform.reading.user_rules import Rules
from zygopy.transform.reading.values import View, describe, is_number


def call(s: Specialiser, rules: Rules, args: list, kwargs: dict) -> object:
    """The value of a call of a function that has rules."""
    from zygopy.transform.reading.ruled_kernels import Call

    if rules.constant is not None:
        return s.freeze(s.follow(rules.function, args, kwargs))
    given = arguments(s, rules.function, args, kwargs)
    if rules.forward is not None and rules.function not in s.forwarding:
        value, kept = forward(s, rules, given)
        return Call(s, rules, given, value, kept).tied()
    value = value_of(s, rules.function, given, lambda: s.follow(rules.function, args, kwargs))
    if rules.elementwise is not None:
        return _elementwise(s, rules, given, value)
    return Call(s, rules, given, value).tied()


def forward(s: Specialiser, rules: Rules, given: list) -> tuple[object, object]:
    """What the forward rule of a custom_vjp returns: the value, and what it keeps; it may call its own function."""
    assert rules.forward is not None
    s.forwarding.add(rules.function)
    found = s.opened(value_of(s, rules.forward, given, lambda: s.follow(rules.forward, given, {})))
    s.forwarding.discard(rules.function)
    if not isinstance(found, tuple) or len(found) != 2:
        raise ArgumentError(
            f"the forward rule of {rules.function.__name__} returns {describe(found)}",
            loc_of(rules.forward),
            help="return a pair: the value, and what the backward rule reads",
        )
    return found[0], found[1]


def arguments(s: Specialiser, function: Callable, args: list, kwargs: dict) -> list:
    """The arguments of a call in the order of the parameters, those behind a star one by one."""
    parsed = read(function)
    bound = bind(parsed, args, kwargs, s.defaults_of(function), s.loc)
    names = [a.arg for a in (*parsed.args.posonlyargs, *parsed.args.args)]
    rest = bound[parsed.args.vararg.arg] if parsed.args.vararg else ()
    return [*(bound[n] for n in names), *rest, *(bound[a.arg] for a in parsed.args.kwonlyargs)]


def value_of(
    s: Specialiser, function: Callable, given: list, follow: Callable[[], object], what: str = "has a rule"
) -> object:
    """What the function returns; it may not change its arguments, of which a rule knows nothing."""
    before = len(s.b.statements)
    value = follow()
    body = Block(tuple(s.b.statements[before:]))
    own = {view.base for view in views_of(tuple(given))}
    if not own & reached(body, [array for statement in walk(body) for array in stored_arrays(statement)]):
        return value
    for statement in walk(body):
        if own & reached(body, stored_arrays(statement)):
            raise UnsupportedError(
                f"{function.__name__} {what} and stores into its argument",
                statement.loc,
                "a rule speaks of the result only"
                if what == "has a rule"
                else "it has to be computed again from there",
                "copy the argument first: x = x.copy()",
            )
    return value


def views_of(value: object) -> list[View]:
    if isinstance(value, tuple):
        return [view for item in value for view in views_of(item)]
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
        given = tuple(read_number(value.value) for value in (ans, *args))

        def partials(s: Specialiser, values: list, result: object) -> Leaves:
            found = one_for_each(self.rules, rule, values[1:], result)
            for p in found:
                if not (is_number(p) or is_none(p)):
                    raise DtypeError(
                        f"the rule of {self.rules.function.__name__} returns {describe(p)}",
                        loc_of(rule),
                        help="a partial derivative is a number; an adjoint is an array",
                    )
            return tuple(number(0) if is_none(p) else p for p in found)

        found = run(rule, given, self.numbers, partials, b)
        return tuple(p.value if isinstance(p, Const) else Traced(b, p) for p in leaves(found))
