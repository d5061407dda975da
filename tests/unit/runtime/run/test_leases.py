"""Visibility leases: renewal, receipt handles and release."""

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from router.model import Record
from router.runtime.run.leases import MAX_SECONDS, Leases
from tests.support.aws import AwsFault, boottime

REFUSED = AwsFault("refused", "MessageNotInflight", 400)


@pytest.fixture
def leases(queues: Any, time_: Any) -> Leases:
    """No leases yet."""
    return Leases(queues, time_)


def record(id_: str, handle: str = "h") -> Record:
    return Record(id_, handle, "{}")


def renew(leases: Leases) -> None:
    """Extend the leases that are due, and wait for it."""
    for thread in leases.renew():
        thread.join()


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[Any]:
    """The fields of the records with a message; threads of other tests may log others."""
    return [entry.__dict__.get("fields") for entry in caplog.records if entry.getMessage() == message]


def test_renewal(leases: Leases, queues: Any, time_: Any) -> None:
    """A lease is renewed for its whole timeout when half of it is over, and not before."""
    lease = leases.acquire("url", 30, [record("m1"), record("m2")], time_.now)
    untils = []
    for seconds in (14, 1, 10, 5):
        time_.now += seconds
        renew(leases)
        untils.append(lease.until - 100)

    assert (queues.released, untils) == ([[("m1", "h", 30), ("m2", "h", 30)]] * 2, [30, 45, 45, 60])
    # Until the end of the lease: later, the receipt handles may be invalid.
    assert queues.times == [15, 15]


def test_counts_from_the_request(leases: Leases, queues: Any, time_: Any) -> None:
    """A lease is counted from the request of its messages, and renewed at once if half of it is over by then."""
    lease = leases.acquire("url", 30, [record("m1")], time_.now - 16)
    ends = [lease.until]
    renew(leases)

    assert (queues.released, [*ends, lease.until]) == ([[("m1", "h", 30)]], [114, 130])


def test_a_renewal_counts_from_its_request(leases: Leases, queues: Any, time_: Any) -> None:
    """SQS may have counted the new timeout from any moment after the call began, however late its response is."""
    lease = leases.acquire("url", 30, [record("m1")], time_.now)
    change = queues.change_visibility

    def change_slowly(*given: Any) -> Any:
        time_.now += 5
        return change(*given)

    queues.change_visibility = change_slowly
    time_.now += 15
    renew(leases)

    assert lease.until == 100 + 15 + 30


def test_over(leases: Leases, queues: Any, time_: Any) -> None:
    """A lease that is over, as after a pause of the process, is neither renewed nor released."""
    leases.acquire("url", 30, [record("m1")], time_.now)
    time_.now += 30

    renew(leases)
    leases.release_all(200.0)

    assert queues.released == []


def test_forgotten(leases: Leases, queues: Any, time_: Any) -> None:
    """Messages of a lease that are forgotten are not renewed, unless another lease has them."""
    lease = leases.acquire("url", 30, [record("m1"), record("m2"), record("m3")], time_.now)
    other = leases.acquire("url", 30, [record("m3", "newer")], time_.now)
    leases.forget(lease, {"m1", "m3"})
    time_.now += 15
    renew(leases)
    leases.release(lease)
    leases.release(other)

    assert (sorted(queues.released), leases.size) == ([[("m2", "h", 30)], [("m3", "newer", 30)]], 0)


def test_received_again(leases: Leases, queues: Any, time_: Any) -> None:
    """A message has as many leases as it was received; all are renewed by its newest receipt handle until the last."""
    held = [leases.acquire("url", 30, [record("m1", handle)], time_.now) for handle in ("a", "b")]
    held.append(leases.acquire("url", 30, [record("m1", "c"), record("m2"), record("m1", "d")], time_.now))
    elsewhere = leases.acquire("other", 30, [record("m1", "e")], time_.now)
    found = []
    for lease in held:
        leases.release(lease)
        found.append(leases.handles("url", [record("m1")] if lease is not held[-1] else []))
    time_.now += 15
    renew(leases)
    leases.release(elsewhere)
    with pytest.raises(KeyError):
        leases.handles("url", [record("m1")])
    leases.acquire("url", 30, [record("m1", "f")], time_.now)

    assert (found, queues.released, leases.handles("url", [record("m1")])) == (
        [[("m1", "d")], [("m1", "d")], []],
        [[("m1", "e", 30)]],
        [("m1", "f")],
    )


