"""The visibility timeout of a message to retry: the back-off of a queue, and that of an outage."""

from collections.abc import Callable, Iterator
from functools import cache
from math import ceil

from msgspec import Struct

MAX_BACKOFF_SECONDS = (12 * 60 - 15) * 60
"""A visibility timeout is at most 12 hours, counted from the receive, which was up to 15 minutes ago: Lambda's longest
timeout. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html"""
MAX_OUTLAST = 14 * 24 * 60 * 60
"""Seconds; SQS keeps no message longer."""
FIRST_WAIT = 30
"""Seconds; the wait after the first receive, so that an error that is corrected in a minute costs a minute."""
JITTER = 0.25
"""The random part of a wait, as a share of its bound, so that messages that failed together return apart."""
MIN_RECEIVES = 10
"""With this many receives, waits that about double outlast 12 hours; fewer need waits that grow faster."""
MAX_RATIO = 3
"""The fastest growth of waits that is planned: a message then returns within twice the duration of the outage."""
ASSUMED_RECEIVES = 5
"""The `maxReceiveCount` of a queue whose redrive policy cannot be read: the least that AWS advises."""


def jitter(low: float = 0.0, high: float = 1.0) -> float:
    """Return a random number between two bounds."""
    # Only a retry needs it, and a cold start does without the module.
    from random import uniform

    return uniform(low, high)  # noqa: S311 — jitter, no secret


class Backoff(Struct, frozen=True):
    """The back-off of a queue: `base` seconds, times `factor` for each receive after the first, at most `cap`."""

    base: int = 2
    factor: int = 2
    cap: int = 900
    in_lambda: bool = False
    """Whether the Lambda function sets visibility timeouts too, for which it makes a call."""

    def wait(self, receive_count: int, chance: Callable[[], float] = jitter) -> int:
        """Return the visibility timeout in seconds after a number of receives: random up to the bound (full jitter)."""
        # A factor to the power of some hundred receives would be a number of many digits.
        grown: int = self.base * self.factor ** min(max(receive_count, 1) - 1, 64)
        bound = min(self.cap, grown, MAX_BACKOFF_SECONDS)
        return max(1, round(bound * chance()))


class OutageBackoff(Struct, frozen=True):
    """The back-off of messages that met an outage: the receives that the redrive policy allows span `outlast` seconds.

    `max_receive_count` is that of the redrive policy, 0 without one.

    Why waits grow so: docs/decisions/2026-11-26-outage-backoff.md
    """

    outlast: int = 12 * 60 * 60
    max_receive_count: int = ASSUMED_RECEIVES

    def wait(self, receive_count: int, chance: Callable[[], float] = jitter) -> int:
        """Return the visibility timeout in seconds after a number of receives."""
        waits = outage_waits(self.outlast, self.max_receive_count)
        bound = waits[min(max(receive_count, 1), len(waits)) - 1]
        return min(MAX_BACKOFF_SECONDS, round(bound * (1 + JITTER * chance())))


@cache
def receives_for(outlast: int) -> int:
    """Return the `maxReceiveCount`, ten or more, with which waits that grow slowly outlast a number of seconds."""
    receives = MIN_RECEIVES
    while sum(_waits(FIRST_WAIT, MAX_RATIO, receives - 1)) < min(outlast, MAX_OUTLAST):
        receives += 1
    return receives


@cache
def outage_waits(outlast: int, max_receive_count: int) -> tuple[int, ...]:
    """Return the waits in seconds between the receives of a message, which grow by one ratio up to SQS's maximum.

    The ratio is the least with which the waits amount to `outlast`. More receives than `receives_for` are a reserve:
    the last wait is repeated.
    """
    enough = receives_for(outlast)
    count = max(1, min(max_receive_count or enough, enough) - 1)
    if count == 1:
        return (max(1, min(outlast, MAX_BACKOFF_SECONDS)),)
    first = max(1, min(FIRST_WAIT, ceil(outlast / count)))
    low, high = 1.0, MAX_BACKOFF_SECONDS / first
    for _ in range(50):
        ratio = (low + high) / 2
        low, high = (ratio, high) if sum(_waits(first, ratio, count)) < outlast else (low, ratio)
    return tuple(_waits(first, high, count))


def _waits(first: int, ratio: float, count: int) -> Iterator[int]:
    for number in range(count):
        yield min(ceil(first * ratio**number), MAX_BACKOFF_SECONDS)
