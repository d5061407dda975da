"""The envelope `cloudevents`: CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec)."""

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from router.model import Unwrapped
from router.runtime.envelopes import (
    SAMPLE_ID,
    EnvelopeFormat,
    decode_base64,
    embed,
    open_json,
    reject,
    to_json,
)

_DATA = ("data", "data_base64")


def unwrap(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """A CloudEvents 1.0 event in structured JSON: the payload is its `data`, or the binary of its `data_base64`.

    An event without data, which the specification allows, has the payload `null`. All its other members become
    attributes: `cloudevents.type` and so on.
    """
    event = open_json(payload, "a CloudEvents event")
    if event.get("specversion") != "1.0":
        reject("a CloudEvents event", "its specversion is not 1.0")
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            reject("a CloudEvents event", f"it has no {name} text")
    # A member that is not set may be null: cloudevents/formats/json-format.md, section 2.2.
    data = event.get("data")
    encoded = event.get("data_base64")
    if encoded is not None:
        if data is not None:
            reject("a CloudEvents event", "it has both data and data_base64")
        data = decode_base64(encoded, "a CloudEvents event", "data_base64")
    carried = {
        f"cloudevents.{name}": value
        for name, value in event.items()
        if name not in _DATA and isinstance(value, (str, int, Decimal))
    }
    return data, {**carried, **attributes}


def wrap(payload: str) -> str:
    """Return the text of an event with a payload."""
    return to_json(
        {
            "specversion": "1.0",
            "id": SAMPLE_ID,
            "source": "/test",
            "type": "test",
            "data": embed(payload),
        }
    )


def replace(payload: Any, text: str, replaced: Callable[[str, Any], Any]) -> str:
    """Return the text of an event with another payload, as binary where it was binary."""
    event = open_json(payload, "a CloudEvents event")
    carried = {
        name: replaced(f"cloudevents.{name}", value)
        for name, value in event.items()
        if name not in _DATA
    }
    binary = event.get("data_base64") is not None
    data = (
        {"data_base64": base64.b64encode(text.encode()).decode()}
        if binary
        else {"data": embed(text)}
    )
    return to_json({**carried, **data})


def recognizes(value: Mapping[str, Any]) -> bool:
    """Return whether an object is an event."""
    return value.get("specversion") == "1.0"


ENVELOPE = EnvelopeFormat("cloudevents", unwrap, wrap, replace, recognizes)
