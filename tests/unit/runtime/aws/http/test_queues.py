"""Several calls at the same time."""

import json
import os
from collections.abc import Callable
from hashlib import md5
from select import POLLIN
from typing import Any

import pytest

from router.runtime.aws.http.queues import SECONDS, TRIES, DirectQueues
from router.runtime.aws.http.service import CONCURRENT_CALLS, FailedCall
from router.runtime.aws.protocols import OUT_OF_TIME, AwsFault, NonBlockingQueues, OutgoingMessage

LATE = AwsFault("retry", "ReadTimeoutError", 0)


class Service:
    """Calls that end after some seconds of their own clock; `noted` keeps what happened."""

    def __init__(self, seconds: float, digest: str | None = None) -> None:
        self.now = 0.0
        self._digest = digest
        self.members: dict[str, Any] = {}
        """Further members of messages."""
        self.noted: list[tuple[str, int]] = []
        self.connecting = False
        """The connections of calls are open once something was polled."""
        self.begun_before_waiting: list[int] = []
        self.silent: set[int] = set()
        """The calls whose responses do not come."""
        self._seconds = seconds
        self.failure: FailedCall | None = None
        self.answers_at_once = False

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
        return {"Messages": [message | self.members]}


class Call:
    """A call of it."""

    events = POLLIN
    seconds = 0.05

    def __init__(self, service: Service, number: int, decode: Any) -> None:
        self.is_sent = not service.connecting
        self._service = service
        self._number = number
        self._decode = decode
        self._ready = -1 if service.answers_at_once else os.eventfd(number not in service.silent)

    def fileno(self) -> int:
        return self._ready

    def arrived(self) -> bool:
        if not self.is_sent:
            self._service.begun_before_waiting.append(len(self._service.noted))
            self.is_sent = True
            return False
        return True

    def finish(self, late: bool = False) -> Any:
        if self._ready >= 0:
            os.close(self._ready)
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


def test_all_are_sent_before_one_is_waited_for(receive: Callable[[Service, int], list[str]]) -> None:
    """Then each is read as it comes; the messages are in the order of the calls."""
    service = Service(seconds=0)

    ids = receive(service, 30)

    assert (ids, service.noted[:3], sorted(service.noted[3:])) == (
        ["0", "1", "2"],
        [("begun", 0), ("begun", 1), ("begun", 2)],
        [("ended", 0), ("ended", 1), ("ended", 2)],
    )


def test_connections_are_opened_together(receive: Callable[[Service, int], list[str]]) -> None:
    """All calls have begun before one is waited for whose connection may not be open yet."""
    service = Service(seconds=0)
    service.connecting = True

    receive(service, 30)

    assert service.begun_before_waiting == [3, 3, 3]


def test_bounded(receive: Callable[[Service, int], list[str]]) -> None:
    """The limit of concurrent calls holds; the others follow."""
    service = Service(seconds=0)

    ids = receive(service, 10 * (CONCURRENT_CALLS + 1))

    assert (len(ids), service.noted[-2:]) == (
        CONCURRENT_CALLS + 1,
        [("begun", CONCURRENT_CALLS), ("ended", CONCURRENT_CALLS)],
    )


@pytest.mark.parametrize("silent", [0, 1, 3])
def test_they_wait_together(silent: int) -> None:
    """All calls together have the time of one: the others are read meanwhile, and one that is late is not retried."""
    service: Any = Service(seconds=0)
    service.silent = {silent}

    found: Any = DirectQueues(service).receive("url", 40, 0, 30)

    assert [record.message_id for record in found] == [str(number) for number in range(4) if number != silent]
    assert (service.noted[-1], len(service.noted)) == (("late", silent), 8)


