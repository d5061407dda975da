"""Delivery: whatever tables and queues answer, each message ends as exactly one outcome."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from router.model import WRITTEN, Outcome, Record, Result, Summary
from router.runtime.deliver.delivery import Delivery, DeliveryOptions
from router.runtime.deliver.metrics import AGES
from router.runtime.deliver.telemetry import measure, measure_ages
from router.runtime.deliver.time_limits import (
    MARGIN_SECONDS,
    RESERVE_SECONDS,
    FixedDeadline,
    SharedWaits,
    WaitBudget,
)
from router.runtime.deliver.visibility import Delivered
from router.runtime.deliver.writer import Writer
from tests.support.aws import Aws, AwsFault, WriteResponse
from tests.support.program import load_program

THROTTLED = WriteResponse(fault=AwsFault("retry", "ThrottlingException", 400))
GONE = AwsFault("configuration", "ResourceNotFoundException", 400)
NO_AGES = (0,) * (len(AGES) + 1)
KEPT = ("retry", "RT814", "table 'things' did not accept the write in time: ThrottlingException")


@pytest.fixture
def deliver(aws: Aws, compile_: Any, time_: Any) -> Callable[..., list[Delivered]]:
    """Delivers records to a program (by default the smallest) within 10 seconds of the clock; retries at once."""

    def run(records: Sequence[Record], program: Any = None, seconds: float = 10) -> list[Delivered]:
        program = program or compile_()
        deadline = FixedDeadline(time_.now + seconds + MARGIN_SECONDS)
        writer = Writer(aws.tables, time_, jitter=lambda low, high: 0.0)
        return Delivery(program, aws, time_, writer=writer).deliver(program.engine.queues["q"], records, deadline)

    return run


def ends(delivered: Sequence[Delivered]) -> list[tuple[str, str, bool]]:
    """Message id, kind and whether it may be deleted, of each."""
    return [(each.record.message_id, each.outcome.kind, each.acknowledged) for each in delivered]


def output(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.kind, outcome.code, outcome.reason


def test_written(deliver: Any, tables: Any, messages: Any) -> None:
    """A batch is one call, and each message may be deleted."""
    delivered = deliver(messages("a", "b"))

    assert (ends(delivered), tables.calls) == ([("m-a", "written", True), ("m-b", "written", True)], [["a", "b"]])


STANDARD = "dead_letter: letters"


@pytest.mark.parametrize(
    ("queue", "unprocessed", "parts"),
    [
        (STANDARD, ["a"], [["m-b", "m-c", "m-d"], ["m-a"]]),
        (STANDARD, ["abc", "a"], [["m-d"], ["m-b", "m-c"], ["m-a"]]),
        # The last message is of the group of the first.
        ("name: q.fifo, dead_letter: letters.fifo", ["a"], [["m-b", "m-c"], ["m-a", "m-d"]]),
    ],
)
def test_parts(
    aws: Aws, tables: Any, time_: Any, compile_: Any, arrive: Any, queue: str, unprocessed: Any, parts: list[list[str]]
) -> None:
    """What is written can be acknowledged before the batch waits for a throttled message."""
    tables.answers.extend(
        WriteResponse([{"PutRequest": {"Item": {"id": {"S": id_}}}} for id_ in ids]) for ids in unprocessed
    )
    writer = Writer(aws.tables, time_, time_.sleep, jitter=lambda low, high: high)
    program = compile_(queue=queue)
    records = [
        arrive(f'{{"id":"{id_}"}}', f"m-{id_}", MessageGroupId=group) for id_, group in zip("abcd", "1231", strict=True)
    ]
    delivery = Delivery(program, aws, time_, writer=writer)
    deliver = delivery.deliver_in_parts(
        program.engine.queues["q"], records, FixedDeadline(time_.now + 10), WaitBudget(time_)
    )

    found = [([each.record.message_id for each in part], len(time_.slept)) for part in deliver]

    assert ([ids for ids, _ in found], [waited for _, waited in found]) == (parts, [*range(len(parts))])


def test_nothing(deliver: Any, tables: Any) -> None:
    """Without records there is nothing to do."""
    assert (deliver([]), tables.calls) == ([], [])


def test_throttled(deliver: Any, tables: Any, messages: Any) -> None:
    """A call that fails for a transient reason is repeated as a whole."""
    tables.answers.extend([THROTTLED, THROTTLED])

    delivered = deliver(messages("a", "b"))

    assert (ends(delivered), tables.calls) == (
        [("m-a", "written", True), ("m-b", "written", True)],
        [["a", "b"]] * 3,
    )


def test_throttled_for_long(deliver: Any, tables: Any, messages: Any) -> None:
    """A message whose write fails too often stays on its queue."""
    tables.answers.extend([THROTTLED] * 8)

    (delivered,) = deliver(messages("a"))

    assert (output(delivered.outcome), delivered.acknowledged, len(tables.calls)) == (KEPT, False, 8)


def test_unprocessed(deliver: Any, tables: Any, messages: Any) -> None:
    """Only unprocessed requests are sent again."""
    tables.answers.append(WriteResponse([{"PutRequest": {"Item": {"id": {"S": "b"}}}}]))

    delivered = deliver(messages("a", "b", "c"))

    assert (ends(delivered), tables.calls, list(tables.items)) == (
        [("m-a", "written", True), ("m-b", "written", True), ("m-c", "written", True)],
        [["a", "b", "c"], ["b"]],
        ["a", "c", "b"],
    )


def test_refused_batch(deliver: Any, tables: Any, queues: Any, messages: Any) -> None:
    """A refused batch is split until the bad item stands alone; it is a dead letter, and the others are written."""
    tables.refused = {"c"}

    delivered = deliver(messages("a", "b", "c", "d", "e"))

    assert ([each.outcome.kind for each in delivered], sorted(tables.items)) == (
        ["written", "written", "rejected", "written", "written"],
        ["a", "b", "d", "e"],
    )
    assert (output(delivered[2].outcome), [letter.id for letter in queues.letters]) == (
        ("rejected", "RT815", "table 'things' refused the item: ValidationException"),
        ["m-c"],
    )


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ((("id", "S"), ("at", "N")), "table 'things' has another key than the config says"),
        (GONE, "table 'things': ResourceNotFoundException"),
    ],
)
def test_wrong_key(deliver: Any, tables: Any, queues: Any, messages: Any, key: Any, reason: str) -> None:
    """A table with another key, or one whose key cannot be read, is a configuration error."""
    tables.refused = {"a", "b"}
    tables.keys["things"] = key

    delivered = deliver(messages("a", "b"))

    assert ([(output(each.outcome), each.outcome.configuration_error) for each in delivered], queues.letters) == (
        [(("retry", "RT816", reason), True)] * 2,
        [],
    )


def test_unknown_key(deliver: Any, tables: Any, queues: Any, messages: Any) -> None:
    """While the key of the table cannot be read, the cause is not known, and the message stays."""
    tables.refused = {"a"}
    tables.keys["things"] = AwsFault("retry", "InternalServerError", 500)

    (delivered,) = deliver(messages("a"))

    assert (output(delivered.outcome), len(tables.calls), queues.letters) == (
        ("retry", "RT814", "table 'things' did not accept the write in time: InternalServerError"),
        8,
        [],
    )


def test_no_table(deliver: Any, tables: Any, queues: Any, messages: Any) -> None:
    """If the table does not exist, every message stays on its queue, after one call."""
    tables.answers.append(WriteResponse(fault=GONE))

    delivered = deliver(messages("a", "b"))

    assert ([output(each.outcome) for each in delivered], ends(delivered)[0][2], tables.calls, queues.letters) == (
        [("retry", "RT816", "table 'things': ResourceNotFoundException")] * 2,
        False,
        [["a", "b"]],
        [],
    )


def test_no_time(deliver: Any, tables: Any, queues: Any, messages: Any, arrive: Any) -> None:
    """After the deadline nothing is called: neither a write nor a dead letter."""
    delivered = deliver([*messages("a"), arrive("{")], seconds=0)

    assert ([output(each.outcome) for each in delivered], tables.calls, queues.letters) == (
        [
            ("retry", "RT819", "the deadline passed before it was planned"),
            ("retry", "RT819", "the deadline passed before it was planned"),
        ],
        [],
        [],
    )


def test_time_runs_out(deliver: Any, tables: Any, time_: Any, messages: Any) -> None:
    """If the deadline is between two tries, the second is not made."""
    tables.answers.append(THROTTLED)
    time_.step = 2

    (delivered,) = deliver(messages("a"), seconds=11)

    assert (output(delivered.outcome), tables.calls) == (
        ("retry", "RT814", "the deadline passed before it was written to table 'things'"),
        [["a"]],
    )


@pytest.mark.parametrize(
    ("where", "fault", "configuration_error"),
    [
        ("url", AwsFault("configuration", "NonExistentQueue", 400), True),
        ("m1", AwsFault("refused", "InvalidMessageContents", 400), False),
    ],
)
def test_dead_letter_not_sent(
    deliver: Any, queues: Any, arrive: Any, where: str, fault: AwsFault, configuration_error: bool
) -> None:
    """A rejected message whose dead letter is not sent stays on its queue."""
    queues.faults[where] = fault

    delivered = deliver([arrive("{"), arrive("{", "m2")])

    first = delivered[0]
    assert (output(first.outcome), first.outcome.configuration_error, first.acknowledged) == (
        ("retry", "RT818", f"queue 'letters' did not accept the dead letter: {fault.code}"),
        configuration_error,
        False,
    )
    assert delivered[1].acknowledged is not configuration_error


def test_no_dead_letter_queue(deliver: Any, queues: Any, compile_: Any, arrive: Any) -> None:
    """Without a dead-letter queue a rejected message is left to the redrive policy of its queue."""
    delivered = deliver([arrive("{")], compile_(queue=""))

    assert (ends(delivered), queues.letters) == ([("m1", "rejected", False)], [])


def test_dropped(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """A dropped message may be deleted, and nothing is written."""
    program = compile_("{queue: q, table: things, for_each: lines, item: {id: element.id}}")

    delivered = deliver([arrive('{"lines": []}')], program)

    assert (ends(delivered), tables.calls) == ([("m1", "dropped", True)], [])


def test_several_items(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """A message is written only when all of its items are."""
    program = compile_("{queue: q, table: things, for_each: lines, item: {id: element}}")
    tables.refused = {"b"}

    (delivered,) = deliver([arrive('{"lines": ["a", "b", "c"]}')], program)

    assert (output(delivered.outcome)[:2], sorted(tables.items)) == (("rejected", "RT815"), ["a", "c"])


def test_one_item_twice(deliver: Any, tables: Any, arrive: Any) -> None:
    """Of two messages for one item only the last is sent, and both are written."""
    delivered = deliver([arrive('{"id":"a","n":1}', "m1"), arrive('{"id":"a","n":2}', "m2")])

    assert (ends(delivered), tables.calls, tables.items["a"]["n"]) == (
        [("m1", "written", True), ("m2", "written", True)],
        [["a"]],
        {"N": "2"},
    )


def test_same_message_twice(deliver: Any, tables: Any) -> None:
    """A message that was received twice in a batch is one message, with its newest receipt handle."""
    delivered = deliver([Record("m1", "old", '{"id":"a"}'), Record("m1", "new", '{"id":"a"}')])

    assert ([(each.record.receipt_handle, each.outcome.kind) for each in delivered], tables.calls) == (
        [("new", "written")],
        [["a"]],
    )


FIFO = "name: q.fifo, dead_letter: letters.fifo"


def grouped(arrive: Any, *ids: str) -> list[Record]:
    """Records of items whose group is the first letter of their id."""
    return [arrive(f'{{"id":"{id_}"}}', f"m-{id_}", MessageGroupId=id_[0]) for id_ in ids]


def test_fifo_waves(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """One message of each group is written at a time."""
    delivered = deliver(grouped(arrive, "a1", "a2", "b1", "a3", "b2"), compile_(queue=FIFO))

    assert ([each.outcome.kind for each in delivered], tables.calls) == (
        ["written"] * 5,
        [["a1", "b1"], ["a2", "b2"], ["a3"]],
    )


@pytest.mark.parametrize("ids", [("a1", "b1", "c1"), ("a1", "b1", "a2"), ("a1", "a2", "a3")])
def test_a_fifo_batch_is_measured_once(aws: Aws, compile_: Any, arrive: Any, ids: tuple[str, ...]) -> None:
    """With all of its messages, though they are decided in waves."""
    program = compile_(queue=FIFO)
    summaries: list[Summary] = []
    delivery = Delivery(program, aws, lambda: 1.0, options=DeliveryOptions(summaries.append))

    delivery.deliver(program.engine.queues["q"], grouped(arrive, *ids), FixedDeadline(60))

    assert [dict(each.counts) for each in summaries] == [{"written": 3}]


def test_fifo_group_stops(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """After the first message of a group that stays on its queue, the rest stays too, unwritten and in order."""
    tables.answers.extend([WriteResponse(), *[THROTTLED] * 8])

    delivered = deliver(grouped(arrive, "a1", "a2", "a3", "a4"), compile_(queue=FIFO))

    left = ("retry", "RT819", "an earlier message of its group is still on the queue")
    assert ([output(each.outcome) for each in delivered], list(tables.items)) == (
        [("written", "", ""), KEPT, left, left],
        ["a1"],
    )


def test_what_waits_for_its_group(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """It has the route and the cause of the message that it waits for."""
    tables.answers.extend([*[THROTTLED] * 8])

    delivered = deliver(grouped(arrive, "a1", "a2"), compile_(queue=FIFO))

    first, behind = (each.outcome for each in delivered)
    assert (behind.code, behind.route, behind.cause) == ("RT819", first.route, "throttled")
    assert first.route


def test_fifo_group_goes_on(deliver: Any, queues: Any, compile_: Any, arrive: Any) -> None:
    """A dead letter does not stop its group: it keeps its group and its order."""
    records = grouped(arrive, "a1", "a3")
    records.insert(1, arrive("{", "m-a2", MessageGroupId="a"))

    delivered = deliver(records, compile_(queue=FIFO))

    (letter,) = queues.letters
    assert (ends(delivered), letter.group_id, letter.deduplication_id) == (
        [("m-a1", "written", True), ("m-a2", "rejected", True), ("m-a3", "written", True)],
        "a",
        "m-a2",
    )


@pytest.mark.parametrize(
    ("stored", "outcome", "conflict"),
    [
        ({"id": {"S": "a"}, "n": {"N": "1"}}, ("duplicate", "RT820", "table 'things' has the item already"), False),
        ({"id": {"S": "a"}}, ("duplicate", "RT820", "table 'things' has the item already, with other content"), True),
        (None, ("duplicate", "RT820", "table 'things' has the item already"), False),
    ],
)
def test_insert(
    deliver: Any, tables: Any, compile_: Any, arrive: Any, stored: Any, outcome: Any, conflict: bool
) -> None:
    """The stored item decides between a duplicate and a conflict; both messages may be deleted."""
    tables.answers.append(
        WriteResponse(fault=AwsFault("condition", "ConditionalCheckFailedException", 400), stored=stored)
    )

    (delivered,) = deliver([arrive('{"id":"a","n":1}')], compile_("{queue: q, table: things, write: {mode: insert}}"))

    assert (output(delivered.outcome), delivered.outcome.conflict, delivered.acknowledged) == (outcome, conflict, True)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (WriteResponse(fault=GONE), ("retry", "RT816", "table 'things': ResourceNotFoundException")),
        (WriteResponse(fault=AwsFault("refused", "ValidationException", 400)), ("rejected", "RT815")),
        (WriteResponse(fault=AwsFault("retry", "TransactionConflictException", 400)), ("written", "", "")),
    ],
)
def test_insert_fails(
    deliver: Any, tables: Any, compile_: Any, arrive: Any, answer: WriteResponse, outcome: Any
) -> None:
    """A single write fails as a batch does."""
    tables.answers.append(answer)

    (delivered,) = deliver([arrive('{"id":"a"}')], compile_("{queue: q, table: things, write: {mode: insert}}"))

    assert output(delivered.outcome)[: len(outcome)] == outcome


ONCE = "{queue: q, table: things, item: {id: id, n: n}, write: {mode: update, add: [n], once: markers}}"


def test_idempotency_key(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """An update and its idempotency key are one transaction; if the key exists, the message is a duplicate."""
    condition = AwsFault("condition", "TransactionCanceledException", 400)
    tables.answers.extend([WriteResponse(), WriteResponse(fault=condition, position=0)])
    records = [arrive('{"id":"a","n":1}', "m1"), arrive('{"id":"a","n":1}', "m2")]

    delivered = deliver(records, compile_(ONCE))

    assert ([output(each.outcome) for each in delivered], tables.calls) == (
        [("written", "", ""), ("duplicate", "RT820", "the update was already applied to table 'things'")],
        [["r#m1#0", "a"], ["r#m2#0", "a"]],
    )


@pytest.mark.parametrize("table", ["things", "markers"])
def test_idempotency_key_with_wrong_key(deliver: Any, tables: Any, compile_: Any, arrive: Any, table: str) -> None:
    """After a refused transaction the key of each of its tables is checked."""
    tables.refused = {"a"}
    tables.keys[table] = (("pk", "S"),)

    (delivered,) = deliver([arrive('{"id":"a","n":1}')], compile_(ONCE))

    assert output(delivered.outcome) == ("retry", "RT816", f"table '{table}' has another key than the config says")


def test_atomic(deliver: Any, tables: Any, compile_: Any, arrive: Any) -> None:
    """All items of a message go into one transaction; messages with an item in common go one after the other."""
    program = compile_(
        "{queue: q, table: things, for_each: ids, item: {id: element}}", "dead_letter: letters, atomic: true"
    )
    records = [arrive('{"ids":["a","b"]}', "m1"), arrive('{"ids":["b"]}', "m2"), arrive('{"ids":["a","a"]}', "m3")]

    delivered = deliver(records, program)

    assert (ends(delivered), delivered[2].outcome.code, tables.calls) == (
        [("m1", "written", True), ("m2", "written", True), ("m3", "rejected", True)],
        "RT822",
        [["a", "b"], ["b"]],
    )


WATCHER = """
seen = []

