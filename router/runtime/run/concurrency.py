"""Adaptive concurrency.

It says how many receivers a queue gets, and how many messages a receiver requests at a time.
"""

import time
from collections.abc import Callable
from threading import Lock

from msgspec import Struct

from router.runtime.aws.calls import boottime

MAX_MESSAGES = 10
"""Messages of one ReceiveMessage call:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
MAX_BATCH_CHARACTERS = 1024 * 1024
"""Characters of the bodies of one receive batch, estimated from the previous batch."""
BACKLOG_SHARE = 0.6
"""A receive this full indicates a backlog: the next request is doubled.

Not every call of a large request is full, because a short poll samples only some of SQS's servers:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""
SPARSE_MESSAGES = 5
"""A round with fewer messages indicates more receivers than the queue needs."""
BASELINE_GROWTH = 0.005
"""The shortest round time grows by this share each second.

An old measurement does not apply for ever then.
"""
THROTTLED_SHARE = 0.5
"""If a larger share of a queue's messages is throttled, its tables are the cause.

Otherwise some of the messages are.
"""
SHARE_WINDOW = 100
"""The messages of which the throttled share is measured.

They are few enough to notice an outage within ten receives. They are so many that one message of a
quiet queue, which is received again and again, is a small share.
"""
RECEIVERS_IN_TURN = 2
"""While messages are frequent, one receiver polls when the other writes."""
CPU_WINDOW_SECONDS = 0.05
"""The CPU share is measured over at least this time.

It is accurate enough then, and the time is short beside the growth of receivers.
"""


class Round(Struct, frozen=True):
    """The measurements of one round of a receiver.

    `received` counts its messages. `full` says that the queue has a backlog and the batch had its
    maximum size. `seconds` is its duration. `throttled` is the share of the queue's latest messages
    that were throttled or met another outage; 0 if none of this round was. `failed` says that the
    queue could not be read in time. `frequent` says that its messages followed soon.
    """

    received: int = 0
    full: bool = False
    seconds: float = 0.0
    throttled: float = 0.0
    failed: bool = False
    frequent: bool = False

    @property
    def is_throttled(self) -> bool:
        """Whether most messages of the queue are throttled."""
        return self.throttled >= THROTTLED_SHARE


class Tuning(Struct, frozen=True):
    """The limits of a receive batch, and when receivers of a queue are added and removed.

    A batch has at most `batch_messages`: eight full BatchWriteItem calls, twenty of ReceiveMessage.
    Its estimated processing time is at most `batch_seconds`. A worker with slow plugins or a
    throttled table can stop within its grace period then.

    A queue has at most `receivers`. Up to the `contended_*` values receivers are added, above the
    `overloaded_*` values they are removed. The ratios compare the time of a round with that of a
    single receiver, which has no contention. The CPU shares are of one core.
    """

    batch_messages: int = 200
    batch_seconds: float = 1.0
    contended_ratio: float = 1.5
    overloaded_ratio: float = 2.5
    contended_cpu: float = 0.75
    overloaded_cpu: float = 0.9
    receivers: int = 32


DEFAULT_TUNING = Tuning()


def has_backlog(requested: int, received: int) -> bool:
    """Return whether a receive indicates that more messages are waiting."""
    return received >= max(MAX_MESSAGES, requested * BACKLOG_SHARE)


class AdaptiveBatch:
    """The number of messages that a receiver requests: `size`, in steps of one full call.

    It doubles while receives indicate a backlog, up to `max_messages` and `max_seconds` of
    estimated processing time. Otherwise it follows the number of received messages.
    """

    def __init__(
        self,
        max_messages: int,
        max_seconds: float,
    ) -> None:
        self.size = MAX_MESSAGES
        self._max_messages = max_messages
        self._max_seconds = max_seconds

    def update(self, requested: int, received: int, characters: int, seconds: float) -> bool:
        """Set the next size after a batch and its processing time.

        Return whether the largest batch left a backlog.
        """
        limit = self._limit(received, characters, seconds)
        backlog = has_backlog(requested, received)
        as_received = _full_calls(received + MAX_MESSAGES - 1)
        wanted = 2 * requested if backlog else as_received
        self.size = min(limit, wanted)
        return backlog and requested >= limit

    def _limit(self, received: int, characters: int, seconds: float) -> int:
        by_characters = MAX_BATCH_CHARACTERS * received // max(1, characters)
        by_seconds = self._max_seconds * received / max(seconds, 0.001)
        most = min(by_characters, int(min(by_seconds, self._max_messages)))
        return max(MAX_MESSAGES, _full_calls(most))


