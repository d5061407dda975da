"""Threads that take turns: one works at a time, and hands over where it waits."""

import threading
import time
from collections.abc import Callable

import pytest

from router.aws.run_lock import Turns, away

GRACE = 5.0
"""Seconds; nobody needs so long where it is their turn …"""
PATIENCE = 60.0
"""… and nobody works before its turn, where all are so patient."""


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody works before its turn."""
    monkeypatch.setattr("router.aws.run_lock.PATIENCE_SECONDS", PATIENCE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for its turn."""
    monkeypatch.setattr("router.aws.run_lock.PATIENCE_SECONDS", 0.0)


def ended(thread: threading.Thread, seconds: float = GRACE) -> bool:
    """Whether a thread ends in so many seconds."""
    thread.join(seconds)
    return not thread.is_alive()


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def start(turns: Turns) -> Callable[[Callable[[], object]], threading.Thread]:
    """Start a thread that does something in its turn."""

    def begin(act: Callable[[], object]) -> threading.Thread:
        def work() -> None:
            with turns:
                act()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    return begin


@pytest.mark.usefixtures("patient")
def test_one_at_a_time(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Another thread works while this one is away, and neither before nor after that."""
    done: list[str] = []
    with turns:
        other = start(lambda: done.append("other"))
        done.append("before")
        with away:
            assert ended(other)
        done.append("after")

    assert done == ["before", "other", "after"]


@pytest.mark.usefixtures("patient")
def test_back_in_its_turn(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Who was away waits until the other one is."""
    done: list[str] = []
    taken = threading.Event()

    def act() -> None:
        taken.set()
        time.sleep(0.05)
        done.append("other")

    with turns:
        with away:
            other = start(act)
            assert taken.wait(GRACE)
        done.append("back")
    assert (ended(other), done) == (True, ["other", "back"])


@pytest.mark.usefixtures("patient")
def test_handed_over_at_the_end(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Who leaves, by an error too, hands over."""
    done: list[str] = []
    with pytest.raises(ValueError, match="mine"), turns:
        raise ValueError("mine")

    assert (ended(start(lambda: done.append("other"))), done) == (True, ["other"])


@pytest.mark.usefixtures("impatient")
def test_nobody_waits_for_long(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Where it is not handed over, others work all the same, and leave the turn to whose it is."""
    done: list[str] = []

    def act() -> None:
        with away:
            done.append("away")
        done.append("back")

    with turns:
        assert ended(start(act))
        assert ended(start(act))

    assert done == ["away", "back"] * 2


def test_waited_for_once(turns: Turns, start: Callable[..., threading.Thread], monkeypatch: pytest.MonkeyPatch) -> None:
    """While one keeps it, the others wait for it once and not at each of their own turns; then they wait again."""
    monkeypatch.setattr("router.aws.run_lock.PATIENCE_SECONDS", 0.2)

    def act() -> None:
        for _ in range(100):
            with away:
                pass

    with turns:
        began = time.monotonic()
        assert ended(start(act))
        assert time.monotonic() - began < 2  # and not 20
    monkeypatch.setattr("router.aws.run_lock.PATIENCE_SECONDS", PATIENCE)
    assert ended(start(act))
    with turns:
        other = start(lambda: None)
        assert not ended(other, 0.2)
    assert ended(other)


@pytest.mark.usefixtures("patient")
def test_away_while_away(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Who is away may be so twice, and has its turn after that, and once."""
    done: list[str] = []
    with turns:
        with away, away:
            pass
        other = start(lambda: done.append("other"))
        assert (ended(other, 0.2), done) == (False, [])
    assert ended(other)


def test_away_without_turns() -> None:
    """A thread that takes none may be away too."""
    done = []
    with away:
        done.append("away")

    assert done == ["away"]
