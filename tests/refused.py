"""Everything that zygopy refuses, one program each; `python -m tests.refused` writes docs/refused.md and the messages.

The whole messages stand in tests/golden/errors.txt, with file names and line numbers taken out.
"""

import contextlib
import copy
import functools
import math
import os
import random
import re
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.linalg

import zygopy as zg
from tests.programs.registry import numbers

ROOT = Path(__file__).parent.parent
MESSAGES, PAGE = ROOT / "tests" / "golden" / "errors.txt", ROOT / "docs" / "refused.md"

COUNTER = 0
CAPTURED = np.ones(3)
NAMES = {"a": 1.0}


def dict_of(d):
    return d["x"] * 2.0


WORDS = np.array(["a", "b"])


@dataclass(frozen=True)
class Refusal:
    """A call that raises: what the user wrote, in words, and the error classes it is."""

    name: str
    group: str
    what: str
    error: type
    call: Callable


REFUSED: dict[str, Refusal] = {}
_group = ""


def group(title: str) -> None:
    """Start a section of the page."""
    global _group
    _group = title


def refused(what: str, error: type, *sample, call: Callable | None = None, **options):
    """Enter a program that is refused when its gradient is taken at the sample, or when `call(function)` is made."""

    def enter(function):
        def run(backend: str = "python"):
            if call is not None:
                return call(function)
            args = [np.array(a) if isinstance(a, list) else a for a in sample]
            return zg.grad(function, backend=backend, **options)(*args)

        name = function.__name__
        assert name not in REFUSED, name
        REFUSED[name] = Refusal(name, _group, what, error, run)
        return function

    return enter


X = [0.5, 1.0, 1.5]

# -- syntax -----------------------------------------------------------------------------------------------------------

group("Syntax")


@refused("`with`", zg.UnsupportedError, 1.0)
def with_block(x):
    with contextlib.suppress(ValueError):
        x = x * 2
    return x


@refused("`try`", zg.UnsupportedError, 1.0)
def try_block(x):
    try:
        y = x * x
    except ValueError:
        y = x
    return y


@refused("`match`", zg.UnsupportedError, 1.0)
def match_statement(x):
    match x:
        case 1.0:
            return x
    return x * x


@refused("`global`", zg.UnsupportedError, 1.0)
def global_statement(x):
    global COUNTER
    COUNTER = 1
    return x


@refused("`nonlocal`", zg.UnsupportedError, 1.0)
def nonlocal_statement(x):
    y = x

    def set_y():
        nonlocal y
        y = x * 2

    set_y()
    return y


@refused("`del`", zg.UnsupportedError, 1.0)
def del_statement(x):
    y = x * x
    del y
    return x


@refused("a class inside the function", zg.UnsupportedError, 1.0)
def inner_class(x):
    class Point:
        pass

    return x


@refused("`yield`", zg.UnsupportedError, 1.0)
def generator(x):
    yield x


@refused("`async def`", zg.UnsupportedError, 1.0)
async def coroutine(x):
    return x


@refused("a set", zg.UnsupportedError, 1.0)
def set_display(x):
    s = {x, 1.0}
    return x + len(s)


@refused("a list of a length known only at run time, of objects that hold arrays", zg.UnsupportedError, X)
def list_comprehension(a):
    squares = [{"square": a * v} for v in a]
    return squares[1]["square"][0]


@refused("repeating or comparing a list of a length known only at run time", zg.UnsupportedError, X)
def list_of_run_time_doubled(a):
    squares = [v * v for v in a] * 2
    return squares[1]


@refused("returning a list of a length known only at run time", zg.UnsupportedError, X)
def list_of_run_time_returned(a):
    return [v * v for v in a if v > 0]


@refused("items of another kind in such a list", zg.UnsupportedError, X)
def list_of_run_time_of_all(a):
    values = [v * v for v in a]
    values.append(a)
    return values[0]


@refused("storing into an array that such a list holds", zg.UnsupportedError, X)
def stored_behind_a_list(a):
    row, rows = 2 * a, []
    for v in a:
        row[0] = v
        rows.append(row)
    return rows[0][0]


@refused("a list that grows while a loop goes through it", zg.UnsupportedError, X)
def growing_while_walked(a):
    values = [v * v for v in a]
    for v in values:
        if v > 1.0:
            values.append(v / 2)
    return values[-1]


@refused("lists of such a length that change places in a loop", zg.UnsupportedError, X)
def swapped_lists(a):
    here, there = [v for v in a], [2 * v for v in a]
    for _ in a:
        here, there = there, here
    return here[0]


@refused("a function that captures the variable of a comprehension, called later", zg.UnsupportedError, 1.0)
def late_variable_of_a_comprehension(x):
    functions = [lambda: k * x for k in range(3)]
    return functions[0]()


@refused("a generator, handed on, whose condition is known only at run time", zg.UnsupportedError, 1.0)
def filtering_comprehension(x):
    return len(tuple(k for k in (1.0, 2.0) if k < x)) * x


@refused("an assignment expression", zg.UnsupportedError, 1.0)
def walrus(x):
    if (y := x * x) > 0:
        return y
    return x


@refused("other functions of matrices: `scipy.linalg.sqrtm`, `logm`, `schur`", zg.UnsupportedError, np.ones((2, 2)))
def matrix_function(a):
    return scipy.linalg.sqrtm(a)[0, 0]


@refused("`np.linalg.qr` with all vectors", zg.UnsupportedError, np.ones((2, 2)))
def complete_factors(a):
    return np.linalg.qr(a, mode="complete")[1][0, 0]


