"""The supervisor, with scripts in place of workers."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.run.supervisor import KILL_SECONDS, Supervisor

TIMEOUT = 20.0
# Answers each question; on the parent's request ends by the given behaviour, or does not.
SCRIPT = """
import signal, socket, sys
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
    line.sendall(b'{"alive": true, "ready": true}\\n')
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

    def run(how: str, grace: float = TIMEOUT) -> tuple[int, list[Any]]:
        supervisor = Supervisor([sys.executable, "-c", SCRIPT, how], 2, grace, "")
        seen: list[Any] = []

        def stop() -> None:
            end = time.monotonic() + TIMEOUT
            while not supervisor.status().ready and time.monotonic() < end:
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
    """Together they are ready when both are, and their totals are added."""
    code, (status, totals) = supervise("well")

    assert (code, status.alive, status.ready, totals) == (
        0,
        True,
        True,
        {"router_messages_written_total": {"q": 4.0}, "router_batches_total": {"q": 2.0}},
    )


@pytest.mark.parametrize(("how", "grace"), [("unfinished", TIMEOUT), ("deaf", -KILL_SECONDS)])
def test_unfinished(supervise: Any, caplog: pytest.LogCaptureFixture, how: str, grace: float) -> None:
    """If a process did not finish, or was killed, the exit code is 1."""
    code, _ = supervise(how, grace)

    assert (code, caplog.records[-1].__dict__["fields"]) == (1, {"finished": False})


def test_first_cannot_start(supervise: Any, caplog: pytest.LogCaptureFixture) -> None:
    """If the first cannot start, no other is started, and its exit code is returned."""
    code, _ = supervise("broken")

    assert (code, [entry.getMessage() for entry in caplog.records]) == (2, [])
