"""Closing an open program: how each primal value that the reverse part names gets there.

A value is *reloaded* from an array that no later store changes, *recomputed* from other values if that is cheap, or
*stored* on a tape; a minimum cut finds the cheapest set to store. Tapes are arrays indexed by the iteration where trip
counts are known before the loop, and growing stacks where they are not.

    for i in range(n):                         tape = np.empty(n)
        y = np.exp(x[i])                       for i in range(n):
        s = s + y * y                              y = np.exp(x[i])
    for i in range(n - 1, -1, -1):     ->          tape[i] = y
        x_bar[i] += s_bar * 2 * y * y              s = s + y * y
                                               for i in range(n - 1, -1, -1):
                                                   y = tape[i]
                                                   x_bar[i] += s_bar * 2 * y * y
"""

from dataclasses import dataclass, field

from zygopy.errors import Loc
from zygopy.transform import ops
from zygopy.transform.build import Builder, integer, zero
from zygopy.transform.differentiation.mincut import minimum_cut
from zygopy.transform.differentiation.reload import Clobbering
from zygopy.transform.differentiation.reverse import Open, trip_count
from zygopy.transform.ir import (
    Block,
    Const,
    Effect,
    For,
    Function,
    If,
    Let,
    Pop,
    Push,
    Statement,
    Store,
    Substitution,
    Value,
    Var,
    While,
    block_params,
    blocks,
    defined,
    free_values,
    new_key,
    operands,
    param_vars,
    replace,
    walk,
)
from zygopy.transform.memory import alias_classes
from zygopy.transform.notes import Need, notes
from zygopy.transform.types import INT, Array, Stack

Path = tuple[tuple[int, int], ...]  # for each enclosing statement its key and which of its blocks

_LOOP_WEIGHT = 64.0


@dataclass
class Home:
    """Where a variable is defined: the path of its block and its statement (None for parameters)."""

    path: Path
    statement: Statement | None


@dataclass
class _Layout:
    """The whole program by path: homes of variables, statements by key, mirrors."""

    homes: dict[Var, Home] = field(default_factory=dict)
    statements: dict[int, Statement] = field(default_factory=dict)
    mirrored: set[int] = field(default_factory=set)
    order: dict[int, int] = field(default_factory=dict)  # id of a statement -> position in program order


def close(program: Open) -> Function:
    """Give the reverse part of an open program the primal values that it names."""
    return _Closing(program).run()


