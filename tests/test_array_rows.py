"""Every row of the table: by both modes in plain Python, a sample compiled, and no array function without a row."""

import itertools

import numpy as np
import pytest

import zygopy as zg
from tests.array_checks import (
    NAMES,
    Exact,
    Row,
    assert_near,
    check,
    check_value,
    define,
    is_differentiable,
    numpy_value,
    quiet,
    source_of,
    weights,
)
from tests.array_rows import NOT_YET, NOT_YET_FORMS, all_rows, values
from zygopy.transform import ops
from zygopy.transform.reading import handlers


def called(row: Row) -> set[str]:
    return {name for name, _ in row.names()}


def is_not_yet(row: Row) -> bool:
    return row.text in NOT_YET_FORMS or not called(row).isdisjoint(NOT_YET)


ROWS = [row for row in all_rows() if not is_not_yet(row)]


def by_function(found: list[Row]) -> dict[str, list[Row]]:
    """The rows of each function, so that a test is of one function."""
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(row.names()[0][0] if row.names() else row.text, []).append(row)
    return groups


GROUPS = by_function(ROWS)


@pytest.mark.parametrize("name", GROUPS)
def test_rows_on_python(name):
    wrong = []
    for row in GROUPS[name]:
        try:
            check(row)
        except (AssertionError, zg.ZygopyError) as error:
            wrong.append(f"{row}: {error}")
    assert not wrong, "\n\n".join(wrong)


# -- compiled ---------------------------------------------------------------------------------------------------------


def sample(count: int) -> list[Row]:
    """Rows for the compiled backend: the first of each function, and others at even distances."""
    rows = [row for row in ROWS if row.argnums and is_differentiable(row, numpy_value(row))]
    first, seen = [], set()
    for k, row in enumerate(rows):
        if called(row) - seen:
            first.append(k)
            seen |= called(row)
    rest = [k for k in range(len(rows)) if k not in first and not any(1 in np.shape(a) for a in rows[k].args)]
    chosen = {*first, *rest[:: max(1, len(rest) // max(1, count - len(first)))]}
    return [rows[k] for k in sorted(chosen)]


BATCH = 12
SAMPLE = sample(220)


@pytest.mark.parametrize("start", range(0, len(SAMPLE), BATCH))
def test_sample_compiled(start):
    """Value and gradient of several rows as one function. What this cannot see: forward mode and second order."""
    rows = SAMPLE[start : start + BATCH]
    letters = iter(f"x{k}" for k in itertools.count())
    names = [[next(letters) for _ in row.args] for row in rows]
    source = "\n\n".join(f"def f{n}({row.letters}):\n    return {row.text}\n" for n, row in enumerate(rows))
    parameters = [name for group in names for name in group] + [f"c{n}" for n in range(len(rows))]
    lines = [f"def together({', '.join(parameters)}):"]
    lines += [f"    a{n} = f{n}({', '.join(group)})" for n, group in enumerate(names)]
    terms, results = (", ".join(t.format(n) for n in range(len(rows))) for t in ("np.sum(c{0} * a{0})", "a{0}"))
    lines += [f"    return {terms.replace('), ', ') + ')}, ({results},)"]
    expected = [numpy_value(row) for row in rows]
    cs = [weights(np.shape(e), 0.0, np.asarray(e).dtype) for e in expected]
    args = [a for row in rows for a in row.args]
    argnums = tuple(k for k, (r, j) in enumerate((r, j) for r in rows for j in range(len(r.args))) if j in r.argnums)
    function = define(source + "\n\n" + "\n".join(lines) + "\n")["together"]
    (_, found), gradient = zg.value_and_grad(function, argnums, True)(*args, *cs)
    gradient = iter(gradient)
    for row, c, value, e in zip(rows, cs, found, expected, strict=True):
        check_value(value, e, f"{row}: value")
        with quiet():
            exact = Exact(row).gradient(c)
        for k, g in zip(row.argnums, exact, strict=True):
            assert_near(next(gradient), g, row.args[k], row.digits, f"{row}: gradient of argument {k}")


# -- kinks and awkward points -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, x, gradient",
    [
        ("np.max(x)", [1.0, 3.0, 3.0], [0, 1, 0]),  # the first of equal ones
        ("np.min(x)", [1.0, 3.0, 1.0], [1, 0, 0]),
        ("np.sum(np.max(x, axis=0))", [[2.0, 1.0], [2.0, 3.0]], [[1, 0], [0, 1]]),
        ("np.sum(np.max(x, axis=1))", [[2.0, 2.0], [3.0, 1.0]], [[1, 0], [1, 0]]),
        ("np.max(x)", [[1.0, 1.0], [1.0, 1.0]], [[1, 0], [0, 0]]),
        ("np.linalg.norm(x, np.inf)", [-2.0, 2.0, 0.0], [-1, 0, 0]),
        ("np.sum(np.maximum(x, 1.0))", [1.0, 2.0, 0.0], [0.5, 1, 0]),
        ("np.sum(np.maximum(x, x))", [1.0, 2.0], [1, 1]),
        ("np.sum(np.minimum(x, x[::-1]))", [1.0, 2.0, 1.0], [1, 1, 1]),
        ("np.sum(np.clip(x, 0.0, 1.0))", [0.0, 0.5, 1.0, 2.0, -1.0], [0.5, 1, 0.5, 0, 0]),
        ("np.sum(np.abs(x))", [0.0, -2.0, 3.0], [0, -1, 1]),
        ("np.sum(np.where(x > 0, x, 0.0))", [0.0, -2.0, 3.0], [0, 0, 1]),
        ("np.sum(np.where(x > 0, np.log(x), 0.0))", [2.0, 4.0], [0.5, 0.25]),
        ("np.prod(x)", [0.0, 0.0, 2.0], [0, 0, 0]),
        ("np.prod(x)", [0.0, 3.0, 2.0], [6, 0, 0]),
        ("np.sum(np.cumprod(x))", [2.0, 0.0, 3.0], [1, 8, 0]),
        ("np.var(x)", [2.0, 2.0], [0, 0]),
        ("np.linalg.norm(x, 1)", [0.0, -1.0], [0, -1]),
        ("np.linalg.norm(x, 1)", [[1.0, 0.0], [0.0, -1.0]], [[1, 0], [0, 0]]),  # the first of equal columns
        ("np.linalg.norm(x, np.inf)", [[1.0, -1.0], [2.0, 0.0]], [[1, -1], [0, 0]]),
        ("abs(np.linalg.norm(x, 2) - 1) + np.linalg.norm(x, -2)", [[2.0, 0.0], [0.0, 0.5]], [[1, 0], [0, 1]]),
    ],
)
def test_awkward_points(text, x, gradient):
    f = define(f"def f(x):\n    return {text}\n")["f"]
    np.testing.assert_array_equal(zg.grad(f, backend="python")(np.array(x)), gradient)


@pytest.mark.parametrize("text", ["np.max(x)", "np.min(x, axis=0)", "np.argmax(x)", "np.argmin(x, axis=0)"])
def test_no_largest_of_nothing(text):
    f = define(f"def f(x):\n    return {text}\n")["f"]
    with pytest.raises(ValueError, match="zero-size array"):
        zg.jit(f, backend="python")(np.zeros((0, 2)))


@pytest.mark.parametrize("text", ["np.partition(x, 3)", "np.partition(x, (0, -3), axis=0)", "np.partition(x, n)"])
def test_no_element_in_its_place_beyond_the_end(text):
    f = define(f"def f(x, n):\n    return {text}\n")["f"]
    for function in (f, zg.jit(f, backend="python")):
        with pytest.raises(ValueError, match="kth.* out of bounds"):
            function(np.zeros((2, 3)), -4)


@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 3), (2,)), ((2, 3), (3, 2)), ((0,), (2,))])
def test_shapes_that_do_not_fit(shapes):
    f = define("def f(x, y):\n    return x * y\n")["f"]
    with pytest.raises(zg.errors.ShapeError):
        zg.jit(f, backend="python")(*(values(shape, 0) for shape in shapes))


