"""The calls that acknowledge batches: deletes, and visibility timeouts; on standard queues during the next receive."""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from select import POLLIN, poll
from typing import Any, TypeVar

from router.model import Record
from router.runtime.aws.calls import Clock, blocking
from router.runtime.aws.protocols import (
    OUT_OF_TIME,
    AwsFault,
    NonBlockingQueues,
    PendingCalls,
    Queues,
    Receipt,
    VisibilityTimeout,
)
from router.runtime.deliver.delivery import group_waves
from router.runtime.deliver.telemetry import LOGGER
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.leases import Lease, Leases

DELETE_ATTEMPTS = 6
VISIBILITY_ATTEMPTS = 3
"""Fewer, as of a blocking call: without it, the message is received again all the same, only at another time."""
CANNOT_DELETE = "cannot delete"
CANNOT_SET_VISIBILITY = "cannot set the visibility timeout"
READ_SECONDS = 0.1
"""While calls are under way, what has come is read at least so often."""
BACKOFF = 0.1
"""Seconds; the upper bound of the random wait before a call is tried again, doubled with each attempt."""


T = TypeVar("T", bound=tuple[Any, ...])
Send = Callable[[Sequence[Any]], PendingCalls[dict[str, AwsFault]]]


class _Operation:
    """An operation that is under way for messages of a batch: `left` are those that are not settled.

    `call` is an attempt whose response is late from `due_at` on; between two attempts it is None, and the next one
    begins then. The messages are tuples that begin with the message id.
    """

    __slots__ = ("attempt", "attempts", "call", "due_at", "failure", "ids", "left", "send")

    def __init__(self, messages: Sequence[Any], send: Send, attempts: int, failure: str) -> None:
        self.ids = [message[0] for message in messages]
        self.left = messages
        self.send = send
        self.attempts = attempts
        self.failure = failure
        self.attempt = 0
        self.call: PendingCalls[dict[str, AwsFault]] | None = None
        self.due_at = 0.0