class Sqs:
    """Batch calls whose responses are read once no further call begins; `begun` has what was under way before each.

    `faults` are those of the first calls. Each response takes a second of its clock.
    """

    def __init__(self, *faults: AwsFault) -> None:
        self.now = 0.0
        self.faults = [*faults]
        self.sent: list[list[str]] = []
        self.begun: list[int] = []
        self.under_way = 0

    def begin(self, operation: str, body: bytes, timeout: Any, decode: Any) -> "Batch":
        entries = json.loads(body)["Entries"]
        self.sent.append([entry.get("MessageBody", operation) for entry in entries])
        self.begun.append(self.under_way)
        self.under_way += 1
        return Batch(self, [{"Id": entry["Id"]} for entry in entries], self.faults.pop(0) if self.faults else None)


class Batch:
    """One of them."""

    events = POLLIN
    seconds = 60.0

    def __init__(self, sqs: Sqs, ids: list[dict[str, str]], fault: AwsFault | None) -> None:
        self._sqs = sqs
        self._ids = ids
        self._fault = fault
        self._seen = 0
        self._ready = os.eventfd(1)

    def fileno(self) -> int:
        return self._ready

    def arrived(self) -> bool:
        waits, self._seen = self._seen == len(self._sqs.begun), len(self._sqs.begun)
        return waits

    def finish(self, late: bool = False) -> Any:
        os.close(self._ready)
        self._sqs.under_way -= 1
        self._sqs.now += 1.0
        return FailedCall(self._fault) if self._fault else {"Successful": self._ids}


def direct(sqs: Any, slept: list[float] | None = None) -> DirectQueues:
    return DirectQueues(sqs, (slept if slept is not None else []).append, lambda: sqs.now)


def outgoing(count: int, groups: int = 0) -> list[OutgoingMessage]:
    """Messages whose groups take turns."""
    return [OutgoingMessage(f"{n}", f"{n}", group_id=f"g{n % groups}" if groups else "") for n in range(count)]


def rounds(sqs: Sqs) -> list[int]:
    """How many calls were under way each time when responses were awaited."""
    starts = [place for place, each in enumerate(sqs.begun) if each == 0]
    return [end - start for start, end in zip(starts, [*starts[1:], len(sqs.begun)], strict=True)]


@pytest.mark.parametrize("operation", ["send", "change_visibility"])
def test_batch_calls_grow(operation: str) -> None:
    """Calls that succeed allow more at a time, as with writes; what comes later begins with as many."""
    sqs = Sqs()
    queues = direct(sqs)
    if operation == "send":
        failed = [queues.send("url", outgoing(count), 1e9) for count in (1200, 800)]
    else:
        hidden = [(f"{number}", "handle", 5) for number in range(1200)]
        failed = [queues.change_visibility("url", each, 1e9) for each in (hidden, hidden[:800])]

    assert (failed, rounds(sqs), len({*map(tuple, sqs.sent)})) == (
        [{}, {}],
        [40, 80, 80],
        120 if operation == "send" else 1,
    )


@pytest.mark.parametrize("code", ["RequestThrottled", "ServiceUnavailable"])
def test_a_throttled_queue_has_few_calls_at_a_time(code: str) -> None:
    """A queue that throttles is called few times at once; the calls that failed are repeated together."""
    sqs, slept = Sqs(*[AwsFault("retry", code, 503 if code == "ServiceUnavailable" else 400)] * 3), list[float]()

    failed = direct(sqs, slept).send("url", outgoing(600), 1e9)

    # Without the three that failed there are 57.
    assert (failed, rounds(sqs), len(slept)) == ({}, [40, 8, 8, 4, 3], 1)


def test_a_group_keeps_its_order() -> None:
    """Of a FIFO queue, calls overlap that have no message group in common."""
    sqs, fault = Sqs(), AwsFault("retry", "ServiceUnavailable", 503)
    sqs.faults = [fault]

    failed = direct(sqs).send("q.fifo", outgoing(60, groups=20), 1e9)

    sent = [[int(body) for body in batch] for batch in sqs.sent]
    first, second = [*range(10)], [*range(10, 20)]
    # The first one is repeated before the next message of one of its groups is sent.
    assert (failed, rounds(sqs), sent[:3]) == ({}, [2, 1, 2, 2], [first, second, first])
    assert sent[3:] == [[*range(start, start + 10)] for start in (20, 30, 40, 50)]


