"""The passes one by one: IR text in, IR text out."""

import math
import textwrap

import numpy as np
import pytest

from zygopy.backends import python
from zygopy.errors import Loc
from zygopy.transform import Task, build, ops, pipeline  # noqa: F401  (rules register themselves)
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import Builder, constant, integer
from zygopy.transform.differentiation.mincut import minimum_cut
from zygopy.transform.differentiation.reverse import reverse
from zygopy.transform.differentiation.winners import winners
from zygopy.transform.emit import emit
from zygopy.transform.ir import (
    Block,
    Check,
    Const,
    For,
    Function,
    Kernel,
    Let,
    Param,
    Store,
    Substitution,
    Var,
    While,
    leaves,
    new_key,
    replace,
    walk,
)
from zygopy.transform.memory import permutes
from zygopy.transform.passes.dead_stores import dead_stores
from zygopy.transform.passes.distribute import distribute
from zygopy.transform.passes.double_buffer import double_buffer
from zygopy.transform.passes.fuse import fuse
from zygopy.transform.passes.hoist import hoist
from zygopy.transform.passes.jam import jam
from zygopy.transform.passes.on_tape import on_tape
from zygopy.transform.passes.orient import orient
from zygopy.transform.passes.reassociate import reassociate
from zygopy.transform.passes.reread import reread
from zygopy.transform.passes.rotate import rotate
from zygopy.transform.passes.share import share
from zygopy.transform.passes.strips import strips
from zygopy.transform.passes.vectorise import vectorise
from zygopy.transform.reading.signature import specialise
from zygopy.transform.show import show
from zygopy.transform.simplify import simplify
from zygopy.transform.summed import products
from zygopy.transform.types import FLOAT, FLOAT32, FLOAT64, INT, INT64, Array, Scalar, promote, unify
from zygopy.transform.verify import VerificationError, verify

VECTOR = Array(FLOAT64, 1)


def text(function) -> str:
    """The IR's text."""
    return show(function).strip()


def wanted(lines: str) -> str:
    """Expected text, written indented."""
    return textwrap.dedent(lines).strip()


def nothing_to_do(x):
    s = 0.0
    for i in range(len(x)):
        s += np.sin(x[i])
    return s


def test_passes_that_change_nothing_give_back_the_same_nodes():
    """What is known of blocks stays known, and a program that is simple is not simplified again."""
    function = simplify(specialise(nothing_to_do, [VECTOR], []).function)
    for unchanged in (simplify, fuse, orient, vectorise, hoist):
        assert unchanged(function) is function
    assert Substitution({}).block(function.body) is function.body
    assert replace(function, body=function.body) is function


def test_copies_share_no_statement():
    """Passes know statements by identity; a copy of the same ones, with other definitions, consists of others."""
    body = simplify(specialise(nothing_to_do, [VECTOR], []).function).body
    copy = Substitution({}, lambda v: Var(v.name, v.type)).block(body)
    assert not {id(s) for s in walk(body)} & {id(s) for s in walk(copy)}


def test_verify_finds_a_statement_in_two_places():
    function = specialise(lambda x: x, [FLOAT], []).function
    check = Check(constant(True), ValueError, "", function.loc)
    with pytest.raises(VerificationError, match="a statement stands in one place"):
        verify(replace(function, body=Block((check, check), function.body.yields)))


def square_sum(x):
    s = 0.0
    for v in x:
        s += v * v
    return s


def test_specialise():
    """Types, explicit loop variables, and `v` bound in the loop for use after it."""
    assert text(specialise(square_sum, [VECTOR]).function) == wanted("""
        function square_sum(x: f8[:])
          n: i8? = dim(x, 0)
          for i in 0:n:1 with v: f8 = f8(0.0), bound: b1? = False, s: f8 = f8(0.0)
            t: f8 = load(x, i)
            t.2: f8 = mul(t, t)
            s.2: f8 = add(s, t.2)
            yield t, True, s.2
          end -> v.2, bound.2, s.3
          return s.3
    """)


def test_simplify_removes_what_nothing_reads():
    assert text(simplify(specialise(square_sum, [VECTOR]).function)) == wanted("""
        function square_sum(x: f8[:])
          n: i8? = dim(x, 0)
          for i in 0:n:1 with s: f8 = f8(0.0)
            t: f8 = load(x, i)
            t.2: f8 = mul(t, t)
            s.2: f8 = add(s, t.2)
            yield s.2
          end -> s.3
          return s.3
    """)