@refused("`np.linalg.svd` with all vectors", zg.UnsupportedError, np.ones((2, 2)))
def all_singular_vectors(a):
    return np.linalg.svd(a)[1][0]


@refused("keywords for a function of numbers", zg.UnsupportedError, 1.0)
def keyword_unpacking(x):
    return math.sin(**{"x": x})


@refused("assigning to an attribute of an array", zg.UnsupportedError, X)
def attribute_assigned(a):
    a.scale = 2.0
    return a[0]


@refused("storing into a tuple", zg.UnsupportedError, 1.0)
def tuple_stored_into(x):
    items = (x, x)
    items[0] = 2.0
    return items[0]


@refused("a tuple index that is known only at run time", zg.UnsupportedError, 1.0, 1)
def tuple_index(x, n):
    t = (x, x * x)
    return t[n]


@dataclass
class Spring:
    """A dataclass that programs take."""

    stiffness: float


@dataclass(frozen=True)
class Rigid:
    """A frozen one."""

    stiffness: float


@dataclass
class Guarded:
    """One that changes what storing means."""

    stiffness: float

    def __setattr__(self, name, value):
        object.__setattr__(self, name, 2 * value)


@refused("a class that changes what reading or storing means: `__setattr__`, `__getattr__`", zg.UnsupportedError, 1.0)
def special_class(x):
    return Guarded(x).stiffness


@refused("printing a formatted string of what only run time knows", zg.UnsupportedError, 1.0)
def formatted_print(x):
    print(f"x = {x}")
    return x


@refused("a string key that is known only at run time", zg.UnsupportedError, {"w0": 1.0}, 0)
def formatted_key(d, k):
    return d[f"w{k}"]


@refused("changing an object of the caller", zg.UnsupportedError, {"a": 1.0})
def caller_object_changed(d):
    d["b"] = d["a"]
    return d["b"]


@refused("changing a field of the caller's object", zg.UnsupportedError, Spring(1.0))
def caller_field_changed(spring):
    spring.stiffness += 1.0
    return spring.stiffness


@refused("changing an object that the function captures", zg.UnsupportedError, 1.0)
def captured_dict_changed(x):
    NAMES["a"] = 2.0
    return x * NAMES["a"]


@refused("changing one of two lists of a length known only at run time, by a condition", zg.UnsupportedError, X)
def one_of_two_changed(a):
    first, second = [v * v for v in a], [2 * v for v in a]
    chosen = first if a[0] > 0 else second
    chosen[0] = 3.0
    return first[0] + second[0]


@refused("changing an object that holds arrays and has two names on one path only", zg.UnsupportedError, X)
def shared_on_one_path(a):
    if a[0] > 0:
        first = [a]
        second = first
    else:
        first, second = [a], [a * a]
    first[0] = 2.0 * a
    return second[0][1]


@refused("changing an object that holds arrays and that a loop replaces", zg.UnsupportedError, X, 3)
def replaced_object_changed(a, n):
    state = {"v": a}
    for _ in range(n):
        state["v"] = a * a
        state = {"v": state["v"] * a}
    return state["v"][0]


@refused("a list of objects with arrays that grows in a loop", zg.UnsupportedError, X, 3)
def growing_list(a, n):
    values = [{"now": a}]
    for _ in range(n):
        values.append({"now": a})
    return values[-1]["now"][0]


@refused("a member of another kind in one of several objects", zg.UnsupportedError, 1.0, 3)
def member_of_another_kind(x, n):
    state = {"v": x}
    for _ in range(n):
        state["v"] *= x
        state = {"v": state["v"] * x}
    state["v"] = np.ones(3)
    return state["v"][0] * x


@refused("changing the length of one of several lists", zg.UnsupportedError, 1.0, 3)
def longer_in_memory(x, n):
    items = [x]
    for _ in range(n):
        items[0] *= x
        items = [items[0]]
    items.append(x)
    return items[0] * items[1]


@refused("copying several objects of which only run time knows whether they are one", zg.UnsupportedError, 1.0, 3)
def several_copied(x, n):
    first = second = [x]
    for _ in range(n):
        second[0] *= x
        second = [x]
    copied = copy.deepcopy((first, second))
    return copied[0][0] + copied[1][0]


@refused("an object with other members from some trip on", zg.TypeJoinError, 1.0)
def other_members(x):
    d = {"a": x}
    for k in range(3):
        if x > k:
            d["b"] = x
    return d["a"]


@refused("changing a frozen dataclass", zg.UnsupportedError, 1.0)
def frozen_changed(x):
    spring = Rigid(x)
    spring.stiffness = 2.0
    return spring.stiffness


@refused("an attribute that is no field", zg.UnsupportedError, Spring(1.0))
def unknown_field(spring):
    return spring.length


@refused("a key that is not there", zg.OutOfBoundsError, {"a": 1.0})
def unknown_key(d):
    return d["b"]


@refused("a key that is known only at run time", zg.UnsupportedError, {0: 1.0, 1: 2.0}, 1)
def runtime_key(d, k):
    return d[k]


@refused("the identity of an object that is not known", zg.UnsupportedError, {"a": 1.0}, {"a": 2.0})
def identity(d, e):
    return d["a"] if d is e else e["a"]


@refused("other methods of lists and dicts: `sort`, `remove`, `popitem`", zg.UnsupportedError, 1.0)
def sorted_list(x):
    values = [x, 2.0]
    values.sort()
    return values[0]


@refused("an operator on a method of an array", zg.UnsupportedError, [1.0, 2.0])
def operator_on_method(x):
    return zg.grad(x.sum)()[0]


