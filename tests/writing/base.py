"""What all parts of a writer share: the lines, what is bound, how often a line runs."""

import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

BOUND = 4.0  # of every float variable and array element
MIN_DEPTH, MAX_WORK = 3, 160


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


class Writer:
    """The lines of one function so far, and what is bound."""

    def __init__(self, rng: random.Random, name: str, compiled: bool):
        self.rng, self.name, self.compiled = rng, name, compiled
        self.env, self.lines, self.counts = Env(), [], Counter()
        self.indent = self.statements = self.deepest = self.serial = 0
        self.work, self.loops, self.escapes = 1, [], 0
        self.single = rng.random() < 0.06
        self.functions_deep = 0

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
