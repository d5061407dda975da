"""The time of a batch.

It says until when its calls may start, and how long the batch may wait for retries and plan its
messages.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol

from msgspec import Struct

from router.runtime.aws.calls import Clock, Duration, boottime
from router.runtime.aws.protocols import WriteResponse
from router.runtime.engine.engine import Budget, OutOfBudget

Sleep = Callable[[float], None]
"""Waits for some seconds."""
Jitter = Callable[[float, float], float]
"""Chooses a wait between two bounds in seconds."""
MARGIN_SECONDS = 0.5
"""Kept free before a deadline besides the time of calls under way.

It is for dead letters and visibility timeouts.
"""
RESERVE_SECONDS = 0.25
"""The part of the margin in which no write or fetch is under way any more.

What has hung is timed out by then.
"""
MAX_WAIT_SECONDS = 1.0
"""The longest that a caller waits at a time for retries that are likely to fail again."""
WAIT_SHARE = 0.1
"""The largest share of a caller's time for such waits.

A few messages that keep failing hardly slow the others then.
"""
FIRST_WAIT_SECONDS = 0.2
"""What the receivers of a queue may wait before they have worked for some time."""
MIN_LEFT_SECONDS = 0.1
"""With less left there is no wait.

A budget that is refilled all the time would allow many short waits, which are of little use.
"""
QUICK_PLANNING_SECONDS = 0.2
"""CPU time; a message that takes longer is planned after the others of its batch are written."""
MAX_PLANNING_SECONDS = 5.0
"""CPU time, so that a busy machine rejects nothing; a message that takes longer is rejected."""


class Deadline(Protocol):
    """When a batch must be done: `end` is a moment by the clock.

    Below the caller of the batch it is only read. It may move while the batch is processed: a
    worker's ends later when the visibility of the messages is extended, and earlier when the worker
    stops.
    """

    @property
    def end(self) -> float:
        """The moment."""


class FixedDeadline(Struct, frozen=True):
    """A deadline that does not move."""

    end: float


class Usage:
    """What the calls of a batch used: their number, and write units by the name of the table."""

    __slots__ = ("calls", "units")

    def __init__(self) -> None:
        self.calls = 0
        self.units: dict[str, float] = {}

    def add(self, table: str, response: WriteResponse | None) -> None:
        """Add a call that writes to a table; without a response it was not made."""
        if response is None:
            return
        self.calls += 1
        if response.consumed is not None:
            self.units[table] = self.units.get(table, 0.0) + response.consumed


class StartLimit:
    """Until when the calls of a batch may start, how long each may take, and what they used.

    A call that has just begun must be able to end by the deadline. So must the calls after it that
    end the work on a batch: dead letters and visibility timeouts, whose duration is `final`.

    Why it is handed down: docs/decisions/2026-11-26-deadlines-are-handed-down.md
    """

    __slots__ = ("_deadline", "_durations", "_final", "_longest_margin", "usage")

    def __init__(
        self,
        deadline: Deadline,
        now: float,
        durations: Sequence[Duration],
        final: Duration | None = None,
    ) -> None:
        self._deadline = deadline
        self._durations = durations
        self._final = final or Duration()
        self.usage = Usage()
        # Cap the margin at half the remaining time, so that one slow call cannot block later ones.
        self._longest_margin = max(MARGIN_SECONDS, (deadline.end - now) / 2)

    @property
    def moment(self) -> float:
        """The moment, by the clock, from which on no call may start."""
        slowest = max([duration.seconds for duration in self._durations])
        margin = MARGIN_SECONDS + 2 * (slowest + self._final.seconds)
        return self._deadline.end - min(margin, self._longest_margin)

    def timeout(self, now: float) -> float:
        """Return how many seconds a call may take that starts now."""
        return self._deadline.end - RESERVE_SECONDS - now

    def final_timeout(self, now: float) -> float:
        """Return how many seconds the final calls may take that start now.

        Return 0 if they are not likely to end in time.
        """
        left = self._deadline.end - now
        needed = min(self._final.seconds, self._longest_margin / 2)
        return left if left > needed else 0.0


class FetchLimit:
    """Until when the payloads of a batch may be fetched.

    Half of its time is left to write the others: one object that does not come would else take the
    time of all messages.
    """

    __slots__ = ("_limit", "_started")

    def __init__(self, limit: StartLimit, started: float) -> None:
        self._limit = limit
        self._started = started

    @property
    def moment(self) -> float:
        """The moment, by the clock, from which on no fetch may start."""
        return min(self._limit.moment, self._half)

    def timeout(self, now: float) -> float:
        """Return how many seconds a fetch may take that starts now."""
        return self._half - now

    @property
    def _half(self) -> float:
        """The moment when half of the time is used up; it moves with the deadline."""
        return self._started + self._limit.timeout(self._started) / 2


class SharedWaits:
    """The seconds that callers may wait together: `left` at first, and at most `most`."""

    __slots__ = ("left", "lock", "most")

    def __init__(self, left: float = MAX_WAIT_SECONDS, most: float = MAX_WAIT_SECONDS) -> None:
        self.left = left
        self.most = most
        self.lock = Lock()


class WaitBudget:
    """The time that a caller may wait for retries, refilled as time passes; thread-safe.

    It is `shared` with other callers: all take what is left, and each refills it.
    """

    def __init__(self, clock: Clock = boottime, shared: SharedWaits | None = None) -> None:
        self.waited = 0.0
        """The seconds of all waits of a writer, whether they are taken from the budget or not.

        A retry whose wait is taken from it counts too. The caller may set it to 0, to count anew.
        """
        self.taken = 0.0
        """The seconds that were taken from the budget; the caller may set it to 0, too."""
        self._clock = clock
        self._shared = shared or SharedWaits()
        self._filled_at = clock()

    def take(self, seconds: float) -> bool:
        """Take the time of a wait; return False if too little is left."""
        shared = self._shared
        with shared.lock:
            now = self._clock()
            refill = (now - self._filled_at) * WAIT_SHARE
            shared.left = min(shared.most, shared.left + refill)
            self._filled_at = now
            if shared.left < max(seconds, MIN_LEFT_SECONDS):
                return False
            shared.left -= seconds
            self.taken += seconds
            return True

    def correct(self, seconds: float) -> None:
        """Take the time by which a wait and its retry were longer; below 0, give it back."""
        with self._shared.lock:
            self._shared.left -= seconds
            self.taken += seconds


class PlanningBudget(Budget):
    """The time for planning one message after the other, up to the limit of their batch."""

    def __init__(self, limit: StartLimit, clock: Clock, cpu: Clock) -> None:
        self.seconds = QUICK_PLANNING_SECONDS
        """The CPU time that a message may take, counted from `start`."""
        self.limit = limit
        self.clock = clock
        self._cpu = cpu
        self._until = 0.0

    @property
    def is_late(self) -> bool:
        """Whether the time of the batch is used up."""
        return self.clock() >= self.limit.moment

    def start(self) -> None:
        """Count from now on."""
        self._until = self._cpu() + self.seconds

    def check(self) -> None:
        """Raise OutOfBudget if the message has used up its time, or its batch has."""
        if self._cpu() > self._until or self.clock() >= self.limit.moment:
            raise OutOfBudget
