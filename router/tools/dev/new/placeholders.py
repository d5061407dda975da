"""Replaces the values of sample messages, for tests that are shared and for attributes that a queue
redacts.
"""

import re
from decimal import Decimal
from typing import Any

from router.runtime.config import spec
from router.runtime.program.redact_settings import read_redact
from router.tools.dev.new.inference import Schema

_OF_FORMAT = {
    "date-time": "2026-01-02T03:04:05Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "user@example.com",
    "uri": "https://example.com/",
}
_OF_TYPE = {str: "x", bool: True, int: 1, Decimal: Decimal("0.5")}


def replace_values(value: Any, schema: Schema) -> Any:
    """Return a value of the same shape: text with other characters, numbers 1; `enum`, `const` and
    booleans stay.
    """
    if "const" in schema or "enum" in schema or value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return _replace_members(value, schema)
    if isinstance(value, list):
        return [replace_values(part, schema.get("items", {})) for part in value]
    if isinstance(value, str):
        return _replace_text(value, schema)
    return 1


def _replace_members(value: dict[str, Any], schema: Schema) -> dict[str, Any]:
    if "additionalProperties" in schema:
        # The names are data, and are replaced as well.
        inner = schema["additionalProperties"]
        return {
            f"name{number}": replace_values(part, inner)
            for number, part in enumerate(value.values(), 1)
        }
    properties = schema.get("properties", {})
    return {name: replace_values(part, properties.get(name, {})) for name, part in value.items()}


def _replace_text(text: str, schema: Schema) -> str:
    zeros = re.sub(r"\d", "0", text)
    if "pattern" in schema:
        return zeros
    if "format" in schema:
        return _OF_FORMAT[schema["format"]]
    return re.sub(r"[^\W\d_]", "x", zeros)


def hide_redacted(message: dict[str, Any], queue: spec.Queue) -> dict[str, Any]:
    """Return a message with one value of each type in place of those that the queue redacts.

    Nothing that is inferred from such messages has a redacted value, a format of it or a choice by
    it.
    """
    root = [message]
    for path in read_redact(queue).paths:
        for holder, key in path.places(root):
            holder[key] = _blank(holder[key])
    return root[0]


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blank(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_blank(part) for part in value]
    return _OF_TYPE.get(type(value))