def test_lengths_that_differ_by_a_constant():
    f = define("def f(x):\n    return np.zeros(len(x) + 1) * x\n")["f"]
    with pytest.raises(zg.errors.ShapeError, match="axes whose lengths differ by 1 do not fit each other"):
        zg.jit(f, backend="python")(np.ones(4))


@pytest.mark.parametrize("text", ["np.geomspace(x, 2.0)", "np.insert(x, [1, 2], 2.0)", "np.delete(x, slice(0, 1))"])
def test_what_functions_written_in_the_language_refuse_names_the_line_of_the_call(text):
    f = define(f"def f(x):\n    y = 2.0 * x\n    return {text} + y\n")["f"]
    with pytest.raises(zg.ZygopyError) as caught:
        zg.jit(f, backend="python")(np.ones(3))
    assert f"return {text} + y" in str(caught.value)


# -- completeness -----------------------------------------------------------------------------------------------------


def test_every_array_function_has_a_row():
    """Of the handlers of NumPy's and SciPy's functions and of methods, and of the functions of numbers."""
    rows = [name for row in ROWS for name in called(row)]
    used = {resolved(name) for name in rows if not name.startswith(".")}
    functions = [f for f in (*handlers.BUILTINS, *ops.FUNCTIONS) if is_library(f)]
    used |= {np.fill_diagonal, np.r_, np.c_}  # no calls of rows
    assert not sorted({f.__name__ for f in functions if f not in used})
    assert not handlers.METHODS.keys() - {name[1:] for name in rows if name.startswith(".")} - WITHOUT_RESULT


WITHOUT_RESULT = {"fill", "sort"}  # statements, in tests/programs and test_array_programs


def is_library(function: object) -> bool:
    module = getattr(function, "__module__", None) or ""
    return isinstance(function, np.ufunc) or module.split(".")[0] in ("numpy", "scipy")


def resolved(name: str) -> object:
    """What np.linalg.norm and the like stand for; None for operators."""
    first, *rest = name.split(".")
    found = NAMES.get(first)
    for attribute in rest if found else ():
        found = getattr(found, attribute)
    return found


def test_what_is_not_there_yet_is_refused():
    """And has rows that wait for it. A name that fails here works now: take it out of the list."""
    waiting = [row for row in all_rows() if is_not_yet(row)]
    works = []
    for row in waiting:
        try:
            zg.jit(define(source_of(row))["f"], backend="python")(*row.args)
        except (zg.ZygopyError, TypeError):
            continue
        works.append(str(row))
    assert not works, "\n".join(works)
    assert NOT_YET <= {name for row in waiting for name in called(row)}
    assert NOT_YET_FORMS <= {row.text for row in waiting}
