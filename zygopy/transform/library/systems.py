"""Linear systems, inverses, determinants and factors of matrices: kernels on the matrices of a stack.

x = solve(a, b)        lu_factor(lu, pivots, a)
                       lu_solve(x, lu, pivots, b)
"""

import numpy as np

from zygopy.errors import DtypeError, ShapeError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Kernel, Op, Value
from zygopy.transform.library import elementwise, joining, products, small_systems
from zygopy.transform.library.matrix_exponential import expm
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import Repeated, View
from zygopy.transform.types import FLOAT64, Scalar

_INT32 = np.dtype(np.int32)


# -- operands --------------------------------------------------------------------------------------------------------


def square(s, value: object, what: str) -> View:
    """A matrix or a stack of them, of floats, as many rows as columns."""
    view = of_matrices(s, value, what)
    arrays.same_length(s, view.shape[-2], view.shape[-1])
    return view


def of_matrices(s, value: object, what: str) -> View:
    """A matrix or a stack of them, of floats."""
    view = of_floats(s, products.need_array(s, value, what))
    if view.ndim < 2:
        raise ShapeError(f"{what} needs a matrix, not a vector", s.loc)
    return view


def of_floats(s, view: View) -> View:
    return view if view.element.is_inexact else elementwise.cast(s, view, FLOAT64)


def need_real(s, view: View, what: str) -> View:
    if view.element.is_complex:
        raise DtypeError(
            f"{what} of complex matrices is not supported",
            s.loc,
            help="np.linalg.solve, inv and det take complex matrices",
        )
    return view


def new(s, shape: tuple[Value, ...], dtype: np.dtype) -> View:
    return arrays.allocate(s, tuple(map(s.canonical, shape)), dtype, name="t")


def kernel(s, op: Op, outs: tuple[View, ...], args: tuple[View, ...]) -> None:
    """Emit a kernel on whole views; floats of the dtype of the first out."""
    dtype = outs[0].dtype
    given = tuple(
        products.whole_operand(s, a, dtype) if a.element.is_inexact else arrays.materialise(s, a) for a in args
    )
    s.b.emit(Kernel(op, tuple(arrays.materialise(s, out) for out in outs), given, s.loc))


def column(view: View) -> View:
    """A vector as a matrix of one column."""
    return view.ordered((*view.own_axes, Repeated(integer(1))))


def over_stack(s, stack: tuple[Value, ...], one) -> None:
    """one(ks) for each matrix of a stack."""
    arrays.nest(s, stack, one)


# -- factors ---------------------------------------------------------------------------------------------------------


def factor(s, a: View, dtype: np.dtype) -> tuple[View, View]:
    n = a.shape[0]
    lu, pivots = new(s, (n, n), dtype), new(s, (n,), _INT32)
    kernel(s, ops.FACTOR, (lu, pivots), (a,))
    return lu, pivots


def check_diagonal(s, a: View, test: Op, message: str) -> None:
    """Raise LinAlgError unless each element of the diagonal passes a comparison with 0."""

    def trip(ks: tuple[Value, ...], values: tuple[Value, ...]) -> tuple[Value]:
        value = products.element(s, a, (ks[0], ks[0]))
        return (s.b.apply(ops.AND, values[0], s.b.apply(test, value, constant(0.0))),)

    fine = arrays.fold(s, a.shape[:1], (constant(True),), trip)[0]
    s.check(fine, np.linalg.LinAlgError, message)


# -- systems ---------------------------------------------------------------------------------------------------------


def solve(s, a: object, b: object) -> View:
    """np.linalg.solve: b is a vector or a stack of matrices."""
    a, b = square(s, a, "np.linalg.solve"), of_floats(s, products.need_array(s, b, "np.linalg.solve"))
    type_ = products.result_type(s, a, b)

    def one(x: View, a: View, b: View) -> None:
        if small_systems.known_rows(a) and not type_.is_complex:
            small_systems.solve(s, x, a, b, type_)
            return
        lu, pivots = factor(s, a, type_.dtype)
        check_diagonal(s, lu, ops.NE, "Singular matrix")
        kernel(s, ops.SOLVE, (x,), (lu, pivots, b))

    return of_each(s, a, b, type_, one)


