"""Renewing what a worker holds."""

import logging
import threading
from typing import Any

import pytest

from router.aws.faults import Fault
from router.model import Record
from router.run.leases import LONGEST_SECONDS, Held

REFUSED = Fault("refused", "MessageNotInflight", 400)


@pytest.fixture
def held(queues: Any, time_: Any) -> Held:
    """Nothing is held yet."""
    return Held(queues, time_)


def record(id_: str, handle: str = "h") -> Record:
    return Record(id_, handle, "{}")


def test_renews_at_half_time(held: Held, queues: Any, time_: Any) -> None:
    """A hold is renewed when half of its time is over, for its whole time again, and not before."""
    hold = held.take("url", 30, [record("m1"), record("m2")])
    untils = []
    for seconds in (14, 1, 10, 5):
        time_.now += seconds
        held.renew()
        untils.append(hold.until - 100)

    assert (queues.released, untils) == ([[("m1", "h", 30), ("m2", "h", 30)]] * 2, [30, 45, 45, 60])


def test_never_past_twelve_hours(held: Held, queues: Any, time_: Any) -> None:
    """The last renewals are shorter, and then there are none."""
    hold = held.take("url", 30, [record("m1")])
    time_.now += LONGEST_SECONDS - 20
    held.renew()
    time_.now += 20
    held.renew()

    assert (queues.released, hold.until) == ([[("m1", "h", 20)]], 100 + LONGEST_SECONDS)


def test_not_renewed(held: Held, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Where one message of a hold cannot be renewed, its end stays where it was."""
    queues.faults["m2"] = REFUSED
    hold = held.take("url", 30, [record("m1"), record("m2")])
    time_.now += 15

    with caplog.at_level(logging.WARNING, "router"):
        held.renew()

    assert (hold.until, [entry.__dict__["fields"] for entry in caplog.records]) == (
        130,
        [{"message_id": "m2", "error": "MessageNotInflight"}],
    )


def test_newest_handle(held: Held, queues: Any, time_: Any) -> None:
    """A message that comes again while it is held goes by its newest handle, until nobody holds it."""
    first = held.take("url", 30, [record("m1", "old")])
    second = held.take("url", 30, [record("m1", "new")])
    held.let_go(first)

    handles = held.handles("url", ["m1"])
    held.let_go(second)
    time_.now += 15
    held.renew()

    assert (handles, queues.released) == ([("m1", "new")], [])


def test_release_all(held: Held, queues: Any) -> None:
    """All that is held can be shown to others at once, queue by queue."""
    held.take("one", 30, [record("m1"), record("m2")])
    held.take("two", 30, [record("m1", "other")])

    held.release_all()

    assert queues.released == [[("m1", "h", 0), ("m2", "h", 0)], [("m1", "other", 0)]]


def test_no_error_ends_it(held: Held, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The renewing thread goes on after an error, and ends when it is told to."""
    rounds = iter([False, False, True])

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return next(rounds)

    held.take("url", 30, [record("m1")])
    time_.now += 15
    queues.release = None

    with caplog.at_level(logging.ERROR, "router"):
        held.keep(Event())

    assert [entry.getMessage() for entry in caplog.records] == ["unexpected error while renewing"] * 2
