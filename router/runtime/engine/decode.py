"""Decodes the body of a record: envelopes, encoding and JSON with exact numbers, within bounds; finds S3 pointers.

The Amazon SQS and SNS Extended Clients send a pointer in place of a payload that is too large: a JSON list of the name
of a Java class and `{"s3BucketName": …, "s3Key": …}`. Any other payload was small enough to be sent itself.

Why msgspec: docs/decisions/2026-11-25-msgspec-reads-json.md
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from decimal import MAX_EMAX, Decimal, DecimalException
from typing import Any, Literal

import msgspec
from msgspec import Struct

from router.codes import BAD_ENVELOPE, BAD_POINTER, NOT_JSON, OUT_OF_BOUNDS
from router.errors import Reject, Rejection
from router.model import Envelope, Record, Unwrapped

CLASSES = (
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
)
"""The names of the class, in clients from version 1.1 and before."""
MAX_KEY_BYTES = 1024
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html"""
_MARK = "S3Pointer"

MAX_NESTING = 64
"""The deepest nesting of a payload that is decoded."""
SHORT = 1000
"""The brackets of a text of so many characters are counted by looking at each."""
MAX_UNPACKED_BYTES = 16 * 1024 * 1024
"""The most that a compressed payload may unpack to; a body itself has at most 1 MiB (SQS's limit)."""

MAX_BODY_BYTES = 1024 * 1024
"""The most that SQS takes as a body, with the message attributes:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html"""
MAX_DECODED_BYTES = 256 * 1024 * 1024
"""The most memory that the values of a payload may take: two bytes of JSON can become a hundred and more."""
_VALUE_BYTES = 112
"""What a value costs in memory at most, besides its own text: a Decimal, and its place in a list."""
_ENTRY_BYTES = 120
"""What an entry of an object costs besides its value: the name, and its place in the dict."""

Encoding = Literal["json", "base64", "base64+gzip"]
Decoder = Callable[[Record], Unwrapped]
"""Returns the data and attributes of a record; raises Rejection."""

