"""Random programs of whole arrays: broadcasting, reductions, slices, stores, loops over rows, all of known shape.

Every name has a shape that the generator knows, so that programs are valid; what is stored is squashed before, so that
values stay small. Kinks (maximum, where, branches) are fine: the oracle says where a point is too near to one.
"""

import random
from collections import Counter
from contextlib import contextmanager

from tests.writing.base import RandomProgram

PRELUDE = """\
import numpy as np

ORDER = np.array([2, 0, 1])
TWICE = np.array([1, 1, 0, 2])
WEIGHTS = np.array([0.4, -0.9, 1.3])


def damp(x, k=0.5):
    return np.sin(x) * k


def centred(x):
    return x - np.mean(x, axis=0)


def soft(x):
    e = np.exp(x - np.max(x))
    return e / np.sum(e)


def smooth(x):
    y = x.copy()
    y[1:] += 0.5 * x[:-1]
    return np.tanh(y)


def energy(x):
    s = 0.0
    for row in x:
        s += np.sum(row * row)
    return np.tanh(s * 0.2)
"""

JOINED = True  # whether np.concatenate and np.stack are there
Shape = tuple[int, ...]
SHAPES: list[Shape] = [(3,), (4,), (2, 3), (3, 3), (3, 4), (1, 3), (2, 1), (2, 3, 2), (3, 2)]
UNARY = (
    "np.sin({})", "np.cos({})", "np.tanh({})", "np.exp(-{} ** 2)", "np.sqrt(1 + {} ** 2)", "np.log1p({} ** 2)", "-{}",
    "np.abs({})", "abs({})", "np.arctan({})", "np.square({}) * 0.3", "{} ** 2 * 0.3", "{} ** 3 * 0.1", "damp({})",
    "1 / (1.5 + np.cos({}))", "np.clip({}, -0.6, 0.8)", "np.maximum({}, 0.1)", "np.minimum({}, 0.4)",
    "np.sign({}) * 0.4", "np.logaddexp({}, 0.3) * 0.5", "np.expm1(np.tanh({}))", "np.hypot({}, 1.0)",
)  # fmt: skip
BINARY = (
    "({} + {})", "({} - {})", "{} * {}", "{} / (1.5 + {} ** 2)", "np.maximum({}, {})", "np.minimum({}, {})",
    "np.arctan2({}, 2.5 + np.sin({}))", "np.add({}, {})", "np.hypot({}, 1 + abs({}))", "np.where({} > 0.1, {}, 0.3)",
    "np.multiply({}, {})", "np.logaddexp({}, {}) * 0.5", "(0.5 + abs({})) ** np.tanh({})", "({} < {}) * 0.7",
)  # fmt: skip
REDUCTIONS = ("sum", "mean", "max", "min", "prod", "var", "std")
SQUASHED = ("np.tanh({})", "np.sin({})", "np.cos({})", "0.9 * np.tanh({})", "np.clip(np.sin({}), -0.8, 0.9)")


def generate(seed: int, compiled: bool = False) -> RandomProgram:
    """The program of a seed."""
    return _Writer(random.Random(f"arrays/{seed}"), f"f{seed}").program()


