"""Fetching the payloads that messages point to, from a scripted S3."""

import json
import threading
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.deliver.payloads import CONCURRENT_FETCHES, MAX_TRIES, Fetcher
from router.deliver.retries import WaitBudget
from router.model import Outcome, Record
from tests.support.aws import TOO_LARGE, Aws, AwsFault
from tests.support.engine import CLASSES, CompiledQueue, PlannedMessage, PointerFinder, plan
from tests.support.program import load_program

NONE: Any = None
THROTTLED = AwsFault("retry", "SlowDown", 503)
ENOUGH = WaitBudget(seconds=1e9)
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
    queue: CompiledQueue, objects: Any, *records: Record, time: Time | None = None, end: float = 1e9, **settings: Any
) -> list[bytes | Outcome | None]:
    """What was fetched for each record, or the outcome."""
    time = time or Time()
    fetcher = Fetcher(Aws(NONE, NONE, objects), time.clock, time.sleep, **settings)
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
    """A few retries, after random waits that grow."""
    time = Time()

    found = run(large, Bucket(a=[THROTTLED] * (MAX_TRIES - 1) + [b"A"]), pointer("a"), time=time)

    assert (found, [0 <= wait <= bound for wait, bound in zip(time.slept, (0.2, 0.4, 0.8), strict=True)]) == (
        [b"A"],
        [True] * 3,
    )


def test_last_try(large: CompiledQueue) -> None:
    """After the last try the message is left for its next delivery."""
    bucket = Bucket(a=[THROTTLED], b=[b"B"])

    found = run(large, bucket, pointer("a"), pointer("b"))

    later = Outcome("retry", "RT814", "its object in bucket 'payloads' cannot be fetched: SlowDown")
    assert (found, len(bucket.asked)) == ([later, b"B"], MAX_TRIES + 1)


def test_nothing_is_fetched_after_the_deadline(large: CompiledQueue) -> None:
    """No wait is longer than until the deadline either."""
    time = Time()
    bucket = Bucket(a=[THROTTLED])

    found = run(large, bucket, pointer("a"), time=time, end=1e-9)

    late = Outcome("retry", "RT819", "the deadline passed before its payload was fetched")
    assert (found, len(bucket.asked), time.slept) == ([late], 1, [1e-9])


def test_payloads_of_a_batch_are_bounded(large: CompiledQueue) -> None:
    """Messages whose payloads do not fit become visible at once."""
    bucket = Bucket(**{f"k{number}": [b"12"] for number in range(50)})

    found = run(large, bucket, *(pointer(f"k{number}") for number in range(50)), max_batch_bytes=4)

    left = Outcome("retry", "RT819", "the payloads before it in the batch are too many", delay=0)
    had = [each for each in found if each != left]
    # Those that were under way when it was full are kept.
    assert (found[0], set(had), 2 <= len(had) <= 2 + CONCURRENT_FETCHES) == (b"12", {b"12"}, True)


def test_fetches_overlap(large: CompiledQueue) -> None:
    """All fetches are under way before the first one ends."""
    meeting = threading.Barrier(CONCURRENT_FETCHES, timeout=10)

    class Slow(Bucket):
        def fetch(self, bucket: str, key: str, max_bytes: int, timeout: float) -> bytes | AwsFault:
            meeting.wait()
            return key.encode()

    keys = [f"k{number}" for number in range(CONCURRENT_FETCHES)]

    assert run(large, Slow(), *map(pointer, keys)) == [key.encode() for key in keys]


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