@refused("a seed or tangent of another structure", zg.ArgumentError, 1.0)
def seed_of_another_structure(x):
    return zg.vjp(lambda y: (y, y), x)[1](1.0)[0]


@refused("an inner function that remembers its values", zg.UnsupportedError, 1.0)
def decorated_inner(x):
    @functools.lru_cache(maxsize=None)
    def g(v):
        return v * x

    return g(x)


@refused("recursion without an end", zg.UnsupportedError, 1.0)
def endless_recursion(x):
    return endless_recursion(x * 2)


@refused("a function that calls itself and stores into its argument", zg.UnsupportedError, X, 2)
def recursion_in_place(a, n):
    def fill(b, k):
        if k == 0:
            return b[0]
        b[k] = b[k] * 2
        return fill(b, k - 1)

    return fill(a.copy(), n)


@refused("a function that calls itself and returns a function", zg.UnsupportedError, 1.0, 2)
def recursion_of_functions(x, n):
    def make(k):
        if k == 0:
            return lambda v: v * x
        return make(k - 1)

    return make(n)(x)


@refused("a function that calls itself with arguments of other types each time", zg.UnsupportedError, 1.0, 2)
def recursion_of_types(x, n):
    def nest(value, n):
        if n > 5:
            return 1.0
        return nest((value, value), n + 1)

    return nest(x, n)


def cubed(x, n):
    return 1.0 if n == 0 else x * cubed(x, n - 1)


@refused(
    "reverse mode over reverse mode of a function that calls itself",
    zg.UnsupportedError,
    call=lambda f: zg.grad(zg.grad(f, backend="python"), backend="python")(0.7),
)
def recursion_twice(x):
    return cubed(x, 3)


@refused("storing into what may be the argument of a function that calls itself", zg.UnsupportedError, X, 2)
def recursion_with_a_view(a, n):
    def same(b, k):
        if k == 0:
            return b
        return same(b * 2, k - 1)

    c = same(a, n)
    c[0] = 1.0
    return a[0] * c[0]


@refused("a slice whose step is 0", zg.UnsupportedError, X)
def slice_step(a):
    b = a[::0]
    return b[0]


@refused("`raise` of something that is not an exception class", zg.UnsupportedError, 1.0)
def bare_raise(x):
    if x > 0:
        raise
    return x


@refused("`print` with keywords", zg.UnsupportedError, 1.0)
def print_keywords(x):
    print(x, end="")
    return x


@refused("printing an array", zg.UnsupportedError, X)
def print_array(a):
    print(a)
    return a[0]


# -- functions --------------------------------------------------------------------------------------------------------

group("Functions")


@refused("a function of another library", zg.UnsupportedError, 1.0)
def unknown_function(x):
    return x * random.random()


@refused("a NumPy function without a rule", zg.UnsupportedError, X)
def unknown_numpy_function(a):
    return np.unwrap(a)[0]


@refused("a method without a rule", zg.UnsupportedError, X)
def unknown_method(a):
    return a.searchsorted(1.0)


@refused("a Python builtin that is not supported", zg.UnsupportedError, 1.0)
def unknown_builtin(x):
    return sorted((x, 1.0))[0]


@refused("a keyword of NumPy that has no rule", zg.UnsupportedError, X)
def unknown_keyword(a):
    b = np.zeros(3, order="F")
    b[0] = a[0]
    return b[0]


@refused("calling something that is not a function", zg.DtypeError, 1.0)
def not_a_function(x):
    return x(2)


@refused("a name that is not defined", zg.UnboundError, 1.0)
def undefined_name(x):
    return x * undefined_constant  # noqa: F821


@refused("a helper called with too many arguments", zg.ArgumentError, 1.0)
def too_many_arguments(x):
    def square(v):
        return v * v

    return square(x, x)


@refused("a helper called without an argument", zg.ArgumentError, 1.0)
def missing_argument(x):
    def product(v, w):
        return v * w

    return product(x)


@refused("a helper called with an unknown keyword", zg.ArgumentError, 1.0)
def unknown_parameter(x):
    def square(v):
        return v * v

    return square(v=x, w=x)


@refused("`is` between two numbers", zg.UnsupportedError, 1.0, True)
def identity_of_numbers(x, flag):
    return x if flag is True else 2.0 * x


@refused("`is` between two arrays", zg.UnsupportedError, X, X)
def identity_of_arrays(a, b):
    return a[0] if a is b else b[1]


@refused("a loop over `map` or a generator expression", zg.UnsupportedError, 1.0)
def loop_over_a_generator(x):
    seen = [0.0]

    def noted(v):
        seen[0] += v
        return v * v

    total = 0.0
    for v in map(noted, (x, 2.0)):
        total += v * seen[0]
    return total


@refused("`any` of a `map`", zg.UnsupportedError, 1.0)
def any_of_a_map(x):
    seen = [x]

    def noted(v):
        seen[0] += v
        return v > 0.0

    return seen[0] if any(map(noted, (x, 2.0))) else x


@refused("a name for a `map`, `reversed` or generator expression", zg.UnsupportedError, 1.0)
def named_generator(x):
    squares = (v * v for v in (x, 2.0))
    return sum(squares) + sum(squares)


@refused("an iterator in an object", zg.UnsupportedError, 1.0)
def iterator_in_an_object(x):
    pairs = {"pairs": zip((x, 2.0), (3.0, x), strict=True)}
    return sum(a * b for a, b in pairs["pairs"]) + sum(a * b for a, b in pairs["pairs"])


@refused("going through a `zip` or `enumerate` twice", zg.UnsupportedError, 1.0)
def iterator_gone_through_twice(x):
    def twice(pairs):
        return sum(a * b for a, b in pairs) + sum(a * b for a, b in pairs)

    return twice(zip((x, 2.0), (3.0, x), strict=True))


