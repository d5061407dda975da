"""One receiver: what it does with what it receives, and when it pauses."""

import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from router.aws.client import Answer, Aws
from router.aws.faults import Fault
from router.deliver.delivery import Delivery
from router.run.concurrency import Round
from router.run.leases import Held
from router.run.receiver import DELETE_TRIES, HAND_MESSAGES, HAND_SECONDS, HAND_SIZE, Polled, Receiver
from router.run.stopping import Stopping

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
    """Each pause is as long as it may be, and none between writes or deletes; no work takes long."""
    monkeypatch.setattr("router.run.receiver.HAND_SECONDS", 1e6)
    monkeypatch.setattr("router.run.receiver.uniform", lambda low, high: high)
    monkeypatch.setattr("router.run.receiver.time.sleep", lambda seconds: None)
    monkeypatch.setattr("router.deliver.writer.uniform", lambda low, high: 0.0)


@pytest.fixture
def receive(
    aws: Aws, queues: Any, compile_: Any, caplog: pytest.LogCaptureFixture
) -> Callable[..., tuple[Receiver, Patient]]:
    """Run a receiver until it has received all that there is, and then nothing."""

    def run(
        *received: Any, program: Any = None, wait: int = 0, heed: Any = lambda receiver, made: True
    ) -> tuple[Receiver, Patient]:
        program = program or compile_()
        stopping = Patient()
        first = queues.on_receive

        def on_receive() -> None:
            if not queues.received:
                stopping.set(10)
            first()

        queues.received.extend(received)
        queues.on_receive = on_receive
        polled = Polled(program.engine.queues["q"], "url", 30, wait)
        receiver = Receiver(polled, queues, Delivery(program, aws), Held(queues), stopping, heed)
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


def tens(messages: Any, *numbers: int) -> list[Any]:
    """Full answers: ten messages each."""
    return [messages(*[f"{number}-{n}" for n in range(10)]) for number in numbers]


