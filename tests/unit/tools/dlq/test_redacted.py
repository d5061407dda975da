"""What `redact` names is redacted in all that a person gets to see of a dead letter, whoever sent it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from router.model import Record
from router.tools.dlq.messages import DlqMessage
from router.tools.dlq.redacted import as_redacted
from router.tools.dlq.spool import write_messages
from tests.support.program import Program, is_redacted, load_program
from tests.unit.tools.dlq.conftest import Make
from tests.unit.tools.dlq.test_rehearse import rehearse

SECRET = {"id": "o", "mail": "jane@example.com", "total": 7}
REDACTS = "redact: [mail, {meta: attribute.mail}]"
Load = Callable[..., Program]


@pytest.fixture
def program(tmp_path: Path) -> Load:
    """A program of two queues with one dead-letter queue."""

    def load(orders: str = REDACTS, other: str = "", route: str = "item: {id: id}", plugin: str = "") -> Program:
        (tmp_path / "own.py").write_text(plugin, encoding="utf-8")
        config = f"""
version: 1
{"plugins: [own.py]" if plugin else ""}
queues:
  orders: {{dead_letter: dead, {orders}}}
  other: {{dead_letter: dead, {other}}}
tables: {{orders: {{key: {{id: S}}}}}}
routes:
  orders: {{queue: orders, table: orders, {route}}}
  other: {{queue: other, table: orders, item: {{id: id, copy: mail}}}}