@hookimpl
def router_outcome(outcome):
    seen.append(outcome)

@hookimpl
def router_batch_done(summary):
    seen.append(summary)
    raise LookupError("a secret")
"""


COUNT = """\
    for kind in ("written", "rejected"):
        found[kind] = summary.counts[kind]
"""


def test_observers(aws: Aws, compile_: Any, arrive: Any, messages: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Plugins observe each message and the batch, the meter the batch; a plugin that fails is only logged."""
    program = compile_(watcher=WATCHER)
    metered: list[Summary] = []
    delivery = Delivery(program, aws, clock=lambda: 1.0, options=DeliveryOptions(metered.append))

    with caplog.at_level(logging.ERROR, "router"):
        delivered = delivery.deliver(program.engine.queues["q"], [*messages("a"), arrive("{")], FixedDeadline(9.0))

    seen = program.plugins.observers["router_outcome"][0][1].__globals__["seen"]
    summary = Summary(
        "q",
        {"written": 1, "rejected": 1},
        0.0,
        codes={"RT801": 1},
        dead_letters={"RT801": 1},
        ages=NO_AGES,
        write_calls=1,
    )
    results = [Result(each.record.message_id, "q", each.outcome, 1) for each in delivered]
    assert [each.outcome.kind for each in delivered] == ["written", "rejected"]
    assert (seen, metered) == ([*results, summary], [summary])
    assert ([each.acknowledged for each in delivered], "secret" in caplog.text, "'watcher'" in caplog.text) == (
        [True, True],
        False,
        True,
    )


