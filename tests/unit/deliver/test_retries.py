"""How long a caller may wait for retries."""

from typing import Any

from router.deliver.retries import MAX_WAIT_SECONDS, MIN_LEFT_SECONDS, WAIT_SHARE, WaitBudget


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
    budget = WaitBudget(time_, left=0.2)

    assert ([budget.take(0.3), budget.take(0.15), budget.take(0.1)], budget.taken) == ([False, True, False], 0.15)


def test_shared(time_: Any) -> None:
    """What callers share is used up by all of them, refilled as time passes for each, and counted for each."""
    first = WaitBudget(time_, left=0.25)
    budgets = [first, *[first.shared() for _ in range(3)]]
    taken = [each.take(0.125) for each in budgets]
    time_.now += 1.25
    taken += [each.take(0.125) for each in budgets]

    assert (taken, [each.taken for each in budgets]) == (
        [True, True, False, False, True, True, True, True],
        [0.25, 0.25, 0.125, 0.125],
    )


def test_corrections(time_: Any) -> None:
    """What a retry took longer than its wait is missing for the next; what it took less can be taken again."""
    budget = WaitBudget(time_, left=0.25)
    taken = [budget.take(0.125)]
    budget.correct(0.125)
    taken.append(budget.take(0.125))
    budget.correct(-0.25)
    taken.append(budget.take(0.125))

    assert (taken, budget.taken) == ([True, False, True], 0.125)


def test_little_is_left(time_: Any) -> None:
    """Short waits, each as soon as it is allowed, would be many: they are allowed again once there is more."""
    budget = WaitBudget(time_, left=0.0)
    time_.now += 0.9 * MIN_LEFT_SECONDS / WAIT_SHARE
    taken = [budget.take(0.001)]
    time_.now += 0.2 * MIN_LEFT_SECONDS / WAIT_SHARE
    taken.append(budget.take(0.001))

    assert taken == [False, True]
