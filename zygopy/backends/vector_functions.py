"""The kernels of `vector_math` as functions of one number and of whole vectors, which generated code calls.

Generated code calls the function of one number; in a loop that LLVM vectorises it calls one of the others in its place
(LLVM Language Reference, "Vector Function ABI variants"). The formulas are not written into the caller, so that its
compile time does not grow by them; that costs 0.1 to 0.4 ns per number. A function is compiled once per process, for
all widths, when it is first used (0.03 to 0.07 s). In loops of array expressions short formulas are written in place.

A branch, which would keep LLVM from vectorising a loop, may be here: where all numbers of a vector are usual, special
values are not looked for. Beyond the reduction of sin and cos, libm computes one number after the other.

One number alone is libm's work where libm is faster, by tables that vectors cannot use: exp, log and powers may differ
in the last digit between a vectorised loop and other code.
"""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from zygopy.backends import vector_math
from zygopy.backends.llvm_values import Value, processor_has
from zygopy.backends.numba_private import instruction, kept_library, provider, use

_WIDTHS = {ir.DoubleType(): (2, 4, 8), ir.FloatType(): (4, 8, 16)}  # of vectors of 16, 32 and 64 bytes
_POINTER = ir.IntType(8).as_pointer()


@dataclass(frozen=True)
class _Kernels:
    """A kernel for all arguments, perhaps a test and a faster kernel where it holds; whether one number is libm's."""

    general: Callable[..., Value]
    usual: tuple[Callable[..., Value], Callable[..., Value]] | None = None
    libm_alone: bool = False


@dataclass(frozen=True)
class _Function:
    """A function of floats of one type."""

    name: str
    kernels: "_Kernels"
    element: ir.Type
    parameters: int

    @property
    def widths(self) -> tuple[int, ...]:
        return 1, *_WIDTHS[self.element]

    def symbol(self, width: int) -> str:
        return f"zygopy.vector.{self.name}:{self.element}:{self.parameters}:{width}"

    def declared(self, module: ir.Module, width: int) -> ir.Function:
        """The function of vectors of a width, 1 for numbers, in a module that may have it already."""
        if (known := module.globals.get(self.symbol(width))) is not None:
            return known
        type_ = self.element if width == 1 else ir.VectorType(self.element, width)
        return ir.Function(module, ir.FunctionType(type_, [type_] * self.parameters), self.symbol(width))

    def define(self, module: ir.Module, width: int) -> None:
        function = self.declared(module, width)
        builder = ir.IRBuilder(function.append_basic_block())
        args = [Value(builder, arg) for arg in function.args]
        if width == 1 and self.kernels.libm_alone:
            builder.ret(args[0].intrinsic(self.name, *args[1:]).llvm)
            return
        if self.kernels.usual is not None:
            test, usual = self.kernels.usual
            with builder.if_then(test(*args).all().llvm, likely=True):
                builder.ret(usual(*args).llvm)
        builder.ret(self.kernels.general(*args).llvm)

    def call(self, args: list[Value]) -> Value:
        builder = args[0].builder
        for width in self.widths:
            use(builder.module, self.symbol(width))
        self.keep(builder.module)
        called = builder.call(self.declared(builder.module, 1), [arg.llvm for arg in args])
        pattern = f"_ZGV_LLVM_N{{}}{'v' * self.parameters}_{self.symbol(1)}({{}})"
        variants = ",".join(pattern.format(width, self.symbol(width)) for width in self.widths[1:])
        called.attributes = _Attributes(
            ["nounwind", "willreturn", "memory(none)", f'"vector-function-abi-variant"="{variants}"']
        )
        return Value(builder, called)

    def keep(self, module: ir.Module) -> None:
        """Refer to the functions of vectors, or LLVM drops their declarations before it vectorises."""
        name = f"zygopy.all.{self.name}:{self.element}"
        if name in module.globals:
            return
        functions = [self.declared(module, width).bitcast(_POINTER) for width in self.widths[1:]]
        table = ir.GlobalVariable(module, ir.ArrayType(_POINTER, len(functions)), name)
        table.linkage, table.global_constant = "weak_odr", True
        table.initializer = ir.Constant(table.value_type, functions)


