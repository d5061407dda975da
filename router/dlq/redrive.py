"""Delivers dead letters through the config at hand, or sends them back to their queues, and deletes them afterwards.

A message is deleted from its dead-letter queue only after its outcome is confirmed, so at no moment is it in neither
place. What is confirmed is in a journal before it is deleted: a run that was stopped in between does not deliver again.

A message that is rejected stays where it is: a new dead letter would be behind the rest of its group, and would be
received again by the same run.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, TextIO

from msgspec import Struct, structs

from router.aws.calls import boottime
from router.aws.protocols import Aws, AwsFault, OutgoingMessage
from router.deliver.dead_letters import describe_failure, with_failure
from router.deliver.delivery import Delivery, group_waves
from router.deliver.time_limits import FixedDeadline
from router.dlq.messages import DlqMessage
from router.dlq.queues import CALL_SECONDS
from router.engine.engine import CompiledQueue
from router.errors import UsageError
from router.model import Outcome
from router.program.load import Program

if sys.platform != "win32":
    import fcntl

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


def batch_size(rate: float | None) -> int:
    """Return how many messages are delivered together at most, at so many a second."""
    return BATCH if rate is None else max(1, min(BATCH, int(rate)))


class Source(Protocol):
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


class Journal:
    """A file with the messages whose outcome is confirmed, and which of them are deleted; a context that writes to it.

    The file is deleted at the end, unless there is a message that is confirmed and not deleted: one that is not visible
    yet after a command was killed would be delivered again. That of an export has all of these, and stays. Only one
    command at a time writes to it.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        """Read a journal, if there is one of an earlier run, or with `again` begin a new one; raises UsageError."""
        self.path = path
        self._again = again
        self._load()

    def __enter__(self) -> Self:
        """Open the file, and read what another command has added since; raises UsageError."""
        self._file = self._open()
        while not _is_file_of(self._file, self.path):
            # The command that had it deleted it between the two calls.
            self._file.close()
            self._file = self._open()
        self._load()
        self._file.truncate(self._complete)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._undeleted:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def result(self, message_id: str) -> str | None:
        """Return the result of a message that is confirmed and not deleted."""
        return self._undeleted.get(message_id)

    def confirm(self, results: Mapping[str, str]) -> None:
        """Add results by message id, and wait until they are on the disk."""
        if results:
            self._undeleted |= results
            self._write({"id": id_, "result": result} for id_, result in results.items())
            os.fsync(self._file.fileno())

    def delete(self, ids: Iterable[str]) -> None:
        """Note that messages are deleted from their dead-letter queue."""
        deleted = [id_ for id_ in ids if self._undeleted.pop(id_, None) is not None]
        self._write({"id": id_, "deleted": True} for id_ in deleted)

    def _open(self) -> TextIO:
        try:
            file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            why = (error.strerror or "error").lower()
            raise UsageError(f"cannot write the journal {self.path}: {why}; name another with --journal") from None
        if not _lock(file):
            file.close()
            raise UsageError(
                f"another 'router dlq redrive' writes the journal {self.path}; wait for its end, or name another file "
                "with --journal"
            )
        return file

    def _load(self) -> None:
        try:
            data = self.path.read_bytes() if self.path.exists() else b""
            # The last line has no end if the run was killed while it wrote.
            self._complete = 0 if self._again else data.rfind(b"\n") + 1
            lines = data[: self._complete].decode().splitlines()
        except (OSError, UnicodeDecodeError):
            raise UsageError(f"cannot read the journal {self.path}") from None
        self._undeleted: dict[str, str] = {}
        for line in lines:
            self._read(line)

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