def of_each(s, a: View, b: View, type_: Scalar, one) -> View:
    """The solutions one(x, a, b) of each matrix of a stack; a vector b belongs to all of them."""
    n = a.shape[-1]
    if b.ndim == 1:
        arrays.same_length(s, n, b.shape[0])
        x = new(s, (*a.shape[:-2], n), type_.dtype)
        over_stack(s, a.shape[:-2], lambda ks: one(column(matrix(s, x, ks)), matrix(s, a, ks), column(b)))
        return x
    arrays.same_length(s, n, b.shape[-2])
    stack = arrays.broadcast_shape(s, [a.shape[:-2], b.shape[:-2]])
    a = arrays.broadcast_to(s, a, (*stack, *a.shape[-2:]))
    b = arrays.broadcast_to(s, b, (*stack, *b.shape[-2:]))
    x = new(s, (*stack, n, b.shape[-1]), type_.dtype)
    over_stack(s, stack, lambda ks: one(matrix(s, x, ks), matrix(s, a, ks), matrix(s, b, ks)))
    return x


matrix = products.matrix_at


def identity(s, n: Value, dtype: np.dtype) -> View:
    eye = arrays.allocate(s, (s.canonical(n), s.canonical(n)), dtype, ops.ZEROS, "t")
    one = constant(dtype.type(1), Scalar(dtype))
    arrays.nest(s, (n,), lambda ks: arrays.store(s, arrays.element_at(s, eye, (ks[0], ks[0])), one))
    return eye


def inverse(s, a: object) -> View:
    a = square(s, a, "np.linalg.inv")
    if small_systems.known_rows(a) and not a.element.is_complex:
        x = new(s, a.shape, a.dtype)
        over_stack(
            s, a.shape[:-2], lambda ks: small_systems.invert(s, matrix(s, x, ks), matrix(s, a, ks), Scalar(a.dtype))
        )
        return x
    return solve(s, a, identity(s, a.shape[-1], a.dtype))


# -- determinants ----------------------------------------------------------------------------------------------------


def determinant(s, a: object) -> View | Value:
    """np.linalg.det; matrices of up to 3 rows known when the function is compiled are written out."""
    a = square(s, a, "np.linalg.det")

    def of(ks: tuple[Value, ...]) -> Value:
        one = matrix(s, a, ks)
        if n := small_systems.known_rows(a):
            return _written_out(s, one, n)
        lu, pivots = factor(s, one, a.dtype)
        d = new(s, (integer(1),), a.dtype)
        kernel(s, ops.DETERMINANT, (d,), (lu, pivots))
        return products.element(s, d, (integer(0),))

    return arrays.build(s, a.shape[:-2], of)


def _written_out(s, a: View, n: int) -> Value:
    def minor(row: int, columns: tuple[int, ...]) -> Value:
        """The determinant of the rows from `row` on, expanded along that row."""
        total: Value | None = None
        for k, c in enumerate(columns):
            term: Value = products.element(s, a, (integer(row), integer(c)))
            if len(columns) > 1:
                term = s.b.apply(ops.MUL, term, minor(row + 1, (*columns[:k], *columns[k + 1 :])))
            total = term if total is None else s.b.apply(ops.SUB if k % 2 else ops.ADD, total, term)
        assert total is not None
        return total

    return minor(0, tuple(range(n)))