class _Closing:
    def __init__(self, program: Open):
        self.function = program.function
        self.counters = program.counters
        self.trips = {trips: key for key, (trips, _) in program.counters.items()}
        self.layout = _Layout()
        for var in param_vars(self.function):
            self.layout.homes[var] = Home((), None)
        self._index(self.function.body, ())
        self.needs: dict[Var, None] = {}
        self._find_needs(self.function.body, ())
        self.aliases = alias_classes(self.function.body)
        self.clobbering = Clobbering(self.function, self.layout, self.aliases)
        self.snapshots: dict[tuple, _Snapshot] = {}
        self.kept: dict[Var, Let | None] = {}
        self.stored_values = {
            s.value: s
            for s in walk(self.function.body)
            if isinstance(s, Store)
            and s.add is None
            and isinstance(s.value, Var)
            and self.layout.homes[s.value].path == self.clobbering.paths[id(s)]
        }
        self.mirror_of: dict[int, Statement] = {
            s.mirror: s for s in walk(self.function.body) if isinstance(s, For | If) and s.mirror is not None
        }

    def _index(self, block: Block, path: Path) -> None:
        for s in block.statements:
            self.layout.order[id(s)] = len(self.layout.order)
            for var in defined(s):
                self.layout.homes[var] = Home(path, s)
            if isinstance(s, For | While | If):
                self.layout.statements[s.key] = s
                if getattr(s, "mirror", None) is not None:
                    self.layout.mirrored.add(s.mirror)
                for which, inner in enumerate(blocks(s)):
                    at = (*path, (s.key, 1 if isinstance(s, For) else which))
                    for var in block_params(s):
                        self.layout.homes[var] = Home(at, s)
                    self._index(inner, at)

    def visible(self, var: Var, path: Path) -> bool:
        home = self.layout.homes[var].path
        if var in self.layout.homes and path[: len(home)] == home:
            return True
        statement = self.layout.homes[var].statement
        if isinstance(statement, While) and var in statement.params:  # its test sees the parameters too
            return path[: len(home)] == (*home[:-1], (home[-1][0], 0))
        return False

    def _find_needs(self, block: Block, path: Path) -> None:
        def use(values):
            for v in values:
                if isinstance(v, Var) and not self.visible(v, path):
                    self.needs[v] = None

        for s in block.statements:
            use(operands(s))
            for which, inner in enumerate(blocks(s)):
                self._find_needs(inner, (*path, (s.key, 1 if isinstance(s, For) else which)))
        use(block.yields)

    # -- the plan ----------------------------------------------------------------------------------------------------

    def run(self) -> Function:
        if not self.needs:
            return self.function
        for key in self.layout.mirrored:
            s = self.layout.statements.get(key)
            if isinstance(s, For):  # what the number of a trip is computed from
                self.needs.update((v, None) for v in (s.start, s.step) if isinstance(v, Var) and not self.is_free(v))
        stored = self.choose()
        return _Rewriting(self, stored).run()

    def is_free(self, var: Var) -> bool:
        """Whether a variable is in scope in the reverse part as it is."""
        return not any(key in self.layout.mirrored for key, _ in self.layout.homes[var].path)

    def loops(self, path: Path) -> list[For | While]:
        """The loops of a path that run backwards elsewhere."""
        found = [self.layout.statements[key] for key, _ in path if key in self.layout.mirrored]
        return [s for s in found if not isinstance(s, If)]

    def is_index(self, var: Var) -> bool:
        """Whether a variable is the index of a loop, which the mirror loop has too."""
        s = self.layout.homes[var].statement
        return (isinstance(s, For) and s.index is var) or var in self.trips

    def inputs(self, var: Var) -> list[Var] | None:
        """What a value would be computed again from; None if it has to be stored."""
        s = self.layout.homes[var].statement
        if (load := self.kept_in_memory(var)) is not None:
            return [a for a in load.args[1:] if isinstance(a, Var)]
        match s:
            case Let() if s.op is ops.LOAD:
                return self._reload_inputs(s)
            case Let() if s.op.effect is Effect.PURE and s.op.cheap and not isinstance(var.type, Array):
                args = [a for a in s.args if isinstance(a, Var)]
                if any(isinstance(a.type, Array) and not self.is_free(a) for a in args):
                    return None
                return [a for a in args if not isinstance(a.type, Array)]
            case If() if self._is_cheap(s):
                free = dict.fromkeys([s.test, *free_values(s.then), *free_values(s.orelse)])
                return [v for v in free if isinstance(v, Var) and not isinstance(v.type, Array)]
        return None

    def kept_in_memory(self, var: Var) -> Let | None:
        """A load that gives a computed value, if the program stored it where nothing changes it later."""
        if var not in self.kept:
            self.kept[var] = None
            store = self.stored_values.get(var)
            if store is not None and self.is_free(store.array) and store.array.type.dtype == var.type.dtype:
                load = Let(Var(var.name, var.type), ops.LOAD, (store.array, *store.index), store.loc)
                self.layout.order[id(load)] = self.layout.order[id(store)]
                self.clobbering.paths[id(load)] = self.clobbering.paths[id(store)]
                if not self.clobbering.between_load_and_reverse(load):
                    self.kept[var] = load
        return self.kept[var]

    def _is_cheap(self, s: If) -> bool:
        """Whether a branch only computes cheap numbers."""
        inner = [t for block in blocks(s) for t in walk(block)]
        return len(inner) <= 12 and all(
            (isinstance(t, Let) and t.op.effect is Effect.PURE and t.op.cheap and not isinstance(t.var.type, Array))
            or isinstance(t, If)
            for t in inner
        )

    def _reload_inputs(self, s: Let) -> list[Var] | None:
        index = [a for a in s.args[1:] if isinstance(a, Var)]
        if self.is_free(s.args[0]) and not self.clobbering.between_load_and_reverse(s):
            return index
        if self.snapshot(s) is not None:
            return index
        return None

    def choose(self) -> set[Var]:
        """The variables to store."""
        costs: dict[Var, float] = {}
        inputs: dict[Var, list[Var]] = {}
        sources: set[Var] = set()
        self._plan_snapshots()
        todo = [v for v in self.needs if not isinstance(v.type, Array)]
        while todo:
            var = todo.pop()
            if var in costs or self.is_free(var) or self.is_index(var):
                continue
            path = self.layout.homes[var].path
            costs[var] = var.type.dtype.itemsize * _LOOP_WEIGHT ** len(self.loops(path))
            found = self.inputs(var)
            if found is None:
                sources.add(var)
                continue
            inputs[var] = [v for v in found if not self.is_free(v) and not self.is_index(v)]
            todo += inputs[var]
        sinks = [v for v in self.needs if v in costs]
        return minimum_cut(costs, inputs, sources, sinks)

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def _plan_snapshots(self) -> None:
        """Find arrays that are cheaper to copy whole, once for an outer trip, than load by load."""
        wanted: dict[tuple, list[Let]] = {}
        for s in self._loads_reached():
            if self.is_free(s.args[0]) and not self.clobbering.between_load_and_reverse(s):
                continue
            if (place := self.clobbering.quiet_nest(s, self.loops(self.layout.homes[s.var].path))) is not None:
                wanted.setdefault((s.args[0], place), []).append(s)
        for (array, place), loads in wanted.items():
            shape = self.shape_of(array)
            if shape is None or not all(isinstance(n, Const) or self.is_free(n) for n in shape):
                continue
            if len({s.args[1:] for s in loads}) > 1 or self._repeats(loads[0], place):
                self.snapshots[(array, place)] = _Snapshot(array, place, shape, self.layout.statements[place])

    def _loads_reached(self) -> list[Let]:
        """The loads that needed values are computed from."""
        found: dict[Var, Let] = {}
        seen: set[Var] = set()
        todo = list(self.needs)
        while todo:
            var = todo.pop()
            if var in seen or self.is_free(var) or isinstance(var.type, Array):
                continue
            seen.add(var)
            s = self.layout.homes[var].statement
            if isinstance(s, Let) and s.op is ops.LOAD:
                found[var] = s
            elif isinstance(s, Let) and s.op.effect is Effect.PURE and s.op.cheap:
                todo += [a for a in s.args if isinstance(a, Var)]
        return list(found.values())

    def _repeats(self, s: Let, place: int) -> bool:
        """Whether a load reads the same element in many trips of the nest at `place`."""
        path = self.layout.homes[s.var].path
        inner = self.loops(path)
        inner = inner[[loop.key for loop in inner].index(place) :]
        used = set()
        for a in s.args[1:]:
            used |= {symbol for symbol, _ in self.clobbering.facts.affine(a).terms}
        indices = {loop.index for loop in inner if isinstance(loop, For)}
        return not indices <= used

    def snapshot(self, s: Let) -> "_Snapshot | None":
        """The snapshot that serves a load."""
        path = self.layout.homes[s.var].path
        for key, _ in path:
            if (found := self.snapshots.get((s.args[0], key))) is not None:
                return found
        return None

    def shape_of(self, array: Var) -> tuple[Value, ...] | None:
        """The shape of an array in terms of numbers, where it is known."""
        home = self.layout.homes[array]
        s = home.statement
        if s is None:
            dims: dict[int, Value] = {k: integer(1) for k in array.type.ones}
            for t in self.function.body.statements:
                if isinstance(t, For | While | If):
                    break  # what is asked for later is not in scope where tapes are made
                if isinstance(t, Let) and t.op is ops.DIM and t.args[0] is array:
                    dims.setdefault(t.args[1].value, t.var)
            return tuple(dims[k] for k in range(array.type.ndim)) if len(dims) == array.type.ndim else None
        if isinstance(s, Let) and s.op.effect is Effect.ALLOCATES:
            return s.args if s.op is not ops.NEW_LIST else None
        if isinstance(s, For | While):
            if any(isinstance(t, Let) and t.op is ops.DIM and t.args[0] is array for t in walk(self.function.body)):
                return None
            where = s.params if array in s.params else s.results
            return self.shape_of(s.inits[where.index(array)])
        return None