class _Attributes(set):
    """Attributes of a call, which llvmlite prints as they are."""

    def _to_list(self, type_=None):
        return sorted(self)

    def _expand(self, name, type_):
        return name


_KERNELS: dict[str, _Kernels] = {}  # by the name of the function


@cache
def _library(function: _Function):
    """The code of a function for all widths."""

    def define(module: ir.Module) -> None:
        for width in function.widths:
            function.define(module, width)

    return kept_library(function.symbol(0), define)


@provider("vector")
def _address_of(what: str) -> int:
    name, element, parameters, width = what.split(":")
    type_ = ir.DoubleType() if element == "double" else ir.FloatType()
    function = _Function(name, _KERNELS[name], type_, int(parameters))
    return _library(function).get_pointer_to_function(function.symbol(int(width)))


def _generator(name: str, kernels: _Kernels) -> Callable:
    _KERNELS[name] = kernels

    def generate(context, builder, signature, args):
        values = [Value(builder, arg) for arg in args]
        return _Function(name, kernels, values[0].element, len(values)).call(values).llvm

    return generate


def _type(*args):
    result = types.float32 if all(t == types.float32 for t in args) else types.float64
    return result(*[result] * len(args))


def _tanh(z):
    """tanh of a complex number, without the overflow of Numba's (Kahan 1987, "Branch cuts")."""
    t, s = math.tan(z.imag), math.tanh(z.real)
    sech = 1 / math.cosh(z.real)
    scale = 1 + (s * t) * (s * t)
    return complex(s * (1 + t * t) / scale, t / scale * sech * sech)


def _tan(z):
    """-i tanh(iz)"""
    t, s = math.tan(z.real), math.tanh(z.imag)
    sech = 1 / math.cosh(z.imag)
    scale = 1 + (s * t) * (s * t)
    return complex(t / scale * sech * sech, s * (1 + t * t) / scale)


_OF_COMPLEX = {"tanh": _tanh, "tan": _tan}


def _any_complex(args) -> bool:
    return any(isinstance(t, types.Complex) for t in args)


def _with_complex(name: str, generate: Callable | None) -> Callable:
    """A function of floats (None: Numba's); of complex numbers it is one of ours or Numba's of that name."""
    numpy_function = getattr(np, name, None)

    def typing(*args):
        if generate is not None and not _any_complex(args):
            return _type(*args)
        return cpu_target.typing_context.resolve_function_type(numpy_function, args, {})

    def generate_any(context, builder, signature, args):
        is_complex = _any_complex(signature.args)
        if generate is not None and not is_complex:
            return generate(context, builder, signature, args)
        if is_complex and name in _OF_COMPLEX:
            return context.compile_internal(builder, _OF_COMPLEX[name], signature, args)
        return context.get_function(numpy_function, signature)(builder, args)

    return instruction(generate_any, typing)


def _function(name: str, *kernels, **options) -> Callable:
    return _with_complex(name, _generator(name, _Kernels(*kernels, **options)))


def _libm(name: str) -> Callable[[Value], Value]:
    return lambda x: x.one_by_one(lambda number: number.intrinsic(name))


exp = _function("exp", vector_math.exp, (vector_math.exp_is_usual, vector_math.usual_exp), libm_alone=True)
expm1 = _function("expm1", vector_math.expm1)
log = _function("log", vector_math.log, (vector_math.log_is_usual, vector_math.usual_log), libm_alone=True)
log1p = _function("log1p", vector_math.log1p)
tanh = _function("tanh", vector_math.tanh)
sigmoid = _function("sigmoid", vector_math.sigmoid)
sin = _function("sin", _libm("sin"), (vector_math.is_near, vector_math.near_sin))
cos = _function("cos", _libm("cos"), (vector_math.is_near, vector_math.near_cos))
erf = _function("erf", vector_math.erf)
logaddexp = _function("logaddexp", vector_math.logaddexp)


def _all_floats(signature) -> bool:
    return all(isinstance(t, types.Float) for t in signature.args)


