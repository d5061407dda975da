"""Fetching the payloads that messages point to, from a scripted S3."""

import json
import os
import threading
from collections.abc import Iterable
from select import POLLIN
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model import Outcome, Record
from router.runtime.deliver.payloads import MAX_BATCH_BYTES, MAX_TRIES, Fetcher
from router.runtime.deliver.time_limits import SharedWaits, WaitBudget
from tests.support.aws import CONCURRENT_CALLS, NO_ROOM, TOO_LARGE, Aws, AwsFault
from tests.support.engine import CLASSES, CompiledQueue, PlannedMessage, PointerFinder, plan
from tests.support.program import load_program

NONE: Any = None
THROTTLED = AwsFault("retry", "SlowDown", 503)
ENOUGH = WaitBudget(shared=SharedWaits(1e9, 1e9))
CONFIG = """\
version: 1
queues:
  large: {dead_letter: d, envelope: [s3_pointer], s3_pointer: {buckets: [payloads], max_bytes: 9}}
  packed: {dead_letter: d, encoding: base64+gzip, envelope: [s3_pointer], s3_pointer: {buckets: [payloads]}}
  plain: {dead_letter: d}
tables: {things: {key: {id: S}}}
routes:
  large: {queue: large, table: things}
  packed: {queue: packed, table: things}
  plain: {queue: plain, table: things}
"""


class Bucket:
    """An S3 with scripted responses by key, one for each try, the last for ever; it keeps its calls."""

    def __init__(self, **answers: Iterable[bytes | AwsFault]) -> None:
        self.answers = {key: list(each) for key, each in answers.items()}
        self.asked: list[tuple[str, str, int]] = []

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        """The next answer."""
        self.asked.append((bucket, key, max_bytes))
        answers = self.answers[key]
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Time:
    """A clock that sleeping moves, and each reading by `step`."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step
        self.slept: list[float] = []

    def clock(self) -> float:
        """The time."""
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        """Go on by so much."""
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(scope="module")
def queues(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The queues of the config."""
    path = tmp_path_factory.mktemp("config") / "routes.yaml"
    path.write_text(CONFIG)
    return load_program(path, {}).engine.queues


@pytest.fixture
def large(queues: Any) -> CompiledQueue:
    """The queue with pointers."""
    queue: CompiledQueue = queues["large"]
    return queue


def pointer(key: str, bucket: str = "payloads") -> Record:
    """A message that points to a key, with the key as its id."""
    return Record(key, "receipt", json.dumps([CLASSES[0], {"s3BucketName": bucket, "s3Key": key}]))


def finder(queue: CompiledQueue) -> PointerFinder:
    """The finder of pointers in the messages of a queue."""
    assert queue.pointers
    return queue.pointers


def limit(moment: float) -> Any:
    """No call starts from that moment on."""
    return SimpleNamespace(moment=moment, timeout=lambda now: moment - now)


def run(
    queue: CompiledQueue,
    objects: Any,
    *records: Record,
    time: Time | None = None,
    end: float = 1e9,
    max_batch_bytes: int = MAX_BATCH_BYTES,
    **settings: Any,
) -> list[bytes | Outcome | None]:
    """What was fetched for each record, or the outcome."""
    time = time or Time()
    fetcher = Fetcher(Aws(NONE, NONE, objects), time.clock, time.sleep, **settings)
    with patch("router.runtime.deliver.payloads.MAX_BATCH_BYTES", max_batch_bytes):
        found = fetcher.fetch(finder(queue), records, limit(end), ENOUGH)
    assert [(each.record if isinstance(each, PlannedMessage) else each).message_id for each in found] == [
        record.message_id for record in records
    ]
    return [each.outcome if isinstance(each, PlannedMessage) else each.fetched for each in found]


def test_each_record_in_its_place(large: CompiledQueue) -> None:
    """Records with a pointer have its payload, the others none; one that points elsewhere is rejected."""
    bucket = Bucket(a=[b"A"], b=[b""])

    found = run(large, bucket, pointer("a"), Record("small", "r", "{}"), pointer("x", "foreign"), pointer("b"))

    refused = Outcome("rejected", "RT823", "the pointer names a bucket that is not one of 'buckets' of 's3_pointer'")
    assert (found, sorted(bucket.asked)) == ([b"A", None, refused, b""], [("payloads", "a", 9), ("payloads", "b", 9)])


