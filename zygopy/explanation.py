"""What the compiler decided about each line of a user's program, as a table.

The facts are those that passes note while they run (`transform.notes`) and what the finished program holds: nothing is
read from emitted text.
"""

import html
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from zygopy.errors import Loc
from zygopy.show_source import Text
from zygopy.transform import Program
from zygopy.transform.ir import Block, Const, For, Function, Kernel, Let, Value, Var, While, blocks, param_vars, walk
from zygopy.transform.notes import Notes
from zygopy.transform.types import Array, Stack

_HEAD = ("line", "source", "active", "nest", "reverse needs", "tape", "bounds")


@dataclass
class Row:
    """One line of the user's source."""

    loc: Loc
    active: bool = False
    nests: list[str] = field(default_factory=list)
    needs: dict[str, list[str]] = field(default_factory=dict)  # names of values by how they get to the reverse part
    tapes: list["Tape"] = field(default_factory=list)
    bounds: list[str] = field(default_factory=list)

    def cells(self) -> tuple[str, ...]:
        """The row as text, column by column."""
        needs = "; ".join(f"{', '.join(names)} {how}" for how, names in self.needs.items())
        tapes = " + ".join(str(tape) for tape in self.tapes)
        nest, bounds = ", ".join(self.nests), ", ".join(self.bounds)
        return str(self.loc.line), self.loc.text.strip(), "yes" if self.active else "", nest, needs, tapes, bounds


@dataclass(frozen=True)
class Tape:
    """Memory that the reverse part reads: its size in bytes as an expression of lengths, and as a number if known."""

    expression: str
    size: int | None

    def __str__(self) -> str:
        is_plain = self.size is None or self.expression == str(self.size)
        return self.expression if is_plain else f"{self.expression} = {self.size:,}"


@dataclass(frozen=True)
class Explanation:
    """The rows of a function and of those that it calls, and what the program needs as a whole."""

    name: str
    rows: tuple[Row, ...]
    total: int  # bytes of the tape, as far as they are known before the call
    grows: bool  # a tape's size is known only when it has run
    statements: int

    def summary(self) -> str:
        """The lines below the table."""
        more = " and what grows with the trips of loops" if self.grows else ""
        return f"tape: {self.total:,} bytes{more}\nstatements: {self.statements}"

    def columns(self) -> list[int]:
        """The columns that have something in them."""
        cells = [row.cells() for row in self.rows]
        return [k for k in range(len(_HEAD)) if k < 2 or any(c[k] for c in cells)]

    def groups(self) -> list[tuple[str, list[tuple[str, ...]]]]:
        """For each function its name and file, and its rows."""
        found: dict[tuple[str, str], list[tuple[str, ...]]] = {}
        for row in self.rows:
            found.setdefault((row.loc.function, row.loc.file), []).append(row.cells())
        several = len({file for _, file in found}) > 1
        return [(f"{name}, {file}" if several else name, cells) for (name, file), cells in found.items()]

    def __str__(self) -> str:
        shown = self.columns()
        lines = [tuple(_HEAD[k] for k in shown)]
        lines += [tuple(cells[k] for k in shown) for _, group in self.groups() for cells in group]
        widths = [max(len(line[k]) for line in lines) for k in range(len(shown))]

        def text(line: Iterable[str]) -> str:
            return "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()

        out = [text(lines[0]), text("-" * width for width in widths)]
        for title, group in self.groups():
            out += [title] if len(self.groups()) > 1 else []
            out += [text(cells[k] for k in shown) for cells in group]
        return "\n".join([*out, self.summary()])

    def __repr__(self) -> str:
        return str(self)

    def __rich__(self) -> Any:
        """A table, for rich consoles."""
        from rich.console import Group
        from rich.table import Table

        table = Table(box=None, header_style="bold", pad_edge=False)
        for k in self.columns():
            table.add_column(_HEAD[k], justify="right" if k == 0 else "left", no_wrap=k == 1)
        for title, group in self.groups():
            if len(self.groups()) > 1:
                table.add_row("", f"[dim]{title}[/dim]")
            for cells in group:
                source = Text(cells[1], "python").__rich__()
                table.add_row(*(source if k == 1 else cells[k] for k in self.columns()))
        return Group(table, self.summary())

    def _repr_html_(self) -> str:
        """A table, for Jupyter."""
        shown = self.columns()
        head = "".join(f"<th>{_HEAD[k]}</th>" for k in shown)
        body = []
        for title, group in self.groups():
            if len(self.groups()) > 1:
                body.append(f'<tr><td colspan="{len(shown)}"><i>{html.escape(title)}</i></td></tr>')
            for cells in group:
                columns = (f"<code>{html.escape(cells[k])}</code>" if k == 1 else html.escape(cells[k]) for k in shown)
                body.append("<tr>" + "".join(f'<td style="text-align:left">{c}</td>' for c in columns) + "</tr>")
        summary = html.escape(self.summary()).replace("\n", "<br>")
        return f"<table><tr>{head}</tr>{''.join(body)}</table><p>{summary}</p>"

    def show(self) -> None:
        """Print, highlighted if standard output is a terminal."""
        if sys.stdout.isatty():
            from rich.console import Console

            Console().print(self.__rich__())
        else:
            print(str(self))


