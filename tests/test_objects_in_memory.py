"""Objects that change where only run time knows which one a name stands for: replaced by loops, chosen, in lists.

The oracle is the function itself, run by CPython, with central differences in each number of its arguments; errors
below 1e-6 of the largest derivative pass. Each program is run where its loops have several trips, one and none: then
other names stand for one object.
"""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import zygopy as zg
from tests.structure_oracle import differences, flat

VALUES = {"four": [0.5, -1.0, 2.0, -0.3], "two": [0.7, 0.9], "one": [0.9], "none": []}


@dataclass
class P:
    x: float
    v: float = 1.0
    name: str = "p"

    def move(self, dt):
        self.x += self.v * dt
        self.v *= 0.9


@dataclass
class Tree:
    left: P
    right: P
    w: list


class Tagged(NamedTuple):
    p: P
    k: float


def replaced(x, v):
    tree = Tree(P(x), P(1.0), [x, 1.0])
    first = tree
    for u in v:
        if u > 0.0:
            tree = Tree(P(u * x), tree.left, [2.0 * x, x])
        tree.left.x += x * u
        tree.w[0] *= u
    tree.right.x += 1.0
    first.left.x *= tree.left.x
    return tree.left.x * first.left.x + tree.w[0] * first.w[0] + tree.right.x


def chosen_list_cleared(x, v):
    p = Tree(P(x), P(x), [x * x, 0.5])
    w = [2.0 * p.left.x, x]
    trees = [p]
    for _ in v:
        trees.append(p)
    if p.w[1] > 0.0:
        p = Tree(P(0.5), P(0.5), w)
    else:
        w = p.w
    w[0] = 0.5
    return p.w[0] + sum(q.w[0] for q in trees)


def swapped(x, v):
    a, b = P(x, 1.0), P(2.0 * x, 3.0)
    c = a
    for u in v:
        a, b = b, a
        a.x += u * x
        if a is c:
            c.v *= x
    return a.x * b.x + c.v * c.x


def chosen(x, v):
    a, b, total = P(x, 1.0), P(2.0 * x, 3.0), 0.0
    for u in v:
        p = b
        if u > 0.0:
            p = a if u > 0.8 else P(u, x)
        p.x += x * u
        total += p.x * p.v
    return total + a.x * b.x


def chosen_and_replaced(x, v):
    a, b = P(x), P(2 * x)
    c = a if x > 0.5 else b
    d = c
    for u in v:
        c.x += u
        if u > 0:
            c = P(u * x)
    a.x *= 3.0
    return a.x * b.x + c.x + d.x * 2


def in_a_tuple(x, v):
    p, q = P(x), P(2 * x)
    both, tagged = (p, q), Tagged(p, 1.0)
    for u in v:
        p = q if u > 0 else P(u * x)
        tagged = Tagged(P(u) if u > 0.6 else p, tagged.k + u)
        p.x += x
        tagged.p.x += u * x
        both[0].x *= u
    return both[0].x + both[1].x * p.x + tagged.p.x * tagged.k


def shared_members(x, v):
    p = P(x)
    tree = Tree(p, p, [x, 2.0])
    for u in v:
        if u > 0.6:
            tree = Tree(tree.right, P(u * x), tree.w)
        tree.left.x += u
        tree.right.x *= x
        tree.w[0] += u * x
    tree.left = tree.right
    tree.left.v *= x
    return p.x + tree.left.x * tree.right.v + tree.w[0] * tree.w[1]


def helper(p, u):
    p.x += u
    p = P(p.x * u)
    p.x += 1.0
    return p


def through_a_helper(x, v):
    p = P(x)
    q, k = p, 0
    while k < len(v) and helper(p, 0.5).x < 5.0:
        p = helper(p, v[k])
        k += 1
    return p.x + q.x * x


def with_early_ends(x, v):
    p = P(x)
    q = p
    for u in v:
        p.x += u
        if u > 1.5:
            p = P(u * x)
            break
        if u < 0:
            continue
        p = P(p.x * x)
        p.v *= u
    return p.x * p.v + q.x


def compared(x, v):
    a = P(x)
    b, total = a, 0.0
    for u in v:
        if u > 0.6:
            b = P(u * x)
        b.x += x
        total += x if a is b else 2.0 * x
    return total * b.x


def power(p, k):
    return p.x if k <= 0 else p.x * power(P(p.x * 0.5), k - 1)


def captured(x, v):
    p, total = P(x), 0.0
    for u in v:
        total += power(p, 2)
        if u > 0:
            p = P(u * x)
        p.x *= x
        total += zg.checkpoint(lambda z, p=p: z * p.x)(u)
    return total


def behind_and(x, v):
    p, total = P(x), 1.0
    for u in v:
        if u > 0.0 and helper(p, u).x > 1.0:
            total += p.x
        total += x if u > 0.8 or helper(p, x).x > 2.0 else 1.0
    return total * p.x


def particles(x, v):
    ps = []
    for u in v:
        ps.append(P(u * x, x))
        if u > 0.8:
            ps.append(ps[0])
    for p in ps:
        p.move(0.5)
    best = P(0.0)
    for p in ps:
        if p.x > best.x:
            best = p
    best.v *= x
    return sum(p.x * p.v for p in ps) + len(ps) * x


