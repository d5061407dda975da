"""The supervisor, with scripts in place of workers."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from router.run.monitoring import WorkerStatus
from router.run.supervisor import KILL_SECONDS, Supervisor

GRACE = 100.0
"""Seconds, so that a busy machine does not kill a child."""
# Answers each question; on the parent's request ends by the given behaviour, or does not.
SCRIPT = """
import json, signal, socket, sys
from router.model import Summary
from router.run.counters import QueueCounters
option = lambda name: int(sys.argv[sys.argv.index(name) + 1])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] == "broken":
    sys.exit(2)
line = socket.socket(fileno=option("--control"))
QueueCounters(option("--counters")).record(Summary("q", {"written": 2}, 0.0))
while received := line.recv(10):
    if b"!" in received and sys.argv[1] != "deaf":
        sys.exit(1 if sys.argv[1] == "unfinished" else 0)
    number = option("--number")
    status = {"alive": True, "ready": True, "config": f"c{number}", "paused": ["q", f"q{number}"]}
    line.sendall(json.dumps(status).encode() + b"\\n")
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signal handlers are restored after the test."""
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in handled}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def supervise(caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """Run two processes until they are ready, and stop them; returns the exit code and the status."""

    def run(how: str, grace: float = GRACE) -> tuple[int, list[Any]]:
        supervisor = Supervisor([sys.executable, "-c", SCRIPT, how], 2, grace, "")
        seen: list[Any] = []

        def stop() -> None:
            while not supervisor.status().ready:
                time.sleep(0.01)
            seen.extend((supervisor.status(), supervisor.totals()))
            os.kill(os.getpid(), signal.SIGTERM)

        stopper = threading.Thread(target=stop)
        if how != "broken":
            stopper.start()
        with caplog.at_level(logging.INFO, "router"):
            code = supervisor.run()
        if how != "broken":
            stopper.join()
        return code, seen

    return run


def test_combined_status(supervise: Any) -> None:
    """Together they are ready when both are; their totals are added, and each config and queue is named once."""
    code, (status, totals) = supervise("well")

    assert (code, status) == (0, WorkerStatus(True, True, False, "c0,c1", ("q", "q0", "q1")))
    assert totals == {"router_messages_written_total": {"q": 4.0}, "router_batches_total": {"q": 2.0}}


def test_own_log() -> None:
    """The log of the parent counts too: whether it is blocked, and its lines that were dropped."""
    logs: list[Any] = [None, SimpleNamespace(blocked=False, dropped=0), SimpleNamespace(blocked=True, dropped=3)]
    parents = [Supervisor(["false"], 2, GRACE, "", log) for log in logs]

    assert [each.status() for each in parents] == [
        WorkerStatus(alive=True, ready=False, log_blocked=blocked) for blocked in (False, False, True)
    ]
    assert [each.totals() for each in parents] == [{}, {}, {"router_log_lines_dropped_total": {"": 3.0}}]


@pytest.mark.parametrize(("how", "grace"), [("unfinished", GRACE), ("deaf", -KILL_SECONDS)])
def test_unfinished(supervise: Any, caplog: pytest.LogCaptureFixture, how: str, grace: float) -> None:
    """If a process did not finish, or was killed, the exit code is 1."""
    code, _ = supervise(how, grace)

    assert (code, caplog.records[-1].__dict__["fields"]) == (1, {"finished": False})


def test_first_cannot_start(supervise: Any, caplog: pytest.LogCaptureFixture) -> None:
    """If the first cannot start, no other is started, and its exit code is returned."""
    code, _ = supervise("broken")

    assert (code, [entry.getMessage() for entry in caplog.records]) == (2, [])
