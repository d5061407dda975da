"""Delivers messages in order: of two that write one item, the later is written after the earlier.

The worker may write a message while an earlier one waits for another try, as SQS delivers in any order. Here a message
that waits keeps all that could follow it on one of its items waiting, too. A message whose plan is not known, as a
plugin failed on it, may write any item of the tables of its queue.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from msgspec import Struct, structs

from router import codes
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
_OF_A_MESSAGE = frozenset(
    code.id for code in (codes.PLUGIN_FAILED, codes.PLUGIN_RETRY, codes.INVALID, codes.NO_ROUTE)
)
"""The codes of retries for which a message is at fault, a plugin, or the config; an outage is not."""
_MOST_BYTES = 64 * 1024 * 1024
"""Of the items that are planned before the first is written; the last may exceed it."""


MOST_BLOCKED = 100
"""The blocked messages that are kept, to be shown."""


class BlockedMessage(Struct, frozen=True):
    """A message that is not written, by its place and its id, and why."""

    place: str
    message_id: str
    outcome: Outcome

    @classmethod
    def of(cls, message: SourceMessage, outcome: Outcome) -> "BlockedMessage":
        """Return that of a message."""
        return cls(message.place, message.shown_id, outcome)


class BlockedMessages:
    """The messages that cannot be planned: how many, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[BlockedMessage] = []

    def add(self, message: SourceMessage, outcome: Outcome) -> None:
        """Count a message."""
        self.count += 1
        if len(self.first) < MOST_BLOCKED:
            self.first.append(BlockedMessage.of(message, outcome))


class OrderedDelivery:
    """Delivers through one connection; a message of `left_out` that would be retried is rejected instead.

    `stopped` is why the last messages were not all delivered: a configuration error, or what all tries ended with.
    `blocked` are messages that all tries could not plan, and `held` the tables that they may be written to, and that
    what waits for them may be: no later message is written to one.
    """

    def __init__(
        self,
        program: Program,
        aws: Aws,
        planner: Planner,
        check: Check,
        clock: Clock = boottime,
        sleep: Sleep = time.sleep,
        left_out: frozenset[str] = frozenset(),
    ) -> None:
        start_plugins(program)
        self.stopped: BlockedMessage | None = None
        self.blocked = BlockedMessages()
        self.held: set[str] = set()
        self.tables = planner.tables
        self._plugins = program.plugins
        self._planner = planner
        self._check = check
        self._clock = clock
        self._sleep = sleep
        self._left_out = left_out
        self._writer = Writer(aws.tables, clock, sleep, most_calls=MOST_CALLS)

    def deliver(
        self, queue: CompiledQueue, messages: Sequence[SourceMessage]
    ) -> Iterator[Confirmed]:
        """Deliver messages of one queue; yield those that are confirmed, some at a time.

        What is neither confirmed nor `stopped` at the end is to be delivered again, by another run. Raises UsageError
        for a message that may not be written; none that is planned with it is written then.
        """
        left = [*range(len(messages))]
        tries = 0
        while left:
            before = len(left)
            retries = yield from self._try(queue, messages, left)
            if not retries:
                continue
            tries = 1 if len(left) < before else tries + 1
            # An outage comes before a message that is at fault: it may be what the plugin meets, too.
            place = min(retries, key=lambda each: _order(retries[each]))
            failed = retries[place]
            is_last = tries == MAX_TRIES
            if failed.configuration_error or (is_last and failed.code not in _OF_A_MESSAGE):
                self.stopped = BlockedMessage.of(messages[place], failed)
                return
            if is_last:
                self.held |= self.tables(queue)
                continue
            wait = _FIRST_WAIT * 2 ** (tries - 1) if failed.delay is None else failed.delay
            self._sleep(min(wait, LONGEST_WAIT))

    def _try(
        self, queue: CompiledQueue, messages: Sequence[SourceMessage], left: list[int]
    ) -> Generator[Confirmed, None, dict[int, Outcome]]:
        """Deliver what is left, and take off it what is confirmed or held; return the outcomes that are to be retried.

        They are by the places of the messages.
        """
        started = self._clock()
        planned, retries = self._plan(queue, messages, left)
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
        for place, each in planned.items():
            if outcomes[each].kind == "retry":
                retries[place] = outcomes[each]
        return retries

    def _plan(
        self, queue: CompiledQueue, messages: Sequence[SourceMessage], left: list[int]
    ) -> tuple[dict[int, PlannedMessage], dict[int, Outcome]]:
        """Return the plans of the next messages, until one is to be planned again, and the outcome of that one.

        Both are by the places of the messages. What may not be written, as its tables are held, is taken off `left`.
        """
        planned: dict[int, PlannedMessage] = {}
        retries: dict[int, Outcome] = {}
        tables = self.tables(queue)
        size = 0
        places = [*left]
        records = [messages[place].to_deliver() for place in places]
        for place, found in zip(places, self._planner.plan_all(queue, records), strict=False):
            message = messages[place]
            each = reject_left_out(message, found, self._left_out)
            self._check(message, each)
            if each.outcome is not None and each.outcome.kind == "retry":
                if not tables <= self.held:
                    retries[place] = each.outcome
                    break
                self.blocked.add(message, each.outcome)
                left.remove(place)
            elif self.held and not self.held.isdisjoint(tables_of(each)):
                # Its plan may be another one by the next run: it may be written to any of them.
                self.held |= tables
                left.remove(place)
            else:
                planned[place] = each
                size += sum(write.size for write in each.writes)
                if size > _MOST_BYTES:
                    break
        return planned, retries

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


def reject_left_out(
    message: SourceMessage, planned: PlannedMessage, left_out: frozenset[str]
) -> PlannedMessage:
    """Return the plan of a message: one that would be retried is rejected if it has one of these ids."""
    outcome = planned.outcome
    if outcome is None or outcome.kind != "retry" or message.shown_id not in left_out:
        return planned
    return PlannedMessage(planned.record, structs.replace(outcome, kind="rejected", delay=None))


def tables_of(planned: PlannedMessage) -> set[str]:
    """Return the names of the tables that a message is written to."""
    return {write.identity[0] for write in planned.writes}


def _order(outcome: Outcome) -> int:
    """Return which of several retries decides: the least."""
    return 0 if outcome.configuration_error else 1 + (outcome.code in _OF_A_MESSAGE)


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
