"""How busy the process is."""

import time
from collections.abc import Callable

WINDOW_SECONDS = 0.05
"""It is looked at this often at most: long enough to tell, and short beside the time in which receivers become many."""


class Load:
    """How much of one core the process has taken of late; Python runs on one at a time, so about 1 is all there is."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, spent: Callable[[], float] = time.process_time
    ) -> None:
        self._clock = clock
        self._spent = spent
        self._seen = clock(), spent()
        self._share = 0.0

    def share(self) -> float:
        """The part of a core, in the last window that has ended."""
        now, spent = self._clock(), self._spent()
        before, spent_before = self._seen
        if now - before >= WINDOW_SECONDS:
            self._seen = now, spent
            self._share = (spent - spent_before) / (now - before)
        return self._share
