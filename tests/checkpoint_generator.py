"""Random programs whose for loops are checkpointed, with few snapshots: those of `generator`, rewritten.

Loops that stop early or print stay as they are, since these are refused.
"""

import ast
import random
from dataclasses import replace

from tests import generator
from tests.writing.base import RandomProgram

PRELUDE = generator.PRELUDE.replace("import numba\n", "import numba\nfrom zygopy import checkpointed\n", 1)


def generate(seed: int, compiled: bool = False) -> RandomProgram:
    """The program of a seed."""
    program = generator.generate(seed, compiled)
    tree = _Checkpointing(random.Random(seed)).visit(ast.parse(program.source))
    return replace(program, source=ast.unparse(ast.fix_missing_locations(tree)))


class _Checkpointing(ast.NodeTransformer):
    def __init__(self, rng: random.Random):
        self.rng = rng

    def visit_For(self, node: ast.For) -> ast.For:
        self.generic_visit(node)
        inner = [n for statement in node.body for n in ast.walk(statement)]
        stops = any(isinstance(n, ast.Break | ast.Return) for n in inner)
        speaks = any(isinstance(n, ast.Call) and getattr(n.func, "id", "") == "print" for n in inner)
        if stops or speaks or node.orelse or isinstance(node.iter, ast.Tuple):
            return node
        snapshots = ast.keyword("snapshots", ast.Constant(self.rng.randint(1, 4)))
        node.iter = ast.Call(ast.Name("checkpointed", ast.Load()), [node.iter], [snapshots])
        return node