@pytest.mark.parametrize("begins", [False, True], ids=["blocking", "non-blocking"])
def test_the_request_of_a_fetch(large: CompiledQueue, begins: bool) -> None:
    """It names the object and the most bytes of it, and has the time that is left."""
    asked: list[tuple[Any, ...]] = []

    def fetch(*request: Any) -> bytes:
        asked.append(request)
        return b"A"

    def begin_fetch(*request: Any) -> Any:
        asked.append(request[:4])
        return SimpleNamespace(fileno=lambda: -1, finish=lambda: b"A")

    bucket = SimpleNamespace(fetch=fetch, **({"begin_fetch": begin_fetch} if begins else {}))

    assert (run(large, bucket, pointer("a"), end=14.0), asked) == ([b"A"], [("payloads", "a", 9, 7.0)])


def test_without_s3(large: CompiledQueue) -> None:
    """A connection without S3 cannot follow pointers."""
    (found,) = Fetcher(Aws(NONE, NONE)).fetch(finder(large), [pointer("a")], limit(1e18), ENOUGH)

    assert isinstance(found, PlannedMessage)
    assert found.outcome == Outcome(
        "retry", "RT816", "its object in bucket 'payloads' cannot be fetched: NotConnected", configuration_error=True
    )


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (
            AwsFault("refused", "NoSuchKey", 404),
            Outcome("rejected", "RT823", "its object in bucket 'payloads' cannot be fetched: NoSuchKey"),
        ),
        (TOO_LARGE, Outcome("rejected", "RT803", "its object in S3 has more than 9 bytes")),
        (
            AwsFault("configuration", "AccessDenied", 403),
            Outcome(
                "retry",
                "RT816",
                "its object in bucket 'payloads' cannot be fetched: AccessDenied",
                configuration_error=True,
            ),
        ),
    ],
)
def test_no_retry(large: CompiledQueue, fault: AwsFault, outcome: Outcome) -> None:
    """The object is fetched once."""
    bucket = Bucket(a=[fault])

    found = run(large, bucket, pointer("a"))

    assert (found, len(bucket.asked)) == ([outcome], 1)


def test_retries(large: CompiledQueue) -> None:
    """A few retries, after waits between 0 and bounds that grow."""
    time = Time()
    bucket = Bucket(a=[THROTTLED] * (MAX_TRIES - 1) + [b"A"])

    found = run(large, bucket, pointer("a"), time=time, jitter=lambda low, high: high - low)

    assert (found, time.slept) == ([b"A"], [0.2, 0.4, 0.8])


def test_last_try(large: CompiledQueue) -> None:
    """After the last try the message is left for its next delivery."""
    bucket = Bucket(a=[THROTTLED], b=[b"B"])

    found = run(large, bucket, pointer("a"), pointer("b"))

    later = Outcome("retry", "RT814", "its object in bucket 'payloads' cannot be fetched: SlowDown")
    assert (found, len(bucket.asked)) == ([later, b"B"], MAX_TRIES + 1)


def test_nothing_is_fetched_after_the_deadline(large: CompiledQueue) -> None:
    """Then its message is left for its next delivery."""
    bucket = Bucket(a=[b"A"])

    found = run(large, bucket, pointer("a"), end=0.0)

    late = Outcome("retry", "RT819", "the deadline passed before its payload was fetched")
    assert (found, bucket.asked) == ([late], [])


