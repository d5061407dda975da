"""Converts values to the `type` of an attribute; each function raises ValueError with a reason without the value."""

import base64
import binascii
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any, TypeGuard

from router.model import Number
from router.runtime.conversions import JSON_ENCODER, number_set, plain_number

# Beyond DynamoDB's range a plain notation could be as long as the exponent is large.
_MAX_EXPONENT = 150


def scalar_text(value: Any) -> str:
    """Return a text, number or boolean as text; numbers in plain notation."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return _number_text(value)
    raise ValueError("is no text, number or boolean")


def to_text(value: Any) -> str:
    """Convert to S: text unchanged, a number in plain notation."""
    if isinstance(value, str):
        return value
    if _is_number(value):
        return _number_text(value)
    raise ValueError("is no text")


@cache
def _decimal_form() -> re.Pattern[str]:
    # Compiled for the first message that needs it: a cold start does without.
    return re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)


def to_number(value: Any) -> Number:
    """Convert to N: a number unchanged, or the exact number of decimal text."""
    if isinstance(value, str) and _decimal_form().fullmatch(value):
        return Decimal(value)
    if _is_number(value):
        return value
    raise ValueError("is no number")


def to_binary(value: Any) -> bytes:
    """Convert to B: bytes unchanged, or the bytes of base64 text."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise ValueError("is no base64 text")


def _only(kind: type, reason: str) -> Callable[[Any], Any]:
    """Return the converter to BOOL, M or L, which accepts values of one type only, unchanged."""

    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        raise ValueError(reason)

    return convert


def to_json(value: Any) -> str:
    """Convert to json: JSON text with exact numbers."""
    try:
        return JSON_ENCODER.encode(value).decode()
    except (TypeError, ValueError):
        raise ValueError("cannot be written as JSON") from None


def _set_of(convert: Callable[[Any], Any]) -> Callable[[Any], set[Any] | None]:
    def to_set(value: Any) -> set[Any] | None:
        """Convert to SS, NS or BS: a list, duplicates merged; an empty one counts as missing."""
        if not isinstance(value, list | set | frozenset):
            raise ValueError("is no list")
        try:
            elements = [convert(element) for element in value]
            return (number_set(elements) if convert is to_number else set(elements)) or None
        except ValueError as error:
            raise ValueError(f"has an element that {error}") from None

    return to_set


CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "S": to_text,
    "N": to_number,
    "B": to_binary,
    "BOOL": _only(bool, "is neither true nor false"),
    "SS": _set_of(to_text),
    "NS": _set_of(to_number),
    "BS": _set_of(to_binary),
    "M": _only(dict, "is no object"),
    "L": _only(list, "is no list"),
    "json": to_json,
}
"""The converters by `type` of the config."""


def _is_number(value: Any) -> TypeGuard[Number]:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _number_text(value: Number) -> str:
    exact = Decimal(value)
    if not exact.is_finite() or (exact and abs(exact.adjusted()) > _MAX_EXPONENT):
        raise ValueError("is a number out of range")
    return plain_number(value)
