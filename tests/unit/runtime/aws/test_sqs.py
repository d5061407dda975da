"""SQS by one call after another, as boto3's client makes them: none starts after its time."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import pytest

from router.runtime.aws.protocols import OUT_OF_TIME
from router.runtime.aws.sqs import ResponseMessage, SqsQueues, read_records


class SlowSqs:
    """Confirms each entry of a call, which takes a second; keeps the time-outs of the calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timeouts: list[float] = []

    def __call__(self, operation: str, request: Mapping[str, Any], timeout: float) -> Mapping[str, Any]:
        self.timeouts.append(timeout)
        self.now += 1
        return {"Successful": [{"Id": entry["Id"]} for entry in request["Entries"]]}


def test_calls_look_at_the_time() -> None:
    """Each call may take what is left of the time of all; messages of calls that were not made are reported."""
    sqs = SlowSqs()
    queues = SqsQueues(sqs, lambda: sqs.now)

    failed = queues.change_visibility("url", [(str(number), "handle", 9) for number in range(35)], 2.5)

    assert (sqs.timeouts, failed) == ([2.5, 1.5, 0.5], {str(number): OUT_OF_TIME for number in range(30, 35)})


def received(id_: str, **members: Any) -> ResponseMessage:
    """Return a message of a FIFO queue."""
    return ResponseMessage(id_, "handle", "{}", **{"attributes": {"SequenceNumber": "1"}, **members})


UNREADABLE_MESSAGES = [
    pytest.param(None, id="malformed"),
    pytest.param(received("damaged", md5="0" * 32), id="damaged"),
    pytest.param(received("odd", message_attributes={"a": {"BinaryValue": "?"}}), id="an odd attribute"),
]


@pytest.mark.parametrize("unreadable", UNREADABLE_MESSAGES)
def test_what_follows_an_unreadable_message_of_a_fifo_queue(unreadable: ResponseMessage | None) -> None:
    """It stays on the queue, too: it may be of the same message group, whose order holds."""
    found = read_records([received("a"), unreadable, received("b"), received("c")], b64decode)

    assert [each.message_id for each in found] == ["a"]


@pytest.mark.parametrize("unreadable", UNREADABLE_MESSAGES)
def test_what_follows_an_unreadable_message(unreadable: ResponseMessage | None) -> None:
    """A queue that is not FIFO has no order."""
    found = read_records([unreadable, received("b", attributes={}), received("c", attributes=None)], b64decode)

    assert [each.message_id for each in found] == ["b", "c"]