def explanation(title: str, notes: Notes, program: Program, values: Iterable[object]) -> Explanation:
    """The table of a program for the leaves of a call's arguments."""
    from zygopy.transform.naming import name

    sizes = _Sizes(program.function, values)
    rows: dict[tuple[str, int], Row] = {}
    heads = {(f.loc.file, f.loc.line) for f in notes.functions}

    def row(loc: Loc, head: bool = False) -> Row | None:
        place = (loc.file, loc.line)
        return (
            None if place in heads and not head or loc.file.startswith("<zygopy") else rows.setdefault(place, Row(loc))
        )

    for function in notes.functions:
        for s in walk(function.body):
            row(s.loc)
    for loc in notes.active:
        if (found := row(loc)) is not None:
            found.active = True
    for loc, nest in _nests(notes.fused):
        if (found := row(loc)) is not None and nest not in found.nests:
            found.nests.append(nest)
    for need in notes.needs:
        if (found := row(need.loc)) is not None:
            names = found.needs.setdefault(need.how, [])
            label = need.var.name if need.var.name != "t" else "a value"
            names += [label] if label not in names else []
    for (loc, _), where in notes.bounds.items():
        if (found := row(loc)) is not None and where not in found.bounds:
            found.bounds.append(where)
    tapes = [found for found in sizes.tapes() if found[0] in notes.tapes]
    for var, loc, tape in tapes:
        if (found := row(notes.places.get(var, loc), head=True)) is not None:
            found.tapes.append(tape)
    first: dict[tuple[str, str], int] = {}
    for r in rows.values():
        first.setdefault((r.loc.file, r.loc.function), len(first))
    ordered = sorted(rows.values(), key=lambda r: (first[r.loc.file, r.loc.function], r.loc.line))
    total = sum(tape.size or 0 for _, _, tape in tapes)
    inlined = name(program.function, set()).inlined
    count = sum(not (isinstance(s, Let) and s.var in inlined) for s in walk(program.function.body))
    grows = any(tape.size is None for _, _, tape in tapes) or bool(program.function.callees)
    return Explanation(title, tuple(ordered), total, grows, count)


def _nests(functions: list[Function]) -> Iterable[tuple[Loc, str]]:
    """The places of loops, of whole-array nests with a number for each, and of kernels."""
    count = 0

    def visit(block: Block) -> Iterable[tuple[Loc, str]]:
        nonlocal count
        for s in block.statements:
            if isinstance(s, For) and s.parallel:
                count += 1
                yield from ((t.loc, f"nest {count}") for t in walk(Block((s,))))
                continue
            if isinstance(s, For | While):
                yield s.loc, "loop" if isinstance(s, While) or s.snapshots is None else "checkpointed loop"
            elif isinstance(s, Kernel):
                yield s.loc, s.op.name
            for inner in blocks(s):
                yield from visit(inner)

    for function in functions:
        yield from visit(function.body)


class _Sizes:
    """The memory of tapes in terms of the lengths and numbers that a program is called with."""

    def __init__(self, function: Function, values: Iterable[object]):
        self.function = function
        self.lets = {s.var: s for s in walk(function.body) if isinstance(s, Let)}
        self.values: dict[Var, Any] = dict(zip(param_vars(function), values, strict=False))

    def tapes(self) -> Iterable[tuple[Var, Loc, Tape]]:
        """The tapes that the program makes."""
        from zygopy.transform import ops

        for s in self.lets.values():
            if s.op is ops.SCRATCH:
                yield s.var, s.loc, self.tape(s)
            elif s.op is ops.NEW_STACK:
                assert isinstance(s.var.type, Stack)
                width = s.var.type.dtype.itemsize * s.var.type.width
                yield s.var, s.loc, Tape(f"{width} for each trip", None)

    def tape(self, s: Let) -> Tape:
        """The size of an array that the program makes."""
        assert isinstance(s.var.type, Array)
        item = s.var.type.dtype.itemsize
        known = [int(str(n.value)) for n in s.args if isinstance(n, Const)]
        factors = [str(item * math.prod(known)), *(self.text(n) for n in s.args if not isinstance(n, Const))]
        numbers = [self.number(n) for n in s.args]
        size = None if None in numbers else item * math.prod(max(n, 0) for n in numbers if n is not None)
        return Tape(" * ".join(factors), size)

    def text(self, n: Value, tight: bool = True) -> str:
        """A number as an expression of arguments; `tight`: in parentheses unless it is one name."""
        from zygopy.transform import ops

        if isinstance(n, Const):
            return str(n.value)
        let = self.lets.get(n)
        if let is None or let.op is ops.LOAD:
            return n.name
        if let.op is ops.DIM:
            array, axis = let.args
            assert isinstance(array, Var) and isinstance(axis, Const)
            return f"len({array.name})" if axis.value == 0 else f"{array.name}.shape[{axis.value}]"
        if let.op is ops.INT_MAX and any(_is_zero(a) for a in let.args):  # lengths are not negative
            return self.text(next(a for a in let.args if not _is_zero(a)), tight)
        if not let.op.text:
            return n.name
        text = let.op.text.format(*(self.text(a) for a in let.args))
        return f"({text})" if tight and let.op.precedence < 20 else text

    def number(self, n: Value) -> int | None:
        """A number for the arguments of the call; None where only the run knows it."""
        from zygopy.transform import ops

        if isinstance(n, Const):
            return int(n.value)  # type: ignore[call-overload]
        if n in self.values:
            return int(self.values[n])
        let = self.lets.get(n)
        if let is None or let.op.name not in _FUNCTIONS and let.op is not ops.DIM:
            return None
        if let.op is ops.DIM:
            array, axis = let.args
            assert isinstance(array, Var) and isinstance(axis, Const)
            return self.values[array].shape[axis.value] if array in self.values else None
        args = [self.number(a) for a in let.args]
        return None if None in args else _FUNCTIONS[let.op.name](*args)


def _is_zero(n: Value) -> bool:
    return isinstance(n, Const) and n.value == 0


_FUNCTIONS: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b,
    "int_min": min,
    "int_max": max,
    "neg": lambda a: -a,
    "cast": int,
}

__all__ = ["Explanation", "explanation"]
