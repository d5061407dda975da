"""Threads that take turns: one works at a time, and hands over where it waits."""

import threading
from collections.abc import Callable

import pytest

from router.aws.turns import Turns, away

GRACE = 20.0


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody works before its turn."""
    monkeypatch.setattr("router.aws.turns.PATIENCE_SECONDS", GRACE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for its turn."""
    monkeypatch.setattr("router.aws.turns.PATIENCE_SECONDS", 0.0)


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
            other.join(GRACE)
        done.append("after")

    assert done == ["before", "other", "after"]


@pytest.mark.usefixtures("patient")
def test_handed_over_at_the_end(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Who leaves, by an error too, hands over."""
    done: list[str] = []
    with pytest.raises(ValueError, match="mine"), turns:
        raise ValueError("mine")

    start(lambda: done.append("other")).join(GRACE)

    assert done == ["other"]


@pytest.mark.usefixtures("impatient")
def test_nobody_waits_for_long(turns: Turns, start: Callable[..., threading.Thread]) -> None:
    """Where it is not handed over, others work all the same, and leave the turn to whose it is."""
    done: list[str] = []

    def act() -> None:
        with away:
            done.append("away")
        done.append("back")

    with turns:
        start(act).join(GRACE)
        start(act).join(GRACE)

    assert done == ["away", "back"] * 2


def test_away_without_turns() -> None:
    """A thread that takes none may be away too."""
    done = []
    with away:
        done.append("away")

    assert done == ["away"]
