"""What emitted code calls in place of Numba's element access and allocation, written as LLVM instructions.

Numba's own getitem copies the array's descriptor to the stack for each access, which makes compile time quadratic,
and tests each index for being negative; its `np.zeros` is compiled anew for each function. Emitted indices are in range
already. Each alias class of arrays has its own accesses, marked (as C compilers mark types, LLVM Language Reference,
"TBAA metadata") as never meeting those of another class.
"""

import math
import operator
from collections.abc import Callable
from functools import cache, partial

from llvmlite import ir
from numba.core import cgutils, types

from zygopy.backends.allocation import allocated
from zygopy.backends.numba_calls import IN_PLACE, READS_NO_ELEMENT
from zygopy.backends.numba_lowering import bytes_of
from zygopy.backends.numba_private import instruction

_OWNER, _PARENT, _COUNT, _ITEMSIZE, _DATA, _SHAPE, _STRIDES = range(7)  # fields of the array descriptor
_ZERO = ir.Constant(ir.IntType(64), 0)


# -- elements --------------------------------------------------------------------------------------------------------


def _address(builder, array_type, array, index):
    data = builder.extract_value(array, _DATA)
    axes = range(array_type.ndim)
    if array_type.layout == "C":
        offset = index[0]
        for k in axes[1:]:
            length = builder.extract_value(array, (_SHAPE, k))
            row = builder.mul(offset, length, flags=["nsw", "nuw"])
            offset = builder.add(row, index[k], flags=["nsw", "nuw"])
        return builder.gep(data, [offset], inbounds=True)
    offset = None
    for k in axes:
        step = builder.extract_value(array, (_STRIDES, k))
        part = builder.mul(index[k], step, flags=["nsw"])
        offset = part if offset is None else builder.add(offset, part, flags=["nsw"])
    bytes_ = builder.bitcast(data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(bytes_, [offset], inbounds=True), data.type)


class _Cell:
    """The place of one element in generated code."""

    def __init__(self, context, builder, array_type, array, index, class_: int):
        self.builder, self.model = builder, context.data_model_manager[array_type.dtype]
        self.pointer = _address(builder, array_type, array, index)
        root = builder.module.add_metadata(["zygopy arrays"])
        node = builder.module.add_metadata([f"class {class_}", root, _ZERO])
        self.tag = builder.module.add_metadata([node, node, _ZERO])

    def load(self):
        instruction = self.builder.load(self.pointer)
        instruction.set_metadata("tbaa", self.tag)
        return self.model.from_data(self.builder, instruction)

    def store(self, value) -> None:
        instruction = self.builder.store(self.model.as_data(self.builder, value), self.pointer)
        instruction.set_metadata("tbaa", self.tag)


def _indices(array) -> tuple:
    return (types.intp,) * array.ndim


def by_parts(builder, type_, combine: Callable, *values):
    """`combine` of numbers of a type; of complex ones, of their real parts and of their imaginary parts."""
    if not isinstance(type_, types.Complex):
        return combine(*values)
    real, imag = (combine(*(builder.extract_value(v, k) for v in values)) for k in (0, 1))
    return builder.insert_value(builder.insert_value(values[0], real, 0), imag, 1)


@cache
def accesses(class_: int) -> dict[str, Callable]:
    """The accesses of an alias class: load(array, i, j, ...); store, add, sub(array, i, j, ..., value)."""

    def load(context, builder, signature, args):
        return _Cell(context, builder, signature.args[0], args[0], args[1:], class_).load()

    def writer(combine: Callable | None):
        def write(context, builder, signature, args):
            cell = _Cell(context, builder, signature.args[0], args[0], args[1:-1], class_)
            dtype = signature.args[0].dtype
            cell.store(args[-1] if combine is None else combine(builder, dtype, cell.load(), args[-1]))
            return context.get_dummy_value()

        return instruction(write, lambda array, *rest: types.void(array, *_indices(array), array.dtype))

    return {
        "load": instruction(load, lambda array, *index: array.dtype(array, *_indices(array))),
        "store": writer(None),
        "add": writer(
            lambda b, t, x, y: by_parts(b, t, b.add if isinstance(t, types.Integer) else _with(b.fadd), x, y)
        ),
        "sub": writer(
            lambda b, t, x, y: by_parts(b, t, b.sub if isinstance(t, types.Integer) else _with(b.fsub), x, y)
        ),
    }


