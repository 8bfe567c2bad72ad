"""sin and cos for all arguments: functions of one number and of vectors, outside the loops that call them.

Only beyond 2**30 do they need libm, one element at a time; a branch around that call would keep LLVM from vectorising
a loop, so the branch is in a function that LLVM calls with a whole vector (LLVM Language Reference, "Vector Function
ABI variants"). Each function is compiled once per process, when it is first used.
"""

from collections.abc import Callable
from functools import cache

import llvmlite.binding
from llvmlite import ir
from numba.core.registry import cpu_target

from zygopy.backends import vector_math
from zygopy.backends.llvm_values import Value

_WIDTHS = (2, 4, 8, 16)
_NEAR = {"sin": vector_math.near_sin, "cos": vector_math.near_cos}
_libraries = []  # what is compiled stays in memory


def _name(name: str, element: ir.Type, width: int) -> str:
    return f"zygopy_{name}_{element}_{width}"


def _type(element: ir.Type, width: int) -> ir.FunctionType:
    type_ = element if width == 1 else ir.VectorType(element, width)
    return ir.FunctionType(type_, [type_])


def _define(module: ir.Module, name: str, element: ir.Type, width: int) -> None:
    """The function of `width` numbers: the kernel for near arguments, and libm where one is far, inf or nan."""
    function = ir.Function(module, _type(element, width), _name(name, element, width))
    builder = ir.IRBuilder(function.append_basic_block())
    x = Value(builder, function.args[0])
    y = _NEAR[name](x)
    near = abs(x) < vector_math.FAR
    if width > 1:
        near = near.all()
    with builder.if_then(builder.not_(near.llvm), likely=False):
        if width == 1:
            builder.ret(x.intrinsic(name).llvm)
        else:
            far = x.llvm
            for k in range(width):
                lane = ir.Constant(ir.IntType(32), k)
                element_k = Value(builder, builder.extract_element(x.llvm, lane))
                far = builder.insert_element(far, element_k.intrinsic(name).llvm, lane)
            builder.ret(far)
    builder.ret(y.llvm)


@cache
def _compile(name: str, element: ir.Type) -> None:
    """Compile the functions of all widths and make them known to the linker of generated code."""
    library = cpu_target.target_context.codegen().create_library(f"zygopy_{name}_{element}")
    module = library.create_ir_module(library.name)
    for width in (1, *_WIDTHS):
        _define(module, name, element, width)
    library.add_ir_module(module)
    library.finalize()
    _libraries.append(library)
    for width in (1, *_WIDTHS):
        symbol = _name(name, element, width)
        llvmlite.binding.add_symbol(symbol, library.get_pointer_to_function(symbol))


class _Attributes(set):
    """Attributes of a call, which llvmlite prints as they are."""

    def _to_list(self, type_=None):
        return sorted(self)

    def _expand(self, name, type_):
        return name


def _declare(module: ir.Module, name: str, element: ir.Type, width: int) -> ir.Function:
    symbol = _name(name, element, width)
    return module.globals.get(symbol) or ir.Function(module, _type(element, width), symbol)


def _kept(module: ir.Module, name: str, element: ir.Type) -> None:
    """Refer to the functions of vectors, so that they are still declared when LLVM vectorises."""
    symbol = f"zygopy_{name}_{element}_widths"
    if symbol in module.globals:
        return
    pointer = ir.IntType(8).as_pointer()
    functions = [_declare(module, name, element, width).bitcast(pointer) for width in _WIDTHS]
    table = ir.GlobalVariable(module, ir.ArrayType(pointer, len(functions)), symbol)
    table.linkage, table.global_constant = "weak_odr", True
    table.initializer = ir.Constant(table.type.pointee, functions)


def _caller(name: str) -> Callable[[Value], Value]:
    def call(x: Value) -> Value:
        element, module = x.element, x.builder.module
        _compile(name, element)
        _kept(module, name, element)
        scalar = _name(name, element, 1)
        variants = (f"_ZGV_LLVM_N{width}v_{scalar}({_name(name, element, width)})" for width in _WIDTHS)
        result = x.builder.call(_declare(module, name, element, 1), [x.llvm])
        listed = f'"vector-function-abi-variant"="{",".join(variants)}"'
        result.attributes = _Attributes(["nounwind", "willreturn", "memory(none)", listed])
        return Value(x.builder, result)

    return call


sin, cos = _caller("sin"), _caller("cos")
