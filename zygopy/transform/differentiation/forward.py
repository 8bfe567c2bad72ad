"""Forward mode: a function and its tangent, computed side by side, as IR.

    y = x * x                    y_dot = x_dot * x + x_dot * x
    return y             ->      y = x * x
                                 return y, y_dot

An array that carries derivatives has a tangent array of its shape, stored into and viewed as it is.
"""

import functools

from zygopy.transform import ops, rules
from zygopy.transform.build import Builder, Traced, zero
from zygopy.transform.differentiation.activity import Activity
from zygopy.transform.differentiation.reverse import add_arrays, times
from zygopy.transform.differentiation.spell_out import spell_out
from zygopy.transform.ir import (
    Block,
    Call,
    Callee,
    Const,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Leaves,
    Let,
    Param,
    Pop,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    leaves,
    map_leaves,
    param_vars,
    replace,
    walk,
    with_reachable,
)
from zygopy.transform.kernels import Sideways
from zygopy.transform.types import Arena, Array, Scalar, Stack


def forward(function: Function, wrt: list[str]) -> Function:
    """The function that takes a tangent behind each parameter named in `wrt` and returns (results, their tangents)."""
    callees = Callees(function)
    function = spell_out(function)
    sources = [v for p in function.params if p.name in wrt for v in leaves(p.leaves) if carries(v)]
    push = Pushing(Activity(function, sources, [v for v in leaves(function.results) if isinstance(v, Var)]), callees)
    b = Builder(function.loc)
    dots = [Param(f"{p.name}_dot", map_leaves(push.parameter, p.leaves)) for p in function.params if p.name in wrt]
    push.parameters(function, b)
    push.block(function.body, b)
    results: Leaves = (function.results, map_leaves(lambda v: push.tangent_of_result(v, b), function.results))
    body = b.block(tuple(leaves(results)))
    return callees.with_tangents(replace(function, params=(*function.params, *dots), body=body, results=results))


class Callees:
    """The kept functions of a program with their tangents, each made once for the arguments that move."""

    def __init__(self, function: Function):
        self.functions = dict(function.callees)
        self.made: dict[tuple[Callee, tuple[bool, ...]], Callee] = {}

    def with_tangents(self, function: Function) -> Function:
        return with_reachable(function, self.functions)

    def tangent_of(self, callee: Callee, moving: tuple[bool, ...]) -> Callee:
        """The function that takes a tangent behind the parameters for each that moves, and gives those of its results.

        Each result that is no integer has one. What it stores into has a tangent that it stores into, too.
        """
        if (callee, moving) in self.made:
            return self.made[callee, moving]
        new = self.made[callee, moving] = Callee(f"{callee.name}_jvp")
        function = spell_out(self.functions[callee])
        params = param_vars(function)
        sources = [v for v, moves in zip(params, moving, strict=True) if moves]
        sinks = [v for v in leaves(function.results) if isinstance(v, Var)]
        sinks += [v for v in sources if not isinstance(v.type, Scalar)]
        push = Pushing(Activity(function, [*sources, *_recorded_stacks(function)], sinks), self)
        b = Builder(function.loc)
        dots = [Param(f"{v.name}_dot", push.given(v)) for v in sources if not isinstance(v.type, Arena)]
        for v in params:  # those that stand still, and whose memory a result may share with what moves
            if isinstance(v.type, Array) and push.is_active(v) and v not in push.dot:
                push.dot[v] = push.zeros_like(v, b)
        push.block(function.body, b)
        results = tuple(leaves(function.results))
        results += tuple(push.tangent_of_result(v, b) for v in results if v.type.dtype.kind in "fc")
        self.functions[new] = replace(
            function, name=new.name, params=(*function.params, *dots), body=b.block(results), results=results
        )
        return new


