"""Memory for the arrays of compiled code, kept for the next array of its size when an array dies.

The system takes back what is freed, and fresh pages cost several times the work on them: a page fault for each 4 KiB.
So buffers above a few pages have sizes of four classes for each power of two, and a list for each class holds those
that nobody uses, for all programs and threads of the process. When they come to be too many, all are freed.

Nobody waits for the lock of the lists: who finds it taken does without them. So a process that was forked while another
thread held it runs on.

A buffer has a header before it: the address that `malloc` gave, and its class. In a list it begins with the next one's
address.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from llvmlite import ir
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock

from zygopy.backends.numba_private import kept_library, provider, use

_I32, _I64, _BYTES = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
_SMALLEST = 32 << 10  # bytes; smaller arrays are left to Numba
_KEEP_AT_MOST = 1 << 30  # bytes in all that nobody uses
_CLASSES = 4 * 64
_ALIGNED, _HEADER = 64, 16  # bytes
_LARGE = 4 << 20  # bytes, from which on NumPy too asks for large pages
_PAGE, _MADV_HUGEPAGE = 4096, 14  # of Linux, sys/mman.h
_NEW, _RELEASE = "zygopy.memory.new", "zygopy.memory.release"
_NEW_TYPE = ir.FunctionType(_BYTES, [_I64, _I32])
_ALLOCATE = 1  # the place of `allocate_external` in Numba's nrt_external.h


def release_memory() -> int:
    """Give the memory that is kept for arrays, and that none uses, back to the system.

    Compiled code keeps memory of arrays of 32 KiB and more when they are no longer used, since new memory of the
    system's is slow: at most 1 GiB.

    Returns
    -------
    int
        The number of bytes.

    Examples
    --------
    >>> import numpy as np
    >>> import zygopy as zg
    >>> gradient = zg.grad(lambda x: np.sum(x * x))(np.ones(100_000))
    >>> del gradient  # 800,000 bytes, which are kept
    >>> zg.release_memory() >= 800_000
    True
    >>> zg.release_memory()
    0
    """
    return ctypes.CFUNCTYPE(ctypes.c_int64)(_address_of("release"))()


def allocated(builder: ir.IRBuilder, size: ir.Value, align: ir.Value) -> ir.Value:
    """The owner of new memory of a size and an alignment; 0 where there is none."""
    use(builder.module, _NEW)
    return builder.call(cgutils.get_or_insert_function(builder.module, _NEW_TYPE, _NEW), [size, align])


@provider("memory")
def _address_of(what: str) -> int:
    return _library().get_pointer_to_function(f"zygopy.memory.{what}")


@global_compiler_lock
@cache
def _library():
    return kept_library("zygopy.memory", _define)


def _define(module: ir.Module) -> None:
    lists = _Lists(module)
    empty = _define_empty(module, lists)
    _define_release(module, lists, empty)
    _define_new(module, _define_take(module, lists), _define_give(module, lists, empty))


def _number(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)


def _function(module: ir.Module, name: str, result: ir.Type, *args: ir.Type) -> tuple[ir.Function, ir.IRBuilder]:
    function = ir.Function(module, ir.FunctionType(result, args), name)
    return function, ir.IRBuilder(function.append_basic_block("entry"))


def _called(builder: ir.IRBuilder, name: str, result: ir.Type, *args: ir.Value) -> ir.Value:
    type_ = ir.FunctionType(result, [a.type for a in args])
    return builder.call(cgutils.get_or_insert_function(builder.module, type_, name), args)


class _Lists:
    """The buffers that nobody uses, as generated code sees them: the first of each class, and how many bytes in all."""

    def __init__(self, module: ir.Module):
        self.heads, self.kept, self._lock = (
            ir.GlobalVariable(module, type_, f"zygopy.memory.{name}")
            for name, type_ in (("heads", ir.ArrayType(_I64, _CLASSES)), ("kept", _I64), ("lock", _I64))
        )
        for variable in (self.heads, self.kept, self._lock):
            variable.linkage, variable.initializer = "internal", ir.Constant(variable.value_type, None)

    @contextmanager
    def locked(self, builder: ir.IRBuilder) -> Iterator[None]:
        """Generated code that runs with the lock, if it is free."""
        before = builder.atomic_rmw("xchg", self._lock, _number(1), "acquire")
        with builder.if_then(builder.icmp_unsigned("==", before, _number(0))):
            yield
            builder.store_atomic(_number(0), self._lock, "release", 8)

    def head(self, builder: ir.IRBuilder, class_: ir.Value) -> ir.Value:
        return builder.gep(self.heads, [_number(0), class_])

    def add(self, builder: ir.IRBuilder, room: ir.Value) -> None:
        builder.store(builder.add(builder.load(self.kept), room), self.kept)


def _next(builder: ir.IRBuilder, buffer: ir.Value) -> ir.Value:
    return builder.inttoptr(buffer, _I64.as_pointer())


def _header(builder: ir.IRBuilder, buffer: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The places of the address that `malloc` gave, and of the class."""
    header = builder.inttoptr(builder.sub(buffer, _number(_HEADER)), _I64.as_pointer())
    return header, builder.gep(header, [_number(1)])


