"""What the rules of kernels are written with: whole arrays, their shadows or tangents, and kernels on them."""

from collections.abc import Callable

from zygopy.transform import ops
from zygopy.transform.build import Builder, constant, integer, zero
from zygopy.transform.ir import Const, For, Kernel, Op, Value, Var, new_key
from zygopy.transform.types import INT, Array


class Matrices:
    """Writes statements on whole arrays; `shape` gives the shape of an array of the primal."""

    def __init__(self, b: Builder, shape: Callable[[Var], tuple[Value, ...]]):
        self.b, self.shape = b, shape

    def kernel(self, op: Op, outs: tuple[Var, ...], args: tuple[Value, ...]) -> None:
        self.b.emit(Kernel(op, outs, args, self.b.loc))

    def new(self, shape: tuple[Value, ...], like: Var, name: str = "t", op: Op = ops.EMPTY) -> Var:
        """A new array of a shape, with the dtype of another one."""
        return self.b.let(op, shape, Array(like.type.dtype, len(shape)), name)

    def filled(self, shape: tuple[Value, ...], like: Var, element: Callable[..., Value]) -> Var:
        """A new array with the number element(b, *ks) at each index."""
        new = self.new(shape, like)
        self.nest(shape, lambda b, ks: b.store(new, ks, element(b, *ks)))
        return new

    def product(self, a: Var, b: Var, shape: tuple[Value, ...]) -> Var:
        """a @ b, a new array of a shape."""
        new = self.new(shape, a)
        self.kernel(ops.MATMUL, (new,), (a, b))
        return new

    def transposed(self, a: Var) -> Var:
        """a.T of a matrix, a view."""
        args = (a, integer(1), integer(0))
        return self.b.let(ops.TRANSPOSE, args, Array(a.type.dtype, 2, "A", a.type.writable), a.name)

    def nest(self, shape: tuple[Value, ...], body: Callable[[Builder, tuple[Var, ...]], None]) -> None:
        """Loops over all indices of a shape; `body` writes what is in them."""
        _nest(self.b, shape, body, ())

    def new_like(self, like: Var) -> Var:
        return self.new(self.shape(like), like)

    def lower(self, n: Value, body: Callable[[Builder, Var, Var], None]) -> None:
        """Loops over the lower triangle of a matrix; `body` writes what is done at (i, j)."""
        i, j = Var("i", INT), Var("j", INT)
        outer, inner = Builder(self.b.loc), Builder(self.b.loc)
        body(inner, i, j)
        stop = outer.add(i, integer(1))
        outer.emit(
            For(j, integer(0), stop, integer(1), (), (), inner.block(), (), self.b.loc, new_key(), parallel=True)
        )
        self.b.emit(For(i, integer(0), n, integer(1), (), (), outer.block(), (), self.b.loc, new_key(), parallel=True))

    def lower_part(self, a: Var, n: Value) -> Var:
        """A new matrix with the lower triangle of another one, zero above."""
        new = self.new((n, n), a, op=ops.ZEROS)
        self.lower(n, lambda b, i, j: b.store(new, (i, j), b.load(a, (i, j))))
        return new

    def symmetric(self, a: Var, n: Value) -> Var:
        """A new symmetric matrix, by the lower triangle of another one."""
        new = self.new((n, n), a)

        def element(b: Builder, i: Var, j: Var) -> None:
            value = b.load(a, (i, j))
            b.store(new, (i, j), value)
            b.store(new, (j, i), value)

        self.lower(n, element)
        return new

    def add_symmetric(self, target: Var, a: Var, n: Value) -> None:
        """The adjoint of `symmetric`, at (a + a.T) / 2: target += a + a.T below the diagonal, a on it."""

        def element(b: Builder, i: Var, j: Var) -> None:
            b.store(target, (i, j), b.apply(ops.ADD, b.load(a, (i, j)), b.load(a, (j, i))), ops.SUM)

        def diagonal(b: Builder, ks: tuple[Var, ...]) -> None:
            at = (ks[0], ks[0])
            b.store(target, at, b.apply(ops.NEG, b.load(a, at)), ops.SUM)

        self.lower(n, element)
        self.nest((n,), diagonal)

    def identity(self, n: Value, like: Var) -> Var:
        new = self.new((n, n), like, op=ops.ZEROS)
        self.nest((n,), lambda b, ks: b.store(new, (ks[0], ks[0]), one(like)))
        return new

    def clear(self, a: Var, shape: tuple[Value, ...]) -> None:
        self.nest(shape, lambda b, ks: b.store(a, ks, zero(a.type.element)))

    def copy(self, target: Var, source: Var, shape: tuple[Value, ...]) -> None:
        """target[...] = source"""
        self.nest(shape, lambda b, ks: b.store(target, ks, b.load(source, ks)))

    def add(self, target: Var, source: Var, shape: tuple[Value, ...]) -> None:
        """target += source"""
        self.nest(shape, lambda b, ks: b.store(target, ks, b.load(source, ks), ops.SUM))


def one(like: Var) -> Const:
    """The number 1 as an element of an array."""
    return constant(like.type.dtype.type(1), like.type.element)


def _nest(b: Builder, shape: tuple[Value, ...], body: Callable, ks: tuple[Var, ...]) -> None:
    if len(ks) == len(shape):
        body(b, ks)
        return
    k = Var("ijklm"[len(ks) % 5], INT)
    inner = Builder(b.loc)
    _nest(inner, shape, body, (*ks, k))
    b.emit(For(k, integer(0), shape[len(ks)], integer(1), (), (), inner.block(), (), b.loc, new_key(), parallel=True))


class Backwards(Matrices):
    """What the adjoint rule of one kernel is given.

    `bar(x)` is the shadow of an array of the kernel, None if it is not active; `primal(x)` is the array as it was;
    `add_to(x, g)` adds to the adjoint of a number.
    """

    def __init__(
        self,
        b: Builder,
        shape: Callable,
        bar: Callable,
        primal: Callable[[Var], Var],
        add_to: Callable[[Value, Value], None],
    ):
        super().__init__(b, shape)
        self.bar: Callable[[Var], Var | None] = bar
        self.primal, self.add_to = primal, add_to


class Sideways(Matrices):
    """What the tangent rule of one kernel is given: `dot(x)` is the tangent of an argument, None if it is zero."""

    def __init__(self, b: Builder, shape: Callable, dot: Callable[[Var], Var | None]):
        super().__init__(b, shape)
        self.dot = dot
