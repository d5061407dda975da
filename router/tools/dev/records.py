"""Records of tests: SQS's attributes have fixed values, so that a test always writes the same
items.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from router.errors import PluginError, UsageError, refusing_file
from router.model import Record
from router.runtime.config import spec
from router.runtime.config.merge import resolve_inside
from router.runtime.engine.decode import PACK
from router.runtime.envelopes import ENVELOPES, SAMPLE_ID, EnvelopeFormat
from router.runtime.filesystem import read_regular
from router.runtime.program.load import Program

META: Mapping[str, str] = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "ApproximateReceiveCount": "1",
    "SenderId": "AIDAEXAMPLE",
    "MessageGroupId": "group-1",
    "MessageDeduplicationId": "deduplication-1",
    "SequenceNumber": "18849496460467696128",
}
"""SQS's attributes of a message in a test: sent at 2026-01-02T03:04:05.678Z, received at …06.789Z.
"""
MESSAGE_ID = SAMPLE_ID
"""The id of a message in a test."""
RECEIPT_HANDLE = "receipt-handle"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNDERWAY_MS = 1111
"""Milliseconds from sending to the first receive."""
_LISTS = ("records", "messages")
"""The members with the records in a Lambda event and in a response of ReceiveMessage, with
lower-case initials.
"""

ENCODER = msgspec.json.Encoder(decimal_format="number")
"""Writes messages as JSON."""


def make_body(
    message: Any,
    queue: spec.Queue,
    envelopes: Mapping[str, EnvelopeFormat] = ENVELOPES,
) -> str:
    """Return the body in which a queue holds a message: encoded, then wrapped in its envelopes, the
    innermost first.
    """
    return wrap_text(ENCODER.encode(message).decode(), queue, envelopes)


def wrap_text(
    text: str,
    queue: spec.Queue,
    envelopes: Mapping[str, EnvelopeFormat] = ENVELOPES,
) -> str:
    """Return the body in which a queue holds a message that is JSON text already.

    An envelope without an inverse is left out. Raises UsageError if that of a plugin fails.
    """
    body = PACK[queue.encoding](text.encode())
    for name in reversed(queue.envelope):
        envelope = envelopes.get(name)
        if envelope is not None and envelope.wrap is not None:
            try:
                body = envelope.wrap(body)
            except PluginError as error:
                raise UsageError(str(error)) from error
    return body


def record_with(body: str) -> Record:
    """Return a record with a body, and the fixed values of tests."""
    return Record(MESSAGE_ID, RECEIPT_HANDLE, body, META)


def wrapped_record(program: Program, queue: str, text: str) -> Record:
    """Return a record whose body is JSON text in the envelopes of a queue."""
    return record_with(wrap_text(text, queue_settings(program, queue), program.plugins.envelopes))


def queue_settings(program: Program, queue: str) -> spec.Queue:
    """Return the settings of a queue; it may have none in the config."""
    return program.config.queues.get(queue) or spec.Queue()


def records_of(program: Program, route: str, test: spec.Test) -> list[Record]:
    """Return the records of a test's messages, in order; raises UsageError if one is invalid."""
    settings = queue_settings(program, program.config.routes[route].queue)
    envelopes = program.plugins.envelopes
    return [
        make_record(message, settings, envelopes, program.folder, number)
        for number, message in enumerate(test.received)
    ]


def make_record(
    message: spec.ReceivedMessage,
    queue: spec.Queue,
    envelopes: Mapping[str, EnvelopeFormat] = ENVELOPES,
    folder: Path = Path(),
    number: int = 0,
) -> Record:
    """Return the record of a message of a test, wrapped in the queue's envelopes; raises UsageError
    if it is invalid.

    Messages of different numbers have different message ids, unless they have their own.
    """
    if message.record is not None:
        return numbered(read_record(message.record), number)
    attributes = as_attributes(message.attributes)
    if message.body is not None:
        body = message.body
    elif message.file is not None:
        body = wrap_text(_read_text(folder, message.file), queue, envelopes)
    else:
        body = make_body(message.message, queue, envelopes)
    message_id = _id(number) if message.id is None else message.id
    return Record(message_id, RECEIPT_HANDLE, body, _system(message), attributes)