def sign_and_log_determinant(s, a: object) -> tuple[View | Value, View | Value]:
    """np.linalg.slogdet"""
    a = need_real(s, square(s, a, "np.linalg.slogdet"), "np.linalg.slogdet")
    stack = a.shape[:-2]
    if not stack:
        return _sign_and_log(s, a)
    signs, logs = new(s, stack, a.dtype), new(s, stack, a.dtype)

    def one(ks: tuple[Value, ...]) -> None:
        sign, log = _sign_and_log(s, matrix(s, a, ks))
        arrays.store(s, arrays.element_at(s, signs, ks), sign)
        arrays.store(s, arrays.element_at(s, logs, ks), log)

    over_stack(s, stack, one)
    return signs, logs


def _sign_and_log(s, a: View) -> tuple[Value, Value]:
    lu, pivots = factor(s, a, a.dtype)
    sign, log = new(s, (integer(1),), a.dtype), new(s, (integer(1),), a.dtype)
    kernel(s, ops.LOG_DETERMINANT, (sign, log), (lu, pivots))
    return products.element(s, sign, (integer(0),)), products.element(s, log, (integer(0),))


# -- triangular matrices ---------------------------------------------------------------------------------------------


def cholesky(s, a: object, upper: bool = False) -> View:
    """np.linalg.cholesky: of the lower triangle of a, of the upper one for `upper`."""
    a = need_real(s, square(s, a, "np.linalg.cholesky"), "np.linalg.cholesky")
    flip = (lambda view: _transposed(view)) if upper else (lambda view: view)
    result = new(s, a.shape, a.dtype)

    def one(ks: tuple[Value, ...]) -> None:
        l = flip(matrix(s, result, ks))  # noqa: E741
        kernel(s, ops.CHOLESKY, (l,), (flip(matrix(s, a, ks)),))
        check_diagonal(s, l, ops.GT, "Matrix is not positive definite")

    over_stack(s, a.shape[:-2], one)
    return result


def solve_triangular(s, a: object, b: object, lower: bool, transposed: bool) -> View:
    """scipy.linalg.solve_triangular of one matrix or a stack."""
    what = "scipy.linalg.solve_triangular"
    a, b = square(s, a, what), of_floats(s, products.need_array(s, b, what))

    def one(x: View, a: View, b: View) -> None:
        l = a if lower else _transposed(a)  # noqa: E741
        check_diagonal(s, l, ops.NE, "singular matrix: a number on the diagonal is 0")
        op = ops.SOLVE_LOWER if lower is not transposed else ops.SOLVE_LOWER_TRANSPOSED
        kernel(s, op, (x,), (l, b))

    return of_each(s, a, b, products.result_type(s, a, b), one)


def cholesky_and_rest(s, a: object, upper: bool) -> View:
    """scipy.linalg.cho_factor: the factor in one triangle, what a has there in the other one."""
    factor = cholesky(s, a, upper)
    given = of_floats(s, products.need_array(s, a, "scipy.linalg.cho_factor"))

    def element(ks: tuple[Value, ...]) -> Value:
        is_factor = s.b.apply(ops.LE if upper else ops.GE, *ks[-2:])
        return s.b.select(is_factor, products.element(s, factor, ks), products.element(s, given, ks))

    view = arrays.build(s, factor.shape, element)
    assert isinstance(view, View)
    return view


def solve_factored(s, factor: object, b: object, lower: bool) -> View:
    """scipy.linalg.cho_solve of one factor or a stack of them."""
    what = "scipy.linalg.cho_solve"
    factor, b = need_real(s, square(s, factor, what), what), of_floats(s, products.need_array(s, b, what))
    b = need_real(s, b, what)
    type_ = products.result_type(s, factor, b)

    def one(x: View, a: View, b: View) -> None:
        l = a if lower else _transposed(a)  # noqa: E741
        check_diagonal(s, l, ops.NE, "singular matrix: a number on the diagonal is 0")
        half = new(s, x.shape, type_.dtype)
        kernel(s, ops.SOLVE_LOWER, (half,), (l, b))
        kernel(s, ops.SOLVE_LOWER_TRANSPOSED, (x,), (l, half))

    return of_each(s, factor, b, type_, one)