@refused("going through a `zip` or `enumerate` from outside a loop or branch", zg.UnsupportedError, 1.0)
def iterator_from_outside_a_loop(x):
    pairs = zip((x, 2.0), (3.0, x), strict=True)
    total = 0.0
    while total < 10.0:
        total += 4.0 + sum(a * b for a, b in pairs)
    return total


@refused("points of different dimensions", zg.ShapeError, 1.0)
def distance_of_unlike_points(x):
    return math.dist((x, 1.0), (0.0, 1.0, 2.0))


# -- arrays -----------------------------------------------------------------------------------------------------------

group("Whole arrays (not yet)")


@refused("cosine and sine transforms", zg.UnsupportedError, X)
def cosine_transform(a):
    return scipy.fft.dct(a)[0]


@refused("an argument, given by position or name, that zygopy does not take", zg.UnsupportedError, X)
def variance_of_a_dtype(a):
    return np.var(a, None, np.float32)


@refused("an array of floats as an index", zg.DtypeError, X)
def float_index_array(a):
    return a[np.array([0.0, 1.0])][0]


@refused("an axis that only run time knows", zg.UnsupportedError, X, 0)
def open_axis(a, axis):
    return np.sum(a, axis=axis)


@refused("shapes that do not fit", zg.ShapeError, X)
def shapes_differ(a):
    return np.sum(np.ones(2) * np.ones(3)) + a[0]


@refused("a function of `math` on an array", zg.DtypeError, X)
def math_of_array(a):
    return np.sum(math.sin(a))


@refused("storing into a broadcast view", zg.DtypeError, X)
def store_broadcast(a):
    b = np.broadcast_to(a, (2, 3))
    b[0, 0] = 1.0
    return np.sum(b)


@refused("eigenvalues of matrices that are not symmetric", zg.UnsupportedError, X)
def eigenvalues(a):
    return np.linalg.eigvals(np.diag(a))[0].real


@refused("== of lists of arrays", zg.DtypeError, X)
def arrays_in_lists(a):
    return np.sum(a) if [a, a] == [a, 2.0 * a] else 0.0


@refused("the truth value of an array", zg.DtypeError, X)
def array_truth(a):
    return a[0] if a else a[1]


@refused("unpacking an array with a star", zg.UnsupportedError, X)
def unpack_array(a):
    x, *rest = a
    return x * rest[0]


group("Checkpointed loops")


@refused("a print inside, which would be repeated", zg.UnsupportedError, 1.0)
def checkpointed_print(x):
    for t in zg.checkpointed(range(3), snapshots=2):
        x = x * x
        print("trip", t)
    return x


@refused("`break` or `return` inside", zg.UnsupportedError, 1.0)
def checkpointed_break(x):
    for _ in zg.checkpointed(range(3), snapshots=2):
        x = x * x
        if x > 2.0:
            break
    return x


@refused("an array variable that stores tell from its copy", zg.UnsupportedError, X)
def checkpointed_rebinding(a):
    b = a.copy()
    for _ in zg.checkpointed(range(2), snapshots=2):
        b[0] = b[0] * a[1]
        a = b
        b = a * 2.0
    return np.sum(a * b)


@refused("two names of which only run time knows whether they are one array", zg.UnsupportedError, X)
def checkpointed_same_array(a):
    a, b = a.copy(), a.copy()
    c = b if a[0] > 0 else a
    for _ in zg.checkpointed(range(2), snapshots=2):
        a[0] = c[1] * a[0]
        c[1] = a[0]
    return np.sum(a)


@refused("a list from outside that grows or changes in a checkpointed loop", zg.UnsupportedError, X)
def checkpointed_list(a):
    values = [a[0]]
    for v in zg.checkpointed(a, snapshots=2):
        values.append(values[-1] * v)
    return values[-1]


@refused("a tuple, whose loop is unrolled", zg.UnsupportedError, 1.0)
def checkpointed_tuple(x):
    for v in zg.checkpointed((1.0, 2.0), snapshots=2):
        x = x * v
    return x


@refused("fewer snapshots than one", zg.ArgumentError, 1.0)
def checkpointed_without_snapshots(x):
    for _ in zg.checkpointed(range(3), snapshots=0):
        x = x * x
    return x


@refused("a number of snapshots that is no integer", zg.DtypeError, 1.0)
def checkpointed_half(x):
    for _ in zg.checkpointed(range(3), snapshots=x):
        x = x * x
    return x


@zg.checkpoint
def kept_storing(a):
    a[0] = 2.0
    return np.sum(a * a)


@refused("a checkpointed function that stores into its argument", zg.UnsupportedError, X)
def checkpoint_storing(a):
    return kept_storing(a.copy())


@refused("a dict or dataclass as result of a checkpointed function", zg.UnsupportedError, 1.0)
def checkpoint_dict(x):
    return zg.checkpoint(lambda y: {"x": y * x})(x)["x"]


group("Memory")


@refused("storing into a captured array", zg.UnsupportedError, 1.0)
def captured_stored_into(x):
    CAPTURED[0] = x
    return x


def _read_only():
    a = np.ones(3)
    a.flags.writeable = False
    return a


@refused("storing into a read-only array", zg.DtypeError, call=lambda f: zg.grad(f, backend="python")(_read_only()))
def read_only(a):
    a[0] = 1.0
    return a[1]


@refused("storing into the result of stop_gradient", zg.UnsupportedError, X)
def frozen_stored_into(a):
    b = zg.stop_gradient(a)
    b[0] = 1.0
    return a[0]


