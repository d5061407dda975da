"""Formats values as JSON, with sets as sorted lists and exact numbers."""

from decimal import Decimal
from typing import Any

import msgspec

# Values that JSON does not have are shown by `repr`: REMOVE, and objects that a plugin returned.
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=repr)


def to_json(value: Any, indent: int = 0) -> str:
    """Return a value as JSON text, on one line or indented."""
    text = _ENCODER.encode(_plain(value))
    return (msgspec.json.format(text, indent=indent) if indent else text).decode()


def to_cell(value: Any) -> str:
    """Return a value for a cell of a table: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else to_json(value)


def _plain(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(value, key=_order)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _order(value: Any) -> Any:
    """Return the sort key: numbers by value, all else by its text, since a plugin can put anything into a set."""
    number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return (0, value, "") if number else (1, 0, value if isinstance(value, str) else repr(value))
