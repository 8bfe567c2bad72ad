"""Functions of any length, made by rule: straight code, and a loop with as long a body."""

import importlib.util
import os
import tempfile
from pathlib import Path

TEMPLATES = (
    "{new} = sin({a} + 0.5 * {b})",
    "{new} = {a} * {b} + 0.25",
    "{new} = {a} / (1.0 + {b} * {b})",
    "{new} = 0.5 * {a} - 0.25 * {b}",
    "{new} = cos({a}) * {b}",
)
STATE = 8


def statements(count: int, fresh: bool) -> list[str]:
    """`count` statements, each over the one before and an older one; they bind new variables or rebind the oldest."""
    recent = [f"s{k}" for k in range(STATE)]
    lines = []
    for k in range(count):
        new = f"v{k}" if fresh else recent[0]
        a, b = recent[-1], recent[-1 - (3 * k + 1) % STATE]
        lines.append(TEMPLATES[k % len(TEMPLATES)].format(new=new, a=a, b=b))
        recent = [*recent[1:], new]
    return [*lines, f"result = {' + '.join(recent)}"]


def _block(lines: list[str], depth: int) -> str:
    return "\n".join("    " * depth + line for line in lines)


STATE_NAMES = ", ".join(f"s{k}" for k in range(STATE))
START = [f"s{k} = 0.1 * x[{k}]" for k in range(STATE)]


def straight(count: int) -> str:
    return f"def fun(x):\n{_block([*START, *statements(count, fresh=True), 'return result'], 1)}\n"


def looped(count: int) -> str:
    *body, last = statements(count, fresh=False)
    head = _block([*START, "for i in range(len(x)):"], 1)
    return f"def fun(x):\n{head}\n{_block([f's{STATE - 1} += x[i]', *body], 2)}\n{_block([last, 'return result'], 1)}\n"


def looped_for_jax(count: int) -> str:
    """The same as a scan."""
    *body, last = statements(count, fresh=False)
    inner = _block([f"{STATE_NAMES} = carry", f"s{STATE - 1} += xi", *body, f"return ({STATE_NAMES}), None"], 2)
    tail = [f"({STATE_NAMES}), _ = scan(body, ({STATE_NAMES}), x)", last, "return result"]
    return f"def fun(x):\n{_block([*START, 'def body(carry, xi):'], 1)}\n{inner}\n{_block(tail, 1)}\n"


SCALAR = "from math import cos, sin\n\n\n"
JAX = "from jax.lax import scan\nfrom jax.numpy import cos, sin\n\n\n"


_directory = tempfile.TemporaryDirectory(prefix="benchmarks_")  # removed at exit


def load(source: str):
    """The function of a source text, from a file of its own (zygopy reads files)."""
    name = f"generated_{len(os.listdir(_directory.name))}"
    path = Path(_directory.name, f"{name}.py")
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fun
