"""Random programs: functions that are valid, defined and bounded by construction, and use every construct.

Every float variable and every array element stays within +-BOUND: an expression knows a bound of its value, and is
squashed before it is stored where that bound is exceeded. Every index is in range and every name is bound where it is
read. So a program's derivative exists up to ties, and rounding does not grow beyond what a check for conditioning sees.
"""

import ast
import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

BOUND = 4.0
MIN_STATEMENTS, MIN_DEPTH, MAX_WORK = 15, 3, 160

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


@dataclass(frozen=True)
class Arr:
    """An array: its shape, and a key that is equal for arrays whose lengths are known to be the same."""

    shape: tuple[int, ...]
    key: str
    whole: bool = True


@dataclass
class Env:
    """The names that are bound."""

    floats: list[str] = field(default_factory=list)
    ints: dict[str, tuple[int, int]] = field(default_factory=dict)
    bools: list[str] = field(default_factory=list)
    arrays: dict[str, Arr] = field(default_factory=dict)
    tuples: dict[str, int] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)
    fixed: set[str] = field(default_factory=set)

    def copy(self) -> "Env":
        return Env(
            list(self.floats), dict(self.ints), list(self.bools), dict(self.arrays), dict(self.tuples),
            list(self.functions), set(self.fixed),
        )  # fmt: skip

    def forget(self, name: str) -> None:
        for names in (self.floats, self.bools, self.functions):
            if name in names:
                names.remove(name)
        for names in (self.ints, self.arrays, self.tuples):
            names.pop(name, None)


@dataclass(frozen=True)
class RandomProgram:
    """The source of one function and of one that makes its arguments."""

    name: str
    source: str
    counts: Counter
    argnums: tuple[int, ...]
    single: bool


def generate(seed: int, compiled: bool = False) -> RandomProgram:
    """The program of a seed; `compiled` leaves out what a compiled run cannot show (prints)."""
    for attempt in range(50):
        writer = _Writer(random.Random(f"{seed}/{attempt}"), f"f{seed}", compiled)
        found = writer.program()
        if writer.statements >= MIN_STATEMENTS and writer.deepest >= MIN_DEPTH:
            return found
    raise AssertionError(f"no program for seed {seed}")


