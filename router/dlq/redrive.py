"""Delivers dead letters through the config at hand, or sends them back to their queues, and deletes them afterwards.

A message is deleted from its dead-letter queue only after its outcome is confirmed, so at no moment is it in neither
place. What is confirmed is in a journal before it is deleted: a run that was stopped in between does not deliver again.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from msgspec import Struct, structs

from router.aws.calls import FixedDeadline, boottime
from router.aws.protocols import Aws, AwsFault, OutgoingMessage
from router.deliver.dead_letters import describe_failure, with_failure
from router.deliver.delivery import Delivery
from router.dlq.lease import CALL_SECONDS
from router.dlq.messages import DlqMessage
from router.engine.engine import CompiledQueue
from router.errors import UsageError
from router.model import Outcome
from router.program.load import Program

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
_MOVED = Outcome("rejected", "", "the redrive policy of its queue moved it")


class Redriven(Struct, frozen=True):
    """The result for one message, and whether it is deleted from the dead-letter queue.

    The result is a kind of outcome, `sent`, or `lease over`.
    """

    id: str
    result: str
    code: str = ""
    reason: str = ""
    deleted: bool = False


class Source(Protocol):
    """Where messages come from: a leased dead-letter queue, or a file."""

    def leased_until(self, ids: Sequence[str]) -> Mapping[str, float]:
        """Return the moment of `boottime` from which others may have each message."""

    def delete(self, ids: Sequence[str]) -> Mapping[str, AwsFault]:
        """Delete messages; return the faults of those that are still there."""


class Journal:
    """A file with the messages whose outcome is confirmed, and which of them are deleted; a context that writes to it.

    The file is deleted at the end, unless there is a message that is confirmed and not deleted: one that is not visible
    yet after a command was killed would be delivered again.
    """

    def __init__(self, path: Path) -> None:
        """Read a journal, if there is one of a run that was stopped; raises UsageError."""
        self.path = path
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"cannot read the journal {path}") from None
        # The last line has no end if the run was killed while it wrote.
        self._complete = text[: text.rfind("\n") + 1]
        self._undeleted: dict[str, str] = {}
        for line in self._complete.splitlines():
            self._read(line)

    def __enter__(self) -> Self:
        """Open the file; raises UsageError."""
        try:
            self._file: TextIO = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write the journal {self.path}: {(error.strerror or 'error').lower()}") from None
        self._file.truncate(len(self._complete.encode()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self._undeleted:
            self.path.unlink(missing_ok=True)

    def result(self, message_id: str) -> str | None:
        """Return the result of a message that is confirmed and not deleted."""
        return self._undeleted.get(message_id)

    def confirm(self, results: Iterable[Redriven]) -> None:
        """Add results, and wait until they are on the disk."""
        added = {each.id: each.result for each in results}
        if added:
            self._undeleted |= added
            self._write({"id": id_, "result": result} for id_, result in added.items())
            os.fsync(self._file.fileno())

    def delete(self, ids: Iterable[str]) -> None:
        """Note that messages are deleted from their dead-letter queue."""
        deleted = [id_ for id_ in ids if self._undeleted.pop(id_, None) is not None]
        self._write({"id": id_, "deleted": True} for id_ in deleted)

    def _write(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self._file.writelines(json.dumps(entry) + "\n" for entry in entries)
        self._file.flush()

    def _read(self, line: str) -> None:
        try:
            entry = json.loads(line)
            if entry.get("deleted"):
                self._undeleted.pop(entry["id"], None)
            else:
                self._undeleted[entry["id"]] = entry["result"]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{self.path} is not a journal of 'router dlq redrive'") from None


class Redriver:
    """Redrives messages of one dead-letter queue, at most `rate` a second if that is not None."""

    def __init__(
        self,
        program: Program,
        aws: Aws,
        source: Source,
        journal: Journal,
        rate: float | None = None,
        clock: Callable[[], float] = boottime,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._delivery = Delivery(program, aws, clock)
        self._source = source
        self._journal = journal
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._started = clock()
        self._done = 0

    @property
    def batch_size(self) -> int:
        """How many messages `deliver` and `send_back` should get at a time."""
        return BATCH if self._rate is None else max(1, min(BATCH, int(self._rate)))

    def deliver(self, queue: CompiledQueue, messages: Sequence[DlqMessage]) -> list[Redriven]:
        """Deliver messages that failed on one queue, and delete those that are acknowledged."""
        left, new, until = self._split(messages)
        records = [message.to_deliver() for message in new]
        delivered = self._delivery.deliver(queue, records, FixedDeadline(until)) if records else []
        results = [
            Redriven(each.record.message_id, each.outcome.kind, each.outcome.code, each.outcome.reason)
            for each in delivered
        ]
        confirmed = [result for result, each in zip(results, delivered, strict=True) if each.acknowledged]
        return self._finish([*results, *left], confirmed)

    def send_back(self, queue: CompiledQueue, messages: Sequence[DlqMessage]) -> list[Redriven]:
        """Send messages to the queue that they failed on, with their identity, and delete them."""
        url = self._aws.queues.url(queue.reference, CALL_SECONDS)
        if isinstance(url, AwsFault):
            raise UsageError(f"cannot send to the queue '{queue.reference}': {url.code}")
        left, new, until = self._split(messages)
        outgoing = [_outgoing(queue, message) for message in new]
        failed = self._aws.queues.send(url, outgoing, until - self._clock()) if outgoing else {}
        results = [
            Redriven(each.id, "retry", "", f"cannot be sent: {failed[each.id].code}")
            if each.id in failed
            else Redriven(each.id, SENT)
            for each in outgoing
        ]
        return self._finish([*results, *left], [each for each in results if each.result == SENT])

    def _split(self, messages: Sequence[DlqMessage]) -> tuple[list[Redriven], list[DlqMessage], float]:
        """Return the results of messages that are not to be delivered, the others, and the deadline of those.

        Not to be delivered are messages that an earlier run confirmed, but did not delete, and those whose lease is
        over.
        """
        confirmed = {each.id: result for each in messages if (result := self._journal.result(each.id)) is not None}
        left = [Redriven(id_, result) for id_, result in confirmed.items()]
        self._keep_rate(len(messages) - len(left))
        ends = self._source.leased_until([each.id for each in messages])
        new, now = [], self._clock()
        until = now + DELIVERY_SECONDS
        for message in messages:
            if message.id in confirmed:
                continue
            end = ends.get(message.id, now)
            if end > now + LEAST_LEASE_SECONDS:
                new.append(message)
                until = min(until, end)
            else:
                left.append(Redriven(message.id, LEASE_OVER, "", "others may have it; run the command again"))
        return left, new, until

    def _finish(self, results: Sequence[Redriven], confirmed: Sequence[Redriven]) -> list[Redriven]:
        """Delete what is confirmed, now or by an earlier run; return the results."""
        self._journal.confirm(confirmed)
        ids = [each.id for each in results if self._journal.result(each.id) is not None]
        undeleted = self._source.delete(ids) if ids else {}
        deleted = set(ids) - set(undeleted)
        self._journal.delete(deleted)
        return [structs.replace(each, deleted=each.id in deleted) for each in results]

    def _keep_rate(self, count: int) -> None:
        """Wait until so many further messages keep to the rate."""
        if self._rate is not None:
            self._sleep(max(0.0, self._started + self._done / self._rate - self._clock()))
        self._done += count


def _outgoing(queue: CompiledQueue, message: DlqMessage) -> OutgoingMessage:
    """Return a message as its queue had it, with the attribute that keeps its identity."""
    record = message.record
    failed = message.failed or describe_failure(queue, record, _MOVED)
    outgoing = OutgoingMessage(
        record.message_id,
        record.body,
        record.message_attributes,
        (record.group_id or record.message_id) if queue.fifo else (record.group_id or ""),
        record.message_id if queue.fifo else "",
    )
    return with_failure(outgoing, failed)