def _free(builder: ir.IRBuilder, address: ir.Value) -> None:
    _called(builder, "free", ir.VoidType(), builder.inttoptr(address, _BYTES))


def _room(builder: ir.IRBuilder, class_: ir.Value) -> ir.Value:
    """The bytes of the buffers of a class: 5, 6, 7 or 8 quarters of a power of two."""
    quarters = builder.add(builder.and_(class_, _number(3)), _number(5))
    return builder.shl(quarters, builder.sub(builder.lshr(class_, _number(2)), _number(2)))


def _class_of(builder: ir.IRBuilder, size: ir.Value) -> ir.Value:
    """The class of the smallest buffers that have so many bytes."""
    less = builder.sub(size, _number(1))
    exponent = builder.sub(_number(63), builder.ctlz(less, ir.Constant(ir.IntType(1), 0)))
    quarter = builder.and_(builder.lshr(less, builder.sub(exponent, _number(2))), _number(3))
    return builder.add(builder.shl(exponent, _number(2)), quarter)


def _define_new(module: ir.Module, take: ir.Function, give: ir.Function) -> None:
    """The function that gives an owner of memory: Numba's, which lets an allocator of ours serve larger ones."""
    functions = [take.bitcast(_BYTES), ir.Constant(_BYTES, None), give.bitcast(_BYTES), ir.Constant(_BYTES, None)]
    allocator = ir.GlobalVariable(module, ir.ArrayType(_BYTES, 4), "zygopy.memory.allocator")
    allocator.linkage, allocator.initializer = "internal", ir.Constant(allocator.value_type, functions)
    new, builder = _function(module, _NEW, _BYTES, _I64, _I32)
    size, align = new.args
    with builder.if_then(builder.icmp_unsigned("<", size, _number(_SMALLEST))):
        builder.ret(_called(builder, "NRT_MemInfo_alloc_aligned", _BYTES, size, align))
    interface = builder.bitcast(_called(builder, "NRT_get_api", _BYTES), _BYTES.as_pointer())
    allocate = builder.load(builder.gep(interface, [_number(_ALLOCATE)]))
    allocate = builder.bitcast(allocate, ir.FunctionType(_BYTES, [_I64, _BYTES]).as_pointer())
    builder.ret(builder.call(allocate, [size, builder.bitcast(allocator, _BYTES)]))


def _define_take(module: ir.Module, lists: _Lists) -> ir.Function:
    """The allocator's malloc: a buffer of the class that nobody uses, or a new one."""
    take, builder = _function(module, "zygopy.memory.take", _BYTES, _I64, _BYTES)
    class_ = _class_of(builder, take.args[0])
    room, found = _room(builder, class_), cgutils.alloca_once_value(builder, _number(0))
    with lists.locked(builder):
        head = lists.head(builder, class_)
        first = builder.load(head)
        with builder.if_then(builder.icmp_unsigned("!=", first, _number(0))):
            builder.store(builder.load(_next(builder, first)), head)
            lists.add(builder, builder.neg(room))
        builder.store(first, found)
    with builder.if_then(builder.icmp_unsigned("!=", builder.load(found), _number(0))):
        builder.ret(builder.inttoptr(builder.load(found), _BYTES))
    builder.ret(builder.inttoptr(_from_system(builder, class_, room), _BYTES))
    return take


