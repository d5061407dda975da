"""One receiver: what it does with what it receives, and when it pauses."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from router.aws.client import Answer, Aws
from router.aws.faults import Fault
from router.deliver import Delivery
from router.worker.held import Held
from router.worker.receiver import DELETE_TRIES, Polled, Receiver
from router.worker.stopping import Stopping

BUSY = Fault("retry", "ServiceUnavailable", 503)
GONE = Fault("setup", "ResourceNotFoundException", 400)


class Patient(Stopping):
    """Notes pauses instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return self.is_set()


@pytest.fixture(autouse=True)
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pause is as long as it may be, and none between writes or deletes."""
    monkeypatch.setattr("router.worker.receiver.uniform", lambda low, high: high)
    monkeypatch.setattr("router.worker.receiver.time.sleep", lambda seconds: None)
    monkeypatch.setattr("router.writer.uniform", lambda low, high: 0.0)


@pytest.fixture
def receive(
    aws: Aws, queues: Any, compile_: Any, caplog: pytest.LogCaptureFixture
) -> Callable[..., tuple[Receiver, Patient]]:
    """Run a receiver until it has received all that there is, and then nothing."""

    def run(*received: Any, program: Any = None) -> tuple[Receiver, Patient]:
        program = program or compile_()
        stopping = Patient()
        first = queues.on_receive

        def on_receive() -> None:
            if not queues.received:
                stopping.set(10)
            first()

        queues.received.extend(received)
        queues.on_receive = on_receive
        polled = Polled(program.engine.queues["q"], "url", 30, 0)
        receiver = Receiver(polled, queues, Delivery(program, aws), Held(queues), stopping)
        with caplog.at_level(logging.INFO, "router"):
            receiver.run()
        return receiver, stopping

    return run


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    """Messages and fields of the errors that were logged."""
    return [
        (entry.getMessage(), entry.__dict__.get("fields")) for entry in caplog.records if entry.levelname == "ERROR"
    ]


def test_writes_and_deletes(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """What is received is written and then deleted, without a pause."""
    receiver, stopping = receive(messages("a", "b"), messages("c"))

    assert (sorted(tables.items), queues.deleted, stopping.pauses, receiver.healthy) == (
        ["a", "b", "c"],
        [[("m-a", "handle-m-a"), ("m-b", "handle-m-b")], [("m-c", "handle-m-c")]],
        [],
        True,
    )


def test_retry_is_hidden(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """What is to be tried again is not deleted but hidden, and the next poll comes later."""
    tables.answers.extend([Answer(fault=BUSY)] * 8)

    _, stopping = receive(messages("a"))

    (((id_, handle, seconds),),) = queues.released
    assert (queues.deleted, id_, handle, 1 <= seconds <= 2, stopping.pauses) == (
        [],
        "m-a",
        "handle-m-a",
        True,
        [1.0],
    )


def test_setup_fault_pauses_longer_each_time(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """While the set-up is at fault each pause doubles, up to a bound; a round that works ends that."""
    tables.answers.extend([Answer(fault=GONE)] * 8)

    _, stopping = receive(*[messages("a")] * 8, [])

    assert (stopping.pauses, queues.deleted, queues.letters) == ([1, 2, 4, 8, 16, 32, 60, 60], [], [])


def test_cannot_receive(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """If receiving fails it says so, pauses, and goes on."""
    receiver, stopping = receive(BUSY, messages("a"))

    assert (errors(caplog), stopping.pauses, len(queues.deleted), receiver.healthy) == (
        [("cannot receive", {"queue": "q", "error": "ServiceUnavailable"})],
        [1.0],
        1,
        True,
    )


def test_unexpected_error(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised does not end it."""
    raised = iter([LookupError("a secret")])

    def once() -> None:
        for error in raised:
            raise error

    queues.on_receive = once
    _, stopping = receive(messages("a"))

    assert (errors(caplog), stopping.pauses, len(queues.deleted)) == (
        [("unexpected error", {"queue": "q"})],
        [1.0],
        1,
    )


def test_delete_again(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A delete that fails for a while is tried again alone, and given up after some tries."""
    queues.faults["m-b"] = BUSY

    receive(messages("a", "b"))

    assert ([[id_ for id_, _ in call] for call in queues.deleted], errors(caplog)) == (
        [["m-a", "m-b"], *[["m-b"]] * (DELETE_TRIES - 1)],
        [("cannot delete", {"queue": "q", "error": "ServiceUnavailable", "message_id": "m-b"})],
    )


def test_refused_delete(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A delete that can never succeed is not tried again."""
    queues.faults["m-a"] = Fault("refused", "ReceiptHandleIsInvalid", 400)

    receive(messages("a"))

    assert (len(queues.deleted), errors(caplog)) == (
        1,
        [("cannot delete", {"queue": "q", "error": "ReceiptHandleIsInvalid", "message_id": "m-a"})],
    )


def test_cannot_hide(receive: Any, tables: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A message that cannot be hidden is said, and comes by itself."""
    tables.answers.append(Answer(fault=GONE))
    queues.faults["m-a"] = Fault("refused", "MessageNotInflight", 400)

    receive(messages("a"))

    assert errors(caplog) == [("cannot hide", {"queue": "q", "error": "MessageNotInflight", "message_id": "m-a"})]


def test_stopped_while_receiving(queues: Any, aws: Aws, tables: Any, compile_: Any, messages: Any) -> None:
    """What arrives with the word to stop is not begun, and shown to others at once."""
    program = compile_()
    stopping = Stopping()
    queues.received.append(messages("a", "b"))
    queues.on_receive = lambda: stopping.set(10)
    polled = Polled(program.engine.queues["q"], "url", 30, 0)

    Receiver(polled, queues, Delivery(program, aws), Held(queues), stopping).run()

    assert (tables.calls, queues.deleted, queues.released) == (
        [],
        [],
        [[("m-a", "handle-m-a", 0), ("m-b", "handle-m-b", 0)]],
    )


def test_fifo_deletes_in_order(receive: Any, compile_: Any, queues: Any, arrive: Any) -> None:
    """The messages of a group are deleted one after the other, and none after one that could not be."""
    queues.faults["m2"] = Fault("refused", "ReceiptHandleIsInvalid", 400)
    records = [
        arrive(f'{{"id":"{id_}"}}', id_, MessageGroupId=group)
        for id_, group in (("m1", "a"), ("m2", "a"), ("m3", "a"), ("m4", "b"), ("m5", "b"))
    ]

    receive(records, program=compile_(queue="name: q.fifo, dead_letter: letters.fifo"))

    assert [[id_ for id_, _ in call] for call in queues.deleted] == [["m1", "m4"], ["m2", "m5"]]
