"""The oracle: the user's own function, run by CPython on dual numbers.

The function, its helpers and what it captures are made again with other globals, in which `math`, `np`, `max`, `min`,
`float` know dual numbers (dual.py). The code that runs is the user's bytecode; nothing of the compiler takes part.

What it cannot see: Python floats that no argument takes part in follow Python's rules (1.0 / 0.0 raises), and a mistake
that CPython's execution and the compiler share, of which finite differences see the derivative's part.
"""

import builtins
import contextlib
import copy
import functools
import math
import types

import numpy as np

from tests import dual, dual_linalg
from tests.dual import Dual, FloatArray, primal

# -- what the user's names stand for ----------------------------------------------------------------------------------

_BY_NAME = (
    "exp exp2 expm1 log log2 log10 log1p sqrt cbrt square reciprocal sin cos tan arcsin arccos arctan sinh cosh tanh "
    "arcsinh arccosh arctanh degrees radians positive negative sinc sign absolute fabs maximum minimum fmax fmin hypot "
    "arctan2 copysign logaddexp logaddexp2 fmod heaviside float_power add subtract multiply divide power remainder "
    "floor_divide clip where ldexp"
)


def _replacements() -> dict:
    found = {getattr(np, name): getattr(dual, name) for name in _BY_NAME.split()}
    found |= {np.true_divide: dual.divide, np.mod: dual.remainder, np.deg2rad: dual.radians, np.rad2deg: dual.degrees}
    same = (
        "exp exp2 expm1 log2 log10 log1p sqrt cbrt sin cos tan sinh cosh tanh degrees radians fabs copysign fmod ldexp"
    )
    found |= {getattr(math, name): getattr(dual, name) for name in f"{same} erf erfc gamma lgamma dist".split()}
    found |= {getattr(math, f"a{n}"): getattr(dual, f"arc{n}") for n in "sin cos tan sinh cosh tanh".split()}
    found |= {math.atan2: dual.arctan2, math.pow: dual.power, math.log: dual.math_log, math.hypot: dual.math_hypot}
    steps = (np.floor, np.ceil, np.trunc, np.rint, math.floor, math.ceil, math.trunc, np.isnan, np.isinf, np.isfinite)
    steps += (math.isnan, math.isinf, math.isfinite, np.signbit)
    found |= {f: dual.step(f) for f in steps}
    found |= {max: dual.python_max, min: dual.python_min, print: lambda *args: None, float: Float}
    found |= {np.float64: Cast(np.float64), np.float32: Cast(np.float32)}
    found |= {np.zeros: _zeros, np.ones: _ones, np.empty: _empty, np.full: _full}
    found |= {np.zeros_like: _like(_zeros), np.ones_like: _like(_ones), np.empty_like: _like(_empty)}
    found |= {np.full_like: _full_like, np.copy: lambda a: a.copy(), np.array: _array}
    return found | dual_linalg.REPLACEMENTS


class Cast:
    """np.float64 and np.float32: a dtype where one is wanted, a conversion where called."""

    def __init__(self, type_):
        self.dtype = np.dtype(type_)

    def __call__(self, x=0.0):
        return dual.cast(x, self.dtype)


class _FloatType(type):
    def __instancecheck__(cls, x):
        return isinstance(x, Dual | float)


class Float(metaclass=_FloatType):
    """Python's float, which leaves duals alone."""

    dtype = np.dtype(float)

    def __new__(cls, x=0.0):
        return x if isinstance(x, Dual) else np.float64(x)


def _is_float(dtype) -> bool:
    return np.dtype(dtype).kind == "f"


def _zeros(shape, dtype=float):
    return _full(shape, 0, dtype)


def _ones(shape, dtype=float):
    return _full(shape, 1, dtype)


def _empty(shape, dtype=float):
    return FloatArray.empty(shape, dtype) if _is_float(dtype) else np.empty(shape, dtype)


def _full(shape, value, dtype=None):
    if dtype is None:
        dtype = np.asarray(primal(value)).dtype
    if not _is_float(dtype):
        return np.full(shape, primal(value), dtype)
    array = FloatArray.empty(shape, dtype)
    array[...] = value
    return array


def _like(make):
    return lambda a, dtype=None: make(a.shape, a.dtype if dtype is None else dtype)


