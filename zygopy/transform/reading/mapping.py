"""vmap: a function of single items as a loop over an axis of its arguments.

y = vmap(f)(x, w)        y = np.empty((n, ...))
                   ->    for i in range(n):
                             y[i] = f(x[i], w[i])
"""

from typing import Any

from zygopy.errors import ArgumentError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Block, Effect, Let, Value, Var, block_params, defined, walk
from zygopy.transform.memory import known_shape
from zygopy.transform.reading import arrays, calls
from zygopy.transform.reading.loops import counted_loop
from zygopy.transform.reading.values import Range, Static, View, describe, is_number
from zygopy.transform.records import keys_of, place, rebuilt
from zygopy.transform.types import INT, Array


def call_mapped(s, callee: object, in_axes: Any, out_axes: Any, args: list, kwargs: dict) -> object:
    """The value of a mapped function; keywords are mapped over their first axis."""
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise ArgumentError(f"in_axes names {len(in_axes)} axes, and {len(args)} arguments are given", s.loc)
    axes = list(in_axes) if isinstance(in_axes, tuple) else [in_axes] * len(args)
    mapped: list[tuple[str, Value]] = []
    for k, (arg, axis) in enumerate(zip(args, axes, strict=True)):
        _lengths(s, arg, axis, f"argument {k}", mapped)
    for name, arg in kwargs.items():
        _lengths(s, arg, 0, name, mapped)
    if not mapped:
        raise ArgumentError("vmap has no axis to map over", s.loc, help="give one argument an axis: in_axes=(0, None)")
    (first, n), *others = mapped
    for name, m in others:
        if not arrays.taken_as_equal(s, n, m):
            text = f"vmap maps axes of different lengths: those of {first} and {name}"
            gap = s.facts.affine(n) - s.facts.affine(m)
            if not gap.terms:
                raise ShapeError(text, s.loc)
            s.check(s.b.apply(ops.EQ, n, m), ShapeError, text)
    index = Var("i", INT)
    found: list = []

    def trip() -> None:
        items = [_item(s, arg, axis, index) for arg, axis in zip(args, axes, strict=True)]
        named = {name: _item(s, arg, 0, index) for name, arg in kwargs.items()}
        result = calls.call(s, callee, items, named)
        found[:] = [_gathered(s, result, out_axes, n, index, "the result")]

    counted_loop(s, index, Range(integer(0), n, integer(1)), trip, [])
    return _made(s, found[0])


def _made(s, tree: object) -> object:
    """A structure of results, which is made behind the loop."""
    return s.made(rebuilt(tree, [_made(s, item) for item in tree])) if isinstance(tree, tuple) else tree


# -- arguments -------------------------------------------------------------------------------------------------------


def _members(s, value: object, axis: Any, name: str) -> list[tuple[object, Any, str]] | None:
    """The members of a structure with the axes and names of each; None for what has none."""
    members = s.members(value)
    if members is None:
        return None
    axes = [axis] * len(members)
    if isinstance(axis, tuple):
        if not (len(axis) == len(members) and isinstance(value, tuple)):
            raise ArgumentError(f"in_axes of {name} has another structure than {name}", s.loc)
        axes = list(axis)
    names = [place(name, members, key) for key in keys_of(members)]
    return list(zip(members, axes, names, strict=True))


def _lengths(s, value: object, axis: Any, name: str, mapped: list) -> None:
    """Add the lengths of the axes that are mapped over, with the names of their arrays."""
    if axis is None or isinstance(value, Static):
        return
    if (members := _members(s, value, axis, name)) is not None:
        for member, own, label in members:
            _lengths(s, member, own, label, mapped)
    elif not isinstance(value, View):
        raise ArgumentError(
            f"vmap cannot map over {name}, which is {describe(value)}", s.loc, help="leave it alone: in_axes=None"
        )
    else:
        mapped.append((name, value.shape[_axis(s, axis, value, name)]))


def _axis(s, axis: Any, view: View, name: str) -> int:
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise ArgumentError(f"in_axes holds {axis!r}", s.loc, help="use ints, None, and tuples of them")
    if not -view.ndim <= axis < view.ndim:
        raise ArgumentError(f"{name} has no axis {axis}: it has {view.ndim} dimension{'s' * (view.ndim != 1)}", s.loc)
    return axis % view.ndim


