"""What random programs of structures do with lists that grow, of numbers ("grown") and of arrays ("rows").

`w` is the writer of a program. Each list has an item from the start on, so that it may be read anywhere.
"""


def atoms(w) -> dict[str, str]:
    """Numbers read from such lists."""
    choices = {}
    if o := w.known("grown"):
        choices |= {"item of a growing list": f"{o}[{w.random.choice([0, -1])}]", "its length": f"len({o}) * 0.1"}
    if o := w.known("rows"):
        choices |= {"element of a row": f"{o}[{w.random.choice([0, -1])}][{w.random.choice([0, 1])}]"}
    return choices


def numbers(w, a: str, b: str) -> dict[str, str]:
    """Numbers made of all items."""
    choices = {}
    if o := w.known("grown"):
        choices |= {
            "sum of a growing list": f"np.tanh(sum({o}) * {a})",
            "largest of a growing list": f"max({o}) * {b}",
            "array of a growing list": f"np.mean(np.array({o}) * {a})",
            "filtered growing list": f"np.tanh(sum([t * {a} for t in {o} if t < {b}]))",
            "backwards": f"sum(t * 0.5**k for k, t in enumerate(reversed({o})))",
            "sliced growing list": f"sum({o}[1:]) * 0.1 + len({o}[::2])",
            "two growing lists": f"np.tanh(sum(p * q for p, q in zip({o}, {w.known('grown')})))",
            "joined growing lists": f"np.tanh(sum({o} + [{a}, {b}]))",
        }
    if o := w.known("rows"):
        choices |= {
            "stacked rows": f"np.mean(np.stack({o}) * {a})",
            "sums of rows": f"np.tanh(sum(np.sum(h) * {b} for h in reversed({o})))",
            "joined rows": f"np.tanh(np.sum(np.concatenate({o}) * {a}))",
        }
    return choices


def make(w, depth: int) -> None:
    """A list that grows in a loop of a length that only run time knows."""
    kind = w.random.choice(["grown", "grown", "rows"])
    name, array = w.new_name(kind), w.known("array")
    first, more = w.number(1), w.number(1)
    if kind == "rows":
        w.line(depth, f"{name} = [{array} * {first}]")
        w.line(depth, w.random.choice(["for k in range(n):", f"for k in {array}:"]))
        w.line(depth + 1, f"{name}.append(np.tanh({name}[-1] * {more} + {array}))")
    else:
        w.line(depth, f"{name} = [{first}]")
        w.line(depth, w.random.choice(["for k in range(n):", f"for k in {array}:", f"while len({name}) < n + 2:"]))
        if w.random.random() < 0.4:
            w.line(depth + 1, f"{name}.append({name}[0] * 0.5)")
            w.line(depth + 1, f"if {w.number(1)} > 0.5:")
            depth += 1
        w.line(depth + 1, f"{name}.append(np.sin({name}[-1] * 0.7 + {more}))")
    w.counts[f"{kind} in a loop"] += 1
    w.names[kind].append(name)


def changes(w, value: str) -> dict[str, str]:
    """Statements that change such a list and leave it an item."""
    choices = {}
    if o := w.known("grown"):
        choices |= {
            "append": f"{o}.append({value})",
            "pop": f"{o}.append({o}.pop() * 0.5 + {value})",
            "pop if long": f"{o}[0] = ({o}.pop() if len({o}) > 2 else {o}[-1]) * 0.9",
            "insert": f"{o}.insert({w.random.choice([0, 1, -1])}, {value})",
            "store into a growing list": f"{o}[{w.random.choice([0, -1])}] {w.random.choice(['=', '+='])} {value}",
            "extend": f"{o}.extend({w.known('array')})",
            "longer by +=": f"{o} += [{value}, 0.2]",
            "reverse": f"{o}.reverse()",
            "clear": f"last = {value}; {o}.clear(); {o}.append(last)",
        }
    if o := w.known("rows"):
        choices |= {
            "append a row": f"{o}.append(np.tanh({w.known('array')} * {value}))",
            "pop a row": f"{o}.append({o}.pop() * {value})",
        }
    return choices
