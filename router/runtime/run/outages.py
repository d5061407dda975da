"""The outage of a queue: whether one lasts, and the messages that are invisible because of it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from router.model import Record
from router.runtime.aws.calls import boottime
from router.runtime.engine.backoff import OutageBackoff
from router.runtime.run.leases import MAX_SECONDS

MIN_FAILURES = 3
"""The messages in a row that must fail for an outage; fewer may be those of one hot key."""
MAX_PROBES = 10
"""The messages that are delivered again, without another receive, to find out whether the outage is over."""
MAX_INVISIBLE = 10_000
"""The messages whose receipt handles are kept, in about 5 MB; others return after their visibility timeout."""
EXTENSION_SECONDS = 300
"""The visibility timeout of these messages is extended by so much, or by a shorter `outlast`: they return soon if the
worker is killed."""
EXTEND_BEFORE = 15.0
"""Seconds before its end; it is looked at every few seconds."""
MAX_EXTENDED = 500
"""The messages that are extended at a time: fifty calls."""
_MARGIN = 60
"""Seconds before SQS's limit of 12 hours from the receive."""


class Probe(Struct, frozen=True):
    """A message that met the outage: when it was received, and when its visibility timeout was extended."""

    record: Record
    received_at: float
    since: float


class _Invisible(Struct, frozen=True):
    """A message that stays invisible until a time, without its body."""

    receipt_handle: str
    receive_count: int
    received_at: float
    until: float


class Outage:
    """The state of one queue, which its receivers share; safe to use from several threads."""

    def __init__(self, backoff: OutageBackoff, clock: Callable[[], float] = boottime) -> None:
        self._backoff = backoff
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
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
        """Add the messages of a batch of which none was written; return whether they begin an outage."""
        if not failed:
            return False
        with self._lock:
            lasted = self.lasts
            self._failures += len(failed)
            for probe in failed if self.lasts else ():
                if len(self._probes) < MAX_PROBES:
                    # Without its payload from S3, which may be large, and is fetched again.
                    record = structs.replace(probe.record, fetched=None)
                    self._probes[record.message_id] = structs.replace(probe, record=record)
                else:
                    self._keep(probe)
            return self.lasts and not lasted

    def end(self) -> bool:
        """End the outage: a message was written, or a new start may do better. Return whether one lasted."""
        with self._lock:
            lasted = self.lasts
            self._failures = 0
            for probe in self._probes.values():
                self._keep(probe)
            self._probes.clear()
            return lasted

    def take_probes(self, visibility: int) -> list[Probe]:
        """Return the messages to deliver again, to be leased for `visibility` seconds; `add` takes them back."""
        now = self._clock()
        with self._lock:
            probes = [*self._probes.values()]
            self._probes.clear()
        return [
            probe for probe in probes if now < self._until(probe) and longest_wait(probe.received_at, now) >= visibility
        ]

    def take_invisible(self, count: int) -> list[tuple[str, str, int]]:
        """Return up to `count` messages (id, receipt handle, 0) whose visibility timeout can be set to 0."""
        now, receives = self._clock(), self._backoff.max_receive_count
        taken: list[tuple[str, str, int]] = []
        with self._lock:
            while self._invisible and len(taken) < count:
                message_id = next(iter(self._invisible))
                kept = self._invisible.pop(message_id)
                # The later receives are left for a longer outage, in case that this one only seems to be over.
                if now < kept.until and (not receives or 2 * kept.receive_count < receives):
                    taken.append((message_id, kept.receipt_handle, 0))
        return taken

    def extend(self, change: Callable[[list[tuple[str, str, int]]], Mapping[str, Any]]) -> None:
        """Extend the visibility timeouts that end soon, so that the messages are not received during the outage.

        `change` takes messages (id, receipt handle, seconds) and returns those that failed. At most MAX_EXTENDED are
        extended at a time.
        """
        now, longest = self._clock(), min(EXTENSION_SECONDS, self._backoff.outlast)
        with self._lock:
            ending = [(id_, kept) for id_, kept in self._invisible.items() if now < kept.until < now + EXTEND_BEFORE]
        seconds = {id_: min(longest, longest_wait(kept.received_at, now)) for id_, kept in ending[:MAX_EXTENDED]}
        messages = [(id_, kept.receipt_handle, seconds[id_]) for id_, kept in ending if seconds.get(id_)]
        failed = change(messages) if messages else {}
        with self._lock:
            for id_, _, extension in messages:
                kept = self._invisible.get(id_)
                if kept and id_ not in failed:
                    self._invisible[id_] = structs.replace(kept, until=now + extension)

    def _keep(self, probe: Probe) -> None:
        record = probe.record
        self._invisible.pop(record.message_id, None)
        self._invisible[record.message_id] = _Invisible(
            record.receipt_handle, record.receive_count, probe.received_at, self._until(probe)
        )
        if len(self._invisible) > MAX_INVISIBLE:
            del self._invisible[next(iter(self._invisible))]

    def _until(self, probe: Probe) -> float:
        """Return the time from which on another consumer may have received a message."""
        wait = self._backoff.wait(probe.record.receive_count, lambda: 0.0)
        return probe.since + min(wait, longest_wait(probe.received_at, probe.since))


def longest_wait(received_at: float, now: float) -> int:
    """Return the longest visibility timeout, in seconds, that can be set for a message."""
    return max(0, int(received_at + MAX_SECONDS - _MARGIN - now))
