"""A receiver: receives a batch of one queue, delivers it, deletes what was acknowledged.

It repeats that until it is stopped.
"""

from collections.abc import Callable, Sequence
from functools import partial
from logging import ERROR, INFO, WARNING

from router.model import Record
from router.runtime.aws.calls import Clock, blocking, boottime
from router.runtime.aws.protocols import (
    AwsFault,
    NonBlockingQueues,
    VisibilityTimeout,
)
from router.runtime.deliver.metrics import IN_FLIGHT, PAUSES, RECEIVES
from router.runtime.deliver.telemetry import LOGGER, log
from router.runtime.deliver.time_limits import FIRST_WAIT_SECONDS, SharedWaits, WaitBudget
from router.runtime.deliver.visibility import (
    Delivered,
    is_infrastructure_failure,
    visibility_timeouts,
)
from router.runtime.deliver.writer import THROTTLED_MINORITY
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.acknowledgements import CANNOT_SET_VISIBILITY, Acknowledgements, log_fault
from router.runtime.run.concurrency import (
    MAX_MESSAGES,
    AdaptiveBatch,
    Round,
    ThrottledShare,
    has_backlog,
)
from router.runtime.run.leases import Lease
from router.runtime.run.long_polls import LongPolls
from router.runtime.run.outages import Outage, Probe, longest_wait
from router.runtime.run.polling import PolledQueue, ReceiverContext, StopEvent

PROBE_SECONDS = 5.0
"""In a pause during an outage, the time between deliveries of messages that met it."""
MAX_VISIBLE_AT_STOP = 1000
"""The messages that a receiver makes visible when it stops, at most.

The next start may have what ends the outage.
"""
WROTE = ("written", "duplicate", "stale")
"""The outcomes of a message that a table took or knows."""
PAUSE_BASE = 1.0
PAUSE_CAP = 60.0
"""Seconds; while a queue or its tables fail, the pause between polls doubles up to PAUSE_CAP."""
SHORT_PAUSE = 0.1
"""Seconds; the responses of deletes are read before a longer pause.

Else they are read during the next receive.
"""
FREQUENT = 10
"""Messages are frequent if a receive waits for them less than so many times as long as they take."""
DELETE_RESERVE = 0.5
"""Seconds; the part of a grace period that is kept free for deletes."""


class QueueState:
    """What the receivers of a queue share."""

    def __init__(self, queue: CompiledQueue, clock: Clock = boottime) -> None:
        self.share = ThrottledShare()
        self.outage = Outage(queue.outage, clock)
        # A busy queue begins and ends many receivers. With a budget of its own, each would wait for
        # long.
        self.waits = SharedWaits(FIRST_WAIT_SECONDS)
        self.long_polls = LongPolls(clock)


class _BatchDeadline:
    """The deadline of a batch: the end of its lease, which a heartbeat moves.

    Once the worker is stopped, the grace period may end earlier.
    """

    __slots__ = ("_lease", "_stop")

    def __init__(self, lease: Lease, stop: StopEvent) -> None:
        self._lease = lease
        self._stop = stop

    @property
    def end(self) -> float:
        return min(self._stop.deadline - DELETE_RESERVE, self._lease.until)


