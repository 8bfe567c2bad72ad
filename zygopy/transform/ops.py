"""The operations of the IR: how each is written, and which types its operands and its result have."""

import math
import operator
from collections.abc import Callable, Sequence

import numpy as np

from zygopy.transform.ir import Effect, Op
from zygopy.transform.types import BOOL, BOOL_, INT, Scalar, inexact, promote

Typing = Callable[[Sequence[Scalar]], tuple[Scalar, Scalar]]  # operand types -> (what each is cast to, the result's)


def _arithmetic(types):
    common = promote(*types)
    if common.is_bool and common.weak:
        common = INT
    return common, common


def _floating(types):
    common = inexact(promote(*types))
    return common, common


def _comparison(types):
    return promote(*types), Scalar(BOOL_, weak=all(t.weak for t in types))


def _logical(types):
    return BOOL, BOOL


def _predicate(types):
    return inexact(promote(*types)), Scalar(BOOL_)


_TYPING: dict[Op, Typing] = {}


def _op(name: str, text: str, typing: Typing, precedence: int = 20, cheap: bool = True) -> Op:
    op = Op(name, text, precedence, cheap=cheap)
    _TYPING[op] = typing
    return op


def typing(op: Op, types: Sequence[Scalar]) -> tuple[Scalar, Scalar]:
    """What the operands of a scalar operation are cast to, and the type of its result."""
    return _TYPING[op](types)


# Memory. The text of LOAD, VIEW, ALLOC and DIM is written by `emit`, which knows the number of operands.
LOAD = Op("load", "", effect=Effect.READS)
DIM = Op("dim", "")  # args: array, axis (Const)
EMPTY = Op("empty", "", effect=Effect.ALLOCATES)  # args: the shape
ZEROS = Op("zeros", "", effect=Effect.ALLOCATES)
VIEW = Op("view", "")  # args: array, then (start, step, length) for each axis
OVERLAPS = Op("overlaps", "_overlap({0}, {1})")  # args: two arrays
NEW_STACK = Op("stack", "", effect=Effect.ALLOCATES)

# Scalars.
CAST = Op("cast", "")
SELECT = Op("select", "({1} if {0} else {2})")  # both sides are computed before
STOP = Op("stop_gradient", "{0}", 20)

OR = _op("or", "{0} or {1}", _logical, 3)
AND = _op("and", "{0} and {1}", _logical, 4)
NOT = _op("not", "not {0}", _logical, 5)
LT = _op("lt", "{0} < {1}", _comparison, 6)
LE = _op("le", "{0} <= {1}", _comparison, 6)
GT = _op("gt", "{0} > {1}", _comparison, 6)
GE = _op("ge", "{0} >= {1}", _comparison, 6)
EQ = _op("eq", "{0} == {1}", _comparison, 6)
NE = _op("ne", "{0} != {1}", _comparison, 6)
BIT_OR = _op("bit_or", "{0} | {1}", lambda t: (promote(*t), promote(*t)), 7)
BIT_XOR = _op("bit_xor", "{0} ^ {1}", lambda t: (promote(*t), promote(*t)), 8)
BIT_AND = _op("bit_and", "{0} & {1}", lambda t: (promote(*t), promote(*t)), 9)
SHIFT_LEFT = _op("shift_left", "{0} << {1}", _arithmetic, 10)
SHIFT_RIGHT = _op("shift_right", "{0} >> {1}", _arithmetic, 10)
INVERT = _op("invert", "~{0}", lambda t: (promote(*t), promote(*t)), 14)
ADD = _op("add", "{0} + {1}", _arithmetic, 12)
SUB = _op("sub", "{0} - {1}", _arithmetic, 12)
MUL = _op("mul", "{0} * {1}", _arithmetic, 13)
DIV = _op("div", "{0} / {1}", _floating, 13)
FLOORDIV = _op("floordiv", "{0} // {1}", _arithmetic, 13)
MOD = _op("mod", "{0} % {1}", _arithmetic, 13)
NEG = _op("neg", "-{0}", _arithmetic, 14)
POW = _op("pow", "{0} ** {1}", _arithmetic, 15, cheap=False)
INT_MIN = _op("int_min", "min({0}, {1})", _arithmetic)
INT_MAX = _op("int_max", "max({0}, {1})", _arithmetic)

UNARY_OPERATORS = {operator.neg: NEG, operator.not_: NOT, operator.invert: INVERT}
BINARY_OPERATORS = {
    operator.add: ADD,
    operator.sub: SUB,
    operator.mul: MUL,
    operator.truediv: DIV,
    operator.floordiv: FLOORDIV,
    operator.mod: MOD,
    operator.pow: POW,
    operator.lshift: SHIFT_LEFT,
    operator.rshift: SHIFT_RIGHT,
    operator.and_: BIT_AND,
    operator.or_: BIT_OR,
    operator.xor: BIT_XOR,
}
COMPARISONS = {
    operator.lt: LT,
    operator.le: LE,
    operator.gt: GT,
    operator.ge: GE,
    operator.eq: EQ,
    operator.ne: NE,
}

FUNCTIONS: dict[Callable, Op] = {}  # NumPy and math functions of scalars that are one operation


def _function(*spellings: Callable, text: str, typing: Typing = _floating, cheap: bool = False) -> Op:
    op = _op(spellings[0].__name__, text, typing, cheap=cheap)
    FUNCTIONS.update(dict.fromkeys(spellings, op))
    return op


ABS = _function(np.absolute, np.fabs, math.fabs, abs, operator.abs, text="abs({0})", typing=_arithmetic, cheap=True)
SQRT = _function(np.sqrt, math.sqrt, text="np.sqrt({0})", cheap=True)
EXP = _function(np.exp, math.exp, text="np.exp({0})")
LOG = _function(np.log, text="np.log({0})")
SIN = _function(np.sin, math.sin, text="np.sin({0})")
COS = _function(np.cos, math.cos, text="np.cos({0})")
