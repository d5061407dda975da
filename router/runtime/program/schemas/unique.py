"""Bounds the time of `uniqueItems`.

The validator finds equal elements by their hash. That of a number is the hash of its double, and that of a list the
hash of what is in it, wherever the brackets are: all pairs of elements with one hash are compared. 25,000 numbers of 39
digits, or 10,000 pairs of 64 such, which one message can have, take minutes; so do 100,000 elements such as
`[[], [[]]]`, which a payload can have that is unpacked, and numbers of many decimals, which are compared digit by
digit, also in short lists, which have no hashes.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

MAX_ALIKE = 64
"""The most different numbers of a message that are the same as doubles, and elements that differ in brackets only."""
MAX_PAIRS = 20_000
"""The most pairs of numbers of a message that are the same as doubles."""
MAX_DECIMALS = 100_000
"""The most decimals of the numbers of a message that have many."""
_MANY_DECIMALS = 20
"""More than a double is written with: each comparison takes ten times as long as that of usual numbers."""
_EXACT = 2**53
"""A double holds each integer up to this one."""
_PRIME = 2**61 - 1
_BASE = 1_000_003


def has_many_alike(data: Any) -> bool:
    """Return whether more numbers or elements of a message are alike than are compared in time."""
    alike: dict[float, list[int | Decimal]] = {}
    left = [data]
    decimals = nested = 0
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
            nested += sum(isinstance(each, list) for each in value)
        elif isinstance(value, Decimal) or (isinstance(value, int) and abs(value) > _EXACT):
            alike.setdefault(float(Decimal(value)), []).append(value)
            decimals += _decimals(value)
    if decimals > MAX_DECIMALS or _have_many_pairs(list(alike.values())):
        return True
    if nested <= MAX_ALIKE:
        return False
    # A list may have many different elements with what differs in brackets only.
    hashes = _Hashes()
    hashes.of(data)
    return hashes.are_many


def _decimals(number: int | Decimal) -> int:
    """Return how many decimals a number has if these are many, else 0."""
    exponent = number.as_tuple().exponent if isinstance(number, Decimal) else 0
    return -exponent if isinstance(exponent, int) and exponent < -_MANY_DECIMALS else 0


def _have_many_pairs(groups: Sequence[Sequence[int | Decimal]]) -> bool:
    """Return whether numbers of groups are too many, of those groups in which they differ."""
    pairs = 0
    for group in groups:
        if len(group) > 1 and len(set(group)) > 1:
            pairs += len(group) * (len(group) - 1) // 2
            if len(group) > MAX_ALIKE or pairs > MAX_PAIRS:
                return True
    return False


class _Hashes:
    """Hashes of values that are the same for lists with the same in other brackets."""

    are_many = False

    def of(self, value: Any) -> tuple[int, int]:
        """Return the hash of a value, and by what that of the values before it is multiplied."""
        if isinstance(value, list):
            found = list(map(self.of, value))
            self._look(value, found)
            total = 0
            factor = 1
            for part, by in found:
                total = (total * by + part) % _PRIME
                factor = factor * by % _PRIME
            return total, factor
        if isinstance(value, dict):
            value = frozenset([(name, self.of(part)) for name, part in value.items()])
        elif isinstance(value, Decimal | int) and not isinstance(value, bool):
            value = float(Decimal(value))
        return hash((type(value), value)) % _PRIME, _BASE

    def _look(self, values: Sequence[Any], hashes: Sequence[tuple[int, int]]) -> None:
        """Note that too many elements of a list with one hash differ."""
        if len(values) <= MAX_ALIKE:
            return
        counts = Counter(hashes)
        different: dict[tuple[int, int], set[str]] = {
            each: set() for each, count in counts.items() if count > MAX_ALIKE
        }
        for value, each in zip(values, hashes, strict=True):
            if each in different and isinstance(value, list | dict):
                different[each].add(repr(value))
        self.are_many |= any(len(each) > MAX_ALIKE for each in different.values())
