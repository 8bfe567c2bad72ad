"""The operations of the IR: how each is written, and which types its operands and its result have."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from zygopy.transform.ir import Const, Effect, Let, Op
from zygopy.transform.types import BOOL, BOOL_, COMPLEX, FLOAT64, INT, INT8, Scalar, inexact, promote, real

Typing = Callable[[Sequence[Scalar]], tuple[Scalar, Scalar]]  # operand types -> (what each is cast to, the result's)


def _arithmetic(types):
    common = promote(*types)
    if common.is_bool and common.weak:
        common = INT
    return common, common


def _floating(types):
    common = inexact(promote(*types))
    return common, common


def _division(types):
    """NumPy divides small integers in float64, where its other functions of them are float32 or less."""
    common = promote(*types)
    common = common if common.is_inexact else Scalar(FLOAT64, weak=common.weak)
    return common, common


def _of_bools_as_int8(types):
    """NumPy's operations that have no form for bools compute with int8."""
    common = promote(*types)
    if common.is_bool:
        common = INT if common.weak else Scalar(INT8)
    return common, common


def _comparison(types):
    return promote(*types), Scalar(BOOL_, weak=all(t.weak for t in types))


def _logical(types):
    return BOOL, BOOL


def _predicate(types):
    return inexact(promote(*types)), Scalar(BOOL_, weak=all(t.weak for t in types))


def _part(types):
    common = promote(*types, COMPLEX)
    return common, real(common)


def _of_parts(types):
    parts = inexact(promote(*types))
    return parts, promote(parts, COMPLEX)


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
SCRATCH = Op("scratch", "", effect=Effect.ALLOCATES)  # empty memory of ours that never leaves the function
ZEROS = Op("zeros", "", effect=Effect.ALLOCATES)
VIEW = Op("view", "")  # args: array, then (start, step, length) for each axis; length -1 where the axis is fixed
TRANSPOSE = Op("transpose", "")  # args: array, then for each new axis the number of the old one, -1 for a new one
RESHAPE = Op("reshape", "")  # args: a contiguous array, then the shape
VIEWS = (VIEW, TRANSPOSE, RESHAPE)  # other arrays on the memory of their first argument
OVERLAPS = Op("overlaps", "overlap(extent({0}), extent({1}))")  # args: two arrays
FIRST_OVERLAP = Op(
    "first_overlap", ""
)  # args: how many are asked for, arrays: the first that overlaps another one, or -1
NEW_LIST = Op("list", "", effect=Effect.ALLOCATES)  # args: the shape; an array whose first axis may become longer
CAPACITY = Op("capacity", "{0}.shape[0]", effect=Effect.READS)  # args: a list; how long its first axis is by now
NEW_STACK = Op("stack", "", effect=Effect.ALLOCATES)
STACK_ROWS = Op("stack_rows", "{0}", effect=Effect.READS)  # a growing tape as the array that holds its rows
STACK_TOP = Op("stack_top", "{0}_top", effect=Effect.READS)  # the number of its rows
STACK_OF = Op("stack_of", "", effect=Effect.READS)  # args: such an array and number; a tape to be popped
NEW_ARENA = Op("arena", "[]", effect=Effect.ALLOCATES)

# Library routines on whole arrays. Their texts name the outs and then the args; each is a function of the backends.
KERNELS: list[Op] = []


def _kernel(name: str, count: int) -> Op:
    op = Op(name, f"{name}({', '.join(f'{{{k}}}' for k in range(count))})")
    KERNELS.append(op)
    return op


