"""Loops over ranges, arrays and tuples, while loops, and tuples that they carry."""

from tests.writing.base import MAX_WORK, MIN_DEPTH, Arr
from tests.writing.numbers import Numbers


class Loops(Numbers):
    """Writes loops."""

    # -- loops ---------------------------------------------------------------------------------------------------------

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
        elif (vectors := self.writable(1)) and self.chance(0.5):
            name = self.pick(vectors)
            element = f"{name}, {self.index(self.env.arrays[name].shape[0])}, {self.expression()}"
            extra = f" and moved({element}) < {self.rng.uniform(0.5, 3):.2f}"
            self.use("store_in_test")
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

    # -- tuples --------------------------------------------------------------------------------------------------------

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
