"""The same elements in other shapes: views where NumPy gives views, new arrays where it copies."""

from zygopy.errors import DtypeError
from zygopy.transform import arrays, ops
from zygopy.transform.build import integer
from zygopy.transform.ir import Value
from zygopy.transform.types import Array, promote
from zygopy.transform.values import View, describe, is_number


def ravel(s, view: View) -> View:
    """The elements in C order as one axis; a view where the array is contiguous."""
    size: Value = integer(1)
    for n in view.shape:
        size = s.b.mul(size, n)
    return reshape(s, view, (s.canonical(size),))


def reshape(s, view: View, shape: tuple[Value, ...]) -> View:
    """The elements in C order in a shape of as many; a view where the array is contiguous."""
    base = arrays.materialise(s, view)
    if base.type.layout != "C":
        base = arrays.copy(s, view).base
    var = s.b.let(ops.RESHAPE, (base, *shape), Array(view.dtype, len(shape), "C", base.type.writable), "view")
    s.facts.shapes[var] = shape
    return arrays.whole(s, var)


def as_array(s, items: tuple) -> View:
    """np.array of numbers, arrays and tuples of them, nested."""
    items = tuple(as_array(s, item) if isinstance(item, tuple) else item for item in items)
    for item in items:
        if not (is_number(item) or isinstance(item, View)):
            raise DtypeError(f"an array cannot hold {describe(item)}", s.loc)
    dtype = promote(*(i.base.type.element if isinstance(i, View) else i.type for i in items)).dtype
    shape = items[0].shape if isinstance(items[0], View) else ()
    new = arrays.allocate(s, (integer(len(items)), *shape), dtype, name="t")
    for k, item in enumerate(items):
        place = arrays.item(s, new, integer(k))
        if isinstance(item, View):
            arrays.assign(s, place, item)
        else:
            arrays.store(s, place, item)
    return new


__all__ = ["as_array", "ravel", "reshape"]