def _power_type(x, y):
    """That of `**`: it stays Numba's for integers."""
    own = cpu_target.typing_context.resolve_function_type(operator.pow, (x, y), {})
    return _type(*own.args) if _all_floats(own) else own


def _power(context, builder, signature, args):
    if _all_floats(signature):
        return _power_of_floats(context, builder, signature, args)
    return context.get_function(operator.pow, signature)(builder, args)


_power_of_floats = _generator(
    "pow", _Kernels(vector_math.power, (vector_math.power_is_usual, vector_math.usual_power), libm_alone=True)
)
power = instruction(_power, _power_type)  # x ** y


def _in_place(name: str, kernel: Callable) -> Callable:
    """A short formula, written into the caller: in the loop of an array expression a call would cost a third of it."""

    def generate(context, builder, signature, args):
        return kernel(*(Value(builder, arg) for arg in args)).llvm

    return _with_complex(name, generate)


def _extremum(name: str, sign: str) -> Callable:
    """np.maximum and np.minimum; LLVM's intrinsics, unlike comparisons and branches, become vector reductions."""

    def generate(context, builder, signature, args):
        result = signature.return_type
        a, b = (context.cast(builder, x, t, result) for x, t in zip(args, signature.args, strict=True))
        if isinstance(result, types.Float):
            type_ = ir.FunctionType(a.type, [a.type, a.type])
            function = builder.module.declare_intrinsic(f"llvm.{name}", [a.type], type_)
            return builder.call(function, [a, b])
        compare = builder.icmp_signed if getattr(result, "signed", False) else builder.icmp_unsigned
        return builder.select(compare(sign, a, b), a, b)

    def typing(a, b):
        a, b = types.unliteral(a), types.unliteral(b)
        result = cpu_target.typing_context.unify_types(a, b)
        return result(a, b)

    return instruction(generate, typing)


def _python_extremum(own: Callable, sign: str) -> Callable:
    """max and min of two integers, for which Numba would compile a function; of other numbers they are Numba's."""

    def common(args) -> types.Type | None:
        if not all(isinstance(t, types.Integer) for t in args):
            return None
        unified = cpu_target.typing_context.unify_types(*map(types.unliteral, args))
        return unified if isinstance(unified, types.Integer) else None

    def typing(*args):
        if (result := common(args)) is not None:
            return result(result, result)
        return cpu_target.typing_context.resolve_function_type(own, args, {})

    def generate(context, builder, signature, args):
        if common(signature.args) is None:
            numbas = context.typing_context.resolve_value_type(own)
            return context.get_function(numbas, signature)(builder, args)
        compare = builder.icmp_signed if signature.return_type.signed else builder.icmp_unsigned
        return builder.select(compare(sign, *args), *args)

    return instruction(generate, typing)


def _fuses() -> bool:
    """Whether the processor has the instruction `fma`: without it the kernels are right, but slower than libm."""
    return processor_has("fma")


FUNCTIONS: dict[tuple[str, str], Callable] = {}  # what takes the place of a module's function, or ours
if _fuses():
    own = ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "logaddexp")
    FUNCTIONS |= {("np", f): globals()[f] for f in own}
    FUNCTIONS |= {("", "erf"): erf, ("operator", "pow"): power}
for _name in _OF_COMPLEX:
    FUNCTIONS.setdefault(("np", _name), _with_complex(_name, None))
FUNCTIONS["np", "maximum"] = _extremum("maximum", ">")
FUNCTIONS["np", "minimum"] = _extremum("minimum", "<")
FUNCTIONS["builtins", "max"] = _python_extremum(max, ">")
FUNCTIONS["builtins", "min"] = _python_extremum(min, "<")

_SHORT = ("exp", "expm1", "log", "log1p", "tanh", "logaddexp")
IN_PLACE = {("np", f): _in_place(f, getattr(vector_math, f)) for f in _SHORT if ("np", f) in FUNCTIONS}
if ("", "erf") in FUNCTIONS:
    IN_PLACE["", "erf"] = _in_place("erf", vector_math.erf)
IN_PLACE["", "expit"] = _in_place("sigmoid", vector_math.sigmoid)