def test_never_past_twelve_hours(leases: Leases, queues: Any, time_: Any) -> None:
    """The last renewal is shorter, and after twelve hours there are none."""
    lease = leases.acquire("url", 3600, [record("m1")], time_.now)
    for _ in range(24):
        time_.now += 1801
        renew(leases)

    assert ([seconds for ((_, _, seconds),) in queues.released[-2:]], len(queues.released), lease.until) == (
        [3600, MAX_SECONDS - 22 * 1801],
        22,
        100 + MAX_SECONDS,
    )


def test_not_renewed(leases: Leases, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture) -> None:
    """If one message of a lease cannot be renewed, the end of the lease does not move; half of the rest later it is."""
    queues.faults["m2"] = REFUSED
    lease = leases.acquire("url", 30, [record("m1"), record("m2")], time_.now)
    time_.now += 15

    with caplog.at_level(logging.WARNING, "router"):
        renew(leases)
        first = lease.until
        queues.faults.clear()
        for seconds in (7, 0.5):
            time_.now += seconds
            renew(leases)

    assert (first, lease.until, len(queues.released)) == (130, 152.5, 2)
    assert logged(caplog, "cannot extend the visibility timeout") == [
        {"message_id": "m2", "error": "MessageNotInflight"}
    ]


class Hanging:
    """Makes the changes of one queue hang until the end of the test."""

    def __init__(self, queues: Any) -> None:
        self.end = threading.Event()
        self.changed = threading.Event()
        """Set when messages of another queue were changed."""
        self._change = queues.change_visibility

    def __call__(self, url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        if url == "hangs":
            self.end.wait()
        changed: dict[str, AwsFault] = self._change(url, messages, timeout)
        self.changed.set()
        return changed


@pytest.fixture
def hanging(queues: Any) -> Iterator[Hanging]:
    """The changes of the queue `hangs` hang."""
    queues.change_visibility = change = Hanging(queues)
    yield change
    change.end.set()


@pytest.mark.usefixtures("hanging")
def test_a_renewal_that_hangs(leases: Leases, queues: Any, time_: Any) -> None:
    """It delays no other renewal, nor the end of the process, and is not begun again meanwhile."""
    leases.acquire("hangs", 30, [record("m0")], time_.now)
    leases.acquire("url", 30, [record("m1")], time_.now)
    begun = []
    for seconds in (15, 5, 10):
        time_.now += seconds
        threads = leases.renew()
        begun.append([thread.daemon for thread in threads])
        for thread in threads[-1:]:
            thread.join()

    assert (begun, queues.released) == ([[True, True], [], [True]], [[("m1", "h", 30)]] * 2)


def test_a_release_that_hangs(queues: Any, hanging: Hanging) -> None:
    """The messages of other leases are released, and the call is waited for no longer than until the deadline."""
    leases = Leases(queues)
    leases.acquire("hangs", 30, [record("m0")], boottime())
    leases.acquire("url", 30, [record("m1")], boottime())

    leases.release_all(boottime() + 0.1)

    assert hanging.changed.wait(60)
    assert queues.released == [[("m1", "h", 0)]]


def test_a_release_that_raises(leases: Leases, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged for each lease; the messages become visible when it ends."""
    for url in ("one", "two"):
        leases.acquire(url, 30, [record("m1")], time_.now)
    queues.change_visibility = None

    with caplog.at_level(logging.ERROR, "router"):
        leases.release_all(200.0)

    assert len(logged(caplog, "unexpected error while making messages visible")) == 2


def test_release_after_the_deadline(leases: Leases, time_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no call is waited for."""
    waits: list[float | None] = []
    monkeypatch.setattr(threading.Thread, "join", lambda thread, timeout=None: waits.append(timeout))
    for id_ in ("m1", "m2"):
        leases.acquire("url", 30, [record(id_)], time_.now)

    leases.release_all(time_.now - 1)

    assert waits == [0.0, 0.0]


def test_no_further_thread(leases: Leases, queues: Any, time_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none can be started, messages are renewed and released one lease after the other."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    for url in ("one", "two"):
        leases.acquire(url, 30, [record("m1")], time_.now)
    time_.now += 15
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        renew(leases)
        leases.release_all(time_.now + 1)

    assert queues.released == [[("m1", "h", 30)]] * 2 + [[("m1", "h", 0)]] * 2


def test_newest_receipt_handle(leases: Leases, queues: Any, time_: Any) -> None:
    """A message that is received again is renewed by its newest receipt handle until its last lease is released."""
    first = leases.acquire("url", 30, [record("m1", "old")], time_.now)
    second = leases.acquire("url", 30, [record("m1", "new")], time_.now)
    leases.release(first)

    handles = leases.handles("url", [record("m1")])
    leases.release(second)
    time_.now += 15
    renew(leases)

    assert (handles, queues.released) == ([("m1", "new")], [])


def test_handles_of_released_messages(leases: Leases, time_: Any) -> None:
    """A handle is kept until the last lease of its message is released, and not longer."""
    first = leases.acquire("url", 30, [record("m1"), record("m2")], time_.now)
    second = leases.acquire("url", 30, [record("m1")], time_.now)
    leases.release(first)

    kept = leases.handles("url", [record("m1")])
    leases.release(second)

    assert [id_ for id_, _ in kept] == ["m1"]
    for id_ in ("m1", "m2"):
        with pytest.raises(KeyError):
            leases.handles("url", [record(id_)])


def test_release_all(leases: Leases, queues: Any, time_: Any) -> None:
    """The visibility timeout of all leased messages is set to 0, queue by queue."""
    leases.acquire("one", 30, [record("m1"), record("m2")], time_.now)
    leases.acquire("two", 30, [record("m1", "other")], time_.now)

    leases.release_all(200.0)

    assert sorted(queues.released) == [[("m1", "h", 0), ("m2", "h", 0)], [("m1", "other", 0)]]
    assert queues.times == [100.0, 100.0]


def test_released_messages_are_not_renewed(leases: Leases, queues: Any, time_: Any) -> None:
    """They stay visible while the worker stops, although their batch is not finished."""
    leases.acquire("url", 30, [record("m1")], time_.now)
    leases.release_all(200.0)
    time_.now += 15
    renew(leases)

    assert queues.released == [[("m1", "h", 0)]]


def test_heartbeat_continues_after_errors(
    leases: Leases, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A renewal that raises is logged, and repeated while the lease lasts."""
    leases.acquire("url", 30, [record("m1")], time_.now)
    queues.change_visibility = None

    with caplog.at_level(logging.ERROR, "router"):
        for seconds in (15, 10):
            time_.now += seconds
            renew(leases)

    assert len(logged(caplog, "unexpected error while extending visibility timeouts")) == 2


def test_heartbeat(leases: Leases, queues: Any, time_: Any) -> None:
    """Heartbeats renew what is due, several times a second, and end with the event."""
    renewed = threading.Event()

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            assert timeout <= 0.5
            return renewed.is_set()

    change = queues.change_visibility

    def change_visibility(url: str, messages: Any, timeout: float) -> Any:
        renewed.set()
        return change(url, messages, timeout)

    queues.change_visibility = change_visibility
    leases.acquire("url", 30, [record("m1")], time_.now - 15)

    leases.heartbeat(Event())

    assert renewed.is_set()


def test_forget_what_was_received_twice(leases: Leases, queues: Any, time_: Any) -> None:
    """No message that was received twice in a batch is renewed once it is forgotten, nor its handle kept for ever."""
    lease = leases.acquire("url", 30, [record("m1"), record("m1", "h2")], time_.now)

    leases.forget(lease, {"m1"})
    time_.now += 15
    renew(leases)
    leases.release(lease)

    assert queues.released == [[]]
    with pytest.raises(KeyError):
        leases.handles("url", [record("m1")])
