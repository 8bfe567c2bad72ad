"""Calls: what each callable becomes, user functions followed, builtins and NumPy's array constructors known by name."""

import copy
import dataclasses
import inspect
import math
import operator
import types
from collections.abc import Callable
from functools import cache, partial, reduce

import numpy as np

from zygopy.errors import ArgumentError, DtypeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.functions import COMPOSED, apply_function, is_scalar_function
from zygopy.transform.ir import Const, Print, Value
from zygopy.transform.library import elementwise
from zygopy.transform.reading import arrays, list_methods, lists, objects, outside
from zygopy.transform.reading.handlers import BUILTINS, METHODS, OF_OBJECTS, builtin, stop_gradient
from zygopy.transform.reading.iterators import refuse_kept, taken
from zygopy.transform.reading.memory_order import loosen
from zygopy.transform.reading.values import (
    Applied,
    Closure,
    Enumerate,
    JoinedItems,
    LinearAt,
    Mapped,
    Method,
    Object,
    Partial,
    Placed,
    Range,
    Reversed,
    Static,
    Template,
    View,
    Zip,
    describe,
    is_number,
)
from zygopy.transform.records import Record, is_record_class, rebuilt
from zygopy.transform.types import FLOAT, FLOAT64, INT, Scalar, is_supported

OF_OBJECTS |= {len, zip, enumerate, reversed, tuple, list, dict, isinstance, partial, callable, sum, any, all, type}
OF_OBJECTS |= {
    sorted,
    hasattr,
    getattr,
    setattr,
    object.__setattr__,
    super,
    dataclasses.replace,
    copy.copy,
    copy.deepcopy,
}


def call(s, callee: object, args: list, kwargs: dict, name: str = "") -> object:
    """The value of callee(*args, **kwargs)."""
    args, kwargs = [taken(s, callee, a) for a in args], {name: taken(s, callee, a) for name, a in kwargs.items()}
    match callee:
        case Partial():
            return call(s, callee.function, [*callee.args, *args], callee.kwargs | kwargs, name)
        case Closure():
            return s.call_closure(callee, args, kwargs)
        case Applied():
            from zygopy.transform.reading.nested import call_program

            return call_program(s, callee.callee, callee.task, args, kwargs)
        case LinearAt():
            from zygopy.transform.reading.nested import apply_linear

            return apply_linear(s, callee, args)
        case Mapped():
            from zygopy.transform.reading.mapping import call_mapped

            return call_mapped(s, callee.callee, callee.in_axes, callee.out_axes, args, kwargs)
        case Method():
            return _call_method(s, callee, args, kwargs)
        case Static():
            return _call_object(s, callee.value, args, kwargs, name)
        case Object() | Record():
            if (found := objects.method_of(s, callee, "__call__")) is not None:
                return call(s, found, args, kwargs, name)
    raise DtypeError(f"{describe(callee)} cannot be called", s.loc)


def _call_object(s, function: object, args: list, kwargs: dict, name: str) -> object:
    from zygopy.transform.library import scipy_functions

    scipy_functions.declare()
    if (handler := handler_of(function)) is not None:
        if function not in OF_OBJECTS:
            _refuse_lists(s, function, [*args, *kwargs.values()])
            args, kwargs = [s.opened(a) for a in args], {k: s.opened(v) for k, v in kwargs.items()}
        value = _bind_handler(s, function, handler, args, kwargs)
        loosen(s, value, [*args, *kwargs.values()], function)
        return value
    if is_scalar_function(function):
        if function in (min, max) and len(args) == 1 and (content := lists.of(s, args[0])) is not None:
            return handler_of(np.min if function is min else np.max)(s, lists.view_of(s, content), **kwargs)
        _refuse_lists(s, function, args)
        args = [s.opened(a) for a in args]
        return _scalar_call(s, function, args, kwargs)
    if (inline := getattr(type(function), "__zygopy_call__", None)) is not None:
        return inline(function, s, args, kwargs)
    if isinstance(function, types.FunctionType) and not _is_of_numpy(function):
        return s.call_function(function, args, kwargs)
    if isinstance(python := getattr(function, "py_func", None), types.FunctionType):  # a Numba dispatcher
        return s.call_function(python, args, kwargs)
    if isinstance(function, partial):
        bound = [outside.value_of(s, a, None) for a in function.args]
        named = {k: outside.value_of(s, v, None) for k, v in function.keywords.items()}
        return call(s, Static(function.func), bound + args, named | kwargs, name)
    if isinstance(getattr(function, "__self__", None), str):
        return _of_text(s, function, args, kwargs)
    if isinstance(function, types.MethodType):  # a class method, looked up on its class
        return call(s, Static(function.__func__), [outside.value_of(s, function.__self__, None), *args], kwargs, name)
    if isinstance(function, type) and is_record_class(function):
        return objects.construct(s, function, args, kwargs)
    if isinstance(function, type) and issubclass(function, np.generic):
        return cast(s, np.dtype(function), args)
    raise _unknown(s, function)


