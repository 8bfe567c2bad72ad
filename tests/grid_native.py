"""Runs kernels without a GPU, as machine code: a loop over the grid, in blocks of one thread, compiled by Numba.

Numba types the text as Numba-CUDA does, so what would be float64 in a float32 kernel is. Real sizes take no time; what
threads do to each other it does not see (`grid_runner` does).
"""

import ast
import math
from collections.abc import Callable

import numba
import numpy as np

from tests.grid_runner import Runner
from zygopy.backends.cuda_text import KernelText

_GRID = ("grid_x", "grid_y", "grid_z")
_AT = ("at_x", "at_y", "at_z")


class _OneThread(ast.NodeTransformer):
    """What a kernel asks of CUDA, for the only thread of its block."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Tuple):  # cuda.grid(2)[1]
            return node.value.elts[ast.literal_eval(node.slice)]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        match ast.unparse(node).split("."):
            case ["cuda", "blockIdx", axis]:
                return ast.Name(f"at_{axis}", ast.Load())
            case ["cuda", "gridDim", axis]:
                return ast.Name(f"grid_{axis}", ast.Load())
            case ["cuda", "threadIdx", _]:
                return ast.Constant(0)
            case ["cuda", "blockDim", _]:
                return ast.Constant(1)
            case ["libdevice", name]:
                return ast.Attribute(ast.Name("np", ast.Load()), name.removesuffix("f"), ast.Load())
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        match ast.unparse(node.func):
            case "cuda.grid" | "cuda.gridsize" as name:
                names = (_AT if name == "cuda.grid" else _GRID)[: ast.literal_eval(node.args[0])]
                found = [ast.Name(n, ast.Load()) for n in names]
                return found[0] if len(found) == 1 else ast.Tuple(found, ast.Load())
            case "cuda.shared.array":
                return ast.parse(f"np.empty({ast.unparse(node.args[0])}, {ast.unparse(node.args[1])})").body[0].value
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if not isinstance(node.value, ast.Call):
            return self.generic_visit(node)
        name = ast.unparse(node.value.func)
        if name == "cuda.syncthreads":
            return ast.Pass()
        if name in ("cuda.atomic.add", "cuda.atomic.max"):
            array, index, value = (ast.unparse(self.visit(a)) for a in node.value.args)
            place = f"{array}[{index}]"
            text = f"{place} += {value}" if name.endswith("add") else f"{place} = max({place}, {value})"
            return ast.parse(text).body[0]
        return self.generic_visit(node)


class NativeRunner(Runner):
    """A device that runs kernels as machine code; programs must be in blocks of one thread."""

    def launcher(self, kernel: KernelText) -> Callable:
        tree = ast.parse(kernel.text)
        definition = tree.body[0]
        definition.decorator_list = []
        names = ", ".join(a.arg for a in definition.args.args)
        definition.args.args += [ast.arg(n) for n in (*_AT, *_GRID)]
        text = ast.unparse(ast.fix_missing_locations(_OneThread().visit(tree)))
        namespace = {"np": np, "math": math, "u32": np.uint32}
        exec(text, namespace)
        namespace["kernel"] = numba.njit(namespace[kernel.name], error_model="numpy")
        exec(_LOOP.format(names=names), namespace)
        loop = numba.njit(namespace["loop"])

        def launched(grid, block, *args):
            assert block == (1, 1, 1)
            self.launches.append(kernel.name)
            loop(*map(int, grid), *args)

        return launched


_LOOP = """
def loop(grid_x, grid_y, grid_z, {names}):
    for at_z in range(grid_z):
        for at_y in range(grid_y):
            for at_x in range(grid_x):
                kernel({names}, at_x, at_y, at_z, grid_x, grid_y, grid_z)
"""
