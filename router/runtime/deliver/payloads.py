"""Fetches from S3 the payloads that messages point to, before the messages are planned."""

import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

from msgspec import structs

from router import codes
from router.errors import Rejection
from router.model import Code, Outcome, Record
from router.runtime.aws.calls import (
    MOST_CALLS,
    CallResult,
    Clock,
    Duration,
    PolledCalls,
    ThreadedCalls,
    blocking,
    boottime,
    result_of,
)
from router.runtime.aws.protocols import (
    NO_ROOM,
    TOO_LARGE,
    Aws,
    AwsFault,
    EndedCall,
    NonBlockingObjects,
    Objects,
    PendingResponse,
)
from router.runtime.deliver.time_limits import FetchLimit, StartLimit, WaitBudget
from router.runtime.engine.backoff import jitter
from router.runtime.engine.decode import Pointer, PointerFinder
from router.runtime.engine.writes import PlannedMessage

MAX_TRIES = 4
"""The tries of one delivery; after them, the object is left for the next delivery of its message."""
BACKOFF_BASE = 0.1
"""Seconds; the wait before the first retry is random up to twice this, and the bound doubles with each further one."""
MAX_BATCH_BYTES = 128 * 1024 * 1024
"""The most that is kept of the payloads of a batch together, or one of them that is larger."""


class Fetcher:
    """Fetches through one connection; between batches it keeps how long fetches take, and how many may overlap.

    `jitter` chooses a wait between two bounds in seconds.
    """

    def __init__(
        self,
        aws: Aws,
        clock: Clock = boottime,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = jitter,
        max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._max_batch_bytes = max_batch_bytes
        objects = aws.objects
        self._calls: PolledCalls[_Fetch, bytes | AwsFault] | ThreadedCalls[_Fetch, bytes | AwsFault] = (
            PolledCalls(lambda fetch, seconds: fetch.begin(objects, seconds), _result, clock, MOST_CALLS)
            if isinstance(objects, NonBlockingObjects)
            else ThreadedCalls(lambda fetch, seconds: fetch.call(objects, seconds), clock)
        )

    @property
    def duration(self) -> Duration:
        """How long fetches take."""
        return self._calls.duration

    def fetch(
        self, finder: PointerFinder, records: Iterable[Record], limit: StartLimit, waits: WaitBudget
    ) -> list[Record | PlannedMessage]:
        """Return each record, with its payload if it has a pointer; a decided message if there is no payload."""
        found = [(record, _find(finder, record)) for record in records]
        room = _Room(self._max_batch_bytes)
        fetches = [_Fetch(place, finder.max_bytes, room) for _, place in found if isinstance(place, Pointer)]
        self._fetch(fetches, FetchLimit(limit, self._clock()), waits)
        payloads = iter([fetch.result() for fetch in fetches])
        return [_resolve(record, next(payloads) if isinstance(place, Pointer) else place) for record, place in found]

    def _fetch(self, fetches: Sequence["_Fetch"], limit: FetchLimit, waits: WaitBudget) -> None:
        """Make fetches, and those that fail for a transient reason again."""
        left, tries = fetches, 0
        while left:
            for fetch, response in zip(left, self._calls.make(left, limit), strict=True):
                fetch.end(response)
            tries += 1
            left = [fetch for fetch in left if isinstance(fetch.response, AwsFault) and fetch.response.kind == "retry"]
            until_deadline = limit.moment - self._clock()
            seconds = min(self._jitter(0, BACKOFF_BASE * 2**tries), until_deadline)
            if not left or tries == MAX_TRIES or until_deadline <= 0 or not waits.take(seconds):
                return
            with blocking:
                self._sleep(seconds)


class _Room:
    """How many bytes the payloads of a batch may still take; the first of them may take more."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._taken = 0
        self._taking = Lock()

    @property
    def is_full(self) -> bool:
        return self._taken >= self._max_bytes

    def take(self, size: int) -> bool:
        """Take room for so many bytes; return False if there is not so much."""
        with self._taking:
            if self._taken and self._taken + size > self._max_bytes:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        with self._taking:
            self._taken -= size


class _Fetch:
    """The fetch of an object; `response` is that of its last try, None if it was too late for any."""

    def __init__(self, pointer: Pointer, max_bytes: int, room: _Room) -> None:
        self.response: bytes | AwsFault | None = None
        self._pointer = pointer
        self._max_bytes = max_bytes
        self._room = room
        self._taken = 0

    def begin(self, objects: NonBlockingObjects, seconds: float) -> PendingResponse[bytes | AwsFault]:
        """Send the request, if there is room for more objects."""
        if self._room.is_full:
            return EndedCall(NO_ROOM)
        return objects.begin_fetch(self._pointer.bucket, self._pointer.key, self._max_bytes, seconds, self._has_room)

    def call(self, objects: Objects, seconds: float) -> bytes | AwsFault:
        """Fetch the object, if there is room for more of them."""
        if self._room.is_full:
            return NO_ROOM
        response = objects.fetch(self._pointer.bucket, self._pointer.key, self._max_bytes, seconds)
        return response if isinstance(response, AwsFault) or self._has_room(len(response)) else NO_ROOM

    def end(self, response: bytes | AwsFault | None) -> None:
        """Keep the response, and without one that of the try before; one without the object needs no room."""
        if response is not None:
            self.response = response
        if not isinstance(response, bytes):
            self._room.give_back(self._taken)
            self._taken = 0

    def result(self) -> bytes | Outcome:
        """The payload, or the outcome of its message."""
        if self.response is None:
            return Outcome("retry", codes.NOT_STARTED.id, "the deadline passed before its payload was fetched")
        if isinstance(self.response, AwsFault):
            return _outcome(self._pointer, self.response, self._max_bytes)
        return self.response

    def _has_room(self, size: int) -> bool:
        if not self._room.take(size):
            return False
        self._taken += size
        return True


def _result(response: bytes | AwsFault) -> CallResult:
    return result_of(response if isinstance(response, AwsFault) else None)


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
    if fault == NO_ROOM:
        return Outcome("retry", codes.NOT_STARTED.id, "the payloads before it in the batch are too many", delay=0)
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