# -- functions of matrices -------------------------------------------------------------------------------------------


def exponential(s, a: object) -> View:
    """scipy.linalg.expm"""
    a = square(s, a, "scipy.linalg.expm")
    if a.ndim == 2:
        return s.follow(expm, [a], {})
    result = new(s, a.shape, a.dtype)

    def one(ks: tuple[Value, ...]) -> None:
        arrays.assign(s, matrix(s, result, ks), s.follow(expm, [matrix(s, a, ks)], {}))

    over_stack(s, a.shape[:-2], one)
    return result


# -- factors with orthogonal vectors ---------------------------------------------------------------------------------


def eigenvectors(s, a: object, upper: bool, what: str) -> tuple[View, View]:
    """np.linalg.eigh: of the lower triangle of a, of the upper one for `upper`."""
    a = need_real(s, square(s, a, what), what)
    values, vectors = new(s, a.shape[:-1], a.dtype), new(s, a.shape, a.dtype)

    def one(ks: tuple[Value, ...]) -> None:
        w, given = _vector(s, values, ks), matrix(s, a, ks)
        kernel(s, ops.EIGH, (w, matrix(s, vectors, ks)), (_transposed(given) if upper else given,))
        _check_found(s, w, "Eigenvalues did not converge")

    over_stack(s, a.shape[:-2], one)
    return values, vectors


def singular_values(s, a: object, what: str) -> tuple[View, View, View]:
    """np.linalg.svd with full_matrices=False"""
    a = need_real(s, of_matrices(s, a, what), what)
    *stack, m, n = a.shape
    k = s.b.apply(ops.INT_MIN, m, n)
    u, values, vt = (new(s, (*stack, *shape), a.dtype) for shape in ((m, k), (k,), (k, n)))

    def one(ks: tuple[Value, ...]) -> None:
        found = _vector(s, values, ks)
        kernel(s, ops.SVD, (matrix(s, u, ks), found, matrix(s, vt, ks)), (matrix(s, a, ks),))
        _check_found(s, found, "SVD did not converge")

    over_stack(s, tuple(stack), one)
    return u, values, vt


def orthogonal(s, a: object) -> tuple[View, View]:
    """np.linalg.qr in its reduced form; the columns behind a square part are those of q.T @ a."""
    a = need_real(s, of_matrices(s, a, "np.linalg.qr"), "np.linalg.qr")
    *stack, m, n = a.shape
    k = s.b.apply(ops.INT_MIN, m, n)
    rest = s.canonical(s.b.sub(n, k))
    q, r = new(s, (*stack, m, k), a.dtype), new(s, (*stack, k, n), a.dtype)

    def one(ks: tuple[Value, ...]) -> None:
        x, vectors, factor = (matrix(s, view, ks) for view in (a, q, r))
        start, width = integer(0), s.canonical(k)
        kernel(s, ops.QR, (vectors, joining.part(s, factor, 1, start, width)), (joining.part(s, x, 1, start, width),))
        products.fill(
            s, joining.part(s, factor, 1, width, rest), _transposed(vectors), joining.part(s, x, 1, width, rest)
        )

    over_stack(s, tuple(stack), one)
    return q, r


def _vector(s, view: View, ks: tuple[Value, ...]) -> View:
    for k in ks:
        view = arrays.item(s, view, k)
    return view


def _check_found(s, values: View, message: str) -> None:
    """Raise LinAlgError where a kernel has left nan."""

    def trip(ks: tuple[Value, ...], fine: tuple[Value, ...]) -> tuple[Value]:
        value = products.element(s, values, ks)
        return (s.b.apply(ops.AND, fine[0], s.b.apply(ops.EQ, value, value)),)

    s.check(arrays.fold(s, values.shape, (constant(True),), trip)[0], np.linalg.LinAlgError, message)


def _transposed(view: View) -> View:
    return products.permuted(view, (1, 0))
