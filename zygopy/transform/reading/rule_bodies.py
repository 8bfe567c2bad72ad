"""The rules of users where something is differentiated: followed as any function is, and copied to that place."""

from collections.abc import Callable
from dataclasses import dataclass

from zygopy.errors import ArgumentError, Loc, UnsupportedError
from zygopy.transform import ops
from zygopy.transform.affine import Affine
from zygopy.transform.arguments import Lengths
from zygopy.transform.build import Builder
from zygopy.transform.ir import (
    Block,
    Const,
    For,
    Function,
    If,
    Leaves,
    Let,
    Param,
    Substitution,
    Value,
    Var,
    free_values,
    leaves,
    map_leaves,
    param_vars,
    replace,
)
from zygopy.transform.reading.list_memory import refuse_stores, with_room
from zygopy.transform.reading.parse import Parsed, read
from zygopy.transform.reading.signature import argument, with_shape_errors
from zygopy.transform.reading.specialise import Specialiser
from zygopy.transform.reading.user_rules import Rules
from zygopy.transform.reading.values import Raises, Static, describe
from zygopy.transform.records import rebuilt
from zygopy.transform.simplify import simplify
from zygopy.transform.types import Array, Scalar


@dataclass(frozen=True)
class Read:
    """A number or an array that a rule is given, and how it is read where the rule reads it.

    `lengths` are forms of the program around the rule for the lengths of an array, or for an integer.
    """

    type_: Scalar | Array
    value: Callable[[], Value]
    lengths: tuple[Affine, ...] = ()
    shape: Callable[[], tuple[Value, ...]] = tuple


Given = object  # a Read, a Const or Static that is known now, or a tuple of such


def read_number(value: Value, lengths: tuple[Affine, ...] = ()) -> Read | Const:
    """How a rule is given a number."""
    return value if isinstance(value, Const) else Read(value.type, lambda: value, lengths)


class Inner:
    """A rule that is a function inside a program; `call(s, values)` follows it, `parsed` is where it stands."""

    def __init__(self, parsed: Parsed, call: Callable):
        self.parsed, self.call, self.__name__ = parsed, call, parsed.name


def run(
    rule: Callable | Inner,
    given: tuple[Given, ...],
    numbers: list,
    finish: Callable,
    b: Builder,
    count: int | None = None,
) -> Leaves:
    """Write the statements of a rule; the tree that `finish(s, values, result)` makes of what it returns.

    Only what a rule reads is read: that is what a tape has to keep. The numbers that it captures join `numbers`.
    `count`: how many of the values the rule takes; `finish` sees all of them.
    """
    reads = [leaf for tree in given for leaf in _reads(tree)]
    function = _specialised(rule, given, reads, numbers, finish, count)
    by_param = dict(zip(param_vars(function), reads, strict=True))
    values: dict[Var, Value] = {}
    statements = []
    for s in function.body.statements:
        if isinstance(s, Let) and s.op is ops.DIM and s.args[0] in by_param:
            values[s.var] = by_param[s.args[0]].shape()[s.args[1].value]
        else:
            statements.append(s)
    wanted = free_values(Block(tuple(statements), function.body.yields))
    values |= {param: found.value() for param, found in by_param.items() if param in wanted}
    copying = Substitution(values, define=lambda v: Var(v.name, v.type))
    for s in statements:
        copy = copying.statement(s)
        b.emit(replace(copy, mirror=None) if isinstance(copy, For | If) else copy)
    return map_leaves(copying.value, function.results)


def _reads(tree: Given) -> list[Read]:
    if isinstance(tree, tuple):
        return [leaf for item in tree for leaf in _reads(item)]
    return [tree] if isinstance(tree, Read) else []


def _types(tree: Given) -> object:
    if isinstance(tree, tuple):
        return rebuilt(tree, map(_types, tree))
    return tree.type_ if isinstance(tree, Read) else tree


def _specialised(
    rule: Callable | Inner,
    given: tuple[Given, ...],
    reads: list[Read],
    numbers: list,
    finish: Callable,
    count: int | None,
) -> Function:
    s = Specialiser(Lengths((), ask=lambda op, a, b: False, numbers=numbers))
    s.b.loc = loc_of(rule)
    pairs = [argument(s, f"x{k}", _types(tree)) for k, tree in enumerate(given)]
    params = tuple(Param(f"x{k}", tree) for k, (tree, _) in enumerate(pairs))
    _know_lengths(s, [v for p in params for v in leaves(p.leaves)], reads)
    values = [value for _, value in pairs]
    try:
        taken = values[:count]
        result = rule.call(s, taken) if isinstance(rule, Inner) else s.follow(rule, taken, {})
    except Raises:
        result = Static(None)  # every path raises
    s.b.loc = loc_of(rule)
    tree = finish(s, values, result)
    if s.captured_arrays:
        names = ", ".join(name for _, name in s.captured_arrays)
        raise UnsupportedError(
            f"the rule {rule.__name__} captures the array {names}",
            loc_of(rule),
            "a rule reads the arguments of its function only",
            "make the array an argument of the function",
        )
    body = s.b.block(tuple(leaves(tree)))
    refuse_stores(body, s.referred)
    body = with_shape_errors(with_room(body))
    return simplify(Function(rule.__name__, params, body, tree, loc_of(rule)))


def _know_lengths(s: Specialiser, params: list[Var], reads: list[Read]) -> None:
    """Tell a rule what the program around it knows of lengths: which are equal, and by how much others differ."""
    first: dict[frozenset, tuple[Value, int]] = {}
    for param, found in zip(params, reads, strict=True):
        own = s.facts.shapes[param] if isinstance(param.type, Array) else (param,)
        for n, form in zip(own, found.lengths, strict=False):
            if isinstance(n, Const):
                continue
            if not form.terms:
                s.facts.assume_equal(n, Affine(form.constant), depth=0)
                continue
            other, constant = first.setdefault(frozenset(form.terms), (n, form.constant))
            if other is not n:
                s.facts.assume_equal(n, Affine(form.constant - constant, ((other, 1),)), depth=0)


def one_for_each(rules: Rules, rule: Callable | Inner, args: list, result: object) -> tuple:
    """What a rule returns for each argument of its function; for one argument it may be bare."""
    is_bare = len(args) == 1 and (not isinstance(result, tuple) or isinstance(args[0], tuple) and len(result) != 1)
    found = (result,) if is_bare else result
    if not isinstance(found, tuple) or len(found) != len(args):
        raise ArgumentError(
            f"the rule of {rules.function.__name__}, which has {len(args)} argument{'s' * (len(args) != 1)}, "
            f"returns {describe(result)}",
            loc_of(rule),
            help="return one for each argument, None for those without a gradient",
        )
    return found


def is_none(value: object) -> bool:
    return isinstance(value, Static) and value.value is None


def loc_of(rule: Callable | Inner) -> Loc:
    return read(rule).loc