def test_observers_find_each_count(aws: Aws, compile_: Any, messages: Any) -> None:
    """Also of outcomes that no message of the batch had."""
    program = compile_(watcher="found = {}\n\n@hookimpl\ndef router_batch_done(summary):\n" + COUNT)

    delivery = Delivery(program, aws, clock=lambda: 1.0)
    delivery.deliver(program.engine.queues["q"], messages("a"), FixedDeadline(9.0))

    found = program.plugins.observers["router_batch_done"][0][1].__globals__["found"]
    assert found == {"written": 1, "rejected": 0}


def test_dead_letter(deliver: Any, queues: Any, arrive: Any) -> None:
    """A dead letter has the unchanged body and attributes, and the reason as JSON."""
    attributes = {"colour": {"DataType": "String", "StringValue": "red"}}
    record = Record("m1", "h", '{"id":7}', {"ApproximateReceiveCount": "3"}, attributes)

    deliver([record])

    (letter,) = queues.letters
    reported = json.loads(letter.message_attributes["router"]["StringValue"])
    assert reported.pop("first_failed_at") == reported["failed_at"]
    assert len(reported.pop("config")) == 16
    assert (reported.pop("failed_at").endswith("Z"), reported) == (
        True,
        {
            "code": "RT808",
            "reason": "table 'things': key attribute 'id' is of type N, the table's key is S",
            "queue": "q",
            "route": "r",
            "pointer": "",
            "message_id": "m1",
            "receive_count": 3,
            "source": "q",
        },
    )
    assert (letter.body, letter.message_attributes["colour"], letter.group_id) == (
        '{"id":7}',
        {"DataType": "String", "StringValue": "red"},
        "",
    )