def _full_like(a, value, dtype=None):
    return _full(a.shape, value, a.dtype if dtype is None else dtype)


def _array(values, dtype=None):
    if dtype is not None and not _is_float(dtype):
        return np.array(values, dtype)
    array = np.array(values, object)
    if dtype is None and all(isinstance(x, int | np.integer) for x in array.flat):
        return np.array(values)
    return FloatArray.of(array, float if dtype is None else dtype)


class Module:
    """A module whose members know dual numbers."""

    def __init__(self, module, rebuild):
        self._module, self._rebuild = module, rebuild

    def __getattr__(self, name):
        return self._rebuild(getattr(self._module, name))


REPLACED = _replacements()


class Rebuild:
    """Makes functions again over globals that know dual numbers, and each function once."""

    def __init__(self):
        self.memo = {}

    def __call__(self, obj):
        """What an object found in the user's surroundings becomes."""
        if getattr(obj, "__hash__", None) and not isinstance(obj, tuple) and obj in REPLACED:
            return REPLACED[obj]
        if isinstance(obj, types.FunctionType):
            return self.function(obj)
        if isinstance(obj, types.ModuleType):
            return Module(obj, self)
        if isinstance(obj, np.ndarray):
            return FloatArray.of(obj, obj.dtype) if obj.dtype.kind == "f" else obj
        if type(obj) is tuple:
            return tuple(self(item) for item in obj)
        if type(obj) is float:
            return np.float64(obj)
        if isinstance(obj, functools.partial):
            return functools.partial(
                self(obj.func), *map(self, obj.args), **{k: self(v) for k, v in obj.keywords.items()}
            )
        if isinstance(inner := getattr(obj, "py_func", None), types.FunctionType):
            return self.function(inner)
        if getattr(obj, "__name__", "") == "stop_gradient":
            return dual.stop_gradient
        return obj

    def function(self, f):
        if id(f) in self.memo:
            return self.memo[id(f)][1]
        namespace = {"__builtins__": self.builtins(), "__name__": f.__module__}
        made = types.FunctionType(f.__code__, namespace, f.__name__, None, self.cells(f))
        self.memo[id(f)] = f, made
        made.__defaults__ = None if f.__defaults__ is None else self(f.__defaults__)
        made.__kwdefaults__ = f.__kwdefaults__ and {k: self(v) for k, v in f.__kwdefaults__.items()}
        namespace |= {name: self(f.__globals__[name]) for name in _names(f.__code__) if name in f.__globals__}
        return made

    def cells(self, f):
        cells = []
        for cell in f.__closure__ or ():
            if id(cell) not in self.memo:
                self.memo[id(cell)] = cell, types.CellType()
                with contextlib.suppress(ValueError):  # not bound yet
                    self.memo[id(cell)][1].cell_contents = self(cell.cell_contents)
            cells.append(self.memo[id(cell)][1])
        return tuple(cells)

    def builtins(self) -> dict:
        known = {
            n: REPLACED.get(v, v) for n, v in vars(builtins).items() if getattr(v, "__hash__", None) and callable(v)
        }
        return vars(builtins) | known | {"__import__": self.import_}

    def import_(self, name, globals=None, locals=None, fromlist=(), level=0):
        return Module(builtins.__import__(name, globals, locals, fromlist, level), self)


def _names(code) -> set[str]:
    """The global names that a function and those inside it may read."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


# -- running it -------------------------------------------------------------------------------------------------------


def lift(arg, seeds=None, level=1):
    """An argument of the oracle's run; `seeds` has its structure, None (nan in arrays) where there is no tangent."""
    if isinstance(arg, tuple):
        return tuple(lift(a, None if seeds is None else seeds[k], level) for k, a in enumerate(arg))
    if isinstance(arg, np.ndarray):
        return _lift_array(arg, seeds, level)
    if seeds is not None:
        value = arg if isinstance(arg, np.floating | Dual) else np.float64(arg)
        return Dual(level, value, type(primal(value))(seeds))
    return np.float64(arg) if type(arg) is float else Rebuild()(arg) if callable(arg) and level == 1 else arg


