"""The visibility timeouts that the Lambda function sets."""

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.aws import AwsFault, QueueAttributes, WriteResponse

GONE = WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400))
BUSY = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))

Handler = Callable[[Any, Any], dict[str, Any]]


class Context:
    """An invocation with too little time for retries."""

    def get_remaining_time_in_millis(self) -> int:
        return 1_000


def event(receive_count: int = 1, body: str = '{"id":"a"}') -> dict[str, Any]:
    """An event with one message."""
    record = {
        "messageId": "m1",
        "receiptHandle": "h",
        "body": body,
        "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q",
        "attributes": {"ApproximateReceiveCount": str(receive_count)},
    }
    return {"Records": [record]}


def waits(queues: Any) -> list[int]:
    """The visibility timeouts that were set."""
    return [seconds for call in queues.released for _, _, seconds in call]


def test_waits_grow_with_the_receive_count(handler: Handler, tables: Any, queues: Any) -> None:
    """They begin at half a minute, so that an error corrected in a minute costs no quarter of an hour."""
    for count in range(1, 6):
        tables.answers.append(GONE)
        handler(event(count), None)

    bounds = [30, 329, 3589, 39252, 39252]
    assert all(
        bound <= wait <= min(bound * 1.25 + 1, 42_300) for bound, wait in zip(bounds, waits(queues), strict=True)
    )


def test_throttled_messages(handler: Handler, tables: Any, queues: Any) -> None:
    """Without `retry: {lambda: true}`, as after a configuration error."""
    tables.answers.extend([BUSY] * 8)

    answer = handler(event(), Context())

    (wait,) = waits(queues)
    assert (answer, 30 <= wait <= 38) == ({"batchItemFailures": [{"itemIdentifier": "m1"}]}, True)


def test_other_failures_keep_the_visibility_timeout(handler: Handler, queues: Any) -> None:
    """No call is made for a message that failed by itself, or was written."""
    handler(event(), None)
    handler(event(body="{"), None)

    assert (queues.released, queues.attributes_read) == ([], 0)


LATER = "@hookimpl\ndef router_transform_message(message, route):\n    raise Retry('later', 7)"


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        ({"queue": "dead_letter: letters", "later": LATER}, []),
        ({"queue": "dead_letter: letters, retry: {lambda: true}", "later": LATER}, [7]),
    ],
    indirect=["handler"],
)
def test_retries_keep_the_visibility_timeout_unless_the_queue_opts_in(
    handler: Handler, queues: Any, found: list[int]
) -> None:
    """It is that of the retry then, and the redrive policy is not read for it."""
    assert handler(event(), None) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}

    assert (waits(queues), queues.attributes_read) == (found, 0)


@pytest.mark.parametrize("by", ["url", "m1"])
def test_cannot_set_the_visibility_timeout(
    handler: Handler, tables: Any, queues: Any, caplog: pytest.LogCaptureFixture, by: str
) -> None:
    """That is logged, and the message is reported as failed all the same."""
    tables.answers.append(GONE)
    queues.faults[by] = AwsFault("configuration", "AccessDenied", 403)

    answer = handler(event(), None)

    logged = [(entry.getMessage(), entry.__dict__["fields"]) for entry in caplog.records]
    assert (answer, logged[-1]) == (
        {"batchItemFailures": [{"itemIdentifier": "m1"}]},
        ("cannot set the visibility timeout", {"queue": "q", "error": "AccessDenied"}),
    )


