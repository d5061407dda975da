"""Reads sample messages from JSON and records of SQS, and takes off their envelopes and encoding."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from router.errors import Reject, Rejection, UsageError
from router.runtime.conversions import decode_json
from router.runtime.engine.decode import CLASSES, UNPACK, Encoding, as_text
from router.runtime.envelopes import ENVELOPES
from router.tools.dev.json_faults import document_fault, why_not_json
from router.tools.dev.new.unstorable import fault_of
from router.tools.dev.records import ENCODER, holds_record

Fetch = Callable[[str, str], bytes]
"""Returns an object of S3, by its bucket and key; raises UsageError."""
POINTER = "s3_pointer"
_TEST_EVENT = "s3:TestEvent"
_ENCODINGS: Sequence[Encoding] = ("base64", "base64+gzip")
_BARE = "without an envelope"
_TOO_DEEP = "nested"
_ADVICE = "the router rejects it: leave it out, and let the sender nest less"
_LISTS = ("Records", "records", "Messages", "messages")
Name = TypeVar("Name", bound=str)


class Body(Struct, frozen=True):
    """The body of a message, or what is in it."""

    value: Any
    place: str
    """Where it is, for people: such as a file and a line."""


class SampleSet(Struct, frozen=True):
    """Sample messages, as the routes of one queue see them."""

    messages: tuple[dict[str, Any], ...]
    envelopes: tuple[str, ...] = ()
    """The envelopes that were around them, the outermost first."""
    buckets: tuple[str, ...] = ()
    """The buckets of payloads in S3."""
    notes: tuple[str, ...] = ()
    """What was left out."""
    encoding: Encoding = "json"
    """The encoding inside of the envelopes."""


def read_bodies(content: bytes, name: str) -> list[Body]:
    """Return the bodies in the content of a file: one JSON value, a list of them, or JSON lines;
    raises UsageError.

    A record of SQS stands for its body: as ReceiveMessage, a Lambda event or `router dlq export`
    has it. The first line before such records may be a header. A recording stands for its messages
    that were not rejected; they are without the queue's envelopes.
    """
    values = _read_values(content, name)
    if values and isinstance(values[0].value, dict) and "recording" in values[0].value:
        return _read_recording(values[1:], name)
    are_records = [holds_record(each.value) for each in values]
    if not any(are_records):
        return values
    if not all(are_records[1:]):
        number = are_records.index(False, 1) + 1
        raise UsageError(f"{name}: line {number} is not a record of SQS, but other lines are")
    if not are_records[0]:
        # It is a header.
        del values[0]
    return [body for each in values for body in _bodies_of(each)]


def _read_values(content: bytes, name: str) -> list[Body]:
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8 text") from None
    try:
        whole = decode_json(text)
    except ValueError as error:
        if _TOO_DEEP in str(error):
            raise UsageError(f"{name} cannot be a sample: {error}; {_ADVICE}") from None
        fault = document_fault(text)
        if fault:
            raise UsageError(f"{name} is not JSON: {fault.sentence}") from None
        return [
            Body(parse_body(line, f"{name}, line {number},"), f"{name}:{number}")
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        ]
    if isinstance(whole, list) and not _is_pointer(whole):
        return [Body(each, f"{name}, element {number}") for number, each in enumerate(whole, 1)]
    return [Body(whole, name)]


def _read_recording(values: Sequence[Body], name: str) -> list[Body]:
    messages = []
    for number, each in enumerate(values, 2):
        value = each.value
        if isinstance(value, dict) and value.get("outcome") == "rejected":
            continue
        if not isinstance(value, dict) or "message" not in value:
            raise UsageError(f"{name}, line {number}, is not a message of a recording")
        messages.append(Body(value["message"], each.place))
    return messages


def parse_body(body: str | bytes, what: str) -> Any:
    """Return the value of a body that is JSON, or a body that is an encoded message as it is;
    raises UsageError.
    """
    try:
        return decode_json(body)
    except ValueError as error:
        if _encoding_of(body):
            return body
        advice = f"; {_ADVICE}" if _TOO_DEEP in str(error) else ""
        why = why_not_json(body, error) if isinstance(body, str) else str(error)
        raise UsageError(f"{what} cannot be a sample: {why}{advice}") from None


def _bodies_of(sample: Body) -> list[Body]:
    """Return the body of a record, or the bodies of an event with records."""
    value = sample.value
    lists = [value[key] for key in _LISTS if isinstance(value.get(key), list)]
    records = lists[0] if lists else [value]
    bodies = []
    for number, record in enumerate(records, 1):
        body = record.get("body", record.get("Body"))
        if isinstance(body, str):
            body = parse_body(body, "the body of a record")
        place = f"{sample.place}, record {number}" if lists else sample.place
        bodies.append(Body(body, place))
    return bodies


def open_samples(bodies: Sequence[Body], fetch: Fetch | None = None) -> SampleSet:
    """Take off the envelopes that all bodies have; raises UsageError if only some have one, or
    there are no messages.

    Payloads in S3 are read with `fetch`; without it they are left out, and so is what DynamoDB does
    not store.
    """
    values = [body for body in bodies if not _is_test_event(body.value)]
    envelopes: list[str] = []
    buckets: set[str] = set()
    notes = []
    if len(values) < len(bodies):
        notes.append(f"test events of Amazon S3 that are left out: {len(bodies) - len(values)}")
    while True:
        pointers = [body for body in values if _is_pointer(body.value)]
        if pointers:
            envelopes.append(POINTER)
            buckets.update(body.value[1]["s3BucketName"] for body in pointers)
        if fetch:
            values = [Body(_fetch_payload(body.value, fetch), body.place) for body in values]
        elif pointers:
            notes.append(f"payloads in S3 that are left out: {len(pointers)}")
            values = [body for body in values if not _is_pointer(body.value)]
        name = _common((_envelope_of(body.value) for body in values), "envelopes")
        if name is None or name == _BARE:
            break
        inside = _unwrap_all(values, name)
        if inside is None:
            break
        envelopes.append(name)
        values = inside
    encoding = _common((_encoding_of(body.value) or "json" for body in values), "encodings")
    if encoding is None:
        raise UsageError("there is no sample message; give at least one")
    if encoding != "json":
        values = [Body(decode_json(UNPACK[encoding](body.value)), body.place) for body in values]
    messages, left_out = _storable(values)
    notes += left_out
    distinct = _without_copies(messages)
    if len(distinct) < len(messages):
        copies = len(messages) - len(distinct)
        what = "1 sample is a copy" if copies == 1 else f"{copies} samples are copies"
        notes.append(f"{what} of another one, as a second delivery is: each message counts once")
    return SampleSet(
        tuple(distinct), tuple(envelopes), tuple(sorted(buckets)), tuple(notes), encoding
    )


def _storable(bodies: Sequence[Body]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the messages that DynamoDB can store, and what is left out and why; raises UsageError
    without a message.
    """
    messages = []
    left_out = []
    for number, body in enumerate(bodies, 1):
        what = f"sample {number} ({body.place})"
        if not isinstance(body.value, dict):
            raise UsageError(f"{what} is not a JSON object: it has no attributes to store")
        fault = fault_of(body.value)
        if fault:
            left_out.append(f"{what} is left out: {fault}")
        else:
            messages.append(body.value)
    if not messages:
        raise UsageError("\n".join(["no sample can be stored", *left_out]))
    return messages, left_out


