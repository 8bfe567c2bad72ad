"""Reading a Python function: its source as an AST whose control flow has one way out of each block.

`return`, `break` and `continue` become assignments to flags, and what follows them moves under a branch:

    for i in range(n):                     stop = False
        if x[i] < 0:                       for i in range(n) while not stop:
            break                 ->           if x[i] < 0: stop = True
        s += x[i]                              else: s += x[i]

The names of the flags contain "@", so that they cannot meet a user's.
"""

import ast
import linecache
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from zygopy.errors import Loc, SourceError, UnsupportedError
from zygopy.transform.reading.scopes import with_own_variables

RESULT, DONE = "result@", "done@"


@dataclass(frozen=True)
class Parsed:
    """A function as read: its parameters, its normalised body, and where it stands."""

    name: str
    args: ast.arguments
    body: list[ast.stmt]
    file: str
    loc: Loc


def read(function: Callable) -> Parsed:
    """Read the source of a Python function or lambda.

    Raises
    ------
    SourceError
        If there is no source text, as for functions made by `exec` or typed at a bare prompt.
    """
    if (parsed := getattr(function, "parsed", None)) is not None:
        return parsed
    code = function.__code__
    return _read(code, code.co_filename)


@lru_cache(maxsize=4096)
def _read(code: types.CodeType, file: str) -> Parsed:
    lines = linecache.getlines(file)
    node = _find(code, file, tuple(lines)) if lines else None
    if node is None:
        raise SourceError(
            f"the source of {code.co_name} cannot be read",
            why=f"{file} is not a file, or has changed since it was imported",
            help="put the function into a module or a notebook cell",
        )
    return parse_function(with_own_variables(node), file)


def parse_function(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, file: str) -> Parsed:
    """Normalise a function's AST."""
    name = getattr(node, "name", "<lambda>")
    if isinstance(node, ast.AsyncFunctionDef):
        raise UnsupportedError("async is not supported", loc_of(node, file, name), help="make it a plain function")
    body = [_at(ast.Return(node.body), node.body)] if isinstance(node, ast.Lambda) else node.body
    return Parsed(name, node.args, _normalise(body, node), file, loc_of(node, file, name))


def loc_of(node: ast.AST, file: str, function: str = "") -> Loc:
    """The place of an AST node."""
    end = node.end_col_offset if node.end_lineno == node.lineno else None
    return Loc(file, node.lineno, node.col_offset, end, function)


def _find(code: types.CodeType, file: str, lines: tuple[str, ...]) -> ast.AST | None:
    if code.co_name == "<lambda>":
        found = [n for n in _functions(file, lines) if isinstance(n, ast.Lambda) and _holds(n, code)]
        return min(found, key=lambda n: (n.end_lineno - n.lineno, n.end_col_offset - n.col_offset), default=None)
    for node in _functions(file, lines):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
    return None


def _holds(node: ast.Lambda, code: types.CodeType) -> bool:
    """Whether the instructions of `code` are those of this lambda's body and not of a lambda inside it."""
    positions = [p for p in code.co_positions() if p[0] is not None and p[2] is not None and p[3]]
    body = node.body
    spans = [(line, column) for line, _, column, _ in positions if (line, column) >= (node.lineno, node.col_offset)]
    ends = [(end_line, end) for _, end_line, _, end in positions]
    return bool(spans) and (body.end_lineno, body.end_col_offset) == max(ends) and node.lineno <= code.co_firstlineno


@lru_cache(maxsize=64)
def _functions(file: str, lines: tuple[str, ...]) -> list[ast.AST]:
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:  # a cell with magics, or a file that is being edited
        return []
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]


# -- one way out of each block ---------------------------------------------------------------------------------------


@dataclass
class _Sequence:
    """Normalised statements, the flags they may set on the way out, and whether they always leave."""

    statements: list[ast.stmt]
    flags: set[str]
    always: bool


def _normalise(body: list[ast.stmt], owner: ast.AST) -> list[ast.stmt]:
    last = body[-1]
    falls_off = _at(ast.Return(None), last)
    sequence = _sequence([*body, falls_off], None)
    start = [_assign(DONE, False, body[0])] if DONE in sequence.flags else []
    return start + sequence.statements


