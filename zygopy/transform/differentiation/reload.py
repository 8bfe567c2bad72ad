"""Whether memory still holds at its reverse use what a load read: no store that may meet the load comes between."""

from zygopy.transform import ops
from zygopy.transform.affine import Affine, Facts
from zygopy.transform.ir import Call, Const, For, Function, Kernel, Let, Store, Value, Var, While
from zygopy.transform.memory import AliasClasses, stored_arrays


class Clobbering:
    """Answers questions about the stores of a whole program."""

    def __init__(self, function: Function, layout, aliases: AliasClasses):
        self.layout, self.aliases = layout, aliases
        self.facts = Facts()
        self.stores: dict[Var, list[tuple[Store | Kernel | Call, tuple]]] = {}
        self.cache: dict[Var, bool] = {}
        self.paths: dict[int, tuple] = {}
        self._collect(function.body, ())

    def _collect(self, block, path) -> None:
        from zygopy.transform.ir import blocks

        for s in block.statements:
            self.paths[id(s)] = path
            match s:
                case Let():
                    self.facts.definitions[s.var] = s
                case Store() | Kernel() | Call() if not (isinstance(s, Kernel) and s.op is ops.ROOM):
                    for class_ in {self.aliases.of(array) for array in stored_arrays(s)}:
                        self.stores.setdefault(class_, []).append((s, path))
                case For():
                    self.facts.ranges[s.index] = (s.start, s.stop, s.step)
            for which, inner in enumerate(blocks(s)):
                self._collect(inner, (*path, (s.key, 1 if isinstance(s, For) else which)))

    def between_load_and_reverse(self, load: Let) -> bool:
        """Whether some store may change the loaded element before the reverse part reads it."""
        if load.var not in self.cache:
            stores = self.stores.get(self.aliases.of(load.args[0]), [])
            self.cache[load.var] = any(self._clobbers(store, path, load) for store, path in stores)
        return self.cache[load.var]

    def _clobbers(self, store: Store | Kernel | Call, store_path: tuple, load: Let) -> bool:
        load_path = self.paths[id(load)]
        common = _common(load_path, store_path)
        distinct = not self._may_meet(store, load.args[0])
        loops = [self.layout.statements[key] for key, _ in common]
        if any(key in self.layout.mirrored and isinstance(self.layout.statements[key], While) for key, _ in common):
            return True
        later = self.layout.order[id(store)] > self.layout.order[id(load)]
        mirrored = [s for s in loops if isinstance(s, For) and s.key in self.layout.mirrored]
        if not later and not mirrored:
            return False
        inner = [self.layout.statements[key] for key, _ in store_path[len(common) :]]
        if any(isinstance(s, While) for s in inner):
            return True
        own = [s for s in inner if isinstance(s, For)]
        if later and not distinct and not self._disjoint(load, store, None, [], own):
            return True
        shared = [s for s in loops if isinstance(s, For)]
        for position, loop in enumerate(shared):
            if loop in mirrored and not self._disjoint(load, store, loop, shared[position + 1 :], own):
                return True
        return False

    def _may_meet(self, store: Store | Kernel | Call, array: Var) -> bool:
        return any(self.aliases.may_alias(stored, array) for stored in stored_arrays(store))

    def _disjoint(
        self, load: Let, store: Store | Kernel | Call, later: For | None, inner: list[For], own: list[For]
    ) -> bool:
        """Whether load and store never meet, the store in a later trip of `later`, any trip of the loops inside."""
        if not isinstance(store, Store) or store.array is not load.args[0]:
            return False
        facts = Facts(self.facts.definitions, dict(self.facts.ranges), self.facts.shapes)
        renamed: dict[Var, Affine] = {}

        def form(value: Value) -> Affine:
            result = self.facts.affine(value)
            for symbol, _ in result.terms:
                if later is not None and (later.key, 1) in self.layout.homes[symbol].path:
                    renamed.setdefault(symbol, Affine(0, ((Var(symbol.name, symbol.type), 1),)))  # of another trip
            for old, new in renamed.items():
                result = result.substitute(old, new)
            return result

        for loop in ([later] if later is not None else []) + inner + own:
            if not (isinstance(loop.step, Const) and abs(loop.step.value) == 1):
                return False
            fresh = Var(loop.index.name, loop.index.type)
            start, stop = form(loop.start), form(loop.stop)
            if loop is later:
                start = Affine(loop.step.value, ((loop.index, 1),))
            renamed[loop.index] = Affine(0, ((fresh, 1),))
            facts.ranges[fresh] = (start, stop, loop.step)
        for a, b in zip(load.args[1:], store.index, strict=True):
            gap = form(b) - self.facts.affine(a)
            if facts.never_negative(gap.shift(-1)) or facts.never_negative(gap.scale(-1).shift(-1)):
                return True
        return False

    def quiet_nest(self, load: Let, loops: list[For | While]) -> int | None:
        """The key of the outermost loop around a load within which nothing stores into its array."""
        if any(isinstance(loop, While) for loop in loops):
            return None
        array = load.args[0]
        home = self.layout.homes[array].path
        stores = self.stores.get(self.aliases.of(array), [])
        for depth, loop in enumerate(loops):
            if self.paths[id(loop)][: len(home)] != home:
                continue
            if any((loop.key, 1) in path and self._may_meet(s, array) for s, path in stores):
                continue
            steady = all(
                isinstance(v, Const) or not any(k in self.layout.mirrored for k, _ in self.layout.homes[v].path)
                for around in loops[:depth]
                for v in (around.start, around.stop, around.step)
            )
            return loop.key if steady else None
        return None


def _common(a: tuple, b: tuple) -> tuple:
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return a[:count]