def _without_copies(messages: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return each message once; all of them if most are copies: then nothing tells messages apart."""
    distinct = {ENCODER.encode(message): message for message in messages}
    if len(distinct) * 2 < len(messages):
        return messages
    return list(distinct.values())


def _common(names: Iterable[Name], what: str) -> Name | None:
    """Return the name that all samples have, None without samples; raises UsageError if they
    differ.
    """
    counts = Counter(names)
    if len(counts) > 1:
        listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
        raise UsageError(
            f"the samples have different {what}: {listed}; give those of one queue only"
        )
    return next(iter(counts), None)


def _is_test_event(value: Any) -> bool:
    return isinstance(value, dict) and value.get("Event") == _TEST_EVENT


def _is_pointer(value: Any) -> bool:
    match value:
        case [name, {"s3BucketName": str(), "s3Key": str()}]:
            return name in CLASSES
    return False


def _fetch_payload(value: Any, fetch: Fetch) -> Any:
    """Return the payload of a pointer; any other value is returned as it is."""
    if not _is_pointer(value):
        return value
    payload = fetch(value[1]["s3BucketName"], value[1]["s3Key"])
    return parse_body(as_text(payload), "an object in S3")


def _envelope_of(value: Any) -> str:
    if isinstance(value, dict):
        for name, envelope in ENVELOPES.items():
            if envelope.recognizes(value):
                return name
    return _BARE


def _unwrap_all(bodies: Sequence[Body], name: str) -> list[Body] | None:
    """Return the payloads in the envelopes.

    None if a payload is no message. Then the envelope is the message.
    """
    payloads = []
    for body in bodies:
        try:
            payload, _ = ENVELOPES[name].unwrap(body.value, {})
            if isinstance(payload, str | bytes):
                payload = parse_body(payload, name)
        except (Reject, UsageError):
            return None
        if not isinstance(payload, dict) and not _is_pointer(payload) and not _encoding_of(payload):
            return None
        payloads.append(Body(payload, body.place))
    return payloads


def _encoding_of(value: Any) -> Encoding | None:
    """Return the encoding of a value that is an encoded object, or None."""
    if not isinstance(value, str | bytes):
        return None
    for name in _ENCODINGS:
        try:
            decoded = decode_json(UNPACK[name](value))
        except (Rejection, ValueError):
            continue
        if isinstance(decoded, dict):
            return name
    return None
