"""The built-in envelopes: a plugin like any other.

Each takes the payload (text or binary at first, a decoded value after another envelope) and the attributes so far,
and returns the payload inside and the attributes with its own put under them. Each raises Reject, whose reason holds
no value, for what is no such envelope.
"""

import base64
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from router.errors import Reject
from router.model import Envelope, Unwrapped
from router.transforms.json_text import decode_json

_EVENT_FIELDS = ("id", "source", "detail-type", "account", "time", "region")


def router_register_envelopes(register: Callable[[str, Envelope], None]) -> None:
    """Name each envelope as its function is named."""
    for envelope in ENVELOPES:
        register(envelope.__name__, envelope)


def sns(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """An SNS notification, of a subscription without raw delivery: the payload is its `Message` text.

    Its `MessageAttributes` become attributes by their names: String as text, Number as an exact number, Binary as
    bytes, String.Array as a list.
    """
    notification = _open(payload, "an SNS notification")
    if notification.get("Type") != "Notification":
        _reject("an SNS notification", "its Type is not Notification; with raw delivery there is no envelope")
    message = notification.get("Message")
    if not isinstance(message, str):
        _reject("an SNS notification", "it has no Message text")
    carried = notification.get("MessageAttributes", {})
    if not isinstance(carried, dict):
        _reject("an SNS notification", "its MessageAttributes are no object")
    return message, {**{name: _sns_attribute(value) for name, value in carried.items()}, **attributes}


def eventbridge(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """An EventBridge event: the payload is its `detail`.

    Its `id`, `source`, `detail-type`, `account`, `time` and `region` become attributes: `eventbridge.source` and so on.
    """
    event = _open(payload, "an EventBridge event")
    for name in ("source", "detail-type"):
        if not isinstance(event.get(name), str):
            _reject("an EventBridge event", f"it has no {name} text")
    if "detail" not in event:
        _reject("an EventBridge event", "it has no detail")
    carried = {f"eventbridge.{name}": event[name] for name in _EVENT_FIELDS if isinstance(event.get(name), str)}
    return event["detail"], {**carried, **attributes}


def cloudevents(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """A CloudEvents 1.0 event in structured JSON: the payload is its `data`, or the binary of its `data_base64`.

    All its other members become attributes: `cloudevents.type` and so on.
    """
    event = _open(payload, "a CloudEvents event")
    if event.get("specversion") != "1.0":
        _reject("a CloudEvents event", "its specversion is not 1.0")
    for name in ("id", "source", "type"):
        if not isinstance(event.get(name), str) or not event[name]:
            _reject("a CloudEvents event", f"it has no {name} text")
    if ("data" in event) == ("data_base64" in event):
        _reject("a CloudEvents event", "it needs one of data and data_base64")
    data = event["data"] if "data" in event else _binary(event["data_base64"], "a CloudEvents event", "data_base64")
    carried = {
        f"cloudevents.{name}": value
        for name, value in event.items()
        if name not in ("data", "data_base64") and isinstance(value, (str, int, Decimal))
    }
    return data, {**carried, **attributes}


def s3_pointer(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """A payload too large for SQS, put into S3 by an Amazon SQS or SNS Extended Client: the payload is that object.

    It is fetched before the message is decoded; one that was small enough to be sent as it is stays as it is.
    """
    return payload, attributes


def _open(payload: Any, what: str) -> dict[str, Any]:
    """The envelope as a decoded object."""
    if isinstance(payload, (str, bytes)):
        try:
            payload = decode_json(payload)
        except ValueError as error:
            _reject(what, str(error))
    if not isinstance(payload, dict):
        _reject(what, "it is no JSON object")
    return payload


def _sns_attribute(attribute: Any) -> Any:
    what = "an SNS notification"
    value = attribute.get("Value") if isinstance(attribute, dict) else None
    if not isinstance(value, str):
        _reject(what, "an attribute has no Value text")
    match attribute.get("Type"):
        case "Binary":
            return _binary(value, what, "an attribute")
        case "Number" | "String.Array" as kind:
            expected = list if kind == "String.Array" else (int, Decimal)
            try:
                decoded = decode_json(value)
            except ValueError:
                decoded = None
            if isinstance(decoded, bool) or not isinstance(decoded, expected):
                _reject(what, f"an attribute of type {kind} is none")
            return decoded
        case _:
            return value


def _binary(text: Any, what: str, part: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        _reject(what, f"{part} is not Base64")


def _reject(what: str, why: str) -> NoReturn:
    raise Reject(f"the payload is not {what}: {why}") from None


ENVELOPES: tuple[Envelope, ...] = (sns, eventbridge, cloudevents, s3_pointer)
