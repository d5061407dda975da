"""The simulated nights: each fault rings, and nothing rings in those without one."""

from typing import Any

import pytest

from docs.generate.nights import NIGHTS, Measured, alarms, evaluate, found_in, rings

WITHIN = {
    "one table of ten fails": ("RetriesAlarm", 20),
    "all tables fail": ("StalledAlarm", 20),
    "what reads the queue cannot start": ("StalledAlarm", 20),
    "the sender stops": ("SilentAlarm", 60),
}
"""The alarm that has to ring, and within how many minutes."""


@pytest.mark.parametrize("worker", [False, True], ids=["function", "worker"])
@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: night.name)
def test_a_night(night: Any, worker: bool) -> None:
    """Whatever is wrong rings within an hour, most of it within twenty minutes; what is not wrong does not."""
    found = found_in(night, worker=worker)

    if not night.fails:
        assert found == {}
        return
    name, most = WITHIN.get(night.name, (next(iter(found)), 20))
    assert 0 < found[name] <= most


def test_messages_in_flight_near_the_quota() -> None:
    """Five minutes of them ring, and four do not."""
    alarm = alarms(worker=False)["InFlightAlarm"]
    found = []
    for minutes in (4, 5):
        measured = Measured()
        for minute in range(10, 10 + minutes):
            measured.add(minute, "ApproximateNumberOfMessagesNotVisible", 100_000)
        found.append(rings(alarm, measured))

    assert found == [None, 15]


def test_an_expression_that_divides_by_zero() -> None:
    """It has no value, as in CloudWatch."""
    assert evaluate("100 * a / b", {"a": 1.0, "b": 0.0}) is None
