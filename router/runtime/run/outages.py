"""The outage of a queue: whether one lasts, and the messages that are invisible because of it."""

from collections.abc import Callable, Container, Sequence
from threading import Lock

from msgspec import Struct, structs

from router.model import Record
from router.runtime.aws.calls import Clock, boottime
from router.runtime.aws.protocols import VisibilityTimeout
from router.runtime.engine.backoff import OutageBackoff
from router.runtime.run.leases import MAX_SECONDS

MIN_FAILURES = 3
"""The messages in a row that must fail for an outage; fewer may be those of one hot key."""
MAX_PROBES = 10
"""The messages that are delivered again to find out whether the outage is over.

That takes no further receive.
"""
MAX_INVISIBLE = 10_000
"""The messages whose receipt handles are kept, in about 5 MB.

Others return after their visibility timeout.
"""
EXTENSION_SECONDS = 300
"""The visibility timeout of these messages is extended by so much, or by a shorter `outlast`.

They return soon if the worker is killed.
"""
EXTEND_BEFORE = 15.0
"""Seconds before its end; it is looked at every few seconds."""
MAX_EXTENDED = 500
"""The messages that are extended at a time: fifty calls."""
_MARGIN = 60
"""Seconds before SQS's limit of 12 hours from the receive."""


class Probe(Struct, frozen=True):
    """A message that met the outage."""

    record: Record
    received_at: float
    since: float
    """When its visibility timeout was extended."""


class _Invisible(Struct, frozen=True):
    """A message that stays invisible until a time, without its body."""

    receipt_handle: str
    receive_count: int
    received_at: float
    until: float


class Outage:
    """The state of one queue, which its receivers share; safe to use from several threads."""

    def __init__(self, backoff: OutageBackoff, clock: Clock = boottime) -> None:
        self._backoff = backoff
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        """The messages in a row that met an outage."""
        self._probes: dict[str, Probe] = {}
        self._invisible: dict[str, _Invisible] = {}

    @property
    def lasts(self) -> bool:
        """Whether all of the latest messages met an outage."""
        return self._failures >= MIN_FAILURES

    @property
    def may_begin(self) -> bool:
        """Whether the latest message met an outage."""
        return self._failures > 0

    def add(self, failed: Sequence[Probe]) -> bool:
        """Add the messages of a batch of which none was written.

        Return whether they begin an outage.
        """
        if not failed:
            return False
        with self._lock:
            lasted = self.lasts
            self._failures += len(failed)
            if not self.lasts:
                return False
            for probe in failed:
                if len(self._probes) < MAX_PROBES:
                    # Without its payload from S3, which may be large, and is fetched again.
                    record = structs.replace(probe.record, fetched=None)
                    self._probes[record.message_id] = structs.replace(probe, record=record)
                else:
                    self._keep(probe)
            return not lasted

    def end(self) -> bool:
        """End the outage: a message was written, or a new start may do better.

        Return whether one lasted.
        """
        with self._lock:
            lasted = self.lasts
            self._failures = 0
            for probe in self._probes.values():
                self._keep(probe)
            self._probes.clear()
            return lasted

    def take_probes(self, visibility: int) -> list[Probe]:
        """Return the messages to deliver again, to be leased for `visibility` seconds.

        `add` takes them back.
        """
        now = self._clock()
        with self._lock:
            probes = [*self._probes.values()]
            self._probes.clear()
        return [
            probe
            for probe in probes
            # Once the visibility timeout is over, another consumer may have received the message.
            if now < self._until(probe) and visibility <= longest_wait(probe.received_at, now)
        ]

    def take_invisible(self, count: int) -> list[VisibilityTimeout]:
        """Return up to `count` messages whose visibility timeout can be set to 0, with a 0."""
        now = self._clock()
        # The later receives are left for a longer outage, in case this one only seems to be over.
        most_receives = self._backoff.max_receive_count / 2 or float("inf")
        taken: list[VisibilityTimeout] = []
        with self._lock:
            while self._invisible and len(taken) < count:
                message_id = next(iter(self._invisible))
                kept = self._invisible.pop(message_id)
                if now < kept.until and kept.receive_count < most_receives:
                    taken.append((message_id, kept.receipt_handle, 0))
        return taken

    def extend(self, change: Callable[[list[VisibilityTimeout]], Container[str]]) -> None:
        """Extend the visibility timeouts that end soon, at most MAX_EXTENDED of them.

        The messages are not received during the outage then. `change` sets the visibility timeouts
        of messages, and returns the ids of those that failed.
        """
        now = self._clock()
        soon = now + EXTEND_BEFORE
        with self._lock:
            ending = [
                (message_id, kept)
                for message_id, kept in self._invisible.items()
                # Those that are over are not extended: another consumer may have received them.
                if now < kept.until < soon
            ]
        messages: list[VisibilityTimeout] = []
        longest = min(EXTENSION_SECONDS, self._backoff.outlast)
        for message_id, kept in ending[:MAX_EXTENDED]:
            seconds = min(longest, longest_wait(kept.received_at, now))
            if seconds:
                messages.append((message_id, kept.receipt_handle, seconds))
        if not messages:
            return
        failed = change(messages)
        with self._lock:
            for message_id, _, seconds in messages:
                still_kept = self._invisible.get(message_id)
                if still_kept and message_id not in failed:
                    extended = structs.replace(still_kept, until=now + seconds)
                    self._invisible[message_id] = extended

    def _keep(self, probe: Probe) -> None:
        record = probe.record
        # As the latest: the oldest are dropped.
        self._invisible.pop(record.message_id, None)
        self._invisible[record.message_id] = _Invisible(
            record.receipt_handle,
            record.receive_count,
            probe.received_at,
            self._until(probe),
        )
        if len(self._invisible) > MAX_INVISIBLE:
            del self._invisible[next(iter(self._invisible))]

    def _until(self, probe: Probe) -> float:
        """Return the time from which on another consumer may have received a message."""
        least_wait = self._backoff.wait(probe.record.receive_count, lambda: 0.0)
        longest = longest_wait(probe.received_at, probe.since)
        return probe.since + min(least_wait, longest)


def longest_wait(received_at: float, now: float) -> int:
    """Return the longest visibility timeout, in seconds, that can be set for a message."""
    return max(0, int(received_at + MAX_SECONDS - _MARGIN - now))
