"""The envelope `sns`: notifications that Amazon SNS sends to a queue."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from router.model import Unwrapped
from router.runtime.conversions import decode_json
from router.runtime.envelopes import (
    SAMPLE_ID,
    EnvelopeFormat,
    decode_base64,
    open_json,
    reject,
    to_json,
)


def unwrap(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """An SNS notification, of a subscription without raw message delivery: the payload is its `Message` text.

    Its `MessageAttributes` become attributes by their names: String as text, Number as an exact number, Binary as
    bytes, String.Array as a list.
    """
    notification = open_json(payload, "an SNS notification")
    if notification.get("Type") != "Notification":
        reject(
            "an SNS notification",
            "its Type is not Notification; with raw delivery there is no envelope",
        )
    message = notification.get("Message")
    if not isinstance(message, str):
        reject("an SNS notification", "it has no Message text")
    carried = notification.get("MessageAttributes", {})
    if not isinstance(carried, dict):
        reject("an SNS notification", "its MessageAttributes are no object")
    return message, {**{name: _attribute(value) for name, value in carried.items()}, **attributes}


def wrap(payload: str) -> str:
    """Return the text of a notification with a payload."""
    return to_json(
        {
            "Type": "Notification",
            "MessageId": SAMPLE_ID,
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:topic",
            "Message": payload,
            "Timestamp": "2026-01-02T03:04:05.678Z",
        }
    )


def replace(payload: Any, text: str, replaced: Callable[[str, Any], Any]) -> str:
    """Return the text of a notification with another payload."""
    notification = open_json(payload, "an SNS notification")
    carried = notification.get("MessageAttributes", {})
    attributes = {}
    for name, attribute in carried.items():
        value = replaced(name, attribute["Value"])
        attributes[name] = (
            attribute if value == attribute["Value"] else {"Type": "String", "Value": value}
        )
    changed = {**notification, "Message": text}
    if carried:
        changed["MessageAttributes"] = attributes
    return to_json(changed)


def _attribute(attribute: Any) -> Any:
    what = "an SNS notification"
    value = attribute.get("Value") if isinstance(attribute, dict) else None
    if not isinstance(value, str):
        reject(what, "an attribute has no Value text")
    match attribute.get("Type"):
        case "Binary":
            return decode_base64(value, what, "an attribute")
        case "Number" | "String.Array" as kind:
            expected = list if kind == "String.Array" else (int, Decimal)
            try:
                decoded = decode_json(value)
            except ValueError:
                decoded = None
            if isinstance(decoded, bool) or not isinstance(decoded, expected):
                reject(what, f"an attribute of type {kind} is none")
            return decoded
        case _:
            return value


def recognizes(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a notification."""
    return value.get("Type") == "Notification" and "TopicArn" in value


ENVELOPE = EnvelopeFormat("sns", unwrap, wrap, replace, recognizes)
