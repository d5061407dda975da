"""What is known of the messages of a route because earlier routes of its queue do not take them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec import Struct

from router.prover.conditions import ANYTHING, Condition, evaluated, opposite_of
from router.prover.predicates import Steps
from router.runtime.config import spec
from router.runtime.engine.engine import RouteIndex
from router.runtime.program.expressions.compile import InvalidExpression
from router.runtime.program.route_index import index_routes


class Narrowing(Struct, frozen=True):
    """A condition that messages satisfy, its evaluation on one, and the paths that it tests."""

    condition: Condition
    holds: Callable[[Any], bool]
    tested: tuple[Steps, ...] = ()


class EarlierRoutes:
    """How the earlier routes of a queue narrow the messages of the next one."""

    def __init__(self, routes: Iterable[spec.RouteSettings], most: int) -> None:
        """The conditions of more than `most` earlier routes are not proved of messages, but evaluated on them."""
        self._most = most
        self._conditions: dict[str, list[str]] = {}
        for route in routes:
            if route.when is not None:
                self._conditions.setdefault(route.queue, []).append(route.when)
        self._passed = Counter[str]()
        """The number of conditions of each queue before the next route."""
        self._found: dict[str, list[Narrowing]] = {}
        self._evaluations: dict[str, _Evaluations] = {}

    def before(self, route: spec.RouteSettings, queue: spec.Queue) -> list[Narrowing]:
        """Return how those before a route narrow its messages, by `match: first`."""
        if queue.match != "first":
            return []
        name = route.queue
        passed = self._passed[name]
        self._passed[name] += route.when is not None
        conditions = self._conditions.get(name, [])
        if passed > self._most:
            if name not in self._evaluations:
                self._evaluations[name] = _Evaluations(conditions)
            return [Narrowing(ANYTHING, partial(self._evaluations[name].all_false, passed))]
        found = self._found.setdefault(name, [])
        for when in conditions[len(found) : passed]:
            found.append(Narrowing(opposite_of(when), evaluated(when, False)))
        return [*found]


# The place of a condition, and whether it is false for a message.
_Evaluation = tuple[int, Callable[[Any], bool]]


class _Evaluations:
    """The conditions of a queue with many routes: only those are evaluated on a message that may hold."""

    def __init__(self, conditions: Sequence[str]) -> None:
        self._are_false: Sequence[_Evaluation] = [
            (place, evaluated(when, False)) for place, when in enumerate(conditions)
        ]
        self._index: RouteIndex | None = None
        # Loading a config reports an expression that is none.
        with suppress(InvalidExpression):
            self._index = index_routes(conditions, {})

    def all_false(self, number: int, message: Any) -> bool:
        """Whether the first conditions are false for a message, so many of them."""
        selected = self._are_false
        if self._index is not None:
            selected = self._index.select(selected, message)
        return all(is_false(message) for place, is_false in selected if place < number)
