"""Products of arrays: those with a vector are loop nests, matrix @ matrix is a kernel.

y = a @ x        for i: total = 0.0                      c = a @ b        matmul(c, a, b)
                     for k: total += a[i, k] * x[k]
                     y[i] = total

Stacks of matrices are loops over matrices, but a stack times one matrix is one product. Matrices of a few elements
whose shape is known when the function is compiled are loop nests, and so are products of integers.
"""

import math
import operator
from collections.abc import Callable, Sequence

import numpy as np

from zygopy.errors import DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const, Kernel, Op, Value, Var
from zygopy.transform.library import elementwise, reductions
from zygopy.transform.library.shaping import ravel, reshape
from zygopy.transform.reading import arrays
from zygopy.transform.reading.values import View, describe, is_number
from zygopy.transform.types import Scalar, promote

_FEW = 64  # multiplications


# -- operands --------------------------------------------------------------------------------------------------------


def need_array(s, value: object, what: str) -> View:
    """An operand that has to be an array; a tuple of numbers or arrays is one."""
    if isinstance(value, View | tuple):
        return reductions.need_array(s, value)
    raise DtypeError(f"{what} needs arrays, not {describe(value)}", s.loc)


def result_type(s, *views: View) -> Scalar:
    """The type of a product's elements."""
    type_ = Scalar(promote(*(v.element for v in views)).dtype)
    if type_.is_bool:
        raise DtypeError("products of arrays of bools are not supported", s.loc, help="convert one: a.astype(int)")
    return type_


def whole_operand(s, view: View, dtype: np.dtype) -> Var:
    """A view as an array variable that a kernel may read."""
    if view.dtype != dtype:
        return elementwise.cast(s, view, dtype).base
    return arrays.materialise(s, view)


def permuted(view: View, axes: Sequence[int]) -> View:
    """A view with its axes in another order."""
    return view.ordered(tuple(view.own_axes[k] for k in axes))


def inner_product(s, type_: Scalar, lengths: tuple[Value, ...], a, b) -> Value:
    """The sum of a(ks) * b(ks) over all indices of a shape."""
    return reductions.total(s, lengths, lambda ks: s.b.cast(s.b.apply(ops.MUL, a(ks), b(ks)), type_), type_)


def element(s, view: View, ks: tuple[Value, ...]) -> Value:
    return arrays.load(s, arrays.element_at(s, view, ks))


# -- vectors and matrices --------------------------------------------------------------------------------------------


def vectors(s, a: View, b: View) -> Value:
    """The sum of products of two arrays of one shape."""
    type_ = result_type(s, a, b)
    for m, n in zip(a.shape, b.shape, strict=True):
        arrays.same_length(s, m, n)
    return inner_product(s, type_, a.shape, lambda ks: element(s, a, ks), lambda ks: element(s, b, ks))


def matrix_vector(s, a: View, x: View) -> View:
    """The sums over the last axis of a."""
    type_ = result_type(s, a, x)
    arrays.same_length(s, a.shape[-1], x.shape[0])

    def row(kept):
        return inner_product(s, type_, x.shape, lambda ks: element(s, a, (*kept, *ks)), lambda ks: element(s, x, ks))

    return arrays.build(s, a.shape[:-1], row)


def vector_matrix(s, x: View, b: View) -> View:
    """The sums over the first axis of b, row by row, as memory lies."""
    type_ = result_type(s, x, b)
    arrays.same_length(s, x.shape[0], b.shape[0])
    result = arrays.build(s, (s.canonical(b.shape[1]),), lambda ks: constant(type_.dtype.type(0), type_))

    def add(ks):
        value = s.b.cast(s.b.apply(ops.MUL, element(s, x, ks[:1]), element(s, b, ks)), type_)
        arrays.store(s, arrays.element_at(s, result, ks[1:]), value, ops.SUM)

    arrays.nest(s, b.shape, add)
    return result


def outer(s, a: View, b: View) -> View:
    type_ = result_type(s, a, b)

    def at(ks):
        return s.b.cast(s.b.apply(ops.MUL, element(s, a, ks[:1]), element(s, b, ks[1:])), type_)

    return arrays.build(s, (a.shape[0], b.shape[0]), at)


def matrices(s, a: View, b: View) -> View:
    """matrix @ matrix"""
    type_ = result_type(s, a, b)
    arrays.same_length(s, a.shape[1], b.shape[0])
    if not type_.is_inexact or _are_few(s, a, b):
        return _few(s, a, b, type_)
    result = arrays.allocate(s, (s.canonical(a.shape[0]), s.canonical(b.shape[1])), type_.dtype, name="t")
    fill(s, result, a, b)
    return result