def _lock(file: TextIO) -> bool:
    """Lock a file while it is open; return False if another process has it locked."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _is_file_of(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


class Redriver:
    """Redrives messages of one dead-letter queue, at most `rate` a second if that is not None.

    `undeleted` are the faults of messages that are confirmed and could not be deleted, by id.
    """

    def __init__(
        self,
        program: Program,
        aws: Aws,
        source: Source,
        journal: Journal,
        rate: float | None = None,
        clock: Callable[[], float] = boottime,
        sleep: Callable[[float], None] = time.sleep,
        place: str = "",
    ) -> None:
        """`place` is what errors say of where the queues are."""
        self.undeleted: dict[str, AwsFault] = {}
        self._aws = aws
        self._delivery = Delivery(program, aws, clock, sends_dead_letters=False)
        self._source = source
        self._journal = journal
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._place = place
        self._started = clock()
        self._done = 0

    def finish(self, ids: Sequence[str]) -> list[Redriven]:
        """Delete messages that an earlier run confirmed; they are in order."""
        results = [Redriven(id_, self._journal.result(id_) or "") for id_ in ids]
        return self._finish(results, dict.fromkeys(ids))

    def deliver(self, queue: CompiledQueue, messages: Sequence[DlqMessage]) -> list[Redriven]:
        """Deliver messages that failed on one queue, and delete those that are acknowledged."""
        left, new, until = self._split(queue, messages)
        records = [message.to_deliver() for message in new]
        delivered = self._delivery.deliver(queue, records, FixedDeadline(until)) if records else []
        self._journal.confirm({each.record.message_id: each.outcome.kind for each in delivered if each.acknowledged})
        results = [_redriven(each.record.message_id, each.outcome) for each in delivered]
        return self._finish([*results, *left], _groups(messages))

    def send_back(self, queue: CompiledQueue, messages: Sequence[DlqMessage]) -> list[Redriven]:
        """Send messages to the queue that they failed on, with their identity, and delete them.

        To a FIFO queue, a message is sent after the one before it of its group is confirmed.
        """
        url = self._aws.queues.url(queue.reference, CALL_SECONDS)
        if isinstance(url, AwsFault):
            raise UsageError(f"cannot send to the queue '{queue.reference}'{self._place}: {url.code}")
        left, new, until = self._split(queue, messages)
        sent: dict[str, Redriven] = {}
        waves = group_waves(new, lambda each: each.record.group_id, lambda each: sent[each.id].result == SENT)
        for wave in waves if queue.fifo else [new]:
            results = self._send(url, queue, wave, until - self._clock())
            self._journal.confirm({each.id: SENT for each in results if each.result == SENT})
            sent.update({each.id: each for each in results})
        behind = [
            Redriven(each.id, "retry", "", "an earlier message of its group stays")
            for each in new
            if each.id not in sent
        ]
        return self._finish([*sent.values(), *behind, *left], _groups(messages))

    def _send(self, url: str, queue: CompiledQueue, messages: Sequence[DlqMessage], timeout: float) -> list[Redriven]:
        outgoing = {message.id: _outgoing(queue, message) for message in messages}
        failed = self._aws.queues.send(url, [each for each in outgoing.values() if each], timeout)
        return [_sent(id_, each, failed.get(id_)) for id_, each in outgoing.items()]

    def _split(
        self, queue: CompiledQueue, messages: Sequence[DlqMessage]
    ) -> tuple[list[Redriven], list[DlqMessage], float]:
        """Return the results of messages that are not to be delivered, the others, and the deadline of those.

        Not to be delivered are messages that an earlier run confirmed, but did not delete, and those whose lease is
        over, with the rest of their groups.
        """
        confirmed = {each.id: result for each in messages if (result := self._journal.result(each.id)) is not None}
        left = [Redriven(id_, result) for id_, result in confirmed.items()]
        ends = self._source.leased_until([each.id for each in messages])
        new, now = [], self._clock()
        until = now + DELIVERY_SECONDS
        over: set[str | None] = set()
        for message in messages:
            if message.id in confirmed:
                continue
            end = ends.get(message.id, now)
            if end > now + LEAST_LEASE_SECONDS and message.record.group_id not in over:
                new.append(message)
                until = min(until, end)
                continue
            if queue.fifo:
                over.add(message.record.group_id)
            left.append(Redriven(message.id, LEASE_OVER, "", "others may have it; run the command again"))
        return left, new, until

    def _finish(self, results: Sequence[Redriven], groups: Mapping[str, str | None]) -> list[Redriven]:
        """Delete what is confirmed, now or by an earlier run, and return the results; `groups` are by id, in order."""
        ids = [id_ for id_ in groups if self._journal.result(id_) is not None]
        done: set[str] = set()
        # The message whose delete failed would be received again after later messages of its group.
        for wave in group_waves(ids, groups.__getitem__, done.__contains__) if self._source.fifo else [ids]:
            failed = self._source.delete(wave) if wave else {}
            self.undeleted |= failed
            done |= {id_ for id_ in wave if id_ not in failed}
        if not self._source.lasting:
            self._journal.delete(done)
        return [structs.replace(each, deleted=each.id in done) for each in results]

    def keep_rate(self, count: int) -> None:
        """Wait until so many further messages keep to the rate; to be called before they are delivered."""
        if self._rate is not None:
            self._sleep(max(0.0, self._started + self._done / self._rate - self._clock()))
        self._done += count


def _groups(messages: Sequence[DlqMessage]) -> dict[str, str | None]:
    return {message.id: message.record.group_id for message in messages}


def _redriven(id_: str, outcome: Outcome) -> Redriven:
    return Redriven(id_, outcome.kind, outcome.code, outcome.reason, configuration_error=outcome.configuration_error)


def _sent(id_: str, outgoing: OutgoingMessage | None, fault: AwsFault | None) -> Redriven:
    if outgoing is None:
        reason = "without room for the attribute it would lose its identity; redrive it without --to-queue"
        return Redriven(id_, NO_ROOM, "", reason)
    if fault is None:
        return Redriven(id_, SENT)
    reason = f"cannot be sent: {fault.code}"
    return Redriven(id_, "retry", "", reason, configuration_error=fault.kind == "configuration")


def _outgoing(queue: CompiledQueue, message: DlqMessage) -> OutgoingMessage | None:
    """Return a message as its queue had it, with the attribute that keeps its identity; None if that does not fit."""
    record = message.record
    outgoing = OutgoingMessage(
        record.message_id,
        record.body,
        record.message_attributes,
        (record.group_id or record.message_id) if queue.fifo else (record.group_id or ""),
        record.message_id if queue.fifo else "",
    )
    described = with_failure(outgoing, message.failed or describe_failure(queue, record, _MOVED))
    return None if described is outgoing and not message.failed else described
