"""Masks values of messages before they reach a dead letter, a log line or a person.

A mask is the text `redacted:TYPE:HEX`: the JSON type of the value, and 128 bits of the
HMAC-SHA-256 of its canonical JSON, in hex. Equal values have equal masks wherever the
key is the same. The mask of a body that cannot be searched is
`redacted:body:BYTES:HEX`. A null is not masked.
"""

import hmac
import re
from collections.abc import Iterator, Mapping
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
"""Characters of a key.

The values that a shorter one masks could be found by trying keys.
"""
_BYTES = 16
_MASK = re.compile(
    r"redacted:(string|integer|number|boolean|array|object|binary|body:\d{1,9}):[0-9a-f]{32}\Z"
)
_FROM_PLUGINS = frozenset(
    code.id
    for code in (codes.PLUGIN_REJECTED, codes.PLUGIN_RETRY, codes.DROPPED)
)
"""The codes of reasons that a plugin may have written."""
_NOT_DECODED = frozenset(
    code.id
    for code in (codes.NOT_JSON, codes.BAD_ENVELOPE, codes.PLUGIN_FAILED)
)
_NOT_SHOWN = (
    "a plugin's reason, which is not shown: it may have a redacted value in it"
)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class RedactedPath(Struct, frozen=True):
    """A path of `redact`, and its steps."""

    text: str
    steps: Steps

    def places(self, root: list[Any]) -> list[Place]:
        """Return where the values at the path are in the one message in `root`."""
        return list(_places(root, 0, self.steps))


