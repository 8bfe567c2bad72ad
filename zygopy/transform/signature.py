"""Arguments: from the types of a call to the parameters of an IR function and the values they stand for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from zygopy.errors import DtypeError
from zygopy.transform import arrays
from zygopy.transform.build import constant
from zygopy.transform.ir import Block, Function, Leaves, Param, Value, Var, leaves
from zygopy.transform.parse import read
from zygopy.transform.specialise import Specialiser
from zygopy.transform.types import FLOAT, Array, Scalar, Type
from zygopy.transform.values import Raises, Static, View, describe, is_number

ArgumentType = Type | Static | tuple  # a leaf, an object known at compile time, or a tuple of such


@dataclass(frozen=True)
class Specialised:
    """A function specialised to argument types, and what of its surroundings went into it.

    `tree` is the result in the user's structure; `numbers` are captured numbers that hold only while they are
    unchanged, `captured` the arrays that are read at each call, as hidden parameters behind the others.
    """

    function: Function
    wrt: dict[str, Leaves]  # the leaves of each parameter
    captured: tuple[tuple, ...]
    numbers: tuple[tuple, ...]


def type_of_array(array: np.ndarray, name: str) -> Array:
    """The type of a NumPy array.

    Raises
    ------
    DtypeError
        For dtypes that cannot be computed with: object, str, float16, complex.
    """
    dtype = array.dtype
    if dtype.kind not in "fiub" or dtype == np.float16 or dtype.itemsize > 8 or not dtype.isnative:
        advice = "carry real and imaginary parts" if dtype.kind == "c" else "convert it: x.astype(float)"
        raise DtypeError(f"{name} is an array of {dtype}", help=advice)
    if not 1 <= array.ndim <= 8:
        raise DtypeError(f"{name} is an array with {array.ndim} dimensions", help="pass a number: x.item()")
    layout = "C" if array.flags.c_contiguous else "F" if array.flags.f_contiguous else "A"
    return Array(dtype, array.ndim, layout, array.flags.writeable)


def specialise(function: Callable, types: list[ArgumentType], promote: list[str] = ()) -> Specialised:
    """Specialise a Python function to argument types; the result's leaves are the body's yields.

    Integers among the parameters named in `promote` become floats.
    """
    s = Specialiser()
    parsed = read(function)
    names = [a.arg for a in [*parsed.args.posonlyargs, *parsed.args.args, *parsed.args.kwonlyargs]]
    s.b.loc = parsed.loc
    params, values, wrt = [], {}, {}
    for name, type_ in zip(names, types, strict=True):
        tree, values[name] = _argument(s, name, type_)
        wrt[name] = tree
        if name in promote:
            values[name] = _promoted(s, values[name])
            wrt[name] = _leaves_of(values[name])
        if not isinstance(type_, Static):
            params.append(Param(name, tree))
    keywords = {a.arg for a in parsed.args.kwonlyargs}
    args = [values[n] for n in names if n not in keywords]
    try:
        result = s.call_function(function, args, {n: values[n] for n in keywords})
    except Raises:
        result = constant(float("nan"))  # every path raises
    s.b.loc = parsed.loc
    tree = _result(s, result)
    body = Block((*s.entry.statements, *s.b.statements), tuple(leaves(tree)))
    hidden = [Param(f"{var.name}", var) for var in s.captured_arrays.values()]
    ir = Function(
        parsed.name.strip("<>") if parsed.name != "<lambda>" else "lambda_", (*params, *hidden), body, tree, parsed.loc
    )
    return Specialised(ir, wrt, tuple(s.captured_arrays), tuple(s.captured_numbers))


def _argument(s: Specialiser, name: str, type_: ArgumentType) -> tuple[Leaves, object]:
    if isinstance(type_, Static):
        return (), s.from_python(type_.value, None)
    if isinstance(type_, tuple):
        pairs = [_argument(s, f"{name}_{k}", item) for k, item in enumerate(type_)]
        return tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    var = Var(name, type_)
    s.parameters.add(var)
    if isinstance(type_, Array):
        arrays.bind_shape(s, var)
        return var, arrays.whole(s, var)
    return var, var


def _leaves_of(value: object) -> Leaves:
    """The leaves of a parameter's value."""
    if isinstance(value, tuple):
        return tuple(_leaves_of(item) for item in value)
    return value.base if isinstance(value, View) else value


def _promoted(s: Specialiser, value: object) -> object:
    """Ints of a parameter as floats."""
    if isinstance(value, tuple):
        return tuple(_promoted(s, item) for item in value)
    if isinstance(value, Var) and isinstance(value.type, Scalar) and not value.type.is_float:
        return s.b.cast(value, FLOAT)
    return value


def _result(s: Specialiser, value: object) -> Leaves:
    if is_number(value):
        return value
    if isinstance(value, tuple):
        return tuple(_result(s, item) for item in value)
    if isinstance(value, View):
        return arrays.materialise(s, value)
    if isinstance(value, Static) and value.value is None:
        return ()
    raise DtypeError(f"the function returns {describe(value)}", s.loc, help="return numbers, arrays or tuples of them")


__all__ = ["Scalar", "Specialised", "Value", "specialise", "type_of_array"]