class ThrottledShare:
    """The share of the latest messages of a queue that were throttled; thread-safe.

    Those that met another outage count too.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._settled = 0.0
        self._throttled = 0.0

    def add(self, settled: int, throttled: int) -> float:
        """Count the messages of a batch, and return the share.

        It is 0 if none of the batch was throttled. The more messages the batch has, the less older
        ones count.
        """
        with self._lock:
            kept = max(0.0, 1 - (settled + throttled) / SHARE_WINDOW)
            self._settled = self._settled * kept + settled
            self._throttled = self._throttled * kept + throttled
            if not throttled:
                return 0.0
            return self._throttled / (self._settled + self._throttled)


class CpuShare:
    """Measures the share of one core that this process uses.

    With the global interpreter lock it is at most about 1.
    """

    def __init__(self) -> None:
        self._measured_at = boottime()
        self._cpu_then = time.process_time()
        self._share = 0.0

    def __call__(self) -> float:
        """Return the share during the last complete window."""
        now = boottime()
        cpu_now = time.process_time()
        passed = now - self._measured_at
        if passed >= CPU_WINDOW_SECONDS:
            self._share = (cpu_now - self._cpu_then) / passed
            self._measured_at = now
            self._cpu_then = cpu_now
        return self._share


class AdaptiveConcurrency:
    """The number of receivers that a queue should have: `target`, from 1 to `limit`.

    A full round adds a receiver, which doubles them within the time of a round. That ends when
    rounds become slower or the process uses most of a core. After an overload, a receiver is added
    only when each has had a full round.

    An empty round, a failed one, and one of a throttled queue halves the target. A sparse round
    removes a receiver, so that those left receive larger batches.
    """

    def __init__(
        self,
        limit: int,
        cpu_share: Callable[[], float] = lambda: 0.0,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self.target = 1
        self._limit = limit
        self._cpu_share = cpu_share
        self._tuning = tuning
        self._baseline = float("inf")
        self._overloaded_rounds = 0
        self._good_rounds = 0
        self._was_overloaded = False
        self._least = 1

    def update(self, finished: Round, may_grow: Callable[[], bool]) -> None:
        """Adapt the target to a finished round; `may_grow` can veto a further receiver."""
        if finished.failed or finished.is_throttled or not finished.received:
            self.target = max(1, self.target // 2)
            self._least = 1
            self._was_overloaded = False
        elif finished.full:
            self._update_full(finished, may_grow)
        else:
            is_idle = self._cpu_share() <= self._tuning.contended_cpu
            if finished.frequent and is_idle and may_grow():
                self._least = min(RECEIVERS_IN_TURN, self._limit)
            is_sparse = finished.received < SPARSE_MESSAGES
            self.target = max(self._least, self.target - is_sparse)

    def add(self, running: int) -> None:
        """Ask for one receiver more than are running, within the limit."""
        self.target = min(self._limit, running + 1)

    def _update_full(self, finished: Round, may_grow: Callable[[], bool]) -> None:
        seconds = finished.seconds
        if self.target == 1:
            # A single receiver has no contention, so its rounds are the baseline.
            self._baseline = seconds
        else:
            growth = 1 + BASELINE_GROWTH * seconds / self.target
            self._baseline = min(seconds, self._baseline * growth)
        cpu_share = self._cpu_share()
        tuning = self._tuning
        contended_from = tuning.contended_ratio * self._baseline
        overloaded_from = tuning.overloaded_ratio * self._baseline
        if seconds <= contended_from and cpu_share <= tuning.contended_cpu:
            self._grow(may_grow)
            return
        is_overloaded = seconds > overloaded_from or cpu_share > tuning.overloaded_cpu
        if is_overloaded and self.target > 1:
            self._note_overload()

    def _note_overload(self) -> None:
        # Every receiver reports the same overload; remove one receiver for all these reports.
        self._overloaded_rounds += 1
        if self._overloaded_rounds >= self.target:
            self._overloaded_rounds = 0
            self._good_rounds = 0
            self._was_overloaded = True
            self.target -= 1

    def _grow(self, may_grow: Callable[[], bool]) -> None:
        self._good_rounds += 1
        if self._was_overloaded and self._good_rounds < self.target:
            return
        if self.target < self._limit and may_grow():
            self._good_rounds = 0
            self.target += 1


def _full_calls(count: int) -> int:
    """Round a number of messages down to whole calls."""
    return count // MAX_MESSAGES * MAX_MESSAGES
