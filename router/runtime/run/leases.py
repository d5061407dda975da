"""Visibility leases: the messages that a worker is processing stay invisible to other consumers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from logging import WARNING
from threading import Event, Lock, Thread

from router.model import Record
from router.runtime.aws.calls import Clock, boottime
from router.runtime.aws.protocols import AwsFault, Queues, Receipt
from router.runtime.deliver.telemetry import LOGGER, log
from router.runtime.run.threads import start_daemon

MAX_SECONDS = 12 * 60 * 60
"""The longest total visibility timeout from receipt, however often it is extended.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
MAX_CHARACTERS = 64 * 1024 * 1024
"""While the leased bodies together are larger, a worker adds no receivers.

Each receiver requests the messages of one call then.
"""
_HEARTBEAT_SECONDS = 0.25


class Lease:
    """The messages of one receive batch, invisible to other consumers until `until`.

    Moments are by the clock of the leases. `size` is the total length of the bodies in characters.
    The lease starts at `since`, when the messages were requested. SQS may have hidden them at any
    moment after that.

    Why from the request: docs/decisions/2026-11-26-leases-count-from-the-request.md
    """

    __slots__ = (
        "_due_at",
        "_since",
        "_visibility",
        "ended",
        "forgotten",
        "ids",
        "renewing",
        "size",
        "until",
        "url",
    )

    def __init__(
        self,
        url: str,
        visibility: int,
        records: Sequence[Record],
        since: float,
    ) -> None:
        self.url = url
        self.ids = tuple([record.message_id for record in records])
        self.forgotten: set[str] = set()
        """The ids of messages that are not renewed any more."""
        self.size = sum([len(record.body) for record in records])
        self.until = since + visibility
        self.renewing = False
        """Whether a call is under way that extends it."""
        self.ended = False
        """Whether it is not extended any more: its messages are being made visible."""
        self._visibility = visibility
        self._since = since
        self._due_at = since + visibility / 2

    def is_due(self, now: float) -> bool:
        """Return whether it is to be extended."""
        if self.renewing or self.ended:
            return False
        # Once it is over, another consumer may have received the messages.
        is_over = now >= self.until
        can_last_longer = self.until < now + self.seconds_at(now)
        return self._due_at <= now and can_last_longer and not is_over

    def seconds_at(self, now: float) -> int:
        """Return the longest visibility timeout that can be set at this time."""
        return min(self._visibility, int(self._since + MAX_SECONDS - now))

    def renewed(self, asked_at: float, now: float, *, completely: bool) -> None:
        """Record a renewal that was requested at a time.

        `until` moves only if every message was renewed.
        """
        if completely:
            self.until = asked_at + self.seconds_at(asked_at)
        # Half of the remaining time is left for further tries.
        self._due_at = now + (self.until - now) / 2


