"""Acknowledgements that are under way while the next batch of a standard queue is received."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from router.model import Record
from router.runtime.run.acknowledgements import DELETE_ATTEMPTS, VISIBILITY_ATTEMPTS, Acknowledgements
from router.runtime.run.leases import Leases
from router.runtime.run.polling import PolledQueue, ReceiverContext
from router.runtime.run.timing import Timing
from tests.support.aws import Aws, AwsFault, WriteResponse, boottime
from tests.support.deliver import Writer
from tests.unit.runtime.run.conftest import TICKET

BUSY = AwsFault("retry", "ServiceUnavailable", 503)
HOT = WriteResponse([{"PutRequest": {"Item": {"id": {"S": "c"}}}}])
"""A response to a batch with a hot key."""
REFUSED = AwsFault("refused", "ReceiptHandleIsInvalid", 400)


def test_overlap(receive: Any, messages: Any) -> None:
    """The next receive is sent before the response to a delete is read; no delete is sent before its write ended."""
    assert receive(messages("a", "b"), messages("c")) == [
        "receive",
        "received 2",
        "written a,b",
        "delete a,b",
        "receive",
        "deleted a,b",
        "received 1",
        "written c",
        "delete c",
        "receive",
        "deleted c",
        "received 0",
    ]


def test_fifo(receive: Any, overlapping: Any, queues: Any, messages: Any) -> None:
    """On FIFO queues the next receive is sent after the deletes: it may return the next messages of their groups."""
    steps = receive(messages("a"), queue="name: q.fifo, dead_letter: letters.fifo")

    assert (steps, queues.deleted) == (
        ["receive", "received 1", "written a", "receive", "received 0"],
        [[("m-a", "handle-m-a")]],
    )


def test_slow_delete(receive: Any, overlapping: Any, messages: Any) -> None:
    """Messages are written while the delete of those before has no response; their own deletes wait for it."""
    overlapping.silent = {"delete a"}

    assert receive(messages("a"), messages("b"))[3:] == [
        "delete a",
        "receive",
        "received 1",
        "written b",
        "deleted a",
        "delete b",
        "receive",
        "deleted b",
        "received 0",
    ]


def test_outage(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """If no message was written, the visibility timeouts are set before the next receive: an outage may have begun."""
    tables.answers.append(WriteResponse(fault=AwsFault("configuration", "ResourceNotFoundException", 400)))

    steps = receive(messages("a", "b", "c"))

    assert steps == ["receive", "received 3", "written a,b,c", "receive", "received 0"]
    assert [{seconds > 0 for _, _, seconds in call} for call in queues.released] == [{True}, {False}]
    assert [[id_ for id_, _, _ in call] for call in queues.released] == [["m-a", "m-b", "m-c"]] * 2


@pytest.mark.parametrize(
    ("seconds", "order"),
    [
        (0.01, ["delete a,b", "change c", "receive", "deleted a,b", "changed c"]),
        (0.3, ["delete a,b", "change c", "deleted a,b", "changed c", "receive"]),
    ],
)
def test_overlap_beside_a_throttled_message(
    receive: Any, aws: Aws, tables: Any, messages: Any, time_: Any, seconds: float, order: list[str]
) -> None:
    """A short pause for a few throttled messages is no reason to read the responses first, but a long one is."""
    tables.answers.append(HOT)
    writer = Writer(aws.tables, time_, max_tries=1)

    def batch_write(*given: Any, send: Any = tables.batch_write) -> Any:
        time_.now += seconds
        return send(*given)

    tables.batch_write = batch_write

    steps = receive(messages("a", "b", "c"), writer=writer, jitter=lambda low, high: high, clock=time_)

    assert steps[3:][: len(order)] == order


@pytest.mark.parametrize("call", ["receive", "delete a"])
def test_what_can_be_read_is_no_response(receive: Any, overlapping: Any, messages: Any, call: str) -> None:
    """A session ticket of TLS, which can be read, is not taken for a response that is waited for."""
    other = {"receive": "delete a", "delete a": "receive"}[call]

    def begin(begun: str) -> None:
        if begun == "delete a":
            overlapping.silent = {"receive"}
        if overlapping.steps[-2:] == ["delete a", "receive"]:
            overlapping.begun[call].respond(TICKET)
            threading.Timer(0.2, overlapping.begun[other].respond).start()

    overlapping.on_begin = begin
    overlapping.silent = {"delete a"}

    steps = receive(messages("a"))

    first = "deleted a" if call == "receive" else "received 0"
    assert steps[5] == first


def test_retries(receive: Any, overlapping: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """During the receive, what failed is deleted again, up to a number of attempts; what is refused is not."""
    attempts: list[list[str]] = []

    def delete(ids: list[str]) -> dict[str, AwsFault]:
        attempts.append(ids)
        overlapping.silent = set()
        if len(attempts) == DELETE_ATTEMPTS:
            overlapping.begun["receive"].respond()
        faults = {"m-a": BUSY, "m-b": REFUSED}
        return {id_: faults[id_] for id_ in ids if id_ in faults}

    overlapping.delete_ = delete
    overlapping.on_begin = lambda call: overlapping.silent.add("receive") if call == "delete a,b,c" else None

    steps = receive(messages("a", "b", "c"))

    errors = [(entry.getMessage(), entry.__dict__["fields"]) for entry in caplog.records]
    assert (attempts, errors, steps[-1]) == (
        [["m-a", "m-b", "m-c"], *[["m-a"]] * (DELETE_ATTEMPTS - 1)],
        [
            ("cannot delete", {"queue": "q", "error": "ReceiptHandleIsInvalid", "message_id": "m-b"}),
            ("cannot delete", {"queue": "q", "error": "ServiceUnavailable", "message_id": "m-a"}),
        ],
        "received 0",
    )


def test_retry_is_due_later(receive: Any, overlapping: Any, messages: Any) -> None:
    """A receive that responds before a delete is tried again is not delayed by it."""
    overlapping.delete_ = lambda ids: {"m-a": BUSY} if overlapping.steps.count("delete a") == 1 else {}

    steps = receive(messages("a"), messages("b"), jitter=lambda low, high: 0.3)

    assert steps[3:] == [
        "delete a",
        "receive",
        "deleted a",
        "received 1",
        "written b",
        "delete a",
        "deleted a",
        "delete b",
        "receive",
        "deleted b",
        "received 0",
    ]


@pytest.mark.parametrize("unsent", ["receive", "delete a"])
def test_unsent(receive: Any, overlapping: Any, messages: Any, unsent: str) -> None:
    """Calls that could not be sent are not waited for."""
    overlapping.on_begin = lambda call: overlapping.unsent.add(unsent)

    steps = receive(messages("a"))

    order = ["received 0", "deleted a"] if unsent == "receive" else ["deleted a", "received 0"]
    assert steps[3:] == ["delete a", "receive", *order]


def test_receipt_handles_of_a_batch_are_leased_until_they_are_deleted(
    receive: Any, overlapping: Any, queues: Any, arrive: Any
) -> None:
    """The lease of what is being deleted is renewed; that of a message to be retried is not."""
    leases = Leases(queues, lambda: boottime() + ahead)
    ahead = 0.0
    records = [arrive('{"id":"a"}', "m-a"), arrive("no JSON", "m-b"), arrive('{"id":"a"}', "m-a")]

    def delete(ids: list[str]) -> dict[str, AwsFault]:
        nonlocal ahead
        ahead = 20.0
        for thread in leases.renew():
            thread.join(10)
        return {}

    overlapping.delete_ = delete

    receive(records, queue="unmatched: retry", leases=leases)

    assert queues.released == [[("m-a", "handle-m-a", 30)] * 2]


@pytest.fixture
def receive_hot(receive: Any, aws: Aws, tables: Any, messages: Any) -> Callable[..., list[str]]:
    """Runs a receiver that receives a hot message `c`, which it does not retry, after two others."""

    def run(clock: Any = boottime, **options: Any) -> list[str]:
        tables.answers.append(HOT)
        writer = Writer(aws.tables, clock, max_tries=1)
        steps: list[str] = receive(messages("a", "b", "c"), writer=writer, clock=clock, **options)
        return steps

    return run


def test_visibility_timeout_that_is_set_first(receive_hot: Any, overlapping: Any) -> None:
    """Of the operations under way, the one goes on whose response is there."""
    overlapping.silent = {"delete a,b", "receive"}
    changed = overlapping._queues.change_visibility

    def change(*given: Any) -> Any:
        overlapping.begun["delete a,b"].respond()
        return changed(*given)

    def delete(ids: list[str]) -> dict[str, AwsFault]:
        overlapping.begun["receive"].respond()
        return {}

    overlapping._queues.change_visibility, overlapping.delete_ = change, delete

    assert receive_hot()[3:] == ["delete a,b", "change c", "receive", "changed c", "deleted a,b", "received 0"]


def test_retries_of_a_visibility_timeout(
    receive_hot: Any, overlapping: Any, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is set up to a number of attempts, while the lease lasts; that it cannot be is logged."""
    queues.faults["m-c"] = BUSY
    overlapping.silent = {"receive"}

    def change(*given: Any, change: Any = queues.change_visibility) -> Any:
        if len(queues.released) == VISIBILITY_ATTEMPTS - 1:
            overlapping.begun["receive"].respond()
        return change(*given)

    queues.change_visibility = change

    steps = receive_hot(clock=time_, sleep=time_.sleep)

    errors = [(entry.getMessage(), entry.__dict__["fields"]) for entry in caplog.records]
    fields = {"queue": "q", "error": "ServiceUnavailable", "message_id": "m-c"}
    assert (steps.count("change c"), errors, steps[-1]) == (
        VISIBILITY_ATTEMPTS,
        [("cannot set the visibility timeout", fields)],
        "received 0",
    )
    given = [(url, seconds) for call, url, seconds in overlapping.given if call == "change"]
    assert given == [("url", 30.0)] * VISIBILITY_ATTEMPTS


