"""The IR as text, for people and for tests of passes."""

from zygopy.transform.ir import (
    Block,
    Call,
    Check,
    Const,
    For,
    Function,
    If,
    Kernel,
    Let,
    Pop,
    Print,
    Push,
    Statement,
    Store,
    Value,
    Var,
    While,
    leaves,
)


def show(function: Function) -> str:
    """A function's IR, one statement a line, variables numbered where their names repeat."""
    return "\n\n".join([*(show(kept) for _, kept in function.callees), _show(function)])


def _show(function: Function) -> str:
    namer = _Namer()
    params = ", ".join(f"{namer(v)}: {v.type}" for p in function.params for v in leaves(p.leaves))
    return "\n".join([f"function {function.name}({params})", *_block(function.body, namer, 1, "return")])


class _Namer:
    def __init__(self):
        self.names: dict[Var, str] = {}
        self.used: dict[str, int] = {}

    def __call__(self, value: Value) -> str:
        if isinstance(value, Const):
            return repr(value.value) if value.type.weak else f"{value.type}({value.value.item()!r})"
        if value not in self.names:
            count = self.used[value.name] = self.used.get(value.name, 0) + 1
            self.names[value] = value.name if count == 1 else f"{value.name}.{count}"
        return self.names[value]

    def list(self, values) -> str:
        return ", ".join(self(v) for v in values)


def _block(block: Block, n: _Namer, depth: int, word: str = "yield") -> list[str]:
    lines = [line for s in block.statements for line in _statement(s, n, depth)]
    if block.yields:
        lines.append("  " * depth + f"{word} {n.list(block.yields)}")
    return lines


def _statement(s: Statement, n: _Namer, depth: int) -> list[str]:
    pad = "  " * depth
    match s:
        case Let():
            return [f"{pad}{n(s.var)}: {s.var.type} = {s.op}({n.list(s.args)})"]
        case Store():
            return [f"{pad}{n(s.array)}[{n.list(s.index)}] {'+=' if s.add else '='} {n(s.value)}"]
        case Kernel():
            return [f"{pad}{n.list(s.outs)} <- {s.op}({n.list(s.args)})"]
        case Call():
            return [f"{pad}{n.list(s.results)}{' = ' * bool(s.results)}call {s.callee.name}({n.list(s.args)})"]
        case For():
            kept = "" if s.snapshots is None else f" ({n(s.snapshots)} snapshots)"
            head = f"{pad}for {n(s.index)} in {n(s.start)}:{n(s.stop)}:{n(s.step)}{kept}{_carried(s, n)}"
            return [head, *_block(s.body, n, depth + 1), *_results(s, n, pad)]
        case While():
            head = f"{pad}while{_carried(s, n)}"
            test = _block(s.test, n, depth + 1, "test")
            return [head, *test, f"{pad}do", *_block(s.body, n, depth + 1), *_results(s, n, pad)]
        case If():
            lines = [f"{pad}if {n(s.test)}", *_block(s.then, n, depth + 1)]
            if s.orelse.statements or s.orelse.yields:
                lines += [f"{pad}else", *_block(s.orelse, n, depth + 1)]
            return lines + _results(s, n, pad)
        case Check():
            return [f"{pad}check {n(s.test)} else {s.error.__name__}"]
        case Print():
            return [f"{pad}print {n.list(s.args)}"]
        case Push():
            return [f"{pad}push {n(s.stack)} <- {n.list(s.values)}"]
        case Pop():
            return [f"{pad}{n.list(s.vars)} = pop {n(s.stack)}"]
    raise AssertionError(s)


def _carried(s: For | While, n: _Namer) -> str:
    pairs = [f"{n(p)}: {p.type} = {n(i)}" for p, i in zip(s.params, s.inits, strict=True)]
    return f" with {', '.join(pairs)}" if pairs else ""


def _results(s: For | While | If, n: _Namer, pad: str) -> list[str]:
    return [f"{pad}end -> {n.list(s.results)}"] if s.results else []
