"""One receiver: receives messages of a queue, delivers them, deletes what may be acknowledged, and begins again."""

import time
from collections.abc import Callable, Sequence
from random import uniform

from msgspec import Struct

from router import codes
from router.aws.client import Queues
from router.aws.faults import Fault
from router.aws.run_lock import away
from router.deliver.delivery import Delivered, Delivery
from router.deliver.log import LOGGER
from router.engine.engine import CompiledQueue
from router.model import Record
from router.run.concurrency import Round
from router.run.leases import Held, Hold
from router.run.stopping import Stopping

MAX_MESSAGES = 10
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
HAND_MESSAGES = 200
"""A receiver has no more at a time: eight full calls of BatchWriteItem, twenty of ReceiveMessage and
DeleteMessageBatch."""
PLENTY = 0.6
"""Once so large a part of what was asked for comes, there are more messages than that: what is written and deleted
together takes fewer calls, and fewer waits, so twice as many are asked for. Else as many as came."""
HAND_SECONDS = 1.0
"""Nor has it more than it can work on in this time, so that it can stop in time where a plugin is slow or a table does
not keep up …"""
HAND_SIZE = 1024 * 1024
"""… nor more than so many characters; both going by the round before."""
DELETE_TRIES = 6
DELETE_PAUSE = 0.1
"""Seconds; the bound of the random wait before a delete is tried again, doubled each time."""
PAUSE_BASE = 1.0
PAUSE_CAP = 60.0
"""Seconds; where a queue or its tables do not work, polling pauses for about PAUSE_BASE, doubling up to PAUSE_CAP."""


class Polled(Struct, frozen=True):
    """A queue as a receiver polls it; `visibility` and `wait` are in seconds."""

    queue: CompiledQueue
    url: str
    visibility: int
    wait: int


