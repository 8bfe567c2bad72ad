"""Statements on numbers, and branches."""

from tests.writing.base import MAX_WORK
from tests.writing.numbers import Numbers


class Scalars(Numbers):
    """Writes assignments and branches."""

    # -- scalars -------------------------------------------------------------------------------------------------------

    def assignable(self) -> list[str]:
        return [v for v in self.env.floats if v not in self.env.fixed]

    def bind_float(self, name: str) -> None:
        self.env.forget(name)
        self.env.floats.append(name)

    def assign(self):
        old = self.assignable()
        name = self.pick(old) if old and self.chance(0.55) else self.fresh("v")
        self.line(f"{name} = {self.expression(depth=self.rng.randint(1, 3))}")
        self.use("assignment")
        self.bind_float(name)

    def augment(self):
        if not (old := self.assignable()):
            return False
        name = self.pick(old)
        self.use("augmented_assignment")
        match self.rng.randrange(6):
            case 0 | 1:
                self.line(f"{name} *= 0.5")
                self.line(f"{name} {self.pick(('+=', '-='))} {self.expression(2.0)}")
            case 2:
                self.line(f"{name} *= {self.expression(1.0)}")
            case 3:
                self.line(f"{name} /= 1 + {self.leaf()[0]} ** 2")
            case 4:
                self.line(f"{name} = math.tanh({name})")
                self.line(f"{name} **= {self.pick((2, 3))}")
            case 5:
                self.line(f"{name} {self.pick(('%=', '//='))} 1.75")

    def swap(self):
        if len(old := self.assignable()) < 2:
            return False
        self.use("swap_in_loop" if self.loops else "swap")
        names = self.rng.sample(old, min(len(old), self.pick((2, 2, 3))))
        right = names[1:] + names[:1]
        if self.chance(0.3):
            right[0] = self.expression()
        self.line(f"{', '.join(names)} = {', '.join(right)}")

    def rebind(self):
        """An int that becomes a float."""
        self.use("int_then_float")
        name = self.fresh("r")
        self.line(f"{name} = {self.rng.randint(0, 2)}")
        trips = self.rng.randint(1, 4)
        if self.work * trips <= MAX_WORK and self.chance(0.7):
            self.line(f"for _ in range({trips}):")
            with self.block(trips, "for"):
                self.line(f"{name} = {name} * 0.5 + {self.expression(1.9)}")
        else:
            self.line(f"{name} = {name} * {self.expression(1.9)}")
        self.bind_float(name)

    def flag(self):
        name = self.fresh("q")
        self.use("bool_variable")
        self.line(f"{name} = {self.condition()}")
        self.env.bools.append(name)

    def check(self):
        match self.rng.randrange(3):
            case 0:
                self.use("assert")
                self.line(f"assert abs({self.leaf()[0]}) < 1000, 'too large'")
            case 1:
                self.use("raise")
                self.line(f"if abs({self.leaf()[0]}) > 1000:")
                self.line("    raise ValueError('too large')")
            case 2:
                if self.compiled:
                    return False
                self.use("print")
                self.line(f"print('value', {self.leaf()[0]})")

    def nothing(self):
        self.use("pass")
        self.line("pass")

    # -- branches ------------------------------------------------------------------------------------------------------

    def if_(self):
        self.use("if")
        outcomes = []
        self.line(f"if {self.condition()}:")
        outcomes.append(self.branch())
        while self.chance(0.3):
            self.use("elif")
            self.line(f"elif {self.condition()}:")
            outcomes.append(self.branch())
        if self.chance(0.6):
            self.use("else")
            self.line("else:")
            outcomes.append(self.branch())
            for name in set.intersection(*outcomes) - set(self.env.floats):
                self.use("bound_on_all_paths")
                self.bind_float(name)

    def branch(self) -> set[str]:
        """One arm; the floats that are bound behind it."""
        with self.block():
            self.several(1, 3)
            if self.chance(0.3):
                self.line(f"y{self.indent} = {self.expression()}")
                self.bind_float(f"y{self.indent}")
            return {v for v in self.env.floats if v not in self.env.fixed}

    def leave(self):
        """break, continue or return under a condition."""
        if self.functions_deep or self.indent == 1 and self.chance(0.6):
            return False
        options = ["return"]
        if self.loops:
            options = ["break"] * 3 + ["continue"] * 3 + ["return"]
        kind = self.pick(options)
        self.line(f"if {self.condition(1)}:")
        self.indent += 1
        if kind == "return":
            self.use("return_in_loop" if self.loops else "early_return")
            self.line(f"return {self.expression()}")
        else:
            if self.chance(0.4):
                self.assign_existing()
            self.use(kind)
            self.line(kind)
            self.escapes += 1
        self.indent -= 1

    def assign_existing(self) -> None:
        if old := self.assignable():
            self.line(f"{self.pick(old)} = {self.expression()}")