def _item(s, value: object, axis: Any, index: Var) -> object:
    """What of an argument one trip gets."""
    if axis is None or isinstance(value, Static):
        return value
    if (members := _members(s, value, axis, "")) is not None:
        items = [_item(s, member, own, index) for member, own, _ in members]
        return s.made(rebuilt(s.members(value), items), "it is an item of an argument of vmap")
    assert isinstance(value, View)
    own = list(value.own_axes)
    own.insert(0, own.pop(_axis(s, axis, value, "")))
    item = arrays.item(s, value.ordered(tuple(own)), index)
    return item if item.ndim else arrays.load(s, item)


# -- results ---------------------------------------------------------------------------------------------------------


def _gathered(s, value: object, axis: Any, n: Value, index: Var, name: str) -> object:
    """A new structure with the values of all trips in place of that of one."""
    if isinstance(value, Static):
        return value
    members = s.members(value)
    if members is not None:
        axes = axis if isinstance(axis, tuple) else (axis,) * len(members)
        if len(axes) != len(members) or isinstance(axis, tuple) and not isinstance(value, tuple):
            raise ArgumentError(f"out_axes has another structure than {name}", s.loc)
        triples = zip(keys_of(members), members, axes, strict=True)
        items = [_gathered(s, item, own, n, index, place(name, members, key)) for key, item, own in triples]
        return rebuilt(members, items)
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise ArgumentError(f"out_axes holds {axis!r}", s.loc, help="use ints, and tuples of them")
    if is_number(value):
        _check_place(s, axis, 0, name)
        target = _allocated(s, (n,), value.type.dtype, "mapped")
        arrays.store(s, arrays.item(s, target, index), value)
        return target
    if not isinstance(value, View):
        raise UnsupportedError(f"vmap of a function that returns {describe(value)} is not supported", s.loc)
    at = _check_place(s, axis, value.ndim, name)
    outside = _Outside(s)
    shape = [outside.value(length) for length in value.shape]
    if any(length is None for length in shape):
        raise UnsupportedError(
            "vmap of a function whose result may have another shape for each item is not supported",
            s.loc,
            "the items fill one array",
            "return arrays of a shape that the arguments' shapes tell",
        )
    shape.insert(at, n)
    target = _allocated(s, tuple(shape), value.dtype, value.base.name)
    order = list(range(len(shape)))
    order.insert(0, order.pop(at))
    arrays.assign(s, arrays.item(s, target.ordered(tuple(order)), index), value)
    return target


def _check_place(s, axis: int, ndim: int, name: str) -> int:
    if not -ndim - 1 <= axis <= ndim:
        raise ArgumentError(f"{name} cannot have the mapped axis at {axis}", s.loc)
    return axis % (ndim + 1)


def _allocated(s, shape: tuple[Value, ...], dtype: Any, name: str) -> View:
    """An array that is made before the loop around."""
    outer = s.levels[-2].builder
    var = outer.let(ops.EMPTY, shape, Array(dtype, len(shape)), name)
    s.facts.shapes[var] = shape
    return arrays.whole_of(var, shape)


class _Outside:
    """Lengths of the loop's body, computed again before the loop from what is known there."""

    def __init__(self, s):
        self.b = s.levels[-2].builder
        body = walk(Block(tuple(s.b.statements)))
        self.inside = {v: t for t in body for v in (*block_params(t), *defined(t))}
        self.inside[s.levels[-1].loop[0]] = None
        self.known: dict[Value, Value | None] = {}

    def value(self, value: Value) -> Value | None:
        """The same number; None if it may differ from trip to trip."""
        if not isinstance(value, Var) or value not in self.inside:
            return value
        if value not in self.known:
            self.known[value] = None
            self.known[value] = self._again(self.inside[value])
        return self.known[value]

    def _again(self, s: object) -> Value | None:
        if not isinstance(s, Let) or s.op.effect is not Effect.PURE:
            return None
        if s.op is ops.DIM:
            array, axis = s.args
            if array not in self.inside:
                return self.b.dim(array, axis.value)
            length = known_shape(array, self.inside)[axis.value]
            return None if length is None else self.value(length)
        args = [self.value(a) for a in s.args]
        if any(a is None or isinstance(a.type, Array) for a in args):
            return None
        return self.b.let(s.op, tuple(args), s.var.type, s.var.name)