def open_gradient(function, types, parameter=0):
    """The open program of a gradient, simplified."""
    primal = simplify(specialise(function, types).function)
    wrt = [primal.params[parameter].leaves]
    program = reverse(primal, wrt, primal.results, lambda bars: (primal.results, bars[0]))
    return simplify(program.function)


def test_reverse_mirrors_the_loop():
    """The reverse part names `t` of the primal loop; jam brings the two together."""
    assert text(open_gradient(square_sum, [VECTOR])) == wanted("""
        function square_sum(x: f8[:])
          n: i8? = dim(x, 0)
          for i in 0:n:1 with s: f8 = f8(0.0)
            t: f8 = load(x, i)
            t.2: f8 = mul(t, t)
            s.2: f8 = add(s, t.2)
            yield s.2
          end -> s.3
          x_bar: f8[:] = zeros(n)
          t.3: i8? = sub(n, 1)
          for i.2 in t.3:-1:-1
            t_bar: f8 = sum(t, t)
            x_bar[i.2] += t_bar
          return s.3, x_bar
    """)


def test_jam():
    assert text(jam(open_gradient(square_sum, [VECTOR]))) == wanted("""
        function square_sum(x: f8[:])
          n: i8? = dim(x, 0)
          x_bar: f8[:] = zeros(n)
          for i in 0:n:1 with s: f8 = f8(0.0)
            t: f8 = load(x, i)
            t.2: f8 = mul(t, t)
            s.2: f8 = add(s, t.2)
            t_bar: f8 = sum(t, t)
            x_bar[i] += t_bar
            yield s.2
          end -> s.3
          t.3: i8? = sub(n, 1)
          return s.3, x_bar
    """)


def recurrence(x, n):
    for _ in range(n):
        x = x * x
    return x


def test_jam_leaves_a_recurrence_alone():
    """Its reverse needs the adjoint of the next trip first."""
    program = open_gradient(recurrence, [FLOAT, INT])
    assert jam(program) == program


def test_verify_finds_a_variable_out_of_scope():
    function = open_gradient(recurrence, [FLOAT, INT])
    verify(function, open_program=True)
    with pytest.raises(VerificationError, match="is in scope"):
        verify(function)


def test_minimum_cut_prefers_one_value_to_three():
    inputs = {"d": ["a", "b", "c"], "e": ["d"]}
    costs = dict.fromkeys("abcde", 8.0)
    assert minimum_cut(costs, inputs, {"a", "b", "c"}, ["d"]) == {"d"}
    assert minimum_cut(costs, inputs, {"a", "b", "c"}, ["d", "e"]) == {"d"}


def scatter_add(step):
    """x_bar[i - 1] += g[i]; x_bar[i + 1] += g[i] for the inner i, upwards or downwards."""
    x_bar, g, i = Var("x_bar", VECTOR), Var("g", VECTOR), Var("i", INT)
    b, inner = Builder(Loc("", 1)), Builder(Loc("", 1))
    last = b.sub(b.dim(x_bar, 0), integer(1))
    value = inner.load(g, (i,), "v")
    inner.store(x_bar, (inner.sub(i, integer(1)),), value, ops.SUM)
    inner.store(x_bar, (inner.add(i, integer(1)),), value, ops.SUM)
    ends = (integer(1), last) if step > 0 else (b.sub(last, integer(1)), integer(0))
    b.emit(For(i, *ends, integer(step), (), (), inner.block(), (), b.loc, new_key()))
    return Function("scatter", (Param("x_bar", x_bar), Param("g", g)), b.block(), (), b.loc)


def scratch_in_loop():
    """A tape that each trip makes, writes and reads, and a shape that does not change."""
    x, i = Var("x", VECTOR), Var("i", INT)
    b, inner = Builder(Loc("", 1)), Builder(Loc("", 1))
    n = b.dim(x, 0)
    tape = inner.let(ops.SCRATCH, (inner.add(n, integer(1)),), VECTOR, "tape")
    inner.store(tape, (i,), inner.load(x, (i,)))
    inner.store(x, (i,), inner.load(tape, (i,)))
    b.emit(For(i, integer(0), n, integer(1), (), (), inner.block(), (), b.loc, new_key()))
    return Function("tapes", (Param("x", x),), b.block(), (), b.loc)


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 9])
@pytest.mark.parametrize("tuning", [orient, distribute, rotate], ids=lambda f: f.__name__)
def test_tuned_loops_add_the_same(tuning, length, step):
    """At all lengths, those where the loop does not run included."""
    got, g = np.arange(10.0, 10.0 + length), np.arange(1.0, 1.0 + length) ** 2
    expected = got.copy()
    for i in range(1, length - 1):
        expected[i - 1] += g[i]
        expected[i + 1] += g[i]
    function = verify(simplify(tuning(scatter_add(step))))
    python.compile(emit(function))(got, g)
    np.testing.assert_array_equal(got, expected)


