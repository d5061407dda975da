"""The supervisor, with scripts in place of workers."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

import pytest

from router.runtime.run.monitoring import WorkerStatus
from router.runtime.run.supervisor import KILL_SECONDS, Supervisor
from tests.support.run import begun

GRACE = 100.0
"""Seconds, so that a busy machine does not kill a child."""
# Answers each question; on the parent's request ends by the given behaviour, or does not. The second one may be stuck,
# end by itself, or be starting for long. A number is an exit code: all end by it at once.
SCRIPT = """
import json, signal, socket, sys, time
from router.model import Summary
from router.runtime.run.counters import Counters
option = lambda name: int(sys.argv[sys.argv.index(name) + 1])
number = option("--number")
config = f"c{number}"
def reload(*_):
    global config
    config += " reloaded"
starting = sys.argv[1] == "starting" and number == 1
signal.signal(signal.SIGTERM, signal.SIG_DFL if starting else signal.SIG_IGN)
signal.signal(signal.SIGHUP, reload)
if sys.argv[1].isdigit():
    sys.exit(int(sys.argv[1]))
line = socket.socket(fileno=option("--control"))
Counters(option("--counters")).record(Summary("q", {"written": 2}, 0.0))
if starting:
    signal.pause()
while received := line.recv(10):
    if b"!" in received and sys.argv[1] != "deaf":
        time.sleep(0.3 if sys.argv[1] == "slow" else 0.0)
        sys.exit(1 if sys.argv[1] == "unfinished" else 0)
    alive = sys.argv[1] != "stuck" or number != 1
    status = {"alive": alive, "ready": True, "config": config, "paused": ["q", f"q{number}"]}
    line.sendall(json.dumps(status).encode() + b"\\n")
    if sys.argv[1] == "ends" and number == 1:
        line.recv(10)
        sys.exit(7)
"""


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Signal handlers are restored after the test."""
    handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in handled}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def wait_until(look: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + GRACE
    while not look():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def supervise(caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """Run two processes until they are ready, and stop them; returns the exit code and the status."""

    def run(
        how: str, grace: float = GRACE, listen: str = "", look: Callable[[Supervisor], Any] = lambda supervisor: None
    ) -> tuple[int, list[Any]]:
        log: Any = SimpleNamespace(blocked=False, dropped=0)
        supervisor = Supervisor([sys.executable, "-c", SCRIPT, how], 2, grace, listen, log)
        seen: list[Any] = []

        def stop() -> None:
            try:
                wait_until(lambda: supervisor.status().ready or how == "starting")
                seen.extend((supervisor.status(), supervisor.totals(), look(supervisor)))
            finally:
                os.kill(os.getpid(), signal.SIGTERM)

        stopper = threading.Thread(target=stop)
        if not how.isdigit():
            stopper.start()
        with caplog.at_level(logging.INFO, "router"):
            code = supervisor.run()
        if not how.isdigit():
            stopper.join()
        return code, seen

    return run


def test_combined_status(supervise: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Together they are ready when both are; their totals are added, and each config and queue is named once."""
    code, (status, totals, _) = supervise("well")

    assert (code, status) == (0, WorkerStatus(True, True, False, "c0,c1", ("q", "q0", "q1")))
    counted = {"router_messages_written_total": {("q",): 4.0}, "router_batches_total": {("q",): 2.0}}
    assert totals == begun("q") | counted
    assert [(entry.getMessage(), entry.__dict__.get("fields")) for entry in caplog.records] == [
        ("processes started", {"processes": 2}),
        ("stopping the processes", None),
        ("processes stopped", {"finished": True}),
    ]


def test_one_is_stuck(supervise: Any) -> None:
    """If one of them is, they are not alive together."""
    _, (status, _, _) = supervise("stuck")

    assert (status.alive, status.ready) == (False, True)


def test_pages(supervise: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Health and metrics are those of all processes."""

    def get(supervisor: Supervisor) -> list[str]:
        (port,) = [entry.__dict__["fields"]["port"] for entry in caplog.records if entry.msg == "listening"]
        pages = []
        for path in ("/healthz", "/metrics"):
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", path)
            pages.append(connection.getresponse().read().decode())
            connection.close()
        return pages

    _, (_, _, (health, metrics)) = supervise("well", listen="127.0.0.1:0", look=get)

    assert health == "ok\nconfig c0,c1\npaused q\npaused q0\npaused q1\n"
    assert 'router_messages_written_total{queue="q",service="message-router"} 4.0' in metrics.splitlines()


def test_reload(supervise: Any) -> None:
    """SIGHUP reaches all processes, which go on."""

    def reload(supervisor: Supervisor) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        wait_until(lambda: supervisor.status().config == "c0 reloaded,c1 reloaded")

    code, seen = supervise("well", look=reload)

    assert (code, len(seen)) == (0, 3)


def test_restart(supervise: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A process that ends is started again; the counts of its predecessor are kept."""

    def wait(supervisor: Supervisor) -> None:
        wait_until(lambda: supervisor.totals()["router_messages_written_total"]["q",] >= 6)

    _, seen = supervise("ends", look=wait)

    ended = [entry.__dict__["fields"] for entry in caplog.records if entry.getMessage() == "process ended"]
    assert (len(seen), ended[0]) == (3, {"process": 1, "exit_code": 7})


def test_own_log() -> None:
    """The log of the parent counts too: whether it is blocked, and its lines that were dropped."""
    logs: list[Any] = [SimpleNamespace(blocked=False, dropped=0), SimpleNamespace(blocked=True, dropped=3)]
    parents = [Supervisor(["false"], 2, GRACE, "", log) for log in logs]

    assert [each.status() for each in parents] == [
        WorkerStatus(alive=True, ready=False, log_blocked=blocked) for blocked in (False, True)
    ]
    assert [each.totals() for each in parents] == [{}, {"router_log_lines_dropped_total": {("",): 3.0}}]


@pytest.mark.parametrize(
    ("how", "grace", "finished"), [("unfinished", GRACE, False), ("deaf", -KILL_SECONDS, False), ("slow", 0.0, True)]
)
def test_unfinished(
    supervise: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    grace: float,
    finished: bool,
) -> None:
    """If a process did not finish, or was killed, the exit code is 1; it is killed some time after its grace period."""
    monkeypatch.setattr("router.runtime.run.supervisor.boottime", lambda: 1000.0)

    code, _ = supervise(how, grace)

    assert (code, caplog.records[-1].__dict__["fields"]) == (0 if finished else 1, {"finished": finished})


def test_stopped_while_starting(supervise: Any) -> None:
    """A process that is still starting has nothing to finish: SIGTERM ends it, and the exit code is 0."""

    def wait(supervisor: Supervisor) -> None:
        wait_until(lambda: supervisor.totals().get("router_messages_written_total") == {("q",): 4.0})

    code, seen = supervise("starting", look=wait)

    assert (code, len(seen), seen[0].ready) == (0, 3, False)


@pytest.mark.parametrize("code", [2, 0])
def test_first_cannot_start(supervise: Any, caplog: pytest.LogCaptureFixture, code: int) -> None:
    """If the first ends before it has started, no other is started, and its exit code is returned."""
    returned, _ = supervise(str(code))

    assert (returned, [entry.getMessage() for entry in caplog.records]) == (code, [])
