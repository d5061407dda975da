"""The word to stop, and until when work may still be begun."""

import threading
import time


class Stopping:
    """Set once, by who stops: receivers begin no new round, and no call after `deadline` of the monotonic clock."""

    def __init__(self) -> None:
        self.deadline = float("inf")
        self._event = threading.Event()

    def set(self, seconds: float) -> None:
        """Stop, with so many seconds for what has begun."""
        self.deadline = time.monotonic() + seconds
        self._event.set()

    def is_set(self) -> bool:
        """Whether to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is set; whether it is."""
        return self._event.wait(seconds)