MATMUL = _kernel("matmul", 3)  # out = a @ b
ADD_MATMUL = _kernel("add_matmul", 3)  # out += a @ b
SUB_MATMUL = _kernel("sub_matmul", 3)  # out -= a @ b
# The factors of a matrix a, which only kernels read: to derivatives, `lu` *is* a, since it stands for that matrix.
FACTOR = _kernel("lu_factor", 3)  # lu, pivots; a
SOLVE = _kernel("lu_solve", 4)  # x = a^-1 b; lu, pivots, b
SOLVE_TRANSPOSED = _kernel("lu_solve_transposed", 4)  # x = a^-T b; lu, pivots, b
DETERMINANT = _kernel("lu_determinant", 3)  # d[0] = det(a); lu, pivots
LOG_DETERMINANT = _kernel("lu_log_determinant", 4)  # sign[0], log[0] of |det(a)|; lu, pivots
# Triangular matrices: what is above the diagonal of l is not read.
CHOLESKY = _kernel("cholesky", 2)  # l, with l @ l.T = a; the lower triangle of a is read; nan where it does not exist
ADD_CHOLESKY_ADJOINT = _kernel("add_cholesky_adjoint", 3)  # a_bar += its adjoint; l, l_bar: lower triangles
SOLVE_LOWER = _kernel("solve_lower", 3)  # x = l^-1 b; l, b
SOLVE_LOWER_TRANSPOSED = _kernel("solve_lower_transposed", 3)  # x = l^-T b; l, b
EIGH = _kernel("eigh", 3)  # w, v; a: eigenvalues going up, a @ v = v * w; the lower triangle of a is read
SVD = _kernel("svd", 4)  # u, s, vt; a = (u * s) @ vt, of min(m, n) singular values; both: nan where none are found
QR = _kernel("qr", 3)  # q, r; a = q @ r, of at least as many rows as columns; r is zero below the diagonal
ARGSORT = _kernel("argsort", 2)  # order; x: the indices that sort a vector
FOURIER = _kernel("fourier", 2)  # out; x: the discrete Fourier transform of a vector of complex numbers
FOURIER_BACK = _kernel("fourier_back", 2)  # the same with exp(+2 pi i j k / n), and not divided by n
ROOM = _kernel("room", 2)  # gives a list room for item n; nothing that it holds changes
ADDING = (ADD_MATMUL, SUB_MATMUL, ADD_CHOLESKY_ADJOINT, ROOM)  # kernels that keep what is in their outs

# Scalars.
CAST = Op("cast", "")
SELECT = Op("select", "({1} if {0} else {2})")  # both sides are computed before


@dataclass(frozen=True)
class Guided(Op):
    """The value of the first operand, with derivatives of its own: partials(ans, *others), of the other operands."""

    partials: Callable[..., tuple] = field(default=lambda ans: (), compare=False)


@dataclass(frozen=True)
class Tied(Op):
    """A kernel whose outs have the values of as many args, with derivatives of their own, of the args behind these.

    `adjoint` and `tangent` are rules as those of other kernels. `once`: what the adjoint has written is differentiated
    as it stands, and the values then have the derivatives of the args that they are.
    """

    adjoint: Callable = field(default=lambda k, *arrays: None, compare=False)
    tangent: Callable = field(default=lambda k, *arrays: None, compare=False)
    once: bool = field(default=False, compare=False)


AGAIN = Op("again", "{0}")  # a number from which a call is computed again, so that nothing of the first time is kept
STOP = Guided("stop_gradient", "{0}")
GUIDED = Guided("guided", "{0}", partials=lambda ans, guide: (1,))  # of two that are equal

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
SHIFT_LEFT = _op("shift_left", "{0} << {1}", _of_bools_as_int8, 10)
SHIFT_RIGHT = _op("shift_right", "{0} >> {1}", _of_bools_as_int8, 10)
INVERT = _op("invert", "~{0}", lambda t: (promote(*t), promote(*t)), 14)
ADD = _op("add", "{0} + {1}", _arithmetic, 12)
SUM = _op("sum", "{0} + {1}", _arithmetic, 12)  # an addition of adjoints: their order is ours, not the user's
ATOMIC = _op("atomic", "{0} + {1}", _arithmetic, 12)  # of stores: an addition by threads that meet in one element
SUB = _op("sub", "{0} - {1}", _arithmetic, 12)
MUL = _op("mul", "{0} * {1}", _arithmetic, 13)
DIV = _op("div", "{0} / {1}", _division, 13)
FLOORDIV = _op("floordiv", "{0} // {1}", _of_bools_as_int8, 13)
MOD = _op("mod", "{0} % {1}", _of_bools_as_int8, 13)
NEG = _op("neg", "-{0}", _arithmetic, 14)
POW = _op("pow", "{0} ** {1}", _of_bools_as_int8, 15, cheap=False)
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

FUNCTIONS: dict[Callable, Op] = {}  # functions of scalars that are one operation, and which


