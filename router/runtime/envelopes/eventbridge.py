"""The envelope `eventbridge`: events that an Amazon EventBridge rule sends to a queue."""

from collections.abc import Callable, Mapping
from typing import Any

from router.model import Unwrapped
from router.runtime.envelopes import SAMPLE_ID, EnvelopeFormat, embed, open_json, reject, to_json

_EVENT_FIELDS = ("id", "source", "detail-type", "account", "time", "region")


def unwrap(payload: Any, attributes: Mapping[str, Any]) -> Unwrapped:
    """An EventBridge event: the payload is its `detail`.

    Its `id`, `source`, `detail-type`, `account`, `time` and `region` become attributes: `eventbridge.source` and so on.
    """
    event = open_json(payload, "an EventBridge event")
    for name in ("source", "detail-type"):
        if not isinstance(event.get(name), str):
            reject("an EventBridge event", f"it has no {name} text")
    if "detail" not in event:
        reject("an EventBridge event", "it has no detail")
    carried = {
        f"eventbridge.{name}": event[name]
        for name in _EVENT_FIELDS
        if isinstance(event.get(name), str)
    }
    return event["detail"], {**carried, **attributes}


def wrap(payload: str) -> str:
    """Return the text of an event with a payload."""
    return to_json(
        {
            "version": "0",
            "id": SAMPLE_ID,
            "detail-type": "test",
            "source": "test",
            "account": "000000000000",
            "time": "2026-01-02T03:04:05Z",
            "region": "us-east-1",
            "resources": [],
            "detail": embed(payload),
        }
    )


def replace(payload: Any, text: str, replaced: Callable[[str, Any], Any]) -> str:
    """Return the text of an event with another payload."""
    event = open_json(payload, "an EventBridge event")
    carried = {
        name: replaced(f"eventbridge.{name}", event[name])
        for name in _EVENT_FIELDS
        if name in event
    }
    return to_json({**event, **carried, "detail": embed(text)})


def recognizes(value: Mapping[str, Any]) -> bool:
    """Return whether an object is an event."""
    return {"detail-type", "source", "detail"} <= value.keys()


ENVELOPE = EnvelopeFormat("eventbridge", unwrap, wrap, replace, recognizes)
