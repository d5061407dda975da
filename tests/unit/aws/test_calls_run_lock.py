"""The run lock: one of several threads runs at a time, and releases the lock where it blocks."""

import threading
import time
from collections.abc import Callable

import pytest

from router.aws.calls import RunLock, blocking

GRACE = 5.0
"""Seconds; no thread needs so long once it has the lock."""

Start = Callable[[Callable[[], object]], threading.Thread]


def ended(thread: threading.Thread, seconds: float = GRACE) -> bool:
    """Whether a thread ends in so many seconds."""
    thread.join(seconds)
    return not thread.is_alive()


@pytest.fixture
def max_wait() -> float:
    """By default no thread runs without the lock."""
    return 60.0


@pytest.fixture
def lock(max_wait: float) -> RunLock:
    return RunLock(max_wait)


@pytest.fixture
def start(lock: RunLock) -> Start:
    """Starts a thread that does something with the lock."""

    def begin(act: Callable[[], object]) -> threading.Thread:
        def work() -> None:
            with lock:
                act()

        thread = threading.Thread(target=work)
        thread.start()
        return thread

    return begin


def test_one_at_a_time(lock: RunLock, start: Start) -> None:
    """Another thread runs while this one blocks, and neither before nor after that."""
    done: list[str] = []
    with lock:
        other = start(lambda: done.append("other"))
        done.append("before")
        with blocking:
            assert ended(other)
        done.append("after")

    assert done == ["before", "other", "after"]


def test_acquired_again(lock: RunLock, start: Start) -> None:
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


def test_released_at_the_end(lock: RunLock, start: Start) -> None:
    """A thread that leaves the context, by an exception too, releases the lock."""
    done: list[str] = []
    with pytest.raises(ValueError, match="mine"), lock:
        raise ValueError("mine")

    assert (ended(start(lambda: done.append("other"))), done) == (True, ["other"])


@pytest.mark.parametrize("max_wait", [0.0])
def test_no_long_wait(lock: RunLock, start: Start) -> None:
    """If the lock is not released, the others run without it, and do not release what is not theirs."""
    done: list[str] = []

    def act() -> None:
        with blocking:
            done.append("blocking")
        done.append("back")

    with lock:
        assert ended(start(act))
        assert ended(start(act))

    assert done == ["blocking", "back"] * 2


@pytest.mark.parametrize("max_wait", [0.5])
def test_one_wait(lock: RunLock, start: Start) -> None:
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


def test_nested(lock: RunLock, start: Start) -> None:
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