def _function(*spellings: Callable, text: str = "", typing: Typing = _floating, cheap: bool = False) -> Op:
    """An operation for functions that mean the same; without a text it is written as NumPy's function."""
    name = spellings[0].__name__
    if not text:
        text = f"np.{name}({', '.join(f'{{{k}}}' for k in range(spellings[0].nin))})"
    op = _op(name, text, typing, cheap=cheap)
    FUNCTIONS.update(dict.fromkeys(spellings, op))
    return op


def _in_double(types):
    """Computed in float64 whatever the operands are; `compositions` casts the result back."""
    common = Scalar(FLOAT64, weak=all(t.weak for t in types))
    return common, common


def _integers(types):
    return INT, INT


# Operators under other names.
FUNCTIONS |= {
    np.add: ADD,
    np.subtract: SUB,
    np.multiply: MUL,
    np.divide: DIV,
    np.floor_divide: FLOORDIV,
    np.remainder: MOD,
    np.negative: NEG,
    np.less: LT,
    np.less_equal: LE,
    np.greater: GT,
    np.greater_equal: GE,
    np.equal: EQ,
    np.not_equal: NE,
    np.bitwise_and: BIT_AND,
    np.bitwise_or: BIT_OR,
    np.bitwise_xor: BIT_XOR,
    np.left_shift: SHIFT_LEFT,
    np.right_shift: SHIFT_RIGHT,
    operator.iadd: ADD,
    operator.isub: SUB,
    operator.imul: MUL,
    operator.itruediv: DIV,
    operator.ifloordiv: FLOORDIV,
    operator.imod: MOD,
    operator.iand: BIT_AND,
    operator.ior: BIT_OR,
    operator.ixor: BIT_XOR,
    operator.ilshift: SHIFT_LEFT,
    operator.irshift: SHIFT_RIGHT,
}

# Magnitude, sign and order.
ABS = _function(np.absolute, abs, operator.abs, text="abs({0})", typing=_arithmetic, cheap=True)
FABS = _function(np.fabs, math.fabs, text="abs({0})", cheap=True)
SIGN = _function(np.sign, typing=_arithmetic, cheap=True)
COPYSIGN = _function(np.copysign, math.copysign, cheap=True)
MAX = _function(max, text="max({0}, {1})", typing=_arithmetic, cheap=True)
MIN = _function(min, text="min({0}, {1})", typing=_arithmetic, cheap=True)
MAXIMUM = _function(np.maximum, typing=_arithmetic, cheap=True)
MINIMUM = _function(np.minimum, typing=_arithmetic, cheap=True)
FMAX = _function(np.fmax, typing=_arithmetic, cheap=True)
FMIN = _function(np.fmin, typing=_arithmetic, cheap=True)

# Powers, exponentials and logarithms.
SQRT = _function(np.sqrt, math.sqrt, cheap=True)
CBRT = _function(np.cbrt, math.cbrt)
EXP = _function(np.exp, math.exp)
EXP2 = _function(np.exp2, math.exp2)
EXPM1 = _function(np.expm1, math.expm1)
LOG = _function(np.log)
LOG2 = _function(np.log2, math.log2)
LOG10 = _function(np.log10, math.log10)
LOG1P = _function(np.log1p, math.log1p)
LOGADDEXP = _function(np.logaddexp)
LOGADDEXP2 = _function(np.logaddexp2)
TIMES_ROOT = _op("times_root", "{0} * {1}", _floating, 13)  # x ** 1.5, of x and sqrt(x)

# Trigonometric and hyperbolic functions.
SIN = _function(np.sin, math.sin)
COS = _function(np.cos, math.cos)
TAN = _function(np.tan, math.tan)
ARCSIN = _function(np.arcsin, math.asin)
ARCCOS = _function(np.arccos, math.acos)
ARCTAN = _function(np.arctan, math.atan)
ARCTAN2 = _function(np.arctan2, math.atan2)
HYPOT = _function(np.hypot)
SINH = _function(np.sinh, math.sinh)
COSH = _function(np.cosh, math.cosh)
TANH = _function(np.tanh, math.tanh)
ARCSINH = _function(np.arcsinh, math.asinh)
ARCCOSH = _function(np.arccosh, math.acosh)
ARCTANH = _function(np.arctanh, math.atanh)
DEGREES = _function(np.degrees, np.rad2deg, math.degrees, cheap=True)
RADIANS = _function(np.radians, np.deg2rad, math.radians, cheap=True)

