"""Numba's lowering, with fewer instructions for what emitted code is made of, and LLVM's passes, each run once.

This file touches Numba's private interfaces as `numba_private` does. The time to a first gradient is that of LLVM and
of writing its text, in proportion to the number of instructions, and most of them are not the program's own: Numba
writes 120 for the head of a loop over a range, 15 where it gives up an array, 60 to take an argument from Python.
"""

from collections import Counter
from functools import cache, cached_property
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as llvm_ir
from numba.core import cgutils, ir, lowering, types
from numba.core.callwrapper import PyCallWrapper
from numba.core.codegen import JITCodeLibrary, _parse_refprune_flags
from numba.core.ir_utils import get_definition, guard
from numba.core.pythonapi import NativeValue, PythonAPI
from numba.core.runtime.nrtdynmod import incref_decref_ty
from numba.np.numpy_support import as_dtype

_RANGE, _RANGE_ITERATOR = types.range_state64_type, types.range_iter64_type
_OWNER = 0  # field of the array descriptor
_PLAIN = (types.Number, types.Boolean, types.RangeType, types.RangeIteratorType, types.NoneType)


@cache
def is_counted(type_: types.Type) -> bool:
    """Whether values of a type may own memory."""
    if isinstance(type_, types.BaseTuple):
        return any(map(is_counted, items(type_)))
    return not isinstance(type_, _PLAIN)


def items(type_: Any) -> tuple[types.Type, ...]:
    """The types of a tuple's items."""
    return type_.types


def is_array(type_: types.Type) -> bool:
    return isinstance(type_, types.Array) and isinstance(type_.dtype, types.Number | types.Boolean)


@cache
def bytes_of(context, type_: types.Type) -> int:
    """The size of a value in memory; LLVM reads a program for each answer."""
    return context.get_abi_sizeof(context.get_data_type(type_))


def new_place(builder: llvm_ir.IRBuilder, type_: llvm_ir.Type) -> llvm_ir.Value:
    """A place on the stack for a value, with nothing in it: Numba fills each with zeros, field by field."""
    with builder.goto_entry_block():
        return builder.alloca(type_)