JSON = msgspec.json.Decoder(float_hook=Decimal)
_TEMPLATE = b"{/"
"""No object begins so: it is within a text, such as a URI template (RFC 6570)."""
_SIBLINGS = (b"},{", b"}, {")
"""What ends an object and begins the next one, which nests no deeper. Within a text, it does not nest at all."""
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_MANY_DIGITS = b"0" * len(str(MAX_EMAX))
"""No number with fewer digits in a row is beyond what can be held exactly."""
_STEP = 4
_SOME_DIGITS = b"0" * (len(_MANY_DIGITS) // _STEP)
"""What is in each fourth byte of a text with many digits in a row."""
_SQUARE = bytes.maketrans(b"{}", b"[]")
_GZIP_WINDOW = 31
"""How zlib's parameter `wbits` names the format of gzip, with its largest window."""


def compile_decoder(
    envelopes: Sequence[Envelope], encoding: Encoding, fetch_at: int | None = None
) -> Decoder:
    """Return the decoder of a queue; the envelope at `fetch_at` gets the object that was fetched for a record."""
    if not envelopes and encoding == "json":
        return decode_plain
    unpack = UNPACK[encoding]
    outer = envelopes[:fetch_at]
    inner = () if fetch_at is None else envelopes[fetch_at:]

    def decode(record: Record) -> Unwrapped:
        payload, attributes = unwrap(outer, record.body, read_attributes(record.message_attributes))
        if record.fetched is not None:
            payload = as_text(record.fetched)
        payload, attributes = unwrap(inner, payload, attributes)
        return decode_payload(unpack(payload)), attributes

    return decode


def unwrap(envelopes: Sequence[Envelope], payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """Return the payload inside of envelopes, unwrapped in order; raises Rejection, or what a plugin's code raises."""
    for envelope in envelopes:
        # Each layer is bounded, since each envelope decodes its payload.
        if isinstance(payload, str | bytes):
            bound_nesting(payload)
            bound_memory(payload)
        try:
            payload, attributes = envelope(payload, attributes)
        except Reject as signal:
            raise Rejection(BAD_ENVELOPE, signal.reason) from None
    return payload, attributes


def decode_payload(payload: Any) -> Any:
    """Return the JSON value of text or bytes; any other value is decoded already. Raises Rejection."""
    if isinstance(payload, str | bytes):
        bound_nesting(payload)
        bound_memory(payload)
        return decode_json(payload)
    return payload


def decode_json(text: str | bytes) -> Any:
    """Return the JSON value of a text, numbers as int or Decimal; raises Rejection."""
    try:
        return JSON.decode(text)
    except msgspec.ValidationError:
        raise Rejection(OUT_OF_BOUNDS, "a number has too many digits to be held exactly") from None
    except DecimalException:
        raise Rejection(OUT_OF_BOUNDS, "a number is beyond what can be held exactly") from None
    except (msgspec.DecodeError, UnicodeError):
        raise Rejection(
            NOT_JSON, "the payload is not JSON" if text else "the payload is empty"
        ) from None


def bound_nesting(text: str | bytes) -> None:
    """Raise Rejection if brackets nest deeper than MAX_NESTING, without a loop in Python over the characters."""
    data = _utf8(text)
    # `count` looks at each character; `replace` copies most of a text at the speed of memory.
    openers = 2 * len(data) - len(data.replace(b"{", b"")) - len(data.replace(b"[", b""))
    if openers <= MAX_NESTING:
        return
    templates = data.count(_TEMPLATE)
    openers -= templates
    if openers <= MAX_NESTING:
        return
    # They are removed, so that no bracket of theirs is subtracted once more below.
    plain = data.replace(_TEMPLATE, b"") if templates else data
    for siblings in _SIBLINGS:
        openers -= plain.count(siblings)
    if openers <= MAX_NESTING:
        return
    # Escapes are removed first: without the characters between, the backslash of a "\n" would escape the closing quote.
    # With all brackets alike, each round removes one level; the decoder refuses JSON whose brackets do not match.
    marks = (
        data.replace(b"\\\\", b"")
        .replace(b'\\"', b"")
        .translate(_SQUARE, _NO_STRUCTURE)
        .replace(b'""', b"")
    )
    # Every second piece is inside a string, where brackets do not count.
    brackets = b"".join(marks.split(b'"')[::2])
    for _ in range(MAX_NESTING):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets.strip(b"]"):
        raise Rejection(
            OUT_OF_BOUNDS, f"nested deeper than {MAX_NESTING}, or brackets that do not close"
        )


def bound_skipped(text: str | bytes) -> None:
    """Raise Rejection for a text in which msgspec may skip what `decode_json` refuses.

    It skips with all checks but those of numbers.
    """
    data = _utf8(text)
    bound_nesting(data)
    # Nearly always, a look at some of the bytes is enough.
    may_have_many = _SOME_DIGITS in data[::_STEP].translate(_DIGITS)
    if may_have_many and _MANY_DIGITS in data.translate(_DIGITS):
        raise Rejection(OUT_OF_BOUNDS, "a number may have too many digits to be held exactly")


def bound_memory(text: str | bytes) -> None:
    """Raise Rejection if the values of a JSON text may take more than MAX_DECODED_BYTES of memory.

    A text of MAX_BODY_BYTES takes less, whatever is in it.
    """
    if len(text) <= MAX_BODY_BYTES:
        return
    data = _utf8(text)
    left = MAX_DECODED_BYTES - len(data)
    if _memory(data) > left:
        # Count again without strings, whose commas and brackets are text.
        marks = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        if _memory(b"".join(marks.split(b'"')[::2])) > left:
            raise Rejection(
                OUT_OF_BOUNDS, f"its values may take more than {MAX_DECODED_BYTES} bytes of memory"
            )


def _utf8(text: str | bytes) -> bytes:
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError:
        raise Rejection(NOT_JSON, "the payload is not JSON") from None


def _memory(data: bytes) -> int:
    """Return the most bytes of memory that the values of JSON text can take, besides its own length."""
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    return values * _VALUE_BYTES + data.count(b":") * _ENTRY_BYTES


def read_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sender's message attributes as str, as Decimal or int (Number), or as bytes (Binary)."""
    values: dict[str, Any] = {}
    for name, attribute in attributes.items():
        if "BinaryValue" in attribute:
            values[name] = attribute["BinaryValue"]
            continue
        text = attribute.get("StringValue", "")
        is_number = attribute.get("DataType", "").startswith("Number")
        values[name] = _read_number(text) if is_number else text
    return values


def _read_number(text: str) -> Any:
    try:
        number = JSON.decode(text)
    except (msgspec.DecodeError, DecimalException, UnicodeError, RecursionError):
        return text
    return number if type(number) in (int, Decimal) else text


def decode_plain(record: Record) -> Unwrapped:
    """Return the JSON value of a body without envelopes, and the message attributes; raises Rejection."""
    body = record.body
    # Without the calls of `bound_nesting`: most messages are short, and need no more.
    if len(body) > SHORT or body.count("{") + body.count("[") > MAX_NESTING:
        bound_nesting(body)
    if record.message_attributes:
        return decode_json(body), read_attributes(record.message_attributes)
    return decode_json(body), {}


def as_text(data: bytes) -> str | bytes:
    """Return a fetched object as text, as a body would be, so that base64 is decoded; binary data unchanged."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _unpack_base64(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    if not isinstance(payload, str):
        raise Rejection(BAD_ENVELOPE, "the payload is no base64 text")
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise Rejection(BAD_ENVELOPE, "the payload is no base64 text") from None


def _unpack_gzip(payload: Any) -> bytes:
    import zlib  # only queues whose payloads are compressed need it

    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        data = unpacker.decompress(_unpack_base64(payload), MAX_UNPACKED_BYTES)
    except zlib.error:
        raise Rejection(BAD_ENVELOPE, "the payload is no gzip data") from None
    if unpacker.unconsumed_tail:
        raise Rejection(
            OUT_OF_BOUNDS, f"the payload unpacks to more than {MAX_UNPACKED_BYTES} bytes"
        )
    if unpacker.unused_data:
        raise Rejection(
            BAD_ENVELOPE,
            "the payload has more than one member of gzip data, or something behind it",
        )
    if not unpacker.eof:
        raise Rejection(BAD_ENVELOPE, "the payload is no complete gzip data")
    return data


def _pack_gzip(data: bytes) -> str:
    import zlib

    return base64.b64encode(zlib.compress(data, wbits=_GZIP_WINDOW)).decode()


UNPACK: dict[Encoding, Callable[[Any], Any]] = {
    "json": lambda payload: payload,
    "base64": _unpack_base64,
    "base64+gzip": _unpack_gzip,
}
PACK: dict[Encoding, Callable[[bytes], str]] = {
    "json": bytes.decode,
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64+gzip": _pack_gzip,
}
"""The inverse of UNPACK, for JSON text."""


class Pointer(Struct, frozen=True):
    """The object in S3 that holds a payload."""

    bucket: str
    key: str


class PointerFinder(Struct, frozen=True):
    """Finds the pointer of a record inside of the `outer` envelopes; only the `buckets` are allowed.

    `max_bytes` is the size of the largest object that is fetched.
    """

    outer: tuple[Envelope, ...]
    buckets: frozenset[str]
    max_bytes: int

    def find(self, record: Record) -> Pointer | None:
        """Return the pointer, or None if the payload is none; raises Rejection if it is malformed or not allowed."""
        try:
            payload, _ = unwrap(self.outer, record.body, read_attributes(record.message_attributes))
            if isinstance(payload, str) and _MARK not in payload:
                return None
            payload = decode_payload(payload)
        except Exception:  # decoding calls the same envelope, and handles what it raises
            return None
        if not (isinstance(payload, list) and payload and payload[0] in CLASSES):
            return None
        return self._read(payload)

    def _read(self, payload: list[Any]) -> Pointer:
        place = payload[1] if len(payload) == 2 else None
        if not isinstance(place, dict):
            place = {}
        bucket, key = place.get("s3BucketName"), place.get("s3Key")
        if not isinstance(bucket, str) or not isinstance(key, str):
            raise Rejection(BAD_POINTER, "the pointer to S3 has no s3BucketName and s3Key")
        if bucket not in self.buckets:
            raise Rejection(
                BAD_POINTER,
                "the pointer names a bucket that is not one of 'buckets' of 's3_pointer'",
            )
        if not _is_key(key):
            raise Rejection(
                BAD_POINTER, "the pointer has no valid key, or one with a path segment '.' or '..'"
            )
        return Pointer(bucket, key)


def _is_key(key: str) -> bool:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return False
    # Software that normalizes paths would take the dots as a step up, perhaps into another bucket.
    return 0 < size <= MAX_KEY_BYTES and not {".", ".."} & set(key.split("/"))
