"""Fetches from S3 the payloads that messages point to, before the messages are planned."""

import time
from collections.abc import Iterable, Sequence
from threading import Lock

from msgspec import structs

from router import codes
from router.errors import Rejection
from router.model import Outcome, Record
from router.runtime.aws.calls import (
    MOST_CALLS,
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
from router.runtime.deliver.time_limits import FetchLimit, Jitter, Sleep, StartLimit, WaitBudget
from router.runtime.engine.backoff import jitter
from router.runtime.engine.decode import Pointer, PointerFinder
from router.runtime.engine.outcomes import rejected
from router.runtime.engine.writes import PlannedMessage

MAX_TRIES = 4
"""The tries of one delivery; then the object is left for the next delivery of its message."""
BACKOFF_BASE = 0.1
"""Seconds; the wait before the first retry is random up to twice this.

The bound doubles with each further one.
"""
MAX_BATCH_BYTES = 128 * 1024 * 1024
"""The most that is kept of the payloads of a batch together, or one of them that is larger."""
_Response = bytes | AwsFault
_NOT_FETCHED = Outcome(
    "retry",
    codes.NOT_STARTED.id,
    "the deadline passed before its payload was fetched",
)
_NO_ROOM_LEFT = Outcome(
    "retry",
    codes.NOT_STARTED.id,
    "the payloads before it in the batch are too many",
    delay=0,
)


class Fetcher:
    """Fetches through one connection.

    Between batches it keeps how long fetches take, and how many may overlap. `jitter` chooses a
    wait between two bounds in seconds.
    """

    def __init__(
        self,
        aws: Aws,
        clock: Clock = boottime,
        sleep: Sleep = time.sleep,
        jitter: Jitter = jitter,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        objects = aws.objects
        self._calls: PolledCalls[_Fetch, _Response] | ThreadedCalls[_Fetch, _Response]
        self._calls = ThreadedCalls(lambda fetch, seconds: fetch.call(objects, seconds), clock)
        if isinstance(objects, NonBlockingObjects):
            self._calls = PolledCalls(
                lambda fetch, seconds: fetch.begin(objects, seconds),
                lambda response: result_of(response if isinstance(response, AwsFault) else None),
                clock,
                MOST_CALLS,
            )

    @property
    def duration(self) -> Duration:
        """How long fetches take."""
        return self._calls.duration

    def fetch(
        self,
        finder: PointerFinder,
        records: Iterable[Record],
        limit: StartLimit,
        waits: WaitBudget,
    ) -> list[Record | PlannedMessage]:
        """Return each record, with its payload if it has a pointer.

        A decided message is returned if there is no payload.
        """
        room = _Room()
        found = [(record, _find(finder, record, room)) for record in records]
        fetches = [fetch for _, fetch in found if isinstance(fetch, _Fetch)]
        self._fetch(fetches, FetchLimit(limit, self._clock()), waits)
        return [_resolve(record, result) for record, result in found]

    def _fetch(self, fetches: Sequence["_Fetch"], limit: FetchLimit, waits: WaitBudget) -> None:
        """Make fetches, and those that fail for a transient reason again."""
        left = fetches
        tries = 0
        while left:
            responses = self._calls.make(left, limit)
            for fetch, response in zip(left, responses, strict=True):
                fetch.end(response)
            tries += 1
            left = [fetch for fetch in left if fetch.is_to_be_tried_again]
            if not left or tries == MAX_TRIES:
                return
            until_deadline = limit.moment - self._clock()
            wait = min(self._jitter(0, BACKOFF_BASE * 2**tries), until_deadline)
            if until_deadline <= 0 or not waits.take(wait):
                return
            with blocking:
                self._sleep(wait)


class _Room:
    """How many bytes the payloads of a batch may still take; thread-safe.

    The first of them may take more: a large object would never be fetched otherwise.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._taking = Lock()

    @property
    def is_full(self) -> bool:
        return self._taken >= MAX_BATCH_BYTES

    def take(self, size: int) -> bool:
        """Take room for so many bytes; return False if there is not so much."""
        with self._taking:
            if self._taken and self._taken + size > MAX_BATCH_BYTES:
                return False
            self._taken += size
            return True

    def give_back(self, size: int) -> None:
        with self._taking:
            self._taken -= size


class _Fetch:
    """The fetch of an object.

    `response` is that of its last try, None if it was too late for any.
    """

    def __init__(self, pointer: Pointer, max_bytes: int, room: _Room) -> None:
        self.response: _Response | None = None
        self._pointer = pointer
        self._max_bytes = max_bytes
        self._room = room
        self._taken = 0

    @property
    def is_to_be_tried_again(self) -> bool:
        """Whether the last try failed for a reason that may pass."""
        return isinstance(self.response, AwsFault) and self.response.kind == "retry"

    def begin(
        self,
        objects: NonBlockingObjects,
        seconds: float,
    ) -> PendingResponse[_Response]:
        """Send the request, if there is room for more objects."""
        if self._room.is_full:
            return EndedCall(NO_ROOM)
        pointer = self._pointer
        return objects.begin_fetch(
            pointer.bucket,
            pointer.key,
            self._max_bytes,
            seconds,
            self._has_room,
        )

    def call(self, objects: Objects, seconds: float) -> _Response:
        """Fetch the object, if there is room for more of them."""
        if self._room.is_full:
            return NO_ROOM
        pointer = self._pointer
        response = objects.fetch(pointer.bucket, pointer.key, self._max_bytes, seconds)
        if isinstance(response, AwsFault) or self._has_room(len(response)):
            return response
        return NO_ROOM

    def end(self, response: _Response | None) -> None:
        """Keep the response; without one, that of the try before is kept.

        A response without the object needs no room.
        """
        if response is not None:
            self.response = response
        if not isinstance(response, bytes):
            self._room.give_back(self._taken)
            self._taken = 0

    def result(self) -> bytes | Outcome:
        """The payload, or the outcome of its message."""
        if self.response is None:
            return _NOT_FETCHED
        if isinstance(self.response, AwsFault):
            return self._outcome(self.response)
        return self.response

    def _outcome(self, fault: AwsFault) -> Outcome:
        """The outcome of a message whose payload was not fetched.

        Its bucket is one that the config names.
        """
        if fault == NO_ROOM:
            return _NO_ROOM_LEFT
        if fault == TOO_LARGE:
            reason = f"its object in S3 has more than {self._max_bytes} bytes"
            return Outcome("rejected", codes.OUT_OF_BOUNDS.id, reason)
        reason = f"its object in bucket '{self._pointer.bucket}' cannot be fetched: {fault.code}"
        match fault.kind:
            case "configuration":
                code = codes.CONFIGURATION_ERROR.id
                return Outcome("retry", code, reason, configuration_error=True)
            case "retry":
                return Outcome("retry", codes.RETRY_LATER.id, reason)
            case _:
                return Outcome("rejected", codes.BAD_POINTER.id, reason)

    def _has_room(self, size: int) -> bool:
        if not self._room.take(size):
            return False
        self._taken += size
        return True


def _find(finder: PointerFinder, record: Record, room: _Room) -> _Fetch | Outcome | None:
    try:
        pointer = finder.find(record)
    except Rejection as rejection:
        return rejected(rejection)
    return _Fetch(pointer, finder.max_bytes, room) if pointer else None


def _resolve(record: Record, found: _Fetch | Outcome | None) -> Record | PlannedMessage:
    """Return a record with its payload, or as a message with the outcome of its fetch."""
    result = found.result() if isinstance(found, _Fetch) else found
    if result is None:
        return record
    if isinstance(result, Outcome):
        return PlannedMessage(record, result)
    return structs.replace(record, fetched=result)
