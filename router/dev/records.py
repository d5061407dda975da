"""The records of tests: what SQS would say about a message has fixed values, so that its items are always the same."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UnsetType

from router.config import spec
from router.dev.wrapping import MESSAGE_ID, make_body, wrap_text
from router.errors import UsageError
from router.model import Record

META: Mapping[str, str] = {
    "SentTimestamp": "1767323045678",
    "ApproximateFirstReceiveTimestamp": "1767323046789",
    "ApproximateReceiveCount": "1",
    "SenderId": "AIDAEXAMPLE",
    "MessageGroupId": "group-1",
    "MessageDeduplicationId": "deduplication-1",
    "SequenceNumber": "18849496460467696128",
}
"""SQS's attributes of a message in a test: sent at 2026-01-02T03:04:05.678Z, received at …06.789Z."""
RECEIPT_HANDLE = "receipt-handle"
LISTS = ("Records", "Messages")
"""Where a Lambda event, and an answer of ReceiveMessage, have their records."""

_JSON = msgspec.json.Encoder(decimal_format="number")


def make_record(test: spec.Test, queue: spec.Queue, folder: Path = Path()) -> Record:
    """The record of a test, its message wrapped as the queue unwraps it; raises UsageError for a faulty one."""
    if not isinstance(test.record, UnsetType):
        return read_record(test.record)
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in test.attributes.items()}
    if not isinstance(test.body, UnsetType):
        body = test.body
    elif not isinstance(test.file, UnsetType):
        body = wrap_text(_read_text(folder / test.file, test.file), queue)
    else:
        body = make_body(test.message, queue)
    return Record(MESSAGE_ID, RECEIPT_HANDLE, body, META, attributes)


def read_record(given: Mapping[str, Any]) -> Record:
    """A record as ReceiveMessage has it, or as Lambda does: what it does not say is as in any test.

    It may be the only one of a whole Lambda event, or of an answer of ReceiveMessage. A body that is no text becomes
    JSON. Raises UsageError, where it is no record.
    """
    record = _only(_lower_first(given))
    body = record.get("body")
    if body is None:
        raise UsageError("the record has no body: it is an object with 'body' (Lambda) or 'Body' (ReceiveMessage)")
    system = {name: str(value) for name, value in _map(record, "attributes").items()}
    sent = {name: _attribute(name, value) for name, value in _map(record, "messageAttributes").items()}
    return Record(
        str(record.get("messageId", MESSAGE_ID)),
        str(record.get("receiptHandle", RECEIPT_HANDLE)),
        body if isinstance(body, str) else _JSON.encode(body).decode(),
        {**META, **system},
        sent,
    )


def _only(given: dict[str, Any]) -> dict[str, Any]:
    """The one record of a Lambda event or of an answer; a record itself stays as it is."""
    name = next((name for name in LISTS if name[:1].lower() + name[1:] in given and "body" not in given), "")
    if not name:
        return given
    records = given[name[:1].lower() + name[1:]]
    if not isinstance(records, list) or len(records) != 1 or not isinstance(records[0], dict):
        raise UsageError(f"'{name}' of the record must be a list of one record: a test is about one message")
    return _lower_first(records[0])


def _attribute(name: str, given: Any) -> dict[str, Any]:
    attribute = _lower_first(given) if isinstance(given, dict) else {}
    kind = str(attribute.get("dataType", "String"))
    if kind.startswith("Binary"):
        try:
            return {"DataType": kind, "BinaryValue": base64.b64decode(str(attribute["binaryValue"]), validate=True)}
        except (KeyError, binascii.Error):
            raise UsageError(f"the message attribute '{name}' of the record has no binary value in base64") from None
    if "stringValue" not in attribute:
        raise UsageError(f"the message attribute '{name}' of the record has no string value")
    return {"DataType": kind, "StringValue": str(attribute["stringValue"])}


def _map(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name) or {}
    if not isinstance(value, dict):
        raise UsageError(f"'{name}' of the record must be an object")
    return value


def _lower_first(given: Mapping[str, Any]) -> dict[str, Any]:
    """ReceiveMessage's `MessageId` and Lambda's `messageId` are one key."""
    return {name[:1].lower() + name[1:]: value for name, value in given.items()}


def _read_text(file: Path, shown: str) -> str:
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError(f"'{shown}' is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"cannot read '{shown}': {(error.strerror or type(error).__name__).lower()}") from None