def test_orient_turns_additions_upwards():
    assert "for i in 1:t:1" in text(simplify(orient(scatter_add(-1))))


def test_orient_leaves_overwritten_elements_alone():
    """Which trip stores last would change: the place k is another one in each trip, whatever its name says."""
    x, places, i = Var("x", VECTOR), Var("places", Array(INT64, 1)), Var("i", INT)
    b, inner = Builder(Loc("", 1)), Builder(Loc("", 1))
    n = b.dim(places, 0)
    k = inner.cast(inner.load(places, (i,), "k"), INT)
    inner.store(x, (inner.add(k, i),), inner.load(x, (i,)))
    b.emit(For(i, b.sub(n, integer(1)), integer(-1), integer(-1), (), (), inner.block(), (), b.loc, new_key()))
    function = Function("last", (Param("x", x), Param("places", places)), b.block(), (), b.loc)
    assert orient(function) == function


def below(is_triangle: bool) -> Function:
    """A downward loop that adds x[i] to x[0], or one that adds x[i - 1] to all elements from i on."""
    x, i, j = Var("x", VECTOR), Var("i", INT), Var("j", INT)
    b, inner, row = Builder(Loc("", 1)), Builder(Loc("", 1)), Builder(Loc("", 1))
    n = b.dim(x, 0)
    if is_triangle:
        row.store(x, (j,), row.load(x, (row.sub(i, integer(1)),)), ops.SUM)
        inner.emit(For(j, i, n, integer(1), (), (), row.block(), (), b.loc, new_key()))
    else:
        inner.store(x, (integer(0),), inner.load(x, (i,)), ops.SUM)
    b.emit(For(i, b.sub(n, integer(1)), integer(0), integer(-1), (), (), inner.block(), (), b.loc, new_key()))
    return Function("below", (Param("x", x),), b.block(), (), b.loc)


def test_orient_knows_elements_that_no_trips_share():
    assert "for i in 1:n:1" in text(simplify(orient(below(False))))


def test_orient_tells_a_variable_of_one_trip_from_that_of_another():
    """In each trip j > i - 1, and yet a trip adds to what the next one reads."""
    function = below(True)
    assert orient(function) == function


def stencil(whole: bool, overwritten: bool) -> Function:
    """A copy of u, or of all but its first element, perhaps a store into u, and u[i] = u[i] * u[i + 1] by way of t."""
    u = Var("u", VECTOR)
    b = Builder(Loc("", 1))
    n = b.dim(u, 0)
    tape = b.let(ops.SCRATCH, (integer(3), n), Array(FLOAT64, 2), "tape")
    t = b.let(ops.EMPTY, (n,), VECTOR, "t")

    def loop(start, stop, fill):
        i, inner = Var("i", INT), Builder(Loc("", 1))
        fill(inner, i)
        b.emit(For(i, start, stop, integer(1), (), (), inner.block(), (), b.loc, new_key(), parallel=True))

    loop(integer(0 if whole else 1), n, lambda c, i: c.store(tape, (integer(1), i), c.load(u, (i,))))
    if overwritten:
        b.store(u, (integer(0),), constant(1.0))
    last = b.sub(n, integer(1))
    loop(integer(0), last, lambda c, i: c.store(t, (i,), c.mul(c.load(u, (i,)), c.load(u, (c.add(i, integer(1)),)))))
    loop(integer(0), last, lambda c, i: c.store(u, (i,), c.load(t, (i,))))
    return Function("stencil", (Param("u", u),), b.block(), (), b.loc)


