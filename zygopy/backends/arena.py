"""The tape of records that calls push and pop, in compiled code: a growing buffer of any values, one behind the other.

A record is the struct of its values, its size in bytes, and the address of the function that gives up what it owns: it
is called for records that are left when the arena dies, because an error ended the program between two calls.

To Numba an arena is an array of three integers: the buffer's address, the bytes used, and the bytes there are.
"""

from collections.abc import Callable
from functools import cache

from llvmlite import ir
from numba.core import cgutils, types

from zygopy.backends.intrinsics import array_value
from zygopy.backends.numba_private import instruction

TYPE = types.Array(types.int64, 1, "C")
_I64, _BYTES = ir.IntType(64), ir.IntType(8).as_pointer()
_FOOTER = 16  # bytes: the size and the function
_SMALLEST = 4096  # bytes
_BUFFER, _USED, _ROOM = range(3)
_DATA = 4  # field of the array descriptor


def _function(module: ir.Module, name: str, result: ir.Type, *args: ir.Type) -> ir.Function:
    return cgutils.get_or_insert_function(module, ir.FunctionType(result, args), name)


def _constant(number: int) -> ir.Constant:
    return ir.Constant(_I64, number)


def _field(builder: ir.IRBuilder, arena: ir.Value, which: int) -> ir.Value:
    return builder.gep(builder.extract_value(arena, _DATA), [_constant(which)])


def _new(context, builder, signature, args):
    owner = context.nrt.meminfo_alloc_dtor(builder, _constant(24), _release(builder.module))
    data = context.nrt.meminfo_data(builder, owner)
    cgutils.memset(builder, data, _constant(24), 0)
    return array_value(context, builder, TYPE, [_constant(3)], [_constant(8)], data, owner)


new = instruction(_new, lambda: TYPE())  # an empty arena


def _release(module: ir.Module) -> ir.Function:
    """The function that is called with an arena's three integers when it dies."""
    name = "zygopy.arena.release"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_BYTES, _I64, _BYTES]), name)
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    fields = builder.bitcast(function.args[0], _I64.as_pointer())
    buffer = builder.load(builder.gep(fields, [_constant(_BUFFER)]))
    used = builder.gep(fields, [_constant(_USED)])
    test, body, end = (function.append_basic_block(name) for name in ("test", "body", "end"))
    builder.branch(test)
    builder.position_at_end(test)
    top = builder.load(used)
    builder.cbranch(builder.icmp_signed(">", top, _constant(0)), body, end)
    builder.position_at_end(body)
    footer = builder.inttoptr(builder.add(buffer, builder.sub(top, _constant(_FOOTER))), _I64.as_pointer())
    start = builder.sub(builder.sub(top, _constant(_FOOTER)), builder.load(footer))
    give_up = builder.load(builder.gep(footer, [_constant(1)]))
    takes = ir.FunctionType(ir.VoidType(), [_BYTES]).as_pointer()
    builder.call(builder.inttoptr(give_up, takes), [builder.inttoptr(builder.add(buffer, start), _BYTES)])
    builder.store(start, used)
    builder.branch(test)
    builder.position_at_end(end)
    builder.call(_function(module, "free", ir.VoidType(), _BYTES), [builder.inttoptr(buffer, _BYTES)])
    builder.ret_void()
    return function


class _Record:
    """The layout of a record."""

    def __init__(self, context, kinds: tuple):
        self.context, self.kinds = context, kinds
        self.models = [context.data_model_manager[kind] for kind in kinds]
        self.struct = ir.LiteralStructType([model.get_data_type() for model in self.models])
        self.size = -(-context.get_abi_sizeof(self.struct) // 16) * 16 if kinds else 0

    def load(self, builder: ir.IRBuilder, place: ir.Value) -> list[ir.Value]:
        """The values of the record at a place."""
        pointer = builder.bitcast(place, self.struct.as_pointer())
        fields = [cgutils.gep_inbounds(builder, pointer, 0, k) for k in range(len(self.kinds))]
        pairs = zip(self.models, fields, strict=True)
        return [model.from_data(builder, builder.load(field)) for model, field in pairs]

    def store(self, builder: ir.IRBuilder, place: ir.Value, values: list[ir.Value]) -> None:
        pointer = builder.bitcast(place, self.struct.as_pointer())
        for k, (model, value) in enumerate(zip(self.models, values, strict=True)):
            builder.store(model.as_data(builder, value), cgutils.gep_inbounds(builder, pointer, 0, k))

    def giving_up(self, module: ir.Module) -> ir.Function:
        """A function that takes a record's place and gives up what the record owns."""
        takes = ir.FunctionType(ir.VoidType(), [_BYTES])
        function = ir.Function(module, takes, module.get_unique_name("zygopy.record.give_up"))
        function.linkage = "internal"
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        for kind, value in zip(self.kinds, self.load(builder, function.args[0]), strict=True):
            self.context.nrt.decref(builder, kind, value)
        builder.ret_void()
        return function


def _push(context, builder, signature, args):
    arena, *values = args
    record = _Record(context, signature.args[1:])
    module = builder.module
    buffer, used, room = (_field(builder, arena, which) for which in (_BUFFER, _USED, _ROOM))
    top = builder.load(used)
    after = builder.add(top, _constant(record.size + _FOOTER))
    with builder.if_then(builder.icmp_signed(">", after, builder.load(room)), likely=False):
        doubled = builder.add(builder.add(after, after), _constant(_SMALLEST))
        old = builder.inttoptr(builder.load(buffer), _BYTES)
        grown = builder.call(_function(module, "realloc", _BYTES, _BYTES, _I64), [old, doubled])
        with builder.if_then(cgutils.is_null(builder, grown), likely=False):
            context.call_conv.return_user_exc(builder, MemoryError, ("no memory for the tape",))
        builder.store(builder.ptrtoint(grown, _I64), buffer)
        builder.store(doubled, room)
    place = builder.inttoptr(builder.add(builder.load(buffer), top), _BYTES)
    for kind, value in zip(record.kinds, values, strict=True):
        context.nrt.incref(builder, kind, value)
    record.store(builder, place, values)
    footer = builder.bitcast(builder.gep(place, [_constant(record.size)]), _I64.as_pointer())
    builder.store(_constant(record.size), footer)
    builder.store(builder.ptrtoint(record.giving_up(module), _I64), builder.gep(footer, [_constant(1)]))
    builder.store(after, used)
    return context.get_dummy_value()


push = instruction(_push, lambda arena, *values: types.none(arena, *map(types.unliteral, values)))


@cache
def pop(kinds: tuple) -> Callable:
    """What takes the last record, of values of these types, as a tuple."""

    def generate(context, builder, signature, args):
        record = _Record(context, kinds)
        buffer, used = (_field(builder, args[0], which) for which in (_BUFFER, _USED))
        start = builder.sub(builder.load(used), _constant(record.size + _FOOTER))
        builder.store(start, used)
        place = builder.inttoptr(builder.add(builder.load(buffer), start), _BYTES)
        return context.make_tuple(builder, signature.return_type, record.load(builder, place))

    return instruction(generate, lambda arena: types.Tuple(kinds)(arena))
