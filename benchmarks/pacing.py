"""A queue whose messages are sent at a rate, and how long each takes until it is stored."""

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence

START_SECONDS = 0.3
"""From the first receive to the first message."""
MOST_MESSAGES = 10
"""The messages of a receive."""


class PacedQueue:
    """Messages that are sent at random moments, as those of independent senders, at a mean rate a second.

    A receive is answered when the next message is sent, at the earliest after the duration of a call; receives that
    wait get one message each, in order. The seed decides the moments.
    """

    def __init__(self, messages: Sequence[bytes], rate: float, seed: int = 0) -> None:
        chance = random.Random(seed)
        moment, self._moments = START_SECONDS, list[float]()
        for _ in messages:
            moment += chance.expovariate(rate)
            self._moments.append(moment)
        self._messages = messages
        self._next = 0
        self._start: float | None = None
        self._stored: list[tuple[float, bytes]] = []

    def receive(self, now: float, longest: float, latency: float) -> tuple[list[bytes], float]:
        """Return the messages for a receive, and the seconds after which they are there, besides those of a call."""
        if self._start is None:
            self._start = now
        elapsed = now - self._start
        if self._next >= len(self._moments) or self._moments[self._next] > elapsed + longest:
            return [], longest
        due = max(self._moments[self._next], elapsed + latency)
        end = min(bisect_right(self._moments, due, self._next), self._next + MOST_MESSAGES)
        taken = self._messages[self._next : end]
        self._next = end
        return [*taken], max(0.0, due - elapsed - latency)

    def store(self, moment: float, content: bytes) -> None:
        """Note the moment at which a write was stored."""
        self._stored.append((moment, content))

    def latencies(self, numbers: Callable[[bytes], Sequence[int]]) -> list[float]:
        """Return the seconds from sent to stored, without the first quarter of the messages.

        `numbers` returns the numbers of the messages that a write has stored.
        """
        start = self._start or 0.0
        first = len(self._messages) // 4
        stored = {number: moment for moment, content in reversed(self._stored) for number in numbers(content)}
        return [moment - start - self._moments[number] for number, moment in stored.items() if number >= first]


def join(messages: Sequence[bytes]) -> bytes:
    """Return the content of a receive's answer."""
    return b'{"Messages":[%s]}' % b",".join(messages) if messages else b"{}"
