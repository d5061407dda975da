"""A receiver: delivery, deletes, batch sizes and pauses."""

import logging
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest
from msgspec import structs

from router.runtime.run.acknowledgements import DELETE_ATTEMPTS
from router.runtime.run.concurrency import MAX_BATCH_CHARACTERS, Round, Tuning
from router.runtime.run.leases import Lease, Leases
from router.runtime.run.polling import ACKNOWLEDGE_SECONDS, PolledQueue, ReceiverContext, StopEvent
from router.runtime.run.receiver import DELETE_RESERVE, QueueState, Receiver
from router.runtime.run.timing import Timing
from tests.support.aws import Aws, AwsFault, WriteResponse, boottime
from tests.support.deliver import RESERVE_SECONDS, Delivery, SharedWaits, Writer

BUSY = AwsFault("retry", "ServiceUnavailable", 503)
GONE = AwsFault("configuration", "ResourceNotFoundException", 400)
UNLIMITED = Tuning(batch_seconds=1e6)
"""The duration of a batch does not limit the size of the next one."""
INSTRUCTIONS = 85 if sys.version_info[:2] == (3, 11) else 120
"""For a message, with headroom."""


class RecordingStop(StopEvent):
    """Records pauses instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0)
        return self.is_set()


@pytest.fixture
def receive(
    aws: Aws, queues: Any, compile_: Any, caplog: pytest.LogCaptureFixture
) -> Callable[..., tuple[Receiver, RecordingStop]]:
    """Runs a receiver until it has received all batches and then an empty one, with pauses of the maximum length."""

    def run(
        *received: Any,
        program: Any = None,
        wait: int = 0,
        on_round: Any = lambda receiver, finished: True,
        tuning: Tuning = UNLIMITED,
        clock: Callable[[], float] = boottime,
        visibility: int = 30,
        writer: Writer | None = None,
        state: QueueState | None = None,
        jitter: Callable[[float, float], float] = max,
    ) -> tuple[Receiver, RecordingStop]:
        program = program or compile_()
        stop = RecordingStop()
        first = queues.on_receive

        def on_receive() -> None:
            if not queues.received:
                stop.stop(10)
            first()

        queues.received.extend(received)
        queues.on_receive = on_receive
        polled = PolledQueue(program.engine.queues["q"], "url", visibility, wait)
        leases = Leases(queues, clock)
        writer = writer or Writer(aws.tables, clock, jitter=lambda low, high: 0.0)
        delivery = Delivery(program, aws, clock, writer=writer)
        timing = Timing(jitter, lambda seconds: None, clock)
        context = ReceiverContext(queues, delivery, leases, stop, tuning, timing)
        receiver = Receiver(polled, context, on_round, state or QueueState(polled.queue, clock))
        with caplog.at_level(logging.INFO, "router"):
            receiver.run()
        return receiver, stop

    return run


def errors(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    """Returns messages and fields of the logged errors."""
    return [
        (entry.getMessage(), entry.__dict__.get("fields")) for entry in caplog.records if entry.levelname == "ERROR"
    ]


def test_writes_and_deletes(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """Received messages are written and then deleted, without a pause."""
    receiver, stop = receive(messages("a", "b"), messages("c"))

    assert (sorted(tables.items), queues.deleted, stop.pauses, receiver.healthy) == (
        ["a", "b", "c"],
        [[("m-a", "handle-m-a"), ("m-b", "handle-m-b")], [("m-c", "handle-m-c")]],
        [],
        True,
    )


def full_receives(messages: Any, *numbers: int) -> list[Any]:
    """Full receives: ten messages each."""
    return [messages(*[f"{number}-{n}" for n in range(10)]) for number in numbers]


def test_request_size(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A backlog doubles the next request, which does not long-poll; otherwise the size follows what was received."""
    asked = []
    ask = queues.receive

    def receive_(url: str, count: int, wait_seconds: int, visibility: int) -> Any:
        asked.append((count, wait_seconds))
        return ask(url, count, wait_seconds, visibility)

    queues.receive = receive_
    receive(
        messages("first"),
        *full_receives(messages, *range(7)),
        messages("a"),
        *full_receives(messages, 7),
        [],
        messages("last"),
        wait=7,
    )

    assert ([len(call) for call in queues.deleted], asked) == (
        [1, 10, 20, 40, 1, 10, 1],
        [(10, 7), (10, 7), (20, 0), (40, 0), (80, 0), (10, 7), (20, 0), (10, 7), (10, 7)],
    )


