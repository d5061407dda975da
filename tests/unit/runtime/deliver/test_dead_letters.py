"""Dead letters."""

import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import structs

from router.model import Outcome, Record
from router.runtime.deliver.dead_letters import describe_failure, send_dead_letters
from router.runtime.deliver.delivery import Delivery
from router.runtime.deliver.time_limits import FixedDeadline, StartLimit
from tests.support.aws import OUT_OF_TIME, AwsFault, Duration
from tests.support.engine import plan
from tests.support.program import load_program

CONFIG = Path(__file__).parents[4] / "routes.yaml"
SYSTEM = {"SentTimestamp": "1767225600000", "ApproximateReceiveCount": "3", "MessageGroupId": "tenant", "SenderId": "A"}


def _dead_letter(record: Record, dead_letter: str = "letters") -> Any:
    """The dead letter of a record that the sample's queue rejects."""
    queue = structs.replace(load_program(CONFIG, {}).engine.queues["user-metadata"], dead_letter=dead_letter)
    sent: list[Any] = []

    def send(url: str, messages: Any, timeout: float) -> dict[str, Any]:
        sent.extend(messages)
        return {}

    queues: Any = SimpleNamespace(url=lambda name, timeout: name, send=send)
    limit = StartLimit(FixedDeadline(60.0), 0.0, [Duration()])
    outcome = plan(queue, record).outcome
    assert outcome is not None
    send_dead_letters(queues, queue, [(record, outcome)], limit, lambda: 0.0)
    (letter,) = sent
    return letter


@pytest.mark.parametrize(("others", "known"), [(9, True), (9, False), (10, False)])
def test_the_reason_takes_one_of_ten_attributes(others: int, known: bool) -> None:
    """It replaces an earlier reason, and is left out if there are ten other attributes."""
    names = [f"a{number}" for number in range(others)] + ["router"] * known
    given = {name: {"DataType": "String", "StringValue": "{}"} for name in names}

    letter = _dead_letter(Record("m", "handle", "{}", {}, given))

    reason = json.loads(letter.message_attributes.get("router", {}).get("StringValue", "{}"))
    assert (len(letter.message_attributes), reason.get("code")) == (10, "RT806" if others == 9 else None)


