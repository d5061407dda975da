"""Bounds the time of `uniqueItems`.

The validator finds equal elements by their hash, and that of a number is the hash of its double. All pairs of different
numbers with one double are compared: 25,000 of 39 digits, which one message can have, take minutes.
"""

from decimal import Decimal
from typing import Any

MAX_ALIKE = 64
"""The most different numbers of a message that are the same as doubles."""
_EXACT = 2**53
"""A double holds each integer up to this one."""


def has_many_alike(data: Any) -> bool:
    """Return whether more than MAX_ALIKE different numbers of a message are the same as doubles."""
    alike: dict[float, set[int | Decimal]] = {}
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, Decimal) or (isinstance(value, int) and abs(value) > _EXACT):
            numbers = alike.setdefault(float(Decimal(value)), set())
            numbers.add(value)
            if len(numbers) > MAX_ALIKE:
                return True
    return False
