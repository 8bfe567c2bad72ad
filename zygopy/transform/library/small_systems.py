"""Linear systems of few rows: Gaussian elimination with partial pivoting, written out when the function is compiled.

Rows are exchanged by choices between numbers, so there is no branch, and derivatives are those of the numbers.
"""

from collections.abc import Callable, Iterable

import numpy as np

from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const, Op, Value
from zygopy.transform.library import products
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import View
from zygopy.transform.types import Scalar

ROWS = 3  # at most


def known_rows(a: View) -> int:
    """The number of rows of square matrices, where one of their axes tells that they are few; 0 elsewhere."""
    known = [int(n.value) for n in a.shape[-2:] if isinstance(n, Const)]
    return known[0] if known and known[0] <= ROWS else 0


def solve(s, x: View, a: View, b: View, type_: Scalar) -> None:
    """x[...] = a^-1 b, where b is a matrix."""
    n = known_rows(a)
    solution = _eliminate(s, a, n, type_)

    def column(ks: tuple[Value, ...]) -> None:
        given = [s.b.cast(products.element(s, b, (integer(i), *ks)), type_) for i in range(n)]
        _keep(s, x, ks[0], solution(given))

    arrays.nest(s, (b.shape[1],), column)


def invert(s, x: View, a: View, type_: Scalar) -> None:
    """x[...] = a^-1"""
    n = known_rows(a)
    solution = _eliminate(s, a, n, type_)
    zero, one = (constant(type_.dtype.type(v), type_) for v in (0, 1))
    for j in range(n):
        _keep(s, x, integer(j), solution([one if i == j else zero for i in range(n)]))


def _keep(s, x: View, column: Value, values: Iterable[Value]) -> None:
    for i, value in enumerate(values):
        arrays.store(s, arrays.element_at(s, x, (integer(i), column)), value)


def _eliminate(s, a: View, n: int, type_: Scalar) -> Callable[[list[Value]], list[Value]]:
    """What gives the solution for a column of the right side."""

    def apply(op: Op, *args: Value) -> Value:
        return s.b.apply(op, *args)  # a column has a block, and a builder, of its own

    rows = [[s.b.cast(products.element(s, a, (integer(i), integer(j))), type_) for j in range(n)] for i in range(n)]
    swaps: dict[tuple[int, int], Value] = {}
    factors: dict[tuple[int, int], Value] = {}
    for k in range(n):
        for r in range(k + 1, n):
            larger = apply(ops.GT, apply(ops.ABS, rows[r][k]), apply(ops.ABS, rows[k][k]))
            swaps[k, r] = larger
            for c in range(k, n):
                rows[k][c], rows[r][c] = _exchanged(s, larger, rows[k][c], rows[r][c])
        s.check(apply(ops.NE, rows[k][k], constant(0.0)), np.linalg.LinAlgError, "Singular matrix")
        for r in range(k + 1, n):
            factors[k, r] = apply(ops.DIV, rows[r][k], rows[k][k])
            for c in range(k + 1, n):
                rows[r][c] = apply(ops.SUB, rows[r][c], apply(ops.MUL, factors[k, r], rows[k][c]))

    def solution(column: list[Value]) -> list[Value]:
        x = list(column)
        for k in range(n):
            for r in range(k + 1, n):
                x[k], x[r] = _exchanged(s, swaps[k, r], x[k], x[r])
            for r in range(k + 1, n):
                x[r] = apply(ops.SUB, x[r], apply(ops.MUL, factors[k, r], x[k]))
        for k in reversed(range(n)):
            for c in range(k + 1, n):
                x[k] = apply(ops.SUB, x[k], apply(ops.MUL, rows[k][c], x[c]))
            x[k] = apply(ops.DIV, x[k], rows[k][k])
        return x

    return solution


def _exchanged(s, test: Value, a: Value, b: Value) -> tuple[Value, Value]:
    """b and a where the test holds, else a and b."""
    return s.b.select(test, b, a), s.b.select(test, a, b)