def test_reread_reads_a_stencil_from_the_copy():
    """The loops that compute and store then become one."""
    assert text(fuse(reread(stencil(True, False)))) == wanted("""
        function stencil(u: f8[:])
          n: i8? = dim(u, 0)
          tape: f8[:, :] = scratch(3, n)
          for i in 0:n:1
            t: f8 = load(u, i)
            tape[1, i] = t
          t.2: i8? = sub(n, 1)
          for i.2 in 0:t.2:1
            t.3: f8 = load(tape, 1, i.2)
            t.4: i8? = add(i.2, 1)
            t.5: f8 = load(tape, 1, t.4)
            t.6: f8 = mul(t.3, t.5)
            u[i.2] = t.6
    """)


@pytest.mark.parametrize("whole, overwritten", [(False, False), (True, True)])
def test_reread_leaves_what_the_copy_does_not_have(whole, overwritten):
    function = stencil(whole, overwritten)
    assert reread(function) is function


def test_distribute_makes_one_loop_of_both_neighbours():
    assert text(simplify(distribute(scatter_add(1)))) == wanted("""
        function scatter(x_bar: f8[:], g: f8[:])
          n: i8? = dim(x_bar, 0)
          t: i8? = sub(n, 1)
          t.2: i8? = sub(n, 2)
          t.3: i8? = int_max(t.2, 0)
          t.4: i8? = add(t.3, 4)
          row: f8[:] = zeros(t.4)
          for i in 1:t:1
            v: f8 = load(g, i)
            t.5: i8? = add(i, 1)
            row[t.5] = v
          t.6: b1? = lt(1, t)
          if t.6
            for i.2 in 0:n:1
              t.7: i8? = add(i.2, 2)
              t.8: f8 = load(row, t.7)
              t.9: f8 = load(row, i.2)
              t.10: f8 = sum(t.8, t.9)
              x_bar[i.2] += t.10
    """)


def test_rotate_hands_neighbours_on():
    assert text(simplify(rotate(scatter_add(1)))) == wanted("""
        function scatter(x_bar: f8[:], g: f8[:])
          n: i8? = dim(x_bar, 0)
          t: i8? = sub(n, 1)
          for i in 1:t:1 with x_bar.2: f8 = f8(0.0), x_bar.3: f8 = f8(0.0)
            v: f8 = load(g, i)
            t.2: i8? = sub(i, 1)
            x_bar.4: f8 = sum(x_bar.2, v)
            x_bar[t.2] += x_bar.4
            yield x_bar.3, v
          end -> x_bar.5, x_bar.6
          t.3: b1? = lt(1, t)
          if t.3
            t.4: i8? = sub(n, 2)
            x_bar[t.4] += x_bar.5
            x_bar[t] += x_bar.6
    """)


def test_hoist_makes_tapes_once():
    assert text(hoist(scratch_in_loop())) == wanted("""
        function tapes(x: f8[:])
          n: i8? = dim(x, 0)
          t: i8? = add(n, 1)
          tape: f8[:] = scratch(t)
          for i in 0:n:1
            t.2: f8 = load(x, i)
            tape[i] = t.2
            t.3: f8 = load(tape, i)
            x[i] = t.3
    """)


def in_turns(x):
    """Three arrays in turns: the one before, the present one, the next one."""
    before, u = x, x * 0.5
    for _ in range(5):
        before, u = u, u * u - before
    return np.sum(u + before)


def in_turns_while(x):
    u = x
    while u[0] > 1.0:
        u = u * 0.5
    return np.sum(u)


def stored_into(x):
    """The first array is changed, and the caller's u with it."""
    u = start = x.copy()
    for _ in range(5):
        u[0] += 1.0
        u = u * 0.5
    return np.sum(u * start)


def sometimes(x):
    u = x
    for k in range(5):
        if x[k] > 0.0:
            u = u * x[k]
    return np.sum(u)


def shrinking(x):
    u = x
    for _ in range(3):
        u = u[1:] * 2.0
    return np.sum(u)


@pytest.mark.parametrize("function", [in_turns, in_turns_while, sometimes])
def test_double_buffers(function):
    buffered = verify(fuse(double_buffer(primal_of(function))))
    (loop,) = [
        s for s in buffered.body.statements if isinstance(s, For | While) and VECTOR in [p.type for p in s.params]
    ]
    assert permutes(loop)
    assert not any(isinstance(t, Let) and t.op is ops.EMPTY for t in loop.body.statements)


@pytest.mark.parametrize("function", [stored_into, shrinking])
def test_arrays_that_something_else_keeps_are_not_buffers(function):
    primal = primal_of(function)
    assert double_buffer(primal) == primal


def primal_of(function):
    return simplify(specialise(function, [VECTOR]).function)


