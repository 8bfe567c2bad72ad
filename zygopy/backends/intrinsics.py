"""Element access for emitted code: loads, stores and additions without wraparound, reference counts or stack copies.

Numba's own getitem copies the array's descriptor to the stack for each access, which makes compile time quadratic,
and tests each index for being negative. Emitted indices are in range already. Each alias class of arrays has its own
accesses, marked (as C compilers mark types, LLVM Language Reference, "TBAA metadata") as never meeting those of
another class.
"""

from collections.abc import Callable
from functools import cache

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_DATA, _SHAPE, _STRIDES = 4, 5, 6  # fields of the array descriptor
_ZERO = ir.Constant(ir.IntType(64), 0)


def _address(builder, array_type, array, index):
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


def _fits(array, index) -> bool:
    return isinstance(array, types.Array) and isinstance(index, types.BaseTuple) and len(index) == array.ndim


@cache
def accesses(class_: int) -> dict[str, Callable]:
    """The accesses of an alias class: load(array, index); store, add, sub(array, index, value); index a tuple."""

    @intrinsic
    def load(typing_context, array, index):
        if not _fits(array, index):
            return None

        def generate(context, builder, signature, args):
            return _Cell(context, builder, signature.args[0], *args, class_).load()

        return array.dtype(array, types.UniTuple(types.intp, array.ndim)), generate

    def writer(combine: Callable | None):
        @intrinsic
        def write(typing_context, array, index, value):
            if not _fits(array, index):
                return None

            def generate(context, builder, signature, args):
                cell = _Cell(context, builder, signature.args[0], args[0], args[1], class_)
                is_float = isinstance(signature.args[0].dtype, types.Float)
                cell.store(args[2] if combine is None else combine(builder, is_float, cell.load(), args[2]))
                return context.get_dummy_value()

            return types.void(array, types.UniTuple(types.intp, array.ndim), array.dtype), generate

        return write

    return {
        "load": load,
        "store": writer(None),
        "add": writer(lambda b, is_float, x, y: (b.fadd if is_float else b.add)(x, y)),
        "sub": writer(lambda b, is_float, x, y: (b.fsub if is_float else b.sub)(x, y)),
    }


@intrinsic
def sum_of(typing_context, a, b):
    """a + b where the order of additions is free: sums of adjoints, which vectorise."""
    result = typing_context.unify_types(a, b)

    def generate(context, builder, signature, args):
        x, y = (context.cast(builder, v, t, result) for v, t in zip(args, signature.args, strict=True))
        if isinstance(result, types.Integer):
            return builder.add(x, y)
        return builder.fadd(x, y, flags=["reassoc", "nsz"])

    return result(a, b), generate
