"""How compiled code calls kept functions: arrays go by the place where they stand, and results come the same way.

To Numba an array is seven numbers or more, each of which it hands on at a call and copies at a return; LLVM's time is
in proportion to that. Here an array that is made once and handed on, as the gradients of deep models are, stands in
one place from its making to its last use (`_in_memory`), and other arrays are written to a place for a call. A function
that fails has noted the error where its caller's caller looks for it: so all calls in a function leave it by one exit.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import llvmlite.ir as llvm_ir
from numba.core import cgutils, ir, types

from zygopy.backends.numba_lowering import Lower, bytes_of, is_array, is_counted, items, lies_alike, new_place

_CODE = llvm_ir.IntType(32)  # what a function returns: 0 where nothing failed
_OK = llvm_ir.Constant(_CODE, 0)


class Kept(NamedTuple):
    """A kept function: what writes its address into a function that calls it, what it returns, and what it takes."""

    address: Callable[[Any, llvm_ir.IRBuilder, llvm_ir.Type], llvm_ir.Value]
    result: types.Type
    takes: tuple[types.Type, ...]


KEPT: dict[object, Kept] = {}  # by what calls name them by
IN_PLACE: dict[object, Callable] = {}  # functions of new arrays, by the same: what calls them for an array in a place
READS_NO_ELEMENT: set[object] = set()  # functions of arrays


def function_type(context, result: types.Type, takes: tuple[types.Type, ...]) -> llvm_ir.FunctionType:
    """The type of a kept function: it takes a place for the result, one for an error, and the arguments."""
    given: list[llvm_ir.Type] = []
    for type_ in takes:
        if is_array(type_):
            given.append(context.get_value_type(type_).as_pointer())
        else:
            given += context.get_arg_packer((type_,)).argument_types
    return llvm_ir.FunctionType(_CODE, [*context.call_conv.get_function_type(result, ()).args, *given])


class Caller(Lower):
    """Numba's lowering of a function that may call kept ones."""

    def init(self):
        super().init()
        self._given: dict[str, llvm_ir.Value] = {}  # parameters that are never assigned
        self._places: dict[str, llvm_ir.Value] = {}  # where arrays stand
        self._handed_over: set[str] = set()  # variables whose share in memory the result has taken
        self._exit: llvm_ir.PhiInstr | None = None  # the code of what failed

    def pre_block(self, block):
        super().pre_block(block)
        self._block = block

    # -- what is known of variables ----------------------------------------------------------------------------------

    def _callee(self, value: Any) -> object | None:
        """What a call names its function by."""
        if not (isinstance(value, ir.Expr) and value.op == "call"):
            return None
        return getattr(self.typeof(value.func.name), "typing_key", None)

    @cached_property
    def _assignments(self) -> list[ir.Assign]:
        return [s for block in self.blocks.values() for s in block.find_insts(ir.Assign)]

    @cached_property
    def _passed(self) -> set[str]:
        """The arrays that kept functions are given."""
        calls: list[Any] = [s.value for s in self._assignments if self._callee(s.value) in KEPT]
        return {v.name for call in calls for v in call.args if is_array(self.typeof(v.name))}

    @cached_property
    def _in_memory(self) -> set[str]:
        """Arrays that are made by one call and passed to kept functions, and of which nothing here reads elements."""
        if not self._passed:
            return set()
        made = Counter(s.target.name for s in self._assignments)
        found = {name for name in self._passed if made[name] == 1 and name not in self._borrowed}
        for statement in (s for block in self.blocks.values() for s in block.body):
            if isinstance(statement, ir.Assign):
                found -= self._as_values(statement)
            elif not isinstance(statement, ir.Del):
                found -= {v.name for v in statement.list_vars()}
        return found

    def _as_values(self, statement: ir.Assign) -> set[str]:
        """The variables that an assignment needs as values, or makes as one."""
        value: Any = statement.value
        callee = self._callee(value)
        if callee in KEPT or callee in READS_NO_ELEMENT or statement.target.name in self._returned:
            return set()
        if callee is not None:
            return {v.name for v in value.list_vars()}
        return {v.name for v in statement.list_vars()}

    @cached_property
    def _returned(self) -> dict[str, tuple[int, ...]]:
        """Temporary tuples that are the result or stand in it, by where in it they are."""
        found: dict[str, tuple[int, ...]] = {}
        for block in self.blocks.values() if lies_alike(self.fndesc.restype) else ():
            made: dict[str, Any] = {s.target.name: s.value for s in block.find_insts(ir.Assign)}
            if isinstance(block.terminator, ir.Return):
                name = block.terminator.value.name
                cast = made.get(name)
                if not (isinstance(cast, ir.Expr) and cast.op == "cast"):
                    continue
                if self.typeof(cast.value.name) == self.fndesc.restype:
                    tuples = dict(_tuples(cast.value.name, (), made))
                    found |= {name: (), **tuples} if tuples else {}
        return found

    # -- variables ---------------------------------------------------------------------------------------------------

    def lower_assign(self, ty, inst):
        value, name = super().lower_assign(ty, inst), inst.target.name
        if isinstance(inst.value, ir.Arg) and name in self._borrowed:
            self._given[name] = value
            if name in self._passed and name not in self._places:
                self._places[name] = self._written(value)
        return value

    def loadvar(self, name):
        if name in self._given:
            return self._given[name]
        if name in self._in_memory:
            return self.builder.load(self._place(name))
        return super().loadvar(name)

    def storevar(self, value, name, argidx=None):
        if name in self._in_memory:
            self._make(name, lambda place: self.builder.store(value, place))
        elif name not in self._given:
            super().storevar(value, name, argidx)

    def delvar(self, name):
        if name in self._handed_over or name in self._returned:
            return
        if name not in self._in_memory:
            super().delvar(name)
            return
        place = self._place(name)
        self.count("NRT_decref", self.builder.load(self.owner(place)))
        if name not in self._singly_assigned_vars:
            self.disown(place)

    def _place(self, name: str) -> llvm_ir.Value:
        """Where an array stands that is held in memory; before it is made, nobody owns anything there."""
        if name not in self._places:
            if name in self._singly_assigned_vars:
                self._places[name] = new_place(self.builder, self.context.get_value_type(self.typeof(name)))
            else:
                self._places[name] = self.alloca(name, self.typeof(name))
        return self._places[name]

    def _make(self, name: str, fill: Callable[[llvm_ir.Value], object]) -> None:
        """Have `fill` make an array in its place; what stood there before is given up."""
        place = self._place(name)
        if name in self._singly_assigned_vars:
            fill(place)
            return
        old = self.builder.load(self.owner(place))
        fill(place)
        self.count("NRT_decref", old)

    def _written(self, value: llvm_ir.Value) -> llvm_ir.Value:
        """A place with a value."""
        place = new_place(self.builder, value.type)
        self.builder.store(value, place)
        return place

    # -- statements --------------------------------------------------------------------------------------------------

    def lower_inst(self, inst):
        if isinstance(inst, ir.Assign):
            callee, target = self._callee(inst.value), inst.target.name
            if target in self._returned:
                self._fill_result(inst)
                return
            if target in self._in_memory and callee in IN_PLACE:
                self._make(target, lambda place: self._call_in_place(IN_PLACE[callee], inst.value, place))
                return
            if target in self._in_memory and callee in KEPT:
                self._make(target, lambda place: self._call(KEPT[callee], inst.value, place))
                return
        elif isinstance(inst, ir.Return) and inst.value.name in self._returned:
            self.builder.ret(_OK)
            return
        super().lower_inst(inst)

    def lower_expr(self, resty, expr):
        kept = KEPT.get(self._callee(expr))
        if kept is None:
            return super().lower_expr(resty, expr)
        place = new_place(self.builder, self.context.call_conv.get_return_type(kept.result).pointee)
        self._call(kept, expr, place)
        value = self.context.get_returned_value(self.builder, kept.result, self.builder.load(place))
        return self.context.cast(self.builder, value, kept.result, resty)

    def _call(self, kept: Kept, expr: Any, place: llvm_ir.Value) -> None:
        """Call a kept function for a result in a place."""
        args: list[llvm_ir.Value] = []
        for v, type_ in zip(expr.args, kept.takes, strict=True):
            if is_array(type_):
                args.append(self._places[v.name] if v.name in self._places else self._argument(v.name))
            else:
                number = self.context.cast(self.builder, self.loadvar(v.name), self.typeof(v.name), type_)
                args += self.context.get_arg_packer((type_,)).as_arguments(self.builder, [number])
        pointer = function_type(self.context, kept.result, kept.takes).as_pointer()
        address = kept.address(self.context, self.builder, pointer)
        self._leave_if(self.builder.call(address, [place, self.function.args[1], *args]))

    def _argument(self, name: str) -> llvm_ir.Value:
        return self._place(name) if name in self._in_memory else self._written(self.loadvar(name))

    def _call_in_place(self, call: Callable, expr: Any, place: llvm_ir.Value) -> None:
        signature = self.fndesc.calltypes[expr]
        pairs = zip(expr.args, signature.args, strict=True)
        args = [self.context.cast(self.builder, self.loadvar(v.name), self.typeof(v.name), t) for v, t in pairs]
        self._leave_if(call(self.context, self.builder, signature, args, place, self.function.args[1]))

    def _leave_if(self, code: llvm_ir.Value) -> None:
        """Return the code of what was called if it failed."""
        if self._exit is None:
            block = self.function.append_basic_block("failed")
            with self.builder.goto_block(block):
                self._exit = self.builder.phi(_CODE)
                self.builder.ret(self._exit)
        self._exit.add_incoming(code, self.builder.block)
        after = self.function.append_basic_block()
        is_ok = self.builder.icmp_signed("==", code, _OK)
        self.builder.cbranch(is_ok, after, self._exit.parent).set_weights([99, 1])
        self.builder.position_at_end(after)

    def _fill_result(self, inst: ir.Assign) -> None:
        """Put the items of a tuple where they are returned; the shares in memory that end here go with them."""
        value: Any = inst.value
        if value.op == "cast":
            return
        rest = self._block.body[self._block.body.index(inst) :]
        end_here = {s.value for s in rest if isinstance(s, ir.Del)} - self._borrowed
        declared = items(self.typeof(inst.target.name))
        for k, (item, type_) in enumerate(zip(value.items, declared, strict=True)):
            name = item.name
            if name in self._returned:
                continue
            place = cgutils.gep_inbounds(self.builder, self.function.args[0], 0, *self._returned[inst.target.name], k)
            if name in self._in_memory:
                size = llvm_ir.Constant(llvm_ir.IntType(64), bytes_of(self.context, type_))
                cgutils.raw_memcpy(self.builder, place, self._place(name), size, 1)
            else:
                self.builder.store(self.context.cast(self.builder, self.loadvar(name), self.typeof(name), type_), place)
            if is_counted(type_):
                if name in end_here and name not in self._handed_over:
                    self._handed_over.add(name)
                else:
                    self.incref(type_, self.builder.load(place))