def test_arrays_of_one_trip_are_made_on_the_tape():
    assert text(on_tape(rows_kept(changed=False))) == wanted("""
        function kept(x: f8[:])
          n: i8? = dim(x, 0)
          tape: f8[:, :] = scratch(n, n)
          for k in 0:n:1
            for i in 0:n:1
              t: f8 = load(x, i)
              tape[k, i] = t
            for i.2 in 0:n:1
              t.2: f8 = load(tape, k, i.2)
              x[i.2] = t.2
          for k.2 in 0:n:1
            for i.3 in 0:n:1
              t.3: f8 = load(tape, k.2, i.3)
              x[i.3] = t.3
    """)
    assert "t: f8[:] = empty(n)" in text(on_tape(rows_kept(changed=True)))


def rows_kept(changed):
    """Rows that a loop makes and keeps on a tape (and then changes, if so asked), and another reads."""
    here = Loc("f.py", 1)
    x, k, k2 = Var("x", Array(FLOAT64, 1)), Var("k", INT), Var("k", INT)
    b, first, second = Builder(here), Builder(here), Builder(here)
    n = b.dim(x, 0)
    tape = b.let(ops.SCRATCH, (n, n), Array(FLOAT64, 2), "tape")

    def copied(b, target, source, *behind):
        i, inside = Var("i", INT), Builder(here)
        at = [tuple(v if v is not None else i for v in index) for _, index in (target, source)]
        inside.store(target[0], at[0], inside.load(source[0], at[1]))
        b.emit(For(i, integer(0), n, integer(1), (), (), inside.block(), (), here, new_key()))

    t = first.let(ops.EMPTY, (n,), Array(FLOAT64, 1), "t")
    copied(first, (t, [None]), (x, [None]))
    copied(first, (tape, [k, None]), (t, [None]))
    if changed:
        first.store(t, (integer(0),), constant(1.0, FLOAT))
    copied(first, (x, [None]), (t, [None]))
    s = second.let(ops.SCRATCH, (n,), Array(FLOAT64, 1), "s")
    copied(second, (s, [None]), (tape, [k2, None]))
    copied(second, (x, [None]), (s, [None]))
    for index, body in ((k, first), (k2, second)):
        b.emit(For(index, integer(0), n, integer(1), (), (), body.block(), (), here, new_key()))
    return verify(Function("kept", (Param("x", x),), b.block(), (), here))


@pytest.mark.parametrize("shift", [0, 1])
def test_a_tape_shares_the_memory_of_what_is_made_of_it(shift):
    """Not where an element is read after another trip has stored in its place."""
    x, here = Var("x", Array(FLOAT64, 1)), Loc("f.py", 1)
    b, first, second = Builder(here), Builder(here), Builder(here)
    n = b.dim(x, 0)
    tape = b.let(ops.SCRATCH, (n,), Array(FLOAT64, 1), "tape")
    i, j = Var("i", INT), Var("j", INT)
    first.store(tape, (i,), first.load(x, (i,)))
    b.emit(For(i, integer(0), n, integer(1), (), (), first.block(), (), here, new_key()))
    new = b.let(ops.EMPTY, (n,), Array(FLOAT64, 1), "new")
    second.store(new, (j,), second.load(tape, (second.sub(second.sub(n, integer(shift)), j) if shift else j,)))
    b.emit(For(j, integer(0), n, integer(1), (), (), second.block(), (), here, new_key()))
    program = verify(Function("kept", (Param("x", x),), b.block((new,)), new, here))
    made = [s.op for s in verify(share(program)).body.statements if isinstance(s, Let)]
    assert made == ([ops.DIM, ops.EMPTY] if shift == 0 else [ops.DIM, ops.SCRATCH, ops.EMPTY])


@pytest.mark.parametrize("read", [False, True])
def test_dead_stores(read):
    """Each element is read and then cleared; the clearing is left out unless another trip reads the element."""
    x, here = Var("x", Array(FLOAT64, 1)), Loc("f.py", 1)
    b, first, second = Builder(here), Builder(here), Builder(here)
    n = b.dim(x, 0)
    row = b.let(ops.EMPTY, (n,), Array(FLOAT64, 1), "row")
    i, j = Var("i", INT), Var("j", INT)
    first.store(row, (i,), first.load(x, (i,)))
    b.emit(For(i, integer(0), n, integer(1), (), (), first.block(), (), here, new_key()))
    second.store(x, (j,), second.load(row, (j,)))
    if read:
        second.store(x, (j,), second.load(row, (integer(0),)))
    second.store(row, (j,), constant(0.0, FLOAT))
    b.emit(For(j, integer(0), n, integer(1), (), (), second.block(), (), here, new_key()))
    program = verify(Function("cleared", (Param("x", x),), b.block(), (), here))
    stores = [s for s in walk(verify(dead_stores(program)).body) if isinstance(s, Store) and s.array is row]
    assert len(stores) == (2 if read else 1)


