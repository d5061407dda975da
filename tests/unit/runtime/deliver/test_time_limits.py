"""Until when the calls of a batch may start, and how long a caller may wait for retries."""

from typing import Any

import pytest

from router.runtime.deliver.time_limits import (
    MAX_WAIT_SECONDS,
    MIN_LEFT_SECONDS,
    RESERVE_SECONDS,
    WAIT_SHARE,
    FixedDeadline,
    SharedWaits,
    StartLimit,
    WaitBudget,
)
from tests.support.aws import Duration


@pytest.mark.parametrize(
    ("longest", "moment"),
    [
        pytest.param((0.0, 0.0), 99.5, id="nothing is known"),
        pytest.param((1.0, 3.0), 93.5, id="twice the longest call"),
        pytest.param((60.0, 0.0), 60.0, id="half the remaining time"),
    ],
)
def test_margin(longest: tuple[float, float], moment: float) -> None:
    """A call that starts can take as long as the longest of late, and as long again; the margin has an upper limit."""
    durations = [Duration(), Duration()]
    for duration, seconds in zip(durations, longest, strict=True):
        duration.add(seconds)

    assert StartLimit(FixedDeadline(100.0), 20.0, durations).moment == moment


def test_margin_of_a_short_time() -> None:
    """Where hardly any time remains, no call starts."""
    assert StartLimit(FixedDeadline(100.0), 99.6, [Duration()]).moment == 99.5


def test_deadline_moves() -> None:
    """The limit follows a deadline that moves; the largest margin is that of the beginning."""

    class Moving:
        end = 100.0

    deadline, duration = Moving(), Duration()
    limit = StartLimit(deadline, 80.0, [duration])
    duration.add(60.0)
    first = limit.moment
    deadline.end = 200.0

    assert (first, limit.moment) == (90.0, 190.0)


def test_time_of_a_call() -> None:
    """A call is timed out before the deadline; the final ones, which come after it, have all the time that is left."""
    final = Duration()
    limit = StartLimit(FixedDeadline(100.0), 80.0, [Duration()], final)

    assert (limit.timeout(90.0), limit.final_timeout(90.0)) == (10.0 - RESERVE_SECONDS, 10.0)


def test_margin_of_final_calls() -> None:
    """The margin has time for dead letters and visibility timeouts, as long as they took of late."""
    final = Duration()
    final.add(2.0)
    limit = StartLimit(FixedDeadline(100.0), 80.0, [Duration()], final)

    assert (limit.moment, limit.final_timeout(97.0), limit.final_timeout(98.0)) == (95.5, 3.0, 0.0)


def test_final_calls_after_a_slow_one() -> None:
    """One slow call does not keep the later ones from starting."""
    final = Duration()
    final.add(60.0)
    limit = StartLimit(FixedDeadline(100.0), 80.0, [Duration()], final)

    assert (limit.final_timeout(94.0), limit.final_timeout(96.0)) == (6.0, 0.0)


def test_budget(time_: Any) -> None:
    """It allows waits up to its maximum, then a share of the time that passes, and never more than the maximum."""
    budget = WaitBudget(time_)
    taken = [budget.take(MAX_WAIT_SECONDS), budget.take(0.1)]
    time_.now += 1
    taken += [budget.take(WAIT_SHARE), budget.take(0.1)]
    time_.now += 3600
    taken += [budget.take(2 * MAX_WAIT_SECONDS), budget.take(MAX_WAIT_SECONDS)]

    assert taken == [True, False, True, False, False, True]


def test_first_waits(time_: Any) -> None:
    """It may begin with less than its maximum, so that each new caller does not wait for long at first."""
    budget = WaitBudget(time_, SharedWaits(0.2))

    assert ([budget.take(0.3), budget.take(0.15), budget.take(0.1)], budget.taken) == ([False, True, False], 0.15)


def test_shared(time_: Any) -> None:
    """What callers share is used up by all of them, refilled as time passes for each, and counted for each."""
    shared = SharedWaits(0.25)
    budgets = [WaitBudget(time_, shared) for _ in range(4)]
    taken = [each.take(0.125) for each in budgets]
    time_.now += 1.25
    taken += [each.take(0.125) for each in budgets]

    assert (taken, [each.taken for each in budgets]) == (
        [True, True, False, False, True, True, True, True],
        [0.25, 0.25, 0.125, 0.125],
    )


def test_corrections(time_: Any) -> None:
    """What a retry took longer than its wait is missing for the next; what it took less can be taken again."""
    budget = WaitBudget(time_, SharedWaits(0.25))
    taken = [budget.take(0.125)]
    budget.correct(0.125)
    taken.append(budget.take(0.125))
    budget.correct(-0.25)
    taken.append(budget.take(0.125))

    assert (taken, budget.taken) == ([True, False, True], 0.125)


def test_little_is_left(time_: Any) -> None:
    """Short waits, each as soon as it is allowed, would be many: they are allowed again once there is more."""
    budget = WaitBudget(time_, SharedWaits(0.0))
    time_.now += 0.9 * MIN_LEFT_SECONDS / WAIT_SHARE
    taken = [budget.take(0.001)]
    time_.now += 0.2 * MIN_LEFT_SECONDS / WAIT_SHARE
    taken.append(budget.take(0.001))

    assert taken == [False, True]
