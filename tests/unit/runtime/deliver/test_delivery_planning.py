"""A message that is costly to plan: the others of its batch do not wait for it, and it has a bound."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec import structs

from router.model import Record
from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.fast_paths import COMPILE_AFTER
from router.runtime.deliver.metrics import cause_of
from router.runtime.deliver.time_limits import MARGIN_SECONDS, FixedDeadline
from router.runtime.deliver.visibility import Delivered
from router.runtime.deliver.writer import Writer
from tests.support.aws import Aws, AwsFault, WriteResponse

LINES = "{queue: q, table: things, for_each: lines, item: {id: element}}"
FIFO = "name: q.fifo, dead_letter: letters.fifo"
Deliver = Callable[..., list[Delivered]]


@pytest.fixture
def deliver(aws: Aws, compile_: Any, time_: Any) -> Deliver:
    """Delivers records; each element of `for_each` takes 0.1 s of CPU time, and `wall` seconds of the clock."""

    def run(records: Sequence[Record], queue: str = "dead_letter: letters", wall: float = 0) -> list[Delivered]:
        spent = 0.0

        def cpu() -> float:
            nonlocal spent
            spent += 0.1
            time_.now += wall
            return spent

        program = compile_(LINES, queue)
        writer = Writer(aws.tables, time_, time_.sleep, jitter=lambda low, high: high)
        delivery = Delivery(program, aws, time_, writer=writer, cpu=cpu)
        return delivery.deliver(program.engine.queues["q"], records, FixedDeadline(time_.now + 10 + MARGIN_SECONDS))

    return run


@pytest.fixture
def lines(arrive: Any) -> Callable[..., Record]:
    """A record with so many lines, of a message group."""

    def record(id_: str, count: int, group: str = "g") -> Record:
        body = json.dumps({"lines": [f"{id_}{number}" for number in range(count)]})
        made: Record = arrive(body, id_, MessageGroupId=group)
        return made

    return record


def ends(delivered: Sequence[Delivered]) -> list[tuple[str, str, str]]:
    return [(each.record.message_id, each.outcome.kind, each.outcome.reason) for each in delivered]


def test_a_costly_message_comes_last(deliver: Deliver, lines: Any, tables: Any) -> None:
    """It is planned once the other messages of its batch are written."""
    delivered = deliver([lines("c", 4), lines("a", 1), lines("b", 1)])

    assert [kind for _, kind, _ in ends(delivered)] == ["written"] * 3
    assert tables.calls == [["a0", "b0"], ["c0", "c1", "c2", "c3"]]


def test_a_costly_message_is_written_again(deliver: Deliver, lines: Any, tables: Any, time_: Any) -> None:
    """After a wait, if its table is throttled."""
    tables.answers.append(WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400)))

    (delivered,) = deliver([lines("c", 4)])

    assert (delivered.outcome.kind, len(tables.calls), len(time_.slept)) == ("written", 2, 1)


def test_a_message_that_is_too_costly(deliver: Deliver, lines: Any, tables: Any) -> None:
    """It is rejected, and the others are written."""
    delivered = deliver([lines("c", 60), lines("a", 1)])

    assert ends(delivered) == [
        ("c", "rejected", "'for_each' takes more than 5 s of CPU time"),
        ("a", "written", ""),
    ]
    assert tables.calls == [["a0"]]


def test_outcomes_are_logged_once(deliver: Deliver, lines: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Of several messages that are too costly, each is decided and logged by itself."""
    with caplog.at_level("INFO", "router"):
        deliver([lines("c", 60), lines("d", 60), lines("a", 1)])

    fields = [record.__dict__["fields"] for record in caplog.records]
    assert [each["message_id"] for each in fields if "message_id" in each] == ["c", "d"]


def test_a_group_keeps_its_order(deliver: Deliver, lines: Any, tables: Any) -> None:
    """Later messages of the group of a costly one wait for it; other groups do not."""
    records = [lines("a", 1), lines("b", 4), lines("c", 1), lines("d", 1, "h")]

    delivered = deliver(records, FIFO)

    assert [kind for _, kind, _ in ends(delivered)] == ["written"] * 4
    assert tables.calls == [["a0", "d0"], ["b0", "b1", "b2", "b3"], ["c0"]]


