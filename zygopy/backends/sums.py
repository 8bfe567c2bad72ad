"""Long sums of whole arrays in blocks, so that they are as accurate as NumPy's pairwise sums and still vectorise.

for i in range(n):               rest = 0.0
    total += x[i]        ->      for block in range(0, n, 512):
                                     part = 0.0
                                     for i in range(block, min(block + 512, n)):
                                         part += x[i]
                                     if block > 0:
                                         rest += error of (total + part)
                                     total = total + part
                                 if n > 512:
                                     total = total + rest

Within a block the order of additions is free; the sum of the blocks is compensated (Ogita, Rump & Oishi 2005, Sum2,
with the error of an addition by Knuth's two-sum). Short sums, of which there may be many, pay for none of this.
Loops over strips are in blocks already.
"""

import ast

from llvmlite import ir
from numba.core import types

from zygopy.backends.intrinsics import by_parts
from zygopy.backends.numba_private import instruction
from zygopy.transform.naming import OWN

BLOCK = 512


def in_blocks(tree: ast.Module, lines: set[int]) -> ast.Module:
    """Rewrite, in place, the loops at these lines that add up a number."""
    _Blocks(lines).visit(tree)
    return tree


class _Blocks(ast.NodeTransformer):
    def __init__(self, lines: set[int]):
        self.lines = lines

    def visit_For(self, node: ast.For) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        if node.lineno not in self.lines:
            return node
        totals = _totals(node)
        if any(isinstance(s, ast.For | ast.While) for s in _nested(node)):
            return _of_strips(node, totals) if totals and _step(node) > 1 else node
        return _blocked(node, totals) if totals and _is_long(node) else node


def _nested(node: ast.For) -> list[ast.AST]:
    return [inner for s in node.body for inner in ast.walk(s)]


def _totals(node: ast.For) -> list[str]:
    """The names that each trip adds to, and that nothing else in the loop touches."""
    added = [
        s.target.id
        for s in _nested(node)
        if isinstance(s, ast.AugAssign) and isinstance(s.op, ast.Add) and isinstance(s.target, ast.Name)
    ]
    named = [n.id for n in _nested(node) if isinstance(n, ast.Name)]
    return [name for name in added if named.count(name) == 1]


def _step(node: ast.For) -> int:
    """The step of a loop."""
    match node.iter.args:  # type: ignore[attr-defined]
        case [_, _, ast.Constant(int(step))]:
            return step
    return 1


def _is_long(node: ast.For) -> bool:
    """Whether the loop goes upwards, over more trips than a block has as far as is known."""
    args = node.iter.args  # type: ignore[attr-defined]
    if len(args) == 3:
        return False
    stop = args[-1].value if isinstance(args[-1], ast.Constant) else BLOCK + 1
    return isinstance(stop, int) and stop > BLOCK


def _blocked(node: ast.For, totals: list[str]) -> list[ast.stmt]:
    """A loop over blocks around the loop."""
    args = [ast.unparse(a) for a in node.iter.args]  # type: ignore[attr-defined]
    start, stop = args if len(args) == 2 else ("0", args[0])
    index = ast.unparse(node.target)
    block = f"{OWN}{index}_block"
    inner = _parsed(f"for {index} in range({block}, min({block} + {BLOCK}, {stop})): pass", node)
    inner[0].body = node.body  # type: ignore[attr-defined]
    return _added_up(node, totals, block, (start, stop, str(BLOCK)), inner)


def _of_strips(node: ast.For, totals: list[str]) -> list[ast.stmt]:
    """A loop over strips, which are its blocks."""
    start, stop, step = (ast.unparse(a) for a in node.iter.args)  # type: ignore[attr-defined]
    return _added_up(node, totals, ast.unparse(node.target), (start, stop, step), node.body)


def _added_up(
    node: ast.For, totals: list[str], block: str, bounds: tuple[str, str, str], body: list[ast.stmt]
) -> list[ast.stmt]:
    """The loop over blocks with a body that adds to the part of each total, and the compensated sum of the parts."""
    start, stop, step = bounds
    rest, part = f"{OWN}rest_of_", f"{OWN}part_of_"
    lines = [f"{rest}{t} = {OWN}zero_like({t})" for t in totals]
    lines += [f"for {block} in range({start}, {stop}, {step}):"]
    lines += [f"    {part}{t} = {OWN}zero_like({t})" for t in totals]
    lines += [f"    if {block} > {start}:"]
    lines += [f"        {rest}{t} = {rest}{t} + {OWN}addition_error({t}, {part}{t})" for t in totals]
    lines += [f"    {t} = {t} + {part}{t}" for t in totals]
    lines += [f"if {stop} - ({start}) > {step}:"]
    lines += [f"    {t} = {OWN}with_rest({t}, {rest}{t})" for t in totals]
    made = _parsed("\n".join(lines), node)
    outer = next(s for s in made if isinstance(s, ast.For))
    at = len(totals)
    outer.body[at:at] = [_Rename({t: f"{part}{t}" for t in totals}).visit(s) for s in body]
    return made


def _parsed(text: str, like: ast.stmt) -> list[ast.stmt]:
    """The statements of a text, at the place of another one."""
    made = ast.parse(text).body
    for s in made:
        for inner in ast.walk(s):
            ast.copy_location(inner, like)
    return made


class _Rename(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]):
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.names.get(node.id, node.id), node.ctx), node)


# -- instructions ----------------------------------------------------------------------------------------------------


def _zero(context, builder, signature, args):
    return context.get_constant(signature.return_type, 0)


def _addition_error(context, builder, signature, args):
    """What a + b loses by rounding; 0 for integers."""
    if isinstance(signature.return_type, types.Integer):
        return context.get_constant(signature.return_type, 0)

    def error(a, b):
        total = builder.fadd(a, b)
        rest = builder.fsub(total, a)
        return builder.fadd(builder.fsub(a, builder.fsub(total, rest)), builder.fsub(b, rest))

    return by_parts(builder, signature.return_type, error, *args)


def _with_rest(context, builder, signature, args):
    """The total and its rest; the total alone where it is not finite."""
    if isinstance(signature.return_type, types.Integer):
        return args[0]

    def corrected(total, rest):
        known = builder.fcmp_ordered("==", rest, rest)
        return builder.fadd(total, builder.select(known, rest, ir.Constant(rest.type, 0.0)))

    return by_parts(builder, signature.return_type, corrected, *args)


zero_like = instruction(_zero, lambda x: x(x))
addition_error = instruction(_addition_error, lambda a, b: a(a, a))
with_rest = instruction(_with_rest, lambda total, rest: total(total, total))
HELPERS = {"zero_like": zero_like, "addition_error": addition_error, "with_rest": with_rest}
