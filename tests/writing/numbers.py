"""Expressions of numbers, and calls: each a text with a bound of its value."""

from tests.writing.base import BOUND, Writer


class Numbers(Writer):
    """Writes expressions."""

    # -- numbers -------------------------------------------------------------------------------------------------------

    def constant(self) -> tuple[str, float]:
        self.use("constant")
        value = round(self.rng.uniform(0.2, 2.0), 2) * self.pick((1, 1, -1))
        return (str(value), abs(value)) if self.chance(0.8) else (str(n := self.rng.randint(1, 3)), n)

    def leaf(self) -> tuple[str, float]:
        env, options = self.env, []
        if env.floats:
            options += ["float"] * 6
        if env.arrays:
            options += ["element"] * 5
        if env.tuples:
            options += ["item"] * 2
        options += ["constant", "int", "global"]
        match self.pick(options):
            case "float":
                return self.pick(env.floats), BOUND
            case "element":
                return self.element(), BOUND
            case "item":
                name = self.pick(env.tuples)
                self.use("tuple_index")
                return f"{name}[{self.rng.randrange(-env.tuples[name], env.tuples[name])}]", BOUND
            case "int" if env.ints:
                name = self.pick(env.ints)
                return name, float(max(map(abs, env.ints[name])))
            case "global":
                return self.from_globals()
        return self.constant()

    def from_globals(self) -> tuple[str, float]:
        self.use("module_constant")
        options = ["SCALE", "COUNT", "PAIR[1]", "math.pi"]
        if not self.single:
            self.use("captured_array")
            options += ["TABLE[2]", f"TABLE[{self.index(4)}]"]
        return self.pick(options), BOUND

    def element(self, name: str = "") -> str:
        name = name or self.pick(self.env.arrays)
        arr = self.env.arrays[name]
        indices = [self.index(n) for n in arr.shape]
        self.use(f"read_rank{len(arr.shape)}")
        if len(indices) == 2 and self.chance(0.15):
            return f"{name}[{indices[0]}][{indices[1]}]"
        return f"{name}[{', '.join(indices)}]"

    def index(self, n: int) -> str:
        """Text of an index of an axis of length n, in range."""
        options = []
        for name, (low, high) in self.env.ints.items():
            if 0 <= low and high < n:
                options += [name] * 6
                if high + 1 < n:
                    options.append(f"{name} + 1")
                if low >= 1:
                    options += [f"{name} - 1"] * 2
            options.append(f"({name} * {self.rng.randint(1, 3)} + {self.rng.randint(0, 3)}) % {n}")
            if -n <= low and high < n and low < 0:
                options.append(name)
            if 0 <= low and high < n:
                options += [f"-1 - {name}", f"{n - 1} - {name}"]
        if options and self.chance(0.75):
            return self.pick(options)
        if self.env.floats and self.chance(0.06):
            self.use("data_dependent_index")
            return f"int(abs({self.pick(self.env.floats)}) * 3) % {n}"
        k = self.rng.randrange(-n, n)
        if k < 0:
            self.use("negative_index")
        return str(k)

    def number(self, depth: int = 2) -> tuple[str, float]:
        """A float expression and a bound of its value."""
        if depth <= 0 or self.chance(0.15):
            return self.leaf()
        kinds = "+ - * / f1 f1 f1 f2 neg pow % // abs minmax ternary call call cond shape".split()
        a, m = self.number(depth - 1)
        match self.pick(kinds):
            case ("+" | "-") as op:
                b, k = self.number(depth - 1)
                return f"({a} {op} {b})", m + k
            case "*":
                b, k = self.number(depth - 1)
                return f"({a} * {b})", m * k
            case "/":
                b, k = self.number(depth - 1)
                self.use("division")
                return (f"({a} / (1 + {b} * {b}))", m) if self.chance(0.7) else (f"({a} / ({b} + {k + 1:.2f}))", m)
            case "f1":
                return self.function_of_one(a, m)
            case "f2":
                return self.function_of_two(a, m, *self.number(depth - 1))
            case "neg":
                return f"(-{a})", m
            case "pow":
                return self.power(a, m)
            case "%":
                self.use("modulo")
                b = round(self.rng.uniform(0.5, 2.5), 1)
                return (f"({a} % {b})", b) if self.chance(0.8) else (f"({a} % -{b})", b)
            case "//":
                self.use("floordiv")
                return f"({a} // 1.5 * 0.25)", m / 6 + 1
            case "abs":
                self.use("abs")
                return (f"abs({a})", m) if self.chance(0.6) else (f"math.fabs({a})", m)
            case "minmax":
                return self.extremum(a, m, depth)
            case "ternary":
                b, k = self.number(depth - 1)
                self.use("ternary")
                return f"({a} if {self.condition(1)} else {b})", max(m, k)
            case "call":
                return self.call(depth)
            case "cond":
                return self.from_condition(a, m)
            case "shape" if self.env.arrays:
                return self.from_shape(a, m)
        return a, m

    def from_condition(self, a: str, m: float) -> tuple[str, float]:
        if self.chance(0.5):
            self.use("bool_as_number")
            return f"(float({self.condition(1)}) * {a})", m
        b, k = self.leaf()
        self.use("or_as_value")
        return f"({b} {self.pick(('or', 'and'))} {a})", max(m, k)

    def from_shape(self, a: str, m: float) -> tuple[str, float]:
        name = self.pick(self.env.arrays)
        arr = self.env.arrays[name]
        attribute = self.pick(("len", "shape", "size", "ndim"))
        self.use(f"attribute_{attribute}")
        text = {"len": f"len({name})", "shape": f"{name}.shape[-1]"}.get(attribute, f"{name}.{attribute}")
        size = arr.shape[0] * (arr.shape[1] if len(arr.shape) > 1 else 1)
        return f"({a} / {text})", m if size else m

    def power(self, a: str, m: float) -> tuple[str, float]:
        self.use("power")
        match self.rng.randrange(6):
            case 0:
                return f"{a} ** 2", m**2
            case 1:
                return f"({a}) ** 3", m**3
            case 2:
                return f"(1.5 + abs({a})) ** -1", 1.0
            case 3:
                b, k = self.leaf()
                return f"(0.5 + abs({a})) ** ({b} * 0.5)", (m + 2) ** (k * 0.5 + 1)
            case 4:
                return f"2 ** ({a} * 0.25)", 2 ** (m * 0.25)
        return f"({a}) ** 0", 1.0

    def extremum(self, a: str, m: float, depth: int) -> tuple[str, float]:
        b, k = self.number(depth - 1)
        function = self.pick(("max", "min"))
        self.use(function)
        if self.single or self.chance(0.7):
            third = f", {self.constant()[0]}" if self.chance(0.25) else ""
            return f"{function}({a}, {b}{third})", max(m, k, 3.0)
        return f"np.{function}imum({a}, {b})", max(m, k)

    _ONE = (  # text, whether NumPy has it under this name, bound as a function of the argument's
        ("sin({})", 1, lambda m: 1), ("cos({})", 1, lambda m: 1), ("tanh({})", 1, lambda m: 1),
        ("exp(-abs({}))", 1, lambda m: 1), ("sqrt(1 + {0} * {0})", 1, lambda m: 1 + m),
        ("log1p(abs({}))", 1, lambda m: m),
        ("log(1.5 + abs({}))", 1, lambda m: 1 + m), ("expm1(sin({}))", 1, lambda m: 2),
        ("cosh(sin({}))", 1, lambda m: 2),
        ("sinh(cos({}))", 1, lambda m: 2), ("cbrt(2 + sin({}))", 1, lambda m: 2), ("exp2(cos({}))", 1, lambda m: 2),
        ("log2(2 + cos({}))", 1, lambda m: 2), ("log10(2 + sin({}))", 1, lambda m: 1),
        ("tan(0.9 * sin({}))", 1, lambda m: 1.5),
        ("erf({})", 0, lambda m: 1), ("atan({})", 0, lambda m: 1.6), ("asin(0.9 * sin({}))", 0, lambda m: 1.2),
        ("asinh({})", 0, lambda m: m), ("lgamma(2 + abs(sin({})))", 0, lambda m: 1), ("arctan({})", 2, lambda m: 1.6),
        ("square({})", 2, lambda m: m * m), ("arcsinh({})", 2, lambda m: m), ("sign({})", 2, lambda m: 1),
        ("floor({})", 2, lambda m: m + 1), ("reciprocal(2.0 + sin({}))", 2, lambda m: 1),
    )  # fmt: skip

    def function_of_one(self, a: str, m: float) -> tuple[str, float]:
        text, where, bound = self.pick(self._ONE)
        if text == "tanh({})" and self.chance(0.2):
            self.use("imported_function")
            return f"tanh({a})", 1.0
        numpy = where == 2 or (where == 1 and self.chance(0.4))
        if self.single and numpy:
            text, numpy, bound = "sin({})", False, lambda m: 1
        prefix = "np." if numpy else "math."
        self.use("np_function" if numpy else "math_function")
        inner = text.format(a).replace("(sin(", f"({prefix}sin(").replace("* sin(", f"* {prefix}sin(")
        for name in ("sin", "cos", "abs(sin"):
            inner = inner.replace(f"+ {name}(", f"+ {prefix}{name}(").replace(f"({name}(", f"({prefix}{name}(")
        inner = inner.replace(f"{prefix}abs(sin", f"abs({prefix}sin")
        return prefix + inner, float(bound(m))

    def function_of_two(self, a: str, m: float, b: str, k: float) -> tuple[str, float]:
        self.use("function_of_two")
        module, at = ("math", "atan2") if self.single or self.chance(0.5) else ("np", "arctan2")
        match self.rng.randrange(4):
            case 0:
                return f"{module}.hypot({a}, 1 + abs({b}))", m + k + 1
            case 1:
                return f"{module}.{at}({a}, 2 + abs({b}))", 1.6
            case 2:
                return f"math.fmod({a}, 1.5 + abs({b}))", m
        return f"{module}.copysign({a}, {b})", m

    def fit(self, number: tuple[str, float], bound: float = BOUND) -> str:
        """The expression, squashed into +-bound where it may leave it."""
        text, m = number
        if m <= bound:
            return text
        self.use("squashed")
        if bound >= 1 and self.chance(0.6):
            return f"math.{self.pick(('sin', 'tanh', 'cos'))}({text})"
        return f"({text}) * {bound / m:.3g}"

    def expression(self, bound: float = BOUND, depth: int = 2) -> str:
        return self.fit(self.number(depth), bound * 0.99)

    def condition(self, depth: int = 2) -> str:
        kinds = ["compare"] * 4 + ["chained", "and", "or", "not", "bool", "int"]
        match self.pick(kinds) if depth else "compare":
            case "chained":
                self.use("chained_comparison")
                return f"{self.leaf()[0]} < {self.number(1)[0]} <= {self.leaf()[0]}"
            case ("and" | "or") as op:
                self.use(op)
                return f"({self.condition(depth - 1)} {op} {self.condition(depth - 1)})"
            case "not":
                self.use("not")
                return f"not ({self.condition(depth - 1)})"
            case "bool" if self.env.bools:
                return self.pick(self.env.bools)
            case "int" if self.env.ints:
                name = self.pick(self.env.ints)
                return self.pick((f"{name} % 2 == 0", f"{name} != 1", f"{name} >= 2"))
        return f"{self.number(1)[0]} {self.pick(('<', '<=', '>', '>='))} {self.leaf()[0]}"

    # -- calls ---------------------------------------------------------------------------------------------------------

    def call(self, depth: int) -> tuple[str, float]:
        a = self.expression(depth=depth - 1)
        options = ["helper", "keyword", "compiled", "passed", "star", "lambda", "partial", "operator"]
        if self.env.functions:
            options += ["inner"] * 4
        rows = [n for n, arr in self.env.arrays.items() if len(arr.shape) == 1]
        options += ["loop_helper"] if rows and not self.single else []
        match self.pick(options):
            case "inner":
                self.use("inner_function")
                return f"{self.pick(self.env.functions)}({a})", BOUND
            case "keyword":
                self.use("keyword_argument")
                return f"mixed({a}, weight={self.leaf()[0]})", BOUND
            case "compiled" if not self.single:
                self.use("njit_helper")
                return f"compiled({a}, {self.leaf()[0]})", BOUND
            case "passed":
                self.use("function_argument", "lambda")
                f = self.pick(["math.sin", "damp", "lambda v: v * 0.5 + 0.1", *self.env.functions])
                return f"apply({f}, {a})", BOUND
            case "star":
                self.use("starred_call")
                return f"mean_of({a}, *({self.leaf()[0]}, {self.leaf()[0]}))", BOUND
            case "lambda":
                self.use("lambda")
                return f"(lambda v: v * {self.leaf()[0]} * 0.2)({a})", BOUND
            case "partial":
                self.use("partial")
                return f"partial(damp, k=0.75)({a})", 1.0
            case "operator":
                self.use("operator_module")
                return f"operator.mul({a}, {self.leaf()[0]})", BOUND * BOUND
            case "loop_helper":
                self.use("helper_returns_in_loop")
                return f"first_above({self.pick(rows)}, {a})", BOUND
        self.use("helper", "default_argument")
        return (f"damp({a})", 1.0) if self.chance(0.5) else (f"damp({a}, k={self.leaf()[0]})", BOUND)
