"""Derivatives in two functions: what the backward part reads of the forward part's is enough, and is never changed."""

import numpy as np
import pytest

from tests import oracle
from tests.compare import assert_close
from tests.programs import PROGRAMS
from tests.test_programs import tolerance
from zygopy.backends import python
from zygopy.binding import bind
from zygopy.structures import builder, flat, type_of
from zygopy.transform import Task, build
from zygopy.transform.emit import emit
from zygopy.transform.ir import Var, leaves
from zygopy.transform.reading.parse import parameter_names


def parts(function, args, argnums=(0,)):
    """The program of the two parts for a call."""
    names = parameter_names(function)
    types = [type_of(a, name) for a, name in zip(bind(function, args, {}), names, strict=True)]
    return build(function, types, Task("vjp", tuple(names[n] for n in argnums)))


OTHER_LENGTHS = {"slices_with_variable_bounds"}  # code of its own for the lengths of its sample


def flattened(tree):
    return [leaf for item in tree for leaf in flattened(item)] if isinstance(tree, tuple) else [tree]


@pytest.mark.parametrize("name", [name for name, p in PROGRAMS.items() if isinstance(p.sample, tuple)][::16])
def test_corpus(name, monkeypatch):
    """Value and gradient, the gradient twice, after the caller has overwritten all that it gave and was given."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    p = PROGRAMS[name]
    program = parts(p.function, p.args(), p.argnums)
    args = bind(p.function, p.args(), {})
    if program.captured or name in OTHER_LENGTHS:
        pytest.skip("the parts are not all of it")
    value, kept = python.compile(emit(flat(program.function)))(*flattened(tuple(args)))
    assert_close(value, oracle.plain(p.function, p.args())[0], tolerance(p))
    for array in flattened((*args, value)):
        if isinstance(array, np.ndarray) and array.flags.writeable:
            array[...] = 77
    backward = python.compile(emit(flat(program.second)))
    expected = oracle.gradient(p.function, p.args(), p.argnums)
    for scale in (1.0, 1.0, 2.0):
        found = backward(*kept, scale)
        found = builder(program.second.results)(found) if builder(program.second.results) else found
        wanted = expected if isinstance(expected, tuple) and len(p.argnums) > 1 else (expected,)
        assert_close(found, _scaled(wanted, scale), tolerance(p))


def _scaled(tree, by):
    return tuple(_scaled(item, by) for item in tree) if isinstance(tree, tuple) else tree * by


def growing(x):
    total, n = x[0] * 1.0, 0
    while total < 20.0:
        total = total * 1.5 + abs(x[n % 3])
        n += 1
    return total * x


def test_array_seed_and_growing_tape(monkeypatch):
    """A growing tape is read, not consumed: runs of the backward part give the rows of the Jacobian."""
    monkeypatch.setenv("ZYGOPY_VERIFY", "1")
    x = np.array([0.5, -1.2, 2.0])
    program = parts(growing, (x,))
    value, kept = python.compile(emit(program.function))(x)
    assert_close(value, growing(x))
    backward = python.compile(emit(flat(program.second)))
    rows = np.stack([backward(*kept, unit)[0] for unit in np.eye(3)])
    units = 1e-6 * np.eye(3)
    columns = [(growing(x + u) - growing(x - u)) / 2e-6 for u in units]
    np.testing.assert_allclose(rows, np.stack(columns, 1), rtol=1e-8, atol=1e-7)


def test_what_is_kept():
    """Nothing for a linear function but the length; the exponential, which is the result, as a copy of it."""
    x = np.array([0.5, -1.2, 2.0])
    assert _kept(lambda x: 2.0 * x, x) == ["i8?"]
    assert _kept(lambda x: np.exp(x), x) == ["i8?", "f8[:]"]


def _kept(function, x):
    return [str(v.type) for v in leaves(parts(function, (x,)).function.results[1]) if isinstance(v, Var)]