class _Writer:
    """Writes one function, statement by statement, knowing what is bound and how often it runs."""

    def __init__(self, rng: random.Random, name: str, compiled: bool):
        self.rng, self.name, self.compiled = rng, name, compiled
        self.env, self.lines, self.counts = Env(), [], Counter()
        self.indent = self.statements = self.deepest = self.serial = 0
        self.work, self.loops, self.escapes = 1, [], 0
        self.single = rng.random() < 0.06
        self.functions_deep = 0

    # -- writing ------------------------------------------------------------------------------------------------------

    def line(self, text: str, count: bool = True) -> None:
        self.lines.append("    " * self.indent + text)
        self.statements += count

    def use(self, *constructs: str) -> None:
        self.counts.update(constructs)

    def fresh(self, letter: str) -> str:
        self.serial += 1
        return f"{letter}{self.serial}"

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, items):
        return self.rng.choice(list(items))

    @contextmanager
    def block(self, times: int = 1, loop: str | None = None):
        """An indented block whose bindings are forgotten behind it."""
        outer = self.env
        self.env = outer.copy()
        self.indent += 1
        self.work *= max(times, 1)
        self.deepest = max(self.deepest, self.indent - 1)
        if loop:
            self.loops.append(loop)
        try:
            yield
        finally:
            if loop:
                self.loops.pop()
            self.work //= max(times, 1)
            self.indent -= 1
            inner, self.env = self.env, outer
            for name in inner.arrays.keys() & outer.arrays.keys():  # rebound to a view or another shape's key
                if inner.arrays[name] != outer.arrays[name]:
                    self.env.arrays[name] = replace(outer.arrays[name], key=self.fresh("?"), whole=False)

    # -- numbers ------------------------------------------------------------------------------------------------------

    def constant(self) -> tuple[str, float]:
        self.use("constant")
        value = round(self.rng.uniform(0.2, 2.0), 2) * self.pick((1, 1, -1))
        return (str(value), abs(value)) if self.chance(0.8) else (str(n := self.rng.randint(1, 3)), n)

    def leaf(self) -> tuple[str, float]:
        env, options = self.env, []
        if env.floats:
            options += ["float"] * 6
        if env.arrays:
            options += ["element"] * 5
        if env.tuples:
            options += ["item"] * 2
        options += ["constant", "int", "global"]
        match self.pick(options):
            case "float":
                return self.pick(env.floats), BOUND
            case "element":
                return self.element(), BOUND
            case "item":
                name = self.pick(env.tuples)
                self.use("tuple_index")
                return f"{name}[{self.rng.randrange(-env.tuples[name], env.tuples[name])}]", BOUND
            case "int" if env.ints:
                name = self.pick(env.ints)
                return name, float(max(map(abs, env.ints[name])))
            case "global":
                return self.from_globals()
        return self.constant()

    def from_globals(self) -> tuple[str, float]:
        self.use("module_constant")
        options = ["SCALE", "COUNT", "PAIR[1]", "math.pi"]
        if not self.single:
            self.use("captured_array")
            options += ["TABLE[2]", f"TABLE[{self.index(4)}]"]
        return self.pick(options), BOUND

    def element(self, name: str = "") -> str:
        name = name or self.pick(self.env.arrays)
        arr = self.env.arrays[name]
        indices = [self.index(n) for n in arr.shape]
        self.use(f"read_rank{len(arr.shape)}")
        if len(indices) == 2 and self.chance(0.15):
            return f"{name}[{indices[0]}][{indices[1]}]"
        return f"{name}[{', '.join(indices)}]"

    def index(self, n: int) -> str:
        """Text of an index of an axis of length n, in range."""
        options = []
        for name, (low, high) in self.env.ints.items():
            if 0 <= low and high < n:
                options += [name] * 6
                if high + 1 < n:
                    options.append(f"{name} + 1")
                if low >= 1:
                    options += [f"{name} - 1"] * 2
            options.append(f"({name} * {self.rng.randint(1, 3)} + {self.rng.randint(0, 3)}) % {n}")
            if -n <= low and high < n and low < 0:
                options.append(name)
            if 0 <= low and high < n:
                options += [f"-1 - {name}", f"{n - 1} - {name}"]
        if options and self.chance(0.75):
            return self.pick(options)
        if self.env.floats and self.chance(0.06):
            self.use("data_dependent_index")
            return f"int(abs({self.pick(self.env.floats)}) * 3) % {n}"
        k = self.rng.randrange(-n, n)
        if k < 0:
            self.use("negative_index")
        return str(k)

    def number(self, depth: int = 2) -> tuple[str, float]:
        """A float expression and a bound of its value."""
        if depth <= 0 or self.chance(0.15):
            return self.leaf()
        kinds = "+ - * / f1 f1 f1 f2 neg pow % // abs minmax ternary call call cond shape".split()
        a, m = self.number(depth - 1)
        match self.pick(kinds):
            case ("+" | "-") as op:
                b, k = self.number(depth - 1)
                return f"({a} {op} {b})", m + k
            case "*":
                b, k = self.number(depth - 1)
                return f"({a} * {b})", m * k
            case "/":
                b, k = self.number(depth - 1)
                self.use("division")
                return (f"({a} / (1 + {b} * {b}))", m) if self.chance(0.7) else (f"({a} / ({b} + {k + 1:.2f}))", m)
            case "f1":
                return self.function_of_one(a, m)
            case "f2":
                return self.function_of_two(a, m, *self.number(depth - 1))
            case "neg":
                return f"(-{a})", m
            case "pow":
                return self.power(a, m)
            case "%":
                self.use("modulo")
                b = round(self.rng.uniform(0.5, 2.5), 1)
                return (f"({a} % {b})", b) if self.chance(0.8) else (f"({a} % -{b})", b)
            case "//":
                self.use("floordiv")
                return f"({a} // 1.5 * 0.25)", m / 6 + 1
            case "abs":
                self.use("abs")
                return (f"abs({a})", m) if self.chance(0.6) else (f"math.fabs({a})", m)
            case "minmax":
                return self.extremum(a, m, depth)
            case "ternary":
                b, k = self.number(depth - 1)
                self.use("ternary")
                return f"({a} if {self.condition(1)} else {b})", max(m, k)
            case "call":
                return self.call(depth)
            case "cond":
                return self.from_condition(a, m)
            case "shape" if self.env.arrays:
                return self.from_shape(a, m)
        return a, m

    def from_condition(self, a: str, m: float) -> tuple[str, float]:
        if self.chance(0.5):
            self.use("bool_as_number")
            return f"(float({self.condition(1)}) * {a})", m
        b, k = self.leaf()
        self.use("or_as_value")
        return f"({b} {self.pick(('or', 'and'))} {a})", max(m, k)

    def from_shape(self, a: str, m: float) -> tuple[str, float]:
        name = self.pick(self.env.arrays)
        arr = self.env.arrays[name]
        attribute = self.pick(("len", "shape", "size", "ndim"))
        self.use(f"attribute_{attribute}")
        text = {"len": f"len({name})", "shape": f"{name}.shape[-1]"}.get(attribute, f"{name}.{attribute}")
        size = arr.shape[0] * (arr.shape[1] if len(arr.shape) > 1 else 1)
        return f"({a} / {text})", m if size else m

    def power(self, a: str, m: float) -> tuple[str, float]:
        self.use("power")
        match self.rng.randrange(6):
            case 0:
                return f"{a} ** 2", m**2
            case 1:
                return f"({a}) ** 3", m**3
            case 2:
                return f"(1.5 + abs({a})) ** -1", 1.0
            case 3:
                b, k = self.leaf()
                return f"(0.5 + abs({a})) ** ({b} * 0.5)", (m + 2) ** (k * 0.5 + 1)
            case 4:
                return f"2 ** ({a} * 0.25)", 2 ** (m * 0.25)
        return f"({a}) ** 0", 1.0

    def extremum(self, a: str, m: float, depth: int) -> tuple[str, float]:
        b, k = self.number(depth - 1)
        function = self.pick(("max", "min"))
        self.use(function)
        if self.single or self.chance(0.7):
            third = f", {self.constant()[0]}" if self.chance(0.25) else ""
            return f"{function}({a}, {b}{third})", max(m, k, 3.0)
        return f"np.{function}imum({a}, {b})", max(m, k)

    _ONE = (  # text, whether NumPy has it under this name, bound as a function of the argument's
        ("sin({})", 1, lambda m: 1), ("cos({})", 1, lambda m: 1), ("tanh({})", 1, lambda m: 1),
        ("exp(-abs({}))", 1, lambda m: 1), ("sqrt(1 + {0} * {0})", 1, lambda m: 1 + m),
        ("log1p(abs({}))", 1, lambda m: m),
        ("log(1.5 + abs({}))", 1, lambda m: 1 + m), ("expm1(sin({}))", 1, lambda m: 2),
        ("cosh(sin({}))", 1, lambda m: 2),
        ("sinh(cos({}))", 1, lambda m: 2), ("cbrt(2 + sin({}))", 1, lambda m: 2), ("exp2(cos({}))", 1, lambda m: 2),
        ("log2(2 + cos({}))", 1, lambda m: 2), ("log10(2 + sin({}))", 1, lambda m: 1),
        ("tan(0.9 * sin({}))", 1, lambda m: 1.5),
        ("erf({})", 0, lambda m: 1), ("atan({})", 0, lambda m: 1.6), ("asin(0.9 * sin({}))", 0, lambda m: 1.2),
        ("asinh({})", 0, lambda m: m), ("lgamma(2 + abs(sin({})))", 0, lambda m: 1), ("arctan({})", 2, lambda m: 1.6),
        ("square({})", 2, lambda m: m * m), ("arcsinh({})", 2, lambda m: m), ("sign({})", 2, lambda m: 1),
        ("floor({})", 2, lambda m: m + 1), ("reciprocal(2.0 + sin({}))", 2, lambda m: 1),
    )  # fmt: skip

    def function_of_one(self, a: str, m: float) -> tuple[str, float]:
        text, where, bound = self.pick(self._ONE)
        if text == "tanh({})" and self.chance(0.2):
            self.use("imported_function")
            return f"tanh({a})", 1.0
        numpy = where == 2 or (where == 1 and self.chance(0.4))
        if self.single and numpy:
            text, numpy, bound = "sin({})", False, lambda m: 1
        prefix = "np." if numpy else "math."
        self.use("np_function" if numpy else "math_function")
        inner = text.format(a).replace("(sin(", f"({prefix}sin(").replace("* sin(", f"* {prefix}sin(")
        for name in ("sin", "cos", "abs(sin"):
            inner = inner.replace(f"+ {name}(", f"+ {prefix}{name}(").replace(f"({name}(", f"({prefix}{name}(")
        inner = inner.replace(f"{prefix}abs(sin", f"abs({prefix}sin")
        return prefix + inner, float(bound(m))

    def function_of_two(self, a: str, m: float, b: str, k: float) -> tuple[str, float]:
        self.use("function_of_two")
        module, at = ("math", "atan2") if self.single or self.chance(0.5) else ("np", "arctan2")
        match self.rng.randrange(4):
            case 0:
                return f"{module}.hypot({a}, 1 + abs({b}))", m + k + 1
            case 1:
                return f"{module}.{at}({a}, 2 + abs({b}))", 1.6
            case 2:
                return f"math.fmod({a}, 1.5 + abs({b}))", m
        return f"{module}.copysign({a}, {b})", m

    def fit(self, number: tuple[str, float], bound: float = BOUND) -> str:
        """The expression, squashed into +-bound where it may leave it."""
        text, m = number
        if m <= bound:
            return text
        self.use("squashed")
        if bound >= 1 and self.chance(0.6):
            return f"math.{self.pick(('sin', 'tanh', 'cos'))}({text})"
        return f"({text}) * {bound / m:.3g}"

    def expression(self, bound: float = BOUND, depth: int = 2) -> str:
        return self.fit(self.number(depth), bound * 0.99)

    def condition(self, depth: int = 2) -> str:
        kinds = ["compare"] * 4 + ["chained", "and", "or", "not", "bool", "int"]
        match self.pick(kinds) if depth else "compare":
            case "chained":
                self.use("chained_comparison")
                return f"{self.leaf()[0]} < {self.number(1)[0]} <= {self.leaf()[0]}"
            case ("and" | "or") as op:
                self.use(op)
                return f"({self.condition(depth - 1)} {op} {self.condition(depth - 1)})"
            case "not":
                self.use("not")
                return f"not ({self.condition(depth - 1)})"
            case "bool" if self.env.bools:
                return self.pick(self.env.bools)
            case "int" if self.env.ints:
                name = self.pick(self.env.ints)
                return self.pick((f"{name} % 2 == 0", f"{name} != 1", f"{name} >= 2"))
        return f"{self.number(1)[0]} {self.pick(('<', '<=', '>', '>='))} {self.leaf()[0]}"

    # -- calls --------------------------------------------------------------------------------------------------------

    def call(self, depth: int) -> tuple[str, float]:
        a = self.expression(depth=depth - 1)
        options = ["helper", "keyword", "compiled", "passed", "star", "lambda", "partial", "operator"]
        if self.env.functions:
            options += ["inner"] * 4
        rows = [n for n, arr in self.env.arrays.items() if len(arr.shape) == 1]
        options += ["loop_helper"] if rows and not self.single else []
        match self.pick(options):
            case "inner":
                self.use("inner_function")
                return f"{self.pick(self.env.functions)}({a})", BOUND
            case "keyword":
                self.use("keyword_argument")
                return f"mixed({a}, weight={self.leaf()[0]})", BOUND
            case "compiled" if not self.single:
                self.use("njit_helper")
                return f"compiled({a}, {self.leaf()[0]})", BOUND
            case "passed":
                self.use("function_argument", "lambda")
                f = self.pick(["math.sin", "damp", "lambda v: v * 0.5 + 0.1", *self.env.functions])
                return f"apply({f}, {a})", BOUND
            case "star":
                self.use("starred_call")
                return f"mean_of({a}, *({self.leaf()[0]}, {self.leaf()[0]}))", BOUND
            case "lambda":
                self.use("lambda")
                return f"(lambda v: v * {self.leaf()[0]} * 0.2)({a})", BOUND
            case "partial":
                self.use("partial")
                return f"partial(damp, k=0.75)({a})", 1.0
            case "operator":
                self.use("operator_module")
                return f"operator.mul({a}, {self.leaf()[0]})", BOUND * BOUND
            case "loop_helper":
                self.use("helper_returns_in_loop")
                return f"first_above({self.pick(rows)}, {a})", BOUND
        self.use("helper", "default_argument")
        return (f"damp({a})", 1.0) if self.chance(0.5) else (f"damp({a}, k={self.leaf()[0]})", BOUND)

    # -- the function -------------------------------------------------------------------------------------------------

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

    # -- scalars ------------------------------------------------------------------------------------------------------

    def assignable(self) -> list[str]:
        return [v for v in self.env.floats if v not in self.env.fixed]

    def bind_float(self, name: str) -> None:
        self.env.forget(name)
        self.env.floats.append(name)

    def assign(self):
        old = self.assignable()
        name = self.pick(old) if old and self.chance(0.55) else self.fresh("v")
        self.line(f"{name} = {self.expression(depth=self.rng.randint(1, 3))}")
        self.use("assignment")
        self.bind_float(name)

    def augment(self):
        if not (old := self.assignable()):
            return False
        name = self.pick(old)
        self.use("augmented_assignment")
        match self.rng.randrange(6):
            case 0 | 1:
                self.line(f"{name} *= 0.5")
                self.line(f"{name} {self.pick(('+=', '-='))} {self.expression(2.0)}")
            case 2:
                self.line(f"{name} *= {self.expression(1.0)}")
            case 3:
                self.line(f"{name} /= 1 + {self.leaf()[0]} ** 2")
            case 4:
                self.line(f"{name} = math.tanh({name})")
                self.line(f"{name} **= {self.pick((2, 3))}")
            case 5:
                self.line(f"{name} {self.pick(('%=', '//='))} 1.75")

    def swap(self):
        if len(old := self.assignable()) < 2:
            return False
        self.use("swap_in_loop" if self.loops else "swap")
        names = self.rng.sample(old, min(len(old), self.pick((2, 2, 3))))
        right = names[1:] + names[:1]
        if self.chance(0.3):
            right[0] = self.expression()
        self.line(f"{', '.join(names)} = {', '.join(right)}")

    def rebind(self):
        """An int that becomes a float."""
        self.use("int_then_float")
        name = self.fresh("r")
        self.line(f"{name} = {self.rng.randint(0, 2)}")
        trips = self.rng.randint(1, 4)
        if self.work * trips <= MAX_WORK and self.chance(0.7):
            self.line(f"for _ in range({trips}):")
            with self.block(trips, "for"):
                self.line(f"{name} = {name} * 0.5 + {self.expression(1.9)}")
        else:
            self.line(f"{name} = {name} * {self.expression(1.9)}")
        self.bind_float(name)

    def flag(self):
        name = self.fresh("q")
        self.use("bool_variable")
        self.line(f"{name} = {self.condition()}")
        self.env.bools.append(name)

    def check(self):
        match self.rng.randrange(3):
            case 0:
                self.use("assert")
                self.line(f"assert abs({self.leaf()[0]}) < 1000, 'too large'")
            case 1:
                self.use("raise")
                self.line(f"if abs({self.leaf()[0]}) > 1000:")
                self.line("    raise ValueError('too large')")
            case 2:
                if self.compiled:
                    return False
                self.use("print")
                self.line(f"print('value', {self.leaf()[0]})")

    def nothing(self):
        self.use("pass")
        self.line("pass")

    # -- branches -----------------------------------------------------------------------------------------------------

    def if_(self):
        self.use("if")
        outcomes = []
        self.line(f"if {self.condition()}:")
        outcomes.append(self.branch())
        while self.chance(0.3):
            self.use("elif")
            self.line(f"elif {self.condition()}:")
            outcomes.append(self.branch())
        if self.chance(0.6):
            self.use("else")
            self.line("else:")
            outcomes.append(self.branch())
            for name in set.intersection(*outcomes) - set(self.env.floats):
                self.use("bound_on_all_paths")
                self.bind_float(name)

    def branch(self) -> set[str]:
        """One arm; the floats that are bound behind it."""
        with self.block():
            self.several(1, 3)
            if self.chance(0.3):
                self.line(f"y{self.indent} = {self.expression()}")
                self.bind_float(f"y{self.indent}")
            return {v for v in self.env.floats if v not in self.env.fixed}

    def leave(self):
        """break, continue or return under a condition."""
        if self.functions_deep or self.indent == 1 and self.chance(0.6):
            return False
        options = ["return"]
        if self.loops:
            options = ["break"] * 3 + ["continue"] * 3 + ["return"]
        kind = self.pick(options)
        self.line(f"if {self.condition(1)}:")
        self.indent += 1
        if kind == "return":
            self.use("return_in_loop" if self.loops else "early_return")
            self.line(f"return {self.expression()}")
        else:
            if self.chance(0.4):
                self.assign_existing()
            self.use(kind)
            self.line(kind)
            self.escapes += 1
        self.indent -= 1

    def assign_existing(self) -> None:
        if old := self.assignable():
            self.line(f"{self.pick(old)} = {self.expression()}")

    # -- loops --------------------------------------------------------------------------------------------------------

    def may_loop(self, trips: int) -> bool:
        return self.work * max(trips, 1) <= MAX_WORK

    def for_range(self, compulsory: bool = False):
        text, low, high, least = self.range_()
        trips = high - low + 1
        if not self.may_loop(trips):
            if not compulsory:
                return False
            text, low, high, trips, least = "range(2)", 0, 1, 2, 2
        index = self.pick("ijk") if self.chance(0.8) else self.fresh("i")
        if index in self.env.ints:
            index = self.fresh("i")
        self.use("nested_for" if "for" in self.loops else "for_range")
        if self.chance(0.08):
            text = f"reversed({text})"
            self.use("reversed_range")
        self.line(f"for {index} in {text}:")
        with self.block(trips, "for"):
            self.env.ints[index] = (low, high)
            self.env.fixed.add(index)
            if compulsory and self.deepest < MIN_DEPTH:
                self.for_range(compulsory=True) if self.chance(0.5) else self.if_nested()
            self.loop_body()
            after = self.after_loop(least)
        self.end_loop(after, {index: (low, high)} if least else {})

    def if_nested(self) -> None:
        self.use("if")
        self.line(f"if {self.condition()}:")
        with self.block():
            if self.deepest < MIN_DEPTH:
                self.for_range(compulsory=True)
            self.several()

    def range_(self) -> tuple[str, int, int, int]:
        """Text, lowest and highest index, the least number of trips."""
        match self.rng.randrange(7):
            case 0:
                self.use("range_step")
                first, step, trips = self.rng.randint(0, 2), self.rng.randint(2, 3), self.rng.randint(1, 3)
                last = first + step * (trips - 1)
                return f"range({first}, {last + 1}, {step})", first, last, trips
            case 1:
                self.use("range_step", "negative_step")
                n = self.rng.randint(1, 4)
                return self.pick(((f"range({n}, 0, -1)", 1, n, n), (f"range({n - 1}, -1, -1)", 0, n - 1, n)))
            case 2:
                self.use("zero_trips")
                return self.pick((("range(0)", 0, 0, 0), ("range(3, 1)", 0, 0, 0), ("range(1 - COUNT)", 0, 0, 0)))
            case 3 if self.env.arrays:
                name = self.pick(self.env.arrays)
                n = self.env.arrays[name].shape[0]
                if self.chance(0.4):
                    return f"range(1, len({name}))", min(1, n - 1), n - 1, n - 1
                return f"range({self.pick((f'len({name})', f'{name}.shape[0]'))})", 0, n - 1, n
            case 4 if self.env.ints:
                name = self.pick(self.env.ints)
                low, high = self.env.ints[name]
                if 0 <= low and high <= 5:
                    self.use("triangular")
                    return f"range({name})", 0, max(high - 1, 0), low
            case 5:
                return "range(COUNT)", 0, 2, 3
        n = self.rng.randint(1, 5)
        return f"range({n})", 0, n - 1, n

    def loop_body(self) -> None:
        """Statements of a loop, with a way out among them now and then."""
        if self.chance(0.35):
            self.several(1, 2)
            self.leave()
        self.several(1, 3)
        if self.assignable() and self.chance(0.5):
            self.use("loop_carried")
            name = self.pick(self.assignable())
            self.line(f"{name} = 0.5 * {name} + {self.expression(1.9)}")

    def after_loop(self, trips: int) -> set[str]:
        """Bind a float at the end of each trip; it lives on if no trip may leave before."""
        if self.chance(0.4):
            name = self.fresh("z")
            self.line(f"{name} = {self.expression()}")
            self.bind_float(name)
            return {name} if trips > 0 else set()
        return set()

    def end_loop(self, after: set[str], indices: dict) -> None:
        escaped = self.escaped()
        if self.chance(0.15) and not escaped or escaped and self.chance(0.5):
            self.use("for_else")
            self.line("else:")
            with self.block():
                self.several(1, 2)
        if after and not escaped:
            self.use("variable_after_loop")
            self.env.floats += after
        for name, span in indices.items():
            if self.chance(0.5) and name not in self.env.ints and span[0] <= span[1]:
                self.use("index_after_loop")
                self.env.ints[name] = span

    def escaped(self) -> bool:
        """Whether the loop just written holds a break or continue, of its own or (to be safe) of one inside it."""
        level = self.indent
        for line in reversed(self.lines):
            depth = (len(line) - len(line.lstrip())) // 4
            if depth <= level:
                return False
            if line.strip() in ("break", "continue"):
                return True
        return False

    def for_items(self):
        if not self.env.arrays:
            return False
        name = self.pick(self.env.arrays)
        arr = self.env.arrays[name]
        n, rank = arr.shape[0], len(arr.shape)
        if not self.may_loop(n) or n == 0:
            return False
        same = [k for k, v in self.env.arrays.items() if k != name]
        form = self.pick(["plain"] * 3 + ["enumerate", "reversed"] + ["zip"] * bool(same))
        item, other, index = self.fresh("e"), self.fresh("e"), self.fresh("i")
        source, trips, targets, bound, ints = name, n, item, {item: arr}, {}
        if form == "enumerate":
            source, targets, ints = f"enumerate({name})", f"{index}, {item}", {index: (0, n - 1)}
        elif form == "reversed":
            source = f"reversed({name})"
        elif form == "zip":
            second = self.pick(same)
            trips = min(n, self.env.arrays[second].shape[0])
            if self.chance(0.3):
                source = f"zip(range({n}), {name}, {second})"
                targets, ints = f"{index}, {item}, {other}", {index: (0, trips - 1)}
            else:
                source, targets = f"zip({name}, {second})", f"{item}, {other}"
            bound[other] = self.env.arrays[second]
        elif rank == 1 and n > 2 and self.chance(0.3):
            source, trips = f"{name}[1:]", n - 1
            self.use("over_slice")
        self.use({"plain": "over_elements" if rank == 1 else "over_rows"}.get(form, form))
        self.line(f"for {targets} in {source}:")
        with self.block(trips, "for"):
            for target, array in bound.items():
                if len(array.shape) == 1:
                    self.env.floats.append(target)
                    self.env.fixed.add(target)
                else:
                    self.env.arrays[target] = Arr(array.shape[1:], self.fresh("?"), False)
                    self.env.fixed.add(target)
            self.env.ints |= ints
            self.env.fixed |= set(ints)
            self.loop_body()
            after = self.after_loop(trips)
        self.end_loop(after, {})

    def while_(self):
        trips = self.rng.randint(1, 5)
        if not self.may_loop(trips):
            return False
        counter = self.fresh("n")
        forever = self.chance(0.25)
        self.line(f"{counter} = 0")
        extra, state = "", self.assignable()
        if state and self.chance(0.6):
            extra = f" and {self.pick(state)} < {self.rng.uniform(0.5, 3):.2f}"
        self.use("while_true" if forever else "while_data_dependent" if extra else "while")
        self.line("while True:" if forever else f"while {counter} < {trips}{extra}:")
        with self.block(trips, "while"):
            self.line(f"{counter} += 1")
            self.env.ints[counter] = (1, trips)
            self.env.fixed.add(counter)
            if forever:
                self.line(f"if {counter} >= {trips}{extra.replace(' and ', ' or ')}:")
                self.line("    break")
                self.use("break")
            self.loop_body()
        if not forever and self.chance(0.25):
            self.use("while_else")
            self.line("else:")
            with self.block():
                self.several(1, 2)
        if self.chance(0.5):
            self.env.ints[counter] = (0, trips)
            self.use("counter_after_while")

    def unrolled(self):
        self.use("over_tuple")
        item = self.fresh("e")
        if self.chance(0.3):
            functions = "(math.sin, damp)" if self.single else "(math.sin, np.tanh, damp)"
            if not (old := self.assignable()):
                return False
            name = self.pick(old)
            self.line(f"for {item} in {functions}:")
            self.line(f"    {name} = {item}({name})")
            return None
        values = [self.expression() for _ in range(self.rng.randint(2, 3))]
        self.line(f"for {item} in ({', '.join(values)}):")
        with self.block(len(values), "for"):
            self.env.floats.append(item)
            self.env.fixed.add(item)
            self.loop_body()
        return None

    # -- tuples -------------------------------------------------------------------------------------------------------

    def tuples(self):
        names = [self.fresh("v") for _ in range(3)]
        match self.rng.randrange(5):
            case 0:
                self.use("tuple_build")
                count = self.rng.randint(2, 4)
                name = self.fresh("t")
                self.line(f"{name} = ({', '.join(self.expression(depth=1) for _ in range(count))})")
                self.env.tuples[name] = count
                return
            case 1:
                self.use("tuple_unpack", "tuple_result")
                self.line(f"{names[0]}, {names[1]} = polar({self.leaf()[0]}, {self.leaf()[0]})")
                self.env.floats += names[:2]
                return
            case 2:
                self.use("starred")
                count = self.rng.randint(3, 4)
                values = ", ".join(self.expression(depth=1) for _ in range(count))
                rest = self.fresh("t")
                self.line(f"{names[0]}, *{rest} = {values}")
                self.env.floats.append(names[0])
                self.env.tuples[rest] = count - 1
                return
            case 3 if self.env.tuples:
                self.use("starred")
                name = self.pick(self.env.tuples)
                self.line(f"{self.fresh('t')} = (*{name}, {self.leaf()[0]})")
                self.env.tuples[f"t{self.serial}"] = self.env.tuples[name] + 1
                return
            case 4 if self.env.tuples:
                self.use("tuple_unpack")
                name = self.pick(self.env.tuples)
                names = [self.fresh("v") for _ in range(self.env.tuples[name])]
                self.line(f"{', '.join(names)}{',' if len(names) == 1 else ''} = {name}")
                self.env.floats += names
                return
        self.use("nested_tuple", "tuple_unpack")
        a, b, c = names
        self.line(f"({a}, {b}), {c} = ({self.leaf()[0]}, {self.expression(depth=1)}), {self.expression(depth=1)}")
        self.env.floats += names

    def carried_tuple(self):
        trips = self.rng.randint(1, 4)
        if not self.may_loop(trips):
            return False
        self.use("tuple_carried")
        name = self.fresh("t")
        self.line(f"{name} = ({self.expression(depth=1)}, {self.expression(depth=1)})")
        self.env.tuples[name] = 2
        self.line(f"for _ in range({trips}):")
        with self.block(trips, "for"):
            self.line(f"{name} = ({name}[1], {self.expression()})")
        return None

    # -- arrays -------------------------------------------------------------------------------------------------------

    def writable(self, rank: int | None = None) -> list[str]:
        return [k for k, v in self.env.arrays.items() if rank in (None, len(v.shape))]

    def store(self):
        if not (names := self.writable()):
            return False
        name = self.pick(names)
        rank = len(self.env.arrays[name].shape)
        target = f"{name}[{', '.join(self.index(n) for n in self.env.arrays[name].shape)}]"
        self.use(f"write_rank{rank}")
        if self.chance(0.12) and len(names) > 1:
            other = self.pick(names)
            second = f"{other}[{', '.join(self.index(n) for n in self.env.arrays[other].shape)}]"
            self.use("element_swap")
            self.line(f"{target}, {second} = {second}, {target}")
        else:
            self.line(f"{target} = {self.expression()}")

    def update(self):
        if not (names := self.writable()):
            return False
        name = self.pick(names)
        target = f"{name}[{', '.join(self.index(n) for n in self.env.arrays[name].shape)}]"
        match self.rng.randrange(5):
            case 0 | 1:
                op = self.pick(("+=", "-="))
                self.use(f"element_{op}")
                self.line(f"{target} *= 0.5")
                self.use("element_*=")
                self.line(f"{target} {op} {self.expression(2.0)}")
            case 2 | 3:
                self.use("element_*=")
                self.line(f"{target} *= {self.expression(1.0)}")
            case 4:
                self.use("element_/=")
                self.line(f"{target} /= 1 + {self.leaf()[0]} ** 2")

    def make_array(self):
        name = self.fresh("u")
        dtype = ", np.float32" if self.single else ""
        if self.env.arrays and self.chance(0.6):
            like = self.pick(self.env.arrays)
            arr = self.env.arrays[like]
            match self.rng.randrange(6):
                case 0:
                    self.use("zeros_like")
                    self.line(f"{name} = np.zeros_like({like})")
                case 1:
                    self.use("ones_like")
                    self.line(f"{name} = np.ones_like({like})")
                case 2:
                    self.use("empty_like")
                    self.line(f"{name} = np.empty_like({like})")
                    self.line(f"{name}[...] = {self.expression()}")
                case 3:
                    self.use("full_like")
                    self.line(f"{name} = np.full_like({like}, {self.expression()})")
                case _:
                    self.use("copy")
                    self.line(f"{name} = {self.pick((f'{like}.copy()', f'np.copy({like})'))}")
            key = arr.key
        else:
            shape = self.pick(((3,), (4,), (5,), (2, 3), (3, 3), (2, 2, 2), (2, 3, 2), (2, 1, 2, 2), (2, 2, 2, 2)))
            text = str(shape[0]) if len(shape) == 1 else str(shape)
            arr, key = Arr(shape, str(shape)), str(shape)
            match self.rng.randrange(4):
                case 0:
                    self.use("zeros")
                    self.line(f"{name} = np.zeros({text}{dtype})")
                case 1:
                    self.use("ones")
                    self.line(f"{name} = np.ones({text}{dtype})")
                case 2:
                    self.use("empty")
                    self.line(f"{name} = np.empty({text}{dtype})")
                    self.line(f"{name}[:] = {self.expression()}")
                case 3:
                    self.use("full")
                    value = self.expression()
                    self.line(f"{name} = np.full({text}, {value}{dtype or ', float'})")
        if self.loops:
            self.use("allocated_in_loop")
        self.env.arrays[name] = Arr(arr.shape, key)

    def view(self):
        names = [k for k, v in self.env.arrays.items() if min(v.shape) > 1]
        if not names:
            return False
        source = self.pick(names)
        arr = self.env.arrays[source]
        name = self.fresh("w")
        if source in "abc":
            self.use("view_of_argument")
        if len(arr.shape) == 1:
            text, length = self.span(arr.shape[0])
            shape, part = (length,), text
        else:
            parts, shape = [], []
            for n in arr.shape:
                if self.chance(0.4):
                    parts.append(self.index(n))
                elif self.chance(0.4):
                    parts.append(":")
                    shape.append(n)
                else:
                    text, length = self.span(n)
                    parts.append(text)
                    shape.append(length)
            part = ", ".join(parts)
            if not shape:
                return False
        if 0 in shape:
            return False
        self.use("view", f"view_rank{len(shape)}")
        self.line(f"{name} = {source}[{part}]")
        self.env.arrays[name] = Arr(tuple(shape), self.fresh("?"), False)
        if self.chance(0.5):
            self.use("store_through_view")
            target = f"{name}[{', '.join(self.index(n) for n in shape)}]"
            self.line(f"{target} = {self.expression()}")
        return None

    def span(self, n: int) -> tuple[str, int]:
        """Text and length of a slice of an axis of length n; the length is at least 1."""
        start = self.rng.randrange(0, n)
        stop = self.rng.randint(start + 1, n)
        match self.rng.randrange(6):
            case 0:
                return f"{start}:", n - start
            case 1:
                return f":{stop}", stop
            case 2 if stop < n:
                return f"{start}:-{n - stop}", stop - start
            case 3:
                self.use("slice_step")
                step = self.pick((2, -1))
                return (f"::{step}", -(-n // abs(step)))
            case 4:
                return f"{start}:{stop + 10}", n - start
        return f"{start}:{stop}", stop - start

    def slice_store(self):
        names = self.writable(1)
        if not names:
            return False
        target = self.pick(names)
        n = self.env.arrays[target].shape[0]
        if self.chance(0.25):
            self.use("slice_fill")
            text, _ = self.span(n)
            self.line(f"{target}[{text}] = {self.expression()}")
            return None
        if n > 1 and self.chance(0.5):
            self.use("overlapping_store")
            k = self.rng.randint(1, n - 1)
            forward = f"{target}[{k}:] = {target}[:-{k}]"
            backward = f"{target}[:-{k}] = {target}[{k}:]"
            self.line(self.pick((forward, backward, f"{target}[:] = {target}[::-1]")))
            return None
        source = self.pick(names)
        m = self.env.arrays[source].shape[0]
        length = self.rng.randint(1, min(n, m))
        i, j = self.rng.randint(0, n - length), self.rng.randint(0, m - length)
        self.use("slice_store")
        if length == n == m and self.chance(0.5):
            self.line(f"{target}[:] = {source}")
        else:
            self.line(f"{target}[{i}:{i + length}] = {source}[{j}:{j + length}]")
        return None

    def whole_update(self):
        if not (names := self.writable()):
            return False
        name = self.pick(names)
        self.use("slice_update")
        match self.rng.randrange(3):
            case 0:
                self.line(f"{name}[...] *= {self.expression(1.0)}")
            case 1:
                self.line(f"{name}[:] *= 0.5")
                self.line(f"{name}[:] += {self.expression(2.0)}")
            case 2:
                self.line(f"{name}[:1] /= 1 + {self.leaf()[0]} ** 2")

    def same_key(self) -> list[str]:
        by_key: dict[str, list[str]] = {}
        for name, arr in self.env.arrays.items():
            if arr.whole and name not in self.env.fixed:
                by_key.setdefault(arr.key, []).append(name)
        groups = [g for g in by_key.values() if len(g) > 1]
        return self.pick(groups) if groups else []

    def ping_pong(self):
        trips = self.rng.randint(1, 5)
        if not self.may_loop(trips * 3):
            return False
        group = self.same_key()
        if not group:
            sources = [k for k, v in self.env.arrays.items() if v.whole and len(v.shape) == 1]
            if not sources:
                return False
            name, source = self.fresh("u"), self.pick(sources)
            self.line(f"{name} = np.zeros_like({source})")
            self.env.arrays[name] = self.env.arrays[source]
            group = [name, source]
        u, v = self.rng.sample(group, 2)
        n = self.env.arrays[u].shape[0]
        self.line(f"for {(k := self.fresh('k'))} in range({trips}):")
        with self.block(trips, "for"):
            self.env.ints[k] = (0, trips - 1)
            self.env.fixed.add(k)
            if len(self.env.arrays[u].shape) == 1:
                i = self.fresh("i")
                self.line(f"for {i} in range({n}):")
                with self.block(n, "for"):
                    self.env.ints[i] = (0, n - 1)
                    self.env.fixed.add(i)
                    self.line(f"{v}[{i}] = 0.5 * {u}[{i}] + {self.expression(1.9)}")
            else:
                self.several(1, 2)
            form = self.pick(("swap", "swap", "conditional", "new"))
            self.swap_arrays(form, u, v)
        return None

    def swap_arrays(self, form: str, u: str, v: str) -> None:
        if form == "new":
            self.use("carried_array")
            fresh = self.fresh("u")
            self.line(f"{fresh} = {u}.copy()")
            self.line(f"{fresh}[{', '.join(self.index(n) for n in self.env.arrays[u].shape)}] = {self.expression()}")
            self.line(f"{u} = {fresh}")
        elif form == "conditional":
            self.use("conditional_swap")
            self.line(f"if {self.condition()}:")
            self.line(f"    {u}, {v} = {v}, {u}")
        else:
            self.use("ping_pong")
            self.line(f"{u}, {v} = {v}, {u}")

    def array_branch(self):
        if self.loops or not (group := self.same_key()):
            return False
        self.use("array_in_branch")
        u, v = self.rng.sample(group, 2)
        name = self.fresh("u")
        if self.chance(0.5):
            self.line(f"{name} = {u} if {self.condition()} else {v}")
        else:
            self.line(f"if {self.condition()}:")
            self.line(f"    {name} = {u}")
            self.line("else:")
            self.line(f"    {name} = {v}")
        self.env.arrays[name] = replace(self.env.arrays[u], key=self.fresh("?"), whole=False)
        return None

    # -- functions inside ---------------------------------------------------------------------------------------------

    def inner(self):
        if self.loops or self.indent > 1:
            return False
        name = self.fresh("g")
        self.use("closure")
        if self.chance(0.3):
            saved = self.env.floats
            self.env.floats = [*saved, "v"]
            text = f"{name} = lambda v: {self.expression()}"
            self.env.floats = saved
            self.line(text)
            self.env.functions.append(name)
            return None
        arguments = "v" if self.chance(0.7) else "v, factor=0.5"
        self.line(f"def {name}({arguments}):")
        self.functions_deep += 1
        loops, self.loops = self.loops, []
        with self.block(3):
            outer = set(self.env.floats)
            self.env.fixed |= outer | set(self.env.arrays) | set(self.env.ints) | set(self.env.tuples)
            self.env.floats.append("v")
            if "factor" in arguments:
                self.env.floats.append("factor")
                self.env.fixed.add("factor")
            for _ in range(self.rng.randint(0, 2)):
                self.pick((self.assign, self.augment, self.store, self.update))()
            if self.chance(0.25):
                self.use("early_return")
                self.line(f"if {self.condition(1)}:")
                self.line(f"    return {self.expression()}")
            self.line(f"return {self.expression()}")
        self.loops = loops
        self.functions_deep -= 1
        self.env.functions.append(name)
        return None

    def call_statement(self):
        names = [k for k in self.writable(1) if self.env.arrays[k].shape[0] > 1]
        if not names:
            return False
        name = self.pick(names)
        if self.chance(0.6):
            self.use("helper_stores")
            self.line(f"put({name}, {self.rng.randint(1, self.env.arrays[name].shape[0] - 1)}, {self.expression()})")
        else:
            self.use("helper_returns_view")
            view = self.fresh("w")
            self.line(f"{view} = tail({name})")
            self.env.arrays[view] = Arr((self.env.arrays[name].shape[0] - 1,), self.fresh("?"), False)
        return None
