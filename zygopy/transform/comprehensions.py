"""Comprehensions and generator expressions: loops that collect, over what has a known number of items.

The sum, the largest, the smallest, any and all of a generator over a range or array become loops.
"""

import ast
from collections.abc import Callable

from zygopy.errors import UnsupportedError
from zygopy.transform import objects
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const
from zygopy.transform.parse import assigned_names, normalised
from zygopy.transform.values import describe


def collected(s, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> object:
    """The value of a comprehension; of a generator expression, a tuple."""
    found: list = []

    def visit() -> None:
        from zygopy.transform.expressions import evaluate

        if isinstance(node, ast.DictComp):
            key = objects.key_of(s, evaluate(s, node.key))
            found.append((key, evaluate(s, node.value)))
        else:
            found.append(evaluate(s, node.elt))

    with_own_names(s, node, lambda: _walk(s, node, 0, visit))
    s.at(node)
    if isinstance(node, ast.DictComp):
        return objects.make_dict(s, found)
    return objects.make_list(s, found) if isinstance(node, ast.ListComp) else tuple(found)


def with_own_names(s, node: ast.expr, run) -> object:
    """Run with the names that a comprehension binds; afterwards they are what they were."""
    own = assigned_names([generator.target for generator in node.generators])
    before = {name: s.frame.names.get(name) for name in own}
    result = run()
    for name, value in before.items():
        if value is None:
            s.frame.names.pop(name, None)
        else:
            s.frame.names[name] = value
    return result


def _walk(s, node: ast.expr, depth: int, visit) -> None:
    from zygopy.transform.expressions import assign, evaluate, truth
    from zygopy.transform.iteration import known_numbers, static_items

    if depth == len(node.generators):
        visit()
        return
    generator = node.generators[depth]
    iterable = evaluate(s, generator.iter)
    s.at(node)
    items = static_items(s, iterable)
    items = known_numbers(iterable) if items is None else items
    if items is None:
        raise UnsupportedError(
            f"a comprehension over {describe(iterable)} is not supported",
            s.loc,
            "how many items it has is not known at compile time",
            "write a loop that fills an array",
        )
    for item in items:
        assign(s, generator.target, item)
        for condition in generator.ifs:
            test = truth(s, evaluate(s, condition))
            if not isinstance(test, Const):
                raise UnsupportedError(
                    "this condition of a comprehension is not supported",
                    s.loc,
                    "it must be known at compile time, for it decides how many items there are",
                    "write a loop",
                )
            if not test.value:
                break
        else:
            _walk(s, node, depth + 1, visit)


# -- reduced ---------------------------------------------------------------------------------------------------------

_STEPS = {
    sum: "total = total + item",
    any: "total = total or bool(item)",
    all: "total = total and bool(item)",
    max: "now = item\nif bound:\n    total = max(total, now)\nelse:\n    total = now\n    bound = True",
    min: "now = item\nif bound:\n    total = min(total, now)\nelse:\n    total = now\n    bound = True",
}
_STARTS = {sum: integer(0), any: constant(False), all: constant(True), max: integer(0), min: integer(0)}


def is_reduction(function: object, node: ast.Call) -> bool:
    """Whether a call is sum, max, min, any or all of a generator expression."""
    count = 2 if function is sum else 1
    fits = 0 < len(node.args) <= count and not node.keywords and isinstance(node.args[0], ast.GeneratorExp)
    return fits and any(function is known for known in _STEPS)


def reduced(s, function: Callable, node: ast.Call) -> object:
    """The value of sum, max, min, any or all of a generator expression: a loop."""
    from zygopy.transform.expressions import evaluate, truth

    generators = node.args[0]
    names = {name: f"{name}@{node.lineno}:{node.col_offset}:{id(node)}" for name in ("total", "now", "bound")}
    body = _Filled(names, generators.elt, node).visit(ast.parse(_STEPS[function])).body
    for generator in reversed(generators.generators):
        for condition in reversed(generator.ifs):
            body = [ast.copy_location(ast.If(condition, body, []), node)]
        body = [ast.copy_location(ast.For(generator.target, generator.iter, body, []), node)]
    start = evaluate(s, node.args[1]) if len(node.args) == 2 else _STARTS[function]

    def run() -> object:
        s.frame.names |= {names["total"]: start, names["bound"]: constant(False)}
        s.statements(normalised(body))
        s.at(node)
        if function in (max, min):
            bound = truth(s, s.frame.names[names["bound"]])
            s.check(bound, ValueError, f"{function.__name__}() arg is an empty sequence")
        return s.read_name(names["total"])

    result = with_own_names(s, generators, run)
    for name in names.values():
        s.frame.names.pop(name, None)
    return result


class _Filled(ast.NodeTransformer):
    """Puts a generator's item and names that no user has into a step."""

    def __init__(self, names: dict[str, str], item: ast.expr, place: ast.AST):
        self.names, self.item, self.place = names, item, place

    def visit(self, node: ast.AST) -> ast.AST:
        """A copy of a node, at the generator's place."""
        if isinstance(node, ast.Name) and node.id == "item":
            return self.item
        if isinstance(node, ast.Name):
            node.id = self.names.get(node.id, node.id)
        return (
            ast.copy_location(self.generic_visit(node), self.place)
            if hasattr(node, "lineno")
            else self.generic_visit(node)
        )