def _are_few(s, a: View, b: View) -> bool:
    """Whether the product of matrices is known to have few multiplications."""
    lengths = [s.canonical(n) for n in (*a.shape[-2:], b.shape[-1])]
    return all(isinstance(n, Const) for n in lengths) and math.prod(n.value for n in lengths) <= _FEW


def fill(s, result: View, a: View, b: View, op: Op = ops.MATMUL) -> None:
    """result[...] = a @ b by the kernel; the result shares no memory with the operands."""
    args = whole_operand(s, a, result.dtype), whole_operand(s, b, result.dtype)
    s.b.emit(Kernel(op, (arrays.materialise(s, result),), args, s.loc))


_INTO = {operator.add: ops.ADD_MATMUL, operator.sub: ops.SUB_MATMUL}


def update(s, target: View, function: Callable, a: object, b: object) -> bool:
    """target += a @ b or target -= a @ b of matrices, by a kernel that does so without an array for the product.

    Where there is no such kernel nothing is done, and the result is False.
    """
    if not (isinstance(a, View) and isinstance(b, View) and target.ndim == a.ndim == b.ndim == 2 and function in _INTO):
        return False
    type_ = Scalar(promote(a.element, b.element).dtype)
    if not type_.is_inexact or type_.dtype != target.dtype or _are_few(s, a, b):
        return False
    if target.read_only or arrays.needs_copy(target) or s.may_overlap(target, a) or s.may_overlap(target, b):
        return False
    arrays.same_length(s, a.shape[1], b.shape[0])
    if not all(arrays.agree(s, n, m) for n, m in zip(target.shape, (a.shape[0], b.shape[1]), strict=True)):
        return False
    arrays.check_writable(s, target)
    fill(s, target, a, b, _INTO[function])
    return True


def _few(s, a: View, b: View, type_: Scalar) -> View:
    def at(ks):
        i, j = ks
        row, column = (lambda k: element(s, a, (i, *k))), (lambda k: element(s, b, (*k, j)))
        return inner_product(s, type_, a.shape[1:], row, column)

    return arrays.build(s, (a.shape[0], b.shape[1]), at)


# -- stacks ----------------------------------------------------------------------------------------------------------


def matmul(s, a: object, b: object) -> View | Value:
    """a @ b by NumPy's rules: the last two axes are matrices, those before them are broadcast."""
    if is_number(a) or is_number(b):
        raise DtypeError("@ needs arrays, not numbers", s.loc, help="write *")
    a, b = need_array(s, a, "@"), need_array(s, b, "@")
    if a.ndim == 1 and b.ndim == 1:
        return vectors(s, a, b)
    if b.ndim == 1:
        return matrix_vector(s, a, b)
    if a.ndim == 1:
        return vector_matrix(s, a, b) if b.ndim == 2 else _stacked_rows(s, a, b)
    if a.ndim == 2 and b.ndim == 2:
        return matrices(s, a, b)
    if b.ndim == 2:  # the rows of all matrices are those of one
        return contract(s, a, b, (a.ndim - 1,), (0,))
    return stacked_matrices(s, a, b)


def _stacked_rows(s, x: View, b: View) -> View:
    """A vector with each matrix of a stack."""
    last = b.ndim - 1
    return matrix_vector(s, permuted(b, (*range(last - 1), last, last - 1)), x)


def stacked_matrices(s, a: View, b: View) -> View:
    """The products of the matrices of two stacks."""
    type_ = result_type(s, a, b)
    arrays.same_length(s, a.shape[-1], b.shape[-2])
    stack = arrays.broadcast_shape(s, [a.shape[:-2], b.shape[:-2]])
    a = arrays.broadcast_to(s, a, (*stack, *a.shape[-2:]))
    b = arrays.broadcast_to(s, b, (*stack, *b.shape[-2:]))
    result = arrays.allocate(s, (*stack, *map(s.canonical, (a.shape[-2], b.shape[-1]))), type_.dtype, name="t")

    def one(ks):
        x, y, place = (matrix_at(s, view, ks) for view in (a, b, result))
        if type_.is_inexact:
            fill(s, place, x, y)
        else:
            arrays.assign(s, place, _few(s, x, y, type_))

    arrays.nest(s, stack, one)
    return result


def matrix_at(s, view: View, ks: tuple[Value, ...]) -> View:
    """The matrix of a stack at loop variables."""
    for k in ks:
        view = arrays.item(s, view, k)
    return view


# -- more axes -------------------------------------------------------------------------------------------------------