"""
        (tmp_path / "routes.yaml").write_text(config, encoding="utf-8")
        return load_program(tmp_path / "routes.yaml", {"ROUTER_REDACT_KEY": "k" * 32})

    return load


def with_mail(message: DlqMessage) -> DlqMessage:
    attributes = {"mail": {"DataType": "String", "StringValue": "jane@example.com"}}
    record = message.record
    return DlqMessage.of(
        Record(record.message_id, "h", record.body, record.attributes, {**record.message_attributes, **attributes})
    )


def test_a_message_that_sqs_moved(program: Load, moved: Make) -> None:
    """It is not redacted on the queue, and it is wherever it is shown."""
    loaded = program()

    shown = as_redacted(loaded, with_mail(moved(SECRET)), loaded.engine.queues["orders"])

    body = json.loads(shown.record.body)
    assert body == {"id": "o", "mail": shown.record.message_attributes["mail"]["StringValue"], "total": 7}
    assert body["mail"].startswith("redacted:string:")


ARN = "arn:aws:sqs:eu-west-1:123456789012:orders"
UUID = "0f2c1b9e-5f0e-4f1c-9a55-7a3a3d6f8a11"
FORGED = {
    **dict.fromkeys(("code", "reason", "queue", "route", "message_id", "source", "config"), "jane"),
    **dict.fromkeys(("group_id", "deduplication_id", "sender_id", "more"), "jane"),
    "pointer": "/jane/0/4111111111111111",
    "receive_count": 4111111111111111,
    "attempt": 4111111111111111,
    "sequence_number": "4111111111111111",
    "redacted": ["mail", "jane"],
}


@pytest.mark.parametrize("queue", ["orders", None])
def test_a_forged_attribute_of_a_message_that_sqs_moved(
    program: Load, failed: Make, tmp_path: Path, queue: str | None
) -> None:
    """The sender of a message may give it one: nothing of its text is shown or exported."""
    loaded = program()
    message = failed(SECRET, system={"DeadLetterQueueSourceArn": ARN}, **FORGED)

    shown = as_redacted(loaded, message, loaded.engine.queues[queue] if queue else None)
    write_messages(tmp_path / "export.jsonl", [shown])

    text = repr(shown) + (tmp_path / "export.jsonl").read_text(encoding="utf-8")
    assert [word for word in ("jane", "4111111111111111") if word in text] == []
    assert shown.failed
    assert (shown.failed.pointer, shown.failed.redacted, shown.shown_id) == ("/*/0/*", ("mail", "*"), "m")


def test_what_is_verified_of_a_message_that_sqs_moved(program: Load, failed: Make) -> None:
    """A letter that was sent back to its queue, and moved by SQS, keeps what is known of it, but not its reason."""
    loaded = program()
    reported = {"DeadLetterQueueSourceArn": ARN, "MessageGroupId": "g", "SenderId": "AIDA", "SequenceNumber": "7"}
    known = {"message_id": UUID, "config": loaded.hash, "group_id": "g", "sender_id": "AIDA", "sequence_number": "7"}
    message = failed(SECRET, system=reported, source=ARN, attempt=2, pointer="", **known)

    shown = as_redacted(loaded, message, loaded.engine.queues["orders"])

    assert message.failed
    assert shown.failed == structs.replace(
        message.failed,
        reason="not shown: the attribute 'router' of a message that SQS moved may be of its sender; rehearse it",
    )


def test_an_attribute_of_another_program(program: Load) -> None:
    """Its text is redacted."""
    loaded = program()
    attribute = {"router": {"DataType": "String", "StringValue": "jane@example.com"}}
    message = DlqMessage.of(Record("m", "h", json.dumps(SECRET), {}, attribute))

    shown = as_redacted(loaded, message, loaded.engine.queues["orders"])

    assert shown.record.message_attributes["router"]["StringValue"].startswith("redacted:string:")


def test_a_queue_without_redact(program: Load, moved: Make) -> None:
    """Its messages are shown as they are."""
    loaded, message = program(), moved(SECRET)

    assert as_redacted(loaded, message, loaded.engine.queues["other"]) is message


@pytest.mark.parametrize("redacts", [True, False])
def test_a_message_of_an_unknown_queue(program: Load, moved: Make, redacts: bool) -> None:
    """Nobody knows what is in it: if any queue has `redact`, its body and attributes are redacted as a whole."""
    loaded, message = program("" if not redacts else REDACTS), with_mail(moved(SECRET))

    shown = as_redacted(loaded, message, None)

    assert (shown == message) is not redacts
    assert (
        [text.split(":")[1] for text in (shown.record.body, shown.record.message_attributes["mail"]["StringValue"])]
        == ["body", "string"]
        if redacts
        else shown is message
    )


def test_the_reason_of_an_older_dead_letter(program: Load, failed: Make) -> None:
    """A plugin may have written it when the queue had no `redact`; reasons of the router are shown."""
    loaded = program()
    reasons = {"RT810": "no such person: jane@", "RT806": "fails 'type' at /properties/mail"}

    shown = [
        as_redacted(loaded, failed(SECRET, code=code, reason=reason), loaded.engine.queues["orders"]).failed
        for code, reason in reasons.items()
    ]

    assert [each.reason for each in shown if each] == [
        "a plugin's reason, which is not shown: it may have a redacted value in it",
        reasons["RT806"],
    ]


def test_the_ids_of_an_older_dead_letter(program: Load, failed: Make) -> None:
    """It was sent before its queue had `redact`: those with a redacted value are redacted where they are shown."""
    loaded = program()
    chosen = {"MessageGroupId": "jane@example.com", "MessageDeduplicationId": "d-1"}
    message = failed(SECRET, system=chosen, group_id="jane@example.com", deduplication_id="d-1")

    shown = as_redacted(loaded, message, loaded.engine.queues["orders"])

    assert shown.failed
    assert (is_redacted(shown.failed.group_id), shown.failed.deduplication_id) == (True, "d-1")
    assert shown.record.group_id == shown.failed.group_id
    assert "jane" not in repr(shown)


def test_an_export(program: Load, moved: Make, tmp_path: Path) -> None:
    """Its file has redacted values."""
    loaded = program()
    message = as_redacted(loaded, with_mail(moved(SECRET)), loaded.engine.queues["orders"])

    write_messages(tmp_path / "export.jsonl", [message])

    text = (tmp_path / "export.jsonl").read_text(encoding="utf-8")
    assert ("jane" in text, text.count("redacted:string:")) == (False, 2)


@pytest.mark.parametrize(
    ("route", "masked"),
    [
        ("item: {id: id, m: mail, total: total}", {"m", "copy"}),
        ("item: {id: mail, total: total}", {"id", "copy"}),
        ("item: {id: id, m: {template: 'x{mail}'}, total: total}", {"m", "copy"}),
        ("item: {id: id, m: {meta: attribute.mail}, total: total}", {"m", "copy"}),
        ("item: {id: id}, merge: '{c: mail}'", {"id", "c", "total", "copy"}),
        ("write: {mode: put}", {"mail", "copy"}),
        ("write: {mode: put}, for_each: '[@]'", {"id", "mail", "total", "copy"}),
    ],
)
def test_a_rehearsal_redacts_what_is_made_of_a_redacted_value(
    program: Load, moved: Make, route: str, masked: set[str]
) -> None:
    """In the item and in the stored one, also where another route of the table has stored it."""
    loaded = program(other=REDACTS, route=route)
    stored: dict[str, Any] = {
        name: {"S": "jane@example.com" if name != "total" else "6"} for name in (*masked, "total")
    }
    message = with_mail(moved(SECRET, DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:1:orders"))

    rehearsed = rehearse(loaded, message, lambda table, key: {**stored, **dict(key)})

    (change,) = rehearsed.changes
    shown = {**change.key, **(change.before or {}), **(change.after or {})}
    assert {name for name, value in shown.items() if str(value).startswith("redacted:")} == masked
    assert ("jane" in repr(rehearsed), rehearsed.outcome and rehearsed.outcome.kind) == (False, "written")


def test_an_unchanged_item_is_unchanged(program: Load, moved: Make) -> None:
    """Equal values are redacted alike, sets and binary values too."""
    plugin = """