def _refuse_lists(s, function: Callable, given: list) -> None:
    """Refuse lists that stand in arrays, but for functions of NumPy and SciPy, which make arrays of them."""
    if any(lists.of(s, a) for a in given) and not (isinstance(function, np.ufunc) or _is_of_numpy(function)):
        raise UnsupportedError(
            f"{function.__name__} of {lists.WHAT} is not supported",
            s.loc,
            help="make an array of it: np.array(...)",
        )


def _of_text(s, function: Callable, args: list, kwargs: dict) -> object:
    """A method of a string, of arguments that are known at compile time."""
    given = [s.opened(a) for a in args]
    known = [a.value for a in given if isinstance(a, Static | Const)]
    if kwargs or len(known) < len(args) or any(isinstance(v, Template) for v in (*known, function.__self__)):
        raise UnsupportedError("a text that is known only at run time is not supported", s.loc)
    return outside.value_of(s, function(*known), None)


def _is_of_numpy(function: Callable) -> bool:
    """Whether NumPy or SciPy wrote a Python function; their sources are no programs to be followed."""
    return (getattr(function, "__module__", "") or "").split(".")[0] in ("numpy", "scipy")


def _unknown(s, function: object) -> UnsupportedError:
    module = getattr(function, "__module__", None) or ("scipy.special" if isinstance(function, np.ufunc) else "")
    public = [part for part in module.split(".") if not part.startswith("_") and part != "builtins"]
    label = ".".join([*public, getattr(function, "__name__", str(function))])
    if isinstance(owner := getattr(function, "__self__", None), np.ufunc):
        label = f"np.{owner.__name__}{label}"
    label = label.replace("numpy.", "np.") if module.startswith("numpy") else label
    return UnsupportedError(
        f"{label} is not supported",
        s.loc,
        "zygopy has no derivative for it",
        "write it as a Python function with loops",
    )


def handler_of(function: object) -> Callable | None:
    """What writes a call of a function of Python, NumPy or SciPy that zygopy knows."""
    try:
        return BUILTINS.get(function)
    except TypeError:
        return None


def _bind_handler(s, function: object, handler: Callable, args: list, kwargs: dict) -> object:
    """Call a handler; its parameters that are annotated as View get arrays."""
    from zygopy.transform.library.reductions import need_array

    try:
        args, kwargs = _where_the_handler_has_them(function, handler, args, kwargs)
        bound = inspect.signature(handler).bind(s, *args, **kwargs)
    except TypeError as error:
        label = getattr(function, "__name__", str(function))
        raise UnsupportedError(f"this call of {label} is not supported: {error}", s.loc) from None
    for name, parameter in bound.signature.parameters.items():
        if parameter.annotation is View and name in bound.arguments:
            bound.arguments[name] = need_array(s, bound.arguments[name])  # NumPy takes lists and numbers for arrays
    return handler(*bound.args, **bound.kwargs)