def _lift_array(arg, seeds, level):
    if not isinstance(arg, FloatArray):
        if arg.dtype.kind != "f":
            return arg.copy()
        arg = FloatArray.of(arg, arg.dtype)
    array = arg.copy()
    if seeds is not None:
        for index in np.ndindex(arg.shape):
            if not np.isnan(seeds[index]):
                array[index] = Dual(level, arg[index], arg.kind.type(seeds[index]))
    return array


def tangent(x, level=1):
    """The tangent of a result, 0 where nothing reached it."""
    if isinstance(x, tuple):
        return tuple(tangent(item, level) for item in x)
    if isinstance(x, np.ndarray):
        return np.array([tangent(item, level) for item in x.flat]).reshape(x.shape)
    return x.tangent if isinstance(x, Dual) and x.level == level else np.float64(0.0)


def value(x):
    """A result without tangents."""
    if isinstance(x, tuple):
        return tuple(value(item) for item in x)
    if isinstance(x, FloatArray):
        return np.array([primal(item) for item in x.flat], x.kind).reshape(x.shape)
    return primal(x)


def run(f, args):
    """The rebuilt function's result, and the arguments as it left them."""
    with np.errstate(all="ignore"):
        return Rebuild()(f)(*args), args


def plain(f, args):
    """The function as it is, on copies: its result, and the arguments as it left them."""
    args = copy.deepcopy(args)
    with np.errstate(all="ignore"):
        return getattr(f, "py_func", f)(*args), args


def _units(arg):
    """The coordinates of an argument: seeds with a 1 at one place and nothing elsewhere."""
    if isinstance(arg, tuple):
        for k, item in enumerate(arg):
            for unit in _units(item):
                yield tuple(unit if j == k else None for j in range(len(arg)))
    elif isinstance(arg, np.ndarray):
        for index in np.ndindex(arg.shape):
            unit = np.full(arg.shape, np.nan)
            unit[index] = 1.0
            yield unit
    else:
        yield 1.0


def _gather(arg, numbers):
    """Numbers, one for each coordinate, in the structure of the argument."""
    if isinstance(arg, tuple):
        return tuple(_gather(item, numbers) for item in arg)
    if isinstance(arg, np.ndarray):
        return np.array([next(numbers) for _ in range(arg.size)]).reshape(arg.shape)
    return next(numbers)


def _each(argnums, one):
    return tuple(map(one, argnums)) if isinstance(argnums, tuple) else one(argnums)


def gradient(f, args, argnums=0, output=lambda result: result):
    """The gradient of output(f(*args)), one run for each coordinate of the arguments."""

    def one(n):
        def slope(unit):
            lifted = tuple(lift(a, unit if k == n else None) for k, a in enumerate(args))
            return tangent(output(run(f, lifted)[0]))

        return _gather(args[n], map(slope, _units(args[n])))

    return _each(argnums, one)


def directional(f, args, tangents):
    """Value and tangent of f along tangents (None for an argument that stands still)."""
    result, _ = run(f, tuple(map(lift, args, tangents)))
    return value(result), tangent(result)


def gradient_change(f, args, argnums, tangents):
    """The derivative of the gradient along tangents: Hessian times vector."""
    inner = tuple(map(lift, args, tangents))

    def one(n):
        def slope(unit):
            lifted = tuple(lift(a, unit if k == n else None, level=2) for k, a in enumerate(inner))
            return tangent(tangent(run(f, lifted)[0], level=2))

        return _gather(args[n], map(slope, _units(args[n])))

    return _each(argnums, one)


# -- finite differences -----------------------------------------------------------------------------------------------


def _moved(arg, unit, h):
    if isinstance(arg, tuple):
        return tuple(a if u is None else _moved(a, u, h) for a, u in zip(arg, unit, strict=True))
    return arg + h * np.nan_to_num(unit) if isinstance(arg, np.ndarray) else arg + h


def finite_differences(f, args, argnums=0, output=lambda result: result, h=1e-4):
    """The gradient by central differences of fourth order on the plain function."""

    def one(n):
        def slope(unit):
            def at(distance):
                moved = tuple(_moved(a, unit, distance) if k == n else a for k, a in enumerate(args))
                return output(plain(f, moved)[0])

            return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)

        return _gather(args[n], map(slope, _units(args[n])))

    return _each(argnums, one)
