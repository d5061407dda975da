"""The calls that acknowledge batches: deletes, and visibility timeouts.

On standard queues they overlap the next receive.
"""

from collections.abc import Callable, Mapping, Sequence
from logging import ERROR
from operator import attrgetter
from select import POLLIN, poll
from typing import Any

from msgspec import Struct

from router.model import Record
from router.runtime.aws.calls import blocking
from router.runtime.aws.protocols import (
    OUT_OF_TIME,
    AwsFault,
    EndedCall,
    NonBlockingQueues,
    PendingCalls,
    Receipt,
    VisibilityTimeout,
)
from router.runtime.deliver.message_groups import group_waves
from router.runtime.deliver.telemetry import LOGGER, log
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.leases import Lease
from router.runtime.run.polling import PolledQueue, ReceiverContext

DELETE_ATTEMPTS = 6
VISIBILITY_ATTEMPTS = 3
"""Fewer, as without the call the message is received again too, only at another time."""
CANNOT_SET_VISIBILITY = "cannot set the visibility timeout"
READ_SECONDS = 0.1
"""While calls are under way, what has come is read at least so often."""
BACKOFF = 0.1
"""Seconds; the upper bound of the random wait before a call is tried again.

It is doubled with each attempt.
"""


PendingFaults = PendingCalls[dict[str, AwsFault]]
"""A call under way, and at last why messages were not changed, by message id."""
Message = Receipt | VisibilityTimeout
Send = Callable[[Sequence[Any]], PendingFaults]


class _Operation(Struct, eq=False):
    """An operation for messages of a batch, which is tried several times.

    `left` are the messages that are not settled. `call` is an attempt whose response is late from
    `due_at` on. Between two attempts it is None, and the next one begins at `due_at`. `given_up` are
    the ids of messages for which it can never succeed, or has failed too often.
    """

    left: Sequence[Message]
    send: Send
    attempts: int
    failure: str
    attempt: int = 0
    call: PendingFaults | None = None
    due_at: float = 0.0
    given_up: set[str] = set()
    ids: list[str] = []

    def __post_init__(self) -> None:
        self.ids = [message[0] for message in self.left]


