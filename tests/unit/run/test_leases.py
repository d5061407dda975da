"""Visibility leases: renewal, receipt handles and release."""

import logging
import threading
from typing import Any

import pytest

from router.model import Record
from router.run.leases import MAX_SECONDS, Leases
from tests.support.aws import AwsFault

REFUSED = AwsFault("refused", "MessageNotInflight", 400)


@pytest.fixture
def leases(queues: Any, time_: Any) -> Leases:
    """No leases yet."""
    return Leases(queues, time_)


def record(id_: str, handle: str = "h") -> Record:
    return Record(id_, handle, "{}")


def test_renewal(leases: Leases, queues: Any, time_: Any) -> None:
    """A lease is renewed for its whole timeout when half of it is over, and not before."""
    lease = leases.acquire("url", 30, [record("m1"), record("m2")])
    untils = []
    for seconds in (14, 1, 10, 5):
        time_.now += seconds
        leases.renew()
        untils.append(lease.until - 100)

    assert (queues.released, untils) == ([[("m1", "h", 30), ("m2", "h", 30)]] * 2, [30, 45, 45, 60])


def test_never_past_twelve_hours(leases: Leases, queues: Any, time_: Any) -> None:
    """The last renewal is shorter, and after twelve hours there are none."""
    lease = leases.acquire("url", 30, [record("m1")])
    time_.now += MAX_SECONDS - 20
    leases.renew()
    time_.now += 20
    leases.renew()

    assert (queues.released, lease.until) == ([[("m1", "h", 20)]], 100 + MAX_SECONDS)


def test_not_renewed(leases: Leases, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture) -> None:
    """If one message of a lease cannot be renewed, the end of the lease does not move."""
    queues.faults["m2"] = REFUSED
    lease = leases.acquire("url", 30, [record("m1"), record("m2")])
    time_.now += 15

    with caplog.at_level(logging.WARNING, "router"):
        leases.renew()

    assert (lease.until, [entry.__dict__["fields"] for entry in caplog.records]) == (
        130,
        [{"message_id": "m2", "error": "MessageNotInflight"}],
    )


def test_newest_receipt_handle(leases: Leases, queues: Any, time_: Any) -> None:
    """A message that is received again is renewed by its newest receipt handle until its last lease is released."""
    first = leases.acquire("url", 30, [record("m1", "old")])
    second = leases.acquire("url", 30, [record("m1", "new")])
    leases.release(first)

    handles = leases.handles("url", ["m1"])
    leases.release(second)
    time_.now += 15
    leases.renew()

    assert (handles, queues.released) == ([("m1", "new")], [])


def test_release_all(leases: Leases, queues: Any) -> None:
    """The visibility timeout of all leased messages is set to 0, queue by queue."""
    leases.acquire("one", 30, [record("m1"), record("m2")])
    leases.acquire("two", 30, [record("m1", "other")])

    leases.release_all(200.0)

    assert queues.released == [[("m1", "h", 0), ("m2", "h", 0)], [("m1", "other", 0)]]


def test_release_all_until_a_deadline(leases: Leases, queues: Any, time_: Any) -> None:
    """After the deadline no call is begun."""
    leases.acquire("one", 30, [record("m1")])
    leases.acquire("two", 30, [record("m2")])
    time_.step = 1.0
    start = time_.now

    leases.release_all(start + 1.5)

    assert queues.released == [[("m1", "h", 0)]]


def test_heartbeat_continues_after_errors(
    leases: Leases, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Heartbeats continue after an error and end with the event."""
    rounds = iter([False, False, True])

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            return next(rounds)

    leases.acquire("url", 30, [record("m1")])
    time_.now += 15
    queues.change_visibility = None

    with caplog.at_level(logging.ERROR, "router"):
        leases.heartbeat(Event())

    assert [entry.getMessage() for entry in caplog.records] == [
        "unexpected error while extending visibility timeouts"
    ] * 2