def test_a_backlog_goes_together(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """While most come that are asked for, twice as many are, and are not waited for; else as many as came."""
    asked = []
    ask = queues.receive

    def receive_(url: str, count: int, wait_seconds: int) -> Any:
        asked.append((count, wait_seconds))
        return ask(url, count, wait_seconds)

    queues.receive = receive_
    receive(messages("first"), *tens(messages, *range(7)), messages("a"), *tens(messages, 7), messages("last"), wait=7)

    assert ([len(call) for call in queues.deleted], asked) == (
        [1, 10, 20, 40, 1, 10, 1],
        [(10, 7), (10, 7), (20, 0), (40, 0), (80, 0), (10, 7), (20, 0), (10, 7)],
    )


@pytest.mark.parametrize(
    ("queue", "body", "answers", "sizes"),
    [
        ("dead_letter: letters", "", 60, [10, 20, 40, 80, 160, HAND_MESSAGES, 90]),
        ("dead_letter: letters", "x" * (HAND_SIZE // 40), 10, [10, 20, 30, 30, 10]),
        ("dead_letter: letters", "x" * HAND_SIZE, 3, [10, 10, 10]),
        ("name: q.fifo, dead_letter: letters.fifo", "", 3, [10, 10, 10]),
        ("dead_letter: letters, envelope: [s3_pointer], s3_pointer: {buckets: [bucket]}", "", 3, [10, 10, 10]),
    ],
)
def test_hand_is_bounded(
    receive: Any, queues: Any, compile_: Any, arrive: Any, queue: str, body: str, answers: int, sizes: list[int]
) -> None:
    """However long the queue, no more are in hand than its kind allows; fewer at first, and fewer of large ones."""
    in_hand: list[int] = []

    def heed(receiver: Receiver, made: Round) -> bool:
        in_hand.append(made.received)
        return True

    backlog = [
        [
            arrive(f'{{"id":"{number}-{n}","text":"{body}"}}', f"m-{number}-{n}", MessageGroupId=str(n))
            for n in range(10)
        ]
        for number in range(answers)
    ]

    receive(*backlog, program=compile_(queue=queue), heed=heed)

    assert [size for size in in_hand if size] == sizes


def test_calls(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A backlog of 1,000 messages costs 100 receives, 40 writes and 100 deletes, and hardly any more of each."""
    asked = []
    first = queues.receive
    queues.receive = lambda *request: asked.append(request) or first(*request)

    receive(*tens(messages, *range(100)), [])

    tens_deleted = sum(-(-len(call) // 10) for call in queues.deleted)
    tens_asked = sum(-(-count // 10) for _, count, _ in asked)
    assert (sum(map(len, queues.deleted)), tens_asked <= 120, len(tables.calls) <= 44, tens_deleted) == (
        1000,
        True,
        True,
        100,
    )


def test_plenty(receive: Any, messages: Any) -> None:
    """Though of several calls some bring fewer than ten, twice as many are asked for."""
    sizes: list[int] = []

    def heed(receiver: Receiver, made: Round) -> bool:
        sizes.append(made.received)
        return True

    receive(*tens(messages, 1, 2), messages("a", "b"), *tens(messages, *range(3, 7)), heed=heed)

    assert sizes[:3] == [10, 12, 40]


def test_enough_is_held(receive: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the worker holds as much as it should, a receiver asks for ten."""
    monkeypatch.setattr("router.run.leases.HELD_SIZE", 0)

    receive(*tens(messages, 1, 2, 3))

    assert [len(call) for call in queues.deleted] == [10, 10, 10]


def test_slow_work(receive: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One has no more in hand than it works on in a second, going by the round before; an answer at least."""
    clock = [time.monotonic()]
    monkeypatch.setattr("router.run.receiver.HAND_SECONDS", HAND_SECONDS)
    monkeypatch.setattr("router.run.receiver.time.monotonic", lambda: clock[0])
    each = iter([0.002, 0.015, 0.015, 0.2, 0.002, 0.0])
    sizes = []

    def delete(url: str, pairs: Any) -> dict[str, Fault]:
        sizes.append(len(pairs))
        clock[0] += HAND_SECONDS * len(pairs) * next(each)
        return {}

    queues.delete = delete
    receive(*tens(messages, *range(16)))

    assert sizes == [10, 20, 40, 60, 10, 20]


def test_told_of_each_round(receive: Any, tables: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever decides how many receivers there are is told what each round was like.

    It is full if the queue has more, though not all came that were asked for, and more at a time are not allowed.
    """
    monkeypatch.setattr("router.run.receiver.HAND_MESSAGES", 20)
    rounds: list[Round] = []
    tables.answers.extend([Answer()] * 4 + [Answer(fault=GONE)])

    def heed(receiver: Receiver, made: Round) -> bool:
        rounds.append(made)
        return True

    receive(messages("first"), *tens(messages, *range(4)), messages("a", "b"), messages("c"), BUSY, heed=heed)

    assert [(made.received, made.full, made.well) for made in rounds] == [
        (1, False, True),
        (10, False, True),
        (20, True, True),
        (12, True, True),
        (1, False, False),
        (0, False, False),
        (0, False, True),
    ]


def test_slow_receive(receive: Any, tables: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages of several calls count as hidden from the beginning of these: what is too late to write is not begun."""
    began = time.monotonic() - 30
    monkeypatch.setattr("router.run.receiver.time.monotonic", lambda: began)

    receive(*tens(messages, *range(3)))

    assert [len(call) for call in queues.deleted] == [10]


def test_one_too_many(receive: Any, queues: Any, messages: Any) -> None:
    """One that is not to go on ends after its round, with what it had deleted."""
    receive(messages("a"), messages("b"), heed=lambda receiver, made: False)

    assert (queues.deleted, len(queues.received)) == ([[("m-a", "handle-m-a")]], 1)


def test_fault_after_a_full_answer(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What has come before a receive that fails is delivered all the same."""
    _, stopping = receive(*tens(messages, 1), BUSY)

    assert ([len(call) for call in queues.deleted], stopping.pauses, errors(caplog)) == (
        [10],
        [1.0],
        [("cannot receive", {"queue": "q", "error": "ServiceUnavailable"})],
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