class Lower(lowering.Lower):
    """Numba's lowering of a function to LLVM instructions."""

    def lower_binop(self, resty, expr, op):
        """As Numba does, with the signature that type inference found, which Numba looks up twice more."""
        if expr.static_lhs is not ir.UNDEFINED or expr.static_rhs is not ir.UNDEFINED:
            return super().lower_binop(resty, expr, op)
        found = self.fndesc.calltypes[expr]
        sides = zip((expr.lhs.name, expr.rhs.name), found.args, strict=True)
        args = [self.context.cast(self.builder, self.loadvar(n), self.typeof(n), t) for n, t in sides]
        function = self.context.get_function(self.context.typing_context.resolve_value_type(op), found)
        return self.context.cast(self.builder, function(self.builder, args), found.return_type, resty)

    def lower_inst(self, inst):
        super().lower_inst(inst)
        if isinstance(inst, ir.Jump) and self.blkmap[inst.target].is_terminated:  # back to the head of a loop
            self.builder.block.terminator.set_metadata("llvm.loop", self._loop)

    @cached_property
    def _loop(self) -> llvm_ir.MDValue:
        """What loops are told: to run several trips at once saves no time here, and is much code to compile.

        LLVM knows such a node by its first operand, the node itself.
        """
        told = self.module.add_metadata(["llvm.loop.unroll.runtime.disable"])
        node = llvm_ir.MDValue(self.module, (told,), name=str(len(self.module.metadata)))
        node.operands = (node, told)
        return node

    def alloca(self, name, type):
        """A variable's place; what it may own is nothing before it is assigned."""
        if not is_array(type) and is_counted(type):
            return super().alloca(name, type)
        place = new_place(self.builder, self.context.get_value_type(type))
        if is_array(type):
            with self.builder.goto_entry_block():
                self.disown(place)
        return place

    def disown(self, place: llvm_ir.Value) -> None:
        """Have the array in a place own nothing."""
        owner = self.owner(place)
        self.builder.store(owner.type.pointee(None), owner)

    def owner(self, place: llvm_ir.Value) -> llvm_ir.Value:
        return cgutils.gep_inbounds(self.builder, place, 0, _OWNER)

    # -- references --------------------------------------------------------------------------------------------------

    @cached_property
    def _borrowed(self) -> set[str]:
        """Parameters that are never assigned: what they own belongs to the caller until this function returns."""
        assigned = [s for block in self.func_ir.blocks.values() for s in block.find_insts(ir.Assign)]
        counts = Counter(s.target.name for s in assigned)
        return {s.target.name for s in assigned if isinstance(s.value, ir.Arg) and counts[s.target.name] == 1}

    def lower_assign(self, ty, inst):
        value = inst.value
        if isinstance(value, ir.Arg) and inst.target.name in self._borrowed:
            given = self.typeof(f"arg.{value.name}")
            if not isinstance(given, types.Omitted):
                return self.context.cast(self.builder, self.fnargs[value.index], given, ty)
        return super().lower_assign(ty, inst)

    def delvar(self, name):
        if name not in self._borrowed and is_counted(self.typeof(name)):
            super().delvar(name)

    def incref(self, typ, val):
        self._count("NRT_incref", typ, val)

    def decref(self, typ, val):
        self._count("NRT_decref", typ, val)

    def _count(self, function: str, type_: types.Type, value: llvm_ir.Value) -> None:
        if not is_counted(type_):
            return
        if isinstance(type_, types.BaseTuple):
            for k, item in enumerate(items(type_)):
                if is_counted(item):
                    self._count(function, item, self.builder.extract_value(value, k))
        elif is_array(type_):
            self.count(function, self.builder.extract_value(value, 0))
        elif function == "NRT_incref":
            super().incref(type_, value)
        else:
            super().decref(type_, value)

    def count(self, function: str, owner: llvm_ir.Value) -> None:
        """Call a function of Numba's that counts references to memory."""
        called = cgutils.get_or_insert_function(self.builder.module, incref_decref_ty, function)
        called.args[0].add_attribute("noalias")
        called.args[0].add_attribute("captures(none)")
        self.builder.call(called, [owner])

    # -- loops over ranges -------------------------------------------------------------------------------------------

    def lower_expr(self, resty, expr):
        match expr.op:
            case "call" if resty == _RANGE and not expr.kws:
                return self._range(expr.args)
            case "getiter" if resty == _RANGE_ITERATOR and (step := self._step(expr.value)):
                return self._range_iterator(resty, self.loadvar(expr.value.name), step)
            case "iternext" if self.typeof(expr.value.name) == _RANGE_ITERATOR:
                return self._next(resty, self.loadvar(expr.value.name))
            case "pair_first" | "pair_second" if not is_counted(resty):
                return self.builder.extract_value(self.loadvar(expr.value.name), int(expr.op == "pair_second"))
        return super().lower_expr(resty, expr)

    def _range(self, given: list) -> llvm_ir.Value:
        loaded = [(self.loadvar(v.name), self.typeof(v.name)) for v in given]
        numbers = [self.context.cast(self.builder, number, type_, types.int64) for number, type_ in loaded]
        start = numbers[0] if len(numbers) > 1 else self.context.get_constant(types.int64, 0)
        step = numbers[2] if len(numbers) > 2 else self.context.get_constant(types.int64, 1)
        value: llvm_ir.Value = llvm_ir.Constant(self.context.get_value_type(_RANGE), llvm_ir.Undefined)
        for k, number in enumerate((start, numbers[min(1, len(numbers) - 1)], step)):
            value = self.builder.insert_value(value, number, k)
        return value

    def _step(self, made: ir.Var) -> int | None:
        """The step of a range, where it is a known number."""
        call = guard(get_definition, self.func_ir, made)
        if not (isinstance(call, ir.Expr) and call.op == "call"):
            return None
        if len(call.args) < 3:
            return 1
        step = guard(get_definition, self.func_ir, call.args[2])
        return step.value if isinstance(step, ir.Const) else None

    def _range_iterator(self, resty, state: llvm_ir.Value, step: int) -> llvm_ir.Value:
        """An iterator: where the next number stands, the stop, the step, and where the number of trips left stands."""
        builder, integer = self.builder, llvm_ir.IntType(64)
        start, stop = (builder.extract_value(state, k) for k in (0, 1))
        trips = builder.sub(stop, start) if step > 0 else builder.sub(start, stop)
        if abs(step) > 1:
            up = builder.add(trips, llvm_ir.Constant(integer, abs(step) - 1))
            trips = builder.sdiv(up, llvm_ir.Constant(integer, abs(step)))
        value: llvm_ir.Value = llvm_ir.Constant(self.context.get_value_type(resty), llvm_ir.Undefined)
        places = [cgutils.alloca_once(builder, integer) for _ in range(2)]
        for place, number in zip(places, (start, trips), strict=True):
            builder.store(number, place)
        for k, field in enumerate((places[0], stop, llvm_ir.Constant(integer, step), places[1])):
            value = builder.insert_value(value, field, k)
        return value

    def _next(self, resty, iterator: llvm_ir.Value) -> llvm_ir.Value:
        """The pair of the next number, and whether there is one."""
        builder = self.builder
        place, step, left = (builder.extract_value(iterator, k) for k in (0, 2, 3))
        number, trips = builder.load(place), builder.load(left)
        is_one = builder.icmp_signed(">", trips, llvm_ir.Constant(trips.type, 0))
        builder.store(builder.sub(trips, llvm_ir.Constant(trips.type, 1), flags=["nsw"]), left)
        builder.store(builder.add(number, step), place)
        pair: llvm_ir.Value = llvm_ir.Constant(self.context.get_value_type(resty), llvm_ir.Undefined)
        return builder.insert_value(builder.insert_value(pair, number, 0), is_one, 1)

    # -- the way from Python -----------------------------------------------------------------------------------------

    def create_cpython_wrapper(self, release_gil=False):
        module = self.context.create_module("wrapper")
        type_ = self.call_conv.get_function_type(self.fndesc.restype, self.fndesc.argtypes)
        callee = llvm_ir.Function(module, type_, self.fndesc.llvm_func_name)
        wrapper = _Wrapper(self.context, module, callee, self.fndesc, self.env, self.call_helper, release_gil)
        wrapper.build()
        if wrapper.is_plain:
            self.library.plain.add(self.fndesc.llvm_cpython_wrapper_name)
        self.library.add_ir_module(module)


