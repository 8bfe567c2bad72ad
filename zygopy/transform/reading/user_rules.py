"""The table of the rules that users declare for functions of their own, and what may not be declared."""

import inspect
import itertools
import types
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from weakref import WeakSet

from zygopy.errors import ArgumentError, Loc

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Rules:
    """The rules of one function; `number` tells its operations from those of functions of the same name.

    `forward` and `backward` are those of custom_vjp, which has `fixed` arguments without a derivative, by position.
    """

    function: Callable
    constant: Callable | None = None
    elementwise: Callable | None = None
    adjoint: Callable | None = None
    tangent: Callable | None = None
    forward: Callable | None = None
    backward: Callable | None = None
    fixed: tuple[int, ...] = ()
    number: int = field(default_factory=lambda: next(_numbers))

    def declared(self) -> dict[str, Callable]:
        """The rules that there are, by form."""
        forms = [f.name for f in fields(self) if f.name not in ("function", "fixed", "number")]
        return {form: rule for form in forms if (rule := getattr(self, form)) is not None}


_RULES: dict[Callable, Rules] = {}
_followed: WeakSet = WeakSet()  # functions of which there may be compiled code


def rules_of(function: Callable) -> Rules | None:
    """The rules of a Python function, if it has any."""
    return _RULES.get(function)


def follow(function: Callable) -> None:
    """Note that a function is compiled as it is now, with its rules or without."""
    _followed.add(function)


def declare(function: Callable, form: str, rule: Callable, arguments: int | None = None, **more) -> None:
    """Enter a rule for a user's function; `arguments` is how many it takes before those of the function.

    `more`: what else the rules are to know.

    Raises
    ------
    ArgumentError
        If the function cannot have a rule, has another one, or was compiled without it.
    """
    function = _python_function(function, form, rule)
    if arguments is not None:
        _check_parameters(function, form, rule, arguments)
    before = _RULES.get(function, Rules(function))
    others = before.declared()
    joins = any(form in pair and others.keys() <= pair for pair in _PAIRS)
    old = others.get(form)
    if others and not joins and old is None or old is not None and not _has_same_name(old, rule):
        known, place = next(iter(others)), _loc_of(next(iter(others.values())))
        raise ArgumentError(
            f"{function.__name__} has a rule already, of the form {known}",
            _loc_of(rule),
            f"it is declared at {place}" if known != "constant" else "",
            "keep one of them",
        )
    if old is not None and _is_same(old, rule):
        return
    if function in _followed and not (joins and others and old is None):
        raise ArgumentError(
            f"{function.__name__} was compiled before this rule was declared",
            _loc_of(rule),
            "compiled code does not change any more",
            "declare rules right behind the function; in a notebook, run the cell that defines the function again",
        )
    _RULES[function] = replace(before, **{form: rule}, **more)


_PAIRS = ({"adjoint", "tangent"}, {"forward", "backward"})


def _has_same_name(old: Callable, new: Callable) -> bool:
    return (old.__module__, old.__qualname__) == (new.__module__, new.__qualname__)


def _is_same(old: Callable, new: Callable) -> bool:
    """Whether a rule is one that was declared before, as when a notebook's cell runs again."""
    a, b = (getattr(f, "__code__", None) for f in (old, new))
    return a == b and (old is new or getattr(old, "__closure__", None) is None)


def _loc_of(rule: Callable) -> Loc | None:
    """Where a rule is declared."""
    code = getattr(rule, "__code__", None)
    return Loc(code.co_filename, code.co_firstlineno, 0, None, rule.__name__) if code is not None else None


def _python_function(function: Callable, form: str, rule: Callable) -> Callable:
    """The Python function to be followed, where `function` may have a rule."""
    name, loc = label(function), _loc_of(rule) if form != "constant" else None
    if _has_own_rule(function):
        raise ArgumentError(
            f"zygopy has a derivative of {name} already",
            loc,
            help=f"write a function that calls {name}, and declare the rule for that one",
        )
    if hasattr(type(function), "__zygopy_call__"):
        raise ArgumentError(
            f"{name} is made by zygopy", loc, help="declare the rule for the plain function, before it is compiled"
        )
    python = getattr(function, "py_func", function)
    module = (getattr(python, "__module__", None) or "").split(".")[0]
    if not isinstance(python, types.FunctionType) or module in ("numpy", "scipy", "math"):
        raise ArgumentError(
            f"{name} cannot have a rule",
            loc,
            "zygopy follows a function's Python source to compute its value, and this one has none that it can follow",
            "write the function in Python and NumPy, and declare the rule for that one",
        )
    return python


def label(function: Callable) -> str:
    """A function's name as a user writes it."""
    module = (getattr(function, "__module__", None) or "").replace("numpy", "np", 1)
    name = getattr(function, "__name__", None) or repr(function)
    is_own = isinstance(getattr(function, "py_func", function), types.FunctionType)
    return name if is_own or module in ("", "builtins") else f"{module}.{name}"


def _has_own_rule(function: Callable) -> bool:
    from zygopy.transform.functions import is_scalar_function
    from zygopy.transform.library import scipy_functions
    from zygopy.transform.reading import calls

    scipy_functions.declare()
    return is_scalar_function(function) or calls.handler_of(function) is not None


def _check_parameters(function: Callable, form: str, rule: Callable, arguments: int) -> None:
    """A rule takes what stands in `_TAKES`, and then the arguments of its function."""
    if not isinstance(rule, types.FunctionType):
        raise ArgumentError(f"the rule of {function.__name__} is not a Python function", help="write it with def")
    code = function.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    if code.co_flags & inspect.CO_VARARGS:
        return
    try:
        inspect.signature(rule).bind(*range(arguments + count))
    except TypeError:
        names = ", ".join([*_TAKES[form], *code.co_varnames[:count]])
        raise ArgumentError(
            f"the rule of {function.__name__} takes other arguments than it is given",
            _loc_of(rule),
            help=f"write def {rule.__name__}({names})",
        ) from None


_TAKES = {"elementwise": ("ans",), "adjoint": ("g", "ans"), "tangent": ("dots", "ans"), "forward": ()}