@pytest.mark.parametrize(
    ("queue", "body", "answers", "sizes"),
    [
        ("dead_letter: letters", "", 60, [10, 20, 40, 80, 160, UNLIMITED.batch_messages, 90]),
        ("dead_letter: letters", "x" * (MAX_BATCH_CHARACTERS // 40), 10, [10, 20, 30, 30, 10]),
        ("dead_letter: letters", "x" * MAX_BATCH_CHARACTERS, 3, [10, 10, 10]),
        ("name: q.fifo, dead_letter: letters.fifo", "", 3, [10, 10, 10]),
        ("dead_letter: letters, envelope: [s3_pointer], s3_pointer: {buckets: [bucket]}", "", 3, [10, 10, 10]),
    ],
)
def test_batch_limits(
    receive: Any, queues: Any, compile_: Any, arrive: Any, queue: str, body: str, answers: int, sizes: list[int]
) -> None:
    """The size of a batch is limited by the kind of queue and by the size of the previous bodies."""
    batches: list[int] = []

    def on_round(receiver: Receiver, finished: Round) -> bool:
        batches.append(finished.received)
        return True

    backlog = [
        [
            arrive(f'{{"id":"{number}-{n}","text":"{body}"}}', f"m-{number}-{n}", MessageGroupId=str(n))
            for n in range(10)
        ]
        for number in range(answers)
    ]

    receive(*backlog, program=compile_(queue=queue), on_round=on_round)

    assert [size for size in batches if size] == sizes


def test_calls(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A backlog of 1,000 messages costs 100 receives, 40 writes and 100 deletes, and few more of each."""
    asked = []
    first = queues.receive

    def receive_(*request: Any) -> Any:
        asked.append(request)
        return first(*request)

    queues.receive = receive_

    receive(*full_receives(messages, *range(100)), [])

    batches_deleted = sum(-(-len(call) // 10) for call in queues.deleted)
    batches_requested = sum(-(-count // 10) for _, count, _, _ in asked)
    assert (sum(map(len, queues.deleted)), batches_requested <= 120, len(tables.calls) <= 44, batches_deleted) == (
        1000,
        True,
        True,
        100,
    )


def test_backlog_without_full_calls(receive: Any, messages: Any) -> None:
    """A receive of several calls that are not all full still indicates a backlog."""
    sizes: list[int] = []

    def on_round(receiver: Receiver, finished: Round) -> bool:
        sizes.append(finished.received)
        return True

    receive(
        *full_receives(messages, 1, 2), messages("a", "b"), *full_receives(messages, *range(3, 7)), on_round=on_round
    )

    assert sizes[:3] == [10, 12, 40]


def test_full_leases(receive: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the leases are full, a receiver requests ten messages."""
    monkeypatch.setattr("router.runtime.run.leases.MAX_CHARACTERS", 0)

    receive(*full_receives(messages, 1, 2, 3))

    assert [len(call) for call in queues.deleted] == [10, 10, 10]


def test_slow_work(receive: Any, queues: Any, messages: Any) -> None:
    """A batch is limited to a second of estimated processing time, but not below one call."""
    now = boottime()
    each = iter([0.002, 0.015, 0.015, 0.2, 0.002, 0.0])
    sizes = []

    def delete(url: str, pairs: Any, timeout: float) -> dict[str, AwsFault]:
        sizes.append(len(pairs))
        nonlocal now
        now += len(pairs) * next(each)
        return {}

    queues.delete = delete
    receive(*full_receives(messages, *range(16)), tuning=Tuning(batch_seconds=1.0), clock=lambda: now)

    assert sizes == [10, 20, 40, 60, 10, 20]


def hot_keys(*ids: str) -> list[WriteResponse]:
    """Answers to batches of which one item each is throttled, and to their retries."""
    return [WriteResponse(unprocessed=[{"PutRequest": {"Item": {"id": {"S": id_}}}}]) for id_ in ids for _ in range(2)]


def long_waits(compile_: Any, time_: Any) -> QueueState:
    """Receivers may wait a second for retries."""
    state = QueueState(compile_().engine.queues["q"], time_)
    state.waits = SharedWaits()
    return state


def test_batch_size_beside_hot_keys(
    receive: Any, compile_: Any, tables: Any, queues: Any, messages: Any, time_: Any
) -> None:
    """The waits for retries of a few messages do not make the next batches smaller; what else takes time does."""
    tables.answers.extend(hot_keys("0-0", "1-0"))
    seconds = iter([0.0, 0.0, 0.08])

    def batch_write(*given: Any, write: Any = tables.batch_write) -> Any:
        time_.now += next(seconds, 0.0)
        return write(*given)

    tables.batch_write = batch_write
    writer = Writer(tables, time_, time_.sleep, jitter=lambda low, high: high, max_tries=2)
    receive(
        *full_receives(messages, *range(7)),
        writer=writer,
        tuning=Tuning(batch_seconds=0.1),
        clock=time_,
        state=long_waits(compile_, time_),
    )

    assert (time_.slept, [len(call) for call in queues.deleted]) == ([pytest.approx(0.1)] * 2, [9, 19, 20, 20])


def test_waits_of_the_receivers_of_a_queue(
    receive: Any, compile_: Any, tables: Any, queues: Any, messages: Any, time_: Any
) -> None:
    """A new receiver waits for a hot key only if those before have left some time for it, or has received for long."""
    state = QueueState(compile_().engine.queues["q"], time_)
    writer = Writer(tables, time_, time_.sleep, jitter=lambda low, high: high)
    for number, seconds in enumerate([0.0, 0.0, 0.0, 2.0]):
        queues.on_receive = partial(time_.sleep, seconds)
        tables.answers.append(WriteResponse(unprocessed=[{"PutRequest": {"Item": {"id": {"S": f"{number}-0"}}}}]))
        receive(*full_receives(messages, number), writer=writer, clock=time_, state=state)

    # Each receives twice: the batch, and an empty one.
    slept = [0.0, 0.1, 0.0, 0.0, 0.1, 0.0, 0.0, 0.0, 2.0, 0.1, 2.0]
    assert time_.slept == pytest.approx(slept)


def test_seconds_of_rounds_with_a_hot_key(receive: Any, compile_: Any, tables: Any, messages: Any, time_: Any) -> None:
    """The waits and the calls of retries do not count, so that they remove no receiver."""
    rounds: list[float] = []

    def on_round(receiver: Receiver, finished: Round) -> bool:
        rounds.append(finished.seconds)
        return True

    def batch_write(*given: Any, write: Any = tables.batch_write) -> Any:
        time_.now += 0.03125
        return write(*given)

    tables.answers.extend(hot_keys("0-0", "1-0"))
    tables.batch_write = batch_write
    writer = Writer(tables, time_, time_.sleep, jitter=lambda low, high: high, max_tries=2)
    receive(
        *full_receives(messages, 0, 1), writer=writer, clock=time_, on_round=on_round, state=long_waits(compile_, time_)
    )

    assert [*time_.slept, *rounds[:2]] == pytest.approx([0.1, 0.1, 0.03125, 0.03125])


def test_reports_each_round(receive: Any, tables: Any, messages: Any) -> None:
    """Each round is reported to `on_round`.

    It is full if the receive indicates a backlog and the batch had its maximum size.
    """
    rounds: list[Round] = []
    tables.answers.extend([WriteResponse()] * 4 + [WriteResponse(fault=GONE)])

    def on_round(receiver: Receiver, finished: Round) -> bool:
        rounds.append(finished)
        return True

    receive(
        messages("first"),
        *full_receives(messages, *range(4)),
        messages("a", "b"),
        messages("c"),
        BUSY,
        on_round=on_round,
        tuning=Tuning(20, 1e6),
    )

    assert [
        (finished.received, finished.full, finished.throttled > 0, finished.is_throttled, finished.failed)
        for finished in rounds
    ] == [
        (1, False, False, False, False),
        (10, False, False, False, False),
        (20, True, False, False, False),
        (12, True, False, False, False),
        (1, False, True, False, False),
        (0, False, False, False, True),
        (0, False, False, False, False),
    ]


@pytest.mark.parametrize(
    ("visibility", "wait", "longest"), [(30, 10, 10), (30, 20, 20), (20, 20, 10), (15, 20, 7), (2, 20, 1), (30, 0, 0)]
)
def test_long_poll_leaves_time(receive: Any, queues: Any, visibility: int, wait: int, longest: int) -> None:
    """A long poll leaves ten seconds of the visibility timeout that it states, or half of a short one."""
    asked = []
    ask = queues.receive

    def receive_(*request: Any) -> Any:
        asked.append(request)
        return ask(*request)

    queues.receive = receive_
    receive([], wait=wait, visibility=visibility)

    assert asked == [("url", 10, longest, visibility)] * 2


@pytest.mark.parametrize("queue", ["dead_letter: letters", "name: q.fifo, dead_letter: letters.fifo"])
def test_late_response(
    receive: Any, tables: Any, queues: Any, compile_: Any, arrive: Any, time_: Any, caplog: Any, queue: str
) -> None:
    """Messages whose visibility timeout may be over are neither written nor deleted, nor made visible."""
    seconds = iter([30.0, 29.0, 0.0])

    def on_receive() -> None:
        time_.now += next(seconds)

    queues.on_receive = on_receive
    rounds: list[Round] = []
    records = [[arrive(f'{{"id":"{id_}"}}', id_, MessageGroupId="g")] for id_ in "ab"]

    def on_round(receiver: Receiver, finished: Round) -> bool:
        rounds.append(finished)
        return True

    receive(*records, program=compile_(queue=queue), clock=time_, on_round=on_round)

    warnings = [
        (entry.getMessage(), entry.__dict__["fields"]) for entry in caplog.records if entry.levelname == "WARNING"
    ]
    assert (sorted(tables.items), queues.deleted, queues.released, [each.failed for each in rounds], warnings) == (
        ["b"],
        [[("b", "handle-b")]],
        [],
        [True, False, False],
        [("received after the visibility timeout, and discarded", {"queue": "q", "messages": 1})],
    )


@pytest.mark.parametrize(("seconds", "times"), [(31, []), (30, []), (29.5, [0.5])])
def test_lease_over_while_writing(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any, seconds: float, times: list[float]
) -> None:
    """If the lease ends before a message is written, its visibility timeout is not set: its handle may be invalid.

    Until then, it is set in the time that is left.
    """

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        time_.now += seconds
        return WriteResponse(fault=BUSY)

    tables.batch_write = batch_write
    receive(messages("a"), clock=time_)

    assert (queues.deleted, queues.times) == ([], times)


def test_the_lease_of_a_batch_counts_from_its_request(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any
) -> None:
    """Its messages may be invisible since then: no write may last longer, and no visibility timeout is set later."""
    timeouts: list[float] = []

    def on_receive() -> None:
        time_.now += 12 * bool(queues.received)

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        timeouts.append(timeout)
        time_.now += 20
        return WriteResponse(fault=BUSY)

    queues.on_receive = on_receive
    tables.batch_write = batch_write
    receive(messages("a"), clock=time_)

    assert (timeouts, queues.released) == ([30 - 12 - RESERVE_SECONDS], [])


def test_the_lease_of_a_probe_counts_from_its_request(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any
) -> None:
    """As that of a message that is received."""
    timeouts: list[float] = []

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        timeouts.append(timeout)
        return WriteResponse(fault=GONE)

    def change(url: str, changed: Any, timeout: float, change: Any = queues.change_visibility) -> Any:
        time_.now += 12 * ({seconds for _, _, seconds in changed} == {30})
        return change(url, changed, timeout)

    tables.batch_write, queues.change_visibility = batch_write, change
    receive(messages("a", "b", "c"), [], clock=time_)

    assert timeouts[:2] == [30 - RESERVE_SECONDS, 30 - 12 - RESERVE_SECONDS]


def test_no_write_takes_the_time_of_the_deletes_at_a_stop(
    receive: Any, tables: Any, messages: Any, time_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that is written, and not deleted before the process ends, is received again."""
    timeouts: list[float] = []

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        timeouts.append(timeout)
        return WriteResponse()

    tables.batch_write = batch_write
    monkeypatch.setattr(StopEvent, "deadline", time_.now + 10)

    receive(messages("a"), clock=time_)

    assert timeouts == [10 - DELETE_RESERVE - RESERVE_SECONDS]


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> list[Leases]:
    """The leases of the receiver, from the first batch on."""
    found: list[Leases] = []
    acquire = Leases.acquire

    def acquired(self: Leases, *given: Any) -> Lease:
        found.append(self)
        return acquire(self, *given)

    monkeypatch.setattr(Leases, "acquire", acquired)
    return found


def test_deletes_by_the_newest_receipt_handle(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any, leases: list[Leases]
) -> None:
    """Of a message that another receiver has received meanwhile: the earlier handle may be invalid by then."""

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        (message,) = messages("a")
        leases[0].acquire("url", 30, [structs.replace(message, receipt_handle="newer")], time_.now)
        return WriteResponse()

    tables.batch_write = batch_write
    receive(messages("a"), clock=time_)

    assert queues.deleted == [[("m-a", "newer")]]


def test_settled_messages_of_a_batch_are_not_renewed(
    receive: Any, tables: Any, queues: Any, messages: Any, bad: Any, time_: Any, leases: list[Leases]
) -> None:
    """While the others wait: a renewal would replace the visibility timeouts that were set for their next delivery."""

    def sleep(seconds: float) -> None:
        time_.sleep(16)
        for thread in leases[0].renew():
            thread.join()

    tables.answers.extend(hot_keys("hot")[:1])
    receive([*bad, *messages("hot")], writer=Writer(tables, time_, sleep, jitter=max), clock=time_)

    assert [each[0][0] for each in queues.released] == ["bad-0", "m-hot"]
    assert queues.released[1] == [("m-hot", "handle-m-hot", 30)]


def test_scaled_down(receive: Any, queues: Any, messages: Any) -> None:
    """A receiver that is scaled down ends after its round, and its messages are deleted."""
    receive(messages("a"), messages("b"), on_round=lambda receiver, finished: False)

    assert (queues.deleted, len(queues.received)) == ([[("m-a", "handle-m-a")]], 1)


def test_failed_call_after_a_full_one(
    receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages received before a failed call are delivered."""
    _, stop = receive(*full_receives(messages, 1), BUSY)

    assert ([len(call) for call in queues.deleted], stop.pauses, errors(caplog)) == (
        [10],
        [1.0],
        [("cannot receive", {"queue": "q", "error": "ServiceUnavailable"})],
    )


def test_retry_extends_the_visibility_timeout(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A message to retry is not deleted; its visibility timeout is extended, and the next poll is delayed."""
    tables.answers.extend([WriteResponse(fault=BUSY)] * 8)

    _, stop = receive(messages("a"))

    (((id_, handle, seconds),),) = queues.released
    assert (queues.deleted, id_, handle, 30 <= seconds <= 38, stop.pauses) == (
        [],
        "m-a",
        "handle-m-a",
        True,
        [1.0],
    )


def test_pauses_grow_with_configuration_errors(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """While configuration errors last, each pause doubles up to a limit, and is split by probes.

    An empty round resets it.
    """
    tables.answers.extend([WriteResponse(fault=GONE)] * 100)

    _, stop = receive(*[messages(id_) for id_ in "abcdefgh"], [])

    split = [[1], [2], [4], [5, 3], [5, 5, 5, 1], [*[5] * 6, 2], [5] * 12, [5] * 12, [1]]
    assert (stop.pauses, queues.deleted, queues.letters) == ([part for pause in split for part in pause], [], [])


def test_an_outage(receive: Any, tables: Any, queues: Any, messages: Any, caplog: Any) -> None:
    """In an outage messages are delivered again without a receive, and few more are received after each pause.

    Once one is written, the messages that are invisible are made visible, and the pauses end.
    """
    tables.answers.extend([WriteResponse(fault=GONE)] * 5)
    first, *others = full_receives(messages, 1, 2, 3)
    ids = [[f"{number}-{n}" for n in range(10)] for number in (1, 2, 3)]

    _, stop = receive(first, *others)

    assert (stop.pauses, tables.calls) == ([1.0, 2.0, 4.0], [ids[0], ids[0], ids[1], ids[0], ids[2], ids[0]])
    assert [id_ for id_, _, _ in queues.released[-1]] == [f"m-{id_}" for id_ in ids[1] + ids[2]]
    assert [len(call) for call in queues.deleted] == [10]
    assert [(id_, seconds) for id_, _, seconds in queues.released[1]] == [(f"m-{id_}", 30) for id_ in ids[0]]
    logged = [(entry.levelname, entry.getMessage(), entry.__dict__["fields"]) for entry in caplog.records]
    assert [each for each in logged if "outage" in each[1]] == [
        ("WARNING", "an outage began", {"queue": "q"}),
        ("INFO", "the outage is over", {"queue": "q"}),
    ]


def test_messages_of_an_outage_are_extended(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it lasts, messages that are no probes are not received again: they stay invisible."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 100)
    monkeypatch.setattr(RecordingStop, "wait", lambda stop, seconds: time_.sleep(seconds))

    receive(*full_receives(messages, 1, 2), *[[]] * 20, clock=time_)

    extended = [[id_ for id_, _, _ in call] for call in queues.released if {each[2] for each in call} == {300}]
    assert extended == [[f"m-2-{n}" for n in range(10)]]


def test_after_an_outage(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """The messages that are invisible are made visible by and by, with each round without throttled ones."""
    visible: list[tuple[list[str], int]] = []
    hot = WriteResponse([{"PutRequest": {"Item": {"id": {"S": "hot"}}}}])

    def batch_write(table: str, requests: Any, *given: Any, write: Any = tables.batch_write) -> Any:
        first = requests[0]["PutRequest"]["Item"]["id"]["S"]
        if len(queues.received) > 3 or (len(queues.received) == 3 and first != "1-0"):
            tables.answers.append(WriteResponse(fault=GONE))
        elif first == "hot":
            tables.answers.append(hot)
        return write(table, requests, *given)

    def change(url: str, changed: Any, timeout: float, change: Any = queues.change_visibility) -> Any:
        if {seconds for _, _, seconds in changed} == {0}:
            visible.append((tables.calls[-1][:2], len(changed)))
        return change(url, changed, timeout)

    tables.batch_write, queues.change_visibility = batch_write, change

    receive(*full_receives(messages, *range(1, 10)), messages("hot", "a"), messages("b"), [])

    # The first ones by the delivery that ends the outage, none by the batch of the hot key, and the others by the
    # batch after it, by the receives of no message, and at the stop.
    assert visible == [(["1-0", "1-1"], 20), (["b"], 10), (["b"], 10), (["b"], 10), (["b"], 30)]


def test_a_probe_that_another_consumer_has(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A message is not delivered again if it cannot be leased for that."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 2)

    def change(url: str, messages: Any, timeout: float, change: Any = queues.change_visibility) -> Any:
        queues.faults = {"m-b": AwsFault("refused", "MessageNotInflight", 400)} if queues.released else {}
        return change(url, messages, timeout)

    queues.change_visibility = change

    receive(messages("a", "b", "c"), [])

    assert tables.calls[:2] == [["a", "b", "c"], ["a", "c"]]


RETRIES = """
@hookimpl
def router_transform_message(message, route):
    if message.data["id"] == "later":
        raise Retry("later", 7)
    return message
"""


def test_messages_that_are_no_probes(receive: Any, compile_: Any, tables: Any, queues: Any, messages: Any) -> None:
    """In an outage no message is delivered again that did not meet it, or that another consumer may have by then."""
    tables.answers.append(WriteResponse(fault=GONE))
    queues.faults["m-d"] = AwsFault("refused", "MessageNotInflight", 400)

    receive(messages("a", "b", "later", "c", "d"), [], program=compile_(retries=RETRIES))

    leased = [[id_ for id_, _, _ in call] for call in queues.released if {each[2] for each in call} == {30}]
    assert (tables.calls[:2], leased) == ([["a", "b", "c", "d"], ["a", "b", "c"]], [["m-a", "m-b", "m-c"]])


def test_probes_that_were_received_long_ago(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message stays invisible for at most twelve hours from its receive, of which a minute is kept as a margin."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 100)
    waits = iter([10_000])
    monkeypatch.setattr(RecordingStop, "wait", lambda stop, seconds: time_.sleep(next(waits, 0)))
    often = {"ApproximateReceiveCount": "4"}

    receive(messages("a", "b", "c", a=often, b=often, c=often), [], clock=time_)

    first, lease, again = [{seconds for _, _, seconds in call} for call in queues.released[:3]]
    assert (min(first) > 33_140, lease, again) == (True, {30}, {12 * 60 * 60 - 60 - 10_000})


def test_end_of_an_outage_in_a_pause(receive: Any, tables: Any, messages: Any) -> None:
    """Once a message is written, the rest of a long pause is left out, and the next failure has a short one."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 7)

    _, stop = receive(messages("a", "b", "c"), *[messages(id_) for id_ in "def"], BUSY, [])

    assert (len(tables.calls), stop.pauses) == (8, [1.0, 2.0, 4.0, 5.0, 1.0])


def test_pause_in_an_outage_after_a_good_time(receive: Any, tables: Any, messages: Any) -> None:
    """In an outage a queue is not polled, however many messages were written before it."""
    tables.answers.extend([WriteResponse(), WriteResponse(fault=GONE)])

    _, stop = receive(*full_receives(messages, 1), messages("a", "b", "c"), [])

    assert (len(tables.calls), stop.pauses) == (3, [1.0])


@pytest.fixture
def bad(queues: Any, arrive: Any) -> list[Any]:
    """Two messages that are rejected, and cannot become dead letters."""
    queues.send = lambda url, letters, timeout: dict.fromkeys([letter.id for letter in letters], GONE)
    return [arrive("no JSON", f"bad-{number}") for number in range(2)]


def test_an_outage_of_the_parts_of_a_batch(receive: Any, tables: Any, messages: Any, bad: Any, time_: Any) -> None:
    """Messages that cannot become dead letters, and one that waited for the table, begin an outage together."""
    tables.answers.extend([*hot_keys("hot")[:1], WriteResponse(fault=GONE)])
    writer = Writer(tables, time_, time_.sleep, jitter=max)

    receive([*bad, *messages("hot")], [], writer=writer, clock=time_)

    # It is delivered once more in the pause.
    assert (len(time_.slept), tables.calls) == (1, [["hot"]] * 3)


def test_throttled_share_of_the_parts_of_a_batch(
    receive: Any, tables: Any, messages: Any, bad: Any, time_: Any
) -> None:
    """It counts the messages that are settled before a wait, and those that are after it."""
    rounds: list[Round] = []
    tables.answers.extend(hot_keys("hot")[:1])
    writer = Writer(tables, time_, time_.sleep, jitter=max)

    def on_round(receiver: Receiver, finished: Round) -> bool:
        rounds.append(finished)
        return True

    receive([*bad, *messages("hot", *"abcde")], on_round=on_round, writer=writer, clock=time_)

    assert (len(time_.slept), rounds[0].throttled) == (1, 2 / 8)


def test_an_outage_of_an_empty_queue(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """While all messages are invisible, polls go on, each followed by a delivery of messages that met the outage."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 4)

    _, stop = receive(messages("a", "b", "c"), [], [], [], [])

    ids = ["a", "b", "c"]
    assert (stop.pauses, tables.calls) == ([1.0, 1.0, 1.0, 1.0], [ids] * 5)
    assert [len(call) for call in queues.deleted] == [3]


def test_end_of_an_outage_at_a_stop(receive: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A receiver that stops makes messages visible that met the outage: the next start may do better."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 100)

    receive(messages("a", "b", "c"), [])

    assert queues.released[-1] == [("m-a", "handle-m-a", 0), ("m-b", "handle-m-b", 0), ("m-c", "handle-m-c", 0)]


def test_stopped_in_a_pause(
    receive: Any, tables: Any, queues: Any, messages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver that is stopped in an outage neither probes nor receives any more."""
    tables.answers.extend([WriteResponse(fault=GONE)] * 100)
    monkeypatch.setattr(RecordingStop, "wait", lambda stop, seconds: stop.stop(10))

    receive(messages("a", "b", "c"), messages("d"))

    assert (tables.calls, len(queues.received)) == ([["a", "b", "c"]], 1)
    assert queues.released[-1] == [(f"m-{id_}", f"handle-m-{id_}", 0) for id_ in "abc"]


@pytest.mark.parametrize(("others", "pauses"), [(10, []), (4, [0.5])])
def test_pauses_by_the_throttled_share(
    receive: Any, tables: Any, queues: Any, messages: Any, time_: Any, others: int, pauses: list[float]
) -> None:
    """A share of the messages lengthens the time between polls by that share; a small one does not."""
    tables.answers.extend([WriteResponse(), WriteResponse(), WriteResponse(fault=GONE)])

    def on_receive() -> None:
        time_.now += 2.0

    queues.on_receive = on_receive

    _, stop = receive(messages(*"abcdefghi"[: others - 1]), messages("j"), messages("k"), [], clock=time_)

    # A fifth of the time: a quarter of the two seconds that the round took.
    assert stop.pauses == pytest.approx(pauses, abs=0.01)


def test_cannot_receive(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """If a receive fails, that is logged, and the receiver pauses and continues."""
    healthy: list[bool] = []

    def on_round(receiver: Receiver, finished: Round) -> bool:
        healthy.append(receiver.healthy)
        return True

    _, stop = receive(BUSY, messages("a"), on_round=on_round)

    assert (errors(caplog), stop.pauses, len(queues.deleted), healthy) == (
        [("cannot receive", {"queue": "q", "error": "ServiceUnavailable"})],
        [1.0],
        1,
        [False, True, True],
    )


def test_random_pauses(receive: Any) -> None:
    """A pause has at least half of its length: what failed together is not tried again together."""
    _, stop = receive(BUSY, jitter=min)

    assert stop.pauses == [0.5]


def test_unexpected_error(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error does not end the receiver."""
    raised = iter([LookupError("a secret")])

    def once() -> None:
        for error in raised:
            raise error

    queues.on_receive = once
    _, stop = receive(messages("a"))

    assert (errors(caplog), stop.pauses, len(queues.deleted)) == (
        [("unexpected error", {"queue": "q"})],
        [1.0],
        1,
    )


def test_delete_again(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A failed delete is retried alone, up to a number of attempts."""
    queues.faults["m-b"] = BUSY

    receive(messages("a", "b"))

    assert ([[id_ for id_, _ in call] for call in queues.deleted], errors(caplog)) == (
        [["m-a", "m-b"], *[["m-b"]] * (DELETE_ATTEMPTS - 1)],
        [("cannot delete", {"queue": "q", "error": "ServiceUnavailable", "message_id": "m-b"})],
    )


def test_refused_delete(receive: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A delete that can never succeed is not retried."""
    queues.faults["m-a"] = AwsFault("refused", "ReceiptHandleIsInvalid", 400)

    receive(messages("a"))

    assert (len(queues.deleted), errors(caplog)) == (
        1,
        [("cannot delete", {"queue": "q", "error": "ReceiptHandleIsInvalid", "message_id": "m-a"})],
    )


def test_cannot_set_the_visibility_timeout(
    receive: Any, tables: Any, queues: Any, messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """If a visibility timeout cannot be set, that is logged."""
    tables.answers.append(WriteResponse(fault=GONE))
    queues.faults["m-a"] = AwsFault("refused", "MessageNotInflight", 400)

    receive(messages("a"))

    assert errors(caplog) == [
        ("cannot set the visibility timeout", {"queue": "q", "error": "MessageNotInflight", "message_id": "m-a"})
    ]


def test_stopped_while_receiving(queues: Any, aws: Aws, tables: Any, compile_: Any, messages: Any) -> None:
    """Messages that arrive while stopping are not begun, and become visible at once."""
    program = compile_()
    stop = StopEvent()
    queues.received.append(messages("a", "b"))
    queues.on_receive = lambda: stop.stop(10)
    polled = PolledQueue(program.engine.queues["q"], "url", 30, 0)

    context = ReceiverContext(queues, Delivery(program, aws), Leases(queues), stop)
    Receiver(polled, context, lambda receiver, finished: True, QueueState(polled.queue)).run()

    assert (tables.calls, queues.deleted, queues.released) == (
        [],
        [],
        [[("m-a", "handle-m-a", 0), ("m-b", "handle-m-b", 0)]],
    )


def test_fifo_deletes_in_order(receive: Any, compile_: Any, queues: Any, arrive: Any) -> None:
    """The messages of a group are deleted in order, and none after a failed delete."""
    queues.faults["m2"] = AwsFault("refused", "ReceiptHandleIsInvalid", 400)
    records = [
        arrive(f'{{"id":"{id_}"}}', id_, MessageGroupId=group)
        for id_, group in (("m1", "a"), ("m2", "a"), ("m3", "a"), ("m4", "b"), ("m5", "b"))
    ]

    receive(records, program=compile_(queue="name: q.fifo, dead_letter: letters.fifo"))

    assert [[id_ for id_, _ in call] for call in queues.deleted] == [["m1", "m4"], ["m2", "m5"]]


HOT = WriteResponse([{"PutRequest": {"Item": {"id": {"S": "a"}}}}])
FIFO = "name: q.fifo, dead_letter: letters.fifo"


@pytest.mark.parametrize(
    ("queue", "undeleted", "deletes"),
    [
        ("dead_letter: letters", "", [["b", "c"], ["a"]]),
        (FIFO, "", [["b"], ["a", "c"]]),
        # The later message of its group, which is written in the meantime, is not deleted before it.
        (FIFO, "b", [["b"], ["a"]]),
    ],
)
def test_deletes_before_a_wait(
    aws: Aws, tables: Any, queues: Any, compile_: Any, arrive: Any, queue: str, undeleted: str, deletes: list[list[str]]
) -> None:
    """Before a batch waits for a throttled message, those that are written are deleted."""
    tables.answers.append(HOT)
    if undeleted:
        queues.faults[undeleted] = AwsFault("refused", "ReceiptHandleIsInvalid", 400)
    queues.received.append(
        [arrive(f'{{"id":"{id_}"}}', id_, MessageGroupId=group) for id_, group in ("a1", "b2", "c2")]
    )
    deleted_before: list[int] = []
    write = tables.batch_write

    def batch_write(table: str, requests: Any, timeout: float, measured: bool) -> WriteResponse:
        deleted_before.append(len(queues.deleted))
        response: WriteResponse = write(table, requests, timeout)
        return response

    tables.batch_write = batch_write
    program = compile_(queue=queue)
    delivery = Delivery(program, aws, writer=Writer(aws.tables, jitter=lambda low, high: 0.01))
    polled = PolledQueue(program.engine.queues["q"], "url", 30, 0)

    context = ReceiverContext(queues, delivery, Leases(queues), StopEvent())

    Receiver(polled, context, lambda receiver, finished: False, QueueState(polled.queue)).run()

    assert (deleted_before[:2], [[id_ for id_, _ in call] for call in queues.deleted]) == ([0, 1], deletes)


def test_stop_event() -> None:
    """At first the event is not set and has no deadline; once set, it has the time to finish."""
    stop = StopEvent()
    before = (stop.is_set(), stop.deadline, stop.wait(0), stop.timeout())
    now = boottime()

    stop.stop(5)

    assert (before, stop.is_set(), stop.wait(60)) == ((False, float("inf"), False, ACKNOWLEDGE_SECONDS), True, True)
    assert stop.timeout() <= 5
    assert now + 5 <= stop.deadline <= boottime() + 5


@pytest.mark.parametrize("hot", [False, True])
def test_what_a_message_costs(
    aws: Aws, tables: Any, overlapping: Any, queues: Any, compile_: Any, messages: Any, hot: bool
) -> None:
    """Receivers, leases and acknowledgements take few bytecode instructions for a message that is written.

    A hot key among them costs the others little.
    """
    program = compile_()
    polled = PolledQueue(program.engine.queues["q"], "url", 30, 0)
    delivery = Delivery(program, aws, writer=Writer(tables, max_tries=1))

    def count(received: int) -> int:
        counted = 0

        def trace(frame: FrameType, what: str, argument: Any) -> Any:
            nonlocal counted
            if not frame.f_globals["__name__"].startswith("router.runtime.run."):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            counted += what == "opcode"
            return trace

        tables.answers.append(WriteResponse([{"PutRequest": {"Item": {"id": {"S": "0"}}}}] if hot else []))
        queues.receive = lambda *given: messages(*[str(number) for number in range(received)])
        context = ReceiverContext(overlapping, delivery, Leases(queues), StopEvent())
        receiver = Receiver(polled, context, lambda receiver, finished: False, QueueState(polled.queue))
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            receiver.run()
        finally:
            sys.settrace(before)
        tables.answers.clear()
        return counted

    assert (count(150) - count(50)) / 100 < INSTRUCTIONS
