"""Envelopes around messages, one module each.

A module of this package defines `ENVELOPE`: how the envelope is unwrapped, and how `router test` and `router demo` wrap
a message in it. Modules are found by their presence.
"""

import base64
from collections.abc import Callable, Mapping
from decimal import DecimalException
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from router.errors import Reject
from router.model import Envelope, Replace, Wrap
from router.runtime.conversions import JSON_DECODER, JSON_ENCODER, decode_json
from router.runtime.discovery import import_modules

SAMPLE_ID = "11111111-2222-4333-8444-555555555555"
"""The id in an envelope that wraps a test message, and the id of that message."""


class EnvelopeFormat(Struct, frozen=True):
    """An envelope: its name in the config, and how a payload is unwrapped and wrapped. No facet has a default.

    `unwrap` takes the payload (text or binary at first, a decoded value after another envelope) and the attributes so
    far. It returns the payload inside and the attributes with its own added, where theirs do not exist already. It
    raises Reject, whose reason holds no value, for a payload that is not in this envelope. `wrap` takes the text of a
    payload and returns that of the envelope; it is None for an envelope of a plugin that registers no inverse.
    `replace` puts another payload into a given envelope, for `redact`; if it is None, that is done by `wrap`.
    `recognizes` tells whether a JSON object has the members of this envelope, for `router new`.
    """

    name: str
    unwrap: Envelope
    wrap: Wrap | None
    replace: Replace | None
    recognizes: Callable[[Mapping[str, Any]], bool]


def open_json(payload: Any, what: str) -> dict[str, Any]:
    """Return an envelope as a decoded object; raises Reject."""
    if isinstance(payload, (str, bytes)):
        try:
            payload = decode_json(payload)
        except ValueError as error:
            reject(what, str(error))
    if not isinstance(payload, dict):
        reject(what, "it is no JSON object")
    return payload


def decode_base64(text: Any, what: str, part: str) -> bytes:
    """Return the binary of Base64 text; raises Reject."""
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        reject(what, f"{part} is not Base64")


def reject(what: str, why: str) -> NoReturn:
    """Raise Reject for a payload that is not `what`."""
    raise Reject(f"the payload is not {what}: {why}") from None


def to_json(data: Any) -> str:
    """Return JSON text; numbers are exact."""
    return JSON_ENCODER.encode(data).decode()


def embed(payload: str) -> Any:
    """Return the value that stands for the text of a payload inside JSON: an object or a list, or else the text.

    An envelope gives both the same payload, because text inside it is decoded as JSON.
    """
    try:
        value = JSON_DECODER.decode(payload)
    except (msgspec.DecodeError, DecimalException):
        return payload
    return value if isinstance(value, list | dict) else payload


ENVELOPES: Mapping[str, EnvelopeFormat] = {
    module.ENVELOPE.name: module.ENVELOPE for module in import_modules(__name__, __path__)
}
"""Every built-in envelope by its name."""
