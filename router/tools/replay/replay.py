"""Replays a source: reads it in order, some messages at a time, delivers them, and keeps what is done in a journal."""

import time
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from router.errors import UsageError
from router.runtime.aws.calls import Clock, Sleep, boottime
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import Program
from router.tools.dlq.redrive import RateLimit
from router.tools.replay.delivery import Confirmed, OrderedDelivery
from router.tools.replay.journal import LeftMessage, ReplayJournal, result_of
from router.tools.replay.rejected import RejectedFile, rejected_line
from router.tools.replay.source import Source, SourceMessage, SourceSelection

MOST_MESSAGES = 1000
"""Messages that are delivered together."""
MOST_CHARACTERS = 16 * 1024 * 1024
"""Of their bodies; the last may exceed it."""
_MOST_READ = 100_000
"""Messages between two lines of the journal, selected or not."""
MOST_LEFT = 100_000
"""Messages that are left behind one that cannot be written; the journal keeps their numbers in memory."""


class Window(Struct):
    """Messages that are delivered together, by their numbers in the source; all before `position` end with it.

    `digests` are those of the source up to each of them.
    """

    messages: dict[int, SourceMessage]
    digests: dict[int, int]
    position: int
    digest: int


def read_windows(
    source: Source, selection: SourceSelection, journal: ReplayJournal, most: int = MOST_MESSAGES
) -> Iterator[Window]:
    """Yield the messages of a source that are selected and not done yet; raises UsageError."""
    messages: dict[int, SourceMessage] = {}
    digests: dict[int, int] = {}
    characters = 0
    begun = journal.position
    left = {number: each.digest for number, each in journal.left.items()}
    for message in source.messages(journal.position, journal.digest, left):
        number = source.position
        # What an earlier run has left was selected by it.
        if number in left or (number not in journal.done and selection.selects(message)):
            messages[number] = message
            digests[number] = source.digest
            characters += len(message.record.body)
        if (
            len(messages) >= most
            or characters >= MOST_CHARACTERS
            or source.position - begun >= _MOST_READ
        ):
            yield Window(messages, digests, source.position, source.digest)
            messages = {}
            digests = {}
            characters = 0
            begun = source.position
    if messages or source.position > begun:
        yield Window(messages, digests, source.position, source.digest)


class Replay:
    """A replay; its journal is open. At most `rate` messages a second are delivered if that is not None."""

    def __init__(
        self,
        program: Program,
        delivery: OrderedDelivery,
        journal: ReplayJournal,
        rejected: RejectedFile,
        rate: float | None = None,
        clock: Clock = boottime,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._hash = program.hash
        self._parts = separate_queues(program)
        self._tables = {
            name: tuple(sorted(delivery.tables(queue)))
            for name, queue in program.engine.queues.items()
        }
        self._delivery = delivery
        self._journal = journal
        self._rejected = rejected
        self._limit = RateLimit(rate, clock, sleep)

    def keep_rate(self, window: Window) -> None:
        """Wait until the messages of a window keep to the rate; to be called before they are delivered."""
        self._limit.wait(len(window.messages))

    def deliver(self, window: Window) -> None:
        """Deliver messages, and note what is done; raises UsageError."""
        self._journal.reserve(len(window.messages))
        for number, message in window.messages.items():
            self._require_tables(number, message)
        for queue, messages in self._in_order(window.messages):
            numbers = [*messages]
            given = [*messages.values()]
            for confirmed in self._delivery.deliver(queue, given):
                self._confirm(queue, numbers, given, confirmed)
            if self._delivery.stopped:
                return
        left = {
            number: LeftMessage(window.digests[number], self._tables[message.queue.name])
            for number, message in window.messages.items()
            if number not in self._journal.done
        }
        self._journal.finish(window.position, window.digest, left)

    @property
    def is_stuck(self) -> bool:
        """Whether reading on is of no use: no table may be written to, or too many messages wait."""
        tables = {table for each in self._tables.values() for table in each}
        return bool(self._delivery.held) and (
            tables <= self._delivery.held or len(self._journal.left) >= MOST_LEFT
        )

    def _require_tables(self, number: int, message: SourceMessage) -> None:
        """Raise UsageError if an earlier run left a message, and wrote later ones to a table that it may write to."""
        left = self._journal.left.get(number)
        if left is None:
            return
        more = [table for table in self._tables[message.queue.name] if table not in left.tables]
        if more:
            raise UsageError(
                f"{message.place} waits since an earlier run, and the config writes its queue to table '{more[0]}' "
                "now, to which later messages are written already; replay it with the tables of that run, or begin a "
                "new replay with --again"
            )

    def _confirm(
        self,
        queue: CompiledQueue,
        numbers: Sequence[int],
        messages: Sequence[SourceMessage],
        confirmed: Confirmed,
    ) -> None:
        lines = [
            rejected_line(queue, messages[place], outcome, self._hash)
            for place, outcome in confirmed
            if outcome.kind == "rejected"
        ]
        fault = None
        try:
            self._rejected.add(lines)
        except UsageError as error:
            # What is written must be in the journal all the same: else the next run would write it again.
            fault = error
            confirmed = [each for each in confirmed if each[1].kind != "rejected"]
        done = [numbers[place] for place, _ in confirmed]
        results = (result_of(outcome) for _, outcome in confirmed)
        self._journal.confirm(done, results, self._rejected.size)
        if fault:
            raise fault

    def _in_order(
        self, messages: Mapping[int, SourceMessage]
    ) -> Iterator[tuple[CompiledQueue, dict[int, SourceMessage]]]:
        """Yield the messages in groups of one queue; those of queues that write one table are in order."""
        groups: dict[int, list[tuple[CompiledQueue, dict[int, SourceMessage]]]] = {}
        for number, message in messages.items():
            part = groups.setdefault(self._parts[message.queue.name], [])
            if not part or part[-1][0] is not message.queue:
                part.append((message.queue, {}))
            part[-1][1][number] = message
        for part in groups.values():
            yield from part


def separate_queues(program: Program) -> Mapping[str, int]:
    """Return a number for each queue, by name: queues with the same one write a common table, in some steps."""
    parts = {}
    of_table: dict[str, int] = {}
    for number, queue in enumerate(program.engine.queues.values()):
        tables = {route.write.table.name for route in queue.routes}
        joined = {of_table[table] for table in tables & of_table.keys()}
        parts[queue.name] = number
        of_table |= dict.fromkeys(tables, number)
        for known in (parts, of_table):
            known.update({name: number for name, part in known.items() if part in joined})
    return parts