@pytest.mark.parametrize(
    ("seconds", "slept"),
    [(0.0, [5.0]), (4.5, [0.5]), (9.0, [])],
    ids=["while-it-waits", "after-a-moment", "during-the-fetch"],
)
def test_the_deadline_passes_before_a_retry(large: CompiledQueue, seconds: float, slept: list[float]) -> None:
    """No wait is longer than until then. Why the fetch has failed is kept: the message may have met an outage."""
    time = Time()

    class Slow(Bucket):
        def fetch(self, *given: Any) -> bytes | AwsFault:
            time.now += seconds
            return super().fetch(*given)

    bucket = Slow(a=[THROTTLED])

    found = run(large, bucket, pointer("a"), time=time, end=10.0, jitter=lambda low, high: 9.0)

    later = Outcome("retry", "RT814", "its object in bucket 'payloads' cannot be fetched: SlowDown")
    assert (found, len(bucket.asked), time.slept) == ([later], 1, slept)


def test_fetches_leave_half_of_the_time_to_write(large: CompiledQueue) -> None:
    """An object that does not come is given up, and the others are there in time."""
    time = Time()
    timeouts: list[float] = []

    class Hanging(Bucket):
        def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
            timeouts.append(timeout)
            time.now += timeout if key == "b" else 0.0
            return super().fetch(bucket, key, max_bytes, timeout)

    bucket = Hanging(a=[b"A"], b=[AwsFault("retry", "ReadTimeoutError")])

    found = run(large, bucket, pointer("a"), pointer("b"), time=time, end=10.0)

    later = Outcome("retry", "RT814", "its object in bucket 'payloads' cannot be fetched: ReadTimeoutError")
    assert (found, max(timeouts), time.now) == ([b"A", later], 5.0, 5.0)


@pytest.mark.parametrize("most", [4, 5])
def test_payloads_of_a_batch_are_bounded(large: CompiledQueue, most: int) -> None:
    """Messages whose payloads do not fit become visible at once."""
    bucket = Bucket(**{f"k{number}": [b"12"] for number in range(50)})

    found = run(large, bucket, *(pointer(f"k{number}") for number in range(50)), max_batch_bytes=most)

    left = Outcome("retry", "RT819", "the payloads before it in the batch are too many", delay=0)
    assert [each for each in found if each != left] == [b"12"] * 2


def test_fetches_overlap(large: CompiledQueue) -> None:
    """All fetches are under way before the first one ends."""
    meeting = threading.Barrier(CONCURRENT_CALLS, timeout=60)

    class Slow(Bucket):
        def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
            meeting.wait()
            return key.encode()

    keys = [f"k{number}" for number in range(CONCURRENT_CALLS)]

    assert run(large, Slow(), *map(pointer, keys)) == [key.encode() for key in keys]


class Overlapping:
    """An S3 whose responses are read once no further fetch begins; `begun` has what was under way before each.

    `faults` are those of the first fetches, None for none; each object is read in parts of `sizes` bytes.
    """

    def __init__(self, *sizes: int, faults: Iterable[AwsFault | None] = ()) -> None:
        self.sizes = sizes or (2,)
        self.faults = [*faults]
        self.begun: list[int] = []
        self.under_way = 0

    def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
        raise AssertionError("fetches are to overlap")

    def begin_fetch(self, bucket: str, key: str, max_bytes: int, timeout: float, has_room: Any) -> "Pending":
        self.begun.append(self.under_way)
        self.under_way += 1
        fault = self.faults.pop(0) if self.faults else None
        return Pending(self, fault or key.encode(), has_room)

    def rounds(self) -> list[int]:
        """How many were under way each time when responses were awaited."""
        starts = [place for place, each in enumerate(self.begun) if each == 0]
        return [end - start for start, end in zip(starts, [*starts[1:], len(self.begun)], strict=True)]


class Pending:
    """A fetch of it under way."""

    events = POLLIN
    seconds = 60.0

    def __init__(self, bucket: Overlapping, response: bytes | AwsFault, has_room: Any) -> None:
        self._bucket = bucket
        self._response = response
        self._has_room = has_room
        self._seen = 0
        self._ready = os.eventfd(1)

    def fileno(self) -> int:
        return self._ready

    def arrived(self) -> bool:
        waits, self._seen = self._seen == len(self._bucket.begun), len(self._bucket.begun)
        return waits

    def finish(self, late: bool = False) -> bytes | AwsFault:
        os.close(self._ready)
        self._bucket.under_way -= 1
        # What was read of an object that fails was admitted, too.
        admitted = all(self._has_room(size) for size in self._bucket.sizes)
        return self._response if admitted or isinstance(self._response, AwsFault) else NO_ROOM


