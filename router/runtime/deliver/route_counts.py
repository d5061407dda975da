"""The outcomes of a batch by route, for `telemetry: {metrics: route}`."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter

from router.model import WRITTEN, OutcomeKind
from router.runtime.config import spec
from router.runtime.deliver.visibility import Delivered
from router.runtime.engine.writes import PlannedMessage

_WRITES_OF = attrgetter("writes")
_ROUTE_OF = attrgetter("route")
ByRoute = dict[tuple[str, str], dict[OutcomeKind, int]]
"""Numbers of messages by route and table, then by outcome."""


class RouteCounts:
    """Counts a written message for the route of each write, another one for the route that decided."""

    def __init__(self) -> None:
        self._counts: defaultdict[OutcomeKind, Counter[str]] = defaultdict(Counter)

    def add(self, settled: Iterable[PlannedMessage], decided: Sequence[Delivered]) -> None:
        """Add messages, and what was decided about each, in the same order."""
        others = [each.outcome for each in decided if each.outcome is not WRITTEN]
        written = settled
        if others:
            written = [
                planned
                for planned, each in zip(settled, decided, strict=True)
                if each.outcome.kind == WRITTEN.kind
            ]
        # Nearly all messages are written: no instruction of Python's is executed for each of them.
        writes = chain.from_iterable(map(_WRITES_OF, written))
        self._counts[WRITTEN.kind].update(map(_ROUTE_OF, writes))
        for outcome in others:
            if outcome.route and outcome.kind != WRITTEN.kind:
                self._counts[outcome.kind][outcome.route] += 1

    def by_route(self, routes: Mapping[str, spec.RouteSettings]) -> ByRoute:
        """Return the numbers, with the table of each route."""
        found: ByRoute = {}
        for kind, numbers in self._counts.items():
            for route, number in numbers.items():
                found.setdefault((route, routes[route].table), {})[kind] = number
        return found
