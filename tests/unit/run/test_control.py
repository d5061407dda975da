"""The line between a worker and the process that started it."""

import os
import signal
import socket
import threading
from collections.abc import Iterator

import msgspec
import pytest

from router.run.control import QUESTION, Control
from router.run.state import State

SAID = State(alive=True, ready=False, totals={"router_batches_total": {"q": 2.0}})


@pytest.fixture
def line() -> Iterator[socket.socket]:
    """The other end of a worker's line."""
    ours, theirs = socket.socketpair()
    Control(theirs.detach()).serve(lambda: SAID)
    with ours:
        yield ours


@pytest.fixture
def terminated() -> Iterator[threading.Event]:
    """Whether this process has been sent SIGTERM."""
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: event.set())
    yield event
    signal.signal(signal.SIGTERM, before)


def test_answers(terminated: threading.Event, line: socket.socket) -> None:
    """Each question has an answer of one line."""
    line.sendall(QUESTION * 2)
    with line.makefile("rb") as answers:
        heard = [msgspec.json.decode(answers.readline(), type=State) for _ in range(2)]

    assert heard == [SAID, SAID]
    line.close()
    assert terminated.wait(10)


def test_ends_with_it(terminated: threading.Event, line: socket.socket) -> None:
    """Where the line ends, the worker is told to stop."""
    line.close()

    assert terminated.wait(10)


def test_is_not_handed_on(terminated: threading.Event) -> None:
    """What a plugin starts does not hold the line open."""
    ours, theirs = socket.socketpair()
    os.set_inheritable(theirs.fileno(), True)
    descriptor = theirs.detach()

    control = Control(descriptor)
    inheritable = os.get_inheritable(descriptor)
    control.serve(lambda: SAID)
    ours.close()

    assert (inheritable, terminated.wait(10)) == (False, True)
