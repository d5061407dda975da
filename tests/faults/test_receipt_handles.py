"""The proxy refuses receipt handles that are over, as AWS does on FIFO queues."""

from typing import Any

import pytest

from tests.faults.receipt_handles import ReceiptHandles, refused

URL = "https://queues/q.fifo"
DELETE = {"QueueUrl": URL, "Entries": [{"Id": "0", "ReceiptHandle": "h"}, {"Id": "1", "ReceiptHandle": "unknown"}]}


@pytest.fixture
def handles() -> ReceiptHandles:
    """A handle that was received at 10 for 5 seconds."""
    received = ReceiptHandles()
    received.note("ReceiveMessage", {"VisibilityTimeout": 5}, {"Messages": [{"ReceiptHandle": "h"}]}, 10.0)
    return received


@pytest.mark.parametrize(("moment", "over"), [(15.0, []), (15.1, ["0"])])
def test_over(handles: ReceiptHandles, moment: float, over: list[str]) -> None:
    """After its time a handle is refused; an unknown one is left to the server."""
    passed, failed = handles.split("DeleteMessageBatch", DELETE, moment)

    assert ([each["Id"] for each in failed], [each["Id"] for each in refused(failed)], len(passed)) == (
        over,
        over,
        2 - len(over),
    )


def test_extended(handles: ReceiptHandles) -> None:
    """A change of the visibility timeout that the server made counts from then on, and one that failed does not."""
    change: dict[str, Any] = {"Entries": [{"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 30}]}
    handles.note("ChangeMessageVisibilityBatch", change, {"Failed": [{"Id": "0"}]}, 12.0)
    before = handles.split("DeleteMessageBatch", DELETE, 20.0)[1]
    handles.note("ChangeMessageVisibilityBatch", change, {"Successful": [{"Id": "0"}]}, 12.0)

    assert (len(before), handles.split("DeleteMessageBatch", DELETE, 20.0)[1]) == (1, [])


def test_standard_queues(handles: ReceiptHandles) -> None:
    """On standard queues a handle stays valid."""
    assert handles.split("DeleteMessageBatch", {**DELETE, "QueueUrl": "https://queues/q"}, 99.0) == ([], [])
