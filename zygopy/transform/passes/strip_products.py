"""Products of a matrix with a vector that stand in loops over rows: what BLAS does for all rows of a strip.

for i in range(block, end):
    total = 0.0
    for j in range(m):                  ->       matmul(row[:end - block], x[block:end, :], w)
        total += x[i, j] * w[j]
    row[i - block] = total

for i in range(block, end):
    for j in range(m):                  ->       add_matmul(w_bar, x[block:end, :].T, row[:end - block])
        w_bar[j] += row[i - block] * x[i, j]
"""

from dataclasses import dataclass

from zygopy.transform import ops
from zygopy.transform.build import Builder, integer
from zygopy.transform.ir import Const, For, Kernel, Let, Statement, Store, Value, Var
from zygopy.transform.memory import AliasClasses
from zygopy.transform.types import Array

FEWEST = 8  # columns known at compile time from which on BLAS is worth a call


@dataclass(frozen=True)
class Product:
    """A loop over j < count: number = sum of matrix[i, j] * vector[j], or vector[j] += number * matrix[i, j]."""

    matrix: Var
    by_rows: bool  # False for matrix[j, i]
    vector: Var
    number: Var  # of each trip i
    count: Value
    adds: bool

    def kernel(self, b: Builder, row: Var, start: Value, size: Value) -> None:
        """Write the product for the trips from `start` on, whose numbers are the first ones of `row`."""
        trips, columns = (start, integer(1), size), (integer(0), integer(1), self.count)
        axes = (*trips, *columns) if self.by_rows else (*columns, *trips)
        matrix = _view(b, self.matrix, axes)
        numbers = _column(b, _view(b, row, (integer(0), integer(1), size)))
        vector = _column(b, _view(b, self.vector, columns))
        if self.by_rows is self.adds:
            matrix = b.let(ops.TRANSPOSE, (matrix, integer(1), integer(0)), matrix.type, matrix.name)
        op, out, other = (ops.ADD_MATMUL, vector, numbers) if self.adds else (ops.MATMUL, numbers, vector)
        b.emit(Kernel(op, (out,), (matrix, other), b.loc))


def _view(b: Builder, array: Var, axes: tuple[Value, ...]) -> Var:
    return b.let(
        ops.VIEW, (array, *axes), Array(array.type.dtype, array.type.ndim, "A", array.type.writable), array.name
    )


def _column(b: Builder, vector: Var) -> Var:
    """vector[:, None]"""
    type_ = Array(vector.type.dtype, 2, "A", vector.type.writable)
    return b.let(ops.TRANSPOSE, (vector, integer(0), integer(-1)), type_, vector.name)


def as_products(statements: list[Statement], index: Var, inside: set[Var], aliases: AliasClasses) -> list[Product]:
    """What the statements of a trip compute, if all of them are products; else none."""
    found = [_product(s, index, inside, aliases) for s in statements]
    return [] if None in found else found


def _product(s: Statement, index: Var, inside: set[Var], aliases: AliasClasses) -> Product | None:
    if not isinstance(s, For) or s.start != integer(0) or s.step != integer(1) or s.stop in inside:
        return None
    if isinstance(s.stop, Const) and s.stop.value < FEWEST:
        return None
    lets = {t.var: t for t in s.body.statements if isinstance(t, Let)}
    loads = {t.var: t.args for t in lets.values() if t.op is ops.LOAD}
    last = s.body.statements[-1]
    adds = isinstance(last, Store)
    if adds:
        if s.params or len(lets) != 2 or last.add is not ops.SUM or last.index != (s.index,):
            return None
        product, vector = lets.get(last.value), last.array
    else:
        if len(s.params) != 1 or len(lets) != 4 or not isinstance(s.inits[0], Const) or s.inits[0].value != 0:
            return None
        total = lets.get(s.body.yields[0])
        if total is None or total.op is not ops.SUM or s.params[0] not in total.args:
            return None
        product = lets.get(next(v for v in total.args if v is not s.params[0]))
    if len(s.body.statements) != len(lets) + adds or product is None or product.op is not ops.MUL:
        return None
    axes = ((index, s.index), (s.index, index))
    factors = sorted(product.args, key=lambda v: loads.get(v, ())[1:] not in axes)
    matrix, *at = loads.get(factors[0], (None,))
    if tuple(at) not in axes:
        return None
    if adds:
        number = factors[1]
        if number not in inside or number in lets or aliases.of(matrix) == aliases.of(vector):
            return None
    else:
        vector, *position = loads.get(factors[1], (None,))
        number = s.results[0]
        if position != [s.index]:
            return None
    arrays = {matrix, vector}
    if arrays & inside or len({number.type.dtype, *(a.type.dtype for a in arrays)}) > 1:
        return None
    return Product(matrix, tuple(at) == axes[0], vector, number, s.stop, adds)
