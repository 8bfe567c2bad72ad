"""The cheapest set of values to store: a minimum vertex cut, by Dinic's algorithm (Dinitz 1970)."""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping

_INFINITE = float("inf")


def minimum_cut(
    costs: Mapping[Hashable, float], inputs: Mapping[Hashable, Iterable[Hashable]], sources: set, sinks: Iterable
) -> set:
    """The nodes of least total cost that separate `sources` from `sinks`, where values flow from inputs to users.

    Nodes without inputs that are not sources need no separation.

    >>> minimum_cut({"a": 8, "b": 8, "d": 8}, {"d": ["a", "b"]}, {"a", "b"}, ["d"])
    {'d'}
    """
    graph = _Graph()
    for node, cost in costs.items():
        graph.edge((node, "in"), (node, "out"), cost)
        for source in inputs.get(node, ()):
            graph.edge((source, "out"), (node, "in"), _INFINITE)
    for node in sources:
        graph.edge("source", (node, "in"), _INFINITE)
    for node in sinks:
        graph.edge((node, "out"), "sink", _INFINITE)
    graph.saturate("source", "sink")
    reached = graph.reachable("source")
    return {node for node in costs if (node, "in") in reached and (node, "out") not in reached}


class _Graph:
    """A flow network with residual capacities."""

    def __init__(self):
        self.capacity: dict[Hashable, dict[Hashable, float]] = {}

    def edge(self, a: Hashable, b: Hashable, capacity: float) -> None:
        row = self.capacity.setdefault(a, {})
        row[b] = row.get(b, 0) + capacity
        self.capacity.setdefault(b, {}).setdefault(a, 0)

    def levels(self, source: Hashable) -> dict[Hashable, int]:
        level = {source: 0}
        queue = deque([source])
        while queue:
            a = queue.popleft()
            for b, capacity in self.capacity.get(a, {}).items():
                if capacity > 0 and b not in level:
                    level[b] = level[a] + 1
                    queue.append(b)
        return level

    def reachable(self, source: Hashable) -> set:
        return set(self.levels(source))

    def saturate(self, source: Hashable, sink: Hashable) -> None:
        """Push a maximum flow from source to sink."""
        while sink in (level := self.levels(source)):
            while (path := self.path(source, sink, level)) is not None:
                amount = min(self.capacity[a][b] for a, b in path)
                for a, b in path:
                    self.capacity[a][b] -= amount
                    self.capacity[b][a] += amount

    def path(self, source: Hashable, sink: Hashable, level: dict[Hashable, int]) -> list | None:
        """A path along rising levels; dead ends are taken out of `level`."""
        path: list = []
        at = source
        while at != sink:
            step = next((b for b, c in self.capacity[at].items() if c > 0 and level.get(b, -1) == level[at] + 1), None)
            if step is not None:
                path.append((at, step))
                at = step
                continue
            level[at] = -2
            if not path:
                return None
            at = path.pop()[0]
        return path
