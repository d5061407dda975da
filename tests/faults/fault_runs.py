"""Runs of the program, for the tests and the soak."""

import json
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from tests.faults.fault_model import QueueMessages, Watch
from tests.faults.fault_proxy import Call, HotKeys
from tests.faults.fault_rig import BATCH, Rig, RigFunction, RigWorker, lambda_record, wait_until

TIMEOUT = 120
"""Seconds for the processing of a wave."""
PAUSE_SECONDS = 5
"""Longer than the visibility timeout of three seconds: then other workers go on with the messages."""
HOT = r".*-0|[vcg]0"
"""The hot items of `run_hot`, one of each kind: messages that one item has alone, or with others, in groups or not."""
Report = Callable[[int], Any]
"""Receives the number of unprocessed messages of a wave."""


class Messages(Protocol):
    """The messages of a run: `Model` or `HostileModel`."""

    sent: int

    def wave(self, size: int) -> Iterator[QueueMessages]:
        """Yield the next wave."""

    def watch(self, rig: Rig) -> Watch:
        """Return what is looked at during a wave."""

    def count_lost(self, rig: Rig) -> int:
        """Count the messages that did not end as they should."""

    def count_duplicates(self, rig: Rig) -> int:
        """Count the effects that a message had twice."""

    def find_disorder(self, calls: Sequence[Call]) -> list[str]:
        """Return what happened out of order."""


def run_worker(rig: Rig, model: Messages, size: int, report: Report = lambda left: None) -> None:
    """Send a wave, and wait until a running worker has processed it."""
    watch = model.watch(rig)

    def look() -> bool:
        left = rig.left()
        report(left)
        watch.look()
        return not left

    _send(rig, model, size)
    wait_until(look, TIMEOUT, "the end of a wave")


def run_interrupted(
    rig: Rig,
    model: Messages,
    size: int,
    chance: random.Random,
    interrupt: Callable[[], Any],
    report: Report = lambda left: None,
) -> int:
    """Send a wave, interrupt the worker at a random point of it or after it, and return the number: one."""
    _send(rig, model, size)
    mark = chance.randrange(size // 8, size * 7 // 8)
    interrupted = 0
    watch = model.watch(rig)

    def look() -> bool:
        nonlocal interrupted
        left = rig.left()
        report(left)
        if not interrupted and left <= mark:
            interrupt()
            interrupted += 1
        watch.look()
        # A fast worker may have ended the wave since the first look, so that the next one interrupts it.
        return interrupted > 0 and not rig.left()

    wait_until(look, TIMEOUT, "the end of a wave")
    return interrupted


def run_paused(
    rig: Rig,
    workers: Sequence[RigWorker],
    model: Messages,
    size: int,
    chance: random.Random,
    report: Report = lambda left: None,
) -> int:
    """Send a wave to several workers, and return the number of pauses: one.

    One of the workers is paused at a random point of the wave, or, in a long poll, before it.
    """
    worker = chance.choice(workers)
    mark = chance.choice([size * 2, chance.randrange(size)])
    resumes_at = 0.0
    resumed = False
    watch = model.watch(rig)

    def pause() -> None:
        nonlocal resumes_at
        worker.pause()
        resumes_at = time.monotonic() + PAUSE_SECONDS

    def look() -> bool:
        nonlocal resumed
        left = rig.left()
        report(left)
        if not resumes_at and left <= mark:
            pause()
        if resumes_at and not resumed and time.monotonic() >= resumes_at:
            worker.resume()
            resumed = True
        watch.look()
        return resumed and not left

    if mark > size:
        pause()
    _send(rig, model, size)
    wait_until(look, TIMEOUT, "the end of a wave")
    return 1


def run_hot(rig: Rig, plan: HotKeys, model: Messages, size: int, report: Report = lambda left: None) -> int:
    """Send a wave, and throttle its hot items until all others are written; return the number of hot messages."""
    plan.hot = True
    sent = _send(rig, model, size)
    hot = sum(plan.matches(json.loads(body)["id"]) for _, bodies, _ in sent for body in bodies)
    watch = model.watch(rig)

    def left() -> int:
        number = rig.left()
        report(number)
        watch.look()
        return number

    wait_until(lambda: left() <= hot, TIMEOUT, "the messages beside the hot ones")
    assert left() == hot
    plan.hot = False
    wait_until(lambda: not left(), TIMEOUT, "the hot messages")
    return hot


def _send(rig: Rig, model: Messages, size: int) -> list[QueueMessages]:
    wave = list(model.wave(size))
    for queue, bodies, groups in wave:
        rig.send(queue, bodies, groups)
    return wave


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
