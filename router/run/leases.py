"""The messages that a worker holds: renewed while it works on them, by one thread for the process."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from router.aws.client import Queues
from router.deliver.log import LOGGER
from router.model import Record

LONGEST_SECONDS = 12 * 60 * 60
"""SQS hides a message no longer than this from its receipt, however often that is renewed:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
HELD_SIZE = 64 * 1024 * 1024
"""Characters; while the bodies that a worker holds are larger together, it takes no further receivers, and each of them
asks for one answer at a time."""
_LOOK_SECONDS = 0.25


class Hold:
    """Messages of one receive: hidden from others until `until`, by the clock, which renewing puts off.

    `size` is the length of their bodies together.
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
        """Whether half of the time is over, and renewing can still put off the end."""
        return now >= self._renewed_at + self._visibility / 2 and self.seconds_at(now) > 0

    def seconds_at(self, now: float) -> int:
        """For how long it can be hidden from now on."""
        return min(self._visibility, int(self._received_at + LONGEST_SECONDS - now))

    def renewed(self, now: float, *, completely: bool) -> None:
        """It was renewed at `now`; unless that held for each message, the end stays where it was."""
        self._renewed_at = now
        if completely:
            self.until = now + self.seconds_at(now)


class Held:
    """All holds of a process. A message that is received again while it is held goes by its newest receipt handle.

    `size` is the length of all held bodies together.
    """

    def __init__(self, queues: Queues, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = 0
        self._queues = queues
        self._clock = clock
        self._lock = threading.Lock()
        self._holds: dict[Hold, None] = {}
        # For each message its newest handle, and how many hold it.
        self._handles: dict[tuple[str, str], tuple[str, int]] = {}

    @property
    def is_full(self) -> bool:
        """Whether as much is held as should be."""
        return self.size >= HELD_SIZE

    def take(self, url: str, visibility: int, records: Sequence[Record], since: float | None = None) -> Hold:
        """Hold messages that have been hidden from others `since` some moment by the clock; None is now."""
        hold = Hold(url, visibility, records, self._clock() if since is None else since)
        handles = self._handles
        with self._lock:
            self._holds[hold] = None
            self.size += hold.size
            for record in records:
                key = url, record.message_id
                known = handles.get(key)
                handles[key] = record.receipt_handle, known[1] + 1 if known else 1
        return hold

    def handles(self, url: str, ids: Iterable[str]) -> list[tuple[str, str]]:
        """The ids of held messages with their newest receipt handles."""
        with self._lock:
            return [(id_, self._handles[url, id_][0]) for id_ in ids]

    def let_go(self, hold: Hold) -> None:
        """Renew its messages no more."""
        handles = self._handles
        with self._lock:
            del self._holds[hold]
            self.size -= hold.size
            for id_ in hold.ids:
                handle, holders = handles.pop((hold.url, id_))
                if holders > 1:
                    handles[hold.url, id_] = handle, holders - 1

    def renew(self) -> None:
        """Put off the end of each hold that is due, ten messages a call."""
        now = self._clock()
        with self._lock:
            due = [hold for hold in self._holds if hold.is_due(now)]
        for hold in due:
            seconds = hold.seconds_at(now)
            messages = [(id_, handle, seconds) for id_, handle in self._handles_of(hold)]
            failed = self._queues.release(hold.url, messages)
            hold.renewed(now, completely=not failed)
            for id_, fault in failed.items():
                LOGGER.warning("cannot renew", extra={"fields": {"message_id": id_, "error": fault.code}})

    def release_all(self) -> None:
        """Show all that is still held to other workers at once."""
        with self._lock:
            holds = list(self._holds)
        for hold in holds:
            self._queues.release(hold.url, [(id_, handle, 0) for id_, handle in self._handles_of(hold)])

    def keep(self, stop: threading.Event) -> None:
        """Renew until stopped; no error ends it."""
        while not stop.wait(_LOOK_SECONDS):
            try:
                self.renew()
            except Exception:  # whatever it is, what is not renewed comes again
                LOGGER.exception("unexpected error while renewing")

    def _handles_of(self, hold: Hold) -> list[tuple[str, str]]:
        with self._lock:
            known = [(id_, self._handles.get((hold.url, id_))) for id_ in hold.ids]
        return [(id_, entry[0]) for id_, entry in known if entry is not None]
