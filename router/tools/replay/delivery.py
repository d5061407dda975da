"""Delivers messages in order: of two that write one item, the later is written after the earlier.

The worker may write a message while an earlier one waits for another try, as SQS delivers in any order. Here a message
that waits keeps all that could follow it on one of its items waiting, too: a message whose plan is not known, all.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from router.model import Outcome, Result, Summary
from router.runtime.aws.calls import MOST_CALLS, Clock, Sleep, boottime
from router.runtime.aws.protocols import Aws
from router.runtime.deliver.time_limits import FixedDeadline, SharedWaits, StartLimit, WaitBudget
from router.runtime.deliver.writer import Writer
from router.runtime.engine.engine import CompiledQueue
from router.runtime.engine.writes import PlannedMessage
from router.runtime.program.load import Program
from router.runtime.program.route_tests import Identity
from router.tools.dev.starting import start_plugins
from router.tools.dlq.planning import Planner
from router.tools.replay.source import SourceMessage

Check = Callable[[SourceMessage, PlannedMessage], object]
"""Raises UsageError for a message that may not be written."""
Confirmed = Sequence[tuple[int, Outcome]]
"""Messages by their places among those that were given, and what became of them for good."""
SECONDS = 60.0
"""The deadline of one try."""
MAX_TRIES = 8
"""The tries in a row after which nothing more is confirmed."""
LONGEST_WAIT = 15.0
"""Seconds between two tries; the first wait is of a quarter of a second, and each later one twice as long."""
_FIRST_WAIT = 0.25
_MOST_BYTES = 64 * 1024 * 1024
"""Of the items that are planned before the first is written; the last may exceed it."""


class OrderedDelivery:
    """Delivers through one connection.

    `stopped` is why the last messages were not all delivered: a configuration error, or what all tries ended with.
    """

    def __init__(
        self,
        program: Program,
        aws: Aws,
        planner: Planner,
        check: Check,
        clock: Clock = boottime,
        sleep: Sleep = time.sleep,
    ) -> None:
        start_plugins(program)
        self.stopped: Outcome | None = None
        self._plugins = program.plugins
        self._planner = planner
        self._check = check
        self._clock = clock
        self._sleep = sleep
        self._writer = Writer(aws.tables, clock, sleep, most_calls=MOST_CALLS)

    def deliver(
        self, queue: CompiledQueue, messages: Sequence[SourceMessage]
    ) -> Iterator[Confirmed]:
        """Deliver messages of one queue; yield those that are confirmed, some at a time.

        Raises UsageError for one that may not be written; none that is planned with it is written then.
        """
        left = [*range(len(messages))]
        tries = 0
        while left:
            before = len(left)
            failed = yield from self._try(queue, messages, left)
            if failed is None:
                continue
            tries = 1 if len(left) < before else tries + 1
            if failed.configuration_error or tries == MAX_TRIES:
                self.stopped = failed
                return
            wait = _FIRST_WAIT * 2 ** (tries - 1) if failed.delay is None else failed.delay
            self._sleep(min(wait, LONGEST_WAIT))

    def _try(
        self, queue: CompiledQueue, messages: Sequence[SourceMessage], left: list[int]
    ) -> Generator[Confirmed, None, Outcome | None]:
        """Deliver what is left, and take off it what is confirmed; return the first outcome that is to be retried."""
        started = self._clock()
        planned = self._plan(queue, messages, left)
        outcomes: dict[PlannedMessage, Outcome] = {}
        limit = StartLimit(FixedDeadline(started + SECONDS), started, (self._writer.duration,))
        waits = WaitBudget(self._clock, SharedWaits(SECONDS, SECONDS))
        for settled in self._writer.write([*planned.values()], limit, waits, atomic=queue.atomic):
            outcomes |= settled
            confirmed = _confirmed(planned, outcomes)
            for place, _ in confirmed:
                del planned[place]
                # Nearly always the first one.
                left.remove(place)
            if confirmed:
                self._notify(queue, messages, confirmed, self._clock() - started)
                yield confirmed
        return next(
            (outcomes[each] for each in planned.values() if outcomes[each].kind == "retry"), None
        )

    def _plan(
        self, queue: CompiledQueue, messages: Sequence[SourceMessage], left: Sequence[int]
    ) -> dict[int, PlannedMessage]:
        """Return the plans of the next messages by their places, until one is to be planned again later."""
        planned = {}
        size = 0
        records = [messages[place].to_deliver() for place in left]
        for place, each in zip(left, self._planner.plan_all(queue, records), strict=False):
            self._check(messages[place], each)
            planned[place] = each
            size += sum(write.size for write in each.writes)
            is_open = each.outcome is not None and each.outcome.kind == "retry"
            if is_open or size > _MOST_BYTES:
                break
        return planned

    def _notify(
        self,
        queue: CompiledQueue,
        messages: Sequence[SourceMessage],
        confirmed: Confirmed,
        seconds: float,
    ) -> None:
        """Show outcomes to the observers of plugins."""
        if self._plugins.observes("router_outcome"):
            for place, outcome in confirmed:
                self._plugins.notify(
                    "router_outcome", Result(messages[place].original_id, queue.name, outcome)
                )
        if self._plugins.observes("router_batch_done"):
            counts = Counter(outcome.kind for _, outcome in confirmed)
            conflicts = sum(outcome.conflict for _, outcome in confirmed)
            summary = Summary(queue.name, counts, seconds, conflicts)
            self._plugins.notify("router_batch_done", summary)


def _confirmed(
    planned: Mapping[int, PlannedMessage], outcomes: Mapping[PlannedMessage, Outcome]
) -> list[tuple[int, Outcome]]:
    """Return the messages whose outcome is for good: no earlier one is still to write an item of theirs."""
    open_items: set[Identity] = set()
    found = []
    for place, each in planned.items():
        outcome = outcomes.get(each)
        is_open = outcome is None or outcome.kind == "retry"
        # Nearly always nothing is open.
        items = {write.identity for write in each.writes} if is_open or open_items else set()
        if outcome is None or is_open or not open_items.isdisjoint(items):
            open_items |= items
        else:
            found.append((place, outcome))
    return found
