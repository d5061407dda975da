"""Lets the receivers of a queue poll one after the other while few messages come.

A message that is sent while the only receiver writes waits until it polls again. So a second one polls meanwhile. If
both polled all the time, they would make half as many calls more, for fewer messages each: the second one begins when
more than half of a write is over. With a backlog, all receivers poll at any time.

Why: docs/decisions/mechanisms-that-hold-a-floor.md
"""

from threading import TIMEOUT_MAX, Condition, Lock

from router.runtime.aws.calls import Clock, blocking, boottime

SHARE = 0.55
"""The next long poll may begin after this share of the time that a delivery usually takes."""
WEIGHT = 0.125
"""The weight of the last delivery in that time, which is a moving average."""


class LongPolls:
    """The long polls of one queue, of which mostly one is under way; thread-safe."""

    def __init__(self, clock: Clock = boottime) -> None:
        self._clock = clock
        self._changed = Condition(Lock())
        self._receiver: object = None
        """The one that polled last."""
        self._free_at = 0.0
        """From this moment on, another one may poll."""
        self._usual = 0.0
        """The seconds of a delivery."""
        self._backlog = False
        self._closed = False

    def begin(self, receiver: object) -> bool:
        """Return whether a receiver may poll now: if it polled last, if nobody polls, or if all may."""
        with self._changed:
            return self._may_begin(receiver)

    def wait(self, receiver: object) -> None:
        """Wait until a receiver may poll."""
        with blocking, self._changed:
            while not self._may_begin(receiver):
                left = self._free_at - self._clock()
                self._changed.wait(min(left, TIMEOUT_MAX))

    def deliver(self, receiver: object, *, backlog: bool) -> None:
        """Note that a receiver delivers what it received, and whether that left a backlog."""
        with self._changed:
            self._backlog = backlog
            if backlog:
                self._changed.notify_all()
            self._pass_on(receiver, self._clock() + SHARE * self._usual)

    def delivered(self, seconds: float) -> None:
        """Note how long a delivery took."""
        with self._changed:
            self._usual += WEIGHT * (seconds - self._usual) if self._usual else seconds

    def end(self, receiver: object) -> None:
        """Note the end of a round: another receiver may poll at once."""
        with self._changed:
            self._pass_on(receiver, 0.0)

    def close(self) -> None:
        """Let all poll that wait: the worker stops."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _may_begin(self, receiver: object) -> bool:
        is_next = self._receiver is receiver or self._clock() >= self._free_at
        if is_next:
            self._receiver = receiver
            self._free_at = float("inf")
        return is_next or self._backlog or self._closed

    def _pass_on(self, receiver: object, moment: float) -> None:
        if self._receiver is receiver:
            self._free_at = moment
            self._changed.notify()
