"""Deletes that are under way while the next batch of a standard queue is received."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from router.run.deletes import DELETE_ATTEMPTS
from router.run.leases import Leases
from router.run.receiver import PolledQueue, Receiver, StopEvent
from tests.support.aws import Aws, AwsFault, boottime
from tests.support.deliver import Delivery
from tests.unit.run.conftest import TICKET

BUSY = AwsFault("retry", "ServiceUnavailable", 503)
REFUSED = AwsFault("refused", "ReceiptHandleIsInvalid", 400)


@pytest.fixture
def receive(
    aws: Aws, overlapping: Any, queues: Any, tables: Any, compile_: Any, caplog: pytest.LogCaptureFixture
) -> Callable[..., list[str]]:
    """Runs a receiver until it has received all batches and then an empty one; returns the steps."""
    write = tables.batch_write

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> Any:
        response = write(table, requests, timeout)
        overlapping.steps.append(f"written {','.join(tables.calls[-1])}")
        return response

    tables.batch_write = batch_write

    def run(*received: Any, queue: str = "dead_letter: letters", rounds: int = 100, **options: Any) -> list[str]:
        program = compile_(queue=queue)
        stop = StopEvent()
        queues.received.extend(received)
        queues.on_receive = lambda: None if queues.received else stop.stop(10)
        left = iter(range(rounds - 1))
        leases = options.pop("leases", None) or Leases(queues)
        with caplog.at_level(logging.ERROR, "router"):
            Receiver(
                PolledQueue(program.engine.queues["q"], "url", 30, 0),
                overlapping,
                Delivery(program, aws),
                leases,
                stop,
                lambda receiver, finished: next(left, None) is not None,
                **{"jitter": lambda low, high: 0.0, **options},
            ).run()
        assert leases.size == 0, "a lease was not released"
        steps: list[str] = overlapping.steps
        return steps

    return run


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

    errors = [entry.__dict__["fields"] for entry in caplog.records]
    assert (attempts, errors, steps[-1]) == (
        [["m-a", "m-b", "m-c"], *[["m-a"]] * (DELETE_ATTEMPTS - 1)],
        [
            {"queue": "q", "error": "ReceiptHandleIsInvalid", "message_id": "m-b"},
            {"queue": "q", "error": "ServiceUnavailable", "message_id": "m-a"},
        ],
        "received 0",
    )


def test_retry_is_due_later(receive: Any, overlapping: Any, messages: Any) -> None:
    """A receive that responds before a delete is tried again is not held up by it."""
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


@pytest.mark.parametrize("rounds", [1, 100])
def test_end(receive: Any, overlapping: Any, messages: Any, rounds: int) -> None:
    """A receiver that is stopped or scaled down settles its deletes."""
    overlapping.silent = {"delete a"}
    overlapping.delete_ = lambda ids: {"m-a": BUSY} if overlapping.steps.count("delete a") < 3 else {}

    steps = receive(messages("a"), rounds=rounds)

    assert steps[-5:] == ["deleted a", "delete a", "deleted a", "delete a", "deleted a"]


def test_unexpected_error(receive: Any, overlapping: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error of a delete is logged; the receive meanwhile is not lost."""

    def delete(ids: list[str]) -> dict[str, AwsFault]:
        if ids == ["m-a"]:
            raise RuntimeError
        return {}

    overlapping.delete_ = delete

    steps = receive(messages("a"), messages("b"))

    assert (steps[-4:], [entry.getMessage() for entry in caplog.records]) == (
        ["delete b", "receive", "deleted b", "received 0"],
        ["unexpected error"],
    )
