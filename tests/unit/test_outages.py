"""The simulated outage of one of two tables: what each remedy does to the messages of the other."""

import pytest

from docs.generate.outages import (
    ALARMING,
    ENDS,
    IN_FLIGHT_QUOTA,
    RATES,
    REMEDIES,
    Measures,
    Outage,
)


def simulated(rate: int) -> dict[str, Measures]:
    """What each remedy leads to."""
    return {remedy.name: Outage(remedy, rate).run() for remedy in REMEDIES}


@pytest.mark.parametrize("rate", RATES)
def test_what_the_function_does(rate: int) -> None:
    """No healthy message is delayed, none is a dead letter, and no alarm rings for messages in flight."""
    found = simulated(rate)["postponed copies"]

    assert (found.delayed, found.dead_letters, found.quota_minutes) == (0, 0, 0)
    assert found.in_flight < ALARMING
    assert found.over_after < 2 * 3600


@pytest.mark.parametrize("rate", RATES)
def test_what_it_did_before(rate: int) -> None:
    """Waits that grow alone fill the quota, so that healthy messages wait; they lose nothing."""
    found = simulated(rate)["waits that grow"]

    assert found.in_flight == pytest.approx(IN_FLIGHT_QUOTA)
    assert found.delayed > rate / 2 * ENDS / 10
    assert found.dead_letters == 0


@pytest.mark.parametrize("rate", RATES)
def test_the_others_are_worse(rate: int) -> None:
    """Each delays healthy messages or makes dead letters."""
    others = {name: each for name, each in simulated(rate).items() if name != "postponed copies"}

    assert all(each.delayed + each.dead_letters > rate for each in others.values())
    assert others["waits of 30 seconds"].dead_letters > 100_000


def test_twice_as_many() -> None:
    """2,000 messages a second are within the quota too."""
    found = Outage(REMEDIES[-1], 2_000).run()

    assert (found.delayed, found.quota_minutes) == (0, 0)