def normalised(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that leave no block early, as they are followed."""
    return _sequence(body, None).statements


def _sequence(body: list[ast.stmt], loop: str | None) -> _Sequence:
    """Normalise a list of statements; `loop` names the innermost loop around it."""
    out: list[ast.stmt] = []
    flags: set[str] = set()
    for position, statement in enumerate(body):
        rest = body[position + 1 :]
        match statement:
            case ast.Return():
                value = statement.value or _at(ast.Constant(None), statement)
                out += [_assign(RESULT, value, statement), _assign(DONE, True, statement)]
                return _Sequence(out, flags | {DONE}, True)
            case ast.Break():
                out.append(_assign(f"stop@{loop}", True, statement))
                return _Sequence(out, flags | {f"stop@{loop}"}, True)
            case ast.Continue():
                out.append(_assign(f"skip@{loop}", True, statement))
                return _Sequence(out, flags | {f"skip@{loop}"}, True)
            case ast.Raise():
                return _Sequence([*out, statement], flags, True)
            case ast.If():
                inner, moved = _if(statement, rest, loop)
                out.append(inner.statements[0])
                flags |= inner.flags
                if inner.always or moved:
                    return _Sequence(out, flags, inner.always)
            case ast.For() | ast.While():
                inner = _loop(statement, loop)
                out += inner.statements
                flags |= inner.flags
                if inner.always:
                    return _Sequence(out, flags, True)
            case _:
                out.append(statement)
                continue
        if inner.flags and rest:
            tail = _sequence(rest, loop)
            guard = _unless(inner.flags, statement)
            out.append(_at(ast.If(guard, tail.statements, []), statement))
            return _Sequence(out, flags | tail.flags, tail.always)
    return _Sequence(out, flags, False)


def _if(node: ast.If, rest: list[ast.stmt], loop: str | None) -> tuple[_Sequence, bool]:
    """An If, and whether the rest of its block has moved into the branch that goes on."""
    then, orelse = _sequence(node.body, loop), _sequence(node.orelse, loop)
    moved = False
    if then.always and not orelse.always and then.flags and rest:
        orelse, moved = _sequence(node.orelse + rest, loop), True
    elif orelse.always and not then.always and orelse.flags and rest:
        then, moved = _sequence(node.body + rest, loop), True
    new = _at(ast.If(node.test, then.statements, orelse.statements), node)
    return _Sequence([new], then.flags | orelse.flags, then.always and orelse.always), moved


def _loop(node: ast.For | ast.While, outer: str | None) -> _Sequence:
    name = f"{node.lineno}:{node.col_offset}"
    stop, skip = f"stop@{name}", f"skip@{name}"
    body = _sequence(node.body, name)
    statements = [_assign(skip, False, node), *body.statements] if skip in body.flags else body.statements
    leaves = body.flags - {skip}
    new = ast.copy_location(type(node)(**{f: getattr(node, f) for f in node._fields}), node)
    new.body, new.orelse = statements, []
    new.stop_flags = tuple(sorted(leaves))
    out: list[ast.stmt] = [_assign(stop, False, node)] if stop in leaves else []
    out.append(new)
    flags = leaves - {stop}
    endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)
    if node.orelse and leaves:
        tail = _sequence(node.orelse, outer)
        out.append(_at(ast.If(_unless(leaves, node), tail.statements, []), node))
        flags |= tail.flags
    elif node.orelse:
        tail = _sequence(node.orelse, outer)
        out += tail.statements
        flags |= tail.flags
        if tail.always:
            return _Sequence(out, flags, True)
    return _Sequence(out, flags, endless and stop not in leaves)


def _assign(name: str, value: object, like: ast.AST) -> ast.stmt:
    node = value if isinstance(value, ast.AST) else _at(ast.Constant(value), like)
    return _at(ast.Assign([_at(ast.Name(name, ast.Store()), like)], node), like)


def _unless(flags: set[str], like: ast.AST) -> ast.expr:
    names = [_at(ast.Name(f, ast.Load()), like) for f in sorted(flags)]
    any_set = names[0] if len(names) == 1 else _at(ast.BoolOp(ast.Or(), names), like)
    return _at(ast.UnaryOp(ast.Not(), any_set), like)


def _at(node: ast.AST, like: ast.AST):
    return ast.copy_location(node, like)


def assigned_names(statements: Sequence[ast.AST]) -> list[str]:
    """The names that statements assign, in order, inner functions and comprehensions left out."""
    found: dict[str, None] = {}

    def visit(node: ast.AST) -> None:
        match node:
            case ast.Name(ctx=ast.Store()):
                found[node.id] = None
            case ast.FunctionDef():
                found[node.name] = None
                return
            case ast.Lambda() | ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                return
        for child in ast.iter_child_nodes(node):
            visit(child)

    for statement in statements:
        visit(statement)
    return list(found)


def names_read(parsed: Parsed) -> list[str]:
    """The names in a function's code that it does not bind itself."""
    args = parsed.args
    own = {a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)}
    own |= {a.arg for a in (args.vararg, args.kwarg) if a is not None} | set(assigned_names(parsed.body))
    found = (n.id for statement in parsed.body for n in ast.walk(statement) if isinstance(n, ast.Name))
    return [name for name in dict.fromkeys(found) if name not in own]


def names_in(parsed: Parsed) -> list[str]:
    """The names that the body of a function and functions inside it read or assign."""
    found = (n.id for statement in parsed.body for n in ast.walk(statement) if isinstance(n, ast.Name))
    return list(dict.fromkeys(found))


def with_parameters(parsed: Parsed, names: list[str]) -> Parsed:
    """Where a function stands, with other parameters and nothing inside."""
    args = ast.arguments([], [ast.arg(name) for name in names], kwonlyargs=[], kw_defaults=[], defaults=[])
    return Parsed(parsed.name, args, [], parsed.file, parsed.loc)


def parameter_names(function: Callable) -> list[str]:
    """The names of a function's parameters, in the order of its IR; *args is a tuple, **kwargs a dict."""
    args = read(function).args
    star, stars = [[a] if a is not None else [] for a in (args.vararg, args.kwarg)]
    return [a.arg for a in [*args.posonlyargs, *args.args, *star, *args.kwonlyargs, *stars]]
