"""Memory for tapes that is kept between calls.

Fresh pages cost several times the work on a large tape. Each place in the code that makes a tape has a slot; a call
takes the buffer out of it (so that threads never share one), and puts it back when the tape's last reference goes.

A buffer starts with a header: its capacity in bytes and the address of its slot.
"""

from llvmlite import ir
from numba.core import cgutils

from zygopy.backends.intrinsics import (
    array_of,
    array_value,
    ask_for_large_pages,
    refuse_if,
    size_of,
    strides_and_size,
)
from zygopy.backends.numba_private import instruction

_HEADER = 64  # bytes, which also keeps the data aligned
_KEEP_AT_MOST = 1 << 29  # bytes; larger buffers are freed
_I64, _BYTES = ir.IntType(64), ir.IntType(8).as_pointer()


def _scratch(context, builder, signature, args):
    array_type, lengths = signature.return_type, args[:-1]
    strides, size, too_big = strides_and_size(builder, size_of(context, array_type), lengths)
    refuse_if(context, builder, too_big)
    data = _take(context, builder, size)
    owner = context.nrt.meminfo_alloc_dtor(builder, ir.Constant(_I64, 8), _put_back(builder.module))
    held = builder.bitcast(context.nrt.meminfo_data(builder, owner), _BYTES.as_pointer())
    builder.store(data, held)
    return array_value(context, builder, array_type, lengths, strides, data, owner)


scratch = instruction(_scratch, array_of)  # an array of a shape and dtype, not initialised, in kept memory


def _slot(module: ir.Module) -> ir.GlobalVariable:
    """A new place for one buffer's address, 0 if there is none."""
    slot = ir.GlobalVariable(module, _I64, module.get_unique_name("zygopy.scratch"))
    slot.linkage, slot.initializer = "internal", ir.Constant(_I64, 0)
    return slot


def _function(module: ir.Module, name: str, result: ir.Type, *args: ir.Type) -> ir.Function:
    return cgutils.get_or_insert_function(module, ir.FunctionType(result, args), name)


def _take(context, builder: ir.IRBuilder, size: ir.Value) -> ir.Value:
    """The data of a buffer of at least `size` bytes: the one in the slot, or a new one."""
    module = builder.module
    slot = _slot(module)
    taken = builder.atomic_rmw("xchg", slot, ir.Constant(_I64, 0), "acq_rel")
    buffer = cgutils.alloca_once_value(builder, taken)
    exists = builder.icmp_unsigned("!=", taken, ir.Constant(_I64, 0))
    fits = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(1), 0))
    with builder.if_then(exists):
        capacity = builder.load(builder.inttoptr(taken, _I64.as_pointer()))
        builder.store(builder.icmp_unsigned(">=", capacity, size), fits)
    with builder.if_then(builder.not_(builder.load(fits)), likely=False):
        builder.call(_function(module, "free", ir.VoidType(), _BYTES), [builder.inttoptr(taken, _BYTES)])
        room = builder.add(size, ir.Constant(_I64, _HEADER))
        new = builder.ptrtoint(builder.call(_function(module, "malloc", _BYTES, _I64), [room]), _I64)
        with builder.if_then(builder.icmp_unsigned("==", new, ir.Constant(_I64, 0)), likely=False):
            context.call_conv.return_user_exc(builder, MemoryError, ("no memory for the tape",))
        header = builder.inttoptr(new, _I64.as_pointer())
        builder.store(size, header)
        builder.store(builder.ptrtoint(slot, _I64), builder.gep(header, [ir.Constant(_I64, 1)]))
        builder.store(new, buffer)
        ask_for_large_pages(builder, builder.inttoptr(new, _BYTES), size)
    return builder.gep(builder.inttoptr(builder.load(buffer), _BYTES), [ir.Constant(_I64, _HEADER)])


def _put_back(module: ir.Module) -> ir.Function:
    """The function that is called with the place that holds a buffer's data when its array dies."""
    name = "zygopy.scratch.put_back"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_BYTES, _I64, _BYTES]), name)
    function.linkage = "internal"
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    data = builder.load(builder.bitcast(function.args[0], _BYTES.as_pointer()))
    buffer = builder.gep(data, [ir.Constant(_I64, -_HEADER)])
    header = builder.bitcast(buffer, _I64.as_pointer())
    keep = builder.icmp_unsigned("<=", builder.load(header), ir.Constant(_I64, _KEEP_AT_MOST))
    free = _function(module, "free", ir.VoidType(), _BYTES)
    with builder.if_else(keep) as (then, otherwise):
        with then:
            slot = builder.inttoptr(builder.load(builder.gep(header, [ir.Constant(_I64, 1)])), _I64.as_pointer())
            old = builder.atomic_rmw("xchg", slot, builder.ptrtoint(buffer, _I64), "acq_rel")
            builder.call(free, [builder.inttoptr(old, _BYTES)])
        with otherwise:
            builder.call(free, [buffer])
    builder.ret_void()
    return function
