"""Hooks: the identity, whose adjoint a function of the user changes or looks at on its way back."""

from zygopy.transform.reading import calls, user_rules
from zygopy.transform.reading.lifted import Lifted, Moving, signature_of
from zygopy.transform.reading.rule_bodies import Inner
from zygopy.transform.reading.ruled_kernels import Call
from zygopy.transform.reading.specialise import Specialiser


def hooked(s, f: object, x: object) -> object:
    """x, with f(x_bar) as its adjoint; what f captures is what it is now."""
    f = Moving(s, s, lambda name, value: value).value(f, "f")
    parsed, _ = signature_of(s, f)
    looking = Lifted(s, f)
    looking.enter(Specialiser())  # finds what f captures
    captured = [value for _, _, value in looking.captured]

    def call(inner: Specialiser, values: list) -> object:
        kept, g = values
        known = dict(zip(captured, kept, strict=True))
        return calls.call(inner, Moving(s, inner, lambda name, value: known[value]).value(f, "f"), [g], {})

    def hook(x):
        return x

    rules = user_rules.Rules(hook, backward=Inner(parsed, call))
    return Call(s, rules, [x], x, tuple(captured)).tied()
