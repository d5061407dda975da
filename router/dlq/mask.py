"""Shows the shape of values without the values."""

from decimal import Decimal
from typing import Any


def masked(value: Any) -> Any:
    """Return a value in which text, numbers, booleans and binary values are replaced by their type.

    The names in objects are kept, and null.
    """
    if isinstance(value, dict):
        return {name: masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, str):
        return f"(text, {len(value)} characters)"
    if isinstance(value, bool):
        return "(boolean)"
    if isinstance(value, int | float | Decimal):
        return "(number)"
    if isinstance(value, bytes):
        return f"(binary, {len(value)} bytes)"
    if isinstance(value, set | frozenset):
        return f"(set of {len(value)})"
    return value