def _where_the_handler_has_them(function: object, handler: Callable, args: list, kwargs: dict) -> tuple[list, dict]:
    """The arguments of a call for a handler that has some of the function's parameters, the first ones by other names.

    np.nan_to_num(x, True, 0.0), where the handler has no `copy`: 0.0 goes by its name, and True, the default, nowhere.
    """
    theirs, own = _parameters(function), _parameters(handler)
    if theirs is None or own is None:
        return args, kwargs
    names, known = _positional(theirs), _positional(own)[1:]
    own = {name: p for k, (name, p) in enumerate(own.items()) if k}
    kwargs = {name: arg for name, arg in kwargs.items() if name in own or not _is_default(theirs.get(name), arg)}
    by_name = any(p.kind is p.VAR_KEYWORD for p in theirs.values())  # its parameters that are not listed
    differ = (
        k for k, (a, b) in enumerate(zip(names, known, strict=False)) if a != b and (b in theirs or k and by_name)
    )
    k = next(differ, len(known))
    named = dict(zip(names[k:], args[k:], strict=False))
    for name in list(named):
        if _is_default(theirs[name], named[name]):
            del named[name]
        elif name not in own or name in kwargs:
            raise TypeError(f"its argument {name}")
    if len(args) > max(len(names), k):
        raise TypeError("too many arguments")
    return args[:k], named | kwargs


Parameters = dict[str, inspect.Parameter]


@cache
def _parameters(function: object) -> Parameters | None:
    """The parameters of a function; None where they are not known, or of any number."""
    try:
        found = dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return None
    return None if any(p.kind is p.VAR_POSITIONAL for p in found.values()) else found


