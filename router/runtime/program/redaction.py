"""Masks values of messages before they reach a dead letter, a log line or a person.

A mask is the text `redacted:TYPE:HEX`: the JSON type of the value, and 128 bits of the HMAC-SHA-256 of its canonical
JSON, in hex. Equal values have equal masks wherever the key is the same. That of a body which cannot be searched is
`redacted:body:BYTES:HEX`. A null is not masked.
"""

import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from router import codes
from router.errors import Rejection
from router.model import Item, Outcome, Record
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
from router.runtime.engine.identity import ATTRIBUTE
from router.runtime.envelopes import EnvelopeFormat
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
"""Characters of a key; the values that a shorter one masks could be found by trying keys."""
_BYTES = 16
_MASK = re.compile(
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
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class RedactedPath(Struct, frozen=True):
    """A path of `redact`, and its steps."""

    text: str
    steps: Steps

    def places(self, root: list[Any]) -> list[Place]:
        """Return where the values at the path are in a message, which is the one element of `root`."""
        return list(_places(root, 0, self.steps))


def _places(holder: Any, key: Any, steps: Steps) -> Iterator[Place]:
    """Yield the places of the values at a path.

    A rejected message may have another form than its path says: a list is looked into at any step, and a value that
    is no object where the path goes on cannot be searched, so that it is one of the values.
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


def is_mask(value: Any) -> bool:
    """Return whether a value is a mask."""
    return (
        isinstance(value, str) and value.startswith("redacted:") and _MASK.match(value) is not None
    )


class Masker(Struct, frozen=True):
    """Masks values with a key."""

    key: bytes

    def mask(self, value: Any) -> Any:
        """Return the mask of a value; a null and a mask stay what they are."""
        if value is None or is_mask(value):
            return value
        if isinstance(value, bytes):
            return f"redacted:binary:{self._digest(value)}"
        kind = kind_of(value) or "object"
        if kind == "number" and value == Decimal(value).to_integral_value():
            kind = "integer"
        try:
            text = canonical_json(value)
        except (
            ValueError
        ):  # a number out of DynamoDB's range is equal to one in the same notation only
            text = encode(value)
        return f"redacted:{kind}:{self._digest(text.encode())}"

    def mask_body(self, body: str) -> str:
        """Return the mask of a body as a whole."""
        data = body.encode(errors="surrogatepass")
        return body if is_mask(body) else f"redacted:body:{len(data)}:{self._digest(data)}"

    def mask_item(self, item: Item, names: frozenset[str] | None) -> Item:
        """Return an item with masks for the attributes of these names; for all with None."""
        return {
            name: self._mask_stored(value) if names is None or name in names else value
            for name, value in item.items()
        }

    def _mask_stored(self, value: Any) -> Any:
        return self.mask(sorted(value) if isinstance(value, set | frozenset) else value)

    def _digest(self, data: bytes) -> str:
        return hmac.digest(self.key, data, "sha256")[:_BYTES].hex()


class Redaction(Struct, frozen=True):
    """Masks what the `redact` of a queue names: values at paths, and message attributes.

    `layers` are the envelopes, all of which have a `replace` or a `wrap`; `fetch_at` is the index of the pointer to S3
    among them. `own_reasons` is whether an envelope of a plugin may refuse a message, with a reason of its own.
    """

    masker: Masker
    paths: tuple[RedactedPath, ...]
    attributes: frozenset[str]
    layers: tuple[EnvelopeFormat, ...]
    encoding: Encoding
    fetch_at: int | None
    own_reasons: bool = False

    @property
    def names(self) -> frozenset[str]:
        """All that is redacted, as dead letters name it."""
        paths = {path.text for path in self.paths}
        return frozenset(
            {WHOLE, *paths, *map(attribute_path, self.attributes), *map(metadata_path, IDENTITY)}
        )

    def redact(self, record: Record, *, whole: bool = False) -> tuple[Record, tuple[str, ...]]:
        """Return a record with masks, and what is masked in it.

        A body that cannot be searched is masked as a whole, and with `whole` each body is. The ids that the sender
        chose are masked if they have a part of a redacted value.
        """
        found: dict[str, None] = {}
        identity = {key: self._mask_identity(name, record, found) for name, key in IDENTITY.items()}
        attributes = {
            name: self._mask_attribute(name, each, found)
            for name, each in record.message_attributes.items()
        }
        body = None
        if not whole:
            try:
                body = self._rewrap(0, record.body, found)
            except Exception:  # the code of a plugin may raise anything
                body = None
        if body is None:
            found[WHOLE] = None
            body = self.masker.mask_body(record.body)
        system = {**record.attributes, **{key: value for key, value in identity.items() if value}}
        redacted = structs.replace(
            record, body=body, attributes=system, message_attributes=attributes, fetched=None
        )
        return redacted, tuple(found)

    def redact_all(self, record: Record) -> Record:
        """Return a record whose body and message attributes are masks, but for the attribute of the router."""
        attributes = {
            name: each if name == ATTRIBUTE else self._masked_attribute(each)
            for name, each in record.message_attributes.items()
        }
        body = self.masker.mask_body(record.body)
        chosen = {
            key: record.attributes[key] for key in IDENTITY.values() if key in record.attributes
        }
        system = {
            **record.attributes,
            **{key: self.masker.mask(value) for key, value in chosen.items()},
        }
        return structs.replace(
            record, body=body, attributes=system, message_attributes=attributes, fetched=None
        )

    def mask_shared(self, record: Record, text: str) -> str:
        """Return a text, or its mask if it may have a part of a redacted value of a record."""
        return str(self.masker.mask(text)) if text and self.shares(record, text) else text

    def masked_paths(self, root: list[Any]) -> dict[str, list[Place]]:
        """Return the places of the masks in a decoded message, which is the one element of `root`, by path."""
        found = {}
        for path in self.paths:
            masks = [(holder, key) for holder, key in path.places(root) if is_mask(holder[key])]
            if masks:
                found[path.text] = masks
        return found

    def hide(self, record: Record, outcome: Outcome) -> Outcome:
        """Return an outcome whose reason contains no part of a redacted value."""
        if outcome.code in _NOT_DECODED and is_mask(record.body):
            return Outcome(
                "rejected", codes.REDACTED.id, "its body is redacted in this dead letter"
            )
        if outcome.code == codes.BAD_ENVELOPE.id and self.own_reasons:
            return structs.replace(outcome, reason=_NOT_SHOWN)
        if outcome.code in _FROM_PLUGINS and self.shares(record, outcome.reason):
            return structs.replace(outcome, reason=_NOT_SHOWN)
        return outcome

    def shares(self, record: Record, reason: str) -> bool:
        """Return whether a text may contain a part of a redacted value of a record, in any form of its characters."""
        try:
            values = [text for text in self._texts(record) if text]
        except Exception:  # what cannot be searched may have it anywhere
            return True
        if len(reason) > _MAX_REASON:
            return bool(values)
        readings = readings_of(reason)
        return any(reveals(text, value) for value in values for text in readings)

    def _texts(self, record: Record) -> Iterator[str]:
        """Yield the redacted values of a record as text."""
        places: list[Place] = []
        given = record.message_attributes
        carried: list[Any] = [content_of(given[name]) for name in self.attributes & given.keys()]

        def note(name: str, value: Any) -> Any:
            if name in self.attributes:
                carried.append(value)
            return value

        root = [self._decode(record, note)]
        for path in self.paths:
            places += path.places(root)
        for value in (*carried, *(holder[key] for holder, key in places)):
            yield from _scalars(value)

    def _decode(self, record: Record, note: Callable[[str, Any], Any]) -> Any:
        payload: Any = record.body
        for index, envelope in enumerate(self.layers):
            if index == self.fetch_at and record.fetched is not None:
                payload = as_text(record.fetched)
            _bound(payload)
            inner, attributes = envelope.unwrap(payload, {})
            for name, value in attributes.items():
                note(name, value)
            payload = inner
        return decode_payload(UNPACK[self.encoding](payload))

    def _rewrap(self, depth: int, payload: Any, found: dict[str, None]) -> str:
        """Return the text of a payload with masks, in the envelopes that it came in."""
        if depth == self.fetch_at and (pointer := _pointer(payload)):
            return pointer
        if depth == len(self.layers):
            data = self._mask_data(decode_payload(UNPACK[self.encoding](payload)), found)
            return PACK[self.encoding](encode(data).encode())
        _bound(payload)
        envelope = self.layers[depth]
        inner, _ = envelope.unwrap(payload, {})
        text = self._rewrap(depth + 1, inner, found)
        if envelope.replace is None:
            assert envelope.wrap is not None  # the config has no other
            return envelope.wrap(text)

        def replaced(name: str, value: Any) -> Any:
            return self._mask_carried(name, value, found)

        return envelope.replace(payload, text, replaced)

    def _mask_data(self, data: Any, found: dict[str, None]) -> Any:
        root = [data]
        for path in self.paths:
            for holder, key in path.places(root):
                holder[key] = self.masker.mask(holder[key])
                found[path.text] = None
        return root[0]

    def _mask_identity(self, name: str, record: Record, found: dict[str, None]) -> str:
        given = record.attributes.get(IDENTITY[name], "")
        masked = self.mask_shared(record, given)
        if masked != given:
            found[metadata_path(name)] = None
        return masked

    def _mask_carried(self, name: str, value: Any, found: dict[str, None]) -> Any:
        if name not in self.attributes or value is None:
            return value
        found[attribute_path(name)] = None
        return self.masker.mask(value)

    def _mask_attribute(
        self, name: str, attribute: Mapping[str, Any], found: dict[str, None]
    ) -> Mapping[str, Any]:
        if name not in self.attributes:
            return attribute
        found[attribute_path(name)] = None
        return self._masked_attribute(attribute)

    def _masked_attribute(self, attribute: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"DataType": "String", "StringValue": self.masker.mask(content_of(attribute))}


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


def encode(data: Any) -> str:
    """Return JSON text; numbers are exact."""
    return _ENCODER.encode(data).decode()


def _bound(payload: Any) -> None:
    if isinstance(payload, str | bytes):
        bound_nesting(payload)
        bound_memory(payload)


def _pointer(payload: Any) -> str:
    """Return the text of a pointer to S3, with nothing else in it; "" for another payload."""
    try:
        data = decode_payload(payload)
    except Rejection:
        return ""
    match data:
        case [name, {"s3BucketName": str(bucket), "s3Key": str(key)}] if name in CLASSES:
            return encode([name, {"s3BucketName": bucket, "s3Key": key}])
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
