"""A receiver: receives a batch of one queue, delivers it, deletes what was acknowledged, and repeats."""

import threading
import time
from collections.abc import Callable, Sequence
from random import uniform

from msgspec import Struct

from router.model import Record
from router.runtime.aws.calls import blocking, boottime
from router.runtime.aws.protocols import AwsFault, NonBlockingQueues, Queues
from router.runtime.deliver.delivery import Delivered, Delivery, is_infrastructure_failure, visibility_timeouts
from router.runtime.deliver.telemetry import LOGGER
from router.runtime.deliver.time_limits import FIRST_WAIT_SECONDS, WaitBudget
from router.runtime.deliver.writer import THROTTLED_MINORITY
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.acknowledgements import CANNOT_SET_VISIBILITY, Acknowledgements
from router.runtime.run.concurrency import DEFAULT_TUNING, MAX_MESSAGES, AdaptiveBatch, Round, ThrottledShare, Tuning
from router.runtime.run.leases import Lease, Leases
from router.runtime.run.outages import Outage, Probe, longest_wait

MIN_LEASE_SECONDS = 10
"""What a long poll leaves of a visibility timeout of 20 seconds or more; of a shorter one it leaves half."""
PROBE_SECONDS = 5.0
"""In a pause during an outage, the time between deliveries of messages that met it."""
MAX_VISIBLE_AT_STOP = 1000
"""The messages that a receiver makes visible when it stops, at most: the next start may have what ends the outage."""
WROTE = ("written", "duplicate", "stale")
"""The outcomes of a message that a table took or knows."""
PAUSE_BASE = 1.0
PAUSE_CAP = 60.0
"""Seconds; while a queue or its tables fail, the pause between polls doubles from PAUSE_BASE up to PAUSE_CAP. While
only a share of its messages is throttled, polls become less frequent by that share, unless it is small."""
SHORT_PAUSE = 0.1
"""Seconds; the responses of deletes are read before a longer pause, else during the next receive."""
ACKNOWLEDGE_SECONDS = 60
"""The most that it may take to delete messages of a batch, or to set their visibility timeouts."""
DELETE_RESERVE = 0.5
"""Seconds; the part of a grace period that is kept free for deletes."""


class StopEvent(threading.Event):
    """Tells receivers to begin no further round, and no call after `deadline` (by `boottime`)."""

    deadline = float("inf")

    def stop(self, seconds: float) -> None:
        """Set the event, with this many seconds to finish the batches in progress."""
        self.deadline = boottime() + seconds
        self.set()

    def timeout(self) -> float:
        """Return how many seconds the calls that acknowledge a batch may take from now on."""
        return min(ACKNOWLEDGE_SECONDS, self.deadline - boottime())