def rows_and_dicts(x, v):
    rows, dicts = [[x, 1.0]], [{"w": x, "l": [x, 2.0]}]
    for u in v:
        rows.append([u * x, x])
        if u > 0.0:
            dicts.append({"w": u * dicts[-1]["w"], "l": dicts[0]["l"]})
        dicts[-1]["w"] += x
    rows[0] = rows[-1]
    rows[0][1] *= 3.0
    dicts[-1]["l"][0] *= x
    last = dicts.pop()
    return sum(a * b for a, b in rows) + len(dicts) * last["w"] * last["l"][0]


def edited(x, v):
    ps = [P(x, 1.0)]
    for u in v:
        ps.insert(0, P(u * x, x))
    ps.insert(1, ps[0])
    ps[0].x += 1.0
    ps.reverse()
    ps[0].x *= 2.0
    rest = [p for p in ps[1:] if p.x > -5.0]
    rest[0].x *= x
    return sum(p.x * p.v * (k + 1) for k, p in enumerate(ps)) + rest[0].x


PROGRAMS = {
    f.__name__: f
    for f in (
        replaced,
        swapped,
        chosen_list_cleared,
        chosen,
        chosen_and_replaced,
        in_a_tuple,
        shared_members,
        through_a_helper,
        with_early_ends,
        compared,
        captured,
        behind_and,
        particles,
        rows_and_dicts,
        edited,
    )
}
CPU = [("replaced", "four"), ("shared_members", "two"), ("rows_and_dicts", "four"), ("particles", "four")]
CASES = [(name, which, "python") for name in PROGRAMS for which in VALUES]
CASES += [(name, which, "cpu") for name, which in CPU]


@pytest.mark.parametrize(("name", "which", "backend"), CASES)
def test_derivatives(name, which, backend):
    function, args = PROGRAMS[name], (0.7, np.array(VALUES[which]))
    wanted = differences(function, args)
    bound = 1e-6 * max(1.0, np.abs(wanted).max())
    value, gradient = zg.value_and_grad(function, (0, 1), backend=backend)(*args)
    np.testing.assert_allclose(value, function(*args), rtol=1e-12)
    np.testing.assert_allclose(flat(gradient), wanted, atol=bound)
    way = np.cos(np.arange(len(wanted)))
    value, slope = zg.jvp(function, args, (way[0], way[1:]), backend=backend)
    np.testing.assert_allclose(value, function(*args), rtol=1e-12)
    np.testing.assert_allclose(slope, wanted @ way, atol=bound * len(wanted))


def test_object_changed_in_later_tests_of_a_loop():
    """What is known of the first test is not known of the others; never a change that is forgotten."""

    def changed(x, v):
        p, k = P(x), 0
        while (helper(p, 0.5).x if k > 0 else x) < 3.0 and k < len(v):
            k += 1
        return p.x

    with pytest.raises(
        zg.UnsupportedError, match="changing an object or array in the test of a while loop is not supported"
    ):
        zg.grad(changed, backend="python")(0.7, np.array([0.5, 1.0]))


def in_two_places(x, k):
    if k > 0:
        a, b = in_two_places(x * 0.9, k - 1)
        x = a.x * b.x + x
    p = P(x)
    return p, p


def perhaps_in_two_places(x, k):
    if k > 0:
        a, b = perhaps_in_two_places(x * 0.9, k - 1)
        x = a.x * b.x + x
    p = q = P(x)
    for j in range(k):
        if j > 1:
            q = P(x * j)
        q.x += x
    return p, q


@pytest.mark.parametrize("function", [in_two_places, perhaps_in_two_places])
def test_one_object_as_two_results(function):
    """What a function that calls itself returns would be two objects to its caller; never a change that one misses."""

    def changed(x):
        a, b = function(x, 2)
        a.x += 1.0
        return a.x * b.x

    with pytest.raises(zg.UnsupportedError, match="returns one object twice, or two that may be one"):
        zg.grad(changed, backend="python")(0.7)


def array_twice(x, k):
    if k > 0:
        a, b = array_twice(x * 0.9, k - 1)
        x = a[0] * b[0] + x
    p = np.array([x, 1.0])
    return p, p[:1]


def test_one_array_as_two_results():
    """The same of arrays, which are refused only where it matters."""

    def read(x):
        a, b = array_twice(x, 2)
        return a[0] * b[0]

    def changed(x):
        a, b = array_twice(x, 2)
        a[0] += 1.0
        return a[0] * b[0]

    np.testing.assert_allclose(zg.grad(read, backend="python")(0.7), differences(read, (0.7,))[0], rtol=1e-6)
    with pytest.raises(zg.UnsupportedError, match="may be a view or a copy, and which of them matters here"):
        zg.grad(changed, backend="python")(0.7)


def test_copies_of_one_object():
    """Whether two names stand for one object, which would be copied once, is not known; never two copies."""

    def copied(x, v):
        p = P(x)
        q = p
        for u in v:
            if u > 0.6:
                q = P(u * x)
            q.x += x
        pair = copy.deepcopy([p, q])
        pair[0].x += 1.0
        return pair[1].x

    with pytest.raises(zg.UnsupportedError, match="a deepcopy of several P objects here is not supported"):
        zg.grad(copied, backend="python")(0.7, np.array([0.5]))


def test_only_what_needs_it_is_in_memory():
    """Programs that read what a loop replaces, and change it no more, keep numbers in variables."""

    def read(x, v):
        p = P(x)
        for u in v:
            p = P(u * p.x)
        return p.x

    assert "room" not in zg.grad(read, backend="python").source(0.7, np.array([0.5]))