class Pushing:
    """Writes each statement together with its tangent."""

    def __init__(self, activity: Activity, callees: Callees):
        self.activity, self.callees = activity, callees
        self.dot: dict[Var, Value] = {}

    def is_active(self, value: Value) -> bool:
        return self.activity.active(value)

    def parameter(self, var: Var) -> Var:
        dot = Var(f"{var.name}_dot", var.type)
        if self.is_active(var):
            self.dot[var] = dot
        return dot

    def given(self, var: Var) -> Var:
        """The tangent that a kept function is given for a parameter."""
        self.dot[var] = dot = var if isinstance(var.type, Arena) else Var(f"{var.name}_dot", var.type)
        return dot

    def parameters(self, function: Function, b: Builder) -> None:
        """Own tangent arrays for the parameters that are stored into: zeros, or a copy of the caller's tangent."""
        stored = self.activity.aliases.stored(function.body)
        for p in function.params:
            for var in leaves(p.leaves):
                if not (isinstance(var.type, Array) and self.is_active(var)):
                    continue
                given = self.dot.get(var)
                if given is None or self.activity.aliases.of(var) in stored:
                    shape = tuple(b.dim(var, k) for k in range(var.type.ndim))
                    self.dot[var] = b.let(ops.ZEROS, shape, Array(var.type.dtype, var.type.ndim), _dot(var))
                if given is not None and self.dot[var] is not given:
                    add_arrays(self.dot[var], given, b)

    def tangent(self, value: Value) -> Value | None:
        """The tangent of a value; None if it is zero."""
        return self.dot.get(value) if isinstance(value, Var) else None

    def tangent_or_zero(self, value: Value, type_: Scalar) -> Value:
        return self.tangent(value) or zero(type_)

    def tangent_of_result(self, value: Value, b: Builder) -> Value:
        if (found := self.tangent(value)) is not None:
            return found
        return self.zeros_like(value, b) if isinstance(value.type, Array) else zero(value.type)

    def zeros_like(self, array: Var, b: Builder) -> Var:
        """A new tangent array."""
        shape = tuple(b.dim(array, k) for k in range(array.type.ndim))
        return b.let(ops.ZEROS, shape, Array(array.type.dtype, array.type.ndim), _dot(array))

    def new(self, var: Var) -> Var:
        self.dot[var] = dot = Var(_dot(var), var.type)
        return dot

    # -- statements --------------------------------------------------------------------------------------------------

    def block(self, block: Block, b: Builder) -> None:
        for s in block.statements:
            b.loc = s.loc
            self.statement(s, b)

    def value(self, s: Statement, b: Builder) -> None:
        """Write the statement itself, before its tangent."""
        b.emit(s)

    def statement(self, s: Statement, b: Builder) -> None:
        match s:
            case Let():
                self.value(s, b)
                if self.is_active(s.var):
                    self.let(s, b)
            case Store():
                if self.is_active(s.array):
                    dot = self.tangent_or_zero(s.value, s.array.type.element)
                    if not (s.add and isinstance(dot, Const)):
                        b.store(self.dot[s.array], s.index, dot, s.add)
                self.value(s, b)
            case Kernel():
                self.value(s, b)
                if any(self.is_active(out) for out in s.outs):
                    self.kernel(s, b)
            case Call():
                self.call(s, b)
            case For() | While():
                self.loop(s, b)
            case If():
                self.branch(s, b)
            case Push() if isinstance(s.stack.type, Arena):
                dots = tuple(self.tangent_of_result(v, b) for v in s.values if _moves(v))
                b.emit(replace(s, values=(*s.values, *dots)))
            case Pop() if isinstance(s.stack.type, Arena):
                b.emit(replace(s, vars=(*s.vars, *(self.new(v) for v in s.vars if _moves(v)))))
            case Push():
                self.value(s, b)
                if self.is_active(s.stack):
                    cell = Scalar(s.stack.type.dtype)
                    b.emit(Push(self.dot[s.stack], tuple(self.tangent_or_zero(v, cell) for v in s.values), s.loc))
            case Pop():
                self.value(s, b)
                if self.is_active(s.stack):
                    b.emit(Pop(tuple(self.new(v) for v in s.vars), self.dot[s.stack], s.loc))
            case _:
                self.value(s, b)

    def kernel(self, s: Kernel, b: Builder) -> None:
        """What the rule says; arrays filled from what stands still stand still, though they moved before."""
        k = Sideways(b, functools.partial(shape_of, b), self.tangent)
        adds = s.op in (ops.ADD_MATMUL, ops.SUB_MATMUL, ops.ROOM)
        if adds or any(self.tangent(a) is not None for a in s.args):
            rules.tangent_of(s.op)(k, *s.outs, *s.args)
            return
        for out in s.outs:
            if (dot := self.tangent(out)) is not None:
                k.clear(dot, shape_of(b, out))

    def call(self, s: Call, b: Builder) -> None:
        """A call of the function with tangents, if an argument has one; with records, all of them have."""
        records = any(isinstance(a.type, Arena) and self.is_active(a) for a in s.args)
        moving = tuple(_moves(a) if records else self.tangent(a) is not None for a in s.args)
        if not any(moving):
            self.value(s, b)
            for r in s.results:
                if isinstance(r.type, Array) and self.is_active(r):
                    self.dot[r] = self.zeros_like(r, b)
            return
        pairs = zip(s.args, moving, strict=True)
        given = tuple(self.tangent_of_result(a, b) for a, moves in pairs if moves and not isinstance(a.type, Arena))
        followed = [(r, shape) for r, shape in zip(s.results, s.shapes, strict=True) if r.type.dtype.kind in "fc"]
        stores = [k for k, a in enumerate(s.args) if moving[k] and not isinstance(a.type, Arena)]
        more = tuple(len(s.args) + stores.index(k) for k in s.stores if k in stores)
        b.emit(
            replace(
                s,
                callee=self.callees.tangent_of(s.callee, moving),
                args=(*s.args, *given),
                results=(*s.results, *(self.new(r) for r, _ in followed)),
                shapes=(*s.shapes, *(shape for _, shape in followed)),
                stores=(*s.stores, *more),
            )
        )

    def let(self, s: Let, b: Builder) -> None:
        match s.op:
            case ops.NEW_ARENA:
                self.dot[s.var] = s.var
            case _ if s.op.effect is Effect.ALLOCATES:
                op = s.op if isinstance(s.var.type, Stack) or s.op is ops.NEW_LIST else ops.ZEROS
                self.dot[s.var] = b.let(op, s.args, s.var.type, _dot(s.var))
            case ops.VIEW | ops.TRANSPOSE | ops.RESHAPE:
                self.dot[s.var] = b.let(s.op, (self.dot[s.args[0]], *s.args[1:]), s.var.type, _dot(s.var))
            case ops.LOAD:
                self.dot[s.var] = b.load(self.dot[s.args[0]], s.args[1:], _dot(s.var))
            case ops.CAST:
                self.dot[s.var] = b.cast(self.tangent_or_zero(s.args[0], s.args[0].type), s.var.type)
            case ops.SELECT:
                test, x, y = s.args
                sides = self.tangent_or_zero(x, s.var.type), self.tangent_or_zero(y, s.var.type)
                self.dot[s.var] = b.select(test, *sides)
            case _:
                self.elementwise(s, b)

    def elementwise(self, s: Let, b: Builder) -> None:
        if s.op in rules.LINEAR:
            dots = tuple(self.tangent_or_zero(a, a.type) for a in s.args)
            self.dot[s.var] = b.apply(s.op, *dots, name=_dot(s.var))
            return
        traced = tuple(Traced(b, a) for a in s.args)
        total: Value | None = None
        for a, partial in zip(s.args, rules.partials(s.op, Traced(b, s.var), traced), strict=True):
            dot = self.tangent(a)
            if dot is None or (isinstance(partial, int | float) and partial == 0):
                continue
            dot = b.cast(dot, s.var.type) if dot.type.dtype != s.var.type.dtype else dot
            term = times(b, dot, partial)
            total = term if total is None else self.added(s, total, term, b)
        if total is not None:
            total = b.cast(total, s.var.type) if total.type.dtype != s.var.type.dtype else total
            if isinstance(total, Var) and total.name == "t":
                total.name = _dot(s.var)
            self.dot[s.var] = total

    @staticmethod
    def added(s: Let, a: Value, b_: Value, b: Builder) -> Value:
        """The sum of two terms of a tangent; its order is free where that of the value is."""
        return b.let(ops.SUM, (a, b_), s.var.type) if s.op is ops.SUM else b.apply(ops.ADD, a, b_)

    # -- control flow ------------------------------------------------------------------------------------------------

    def carried(self, vars: tuple[Var, ...]) -> list[int]:
        return [k for k, v in enumerate(vars) if self.is_active(v)]

    def init(self, value: Value, like: Var) -> Value:
        if isinstance(like.type, Array):
            return self.dot[value]
        return self.tangent_or_zero(value, like.type)

    def loop(self, s: For | While, b: Builder) -> None:
        slots = self.carried(s.params)
        inits = tuple(self.init(s.inits[k], s.params[k]) for k in slots)
        params = tuple(self.new(s.params[k]) for k in slots)
        changes: dict = {}
        if isinstance(s, While):
            test = Builder(s.loc)
            self.block(s.test, test)
            changes["test"] = test.block(s.test.yields)
        inner = Builder(s.loc)
        self.block(s.body, inner)
        yields = tuple(self.init(s.body.yields[k], s.params[k]) for k in slots)
        results = tuple(self.new(s.results[k]) for k in slots)
        b.loc = s.loc
        b.emit(
            replace(
                s,
                params=(*s.params, *params),
                inits=(*s.inits, *inits),
                body=inner.block((*s.body.yields, *yields)),
                results=(*s.results, *results),
                **changes,
            )
        )

    def branch(self, s: If, b: Builder) -> None:
        slots = self.carried(s.results)
        sides = []
        for block in (s.then, s.orelse):
            inner = Builder(s.loc)
            self.block(block, inner)
            sides.append(inner.block((*block.yields, *(self.init(block.yields[k], s.results[k]) for k in slots))))
        results = tuple(self.new(s.results[k]) for k in slots)
        b.loc = s.loc
        b.emit(replace(s, then=sides[0], orelse=sides[1], results=(*s.results, *results)))


def shape_of(b: Builder, array: Var) -> tuple[Value, ...]:
    return tuple(b.dim(array, k) for k in range(array.type.ndim))


def _dot(var: Var) -> str:
    return f"{var.name}_dot"


def _recorded_stacks(function: Function) -> list[Var]:
    """The growing tapes in records, which have tangents there."""
    found = [v for s in walk(function.body) if isinstance(s, Push) for v in s.values if isinstance(v, Var)]
    return [v for v in found if isinstance(v.type, Stack) and _moves(v)]


def _moves(value: Value) -> bool:
    """Whether a number, array or tape has a tangent in a record, or beside one."""
    return value.type.dtype.kind in "fc"


def carries(v: object) -> bool:
    return isinstance(v, Var) and v.type.dtype.kind in "fc"