def test_a_group_stops(deliver: Deliver, lines: Any, tables: Any) -> None:
    """Where a costly message is not acknowledged, the rest of its group stays on the queue."""
    delivered = deliver([lines("a", 60), lines("b", 1), lines("c", 1, "h")], "name: q.fifo")

    assert ends(delivered) == [
        ("a", "rejected", "'for_each' takes more than 5 s of CPU time"),
        ("b", "retry", "an earlier message of its group is still on the queue"),
        ("c", "written", ""),
    ]
    assert cause_of(delivered[1].outcome) == "deadline"
    assert tables.calls == [["c0"]]


def test_a_group_that_failed_before(deliver: Deliver, lines: Any, tables: Any, arrive: Any) -> None:
    """A costly message is not begun where an earlier one of its group is not acknowledged."""
    bad = arrive("{", "bad", MessageGroupId="g")

    delivered = deliver([bad, lines("a", 4)], "name: q.fifo")

    assert [kind for _, kind, _ in ends(delivered)] == ["rejected", "retry"]
    assert tables.calls == []


def test_time_runs_out(deliver: Deliver, lines: Any) -> None:
    """A message is not planned beyond the time of its batch, and is rejected only for its own cost."""
    delivered = deliver([lines("b", 4), lines("c", 4)], wall=0.9)

    assert ends(delivered) == [
        ("b", "retry", "time was up while it was planned"),
        ("c", "retry", "the deadline passed before it was planned"),
    ]


def test_after_many_messages(aws: Aws, compile_: Any, time_: Any, arrive: Any, tables: Any) -> None:
    """A queue that has its fast path by then plans each message as before, the unusual ones too."""
    program = compile_("{queue: q, table: things, item: {id: id, a: {meta: message_id}}}")
    delivery = Delivery(program, aws, time_)
    deadline = FixedDeadline(time_.now + 1000 + MARGIN_SECONDS)
    attributes = {"a": {"DataType": "String", "StringValue": "b"}}
    batch = [
        arrive('{"id": "x"}', "usual"),
        structs.replace(arrive('{"id": "y"}', "attributes"), message_attributes=attributes),
        arrive("{", "malformed"),
        arrive('{"id": 1}', "no text"),
    ]

    early, *_, late = [
        (ends(delivery.deliver(program.engine.queues["q"], batch, deadline)), tables.calls[-1])
        for _ in range(COMPILE_AFTER)
    ]

    assert early == late
    assert (early[0][0], early[1]) == (("usual", "written", ""), ["x", "y"])
    assert [kind for _, kind, _ in early[0]] == ["written", "written", "rejected", "rejected"]
    assert tables.items["x"] == {"id": {"S": "x"}, "a": {"S": "usual"}}


@pytest.mark.parametrize("queue", ["dead_letter: letters", FIFO])
def test_items_of_a_batch_that_take_much_memory(
    aws: Aws, compile_: Any, lines: Any, tables: Any, monkeypatch: pytest.MonkeyPatch, queue: str
) -> None:
    """The first messages are written before the next ones are planned: they are not in memory together."""
    monkeypatch.setattr("router.runtime.deliver.delivery.MAX_PLANNED_BATCH_BYTES", 1_500)
    program = compile_(LINES, queue)
    records = [lines(name, 3, group=name) for name in "abcd"]

    delivered = Delivery(program, aws, lambda: 1.0).deliver(program.engine.queues["q"], records, FixedDeadline(60))

    assert [kind for _, kind, _ in ends(delivered)] == ["written"] * 4
    assert [len(call) for call in tables.calls] == [6, 3, 3]


def test_large_bodies_take_memory_too(
    aws: Aws, compile_: Any, arrive: Any, tables: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of empty lists takes a hundred times its bytes."""
    monkeypatch.setattr("router.runtime.deliver.delivery.MAX_PLANNED_BATCH_BYTES", 3_000_000)
    program = compile_()
    records = [arrive(json.dumps({"id": id_, "lists": [[]] * 6_000}), id_) for id_ in "abc"]

    delivered = Delivery(program, aws, lambda: 1.0).deliver(program.engine.queues["q"], records, FixedDeadline(60))

    assert ([kind for _, kind, _ in ends(delivered)], tables.calls) == (["written"] * 3, [["a", "b"], ["c"]])
