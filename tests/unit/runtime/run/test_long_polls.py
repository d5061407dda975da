"""Receivers of a queue poll one after the other while few messages come."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from router.runtime.run.long_polls import SHARE, LongPolls
from tests.support.aws import blocking, boottime

WRITE = 8.0
FIRST, SECOND, THIRD = "first", "second", "third"
SECONDS = 60.0
"""No test waits for so long, unless it fails."""


class Clock:
    """Shows a moment that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def polls(clock: Clock) -> LongPolls:
    """Those of a queue whose deliveries take 8 seconds, of which the first receiver has begun one."""
    polls = LongPolls(clock)
    assert polls.begin(FIRST)
    polls.delivered(WRITE)
    return polls


def test_one_polls_at_a_time(polls: LongPolls) -> None:
    """While a receiver waits for messages, only it may begin another poll."""
    assert (polls.begin(SECOND), polls.begin(FIRST)) == (False, True)


def test_the_next_polls_during_a_delivery(polls: LongPolls, clock: Clock) -> None:
    """From a share of the usual time of a delivery on; then none but it."""
    polls.deliver(FIRST, backlog=False)

    may = []
    for clock.now in (0.0, SHARE * WRITE - 0.1, SHARE * WRITE):
        may.append(polls.begin(SECOND))

    assert (may, polls.begin(FIRST)) == ([False, False, True], False)


def test_a_short_delivery(polls: LongPolls) -> None:
    """At its end the next one may poll, or the same one."""
    polls.deliver(FIRST, backlog=False)
    before = polls.begin(SECOND)
    polls.end(FIRST)

    assert (before, polls.begin(SECOND)) == (False, True)


def test_only_who_polled_last_passes_on(polls: LongPolls) -> None:
    """A receiver that ends its round later does not let a third one poll."""
    polls.end(FIRST)
    polls.begin(SECOND)

    polls.deliver(FIRST, backlog=False)
    polls.end(FIRST)

    assert not polls.begin(THIRD)


def test_the_usual_time_follows_deliveries(polls: LongPolls, clock: Clock) -> None:
    """Slower ones make it longer, one by one."""
    for _ in range(100):
        polls.delivered(2 * WRITE)
    polls.deliver(FIRST, backlog=False)

    clock.now = SHARE * 2 * WRITE - 0.1
    early = polls.begin(SECOND)
    clock.now = SHARE * 2 * WRITE

    assert (early, polls.begin(SECOND)) == (False, True)


def test_all_poll_with_a_backlog(polls: LongPolls) -> None:
    """Until a receive shows that it is gone."""
    polls.deliver(FIRST, backlog=True)
    may = [polls.begin(receiver) for receiver in (FIRST, SECOND, THIRD)]
    polls.deliver(SECOND, backlog=False)

    assert (may, polls.begin(SECOND)) == ([True, True, True], False)


def test_none_waits_after_the_end(polls: LongPolls) -> None:
    """Though a delivery that is under way when the worker stops leaves no backlog."""
    polls.close()
    polls.deliver(FIRST, backlog=False)

    assert polls.begin(SECOND)


class Waiting:
    """A thread that waits for its turn, with a lock that it has while it runs."""

    def __init__(self, polls: LongPolls) -> None:
        self.steps: list[str] = []
        self._polls = polls
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def acquire(self) -> None:
        self.steps.append("runs")

    def release(self) -> None:
        self.steps.append("waits")

    def _run(self) -> None:
        blocking.lock = self
        self._polls.wait(SECOND)

    def has_ended(self) -> bool:
        self._thread.join(SECONDS)
        return not self._thread.is_alive()


def pass_on_later(polls: LongPolls) -> None:
    polls.delivered(0.001)
    polls.deliver(FIRST, backlog=False)


@pytest.mark.parametrize(
    "happens",
    [
        lambda polls: polls.end(FIRST),
        lambda polls: polls.deliver(FIRST, backlog=True),
        lambda polls: polls.close(),
        pass_on_later,
    ],
    ids=["the other one ends", "a backlog", "the worker stops", "the other one delivers"],
)
def test_wait(happens: Callable[[Any], None]) -> None:
    """A receiver waits without the run lock until it may poll."""
    polls = LongPolls(boottime)
    polls.begin(FIRST)
    waiting = Waiting(polls)
    while "waits" not in waiting.steps:
        time.sleep(0.001)

    happens(polls)

    assert (waiting.has_ended(), waiting.steps) == (True, ["waits", "runs"])