def test_visibility_timeout_of_a_lease_that_is_over(
    receive_hot: Any, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not set any more: the receipt handle may be invalid, and the message another consumer's."""
    queues.faults["m-c"] = BUSY

    receive_hot(clock=time_, jitter=lambda low, high: 0.0 if low else 31.0, sleep=time_.sleep)

    assert [entry.__dict__["fields"]["error"] for entry in caplog.records] == ["OutOfTime"]


@pytest.mark.parametrize(
    ("first", "left"), [("delete a,b", []), ("change c", ["m-a", "m-b"])], ids=["delete", "change"]
)
def test_lease_while_operations_are_under_way(
    receive_hot: Any, overlapping: Any, queues: Any, first: str, left: list[str]
) -> None:
    """Each message is leased until it is deleted, and no longer; a visibility timeout that is being set is kept."""
    ahead = 0.0
    renewed: list[list[str]] = []

    def renew(url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        renewed.append([id_ for id_, _, _ in messages])
        return {}

    leases = Leases(SimpleNamespace(change_visibility=renew), lambda: boottime() + ahead)

    def finish(*given: Any) -> dict[str, AwsFault]:
        nonlocal ahead
        ahead += 20.0
        for thread in leases.renew():
            thread.join(10)
        for call in overlapping.silent:
            overlapping.begun[call].respond()
        overlapping.silent = set()
        return {}

    overlapping.silent = {"delete a,b", "change c", "receive"} - {first}
    overlapping.delete_ = queues.change_visibility = finish

    receive_hot(leases=leases)

    assert renewed == [["m-a", "m-b"], left]


@pytest.mark.parametrize("rounds", [1, 100])
def test_end(receive: Any, overlapping: Any, messages: Any, rounds: int) -> None:
    """A receiver that is stopped or scaled down settles its deletes."""
    overlapping.silent = {"delete a"}
    overlapping.delete_ = lambda ids: {"m-a": BUSY} if overlapping.steps.count("delete a") < 3 else {}

    steps = receive(messages("a"), rounds=rounds)

    assert steps[-5:] == ["deleted a", "delete a", "deleted a", "delete a", "deleted a"]


@pytest.mark.parametrize("at", ["begin", "end"])
def test_unexpected_error(
    receive: Any, overlapping: Any, messages: Any, caplog: pytest.LogCaptureFixture, at: str
) -> None:
    """An unexpected error of a delete is logged; the receive meanwhile is not lost."""

    def delete(*given: Any, succeed: Any = overlapping.begin_delete) -> Any:
        if overlapping.steps[-1] == "written a":
            raise RuntimeError
        return succeed(*given)

    def end(ids: list[str]) -> dict[str, AwsFault]:
        if ids == ["m-a"]:
            raise RuntimeError
        return {}

    if at == "begin":
        overlapping.begin_delete = delete
    overlapping.delete_ = end

    steps = receive(messages("a"), messages("b"))

    errors = [(entry.getMessage(), entry.__dict__["fields"], entry.exc_info is not None) for entry in caplog.records]
    assert (steps[-4:], errors) == (
        ["delete b", "receive", "deleted b", "received 0"],
        [("unexpected error", {"queue": "q"}, True)],
    )


def acknowledge(queue: Any, queues: Any, leases: Leases, timing: Timing) -> Acknowledgements:
    """The acknowledgements of a queue whose calls may take 5 s."""
    stop: Any = SimpleNamespace(timeout=lambda: 5.0)
    delivery: Any = None
    context = ReceiverContext(queues, delivery, leases, stop, timing=timing)
    return Acknowledgements(PolledQueue(queue, "url", 30, 0), context)


@pytest.fixture
def delete(compile_: Any, overlapping: Any, messages: Any, time_: Any) -> Callable[..., Acknowledgements]:
    """Begins to delete messages, by calls of 5 s; each pause is the longest possible."""

    def begin(*ids: str, last: bool = True) -> Acknowledgements:
        queue = compile_().engine.queues["q"]
        leases = Leases(overlapping, time_)
        leases.acquire("url", 30, messages(*ids), time_.now)
        timing = Timing(lambda low, high: high, time_.sleep, time_)
        acknowledgements = acknowledge(queue, overlapping, leases, timing)
        acknowledgements.delete(messages(*ids), set(), last=last)
        return acknowledgements

    return begin


def test_pauses(delete: Any, overlapping: Any, time_: Any) -> None:
    """Each call is of the queue, and takes as long as it may; the bound of the pause doubles with each attempt."""
    overlapping.delete_ = lambda ids: {"m-a": BUSY} if len(overlapping.given) < 4 else {}

    delete("a").settle()

    assert (overlapping.given, time_.slept) == ([("delete", "url", 5.0)] * 4, pytest.approx([0.2, 0.4, 0.8]))


def test_part_of_a_batch(delete: Any, overlapping: Any, queues: Any) -> None:
    """Only the last messages of a batch are deleted during the next receive."""
    delete("a", last=False)

    assert (overlapping.steps, queues.deleted) == ([], [[("m-a", "handle-m-a")]])


@pytest.mark.parametrize("queue", ["name: q.fifo, dead_letter: letters.fifo", "dead_letter: letters"])
def test_visibility_timeouts_that_do_not_overlap(
    compile_: Any, overlapping: Any, queues: Any, time_: Any, messages: Any, queue: str
) -> None:
    """Those of FIFO queues, and those of clients that block, are left to the caller."""
    leases = Leases(queues, time_)
    lease = leases.acquire("url", 30, messages("a"), time_.now)
    acknowledgements = acknowledge(
        compile_(queue=queue).engine.queues["q"],
        overlapping if "fifo" in queue else queues,
        leases,
        Timing(lambda low, high: high, time_.sleep, time_),
    )

    assert not acknowledgements.set_visibility([("m-a", "handle-m-a", 9)], lease)
    assert (overlapping.steps, queues.released) == ([], [])


def test_late_response(delete: Any, overlapping: Any, time_: Any) -> None:
    """A call without a response in time is ended, though the receive meanwhile has no response either."""
    overlapping.silent = {"delete a", "receive"}
    acknowledgements = delete("a")
    receive = overlapping.begin_receive("url", 10, 0, 30)
    time_.now = overlapping.begun["delete a"].until + 1

    acknowledgements.settle(receive)

    assert overlapping.steps == ["delete a", "receive", "deleted a"]
    receive.finish()


def test_in_order(compile_: Any, queues: Any, time_: Any) -> None:
    """No message of a FIFO group is deleted after a refused one, though deletes of another group are tried again."""
    queue = compile_(queue="name: q.fifo, dead_letter: letters.fifo").engine.queues["q"]
    records = [Record(id_, "h", "", {"MessageGroupId": id_[0]}) for id_ in ("a1", "b1", "a2")]
    leases = Leases(queues, time_)
    leases.acquire("url", 30, records, time_.now)
    answers = [{"a1": REFUSED, "b1": BUSY}, {"b1": BUSY}, {"b1": BUSY}, {}]
    calls: list[Any] = []
    pauses: list[Any] = []

    def delete(url: str, handles: Any, timeout: float) -> Any:
        calls.append((url, [id_ for id_, _ in handles], timeout))
        return answers[len(calls) - 1]

    def longest(low: float, high: float) -> float:
        pauses.append((low, high))
        return high

    queues.delete = delete
    timing = Timing(longest, time_.sleep, time_)

    acknowledge(queue, queues, leases, timing).delete(records, set(), last=True)

    assert calls == [("url", ["a1", "b1"], 5.0), *[("url", ["b1"], 5.0)] * 3]
    assert [high for _, high in pauses] == pytest.approx([0.2, 0.4, 0.8])
    assert time_.slept == pytest.approx([0.2, 0.4, 0.8])
    assert {low for low, _ in pauses} == {0}


def test_attempts_in_order(compile_: Any, queues: Any, time_: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A message of a FIFO queue is tried as often as others, without a pause after the last attempt."""
    queue = compile_(queue="name: q.fifo, dead_letter: letters.fifo").engine.queues["q"]
    records = [Record("a", "h", "", {"MessageGroupId": "g"})]
    leases = Leases(queues, time_)
    leases.acquire("url", 30, records, time_.now)
    queues.faults["a"] = BUSY
    blocked: set[str | None] = set()

    timing = Timing(lambda low, high: high, time_.sleep, time_)

    acknowledge(queue, queues, leases, timing).delete(records, blocked, last=True)

    assert (len(queues.deleted), len(time_.slept), blocked) == (DELETE_ATTEMPTS, DELETE_ATTEMPTS - 1, {"g"})
    assert [entry.getMessage() for entry in caplog.records] == ["cannot delete"]
