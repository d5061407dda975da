"""The calls that acknowledge batches: deletes, and visibility timeouts.

On standard queues they overlap the next receive.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from select import POLLIN, poll
from typing import Any, TypeVar

from router.model import Record
from router.runtime.aws.calls import blocking
from router.runtime.aws.protocols import (
    OUT_OF_TIME,
    AwsFault,
    NonBlockingQueues,
    PendingCalls,
    Queues,
    Receipt,
    VisibilityTimeout,
)
from router.runtime.deliver.message_groups import group_waves
from router.runtime.deliver.telemetry import LOGGER
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.leases import Lease, Leases
from router.runtime.run.timing import Timing

DELETE_ATTEMPTS = 6
VISIBILITY_ATTEMPTS = 3
"""Fewer, as without the call the message is received again too, only at another time."""
CANNOT_DELETE = "cannot delete"
CANNOT_SET_VISIBILITY = "cannot set the visibility timeout"
READ_SECONDS = 0.1
"""While calls are under way, what has come is read at least so often."""
BACKOFF = 0.1
"""Seconds; the upper bound of the random wait before a call is tried again.

It is doubled with each attempt.
"""


T = TypeVar("T", bound=tuple[Any, ...])
Faults = Mapping[str, AwsFault]
"""Why messages were not changed, by message id."""
PendingFaults = PendingCalls[dict[str, AwsFault]]
Send = Callable[[Sequence[Any]], PendingFaults]


class _Operation:
    """An operation that is under way for messages of a batch.

    The messages are tuples that begin with the message id. `left` are those that are not settled.
    `call` is an attempt whose response is late from `due_at` on. Between two attempts it is None,
    and the next one begins at `due_at`.
    """

    __slots__ = ("attempt", "attempts", "call", "due_at", "failure", "ids", "left", "send")

    def __init__(self, messages: Sequence[Any], send: Send, attempts: int, failure: str) -> None:
        self.ids = [message[0] for message in messages]
        self.left = messages
        self.send = send
        self.attempts = attempts
        self.failure = failure
        self.attempt = 0
        self.call: PendingFaults | None = None
        self.due_at = 0.0


class Acknowledgements:
    """Acknowledges messages of one queue for one receiver, and keeps their leases until then.

    A message is settled once SQS confirms the operation, or if it can never succeed, or after the
    last attempt. At most the operations of one batch are under way while the next batch is received
    and written.
    """

    def __init__(
        self,
        queue: CompiledQueue,
        url: str,
        queues: Queues,
        leases: Leases,
        timeout: Callable[[], float],
        timing: Timing,
    ) -> None:
        """`timeout` returns how many seconds calls may take from now on."""
        self._queue = queue
        self._url = url
        self._queues = queues
        self._overlapping: NonBlockingQueues | None = None
        # FIFO queues are left out: a receive may return the next messages of a group.
        if isinstance(queues, NonBlockingQueues) and not queue.fifo:
            self._overlapping = queues
        self._leases = leases
        self._timeout = timeout
        self._timing = timing
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

            handles = self._handles_of(records)
            self._begin(_Operation(handles, send, DELETE_ATTEMPTS, CANNOT_DELETE))
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
        if len(ids) < len(lease.ids):
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
            if operation.call is None:
                self._begin_attempt(operation)
                return
            self._finish_attempt(operation, operation.call)
        except BaseException:
            # Whatever is raised, the lease must end with the operation, and the receiver must go
            # on. The messages are received again.
            LOGGER.exception("unexpected error", extra={"fields": {"queue": self._queue.name}})
            operation.call = None
            operation.left = []
        if not operation.left:
            self._end(operation)

    def _begin_attempt(self, operation: _Operation) -> None:
        self._wait(operation.due_at - self._timing.clock())
        operation.attempt += 1
        operation.call = operation.send(operation.left)
        operation.due_at = operation.call.until

    def _finish_attempt(self, operation: _Operation, call: PendingFaults) -> None:
        operation.call = None
        operation.left = self._retried(
            operation.left,
            call.finish(),
            operation.failure,
            last=operation.attempt == operation.attempts,
        )
        operation.due_at = self._timing.clock() + self._pause(operation.attempt)

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
        # docs/decisions/2026-11-25-fifo-deletes-in-order.md
        def is_deleted(record: Record) -> bool:
            return record.group_id not in blocked

        left = [record for record in records if is_deleted(record)]
        for wave in group_waves(left, attrgetter("group_id"), is_deleted):
            undeleted = self._delete(wave)
            blocked.update([record.group_id for record in wave if record.message_id in undeleted])

    def _delete(self, records: Sequence[Record]) -> set[str]:
        """Delete messages, with retries; returns the ids of those that could not be deleted."""
        handles = self._handles_of(records)
        undeleted: set[str] = set()
        for attempt in range(1, DELETE_ATTEMPTS + 1):
            if not handles:
                break
            failed = self._queues.delete(self._url, handles, self._timeout())
            last = attempt == DELETE_ATTEMPTS
            handles = self._retried(handles, failed, CANNOT_DELETE, last=last)
            undeleted |= failed.keys() - {message_id for message_id, _ in handles}
            if handles:
                self._wait(self._pause(attempt))
        return undeleted

    def _retried(
        self,
        messages: Sequence[T],
        failed: Faults,
        failure: str,
        *,
        last: bool,
    ) -> list[T]:
        """Return the messages of an attempt that are to be tried again.

        Logs those that are given up.
        """
        if not failed:
            return []
        is_over = last or OUT_OF_TIME in failed.values()
        again: set[str] = set()
        for message_id, fault in failed.items():
            if fault.kind == "retry" and not is_over:
                again.add(message_id)
                continue
            fields = {
                "queue": self._queue.name,
                "error": fault.code,
                "message_id": message_id,
            }
            LOGGER.error(failure, extra={"fields": fields})
        return [message for message in messages if message[0] in again]

    def _pause(self, attempt: int) -> float:
        return self._timing.jitter(0, BACKOFF * 2**attempt)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with blocking:
                self._timing.sleep(seconds)

    def _handles_of(self, records: Sequence[Record]) -> list[Receipt]:
        ids = dict.fromkeys([record.message_id for record in records])
        return self._leases.handles(self._url, ids)