from router import hookimpl
@hookimpl
def router_transform_item(item):
    return {**item, "set": {"b", "a"}, "binary": b"x"}
"""
    loaded = program(plugin=plugin)
    stored: dict[str, Any] = {"id": {"S": "o"}, "set": {"SS": ["a", "b"]}, "binary": {"B": b"x"}}
    message = moved(SECRET, DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:1:orders")

    rehearsed = rehearse(loaded, message, lambda table, key: stored)

    assert [change.effect for change in rehearsed.changes] == ["unchanged"]


def test_a_rehearsed_message(program: Load, failed: Make) -> None:
    """Only what its queue redacts is masked, also where another queue redacts more."""
    found = rehearse(program(other="redact: [total]"), failed(SECRET), lambda *_: None)

    body = json.loads(found.message.record.body)
    assert {**body, "mail": is_redacted(body["mail"])} == {"id": "o", "mail": True, "total": 7}


def test_the_deduplication_id_of_an_older_dead_letter(program: Load, failed: Make) -> None:
    """It is masked, too, if it is a redacted value."""
    loaded = program()
    chosen = {"MessageGroupId": "g", "MessageDeduplicationId": "jane@example.com"}
    message = failed(SECRET, system=chosen, group_id="g", deduplication_id="jane@example.com")

    shown = as_redacted(loaded, message, loaded.engine.queues["orders"])

    assert shown.failed
    assert (shown.failed.group_id, "jane" in repr(shown)) == ("g", False)


@pytest.mark.parametrize("moved_by_sqs", [False, True])
def test_the_attribute_that_is_exported(program: Load, failed: Make, moved_by_sqs: bool) -> None:
    """It says what is shown of the failure, so that a redrive of the file knows the message."""
    loaded = program()
    system = {"DeadLetterQueueSourceArn": ARN} if moved_by_sqs else {}
    message = failed(SECRET, system=system, message_id=UUID, redacted=["mail"])

    shown = as_redacted(loaded, message, loaded.engine.queues["orders"])

    assert shown.record.message_attributes["router"]["DataType"] == "String"
    assert DlqMessage.of(shown.record).failed == shown.failed
    assert shown.original_id == UUID


def test_the_times_and_ids_of_a_message_that_sqs_moved(program: Load, failed: Make) -> None:
    """They are of a form that leaves no room for other text, or what SQS reports; others are masked."""
    loaded = program()
    system = {"DeadLetterQueueSourceArn": ARN, "MessageDeduplicationId": "d-1"}
    times = {"first_received_at": "2026-01-01T00:00:01.000Z", "first_failed_at": "2026-01-01T00:00:02.000Z"}
    message = failed(SECRET, "id-1", system, message_id="id-1", deduplication_id="d-1", **times)
    other = failed(SECRET, "id-1", system, message_id="id-2", deduplication_id="d-2", **times)

    known, unknown = (as_redacted(loaded, each, loaded.engine.queues["orders"]).failed for each in (message, other))

    assert known
    assert unknown
    assert (known.message_id, known.deduplication_id) == ("id-1", "d-1")
    assert "id-2" not in unknown.message_id
    assert "d-2" not in unknown.deduplication_id
    for each in (known, unknown):
        assert {name: getattr(each, name) for name in times} == times


@pytest.mark.parametrize(
    ("reported", "source", "kept"),
    [
        ("orders", "orders", True),
        ("other", "orders", True),
        ("gone", "gone", True),
        ("gone", "jane", False),
    ],
)
def test_the_source_of_a_message_that_sqs_moved(
    program: Load, failed: Make, reported: str, source: str, kept: bool
) -> None:
    """It is a queue of the config, or the one that SQS reports."""
    loaded = program()
    prefix = ARN.removesuffix("orders")
    message = failed(SECRET, system={"DeadLetterQueueSourceArn": prefix + reported}, source=prefix + source)

    shown = as_redacted(loaded, message, loaded.engine.queues["orders"])

    assert shown.failed
    assert (shown.failed.source == prefix + source) is kept


@pytest.mark.parametrize("hook", ["router_transform_item(item)", "router_transform_message(message)"])
def test_a_rehearsal_of_a_route_with_a_plugin(program: Load, moved: Make, hook: str) -> None:
    """It may write a redacted value to any attribute: nothing of its stored items is shown."""
    loaded = program(plugin=f"from router import hookimpl\n@hookimpl\ndef {hook}:\n    pass\n")
    message = moved(SECRET, DeadLetterQueueSourceArn="arn:aws:sqs:eu-west-1:1:orders")

    rehearsed = rehearse(loaded, message, lambda table, key: {**dict(key), "made": {"S": "jane@example.com"}})

    (change,) = rehearsed.changes
    assert change.before
    assert "jane" not in repr(rehearsed)
