"""Dual numbers for CPython: a value with its tangent, nested for higher orders, and arrays that hold them.

Written from the formulas, with nothing taken from the compiler under test. A `Dual` of level k wraps numbers of lower
levels; a number without that level is a constant for it, so that an input without influence has no tangent at all (and
not a zero that would meet an infinity).
"""

import builtins
import functools
import math
import operator

import numpy as np
from scipy import special


class Dual:
    """value + tangent * epsilon, where epsilon squared is 0; comparisons look at the value only."""

    __slots__ = ("level", "tangent", "value")
    __array_ufunc__ = None  # NumPy numbers leave mixed operations to us
    __hash__ = None

    def __init__(self, level, value, tangent):
        self.level, self.value, self.tangent = level, value, tangent

    def __repr__(self):
        return f"Dual{self.level}({self.value!r}, {self.tangent!r})"

    def __bool__(self):
        return bool(primal(self) != 0)

    def __int__(self):
        return int(primal(self))

    __trunc__ = __int__

    def __floor__(self):
        return math.floor(primal(self))

    def __ceil__(self):
        return math.ceil(primal(self))

    def __round__(self, digits=None):
        return round(primal(self)) if digits is None else round(primal(self), digits)

    def __float__(self):
        raise TypeError("a dual number would lose its tangent here")

    def __index__(self):
        raise TypeError("a float cannot be an index")

    def __neg__(self):
        return Dual(self.level, -self.value, -self.tangent)

    def __pos__(self):
        return self

    def __abs__(self):
        return absolute(self)

    def item(self):
        return self

    @property
    def real(self):
        return self


def primal(x):
    """The plain number inside nested duals."""
    while isinstance(x, Dual):
        x = x.value
    return x


def _parts(x, level):
    """Value and tangent of x as seen at a level; None for no tangent."""
    return (x.value, x.tangent) if isinstance(x, Dual) and x.level == level else (x, None)


def differentiable(function, *partials):
    """A function of numbers extended to duals; each partial takes (result, *arguments) and gives a derivative."""

    @functools.wraps(function)
    def extended(*args):
        level = max((a.level for a in args if isinstance(a, Dual)), default=None)
        if level is None:
            return function(*args)
        values, tangents = zip(*(_parts(a, level) for a in args), strict=True)
        result = extended(*values)
        terms = [p(result, *values) * t for p, t in zip(partials, tangents, strict=True) if t is not None]
        return Dual(level, result, functools.reduce(operator.add, terms))

    return extended


def step(function):
    """A function of numbers with no derivative anywhere: its result is a constant."""

    @functools.wraps(function)
    def extended(*args):
        return function(*(primal(a) for a in args))

    return extended


# -- operators --------------------------------------------------------------------------------------------------------


def _numpy(x):
    """Python floats as NumPy's, so that 1.0 / 0.0 is inf."""
    return np.float64(x) if type(x) is float else x


def _divide(a, b):
    return np.true_divide(a, b) if not (isinstance(a, Dual) or isinstance(b, Dual)) else a / b


def _power(a, b):
    if isinstance(a, int) and isinstance(b, int):
        return a**b
    return np.power(_numpy(a), float(b) if isinstance(b, int) and b < 0 else b)


def _power_by_base(_, a, b):
    return b * power(a, b - 1) if _never_zero(b) else 0.0


def _never_zero(x):
    return isinstance(x, Dual) or x != 0


def _power_by_exponent(result, a, b):
    return 0.0 if primal(a) == 0 and primal(b) >= 0 else result * log(a)


add = differentiable(operator.add, lambda r, a, b: 1.0, lambda r, a, b: 1.0)
subtract = differentiable(operator.sub, lambda r, a, b: 1.0, lambda r, a, b: -1.0)
multiply = differentiable(operator.mul, lambda r, a, b: b, lambda r, a, b: a)
divide = differentiable(_divide, lambda r, a, b: divide(1.0, b), lambda r, a, b: divide(-r, b))
power = differentiable(_power, _power_by_base, _power_by_exponent)
remainder = differentiable(lambda a, b: _numpy(a) % _numpy(b), lambda r, a, b: 1.0, lambda r, a, b: -floor_divide(a, b))
floor_divide = step(lambda a, b: _numpy(a) // _numpy(b))


def _operator(function):
    def forward(self, other):
        return function(self, other) if is_number(other) else NotImplemented

    def backward(self, other):
        return function(other, self) if is_number(other) else NotImplemented

    return forward, backward


def is_number(x):
    return isinstance(x, Dual | bool | int | float | np.number | np.bool_)


for _name, _function in {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": divide,
    "pow": power,
    "mod": remainder,
    "floordiv": floor_divide,
    "divmod": lambda a, b: (floor_divide(a, b), remainder(a, b)),
}.items():
    _forward, _backward = _operator(_function)
    setattr(Dual, f"__{_name}__", _forward)
    setattr(Dual, f"__r{_name}__", _backward)


def _comparison(compare):
    return lambda self, other: bool(compare(primal(self), primal(other)))


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Dual, f"__{_name}__", _comparison(getattr(operator, _name)))


