"""Several calls at the same time."""

import json
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest

from router.aws.http.queues import CONCURRENT_CALLS, SECONDS, TRIES, DirectQueues
from router.aws.http.service import FailedCall
from router.aws.protocols import OUT_OF_TIME, AwsFault, NonBlockingQueues, OutgoingMessage

LATE = AwsFault("retry", "ReadTimeoutError", 0)


class Service:
    """Calls that end after some seconds of their own clock; `noted` keeps what happened."""

    def __init__(self, seconds: float, digest: str | None = None) -> None:
        self.now = 0.0
        self._digest = digest
        self.noted: list[tuple[str, int]] = []
        self._seconds = seconds
        self.failure: FailedCall | None = None

    def begin(self, operation: str, body: bytes, timeout: Any, decode: Any) -> "Call":
        number = len([name for name, _ in self.noted if name == "begun"])
        self.noted.append(("begun", number))
        return Call(self, number, decode)

    def end(self, number: int, late: bool) -> dict[str, Any] | FailedCall:
        self.noted.append(("late" if late else "ended", number))
        if late:
            return FailedCall(LATE)
        self.now += self._seconds
        if self.failure:
            return self.failure
        message = {"MessageId": str(number), "ReceiptHandle": "handle", "Body": "", "MD5OfBody": self._digest}
        return {"Messages": [message]}


class Call:
    """A call of it."""

    def __init__(self, service: Service, number: int, decode: Any) -> None:
        self._service = service
        self._number = number
        self._decode = decode

    def fileno(self) -> int:
        return self._number

    def finish(self, late: bool = False) -> Any:
        response = self._service.end(self._number, late)
        return response if isinstance(response, FailedCall) else self._decode(json.dumps(response).encode())


@pytest.fixture
def receive() -> Callable[[Service, int], list[str]]:
    """Receives messages, and returns their ids."""

    def run(service: Any, count: int) -> list[str]:
        found = DirectQueues(service, clock=lambda: service.now).receive("url", count, 0, 30)
        assert not isinstance(found, AwsFault)
        return [record.message_id for record in found]

    return run


def test_the_last_is_waited_for_first(receive: Callable[[Service, int], list[str]]) -> None:
    """All are sent, then the last is read first; the messages are in the order of the calls."""
    service = Service(seconds=0)

    ids = receive(service, 30)

    assert (ids, service.noted) == (
        ["0", "1", "2"],
        [("begun", 0), ("begun", 1), ("begun", 2), ("ended", 2), ("ended", 1), ("ended", 0)],
    )


def test_bounded(receive: Callable[[Service, int], list[str]]) -> None:
    """The limit of concurrent calls holds; the others follow."""
    service = Service(seconds=0)

    ids = receive(service, 10 * (CONCURRENT_CALLS + 1))

    assert (len(ids), service.noted[-2:]) == (
        CONCURRENT_CALLS + 1,
        [("begun", CONCURRENT_CALLS), ("ended", CONCURRENT_CALLS)],
    )


def test_they_wait_together(receive: Callable[[Service, int], list[str]]) -> None:
    """All calls together have the time of one; then only responses that are there are read, without retries."""
    service = Service(seconds=SECONDS * 0.6)

    ids = receive(service, 40)

    assert (ids, service.noted[4:]) == (["2", "3"], [("ended", 3), ("ended", 2), ("late", 1), ("late", 0)])


def test_no_call_begins_after_its_time() -> None:
    """Of many dead letters those are reported that there was no time for; the calls before are made."""
    service: Any = Service(seconds=1.0)
    queues = DirectQueues(service, clock=lambda: service.now)
    messages = [OutgoingMessage(str(number), "body") for number in range(10 * (2 * CONCURRENT_CALLS + 1))]

    failed = queues.send("url", messages, 1.5)

    begun = [number for name, number in service.noted if name == "begun"]
    late = {id_ for id_, fault in failed.items() if fault == OUT_OF_TIME}
    assert (len(begun), len(late)) == (CONCURRENT_CALLS, 10 * (CONCURRENT_CALLS + 1))