@pytest.mark.parametrize("read", [False, True])
def test_dead_stores_into_arrays_of_several_names(read):
    """By its other name the array is read before the last loop, or behind it."""
    x, here = Var("x", Array(FLOAT64, 1)), Loc("f.py", 1)
    b, trip = Builder(here), Builder(here)
    n = b.dim(x, 0)
    row = b.let(ops.ZEROS, (n,), Array(FLOAT64, 1), "row")
    view = b.let(ops.RESHAPE, (row, integer(1), n), Array(FLOAT64, 2), "view")
    b.store(view, (integer(0), integer(0)), b.load(x, (integer(0),)))
    i = Var("i", INT)
    trip.store(x, (i,), trip.load(row, (i,)))
    trip.store(row, (i,), constant(0.0, FLOAT))
    b.emit(For(i, integer(0), n, integer(1), (), (), trip.block(), (), here, new_key()))
    results = (b.load(view, (integer(0), integer(0))),) if read else ()
    program = verify(Function("cleared", (Param("x", x),), b.block(results), results, here))
    stores = [s for s in walk(verify(dead_stores(program)).body) if isinstance(s, Store) and s.array is row]
    assert len(stores) == (1 if read else 0)


def test_dead_stores_compare_places_by_their_numbers():
    """A 1 of NumPy and a 1 of Python are one place."""
    x, here = Var("x", FLOAT), Loc("f.py", 1)
    b = Builder(here)
    row = b.let(ops.EMPTY, (integer(2),), Array(FLOAT64, 1), "row")
    b.store(row, (integer(1),), x)
    result = b.load(row, (Const(1, Scalar(INT64)),))
    program = verify(Function("kept", (Param("x", x),), b.block((result,)), (result,), here))
    assert [s.value for s in walk(dead_stores(program).body) if isinstance(s, Store)] == [x]


def differences(x):
    """A sum that a branch and an inner loop add to, and that is subtracted from."""
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.0:
            total += x[i]
            total -= x[0]
        for j in range(i):
            total = x[j] + total
    return total


def compensated(x):
    """Kahan's sum reads the partial sums."""
    total, lost = 0.0, 0.0
    for v in x:
        term = v - lost
        next_ = total + term
        lost = (next_ - total) - term
        total = next_
    return total


def running(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i]
        x[i] = total
    return total


def doubled(x):
    total = 1.0
    for v in x:
        total = total + (total + v)
    return total


def chosen(x):
    """One side yields the sum before an addition, the other one a value of the branch beside it."""
    total, largest = 0.0, 0.0
    for v in x:
        before = total
        total += v
        if v > 0.0:
            largest = before
    return total + largest


def additions(function):
    primal = simplify(specialise(function, [VECTOR]).function)
    lets = [s for s in walk(verify(reassociate(primal)).body) if isinstance(s, Let)]
    return [s.op for s in lets if s.op in (ops.ADD, ops.SUM, ops.SUB) and s.var.type.is_float]


def test_sums_are_reassociated():
    assert additions(differences) == [ops.SUM] * 3


@pytest.mark.parametrize("function", [compensated, running, doubled, chosen])
def test_sums_that_are_read_keep_their_order(function):
    assert ops.SUM not in additions(function)


def exponentials(x, y):
    total = 0.0
    for i in range(len(x)):
        y[i] = math.exp(x[i])
        total += y[i]
    return total


def binned(x, y):
    for i in range(len(x)):
        y[int(x[i])] += math.exp(x[i])
    return y[0]


def smoothed(x, y):
    for i in range(1, len(x)):
        y[i] = math.exp(x[i]) + y[i - 1]
    return y[0]


def largest(x, y):
    found = 0.0
    for v in x:
        if math.exp(v) > found:
            found = math.exp(v)
    return found


