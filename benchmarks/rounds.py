"""Rounds of measuring: a fixed number, or as many as time allows."""

import time
from collections.abc import Iterator


class Rounds:
    """Yields the numbers of rounds, until there were `most` of them or `seconds` have passed."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.done = 0
        self._seconds = seconds

    def __iter__(self) -> Iterator[int]:
        until = time.monotonic() + self._seconds
        while self.done < self.most and (not self.done or time.monotonic() < until):
            yield self.done
            self.done += 1
