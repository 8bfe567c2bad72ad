"""Calls of functions that have adjoints or tangents of their users: kernels that tie results to arguments.

y = f(x)        y0 = ...                    the function's body, in place
                y = np.empty(y0.shape)
                f(y; y0, x)                 a kernel: y is y0, its derivative is that of the rule

`settle` takes y0 for y in the end. The rules are followed when the kernel is differentiated.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn

from zygopy.errors import DtypeError, ShapeError, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.affine import Affine
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.build import constant as number
from zygopy.transform.ir import Const, Effect, Kernel, Value, Var
from zygopy.transform.kernels import Backwards, Matrices, Sideways
from zygopy.transform.library import elementwise, reductions
from zygopy.transform.reading import arrays
from zygopy.transform.reading.parse import read as rule_source
from zygopy.transform.reading.rule_bodies import Inner, Read, is_none, loc_of, one_for_each, read_number, run
from zygopy.transform.reading.ruled_calls import forward, views_of
from zygopy.transform.reading.specialise import Specialiser
from zygopy.transform.reading.user_rules import Rules
from zygopy.transform.reading.values import Static, View, describe, is_number
from zygopy.transform.records import rebuilt
from zygopy.transform.types import Array, Scalar


@dataclass(frozen=True)
class _Slot:
    """A leaf of the arguments or of the result: an operand of the kernel, by its position; what is known of it.

    A number that is a result is `boxed`: the operand is an array that holds it. `shaped` is the position of an operand
    of its shape: for a result its value, which no loop hands on.
    """

    position: int
    shaped: int
    type_: Scalar | Array
    lengths: tuple[Affine, ...] = ()
    boxed: bool = False

    @property
    def is_inexact(self) -> bool:
        return self.type_.dtype.kind in "fc"


_Tree = object  # a _Slot, a Const or Static that is known now, or a tuple of such


class Call:
    """A call while its function is specialised: collects the operands of the kernel."""

    def __init__(self, s: Specialiser, rules: Rules, given: list, value: object, kept: object = None):
        self.s, self.rules, self.given, self.value, self.kept = s, rules, given, value, kept
        self.outs: list[Var] = []
        self.values: list[Var] = []
        self.args: list[Value] = []
        self.first = 2 * len([leaf for leaf in _leaves(value) if _carries(leaf)])  # the position of args

    def tied(self) -> object:
        """The value of the call, tied to the arguments."""
        if not self.first:
            return self.value
        name = self.rules.function.__name__
        result, given = self.result(self.value), tuple(map(self.operand, self.given))
        kept = None if self.kept is None else self.operand(self.kept)
        tie = _Tie(self.rules, self.s.captured_numbers, result, given, kept)
        once = self.rules.backward is not None
        op = ops.Tied(f"{name}_{self.rules.number}", "", adjoint=tie.adjoint, tangent=tie.tangent, once=once)
        self.s.b.emit(Kernel(op, tuple(self.outs), (*self.values, *self.args), self.s.loc))
        return self.unboxed(tie.result, self.value)

    def result(self, value: object) -> _Tree:
        """What the function returns, as its rules see it; what carries derivatives becomes an out."""
        if isinstance(value, tuple):
            return rebuilt(value, map(self.result, value))
        if not _carries(value):
            return self.operand(value)
        s = self.s
        view = value if isinstance(value, View) else arrays.build(s, (integer(1),), lambda ks: value)
        view = view if self.is_own(view) else arrays.copy(s, view)
        out = s.b.let(ops.EMPTY, tuple(map(s.canonical, view.shape)), view.base.type, view.base.name)
        s.facts.shapes[out] = view.shape
        self.outs.append(out)
        self.values.append(view.base)
        position, shaped = len(self.outs) - 1, len(self.outs) - 1 + self.first // 2
        if not isinstance(value, View):
            return _Slot(position, shaped, value.type, boxed=True)
        return self.slot(position, shaped, value)

    def is_own(self, view: View) -> bool:
        """Whether a result is all of an array that the function has made, and no other result."""
        let = self.s.facts.definitions.get(view.base)
        is_new = let is not None and let.op.effect is Effect.ALLOCATES and not view.frozen
        elsewhere = [*self.values, *(v.base for v in views_of(tuple(self.given)))]
        return is_new and view.is_whole and view.base not in elsewhere

    def operand(self, value: object) -> _Tree:
        if isinstance(value, tuple):
            return rebuilt(value, map(self.operand, value))
        if isinstance(value, Const | Static):
            return value
        if not isinstance(value, Var | View):
            raise DtypeError(
                f"{self.rules.function.__name__} has a rule and is called with {describe(value)}",
                self.s.loc,
                help="call it with numbers, arrays, tuples of them and functions from outside",
            )
        operand = arrays.materialise(self.s, value) if isinstance(value, View) else value
        self.args.append(operand)
        position = self.first + len(self.args) - 1
        if isinstance(value, Var):
            return _Slot(position, position, value.type, (self.s.facts.affine(value),) if value.type.is_integer else ())
        return self.slot(position, position, value, operand.type.layout)

    def slot(self, position: int, shaped: int, view: View, layout: str = "C") -> _Slot:
        """An array as rules see it: they may not store into it."""
        ones = tuple(k for k, n in enumerate(view.shape) if n == integer(1))
        type_ = Array(view.dtype, view.ndim, "C" if layout == "C" else "A", False, ones)
        return _Slot(position, shaped, type_, tuple(map(self.s.facts.affine, view.shape)))

    def unboxed(self, result: _Tree, value: object) -> object:
        """The value of the call as its caller sees it."""
        if isinstance(result, tuple):
            return rebuilt(value, [self.unboxed(r, v) for r, v in zip(result, value, strict=True)])
        if not _carries(value):
            return value
        out = arrays.whole(self.s, self.outs[result.position])
        if isinstance(value, View):
            return out
        loaded = arrays.load(self.s, arrays.element_at(self.s, out, (integer(0),)), out.base.name)
        return self.s.b.let(ops.CAST, (loaded,), value.type, loaded.name) if loaded.type != value.type else loaded


def _carries(value: object) -> bool:
    """Whether a leaf may have a derivative."""
    return value.dtype.kind in "fc" if isinstance(value, View) else is_number(value) and value.type.is_inexact


def _leaves(tree: object) -> list:
    return [leaf for item in tree for leaf in _leaves(item)] if isinstance(tree, tuple) else [tree]


def _slots(tree: _Tree) -> list[_Slot]:
    return [leaf for leaf in _leaves(tree) if isinstance(leaf, _Slot)]


# -- differentiation -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tie:
    """The derivative of a call, by the rules of its function."""

    rules: Rules
    numbers: list
    result: _Tree
    given: tuple
    kept: _Tree | None = None  # what the forward rule of custom_vjp keeps; None where it was not followed

    def adjoint(self, k: Backwards, *operands: Value) -> None:
        """Add what the rule returns to the adjoints of the arguments."""
        read = partial(_read, k, operands, k.primal)
        g = _derivative(lambda slot: _bar(k, operands, slot), self.result)
        rule: Callable | Inner
        fixed, count = self.rules.fixed, None
        moving = tuple(x for n, x in enumerate(self.given) if n not in fixed)
        before: tuple = (*(_map(read, self.given[n]) for n in fixed), g)
        if self.rules.backward is None:
            rule, before = self.rule("adjoint", "tangent", "reverse", k.b), (g, _map(read, self.result))
        elif self.kept is None:
            rule = Inner(rule_source(self.rules.backward), self.both)
        else:
            rule, before = self.rules.backward, (*before[:-1], _map(read, self.kept), g)
            count = len(before)

        def finish(s: Specialiser, values: list, result: object) -> tuple:
            args = values[len(before) :]
            bars = one_for_each(self.rules, rule, args, result)
            fit = _Fit(s, self.rules, rule)
            triples = zip(moving, args, bars, strict=True)
            return tuple(leaf for slot, x, bar in triples for leaf in fit.bar(slot, x, bar))

        found = run(rule, (*before, *_map(read, moving)), self.numbers, finish, k.b, count)
        for slot, bar in zip(_slots(moving), found, strict=True):
            x = operands[slot.position]
            if bar == () or not isinstance(x, Var):
                continue
            if not isinstance(x.type, Array):
                k.add_to(x, bar)
            elif (x_bar := k.bar(x)) is not None:
                k.add(x_bar, bar, k.shape(x))

    def both(self, s: Specialiser, values: list) -> object:
        """The forward rule and then the backward rule of custom_vjp."""
        fixed, (g, *args) = values[: len(self.rules.fixed)], values[len(self.rules.fixed) :]
        for n, value in zip(self.rules.fixed, fixed, strict=True):
            args.insert(n, value)
        _, kept = forward(s, self.rules, args)
        assert self.rules.backward is not None
        return s.follow(self.rules.backward, [*fixed, kept, g], {})

    def tangent(self, k: Sideways, *operands: Value) -> None:
        """Fill the tangents of the result with what the rule returns."""
        rule = self.rule("tangent", "adjoint", "forward", k.b)
        read = partial(_read, k, operands, lambda array: array)
        dots = _derivative(lambda slot: _dot(k, operands, slot), self.given)

        def finish(s: Specialiser, values: list, result: object) -> tuple:
            return tuple(_Fit(s, self.rules, rule).dot(self.result, values[1], result))

        given = (dots, _map(read, self.result), *_map(read, self.given))
        found = run(rule, given, self.numbers, finish, k.b)
        for slot, dot in zip(_slots(self.result), found, strict=True):
            out = operands[slot.position]
            if dot == () or (out_dot := k.dot(out)) is None:
                continue
            if slot.boxed:
                k.b.store(out_dot, (integer(0),), dot)
            else:
                k.copy(out_dot, dot, k.shape(operands[slot.shaped]))

    def rule(self, form: str, other: str, mode: str, b: Builder) -> Callable:
        """The rule of a form, which the function must have."""
        if (rule := getattr(self.rules, form)) is not None:
            return rule
        name = self.rules.function.__name__
        if self.rules.backward is not None:
            raise UnsupportedError(
                f"{name} has a derivative for reverse mode only",
                b.loc,
                "forward mode meets a call of it",
                "use grad or vjp",
            )
        raise UnsupportedError(
            f"{name} has {_A[other]} and no {form}",
            b.loc,
            f"{mode} mode asks for the {form} of this call",
            f"declare it: @zygopy.{form}({name})",
        )


_NONE = Static(None)
_A = {"adjoint": "an adjoint", "tangent": "a tangent"}


def _map(f: Callable, tree: _Tree) -> _Tree:
    """The tree with `f` applied to its leaves that are not known now."""
    if isinstance(tree, tuple):
        return rebuilt(tree, [_map(f, item) for item in tree])
    return tree if isinstance(tree, Const | Static) else f(tree)


def _derivative(f: Callable, tree: _Tree) -> _Tree:
    """What a rule is given for the derivatives of a tree: `f` of leaves, zeros for known numbers, None for others."""
    if isinstance(tree, tuple):
        return rebuilt(tree, [_derivative(f, item) for item in tree])
    if isinstance(tree, _Slot):
        return f(tree) if tree.is_inexact else _NONE
    return zero(tree.type) if isinstance(tree, Const) and tree.type.is_inexact else _NONE


def _read(k: Matrices, operands: tuple[Value, ...], array: Callable[[Var], Var], slot: _Slot) -> Read | Const:
    """How a rule reads an operand; `array` gives what is read for an array."""
    x = operands[slot.position]
    if slot.boxed:
        return Read(slot.type_, lambda: k.b.cast(k.b.load(array(x), (integer(0),), x.name), slot.type_))
    if isinstance(slot.type_, Scalar):
        return read_number(x, slot.lengths)
    return Read(slot.type_, lambda: array(x), slot.lengths, lambda: k.shape(operands[slot.shaped]))


def _bar(k: Backwards, operands: tuple[Value, ...], slot: _Slot) -> Read | Const:
    """The adjoint of a result; zeros where nothing depends on it."""
    out_bar = k.bar(operands[slot.position])
    if out_bar is not None:
        slot = slot if slot.boxed else replace(slot, type_=replace(slot.type_, layout=out_bar.type.layout))
        return _read(k, operands, lambda out: out_bar, slot)
    return _read(
        k, operands, lambda out: k.new(k.shape(operands[slot.shaped]), out, f"{out.name}_bar", ops.ZEROS), slot
    )


def _dot(k: Sideways, operands: tuple[Value, ...], slot: _Slot) -> Read | Const:
    """The tangent of an argument; zeros where it stands still."""
    x = operands[slot.position]
    if isinstance(slot.type_, Scalar):
        dot = k.dot(x) if isinstance(x, Var) else None
        return zero(slot.type_) if dot is None else read_number(dot)

    def array() -> Var:
        found = k.dot(x)
        return k.new(k.shape(operands[slot.shaped]), x, f"{x.name}_dot", ops.ZEROS) if found is None else found

    return Read(slot.type_, array, slot.lengths, lambda: k.shape(operands[slot.shaped]))


class _Fit:
    """Brings what a rule returns to the shapes of what it is for."""

    def __init__(self, s: Specialiser, rules: Rules, rule: Callable):
        self.s, self.rules, self.rule = s, rules, rule

    def bar(self, slot: _Tree, x: object, bar: object) -> list:
        """The adjoints of the leaves of an argument; () where there is none. Where it was repeated, they are summed."""
        if isinstance(slot, tuple):
            return [v for parts in zip(slot, x, self.items(bar, slot), strict=True) for v in self.bar(*parts)]
        if not isinstance(slot, _Slot):
            return []
        if not slot.is_inexact or _is_nothing(bar):
            return [()]
        if not isinstance(x, View):
            return [self.number(reductions.sum_(self.s, bar) if isinstance(bar, View) else bar, x)]
        bar = self.array(bar, x)
        extra = bar.ndim - x.ndim
        if extra < 0:
            self.refuse(bar, x)
        lengths = [integer(1)] * extra + list(x.shape)
        axes = [k for k, (n, m) in enumerate(zip(bar.shape, lengths, strict=True)) if m == integer(1) and n != m]
        if axes:
            bar = reductions.sum_(self.s, bar, tuple(map(integer, axes)), number(True))
        bar = arrays.without_axes(bar, tuple(range(extra)))
        if bar.element.is_complex and not x.element.is_complex:
            bar = elementwise.part(self.s, bar, "real")
        return [self.fitted(bar, x)]

    def dot(self, slot: _Tree, y: object, dot: object) -> list:
        """The tangents of the leaves of a result; () where there is none."""
        if isinstance(slot, tuple):
            return [v for parts in zip(slot, y, self.items(dot, slot), strict=True) for v in self.dot(*parts)]
        if not isinstance(slot, _Slot):
            return []
        if not slot.is_inexact or _is_nothing(dot):
            return [()]
        if not isinstance(y, View):
            return [self.number(dot, y)]
        dot = self.array(dot, y)
        if dot.ndim != y.ndim:
            self.refuse(dot, y)
        return [self.fitted(dot, y)]

    def items(self, value: object, slots: tuple) -> tuple:
        if _is_nothing(value):
            return (_NONE,) * len(slots)
        if not isinstance(value, tuple) or len(value) != len(slots):
            self.refuse(value, slots)
        return value

    def number(self, value: object, x: Value) -> Value:
        if not is_number(value):
            self.refuse(value, x)
        return value

    def array(self, value: object, x: View) -> View:
        if not isinstance(value, View):
            self.refuse(value, x)
        return value

    def fitted(self, view: View, x: View) -> Var:
        """The array, of the lengths of x: what is not known now is tested at run time."""
        for axis, (n, m) in enumerate(zip(view.shape, x.shape, strict=True)):
            gap = self.s.facts.affine(n) - self.s.facts.affine(m)
            if not gap.terms and gap.constant:
                change = f"{abs(gap.constant)} {'longer' if gap.constant > 0 else 'shorter'}"
                self.refuse(view, x, f": it is {change} along axis {axis}")
            if gap.terms and not self.s.guard(ops.EQ, self.s.facts.affine(n), self.s.facts.affine(m)):
                text = f"the rule of {self.rules.function.__name__} returns another length than that of axis {axis}"
                self.s.check(self.s.b.apply(ops.EQ, n, m), ShapeError, text)
        return arrays.materialise(self.s, view)

    def refuse(self, value: object, x: object, more: str = "") -> NoReturn:
        name = self.rules.function.__name__
        what = f"the rule of {name} returns {describe(value)} for {describe(x)}{more}"
        raise ShapeError(
            what, loc_of(self.rule), help="return numbers for numbers and arrays for arrays of their shape"
        )


def _is_nothing(value: object) -> bool:
    """Whether a rule says that there is no derivative: None or the number 0."""
    return is_none(value) or isinstance(value, Const) and not value.type.is_bool and value.value == 0