@refused(
    "an argument that is stored into and shares memory with another",
    zg.OverlapError,
    call=lambda f: zg.grad(f, (0, 1), backend="python")(*(lambda a: (a[:3], a[2:]))(np.ones(5))),
)
def overlapping_arguments(a, b):
    a[0] = b[0] * 2
    return a[0] * b[1]


@refused("an index beyond the end", zg.OutOfBoundsError, X)
def index_beyond(a):
    return a[0] * a[3]


@refused("an index before the start", zg.OutOfBoundsError, X)
def index_before(a):
    return a[-4]


@refused("an index that a loop takes too far", zg.OutOfBoundsError, X)
def index_in_loop(a):
    s = 0.0
    for i in range(len(a)):
        s += a[i] * a[i + 1]
    return s


@refused("an index that data takes too far", zg.OutOfBoundsError, X, 7)
def index_from_data(a, n):
    s, k = 0.0, 0
    while k < n:
        s += a[k]
        k += 1
    return s


@refused("a store out of bounds", zg.OutOfBoundsError, X)
def store_beyond(a):
    u = np.zeros(2)
    for i in range(len(a)):
        u[i] = a[i]
    return u[0]


@refused("too many indices", zg.OutOfBoundsError, X)
def too_many_indices(a):
    return a[0, 1]


@refused("a tuple index out of range", zg.OutOfBoundsError, 1.0)
def tuple_index_beyond(x):
    t = (x, x)
    return t[2]


@refused("an index that is not an int", zg.DtypeError, X)
def float_index(a):
    return a[a[0]]


@refused("an array of integers that is updated with floats", zg.DtypeError, X)
def integers_updated(a):
    counts = np.arange(3)
    counts += a
    return a[0] * counts[1]


@refused("a transposition that names an axis twice", zg.ShapeError, np.ones((2, 3)))
def axis_twice(a):
    return np.sum(np.transpose(a, (0, 0)))


@refused("a shape with two lengths left open", zg.ShapeError, X)
def two_open(a):
    return np.sum(a.reshape(-1, -1))


@refused("a transform along no axis", zg.UnsupportedError, np.ones((2, 3)))
def no_axis(a):
    return np.sum(np.fft.fftn(a, axes=()).real)


@refused("a slice bound that is not an int", zg.DtypeError, X)
def float_slice(a):
    return a[0.5:][0]


@refused("slices of different lengths", zg.ShapeError, X)
def slices_differ(a):
    u = np.zeros(3)
    u[:] = a[1:]
    return u[0]


@refused("storing an array with more dimensions", zg.ShapeError, X)
def ranks_differ(a):
    m = np.zeros((2, 3))
    u = np.zeros(3)
    u[:] = m
    return a[0] * u[0]


@refused("a shape that is not made of ints", zg.DtypeError, 1.0)
def float_shape(x):
    u = np.zeros(2.0)
    return x * u[0]


@refused("a negative length", zg.ShapeError, 1.0, -1)
def negative_length(x, n):
    u = np.zeros(n)
    return x + len(u)


@refused("storing an array into an element", zg.DtypeError, X)
def array_into_element(a):
    a[0] = a
    return a[0]


# -- types ------------------------------------------------------------------------------------------------------------

group("Types")


@refused("a variable that is a number on one path and a tuple on another", zg.TypeJoinError, 1.0)
def number_or_tuple(x):
    y = x
    if x > 0:
        y = (x, x)
    return y


@refused("an argument that is a number on one path and an array on another", zg.TypeJoinError, 1.0, X)
def number_or_array(x, a):
    return np.sum(a if x > 0 else x)


@refused("computing with a variable on a path on which it is None", zg.DtypeError, -1.0)
def number_or_none(x):
    y = None
    if x > 0:
        y = x * x
    return y * 2


@refused("arrays of two dtypes on two paths that meet in a loop", zg.TypeJoinError, 1.0)
def two_dtypes(x):
    u = np.zeros(2)
    for k in range(3):
        if x > k:
            u = np.zeros(2, np.float32)
    return x * u[0]


@refused("returns of different types", zg.TypeJoinError, 1.0)
def two_returns(x):
    if x > 0:
        return x
    return x, x


@refused("a function that returns nothing on some path", zg.TypeJoinError, 1.0)
def return_or_nothing(x):
    if x > 0:
        return x * x


@refused("a loop variable that changes its type", zg.TypeJoinError, 1.0)
def type_changes_in_loop(x):
    y = x
    for _ in range(3):
        y = (y, x)
    return x


@refused("an array variable whose size changes in a loop", zg.UnsupportedError, X)
def shape_changes_in_loop(a):
    u = a
    for k in range(3):
        u = np.zeros(k + 1)
    return u[0]


@refused("a variable that is bound on another path only", zg.UnboundError, -1.0)
def unbound_on_a_path(x):
    if x > 0:
        y = x
    return y


@refused("a variable that is read before it is bound", zg.UnboundError, 1.0)
def read_before_bound(x):
    z = y * x  # noqa: F821, F841
    y = x
    return z + y


@refused("a variable bound in a loop that does not run", zg.UnboundError, 1.0, 0)
def unbound_after_loop(x, n):
    for _ in range(n):
        y = x * x
    return y


@refused("an array in another shape that may be a view, beside a store", zg.UnsupportedError, np.ones((4, 2)))
def reshaped_view(m):
    column = m[:, 0].reshape(2, 2)
    m[0, 0] = 1.0
    return column[0, 0]


@refused("a diagonal or einsum that is a view in NumPy, beside a store", zg.UnsupportedError, np.ones((2, 2)))
def diagonal_view(m):
    diagonal = np.diag(m)
    m[0, 0] = 1.0
    return diagonal[0]