def test_a_dead_letter_describes_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its identity, the queue that it was on, and the failure."""
    monkeypatch.setattr("time.time", lambda: 1767323045.6789)
    fifo = {
        "ApproximateFirstReceiveTimestamp": "1767225601000",
        "SequenceNumber": "200",
        "MessageDeduplicationId": "dedup",
    }
    letter = _dead_letter(Record("m", "handle", "{}", {**SYSTEM, **fifo}))

    assert letter.message_attributes["router"]["DataType"] == "String"
    failed = json.loads(letter.message_attributes["router"]["StringValue"])
    assert failed == {
        "code": "RT806",
        "reason": "fails 'required' at /required: 'user_id' is missing",
        "queue": "user-metadata",
        "route": "user-metadata",
        "pointer": "",
        "message_id": "m",
        "receive_count": 3,
        "failed_at": "2026-01-02T03:04:05.678Z",
        "first_failed_at": "2026-01-02T03:04:05.678Z",
        "source": "user-metadata",
        "sent_at": "2026-01-01T00:00:00.000Z",
        "first_received_at": "2026-01-01T00:00:01.000Z",
        "group_id": "tenant",
        "sequence_number": "200",
        "deduplication_id": "dedup",
        "sender_id": "A",
    }


TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:2:3"
TRACEPARENT = {"DataType": "String", "StringValue": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


@pytest.mark.parametrize(("header", "kept"), [(TRACE, TRACE), ("", ""), ("Root=1", ""), (f"{TRACE}\n", "")])
def test_a_dead_letter_belongs_to_the_trace_of_its_message(header: str, kept: str) -> None:
    """By X-Ray's header, which SQS would refuse if it were malformed, and by the sender's attribute."""
    letter = _dead_letter(Record("m", "handle", "{}", {"AWSTraceHeader": header}, {"traceparent": TRACEPARENT}))

    assert (letter.trace_header, letter.message_attributes["traceparent"]) == (kept, TRACEPARENT)


def test_a_dead_letter_of_a_message_without_attributes() -> None:
    """What SQS does not report is left out."""
    failed = json.loads(_dead_letter(Record("m", "handle", "{}")).message_attributes["router"]["StringValue"])

    described = ["code", "reason", "queue", "route", "pointer", "message_id", "receive_count", "failed_at"]
    assert [*failed] == [*described, "source", "first_failed_at"]


@pytest.mark.parametrize("first", [{"first_failed_at": "2026-01-01T00:00:00.000Z"}, {}])
def test_a_further_failure(first: dict[str, str]) -> None:
    """It keeps the time of the first, which an earlier release did not write, and what is masked."""
    before = json.loads(_dead_letter(Record("m", "handle", "{}")).message_attributes["router"]["StringValue"])
    del before["first_failed_at"]
    before |= {"failed_at": "2026-01-02T00:00:00.000Z", "attempt": 2, "redacted": ["a"], **first}
    attributes = {"router": {"DataType": "String", "StringValue": json.dumps(before)}}

    letter = _dead_letter(Record("new", "handle", "{}", {}, attributes))

    failed = json.loads(letter.message_attributes["router"]["StringValue"])
    began = first.get("first_failed_at", "2026-01-02T00:00:00.000Z")
    assert (failed["attempt"], failed["first_failed_at"], failed["redacted"]) == (3, began, ["a"])


def test_a_second_failure_keeps_the_first_identity() -> None:
    """The id, the times and the sender of the first failure; the attempts are counted."""
    first = _dead_letter(Record("m", "handle", "{}", SYSTEM))
    again = {**SYSTEM, "SentTimestamp": "1767229200000", "SenderId": "operator"}

    second = _dead_letter(Record("new", "handle", "{}", again, first.message_attributes))

    before, failed = (json.loads(each.message_attributes["router"]["StringValue"]) for each in (first, second))
    assert (before.get("attempt", 1), failed["attempt"]) == (1, 2)
    for name in ("message_id", "sent_at", "first_failed_at", "sender_id", "group_id"):
        assert failed[name] == before[name]
    assert failed["failed_at"] >= before["failed_at"]


@pytest.mark.parametrize(
    ("dead_letter", "system", "group", "deduplication"),
    [
        ("letters", SYSTEM, "tenant", ""),
        ("letters", {}, "", ""),
        ("letters.fifo", SYSTEM, "tenant", "m"),
        ("letters.fifo", {}, "m", "m"),
    ],
)
def test_a_dead_letter_keeps_its_message_group(
    dead_letter: str, system: dict[str, str], group: str, deduplication: str
) -> None:
    """With fair queues it is the tenant, on standard queues too. A FIFO queue needs one, and a deduplication id."""
    letter = _dead_letter(Record("m", "handle", "{}", system), dead_letter)

    assert (letter.group_id, letter.deduplication_id) == (group, deduplication)


def _send(end: float, url: Any, **faults: AwsFault) -> tuple[dict[str, Outcome], list[tuple[Any, ...]]]:
    """Send two dead letters at moment 100, where each look at the clock takes a second; the results and the calls."""
    queue = load_program(CONFIG, {}).engine.queues["user-metadata"]
    queue = structs.replace(queue, dead_letter="letters")
    calls: list[tuple[Any, ...]] = []

    def find(name: str, timeout: float) -> Any:
        calls.append((name, timeout))
        return url

    def send(url: str, messages: Any, timeout: float) -> dict[str, AwsFault]:
        calls.append((url, [message.id for message in messages], timeout))
        return faults

    queues: Any = SimpleNamespace(url=find, send=send)
    ticks = count(100)
    rejected = [(Record(id_, "h", "{"), Outcome("rejected", "RT801", "no", id_)) for id_ in ("a", "b")]
    limit = StartLimit(FixedDeadline(end), 0.0, [Duration()])
    return send_dead_letters(queues, queue, rejected, limit, lambda: float(next(ticks))), calls


def test_dead_letters_are_sent_in_the_time_left() -> None:
    """Finding the queue and sending to it have what is left of the time; faults are those of the messages."""
    fault, late = AwsFault("configuration", "AccessDenied", 403), OUT_OF_TIME

    failed, calls = _send(110.0, "https://letters", b=fault, a=late)

    assert calls == [("letters", 10.0), ("https://letters", ["a", "b"], 9.0)]
    assert failed == {
        "b": Outcome("retry", "RT818", f"{NOT_ACCEPTED}: AccessDenied", "b", configuration_error=True),
        "a": LATE,
    }


NOT_ACCEPTED = "queue 'letters' did not accept the dead letter"
LATE = Outcome("retry", "RT819", "the deadline passed before its dead letter was sent")


@pytest.mark.parametrize(
    ("end", "calls", "failed"),
    [
        (100.0, [], [LATE, LATE]),
        (100.5, [("letters", 0.5)], [Outcome("retry", "RT818", f"{NOT_ACCEPTED}: 503", id_) for id_ in ("a", "b")]),
    ],
)
def test_a_queue_that_is_not_found(end: float, calls: Any, failed: list[Outcome]) -> None:
    """No message is sent, each is left for later; without time the queue is not even looked for."""
    assert _send(end, AwsFault("retry", "503", 503)) == (dict(zip("ab", failed, strict=True)), calls)


ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"


@pytest.mark.parametrize(
    ("reference", "system", "before", "source"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/1/orders", {}, "", "https://sqs.eu-west-1.amazonaws.com/1/orders"),
        ("orders", {}, ARN, ARN),
        ("orders", {"DeadLetterQueueSourceArn": ARN}, "", ARN),
        ("orders", {}, "", "orders"),
    ],
)
def test_the_source_is_unique_if_it_is_known(reference: str, system: Any, before: str, source: str) -> None:
    """By the queue, by the failure before, or by SQS."""
    queue = structs.replace(load_program(CONFIG, {}).engine.queues["user-metadata"], reference=reference)
    attributes = {}
    if before:
        first = describe_failure(structs.replace(queue, reference=before), Record("m", "h", ""), Outcome("rejected"))
        attributes["router"] = {"DataType": "String", "StringValue": msgspec.json.encode(first).decode()}

    failed = describe_failure(queue, Record("m", "h", "", system, attributes), Outcome("rejected"), "c0ffee")

    assert (failed.source, failed.config) == (source, "c0ffee")


def test_the_function_names_the_queue_by_its_arn(
    handler: Any, queues: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead letter and the line of a batch have the hash of the config too."""
    record = {"messageId": "m1", "receiptHandle": "h", "body": "{", "eventSourceARN": ARN.replace("orders", "q")}

    with caplog.at_level("INFO", "router"):
        handler({"Records": [record]}, None)

    failed = json.loads(queues.letters[0].message_attributes["router"]["StringValue"])
    (line,) = [entry.__dict__["fields"] for entry in caplog.records if entry.getMessage() == "batch done"]
    assert (failed["source"], failed["config"], len(failed["config"])) == (record["eventSourceARN"], line["config"], 16)


