"""What a replay refuses unless it is named: what could lose or repeat data, as no mode of a route prevents it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from router.codes import INVALID
from router.errors import UsageError
from router.model import META_TIMES
from router.runtime.config import spec
from router.runtime.engine.writes import PlannedMessage, WriteConfig
from router.runtime.modes.update import IDEMPOTENCY_DAYS
from router.runtime.program.load import Program
from router.runtime.program.route_expressions import metadata_of_route
from router.tools.replay.source import SourceMessage


class ReplayRefusal(Struct, frozen=True):
    """Why a route is not replayed: the name to allow it by, and what to do instead."""

    name: str
    route: str
    why: str
    instead: str

    def __str__(self) -> str:
        return f"route '{self.route}' {self.why}; {self.instead}, or type --allow {self.name}"


class Refusals:
    """Finds what is refused of each message before it is written.

    `is_empty` tells whether a table had no items before the replay. `found` are the refusals so far, each with the
    place of the first message that has it.
    """

    def __init__(
        self,
        program: Program,
        allowed: frozenset[str],
        is_empty: Callable[[str], bool],
        now: datetime | None = None,
    ) -> None:
        self.found: dict[ReplayRefusal, str] = {}
        self._allowed = allowed
        self._is_empty = is_empty
        self._oldest = (now or datetime.now(UTC)) - timedelta(days=IDEMPOTENCY_DAYS)
        self._configs = {
            route.route.name: route.write
            for queue in program.engine.queues.values()
            for route in queue.routes
        }
        self._of_route: dict[str, tuple[ReplayRefusal, ...]] = {}
        self._deleters: dict[str, str] = {}
        for config in self._configs.values():
            if config.mode.stores == "nothing":
                self._deleters.setdefault(config.table.name, config.route)
        self._routes = program.config.routes
        self._timed = {name for name, route in self._routes.items() if _stores_time(route)}

    def check(self, message: SourceMessage, planned: PlannedMessage) -> None:
        """Raise UsageError if a message may not be written."""
        for refusal in self.find(message, planned):
            raise UsageError(f"{message.place}: {refusal}")

    def note(self, message: SourceMessage, planned: PlannedMessage) -> None:
        """Add what is refused of a message to `found`."""
        for refusal in self.find(message, planned):
            self.found.setdefault(refusal, message.place)

    def find(self, message: SourceMessage, planned: PlannedMessage) -> Iterator[ReplayRefusal]:
        """Yield what is refused of a message; raises UsageError if a route needs a time that it does not have."""
        if not message.sent_at:
            self._require_no_time(message, planned)
        for write in planned.writes:
            config = self._configs[write.route]
            refusals = self._of_route.get(write.route)
            if refusals is None:
                refusals = tuple(self._find_of_route(config))
                self._of_route[write.route] = refusals
            for refusal in (*refusals, *self._find_of_message(config, message)):
                if refusal.name not in self._allowed:
                    yield refusal

    def _require_no_time(self, message: SourceMessage, planned: PlannedMessage) -> None:
        routes = [write.route for write in planned.writes]
        if planned.outcome and planned.outcome.code != INVALID.id:
            # It may be rejected as it has no time.
            routes.append(planned.outcome.route)
        for route in routes:
            if route in self._timed:
                raise UsageError(
                    f"{message.place} has no time of sending, which the route '{route}' stores; --sent-at EXPR finds "
                    "it in the message"
                )

    def _find_of_route(self, config: WriteConfig) -> Iterator[ReplayRefusal]:
        route = config.route
        table = config.table.name
        deleter = self._deleters.get(table)
        if deleter:
            yield ReplayRefusal(
                "delete",
                route,
                f"writes table '{table}', from which the route '{deleter}' deletes: an item whose delete is not in the "
                "source comes back, and one that was stored again since is deleted",
                "replay a source that has all messages of the table",
            )
        if self._overwrites(config) and not self._is_empty(table):
            yield ReplayRefusal(
                "overwrite",
                route,
                f"writes without a version to table '{table}', which has items: an old message replaces a newer item",
                "give the route a version (mode 'newest', or 'version' of an update)",
            )
        if not _adds(config):
            return
        if config.once is None:
            yield ReplayRefusal(
                "repeat",
                route,
                "adds or appends without 'once': what a message has added already is added again, also by a replay "
                "that was killed",
                "give the route 'once'",
            )
        elif self._is_empty(table) and not self._is_empty(config.once.table.name):
            yield ReplayRefusal(
                "keys",
                route,
                f"writes table '{table}', which is empty, while table '{config.once.table.name}' still has idempotency "
                "keys: a message whose key is there is taken for a duplicate, and is not stored",
                "delete the keys of the route",
            )

    def _overwrites(self, config: WriteConfig) -> bool:
        """Return whether a route replaces what is stored, newer or not: the item, or what an update sets."""
        if config.version or config.mode.stores == "nothing":
            return False
        if config.mode.stores == "item":
            return config.mode.is_batched(versioned=False)
        settings = self._routes[config.route]
        if settings.item is None or settings.merge is not None:
            return True
        keys = {name for name, _ in config.table.key}
        return bool(settings.item.keys() - keys - config.add - config.append - config.keep_first)

    def _find_of_message(
        self, config: WriteConfig, message: SourceMessage
    ) -> Iterator[ReplayRefusal]:
        once = config.once
        if once is None or not _adds(config):
            return
        if once.ttl and message.sent_at and datetime.fromisoformat(message.sent_at) < self._oldest:
            yield ReplayRefusal(
                "repeat",
                config.route,
                f"adds or appends, and the idempotency key of a message expires {IDEMPOTENCY_DAYS} days after it was "
                "sent: what an older message has added already is added again",
                "replay newer messages only (--since)",
            )
        if once.key is None and not message.has_own_id and not self._is_empty(config.table.name):
            yield ReplayRefusal(
                "repeat",
                config.route,
                "adds or appends once for each message id, which the source does not have: what a message has added "
                "already is added again",
                "find the id in the message (--message-id EXPR), or give the route 'once_key'",
            )


def _stores_time(route: spec.RouteSettings) -> bool:
    times = META_TIMES.keys()
    return any(not times.isdisjoint(each) for each in metadata_of_route(route).values())


def _adds(config: WriteConfig) -> bool:
    """Return whether a route adds or appends, and no version keeps it from doing so twice."""
    return bool(config.add or config.append) and not config.version