@refused("an integer array to differentiate", zg.DtypeError, [1, 2, 3])
def integer_array(a):
    return a[0] * 2.0


@refused("a string to differentiate", zg.DtypeError, "text")
def string_argument(x):
    return 1.0


@refused("None to differentiate", zg.DtypeError, None)
def none_argument(x):
    return 1.0


@refused("a float16 array", zg.DtypeError, np.zeros(3, np.float16))
def half_array(a):
    return a[0]


@refused("a masked array", zg.DtypeError, np.ma.array([1.0, 2.0], mask=[False, True]))
def masked_array(a):
    return a[0]


@refused("an np.matrix", zg.DtypeError, np.ones((1, 2)).view(np.matrix))
def matrix_of_numpy(a):
    return a[0, 0]


@refused("an object array", zg.DtypeError, np.array([1.0, None]))
def object_array(a):
    return a[0]


@refused("an array of strings", zg.DtypeError, WORDS)
def string_array(a):
    return 1.0


@refused("a zero-dimensional array", zg.DtypeError, np.array(1.0))
def zero_dimensional(a):
    return a * 2.0


@refused("a dict whose keys are no strings or ints", zg.DtypeError, {1.5: 1.0})
def dict_argument(d):
    return d[1.5]


@refused("an object without a number in it", zg.DtypeError, {"name": "a"})
def dict_without_numbers(d):
    return 1.0


@refused("an object with an array of integers", zg.DtypeError, {"w": [np.arange(3)]})
def dict_of_integers(d):
    return 1.0 * d["w"][0][0]


@refused("an object with a member of another type", zg.DtypeError, {"w": [1.0, {2.0}]})
def dict_of_sets(d):
    return d["w"][0]


@dataclass
class Padded:
    w: float
    widths: list = field(metadata={"static": True})


@refused("a static field whose value can change", zg.DtypeError, Padded(1.0, [1, 2]))
def static_list(p):
    return p.w * p.widths[0]


@refused("an array of clongdouble", zg.DtypeError, np.zeros(3, np.clongdouble))
def long_complex_array(a):
    return a[0].real


@refused("a complex number as the result of a gradient", zg.OutputError, 1.0)
def complex_result(x):
    return x * 1j


@refused("an order of complex numbers", zg.DtypeError, 1.0 + 2.0j)
def complex_order(z):
    return 1.0 if z < 2.0 else 0.0


@refused("the maximum of complex numbers", zg.DtypeError, np.zeros(3, complex))
def complex_maximum(z):
    return np.max(z).real


@refused("sorting complex numbers", zg.DtypeError, np.zeros(3, complex))
def complex_sort(z):
    return np.sort(z)[0].real


@refused("float() of a complex number", zg.DtypeError, 1.0 + 2.0j)
def complex_to_float(z):
    return float(z)


@refused("a complex number stored into a real array", zg.DtypeError, 1.0 + 2.0j)
def complex_into_real_array(z):
    a = np.zeros(2)
    a[0] = z
    return a[0]


@refused("a complex array as a real one", zg.DtypeError, np.zeros(3, complex))
def complex_astype_float(z):
    return z.astype(float)[0]


@refused("storing into the real part of an array", zg.UnsupportedError, np.zeros(3, complex))
def complex_store_real(z):
    z.real[0] = 1.0
    return z[0].real


@refused("a function that is only of real numbers", zg.DtypeError, 1.0 + 2.0j)
def complex_arcsin(z):
    return np.arcsin(z).real


@refused("a function of math", zg.DtypeError, 1.0 + 2.0j)
def complex_math(z):
    return math.exp(z).real


@refused("a factorisation of complex matrices", zg.DtypeError, np.eye(2, dtype=complex))
def complex_cholesky(a):
    return np.linalg.cholesky(a)[0, 0].real


@refused("eigenvalues and singular values of complex matrices", zg.DtypeError, np.eye(2, dtype=complex))
def complex_eigenvalues(a):
    return np.linalg.eigvalsh(a)[0]


@refused("the transform of complex numbers as that of real ones", zg.DtypeError, np.zeros(3, complex))
def fourier_transform(z):
    return np.fft.rfft(z)[0].real


@refused("arithmetic with a string", zg.DtypeError, 1.0)
def string_arithmetic(x):
    return x + "1"


@refused("iterating a number", zg.DtypeError, 1.0)
def iterate_number(x):
    s = 0.0
    for v in x:
        s += v
    return s


@refused("a float as the length of a range", zg.DtypeError, 3.0)
def float_range(x):
    s = 0.0
    for i in range(x):
        s += i
    return s


@refused("unpacking a tuple into another number of names", zg.DtypeError, 1.0)
def unpack_mismatch(x):
    a, b = (x, x, x)
    return a + b


# -- the operators ----------------------------------------------------------------------------------------------------

group("Operators")


@refused("an array as the result", zg.OutputError, X)
def returns_array(a):
    return a


@refused("a tuple as the result", zg.OutputError, 1.0)
def returns_tuple(x):
    return x, x * x


@refused("an int as the result", zg.OutputError, 1.0)
def returns_int(x):
    return int(x)


@refused("nothing as the result", zg.OutputError, 1.0)
def returns_nothing(x):
    x * x  # noqa: B018


@refused("`has_aux` without a pair as the result", zg.OutputError, 1.0, has_aux=True)
def aux_missing(x):
    return x * x


@refused("`argnums` beyond the parameters", zg.ArgumentError, 1.0, argnums=2)
def argnums_beyond(x, y=1.0):
    return x * y


