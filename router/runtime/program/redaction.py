"""Redacts what `redact` of a queue names, before it reaches a dead letter, a log line or
a person.

A redacted value is replaced by the text `redacted:TYPE:HEX`: the JSON type of the value,
and 128 bits of the HMAC-SHA-256 of its canonical JSON, in hex. Equal values are replaced
by equal texts wherever the key is the same. A body that cannot be searched is replaced by
`redacted:body:BYTES:HEX`. A null stays.
"""

import hmac
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct, structs

from router import codes
from router.errors import Rejection
from router.model import Outcome, Record
from router.runtime.engine.decode import (
    CLASSES,
    PACK,
    UNPACK,
    Encoding,
    as_text,
    bound_memory,
    bound_nesting,
    decode_payload,
)
from router.runtime.engine.identity import FailedMessage
from router.runtime.envelopes import EnvelopeFormat, to_json
from router.runtime.program.expressions import kind_of
from router.runtime.program.revealing import readings_of, reveals, texts_of
from router.runtime.sources.hash import canonical_json

EACH: Final = 0
"""The step `[*]` of a path: each element of a list."""
EVERY: Final = 1
"""The step `*` of a path: each value of an object."""
Steps = tuple[str | int, ...]
Place = tuple[Any, Any]
"""A list or an object, and the index or name of a value in it."""
WHOLE = "@"
"""The path of a message as a whole."""
IDENTITY: Mapping[str, str] = {
    "group_id": "MessageGroupId",
    "deduplication_id": "MessageDeduplicationId",
}
"""What a sender chooses of the identity of a message, by the names of its metadata."""
MIN_KEY = 16
"""Characters of a key. With a shorter one, values could be found by trying keys."""
_BYTES = 16
_REDACTED = re.compile(
    r"redacted:(string|integer|number|boolean|array|object|binary|body:\d{1,9}):[0-9a-f]{32}\Z"
)
_MAX_REASON = 1000
_FROM_PLUGINS = frozenset(
    code.id for code in (codes.PLUGIN_REJECTED, codes.PLUGIN_RETRY, codes.DROPPED)
)
"""The codes of reasons that a plugin may have written."""
_NOT_DECODED = frozenset(
    code.id for code in (codes.NOT_JSON, codes.BAD_ENVELOPE, codes.PLUGIN_FAILED)
)
_NOT_SHOWN = "a plugin's reason, which is not shown: it may have a redacted value in it"


class RedactedPath(Struct, frozen=True):
    """A path of `redact`, and its steps."""

    text: str
    steps: Steps

    def places(self, root: list[Any]) -> list[Place]:
        """Return the places of the values at the path in a message.

        The message is the one element of `root`.
        """
        return list(_places(root, 0, self.steps))


def _places(holder: Any, key: Any, steps: Steps) -> Iterator[Place]:
    """Yield the places of the values at a path.

    A rejected message may have another form than its path says. A list is looked into at
    any step. A value that is no object where the path goes on cannot be searched, so that
    it is one of the values.
    """
    value = holder[key]
    if value is None:
        return
    if not steps:
        yield holder, key
    elif isinstance(value, list):
        rest = steps[1:] if steps[0] == EACH else steps
        for index in range(len(value)):
            yield from _places(value, index, rest)
    elif isinstance(value, dict) and steps[0] != EACH:
        for name in value if steps[0] == EVERY else (steps[0],):
            if name in value:
                yield from _places(value, name, steps[1:])
    else:
        yield holder, key


def is_redacted(value: Any) -> bool:
    """Return whether a value is the text that replaces a redacted one."""
    return isinstance(value, str) and _REDACTED.match(value) is not None


