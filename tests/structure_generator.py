"""Random programs of structures and calls: shared and changed objects, methods, closures, *args, comprehensions.

Lists grow, functions call themselves, calls are checkpointed.
Kinks (max, branches) are fine: the oracle says where a point is too near to one.
"""

import random
from collections import Counter

from tests import crowd_generator, growing_generator
from tests.writing.base import RandomProgram

PRELUDE = '''\
from collections import namedtuple
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from zygopy import checkpoint


class Pair(NamedTuple):
    a: float
    b: float = 0.5

    def mixed(self, k=0.3):
        return self.a * k + np.sin(self.b)

    @property
    def turned(self):
        return Pair(self.b, -self.a)

    def __add__(self, other):
        return Pair(self.a + other.a, np.tanh(self.b + other.b))


@dataclass
class Node:
    a: float
    b: list
    scale: float = 1.5

    def bump(self, x):
        self.a = self.a * 0.5 + x
        return self.a

    def __call__(self, x, *, power=1):
        return np.tanh(self.a * x**power)

    @property
    def last(self):
        return self.b[-1]

    @classmethod
    def of(cls, x):
        return cls(x, [x, 0.5])


@dataclass
class Leaf(Node):
    kind: str = "leaf"
    more: list = field(default_factory=lambda: [0.1])

    def bump(self, x):
        self.more[0] = x
        return super().bump(x) + 0.1 * sum(self.more)


@dataclass(frozen=True)
class Fixed:
    v: np.ndarray
    k: float = 2.0

    def __post_init__(self):
        object.__setattr__(self, "k", np.sin(self.k))

    def dot(self, other):
        return np.sum(self.v * other.v) * self.k


def touch(o, x):
    """Change an object behind its owner's back."""
    o[0] = o[0] * 0.5 + x
    return o[-1]


def chosen(a, b, x):
    """One of two objects."""
    if x > 0.5:
        return a
    return b


def grown(items):
    """Another list, by way of lists of other lengths."""
    copied = items.copy()
    copied.append(copied[0])
    copied.insert(0, 0.5 * copied.pop())
    return [v * 1.5 for v in copied[:2]]


def spread(*args, scale=1.0, **rest):
    total = 0.0
    for k, v in enumerate(args):
        total += np.sin(v) * (k + 1)
    return total * scale + sum(v for _, v in rest.items())


def twice(f, x):
    return f(f(x) * 0.5)


def scaled_by(k):
    def scaled(x, shift=0.0):
        return np.tanh(k * x) + shift

    return scaled


@checkpoint
def kept(x, y):
    for _ in range(2):
        x = np.tanh(x * y) + y
    return x


def power(x, k):
    return 1.0 if k <= 0 else np.tanh(x) * power(x * 0.9, k - 1)


def tree(a):
    if len(a) == 1:
        return np.sin(a[0])
    middle = len(a) // 2
    return np.tanh(tree(a[:middle]) + 0.5 * tree(a[middle:]))


def fold(f, items, start):
    for v in items:
        start = f(start, v)
    return start
'''
_GROWING = ("grown", "rows", "crowd", "table")
UNARY = ("np.sin({})", "np.tanh({})", "np.exp(-{} ** 2)", "-{}", "abs({})", "{} * 0.5", "np.cos({}) * 0.7")


def generate(seed: int, compiled: bool = False) -> RandomProgram:
    """The program of a seed; compiled ones are the same."""
    return _Writer(seed).program()


