"""What a documented config stores of a message, by docs/config.md alone."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.soundness.cases import TrialConfig
from tests.soundness.documented_transforms import (
    NUMBER,
    Refused,
    Unsure,
    is_number,
    nanoseconds,
    plain,
    text_of,
    transformed,
)
from tests.soundness.spelled import Spelled

MISSING = object()
SENT_AT = 1767323045
"""Of messages in tests, by docs/testing.md."""
_PATH = re.compile(r'(?:[A-Za-z_][A-Za-z0-9_]*|"[^"\\]*")(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|"[^"\\]*"))*\Z')
_NAME = re.compile(r'[A-Za-z_][A-Za-z0-9_]*|"([^"\\]*)"')
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LEAST, _GREATEST = Decimal("1e-130"), Decimal("9.9999999999999999999999999999999999999e125")
MAX_DIGITS = 38


def is_storable(value: Any, depth: int = 0) -> bool:
    """Whether DynamoDB can store all numbers of a value, and its nesting."""
    if depth > 30:
        return False
    if isinstance(value, dict):
        return all(is_storable(each, depth + 1) for each in value.values())
    if isinstance(value, list | set):
        return all(is_storable(each, depth + 1) for each in value)
    return not is_number(value) or _fits(Decimal(value))


def _fits(number: Decimal) -> bool:
    digits = number.as_tuple().digits
    significant = "".join(map(str, digits)).strip("0")
    return not significant or (len(significant) <= MAX_DIGITS and _LEAST <= number.copy_abs() <= _GREATEST)


def expected(attribute: Any, message: Any) -> Any:
    """Return the value of an attribute, or MISSING; raises Refused or Unsure."""
    settings = {"from": attribute} if isinstance(attribute, str) else attribute
    value = _source(settings, message)
    if "transform" in settings:
        if "default" in settings:
            raise Unsure  # the page does not say whether a default is transformed
        steps = settings["transform"]
        for step in steps if isinstance(steps, list) else [steps]:
            value = transformed(value, step) if value is not None else None
    if value is None:
        value = _content(settings.get("default"))
    if value is None:
        return _without(settings)
    if "type" in settings:
        value = _typed(value, settings["type"])
    if not is_storable(value):
        raise Refused
    return value


def _without(settings: Mapping[str, Any]) -> Any:
    if settings.get("missing") == "error":
        raise Refused
    return None if settings.get("missing") == "null" else MISSING


def _source(settings: Mapping[str, Any], message: Any) -> Any:
    if "from" in settings:
        return at_path(settings["from"], message)
    if "value" in settings:
        return _content(settings["value"])
    if "template" in settings:
        return _template(settings["template"], message)
    if "hash" in settings:
        return _hash(settings["hash"], message)
    if "ttl" in settings:
        return _ttl(settings["ttl"], message)
    raise Unsure


def _content(value: Any) -> Any:
    if isinstance(value, Spelled):
        return Decimal(value)
    return [_content(each) for each in value] if isinstance(value, list) else value


def at_path(text: str, message: Any) -> Any:
    """Return what stands at a path of names, or None."""
    if not _PATH.match(text):
        raise Unsure
    for found in _NAME.finditer(text):
        name = found[1] if found[1] is not None else found[0]
        message = message.get(name) if isinstance(message, dict) else None
    return message


def _template(template: str, message: Any) -> Any:
    if "{{" in template or "}}" in template:
        return template.replace("{{", "{").replace("}}", "}") if "{%" not in template else None
    parts = re.split(r"\{([^{}]*)\}", template)
    for index in range(1, len(parts), 2):
        value = at_path(parts[index], message)
        if value is None:
            return None
        parts[index] = text_of(value)
    return "".join(parts)


def _hash(expressions: list[str], message: Any) -> str:
    values = [at_path(each, message) for each in expressions]
    if any(value is None for value in values):
        raise Refused
    if not all(isinstance(value, str) and value.isascii() for value in values):
        raise Unsure
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def _ttl(ttl: Any, message: Any) -> Any:
    after = ttl if isinstance(ttl, str) else ttl["after"]
    seconds = int(after[:-1]) * _UNITS[after[-1]]
    if isinstance(ttl, str):
        return SENT_AT + seconds
    value = at_path(ttl["from"], message)
    if value is None:
        return None
    if isinstance(value, str):
        return nanoseconds(value) // 10**9 + seconds
    if not is_number(value) or value != int(value):
        raise Unsure
    return int(value) + seconds


def _typed(value: Any, kind: str) -> Any:
    if kind == "S" and (isinstance(value, str) or is_number(value)):
        return text_of(value)
    if kind == "N" and is_number(value):
        return value
    if kind == "N" and isinstance(value, str) and NUMBER.match(value):
        return Decimal(value)
    if {"BOOL": bool, "L": list, "M": dict}.get(kind) is type(value):
        return value
    if kind == "SS" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return _distinct(value)
    if kind == "NS" and isinstance(value, list) and all(is_number(each) for each in value):
        return _distinct(value)
    if kind == "B" and isinstance(value, str):
        return _binary(value)
    raise Unsure


def _distinct(value: list[Any]) -> set[Any]:
    if not value or len({*value}) < len(value) or "" in value:
        raise Unsure
    return {*value}


def _binary(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Unsure from None
    if base64.b64encode(content).decode() != text or not content:
        raise Unsure
    return content


def same(one: Any, other: Any) -> bool:
    """Whether two values are one value for DynamoDB: true is not 1."""
    if is_number(one) and is_number(other):
        return bool(Decimal(one) == Decimal(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def expected_last(case: TrialConfig, name: str, message: Any) -> Any:
    """Return the value in the last item of a message; raises Refused or Unsure."""
    attribute = case.route["item"][name]
    if "for_each" not in case.route:
        return expected(attribute, message)
    elements = at_path(case.route["for_each"], message)
    if not isinstance(elements, list) or not elements:
        raise Unsure
    return [expected(attribute, {"element": each, "message": message}) for each in elements][-1]


__all__ = ["MISSING", "Refused", "Unsure", "at_path", "expected_last", "is_storable", "plain", "same"]
