"""The one shell around the engine: plan, write, dead-letter — and say what may be acknowledged."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from random import uniform

from msgspec import Struct

from router.aws.client import Aws
from router.aws.faults import Fault
from router.compile.load import Program
from router.dead_letter import send_dead_letters
from router.engine import codes
from router.engine.batch import Batch, pack
from router.engine.coalesce import Chain, coalesce
from router.engine.engine import CompiledQueue, plan
from router.engine.settle import settle_answer
from router.engine.ticket import Ticket
from router.log import log_batch, log_result
from router.model import Outcome, OutcomeKind, Record, Result, Summary

BACKOFF_BASE = 0.05
"""Seconds; the wait before the second try is random up to this, and doubles with each further one."""
BACKOFF_CAP = 5.0
"""Seconds; no wait is longer."""
MAX_TRIES = 8
"""A write that fails so often is left for the next delivery of its message."""

Clock = Callable[[], float]
"""Seconds, growing: `time.monotonic` or a test's."""


class Delivered(Struct, frozen=True):
    """A message, how it ended, and whether it is to be deleted from its queue."""

    record: Record
    outcome: Outcome
    acknowledged: bool


class Delivery:
    """Delivers batches of one program through one connection; keeps no state between batches."""

    def __init__(
        self, program: Program, aws: Aws, clock: Clock = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._program = program
        self._aws = aws
        self._clock = clock
        self._sleep = sleep

    def deliver(self, queue: CompiledQueue, records: Sequence[Record], deadline: float) -> list[Delivered]:
        """Bring each record to exactly one outcome, in their order; no call starts after `deadline` of the clock."""
        started = self._clock()
        # A message that comes twice in a batch is one message; the newest receipt handle is the good one.
        distinct = {record.message_id: record for record in records}
        tickets = [plan(queue, record) for record in distinct.values()]
        delivered: dict[str, Delivered] = {}
        for wave in _waves(queue, tickets, delivered):
            self._write(wave, deadline)
            for each in self._finish(queue, wave, deadline):
                delivered[each.record.message_id] = each
        results = [delivered[message_id] for message_id in distinct]
        self._report(queue, results, self._clock() - started)
        return results

    def _write(self, tickets: Iterable[Ticket], deadline: float) -> None:
        """Send all open writes of the tickets, again and again until each is settled."""
        pending = coalesce(tickets)
        for attempt in count(1):
            batches = pack(pending)
            pending = []
            while batches:
                batch = batches.pop(0)
                if self._clock() >= deadline:
                    _leave(batch.chains, "time was up before it was written")
                    continue
                pending += self._send(batch, batches)
            if not pending:
                return
            wait = uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2**attempt))  # noqa: S311 — jitter, no secret
            if attempt == MAX_TRIES or self._clock() + wait >= deadline:
                _leave(pending, "the table did not take it in time")
                return
            self._sleep(wait)

    def _send(self, batch: Batch, batches: list[Batch]) -> list[Chain]:
        """One call; returns what is to be tried after a while, and adds to `batches` what is to be tried at once."""
        answer = self._aws.tables.batch_write(batch.table.name, batch.requests())
        fault = answer.fault
        if fault is None:
            return settle_answer(batch, answer.unprocessed)
        if fault.kind == "retry":
            return batch.chains
        if fault.kind == "setup":
            _settle(batch.chains, _setup(f"table '{batch.table.name}': {fault.code}"))
        elif len(batch.chains) > 1:
            batches[:0] = batch.halves()
        else:
            self._refuse(batch, fault, batches)
        return []

    def _refuse(self, batch: Batch, fault: Fault, batches: list[Batch]) -> None:
        """An item alone is refused: the table's real key decides whether the set-up is at fault, or the item."""
        name = batch.table.name
        key = self._aws.tables.key_schema(name)
        if isinstance(key, Fault):
            _settle(batch.chains, _setup(f"table '{name}': {key.code}"))
        elif key != batch.table.key:
            _settle(batch.chains, _setup(f"table '{name}' has another key than the config says"))
        else:
            (chain,) = batch.chains
            reason = f"table '{name}' refused the item: {fault.code}"
            if chain.reject(Outcome("rejected", codes.REFUSED.id, reason, chain.write.route)):
                batches.insert(0, batch)

    def _finish(self, queue: CompiledQueue, tickets: Sequence[Ticket], deadline: float) -> Iterator[Delivered]:
        """What may be acknowledged, once the dead letters of what was rejected are confirmed."""
        rejected = [ticket for ticket in tickets if _outcome(ticket).kind == "rejected"]
        failed: dict[str, Outcome] = {}
        if rejected and queue.dead_letter:
            if self._clock() < deadline:
                failed = send_dead_letters(self._aws.queues, queue, rejected)
            else:
                late = Outcome("retry", codes.NOT_STARTED.id, "time was up before its dead letter was sent")
                failed = {ticket.record.message_id: late for ticket in rejected}
        for ticket in tickets:
            outcome = failed.get(ticket.record.message_id, _outcome(ticket))
            # Without a dead-letter queue of ours, a rejected message stays for its queue's own redrive policy.
            kept = outcome.kind == "retry" or (outcome.kind == "rejected" and not queue.dead_letter)
            yield Delivered(ticket.record, outcome, acknowledged=not kept)

    def _report(self, queue: CompiledQueue, results: Sequence[Delivered], seconds: float) -> None:
        counts: dict[OutcomeKind, int] = {}
        plugins = self._program.plugins
        for each in results:
            counts[each.outcome.kind] = counts.get(each.outcome.kind, 0) + 1
            if each.outcome.kind == "written" and not plugins.observes_outcomes:
                continue
            result = Result(each.record.message_id, queue.name, each.outcome, each.record.receive_count)
            log_result(result)
            plugins.notify_outcome(result)
        summary = Summary(queue.name, counts, seconds)
        log_batch(summary)
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
                outcome = Outcome(
                    "retry", codes.NOT_STARTED.id, "an earlier message of its group is still on the queue"
                )
                delivered[later.record.message_id] = Delivered(later.record, outcome, acknowledged=False)
        left = [group for group in going_on if group]


def _outcome(ticket: Ticket) -> Outcome:
    """How a ticket ended; all have when their writes are settled."""
    if ticket.outcome is None:
        raise AssertionError("a write was not settled")
    return ticket.outcome


def _settle(chains: Iterable[Chain], outcome: Outcome) -> None:
    for chain in chains:
        chain.settle(outcome)


def _leave(chains: Iterable[Chain], reason: str) -> None:
    _settle(chains, Outcome("retry", codes.RETRY_LATER.id, reason))


def _setup(reason: str) -> Outcome:
    return Outcome("retry", codes.SETUP.id, reason, setup=True)