class Acknowledgements:
    """Acknowledges messages of one queue for one receiver, whose leases are kept until that is settled.

    A message is settled once SQS confirms the operation, or if it can never succeed, or after the last attempt. The
    operations of one batch at most are under way while the next batch is received and written.
    """

    def __init__(
        self,
        queue: CompiledQueue,
        url: str,
        queues: Queues,
        leases: Leases,
        timeout: Callable[[], float],
        jitter: Callable[[float, float], float],
        sleep: Callable[[float], None],
        clock: Clock,
    ) -> None:
        """`timeout` returns how many seconds calls may take from now on; `jitter` chooses a wait between bounds."""
        self._queue = queue
        self._url = url
        self._queues = queues
        # FIFO queues are left out: a receive may return the next messages of a group.
        self._overlapping = queues if isinstance(queues, NonBlockingQueues) and not queue.fifo else None
        self._leases = leases
        self._timeout = timeout
        self._jitter = jitter
        self._sleep = sleep
        self._clock = clock
        self._under_way: list[_Operation] = []
        self._lease: Lease | None = None
        """The lease of the operations under way, from the end of their batch on."""

    def delete(self, records: Sequence[Record], blocked: set[str | None], *, last: bool) -> None:
        """Delete messages of a batch; on standard queues the `last` ones of it during the next receive, if it can be.

        On FIFO queues, one message of each group is deleted at a time, and none of a group after a failed delete: the
        message would be received again after later ones of its group. `blocked` are the groups of a batch with a failed
        delete, which are added to it.
        """
        if self._queue.fifo:
            self._delete_in_order(records, blocked)
        elif last and self._overlapping:
            begin = self._overlapping.begin_delete

            def send(left: Sequence[Receipt]) -> PendingCalls[dict[str, AwsFault]]:
                return begin(self._url, left, self._timeout())

            self._begin(_Operation(self._handles_of(records), send, DELETE_ATTEMPTS, CANNOT_DELETE))
        else:
            self._delete(records)

    def set_visibility(self, messages: Sequence[VisibilityTimeout], lease: Lease) -> bool:
        """Set visibility timeouts of the batch of a lease during the next receive; return False if that cannot be."""
        if self._overlapping is None:
            return False
        begin, until = self._overlapping.begin_change_visibility, lease.until
        # A renewal would replace the visibility timeout before the response is read, after the next batch perhaps.
        self._leases.forget(lease, [message[0] for message in messages])

        def send(left: Sequence[VisibilityTimeout]) -> PendingCalls[dict[str, AwsFault]]:
            # The receipt handles of a lease that is over may be invalid, and their messages another consumer's.
            seconds = min(self._timeout(), until - self._clock())
            return begin(self._url, left, seconds)

        self._begin(_Operation(messages, send, VISIBILITY_ATTEMPTS, CANNOT_SET_VISIBILITY))
        return True

    def release(self, lease: Lease) -> None:
        """Release the lease of the batch that was acknowledged last; of messages under way, once they are settled."""
        if self._under_way and self._lease is None:
            self._lease = lease
            under_way = [id_ for operation in self._under_way for id_ in operation.ids]
            if len(under_way) < len(lease.ids):
                self._leases.forget(lease, set(lease.ids).difference(under_way))
        else:
            self._leases.release(lease)

    def settle(self, receive: PendingCalls[object] | None = None) -> None:
        """Finish what is under way; with `receive`, only until there is a response to it."""
        while self._under_way:
            operation = self._under_way[0] if receive is None else self._await(receive)
            if operation is None:
                return
            self._continue(operation)

    def _await(self, receive: PendingCalls[object]) -> _Operation | None:
        """Wait until an operation can continue, and return it; None if the responses to a receive are there first."""
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
            seconds = max(0.0, first.due_at - self._clock())
            with blocking:
                poller.poll(min(seconds, READ_SECONDS) * 1000)
            # Also where nothing was found: of several calls, one is polled.
            for operation in self._under_way:
                if operation.call is not None and operation.call.arrived():
                    return operation
            if receive.arrived():
                return None
            if self._clock() >= first.due_at:
                return first
        return None

    def _begin(self, operation: _Operation) -> None:
        if self._lease is not None:
            # That of the batch before.
            self.settle()
        if operation.left:
            self._under_way.append(operation)
            self._continue(operation)

    def _continue(self, operation: _Operation) -> None:
        """Read the responses to an attempt, or begin the next one when it is due; logs unexpected errors."""
        try:
            if operation.call is None:
                self._wait(operation.due_at - self._clock())
                operation.attempt += 1
                operation.call = operation.send(operation.left)
                operation.due_at = operation.call.until
                return
            call, operation.call = operation.call, None
            last = operation.attempt == operation.attempts
            operation.left = self._retried(operation.left, call.finish(), operation.failure, last=last)
            operation.due_at = self._clock() + self._pause(operation.attempt)
        except BaseException:  # the messages are received again
            LOGGER.exception("unexpected error", extra={"fields": {"queue": self._queue.name}})
            operation.call, operation.left = None, []
        if not operation.left:
            self._under_way.remove(operation)
            if self._lease is not None and self._under_way:
                self._leases.forget(self._lease, operation.ids)
            elif self._lease is not None:
                self._leases.release(self._lease)
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
            handles = self._retried(handles, failed, CANNOT_DELETE, last=attempt == DELETE_ATTEMPTS)
            undeleted |= failed.keys() - {id_ for id_, _ in handles}
            if handles:
                self._wait(self._pause(attempt))
        return undeleted

    def _retried(self, messages: Sequence[T], failed: Mapping[str, AwsFault], failure: str, *, last: bool) -> list[T]:
        """Return the messages of an attempt that are to be tried again; logs those that are given up."""
        if not failed:
            return []
        over = last or OUT_OF_TIME in failed.values()
        retried = [each for each in messages if each[0] in failed and failed[each[0]].kind == "retry" and not over]
        for message_id in failed.keys() - {each[0] for each in retried}:
            fields = {"queue": self._queue.name, "error": failed[message_id].code, "message_id": message_id}
            LOGGER.error(failure, extra={"fields": fields})
        return retried

    def _pause(self, attempt: int) -> float:
        return self._jitter(0, BACKOFF * 2**attempt)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with blocking:
                self._sleep(seconds)

    def _handles_of(self, records: Sequence[Record]) -> list[Receipt]:
        return self._leases.handles(self._url, dict.fromkeys([record.message_id for record in records]))