@refused("`argnums` with an unknown name", zg.ArgumentError, 1.0, argnums="z")
def argnums_unknown(x, y=1.0):
    return x * y


@refused("`argnums` with a parameter twice", zg.ArgumentError, 1.0, argnums=(0, "x"))
def argnums_twice(x, y=1.0):
    return x * y


@refused("`argnums` empty", zg.ArgumentError, 1.0, argnums=())
def argnums_empty(x, y=1.0):
    return x * y


@refused("`argnums` that is no number or name", zg.ArgumentError, 1.0, argnums=0.5)
def argnums_float(x, y=1.0):
    return x * y


@refused("something that is not a function", zg.ArgumentError, call=lambda f: zg.grad(3.0, backend="python"))
def differentiate_number():
    pass


@refused("a function without Python source", zg.ArgumentError, call=lambda f: zg.grad(math.sin, backend="python")(1.0))
def builtin_function():
    pass


def _executed(_):
    namespace = {}
    exec("def made(x):\n    return x * x\n", namespace)
    return zg.grad(namespace["made"], backend="python")(1.0)


@refused("a function made by `exec`", zg.SourceError, call=_executed)
def no_source():
    pass


@refused("an unknown backend", zg.ArgumentError, call=lambda f: zg.grad(f, backend="gpu"))
def unknown_backend(x):
    return x


@refused(
    "tangents of another number than the arguments",
    zg.ArgumentError,
    call=lambda f: zg.jvp(f, (1.0, 2.0), (1.0,), backend="python"),
)
def tangents_missing(x, y):
    return x * y


@refused(
    "the Jacobian of a function that stores into its argument",
    zg.UnsupportedError,
    call=lambda f: zg.jacrev(f, backend="python")(np.ones(3)),
)
def jacobian_of_stores(a):
    a[0] = 2.0 * a[1]
    return a * a


@refused("a Jacobian with respect to an integer", zg.DtypeError, call=lambda f: zg.jacfwd(f, backend="python")(3))
def jacobian_of_an_integer(n):
    return n * 0.5


@refused("the Jacobian of an integer", zg.OutputError, call=lambda f: zg.jacrev(f, backend="python")(np.ones(3)))
def jacobian_returns_an_integer(a):
    return a, len(a)


@refused(
    "a tangent of another shape than its argument",
    zg.ShapeError,
    call=lambda f: zg.jvp(f, (np.ones(3),), (np.ones(2),), backend="python"),
)
def tangent_of_another_shape(a):
    return a[0] * a[1]


# -- rules ------------------------------------------------------------------------------------------------------------

group("Rules")


def ruled(rule, form="elementwise", operator=zg.grad):
    """Declare a rule for a new function, and differentiate that one."""

    def call(function):
        made = types.FunctionType(function.__code__, globals(), function.__name__, function.__defaults__)
        getattr(zg, form)(made)(rule)
        return operator(lambda a: np.sum(made(a)), backend="python")(np.array(X))

    return call


def _jvp_of(function, backend):
    return lambda a: zg.jvp(function, (a,), (a,), backend=backend)


def _partial(ans, x):
    return 1.0


@refused(
    "a rule for a function that zygopy has one for",
    zg.ArgumentError,
    call=lambda f: zg.elementwise(np.tanh)(_partial),
)
def ruled_already(x):
    return x


@refused(
    "a rule for a function without Python source",
    zg.ArgumentError,
    call=lambda f: zg.elementwise(np.histogram)(_partial),
)
def ruled_without_source(x):
    return x


@refused(
    "a rule for what zygopy has made",
    zg.ArgumentError,
    call=lambda f: zg.elementwise(zg.grad(f))(_partial),
)
def ruled_when_made(x):
    return x


@refused("a rule with other parameters", zg.ArgumentError, call=ruled(_partial))
def ruled_with_two_parameters(x, y):
    return x * y


def _declare_twice(function):
    zg.elementwise(function)(_partial)
    zg.constant(function)


@refused("two rules for one function", zg.ArgumentError, call=_declare_twice)
def ruled_twice(x):
    return x


def _declare_late(function):
    zg.jit(function, backend="python")(1.0)
    zg.elementwise(function)(_partial)


@refused("a rule for a function that was compiled before", zg.ArgumentError, call=_declare_late)
def ruled_late(x):
    return x


def _two_partials(ans, x):
    return 1.0, 2.0


@refused("a rule that returns too much", zg.ArgumentError, call=ruled(_two_partials))
def ruled_by_two(x):
    return x


def _captures(ans, x):
    return WEIGHTS[0] * x


WEIGHTS = np.ones(2)


@refused("an array that a rule captures", zg.UnsupportedError, call=ruled(_captures))
def ruled_by_captured(x):
    return x * x


@refused("an elementwise rule for a function of another shape", zg.ShapeError, call=ruled(_partial))
def ruled_sum(x):
    return np.sum(x)


def _adjoint(g, ans, x):
    return g


@refused("forward mode without a tangent", zg.UnsupportedError, call=ruled(_adjoint, "adjoint", _jvp_of))
def ruled_backwards_only(x):
    return x * x


def _tangent(dots, ans, x):
    return dots[0]


@refused("reverse mode without an adjoint", zg.UnsupportedError, call=ruled(_tangent, "tangent"))
def ruled_forwards_only(x):
    return x * x


def _of_another_rank(g, ans, x):
    return np.sum(g)


@refused("an adjoint of another rank", zg.ShapeError, call=ruled(_of_another_rank, "adjoint"))
def ruled_by_another_rank(x):
    return x * x


