"""A worker process and its parent: both ends of the control socket."""

import itertools
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from select import select
from typing import Any

import msgspec
import pytest

from router.runtime.run.monitoring import WorkerStatus
from router.runtime.run.supervisor import (
    QUESTION,
    QUESTION_SECONDS,
    RESTART_CAP,
    RESTART_SECONDS,
    SETTLED_SECONDS,
    SILENT_SECONDS,
    STOP,
    ChildProcess,
    ControlServer,
)
from tests.support.run import begun

TIMEOUT = 60.0
# Counts two batches, answers the first question, tells SIGHUPs, and ends if asked to: by 3 and the number of SIGHUPs.
# With "never", answers nothing. It waits for a moment at a time: Python notices a signal right before a wait after it.
SCRIPT = """
import select, signal, socket, sys, time
from router.model import Summary
from router.runtime.run.counters import Counters
option = lambda name: int(sys.argv[sys.argv.index(name) + 1])
line = socket.socket(fileno=option("--control"))
counters = Counters(option("--counters"))
code = 3
def reload(*_):
    global code
    code += 1
    line.sendall(b'{"ready": true}\\n')
signal.signal(signal.SIGHUP, reload)
if sys.argv[1] != "never" and line.recv(10):
    for _ in range(2):
        counters.record(Summary("q", {}, 0.0))
    line.sendall(b'{"alive": true}\\n')
    while not select.select([line], [], [], 0.1)[0] or b"!" not in line.recv(10):
        pass
    sys.exit(code)
time.sleep(60)
"""
CONTROL = """
import os, socket, sys, time
line = socket.socket(fileno=int(sys.argv[sys.argv.index("--control") + 1]))
"""
# Answers each question with the number of questions, and ends by that if asked to.
COUNTS = (
    CONTROL
    + """
asked = 0
while b"!" not in (received := line.recv(10)):
    asked += received.count(b"?")
    line.sendall(b'{"config": "%d"}\\n' % asked)
sys.exit(asked)
"""
)
# Reads nothing more after the first question.
DEAF = (
    CONTROL
    + """
line.recv(10)
line.shutdown(socket.SHUT_RD)
line.sendall(b"{}\\n")
time.sleep(60)
"""
)
LONG_ANSWER = (
    CONTROL
    + """
line.recv(10)
line.sendall(b'{"config": "' + 200_000 * b"c" + b'"}\\n')
line.recv(10)
"""
)
TOTALS = begun("q") | {"router_batches_total": {("q",): 2.0}}


@pytest.fixture
def make_child() -> Iterator[Callable[..., ChildProcess]]:
    """Makes a child of a script, which is killed after the test."""
    children: list[ChildProcess] = []

    def make(*script: str) -> ChildProcess:
        children.append(ChildProcess(3, [sys.executable, "-c", *script]))
        return children[-1]

    yield make
    for child in children:
        child.send(signal.SIGKILL)
    for child in children:
        wait_until(partial(has_ended, child))


@pytest.fixture
def child(make_child: Callable[..., ChildProcess], request: pytest.FixtureRequest) -> ChildProcess:
    """A child that answers its first question."""
    return make_child(SCRIPT, getattr(request, "param", "once"))


