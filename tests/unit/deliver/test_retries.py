"""How long a caller may wait for retries."""

from typing import Any

from router.deliver.retries import MAX_WAIT_SECONDS, WAIT_SHARE, WaitBudget


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