def test_no_retry_after_its_time() -> None:
    """A call that fails is repeated only if there is time for the wait before."""
    service: Any = Service(seconds=0.0)
    slept: list[float] = []
    queues = DirectQueues(service, slept.append, clock=lambda: service.now)
    service.failure = FailedCall(AwsFault("retry", "ServiceUnavailable", 503))

    assert (queues.attributes("url", 0.0), queues.attributes("url", 1e-9), slept) == (
        OUT_OF_TIME,
        AwsFault("retry", "ServiceUnavailable", 503),
        [],
    )


def test_damaged(receive: Callable[[Service, int], list[str]], caplog: pytest.LogCaptureFixture) -> None:
    """A damaged body is left on the queue, and logged; an intact one is received."""
    damaged = receive(Service(seconds=0, digest="0" * 32), 10)
    whole = receive(Service(seconds=0, digest=md5(b"", usedforsecurity=False).hexdigest()), 10)

    assert (damaged, whole, [(entry.message, entry.__dict__["fields"]) for entry in caplog.records]) == (
        [],
        ["0"],
        [("the body is damaged", {"message_id": "0", "error": "ChecksumError"})],
    )


@pytest.mark.parametrize(("fault", "calls"), [(LATE, 1), (AwsFault("retry", "ServiceUnavailable", 503), TRIES)])
def test_a_receive_that_times_out(fault: AwsFault, calls: int) -> None:
    """It is not repeated, unlike one that fails at once: the lease of its messages is counted from the first call."""
    service: Any = Service(seconds=0)
    service.end = lambda number, late: FailedCall(fault)

    found = DirectQueues(service, sleep=lambda seconds: None).receive("url", 10, 20, 30)

    assert (found, len(service.noted)) == (fault, calls)


def test_a_receive_ends() -> None:
    """A receive ends with the visibility timeout of its messages, however the response comes; a long poll does not."""
    timeouts = []

    class Noted(Service):
        def begin(self, operation: str, body: bytes, timeout: Any, decode: Any) -> "Call":
            timeouts.append((timeout.seconds, timeout.until))
            return super().begin(operation, body, timeout, decode)

    service: Any = Noted(seconds=0)
    for wait, visibility in ((5, 40), (20, 5)):
        DirectQueues(service, clock=lambda: 100.0).receive("url", 10, wait, visibility)

    assert timeouts == [(5 + SECONDS, 140.0), (20 + SECONDS, 120.0 + SECONDS)]


def test_deletes_that_overlap_a_receive() -> None:
    """Both are sent before a response is read; a delete that fails is not repeated."""
    service: Any = Service(seconds=0)
    queues: Any = DirectQueues(service, clock=lambda: service.now)

    receive = queues.begin_receive("url", 20, 0, 30)
    delete = queues.begin_delete("url", [(str(number), "handle") for number in range(11)], 5.0)
    service.failure = FailedCall(AwsFault("retry", "ServiceUnavailable", 503))
    failed = delete.finish()
    service.failure = None
    found = receive.finish()

    assert (isinstance(queues, NonBlockingQueues), len(failed), len(found), [name for name, _ in service.noted]) == (
        True,
        11,
        2,
        ["begun"] * 4 + ["ended"] * 4,
    )


def test_what_overlapping_calls_wait_for() -> None:
    """The descriptor of the last call, whose response most likely comes last; none if it was not sent."""
    service: Any = Service(seconds=0)
    queues = DirectQueues(service, clock=lambda: service.now)
    messages = [(str(number), "handle") for number in range(11)]

    descriptors = [queues.begin_delete("url", messages, seconds).fileno() for seconds in (5.0, 0.0)]
    late = queues.begin_delete("url", messages, 0.0)

    assert (descriptors, late.until, set(late.finish().values())) == ([1, -1], SECONDS, {OUT_OF_TIME})