class _Writer:
    """Writes one function, statement by statement."""

    def __init__(self, rng: random.Random, name: str):
        self.rng, self.name = rng, name
        self.arrays: dict[str, Shape] = {}
        self.scalars: list[str] = []
        self.ints: dict[str, int] = {}  # loop variables and what they stay below
        self.fixed: set[str] = set()  # names that keep their array
        self.lines: list[str] = []
        self.counts: Counter = Counter()
        self.indent, self.serial, self.loops = 1, 0, 0

    # -- writing ------------------------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        self.lines.append("    " * self.indent + text)

    def use(self, construct: str, text: str) -> str:
        self.counts[construct] += 1
        return text

    def fresh(self, letter: str) -> str:
        self.serial += 1
        return f"{letter}{self.serial}"

    def pick(self, items):
        return self.rng.choice(list(items))

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    @contextmanager
    def block(self, head: str):
        """An indented block whose new names are forgotten behind it."""
        self.line(head)
        before = dict(self.arrays), list(self.scalars), dict(self.ints)
        self.indent += 1
        start = len(self.lines)
        yield
        if len(self.lines) == start:
            self.line("pass")
        self.indent -= 1
        self.arrays, self.scalars, self.ints = before

    # -- expressions --------------------------------------------------------------------------------------------------

    def scalar(self, depth: int = 1) -> str:
        options = ["constant", "variable", "variable", "element", "element"] + ["reduced"] * (2 * depth)
        match self.pick(options):
            case "variable" if self.scalars:
                return self.pick(self.scalars)
            case "element" if self.arrays:
                name = self.pick(self.arrays)
                return self.use("element", f"{name}[{', '.join(self.index(n) for n in self.arrays[name])}]")
            case "reduced":
                return self.reduced_to_number(depth - 1)
        return str(round(self.rng.uniform(-1.2, 1.5), 2))

    def index(self, n: int) -> str:
        loops = [k for k, limit in self.ints.items() if limit <= n]
        return self.pick(loops) if loops and self.chance(0.6) else str(self.rng.randrange(-n, n))

    def reduced_to_number(self, depth: int) -> str:
        text = self.array(self.pick(SHAPES), depth)
        match self.rng.randrange(7):
            case 0:
                return self.use("norm", f"np.linalg.norm(0.1 + abs({text}))")
            case 1:
                return self.use("energy", f"energy({self.array((2, 3), depth)})")
            case 2:
                name = self.pick(self.arrays)
                return self.use("mask_read", f"np.sum({name}[{name} > {self.rng.uniform(-0.5, 0.5):.2f}]) * 0.3")
            case 3:
                return self.use("dot", f"np.dot({self.array((3,), depth)}, {self.array((3,), depth)}) * 0.3")
            case 4:
                return self.use("method_reduction", f"({text}).{self.pick(('sum', 'mean', 'max', 'min'))}() * 0.3")
        name = self.pick(REDUCTIONS[:-1])  # the deviation of a constant has no derivative
        return self.use(f"whole_{name}", f"np.{name}({text}) * 0.3")

    def array(self, shape: Shape, depth: int = 2) -> str:
        """An expression of exactly this shape."""
        if depth <= 0:
            return self.leaf(shape)
        kinds = [self.unary, self.binary, self.binary, self.choice, self.reduced, self.product, self.moved, self.part]
        kinds += [self.helper] + [self.joined] * JOINED
        return self.pick(kinds)(shape, depth - 1) or self.leaf(shape)

    def loose(self, shape: Shape, depth: int) -> str:
        """An expression that broadcasts to a shape."""
        if self.chance(0.3):
            return self.use("number_operand", self.scalar())
        if self.chance(0.35) and shape:
            less = tuple(1 if self.chance(0.4) else n for n in shape)[self.rng.randrange(len(shape)) :]
            return self.use("broadcast", self.array(less, depth))
        return self.array(shape, depth)

    def leaf(self, shape: Shape) -> str:
        names = [n for n, s in self.arrays.items() if s == shape]
        if names and self.chance(0.8):
            return self.pick(names)
        views = [v for n, s in self.arrays.items() for v in self.views(n, s, shape)]
        if views and self.chance(0.85):
            return self.use("view", self.pick(views))
        if shape == (3,) and self.chance(0.3):
            return self.use("captured", "WEIGHTS")
        match self.rng.randrange(3):
            case 0:
                return self.use("full", f"np.full({shape}, {self.scalar(0)})")
            case 1 if len(shape) == 1:
                return self.use("arange", f"(np.arange({shape[0]}) * 0.3)")
        return self.use("ones", f"np.ones({shape})")

    def views(self, name: str, shape: Shape, wanted: Shape):
        """Ways to see an array, or a part of it, in another shape."""
        if shape[::-1] == wanted and len(shape) > 1:
            yield f"{name}.T"
        if shape[1:] == wanted:
            yield f"{name}[{self.index(shape[0])}]"
        if shape[:-1] == wanted:
            yield f"{name}[..., {self.index(shape[-1])}]"
        if (*shape, 1) == wanted:
            yield f"{name}[:, None]" if len(shape) == 1 else f"{name}[..., None]"
        if (1, *shape) == wanted:
            yield f"{name}[np.newaxis]"
        if len(shape) == len(wanted):
            # A slice is not repeated like an axis of length 1 (`zygopy` refuses it), so none of that length.
            if shape != wanted and all(n == m or n > m > 1 for n, m in zip(shape, wanted, strict=True)):
                yield f"{name}[{', '.join(self.span(n, m) for n, m in zip(shape, wanted, strict=True))}]"
            if shape == wanted:
                yield f"{name}[::-1]"
        if _size(shape) == _size(wanted) and shape != wanted:
            yield f"{name}.reshape({', '.join(map(str, wanted))})"

    def span(self, n: int, m: int) -> str:
        if n == m:
            return ":"
        start = self.rng.randint(0, n - m)
        return self.pick([f"{start}:{start + m}", *[f"{start}:"] * (start + m == n), *[f":{m}"] * (start == 0)])

    def unary(self, shape: Shape, depth: int) -> str:
        form = self.pick(UNARY)
        return self.use("unary", form.format(self.bracketed(self.array(shape, depth))))

    @staticmethod
    def bracketed(text: str) -> str:
        return text if text.isidentifier() else f"({text})"

    def binary(self, shape: Shape, depth: int) -> str:
        a, b = self.array(shape, depth), self.loose(shape, depth)
        if self.chance(0.4):
            a, b = b, a
        return self.use("binary", self.pick(BINARY).format(self.bracketed(a), self.bracketed(b)))

    def choice(self, shape: Shape, depth: int) -> str:
        test = f"{self.loose(shape, depth)} {self.pick('<>')} {self.scalar()}"
        return self.use("where", f"np.where({test}, {self.array(shape, depth)}, {self.loose(shape, depth)})")

    def reduced(self, shape: Shape, depth: int) -> str:
        name = self.pick((*REDUCTIONS, "cumsum"))
        if name == "cumsum":
            return self.use(
                "cumsum", f"np.cumsum({self.array(shape, depth)}, axis={self.rng.randrange(len(shape))}) * 0.4"
            )
        ones = [k for k, n in enumerate(shape) if n == 1]
        spread = " + 0.2 * np.arange(3)" if name == "std" else ""  # keeps the root away from 0
        if ones and self.chance(0.7):
            k = self.pick(ones)
            inner, keep = (*shape[:k], 3, *shape[k + 1 :]), ", keepdims=True"
        elif len(shape) < 3:
            k = len(shape) if name == "std" else self.rng.randrange(len(shape) + 1)
            inner, keep = (*shape[:k], 3, *shape[k:]), ""
        else:
            return ""
        if spread and k != len(inner) - 1:
            return ""
        axis = k - len(inner) if self.chance(0.3) else k
        return self.use(f"axis_{name}", f"np.{name}({self.array(inner, depth)}{spread}, axis={axis}{keep})")

    def product(self, shape: Shape, depth: int) -> str:
        k = self.pick((2, 3, 4))
        if len(shape) == 2:
            if self.chance(0.2):
                return self.use("outer", f"np.outer({self.array(shape[:1], depth)}, {self.array(shape[1:], depth)})")
            a, b = self.array((shape[0], k), depth), self.array((k, shape[1]), depth)
            return self.use("matmul", f"({self.bracketed(a)} @ {self.bracketed(b)}) * 0.3")
        if len(shape) == 1:
            a, b = self.array((shape[0], k), depth), self.array((k,), depth)
            return self.use("matvec", f"np.dot({a}, {b}) * 0.3")
        return ""

    def moved(self, shape: Shape, depth: int) -> str:
        match self.rng.randrange(4):
            case 0 if len(shape) > 1:
                return self.use("transpose", f"np.transpose({self.array(shape[::-1], depth)})")
            case 1:
                flat = (_size(shape),)
                return self.use("reshape", f"np.reshape({self.array(flat, depth)}, {shape})") if flat != shape else ""
            case 2 if len(shape) == 2:
                return self.use("T", f"({self.array(shape[::-1], depth)}).T")
            case 3 if len(shape) == 1:
                other = self.pick([s for s in ((2, 2), (3, 1), (1, 3), (2, 3), (3, 2)) if _size(s) == shape[0]] or [()])
                return self.use("ravel", f"np.ravel({self.array(other, depth)})") if other else ""
        return ""

    def joined(self, shape: Shape, depth: int) -> str:
        k = self.rng.randrange(len(shape))
        n = shape[k]
        if len(shape) > 1 and n <= 3 and self.chance(0.5):
            parts = ", ".join(self.array((*shape[:k], *shape[k + 1 :]), depth) for _ in range(n))
            return self.use("stack", f"np.stack([{parts}], axis={k})")
        if n < 2:
            return ""
        cut = self.rng.randint(1, n - 1)
        a, b = (self.array((*shape[:k], m, *shape[k + 1 :]), depth) for m in (cut, n - cut))
        return self.use("concatenate", f"np.concatenate(({a}, {b}), axis={k})")

    def part(self, shape: Shape, depth: int) -> str:
        """Elements by arrays of indices, and slices of expressions."""
        if shape[0] in (3, 4) and self.chance(0.6):
            indices = "ORDER" if shape[0] == 3 else "TWICE"
            return self.use("index_array", f"{self.bracketed(self.array((3, *shape[1:]), depth))}[{indices}]")
        big = (shape[0] + 1, *shape[1:])
        return self.use("slice_of_result", f"{self.bracketed(self.array(big, depth))}[{self.pick(('1:', ':-1'))}]")

    def helper(self, shape: Shape, depth: int) -> str:
        return self.use("helper", f"{self.pick(('centred', 'soft', 'smooth'))}({self.array(shape, depth)})")

    def squashed(self, text: str) -> str:
        return self.pick(SQUASHED).format(text)

    def condition(self) -> str:
        text = f"{self.reduced_to_number(1)} {self.pick('<>')} {self.scalar()}"
        name = self.pick(self.arrays)
        return self.pick(
            [text, text, self.use("all_any", f"np.{self.pick(('all', 'any'))}({name} > {self.scalar(0)})")]
        )

    # -- statements ---------------------------------------------------------------------------------------------------

    def statement(self) -> None:
        options = (
            [self.new_array] * 3 + [self.store] * 3 + [self.update] * 2 + [self.new_scalar, self.rebind, self.alias]
        )
        if self.loops < 1:
            options += [self.counted, self.over_rows, self.repeat]
        if self.indent < 4:
            options += [self.branch]
        self.pick(options)()

    def new_array(self) -> None:
        shape, name = self.pick(SHAPES), self.fresh("u")
        text = self.squashed(self.array(shape, 2))
        match self.rng.randrange(5):
            case 0:
                text = self.use("copy", f"{self.bracketed(self.leaf(shape))}.copy()")
            case 1:
                text = self.use("zeros", f"np.zeros({shape})")
            case 2:
                text = self.use("zeros_like", f"np.zeros_like({self.array(shape, 1)})")
        self.line(f"{name} = {text}")
        self.arrays[name] = shape

    def new_scalar(self) -> None:
        name = self.fresh("s")
        self.line(f"{name} = {self.squashed(self.scalar(2))}")
        self.scalars.append(name)

    def rebind(self) -> None:
        """A name's new array, of the same shape."""
        if names := [n for n in self.arrays if n not in self.fixed]:
            name = self.pick(names)
            self.line(f"{name} = {self.use('rebound', self.squashed(self.array(self.arrays[name], 2)))}")

    def alias(self) -> None:
        shape, name = self.pick(SHAPES), self.fresh("w")
        views = [v for n, s in self.arrays.items() for v in self.views(n, s, shape)]
        if views:
            self.line(f"{name} = {self.use('named_view', self.pick(views))}")
            self.arrays[name] = shape

    def place(self) -> tuple[str, Shape]:
        """A part of an array that can be stored into, and its shape."""
        name = self.pick(self.arrays)
        shape = self.arrays[name]
        match self.rng.randrange(6):
            case 0:
                return f"{name}[:]", shape
            case 1 if shape[0] > 1:
                return self.use("store_slice", f"{name}[1:]"), (shape[0] - 1, *shape[1:])
            case 2 if shape[0] > 1:
                return self.use("store_slice", f"{name}[:-1]"), (shape[0] - 1, *shape[1:])
            case 3 if len(shape) > 1:
                return self.use("store_row", f"{name}[{self.index(shape[0])}]"), shape[1:]
            case 4 if len(shape) > 1:
                return self.use("store_column", f"{name}[..., {self.index(shape[-1])}]"), shape[:-1]
            case 5 if shape[0] > 1:
                return self.use("store_step", f"{name}[::2]"), ((shape[0] + 1) // 2, *shape[1:])
        return f"{name}[...]", shape

    def store(self) -> None:
        if self.chance(0.2):
            name = self.pick(self.arrays)
            mask = f"{name}[{name} > {self.scalar(0)}]"
            self.line(self.use("mask_store", f"{mask} {self.pick(('=', '*='))} {self.squashed(self.scalar())}"))
            return
        place, shape = self.place()
        self.line(self.use("store", f"{place} = {self.squashed(self.loose(shape, 1))}"))

    def update(self) -> None:
        if self.chance(0.3):
            name = self.pick(self.arrays)
            place, shape = name, self.arrays[name]
            self.use("update_name", "")
        else:
            place, shape = self.place()
        value = self.squashed(self.loose(shape, 1))
        form = self.pick((f"*= {value}", f"+= 0.3 * {value}", f"-= 0.3 * {value}", f"/= 1.5 + {value} ** 2"))
        self.line(self.use("update", f"{place} {form}"))

    def body(self, low: int = 1, high: int = 3) -> None:
        for _ in range(self.rng.randint(low, high)):
            self.statement()

    def branch(self) -> None:
        with self.block(f"if {self.use('branch', self.condition())}:"):
            self.body()
        if self.chance(0.5):
            with self.block("else:"):
                self.body()

    @contextmanager
    def loop(self, head: str):
        self.loops += 1
        with self.block(head):
            yield
        self.loops -= 1

    def counted(self) -> None:
        """A recurrence over the first axis."""
        names = [n for n, s in self.arrays.items() if s[0] > 1]
        name = self.pick(names) if names else None
        if not name:
            return
        k, shape = self.fresh("k"), self.arrays[name]
        fixed, self.fixed = self.fixed, self.fixed | {name}
        with self.loop(f"for {k} in range(1, {shape[0]}):"):
            self.ints[k] = shape[0]
            value = f"{name}[{k} - 1]"
            other = self.loose(shape[1:], 1) if shape[1:] else self.scalar()
            self.line(self.use("recurrence", f"{name}[{k}] = {self.squashed(f'{value} + 0.5 * ({other})')}"))
            self.body(0, 2)
        self.fixed = fixed

    def over_rows(self) -> None:
        names = [n for n, s in self.arrays.items() if len(s) > 1]
        if not names:
            return
        name, row, total = self.pick(names), self.fresh("r"), self.fresh("s")
        fixed, self.fixed = self.fixed, self.fixed | {name}
        self.line(f"{total} = 0.0")
        self.scalars.append(total)
        with self.loop(f"for {row} in {self.use('over_rows', name)}:"):
            self.arrays[row] = self.arrays[name][1:]
            self.fixed.add(row)
            self.line(f"{total} += np.tanh(np.sum({self.array(self.arrays[row], 1)} * {row}))")
            self.body(0, 2)
        self.fixed = fixed

    def repeat(self) -> None:
        with self.loop(f"for {self.fresh('k')} in range({self.rng.randint(2, 4)}):"):
            self.use("repeat", "")
            self.body(1, 3)

    # -- the function -------------------------------------------------------------------------------------------------

    def program(self) -> RandomProgram:
        shapes = [self.pick(SHAPES) for _ in range(self.rng.randint(2, 4))]
        names = "abcd"[: len(shapes)]
        single = [self.chance(0.5) for _ in shapes] if self.chance(0.12) else [False] * len(shapes)
        self.arrays |= dict(zip(names, shapes, strict=True))
        self.scalars.append("t")
        for _ in range(self.rng.randint(3, 8)):
            self.statement()
        terms = [f"np.sum({self.array(self.arrays[n], 1)} * {n})" for n in list(self.arrays)[-4:]]
        self.line(f"return {' + '.join([*terms, *self.scalars[-2:]])}")
        arrays = ", ".join(
            f"np.sin(1.3 * np.arange({_size(s)}) + {k}).reshape{s}{'.astype(np.float32)' * f}"
            for k, (s, f) in enumerate(zip(shapes, single, strict=True))
        )
        source = f"def {self.name}({', '.join(names)}, t):\n" + "\n".join(self.lines)
        source += f"\n\n\ndef {self.name}_args():\n    return {arrays}, 0.6"
        if any(single):
            self.counts["mixed_precision"] += 1
        return RandomProgram(self.name, source, self.counts, tuple(range(len(shapes) + 1)), any(single))


def _size(shape: Shape) -> int:
    found = 1
    for n in shape:
        found *= n
    return found
