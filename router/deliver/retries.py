"""How long a batch may wait to retry calls that fail, while others wait for the batch."""

from threading import Lock

from router.aws.calls import Clock, boottime

MAX_WAIT_SECONDS = 1.0
"""The longest that a caller waits at a time for retries that are likely to fail again."""
WAIT_SHARE = 0.1
"""The largest share of a caller's time for them, so that a few messages that keep failing hardly slow the others."""
FIRST_WAIT_SECONDS = 0.2
"""What a new receiver may wait before it has worked for some time."""


class WaitBudget:
    """The time that a caller may spend waiting for retries, refilled as time passes; thread-safe."""

    def __init__(self, clock: Clock = boottime, seconds: float = MAX_WAIT_SECONDS, left: float | None = None) -> None:
        """It has at most `seconds`, and `left` of them at first; all without it."""
        self.waited = 0.0
        """The seconds of all waits of a writer, whether counted or not."""
        self.taken = 0.0
        """The seconds of those that were taken from the budget."""
        self._clock = clock
        self._most = seconds
        self._left = seconds if left is None else left
        self._filled_at = clock()
        self._lock = Lock()

    def take(self, seconds: float) -> bool:
        """Take the time of a wait; return False if too little is left."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._filled_at) * WAIT_SHARE)
            self._filled_at = now
            if self._left < seconds:
                return False
            self._left -= seconds
            self.taken += seconds
            return True
