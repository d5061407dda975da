"""Rounds of measuring: a fixed number, or as many as are likely to end in time."""

import time
from collections.abc import Iterator


class Rounds:
    """Yields the numbers of rounds: `most` of them, or as many as `seconds` are enough for, but one at least."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.done = 0
        self._seconds = seconds

    def __iter__(self) -> Iterator[int]:
        began = time.monotonic()
        while self.done < self.most:
            passed = time.monotonic() - began
            if self.done and passed + passed / self.done > self._seconds:
                return
            yield self.done
            self.done += 1
