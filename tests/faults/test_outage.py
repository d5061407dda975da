"""An outage of a table: no valid message is moved to the dead-letter queue, and work goes on soon after its end."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.model import Table
from tests.faults.fault_proxy import FaultPlan, FaultProxy, Kind, fault_proxy
from tests.faults.fault_rig import FOLDER, Rig, RigFunction, lambda_record, running_function, running_worker, wait_until
from tests.support.dev import LocalAws, create_table

CONFIG = FOLDER / "outage" / "routes.yaml"
MESSAGES = 30
RECEIVES = 5
SECONDS = 25
"""The outage, shorter than the `outlast` of 60 seconds. Without it, eight receives are in it, one each 3 seconds."""
SOON_SECONDS = 50
"""Once the outage is over: the last probe was up to 5 seconds before, and a busy machine is slow."""
SOUND = FaultPlan(seed=0, rate=0)


class Throttled(FaultPlan):
    """Throttles each write."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0)

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return a fault for a write."""
        return "throttled" if operation == "BatchWriteItem" else None


def set_up(server: LocalAws, proxy: FaultProxy, name: str) -> Rig:
    """Create the queues, which move a message after RECEIVES receives, and send messages."""
    rig = Rig(server, proxy.endpoint, name, CONFIG, visibility=3)
    target = rig.sqs.get_queue_attributes(QueueUrl=rig.urls[f"{name}-dead"], AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": target["Attributes"]["QueueArn"], "maxReceiveCount": RECEIVES}
    for queue in rig.sources:
        rig.sqs.set_queue_attributes(QueueUrl=rig.urls[queue], Attributes={"RedrivePolicy": json.dumps(policy)})
    return rig


def bodies() -> list[str]:
    """Return the messages of a test."""
    return [json.dumps({"id": f"m{number}"}) for number in range(MESSAGES)]


def receives(proxy: FaultProxy) -> dict[str, int]:
    """Return how often each message was received."""
    counts: dict[str, int] = {}
    for call in proxy.journal.calls():
        if call.operation == "ReceiveMessage":
            for message in (call.answer or {}).get("Messages", ()):
                counts[message["Body"]] = counts.get(message["Body"], 0) + 1
    return counts


@pytest.mark.parametrize(("queue", "table"), [("orders", "items"), ("lost", "missing")])
def test_worker(ministack: LocalAws, name: str, tmp_path: Path, queue: str, table: str) -> None:
    """While the table throttles or is missing, a message is received once or twice; afterwards each is written.

    On a busy machine it may be received more often: then the worker is stopped for as long as it is invisible.
    """
    with fault_proxy(ministack.endpoint, Throttled() if table == "items" else SOUND) as proxy:
        rig = set_up(ministack, proxy, name)
        rig.send(queue, bodies())
        with running_worker(rig, tmp_path / "log", 4, "--queue", queue) as worker:
            time.sleep(SECONDS)
            used = receives(proxy).values()
            assert not rig.letters("dead")
            end_outage(rig, proxy, table)
            began = time.monotonic()
            wait_until(lambda: len(rig.items(table)) == MESSAGES, 2 * SOON_SECONDS, "all messages written")
            seconds = time.monotonic() - began
            wait_until(lambda: not rig.left(), 60, "an empty queue")
            lines = [line["message"] for line in worker.lines() if "outage" in line["message"]]
            assert (lines, worker.stop()) == (["an outage began", "the outage is over"], 0)

        assert not rig.letters("dead")
    assert (max(used) < RECEIVES, seconds < SOON_SECONDS) == (True, True), (used, seconds)


def end_outage(rig: Rig, proxy: FaultProxy, table: str) -> None:
    """Let the table take writes."""
    proxy.plan = SOUND
    if table == "missing":
        create_table(rig.dynamodb, Table(f"{rig.prefix}-missing", (("id", "S"),)), "")


def test_function(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """A function that is invoked with each visible message writes each after the outage, without a dead letter."""
    with fault_proxy(ministack.endpoint, Throttled()) as proxy:
        rig = set_up(ministack, proxy, name)
        rig.send("orders", bodies())
        with running_function(rig, tmp_path / "log") as function:
            poll = mapping(rig, function, f"{name}-orders")
            poll_until(lambda: False, SECONDS, poll)
            assert not rig.letters("dead")
            proxy.plan = SOUND
            poll_until(lambda: not rig.left(), 60, poll)

        assert (len(rig.items("items")), rig.letters("dead")) == (MESSAGES, [])


class ThrottledAndLost(Throttled):
    """Throttles each write, and loses the response to every second batch that is sent."""

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return a fault for a write or a send."""
        if operation != "SendMessageBatch":
            return super().next(operation, request)
        self._sent += 1
        return "lost" if self._sent % 2 else None


def test_function_that_postpones(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """Each message is written after the outage, by its copy, which nobody may have confirmed, or itself."""
    with fault_proxy(ministack.endpoint, ThrottledAndLost()) as proxy:
        rig = set_up(ministack, proxy, name)
        rig.send("orders", bodies())
        with running_function(rig, tmp_path / "log", wrapper="postponing.py") as function:
            poll = mapping(rig, function, f"{name}-orders")
            poll_until(lambda: False, SECONDS, poll)
            assert not rig.letters("dead")
            proxy.plan = SOUND
            poll_until(lambda: len(rig.items("items")) == MESSAGES and not rig.left(), 60, poll)

        assert (len(rig.items("items")), rig.letters("dead")) == (MESSAGES, [])
    sends = [call for call in proxy.journal.calls() if call.operation == "SendMessageBatch"]
    delays = {entry["DelaySeconds"] for call in sends for entry in call.request["Entries"]}
    assert (len(sends) > 10, delays <= {1, 2, 3}) == (True, True)


def mapping(rig: Rig, function: RigFunction, queue: str) -> Callable[[], None]:
    """Return what receives messages, invokes the function and deletes those that it does not return."""

    def poll() -> None:
        messages = rig.receive(queue)
        records = [lambda_record(message, queue) for message in messages]
        failed = function.invoke(records) if records else []
        for message in messages:
            if message["MessageId"] not in failed:
                rig.delete(queue, message)

    return poll


def poll_until(done: Callable[[], bool], seconds: float, poll: Callable[[], None]) -> None:
    """Poll for so many seconds, as the event source mapping does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not done():
        poll()
        time.sleep(0.2)
