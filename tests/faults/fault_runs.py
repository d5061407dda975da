"""Runs of the program, for the tests and the soak."""

import random
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from tests.faults.fault_model import Model, QueueMessages, Watch
from tests.faults.fault_rig import BATCH, Rig, RigFunction, RigWorker, lambda_record, wait_until

TIMEOUT = 120
"""Seconds for the processing of a wave."""
Report = Callable[[int], Any]
"""Receives the number of unprocessed messages of a wave."""


def run_worker(rig: Rig, model: Model, size: int, report: Report = lambda left: None) -> None:
    """Send a wave, and wait until a running worker has processed it."""
    watch = Watch(rig)

    def look() -> bool:
        left = rig.left()
        report(left)
        watch.look()
        return not left

    _send(rig, model, size)
    wait_until(look, TIMEOUT, "the end of a wave")


def run_interrupted(
    rig: Rig,
    worker: RigWorker,
    model: Model,
    size: int,
    chance: random.Random,
    end: Callable[[], Any],
    report: Report = lambda left: None,
) -> int:
    """Send a wave, end and restart the worker at a random point of it, and return the number of restarts."""
    _send(rig, model, size)
    mark = chance.randrange(size // 8, size * 7 // 8)
    ended = 0
    watch = Watch(rig)

    def look() -> bool:
        nonlocal ended
        left = rig.left()
        report(left)
        if not ended and left <= mark:
            end()
            ended += 1
            worker.start()
        watch.look()
        return not rig.left()

    wait_until(look, TIMEOUT, "the end of a wave")
    return ended


def _send(rig: Rig, model: Model, size: int) -> None:
    for queue, bodies, groups in model.wave(size):
        rig.send(queue, bodies, groups)


def feed_function(function: RigFunction, rig: Rig, wave: Iterable[QueueMessages], watch: Watch) -> int:
    """Invoke the function with batches of a wave, as Lambda does, until none fails; return the number of calls."""
    left: dict[str, list[dict[str, Any]]] = {}
    for queue, bodies, groups in wave:
        messages = [_message(body, group) for body, group in zip(bodies, groups or [""] * len(bodies), strict=True)]
        left[queue] = [lambda_record(message, f"{rig.prefix}-{queue}") for message in messages]
    calls = 0
    while left:
        for queue in list(left):
            batch, rest = left[queue][:BATCH], left[queue][BATCH:]
            failed = set(function.invoke(batch))
            # Failed records come before untried ones: a FIFO queue requires that order, other queues allow it.
            left[queue] = [_again(record) for record in batch if record["messageId"] in failed] + rest
            if not left[queue]:
                del left[queue]
            calls += 1
        watch.look()
    return calls


def _message(body: str, group: str) -> dict[str, Any]:
    # Sent now: a marker expires 15 days later, and the server deletes expired items.
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(time.time_ns() // 1_000_000)}
    return {
        "MessageId": str(uuid.uuid4()),
        "ReceiptHandle": "none",
        "Body": body,
        "Attributes": attributes | ({"MessageGroupId": group} if group else {}),
    }


def _again(record: dict[str, Any]) -> dict[str, Any]:
    count = int(record["attributes"]["ApproximateReceiveCount"]) + 1
    return {**record, "attributes": {**record["attributes"], "ApproximateReceiveCount": str(count)}}
