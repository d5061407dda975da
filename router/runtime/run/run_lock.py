"""A lock of which threads that call AWS run one at a time, except while they block."""

from collections import deque
from collections.abc import Callable
from operator import methodcaller
from threading import Lock, local

from router.runtime.aws.calls import blocking

MAX_TURN_SECONDS = 0.05
"""After this time another thread gets the run lock.

Its owner may be in a call that does not release it.
"""

Wait = Callable[[Lock], bool]
"""Acquires the lock of a turn, which is released when the turn begins.

Returns False if that takes too long.
"""
wait_for_turn: Wait = methodcaller("acquire", timeout=MAX_TURN_SECONDS)


class _Thread(local):
    """The number of the current thread's turn; 0 if it does not own the run lock."""

    turn = 0


_thread = _Thread()


class _Turn:
    """The turn of a waiting thread: `gate` is released when it begins, with its `number`."""

    __slots__ = ("gate", "number")

    def __init__(self) -> None:
        self.gate = Lock()
        self.gate.acquire()
        self.number = 0


class RunLock:
    """Lets one thread run at a time.

    Groups of threads take turns, so that a busy one delays no other for long.
    """

    def __init__(self, wait: Wait = wait_for_turn) -> None:
        self._wait = wait
        self._guard = Lock()
        self._owned = False
        self._number = 0
        self._waiting: dict[RunGroup, deque[_Turn]] = {}
        """By group, in the order in which the groups have their next turns."""

    def group(self) -> "RunGroup":
        """Return a group of threads, such as those of one queue."""
        return RunGroup(self)

    def acquire(self, group: "RunGroup") -> int:
        """Wait for a turn, and return its number.

        An owner that keeps it for too long loses it.
        """
        with self._guard:
            if not self._owned:
                self._owned = True
                return self._begin()
            seen = self._number
            turn = _Turn()
            self._waiting.setdefault(group, deque()).append(turn)
        while not self._wait(turn.gate):
            with self._guard:
                if not turn.number and self._number == seen:
                    # The turn has not begun, and all of this wait had the same owner.
                    self._waiting[group].remove(turn)
                    turn.number = self._begin()
                    return turn.number
                seen = self._number
        return turn.number

    def release(self, number: int) -> None:
        """End a turn, unless another thread took the lock over, and begin the next one."""
        with self._guard:
            if number != self._number:
                # Another thread took the lock over.
                return
            while self._waiting:
                group = next(iter(self._waiting))
                waiting = self._waiting.pop(group)
                if waiting:
                    # The other groups have their turns before the next one of this group.
                    self._waiting[group] = waiting
                    turn = waiting.popleft()
                    turn.number = self._begin()
                    turn.gate.release()
                    return
            self._owned = False

    def _begin(self) -> int:
        self._number += 1
        return self._number


class RunGroup:
    """Threads that share a run lock within the context, and the turns of their group."""

    def __init__(self, lock: RunLock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        blocking.lock = self
        self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()
        blocking.lock = None

    def acquire(self) -> None:
        """Wait for a turn, unless this thread has one."""
        if not _thread.turn:
            _thread.turn = self._lock.acquire(self)

    def release(self) -> None:
        """Let another thread run."""
        if _thread.turn:
            self._lock.release(_thread.turn)
            _thread.turn = 0
