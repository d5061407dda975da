"""The original identity of a message that was a dead letter."""

import json
from typing import Any

import pytest
from msgspec import structs

from router.codes import REDACTED
from router.errors import Rejection
from router.model import Message, Record
from router.runtime.engine.identity import MAX_LENGTH, is_malformed, read_failed, with_original_identity
from tests.support.engine import plan
from tests.unit.runtime.engine.conftest import Make

ROUTE = """
r: {queue: q, table: things, item: {id: {meta: message_id}, at: {meta: sent_at}, first: {meta: first_received_at},
  group: {meta: group_id}, number: {meta: sequence_number}, dedup: {meta: deduplication_id}, by: {meta: sender_id}}}
"""
SYSTEM = {
    "SentTimestamp": "1767225600000",  # 2026-01-01T00:00:00.000Z
    "ApproximateFirstReceiveTimestamp": "1767225601000",
    "SequenceNumber": "200",
    "SenderId": "AIDA",
}
FAILED: dict[str, Any] = {
    "code": "RT806",
    "reason": "fails 'type' at /type",
    "queue": "q",
    "route": "r",
    "pointer": "",
    "message_id": "first-id",
    "receive_count": 1,
    "failed_at": "2025-12-02T00:00:00.000Z",
    "sent_at": "2025-12-01T00:00:00.123Z",
    "first_received_at": "2025-12-01T00:00:01.000Z",
    "group_id": "g",
    "sequence_number": "100",
    "deduplication_id": "d",
    "sender_id": "FORGED",
}


def _record(attribute: str) -> Record:
    return Record("new-id", "handle", "{}", SYSTEM, {"router": {"DataType": "String", "StringValue": attribute}})


def _item(make: Make, attribute: str, **queue: str) -> dict[str, Any]:
    program = make(ROUTE)
    (write,) = plan(structs.replace(program.engine.queues["q"], **queue), _record(attribute)).writes
    return {name: next(iter(value.values())) for name, value in write.item.items()}


def test_a_redriven_message_is_the_one_that_failed(make: Make) -> None:
    """Except for the sender's id, which only SQS can state."""
    assert _item(make, json.dumps(FAILED)) == {
        "id": "first-id",
        "at": "2025-12-01T00:00:00.123Z",
        "first": "2025-12-01T00:00:01.000Z",
        "group": "g",
        "number": "100",
        "dedup": "d",
        "by": "AIDA",
    }


AS_RECEIVED = {
    "id": "new-id",
    "at": "2026-01-01T00:00:00.000Z",
    "first": "2026-01-01T00:00:01.000Z",
    "number": "200",
    "by": "AIDA",
}


@pytest.mark.parametrize(
    "change",
    [
        {"sent_at": "2026-01-01T00:00:00.001Z"},
        {"sent_at": None},
        {"sent_at": "2025-13-01T00:00:00.000Z"},
        {"sent_at": "yesterday"},
        {"sent_at": "1969-12-31T23:59:59.000Z"},
        {"message_id": "x" * 129},
        {"attempt": 0},
        {"code": 806},
        {"reason": "x" * 17_000},
    ],
)
def test_an_attribute_makes_no_message_newer_and_has_to_be_well_formed(make: Make, change: dict[str, Any]) -> None:
    """Otherwise the message is the one that SQS reports."""
    changed = {name: value for name, value in {**FAILED, **change}.items() if value is not None}

    assert _item(make, json.dumps(changed)) == AS_RECEIVED


@pytest.mark.parametrize("attribute", ["", "[]", "null", "{}", '{"code": "RT806"}', "not JSON"])
def test_an_attribute_of_another_program_is_malformed(make: Make, attribute: str) -> None:
    """It is ignored."""
    assert _item(make, attribute) == AS_RECEIVED
    assert is_malformed(_record(attribute))


@pytest.mark.parametrize(
    "change",
    [
        {"sent_at": "2026-01-01T00:00:00.000Z"},
        {"failed_at": "1970-01-01T00:00:00.000Z"},
        {"reason": "x" * (MAX_LENGTH - len(json.dumps({**FAILED, "reason": ""})))},
    ],
)
def test_the_limits_of_an_attribute(make: Make, change: dict[str, Any]) -> None:
    """A time of sending that SQS reports too, the first time of all, and the longest text."""
    assert _item(make, json.dumps({**FAILED, **change}))["id"] == "first-id"


def test_a_sequence_number_without_order() -> None:
    """A message of a standard queue has no sequence number, so that none is less than its own."""
    record = structs.replace(_record(json.dumps(FAILED)), attributes={"SentTimestamp": SYSTEM["SentTimestamp"]})

    message = with_original_identity(Message(None, "new-id", system=record.attributes), record)

    assert message.system == {
        "SentTimestamp": "1764547200123",
        "ApproximateFirstReceiveTimestamp": "1764547201000",
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
    }


def test_masks_that_the_queue_does_not_know() -> None:
    """A message with a mask that nobody would know as one is rejected, if the queue masks anything at all."""
    record = _record(json.dumps({**FAILED, "redacted": ["c", "b", "a"]}))
    message = Message(None, "new-id", system=SYSTEM)

    known = [with_original_identity(message, record, names).id for names in (None, frozenset("abcd"))]
    with pytest.raises(Rejection) as caught:
        with_original_identity(message, record, frozenset("ad"))

    assert known == ["first-id"] * 2
    assert (caught.value.code, caught.value.reason) == (
        REDACTED,
        "'b' is redacted in this dead letter, and 'redact' of the queue does not name it any more",
    )


def test_later_parts_of_an_older_message_are_ignored(make: Make) -> None:
    """A first receive or a sequence number after the ones that SQS reports; what is missing stays as reported."""
    later = {"first_received_at": "2026-01-02T00:00:00.000Z", "sequence_number": "300"}
    short = {name: FAILED[name] for name in FAILED if name not in ("group_id", "deduplication_id", "sequence_number")}

    changed = _item(make, json.dumps({**FAILED, **later}))

    assert (changed["first"], changed["number"]) == (AS_RECEIVED["first"], AS_RECEIVED["number"])
    assert _item(make, json.dumps(short)) == {
        **AS_RECEIVED,
        "id": "first-id",
        "at": "2025-12-01T00:00:00.123Z",
        "first": "2025-12-01T00:00:01.000Z",
    }


def test_the_attribute_counts_on_queues_with_dead_letters_only(make: Make) -> None:
    """Elsewhere no router wrote it."""
    assert _item(make, json.dumps(FAILED), dead_letter="") == AS_RECEIVED


def test_a_record_without_the_attribute_has_no_failure() -> None:
    """It is not malformed either."""
    record = Record("m", "handle", "{}", SYSTEM)

    assert read_failed(record) is None
    assert not is_malformed(record)