class PolledQueue(Struct, frozen=True):
    """A queue and how it is polled: its visibility timeout and the wait time of long polling, both in seconds."""

    queue: CompiledQueue
    url: str
    visibility: int
    wait: int

    @property
    def longest_wait(self) -> int:
        """The wait time that leaves enough of the visibility timeout, which is counted from the request."""
        return min(self.wait, max(self.visibility - MIN_LEASE_SECONDS, self.visibility // 2))


class QueueState:
    """What the receivers of a queue share."""

    def __init__(self, queue: CompiledQueue, clock: Callable[[], float] = boottime) -> None:
        self.share = ThrottledShare()
        self.outage = Outage(queue.outage, clock)
        # A busy queue begins and ends many receivers: with a budget of its own, each would wait for long.
        self.waits = WaitBudget(clock, left=FIRST_WAIT_SECONDS)


class _BatchDeadline:
    """The deadline of a batch: the end of its lease, which a heartbeat moves, or of the grace period once stopped."""

    __slots__ = ("_lease", "_stop")

    def __init__(self, lease: Lease, stop: StopEvent) -> None:
        self._lease = lease
        self._stop = stop

    @property
    def end(self) -> float:
        return min(self._stop.deadline - DELETE_RESERVE, self._lease.until)


class Receiver:
    """Polls one queue until stopped, or until `on_round` returns False after a round; batches in progress are finished.

    `healthy` says whether the last receive succeeded, `seen_at` (by `boottime`) when the last round began, and
    `busy_since` when the processing of the current batch began, or None between batches.
    """

    def __init__(
        self,
        polled: PolledQueue,
        queues: Queues,
        delivery: Delivery,
        leases: Leases,
        stop: StopEvent,
        on_round: Callable[["Receiver", Round], bool] = lambda receiver, finished: True,
        tuning: Tuning = DEFAULT_TUNING,
        state: QueueState | None = None,
        jitter: Callable[[float, float], float] = uniform,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = boottime,
    ) -> None:
        """`state` is of all receivers of the queue; `jitter` chooses a wait between bounds."""
        state = state or QueueState(polled.queue, clock)
        self.polled = polled
        self.healthy = True
        self.seen_at = clock()
        self.busy_since: float | None = None
        self._queues = queues
        self._overlapping = queues if isinstance(queues, NonBlockingQueues) else None
        self._delivery = delivery
        self._leases = leases
        self._stop = stop
        self._on_round = on_round
        self._share = state.share
        self._waits = state.waits.shared()
        self._outage = state.outage
        self._jitter = jitter
        self._clock = clock
        self._acknowledgements = Acknowledgements(
            polled.queue, polled.url, queues, leases, stop.timeout, jitter, sleep, clock
        )
        self._pauses = 0
        # A large batch of a FIFO queue would block its message groups, and payloads in S3 can be large.
        single = polled.queue.fifo or polled.queue.pointers is not None
        self._batch = AdaptiveBatch(MAX_MESSAGES if single else tuning.batch_messages, tuning.batch_seconds)

    @property
    def paused(self) -> bool:
        """Whether its queue is not polled for now, because of an outage."""
        return self._outage.lasts

    def run(self) -> None:
        """Receive and deliver until stopped; logs unexpected errors and continues."""
        while not self._stop.is_set():
            self.seen_at = self._clock()
            finished = self._try(self._round)
            if not self._on_round(self, finished):
                self._acknowledgements.settle()
                return
            self._pause(finished)
        self._acknowledgements.settle()
        self._outage.end()
        self._try(lambda: self._make_visible(MAX_VISIBLE_AT_STOP))

    def _try(self, step: Callable[[], Round]) -> Round:
        try:
            return step()
        except BaseException:  # the messages become visible again, and the next round receives them
            LOGGER.exception("unexpected error", extra={"fields": {"queue": self.polled.queue.name}})
            return Round(failed=True)

    def _round(self) -> Round:
        polled = self.polled
        requested = MAX_MESSAGES if self._leases.is_full or self._outage.lasts else self._batch.size
        # Only a single call uses long polling: a larger request follows a backlog, which is there already.
        waits = requested == MAX_MESSAGES
        requested_at = self._clock()
        wait = polled.longest_wait if waits else 0
        received = self._receive(requested, wait)
        self._batch.reset()
        self.healthy = not isinstance(received, AwsFault)
        if isinstance(received, AwsFault):
            self._log_error("cannot receive", received)
            return Round(failed=True)
        if not received:
            self._make_visible(requested)
            return Round(throttled=float(self._outage.lasts))
        if self._clock() >= requested_at + polled.visibility:
            # The process or the response was delayed. Others may have received these messages and later ones.
            fields = {"queue": polled.queue.name, "messages": len(received)}
            LOGGER.warning("received after the visibility timeout, and discarded", extra={"fields": fields})
            return Round(failed=True)
        lease = self._leases.acquire(polled.url, polled.visibility, received, requested_at)
        waited, taken = self._waits.waited, self._waits.taken
        try:
            self.busy_since = began = self._clock()
            throttled = self._deliver(received, lease, requested_at)
        finally:
            self.busy_since = None
            self._acknowledgements.release(lease)
        if not throttled:
            self._make_visible(self._batch.size)
        ended = self._clock()
        # A few writes that are throttled need no smaller batches, which more of them would delay.
        taken = self._waits.taken - taken
        full = self._batch.update(requested, len(received), lease.size, ended - began - taken)
        # A wait for retries is no contention, which further receivers would increase.
        waited = self._waits.waited - waited
        return Round(len(received), full, ended - self.seen_at - waited, throttled)

    def _receive(self, count: int, wait: int) -> list[Record] | AwsFault:
        """Receive messages, while those of the batch before are deleted."""
        url, visibility = self.polled.url, self.polled.visibility
        if self._overlapping is None:
            return self._queues.receive(url, count, wait, visibility)
        pending = self._overlapping.begin_receive(url, count, wait, visibility)
        self._acknowledgements.settle(pending)
        return pending.finish()

    def _deliver(self, records: Sequence[Record], lease: Lease, received_at: float) -> float:
        """Deliver and acknowledge a batch, of which no message was received before a time of the clock.

        Return the throttled share of the queue's messages if some of the batch are; 1 while an outage lasts.
        """
        polled = self.polled
        if self._stop.is_set():
            # Delivery has not begun: let other consumers receive the messages at once.
            visible = [(id_, handle, 0) for id_, handle in self._handles(records)]
            self._queues.change_visibility(polled.url, visible, self._stop.timeout())
            return 0.0
        left = len(set(lease.ids))
        settled = throttled = 0
        written = False
        met: list[Probe] = []
        blocked: set[str | None] = set()
        deadline = _BatchDeadline(lease, self._stop)
        for part in self._delivery.deliver_in_parts(polled.queue, records, deadline, self._waits):
            left -= len(part)
            acknowledged = [each.record for each in part if each.acknowledged]
            kept = [each for each in part if not each.acknowledged] if len(acknowledged) < len(part) else []
            written = written or any(each.outcome.kind in WROTE for each in part)
            self._acknowledgements.delete(acknowledged, blocked, last=not left)
            # Unless a message was written, an outage depends on whether the visibility timeouts can be set.
            met += self._set_visibility(kept, lease, received_at, overlaps=bool(kept and written and not left))
            if left:
                self._leases.forget(lease, {each.record.message_id for each in part})
            settled += len(acknowledged)
            # Messages that were not started, as those of a blocked group, say nothing about the tables.
            throttled += sum([is_infrastructure_failure(each.outcome) for each in kept])
        if not written and self._outage.add(met):
            LOGGER.warning("an outage began", extra={"fields": {"queue": polled.queue.name}})
        elif written and self._outage.may_begin and self._outage.end():
            LOGGER.info("the outage is over", extra={"fields": {"queue": polled.queue.name}})
        share = self._share.add(settled, throttled)
        return 1.0 if self._outage.lasts else share

    def _set_visibility(
        self, kept: Sequence[Delivered], lease: Lease, received_at: float, *, overlaps: bool
    ) -> list[Probe]:
        """Set the visibility timeouts of messages that are not acknowledged; return those that met an outage.

        None is returned if the calls overlap the next receive.
        """
        polled, since = self.polled, self._clock()
        # The receipt handles of a lease that is over may be invalid, and their messages another consumer's.
        left = min(self._stop.timeout(), lease.until - since)
        if left <= 0:
            return []
        longest = longest_wait(received_at, since)
        if overlaps and self._acknowledgements.set_visibility(visibility_timeouts(polled.queue, kept, longest), lease):
            return []
        failed = self._delivery.set_visibility(polled.queue, polled.url, kept, left, longest)
        for message_id, fault in failed.items():
            self._log_error(CANNOT_SET_VISIBILITY, fault, message_id)
        return [
            Probe(each.record, received_at, since)
            for each in kept
            if is_infrastructure_failure(each.outcome) and each.record.message_id not in failed
        ]

    def _probe(self) -> Round:
        """Deliver messages that met the outage again, without another receive, to find out whether it is over."""
        polled = self.polled
        self.seen_at = requested_at = self._clock()
        probes = self._outage.take_probes(polled.visibility)
        handles = [(probe.record.message_id, probe.record.receipt_handle, polled.visibility) for probe in probes]
        failed = self._queues.change_visibility(polled.url, handles, self._stop.timeout())
        records = [probe.record for probe in probes if probe.record.message_id not in failed]
        if records:
            lease = self._leases.acquire(polled.url, polled.visibility, records, requested_at)
            try:
                self._deliver(records, lease, min(probe.received_at for probe in probes))
            finally:
                self._acknowledgements.release(lease)
            self._acknowledgements.settle()
        if self._outage.lasts:
            self._outage.extend(lambda kept: self._queues.change_visibility(polled.url, kept, self._stop.timeout()))
        return self._make_visible(self._batch.size)

    def _make_visible(self, count: int) -> Round:
        """Set the visibility timeout of messages that met an outage to 0 if it is over."""
        if not self._outage.lasts and (messages := self._outage.take_invisible(count)):
            self._queues.change_visibility(self.polled.url, messages, self._stop.timeout())
        return Round()

    def _handles(self, records: Sequence[Record]) -> list[tuple[str, str]]:
        return self._leases.handles(self.polled.url, dict.fromkeys(record.message_id for record in records))

    def _pause(self, finished: Round) -> None:
        """Wait before the next round if this one failed or had throttled messages."""
        if not finished.failed and not finished.received:
            # An empty round uses up no receive, even in an outage.
            self._pauses = 0
        longest = min(PAUSE_CAP, PAUSE_BASE * 2**self._pauses)
        if finished.failed or finished.is_throttled:
            self._pauses += 1
        else:
            self._pauses = 0
        if not finished.failed:
            # For the share that is throttled, do not poll: for s / (1 - s) of the time that the round has taken. A few
            # messages use up few receives, and each pause delays the others by more than its length.
            share = finished.throttled if finished.throttled > THROTTLED_MINORITY else 0.0
            longest = min(longest, finished.seconds * share / (1 - share)) if share < 1 else longest
        wait = self._jitter(longest / 2, longest) if longest else 0.0
        over = False
        if wait > SHORT_PAUSE:
            self._acknowledgements.settle()
        while wait > 0 and not over and not self._stop.is_set():
            in_outage = self._outage.lasts
            part = min(wait, PROBE_SECONDS)
            with blocking:
                self._stop.wait(part)
            wait -= part
            if in_outage and not self._stop.is_set():
                self._try(self._probe)
                over = not self._outage.lasts
        if over:
            self._pauses = 0

    def _log_error(self, message: str, fault: AwsFault, message_id: str = "") -> None:
        fields = {"queue": self.polled.queue.name, "error": fault.code, "message_id": message_id}
        LOGGER.error(message, extra={"fields": {name: value for name, value in fields.items() if value}})