# -- functions of one number ------------------------------------------------------------------------------------------


def _ufunc(function):
    """A NumPy function of numbers, Python ints as floats."""
    return functools.wraps(function)(lambda *args: function(*(float(a) if type(a) is int else a for a in args)))


def _unary(function, partial):
    return differentiable(_ufunc(function), partial)


def _scipy(function):
    def of_float(x):
        kind = np.float32 if isinstance(x, np.float32) else np.float64
        return kind(function(np.float64(x)))

    return functools.wraps(function)(of_float)


def _polygamma(order):
    return differentiable(lambda x: special.polygamma(order, np.float64(x))[()], lambda r, x: _polygamma(order + 1)(x))


def _sinc_slope(r, x):
    t = np.pi * x
    return 0.0 if primal(x) == 0 else (cos(t) - r) / x


exp = _unary(np.exp, lambda r, x: r)
exp2 = _unary(np.exp2, lambda r, x: math.log(2) * r)
expm1 = _unary(np.expm1, lambda r, x: r + 1)
log = _unary(np.log, lambda r, x: 1 / x)
log2 = _unary(np.log2, lambda r, x: 1 / (x * math.log(2)))
log10 = _unary(np.log10, lambda r, x: 1 / (x * math.log(10)))
log1p = _unary(np.log1p, lambda r, x: 1 / (1 + x))
sqrt = _unary(np.sqrt, lambda r, x: divide(0.5, r))
cbrt = _unary(np.cbrt, lambda r, x: divide(1, 3 * r * r))
square = _unary(np.square, lambda r, x: 2 * x)
reciprocal = _unary(np.reciprocal, lambda r, x: -r * r)
sin = _unary(np.sin, lambda r, x: cos(x))
cos = _unary(np.cos, lambda r, x: -sin(x))
tan = _unary(np.tan, lambda r, x: 1 + r * r)
arcsin = _unary(np.arcsin, lambda r, x: divide(1, sqrt(1 - x * x)))
arccos = _unary(np.arccos, lambda r, x: divide(-1, sqrt(1 - x * x)))
arctan = _unary(np.arctan, lambda r, x: 1 / (1 + x * x))
sinh = _unary(np.sinh, lambda r, x: cosh(x))
cosh = _unary(np.cosh, lambda r, x: sinh(x))
tanh = _unary(np.tanh, lambda r, x: 1 - r * r)
arcsinh = _unary(np.arcsinh, lambda r, x: 1 / sqrt(1 + x * x))
arccosh = _unary(np.arccosh, lambda r, x: divide(1, sqrt(x * x - 1)))
arctanh = _unary(np.arctanh, lambda r, x: divide(1, 1 - x * x))
degrees = _unary(np.degrees, lambda r, x: 180 / math.pi)
radians = _unary(np.radians, lambda r, x: math.pi / 180)
positive = _unary(np.positive, lambda r, x: 1.0)
negative = _unary(np.negative, lambda r, x: -1.0)
sinc = _unary(np.sinc, _sinc_slope)
sign = step(np.sign)
absolute = differentiable(abs, lambda r, x: sign(x))
fabs = differentiable(np.fabs, lambda r, x: sign(x))
erf = differentiable(_scipy(special.erf), lambda r, x: 2 / math.sqrt(math.pi) * exp(-x * x))
erfc = differentiable(_scipy(special.erfc), lambda r, x: -2 / math.sqrt(math.pi) * exp(-x * x))
lgamma = differentiable(_scipy(special.gammaln), lambda r, x: _polygamma(0)(x))
gamma = differentiable(_scipy(special.gamma), lambda r, x: r * _polygamma(0)(x))


# -- functions of several numbers -------------------------------------------------------------------------------------


def _tie(a, b, first_wins):
    """The share of the first of two numbers in their maximum or minimum: half each at a tie."""
    a, b = primal(a), primal(b)
    return 0.5 if a == b else float(first_wins(a, b))


maximum = differentiable(np.maximum, lambda r, a, b: _tie(a, b, operator.gt), lambda r, a, b: _tie(b, a, operator.gt))
minimum = differentiable(np.minimum, lambda r, a, b: _tie(a, b, operator.lt), lambda r, a, b: _tie(b, a, operator.lt))
fmax = differentiable(np.fmax, lambda r, a, b: _tie(a, b, operator.gt), lambda r, a, b: _tie(b, a, operator.gt))
fmin = differentiable(np.fmin, lambda r, a, b: _tie(a, b, operator.lt), lambda r, a, b: _tie(b, a, operator.lt))


