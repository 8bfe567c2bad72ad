"""What `explain` says, held against what the generated code does: the tape that it makes, the lines that it computes.

Cannot see whether a word of the table is the clearest one; the page docs/explain.md shows a whole table.
"""

import math
import re

import numpy as np
import pytest
from rich.console import Console

import zygopy as zg
from zygopy.backends import runtime_arrays
from zygopy.transform.notes import notes

X = np.linspace(0.2, 1.0, 7)


def helper(x, k):
    return math.sin(x) * k


def many_lines(w, x, n):
    p = 1 / (1 + np.exp(-w * x))
    q = p * x
    u = x.copy()
    s = w[0]
    for t in range(n):
        s = s * helper(s, 0.3) + u[t % 3]
        u[t % 3] = s * u[1]
    for i in range(1, len(x) - 1):
        s = s + x[i - 1] * w[i + 1] * w[-1]
    shift = len(x) + n
    return s + np.sum(q * q) + shift


def row(table, text):
    """The row of the line that begins with a text, by column."""
    (found,) = [r for r in table.rows if r.loc.text.strip().startswith(text)]
    return found


def test_a_row_for_each_line():
    table = zg.explain(many_lines)(X, X, 9)
    assert [r.loc.text.strip() for r in table.rows if r.loc.function == "helper"] == ["return math.sin(x) * k"]
    assert row(table, "p = 1").active and not row(table, "shift =").active
    assert row(table, "p = 1").nests == row(table, "q = p").nests == ["nest 1"]
    assert row(table, "for t").nests == ["loop"]
    assert row(table, "s = s + x[i - 1]").bounds == ["implied"]
    assert row(table, "s = w[0]").bounds == ["tested once"]
    assert row(table, "s = s * helper").bounds == ["tested in each trip"]
    assert row(table, "for t").needs == {"stored": ["s"]}
    assert [str(tape) for tape in row(table, "for t").tapes] == ["8 * n = 72"]
    assert row(table, "s = s + x[i - 1]").needs.keys() <= {"reloaded", "recomputed"}


def test_views_of_the_table():
    table = zg.explain(many_lines)(X, X, 9)
    text = str(table)
    assert "\x1b" not in text and text == repr(table)
    assert text.endswith(f"tape: {table.total} bytes\nstatements: {table.statements}")
    assert "<code>q = p * x</code>" in table._repr_html_() and "tape: " in table._repr_html_()
    with (console := Console(width=160, force_terminal=True)).capture() as captured:
        console.print(table)
    assert "\x1b" in captured.get()
    assert "q = p * x" in re.sub(r"\x1b\[[\d;]*m", "", captured.get())


@pytest.mark.parametrize("operator", [zg.jit, zg.grad, zg.value_and_grad, zg.jacfwd, zg.hessian])
def test_of_operators(operator):
    table = operator(many_lines).explain(X, X, 9)
    assert row(table, "q = p").active is (operator is not zg.jit)
    assert (table.total > 0) is (operator is not zg.jit)


def test_tests_before_loops():
    def reads(x, n):
        total = 0.0
        for i in range(n):
            total += x[i] ** 2
        return total

    assert row(zg.explain(reads)(X, 3), "total += x[i]").bounds == ["tested before the loop"]


def test_tapes_that_grow():
    def root(a):
        x = a
        while abs(x * x - a) > 1e-12:
            x = 0.5 * (x + a / x)
        return x

    table = zg.explain(root)(2.0)
    assert table.grows and "and what grows with the trips of loops" in str(table)
    assert row(table, "while").needs == {"stored": ["x"]}


def test_ordinary_compilation_takes_no_notes():
    assert notes() is None
    zg.explain(many_lines)(X, X, 9)
    assert notes() is None


def allocated(monkeypatch, gradient, args) -> int:
    """The bytes of the tapes that a call on the python backend makes."""
    sizes = []

    def scratch(shape, dtype=np.float64):
        sizes.append(np.empty(shape, dtype).nbytes)
        return np.empty(shape, dtype)

    monkeypatch.setitem(runtime_arrays.HELPERS, "scratch", scratch)
    gradient(*args)
    return sum(sizes)


def states(w, h, n):
    total = 0.0
    for t in range(n):
        h = np.tanh(w[t] * h) * (t + 1.0)
        for v in h:
            total = total * v + math.exp(v)
    return total


def kept(u0, k, n):
    u = u0.copy()
    for _ in zg.checkpointed(range(n), snapshots=4):
        u[1:] = u[1:] * np.sin(u[:-1] * k)
    return np.sum(u * u)


@pytest.mark.parametrize(
    "function, args",
    [(many_lines, (X, X, 9)), (states, (np.outer(X, X), X, 5)), (kept, (X, 0.5, 6))],
    ids=["numbers", "arrays", "checkpointed"],
)
def test_total_is_what_the_code_allocates(function, args, monkeypatch):
    """As long as nothing grows, and no rows of strips are made beside the tape."""
    gradient = zg.grad(function, backend="python")
    table = gradient.explain(*args)
    assert table.total == allocated(monkeypatch, gradient, args) > 0
    assert table.total == sum(tape.size for r in table.rows for tape in r.tapes)
