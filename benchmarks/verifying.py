"""Normalizes items, so that the writes of each program can be compared with the expected ones."""

import json
from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import Any

from messages import item


def expected_digest(size: str, count: int) -> str:
    """Return the digest of the items of the first `count` messages of a size."""
    return digest(canonical_item(size, item(size, number)) for number in range(count))


def digest(lines: Iterable[str]) -> str:
    """Return the digest of a set of items, regardless of order and repetition."""
    return sha256("\n".join(sorted(set(lines))).encode()).hexdigest()


def canonical_item(table: str, content: dict[str, Any]) -> str:
    """Return an item as text, equal when table, attributes and values are equal; numbers are compared by value."""
    return json.dumps([table, content], sort_keys=True, default=_number, ensure_ascii=False)


def read_item(content: dict[str, Any]) -> dict[str, Any]:
    """Convert an item in DynamoDB's JSON to Python's own types."""
    return {name: _read(value) for name, value in content.items()}


def _read(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            number = Decimal(content)
            return int(number) if number == int(number) else number
        case "M":
            return read_item(content)
        case "L":
            return [_read(each) for each in content]
        case "NULL":
            return None
        case _:
            return content


def _number(value: Decimal) -> Any:
    """Mark a Decimal, so that 1.25 and "1.25" differ."""
    return int(value) if value == int(value) else {"N": str(value.normalize())}
