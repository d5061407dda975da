"""Delivers dead letters through the config at hand, or sends them back to their queues, and deletes them afterwards.

A message is deleted from its dead-letter queue only after its outcome is confirmed, so at no moment is it in neither
place. What is confirmed is in a journal before it is deleted: a run that was stopped in between does not deliver again.
The journal has room for that before anything is delivered, so that a full disk stops the run in time.

A message that is rejected stays where it is: a new dead letter would be behind the rest of its group, and would be
received again by the same run.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct, structs

from router.errors import UsageError
from router.model import Outcome
from router.runtime.aws.calls import Clock, Sleep, boottime
from router.runtime.aws.protocols import Aws, AwsFault, OutgoingMessage
from router.runtime.deliver.dead_letters import describe_failure, outgoing_of, with_failure
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.message_groups import group_waves
from router.runtime.deliver.time_limits import FixedDeadline
from router.runtime.engine.engine import CompiledQueue
from router.runtime.program.load import Program
from router.tools.dev.starting import start_plugins
from router.tools.dlq.journal import Journal
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.queues import CALL_SECONDS

BATCH = 100
"""Messages that are delivered together at most."""
DELIVERY_SECONDS = 60.0
"""The deadline of a batch, unless the lease of one of its messages ends before."""
SENT = "sent"
"""The result of a message that was sent back to its queue."""
LEAST_LEASE_SECONDS = 10.0
"""A message with less is left out: it would end the time of its whole batch."""
LEASE_OVER = "lease over"
"""The result of a message that is left out, since others may have it."""
NO_ROOM = "no room"
"""The result of a message that is not sent back, since it would lose its identity."""
_MOVED = Outcome("rejected", "", "the redrive policy of its queue moved it")


class Redriven(Struct, frozen=True):
    """The result for one message, and whether it is deleted from the dead-letter queue.

    The result is a kind of outcome, `sent`, `lease over` or `no room`. With a `configuration_error` no message is at
    fault: further ones would have the same result.
    """

    id: str
    result: str
    code: str = ""
    reason: str = ""
    deleted: bool = False
    configuration_error: bool = False


def batch_size(rate: float | None, most: int = BATCH) -> int:
    """Return how many messages are delivered together at most, at so many a second."""
    return most if rate is None else max(1, min(most, int(rate)))


class RateLimit:
    """Keeps messages to a rate, in messages a second; None is no limit."""

    def __init__(self, rate: float | None, clock: Clock, sleep: Sleep) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._done = 0

    def wait(self, count: int) -> None:
        """Wait until so many further messages keep to the rate; to be called before they are delivered."""
        if self._rate is not None:
            self._sleep(max(0.0, self._started + self._done / self._rate - self._clock()))
        self._done += count


class RedriveSource(Protocol):
    """Where messages come from: a leased dead-letter queue, or a file."""

    @property
    def fifo(self) -> bool:
        """Whether the messages of a group must be deleted in order."""

    @property
    def lasting(self) -> bool:
        """Whether deleted messages come again in the next run, as those of a file do."""

    def leased_until(self, ids: Sequence[str]) -> Mapping[str, float]:
        """Return the moment of `boottime` from which others may have each message."""

    def delete(self, ids: Sequence[str]) -> Mapping[str, AwsFault]:
        """Delete messages; return the faults of those that are still there."""


class Redriver:
    """Redrives messages of one dead-letter queue, at most `rate` a second if that is not None.

    `undeleted` are the faults of messages that are confirmed and could not be deleted, by id. `unfinished` are the
    results of messages that an exception kept from being returned: what is known of them. `rate_limit` is to be waited
    for before messages are delivered.
    """

    def __init__(
        self,
        program: Program,
        aws: Aws,
        source: RedriveSource,
        journal: Journal,
        rate: float | None = None,
        clock: Clock = boottime,
        sleep: Sleep = time.sleep,
        place: str = "",
    ) -> None:
        """`place` is what errors say of where the queues are."""
        self.undeleted: dict[str, AwsFault] = {}
        self.unfinished: list[Redriven] = []
        start_plugins(program)
        self._aws = aws
        self._delivery = Delivery(
            program,
            aws,
            clock,
            options=DeliveryOptions(sends_dead_letters=False, interruptible=True),
        )
        self._source = source
        self._journal = journal
        self.rate_limit = RateLimit(rate, clock, sleep)
        self._clock = clock
        self._place = place
        self._fault: UsageError | None = None

    def finish(self, ids: Sequence[str]) -> list[Redriven]:
        """Delete messages that an earlier run confirmed; they are in order. Raises UsageError."""
        self._journal.reserve(ids)
        self.unfinished = [Redriven(id_, self._journal.result(id_) or "") for id_ in ids]
        return self._finish(dict.fromkeys(ids))

    def deliver(self, queue: CompiledQueue, messages: Sequence[DlqMessage]) -> list[Redriven]:
        """Deliver messages that failed on one queue, and delete those that are acknowledged; raises UsageError."""
        left, new, until = self._split(queue, messages)
        records = [message.to_deliver() for message in new]
        delivered = self._delivery.deliver(queue, records, FixedDeadline(until)) if records else []
        self.unfinished = [_redriven(each.record.message_id, each.outcome) for each in delivered]
        self._confirm(
            {each.record.message_id: each.outcome.kind for each in delivered if each.acknowledged}
        )
        self.unfinished += left
        return self._finish(_groups(messages))

    def send_back(self, queue: CompiledQueue, messages: Sequence[DlqMessage]) -> list[Redriven]:
        """Send messages to the queue that they failed on, with their identity, and delete them; raises UsageError.

        To a FIFO queue, a message is sent after the one before it of its group is confirmed.
        """
        url = self._aws.queues.url(queue.reference, CALL_SECONDS)
        if isinstance(url, AwsFault):
            raise UsageError(
                f"cannot send to the queue '{queue.reference}'{self._place}: {url.cause}"
            )
        left, new, until = self._split(queue, messages)
        sent: dict[str, Redriven] = {}
        waves = group_waves(
            new, lambda each: each.record.group_id, lambda each: sent[each.id].result == SENT
        )
        for wave in waves if queue.fifo else [new]:
            results = self._send(url, queue, wave, until - self._clock())
            self.unfinished += results
            sent |= {each.id: each for each in results}
            self._confirm({each.id: SENT for each in results if each.result == SENT})
            if self._fault:
                break
        behind = [
            Redriven(each.id, "retry", "", "an earlier message of its group stays")
            for each in new
            if each.id not in sent
        ]
        self.unfinished += [*behind, *left]
        return self._finish(_groups(messages))

    def _confirm(self, results: Mapping[str, str]) -> None:
        """Add results to the journal, or note why they are not in it.

        That fails only if the disk itself does. The messages are then deleted all the same, since the next run would
        deliver them again; no further message is delivered.
        """
        try:
            self._journal.confirm(results)
        except UsageError as error:
            self._fault = error

    def _send(
        self, url: str, queue: CompiledQueue, messages: Sequence[DlqMessage], timeout: float
    ) -> list[Redriven]:
        outgoing = {message.id: _outgoing(queue, message) for message in messages}
        failed = self._aws.queues.send(url, [each for each in outgoing.values() if each], timeout)
        return [_sent(id_, each, failed.get(id_)) for id_, each in outgoing.items()]

    def _split(
        self, queue: CompiledQueue, messages: Sequence[DlqMessage]
    ) -> tuple[list[Redriven], list[DlqMessage], float]:
        """Return the results of messages that are not to be delivered, the others, and the deadline of those.

        Not to be delivered are messages that an earlier run confirmed, but did not delete, and those whose lease is
        over, with the rest of their groups. The journal has room for all of them then; raises UsageError.
        """
        ids = [message.id for message in messages]
        self._journal.reserve(ids)
        confirmed = []
        left = []
        ends = self._source.leased_until(ids)
        new = []
        now = self._clock()
        until = now + DELIVERY_SECONDS
        over = set()
        for message in messages:
            result = self._journal.result(message.id)
            if result is not None:
                confirmed.append(Redriven(message.id, result))
                continue
            end = ends.get(message.id, now)
            if end > now + LEAST_LEASE_SECONDS and message.record.group_id not in over:
                new.append(message)
                until = min(until, end)
                continue
            if queue.fifo:
                over.add(message.record.group_id)
            left.append(
                Redriven(message.id, LEASE_OVER, "", "others may have it; run the command again")
            )
        return confirmed + left, new, until

    def _finish(self, groups: Mapping[str, str | None]) -> list[Redriven]:
        """Delete what is confirmed, now or by an earlier run, and return the results; `groups` are by id, in order."""
        ids = [id_ for id_ in groups if self._journal.result(id_) is not None]
        done: set[str] = set()
        # The message whose delete failed would be received again after later messages of its group.
        for wave in (
            group_waves(ids, groups.__getitem__, done.__contains__) if self._source.fifo else [ids]
        ):
            failed = self._source.delete(wave)
            self.undeleted |= failed
            done |= {id_ for id_ in wave if id_ not in failed}
        self.unfinished = [
            structs.replace(each, deleted=each.id in done) for each in self.unfinished
        ]
        if self._fault:
            raise self._fault
        if not self._source.lasting:
            self._journal.delete(done)
        results = self.unfinished
        self.unfinished = []
        return results


def _groups(messages: Sequence[DlqMessage]) -> dict[str, str | None]:
    return {message.id: message.record.group_id for message in messages}


def _redriven(id_: str, outcome: Outcome) -> Redriven:
    return Redriven(
        id_,
        outcome.kind,
        outcome.code,
        outcome.reason,
        configuration_error=outcome.configuration_error,
    )


def _sent(id_: str, outgoing: OutgoingMessage | None, fault: AwsFault | None) -> Redriven:
    if outgoing is None:
        reason = "without room for the attribute it would lose its identity; redrive it without --to-queue"
        return Redriven(id_, NO_ROOM, "", reason)
    if fault is None:
        return Redriven(id_, SENT)
    reason = f"cannot be sent: {fault.cause}"
    return Redriven(id_, "retry", "", reason, configuration_error=fault.kind == "configuration")


def _outgoing(queue: CompiledQueue, message: DlqMessage) -> OutgoingMessage | None:
    """Return a message as its queue had it, with the attribute that keeps its identity; None if that does not fit."""
    record = message.record
    outgoing = outgoing_of(record, fifo=queue.fifo)
    described = with_failure(outgoing, message.failed or describe_failure(queue, record, _MOVED))
    return None if described is outgoing and not message.failed else described
