"""Comprehensions and generator expressions: loops that collect, over what has a known number of items.

A list of numbers may have a length that only run time knows. The sum, the largest, the smallest, any and all of a
generator over a range or array become loops.
"""

import ast
from collections.abc import Callable

from zygopy.errors import UnsupportedError
from zygopy.transform.build import constant, integer
from zygopy.transform.ir import Const, Var
from zygopy.transform.reading import lists, loops, objects, places
from zygopy.transform.reading.iterators import refuse_generator
from zygopy.transform.reading.parse import assigned_names, normalised
from zygopy.transform.reading.values import Generated, Listed, Object, Range, describe
from zygopy.transform.types import INT


def collected(s, node: ast.ListComp | ast.DictComp | ast.GeneratorExp) -> object:
    """The value of a comprehension, or of a generator expression."""
    from zygopy.transform.reading.expressions import evaluate

    first = evaluate(s, node.generators[0].iter)
    s.at(node)
    simple = len(node.generators) == 1 and not node.generators[0].ifs
    if isinstance(node, ast.ListComp) and simple and lists.is_of_run_time(s, first):
        return _listed(s, node, first)
    found: list = []

    def visit() -> None:
        if isinstance(node, ast.DictComp):
            key = objects.key_of(s, evaluate(s, node.key))
            found.append((key, evaluate(s, node.value)))
        else:
            found.append(evaluate(s, node.elt))

    back = s.mark()
    try:
        with_own_names(s, node, lambda: _walk(s, node, 0, visit, first))
    except _OfRunTimeError:
        if not isinstance(node, ast.ListComp):
            raise
        back()
        return _appended(s, node, first)
    s.at(node)
    if isinstance(node, ast.DictComp):
        return objects.make_dict(s, found)
    return objects.make_list(s, found) if isinstance(node, ast.ListComp) else Generated(tuple(found))


def _listed(s, node: ast.ListComp, iterable: object) -> Object:
    """A list with an item for each item of what has as many as only run time knows: a loop that fills its columns."""
    from zygopy.transform.reading.assignments import assign
    from zygopy.transform.reading.expressions import evaluate
    from zygopy.transform.reading.iteration import count_of, nth_item

    generator = node.generators[0]
    length = s.canonical(count_of(s, iterable))
    outer, position = s.b, len(s.b.statements)
    index, made = Var("i", INT), list[lists.Columns]()

    def body() -> None:
        assign(s, generator.target, nth_item(s, iterable, index))
        value = evaluate(s, node.elt)
        s.at(node)
        places.move_objects(s, value)
        columns = lists.columns_of(s, value)
        if columns is None or not lists.are_made_at(s, columns, outer.depth):
            raise UnsupportedError(
                f"a list of {describe(value)} for each item is not supported",
                s.loc,
                "how many items it has is not known at compile time, and such lists hold numbers, arrays of one shape "
                "that is known before the first one, tuples of such, and objects that hold numbers",
                "write a loop that fills an array",
            )
        made[:] = [columns]
        for column in lists.leaves(columns):
            s.homes[column.base] = outer.depth
        lists.put(s, columns, index, value, grow=False)

    range_ = Range(integer(0), length, integer(1))
    with_own_names(s, node, lambda: loops.counted_loop(s, index, range_, body, []))
    behind = outer.statements[position:]
    del outer.statements[position:]
    lists.allocate(s, made[0], length)
    outer.statements += behind
    return s.new_object(Listed(made[0], length))


class _OfRunTimeError(UnsupportedError):
    """How many items there are is not known at compile time."""


def _appended(s, node: ast.ListComp, first: object) -> Object:
    """A list by the loops and conditions that a comprehension stands for."""
    made, items = (f"{name}@{node.lineno}:{node.col_offset}:{id(node)}" for name in ("made", "items"))
    append = ast.Attribute(ast.Name(made, ast.Load()), "append", ast.Load())
    body: list[ast.stmt] = [ast.Expr(ast.Call(append, [node.elt], []))]
    for k, generator in reversed(list(enumerate(node.generators))):
        for condition in reversed(generator.ifs):
            body = [ast.If(condition, body, [])]
        body = [ast.For(generator.target, generator.iter if k else ast.Name(items, ast.Load()), body, [])]
    for new in ast.walk(ast.Module(body, [])):
        if isinstance(new, ast.stmt | ast.expr) and not hasattr(new, "lineno"):
            ast.copy_location(new, node)
    s.frame.names |= {made: objects.make_list(s, ()), items: first}
    with_own_names(s, node, lambda: s.statements(normalised(body)))
    s.at(node)
    del s.frame.names[items]
    return s.frame.names.pop(made)


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


def _walk(s, node: ast.expr, depth: int, visit, first: object) -> None:
    from zygopy.transform.reading.assignments import assign
    from zygopy.transform.reading.conditions import truth
    from zygopy.transform.reading.expressions import evaluate
    from zygopy.transform.reading.iteration import known_numbers, static_items

    if depth == len(node.generators):
        visit()
        return
    generator = node.generators[depth]
    iterable = evaluate(s, generator.iter) if depth else first
    s.at(node)
    refuse_generator(s, iterable)
    items = static_items(s, iterable)
    items = known_numbers(iterable) if items is None else items
    if items is None:
        raise _OfRunTimeError(
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
                raise _OfRunTimeError(
                    "this condition of a comprehension is not supported",
                    s.loc,
                    "it must be known at compile time, for it decides how many items there are",
                    "write a loop",
                )
            if not test.value:
                break
        else:
            _walk(s, node, depth + 1, visit, first)


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
    from zygopy.transform.reading.conditions import truth
    from zygopy.transform.reading.expressions import evaluate

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
