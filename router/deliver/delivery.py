"""The one shell around the engine: plan, write, dead-letter — and say what may be acknowledged."""

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from router import codes
from router.aws.client import Aws
from router.aws.faults import Fault
from router.deliver.dead_letters import send_dead_letters
from router.deliver.lanes import schedule
from router.deliver.log import log_batch, log_result
from router.deliver.metrics import Meter, ignore
from router.deliver.payloads import Fetcher
from router.deliver.writer import Clock, Deadline, Writer
from router.engine.engine import MAX_BACKOFF_SECONDS, CompiledQueue, plan
from router.engine.ticket import Ticket
from router.model import WRITTEN, Outcome, Record, Result, Summary
from router.program.load import Program

MARGIN_SECONDS = 0.5
"""What is kept of the time besides that of calls under way: for dead letters, deletes and the answer."""


class Delivered(Struct, frozen=True):
    """A message, how it ended, and whether it is to be deleted from its queue."""

    record: Record
    outcome: Outcome
    acknowledged: bool


class Delivery:
    """Delivers batches of one program through one connection; keeps no message from one batch to the next.

    With `setup_wait`, messages that met a fault of the set-up are hidden for so many seconds, else as any other.
    `meter` is told of each batch.
    """

    def __init__(
        self,
        program: Program,
        aws: Aws,
        clock: Clock = time.monotonic,
        setup_wait: int | None = None,
        meter: Meter = ignore,
    ) -> None:
        self._program = program
        self._aws = aws
        self._clock = clock
        self._writer = Writer(aws.tables, clock)
        self._fetcher = Fetcher(aws, clock)
        self._setup_wait = setup_wait
        self._meter = meter

    @property
    def margin(self) -> float:
        """Seconds that a deadline should leave: a call that has just begun must be able to end, and be answered for."""
        return MARGIN_SECONDS + 2 * max(self._writer.call_seconds, self._fetcher.call_seconds)

    def deliver(self, queue: CompiledQueue, records: Sequence[Record], deadline: Deadline) -> list[Delivered]:
        """Bring each record to exactly one outcome, in their order; no call starts after the deadline."""
        started = self._clock()
        # A message that comes twice in a batch is one message; the newest receipt handle is the good one.
        distinct = {record.message_id: record for record in records}
        found = self._fetcher.fetch(queue, distinct.values(), deadline)
        tickets = [each if isinstance(each, Ticket) else plan(queue, each) for each in found]
        delivered: dict[str, Delivered] = {}
        for wave in _waves(queue, tickets, delivered):
            for lanes in schedule(wave, atomic=queue.atomic):
                self._writer.write(lanes, deadline)
            for each in self._finish(queue, wave, deadline):
                delivered[each.record.message_id] = each
        results = [delivered[message_id] for message_id in distinct]
        self._report(queue, results, self._clock() - started)
        return results

    def hide(self, queue: CompiledQueue, url: str, delivered: Sequence[Delivered]) -> dict[str, Fault]:
        """Put off the next delivery of what stays on its queue; those that could not be hidden come by themselves.

        What was not begun is shown again at once, and before the others are hidden, so that its receive count is not
        used up by waiting.
        """
        waits = [(each.record, self._wait(queue, each)) for each in delivered if not each.acknowledged]
        failed: dict[str, Fault] = {}
        for group in ([w for w in waits if w[1] == 0], [w for w in waits if w[1]]):
            if group:
                handles = [(record.message_id, record.receipt_handle, wait or 0) for record, wait in group]
                failed |= self._aws.queues.release(url, handles)
        return failed

    def _wait(self, queue: CompiledQueue, delivered: Delivered) -> int | None:
        """For how many seconds a message is to be hidden; None to leave that to its queue."""
        outcome = delivered.outcome
        if outcome.kind == "rejected":
            return None
        if outcome.setup and self._setup_wait is not None:
            return self._setup_wait
        if outcome.delay is not None:
            return min(math.ceil(outcome.delay), MAX_BACKOFF_SECONDS)
        return queue.backoff.wait(delivered.record.receive_count)

    def _finish(self, queue: CompiledQueue, tickets: Sequence[Ticket], deadline: Deadline) -> Iterator[Delivered]:
        """What may be acknowledged, once the dead letters of what was rejected are confirmed."""
        outcomes = [ticket.outcome or _unsettled(ticket) for ticket in tickets]
        rejected = [ticket for ticket, outcome in zip(tickets, outcomes, strict=True) if outcome.kind == "rejected"]
        failed: dict[str, Outcome] = {}
        if rejected and queue.dead_letter:
            if self._clock() < deadline():
                failed = send_dead_letters(self._aws.queues, queue, rejected)
            else:
                late = Outcome("retry", codes.NOT_STARTED.id, "time was up before its dead letter was sent")
                failed = {ticket.record.message_id: late for ticket in rejected}
        if failed:
            outcomes = [
                failed.get(ticket.record.message_id, outcome) for ticket, outcome in zip(tickets, outcomes, strict=True)
            ]
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            # Without a dead-letter queue of ours, a rejected message stays for its queue's own redrive policy.
            kept = outcome.kind == "retry" or (outcome.kind == "rejected" and not queue.dead_letter)
            yield Delivered(ticket.record, outcome, acknowledged=not kept)

    def _report(self, queue: CompiledQueue, results: Sequence[Delivered], seconds: float) -> None:
        plugins = self._program.plugins
        for each in results:
            if each.outcome is not WRITTEN or plugins.observes_outcomes:
                result = Result(each.record.message_id, queue.name, each.outcome, each.record.receive_count)
                log_result(result)
                plugins.notify_outcome(result)
        outcomes = [each.outcome for each in results]
        summary = Summary(
            queue.name,
            Counter([outcome.kind for outcome in outcomes]),
            seconds,
            conflicts=sum([outcome.conflict for outcome in outcomes]),
            setup_faults=sum([outcome.setup for outcome in outcomes]),
        )
        log_batch(summary)
        self._meter(summary)
        plugins.notify_batch(summary)


def _waves(queue: CompiledQueue, tickets: list[Ticket], delivered: dict[str, Delivered]) -> Iterator[list[Ticket]]:
    """A batch as it may be written: at once, or on FIFO queues one message of each group at a time.

    After the first message of a group that is not acknowledged, the rest of the group is left on the queue.
    """
    if not queue.fifo:
        yield tickets
        return
    groups: dict[str, list[Ticket]] = {}
    for ticket in tickets:
        groups.setdefault(ticket.record.attributes.get("MessageGroupId", ""), []).append(ticket)
    left = list(groups.values())
    while left:
        wave = [group.pop(0) for group in left]
        yield wave
        going_on = []
        for ticket, group in zip(wave, left, strict=True):
            if delivered[ticket.record.message_id].acknowledged:
                going_on.append(group)
                continue
            for later in group:
                reason = "an earlier message of its group is still on the queue"
                outcome = Outcome("retry", codes.NOT_STARTED.id, reason, delay=0)
                delivered[later.record.message_id] = Delivered(later.record, outcome, acknowledged=False)
        left = [group for group in going_on if group]


def _unsettled(ticket: Ticket) -> Outcome:
    raise AssertionError("a write was not settled")
