"""Dead letters."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec import structs

from router.deliver.dead_letters import describe_failure, send_dead_letters
from router.deliver.delivery import Delivery
from router.model import Outcome, Record
from tests.support.aws import Duration, FixedDeadline, StartLimit
from tests.support.engine import plan
from tests.support.program import load_program

CONFIG = Path(__file__).parents[3] / "routes.yaml"
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
    send_dead_letters(queues, queue, [plan(queue, record)], limit, lambda: 0.0)
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


def test_a_dead_letter_describes_the_message() -> None:
    """Its identity, the queue that it was on, and the failure."""
    letter = _dead_letter(Record("m", "handle", "{}", SYSTEM))

    failed = json.loads(letter.message_attributes["router"]["StringValue"])
    assert failed.pop("failed_at") == failed.pop("first_failed_at")
    assert failed == {
        "code": "RT806",
        "reason": "fails 'required' at /required: 'user_id' is missing",
        "queue": "user-metadata",
        "route": "user-metadata",
        "pointer": "",
        "message_id": "m",
        "receive_count": 3,
        "source": "user-metadata",
        "sent_at": "2026-01-01T00:00:00.000Z",
        "group_id": "tenant",
        "sender_id": "A",
    }


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
    ("dead_letter", "system", "group"),
    [("letters", SYSTEM, "tenant"), ("letters", {}, ""), ("letters.fifo", SYSTEM, "tenant"), ("letters.fifo", {}, "m")],
)
def test_a_dead_letter_keeps_its_message_group(dead_letter: str, system: dict[str, str], group: str) -> None:
    """On standard queues too: with fair queues the group is the tenant. A FIFO queue needs one."""
    assert _dead_letter(Record("m", "handle", "{}", system), dead_letter).group_id == group


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
