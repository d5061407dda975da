"""Puts a message into the body that its queue would hold: encoding, then envelopes."""

import base64
import gzip
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Any

import msgspec

from router.config import spec

MESSAGE_ID = "11111111-2222-4333-8444-555555555555"
"""The id of a message in a test."""

_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_JSON = msgspec.json.Encoder(decimal_format="number")


def make_body(message: Any, queue: spec.Queue) -> str:
    """The body that a queue would hold for a message: encoded, then put into its envelopes, the innermost first."""
    return wrap_text(_JSON.encode(message).decode(), queue)


def wrap_text(text: str, queue: spec.Queue) -> str:
    """The body that a queue would hold for a message that is JSON text already (or is meant to be)."""
    payload = _ENCODE[queue.encoding](text.encode())
    for envelope in reversed(queue.envelope):
        wrap = _WRAP.get(envelope)
        payload = wrap(payload, queue.encoding == "json") if wrap else payload
    return payload


def _sns(payload: str, is_json: bool) -> str:
    return _JSON.encode(
        {
            "Type": "Notification",
            "MessageId": MESSAGE_ID,
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic",
            "Message": payload,
            "Timestamp": "2026-01-02T03:04:05.678Z",
        }
    ).decode()


def _eventbridge(payload: str, is_json: bool) -> str:
    event = {
        "version": "0",
        "id": MESSAGE_ID,
        "detail-type": "test",
        "source": "test",
        "account": "000000000000",
        "time": "2026-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": [],
        "detail": _embed(payload, is_json),
    }
    return _JSON.encode(event).decode()


def _cloudevents(payload: str, is_json: bool) -> str:
    event = {
        "specversion": "1.0",
        "id": MESSAGE_ID,
        "source": "/test",
        "type": "test",
        "data": _embed(payload, is_json),
    }
    return _JSON.encode(event).decode()


def _embed(payload: str, is_json: bool) -> Any:
    if not is_json:
        return payload
    try:
        value = _EXACT.decode(payload)
    except (msgspec.DecodeError, DecimalException):
        # What is no JSON cannot stand in JSON but as text.
        return payload
    # Text inside is read as JSON text.
    return payload if isinstance(value, str) else value


def _text(data: bytes) -> str:
    return data.decode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _gzip(data: bytes) -> str:
    return _base64(gzip.compress(data, mtime=0))


_ENCODE: Mapping[str, Callable[[bytes], str]] = {"json": _text, "base64": _base64, "base64+gzip": _gzip}
_WRAP: Mapping[str, Callable[[str, bool], str]] = {
    "sns": _sns,
    "eventbridge": _eventbridge,
    "cloudevents": _cloudevents,
}