@dataclass(eq=False)
class _Snapshot:
    """A copy of `array` made before each run of the nest with key `place`."""

    array: Var
    place: int
    shape: tuple[Value, ...]
    nest: Statement
    tape: Var | None = None


class _Rewriting:
    """Writes the plan into the program."""

    def __init__(self, closing: _Closing, stored: set[Var]):
        self.closing, self.stored = closing, stored
        self.layout = closing.layout
        self.mapping: dict[Var, Value] = {}
        self.after: dict[Var, list[Statement]] = {}  # stores to tapes, behind the definition
        self.before: dict[int, list[Statement]] = {}  # by key of a statement
        self.ends: dict[Path, list[Statement]] = {}  # pushes at the end of a block
        self.heads: dict[Path, list[Statement]] = {}  # of mirror blocks
        self.promoted: dict[
            int, list[tuple[Var, Value, int]]
        ] = {}  # by key of an If: its inner variables that become results
        self.loc = closing.function.loc

    def run(self) -> Function:
        recomputed = self._recomputed()
        stacks: dict[tuple, list[Var]] = {}
        for snap in self.closing.snapshots.values():
            self._take(snap)
        for var in sorted(self.stored, key=self._position):
            loops = self.closing.loops(self.layout.homes[var].path)
            if not loops:
                self._promote(var)
            elif (dims := self._dimensions(loops)) is not None:
                self._store_dense(var, loops, dims)
            else:
                home = self.layout.homes[var].path
                stacks.setdefault((home, var.type.dtype), []).append(var)
        for (path, dtype), vars in stacks.items():
            self._store_stack(path, dtype, vars)
        for var in sorted(recomputed, key=self._position):
            self._recompute(var, recomputed)
        if (taken := notes()) is not None:
            taken.needs += [
                Need(v, self._loc(v), self._how(v)) for v in sorted(self.stored | recomputed, key=self._position)
            ]
        body = self._block(self.closing.function.body, ())
        results = self.closing.function.results
        return replace(self.closing.function, body=body, results=results)

    def _loc(self, var: Var) -> Loc:
        s = self.layout.homes[var].statement
        return s.loc if s is not None else self.loc

    def _how(self, var: Var) -> str:
        """How the reverse part gets a value."""
        if var in self.stored:
            return "stored"
        if self.closing.kept_in_memory(var) is not None:
            return "reloaded"
        s = self.layout.homes[var].statement
        if isinstance(s, Let) and s.op is ops.LOAD:
            return "reloaded" if self.closing.snapshot(s) is None else "copied"
        return "recomputed"

    def _position(self, var: Var) -> tuple[int, int]:
        """Where a variable stands in program order."""
        s = self.layout.homes[var].statement
        names = (*block_params(s), *defined(s)) if s is not None else ()
        return self.layout.order.get(id(s), -1), names.index(var) if var in names else 0

    def _recomputed(self) -> set[Var]:
        """The variables that mirror blocks compute again; loop indices are mapped on the way."""
        found: set[Var] = set()
        seen: set[Var] = set()
        todo = list(self.closing.needs)
        while todo:
            var = todo.pop()
            if var in seen or self.closing.is_free(var):
                continue
            seen.add(var)
            if self.closing.is_index(var):
                key = self.layout.homes[var].path[-1][0]
                self.mapping[var] = self.closing.mirror_of[key].index
                continue
            if var in self.stored:
                continue
            if isinstance(var.type, Array):
                s = self.layout.homes[var].statement
                raise AssertionError(
                    f"the array {var}, defined at {s.loc if s else ''}, is out of scope in the reverse part"
                )
            found.add(var)
            todo += self.closing.inputs(var) or []
        return found

    def mirror_path(self, path: Path) -> Path:
        """The path of the mirror of a block."""
        return tuple(
            (self.closing.mirror_of[key].key, which) if key in self.layout.mirrored else (key, which)
            for key, which in path
        )

    # -- storing -----------------------------------------------------------------------------------------------------

    def _counter(self, loop: For | While, b: Builder) -> Value:
        """The number of the current trip, from 0."""
        if isinstance(loop, While):
            return self.closing.counters[loop.key][0]
        distance = b.sub(loop.index, loop.start)
        if isinstance(loop.step, Const) and loop.step.value == 1:
            return distance
        if isinstance(loop.step, Const) and loop.step.value == -1:
            return b.sub(loop.start, loop.index)
        return b.apply(ops.FLOORDIV, distance, loop.step)

    def _mirror_counter(self, loop: For | While, b: Builder) -> Value:
        if isinstance(loop, While):
            return self.closing.mirror_of[loop.key].index
        mirror = replace(
            loop,
            index=self.closing.mirror_of[loop.key].index,
            start=self._resolve(loop.start),
            step=self._resolve(loop.step),
        )
        return self._counter(mirror, b)

    def _resolve(self, value: Value) -> Value:
        return self.mapping.get(value, value) if isinstance(value, Var) else value

    def _dimensions(self, loops: list[For | While]) -> list[Value] | None:
        """Trip counts (or bounds on them) of a nest, written before it; None if they are not known there."""
        if any(isinstance(loop, While) for loop in loops):
            return None
        outer = loops[0]
        b = Builder(outer.loc)
        dims: list[Value] = []
        facts = self.closing.clobbering.facts
        for position, loop in enumerate(loops):
            count = self._bound(loop, loops[:position], b, facts)
            if count is None:
                return None
            dims.append(count)
        self.before.setdefault(self._entry(self.layout.homes[outer.index].path), []).extend(b.statements)
        return dims

    def _entry(self, path: Path) -> int:
        """The statement before which a tape is made that both a block and its mirror see."""
        return next(key for key, _ in path if key in self.layout.mirrored)

    def _bound(self, loop: For, outer: list[For], b: Builder, facts) -> Value | None:
        """The largest trip count of `loop` over the trips of the loops around it."""
        if (most := self._most(loop)) is not None:
            return most
        if all(isinstance(v, Const) or self.closing.is_free(v) for v in (loop.start, loop.stop, loop.step)):
            return trip_count(loop, b)
        if not (isinstance(loop.step, Const) and abs(loop.step.value) == 1):
            return None
        span = facts.affine(loop.stop) - facts.affine(loop.start)
        span = span.scale(loop.step.value)
        candidates = [span]
        for around in reversed(outer):
            if not (isinstance(around.step, Const) and abs(around.step.value) == 1):
                if any(c.coefficient(around.index) for c in candidates):
                    return None
                continue
            first, last = facts.affine(around.start), facts.affine(around.stop).shift(-around.step.value)
            candidates = (
                [c.substitute(around.index, end) for c in candidates for end in (first, last)]
                if any(c.coefficient(around.index) for c in candidates)
                else candidates
            )
        candidates = list(dict.fromkeys(candidates))
        for symbol in {symbol: None for c in candidates for symbol, _ in c.terms}:
            if (early := self._early(symbol, b)) is None:
                return None
            candidates = [c.substitute(symbol, facts.affine(early)) for c in candidates]
        largest: Value = integer(0)
        for c in candidates:
            largest = b.apply(ops.INT_MAX, facts.write(c, b), largest)
        return largest

    def _early(self, value: Value, b: Builder) -> Value | None:
        """A number as it is before the nest, computed there if it does not change in it; None if it may."""
        if isinstance(value, Const) or self.closing.is_free(value):
            return value
        s = self.layout.homes[value].statement
        if not (isinstance(s, Let) and ops.is_movable(s)):
            return None
        args = [self._early(a, b) for a in s.args]
        return None if None in args else b.let(s.op, tuple(args), value.type, value.name)

    def _most(self, loop: For) -> Const | None:
        """The number that a loop from 0 to the smaller of it and another one cannot exceed."""
        let = self.closing.clobbering.facts.definitions.get(loop.stop)
        if (loop.start, loop.step) != (integer(0), integer(1)) or let is None or let.op is not ops.INT_MIN:
            return None
        return next((a for a in let.args if isinstance(a, Const) and a.value >= 0), None)

    def _allocate(self, before: int, type_: Array, shape: tuple[Value, ...], name: str) -> Var:
        tape = Var(name, type_)
        self.before.setdefault(before, []).append(Let(tape, ops.SCRATCH, shape, self.loc))
        return tape

    def _store_dense(self, var: Var, loops: list[For], dims: list[Value]) -> None:
        tape = self._allocate(
            self._entry(self.layout.homes[var].path), Array(var.type.dtype, len(dims)), tuple(dims), f"{var.name}_tape"
        )
        loc = self.layout.homes[var].statement.loc
        _note_tape(tape, loc)
        b = Builder(loc)
        index = tuple(self._counter(loop, b) for loop in loops)
        b.store(tape, index, var)
        self.after.setdefault(var, []).extend(b.statements)
        b = Builder(loc)
        self.mapping[var] = copy = Var(var.name, var.type)
        path = self.layout.homes[var].path
        self._late_heads(path, lambda b, copy=copy: self._load_dense(b, copy, tape, loops))

    def _load_dense(self, b: Builder, copy: Var, tape: Var, loops: list[For]) -> None:
        index = tuple(self._mirror_counter(loop, b) for loop in loops)
        b.emit(Let(copy, ops.LOAD, (tape, *index), b.loc))

    def _late_heads(self, path: Path, write) -> None:
        self.heads.setdefault(self.mirror_path(path), []).append(write)

    def _store_stack(self, path: Path, dtype, vars: list[Var]) -> None:
        type_ = Stack(dtype, len(vars))
        stack = Var("tape", type_)
        self.before.setdefault(self._entry(path), []).append(Let(stack, ops.NEW_STACK, (), self.loc))
        loc = self.layout.statements[path[-1][0]].loc
        _note_tape(stack, self._loc(vars[0]))
        self.ends.setdefault(path, []).append(Push(stack, tuple(vars), loc))
        copies = tuple(Var(v.name, v.type) for v in vars)
        self.mapping.update(zip(vars, copies, strict=True))
        self._late_heads(path, lambda b: b.emit(Pop(copies, stack, b.loc)))

    def _promote(self, var: Var) -> None:
        """A value of a branch outside loops becomes a result of the branch."""
        path = self.layout.homes[var].path
        inner: Value = var
        for key, which in reversed(path):
            if key not in self.layout.mirrored:
                break
            result = Var(var.name, var.type)
            self.promoted.setdefault(key, []).append((result, inner, which))
            inner = result
        self.mapping[var] = inner

    def _take(self, snap: _Snapshot) -> None:
        """Copy an array before each run of a nest."""
        outer = self._outer_loops(snap)
        dims = self._dimensions(outer) if outer else []
        assert dims is not None
        array = snap.array
        first = outer[0] if outer else snap.nest
        snap.tape = self._allocate(
            self._entry(self.layout.homes[first.index].path),
            Array(array.type.dtype, len(dims) + array.type.ndim),
            (*dims, *snap.shape),
            f"{array.name}_tape",
        )
        _note_tape(snap.tape, snap.nest.loc)
        b = Builder(snap.nest.loc)
        counters = tuple(self._counter(loop, b) for loop in outer)
        self._copy_nest(b, snap, counters, ())
        self.before.setdefault(snap.place, []).extend(b.statements)

    def _outer_loops(self, snap: _Snapshot) -> list[For | While]:
        home = next(p for s, p in self._paths() if s is snap.nest)
        return self.closing.loops(home)

    def _paths(self):
        def visit(block: Block, path: Path):
            for s in block.statements:
                yield s, path
                for which, inner in enumerate(blocks(s)):
                    yield from visit(inner, (*path, (s.key, 1 if isinstance(s, For) else which)))

        return visit(self.closing.function.body, ())

    def _copy_nest(self, b: Builder, snap: _Snapshot, counters: tuple, index: tuple) -> None:
        if len(index) == len(snap.shape):
            b.store(snap.tape, (*counters, *index), b.load(snap.array, index))
            return
        k = Var("ijkl"[len(index) % 4], INT)
        inner = Builder(b.loc)
        self._copy_nest(inner, snap, counters, (*index, k))
        bounds = (integer(0), snap.shape[len(index)], integer(1))
        b.emit(For(k, *bounds, (), (), inner.block(), (), b.loc, new_key()))

    # -- computing again ---------------------------------------------------------------------------------------------

    def _recompute(self, var: Var, recomputed: set[Var]) -> None:
        home = self.layout.homes[var]
        s = home.statement
        if var in self.mapping:
            return
        for needed in self.closing.inputs(var) or []:
            if needed in recomputed:
                self._recompute(needed, recomputed)
        if var in self.mapping:  # another result of the same branch
            return
        if (load := self.closing.kept_in_memory(var)) is not None:
            s = load
        if isinstance(s, Let):
            self.mapping[var] = copy = Var(var.name, var.type)
            self._late_heads(home.path, lambda b: self._write_again(b, s, copy))
        else:
            numbers = [k for k, r in enumerate(s.results) if not isinstance(r.type, Array)]
            copies = tuple(self.mapping.setdefault(s.results[k], _like(s.results[k])) for k in numbers)
            self._late_heads(home.path, lambda b: self._write_branch(b, s, numbers, copies))

    def _write_again(self, b: Builder, s: Let, copy: Var) -> None:
        args = tuple(self._resolve(a) for a in s.args)
        if s.op is ops.LOAD and s.var in self.layout.homes and (snap := self.closing.snapshot(s)) is not None:
            counters = tuple(self._mirror_counter(loop, b) for loop in self._outer_loops(snap))
            args = (snap.tape, *counters, *args[1:])
        b.emit(Let(copy, s.op, args, s.loc))

    def _write_branch(self, b: Builder, s: If, numbers: list[int], copies: tuple[Var, ...]) -> None:
        def side(block: Block) -> Block:
            block = Block(block.statements, tuple(block.yields[k] for k in numbers))
            return Substitution(self.mapping, define=_like).block(block)

        sides = side(s.then), side(s.orelse)
        b.emit(If(self._resolve(s.test), *sides, copies, s.loc, new_key()))

    # -- the new program ---------------------------------------------------------------------------------------------

    def _block(self, block: Block, path: Path) -> Block:
        out: list[Statement] = []
        for write in self.heads.get(path, ()):
            b = Builder(self._head_loc(path))
            write(b)
            out += b.statements
        for var in self._head_vars(path):
            out += self.after.get(var, [])
        for s in block.statements:
            key = getattr(s, "key", None)
            out += self.before.get(key, []) if key is not None else []
            out.append(self._statement(s, path))
            for var in defined(s):
                out += self.after.get(var, [])
        out += self.ends.get(path, [])
        return replace(block, statements=tuple(out), yields=self._values(block.yields, path))

    def _head_loc(self, path: Path):
        return self.layout.statements[path[-1][0]].loc if path else self.loc

    def _head_vars(self, path: Path) -> tuple[Var, ...]:
        if not path or path[-1][1] != 1:
            return ()
        s = self.layout.statements[path[-1][0]]
        return block_params(s) if isinstance(s, For | While) else ()

    def _values(self, values: tuple[Value, ...], path: Path) -> tuple[Value, ...]:
        return tuple(self._value(v, path) for v in values)

    def _value(self, value: Value, path: Path) -> Value:
        if isinstance(value, Const) or value not in self.layout.homes or self.closing.visible(value, path):
            return value
        return self.mapping[value]

    def _statement(self, s: Statement, path: Path) -> Statement:
        def inner(block: Block, which: int) -> Block:
            return self._block(block, (*path, (s.key, which)))

        match s:
            case For():
                body = inner(s.body, 1)
                start, stop, step = self._values((s.start, s.stop, s.step), path)
                inits = self._values(s.inits, path)
                kept = s.snapshots and self._value(s.snapshots, path)
                bounds = {"start": start, "stop": stop, "step": step, "snapshots": kept}
                return replace(s, **bounds, inits=inits, body=body, mirror=None)
            case While():
                return replace(s, inits=self._values(s.inits, path), test=inner(s.test, 0), body=inner(s.body, 1))
            case If():
                return self._if(replace(s, test=self._value(s.test, path)), inner(s.then, 0), inner(s.orelse, 1))
        return Substitution({v: self._value(v, path) for v in operands(s) if isinstance(v, Var)}).statement(s)

    def _if(self, s: If, then: Block, orelse: Block) -> If:
        promoted = self.promoted.get(s.key, [])
        sides = [list(then.yields), list(orelse.yields)]
        for result, inner, which in promoted:
            sides[which].append(inner)
            sides[1 - which].append(zero(result.type))
        results = (*s.results, *(p[0] for p in promoted))
        then, orelse = Block(then.statements, tuple(sides[0])), Block(orelse.statements, tuple(sides[1]))
        return replace(s, then=then, orelse=orelse, results=results, mirror=None)


def _like(var: Var) -> Var:
    return Var(var.name, var.type)


def _note_tape(tape: Var, loc: Loc) -> None:
    if (taken := notes()) is not None:
        taken.places[tape] = loc