@pytest.mark.parametrize(
    "function, expected", [(exponentials, True), (binned, False), (smoothed, False), (largest, False)]
)
def test_vectorise(function, expected):
    """Where trips meet in nothing but a sum."""
    primal = reassociate(simplify(specialise(function, [VECTOR, VECTOR]).function))
    loops = [s for s in walk(vectorise(primal).body) if isinstance(s, For)]
    assert [s.parallel for s in loops] == [expected]


def maximum(x):
    m = x[0]
    for j in range(1, len(x)):
        if x[j] > m:
            m = x[j]
    return m


def test_a_search_has_no_mirror():
    assert text(simplify(winners(simplify(specialise(maximum, [VECTOR]).function)))) == wanted("""
        function maximum(x: f8[:])
          n: i8? = dim(x, 0)
          t: b1? = le(1, n)
          check t else OutOfBoundsError
          m: f8 = load(x, 0)
          for j in 1:n:1 with m.2: f8 = m, m_at: i8? = 0
            t.2: f8 = load(x, j)
            t.3: b1 = gt(t.2, m.2)
            if t.3
              yield t.2, j
            else
              yield m.2, m_at
            end -> m.3, m_at.2
            yield m.3, m_at.2
          end -> m.4, m_at.3
          t.4: b1? = ge(m_at.3, 1)
          if t.4
            t.5: f8 = load(x, m_at.3)
            yield t.5
          else
            yield m
          end -> m.5
          m.6: f8 = guided(m.4, m.5)
          return m.6
    """)


def rows_of_exponentials(x, w):
    total = 0.0
    for v in x:
        z = 0.0
        for j in range(len(w)):
            z += v * w[j]
        total += math.exp(z)
    return total


def test_strips():
    """The exponential has a loop of its own; what the others give it is kept in a row."""
    primal = reassociate(simplify(specialise(rows_of_exponentials, [VECTOR, VECTOR]).function))
    (outer,) = [s for s in verify(simplify(strips(primal))).body.statements if isinstance(s, For)]
    assert outer.step == integer(64)
    sums, exponentials = [s for s in outer.body.statements if isinstance(s, For)]
    ops_of = lambda loop: {t.op for t in walk(loop.body) if isinstance(t, Let)}  # noqa: E731
    assert ops.MUL in ops_of(sums) and ops.EXP not in ops_of(sums)
    assert ops.EXP in ops_of(exponentials) and not any(isinstance(t, For) for t in walk(exponentials.body))


def regression(x, w, y):
    return np.sum(np.log1p(np.exp(x @ w)) * y)


def test_products_of_strips():
    """BLAS multiplies all rows of a strip; the exponentials have a loop between its calls."""
    matrix = Array(FLOAT64, 2)
    program = build(regression, [matrix, VECTOR, VECTOR], Task("grad", ("w",)))
    (outer,) = [s for s in program.function.body.statements if isinstance(s, For) and s.step != integer(1)]
    parts = [s.op if isinstance(s, Kernel) else For for s in outer.body.statements if isinstance(s, Kernel | For)]
    assert parts == [ops.MATMUL, For, ops.ADD_MATMUL]
    assert not any(isinstance(t, For) for s in outer.body.statements if isinstance(s, For) for t in walk(s.body))


def masses(x):
    return np.sum(np.log(np.sum(np.exp(x), axis=1)))


@pytest.mark.parametrize(("length", "is_short"), [(10, True), (1000, False), (None, False)])
def test_short_rows_of_strips(length, is_short):
    """The exponentials of all short rows of a strip are one loop, a vector."""
    matrix = Array(FLOAT64, 2, lengths=None if length is None else (500, length))
    program = build(masses, [matrix], Task("value_and_grad", ("x",)))
    loops = [s for s in program.function.body.statements if isinstance(s, For)]
    strips = [s for s in loops if s.step != integer(1)]
    exponentials = lambda loop: any(isinstance(t, Let) and t.op is ops.EXP for t in loop.body.statements)  # noqa: E731
    counts = [sum(isinstance(t, For) and exponentials(t) for t in s.body.statements) for s in strips]
    assert counts == ([1] if is_short else [])


def four_functions(x, y):
    for i in range(len(x)):
        t = np.log(x[i])
        u = math.erf(t)
        y[i] = np.exp(-t * t) * np.sin(u)


