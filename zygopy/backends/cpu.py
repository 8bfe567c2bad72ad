"""The CPU backend: emitted source, with accesses and functions replaced by our own, as a function for Numba.

a[i, j] += np.exp(x) * b[j]     ->     _add_0(a, (i, j), _exp(x) * _load_1(b, (j,)))
"""

import ast
import itertools
import linecache
import math
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from zygopy.backends import (
    arena,
    callees,
    checks,
    fourier,
    generated,
    intrinsics,
    matrices_native,
    python,
    runtime,
    runtime_arrays,
    sorting,
    sums,
    systems_native,
    vector_functions,
)
from zygopy.backends.numba_private import stack_end, stay_above
from zygopy.transform.emit import Source
from zygopy.transform.naming import OWN

_numbers = itertools.count(1)
_PROCESS = uuid.uuid4().hex[:12]  # in the names of functions: those of code from disk are of other processes
_ON_STACK = 512  # elements
_STACK_END = f"{OWN}end"  # a variable: the address that the stack may grow down to
_FLOAT64 = ast.Attribute(ast.Name("np", ast.Load()), "float64", ast.Load())


def function(source: Source, parameters: list[str] | None = None, calls: dict[str, Callable] | None = None) -> Callable:
    """The Python function of a source, ready for Numba; errors it raises show the user's file and line.

    `parameters` are those of the signature, where some are left out in the source because a default was taken for them.
    """
    is_kept = calls is not None
    if calls is None:
        calls = callees.linked(source, lambda callee, calls: function(callee, calls=calls))
    tree = sums.in_blocks(python.locate_errors(ast.parse(source.text), source), source.parallel - source.short)
    rewriting = _Replacements(source, calls)
    entry: Any = tree.body[-1]
    checks.together(entry.body, source.errors, rewriting.names, OWN)
    definition = rewriting.function(tree)
    if is_kept:
        definition.args.args.append(ast.arg(_STACK_END))
        stays = _call("stay_above", definition.body[0], ast.Name(_STACK_END, ast.Load()))
        definition.body.insert(0, ast.copy_location(ast.Expr(stays), definition.body[0]))
    elif calls:
        end = ast.Assign([ast.Name(_STACK_END, ast.Store())], _call("stack_end", definition.body[0]))
        definition.body.insert(0, ast.copy_location(end, definition.body[0]))
    _place(ast.fix_missing_locations(tree), source)
    if parameters is not None:
        definition.args.args = [ast.arg(name) for name in parameters]
    file = next((loc.file for loc in source.lines.values()), f"<zygopy {source.name} {next(_numbers)}>")
    namespace: dict[str, Any] = {"np": np, "math": math, "__name__": generated.__name__}
    namespace |= {OWN + name: own for name, own in (helpers() | rewriting.names).items()}
    namespace |= {**helpers(), **source.errors, **source.constructors}
    linecache.checkcache(file)
    exec(compile(ast.fix_missing_locations(tree), file, "exec"), namespace)
    made = namespace[source.name]
    made.__qualname__ = f"{source.name}_{_PROCESS}"
    return made


_compiled: dict[str, Callable] = {}


def helpers() -> dict[str, Callable]:
    """The runtime functions that emitted text calls, for Numba."""
    if not _compiled:
        own = {**runtime.HELPERS, **runtime_arrays.RANGES}
        _compiled.update({name: njit(error_model="numpy")(f) for name, f in own.items()})
        _compiled.update(scratch=intrinsics.empty, grow=intrinsics.grow, empty=intrinsics.empty, zeros=intrinsics.zeros)
        _compiled.update(transposed=intrinsics.transposed, reshaped=intrinsics.reshaped)
        _compiled.update(row=intrinsics.row, hold=intrinsics.hold, new=arena.new, push=arena.push)
        _compiled.update(stack_end=stack_end, stay_above=stay_above)
        _compiled["exp2"] = intrinsics.exp2
        _compiled.update(sums.HELPERS)
        _compiled.update(matrices_native.KERNELS | systems_native.KERNELS | sorting.KERNELS | fourier.KERNELS)
    return _compiled


