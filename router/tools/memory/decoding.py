"""Decodes items in DynamoDB's JSON to Python values."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from router.model import AttributeValue, Item, Number


def decode_item(item: dict[str, AttributeValue]) -> Item:
    """Return an item in DynamoDB's JSON as Python values, the inverse of `encode_item`."""
    return {name: decode_value(value) for name, value in item.items()}


def decode_value(value: AttributeValue) -> Any:
    """Return an attribute value as a Python value."""
    ((kind, content),) = value.items()
    return _DECODERS[kind](content)


def _decode_number(text: str) -> Number:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": _decode_number,
    "B": bytes,
    "BOOL": bool,
    "NULL": lambda _: None,
    "M": decode_item,
    "L": lambda values: [decode_value(value) for value in values],
    "SS": set,
    "NS": lambda texts: {_decode_number(text) for text in texts},
    "BS": lambda values: {bytes(value) for value in values},
}