class Acknowledgements:
    """Acknowledges messages of one queue for one receiver, and keeps their leases until then.

    A message is settled once SQS confirms the operation, or if it can never succeed, or after the
    last attempt. At most the operations of one batch are under way while the next batch is received
    and written.
    """

    def __init__(self, polled: PolledQueue, context: ReceiverContext) -> None:
        self._queue = polled.queue
        self._url = polled.url
        self._queues = context.queues
        self._overlapping: NonBlockingQueues | None = None
        # FIFO queues are left out: a receive may return the next messages of a group.
        if isinstance(context.queues, NonBlockingQueues) and not polled.queue.fifo:
            self._overlapping = context.queues
        self._leases = context.leases
        self._timeout = context.stop.timeout
        self._timing = context.timing
        self._under_way: list[_Operation] = []
        self._lease: Lease | None = None
        """The lease of the operations under way, from the end of their batch on."""

    def delete(
        self,
        records: Sequence[Record],
        blocked: set[str | None],
        *,
        last: bool,
    ) -> None:
        """Delete messages of a batch.

        On standard queues the `last` ones of a batch are deleted during the next receive, if the
        client can do that.

        On FIFO queues, one message of each group is deleted at a time, and none of a group after a
        failed delete. The failed message would be received again after later ones of its group.
        `blocked` are the groups of a batch with a failed delete, which are added to it.
        """
        if self._queue.fifo:
            self._delete_in_order(records, blocked)
        elif last and self._overlapping:
            begin = self._overlapping.begin_delete

            def send(left: Sequence[Receipt]) -> PendingFaults:
                return begin(self._url, left, self._timeout())

            self._begin(self._deletion(records, send))
        else:
            self._delete(records)

    def set_visibility(self, messages: Sequence[VisibilityTimeout], lease: Lease) -> bool:
        """Set visibility timeouts of the batch of a lease during the next receive.

        Return False if that cannot be.
        """
        if self._overlapping is None:
            return False
        begin = self._overlapping.begin_change_visibility
        until = lease.until
        # The response may be read after the next batch only. A renewal before it would replace the
        # visibility timeout.
        self._leases.forget(lease, [message[0] for message in messages])

        def send(left: Sequence[VisibilityTimeout]) -> PendingFaults:
            # Once a lease is over, its receipt handles may be invalid, and another consumer may
            # have its messages.
            seconds = min(self._timeout(), until - self._timing.clock())
            return begin(self._url, left, seconds)

        self._begin(_Operation(messages, send, VISIBILITY_ATTEMPTS, CANNOT_SET_VISIBILITY))
        return True

    def release(self, lease: Lease) -> None:
        """Release the lease of the batch that was acknowledged last.

        Messages with an operation under way are released once they are settled.
        """
        is_under_way = self._under_way and self._lease is None
        if not is_under_way:
            self._leases.release(lease)
            return
        self._lease = lease
        ids: set[str] = set()
        for operation in self._under_way:
            ids.update(operation.ids)
        self._leases.forget(lease, set(lease.ids) - ids)

    def settle(self, receive: PendingCalls[object] | None = None) -> None:
        """Finish what is under way; with `receive`, only until there is a response to it."""
        while self._under_way:
            operation = self._under_way[0] if receive is None else self._await(receive)
            if operation is None:
                return
            self._continue(operation)

    def _await(self, receive: PendingCalls[object]) -> _Operation | None:
        """Wait until an operation can continue, and return it.

        Return None if the responses to a receive are there first.
        """
        first = min(self._under_way, key=attrgetter("due_at"))
        while receive.fileno() >= 0:
            poller = poll()
            poller.register(receive.fileno(), POLLIN)
            for operation in self._under_way:
                if operation.call is not None:
                    descriptor = operation.call.fileno()
                    if descriptor < 0:
                        return operation
                    poller.register(descriptor, POLLIN)
            wait = max(0.0, first.due_at - self._timing.clock())
            with blocking:
                poller.poll(min(wait, READ_SECONDS) * 1000)
            # Also if nothing was found: an operation of several calls shows the poll one of them.
            for operation in self._under_way:
                if operation.call is not None and operation.call.arrived():
                    return operation
            if receive.arrived():
                return None
            if self._timing.clock() >= first.due_at:
                return first
        return None

    def _begin(self, operation: _Operation) -> None:
        if self._lease is not None:
            # Those of the batch before.
            self.settle()
        if operation.left:
            self._under_way.append(operation)
            self._continue(operation)

    def _continue(self, operation: _Operation) -> None:
        """Read the responses to an attempt, or begin the next one when it is due.

        Logs unexpected errors.
        """
        try:
            self._advance(operation)
        except BaseException:
            # Whatever is raised, the lease must end with the operation, and the receiver must go
            # on. The messages are received again.
            LOGGER.exception("unexpected error", extra={"fields": {"queue": self._queue.name}})
            operation.left = []
        if not operation.left:
            self._end(operation)

    def _advance(self, operation: _Operation) -> None:
        timing = self._timing
        call = operation.call
        if call is None:
            wait = operation.due_at - timing.clock()
            if wait > 0:
                with blocking:
                    timing.sleep(wait)
            operation.attempt += 1
            operation.call = operation.send(operation.left)
            operation.due_at = operation.call.until
            return
        operation.call = None
        operation.left = self._left_of(operation, call.finish())
        if operation.left:
            pause = timing.jitter(0, BACKOFF * 2**operation.attempt)
            operation.due_at = timing.clock() + pause

    def _left_of(self, operation: _Operation, failed: Mapping[str, AwsFault]) -> list[Message]:
        """Return the messages of an attempt that are to be tried again.

        Logs those that are given up.
        """
        is_last = operation.attempt == operation.attempts or OUT_OF_TIME in failed.values()
        again: set[str] = set()
        for message_id, fault in failed.items():
            if fault.kind == "retry" and not is_last:
                again.add(message_id)
                continue
            operation.given_up.add(message_id)
            log_fault(operation.failure, self._queue, fault, message_id)
        return [message for message in operation.left if message[0] in again]

    def _end(self, operation: _Operation) -> None:
        """Remove an operation; its messages are not leased any more."""
        self._under_way.remove(operation)
        lease = self._lease
        if lease is None:
            return
        if self._under_way:
            self._leases.forget(lease, operation.ids)
        else:
            self._leases.release(lease)
            self._lease = None

    def _delete_in_order(self, records: Sequence[Record], blocked: set[str | None]) -> None:
        # docs/decisions/2026-11-26-leases-count-from-the-request.md
        def is_deleted(record: Record) -> bool:
            return record.group_id not in blocked

        left = [record for record in records if is_deleted(record)]
        for wave in group_waves(left, attrgetter("group_id"), is_deleted):
            undeleted = self._delete(wave)
            blocked.update([record.group_id for record in wave if record.message_id in undeleted])

    def _delete(self, records: Sequence[Record]) -> set[str]:
        """Delete messages now; return the ids of those that could not be deleted."""

        def send(left: Sequence[Receipt]) -> PendingFaults:
            return EndedCall(self._queues.delete(self._url, left, self._timeout()))

        operation = self._deletion(records, send)
        while operation.left:
            self._advance(operation)
        return operation.given_up

    def _deletion(self, records: Sequence[Record], send: Send) -> _Operation:
        handles = self._leases.handles(self._url, records)
        return _Operation(handles, send, DELETE_ATTEMPTS, "cannot delete")


def log_fault(failure: str, queue: CompiledQueue, fault: AwsFault, message_id: str) -> None:
    """Log that something was not done for a message."""
    log(ERROR, failure, queue=queue.name, error=fault.code, message_id=message_id)
