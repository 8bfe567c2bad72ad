"""Building IR from Python expressions: a builder collects statements, a `Traced` value writes them by operators.

Rules, the specialiser and the passes all make IR through this file, so types, casts and constant folding are decided
once.
"""

import operator
import warnings
from collections.abc import Callable

import numpy as np

from zygopy.errors import DtypeError, Loc, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.ir import Block, Const, If, Kernel, Let, Op, Statement, Store, Value, Var, new_key
from zygopy.transform.types import COMPLEX128, FLOAT64, INT, INT64, Array, Scalar, Type, of_constant, unify


class Builder:
    """A list of statements under construction, and the user's place that they belong to."""

    def __init__(self, loc: Loc):
        self.statements: list[Statement] = []
        self.loc = loc
        self.definitions: dict[Var, Let] = {}  # shared by the builders of one function
        self.homes: dict[Var, int] = {}  # the depth of the block that defines a variable
        self.depth = 0

    def emit(self, statement: Statement) -> None:
        self.statements.append(statement)

    def let(self, op: Op, args: tuple[Value, ...], type_: Type, name: str = "") -> Var:
        var = Var(name or "t", type_)
        let = Let(var, op, args, self.loc)
        self.definitions[var], self.homes[var] = let, self.depth
        self.emit(let)
        return var

    def block(self, yields: tuple[Value, ...] = ()) -> Block:
        return Block(tuple(self.statements), yields)

    # -- scalars ------------------------------------------------------------------------------------------------------

    def cast(self, value: Value, type_: Scalar) -> Value:
        """`value` as `type_`; nothing to do where only the weak bit differs."""
        if value.type == type_:
            return value
        if value.type.is_complex and not type_.is_complex:
            raise DtypeError(f"a complex number cannot become {type_.dtype}", self.loc, help="take z.real or abs(z)")
        if isinstance(value, Const):
            return constant(type_.dtype.type(value.value), type_)
        return self.let(ops.CAST, (value,), type_, value.name)

    def apply(self, op: Op, *args: Value, strong: bool = False, name: str = "") -> Value:
        """A scalar operation with NumPy 2's types; `strong` marks a result that NumPy, not Python, makes."""
        for arg in args:
            if not isinstance(arg.type, Scalar):
                raise DtypeError(f"{op.name} of an array of type {arg.type} is not supported", self.loc)
        if op not in ops.OF_COMPLEX and any(a.type.is_complex for a in args):
            raise _refused_of_complex(op, self.loc)
        operand, result = ops.typing(op, [a.type for a in args])
        if strong:
            result = Scalar(result.dtype)
        if all(isinstance(a, Const) for a in args) and (folded := _fold(op, args, result)) is not None:
            return folded
        if not self._promotes_alone(op, args, operand):
            args = tuple(self._as_operand(a, operand) for a in args)
        return self.let(op, args, result, name)

    @staticmethod
    def _promotes_alone(op: Op, args: tuple[Value, ...], operand: Scalar) -> bool:
        """Whether operands of different 64 bit kinds meet as Python and Numba promote them anyway."""
        dtypes = {a.type.dtype for a in args}
        mixed = dtypes in ({FLOAT64, INT64}, {COMPLEX128, FLOAT64}, {COMPLEX128, INT64})
        return len(args) == 2 and op in (ops.ADD, ops.SUB, ops.MUL, ops.DIV) and mixed

    def _as_operand(self, value: Value, type_: Scalar) -> Value:
        if value.type.dtype == type_.dtype:
            return value
        return self.cast(value, type_)

    def select(self, test: Value, a: Value, b: Value) -> Value:
        """`a` where `test` holds, else `b`; both are computed."""
        if isinstance(test, Const):
            return a if test.value else b
        type_ = unify(a.type, b.type)
        if type_ is None:
            raise DtypeError(f"cannot choose between {a.type} and {b.type}", self.loc)
        return self.let(ops.SELECT, (test, self.cast(a, type_), self.cast(b, type_)), type_)

    # -- integers -----------------------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        if isinstance(b, Const) and b.value == 0:
            return a
        if isinstance(a, Const) and a.value == 0:
            return b
        if isinstance(b, Const) and b.value < 0:
            return self.apply(ops.SUB, a, integer(-b.value))
        return self.apply(ops.ADD, a, b)

    def sub(self, a: Value, b: Value) -> Value:
        if isinstance(b, Const):
            return self.add(a, integer(-b.value))
        return integer(0) if a is b else self.apply(ops.SUB, a, b)

    def mul(self, a: Value, b: Value) -> Value:
        if isinstance(a, Const):
            a, b = b, a
        if isinstance(b, Const) and b.value in (0, 1):
            return a if b.value else integer(0)
        return self.apply(ops.MUL, a, b)

    # -- memory -------------------------------------------------------------------------------------------------------

    def load(self, array: Var, index: tuple[Value, ...], name: str = "") -> Var:
        assert isinstance(array.type, Array) and len(index) == array.type.ndim
        return self.let(ops.LOAD, (array, *index), array.type.element, name)

    def store(self, array: Var, index: tuple[Value, ...], value: Value, add: Op | None = None) -> None:
        assert isinstance(array.type, Array) and len(index) == array.type.ndim
        self.emit(Store(array, index, self._as_operand(value, array.type.element), add, self.loc))

    def kernel(self, op: Op, outs: tuple[Var, ...], args: tuple[Value, ...]) -> None:
        self.emit(Kernel(op, outs, args, self.loc))

    def dim(self, array: Var, axis: int) -> Value:
        """The length of an axis, asked for where it is not known to be 1."""
        return integer(1) if axis in array.type.ones else self.let(ops.DIM, (array, integer(axis)), INT, "n")

    def if_(self, test: Value, then: Block, orelse: Block, results: tuple[Var, ...]) -> None:
        self.emit(If(test, then, orelse, results, self.loc, new_key()))