def wait_until(look: Callable[[], Any]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + TIMEOUT
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


def has_ended(child: ChildProcess) -> bool:
    """Poll a child, and return whether it has ended."""
    child.poll(0.0)
    return not child.pid


def has_answered(child: ChildProcess, now: float, config: str) -> bool:
    """Poll a child at a time, and return whether its last answer has a config."""
    child.poll(now)
    return child.status is not None and child.status.config == config


def wait_for(child: ChildProcess, look: Callable[[], Any]) -> list[int]:
    """Poll a child until a condition holds; returns the exit codes seen."""
    codes: list[int | None] = []
    end = time.monotonic() + TIMEOUT
    while not look():
        assert time.monotonic() < end
        codes += [child.poll(0.0), child.poll(1.0)]
        time.sleep(0.01)
    return [code for code in codes if code is not None]


def test_status(child: ChildProcess) -> None:
    """Its status is its last answer, and None before the first; it has a process group of its own."""
    child.start(0.0)
    before = child.status
    assert os.getpgid(child.pid) == child.pid

    wait_for(child, lambda: child.status)

    assert child.status is not None
    assert (before, child.status.alive, child.status.ready, child.totals()) == (None, True, False, TOTALS)


def test_exit(child: ChildProcess) -> None:
    """Its exit code is returned once, its totals are kept, and it is restarted after a delay."""
    child.start(0.0)
    wait_for(child, lambda: child.status)
    child.send(signal.SIGKILL)

    codes = wait_for(child, lambda: not child.pid)
    polled_again = child.poll(1.0)
    child.start(0.9 * RESTART_SECONDS)
    too_early = child.pid
    child.start(1.0 + RESTART_SECONDS)

    assert (codes, polled_again, child.status, child.totals(), too_early) == ([-9], None, None, TOTALS, 0)
    assert child.pid


def test_totals_of_successive_processes(child: ChildProcess) -> None:
    """The totals of a process are added to those of its former ones, while it runs and after it was killed."""
    seen = []
    clock = itertools.count(0.0, 1.0)

    def is_started() -> bool:
        child.start(next(clock))
        child.poll(next(clock))
        return child.status is not None

    for _ in range(2):
        wait_until(is_started)
        seen.append(child.totals()["router_batches_total"]["q",])
        child.send(signal.SIGKILL)
        wait_until(lambda: child.poll(next(clock)))
        seen.append(child.totals()["router_batches_total"]["q",])

    assert seen == [2.0, 2.0, 4.0, 4.0]


def test_restart_delay() -> None:
    """The delay doubles up to a limit with each exit, and is reset after a long run."""
    child = ChildProcess(0, ["false"])
    waits = []
    for lived in [1.0] * 9 + [SETTLED_SECONDS]:
        started, died = child.start_at, child.start_at + lived
        child.start(started)
        wait_until(partial(child.poll, died))
        waits.append(child.start_at - died)

    assert waits == [0.5, 1, 2, 4, 8, 16, 32, RESTART_CAP, RESTART_CAP, RESTART_SECONDS]


@pytest.mark.parametrize("child", ["never"], indirect=True)
def test_silence_while_starting(child: ChildProcess) -> None:
    """A child that is still starting is not silent."""
    child.start(0.0)
    child.poll(1.0)

    assert child.is_silent(SILENT_SECONDS + 1) is False


def test_silence_after_an_answer(child: ChildProcess) -> None:
    """A child that has answered and stops answering is silent after a while."""
    child.start(1000.0)
    wait_until(lambda: child.poll(1000.0) or child.status)
    child.poll(1002.0)

    assert (child.is_silent(1029.0), child.is_silent(1000.0 + SILENT_SECONDS)) == (False, True)


def test_questions(make_child: Callable[..., ChildProcess]) -> None:
    """A child is asked now and then, and not again before it has answered."""
    child = make_child(COUNTS)
    child.start(1000.0)

    for now, asked in ((1000.0, "1"), (1000.4, "1"), (1000.0 + QUESTION_SECONDS, "2")):
        wait_until(partial(has_answered, child, now, asked))
    child.stop()

    assert wait_for(child, lambda: not child.pid) == [2]


def test_long_answer(make_child: Callable[..., ChildProcess]) -> None:
    """An answer may come in parts."""
    child = make_child(LONG_ANSWER)
    child.start(0.0)

    wait_for(child, lambda: child.status)

    assert child.status == WorkerStatus(config=200_000 * "c")


def test_no_input(make_child: Callable[..., ChildProcess]) -> None:
    """A child has no part in the input of its parent: a process in the background must not read from a terminal."""
    child = make_child("import sys; sys.exit(len(sys.stdin.read()))")
    before = os.dup(0)
    with os.fdopen(os.memfd_create("input"), "w+b") as file:
        file.write(b"typed")
        file.seek(0)
        os.dup2(file.fileno(), 0)
        try:
            child.start(0.0)
        finally:
            os.dup2(before, 0)
            os.close(before)

    assert wait_for(child, lambda: not child.pid) == [0]


def test_reload_waits(child: ChildProcess) -> None:
    """SIGHUP is delayed until the child has started, since it would end a process that is starting; it comes once."""
    child.start(0.0)
    child.send(signal.SIGHUP)

    codes = wait_for(child, lambda: child.status and child.status.ready)
    child.poll(1.0)
    child.stop()

    assert (codes, wait_for(child, lambda: not child.pid)) == ([], [4])


@pytest.mark.parametrize(("child", "sent"), [("never", True), ("once", False)], indirect=["child"])
def test_stop(child: ChildProcess, sent: bool) -> None:
    """A child that has not started is stopped by SIGTERM, and one that has only by the control socket."""
    child.start(0.0)
    wait_for(child, lambda: sent or child.status)

    child.stop()

    assert wait_for(child, lambda: not child.pid) == [-signal.SIGTERM if sent else 3]


def test_stop_of_a_deaf_child(make_child: Callable[..., ChildProcess]) -> None:
    """One that has started, but does not read the control socket, is stopped by SIGTERM too."""
    child = make_child(DEAF)
    child.start(0.0)
    wait_for(child, lambda: child.status)

    child.stop()

    assert wait_for(child, lambda: not child.pid) == [-signal.SIGTERM]


def test_no_process(child: ChildProcess) -> None:
    """Without a process, polling and sending do nothing."""
    child.send(signal.SIGTERM)

    assert (child.poll(1.0), child.pid) == (None, 0)


def test_cannot_start(caplog: pytest.LogCaptureFixture) -> None:
    """If a process cannot be started, that is logged and retried after a delay."""
    child = ChildProcess(4, ["/no/such/program"])
    child.start(1.0)

    assert (child.pid, child.start_at, [entry.getMessage() for entry in caplog.records]) == (
        0,
        1.0 + RESTART_SECONDS,
        ["cannot start process 4: [Errno 2] No such file or directory: '/no/such/program'"],
    )


STATUS = WorkerStatus(alive=True, ready=False)


@pytest.fixture
def stopped() -> threading.Event:
    """Set when the worker is asked to stop."""
    return threading.Event()


@pytest.fixture
def connection(stopped: threading.Event) -> Iterator[socket.socket]:
    """The parent's end of a worker's control socket."""
    ours, theirs = socket.socketpair()
    ControlServer(theirs.detach()).start(lambda: STATUS, stopped.set)
    with ours:
        yield ours


def test_control_answers(stopped: threading.Event, connection: socket.socket) -> None:
    """Each question is answered with one line, by a thread that ends with the process."""
    connection.sendall(QUESTION * 2)
    with connection.makefile("rb") as answers:
        decoded = [msgspec.json.decode(answers.readline(), type=WorkerStatus) for _ in range(2)]

    assert (decoded, stopped.is_set()) == ([STATUS, STATUS], False)
    assert {thread.daemon for thread in threading.enumerate() if thread.name == "control"} == {True}


def test_control_stops(stopped: threading.Event, connection: socket.socket) -> None:
    """The parent asks for the stop of the worker, and still gets answers."""
    connection.sendall(STOP + QUESTION)

    with connection.makefile("rb") as answers:
        decoded = msgspec.json.decode(answers.readline(), type=WorkerStatus)

    assert (decoded, stopped.wait(60)) == (STATUS, True)


def test_control_ends_with_the_parent(stopped: threading.Event, connection: socket.socket) -> None:
    """When the parent's end is closed, the worker stops."""
    connection.close()

    assert stopped.wait(60)


def test_control_is_reset(stopped: threading.Event, connection: socket.socket) -> None:
    """When the parent ends before it has read an answer, the worker stops too."""
    connection.sendall(QUESTION)
    assert select([connection], [], [], 60)[0]
    connection.close()

    assert stopped.wait(60)


def test_control_is_not_inherited(stopped: threading.Event) -> None:
    """Processes that a plugin starts do not inherit the socket."""
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    descriptor = theirs.detach()

    server = ControlServer(descriptor)
    inheritable = os.get_inheritable(descriptor)
    server.start(lambda: STATUS, stopped.set)
    ours.close()

    assert (inheritable, stopped.wait(60)) == (False, True)