@pytest.mark.parametrize("more", [0, 1])
def test_a_reason_that_does_not_fit(more: int) -> None:
    """A message of 1 MiB with its reason has it; one that is larger is sent without."""
    record = Record("m", "handle", "{}", SYSTEM)
    size = _dead_letter(record).size - len(record.body)

    letter = _dead_letter(structs.replace(record, body="{}" + " " * (1024 * 1024 - size - 2 + more)))

    assert (letter.size, [*letter.message_attributes]) == [(2**20, ["router"]), (2**20 + 1 - size, [])][more]


def test_the_function_keeps_message_attributes(handler: Any, queues: Any) -> None:
    """Those of an event have other names than in the calls of SQS, and binary values are Base64."""
    attributes = {
        "text": {"dataType": "String", "stringValue": "a"},
        "picture": {"dataType": "Binary.png", "binaryValue": "AQL/"},
        "odd": {"dataType": "String"},
    }
    record = {"messageId": "m1", "body": "{", "messageAttributes": attributes}

    handler({"Records": [record | {"eventSourceARN": ARN.replace("orders", "q")}]}, None)

    (letter,) = queues.letters
    assert {name: value for name, value in letter.message_attributes.items() if name != "router"} == {
        "text": {"DataType": "String", "StringValue": "a"},
        "picture": {"DataType": "Binary.png", "BinaryValue": b"\x01\x02\xff"},
        "odd": {"DataType": "String", "StringValue": ""},
    }


@pytest.mark.parametrize("more", [0, 1])
def test_masks_of_the_largest_message(queues: Any, aws: Any, compile_: Any, more: int) -> None:
    """With them it may have 1 MiB; if it is larger, its body is one mask."""
    program = compile_(queue="dead_letter: letters, redact: [n]", route="{queue: q, table: things, item: {id: id}}")

    def send(padding: int) -> str:
        record = Record("m", "h", json.dumps({"n": 1, "padding": "x" * padding}))
        Delivery(program, aws).deliver(program.engine.queues["q"], [record], FixedDeadline(float("inf")))
        body: str = queues.letters[-1].body
        return body

    body = send(2**20 - len(send(0)) + more)

    assert (len(body) == 2**20, body.startswith("redacted:body:")) == [(True, False), (False, True)][more]


def test_masks_that_do_not_fit(queues: Any, aws: Any, compile_: Any) -> None:
    """They are longer than what they mask: if the dead letter would exceed 1 MiB, its body is one mask."""
    program = compile_(
        queue="dead_letter: letters, redact: ['n[*]']", route="{queue: q, table: things, item: {id: id}}"
    )
    queue = program.engine.queues["q"]
    record = Record("m", "h", json.dumps({"n": [1] * 40_000}))

    Delivery(program, aws).deliver(queue, [record], FixedDeadline(float("inf")))

    (letter,) = queues.letters
    failed = json.loads(letter.message_attributes["router"]["StringValue"])
    assert (letter.body.split(":")[:3], failed["redacted"]) == (["redacted", "body", str(len(record.body))], ["@"])
    assert failed["config"] == program.hash