def _with(instruction: Callable) -> Callable:
    """An addition that may be rounded once with a `product`; other operands know nothing of it."""
    return partial(instruction, flags=["contract"])


def _sum(context, builder, signature, args):
    if isinstance(signature.return_type, types.Integer):
        return builder.add(*args)

    def add(a, b):
        return builder.fadd(a, b, flags=["reassoc", "nsz", "contract"])

    return by_parts(builder, signature.return_type, add, *args)


def _sum_type(a, b):
    from numba.core.registry import cpu_target

    result = cpu_target.typing_context.unify_types(types.unliteral(a), types.unliteral(b))
    return result(result, result)


def _product(context, builder, signature, args):
    type_ = signature.return_type
    if not isinstance(type_, types.Float):
        return context.get_function(operator.mul, signature)(builder, args)
    a, b = (context.cast(builder, x, t, type_) for x, t in zip(args, signature.args, strict=True))
    return builder.fmul(a, b, flags=["contract"])


def _product_type(a, b):
    from numba.core.registry import cpu_target

    return cpu_target.typing_context.resolve_function_type(operator.mul, (a, b), {})


product = instruction(_product, _product_type)  # a * b that may be rounded once with the sum that it is added to
sum_of = instruction(_sum, _sum_type)  # a + b where the order of additions is free: sums of adjoints, which vectorise


def _exp2(context, builder, signature, args):
    return builder.call(builder.module.declare_intrinsic("llvm.exp2", [args[0].type]), args)


def _exp2_type(x):
    result = x if isinstance(x, types.Float) else types.float64
    return result(result)


exp2 = instruction(_exp2, _exp2_type)  # Numba's own fails where one function takes it of both precisions


# -- arrays ----------------------------------------------------------------------------------------------------------


def array_of(*shape_and_dtype):
    """The type of a new array of lengths and a dtype, and the signature of the function that makes it."""
    *shape, dtype = shape_and_dtype
    array = types.Array(dtype.dtype, len(shape), "C")
    return array(*(types.intp for _ in shape), dtype)


def size_of(context, array_type):
    """The bytes of an element, as an LLVM value."""
    return context.get_constant(types.intp, bytes_of(context, array_type.dtype))


def strides_and_size(builder, itemsize, lengths):
    """The strides and the number of bytes of a new array, and whether that number fits no int64, as LLVM values."""
    strides: list = []
    size, too_big = itemsize, None
    for n in reversed(lengths):
        strides.insert(0, size)
        product = builder.smul_with_overflow(size, n)
        size = builder.extract_value(product, 0)
        overflow = builder.extract_value(product, 1)
        too_big = overflow if too_big is None else builder.or_(too_big, overflow)
    return strides, size, too_big


def by_rows(builder, itemsize, lengths) -> list:
    """The strides of an array by rows, of which it is known that it fits the memory."""
    strides = [itemsize]
    for n in reversed(lengths[1:]):
        strides.insert(0, builder.mul(strides[0], n, flags=["nsw"]))
    return strides


def refuse_if(context, builder, too_big) -> None:
    """Generated code that raises ValueError, as NumPy does, where the number of bytes is no int64."""
    with builder.if_then(too_big, likely=False):
        message = "the array is too big: its number of bytes does not fit an int64"
        context.call_conv.return_user_exc(builder, ValueError, (message,))


def array_value(context, builder, array_type, lengths, strides, data, owner):
    """The descriptor of a new array."""
    struct = context.get_value_type(array_type)
    fields = [ir.Constant(type_, None if k == _PARENT else ir.Undefined) for k, type_ in enumerate(struct.elements)]
    fields[_ITEMSIZE] = size_of(context, array_type)
    if owner is None:
        fields[_OWNER] = ir.Constant(struct.elements[_OWNER], None)
    count = lengths[0]
    for n in lengths[1:]:
        count = builder.mul(count, n, flags=["nsw"])
    data = builder.bitcast(data, struct.elements[_DATA])
    value = builder.insert_value(ir.Constant(struct, fields), data, _DATA)
    value = builder.insert_value(value, count, _COUNT)
    if owner is not None:
        value = builder.insert_value(value, owner, _OWNER)
    for k, (n, step) in enumerate(zip(lengths, strides, strict=True)):
        value = builder.insert_value(value, n, (_SHAPE, k))
        value = builder.insert_value(value, step, (_STRIDES, k))
    return value