def _share(total, part):
    """part / total; 0 at the origin, as docs/semantics.md has it."""
    return divide(part, total) if primal(total) != 0 else 0.0


hypot = differentiable(_ufunc(np.hypot), lambda r, a, b: _share(r, a), lambda r, a, b: _share(r, b))
arctan2 = differentiable(
    _ufunc(np.arctan2), lambda r, y, x: divide(x, x * x + y * y), lambda r, y, x: divide(-y, x * x + y * y)
)
copysign = differentiable(_ufunc(np.copysign), lambda r, a, b: sign(a) * copysign(1.0, primal(b)), lambda r, a, b: 0.0)
logaddexp = differentiable(_ufunc(np.logaddexp), lambda r, a, b: exp(a - r), lambda r, a, b: exp(b - r))
logaddexp2 = differentiable(_ufunc(np.logaddexp2), lambda r, a, b: exp2(a - r), lambda r, a, b: exp2(b - r))
fmod = differentiable(_ufunc(np.fmod), lambda r, a, b: 1.0, lambda r, a, b: -np.trunc(primal(a) / primal(b)))
heaviside = step(np.heaviside)


def float_power(a, b):
    return power(a * 1.0, b * 1.0)


def python_max(*args):
    """Python's max of numbers; a tie shares the derivative."""
    return _extremum(builtins.max, maximum, args)


def python_min(*args):
    """Python's min of numbers; a tie shares the derivative."""
    return _extremum(builtins.min, minimum, args)


def _extremum(python, function, args):
    items = tuple(args[0]) if len(args) == 1 else args
    return functools.reduce(function, items) if any(isinstance(x, Dual) for x in items) else python(items)


def math_log(x, base=None):
    return log(x) if base is None else log(x) / log(base)


def math_hypot(*args):
    return sqrt(builtins.sum(a * a for a in args)) if len(args) != 2 else hypot(*args)


def clip(x, low, high):
    return minimum(maximum(x, low), high)


def where(test, a, b):
    return a if test else b


def dist(p, q):
    return math_hypot(*(a - b for a, b in zip(p, q, strict=True)))


def ldexp(x, i):
    return x * 2.0**i


def stop_gradient(x):
    """The value alone."""
    if isinstance(x, tuple):
        return tuple(stop_gradient(item) for item in x)
    if isinstance(x, FloatArray):
        result = FloatArray.empty(x.shape, x.kind)
        result[...] = _map(primal, x)
        return result
    return primal(x)


# -- arrays -----------------------------------------------------------------------------------------------------------


def _map(function, array):
    return np.frompyfunc(function, 1, 1)(np.asarray(array, object).view(np.ndarray))


def cast(x, dtype):
    """A number in a floating dtype, tangents too."""
    if isinstance(x, Dual):
        return Dual(x.level, cast(x.value, dtype), cast(x.tangent, dtype))
    return dtype.type(x)


class FloatArray(np.ndarray):
    """An array of duals and NumPy floats that rounds what is stored into it to its dtype, as a float array does."""

    kind = np.dtype(float)

    @classmethod
    def empty(cls, shape, dtype=None):
        array = np.full(shape, np.nan, object).view(cls)
        array.kind = np.dtype(float if dtype is None else dtype)
        return array

    @classmethod
    def of(cls, values, dtype):
        array = cls.empty(np.shape(values), dtype)
        array[...] = np.asarray(values)
        return array

    def __array_finalize__(self, source):
        self.kind = getattr(source, "kind", self.kind)

    @property
    def dtype(self):
        return self.kind

    def __setitem__(self, key, value):
        if is_number(value):
            super().__setitem__(key, cast(value, self.kind))
        else:
            super().__setitem__(key, _map(lambda x: cast(x, self.kind), value))

    def fill(self, value):
        self[...] = value

    def astype(self, dtype):
        return FloatArray.of(_map(lambda x: x, self), dtype)

    def _update(self, function, other):
        """Element by element; an operand that is an array is read before anything is stored."""
        self[...] = np.frompyfunc(function, 2, 1)(*(np.asarray(_boxed(x), object) for x in (self, other)))
        return self

    __iadd__ = functools.partialmethod(_update, operator.add)
    __isub__ = functools.partialmethod(_update, operator.sub)
    __imul__ = functools.partialmethod(_update, operator.mul)
    __itruediv__ = functools.partialmethod(_update, divide)


def _boxed(x):
    if not isinstance(x, Dual):
        return x.view(np.ndarray) if isinstance(x, np.ndarray) else x
    box = np.empty((), object)
    box[()] = x
    return box
