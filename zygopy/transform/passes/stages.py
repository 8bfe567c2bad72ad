"""Stages: the statements of a long loop in groups, each with as many elementary functions as a processor overlaps.

    t = log(x[i])                 stage 1
    u = erf(t)                    stage 2
    v = exp(-t * t)               stage 2: it shares its exponential with erf(t)
    w = sin(u)                    stage 3
    y[i] = v * w                  stage 3

While a processor waits for a result it works on the next few hundred instructions. A loop whose trips have more of them
is as slow as the longest chain of results; loops over a strip of trips for one stage each are as slow as the number of
their instructions, and their constants fit into registers.
"""

from collections.abc import Callable, Sequence

from zygopy.transform import ops
from zygopy.transform.ir import Effect, Let, Op, Statement, Value, operands
from zygopy.transform.types import Scalar

# About the time of functions of vectors; that of exp(x) is 2.
_COSTS: dict[Op, int] = {
    ops.EXP: 2,
    ops.LOG: 3,
    ops.TANH: 3,
    ops.EXPM1: 4,
    ops.LOG1P: 4,
    ops.EXPIT: 4,
    ops.SIN: 5,
    ops.COS: 5,
    ops.LOGADDEXP: 7,
    ops.ERF: 7,
    ops.POW: 8,
}
_LONG = 12  # the cost of a loop that is divided, at least
_STAGE = 1  # that of a stage with more than one function, at most
_ALIKE = {ops.ERF: ops.EXP, ops.COS: ops.SIN}  # they have most of their work in common, if they are of one number


def stages(
    statements: Sequence[Statement], partial: set[Value], stays: Callable[[Statement], bool]
) -> list[list[Statement]]:
    """The statements of a loop without inner ones by their stages; one stage where the loop is not long.

    `partial`: sums on their way, which order nothing. `stays`: whether a statement keeps its place among its like.
    """
    costs = [0]
    places: list[int] = []
    stage_of: dict[Value, int] = {}
    homes: dict[tuple[Op, Value], int] = {}
    sources: dict[Value, Value] = {}
    for t in statements:
        at = max((stage_of[v] for v in operands(t) if v in stage_of), default=0)
        if isinstance(t, Let):
            sources[t.var] = _source(t, sources)
        if (cost := _cost(t)) is not None:
            assert isinstance(t, Let)
            key = (_ALIKE.get(t.op, t.op), sources.get(t.args[0], t.args[0]))
            if homes.get(key, -1) < at:
                homes[key] = next((k for k in range(at, len(costs)) if _fits(costs[k], cost)), len(costs))
                costs += [0] * (homes[key] == len(costs))
                costs[homes[key]] += cost
            at = homes[key]
        elif stays(t):
            at = len(costs) - 1
        places.append(at)
        if isinstance(t, Let) and t.var not in partial:
            stage_of[t.var] = at
    if len(costs) == 1 or sum(costs) < _LONG:
        return [list(statements)]
    early = _needed(statements, sources) | partial
    return _late(statements, places, lambda t: t.var in early or _cost(t) is not None or stays(t))


def _fits(already: int, cost: int) -> bool:
    return not already or already + cost <= _STAGE


def _cost(t: Statement) -> int | None:
    """What a function of vectors costs; None of other statements."""
    if not isinstance(t, Let) or t.op not in _COSTS:
        return None
    return _COSTS[t.op] if isinstance(t.var.type, Scalar) and t.var.type.is_float else None


def _source(t: Let, sources: dict[Value, Value]) -> Value:
    """The one number of a trip that a value is made of by arithmetic; the value itself if there are several."""
    if not t.op.cheap or t.op.effect is not Effect.PURE:
        return t.var
    found = {sources[v] for v in t.args if v in sources}
    return found.pop() if len(found) == 1 else t.var


def _needed(statements: Sequence[Statement], sources: dict[Value, Value]) -> set[Value]:
    """What functions are computed from, where it takes several numbers to make it: one is kept in place of them."""
    needed: set[Value] = set()
    for t in reversed(statements):
        if _cost(t) is not None or (isinstance(t, Let) and t.var in needed):
            needed.update(operands(t))
    joining = (t for t in statements if isinstance(t, Let) and t.op is not ops.LOAD)
    return {t.var for t in joining if t.var in needed and sources[t.var] is t.var}


def _late(statements: Sequence[Statement], places: list[int], is_fixed: Callable[[Let], bool]) -> list[list[Statement]]:
    """The stages, where arithmetic is done in the first one that reads it."""
    found: list[list[Statement]] = [[] for _ in range(max(places) + 1)]
    read: dict[Value, int] = {}  # the first stage that reads a value
    for t, at in zip(reversed(statements), reversed(places), strict=True):
        if isinstance(t, Let) and not is_fixed(t):
            at = read.get(t.var, at)
        found[at].append(t)
        for v in operands(t):
            read[v] = min(at, read.get(v, at))
    return [stage[::-1] for stage in found]
