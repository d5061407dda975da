"""The run lock: one of several threads runs at a time, and releases the lock where it blocks."""

import threading
import time
from collections.abc import Callable

import pytest

from router.aws.run_lock import RunGroup, RunLock, blocking

GRACE = 5.0
"""Seconds; no thread needs so long once it has the lock."""

Start = Callable[[Callable[[], object]], threading.Thread]


def ended(thread: threading.Thread, seconds: float = GRACE) -> bool:
    """Whether a thread ends in so many seconds."""
    thread.join(seconds)
    return not thread.is_alive()


@pytest.fixture
def max_turn() -> float:
    """By default no thread takes the lock over."""
    return 60.0


@pytest.fixture
def lock(max_turn: float) -> RunGroup:
    """A group of threads with a lock."""
    return RunLock(max_turn).group()


@pytest.fixture
def start(lock: RunGroup) -> Start:
    """Starts a thread that does something with the lock."""
    return lambda act: start_in(lock, act)


def start_in(group: RunGroup, act: Callable[[], object]) -> threading.Thread:
    """Start a thread of a group that does something with the lock."""

    def work() -> None:
        with group:
            act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_one_at_a_time(lock: RunGroup, start: Start) -> None:
    """Another thread runs while this one blocks, and neither before nor after that."""
    done: list[str] = []
    with lock:
        other = start(lambda: done.append("other"))
        done.append("before")
        with blocking:
            assert ended(other)
        done.append("after")

    assert done == ["before", "other", "after"]


def test_acquired_again(lock: RunGroup, start: Start) -> None:
    """A thread that has blocked waits until the other one releases the lock."""
    done: list[str] = []
    acquired = threading.Event()

    def act() -> None:
        acquired.set()
        time.sleep(0.05)
        done.append("other")

    with lock:
        with blocking:
            other = start(act)
            assert acquired.wait(GRACE)
        done.append("back")
    assert (ended(other), done) == (True, ["other", "back"])


def test_released_at_the_end(lock: RunGroup, start: Start) -> None:
    """A thread that leaves the context, by an exception too, releases the lock."""
    done: list[str] = []
    with pytest.raises(ValueError, match="mine"), lock:
        raise ValueError("mine")

    assert (ended(start(lambda: done.append("other"))), done) == (True, ["other"])


@pytest.mark.parametrize("max_turn", [0.0])
def test_no_long_wait(lock: RunGroup, start: Start) -> None:
    """If the lock is not released, the others take it over, and its old owner does not release what is not its own."""
    done: list[str] = []

    def act() -> None:
        with blocking:
            done.append("blocking")
        done.append("back")

    with lock:
        assert ended(start(act))
        assert ended(start(act))

    assert done == ["blocking", "back"] * 2


@pytest.mark.parametrize("max_turn", [0.5])
def test_one_wait(lock: RunGroup, start: Start) -> None:
    """While a thread keeps the lock, another one waits for it once, not after each block; then it waits again."""

    def act() -> None:
        for _ in range(100):
            with blocking:
                pass

    with lock:
        began = time.monotonic()
        assert ended(start(act))
        assert time.monotonic() - began < 4  # and not 50
    assert ended(start(act))
    with lock:
        other = start(lambda: None)
        assert not ended(other, 0.2)
    assert ended(other)


@pytest.mark.parametrize("max_turn", [0.1])
def test_taken_over_by_one(lock: RunGroup, start: Start) -> None:
    """Of those that wait for a lock that is kept, one takes it over; the others wait for that one."""
    done: list[str] = []

    def act(name: str) -> None:
        done.append(name)
        time.sleep(0.05)
        done.append(name)

    with lock:
        others = [start(lambda name=name: act(name)) for name in "ab"]  # type: ignore[misc]
        assert [ended(other) for other in others] == [True, True]

    assert done in (["a", "a", "b", "b"], ["b", "b", "a", "a"])


def test_fair_to_groups() -> None:
    """A thread of another group waits for one of the threads of a busy group, not for all that were there before."""
    lock, done = RunLock(60.0), []
    busy, quiet = lock.group(), lock.group()
    with busy:
        others = []
        for group, name in ((busy, "busy"), (busy, "busy"), (busy, "busy"), (quiet, "quiet")):
            others.append(start_in(group, lambda name=name: done.append(name)))  # type: ignore[misc]
            time.sleep(0.05)
    assert all(ended(other) for other in others)

    assert done == ["busy", "quiet", "busy", "busy"]


def test_nested(lock: RunGroup, start: Start) -> None:
    """A thread may block within a block, and owns the lock once after it."""
    done: list[str] = []
    with lock:
        with blocking, blocking:
            pass
        other = start(lambda: done.append("other"))
        assert (ended(other, 0.2), done) == (False, [])
    assert ended(other)


def test_without_lock() -> None:
    """A thread without a run lock may block too."""
    done = []
    with blocking:
        done.append("blocking")

    assert done == ["blocking"]