class Leases:
    """All leases of a process.

    A message that was received twice is renewed by its newest receipt handle. `size` is the total
    length of all leased bodies in characters.
    """

    def __init__(
        self,
        queues: Queues,
        clock: Clock = boottime,
    ) -> None:
        self.size = 0
        self._queues = queues
        self._clock = clock
        self._lock = Lock()
        self._leases: dict[Lease, None] = {}
        self._handles: defaultdict[str, dict[str, str]] = defaultdict(dict)
        """By queue: the newest receipt handle of each message."""
        self._further: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """By queue: how many leases a message has besides the first, if there are any."""

    @property
    def is_full(self) -> bool:
        """Whether the limit of leased characters is reached."""
        return self.size >= MAX_CHARACTERS

    def acquire(
        self,
        url: str,
        visibility: int,
        records: Sequence[Record],
        since: float,
    ) -> Lease:
        """Lease messages that were requested at a time of the clock."""
        lease = Lease(url, visibility, records, since)
        handles = {record.message_id: record.receipt_handle for record in records}
        with self._lock:
            self._leases[lease] = None
            self.size += lease.size
            known = self._handles[url]
            are_distinct = len(handles) == len(lease.ids)
            if are_distinct and known.keys().isdisjoint(handles):
                # Nearly always: no message was received twice.
                known.update(handles)
                return lease
            for record in records:
                if record.message_id in known:
                    self._further[url][record.message_id] += 1
                known[record.message_id] = record.receipt_handle
        return lease

    def handles(self, url: str, records: Iterable[Record]) -> list[Receipt]:
        """Return the ids of leased messages, each once, with their newest receipt handles."""
        with self._lock:
            known = self._handles[url]
            handles = {record.message_id: known[record.message_id] for record in records}
        return [*handles.items()]

    def forget(self, lease: Lease, ids: Iterable[str]) -> None:
        """Stop renewing some messages of a lease; their visibility timeout stays as it is."""
        with self._lock:
            lease.forgotten.update(ids)

    def release(self, lease: Lease) -> None:
        """Stop renewing a lease; the visibility timeout of its messages stays as it is."""
        with self._lock:
            del self._leases[lease]
            self.size -= lease.size
            known = self._handles[lease.url]
            further = self._further[lease.url]
            for id_ in lease.ids:
                # Few messages have further leases: most batches do without a look for each.
                leases_left = further.pop(id_, 0) if further else 0
                if not leases_left:
                    del known[id_]
                elif leases_left > 1:
                    further[id_] = leases_left - 1

    def renew(self) -> list[Thread]:
        """Begin to extend each lease that is due.

        Each has a thread, so that a slow call delays no other lease.
        """
        now = self._clock()
        with self._lock:
            due = [lease for lease in self._leases if lease.is_due(now)]
            for lease in due:
                lease.renewing = True
        return _start(self._renew, due)

    def release_all(self, deadline: float) -> None:
        """Set the visibility timeout of all leased messages to 0.

        Slow calls are waited for until the deadline. Leases that are over are left out: their
        receipt handles are no longer valid.
        """
        now = self._clock()
        with self._lock:
            leases = [lease for lease in self._leases if now < lease.until]
            for lease in leases:
                lease.ended = True
        release = partial(self._release, deadline=deadline)
        for thread in _start(release, leases):
            thread.join(max(0.0, deadline - self._clock()))

    def heartbeat(self, stop: Event) -> None:
        """Renew due leases until the event is set."""
        while not stop.wait(_HEARTBEAT_SECONDS):
            self.renew()

    def _renew(self, lease: Lease) -> None:
        """Extend a lease, ten messages a call; logs errors."""
        asked_at = self._clock()
        seconds = lease.seconds_at(asked_at)
        failed: Mapping[str, AwsFault] = {}
        completely = False
        try:
            messages = [(id_, handle, seconds) for id_, handle in self._handles_of(lease)]
            failed = self._queues.change_visibility(lease.url, messages, lease.until - asked_at)
            completely = not failed
        except Exception:
            # A message that is not renewed becomes visible, and is received again.
            LOGGER.exception("unexpected error while extending visibility timeouts")
        lease.renewed(asked_at, self._clock(), completely=completely)
        lease.renewing = False
        for id_, fault in failed.items():
            log(WARNING, "cannot extend the visibility timeout", message_id=id_, error=fault.code)

    def _release(self, lease: Lease, deadline: float) -> None:
        messages = [(id_, handle, 0) for id_, handle in self._handles_of(lease)]
        try:
            self._queues.change_visibility(lease.url, messages, deadline - self._clock())
        except Exception:
            # They become visible at the end of the lease.
            LOGGER.exception("unexpected error while making messages visible")

    def _handles_of(self, lease: Lease) -> list[Receipt]:
        with self._lock:
            known = self._handles[lease.url]
            return [
                (id_, known[id_])
                for id_ in lease.ids
                # A lease that was released meanwhile may have no handles any more.
                if id_ in known and id_ not in lease.forgotten
            ]


def _start(do: Callable[[Lease], None], leases: Iterable[Lease]) -> list[Thread]:
    """Call a function for each lease in a thread of its own.

    If the system has no further thread, it is called here.
    """
    threads = []
    for lease in leases:
        try:
            threads.append(start_daemon("lease", do, lease))
        except RuntimeError:
            do(lease)
    return threads
