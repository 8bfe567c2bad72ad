"""Random programs that make, share and change objects in branches and loops, for comparison with CPython."""

import linecache
import random
from dataclasses import dataclass


@dataclass
class Node:
    a: float
    b: object

    def bump(self, x):
        self.a = self.a * 0.5 + x
        return self.a


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


class Writer:
    """Writes one program of x and n; its variables are numbers, lists of two, dicts and Nodes with a list."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.names = {"number": ["x"], "list": [], "dict": [], "node": []}

    def pick(self, kind: str) -> str:
        return self.random.choice(self.names[kind])

    def number(self) -> str:
        """An expression."""
        choices = [f"{self.random.choice([0.5, 1.5, 2.0])}", self.pick("number")]
        choices += [f"{self.pick('list')}[{self.random.choice([0, 1, -1])}]"] if self.names["list"] else []
        if self.names["dict"]:
            choices += [f'{self.pick("dict")}["v"]', f'{self.pick("dict")}["l"][0]']
        if self.names["node"]:
            choices += [f"{self.pick('node')}.a", f"{self.pick('node')}.b[1]"]
        first, second = self.random.choice(choices), self.random.choice(choices)
        return self.random.choice([first, f"{first} * {second}", f"{first} - {second}", f"0.5 * {first} + {second}"])

    def object(self, kind: str) -> str:
        """An expression of an object: an old one, or a new one."""
        old = list(self.names[kind])
        if kind == "list":
            old += [f'{d}["l"]' for d in self.names["dict"]] + [f"{o}.b" for o in self.names["node"]]
        if len(old) > 1 and self.random.random() < 0.15:
            first, second = self.random.choice(old), self.random.choice(old)
            conditional = f"({first} if {self.number()} > 0.6 else {second})"
            return self.random.choice([f"chosen({first}, {second}, {self.number()})", conditional])
        if old and self.random.random() < 0.5:
            return self.random.choice(old)
        if old and kind == "list" and self.random.random() < 0.2:
            return f"grown({self.random.choice(old)})"
        if kind == "list":
            return f"[{self.number()}, {self.number()}]"
        if kind == "dict":
            return f'{{"v": {self.number()}, "l": {self.object("list")}}}'
        return f"Node({self.number()}, {self.object('list')})"

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def assigned(self, kind: str, fresh: bool) -> str:
        """The name of a variable to assign, a new one perhaps."""
        known = [name for name in self.names[kind] if name != "x"]
        if known and not fresh and self.random.random() < 0.6:
            return self.random.choice(known)
        return f"{kind[0]}{sum(map(len, self.names.values()))}"

    def statement(self, depth: int) -> None:
        choice = self.random.random()
        if choice < 0.25 and depth < 3:
            self.nested(depth)
        elif choice < 0.5:
            kind = self.random.choice(["number", "list", "dict", "node"])
            name, value = self.assigned(kind, False), self.number() if kind == "number" else self.object(kind)
            if depth > 1 and name not in self.names[kind]:
                return  # bound on some paths only
            self.line(depth, f"{name} = {value}")
            if name not in self.names[kind]:
                self.names[kind].append(name)
        elif choice < 0.55:
            self.swap(depth)
        else:
            self.change(depth)

    def swap(self, depth: int) -> None:
        names = self.names[self.random.choice(["list", "dict", "node"])]
        if len(names) > 1:
            first, second = self.random.sample(names, 2)
            self.line(depth, f"{first}, {second} = {second}, {first}")

    def change(self, depth: int) -> None:
        value, targets = self.number(), []
        operator = self.random.choice(["=", "=", "+=", "-="])
        value = f"0.5 * ({value})" if operator != "=" else value
        for name in self.names["list"]:
            targets += [f"{name}[{self.random.choice([0, 1])}] {operator} {value}", f"touch({name}, {value})"]
        for name in self.names["dict"]:
            targets += [f'{name}["v"] {operator} {value}', f'{name}["l"][1] {operator} {value}']
            targets += [f'{name}["l"] = {self.object("list")}']
        for name in self.names["node"]:
            targets += [f"{name}.a {operator} {value}", f"{name}.b[0] {operator} {value}", f"{name}.bump({value})"]
            targets += [f"{name}.b = {self.object('list')}"]
        if targets:
            self.line(depth, self.random.choice(targets))

    def nested(self, depth: int) -> None:
        start = len(self.lines)
        kind = self.random.choice(["if", "else", "for", "unrolled", "while"])
        if kind in ("if", "else"):
            self.line(depth, f"if {self.number()} > {self.random.choice([0.1, 0.7, 1.3])}:")
        elif kind == "for":
            self.line(depth, f"for k{depth} in range(n):")
        elif kind == "while":
            self.line(depth, f"k{depth} = 0")
            self.line(depth, f"while k{depth} < n and {self.number()} < 2.0:")
            self.line(depth + 1, f"k{depth} += 1")
        else:
            self.line(depth, f"for k{depth} in (1.0, 0.5):")
        for block in range(1 + (kind == "else")):
            if block:
                self.line(depth, "else:")
            before = len(self.lines)
            for _ in range(self.random.randint(1, 3)):
                self.statement(depth + 1)
            if len(self.lines) == before:
                self.line(depth + 1, "pass")
        if kind in ("for", "unrolled", "while") and self.random.random() < 0.2 and len(self.lines) > start:
            self.line(depth + 1, f"if {self.number()} > 1.0:")
            self.line(depth + 2, self.random.choice(["break", "continue"]))

    def text(self) -> str:
        self.line(0, "def program(x, n):")
        for kind in ("list", "dict", "node"):
            name = self.assigned(kind, True)
            self.line(1, f"{name} = {self.object(kind)}")
            self.names[kind].append(name)
        for _ in range(self.random.randint(3, 9)):
            self.statement(1)
        parts = [*self.names["number"], *(f"{v}[{k}] * {k + 2}" for v in self.names["list"] for k in (0, 1))]
        parts += [f'{d}["v"] + {d}["l"][0] + 3 * {d}["l"][1]' for d in self.names["dict"]]
        parts += [f"{o}.a - {o}.b[0] * {o}.b[1]" for o in self.names["node"]]
        self.line(1, f"return {' + '.join(parts)}")
        return "\n".join(self.lines) + "\n"


def program(seed: int):
    """A program, and its text."""
    text = Writer(seed).text()
    file = f"<structures {seed}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    namespace = {"Node": Node, "touch": touch, "chosen": chosen, "grown": grown}
    exec(compile(text, file, "exec"), namespace)
    return namespace["program"], text