def test_no_call_begins_after_its_time() -> None:
    """Of many dead letters those are reported that there was no time for; the calls before are made."""
    sqs = Sqs()

    failed = direct(sqs).send("url", outgoing(500), 30.0)

    assert (rounds(sqs), len(failed), {*failed.values()}) == ([40], 100, {OUT_OF_TIME})


def test_no_retry_after_its_time() -> None:
    """A call that fails is repeated only if there is time for the wait before."""
    busy, slept = AwsFault("retry", "ServiceUnavailable", 503), list[float]()
    queues = direct(Sqs(busy), slept)

    failed = [queues.send("url", outgoing(1), seconds) for seconds in (0.0, 1e-9)]

    assert (failed, slept) == ([{"0": OUT_OF_TIME}, {"0": busy}], [])


def test_damaged(receive: Callable[[Service, int], list[str]], caplog: pytest.LogCaptureFixture) -> None:
    """A damaged body is left on the queue, and logged; an intact one is received."""
    damaged = receive(Service(seconds=0, digest="0" * 32), 10)
    whole = receive(Service(seconds=0, digest=md5(b"", usedforsecurity=False).hexdigest()), 10)

    assert (damaged, whole, [(entry.message, entry.__dict__["fields"]) for entry in caplog.records]) == (
        [],
        ["0"],
        [("the body is damaged", {"message_id": "0", "error": "ChecksumError"})],
    )


@pytest.mark.parametrize("value", ["x", "!!!!", "YQ==\n", "é"])
def test_a_binary_attribute_that_is_no_base64(
    receive: Callable[[Service, int], list[str]], caplog: pytest.LogCaptureFixture, value: str
) -> None:
    """Its message cannot be read, and is left on the queue."""
    service = Service(seconds=0)
    service.members = {"MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": value}}}

    assert (receive(service, 10), caplog.messages) == ([], ["the message cannot be read"])


@pytest.mark.parametrize(("fault", "calls"), [(LATE, 1), (AwsFault("retry", "ServiceUnavailable", 503), TRIES)])
def test_a_receive_that_times_out(fault: AwsFault, calls: int) -> None:
    """It is not repeated, unlike one that fails at once: the lease of its messages is counted from the first call."""
    service: Any = Service(seconds=0)
    service.end = lambda number, late: FailedCall(fault)
    # Responses that are there at once are not polled for.
    service.answers_at_once = True

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


def test_acknowledgements_that_overlap_a_receive() -> None:
    """All are sent before a response is read; deletes and visibility timeouts that fail are not repeated."""
    service: Any = Service(seconds=0)
    queues: Any = DirectQueues(service, clock=lambda: service.now)

    receive = queues.begin_receive("url", 20, 0, 30)
    delete = queues.begin_delete("url", [(str(number), "handle") for number in range(11)], 5.0)
    change = queues.begin_change_visibility("url", [(str(number), "handle", 40) for number in range(11)], 5.0)
    service.failure = FailedCall(AwsFault("retry", "ServiceUnavailable", 503))
    failed = len(delete.finish()), len(change.finish())
    service.failure = None
    found = receive.finish()

    assert (isinstance(queues, NonBlockingQueues), failed, len(found), [name for name, _ in service.noted]) == (
        True,
        (11, 11),
        2,
        ["begun"] * 6 + ["ended"] * 6,
    )


def test_what_overlapping_calls_wait_for() -> None:
    """The descriptor of the last call, whose response most likely comes last; none if it was not sent."""
    service: Any = Service(seconds=0)
    queues = DirectQueues(service, clock=lambda: service.now)
    messages = [(str(number), "handle") for number in range(11)]

    delete, late = [queues.begin_delete("url", messages, seconds) for seconds in (5.0, 0.0)]
    calls = [call.pending.fileno() for call in delete._under_way]

    assert (delete.fileno(), late.fileno()) == (calls[-1], -1)
    assert (late.arrived(), late.until, set(late.finish().values())) == (True, SECONDS, {OUT_OF_TIME})
    assert (delete.arrived(), delete.fileno()) == (True, -1)