class _Wrapper(PyCallWrapper):
    """The function that Python calls, which takes arguments and gives results as objects."""

    @property
    def is_plain(self) -> bool:
        """Whether all arguments are numbers and arrays: such a function does nothing but call others."""
        takes = self.fndesc.argtypes
        return all(is_array(t) or isinstance(t, types.Number | types.Boolean | types.Omitted) for t in takes)

    def build(self):
        object_ = self.context.get_argument_type(types.pyobject)
        type_ = llvm_ir.FunctionType(object_, [object_] * 3)
        wrapper = llvm_ir.Function(self.module, type_, name=self.fndesc.llvm_cpython_wrapper_name)
        builder = llvm_ir.IRBuilder(wrapper.append_basic_block("entry"))
        api = _Python(self.context, builder)
        self.build_wrapper(api, builder, *wrapper.args)
        return wrapper, api

    def build_wrapper(self, api, builder, closure, args, kws):
        """As Numba does where all arguments are numbers and arrays, with one way out for all that may fail."""
        takes = self.fndesc.argtypes
        if not self.is_plain:
            super().build_wrapper(api, builder, closure, args, kws)
            return
        objects = [api.alloca_obj() for _ in takes]
        parsed = api.unpack_tuple(args, self.fndesc.qualname, len(takes), len(takes), *objects)
        with builder.if_then(cgutils.is_null(builder, parsed), likely=False):
            builder.ret(api.get_null_object())
        environment = self.get_env(api, builder)
        values: list = []
        failed = cgutils.false_bit
        for place, type_ in zip(objects, takes, strict=True):
            if isinstance(type_, types.Omitted):
                values.append(None)
                continue
            native = api.to_native_value(type_, builder.load(place))
            values.append(native.value)
            failed = builder.or_(failed, native.is_error)
        with builder.if_then(failed, likely=False):
            self._give_up(builder, values)
            builder.ret(api.get_null_object())
        thread = api.save_thread() if self.release_gil else None
        status, result = self._call(builder, values)
        if thread is not None:
            api.restore_thread(thread)
        self._give_up(builder, values)
        with builder.if_then(status.is_ok, likely=True):
            with builder.if_then(status.is_none):
                api.return_none()
            builder.ret(self._object(api, self._simplified_return_type(), result, environment))
        self.context.call_conv.raise_error(builder, api, status)
        builder.ret(api.get_null_object())

    def _give_up(self, builder: llvm_ir.IRBuilder, values: list) -> None:
        for type_, value in zip(self.fndesc.argtypes, values, strict=True):
            if is_array(type_):
                self.context.nrt.decref(builder, type_, value)

    def _call(self, builder: llvm_ir.IRBuilder, values: list):
        """The status of a call, and where its result stands."""
        convention = self.context.call_conv
        type_ = convention.get_return_type(self.fndesc.restype).pointee
        result = new_place(builder, type_)
        error = cgutils.alloca_once(builder, convention.get_function_type(types.none, ()).args[1].pointee)
        given = convention._get_arg_packer(self.fndesc.argtypes).as_arguments(builder, values)
        code = builder.call(self.func, [result, error, *given], attrs=("noinline",))
        return convention._get_return_status(builder, code, builder.load(error)), result

    def _object(self, api: "_Python", type_: types.Type, place: llvm_ir.Value, environment) -> llvm_ir.Value:
        """The object for a result; arrays are read where they stand."""
        if is_array(type_):
            return api.array(type_, place, environment)
        if lies_alike(type_):
            made = api.tuple_new(len(items(type_)))
            for k, item in enumerate(items(type_)):
                part = cgutils.gep_inbounds(api.builder, place, 0, k)
                api.tuple_setitem(made, k, self._object(api, item, part, environment))
            return made
        value = api.builder.load(place)
        if not isinstance(type_, types.Number):
            value = self.context.get_returned_value(api.builder, type_, value)
        return api.from_native_value(type_, value, environment)