def test_stages():
    """erf and the exponential that it needs are one stage; the argument of both comes from the stage before."""
    primal = simplify(specialise(four_functions, [VECTOR, VECTOR]).function)
    assert text(verify(simplify(strips(primal)))) == wanted("""
        function four_functions(x: f8[:], y: f8[:])
          n: i8? = dim(x, 0)
          n.2: i8? = dim(y, 0)
          t: b1? = le(n, n.2)
          check t else OutOfBoundsError
          row: f8[:] = scratch(128)
          row.2: f8[:] = scratch(128)
          row.3: f8[:] = scratch(128)
          for i_block in 0:n:128
            t.2: i8? = add(i_block, 128)
            t.3: i8? = int_min(t.2, n)
            for i in i_block:t.3:1
              t.4: i8? = sub(i, i_block)
              t.5: f8 = load(x, i)
              t.6: f8 = log(t.5)
              row[t.4] = t.6
            for i.2 in i_block:t.3:1
              t.7: i8? = sub(i.2, i_block)
              t.8: f8 = load(row, t.7)
              u: f8 = erf(t.8)
              t.9: f8 = neg(t.8)
              t.10: f8 = mul(t.9, t.8)
              t.11: f8 = exp(t.10)
              row.2[t.7] = u
              row.3[t.7] = t.11
            for i.3 in i_block:t.3:1
              t.12: i8? = sub(i.3, i_block)
              u.2: f8 = load(row.2, t.12)
              t.13: f8 = load(row.3, t.12)
              t.14: f8 = sin(u.2)
              t.15: f8 = mul(t.13, t.14)
              y[i.3] = t.15
    """)


def test_short_loops_have_one_stage():
    """Those of calls with few elements; and loops whose trips depend on each other."""
    few = Array(FLOAT64, 1, lengths=(64,))
    for function, types in ((four_functions, [few, few]), (error_recurrence, [VECTOR, VECTOR])):
        primal = simplify(specialise(function, types).function)
        assert text(strips(primal)) == text(primal)


def error_recurrence(x, y):
    for i in range(1, len(x)):
        y[i] = math.erf(y[i - 1]) * np.sin(x[i]) * np.log(x[i]) * np.exp(x[i])


def some_products(x, y):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * y[i]
        y[i] += x[i] * 3.0
        p = x[i] * 5.0
        total += p
        x[i] = p
    return total


def test_products_that_only_sums_read():
    """The user's own `y[i] += ...` keeps its rounding, and so does a product that something else reads."""
    primal = reassociate(simplify(specialise(some_products, [VECTOR, VECTOR]).function))
    (found,) = products(primal)
    (let,) = [s for s in walk(primal.body) if isinstance(s, Let) and s.var is found]
    assert not any(isinstance(a, Const) for a in let.args)  # x[i] * y[i]


def test_affine_bounds():
    """i in 1 <= i < n - 1: i - 1 and n - i - 2 are never negative, i - 2 may be."""
    n, i = Var("n", INT), Var("i", INT)
    facts = Facts()
    stop = Affine(-1, ((n, 1),))
    facts.ranges[i] = (integer(1), stop, integer(1))
    assert facts.never_negative(Affine(-1, ((i, 1),)))
    assert facts.never_negative(Affine(-2, ((n, 1), (i, -1))))
    assert not facts.never_negative(Affine(-2, ((i, 1),)))


@pytest.mark.parametrize(
    ("types", "result"),
    [
        ((Scalar(FLOAT32), FLOAT), "f4"),
        ((Scalar(FLOAT32), INT), "f4"),
        ((Scalar(FLOAT32), Scalar(INT64)), "f8"),
        ((INT, FLOAT), "f8?"),
        ((Scalar(FLOAT64), Scalar(FLOAT32)), "f8"),
    ],
)
def test_promotion_is_numpys(types, result):
    """NEP 50: Python numbers take the type of the NumPy operand that they meet."""
    assert str(promote(*types)) == result
    stand_ins = [1.0 if t == FLOAT else 1 if t == INT else t.dtype.type(1) for t in types]
    if not result.endswith("?"):
        assert (stand_ins[0] * stand_ins[1]).dtype == np.dtype(promote(*types).dtype)


def test_unify_refuses_two_precisions():
    assert unify(Scalar(FLOAT32), Scalar(FLOAT64)) is None
    assert unify(Scalar(FLOAT32), FLOAT) == Scalar(FLOAT32)


def test_leaves_of_trees():
    a, b, c = (Var(name, FLOAT) for name in "abc")
    assert leaves((a, (b, (c,)), ())) == [a, b, c]