class _Writer:
    """Writes one program of x, y, an array, a pair and a count; its names are of the kinds below."""

    def __init__(self, seed: int):
        self.random = random.Random(f"structures {seed}")
        self.name = f"f{seed}"
        self.lines: list[str] = []
        self.names: dict[str, list[str]] = {"number": ["x", "y"], "array": ["v"], "pair": []}
        self.names |= {"grown": [], "rows": [], "crowd": [], "table": []}
        self.names |= {"list": [], "dict": [], "node": [], "leaf": [], "fixed": [], "function": []}
        self.counts: Counter = Counter()
        self.made = 0

    def one_of(self, choices: dict[str, str]) -> str:
        """One of some texts, named by what they show."""
        name = self.random.choice(list(choices))
        self.counts[name] += 1
        return choices[name]

    def known(self, kind: str) -> str | None:
        names = self.names[kind]
        return self.random.choice(names) if names else None

    # -- expressions -------------------------------------------------------------------------------------------------

    def atom(self) -> str:
        choices = {"constant": self.random.choice(["0.5", "1.5", "2.0"]), "name": self.known("number")}
        if o := self.known("list"):
            choices |= {"list item": f"{o}[{self.random.choice([0, 1, -1])}]", "len": f"len({o})"}
        if o := self.known("dict"):
            choices |= {"dict item": f'{o}["v"]', "nested item": f'{o}["l"][0]', "get": f'{o}.get("none", 0.7)'}
        if o := self.known("node"):
            choices |= {"attribute": f"{o}.a", "property": f"{o}.last", "default field": f"{o}.scale"}
        if o := self.known("leaf"):
            choices |= {"inherited": f"{o}.a", "default_factory": f"sum({o}.more)"}
        if o := self.known("pair"):
            choices |= {"NamedTuple": f"{o}.a", "by position": f"{o}[1]", "property of a tuple": f"{o}.turned.a"}
        if o := self.known("array"):
            choices |= {"element": f"{o}[{self.random.choice([0, 1, -1])}]"}
        choices |= growing_generator.atoms(self) | crowd_generator.atoms(self)
        return self.one_of({k: v for k, v in choices.items() if v is not None})

    def number(self, depth: int = 0) -> str:
        if depth > 1 or self.random.random() < 0.35:
            return self.atom()
        a, b = self.atom(), self.number(depth + 1)
        choices = {
            "product": f"{a} * {b}",
            "difference": f"({a} - {b})",
            "unary": self.random.choice(UNARY).format(f"({b})"),
            "conditional": f"({a} if {b} > 0.6 else 0.3)",
            "star args": f"spread({a}, {b}, scale={self.atom()})",
            "kwargs": f"spread({a}, u={b})",
            "unpacked args": f"spread(*[{a}, {b}], **{{'scale': {self.atom()}}})",
            "lambda": f"twice(lambda t: np.sin(t) * {a}, {b})",
            "partial": f"twice(partial(spread, {a}), {b})",
            "sum of generator": f"sum(t * {a} for t in ({b}, 0.3))",
            "max of generator": f"max(t + {a} for t in ({b}, {a}, 0.1))",
            "any": f"(1.0 if any(t > 0.8 for t in ({a}, {b})) else 0.5)",
            "comprehension of range": f"sum([{a} * k for k in range(3)])",
            "filtered": f"sum(t for k, t in enumerate([{a}, {b}, 0.2]) if k != 1)",
            "fold": f"fold(lambda s, t: np.sin(s) * 0.5 + t, [{a}, {b}], 0.1)",
            "starred": f"(lambda first, *rest: first * rest[-1])({a}, 0.5, {b})",
            "recursion": f"power({b}, n)",
            "checkpoint": f"kept({a}, {b})",
            "checkpoint of a lambda": f"checkpoint(lambda t: np.sin(t) * {a})({b})",
        }
        if f := self.known("function"):
            choices |= {
                "closure": f"{f}({b})",
                "closure with keyword": f"{f}({b}, shift={a})",
                "passed": f"twice({f}, {b})",
            }
        if o := self.known("list"):
            choices |= {
                "zip": f"sum(p * q for p, q in zip({o}, [{a}, {b}]))",
                "list comprehension": f"[t * {a} for t in {o}][0]",
            }
            choices |= {"np.array of list": f"np.sum(np.array({o}) * {a})", "unpacked list": f"spread(*{o})"}
            choices |= {"min": f"min({a}, *{o})", "sorted length": f"len({o} + [{a}]) * {b}", "slice": f"sum({o}[1:])"}
        if o := self.known("node"):
            choices |= {"checkpoint of an object": f"checkpoint({o})({b})"}
            choices |= {"call": f"{o}({b})", "keyword only": f"{o}({b}, power=2)", "bound method": f"twice({o}, {a})"}
            choices |= {"replace": f"replace({o}, a={b}).a", "classmethod": f"Node.of({b}).b[0]"}
        if o := self.known("leaf"):
            choices |= {
                "overridden": f"({o}.bump({a}) if {b} > 0.4 else {o}.last)",
                "isinstance": f"({a} if isinstance({o}, Node) else 0.0)",
            }
        if o := self.known("pair"):
            choices |= {
                "method": f"{o}.mixed()",
                "method with keyword": f"{o}.mixed(k={b})",
                "operator": f"({o} + Pair({a})).b",
            }
            choices |= {"_replace": f"{o}._replace(b={b}).mixed()", "sum of tuple": f"sum({o})"}
        if o := self.known("dict"):
            choices |= {"values": f'sum(t for k, t in {o}.items() if k != "l")', "in": f'({a} if "v" in {o} else {b})'}
        if o := self.known("fixed"):
            choices |= {"frozen": f"{o}.dot({o})", "array attribute": f"np.sum({o}.v * {a})", "field": f"{o}.k * {b}"}
        if o := self.known("array"):
            choices |= {"recursion over an array": f"tree({o}) * {a}"}
            choices |= {"np.sum": f"np.sum(np.tanh({o} * {a}))", "dict of arrays": f'np.sum({{"w": {o}}}["w"] * {b})'}
            choices |= {
                "np.stack": f"np.sum(np.stack([{o}, {o} * {a}])[1])",
                "unrolled": f"sum(np.sum({o}) * k for k in ({a}, {b}))",
            }
        choices |= growing_generator.numbers(self, a, b) | crowd_generator.numbers(self, a, b)
        return self.one_of(choices)

    def object(self, kind: str, depth: int = 0) -> str:
        """An expression of an object: an old one, or a new one."""
        old = list(self.names[kind])
        if kind == "list":
            old += [f'{d}["l"]' for d in self.names["dict"]] + [f"{o}.b" for o in self.names["node"]]
        old += crowd_generator.objects(self, kind)
        if len(old) > 1 and kind in ("list", "dict", "node") and self.random.random() < 0.15:
            first, second = self.random.sample(old, 2)
            self.counts["chosen object"] += 1
            conditional = f"({first} if {self.number(1)} > 0.6 else {second})"
            return self.random.choice([f"chosen({first}, {second}, {self.number(1)})", conditional])
        if old and self.random.random() < 0.4:
            self.counts["shared object"] += 1
            return self.random.choice(old)
        if old and kind == "list" and self.random.random() < 0.2:
            return f"grown({self.random.choice(old)})"
        a, b = self.number(1), self.number(1)
        match kind:
            case "list":
                return self.random.choice([f"[{a}, {b}]", f"[t * {a} for t in (0.5, {b})]", f"list(({a}, {b}))"])
            case "dict":
                inner = self.object("list", depth + 1) if depth < 2 else f"[{a}, {b}]"
                text = f'{{"v": {a}, "l": {inner}}}'
                return self.random.choice([text, f"dict(v={a}, l={inner})"])
            case "node":
                return self.random.choice([f"Node({a}, {self.object('list', depth + 1)})", f"Node.of({b})"])
            case "leaf":
                return f"Leaf({a}, [{b}, 0.2], kind='other')"
            case "pair":
                return self.random.choice(
                    [f"Pair({a}, {b})", f"Pair(b={b}, a={a})", f"Pair({a})", f"Pair(*[{a}, {b}])"]
                )
            case "fixed":
                return f"Fixed({self.known('array')} * {a}, {b})"
            case "array":
                return self.random.choice([f"np.array([{a}, {b}, 0.4])", f"np.tanh({self.known('array')} * {a})"])
            case "function":
                return self.random.choice([f"scaled_by({a})", f"partial(scaled_by({b}))"])
        raise AssertionError(kind)

    # -- statements --------------------------------------------------------------------------------------------------

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def new_name(self, kind: str) -> str:
        self.made += 1
        return f"{kind[0]}{self.made}"

    def bind(self, depth: int, kind: str) -> None:
        """Make an object, or give a known name another one."""
        known = [n for n in self.names[kind] if n not in ("x", "y", "v")]
        again = bool(known) and self.random.random() < 0.5 and kind not in ("function", "leaf", "fixed")
        if depth > 1 and not again:
            return  # bound on some paths only
        value = self.number() if kind == "number" else self.object(kind)
        name = self.random.choice(known) if again else self.new_name(kind)
        self.line(depth, f"{name} = np.tanh({value})" if kind == "number" else f"{name} = {value}")
        if not again:
            self.names[kind].append(name)

    def statement(self, depth: int) -> None:
        choice = self.random.random()
        if choice < 0.25 and depth < 3:
            self.nested(depth)
        elif choice < 0.55:
            self.bind(depth, self.random.choice([k for k in self.names if k not in _GROWING]))
        elif choice < 0.6:
            names = self.names[self.random.choice(["list", "dict", "node"])]
            if len(names) > 1:
                first, second = self.random.sample(names, 2)
                self.counts["swap"] += 1
                self.line(depth, f"{first}, {second} = {second}, {first}")
        elif choice < 0.65 and depth == 1:
            self.appended(depth)
        elif choice < 0.72 and depth == 1:
            self.random.choice([growing_generator, crowd_generator]).make(self, depth)
        else:
            self.change(depth)

    def appended(self, depth: int) -> None:
        """A list that grows in a loop of known length."""
        name = self.new_name("list")
        self.line(depth, f"{name} = []")
        self.line(depth, f"for k in {self.random.choice(['range(3)', '(0.5, 0.2, 1.0)'])}:")
        self.line(depth + 1, f"{name}.append(np.sin({self.number(1)} * k))")
        if self.random.random() < 0.4:
            self.line(depth, f"{name}.pop()")
        self.counts["append in a loop"] += 1
        self.names["list"].append(name)

    def change(self, depth: int) -> None:
        operator = self.random.choice(["=", "=", "+=", "-="])
        value = f"np.tanh({self.number()})"
        choices = {}
        if o := self.known("list"):
            choices |= {
                "store into list": f"{o}[{self.random.choice([0, 1])}] {operator} {value}",
                "helper changes": f"touch({o}, {value})",
            }
        if o := self.known("dict"):
            choices |= {
                "store into dict": f'{o}["v"] {operator} {value}',
                "nested store": f'{o}["l"][1] {operator} {value}',
            }
            choices |= {"store an object": f'{o}["l"] = {self.object("list")}', "update": f"{o}.update(v={value})"}
        if o := self.known("node"):
            choices |= {
                "store attribute": f"{o}.a {operator} {value}",
                "store through": f"{o}.b[0] {operator} {value}",
                "bump": f"{o}.bump({value})",
            }
            choices |= {"attribute object": f"{o}.b = {self.object('list')}"}
        choices |= growing_generator.changes(self, value) | crowd_generator.changes(self, value)
        if choices:
            self.line(depth, self.one_of(choices))

    def nested(self, depth: int) -> None:
        start = len(self.lines)
        kind = self.random.choice(["if", "else", "for", "unrolled", "while", "rows"])
        self.counts[f"block {kind}"] += 1
        match kind:
            case "if" | "else":
                self.line(depth, f"if {self.number()} > {self.random.choice([0.1, 0.7, 1.3])}:")
            case "for":
                self.line(depth, f"for k{depth} in range(n):")
            case "rows":
                self.line(depth, f"for k{depth} in {self.known('array')}:")
            case "while":
                self.line(depth, f"k{depth} = 0")
                self.line(depth, f"while k{depth} < n and {self.number()} < 2.0:")
                self.line(depth + 1, f"k{depth} += 1")
            case "unrolled":
                self.line(depth, f"for k{depth} in (1.0, 0.5):")
        for block in range(1 + (kind == "else")):
            if block:
                self.line(depth, "else:")
            before = len(self.lines)
            for _ in range(self.random.randint(1, 3)):
                self.statement(depth + 1)
            if len(self.lines) == before:
                self.line(depth + 1, "pass")
        if kind not in ("if", "else") and self.random.random() < 0.2 and len(self.lines) > start:
            self.line(depth + 1, f"if {self.number()} > 1.0:")
            self.line(depth + 2, self.random.choice(["break", "continue"]))

    def program(self) -> RandomProgram:
        self.line(0, f"def {self.name}(x, y, v, n):")
        kinds = ["list", "dict", "node", "pair", "fixed", "leaf", "function"]
        for kind in self.random.sample(kinds, 4):
            name = self.new_name(kind)
            self.line(1, f"{name} = {self.object(kind)}")
            self.names[kind].append(name)
        for _ in range(self.random.randint(4, 9)):
            self.statement(1)
        parts = [*self.names["number"], *(f"{o}[0] * 2 - np.sin({o}[1])" for o in self.names["list"])]
        parts += [f'{o}["v"] + {o}["l"][0] + 3 * {o}["l"][1]' for o in self.names["dict"]]
        parts += [f"{o}.a - {o}.b[0] * {o}.b[1]" for o in (*self.names["node"], *self.names["leaf"])]
        parts += [f"np.tanh(sum({o})) + len({o})" for o in self.names["grown"]]
        parts += [f"np.mean(np.stack({o})) + {o}[0][1]" for o in self.names["rows"]]
        parts += [f"np.tanh(sum(p.a * p.b[0] for p in {o})) + {o}[-1].a" for o in self.names["crowd"]]
        parts += [f"np.tanh(sum(r[0] * r[1] for r in {o})) + {o}[0][1]" for o in self.names["table"]]
        parts += [f"{o}.mixed()" for o in self.names["pair"]] + [f"{o}.dot({o})" for o in self.names["fixed"]]
        parts += [f"{o}(x)" for o in self.names["function"]] + [f"np.sum({o})" for o in self.names["array"]]
        self.line(1, f"return {' + '.join(parts)}")
        values = [round(self.random.uniform(0.2, 1.4), 3) for _ in range(5)]
        arguments = f"{values[0]}, {values[1]}, np.array({values[2:]}), {self.random.choice([0, 1, 2, 3])}"
        source = "\n".join(self.lines) + f"\n\n\ndef {self.name}_args():\n    return {arguments}\n"
        return RandomProgram(self.name, source, self.counts, (0, 1, 2), False)
