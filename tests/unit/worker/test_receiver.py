"""One receiver: what it does with what it receives, and when it pauses."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from router.aws.client import Answer, Aws
from router.aws.faults import Fault
from router.deliver import Delivery
from router.worker.held import Held
from router.worker.pace import Round
from router.worker.receiver import DELETE_TRIES, HAND_MESSAGES, HAND_SECONDS, HAND_SIZE, Polled, Receiver
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
    """Each pause is as long as it may be, and none between writes or deletes; no work takes long."""
    monkeypatch.setattr("router.worker.receiver.HAND_SECONDS", float("inf"))
    monkeypatch.setattr("router.worker.receiver.uniform", lambda low, high: high)
    monkeypatch.setattr("router.worker.receiver.time.sleep", lambda seconds: None)
    monkeypatch.setattr("router.writer.uniform", lambda low, high: 0.0)


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


def test_full_answers_go_together(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """While answers are full, what comes is written and deleted together; the next answer is not waited for."""
    waits = []
    ask = queues.receive

    def receive_(url: str, count: int, wait_seconds: int) -> Any:
        waits.append(wait_seconds)
        return ask(url, count, wait_seconds)

    queues.receive = receive_
    receive(messages("first"), *tens(messages, 1, 2), messages("last"), wait=7)

    assert ([len(call) for call in tables.calls], [len(call) for call in queues.deleted], waits) == (
        [1, 21],
        [1, 21],
        [7, 7, 0, 0, 7],
    )


@pytest.mark.parametrize(
    ("queue", "body", "sizes"),
    [
        ("dead_letter: letters", "", [10, HAND_MESSAGES, 10]),
        ("dead_letter: letters", "x" * (HAND_SIZE // 20 + 1), [10, 20, 20, 20]),
        ("name: q.fifo, dead_letter: letters.fifo", "", [10] * 7),
        ("dead_letter: letters, envelope: [s3_pointer], s3_pointer: {buckets: [bucket]}", "", [10] * 7),
    ],
)
def test_hand_is_bounded(
    receive: Any, queues: Any, compile_: Any, arrive: Any, queue: str, body: str, sizes: list[int]
) -> None:
    """However long the queue, no more are in hand than its kind allows; fewer at first, and fewer of large ones."""
    in_hand: list[int] = []

    def heed(receiver: Receiver, made: Round) -> bool:
        in_hand.append(made.received)
        return True

    answers = [
        [
            arrive(f'{{"id":"{number}-{n}","text":"{body}"}}', f"m-{number}-{n}", MessageGroupId=str(n))
            for n in range(10)
        ]
        for number in range(7)
    ]

    receive(*answers, program=compile_(queue=queue), heed=heed)

    assert [size for size in in_hand if size] == sizes


def test_calls(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A backlog of 1,000 messages costs 100 receives, 40 writes and 100 deletes, and two more of each at most."""
    asked = []
    first = queues.receive
    queues.receive = lambda *request: asked.append(request) or first(*request)

    receive(*tens(messages, *range(100)), [])

    tens_deleted = sum(-(-len(call) // 10) for call in queues.deleted)
    assert (sum(map(len, queues.deleted)), len(asked) <= 102, len(tables.calls) <= 42, tens_deleted <= 102) == (
        1000,
        True,
        True,
        True,
    )


def test_slow_work(receive: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that works slowly has only one answer in hand at a time, until it is quicker."""
    clock = [0.0]
    monkeypatch.setattr("router.worker.receiver.HAND_SECONDS", HAND_SECONDS)
    monkeypatch.setattr("router.worker.receiver.time.monotonic", lambda: clock[0])
    seconds = iter([HAND_SECONDS, HAND_SECONDS + 0.1, HAND_SECONDS + 0.1, HAND_SECONDS, 0.0])
    sizes = []

    def delete(url: str, pairs: Any) -> dict[str, Fault]:
        sizes.append(len(pairs))
        clock[0] += next(seconds)
        return {}

    queues.delete = delete
    receive(*tens(messages, *range(10)), messages("last"))

    assert sizes == [10, 50, 10, 10, 21]


def test_told_of_each_round(receive: Any, tables: Any, messages: Any) -> None:
    """Whoever decides how many receivers there are is told what each round was like."""
    rounds: list[Round] = []
    tables.answers.extend([Answer()] * 3 + [Answer(fault=GONE)])

    def heed(receiver: Receiver, made: Round) -> bool:
        rounds.append(made)
        return True

    receive(messages("first"), *tens(messages, *range(5)), messages("a"), BUSY, heed=heed)

    assert [(made.received, made.answers, made.full, made.well) for made in rounds] == [
        (1, 1, False, True),
        (50, 5, True, True),
        (1, 1, False, False),
        (0, 0, False, False),
        (0, 0, False, True),
    ]


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
