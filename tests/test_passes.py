"""The passes one by one: IR text in, IR text out."""

import textwrap

import numpy as np
import pytest

from zygopy.transform.affine import Affine, Facts
from zygopy.transform.build import integer
from zygopy.transform.ir import Var, leaves
from zygopy.transform.jam import jam
from zygopy.transform.mincut import minimum_cut
from zygopy.transform.reverse import reverse
from zygopy.transform.show import show
from zygopy.transform.signature import specialise
from zygopy.transform.simplify import simplify
from zygopy.transform.types import FLOAT, FLOAT32, FLOAT64, INT, INT64, Array, Scalar, promote, unify
from zygopy.transform.verify import VerificationError, verify

VECTOR = Array(FLOAT64, 1)


def text(function) -> str:
    """The IR's text."""
    return show(function).strip()


def wanted(lines: str) -> str:
    """Expected text, written indented."""
    return textwrap.dedent(lines).strip()


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
