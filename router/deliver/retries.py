"""How long a batch may wait to retry calls that fail, while others wait for the batch."""

from threading import Lock

from router.aws.calls import Clock, boottime

MAX_WAIT_SECONDS = 1.0
"""The longest that a caller waits at a time for retries that are likely to fail again."""
WAIT_SHARE = 0.1
"""The largest share of a caller's time for them, so that a few messages that keep failing hardly slow the others."""
FIRST_WAIT_SECONDS = 0.2
"""What the receivers of a queue may wait before they have worked for some time."""
MIN_LEFT_SECONDS = 0.1
"""With less left there is no wait: short ones, as a budget that is refilled all the time allows, are of little use."""


class _SharedWaits:
    """What callers may wait together: `left`, at most `most` seconds."""

    __slots__ = ("left", "lock", "most")

    def __init__(self, left: float, most: float) -> None:
        self.left = left
        self.most = most
        self.lock = Lock()


class WaitBudget:
    """The time that a caller may spend waiting for retries, refilled as time passes; thread-safe."""

    def __init__(self, clock: Clock = boottime, seconds: float = MAX_WAIT_SECONDS, left: float | None = None) -> None:
        """It has at most `seconds`, and `left` of them at first; all without it."""
        self.waited = 0.0
        """The seconds of all waits of a writer, whether counted or not, and of the retries that are counted."""
        self.taken = 0.0
        """The seconds that were taken from the budget."""
        self._clock = clock
        self._shared = _SharedWaits(seconds if left is None else left, seconds)
        self._filled_at = clock()

    def shared(self) -> "WaitBudget":
        """Return the budget of another caller, of which each takes what both have left, and refills it."""
        budget = WaitBudget(self._clock)
        budget._shared = self._shared
        return budget

    def take(self, seconds: float) -> bool:
        """Take the time of a wait; return False if too little is left."""
        shared = self._shared
        with shared.lock:
            now = self._clock()
            shared.left = min(shared.most, shared.left + (now - self._filled_at) * WAIT_SHARE)
            self._filled_at = now
            if shared.left < max(seconds, MIN_LEFT_SECONDS):
                return False
            shared.left -= seconds
            self.taken += seconds
            return True

    def correct(self, seconds: float) -> None:
        """Take the time by which a wait and its retry were longer, or give back that by which they were shorter."""
        with self._shared.lock:
            self._shared.left -= seconds
            self.taken += seconds
