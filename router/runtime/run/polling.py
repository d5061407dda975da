"""What the receivers of a worker are given: a queue to poll, and what they share."""

from collections.abc import Callable
from threading import Event

from msgspec import Struct

from router.runtime.aws.calls import boottime
from router.runtime.aws.protocols import Queues
from router.runtime.deliver.delivery import Delivery
from router.runtime.engine.engine import CompiledQueue
from router.runtime.run.concurrency import DEFAULT_TUNING, Tuning
from router.runtime.run.leases import Leases
from router.runtime.run.timing import REAL_TIMING, Timing

MIN_LEASE_SECONDS = 10
"""What a long poll leaves of a visibility timeout of 20 seconds or more.

Of a shorter one it leaves half.
"""
ACKNOWLEDGE_SECONDS = 60
"""The most that it may take to delete messages of a batch, or to set their visibility timeouts."""


class StopEvent(Event):
    """Tells receivers to begin no further round, and no call after `deadline` (by `boottime`)."""

    deadline = float("inf")

    def stop(self, seconds: float) -> None:
        """Set the event, with this many seconds to finish the batches in progress."""
        self.deadline = boottime() + seconds
        self.set()

    def timeout(self) -> float:
        """Return how many seconds the calls that acknowledge a batch may take from now on."""
        return min(ACKNOWLEDGE_SECONDS, self.deadline - boottime())


class PolledQueue(Struct, frozen=True):
    """A queue and how it is polled.

    `visibility` is its visibility timeout, `wait` the wait time of long polling, both in seconds.
    """

    queue: CompiledQueue
    url: str
    visibility: int
    wait: int

    @property
    def longest_wait(self) -> int:
        """The wait time that leaves enough of the visibility timeout to process the messages.

        SQS may hide them as soon as they are requested.
        """
        longest = max(self.visibility - MIN_LEASE_SECONDS, self.visibility // 2)
        return min(self.wait, longest)


Count = Callable[[str, str, float], None]
"""Adds to a metric of a queue: takes the queue, the metric and the number."""


def ignore_count(queue: str, name: str, number: float) -> None:
    """Count nothing."""


class ReceiverContext(Struct, frozen=True):
    """What the receivers of all queues of a program share."""

    queues: Queues
    delivery: Delivery
    leases: Leases
    stop: StopEvent
    tuning: Tuning = DEFAULT_TUNING
    timing: Timing = REAL_TIMING
    count: Count = ignore_count
