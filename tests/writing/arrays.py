"""Statements on arrays: elements, slices, views, swaps."""

from dataclasses import replace

from tests.writing.base import Arr
from tests.writing.numbers import Numbers


class Arrays(Numbers):
    """Writes stores and new arrays."""

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
