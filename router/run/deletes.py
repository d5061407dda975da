"""Deletes the acknowledged messages of a receiver, with retries; on standard queues during its next receive."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from select import POLLIN, poll

from router.aws.calls import Clock
from router.aws.protocols import OUT_OF_TIME, AwsFault, NonBlockingQueues, PendingCalls, Queues, Receipt
from router.aws.run_lock import blocking
from router.deliver.delivery import group_waves
from router.deliver.telemetry import LOGGER
from router.engine.engine import CompiledQueue
from router.model import Record
from router.run.leases import Lease, Leases

DELETE_ATTEMPTS = 6
DELETE_BACKOFF = 0.1
"""Seconds; the upper bound of the random wait before a delete is retried, doubled with each attempt."""


class Deletes:
    """Deletes messages of one queue for one receiver, whose leases are kept until their deletes are settled.

    A delete is settled once SQS confirms it, or if it can never succeed, or after DELETE_ATTEMPTS. The deletes of one
    batch at most are under way while the next batch is received and written.
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
        self._leases = leases
        self._timeout = timeout
        self._jitter = jitter
        self._sleep = sleep
        self._clock = clock
        # The deletes under way: the messages that are not settled, and the lease that is released when they are; the
        # attempt and its call, or None between two attempts; and when its response is late, or the next one begins.
        self._handles: list[Receipt] = []
        self._lease: Lease | None = None
        self._send: Callable[[Sequence[Receipt], float], PendingCalls[dict[str, AwsFault]]]
        self._attempt = 0
        self._call: PendingCalls[dict[str, AwsFault]] | None = None
        self._due_at = 0.0

    def acknowledge(self, records: Sequence[Record], blocked: set[str | None], *, last: bool) -> None:
        """Delete messages of a batch; on standard queues the `last` ones of it during the next receive, if it can be.

        On FIFO queues, one message of each group is deleted at a time, and none of a group after a failed delete: the
        message would be received again after later ones of its group. `blocked` are the groups of a batch with a failed
        delete, which are added to it.
        """
        if self._queue.fifo:
            self._delete_in_order(records, blocked)
        elif last and isinstance(self._queues, NonBlockingQueues):
            self._begin(self._queues, records)
        else:
            self._delete(records)

    def release(self, lease: Lease) -> None:
        """Release the lease of the batch that was acknowledged last; of messages that are being deleted, after that."""
        if self._handles and self._lease is None:
            self._lease = lease
            deleting = {id_ for id_, _ in self._handles}
            self._leases.forget(lease, set(lease.ids) - deleting)
        else:
            self._leases.release(lease)

    def settle(self, receive: PendingCalls[object] | None = None) -> None:
        """Finish the deletes that are under way; with `receive`, only until there is a response to it."""
        while self._handles:
            if receive is not None and self._is_first(receive):
                return
            self._continue()

    def _is_first(self, receive: PendingCalls[object]) -> bool:
        """Wait until the deletes can continue, or for the response to a receive; return whether only that is there."""
        receives = receive.fileno()
        if receives < 0:
            return True
        poller = poll()
        poller.register(receives, POLLIN)
        if self._call and self._call.fileno() >= 0:
            poller.register(self._call.fileno(), POLLIN)
        elif self._call:
            return False
        while True:
            with blocking:
                found = {descriptor for descriptor, _ in poller.poll(max(0.0, self._due_at - self._clock()) * 1000)}
            if not found or (self._call and self._call.fileno() in found and self._call.arrived()):
                return False
            if receives in found and receive.arrived():
                return True

    def _begin(self, queues: NonBlockingQueues, records: Sequence[Record]) -> None:
        self.settle()
        self._handles, self._attempt, self._due_at = self._handles_of(records), 0, self._clock()
        self._send = partial(queues.begin_delete, self._url)
        if self._handles:
            self._continue()

    def _continue(self) -> None:
        """Read the responses to an attempt, or begin the next one when it is due; logs unexpected errors."""
        try:
            if self._call is None:
                self._wait(self._due_at - self._clock())
                self._attempt += 1
                self._call = self._send(self._handles, self._timeout())
                self._due_at = self._call.until
                return
            call, self._call = self._call, None
            self._handles = self._retried(self._handles, call.finish(), self._attempt)
            self._due_at = self._clock() + self._pause(self._attempt)
        except BaseException:  # the messages are received again
            LOGGER.exception("unexpected error", extra={"fields": {"queue": self._queue.name}})
            self._call, self._handles = None, []
        if self._lease and not self._handles:
            self._leases.release(self._lease)
            self._lease = None

    def _delete_in_order(self, records: Sequence[Record], blocked: set[str | None]) -> None:
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
            handles = self._retried(handles, failed, attempt)
            undeleted |= failed.keys() - {id_ for id_, _ in handles}
            if handles:
                self._wait(self._pause(attempt))
        return undeleted

    def _retried(self, handles: Sequence[Receipt], failed: Mapping[str, AwsFault], attempt: int) -> list[Receipt]:
        """Return the messages of an attempt whose deletes are to be tried again; logs those that are given up."""
        last = attempt >= DELETE_ATTEMPTS or OUT_OF_TIME in failed.values()
        retried = [each for each in handles if each[0] in failed and failed[each[0]].kind == "retry" and not last]
        for message_id in failed.keys() - {id_ for id_, _ in retried}:
            fields = {"queue": self._queue.name, "error": failed[message_id].code, "message_id": message_id}
            LOGGER.error("cannot delete", extra={"fields": fields})
        return retried

    def _pause(self, attempt: int) -> float:
        return self._jitter(0, DELETE_BACKOFF * 2**attempt)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            with blocking:
                self._sleep(seconds)

    def _handles_of(self, records: Sequence[Record]) -> list[Receipt]:
        return self._leases.handles(self._url, dict.fromkeys(record.message_id for record in records))