def _places(holder: Any, key: Any, steps: Steps) -> Iterator[Place]:
    """Yield the places of the values at a path.

    A rejected message may have another form than its path says. So each step may lead
    through a list. A value that is no object where the path goes on cannot be searched:
    it counts as one of the values.
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
        names = value if steps[0] == EVERY else (steps[0],)
        for name in names:
            if name in value:
                yield from _places(value, name, steps[1:])
    else:
        yield holder, key


def is_mask(value: Any) -> bool:
    """Return whether a value is a mask."""
    if not isinstance(value, str) or not value.startswith("redacted:"):
        return False
    return _MASK.match(value) is not None


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
        except ValueError:
            # A number out of DynamoDB's range has no canonical text: it is equal to one
            # in the same notation only.
            text = encode(value)
        return f"redacted:{kind}:{self._digest(text.encode())}"

    def mask_body(self, body: str) -> str:
        """Return the mask of a body as a whole."""
        if is_mask(body):
            return body
        data = body.encode(errors="surrogatepass")
        return f"redacted:body:{len(data)}:{self._digest(data)}"

    def mask_item(self, item: Item, names: frozenset[str] | None) -> Item:
        """Return an item with masks for the attributes of these names, or for all."""
        masked = dict(item)
        for name in item if names is None else names & item.keys():
            value = item[name]
            if isinstance(value, set | frozenset):
                value = sorted(value)
            masked[name] = self.mask(value)
        return masked

    def _digest(self, data: bytes) -> str:
        return hmac.digest(self.key, data, "sha256")[:_BYTES].hex()


class Redaction(Struct, frozen=True):
    """Masks what the `redact` of a queue names.

    It names values at `paths`, and message attributes. `layers` are the envelopes, all
    of which have a `replace` or a `wrap`; `fetch_at` is the index of the pointer to S3
    among them. `own_reasons` is whether an envelope of a plugin may refuse a message,
    with a reason of its own.
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
        names = {WHOLE}
        names.update(path.text for path in self.paths)
        names.update(map(attribute_path, self.attributes))
        names.update(map(metadata_path, IDENTITY))
        return frozenset(names)

    def redact(
        self, record: Record, *, whole: bool = False
    ) -> tuple[Record, tuple[str, ...]]:
        """Return a record with masks, and the names of what is masked in it.

        A body that cannot be searched is masked as a whole. With `whole`, each body is.
        The ids that the sender chose are masked if they may have a part of a redacted
        value.
        """
        # Names in the order in which they are found, each once.
        found: dict[str, None] = {}
        identity = self._mask_identity(record, found)
        attributes = dict(record.message_attributes)
        for name, attribute in record.message_attributes.items():
            if name in self.attributes:
                found[attribute_path(name)] = None
                attributes[name] = self._masked_attribute(attribute)
        body = None if whole else self._mask_inside(record.body, found)
        if body is None:
            found[WHOLE] = None
            body = self.masker.mask_body(record.body)
        return _with_masks(record, body, identity, attributes), tuple(found)

    def redact_all(self, record: Record) -> Record:
        """Return a record whose body, ids and message attributes are masks.

        The attribute of the router is left as it is.
        """
        attributes = dict(record.message_attributes)
        for name, attribute in record.message_attributes.items():
            if name != ATTRIBUTE:
                attributes[name] = self._masked_attribute(attribute)
        identity = {
            key: self.masker.mask(record.attributes[key])
            for key in IDENTITY.values()
            if key in record.attributes
        }
        body = self.masker.mask_body(record.body)
        return _with_masks(record, body, identity, attributes)

    def mask_shared(self, record: Record, text: str) -> str:
        """Return the mask of a text that may have a part of a redacted value.

        Another text is returned as it is.
        """
        if text and self.shares(record, text):
            return str(self.masker.mask(text))
        return text

    def masked_paths(self, root: list[Any]) -> dict[str, list[Place]]:
        """Return the places of the masks in the one message in `root`, by path."""
        found = {}
        for path in self.paths:
            places = path.places(root)
            masks = [
                (holder, key) for holder, key in places if is_mask(holder[key])
            ]
            if masks:
                found[path.text] = masks
        return found

    def hide(self, record: Record, outcome: Outcome) -> Outcome:
        """Return an outcome whose reason contains no part of a redacted value."""
        if outcome.code in _NOT_DECODED and is_mask(record.body):
            reason = "its body is redacted in this dead letter"
            return Outcome("rejected", codes.REDACTED.id, reason)
        if outcome.code == codes.BAD_ENVELOPE.id and self.own_reasons:
            return structs.replace(outcome, reason=_NOT_SHOWN)
        if outcome.code in _FROM_PLUGINS and self.shares(
            record, outcome.reason
        ):
            return structs.replace(outcome, reason=_NOT_SHOWN)
        return outcome

    def shares(self, record: Record, reason: str) -> bool:
        """Whether a text may have a part of a redacted value of a record in it."""
        # Most messages do without the module: only dead letters need it.
        from router.runtime.program.overlap import reveals

        try:
            return reveals(reason, self._values(record))
        except Exception:
            # What cannot be searched may have it anywhere. A plugin may raise anything.
            return True

    def _values(self, record: Record) -> list[Any]:
        """Return the redacted values of a record."""
        given = record.message_attributes
        values: list[Any] = [
            content_of(given[name]) for name in self.attributes & given.keys()
        ]
        data, carried = self._decode(record)
        values += [value for name, value in carried if name in self.attributes]
        for path in self.paths:
            values += [holder[key] for holder, key in path.places([data])]
        return values

    def _decode(self, record: Record) -> tuple[Any, list[tuple[str, Any]]]:
        """Return the data of a record, and the attributes that its envelopes carry."""
        carried: list[tuple[str, Any]] = []
        payload: Any = record.body
        for index, envelope in enumerate(self.layers):
            if index == self.fetch_at and record.fetched is not None:
                payload = as_text(record.fetched)
            _bound(payload)
            payload, attributes = envelope.unwrap(payload, {})
            carried += attributes.items()
        return decode_payload(UNPACK[self.encoding](payload)), carried

    def _mask_inside(self, body: str, found: dict[str, None]) -> str | None:
        """Return a body with masks in it; None if it cannot be searched."""
        try:
            return self._rewrap(0, body, found)
        except Exception:
            # The code of a plugin may raise anything.
            return None

    def _rewrap(self, depth: int, payload: Any, found: dict[str, None]) -> str:
        """Return the text of a payload with masks, in the envelopes that it came in."""
        if depth == self.fetch_at:
            pointer = _pointer(payload)
            if pointer:
                return pointer
        if depth == len(self.layers):
            data = decode_payload(UNPACK[self.encoding](payload))
            masked = self._mask_data(data, found)
            return PACK[self.encoding](encode(masked).encode())
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

    def _mask_identity(
        self, record: Record, found: dict[str, None]
    ) -> dict[str, str]:
        """Return the ids that the sender chose, masked if they may reveal a value."""
        identity = {}
        for name, key in IDENTITY.items():
            given = record.attributes.get(key, "")
            masked = self.mask_shared(record, given)
            if masked != given:
                found[metadata_path(name)] = None
            if masked:
                identity[key] = masked
        return identity

    def _mask_carried(
        self, name: str, value: Any, found: dict[str, None]
    ) -> Any:
        if name not in self.attributes or value is None:
            return value
        found[attribute_path(name)] = None
        return self.masker.mask(value)

    def _masked_attribute(
        self, attribute: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        mask = self.masker.mask(content_of(attribute))
        return {"DataType": "String", "StringValue": mask}


def _with_masks(
    record: Record,
    body: str,
    identity: Mapping[str, str],
    attributes: Mapping[str, Mapping[str, Any]],
) -> Record:
    return structs.replace(
        record,
        body=body,
        attributes={**record.attributes, **identity},
        message_attributes=attributes,
        fetched=None,
    )


def content_of(attribute: Mapping[str, Any]) -> str | bytes:
    """Return the value of a message attribute."""
    key = "BinaryValue" if "BinaryValue" in attribute else "StringValue"
    value: str | bytes = attribute.get(key, "")
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
    """Return the text of a pointer to S3, with nothing else in it.

    "" for another payload.
    """
    try:
        data = decode_payload(payload)
    except Rejection:
        return ""
    match data:
        case [name, {"s3BucketName": str(bucket), "s3Key": str(key)}] if (
            name in CLASSES
        ):
            return encode([name, {"s3BucketName": bucket, "s3Key": key}])
    return ""