def _of_another_length(g, ans, x):
    return np.append(g, 0.0)


@refused("an adjoint of another length", zg.ShapeError, call=ruled(_of_another_length, "adjoint"))
def ruled_by_another_length(x):
    return x * x


def _of_another_shape(dots, ans, x):
    return np.outer(x, dots[0])


@refused("a tangent of another shape", zg.ShapeError, call=ruled(_of_another_shape, "tangent", _jvp_of))
def ruled_by_another_shape(x):
    return x * x


def _stores(g, ans, x):
    g[0] = 0.0
    return g


@refused("a rule that stores into what it is given", zg.DtypeError, call=ruled(_stores, "adjoint"))
def ruled_by_stores(x):
    return x * x


def _no_pair(g, ans, x, y):
    return g[0], 1.0, 2.0


@refused("a rule that returns too many adjoints", zg.ArgumentError, call=ruled(_no_pair, "adjoint"))
def ruled_by_three(x, y=1.0):
    return x * y


@refused("storing into the argument of a function with a rule", zg.UnsupportedError, call=ruled(_partial))
def ruled_store(x):
    x[0] = 1.0
    return x * x


# -- on a GPU ---------------------------------------------------------------------------------------------------------

group('On a GPU (`backend="cuda"`)')


def _for_gpu(*args):
    return lambda f: zg.grad(f).source(*(np.array(a) if isinstance(a, list) else a for a in args), target="cuda")


@refused("a branch on what is in arrays, around a loop", zg.UnsupportedError, call=_for_gpu(X))
def branch_around_a_loop(x):
    if np.sum(x) > 1.0:
        x = x * 2.0
    return np.sum(x)


@refused("a loop over as many trips as an array says", zg.UnsupportedError, call=_for_gpu(X, [2, 1]))
def trips_in_an_array(x, counts):
    for _ in range(counts[0]):
        x = np.sin(x)
    return np.sum(x)


@refused("a loop over whole arrays until their numbers are small", zg.UnsupportedError, call=_for_gpu(X))
def while_on_a_gpu(x):
    while np.sum(x) > 0.1:
        x = 0.5 * x
    return x[0]


@refused("functions that call themselves", zg.UnsupportedError, call=_for_gpu(X, 3))
def recursion_on_a_gpu(x, n):
    return x[n] if n == 0 else np.sin(recursion_on_a_gpu(x, n - 1)) * x[n]


@refused("Fourier transforms", zg.UnsupportedError, call=_for_gpu(X))
def fourier_on_a_gpu(x):
    return np.sum(np.abs(np.fft.rfft(x)) ** 2)


@refused("functions of integers, such as `math.comb`", zg.UnsupportedError, call=_for_gpu(X))
def integers_on_a_gpu(x):
    total = 0.0
    for k in range(len(x)):
        total += x[k] * math.comb(k, 2)
    return total


@refused("printing numbers of the GPU", zg.UnsupportedError, call=_for_gpu(X))
def printed_on_a_gpu(x):
    total = np.sum(x)
    print(total)
    return total


@refused("complex numbers", zg.UnsupportedError, call=_for_gpu(X))
def complex_on_a_gpu(x):
    z = x * np.exp(1j * x)
    return np.sum(z.real)


@refused("`vjp` and `linearize`", zg.ArgumentError, call=lambda f: zg.vjp(f, np.ones(2), backend="cuda"))
def vjp_on_a_gpu(x):
    return x * x


# -- messages and the page --------------------------------------------------------------------------------------------


def message_of(refusal: Refusal) -> str:
    """The message that a refusal gives, places taken out."""
    try:
        refusal.call()
    except zg.ZygopyError as error:
        return normalised(str(error))
    except Exception as error:  # to be seen in the golden file, where it does not belong
        return f"NOT A ZYGOPY ERROR: {type(error).__name__}: {error}"
    return "NOT REFUSED"


def normalised(message: str) -> str:
    """A message without the parts that depend on where the tests lie."""
    message = re.sub(r"-->\s.*?([^/\\\s]+\.py):\d+", r"--> \1:N", message)
    message = re.sub(r"^ +\d+ \|", "  N |", message, flags=re.MULTILINE)
    message = re.sub(r"declared at \S*?([^/\\\s]+\.py):\d+", r"declared at \1:N", message)
    message = re.sub(r"0x[0-9a-f]+", "0x...", message)
    return re.sub(r"^ +\| ", "    | ", message, flags=re.MULTILINE).replace(f"{ROOT}{os.sep}", "")


def messages_text() -> str:
    """All messages, as they stand in the golden file."""
    blocks = [f"== {r.name}: {r.error.__name__}\n{message_of(r)}\n" for r in REFUSED.values()]
    return "\n".join(blocks)


def page_text() -> str:
    """docs/refused.md"""
    lines = [
        "# What zygopy refuses",
        "",
        "Nothing wrong is silent: what is not supported is an error that names the line. Every row is a test;",
        "the page is written by `python -m tests.refused`.",
    ]
    title = None
    for r in REFUSED.values():
        if r.group != title:
            title = r.group
            lines += ["", f"## {title}", "", "| what | error | message | what to do |", "| --- | --- | --- | --- |"]
        message = message_of(r).replace("|", "\\|").splitlines()
        help = next((line.removeprefix("help:").strip() for line in message if line.startswith("help:")), "")
        lines.append(f"| {r.what} | `{r.error.__name__}` | {message[0]} | {help} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    MESSAGES.parent.mkdir(exist_ok=True)
    MESSAGES.write_text(messages_text())
    PAGE.write_text(page_text())


if __name__ == "__main__":
    import tests.refused

    tests.refused.main()