def _place(tree: ast.AST, source: Source) -> None:
    """Give each node the user's line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr) and (loc := source.lines.get(node.lineno)) is not None:
            node.lineno = node.end_lineno = loc.line
            node.col_offset, node.end_col_offset = 0, 0


class _Replacements(ast.NodeTransformer):
    """Replaces element accesses of named arrays (slices and shapes are left alone) and functions that we have."""

    def __init__(self, source: Source, calls: dict[str, Callable]):
        self.calls, self.records = calls, source.records
        self.errors: dict[str, Any] = dict(source.errors)
        self.classes, self.parallel, self.local = source.classes, source.parallel, source.local
        self.summed = source.summed
        self.in_parallel = False  # the innermost loop is one of an array expression
        self.names: dict[str, object] = {"sum": intrinsics.sum_of}
        self.held: dict[str, None] = {}  # local arrays of which there are rows
        self.assigned: Counter = Counter()

    def function(self, tree: ast.Module) -> ast.FunctionDef:
        """The function in a module, changed in place."""
        self.assigned.update(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
        self.visit(tree)
        definition = tree.body[-1]
        assert isinstance(definition, ast.FunctionDef)
        body, result = definition.body, definition.body[-1]
        if self.held and isinstance(result, ast.Return) and result.value is not None:
            held = _call("hold", result, *(ast.Name(name, ast.Load()) for name in self.held))
            body[-1:] = [
                ast.copy_location(ast.Assign([ast.Name(f"{OWN}result", ast.Store())], result.value), result),
                ast.copy_location(ast.Expr(held), result),
                ast.copy_location(ast.Return(ast.Name(f"{OWN}result", ast.Load())), result),
            ]
        return definition

    def access(self, kind: str, target: ast.expr, *values: ast.expr) -> ast.Call:
        """A call of the access of the array's class."""
        assert isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name)
        class_ = self.classes[target.value.id]
        name = f"{kind}_{class_}"
        self.names[name] = intrinsics.accesses(class_)[kind]
        return _call(name, target, target.value, *_items(target), *values)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """np.zeros(n) as zeros((n,), np.float64), np.exp(x) as a vectorising kernel."""
        self.generic_visit(node)
        match node.func:
            case ast.Name(name) if name in self.calls:
                return self.own(self.calls[name], name, node, *node.args, ast.Name(_STACK_END, ast.Load()))
            case ast.Attribute(value=ast.Name() as tape, attr="append"):
                return _call("push", node, tape, *_elements(node.args[0]))
            case ast.Attribute(value=ast.Name("np"), attr="empty" | "zeros" as name) | ast.Name("scratch" as name):
                shape, *dtype = node.args
                return _call(name, node, *_elements(shape), *(dtype or [_FLOAT64]))
            case ast.Attribute(value=ast.Name(), attr="reshape"):
                return _call("reshaped", node, node.func.value, *_elements(node.args[0]))
            case ast.Attribute(value=ast.Name("np"), attr="exp2"):
                return _call("exp2", node, *node.args)
            case ast.Attribute(value=ast.Name(module), attr=name):
                return self.replaced(module, name, node)
            case ast.Name("max" | "min" as name) if len(node.args) == 2:
                return self.replaced("builtins", name, node)
            case ast.Name(name):
                return self.replaced("", name, node)
        return node

    def replaced(self, module: str, name: str, node: ast.Call) -> ast.Call:
        """A call of a function, or of what takes its place."""
        if self.in_parallel and (own := vector_functions.IN_PLACE.get((module, name))) is not None:
            return self.own(own, f"{name}_in_place", node, *node.args)
        if (own := vector_functions.FUNCTIONS.get((module, name))) is not None:
            return self.own(own, name, node, *node.args)
        return node

    def on_stack(self, node: ast.expr) -> ast.expr | None:
        """np.empty((4, 4)) and np.zeros((4, 4)) of numbers, as arrays on the stack."""
        match node:
            case ast.Call(ast.Attribute(ast.Name("np"), "empty" | "zeros" as name), [shape, *dtype]):
                lengths = [n.value for n in _elements(shape) if isinstance(n, ast.Constant) and type(n.value) is int]
                if len(lengths) < len(_elements(shape)) or math.prod(lengths) > _ON_STACK:
                    return None
                own = "_".join([name, *map(str, lengths)])
                return self.own(intrinsics.on_stack(tuple(lengths), name == "zeros"), own, node, *(dtype or [_FLOAT64]))
        return None

    def visit_For(self, node: ast.For) -> ast.AST:
        outer, self.in_parallel = self.in_parallel, node.lineno in self.parallel
        self.generic_visit(node)
        self.in_parallel = outer
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """x ** y as _pow(x, y); an exponent that is written as an integer is left to Numba, which multiplies."""
        self.generic_visit(node)
        own = vector_functions.FUNCTIONS.get(("operator", "pow"))
        if own is None or not isinstance(node.op, ast.Pow) or _is_integer(node.right):
            return node
        return self.own(own, "pow", node, node.left, node.right)

    def own(self, own: Callable, name: str, like: ast.expr, *args: ast.expr) -> ast.Call:
        self.names[name] = own
        return _call(name, like, *args)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """x.T as transposed(x)."""
        if node.attr == "T" and isinstance(node.value, ast.Name):
            return _call("transposed", node, node.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        match node:
            case ast.Subscript(ast.Attribute(ast.Name() as array, "shape"), ast.Constant(int(axis))):
                return self.own(intrinsics.length(axis), f"length_{axis}", node, array)
        self.generic_visit(node)
        if (row := self.row(node)) is not None:
            return row
        if not _is_element(node) or not isinstance(node.ctx, ast.Load):
            return node
        return self.access("load", node)

    def row(self, node: ast.Subscript) -> ast.Call | None:
        """tape[i, j, :] of a local array as row(tape, i, j)."""
        match node:
            case ast.Subscript(ast.Name(name), ast.Tuple([*at, ast.Slice(None, None, None)]), ast.Load()):
                if name in self.local and self.assigned[name] == 1 and not any(map(_is_whole_or_new, at)):
                    self.held[name] = None
                    return _call("row", node, node.value, *at)
        return None

    def visit_Raise(self, node: ast.Raise) -> ast.AST | list[ast.stmt]:
        """raise E(f"...{n}") as a call that raises, and a raise that tells Numba so."""
        self.generic_visit(node)
        match node.exc:
            case ast.Call(ast.Name(name), [ast.JoinedStr(parts)]):
                texts = tuple(p.value if isinstance(p, ast.Constant) else None for p in parts)
                values = [p.value for p in parts if isinstance(p, ast.FormattedValue)]
                own = checks.raising(self.errors[name], texts)
                call = self.own(own, f"raise_{len(self.names)}", node.exc, *values)
                plain = ast.copy_location(ast.Call(node.exc.func, [], []), node.exc)
                raises = ast.copy_location(ast.Raise(plain, None), node)
                return [ast.copy_location(ast.Expr(call), node), raises]
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        target = node.targets[0]
        match node.value:
            case ast.List():
                return ast.copy_location(ast.Assign([target], _call("new", node.value)), node)
            case ast.Call(ast.Attribute(ast.Name() as tape, "pop")):
                kinds = tuple(callees.numba_type(type_) for type_ in self.records[node.lineno])
                taken = self.own(arena.pop(kinds), f"pop_{node.lineno}", node.value, tape)
                return ast.copy_location(ast.Assign([target], taken), node)
        if isinstance(target, ast.Name) and target.id in self.local and (own := self.on_stack(node.value)) is not None:
            return ast.copy_location(ast.Assign([target], own), node)
        self.generic_visit(node)
        node.value = self.summand(node, node.value)
        if not _is_element(target):
            return node
        return ast.copy_location(ast.Expr(self.access("store", target, node.value)), node)

    def summand(self, node: ast.stmt, value: ast.expr) -> ast.expr:
        """The value of a line; a product that may be rounded once with a sum is one that processors fuse with it."""
        match value:
            case ast.BinOp(left, ast.Mult(), right) if node.lineno in self.summed:
                return self.own(intrinsics.product, "product", value, left, right)
        return value

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        node.value = self.summand(node, node.value)
        target = node.target
        if isinstance(target, ast.Name) and isinstance(node.op, ast.Add):
            total = _call("sum", node, target, node.value)
            return ast.copy_location(ast.Assign([target], total), node)
        if not _is_element(target):
            return node
        kind = "add" if isinstance(node.op, ast.Add) else "sub"
        return ast.copy_location(ast.Expr(self.access(kind, target, node.value)), node)


def _is_whole_or_new(index: ast.expr) -> bool:
    """Whether an index is a slice or None, of a new axis."""
    return isinstance(index, ast.Slice) or isinstance(index, ast.Constant) and index.value is None


def _is_element(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)):
        return False
    return not any(isinstance(item, ast.Slice) for item in _items(node))


def _is_integer(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def _items(node: ast.Subscript) -> list[ast.expr]:
    return _elements(node.slice)


def _elements(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _call(name: str, like: ast.AST, *args: ast.expr) -> ast.Call:
    """A call of a function of ours, by a name that the source has for nothing else."""
    args = tuple(ast.copy_location(ast.Name(a.id, ast.Load()), a) if isinstance(a, ast.Name) else a for a in args)
    function = ast.copy_location(ast.Name(OWN + name, ast.Load()), like)
    return ast.copy_location(ast.Call(function, list(args), []), like)