@pytest.mark.parametrize(("length", "names"), [(1_048_576, []), (1_048_000, ["router"])])
def test_large_dead_letter(deliver: Any, queues: Any, arrive: Any, length: int, names: list[str]) -> None:
    """A dead letter with no room for the reason is sent without it."""
    deliver([arrive("x" * length)])

    (letter,) = queues.letters
    assert (len(letter.body), list(letter.message_attributes)) == (length, names)


def hidden(queues: Any) -> list[list[tuple[str, int]]]:
    """The visibility timeouts that each call set: id and seconds."""
    return [[(id_, seconds) for id_, _, seconds in call] for call in queues.released]


@pytest.fixture
def outcomes(arrive: Any) -> list[Delivered]:
    """One delivered message of each kind that stays on its queue, and one that does not."""
    return [
        Delivered(arrive("{}", id_), outcome, acknowledged=outcome.kind == "written")
        for id_, outcome in {
            "written": Outcome("written"),
            "rejected": Outcome("rejected"),
            "asked": Outcome("retry", delay=2.5),
            "for long": Outcome("retry", delay=1e9),
            "not begun": Outcome("retry", delay=0),
            "configuration error": Outcome("retry", configuration_error=True),
            "throttled": Outcome("retry", "RT814"),
            "no dead letter": Outcome("retry", "RT818"),
            "other": Outcome("retry"),
        }.items()
    ]


