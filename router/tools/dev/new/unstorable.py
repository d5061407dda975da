"""Finds what DynamoDB does not store in a sample message, and where it is."""

from collections.abc import Mapping
from typing import Any

from router.codes import BAD_ITEM
from router.errors import Rejection
from router.runtime.config.environment import parts
from router.runtime.engine.attributes import encode_item

_NAME = "x"
_MAX_SHOWN = 80
"""The most characters of a path that are shown: the names in it can be long."""
_OF_NAME = "attribute '*': "
_ADVICE = {
    "digits": "send the number as text",
    "nested": "send the inner part as text, such as JSON",
    "name": "give it a name",
    "bytes": "send less, or the payload in S3",
}
"""What the sender can do, by a word of the reason."""


def fault_of(message: Mapping[str, Any]) -> str:
    """Return why an item cannot have all that a message has, with the field; "" if it can."""
    reason = _why_refused(message)
    if not reason:
        return ""
    field = ""
    # The name of an attribute can be refused as well as its value.
    for name, value in message.items():
        found = _why_refused({name: value})
        if found:
            path, reason = _innermost(value, name, found)
            shown = path if len(path) <= _MAX_SHOWN else f"{path[:_MAX_SHOWN]}…"
            field = f"field '{shown}': "
            break
    fitting = (text for word, text in _ADVICE.items() if word in reason)
    advice = next(fitting, "leave it out")
    return f"{field}{reason}, which DynamoDB does not store ({BAD_ITEM.id}); {advice}"


def _innermost(value: Any, path: str, reason: str) -> tuple[str, str]:
    """Return the path of the innermost part of a value that is refused, and why."""
    for step, part in parts(value):
        found = _why_refused({_NAME: part})
        if found:
            shown = f".{step}" if isinstance(step, str) else f"[{step}]"
            return _innermost(part, path + shown, found)
    return path, reason


def _why_refused(item: Mapping[str, Any]) -> str:
    try:
        encode_item(dict(item))
    except Rejection as rejection:
        return rejection.reason.removeprefix(_OF_NAME)
    return ""
