"""Reverse mode: a function's gradient, as IR.

    y = x * x                    y = x * x            (forward, unchanged)
    return y             ->      x_bar = 1.0 * x      (reverse: the statements backwards)
                                 x_bar = x_bar + 1.0 * x
                                 return x_bar

Each block of the primal has a mirror block in the reverse part, which names primal variables as if they were in scope
there. That makes an *open* program: `tape.close` then decides how each such value gets there.

An array that carries derivatives has a shadow of its shape; a view's shadow is the same view of the shadow.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zygopy.errors import UnsupportedError
from zygopy.transform import ops, rules
from zygopy.transform.build import Builder, Traced, constant, integer, lift, zero
from zygopy.transform.differentiation.activity import Activity
from zygopy.transform.differentiation.halves import Half, Halves, protect
from zygopy.transform.differentiation.halves import Key as HalfKey
from zygopy.transform.differentiation.identify import Numbers, identify, pool_shape, rebound_classes
from zygopy.transform.differentiation.operands import Operands
from zygopy.transform.differentiation.replay import Mirror, check, replay
from zygopy.transform.differentiation.spell_out import spell_out
from zygopy.transform.ir import (
    Block,
    Call,
    Const,
    Effect,
    For,
    Function,
    If,
    Kernel,
    Let,
    Param,
    Pop,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    defined,
    defined_inside,
    free_values,
    leaves,
    map_leaves,
    new_key,
    param_vars,
    replace,
    walk,
    with_blocks,
    within,
)
from zygopy.transform.kernels import Backwards
from zygopy.transform.memory import stored_arrays
from zygopy.transform.types import INT, Arena, Array, Scalar, Stack

Adjoints = dict[Var, Value]


@dataclass(frozen=True)
class Open:
    """A function whose reverse part names primal variables that are out of scope there; kept ones beside it."""

    function: Function
    counters: dict[int, tuple[Var, Var]]  # of while loops: the number of trips so far, and in the end
    halves: tuple[Half, ...] = ()


def reverse(function: Function, wrt: list, output: Value, results: object) -> Open:
    """The program of `function` and of the adjoints of `wrt`, trees of parameter leaves, for adjoint 1 of `output`.

    `results` is called with the trees of adjoints and gives the tree of what the new function returns.
    """
    halves = Halves(dict(function.callees))
    wanted = [v for tree in wrt for v in leaves(tree) if isinstance(v, Var) and _has_adjoint(v)]
    sweep = _sweep_of(function, wanted, [output], halves)
    function, b = sweep.function, Builder(function.loc)
    adjoints: Adjoints = {}
    sweep.make_pools(function, b)
    sweep.shadow_parameters(function, set(wanted), b)
    if sweep.activity.active(output):
        adjoints[output] = constant(1.0, output.type)
    sweep.block(function.body, adjoints, b)
    bars = [
        map_leaves(lambda v: sweep.adjoint_of_parameter(v, adjoints, b) if _has_adjoint(v) else v, tree) for tree in wrt
    ]
    tree = results(bars)
    primal = sweep.operands.finished(function.body)
    tape = [Let(sweep.arena, ops.NEW_ARENA, (), function.loc)] if sweep.operands.instead else []
    body = Block((*tape, *primal.statements, *b.statements), tuple(leaves(tree)))
    whole = replace(function, body=body, results=tree)
    found: list[Half] = []
    while halves.waiting:
        found.append(_half(halves.waiting.pop(), halves))
    return Open(whole, sweep.counters, tuple(found))


def _half(key: HalfKey, halves: Halves) -> Half:
    """The open program of a kept function: between its parts it is given the adjoints of its results, and shadows."""
    callee, moving, seeded = key
    function = halves.functions[callee]
    wanted = [v for v, moves in zip(param_vars(function), moving, strict=True) if moves]
    outputs = [v for v, has_seed in zip(leaves(function.results), seeded, strict=True) if has_seed]
    sweep = _sweep_of(function, wanted, outputs, halves)
    function, b = sweep.function, Builder(function.loc)
    seeds = tuple(Var(_bar(v) if isinstance(v, Var) else "y_bar", v.type) for v in outputs)
    shadows = {v: Var(_bar(v), v.type) for v in wanted if isinstance(v.type, Array)}
    seam = (*seeds, *shadows.values())
    adjoints: Adjoints = {}
    b.emit(Pop(seam, sweep.arena, function.loc))
    sweep.make_pools(function, b)
    sweep.adopt(shadows, b)
    made = {s.var: s for s in function.body.statements if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES}
    later = []
    for v, seed in zip(outputs, seeds, strict=True):
        if not isinstance(v.type, Array):
            sweep.contribute(adjoints, b, v, seed)
        elif v in made and sweep.has_shadow(v):
            sweep.shadow[v] = seed
        elif sweep.is_active(v):
            later.append((v, seed))

    def add() -> None:
        for v, seed in later:
            add_arrays(
                sweep.shadow_of(v, lambda array: tuple(b.dim(array, k) for k in range(array.type.ndim)), b), seed, b
            )

    sweep.block(function.body, adjoints, b, add)
    sweep.hand_over(shadows, b)
    bars = tuple(adjoints.get(v, zero(v.type)) for v in wanted if not isinstance(v.type, Array))
    primal = sweep.operands.finished(function.body)
    results = (*leaves(function.results), *bars)
    body = Block((*primal.statements, *b.statements), results)
    params = (*function.params, Param(sweep.arena.name, sweep.arena))
    program = Open(replace(function, params=params, body=body, results=results), sweep.counters)
    return Half(program, sweep.arena, seam, bars, *halves.of(key))


def _sweep_of(function: Function, wanted: list[Var], outputs: list[Value], halves: Halves) -> "_Sweep":
    """The reverse sweep over a function, which it numbers arrays and counts trips of."""
    function = protect(spell_out(function))
    body, counters = _count_trips(function.body)
    function = replace(function, body=body)
    activity = Activity(function, wanted, outputs)
    rebound = rebound_classes(function, activity.aliases) & activity.nodes
    function, numbers = identify(function, rebound, activity.aliases)
    return _Sweep(function, wanted, activity, numbers, counters, halves)


def _count_trips(block: Block) -> tuple[Block, dict[int, tuple[Var, Var]]]:
    """Give each while loop a counter of its trips, as its last variable."""
    counters: dict[int, tuple[Var, Var]] = {}

    def visit(block: Block) -> Block:
        return Block(tuple(statement(s) for s in block.statements), block.yields)

    def statement(s: Statement) -> Statement:
        if not isinstance(s, While):
            return with_blocks(s, visit)
        trips, total, after = Var("trips", INT), Var("trips", INT), Var("trips", INT)
        count = Let(after, ops.ADD, (trips, integer(1)), s.loc)
        body = visit(s.body)
        counters[s.key] = trips, total
        return replace(
            s,
            params=(*s.params, trips),
            inits=(*s.inits, integer(0)),
            body=Block((*body.statements, count), (*body.yields, after)),
            results=(*s.results, total),
        )

    return visit(block), counters


def _has_adjoint(var: Var) -> bool:
    """Whether a parameter holds real or complex numbers; a count among its members stands for itself."""
    return isinstance(var.type, Array) or var.type.is_inexact


class _Sweep:
    """The reverse sweep over one function."""

    def __init__(
        self,
        function: Function,
        wrt: list[Var],
        activity: Activity,
        numbers: Numbers,
        counters: dict,
        halves: Halves,
    ):
        self.function, self.halves = function, halves
        self.arena = Var("tape", Arena())  # of the records of calls
        self.activity, self.numbers, self.counters = activity, numbers, counters
        self.wanted = set(wrt)
        self.operands = Operands(function, activity.aliases)
        self.pools: dict[Var, Var] = {}
        self.shadow: dict[Var, Var] = {}

    def is_active(self, value: Value) -> bool:
        return self.activity.active(value)

    # -- adjoints ----------------------------------------------------------------------------------------------------

    def contribute(self, adjoints: Adjoints, b: Builder, value: Value, g: Value) -> None:
        """adjoint of value += g"""
        if not (isinstance(value, Var) and self.is_active(value)):
            return
        if g.type.is_complex and not value.type.is_complex:
            g = b.apply(ops.REAL, g)
        g = b.cast(g, value.type) if g.type.dtype != value.type.dtype else g
        if value in adjoints and not _is_zero(adjoints[value]):
            g = b.let(ops.SUM, (adjoints[value], g), value.type, _bar(value))
        elif isinstance(g, Var) and g.name == "t":
            g.name = _bar(value)
        adjoints[value] = g

    def adjoint_of_parameter(self, var: Var, adjoints: Adjoints, b: Builder) -> Value:
        if not isinstance(var.type, Array):
            return adjoints.get(var, zero(var.type))
        if var in self.numbers.ids:
            self.shadow[var] = self.zeros_like(var, var, b)
            add_arrays(self.shadow[var], self.pools[self.activity.node(var)], b, (self.numbers.ids[var],))
        return self.shadow[var]

    # -- shadows -----------------------------------------------------------------------------------------------------

    def make_pools(self, function: Function, b: Builder) -> None:
        """The shadows of numbered arrays."""
        visible = set(param_vars(function)) | {v for s in function.body.statements for v in defined(s)}
        for class_, roots in self.numbers.roots.items():
            shape = (self.numbers.rows(class_, b), *pool_shape(roots, visible, b))
            type_ = Array(class_.type.dtype, len(shape))
            self.pools[class_] = b.let(ops.ZEROS, shape, type_, _bar(class_))

    def shadow_parameters(self, function: Function, wanted: set[Var], b: Builder) -> None:
        for p in function.params:
            for var in leaves(p.leaves):
                if (
                    isinstance(var.type, Array)
                    and (var in wanted or self.is_active(var))
                    and var not in self.numbers.ids
                ):
                    self.shadow[var] = self.zeros_like(var, var, b)

    def adopt(self, shadows: dict[Var, Var], b: Builder) -> None:
        """Take shadows of parameters that the caller gives; numbered arrays have theirs in pools."""
        self.shadow.update({v: bar for v, bar in shadows.items() if v not in self.numbers.ids})

    def hand_over(self, shadows: dict[Var, Var], b: Builder) -> None:
        """At the end, what is in the pools belongs to the caller's shadows."""
        for v, bar in shadows.items():
            if v in self.numbers.ids and self.is_active(v):
                add_arrays(bar, self.pools[self.activity.node(v)], b, (self.numbers.ids[v],))

    def zeros_like(self, array: Var, prototype: Var, b: Builder) -> Var:
        """A new shadow for `array` with the shape of `prototype`."""
        shape = tuple(b.dim(prototype, k) for k in range(array.type.ndim))
        return b.let(ops.ZEROS, shape, Array(array.type.dtype, array.type.ndim), _bar(array))

    def shadow_block(self, block: Block, b: Builder) -> None:
        """At the head of a mirror block: shadows of the arrays that the primal block defines."""
        for s in block.statements:
            b.loc = s.loc
            match s:
                case Let() if isinstance(s.var.type, Stack):
                    if self.is_active(s.var):
                        self.shadow[s.var] = b.let(ops.NEW_STACK, (), s.var.type, _bar(s.var))
                case Let() if isinstance(s.var.type, Array) and self.has_shadow(s.var):
                    if s.op in ops.VIEWS:
                        args = (self.shadow[s.args[0]], *s.args[1:])
                        self.shadow[s.var] = b.let(s.op, args, s.var.type, _bar(s.var))
                    elif s.var not in self.shadow:
                        shape_type = Array(s.var.type.dtype, s.var.type.ndim)
                        shape = self.grown(s, block) if s.op is ops.NEW_LIST else s.args
                        self.shadow[s.var] = b.let(ops.ZEROS, shape, shape_type, _bar(s.var))
                case Call():
                    for r in s.results:
                        if isinstance(r.type, Array) and self.has_shadow(r) and r not in self.shadow:
                            shape_type = Array(r.type.dtype, r.type.ndim)
                            self.shadow[r] = b.let(ops.ZEROS, self.operands.shape(s, r), shape_type, _bar(r))
                case For() | While():
                    self.shadow_loop_results(s, b)
                case If():
                    self.shadow_branch_results(s, b)

    def grown(self, s: Let, block: Block) -> tuple[Value, ...]:
        """The shape that a list of a block has in the end, asked for behind the last statement that may change it."""
        growing = [t for t in block.statements if any(isinstance(u, Kernel) and s.var in u.outs for u in within(t))]
        if not growing:
            return s.args
        length = Let(Var("room", INT), ops.CAPACITY, (s.var,), growing[-1].loc)
        self.operands.behind.setdefault(id(growing[-1]), []).append(length)
        return (length.var, *s.args[1:])

    def array_slots(self, s: For | While) -> list[int]:
        """The array variables of a loop that have shadows of their own."""
        return [k for k, p in enumerate(s.params) if isinstance(p.type, Array) and self.has_shadow(p)]

    def has_shadow(self, array: Var) -> bool:
        return self.is_active(array) and not (array in self.numbers.ids or array in self.numbers.views)

    def shadow_loop_results(self, s: For | While, b: Builder) -> None:
        """Shadows of the arrays that a loop leaves: the same permutation of the shadows."""
        slots = self.array_slots(s)
        if not slots:
            return
        params = tuple(Var(_bar(s.params[k]), s.params[k].type) for k in slots)
        inits = tuple(self.shadow[s.inits[k]] for k in slots)
        results = tuple(Var(_bar(s.results[k]), s.results[k].type) for k in slots)
        position = {s.params[k]: j for j, k in enumerate(slots)}
        yields = tuple(params[position[s.body.yields[k]]] for k in slots)
        body = Block((), yields)
        if isinstance(s, For):
            b.emit(For(Var("k", INT), s.start, s.stop, s.step, params, inits, body, results, s.loc, new_key()))
        else:
            total = self.counters[s.key][1]
            bounds = (integer(0), total, integer(1))
            b.emit(For(Var("k", INT), *bounds, params, inits, body, results, s.loc, new_key()))
        for k, result in zip(slots, results, strict=True):
            self.shadow[s.results[k]] = result

    def shadow_branch_results(self, s: If, b: Builder) -> None:
        """Shadows of the arrays that a branch leaves: those of the side that ran.

        Of a view of an array that this side makes, the shadow of that array leaves the branch, too.
        """
        slots = [k for k, r in enumerate(s.results) if isinstance(r.type, Array) and self.has_shadow(r)]
        if not slots:
            return
        sides = []
        viewed: list[Var] = []
        for block in (s.then, s.orelse):
            inner = Builder(s.loc)
            fresh: dict[Value, Var] = {}
            for k in slots:
                y = block.yields[k]
                if y not in self.shadow and y not in fresh:
                    fresh[y] = self.shadow_in_branch(y, s.results[k], block, inner, s, fresh)
            sides.append((inner, [self.shadow.get(block.yields[k]) or fresh[block.yields[k]] for k in slots], fresh))
            viewed += [v for v in fresh if v not in block.yields]
        arrays = [*(s.results[k] for k in slots), *viewed]
        results = tuple(Var(_bar(v), Array(v.type.dtype, v.type.ndim, "A")) for v in arrays)
        blocks = []
        for inner, left, fresh in sides:
            left += [fresh.get(v) or self.nothing_like(v, inner) for v in viewed]
            blocks.append(inner.block(tuple(left)))
        b.emit(If(s.test, blocks[0], blocks[1], results, s.loc, new_key()))
        self.shadow.update(zip(arrays, results, strict=True))

    def nothing_like(self, array: Var, b: Builder) -> Var:
        """An array without elements, where a side of a branch does not make the array."""
        type_ = Array(array.type.dtype, array.type.ndim)
        return b.let(ops.ZEROS, (integer(0),) * type_.ndim, type_, _bar(array))

    def shadow_in_branch(self, array: Var, joined: Var, block: Block, b: Builder, s: If, fresh: dict) -> Var:
        """The shadow of an array that one side of a branch makes: a view of a shadow, or a new one."""
        let = next((t for t in block.statements if isinstance(t, Let) and t.var is array), None)
        if let is not None and let.op.effect is Effect.ALLOCATES:
            known = all(self.is_known_before(n, block) for n in let.args)
            shape = tuple(self.again(n, block, b) for n in let.args) if known else self.operands.shape(s, joined)
            return b.let(ops.ZEROS, shape, Array(array.type.dtype, array.type.ndim), _bar(array))
        if any(isinstance(t, Call) and array in t.results for t in block.statements):
            return b.let(
                ops.ZEROS, self.operands.shape(s, joined), Array(array.type.dtype, array.type.ndim), _bar(array)
            )
        if let is None or let.op not in ops.VIEWS:
            return self.zeros_like(array, joined, b)
        base = self.shadow.get(let.args[0]) or fresh.get(let.args[0])
        if base is None:
            base = fresh[let.args[0]] = self.shadow_in_branch(let.args[0], let.args[0], block, b, s, fresh)
        args = tuple(self.again(a, block, b) for a in let.args[1:])
        return b.let(let.op, (base, *args), array.type, _bar(array))

    def is_known_before(self, value: Value, block: Block) -> bool:
        """Whether a number of a block is computed from nothing that calls in the block give."""
        made = {r for t in block.statements if isinstance(t, Call) for r in t.results}
        let = next((t for t in block.statements if isinstance(t, Let) and t.var is value), None)
        args = (value,) if let is None else let.args
        return not made & {*args} and (let is None or all(self.is_known_before(a, block) for a in args))

    def again(self, value: Value, block: Block, b: Builder) -> Value:
        """A number that a block computes from what is around it, computed once more."""
        let = next((t for t in block.statements if isinstance(t, Let) and t.var is value), None)
        if let is None:
            return value
        if let.op.effect is not Effect.PURE:
            raise UnsupportedError(
                "this view, bound on one side of a branch, is not supported",
                let.loc,
                help="copy the slice: x[...].copy()",
            )
        return b.let(let.op, tuple(self.again(a, block, b) for a in let.args), value.type, value.name)

    # -- blocks ------------------------------------------------------------------------------------------------------

    def block(self, block: Block, adjoints: Adjoints, b: Builder, start: Callable[[], None] = lambda: None) -> None:
        """The mirror of a block: its statements backwards; `start` is called when its shadows are there."""
        self.shadow_block(block, b)
        start()
        for s in reversed(block.statements):
            b.loc = s.loc
            self.statement(s, adjoints, b)

    def statement(self, s: Statement, adjoints: Adjoints, b: Builder) -> None:
        match s:
            case Let():
                self.let(s, adjoints, b)
            case Store():
                self.store(s, adjoints, b)
            case Kernel():
                self.kernel(s, adjoints, b)
            case Call():
                self.call(s, adjoints, b)
            case For() | While():
                self.loop(s, adjoints, b)
            case If():
                self.branch(s, adjoints, b)
            case Push():
                if self.is_active(s.stack):
                    bars = tuple(
                        Var(f"{v.name}_bar" if isinstance(v, Var) else "t", Scalar(s.stack.type.dtype))
                        for v in s.values
                    )
                    b.emit(Pop(bars, self.shadow[s.stack], s.loc))
                    for v, bar in zip(s.values, bars, strict=True):
                        self.contribute(adjoints, b, v, bar)
            case Pop():
                if self.is_active(s.stack):
                    cell = Scalar(s.stack.type.dtype)
                    bars = tuple(adjoints.pop(v, zero(cell)) for v in s.vars)
                    b.emit(Push(self.shadow[s.stack], bars, s.loc))

    def let(self, s: Let, adjoints: Adjoints, b: Builder) -> None:
        if s.var not in adjoints:
            return
        g = adjoints[s.var] if s.var in self.wanted else adjoints.pop(s.var)
        match s.op:
            case ops.LOAD:
                if self.is_active(s.args[0]):
                    b.store(*self.cell(s.args[0], s.args[1:], b), g, ops.SUM)
            case ops.CAST:
                self.contribute(adjoints, b, s.args[0], g)
            case ops.SELECT:
                test, x, y = s.args
                if self.is_active(x):
                    self.contribute(adjoints, b, x, b.select(test, g, zero(g.type)))
                if self.is_active(y):
                    self.contribute(adjoints, b, y, b.select(test, zero(g.type), g))
            case _:
                self.elementwise(s, g, adjoints, b)

    def elementwise(self, s: Let, g: Value, adjoints: Adjoints, b: Builder) -> None:
        if not any(self.is_active(a) for a in s.args):
            return
        traced = tuple(Traced(b, a) for a in s.args)
        if (rule := rules.LINEAR.get(s.op)) is not None:
            for a, bar in zip(s.args, rule(Traced(b, g)), strict=True):
                if self.is_active(a):
                    self.contribute(adjoints, b, a, lift(bar))
            return
        for a, partial in zip(s.args, rules.partials(s.op, Traced(b, s.var), traced), strict=True):
            if self.is_active(a) and not (isinstance(partial, int | float) and partial == 0):
                self.contribute(adjoints, b, a, times(b, g, partial))

    def store(self, s: Store, adjoints: Adjoints, b: Builder) -> None:
        if not self.is_active(s.array):
            return
        shadow, index = self.cell(s.array, s.index, b)
        if self.is_active(s.value):
            self.contribute(adjoints, b, s.value, b.load(shadow, index))
        if not s.add:
            b.store(shadow, index, zero(shadow.type.element))

    def cell(self, array: Var, index: tuple[Value, ...], b: Builder) -> tuple[Var, tuple[Value, ...]]:
        """Where the adjoint of an array's element is."""
        if (row := self.row(array, b)) is not None:
            pool, number = row
            return pool, (number, *index)
        if (view := self.numbers.views.get(array)) is not None:
            raise UnsupportedError(
                "an array variable that a loop rebinds is viewed here; this is not supported",
                view.loc,
                help="copy the slice: x[...].copy()",
            )
        return self.shadow[array], index

    def row(self, array: Var, b: Builder) -> tuple[Var, Value] | None:
        """The pool of a numbered array's shadow, in the array's shape, and the number."""
        pool = self.pools.get(self.activity.node(array))
        if pool is not None and (view := self.numbers.reshaped.get(array)) is not None:
            whole, *shape = view.args
            type_ = Array(array.type.dtype, len(view.args))
            return b.let(ops.RESHAPE, (pool, b.dim(pool, 0), *shape), type_, pool.name), self.numbers.ids[whole]
        return None if pool is None or array not in self.numbers.ids else (pool, self.numbers.ids[array])

    # -- kernels -----------------------------------------------------------------------------------------------------

    def kernel(self, s: Kernel, adjoints: Adjoints, b: Builder) -> None:
        if not any(self.is_active(out) for out in s.outs):
            return

        def shape(array: Var) -> tuple[Value, ...]:
            return self.operands.shape(s, array)

        def bar(array: Var) -> Var | None:
            return self.shadow_of(array, shape, b) if self.is_active(array) else None

        def add(number: Value, g: Value) -> None:
            self.contribute(adjoints, b, number, g)

        k = Backwards(b, shape, bar, lambda array: self.operands.primal(s, array, b), add)
        rules.adjoint_of(s.op)(k, *s.outs, *s.args)
        for out in s.outs:
            if self.is_active(out) and s.op not in ops.ADDING and not self.operands.is_first(s, out):
                k.clear(bar(out), shape(out))

    def shadow_of(self, array: Var, shape: Callable, b: Builder) -> Var:
        """The shadow of a whole array, a view of a pool's row where the array is numbered."""
        row = self.row(array, b)
        if row is None and (view := self.numbers.views.get(array)) is not None:
            return b.let(view.op, (self.shadow_of(view.args[0], shape, b), *view.args[1:]), array.type, _bar(array))
        if row is None:
            return self.shadow[array]
        args: list[Value] = [*row, integer(0), integer(-1)]
        for n in shape(array):
            args += [integer(0), integer(1), n]
        type_ = Array(array.type.dtype, array.type.ndim, "A")
        return b.let(ops.VIEW, tuple(args), type_, _bar(array))

    # -- kept functions ----------------------------------------------------------------------------------------------

    def call(self, s: Call, adjoints: Adjoints, b: Builder) -> None:
        """The call of the backward part; the call itself becomes one of the forward part."""
        seeded, moving = tuple(map(self.is_active, s.results)), tuple(map(self.is_active, s.args))
        if not any(seeded):
            return
        if any(isinstance(a.type, Arena) for a in s.args):
            raise UnsupportedError(
                "the gradient of a gradient of a function that calls itself is not supported",
                s.loc,
                "its backward part reads records, through which no second reverse sweep goes",
                "take one of the derivatives by forward mode: hvp, jvp or hessian",
            )
        key = self.halves.fitting((s.callee, moving, seeded))
        forward, backward = self.halves.of(key)
        self.operands.instead[id(s)] = replace(s, callee=forward, args=(*s.args, self.arena))

        def shape(array: Var) -> tuple[Value, ...]:
            return self.operands.shape(s, array)

        given: list[Value] = []
        for r in [r for r, has_seed in zip(s.results, seeded, strict=True) if has_seed]:
            given.append(self.shadow_of(r, shape, b) if isinstance(r.type, Array) else adjoints.pop(r, zero(r.type)))
        apart: list[tuple[Var, Var]] = []  # shadows of one array that may be given twice, and what is added to them
        classes: set[Var] = set()
        numbers: list[Value] = []
        for a, moves, is_given in zip(s.args, moving, key[1], strict=True):
            if not is_given:
                continue
            if not isinstance(a.type, Array):
                numbers.append(a)
                continue
            if not moves:  # nobody reads this adjoint
                given.append(b.let(ops.ZEROS, shape(a), Array(a.type.dtype, a.type.ndim), _bar(a)))
                continue
            shadow = self.shadow_of(a, shape, b)
            if (class_ := self.activity.node(a)) in classes:
                own = b.let(ops.ZEROS, shape(a), Array(a.type.dtype, a.type.ndim), _bar(a))
                apart.append((shadow, own))
                shadow = own
            classes.add(class_)
            given.append(shadow)
        bars = tuple(Var(_bar(a) if isinstance(a, Var) else "t", a.type) for a in numbers)
        stores = tuple(k for k, v in enumerate(given) if isinstance(v.type, Array))
        b.emit(Call(backward, (*given, self.arena), bars, ((),) * len(bars), s.loc, stores))
        for a, bar in zip(numbers, bars, strict=True):
            self.contribute(adjoints, b, a, bar)
        for shadow, own in apart:
            add_arrays(shadow, own, b)

    # -- control flow ------------------------------------------------------------------------------------------------

    def outer_scalars(self, *blocks: Block) -> list[Var]:
        """The active numbers that blocks read from around them."""
        found = dict.fromkeys(v for block in blocks for v in free_values(block))
        return [v for v in found if isinstance(v.type, Scalar) and self.is_active(v)]

    def loop(self, s: For | While, adjoints: Adjoints, b: Builder) -> None:
        if isinstance(s, For) and s.snapshots is not None:
            if not self.is_active_inside(s):
                return
            check(s, set(self.numbers.ids))
        carried = [k for k, p in enumerate(s.params) if isinstance(p.type, Scalar) and self.is_active(p)]
        outer = [v for v in self.outer_scalars(s.body) if v not in s.params]
        arrays = self.array_slots(s)
        inits = [adjoints.pop(s.results[k], zero(s.results[k].type)) for k in carried]
        inits += [adjoints.get(v, zero(v.type)) for v in outer]
        inits += [self.shadow[s.results[k]] for k in arrays]
        variables = [s.params[k] for k in carried] + outer + [s.params[k] for k in arrays]
        params = tuple(
            Var(_bar(v), i.type if isinstance(v.type, Array) else v.type) for v, i in zip(variables, inits, strict=True)
        )
        inits = [b.cast(i, p.type) if isinstance(p.type, Scalar) else i for i, p in zip(inits, params, strict=True)]
        scalars, handles = params[: len(carried) + len(outer)], params[len(carried) + len(outer) :]
        inside: Adjoints = dict(zip(outer, scalars[len(carried) :], strict=True))
        inner = Builder(s.loc)
        for k, bar in zip(carried, scalars, strict=False):
            self.contribute(inside, inner, s.body.yields[k], bar)
        self.shadow_handles(s, arrays, handles, inner)
        self.block(s.body, inside, inner)
        yields = [inside.get(s.params[k], zero(s.params[k].type)) for k in carried] + [inside[v] for v in outer]
        yields = [inner.cast(y, p.type) for y, p in zip(yields, scalars, strict=True)]
        yields += [self.shadow[s.params[k]] for k in arrays]
        results = tuple(Var(_bar(v), p.type) for v, p in zip(variables, params, strict=True))
        b.loc = s.loc
        body = inner.block(tuple(yields))
        if isinstance(s, For) and s.snapshots is not None:
            mirror = Mirror(params, tuple(inits), body, results)
            replay(s, trip_count(s, b), mirror, self.operands, self.activity.aliases, self.counters, b)
        else:
            index, bounds = self.backwards(s, b)
            if isinstance(s, For):
                body = Substitution({s.index: index}).block(body)
            b.emit(For(index, *bounds, params, tuple(inits), body, results, s.loc, new_key(), mirror=s.key))
        for v, r in zip(outer, results[len(carried) :], strict=False):
            adjoints[v] = r
        for k, r in zip(carried, results, strict=False):
            self.contribute(adjoints, b, s.inits[k], r)

    def is_active_inside(self, s: For) -> bool:
        """Whether a loop computes anything that carries derivatives, or stores over it."""
        stored = {v for t in walk(s.body) for v in stored_arrays(t)}
        return any(map(self.is_active, defined_inside(s) | stored))

    def shadow_handles(self, s: For | While, slots: list[int], handles: tuple[Var, ...], b: Builder) -> None:
        """In a mirror body: the shadows of array variables at the start of the trip, from those at its end."""
        for k, handle in zip(slots, handles, strict=True):
            self.shadow[s.body.yields[k]] = handle

    def backwards(self, s: For | While, b: Builder) -> tuple[Var, tuple[Value, Value, Value]]:
        """The range that a loop's mirror runs over."""
        if isinstance(s, While):
            total = self.counters[s.key][1]
            return Var("trip", INT), (b.sub(total, integer(1)), integer(-1), integer(-1))
        index = Var(s.index.name, INT)
        if isinstance(s.step, Const) and abs(s.step.value) == 1:
            step = integer(s.step.value)
            return index, (b.sub(s.stop, step), b.sub(s.start, step), integer(-step.value))
        trips = trip_count(s, b)
        last = b.add(s.start, b.mul(b.sub(trips, integer(1)), s.step))
        back = integer(-s.step.value) if isinstance(s.step, Const) else b.apply(ops.NEG, s.step)
        return index, (last, b.sub(s.start, s.step), back)

    def branch(self, s: If, adjoints: Adjoints, b: Builder) -> None:
        outer = self.outer_scalars(Block(s.then.statements), Block(s.orelse.statements))
        seeds = {k: adjoints.pop(r) for k, r in enumerate(s.results) if r in adjoints}
        yielded = [v for k in seeds for v in (s.then.yields[k], s.orelse.yields[k])]
        for v in yielded:
            if isinstance(v, Var) and self.is_active(v) and v not in outer and self.is_outside(v, s):
                outer.append(v)
        sides = []
        for block in (s.then, s.orelse):
            inside = {v: adjoints[v] for v in outer if v in adjoints}
            inner = Builder(s.loc)
            self.adopt_branch_shadows(s, block)
            for k, g in seeds.items():
                self.contribute(inside, inner, block.yields[k], g)
            self.block(block, inside, inner)
            sides.append((inner, inside))
        (then_b, then), (else_b, orelse) = sides
        changed = [v for v in outer if then.get(v) is not adjoints.get(v) or orelse.get(v) is not adjoints.get(v)]
        results = tuple(Var(_bar(v), v.type) for v in changed)
        blocks = (
            then_b.block(tuple(then_b.cast(then.get(v, zero(v.type)), v.type) for v in changed)),
            else_b.block(tuple(else_b.cast(orelse.get(v, zero(v.type)), v.type) for v in changed)),
        )
        b.loc = s.loc
        if changed or blocks[0].statements or blocks[1].statements:
            b.emit(If(s.test, *blocks, results, s.loc, new_key(), mirror=s.key))
        adjoints.update(zip(changed, results, strict=True))

    def adopt_branch_shadows(self, s: If, block: Block) -> None:
        """Arrays that this side of a branch allocates and hands out have the shadow that the join was given."""
        for k, r in enumerate(s.results):
            if r in self.shadow and block.yields[k] not in self.shadow:
                self.shadow[block.yields[k]] = self.shadow[r]

    @staticmethod
    def is_outside(var: Var, s: If) -> bool:
        inside = {v for block in (s.then, s.orelse) for t in block.statements for v in defined(t)}
        return var not in inside


