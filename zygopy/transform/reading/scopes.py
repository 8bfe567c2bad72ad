"""The variables of comprehensions, which are theirs alone: each has a name that no other variable has.

    i = 2.0                                        i = 2.0
    half = lambda: i / 2                 ->        half = lambda: i / 2
    s = sum(half() for i in range(3))              s = sum(half() for i@3:8 in range(3))

So a function finds the variable that is visible where it was written, whoever calls it.
"""

import ast
import copy

_COMPREHENSIONS = (ast.ListComp, ast.GeneratorExp, ast.DictComp)


def with_own_variables(function: ast.AST) -> ast.AST:
    """A function with the variables of its comprehensions renamed; itself if it has none."""
    if not any(isinstance(node, _COMPREHENSIONS) for node in ast.walk(function)):
        return function
    function = copy.deepcopy(function)
    for node in reversed(list(ast.walk(function))):  # inner ones first: what they bind is theirs
        if isinstance(node, _COMPREHENSIONS):
            targets = [n for generator in node.generators for n in ast.walk(generator.target)]
            own = {n.id for n in targets if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            names = {name: f"{name}@{node.lineno}:{node.col_offset}" for name in own}
            _rename_in_comprehension(node, names)
    return function


def _rename_in_comprehension(node: ast.AST, names: dict[str, str]) -> None:
    """Rename in all of a comprehension but what its first loop goes through, which is evaluated outside of it."""
    first = node.generators[0].iter
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            for part in (child.target, child.iter, *child.ifs):
                if part is not first:
                    _rename(part, names)
        else:
            _rename(child, names)


def _rename(node: ast.AST, names: dict[str, str]) -> None:
    """Rename variables in an expression, but where a lambda's parameter has the name."""
    if isinstance(node, ast.Name):
        node.id = names.get(node.id, node.id)
    elif isinstance(node, ast.Lambda):
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                _rename(default, names)
        parameters = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        _rename(node.body, {name: new for name, new in names.items() if name not in parameters})
    else:
        for child in ast.iter_child_nodes(node):
            _rename(child, names)