def _refused_of_complex(op: Op, loc: Loc) -> DtypeError:
    if op in (ops.LT, ops.LE, ops.GT, ops.GE, ops.MAX, ops.MIN, ops.MAXIMUM, ops.MINIMUM):
        return DtypeError("complex numbers have no order", loc, help="compare abs(z), z.real or z.imag")
    return DtypeError(f"{op.name} of complex numbers is not supported", loc, help="compute with z.real and z.imag")


def integer(value: int) -> Const:
    return Const(value, INT)


def constant(value: object, type_: Scalar | None = None) -> Const:
    """A constant; weak ones are held as plain Python numbers."""
    type_ = type_ or of_constant(value)
    if type_.weak:
        value = value.item() if isinstance(value, np.generic) else value
    elif not isinstance(value, np.generic) or value.dtype != type_.dtype:
        value = type_.dtype.type(value)
    return Const(value, type_)


def zero(type_: Scalar) -> Const:
    return constant(type_.dtype.type(0), type_)


_FOLDABLE: dict[Op, Callable] = {
    **{op: f for f, op in ops.UNARY_OPERATORS.items()},
    **{op: f for f, op in ops.BINARY_OPERATORS.items()},
    **{op: f for f, op in ops.COMPARISONS.items()},
    ops.SUM: operator.add,
    ops.INT_MIN: min,
    ops.INT_MAX: max,
    ops.REAL: lambda z: z.real,
    ops.IMAG: lambda z: z.imag,
    ops.COMPLEX_OF: complex,
    ops.AND: lambda a, b: bool(a) and bool(b),
    ops.OR: lambda a, b: bool(a) or bool(b),
}


def _fold(op: Op, args: tuple[Const, ...], result: Scalar) -> Const | None:
    """The constant that an operation on constants gives; None where only run time may decide."""
    function = _FOLDABLE.get(op)
    if function is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = function(*(a.value for a in args))
    except (ArithmeticError, RuntimeWarning, ValueError, TypeError):
        return None
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return None
    if isinstance(value, complex) and not result.is_complex:
        return None
    return constant(value, result)


class Traced:
    """An IR scalar inside a rule or a composed function: operators and NumPy ufuncs write operations."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Builder, value: Value):
        self.builder, self.value = builder, value

    @property
    def dtype(self) -> np.dtype:
        return self.value.type.dtype

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        if method != "__call__" or kwargs:
            return NotImplemented
        return call(self.builder, ufunc, inputs, strong=True)

    def __bool__(self):
        raise UnsupportedError("a traced value has no truth value at compile time", self.builder.loc)


def lift(x: object) -> Value:
    """The IR value of a traced value or a number."""
    return x.value if isinstance(x, Traced) else constant(x)


def call(builder: Builder, function: Callable, args: tuple, strong: bool = False) -> Traced:
    """Write a call of a scalar function or operator on traced values and numbers."""
    from zygopy.transform.functions import apply_function  # the table of functions is written with Traced

    return Traced(builder, apply_function(builder, function, [lift(a) for a in args], strong))


def where(test: Traced, a: object, b: object) -> Traced:
    """`a` where test holds, else `b`, for use in rules."""
    builder = test.builder
    a, b = lift(a), lift(b)
    if isinstance(a, Const) and a.type.weak and isinstance(b.type, Scalar):
        a = builder.cast(a, b.type)
    elif isinstance(b, Const) and b.type.weak:
        b = builder.cast(b, a.type)
    return Traced(builder, builder.select(test.value, a, b))


def _install_operators() -> None:
    def binary(function):
        def forward(self, other):
            return call(self.builder, function, (self, other))

        def reflected(self, other):
            return call(self.builder, function, (other, self))

        return forward, reflected

    for function in ops.BINARY_OPERATORS:
        name = function.__name__.strip("_")
        forward, reflected = binary(function)
        setattr(Traced, f"__{name}__", forward)
        setattr(Traced, f"__r{name}__", reflected)
    for function in ops.COMPARISONS:
        setattr(Traced, f"__{function.__name__}__", binary(function)[0])
    Traced.__neg__ = lambda self: call(self.builder, operator.neg, (self,))
    Traced.__abs__ = lambda self: call(self.builder, operator.abs, (self,))
    Traced.__hash__ = None


_install_operators()