def add_arrays(target: Var, source: Var, b: Builder, row: tuple[Value, ...] = ()) -> None:
    """target += source[row], element by element."""

    def level(axis: int, index: tuple[Var, ...]) -> Block:
        inner = Builder(b.loc)
        if axis == target.type.ndim:
            inner.store(target, index, inner.load(source, (*row, *index)), ops.SUM)
            return inner.block()
        k = Var("ijkl"[axis % 4], INT)
        n = inner.dim(target, axis)
        bounds = (integer(0), n, integer(1))
        inner.emit(For(k, *bounds, (), (), level(axis + 1, (*index, k)), (), b.loc, new_key()))
        return inner.block()

    b.statements += level(0, ()).statements


def times(b: Builder, g: Value, partial: object) -> Value:
    """g * partial, with nothing to do for 1 and -1."""
    value = lift(partial)
    if isinstance(value, Const) and value.value == 1:
        return g
    if isinstance(value, Const) and value.value == -1:
        return b.apply(ops.NEG, g)
    return b.apply(ops.MUL, g, value)


def trip_count(s: For, b: Builder) -> Value:
    """The number of trips of a for loop, 0 if it does not run."""
    if not isinstance(s.step, Const):
        up = _trips(b, s.start, s.stop, s.step)
        down = _trips(b, s.stop, s.start, b.apply(ops.NEG, s.step))
        return b.select(b.apply(ops.GT, s.step, integer(0)), up, down)
    if s.step.value > 0:
        return _trips(b, s.start, s.stop, s.step)
    return _trips(b, s.stop, s.start, integer(-s.step.value))


def _trips(b: Builder, low: Value, high: Value, step: Value) -> Value:
    span = b.sub(high, low)
    if not (isinstance(step, Const) and step.value == 1):
        safe = step if isinstance(step, Const) else b.apply(ops.INT_MAX, step, integer(1))
        span = b.apply(ops.FLOORDIV, b.add(span, b.sub(safe, integer(1))), safe)
    return b.apply(ops.INT_MAX, span, integer(0))


def _bar(var: Var) -> str:
    return var.name if var.name.endswith("_bar") else f"{var.name}_bar"


def _is_zero(value: Value) -> bool:
    return isinstance(value, Const) and value.value == 0
