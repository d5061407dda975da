"""Threads that take turns: one of them works at a time, and hands over only where it would wait.

Python lets one thread run at a time anyway, but changes threads at every call of the system, each of which finds the
processor's caches full of what the other was at. A turn lasts from one wait to the next.
"""

import threading
from types import TracebackType

PATIENCE_SECONDS = 0.02
"""Nobody waits longer for its turn: who has it may be in something that takes its time. Then all work at once, without
waiting, until it is over."""


class _Mine(threading.local):
    """What a thread takes part in, and whether it is its turn."""

    turns: "Turns | None" = None
    has_it = False


_mine = _Mine()


class Turns:
    """What some threads take turns in: a thread takes part while it is in the context."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stuck = False

    def __enter__(self) -> None:
        _mine.turns = self
        self.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hand_over()
        _mine.turns = None

    def take(self) -> None:
        """Wait for this thread's turn, unless it is its turn already; not for long."""
        if not _mine.has_it:
            _mine.has_it = self._lock.acquire(timeout=0 if self._stuck else PATIENCE_SECONDS)
            self._stuck = not _mine.has_it

    def hand_over(self) -> None:
        """Let another thread have its turn."""
        if _mine.has_it:
            _mine.has_it = False
            self._lock.release()


class _Away:
    """A context in which a thread waits, and others may have their turn; nothing for a thread that takes none."""

    def __enter__(self) -> None:
        turns = _mine.turns
        if turns is not None:
            turns.hand_over()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        turns = _mine.turns
        if turns is not None:
            turns.take()


away = _Away()