# Complex numbers: their parts, and linear functions of these.
REAL = _op("real", "{0}.real", _part, 19)
IMAG = _op("imag", "{0}.imag", _part, 19)
CONJUGATE = _op("conjugate", "np.conj({0})", _floating)
COMPLEX_OF = _op("complex", "complex({0}, {1})", _of_parts)

# Rounding and remainders.
FLOOR = _function(np.floor, cheap=True)
CEIL = _function(np.ceil, cheap=True)
TRUNC = _function(np.trunc, cheap=True)
RINT = _function(np.rint, cheap=True)
FMOD = _function(np.fmod, math.fmod)
IEEE_REMAINDER = _function(math.remainder, text="ieee_remainder({0}, {1})", typing=_in_double)
NEXTAFTER = _function(np.nextafter, math.nextafter)
SPACING = _function(np.spacing)

# Properties of a float.
ISNAN = _function(np.isnan, math.isnan, typing=_predicate, cheap=True)
ISINF = _function(np.isinf, math.isinf, typing=_predicate, cheap=True)
ISFINITE = _function(np.isfinite, math.isfinite, typing=_predicate, cheap=True)
SIGNBIT = _function(np.signbit, typing=_predicate, cheap=True)

# Special functions. A name that is neither np's nor math's is one of backends/runtime.py.
ERF = _function(math.erf, text="erf({0})")
ERFC = _function(math.erfc, text="erfc({0})")
GAMMA = _function(math.gamma, text="gamma_function({0})", typing=_in_double)
LGAMMA = _function(math.lgamma, text="log_gamma({0})", typing=_in_double)
EXPIT = _op("expit", "expit({0})", _floating, cheap=False)
XLOGY = _op("xlogy", "xlogy({0}, {1})", _floating, cheap=False)
DIGAMMA = _op("digamma", "digamma({0})", _in_double, cheap=False)
POLYGAMMA = _op("polygamma", "polygamma({0}, {1})", _in_double, cheap=False)  # the order is a constant
BESSEL_J = _op("bessel_j", "bessel_j({0}, {1})", _in_double, cheap=False)  # of an order that is a constant integer
BESSEL_I = _op("bessel_i", "bessel_i({0}, {1})", _in_double, cheap=False)
SINC = _op("sinc", "sinc({0}, {1})", _in_double, cheap=False)  # of np.sinc, the derivative whose order is a constant

# Functions of integers.
GCD = _function(math.gcd, np.gcd, text="math.gcd({0}, {1})", typing=_integers)
LCM = _function(math.lcm, np.lcm, text="np.lcm({0}, {1})", typing=_integers)
FACTORIAL = _function(math.factorial, text="factorial({0})", typing=_integers)
COMB = _function(math.comb, text="comb({0}, {1})", typing=_integers)
PERM = _function(math.perm, text="perm({0}, {1})", typing=_integers)
SNAPSHOT_STEP = _op("snapshot_step", "snapshot_step({0}, {1})", _integers)  # trips to the next snapshot of a loop
ISQRT = _function(math.isqrt, text="isqrt({0})", typing=_integers)

# What is also computed of complex numbers.
OF_COMPLEX = {ADD, SUM, SUB, MUL, DIV, POW, NEG, EQ, NE, SQRT, EXP, LOG, SIN, COS, TAN, SINH, COSH, TANH}
OF_COMPLEX |= {REAL, IMAG, CONJUGATE, ISNAN, ISINF, ISFINITE}

# The names that texts call beside np's and math's: emission may give them to nothing else.
CALLED = {name for op in (*_TYPING, *KERNELS) for name in re.findall(r"(?<![\w.])(\w+)\(", op.text)}

_MAY_FAIL = {FLOORDIV, MOD, POW, SHIFT_LEFT, SHIFT_RIGHT}


def is_movable(let: Let) -> bool:
    """Whether a number may be computed earlier, where its operands are known: it is cheap and cannot fail."""
    if let.op.effect is not Effect.PURE or not let.op.cheap or not isinstance(let.var.type, Scalar):
        return False
    if let.op not in _MAY_FAIL:
        return True
    divisor = let.args[1]
    return isinstance(divisor, Const) and bool(divisor.value) and let.op is not POW
