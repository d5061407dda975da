"""A lock that lets one of several threads run at a time, from one blocking call to the next.

Python runs one thread at a time anyway, but switches threads at every system call, and each switch finds the
processor's caches full of another thread's data. With the lock, threads switch only where one would block.
"""

import threading
from types import TracebackType

MAX_WAIT_SECONDS = 0.02
"""No thread waits longer for the lock: its owner may be in a long call that does not release it. Then all run without
waiting, until a thread gets the lock again."""


class _Thread(threading.local):
    """The lock of the current thread, and whether the thread owns it.

    A thread-local, since `blocking` is used deep in the HTTP client, which has no other way to know its caller.
    """

    lock: "RunLock | None" = None
    owns = False


_thread = _Thread()


class RunLock:
    """The lock of some threads: a thread shares it within the context."""

    def __init__(self, max_wait: float = MAX_WAIT_SECONDS) -> None:
        self._lock = threading.Lock()
        self._max_wait = max_wait
        self._stuck = False

    def __enter__(self) -> None:
        _thread.lock = self
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        _thread.lock = None

    def acquire(self) -> None:
        """Wait for the lock, up to `max_wait`, unless this thread owns it."""
        if not _thread.owns:
            _thread.owns = self._lock.acquire(timeout=0 if self._stuck else self._max_wait)
            self._stuck = not _thread.owns

    def release(self) -> None:
        """Let another thread run."""
        if _thread.owns:
            _thread.owns = False
            self._lock.release()


class _Blocking:
    """A context that releases the thread's run lock, if it has one, while the thread blocks."""

    def __enter__(self) -> None:
        lock = _thread.lock
        if lock is not None:
            lock.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lock = _thread.lock
        if lock is not None:
            lock.acquire()


blocking = _Blocking()
