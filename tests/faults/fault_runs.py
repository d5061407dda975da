"""Runs of the program that tests and soak share."""

import uuid
from collections.abc import Iterable
from typing import Any

from fault_model import Sending, Watch
from fault_rig import BATCH, Function, Rig, lambda_record


def feed_function(function: Function, rig: Rig, wave: Iterable[Sending], watch: Watch) -> int:
    """Give a wave to the function in batches, as Lambda does, until it reports no failure; how often it was called."""
    left: dict[str, list[dict[str, Any]]] = {}
    for queue, bodies, groups in wave:
        messages = [_message(body, group) for body, group in zip(bodies, groups or [""] * len(bodies), strict=True)]
        left[queue] = [lambda_record(message, f"{rig.prefix}-{queue}") for message in messages]
    calls = 0
    while left:
        for queue in list(left):
            batch, rest = left[queue][:BATCH], left[queue][BATCH:]
            failed = set(function.invoke(batch))
            # What failed comes before what has not been tried: on FIFO queues that is the order, elsewhere it may be.
            left[queue] = [_again(record) for record in batch if record["messageId"] in failed] + rest
            if not left[queue]:
                del left[queue]
            calls += 1
        watch.look()
    return calls


def _message(body: str, group: str) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1767323045678"}
    return {
        "MessageId": str(uuid.uuid4()),
        "ReceiptHandle": "none",
        "Body": body,
        "Attributes": attributes | ({"MessageGroupId": group} if group else {}),
    }


def _again(record: dict[str, Any]) -> dict[str, Any]:
    count = int(record["attributes"]["ApproximateReceiveCount"]) + 1
    return {**record, "attributes": {**record["attributes"], "ApproximateReceiveCount": str(count)}}
