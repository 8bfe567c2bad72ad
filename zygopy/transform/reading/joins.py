"""Where the two sides of a branch meet: one value for each name."""

from dataclasses import dataclass, field, replace
from typing import Any

from zygopy.transform.build import Builder
from zygopy.transform.ir import Const, Value, Var
from zygopy.transform.reading import apart, arrays, choices, lists
from zygopy.transform.reading.parse import RESULT
from zygopy.transform.reading.places import resolved, resolved_items
from zygopy.transform.reading.values import (
    Conflict,
    Listed,
    Maybe,
    Object,
    Placed,
    Unbound,
    View,
    describe,
    is_number,
    is_object_name,
    optional,
    plain_name,
    zeros,
)
from zygopy.transform.records import Record, alike, rebuilt
from zygopy.transform.types import Array, promote, unify


@dataclass
class Join:
    """What holds behind a branch: its results, and the names with the values that they have there."""

    s: Any  # the interpreter
    test: Value
    before: dict[str, object]  # names before the branch, and behind each side
    then_names: dict[str, object]
    else_names: dict[str, object]
    then: Builder
    orelse: Builder
    joined: dict[str, object] = field(default_factory=dict)
    results: list[tuple[Var, Value, Value]] = field(default_factory=list)
    objects: dict[tuple[Object, Object], Object] = field(default_factory=dict)  # what pairs of the sides became

    def emit(self) -> None:
        """Write the branch."""
        s = self.s
        if not (self.then.statements or self.orelse.statements or self.results):
            return
        for var, _, _ in self.results:
            s.homes[var] = len(s.levels) - 1
        then = self.then.block(tuple(r[1] for r in self.results))
        orelse = self.orelse.block(tuple(r[2] for r in self.results))
        s.b.if_(self.test, then, orelse, tuple(r[0] for r in self.results))
        s.b.statements += s.pending
        s.pending = []

    def value(self, name: str, a: object, b: object) -> object:
        """One value for a name that has value `a` after one branch and `b` after the other."""
        if a is b or (type(a) is type(b) and a == b):
            return a
        if isinstance(a, Conflict) or isinstance(b, Conflict):
            return apart.conflict(self.s, a, b)
        if isinstance(a, Unbound | Maybe) or isinstance(b, Unbound | Maybe):
            return self._of_unbound(name, a, b)
        if is_number(a) and is_number(b):
            type_ = unify(a.type, b.type)
            if type_ is None and name == RESULT and self._returns_to_python():
                type_ = promote(a.type, b.type)  # float32 or float64: nobody computes with it any more
            if type_ is None:
                return apart.conflict(self.s, a, b)
            var = Var(plain_name(name), type_)
            self.results.append((var, self.then.cast(a, type_), self.orelse.cast(b, type_)))
            return var
        if lists.is_content(a) and lists.is_content(b) and lists.differ(a, b):
            return self._of_lists(name, a, b)
        if isinstance(a, tuple) and isinstance(b, tuple) and alike(a, b):
            hints = map(str, a.keys) if isinstance(a, Record) else [name] * len(a)
            triples = zip(hints, a, b, strict=True)
            return rebuilt(a, [self.value(hint, x, y) for hint, x, y in triples])
        if isinstance(a, Object) and isinstance(b, Object) and a.cls is b.cls:
            first, second = resolved(self.then_names, a), resolved(self.else_names, b)
            if isinstance(first, Placed) and isinstance(second, Placed) and first.pool == second.pool:
                return replace(first, index=self.value(name, first.index, second.index))
            if isinstance(first, Placed) or isinstance(second, Placed):
                return apart.conflict(self.s, *(f"{describe(v)} of other members" for v in (a, b)))
            return self._of_objects(name, a, b)
        if isinstance(a, View) and isinstance(b, View) and a.frozen == b.frozen and not (a.part or b.part):
            type_ = unify(Array(a.dtype, a.ndim, "A"), Array(b.dtype, b.ndim, "A"))
            if type_ is not None:
                bases = [self._materialise_in(builder, view) for builder, view in ((self.then, a), (self.orelse, b))]
                type_ = unify(bases[0].type, bases[1].type)
                var = Var(plain_name(name), type_)
                self.results.append((var, *bases))
                self.s.merged.add(var)
                self.s.facts.shapes[var] = self._common_shape(bases[0], bases[1], var)
                return replace(arrays.whole(self.s, var), frozen=a.frozen)
        return apart.conflict(self.s, a, b)

    def _returns_to_python(self) -> bool:
        """Whether it is the function called from Python whose body is read, and no other program uses its result."""
        is_inner = self.s.lengths is not None and self.s.lengths.ask is not None
        return len(self.s.calls) == 1 and self.s.outer is None and not is_inner

    def _common_shape(self, a: Var, b: Var, joined: Var) -> tuple[Value, ...]:
        """The shape of a join of two arrays; asked for after the join where it is not the same on both paths."""
        pairs = list(zip(self.s.facts.shapes[a], self.s.facts.shapes[b], strict=True))
        if all(arrays.taken_as_equal(self.s, m, n) for m, n in pairs):
            seen = [next(filter(self._is_seen, pair), None) for pair in pairs]  # equal, but perhaps of one branch only
            if None not in seen:
                return tuple(seen)
        asking = Builder(self.s.loc)
        asking.definitions, asking.homes, asking.depth = self.s.facts.definitions, self.s.homes, len(self.s.levels) - 1
        dims = tuple(asking.dim(joined, k) for k in range(joined.type.ndim))
        self.s.pending += asking.statements
        return dims

    def _is_seen(self, length: Value) -> bool:
        """Whether a length is known behind the branches, not in one of them."""
        return isinstance(length, Const) or self.s.homes.get(length, 0) < len(self.s.levels)

    def _materialise_in(self, builder: Builder, view: View) -> Var:
        with self.s.reopened(builder):
            return arrays.materialise(self.s, replace(view, frozen=False))

    def _of_objects(self, name: str, a: Object, b: Object) -> object:
        """The object that is `a` after one branch and `b` after the other.

        It is a new one if both were made in the branches; otherwise it is chosen among those that were there before.
        """
        if (a, b) in self.objects:
            return self.objects[a, b]
        content = self.value(name, self.then_names[a.name], self.else_names[b.name])
        if isinstance(content, Conflict):
            return content
        joined = self.objects[a, b] = self.s.name_object(a.cls)
        self.joined[joined.name] = content
        others = [(pair, made) for pair, made in self.objects.items() if (pair[0] == a) != (pair[1] == b)]
        gone = any(x.name not in self.before for pair, _ in others for x in pair)
        hidden = any(x.name not in self.before and len(choices.related(self.s, x)) > 1 for x in (a, b))  # one of others
        if gone or hidden or any(x.name in self.s.fixed for x in (a, b)):
            for each in (a, b, joined, *(made for _, made in others)):
                self.s.fix(each, "it is one of two objects, by a condition", self.s.loc)
        elif a.name in self.before or b.name in self.before:
            self.s.choices[joined.name] = choices.Choice(self.test, a, b)
            self.s.met.setdefault(joined.name, set()).add((self.s.loc, a.cls))
        return joined

    def _of_lists(self, name: str, a: object, b: object) -> object:
        """What a list holds that is not as long on both paths, or stands in other columns."""
        a, b = resolved_items(self.then_names, a), resolved_items(self.else_names, b)
        columns = lists.columns_for_both(self.s, a, b, own=is_object_name(name))
        if columns is None:
            return apart.conflict(self.s, *(f"{describe(v)} of other items" for v in (a, b)))
        with self.s.reopened(self.then):
            first = lists.move(self.s, a, columns)
        with self.s.reopened(self.orelse):
            second = lists.move(self.s, b, columns)
        length = self.value("count", first, second)
        if isinstance(length, Var):
            self.s.facts.counts.add(length)
        return Listed(columns, length)

    def _of_unbound(self, name, a, b) -> object:
        (value_a, flag_a), (value_b, flag_b) = optional(a), optional(b)
        if value_a is None and value_b is None:
            return Unbound()
        value_a = zeros(value_b) if value_a is None else value_a
        value_b = zeros(value_a) if value_b is None else value_b
        if value_a is None or value_b is None:
            return Unbound("an array is bound on some paths only")
        value = self.value(name, value_a, value_b)
        if isinstance(value, Conflict):
            return value
        flag = self.value("bound", flag_a, flag_b)
        return Maybe(value, flag)
