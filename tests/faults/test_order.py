"""A FIFO queue whose worker loses the lease of a message while another worker goes on with its group."""

import json
import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fault_model import Model, check_tables
from tests.faults.fault_proxy import FaultPlan, FaultProxy, Kind, fault_proxy
from tests.faults.fault_rig import Rig, running_worker, wait_until
from tests.faults.fault_runs import PAUSE_SECONDS, run_paused
from tests.faults.fifo_history import find_violations, read_history
from tests.support.dev import LocalAws

OPTIONS = ("--queue", "groups", "--wait", "2")
NUMBERS = 3
DELAY = 7
"""Seconds; two such writes take longer than a visibility timeout of 12 seconds, and each less than its time."""


class Polls(FaultPlan):
    """Notes when a receive begins, and injects `fault` into each receive."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0)
        self.begun = threading.Event()
        self.fault: Kind | None = None

    def next(self, operation: str, request: Any) -> Kind | None:
        """Return the fault of a receive."""
        if operation != "ReceiveMessage":
            return None
        self.begun.set()
        return self.fault

    def wait(self) -> None:
        """Wait until the next receive begins."""
        self.begun.clear()
        assert self.begun.wait(60)


def send(rig: Rig) -> None:
    """Send the messages of one group."""
    rig.send("groups.fifo", [f'{{"id": "g", "number": {number}}}' for number in range(NUMBERS)], ["g"] * NUMBERS)


def latest(rig: Rig) -> int:
    """Return the number that is stored for the group, -1 if none is."""
    return int(next((item["number"] for item in rig.items("latest")), -1))


def violations(proxy: FaultProxy) -> list[str]:
    """Return what is wrong with the writes of the group; a message that was received again may be written again."""
    return find_violations(read_history({"g": list(range(NUMBERS))}, proxy.journal.calls(), "latest"))


def work_beside(rig: Rig, log: Path, seconds: float) -> None:
    """Run another worker until it has written the whole group, or until its time is up."""
    with running_worker(rig, log, 1, *OPTIONS) as other:
        end = time.monotonic() + seconds
        while latest(rig) != NUMBERS - 1 and time.monotonic() < end:
            time.sleep(0.05)
        assert other.stop() == 0


@pytest.mark.parametrize("transport", ["direct", "boto3"])
@pytest.mark.parametrize("lowered", [False, True], ids=["", "lowered"])
def test_pause(ministack: LocalAws, name: str, tmp_path: Path, transport: str, lowered: bool) -> None:
    """A worker that was paused during a long poll, for longer than the visibility timeout, writes nothing old.

    If the visibility timeout of the queue was lowered meanwhile, the one that the worker counts on is still kept.
    """
    polls = Polls()
    with fault_proxy(ministack.endpoint, polls) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=20 if lowered else 2, transport=transport)
        with running_worker(rig, tmp_path / "paused", 1, *OPTIONS) as first:
            if lowered:
                rig.set_visibility("groups.fifo", 1)
            polls.wait()
            first.pause()
            send(rig)
            work_beside(rig, tmp_path / "other", seconds=4)
            first.resume()
            wait_until(lambda: not rig.left(), 60, "an empty queue")
            assert first.stop() == 0

    assert (latest(rig), violations(proxy)) == (NUMBERS - 1, [])


def test_dripping_response(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """Neither does a worker that receives the messages in small pieces, for longer than the visibility timeout."""
    polls = Polls()
    with fault_proxy(ministack.endpoint, polls) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=2)
        with running_worker(rig, tmp_path / "first", 1, *OPTIONS) as first:
            polls.fault = "dripping"
            polls.wait()
            send(rig)
            polls.fault = None
            work_beside(rig, tmp_path / "other", seconds=6)
            wait_until(lambda: not rig.left(), 60, "an empty queue")
            assert first.stop() == 0

    assert (latest(rig), violations(proxy)) == (NUMBERS - 1, [])


def test_two_workers(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """Two workers, one of which is paused while they work, keep the order of each group and lose nothing."""
    model = Model(8)
    with fault_proxy(ministack.endpoint, FaultPlan(seed=0, rate=0)) as proxy:
        rig = Rig(ministack, proxy.endpoint, name)
        with running_worker(rig, tmp_path / "one") as one, running_worker(rig, tmp_path / "two") as two:
            run_paused(rig, [one, two], model, 100, random.Random(8))

        check_tables(model, rig)
        assert model.find_disorder(proxy.journal.calls()) == []


def test_four_workers(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """Four workers share one queue while calls break and one is paused in a long poll: each group keeps its order."""
    groups = {f"g{number}": list(range(12)) for number in range(8)}
    messages = [(group, number) for number in range(12) for group in groups]
    with fault_proxy(ministack.endpoint, FaultPlan(seed=4, rate=0.1)) as proxy, ExitStack() as stack:
        rig = Rig(ministack, proxy.endpoint, name)
        logs = [tmp_path / str(number) for number in range(4)]
        workers = [stack.enter_context(running_worker(rig, log, 1, *OPTIONS)) for log in logs]
        workers[0].pause()
        rig.send(
            "groups.fifo",
            [json.dumps({"id": group, "number": number}) for group, number in messages],
            [group for group, _ in messages],
        )
        time.sleep(PAUSE_SECONDS)
        workers[0].resume()
        wait_until(lambda: not rig.left(), 120, "an empty queue")
        assert [worker.stop() for worker in workers] == [0] * 4
        shares = [
            sum(line["counts"].get("written", 0) for line in worker.lines() if line["message"] == "batch done")
            for worker in workers
        ]
        history = read_history(groups, proxy.journal.calls(), "latest")

    assert find_violations(history) == []
    assert {item["id"]: int(item["number"]) for item in rig.items("latest")} == dict.fromkeys(groups, 11)
    assert sum(share > 0 for share in shares) > 1, shares


class SlowWrites(FaultPlan):
    """Delays each write, of which the first fails, and each renewal of one queue for much longer."""

    def __init__(self) -> None:
        super().__init__(seed=0, rate=0)
        self.end = threading.Event()
        self.renewals = 0
        self._failed: set[str] = set()

    def next(self, operation: str, request: Any) -> Kind | None:
        """Wait, and return the fault."""
        if operation == "ChangeMessageVisibilityBatch" and request["QueueUrl"].endswith("-puts"):
            self.renewals += 1
            self.end.wait(60)
        elif operation in ("BatchWriteItem", "PutItem"):
            self.end.wait(DELAY)
            if operation not in self._failed:
                self._failed.add(operation)
                return "unavailable"
        return None


def test_a_renewal_that_hangs(ministack: LocalAws, name: str, tmp_path: Path) -> None:
    """It delays no other: the message of another queue is received once, though its writes outlast the timeout."""
    slow = SlowWrites()
    with fault_proxy(ministack.endpoint, slow) as proxy:
        rig = Rig(ministack, proxy.endpoint, name, visibility=12)
        queues = ("--queue", "puts", "--queue", "inserts")
        with running_worker(rig, tmp_path / "log", 1, *queues, hasty=False):
            for queue in ("puts", "inserts"):
                rig.send(queue, ['{"id": "a"}'])
            wait_until(lambda: rig.items("inserts"), 60, "the other queue's message")
            wait_until(lambda: not rig.left([f"{name}-inserts"]), 60, "its delete")
            slow.end.set()

    received = [
        call.request["QueueUrl"].rpartition("-")[2]
        for call in proxy.journal.calls()
        if call.operation == "ReceiveMessage" and (call.answer or {}).get("Messages")
    ]
    assert (slow.renewals > 0, received.count("inserts")) == (True, 1)
