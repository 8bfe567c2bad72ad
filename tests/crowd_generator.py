"""What random programs of structures do with lists of objects that grow: of nodes ("crowd") and of lists ("table").

`w` is the writer of a program. Each list has an item from the start on, so that it may be read anywhere; the objects in
it may have other names, too.
"""


def atoms(w) -> dict[str, str]:
    """Numbers read from such lists."""
    choices = {}
    if o := w.known("crowd"):
        choices |= {
            "field of a node in a list": f"{o}[{w.random.choice([0, -1])}].a",
            "last of its list": f"{o}[0].last",
        }
        choices |= {"length of a list of nodes": f"len({o}) * 0.1"}
    if o := w.known("table"):
        choices |= {"element of a table": f"{o}[{w.random.choice([0, -1])}][{w.random.choice([0, 1])}]"}
    return choices


def numbers(w, a: str, b: str) -> dict[str, str]:
    """Numbers made of all items."""
    choices = {}
    if o := w.known("crowd"):
        choices |= {
            "sum over nodes": f"np.tanh(sum(p.a * {a} for p in {o}))",
            "calls of nodes": f"np.tanh(sum(p({b}) * 0.5**k for k, p in enumerate({o})))",
            "filtered nodes": f"len([p for p in {o} if p.a < {b}]) * {a}",
            "node or node": f"({a} if {o}[0].bump({b}) > 0.5 or {o}[-1].bump({a}) > 0.5 else {b})",
        }
        if n := w.known("node"):
            choices |= {"same node": f"({a} if {o}[-1] is {n} else {b})"}
    if o := w.known("table"):
        choices |= {
            "sum over a table": f"np.tanh(sum(r[0] * r[1] * {a} for r in {o}))",
            "sums of its lists": f"np.tanh(sum(sum(r) for r in reversed({o})) * {b})",
        }
    return choices


def objects(w, kind: str) -> list[str]:
    """Expressions of nodes and lists that are in such lists."""
    owner = w.known({"node": "crowd", "list": "table"}.get(kind, "function"))
    return [f"{owner}[{k}]" for k in (0, -1)] if owner is not None and kind in ("node", "list") else []


def make(w, depth: int) -> None:
    """A list of objects that grows in a loop of a length that only run time knows."""
    kind, item = w.random.choice([("crowd", "node"), ("table", "list")])
    first, name = w.object(item), w.new_name(kind)
    w.line(depth, f"{name} = [{first}]")
    w.line(depth, w.random.choice(["for k in range(n):", f"for k in {w.known('array')}:"]))
    if w.random.random() < 0.4:
        w.line(depth + 1, f"if {w.number(1)} > 0.5:")
        depth += 1
    w.line(depth + 1, f"{name}.append({w.object(item)})")
    w.counts[f"{kind} in a loop"] += 1
    w.names[kind].append(name)


def changes(w, value: str) -> dict[str, str]:
    """Statements that change such a list, or what is in it, and leave it an item."""
    choices = {}
    if o := w.known("crowd"):
        k, operator = w.random.choice([0, -1]), w.random.choice(["=", "+=", "-="])
        choices |= {
            "change a node in a list": f"{o}[{k}].a {operator} {value}",
            "change its list": f"{o}[{k}].b[1] {operator} {value}",
            "bump a node in a list": f"{o}[{k}].bump({value})",
            "change all nodes": f"for q in {o}: q.a = np.tanh(q.a * 0.5 + {value})",
            "append a node": f"{o}.append({w.object('node')})",
            "put a node twice": f"{o}[{k}] = {o}[{-1 - k}]",
            "turn a list of nodes": f"{o}.insert(0, {o}.pop())",
            "reverse a list of nodes": f"{o}.reverse()",
        }
    if o := w.known("table"):
        k, operator = w.random.choice([0, -1]), w.random.choice(["=", "+=", "-="])
        choices |= {
            "change a list in a list": f"{o}[{k}][1] {operator} {value}",
            "touch a list in a list": f"touch({o}[{k}], {value})",
            "append a list": f"{o}.append({w.object('list')})",
            "put a list twice": f"{o}[{k}] = {o}[{-1 - k}]",
            "touch all lists": f"for q in {o}: touch(q, {value})",
        }
    return choices
