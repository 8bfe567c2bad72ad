"""What a program does with joined items (`transform.joined`): loops, subscripts and slices.

All else raises an error, and the program is read again with the items apart.
"""

from zygopy.errors import UnsupportedError
from zygopy.transform.ir import Leaves, Value, Var
from zygopy.transform.joined import FEWEST
from zygopy.transform.reading import arrays, outside
from zygopy.transform.reading.values import JoinedItems, Static, View, describe, is_number
from zygopy.transform.records import Known, Record, keys_of, place, rebuilt
from zygopy.transform.types import INT, Array

_ITEM = "it is an item of an argument, and the caller would not see the change"


def argument(s, name: str, type_: Record, at: str) -> tuple[Leaves, JoinedItems]:
    """The leaves of a parameter and its value."""
    columns: list[Var] = []

    def entered(name: str, type_: object, at: str) -> tuple[Leaves, object]:
        if isinstance(type_, tuple):
            pairs = [
                entered(f"{name}_{key}", item, place(at, type_, key))
                for key, item in zip(keys_of(type_), type_, strict=True)
            ]
            return rebuilt(type_, [p[0] for p in pairs]), rebuilt(type_, [p[1] for p in pairs])
        if isinstance(type_, Static):
            return Known(type_.value), outside.value_of(s, type_.value, None)
        assert isinstance(type_, Array)
        var = Var(name, type_)
        s.parameters[var] = at
        if columns:
            s.known_axes[var] = (s.facts.shapes[columns[0]][0], *(None,) * (type_.ndim - 1))
        arrays.bind_shape(s, var)
        columns.append(var)
        return var, arrays.whole(s, var)

    leaves, rows = entered(name, type_[0], f"{at}[...]")
    length = s.facts.shapes[columns[0]][0]
    s.facts.assume(s.facts.affine(length).shift(-FEWEST))
    return rebuilt(type_, [leaves]), JoinedItems(rows, length, type_.cls.container)


def item(s, value: JoinedItems, k: Value) -> object:
    """Item number k, which is in range."""

    def row(rows: object) -> object:
        if isinstance(rows, View):
            return arrays.item(s, rows, k)
        return s.made(rebuilt(rows, list(map(row, rows))), _ITEM) if isinstance(rows, tuple) else rows

    return row(value.rows)


def at(s, value: JoinedItems, index: object) -> object:
    """value[index]"""
    if isinstance(index, slice):
        return _slice(s, value, index)
    if not (is_number(index) and index.type.is_integer):
        raise UnsupportedError(f"{describe(index)} as the index of a list is not supported", s.loc, help="use an int")
    message = f"{value.cls.__name__} index out of range"
    return item(s, value, arrays.checked(s, s.b.cast(index, INT), value.length, 0, message))


def _slice(s, value: JoinedItems, index: slice) -> JoinedItems:
    lengths: list[Value] = []

    def part(rows: object) -> object:
        if isinstance(rows, View):
            found = arrays.index(s, rows, (index,))
            lengths.append(found.shape[0])
            return found
        return rebuilt(rows, list(map(part, rows))) if isinstance(rows, tuple) else rows

    rows = part(value.rows)
    return JoinedItems(rows, lengths[0], value.cls)


def refuse_comparison(s, a: object, b: object) -> None:
    """Refuse to compare what took the place of a list or tuple."""
    if isinstance(a, JoinedItems) and isinstance(b, JoinedItems):
        raise UnsupportedError("comparing joined items is not supported", s.loc)