def lies_alike(type_: types.Type) -> bool:
    """Whether a type is a tuple of arrays, numbers and such tuples, which lie in memory as Numba holds them."""
    if not isinstance(type_, types.Tuple | types.UniTuple):
        return False
    return all(is_array(t) or isinstance(t, types.Number) or lies_alike(t) for t in items(type_))


class _Python(PythonAPI):
    """Objects to values and back; arrays of a kind by one function, which all of them call."""

    def __init__(self, context, builder):
        super().__init__(context, builder)
        self._dtypes: dict = {}

    def _function(self, kind: str, type_: types.Array, result: llvm_ir.Type, *takes: llvm_ir.Type):
        """The function of a kind of array, and a builder in it if it is new."""
        name = f"zygopy.{kind}.{type_.dtype}.{type_.ndim}.{type_.mutable}"
        if name in self.module.globals:
            return self.module.globals[name], None
        function = llvm_ir.Function(self.module, llvm_ir.FunctionType(result, takes), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        return function, llvm_ir.IRBuilder(function.append_basic_block("entry"))

    def to_native_value(self, typ, obj):
        if not is_array(typ):
            return super().to_native_value(typ, obj)
        struct = self.context.get_value_type(typ)
        function, builder = self._function("take", typ, llvm_ir.IntType(1), self.pyobj, struct.as_pointer())
        if builder is not None:
            found = PythonAPI(self.context, builder).to_native_value(typ, function.args[0])
            builder.store(found.value, function.args[1])
            builder.ret(found.is_error)
        place = new_place(self.builder, struct)
        failed = self.builder.call(function, [obj, place])
        return NativeValue(self.builder.load(place), is_error=failed)

    def from_native_value(self, typ, val, env_manager=None):
        if not is_array(typ):
            return super().from_native_value(typ, val, env_manager)
        place = new_place(self.builder, val.type)
        self.builder.store(val, place)
        return self.array(typ, place, env_manager)

    def array(self, type_: Any, place: llvm_ir.Value, environment) -> llvm_ir.Value:
        """The object for the array that stands in a place, which is given up."""
        function, builder = self._function("give", type_, self.pyobj, place.type, self.pyobj)
        if builder is not None:
            value = builder.load(function.args[0])
            made = PythonAPI(self.context, builder).nrt_adapt_ndarray_to_python(type_, value, function.args[1])
            self.context.nrt.decref(builder, type_, value)
            builder.ret(made)
        dtype = as_dtype(type_.dtype)
        if dtype not in self._dtypes:
            self._dtypes[dtype] = environment.read_const(environment.add_const(dtype))
        return self.builder.call(function, [place, self._dtypes[dtype]])


class Library(JITCodeLibrary):
    """Code on its way from instructions to the processor.

    Numba runs all passes on each function before it links them, and again behind that. What comes first here only
    brings variables into registers and finds the references that need not be counted. For functions that only call
    others, `plain`, this is all: the processor's instructions for them are the first that come to mind, which takes
    LLVM a fifth of the time.
    """

    def __init__(self, codegen, name):
        super().__init__(codegen, name)
        self.plain: set[str] = set()

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout
        for function in ll_module.functions:
            if not function.is_declaration:
                passes = llvm.create_new_function_pass_manager()
                passes.add_sroa_pass()
                passes.add_simplify_cfg_pass()
                passes.add_instruction_combine_pass()
                passes.add_refprune_pass(_parse_refprune_flags())
                passes.run(function, self._codegen._pass_builder())
                if function.name in self.plain:
                    function.add_function_attribute("optnone")
                    function.add_function_attribute("noinline")
