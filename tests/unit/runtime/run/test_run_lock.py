"""The run lock: one of several threads runs at a time, and releases the lock where it blocks."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from router.runtime.run.run_lock import RunGroup, RunLock
from tests.support.aws import blocking

GRACE = 30.0
"""Seconds; no thread needs so long once it has the lock."""

Start = Callable[[Callable[[], object]], threading.Thread]


class Waits:
    """How threads wait for the lock: a turn takes too long only if the test says so."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        """Released by each thread that begins to wait."""
        self.too_long = threading.Semaphore(0)
        """Acquired by a wait that ends before its turn."""
        self._all: list[Any] = []

    @property
    def count(self) -> int:
        """How many have begun."""
        return len(self._all)

    def __call__(self, gate: Any) -> bool:
        self._all.append(gate)
        self.begun.release()
        while not gate.acquire(timeout=0.001):
            if self.too_long.acquire(blocking=False):
                return False
        return True

    def one_begins(self) -> bool:
        """Wait until one more thread waits for the lock."""
        return self.begun.acquire(timeout=GRACE)


def ended(thread: threading.Thread) -> bool:
    """Whether a thread ends."""
    thread.join(GRACE)
    return not thread.is_alive()


@pytest.fixture
def waits() -> Waits:
    """How threads wait for the lock."""
    return Waits()


@pytest.fixture
def lock(waits: Waits) -> RunGroup:
    """A group of threads with a lock."""
    return RunLock(waits).group()


@pytest.fixture
def start(lock: RunGroup) -> Start:
    """Starts a thread that does something with the lock."""
    return lambda act: start_in(lock, act)


def start_in(group: RunGroup, act: Callable[[], object]) -> threading.Thread:
    """Start a thread of a group that does something with the lock."""

    def work() -> None:
        with group:
            act()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_one_at_a_time(lock: RunGroup, start: Start, waits: Waits) -> None:
    """Another thread runs while this one blocks, and neither before nor after that."""
    done: list[str] = []
    with lock:
        other = start(lambda: done.append("other"))
        assert waits.one_begins()
        done.append("before")
        with blocking:
            assert ended(other)
        done.append("after")

    assert done == ["before", "other", "after"]


def test_acquired_again(lock: RunGroup, start: Start, waits: Waits) -> None:
    """A thread that has blocked waits until the other one releases the lock."""
    done: list[str] = []
    acquired = threading.Event()

    def act() -> None:
        acquired.set()
        assert waits.one_begins()
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
    with blocking:
        pass

    assert (ended(start(lambda: done.append("other"))), done) == (True, ["other"])


def test_no_long_wait(lock: RunGroup, start: Start, waits: Waits) -> None:
    """If the lock is not released, another thread takes it over, and its old owner does not release it any more."""
    done: list[str] = []
    taken, left = threading.Event(), threading.Event()

    def act() -> None:
        taken.set()
        assert left.wait(GRACE)
        done.append("other")

    with lock:
        waits.too_long.release()
        other = start(act)
        assert taken.wait(GRACE)
    third = start(lambda: done.append("third"))
    assert [waits.one_begins(), waits.one_begins()] == [True, True]
    left.set()

    assert (ended(other), ended(third), done) == (True, True, ["other", "third"])


def test_one_wait(lock: RunGroup, start: Start, waits: Waits) -> None:
    """While a thread keeps the lock, another one waits for it once, not after each block; then it waits again."""

    def act() -> None:
        for _ in range(100):
            with blocking:
                pass

    with lock:
        waits.too_long.release()
        assert ended(start(act))
    assert (waits.one_begins(), waits.count) == (True, 1)
    with lock:
        other = start(lambda: None)
        assert waits.one_begins()
    assert (ended(other), waits.count) == (True, 2)


def test_taken_over_by_one(lock: RunGroup, start: Start, waits: Waits) -> None:
    """Of those that wait for a lock that is kept, one takes it over; the others wait for that one."""
    done: list[str] = []

    def act(name: str) -> None:
        done.append(name)
        if len(done) == 1:
            assert waits.one_begins()
        done.append(name)

    with lock:
        others = [start(lambda name=name: act(name)) for name in "ab"]  # type: ignore[misc]
        assert [waits.one_begins() for _ in others] == [True, True]
        waits.too_long.release(2)
        assert [ended(other) for other in others] == [True, True]

    assert (done in (["a", "a", "b", "b"], ["b", "b", "a", "a"]), waits.count) == (True, 3)


def test_taken_over_again(lock: RunGroup, start: Start, waits: Waits) -> None:
    """A thread that has seen another one take the lock over takes it over in turn if that one keeps it too."""
    both = threading.Barrier(2)
    with lock:
        others = [start(lambda: both.wait(GRACE)) for _ in "ab"]
        assert [waits.one_begins() for _ in others] == [True, True]
        waits.too_long.release(2)
        assert waits.one_begins()
        waits.too_long.release()
        assert [ended(other) for other in others] == [True, True]

    assert both.broken is False


def test_fair_to_groups() -> None:
    """A thread of another group waits for one of the threads of a busy group, not for all that were there before."""
    waits = Waits()
    lock, done = RunLock(waits), []
    busy, quiet = lock.group(), lock.group()
    with busy:
        others = []
        for group, name in ((busy, "busy"), (busy, "busy"), (busy, "busy"), (quiet, "quiet")):
            others.append(start_in(group, lambda name=name: done.append(name)))  # type: ignore[misc]
            assert waits.one_begins()
    assert all(ended(other) for other in others)

    assert done == ["busy", "quiet", "busy", "busy"]


def test_nested(lock: RunGroup, start: Start, waits: Waits) -> None:
    """A thread may block within a block, and owns the lock once after it."""
    done: list[str] = []
    with lock:
        with blocking, blocking:
            pass
        other = start(lambda: done.append("other"))
        assert (waits.one_begins(), done) == (True, [])
    assert ended(other)


def test_a_turn_that_is_kept() -> None:
    """By default a thread takes the lock over after a while."""
    lock = RunLock().group()

    with lock:
        assert ended(start_in(lock, lambda: None))


def test_without_lock() -> None:
    """A thread without a run lock may block too."""
    done = []
    with blocking:
        done.append("blocking")

    assert done == ["blocking"]
