"""The visibility timeouts that the Lambda function sets."""

from collections.abc import Callable
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