class Receiver:
    """Polls one queue until stopped, or until `on_round` returns False after a round.

    Batches in progress are finished. `healthy` says whether the last receive succeeded. `seen_at`,
    by the clock, says when the last round began. `busy_since` says when the processing of the
    current batch began; it is None between batches.
    """

    def __init__(
        self,
        polled: PolledQueue,
        context: ReceiverContext,
        on_round: Callable[["Receiver", Round], bool],
        state: QueueState,
    ) -> None:
        """`state` is of all receivers of the queue."""
        timing = context.timing
        self.polled = polled
        self.healthy = True
        self.seen_at = timing.clock()
        self.busy_since: float | None = None
        queues = context.queues
        self._queues = queues
        self._overlapping = queues if isinstance(queues, NonBlockingQueues) else None
        self._delivery = context.delivery
        self._leases = context.leases
        self._stop = context.stop
        self._on_round = on_round
        self._share = state.share
        self._waits = WaitBudget(timing.clock, state.waits)
        self._outage = state.outage
        self._long_polls = state.long_polls
        self._count = partial(context.count, polled.queue.name)
        self._jitter = timing.jitter
        self._clock = timing.clock
        self._acknowledgements = Acknowledgements(polled, context)
        self._pauses = 0
        """The pauses in a row for a failure."""
        # A large batch of a FIFO queue would block its message groups. Payloads in S3 can be large.
        single_call = polled.queue.fifo or polled.queue.pointers is not None
        tuning = context.tuning
        most = MAX_MESSAGES if single_call else tuning.batch_messages
        self._batch = AdaptiveBatch(most, tuning.batch_seconds)

    @property
    def paused(self) -> bool:
        """Whether its queue is not polled for now, because of an outage."""
        return self._outage.lasts

    def run(self) -> None:
        """Receive and deliver until stopped; logs unexpected errors and continues."""
        while not self._stop.is_set():
            self.seen_at = self._clock()
            finished = self._try(self._round)
            self._long_polls.end(self)
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
        except BaseException:
            # Whatever a plugin raises, the receiver must go on. The messages become visible again,
            # and the next round receives them.
            fields = {"queue": self.polled.queue.name}
            LOGGER.exception("unexpected error", extra={"fields": fields})
            return Round(failed=True)

    def _round(self) -> Round:
        polled = self.polled
        needs_few = self._leases.is_full or self._outage.lasts
        requested = MAX_MESSAGES if needs_few else self._batch.size
        if requested == MAX_MESSAGES and not self._long_polls.begin(self):
            # Responses to deletes are read now, not during the next receive.
            self._acknowledgements.settle()
            self._long_polls.wait(self)
            # Meanwhile the worker may have been stopped, or an outage may have begun.
            if self._stop.is_set() or self._outage.lasts:
                return Round(throttled=float(self._outage.lasts))
        requested_at = self.seen_at = self._clock()
        received = self._receive(requested)
        self._count(RECEIVES, 1)
        self._batch.size = MAX_MESSAGES
        self.healthy = not isinstance(received, AwsFault)
        if isinstance(received, AwsFault):
            log(ERROR, "cannot receive", queue=polled.queue.name, error=received.code)
            return Round(failed=True)
        if not received:
            self._make_visible(requested)
            return Round(throttled=float(self._outage.lasts))
        if self._clock() >= requested_at + polled.visibility:
            # The process or the response was delayed. Another consumer may have received these
            # messages, and later ones of their groups.
            message = "received after the visibility timeout, and discarded"
            log(WARNING, message, queue=polled.queue.name, messages=len(received))
            return Round(failed=True)
        return self._process(received, requested, requested_at)

    def _process(self, received: list[Record], requested: int, requested_at: float) -> Round:
        """Lease and deliver what was received, and adapt the next batch."""
        polled = self.polled
        count = len(received)
        lease = self._leases.acquire(polled.url, polled.visibility, received, requested_at)
        self._waits.waited = self._waits.taken = 0.0
        began = self._clock()
        self._long_polls.deliver(self, backlog=has_backlog(requested, count))
        self.busy_since = began
        self._count(IN_FLIGHT, count)
        try:
            throttled = self._deliver(received, lease, requested_at)
        finally:
            self.busy_since = None
            self._count(IN_FLIGHT, -count)
            self._acknowledgements.release(lease)
        if not throttled:
            self._make_visible(self._batch.size)
        ended = self._clock()
        # A few writes that are throttled need no smaller batches, which would delay more of them.
        processing = ended - began - self._waits.taken
        self._long_polls.delivered(processing)
        full = self._batch.update(requested, count, lease.size, processing)
        # A wait for retries is no contention, which further receivers would increase.
        seconds = ended - requested_at - self._waits.waited
        frequent = began - requested_at < FREQUENT * processing
        return Round(count, full, seconds, throttled, frequent=frequent)

    def _receive(self, count: int) -> list[Record] | AwsFault:
        """Receive messages, while those of the batch before are deleted."""
        url = self.polled.url
        visibility = self.polled.visibility
        # Only a single call uses long polling: a larger request follows a backlog.
        wait = self.polled.longest_wait if count == MAX_MESSAGES else 0
        if self._overlapping is None:
            return self._queues.receive(url, count, wait, visibility)
        pending = self._overlapping.begin_receive(url, count, wait, visibility)
        self._acknowledgements.settle(pending)
        return pending.finish()

    def _deliver(self, records: Sequence[Record], lease: Lease, received_at: float) -> float:
        """Deliver and acknowledge a batch, of which no message was received before `received_at`.

        Return the throttled share of the queue's messages if some of the batch are; 1 while an
        outage lasts.
        """
        polled = self.polled
        if self._stop.is_set():
            # Delivery has not begun: let other consumers receive the messages at once.
            handles = self._leases.handles(polled.url, records)
            self._change_visibility([(id_, handle, 0) for id_, handle in handles])
            return 0.0
        left = len(set(lease.ids))
        settled = 0
        throttled = 0
        written = False
        failed: list[Probe] = []
        blocked: set[str | None] = set()
        deadline = _BatchDeadline(lease, self._stop)
        parts = self._delivery.deliver_in_parts(polled.queue, records, deadline, self._waits)
        for part in parts:
            left -= len(part)
            acknowledged = [each.record for each in part if each.acknowledged]
            kept: list[Delivered] = []
            if len(acknowledged) < len(part):
                kept = [each for each in part if not each.acknowledged]
            written = written or any(each.outcome.kind in WROTE for each in part)
            self._acknowledgements.delete(acknowledged, blocked, last=not left)
            # Unless a message was written, an outage may begin. It must be known at once then
            # whether the visibility timeouts are set.
            overlaps = bool(kept) and written and not left
            failed += self._set_visibility(kept, lease, received_at, overlaps=overlaps)
            if left:
                self._leases.forget(lease, {each.record.message_id for each in part})
            settled += len(acknowledged)
            # Messages that were not started say nothing about the tables.
            throttled += sum([is_infrastructure_failure(each.outcome) for each in kept])
        self._note_outage(failed, written=written)
        share = self._share.add(settled, throttled)
        return 1.0 if self._outage.lasts else share

    def _note_outage(self, failed: Sequence[Probe], *, written: bool) -> None:
        """Begin or end the outage of the queue after a batch."""
        queue = self.polled.queue.name
        if written:
            if self._outage.may_begin and self._outage.end():
                log(INFO, "the outage is over", queue=queue)
        elif self._outage.add(failed):
            log(WARNING, "an outage began", queue=queue)

    def _set_visibility(
        self,
        kept: Sequence[Delivered],
        lease: Lease,
        received_at: float,
        *,
        overlaps: bool,
    ) -> list[Probe]:
        """Set the visibility timeouts of messages that are not acknowledged.

        Return those that met an outage; none if the calls overlap the next receive.
        """
        polled = self.polled
        since = self._clock()
        # Once the lease is over, its receipt handles may be invalid, and another consumer may have
        # its messages.
        left = min(self._stop.timeout(), lease.until - since)
        if left <= 0:
            return []
        longest = longest_wait(received_at, since)
        if overlaps:
            timeouts = visibility_timeouts(polled.queue, kept, longest)
            if self._acknowledgements.set_visibility(timeouts, lease):
                return []
        faults = self._delivery.set_visibility(polled.queue, polled.url, kept, left, longest)
        for message_id, fault in faults.items():
            log_fault(CANNOT_SET_VISIBILITY, polled.queue, fault, message_id)
        failures = [each.record for each in kept if is_infrastructure_failure(each.outcome)]
        return [
            Probe(record, received_at, since)
            for record in failures
            if record.message_id not in faults
        ]

    def _probe(self) -> Round:
        """Deliver messages that met the outage again, to find out whether it is over.

        That takes no further receive.
        """
        polled = self.polled
        requested_at = self.seen_at = self._clock()
        probes = self._outage.take_probes(polled.visibility)
        taken = [probe.record for probe in probes]
        handles = [(each.message_id, each.receipt_handle, polled.visibility) for each in taken]
        faults = self._change_visibility(handles)
        records = [record for record in taken if record.message_id not in faults]
        if records:
            received_at = min([probe.received_at for probe in probes])
            lease = self._leases.acquire(polled.url, polled.visibility, records, requested_at)
            try:
                self._deliver(records, lease, received_at)
            finally:
                self._acknowledgements.release(lease)
            self._acknowledgements.settle()
        if self._outage.lasts:
            self._outage.extend(self._change_visibility)
        return self._make_visible(self._batch.size)

    def _make_visible(self, count: int) -> Round:
        """Set the visibility timeout of messages that met an outage to 0 if it is over."""
        if not self._outage.lasts:
            messages = self._outage.take_invisible(count)
            if messages:
                self._change_visibility(messages)
        return Round()

    def _change_visibility(self, messages: Sequence[VisibilityTimeout]) -> dict[str, AwsFault]:
        timeout = self._stop.timeout()
        return self._queues.change_visibility(self.polled.url, messages, timeout)

    def _pause(self, finished: Round) -> None:
        """Wait before the next round if this one failed or had throttled messages."""
        wait = self._next_pause(finished)
        if wait > 0:
            self._count(PAUSES, 1)
        if wait > SHORT_PAUSE:
            self._acknowledgements.settle()
        while wait > 0 and not self._stop.is_set():
            in_outage = self._outage.lasts
            part = min(wait, PROBE_SECONDS)
            with blocking:
                self._stop.wait(part)
            wait -= part
            if in_outage and not self._stop.is_set():
                self._try(self._probe)
                if not self._outage.lasts:
                    self._pauses = 0
                    return

    def _next_pause(self, finished: Round) -> float:
        """Return how many seconds to wait after a round, and count the pauses for failures."""
        is_empty = not finished.failed and not finished.received
        if is_empty:
            # It uses up no receive, even in an outage.
            self._pauses = 0
        longest = min(PAUSE_CAP, PAUSE_BASE * 2**self._pauses)
        if finished.failed or finished.is_throttled:
            self._pauses += 1
        else:
            self._pauses = 0
        share = finished.throttled
        if not finished.failed and share < 1:
            if share <= THROTTLED_MINORITY:
                # A few messages use up few receives. Each pause would delay the others by more than
                # its length.
                return 0.0
            # Do not poll for the share that is throttled. Of a share s, that is s / (1 - s) of the
            # time that the round has taken.
            longest = min(longest, finished.seconds * share / (1 - share))
        return self._jitter(longest / 2, longest) if longest else 0.0
