"""Reads sample messages of JSON and records of SQS, unwraps their envelopes and encoding, and replaces their values."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from router.errors import Reject, Rejection, UsageError
from router.runtime.config import spec
from router.runtime.engine.decode import CLASSES, UNPACK, Encoding, as_text
from router.runtime.envelopes import ENVELOPES
from router.runtime.program.redact_settings import read_redact
from router.runtime.transforms.text import decode_json
from router.tools.dev.records import holds_record

Fetch = Callable[[str, str], bytes]
"""Returns an object of S3, by its bucket and key; raises UsageError."""
POINTER = "s3_pointer"
_TEST_EVENT = "s3:TestEvent"
_ENCODINGS: Sequence[Encoding] = ("base64", "base64+gzip")
_LISTS = ("Records", "records", "Messages", "messages")


class SampleSet(Struct, frozen=True):
    """Messages as routes see them, the envelopes around them, the outermost first, and the encoding inside of those.

    `buckets` are those of payloads in S3; `notes` say what was left out.
    """

    messages: tuple[dict[str, Any], ...]
    envelopes: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    encoding: Encoding = "json"


def read_bodies(content: bytes, name: str) -> list[Any]:
    """Return the bodies in the content of a file: one JSON value, a list of them, or JSON lines; raises UsageError.

    A record of SQS stands for its body: as ReceiveMessage, a Lambda event or `router dlq export` has it; a line before
    such records that is none is a header. Of a recording, the messages that were not rejected are returned, as they are
    inside of the queue's envelopes.
    """
    values = list(_values(content, name))
    if values and isinstance(values[0], dict) and "recording" in values[0]:
        return [
            _recorded(value, f"{name}, line {number},")
            for number, value in enumerate(values[1:], 2)
            if _is_good(value)
        ]
    records = [holds_record(value) for value in values]
    if not any(records):
        return values
    if not all(records[1:]):
        raise UsageError(
            f"{name}: line {records.index(False, 1) + 1} is no record of SQS, and others are"
        )
    return [
        body
        for value, is_record in zip(values, records, strict=True)
        if is_record
        for body in _bodies(value)
    ]


def _is_good(value: Any) -> bool:
    return not isinstance(value, dict) or value.get("outcome") != "rejected"


def _recorded(value: Any, what: str) -> Any:
    if not isinstance(value, dict) or "message" not in value:
        raise UsageError(f"{what} is no message of a recording")
    return value["message"]


def _values(content: bytes, name: str) -> Iterator[Any]:
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text") from None
    try:
        whole = decode_json(text)
    except ValueError:
        whole = None
    if isinstance(whole, list) and not _is_pointer(whole):
        yield from whole
        return
    if whole is not None:
        yield whole
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield parse_body(line, f"{name}, line {number},")


def parse_body(body: str | bytes, what: str) -> Any:
    """Return the value of a body that is JSON, or a body that is an encoded message as it is; raises UsageError."""
    try:
        return decode_json(body)
    except ValueError as error:
        if _encoding_of(body):
            return body
        raise UsageError(f"{what} cannot be a sample: {error}") from None


def _bodies(value: dict[str, Any]) -> Iterator[Any]:
    records = next((value[key] for key in _LISTS if isinstance(value.get(key), list)), [value])
    for record in records:
        body = record.get("body", record.get("Body"))
        yield parse_body(body, "the body of a record") if isinstance(body, str) else body


def open_samples(bodies: Sequence[Any], fetch: Fetch | None = None) -> SampleSet:
    """Unwrap the envelopes that all bodies have; raises UsageError if only some have one, or there are no messages.

    Payloads in S3 are read with `fetch`; without it they are left out.
    """
    values, envelopes, notes, buckets = list(bodies), [], [], set()
    tests = [
        value for value in values if isinstance(value, dict) and value.get("Event") == _TEST_EVENT
    ]
    if tests:
        notes.append(f"{len(tests)} test events of Amazon S3 are left out")
        values = [value for value in values if value not in tests]
    while True:
        if any(map(_is_pointer, values)):
            envelopes.append(POINTER)
            buckets |= {value[1]["s3BucketName"] for value in values if _is_pointer(value)}
            values, left_out = _fetch_all(values, fetch)
            notes += [f"{left_out} payloads in S3 are left out"] if left_out else []
        name = _common_envelope(values)
        inside = None if name is None else _unwrap_all(values, name)
        if name is None or inside is None:
            break
        envelopes.append(name)
        values = inside
    encoding, values = _decode_all(values)
    if not values:
        raise UsageError("there is no sample message; give at least one")
    wrong = next((index for index, value in enumerate(values, 1) if not isinstance(value, dict)), 0)
    if wrong:
        raise UsageError(
            f"sample {wrong} is not a JSON object, so that it has no attributes to store"
        )
    return SampleSet(
        tuple(values), tuple(envelopes), tuple(sorted(buckets)), tuple(notes), encoding
    )


def _is_pointer(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and value[0] in CLASSES
        and isinstance(value[1], dict)
        and all(isinstance(value[1].get(name), str) for name in ("s3BucketName", "s3Key"))
    )


def _fetch_all(values: Sequence[Any], fetch: Fetch | None) -> tuple[list[Any], int]:
    found, left_out = [], 0
    for value in values:
        if not _is_pointer(value):
            found.append(value)
        elif fetch is None:
            left_out += 1
        else:
            place = value[1]
            payload = fetch(place["s3BucketName"], place["s3Key"])
            found.append(parse_body(as_text(payload), "an object in S3"))
    return found, left_out


def _common_envelope(values: Sequence[Any]) -> str | None:
    """Return the envelope of all values, or None; raises UsageError if only some have it."""
    names = Counter(_envelope_of(value) if isinstance(value, dict) else None for value in values)
    if len(names) <= 1:
        return next(iter(names), None)
    counts = ", ".join(
        f"{count} {name or 'without an envelope'}" for name, count in names.most_common()
    )
    raise UsageError(
        f"the samples have different envelopes: {counts}; give those of one queue only"
    )


def _envelope_of(value: Mapping[str, Any]) -> str | None:
    return next((name for name, envelope in ENVELOPES.items() if envelope.recognizes(value)), None)


def _unwrap_all(values: Sequence[Any], name: str) -> list[Any] | None:
    """Return the payloads; None if one is neither an object nor a pointer, so that the envelope is the message."""
    payloads = []
    for value in values:
        try:
            payload, _ = ENVELOPES[name].unwrap(value, {})
            payload = parse_body(payload, name) if isinstance(payload, str | bytes) else payload
        except (Reject, UsageError):
            return None
        if not isinstance(payload, dict) and not _is_pointer(payload) and not _encoding_of(payload):
            return None
        payloads.append(payload)
    return payloads


def _encoding_of(value: Any) -> Encoding | None:
    """Return the encoding of a value that is an encoded object, or None."""
    for name in _ENCODINGS if isinstance(value, str | bytes) else ():
        try:
            if isinstance(decode_json(UNPACK[name](value)), dict):
                return name
        except (Rejection, ValueError):
            continue
    return None


def _decode_all(values: Sequence[Any]) -> tuple[Encoding, list[Any]]:
    """Return the encoding of all values, and what they are without it; raises UsageError if they differ."""
    names: Counter[Encoding] = Counter(_encoding_of(value) or "json" for value in values)
    if len(names) > 1:
        counts = ", ".join(f"{count} {name}" for name, count in names.most_common())
        raise UsageError(
            f"the samples have different encodings: {counts}; give those of one queue only"
        )
    name: Encoding = next(iter(names), "json")
    return name, list(values) if name == "json" else [
        decode_json(UNPACK[name](value)) for value in values
    ]


_OF_FORMAT = {
    "date-time": "2026-01-02T03:04:05Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "user@example.com",
    "uri": "https://example.com/",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def replace_values(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value of the same shape: text with other characters, numbers 1; `enum`, `const` and booleans stay."""
    if "const" in schema or "enum" in schema or value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        if "additionalProperties" in schema:
            parts = enumerate(value.values(), 1)
            return {
                f"name{index}": replace_values(part, schema["additionalProperties"])
                for index, part in parts
            }
        return {
            name: replace_values(part, properties.get(name, {})) for name, part in value.items()
        }
    if isinstance(value, list):
        return [replace_values(part, schema.get("items", {})) for part in value]
    if isinstance(value, int | Decimal):
        return 1
    if "pattern" in schema:
        # A version stays a time of its format.
        return _DATE.sub(_OF_FORMAT["date-time"][:-1], re.sub(r"\d", "0", value))
    if "format" in schema:
        return _OF_FORMAT[schema["format"]]
    return re.sub(r"[^\W\d_]", "x", re.sub(r"\d", "0", value))


def hide_redacted(message: dict[str, Any], queue: spec.Queue) -> dict[str, Any]:
    """Return a message with one value of each type in place of those that the queue redacts.

    Nothing that is inferred from such messages has a redacted value, a format of it or a choice by it.
    """
    root = [message]
    for path in read_redact(queue).paths:
        for holder, key in path.places(root):
            holder[key] = _blank(holder[key])
    return root[0]


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blank(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_blank(part) for part in value]
    blanks = {str: "x", bool: True, int: 1, Decimal: Decimal("0.5")}
    return blanks.get(type(value))
