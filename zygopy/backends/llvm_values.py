"""Numbers of generated code with Python's operators: each operation writes one LLVM instruction.

The operations are exactly IEEE's, without fast-math flags: what is fused is written `fma`, so that the result does not
depend on the surroundings, nor on whether a loop was vectorised.
"""

from collections.abc import Callable
from functools import cache

from llvmlite import ir
from numba.core.registry import cpu_target

_BOOL = ir.IntType(1)
_INTEGERS = {ir.FloatType(): ir.IntType(32), ir.DoubleType(): ir.IntType(64)}


@cache
def processor_has(feature: str) -> bool:
    """Whether the processor that code is made for has a feature, by LLVM's name; other than x86 have `fma` alone."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    if not triple.startswith(("x86", "i386", "i686")):
        return feature == "fma"
    return f"+{feature}," in f"{features},"


class Value:
    """A float, integer or bool of generated code, or a vector of them; Python numbers become its like."""

    def __init__(self, builder, llvm):
        self.builder, self.llvm = builder, llvm

    @property
    def element(self) -> ir.Type:
        """The type, of a vector that of its elements."""
        type_ = self.llvm.type
        return type_.element if isinstance(type_, ir.VectorType) else type_

    def like(self, element: ir.Type) -> ir.Type:
        """The type of as many elements as this has."""
        type_ = self.llvm.type
        return ir.VectorType(element, type_.count) if isinstance(type_, ir.VectorType) else element

    def constant(self, number) -> "Value":
        """A number as a value of this type."""
        if isinstance(number, Value):
            return number
        type_ = self.llvm.type
        if isinstance(type_, ir.VectorType):
            return Value(self.builder, ir.Constant(type_, [number] * type_.count))
        return Value(self.builder, ir.Constant(type_, number))

    def _instruction(self, name: str, other, **options) -> "Value":
        return Value(self.builder, getattr(self.builder, name)(self.llvm, self.constant(other).llvm, **options))

    def _by_kind(self, of_floats: str, of_integers: str, other) -> "Value":
        return self._instruction(of_integers if isinstance(self.element, ir.IntType) else of_floats, other)

    def __add__(self, other):
        return self._by_kind("fadd", "add", other)

    def __sub__(self, other):
        return self._by_kind("fsub", "sub", other)

    def __mul__(self, other):
        return self._by_kind("fmul", "mul", other)

    def __truediv__(self, other):
        return self._instruction("fdiv", other)

    def __radd__(self, number):
        return self.constant(number) + self

    def __rsub__(self, number):
        return self.constant(number) - self

    def __rmul__(self, number):
        return self.constant(number) * self

    def __rtruediv__(self, number):
        return self.constant(number) / self

    def __neg__(self):
        return Value(self.builder, self.builder.fneg(self.llvm))

    def __and__(self, other):
        return self._instruction("and_", other)

    def __or__(self, other):
        return self._instruction("or_", other)

    def __xor__(self, other):
        return self._instruction("xor", other)

    def __lshift__(self, count: int):
        return self._instruction("shl", count)

    def __rshift__(self, count: int):
        """Zeros come in from the left: AVX2 has no other shift of 64 bits."""
        return self._instruction("lshr", count)

    def _compared(self, sign: str, other) -> "Value":
        return Value(self.builder, self.builder.fcmp_ordered(sign, self.llvm, self.constant(other).llvm))

    def __lt__(self, other):
        return self._compared("<", other)

    def __le__(self, other):
        return self._compared("<=", other)

    def __gt__(self, other):
        return self._compared(">", other)

    def __ge__(self, other):
        return self._compared(">=", other)

    def equals(self, other) -> "Value":
        if isinstance(self.element, ir.IntType):
            return Value(self.builder, self.builder.icmp_unsigned("==", self.llvm, self.constant(other).llvm))
        return self._compared("==", other)

    def differs(self, other: "Value") -> "Value":
        """Whether two floats are unequal or one is nan."""
        return Value(self.builder, self.builder.fcmp_unordered("!=", self.llvm, other.llvm))

    def is_nan_with(self, other: "Value") -> "Value":
        """Whether one of both is nan."""
        return Value(self.builder, self.builder.fcmp_unordered("uno", self.llvm, other.llvm))

    def all(self) -> "Value":
        """Whether all bools of a vector, or the one that this is, are true."""
        if not isinstance(self.llvm.type, ir.VectorType):
            return self
        together = ir.IntType(self.llvm.type.count)
        packed = self.builder.bitcast(self.llvm, together)
        return Value(self.builder, self.builder.icmp_unsigned("==", packed, ir.Constant(together, -1)))

    def where(self, yes, no) -> "Value":
        """`yes` where this bool is true, else `no`; one of both is a value."""
        known = yes if isinstance(yes, Value) else no
        sides = (known.constant(side).llvm for side in (yes, no))
        return Value(self.builder, self.builder.select(self.llvm, *sides))

    def intrinsic(self, name: str, *others) -> "Value":
        """The result of one of LLVM's own functions that takes and returns values of this type."""
        type_ = self.llvm.type
        text = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[self.element]
        if isinstance(type_, ir.VectorType):
            text = f"v{type_.count}{text}"
        args = [self.llvm, *(self.constant(other).llvm for other in others)]
        module, full_name = self.builder.module, f"llvm.{name}.{text}"
        function = module.globals.get(full_name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(type_, [type_] * len(args)), full_name)
        return Value(self.builder, self.builder.call(function, args))

    def fma(self, factor, term) -> "Value":
        """self * factor + term, rounded once."""
        return self.intrinsic("fma", factor, term)

    def ldexp(self, exponent: "Value") -> "Value":
        """self * 2**exponent, rounded once, for an exponent of 32 bits."""
        texts = [{ir.FloatType(): "f32", ir.DoubleType(): "f64"}[self.element], "i32"]
        if isinstance(self.llvm.type, ir.VectorType):
            texts = [f"v{self.llvm.type.count}{text}" for text in texts]
        module, name = self.builder.module, ".".join(["llvm.ldexp", *texts])
        function = module.globals.get(name)
        if function is None:
            type_ = ir.FunctionType(self.llvm.type, [self.llvm.type, exponent.llvm.type])
            function = ir.Function(module, type_, name)
        return Value(self.builder, self.builder.call(function, [self.llvm, exponent.llvm]))

    def __abs__(self):
        return self.intrinsic("fabs")

    def bits(self) -> "Value":
        """The integer with the bits of this float."""
        return Value(self.builder, self.builder.bitcast(self.llvm, self.like(_INTEGERS[self.element])))

    def as_float(self) -> "Value":
        """The float with the bits of this integer."""
        element = next(f for f, i in _INTEGERS.items() if i == self.element)
        return Value(self.builder, self.builder.bitcast(self.llvm, self.like(element)))

    def low_bits(self) -> "Value":
        """The lowest 32 bits of this integer."""
        short = ir.IntType(32)
        if self.element == short:
            return self
        return Value(self.builder, self.builder.trunc(self.llvm, self.like(short)))

    def one_by_one(self, function: Callable[["Value"], "Value"]) -> "Value":
        """The function of each number of this vector, or of this number."""
        if not isinstance(self.llvm.type, ir.VectorType):
            return function(self)
        result = self.llvm
        for k in range(self.llvm.type.count):
            place = ir.Constant(ir.IntType(32), k)
            number = Value(self.builder, self.builder.extract_element(self.llvm, place))
            result = self.builder.insert_element(result, function(number).llvm, place)
        return Value(self.builder, result)

    def to_double(self) -> "Value":
        return Value(self.builder, self.builder.fpext(self.llvm, self.like(ir.DoubleType())))

    def to_single(self) -> "Value":
        return Value(self.builder, self.builder.fptrunc(self.llvm, self.like(ir.FloatType())))


def polynomial(x: Value, *coefficients: float) -> Value:
    """c0 + c1 * x + c2 * x**2 + ...: four terms at a time by pairs (Estrin), so that few operations wait for others.

    Longer pairs would take one more square each, and loops have other work to do in the meantime.
    """
    terms = [x.fma(high, x.constant(low)) for low, high in zip(coefficients[::2], coefficients[1::2], strict=False)]
    if len(coefficients) % 2:
        terms.append(x.constant(coefficients[-1]))
    if len(terms) > 2:
        x = x * x
        paired = [high.fma(x, low) for low, high in zip(terms[::2], terms[1::2], strict=False)]
        terms = paired + terms[len(paired) * 2 :]
    if len(terms) == 1:
        return terms[0]
    x = x * x
    total = terms[-1]
    for term in reversed(terms[:-1]):
        total = total.fma(x, term)
    return total