class Receiver:
    """Polls one queue until it is told to stop, or that it is one too many; what it has begun by then it finishes.

    `healthy` tells whether its last receive worked, `seen_at` when (by the monotonic clock) it last began a round, and
    `at_work_since` since when it works on what it has received; None while it does not. `heed` is told of each
    round, and says whether to go on.
    """

    def __init__(
        self,
        polled: Polled,
        queues: Queues,
        delivery: Delivery,
        held: Held,
        stopping: Stopping,
        heed: Callable[["Receiver", Round], bool] = lambda receiver, made: True,
    ) -> None:
        self.polled = polled
        self.healthy = True
        self.seen_at = time.monotonic()
        self.at_work_since: float | None = None
        self._queues = queues
        self._delivery = delivery
        self._held = held
        self._stopping = stopping
        self._heed = heed
        self._pauses = 0
        # The messages of a FIFO queue stay the fewest, and so do those whose payloads are elsewhere and may be large.
        self._gathers = not polled.queue.fifo and polled.queue.pointers is None
        self._asked = MAX_MESSAGES

    def run(self) -> None:
        """Receive and deliver until stopped, or one too many; no error ends it."""
        while not self._stopping.is_set():
            self.seen_at = time.monotonic()
            try:
                made = self._round()
            except Exception:  # whatever it is, the messages come again, and so does the next round
                LOGGER.exception("unexpected error", extra={"fields": {"queue": self.polled.queue.name}})
                made = Round(well=False)
            if not self._heed(self, made):
                return
            if made.well:
                self._pauses = 0
            else:
                self._pause()

    def _round(self) -> Round:
        """Receive, and what follows."""
        polled, asked = self.polled, self._asked
        if self._held.is_full:
            asked = MAX_MESSAGES
        # Only a single call waits: several are for a backlog, which is there already.
        waits = asked == MAX_MESSAGES
        found = self._queues.receive(polled.url, asked, polled.wait if waits else 0)
        self._asked = MAX_MESSAGES
        self.healthy = not isinstance(found, Fault)
        if isinstance(found, Fault):
            self._say("cannot receive", found)
            return Round(well=False)
        if not found:
            return Round(seconds=time.monotonic() - self.seen_at)
        # Where one of several calls is slow, the messages of another may have been hidden from the beginning.
        hold = self._held.take(polled.url, polled.visibility, found, None if waits else self.seen_at)
        try:
            self.at_work_since = began = time.monotonic()
            well = self._deliver(found, hold)
        finally:
            self.at_work_since = None
            self._held.let_go(hold)
        ended = time.monotonic()
        most = self._bound(len(found), hold.size, ended - began)
        # Of several calls some bring fewer, however many messages there are.
        plenty = len(found) >= max(MAX_MESSAGES, asked * PLENTY)
        self._asked = min(most, 2 * asked if plenty else _whole_answers(len(found) + MAX_MESSAGES - 1))
        return Round(len(found), plenty and asked >= most, ended - self.seen_at, well)

    def _bound(self, received: int, size: int, seconds: float) -> int:
        """How many messages to have at most, where so many of this size together took so many seconds of work."""
        if not self._gathers:
            return MAX_MESSAGES
        by_size = HAND_SIZE * received // max(1, size)
        by_seconds = int(HAND_SECONDS * received / max(seconds, 0.001))
        return max(MAX_MESSAGES, _whole_answers(min(HAND_MESSAGES, by_size, by_seconds)))

    def _deliver(self, records: Sequence[Record], hold: Hold) -> bool:
        """Bring what was received to its end; False if the next round had better wait."""
        polled = self.polled
        if self._stopping.is_set():
            # Nothing of this has begun: others may have it at once.
            self._queues.release(polled.url, [(id_, handle, 0) for id_, handle in self._handles(records)])
            return True
        # Half of the time at most: after one very slow call there must still be time for another to show better.
        margin = min(self._delivery.margin, polled.visibility / 2)

        def deadline() -> float:
            return min(self._stopping.deadline, hold.until) - margin

        delivered = self._delivery.deliver(polled.queue, records, deadline)
        self._acknowledge([each.record for each in delivered if each.acknowledged])
        for message_id, fault in self._delivery.hide(polled.queue, polled.url, delivered).items():
            self._say("cannot hide", fault, message_id)
        return not any(_asks_to_pause(each) for each in delivered)

    def _handles(self, records: Sequence[Record]) -> list[tuple[str, str]]:
        return self._held.handles(self.polled.url, dict.fromkeys(record.message_id for record in records))

    def _acknowledge(self, records: Sequence[Record]) -> None:
        """Delete; on FIFO queues one message of each group at a time, and none of a group after one that stays.

        It would come again alone, after messages that were to follow it.
        """
        if not self.polled.queue.fifo:
            self._delete(records)
            return
        groups: dict[str, list[Record]] = {}
        for record in records:
            groups.setdefault(record.attributes.get("MessageGroupId", ""), []).append(record)
        left = list(groups.values())
        while left:
            kept = self._delete([group[0] for group in left])
            left = [group[1:] for group in left if group[0].message_id not in kept and len(group) > 1]

    def _delete(self, records: Sequence[Record]) -> set[str]:
        """Delete, a failed delete again: its message would come again though it is written; the ids of what stays."""
        handles = self._handles(records)
        kept: set[str] = set()
        for attempt in range(1, DELETE_TRIES + 1):
            if not handles:
                break
            failed = self._queues.delete(self.polled.url, handles)
            lasting = {id_ for id_, fault in failed.items() if fault.kind != "retry" or attempt == DELETE_TRIES}
            for message_id in lasting:
                self._say("cannot delete", failed[message_id], message_id)
            kept |= lasting
            handles = [(id_, handle) for id_, handle in handles if id_ in failed and id_ not in lasting]
            if handles:
                with away:
                    time.sleep(uniform(0, DELETE_PAUSE * 2**attempt))  # noqa: S311 — jitter, no secret
        return kept

    def _pause(self) -> None:
        longest = min(PAUSE_CAP, PAUSE_BASE * 2**self._pauses)
        self._pauses += 1
        with away:
            self._stopping.wait(uniform(longest / 2, longest))  # noqa: S311 — jitter, no secret

    def _say(self, what: str, fault: Fault, message_id: str = "") -> None:
        fields = {"queue": self.polled.queue.name, "error": fault.code, "message_id": message_id}
        LOGGER.error(what, extra={"fields": {name: value for name, value in fields.items() if value}})


def _whole_answers(count: int) -> int:
    """Of so many messages those that full answers bring."""
    return count // MAX_MESSAGES * MAX_MESSAGES


def _asks_to_pause(delivered: Delivered) -> bool:
    """Whether the queue had better be polled more slowly: its set-up is at fault, or a table of it does not keep up."""
    return delivered.outcome.setup or delivered.outcome.code == codes.RETRY_LATER.id