def as_attributes(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return texts as message attributes of SQS."""
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}


def numbered(record: Record, number: int) -> Record:
    """Return a record with the message id of a number, unless it has its own."""
    if record.message_id != MESSAGE_ID:
        return record
    return structs.replace(record, message_id=_id(number))


def _id(number: int) -> str:
    start, _, last = MESSAGE_ID.rpartition("-")
    return f"{start}-{int(last) + number}"


def _system(message: spec.ReceivedMessage) -> Mapping[str, str]:
    system = dict(META)
    if message.sent_at is not None:
        sent = (datetime.fromisoformat(message.sent_at) - _EPOCH) // timedelta(milliseconds=1)
        system["SentTimestamp"] = str(sent)
        system["ApproximateFirstReceiveTimestamp"] = str(sent + _UNDERWAY_MS)
    if message.group is not None:
        system["MessageGroupId"] = message.group
    return system


def read_record(given: Mapping[str, Any]) -> Record:
    """Return a record from one of ReceiveMessage or Lambda; missing attributes have the fixed
    values of tests.

    It may be inside a Lambda event, or a response of ReceiveMessage, that has no other. A body that
    is not text is encoded as JSON. Raises UsageError if it is not a record.
    """
    record = _only(_lower_first(given))
    body = record.get("body")
    if body is None:
        raise UsageError(
            "the record has no body: it is an object with 'body' (Lambda) or 'Body' (ReceiveMessage)"
        )
    if not isinstance(body, str):
        body = ENCODER.encode(body).decode()
    system = {name: str(value) for name, value in _map(record, "attributes").items()}
    sent = {}
    for name, value in _map(record, "messageAttributes").items():
        sent[name] = _attribute(name, value)
    return Record(
        str(record.get("messageId", MESSAGE_ID)),
        str(record.get("receiptHandle", RECEIPT_HANDLE)),
        body,
        {**META, **system},
        sent,
    )


def holds_record(given: Any) -> bool:
    """Return whether it is a record, or an event or response with records; an S3 event has
    `Records` without bodies.
    """
    if _has_body(given):
        return True
    event = _lower_first(given) if isinstance(given, dict) else {}
    for name in _LISTS:
        records = event.get(name)
        if isinstance(records, list) and any(map(_has_body, records)):
            return True
    return False


def _has_body(given: Any) -> bool:
    return isinstance(given, dict) and _lower_first(given).keys() >= {"body", "messageId"}


def _only(given: dict[str, Any]) -> dict[str, Any]:
    """Return the one record of a Lambda event or of a response; a record itself is returned as it
    is.
    """
    names = [name for name in _LISTS if name in given]
    if not names or "body" in given:
        return given
    match given[names[0]]:
        case [dict(record)]:
            return _lower_first(record)
    raise UsageError(
        f"'{names[0].title()}' of the record must be a list of one record: a test is about one message"
    )


def _attribute(name: str, given: Any) -> dict[str, Any]:
    attribute = _lower_first(given) if isinstance(given, dict) else {}
    kind = str(attribute.get("dataType", "String"))
    if kind.startswith("Binary"):
        try:
            value = base64.b64decode(str(attribute["binaryValue"]), validate=True)
        except (KeyError, binascii.Error):
            raise UsageError(
                f"the message attribute '{name}' of the record has no binary value in base64"
            ) from None
        return {"DataType": kind, "BinaryValue": value}
    if "stringValue" not in attribute:
        raise UsageError(f"the message attribute '{name}' of the record has no string value")
    return {"DataType": kind, "StringValue": str(attribute["stringValue"])}


def _map(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name) or {}
    if not isinstance(value, dict):
        raise UsageError(f"'{name}' of the record must be an object")
    return value


def _lower_first(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the map with lower-case initials: ReceiveMessage's `MessageId` is Lambda's
    `messageId`.
    """
    return {name[:1].lower() + name[1:]: value for name, value in given.items()}


def _read_text(folder: Path, name: str) -> str:
    file = resolve_inside(folder, name)
    if file is None:
        raise UsageError(
            f"'{name}' is outside of the folder of the config: put it into that folder"
        )
    with refusing_file(f"read '{name}'"):
        content = read_regular(file)
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError(f"'{name}' is not UTF-8 text") from None
