"""Visibility leases: the messages that a worker is processing stay invisible to other consumers."""

import threading
from collections.abc import Callable, Iterable, Sequence

from router.aws.calls import boottime
from router.aws.protocols import Queues
from router.deliver.telemetry import LOGGER
from router.model import Record

MAX_SECONDS = 12 * 60 * 60
"""The longest total visibility timeout from receipt, however often it is extended:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
MAX_CHARACTERS = 64 * 1024 * 1024
"""While the leased bodies together are larger, a worker adds no receivers, and each requests one call's messages."""
_HEARTBEAT_SECONDS = 0.25


class Lease:
    """The messages of one receive batch, invisible to other consumers until `until` (by the clock of the leases).

    `size` is the total length of their bodies in characters.
    """

    __slots__ = ("_received_at", "_renewed_at", "_visibility", "ids", "size", "until", "url")

    def __init__(self, url: str, visibility: int, records: Sequence[Record], received_at: float) -> None:
        self.url = url
        self.ids = tuple(record.message_id for record in records)
        self.size = sum(len(record.body) for record in records)
        self.until = received_at + visibility
        self._visibility = visibility
        self._received_at = received_at
        self._renewed_at = received_at

    def is_due(self, now: float) -> bool:
        """Return whether half of the visibility timeout is over and it can still be extended."""
        return now >= self._renewed_at + self._visibility / 2 and self.seconds_at(now) > 0

    def seconds_at(self, now: float) -> int:
        """Return the longest visibility timeout that can be set at this time."""
        return min(self._visibility, int(self._received_at + MAX_SECONDS - now))

    def renewed(self, now: float, *, completely: bool) -> None:
        """Note a renewal; `until` moves only if every message was renewed."""
        self._renewed_at = now
        if completely:
            self.until = now + self.seconds_at(now)


class Leases:
    """All leases of a process; a message that was received twice is renewed by its newest receipt handle.

    `size` is the total length of all leased bodies in characters.
    """

    def __init__(
        self, queues: Queues, clock: Callable[[], float] = boottime, max_characters: int = MAX_CHARACTERS
    ) -> None:
        self.size = 0
        self._queues = queues
        self._clock = clock
        self._max_characters = max_characters
        self._lock = threading.Lock()
        self._leases: dict[Lease, None] = {}
        # The newest receipt handle of each message, and the number of its leases.
        self._handles: dict[tuple[str, str], tuple[str, int]] = {}

    @property
    def is_full(self) -> bool:
        """Whether the limit of leased characters is reached."""
        return self.size >= self._max_characters

    def acquire(self, url: str, visibility: int, records: Sequence[Record], since: float | None = None) -> Lease:
        """Lease messages that have been invisible since a time of the clock; None is now."""
        lease = Lease(url, visibility, records, self._clock() if since is None else since)
        handles = self._handles
        with self._lock:
            self._leases[lease] = None
            self.size += lease.size
            for record in records:
                key = url, record.message_id
                known = handles.get(key)
                handles[key] = record.receipt_handle, known[1] + 1 if known else 1
        return lease

    def handles(self, url: str, ids: Iterable[str]) -> list[tuple[str, str]]:
        """Return the ids of leased messages with their newest receipt handles."""
        with self._lock:
            return [(id_, self._handles[url, id_][0]) for id_ in ids]

    def release(self, lease: Lease) -> None:
        """Stop renewing a lease; the visibility timeout of its messages stays as it is."""
        handles = self._handles
        with self._lock:
            del self._leases[lease]
            self.size -= lease.size
            for id_ in lease.ids:
                handle, leases = handles.pop((lease.url, id_))
                if leases > 1:
                    handles[lease.url, id_] = handle, leases - 1

    def renew(self) -> None:
        """Extend each lease that is due, ten messages a call."""
        now = self._clock()
        with self._lock:
            due = [lease for lease in self._leases if lease.is_due(now)]
        for lease in due:
            seconds = lease.seconds_at(now)
            messages = [(id_, handle, seconds) for id_, handle in self._handles_of(lease)]
            failed = self._queues.change_visibility(lease.url, messages)
            lease.renewed(now, completely=not failed)
            for id_, fault in failed.items():
                fields = {"message_id": id_, "error": fault.code}
                LOGGER.warning("cannot extend the visibility timeout", extra={"fields": fields})

    def release_all(self, deadline: float) -> None:
        """Set the visibility timeout of all leased messages to 0; no call is begun after the deadline."""
        with self._lock:
            leases = list(self._leases)
        for lease in leases:
            if self._clock() >= deadline:
                return
            self._queues.change_visibility(lease.url, [(id_, handle, 0) for id_, handle in self._handles_of(lease)])

    def heartbeat(self, stop: threading.Event) -> None:
        """Renew due leases until the event is set; logs errors and continues."""
        while not stop.wait(_HEARTBEAT_SECONDS):
            try:
                self.renew()
            except Exception:  # a message that is not renewed becomes visible, and is received again
                LOGGER.exception("unexpected error while extending visibility timeouts")

    def _handles_of(self, lease: Lease) -> list[tuple[str, str]]:
        with self._lock:
            known = [(id_, self._handles.get((lease.url, id_))) for id_ in lease.ids]
        return [(id_, entry[0]) for id_, entry in known if entry is not None]