def test_visibility(aws: Aws, queues: Any, compile_: Any, outcomes: list[Delivered]) -> None:
    """The visibility timeout depends on the outcome; messages not started become visible at once, and first."""
    program = compile_()
    queue = structs.replace(program.engine.queues["q"], backoff=Always(7), outage=Always(100))
    queues.faults["asked"] = AwsFault("refused", "MessageNotInflight", 400)

    failed = Delivery(program, aws).set_visibility(queue, "url", outcomes, 60)

    assert (failed, hidden(queues)) == (
        {"asked": queues.faults["asked"]},
        [
            [("not begun", 0)],
            [
                ("asked", 3),
                ("for long", 42300),
                ("configuration error", 100),
                ("throttled", 100),
                ("no dead letter", 100),
                ("other", 7),
            ],
        ],
    )


class Always:
    """A back-off of so many seconds for each receive."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def wait(self, receive_count: int) -> int:
        return self.seconds * receive_count


FAULTS = [
    WriteResponse(),
    THROTTLED,
    WriteResponse(fault=GONE),
    WriteResponse([{"PutRequest": {"Item": {"id": {"S": "a"}}}}]),
    WriteResponse([{"PutRequest": {"Item": {"id": {"S": "c"}}}}, {"PutRequest": {"Item": {"id": {"S": "d"}}}}]),
]
BODIES = ['{"id":"a"}', '{"id":"b","n":1}', '{"id":"c"}', '{"id":"d"}', '{"id":""}', "{", "[]", '{"id":"b","n":2}']


@settings(max_examples=80, deadline=None)
@given(
    bodies=st.lists(st.sampled_from(BODIES), max_size=12),
    groups=st.lists(st.sampled_from("xyz"), min_size=12, max_size=12),
    answers=st.lists(st.sampled_from(FAULTS), max_size=12),
    refused=st.sets(st.sampled_from("abcd")),
    lost=st.sets(st.integers(0, 11)),
    fifo=st.booleans(),
)
def test_none_is_lost(
    in_memory: Any,
    bodies: list[str],
    groups: list[str],
    answers: list[WriteResponse],
    refused: set[str],
    lost: set[int],
    fifo: bool,
) -> None:
    """Any batch, any failures: each message has one outcome, and only stored messages and dead letters are deleted."""
    tables, queues = in_memory()
    tables.answers.extend(answers)
    tables.refused = refused
    queues.faults = {f"m{number}": AwsFault("retry", "Unconfirmed", 200) for number in lost}
    records = [
        Record(f"m{number}", "h", body, {"MessageGroupId": group})
        for number, (body, group) in enumerate(zip(bodies, groups, strict=False))
    ]
    with TemporaryDirectory() as folder:
        path = Path(folder, "routes.yaml")
        suffix = ".fifo" if fifo else ""
        path.write_text(
            f"version: 1\nqueues: {{q: {{name: q{suffix}, dead_letter: letters{suffix}}}}}\n"
            "tables: {things: {key: {id: S}}}\nroutes: {r: {queue: q, table: things}}\n"
        )
        program = load_program(path, {})

    delivered = Delivery(program, Aws(tables, queues)).deliver(program.engine.queues["q"], records, FixedDeadline(1e18))

    assert [each.record for each in delivered] == records
    letters = {letter.id for letter in queues.letters}
    for each in delivered:
        assert each.acknowledged == (each.outcome.kind in ("written", "rejected"))
        if each.acknowledged and each.outcome.kind == "rejected":
            assert each.record.message_id in letters
        if each.outcome.kind == "written":
            assert json.loads(each.record.body)["id"] in tables.items


@pytest.mark.parametrize(("queue", "count"), [(STANDARD, 1), ("", 0)])
def test_a_malformed_failure_is_counted(compile_: Any, aws: Aws, arrive: Any, queue: str, count: int) -> None:
    """An attribute `router` that does not describe a dead letter is ignored, and counted if the queue has them."""
    attribute = {"router": {"DataType": "String", "StringValue": "{}"}}
    records = [arrive({"id": "1"}), structs.replace(arrive({"id": "2"}, "m2"), message_attributes=attribute)]
    program = compile_(queue=queue)
    summaries: list[Summary] = []

    Delivery(program, aws, lambda: 1.0, options=DeliveryOptions(summaries.append)).deliver(
        program.engine.queues["q"], records, FixedDeadline(60)
    )

    assert [summary.malformed_failures for summary in summaries] == [count]
    assert measure(summaries[0]).get("router_malformed_failures_total", 0) == count


def test_what_a_summary_counts(aws: Aws, tables: Any, compile_: Any, messages: Any, arrive: Any) -> None:
    """The outcomes by kind, without those that there are none of; conflicts and configuration errors among them."""
    exists = AwsFault("condition", "ConditionalCheckFailedException", 400)
    others = [{"id": {"S": id_}, "other": {"S": "content"}} for id_ in "ab"]
    conflicts = [WriteResponse(fault=exists, stored=other) for other in others]
    tables.answers.extend([*conflicts, WriteResponse(fault=exists), *[WriteResponse(fault=GONE)] * 3])
    program = compile_("{queue: q, table: things, write: {mode: insert}}")
    summaries: list[Summary] = []
    delivery = Delivery(program, aws, lambda: 1.0, options=DeliveryOptions(summaries.append))

    for records in (messages(*"abcdefg"), [arrive("{")]):
        delivery.deliver(program.engine.queues["q"], records, FixedDeadline(60))

    assert summaries == [
        Summary(
            "q",
            {"written": 1, "duplicate": 3, "retry": 3},
            0.0,
            conflicts=2,
            configuration_errors=3,
            codes={"RT820": 3, "RT816": 3},
            retries={"configuration": 3},
            ages=NO_AGES,
            write_calls=7,
        ),
        Summary("q", {"rejected": 1}, 0.0, codes={"RT801": 1}, dead_letters={"RT801": 1}, ages=NO_AGES),
    ]


def test_payloads_are_fetched_as_messages_are_written(
    tables: Any, queues: Any, compile_: Any, arrive: Any, time_: Any
) -> None:
    """By the clock of the delivery, within half the time of the batch, and with retries as its waits allow."""
    program = compile_(queue=f"{STANDARD}, envelope: [s3_pointer], s3_pointer: {{buckets: [payloads]}}")
    timeouts: list[float] = []

    def fetch(bucket: str, key: str, max_bytes: int, timeout: float) -> AwsFault:
        timeouts.append(timeout)
        return AwsFault("retry", "SlowDown", 503)

    objects: Any = SimpleNamespace(fetch=fetch)
    pointer = '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"payloads","s3Key":"k"}]'
    deliver = Delivery(program, Aws(tables, queues, objects), time_).deliver_in_parts(
        program.engine.queues["q"],
        [arrive(pointer)],
        FixedDeadline(time_.now + 10),
        WaitBudget(time_, SharedWaits(0.0)),
    )

    ((delivered,),) = deliver

    assert (delivered.outcome.code, timeouts) == ("RT814", [(10 - RESERVE_SECONDS) / 2])


class Moved:
    """A deadline that is far away when a batch begins, and then earlier, as when a worker stops."""

    def __init__(self, *ends: float) -> None:
        self._ends = [*ends]

    @property
    def end(self) -> float:
        return self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]


@pytest.mark.parametrize("last", ["dead letter", "visibility timeout"])
@pytest.mark.parametrize(("left", "kind"), [(4.4, "retry"), (4.6, "written")])
def test_time_for_the_last_calls(
    tables: Any, compile_: Any, messages: Any, arrive: Any, time_: Any, last: str, left: float, kind: str
) -> None:
    """Work on a message starts if twice the time is left that the last calls of a batch took, besides the margin."""

    def call(*request: Any) -> dict[str, AwsFault]:
        time_.now += 2
        return {}

    queues: Any = SimpleNamespace(url=lambda reference, timeout: "url", send=call, change_visibility=call)
    program = compile_()
    queue = program.engine.queues["q"]
    delivery = Delivery(program, Aws(tables, queues), time_)
    if last == "dead letter":
        delivery.deliver(queue, [arrive("{")], FixedDeadline(time_.now + 60))
    else:
        delivery.set_visibility(queue, "url", [Delivered(arrive("{}"), Outcome("retry"), False)], 60)

    (delivered,) = delivery.deliver(queue, messages("a"), Moved(time_.now + 100, time_.now + left))

    assert delivered.outcome.kind == kind


def test_visibility_timeouts_are_set_in_the_time_left(compile_: Any, tables: Any, arrive: Any, time_: Any) -> None:
    """Messages that were not started come first; the faults are those of both calls."""
    calls: list[tuple[Any, ...]] = []
    fault = AwsFault("retry", "503", 503)

    def change_visibility(url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        calls.append((url, messages, timeout))
        time_.now += 2
        return {message_id: fault for message_id, _, _ in messages}

    program = compile_()
    queues: Any = SimpleNamespace(change_visibility=change_visibility)
    outcomes = {"again": Outcome("retry", "RT812", delay=8.5), "late": Outcome("retry", "RT819", delay=0)}
    delivered = [Delivered(arrive("{}", id_), outcome, False) for id_, outcome in outcomes.items()]

    failed = Delivery(program, Aws(tables, queues), time_).set_visibility(
        program.engine.queues["q"], "https://q", delivered, 5.0
    )

    assert calls == [
        ("https://q", [("late", "handle-late", 0)], 5.0),
        ("https://q", [("again", "handle-again", 9)], 3.0),
    ]
    assert failed == {"late": fault, "again": fault}


def test_outcomes_by_route_and_table(aws: Aws, tables: Any, compile_: Any, messages: Any, arrive: Any) -> None:
    """If the config asks for it, by what wrote the message, or decided about it; write units of all tables, too."""
    tables.answers.extend([WriteResponse(consumed=2.0), *[WriteResponse(fault=GONE)] * 2])
    program = compile_("{queue: q, table: things, write: {mode: insert}}}\ntelemetry: {metrics: route")
    summaries: list[Summary] = []
    delivery = Delivery(program, aws, lambda: 1.0, options=DeliveryOptions(summaries.append))

    for records in (messages(*"a"), [*messages("b"), arrive("{")]):
        delivery.deliver(program.engine.queues["q"], records, FixedDeadline(60))

    assert [(each.routes, each.write_units) for each in summaries] == [
        ({("r", "things"): {"written": 1}}, {"things": 2.0}),
        ({("r", "things"): {"retry": 1}}, {}),
    ]


def test_a_conflict_of_a_written_message(
    aws: Aws, tables: Any, compile_: Any, messages: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted, though another route of the message has written; each message counts once."""
    exists = AwsFault("condition", "ConditionalCheckFailedException", 400)
    other = {"id": {"S": "a"}, "other": {"S": "content"}}
    # What a batch carries is sent first.
    tables.answers.extend([WriteResponse(), WriteResponse(fault=exists, stored=other)])
    routes = "{queue: q, table: things, write: {mode: insert}}, second: {queue: q, table: markers}}"
    program = compile_(f"{routes}\ntelemetry: {{metrics: route")
    summaries: list[Summary] = []
    delivery = Delivery(program, aws, lambda: 1.0, options=DeliveryOptions(summaries.append))

    with caplog.at_level("INFO", "router"):
        (delivered,) = delivery.deliver(program.engine.queues["q"], messages("a"), FixedDeadline(60))

    reason = "table 'things' has the item already, with other content"
    assert (output(delivered.outcome), delivered.acknowledged) == (("written", "RT820", reason), True)
    (summary,) = summaries
    assert (summary.counts, summary.conflicts, summary.codes) == ({"written": 1}, 1, {})
    assert summary.routes == {("r", "things"): {"written": 1}, ("second", "markers"): {"written": 1}}
    fields = [getattr(record, "fields", {}) for record in caplog.records if record.message == "message written"]
    assert [(each["route"], each["code"], each["conflict"]) for each in fields] == [("r", "RT820", True)]


def test_the_ages_of_what_was_written() -> None:
    """In buckets, each up to its bound; a message without a time is not counted, and one of the future is young."""

    def sent(time_: str) -> Delivered:
        attributes = {"SentTimestamp": time_} if time_ else {}
        return Delivered(Record("m", "h", "", attributes), WRITTEN, acknowledged=True)

    now = 1_767_323_045_678
    ages = [0.0, 0.1, 0.101, 60.0, 61.0, 1_209_600.0, 2_000_000.0, -5.0]
    no_times = ["", "x", "12", "1" * 5000, "1767323045 78", "\u0661" * 13 + "x"]
    buckets, seconds = measure_ages([*map(sent, no_times), *(sent(str(now - int(age * 1000))) for age in ages)], now)

    counted = {bound: number for bound, number in zip((*AGES, None), buckets, strict=True) if number}
    assert counted == {0.1: 3, 0.25: 1, 60: 1, 300: 1, 1_209_600: 1, None: 1}
    assert round(seconds, 3) == round(sum(ages), 3)