def _refuse_allocation(context, builder) -> None:
    context.call_conv.return_user_exc(builder, MemoryError, ("Allocation failed (probably too large).",))


_TOO_BIG = 1  # in the place of a pointer


def _allocating(context, module: ir.Module, ndim: int, filled: bool) -> ir.Function:
    """A function that gives new memory for lengths, a size of elements and an alignment; 0 where there is none."""
    name = f"zygopy.allocate.{'zeros' if filled else 'empty'}.{ndim}"
    if name in module.globals:
        return module.globals[name]
    integer, bytes_ = ir.IntType(64), ir.IntType(8).as_pointer()
    function = ir.Function(module, ir.FunctionType(bytes_, [integer] * (ndim + 1) + [ir.IntType(32)]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    *lengths, size, align = function.args
    _, size, too_big = strides_and_size(builder, size, lengths)
    with builder.if_then(too_big, likely=False):
        builder.ret(builder.inttoptr(ir.Constant(integer, _TOO_BIG), bytes_))
    owner = allocated(builder, size, align)
    if filled:
        with builder.if_then(cgutils.is_not_null(builder, owner), likely=True):
            cgutils.memset(builder, context.nrt.meminfo_data(builder, owner), size, 0)
    builder.ret(owner)
    return function


def _allocate(context, builder, signature, args, filled: bool):
    array_type, lengths = signature.return_type, args[:-1]
    itemsize = size_of(context, array_type)
    align = ir.Constant(ir.IntType(32), context.get_preferred_array_alignment(array_type.dtype))
    owner = builder.call(_allocating(context, builder.module, len(lengths), filled), [*lengths, itemsize, align])
    address = builder.ptrtoint(owner, itemsize.type)
    with builder.if_then(builder.icmp_unsigned("<=", address, ir.Constant(address.type, _TOO_BIG)), likely=False):
        refuse_if(context, builder, cgutils.is_not_null(builder, owner))
        _refuse_allocation(context, builder)
    data = context.nrt.meminfo_data(builder, owner)
    return array_value(context, builder, array_type, lengths, by_rows(builder, itemsize, lengths), data, owner)


empty = instruction(lambda *at: _allocate(*at, filled=False), array_of)
zeros = instruction(lambda *at: _allocate(*at, filled=True), array_of)


def _allocating_in_place(context, module: ir.Module, array_type, filled: bool) -> ir.Function:
    """A function that makes an array in a place; it takes that, the place of an error, and the lengths."""
    name = f"zygopy.make.{'zeros' if filled else 'empty'}.{array_type.dtype}.{array_type.ndim}"
    if name in module.globals:
        return module.globals[name]
    struct = context.get_value_type(array_type)
    place_of_error = context.call_conv.get_function_type(types.none, ()).args[1]
    takes = [struct.as_pointer(), place_of_error, *[ir.IntType(64)] * array_type.ndim]
    function = ir.Function(module, ir.FunctionType(ir.IntType(32), takes), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    place, _, *lengths = function.args
    dtype = ir.Constant(ir.IntType(8), None)
    builder.store(_allocate(context, builder, array_type(), [*lengths, dtype], filled), place)
    builder.ret(ir.Constant(ir.IntType(32), 0))
    return function


def _in_place(filled: bool) -> Callable:
    def call(context, builder, signature, args, place, place_of_error):
        function = _allocating_in_place(context, builder.module, signature.return_type, filled)
        return builder.call(function, [place, place_of_error, *args[:-1]])

    return call


IN_PLACE.update({empty: _in_place(filled=False), zeros: _in_place(filled=True)})


@cache
def length(axis: int) -> Callable:
    """The length of an array along an axis."""

    def generate(context, builder, signature, args):
        return builder.extract_value(args[0], (_SHAPE, axis))

    made = instruction(generate, lambda array: types.intp(array))
    READS_NO_ELEMENT.add(made)
    return made


def _transposed(context, builder, signature, args):
    axes = range(signature.return_type.ndim)
    value = args[0]
    for field in (_SHAPE, _STRIDES):
        found = [builder.extract_value(args[0], (field, k)) for k in axes]
        for k, n in zip(axes, reversed(found), strict=True):
            value = builder.insert_value(value, n, (field, k))
    context.nrt.incref(builder, signature.return_type, value)
    return value


transposed = instruction(  # array.T
    _transposed, lambda array: array.copy(layout={"C": "F", "F": "C"}.get(array.layout, "A"))(array)
)


def _reshaped(context, builder, signature, args):
    array_type, (array, *lengths) = signature.return_type, args
    strides = by_rows(builder, size_of(context, array_type), lengths)
    owner, data = (builder.extract_value(array, k) for k in (_OWNER, _DATA))
    value = array_value(context, builder, array_type, lengths, strides, data, owner)
    value = builder.insert_value(value, builder.extract_value(array, _PARENT), _PARENT)
    context.nrt.incref(builder, array_type, value)
    return value


reshaped = instruction(  # a contiguous array of other lengths
    _reshaped,
    lambda array, *shape: array.copy(ndim=len(shape), layout="C")(array, *(types.intp for _ in shape)),
)


@cache
def on_stack(shape: tuple[int, ...], filled: bool) -> Callable:
    """A new array of a dtype, on the stack: for functions that keep it to themselves and make it outside loops."""

    def make(context, builder, signature, args):
        array_type = signature.return_type
        element = context.get_data_type(array_type.dtype)
        itemsize = bytes_of(context, array_type.dtype)
        place = cgutils.alloca_once(builder, ir.ArrayType(element, math.prod(shape)))
        place.align = 64
        data = builder.bitcast(place, element.as_pointer())
        if filled:
            cgutils.memset(builder, data, ir.Constant(ir.IntType(64), itemsize * math.prod(shape)), 0)
        lengths = [context.get_constant(types.intp, n) for n in shape]
        steps = [itemsize * math.prod(shape[k + 1 :]) for k in range(len(shape))]
        strides = [context.get_constant(types.intp, step) for step in steps]
        return array_value(context, builder, array_type, lengths, strides, data, None)

    return instruction(make, lambda dtype: types.Array(dtype.dtype, len(shape), "C")(dtype))


def _row(context, builder, signature, args):
    array_type, result = signature.args[0], signature.return_type
    fixed, zeros_ = args[1:], [_ZERO] * result.ndim
    data = _address(builder, array_type, args[0], [*fixed, *zeros_])
    rest = range(len(fixed), array_type.ndim)
    lengths, strides = ([builder.extract_value(args[0], (f, k)) for k in rest] for f in (_SHAPE, _STRIDES))
    return array_value(context, builder, result, lengths, strides, data, None)


def _row_type(array, *index):
    return array.copy(ndim=array.ndim - len(index))(array, *(types.intp,) * len(index))


row = instruction(_row, _row_type)  # what is behind leading indices, without a share in the memory's ownership


def _hold(context, builder, signature, args):
    return context.get_dummy_value()


hold = instruction(_hold, lambda *arrays: types.void(*arrays))  # does nothing, with arrays that live until here


def _grow(context, builder, signature, args):
    array_type = signature.return_type
    rows, *width = (builder.extract_value(args[0], (_SHAPE, k)) for k in range(array_type.ndim))
    old = builder.extract_value(args[0], _DATA)
    lengths = [builder.mul(rows, ir.Constant(rows.type, 2)), *width]
    strides, size, too_big = strides_and_size(builder, size_of(context, array_type), lengths)
    refuse_if(context, builder, too_big)
    align = ir.Constant(ir.IntType(32), context.get_preferred_array_alignment(array_type.dtype))
    owner = allocated(builder, size, align)
    with builder.if_then(cgutils.is_null(builder, owner), likely=False):
        _refuse_allocation(context, builder)
    data = context.nrt.meminfo_data(builder, owner)
    used = builder.udiv(size, ir.Constant(size.type, 2))
    cgutils.raw_memcpy(builder, data, builder.bitcast(old, data.type), used, ir.Constant(size.type, 1))
    return array_value(context, builder, array_type, lengths, strides, data, owner)


grow = instruction(_grow, lambda tape: tape(tape))  # an array of twice as many rows with the same contents
