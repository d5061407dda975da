"""SQS by one call after another, as boto3's client makes them: none starts after its time."""

from collections.abc import Mapping
from typing import Any

from router.runtime.aws.protocols import OUT_OF_TIME
from router.runtime.aws.sqs import SqsQueues


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
