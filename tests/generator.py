"""Random programs: functions that are valid, defined and bounded by construction, and use every construct.

Every float variable and every array element stays within +-BOUND: an expression knows a bound of its value, and is
squashed before it is stored where that bound is exceeded. Every index is in range and every name is bound where it is
read. So a program's derivative exists up to ties, and rounding does not grow beyond what a check for conditioning sees.
"""

import ast
import random

from tests.writing.arrays import Arrays
from tests.writing.base import MIN_DEPTH, Arr, RandomProgram
from tests.writing.functions import Functions
from tests.writing.loops import Loops
from tests.writing.scalars import Scalars

MIN_STATEMENTS = 15

PRELUDE = """\
import math
import operator
from functools import partial
from math import tanh

import numba
import numpy as np

SCALE = 0.75
COUNT = 3
TABLE = np.array([0.4, -0.9, 1.3, 0.2])
PAIR = (0.5, 1.25)


def damp(x, k=0.5):
    return math.sin(x) * k


def mixed(x, *, weight, power=2):
    return weight * math.tanh(x) ** power


def polar(x, y):
    return math.hypot(x, y) / 4, math.atan2(y, 3 + abs(x))


def mean_of(*items):
    s = 0.0
    for v in items:
        s += v
    return s / len(items)


def moved(a, k, v):
    a[k] = a[k] * 0.5 + v
    return a[k]


def first_above(a, limit):
    for v in a:
        if v > limit:
            return v
    return limit


def put(a, i, v):
    a[i] = v
    a[i - 1] = 0.5 * (a[i - 1] + v)


def tail(a):
    return a[1:]


def apply(f, x, times=2):
    for _ in range(times):
        x = f(x)
    return x


@numba.njit
def compiled(x, y):
    s = 0.5
    for k in range(3):
        if x > y:
            s = s * 0.5 + math.sin(x) * 0.25
        else:
            s = s * y * 0.125 + k * 0.25
    return s
"""


def generate(seed: int, compiled: bool = False) -> RandomProgram:
    """The program of a seed; `compiled` leaves out what a compiled run cannot show (prints)."""
    for attempt in range(50):
        writer = _Writer(random.Random(f"{seed}/{attempt}"), f"f{seed}", compiled)
        found = writer.program()
        if writer.statements >= MIN_STATEMENTS and writer.deepest >= MIN_DEPTH:
            return found
    raise AssertionError(f"no program for seed {seed}")


class _Writer(Scalars, Loops, Arrays, Functions):
    """Writes one function, statement by statement, knowing what is bound and how often it runs."""

    def program(self) -> RandomProgram:
        dtype = "np.float32" if self.single else "float"
        if self.single:
            self.use("float32")
        params, values = [], []
        for k in range(self.rng.randint(1, 3)):
            params.append(f"x{k}")
            values.append(str(round(self.rng.uniform(-1.5, 1.5), 3)))
            self.env.floats.append(f"x{k}")
        ranks = self.rng.choices((1, 2, 3, 4), (10, 6, 2, 2), k=self.rng.randint(1, 3))
        for k, rank in enumerate(ranks):
            shape = tuple(self.rng.randint(3, 6 if rank < 3 else 3) for _ in range(rank))
            if rank > 2:
                shape = tuple(self.rng.randint(2, 3 if rank == 3 else 2) for _ in shape)
            params.append(name := "abc"[k])
            seed = self.rng.randrange(10**6)
            values.append(f"np.random.default_rng({seed}).uniform(-1.5, 1.5, {shape}).astype({dtype})")
            self.env.arrays[name] = Arr(shape, f"{name}{shape}")
        argnums = list(range(len(params)))
        if self.chance(0.2):
            self.use("tuple_argument")
            argnums.append(len(params))
            params.append("p")
            values.append(f"({self.rng.uniform(-1, 1):.3f}, {self.rng.uniform(-1, 1):.3f})")
            self.env.tuples["p"] = 2
            self.env.fixed.add("p")
        if self.chance(0.4):
            self.use("int_argument")
            params.append("n")
            values.append(str(n := self.rng.randint(2, 4)))
            self.env.ints["n"] = (n, n)
            self.env.fixed.add("n")
        if self.chance(0.2):
            self.use("default_parameter")
            params.append("scale=0.5")
            self.env.floats.append("scale")
        self.indent = 1
        self.body()
        text = f"def {self.name}({', '.join(params)}):\n" + "\n".join(self.lines)
        source = ast.unparse(ast.parse(text)) + f"\n\n\ndef {self.name}_args():\n    return ({', '.join(values)},)\n"
        kept = tuple(n for n in argnums if n == 0 or self.chance(0.85))
        return RandomProgram(self.name, source, self.counts, kept, self.single)

    def body(self) -> None:
        for _ in range(self.rng.randint(2, 4)):
            self.assign()
        for _ in range(self.rng.randint(5, 8)):
            self.statement()
        if self.deepest < MIN_DEPTH:
            self.nest()
        if self.env.arrays and self.chance(0.6):
            self.sum_up()
        names = self.rng.sample(self.env.floats, min(3, len(self.env.floats)))
        terms = [f"{v} * {round(self.rng.uniform(0.5, 2), 2)}" for v in names]
        terms += [self.element(a) for a in self.env.arrays if self.chance(0.7)]
        self.line(f"return {' + '.join(terms)}")
        if self.chance(0.05):
            self.use("code_after_return")
            self.line(f"return {self.expression()}")

    def sum_up(self) -> None:
        """Let every element of an array reach the result."""
        name = self.pick(self.env.arrays)
        rank = len(self.env.arrays[name].shape)
        total = self.fresh("s")
        self.line(f"{total} = 0.5")
        item = name
        for level in range(rank):
            inner = f"e{level}"
            self.line("    " * level + f"for {inner} in {item}:")
            item = inner
        self.line("    " * rank + f"{total} = 0.6 * {total} + 0.4 * {item} * {self.leaf()[0]} / 4")
        self.env.floats.append(total)

    def nest(self) -> None:
        self.for_range(compulsory=True)

    def several(self, low: int = 1, high: int = 3) -> None:
        """Statements of a block, one level down; at least one."""
        before = len(self.lines)
        for _ in range(self.rng.randint(low, high)):
            self.statement()
        if len(self.lines) == before:
            self.assign()

    _WEIGHTS = {
        "assign": 6, "augment": 4, "store": 7, "update": 5, "if_": 6, "for_range": 6, "for_items": 5, "while_": 4,
        "swap": 2, "tuples": 3, "make_array": 3, "view": 4, "slice_store": 5, "inner": 7, "call_statement": 1.5,
        "leave": 3, "ping_pong": 2, "flag": 1.5, "rebind": 1.5, "check": 0.6, "array_branch": 5, "whole_update": 1,
        "unrolled": 1, "carried_tuple": 1, "nothing": 0.3,
    }  # fmt: skip

    _NESTING = ("if_", "for_range", "for_items", "while_", "inner", "unrolled", "ping_pong")

    def statement(self) -> None:
        kinds = list(self._WEIGHTS)
        for _ in range(20):
            kind = self.rng.choices(kinds, self._WEIGHTS.values())[0]
            if kind in self._NESTING and (self.indent > 4 or self.statements > 40):
                continue
            if self.statements > 55 and kind not in ("assign", "store"):
                continue
            if getattr(self, kind)() is not False:
                return
        self.assign()
