"""Several calls at a time: in one thread where the client can send now and read later, else in several."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from select import POLLIN, poll
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from router.aws.client import Answer, Pending
from router.aws.run_lock import away

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

CALLS_AT_ONCE = 8
"""Calls that are under way at a time, of one writer."""

Job = TypeVar("Job")
_Job_contra = TypeVar("_Job_contra", contravariant=True)
Clock = Callable[[], float]
Deadline = Callable[[], float]


class Calls(Protocol[_Job_contra]):
    """Makes calls, some at a time."""

    call_seconds: float
    """How long a call takes: the longest of late, forgotten little by little."""

    def make(self, jobs: Sequence[_Job_contra], deadline: Deadline) -> list[Answer | None]:
        """What each call was answered; None where it was too late to begin it."""


class OneThread(Generic[Job]):
    """Sends calls one after the other, and reads each answer when it comes; safe to use from several threads."""

    def __init__(self, begin: Callable[[Job], Pending], clock: Clock = time.monotonic) -> None:
        self._begin = begin
        self._clock = clock
        self.call_seconds = 0.0

    def make(self, jobs: Sequence[Job], deadline: Deadline) -> list[Answer | None]:
        """What each call was answered; None where it was too late to begin it."""
        answers: list[Answer | None] = [None] * len(jobs)
        poller = poll()
        # By what is polled, in the order of their beginnings.
        under_way: dict[int, tuple[int, Pending, float]] = {}
        left: Iterator[tuple[int, Job | None]] = iter(enumerate(jobs))
        while True:
            while len(under_way) < CALLS_AT_ONCE:
                number, job = next(left, (-1, None))
                if job is None:
                    break
                began = self._clock()
                if began >= deadline():
                    left = iter(())
                    break
                pending = self._begin(job)
                handle = pending.fileno()
                if handle < 0:
                    answers[number] = pending.finish()
                    continue
                poller.register(handle, POLLIN)
                under_way[handle] = number, pending, began
            if not under_way:
                return answers
            for handle, late in self._answered(poller, under_way):
                number, pending, began = under_way.pop(handle)
                poller.unregister(handle)
                answers[number] = pending.finish(late)
                self.call_seconds = max(self._clock() - began, self.call_seconds * 0.95)

    def _answered(self, poller: "poll", under_way: dict[int, tuple[int, Pending, float]]) -> list[tuple[int, bool]]:
        """Where an answer comes; or, if none does in time, the call that has waited for longest, which is late."""
        oldest, (_, pending, began) = next(iter(under_way.items()))
        if len(under_way) == 1:
            return [(oldest, False)]
        seconds = max(0.0, began + pending.seconds - self._clock())
        found = poller.poll(0)
        if not found:
            with away:
                found = poller.poll(seconds * 1000)
        return [(handle, False) for handle, _ in found] or [(oldest, True)]


class Threads(Generic[Job]):
    """Makes each call in a thread, for clients whose calls end with their answer; a single one in the caller's own."""

    def __init__(self, call: Callable[[Job], Answer], clock: Clock = time.monotonic) -> None:
        self._call = call
        self._clock = clock
        self.call_seconds = 0.0

    def make(self, jobs: Sequence[Job], deadline: Deadline) -> list[Answer | None]:
        """What each call was answered; None where it was too late to begin it."""

        def call(job: Job) -> Answer | None:
            began = self._clock()
            if began >= deadline():
                return None
            answer = self._call(job)
            self.call_seconds = max(self._clock() - began, self.call_seconds * 0.95)
            return answer

        return [call(jobs[0])] if len(jobs) == 1 else list(self._pool.map(call, jobs))

    @cached_property
    def _pool(self) -> "ThreadPoolExecutor":
        # Not what a cold start needs, most of all.
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(CALLS_AT_ONCE, "write")
