"""The functions through which no gradient flows: they give integers, bools or steps."""

import math

import numpy as np

from zygopy.transform import ops
from zygopy.transform.rules import constant

constant(ops.OR, ops.AND, ops.NOT, ops.LT, ops.LE, ops.GT, ops.GE, ops.EQ, ops.NE)
constant(ops.BIT_OR, ops.BIT_XOR, ops.BIT_AND, ops.INVERT, ops.SHIFT_LEFT, ops.SHIFT_RIGHT, ops.INT_MIN, ops.INT_MAX)
constant(ops.SNAPSHOT_STEP)
constant(np.isnan, np.isinf, np.isfinite, np.signbit)
constant(np.sign, ops.FLOORDIV, ops.FLOOR, ops.CEIL, ops.TRUNC, ops.RINT, np.spacing)
constant(math.gcd, math.lcm, math.factorial, math.comb, math.perm, math.isqrt)
