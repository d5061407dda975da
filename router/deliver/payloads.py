"""Fetches from S3 the payloads that messages point to, before the messages are planned."""

import time
from collections.abc import Callable, Iterable
from functools import cached_property
from random import uniform
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import structs

from router import codes
from router.aws.calls import Clock, Duration, StartLimit, boottime
from router.aws.protocols import TOO_LARGE, Aws, AwsFault
from router.deliver.retries import WaitBudget
from router.engine.decode import Pointer, PointerFinder
from router.engine.writes import PlannedMessage
from router.errors import Rejection
from router.model import Code, Outcome, Record

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

CONCURRENT_FETCHES = 8
"""The most objects that a fetcher reads at a time."""
MAX_TRIES = 4
"""The tries of one delivery; after them, the object is left for the next delivery of its message."""
BACKOFF_BASE = 0.1
"""Seconds; the wait before the first retry is random up to twice this, and the bound doubles with each further one."""
MAX_BATCH_BYTES = 128 * 1024 * 1024
"""If the payloads of a batch together are larger, no further one is fetched for it."""


class Fetcher:
    """Fetches through one connection; the only state between batches is how long fetches take.

    `jitter` chooses a wait between two bounds in seconds.
    """

    def __init__(
        self,
        aws: Aws,
        clock: Clock = boottime,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = uniform,
        max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._aws = aws
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._max_batch_bytes = max_batch_bytes
        self.duration = Duration()

    def fetch(
        self, finder: PointerFinder, records: Iterable[Record], limit: StartLimit, waits: WaitBudget
    ) -> list[Record | PlannedMessage]:
        """Return each record, with its payload if it has a pointer; a decided message if there is no payload."""
        found = [(record, _find(finder, record)) for record in records]
        room = _Room(self._max_batch_bytes)
        pointers = [place for _, place in found if isinstance(place, Pointer)]
        run = self._pool.map if len(pointers) > 1 else map
        payloads = iter(run(lambda pointer: self._fetch(pointer, finder.max_bytes, room, limit, waits), pointers))
        return [_resolve(record, next(payloads) if isinstance(place, Pointer) else place) for record, place in found]

    @cached_property
    def _pool(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # a cold start does without it

        return ThreadPoolExecutor(CONCURRENT_FETCHES, "fetch")

    def _fetch(
        self, pointer: Pointer, max_bytes: int, room: "_Room", limit: StartLimit, waits: WaitBudget
    ) -> bytes | Outcome:
        """Fetch an object, with retries."""
        tries = 0
        while True:
            started = self._clock()
            if started >= limit.moment:
                return Outcome("retry", codes.NOT_STARTED.id, "the deadline passed before its payload was fetched")
            if room.is_full:
                return Outcome(
                    "retry", codes.NOT_STARTED.id, "the payloads before it in the batch are too many", delay=0
                )
            payload = self._aws.objects.fetch(pointer.bucket, pointer.key, max_bytes, limit.timeout(started))
            self.duration.add(self._clock() - started)
            if not isinstance(payload, AwsFault):
                room.take(len(payload))
                return payload
            tries += 1
            seconds = max(0.0, min(self._jitter(0, BACKOFF_BASE * 2**tries), limit.moment - self._clock()))
            if payload.kind != "retry" or tries == MAX_TRIES or not waits.take(seconds):
                return _outcome(pointer, payload, max_bytes)
            self._sleep(seconds)


class _Room:
    """How many bytes the payloads of a batch may still take."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._taking = Lock()

    @property
    def is_full(self) -> bool:
        return self._left <= 0

    def take(self, size: int) -> None:
        with self._taking:
            self._left -= size


def _find(finder: PointerFinder, record: Record) -> Pointer | Outcome | None:
    try:
        return finder.find(record)
    except Rejection as rejection:
        return _rejected(rejection.code, rejection.reason)


def _resolve(record: Record, found: bytes | Outcome | None) -> Record | PlannedMessage:
    if isinstance(found, Outcome):
        return PlannedMessage(record, found)
    return record if found is None else structs.replace(record, fetched=found)


def _outcome(pointer: Pointer, fault: AwsFault, max_bytes: int) -> Outcome:
    """The outcome of a message whose payload was not fetched; its bucket is one that the config names."""
    if fault == TOO_LARGE:
        return _rejected(codes.OUT_OF_BOUNDS, f"its object in S3 has more than {max_bytes} bytes")
    reason = f"its object in bucket '{pointer.bucket}' cannot be fetched: {fault.code}"
    match fault.kind:
        case "configuration":
            return Outcome("retry", codes.CONFIGURATION_ERROR.id, reason, configuration_error=True)
        case "retry":
            return Outcome("retry", codes.RETRY_LATER.id, reason)
        case _:
            return _rejected(codes.BAD_POINTER, reason)


def _rejected(code: Code, reason: str) -> Outcome:
    return Outcome("rejected", code.id, reason)
