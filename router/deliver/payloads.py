"""Fetches the payloads that messages only point to, before they are planned."""

import time
from collections.abc import Callable, Iterable
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from msgspec import structs

from router import codes
from router.aws.client import TOO_LARGE, Aws
from router.aws.faults import Fault
from router.engine.engine import CompiledQueue
from router.engine.pointers import Pointer, PointerFinder
from router.engine.ticket import Ticket
from router.errors import Refusal
from router.model import Code, Outcome, Record

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

FETCHES_AT_ONCE = 8
"""Objects that are under way at a time, of one fetcher."""
MAX_TRIES = 4
"""An object that could not be fetched so often is left for the next delivery of its message."""
BACKOFF_BASE = 0.1
"""Seconds; the wait before the second try is random up to twice this, and the bound doubles with each further try."""
MAX_BATCH_BYTES = 128 * 1024 * 1024
"""Once the payloads of a batch are larger together, no further one is fetched for it."""

Clock = Callable[[], float]
Deadline = Callable[[], float]


class Fetcher:
    """Fetches through one connection; keeps nothing between batches but how long a fetch takes."""

    def __init__(self, aws: Aws, clock: Clock = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        self._aws = aws
        self._clock = clock
        self._sleep = sleep
        self.call_seconds = 0.0
        """How long a fetch takes: the longest of late, forgotten little by little."""

    def fetch(self, queue: CompiledQueue, records: Iterable[Record], deadline: Deadline) -> list[Record | Ticket]:
        """Each record in turn, with its payload if it has a pointer; a decided ticket where it cannot be had."""
        finder = queue.pointers
        if finder is None:
            return [*records]
        found = [(record, _find(finder, record)) for record in records]
        room = _Room()
        pointers = [place for _, place in found if isinstance(place, Pointer)]
        run = self._pool.map if len(pointers) > 1 else map
        payloads = iter(run(lambda pointer: self._fetch(pointer, finder.max_bytes, room, deadline), pointers))
        return [_place(record, next(payloads) if isinstance(place, Pointer) else place) for record, place in found]

    @cached_property
    def _pool(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor  # most queues have no pointers: start-up does without it

        return ThreadPoolExecutor(FETCHES_AT_ONCE, "fetch")

    def _fetch(self, pointer: Pointer, max_bytes: int, room: "_Room", deadline: Deadline) -> bytes | Outcome:
        """One object, tried as often as it may be."""
        tries = 0
        while True:
            started = self._clock()
            if started >= deadline():
                return Outcome("retry", codes.NOT_STARTED.id, "time was up before its payload was fetched")
            if room.is_full:
                return Outcome(
                    "retry", codes.NOT_STARTED.id, "the payloads before it in the batch are too many", delay=0
                )
            payload = self._aws.objects.fetch(pointer.bucket, pointer.key, max_bytes)
            self.call_seconds = max(self._clock() - started, self.call_seconds * 0.95)
            if not isinstance(payload, Fault):
                room.take(len(payload))
                return payload
            tries += 1
            if payload.kind != "retry" or tries == MAX_TRIES:
                return _outcome(pointer, payload, max_bytes)
            from random import uniform  # only where something failed: start-up does without it

            wait = uniform(0, BACKOFF_BASE * 2**tries)  # noqa: S311 — jitter, no secret
            self._sleep(max(0.0, min(wait, deadline() - self._clock())))


class _Room:
    """What the payloads of a batch may still take."""

    def __init__(self) -> None:
        self._taken = 0
        self._taking = Lock()

    @property
    def is_full(self) -> bool:
        return self._taken >= MAX_BATCH_BYTES

    def take(self, size: int) -> None:
        with self._taking:
            self._taken += size


def _find(finder: PointerFinder, record: Record) -> Pointer | Outcome | None:
    try:
        return finder.find(record)
    except Refusal as refusal:
        return _rejected(refusal.code, refusal.reason)


def _place(record: Record, found: bytes | Outcome | None) -> Record | Ticket:
    if isinstance(found, Outcome):
        return Ticket(record, found)
    return record if found is None else structs.replace(record, fetched=found)


def _outcome(pointer: Pointer, fault: Fault, max_bytes: int) -> Outcome:
    """What a fault means for the message; the bucket is one that the config names."""
    if fault == TOO_LARGE:
        return _rejected(codes.OUT_OF_BOUNDS, f"its object in S3 has more than {max_bytes} bytes")
    reason = f"its object in bucket '{pointer.bucket}' cannot be fetched: {fault.code}"
    match fault.kind:
        case "setup":
            return Outcome("retry", codes.SETUP.id, reason, setup=True)
        case "retry":
            return Outcome("retry", codes.RETRY_LATER.id, reason)
        case _:
            return _rejected(codes.BAD_POINTER, reason)


def _rejected(code: Code, reason: str) -> Outcome:
    return Outcome("rejected", code.id, reason)