def _positional(parameters: Parameters) -> list[str]:
    return [p.name for p in parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def _is_default(parameter: inspect.Parameter | None, arg: object) -> bool:
    """Whether an argument is a constant that says what is so without it."""
    if parameter is None or not isinstance(arg, Static | Const):
        return False
    default = parameter.default
    return type(arg.value) is type(default) and arg.value == default


def _scalar_call(s, function: Callable, args: list, kwargs: dict) -> object:
    label = getattr(function, "__name__", str(function))
    if kwargs:
        args = _by_position(s, function, label, args, kwargs)
    if function in (min, max) and len(args) == 1 and isinstance(args[0], tuple):
        args = list(args[0])
    strong = isinstance(function, np.ufunc) or str(getattr(function, "__module__", "")).startswith("numpy")
    if any(isinstance(a, View) or (strong and isinstance(a, tuple)) for a in args):
        if function in (min, max) or getattr(function, "__module__", "") == "math":
            raise DtypeError(
                f"{label} needs numbers, not an array", s.loc, help=f"use the function of NumPy: np.{label}"
            )
        return elementwise.apply(s, function, args)
    for a in args:
        if not is_number(a):
            raise DtypeError(f"{label} needs numbers, not {describe(a)}", s.loc)
    if len(args) == 2:
        from zygopy.transform.reading.expressions import guard_integers

        guard_integers(s, function, *args)
    return apply_function(s.b, function, list(args), strong)


def _by_position(s, function: Callable, label: str, args: list, kwargs: dict) -> list:
    """The arguments of a function of numbers that is written in terms of other ones, in the order of its parameters."""
    body = COMPOSED.get(function)
    if body is None:
        raise UnsupportedError(f"{label} with keywords is not supported", s.loc, help="leave them out")
    try:
        bound = inspect.signature(body).bind(*args, **kwargs)
    except TypeError as error:
        raise UnsupportedError(f"this call of {label} is not supported: {error}", s.loc) from None
    bound.apply_defaults()
    return [constant(a) if isinstance(a, int | float) else a for a in bound.args]


def _call_method(s, bound: Method, args: list, kwargs: dict) -> object:
    owner, name = bound.owner, bound.name
    if isinstance(owner, Object | Record):
        return objects.call_method(s, owner, name, args, kwargs)
    if isinstance(owner, View) and name in METHODS:
        args, kwargs = [s.opened(a) for a in args], {k: s.opened(v) for k, v in kwargs.items()}
        value = _bind_handler(s, getattr(np.ndarray, name), METHODS[name], [owner, *args], kwargs)
        loosen(s, value, [owner, *args, *kwargs.values()], name)
        return value
    if is_number(owner) and name == "item" and not args:
        return owner
    if is_number(owner) and name in ("conjugate", "conj") and not args:
        return apply_function(s.b, np.conjugate, [owner], False)
    if is_number(owner) and name == "astype":
        return cast(s, dtype_of(s, args[0]), [owner])
    raise UnsupportedError(f"the method {name} of {describe(owner)} is not supported", s.loc, help="write a loop")


# -- Python ----------------------------------------------------------------------------------------------------------


def _int(s, value: object, what: str) -> Value:
    if not is_number(value) or not (value.type.is_integer or value.type.is_bool):
        raise DtypeError(f"{what} needs ints, not {describe(value)}", s.loc, help="convert it with int()")
    return s.b.cast(value, INT)


@builtin(range)
def range_(s, a, b=None, step=None):
    start, stop = (integer(0), a) if b is None else (a, b)
    step = integer(1) if step is None else _int(s, step, "range")
    if isinstance(step, Const) and step.value == 0:
        raise ArgumentError("range() arg 3 must not be zero", s.loc)
    if not isinstance(step, Const):
        s.check(s.b.apply(ops.NE, step, integer(0)), ValueError, "range() arg 3 must not be zero")
    return Range(_int(s, start, "range"), _int(s, stop, "range"), step)


@builtin(slice)
def slice_(s, *bounds):
    return slice(*(None if isinstance(b, Static) and b.value is None else b for b in bounds))


@builtin(len)
def length(s, value):
    match value:
        case tuple():
            return integer(len(value))
        case Object() if (content := lists.of(s, value)) is not None:
            return content.length
        case Object() if value.cls in (list, dict):
            return integer(len(s.content(value)))
        case Object() if (found := objects.method_of(s, value, "__len__")) is not None:
            return call(s, found, [], {})
        case View() if value.ndim:
            return value.spans[0].length
        case JoinedItems():
            return value.length
        case Range():
            from zygopy.transform.reading.iteration import trip_count

            return trip_count(s, value)
        case Static(str() as text):
            return integer(len(text))
    raise DtypeError(f"{describe(value)} has no len()", s.loc)


@builtin(zip)
def zip_(s, *items, strict=None):
    if strict is not None and items and strict != constant(False):
        lengths = [_count(s, item) for item in items]
        for k, n in enumerate(lengths[1:], start=2):
            equal = s.b.apply(ops.EQ, lengths[0], n)
            s.check(equal, ValueError, f"zip() argument {k} is of another length than argument 1")
    return Zip(items)


def _count(s, item: object) -> Value:
    """How many items an iterable has."""
    match item:
        case Enumerate() | Reversed():
            return _count(s, item.item)
        case Zip() if item.items:
            return reduce(partial(s.b.apply, ops.INT_MIN), [_count(s, i) for i in item.items])
    return length(s, item)


@builtin(enumerate)
def enumerate_(s, item, start=None):
    return Enumerate(item, integer(0) if start is None else start)


@builtin(reversed)
def reversed_(s, item):
    return tuple(item)[::-1] if isinstance(item, tuple) else Reversed(item)


@builtin(tuple)
def tuple_(s, items=()):
    from zygopy.transform.reading.expressions import items_of
    from zygopy.transform.reading.iteration import static_items

    found = static_items(s, items)
    return tuple(found) if found is not None else items_of(s, items)


@builtin(list)
def list_(s, items=()):
    if lists.is_of_run_time(s, items):
        made = objects.make_list(s, ())
        list_methods.extend(s, made, items)
        return made
    return objects.make_list(s, tuple_(s, items))


@builtin(dict)
def dict_(s, pairs=None, /, **more):
    return objects.make_dict(s, [*(objects.dict_pairs(s, pairs) if pairs is not None else ()), *more.items()])


@builtin(dataclasses.replace)
def replace_(s, value, /, **changes):
    return objects.replaced(s, value, changes)


@builtin(copy.copy)
def copy_(s, value):
    if (content := lists.of(s, value)) is not None:
        return lists.copied(s, content)
    return s.new_object(s.content(value)) if isinstance(value, Object) else deepcopy_(s, value)


@builtin(copy.deepcopy)
def deepcopy_(s, value):
    return _deep_copy(s, value, {})


def _deep_copy(s, value: object, known: dict) -> object:
    """A copy of all that can change; what was one thing in two places is one thing again."""
    if isinstance(value, Object | View):
        value = s.resolved(value) if isinstance(value, Object) else value
        others = [v for v in known if isinstance(v, Placed) and v != value]
        if isinstance(value, Placed) and any(v.pool == value.pool for v in others):
            raise UnsupportedError(
                f"a deepcopy of several {value.cls.__name__} objects here is not supported",
                s.loc,
                "only run time knows whether they are one object, which would be copied once",
                "copy them one by one",
            )
        if value not in known and isinstance(value, View):
            known[value] = arrays.copy(s, value)
        elif value not in known and (content := lists.of(s, value)) is not None:
            known[value] = lists.copied(s, content)
        elif value not in known:
            members = s.content(value)
            made = known[value] = s.new_object(members)
            s.change(made, rebuilt(members, [_deep_copy(s, item, known) for item in members]))
        return known[value]
    return rebuilt(value, [_deep_copy(s, v, known) for v in value]) if isinstance(value, tuple) else value


def _text(s, value: object) -> str:
    if isinstance(value, Static) and isinstance(value.value, str):
        return value.value
    raise UnsupportedError("the name of an attribute must be known at compile time", s.loc)


@builtin(hasattr)
def hasattr_(s, value, name):
    if isinstance(value, Static | Closure | Partial):
        return constant(hasattr(value.value if isinstance(value, Static) else hasattr_, _text(s, name)))
    if not isinstance(value, Object | Record):
        raise UnsupportedError(f"hasattr of {describe(value)} is not supported", s.loc)
    return constant(objects.has_attribute(s, value, _text(s, name)))


@builtin(getattr)
def getattr_(s, value, name, default=None):
    from zygopy.transform.reading.expressions import attribute_named

    text = _text(s, name)
    known = isinstance(value, Object | Record)
    if default is not None and not (objects.has_attribute(s, value, text) if known else True):
        return default
    return attribute_named(s, value, text)


@builtin(setattr)
def setattr_(s, obj, name, value):
    objects.assign_attribute(s, obj, _text(s, name), value)
    return Static(None)


@builtin(object.__setattr__)
def set_unguarded(s, obj, name, value):
    objects.assign_attribute(s, obj, _text(s, name), value, unguarded=True)
    return Static(None)


@builtin(super)
def super_(s):
    return objects.super_of(s)


@builtin(type)
def type_(s, value):
    return Static(_python_type(value))


@builtin(float)
def float_(s, value=None):
    if value is None:
        return constant(0.0)
    if isinstance(value, Static) and isinstance(value.value, str):
        return constant(float(value.value))
    return _weak_cast(s, value, FLOAT, "float")


@builtin(int)
def int_(s, value=None):
    return constant(0) if value is None else _weak_cast(s, value, INT, "int")


@builtin(bool)
def bool_(s, value=None):
    from zygopy.transform.reading.conditions import truth

    return constant(False) if value is None else truth(s, value)


def _weak_cast(s, value: object, type_: Scalar, what: str) -> Value:
    if not is_number(value):
        raise DtypeError(f"{what}() needs a number, not {describe(value)}", s.loc)
    if value.type.dtype == type_.dtype and not isinstance(value, Const):
        return value if value.type.weak else s.b.let(ops.CAST, (value,), type_)
    return s.b.cast(value, type_)


@builtin(print)
def print_(s, *args, sep=None, end=None, flush=None, file=None):
    if any(k is not None for k in (sep, end, file)):
        raise UnsupportedError("print with sep, end or file is not supported", s.loc, help="print(a, b)")
    parts: list[str | None] = []
    values: list[Value] = []
    for arg in args:
        if isinstance(arg, Static) and isinstance(arg.value, Template):
            raise UnsupportedError(
                "a formatted string of what only run time knows is not supported",
                s.loc,
                help="print the values themselves",
            )
        if isinstance(arg, Static) and isinstance(arg.value, str | type(None)):
            parts.append(str(arg.value))
        elif is_number(arg):
            parts.append(None)
            values.append(arg)
        else:
            raise UnsupportedError(
                f"printing {describe(arg)} is not supported", s.loc, help="print numbers and strings"
            )
    s.b.emit(Print(tuple(parts), tuple(values), s.loc))
    return Static(None)


@builtin(isinstance)
def isinstance_(s, value, kinds):
    wanted = [k.value for k in (kinds if isinstance(kinds, tuple) else (kinds,))]
    return constant(issubclass(_python_type(value), tuple(wanted)))


@builtin(partial)
def partial_(s, function, *args, **kwargs):
    refuse_kept(s, *args, *kwargs.values())
    return Partial(function, args, kwargs)


@builtin(callable)
def callable_(s, value):
    if isinstance(value, Object | Record):
        return constant(hasattr(value.cls, "__call__"))  # noqa: B004 (of its objects, not of the class)
    known = isinstance(value, Static) and callable(value.value)
    return constant(known or isinstance(value, Applied | Closure | LinearAt | Mapped | Method | Partial))


def _python_type(value: object) -> type:
    if is_number(value):
        dtype = value.type.dtype
        return {"c": complex, "f": float, "i": int, "b": bool}[dtype.kind] if value.type.weak else dtype.type
    if isinstance(value, View):
        return np.ndarray
    if isinstance(value, Object | Record | JoinedItems):
        return value.cls
    return type(value.value) if isinstance(value, Static) else type(value)


@builtin(divmod)
def divmod_(s, a, b):
    if isinstance(a, View) or isinstance(b, View):
        return divmod_of_arrays(s, a, b)
    from zygopy.transform.reading.expressions import number_operator

    return number_operator(s, operator.floordiv, a, b), number_operator(s, operator.mod, a, b)


@builtin(np.divmod)
def divmod_of_arrays(s, a, b):
    return tuple(call(s, Static(function), [a, b], {}) for function in (np.floor_divide, np.remainder))


def _refuse(function: Callable) -> None:
    @builtin(function)
    def refused(s, *args, **kwargs):
        label = function.__name__ if function.__module__ == "builtins" else f"{function.__module__}.{function.__name__}"
        raise UnsupportedError(f"{label} is not supported yet", s.loc, help="write a loop")


for _function in (math.fsum, filter, iter, next):
    _refuse(_function)


@builtin(stop_gradient)
def stop_gradient_(s, x):
    return s.freeze(x)


def dtype_of(s, value: object, default: np.dtype = FLOAT64) -> np.dtype:
    if value is None or (isinstance(value, Static) and value.value is None):
        return default
    if isinstance(value, Static):
        try:
            return np.dtype(value.value)
        except TypeError:
            pass
    raise DtypeError(f"{describe(value)} is not a dtype", s.loc)


def cast(s, dtype: np.dtype, args: list) -> Value:
    if not args:
        return constant(dtype.type(0))
    if len(args) != 1 or not is_number(args[0]):
        raise DtypeError(f"{dtype} needs one number", s.loc)
    if not is_supported(dtype):
        raise DtypeError(f"{dtype} is not supported", s.loc, help="use float64 or float32")
    value, type_ = args[0], Scalar(dtype)
    if isinstance(value, Const) or value.type.dtype != dtype:
        return s.b.cast(value, type_)
    return value if value.type == type_ else s.b.let(ops.CAST, (value,), type_)