def test_redrive_policies_of_queues(handler: Handler, tables: Any, queues: Any) -> None:
    """Each queue has its own, and its own URL; each call takes no longer than there is time."""
    calls: list[tuple[str, float]] = []

    def attributes(url: str, timeout: float) -> QueueAttributes:
        calls.append((url, timeout))
        return QueueAttributes(30, 3 if url.endswith("2:q") else 10)

    def change(url: str, messages: Any, timeout: float, change: Any = queues.change_visibility) -> Any:
        calls.append((url, timeout))
        return change(url, messages, timeout)

    def find(reference: str, timeout: float, find: Any = queues.url) -> Any:
        calls.append((reference, timeout))
        return find(reference, timeout)

    queues.attributes, queues.change_visibility, queues.url = attributes, change, find
    (record,) = event(2)["Records"]
    for account in ("1", "2"):
        tables.answers.append(GONE)
        handler({"Records": [record | {"eventSourceARN": f"arn:aws:sqs:eu-west-1:{account}:q"}]}, None)

    first, second = waits(queues)
    assert (70 <= first <= 88, second) == (True, 42_300)
    assert [url.rpartition("/")[2] for url, _ in calls] == [
        f"arn:aws:sqs:eu-west-1:{account}:q" for account in ("1", "1", "1", "2", "2", "2")
    ]
    assert all(0 < timeout <= 900 for _, timeout in calls)


@pytest.mark.parametrize(
    ("attributes", "bound"),
    [
        (QueueAttributes(30, 10), 70),
        (QueueAttributes(30, 0), 70),
        (QueueAttributes(30, 3), 42_300),
        (AwsFault("configuration", "AccessDenied", 403), 329),
    ],
)
def test_redrive_policy(
    handler: Handler, tables: Any, queues: Any, attributes: QueueAttributes | AwsFault, bound: int
) -> None:
    """The redrive policy is read once, in the first outage; without the permission five receives are assumed."""
    queues.found = attributes
    for _ in range(2):
        tables.answers.append(GONE)
        handler(event(2), None)

    reads = 2 if isinstance(attributes, AwsFault) else 1
    assert [bound <= wait <= bound * 1.25 + 1 for wait in waits(queues)] == [True, True]
    assert queues.attributes_read == reads


@pytest.mark.parametrize(
    ("milliseconds", "messages", "seconds"),
    [(600_000, 1, 600 - 0.2002), (600_000, 10_000, 600 - 2.2), (300, 1, 0.15), (None, 1, 900 - 0.2002)],
)
def test_time_of_calls(
    handler: Handler,
    queues: Any,
    monkeypatch: pytest.MonkeyPatch,
    milliseconds: int | None,
    messages: int,
    seconds: float,
) -> None:
    """A part of the time of an invocation is kept free of calls: for the log of each message, and the response."""
    times: list[float] = []

    def change_visibility(url: str, waits: Any, timeout: float) -> Any:
        times.append(timeout)
        return {}

    def url(reference: str, timeout: float, url: Any = queues.url) -> Any:
        times.append(timeout)
        return url(reference, timeout)

    queues.change_visibility, queues.url = change_visibility, url
    monkeypatch.setattr("router.lambda_handler.boottime", lambda: 50.0)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds) if milliseconds else None
    (record,) = event()["Records"]
    handler({"Records": [record | {"eventSourceARN": "arn:aws:sqs:eu-west-1:1:other"}] * messages}, context)

    assert times == pytest.approx([seconds] * 2)


def test_time_is_counted_from_the_start_of_an_invocation(
    handler: Handler, queues: Any, time_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading an event of many messages takes a while, which the calls do not have."""
    times: list[float] = []
    read = sys.modules["router.lambda_handler"].read_record

    def read_slowly(record: Any) -> Any:
        time_.now += 2
        return read(record)

    def url(reference: str, timeout: float, url: Any = queues.url) -> Any:
        times.append(timeout)
        return url(reference, timeout)

    queues.url = url
    monkeypatch.setattr("router.lambda_handler.boottime", time_)
    monkeypatch.setattr("router.lambda_handler.read_record", read_slowly)
    (record,) = event()["Records"]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 10_000)
    handler({"Records": [record | {"eventSourceARN": "arn:aws:sqs:eu-west-1:1:other"}] * 3}, context)

    assert times == pytest.approx([10 - 3 * 2 - 0.2006])
