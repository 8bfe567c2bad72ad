"""How many statements a program has."""

import ast
import textwrap
from types import FunctionType


def statements(source: str) -> int:
    """The statements of a source text, without definitions, imports and docstrings."""

    def counts(node: ast.stmt) -> bool:
        if isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.Pass):
            return False
        return not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))

    return sum(isinstance(node, ast.stmt) and counts(node) for node in ast.walk(ast.parse(textwrap.dedent(source))))


def with_helpers(fun: FunctionType) -> set[FunctionType]:
    """The function and the functions of its file that it calls."""
    found = {fun}
    for name in fun.__code__.co_names:
        helper = fun.__globals__.get(name)
        if isinstance(helper, FunctionType) and helper.__module__ == fun.__module__ and helper not in found:
            found |= with_helpers(helper)
    return found
