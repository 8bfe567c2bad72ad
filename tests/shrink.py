"""Makes a failing program small: drops statements and replaces expressions by parts of them while it still fails."""

import ast
import copy
import time
from collections.abc import Callable, Iterator


def shrink(source: str, fails: Callable[[str], bool], seconds: float = 60.0) -> str:
    """The smallest source found, starting from one that fails, by greedy steps until none helps or time is up."""
    end = time.monotonic() + seconds
    again = True
    while again:
        again = False
        for smaller in _steps(ast.parse(source)):
            if time.monotonic() > end:
                return source
            text = ast.unparse(ast.fix_missing_locations(smaller))
            if len(text) < len(source) and fails(text):
                source, again = text, True
                break
    return source


def _steps(tree: ast.Module) -> Iterator[ast.Module]:
    """Programs that are one step smaller, the large steps first."""
    count = sum(1 for _ in _statements(tree))
    for position in range(count):
        yield from (_replaced(tree, position, keep) for keep in _parts(tree, position))
    for position in range(sum(1 for _ in _expressions(tree))):
        yield from _smaller_expressions(tree, position)


def _statements(tree: ast.Module) -> Iterator[tuple[list, int]]:
    """Each statement of the first function, as a list and a position in it."""
    lists = [tree.body[0].body]
    while lists:
        body = lists.pop()
        for k, node in enumerate(body):
            yield body, k
            lists += [inner for f in ("body", "orelse") if isinstance(inner := getattr(node, f, None), list) and inner]


def _parts(tree: ast.Module, position: int) -> list[str]:
    body, k = list(_statements(tree))[position]
    return ["", *(f for f in ("body", "orelse") if isinstance(getattr(body[k], f, None), list) and getattr(body[k], f))]


def _replaced(tree: ast.Module, position: int, keep: str) -> ast.Module:
    """The tree with a statement left out, or replaced by what is inside it."""
    new = copy.deepcopy(tree)
    body, k = list(_statements(new))[position]
    body[k : k + 1] = getattr(body[k], keep) if keep else []
    if not body:
        body.append(ast.Pass())
    return new


def _expressions(tree: ast.Module) -> Iterator[tuple[ast.AST, str, int | None]]:
    """Each place of the first function that holds an expression which is read."""
    for node in ast.walk(tree.body[0]):
        for name, value in ast.iter_fields(node):
            values = enumerate(value) if isinstance(value, list) else [(None, value)]
            for k, item in values:
                if isinstance(item, ast.expr) and not isinstance(getattr(item, "ctx", None), ast.Store):
                    yield node, name, k


def _smaller_expressions(tree: ast.Module, position: int) -> Iterator[ast.Module]:
    node, name, k = list(_expressions(tree))[position]
    old = getattr(node, name) if k is None else getattr(node, name)[k]
    parts = [child for child in ast.iter_child_nodes(old) if isinstance(child, ast.expr)]
    if not isinstance(old, ast.Constant | ast.Name):
        parts.append(ast.Constant(0.5))
    for part in parts:
        new = copy.deepcopy(tree)
        at, _, _ = list(_expressions(new))[position]
        if k is None:
            setattr(at, name, copy.deepcopy(part))
        else:
            getattr(at, name)[k] = copy.deepcopy(part)
        yield new