def contract(s, a: View, b: View, a_axes: tuple[int, ...], b_axes: tuple[int, ...]) -> View | Value:
    """The sum of products over pairs of axes; the axes that are left are those of a and then those of b."""
    for k, j in zip(a_axes, b_axes, strict=True):
        arrays.same_length(s, a.shape[k], b.shape[j])
    a_free = tuple(k for k in range(a.ndim) if k not in a_axes)
    b_free = tuple(k for k in range(b.ndim) if k not in b_axes)
    type_ = result_type(s, a, b)
    shape = (*(a.shape[k] for k in a_free), *(b.shape[k] for k in b_free))
    if type_.is_inexact and a_free and b_free and a_axes:
        x = grouped(s, permuted(a, (*a_free, *a_axes)), (len(a_free), len(a_axes)))
        y = grouped(s, permuted(b, (*b_axes, *b_free)), (len(b_axes), len(b_free)))
        product = matrices(s, x, y)
        return product if len(shape) == 2 else reshape(s, product, tuple(map(s.canonical, shape)))
    x, y = permuted(a, (*a_free, *a_axes)), permuted(b, (*b_free, *b_axes))
    lengths = tuple(a.shape[k] for k in a_axes)

    def at(kept):
        left, right = kept[: len(a_free)], kept[len(a_free) :]
        if not lengths:
            return s.b.cast(s.b.apply(ops.MUL, element(s, x, left), element(s, y, right)), type_)
        return inner_product(
            s, type_, lengths, lambda ks: element(s, x, (*left, *ks)), lambda ks: element(s, y, (*right, *ks))
        )

    return arrays.build(s, shape, at)


def grouped(s, view: View, sizes: tuple[int, ...]) -> View:
    """A view with runs of so many axes merged into one each; a copy where memory does not lie so."""
    if all(size == 1 for size in sizes):
        return view
    shape: list[Value] = []
    lengths = iter(view.shape)
    for size in sizes:
        total: Value = integer(1)
        for _ in range(size):
            total = s.b.mul(total, next(lengths))
        shape.append(s.canonical(total))
    return reshape(s, view, tuple(shape))


def dot(s, a: object, b: object) -> View | Value:
    """np.dot: the last axis of a with the last but one of b."""
    if is_number(a) or is_number(b):
        return multiplied(s, a, b)
    a, b = need_array(s, a, "np.dot"), need_array(s, b, "np.dot")
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(s, a, b)
    return contract(s, a, b, (a.ndim - 1,), (max(b.ndim - 2, 0),))


def inner(s, a: object, b: object) -> View | Value:
    if is_number(a) or is_number(b):
        return multiplied(s, a, b)
    a, b = need_array(s, a, "np.inner"), need_array(s, b, "np.inner")
    return vectors(s, a, b) if a.ndim == b.ndim == 1 else contract(s, a, b, (a.ndim - 1,), (b.ndim - 1,))


def multiplied(s, a: object, b: object) -> View | Value:
    """a * b where one is a number; a Python number is converted first, as np.dot does."""
    if is_number(a) and is_number(b):
        return s.b.apply(ops.MUL, a, b, strong=True)
    return elementwise.apply(s, np.multiply, [_strong(s, a), _strong(s, b)])


def _strong(s, value: object) -> object:
    """A Python number as NumPy's of its own dtype."""
    if not (is_number(value) and value.type.weak):
        return value
    type_ = Scalar(value.type.dtype)
    return s.b.cast(value, type_) if isinstance(value, Const) else s.b.let(ops.CAST, (value,), type_)


def flat(s, value: object, what: str) -> View:
    view = need_array(s, value, what)
    return view if view.ndim == 1 else ravel(s, view)


def tensordot(s, a: View, b: View, axes: object) -> View | Value:
    if isinstance(axes, Const):
        count = int(axes.value)
        if not 0 <= count <= min(a.ndim, b.ndim):
            raise ShapeError(f"cannot sum over {count} axes of arrays of {a.ndim} and {b.ndim} dimensions", s.loc)
        return contract(s, a, b, tuple(range(a.ndim - count, a.ndim)), tuple(range(count)))
    if not (isinstance(axes, tuple) and len(axes) == 2):
        raise UnsupportedError("the axes of np.tensordot are an int or two tuples of ints", s.loc)
    found = []
    for view, given in zip((a, b), axes, strict=True):
        given = given if isinstance(given, tuple) else (given,)
        found.append(tuple(reductions.axis_of(s, k, view.ndim) for k in given))
    if len(found[0]) != len(found[1]) or any(len(set(f)) != len(f) for f in found):
        raise ShapeError("np.tensordot needs as many axes of both arrays, each named once", s.loc)
    return contract(s, a, b, *found)
