"""The table of docs/semantics.md, row by row: values and derivatives where calculus has none.

Run in plain Python, both modes, and compiled; and the values compared with NumPy's and Python's own.
"""

import ast
import math
import operator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.straight_line import Line, compile_lines
from zygopy.transform.types import FLOAT

PAGE = Path(__file__).parent.parent / "docs" / "semantics.md"
KNOWN = {"np": np, "math": math, "inf": math.inf, "nan": math.nan, "abs": abs, "max": max, "min": min, "round": round}
OPERATORS = {ast.Pow: operator.pow, ast.Mod: operator.mod, ast.FloorDiv: operator.floordiv, ast.Div: operator.truediv}


@dataclass(frozen=True)
class Row:
    text: str
    function: object
    arguments: tuple
    value: float
    derivatives: tuple

    @property
    def point(self) -> tuple:
        return tuple(a for a in self.arguments if isinstance(a, float))

    def line(self) -> Line:
        return Line(self.function, *(FLOAT if isinstance(a, float) else a for a in self.arguments))

    def __str__(self):
        return self.text


def evaluate(text):
    return eval(text, dict(KNOWN))


def read_row(line: str) -> Row:
    text, value, derivatives = (cell.strip().strip("`") for cell in line.strip().strip("|").split("|")[:3])
    tree = ast.parse(text, mode="eval").body
    if isinstance(tree, ast.BinOp):
        function, arguments = OPERATORS[type(tree.op)], (tree.left, tree.right)
    else:
        function, arguments = evaluate(ast.unparse(tree.func)), tree.args
    found = evaluate(f"({derivatives},)")
    return Row(text, function, tuple(evaluate(ast.unparse(a)) for a in arguments), evaluate(value), found)


ROWS = [read_row(line) for line in PAGE.read_text().splitlines() if line.startswith("| `")]


def same(found, wanted) -> bool:
    return all(
        (np.isnan(a) and np.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-14)
        for a, b in zip(found, wanted, strict=True)
    )


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_reverse_mode(row):
    assert same(row.line().with_gradient().run(*row.point), (row.value, *row.derivatives))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_forward_mode(row):
    for k, wanted in enumerate(row.derivatives):
        assert same(row.line().with_tangent(k).run(*row.point), (row.value, wanted))


def test_compiled():
    """All rows by Numba: nothing that LLVM rearranges may change them."""
    for start in range(0, len(ROWS), 25):
        rows = ROWS[start : start + 25]
        compiled = compile_lines([row.line().with_gradient() for row in rows])
        results = compiled(*(x for row in rows for x in row.point))
        for row, found in zip(rows, results, strict=True):
            assert same(found, (row.value, *row.derivatives)), (row.text, found)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_value_is_what_numpy_or_python_gives(row):
    """Where Python raises instead, the table's value stands for itself."""
    arguments = [np.float64(a) if isinstance(a, float) else a for a in row.arguments]
    with np.errstate(all="ignore"):
        try:
            value = row.function(*arguments)
        except (ValueError, OverflowError):
            return
    assert same([value], [row.value])


def test_sinc_at_second_order():
    line = Line(np.sinc, FLOAT).with_gradient()
    line.outputs = line.outputs[1:]
    assert same(line.with_gradient().run(0.0), (0.0, -(math.pi**2) / 3))


@pytest.mark.parametrize("function", [np.hypot, np.arctan2])
def test_second_derivatives_at_the_origin_are_zero(function):
    line = Line(function, FLOAT, FLOAT).with_gradient()
    line.outputs = line.outputs[1:2]
    assert line.with_gradient().run(0.0, 0.0) == [0.0, 0.0, 0.0]
