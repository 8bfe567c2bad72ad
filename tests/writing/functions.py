"""Inner functions, and calls of helpers that change or view their argument."""

from tests.writing.base import Arr
from tests.writing.numbers import Numbers


class Functions(Numbers):
    """Writes inner functions."""

    def inner(self):
        if self.loops or self.indent > 1:
            return False
        name = self.fresh("g")
        self.use("closure")
        if self.chance(0.3):
            saved = self.env.floats
            self.env.floats = [*saved, "v"]
            text = f"{name} = lambda v: {self.expression()}"
            self.env.floats = saved
            self.line(text)
            self.env.functions.append(name)
            return None
        arguments = "v" if self.chance(0.7) else "v, factor=0.5"
        self.line(f"def {name}({arguments}):")
        self.functions_deep += 1
        loops, self.loops = self.loops, []
        with self.block(3):
            outer = set(self.env.floats)
            self.env.fixed |= outer | set(self.env.arrays) | set(self.env.ints) | set(self.env.tuples)
            self.env.floats.append("v")
            if "factor" in arguments:
                self.env.floats.append("factor")
                self.env.fixed.add("factor")
            for _ in range(self.rng.randint(0, 2)):
                self.pick((self.assign, self.augment, self.store, self.update))()
            if self.chance(0.25):
                self.use("early_return")
                self.line(f"if {self.condition(1)}:")
                self.line(f"    return {self.expression()}")
            self.line(f"return {self.expression()}")
        self.loops = loops
        self.functions_deep -= 1
        self.env.functions.append(name)
        return None

    def call_statement(self):
        names = [k for k in self.writable(1) if self.env.arrays[k].shape[0] > 1]
        if not names:
            return False
        name = self.pick(names)
        if self.chance(0.6):
            self.use("helper_stores")
            self.line(f"put({name}, {self.rng.randint(1, self.env.arrays[name].shape[0] - 1)}, {self.expression()})")
        else:
            self.use("helper_returns_view")
            view = self.fresh("w")
            self.line(f"{view} = tail({name})")
            self.env.arrays[view] = Arr((self.env.arrays[name].shape[0] - 1,), self.fresh("?"), False)
        return None
