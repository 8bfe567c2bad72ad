"""Straight-line IR for the tests of rules: traced from one function, run with NumPy numbers, differentiated both ways.

The sweeps know casts and selections; everything else is what the rules say.
"""

import math

import numba
import numpy as np

from zygopy.backends.runtime import HELPERS
from zygopy.errors import Loc
from zygopy.transform import ops, rules
from zygopy.transform.build import Builder, Traced, constant, lift, zero
from zygopy.transform.emit import emit
from zygopy.transform.functions import apply_function
from zygopy.transform.ir import Block, Const, Function, Let, Param, Value, Var
from zygopy.transform.rules import every  # noqa: F401
from zygopy.transform.types import Scalar

NAMES = {"np": np, "math": math, **HELPERS}


class Line:
    """A traced function: `inputs` are its variables, `outputs` the values that it gives."""

    def __init__(self, function, *arguments):
        """Each argument is the type of an input, or a number that is known at compile time."""
        self.builder = Builder(Loc("<test>", 1))
        values = [Var(f"x{k}", a) if isinstance(a, Scalar) else constant(a) for k, a in enumerate(arguments)]
        self.inputs = [v for v in values if isinstance(v, Var)]
        strong = isinstance(function, np.ufunc) or str(getattr(function, "__module__", "")).startswith("numpy")
        self.outputs = [apply_function(self.builder, function, values, strong)]

    def run(self, *numbers):
        """The outputs at some inputs; each operation must give the type that the IR says."""
        values = {v: v.type.dtype.type(x) for v, x in zip(self.inputs, numbers, strict=True)}

        def value(v: Value):
            return v.value if isinstance(v, Const) else values[v]

        with np.errstate(all="ignore"):
            for s in self.builder.statements:
                values[s.var] = _evaluate(s, [value(a) for a in s.args])
        return [v.type.dtype.type(value(v)) for v in self.outputs]

    def with_gradient(self):
        """The line with the gradient of its last output appended, by reverse mode."""
        result = self.outputs[-1]
        bars = _reverse(self.builder, result)
        self.outputs = [*self.outputs, *(bars.get(v, zero(v.type)) for v in self.inputs)]
        return self

    def with_tangent(self, k):
        """The line with the derivative of its last output along input k appended, by forward mode."""
        result = self.outputs[-1]
        tangents = _forward(self.builder, {self.inputs[k]: constant(1.0, self.inputs[k].type)})
        self.outputs = [*self.outputs, tangents.get(result, zero(result.type))]
        return self


def compile_lines(lines: list[Line]):
    """The lines as one Numba function: all inputs in, a tuple of outputs for each line."""
    inputs = [v for line in lines for v in line.inputs]
    for k, v in enumerate(inputs):
        v.name = f"x{k}"
    statements = tuple(s for line in lines for s in line.builder.statements)
    outputs = tuple(tuple(line.outputs) for line in lines)
    body = Block(statements, tuple(v for line in lines for v in line.outputs))
    function = Function("lines", tuple(Param(v.name, v) for v in inputs), body, outputs, lines[0].builder.loc)
    source = emit(function, comments=False)
    helpers = {name: numba.njit(error_model="numpy")(f) for name, f in HELPERS.items()}
    namespace = {"np": np, "math": math, **helpers, **source.errors}
    exec(source.text, namespace)
    return numba.njit(error_model="numpy")(namespace[source.name])


def _evaluate(s: Let, args: list):
    dtype = s.var.type.dtype
    if s.op is ops.CAST:
        return dtype.type(args[0])
    if s.op is ops.SELECT:
        return dtype.type(args[1] if args[0] else args[2])
    names = {f"a{k}": a for k, a in enumerate(args)}
    result = eval(s.op.text.format(*names), {**NAMES, **names})
    assert np.asarray(result).dtype == dtype, f"{s.op} gives {np.asarray(result).dtype}, not {dtype}"
    return dtype.type(result)


def _carries(v: Value) -> bool:
    return isinstance(v, Var) and v.type.is_float


def _times(b: Builder, g: Value, partial, type_: Scalar) -> Value:
    return b.cast(b.apply(ops.MUL, g, lift(partial)), type_)


def _is_zero(partial) -> bool:
    return isinstance(partial, int | float) and partial == 0


def _edges(b: Builder, s: Let) -> list:
    """What a statement's result depends on, and how: pairs of operand and function from adjoint to contribution."""
    if s.op in rules.CONSTANT:
        return []
    if s.op is ops.CAST:
        return [(s.args[0], lambda g: g)]
    if s.op is ops.SELECT:
        test, x, y = s.args
        return [
            (x, lambda g: b.select(test, g, zero(g.type))),
            (y, lambda g: b.select(test, zero(g.type), g)),
        ]
    partials = rules.partials(s.op, Traced(b, s.var), tuple(Traced(b, a) for a in s.args))
    assert len(partials) == len(s.args), f"the rule of {s.op} gives {len(partials)} partials"
    return [
        (a, lambda g, p=p, a=a: _times(b, g, p, a.type))
        for a, p in zip(s.args, partials, strict=True)
        if not _is_zero(p) and _carries(a)
    ]


def _reverse(b: Builder, result: Value) -> dict[Var, Value]:
    if not _carries(result):
        return {}
    bars: dict[Var, Value] = {result: constant(1.0, result.type)}
    for s in reversed(list(b.statements)):
        if (g := bars.get(s.var)) is None:
            continue
        for a, contribution in _edges(b, s):
            if _carries(a):
                new = b.cast(contribution(g), a.type)
                bars[a] = b.apply(ops.ADD, bars[a], new) if a in bars else new
    return bars


def _forward(b: Builder, tangents: dict[Var, Value]) -> dict[Var, Value]:
    for s in list(b.statements):
        if not _carries(s.var):
            continue
        for a, contribution in _edges(b, s):
            if a in tangents:
                new = b.cast(contribution(b.cast(tangents[a], s.var.type)), s.var.type)
                old = tangents.get(s.var)
                tangents[s.var] = b.apply(ops.ADD, old, new) if old is not None else new
    return tangents