class ValueRedactor(Struct, frozen=True):
    """Redacts values with a key."""

    key: bytes

    def redact(self, value: Any) -> Any:
        """Return what replaces a value. A null, and what is redacted, stay as they are."""
        if value is None or is_redacted(value):
            return value
        if isinstance(value, bytes):
            return f"redacted:binary:{self._digest(value)}"
        kind = kind_of(value) or "object"
        if kind == "number" and value == Decimal(value).to_integral_value():
            kind = "integer"
        try:
            text = canonical_json(value)
        except ValueError:
            # A number out of DynamoDB's range is equal to one in the same notation only.
            text = to_json(value)
        return f"redacted:{kind}:{self._digest(text.encode())}"

    def redact_body(self, body: str) -> str:
        """Return what replaces a body as a whole."""
        if is_redacted(body):
            return body
        data = body.encode(errors="surrogatepass")
        return f"redacted:body:{len(data)}:{self._digest(data)}"

    def redact_attribute(self, attribute: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a message attribute with its value redacted."""
        return {"DataType": "String", "StringValue": self.redact(content_of(attribute))}

    def _digest(self, data: bytes) -> str:
        return hmac.digest(self.key, data, "sha256")[:_BYTES].hex()


class Redacted(Struct, frozen=True):
    """What `redact` of a queue names: paths, and message attributes by name."""

    paths: tuple[RedactedPath, ...]
    attributes: frozenset[str]


class Redaction(Struct, frozen=True):
    """Redacts what `redact` of a queue names.

    `layers` are the envelopes, all of which have a `replace` or a `wrap`. `fetch_at` is
    the index of the pointer to S3 among them. `own_reasons` is whether an envelope of a
    plugin may refuse a message, with a reason of its own.
    """

    values: ValueRedactor
    redacted: Redacted
    layers: tuple[EnvelopeFormat, ...]
    encoding: Encoding
    fetch_at: int | None
    own_reasons: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All that is redacted, as dead letters name it."""
        paths = [path.text for path in self.redacted.paths]
        attributes = map(attribute_path, self.redacted.attributes)
        return frozenset((WHOLE, *paths, *attributes, *map(metadata_path, IDENTITY)))

    def redact(self, record: Record, *, whole: bool = False) -> tuple[Record, tuple[str, ...]]:
        """Return a redacted record, and the names of what is redacted in it.

        A body that cannot be searched is redacted as a whole, and with `whole` each body
        is. The ids that the sender chose are redacted if they have a part of a redacted
        value.
        """
        found: dict[str, None] = {}
        system = {**record.attributes}
        for name, key in IDENTITY.items():
            given = system.get(key, "")
            shown = self._redact_shared(record, given)
            if shown != given:
                system[key] = shown
                found[metadata_path(name)] = None
        attributes = {**record.message_attributes}
        for name, attribute in attributes.items():
            if name in self.redacted.attributes:
                attributes[name] = self.values.redact_attribute(attribute)
                found[attribute_path(name)] = None
        body = None if whole else self._searched(record.body, found)
        if body is None:
            body = self.values.redact_body(record.body)
            found[WHOLE] = None
        redacted = structs.replace(
            record, body=body, attributes=system, message_attributes=attributes, fetched=None
        )
        return redacted, tuple(found)

    def redact_failure(self, record: Record, failed: FailedMessage) -> FailedMessage:
        """Return a failure of a record with the ids redacted that may have a redacted value.

        A dead letter has them as they were if it was sent before its queue had `redact`.
        """
        return structs.replace(
            failed,
            group_id=self._redact_shared(record, failed.group_id),
            deduplication_id=self._redact_shared(record, failed.deduplication_id),
        )

    def redact_reason(self, record: Record, outcome: Outcome) -> Outcome:
        """Return an outcome whose reason contains no part of a redacted value."""
        if outcome.code in _NOT_DECODED and is_redacted(record.body):
            reason = "its body is redacted in this dead letter"
            return Outcome("rejected", codes.REDACTED.id, reason)
        is_own = outcome.code == codes.BAD_ENVELOPE.id and self.own_reasons
        if is_own or (outcome.code in _FROM_PLUGINS and self.shares(record, outcome.reason)):
            return structs.replace(outcome, reason=_NOT_SHOWN)
        return outcome

    def redacted_places(self, root: list[Any]) -> dict[str, list[Place]]:
        """Return the places in a decoded message at which a value is redacted, by path.

        The message is the one element of `root`.
        """
        found = {}
        for path in self.redacted.paths:
            places = [
                (holder, key) for holder, key in path.places(root) if is_redacted(holder[key])
            ]
            if places:
                found[path.text] = places
        return found

    def _redact_shared(self, record: Record, text: str) -> str:
        """Return a text, redacted if it may have a part of a redacted value of a record."""
        return str(self.values.redact(text)) if text and self.shares(record, text) else text

    def shares(self, record: Record, text: str) -> bool:
        """Return whether a text may have a part of a redacted value of a record.

        The part may be in any form of its characters.
        """
        try:
            values = [value for value in self._texts(record) if value]
        except Exception:
            # The code of a plugin may raise anything. What cannot be searched may have the
            # value anywhere.
            return True
        if len(text) > _MAX_REASON:
            return bool(values)
        readings = readings_of(text)
        return any(reveals(reading, value) for value in values for reading in readings)

    def _texts(self, record: Record) -> Iterator[str]:
        """Yield the redacted values of a record as text."""
        names = self.redacted.attributes
        given = record.message_attributes
        values: list[Any] = [content_of(given[name]) for name in names & given.keys()]
        payload: Any = record.body
        for index, envelope in enumerate(self.layers):
            if index == self.fetch_at and record.fetched is not None:
                payload = as_text(record.fetched)
            _bound(payload)
            payload, carried = envelope.unwrap(payload, {})
            values += [carried[name] for name in names & carried.keys()]
        root = [decode_payload(UNPACK[self.encoding](payload))]
        for path in self.redacted.paths:
            values += [holder[key] for holder, key in path.places(root)]
        for value in values:
            yield from _scalars(value)

    def _searched(self, body: str, found: dict[str, None]) -> str | None:
        """Return a redacted body; None if it cannot be searched."""
        try:
            return self._rewrap(0, body, found)
        except Exception:
            # The code of a plugin may raise anything.
            return None

    def _rewrap(self, depth: int, payload: Any, found: dict[str, None]) -> str:
        """Return the text of a redacted payload, in the envelopes that it came in."""
        if depth == self.fetch_at and (pointer := _pointer(payload)):
            return pointer
        if depth == len(self.layers):
            root = [decode_payload(UNPACK[self.encoding](payload))]
            for path in self.redacted.paths:
                for holder, key in path.places(root):
                    holder[key] = self.values.redact(holder[key])
                    found[path.text] = None
            return PACK[self.encoding](to_json(root[0]).encode())
        _bound(payload)
        envelope = self.layers[depth]
        inner, _ = envelope.unwrap(payload, {})
        text = self._rewrap(depth + 1, inner, found)
        if envelope.replace is None:
            assert envelope.wrap is not None  # the config has no other
            return envelope.wrap(text)

        def redacted(name: str, value: Any) -> Any:
            if name not in self.redacted.attributes or value is None:
                return value
            found[attribute_path(name)] = None
            return self.values.redact(value)

        return envelope.replace(payload, text, redacted)


def content_of(attribute: Mapping[str, Any]) -> str | bytes:
    """Return the value of a message attribute."""
    value: str | bytes = (
        attribute["BinaryValue"] if "BinaryValue" in attribute else attribute.get("StringValue", "")
    )
    return value


def attribute_path(name: str) -> str:
    """Return how a message attribute is named beside the paths."""
    return f"{{meta: attribute.{name}}}"


def metadata_path(name: str) -> str:
    """Return how metadata of a message is named beside the paths."""
    return f"{{meta: {name}}}"


def _bound(payload: Any) -> None:
    if isinstance(payload, str | bytes):
        bound_nesting(payload)
        bound_memory(payload)


def _pointer(payload: Any) -> str:
    """Return the text of a pointer to S3, with nothing else in it.

    "" for another payload.
    """
    try:
        data = decode_payload(payload)
    except Rejection:
        return ""
    match data:
        case [name, {"s3BucketName": str(bucket), "s3Key": str(key)}] if name in CLASSES:
            return to_json([name, {"s3BucketName": bucket, "s3Key": key}])
    return ""


def _scalars(value: Any) -> Iterator[str]:
    """Yield the text of each scalar in a value, and the names in its objects."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _scalars(each)
    elif isinstance(value, list):
        for each in value:
            yield from _scalars(each)
    elif isinstance(value, bytes):
        yield from texts_of(value)
    elif value is not None:
        yield value if isinstance(value, str) else canonical_json(value)