def keys(count: int) -> list[Record]:
    return [pointer(f"k{number}") for number in range(count)]


def test_fetches_grow(large: CompiledQueue) -> None:
    """Fetches that succeed allow more at a time, as with writes; later batches begin with as many."""
    bucket: Any = Overlapping()
    fetcher = Fetcher(Aws(NONE, NONE, bucket))

    for count in (200, 160):
        fetcher.fetch(finder(large), keys(count), limit(1e18), ENOUGH)

    assert bucket.rounds() == [40, 120, 40, 160]


@pytest.mark.parametrize("fault", [THROTTLED, AwsFault("retry", "503", 503)])
def test_a_bucket_that_throttles_has_few_fetches_at_a_time(large: CompiledQueue, fault: AwsFault) -> None:
    """Those that failed are fetched again together."""
    bucket = Overlapping(faults=[fault] * 3)
    time = Time()

    found = run(large, bucket, *keys(60), time=time)

    assert (found, bucket.rounds(), len(time.slept)) == (
        [f"k{number}".encode() for number in range(60)],
        [40, 8, 8, 4, 3],
        1,
    )


def test_what_is_kept_is_bounded(large: CompiledQueue) -> None:
    """Objects that are under way count, and those that failed do not; no fetch begins once the room is full."""
    bucket = Overlapping(5, faults=[AwsFault("refused", "NoSuchKey", 404)])

    found = run(large, bucket, *keys(100), max_batch_bytes=20)

    left = Outcome("retry", "RT819", "the payloads before it in the batch are too many", delay=0)
    # The first one failed with its room still taken; the others of the first round had the rest.
    assert (found[1:4], {*found[4:]}, len(bucket.begun)) == ([b"k1", b"k2", b"k3"], {left}, 40)


@pytest.mark.parametrize(
    "faults",
    [[None, None, None, THROTTLED, THROTTLED], [THROTTLED] * 10],
    ids=["beside-one-that-does-not", "twice"],
)
def test_fetches_that_fail_give_back_their_room(large: CompiledQueue, faults: list[AwsFault | None]) -> None:
    """All that was read for them, each time: later tries have that room, and no more."""
    bucket = Overlapping(2, 3, faults=faults)

    found = run(large, bucket, *keys(5), max_batch_bytes=20)

    left = Outcome("retry", "RT819", "the payloads before it in the batch are too many", delay=0)
    assert found == [b"k0", b"k1", b"k2", b"k3", left]


def test_one_payload_may_be_larger_than_all(large: CompiledQueue) -> None:
    """The first of a batch is kept in any case, so that each is delivered one day."""
    assert run(large, Overlapping(30), pointer("k0"), max_batch_bytes=20) == [b"k0"]


def test_how_long_a_fetch_takes(large: CompiledQueue) -> None:
    """The longest recent duration is known, for the margin before deadlines."""
    time = Time(step=0.5)
    fetcher = Fetcher(Aws(NONE, NONE, Bucket(a=[b"A"])), time.clock, time.sleep)

    fetcher.fetch(finder(large), [pointer("a")], limit(1e9), ENOUGH)

    assert fetcher.duration.seconds == 0.5


@pytest.mark.parametrize("queue", ["large", "packed"])
@given(payload=st.binary() | st.text().map(str.encode))
def test_any_payload_is_planned(queues: Any, queue: str, payload: bytes) -> None:
    """Whatever the object contains: there is a write, or an outcome."""
    (record,) = Fetcher(Aws(NONE, NONE, Bucket(a=[payload]))).fetch(
        finder(queues[queue]), [pointer("a")], limit(1e18), ENOUGH
    )
    assert isinstance(record, Record)

    planned = plan(queues[queue], record)

    assert bool(planned.writes) != (planned.outcome is not None)
    assert planned.outcome is None or planned.outcome.kind == "rejected"