def _tuples(name: str, at: tuple[int, ...], made: dict[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """A temporary tuple and those in it, with their places."""
    value = made.get(name)
    if name.startswith("$") and isinstance(value, ir.Expr) and value.op == "build_tuple":
        yield name, at
        for k, item in enumerate(value.items):
            yield from _tuples(item.name, (*at, k), made)


class Callee(Caller):
    """Numba's lowering of a kept function."""

    def setup_function(self, fndesc):
        type_ = function_type(self.context, fndesc.restype, fndesc.argtypes)
        self.function = llvm_ir.Function(self.module, type_, fndesc.mangled_name)
        for argument in self.function.args:
            if isinstance(argument.type, llvm_ir.PointerType):
                argument.add_attribute("noalias")
                argument.add_attribute("captures(none)")
        self.entry_block = self.function.append_basic_block("entry")
        self.builder = llvm_ir.IRBuilder(self.entry_block)
        self.call_helper = self.call_conv.init_call_helper(self.builder)

    def extract_function_arguments(self):
        left, self.fnargs, self._given_places = list(self.function.args[2:]), [], {}
        for k, type_ in enumerate(self.fndesc.argtypes):
            if is_array(type_):
                self._given_places[k] = left.pop(0)
                self.fnargs.append(self.builder.load(self._given_places[k]))
            else:
                packer = self.context.get_arg_packer((type_,))
                count = len(packer.argument_types)
                self.fnargs += packer.from_arguments(self.builder, left[:count])
                del left[:count]
        return self.fnargs

    def lower_assign(self, ty, inst):
        if isinstance(inst.value, ir.Arg) and inst.value.index in self._given_places:
            self._places[inst.target.name] = self._given_places[inst.value.index]
        return super().lower_assign(ty, inst)
