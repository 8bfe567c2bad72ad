"""Element access for emitted code: loads, stores and additions without wraparound, reference counts or stack copies.

Numba's own getitem copies the array's descriptor to the stack for each access, which makes compile time quadratic, and tests
each index for being negative. Emitted indices are in range already.
"""

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_DATA, _SHAPE, _STRIDES = 4, 5, 6  # fields of the array descriptor


def _address(context, builder, array_type, array, index):
    data = builder.extract_value(array, _DATA)
    axes = range(array_type.ndim)
    if array_type.layout == "C":
        offset = builder.extract_value(index, 0)
        for k in axes[1:]:
            length = builder.extract_value(array, (_SHAPE, k))
            row = builder.mul(offset, length, flags=["nsw", "nuw"])
            offset = builder.add(row, builder.extract_value(index, k), flags=["nsw", "nuw"])
        return builder.gep(data, [offset], inbounds=True)
    offset = None
    for k in axes:
        step = builder.extract_value(array, (_STRIDES, k))
        part = builder.mul(builder.extract_value(index, k), step, flags=["nsw"])
        offset = part if offset is None else builder.add(offset, part, flags=["nsw"])
    bytes_ = builder.bitcast(data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(bytes_, [offset], inbounds=True), data.type)


def _index(array, index):
    return isinstance(array, types.Array) and isinstance(index, types.BaseTuple) and len(index) == array.ndim


@intrinsic
def load(typing_context, array, index):
    """array[index], index a tuple in range."""
    if not _index(array, index):
        return None

    def generate(context, builder, signature, args):
        pointer = _address(context, builder, signature.args[0], args[0], args[1])
        return context.unpack_value(builder, signature.return_type, pointer)

    return array.dtype(array, types.UniTuple(types.intp, array.ndim)), generate


@intrinsic
def store(typing_context, array, index, value):
    """array[index] = value"""
    if not _index(array, index):
        return None

    def generate(context, builder, signature, args):
        pointer = _address(context, builder, signature.args[0], args[0], args[1])
        context.pack_value(builder, signature.args[0].dtype, args[2], pointer)
        return context.get_dummy_value()

    return types.void(array, types.UniTuple(types.intp, array.ndim), array.dtype), generate


def _accumulate(float_op: str, integer_op: str):
    @intrinsic
    def accumulate(typing_context, array, index, value):
        if not _index(array, index):
            return None

        def generate(context, builder, signature, args):
            type_ = signature.args[0].dtype
            pointer = _address(context, builder, signature.args[0], args[0], args[1])
            old = context.unpack_value(builder, type_, pointer)
            op = getattr(builder, float_op if isinstance(type_, types.Float) else integer_op)
            context.pack_value(builder, type_, op(old, args[2]), pointer)
            return context.get_dummy_value()

        return types.void(array, types.UniTuple(types.intp, array.ndim), array.dtype), generate

    return accumulate


add_to = _accumulate("fadd", "add")
subtract_from = _accumulate("fsub", "sub")
