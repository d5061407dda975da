"""One of several processes, as the one that started it sees it."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from router.run.children import RESTART_CAP, RESTART_SECONDS, SETTLED_SECONDS, SILENT_SECONDS, Child

PATIENCE = 20.0
# Answers once, and counts the reloads that it is told of; "never" answers nothing.
SCRIPT = """
import signal, socket, sys, time
line = socket.socket(fileno=int(sys.argv[sys.argv.index("--control") + 1]))
signal.signal(signal.SIGHUP, lambda *_: line.sendall(b'{"ready": true, "totals": {"reloads": {"q": 1}}}\\n'))
if sys.argv[1] != "never" and line.recv(10):
    line.sendall(b'{"alive": true, "totals": {"b": {"q": 2}}}\\n')
time.sleep(60)
"""


@pytest.fixture
def child(request: pytest.FixtureRequest) -> Iterator[Child]:
    """A child that answers its first question; it is gone afterwards."""
    child = Child(3, [sys.executable, "-c", SCRIPT, getattr(request, "param", "once")])
    yield child
    child.send(signal.SIGKILL)
    wait_for(child, lambda: not child.pid)


def wait_until(look: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end
        time.sleep(0.005)


def wait_for(child: Child, look: Callable[[], Any]) -> list[int]:
    """Look after a child until something is so; the exit codes that were seen meanwhile."""
    codes = []
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end
        code = child.look(0.0)
        codes += [] if code is None else [code]
        child.look(1.0)
        time.sleep(0.01)
    return codes


def test_says_how_it_is(child: Child) -> None:
    """What it answers is its state; before that it has none."""
    child.start(0.0)
    before = child.state

    wait_for(child, lambda: child.state)

    assert child.state is not None
    assert (before, child.state.alive, child.state.ready, child.state.totals) == (None, True, False, {"b": {"q": 2.0}})


def test_death(child: Child) -> None:
    """Its exit code is told once, what it has counted is kept, and it is started again after a while."""
    child.start(0.0)
    wait_for(child, lambda: child.state)
    child.send(signal.SIGKILL)

    codes = wait_for(child, lambda: not child.pid)
    told_again = child.look(1.0)
    child.start(0.9 * RESTART_SECONDS)
    too_early = child.pid
    child.start(1.0 + RESTART_SECONDS)

    assert (codes, told_again, child.state, child.lost, too_early) == ([-9], None, None, {"b": {"q": 2.0}}, 0)
    assert child.pid


def test_waits_longer_each_time() -> None:
    """Each time it dies it is started later, up to a bound; once it has run for long, that begins anew."""
    child = Child(0, ["false"])
    waits = []
    for lived in [1.0] * 9 + [SETTLED_SECONDS]:
        started, died = child.start_at, child.start_at + lived
        child.start(started)
        wait_until(lambda died=died: child.look(died))
        waits.append(child.start_at - died)

    assert waits == [0.5, 1, 2, 4, 8, 16, 32, RESTART_CAP, RESTART_CAP, RESTART_SECONDS]


@pytest.mark.parametrize("child", ["never"], indirect=True)
def test_silence(child: Child) -> None:
    """One that has started and does not answer for long hangs; one that is still starting does not."""
    child.start(0.0)
    child.look(1.0)

    assert child.is_silent(SILENT_SECONDS + 1) is False


def test_silence_after_an_answer(child: Child) -> None:
    """Once it has answered, it must go on to."""
    child.start(0.0)
    wait_for(child, lambda: child.state)
    child.look(2.0)

    assert (child.is_silent(SILENT_SECONDS - 1), child.is_silent(SILENT_SECONDS + 2)) == (False, True)


def test_reload_waits(child: Child) -> None:
    """SIGHUP would end one that is just starting: it is told when it has."""
    child.start(0.0)
    child.send(signal.SIGHUP)

    codes = wait_for(child, lambda: child.state and child.state.ready)

    assert (codes, child.state and child.state.totals) == ([], {"reloads": {"q": 1.0}})


def test_nothing_to_tell(child: Child) -> None:
    """While there is no process, there is none to look at or to tell something."""
    child.send(signal.SIGTERM)

    assert (child.look(1.0), child.pid) == (None, 0)


def test_cannot_be_started(caplog: pytest.LogCaptureFixture) -> None:
    """Where the system starts no process, that is said, and tried again after a while."""
    child = Child(4, ["/no/such/program"])
    child.start(1.0)

    assert (child.pid, child.start_at, [entry.getMessage() for entry in caplog.records]) == (
        0,
        1.0 + RESTART_SECONDS,
        ["cannot start process 4: [Errno 2] No such file or directory: '/no/such/program'"],
    )
