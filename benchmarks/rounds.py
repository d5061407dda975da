"""Rounds of measuring: as many as are asked for, or as time allows."""

import time
from collections.abc import Iterator


class Rounds:
    """Gives the numbers of rounds until there were `most` of them, or no more begins for `seconds` are over."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.done = 0
        self._seconds = seconds

    def __iter__(self) -> Iterator[int]:
        until = time.monotonic() + self._seconds
        while self.done < self.most and (not self.done or time.monotonic() < until):
            yield self.done
            self.done += 1