def _from_system(builder: ir.IRBuilder, class_: ir.Value, room: ir.Value) -> ir.Value:
    """A new buffer; generated code returns 0 where there is no memory.

    Numba puts 48 bytes before the data: these start where a line of memory does.
    """
    raw = _called(builder, "malloc", _BYTES, builder.add(room, _number(_HEADER + _ALIGNED)))
    with builder.if_then(cgutils.is_null(builder, raw), likely=False):
        builder.ret(raw)
    address = builder.ptrtoint(raw, _I64)
    up = builder.and_(builder.add(address, _number(_ALIGNED - 1)), _number(-_ALIGNED))
    buffer = builder.add(up, _number(_HEADER))
    for place, value in zip(_header(builder, buffer), (address, class_), strict=True):
        builder.store(value, place)
    _ask_for_large_pages(builder, buffer, room)
    return buffer


def _ask_for_large_pages(builder: ir.IRBuilder, address: ir.Value, size: ir.Value) -> None:
    """Say that large memory may come in large pages: each small one costs a page fault."""
    if not sys.platform.startswith("linux"):
        return
    with builder.if_then(builder.icmp_unsigned(">=", size, _number(_LARGE)), likely=False):
        up = builder.add(address, _number(_PAGE - 1))
        start = builder.and_(up, _number(-_PAGE))
        length = builder.sub(size, builder.sub(start, address))
        advice = ir.Constant(_I32, _MADV_HUGEPAGE)
        _called(builder, "madvise", _I32, builder.inttoptr(start, _BYTES), length, advice)


def _define_give(module: ir.Module, lists: _Lists, empty: ir.Function) -> ir.Function:
    """The allocator's free: the buffer goes to the list of its class, or back to the system."""
    give, builder = _function(module, "zygopy.memory.give", ir.VoidType(), _BYTES, _BYTES)
    buffer, most = builder.ptrtoint(give.args[0], _I64), _number(_KEEP_AT_MOST)
    address, class_ = (builder.load(place) for place in _header(builder, buffer))
    room, to_free = _room(builder, class_), cgutils.alloca_once_value(builder, address)
    with builder.if_then(builder.icmp_unsigned("<=", room, most)), lists.locked(builder):
        total = builder.add(builder.load(lists.kept), room)
        with builder.if_then(builder.icmp_unsigned(">", total, most), likely=False):
            builder.call(empty, [])
        head = lists.head(builder, class_)
        builder.store(builder.load(head), _next(builder, buffer))
        builder.store(buffer, head)
        lists.add(builder, room)
        builder.store(_number(0), to_free)
    _free(builder, builder.load(to_free))
    builder.ret_void()
    return give


def _define_empty(module: ir.Module, lists: _Lists) -> ir.Function:
    """The function that frees all buffers in the lists; who calls it has the lock."""
    empty, builder = _function(module, "zygopy.memory.empty", ir.VoidType())
    with cgutils.for_range(builder, _number(_CLASSES)) as loop:
        head = lists.head(builder, loop.index)
        more, done = (builder.append_basic_block(name) for name in ("more", "done"))
        first, before = builder.load(head), builder.block
        builder.cbranch(builder.icmp_unsigned("!=", first, _number(0)), more, done)
        builder.position_at_end(more)
        buffer = builder.phi(_I64)
        buffer.add_incoming(first, before)
        after = builder.load(_next(builder, buffer))
        _free(builder, builder.load(_header(builder, buffer)[0]))
        buffer.add_incoming(after, more)
        builder.cbranch(builder.icmp_unsigned("!=", after, _number(0)), more, done)
        builder.position_at_end(done)
        builder.store(_number(0), head)
    builder.store(_number(0), lists.kept)
    builder.ret_void()
    return empty


def _define_release(module: ir.Module, lists: _Lists, empty: ir.Function) -> None:
    """The function that frees all buffers in the lists and gives the number of bytes."""
    _, builder = _function(module, _RELEASE, _I64)
    released = cgutils.alloca_once_value(builder, _number(0))
    with lists.locked(builder):
        builder.store(builder.load(lists.kept), released)
        builder.call(empty, [])
    builder.ret(builder.load(released))
